"""Distributions of scipy.stats as those of experts: against closed forms, quadrature and what scipy says."""

import pickle

import numpy as np
import pytest
from problems import few, representative, slow_case
from scipy import integrate, stats

from hme import distributions as d
from hme.distributions import scipy
from hme.prediction import PredictiveDistribution

RNG = np.random.default_rng(1)
N, K = 12, 3
CENTER, SCALE = RNG.normal(0, 3, (N, K)), RNG.uniform(0.3, 2.0, (1, K))
MEAN, WEIGHTS = np.exp(CENTER / 3), RNG.dirichlet(np.ones(K), N)
Y = RNG.normal(0, 3, N)
DF = np.array([[3.0, 4.0, 30.0]])
TWINS = {
    "normal": (d.FromScipy(stats.norm, loc=CENTER, scale=SCALE), d.Normal(CENTER, SCALE)),
    "student": (d.FromScipy(stats.t, df=DF, loc=CENTER, scale=SCALE), d.Student(DF, CENTER, SCALE)),
    "uniform": (d.FromScipy(stats.uniform, loc=CENTER - 0.5 * SCALE, scale=SCALE), d.Uniform(CENTER, SCALE)),
    "gamma": (d.FromScipy(stats.gamma, a=2.5, scale=MEAN / 2.5), d.Gamma(MEAN, np.full((1, K), 0.4))),
    "pole": (d.FromScipy(stats.gamma, a=0.5, scale=MEAN / 0.5), d.Gamma(MEAN, np.full((1, K), 2.0))),
    "inverse gaussian": (d.FromScipy(stats.invgauss, mu=1.2, scale=MEAN / 1.2), d.InverseGaussian(MEAN, 1.2 / MEAN)),
    "poisson": (d.FromScipy(stats.poisson, mu=MEAN), d.Poisson(MEAN)),
    "binomial": (
        d.FromScipy(stats.binom, n=9, p=1 / (1 + np.exp(-CENTER))),
        d.Binomial(np.full((1, K), 9.0), CENTER),
    ),
}


def targets(name):
    if name in ("gamma", "pole", "inverse gaussian"):
        return np.abs(Y) + 0.2
    return np.clip(np.rint(np.abs(Y)), 0, 9) if TWINS[name][1].discrete else Y


