"""Is a mixture worth its experts? Held-out evidence against models without routing, and checks of what it says."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from scipy.stats import rankdata
from sklearn.base import clone, is_classifier
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from .alternatives import alternatives, other_sizes
from .basins import RestartReport, restart_report
from .bootstrap import REFIT_ERRORS, bootstrap, check_model, check_rows, known, refit, seed_of, unit_codes
from .checks import check_int, check_real
from .display import escaped, html_table, text_table

__all__ = ["Diagnosis", "Gain", "Reliability", "RestartReport", "diagnose", "restart_report"]

SURE = 2.0  # standard errors that a gain must have to count
N_BINS = 10
FLOOR = -700.0  # log-density that stands for a probability of zero
SURE_ROW = 0.8  # responsibility from which a row's expert is clear
LARGE_ECE, LARGE_TREND, UNSTABLE = 0.1, 0.2, 0.6  # from which a remark is made
KOLMOGOROV = 1.358  # asymptotic 5 % point of sqrt(n) times the distance


class Gain(NamedTuple):
    """Held-out log-likelihood of the model over another, eq. (routing-gain)."""

    name: str  # of the other
    kind: str  # "single", "bent", "mixture" or "size": what it is
    mean: float  # per unit of weight
    error: float  # paired standard error
    log_likelihood: float  # of the other, per unit of weight
    n_parameters: int | None  # of the other
    note: str = ""  # why there is no number

    @property
    def there(self):
        return not self.note

    def clear(self, least=0.0):
        """Whether the model is better, beyond doubt and by so much."""
        return self.mean > SURE * self.error and self.mean > least


class Reliability(NamedTuple):
    """Probabilities against what happened, in bins of the probability."""

    said: np.ndarray  # mean probability in each bin
    seen: np.ndarray  # mean of what happened
    weight: np.ndarray  # share of the weight
    error: float  # expected calibration error, eq. (gate-calibration)


class Residuals(NamedTuple):
    """Held-out standardised residuals of one output."""

    output: int
    mean: float
    std: float
    skew: float
    trend: float  # rank correlation of the residuals with the prediction
    spread: float  # rank correlation of their size with the prediction


class Held(NamedTuple):
    """What fits of the folds say of the rows they have not seen."""

    log_likelihood: np.ndarray  # (heads,)
    n_parameters: int | None
    prior: Any = None  # (n, K)
    resp: Any = None  # (n, K)
    mean: Any = None  # (n, T), or probabilities (n, C)
    std: Any = None  # (n, T)
    pit: Any = None  # (n, T)


class Diagnosis:
    """What `diagnose` found; printed, it is a page of text.

    Attributes
    ----------
    verdict : {"single", "no routing", "routing"}
        Whether one expert is enough; whether something without routing does as well; or whether routing pays.
    sentence : str
        The verdict in words, with the evidence.
    log_likelihood : float
        Held-out log-likelihood of the model, per unit of weight.
    gains : list of Gain
        Over every alternative.
    gate : Reliability
        Held-out responsibilities against `gate_proba`.
    load : ndarray of shape (K,)
    effective_experts, effective_per_row : float
        Exponentials of the entropy of the load, and of the mean entropy of a row's prior, eq. (effective-experts).
    overlap : float
        Mean entropy of the responsibilities, in nats.
    clear_rows : float
        Share of the weight whose expert has a responsibility of 0.8 or more.
    seed_ari, bootstrap_ari : ndarray
        Adjusted Rand indices of the rows' most probable experts with those of the model, for fits from other starts and
        for fits to drawn rows.
    seed_gap : ndarray
        Objectives of the fits from other starts minus the model's, per unit of weight.
    pit : list of float, or None
        Kolmogorov distances of the held-out probability integral transform from uniform, one for each output.
    pit_limit : float
        Distance that uniform numbers exceed in one of twenty cases.
    residuals : list of Residuals, or None
    classes : Reliability or None
        Held-out class probabilities.
    remarks : list of str
        What else deserves attention.
    """

    def __init__(self, **found):
        self.__dict__.update(found)

    def to_frame(self):
        """A pandas DataFrame of every figure: "section", "what", "value", "error"."""
        import pandas as pd

        return pd.DataFrame(self._figures(), columns=["section", "what", "value", "error"])

    def _figures(self):
        rows = [("held out", "log-likelihood", self.log_likelihood, None)]
        rows += [("gain over", gain.name, gain.mean, gain.error) for gain in self.gains if gain.there]
        rows += [("gate", "calibration error", self.gate.error, None)]
        rows += [("load", f"expert {k}", float(share), None) for k, share in enumerate(self.load)]
        rows += [
            ("experts", "effective number, of the load", self.effective_experts, None),
            ("experts", "effective number, in a row", self.effective_per_row, None),
            ("experts", "entropy of responsibilities", self.overlap, None),
            ("experts", "share of rows with a clear expert", self.clear_rows, None),
        ]
        for name, values in (("other starts", self.seed_ari), ("drawn rows", self.bootstrap_ari)):
            if len(values):
                spread = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
                rows.append(("stability", f"ARI, {name}", float(values.mean()), spread))
        if len(self.seed_gap):
            rows.append(("stability", "best of other starts minus model", float(self.seed_gap.max()), None))
        for t, distance in enumerate(self.pit or []):
            rows.append(("distribution", f"PIT distance, output {t} (5 % point {self.pit_limit:.3f})", distance, None))
        for found in self.residuals or []:
            for what in ("mean", "std", "skew", "trend", "spread"):
                rows.append(("residuals", f"{what}, output {found.output}", getattr(found, what), None))
        if self.classes is not None:
            rows.append(("classes", "calibration error", self.classes.error, None))
        return rows

    def _tables(self):
        gains = [
            [g.name, "" if g.n_parameters is None else g.n_parameters, g.log_likelihood, g.mean, g.error]
            for g in self.gains
            if g.there
        ]
        yield ["model against", "parameters", "held out", "gain", "std err"], gains
        rest = [
            [section, what, value, "" if error is None else error]
            for section, what, value, error in self._figures()
            if section not in ("held out", "gain over", "load")
        ]
        yield ["check", "", "value", "std err"], rest

    def _head(self):
        yield self.sentence
        load = ", ".join(f"{share:.2f}" for share in self.load)
        yield f"held-out log-likelihood {self.log_likelihood:.4g} a {self.unit}; load of the experts {load}"

    def __repr__(self):
        gains, rest = self._tables()
        lines = [*self._head(), "", *text_table(*gains), "", *text_table(*rest)]
        return "\n".join(lines + [f"- {remark}" for remark in self.remarks])

    def _repr_html_(self):
        first, second = self._head()
        tables = "".join(html_table(*table) for table in self._tables())
        remarks = "".join(f"<li>{escaped(remark)}</li>" for remark in self.remarks)
        return f"<p><b>{escaped(first)}</b></p><p>{escaped(second)}</p>{tables}<ul>{remarks}</ul>"


def diagnose(
    model,
    X,
    y,
    *,
    sample_weight=None,
    cv=5,
    n_seeds=5,
    n_bootstrap=10,
    families=(),
    least_gain=0.01,
    clusters=None,
    random_state=None,
    n_jobs=None,
    **rows,
):
    """Say whether a mixture is worth its experts, and check what it says.

    All evidence is held out: the model and its alternatives are fitted to all folds but one and judged by the
    log-likelihood of the rows in it. Alternatives are a single expert of the same family; single experts of other
    `families`; a single expert on bent columns (splines, polynomials) with about as many parameters as the model; and
    the same experts with a constant gate. Other numbers of experts are tried too: where the best of them makes a better
    case for routing than the model does, the verdict is on that, and says so. The verdict is

    - "single", where the model does not gain on the best single straight expert: by two standard errors, and by
      `least_gain`;
    - "no routing", where it does, but does not gain in the same way on a bent expert or on the constant gate;
    - "routing" otherwise.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
        Fitted or not. Its tree is kept for all fits.
    X, y : array-like
    sample_weight : array-like of shape (n,) or None, default=None
    cv : int, default=5
        Number of folds; groups and clusters are kept whole, the classes of a classifier in their proportions.
    n_seeds : int, default=5
        Fits from other starts, which show how firm the regimes are; 0 for none.
    n_bootstrap : int, default=10
        Fits to drawn rows, for the same purpose; 0 for none, otherwise at least 2.
    families : sequence of str or experts, default=()
        Further families for the single expert.
    least_gain : float, default=0.01
        In nats per unit of weight, what a gain must be to matter.
    clusters : array-like of shape (n,) or None, default=None
        Rows of one value depend on one another: they stay in one fold and count once in standard errors. By default
        `groups`, where given.
    random_state : int, RandomState or None, default=None
    n_jobs : int or None, default=None
        Fits that run at the same time (joblib). The result does not depend on it.
    **rows
        Row arguments of `fit`: `offset`, `trials`, `groups`, `labels`.

    Returns
    -------
    Diagnosis

    Raises
    ------
    ValueError, TypeError
        Naming the parameter, its value and what is allowed.

    References
    ----------
    Gneiting, T., Balabdaoui, F. and Raftery, A. E. (2007). Probabilistic forecasts, calibration and sharpness. Journal
    of the Royal Statistical Society B 69(2), 243-268.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.diagnosis import diagnose
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 2))
    >>> y = X[:, 0] - X[:, 1] + rng.normal(size=200)
    >>> diagnose(HMERegressor(depth=1), X, y, n_seeds=2, n_bootstrap=2, random_state=0).verdict
    'single'
    """
    check_model(model)
    check_int(cv, "cv", 2)
    check_int(n_seeds, "n_seeds", 0)
    if check_int(n_bootstrap, "n_bootstrap", 0) == 1:
        raise ValueError("n_bootstrap must be 0 or at least 2, got 1.")
    least_gain = check_real(least_gain, "least_gain")
    rows = check_rows(model, rows)
    y = np.asarray(y)
    weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
    seed = seed_of(random_state)
    if not hasattr(model, "params_"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = clone(model).set_params(warm_start=False).fit(X, y, sample_weight=weight, **rows)
    check_is_fitted(model)
    table = _Table(X, y, weight, rows, unit_codes(len(y), rows.get("groups"), clusters))
    folds = _folds(model, table, cv, seed)
    sizes = [] if "labels" in rows else other_sizes(model, weight.sum())
    names, kinds, others = zip(*alternatives(model, X, families), *sizes, strict=True)

    jobs = [delayed(_held)(model, table, fold, seed + f, True) for f, fold in enumerate(folds)]
    for other in others:
        jobs += [delayed(_held)(other, table, fold, seed + f, False) for f, fold in enumerate(folds)]
    jobs += [delayed(_other_start)(model, table, (seed, s)) for s in range(n_seeds)]
    answers = Parallel(n_jobs=n_jobs)(jobs)
    own, answers = answers[:cv], answers[cv:]
    failed = [answer for answer in own if isinstance(answer, str)]
    if failed:
        raise ValueError(f"the model cannot be fitted to {len(failed)} of {cv} folds: {failed[0]}. Use other cv.")
    of_others = [answers[i * cv : (i + 1) * cv] for i in range(len(others))]
    seeds = [answer for answer in answers[len(others) * cv :] if not isinstance(answer, str)]

    evidence = _Evidence(table, folds)
    values = evidence.clipped([held.log_likelihood for held in own])
    rivals = [
        _Rival(name, kind, getattr(parts[0], "n_parameters", None), *evidence.joined(parts))
        for name, kind, parts in zip(names, kinds, of_others, strict=True)
    ]
    gains = [evidence.gain(values, rival) for rival in rivals]
    remarks = [f"{gain.name}: {gain.note}" for gain in gains if gain.note]
    if evidence.n_zero:
        remarks.append(f"{evidence.n_zero} held-out log-densities were below {FLOOR:g} and stand at that")
    missing = n_seeds - len(seeds)
    if missing:
        remarks.append(f"{missing} of {n_seeds} fits from other starts failed")
    unit = "group" if "groups" in rows else "row"
    verdict, sentence = _judge(evidence, values, model.n_experts_, rivals, least_gain, unit)
    found = {
        "verdict": verdict, "sentence": sentence, "gains": gains, "unit": unit,
        "log_likelihood": evidence.mean(values),
        "seed_ari": np.array([ari for ari, _ in seeds]),
        "seed_gap": np.array([objective - model.lower_bounds_[-1] for _, objective in seeds]),
        "bootstrap_ari": _bootstrap_ari(model, table, n_bootstrap, seed, n_jobs, clusters, remarks),
    }  # fmt: skip
    found |= _routing(model, table) | _calibration(model, table, folds, own, seed)
    remarks += _remarks(found)
    return Diagnosis(remarks=remarks, **found)


# -- fits --------------------------------------------------------------------------------------------------------------


class _Table(NamedTuple):
    """What a user handed over, as one."""

    X: Any
    y: np.ndarray
    weight: np.ndarray
    rows: dict
    units: np.ndarray  # (n,) codes of what stays together

    def take(self, index):
        rows = {name: value if np.ndim(value) == 0 else np.asarray(value)[index] for name, value in self.rows.items()}
        return _Table(_safe_indexing(self.X, index), self.y[index], self.weight[index], rows, self.units[index])


def _folds(model, table, cv, seed):
    """Numbers of the held-out rows of each fold."""
    n_units = len(np.unique(table.units))
    alone = n_units == len(table.y)
    if n_units < cv:
        raise ValueError(f"cv = {cv} must be at most the number of rows, groups or clusters, {n_units}.")
    if is_classifier(model):
        least = np.unique(table.y, return_counts=True)[1].min()
        if least < cv:
            raise ValueError(f"cv = {cv} must be at most the number of rows of the rarest class, {least}.")
        splitter = (StratifiedKFold if alone else StratifiedGroupKFold)(cv, shuffle=True, random_state=seed)
        groups = None if alone else table.units
        return [test for _, test in splitter.split(np.zeros((len(table.y), 1)), table.y, groups)]
    if alone:
        return [test for _, test in KFold(cv, shuffle=True, random_state=seed).split(table.y)]
    codes = np.random.default_rng(seed).permutation(n_units)[np.unique(table.units, return_inverse=True)[1]]
    return [test for _, test in GroupKFold(cv).split(np.zeros((len(codes), 1)), groups=codes)]


def _fit_again(model, table, seed, **settings):
    """The model on its tree, or an alternative as it stands, fitted quietly."""
    if hasattr(model, "params_"):
        return refit(model, *table[:4], seed, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        settings = {"random_state": seed, "n_jobs": None, "verbose": 0, "callback": None}
        return clone(model).set_params(**settings).fit(table.X, table.y, sample_weight=table.weight, **table.rows)


def _held(model, table, fold, seed, whole):
    """What a fit to the other rows says of those of a fold, or the message of an error."""
    outside = np.setdiff1d(np.arange(len(table.y)), fold)
    train, test = table.take(outside), table.take(fold)
    given = not isinstance(model.start, str)
    settings = {"start": np.asarray(model.start)[outside]} if given and hasattr(model, "params_") else {}
    try:
        fitted = _fit_again(model, train, seed, **settings)
        rows = known(test.rows)
        log_likelihood = fitted.log_likelihood(test.X, test.y, **rows)
        size = getattr(fitted, "n_parameters_", None)
    except REFIT_ERRORS as error:
        return f"{type(error).__name__}: {error}"
    if not whole:
        return Held(log_likelihood, size)
    alone = {name: value for name, value in rows.items() if name != "groups"}
    prior, resp = fitted.gate_proba(test.X), fitted.responsibilities(test.X, test.y, **rows)
    if is_classifier(model):
        return Held(log_likelihood, size, prior, resp, fitted.predict_proba(test.X))
    try:
        mean, std = fitted.predict(test.X, return_std=True, **alone)
        mean, std = mean.reshape(len(mean), -1), std.reshape(len(std), -1)
    except NotImplementedError:  # a family without a variance
        mean = std = None
    return Held(log_likelihood, size, prior, resp, mean, std, _pit(fitted, test, alone, seed))


def _pit(fitted, test, rows, seed):
    """Probability integral transforms (n, T), drawn between the ends of the step where y has a probability."""
    if not hasattr(fitted, "predict_dist"):
        return None
    y = np.asarray(test.y, dtype=float).reshape(len(test.y), -1)
    try:
        law = fitted.predict_dist(test.X, **rows)
        laws = [law.marginal(t) for t in range(y.shape[1])] if hasattr(law, "marginal") else [law]
        upper = np.column_stack([np.ravel(one.cdf(y[:, t])) for t, one in enumerate(laws)])
        below = np.nextafter(y, -np.inf)
        lower = np.column_stack([np.ravel(one.cdf(below[:, t])) for t, one in enumerate(laws)])
    except NotImplementedError:
        return None
    return lower + np.random.default_rng(seed).uniform(size=y.shape) * (upper - lower)


def _other_start(model, table, seed):
    """ARI with the model, and objective, of a fit from another start; or the message of an error."""
    seed = int(np.random.default_rng(seed).integers(2**31 - 1))
    try:
        fitted = _fit_again(model, table, seed, start="perturbed_model_tree")  # draws, whatever the task
    except REFIT_ERRORS as error:
        return f"{type(error).__name__}: {error}"
    return _ari(model, fitted, table), float(fitted.lower_bounds_[-1])


def _leaves(model, table):
    """The most probable leaf of each row: from x alone where the gate looks at it."""
    if getattr(model.model_.gate, "sees_columns", True):
        return model.apply(table.X)
    return model.responsibilities(table.X, table.y, **known(table.rows)).argmax(axis=1)


def _ari(model, other, table):
    there = table.weight > 0
    return float(adjusted_rand_score(_leaves(model, table)[there], _leaves(other, table)[there]))


class _LeavesOf:
    """A statistic for `bootstrap`: agreement of the leaves with the model's."""

    def __init__(self, model, table):
        self.model, self.table = model, table

    def __call__(self, fitted):
        return _ari(self.model, fitted, self.table)


