"""Standard errors, tests, bands and effects: against statsmodels for one expert, against differences for mixtures."""

import warnings
from copy import copy

import numpy as np
import pytest
from problems import few, representative
from scipy.stats import norm
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hme import HMEClassifier, HMERegressor
from hme.experts import BinomialExpert, EstimatorExpert, LinearExpert, LogisticExpert, PoissonExpert
from hme.gates import EstimatorGate, SoftmaxGate
from hme.inference.comparison import aicc, icl, likelihood_ratio_test
from hme.inference.delta import ParameterCovariance
from hme.inference.infer import infer

sm = pytest.importorskip("statsmodels.api")

PLAIN = {"alpha": 0.0, "variance_prior": None, "variance_floor": 1e-9}
TIGHT = {"tol": 1e-13, "max_iter": 5000}


def one(X, y, expert, **rows):
    """One unpenalised expert, fitted to the last digits."""
    kind = HMEClassifier if "classification" in expert.traits.tasks else HMERegressor
    return kind(depth=0, expert=expert, **TIGHT).fit(X, y, **rows)


def table(seed=0, n=250):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3)) * [1.0, 5.0, 0.2] + [0.0, 30.0, -2.0]
    eta = 0.5 + 0.4 * X[:, 0] - 0.05 * (X[:, 1] - 30.0) + X[:, 2] + 2.0
    return rng, X, eta


def two_regimes(seed=0, n=600):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    left = X[:, 0] + 0.4 * rng.logistic(size=n) < 0
    y = np.where(left, 2.0 - X[:, 0], 0.5 + 1.5 * X[:, 0] + X[:, 1]) + 0.4 * rng.normal(size=n)
    return X, y


def maximum_likelihood(n_experts=2, **settings):
    return HMERegressor(n_experts=n_experts, expert=LinearExpert(**PLAIN), gate=SoftmaxGate(0.0), **TIGHT, **settings)


@pytest.fixture(scope="module")
def mixture():
    X, y = two_regimes()
    model = maximum_likelihood().fit(X, y)
    return model, X, y, infer(model, X, y)


def coefficients(result, side="expert", index=0, part=""):
    """Numbers of the intercept and the slopes."""
    return [
        i
        for i, label in enumerate(result.labels)
        if (label.side, label.index, label.part) == (side, index, part) and not label.term.startswith("log(")
    ]


# -- one expert: what statsmodels says ---------------------------------------------------------------------------------


def statsmodels_fit(name, seed=0):
    """A pair: our inference for one expert, as a function of its settings, and statsmodels' fit."""
    rng, X, eta = table(seed)
    design, rows = sm.add_constant(X), {}
    if name == "linear":
        y, expert, model = eta + rng.normal(size=len(X)), LinearExpert(**PLAIN), None
        # GLM with the maximum-likelihood variance: OLS divides by n - p.
        model, arguments = sm.GLM(y, design), {"scale": np.mean(sm.OLS(y, design).fit().resid ** 2)}
    elif name == "poisson":
        offset = rng.uniform(0, 1, len(X))
        y, expert, rows = rng.poisson(np.exp(0.5 * eta + offset)), PoissonExpert(alpha=0.0), {"offset": offset}
        model, arguments = sm.GLM(y, design, family=sm.families.Poisson(), offset=offset), {}
    elif name == "binomial":
        trials = rng.integers(1, 12, len(X)).astype(float)
        y, expert = rng.binomial(trials.astype(int), 1 / (1 + np.exp(-eta))), BinomialExpert(alpha=0.0)
        both = np.column_stack([y, trials - y])
        model, arguments, rows = sm.GLM(both, design, family=sm.families.Binomial()), {}, {"trials": trials}
    else:
        y, expert = (rng.logistic(size=len(X)) < eta).astype(int), LogisticExpert(alpha=0.0)
        model, arguments = sm.Logit(y, design), {}
    ours = one(X, y, expert, **rows)
    if name == "logit":
        return ours, X, y, rows, lambda **more: model.fit(disp=0, tol=1e-14, **more)
    return ours, X, y, rows, lambda **more: model.fit(tol=1e-14, **arguments, **more)


NAMES = ["linear", "poisson", "binomial", "logit"]


@pytest.mark.parametrize("name", representative(NAMES, every=2))
@pytest.mark.parametrize("cov_type", ["observed", "robust", "cluster"])
def test_one_expert_is_statsmodels(name, cov_type):
    ours, X, y, rows, fit = statsmodels_fit(name)
    clusters = np.arange(len(X)) // 7
    more, factor = {}, 1.0
    if cov_type == "robust":
        more = {"cov_type": "HC0"}
    elif cov_type == "cluster":
        more = {"cov_type": "cluster", "cov_kwds": {"groups": clusters, "use_correction": False}}
        factor = len(set(clusters)) / (len(set(clusters)) - 1)
    theirs = fit(**more)
    result = infer(ours, X, y, cov_type=cov_type, clusters=clusters if cov_type == "cluster" else None, **rows)
    numbers = coefficients(result)
    np.testing.assert_allclose(result.estimate[numbers], theirs.params, rtol=1e-6)
    np.testing.assert_allclose(result.standard_error[numbers], theirs.bse * np.sqrt(factor), rtol=1e-5)
    np.testing.assert_allclose(
        result.covariance[np.ix_(numbers, numbers)], factor * theirs.cov_params(), rtol=1e-4, atol=1e-12
    )
    if factor == 1.0:
        np.testing.assert_allclose(result.z[numbers], theirs.tvalues, rtol=1e-5)
        np.testing.assert_allclose(result.p_value[numbers], theirs.pvalues, rtol=1e-4)
        np.testing.assert_allclose(result.interval[numbers], theirs.conf_int(), rtol=1e-5)
        test = result.wald_test(["x0", "x2"])
        expected = theirs.wald_test(np.eye(4)[[1, 3]], use_f=False, scalar=True)
        assert test.df == 2
        np.testing.assert_allclose([test.statistic, test.p_value], [expected.statistic, expected.pvalue], rtol=1e-4)
    assert result.distance < 1e-4 and not result.remarks


