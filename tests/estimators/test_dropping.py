"""Tiny experts: named in the one warning and in the summary, and dropped where the user asks for it."""

import pickle
import warnings

import numpy as np
import pytest
from problems import few
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from hme import HMEClassifier, HMERegressor, HMETransformer
from hme.bootstrap import bootstrap
from hme.experts import BackgroundExpert, EstimatorExpert, GaussianExpert, LinearExpert, LogisticExpert, PoissonExpert
from hme.fitting import dropping
from hme.fitting.restarts import continue_fit
from hme.gates import EstimatorGate, FixedGate, GaussianGate, SoftmaxGate, TopKGate
from hme.inference import infer

EXACT = LinearExpert(alpha=0.0, variance_prior=None)
RNG = np.random.default_rng(0)
N = 90
X = np.sort(RNG.uniform(-1, 1, (N, 1)), axis=0)
Y = np.where(np.arange(N) % 2, 3.0 + X[:, 0], -3.0 - X[:, 0]) + 0.3 * RNG.normal(size=N)
Y[-2:] = 15.0 + 1e-3 * RNG.normal(size=2)  # two rows of their own
START = np.where(Y > 10, 1, np.where(Y > 0, 0, 2))


def fitted(n_experts=3, X=X, y=Y, estimator=HMERegressor, start=START, arguments=None, **settings):
    settings = {"expert": EXACT, "gate": "constant", "start": start, "on_empty": "drop", "max_iter": 100} | settings
    if "tree" not in settings:
        settings["n_experts"] = n_experts
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        model = estimator(**settings).fit(X, y, **(arguments or {}))
    caught = [str(one.message) for one in caught if one.category is ConvergenceWarning]
    assert len(caught) <= 1
    return model, "".join(caught)


def test_a_tiny_expert_is_named_in_fit_and_summary():
    model, said = fitted(on_empty="warn")
    assert "expert 1 holds the weight of 2 rows for 3 parameters" in said and "on_empty='drop'" in said
    assert [one.expert for one in model.tiny_] == [1] and not model.dropped_
    assert "Expert 1 holds the weight of 2 rows" in repr(infer(model, X, Y).summary())
    named, said = fitted(on_empty="warn", expert=[("a", EXACT), ("odd", EXACT), ("b", EXACT)])
    assert "expert 'odd' holds the weight of 2 rows" in said


def test_a_class_of_one_group_is_named_by_its_groups():
    groups = np.repeat(np.arange(30), 3)
    y = np.where(groups % 2, 3.0, -3.0) + 0.3 * np.random.default_rng(1).normal(size=N)
    y[groups == 7] += 20 * X[groups == 7, 0] + 30
    start = np.where(groups == 7, 2, groups % 2)
    settings = {"y": y, "start": start, "arguments": {"groups": groups}}
    model, said = fitted(on_empty="warn", **settings)
    assert "expert 2 holds hardly more than one group (the weight of 1 groups)" in said
    assert model.tiny_[0].weight == pytest.approx(3.0)
    model, said = fitted(**settings)
    assert model.n_experts_ == 2 and "has left 2 of 3 experts" in said and "one group" in said
    two, _ = fitted(2, y=y, start=groups % 2, arguments={"groups": groups})
    np.testing.assert_allclose(model.lower_bounds_[-1], two.lower_bounds_[-1], atol=1e-6)


def test_what_is_left_is_the_fit_of_fewer_experts():
    model, said = fitted()
    assert model.n_experts_ == 2 and model.tree_.to_text() == "(. .)" and len(model.load_) == 2
    assert [one.expert for one in model.dropped_] == [1] and not model.tiny_
    assert "on_empty='drop' has left 2 of 3 experts: expert 1 holds" in said
    two, _ = fitted(2, start=np.where(Y > 0, 0, 1), max_iter=500)
    np.testing.assert_allclose(model.lower_bounds_[-1], two.lower_bounds_[-1], atol=1e-4)
    undropped = model.from_restart(0)
    assert undropped.n_experts_ == 3 and not undropped.dropped_ and undropped.load_.min() < 0.03


