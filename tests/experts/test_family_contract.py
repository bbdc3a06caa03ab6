"""What every family of experts must do; a new family is one more line in the list of `families`."""

import pickle

import numpy as np
import pytest
import user_families as users
from families import (
    ADDITIVE,
    EXPERTS,
    K,
    central_differences,
    design_of,
    fit_once,
    identify,
    make_resp,
    make_rows,
    q_of_expert,
    resp_for,
)
from problems import slow_case
from sklearn.base import clone

import hme.experts
from hme.experts import (
    AdditiveExpert,
    BackgroundExpert,
    ConstantExpert,
    EstimatorExpert,
    Expert,
    GammaExpert,
    LaplaceExpert,
    LinearExpert,
    LogisticExpert,
    NegativeBinomialExpert,
    PointMassExpert,
    StudentExpert,
)
from hme.model.traits import Traits
from hme.numerics import statistics
from hme.prediction import PredictiveDistribution
from hme.registry import EXPERTS as NAMES

SMOOTH = [(expert, kind) for expert, kind in EXPERTS if expert.traits.smooth and len(expert.members) == 1]
NUMBERS = [(expert, kind) for expert, kind in EXPERTS if "classes" not in kind]
# A family of each kind: exact, of classes, counts with a scalar, a dispersion, reweighted rows, nothing learned,
# refitted, and derivatives by differences; lists are another.
KINDS = {
    LinearExpert, LogisticExpert, NegativeBinomialExpert, GammaExpert, StudentExpert, BackgroundExpert, EstimatorExpert,
    users.LogisticNoiseExpert,
}  # fmt: skip
SHARED = "shared_variance", "shared_dispersion"


def every(cases, settings=False):
    """Parameters of a test: by default one case of each kind of family, and of each family for tests of `settings`."""
    seen = [[type(family) for family in (case[0], *case[0].members)] for case in cases]
    kinds = [len(names) > 1 and PointMassExpert in names or names[0] in KINDS for names in seen]
    first = [names not in seen[:i] for i, names in enumerate(seen)]
    cases = [case if first[i] and (settings or kinds[i]) else slow_case(case) for i, case in enumerate(cases)]
    return pytest.mark.parametrize("expert, kind", cases, ids=identify)


def arrays(stats):
    """The arrays of statistics, those of the families of a list one after the other."""
    if isinstance(stats, np.ndarray):
        return [stats]
    return [array for part in stats for array in arrays(part)]


def shares_a_scale(expert):
    return any(getattr(expert, name, False) for name in SHARED)


# -- the M-step --------------------------------------------------------------------------------------------------------


@every(EXPERTS)
def test_expert_statistics_add(expert, kind):
    rows = make_rows(kind)
    resp = resp_for(expert, rows)
    expert, params = fit_once(expert, rows, resp)
    whole = expert.statistics(params, rows, resp)
    first = expert.add(None, expert.statistics(params, rows[:25], resp[:25]))
    parts = expert.add(first, expert.statistics(params, rows[25:], resp[25:]))
    for a, b in zip(arrays(whole), arrays(parts), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-11)