@pytest.mark.parametrize("name", ["linear", "poisson", "binomial"])
def test_bands_of_one_expert_are_statsmodels(name):
    ours, X, y, rows, fit = statsmodels_fit(name)
    new = {key: np.full(7, 4.0) for key in rows}
    theirs = fit().get_prediction(sm.add_constant(X[:7]), **{k: v for k, v in new.items() if k == "offset"})
    expected = theirs.summary_frame(alpha=0.1)
    band = infer(ours, X, y, **rows).mean_interval(X[:7], 0.9, **new)
    for value, column in zip(band, ["mean", "mean_se", "mean_ci_lower", "mean_ci_upper"], strict=True):
        factor = 4.0 if name == "binomial" else 1.0
        np.testing.assert_allclose(value, factor * expected[column], rtol=1e-5)


def test_effects_of_one_logit_are_statsmodels():
    ours, X, y, _, fit = statsmodels_fit("logit")
    expected = fit().get_margeff()
    effects = infer(ours, X, y).marginal_effects(X)
    np.testing.assert_allclose(effects.estimate[:, 0, 1], expected.margeff, rtol=1e-5)
    np.testing.assert_allclose(effects.standard_error[:, 0, 1], expected.margeff_se, rtol=1e-4)
    np.testing.assert_allclose(effects.estimate[:, :, 0], -effects.estimate[:, :, 1], atol=1e-9)
    np.testing.assert_allclose(effects.estimate[:, 1], 0.0, atol=1e-9)  # there is no other expert


# -- mixtures: differences ---------------------------------------------------------------------------------------------


def numeric_information(model, rows, layout, h=1e-4):
    """Minus the Hessian of the penalised log-likelihood along the free coordinates, by differences."""
    eye = h * np.eye(layout.n_free)

    def objective(delta):
        params = layout.move(delta)
        return rows.weight @ model.model_.evidence(params, rows) + model.model_.log_prior_density(params)

    out = np.empty((layout.n_free, layout.n_free))
    for a in range(len(out)):
        for b in range(a + 1):
            corners = [s * t * objective(s * eye[a] + t * eye[b]) for s in (1, -1) for t in (1, -1)]
            out[a, b] = out[b, a] = -sum(corners) / (4.0 * h * h)
    return out


def test_errors_are_those_of_a_numeric_hessian(mixture):
    for model, X, y, result in (mixture, penalised_mixture()):
        rows, _ = model.observed_rows(X, y)
        covariance = np.linalg.inv(numeric_information(model, rows, result.layout))
        jacobian = result.layout.jacobian
        expected = np.sqrt(np.diag(jacobian @ covariance @ jacobian.T))
        np.testing.assert_allclose(result.standard_error, expected, rtol=1e-4)
        assert result.distance < 1e-3


def test_sandwich_is_that_of_numeric_scores(mixture):
    model, X, y, observed = mixture
    rows, _ = model.observed_rows(X, y)
    layout, h = observed.layout, 1e-5
    scores = [
        (model.model_.evidence(layout.move(d), rows) - model.model_.evidence(layout.move(-d), rows)) / (2 * h)
        for d in h * np.eye(layout.n_free)
    ]
    scores = np.stack(scores, axis=1)
    inverse = layout.jacobian @ np.linalg.inv(-observed.hessian)
    robust = infer(model, X, y, cov_type="robust")
    np.testing.assert_allclose(robust.covariance, inverse @ scores.T @ scores @ inverse.T, rtol=1e-5, atol=1e-10)
    clusters = np.random.default_rng(0).integers(0, 40, len(y))
    sums = np.stack([scores[clusters == c].sum(axis=0) for c in range(40)])
    cluster = infer(model, X, y, cov_type="cluster", clusters=clusters)
    expected = 40 / 39 * inverse @ sums.T @ sums @ inverse.T
    np.testing.assert_allclose(cluster.covariance, expected, rtol=1e-5, atol=1e-10)
    assert cluster.n_clusters == 40


def penalised_mixture():
    X, y = two_regimes(1, 300)
    model = HMERegressor(n_experts=2, expert=LinearExpert(alpha=20.0), gate=SoftmaxGate(5.0), **TIGHT).fit(X, y)
    return model, X, y, infer(model, X, y)


def test_penalties_leave_fewer_parameters(mixture):
    model, _, _, result = mixture
    np.testing.assert_allclose(result.effective_df, model.n_parameters_, rtol=1e-8)
    _, X, y, penalised = penalised_mixture()
    assert 0 < penalised.effective_df < penalised.layout.n_free - 0.5
    assert any("penalised" in remark for remark in penalised.remarks)
    information = -penalised.hessian - penalised.penalty
    expected = np.trace(np.linalg.solve(information, -penalised.hessian))
    np.testing.assert_allclose(penalised.effective_df, expected, rtol=1e-8)


def test_units_of_columns_do_not_matter(mixture):
    _, X, y, result = mixture
    scale, shift = np.array([1e-3, 50.0]), np.array([5.0, -400.0])
    other = X * scale + shift
    again = infer(maximum_likelihood().fit(other, y), other, y)
    slopes = [i for i, label in enumerate(result.labels) if label.term in ("x0", "x1")]
    factor = np.array([scale[int(result.labels[i].term[1])] for i in slopes])
    np.testing.assert_allclose(again.standard_error[slopes] * factor, result.standard_error[slopes], rtol=1e-4)
    np.testing.assert_allclose(again.z[slopes], result.z[slopes], rtol=1e-3, atol=1e-4)


