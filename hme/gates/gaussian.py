"""Gaussian gate: every leaf has a centre and a shape, and a row goes where it is near."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.special import softmax

from ..model.traits import GateTraits
from ..model.wording import places_in_words
from ..numerics.checks import check_choice, check_prior, check_real
from ..numerics.coordinates import (
    Coordinates,
    Scalars,
    covariance_of,
    covariance_scalars,
    gaussian_prior_derivatives,
    gaussian_sums,
    joined,
    log_scalars,
    ridge_derivatives,
    symmetric_basis,
)
from ..numerics.kernels import log_normalize, moments, weighted_cross, weighted_gram
from ..numerics.rank import n_distinct, rank_of
from ..numerics.systems import clip_spectrum, whitener
from .base import Gate, Question
from .constant import proportion_coordinates, proportion_derivatives

__all__ = ["GaussianGate"]

AUTO_FLOOR = 1e-6  # of a column's variance, for covariance_floor="auto"
LEAST_FLOOR = 1e-10  # below it double precision may not tell the covariance of a wide leaf from a singular one
AT_FLOOR = 1.0 + 1e-9  # variances up to so many floors count as at the floor
ACCURACY = 1e-13  # of an eigenvalue, relative to the largest
MOST_COLUMNS = 30  # with a covariance matrix whose entries have derivatives: there are q (q + 1) / 2 of them
FARTHEST = 1e300  # squared distances end here: rows beyond still have a prior


class GaussianParams(NamedTuple):
    proportion: np.ndarray  # (K,)
    mean: np.ndarray  # (K, q), of the standardised columns
    covariance: np.ndarray  # (K, q, q), or variances (K, q) of a diagonal one; the same for all leaves if tied


class GaussianStatistics(NamedTuple):
    weight: np.ndarray  # (K,)
    first: np.ndarray  # (K, q) weighted sums of the columns
    second: np.ndarray  # (K, q, q) or (K, q) of their products, (1, q, q) of all leaves together if tied


class GaussianGate(Gate):
    """Normal density of x at every leaf, eq. (gaussian-gate); its M-step is in closed form, eq. (gaussian-update).

    EM maximises the joint likelihood of x and y, eq. (joint-objective), whose values are in `lower_bounds_`;
    `log_likelihood` is log p(y | x) as with every gate. The gate acts on the leaves directly; the shape of the tree has
    no effect.

    Parameters
    ----------
    covariance_type : {"full", "tied", "diag"}, default="full"
        A covariance matrix for each leaf, one for all, or independent columns.
    covariance_prior : (float, float) or None, default=(1.0, 0.1)
        Weak prior on each covariance, (rows, fraction): it counts as this many additional rows in each leaf, with
        independent columns whose variances are this fraction of those in the table. None means no prior.
    covariance_floor : "auto" or float >= 1e-10, default="auto"
        Smallest variance in any direction, as a fraction of the columns' variances; "auto" is 1e-6. A column that is
        constant in the whole table has the same variance in all leaves and no effect on the prior.

    References
    ----------
    Xu, L., Jordan, M. I. and Hinton, G. E. (1995). An alternative model for mixtures of experts. Advances in Neural
    Information Processing Systems 7, 633-640, eqs. 6-10.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.gates import GaussianGate
    >>> X = np.linspace(-2, 2, 100)[:, None]
    >>> model = HMERegressor(n_experts=2, gate=GaussianGate("diag")).fit(X, np.abs(X[:, 0]))
    >>> model.gate_.mean.round()
    array([[-1.],
           [ 1.]])
    """

    traits = GateTraits(
        generative=True,
        exact=True,
        smooth=True,
        fixed="the gate says where x lies, so that errors are those of the joint likelihood of x and y: they are right "
        "if the columns are normal in each leaf",
    )
    adjustable = frozenset({"covariance_prior", "covariance_floor"})

    def __init__(self, covariance_type="full", covariance_prior=(1.0, 0.1), covariance_floor="auto"):
        self.covariance_type = covariance_type
        self.covariance_prior = covariance_prior
        self.covariance_floor = covariance_floor

    def bind(self, rows, design):
        check_choice(self.covariance_type, "covariance_type", ("full", "tied", "diag"))
        check_prior(self.covariance_prior, "covariance_prior")
        bound = super().bind(rows, design)
        bound.scales = ("proportion", "covariance") if self.covariance_type == "diag" else ("proportion",)
        fraction = self._floor_fraction()
        columns = _columns(rows)
        bound.center_, std = moments(columns, rows.weight)
        bound.flat_ = flat = std == 0
        centred = np.where(flat, 0.0, columns - bound.center_)
        covariance = weighted_gram(centred, rows.weight[:, None])[0]
        bound.n_columns_ = n_distinct(covariance) if self.covariance_type == "diag" else rank_of(covariance)
        bound.spread_ = np.where(flat, 1.0, std**2)
        count, share = (0.0, 1.0) if self.covariance_prior is None else self.covariance_prior
        # In the log-density of a constant column nothing but log-variances is left, so these must not differ: its floor
        # is as high as the prior can pull.
        bound.floor_ = np.where(flat, max(1.0, share, fraction), fraction) * bound.spread_
        bound.prior_rows_ = count
        bound.prior_ = self._matrix(count * share * bound.spread_)
        bound.log_scale_ = np.log(design.scale).sum()
        # Directions in which the whole table does not vary are at the floor in every leaf: nothing collapsed there.
        alone = bound.init(rows, rows.weight[:, None])
        bound.degenerate_ = int(bound._at_floor(alone.covariance)[0])
        if bound._covariance_is_fixed(alone):
            fixed = f"covariances of more than {MOST_COLUMNS} columns are taken as fixed; {bound.traits.fixed}"
            bound.traits = replace(bound.traits, fixed=fixed)
        return bound

    def _floor_fraction(self):
        if self.covariance_floor == "auto":
            return AUTO_FLOOR
        if check_real(self.covariance_floor, "covariance_floor", positive=True) < LEAST_FLOOR:
            raise ValueError(f"covariance_floor = {self.covariance_floor!r} must be 'auto' or >= {LEAST_FLOOR:g}.")
        return self.covariance_floor

    def _matrix(self, variances):
        return variances if self.covariance_type == "diag" else np.diag(variances)

    def init(self, rows, resp):
        stats = None
        for index, block in rows.blocks():
            stats = self.add(stats, self.statistics(None, block, resp[index]))
        K, spread = len(stats.weight), self._matrix(self.spread_)
        alike = GaussianParams(*(np.repeat(a[None], K, axis=0) for a in (np.array(1.0 / K), self.center_, spread)))
        return self.update(alike, stats)

    # -- the verbs of a gate -----------------------------------------------------------------------------------------

    def log_score(self, params, rows):
        columns, (K, q) = _columns(rows).T, params.mean.shape  # columns first: they are contiguous
        score, root = np.empty((K, rows.n_rows)), self._root(params)
        with np.errstate(over="ignore"):
            for k in range(K):
                distance = columns - params.mean[k][:, None]
                distance = root[k][:, None] * distance if self.covariance_type == "diag" else root[k] @ distance
                np.einsum("qn,qn->n", distance, distance, out=score[k])
        np.minimum(score, FARTHEST, out=score)
        score *= -0.5
        diagonal = root if self.covariance_type == "diag" else np.diagonal(root, axis1=1, axis2=2)
        constant = np.log(diagonal).sum(axis=1) - 0.5 * q * np.log(2.0 * np.pi) - self.log_scale_
        with np.errstate(divide="ignore"):
            score += (constant + np.log(params.proportion))[:, None]
        return score.T

    def log_prior(self, params, rows):
        score = self.log_score(params, rows)
        score -= score.max(axis=1)[:, None]  # first, or rows far away lose their digits
        score -= log_normalize(score.copy(order="K"))[0][:, None]
        return score

    def _root(self, params):
        """Whitening roots (K, q, q), or inverse standard deviations (K, q)."""
        return params.covariance**-0.5 if self.covariance_type == "diag" else whitener(params.covariance)

    def statistics(self, params, rows, resp, seen=None):
        columns = _columns(rows)
        if self.covariance_type == "diag":
            second = weighted_cross(columns**2, resp)
        else:
            second = weighted_gram(columns, resp.sum(axis=1)[:, None] if self.covariance_type == "tied" else resp)
        return GaussianStatistics(resp.sum(axis=0), weighted_cross(columns, resp), second)

    def _scatter(self, mean, stats):
        """Rows counted and squares summed around `mean`, prior included, of all leaves together if tied."""
        if self.covariance_type == "diag":
            square = stats.second + mean * (stats.weight[:, None] * mean - 2.0 * stats.first)
            return stats.weight[:, None] + self.prior_rows_, np.maximum(square, 0.0) + self.prior_
        cross = mean[:, :, None] * stats.first[:, None]
        shift = stats.weight[:, None, None] * mean[:, :, None] * mean[:, None] - cross - np.swapaxes(cross, 1, 2)
        weight = stats.weight[:, None, None]
        if self.covariance_type == "tied":
            weight, shift = (np.broadcast_to(a.sum(axis=0), a.shape) for a in (weight, shift))
        return weight + self.prior_rows_, stats.second + shift + self.prior_

    def _covariance(self, params, mean, stats):
        count, square = self._scatter(mean, stats)
        covariance = np.divide(square, count, out=params.covariance.copy(), where=count > 0)
        if self.covariance_type == "diag":
            return np.maximum(covariance, self.floor_)
        return clip_spectrum(covariance, self.floor_)

    def update(self, params, stats, rows=None):
        weight = stats.weight[:, None]
        mean = np.divide(stats.first, weight, out=params.mean.copy(), where=weight > 0)
        return GaussianParams(stats.weight / stats.weight.sum(), mean, self._covariance(params, mean, stats))

    def log_prior_density(self, params):
        covariance = params.covariance[:1] if self.covariance_type == "tied" else params.covariance
        if self.covariance_type == "diag":
            terms = self.prior_rows_ * np.log(covariance) + self.prior_ / covariance
            return -0.5 * terms.sum()
        root = whitener(covariance)
        trace = np.einsum("kst,tu,ksu->", root, self.prior_, root)
        log_det = -2.0 * np.log(np.diagonal(root, axis1=1, axis2=2)).sum()
        return -0.5 * (self.prior_rows_ * log_det + trace)

    def gradient(self, params, stats):
        # Free of units: means in standard deviations, covariances as in `GaussianNoise`, logits of the proportions.
        root = self._root(params)
        force = stats.first - stats.weight[:, None] * params.mean
        count = self._scatter(params.mean, stats)[0]
        change = self._covariance(params, params.mean, stats) - params.covariance
        if self.covariance_type == "diag":
            parts = (root * force, 0.5 * count * change * root**2)
        else:
            parts = (root @ force[:, :, None], 0.5 * count * (root @ change @ np.swapaxes(root, 1, 2)))
        logits = stats.weight - stats.weight.sum() * params.proportion
        return np.concatenate([logits, *(part.ravel() for part in parts)])

    def n_parameters(self, params):
        K, q = len(params.mean), self.n_columns_
        each = q if self.covariance_type == "diag" else q * (q + 1) // 2
        return K - 1 + K * q + (1 if self.covariance_type == "tied" else K) * each

    def _at_floor(self, covariance):
        """Number of directions at the floor in every leaf, (K,)."""
        if self.covariance_type == "diag":
            return (covariance <= AT_FLOOR * self.floor_).sum(axis=1)
        unit = self.floor_**-0.5
        values = np.linalg.eigvalsh(covariance * unit[:, None] * unit)
        return (values <= AT_FLOOR + ACCURACY * values[:, -1:]).sum(axis=1)

    def at_floor(self, params):
        return np.flatnonzero(self._at_floor(params.covariance) > self.degenerate_)

    def warnings(self, params, stats):
        at_floor = self.at_floor(params)[stats.weight[self.at_floor(params)] > 0]
        # With a prior it takes very many rows to get there; columns that do not vary in a leaf are then a finding.
        if self.covariance_prior is not None or not len(at_floor):
            return []
        return [
            f"the gate's covariance of leaf(s) {at_floor.tolist()} is at its floor: their rows lie in a plane, or "
            "share the value of a column. Use a covariance_prior, fewer columns or fewer experts"
        ]

    def report(self, params, design):
        """The gate in the user's units: `proportion` (K,), `mean` (K, q), `covariance` (K, q, q) or (K, q)."""
        scale = design.scale
        units = scale**2 if self.covariance_type == "diag" else scale[:, None] * scale
        return GaussianParams(params.proportion, params.mean * scale + design.center, params.covariance * units)

    def questions(self, report, branching, names, scale, max_terms=None):
        places = [", ".join(places_in_words(mean, names)) for mean in report.mean]
        return [Question(self.name, [f"near {place}" if place else "" for place in places])]

    # -- information ---------------------------------------------------------------------------------------------------

    def coordinates(self, params, design):
        return proportion_coordinates(params.proportion)

    def displaced(self, params, coef, leaf=None):
        proportion, q = softmax(coef[0, :, 0]), params.mean.shape[1]
        if leaf is None:  # the gate sees no column
            return params._replace(proportion=proportion)
        mean, scale = leaf[:, :q], leaf[:, q:]
        if self._covariance_is_fixed(params):
            covariance = params.covariance
        else:
            covariance = np.exp(scale) if self.covariance_type == "diag" else covariance_of(scale, q)
        return GaussianParams(proportion, mean, covariance)

    def derivatives(self, params, rows, resp):
        return proportion_derivatives(np.broadcast_to(params.proportion, resp.shape), resp)

    def prior_derivatives(self, params):
        K = len(params.proportion)
        return np.zeros((1, K)), np.zeros((1, K, K))

    def _covariance_is_fixed(self, params):
        """Whether inference takes covariances as fixed."""
        return self.covariance_type != "diag" and params.mean.shape[1] > MOST_COLUMNS

    def leaf_coordinates(self, params, design):
        K, q = params.mean.shape
        if not q:
            return None
        names = [f"x{j}" for j in range(q)] if design.names is None else design.names
        scale = design.scale
        means = Scalars(
            params.mean,
            tuple(("", f"mean({name})") for name in names),
            params.mean * scale + design.center,
            np.repeat(np.diag(scale)[None], K, axis=0),
            np.zeros(q, dtype=bool),
            np.repeat(np.where(self.flat_, "its column is constant", "")[None], K, axis=0),
        )
        if self._covariance_is_fixed(params):
            return Coordinates(np.zeros((K, 0, 0)), (), means)
        if self.covariance_type == "diag":
            spread = log_scalars(params.covariance, [("", f"log(variance({n}))") for n in names], floor=self.floor_)
            spread = spread._replace(shown=spread.value + 2.0 * np.log(scale))
        else:
            spread = self._covariance_scalars(params.covariance, names, scale)
        return Coordinates(np.zeros((K, 0, 0)), (), joined(means, spread))

    def _covariance_scalars(self, covariance, names, scale):
        pairs, _ = symmetric_basis(len(scale))
        terms = [
            ("", f"log(variance({names[i]}))" if i == j else f"covariance({names[i]}, {names[j]})") for i, j in pairs
        ]
        # Columns at the floor are held one by one; where it is another direction, the matrix is.
        columns = np.diagonal(covariance, axis1=1, axis2=2) <= AT_FLOOR * self.floor_
        whole = self._at_floor(covariance) > columns.sum(axis=1)
        held = np.stack([columns[:, i] | columns[:, j] | whole for i, j in pairs], axis=1)
        held = np.where(held, "at its floor", "")
        return covariance_scalars(covariance, terms, scale, self.covariance_type == "tied", held)

    def leaf_derivatives(self, params, rows, share):
        """By the means and the covariances, eqs. (normal-derivatives) and (covariance-derivatives)."""
        residual = _columns(rows)[:, None] - params.mean
        if self._covariance_is_fixed(params):
            precision = np.linalg.inv(params.covariance)
            return np.einsum("kst,nkt->nks", precision, residual), -share.sum(axis=0)[:, None, None] * precision
        return gaussian_sums(residual, params.covariance, share)

    def leaf_prior_derivatives(self, params):
        K, q = params.mean.shape
        if self._covariance_is_fixed(params):
            return np.zeros((K, q)), np.zeros((K, q, q))
        if self.covariance_type == "diag":
            nothing = np.zeros((K, q, 0)), np.zeros(0), None, params.covariance, False
            value = self.prior_ / self.prior_rows_ if self.prior_rows_ else 0.0
            gradient, hessian = ridge_derivatives(*nothing, np.full((K, 1), self.prior_rows_), value)
        else:
            count = np.full((K, 1), self.prior_rows_)
            count[1:] *= self.covariance_type != "tied"  # the prior of a tied one counts once
            square = (count > 0)[:, :, None] * self.prior_
            gradient, hessian = gaussian_prior_derivatives(params.covariance, count, square)
        return np.pad(gradient, ((0, 0), (q, 0))), np.pad(hessian, ((0, 0), (q, 0), (q, 0)))


def _columns(rows):
    """The gate's columns (n, q), without the intercept's ones."""
    return (rows.Z.toarray() if sp.issparse(rows.Z) else rows.Z)[:, :-1]
