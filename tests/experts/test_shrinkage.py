"""What slopes are shrunk to: the fit of all rows, with a light penalty of its own and within the constraints."""

import numpy as np
import pytest
from families import DESIGN, fit_once, make_resp, make_rows
from problems import few
from scipy.optimize import minimize, nnls

from hme import HMERegressor
from hme.experts import (
    BinomialExpert,
    GammaExpert,
    GaussianExpert,
    InverseGaussianExpert,
    LaplaceExpert,
    LinearExpert,
    LogisticExpert,
    NegativeBinomialExpert,
    PoissonExpert,
    StudentExpert,
)
from hme.gates import SoftmaxGate
from hme.path import alpha_path

STRONG = 1e7
FAMILIES = [
    (LinearExpert(alpha=STRONG), "two outputs"),
    (LinearExpert(alpha=STRONG, covariance="full"), "two outputs"),
    (LinearExpert(alpha=STRONG, scale_penalty=False), "regression"),
    (LinearExpert(alpha=STRONG, l1_ratio=0.5, shrink_to="global"), "regression"),
    (StudentExpert(alpha=STRONG), "regression"),
    (LaplaceExpert(alpha=STRONG), "regression"),
    (GaussianExpert("log", alpha=STRONG), "positive"),
    (GammaExpert(alpha=STRONG), "positive"),
    (GammaExpert("inverse", alpha=STRONG), "positive"),
    (InverseGaussianExpert(alpha=STRONG), "positive"),
    (PoissonExpert(alpha=STRONG), "counts"),
    (PoissonExpert(alpha=STRONG, zero_truncated=True), "positive counts"),
    (NegativeBinomialExpert(alpha=STRONG), "counts"),
    (BinomialExpert(alpha=STRONG), "trials"),
    (LogisticExpert(alpha=STRONG), "two classes"),
    (LogisticExpert(alpha=STRONG), "four classes"),
]


def rows_of(kind):
    rows = make_rows(kind, n=400)
    if "offset" in (rows._fields) and kind in ("counts", "two outputs"):
        offset = 0.3 * np.random.default_rng(5).normal(size=rows.n_rows)
        return rows._replace(offset=offset)
    return rows


@pytest.mark.parametrize("expert, kind", few(FAMILIES, 6), ids=lambda value: str(value).replace("\n", ""))
def test_strong_shrinkage_is_the_fit_of_all_rows(expert, kind):
    rows = rows_of(kind)
    exact = type(expert)(**{**expert.get_params(), "alpha": 0.0, "l1_ratio": 0.0}).bind(rows, DESIGN)
    whole = exact.steps(exact.start(1), rows, rows.weight[:, None], 60)
    strong, params = fit_once(expert, rows, make_resp(rows))
    params = strong.steps(params, rows, make_resp(rows), 20)
    slopes, known = params.coef[..., :-1], whole.coef[..., :-1]
    if kind.endswith("classes"):
        known = known - known.mean(axis=1, keepdims=True)
        slopes = slopes - slopes.mean(axis=1, keepdims=True)
    assert np.abs(known).max() > 0.03
    np.testing.assert_allclose(slopes, np.broadcast_to(known, slopes.shape), atol=0.01)


def test_weak_shrinkage_has_a_center_that_is_no_stronger():
    rows = make_rows("regression")
    for alpha in (0.01, 0.1):
        center = LinearExpert(alpha=alpha).bind(rows, DESIGN).center_
        gram = (rows.X.T * rows.weight) @ rows.X + np.diag([alpha, alpha, alpha, 0.0])
        np.testing.assert_allclose(center[0, 0], np.linalg.solve(gram, (rows.X.T * rows.weight) @ rows.y[:, 0]))


@pytest.mark.parametrize("scaled", [True, False])
def test_center_is_within_the_constraints(scaled):
    rows = make_rows("regression", n=200)
    rows = rows._replace(y=rows.y + rows.X[:, [1]] - 0.7 * rows.X[:, [2]])
    expert = LinearExpert(alpha=STRONG, scale_penalty=scaled, nonnegative=True)
    bound, params = fit_once(expert, rows, make_resp(rows))
    root = np.sqrt(rows.weight)[:, None]
    known, _ = nnls(np.hstack([rows.X, -rows.X[:, -1:]]) * root, (rows.y * root)[:, 0])
    assert known[2] == 0
    np.testing.assert_allclose(bound.center_[0, 0, :-1], known[:3], atol=5e-3)
    np.testing.assert_allclose(params.coef[:, 0, :-1], np.broadcast_to(known[:3], (3, 3)), atol=5e-3)
    # a fixed column is taken out, and nothing is paid for it
    bound, params = fit_once(
        LinearExpert(alpha=STRONG, scale_penalty=scaled, fixed_coef={0: 5.0}), rows, make_resp(rows)
    )
    left = np.linalg.lstsq(rows.X[:, 1:] * root, ((rows.y - 5.0 * rows.X[:, :1]) * root)[:, 0], rcond=None)[0]
    np.testing.assert_allclose(params.coef[:, 0, 1:-1], np.broadcast_to(left[:-1], (3, 2)), atol=0.02)
    assert (params.coef[:, 0, 0] == 5.0).all() and (bound.center_[0, 0, 0] == 5.0)
    assert bound._penalty(params).max() < 1e-3


