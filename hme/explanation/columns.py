"""What each column adds to a prediction, through the gate and within the experts."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from ..plot.sizes import sizes_of
from ..text.tree import report_of
from .attribution import along_scores, of_index, stepwise
from .tables import between

__all__ = ["Contributions", "contributions", "scores_of", "slopes_of"]

STEPS = 32  # of columns that are moved in turn
TIED = 1e-7  # change of a mean, relative to its size, by which it depends on more than one linear predictor
STEP = 1e-4  # of a derivative, in standard deviations


class Contributions(NamedTuple):
    """What columns add to the means of T outputs, or to the probabilities of classes.

    Attributes
    ----------
    columns : list of str of length J
    base, mean : ndarray of shape (n, T)
        Of the row that is compared with, and of the rows.
    parts : ndarray of shape (n, J, 2, T)
        Through the gate and within experts; with `base` they add up to `mean`.
    """

    columns: list
    base: np.ndarray
    mean: np.ndarray
    parts: np.ndarray


def contributions(fitted, table, background, arguments):
    """`Contributions` of the columns of a table as a fitted mixture sees it, eq. (column-parts).

    Of a tree that has grown they are those of the average over sizes, since parts add up.

    Parameters
    ----------
    fitted : HMERegressor or HMEClassifier
    table : array or data frame of shape (n, p)
    background : array or data frame or None
        Rows whose mean is what rows are compared with; None is the mean of the training rows.
    arguments : dict
        Row arguments.
    """
    sizes = sizes_of(fitted)
    sides = fitted.model_.gate, fitted.model_.expert
    if any(side.traits.sees_table for side in sides):
        return _of_table(fitted, sizes, table, background, arguments)
    owners = [[side.features.owners() for side in (one.columns_.gate, one.columns_.expert)] for one in sizes]
    names = dict.fromkeys(name for of_gate, of_experts in owners for name in (*of_experts, *of_gate))
    found, number = [], {name: j for j, name in enumerate(names)}
    for one, sides in zip(sizes, owners, strict=True):
        rows = one.rows(fitted, table, **arguments)._replace(beyond=None)
        members = [_members([number[name] for name in side], len(number)) for side in sides]
        found.append(_of_design(one, _start(fitted, one, rows, background), rows, members))
    shares = [one.share for one in sizes]
    return Contributions(list(number), *(sum(map(np.multiply, shares, own)) for own in zip(*found, strict=True)))


def _members(places, n_columns):
    """A sparse matrix (q, J) that adds what design columns do up to what the columns do that they are made of."""
    ones = np.ones(len(places)), np.array(places, dtype=int), np.arange(len(places) + 1)
    return sp.csr_matrix(ones, (len(places), n_columns))


def _of_design(one, start, rows, members):
    """What one size predicts of the start, (n, T), and of the rows, and parts (n, J, 2, T) of the difference.

    `members` (q, J) and (p, J) tell which design columns of gate and experts are made of which column.
    """
    ends = [one.answers(end) for end in (start, rows)]
    (prior0, means0), (prior1, means1) = ends
    of_gate = _summed(_gate_parts(one, start, rows, prior0, prior1), members[0])
    of_experts = _summed(_expert_parts(one, start, rows, means0, means1), members[1])
    parts = np.zeros((len(prior0), members[0].shape[1], 2, means0.shape[2]))
    parts[:, :, 0] = np.einsum("nkj,nkt->njt", of_gate, 0.5 * (means0 + means1))
    parts[:, :, 1] = np.einsum("nk,nktj->njt", 0.5 * (prior0 + prior1), of_experts)
    return *(np.einsum("nk,nkt->nt", *end) for end in ends), parts


def _summed(parts, members):
    return (parts.reshape(-1, parts.shape[-1]) @ members).reshape(*parts.shape[:-1], members.shape[1])


def _start(fitted, one, rows, background):
    """The rows with the design columns of what they are compared with."""
    if background is None:
        means = [side.design.transform(side.design.mean[None]) for side in one.columns_[:2]]
    else:
        arguments = {name: {"offset": 0, "trials": 1}[name] for name in fitted.row_arguments_}
        seen = one.rows(fitted, background, **arguments)
        means = [seen.X.mean(axis=0, keepdims=True), seen.Z.mean(axis=0, keepdims=True)]
    X = np.repeat(means[0], rows.n_rows, axis=0)
    Z = X if rows.Z is rows.X else np.repeat(means[1], rows.n_rows, axis=0)
    return rows._replace(X=X, Z=Z)


# -- the gate ----------------------------------------------------------------------------------------------------------


def _gate_parts(mixture, start, rows, prior0, prior1):
    """Parts (n, K, q) of the changes of the priors."""
    gate, params, q = mixture.model_.gate, mixture.params_.gate, rows.Z.shape[1] - 1
    if not gate.traits.sees_columns or prior0.shape[1] == 1 or not q:
        return np.zeros((*prior0.shape, q))
    if gate.traits.smooth and gate.tree is not None:
        slopes = gate.coordinates(params, mixture.columns_.gate.design).coef[..., :-1]

        def gradient(points):
            Z = np.column_stack([points, np.ones(len(points))])
            return _prior_slopes(gate.tree, np.exp(gate.log_prior(params, rows[: len(Z)]._replace(Z=Z))), slopes)

        return along_scores(gradient, start.Z[:, :-1], rows.Z[:, :-1], (prior0, prior1))

    def evaluate(one, points):
        block = _repeated(rows, one, len(points))._replace(Z=np.column_stack([points, np.ones(len(points))]))
        return np.exp(gate.log_prior(params, block))

    return _stepped(evaluate, start.Z[:, :-1], rows.Z[:, :-1])


def _prior_slopes(tree, prior, slopes):
    """Derivatives (n, K, q) of priors (n, K) by the columns, from the scores' slopes (M, B, q).

    On the way to a leaf, each score's slope counts less the mean slope of its node, weighted by the branches.
    """
    slopes = np.where(tree.used[..., None], slopes, 0.0)
    mass = np.einsum("nk,mbk->nmb", prior, tree.paths, optimize=True)
    whole = mass.sum(axis=2, keepdims=True)
    branch = np.divide(mass, whole, out=np.zeros_like(mass), where=whole > 0)
    mean = np.einsum("nmb,mbq->nmq", branch, slopes, optimize=True)
    own = np.einsum("mbk,mbq->kq", tree.paths, slopes, optimize=True)
    return prior[:, :, None] * (own - np.einsum("mk,nmq->nkq", tree.paths.sum(axis=1), mean, optimize=True))


# -- the experts -------------------------------------------------------------------------------------------------------


def _expert_parts(mixture, start, rows, means0, means1):
    """Parts (n, K, T, p) of the changes of the experts' means."""
    p, model, params = rows.X.shape[1] - 1, mixture.model_, mixture.params_.experts
    distance = rows.X[:, :-1] - start.X[:, :-1]
    scores = [scores_of(mixture, k, p) for k in range(means0.shape[1])]
    if mixture.task == "classification" and all(score is not None for score in scores):
        return np.stack(
            [_softmax_parts(*score, start, rows, means0[:, k], means1[:, k]) for k, score in enumerate(scores)], axis=1
        )
    slopes = [slopes_of(mixture, k, p, means0.shape[2]) for k in range(means0.shape[1])]

    def means(block):
        return block.blockwise(lambda part: model.expert.predict(params, part))

    middle = rows._replace(X=0.5 * (rows.X + start.X))
    if any(slope is None for slope in slopes) or not _are_indices(means, middle, slopes):

        def evaluate(one, points):
            block = _repeated(rows, one, len(points))._replace(X=np.column_stack([points, np.ones(len(points))]))
            return means(block).reshape(len(points), -1)

        parts = _stepped(evaluate, start.X[:, :-1], rows.X[:, :-1])
        return parts.reshape(*means0.shape, p)
    out = np.zeros((*means0.shape, p))
    for k, slope in enumerate(slopes):
        for t, own in enumerate(slope):
            derivative = _derivative(means, middle, own, k, t)
            out[:, k, t] = of_index(distance * own, (means1 - means0)[:, k, t], derivative)
    return out