def _bootstrap_ari(model, table, n_bootstrap, seed, n_jobs, clusters, remarks):
    """ARI with the model of fits to drawn rows, each from the model's own start."""
    if not n_bootstrap:
        return np.zeros(0)
    given = not isinstance(model.start, str)
    try:
        found = bootstrap(
            model, table.X, table.y, n_bootstrap, sample_weight=table.weight, weighting="rows", clusters=clusters,
            refits="warm" if given else "full", leave_out=(), statistic=_LeavesOf(model, table), random_state=seed,
            n_jobs=n_jobs, **table.rows,
        )  # fmt: skip
    except ValueError as error:
        remarks.append(str(error))
        return np.zeros(0)
    if found.n_used < n_bootstrap:
        remarks.append(f"{n_bootstrap - found.n_used} of {n_bootstrap} fits to drawn rows failed")
    return found.statistics


# -- evidence ----------------------------------------------------------------------------------------------------------


class _Evidence:
    """Held-out log-densities of rows or groups, with their weights and units."""

    def __init__(self, table, folds):
        groups = table.rows.get("groups")
        weight, units = [], []
        for fold in folds:
            codes = unit_codes(len(fold), None if groups is None else np.asarray(groups)[fold], None)
            first = np.unique(codes, return_index=True)[1]  # a group counts once, in the order of its values
            weight.append(table.weight[fold][first])
            units.append(table.units[fold][first])
        self.weight, self.n_zero = np.concatenate(weight), 0
        self.units = np.unique(np.concatenate(units), return_inverse=True)[1]

    def clipped(self, parts):
        values = np.concatenate(parts)
        low = ~(values > FLOOR) & (self.weight > 0)
        self.n_zero += int(low.sum())
        return np.where(values > FLOOR, values, FLOOR)

    def mean(self, values):
        return float(self.weight @ values / self.weight.sum())

    def error(self, values):
        """Standard error of the mean, units being independent, eq. (gain-error)."""
        sums = np.bincount(self.units, self.weight * (values - self.mean(values)))
        mass = np.bincount(self.units, self.weight) > 0
        n = int(mass.sum())
        return float(np.sqrt((sums**2).sum() * n / max(n - 1, 1)) / self.weight.sum())

    def joined(self, parts):
        """Log-densities of all folds, and why there are none."""
        failed = [part for part in parts if isinstance(part, str)]
        if failed:
            return None, f"cannot be fitted ({failed[0]})"
        return self.clipped([part.log_likelihood for part in parts]), ""

    def gain(self, values, rival):
        """What a model with these log-densities gains over another."""
        if rival.note:
            return Gain(rival.name, rival.kind, 0.0, 0.0, 0.0, rival.n_parameters, rival.note)
        gain = values - rival.log_likelihood
        mean = self.mean(rival.log_likelihood)
        return Gain(rival.name, rival.kind, self.mean(gain), self.error(gain), mean, rival.n_parameters)