@pytest.mark.parametrize("name", representative(TWINS, every=3))
def test_twins(name):
    ours, twin = TWINS[name]
    y = targets(name)[:, None]
    assert ours.shape == twin.shape and ours.measure == twin.measure and ours.on_lattice == twin.on_lattice
    for method in ("logpdf", "pdf", "cdf", "sf", "logcdf", "logsf"):
        np.testing.assert_allclose(getattr(ours, method)(y), getattr(twin, method)(y), rtol=1e-9, atol=1e-14)
    np.testing.assert_allclose(ours.mean(), twin.mean(), rtol=1e-12)
    np.testing.assert_allclose(ours.variance(), twin.variance(), rtol=1e-11)
    np.testing.assert_allclose(ours.support(), twin.support(), rtol=1e-13)
    if ours.discrete:
        np.testing.assert_array_equal(ours.mode(), twin.mode())
        return
    for q in (1e-6, 0.3, 0.99):
        np.testing.assert_allclose(ours.icdf(q), twin.icdf(q), rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(ours.isf(q), twin.isf(q), rtol=1e-8, atol=1e-9)
        at = twin.icdf(q)
        np.testing.assert_allclose(ours.excess(at), twin.excess(at), rtol=1e-9)
        np.testing.assert_allclose(ours.shortfall(at), twin.shortfall(at), rtol=1e-5, atol=1e-9)
    if name != "uniform":  # of which every point is a mode
        np.testing.assert_allclose(ours.mode(), twin.mode(), atol=1e-6)
    assert ours.half_difference() is None


@pytest.mark.parametrize("name", few(representative(TWINS, every=6), 1))
def test_mixtures_of_twins(name):
    ours, theirs = (PredictiveDistribution(WEIGHTS, components) for components in TWINS[name])
    y, q = targets(name), [0.01, 0.3, 0.5, 0.999]
    np.testing.assert_allclose(ours.log_likelihood(y), theirs.log_likelihood(y), rtol=1e-10)
    np.testing.assert_allclose(ours.icdf(q), theirs.icdf(q), rtol=1e-8, atol=1e-8)
    if not ours.discrete:
        assert (np.abs(ours.cdf(ours.icdf(q)) - q) <= 5e-13).all()
    np.testing.assert_allclose(ours.crps(y), theirs.crps(y), rtol=1e-8)
    regions = (one.interval(0.9, method="highest_density") for one in (ours, theirs))
    for own, other in zip(*regions, strict=True):
        if name == "uniform":  # whose flat parts may be cut where they touch
            np.testing.assert_allclose(np.diff(own).sum(), np.diff(other).sum(), rtol=1e-7)
            continue
        np.testing.assert_allclose(own, other, atol=1e-7)
    if name != "uniform":
        np.testing.assert_allclose(ours.mode(), theirs.mode(), atol=1e-6)
    assert ours.sample(3, rng=0).shape == (N, 3)
    again = pickle.loads(pickle.dumps(ours))
    np.testing.assert_array_equal(again.median(), ours.median())
    np.testing.assert_array_equal(again.crps(y), ours.crps(y))


def crps_by_quadrature(frozen, y):
    p = np.concatenate([np.logspace(-12, -1, 12), [0.3, 0.5]])
    low, high = frozen.support()
    points = np.unique(np.concatenate([frozen.ppf(p), frozen.isf(p), [y]]))
    edges = np.concatenate([[low], points[(points > low) & (points < high)], [high]])
    return sum(
        integrate.quad(lambda v: (frozen.cdf(v) - (v >= y)) ** 2, a, b, epsabs=1e-13, epsrel=1e-11, limit=200)[0]
        for a, b in zip(edges, edges[1:], strict=False)
    )


FAMILIES = [
    (stats.lognorm, dict(s=0.7, scale=3.0)),
    (stats.beta, dict(a=0.5, b=0.5)),
    (stats.lognorm, dict(s=2.0)),
    (stats.beta, dict(a=2.0, b=5.0, loc=-1.0, scale=4.0)),
    (stats.triang, dict(c=0.3)),
    (stats.laplace_asymmetric, dict(kappa=2.0)),
    (stats.skewnorm, dict(a=4.0, loc=1.0)),
    (stats.weibull_min, dict(c=0.6)),
    (stats.gumbel_r, dict(loc=2.0, scale=3.0)),
    (stats.pareto, dict(b=2.5)),
]


@pytest.mark.parametrize(
    "family, parameters",
    few([case if i < 2 else slow_case(case) for i, case in enumerate(FAMILIES)], 1),
    ids=lambda v: v.name if hasattr(v, "name") else "",
)
@pytest.mark.filterwarnings("ignore::scipy.integrate.IntegrationWarning")
def test_scores_and_modes_by_quadrature(family, parameters):
    dist, frozen = d.FromScipy(family, **parameters), family(**parameters)
    one = PredictiveDistribution(np.ones((1, 1)), dist)
    for q in (0.05, 0.7):
        y = frozen.ppf(q)
        np.testing.assert_allclose(one.crps(y)[0], crps_by_quadrature(frozen, y), rtol=1e-8)
    grid = frozen.ppf(np.linspace(0.001, 0.999, 500))
    with np.errstate(divide="ignore"):  # a pole
        assert frozen.pdf(grid).max() <= frozen.pdf(dist.mode()[0, 0]) * (1 + 1e-9)
    draws = dist.draw(np.random.default_rng(0), np.zeros(2000, dtype=int), np.zeros(2000, dtype=int))
    assert stats.kstest(draws, frozen.cdf).pvalue > 1e-4


def test_the_mode_of_lognormals():
    dist = d.FromScipy(stats.lognorm, s=SCALE, scale=np.exp(CENTER))
    np.testing.assert_allclose(dist.mode(), np.exp(CENTER - SCALE**2), rtol=1e-6)


def test_counts_below_zero():
    dist = PredictiveDistribution(WEIGHTS, d.FromScipy(stats.skellam, mu1=MEAN, mu2=6.0))
    k = np.arange(-60.0, 200.0)
    mass = dist.pmf(k[None])
    np.testing.assert_allclose(mass.sum(axis=1), 1.0, rtol=1e-9)
    F = np.cumsum(mass, axis=1)
    for q in (0.001, 0.5, 0.9):
        np.testing.assert_array_equal(dist.icdf(q), k[(F >= q).argmax(axis=1)])
    np.testing.assert_array_equal(dist.mode(), k[mass.argmax(axis=1)])
    np.testing.assert_allclose(dist.crps(-2.0), ((F - (k >= -2)) ** 2).sum(axis=1), rtol=1e-9)
    for row, region in zip(mass, dist.interval(0.8, method="highest_density"), strict=True):
        inside = ((k[:, None] >= region[:, 0]) & (k[:, None] <= region[:, 1])).any(axis=1)
        assert row[inside].sum() >= 0.8 - 1e-9 and row[inside].sum() - row[inside].min() < 0.8


def test_rows_and_experts():
    dist = d.FromScipy(stats.lognorm, s=SCALE, scale=np.exp(CENTER))
    y = np.abs(Y)[:, None]
    full = dist.logpdf(y)
    np.testing.assert_array_equal(dist.take([2, 0]).logpdf(y[[2, 0]]), full[[2, 0]])
    np.testing.assert_array_equal(dist.columns([2, 0]).logpdf(y), full[:, [2, 0]])
    picked = dist.pick(np.array([0, 2]), np.array([1, 2])).logpdf(y[[0, 2]])
    np.testing.assert_array_equal(picked[:, 0], full[[0, 2], [1, 2]])
    joined = d.join([(dist.columns([2]), [2]), (dist.columns([0, 1]), [0, 1])])
    assert isinstance(joined, d.FromScipy)
    np.testing.assert_array_equal(joined.logpdf(y), full)
    spread = dist.take([0, 1]).spread(np.array([3, 1]), 5)
    np.testing.assert_array_equal(spread.take([3, 1]).logpdf(y[:2]), full[:2])
    assert np.isfinite(spread.mean()).all() and np.isfinite(dist[:0].spread(np.arange(N), N).mean()).all()
    nobody = dist.take(np.zeros(0, dtype=int)).spread(np.zeros(0, dtype=int), 4)
    assert nobody.shape == (4, K) and np.isfinite(nobody.mean()).all()
    both = d.join([(dist, [0, 1, 2]), (d.FromScipy(stats.norm, loc=CENTER, scale=SCALE), [3, 4, 5])])
    assert len(both.parts) == 2
    assert repr(dist) == f"FromScipy(lognorm, s, scale) of {N} rows and {K} experts"


def test_shapes_of_parameters():
    assert d.FromScipy(stats.norm, loc=np.zeros((4, 1)), scale=[1.0, 2.0]).shape == (4, 2)
    assert d.FromScipy(stats.norm, scale=2.0).shape == (1, 1)
    assert d.FromScipy(stats.norm, n_rows=7, scale=[1.0, 2.0]).shape == (7, 2)
    with pytest.raises(ValueError, match="loc must be a whole number"):
        d.FromScipy(stats.poisson, mu=3.0, loc=0.5)
    with pytest.raises(ValueError, match="no mean"):
        PredictiveDistribution(np.ones((1, 1)), d.FromScipy(stats.cauchy, n_rows=1, loc=0.0)).crps(0.0)


HEAVY = {  # where the median stands for the mean, and where the mean is infinite
    "cauchy": (stats.cauchy, dict(loc=[[0.0, 3.0]]), [[True, True]], [[False, False]]),
    "student": (stats.t, dict(df=[[0.8, 3.0]], loc=1.0), [[True, False]], [[False, False]]),
    "skewed": (stats.skewcauchy, dict(a=[[0.5, 0.1]]), [[True, True]], [[False, False]]),
    "pareto": (stats.pareto, dict(b=[[0.8, 1.5]]), [[False, False]], [[True, False]]),
    "one-sided": (stats.levy_l, dict(scale=[[1.0, 2.0]]), [[False, False]], [[True, True]]),
    "zipf": (stats.zipf, dict(a=[[1.5, 2.5]]), [[False, False]], [[True, False]]),
    "yule": (stats.yulesimon, dict(alpha=[[0.8, 1.5]]), [[False, False]], [[True, False]]),
}


@pytest.mark.parametrize("name", [slow_case(name) if name in ("student", "pareto") else name for name in HEAVY])
@pytest.mark.filterwarnings("error")
def test_what_has_no_mean(name):
    family, parameters, undefined, infinite = HEAVY[name]
    dist = d.FromScipy(family, **parameters)
    np.testing.assert_array_equal(dist.mean()[undefined], dist.icdf(0.5)[undefined])
    np.testing.assert_array_equal(np.isinf(dist.mean()), infinite)
    np.testing.assert_array_equal(dist.has_mean(), ~(np.array(undefined) | infinite))
    assert not np.isnan(dist.variance()).any() and np.isinf(dist.variance()[:, 0]).all()
    both = PredictiveDistribution(np.array([[0.5, 0.5]]), dist)
    assert not np.isnan(both.mean()).any() and np.isposinf(both.variance()).all()
    assert np.isfinite(both.median()).all() and not both.to_frame().isna().any(axis=None)
    with pytest.raises(ValueError, match="an expert has no mean"):
        both.crps(2.0)
    if dist.has_mean()[0, 1]:  # the other is in nobody's way
        second = PredictiveDistribution(np.array([[0.0, 1.0]]), dist)
        assert np.isfinite(second.mean()).all() and np.isfinite(second.crps(2.0)).all()


def test_impossible_parameters_are_told():
    dist = d.FromScipy(stats.gamma, a=[[-1.0]])
    assert np.isnan(dist.mean()).all() and np.isnan(dist.variance()).all()


def test_densities_next_to_poles():
    """Where the density of scipy raises OverflowError, and its logarithm does not."""
    dist = d.FromScipy(stats.beta, a=[[0.3, 2.0]], b=[[0.3, 0.5]])
    both = PredictiveDistribution(np.array([[0.5, 0.5]]), dist)
    (region,) = both.interval(0.9, method="highest_density")
    np.testing.assert_allclose(np.diff(both.cdf(region.reshape(1, -1)).reshape(-1, 2)).sum(), 0.9, atol=1e-9)
    y = np.array([[1e-310]])
    np.testing.assert_allclose(dist.pdf(y), np.exp(stats.beta.logpdf(y, [[0.3, 2.0]], [[0.3, 0.5]])))


def test_failures_of_scipy_are_told():
    class Failing(type(stats.norm)):
        def _cdf(self, x):
            raise OverflowError("too large")

    with pytest.raises(ValueError, match="scipy.stats.failing.cdf fails at these parameters: too large"):
        d.FromScipy(Failing(name="failing"), loc=[[0.0]]).cdf(np.zeros((1, 1)))


@pytest.mark.parametrize("a", representative([1.5, 2.1, 4.0, 2.5], every=2))
def test_zipf_by_sums(a):
    dist = d.FromScipy(stats.zipf, a=[[a]], loc=2)
    one = PredictiveDistribution(np.ones((1, 1)), dist)
    k = np.arange(1.0, 20_000.0)
    mass = stats.zipf.pmf(k, a)
    F = np.cumsum(mass)
    np.testing.assert_allclose(one.cdf(2.0 + k[None])[0], F, rtol=1e-11)
    np.testing.assert_allclose(one.ccdf(2.0 + k[None, :50])[0], 1 - F[:50], rtol=1e-8)
    for q in (0.3, 0.5, 0.9, 0.99):
        assert one.icdf(q)[0] == 2 + k[(F >= q).argmax()] == dist.icdf(q)[0, 0] == dist.isf(1 - q)[0, 0]
    assert one.mode()[0] == 3 and one.interval(0.9, "highest_density")[0].tolist() == [[3, one.icdf(0.9)[0]]]
    assert one.logpmf(1e17)[0] < 0 and one.cdf(1e17)[0] <= 1 and one.ccdf(1e17)[0] > 0
    if a > 2:  # what is left of a sum of squares is like a power
        for y in (4.0, 500.0, 1e6):
            more = 20_000.0 < y - 2
            below = np.where(k < y - 2, F**2, (1 - F) ** 2).sum()
            if not more:
                rest = (1 - F[-1]) ** 2 * k[-1] / (2 * a - 3)
                np.testing.assert_allclose(one.crps(y), below + rest, rtol=1e-5)
            else:  # a mean absolute distance, and half a mean difference
                half = (F * (1 - F)).sum() + (1 - F[-1]) * k[-1] / (a - 2)
                np.testing.assert_allclose(one.crps(y), y - dist.mean()[0, 0] - half, rtol=1e-5)


def test_sums_of_scipy(monkeypatch):
    """Of counts of which scipy knows only the probabilities."""
    monkeypatch.setattr(scipy, "TERMS", 1 << 16)
    light = PredictiveDistribution(np.full((1, 2), 0.5), d.FromScipy(stats.logser, p=[[0.9, 0.5]]))
    assert light.cdf(1e17)[0] == 1 and light.ccdf(1e17)[0] == 0 and np.isfinite(light.crps(2.0)).all()
    k = np.arange(1.0, 400.0)
    F = 0.5 * (stats.logser.cdf(k, 0.9) + stats.logser.cdf(k, 0.5))
    np.testing.assert_allclose(light.crps(2.0)[0], ((F - (k >= 2)) ** 2).sum(), rtol=1e-10)
    heavy = d.FromScipy(stats.betanbinom, n=[[3.0]], a=[[0.8]], b=[[1.0]])
    one = PredictiveDistribution(np.ones((1, 1)), heavy)
    assert one.median()[0] == stats.betanbinom.ppf(0.5, 3, 0.8, 1) and one.mode()[0] == 0
    assert one.interval(0.9)[0, 1] == stats.betanbinom.ppf(0.95, 3, 0.8, 1)
    for ask in (lambda: one.cdf(1e17), lambda: one.icdf(1 - 1e-9), lambda: heavy.isf(1e-13)):
        with pytest.raises(ValueError, match="betanbinom has no distribution function of its own"):
            ask()


def test_beside_other_kinds():
    """A mixture with a normal expert and a point mass, which takes its point from the densities."""
    components = d.join(
        [
            (d.FromScipy(stats.lognorm, s=SCALE[:, :1], scale=np.exp(CENTER[:, :1])), [0]),
            (d.Normal(CENTER[:, 1:2], SCALE[:, 1:2]), [1]),
            (d.PointMass(np.zeros((1, 1)), n_rows=N), [2]),
        ],
        atoms=[0.0],
    )
    dist = PredictiveDistribution(WEIGHTS, components)
    np.testing.assert_allclose(dist.pdf(0.0), WEIGHTS[:, 2])
    y = dist.icdf([0.05, 0.99])
    assert np.isfinite(y).all() and np.isfinite(dist.crps(1.0)).all() and len(dist.interval(0.9)) == N
