"""Scores and Hessians of the observed log-likelihood against differences, twins and other programs."""

import re
import warnings
from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
import statsmodels.api as sm
from problems import few, representative, slow_case
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

from hme import HMEClassifier, HMERegressor
from hme.estimators import starting
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
)
from hme.experts.base import AdditiveExpert
from hme.experts.gamma import GammaResponse
from hme.experts.noise.base import Response
from hme.experts.noise.counts import CountResponse
from hme.gates import ConstantGate, FixedGate, GaussianGate, SoftmaxGate, TopKGate
from hme.inference import infer
from hme.inference.delta import ParameterCovariance
from hme.inference.information import INTERCEPT, Layout, combined, observe
from hme.numerics.coordinates import covariance_of, covariance_scalars, gaussian_derivatives, gaussian_sums

RNG = np.random.default_rng(0)
N = 90
X = RNG.normal(size=(N, 2)) * [1.0, 3.0] + [0.0, 2.0]
SCORE = np.where(X[:, 0] < 0, 1 + 0.3 * X[:, 1], 2 - X[:, 0])
Y = {
    "numbers": SCORE + 0.3 * RNG.normal(size=N),
    "outputs": np.column_stack([SCORE, 1 - SCORE]) + 0.3 * RNG.normal(size=(N, 2)),
    "counts": RNG.poisson(np.exp(0.5 * SCORE)).astype(float),
    "positive counts": 1.0 + RNG.poisson(np.exp(0.5 * SCORE)),
    "positive": RNG.gamma(3.0, np.exp(0.3 * SCORE)),
    "successes": RNG.binomial(5, 1 / (1 + np.exp(-X[:, 0]))).astype(float),
    "two classes": (X[:, 0] + RNG.normal(size=N) > 0).astype(int),
    "classes": np.digitize(X[:, 0] + 0.7 * RNG.normal(size=N), [-0.5, 0.5]),
}
SCALED = {"dispersion_prior": (2.0, 0.3)}
FAMILIES = {
    "linear": (LinearExpert(alpha=2.0, variance_prior=(2.0, 0.3)), "numbers"),
    "linear, unscaled": (LinearExpert(alpha=2.0, scale_penalty=False), "numbers"),
    "outputs": (LinearExpert(alpha=2.0), "outputs"),
    "covariances": (LinearExpert(alpha=2.0, variance_prior=(3.0, 0.3), covariance="full"), "outputs"),
    "student": (StudentExpert(alpha=2.0, variance_prior=(2.0, 0.3)), "numbers"),
    "student, df": (StudentExpert(df=3.0), "numbers"),
    "laplace": (LaplaceExpert(alpha=2.0, variance_prior=(2.0, 0.3)), "numbers"),
    "constant": (ConstantExpert(), "numbers"),
    "gaussian log": (GaussianExpert("log", alpha=2.0, **SCALED), "positive"),
    "gaussian identity": (GaussianExpert("identity", alpha=2.0, **SCALED), "numbers"),
    "gamma log": (GammaExpert("log", alpha=2.0, **SCALED), "positive"),
    "gamma inverse": (GammaExpert("inverse", alpha=2.0, **SCALED), "positive"),
    "gamma, unscaled": (GammaExpert("log", alpha=2.0, scale_penalty=False), "positive"),
    "inverse gaussian log": (InverseGaussianExpert("log", alpha=2.0, **SCALED), "positive"),
    "inverse gaussian inverse": (InverseGaussianExpert("inverse", alpha=2.0, **SCALED), "positive"),
    "poisson": (PoissonExpert(alpha=2.0), "counts"),
    "poisson, no zeros": (PoissonExpert(alpha=2.0, zero_truncated=True), "positive counts"),
    "negative binomial": (NegativeBinomialExpert(alpha=2.0), "counts"),
    "negative binomial, no zeros": (NegativeBinomialExpert(alpha=2.0, zero_truncated=True), "positive counts"),
    "binomial": (BinomialExpert(n_trials=5, alpha=2.0), "successes"),
    "logistic": (LogisticExpert(alpha=2.0), "two classes"),
    "logistic, three": (LogisticExpert(alpha=2.0), "classes"),
    "constant classes": (ConstantExpert(), "classes"),
}
GATES = {
    "one leaf": (None, "."),
    "constant": (ConstantGate(), "(. . .)"),
    "softmax": (SoftmaxGate(alpha=1.0), "(. .)"),
    "hierarchy": (SoftmaxGate(alpha=1.0), "((. .) (. .))"),
    "three branches": (SoftmaxGate(alpha=1.0), "(. . .)"),
    "unbalanced": (SoftmaxGate(alpha=1.0), "((. .) . (. . .))"),
    "gaussian": (GaussianGate("full", covariance_prior=(3.0, 0.5)), "(. .)"),
    "gaussian tied": (GaussianGate("tied", covariance_prior=(3.0, 0.5)), "(. . .)"),
    "gaussian diag": (GaussianGate("diag", covariance_prior=(3.0, 0.5)), "(. .)"),
    "top k": (TopKGate(k=2, alpha=1.0), "(. . .)"),
}


