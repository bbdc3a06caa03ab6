"""The bootstrap of a fitted mixture: refits to drawn data, their experts matched to those of the fit."""

from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import is_classifier
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ..gates import FixedGate, TreeGate
from ..inference.alignment import align, exchangeable
from ..numerics.checks import check_choice, check_int, check_real
from ..tables import escaped, html_table, text_table
from .draws import Same, case_drawer, draw_targets
from .refits import (
    REFIT_ERRORS,
    STARVING,
    check_model,
    check_rows,
    copies,
    known,
    one_start,
    refit,
    seed_of,
    unit_codes,
)
from .reports import Coefficient, entries_of, labelled, numbers_of, numeric, pick, shapes_of, stacked, taken

__all__ = ["Bootstrap", "bootstrap"]

ISSUES = ("boundary", "not converged", "starving", "ambiguous")
MOVED = 0.5  # standard errors by which a refit to the same data may miss the fit
SHOWN = 40  # coefficients that the text shows


class Draw(NamedTuple):
    """What one refit came to, matched to the fit."""

    issues: tuple = ()
    note: str = ""  # the message of an error, or what is at a boundary
    experts: Any = None  # reports of arrays
    gate: Any = None
    load: np.ndarray | None = None  # (K,)
    objective: float = -np.inf
    agreement: float = 0.0
    confidence: float = 0.0
    crossed: bool = False
    statistic: Any = None


