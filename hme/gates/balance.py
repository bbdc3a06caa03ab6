"""How evenly a routed gate uses its leaves, and the bias with which the loads stay within bounds."""

from typing import NamedTuple

import numpy as np

from .routing import top_k

__all__ = ["BalanceReport", "balance_report", "balancing_bias", "excess"]

# Rounds of price adjustments before the loads are taken as they are.
MAX_ROUNDS = 100
TIE = 1e-9  # prices at which rows change sides are the same when closer than this: repeated rows move together


class BalanceReport(NamedTuple):
    """How evenly the leaves are used, eqs. (importance) and (load): cv is standard deviation / mean, peak max / mean.

    `dead` names the leaves whose load is below a thousandth of the mean.
    """

    importance: np.ndarray  # (K,) sum of the priors
    load: np.ndarray  # (K,) weight of the rows routed to the leaf
    importance_cv: float
    importance_peak: float
    load_cv: float
    load_peak: float
    dead: np.ndarray


def balance_report(prior, weight=None, active=None):
    """How evenly the leaves are used.

    Parameters
    ----------
    prior : ndarray of shape (n, K)
        As from ``gate_proba``.
    weight : ndarray of shape (n,) or None
        Sample weights.
    active : ndarray of int of shape (n, k) or None
        The leaves of every row; None are those of positive prior.

    Returns
    -------
    BalanceReport

    Examples
    --------
    >>> import numpy as np
    >>> from hme.gates import balance_report
    >>> prior = np.array([[0.8, 0.2, 0.0], [0.6, 0.4, 0.0], [0.0, 1.0, 0.0]])
    >>> report = balance_report(prior)
    >>> report.importance, report.load, report.dead
    (array([1.4, 1.6, 0. ]), array([2., 3., 0.]), array([2]))
    """
    prior = np.asarray(prior, dtype=float)
    n, K = prior.shape
    weight = np.ones(n) if weight is None else np.asarray(weight, dtype=float)
    importance = weight @ prior
    if active is None:
        load = weight @ (prior > 0)
    else:
        load = np.bincount(np.ravel(active), np.repeat(weight, np.shape(active)[1]), K)
    shape = [float(f(use) / use.mean()) for use in (importance, load) for f in (np.std, np.max)]
    return BalanceReport(importance, load, *shape, np.flatnonzero(load < 1e-3 * load.mean()))


def balancing_bias(score, weight, k, balance, bias):
    """Bias (K,) with which every load is between its mean / balance and mean * balance, eq. (balance).

    The loads are the supplies of a market in which rows buy the k leaves worth most to them, and the bias is minus the
    price of a leaf. Every leaf outside its bounds is told the price at which, all others' prices kept, its load would
    be just inside, and goes part of the way there; the last round with the smallest excess is kept.

    Parameters
    ----------
    score : ndarray of shape (n, K)
    weight : ndarray of shape (n,)
    k : int
    balance : float
    bias : ndarray of shape (K,)
        Where to start.

    Returns
    -------
    ndarray of shape (K,)
        The bias, with mean zero.
    """
    K = score.shape[1]
    if k == K:
        return np.zeros(K)
    mean = k * weight.sum() / K
    low, high = mean / balance, mean * balance
    inside = min(0.03, 0.15 * (balance - 1.0))  # where to aim: steps that stop at the bound itself never get there
    best = (np.inf, bias)
    for _ in range(MAX_ROUNDS):
        value = score + bias
        active = top_k(value, k)
        load = np.bincount(active.ravel(), np.repeat(weight, k), K)
        beyond = excess(load, low, high)
        worst = beyond.max()
        if worst < best[0]:
            best = (worst, bias)
        outside = np.flatnonzero(beyond > 0)
        if not len(outside):
            break
        # What a leaf must be worth to a row: more than the last that the row takes or, where it is taken, the next.
        edge = -np.partition(-value, (k - 1, k), axis=1)[:, k - 1 : k + 1]
        taken = np.zeros(value.shape, dtype=bool)
        np.put_along_axis(taken, active, True, axis=1)
        new = bias.copy()
        for j in outside:
            price = np.where(taken[:, j], edge[:, 1], edge[:, 0]) - score[:, j]
            new[j] = _price(price, weight, low * (1.0 + inside), high * (1.0 - inside), load[j])
        # All at once they overshoot: what one leaf loses, others that are too full would get.
        bias = bias + (1.0 if len(outside) == 1 else 0.5) * (new - bias)
        bias = bias - bias.mean()
    return best[1]


def excess(load, low, high):
    """How far each load (K,) is outside its bounds, as a share of them."""
    return np.maximum(np.maximum(load / high, low / np.maximum(load, 1e-6 * low)) - 1.0, 0.0)


def _price(price, weight, low, high, load):
    """The bias at which rows of the least `price` (n,) are won, so many as the nearest bound allows."""
    order = np.argsort(price, kind="stable")
    ordered, mass = price[order], np.cumsum(weight[order])
    gap = np.append(np.diff(ordered) > TIE, True)  # rows that are alike are won together
    ends = np.flatnonzero(gap)
    if load > high:
        won = ends[max(np.searchsorted(mass[ends], high * (1 + 1e-12), side="right") - 1, 0)]
    else:
        won = ends[min(np.searchsorted(mass[ends], low * (1 - 1e-12)), len(ends) - 1)]
    return 0.5 * (ordered[won] + ordered[won + 1]) if won + 1 < len(ordered) else ordered[won] + 1.0
