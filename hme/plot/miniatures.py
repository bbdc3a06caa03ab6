"""What is drawn beside the leaves of a tree: lines with their rows, bars of coefficients, or the rows' targets."""

from typing import Any, NamedTuple

import numpy as np

from ..features.curves import curves_of
from ..text.tree import report_of
from .picture import curves, target_of

__all__ = ["Bars", "Lines", "Targets", "bars_of", "lines_of", "targets_of"]

MOST_POINTS = 2000  # rows that are drawn
N_BINS = 20


class Lines(NamedTuple):
    """Experts along the only column, and the rows.

    Attributes
    ----------
    x : ndarray of shape (n,)
    means : ndarray of shape (K, n, S)
        Mean of every expert, for each output; or its probability of each class, of two classes the second one's.
    prior : ndarray of shape (n, K)
    slots : tuple
        Names of outputs or classes.
    name : str
        Of the column.
    data_x : ndarray of shape (N,) or None
    data_y : ndarray of shape (N, S) or None
    share : ndarray of shape (N, K) or None
        Responsibilities of the rows.
    """

    x: np.ndarray
    means: np.ndarray
    prior: np.ndarray
    slots: tuple
    name: str
    data_x: Any = None
    data_y: Any = None
    share: Any = None


class Bars(NamedTuple):
    """Coefficients of the strongest columns, times the columns' standard deviations; and strengths of curves.

    Attributes
    ----------
    names : list of str of length q
    effects : ndarray of shape (K, q, S)
        nan of an expert without coefficients.
    slots : tuple
        Names of outputs or classes, of two classes the second one's; one of a single output.
    curved : ndarray of bool of shape (q,)
        Which columns experts bend along: effects are those of curves, eq. (curve-effect).
    """

    names: list
    effects: np.ndarray
    slots: tuple
    curved: np.ndarray


class Targets(NamedTuple):
    """Targets of the rows in every leaf.

    Attributes
    ----------
    edges : ndarray of shape (B + 1,)
        Of bins; of classes halves below and above their numbers.
    height : ndarray of shape (K, B)
        Sums of the responsibilities of the rows.
    """

    edges: np.ndarray
    height: np.ndarray


def slots_of(model):
    """Names of what experts have a line or coefficients for: outputs, classes, or the second of two classes."""
    labels = tuple(np.asarray(model.target_.labels).tolist())
    return labels[1:] if model.task == "classification" and len(labels) == 2 else labels


def lines_of(subject, grid, x, name, data=None):
    """`Lines` along values x (n,) of the only column; `data` are x and y of the rows, and their responsibilities."""
    slots = slots_of(subject.model)
    outputs = [None] if slots == ("",) else slots
    found = [curves(subject, grid, output)[:2] for output in outputs]
    means = np.stack([np.broadcast_to(experts, prior.shape).T for prior, experts in found], axis=2)
    if data is None:
        return Lines(x, means, found[0][0], slots, name)
    data_x, y, share = data
    data_y = np.stack([target_of(subject.model, y, output) for output in outputs], axis=1)
    some = slice(None, None, int(np.ceil(len(data_x) / MOST_POINTS)))
    return Lines(x, means, found[0][0], slots, name, data_x[some], data_y[some], share[some])


def bars_of(model, names, most):
    """`Bars` of the strongest columns over all experts, by their load; None where no expert has coefficients.

    `names` are those of the user's columns.
    """
    side, slots = model.columns_.expert, slots_of(model)
    scale, curves = side.design.scale, curves_of(side.features, names)
    straight = np.setdiff1d(np.arange(len(scale)), [j for curve in curves for j in curve.index])
    first = [*straight, *(curve.index[0] for curve in curves)]
    order = np.argsort(first, kind="stable")  # as the columns stand in the table
    called = side.features.renamed(names)
    called = [*(str(called[j]) for j in straight), *(f"s({curve.name})" for curve in curves)]
    names, curved = [called[i] for i in order], order >= len(straight)
    effects = np.full((model.n_experts_, len(order), len(slots)), np.nan)
    for k in range(model.n_experts_):
        slope = _slopes(model, k, len(scale))
        if slope is not None and slope.any() and len(slope) == len(slots):
            own = [(slope * scale)[:, straight], *(curve.effect(slope)[:, None] for curve in curves)]
            effects[k] = np.concatenate(own, axis=1)[:, order].T
    if np.isnan(effects).all():
        return None
    size = np.nan_to_num(np.abs(effects))
    size = np.divide(size, size.max(axis=(0, 1)), out=size, where=size.max(axis=(0, 1)) > 0)
    strength = np.einsum("k,kps->p", model.load_, size)
    shown = np.sort(np.argsort(-strength, kind="stable")[:most])
    return Bars([names[j] for j in shown], effects[:, shown], slots, curved[shown])


def _slopes(model, k, n_columns):
    """Slopes (S, p) of an expert for each output or class; None where it has none."""
    family, report = model.model_.expert.family(k), report_of(model, k)
    scores = family.class_scores(report)
    if scores is not None:
        slope = scores[0][0]
        return slope[1:] - slope[:1] if len(slope) == 2 else slope
    if "coef" not in report._fields or report.coef.shape[-1:] != (n_columns,) or report.coef.ndim > 3:
        return None
    return report.coef.reshape(-1, n_columns)


def targets_of(model, y, share):
    """`Targets` of the rows, whose responsibilities are `share` (N, K); None of several outputs."""
    y = np.asarray(y)
    if model.task == "classification":
        codes = np.searchsorted(model.classes_, y)
        edges = np.arange(len(model.classes_) + 1) - 0.5
    elif y.ndim == 1:
        codes, edges = y.astype(float), np.histogram_bin_edges(y.astype(float), N_BINS)
    else:
        return None
    height = np.stack([np.histogram(codes, edges, weights=own)[0] for own in share.T])
    return Targets(edges, height)
