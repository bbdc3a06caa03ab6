"""What y is, given a prediction of it: a density, its derivatives, and the scalars that it has beside the mean.

A prediction `eta` comes from elsewhere, from linear predictors or from fitted estimators. Arrays are (n, K, T) for n
rows, K experts and T outputs, which are independent given the expert: targets are (n, 1, T), scalars such as variances
(K, T).
"""

from abc import ABC, abstractmethod
from copy import copy
from typing import Any, NamedTuple

import numpy as np

from ...distributions import Independent
from ...model.traits import Traits
from ...numerics.checks import check_choice
from ...numerics.coordinates import differenced, joined, log_scalars, ridge_derivatives
from ...numerics.kernels import weighted_cross, weighted_gram
from ...numerics.links import LINKS
from ..reports import named

__all__ = [
    "CoefParams",
    "PredictorStatistics",
    "Response",
    "Scalar",
    "Working",
    "own_targets",
    "summed",
    "targets",
    "weighted_sum",
]

LONGEST = 2.0  # Newton step of the logarithm of a scalar


class CoefParams(NamedTuple):
    coef: np.ndarray  # (K, T, p), of the design columns, intercept last


class Scalar(NamedTuple):
    """A positive number of every expert and output that is learned, such as a variance: a field of the parameters."""

    name: str
    term: str  # what the user reads, "log(variance)"
    least: Any = 0.0  # bounds, one number or (T,)
    most: Any = np.inf
    shared: bool = False  # one for all experts
    power: float = 1.0  # what is shown is the logarithm of this power
    at_least: str = ""  # what it means that experts are at a bound, a sentence with their numbers at {}
    at_most: str = ""


class Working(NamedTuple):
    """What the M-step needs of rows, all but the weights: arrays (n, K, T), or (n, 1, T) where experts have the same.

    Score and information are per unit of `Response.scale`.
    """

    score: np.ndarray  # derivative of the log-density by eta,
    information: Any = None  # and minus its second one, or what stands for it; None is one for every row
    square: Any = None  # squared residuals, weighted by the information, of a `quadratic` response
    terms: tuple = ()  # whose sums the update of the scalars needs


class PredictorStatistics(NamedTuple):
    """Sums over rows that are enough for the M-step of coefficients and scalars, around some coefficients."""

    weight: np.ndarray  # (K,)
    gram: np.ndarray  # (K, T, p, p), (K, 1, p, p) where outputs have the same: information, eq. (irls-information)
    cross: np.ndarray  # (K, T, p) products of columns and score, eq. (irls-gradient)
    square: np.ndarray  # (K, T) or (K, T, T), of a quadratic response; else (K, 0)
    sums: np.ndarray  # (K, T, s), of its terms