class Bootstrap:
    """What `bootstrap` found. Arrays of draws hold the refits that were used, in their order.

    Attributes
    ----------
    kind, refits : str
        As given.
    labels : list of Coefficient
        The P coefficients of experts and gate, in the user's units.
    estimate : ndarray of shape (P,)
        Of the fit.
    draws : ndarray of shape (B, P)
        Of the refits, matched to the fit.
    experts_, gate_ : NamedTuple of arrays, or dict of them
        The same as the fit's `experts_` and `gate_`, with the draw as first axis; None for what is no number.
    load_ : ndarray of shape (B, K)
    statistics : ndarray of shape (B, ...) or None
        What `statistic` said of each refit.
    objective : ndarray of shape (B,)
    agreement, confidence : ndarray of shape (B,)
        Of the matching, eqs. (agreement) and (confidence).
    crossed : ndarray of bool of shape (B,)
        Where the experts hang at other places of the tree than in the fit: the draw's gate is the best that exchanges
        of branches can do.
    used : ndarray of bool of shape (n_bootstrap,)
    counts : dict
        How many refits "failed", ended at a "boundary", "not converged", "starving", or with an "ambiguous" matching.
    notes : dict
        Draw number to the message of its error, or what is at a boundary.
    remarks : list of str
        What was decided along the way.
    """

    def __init__(self, model, kind, refits, draws, leave_out, remarks):
        self.kind, self.refits, self.remarks = kind, refits, list(remarks)
        self.labels, self.estimate = labelled(model)
        failed = np.array([draw.experts is None for draw in draws])
        self.counts = {"failed": int(failed.sum())}
        self.counts |= {issue: sum(issue in draw.issues for draw in draws) for issue in ISSUES}
        self.leave_out = tuple(leave_out)
        self.used = ~failed & ~np.array([any(issue in draw.issues for issue in leave_out) for draw in draws])
        self.notes = {b: draw.note for b, draw in enumerate(draws) if draw.note}
        kept = [draw for draw, used in zip(draws, self.used, strict=True) if used]
        if len(kept) < 2:
            said = "; ".join(dict.fromkeys(self.notes.values()))
            raise ValueError(
                f"bootstrap: {len(kept)} of {len(draws)} refits can be used, which is no distribution. Of the others: "
                f"{said or self.counts}. Use a simpler model, penalties, or leave_out=()."
            )
        self.experts_, self.gate_ = (stacked([getattr(draw, side) for draw in kept]) for side in ("experts", "gate"))
        self.draws = np.array([numbers_of(model, draw.experts, draw.gate) for draw in kept])
        self._finite_only()
        for name in ("load", "objective", "agreement", "confidence", "crossed"):
            values = np.array([getattr(draw, name) for draw in kept])
            setattr(self, "load_" if name == "load" else name, values)
        self.statistics = None if kept[0].statistic is None else np.array([draw.statistic for draw in kept])

    def _finite_only(self):
        """Leave out coefficients that are infinite in the fit or in a draw, and say so."""
        finite = np.isfinite(self.estimate) & np.isfinite(self.draws).all(axis=0)
        odd = [label for label, there in zip(self.labels, finite, strict=True) if not there]
        if odd:
            names = ", ".join(dict.fromkeys(f"{label.side} {label.index} {label.term}" for label in odd))
            self.remarks.append(f"no spread is given of what is infinite in the fit or in a draw: {names}")
        self.labels = [label for label, there in zip(self.labels, finite, strict=True) if there]
        self.estimate, self.draws = self.estimate[finite], self.draws[:, finite]

    def _compare(self, again, model):
        """A remark where the fit is not what the same refit makes of the data themselves, eq. (bootstrap-restart)."""
        if again.experts is None:
            self.remarks.append(f"a refit to the data themselves failed: {again.note}")
            return
        names = dict(entries_of(model, again.experts, again.gate))
        shift = np.abs([names[label] for label in self.labels] - self.estimate)
        error = self.standard_error()
        moved = shift > MOVED * error + 1e-6 * (1.0 + np.abs(self.estimate))
        if moved.any():
            size = np.divide(shift, error, out=np.full_like(shift, np.inf), where=error > 0)
            worst = int(np.argmax(np.where(moved, size, 0.0)))
            label = self.labels[worst]
            self.remarks.append(
                f"the same refit to the data themselves moves {int(moved.sum())} coefficient(s) by more than {MOVED:g} "
                f"standard errors, {label.side} {label.index} {label.term} most: the fit had not converged, or there "
                "is a better one. Use a smaller tol or more starts"
            )

    @property
    def n_used(self):
        return len(self.draws)

    def standard_error(self):
        """Standard deviation over the draws, (P,)."""
        return self.draws.std(axis=0, ddof=1)

    def bias(self):
        """Mean of the draws minus the estimate, (P,)."""
        return self.draws.mean(axis=0) - self.estimate

    def covariance(self):
        """Covariance of the coefficients over the draws, (P, P)."""
        return np.atleast_2d(np.cov(self.draws, rowvar=False))

    def interval(self, level=0.95, kind="percentile"):
        """Intervals of the coefficients, eq. (bootstrap-intervals).

        Parameters
        ----------
        level : float, default=0.95
        kind : {"percentile", "basic"}, default="percentile"
            Quantiles of the draws, or these mirrored at the estimate.

        Returns
        -------
        ndarray of shape (P, 2)
        """
        check_choice(kind, "kind", ("percentile", "basic"))
        lower, upper = np.quantile(self.draws, _tails(level), axis=0)
        if kind == "basic":
            lower, upper = 2.0 * self.estimate - upper, 2.0 * self.estimate - lower
        return np.column_stack([lower, upper])

    def to_frame(self, level=0.95):
        """A pandas DataFrame with a row for each coefficient.

        Columns are "side", "index", "part", "term", "estimate", "bias", "std_error", and the ends of percentile and
        basic intervals.
        """
        import pandas as pd

        return pd.DataFrame(self._columns(level))

    def _columns(self, level=0.95):
        columns = {name: [getattr(label, name) for label in self.labels] for name in Coefficient._fields}
        columns |= {"estimate": self.estimate, "bias": self.bias(), "std_error": self.standard_error()}
        for kind in ("percentile", "basic"):
            ends = self.interval(level, kind).T
            columns |= {f"{kind}_lower": ends[0], f"{kind}_upper": ends[1]}
        return columns

    def _head(self):
        """What was done, and what became of the refits, in sentences."""
        start = "from the fit" if self.refits == "warm" else "from scratch"
        yield f"Bootstrap: {len(self.used)} draws of kind {self.kind!r}, refitted {start}; {self.n_used} used"
        counts = [f"{count} {issue}" for issue, count in self.counts.items() if count]
        if counts:
            out = " or ".join(("failed", *self.leave_out))
            yield f"of all refits: {', '.join(counts)} (left out: {out})"
        if self.load_.shape[1] > 1:
            yield (
                f"experts matched: agreement {self.agreement.mean():.2f} on average, least confidence "
                f"{self.confidence.min():.2f}, {int(self.crossed.sum())} crossed"
            )
        yield from self.remarks

    def _table(self):
        columns = self._columns()
        names = ["side", "index", "part", "term", "estimate", "std_error", "percentile_lower", "percentile_upper"]
        rows = [[columns[name][p] for name in names] for p in range(min(len(self.labels), SHOWN))]
        return ["side", "index", "part", "term", "estimate", "std err", "2.5 %", "97.5 %"], rows

    def __repr__(self):
        lines = [*self._head(), *text_table(*self._table())]
        if len(self.labels) > SHOWN:
            lines.append(f"({len(self.labels) - SHOWN} more in to_frame())")
        return "\n".join(lines)

    def _repr_html_(self):
        return "".join(f"<p>{escaped(line)}</p>" for line in self._head()) + html_table(*self._table())