class _Rival(NamedTuple):
    name: str
    kind: str
    n_parameters: int | None
    log_likelihood: np.ndarray | None  # held out
    note: str


VERDICTS = ("single", "no routing", "routing")  # from the weakest case for a mixture to the strongest


def _judge(evidence, values, n_experts, rivals, least_gain, unit):
    """The verdict and its sentence, for the model or, where that makes a better case, the best of another size."""
    if n_experts == 1:
        return "single", "The model is a single expert: there is no routing to judge."
    others = [rival for rival in rivals if rival.kind != "size"]
    if all(rival.note for rival in others if rival.kind == "single"):
        raise ValueError(f"no single expert can be fitted to compare the model with: {others[0].note}.")

    def case(values, name):
        return _case([evidence.gain(values, rival) for rival in others if not rival.note], name, least_gain, unit)

    verdict, sentence = case(values, f"{n_experts} experts")
    resized = [rival for rival in rivals if rival.kind == "size" and not rival.note]
    if resized:
        best = max(resized, key=lambda rival: evidence.mean(rival.log_likelihood))
        other, instead = case(best.log_likelihood, best.name)
        if VERDICTS.index(other) > VERDICTS.index(verdict):
            loss = evidence.gain(values, best)
            instead += f" It takes another number of experts than the model's {n_experts}, which gain "
            instead += f"{_said(loss, unit)}."
            return other, instead
    return verdict, sentence


