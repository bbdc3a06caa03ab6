"""The bootstrap of a fitted mixture: refits to drawn data, their experts matched to those of the fit."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone, is_classifier
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from .alignment import align, exchangeable
from .checks import check_choice, check_int, check_real
from .display import escaped, html_table, text_table
from .estimators import HMEClassifier, HMERegressor
from .gates import FixedGate, TreeGate

__all__ = [
    "Bootstrap",
    "Coefficient",
    "LikelihoodRatio",
    "bootstrap",
    "draw_targets",
    "lr_test_bootstrap",
    "one_start",
    "refit",
]

REFIT_ERRORS = (ValueError, np.linalg.LinAlgError, FloatingPointError)
ISSUES = ("boundary", "not converged", "starving", "ambiguous")
STARVING = 1e-3  # share of an equal share of the weight, as in `restarts.starving`
MOVED = 0.5  # standard errors by which a refit to the same data may miss the fit
FINALISTS = 2  # starts of a test's fits that run to the end
SHOWN = 40  # coefficients that the text shows
# By how much the larger model may stay below the smaller, in nats per unit of weight, before an optimiser is blamed.
SHORT = 1e-4


class Coefficient(NamedTuple):
    """Which number of `experts_` or `gate_` one is."""

    side: str  # "expert" or "gate"
    index: Any  # leaf or gating node, or the name of the expert
    part: str  # class, output or branch, "" where there is one
    term: str  # name of the column, "(intercept)", or of the field of the report


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
        self.labels, self.estimate = _labelled(model)
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
        self.experts_, self.gate_ = (_stacked([getattr(draw, side) for draw in kept]) for side in ("experts", "gate"))
        self.draws = np.array([_numbers(model, draw.experts, draw.gate) for draw in kept])
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
        names = dict(_entries(model, again.experts, again.gate))
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
    >>> found = bootstrap(HMERegressor(depth=1).fit(X, y), X, y, 50, random_state=0)
    >>> found.experts_.coef.shape, found.n_used
    ((50, 2, 1), 50)
    """
    check_model(model)
    check_is_fitted(model)
    check_int(n_bootstrap, "n_bootstrap", 2)
    check_choice(kind, "kind", ("case", "parametric"))
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
        draw = _case_drawer(units, weight, weighting, clusters is not None or "groups" in rows)
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
        for draw, b in [(_Same(weight), n_bootstrap), *((draw, b) for b in range(n_bootstrap))]
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
    experts, gate = _numeric(again.experts_), _numeric(again.gate_)
    experts = _taken(experts, found.experts)
    gate = _pick(gate, (found.nodes[:, None], found.branches)) if hierarchical else _pick(gate, found.leaves)
    if _shapes(experts) != _shapes(model.experts_) or _shapes(gate) != _shapes(model.gate_):
        return Draw(("failed",), "other columns than the fit's came out of expert_features or gate_features")
    starving = (again.load_ < STARVING / model.n_experts_).any()
    wrong = bool(again.boundary_), not again.converged_, bool(starving), found.ambiguous
    return Draw(
        tuple(issue for issue, there in zip(ISSUES, wrong, strict=True) if there), "; ".join(again.boundary_), experts,
        gate, again.load_[found.experts], float(again.lower_bounds_[-1]), found.agreement, found.confidence,
        found.crossed, None if statistic is None else np.asarray(statistic(again)),
    )  # fmt: skip


def one_start(start):
    """Settings of a fit from one start only; of None, the model's own."""
    return {} if start is None else {"start": start, "n_init": 1, "n_finalists": None}


def refit(model, X, y, weight, rows, seed, **settings):
    """A clone of a fitted model on the same tree, fitted anew, quietly."""
    settings = {
        "depth": "auto", "branching": 2, "n_experts": None, "tree": model.tree_, "warm_start": False, "callback": None,
        "verbose": 0, "n_jobs": None, "random_state": seed,
    } | settings  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a refit has to say is counted
        return clone(model).set_params(**settings).fit(X, y, sample_weight=weight, **rows)


# -- drawing -----------------------------------------------------------------------------------------------------------


