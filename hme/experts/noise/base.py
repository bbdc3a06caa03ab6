"""The interface of responses: the density of y given a prediction eta, its derivatives, and its scalar parameters.

The prediction comes from a linear predictor or a fitted estimator. Arrays are (n, K, T) for n rows, K experts and T
outputs, which are independent given the expert; targets are (n, 1, T), and scalar parameters such as variances (K, T).
"""

from abc import ABC, abstractmethod
from copy import copy
from typing import Any, NamedTuple

import numpy as np

from ...distributions import Independent
from ...model.reports import named
from ...model.traits import Traits
from ...model.uncertainty import inflation_of
from ...model.wording import linear_text
from ...numerics.checks import check_choice
from ...numerics.coordinates import differenced, joined, log_scalars, ridge_derivatives
from ...numerics.links import LINKS
from .arrays import common, free_slope, numbers, padded, single, stacked_outputs, targets, together
from .sums import Working
from .variance import robust_variance, total_variance

__all__ = ["CoefParams", "Response", "Scalar"]

LONGEST = 2.0  # bound on the Newton step of the logarithm of a scalar
EXACT = 1e-6  # of the unit of eta: the residuals of a fit that leaves less are rounding
CONCAVE = 0.25  # share of the squared score that is the least curvature, where the log-likelihood is not concave


class CoefParams(NamedTuple):
    coef: np.ndarray  # (K, T, p), of the design columns, intercept last


class Scalar(NamedTuple):
    """A positive parameter that is learned for every expert and output, such as a variance."""

    name: str  # field of the parameters
    term: str  # name of its logarithm for the user, such as "log(variance)"
    least: Any = 0.0  # bounds, one number or (T,), as multiples of its units
    most: Any = np.inf
    shared: bool = False  # whether all experts share it
    power: float = 1.0  # the user is shown the logarithm of this power of it
    units: float = 0.0  # power of the unit of eta that it has, with an identity link: 1 for a standard deviation
    at_least: str = ""  # warning if experts are at the lower bound, with {} for their numbers
    at_most: str = ""  # the same for the upper bound


