"""Predictive distributions: against quadrature, closed forms, known libraries and the model that they come from."""

import pickle
import warnings

import numpy as np
import pytest
from problems import representative
from scipy import integrate, stats

from hme import HMERegressor
from hme import distributions as d
from hme.datasets import make_inverse_problem
from hme.experts import (
    BackgroundExpert,
    GammaExpert,
    LaplaceExpert,
    LinearExpert,
    NegativeBinomialExpert,
    PointMassExpert,
    PoissonExpert,
    StudentExpert,
)
from hme.gates import TopKGate
from hme.prediction import OutputsDistribution, PredictiveDistribution, predictive_distribution

RNG = np.random.default_rng(5)
CENTER, SCALE = np.array([[-3.0, 0.5, 4.0], [0.0, 0.0, 1.0]]), np.array([[0.3, 2.0, 0.7]])
POSITIVE, DISPERSION = np.array([[0.5, 3.0, 9.0], [2.0, 2.0, 0.1]]), np.array([[0.2, 1.4, 0.05]])
WEIGHTS = np.array([[0.3, 0.5, 0.2], [0.6, 0.0, 0.4]])
ROUND = np.full((1, 3), 1e-3)
FIRST, SECOND = [0, 2], [1]


def mixed(a, b, atoms=()):
    """Experts 0 and 2 of one distribution, expert 1 of another."""
    return d.join([(a.columns(FIRST), FIRST), (b.columns(SECOND), SECOND)], atoms)


NORMAL, STUDENT = d.Normal(CENTER, SCALE), d.Student(np.array([[2.5, 4.0, 30.0]]), CENTER, SCALE)
HYPERBOLIC, UNIFORM = d.Hyperbolic(CENTER, SCALE, ROUND), d.Uniform(CENTER, 5.0 * SCALE)
GAMMA, INVERSE = d.Gamma(POSITIVE, DISPERSION), d.InverseGaussian(POSITIVE, DISPERSION)
POISSON, NEGATIVE = d.Poisson(POSITIVE), d.NegativeBinomial(POSITIVE, DISPERSION)
DENSITIES = {
    "normal": NORMAL,
    "student": STUDENT,
    "laplace": HYPERBOLIC,
    "uniform": UNIFORM,
    "gamma": GAMMA,
    "inverse gaussian": INVERSE,
    "scales apart": d.Normal(CENTER, np.array([[1e-7, 1.0, 1e6]])),
    "normal and student": mixed(NORMAL, STUDENT),
    "normal and uniform": mixed(NORMAL, UNIFORM),
    "laplace and normal": mixed(HYPERBOLIC, NORMAL),
    "uniform and student": mixed(UNIFORM, STUDENT),
    "gamma and normal": mixed(GAMMA, NORMAL),
    "gamma and inverse gaussian": mixed(GAMMA, INVERSE),
}
COUNTS = {
    "poisson": POISSON,
    "negative binomial": NEGATIVE,
    "truncated poisson": d.TruncatedPoisson(POSITIVE),
    "truncated negative binomial": d.TruncatedNegativeBinomial(POSITIVE, DISPERSION),
    "binomial": d.Binomial(np.full((1, 3), 9.0), CENTER),
    "poisson and negative binomial": mixed(POISSON, NEGATIVE),
    "zero-inflated": mixed(POISSON, d.PointMass(np.zeros((1, 3)), n_rows=2), [0.0]),
    "with a point between": mixed(POISSON, d.PointMass(np.full((1, 3), 2.5), n_rows=2), [2.5]),
    "with a point below": mixed(POISSON, d.PointMass(np.full((1, 3), -1.5), n_rows=2), [-1.5]),
    "points alone": d.PointMass(np.array([[0.5, 7.0, -2.0]]), n_rows=2),
}
ATOMS = {
    "hurdle": mixed(GAMMA, d.PointMass(np.zeros((1, 3)), n_rows=2), [0.0]),
    "atom inside": mixed(NORMAL, d.PointMass(np.full((1, 3), 0.7), n_rows=2), [0.7]),
}
Q = np.array([1e-6, 0.01, 0.2, 0.5, 0.66, 0.9, 0.999])


def dist(components, weights=WEIGHTS):
    return PredictiveDistribution(weights, components)


def pieced(function, points):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", integrate.IntegrationWarning)  # of rounding, where next to nothing is left
        return sum(
            integrate.quad(function, a, b, epsabs=1e-300, epsrel=1e-11, limit=200)[0]
            for a, b in zip(points, points[1:], strict=False)
        )


def points_of(one, *more):
    """Where the quadrature of one row is cut: closer than the code's own knots, and by quantiles."""
    quantiles = one.icdf(np.concatenate([10.0 ** np.arange(-12, 0), np.linspace(0.15, 0.85, 15)]))[0]
    upper = one.iccdf(10.0 ** np.arange(-12, 0))[0]
    near = []
    if one.components.measure == "density":
        used = one.weights[0] > 0
        cuts = (1e-14, 1e-9, 1e-6, 1e-3, 0.1, 0.3, 0.49)
        near = [at(q)[0][used] for at in (one.components.icdf, one.components.isf) for q in (*cuts, 0.5)]
        near += [end[0][used & np.isfinite(end[0])] for end in one.components.support()]
        near = np.concatenate([*near, *(one.components.mode()[:, used] + s for s in (-1e-3, 0.0, 1e-3))], axis=None)
    ends = [float(end[0]) for end in one.support() if np.isfinite(end[0])]
    points = np.unique(np.concatenate([quantiles, upper, near, ends, np.ravel(more)]))
    low, high = (float(end[0]) for end in one.support())
    return points[(points >= low) & (points <= high)]


