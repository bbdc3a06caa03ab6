"""Noise of linear and tree experts: offsets, covariances, floors and priors."""

import numpy as np
import pytest
from experts import test_family_contract as contract
from families import DESIGN, EXACT, K, central_differences, fit_once, make_resp, make_rows, q_of_expert
from scipy.stats import multivariate_normal, ortho_group
from sklearn.linear_model import LinearRegression

from hme import HMERegressor
from hme.distributions.normal import log_density
from hme.experts import LaplaceExpert, LinearExpert, StudentExpert, TreeExpert
from hme.experts.noise.floor import Floor
from hme.experts.noise.scale import Scale
from hme.numerics.systems import whitener

FULL = LinearExpert(covariance="full")
WITH_OFFSET = [
    LinearExpert(**EXACT), LinearExpert(covariance="full", **EXACT), TreeExpert(variance_floor=1e-8),
    StudentExpert(**EXACT), LaplaceExpert(**EXACT),
]  # fmt: skip

CONTRACT = [
    "expert_statistics_add", "integer_weight_is_repetition", "take_permutes_experts",
    "one_hot_responsibilities_are_separate_fits", "expert_q_does_not_fall",
    "expert_moments_have_the_shape_of_predict", "family_clones_and_pickles", "interpolation_has_its_ends",
]  # fmt: skip


def identify(value):
    return str(value).replace("\n", "")


def random_covariances(rng, T=3, n=K):
    A = rng.normal(size=(n, T, T + 2))
    return A @ np.swapaxes(A, 1, 2)


# -- offset ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expert", WITH_OFFSET, ids=identify)
def test_offset_is_y_less_the_offset(expert):
    assert expert.traits.row_arguments == ("offset",)
    rows = make_rows("two outputs" if expert.traits.multioutput else "regression")
    offset = np.random.default_rng(8).normal(size=rows.n_rows)
    shifted = rows._replace(y=rows.y + offset[:, None], offset=offset)
    resp = make_resp(rows)
    one, params_one = fit_once(expert, rows, resp)
    two, params_two = fit_once(expert, shifted, resp)
    np.testing.assert_allclose(params_two.variance, params_one.variance, rtol=1e-8)
    np.testing.assert_allclose(two.log_prob(params_two, shifted), one.log_prob(params_one, rows), rtol=1e-7, atol=1e-9)
    difference = two.predict(params_two, shifted) - one.predict(params_one, rows)
    np.testing.assert_allclose(difference, np.broadcast_to(offset[:, None, None], difference.shape), atol=1e-7)
    np.testing.assert_allclose(two.start_target(shifted), rows.y, atol=1e-12)


@pytest.mark.parametrize("name", CONTRACT)
@pytest.mark.parametrize("expert", [FULL, LinearExpert(covariance="full", shared_variance=True)], ids=identify)
def test_rest_of_the_contract(expert, name):
    getattr(contract, f"test_{name}")(expert, "two outputs")


# -- full covariances ------------------------------------------------------------------------------------------------


def test_density_is_that_of_scipy():
    rng = np.random.default_rng(0)
    variance, residuals = random_covariances(rng), rng.normal(size=(3, 20, K))
    residuals = residuals.transpose(1, 2, 0)  # (n, K, T)
    pairs = zip(variance, residuals.transpose(1, 0, 2), strict=True)
    expected = [multivariate_normal(np.zeros(3), S).logpdf(r) for S, r in pairs]
    np.testing.assert_allclose(log_density(residuals.copy(), variance), np.stack(expected, axis=1), rtol=1e-11)
    diagonal = np.diagonal(variance, axis1=1, axis2=2)
    independent = log_density(residuals.copy(), np.stack([np.diag(d) for d in diagonal]))
    np.testing.assert_allclose(log_density(residuals.copy(), diagonal.copy()), independent, rtol=1e-12)


def test_whitener_is_a_root_of_the_inverse():
    variance = random_covariances(np.random.default_rng(1)) * np.outer([1.0, 1e60, 1e-60], [1.0, 1e60, 1e-60])
    root = whitener(variance)
    white = root @ variance @ np.swapaxes(root, 1, 2)
    np.testing.assert_allclose(white, np.broadcast_to(np.eye(3), white.shape), atol=1e-9)