def no_weights(Z):
    return np.full((len(Z), 3), 1 / 3)


GATES = [
    "softmax", SoftmaxGate(alpha=0.0), GaussianGate(), GaussianGate("diag", covariance_prior=None), TopKGate(k=2),
    TopKGate(k=3), TopKGate(k=2, balance=40.0), "tree", EstimatorGate(LogisticRegression(), cv=None),
    EstimatorGate(DecisionTreeClassifier(max_depth=2, random_state=0), cv=3),
]  # fmt: skip


@pytest.mark.parametrize("gate", few(GATES, 5), ids=str)
def test_gates(gate):
    model, said = fitted(gate=gate, max_iter=30)
    assert model.n_experts_ < 3 and "has left" in said
    np.testing.assert_allclose(model.gate_proba(X).sum(axis=1), 1.0)
    assert model.predict(X).shape == (N,) and model.responsibilities(X, Y).shape == (N, model.n_experts_)


@pytest.mark.parametrize("gate", [FixedGate(no_weights)], ids=lambda gate: type(gate).__name__)
def test_gates_that_know_experts_by_number_refuse(gate):
    with pytest.raises(ValueError, match="on_empty='drop' does not go with gate FixedGate"):
        fitted(gate=gate)


@pytest.mark.parametrize(
    "tree, start, left",
    [
        ("((. .) .)", [0, 1, 2], "(. .)"),
        ("(. (. .))", [1, 0, 2], "(. .)"),
        ("((. .) (. .))", [3, 0, 1], "(. .)"),
    ],
)
def test_trees_lose_the_leaf(tree, start, left):
    model, said = fitted(tree=tree, gate="softmax", start=np.array(start)[np.array([1, 0, 2])[START]])
    assert model.tree_.to_text() == left and model.n_experts_ == model.tree_.n_leaves


EXPERTS = [
    [("up", EXACT), ("odd", EXACT), ("down", GaussianExpert(alpha=0.0))],
    [("up", EXACT), ("odd", DecisionTreeRegressor(max_depth=1)), ("down", "tree")],
    LinearExpert(alpha=0.0, shared_variance=True), LinearExpert(fixed_coef={0: [1.0, 0.0, -1.0]}), "tree", "student",
    EstimatorExpert(DecisionTreeRegressor(max_depth=1), cv=2), "constant",
]  # fmt: skip


@pytest.mark.parametrize("expert", few(EXPERTS, 4), ids=str)
def test_experts(expert):
    start = START.copy()
    start[:] = np.where(Y > 10, 1, start)
    model, _ = fitted(expert=expert, start=start, max_iter=20)
    kept = np.setdiff1d(np.arange(3), [one.expert for one in model.dropped_])
    assert model.n_experts_ == len(kept)
    if isinstance(expert, list) and model.dropped_:
        assert list(model.experts_) == [expert[k][0] for k in kept]
    assert model.predict_experts(X).shape == (N, len(kept)) and np.isfinite(model.predict(X)).all()


def test_a_fixed_coefficient_of_each_leaf_stays_with_its_leaf():
    model, _ = fitted(expert=LinearExpert(alpha=0.0, variance_prior=None, fixed_coef={0: [1.0, 0.0, -1.0]}))
    np.testing.assert_allclose(model.experts_.coef[:, 0, 0] if model.experts_.coef.ndim == 3 else
                               model.experts_.coef[:, 0], [1.0, -1.0])  # fmt: skip


def test_classes_and_counts():
    rng = np.random.default_rng(0)
    y = (X[:, 0] > 0).astype(int)
    y[[3, 70]] = 1 - y[[3, 70]]
    start = np.where(np.isin(np.arange(N), [3, 4]), 1, np.where(np.arange(N) % 3, 0, 2))
    model, _ = fitted(y=y, estimator=HMEClassifier, expert=LogisticExpert(alpha=0.1), gate="softmax", start=start)
    assert model.predict_proba(X).shape == (N, 2) and model.n_experts_ == 3 - len(model.dropped_)
    counts = rng.poisson(np.where(np.arange(N) % 2, 2.0, 30.0))
    counts[5] = 2000
    start = np.where(counts > 1000, 1, np.where(counts > 12, 0, 2))
    model, said = fitted(y=counts, expert=PoissonExpert(alpha=0.0), start=start)
    assert model.n_experts_ == 2 and "expert 1 holds the weight of 1.39 rows for 2 parameters" in said