# -- densities ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", representative(DENSITIES, every=7))
def test_densities_are_distributions(name):
    both = dist(DENSITIES[name])
    for one in both:
        points = points_of(one)

        def pdf(y, one=one):
            return one.pdf(y)[0]

        assert pieced(pdf, points) == pytest.approx(1.0, abs=1e-8 if "student" in name else 1e-9)
        if "student" not in name:  # whose powers of tails the quadrature does not reach
            mean, variance = one.mean()[0], one.variance()[0]
            spread = one.standard_deviation()[0]
            assert pieced(lambda y, pdf=pdf: y * pdf(y), points) == pytest.approx(mean, rel=1e-8, abs=1e-8 * spread)
            assert pieced(lambda y, mean=mean, pdf=pdf: (y - mean) ** 2 * pdf(y), points) == pytest.approx(
                variance, rel=1e-8
            )
        for y in points[::5]:
            assert one.cdf(y)[0] + one.ccdf(y)[0] == pytest.approx(1.0, abs=1e-14)
            np.testing.assert_allclose(np.exp(one.logpdf(y)), one.pdf(y), rtol=1e-12)
            np.testing.assert_allclose(np.exp(one.logcdf(y)), one.cdf(y), rtol=1e-12)
            np.testing.assert_allclose(np.exp(one.logccdf(y)), one.ccdf(y), rtol=1e-12)


@pytest.mark.parametrize("name", DENSITIES)
def test_quantiles_invert(name):
    both = dist(DENSITIES[name])
    y = both.icdf(Q)
    assert y.shape == (2, len(Q))
    rounding = 2.0 * np.spacing(np.abs(y)) * both.pdf(y)
    assert (np.abs(both.cdf(y) - Q) <= 1e-12 * Q + rounding).all()
    upper = both.iccdf(Q)
    rounding = 2.0 * np.spacing(np.abs(upper)) * both.pdf(upper)
    assert (np.abs(both.ccdf(upper) - Q) <= 1e-12 * Q + rounding).all()
    np.testing.assert_array_equal(both.median(), both.icdf(0.5))
    low, high = both.support()
    np.testing.assert_array_equal(both.icdf([0.0, 1.0]), np.stack([low, high], axis=1))
    np.testing.assert_array_equal(both.iccdf([0.0, 1.0]), np.stack([high, low], axis=1))


def test_far_quantiles():
    both = dist(NORMAL)
    for p in (1e-300, 1e-100, 1e-20):
        np.testing.assert_allclose(both.cdf(both.icdf(p)), p, rtol=1e-11)
        np.testing.assert_allclose(both.ccdf(both.iccdf(p)), p, rtol=1e-11)
    heavy = dist(d.Student(np.array([[0.5, 1.0, 3.0]]), CENTER, SCALE))
    for p in (1e-100, 1e-20, 1e-5):
        np.testing.assert_allclose(heavy.cdf(heavy.icdf(p)), p, rtol=1e-11)


def test_quantiles_of_many_mixtures():
    rng = np.random.default_rng(0)
    n, K = 400, 6
    components = d.Normal(rng.normal(0, 10, (n, K)), np.exp(rng.normal(0, 4, (n, K))))
    weights = rng.dirichlet(np.full(K, 0.2), n)
    weights[rng.uniform(size=(n, K)) < 0.2] = 0.0
    weights /= np.where(weights.sum(axis=1, keepdims=True) > 0, weights.sum(axis=1, keepdims=True), 1.0)
    weights[weights.sum(axis=1) == 0, 0] = 1.0
    many = dist(components, weights)
    q = np.array([1e-10, 1e-3, 0.25, 0.5, 0.9, 1 - 1e-9])
    y = many.icdf(q)
    rounding = 4.0 * np.spacing(np.abs(y)) * many.pdf(y)
    # Between peaks far from each other F is flat, and every y there is a quantile.
    assert (np.abs(many.cdf(y) - q) <= 1e-12 + rounding).all()


def test_shapes_of_y_and_q():
    both = dist(NORMAL)
    grid = np.linspace(-4, 4, 7)
    by_grid = both.cdf(grid[None])
    assert by_grid.shape == (2, 7)
    for j, y in enumerate(grid):
        np.testing.assert_allclose(both.cdf(y), by_grid[:, j], rtol=1e-14)
        np.testing.assert_allclose(both.cdf([y, y]), by_grid[:, j], rtol=1e-14)
    np.testing.assert_allclose(both.pdf(np.tile(grid, (2, 1))), both.pdf(grid[None]), rtol=1e-14)
    assert both.icdf(0.3).shape == (2,) and both.icdf([0.3]).shape == (2, 1) and both.icdf([]).shape == (2, 0)
    np.testing.assert_array_equal(both.icdf([[0.3], [0.6]])[:, 0], [both.icdf(0.3)[0], both.icdf(0.6)[1]])
    np.testing.assert_array_equal(both.cdf([-np.inf, np.inf]), [0.0, 1.0])
    np.testing.assert_array_equal(both.logpdf(np.inf), [-np.inf, -np.inf])
    for y, error in ((np.zeros(3), "shape"), (np.nan, "nan"), (np.zeros((2, 2, 2)), "shape")):
        with pytest.raises(ValueError, match=f"y .*{error}"):
            both.cdf(y)
    for q in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="q must be between 0 and 1"):
            both.icdf(q)