def test_weights_are_repeated_rows():
    X, y = two_regimes(3, 200)
    weight = np.random.default_rng(0).integers(0, 4, 200)
    model = maximum_likelihood().fit(X, y, sample_weight=weight)
    again = np.repeat(np.arange(200), weight)
    for cov_type in ("observed", "robust"):
        a = infer(model, X, y, weight, cov_type=cov_type)
        b = infer(model, X[again], y[again], cov_type=cov_type)
        np.testing.assert_allclose(a.covariance, b.covariance, rtol=1e-7, atol=1e-12)
        np.testing.assert_allclose([a.log_likelihood, a.aic, a.bic], [b.log_likelihood, b.aic, b.bic])
        np.testing.assert_allclose([a.aic, a.bic], [model.aic(X, y, weight), model.bic(X, y, weight)])


def test_every_row_its_own_cluster_is_robust(mixture):
    model, X, y, _ = mixture
    n = len(y)
    robust = infer(model, X, y, cov_type="robust")
    cluster = infer(model, X, y, cov_type="cluster", clusters=np.random.default_rng(0).permutation(n))
    np.testing.assert_allclose(cluster.covariance, robust.covariance * n / (n - 1), rtol=1e-8)


def test_groups_are_the_units():
    rng = np.random.default_rng(0)
    groups = rng.permutation(np.repeat(np.arange(60), 4))
    kind = rng.integers(0, 2, 60)[groups]
    X = rng.normal(size=(240, 1))
    y = np.where(kind == 0, 1 + X[:, 0], -1 - X[:, 0]) + 0.5 * rng.normal(size=240)
    model = HMERegressor(n_experts=2, expert=LinearExpert(**PLAIN), gate="constant", **TIGHT).fit(X, y, groups=groups)
    robust = infer(model, X, y, cov_type="robust", groups=groups)
    cluster = infer(model, X, y, cov_type="cluster", groups=groups)
    np.testing.assert_allclose(cluster.covariance, robust.covariance * 60 / 59, rtol=1e-8)
    assert cluster.n_clusters == 60 and robust.weight == 60 and robust.grouped
    assert "groups" in str(robust.summary())
    with pytest.raises(ValueError, match="cluster"):
        infer(model, X, y, cov_type="cluster", groups=groups, clusters=np.arange(240))
    with pytest.raises(ValueError, match="constant inside a group"):
        infer(model, X, y, rng.uniform(1, 2, 240), groups=groups)


@pytest.mark.slow
def test_average_error_is_the_deviation_of_estimates():
    """Monte Carlo: of 200 tables from one mixture, estimates spread as far as errors say."""
    rng = np.random.default_rng(0)
    estimates, errors = [], []
    for _ in range(200):
        X = rng.normal(size=(600, 1))
        left = rng.uniform(size=600) < 1 / (1 + np.exp(1.5 * X[:, 0]))
        y = np.where(left, 2.0 - X[:, 0], 3.0 * X[:, 0] - 2.0) + 0.5 * rng.normal(size=600)
        start = np.where(left, 0, 1)
        settings = {"start": start, "tol": 1e-8, "max_iter": 2000}
        expert, gate = LinearExpert(**PLAIN), SoftmaxGate(0.0)
        model = HMERegressor(n_experts=2, expert=expert, gate=gate, **settings).fit(X, y)
        result = infer(model, X, y)
        estimates.append(result.estimate)
        errors.append(result.standard_error)
    ratio = np.mean(errors, axis=0) / np.std(estimates, axis=0)
    # The deviation of 200 draws is itself off by 5 %: four of its errors.
    assert (np.abs(np.log(ratio)) < 0.2).all(), ratio


# -- tests -------------------------------------------------------------------------------------------------------------


def test_wald_forms_agree(mixture):
    *_, result = mixture
    names = dict(zip(result.names, range(len(result.names)), strict=True))
    by_column = result.wald_test("x1", experts=[0])
    by_name = result.wald_test({"expert 0: x1": 1.0})
    matrix = np.zeros((1, len(names)))
    matrix[0, names["expert 0: x1"]] = -3.0
    by_matrix = result.wald_test(matrix)
    z = result.z[names["expert 0: x1"]]
    for test in (by_column, by_name, by_matrix):
        np.testing.assert_allclose([test.statistic, test.p_value], [z**2, 2 * norm.sf(abs(z))], rtol=1e-8)
        assert test.df == 1
    moved = result.wald_test({"expert 0: x1": 2.0}, value=2.0 * result.estimate[names["expert 0: x1"]])
    assert moved.statistic < 1e-12 and moved.p_value > 0.999
    assert result.wald_test("x1").df == 3 and result.wald_test("x1", side="gate").df == 1
    equal = result.equal_across_experts("x1")
    by_hand = result.wald_test({"expert 1: x1": 1.0, "expert 0: x1": -1.0})
    np.testing.assert_allclose(equal[:3], by_hand[:3])
    twice = result.wald_test([{"expert 0: x1": 1.0}, {"expert 0: x1": 2.0}, {"expert 1: x1": 1.0}])
    np.testing.assert_allclose(twice[:3], result.wald_test("x1", side="expert")[:3])
    with pytest.raises(ValueError, match="contradict"):
        result.wald_test([{"expert 0: x1": 1.0}, {"expert 0: x1": 2.0}], value=[0.0, 1.0])


def test_wald_says_what_is_wrong(mixture):
    *_, result = mixture
    for terms, more, message in (
        ("x9", {}, "x9"),
        (["x0", "x9"], {"side": "gate"}, "x9"),
        ("x0", {"experts": [7]}, "expert"),
        ("x0", {"side": "both"}, "side"),
        ({"expert 9: x0": 1.0}, {}, "expert 9: x0"),
        (np.eye(3), {}, "matrix"),
        (np.eye(3), {"side": "gate"}, "side"),
        ([], {}, "empty"),
        ("x0", {"value": [1.0, 2.0]}, "value"),
    ):
        with pytest.raises(ValueError, match=message):
            result.wald_test(terms, **more)
    with pytest.raises(ValueError, match="one expert only"):
        infer(*statsmodels_fit("linear")[:3]).equal_across_experts("x0")