class Response(ABC):
    """The distribution of y given a prediction: the half of a family that does not know where predictions come from.

    A family says `log_density` and `distribution`. Derivatives are taken by differences, and scalars updated by
    Newton's steps on their logarithms, where it does not say better.

    Attributes
    ----------
    traits : Traits
    links : tuple of str
        The links that are on offer, `link` among them.
    Params, Report : type
        NamedTuples: of the coefficients and the scalars, and of what the user is shown; None is one of the same names.
    scalars : tuple of Scalar
        What is learned beside the coefficients.
    quadratic : bool
        For given scalars the log-density, or the parabola that the M-step replaces it by, is a quadratic in eta.
    parameter_free : bool
        The working quantities do not depend on the scalars, so that sums may be taken around any coefficients.
    full : bool
        Outputs depend on each other, so that squares of all pairs are needed.
    init_steps : int
        Updates that turn the responsibilities of a start into parameters.
    """

    traits = Traits(smooth=True, additive=True, sparse_input=True)
    links = ("identity",)
    link = "identity"
    Params, Report = CoefParams, None
    scalars = ()
    quadratic = parameter_free = full = False
    init_steps = 5
    largest_ = 1.0  # size of the largest mean that the table asks for
    unit_ = 1.0  # size in which a linear predictor is large

    # -- what a family says ------------------------------------------------------------------------------------------

    @abstractmethod
    def log_density(self, y, eta, params, rows):
        """log p(y | eta), (n, K, T)."""

    @abstractmethod
    def distribution(self, eta, params, rows):
        """p(y | eta) of one output as an object of `hme.distributions`: eta is (n, K), the scalars are (1, K)."""

    def working(self, y, eta, params, rows):
        """The M-step's quantities; observed curvature where it is positive, else the square of the score."""
        first, second = self.derivatives(y, eta, params, rows)
        own = [(first[..., e], second[..., e, e]) for e in range(1, first.shape[-1])]
        terms = tuple(term for slope, bend in own for term in (slope, bend, slope**2))
        score, information = first[..., 0], -second[..., 0, 0]
        return Working(score, np.where(information > 0, information, score**2), None, terms)

    def derivatives(self, y, eta, params, rows):
        """First (n, K, T, d) and second (n, K, T, d, d) derivatives by eta and the logarithms of the scalars.

        For outputs that depend on each other (n, K, D) and (n, K, D, D), by all eta, then by all scalars.
        """

        def displaced(shift, *logs):
            moved = {s.name: getattr(params, s.name) * np.exp(log) for s, log in zip(self.scalars, logs, strict=True)}
            return self.log_density(y, eta + shift, params._replace(**moved), rows)

        return differenced(displaced, 1 + len(self.scalars))

    def start_scalars(self, rows):
        """The scalars, (1, T) by name, that the fit of all rows starts from."""
        return {scalar.name: np.ones((1, rows.y.shape[1])) for scalar in self.scalars}

    def possible(self, rows):
        """Which targets can be produced, (n,) of bool."""
        return np.ones(rows.n_rows, dtype=bool)

    def interior(self, rows):
        """Targets (n, T) moved to where the link has finite values; shares of the trials where there are trials."""
        return rows.y

    # -- binding to a table ------------------------------------------------------------------------------------------

    def check(self):
        """Refuse hyper-parameters that are not allowed."""
        check_choice(self.link, "link", self.links)

    def bind(self, rows):
        """The response with what is relative to a training table as numbers."""
        self.check()
        bound = copy(self)
        bound.largest_ = float(np.abs(rows.y).max()) or 1.0
        return bound

    def bind_pooled(self, pooled, residual):
        """The response with what is relative to the fit of all rows by one expert as numbers.

        Parameters
        ----------
        pooled : Params
            Of that one expert.
        residual : callable
            Without arguments, y less the prediction of that fit, (n, T).
        """
        return self

    def start_coef(self, rows):
        """Coefficients (1, T, p) of the mean of all rows."""
        coef = np.zeros((1, rows.y.shape[1], rows.X.shape[1]))
        mean = rows.weight @ self.interior(rows) / rows.weight.sum()
        coef[0, :, -1] = LINKS[self.link].eta(mean)
        if rows.offset is not None:
            coef[0, :, -1] -= np.average(rows.offset, weights=rows.weight)
        return coef

    def pooled(self, expert, rows):
        """The fit of all rows by one expert, without constraints and drawn to zero; `expert` is bound as such."""
        return expert.converge(self.Params(self.start_coef(rows), **self.start_scalars(rows)), rows)

    def begin(self, expert, rows, resp):
        """Parameters that the first of the `init_steps` starts from, given responsibilities (n, K)."""
        return expert.start(resp.shape[1])

    def start_target(self, rows):
        """Targets (n, T) on the scale of the linear predictors."""
        eta = LINKS[self.link].eta(self.interior(rows))
        return eta if rows.offset is None else eta - rows.offset[:, None]

    # -- density and moments -----------------------------------------------------------------------------------------

    def log_prob(self, y, eta, params, rows):
        """log p(y | eta) of all outputs together, (n, K)."""
        return together(self.log_density(y, eta, params, rows))

    def mean_of(self, eta):
        """What the link makes of eta; the mean of y for most families."""
        return LINKS[self.link].mean(eta, self.largest_)

    def outputs(self, eta, params, rows):
        """The distributions of the outputs, a list."""

        def one(t):
            own = {name: getattr(params, name)[:, t][None] for name in self.Params._fields[1:]}
            return self.of_output(t).distribution(eta[:, :, t], params._replace(**own), rows)

        return [one(t) for t in range(eta.shape[2])]

    def of_output(self, t):
        """The response of one output."""
        return self

    def joint(self, eta, params, rows):
        """The distribution of all outputs together."""
        outputs = self.outputs(eta, params, rows)
        return outputs[0] if len(outputs) == 1 else Independent(outputs)

    def mean(self, eta, params, rows):
        """Mean of y, (n, K, T)."""
        return stacked_outputs(one.mean() for one in self.outputs(eta, params, rows))

    def variance(self, eta, params, rows):
        """Variance of y, (n, K, T)."""
        return stacked_outputs(one.variance() for one in self.outputs(eta, params, rows))

    def scale(self, params):
        """What score and information are divided by in the log-likelihood, (K, T): a variance or dispersion."""
        return np.ones(params.coef.shape[:2])

    def unitless(self, force, params, common):
        """Gradients (K, T, p) by coefficients, given per unit of `scale`, times the size in which eta is large.

        That size is the same for all experts where it must be `common` to them.
        """
        return force * (self.unit_ / self.scale(params))[..., None]

    # -- scalars -----------------------------------------------------------------------------------------------------

    def update(self, params, stats, ridge, square=None):
        """Parameters with new scalars.

        Parameters
        ----------
        params : Params
        stats : PredictorStatistics
            Sums over rows at the parameters before.
        ridge : ndarray of shape (K, T)
            Twice the penalty, where it is measured against the scale, else zeros.
        square : ndarray of shape (K, T) or None
            Squares of the residuals of `params`, of a quadratic response.
        """
        new = {}
        for scalar, (slope, bend, outer) in zip(self.scalars, self._sums(stats), strict=True):
            # Where the log-likelihood is not concave, the mean square of the score stands for its curvature.
            curvature = np.maximum(-bend, 0.25 * outer)
            step = np.divide(slope, curvature, out=np.zeros_like(slope), where=curvature > 0)
            value = getattr(params, scalar.name) * np.exp(np.clip(step, -LONGEST, LONGEST))
            new[scalar.name] = np.clip(value, scalar.least, scalar.most)
        return params._replace(**new)

    def _sums(self, stats):
        """Sums (K, T) of slopes, curvatures and squared slopes of every scalar, of all experts where they share it."""
        for number, scalar in enumerate(self.scalars):
            yield common(stats.sums[..., 3 * number : 3 * number + 3], scalar.shared).transpose(2, 0, 1)

    def gradient(self, params, stats, ridge, square=None):
        """Derivatives of Q by the logarithms of the scalars, flat; zero where a bound holds them."""
        parts = [
            free_slope(getattr(params, scalar.name), slope, scalar).ravel()
            for scalar, (slope, _, _) in zip(self.scalars, self._sums(stats), strict=True)
        ]
        return np.concatenate([np.zeros(0), *parts])

    def log_prior(self, params):
        """Log-density of the priors on the scalars."""
        return 0.0

    def measured(self, ridge, params):
        """Penalties' squares (K, T) in units of the scale."""
        return ridge / self.scale(params)

    def n_parameters(self, params):
        """Free scalars."""
        return sum(getattr(params, s.name)[: 1 if s.shared else None].size for s in self.scalars)

    def warnings(self, params):
        """Sentences about scalars at a bound."""
        found = []
        for scalar in self.scalars:
            value = getattr(params, scalar.name)
            low, high = value <= scalar.least * (1 + 1e-9), value >= scalar.most * (1 - 1e-9)
            for sentence, held in ((scalar.at_most, high), (scalar.at_least, low)):
                experts = np.flatnonzero(held.any(axis=1)).tolist()
                found += [sentence.format(experts)] if sentence and experts else []
        return found

    # -- information -------------------------------------------------------------------------------------------------

    def coordinates(self, params, parts):
        """The scalars as `Scalars`; `parts` name the outputs."""
        found = [
            log_scalars(getattr(params, s.name), [(part, s.term) for part in parts], s.shared, s.least, s.most, s.power)
            for s in self.scalars
        ]
        return joined(*found, n=len(params[0]))

    def displaced(self, params, scalar):
        """Parameters with scalars (K, E) in the form of `coordinates`."""
        parts = np.split(np.exp(scalar), max(len(self.scalars), 1), axis=1)
        return params._replace(**{s.name: part for s, part in zip(self.scalars, parts, strict=False)})

    def prior_derivatives(self, params, distance, ridge, lasso, scaled):
        """Gradient (K, d) and Hessian (K, d, d) of penalties and priors, see `ridge_derivatives`."""
        gradient, hessian = ridge_derivatives(distance, ridge, lasso)
        return padded(gradient, hessian, len(self.scalars) * distance.shape[1])

    # -- what the user is shown --------------------------------------------------------------------------------------

    def report(self, coef, intercept, params):
        """Coefficients in the user's units with the scalars; of one output without its axis."""
        names = self.Params._fields[1:]
        values = (coef, intercept, *(single(getattr(params, name)) for name in names))
        return named("Report", ("coef", "intercept", *names), values) if self.Report is None else self.Report(*values)

    def describe(self, *scalars):
        """The scalars of one expert in a report as text."""
        values = dict(zip(self.Params._fields[1:], scalars, strict=True))
        return ",  ".join(f"{scalar.name} {numbers(values[scalar.name])}" for scalar in self.scalars)

    def left_side(self, target):
        """What the linear predictor gives, as text."""
        return target if self.link == "identity" else f"{self.link}({target})"

    def one_sided(self, stats):
        """Experts (K,) that have hardly seen an event, or nothing else; no penalty holds their intercepts."""
        return np.zeros(len(stats.weight), dtype=bool)