# -- counts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_distributions(name):
    both = dist(COUNTS[name])
    y = np.unique(np.concatenate([np.arange(0.0, 400.0), COUNTS[name].atoms]))
    mass = both.pmf(y[None])
    np.testing.assert_allclose(mass.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(mass @ y, both.mean(), rtol=1e-11)
    square = (mass * (y - both.mean()[:, None]) ** 2).sum(axis=1)
    np.testing.assert_allclose(square, both.variance(), rtol=1e-9)
    np.testing.assert_allclose(both.cdf(y[None]), np.cumsum(mass, axis=1), atol=1e-12)
    np.testing.assert_allclose(both.ccdf(y[None]), 1.0 - both.cdf(y[None]), atol=1e-14)
    np.testing.assert_array_equal(both.mode(), y[mass.argmax(axis=1)])
    for q in (1e-4, 0.1, 0.25, 0.5, 0.8, 0.999):  # the smallest y with F(y) >= q
        expected = y[(np.cumsum(mass, axis=1) >= q * (1 - 1e-13)).argmax(axis=1)]
        np.testing.assert_array_equal(both.icdf(q), expected)
        np.testing.assert_array_equal(both.iccdf(1.0 - q), expected)
    for k in y[:6]:  # jumps are where they are
        for i, q in enumerate(both.cdf(k)):
            if both.pmf(k)[i] > 0:
                assert both.icdf(q)[i] == k
    crps = both.crps([2.0, 7.3])
    F = np.cumsum(mass, axis=1)
    for i, at in enumerate([2.0, 7.3]):
        edges = np.union1d(y, [at])
        steps = np.array([F[i][y <= v][-1] if (y <= v).any() else 0.0 for v in edges[:-1]])
        naive = (np.diff(edges) * (steps - (edges[:-1] >= at)) ** 2).sum()
        np.testing.assert_allclose(crps[i], naive, rtol=1e-11)
    np.testing.assert_allclose(both.crps([[2.0, 5.0, -4.0, 1e4]] * 2)[:, 0], both.crps(2.0), rtol=1e-14)


@pytest.mark.parametrize("name", COUNTS)
def test_smallest_sets_of_counts(name):
    both = dist(COUNTS[name])
    y = np.unique(np.concatenate([np.arange(0.0, 400.0), COUNTS[name].atoms]))
    mass = both.pmf(y[None])
    for coverage in (0.3, 0.8, 0.99):
        for i, region in enumerate(both.interval(coverage, method="highest_density")):
            inside = ((y[:, None] >= region[:, 0]) & (y[:, None] <= region[:, 1])).any(axis=1)
            assert mass[i][inside].sum() >= coverage - 1e-13
            kept = mass[i][inside & (mass[i] > 0)]
            assert kept.sum() - kept.min() < coverage  # no count is there in vain
            assert mass[i][~inside].max() <= kept.min() * (1 + 1e-12)


def test_large_counts():
    components = d.Poisson(np.array([[1e5, 1e12]]))
    one = dist(components, np.array([[0.5, 0.5]]))
    assert one.icdf(0.25)[0] == stats.poisson(1e5).ppf(0.5)
    assert abs(one.icdf(0.75)[0] / 1e12 - 1) < 1e-6


# -- atoms beside densities --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", representative(ATOMS, every=2))
def test_atoms_beside_densities(name):
    components = ATOMS[name]
    both, atom = dist(components), float(components.atoms[0])
    for i, one in enumerate(both):
        share = WEIGHTS[i, 1]
        assert one.pdf(atom)[0] == pytest.approx(share, abs=1e-15)
        jump = one.cdf(atom)[0] - one.cdf(np.nextafter(atom, -np.inf))[0]
        assert jump == pytest.approx(share, abs=1e-12)
        points = points_of(one, atom)
        # but for the atom, where the density is not
        assert pieced(lambda y, one=one: one.pdf(y)[0] if y != atom else 0.0, points) == pytest.approx(
            1 - share, abs=1e-9
        )
        at = one.cdf(atom)[0]
        for q in (at - 0.4 * share, at):
            if share:
                assert one.icdf(q)[0] == atom
        for q in (0.9, 0.99, at + 0.5 * (1 - at)):
            if q > at:
                np.testing.assert_allclose(one.cdf(one.icdf(q)), q, rtol=1e-12)
        for y in (atom, atom + 0.3, atom - 1.0, 6.0):
            np.testing.assert_allclose(one.crps(y)[0], crps_by_quadrature(one, y, atom), rtol=1e-8)
        with pytest.raises(TypeError, match="mode makes no sense"):
            one.mode()
        region = one.interval(0.9, method="highest_density")[0]
        length = np.diff(region, axis=1)[:, 0]
        covered = probability_of(one, region, components.atoms)
        assert covered == pytest.approx(0.9, abs=1e-8) and (length >= 0).all()


def probability_of(one, region, atoms=()):
    """Of closed intervals."""
    total = np.diff(one.cdf(region.reshape(1, -1)).reshape(-1, 2), axis=1).sum()
    return total + sum(one.pdf(a)[0] for a in atoms if (region[:, 0] == a).any())


def crps_by_quadrature(one, y, *more):
    points = points_of(one, y, *more)
    points = np.unique(np.append(points, y))
    below, above = points[points <= y], points[points >= y]
    return pieced(lambda v: one.cdf(v)[0] ** 2, below) + pieced(lambda v: one.ccdf(v)[0] ** 2, above)


# -- CRPS --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", representative(DENSITIES, every=13))
def test_crps_by_quadrature(name):
    for one in dist(DENSITIES[name]):
        for q in (0.001, 0.4, 0.9):
            y = one.icdf(q)[0]
            np.testing.assert_allclose(
                one.crps(y)[0], crps_by_quadrature(one, y), rtol=2e-8 if "student" in name else 1e-9
            )


@pytest.mark.parametrize("name", [name for name in DENSITIES if name not in ("normal", "scales apart")])
def test_gauss_rules_are_fine_enough(name, monkeypatch):
    """Against rules of three times as many points."""
    import hme.prediction.ranked as room

    both = dist(DENSITIES[name])
    half = both._mean_difference_integral()
    monkeypatch.setattr(room, "GAUSS", np.polynomial.legendre.leggauss(24)[0])
    monkeypatch.setattr(room, "GAUSS_WEIGHTS", np.polynomial.legendre.leggauss(24)[1])
    np.testing.assert_allclose(half, both._mean_difference_integral(), rtol=1e-9)


@pytest.mark.slow
def test_panels_are_short_enough(monkeypatch):
    """Of experts whose places and scales have little in common, against rules between all of their knots."""
    import hme.prediction.ranked as room

    rng = np.random.default_rng(0)
    n, K = 30, 5
    weights = rng.dirichlet(np.full(K, 0.5), n)
    center, scale = rng.normal(0, 10, (n, K)), np.exp(rng.normal(0, 3, (n, K)))
    mean, dispersion = np.exp(rng.normal(0, 2, (n, K))), np.exp(rng.normal(-1, 2, (n, K)))
    kinds = [
        d.Normal(center, scale),
        d.Student(np.exp(rng.uniform(0.1, 5, (n, K))), center, scale),
        d.Hyperbolic(center, scale, 1e-3 * scale),
        d.Uniform(center, scale),
        d.Gamma(mean, dispersion),
        d.InverseGaussian(mean, dispersion),
    ]
    short = [dist(components, weights)._mean_difference_integral() for components in kinds]
    monkeypatch.setattr(room, "GAUSS", np.polynomial.legendre.leggauss(24)[0])
    monkeypatch.setattr(room, "GAUSS_WEIGHTS", np.polynomial.legendre.leggauss(24)[1])
    monkeypatch.setattr(PredictiveDistribution, "_panels", PredictiveDistribution._knots)
    for components, ours in zip(kinds, short, strict=True):
        np.testing.assert_allclose(ours, dist(components, weights)._mean_difference_integral(), rtol=1e-10)
    np.testing.assert_allclose(short[0], dist(kinds[0], weights)._half_difference(), rtol=1e-12)


def test_crps_of_gaussian_mixtures_is_that_of_scoringrules():
    scoring = pytest.importorskip("scoringrules")
    rng = np.random.default_rng(1)
    n, K = 50, 4
    center, scale = rng.normal(0, 3, (n, K)), rng.uniform(0.1, 4, (n, K))
    weights, y = rng.dirichlet(np.ones(K), n), rng.normal(0, 4, n)
    ours = dist(d.Normal(center, scale), weights).crps(y)
    np.testing.assert_allclose(ours, scoring.crps_mixnorm(y, center, scale, weights), rtol=1e-12, atol=1e-12)
    # the general route agrees
    general = dist(d.Normal(center, scale), weights)
    np.testing.assert_allclose(general._mean_difference_integral(), general._half_difference(), rtol=1e-12)


def test_crps_of_single_experts_is_that_of_scoringrules():
    scoring = pytest.importorskip("scoringrules")
    o, y = np.ones((1, 1)), 2.3

    def ours(components, y=y):
        return dist(components, o).crps(y)[0]

    for df in (1.5, 4.0, 80.0):
        components = d.Student(df * o, 0.4 * o, 1.7 * o)
        np.testing.assert_allclose(ours(components), scoring.crps_t(y, df, 0.4, 1.7), rtol=1e-12)
    np.testing.assert_allclose(ours(d.Uniform(1.0 * o, 6.0 * o)), scoring.crps_uniform(y, -2.0, 4.0), rtol=1e-12)
    np.testing.assert_allclose(ours(d.Gamma(3.0 * o, 0.4 * o)), scoring.crps_gamma(y, 2.5, 1 / 1.2), rtol=1e-12)
    np.testing.assert_allclose(ours(d.Normal(1.0 * o, 2.0 * o)), scoring.crps_normal(y, 1.0, 2.0), rtol=1e-12)
    for count in (0.0, 2.0, 11.0):
        np.testing.assert_allclose(ours(d.Poisson(3.3 * o), count), scoring.crps_poisson(count, 3.3), rtol=1e-12)
        components = d.NegativeBinomial(3.3 * o, 0.4 * o)
        np.testing.assert_allclose(ours(components, count), scoring.crps_negbinom(count, 2.5, 2.5 / 5.8), rtol=1e-11)
        components = d.Binomial(9.0 * o, 0.4 * o)
        theirs = scoring.crps_binomial(min(count, 9.0), 9, 1 / (1 + np.exp(-0.4)))
        np.testing.assert_allclose(ours(components, min(count, 9.0)), theirs, rtol=1e-12)
    corner = 1e-6
    laplace = scoring.crps_laplace(y, 0.4, 1.7)
    assert abs(ours(d.Hyperbolic(0.4 * o, 1.7 * o, corner * o)) - laplace) < corner


def test_crps_refuses():
    with pytest.raises(ValueError, match="df <= 1"):
        dist(d.Student(np.array([[1.0, 4.0, 4.0]]), CENTER, SCALE)).crps(0.0)
    # an expert that no row uses is in nobody's way
    weights = np.array([[0.0, 0.5, 0.5]] * 2)
    assert np.isfinite(dist(d.Student(np.array([[1.0, 4.0, 4.0]]), CENTER, SCALE), weights).crps(0.0)).all()
    with pytest.raises(ValueError, match="finite"):
        dist(NORMAL).crps(np.inf)


def test_infinite_variance_is_said():
    both = dist(d.Student(np.array([[1.5, 4.0, 4.0]]), CENTER, SCALE), np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]))
    assert np.isinf(both.variance()[0]) and np.isfinite(both.variance()[1])


