"""Laws: their parts agree with each other, and every family says the law of its likelihood."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import integrate, stats
from test_family_contract import DESIGN, EXPERTS, fit_once, identify, make_resp, make_rows

from hme import distributions as d
from hme.distributions import hyperbolic
from hme.experts import (
    BackgroundExpert,
    BinomialExpert,
    ConstantExpert,
    EstimatorExpert,
    GammaExpert,
    LinearExpert,
    LogisticExpert,
    MixedExpert,
    PointMassExpert,
    PoissonExpert,
    TreeExpert,
)

SCALES = np.array([[1e-3, 1.0, 40.0]])
CENTERS = np.array([[0.3, -2.0, 5.0], [1e3, 0.0, -1.0]])
DENSITIES = {
    "normal": d.Normal(CENTERS, SCALES),
    "student": d.Student(np.array([[1.3, 4.0, 200.0]]), CENTERS, SCALES),
    "heavy student": d.Student(np.array([[2.5, 3.0, 1e6]]), CENTERS, SCALES),
    "hyperbolic": d.Hyperbolic(CENTERS, SCALES, np.array([[1e-4, 1e-4, 1e-4]])),
    "round hyperbolic": d.Hyperbolic(CENTERS, SCALES, np.array([[1e-3, 5.0, 4000.0]])),
    "uniform": d.Uniform(CENTERS, SCALES),
    "gamma": d.Gamma(np.array([[0.02, 3.0, 1e4]]), np.array([[0.3, 1.0, 1e-4]])),
    "skewed gamma": d.Gamma(np.array([[0.02, 3.0, 1e4]]), np.array([[2.0, 1.5, 4.0]])),
    "inverse gaussian": d.InverseGaussian(np.array([[0.02, 3.0, 1e3]]), np.array([[0.5, 2.0, 1e-5]])),
    "skewed inverse gaussian": d.InverseGaussian(np.array([[0.5, 3.0, 50.0]]), np.array([[20.0, 3.0, 0.3]])),
}
COUNTS = {
    "poisson": d.Poisson(np.array([[0.02, 3.3, 400.5]])),
    "negative binomial": d.NegativeBinomial(np.array([[0.2, 3.3, 40.0]]), np.array([[2.0, 0.5, 1e-7]])),
    "truncated poisson": d.TruncatedPoisson(np.array([[1e-9, 3.3, 400.5]])),
    "truncated negative binomial": d.TruncatedNegativeBinomial(
        np.array([[0.01, 3.3, 40.0]]), np.array([[2.0, 0.5, 1e-3]])
    ),
    "binomial": d.Binomial(np.array([[1.0, 7.0, 300.0]]), np.array([[-3.0, 0.4, 2.0]])),
}
Q = np.array([1e-9, 1e-3, 0.1, 0.3, 0.5, 0.77, 0.99])


def alone(law):
    """Every law of the first row on its own, (1, 1)."""
    return [law.take([0]).columns([k]) for k in range(law.shape[1])]


def at(law, name, y):
    return float(getattr(law, name)(np.array([[y]]))[0, 0])


def quantile(law, q):
    return float(law.icdf(q)[0, 0])


def quadrature(law, function):
    """Integral over the support, piece by piece."""
    points = np.unique(np.append(law.pieces()[0, 0], quantile(law, 0.5)))
    low, high = (float(end[0, 0]) for end in law.support())
    points = np.concatenate([[low], points[(points > low) & (points < high)], [high]])
    if low == 0.0 and np.isinf(at(law, "pdf", 0.0)):  # a pole, and next to nothing below the first piece
        logs = np.log(points[1:-1])
        return pieced(lambda v: np.exp(v) * function(np.exp(v)), logs) + pieced(function, points[-2:])
    return pieced(function, points)


def pieced(function, points):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", integrate.IntegrationWarning)  # of rounding, where next to nothing is left
        parts = [
            integrate.quad(function, a, b, epsabs=1e-300, epsrel=1e-11, limit=200)[0]
            for a, b in zip(points, points[1:], strict=False)
        ]
    return sum(parts)


@pytest.mark.parametrize("name", DENSITIES)
def test_densities(name):
    for law in alone(DENSITIES[name]):
        assert quadrature(law, lambda y, law=law: at(law, "pdf", y)) == pytest.approx(1.0, abs=1e-9)
        mean, variance = float(law.mean()[0, 0]), float(law.variance()[0, 0])
        spread = quantile(law, 0.75) - quantile(law, 0.25)
        for y in [quantile(law, q) for q in Q]:
            lower, upper = at(law, "cdf", y), at(law, "sf", y)
            assert lower + upper == pytest.approx(1.0, abs=1e-14)
            np.testing.assert_allclose(np.exp(at(law, "logcdf", y)), lower, rtol=1e-12)
            np.testing.assert_allclose(np.exp(at(law, "logsf", y)), upper, rtol=1e-12)
            np.testing.assert_allclose(np.exp(at(law, "logpdf", y)), at(law, "pdf", y), rtol=1e-12)
            # E max(Y - y, 0) - E max(y - Y, 0) = E Y - y
            excess, shortfall = at(law, "excess", y), at(law, "shortfall", y)
            np.testing.assert_allclose(excess - shortfall, mean - y, atol=1e-12 * (abs(mean) + abs(y) + excess))
        if np.isfinite(variance) and name not in ("student", "heavy student"):
            first = quadrature(law, lambda y, law=law: y * at(law, "pdf", y))
            second = quadrature(law, lambda y, law=law, mean=mean: (y - mean) ** 2 * at(law, "pdf", y))
            np.testing.assert_allclose(first, mean, rtol=1e-8, atol=1e-8 * spread)
            np.testing.assert_allclose(second, variance, rtol=1e-8)


@pytest.mark.parametrize("name", DENSITIES)
def test_quantiles_of_densities(name):
    law = DENSITIES[name]
    for q in Q:
        # One digit of y in the last place is more than that where a scale is small and its center is not.
        rounding = np.spacing(np.abs(law.icdf(q))) * law.pdf(law.icdf(q))
        assert (np.abs(law.cdf(law.icdf(q)) - q) <= 1e-12 * q + 2 * rounding).all()
        rounding = np.spacing(np.abs(law.isf(q))) * law.pdf(law.isf(q))
        assert (np.abs(law.sf(law.isf(q)) - q) <= 1e-12 * q + 2 * rounding).all()


@pytest.mark.parametrize("name", DENSITIES)
def test_excess_is_the_integral_of_the_tail(name):
    if "student" in name:  # by quadrature of a power law it is not known to enough digits; see the next test
        return
    for law in alone(DENSITIES[name]):
        for q in (0.1, 0.5, 0.9):
            y = quantile(law, q)
            points = np.unique(np.append(law.pieces()[0, 0], y))
            points = points[points >= y]
            tail = pieced(lambda v, law=law: at(law, "sf", v), points)
            np.testing.assert_allclose(at(law, "excess", y), tail, rtol=1e-8)


def test_excess_of_student():
    # d/dy of the excess is minus the tail: central differences; and it vanishes far away.
    law = d.Student(np.array([[1.3, 4.0, 200.0]]), np.zeros((1, 3)), np.ones((1, 3)))
    for y in (-3.0, -0.2, 0.0, 1.0, 5.0):
        h = 1e-4
        slope = (law.excess(np.array([[y + h]])) - law.excess(np.array([[y - h]]))) / (2 * h)
        np.testing.assert_allclose(slope, -law.sf(np.array([[y]])), rtol=1e-7)
    assert (law.excess(np.array([[1e12]])) < 1e-2).all()


@pytest.mark.parametrize("name", DENSITIES)
def test_half_difference(name):
    for law in alone(DENSITIES[name]):
        closed = law.half_difference()
        if closed is None or name in ("student", "heavy student"):
            continue
        integral = quadrature(law, lambda y, law=law: at(law, "cdf", y) * at(law, "sf", y))
        np.testing.assert_allclose(closed[0, 0], integral, rtol=1e-8)


def test_half_difference_of_student():
    for df in (1.5, 3.0, 10.0):
        law = d.Student(np.array([[df]]), np.zeros((1, 1)), np.array([[2.0]]))

        # y = 2 tan(v): the integrand is bounded
        def integrand(v, law=law):
            y = 2.0 * np.tan(v)
            return at(law, "cdf", y) * at(law, "sf", y) * 2.0 / np.cos(v) ** 2

        half = integrate.quad(integrand, 0.0, np.pi / 2, epsabs=0, epsrel=1e-10, limit=500)[0]
        np.testing.assert_allclose(law.half_difference()[0, 0], 2.0 * half, rtol=1e-7)


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name):
    law = COUNTS[name]
    k = np.arange(0.0, 3000.0)[:, None, None]
    mass = np.stack([law.pdf(v) for v in k])[:, 0]
    np.testing.assert_allclose(mass.sum(axis=0), 1.0, rtol=1e-11)
    np.testing.assert_allclose((k[:, 0] * mass).sum(axis=0), law.mean()[0], rtol=1e-10)
    square = ((k[:, 0] - law.mean()) ** 2 * mass).sum(axis=0)
    np.testing.assert_allclose(square, law.variance()[0], rtol=1e-8, atol=1e-15)
    cdf = np.stack([law.cdf(v) for v in k])[:, 0]
    np.testing.assert_allclose(cdf, np.cumsum(mass, axis=0), atol=1e-12)
    np.testing.assert_allclose(np.stack([law.sf(v) for v in k])[:, 0], 1.0 - cdf, atol=1e-14)
    np.testing.assert_array_equal(k[mass.argmax(axis=0), 0, 0], law.mode()[0])
    # between counts, and below them
    np.testing.assert_array_equal(law.cdf(np.array([[3.7]])), law.cdf(np.array([[3.0]])))
    assert (law.cdf(np.array([[-0.5]])) == 0).all() and (law.sf(np.array([[-0.5]])) == 1).all()
    assert np.isneginf(law.logpdf(np.array([[2.5]]))).all() and np.isneginf(law.logpdf(np.array([[-1.0]]))).all()


TWINS = [
    (d.Normal(CENTERS, SCALES), lambda: stats.norm(CENTERS, SCALES)),
    (
        d.Student(np.array([[1.3, 4.0, 90.0]]), CENTERS, SCALES),
        lambda: stats.t(np.array([[1.3, 4.0, 90.0]]), CENTERS, SCALES),
    ),
    (d.Gamma(np.array([[3.0]]), np.array([[0.4]])), lambda: stats.gamma(2.5, scale=1.2)),
    (d.InverseGaussian(np.array([[3.0]]), np.array([[0.4]])), lambda: stats.invgauss(1.2, scale=2.5)),
    (d.Uniform(np.array([[3.0]]), np.array([[4.0]])), lambda: stats.uniform(1.0, 4.0)),
    (d.Poisson(np.array([[3.3]])), lambda: stats.poisson(3.3)),
    (d.NegativeBinomial(np.array([[3.3]]), np.array([[0.4]])), lambda: stats.nbinom(2.5, 2.5 / 5.8)),
    (d.Binomial(np.array([[9.0]]), np.array([[0.4]])), lambda: stats.binom(9, 1 / (1 + np.exp(-0.4)))),
]


@pytest.mark.parametrize("law, make", TWINS, ids=lambda value: type(value).__name__)
def test_scipy_twins(law, make):
    twin = make()
    for y in (1.0, 2.0, 4.0):
        y = np.array([[y]])
        density = twin.logpmf if law.discrete else twin.logpdf
        np.testing.assert_allclose(law.logpdf(y), density(y), rtol=1e-11, atol=1e-12)
        np.testing.assert_allclose(law.cdf(y), twin.cdf(y), rtol=1e-11, atol=1e-290)
        np.testing.assert_allclose(law.sf(y), twin.sf(y), rtol=1e-10, atol=1e-290)
    np.testing.assert_allclose(law.mean(), twin.mean(), rtol=1e-12)
    np.testing.assert_allclose(law.variance(), twin.var(), rtol=1e-12)


@pytest.mark.parametrize("x", [1e-7, 1e-4, 0.03, 0.9, 1.1, 20.0, 5e3])
def test_hyperbolic_tail_by_another_route(x):
    """The tail's integral in r itself, by adaptive quadrature between powers of the distance."""
    from scipy.special import k1e

    scale = max(1.0, np.sqrt(x))
    for z in np.array([0.0, 0.3 * x, 2.0 * x, 3.99 * x, 4.01 * x, 0.01, 0.5, 3.0, 20.0]) * 1.0:
        if z > 60.0 * scale:
            continue
        points = (
            z
            + np.concatenate([[0.0], x * np.array([0.1, 0.3, 1.0, 3.0, 10.0, 100.0]), [0.1, 1.0, 4.0, 16.0, 60.0]])
            * scale
        )
        points = np.unique(points[points <= z + 60.0 * scale])

        def density(r):
            return np.exp(-(r**2) / (np.hypot(r, x) + x)) / (2.0 * x * k1e(x))

        ours = float(hyperbolic.tail(np.array([z]), np.array([x]))[0])
        np.testing.assert_allclose(ours, pieced(density, points), rtol=1e-11)


