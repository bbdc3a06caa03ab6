"""Logarithmic opinion pools against naive twins: scipy's maximisers, and a logistic regression where they coincide."""

import re

import numpy as np
import pages
import pandas as pd
import pytest
from families import central_differences, make_resp, q_of_expert
from scipy.optimize import check_grad, minimize, root
from scipy.special import log_softmax
from sklearn.exceptions import ConvergenceWarning

from hme import HMEClassifier, export_text
from hme.experts import LogisticExpert, PoolExpert
from hme.experts.pool import PoolParams
from hme.inference import infer
from hme.model.design import Design
from hme.model.rows import Rows

N, C = 90, 3
LABELS = ["setosa", "versicolor", "virginica"]
NAMES = [f"{model}: {label}" for model in ("boosting", "ridge", "noise") for label in LABELS]


def opinions(n_classes=C, signals=(1.5, 0.7, 0.0), seed=0):
    """Classes (n,) and the log-probabilities (n, M C) that models of different worth give to them."""
    rng = np.random.default_rng(seed)
    y = np.arange(N) % n_classes
    scores = [signal * np.eye(n_classes)[y] + rng.normal(size=(N, n_classes)) for signal in signals]
    return y, np.hstack([log_softmax(own, axis=1) for own in scores])


def rows_of(y, X, weight=None):
    """Rows of standardised columns, and their design."""
    weight = np.ones(len(y)) if weight is None else weight
    design = Design.fit(X, weight, True)
    columns = design.transform(X)
    return Rows(columns, columns, y, weight), design


def bound(y, X, weight=None, **settings):
    rows, design = rows_of(y, X, weight)
    return PoolExpert(**settings).bind(rows, design), rows


def settled(expert, rows, resp, sweeps=40):
    """Parameters at which the M-step rests."""
    return expert.steps(expert.init(rows, resp), rows, resp, sweeps)


def log_pool(coef, X, n_classes):
    """log p (n, C), class by class."""
    M = X.shape[1] // n_classes
    scores = np.column_stack([X[:, c::n_classes] @ coef[:M] + coef[M + c] for c in range(n_classes)])
    return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))


class Naive:
    """Minus Q of one expert and its gradient, by coefficients (M + C,)."""

    def __init__(self, y, X, weight, alpha=0.0):
        self.y, self.X, self.weight, self.alpha, self.n_classes = y, X, weight, alpha, int(y.max()) + 1
        self.n_models = X.shape[1] // self.n_classes
        self.start = np.append(np.ones(self.n_models), np.zeros(self.n_classes))

    def loss(self, coef):
        own = log_pool(coef, self.X, self.n_classes)[np.arange(len(self.y)), self.y]
        return -self.weight @ own + 0.5 * self.alpha * coef @ coef

    def slope(self, coef):
        excess = np.eye(self.n_classes)[self.y] - np.exp(log_pool(coef, self.X, self.n_classes))
        excess *= self.weight[:, None]
        opinions = self.X.reshape(len(self.X), self.n_models, self.n_classes)
        return self.alpha * coef - np.append(np.einsum("nmc,nc->m", opinions, excess), excess.sum(axis=0))

    def bounded(self, nonnegative=True):
        """Coefficients whose intercepts sum to zero, and Q, by scipy's quasi-Newton method with bounds."""
        bounds = [(0.0 if nonnegative else None, None)] * self.n_models + [(None, None)] * self.n_classes
        options = dict(ftol=1e-16, gtol=1e-11, maxiter=2000, maxcor=30)
        found = minimize(self.loss, self.start, jac=self.slope, bounds=bounds, method="L-BFGS-B", options=options)
        return self.centred(found.x), -found.fun

    def free(self):
        """The same without bounds, to the last digits: a root of the gradient with the first intercept at zero."""
        M = self.n_models
        found = root(lambda own: np.delete(self.slope(np.insert(own, M, 0.0)), M), np.delete(self.start, M), tol=1e-14)
        return self.centred(np.insert(found.x, M, 0.0))

    def centred(self, coef):
        coef[self.n_models :] -= coef[self.n_models :].mean()
        return coef


