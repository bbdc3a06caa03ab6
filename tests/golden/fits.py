"""Fits of every family, gate and option to small tables, and the numbers that are read off them.

`FITS` has them by name; `run` fits one and returns its numbers. In full, fits run until they have converged. In short
they run for a few sweeps and fewer numbers are kept: what rounding does to them stays small on any processor.
"""

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.base import clone, is_classifier
from sklearn.compose import make_column_transformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from hme import HMEClassifier, HMERegressor, HMETransformer, Tree
from hme.bootstrap import bootstrap, lr_test_bootstrap
from hme.comparison import likelihood_ratio_test
from hme.diagnosis import diagnose, restart_report
from hme.experts import (
    BackgroundExpert,
    BinomialExpert,
    ConstantExpert,
    EstimatorExpert,
    GammaExpert,
    GaussianExpert,
    InverseGaussianExpert,
    LaplaceExpert,
    LinearExpert,
    LogisticExpert,
    NegativeBinomialExpert,
    PointMassExpert,
    PoissonExpert,
    StudentExpert,
    TreeExpert,
)
from hme.gates import EstimatorGate, FixedGate, GaussianGate, SoftmaxGate, TopKGate, balance_report
from hme.inference import infer
from hme.path import alpha_path
from hme.scoring import (
    brier_score,
    calibration_error,
    coverage,
    crps,
    interval_score,
    log_score,
    pinball,
    pit,
    pit_distance,
)

__all__ = ["FITS", "difference", "differences", "run"]

# One start: which of several wins may depend on rounding.
LONG = {"max_iter": 400, "tol": 1e-7, "n_finalists": None}
SHORT = {"max_iter": 4, "tol": 0.0, "n_finalists": None}
LONG_ROWS, SHORT_ROWS = 10, 3
LEVELS = [0.05, 0.5, 0.95]


# -- tables ------------------------------------------------------------------------------------------------------------


def sigmoid(score):
    return 1.0 / (1.0 + np.exp(-score))