@pytest.mark.slow
def test_likelihood_ratio_is_near_wald(mixture):
    model, X, y, result = mixture
    held = LinearExpert(**PLAIN, fixed_coef={"x1": 0.0})
    smaller = HMERegressor(n_experts=2, expert=held, gate=SoftmaxGate(0.0), start=model.responsibilities(X, y), **TIGHT)
    shared = LinearExpert(**PLAIN, shared_coef=["x0"])
    same = HMERegressor(n_experts=2, expert=shared, gate=SoftmaxGate(0.0), start=model.responsibilities(X, y), **TIGHT)
    for restricted, df in ((smaller.fit(X, y), 2), (same.fit(X, y), 1)):
        test = likelihood_ratio_test(restricted, model, X, y)
        assert test.df == df and not test.remarks
        expected = 2 * (model.log_likelihood(X, y).sum() - restricted.log_likelihood(X, y).sum())
        np.testing.assert_allclose(test.statistic, expected)
        assert test.p_value < 1e-6
    with pytest.raises(ValueError, match="fewer"):
        likelihood_ratio_test(model, smaller, X, y)
    with pytest.raises(ValueError, match="bootstrap"):
        likelihood_ratio_test(one(X, y, LinearExpert(**PLAIN)), model, X, y)
    weak = HMERegressor(n_experts=2, expert=LinearExpert(alpha=1e4), gate=SoftmaxGate(1e4)).fit(X, y)
    with pytest.raises(ValueError, match="not at its maximum"):
        likelihood_ratio_test(smaller, weak, X, y)


def test_likelihood_ratio_where_it_holds():
    """A column that says nothing: near one expert's maximum both statistics are the same."""
    rng, X, eta = table(4, 2000)
    y = rng.poisson(np.exp(0.3 * eta))
    noise = np.column_stack([X, rng.normal(size=2000)])
    full = one(noise, y, PoissonExpert(alpha=0.0))
    restricted = one(noise, y, PoissonExpert(alpha=0.0, fixed_coef={"x3": 0.0}))
    ratio = likelihood_ratio_test(restricted, full, noise, y)
    wald = infer(full, noise, y).wald_test("x3")
    assert ratio.df == wald.df == 1
    np.testing.assert_allclose(ratio.statistic, wald.statistic, rtol=0.02, atol=1e-4)


# -- the delta method --------------------------------------------------------------------------------------------------


def draws(result, n=4000, seed=0):
    """Parameters from the estimated normal distribution."""
    rng = np.random.default_rng(seed)
    root = result.parameter_covariance.root
    return [result.layout.move(root @ rng.normal(size=root.shape[1])) for _ in range(n)]


@pytest.mark.slow
def test_bands_are_those_of_simulated_parameters(mixture):
    model, X, _, result = mixture
    rows = model.rows(X[:6])
    several = draws(result)
    means = np.stack([model.model_.mean(params, rows)[:, 0] for params in several])
    band = result.mean_interval(X[:6])
    np.testing.assert_allclose(band.estimate, model.predict(X[:6]), rtol=1e-12)
    np.testing.assert_allclose(band.standard_error, means.std(axis=0), rtol=0.08)
    priors = np.exp(np.stack([model.model_.gate.log_prior(params.gate, rows) for params in several]))
    band = result.gate_interval(X[:6], 0.8)
    np.testing.assert_allclose(band.estimate, model.gate_proba(X[:6]), rtol=1e-9)
    np.testing.assert_allclose(band.standard_error, priors.std(axis=0), rtol=0.12)
    np.testing.assert_allclose(band.lower, np.quantile(priors, 0.1, axis=0), rtol=0.15)
    np.testing.assert_allclose(band.upper, np.quantile(priors, 0.9, axis=0), rtol=0.15)
    experts = np.stack([model.model_.expert.predict(params.experts, rows)[..., 0] for params in several])
    band = result.expert_mean_interval(X[:6])
    np.testing.assert_allclose(band.standard_error, experts.std(axis=0), rtol=0.06)


@pytest.mark.slow
def test_bands_stay_within_their_range(mixture):
    *_, result = mixture
    far = np.array([[40.0, 0.0], [-40.0, 3.0], [1e4, 0.0]])
    band = result.gate_interval(far)
    assert all(np.isfinite(part).all() for part in band)
    assert (band.lower >= 0).all() and (band.upper <= 1).all() and (band.lower <= band.upper).all()
    rng, X, eta = table()
    y = rng.poisson(np.exp(0.2 * eta))
    model = HMERegressor(n_experts=2, expert="poisson").fit(X, y)
    band = infer(model, X, y).mean_interval(X)
    assert (band.lower > 0).all() and np.isfinite(band.upper).all()
    labels = np.array(["a", "b", "c"])[np.digitize(eta + rng.logistic(size=len(X)), [2.0, 3.0])]
    model = HMEClassifier(n_experts=2, **TIGHT).fit(X, labels)
    band = infer(model, X, labels).mean_interval(X[:9])
    np.testing.assert_allclose(band.estimate, model.predict_proba(X[:9]), rtol=1e-6)
    assert (band.lower >= 0).all() and (band.upper <= 1).all()


def test_effects_are_differences_of_predictions(mixture):
    model, X, _, result = mixture
    effects = result.marginal_effects(X)
    model, h = copy(model).set_params(hold_range=False), 1e-5  # effects are those of the lines, also at the rows' ends
    for j in range(2):
        step = h * np.eye(2)[j]
        expected = (model.predict(X + step) - model.predict(X - step)).mean() / (2 * h)
        np.testing.assert_allclose(effects.estimate[j, 0, 0], expected, rtol=1e-6)
        prior, means = model.gate_proba(X), model.predict_experts(X)
        gate = ((model.gate_proba(X + step) - model.gate_proba(X - step)) * means).sum(axis=1).mean() / (2 * h)
        inside = (prior * (model.predict_experts(X + step) - model.predict_experts(X - step))).sum(axis=1).mean()
        np.testing.assert_allclose(effects.estimate[j, 1:, 0], [gate, inside / (2 * h)], rtol=1e-5)
    np.testing.assert_allclose(effects.estimate[:, 0], effects.estimate[:, 1:].sum(axis=1), rtol=1e-12)
    assert effects.columns == ("x0", "x1") and effects.outputs == ("",)