# -- intervals and modes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", representative(DENSITIES, every=5))
def test_regions_of_highest_density(name):
    for one in dist(DENSITIES[name]):
        for coverage in (0.3, 0.9):
            region = one.interval(coverage, method="highest_density")[0]
            assert (np.diff(region.ravel()) >= 0).all()
            assert probability_of(one, region) == pytest.approx(coverage, abs=1e-8)
            low, high = one.interval(coverage)[0]
            assert one.cdf(high)[0] - one.cdf(low)[0] == pytest.approx(coverage, abs=1e-10)
            # no region of this probability is smaller
            assert np.diff(region, axis=1).sum() <= (high - low) * (1 + 1e-9)


def test_two_peaks_have_two_intervals():
    one = dist(d.Normal(np.array([[-5.0, 5.0]]), np.array([[1.0, 0.5]])), np.array([[0.5, 0.5]]))
    region = one.interval(0.9, method="highest_density")[0]
    assert region.shape == (2, 2)
    assert probability_of(one, region) == pytest.approx(0.9, abs=1e-9)
    density = one.pdf(region.reshape(1, -1))[0]
    np.testing.assert_allclose(density, density[0], rtol=1e-7)
    assert one.mode()[0] == pytest.approx(5.0, abs=1e-6)
    wide = one.interval(0.99999999, method="highest_density")[0]
    assert probability_of(one, wide) == pytest.approx(0.99999999, abs=1e-9)


