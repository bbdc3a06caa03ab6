"""Restarts: how many starts reach the best objective, and whether they find the same experts."""

from typing import NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ..bootstrap.progress import check_verbose, run_all
from ..bootstrap.refits import (
    REFIT_ERRORS,
    check_maximal,
    check_model,
    check_rows,
    fit_once,
    one_start,
    refit,
    seed_of,
    without_labels,
)
from ..fitting.starts import sequence
from ..inference.alignment import align, exchangeable
from ..numerics.checks import check_int, check_real
from ..tables import Table, as_html, as_text, pandas_for

__all__ = ["Basin", "RestartReport", "restart_report"]

SAME = 0.95  # agreement from which two fits have the same experts


class Basin(NamedTuple):
    """Starts that end at the same objective with the same experts, up to their order."""

    objective: float  # the best of its starts, per unit of weight
    gap: float  # difference to the best basin
    starts: tuple  # numbers of the starts
    names: tuple  # their kinds, each once
    agreement: float  # with the best fit, eq. (agreement)
    ari: float  # adjusted Rand index of the rows' most probable experts with those of the best fit


class RestartReport:
    """Result of `restart_report`.

    Attributes
    ----------
    basins : list of Basin
        The best one first.
    objective : ndarray of shape (S,)
        The objective that each start reached, -inf where it failed.
    basin : ndarray of int of shape (S,)
        The basin of each start, -1 where it failed.
    names : list of str
        The start of each fit.
    converged : ndarray of bool of shape (S,)
    own : float or None
        Objective of the model itself, where it was fitted.
    verdict : str
        The conclusion in a sentence.
    models : list of estimators
        The best fit of each basin.
    """

    def __init__(self, basins, objective, basin, names, converged, own, tolerance, models):
        self.basins, self.objective, self.basin, self.names = basins, objective, basin, names
        self.converged, self.own, self.tolerance, self.models = converged, own, tolerance, models
        self.verdict = self._verdict()

    def _verdict(self):
        n, best = len(self.objective), self.basins[0]
        m = len(best.starts)
        said = [f"{m} of {n} starts reach the best value"]
        if n == 1:
            said = ["one start alone cannot be compared: use more"]
        elif m == n:
            said.append("the result does not depend on the start")
        elif m == 1:
            said.append("a value that is found only once may not be the best: use more starts, or fewer experts")
        elif m < 0.2 * n:
            chance = (1.0 - m / n) ** 10
            said.append(f"ten starts would miss it with a probability of about {chance:.2f}")
        if len(self.basins) > 1:
            second = self.basins[1]
            kind = "nearly the same experts" if second.agreement >= SAME else "other experts"
            said.append(
                f"the next basin is {second.gap:.2g} nats a row below and has {kind} (agreement {second.agreement:.2f})"
            )
        if self.own is not None and self.own < best.objective - self.tolerance:
            said.append(
                f"the model itself stays {best.objective - self.own:.2g} nats a row below the best: raise its n_init, "
                f"or start it with {best.names[0]!r}"
            )
        return "; ".join(said) + "."

    def to_frame(self):
        """A pandas DataFrame with a row for each start: "start", "objective", "basin", "converged"."""
        columns = {"start": self.names, "objective": self.objective, "basin": self.basin, "converged": self.converged}
        return pandas_for("to_frame").DataFrame(columns)

    def _parts(self):
        """Sentences and the table, as they stand below each other."""
        failed = int((self.basin < 0).sum())
        note = f", {failed} failed" if failed else ""
        yield f"Restarts: {len(self.objective)} starts in {len(self.basins)} basin(s){note}"
        rows = [
            [b, len(basin.starts), basin.objective, basin.gap, basin.agreement, basin.ari, ", ".join(basin.names)]
            for b, basin in enumerate(self.basins)
        ]
        yield Table(["basin", "starts", "objective", "gap", "agreement", "ari", "kinds of start"], rows)
        yield self.verdict

    def __repr__(self):
        return as_text(self._parts())

    def _repr_html_(self):
        return as_html(self._parts())