@pytest.mark.slow
def test_errors_of_effects_are_those_of_simulated_parameters(mixture):
    model, X, _, result = mixture
    few = X[:60]
    effects = result.marginal_effects(few, "x0")
    h = 1e-4
    step = np.array([h, 0.0])
    after, before = model.rows(few + step), model.rows(few - step)
    change = [
        (model.model_.mean(params, after) - model.model_.mean(params, before)).mean() / (2 * h)
        for params in draws(result, 3000)
    ]
    np.testing.assert_allclose(effects.standard_error[0, 0, 0], np.std(change), rtol=0.08)


def test_effects_of_two_values_are_finite_changes():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=300), rng.integers(0, 2, 300)])
    y = np.where(X[:, 0] + X[:, 1] > 0.5, X[:, 0] + 2 * X[:, 1], -X[:, 0]) + 0.3 * rng.normal(size=300)
    model = HMERegressor(n_experts=2).fit(X, y)
    result = infer(model, X, y)
    effects = result.marginal_effects(X, [1])
    after, before = X.copy(), X.copy()
    after[:, 1], before[:, 1] = 1.0, 0.0
    np.testing.assert_allclose(
        effects.estimate[0, 0, 0], (model.predict(after) - model.predict(before)).mean(), rtol=1e-10
    )
    # Shapley: the average over both orders of changing gate and experts.
    g, m = [model.gate_proba(t) for t in (after, before)], [model.predict_experts(t) for t in (after, before)]
    first = [((g[0] - g[1]) * means).sum(axis=1).mean() for means in m]
    np.testing.assert_allclose(effects.estimate[0, 1, 0], np.mean(first), rtol=1e-10)
    assert effects.changes == ("0.0 to 1.0",)
    derivative = result.marginal_effects(X, [1], kind="continuous")
    assert derivative.changes == ("per unit",) and derivative.estimate[0, 0, 0] != effects.estimate[0, 0, 0]
    weight = rng.uniform(size=300)
    weighted = result.marginal_effects(X, [1], sample_weight=weight)
    expected = np.average(model.predict(after) - model.predict(before), weights=weight)
    np.testing.assert_allclose(weighted.estimate[0, 0, 0], expected, rtol=1e-10)


@pytest.mark.slow
def test_effects_go_through_transformers():
    pd = pytest.importorskip("pandas")
    from sklearn.compose import make_column_transformer
    from sklearn.preprocessing import OneHotEncoder, SplineTransformer

    rng = np.random.default_rng(0)
    X = pd.DataFrame({"age": rng.uniform(0, 10, 300), "sex": rng.choice(["f", "m"], 300), "n": rng.integers(0, 5, 300)})
    y = np.sin(X["age"]) + (X["sex"] == "m") + 0.1 * X["n"] + 0.2 * rng.normal(size=300)
    experts = make_column_transformer(
        (SplineTransformer(6), ["age"]), (OneHotEncoder(drop="first"), ["sex"]), ("passthrough", ["n"])
    )
    model = HMERegressor(n_experts=2, expert_features=experts, gate_features=["age"], hold_range=False).fit(X, y)
    effects = infer(model, X, y).marginal_effects(X)
    assert effects.columns == ("age", "sex", "n") and effects.changes == ("per unit", "f to m", "per unit")
    expected = model.predict(X.assign(sex="m")) - model.predict(X.assign(sex="f"))
    np.testing.assert_allclose(effects.estimate[1, 0, 0], expected.mean(), rtol=1e-9)
    h = 1e-4
    expected = model.predict(X.assign(age=X["age"] + h)) - model.predict(X.assign(age=X["age"] - h))
    np.testing.assert_allclose(effects.estimate[0, 0, 0], expected.mean() / (2 * h), rtol=1e-4)
    np.testing.assert_allclose(effects.estimate[1:, 1], 0.0, atol=1e-12)  # the gate does not see them
    frame = effects.to_frame()
    assert frame.shape == (9, 6) and frame.index.names == ["column", "change", "output", "part"]
    assert str(effects).count("f to m") == 1
    with pytest.raises(ValueError, match="no numbers"):
        infer(model, X, y).marginal_effects(X, "sex", kind="continuous")


def test_effects_say_what_is_wrong(mixture):
    import scipy.sparse as sp

    _, X, _, result = mixture
    with pytest.raises(ValueError, match="x7"):
        result.marginal_effects(X, "x7")
    with pytest.raises(ValueError, match="kind"):
        result.marginal_effects(X, kind="slope")
    with pytest.raises(TypeError, match="dense"):
        result.marginal_effects(sp.csr_matrix(X))
    with pytest.raises(ValueError, match="one value only"):
        result.marginal_effects(np.ones((5, 2)), 0)
    with pytest.raises(ValueError, match="no column"):
        result.marginal_effects(np.ones((5, 2)))


# -- what has no number ------------------------------------------------------------------------------------------------


def reasonable(result):
    """Nothing huge that is not said to be unknown; nan in z and p where there is no number, and nowhere else."""
    for array in (result.estimate, result.standard_error, result.interval):
        assert not np.isnan(array).any()
    unknown = np.isinf(result.standard_error)
    assert all(note for note, u in zip(result.notes, unknown, strict=True) if u)
    without = unknown | (result.standard_error == 0)
    for array in (result.z, result.p_value):
        np.testing.assert_array_equal(np.isnan(array), without)
    assert "nan" not in str(result.summary()) and "inf " not in str(result.summary())
    return unknown