def _said(gain, unit):
    return f"{gain.mean:+.3g} +/- {gain.error:.2g} nats a {unit} over {gain.name}"


def _case(gains, name, least_gain, unit):
    """The verdict on one mixture from its gains."""
    single = min((gain for gain in gains if gain.kind == "single"), key=lambda gain: gain.mean)
    rival = min((gain for gain in gains if gain.kind != "single"), key=lambda gain: gain.mean, default=None)
    if not single.clear(least_gain):
        sentence = f"A single model is enough: held out, {name} gain {_said(single, unit)}."
        if rival is not None and rival.kind == "bent" and rival.mean < single.mean - SURE * rival.error:
            sentence += f" A bent one is better than both: the experts gain {_said(rival, unit)}."
        return "single", sentence
    first = f"held out, {name} gain {_said(single, unit)}"
    if rival is None or rival.clear(least_gain):
        second = "" if rival is None else f", and {_said(rival, unit)}, the best of what does without routing"
        return "routing", f"Routing pays: {first}{second}."
    better = "does better" if rival.mean < -SURE * rival.error else "does as well"
    return "no routing", (
        f"A single straight model is not enough, but routing is not shown to be needed: {first}; {rival.name} {better} "
        f"({_said(rival, unit)})."
    )


# -- checks ------------------------------------------------------------------------------------------------------------