@pytest.mark.parametrize(
    "kind", representative(["normal", "student", "uniform", "gamma", "mixed", "with an atom"], every=3)
)
def test_regions_of_mixtures_at_random(kind):
    rng = np.random.default_rng(3)
    n, K = 12, 4
    weights = rng.dirichlet(np.full(K, 0.5), n)
    center, scale = rng.normal(0, 10, (n, K)), np.exp(rng.normal(0, 2, (n, K)))
    mean, dispersion = np.exp(rng.normal(0, 2, (n, K))), np.exp(rng.normal(-1, 1.5, (n, K)))
    components = {
        "normal": d.Normal(center, scale),
        "student": d.Student(np.exp(rng.uniform(-0.5, 5, (n, K))), center, scale),
        "uniform": d.Uniform(center, scale),
        "gamma": d.Gamma(mean, dispersion),  # poles at zero among them
    }
    columns = [(components[name].columns([0]), [k]) for k, name in enumerate(("normal", "uniform", "gamma", "student"))]
    components["mixed"] = d.join(columns)
    components["with an atom"] = d.join([*columns[:3], (d.PointMass(np.zeros((1, 1)), n_rows=n), [3])], [0.0])
    both = dist(components[kind], weights)
    atoms = both.components.atoms
    for coverage in (0.2, 0.9, 0.999):
        tails = both.interval(coverage)
        for i, region in enumerate(both.interval(coverage, method="highest_density")):
            if len(atoms) and weights[i, 3] >= coverage:
                np.testing.assert_array_equal(region, [[0.0, 0.0]])
                continue
            assert probability_of(both[i], region, atoms) == pytest.approx(coverage, abs=1e-9)
            assert np.diff(region, axis=1).sum() <= np.diff(tails[i])[0] * (1 + 1e-7)


@pytest.mark.parametrize("name", DENSITIES)
def test_no_point_is_above_the_mode(name):
    both = dist(DENSITIES[name])
    modes = both.mode()
    for i, one in enumerate(both):
        grid = np.linspace(*one.icdf([0.001, 0.999])[0], 20_001)
        assert one.pdf(grid[None]).max() <= one.pdf(modes[i])[0] * (1 + 1e-9)


def test_intervals_refuse():
    for coverage in (0.0, 1.0, 1.5):
        with pytest.raises(ValueError, match="coverage must be"):
            dist(NORMAL).interval(coverage)
    with pytest.raises(ValueError, match="method must be one of"):
        dist(NORMAL).interval(0.9, method="shortest")


# -- draws -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DENSITIES)
def test_draws(name):
    both = dist(DENSITIES[name])
    draws = both.sample(3000, rng=7)
    assert draws.shape == (2, 3000)
    for one, values in zip(both, draws, strict=True):
        assert stats.kstest(values, lambda v, one=one: one.cdf(v[None])[0]).pvalue > 1e-4


def test_draws_of_counts_and_seeds():
    both = dist(COUNTS["poisson and negative binomial"])
    draws = both.sample(20_000, rng=1)
    error = np.sqrt(both.variance() / 20_000)
    assert (np.abs(draws.mean(axis=1) - both.mean()) < 4.5 * error).all()
    np.testing.assert_array_equal(both.sample(rng=3), both.sample(rng=np.random.default_rng(3)))
    assert both.sample(rng=np.random.RandomState(0)).shape == (2,)
    assert both.sample().shape == (2,)
    with pytest.raises(TypeError, match="rng must be"):
        both.sample(rng="a")


