"""Fits at the ends of the families' ranges: where all of them are Gaussian, and where means are next to nothing."""

import numpy as np
import pytest
from problems import few, slow_case
from scipy import stats

from hme import HMERegressor
from hme.distributions import InverseGaussian
from hme.experts import (
    BinomialExpert,
    GammaExpert,
    GaussianExpert,
    InverseGaussianExpert,
    LinearExpert,
    NegativeBinomialExpert,
    PoissonExpert,
)
from hme.experts.noise.variance import robust_variance

GAUSSIAN = LinearExpert(alpha=0.0, variance_prior=None)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 1))
CLOSE = 5.0 * np.exp(1e-6 * (X[:, 0] + 0.3 * RNG.normal(size=200)))
MANY = RNG.poisson(1e7 * np.exp(1e-4 * X[:, 0])).astype(float)
EXACT = dict(alpha=0.0, dispersion_prior=None)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # steps of the size of rounding
@pytest.mark.parametrize(
    "expert",
    few([
        slow_case(GammaExpert(**EXACT)), GammaExpert("inverse", **EXACT), InverseGaussianExpert(**EXACT),
        GaussianExpert(**EXACT),
    ], 2),
    ids=["gamma", "gamma inverse", "inverse gaussian", "gaussian log"],
)  # fmt: skip
def test_small_spreads_are_gaussian(expert):
    for k in (1, 2):
        start = dict(n_experts=k, start=(X[:, 0] > 0).astype(int) if k == 2 else "auto", max_iter=15)
        one = HMERegressor(expert=expert, **start).fit(X, CLOSE)
        twin = HMERegressor(expert=GAUSSIAN, **start).fit(X, CLOSE)
        assert np.diff(one.lower_bounds_).min(initial=0.0) > -1e-12
        np.testing.assert_allclose(one.log_likelihood(X, CLOSE).mean(), twin.log_likelihood(X, CLOSE).mean(), atol=1e-3)


@pytest.mark.parametrize("spread", [1e-6, slow_case(1e-9)])
@pytest.mark.parametrize("family", [GammaExpert, InverseGaussianExpert, GaussianExpert, LinearExpert])
def test_nearly_constant_targets_are_fitted_in_a_few_sweeps(family, spread):
    y = 5.0 * (1.0 + spread * (X[:, 0] + 0.3 * RNG.normal(size=200)))
    model = HMERegressor(depth=0, expert=family()).fit(X, y)  # a warning would be an error
    assert model.converged_ and model.n_iter_ <= 10 and model.boundary_ == []
    assert (np.diff(model.lower_bounds_) >= -1e-13 * np.abs(model.lower_bounds_[1:])).all()
    twin = HMERegressor(depth=0, expert=GAUSSIAN).fit(X, y)
    np.testing.assert_allclose(model.log_likelihood(X, y).mean(), twin.log_likelihood(X, y).mean(), atol=1e-3)


@pytest.mark.parametrize("family", [GammaExpert, InverseGaussianExpert, GaussianExpert])
def test_rounding_of_the_objective_is_that_of_the_last_digits(family):
    model = HMERegressor(depth=0, expert=family(), start="model_tree").fit(X, CLOSE)
    (rows, _), params, changes = model.observed_rows(X, CLOSE), model.params_, []
    value, stats = model.model_.e_step(params, rows)
    for _ in range(20):
        last = 1.0 + np.finfo(float).eps * RNG.integers(-1, 2, size=params.experts.coef.shape)
        moved = params._replace(experts=params.experts._replace(coef=params.experts.coef * last))
        changes.append(abs(model.model_.e_step(moved, rows)[0] - value))
    rounding = model.model_.rounding(params, stats, rows.weight)
    assert 1e-2 < np.max(changes) / rounding < 8.0
    heavy = rows._replace(weight=1e11 * rows.weight)  # the units of the weights are of no account
    stats = model.model_.e_step(params, heavy)[1]
    np.testing.assert_allclose(model.model_.rounding(params, stats, heavy.weight), rounding, rtol=1e-6)


def test_far_quantiles_of_wide_inverse_gaussian_distributions():
    wide = InverseGaussian(np.array([[1e8]]), np.array([[1e12]]))
    with np.errstate(divide="raise", invalid="raise"):
        found = wide.icdf(np.array([[0.999]]))
    np.testing.assert_allclose(wide.cdf(found), 0.999, rtol=1e-12)


def test_quartiles_of_noise_do_not_depend_on_the_order_of_rows():
    y, weight = np.repeat([0.0, 1.0, 2.0, 30.0], 5)[:, None], RNG.random((4, 5))
    weight = (weight / weight.sum(axis=1, keepdims=True)).ravel()  # a quarter of all on each value, but for rounding
    orders = [RNG.permutation(20) for _ in range(20)]
    found = [robust_variance(y[order], weight[order])[0] for order in orders]
    np.testing.assert_allclose(found, np.square(2.0 / 1.3489795), rtol=1e-9)


def test_large_counts_are_gaussian():
    normal = HMERegressor(depth=0, expert=GAUSSIAN).fit(X, MANY).log_likelihood(X, MANY).mean()
    poisson = HMERegressor(depth=0, expert=PoissonExpert(alpha=0.0)).fit(X, MANY)
    assert poisson.log_likelihood(X, MANY).mean() == pytest.approx(normal, abs=0.02)
    rng = np.random.default_rng(3)
    wild = rng.poisson(MANY * rng.gamma(1e6, 1e-6, size=200)).astype(
        float
    )  # a tenth of the dispersion that shows at 10
    over = HMERegressor(depth=0, expert=NegativeBinomialExpert(alpha=0.0), tol=1e-9).fit(X, wild)
    assert over.experts_.dispersion[0] == pytest.approx(1e-6, rel=0.3)
    trials = np.full(200, 1e9)
    y = rng.binomial(10**9, 0.3, size=200).astype(float)
    binomial = HMERegressor(depth=0, expert=BinomialExpert(alpha=0.0)).fit(X, y, trials=trials)
    known = stats.norm(3e8, np.sqrt(2.1e8)).logpdf(y).mean()
    assert binomial.log_likelihood(X, y, trials=trials).mean() == pytest.approx(known, abs=0.02)


@pytest.mark.parametrize("family", few([PoissonExpert, NegativeBinomialExpert], 1))
def test_truncated_counts_of_next_to_no_mean(family):
    y = np.ones(200)
    with pytest.warns(match="grow without bound"):
        model = HMERegressor(depth=0, expert=family(zero_truncated=True)).fit(X, y)
    assert -1e-9 < model.log_likelihood(X, y).sum() <= 0
    y[:2] = 2.0  # the truncated mean is one and a half of the rate, to first order
    with pytest.warns() if family is NegativeBinomialExpert else pytest.MonkeyPatch.context():
        model = HMERegressor(depth=0, expert=family(zero_truncated=True, alpha=0.0), tol=1e-9).fit(X[:, :1] * 0 + 1, y)
    assert model.predict([[1.0]])[0] == pytest.approx(y.mean(), rel=1e-6)
