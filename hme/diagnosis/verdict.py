"""Is a mixture worth its experts? Held-out evidence against models without routing, and checks of its predictions."""

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from ..bootstrap.progress import check_verbose, run_all
from ..bootstrap.refits import check_model, check_rows, fit_once, seed_of, unit_codes
from ..numerics.checks import check_int, check_real
from ..tables import Table, as_html, as_text
from .alternatives import alternatives, other_sizes
from .checks import calibration_of, remarks_of, routing_of
from .evidence import FLOOR, Evidence, Rival, judge
from .held_out import Data, bootstrap_ari, folds_of, held_out, other_start, reached

__all__ = ["Diagnosis", "diagnose"]


class Diagnosis:
    """Result of `diagnose`; printed, it is a page of text.

    Attributes
    ----------
    verdict : {"single", "no routing", "routing"}
        One expert is enough; or a model without routing does as well; or routing pays.
    sentence : str
        The verdict in words, with the evidence.
    log_likelihood : float
        Held-out log-likelihood of the model, per unit of weight.
    gains : list of Gain
        Gains over every alternative.
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
        Further findings that deserve attention.
    """

    def __init__(self, **found):
        self.__dict__.update(found)

    def to_frame(self):
        """A pandas DataFrame of every figure: "section", "what", "value", "error"."""
        return Table(["section", "what", "value", "error"], self._figures()).to_frame()

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
                error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
                rows.append(("stability", f"ARI, {name}", float(values.mean()), error))
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

    def _parts(self):
        """Sentences and tables, as they stand below each other."""
        load = ", ".join(f"{share:.2f}" for share in self.load)
        yield self.sentence
        yield f"held-out log-likelihood {self.log_likelihood:.4g} a {self.unit}; load of the experts {load}"
        gains = [[g.name, g.n_parameters, g.log_likelihood, g.mean, g.error] for g in self.gains if g.there]
        yield ""
        yield Table(["model against", "parameters", "held out", "gain", "std err"], gains)
        rest = [figure for figure in self._figures() if figure[0] not in ("held out", "gain over", "load")]
        yield ""
        yield Table(["check", "", "value", "std err"], rest)
        yield from (f"- {remark}" for remark in self.remarks)

    def __repr__(self):
        return as_text(self._parts())

    def _repr_html_(self):
        return as_html(self._parts())


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
    verbose=0,
    **rows,
):
    """Judge by held-out data whether a mixture is worth its experts, and check its predictions.

    The model and its alternatives are fitted to all folds but one and judged by the log-likelihood of the rows in that
    fold. The alternatives are a single expert of the same family; single experts of other `families`; a single expert
    on splines or polynomials of the columns (a bent one) with about as many parameters as the model; and the same
    experts with a constant gate. Other numbers of experts are tried too: if the best of them makes a better case for
    routing than the model does, the verdict is about it and says so. The verdict is

    - "single", if the gain over the best single straight expert is less than two standard errors or `least_gain`;
    - "no routing", if it is not, but the gain over a bent expert or the constant gate is;
    - "routing" otherwise.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
        Fitted or not. All its fits have the same tree.
    X, y : array-like
    sample_weight : array-like of shape (n,) or None, default=None
    cv : int, default=5
        Number of folds; groups and clusters are kept whole, and folds are stratified by class.
    n_seeds : int, default=5
        Fits from other starts, which show how stable the regimes are; 0 for none.
    n_bootstrap : int, default=10
        Fits to drawn rows, for the same purpose; 0 for none, otherwise at least 2.
    families : sequence of str or experts, default=()
        Further families for the single expert.
    least_gain : float, default=0.01
        The least gain that matters, in nats per unit of weight.
    clusters : array-like of shape (n,) or None, default=None
        Rows with the same value are dependent: they stay in one fold and count once in standard errors. By default
        `groups`, where given.
    random_state : int, RandomState or None, default=None
    n_jobs : int or None, default=None
        Fits that run at the same time (joblib). The result does not depend on it.
    verbose : int, default=0
        1 prints a line every other second that says how many fits are done and how long the rest may take; 2 prints
        one after each.
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
    >>> X = rng.normal(size=(100, 2))
    >>> y = X[:, 0] - X[:, 1] + rng.normal(size=100)
    >>> model = HMERegressor(depth=1, start="model_tree", tol=1e-3)
    >>> diagnose(model, X, y, cv=2, n_seeds=2, n_bootstrap=2, random_state=0).verdict
    'single'
    """
    check_model(model)
    check_int(cv, "cv", 2)
    check_int(n_seeds, "n_seeds", 0)
    check_verbose(verbose)
    if check_int(n_bootstrap, "n_bootstrap", 0) == 1:
        raise ValueError("n_bootstrap must be 0 or at least 2, got 1.")
    least_gain = check_real(least_gain, "least_gain")
    rows = check_rows(model, rows)
    y = np.asarray(y)
    weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
    seed = seed_of(random_state)
    model = fit_once(model, X, y, weight, rows)
    table = Data(X, y, weight, rows, unit_codes(len(y), rows.get("groups"), clusters))
    folds = folds_of(model, table, cv, seed)
    sizes = [] if "labels" in rows else other_sizes(model, weight.sum())
    names, kinds, others = zip(*alternatives(model, X, families), *sizes, strict=True)
    own, of_others, seeds = _all_fits(model, others, table, folds, seed, n_seeds, n_jobs, verbose)

    evidence = Evidence(table, folds)
    values = evidence.clipped([held.log_likelihood for held in own])
    rivals = [
        Rival(name, kind, None if isinstance(parts[0], str) else parts[0].n_parameters, *evidence.joined(parts))
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
    verdict, sentence = judge(evidence, values, model.n_experts_, rivals, least_gain, unit)
    found = {
        "verdict": verdict, "sentence": sentence, "gains": gains, "unit": unit,
        "log_likelihood": evidence.mean(values),
        "seed_ari": np.array([ari for ari, _ in seeds]),
        "seed_gap": np.array([other - reached(model) for _, other in seeds]),
        "bootstrap_ari": bootstrap_ari(model, table, n_bootstrap, seed, n_jobs, verbose, clusters, remarks),
    }  # fmt: skip
    found |= routing_of(model, table) | calibration_of(model, table, folds, own, seed)
    remarks += remarks_of(found)
    return Diagnosis(remarks=remarks, **found)


def _called(function, *arguments):
    return function(*arguments)


def _all_fits(model, others, table, folds, seed, n_seeds, n_jobs, verbose):
    """Held-out answers of the model and of each alternative, fold by fold, and those of fits from other starts."""
    cv = len(folds)
    calls = [(held_out, model, table, fold, seed + f, True) for f, fold in enumerate(folds)]
    for other in others:
        calls += [(held_out, other, table, fold, seed + f, False) for f, fold in enumerate(folds)]
    calls += [(other_start, model, table, (seed, s)) for s in range(n_seeds)]
    answers = run_all(_called, calls, n_jobs, verbose, "fits to folds and from other starts")
    own, answers = answers[:cv], answers[cv:]
    failed = [answer for answer in own if isinstance(answer, str)]
    if failed:
        raise ValueError(f"the model cannot be fitted to {len(failed)} of {cv} folds: {failed[0]}. Use other cv.")
    of_others = [answers[i * cv : (i + 1) * cv] for i in range(len(others))]
    return own, of_others, [answer for answer in answers[len(others) * cv :] if not isinstance(answer, str)]