# -- arrays ----------------------------------------------------------------------------------------------------------


def summed(X, resp, working):
    """The statistics of rows with design columns X, responsibilities (n, K) and `Working` quantities."""
    K, T = resp.shape[1], working.score.shape[2]
    if working.information is None:
        gram = weighted_gram(X, resp)[:, None]
    else:
        gram = weighted_gram(X, _weighted(resp, working.information)).reshape(K, T, X.shape[1], X.shape[1])
    cross = weighted_cross(X, _weighted(resp, working.score)).reshape(K, T, X.shape[1])
    square = np.zeros((K, 0)) if working.square is None else weighted_sum(resp, working.square)
    sums = [weighted_sum(resp, term) for term in working.terms]
    return PredictorStatistics(
        resp.sum(axis=0), gram, cross, square, np.stack(sums, axis=2) if sums else np.zeros((K, T, 0))
    )


def _weighted(resp, values):
    """Products (n, K T) of responsibilities and values (n, K or 1, T), stored column by column."""
    product = resp.T[:, None] * values.transpose(1, 2, 0)
    return product.reshape(-1, len(resp)).T


def weighted_sum(resp, values):
    """Sums over rows (K, ...) of values (n, K or 1, ...)."""
    n, K = resp.shape
    if values.shape[1] == 1 < K:
        return (resp.T @ values.reshape(n, -1)).reshape(K, *values.shape[2:])
    columns = values.reshape(n, K, -1)
    return np.stack([np.einsum("nk,nk->k", resp, columns[:, :, t]) for t in range(columns.shape[2])], axis=1).reshape(
        K, *values.shape[2:]
    )


