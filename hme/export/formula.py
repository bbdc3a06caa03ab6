"""A fitted mixture as plain numbers: columns, priors, linear predictors and links, checked against its own answers.

Nothing here asks which family an expert or a gate is of. Priors and means are matched to a few forms, and a form counts
only if it gives the model's own numbers at all rows that are tried.
"""

from typing import NamedTuple

import numpy as np

from ..explanation.columns import scores_of, slopes_of
from ..model.tree import Tree
from ..text.tree import report_of
from .leaves import Largest, Near, forms_of

__all__ = ["LINKS", "NotExportable", "Part", "agree", "part_of", "priors", "softmax"]

SAME = 1e-9  # relative difference up to which numbers are the same
LEAST = 1e-300  # of a probability whose logarithm is taken
LINKS = {
    "identity": lambda eta: eta,
    "log": np.exp,
    "logit": lambda eta: 1.0 / (1.0 + np.exp(-eta)),
    "inverse": lambda eta: 1.0 / eta,
}
INVERSES = {
    "identity": lambda mean: mean,
    "log": np.log,
    "logit": lambda mean: np.log(mean / (1.0 - mean)),
    "inverse": lambda mean: 1.0 / mean,
}


class NotExportable(ValueError):
    """A model cannot be written down as a formula, for the reason that is the message."""


class Part(NamedTuple):
    """A mixture of experts as arrays over its standardised design columns, whose last one is the intercept.

    Attributes
    ----------
    share : float
        Of the prediction.
    tree : Tree
    bounds : list of two ndarrays of shape (2, p) and (2, q), or None
        Ends at which columns of experts and gate are held; None where they are not.
    prior : ndarray of shape (K,) or None
        Priors that do not depend on x.
    gate : ndarray of shape (M, B, q + 1) or None
        Scores of the branches of each gating node.
    leaves : Near, Largest or None
        Scores of the leaves; one of the three is not None.
    experts : ndarray of shape (K, T, p + 1)
        Linear predictors of the outputs, or scores of the classes.
    links : tuple of str, of length K, or None
        Names in `LINKS`; None where a softmax of the scores gives class probabilities.
    sides : list of two Sides, or None
        The columns of experts and gate, where they are known.
    """

    share: float
    tree: Tree
    bounds: list | None
    prior: np.ndarray | None
    gate: np.ndarray | None
    leaves: Near | Largest | None
    experts: np.ndarray
    links: tuple | None
    sides: list | None = None


def part_of(fitted, one, rows):
    """One size of a fitted mixture as a `Part`.

    Parameters
    ----------
    fitted : HMERegressor or HMEClassifier
    one : Size
    rows : Rows
        Rows as this size sees them, at which the numbers are compared with the model's.

    Raises
    ------
    NotExportable
    """
    tree = one.model_.gate.tree
    tree = Tree.flat(one.n_experts_) if tree is None else tree
    bounds = _limits(one.range_, rows) if one.hold else None
    sides = [
        found for label, of in (("gate", _gate), ("expert", _experts)) for found in _side(fitted, label, of, one, rows)
    ]
    return Part(float(one.share), tree, bounds, *sides)


def _side(fitted, label, of, one, rows):
    """The arrays of gate or experts, which are named where they have none."""
    try:
        return of(one, rows)
    except NotExportable as error:
        raise NotExportable(f"{label} = {getattr(fitted, label)!r} has no formula: {error}") from None


def agree(a, b):
    """Whether two arrays are the same but for rounding."""
    with np.errstate(invalid="ignore"):
        return bool((np.abs(a - b) <= SAME * (1.0 + np.abs(b))).all())


def _limits(ranges, rows):
    """Ends at which the design columns of experts and gate are held, (2, p) and (2, q)."""
    sides = (ranges.expert, rows.X), (ranges.expert if ranges.gate is None else ranges.gate, rows.Z)
    return [
        np.stack([np.ravel(end)[: columns.shape[1] - 1] for end in limits.held_at]).astype(float)
        for limits, columns in sides
    ]


# -- gate and experts --------------------------------------------------------------------------------------------------