# -- the object --------------------------------------------------------------------------------------------------------


def test_parts_of_the_variance():
    both = dist(NORMAL)
    within, between = both.variance_parts()
    np.testing.assert_allclose(within, WEIGHTS @ SCALE[0] ** 2)
    np.testing.assert_allclose(within + between, both.variance(), rtol=1e-15)
    np.testing.assert_allclose(
        between, (WEIGHTS * CENTER**2).sum(axis=1) - (WEIGHTS * CENTER).sum(axis=1) ** 2, rtol=1e-12
    )


def test_rows_and_pickles():
    both = dist(mixed(NORMAL, STUDENT))
    assert len(both) == 2 and repr(both) == "PredictiveDistribution(2 rows, 3 experts: Normal, Student)"
    np.testing.assert_allclose(both[1].cdf(0.3), both.cdf(0.3)[1:], rtol=1e-15)
    np.testing.assert_allclose(both[-1].cdf(0.3), both.cdf(0.3)[1:], rtol=1e-15)
    np.testing.assert_allclose(both[np.array([False, True])].icdf(0.3), both.icdf(0.3)[1:], rtol=1e-12)
    np.testing.assert_allclose(both[::-1].mean(), both.mean()[::-1], rtol=1e-15)
    assert len(both[:0]) == 0 and both[:0].icdf([0.1, 0.2]).shape == (0, 2)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(both)).cdf(0.3), both.cdf(0.3))
    with pytest.raises(IndexError):
        both[2]


def test_given():
    both = dist(NORMAL)
    known = both.given(2)
    np.testing.assert_array_equal(known.mean(), CENTER[:, 2])
    np.testing.assert_allclose(known.cdf(1.0), stats.norm(CENTER[:, 2], SCALE[0, 2]).cdf(1.0), rtol=1e-14)
    np.testing.assert_array_equal(both.given(np.array([0, 2])).mean(), [CENTER[0, 0], CENTER[1, 2]])
    resp = np.array([[1.0, 1.0, 2.0], [0.0, 3.0, 0.0]])
    np.testing.assert_allclose(both.given(resp).weights, [[0.25, 0.25, 0.5], [0.0, 1.0, 0.0]])
    np.testing.assert_array_equal(both.components[1].mean(), CENTER[:, [1]])
    for expert in (3, "a", np.zeros((2, 3)), np.array([0.5, 0.5]), np.zeros((3, 2))):
        with pytest.raises(ValueError, match="expert"):
            both.given(expert)


def test_measures_are_kept_apart():
    with pytest.raises(TypeError, match="pmf makes no sense here.*Use pdf"):
        dist(NORMAL).pmf(1.0)
    with pytest.raises(TypeError, match="logpdf makes no sense here.*Use logpmf"):
        dist(POISSON).logpdf(1.0)
    np.testing.assert_array_equal(dist(POISSON).log_likelihood(2.0), dist(POISSON).logpmf(2.0))
    np.testing.assert_array_equal(dist(NORMAL).log_likelihood(2.0), dist(NORMAL).logpdf(2.0))
    assert np.isneginf(dist(POISSON).logpmf(1.5)).all()


def test_scipy_view():
    one = dist(NORMAL).to_scipy(0)
    both = dist(NORMAL)
    grid = np.array([-3.0, 0.0, 2.0])
    np.testing.assert_allclose(one.pdf(grid), both.pdf(grid[None])[0])
    np.testing.assert_allclose(one.cdf(grid), both.cdf(grid[None])[0])
    np.testing.assert_allclose(one.ppf([0.1, 0.9]), both.icdf([0.1, 0.9])[0])
    np.testing.assert_allclose([one.mean(), one.std()], [both.mean()[0], both.standard_deviation()[0]])
    assert one.rvs(5, random_state=0).shape == (5,) and one.median() == both.median()[0]
    counts = dist(POISSON).to_scipy(1)
    np.testing.assert_allclose(counts.pmf([0, 3]), dist(POISSON).pmf([[0.0, 3.0]])[1])
    assert counts.ppf(0.5) == dist(POISSON).median()[1]
    np.testing.assert_allclose([counts.mean(), counts.var()], [dist(POISSON).mean()[1], dist(POISSON).variance()[1]])


def test_frame():
    pytest.importorskip("pandas")
    both = PredictiveDistribution(WEIGHTS, NORMAL, index=["a", "b"])
    frame = both.to_frame((0.25, 0.5))
    assert list(frame.columns) == ["mean", "standard deviation", "within experts", "between experts", "q25%", "q50%"]
    assert list(frame.index) == ["a", "b"] and list(both[1:].to_frame().index) == ["b"]
    np.testing.assert_array_equal(frame["q50%"], both.median())
    np.testing.assert_allclose(
        frame["within experts"] ** 2 + frame["between experts"] ** 2, frame["standard deviation"] ** 2
    )


@pytest.mark.parametrize("name", [*DENSITIES, *COUNTS, *ATOMS])
def test_nothing_is_nan_far_away(name):
    both = dist((DENSITIES | COUNTS | ATOMS)[name])
    for y in (-1e300, -1e8, 0.0, 5e-324, 1e8, 1e300, np.inf, -np.inf):
        for method in ("log_likelihood", "cdf", "ccdf", "logcdf", "logccdf"):
            assert not np.isnan(getattr(both, method)(y)).any()
        if abs(y) < 1e9:
            assert np.isfinite(both.crps(y)).all()