@every(EXPERTS)
def test_what_evaluate_has_seen_changes_nothing(expert, kind):
    rows = make_rows(kind)
    resp = resp_for(expert, rows)
    expert, params = fit_once(expert, rows, resp)
    log_prob, seen = expert.evaluate(params, rows)
    np.testing.assert_array_equal(log_prob, expert.log_prob(params, rows))
    again, anew = expert.statistics(params, rows, resp, seen), expert.statistics(params, rows, resp)
    for a, b in zip(arrays(again), arrays(anew), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@every(EXPERTS)
def test_integer_weight_is_repetition(expert, kind):
    rows = make_rows(kind)
    times = np.random.default_rng(2).integers(1, 4, size=rows.n_rows)
    weighted = rows._replace(weight=times.astype(float))
    repeated = rows[np.repeat(np.arange(rows.n_rows), times)]._replace(weight=np.ones(times.sum()))
    resp = resp_for(expert, rows._replace(weight=np.ones(rows.n_rows)))
    one, params_one = fit_once(expert, weighted, resp * times[:, None])
    two, params_two = fit_once(expert, repeated, np.repeat(resp, times, axis=0))
    np.testing.assert_allclose(one.log_prob(params_one, rows), two.log_prob(params_two, rows), rtol=1e-8, atol=1e-9)


@every(EXPERTS)
def test_take_permutes_experts(expert, kind):
    rows = make_rows(kind)
    expert, params = fit_once(expert, rows, resp_for(expert, rows))
    order = [2, 0, 1]
    permuted = expert.take(params, order)
    np.testing.assert_allclose(expert.log_prob(permuted, rows), expert.log_prob(params, rows)[:, order], rtol=1e-12)
    if len(expert.members) == 1:
        permuted = statistics.take(params, order)
        np.testing.assert_allclose(expert.log_prob(permuted, rows), expert.log_prob(params, rows)[:, order], rtol=1e-12)


@every(EXPERTS)
def test_one_hot_responsibilities_are_separate_fits(expert, kind):
    if shares_a_scale(expert):
        pytest.skip("a shared variance ties the experts")
    rows = make_rows(kind)
    able = resp_for(expert, rows) > 0
    label = np.where(able[np.arange(rows.n_rows), np.arange(rows.n_rows) % K], np.arange(rows.n_rows) % K, 0)
    expert = expert.bind(rows, design_of(rows))
    resp = np.eye(K)[label] * rows.weight[:, None]
    params = expert.init(rows, resp)
    together = expert.log_prob(params, rows)
    for number, family, leaves, _ in expert.components(params):
        seen = expert.rows_of(number, rows)
        for k in leaves:
            alone = family.log_prob(family.init(seen, resp[:, [k]]), seen)[:, 0]
            np.testing.assert_allclose(together[able[:, k], k], alone[able[:, k]], rtol=1e-9)


@every([case for case in EXPERTS if case[0].traits.exact or case[0].traits.additive], settings=True)
def test_expert_q_does_not_fall(expert, kind):
    rows = make_rows(kind)
    resp = resp_for(expert, rows)
    expert, params = fit_once(expert, rows, resp_for(expert, rows, seed=5))
    q = q_of_expert(expert, params, rows, resp)
    for _ in range(10):
        params = expert.update(params, expert.statistics(params, rows, resp), rows)
        q, before = q_of_expert(expert, params, rows, resp), q
        assert q >= before - 1e-10 * rows.n_rows


@every([case for case in ADDITIVE if len(case[0].members) == 1], settings=True)
def test_expert_gradient_is_that_of_q(expert, kind):
    rows = make_rows(kind)
    resp = resp_for(expert, rows, seed=3)
    expert, params = fit_once(expert, rows, resp_for(expert, rows))
    scaled = expert.gradient(params, expert.statistics(params, rows, resp))
    if not len(scaled):  # nothing is learned, or nothing said
        assert not expert.traits.smooth
        return
    lasso = getattr(expert, "l1_ratio", 0.0) > 0
    numeric = central_differences(lambda: q_of_expert(expert, params, rows, resp), params.coef, lasso=lasso)
    response = getattr(getattr(expert, "family_", expert), "response_", None)
    if response is not None:
        noise = getattr(params, "variance", None)  # slopes are in units of the noise, or of the linear predictor
        own = noise is not None and response.scale(params) is noise
        unit = np.sqrt(noise) if own else response.unit_ * response.spread_
        numeric = numeric * np.reshape(unit, (-1, numeric.shape[1], 1))
    for scalar in response.scalars if response else ():  # by their logarithms
        value = getattr(params, scalar.name)
        by_value = central_differences(lambda: q_of_expert(expert, params, rows, resp), value)
        if shares_a_scale(expert):
            scaled = scaled[: numeric.size]
        else:
            numeric = np.append(numeric, by_value * value)
    np.testing.assert_allclose(scaled, numeric.ravel(), atol=2e-6 * rows.n_rows)


@every([(expert, kind) for expert, kind in ADDITIVE if len(expert.members) > 1])
def test_gradient_of_a_list_is_those_of_its_families(expert, kind):
    rows = make_rows(kind)
    expert, params = fit_once(expert, rows, resp_for(expert, rows))
    resp = resp_for(expert, rows, seed=3)
    parts = [
        family.gradient(part, family.statistics(part, expert.rows_of(g, rows), resp[:, leaves]))
        for g, family, leaves, part in expert.components(params)
    ]
    np.testing.assert_allclose(expert.gradient(params, expert.statistics(params, rows, resp)), np.concatenate(parts))


@every(EXPERTS)
def test_interpolation_has_its_ends(expert, kind):
    rows = make_rows(kind)
    bound, old = fit_once(expert, rows, resp_for(expert, rows))
    _, new = fit_once(expert, rows, resp_for(expert, rows, seed=7))
    there = bound.interpolate(old, new, 0.0)
    np.testing.assert_allclose(bound.log_prob(there, rows), bound.log_prob(old, rows), rtol=1e-10)


# -- densities, moments, derivatives -----------------------------------------------------------------------------------


@every(EXPERTS)
def test_expert_moments_have_the_shape_of_predict(expert, kind):
    rows = make_rows(kind)
    expert, params = fit_once(expert, rows, resp_for(expert, rows))
    mean = expert.predict(params, rows)
    assert mean.shape[:2] == (rows.n_rows, K)
    if rows.y.ndim == 1:
        np.testing.assert_allclose(mean.sum(axis=2), 1.0)
    else:
        assert expert.variance(params, rows).shape == mean.shape
    learns_nothing = isinstance(expert, BackgroundExpert | PointMassExpert)
    assert (expert.n_parameters(params) > 0) != learns_nothing
    members = expert.components(params)
    assert expert.n_parameters(params) == sum(family.n_parameters(part) for _, family, _, part in members)


@every(NUMBERS)
def test_distribution_is_the_density(expert, kind):
    rows = make_rows(kind)
    expert, params = fit_once(expert, rows, resp_for(expert, rows))
    dist = expert.predict_dist(params, rows._replace(y=None))
    assert dist.shape == (rows.n_rows, K)
    np.testing.assert_allclose(dist.logpdf(rows.y), expert.log_prob(params, rows), rtol=1e-9, atol=1e-9)
    mean = dist.mean()
    mean = mean if mean.ndim == 3 else mean[:, :, None]
    np.testing.assert_allclose(mean, expert.predict(params, rows), rtol=1e-9, atol=1e-12)
    if mean.shape[2] == 1:
        variance = dist.variance()[:, :, None]
    else:
        variance = np.diagonal(dist.covariance(), axis1=2, axis2=3)
    np.testing.assert_allclose(variance, expert.variance(params, rows), rtol=1e-9, atol=1e-12)


@every(NUMBERS)
def test_quantiles_are_those_of_the_distribution(expert, kind):
    rows = make_rows(kind, n=12)
    expert, params = fit_once(expert, rows, resp_for(expert, rows))
    dist = expert.predict_dist(params, rows._replace(y=None))
    jumps = any(member.traits.measure == "mass" for member in expert.members)
    for output in [dist] if rows.y.shape[1] == 1 else [dist.marginal(t) for t in range(rows.y.shape[1])]:
        mixture = PredictiveDistribution(np.full((12, K), 1.0 / K), output)
        levels = np.array([0.05, 0.3, 0.6, 0.95])
        at = mixture.icdf(levels)
        assert at.shape == (12, 4) and (np.diff(at, axis=1) >= 0).all()
        if jumps:
            assert (mixture.cdf(at) >= levels - 1e-9).all() and (mixture.cdf(at - 1e-6) <= levels + 1e-9).all()
        else:
            np.testing.assert_allclose(mixture.cdf(at), np.broadcast_to(levels, at.shape), atol=1e-9)
            np.testing.assert_allclose(output.cdf(output.icdf(0.3)), np.full((12, K), 0.3), atol=1e-9)
        draws = output.sample(np.random.default_rng(0))
        low, high = output.support()
        assert draws.shape == (12, K) and ((draws >= low) & (draws <= high)).all()


def displaced(expert, params, own, shift=(), scalar=()):
    """Parameters with some linear predictors and scalars displaced by numbers, by slot and by number."""
    coef, scalars = own.coef.copy(), own.scalars.value.copy()
    for slot, step in shift:
        coef[:, slot, -1] += step
    for number, step in scalar:
        scalars[:, number] += step
    return expert.displaced(params, coef, scalars)


@every(SMOOTH)
def test_derivatives_are_those_of_log_prob(expert, kind):
    """By the linear predictors, which an intercept moves, and by the scalars."""
    if not expert.traits.smooth:
        pytest.skip("nothing is said of derivatives")
    rows = make_rows(kind)
    expert, params = fit_once(expert, rows, resp_for(expert, rows))
    own = expert.coordinates(params, design_of(rows))
    if own.scalars.inner is not None:
        pytest.skip("covariances have their derivatives by other numbers than those that move")
    first, second = expert.derivatives(params, rows)
    slots = range(int(own.contrast), own.coef.shape[1])
    moves = [{"shift": [(slot, 1.0)]} for slot in slots]
    moves += [{"scalar": [(number, 1.0)]} for number in range(own.scalars.value.shape[1])]
    assert first.shape == (rows.n_rows, K, len(moves)) and second.shape == (*first.shape, len(moves))
    step = 1e-7 if isinstance(expert, LaplaceExpert) else 1e-5  # its corner is narrow
    for d, move in enumerate(moves):
        near = [
            displaced(expert, params, own, **{what: [(i, sign * step) for i, _ in which]})
            for sign in (1, -1)
            for what, which in move.items()
        ]
        numeric = np.subtract(*(expert.log_prob(one, rows) for one in near)) / (2 * step)
        np.testing.assert_allclose(first[:, :, d], numeric, rtol=1e-5, atol=2e-5 * (1 + np.abs(numeric).max()))
        if not isinstance(expert, LaplaceExpert):  # whose curvature is the expected one
            numeric = np.subtract(*(expert.derivatives(one, rows)[0] for one in near)) / (2 * step)
            np.testing.assert_allclose(second[..., d], numeric, rtol=1e-4, atol=2e-5 * (1 + np.abs(numeric).max()))
    gradient, hessian = expert.prior_derivatives(params)
    size = own.coef.shape[1] * own.coef.shape[2] + own.scalars.value.shape[1]
    assert gradient.shape == (K, size) and hessian.shape == (K, size, size)


# -- what it is --------------------------------------------------------------------------------------------------------


@every(EXPERTS)
def test_family_says_what_it_is(expert, kind):
    rows = make_rows(kind)
    assert isinstance(expert.traits, Traits) and expert.traits.domain and isinstance(expert.traits.fixed, str)
    task = "classification" if rows.y.ndim == 1 else "regression"
    assert task in expert.traits.tasks
    for name in expert.adjustable & set(expert.get_params(deep=False)):
        assert clone(expert).set_params(**{name: 0.123}).structure() == expert.structure()
    expert.check_leaves(K)
    bound = expert.bind(rows, design_of(rows))
    assert bound.possible(rows).shape == (rows.n_rows,) and bound.possible(rows).all()
    assert bound.start_target(rows).shape == rows.y.shape
    resp = make_resp(rows)
    start = bound.start_responsibilities(rows, resp / resp.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(start.sum(axis=1), 1.0)
    exchangeable = bound.exchangeable(K)
    assert exchangeable.shape == (K, K) and exchangeable.diagonal().all()
    assert len(expert.members) in (1, K) and (expert.names is None) == (len(expert.members) == 1)


@every(EXPERTS)
def test_family_clones_and_pickles(expert, kind):
    rows = make_rows(kind)
    bound, params = fit_once(expert, rows, resp_for(expert, rows))
    again, params_again = pickle.loads(pickle.dumps((bound, params)))
    np.testing.assert_array_equal(again.log_prob(params_again, rows), bound.log_prob(params, rows))
    assert str(clone(expert)) == str(expert)


def test_every_family_is_in_the_list():
    tested = {type(member) for expert, _ in EXPERTS for member in (expert, *expert.members)}
    public = {getattr(hme.experts, name) for name in hme.experts.__all__}
    families = {one for one in public if issubclass(one, Expert) and not one.__abstractmethods__}
    assert (families | set(NAMES.values())) - tested == set()
    assert issubclass(ConstantExpert, AdditiveExpert)
