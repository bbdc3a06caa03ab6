"""The bootstrap of a fitted mixture: refits to drawn data, with experts matched to those of the fit."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ..inference.alignment import align, exchangeable
from ..numerics.checks import check_choice, check_int, check_real
from ..tables import Table, as_html, as_text, pandas_for
from .draws import Same, case_drawer, draw_targets
from .progress import check_verbose, run_all
from .refits import (
    REFIT_ERRORS,
    STARVING,
    check_model,
    check_rows,
    copies,
    one_start,
    refit,
    seed_of,
    unit_codes,
    without_labels,
)
from .reports import Coefficient, entries_of, labelled, numbers_of, reordered, shapes_of, stacked

__all__ = ["Bootstrap", "bootstrap"]

ISSUES = ("boundary", "not converged", "starving", "ambiguous")
MOVED = 0.5  # standard errors by which a refit to the same data may differ from the fit
SHOWN = 40  # coefficients that the text shows


class Draw(NamedTuple):
    """The result of one refit, matched to the fit."""

    issues: tuple = ()
    note: str = ""  # the message of an error, or the parameters at a boundary
    experts: Any = None  # reports of arrays
    gate: Any = None
    load: np.ndarray | None = None  # (K,)
    objective: float = -np.inf
    agreement: float = 0.0
    confidence: float = 0.0
    crossed: bool = False
    statistic: Any = None


class Bootstrap:
    """Result of `bootstrap`. Arrays over draws hold the refits that were used, in their order.

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
        The same as the fit's `experts_` and `gate_`, with the draw as first axis; None for fields without numbers.
    load_ : ndarray of shape (B, K)
    statistics : ndarray of shape (B, ...) or None
        The `statistic` of each refit.
    objective : ndarray of shape (B,)
    agreement, confidence : ndarray of shape (B,)
        Of the matching, eqs. (agreement) and (confidence).
    crossed : ndarray of bool of shape (B,)
        Where the experts are at other places of the tree than in the fit. The draw's gate is then matched as well as
        exchanges of branches allow.
    used : ndarray of bool of shape (n_bootstrap,)
    counts : dict
        How many refits "failed", ended at a "boundary", "not converged", "starving", or with an "ambiguous" matching.
    notes : dict
        From the number of a draw to the message of its error, or to its parameters at a boundary.
    remarks : list of str
        Remarks on the draws and on the fit.
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
                f"bootstrap: {len(kept)} of {len(draws)} refits can be used, too few for a distribution. The others: "
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
            self.remarks.append(f"coefficients that are infinite in the fit or in a draw are left out: {names}")
        self.labels = [label for label, there in zip(self.labels, finite, strict=True) if there]
        self.estimate, self.draws = self.estimate[finite], self.draws[:, finite]

    def _compare(self, again, model):
        """Add a remark where the same refit to the original data differs from the fit, eq. (bootstrap-restart)."""
        if again.experts is None:
            self.remarks.append(f"a refit to the original data failed: {again.note}")
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
                f"a refit to the original data moves {int(moved.sum())} coefficient(s) by more than {MOVED:g} standard "
                f"errors, {label.side} {label.index} {label.term} most: the fit had not converged, or there is a "
                "better one. Use a smaller tol or more starts"
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
        return pandas_for("to_frame").DataFrame(self._columns(level))

    def _columns(self, level=0.95):
        columns = {name: [getattr(label, name) for label in self.labels] for name in Coefficient._fields}
        columns |= {"estimate": self.estimate, "bias": self.bias(), "std_error": self.standard_error()}
        for kind in ("percentile", "basic"):
            ends = self.interval(level, kind).T
            columns |= {f"{kind}_lower": ends[0], f"{kind}_upper": ends[1]}
        return columns

    def _head(self):
        """The settings and what became of the refits, in sentences."""
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
        left_out = len(self.labels) - len(rows)
        notes = [f"({left_out} more in to_frame())"] if left_out else []
        titles = ["side", "index", "part", "term", "estimate", "std err", "2.5 %", "97.5 %"]
        return Table(titles, rows, notes=notes)

    def __repr__(self):
        return as_text([*self._head(), self._table()])

    def _repr_html_(self):
        return as_html([*self._head(), self._table()])


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
    verbose=0,
    **rows,
):
    """Refit a model to bootstrap draws of the data.

    The case bootstrap draws rows with replacement; a row that is drawn twice gets twice the weight, which is
    equivalent to a copy. Experts of a refit are matched to those of the fit by the responsibilities of both for the
    rows of `X`, see `align`; a gate's coefficients are matched as far as the symmetries of the tree allow.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
        A fitted one. The tree of every refit is `model.tree_`.
    X, y : array-like
        The data that it was fitted to.
    n_bootstrap : int, default=200
        Number of draws.
    kind : {"case", "parametric"}, default="case"
        "case" draws rows, and is valid for any distribution of y; "parametric" draws y from the model, given X.
    sample_weight : array-like of shape (n,) or None, default=None
    weighting : {"copies", "rows"}, default="copies"
        The meaning of weights for "case". With "copies" a weight of 2 stands for two copies of the row, as in `fit`:
        the number of draws is the sum of the weights, and probabilities are proportional to them. With "rows" a weight
        belongs to its row, as sampling weights do: n rows are drawn with equal probabilities and keep their weights.
    clusters : array-like of shape (n,) or None, default=None
        Rows with the same value are drawn together. By default `groups` are drawn together; clusters must not divide
        them.
    refits : {"warm", "full"}, default="warm"
        Whether a refit starts from the responsibilities of the fit, or as `model` itself does.
    leave_out : tuple of str, default=("boundary",)
        Which refits beside the failed ones are left out: "boundary" (separating gates, variances at a floor),
        "not converged", "starving", "ambiguous". All are counted. Where the fit itself is at a boundary, refits at one
        are kept, with a remark.
    statistic : callable or None, default=None
        ``statistic(refit)`` returns an array to keep from each refit, such as predictions.
    random_state : int, RandomState or None, default=None
    n_jobs : int or None, default=None
        Refits that run at the same time (joblib). The result does not depend on it.
    verbose : int, default=0
        1 prints a line every other second that says how many refits are done and how long the rest may take; 2 prints
        one after each.
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
    >>> X = rng.uniform(-1, 1, (100, 1))
    >>> y = np.where(X[:, 0] < 0, 2.0 - X[:, 0], 3.0 * X[:, 0]) + 0.1 * rng.standard_normal(100)
    >>> found = bootstrap(HMERegressor(depth=1).fit(X, y), X, y, 8, random_state=0)
    >>> found.experts_.coef.shape, found.n_used
    ((8, 2, 1), 8)
    """
    check_model(model)
    check_is_fitted(model)
    check_int(n_bootstrap, "n_bootstrap", 2)
    check_verbose(verbose)
    check_choice(kind, "kind", ("case", "parametric"))
    if kind == "parametric" and rows.get("labels") is not None:
        raise ValueError("labels go with kind='case': parametric draws of experts would contradict the labels.")
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
        remarks.append("the fit itself is at a boundary, so that refits at one are kept: " + "; ".join(model.boundary_))

    reference = model.responsibilities(X, y, **without_labels(rows))
    seed = seed_of(random_state)
    calls = [
        (model, X, y, weight, rows, draw, reference, refits, statistic, (seed, b))
        for draw, b in [(Same(weight), n_bootstrap), *((draw, b) for b in range(n_bootstrap))]
    ]
    again, *draws = run_all(_one_draw, calls, n_jobs, verbose, "refits")
    found = Bootstrap(model, kind, refits, draws, leave_out, remarks)
    found._compare(again, model)
    return found