# -- models ------------------------------------------------------------------------------------------------------------


def table(kind="numbers", n=200):
    rng = np.random.default_rng(2)
    X = rng.uniform(-2, 2, size=(n, 2))
    mean = np.where(X[:, 0] < 0, 1.0 + X[:, 1], 2.0 - X[:, 0])
    if kind == "counts":
        return X, rng.poisson(np.exp(0.5 * mean)).astype(float)
    if kind == "positive":
        return X, np.exp(mean) * rng.gamma(4.0, 0.25, n)
    if kind == "hurdle":
        return X, np.where(rng.uniform(size=n) < 0.3, 0.0, np.exp(mean) * rng.gamma(4.0, 0.25, n))
    if kind == "outputs":
        noise = rng.normal(size=(n, 2)) @ np.array([[1.0, 0.8], [0.0, 0.3]])
        return X, np.stack([mean, -mean], axis=1) + 0.3 * noise
    return X, mean + 0.3 * rng.normal(size=n)


MODELS = [
    ("numbers", dict(expert="linear")),
    ("numbers", dict(expert=StudentExpert())),
    ("numbers", dict(expert=LaplaceExpert())),
    ("numbers", dict(expert="tree")),
    ("numbers", dict(expert="constant", gate="gaussian")),
    ("positive", dict(expert=GammaExpert())),
    ("counts", dict(expert=PoissonExpert())),
    ("counts", dict(expert=NegativeBinomialExpert())),
    ("numbers", dict(expert=[("a", LinearExpert()), ("b", LinearExpert()), ("rest", BackgroundExpert("uniform"))])),
    ("numbers", dict(expert=[("a", LinearExpert()), ("b", StudentExpert()), ("rest", BackgroundExpert())])),
    ("hurdle", dict(expert=[("a", GammaExpert()), ("zero", PointMassExpert()), ("c", GammaExpert())])),
    ("counts", dict(expert=[("a", PoissonExpert()), ("zero", PointMassExpert()), ("c", PoissonExpert())])),
    ("numbers", dict(expert="linear", gate=TopKGate(k=2))),
    ("counts", dict(expert=PoissonExpert(), gate=TopKGate(k=1))),
    (
        "numbers",
        dict(expert=[("a", LinearExpert()), ("b", StudentExpert()), ("c", LinearExpert())], gate=TopKGate(k=2)),
    ),
]


@pytest.mark.parametrize("kind, settings", representative(MODELS, every=2), ids=str)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_models_and_their_distributions_agree(kind, settings):
    X, y = table(kind)
    model = HMERegressor(n_experts=3, random_state=0, max_iter=60, **settings).fit(X, y)
    ours = predictive_distribution(model.model_, model.params_, model.rows(X))
    np.testing.assert_allclose(ours.weights, model.gate_proba(X), rtol=1e-12, atol=1e-300)
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(ours.mean(), mean, rtol=1e-10)
    np.testing.assert_allclose(ours.standard_deviation(), std, rtol=1e-8)
    np.testing.assert_allclose(ours.log_likelihood(y), model.log_likelihood(X, y), rtol=1e-10, atol=1e-10)
    part = slice(0, 12)
    median = ours[part].median()
    assert np.isfinite(median).all() and np.isfinite(ours[part].crps(y[part])).all()
    assert (ours[part].cdf(median) >= 0.5 - 1e-10).all()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(ours[part])).median(), median)


def test_offsets_and_trials_are_heeded():
    X, y = table("counts")
    exposure = np.where(X[:, 0] > 0, 2.0, 0.5)
    model = HMERegressor(n_experts=2, expert=PoissonExpert(), random_state=0).fit(X, y, offset=np.log(exposure))
    ours = predictive_distribution(model.model_, model.params_, model.rows(X, offset=np.log(exposure)))
    np.testing.assert_allclose(ours.mean(), model.predict(X, offset=np.log(exposure)), rtol=1e-12)
    y = np.minimum(y, 9.0)
    model = HMERegressor(n_experts=2, expert="binomial", random_state=0).fit(X, y, trials=9)
    ours = predictive_distribution(model.model_, model.params_, model.rows(X, trials=20))
    np.testing.assert_allclose(ours.mean(), model.predict(X, trials=20), rtol=1e-12)
    np.testing.assert_array_equal(ours.support()[1], np.full(len(X), 20.0))


def test_sparse_gates_ask_k_experts_a_row():
    X, y = table()
    model = HMERegressor(n_experts=4, gate=TopKGate(k=2), random_state=0).fit(X, y)
    asked = []

    class Watched(LinearExpert):
        def predict_dist(self, params, rows):
            asked.append(rows.n_rows * len(params.coef))
            return super().predict_dist(params, rows)

    model.model_.expert.__class__ = Watched
    ours = predictive_distribution(model.model_, model.params_, model.rows(X))
    assert sum(asked) == 2 * len(X)
    assert ((ours.weights > 0).sum(axis=1) <= 2).all()