def _routing(model, table):
    """How many experts are at work, and how clearly rows belong to them, eq. (effective-experts)."""
    prior = model.gate_proba(table.X)
    resp = model.responsibilities(table.X, table.y, **known(table.rows))
    share = table.weight / table.weight.sum()
    return {
        "load": model.load_,
        "effective_experts": float(np.exp(_entropy(model.load_))),
        "effective_per_row": float(np.exp(share @ _entropy(prior))),
        "overlap": float(share @ _entropy(resp)),
        "clear_rows": float(share @ (resp.max(axis=1) >= SURE_ROW)),
    }


def _entropy(probability):
    return -(probability * np.log(np.maximum(probability, np.finfo(float).tiny))).sum(axis=-1)


def _calibration(model, table, folds, held, seed):
    """Gate, distribution, residuals and classes, all on held-out rows."""
    order = np.concatenate(folds)
    weight, y = table.weight[order], table.y[order]
    share = weight / weight.sum()
    stacked = {
        name: None if getattr(held[0], name) is None else np.concatenate([getattr(part, name) for part in held])
        for name in ("prior", "resp", "mean", "std", "pit")
    }
    found = {"gate": _reliability(stacked["prior"], stacked["resp"], share), "classes": None, "residuals": None}
    found |= {"pit": None, "pit_limit": KOLMOGOROV * float(np.sqrt((share**2).sum()))}
    if is_classifier(model):
        happened = y[:, None] == model.classes_
        return found | {"classes": _reliability(stacked["mean"], happened.astype(float), share, True)}
    if stacked["pit"] is not None:
        found["pit"] = [_kolmogorov(column, share) for column in stacked["pit"].T]
    if stacked["mean"] is not None and np.isfinite(stacked["std"]).all():
        z = (np.asarray(y, dtype=float).reshape(len(y), -1) - stacked["mean"]) / stacked["std"]
        found["residuals"] = [_residuals(t, z[:, t], stacked["mean"][:, t], share) for t in range(z.shape[1])]
    return found


