"""What every family of experts must do; a new family is one more line in the list of `families`."""

import pickle

import numpy as np
import pytest
from families import (
    DESIGN,
    EXPERTS,
    SMOOTH,
    K,
    central_differences,
    fit_once,
    identify,
    make_resp,
    make_rows,
    q_of_expert,
)
from sklearn.base import clone

from hme.numerics import statistics


@pytest.mark.parametrize("expert, kind", SMOOTH, ids=identify)
def test_expert_statistics_add(expert, kind):
    rows = make_rows(kind)
    resp = make_resp(rows)
    expert, params = fit_once(expert, rows, resp)
    whole = expert.statistics(params, rows, resp)
    parts = expert.add(expert.statistics(params, rows[:25], resp[:25]), expert.statistics(params, rows[25:], resp[25:]))
    for a, b in zip(whole, parts, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-11)


@pytest.mark.parametrize("expert, kind", EXPERTS, ids=identify)
def test_integer_weight_is_repetition(expert, kind):
    rows = make_rows(kind)
    times = np.random.default_rng(2).integers(1, 4, size=rows.n_rows)
    weighted = rows._replace(weight=times.astype(float))
    repeated = rows[np.repeat(np.arange(rows.n_rows), times)]._replace(weight=np.ones(times.sum()))
    resp = make_resp(rows._replace(weight=np.ones(rows.n_rows)))
    one, params_one = fit_once(expert, weighted, resp * times[:, None])
    two, params_two = fit_once(expert, repeated, np.repeat(resp, times, axis=0))
    np.testing.assert_allclose(one.log_prob(params_one, rows), two.log_prob(params_two, rows), rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("expert, kind", EXPERTS, ids=identify)
def test_take_permutes_experts(expert, kind):
    rows = make_rows(kind)
    expert, params = fit_once(expert, rows, make_resp(rows))
    order = [2, 0, 1]
    permuted = statistics.take(params, order)
    np.testing.assert_allclose(expert.log_prob(permuted, rows), expert.log_prob(params, rows)[:, order], rtol=1e-12)


@pytest.mark.parametrize("expert, kind", EXPERTS, ids=identify)
def test_one_hot_responsibilities_are_separate_fits(expert, kind):
    if getattr(expert, "shared_variance", False) or getattr(expert, "shared_dispersion", False):
        pytest.skip("a shared variance ties the experts")
    rows = make_rows(kind)
    expert = expert.bind(rows, DESIGN)
    label = np.arange(rows.n_rows) % K
    resp = np.eye(K)[label] * rows.weight[:, None]
    together = expert.log_prob(expert.init(rows, resp), rows)
    for k in range(K):
        alone = expert.init(rows, resp[:, [k]])
        np.testing.assert_allclose(together[:, k], expert.log_prob(alone, rows)[:, 0], rtol=1e-9)


@pytest.mark.parametrize("expert, kind", SMOOTH, ids=identify)
def test_expert_q_does_not_fall(expert, kind):
    rows = make_rows(kind)
    resp = make_resp(rows)
    expert, params = fit_once(expert, rows, make_resp(rows, seed=5))
    q = q_of_expert(expert, params, rows, resp)
    for _ in range(10):
        params = expert.update(params, expert.statistics(params, rows, resp), rows)
        q, before = q_of_expert(expert, params, rows, resp), q
        assert q >= before - 1e-10 * rows.n_rows


@pytest.mark.parametrize("expert, kind", SMOOTH, ids=identify)
def test_expert_gradient_is_that_of_q(expert, kind):
    rows = make_rows(kind)
    resp = make_resp(rows, seed=3)
    expert, params = fit_once(expert, rows, make_resp(rows))
    scaled = expert.gradient(params, expert.statistics(params, rows, resp))
    lasso = getattr(expert, "l1_ratio", 0.0) > 0
    numeric = central_differences(lambda: q_of_expert(expert, params, rows, resp), params.coef, lasso=lasso)
    noise = getattr(params, "variance", None)
    if noise is not None:  # slopes in units of the noise, variances as their logarithms
        numeric = numeric * np.sqrt(noise)[..., None]
    elif hasattr(params, "dispersion"):  # slopes in units of the linear predictor, dispersions as their logarithms
        numeric = numeric * expert.response_.unit_
        noise = params.dispersion if len(scaled) > numeric.size else None
    if noise is not None:
        variance = central_differences(lambda: q_of_expert(expert, params, rows, resp), noise)
        if getattr(expert, "shared_variance", False) or getattr(expert, "shared_dispersion", False):
            scaled = scaled[: numeric.size]
        else:
            numeric = np.append(numeric, variance * noise)
    np.testing.assert_allclose(scaled, numeric.ravel(), atol=2e-6 * rows.n_rows)


@pytest.mark.parametrize("expert, kind", EXPERTS, ids=identify)
def test_expert_moments_have_the_shape_of_predict(expert, kind):
    rows = make_rows(kind)
    expert, params = fit_once(expert, rows, make_resp(rows))
    mean = expert.predict(params, rows)
    assert mean.shape[:2] == (rows.n_rows, K)
    if rows.y.ndim == 1:
        np.testing.assert_allclose(mean.sum(axis=2), 1.0)
    else:
        assert expert.variance(params, rows).shape == mean.shape
    assert expert.n_parameters(params) > 0


@pytest.mark.parametrize("expert, kind", EXPERTS, ids=identify)
def test_family_clones_and_pickles(expert, kind):
    rows = make_rows(kind)
    bound, params = fit_once(expert, rows, make_resp(rows))
    again, params_again = pickle.loads(pickle.dumps((bound, params)))
    np.testing.assert_array_equal(again.log_prob(params_again, rows), bound.log_prob(params, rows))
    assert str(clone(expert)) == str(expert)


@pytest.mark.parametrize("expert, kind", EXPERTS, ids=identify)
def test_interpolation_has_its_ends(expert, kind):
    rows = make_rows(kind)
    bound, old = fit_once(expert, rows, make_resp(rows))
    _, new = fit_once(expert, rows, make_resp(rows, seed=7))
    there = bound.interpolate(old, new, 0.0)
    np.testing.assert_allclose(bound.log_prob(there, rows), bound.log_prob(old, rows), rtol=1e-10)