def test_separation_has_a_note_and_no_number():
    rng = np.random.default_rng(0)
    X = np.concatenate([rng.uniform(-2, -1, 100), rng.uniform(1, 2, 100)])[:, None]
    y = np.where(X[:, 0] < 0, 1 - X[:, 0], 30 + 5 * X[:, 0]) + 0.1 * rng.normal(size=200)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = HMERegressor(n_experts=2, expert=LinearExpert(**PLAIN), gate=SoftmaxGate(0.0)).fit(X, y)
    result = infer(model, X, y)
    unknown = reasonable(result)
    gate = np.array([label.side == "gate" for label in result.labels])
    assert unknown[gate].all() and not unknown[~gate].any()
    assert all("without bound" in result.notes[i] for i in np.flatnonzero(gate))
    assert result.standard_error[~gate].max() < 1.0
    with pytest.raises(ValueError, match="without bound"):
        result.wald_test("x0", side="gate")
    result.wald_test("x0", side="expert")


def test_nothing_is_left_of_separable_classes():
    X, _ = two_regimes(0, 200)
    y = (X[:, 0] > 0).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = HMEClassifier(depth=0, expert=LogisticExpert(alpha=0.0)).fit(X, y)
    result = infer(model, X, y)
    assert reasonable(result).all() and any("take them as fixed" in remark for remark in result.remarks)
    assert (result.mean_interval(X[:3]).standard_error == 0).all()
    with pytest.raises(ValueError, match="without bound"):
        result.wald_test("x0")


def test_collinear_columns_have_no_number_but_their_sum_does():
    rng, X, eta = table()
    y = eta + rng.normal(size=len(X))
    twice = np.column_stack([X, X[:, 0]])
    result = infer(one(twice, y, LinearExpert(**PLAIN)), twice, y)
    unknown = reasonable(result)
    assert [label.term for label, u in zip(result.labels, unknown, strict=True) if u] == ["x0", "x3"]
    assert np.isinf(result.condition_number) or result.condition_number > 1e10
    assert any("singular" in remark for remark in result.remarks)
    plain = infer(one(X, y, LinearExpert(**PLAIN)), X, y)
    others = [i for i in coefficients(result) if not unknown[i]]
    alone = [i for i in coefficients(plain) if plain.labels[i].term != "x0"]
    np.testing.assert_allclose(result.standard_error[others], plain.standard_error[alone], rtol=1e-6)
    both = result.wald_test({"expert 0: x0": 1.0, "expert 0: x3": 1.0})
    np.testing.assert_allclose(both.statistic, plain.wald_test("x0").statistic, rtol=1e-6)
    with pytest.raises(ValueError, match="no standard error"):
        result.wald_test("x0")
    band, expected = result.mean_interval(twice[:5]), plain.mean_interval(X[:5])
    np.testing.assert_allclose(band.standard_error, expected.standard_error, rtol=1e-5)
    apart = twice[:5] + [0, 0, 0, 1.0]
    band = result.mean_interval(apart)
    assert np.isinf(band.standard_error).all() and np.isneginf(band.lower).all()


def test_fixed_shared_and_zero():
    X, y = two_regimes()
    noise = np.column_stack([X, np.random.default_rng(1).normal(size=len(y))])
    expert = LinearExpert(**PLAIN, fixed_coef={"x2": 0.25}, shared_coef=["x1"])
    result = infer(HMERegressor(n_experts=2, expert=expert, **TIGHT).fit(noise, y), noise, y)
    reasonable(result)
    named = dict(zip(result.names, range(len(result.names)), strict=True))
    for k in range(2):
        i = named[f"expert {k}: x2"]
        assert result.standard_error[i] == 0 and result.notes[i] == "fixed" and (result.interval[i] == 0.25).all()
    first, second = named["expert 0: x1"], named["expert 1: x1"]
    assert result.standard_error[first] == result.standard_error[second] > 0
    assert "the same as" in result.notes[second]
    np.testing.assert_allclose(result.covariance[first, second], result.covariance[first, first])
    assert result.wald_test("x1", side="expert").df == 1
    with pytest.raises(ValueError, match="nothing to test"):
        result.equal_across_experts("x1")
    with pytest.raises(ValueError, match="fixed"):
        result.wald_test("x2", side="expert")
    lasso = LinearExpert(alpha=60.0, l1_ratio=1.0)
    model = HMERegressor(n_experts=2, expert=lasso).fit(noise, y)
    result = infer(model, noise, y)
    unknown = reasonable(result)
    zero = np.array([note.startswith("zero by") for note in result.notes])
    assert zero.any() and unknown[zero].all()