def bootstrap(
    model,
    X,
    y,
    n_bootstrap=200,
    kind="case",
    *,
    sample_weight=None,
    weighting="copies",
    clusters=None,
    refits="warm",
    leave_out=("boundary",),
    statistic=None,
    random_state=None,
    n_jobs=None,
    **rows,
):
    """Refit a model to drawn data.

    The case bootstrap draws rows with replacement: no row is copied, a row that is drawn twice has twice the weight,
    which is the same. Experts of a refit are matched to those of the fit by the responsibilities that both give to the
    rows of `X`, see `align`; a gate's coefficients are matched as far as the symmetries of the tree go.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
        A fitted one. The tree of every refit is `model.tree_`.
    X, y : array-like
        What it was fitted to.
    n_bootstrap : int, default=200
    kind : {"case", "parametric"}, default="case"
        "case" draws rows, and holds whatever y is distributed like; "parametric" draws y from the model, given X.
    sample_weight : array-like of shape (n,) or None, default=None
    weighting : {"copies", "rows"}, default="copies"
        What weights mean to "case": with "copies" a weight of 2 is the row twice, as in `fit`: as many rows as the
        weights sum to are drawn, each with a probability proportional to its weight. With "rows" a weight belongs to
        its row, as with sampling weights: as many rows as there are, each as likely as any other, bring theirs along.
    clusters : array-like of shape (n,) or None, default=None
        Rows of one value are drawn together. With `groups`, these are what is drawn, unless clusters are given, which
        hold groups whole.
    refits : {"warm", "full"}, default="warm"
        Whether a refit starts from the responsibilities of the fit, or as `model` itself does.
    leave_out : tuple of str, default=("boundary",)
        Which refits beside the failed ones are left out: "boundary" (separating gates, variances at a floor),
        "not converged", "starving", "ambiguous". All are counted. Where the fit itself is at a boundary, refits are not
        left out for being there, and a remark says so.
    statistic : callable or None, default=None
        ``statistic(refit)``, an array of anything that is wanted of each refit, such as predictions.
    random_state : int, RandomState or None, default=None
    n_jobs : int or None, default=None
        Refits that run at the same time (joblib). The result does not depend on it.
    **rows
        Row arguments of `fit`: `offset`, `trials`, `groups`, `labels`.

    Returns
    -------
    Bootstrap

    Raises
    ------
    ValueError, TypeError
        Naming the parameter, its value and what is allowed; also where fewer than two refits can be used.

    References
    ----------
    Efron, B. and Tibshirani, R. J. (1993). An Introduction to the Bootstrap. Chapman and Hall, chapters 9 and 13.

    Grün, B. and Leisch, F. (2004). Bootstrapping finite mixture models. COMPSTAT 2004, 1115-1122.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.bootstrap import bootstrap
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, (200, 1))
    >>> y = np.where(X[:, 0] < 0, 2.0 - X[:, 0], 3.0 * X[:, 0]) + 0.1 * rng.standard_normal(200)
    >>> found = bootstrap(HMERegressor(depth=1).fit(X, y), X, y, 20, random_state=0)
    >>> found.experts_.coef.shape, found.n_used
    ((20, 2, 1), 20)
    """
    check_model(model)
    check_is_fitted(model)
    check_int(n_bootstrap, "n_bootstrap", 2)
    check_choice(kind, "kind", ("case", "parametric"))
    if kind == "parametric" and rows.get("labels") is not None:
        raise ValueError("labels go with kind='case': a parametric draw would draw experts against the labels.")
    check_choice(refits, "refits", ("warm", "full"))
    check_choice(weighting, "weighting", ("copies", "rows"))
    if statistic is not None and not callable(statistic):
        raise TypeError(f"statistic = {statistic!r} must be None or a callable (refit).")
    if isinstance(leave_out, str) or not set(leave_out) <= set(ISSUES):
        raise ValueError(f"leave_out = {leave_out!r} must be a tuple of some of {', '.join(map(repr, ISSUES))}.")
    rows = check_rows(model, rows)
    y = np.asarray(y)
    weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
    units = unit_codes(len(y), rows.get("groups"), clusters)
    remarks = []
    if kind == "case":
        draw = case_drawer(units, weight, weighting, clusters is not None or "groups" in rows)
    else:
        if clusters is not None:
            raise ValueError("clusters go with kind='case': a parametric draw has no clusters but the model's groups.")
        draw = None
        X, y, weight, rows = copies(X, y, weight, rows)
    if model.boundary_ and "boundary" in leave_out:
        leave_out = tuple(issue for issue in leave_out if issue != "boundary")
        remarks.append("the fit itself is at a boundary, so that refits there are kept: " + "; ".join(model.boundary_))

    reference = model.responsibilities(X, y, **known(rows))
    seed = seed_of(random_state)
    jobs = (
        delayed(_one_draw)(model, X, y, weight, rows, draw, reference, refits, statistic, (seed, b))
        for draw, b in [(Same(weight), n_bootstrap), *((draw, b) for b in range(n_bootstrap))]
    )
    again, *draws = Parallel(n_jobs=n_jobs)(jobs)
    found = Bootstrap(model, kind, refits, draws, leave_out, remarks)
    found._compare(again, model)
    return found