@pytest.mark.parametrize("name", [*DENSITIES, *COUNTS])
def test_draws(name):
    law = (DENSITIES | COUNTS)[name]
    rng = np.random.default_rng(3)
    n = 4000
    for k in range(law.shape[1]):
        draws = law.draw(rng, np.zeros(n, dtype=int), np.full(n, k))
        one = law.take([0]).columns([k])
        if law.discrete:
            mean, variance = float(one.mean()[0, 0]), float(one.variance()[0, 0])
            assert abs(draws.mean() - mean) <= 4.5 * np.sqrt(variance / n) + 1e-6
            assert (one.pdf(draws[:, None]) > 0).all()
        else:
            assert stats.kstest(draws, lambda v, one=one: one.cdf(v[:, None])[:, 0]).pvalue > 1e-4


@pytest.mark.parametrize("name", [*DENSITIES, *COUNTS])
def test_rows_and_experts(name):
    law = (DENSITIES | COUNTS)[name].take(np.zeros(3, dtype=int))
    y = law.mean()[:, :1] if not law.discrete else np.full((3, 1), 2.0)
    full = law.logpdf(y)
    np.testing.assert_array_equal(law.take([2, 0]).logpdf(y[[2, 0]]), full[[2, 0]])
    np.testing.assert_array_equal(law.columns([2, 0]).logpdf(y), full[:, [2, 0]])
    np.testing.assert_array_equal(law[1].logpdf(y), full[:, [1]])
    picked = law.pick(np.array([0, 2]), np.array([1, 2])).logpdf(y[[0, 2]])
    np.testing.assert_array_equal(picked[:, 0], full[[0, 2], [1, 2]])
    joined = d.join([(law.columns([2]), [2]), (law.columns([0, 1]), [0, 1])])
    assert type(joined) is type(law)
    np.testing.assert_array_equal(joined.logpdf(y), full)
    spread = law.take([0, 1]).spread(np.array([3, 1]), 5)
    np.testing.assert_array_equal(spread.take([3, 1]).logpdf(y[:2]), full[:2])
    assert np.isfinite(spread.mean()).all()
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(law)).logpdf(y), full)


