"""What lies between a prediction and y: noise of a scale for each expert, or a share of the classes' frequencies.

Predictions come from elsewhere, as arrays (n, K, T) or (n, K, C). What is learned is `Noise` or a `Share`, whose first
axis is the expert.
"""

from typing import NamedTuple

import numpy as np

from ..distributions import Hyperbolic, Independent, Normal, Student, independent
from .laplace import LaplaceExpert
from .linear import global_fit, own_targets
from .noise import GaussianNoise, log_density, noise_floor, spread
from .reweighted import ReweightedStatistics
from .student import StudentExpert

__all__ = ["ClassLaw", "GaussianLaw", "Noise", "ReweightedLaw", "Share", "noise_law"]

SCALE_STEPS = 200  # of the scale of noise that is not Gaussian,
SCALE_TOL = 1e-9  # and its relative change at which they end
HALVINGS = 50  # of the interval that holds a share


class Noise(NamedTuple):
    variance: np.ndarray  # (K, T), of Student's and Laplace's noise the squared scale
    df: np.ndarray  # (K, T), inf unless the noise is Student's


class Share(NamedTuple):
    share: np.ndarray  # (K,), of the frequencies of the classes


def noise_law(noise, df, prior, floor, rows, design):
    """The law that a name stands for, bound to a training table."""
    if noise == "gaussian":
        return GaussianLaw(prior, floor, rows, design)
    return ReweightedLaw(noise, df, prior, floor, rows, design)


class GaussianLaw:
    """Gaussian noise; prior and floor are the linear family's, relative to the linear fit of all rows."""

    def __init__(self, prior, floor, rows, design):
        _, global_variance = global_fit(rows, design.penalty_scale)
        self.noise = GaussianNoise(
            noise_floor(floor, rows.y, spread(own_targets(rows), rows.weight)), global_variance, prior
        )

    def fit(self, rows, prediction, resp):
        residual = own_targets(rows)[:, None] - prediction
        square = np.einsum("nk,nkt->kt", resp, np.square(residual, out=residual))
        variance = self.noise.update(self.noise.start(resp.shape[1]), resp.sum(axis=0), square)
        return Noise(variance, np.full_like(variance, np.inf))

    def log_prob(self, law, rows, prediction):
        return log_density(np.moveaxis(own_targets(rows)[:, None] - prediction, 2, 0), law.variance)

    def mean(self, law, rows, prediction):
        return prediction if rows.offset is None else prediction + rows.offset[:, None, None]

    def variance(self, law, rows):
        return np.broadcast_to(law.variance, (rows.n_rows, *law.variance.shape))

    def distribution(self, law, mean):
        return independent(Normal, mean, np.sqrt(law.variance))

    def log_prior(self, law):
        return self.noise.log_prior(law.variance, np.zeros_like(law.variance))

    def n_parameters(self, law):
        return law.variance.size

    def warnings(self, law):
        return self.noise.warnings(law.variance)

    def describe(self, scale, df):
        return f"noise {_numbers(scale)}"


class _NoMean:
    """A linear family whose coefficients stay where they are, at nothing, so that only its noise is learned."""

    def _fit_coef(self, params, stats):
        return params.coef

    def _residual_squares(self, coef, params, stats):
        return stats.square

    def _ridge(self, coef):
        return np.zeros((len(coef), 1))


class _StudentNoise(_NoMean, StudentExpert):
    pass


class _LaplaceNoise(_NoMean, LaplaceExpert):
    pass