def _gate(mixture, rows):
    """The priors as constants, as softmax scores at the nodes of a tree, or by scores of leaves."""
    gate, params, K = mixture.model_.gate, mixture.params_.gate, mixture.n_experts_
    if gate.traits.sees_table:
        raise NotExportable("it is an estimator")
    prior = np.exp(gate.log_prior(params, rows))
    if K == 1 or not gate.traits.sees_columns or rows.Z.shape[1] == 1:  # the intercept alone
        return np.array(prior[0], dtype=float), None, None
    if gate.tree is None:
        for form in forms_of(gate, params, rows):
            if agree(form.priors(rows.Z), prior):
                return None, None, form
    if gate.tree is None or not gate.traits.smooth:
        raise NotExportable("it is no tree of softmax nodes, and neither normal densities nor largest scores of leaves")
    coef = np.array(gate.coordinates(params, mixture.columns_.gate.design).coef, dtype=float)
    if not agree(priors(gate.tree, coef, rows.Z), prior):
        raise NotExportable("its nodes have scores of their own")
    return None, coef, None


def priors(tree, coef, Z):
    """Priors (n, K) of the leaves of a tree, from scores with coefficients (M, B, q + 1) of columns Z (n, q + 1)."""
    score = np.where(tree.used, np.einsum("nq,mbq->nmb", Z, coef), -np.inf)
    score -= score.max(axis=2, keepdims=True)
    log_branch = score - np.log(np.exp(score).sum(axis=2, keepdims=True))
    return np.exp(np.einsum("nmb,mbk->nk", np.where(tree.used, log_branch, 0.0), tree.paths))


def _experts(mixture, rows):
    """Linear predictors and links, or softmax scores of classes and None."""
    K, p = mixture.n_experts_, rows.X.shape[1] - 1
    if mixture.model_.expert.traits.sees_table:
        raise NotExportable("it is an estimator")
    means = mixture.model_.expert.predict(mixture.params_.experts, rows)
    if mixture.task == "classification":
        return _classes(mixture, rows, means, K, p), None
    if rows.offset is not None:
        raise NotExportable("offsets are not written down")
    coef, links = np.zeros((K, means.shape[2], p + 1)), []
    for k in range(K):
        slope = slopes_of(mixture, k, p, means.shape[2])
        if slope is None:
            raise NotExportable("an expert is no function of linear predictors")
        coef[k, :, :-1] = slope
        link, coef[k, :, -1] = _link(rows.X[:, :-1] @ slope.T, means[:, k], _intercept(mixture, k, means[0, k], slope))
        links.append(link)
    return coef, tuple(links)


def _intercept(mixture, k, at, slope):
    """Intercepts (T,) on the design columns."""
    report, design = report_of(mixture, k), mixture.columns_.expert.design
    if "intercept" not in report._fields:
        return at  # no line: the mean is a constant
    intercept = np.ravel(report.intercept)
    return intercept + (slope / design.scale) @ design.center


def _link(eta, mean, intercept):
    """The name of the link that gives the means (n, T), and the intercepts (T,).

    Those in the user's units have lost digits where columns are far from zero: the means tell then.
    """
    with np.errstate(all="ignore"):
        for name, inverse in LINKS.items():
            told = np.median(INVERSES[name](mean) - eta, axis=0)
            found = _closest([intercept, told], lambda own, inverse=inverse: inverse(eta + own), mean)
            if found is not None:
                return name, found
    raise NotExportable(f"the mean of an expert is no linear predictor under one of the links {', '.join(LINKS)}")


def _closest(candidates, predict, wanted):
    """The candidate whose predictions are closest to what is wanted; None if they are not the same."""
    errors = [np.abs(predict(one) - wanted).max() for one in candidates]
    best = candidates[int(np.nanargmin(errors))] if np.isfinite(errors).any() else candidates[0]
    return best if agree(predict(best), wanted) else None


def _classes(mixture, rows, means, K, p):
    """Scores of the classes, (K, C, p + 1)."""
    coef = np.zeros((K, means.shape[2], p + 1))
    for k in range(K):
        scores = scores_of(mixture, k, p)
        if scores is not None:
            coef[k, :, :-1], coef[k, :, -1] = scores
        elif agree(means[:, k], means[0, k]):
            coef[k, :, -1] = np.log(np.maximum(means[0, k], LEAST))
        else:
            raise NotExportable("an expert is no softmax of linear scores")
        eta = rows.X[:, :-1] @ coef[k, :, :-1].T
        away = np.log(np.maximum(means[:, k], LEAST)) - eta
        told = np.median(away - away.mean(axis=1, keepdims=True), axis=0)
        found = _closest([coef[k, :, -1], told], lambda own, eta=eta: softmax(eta + own), means[:, k])
        if found is None:
            raise NotExportable("an expert is no softmax of linear scores")
        coef[k, :, -1] = found
    return coef


def softmax(scores):
    """Shares of the exponentials of scores along the last axis."""
    power = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return power / power.sum(axis=-1, keepdims=True)