def _one_draw(model, X, y, weight, rows, draw, reference, refits, statistic, seed):
    """One refit; each draw has a generator of its own, so that no order of the work changes it."""
    rng = np.random.default_rng(seed)
    start = reference if refits == "warm" else None
    try:
        if draw is None:
            target = draw_targets(model, X, rng, **known(rows))
            if refits == "warm":
                start = model.responsibilities(X, target, **known(rows))
            again = refit(model, X, target, weight, rows, int(rng.integers(2**31 - 1)), **one_start(start))
        else:
            again = refit(model, X, y, draw(rng), rows, int(rng.integers(2**31 - 1)), **one_start(start))
    except REFIT_ERRORS as error:
        return Draw(("failed",), f"{type(error).__name__}: {error}")
    if is_classifier(model) and not np.array_equal(again.classes_, model.classes_):
        return Draw(("failed",), "a class has no row in the draw")
    resp = again.responsibilities(X, y, **known(rows))
    hierarchical = isinstance(model.model_.gate, TreeGate)
    by_number = "labels" in rows or isinstance(model.model_.gate, FixedGate)
    allowed = exchangeable(model.model_.expert, model.n_experts_, by_number)
    found = align(reference, resp, weight, model.tree_ if hierarchical else None, allowed)
    experts, gate = numeric(again.experts_), numeric(again.gate_)
    experts = taken(experts, found.experts)
    gate = pick(gate, (found.nodes[:, None], found.branches)) if hierarchical else pick(gate, found.leaves)
    if shapes_of(experts) != shapes_of(model.experts_) or shapes_of(gate) != shapes_of(model.gate_):
        return Draw(("failed",), "other columns than the fit's came out of expert_features or gate_features")
    starving = (again.load_ < STARVING / model.n_experts_).any()
    wrong = bool(again.boundary_), not again.converged_, bool(starving), found.ambiguous
    return Draw(
        tuple(issue for issue, there in zip(ISSUES, wrong, strict=True) if there), "; ".join(again.boundary_), experts,
        gate, again.load_[found.experts], float(again.lower_bounds_[-1]), found.agreement, found.confidence,
        found.crossed, None if statistic is None else np.asarray(statistic(again)),
    )  # fmt: skip


def _tails(level):
    if not 0 < check_real(level, "level", positive=True) < 1:
        raise ValueError(f"level must be between 0 and 1, got {level!r}.")
    return 0.5 * (1.0 - level), 0.5 * (1.0 + level)