@pytest.mark.parametrize("name", [*DENSITIES, *COUNTS])
def test_extreme_values(name):
    law = (DENSITIES | COUNTS)[name]
    with np.errstate(over="ignore", under="ignore"):
        for y in (-1e300, -1e30, -1.0, 0.0, 1e-300, 1e30, 1e300):
            for method in ("logpdf", "pdf", "cdf", "sf", "logcdf", "logsf"):
                value = getattr(law, method)(np.full((len(law), 1), y))
                assert not np.isnan(value).any(), (method, y)


# -- every family of experts -------------------------------------------------------------------------------------------

FAMILIES = [(family, kind) for family, kind in EXPERTS if "classes" not in kind] + [
    (LinearExpert(covariance="full"), "two outputs"),
    (ConstantExpert(), "two outputs"),
    (BackgroundExpert(), "two outputs"),
    (BackgroundExpert("uniform"), "regression"),
    (TreeExpert(), "regression"),
    (TreeExpert(noise="student", df="estimate"), "two outputs"),
    (TreeExpert(noise="laplace"), "regression"),
    (EstimatorExpert(), "regression"),
    (PointMassExpert(1.0), "counts"),
]


def moments(law):
    mean = law.mean()
    if mean.ndim == 2:
        return mean[:, :, None], law.variance()[:, :, None]
    return mean, np.diagonal(law.covariance(), axis1=2, axis2=3)