def make_tables(n=120, seed=0):
    """Columns X (n, 3) and targets of every kind, each with two regimes by the sign of the first column."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) * [1.0, 2.0, 0.5] + [0.0, 3.0, 0.0]
    x0, x1, x2 = X.T
    left = x0 + 0.3 * rng.normal(size=n) < 0
    line = np.where(left, 1.0 + 0.8 * x1, 4.0 - x0 - 0.5 * x1 + x2)
    rate = np.exp(np.where(left, 0.3 + 0.2 * x1, 1.2 - 0.5 * x0))
    mean = np.exp(np.where(left, 0.5 + 0.2 * x1, 1.5 + 0.3 * x2))
    share = sigmoid(np.where(left, -1.5 + 0.5 * x1, 1.0 - x0))
    trials = rng.integers(1, 9, size=n)
    exposure = rng.uniform(0.5, 2.0, size=n)
    counts = rng.poisson(rate * exposure)
    spread = rng.poisson(rate * rng.gamma(2.0, 0.5, size=n))
    score = np.column_stack([np.zeros(n), np.where(left, 1.0 - x1 + 2.0, x1 - 3.0), np.where(left, x2, 2.0 * x0)])
    y = {
        "numbers": line + 0.4 * rng.normal(size=n),
        "tails": line + 0.4 * rng.standard_t(2.5, size=n),
        "outputs": np.column_stack([line, 2.0 - 0.5 * line + x2]) + rng.normal(size=(n, 2)) @ [[0.4, 0.3], [0.0, 0.4]],
        "counts": counts,
        "spread": spread,
        "positive counts": 1 + spread,
        "many zeros": np.where(rng.random(n) < 0.3, 0, counts),
        "positive": mean * rng.gamma(4.0, 0.25, size=n),
        "wald": rng.wald(mean, 6.0),
        "bounded": rng.gamma(5.0, 0.2, size=n) / np.where(left, 0.5 + 0.05 * np.abs(x1), 1.5 + 0.2 * np.abs(x2)),
        "successes": rng.binomial(trials, share),
        "of five": rng.binomial(5, share),
        "two classes": np.where(rng.random(n) < share, "yes", "no"),
        "three classes": (score + rng.gumbel(size=(n, 3))).argmax(axis=1),
    }
    y["with zeros"] = np.where(rng.random(n) < sigmoid(x0 - 0.5), 0.0, y["positive"])
    return {
        "X": X, "y": y, "left": left, "trials": trials.astype(float), "offset": np.log(exposure),
        "weight": rng.uniform(0.5, 2.0, size=n), "noise": rng.normal(size=n),
    }  # fmt: skip


TABLES = make_tables()
X, Y, LEFT = TABLES["X"], TABLES["y"], TABLES["left"]
OFFSET, TRIALS, WEIGHT = TABLES["offset"], TABLES["trials"], TABLES["weight"]
LARGE = make_tables(400, seed=1)
EARLIER = make_tables(80, seed=2)  # what frozen estimators were fitted to
SPARSE = sp.csr_matrix(np.where(np.abs(X) < 0.7, 0.0, X))
WIDE = np.hstack([X, np.random.default_rng(3).normal(size=(len(X), 4))])
SUBJECT = np.repeat(np.arange(30), 4)
BY_SUBJECT = X.copy()
BY_SUBJECT[:, 0] = X[SUBJECT * 4, 0]  # one column that is constant inside groups
RESPONDS = BY_SUBJECT[:, 0] + 0.8 * TABLES["noise"][SUBJECT * 4] < 0
GROUPED = np.where(RESPONDS, 1.0 + 0.6 * X[:, 1], 2.0 - 0.3 * X[:, 1]) + 0.8 * TABLES["noise"]
FRAME = pd.DataFrame(X, columns=["a", "b", "c"]).assign(town=np.array(["east", "north", "west"])[SUBJECT % 3])
OUTLIERS = np.where(np.arange(len(X)) % 12 == 5, 14.0, Y["numbers"])
SOME_LABELS = np.where(np.arange(len(X)) % 4 == 0, LEFT.astype(int), -1)
FACTORS = np.column_stack([np.ones(len(X)), np.where(np.arange(len(X)) % 5 == 0, 0.0, 1.0), np.full(len(X), 0.5)])


def routing(Z):
    """Two leaves, by the first column."""
    share = sigmoid(-2.0 * Z[:, :1])
    return np.hstack([share, 1.0 - share])


# -- fits --------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Fit:
    """A model, the table that it is fitted to, and what is read off it."""

    model: Any
    X: Any
    y: Any
    rows: dict  # row arguments of fit
    read: Callable
    without: tuple  # beginnings of the names of numbers that are not kept in short


FITS = {}


def add(name, model, table, y, *, read=None, without=(), **rows):
    """Put a fit on the list."""
    FITS[name] = Fit(model, table, Y[y] if isinstance(y, str) else y, rows, read or of_mixture, without)


def run(name, short=False):
    """What a fit gives, by name: numbers, nested lists, ``{"refused": name of an exception}`` or ``{"text": ...}``."""
    fit, found = FITS[name], Found()
    settings = SHORT if short else LONG
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            fit.read(fit, with_settings(fit.model, settings), found, short)
        except Exception as error:
            found.values["fit"] = {"refused": type(error).__name__}
    left_out = fit.without if short else ()
    return {key: value for key, value in found.values.items() if not (left_out and key.startswith(left_out))}


def with_settings(model, settings):
    """A clone of a model, of the mixture inside a layer or a pipeline, with other settings."""
    model = clone(model)
    known = model.get_params()
    for prefix in ("", "estimator__"):
        if f"{prefix}max_iter" in known:
            if known[f"{prefix}n_finalists"] != "auto":  # it is the subject
                settings = {name: value for name, value in settings.items() if name != "n_finalists"}
            return model.set_params(**{f"{prefix}{name}": value for name, value in settings.items()})
    for _, step in model.steps:
        known = step.get_params()
        prefix = "estimator__" if "estimator__max_iter" in known else ""
        step.set_params(**{f"{prefix}{name}": value for name, value in settings.items()})
    return model


# -- what is read off them ---------------------------------------------------------------------------------------------


class Found:
    """Numbers by name."""

    def __init__(self):
        self.values = {}

    def ask(self, name, function, table=None):
        """Keep what a function returns, or that it refuses to."""
        try:
            answer = function()
        except Exception as error:
            self.values[name] = {"refused": type(error).__name__}
        else:
            self.keep(name, answer, table)

    def keep(self, name, value, table=None):
        """Numbers, arrays and whatever is made of them; of estimators their predictions for rows of a table."""
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        elif hasattr(value, "_asdict"):
            value = value._asdict()
        if isinstance(value, dict):
            for key, item in value.items():
                self.keep(f"{name}.{key}", item, table)
        elif hasattr(value, "predict"):
            answer = value.predict_proba if is_classifier(value) else value.predict
            self.ask(f"{name}.predict", lambda: answer(table))
        elif isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.dtype == object):
            for i, item in enumerate(value):
                self.keep(f"{name}.{i}", item, table)
        elif sp.issparse(value):
            self.keep(name, value.toarray())
        elif isinstance(value, np.ndarray | np.generic):
            self.values[name] = value.tolist()
        elif isinstance(value, bool | int | float):
            self.values[name] = value


def head(table, n):
    return table.iloc[:n] if hasattr(table, "iloc") else table[:n]


def of_mixture(fit, model, found, short):
    """Everything that a mixture says."""
    of_fitted(model.fit(fit.X, fit.y, **fit.rows), fit, found, short)


def of_fitted(model, fit, found, short):
    """Everything that a fitted mixture says."""
    n = SHORT_ROWS if short else LONG_ROWS
    few = head(fit.X, n)
    shown = few if not hasattr(model, "expert_features") or model.expert_features is None else None
    found.keep("experts_", model.experts_, shown)
    found.keep("gate_", model.gate_, few)
    for name in ("lower_bounds_", "n_iter_", "load_", "converged_", "n_experts_"):
        found.keep(name, getattr(model, name))
    found.values["stop_reason_"] = {"text": model.stop_reason_}
    found.ask("n_parameters_", lambda: model.n_parameters_)
    found.keep("restarts_", [restart.objective for restart in model.restarts_])
    found.keep("stages_", [stage.objective for stage in model.stages_])
    known = {name: fit.rows[name] for name in ("offset", "trials", "groups") if name in fit.rows}
    weight = fit.rows.get("sample_weight")
    given = {name: value[:n] for name, value in known.items() if name != "groups"}
    found.ask("log_likelihood", lambda: model.log_likelihood(fit.X, fit.y, **known)[:n])
    found.ask("responsibilities", lambda: model.responsibilities(fit.X, fit.y, **known)[:n])
    for name in ("bic", "aic", "icl", "aicc"):
        found.ask(name, lambda name=name: getattr(model, name)(fit.X, fit.y, weight, **known))
    found.keep("gate_proba", model.gate_proba(few))
    found.ask("apply", lambda: model.apply(fit.X)[:LONG_ROWS])
    found.keep("predict_experts", model.predict_experts(few, **given))
    if is_classifier(model):
        found.keep("predict_proba", model.predict_proba(few))
        found.ask("predict_log_proba", lambda: model.predict_log_proba(few))
    else:
        of_distribution(model, few, np.asarray(fit.y)[:n], given, found, short)
        known.pop("groups", None)
        found.ask("crps_score", lambda: model.crps_score(fit.X, fit.y, weight, **known))
    of_inference(model, fit, few, given, weight, found, short)


def of_distribution(model, few, y, given, found, short):
    """The predictive distribution."""
    found.keep("predict", model.predict(few, **given))
    found.ask("sample_y", lambda: model.sample_y(few, 2, random_state=0, **given))
    dist = model.predict_dist(few, **given)
    for name in ("standard_deviation",) if short else ("mean", "standard_deviation", "variance_parts"):
        found.ask(f"dist.{name}", getattr(dist, name))
    for name in ("log_likelihood", "cdf", "crps") if short else ("log_likelihood", "cdf", "ccdf", "logcdf", "crps"):
        found.ask(f"dist.{name}", lambda name=name: getattr(dist, name)(y.astype(float)))
    found.ask("dist.icdf", lambda: dist.icdf(LEVELS))
    if not short:
        found.ask("dist.pdf", lambda: dist.pdf(y.astype(float)))
        found.ask("dist.pmf", lambda: dist.pmf(y.astype(float)))
        found.ask("dist.support", dist.support)
        # Of a mode what its density is, and of a region how large it is: rounding moves the flat top of a density more
        # than its height, and joins or parts two intervals that all but touch.
        if y.ndim == 1:
            found.ask("dist.log_likelihood of mode", lambda: dist.log_likelihood(dist.mode()))
        found.ask("dist.interval", lambda: dist.interval(0.8))
        found.ask("dist.size of region", lambda: sizes(dist.interval(0.8, "highest_density")))
        if y.ndim == 2:
            found.ask("dist.covariance", dist.covariance)


def sizes(regions):
    """Summed lengths of the intervals of every row, and of every output."""
    return [sizes(region) if isinstance(region, list) else float(np.diff(region).sum()) for region in regions]


def of_inference(model, fit, few, given, weight, found, short):
    """Standard errors and bands."""
    rows = {name: value for name, value in fit.rows.items() if name != "sample_weight"}
    try:
        result = infer(model, fit.X, fit.y, weight, **rows)
    except (NotImplementedError, ValueError) as error:
        found.values["infer"] = {"refused": type(error).__name__}
        return
    found.keep("infer.standard_error", result.standard_error)
    if short:
        return
    found.keep("infer.estimate", result.estimate)
    found.values["infer.names"] = {"text": result.names}
    for name in ("z", "p_value", "interval", "effective_df", "condition_number", "distance", "log_likelihood", "aic"):
        found.keep(f"infer.{name}", getattr(result, name))
    found.ask("infer.robust", lambda: infer(model, fit.X, fit.y, weight, cov_type="robust", **rows).standard_error)
    found.ask("infer.mean_interval", lambda: result.mean_interval(few, **given))
    found.ask("infer.expert_mean_interval", lambda: result.expert_mean_interval(few, **given))
    found.ask("infer.gate_interval", lambda: result.gate_interval(few))

    def effects():
        found = result.marginal_effects(few, **given)
        return {"estimate": found.estimate, "standard_error": found.standard_error}

    found.ask("infer.marginal_effects", effects)


def of_warm_start(fit, model, found, short):
    """A fit that goes on from one with another penalty."""
    model.set_params(warm_start=True).fit(fit.X, fit.y, **fit.rows)
    found.keep("before", model.lower_bounds_)
    of_fitted(model.set_params(expert__alpha=5.0).fit(fit.X, fit.y, **fit.rows), fit, found, short)


def of_layer(fit, model, found, short):
    """Columns that a layer makes of the rows that it is fitted to, and of others."""
    n = SHORT_ROWS if short else LONG_ROWS
    found.keep("fit_transform", model.fit_transform(fit.X, fit.y, **fit.rows)[:n])
    found.keep("transform", model.transform(fit.X[:n] + 0.1))
    found.keep("experts_", model.estimator_.experts_)


def of_pipeline(fit, model, found, short):
    """What a pipeline of layers predicts."""
    n = SHORT_ROWS if short else LONG_ROWS
    model.fit(fit.X, fit.y)
    found.keep("predict", model.predict(fit.X[:n]))
    found.keep("experts_", model[-1].experts_)
    found.keep("gate_", model[-1].gate_)


def of_path(side, **settings):
    """Fits along a path."""

    def read(fit, model, found, short):
        path = alpha_path(model, fit.X, fit.y, side=side, n_alphas=3 if short else 8, **settings, **fit.rows)
        for name in ("alphas", "objective", "log_likelihood", "bic", "aic", "n_parameters", "n_iter", "converged"):
            found.keep(name, getattr(path, name))
        found.keep("coef", path.coef())
        found.keep("intercept", path.intercept())
        found.keep("select", path.select("bic").experts_)

    return read


def of_bootstrap(**settings):
    """Refits to drawn data."""

    def read(fit, model, found, short):
        model.fit(fit.X, fit.y, **fit.rows)
        known = dict(fit.rows)
        weight = known.pop("sample_weight", None)
        drawn = bootstrap(
            model, fit.X, fit.y, 3 if short else 8, sample_weight=weight, random_state=0, leave_out=(),
            statistic=lambda refit: refit.load_, **settings, **known,
        )  # fmt: skip
        for name in ("estimate", "draws", "load_", "statistics", "objective", "agreement", "confidence"):
            found.keep(name, getattr(drawn, name))
        found.keep("standard_error", drawn.standard_error())
        found.keep("bias", drawn.bias())
        for kind in ("percentile", "basic"):
            found.ask(f"interval.{kind}", lambda kind=kind: drawn.interval(0.8, kind))

    return read


def of_tests(fit, model, found, short):
    """Comparisons of fits with fewer and more parameters, and tests of coefficients."""
    larger = clone(model).set_params(expert__shared_variance=False).fit(fit.X, fit.y)
    model.fit(fit.X, fit.y)
    found.ask("likelihood_ratio_test", lambda: likelihood_ratio_test(model, larger, fit.X, fit.y)[:3])
    result = infer(larger, fit.X, fit.y)
    found.ask("wald_test", lambda: result.wald_test(["x0", "x2"])[:3])
    found.ask("one wald_test", lambda: result.wald_test("x1", side="expert", value=0.5)[:3])
    found.ask("equal_across_experts", lambda: result.equal_across_experts("x1")[:3])
    clusters = np.arange(len(fit.X)) // 6
    for kind, given in (("observed", None), ("robust", None), ("cluster", clusters)):
        found.keep(kind, infer(larger, fit.X, fit.y, cov_type=kind, clusters=given).covariance)


def of_simulated_test(fit, model, found, short):
    """A bootstrap of the likelihood ratio."""
    larger = clone(model).set_params(n_experts=2)
    test = lr_test_bootstrap(model, larger, fit.X, fit.y, 3 if short else 9, n_init=2, random_state=0)
    for name in ("statistic", "p_value", "simulated"):
        found.keep(name, getattr(test, name))


def of_diagnosis(fit, model, found, short):
    """What held-out rows and other starts say of a fit."""
    n = 1 if short else 2
    settings = dict(cv=2 if short else 4, n_seeds=n, n_bootstrap=2, random_state=0)
    frame = diagnose(model, fit.X, fit.y, **settings, **fit.rows).to_frame()
    for row in frame.itertuples():
        found.keep(f"{row.section}: {row.what}", [float(row.value), np.nan if row.error is None else float(row.error)])
    report = restart_report(model, fit.X, fit.y, 3, random_state=0, **fit.rows)
    found.keep("starts", report.objective)
    found.keep("basin", report.basin)


def of_scores(fit, model, found, short):
    """Scores and checks of calibration."""
    model.fit(fit.X, fit.y, **fit.rows)
    if is_classifier(model):
        codes = np.searchsorted(model.classes_, fit.y)
        found.keep("brier_score", brier_score(model.predict_proba(fit.X), codes))
        return
    dist = model.predict_dist(fit.X)
    for score in (log_score, crps, pinball, interval_score, coverage, calibration_error, pit_distance):
        for weight in (None, WEIGHT):
            name = score.__name__ + ("" if weight is None else ", weighted")
            found.ask(name, lambda score=score, weight=weight: score(dist, fit.y, sample_weight=weight))
    found.keep("pit", pit(dist, fit.y, random_state=0)[: SHORT_ROWS if short else LONG_ROWS])


def of_balance(fit, model, found, short):
    """A mixture and the balance of its loads."""
    of_mixture(fit, model, found, short)
    found.keep("balance", balance_report(model.gate_proba(fit.X)))


# -- the list ----------------------------------------------------------------------------------------------------------


def regressor(**settings):
    return HMERegressor(random_state=0, **settings)


def classifier(**settings):
    return HMEClassifier(random_state=0, **settings)


EXACT = dict(alpha=0.0, variance_prior=None, variance_floor=1e-8)

# Linear experts: penalties, noise, ties.
add("linear: one expert", regressor(depth=0), X, "numbers")
add("linear: depth 1", regressor(depth=1), X, "numbers")
add("linear: depth 2", regressor(depth=2), X, "numbers", sample_weight=WEIGHT)
add("linear: depth 3", regressor(depth=3), LARGE["X"], LARGE["y"]["numbers"])
add("linear: automatic depth", regressor(), LARGE["X"], LARGE["y"]["numbers"])
add("linear: branching", regressor(branching=[2, 3]), LARGE["X"], LARGE["y"]["numbers"])
add("linear: tree", regressor(tree=Tree.from_text("((. (. .)) .)")), LARGE["X"], LARGE["y"]["numbers"])
add("linear: weights, some zero", regressor(n_experts=2), X, "numbers", sample_weight=np.arange(len(X)) % 3.0)
add("linear: exact", regressor(n_experts=2, expert=LinearExpert(**EXACT), n_init=4), X, "numbers")
add("linear: exact gate", regressor(n_experts=2, gate=SoftmaxGate(alpha=0.0)), X, "numbers")
add("linear: lasso", regressor(n_experts=2, expert=LinearExpert(alpha=4.0, l1_ratio=1.0)), WIDE, "numbers")
elastic = LinearExpert(alpha=4.0, l1_ratio=0.7, shrink_to="global", scale_penalty=False)
add("linear: elastic net", regressor(n_experts=2, expert=elastic), WIDE, "numbers")
zero = LinearExpert(alpha=2.0, shrink_to="zero", shared_variance=True, variance_prior=None, variance_floor=0.05)
add("linear: shrunk to zero, shared variance", regressor(n_experts=2, expert=zero), X, "numbers")
add("linear: not standardised", regressor(n_experts=2, standardize=False), X, "numbers")
add("linear: two outputs", regressor(n_experts=2), X, "outputs", sample_weight=WEIGHT)
add("linear: full covariance", regressor(n_experts=2, expert=LinearExpert(covariance="full")), X, "outputs")
full = LinearExpert(covariance="full", shared_variance=True, alpha=3.0, variance_prior=None)
add("linear: full shared covariance", regressor(n_experts=2, expert=full), X, "outputs", sample_weight=WEIGHT)
both = LinearExpert(fixed_coef={0: 0.0}, nonnegative=[1], shared_variance=True)
add("linear: two outputs, fixed slopes", regressor(n_experts=2, expert=both), X, "outputs")
common = LinearExpert(alpha=0.0, shared_coef=[1, 2], shared_variance=True)
add("linear: shared slopes", regressor(n_experts=2, expert=common, gate="constant", n_init=3), X, "numbers")
held = LinearExpert(fixed_coef={1: [0.8, -0.5], 2: 0.0}, nonnegative=["intercept"])
add("linear: fixed slopes", regressor(n_experts=2, expert=held), X, "numbers")
positive = LinearExpert(nonnegative=True, shared_coef="intercept")
add("linear: no negative slopes", regressor(n_experts=2, expert=positive), X, "numbers")
add("linear: offset", regressor(n_experts=2), X, "numbers", offset=OFFSET)
add("linear: sparse", regressor(n_experts=2), SPARSE, "numbers")
add("linear: sparse, tree of gates, lasso", regressor(depth=2, gate=SoftmaxGate(2.0, l1_ratio=0.5)), SPARSE, "numbers")
blocks = make_tables(4500, seed=5)
add("linear: several blocks", regressor(n_experts=3), blocks["X"], blocks["y"]["numbers"])

# Algorithms, starts, columns.
add("hard", regressor(n_experts=3, algorithm="hard"), X, "numbers")
add("hard, constant gate", regressor(n_experts=2, algorithm="hard", gate="constant"), X, "numbers")
add("stochastic", regressor(n_experts=2, algorithm="stochastic"), X, "numbers")
add("stochastic, then em", regressor(n_experts=3, algorithm=("stochastic", "em")), X, "numbers")
add("starts", regressor(n_experts=3, n_init=5, n_finalists=2), X, "numbers")
add("start: k-means", regressor(depth=2, start="kmeans"), X, "numbers")
add("start: hyperplanes", regressor(n_experts=3, start="hyperplanes"), X, "numbers")
add("start: directions", regressor(n_experts=3, start="directions"), X, "numbers")
add("start: perturbed", regressor(n_experts=3, start="perturbed_model_tree"), X, "numbers")
add("start: given leaves", regressor(n_experts=2, start=LEFT.astype(int)), X, "numbers")
reseeded = regressor(n_experts=5, on_empty="reseed", algorithm="hard", gate="constant")
add("empty experts reseeded", reseeded, X[:60, :1], Y["numbers"][:60])
add("warm start", regressor(n_experts=2), X, "numbers", read=of_warm_start)
columns = dict(
    expert_features=["a", "b"],
    gate_features=make_column_transformer((OneHotEncoder(), ["town"]), ("passthrough", ["a"])),
)
add("columns by name", regressor(n_experts=2, **columns), FRAME, "numbers")
bent = dict(expert_features=PolynomialFeatures(2, include_bias=False), gate_features=[0])
add("bent columns", regressor(n_experts=2, **bent), X, "numbers")
add("groups", regressor(n_experts=2, gate="constant"), BY_SUBJECT, GROUPED, groups=SUBJECT)
add("groups, softmax gate", regressor(n_experts=2, gate_features=[0]), BY_SUBJECT, GROUPED, groups=SUBJECT)
of_groups = np.where(SUBJECT < 4, RESPONDS.astype(int), -1)
add(
    "groups with labels", regressor(n_experts=2, gate="constant"), BY_SUBJECT, GROUPED, groups=SUBJECT, labels=of_groups
)
add("labels", regressor(n_experts=2), X, "numbers", labels=SOME_LABELS, sample_weight=WEIGHT)
add("labels as factors", regressor(n_experts=3, gate="constant"), X, "numbers", labels=FACTORS)

# Other families of one number.
add("constant", regressor(n_experts=3, expert="constant"), X, "numbers")
add("constant: shared variance", regressor(n_experts=2, expert=ConstantExpert(None, 0.1, True)), X, "outputs")
add("gaussian: log", regressor(n_experts=2, expert="gaussian"), X, "positive", sample_weight=WEIGHT)
square = GaussianExpert("identity", alpha=4.0, l1_ratio=0.5, scale_penalty=False, dispersion_floor=1e-8)
add("gaussian: identity", regressor(n_experts=2, expert=square), X, "numbers", offset=OFFSET)
add("student", regressor(n_experts=2, expert="student"), X, "tails", sample_weight=WEIGHT)
add("student: fixed df", regressor(n_experts=2, expert=StudentExpert(df=4.0, alpha=2.0, l1_ratio=0.5)), X, "tails")
tails = StudentExpert(shared_df=True, shared_variance=True, shared_coef=[2])
add("student: shared df", regressor(n_experts=2, expert=tails), X, "tails")
add("student: sparse", regressor(n_experts=2, expert=StudentExpert(df=5.0, **EXACT)), SPARSE, "tails", offset=OFFSET)
add("laplace", regressor(n_experts=2, expert="laplace"), X, "tails", sample_weight=WEIGHT)
add("laplace: lasso", regressor(n_experts=2, expert=LaplaceExpert(alpha=4.0, l1_ratio=0.7)), X, "tails")
tied = LaplaceExpert(shared_variance=True, shared_coef=[1], shrink_to="zero", scale_penalty=False)
add("laplace: shared slope", regressor(n_experts=2, expert=tied), X, "tails", offset=OFFSET)
add("poisson", regressor(n_experts=2, expert="poisson"), X, "counts", offset=OFFSET, sample_weight=WEIGHT)
add("poisson: truncated", regressor(n_experts=2, expert=PoissonExpert(0.0, zero_truncated=True)), X, "positive counts")
add("poisson: lasso", regressor(n_experts=2, expert=PoissonExpert(4.0, l1_ratio=0.7), gate="constant"), X, "counts")
add("poisson: shared slopes", regressor(n_experts=2, expert=PoissonExpert(shared_coef=[1, 2])), X, "counts")
exposed = PoissonExpert(fixed_coef={0: 0.0}, nonnegative=[1])
add("poisson: fixed slopes", regressor(n_experts=2, expert=exposed), X, "counts", offset=OFFSET)
add("poisson: groups", regressor(n_experts=2, expert="poisson", gate="constant"), X, "counts", groups=SUBJECT)
add("poisson: hard", regressor(n_experts=2, expert="poisson", algorithm=("hard", "em")), X, "counts")
add("poisson: sparse", regressor(n_experts=2, expert="poisson"), SPARSE, "counts")
add("negative binomial", regressor(n_experts=2, expert="negative_binomial"), X, "spread", sample_weight=WEIGHT)
spread = NegativeBinomialExpert(shared_dispersion=True, zero_truncated=True)
add("negative binomial: truncated", regressor(n_experts=2, expert=spread), X, "positive counts")
add("binomial", regressor(n_experts=2, expert="binomial"), X, "successes", trials=TRIALS, sample_weight=WEIGHT)
rising = BinomialExpert(nonnegative=[1], shared_coef="intercept", alpha=1.0, shrink_to="zero")
add("binomial: ties", regressor(n_experts=2, expert=rising), X, "successes", trials=TRIALS, offset=0.2 * OFFSET)
add("binomial: five trials", regressor(n_experts=2, expert=BinomialExpert(5, alpha=2.0, l1_ratio=1.0)), X, "of five")
add("gamma", regressor(n_experts=2, expert="gamma"), X, "positive", sample_weight=WEIGHT)
inverse = GammaExpert("inverse", alpha=1.0, shrink_to="zero", dispersion_prior=None)
common = GammaExpert(shared_dispersion=True, shared_coef=[1], fixed_coef={0: 0.1}, shrink_to="global")
add("gamma: ties", regressor(n_experts=2, expert=common), X, "positive", offset=OFFSET)
add("gamma: inverse", regressor(n_experts=2, expert=inverse), X, "bounded")
add("inverse gaussian", regressor(n_experts=2, expert="inverse_gaussian"), X, "wald", sample_weight=WEIGHT)
add("inverse gaussian: inverse", regressor(n_experts=2, expert=InverseGaussianExpert("inverse")), X, "bounded")
lasso = InverseGaussianExpert(shared_dispersion=True, alpha=0.5, l1_ratio=0.5)
add("inverse gaussian: shared dispersion", regressor(n_experts=2, expert=lasso), X, "wald")

# Classes.
add("logistic: two classes", classifier(depth=1), X, "two classes", sample_weight=WEIGHT)
add("logistic: three classes", classifier(n_experts=2), X, "three classes")
drawn = LogisticExpert(alpha=1.0, l1_ratio=0.7, shrink_to="global")
add("logistic: depth 2", classifier(depth=2, gate=SoftmaxGate(1.0, l1_ratio=0.5)), SPARSE, "three classes")
add("logistic: lasso", classifier(n_experts=2, expert=drawn), X, "three classes")
add("logistic: weighted classes", classifier(n_experts=2, class_weight="balanced"), X, "two classes")
add("logistic: groups", classifier(n_experts=2, gate="constant"), X, "two classes", groups=SUBJECT)
add("classes: constant", classifier(n_experts=2, expert="constant"), X, "three classes")
add("classes: tree", classifier(n_experts=2, expert=TreeExpert(max_depth=2, cv=3)), X, "three classes")
naive = EstimatorExpert(GaussianNB(), cv=3)
add("classes: estimator", classifier(n_experts=2, expert=naive), X, "two classes")
kinds = [("lines", "logistic"), ("rest", "constant"), ("rules", TreeExpert(max_depth=2, cv=None))]
add("classes: list", classifier(n_experts=3, expert=kinds, gate="constant"), X, "three classes")

# Estimators as experts.
add("tree", regressor(n_experts=2, expert=TreeExpert(max_depth=3, cv=3)), X, "numbers", sample_weight=WEIGHT)
pooled = TreeExpert(max_leaf_nodes=5, pooling=0.2, noise="student", df="estimate", cv=3)
add("tree: pooled, student", regressor(n_experts=2, expert=pooled), X, "tails")
add("tree: two outputs, sparse", regressor(n_experts=2, expert=TreeExpert(2, cv=None)), SPARSE, "outputs")
rules = EstimatorExpert(DecisionTreeRegressor(max_depth=2), noise="laplace", cv=3)
add("estimator: rules, laplace", regressor(n_experts=2, expert=rules), X, "tails")
add("estimator: ridge", regressor(n_experts=2, expert=EstimatorExpert(Ridge(), cv=None)), X, "numbers")
add("estimator: two outputs", regressor(n_experts=2, expert=EstimatorExpert(Ridge(), cv=3)), X, "outputs")
ridge = EstimatorExpert(Ridge(), noise="student", df=4.0, cv=3)
add("estimator: ridge, student", regressor(n_experts=2, expert=ridge), X, "tails", offset=OFFSET)
near = EstimatorExpert(KNeighborsRegressor(7), cv=3)
add("estimator: neighbours, drawn rows", regressor(n_experts=2, expert=near), X, "numbers")
known = [
    (name, FrozenEstimator(LinearRegression().fit(EARLIER["X"][side], EARLIER["y"]["numbers"][side])))
    for name, side in (("left", EARLIER["left"]), ("right", ~EARLIER["left"]))
]
add("estimator: frozen", regressor(n_experts=2, expert=known), X, "numbers")

# Lists of families.
noisy = [("up", "linear"), ("down", "linear"), ("rest", "background")]
add("list: background", regressor(n_experts=3, expert=noisy), X, OUTLIERS)
wide = [("line", StudentExpert(df=4.0)), ("level", "constant"), ("rest", BackgroundExpert("uniform", 1.5, 0.2))]
add("list: student, constant, uniform", regressor(n_experts=3, expert=wide, gate="constant"), X, OUTLIERS)
add("background alone", regressor(depth=0, expert="background"), X, OUTLIERS)
inflated = [("closed", "point_mass"), ("open", PoissonExpert(alpha=0.0))]
add("list: zero-inflated", regressor(n_experts=2, expert=inflated, gate="constant"), X, "many zeros", offset=OFFSET)
hurdle = [("none", "point_mass"), ("some", PoissonExpert(zero_truncated=True)), ("many", spread)]
add("list: hurdle of counts", regressor(n_experts=3, expert=hurdle), X, "many zeros")
atom = [("none", PointMassExpert(at=0.0)), ("small", "gamma"), ("large", "inverse_gaussian")]
add("list: hurdle", regressor(n_experts=3, expert=atom), X, "with zeros")
counts = [("a", PoissonExpert(shared_coef=[2])), ("b", PoissonExpert(shared_coef=[2])), ("c", "negative_binomial")]
add("list: counts", regressor(n_experts=3, expert=counts), X, "spread", offset=OFFSET, sample_weight=WEIGHT)
mixed = [("line", "linear"), ("rules", TreeExpert(2, cv=3)), ("near", "laplace")]
add("list: line, rules, laplace", regressor(tree="((. .) .)", expert=mixed), X, "numbers")

# Gates.
add("gate: constant", regressor(n_experts=2, gate="constant", n_init=3), X, "numbers")
add("gate: gaussian", regressor(n_experts=2, gate="gaussian"), X, "numbers", sample_weight=WEIGHT)
alike = GaussianGate("tied", covariance_prior=None, covariance_floor=1e-8)
add("gate: gaussian, tied", regressor(n_experts=2, gate=alike), X, "numbers")
add("gate: gaussian, diagonal", regressor(n_experts=3, gate=GaussianGate("diag")), X, "numbers")
add("gate: lasso", regressor(depth=2, gate=SoftmaxGate(alpha=3.0, l1_ratio=1.0)), WIDE, "numbers")
add("gate: elastic net", regressor(n_experts=3, gate=SoftmaxGate(alpha=6.0, l1_ratio=0.7)), WIDE, "numbers")
# Few sweeps and one stage: beyond it the choice of leaves makes a large step of a small difference.
few = TopKGate(k=2, dense_sweeps=4, max_stages=1, stage_sweeps=4)
add("gate: top k", regressor(n_experts=4, gate=few), LARGE["X"], LARGE["y"]["numbers"], read=of_balance)
even = TopKGate(k=1, balance=1.5, commit=0.3, alpha=1.0, l1_ratio=0.3, dense_sweeps=4, max_stages=1, stage_sweeps=4)
add("gate: top k, balanced", regressor(n_experts=4, gate=even), LARGE["X"], LARGE["y"]["numbers"], read=of_balance)
add("gate: tree", regressor(n_experts=2, gate="tree"), X, "numbers", sample_weight=WEIGHT)
small = EstimatorGate(DecisionTreeClassifier(max_depth=2), cv=None, smoothing=0.05)
add("gate: small tree", regressor(n_experts=3, gate=small), X, "numbers")
add("gate: estimator", regressor(n_experts=2, gate=EstimatorGate(GaussianNB(), cv=3)), X, "numbers")
router = EstimatorGate(FrozenEstimator(GaussianNB().fit(EARLIER["X"], ~EARLIER["left"])))
add("gate: frozen", regressor(n_experts=2, gate=router), X, "numbers")
add("gate: fixed", regressor(n_experts=2, gate=FixedGate(routing)), X, "numbers")
add("gate: gaussian, counts", regressor(n_experts=2, gate="gaussian", expert="poisson"), X, "counts", offset=OFFSET)
add("gate: constant, classes", classifier(n_experts=2, gate="constant"), X, "two classes")

# What is built on fits.
add("layer", HMETransformer(regressor(n_experts=2), ("gate", "weighted", "experts", "mean"), passthrough=True), X,
    "numbers", read=of_layer)  # fmt: skip
add("layer: cross-fitted", HMETransformer(regressor(n_experts=2), cv=3), X, "outputs", read=of_layer)
add("layer: classes", HMETransformer(classifier(n_experts=2), cv=3), X, "three classes", read=of_layer)
layers = make_pipeline(HMETransformer(regressor(n_experts=2), passthrough=True), regressor(n_experts=2))
add("layers", layers, X, "numbers", read=of_pipeline)
along = regressor(n_experts=2, expert=LinearExpert(l1_ratio=1.0))
add("path: experts", along, WIDE, "numbers", read=of_path("expert", passes=2), sample_weight=WEIGHT)
add("path: gate", regressor(n_experts=3, gate=SoftmaxGate(l1_ratio=0.5)), WIDE, "numbers", read=of_path("gate"))
add("path: poisson", regressor(n_experts=2, expert=PoissonExpert(l1_ratio=1.0)), X, "counts", read=of_path("expert"))
# Not up to where all slopes are zero: experts are the same there, and nothing says what each one's share is.
add("path: classes", classifier(n_experts=2, expert=LogisticExpert(l1_ratio=1.0)), X, "three classes",
    read=of_path("expert", alphas=[0.2, 0.5, 1.0, 2.0]))  # fmt: skip
add("bootstrap of rows", regressor(n_experts=2), X, "numbers", read=of_bootstrap(), sample_weight=WEIGHT)
add("bootstrap of groups", regressor(n_experts=2, gate="constant"), BY_SUBJECT, GROUPED,
    read=of_bootstrap(refits="full"), groups=SUBJECT)  # fmt: skip
add("bootstrap of counts", regressor(n_experts=2, expert="poisson"), X, "counts",
    read=of_bootstrap(kind="parametric"), offset=OFFSET)  # fmt: skip
add("tests", regressor(n_experts=2, expert=LinearExpert(shared_variance=True)), X, "numbers", read=of_tests)
add("simulated test", regressor(n_experts=1, gate="constant"), X, "numbers", read=of_simulated_test)
add("diagnosis", regressor(n_experts=2), X, "numbers", read=of_diagnosis)
add("diagnosis: classes", classifier(n_experts=2), X, "two classes", read=of_diagnosis)
add("scores", regressor(n_experts=2), X, "numbers", read=of_scores)
add("scores: counts", regressor(n_experts=2, expert="poisson"), X, "counts", read=of_scores)
add("scores: outputs", regressor(n_experts=2), X, "outputs", read=of_scores)
add("scores: classes", classifier(n_experts=2), X, "three classes", read=of_scores)


# -- comparison --------------------------------------------------------------------------------------------------------


# What is made by numeric derivatives, or close to what is singular, and has fewer digits: part of its difference that
# counts.
ROUGH = {"infer.marginal_effects.standard_error": 0.01, "infer.robust": 0.01}


def difference(a, b):
    """Largest ``|a - b| / (1 + |b|)``; inf where shapes, or what is no number, differ."""
    if isinstance(a, dict) or isinstance(b, dict):
        return 0.0 if a == b else np.inf
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape:
        return np.inf
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore"):
        gap = np.where(same, 0.0, np.abs(a - b) / (1.0 + np.abs(b)))
    return float(np.where(np.isnan(gap), np.inf, gap).max(initial=0.0))


def differences(a, b):
    """The difference of every number of a fit, by name; inf where only one of them has it."""
    names = [*b, *(name for name in a if name not in b)]
    gaps = {name: difference(a[name], b[name]) if name in a and name in b else np.inf for name in names}
    return {name: gap * ROUGH.get(name, 1.0) for name, gap in gaps.items()}