def unit_codes(n_rows, groups, clusters):
    """Codes (n,) of what is drawn as a whole: clusters, else groups, else rows."""
    if clusters is None and groups is None:
        return np.arange(n_rows)
    name, values = ("groups", groups) if clusters is None else ("clusters", clusters)
    values = np.asarray(values)
    if values.shape != (n_rows,):
        raise ValueError(f"{name} has shape {values.shape}; it must hold one value for each row, {(n_rows,)}.")
    codes = np.unique(values, return_inverse=True)[1]
    if clusters is not None and groups is not None:
        pairs = np.unique(np.column_stack([np.unique(groups, return_inverse=True)[1], codes]), axis=0)
        if len(pairs) > len(np.unique(groups)):
            raise ValueError("clusters must hold groups whole: some group has rows in several clusters.")
    return codes


def _case_drawer(units, weight, weighting, several):
    """A function of a generator that draws the weights of all rows, eq. (case-bootstrap)."""
    n_units = units.max() + 1
    if weighting == "rows":
        return _Multiplicities(units, n_units, np.full(n_units, 1.0 / n_units), weight)
    mass = np.zeros(n_units)
    mass[units] = weight
    if several and not np.array_equal(mass[units], weight):
        raise ValueError(
            "sample_weight must be constant inside a cluster when weighting='copies', as a cluster is copied as a "
            "whole. Use weighting='rows'."
        )
    n_drawn = int(np.rint(mass.sum()))
    if n_drawn < 2:
        raise ValueError(
            f"sample_weight sums to {mass.sum():g}: with weighting='copies' that is the number of rows. Use "
            "weighting='rows' for weights that are no counts."
        )
    return _Multiplicities(units, n_drawn, mass / mass.sum(), np.full(len(weight), mass.sum() / n_drawn))


class _Same(NamedTuple):
    """No draw at all: the weights as they are."""

    weight: np.ndarray

    def __call__(self, rng):
        return self.weight


class _Multiplicities(NamedTuple):
    """How often each unit is drawn, times the factors of its rows."""

    units: np.ndarray
    n_drawn: int
    probability: np.ndarray
    factor: np.ndarray

    def __call__(self, rng):
        return rng.multinomial(self.n_drawn, self.probability)[self.units] * self.factor


def copies(X, y, weight, rows):
    """Rows as often as their weight says, each of which has a y of its own to be drawn."""
    if (weight == 1.0).all():
        return X, y, weight, rows
    count = np.rint(weight).astype(int)
    if not np.array_equal(count, weight):
        raise ValueError(
            "sample_weight must hold whole numbers when y is drawn from the model: a weight of 2 is the row twice, "
            "with two draws of y. Use kind='case'."
        )
    index = np.repeat(np.arange(len(weight)), count)
    rows = {name: value if np.ndim(value) == 0 else np.asarray(value)[index] for name, value in rows.items()}
    if "groups" in rows:  # a copy of a group is a group of its own
        copy = np.concatenate([np.arange(c) for c in count])
        pairs = np.column_stack([np.unique(rows["groups"], return_inverse=True)[1], copy])
        rows["groups"] = np.unique(pairs, axis=0, return_inverse=True)[1].ravel()
    return _safe_indexing(X, index), y[index], np.ones(len(index)), rows


def draw_targets(model, X, rng, groups=None, **rows):
    """Targets drawn from a fitted model given X, eq. (parametric-bootstrap); a group has one expert.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
    X : array-like of shape (n, p)
    rng : Generator
    groups : array-like of shape (n,) or None
    **rows
        `offset` and `trials` of a regressor.

    Returns
    -------
    ndarray in the shape of y
    """
    prior = model.gate_proba(X)
    n, K = prior.shape
    codes = unit_codes(n, groups, None)
    first = np.unique(codes, return_index=True)[1]
    leaf = _categorical(prior[first], rng)[codes]
    if is_classifier(model):
        return model.classes_[_categorical(model.predict_experts(X)[np.arange(n), leaf], rng)]
    return model.predict_dist(X, **rows).given(leaf).sample(rng=rng)


def _categorical(probability, rng):
    """One number a row, by the inverse of the cumulative probabilities."""
    cumulative = probability.cumsum(axis=1)
    return (rng.uniform(size=(len(cumulative), 1)) * cumulative[:, -1:] >= cumulative).sum(axis=1)