def scores_of(mixture, k, p):
    """Slopes (C, p) and intercepts (C,) of an expert's scores on the design columns, of classes; else None."""
    report = report_of(mixture, k)
    scores = mixture.model_.expert.family(k).class_scores(report)
    if scores is None or scores[0].shape[-1] != p:
        return None
    design = mixture.columns_.expert.design
    return scores[0][0] * design.scale, scores[1][0] + scores[0][0] @ design.center


def _softmax_parts(slope, intercept, start, rows, before, after):
    """Parts (n, C, p) of the changes of class probabilities."""

    def gradient(points):
        score = points @ slope.T + intercept
        proba = np.exp(score - score.max(axis=1, keepdims=True))
        proba /= proba.sum(axis=1, keepdims=True)
        centred = slope - (proba @ slope)[:, None]  # (n, C, p)
        return proba[:, :, None] * centred

    return along_scores(gradient, start.X[:, :-1], rows.X[:, :-1], (before, after))


def slopes_of(mixture, k, p, n_outputs):
    """Slopes (T, p) of an expert's linear predictors on the design columns; zeros where it has none; or None."""
    report = report_of(mixture, k)
    if "coef" not in report._fields:
        return np.zeros((n_outputs, p))
    coef = np.asarray(report.coef)
    if coef.shape[-1:] != (p,) or coef.size != n_outputs * p:
        return None
    return coef.reshape(n_outputs, p) * mixture.columns_.expert.design.scale