@pytest.mark.parametrize("shared", [False, True])
def test_update_is_that_of_a_naive_twin(shared):
    rows = make_rows("two outputs")
    resp = make_resp(rows)
    expert = LinearExpert(alpha=0.7, shrink_to="zero", covariance="full", shared_variance=shared).bind(rows, DESIGN)
    params = expert.init(rows, resp)
    noise, P = expert.response_.scale_, np.diag(expert.penalty_)
    total, count = [], []
    for k in range(K):
        H = np.diag(resp[:, k])
        B = np.linalg.solve(rows.X.T @ H @ rows.X + P, rows.X.T @ H @ rows.y).T
        np.testing.assert_allclose(params.coef[k], B, rtol=1e-9)
        R = rows.y - rows.X @ B.T
        total.append(R.T @ H @ R + B @ P @ B.T)
        count.append(resp[:, k].sum())
    if shared:
        total, count = [sum(total)] * K, [sum(count)] * K
    for k in range(K):
        S = (total[k] + np.diag(noise.prior_rows * noise.prior_variance)) / (count[k] + noise.prior_rows)
        np.testing.assert_allclose(params.variance[k], S, rtol=1e-9)
    assert expert.n_parameters(params) == params.coef.size + 3 * (1 if shared else K)


@pytest.mark.parametrize("settings", [{}, EXACT, {"shared_variance": True, "shrink_to": "zero"}], ids=str)
def test_one_output_is_the_diagonal_case(settings):
    rows = make_rows("regression")
    resp = make_resp(rows)
    (one, first), (two, second) = (
        fit_once(LinearExpert(covariance=name, **settings), rows, resp) for name in ("diagonal", "full")
    )
    np.testing.assert_allclose(second.coef, first.coef, rtol=1e-12)
    np.testing.assert_allclose(second.variance[..., 0], first.variance, rtol=1e-12)
    np.testing.assert_allclose(two.log_prob(second, rows), one.log_prob(first, rows), rtol=1e-11)
    assert two.log_prior_density(second) == pytest.approx(one.log_prior_density(first), rel=1e-11)
    moved = make_resp(rows, seed=9)
    slopes = [e.gradient(p, e.statistics(p, rows, moved)) for e, p in ((one, first), (two, second))]
    np.testing.assert_allclose(slopes[1], slopes[0], atol=1e-10)
    assert two.n_parameters(second) == one.n_parameters(first)
    for a, b in zip(two.report(second, DESIGN), one.report(first, DESIGN), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_mixing_outputs_changes_nothing_but_their_units():
    rng = np.random.default_rng(4)
    X = rng.normal(size=(150, 2))
    side = X[:, 0] > 0
    noise = 0.5 * rng.normal(size=(150, 3)) @ rng.normal(size=(3, 3))
    Y = np.where(side[:, None], X @ rng.normal(size=(2, 3)), 1.0) + noise
    A = ortho_group.rvs(3, random_state=0) @ np.diag([1.0, 3.0, 0.5])
    exact = LinearExpert(covariance="full", **EXACT)
    start = np.where(side, 0, 1)
    one, two = (
        HMERegressor(n_experts=2, expert=exact, start=start, tol=1e-9, max_iter=2000).fit(X, Z) for Z in (Y, Y @ A.T)
    )
    jacobian = np.log(abs(np.linalg.det(A)))
    np.testing.assert_allclose(two.log_likelihood(X, Y @ A.T) + jacobian, one.log_likelihood(X, Y), atol=1e-6)
    np.testing.assert_allclose(two.experts_.covariance, A @ one.experts_.covariance @ A.T, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(two.predict(X), one.predict(X) @ A.T, atol=1e-6)
    diagonal = HMERegressor(n_experts=2, expert=LinearExpert(**EXACT), start=start, tol=1e-9, max_iter=2000).fit(X, Y)
    assert one.log_likelihood(X, Y).sum() > diagonal.log_likelihood(X, Y).sum() + 1.0


@pytest.mark.parametrize("expert", [FULL, LinearExpert(covariance="full", alpha=2.0, shrink_to="zero")], ids=identify)
def test_gradient_of_a_covariance_is_that_of_q(expert):
    rows = make_rows("two outputs")
    resp = make_resp(rows, seed=3)
    expert, params = fit_once(expert, rows, make_resp(rows))
    gradient = expert.gradient(params, expert.statistics(params, rows, resp))
    slopes, noise = gradient[: params.coef.size].reshape(params.coef.shape), gradient[params.coef.size :]
    root = whitener(params.variance)
    by_coef = central_differences(lambda: q_of_expert(expert, params, rows, resp), params.coef)
    np.testing.assert_allclose(slopes, np.linalg.solve(np.swapaxes(root, 1, 2), by_coef), atol=1e-4)
    # S = L (I + E) L' with a symmetric E: the gradient by E.
    L = np.linalg.inv(root)
    direction = np.zeros((K, 2, 2))

    def q():
        E = 0.5 * (direction + np.swapaxes(direction, 1, 2))
        moved = params._replace(variance=L @ (np.eye(2) + E) @ np.swapaxes(L, 1, 2))
        return q_of_expert(expert, moved, rows, resp)

    np.testing.assert_allclose(noise.reshape(K, 2, 2), central_differences(q, direction), atol=1e-4)


@pytest.mark.parametrize("shared", [False, True])
def test_q_does_not_fall_and_ends_where_the_gradient_is_zero(shared):
    rows = make_rows("two outputs")
    resp = make_resp(rows)
    expert, params = fit_once(LinearExpert(covariance="full", shared_variance=shared), rows, make_resp(rows, seed=5))
    before = q_of_expert(expert, params, rows, resp)
    params = expert.update(params, expert.statistics(params, rows, resp))
    after = q_of_expert(expert, params, rows, resp)
    assert after > before
    assert np.abs(expert.gradient(params, expert.statistics(params, rows, resp))).max() < 1e-9


def test_floor_of_a_covariance_is_the_constrained_maximum():
    rng = np.random.default_rng(3)
    floor, global_variance = np.array([0.5, 2.0]), np.diag([3.0, 5.0])
    limits = Floor(0.5, make_rows("two outputs"), None, np.array([1.0, 4.0]))
    noise = Scale(limits, global_variance)
    square, weight = np.array([[[0.1, 0.1], [0.1, 40.0]]]) * 10, np.array([10.0])
    best = noise.update(noise.start(1), weight, square)

    def q(S):
        return -0.5 * (weight[0] * np.linalg.slogdet(S)[1] + np.trace(np.linalg.solve(S, square[0])))

    unit = np.diag(floor**-0.5)
    assert np.linalg.eigvalsh(unit @ best[0] @ unit).min() == pytest.approx(1.0)
    for _ in range(2000):  # no covariance above the floor is better, near or far
        A = rng.normal(size=(2, 2)) * rng.choice([1e-3, 0.1, 3.0])
        other = np.diag(floor) + (best[0] - np.diag(floor)) * rng.uniform() + A @ A.T
        assert q(other) <= q(best[0]) + 1e-9
    np.testing.assert_allclose(noise.gradient(best, weight, square), 0.0, atol=1e-9)
    assert noise.at_floor(best).tolist() == [0]
    assert noise.at_floor(noise.start(1)).tolist() == []


def test_outputs_that_are_one_are_reported_only_where_the_data_are_not_so_already():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 1))
    y = X[:, 0] + rng.normal(size=80)
    expert = LinearExpert(covariance="full", variance_prior=None)
    model = HMERegressor(depth=0, expert=expert).fit(X, np.column_stack([y, 2.0 * y]))
    assert model.boundary_ == []
    assert np.isfinite(model.log_likelihood(X, np.column_stack([y, 2.0 * y]))).all()