# -- the number of experts ---------------------------------------------------------------------------------------------


class LikelihoodRatio:
    """What `lr_test_bootstrap` found.

    Attributes
    ----------
    statistic : float
        Twice the gain in log-likelihood of the larger model.
    simulated : ndarray
        The same where y comes from the smaller model.
    p_value : float
        Share of statistics as large as the one that was seen, which counts as one of them, eq. (bootstrap-p).
    p_error : float
        Monte Carlo standard error of the p-value.
    n_short : int
        Data sets, out of the simulated and the observed one, in which no start of the larger model came up to the
        smaller one, whose maximum it cannot lie below: their statistics are too small. With penalties that may be the
        penalties' doing.
    n_failed : int
        Simulated data sets that could not be fitted; they are left out.
    n_experts : tuple of int
        Of the smaller and the larger model.
    log_likelihood : tuple of float
        Of the two on the data.
    """

    def __init__(self, n_experts, observed, simulated, n_failed):
        self.n_experts, self.n_failed = n_experts, n_failed
        self.log_likelihood = observed
        pairs = np.array([observed, *simulated])
        statistics = 2.0 * (pairs[:, 1] - pairs[:, 0])
        self.statistic, self.simulated = float(statistics[0]), statistics[1:]
        n = len(self.simulated)
        self.p_value = float((1.0 + np.count_nonzero(self.simulated >= self.statistic)) / (n + 1.0))
        self.p_error = float(np.sqrt(self.p_value * (1.0 - self.p_value) / (n + 1.0)))
        self.n_short = int((statistics < -SHORT * np.abs(pairs).max(axis=1).clip(1.0)).sum())

    def __repr__(self):
        small, large = self.n_experts
        lines = [
            f"Likelihood ratio test of {small} against {large} experts, {len(self.simulated)} simulated data sets",
            f"statistic {self.statistic:.4g}, p-value {self.p_value:.3g} (Monte Carlo error {self.p_error:.2g})",
        ]
        if self.n_failed:
            lines.append(f"{self.n_failed} simulated data sets could not be fitted and are left out")
        if self.n_short:
            lines.append(
                f"in {self.n_short} of {len(self.simulated) + 1} data sets the larger model fits worse than the "
                "smaller, so that its maximum was missed: raise n_init, or lower the penalties"
            )
        return "\n".join(lines)