@pytest.mark.parametrize("family, kind", FAMILIES, ids=identify)
def test_families_say_what_their_likelihood_is(family, kind):
    rows = make_rows(kind)
    family, params = fit_once(family, rows, make_resp(rows))
    law = family.predict_dist(params, rows._replace(y=None))
    ours, theirs = law.logpdf(rows.y), family.log_prob(params, rows)
    np.testing.assert_array_equal(np.isneginf(ours), np.isneginf(theirs))
    np.testing.assert_allclose(ours[np.isfinite(ours)], theirs[np.isfinite(theirs)], rtol=1e-10, atol=1e-10)
    mean, variance = moments(law)
    np.testing.assert_allclose(mean, family.predict(params, rows), rtol=1e-12)
    np.testing.assert_allclose(variance, family.variance(params, rows), rtol=1e-12)
    assert law.shape == ours.shape
    # of no rows at all, as a sparse gate may ask
    none = family.predict_dist(params, rows._replace(y=None)[np.zeros(0, dtype=int)])
    assert none.shape == (0, ours.shape[1])


def test_classifiers_have_none():
    rows = make_rows("two classes")
    family, params = fit_once(LogisticExpert(), rows, make_resp(rows))
    with pytest.raises(NotImplementedError, match="LogisticExpert has no distribution"):
        family.predict_dist(params, rows)