def test_not_a_maximum_is_said():
    X, y = two_regimes()
    model = maximum_likelihood().set_params(tol=1e-2, max_iter=5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    result = infer(model, X, y)
    reasonable(result)
    assert result.distance > 0.1 and any("from the maximum" in remark for remark in result.remarks)
    hard = HMERegressor(n_experts=2, algorithm="hard").fit(X, y)
    assert any("classification likelihood" in remark for remark in infer(hard, X, y).remarks)


@pytest.mark.slow
def test_other_estimators_are_taken_as_known():
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    X, y = two_regimes(0, 200)
    model = HMERegressor(n_experts=2, expert=EstimatorExpert(DecisionTreeRegressor(max_depth=2))).fit(X, y)
    result = infer(model, X, y)
    assert any(label.side == "gate" for label in result.labels) and result.layout.remarks
    assert set(result.layout.remarks) <= set(result.remarks)
    alone = HMEClassifier(depth=0, expert=EstimatorExpert(DecisionTreeClassifier(max_depth=2))).fit(X, y > 1)
    with pytest.raises(ValueError, match="bootstrap"):
        infer(alone, X, y > 1)


def test_labels_are_part_of_the_likelihood():
    X, y = two_regimes(0, 300)
    labels = np.where(np.arange(300) % 3, -1, (X[:, 0] > 0).astype(int))
    model = maximum_likelihood().fit(X, y, labels=labels)
    assert infer(model, X, y, labels=labels).distance < 1e-3 < infer(model, X, y).distance


def test_class_weights_are_said():
    rng, X, eta = table()
    y = (rng.logistic(size=len(X)) < eta).astype(int)
    model = HMEClassifier(depth=0, expert=LogisticExpert(alpha=0.0), class_weight="balanced", **TIGHT).fit(X, y)
    result = infer(model, X, y, cov_type="robust")
    assert result.distance < 1e-3 and any("robust" in remark for remark in result.remarks)


def test_bad_settings(mixture):
    model, X, y, _ = mixture
    for more, error in (
        ({"cov_type": "hc3"}, "cov_type"),
        ({"cov_type": "cluster"}, "clusters"),
        ({"clusters": y}, "clusters"),
        ({"cov_type": "cluster", "clusters": [1, 2]}, "clusters"),
        ({"cov_type": "cluster", "clusters": np.zeros(len(y))}, "at least two"),
        ({"level": 1.0}, "level"),
        ({"sample_weight": np.zeros(len(y))}, "weight"),
    ):
        with pytest.raises(ValueError, match=error):
            infer(model, X, y, **more)


# -- tables ------------------------------------------------------------------------------------------------------------


def test_summary_has_everything_once():
    X, y = two_regimes()
    model = HMERegressor(tree="((. .) .)").fit(X, y)
    result = infer(model, X, y, level=0.9)
    text = str(result.summary())
    assert max(map(len, text.splitlines())) <= 100
    assert all(text.count(f"Expert {k}, load") == 1 for k in range(3))
    assert "Gating node 0: log-odds of branch 1 (expert 2) against branch 0 (experts 0, 1)" in text
    assert "Gating node 1: log-odds of branch 1 (expert 1) against branch 0 (expert 0)" in text
    for word in ("log-likelihood", "AIC", "BIC", "parameters", "observed", "90%", "penalised"):
        assert word in text
    # The columns of a table stand under each other: every line of a table but the longest is padded to its width.
    for block in text.split("\n\n")[2:]:
        lines = [line for line in block.splitlines()[1:] if line.startswith("  ") and not line.strip().startswith("(")]
        ends = {line.find("estimate") + len("estimate") for line in lines[:1]}
        assert all(line[: max(ends)].rstrip() == line[: max(ends)] and line[max(ends) - 1] != " " for line in lines)
    assert str(result.summary()) == text


def test_html_is_escaped_and_whole():
    from html.parser import HTMLParser

    pd = pytest.importorskip("pandas")
    X, y = two_regimes(0, 200)
    X = pd.DataFrame(X, columns=["<b>&", "a column with quite a long name, longer than any table would want to show"])
    result = infer(HMERegressor(n_experts=2).fit(X, y), X, y)
    html = result.summary()._repr_html_()
    assert "<b>" not in html and "&lt;b&gt;&amp;" in html
    opened = []

    class Check(HTMLParser):
        def handle_starttag(self, tag, attrs):
            opened.append(tag)

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    Check().feed(html)
    assert not opened
    assert max(map(len, str(result.summary()).splitlines())) <= 100


def test_frame_has_no_nan():
    pd = pytest.importorskip("pandas")
    rng, X, eta = table()
    y = eta + rng.normal(size=len(X))
    twice = np.column_stack([X, X[:, 0]])
    result = infer(one(twice, y, LinearExpert(**PLAIN)), twice, y)
    frame = result.to_frame()
    assert frame.index.names == ["side", "index", "part", "term"] and len(frame) == len(result.labels)
    missing = frame["standard_error"].isna().to_numpy()
    assert (missing == np.isinf(result.standard_error)).all() and missing.any()
    assert all(frame.loc[missing, column].isna().all() for column in ("z", "p_value", "lower", "upper"))
    np.testing.assert_allclose(frame["standard_error"].dropna().astype(float), result.standard_error[~missing])
    assert frame["note"].map(bool).to_numpy()[missing].all() and isinstance(frame, pd.DataFrame)
    assert result.summary().to_frame().equals(frame)


def test_named_experts_and_classes_have_their_names():
    X, y = two_regimes(0, 200)
    experts = [("low", LinearExpert(alpha=0.1)), ("high", LinearExpert(alpha=0.2))]
    result = infer(HMERegressor(n_experts=2, expert=experts).fit(X, y), X, y)
    assert "expert low: x0" in result.names and "Expert high, load" in str(result.summary())
    assert result.wald_test("x0", experts=["low"]).df == 1
    labels = np.array(["red", "green", "blue"])[np.digitize(y, [0.0, 1.5])]
    model = HMEClassifier(n_experts=2).fit(X, labels)
    text = str(infer(model, X, labels).summary())
    assert "Expert 0: log-odds of class green against class blue" in text


# -- criteria, and the covariance itself -------------------------------------------------------------------------------


def test_criteria():
    np.testing.assert_allclose(aicc(-50.0, 4, 30), 100 + 8 + 2 * 4 * 5 / 25)
    np.testing.assert_allclose(aicc(-50.0, 4, 1e9), 108, rtol=1e-8)
    with pytest.raises(ValueError, match="more than"):
        aicc(-50.0, 4, 5)
    resp = np.random.default_rng(0).dirichlet(np.ones(3), 20)
    weight = np.arange(20.0)
    expected = 10.0 - 2 * (weight[:, None] * resp * np.log(resp)).sum()
    np.testing.assert_allclose(icl(10.0, resp, weight), expected)
    assert icl(10.0, np.eye(3)) == 10.0


def test_covariance_of_a_matrix():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, 5)) * [1e-6, 1.0, 1e5, 3.0, 10.0]
    information, meat = root.T @ root, np.diag([1e-12, 1.0, 1e10, 1.0, 1.0])
    covariance, values = ParameterCovariance.of(lambda delta: delta, information)
    inverse = np.linalg.inv(information)
    np.testing.assert_allclose(covariance.root @ covariance.root.T, inverse, rtol=1e-6)
    assert len(values) == 5 and not covariance.loose.size
    sandwich = covariance.sandwich(meat)
    np.testing.assert_allclose(sandwich.root @ sandwich.root.T, inverse @ meat @ inverse, rtol=1e-5)
    value, error = covariance.errors(lambda delta: np.array([delta[0] * 1e-3, 1.0, np.sin(delta[1])]))
    expected = [1e-3 * np.sqrt(inverse[0, 0]), 0.0, np.sqrt(inverse[1, 1])]
    np.testing.assert_allclose(error, expected, rtol=1e-5)
    np.testing.assert_allclose(value, [0.0, 1.0, 0.0])


