"""A fitted configuration, and how fits are compared."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from .configurations import Configuration
from .limits import Excused, Failure
from .refusals import check_refusal

__all__ = [
    *("SUMS", "Fitted", "asked", "distance", "holds", "jittered", "likelihood", "next_digit", "no_nan", "same_bits"),
]

SUMS = 1e-9  # by which sums of probabilities may miss one
CLOSE = 1e-6  # relative error of a log-likelihood that may come from rounding in the sums of a few sweeps
SWEEPS = 3  # of fits that are compared: rounding grows from sweep to sweep where EM moves away from a saddle
PROBES = 10  # fits with weights that differ by rounding, to see what rounding does to a problem
ILL_POSED = 100.0  # times what a probe changes, in which another order or unit is excused


@dataclass
class Fitted:
    """A configuration, its fit, and what several checks ask of it."""

    configuration: Configuration
    model: object

    @cached_property
    def counted(self):
        """The configuration without the rows of zero weight, whose classes the model may not know."""
        return counted(self.configuration)

    @cached_property
    def X(self):
        return self.counted.table()

    @property
    def y(self):
        return self.counted.y

    @property
    def rows(self):
        """Arguments of the predict side."""
        return self.counted.given("offset", "trials")

    @property
    def seen(self):
        """Arguments of `log_likelihood`."""
        return self.counted.given("offset", "trials", "groups")

    @property
    def traits(self):
        return self.configuration.expert.traits, self.configuration.gate.traits

    @cached_property
    def short(self):
        """The configuration with a few plain sweeps from one start, for fits that are compared with each other.

        Which of several starts is kept is a matter of rounding where they are equally good, and so are leaps.
        """
        return self.configuration.with_settings(
            max_iter=str(SWEEPS), tol="1e-12", n_init=None, n_finalists="None", on_empty=None, accelerate="False"
        )

    @cached_property
    def short_likelihood(self):
        return likelihood(self.short, self.configuration)

    def compare(self, other, change=0.0, at=None, digits=False):
        """Fail unless the fit to another configuration has the same log-likelihood at the rows of this one.

        Parameters
        ----------
        other : Configuration
        change : float
            What is to be added to the log-likelihood of a row.
        at : Configuration or None
            The rows in the other's units.
        digits : bool
            Whether the last digits of y are others in the other's units, see `next_digit`.
        """
        expected = self.short_likelihood + change
        error = distance(likelihood(other, at or self.configuration), expected)
        if error <= CLOSE:
            return
        if digits and error <= ILL_POSED * distance(
            likelihood(self.short, next_digit(self.configuration)) + change, expected
        ):
            raise Excused
        for seed in range(PROBES):
            probe = likelihood(jittered(self.short, seed), self.configuration)
            if error <= ILL_POSED * distance(probe + change, expected):
                raise Excused
        raise Failure(f"log-likelihoods differ by {error:.1e}")


def likelihood(configuration, at):
    """Log-likelihood of rows under the fit to a configuration; of rows that count."""
    model = configuration.quietly()
    at = counted(at)
    return model.log_likelihood(at.table(), at.y, **at.given("offset", "trials", "groups"))


def counted(configuration):
    """The rows that count."""
    weight = configuration.aligned.get("sample_weight")
    return configuration if weight is None or (weight > 0).all() else configuration.take(weight > 0)


def distance(a, b):
    """Largest difference, relative where numbers are large; that of two infinities of one sign is zero."""
    with np.errstate(invalid="ignore"):
        error = np.abs(a - b) / (1.0 + np.minimum(np.abs(a), np.abs(b)))
    error[a == b] = 0.0
    return np.inf if np.isnan(error).any() else float(error.max(initial=0.0))


def jittered(configuration, seed):
    """With weights that differ in the last digits."""
    rng, n = np.random.default_rng(seed), len(configuration.X)
    factor = 1.0 + 1e-14 * rng.uniform(-1.0, 1.0, size=n)
    if "groups" in configuration.aligned:
        factor = factor[np.unique(configuration.aligned["groups"], return_inverse=True)[1]]
    return configuration.with_aligned(sample_weight=factor * configuration.aligned.get("sample_weight", np.ones(n)))


def next_digit(configuration):
    """With targets that are larger by one in their last digit, for densities that differ as rounding makes them.

    In other units targets are rounded elsewhere, and so are linear predictors: under a log link one digit more or less
    in the last place of a logarithm is a relative error of the mean that does not depend on its size. With next to no
    noise a density makes much of it: by 1e-6 where y differs from its mean by 1e-10 of it. Only the densities are taken
    at other targets; the fit is that to the given ones.
    """
    y = configuration.y
    return replace(configuration, y=y + np.spacing(np.abs(y)))


def holds(condition, message):
    if not condition:
        raise Failure(message)


def no_nan(value, name):
    """No nan in an array, or in whatever holds arrays."""
    if isinstance(value, dict):
        for key, item in value.items():
            no_nan(item, f"{name}[{key!r}]")
    elif hasattr(value, "_fields"):
        for key in value._fields:
            no_nan(getattr(value, key), f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for item in value:
            no_nan(item, name)
    elif np.asarray(value).dtype.kind == "f":
        holds(not np.isnan(value).any(), f"nan in {name}")


def asked(call):
    """The answer of a method, or None where it refuses in words."""
    try:
        return call()
    except (ValueError, TypeError, NotImplementedError, AttributeError) as error:
        check_refusal(error)


def same_bits(a, b, name):
    holds(all(np.array_equal(u, v, equal_nan=True) for u, v in zip(arrays(a), arrays(b), strict=True)), name)


def arrays(value):
    """The arrays within named tuples."""
    if isinstance(value, tuple | list):
        return [array for item in value for array in arrays(item)]
    return [value] if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" else []