def test_frozen_experts_may_hold_little():
    model, said = fitted(2, expert=[("line", EXACT), ("outliers", BackgroundExpert())], start=(Y > 10).astype(int))
    assert model.n_experts_ == 2 and not model.tiny_


def test_labels_keep_their_numbers():
    labels = np.where(np.arange(N) < 4, np.where(Y > 0, 0, 2), -1)
    model, said = fitted(arguments={"labels": labels})
    assert model.n_experts_ == 2 and [one.expert for one in model.dropped_] == [1]
    inferred = infer(model, X, Y, labels=labels)  # by the numbers of the tree that was asked for
    resp = model.responsibilities(X, Y)
    assert (resp[np.arange(4), (labels[:4] == 2).astype(int)] > 0.9).all() and np.isfinite(inferred.log_likelihood)
    with pytest.raises(ValueError, match=r"only experts \[1\], which the fit has dropped"):
        infer(model, X, Y, labels=np.where(Y > 10, 1, -1))
    needed, said = fitted(arguments={"labels": np.where(Y > 10, 1, -1)})
    assert needed.n_experts_ == 3 and said.endswith("for 3 parameters. Use fewer experts.")  # a label needs it
    again = bootstrap(model, X, Y, n_bootstrap=2, labels=labels, random_state=0)
    assert again.n_used == 2


def test_a_warm_start_goes_on_with_what_is_left():
    experts = [("up", EXACT), ("odd", EXACT), ("down", EXACT)]
    labels = np.where(np.arange(N) < 4, np.where(Y > 0, 0, 2), -1)
    model, _ = fitted(expert=experts, warm_start=True, arguments={"labels": labels})
    again, said = copy_of(model), ""
    again.fit(X, Y, labels=labels)
    assert again.n_iter_ == 1 and again.n_experts_ == 2 and list(again.experts_) == ["up", "down"]
    assert [one.expert for one in again.dropped_] == [1] and said == ""
    with pytest.raises(ValueError, match="warm_start: the earlier fit has"):
        again.set_params(n_experts=2, expert=experts[:2]).fit(X, Y)


def copy_of(model):
    return pickle.loads(pickle.dumps(model))


def test_layers_and_refits_have_the_experts_that_are_left():
    model, _ = fitted(expert=[("up", EXACT), ("odd", EXACT), ("down", EXACT)])
    assert bootstrap(model, X, Y, n_bootstrap=2, random_state=0).n_used == 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        layer = HMETransformer(clone(model), cv=2)
        assert layer.fit_transform(X, Y).shape == layer.transform(X).shape


def test_several_starts_and_one_expert():
    model, said = fitted(start="directions", n_init=4, random_state=0, n_experts=4)
    assert model.n_experts_ == 4 - len(model.dropped_) and not model.tiny_ and len(model.restarts_) == 4
    model, said = fitted(X=X[:4], y=Y[:4], start=np.array([0, 1, 2, 2]))
    assert model.n_experts_ == 1 and "has left 1 of 3 experts" in said and not model.tiny_


@pytest.mark.parametrize("sweep, kept", [(0, 3), (1, 2)])
def test_an_interrupt_while_experts_are_dropped(monkeypatch, sweep, kept):
    """Before the smaller mixture has parameters the larger one is kept."""

    def press():
        raise KeyboardInterrupt

    def interrupted(mixture, rows, params, options, **rest):
        if not sweep:
            press()
        return continue_fit(mixture, rows, params, options._replace(callback=lambda *rest: press()), **rest)

    monkeypatch.setattr(dropping, "continue_fit", interrupted)
    model, said = fitted()
    assert model.n_experts_ == kept and model.stop_reason_ == "interrupted" and "interrupted" in said
    assert ("has left 2 of 3 experts" in said) == (kept == 2) and np.isfinite(model.predict(X)).all()