class Response(ABC):
    """The distribution of y given a prediction eta, independent of how the prediction is made.

    A subclass implements `log_density` and `distribution`. By default, derivatives are computed by finite differences,
    and scalars are updated by Newton steps of their logarithms.

    Attributes
    ----------
    traits : Traits
    links : tuple of str
        The links that are supported; `link` is one of them.
    Params, Report : type
        NamedTuples of coefficients and scalars, as parameters and as shown to the user. If `Report` is None, it is made
        from the names of the parameters.
    scalars : tuple of Scalar
        The parameters that are learned besides the coefficients.
    quadratic : bool
        Whether the log-density, or the parabola that replaces it in the M-step, is quadratic in eta for given scalars.
    parameter_free : bool
        Whether the working quantities do not depend on the scalars, so that sums can be computed at any coefficients.
    full : bool
        Whether outputs are dependent, so that products of residuals of all pairs are needed.
    estimates_tails : bool
        Whether the heaviness of the tails is among the scalars.
    elementwise : bool
        Whether `working` is a function of y, eta and scalars alone, entry by entry.
    init_steps : int
        Number of updates from the responsibilities of a start to its parameters.
    """

    traits = Traits(smooth=True, additive=True, sparse_input=True)
    links = ("identity",)
    link = "identity"
    Params, Report = CoefParams, None
    scalars = ()
    quadratic = parameter_free = full = estimates_tails = elementwise = False
    init_steps = 5
    scale_ = None  # the `Scale` of a variance or dispersion that has a floor, then the first of the scalars
    largest_ = 1.0  # size of the largest target in the training data
    unit_ = 1.0  # typical size of a linear predictor,
    spread_ = 1.0  # and share of it by which linear predictors of the table differ, at most 1

    @property
    def scales(self):
        """The fields of the parameters that are positive by their nature: all but the coefficients."""
        return self.Params._fields[1:]

    # -- what a family defines ---------------------------------------------------------------------------------------

    @abstractmethod
    def log_density(self, y, eta, params, rows):
        """log p(y | eta), (n, K, T)."""

    @abstractmethod
    def distribution(self, eta, params, rows):
        """p(y | eta) of one output as an object of `hme.distributions`: eta is (n, K), the scalars are (1, K)."""

    def working(self, y, eta, params, rows):
        """Working quantities of the M-step: the observed information, but at least a quarter of the squared score."""
        # Impossible targets have no derivatives, and no part in the sums.
        first, second = (np.where(np.isfinite(a), a, 0.0) for a in self.derivatives(y, eta, params, rows))
        own = [(first[..., e], second[..., e, e]) for e in range(1, first.shape[-1])]
        terms = tuple(term for slope, bend in own for term in (slope, bend, slope**2))
        score, scale = first[..., 0], self.scale(params)
        information = np.maximum(-second[..., 0, 0], CONCAVE * score**2)
        return Working(scale * score, scale * information, None, terms)

    def derivatives(self, y, eta, params, rows):
        """First (n, K, T, d) and second (n, K, T, d, d) derivatives, by eta and the logarithms of the scalars.

        For dependent outputs (n, K, D) and (n, K, D, D), by the eta of all outputs, then by all scalars.
        """

        def displaced(shift, *logs):
            moved = {s.name: getattr(params, s.name) * np.exp(log) for s, log in zip(self.scalars, logs, strict=True)}
            return self.log_density(y, eta + shift * self.unit_, params._replace(**moved), rows)

        first, second = differenced(displaced, 1 + len(self.scalars))
        unit = np.reshape(self.unit_, (-1, 1))  # of the displacements of eta
        first[..., :1] /= unit
        second[..., :1, :] /= unit[..., None]
        second[..., :, :1] /= unit[..., None]
        return first, second

    def start_scalars(self, rows):
        """Initial scalars of the pooled fit, a dict from names to arrays (1, T): one in their units."""
        ones = np.ones((1, rows.y.shape[1]))
        return {s.name: np.clip(ones * self.unit_**s.units, s.least, s.most) for s in self.scalars}

    def possible(self, rows):
        """Whether each target can be produced, (n,) of bool."""
        return np.ones(rows.n_rows, dtype=bool)

    def interior(self, rows):
        """Targets (n, T) moved into the interior of the link's domain; proportions of successes if there are trials."""
        return rows.y

    # -- binding to a table ------------------------------------------------------------------------------------------

    def check(self):
        """Raise an error if a hyper-parameter is not allowed."""
        check_choice(self.link, "link", self.links)

    def bind(self, rows):
        """The response bound to a training table: settings relative to the data become numbers."""
        self.check()
        bound = copy(self)
        bound.largest_ = float(np.abs(rows.y).max()) or 1.0
        if self.link == "identity" and not self.quadratic:  # other links have linear predictors without units
            bound.unit_ = unit = np.sqrt(robust_variance(self.start_target(rows), rows.weight))
            in_units = {s: unit**s.units if s.units else 1.0 for s in self.scalars}
            bound.scalars = tuple(s._replace(least=s.least * u, most=s.most * u) for s, u in in_units.items())
        elif self.link != "identity":
            eta = self.start_target(rows)
            size = np.abs(rows.weight @ eta) / rows.weight.sum() if self.link == "inverse" else 1.0
            bound.spread_ = np.minimum(np.sqrt(total_variance(eta, rows.weight)) / size, 1.0)
        return bound

    def guarded(self, expert, rows):
        """The response with bounds on its scalars that depend on the coefficients of `expert`, which is bound."""
        return self

    def bind_pooled(self, pooled, residual):
        """The response bound to the pooled fit: settings relative to that fit become numbers.

        Parameters
        ----------
        pooled : Params
            Parameters of the pooled fit, with one expert.
        residual : callable
            Returns the residuals (n, T) of the pooled fit, and the row weights (n,).
        """
        bound = copy(self)
        if self.link == "identity" and not self.quadratic:
            unit = np.sqrt(robust_variance(*residual()))
            bound.unit_ = np.where((unit > EXACT * self.unit_) & (unit < self.unit_), unit, self.unit_)
        return bound

    def with_scale(self, scale):
        """The response with another `Scale`, where it has one."""
        raise NotImplementedError(f"{type(self).__name__} has no scale.")

    def start_coef(self, rows):
        """Coefficients (1, T, p) that predict the mean of all rows."""
        coef = np.zeros((1, rows.y.shape[1], rows.X.shape[1]))
        coef[0, :, -1] = LINKS[self.link].eta(rows.weight @ self.interior(rows) / rows.weight.sum())
        if rows.offset is not None:
            coef[0, :, -1] -= np.average(rows.offset, weights=rows.weight)
        return coef

    def pooled(self, expert, rows):
        """The pooled fit, one expert for all rows; `expert` is bound to shrink towards zero, within its constraints."""
        scalars = self.start_scalars(rows)
        if {"coef", *scalars} != set(self.Params._fields):
            raise TypeError(
                f"{type(self).__name__}.Params has the fields {list(self.Params._fields)}; it must have coef and the "
                f"scalars, {list(scalars)}."
            )
        params, few = self.Params(self.start_coef(rows), **scalars), rows[:2]
        shape = np.shape(self.log_density(targets(few), targets(few), params, few))
        if shape != (few.n_rows, 1, rows.y.shape[1]):
            raise ValueError(
                f"{type(self).__name__}.log_density returned shape {shape}; it must be (rows, experts, outputs) = "
                f"{(few.n_rows, 1, rows.y.shape[1])}."
            )
        return expert.converge(params._replace(coef=expert.feasible(params.coef)), rows)

    def begin(self, expert, rows, resp):
        """Parameters from which the first of the `init_steps` starts, given responsibilities (n, K)."""
        return expert.start(resp.shape[1])

    def start_target(self, rows):
        """Targets (n, T) on the scale of the linear predictors."""
        eta = LINKS[self.link].eta(self.interior(rows))
        return eta if rows.offset is None else eta - rows.offset[:, None]

    # -- density and moments -----------------------------------------------------------------------------------------

    def log_ceiling(self, params, rows):
        """Upper bounds of `log_prob` for any eta, see `Expert.log_ceiling`; None where none is known."""
        return (0.0, np.zeros(len(params.coef))) if self.traits.measure == "mass" else None

    def log_prob(self, y, eta, params, rows):
        """Joint log p(y | eta) of all outputs, (n, K)."""
        return together(self.log_density(y, eta, params, rows))

    def mean_of(self, eta):
        """Inverse link function of eta, which is the mean of y for most families."""
        return LINKS[self.link].mean(eta, self.largest_)

    def outputs(self, eta, params, rows):
        """The distributions of the outputs, a list."""

        def one(t):
            scalars = {name: getattr(params, name) for name in self.Params._fields[1:]}
            own = {name: a[:, t][None] if a.ndim == 2 else a[:, :, t] for name, a in scalars.items()}
            return self.of_output(t).distribution(eta[:, :, t], params._replace(**own), rows)

        return [one(t) for t in range(eta.shape[2])]

    def predictive(self, eta, leverage, factor, params, rows):
        """The predictive distribution of all outputs, eq. (predictive): `joint`, with uncertain linear predictors.

        By default what has a parameter for it is widened; uncertain linear predictors count with an identity link.

        Parameters
        ----------
        eta : ndarray of shape (n, K, T)
        leverage : ndarray of shape (n, K, T) or (n, K, 1)
            Variances of eta, divided by `scale` and by the factor.
        factor : ndarray of shape (K, T)
            Of the noise variances, from the degrees of freedom of the fit.
        params, rows
        """
        outputs, variance = self.outputs(eta, params, rows), self.scale(params)
        for t, one in enumerate(outputs):
            widening = factor[:, t]
            if self.link == "identity":
                spread = leverage[:, :, min(t, leverage.shape[2] - 1)] * variance[:, t] / one.variance()
                widening = widening * (1.0 + np.where(np.isfinite(spread), spread, 0.0))
            outputs[t] = one.widened(widening)
        return outputs[0] if len(outputs) == 1 else Independent(outputs)

    def expected_information(self, working, params):
        """The information of rows about eta, times `scale`, (n, K or 1, T); None means one for every row."""
        return working.information

    def of_output(self, t):
        """The response of one output."""
        return self

    def joint(self, eta, params, rows):
        """The joint distribution of all outputs."""
        outputs = self.outputs(eta, params, rows)
        return outputs[0] if len(outputs) == 1 else Independent(outputs)

    def mean(self, eta, params, rows):
        """Mean of y, (n, K, T)."""
        return stacked_outputs(one.mean() for one in self.outputs(eta, params, rows))

    def variance(self, eta, params, rows):
        """Variance of y, (n, K, T)."""
        return stacked_outputs(one.variance() for one in self.outputs(eta, params, rows))

    def scale(self, params):
        """Divisor of score and information in the log-likelihood, (K, T): a variance or dispersion.

        With an identity link it gives the penalty the units of the log-likelihood; by default it is the variance of the
        noise of all rows.
        """
        return np.full(params.coef.shape[:2], np.square(self.unit_))

    def unitless(self, force, params, common):
        """Unit-free gradients (K, T, p): `force` over `scale` times a typical size of eta, of all if `common`."""
        return force * (self.spread_ * self.unit_ / self.scale(params))[..., None]

    def standard(self, distance, params):
        """Distances (K, T, p) between coefficients in units of the noise, in which their penalty is a square."""
        return distance / np.sqrt(self.scale(params))[..., None]

    # -- scalars -----------------------------------------------------------------------------------------------------

    def update(self, params, stats, ridge, square=None):
        """Parameters with new scalars.

        Parameters
        ----------
        params : Params
        stats : PredictorStatistics
            Sums over rows at the previous parameters.
        ridge : ndarray of shape (K, T)
            Twice the penalty if it is divided by the scale, else zeros.
        square : ndarray of shape (K, T) or None
            Squared residuals of `params`, for a quadratic response.
        """
        new = {}
        for scalar, (slope, bend, outer) in zip(self.scalars, self._sums(stats), strict=True):
            # Where the log-likelihood is not concave, the curvature is a quarter of the sum of squared scores.
            curvature = np.maximum(-bend, CONCAVE * outer)
            step = np.divide(slope, curvature, out=np.zeros_like(slope), where=curvature > 0)
            value = getattr(params, scalar.name) * np.exp(np.clip(step, -LONGEST, LONGEST))
            new[scalar.name] = np.clip(value, scalar.least, scalar.most)
        return params._replace(**new)

    def _sums(self, stats):
        """For every scalar, sums (K, T) of slopes, curvatures and squared slopes; over experts too if it is shared."""
        for number, scalar in enumerate(self.scalars):
            yield common(stats.sums[..., 3 * number : 3 * number + 3], scalar.shared).transpose(2, 0, 1)

    def gradient(self, params, stats, ridge, square=None):
        """Derivatives of Q with respect to the logarithms of the scalars, 1-D; zero where a bound is active.

        They come scalar by scalar, (K, T) each.
        """
        parts = [
            free_slope(getattr(params, scalar.name), slope, scalar).ravel()
            for scalar, (slope, _, _) in zip(self.scalars, self._sums(stats), strict=True)
        ]
        return np.concatenate([np.zeros(0), *parts])

    @property
    def separate(self):
        """Whether the scalars of an expert depend on no other expert."""
        return not (self.full or any(scalar.shared for scalar in self.scalars))

    def factor(self, weight, used, scale):
        """Factors (K, T or 1) on the scales for the degrees of freedom `used`, eq. (predictive)."""
        factor = np.ones_like(scale)
        if self.scalars:
            shared = any(scalar.shared for scalar in self.scalars)
            factor = inflation_of(weight, np.broadcast_to(used, scale.shape), scale, shared)
        return factor.mean(axis=1, keepdims=True) if self.full else factor

    def held(self, params):
        """Parameters with scalars moved into their bounds."""
        inside = {s.name: np.clip(getattr(params, s.name), s.least, s.most) for s in self.scalars}
        return params._replace(**inside)

    def log_prior(self, params):
        """Log-density of the priors on the scalars, (K,), or (1,) where they are shared; 0.0 if there is none."""
        return 0.0

    def measured(self, ridge, params):
        """Penalties (K, T), given as `ridge`, divided by the scale."""
        return ridge / self.scale(params)

    def n_parameters(self, params):
        """Number of free scalar parameters."""
        return sum(getattr(params, s.name)[: 1 if s.shared else None].size for s in self.scalars)

    def at_floor(self, params):
        """Indices of the experts whose scale is at its floor."""
        return np.zeros(0, dtype=int)

    def warnings(self, params, stats=None, square=None):
        """Warnings about scalars at a bound, a list of sentences; sums over rows and squared residuals may be None."""
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
        """The scalars as `Scalars`; `parts` are the names of the outputs."""
        found = [
            log_scalars(getattr(params, s.name), [(part, s.term) for part in parts], s.shared, s.least, s.most, s.power)
            for s in self.scalars
        ]
        return joined(*found, n=len(params[0]))

    def displaced(self, params, scalar):
        """Parameters with scalars (K, E), given as the values of `coordinates`."""
        parts = np.split(np.exp(scalar), max(len(self.scalars), 1), axis=1)
        return params._replace(**{s.name: part for s, part in zip(self.scalars, parts, strict=False)})

    def prior_derivatives(self, params, distance, ridge, lasso, scaled):
        """Gradient (K, d) and Hessian (K, d, d) of penalties and priors, see `ridge_derivatives`."""
        gradient, hessian = ridge_derivatives(distance, ridge, lasso)
        if scaled:
            square = np.repeat(self.scale(params), distance.shape[2], axis=1)
            gradient, hessian = gradient / square, hessian / square[..., None]
        return padded(gradient, hessian, len(self.scalars) * distance.shape[1])

    # -- what the user is shown --------------------------------------------------------------------------------------

    def report(self, coef, intercept, params):
        """Report of coefficients in the user's units and scalars; without the output axis if there is one output."""
        names = self.Params._fields[1:]
        values = (coef, intercept, *(single(getattr(params, name)) for name in names))
        return named("Report", ("coef", "intercept", *names), values) if self.Report is None else self.Report(*values)

    def describe(self, *scalars):
        """The scalars of one expert of a report, as text."""
        values = dict(zip(self.Params._fields[1:], scalars, strict=True))
        return ",  ".join(f"{scalar.name} {numbers(values[scalar.name])}" for scalar in self.scalars)

    def equations(self, report, feature_names, target):
        """One line of text for each expert of a report in the columns of that name."""
        lines = []
        for coef, intercept, *scalars in zip(*report, strict=True):
            if np.ndim(intercept):
                line = f"{len(intercept)} linear outputs"
            else:
                line = f"{self.left_side(target)} = {linear_text(intercept, coef, feature_names)}"
            lines.append(",  ".join(filter(None, [line, self.describe(*scalars)])))
        return lines

    def left_side(self, target):
        """The left-hand side of the equation of the linear predictor, as text."""
        return target if self.link == "identity" else f"{self.link}({target})"

    def one_sided(self, stats):
        """Which experts (K,) have almost no events, or almost only events, so that their intercepts diverge."""
        return np.zeros(len(stats.weight), dtype=bool)