def _reliability(said, seen, share, by_column=False):
    """Probabilities (n, K) in bins against what happened, eq. (gate-calibration).

    The bins are of all columns together, as leaves of different folds have different numbers; classes have the same,
    so that errors are found `by_column`.
    """
    columns = said.shape[1]
    bins = np.minimum((said * N_BINS).astype(int), N_BINS - 1)
    cells = bins + N_BINS * np.arange(columns) if by_column else bins
    weight = np.broadcast_to(share[:, None], said.shape)
    gaps = np.bincount(cells.ravel(), (weight * (said - seen)).ravel())
    mass, *sums = (
        np.bincount(bins.ravel(), values.ravel(), N_BINS) for values in (weight, weight * said, weight * seen)
    )
    used = mass > 0
    # Half the sum over columns is what two of them would give, and does not shrink with the number of the others.
    error = 0.5 * float(np.abs(gaps).sum())
    return Reliability(*(values[used] / mass[used] for values in sums), mass[used] / columns, error)


def _kolmogorov(u, share):
    """Largest distance of a weighted empirical distribution on [0, 1] from the uniform one."""
    order = np.argsort(u)
    above = np.cumsum(share[order])
    return float(np.maximum(above - u[order], u[order] - above + share[order]).max())


def _residuals(output, z, mean, share):
    center = share @ z
    std = np.sqrt(share @ (z - center) ** 2)
    skew = share @ (z - center) ** 3 / std**3 if std > 0 else 0.0
    there = share > 0
    trend, spread = (_rank_correlation(values, mean, share, there) for values in (z, np.abs(z - center)))
    return Residuals(output, float(center), float(std), float(skew), trend, spread)


