"""The predictive density: degrees of freedom, leverages, and factors from held-out rows."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from problems import few, representative
from scipy import stats
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator

from hme import HMERegressor, scoring
from hme.distributions import (
    Binomial,
    BinomialNormal,
    Composite,
    Independent,
    MultivariateNormal,
    NegativeBinomial,
    Normal,
    Poisson,
    Student,
)
from hme.experts import BinomialExpert, GammaExpert, LinearExpert, NegativeBinomialExpert, PoissonExpert, StudentExpert
from hme.fitting import cross_fit
from hme.gates import TopKGate
from hme.model.features import Columns, Tables
from hme.model.rows import Rows

EXACT = {"alpha": 0.0, "variance_prior": None, "variance_floor": 1e-8}
FLAT = {"alpha": 0.0, "dispersion_prior": None, "dispersion_floor": 1e-8}


def line(n, p, seed=0, n_new=2000):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n + n_new, p))
    y = X[:, 0] + rng.normal(size=n + n_new)
    return X[:n], y[:n], X[n:], y[n:]


def covered(model, X, y, **options):
    low, high = model.predict_interval(X, 0.9, **options).T
    return np.mean((low <= y) & (y <= high))


# -- formulas ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weighted", [False, True])
def test_one_expert_has_the_standard_errors_of_least_squares(weighted):
    X, y, new, _ = line(40, 6, n_new=10)
    weight = np.random.default_rng(1).integers(1, 4, 40).astype(float) if weighted else None
    model = HMERegressor(depth=0, expert=LinearExpert(**EXACT)).fit(X, y, sample_weight=weight)
    again = np.ones(40, dtype=int) if weight is None else weight.astype(int)
    A, b = np.column_stack([np.ones(again.sum()), np.repeat(X, again, axis=0)]), np.repeat(y, again)
    coef, square = np.linalg.lstsq(A, b)[:2]
    a = np.column_stack([np.ones(10), new])
    leverage = np.einsum("ni,ij,nj->n", a, np.linalg.inv(A.T @ A), a)
    expected = np.sqrt(square[0] / (len(b) - 7) * (1.0 + leverage))
    mean, std = model.predict(new, return_std=True)
    np.testing.assert_allclose(mean, a @ coef, rtol=1e-9)
    np.testing.assert_allclose(std, expected, rtol=1e-9)
    np.testing.assert_allclose(model.predict_dist(new).standard_deviation(), expected, rtol=1e-9)
    plug_in = model.predict(new, return_std=True, density="plug-in")[1]
    np.testing.assert_allclose(plug_in, np.sqrt(square[0] / len(b)), rtol=1e-9)


def test_a_penalty_takes_fewer_degrees_of_freedom():
    X, y, new, _ = line(30, 20, n_new=5)
    model = HMERegressor(depth=0, expert=LinearExpert(5.0, shrink_to="zero", variance_prior=None)).fit(X, y)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    A, z = np.column_stack([Z, np.ones(30)]), np.column_stack([(new - X.mean(axis=0)) / X.std(axis=0), np.ones(5)])
    inverse = np.linalg.inv(A.T @ A + np.diag([5.0] * 20 + [0.0]))
    used, leverage = np.trace(inverse @ A.T @ A), np.einsum("ni,ij,nj->n", z, inverse, z)
    expected = model.experts_.variance[0] * 30 / (30 - used) * (1.0 + leverage)
    np.testing.assert_allclose(model.predict(new, return_std=True)[1] ** 2, expected, rtol=1e-9)


def spreads(expert, X, y, label, new):
    """Uncertainty and leverages of a family under known labels, in units of its scale, and the parameters."""
    columns = Columns.fit(None, None, Tables(X, X), [f"x{j}" for j in range(X.shape[1])], np.ones(len(X)), True)
    rows = columns.rows(Tables(X, X), y=y[:, None], weight=np.ones(len(X)))
    resp = np.eye(2)[label]
    family = expert.bind(rows, columns.expert.design)
    params = family.steps(family.init(rows, resp), rows, resp, 60)
    found = family.uncertainty(params, [(rows, resp)])
    return found, family, params, columns.rows(Tables(new, new))


def test_shared_and_fixed_coefficients_are_counted_once_and_not_at_all():
    X, y, new, _ = line(60, 3, n_new=4)
    label = (X[:, 0] > 0.3).astype(int)
    expert = LinearExpert(shared_coef=["x1"], fixed_coef={"x2": 0.5}, shared_variance=True, **EXACT)
    found, family, params, rows = spreads(expert, X, y, label, new)

    def wide(X, label):  # a line of its own of each expert in x0, the same slope of x1 for both
        own = np.eye(2)[label]
        return np.column_stack([own, own * X[:, [0]], X[:, 1]])

    A = wide(X, label)
    for k in range(2):
        a = wide(new, np.full(4, k))
        leverage = np.einsum("ni,ij,nj->n", a, np.linalg.inv(A.T @ A), a)
        dist = family.predictive(params, rows, found)
        expected = params.variance[k, 0] * 60 / (60 - 5) * (1.0 + leverage)
        np.testing.assert_allclose(dist.variance()[:, k], expected, rtol=1e-8)


def test_coefficients_that_the_lasso_or_a_bound_holds_are_certain():
    X, y, new, _ = line(80, 4, n_new=4)
    label = np.arange(80) % 2
    for expert in (LinearExpert(30.0, 1.0, variance_prior=None), LinearExpert(nonnegative=True, **EXACT)):
        found, _, params, _ = spreads(expert, X, -y, label, new)
        held = params.coef[:, 0, :-1] == 0
        assert held.any()
        assert (np.abs(found.root[:, 0, :-1]).max(axis=2) > 1e-12).tolist() == (~held).tolist()


def test_an_expert_without_rows_to_spare_borrows_variance():
    X, y, new, _ = line(46, 4, n_new=4)
    label = (np.arange(46) >= 40).astype(int)  # 6 rows for 5 coefficients
    found, _, params, _ = spreads(LinearExpert(**EXACT), X, y, label, new)
    square = np.array([40.0, 6.0]) * params.variance[:, 0]
    pooled = square.sum() / 36.0
    np.testing.assert_allclose(found.factor[0, 0], 40.0 / 35.0, rtol=1e-8)
    np.testing.assert_allclose(found.factor[1, 0] * params.variance[1, 0], (square[1] + 4 * pooled) / 5.0, rtol=1e-8)


def test_means_that_are_uncertain_disperse_counts_and_positive_numbers():
    X, _, new, _ = line(60, 3, n_new=4)
    rng, label = np.random.default_rng(0), np.arange(60) % 2
    y = rng.poisson(np.exp(1.0 + 0.3 * X[:, 0])).astype(float)
    found, family, params, rows = spreads(PoissonExpert(alpha=0.0), X, y, label, new)
    dist, mean = family.predictive(params, rows, found), family.predict(params, rows)[:, :, 0]
    for k in range(2):
        A, a = (np.column_stack([np.ones(len(Z)), Z]) for Z in (X[label == k], new))
        at = family.predict(params, spreads(PoissonExpert(alpha=0.0), X, y, label, X)[3])[label == k, k, 0]
        spread = np.einsum("ni,ij,nj->n", a, np.linalg.inv(A.T @ (A * at[:, None])), a)
        np.testing.assert_allclose(dist.mean()[:, k], mean[:, k])
        np.testing.assert_allclose(dist.variance()[:, k], mean[:, k] + spread * mean[:, k] ** 2, rtol=1e-6)
    found, family, params, rows = spreads(GammaExpert(**FLAT), X, y + 1.0, label, new)
    leverage = np.einsum("np,kpq->knq", rows.X, found.root[:, 0])
    leverage = (leverage**2).sum(axis=2).T
    dist = family.predictive(params, rows, found)
    np.testing.assert_allclose(dist.dispersion, params.dispersion[:, 0] * found.factor[:, 0] * (1 + leverage))


def test_student_noise_around_an_uncertain_center():
    share = StudentExpert(5.0).response().share_of_spread(StudentExpert(5.0).response().wrap(None, np.ones((1, 1))))
    rng, spread = np.random.default_rng(0), 0.5
    draws = stats.t(5).rvs(400_000, random_state=rng) + np.sqrt(spread) * rng.normal(size=400_000)
    wide = stats.t(5, scale=np.sqrt(1.0 + share[0, 0] * spread))
    assert np.mean(np.abs(draws) < wide.ppf(0.95)) == pytest.approx(0.9, abs=0.004)


# -- distributions -----------------------------------------------------------------------------------------------------

DISTRIBUTIONS = {
    "normal": Normal(np.array([[0.0, 1.0]]), np.array([[1.0, 2.0]])),
    "student": Student(np.full((1, 2), 5.0), np.array([[0.0, 1.0]]), np.ones((1, 2))),
    "poisson": Poisson(np.array([[0.5, 3.0]])),
    "negative binomial": NegativeBinomial(np.array([[0.5, 3.0]]), np.full((1, 2), 0.3)),
    "several": MultivariateNormal(np.zeros((1, 2, 2)), np.eye(2)[None, None].repeat(2, axis=1)),
    "independent": Independent([Normal(np.zeros((1, 2)), np.ones((1, 2)))] * 2),
    "list": Composite([(Normal(np.zeros((1, 1)), np.ones((1, 1))), [1]), (Student(*np.full((3, 1, 1), 5.0)), [0])]),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_widened_multiplies_variances(name):
    dist, factor = DISTRIBUTIONS[name], np.array([1.5, 4.0])
    wide = dist.widened(factor)
    for t in range(dist.n_outputs):
        np.testing.assert_allclose(wide.marginal(t).mean(), dist.marginal(t).mean())
        np.testing.assert_allclose(wide.marginal(t).variance(), factor * dist.marginal(t).variance(), rtol=1e-12)
    same = dist.widened(np.ones(2))
    np.testing.assert_allclose(same.marginal(0).variance(), dist.marginal(0).variance(), rtol=1e-7)


def test_binomials_of_uncertain_log_odds():
    trials, eta = np.array([[12.0]]), np.array([[1.0, -2.0]])
    dist, k = BinomialNormal(trials, eta, np.full((1, 2), 0.4)), np.arange(13.0)[:, None]
    mass = np.concatenate([dist.pdf(y[None]) for y in k])
    np.testing.assert_allclose(mass.sum(axis=0), 1.0)
    np.testing.assert_allclose(k[:, 0] @ mass, dist.mean()[0])
    np.testing.assert_allclose(dist.mean(), Binomial(trials, eta).mean())
    np.testing.assert_allclose(k[:, 0] ** 2 @ mass - dist.mean()[0] ** 2, dist.variance()[0])
    np.testing.assert_allclose(np.concatenate([dist.cdf(y[None]) for y in k]), mass.cumsum(axis=0))
    np.testing.assert_allclose(dist.cdf(k[[4]]) + dist.sf(k[[4]]), 1.0)
    np.testing.assert_allclose(dist.widened(np.array([1.2, 1.2])).variance() / dist.variance(), 1.2, atol=0.05)
    draws = dist.take(np.zeros(4000, dtype=int)).sample(np.random.default_rng(0))
    np.testing.assert_allclose(draws.var(axis=0), dist.variance()[0], rtol=0.1)
    np.testing.assert_allclose(
        BinomialNormal(trials, eta, np.zeros((1, 2))).logpdf(k[[3]]), Binomial(trials, eta).logpdf(k[[3]])
    )


def test_the_factor_of_normal_noise_is_the_mean_squared_error():
    rng = np.random.default_rng(0)
    y, scale = 3.0 * rng.normal(size=(5000, 1)), np.full((5000, 1), 2.0)
    rows = Rows(np.ones((5000, 1)), np.ones((5000, 1)), y, np.ones(5000))
    parts = [(rows, np.zeros((5000, 1)), Normal(np.zeros((5000, 1)), scale))]
    assert cross_fit._factors(parts, 1)[0] == pytest.approx(np.mean(y**2) / 4.0, rel=5e-3)
    parts = [(rows, np.zeros((5000, 1)), Normal(np.zeros((5000, 1)), 10.0 * scale))]
    assert cross_fit._factors(parts, 1)[0] == 1.0  # never narrower


# -- models ------------------------------------------------------------------------------------------------------------


def test_intervals_cover_where_columns_are_many():
    X, y, new, target = line(150, 50)
    model = HMERegressor(depth=0).fit(X, y)
    assert covered(model, new, target, density="plug-in") < 0.8 < 0.87 < covered(model, new, target) < 0.94
    gain = scoring.log_score(model.predict_dist(new), target) - model.log_likelihood(new, target).mean()
    assert gain > 0.1


@pytest.mark.slow
def test_intervals_cover_where_experts_are_too_many():
    plain, cover, gain = [], [], []
    for seed in (1, 2):
        X, y, new, target = line(300, 3, seed=seed)
        model = HMERegressor(depth=3).fit(X, y)
        plain.append(covered(model, new, target, density="plug-in"))
        cover.append(covered(model, new, target))
        assert (model.uncertainty_.inflation >= 1.0).all() and model.uncertainty_.inflation.mean() > 1.2
        gain.append(scoring.log_score(model.predict_dist(new), target) - model.log_likelihood(new, target).mean())
    assert max(plain) < 0.86 < min(cover) and np.mean(cover) < 0.94
    assert min(gain) > 0.05


def regimes(n=120, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, np.where(X[:, 0] > 0, 1.0 + X[:, 1], -1.0 - X[:, 1]) + 0.3 * rng.normal(size=n)


MODELS = {
    "linear": {"n_experts": 2},
    "student": {"n_experts": 2, "expert": "student"},
    "laplace": {"n_experts": 2, "expert": "laplace"},
    "constant": {"n_experts": 3, "expert": "constant"},
    "hard": {"n_experts": 2, "algorithm": "hard"},
    "top k": {"n_experts": 3, "gate": TopKGate(2)},
    "gaussian gate": {"n_experts": 2, "gate": "gaussian"},
    "lasso": {"n_experts": 2, "expert": LinearExpert(2.0, 0.5)},
    "shared": {"n_experts": 2, "expert": LinearExpert(shared_coef=["x1"], shared_variance=True)},
    "list": {"expert": [("a", LinearExpert()), ("b", StudentExpert()), ("c", LinearExpert())], "n_experts": 3},
    "list, top k": {"expert": [("a", LinearExpert()), ("b", StudentExpert())], "n_experts": 2, "gate": TopKGate(1)},
    "two outputs": {"n_experts": 2},
    "covariances": {"n_experts": 2, "expert": LinearExpert(covariance="full")},
    "frozen": {"n_experts": 2, "expert": FrozenEstimator(DummyRegressor().fit(np.zeros((2, 3)), [0.0, 0.0]))},
}


@pytest.mark.parametrize("name", few(representative(MODELS, every=2), 4))
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_every_kind_of_model_has_both_densities(name):
    X, y = regimes()
    y = np.column_stack([y, -y]) if name in ("two outputs", "covariances") else y
    model = HMERegressor(max_iter=30, **MODELS[name]).fit(X, y)
    both = [model.predict_dist(X, density=density) for density in ("predictive", "plug-in")]
    wide, narrow = (dist.variance_parts()[0] for dist in both)
    assert np.isfinite(wide).all()
    if not model.uncertainty_.least_df:  # a bound on the tails' heaviness takes variance away
        assert (wide > narrow * (1.001 if name != "frozen" else 1.0 - 1e-9)).all()
    np.testing.assert_allclose(both[0].mean(), model.predict(X), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(both[1].logpdf(y), model.log_likelihood(X, y), rtol=1e-9, atol=1e-9)
    std = model.predict(X, return_std=True)[1]
    np.testing.assert_allclose(both[0].standard_deviation(), std, rtol=1e-9)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(model)).predict(X, return_std=True)[1], std)
    low, high = np.moveaxis(model.predict_interval(X[:5], 0.5), -1, 0)
    assert (low < high).all() and model.sample_y(X[:5], 3, random_state=0, density="predictive").shape[0] == 5


def test_weights_are_repeated_rows_and_sparse_columns_the_dense_ones():
    X, y = regimes(60)
    weight = np.arange(60) % 2 + 1.0
    ours = HMERegressor(n_experts=2, tol=1e-9).fit(X, y, sample_weight=weight)
    again = weight.astype(int)
    other = HMERegressor(n_experts=2, tol=1e-9).fit(np.repeat(X, again, axis=0), np.repeat(y, again))
    np.testing.assert_allclose(ours.predict(X, return_std=True)[1], other.predict(X, return_std=True)[1], rtol=1e-5)
    sparse = HMERegressor(n_experts=2, tol=1e-9).fit(sp.csr_matrix(X), y, sample_weight=weight)
    for density in ("predictive", "plug-in"):
        dense = sparse.predict_dist(X, density=density).variance()
        np.testing.assert_allclose(sparse.predict_dist(sp.csr_matrix(X), density=density).variance(), dense)


def test_groups_offsets_and_trials():
    X, y = regimes(60)
    groups, y = np.arange(60) // 3, np.rint(np.exp(0.5 * y))
    X = X[3 * (np.arange(60) // 3)]
    model = HMERegressor(n_experts=2, expert="poisson").fit(X, y, groups=groups, offset=0.1)
    wide = model.predict_dist(X, offset=0.1).variance()
    assert (wide > model.predict_dist(X, offset=0.1, density="plug-in").variance()).all()
    model = HMERegressor(n_experts=2, expert="binomial").fit(X, np.minimum(y, 4), trials=4)
    assert np.isfinite(model.predict_interval(X, trials=4)).all()


def test_density_is_one_of_two():
    X, y = regimes(40)
    model = HMERegressor(n_experts=2, tol=1e-2).fit(X, y)
    for ask in (model.predict_dist, model.predict_interval, model.predict_quantiles, model.sample_y):
        with pytest.raises(ValueError, match="density must be one of 'predictive', 'plug-in', got 'plug_in'"):
            ask(X, density="plug_in")
    with pytest.raises(ValueError, match="density"):
        model.predict(X, return_std=True, density=True)


def test_an_interrupt_keeps_the_fit(monkeypatch):
    def press(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(cross_fit, "_factors", press)
    X, y = regimes(40)
    with pytest.warns(ConvergenceWarning, match="predictive density was interrupted"):
        model = HMERegressor(n_experts=2).fit(X, y)
    assert model.converged_ and (model.uncertainty_.inflation == 1.0).all()


@pytest.mark.parametrize("expert", [PoissonExpert(zero_truncated=True), NegativeBinomialExpert(zero_truncated=True)])
def test_truncated_counts_keep_their_mean(expert):
    X = np.random.default_rng(0).normal(size=(60, 2))
    y = 1.0 + np.random.default_rng(1).negative_binomial(1, 0.05, 60)
    model = HMERegressor(depth=0, expert=expert).fit(X, y)
    np.testing.assert_allclose(model.predict_dist(X).mean(), model.predict(X), rtol=1e-12)
    assert (model.predict_dist(X).variance() > model.predict_dist(X, density="plug-in").variance()).all()


def test_binomial_counts_under_a_routed_gate():
    X = np.random.default_rng(0).normal(size=(40, 2))
    y = np.random.default_rng(1).integers(6, size=40)
    model = HMERegressor(n_experts=3, expert=BinomialExpert(n_trials=5), gate=TopKGate(k=2), max_iter=3, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    np.testing.assert_allclose(model.predict_dist(X).mean(), model.predict(X), rtol=1e-9)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_row_that_a_fold_knows_nothing_of_makes_no_nan():
    """A column with one value far out, in a class of its own: folds without it have a gate that cannot place it."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(-2, 3, 40).astype(float)[:, None], 8.8 + 0.1 * rng.normal(size=40)
    x[-1], y[-1] = 5e7, 2.5
    for expert in ("linear", "laplace", "student"):
        model = HMERegressor(n_experts=2, expert=expert, gate="gaussian").fit(x, y)
        assert np.isfinite(model.uncertainty_.inflation).all()
        assert not np.isnan(model.predict(x, return_std=True)[1]).any()