# -- mistakes and edges ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expert", few(["constant", "tree", "linear", "laplace", "poisson"], 1))
def test_bands_are_around_what_the_model_predicts(expert):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 2))
    y = rng.poisson(np.exp(X[:, 0])) if expert == "poisson" else np.where(X[:, 0] > 0, 2 * X[:, 0], -X[:, 1])
    model = HMERegressor(n_experts=2, expert=expert).fit(X, y)
    result = infer(model, X, y)
    np.testing.assert_allclose(result.mean_interval(X).estimate, model.predict(X), rtol=1e-10)
    np.testing.assert_allclose(result.expert_mean_interval(X).estimate, model.predict_experts(X), rtol=1e-10)


@pytest.mark.slow
def test_effects_leave_constant_columns_out_and_see_the_steps_of_trees():
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=300), np.ones(300)])
    y = 2.0 * X[:, 0] + 0.1 * rng.normal(size=300)
    model = HMERegressor(n_experts=2, expert="tree", hold_range=False).fit(X, y)
    effects = infer(model, X, y).marginal_effects(X)
    assert effects.columns == ("x0",)
    step = 0.25 * X[:, 0].std()
    shift = np.array([step, 0.0])
    slope = (model.predict(X + shift) - model.predict(X - shift)).mean() / (2 * step)
    np.testing.assert_allclose(effects.estimate[0, 0, 0], slope, rtol=1e-10)
    with pytest.raises(ValueError, match="column 'x1' has one value only"):
        infer(model, X, y).marginal_effects(X, ["x1"])


@pytest.mark.parametrize("clusters, message", [(np.arange(80), r"shape \(80,\)"), ([None] * 60, "holds None or nan")])
def test_bad_clusters_are_refused(clusters, message):
    X = np.linspace(-1, 1, 60)[:, None]
    model = HMERegressor(depth=0).fit(X, X[:, 0] + np.cos(9 * X[:, 0]))
    with pytest.raises(ValueError, match=message):
        infer(model, X, X[:, 0], cov_type="cluster", clusters=clusters)


def test_only_a_mixture_is_asked():
    X = np.linspace(-1, 1, 60)[:, None]
    pipe = make_pipeline(StandardScaler(), HMERegressor(depth=0)).fit(X, X[:, 0])
    with pytest.raises(TypeError, match="model must be a fitted HMERegressor or HMEClassifier, got Pipeline"):
        infer(pipe, X, X[:, 0])
    with pytest.raises(TypeError, match="full must be a fitted"):
        likelihood_ratio_test(pipe[-1], 3, X, X[:, 0])


# -- nan where there is no number --------------------------------------------------------------------------------------


def test_fixed_and_undetermined_coordinates_have_no_z_and_no_p_value():
    rng, X, eta = table()
    y = eta + rng.normal(size=len(X))
    twice = np.column_stack([X, X[:, 0]])
    result = infer(one(twice, y, LinearExpert(**PLAIN, fixed_coef={1: 0.5})), twice, y)
    terms = [label.term for label in result.labels]
    fixed, lost = terms.index("x1"), terms.index("x0")
    assert result.standard_error[fixed] == 0 and np.isinf(result.standard_error[lost])
    assert np.isnan(result.z[[fixed, lost]]).all() and np.isnan(result.p_value[[fixed, lost]]).all()
    assert not result.testable[[fixed, lost]].any() and result.testable[terms.index("(intercept)")]
    np.testing.assert_array_equal(result.interval[fixed], result.estimate[fixed])
    lines = [line for line in str(result.summary()).splitlines() if line.split()[:1] in (["x0"], ["x1"])]
    assert all(len(line.split()) == 3 for line in lines)  # the name, the estimate and the mark of a note


def test_effects_that_cannot_be_tested_have_no_z_and_no_p_value():
    rng, X, eta = table()
    y = eta + rng.normal(size=len(X))
    result = infer(one(X, y, LinearExpert(**PLAIN, fixed_coef={1: 0.5})), X, y)
    effects = result.marginal_effects(X, columns=["x0", "x1"])
    without = ~(effects.standard_error > 0)
    assert without[0, 1].all() and without[1].all() and not without[0, 0].any()
    np.testing.assert_array_equal(np.isnan(effects.z), without)
    np.testing.assert_array_equal(np.isnan(effects.p_value), without)
    assert "nan" not in str(effects) and "nan" not in effects._repr_html_()


@pytest.mark.slow
def test_criteria_are_nan_where_parameters_cannot_be_counted():
    X, y = two_regimes(0, 200)
    model = HMERegressor(n_experts=2, gate=EstimatorGate(KNeighborsClassifier())).fit(X, y)
    result = infer(model, X, y)
    assert np.isnan(result.n_parameters) and np.isnan(result.aic) and np.isnan(result.bic)
    assert "nan" not in str(result.summary())


def test_tests_print_as_tables(mixture):
    model, X, y, _ = mixture
    test = infer(model, X, y).wald_test("x1")
    assert str(test).startswith("Wald test") and all(name in str(test) for name in test.names)
    assert "<table>" in test._repr_html_() and repr(test).startswith("WaldTest(")