def _rank_correlation(a, b, share, there):
    """Spearman's correlation, weighted."""
    ranks = np.stack([rankdata(values[there]) for values in (a, b)])
    w = share[there]
    ranks -= (ranks @ w)[:, None]
    covariance = (ranks * w) @ ranks.T
    size = np.sqrt(covariance[0, 0] * covariance[1, 1])
    return float(covariance[0, 1] / size) if size > 0 else 0.0


def _remarks(found):
    """What else deserves attention, in sentences."""
    said = []
    if found["gate"].error > LARGE_ECE:
        said.append(f"the gate's probabilities miss the responsibilities of held-out rows by {found['gate'].error:.2f}")
    for gain in found["gains"]:
        if gain.kind == "size" and gain.there and gain.mean < -SURE * gain.error:
            said.append(f"{gain.name} do better than the model, whose experts gain {_said(gain, found['unit'])}")
    idle = int((found["load"] < 0.01).sum())
    if idle:
        said.append(f"{idle} of {len(found['load'])} experts have less than 1 % of the weight: use fewer")
    for name, values in (("other starts", found["seed_ari"]), ("drawn rows", found["bootstrap_ari"])):
        if len(values) and values.mean() < UNSTABLE:
            said.append(f"the regimes are not firm: fits from {name} agree with the model's by an ARI of "
                        f"{values.mean():.2f}")  # fmt: skip
    if len(found["seed_gap"]) and found["seed_gap"].max() > 1e-3:
        said.append(
            f"another start is {found['seed_gap'].max():.2g} nats a row better than the model: raise its n_init"
        )
    for t, distance in enumerate(found["pit"] or []):
        if distance > found["pit_limit"]:
            said.append(f"the predictive distribution of output {t} is off: PIT distance {distance:.3f}")
    limit = max(LARGE_TREND, 3.0 * found["pit_limit"] / KOLMOGOROV)
    for part in found["residuals"] or []:
        if abs(part.trend) > limit:
            said.append(f"residuals of output {part.output} go along with the prediction (rank correlation "
                        f"{part.trend:.2f})")  # fmt: skip
        if abs(part.spread) > limit:
            said.append(f"the size of the residuals of output {part.output} goes along with the prediction (rank "
                        f"correlation {part.spread:.2f}): the noise is not what the experts say")  # fmt: skip
    if found["classes"] is not None and found["classes"].error > LARGE_ECE:
        said.append(f"held-out class probabilities are off by {found['classes'].error:.2f}")
    return said