def test_one_model_is_vector_scaling():
    y, X = opinions(signals=(1.5,))
    twin = Naive(y, X, np.ones(N))
    assert check_grad(twin.loss, twin.slope, twin.start) < 1e-4
    model = HMEClassifier(depth=0, expert=PoolExpert(alpha=0.0), tol=1e-14).fit(X, y)
    found = np.append(model.experts_.weights[0], model.experts_.intercept[0])
    np.testing.assert_allclose(found, twin.free(), atol=1e-8)
    assert model.n_iter_ < 15
    np.testing.assert_allclose(model.predict_log_proba(X), log_pool(found, X, C), atol=1e-12)


@pytest.mark.parametrize("nonnegative", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.7])
def test_experts_are_those_of_a_naive_twin(alpha, nonnegative):
    y, X = opinions(signals=(1.5, 0.7, -0.6))  # the last one is worse than nothing
    weight = np.random.default_rng(3).uniform(0.2, 3.0, N)
    expert, rows = bound(y, X, weight, alpha=alpha, shrink_to="zero", nonnegative=nonnegative)
    resp = make_resp(rows)
    params = settled(expert, rows, resp)
    for k, own in enumerate(resp.T):
        known, objective = Naive(y, X, own, alpha).bounded(nonnegative)
        np.testing.assert_allclose(params.coef[k], known, atol=2e-5)
        own = PoolParams(params.coef[[k]])
        assert q_of_expert(expert, own, rows, resp[:, [k]]) >= objective - 1e-8
    np.testing.assert_allclose(expert.predict(params, rows)[:, 0], np.exp(log_pool(params.coef[0], X, C)), rtol=1e-10)


def test_a_weight_at_its_bound_is_zero_and_would_rather_be_negative():
    y, X = opinions(signals=(1.5, 0.7, -0.6))
    expert, rows = bound(y, X)
    resp = make_resp(rows)
    params = settled(expert, rows, resp)
    stats = expert.gather(params, rows, resp)
    force = expert._force(params, stats)
    assert (params.coef[:, 2] == 0).all() and (force[:, 2] < -0.1).all() and (params.coef[:, :2] > 0.1).all()
    np.testing.assert_allclose(expert.gradient(params, stats), 0.0, atol=1e-8)
    np.testing.assert_allclose(np.delete(force, 2, axis=1), 0.0, atol=1e-8)
    assert (
        expert.coordinates(params, Design(np.zeros(9), np.ones(9), True)).scalars.held[:, 2] == "at its bound"
    ).all()
    # an extrapolation beyond the bound ends there
    there = expert.interpolate(PoolParams(params.coef + 0.5), params, 3.0)
    assert (there.coef[:, 2] == 0).all()
    np.testing.assert_allclose(there.coef[:, 3:].sum(axis=1), 0.0, atol=1e-12)


def test_information_is_minus_the_hessian():
    y, X = opinions()
    expert, rows = bound(y, X, alpha=0.0, nonnegative=False)
    resp = make_resp(rows)
    params = expert.init(rows, resp)
    information = expert.gather(params, rows, resp).information
    for j in range(params.coef.shape[1]):
        step = 1e-5 * (np.arange(params.coef.shape[1]) == j)
        ahead, behind = (expert.gather(PoolParams(params.coef + s * step), rows, resp).gradient for s in (1, -1))
        np.testing.assert_allclose(information[:, j], (behind - ahead) / 2e-5, atol=1e-6)