def restart_report(
    model,
    X,
    y,
    n_init=20,
    *,
    sample_weight=None,
    tolerance=1e-3,
    random_state=None,
    n_jobs=None,
    verbose=0,
    **rows,
):
    """Fit a model from many starts, one at a time, and report where they end.

    Two starts share a basin if their objectives differ by at most `tolerance` and both assign the rows to the same
    experts, whatever the order of the experts, see `align`.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier, or list of them
        One model, fitted or not, to be fitted from `n_init` starts: its own, then drawn ones. Or a list of models that
        have been fitted to the same rows.
    X, y : array-like
    n_init : int, default=20
        Number of starts; not used with a list of models.
    sample_weight : array-like of shape (n,) or None, default=None
    tolerance : float, default=1e-3
        In nats per unit of weight.
    random_state : int, RandomState or None, default=None
    n_jobs : int or None, default=None
        Starts that run at the same time (joblib). The result does not depend on it.
    verbose : int, default=0
        1 prints a line every other second that says how many starts are done and how long the rest may take; 2 prints
        one after each.
    **rows
        Row arguments of `fit`: `offset`, `trials`, `groups`, `labels`.

    Returns
    -------
    RestartReport

    Raises
    ------
    ValueError, TypeError
        Naming the parameter, its value and what is allowed.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.diagnosis import restart_report
    >>> from hme.datasets import make_regimes
    >>> X, y, _ = make_regimes(300, n_experts=2, random_state=0)
    >>> report = restart_report(HMERegressor(n_experts=2), X, y, n_init=5, random_state=0)
    >>> len(report.objective), len(report.basins[0].starts)
    (5, 5)
    """
    tolerance = check_real(tolerance, "tolerance", positive=True)
    check_verbose(verbose)
    several = isinstance(model, list | tuple)
    for member in model if several else [model]:
        check_model(member)
        check_maximal(member)
    if several and not model:
        raise ValueError("model is an empty list; give a model, or a list of fitted ones.")
    rows = check_rows(model[0] if several else model, rows)
    y = np.asarray(y)
    weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
    own = None
    if several:
        for member in model:
            check_is_fitted(member)
        if len({member.n_experts_ for member in model}) > 1:
            raise ValueError("model is a list of fits with different numbers of experts; they cannot be compared.")
        fits, names = list(model), [member.restarts_[0].start for member in model]
    else:
        check_int(n_init, "n_init")
        fits, names = _fits(model, X, y, weight, rows, n_init, seed_of(random_state), n_jobs, verbose)
        own = float(model.lower_bounds_[-1] - model.log_hyperprior_) if hasattr(model, "params_") else None
        if all(fit is None for fit in fits):
            raise ValueError("restart_report: no start could be fitted; fit the model itself to see the reason.")
    objective = np.array([-np.inf if fit is None else fit.lower_bounds_[-1] for fit in fits])
    basins, basin, leaders = _basins(fits, names, objective, X, y, weight, rows, tolerance)
    converged = np.array([fit is not None and fit.converged_ for fit in fits])
    return RestartReport(basins, objective, basin, names, converged, own, tolerance, leaders)


def _fits(model, X, y, weight, rows, n_init, seed, n_jobs, verbose):
    """A fit from each start, None where it failed, and the names of the starts."""
    model = fit_once(model, X, y, weight, rows)
    given = None if isinstance(model.start, str) else model.start
    names = sequence("given" if given is not None else model.start, n_init, is_classifier(model))
    starts = [given if name == "given" else name for name in names]
    seeds = [int(np.random.default_rng((seed, i)).integers(2**31 - 1)) for i in range(n_init)]
    calls = [(model, X, y, weight, rows, *both) for both in zip(starts, seeds, strict=True)]
    return run_all(_one_start, calls, n_jobs, verbose, "starts"), names


def _one_start(model, X, y, weight, rows, start, seed):
    try:
        return refit(model, X, y, weight, rows, seed, **one_start(start), **model.alphas_as_fitted())
    except REFIT_ERRORS:
        return None


def _basins(fits, names, objective, X, y, weight, rows, tolerance):
    """Basins, the number of the basin of each start, and the best fit of each basin."""
    order = [s for s in np.argsort(-objective, kind="stable") if fits[s] is not None]
    best = fits[order[0]]
    by_number = "labels" in rows or best.model_.gate.traits.given
    allowed = exchangeable(best.model_.expert, best.n_experts_, by_number)
    resp, leaders, members, basin = {}, [], [], np.full(len(fits), -1)
    for s in order:
        resp[s] = fits[s].responsibilities(X, y, **without_labels(rows))
        for b, leader in enumerate(leaders):
            near = objective[leader] - objective[s] <= tolerance
            if near and align(resp[leader], resp[s], weight, None, allowed).agreement >= SAME:
                basin[s] = b
                members[b].append(s)
                break
        else:
            basin[s] = len(leaders)
            leaders.append(s)
            members.append([s])
    found, seen = [], weight > 0
    for leader, inside in zip(leaders, members, strict=True):
        agreement = align(resp[order[0]], resp[leader], weight, None, allowed).agreement
        ari = adjusted_rand_score(resp[order[0]][seen].argmax(axis=1), resp[leader][seen].argmax(axis=1))
        kinds = tuple(dict.fromkeys(names[s] for s in inside))
        gap = float(objective[order[0]] - objective[leader])
        found.append(Basin(float(objective[leader]), gap, tuple(int(s) for s in inside), kinds, agreement, float(ari)))
    return found, basin, [fits[s] for s in leaders]
