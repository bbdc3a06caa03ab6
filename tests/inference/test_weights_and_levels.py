"""Errors under weights of every meaning, and of levels of a factor beside one that has no errors."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from problems import few

from hme import HMEClassifier, HMERegressor
from hme.experts import (
    BinomialExpert,
    GammaExpert,
    LinearExpert,
    LogisticExpert,
    NegativeBinomialExpert,
    PoissonExpert,
)
from hme.gates import SoftmaxGate, TopKGate
from hme.inference import infer

PLAIN = {"alpha": 0.0, "variance_prior": None, "variance_floor": 1e-8}
N = 240


def data(name, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(N, 2))
    eta = 0.3 + X @ [0.5, -0.2]
    if name == "linear":
        return X, eta + rng.normal(size=N), LinearExpert(**PLAIN)
    if name == "poisson":
        return X, rng.poisson(np.exp(eta)), PoissonExpert(alpha=0.0)
    return X, rng.gamma(2.0, np.exp(eta) / 2.0), GammaExpert(alpha=0.0, dispersion_prior=None)


def fitted(name, weight):
    X, y, expert = data(name)
    model = HMERegressor(depth=0, expert=expert, tol=1e-12, max_iter=2000).fit(X, y, sample_weight=weight)
    return X, y, lambda **how: infer(model, X, y, weight, **how).standard_error[:3]


@pytest.mark.filterwarnings("ignore:cov_type not fully supported")
@pytest.mark.parametrize("name", few(["linear", "poisson", "gamma"], 2))
def test_errors_are_statsmodels(name):
    sm = pytest.importorskip("statsmodels.api")
    family = {"linear": sm.families.Gaussian(), "poisson": sm.families.Poisson()}
    family = family.get(name) or sm.families.Gamma(sm.families.links.Log())
    rng, close = np.random.default_rng(1), {"rtol": 1e-6}
    clusters, times, weight = np.arange(N) // 5, rng.integers(1, 4, N).astype(float), rng.uniform(1, 3, N)
    each = np.repeat(np.arange(N), times.astype(int))
    grouped = {"cov_type": "cluster", "clusters": clusters}

    X, y, errors = fitted(name, times)
    design = sm.add_constant(X)
    theirs = sm.GLM(y, design, family=family, freq_weights=times)
    np.testing.assert_allclose(errors(cov_type="robust"), theirs.fit(cov_type="HC0").bse, **close)
    if name != "gamma":  # statsmodels takes Pearson's estimate of the dispersion
        how = {"correction": "parameters"} if name == "linear" else {}
        np.testing.assert_allclose(errors(**how), theirs.fit().bse, **close)
    for correction, used in (("none", False), ("parameters", True)):
        more = {"groups": clusters[each], "use_correction": used}
        expected = sm.GLM(y[each], design[each], family=family).fit(cov_type="cluster", cov_kwds=more).bse
        np.testing.assert_allclose(errors(**grouped, correction=correction), expected, **close)

    for scale in (1.0, 100.0):
        X, y, errors = fitted(name, scale * weight)
        theirs = sm.GLM(y, design, family=family, var_weights=weight)
        for how in ({"weights": "probability"}, {"weights": "precision", "cov_type": "robust"}):
            np.testing.assert_allclose(errors(**how), theirs.fit(cov_type="HC0").bse, **close)
        expected = theirs.fit(cov_type="cluster", cov_kwds={"groups": clusters}).bse
        how = {"weights": "probability", "correction": "parameters"}
        np.testing.assert_allclose(errors(**grouped, **how), expected, **close)
        if name == "linear":
            least_squares = sm.WLS(y, design, scale * weight)
            np.testing.assert_allclose(errors(**how), least_squares.fit(cov_type="HC1").bse, **close)
            how["weights"] = "precision"
            np.testing.assert_allclose(errors(**how), least_squares.fit().bse, **close)
        elif name == "poisson":
            expected = sm.GLM(y, design, family=family, var_weights=scale * weight).fit().bse
            np.testing.assert_allclose(errors(weights="precision"), expected, **close)


def two_lines(seed=0):
    rng = np.random.default_rng(seed)
    X, k = rng.normal(size=(300, 1)), rng.integers(0, 2, 300)
    return X, np.where(k, 3.0 + X[:, 0], -X[:, 0]) + rng.normal(size=300), rng.uniform(1, 3, 300)


def test_a_mixture_under_weights():
    X, y, w = two_lines()
    model = HMERegressor(n_experts=2, gate="constant", expert=LinearExpert(**PLAIN), tol=1e-9, max_iter=5000)
    results = [
        infer(model.fit(X, y, sample_weight=c * w), X, y, c * w, weights=weights)
        for weights in ("probability", "precision")
        for c in (1.0, 50.0)
    ]
    for one, other in (results[:2], results[2:]):
        np.testing.assert_allclose(one.standard_error, other.standard_error, rtol=1e-4)
        np.testing.assert_allclose(one.distance, other.distance, rtol=1e-2, atol=1e-3)
    assert results[0].cov_type == "robust" and results[2].cov_type == "observed"
    assert "pseudo-likelihood" in " ".join(results[0].remarks) and "numbers of rows" in " ".join(results[2].remarks)
    # Repeated rows are what frequencies say they are, in every kind of covariance and with every correction.
    times = np.random.default_rng(1).integers(1, 4, 300)
    each = np.repeat(np.arange(300), times)
    model.fit(X, y, sample_weight=times)
    for how in ({"cov_type": "robust", "correction": "parameters"}, {"correction": "units"}, {"cov_type": "cluster"}):
        clusters = {"clusters": np.arange(300)} if how.get("cov_type") == "cluster" else {}
        again = {"clusters": each} if clusters else {}
        one = infer(model, X, y, times, **how, **clusters)
        np.testing.assert_allclose(
            one.standard_error, infer(model, X[each], y[each], **how, **again).standard_error, rtol=1e-7
        )


def test_class_weights_are_part_of_the_score():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(N, 2))
    y = (rng.logistic(size=N) < X[:, 0] - 1.0).astype(int)
    model = HMEClassifier(depth=0, expert=LogisticExpert(alpha=0.0), class_weight={0: 1.0, 1: 3.0}, tol=1e-12)
    by_class = infer(model.fit(X, y), X, y, cov_type="robust")
    weight = np.where(y == 1, 3.0, 1.0)
    plain = model.set_params(class_weight=None).fit(X, y, sample_weight=weight)
    drawn = infer(plain, X, y, weight, weights="probability")
    np.testing.assert_allclose(by_class.standard_error, drawn.standard_error, rtol=1e-6)


def test_what_does_not_go_together_is_refused():
    X, y, w = two_lines()
    model = HMERegressor(depth=0).fit(X, y)
    with pytest.raises(ValueError, match="weights='probability'"):
        infer(model, X, y, w, weights="probability", cov_type="observed")
    with pytest.raises(ValueError, match="weights must be one of .*'analytic'"):
        infer(model, X, y, w, weights="analytic")
    with pytest.raises(ValueError, match="correction must be one of .*'HC3'"):
        infer(model, X, y, correction="HC3")
    with pytest.raises(ValueError, match="more than 2 units"):
        infer(model, X[:2], y[:2], correction="parameters")


# -- levels ------------------------------------------------------------------------------------------------------------


def levels(seed=0, n=400):
    """A factor of four levels as dummies of the last three, and a column; the rows of level 2 all go one way."""
    rng = np.random.default_rng(seed)
    level, x = rng.integers(0, 4, n), rng.normal(size=n)
    return rng, level, np.column_stack([level == 1, level == 2, level == 3, x]).astype(float)


def quietly(model, *data, **rows):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(*data, **rows)


def family(name, rng, level, eta):
    mean, one_way = np.exp(eta), level == 2
    if name == "poisson":
        return HMERegressor(depth=0, expert=PoissonExpert(alpha=0.0)), rng.poisson(mean) * ~one_way, {}
    if name == "negative_binomial":
        y = rng.negative_binomial(2, 2 / (2 + mean)) * ~one_way
        return HMERegressor(depth=0, expert=NegativeBinomialExpert(alpha=0.0)), y, {}
    chance = np.where(one_way, 1.0, 1.0 / (1.0 + np.exp(-eta)))
    if name == "binomial":
        return HMERegressor(depth=0, expert=BinomialExpert(alpha=0.0)), rng.binomial(3, chance), {"trials": 3.0}
    y = (rng.random(len(eta)) < chance).astype(int)
    y = np.where((y == 0) & (rng.random(len(eta)) < 0.5) & (name == "three classes"), 2, y)
    return HMEClassifier(depth=0, expert=LogisticExpert(alpha=0.0)), y, {}


@pytest.mark.parametrize("name", few(["poisson", "negative_binomial", "binomial", "two classes", "three classes"], 2))
def test_a_separated_level_leaves_its_neighbours_their_errors(name):
    rng, level, X = levels()
    model, y, rows = family(name, rng, level, 0.4 + 0.3 * X[:, 3] - 0.5 * X[:, 0])
    model.set_params(tol=1e-9, max_iter=3000)
    result, inside = infer(quietly(model, X, y, **rows), X, y, **rows), level != 2
    gone = np.array([label.term == "x1" for label in result.labels])
    assert np.isinf(result.standard_error[gone]).all()
    assert all("without bound" in result.notes[i] for i in np.flatnonzero(gone))
    without = quietly(model, X[inside][:, [0, 2, 3]], y[inside], **rows)
    expected = infer(without, X[inside][:, [0, 2, 3]], y[inside], **rows).standard_error
    np.testing.assert_allclose(result.standard_error[~gone], expected, rtol=2e-3)
    with pytest.raises(ValueError, match="without bound"):
        result.wald_test("x1")
    # The level that all others are measured against: the differences between these are still known.
    _, _, turned = levels()
    turned[:, 1] = level == 0
    result = infer(quietly(model, turned, y, **rows), turned, y, **rows)
    part = result.labels[0].part
    known = {
        label.term: np.isfinite(e)
        for label, e in zip(result.labels, result.standard_error, strict=True)
        if label.part == part or name != "three classes"
    }
    assert known["x3"] and not (known["x0"] or known["x1"] or known["x2"] or known["(intercept)"])
    names = [i for i, label in enumerate(result.labels) if label.term in ("x0", "x2") and label.part == part]
    matrix = np.zeros((1, len(result.labels)))
    matrix[0, names] = 1.0, -1.0
    assert np.isfinite(result.parameter_covariance.linear(matrix @ result.layout.jacobian)).all()


@pytest.mark.parametrize("gate", [SoftmaxGate(alpha=0.0), TopKGate(k=2, alpha=0.0)], ids=["softmax", "top_k"])
def test_a_level_that_goes_to_one_expert(gate):
    rng, level, X = levels(1, 900)
    chance = np.where(level == 2, 1.0, 1.0 / (1.0 + np.exp(-0.5 * X[:, 3] - X[:, 0])))
    y = np.where(rng.random(900) < chance, 3.0 + X[:, 3], -3.0 - 2.0 * X[:, 3]) + 0.3 * rng.normal(size=900)
    model = HMERegressor(n_experts=2, expert=LinearExpert(**PLAIN), gate=gate)
    result = infer(quietly(model, X, y), X, y)
    gone = {
        (label.side, str(label.index))
        for label, error in zip(result.labels, result.standard_error, strict=True)
        if np.isinf(error)
    }
    where = [label.term for label, error in zip(result.labels, result.standard_error, strict=True) if np.isinf(error)]
    assert where == ["x1", "x1"] and {side for side, _ in gone} == {"expert", "gate"}
    inside = level != 2
    again = quietly(model, X[inside][:, [0, 2, 3]], y[inside])
    expected = infer(again, X[inside][:, [0, 2, 3]], y[inside])
    for term, other in (("x0", "x0"), ("x2", "x1"), ("x3", "x2")):
        pick = [
            [i for i, label in enumerate(r.labels) if (label.side, label.term) == ("gate", t)]
            for r, t in ((result, term), (expected, other))
        ]
        np.testing.assert_allclose(result.standard_error[pick[0]], expected.standard_error[pick[1]], rtol=0.02)


def test_levels_under_weights_of_any_scale_and_in_sparse_tables():
    rng, level, X = levels()
    y = rng.poisson(np.exp(0.2 + 0.3 * X[:, 3])) * (level != 2)
    model = HMERegressor(depth=0, expert=PoissonExpert(alpha=0.0))
    expected = infer(quietly(model, X, y), X, y, cov_type="robust").standard_error
    assert np.isinf(expected).tolist() == [False, False, True, False, False]
    for weight in (np.full(400, 1 / 400), np.full(400, 50.0)):
        result = infer(quietly(model, X, y, sample_weight=weight), X, y, weight, weights="probability")
        np.testing.assert_allclose(result.standard_error, expected, rtol=1e-5)
    table = sp.csr_matrix(X)
    result = infer(quietly(model, table, y), table, y, cov_type="robust")
    np.testing.assert_allclose(result.standard_error, expected, rtol=1e-5)