def lr_test_bootstrap(
    small,
    large,
    X,
    y,
    n_bootstrap=99,
    *,
    n_init=5,
    sample_weight=None,
    random_state=None,
    n_jobs=None,
    **rows,
):
    """Test a mixture against a larger one by a parametric bootstrap of the likelihood ratio.

    The statistic has no chi-squared distribution here, since the larger model is not identified where the smaller one
    holds. Its distribution is simulated: y is drawn from the smaller model, and both are fitted to it as they were to
    the data, from equally many starts; the larger one also starts from the smaller one with its heaviest expert split.

    Parameters
    ----------
    small, large : HMERegressor or HMEClassifier
        Fitted or not; both are fitted here.
    X, y : array-like
    n_bootstrap : int, default=99
    n_init : int or None, default=5
        Starts of every fit, of which the best two run to the end; None leaves both to the models.
    sample_weight : array-like of int of shape (n,) or None, default=None
        Whole numbers: a row with a weight of 2 is two rows, each with a y of its own.
    random_state : int, RandomState or None, default=None
    n_jobs : int or None, default=None
        Data sets that are fitted at the same time (joblib). The result does not depend on it.
    **rows
        Row arguments of `fit`: `offset`, `trials`, `groups`.

    Returns
    -------
    LikelihoodRatio

    Raises
    ------
    ValueError, TypeError
        Naming the parameter, its value and what is allowed.

    References
    ----------
    McLachlan, G. J. (1987). On bootstrapping the likelihood ratio test statistic for the number of components in a
    normal mixture. Journal of the Royal Statistical Society C 36(3), 318-324.

    Davison, A. C. and Hinkley, D. V. (1997). Bootstrap Methods and their Application. Cambridge University Press,
    section 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.bootstrap import lr_test_bootstrap
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, (100, 1))
    >>> y = np.abs(X[:, 0]) + 0.1 * rng.standard_normal(100)
    >>> lr_test_bootstrap(HMERegressor(depth=0), HMERegressor(depth=1), X, y, 19, random_state=0).p_value
    0.05
    """
    for name, model in (("small", small), ("large", large)):
        check_model(model, name)
    if is_classifier(small) != is_classifier(large):
        raise TypeError(f"small is {type(small).__name__} and large is {type(large).__name__}: both must be the same.")
    check_int(n_bootstrap, "n_bootstrap", 1)
    if n_init is not None:
        check_int(n_init, "n_init")
    if rows.get("labels") is not None:
        raise ValueError("labels are not simulated: lr_test_bootstrap has no place for them.")
    rows = check_rows(small, rows)
    y = np.asarray(y)
    weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
    X, y, weight, rows = copies(X, y, weight, rows)
    seed = seed_of(random_state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pair = [
            clone(model).set_params(warm_start=False).fit(X, y, sample_weight=weight, **rows)
            for model in (small, large)
        ]
    n_experts = tuple(model.n_experts_ for model in pair)
    if not n_experts[0] <= n_experts[1]:
        raise ValueError(f"small has {n_experts[0]} experts and large has {n_experts[1]}: give the smaller one first.")
    observed, null = _fit_pair(pair, X, y, rows, n_init, (seed, n_bootstrap))
    jobs = (delayed(_simulated)(null, pair, X, rows, n_init, (seed, b)) for b in range(n_bootstrap))
    simulated = Parallel(n_jobs=n_jobs)(jobs)
    kept = [values for values in simulated if values is not None]
    if not kept:
        raise ValueError("lr_test_bootstrap: none of the simulated data sets could be fitted.")
    return LikelihoodRatio(n_experts, observed, kept, len(simulated) - len(kept))


def _simulated(null, pair, X, rows, n_init, seed):
    """Log-likelihoods of both models where y comes from the smaller one, or None."""
    try:
        y = draw_targets(null, X, np.random.default_rng(seed), **rows)
        return _fit_pair(pair, X, y, rows, n_init, seed)[0]
    except REFIT_ERRORS:
        return None


def _fit_pair(pair, X, y, rows, n_init, seed):
    """Log-likelihoods of both models fitted to y, and the smaller one."""
    seed = int(np.random.default_rng((*seed, 1)).integers(2**31 - 1))
    settings = {} if n_init is None else {"n_init": n_init, "n_finalists": min(FINALISTS, n_init)}
    small, large = (refit(model, X, y, None, rows, seed, **settings) for model in pair)
    if large.n_experts_ > small.n_experts_:
        start = _split_start(small, large.n_experts_, X, y, rows)
        nested = refit(large, X, y, None, rows, seed, **one_start(start))
        large = max(large, nested, key=lambda model: model.lower_bounds_[-1])
    return tuple(float(model.log_likelihood(X, y, **rows).sum()) for model in (small, large)), small


def _split_start(model, n_experts, X, y, rows):
    """Responsibilities for more experts: those of the heaviest leaf are divided by how well the model fits its rows."""
    resp = model.responsibilities(X, y, **rows)
    log_likelihood = model.log_likelihood(X, y, **rows)[unit_codes(len(y), rows.get("groups"), None)]
    while resp.shape[1] < n_experts:
        k = int(resp.sum(axis=0).argmax())
        order = np.argsort(log_likelihood, kind="stable")
        mass = np.cumsum(resp[order, k])
        worse = np.zeros(len(resp), dtype=bool)
        worse[order[mass <= 0.5 * mass[-1]]] = True
        new = np.where(worse, resp[:, k], 0.0)
        resp[:, k] -= new
        resp = np.column_stack([resp, new])
    return resp


# -- reports as numbers ------------------------------------------------------------------------------------------------


def _numeric(report):
    """A report, or a dict of them, with None for what is no array of numbers."""
    if isinstance(report, dict):
        return {name: _numeric(part) for name, part in report.items()}
    fields = (np.asarray(field) if np.asarray(field).dtype.kind in "fiu" else None for field in _fields(report))
    return type(report)(*fields)


def _fields(report):
    """The fields of a report; estimators, some of which look like sequences, are no numbers."""
    return ["" if hasattr(field, "fit") else field for field in report]


def _pick(report, index):
    """A report with its first axes put in another order."""
    return type(report)(*(None if field is None else field[index] for field in report))


def _taken(report, order):
    if isinstance(report, dict):
        parts = list(report.values())
        return {name: parts[k] for name, k in zip(report, order, strict=True)}
    return _pick(report, order)


def _shapes(report):
    if isinstance(report, dict):
        return {name: _shapes(part) for name, part in report.items()}
    return [None if field is None else field.shape for field in _numeric(report)]


def _stacked(reports):
    """Reports of all draws as one, the draw being the first axis."""
    first = reports[0]
    if isinstance(first, dict):
        return {name: _stacked([report[name] for report in reports]) for name in first}
    fields = zip(*reports, strict=True)
    return type(first)(*(None if field[0] is None else np.stack(field) for field in fields))


def _numbers(model, experts, gate):
    """All coefficients of both sides as one vector, in the order of their labels."""
    return np.array([value for _, value in _entries(model, experts, gate)])


def _labelled(model):
    """Labels of all coefficients, and the fit's own values."""
    labels, values = zip(*_entries(model, _numeric(model.experts_), _numeric(model.gate_)), strict=True)
    return list(labels), np.array(values)


def _entries(model, experts, gate):
    """(Coefficient, value) of every number."""
    columns = [side.design.names for side in model.columns_[:2]]
    classes = [str(c) for c in getattr(model, "classes_", [])]
    parts = classes[1:] if len(classes) == 2 else classes
    if isinstance(experts, dict):
        for name, report in experts.items():
            yield from _of_report("expert", name, report, columns[0], parts)
    else:
        for k in range(model.n_experts_):
            yield from _of_report("expert", k, _pick(experts, k), columns[0], parts)
    if isinstance(model.model_.gate, TreeGate):
        for m, n_branches in enumerate(model.tree_.branching):
            yield from _of_report("gate", m, _pick(gate, (m, slice(n_branches))), columns[1], None)
    else:
        for k in range(model.n_experts_):
            yield from _of_report("gate", k, _pick(gate, k), columns[1], None)


def _of_report(side, index, report, columns, parts):
    """(Coefficient, value) of the numbers of one expert or node."""
    for name, field in zip(report._fields, report, strict=True):
        if field is None:
            continue
        field = np.asarray(field, dtype=float)
        for place, value in np.ndenumerate(field):
            term, where = name, place
            if name == "intercept":
                term = "(intercept)"
            elif name == "coef":
                term, where = _column(columns, place[-1]), place[:-1]
            alone = all(size == 1 for size in (field.shape[:-1] if name == "coef" else field.shape))
            part = "" if alone else ", ".join(parts[i] if parts and i < len(parts) else str(i) for i in where)
            yield Coefficient(side, index, part, str(term)), float(value)


def _column(columns, j):
    return f"x{j}" if columns is None else columns[j]


# -- arguments ---------------------------------------------------------------------------------------------------------


def check_model(model, name="model"):
    if not isinstance(model, HMERegressor | HMEClassifier):
        raise TypeError(f"{name} must be an HMERegressor or HMEClassifier, got {type(model).__name__}.")


def check_rows(model, rows):
    """Row arguments that were given, refused by name where the model's `fit` has none such."""
    allowed = ("groups", "labels") if is_classifier(model) else ("offset", "trials", "groups", "labels")
    odd = sorted(set(rows) - set(allowed))
    if odd:
        raise TypeError(f"{odd[0]} is no argument of the fit of {type(model).__name__}; it has {', '.join(allowed)}.")
    return {name: value for name, value in rows.items() if value is not None}


def known(rows):
    """Row arguments of the predict side: labels are the fit's alone."""
    return {name: value for name, value in rows.items() if name != "labels"}


def seed_of(random_state):
    return int(check_random_state(random_state).randint(2**31 - 1))


def _tails(level):
    if not 0 < check_real(level, "level", positive=True) < 1:
        raise ValueError(f"level must be between 0 and 1, got {level!r}.")
    return 0.5 * (1.0 - level), 0.5 * (1.0 + level)
