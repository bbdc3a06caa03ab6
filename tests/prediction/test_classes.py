"""The predictive distribution of a class."""

import numpy as np
import pytest
from scipy.stats import entropy

from hme import HMEClassifier
from hme.distributions import Categorical
from hme.prediction import ClassDistribution

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 2))
CODES = np.digitize(X[:, 0] + 0.5 * RNG.normal(size=90), [-0.5, 0.5])
NAMES = np.array(["high", "low", "mid"])[CODES]
PROBABILITY, WEIGHTS = RNG.dirichlet(np.ones(4), (5, 3)), RNG.dirichlet(np.ones(3), 5)
MIXED = np.einsum("nk,nkc->nc", WEIGHTS, PROBABILITY)
DIST = ClassDistribution(WEIGHTS, Categorical.of(PROBABILITY), np.array([2, 3, 5, 7]))


@pytest.mark.filterwarnings("ignore:HME:sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "settings",
    [
        {"n_experts": 2},
        {"n_experts": 2, "expert": "constant", "gate": "gaussian"},
        {"n_experts": 3, "gate": "top_k"},
        {"n_experts": 2, "expert": "tree"},
        {"n_experts": 2, "expert": [("a", "logistic"), ("b", "constant")]},
    ],
    ids=str,
)
def test_it_is_what_the_classifier_says(settings):
    model = HMEClassifier(max_iter=5, **settings).fit(X, NAMES)
    dist = model.predict_dist(X)
    np.testing.assert_allclose(dist.probabilities(), model.predict_proba(X), rtol=1e-10)
    np.testing.assert_allclose(dist.logpmf(NAMES), model.log_likelihood(X, NAMES), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(dist.weights, model.gate_proba(X), rtol=1e-10)
    used = dist.weights > 0
    np.testing.assert_allclose(dist.components.probability[used], model.predict_experts(X)[used], rtol=1e-10)
    np.testing.assert_array_equal(dist.mode(), model.predict(X))


def test_probabilities_entropies_and_sets():
    np.testing.assert_allclose(DIST.pmf([[2, 3, 5, 7]]), MIXED)
    np.testing.assert_allclose(DIST.pmf(5), MIXED[:, 2])
    np.testing.assert_allclose(DIST.entropy(), entropy(MIXED, axis=1))
    within, between = DIST.entropy_parts()
    np.testing.assert_allclose(within, (WEIGHTS * entropy(PROBABILITY, axis=2)).sum(axis=1))
    np.testing.assert_allclose(within + between, DIST.entropy())
    for row, kept in zip(MIXED, DIST.interval(0.7), strict=True):
        order = np.argsort(-row)
        m = int(np.argmax(np.cumsum(row[order]) >= 0.7)) + 1
        np.testing.assert_array_equal(kept, DIST.classes[order[:m]])
    np.testing.assert_allclose(DIST.given(1).pmf(7), PROBABILITY[:, 1, 3])
    np.testing.assert_allclose(DIST[[3, 1]].pmf(2), MIXED[[3, 1], 0])
    assert len(DIST[2]) == 1 and len(list(DIST)) == 5


def test_classes_that_are_numbers_are_in_order():
    np.testing.assert_allclose(DIST.cdf(5), MIXED[:, :3].sum(axis=1))
    np.testing.assert_allclose(DIST.ccdf([[2, 3, 5, 7]]), 1 - np.cumsum(MIXED, axis=1), atol=1e-15)
    expected = DIST.classes[(np.cumsum(MIXED, axis=1) >= 0.5).argmax(axis=1)]
    np.testing.assert_array_equal(DIST.median(), expected)
    np.testing.assert_allclose(DIST.codes().mean(), MIXED @ np.arange(4))
    named = ClassDistribution(WEIGHTS, Categorical.of(PROBABILITY), np.array(["a", "b", "c", "d"]))
    with pytest.raises(TypeError, match="have no order of their own"):
        named.cdf("b")
    np.testing.assert_allclose(named.codes().cdf(1), MIXED[:, :2].sum(axis=1))


def test_draws_have_the_probabilities():
    draws = DIST.sample(20_000, 0)
    share = (draws[:, :, None] == DIST.classes).mean(axis=1)
    np.testing.assert_allclose(share, MIXED, atol=0.015)
    assert DIST.sample(rng=1).shape == (5,)


def test_what_classes_do_not_have_is_refused():
    for name in ("mean", "variance", "crps", "pdf"):
        with pytest.raises(TypeError, match="classes are no quantities"):
            getattr(DIST, name)()
    with pytest.raises(ValueError, match="y holds 4, which is not among the classes"):
        DIST.pmf(4)
    with pytest.raises(ValueError, match="coverage"):
        DIST.interval(1.0)


def test_probabilities_beyond_the_smallest_number():
    model = HMEClassifier(depth=0).fit(X, NAMES)
    far = model.predict_dist(1e4 * X[:3])
    np.testing.assert_allclose(far.logpmf(NAMES[:3]), model.log_likelihood(1e4 * X[:3], NAMES[:3]), rtol=1e-12)
    assert (far.logpmf([["high", "low", "mid"]]).min() < -750) and np.isfinite(far.logpmf("mid")).all()