def _one_draw(model, X, y, weight, rows, draw, reference, refits, statistic, seed):
    """One refit. Each draw has its own random generator, so that the order of the work does not matter."""
    rng = np.random.default_rng(seed)
    start = reference if refits == "warm" else None
    try:
        if draw is None:
            target = draw_targets(model, X, rng, **without_labels(rows))
            if refits == "warm":
                start = model.responsibilities(X, target, **without_labels(rows))
            again = refit(model, X, target, weight, rows, int(rng.integers(2**31 - 1)), **one_start(start))
        else:
            again = refit(model, X, y, draw(rng), rows, int(rng.integers(2**31 - 1)), **one_start(start))
    except REFIT_ERRORS as error:
        return Draw(("failed",), f"{type(error).__name__}: {error}")
    if is_classifier(model) and again.target_.labels != model.target_.labels:
        return Draw(("failed",), "a class has no row in the draw")
    resp = again.responsibilities(X, y, **without_labels(rows))
    bound = model.model_
    allowed = exchangeable(bound.expert, model.n_experts_, "labels" in rows or bound.gate.traits.given)
    found = align(reference, resp, weight, bound.gate.tree, allowed)
    experts, gate = reordered(again, found)
    if shapes_of(experts) != shapes_of(model.experts_) or shapes_of(gate) != shapes_of(model.gate_):
        return Draw(("failed",), "expert_features or gate_features made other columns than in the fit")
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