def targets(rows):
    """Outputs (n, 1, T), each stored contiguously as linear predictors are."""
    return (rows.y if rows.y.shape[1] == 1 else np.asfortranarray(rows.y))[:, None]


def own_targets(rows):
    """Outputs (n, T) less the offset: what the coefficients answer for."""
    return rows.y if rows.offset is None else rows.y - rows.offset[:, None]


def stacked_outputs(arrays):
    """Arrays (n, K) of the outputs as one, (n, K, T)."""
    arrays = list(arrays)
    return arrays[0][:, :, None] if len(arrays) == 1 else np.stack(arrays, axis=2)


def together(log_density):
    """Log-densities (n, K) of all outputs together, from those of each, (n, K, T)."""
    return log_density[:, :, 0] if log_density.shape[2] == 1 else log_density.sum(axis=2)


def common(sums, shared):
    """Sums (K, ...), of all experts together where they share what the sums are for."""
    return np.broadcast_to(sums.sum(axis=0), sums.shape) if shared else sums


def free_slope(value, slope, scalar):
    """Slopes (K, T) by the logarithm of a scalar, zero where a bound holds it."""
    low = (value <= scalar.least * (1 + 1e-9)) & (slope < 0)
    high = (value >= scalar.most * (1 - 1e-9)) & (slope > 0)
    return np.where(low | high, 0.0, slope)


def numbers(values):
    """One number, or a list of them, as text with three digits."""
    shown = [f"{value:.3g}" for value in np.atleast_1d(values)]
    return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"


def single(array):
    """An array (K, T) without the axis of the outputs, where there is one output."""
    return array[:, 0] if array.shape[1] == 1 else array


def padded(gradient, hessian, n):
    """Gradients (K, d) and Hessians (K, d, d) with n more coordinates that have no part in them."""
    return np.pad(gradient, ((0, 0), (0, n))), np.pad(hessian, ((0, 0), (0, n), (0, n)))