class Case:
    """A mixture at parameters that no fit would end at, and rows."""

    def __init__(self, expert, gate, tree, y, table=X, weight=None, moved=0.1, estimator=None, max_iter=4, **settings):
        kinds = HMEClassifier if np.asarray(y).dtype.kind in "iu" else HMERegressor
        model = (estimator or kinds)(
            tree=tree, expert=expert, gate=gate, max_iter=max_iter, random_state=0,
            **{key: settings.pop(key) for key in ("standardize", "gate_features", "accelerate") if key in settings},
        )  # fmt: skip
        with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
            warnings.simplefilter("ignore", ConvergenceWarning)
            patch.setattr(starting.Uphill, "newton", lambda *arguments: None)  # which leaves no gradient
            model.fit(table, y, sample_weight=weight, **settings)
        labels = settings.pop("labels", None)
        groups = settings.get("groups")
        self.model, self.mixture, self.columns = model, model.model_, model.columns_
        self.rows, self.order = model.observed_rows(table, y, weight, labels=labels, **settings)
        assert (groups is None) == (self.rows.group is None)
        self.params = model.params_
        if moved:
            layout = self.layout()
            self.params = layout.move(moved * np.random.default_rng(1).normal(size=layout.n_free))

    def layout(self, params=None, stats=None):
        params = self.params if params is None else params
        return Layout.of(self.mixture, params, self.columns, self.sweep(params)[1] if stats is None else stats)

    def sweep(self, params):
        return self.mixture.e_step(params, self.rows)

    def objective(self, params):
        """Of the rows, not divided by their weight."""
        value, stats = self.sweep(params)
        return value * stats.load.sum()

    def observe(self, layout=None, rows=None, **arguments):
        layout = self.layout() if layout is None else layout
        return observe(self.mixture, layout.params, self.rows if rows is None else rows, layout, **arguments)


def differences(function, n, step=1e-3):
    """Derivatives (n, ...) by central differences, of the fourth order where the step is not tiny."""
    units = step * np.eye(n)
    near = np.array([np.subtract(function(unit), function(-unit)) for unit in units])
    if step < 1e-4:
        return near / (2.0 * step)
    far = np.array([np.subtract(function(2 * unit), function(-2 * unit)) for unit in units])
    return (8.0 * near - far) / (12.0 * step)


def assert_close(actual, desired, rtol):
    np.testing.assert_allclose(actual, desired, rtol=rtol, atol=rtol * np.abs(desired).max())


def check(case, step=1e-3, hessian=True):
    """The gradient is that of the objective, and the Hessian that of the gradient."""
    layout, (_, stats) = case.layout(), case.sweep(case.params)
    info = case.observe(layout)
    if not layout.notes and not any(re.search("known|fixed", remark) for remark in layout.remarks):
        assert layout.n_free == case.mixture.n_parameters(case.params)
    assert layout.n_free > 0 and info.hessian.shape == (layout.n_free, layout.n_free)
    assert_close(
        info.gradient, differences(lambda delta: case.objective(layout.move(delta)), layout.n_free, step), 1e-6
    )
    if hessian:

        def gradient(delta):
            moved = case.layout(layout.move(delta), stats)
            return case.observe(moved).gradient

        assert_close(info.hessian + info.penalty, differences(gradient, layout.n_free, 1e-5), 1e-5)
    return layout, info


@pytest.mark.parametrize("family", few(representative(FAMILIES, every=6), 3))
def test_every_family(family):
    expert, kind = FAMILIES[family]
    corner = family == "laplace"
    check(Case(expert, SoftmaxGate(alpha=1.0), "(. .)", Y[kind]), step=1e-6 if corner else 1e-3, hessian=not corner)


@pytest.mark.parametrize(
    "family, gate",
    few(representative(product(["linear", "covariances", "poisson", "logistic, three"], GATES), every=19), 2),
)
def test_every_gate(family, gate):
    (expert, kind), (gate, tree) = FAMILIES[family], GATES[gate]
    moved = 0.0 if isinstance(gate, TopKGate) else 0.1  # or rows would change their leaves
    check(Case(expert, gate, tree, Y[kind], moved=moved), step=1e-5 if isinstance(gate, TopKGate) else 1e-3)


