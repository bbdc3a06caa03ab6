"""A class whose rows all have weight zero stays a class, with probability zero."""

import numpy as np
import pytest
from problems import representative
from sklearn.linear_model import LogisticRegression

from hme import HMEClassifier, export_text

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 2))
CODES = np.digitize(X[:, 0] + 0.5 * RNG.normal(size=120), [-0.5, 0.5])
Y = np.array(["a", "b", "c"])[CODES]
NONE = np.where(Y == "b", 0.0, 1.0)
KEPT = Y != "b"
EXPERTS = {
    "logistic": "logistic",
    "constant": "constant",
    "tree": "tree",
    "estimator": LogisticRegression(),
    "list": [("one", "logistic"), ("two", "constant")],
}

pytestmark = pytest.mark.filterwarnings("ignore:HME:sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("by", ["sample_weight", "class_weight"])
@pytest.mark.parametrize("expert", representative(EXPERTS, every=2))
def test_it_has_probability_zero_and_the_others_are_as_without_it(expert, by):
    model = HMEClassifier(n_experts=2, expert=EXPERTS[expert], max_iter=3)
    without = model.fit(X[KEPT], Y[KEPT]).predict_proba(X)
    if by == "sample_weight":
        model.fit(X, Y, NONE)
    else:
        model.set_params(class_weight={"a": 1, "b": 0, "c": 1}).fit(X, Y)
    np.testing.assert_array_equal(model.classes_, ["a", "b", "c"])
    np.testing.assert_array_equal(model.predict_proba(X), np.insert(without, 1, 0.0, axis=1))
    np.testing.assert_array_equal(model.predict_experts(X)[:, :, 1], 0.0)
    assert np.isneginf(model.predict_log_proba(X)[:, 1]).all()
    likely = model.log_likelihood(X, Y)
    np.testing.assert_array_equal(np.isneginf(likely), ~KEPT)
    np.testing.assert_allclose(likely[KEPT], model.log_likelihood(X[KEPT], Y[KEPT]))
    np.testing.assert_allclose(model.responsibilities(X, Y)[~KEPT], model.gate_proba(X)[~KEPT])
    dist = model.predict_dist(X)
    np.testing.assert_array_equal(dist.pmf("b"), 0.0)
    np.testing.assert_allclose(dist.logpmf(Y), model.predict_log_proba(X)[np.arange(120), CODES], rtol=1e-7)


def test_what_counts_its_rows_says_so():
    model = HMEClassifier(n_experts=2, warm_start=True).fit(X, Y, NONE)
    assert np.isposinf(model.bic(X, Y)) and model.bic(X, Y, NONE) == pytest.approx(model.bic(X[KEPT], Y[KEPT]))
    assert "b:" not in export_text(model) and model.summary(X, Y, NONE)
    with pytest.raises(ValueError, match=r"weight zero in the fit, \['b'\].*give them weight zero"):
        model.summary(X, Y)
    model.fit(X, Y, NONE)  # a warm start
    with pytest.raises(ValueError, match=r"warm_start: .*\['a', 'b', 'c'\].*\['a', 'c'\]"):
        model.fit(X, Y)
    with pytest.raises(ValueError, match="'d', which is not among the fitted classes"):
        model.log_likelihood(X[:1], ["d"])
    with pytest.raises(ValueError, match=r"one class only, 'a', the rows of \['b', 'c'\] have weight zero"):
        HMEClassifier().fit(X, Y, Y == "a")
    constant = HMEClassifier(n_experts=2, gate="constant").fit(X, Y, NONE)
    grouped = constant.log_likelihood(X, Y, groups=np.arange(120) // 2)
    np.testing.assert_array_equal(np.isneginf(grouped), ~KEPT.reshape(-1, 2).all(axis=1))
