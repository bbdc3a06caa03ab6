"""alpha="auto" and alpha="ard": strengths of penalties from the evidence approximation."""

import pickle
import warnings

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from hme import HMEClassifier, HMERegressor, HMERegressorCV
from hme.bootstrap import bootstrap
from hme.diagnosis import restart_report
from hme.experts import LaplaceExpert, LinearExpert, LogisticExpert, PoissonExpert, PoolExpert, StudentExpert
from hme.gates import SoftmaxGate, TopKGate
from hme.inference import infer
from hme.numerics.shrinkage import RATE, RATE_OF_COLUMNS, SHAPE, rows_per_weight
from hme.path import alpha_path

EXACT = {"variance_prior": None, "variance_floor": 1e-8}


def table(n=200, p=3, noise=0.3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    slopes = rng.standard_normal((2, p))
    return X, (X * slopes[(X[:, 0] > 0).astype(int)]).sum(axis=1) + noise * rng.standard_normal(n)


def auto(expert=LinearExpert, gate=True, **settings):
    gate = SoftmaxGate(alpha="auto") if gate else None
    return HMERegressor(depth=1, expert=expert(alpha="auto"), gate=gate).set_params(**settings)


def numbers_of(model):
    return {f"{side}__alpha": alpha for side, alpha in model.alpha_.items()}


# -- what is estimated -------------------------------------------------------------------------------------------------


def test_one_expert_has_the_strength_of_largest_evidence():
    """With one expert that shrinks to zero it is the maximum of the marginal likelihood, which has a closed form."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((60, 8)) * np.geomspace(1, 0.2, 8)
    y = X @ rng.standard_normal(8) + rng.standard_normal(60)
    expert = LinearExpert(alpha="auto", shrink_to="zero", **EXACT)
    model = HMERegressor(depth=0, expert=expert, standardize=False, tol=1e-10).fit(X, y)
    phi, centred = model.experts_.variance[0], X - X.mean(axis=0)

    def minus_evidence(log_alpha):
        alpha = np.exp(log_alpha)
        covariance = phi * (np.eye(60) + centred @ centred.T / alpha)
        return (
            0.5 * (y - y.mean()) @ np.linalg.solve(covariance, y - y.mean())
            + 0.5 * np.linalg.slogdet(covariance)[1]
            - (SHAPE * log_alpha - RATE * alpha)
        )

    best = np.exp(minimize_scalar(minus_evidence, bounds=(-8, 8), method="bounded", options={"xatol": 1e-8}).x)
    assert model.alpha_["expert"] == pytest.approx(best, rel=0.1)  # estimates end where they move by less than 5 %


def test_strengths_solve_their_equation():
    X, y = table()
    model = auto().fit(X, y)
    rows = model.rows(X)._replace(y=y[:, None], weight=np.ones(len(y)))
    _, stats = model.model_.e_step(model.params_, rows)
    assert model.model_.estimated_alphas(model.params_, stats)["expert"][""] == pytest.approx(
        model.alpha_["expert"], rel=0.05
    )
    beta, center = model.params_.experts.coef[:, 0], model.model_.expert.center_[0, 0]
    gram, alpha = stats.experts.gram[:, 0], model.alpha_["expert"]
    degrees = np.trace(np.linalg.solve(gram + alpha * np.diag([1, 1, 1, 0]), gram), axis1=1, axis2=2).sum() - 2
    square = (((beta - center)[:, :-1] ** 2).sum(axis=1) / model.params_.experts.variance[:, 0]).sum()
    assert (degrees + 2 * SHAPE) / (square + 2 * RATE) == pytest.approx(alpha, rel=0.05)


def test_a_fit_at_the_numbers_is_the_same():
    X, y = table()
    model = auto().fit(X, y)
    same = clone(model).set_params(**numbers_of(model), start=model.responsibilities(X, y)).fit(X, y)
    np.testing.assert_allclose(same.experts_.coef, model.experts_.coef, rtol=1e-6)
    np.testing.assert_allclose(same.gate_.coef, model.gate_.coef, rtol=1e-5)
    assert same.alpha_ == {} and same.shrinkage_ == []


def test_little_noise_asks_for_little_and_no_difference_for_much():
    X, y = table(noise=0.01)
    assert auto().fit(X, y).alpha_["expert"] < 0.01
    model = auto().fit(X, X.sum(axis=1) + np.random.default_rng(0).standard_normal(len(X)))
    assert model.alpha_["expert"] > 10
    assert np.ptp(model.experts_.coef, axis=0).max() < 0.1


# -- weights -----------------------------------------------------------------------------------------------------------


def test_strengths_follow_the_unit_of_weights_and_the_fit_does_not():
    X, y = table()
    weight = np.random.default_rng(2).uniform(0.5, 2.0, len(y))
    model = auto(tol=1e-8).set_params(expert=LinearExpert(alpha="auto", **EXACT))
    one, many = (clone(model).fit(X, y, sample_weight=unit * weight) for unit in (1.0, 1000.0))
    np.testing.assert_allclose(many.predict(X), one.predict(X), rtol=1e-5, atol=1e-5)
    for side in ("expert", "gate"):
        assert many.alpha_[side] == pytest.approx(1000 * one.alpha_[side], rel=1e-4)
    assert many.lower_bounds_[-1] == pytest.approx(one.lower_bounds_[-1], rel=1e-6)


def test_a_weight_counts_as_repeated_rows():
    X, y = table(80)
    weight = np.random.default_rng(2).integers(1, 4, len(y))
    one = auto().fit(X, y, sample_weight=weight)
    again = auto().fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_allclose(again.predict(X), one.predict(X), rtol=1e-7)
    assert again.alpha_ == pytest.approx(one.alpha_, rel=1e-7)


def test_rows_per_weight():
    number = np.array([0, 1, 2, 2])
    assert rows_per_weight(np.ones(4), number) == 1.0
    assert rows_per_weight(np.array([0.5, 1.5, 1.0, 1.0]), number) == pytest.approx(2.0)
    assert rows_per_weight(np.full(4, 0.01), np.arange(4)) == pytest.approx(100.0)
    assert rows_per_weight(np.full(4, 2.0), np.array([0, 0, 1, 1])) == pytest.approx(0.25)  # a table twice over
    weight = np.array([1.0, np.pi, 0.7, 2.2])
    together = np.array([1.0, np.pi, 2.9])
    assert rows_per_weight(weight, number) == pytest.approx(together.sum() / (together**2).sum())


# -- the course --------------------------------------------------------------------------------------------------------


def test_the_objective_rises_but_where_strengths_move():
    X, y = table()
    model = auto().fit(X, y)
    history = model.history_
    moved, accepted = history.moved, history.accepted
    assert moved.sum() == len(model.shrinkage_) - 1 > 0 and accepted[moved].all()
    steps = np.diff(model.lower_bounds_)[~moved[accepted][1:]]
    assert (steps >= -1e-12).all() and model.converged_
    assert [round_.n_iter for round_ in model.shrinkage_[:-1]] == np.flatnonzero(moved).tolist()
    assert model.n_iter_ == len(moved) == model.shrinkage_[-1].n_iter
    of_rows = model.log_likelihood(X, y).sum() + model.model_.log_prior_density(model.params_)
    assert model.lower_bounds_[-1] == pytest.approx(of_rows / len(y))
    assert model.alphas_as_fitted() == numbers_of(model)
    of_strengths = sum(SHAPE * np.log(alpha) - RATE * alpha for alpha in model.alpha_.values())
    plain = clone(model).set_params(**numbers_of(model), start=model.responsibilities(X, y)).fit(X, y)
    assert model.lower_bounds_[-1] - plain.lower_bounds_[-1] == pytest.approx(of_strengths / len(y), abs=1e-8)
    assert model.log_hyperprior_ == pytest.approx(of_strengths / len(y))


def test_a_warm_start_stays_where_it_is():
    X, y = table()
    model = auto(warm_start=True).fit(X, y)
    alpha, n_iter = model.alpha_, model.n_iter_
    again = model.fit(X, y)
    assert again.alpha_ == alpha and again.n_iter_ < n_iter / 4 and len(again.shrinkage_) == 1


def test_max_iter_and_callback_count_all_rounds():
    X, y = table()
    seen = []
    with pytest.warns(UserWarning, match="max_iter=10"):
        model = auto(max_iter=10, callback=lambda sweep, *_: seen.append(sweep)).fit(X, y)
    assert model.n_iter_ == 10 and len(model.shrinkage_) > 1
    assert seen == np.flatnonzero(model.history_.accepted).tolist()
    model = auto(callback=lambda sweep, *_: sweep >= 15).fit(X, y)
    assert model.stop_reason_ == "callback" and model.n_iter_ == 16


def test_starts_run_at_the_first_strength_and_the_best_goes_on():
    X, y = table()
    model = auto(n_init=3, n_finalists=None, random_state=0).fit(X, y)
    other = model.from_restart(1)
    assert other.alpha_ == {"expert": 0.1, "gate": 0.1} != model.alpha_
    assert other.predict(X[:3]).shape == (3,) and other.shrinkage_ == []
    kept = next(i for i, one in enumerate(model.restarts_) if one.kept)
    assert model.from_restart(kept).alpha_ == model.alpha_


# -- together with everything else -------------------------------------------------------------------------------------


OTHERS = [
    {"expert": StudentExpert(alpha="auto")},
    {"expert": LaplaceExpert(alpha="auto")},
    {"expert": LinearExpert(alpha="auto", scale_penalty=False)},
    {"expert": LinearExpert(alpha="auto", nonnegative=True)},
    {"branching": 3},
    {"gate": "gaussian"},
    {"algorithm": ("stochastic", "em"), "random_state": 0},
    {"depth": 2, "on_empty": "drop"},
]


@pytest.mark.parametrize(
    "settings",
    [
        {"expert": LinearExpert(alpha="auto", shared_coef=[1], fixed_coef={2: 0.5}, shrink_to="zero")},
        *(pytest.param(settings, marks=pytest.mark.slow) for settings in OTHERS),
    ],
    ids=lambda settings: "-".join(map(str, settings.values()))[:40],
)
def test_it_goes_with(settings):
    X, y = table(120)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = auto().set_params(**settings).fit(X, y)
    assert model.alpha_["expert"] != 0.1 and len(model.shrinkage_) > 1
    assert np.isfinite(model.predict_dist(X).logpdf(y)).all()


@pytest.mark.slow
def test_outputs_with_a_covariance_shrink_as_their_rotations_do():
    X, y = table()
    Y = np.column_stack([y, X[:, 1] + 0.5 * y + 0.2 * np.random.default_rng(3).standard_normal(len(y))])
    expert = LinearExpert(alpha="auto", covariance="full", **EXACT)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    start = auto().fit(X, y).responsibilities(X, y)
    one, turned = (auto(expert=lambda alpha: expert, start=start, tol=1e-9).fit(X, Z) for Z in (Y, Y @ turn))
    assert one.alpha_["expert"] == pytest.approx(turned.alpha_["expert"], rel=1e-4)


def test_families_of_a_list_have_strengths_of_their_own():
    X, y = table()
    experts = [("a", LinearExpert(alpha="auto")), ("b", LinearExpert()), ("c", StudentExpert(df=4.0, alpha="auto"))]
    model = HMERegressor(n_experts=3, expert=experts).fit(X, y)
    assert set(model.alpha_) == {"expert"} and set(model.alpha_["expert"]) == {"a", "c"}
    together = [("a", LinearExpert(alpha="auto")), ("b", LinearExpert(alpha="auto"))]
    alpha = HMERegressor(n_experts=2, expert=together).fit(X, y).alpha_["expert"]
    assert alpha["a"] == alpha["b"] == pytest.approx(auto(gate=False).fit(X, y).alpha_["expert"], rel=1e-6)


@pytest.mark.slow
def test_classes_and_pools():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 3))
    score = np.where(X[:, 0] > 0, X[:, 1], -X[:, 2])
    for y in ((score + rng.logistic(size=300) > 0).astype(int), np.digitize(score + rng.logistic(size=300), [-1, 1])):
        model = HMEClassifier(depth=1, expert=LogisticExpert(alpha="auto"), gate=SoftmaxGate(alpha="auto")).fit(X, y)
        assert len(model.shrinkage_) > 1 and model.converged_
    logs = np.log(rng.dirichlet([1, 1], size=(2, 300)))
    for shared in (False, True):
        pool = PoolExpert(alpha="auto", shared_weights=shared)
        model = HMEClassifier(depth=1, expert=pool).fit(np.hstack(logs), rng.integers(0, 2, 300))
        assert model.alpha_["expert"] > 1


@pytest.mark.slow
def test_counts_and_wide_sparse_tables():
    sp = pytest.importorskip("scipy.sparse")
    X, y = table()
    counts = np.random.default_rng(0).poisson(np.exp(0.3 * y))
    assert auto(PoissonExpert).fit(X, counts).converged_
    wide = sp.random(200, 600, 0.05, random_state=0, format="csr")
    model = auto().fit(wide, np.asarray(wide[:, :5].sum(axis=1)).ravel() + 0.1 * y)
    assert np.isfinite(model.alpha_["expert"]) and len(model.shrinkage_) > 1


@pytest.mark.slow
def test_searches_and_refits_estimate_anew():
    X, y = table(100)
    search = GridSearchCV(auto(), {"expert__alpha": ["auto", 1.0]}, cv=2).fit(X, y)
    assert search.best_params_["expert__alpha"] == "auto"
    assert len(bootstrap(search.best_estimator_, X, y, n_bootstrap=2, random_state=0).draws) == 2


@pytest.mark.slow
def test_paths_go_with_a_strength_of_the_other_side():
    X, y = table(60)
    model = HMERegressor(depth=1, expert=LinearExpert(l1_ratio=1.0), gate=SoftmaxGate(alpha="auto"))
    path = alpha_path(model, X, y, n_alphas=2)
    assert all(set(one.alpha_) == {"gate"} for one in path.models)


@pytest.mark.slow
def test_starts_are_compared_at_the_same_strengths():
    X, y = table()
    report = restart_report(auto().fit(X, y), X, y, n_init=3, random_state=0)
    assert len(report.basins) == 1 and report.own == pytest.approx(report.basins[0].objective, abs=1e-4)


def test_inference_says_that_strengths_are_fixed():
    X, y = table()
    model = auto().fit(X, y)
    result = infer(model, X, y)
    assert any(f"expert {model.alpha_['expert']:.3g}" in remark for remark in result.remarks)
    numeric = infer(clone(model).set_params(**numbers_of(model), start=model.responsibilities(X, y)).fit(X, y), X, y)
    np.testing.assert_allclose(result.standard_error, numeric.standard_error, rtol=1e-4)


# -- one strength for each column --------------------------------------------------------------------------------------


def ard(expert=LinearExpert, **settings):
    return auto().set_params(expert=expert(alpha="ard"), gate=SoftmaxGate(alpha="ard"), **settings)


def with_noise(n=300, useless=6, seed=0):
    """A table whose experts need one column, its gate another one, and the others are noise."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 2 + useless))
    return X, np.where(X[:, 1] > 0, 2.0, -2.0) * X[:, 0] + 0.3 * rng.standard_normal(n)


def test_strengths_of_columns_tell_the_useful_from_noise():
    X, y = with_noise()
    model = ard().fit(X, y)
    assert model.alpha_["expert"].shape == model.alpha_["gate"].shape == (8,)
    assert model.alpha_["expert"][0] < 1 < 100 < np.delete(model.alpha_["expert"], 0).min()
    assert model.alpha_["gate"][1] < 1 < 100 < np.delete(model.alpha_["gate"], 1).min()
    plain, new = auto().fit(X, y), with_noise(seed=1)
    assert np.abs(model.experts_.coef[:, 2:]).max() < 0.5 * np.abs(plain.experts_.coef[:, 2:]).max()
    assert np.mean((model.predict(new[0]) - new[1]) ** 2) < 0.8 * np.mean((plain.predict(new[0]) - new[1]) ** 2)


def test_strengths_of_columns_have_the_largest_evidence():
    """One expert: the gradient of the marginal likelihood, which has a closed form, is zero."""
    rng = np.random.default_rng(1)
    X = rng.standard_normal((60, 3))
    y = X @ [1.0, 0.3, 0.0] + rng.standard_normal(60)
    expert = LinearExpert(alpha="ard", **EXACT)
    model = HMERegressor(depth=0, expert=expert, standardize=False, tol=1e-10).fit(X, y)
    phi, centred = model.experts_.variance[0], X - X.mean(axis=0)

    def evidence(log_alpha):
        alpha = np.exp(log_alpha)
        covariance = phi * (np.eye(60) + (centred / alpha) @ centred.T)
        return (
            -0.5 * (y - y.mean()) @ np.linalg.solve(covariance, y - y.mean())
            - 0.5 * np.linalg.slogdet(covariance)[1]
            + (SHAPE * log_alpha - RATE_OF_COLUMNS * alpha).sum()
        )

    best = np.exp(minimize(lambda log_alpha: -evidence(log_alpha), np.log(model.alpha_["expert"])).x)
    np.testing.assert_allclose(model.alpha_["expert"], best, rtol=0.1)


@pytest.mark.parametrize("family", ["linear", "full covariance", "softmax", "classes"])
def test_evidence_of_columns_adds_up_to_that_of_all(family):
    """Both strengths come from the same sums: those of a bank are those of its columns together."""
    X, y = table(80)
    if family == "classes":
        codes = np.digitize(y, [-0.5, 0.5])
        model = HMEClassifier(depth=1, expert=LogisticExpert(alpha="ard")).fit(X, codes)
        rows = model.rows(X)._replace(y=codes, weight=np.ones(80))
    else:
        y = np.column_stack([y, X[:, 1] * y]) if family == "full covariance" else y[:, None]
        settings = {"covariance": "full"} if family == "full covariance" else {}
        model = HMERegressor(depth=1, gate=SoftmaxGate(alpha="ard"), expert=LinearExpert(alpha="ard", **settings))
        rows = model.fit(X, y.squeeze()).rows(X)._replace(y=y, weight=np.ones(80))
    _, stats = model.model_.e_step(model.params_, rows)
    side, params, sums = ("gate", model.params_.gate, stats.gate) if family == "softmax" else (
        "expert", model.params_.experts, stats.experts
    )  # fmt: skip
    found = getattr(model.model_, side).evidence(params, sums)[""]
    spent = -2.0 * getattr(model.model_, side).log_prior_density(params)
    if side == "expert" and family != "classes":
        spent += 2.0 * model.model_.expert.response_.log_prior(params).sum()
    assert found.square @ model.alpha_[side] == pytest.approx(spent)
    assert (found.degrees > 0).all() and (found.degrees <= 4 * 3).all()


def test_columns_have_strengths_wherever_one_has():
    X, y = with_noise(100, 2)
    weight = np.random.default_rng(2).integers(1, 4, len(y))
    one = ard().fit(X, y, sample_weight=weight)
    again = ard().fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_allclose(again.predict(X), one.predict(X), rtol=1e-6)
    np.testing.assert_allclose(again.alpha_["expert"], one.alpha_["expert"], rtol=1e-6)
    accepted = one.history_.moved[one.history_.accepted]
    assert (np.diff(one.lower_bounds_)[~accepted[1:]] >= -1e-12).all()
    of_rows = weight @ one.log_likelihood(X, y) + one.model_.log_prior_density(one.params_)
    assert one.lower_bounds_[-1] == pytest.approx(of_rows / weight.sum())
    of_strengths = sum((SHAPE * np.log(a) - RATE_OF_COLUMNS * a).sum() for a in one.alpha_.values())
    assert one.log_hyperprior_ == pytest.approx(of_strengths / weight.sum())
    same = clone(one).set_params(**one.alphas_as_fitted(), start=one.responsibilities(X, y))
    with pytest.warns(UserWarning, match=r"gate__alpha = 0.00\d+ to 1\d+"):  # which numbers, but not estimates, get
        same.fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(same.experts_.coef, one.experts_.coef, rtol=1e-4, atol=1e-6)
    warm = clone(one).set_params(warm_start=True).fit(X, y)
    n_iter = warm.n_iter_
    assert warm.fit(X, y).n_iter_ < n_iter
    assert pickle.loads(pickle.dumps(one)).predict(X[:3]) == pytest.approx(one.predict(X[:3]))
    result = infer(one, X, y, sample_weight=weight)
    low, high = one.alpha_["expert"].min(), one.alpha_["expert"].max()
    assert any(f"expert {low:.3g} to {high:.3g}" in remark for remark in result.remarks)


def test_columns_that_are_fixed_or_constant_have_strengths_too():
    X, y = with_noise(100, 2)
    X[:, 3] = 1.0
    expert = LinearExpert(alpha="ard", fixed_coef={2: 0.5}, shared_coef=[1])
    model = HMERegressor(depth=1, expert=expert, gate=SoftmaxGate(alpha="ard")).fit(X, y)
    assert np.isfinite(model.alpha_["expert"]).all() and model.experts_.coef[0, 2] == 0.5


@pytest.mark.slow
def test_columns_of_wide_sparse_tables_and_of_grown_trees_have_strengths():
    sp = pytest.importorskip("scipy.sparse")
    wide = sp.random(300, 600, 0.1, random_state=0, format="csr")
    y = 3.0 * np.asarray(wide[:, :3].sum(axis=1)).ravel() + 0.1 * np.random.default_rng(0).standard_normal(300)
    alpha = HMERegressor(depth=0, expert=LinearExpert(alpha="ard")).fit(wide, y).alpha_["expert"]
    assert alpha[:3].max() < 10 < 100 < np.median(alpha)
    X, y = with_noise()
    model = HMERegressor(expert=LinearExpert(alpha="ard"), gate=SoftmaxGate(alpha="ard")).fit(X, y)
    assert model.n_experts_ == 2 and model.alpha_["gate"].argmin() == 1
    assert HMERegressorCV(model, budget=4).fit(X, y).predict(X[:2]).shape == (2,)


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"expert": LinearExpert(alpha="auto", l1_ratio=0.5)}, "expert__alpha = 'auto' needs l1_ratio = 0"),
        ({"gate": SoftmaxGate(alpha="auto", l1_ratio=1.0)}, "gate__alpha = 'auto' needs l1_ratio = 0"),
        ({"expert": LinearExpert(alpha="ard", l1_ratio=0.5)}, "expert__alpha = 'ard' needs l1_ratio = 0"),
        (
            {"expert": LinearExpert(alpha="none")},
            "expert__alpha must be a finite number >= 0, an array of them, 'auto' or 'ard', got 'none'",
        ),
        ({"gate": TopKGate(alpha="auto"), "depth": 2}, "gate__alpha must be a number for a TopKGate"),
    ],
)
def test_refused_by_name(settings, message):
    X, y = table(40)
    with pytest.raises(ValueError, match=message):
        HMERegressor(depth=1).set_params(**settings).fit(X, y)