def test_report_gives_the_matrices_and_text_the_standard_deviations():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    Y = X @ rng.normal(size=(2, 2)) + rng.normal(size=(60, 2)) @ [[1.0, 0.8], [0.0, 0.5]]
    exact = LinearExpert(covariance="full", **EXACT)
    model = HMERegressor(depth=0, expert=exact).fit(X, Y)
    residual = Y - LinearRegression().fit(X, Y).predict(X)
    np.testing.assert_allclose(model.experts_.covariance[0], residual.T @ residual / 60, rtol=1e-8)
    np.testing.assert_allclose(model.experts_.variance[0], (residual**2).mean(axis=0), rtol=1e-8)
    std = model.predict(X, return_std=True, density="plug-in")[1]
    np.testing.assert_allclose(std[0] ** 2, model.experts_.variance[0], rtol=1e-8)
    assert "noise" in model.model_.expert.equations(model.experts_, ["a", "b"], "y")[0]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"covariance": "spherical"}, "covariance"),
        ({"variance_prior": (1.0, -1.0)}, "variance_prior"),
        ({"variance_floor": 0.0}, "variance_floor"),
        ({"shared_variance": 1}, "shared_variance"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        LinearExpert(**settings).bind(make_rows("two outputs"), DESIGN)


def test_the_covariance_matrix_of_one_output_is_its_variance():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 2))
    y = np.abs(X[:, 0]) + 0.1 * rng.normal(size=80)
    full, own = (
        HMERegressor(n_experts=2, expert=LinearExpert(covariance=kind)).fit(X, y) for kind in ("full", "diagonal")
    )
    np.testing.assert_allclose(full.experts_.coef, own.experts_.coef, atol=1e-5)
    np.testing.assert_allclose(full.log_likelihood(X, y), own.log_likelihood(X, y), atol=1e-4)