# -- rows of every kind ----------------------------------------------------------------------------------------------

WEIGHT = RNG.integers(1, 4, N).astype(float)
GROUPS = np.repeat(np.arange(N // 3), 3)
LABELS = np.where(np.arange(N) % 7 == 0, 0, -1)
OFFSET = 0.2 * RNG.normal(size=N)
SETTINGS = {
    "weights": (LinearExpert(), "numbers", {"weight": WEIGHT}),
    "fractional weights": (PoissonExpert(), "counts", {"weight": WEIGHT / 2.7}),
    "offset": (LinearExpert(), "numbers", {"offset": OFFSET}),
    "offset of a log link": (PoissonExpert(), "counts", {"offset": OFFSET}),
    "offset of noise with tails": (StudentExpert(), "numbers", {"offset": OFFSET}),
    "trials": (BinomialExpert(), "successes", {"trials": RNG.integers(5, 9, N)}),
    "labels": (LinearExpert(), "numbers", {"labels": LABELS}),
    "sparse": (LinearExpert(), "numbers", {"table": sp.csr_matrix(X)}),
    "sparse classes": (LogisticExpert(), "classes", {"table": sp.csr_matrix(X)}),
    "other columns": (LinearExpert(), "numbers", {"gate_features": [0]}),
    "as given": (LinearExpert(alpha=2.0), "numbers", {"standardize": False}),
    "shared slopes": (LinearExpert(shared_coef=[0]), "outputs", {}),
    "shared intercept": (LinearExpert(shared_coef=["intercept"]), "numbers", {}),
    "all slopes shared": (PoissonExpert(shared_coef=True), "counts", {}),
    "fixed": (LinearExpert(fixed_coef={"x1": 0.3}), "numbers", {}),
    "fixed intercept": (GammaExpert(fixed_coef={"intercept": [0.3, 0.1]}), "positive", {}),
    "nonnegative": (LinearExpert(nonnegative=True), "numbers", {"moved": 0.0, "max_iter": 200}),
    "lasso": (LinearExpert(alpha=20.0, l1_ratio=0.7), "numbers", {"moved": 0.0, "max_iter": 200}),
    "lasso of classes": (LogisticExpert(alpha=12.0, l1_ratio=0.7), "classes", {"moved": 0.0, "max_iter": 200}),
    "lasso, shared": (PoissonExpert(alpha=20.0, l1_ratio=0.9, shared_coef=[1]), "counts", {"moved": 0.0}),
    "shared variance": (LinearExpert(shared_variance=True, variance_prior=(3.0, 0.3)), "outputs", {}),
    "shared covariance": (LinearExpert(shared_variance=True, covariance="full"), "outputs", {}),
    "shared dispersion": (GammaExpert(shared_dispersion=True, **SCALED), "positive", {}),
    "shared dispersion of counts": (NegativeBinomialExpert(shared_dispersion=True), "counts", {}),
    "shared df": (StudentExpert(shared_df=True, shared_variance=True), "numbers", {}),
}
GATE_SETTINGS = {
    "lasso": SoftmaxGate(alpha=3.0, l1_ratio=1.0),
    "elastic net": SoftmaxGate(alpha=3.0, l1_ratio=0.6),
}


@pytest.mark.parametrize("setting", few(representative(SETTINGS, every=8), 3))
def test_every_setting(setting):
    expert, kind, settings = SETTINGS[setting]
    check(Case(expert, SoftmaxGate(alpha=1.0), "(. .)", Y[kind], **settings))


@pytest.mark.parametrize(
    "kind, gate",
    few(
        representative(
            product(["numbers", "outputs", "counts", "classes"], ["constant", "softmax", "unbalanced", "gaussian"]),
            every=11,
        ),
        1,
    ),
)
def test_groups(kind, gate):
    (gate, tree), table = GATES[gate], X.copy()
    table[:, 0] = np.repeat(table[::3, 0], 3)  # what the gate sees of a group
    expert = {"counts": PoissonExpert(), "classes": LogisticExpert()}.get(kind, LinearExpert())
    settings = {"gate_features": [0]} if gate.traits.sees_columns else {}
    weight = np.repeat(WEIGHT[::3], 3)
    check(Case(expert, gate, tree, Y[kind], table, weight, groups=GROUPS, **settings))


@pytest.mark.parametrize("gate", GATE_SETTINGS)
@pytest.mark.parametrize("tree", ["(. .)", slow_case("((. .) . (. . .))")])
def test_lassos_of_the_gate(tree, gate):
    case = Case(LinearExpert(), GATE_SETTINGS[gate], tree, Y["numbers"], moved=0.0, max_iter=100, accelerate=False)
    layout, _ = check(case, step=2e-6)
    assert layout.n_free == case.mixture.n_parameters(case.params)


@pytest.mark.slow
def test_experts_of_several_families():
    y = Y["numbers"].copy()
    y[::9] = 12.0
    experts = [
        ("line", LinearExpert()),
        ("tails", StudentExpert()),
        ("other", LinearExpert()),
        ("far", BackgroundExpert()),
    ]
    layout, _ = check(Case(experts, ConstantGate(), "(. . . .)", y))
    names = [label.index for label in layout.labels if label.side == "expert"]
    assert list(dict.fromkeys(names)) == ["line", "tails", "other"]  # leaf by leaf, whatever is computed together
    y = np.where(RNG.random(N) < 0.3, 0.0, Y["positive"])
    layout, info = check(Case([("zero", PointMassExpert()), ("more", GammaExpert())], SoftmaxGate(), "(. .)", y))
    assert np.isfinite(info.hessian).all()


def test_estimators_are_taken_as_known():
    case = Case(
        EstimatorExpert(LinearRegression()), DecisionTreeClassifier(max_depth=2), "(. .)", Y["numbers"], moved=0.0
    )
    case.rows = case.rows._replace(fold=None)
    layout, _ = check(case)
    assert [label.term for label in layout.labels] == ["log(variance)"] * 2
    assert len(layout.remarks) == 2 and all(re.search("known|fixed", remark) for remark in layout.remarks)


class GeometricResponse(CountResponse):
    """A distribution that gives no derivatives."""

    def log_mass(self, y, eta, params):
        return y * eta - (y + 1.0) * np.log1p(np.exp(eta))

    def count_variance(self, mean, params):
        return mean + mean**2

    def counts(self, eta, params):
        raise NotImplementedError


class GeometricExpert(PoissonExpert):
    def response(self):
        return GeometricResponse(self.zero_truncated)


class SteepResponse(GammaResponse):
    """The gamma distribution without its derivatives."""

    derivatives = Response.derivatives


class SteepExpert(GammaExpert):
    def response(self):
        return SteepResponse(self.link, self.dispersion_prior, self.dispersion_floor, self.shared_dispersion)


class SilentExpert(AdditiveExpert):
    """A family without derivatives."""

    def start(self, n_experts):
        return BackgroundExpert().bind(self.rows_, None).start(n_experts)

    def bind(self, rows, design):
        bound = super().bind(rows, design)
        bound.rows_ = rows
        return bound

    def log_prob(self, params, rows):
        return -0.5 * ((rows.y - params.center.T) / params.scale.T) ** 2 - np.log(params.scale.T)

    def predict(self, params, rows):
        return np.broadcast_to(params.center, (rows.n_rows, *params.center.shape))

    def statistics(self, params, rows, resp, seen=None):
        return (resp.sum(axis=0), resp.T @ rows.y[:, 0], resp.T @ rows.y[:, 0] ** 2)

    def add(self, a, b):
        return b if a is None else tuple(u + v for u, v in zip(a, b, strict=True))

    def update(self, params, stats, rows=None):
        mean = stats[1] / stats[0]
        return params._replace(center=mean[:, None], scale=np.sqrt(stats[2] / stats[0] - mean**2)[:, None])

    def n_parameters(self, params):
        return params.center.size + params.scale.size


@pytest.mark.slow
def test_families_that_say_no_derivatives():
    check(Case(GeometricExpert(), SoftmaxGate(), "(. .)", Y["counts"]))
    check(Case(GeometricExpert(zero_truncated=True), SoftmaxGate(), "(. .)", Y["positive counts"]))
    exact = Case(GammaExpert(**SCALED), SoftmaxGate(), "(. .)", Y["positive"])
    silent = Case(SteepExpert(**SCALED), SoftmaxGate(), "(. .)", Y["positive"])
    assert_close(silent.observe().hessian, exact.observe().hessian, 1e-7)
    layout, info = check(Case(SilentExpert(), SoftmaxGate(alpha=1.0), "(. .)", Y["numbers"]))
    assert {label.side for label in layout.labels} == {"gate"}
    assert layout.remarks == ["SilentExpert has no derivatives: its parameters are taken as fixed"]


def test_a_fixed_gate_has_no_coordinates():
    def proba(Z):
        return np.column_stack([Z[:, 0] < 0.3, Z[:, 0] >= 0.3]) * 0.8 + 0.1

    layout, _ = check(Case(LinearExpert(), FixedGate(proba), "(. .)", Y["numbers"]))
    assert {label.side for label in layout.labels} == {"expert"}


# -- identities ------------------------------------------------------------------------------------------------------


def big_case(**settings):
    rng = np.random.default_rng(3)
    table = rng.normal(size=(5000, 2))
    y = np.where(table[:, 0] < 0, 1 + table[:, 1], 2 - table[:, 0]) + 0.3 * rng.normal(size=5000)
    return Case(LinearExpert(), SoftmaxGate(), "((. .) .)", y, table, **settings)


def test_information_adds_over_blocks_and_tables():
    case = big_case()
    layout = case.layout()
    whole = case.observe(layout)
    clusters = np.arange(5000) // 7 % 100  # clusters that come back in every block
    split = np.searchsorted(np.arange(5000), 2345)
    parts = [case.observe(layout, case.rows[:split]), case.observe(layout, case.rows[split:])]
    for name in ("hessian", "penalty", "meat", "gradient", "score"):
        expected = getattr(combined(parts), name)
        np.testing.assert_allclose(getattr(whole, name), expected, atol=1e-10 * np.abs(expected).max(), rtol=1e-9)
    assert combined(parts).weight == whole.weight == 5000
    # Scores one row at a time, and their products by hand.
    scores = np.array([case.observe(layout, case.rows[i : i + 1]).score for i in range(50)])
    few = case.observe(layout, case.rows[:50])
    assert_close(few.meat, scores.T @ scores, 1e-9)
    again = np.tile(case.rows.y, (2, 1))
    assert again.shape == (10000, 1)
    doubled = case.observe(layout, clusters=clusters)
    assert doubled.n_clusters == 100
    sums = [case.observe(layout, case.rows[np.flatnonzero(clusters == c)]).score for c in range(100)]
    assert_close(doubled.meat, np.transpose(sums) @ sums, 1e-9)


def test_a_weight_is_a_repetition():
    times = WEIGHT.astype(int)
    case = Case(LinearExpert(), SoftmaxGate(), "((. .) .)", Y["numbers"], weight=WEIGHT)
    layout = case.layout()
    repeated = case.rows[np.repeat(np.arange(N), times)]
    weighted, again = case.observe(layout), case.observe(layout, repeated._replace(weight=np.ones(times.sum())))
    for name in ("hessian", "penalty", "meat", "gradient", "score", "weight"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(again, name), rtol=1e-9, atol=1e-9)


def test_clusters_of_one_row_and_of_groups():
    case = Case(LinearExpert(), ConstantGate(), "(. .)", Y["numbers"], groups=GROUPS)
    layout = case.layout()
    alone = case.observe(layout)
    assert alone.weight == N / 3
    assert_close(case.observe(layout, clusters=GROUPS).meat, alone.meat, 1e-12)
    with pytest.raises(ValueError, match="within a group"):
        case.observe(layout, clusters=np.arange(N))
    with pytest.raises(ValueError, match="clusters has shape"):
        case.observe(layout, clusters=[1, 2])
    with pytest.raises(ValueError, match="free coordinates"):
        layout.move([0.1])


@pytest.mark.parametrize(
    "family",
    representative(["linear", "outputs", "covariances", "poisson", "gamma log", "logistic, three"], every=2),
)
def test_nothing_is_left_of_the_gradient_at_a_maximum(family):
    expert, kind = FAMILIES[family]
    case = Case(expert, SoftmaxGate(alpha=1.0), "((. .) .)", Y[kind], moved=0.0, max_iter=4000, estimator=tight)
    info = case.observe()
    assert np.abs(info.gradient).max() < 1e-4 * N
    assert np.linalg.eigvalsh(info.hessian + info.penalty).max() < 0


def tight(**settings):
    kind = HMEClassifier if isinstance(settings["expert"], LogisticExpert) else HMERegressor
    return kind(tol=1e-9, **settings)


def test_rows_that_nobody_can_have_produced_count_for_nothing():
    case = Case(LinearExpert(), ConstantGate(), "(. .)", Y["numbers"])
    layout = case.layout()
    far = case.rows._replace(y=np.where(np.arange(N)[:, None] < 3, 1e200, case.rows.y))
    with np.errstate(over="ignore"):
        one, other = case.observe(layout, far), case.observe(layout, case.rows[3:])
    for name in ("hessian", "meat", "gradient"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-10)


def test_sums_of_normal_derivatives_are_those_of_the_rows():
    residual, root = RNG.normal(size=(30, 3, 4)), RNG.normal(size=(3, 4, 4))
    share = RNG.random((30, 3))
    for covariance in (root @ root.swapaxes(1, 2) + np.eye(4), RNG.random((3, 4)) + 0.5):
        first, second = gaussian_derivatives(residual, covariance)
        slopes, sums = gaussian_sums(residual, covariance, share)
        np.testing.assert_allclose(slopes, first, atol=1e-12)
        np.testing.assert_allclose(sums, np.einsum("nk,nkde->kde", share, second), atol=1e-10)


def test_any_scalars_make_a_covariance():
    value = 3.0 * RNG.normal(size=(5, 6))
    covariance = covariance_of(value, 3)
    assert (np.linalg.eigvalsh(covariance) > 0).all()
    scalars = covariance_scalars(covariance, [("", "")] * 6)
    np.testing.assert_allclose(scalars.value, value, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(covariance_of(scalars.value, 3), covariance, rtol=1e-6)


# -- what is reported ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", few(representative(FAMILIES, every=8), 1))
def test_reported_coordinates_are_the_users(family):
    expert, kind = FAMILIES[family]
    case = Case(expert, SoftmaxGate(alpha=1.0), "((. .) .)", Y[kind])
    layout, (_, stats) = case.layout(), case.sweep(case.params)
    report = case.mixture.expert.report(case.params.experts, case.columns.expert.design)
    found = {label: value for label, value in zip(layout.labels, layout.estimate, strict=True)}
    for k in range(3):
        own = [value for label, value in found.items() if label.side == "expert" and label.index == k]
        if kind in ("numbers", "counts", "positive", "successes", "positive counts"):
            intercept, slopes = report.intercept[k], report.coef[k]
            expected = np.append(intercept, slopes if family != "constant" else [])
            np.testing.assert_allclose(own[: len(expected)], expected, rtol=1e-12)
    gate = case.mixture.gate.report(case.params.gate, case.columns.gate.design)
    for m in range(2):
        own = [found["gate", m, "1", term] for term in (INTERCEPT, "x0", "x1")]
        contrast = [gate.intercept[m, 1] - gate.intercept[m, 0], *(gate.coef[m, 1] - gate.coef[m, 0])]
        np.testing.assert_allclose(own, contrast, rtol=1e-10)
    slopes = differences(lambda delta: case.layout(layout.move(delta), stats).estimate, layout.n_free)
    np.testing.assert_allclose(layout.jacobian.T, slopes, rtol=1e-7, atol=1e-9 * np.abs(slopes).max())
    still = layout.move(np.zeros(layout.n_free))
    np.testing.assert_allclose(case.objective(still), case.objective(case.params), rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["full", slow_case("tied"), slow_case("diag")])
def test_reported_coordinates_of_a_gaussian_gate(kind):
    case = Case(LinearExpert(), GaussianGate(kind), "(. .)", Y["numbers"])
    layout, (_, stats) = case.layout(), case.sweep(case.params)
    gate = case.mixture.gate.report(case.params.gate, case.columns.gate.design)
    found = {
        label[1:]: value for label, value in zip(layout.labels, layout.estimate, strict=True) if label.side == "gate"
    }
    np.testing.assert_allclose(found[0, "1", INTERCEPT], np.log(gate.proportion[1] / gate.proportion[0]))
    np.testing.assert_allclose(found[1, "", "mean(x1)"], gate.mean[1, 1])
    variance = gate.covariance[1, 1] if kind == "diag" else gate.covariance[1, 1, 1]
    np.testing.assert_allclose(found[1, "", "log(variance(x1))"], np.log(variance))
    if kind != "diag":
        np.testing.assert_allclose(found[1, "", "covariance(x0, x1)"], gate.covariance[1, 0, 1])
    slopes = differences(lambda delta: case.layout(layout.move(delta), stats).estimate, layout.n_free)
    np.testing.assert_allclose(layout.jacobian.T, slopes, rtol=1e-7, atol=1e-9 * np.abs(slopes).max())
    assert bool(layout.tied) == (kind == "tied")


def notes(layout):
    return {layout.labels[i]: text for i, text in layout.notes.items()}


def test_what_is_not_free_is_said():
    fixed = Case(LinearExpert(fixed_coef={"x1": 0.3}), SoftmaxGate(), "(. .)", Y["numbers"])
    assert notes(fixed.layout()) == {("expert", k, "", "x1"): "fixed" for k in range(2)}
    layout = fixed.layout()
    assert layout.estimate[[i for i in layout.notes]].tolist() == pytest.approx([0.3, 0.3])
    intercept = Case(LinearExpert(fixed_coef={"intercept": 1.5}), SoftmaxGate(), "(. .)", Y["numbers"]).layout()
    assert notes(intercept) == {("expert", k, "", INTERCEPT): "fixed" for k in range(2)}
    shared = Case(LinearExpert(shared_coef=True), SoftmaxGate(), "(. .)", Y["numbers"]).layout()
    assert not shared.notes
    assert [(shared.labels[i].term, shared.labels[j].index) for i, j in shared.tied.items()] == [("x0", 0), ("x1", 0)]
    lasso = Case(LinearExpert(alpha=60.0, l1_ratio=1.0), ConstantGate(), "(. .)", Y["numbers"], max_iter=200, moved=0.0)
    zero = {label for label, text in notes(lasso.layout()).items() if text == "zero by the lasso"}
    coef = lasso.model.experts_.coef
    assert zero and zero == {("expert", k, "", f"x{j}") for k, j in np.argwhere(coef == 0)}
    assert lasso.layout().n_free == lasso.mixture.n_parameters(lasso.params)
    bound = Case(LinearExpert(nonnegative=True), SoftmaxGate(), "(. .)", Y["numbers"], max_iter=200, moved=0.0)
    held = {label for label, text in notes(bound.layout()).items() if text == "at its bound"}
    assert held and held == {("expert", k, "", f"x{j}") for k, j in np.argwhere(bound.model.experts_.coef == 0)}


@pytest.mark.slow
def test_boundaries_are_said():
    table = np.column_stack([X, np.full(N, 3.0)])
    constant = Case(LinearExpert(), SoftmaxGate(), "(. .)", Y["numbers"], table).layout()
    assert notes(constant) == {
        label: "its column is constant"
        for label in [("expert", 0, "", "x2"), ("expert", 1, "", "x2"), ("gate", 0, "1", "x2")]
    }
    normal = Case(LinearExpert(), GaussianGate(), "(. .)", Y["numbers"], table).layout()
    held = {label.term for label in notes(normal) if label.side == "gate"}
    assert held == {"mean(x2)", "log(variance(x2))", "covariance(x0, x2)", "covariance(x1, x2)"}
    apart = np.linspace(-1, 1, 60)[:, None]
    y = np.where(apart[:, 0] > 0, 5.0, 0.0) + 0.1 * RNG.normal(size=60)
    separated = Case(ConstantExpert(), SoftmaxGate(alpha=0.0), "(. .)", y, apart, moved=0.0, max_iter=500)
    assert separated.model.boundary_
    assert set(notes(separated.layout()).values()) == {"grows without bound"}
    classes = Case(LogisticExpert(alpha=0.0), None, ".", (apart[:, 0] > 0).astype(int), apart, moved=0.0, max_iter=500)
    assert set(notes(classes.layout()).values()) == {"grows without bound"} and not classes.layout().n_free
    exact = Case(LinearExpert(alpha=0.0, variance_prior=None), None, ".", 2 * apart[:, 0], apart, moved=0.0).layout()
    assert notes(exact) == {("expert", 0, "", "log(variance)"): "at its floor"}
    even = Case(NegativeBinomialExpert(), None, ".", np.full(N, 3.0) + (X[:, 0] > 0), moved=0.0, max_iter=300).layout()
    assert notes(even) == {("expert", 0, "", "log(dispersion)"): "at its floor"}
    remarks = Case(LaplaceExpert(), TopKGate(k=1), "(. .)", Y["numbers"], moved=0.0).layout().remarks
    assert len(remarks) == 2 and "not smooth at zero" in remarks[0] and "chosen" in remarks[1]


# -- other programs --------------------------------------------------------------------------------------------------


def errors(case):
    """Standard errors of one expert by the observed information and by the sandwich, intercept first."""
    layout, info = case.layout(), case.observe()
    bread = np.linalg.inv(-info.hessian)
    covariances = bread, bread @ info.meat @ bread
    return [np.sqrt(np.diagonal(layout.jacobian @ V @ layout.jacobian.T)) for V in covariances]


def alone(expert, y, **settings):
    return Case(expert, None, ".", y, moved=0.0, max_iter=3000, estimator=tight, **settings)


def test_standard_errors_of_ordinary_least_squares():
    case = alone(LinearExpert(alpha=0.0, variance_prior=None), Y["numbers"])
    fit = sm.OLS(Y["numbers"], sm.add_constant(X)).fit()
    ours, robust = errors(case)
    np.testing.assert_allclose(ours[:3], fit.bse * np.sqrt((N - 3) / N), rtol=1e-7)
    np.testing.assert_allclose(ours[3], np.sqrt(2.0 / N), rtol=1e-7)
    np.testing.assert_allclose(robust[:3], fit.get_robustcov_results("HC0").bse, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:The InversePower link:statsmodels.tools.sm_exceptions.DomainWarning")
@pytest.mark.parametrize("link", ["log", "inverse"])
def test_standard_errors_of_gamma_regression(link):
    case = alone(GammaExpert(link, alpha=0.0, dispersion_prior=None), Y["positive"])
    family = sm.families.Gamma(sm.families.links.Log() if link == "log" else sm.families.links.InversePower())
    model = sm.GLM(Y["positive"], sm.add_constant(X), family=family)
    fit = model.fit(tol=1e-13, maxiter=200)
    dispersion = case.params.experts.dispersion[0]
    information = -model.hessian(fit.params, scale=dispersion, observed=True)
    np.testing.assert_allclose(errors(case)[0][:3], np.sqrt(np.diagonal(np.linalg.inv(information))), rtol=1e-5)


def test_standard_errors_of_counts():
    fit = sm.Poisson(Y["counts"], sm.add_constant(X)).fit(disp=0, tol=1e-12)
    ours, robust = errors(alone(PoissonExpert(alpha=0.0), Y["counts"]))
    np.testing.assert_allclose(ours, fit.bse, rtol=1e-6)
    sandwich = sm.Poisson(Y["counts"], sm.add_constant(X)).fit(disp=0, tol=1e-12, cov_type="HC0")
    np.testing.assert_allclose(robust, sandwich.bse, rtol=1e-6)
    spread = RNG.poisson(np.exp(0.5 * SCORE) * RNG.gamma(1.5, 1 / 1.5, N)).astype(float)
    fit = sm.NegativeBinomial(spread, sm.add_constant(X)).fit(
        disp=0, method="newton", start_params=[0.5, -0.2, 0.1, 0.6], tol=1e-12
    )
    ours, _ = errors(alone(NegativeBinomialExpert(alpha=0.0), spread))
    np.testing.assert_allclose(ours[:3], fit.bse[:3], rtol=1e-5)
    np.testing.assert_allclose(ours[3] * fit.params[3], fit.bse[3], rtol=1e-4)


def test_standard_errors_of_classes():
    fit = sm.Logit(Y["two classes"], sm.add_constant(X)).fit(disp=0, tol=1e-12)
    ours, _ = errors(alone(LogisticExpert(alpha=0.0), Y["two classes"]))
    np.testing.assert_allclose(ours, fit.bse, rtol=1e-6)
    fit = sm.MNLogit(Y["classes"], sm.add_constant(X)).fit(disp=0, tol=1e-12)
    ours, _ = errors(alone(LogisticExpert(alpha=0.0), Y["classes"]))
    np.testing.assert_allclose(ours, np.ravel(fit.bse.T), rtol=1e-6)


def test_gaussian_gates_of_no_column_and_of_many():
    """Without columns there are proportions alone; of many columns the covariances are taken as fixed."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(150, 34)), rng.normal(size=150)
    blind = HMERegressor(n_experts=2, gate="gaussian", gate_features=[], expert_features=[0], max_iter=5)
    wide = HMERegressor(n_experts=2, gate="gaussian", expert_features=[0], max_iter=5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        blind, wide = infer(blind.fit(X, y), X, y), infer(wide.fit(X, y), X, y)
    assert sum(name.startswith("gate") for name in blind.names) < 3
    assert any("covariances of more than 30 columns are taken as fixed" in remark for remark in wide.remarks)
    assert sum("mean(" in name for name in wide.names) == 68 and not any("variance(x" in name for name in wide.names)


def test_information_beyond_the_range_of_numbers_tells_nothing():
    information = np.diag([4.0, -np.inf, 1.0])
    information[0, 1] = information[1, 0] = np.nan
    covariance, eigenvalues = ParameterCovariance.of(None, information)
    np.testing.assert_allclose(covariance.root @ covariance.root.T, np.diag([0.25, 0.0, 1.0]), atol=1e-15)
    np.testing.assert_array_equal(np.abs(covariance.loose), [[0.0], [1.0], [0.0]])
    np.testing.assert_allclose(eigenvalues, [0.0, 1.0, 1.0], atol=1e-15)