@pytest.mark.parametrize(
    "experts, kind",
    [
        ([("a", LinearExpert()), ("b", BackgroundExpert("uniform")), ("c", LinearExpert(alpha=3.0))], "regression"),
        ([("a", LinearExpert()), ("b", BackgroundExpert()), ("c", LinearExpert())], "two outputs"),
        ([("a", GammaExpert()), ("zero", PointMassExpert()), ("c", LinearExpert())], "zeros"),
        ([("a", PoissonExpert()), ("zero", PointMassExpert()), ("c", PoissonExpert())], "counts"),
        ([("a", BinomialExpert()), ("b", PointMassExpert(2.0)), ("c", BinomialExpert())], "trials"),
    ],
)
def test_mixed_lists_say_what_their_likelihood_is(experts, kind):
    rows = make_rows("positive" if kind == "zeros" else kind)
    if kind == "zeros":
        rows = rows._replace(y=np.where(np.arange(rows.n_rows)[:, None] % 3 == 0, 0.0, rows.y), offset=None)
    if kind == "trials":
        rows = rows._replace(offset=None)
    family = MixedExpert(experts).bind(rows, DESIGN)
    params = family.init(rows, make_resp(rows))
    law = family.predict_dist(params, rows._replace(y=None))
    ours, theirs = law.logpdf(rows.y), family.log_prob(params, rows)
    np.testing.assert_array_equal(np.isneginf(ours), np.isneginf(theirs))
    finite = np.isfinite(ours)
    np.testing.assert_allclose(ours[finite], theirs[finite], rtol=1e-10, atol=1e-10)
    mean, variance = moments(law)
    np.testing.assert_allclose(mean, family.predict(params, rows), rtol=1e-12)
    np.testing.assert_allclose(variance, family.variance(params, rows), rtol=1e-12)
    swapped = family.take(params, [2, 0])
    np.testing.assert_array_equal(family.predict_dist(swapped, rows).logpdf(rows.y), ours[:, [2, 0]])
    np.testing.assert_array_equal(law.columns([2, 0]).logpdf(rows.y), ours[:, [2, 0]])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(law)).logpdf(rows.y), ours)


def test_multivariate_normal():
    rng = np.random.default_rng(0)
    center, root = rng.normal(size=(5, 2, 3)), rng.normal(size=(1, 2, 3, 3))
    matrix = root @ np.swapaxes(root, 2, 3) + np.eye(3)
    law = d.MultivariateNormal(center, matrix)
    y = rng.normal(size=(5, 3))
    for i in range(5):
        for k in range(2):
            twin = stats.multivariate_normal(center[i, k], matrix[0, k])
            np.testing.assert_allclose(law.logpdf(y)[i, k], twin.logpdf(y[i]), rtol=1e-12)
    draws = law.draw(rng, np.full(40_000, 2), np.ones(40_000, dtype=int))
    np.testing.assert_allclose(draws.mean(axis=0), center[2, 1], atol=0.1)
    np.testing.assert_allclose(np.cov(draws.T), matrix[0, 1], atol=0.25)
    np.testing.assert_allclose(law.marginal(1).variance()[0], matrix[0, :, 1, 1], rtol=1e-15)
