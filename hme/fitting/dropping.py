"""Drop tiny experts: fit again without them, until every expert that is left has rows enough."""

from typing import Any, NamedTuple

import numpy as np

from ..model import mixture as mixtures
from ..model.mixture import Mixture
from ..model.rows import Rows
from ..model.tiny import Tiny, tiny
from ..model.tree import Tree
from ..numerics.kernels import log_normalize
from . import em
from .restarts import continue_fit

__all__ = ["Fitted", "drop"]

FEWER = 16  # leaves of which one at a time may be dropped


class Fitted(NamedTuple):
    """A fit with what it is of."""

    mixture: Mixture
    tree: Tree
    rows: Rows
    fit: em.Fit
    kept: np.ndarray  # (K,), the numbers that its leaves had at first
    dropped: tuple = ()  # of `Tiny`
    interrupted: str = ""  # where an interrupt came
    course: tuple = ()  # of `Shrinkage`, where strengths of penalties are estimated


def drop(fitted, options, rebind):
    """Drop the lightest tiny expert and fit again, as long as there is one.

    Experts that hold next to no weight are dropped all at once, and of large trees one leaf in `FEWER`. One that a
    label needs stays, and so does the last.

    Parameters
    ----------
    fitted : Fitted
    options : Options
    rebind : callable
        ``rebind(alphas, kept, tree)`` is the mixture of the leaves `kept`, numbered as at first, on a smaller tree, at
        strengths of penalties as in `Mixture.alphas`.

    Returns
    -------
    Fitted
    """
    while not fitted.interrupted and fitted.fit.reason not in ("interrupted", "callback"):
        found = _small(fitted)
        gone = _next(fitted, [one.expert for one in found])
        if not gone:
            break
        try:
            fitted = _without(fitted, gone, options, rebind, _named(fitted, found, gone))
        except KeyboardInterrupt:
            return fitted._replace(interrupted="before the first sweep after dropping experts")
        if fitted.fit.reason == "interrupted":
            fitted = fitted._replace(interrupted=f"after dropping experts, after {fitted.fit.n_iter} sweep(s)")
    return fitted


def _small(fitted):
    """The tiny experts, those among them that have lost all rows, and with these all that they could estimate."""
    mixture, load = fitted.mixture, fitted.fit.stats.load
    found = tiny(mixture, fitted.fit.params, fitted.fit.stats, fitted.rows)
    if len(mixture.expert.members) == 1 and len(load) > 1:
        lost = np.setdiff1d(mixtures.starving(load), [one.expert for one in found])
        found += [Tiny(int(k), None, float(load[k]), 0.0, None) for k in lost]
    return found


def _next(fitted, small):
    """Numbers of the leaves that go next, a list."""
    load = fitted.fit.stats.load
    starving = set(mixtures.starving(load).tolist()) & set(small)
    order = sorted(small, key=lambda k: (load[k], -k))
    lightest = sorted(order[: len(load) // FEWER])
    for gone in [sorted(starving)] * bool(starving) + [lightest] * bool(lightest) + [[k] for k in order]:
        if len(gone) < len(load) and _labels_allow(fitted.rows, gone):
            return gone
    return []


def _named(fitted, found, gone):
    """The `Tiny` of the leaves that go, with the numbers that these had at first."""
    return tuple(one._replace(expert=int(fitted.kept[one.expert])) for one in found if one.expert in gone)


def _labels_allow(rows, gone):
    """Whether every row may have an expert that stays."""
    return rows.log_label is None or bool(np.isfinite(np.delete(rows.log_label, gone, axis=1)).any(axis=1).all())


def _without(fitted, gone, options, rebind, found):
    """The fit without some leaves, whose rows go to the others by Bayes' rule."""
    stay = np.setdiff1d(np.arange(fitted.tree.n_leaves), gone)
    rows, tree = fitted.rows, fitted.tree.without(gone)
    parts = [_shares(fitted.mixture, fitted.fit.params, block, stay) for _, block in rows.blocks()]
    if rows.log_label is not None:
        rows = rows._replace(log_label=rows.log_label[:, stay])
    mixture = rebind(fitted.mixture.alphas, fitted.kept[stay], tree)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # the guard notices what overflows
        params = mixture.init(rows, np.concatenate(parts))
    fit = continue_fit(mixture, rows, params, options, warm=False)
    return Fitted(mixture, tree, rows, fit, fitted.kept[stay], fitted.dropped + found, course=fitted.course)


def _shares(mixture, params, rows, stay) -> Any:
    """Responsibilities (heads, K) of the leaves that stay, equal ones where none of them can be."""
    log_density, resp = log_normalize(np.ascontiguousarray(mixture.log_joint(params, rows)[:, stay]))
    resp[~np.isfinite(log_density)] = 1.0 / len(stay)
    if rows.log_label is not None:
        resp = resp * np.isfinite(rows.heads().log_label[:, stay])
        resp /= resp.sum(axis=1, keepdims=True)
    return resp