def test_center_of_a_constrained_poisson_regression():
    rows = make_rows("counts", n=200)
    bound = PoissonExpert(alpha=STRONG, fixed_coef={0: [0.1, 0.2, 0.3]}, nonnegative=[1]).bind(rows, DESIGN)

    def deviance(free):
        eta = rows.X @ np.append([0.2], free) + rows.offset
        return -rows.weight @ (rows.y[:, 0] * eta - np.exp(eta)) + 0.05 * (free[0] ** 2 + free[1] ** 2)

    known = minimize(deviance, np.zeros(3), bounds=[(0, None), (None, None), (None, None)], tol=1e-12).x
    np.testing.assert_allclose(bound.center_[0, 0], np.append([0.2], known), atol=1e-4)


def test_strength_zero_and_collinear_or_many_columns_are_safe():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    y = X[:, 0] + 0.1 * rng.normal(size=60)
    twice = np.column_stack([X, X[:, 0]])
    for alpha in (0.0, 0.1, 1e6):
        one = HMERegressor(depth=0, expert=LinearExpert(alpha=alpha)).fit(twice, y)
        np.testing.assert_allclose(one.experts_.coef[0, [0, 2]], 0.5, atol=0.02)  # the smallest of equal fits
    wide = rng.normal(size=(40, 120))
    strong = HMERegressor(depth=0, expert=LinearExpert(alpha=100.0)).fit(wide, wide[:, 0])
    assert np.isfinite(strong.predict(rng.normal(size=(5, 120)))).all()


# -- a strength for each column --------------------------------------------------------------------------------------


def _by_column(family, kind):
    """Slopes (..., p) of experts with one strength, with the same for each column, and with one that is strong."""
    rows = rows_of(kind)
    found = []
    for alpha in (2.0, [2.0] * 3, [2.0, STRONG, 0.0]):
        bound, params = fit_once(family(alpha=alpha, shrink_to="zero"), rows, make_resp(rows))
        found.append(bound.steps(params, rows, make_resp(rows), 20).coef[..., :-1])
    return found


@pytest.mark.parametrize("family, kind", few([(LinearExpert, "regression"), (LogisticExpert, "four classes")], 2))
def test_a_strength_for_each_column(family, kind):
    one, same, strong = _by_column(family, kind)
    np.testing.assert_array_equal(same, one)
    assert np.abs(strong[..., 1]).max() < 1e-3 < np.abs(one[..., 1]).max()
    assert (np.abs(strong[..., 2]) > np.abs(one[..., 2])).any()


def test_strengths_by_column_are_light_in_the_pooled_fit():
    rows = make_rows("regression")
    strengths = np.array([0.0, 0.05, 5.0])
    center = LinearExpert(alpha=strengths).bind(rows, DESIGN).center_
    gram = (rows.X.T * rows.weight) @ rows.X + np.diag([0.0, 0.05, 0.1, 0.0])
    np.testing.assert_allclose(center[0, 0], np.linalg.solve(gram, (rows.X.T * rows.weight) @ rows.y[:, 0]))


def test_a_strength_for_each_column_of_a_gate():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = np.where(X.sum(axis=1) > 0, 2.0, -2.0) + 0.1 * rng.normal(size=200)
    gates = [SoftmaxGate(alpha=alpha) for alpha in (1.0, [1.0, 1.0], [1.0, STRONG])]
    one, same, strong = (HMERegressor(n_experts=2, gate=gate).fit(X, y).gate_.coef for gate in gates)
    np.testing.assert_array_equal(same, one)
    assert np.abs(strong[..., 1]).max() < 1e-3 < np.abs(one[..., 1]).max()


@pytest.mark.parametrize("alpha", [[1.0], [1.0, -1.0], [[1.0, 1.0]] * 2, [1.0, np.nan]])
def test_strengths_that_are_none(alpha):
    X, y = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30.0)
    with pytest.raises(ValueError, match="expert__alpha must be"):
        HMERegressor(depth=1, expert=LinearExpert(alpha=alpha)).fit(X, y)


def test_a_path_goes_along_one_strength():
    X, y = np.random.default_rng(0).normal(size=(30, 2)), np.arange(30.0)
    with pytest.raises(ValueError, match="alpha_path needs one expert__alpha"):
        alpha_path(HMERegressor(depth=1, expert=LinearExpert(alpha=[1.0, 2.0], l1_ratio=1.0)), X, y)