@pytest.mark.parametrize("covariance", ["diagonal", "full"])
def test_several_outputs(covariance):
    X, Y = table("outputs")
    model = HMERegressor(n_experts=2, expert=LinearExpert(covariance=covariance), random_state=0).fit(X, Y)
    ours = predictive_distribution(model.model_, model.params_, model.rows(X))
    assert isinstance(ours, OutputsDistribution) and ours.n_outputs == 2
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(ours.mean(), mean, rtol=1e-10)
    np.testing.assert_allclose(ours.standard_deviation(), std, rtol=1e-9)
    np.testing.assert_allclose(ours.logpdf(Y), model.log_likelihood(X, Y), rtol=1e-10, atol=1e-10)
    matrix = ours.covariance()
    np.testing.assert_allclose(np.diagonal(matrix, axis1=1, axis2=2), ours.variance(), rtol=1e-10)
    draws = ours[:2].sample(40_000, rng=0)
    assert draws.shape == (2, 2, 40_000) and ours.sample().shape == (200, 2)
    for i in range(2):
        np.testing.assert_allclose(np.cov(draws[i]), matrix[i], atol=0.05)
    one = ours.marginal(1)
    np.testing.assert_array_equal(ours.median()[:, 1], one.median())
    np.testing.assert_array_equal(ours.cdf(Y)[:, 1], one.cdf(Y[:, 1]))
    np.testing.assert_array_equal(ours.crps(Y)[:, 1], one.crps(Y[:, 1]))
    assert ours.icdf([0.1, 0.9]).shape == (200, 2, 2) and ours.interval(0.8).shape == (200, 2, 2)
    assert len(ours[:3].interval(0.8, method="highest_density")) == 3
    assert repr(ours) == "OutputsDistribution(200 rows, 2 experts: 2 outputs)"
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(ours)).mean(), ours.mean())
    np.testing.assert_allclose(ours.given(1).mean(), model.predict_experts(X)[:, 1], rtol=1e-10)
    with pytest.raises(ValueError, match="y must be finite numbers"):
        ours.logpdf(Y[:, 0])
    # the joint density has the marginal one: integrate the second output out
    y0 = Y[0, 0]
    grid = points_of(ours[0].marginal(1))
    joint = pieced(lambda v: ours[0].pdf(np.array([[y0, v]]))[0], grid)
    assert joint == pytest.approx(ours[0].marginal(0).pdf(y0)[0], rel=1e-8)


def test_outputs_of_mixed_lists_and_sparse_gates():
    X, Y = table("outputs")
    experts = [("a", LinearExpert()), ("b", LinearExpert(covariance="full")), ("rest", BackgroundExpert())]
    for gate in (None, TopKGate(k=2)):
        model = HMERegressor(n_experts=3, expert=experts, gate=gate, random_state=0).fit(X, Y)
        ours = predictive_distribution(model.model_, model.params_, model.rows(X))
        np.testing.assert_allclose(ours.mean(), model.predict(X), rtol=1e-10)
        np.testing.assert_allclose(ours.logpdf(Y), model.log_likelihood(X, Y), rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(
            np.diagonal(ours.covariance(), axis1=1, axis2=2), model.predict(X, return_std=True)[1] ** 2, rtol=1e-9
        )
        assert ours.sample(3).shape == (200, 2, 3) and np.isfinite(ours[:4].crps(Y[:4])).all()


def test_one_output_that_is_not_flat():
    X, y = table()
    model = HMERegressor(n_experts=2, random_state=0).fit(X, y)
    rows = model.rows(X)
    flat, column = (predictive_distribution(model.model_, model.params_, rows, flat=f) for f in (True, False))
    np.testing.assert_array_equal(column.mean()[:, 0], flat.mean())
    np.testing.assert_allclose(column.logpdf(y[:, None]), flat.logpdf(y), rtol=1e-14)
    assert column.icdf([0.1, 0.5]).shape == (200, 1, 2)
    assert column.sample(2).shape == (200, 1, 2)


def test_the_inverse_problem_has_its_three_branches():
    X, t, _ = make_inverse_problem(2000, noise=0.05, random_state=0)
    model = HMERegressor(n_experts=8, random_state=0, n_init=4).fit(X, t)
    one = predictive_distribution(model.model_, model.params_, model.rows([[0.5]]))
    # t + 0.3 sin(2 pi t) = 0.5
    roots = [0.5 - 0.2853, 0.5, 0.5 + 0.2853]
    region = one.interval(0.8, method="highest_density")[0]
    assert len(region) == 3
    for (low, high), root in zip(region, roots, strict=True):
        assert low < root < high
    grid = np.linspace(0, 1, 2001)
    density = one.pdf(grid[None])[0]
    peaks = np.flatnonzero((density[1:-1] > density[:-2]) & (density[1:-1] > density[2:])) + 1
    assert len(peaks) == 3
    np.testing.assert_allclose(grid[peaks], roots, atol=0.05)
    assert one.variance_parts()[1][0] > 10 * one.variance_parts()[0][0]  # it is not known which


def test_a_frames_rows_keep_their_names():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=60)}, index=[f"r{i}" for i in range(60)])
    model = HMERegressor(depth=1).fit(X, X["a"] ** 2)
    assert list(model.predict_dist(X[:3]).to_frame().index) == ["r0", "r1", "r2"]
    assert list(model.predict_dist(X)[[5, 2]].to_frame().index) == ["r5", "r2"]


def test_crps_of_large_counts_is_the_whole_sum():
    from scipy.stats import poisson

    mean, y = 3000.0, np.array([2500.0, 3000.0, 3400.0])
    ours = dist(d.Poisson(np.full((3, 1), mean)), np.ones((3, 1))).crps(y)
    k = np.arange(6000)
    F = poisson.cdf(k, mean)
    whole = [((F - (k >= one)) ** 2).sum() for one in y]
    np.testing.assert_allclose(ours, whole, rtol=1e-11)