def test_one_model_for_two_classes_is_a_logistic_regression_on_its_log_odds():
    y, X = opinions(n_classes=2, signals=(1.0,))
    pool, rows = bound(y, X, alpha=0.0, nonnegative=False)
    own, design = rows_of(y, X[:, 1:] - X[:, :1])
    logistic = LogisticExpert(alpha=0.0).bind(own, design)
    resp = make_resp(rows)
    found, known = settled(pool, rows, resp), settled(logistic, own, resp)
    np.testing.assert_allclose(pool.log_prob(found, rows), logistic.log_prob(known, own), atol=1e-8)
    assert pool.n_parameters(found) == logistic.n_parameters(known) == 6
    report, slopes = pool.report(found, None), logistic.report(known, design)
    np.testing.assert_allclose(report.weights, slopes.coef[:, 0], rtol=1e-6)
    np.testing.assert_allclose(report.intercept, slopes.intercept, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("nonnegative", [True, False])
def test_shared_weights_are_one_maximum_of_all_experts(nonnegative):
    y, X = opinions(signals=(1.5, 0.7, -0.6))
    expert, rows = bound(y, X, alpha=0.5, shared_weights=True, nonnegative=nonnegative)
    resp = make_resp(rows)
    params = settled(expert, rows, resp)
    assert (np.ptp(params.coef[:, :3], axis=0) == 0).all()
    assert (params.coef[0, 2] == 0) if nonnegative else (params.coef[0, 2] < 0)
    stats = expert.gather(params, rows, resp)
    np.testing.assert_allclose(expert.gradient(params, stats), 0.0, atol=1e-8)
    assert expert.n_parameters(params) == 3 + 3 * (C - 1)
    assert (expert.effective_df(params, stats) > 2).all()
    # away from the maximum: by the shared weights, then by the intercepts of one expert after the other
    weights = np.array([0.5, 0.4, 0.3])
    moved = params.coef.copy()

    def q():
        moved[:, :3] = weights
        return q_of_expert(expert, PoolParams(moved), rows, resp)

    q()
    gradient = expert.gradient(PoolParams(moved), expert.gather(PoolParams(moved), rows, resp))
    np.testing.assert_allclose(gradient[:3], central_differences(q, weights), atol=1e-5)
    np.testing.assert_allclose(gradient[3:].reshape(3, C), central_differences(q, moved)[:, 3:], atol=1e-5)


def test_standardised_columns_are_taken_back_to_log_probabilities():
    y, X = opinions()
    scaled, rows = bound(y, X)
    columns = np.column_stack([X, np.ones(N)])
    raw = Rows(columns, columns, y, np.ones(N))
    plain = PoolExpert().bind(raw, Design(np.zeros(9), np.ones(9), False))
    resp = make_resp(rows)
    np.testing.assert_allclose(settled(scaled, rows, resp).coef, settled(plain, raw, resp).coef, atol=1e-9)


def test_penalties_hold_experts_near_the_pooled_fit_and_unseen_classes_finite():
    y, X = opinions()
    pooled, rows = bound(y, X, alpha=0.1)
    known, _ = Naive(y, X, np.ones(N), 0.1).bounded()
    np.testing.assert_allclose(pooled.center_[0], known, atol=1e-5)
    strong, _ = bound(y, X, alpha=1e6)
    resp = make_resp(rows) * (y != 2)[:, None]  # a class that no expert has
    np.testing.assert_allclose(settled(strong, rows, resp).coef, np.repeat(known[None], 3, axis=0), atol=1e-4)
    params = settled(pooled, rows, resp)
    held = 0.1 * (pooled.center_[0, -1] - params.coef[:, -1])  # by the penalty, against what the rows pull
    np.testing.assert_allclose((resp * pooled.predict(params, rows)[:, :, 2]).sum(axis=0), held, rtol=1e-6)
    assert (params.coef[:, -1] < -2.0).all() and (held < 1.0).all()
    assert pooled.warnings(params, pooled.gather(params, rows, resp)) == []
    free, _ = bound(y, X, alpha=0.0)
    params = settled(free, rows, resp, 60)
    assert np.isfinite(params.coef).all() and not len(free.diverging(params, free.gather(params, rows, resp)))


def test_columns_that_say_the_same_are_counted_once():
    y, X = opinions(signals=(1.5,))
    expert, rows = bound(y, np.hstack([X, X]), alpha=0.0)
    params = expert.init(rows, make_resp(rows))
    assert expert.n_parameters(params) == 3 * (1 + C - 1)
    np.testing.assert_allclose(params.coef[:, 0], params.coef[:, 1], rtol=1e-6)


def test_models_that_separate_the_classes_are_named():
    y = np.arange(N) % 2
    X = log_softmax(3.0 * np.eye(2)[y] + 0.1 * np.random.default_rng(0).normal(size=(N, 2)), axis=1)
    with pytest.warns(ConvergenceWarning, match=r"separate the classes of expert\(s\) \[0\].*Use expert__alpha > 0"):
        HMEClassifier(depth=0, expert=PoolExpert(alpha=0.0), max_iter=100).fit(X, y)
    model = HMEClassifier(depth=0, expert=PoolExpert(alpha=1.0)).fit(X, y)
    assert 1.0 < model.experts_.weights[0, 0] < 10.0


@pytest.mark.parametrize(
    "settings, n_columns, message",
    [
        ({}, 8, r"PoolExpert takes columns of log-probabilities.* with 3 classes a multiple of 3, got 8"),
        ({"alpha": -1.0}, 9, r"expert__alpha must be"),
        ({"shrink_to": None}, 9, r"expert__shrink_to must be one of 'global', 'zero', got None"),
        ({"nonnegative": [0]}, 9, r"expert__nonnegative must be one of True, False"),
        ({"shared_weights": 1}, 9, r"expert__shared_weights must be one of True, False"),
    ],
)
def test_what_is_refused(settings, n_columns, message):
    y, X = opinions()
    with pytest.raises(ValueError, match=message):
        HMEClassifier(n_experts=2, expert=PoolExpert(**settings)).fit(X[:, :n_columns], y)


@pytest.mark.slow
def test_the_page_of_families_shows_a_pool():
    (block,) = re.findall(r"```python\n(.*?)```", (pages.DOCS / "families.md").read_text(encoding="utf-8"), re.DOTALL)
    found = {}
    exec(compile(block, "families", "exec"), found)
    assert found["pool"].converged_ and " forest" in export_text(found["pool"])


@pytest.fixture(scope="module")
def halves():
    """Two models, each of which is good on one side of a border, and one that knows nothing."""
    rng = np.random.default_rng(0)
    age, y = rng.uniform(-1, 1, size=300), rng.integers(C, size=300)
    worth = np.column_stack([2.0 * (age > 0), 2.0 * (age <= 0), np.zeros(300)])
    scores = worth[:, :, None] * np.eye(C)[y][:, None] + rng.normal(size=(300, 3, C))
    X = pd.DataFrame(log_softmax(scores, axis=2).reshape(300, 9), columns=NAMES).assign(age=age)
    y = np.array(LABELS)[y]
    model = HMEClassifier(n_experts=2, expert="pool", expert_features=NAMES, gate_features=["age"], random_state=0)
    return model.fit(X, y), X, y


def test_a_gate_finds_which_model_is_good_where(halves):
    model, X, y = halves
    young, old = model.experts_.weights[np.argsort(model.gate_proba(X[X["age"] > 0]).mean(axis=0))]
    assert old[0] > 5 * old[1:].max() and young[1] > 5 * young[[0, 2]].max()
    assert (np.diff(model.lower_bounds_) >= -1e-12).all()
    text = export_text(model)
    assert "logit(y) = " in text and " boosting" in text and "intercepts " in text
    frame = model.experts_.to_frame()
    assert list(frame) == ["(intercept)", "boosting", "ridge", "noise"]
    assert list(frame.index.get_level_values("class")) == LABELS * 2
    np.testing.assert_array_equal(frame["boosting"].to_numpy()[::C], model.experts_.weights[:, 0])


def test_equations_write_signs_and_leave_out_zeros():
    y, X = opinions(n_classes=2)
    expert, _ = bound(y, X)
    report = expert.report(PoolParams(np.array([[0.7, -0.25, 0.0, -0.1, 0.1], [0.0, 0.0, 0.0, 0.0, 0.0]])), None)
    names = [f"{model}_{label}" for model in ("gbt", "ridge", "tree") for label in ("no", "not yet")]
    assert expert.equations(report, names, "y") == [
        "logit(y) = 0.7 gbt - 0.25 ridge,  intercept 0.2",
        "logit(y) = 0,  intercept 0",
    ]


def test_standard_errors_are_those_of_the_hessian(halves):
    model, X, y = halves
    alone = HMEClassifier(depth=0, expert=PoolExpert(alpha=0.0), expert_features=NAMES, tol=1e-12).fit(X, y)
    found = infer(alone, X, y)
    rows, design = rows_of(np.searchsorted(LABELS, y), X[NAMES].to_numpy())
    expert = PoolExpert(alpha=0.0).bind(rows, design)
    coef = np.concatenate([alone.experts_.weights, alone.experts_.intercept], axis=1)
    free = np.delete(np.arange(3 + C), 3)  # with the first intercept at zero
    held = alone.experts_.weights[0] == 0
    free = free[~np.append(held, [False] * (C - 1))]
    information = expert.gather(PoolParams(coef), rows, rows.weight[:, None]).information[0][np.ix_(free, free)]
    errors = np.sqrt(np.diagonal(np.linalg.inv(information)))
    own = found.to_frame()["standard_error"].to_numpy()
    np.testing.assert_allclose(own[np.isfinite(own)], errors, rtol=1e-6)