class ReweightedLaw(GaussianLaw):
    """Student's or Laplace's noise, an output at a time; prior and floor are those of that linear family."""

    def __init__(self, noise, df, prior, floor, rows, design):
        family = (
            StudentExpert(df, variance_prior=prior, variance_floor=floor)
            if noise == "student"
            else LaplaceExpert(variance_prior=prior, variance_floor=floor)
        )
        self.families = []
        for t in range(rows.y.shape[1]):
            alone = _StudentNoise() if noise == "student" else _LaplaceNoise()
            vars(alone).update(vars(family.bind(rows._replace(y=rows.y[:, [t]]), design)))
            self.families.append(alone)

    def _parts(self, law):
        """Each output's family and its parameters, with coefficients of no column."""
        nothing = np.zeros((len(law.variance), 1, 0))
        for family, variance, df in zip(self.families, law.variance.T, law.df.T, strict=True):
            params = family.global_._replace(coef=nothing, variance=variance[:, None])
            yield family, params._replace(df=df) if hasattr(params, "df") else params

    def fit(self, rows, prediction, resp):
        n_experts, weight = resp.shape[1], resp.sum(axis=0)
        start = [np.repeat(family.global_.variance, n_experts, axis=0) for family in self.families]
        df = [np.repeat(getattr(family.global_, "df", [np.inf]), n_experts) for family in self.families]
        parts = self._parts(Noise(np.concatenate(start, axis=1), np.stack(df, axis=1)))
        y, fitted = own_targets(rows), []
        for t, (family, params) in enumerate(parts):
            square = (y[:, t, None] - prediction[:, :, t]) ** 2
            for _ in range(SCALE_STEPS):
                last = params
                own = family.own_statistics(params, square, resp)
                weighted = np.einsum("nk,nk,nk->k", resp, family.row_weights(params, square), square)[:, None]
                params = family.update(params, ReweightedStatistics(weight, None, None, weighted, own))
                if np.abs(np.log(params.variance / last.variance)).max() <= SCALE_TOL:
                    break
            fitted.append(params)
        variance = np.concatenate([params.variance for params in fitted], axis=1)
        df = [getattr(params, "df", np.full(n_experts, np.inf)) for params in fitted]
        return Noise(variance, np.stack(df, axis=1))

    def log_prob(self, law, rows, prediction):
        y = own_targets(rows)
        return sum(
            family.log_density(params, (y[:, t, None] - prediction[:, :, t]) ** 2)
            for t, (family, params) in enumerate(self._parts(law))
        )

    def variance(self, law, rows):
        return np.concatenate([family.variance(params, rows) for family, params in self._parts(law)], axis=2)

    def distribution(self, law, mean):
        laws = []
        for t, (family, params) in enumerate(self._parts(law)):
            scale = np.sqrt(params.variance.T)
            if hasattr(params, "df"):
                laws.append(Student(params.df[None], mean[:, :, t], scale))
            else:
                laws.append(Hyperbolic(mean[:, :, t], scale, np.full_like(scale, family.corner_)))
        return laws[0] if len(laws) == 1 else Independent(laws)

    def log_prior(self, law):
        return sum(family.log_prior_density(params) for family, params in self._parts(law))

    def n_parameters(self, law):
        estimated = sum(isinstance(getattr(family, "df", None), str) for family in self.families)
        return law.variance.size + estimated * len(law.variance)

    def warnings(self, law):
        return [sentence for family, params in self._parts(law) for sentence in family.warnings(params, None)]

    def describe(self, scale, df):
        if np.isfinite(df).all():
            return f"noise {_numbers(scale)} t({_numbers(df)})"
        return f"noise Laplace {_numbers(scale)}"


class ClassLaw:
    """Class probabilities (1 - s_k) p_k(x) + s_k pi, with pi the frequencies of all rows, eq. (class-share).

    No class is impossible: the share s_k has a prior that reads as `smoothing` more rows that only pi explains.
    """

    def __init__(self, smoothing, rows):
        self.smoothing = smoothing
        self.frequency = np.bincount(rows.y, rows.weight) / rows.weight.sum()

    def fit(self, rows, prediction, resp):
        own, overall = self._own(rows, prediction), self.frequency[rows.y][:, None]
        weight = resp.sum(axis=0)
        # The slope falls from the share that a perfect prediction would get to one, where it may still be positive.
        low, high = self.smoothing / (weight + self.smoothing), np.ones(resp.shape[1])
        for _ in range(HALVINGS):
            share = 0.5 * (low + high)
            slope = np.einsum("nk,nk->k", resp, (overall - own) / (own + share * (overall - own)))
            rises = slope + self.smoothing / share > 0
            low, high = np.where(rises, share, low), np.where(rises, high, share)
        return Share(high)

    def _own(self, rows, prediction):
        """Probabilities (n, K) of each row's own class."""
        return np.take_along_axis(prediction, rows.y[:, None, None], axis=2)[:, :, 0]

    def log_prob(self, law, rows, prediction):
        own, overall, share = self._own(rows, prediction), self.frequency[rows.y][:, None], law.share
        return np.log((1.0 - share) * own + share * overall)

    def mean(self, law, rows, prediction):
        return (1.0 - law.share[:, None]) * prediction + law.share[:, None] * self.frequency

    def variance(self, law, rows):
        raise NotImplementedError("Classes have no variance.")

    def log_prior(self, law):
        return self.smoothing * np.log(law.share).sum()

    def n_parameters(self, law):
        return len(law.share)

    def warnings(self, law):
        return []

    def describe(self, share):
        return f"{float(share):.3g} of the frequencies mixed in"


def _numbers(values):
    """One number, or a list of them, with three digits."""
    shown = [f"{value:.3g}" for value in np.atleast_1d(values)]
    return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"