def _are_indices(means, rows, slopes):
    """Whether the mean of every expert depends on its linear predictor only: it stays where the predictor does."""
    if not rows.X.shape[1] > 1:
        return True
    at, rng = means(rows), np.random.default_rng(0)
    for k, slope in enumerate(slopes):
        for t, own in enumerate(slope):
            move = rng.standard_normal((rows.n_rows, len(own)))
            length = own @ own
            if length > 0:
                move -= (move @ own)[:, None] * own / length
            moved = means(rows._replace(X=np.column_stack([rows.X[:, :-1] + move, rows.X[:, -1]])))[:, k, t]
            if (np.abs(moved - at[:, k, t]) > TIED * (1.0 + np.abs(at[:, k, t]))).any():
                return False
    return True


def _derivative(means, rows, slope, k, t):
    """Derivative (n,) of an expert's mean by its linear predictor."""
    length = slope @ slope
    if not length:
        return np.zeros(rows.n_rows)
    step = STEP * slope / np.sqrt(length)
    ends = [means(rows._replace(X=np.column_stack([rows.X[:, :-1] + s * step, rows.X[:, -1]]))) for s in (-1, 1)]
    return (ends[1] - ends[0])[:, k, t] / (2.0 * (step @ slope))


# -- what has no derivative --------------------------------------------------------------------------------------------


def _repeated(rows, one, n):
    """One of the rows, n times."""
    return rows[np.full(n, one)]


def _stepped(evaluate, start, end):
    """Parts (n, V, J) from ``evaluate(row, points)`` of points (m, J), by steps."""
    out = []
    for one, (low, high) in enumerate(zip(start, end, strict=True)):
        moving = np.flatnonzero(low != high)

        def values(share, one=one, low=low, high=high):
            return evaluate(one, low + share * (high - low))

        out.append(stepwise(values, len(low), moving, STEPS))
    return np.stack(out)


def _of_table(fitted, sizes, table, background, arguments):
    """`Contributions` where gate or experts see the user's table: its columns are moved in steps."""
    made = between(fitted, table, background)
    shares, found = [one.share for one in sizes], []
    for number in range(table.shape[0]):
        own = {name: np.atleast_1d(value)[min(number, np.size(value) - 1)] for name, value in arguments.items()}
        row = [_of_row(fitted, one, made, number, own) for one in sizes]
        found.append([sum(map(np.multiply, shares, part)) for part in zip(*row, strict=True)])
    return Contributions(made.names, *map(np.stack, zip(*found, strict=True)))


def _of_row(fitted, one, made, number, arguments):
    """What one size predicts of the start, (T,), and of a row, and parts (J, 2, T) of the difference."""
    K = one.n_experts_

    def evaluate(share):
        rows = fitted.rows(made.table(number, share), hold=one.hold, part=one.part, **arguments)
        prior, means = one.answers(rows)
        return np.concatenate([prior, means.reshape(len(prior), -1)], axis=1)

    parts = stepwise(evaluate, len(made.names), made.moving(number), STEPS)
    ends = evaluate(np.array([[0.0], [1.0]]) * np.ones(len(made.names)))
    prior, means = ends[:, :K], ends[:, K:].reshape(2, K, -1)
    of_gate, of_experts = parts[:K], parts[K:].reshape(K, means.shape[2], -1)
    found = [
        np.einsum("kj,kt->jt", of_gate, means.mean(axis=0)),
        np.einsum("k,ktj->jt", prior.mean(axis=0), of_experts),
    ]
    return *np.einsum("ek,ekt->et", prior, means), np.stack(found, axis=1)
