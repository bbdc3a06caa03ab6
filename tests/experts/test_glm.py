"""Generalised linear experts: one expert against statsmodels, scikit-learn and scipy.stats, and their edges."""

import warnings
from itertools import product

import numpy as np
import pytest
from problems import few, representative
from scipy import integrate, optimize, stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import GammaRegressor, PoissonRegressor, TweedieRegressor

from hme import HMERegressor
from hme.experts import (
    BinomialExpert,
    GammaExpert,
    GaussianExpert,
    InverseGaussianExpert,
    NegativeBinomialExpert,
    PoissonExpert,
)
from hme.experts.noise import GLMParams
from hme.model.rows import Rows
from hme.numerics.links import LINKS

sm = pytest.importorskip("statsmodels.api")
discrete_model = pytest.importorskip("statsmodels.discrete.discrete_model")
truncated_model = pytest.importorskip("statsmodels.discrete.truncated_model")

N = 300
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 2)) * [1.0, 3.0] + [0.0, 5.0]
OFFSET = RNG.uniform(-0.5, 0.5, N)
TRIALS = RNG.integers(5, 12, N)
WEIGHT = RNG.integers(1, 4, N)  # whole: statsmodels' freq_weights, and repeated rows where it has none
ETA = 0.3 + X @ [0.5, -0.1]
MEAN = np.exp(ETA + OFFSET)
INVERSE = 1.0 / (2.0 + 0.2 * X[:, 0] + 0.05 * X[:, 1] + 0.2 * OFFSET)
Y = {
    "poisson": RNG.poisson(MEAN),
    "negative binomial": RNG.poisson(3 * MEAN * RNG.gamma(2.0, 0.5, N)),
    "binomial": RNG.binomial(TRIALS, 1 / (1 + np.exp(-ETA - OFFSET))),
    "gamma": RNG.gamma(2.0, MEAN / 2.0),
    "inverse gaussian": RNG.wald(MEAN, 3.0),
    "log": MEAN + 0.3 * RNG.normal(size=N),
    "identity": ETA + OFFSET + 0.3 * RNG.normal(size=N),
    "gamma, inverse": RNG.gamma(20.0, INVERSE / 20.0),
    "inverse gaussian, inverse": RNG.wald(INVERSE, 20.0),
}
# Exact maximum likelihood.
ML = dict(alpha=0.0, dispersion_prior=None, dispersion_floor=1e-8)
LOG, INVERSE_POWER = sm.families.links.Log, sm.families.links.InversePower
GLMS = {
    "poisson": (PoissonExpert(alpha=0.0), sm.families.Poisson()),
    "gamma": (GammaExpert(**ML), sm.families.Gamma(LOG())),
    "inverse gaussian": (InverseGaussianExpert(**ML), sm.families.InverseGaussian(LOG())),
    "log": (GaussianExpert("log", **ML), sm.families.Gaussian(LOG())),
    "identity": (GaussianExpert("identity", **ML), sm.families.Gaussian()),
    "gamma, inverse": (GammaExpert("inverse", **ML), sm.families.Gamma(INVERSE_POWER())),
    "inverse gaussian, inverse": (InverseGaussianExpert("inverse", **ML), sm.families.InverseGaussian(INVERSE_POWER())),
}


def fit(expert, X, y, tol=1e-18, n_experts=1, standardize=True, **arguments):
    """One expert, to the last digit unless a test says otherwise."""
    return HMERegressor(n_experts=n_experts, expert=expert, tol=tol, standardize=standardize).fit(X, y, **arguments)


def coefficients(model):
    return np.append(model.experts_.coef[0], model.experts_.intercept[0])


def with_ones(X):
    return np.column_stack([X, np.ones(len(X))])


# -- maximum likelihood: statsmodels ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", representative(GLMS, every=2))
def test_one_expert_is_statsmodels_glm(name):
    expert, family = GLMS[name]
    y = Y[name]
    offset = 0.2 * OFFSET if name.endswith(", inverse") else OFFSET
    model = fit(expert, X, y, sample_weight=WEIGHT, offset=offset)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an inverse link does not respect the domain of its family
        glm = sm.GLM(y, with_ones(X), family, freq_weights=WEIGHT, offset=offset)
        reference = glm.fit(tol=1e-14, maxiter=300)
    np.testing.assert_allclose(coefficients(model), reference.params, rtol=1e-9, atol=1e-10)
    log_likelihood = WEIGHT @ model.log_likelihood(X, y, offset=offset)
    scale = model.experts_.dispersion[0]
    np.testing.assert_allclose(log_likelihood, glm.loglike(reference.params, scale=scale), rtol=1e-11)
    if name != "poisson":  # the dispersion is the likelihood's maximiser, not Pearson's estimate
        best = optimize.minimize_scalar(
            lambda log: -glm.loglike(reference.params, scale=np.exp(log)), (np.log(scale) - 1, np.log(scale) + 1.1)
        )
        np.testing.assert_allclose(log_likelihood, -best.fun, rtol=1e-11)
        np.testing.assert_allclose(scale, np.exp(best.x), rtol=1e-6)


def test_binomial_is_statsmodels_glm():
    y = Y["binomial"]
    model = fit(BinomialExpert(alpha=0.0), X, y, sample_weight=WEIGHT, offset=OFFSET, trials=TRIALS)
    counts = np.column_stack([y, TRIALS - y])
    glm = sm.GLM(counts, with_ones(X), sm.families.Binomial(), freq_weights=WEIGHT, offset=OFFSET).fit(tol=1e-14)
    np.testing.assert_allclose(coefficients(model), glm.params, rtol=1e-9)
    log_likelihood = WEIGHT @ model.log_likelihood(X, y, offset=OFFSET, trials=TRIALS)
    np.testing.assert_allclose(log_likelihood, glm.llf, rtol=1e-11)


COUNTS = {
    "negative binomial": (NegativeBinomialExpert(alpha=0.0), discrete_model.NegativeBinomialP, {"p": 2}),
    "truncated poisson": (PoissonExpert(alpha=0.0, zero_truncated=True), truncated_model.TruncatedLFPoisson, {}),
    "truncated negative binomial": (
        NegativeBinomialExpert(alpha=0.0, zero_truncated=True),
        truncated_model.TruncatedLFNegativeBinomialP,
        {"p": 2},
    ),
}


@pytest.mark.parametrize("name", few(COUNTS, 2))
def test_one_expert_is_statsmodels_count_model(name):
    expert, Reference, arguments = COUNTS[name]
    kept = Y["negative binomial"] >= expert.zero_truncated
    data, y, offset, weight = X[kept], Y["negative binomial"][kept], OFFSET[kept], WEIGHT[kept]
    model = fit(expert, data, y, sample_weight=weight, offset=offset)
    again = np.repeat(np.arange(len(y)), weight)  # these models have no weights
    reference = Reference(y[again], with_ones(data)[again], offset=offset[again], **arguments)
    ours = coefficients(model)
    if isinstance(expert, NegativeBinomialExpert):
        ours = np.append(ours, model.experts_.dispersion)
    log_likelihood = weight @ model.log_likelihood(data, y, offset=offset)
    np.testing.assert_allclose(log_likelihood, reference.loglike(ours), rtol=1e-9)
    # Its optimiser starts at our point and finds nothing better: what it moves is its own tolerance.
    found = reference.fit(start_params=ours, method="bfgs", gtol=1e-8, maxiter=300, disp=0)
    np.testing.assert_allclose(ours, found.params, rtol=1e-6, atol=1e-7)
    far = reference.fit(start_params=np.append(np.zeros(2), np.ones(len(ours) - 2)), method="bfgs", maxiter=500, disp=0)
    np.testing.assert_allclose(far.llf, reference.loglike(ours), rtol=1e-8)


# -- with a penalty: scikit-learn ------------------------------------------------------------------------------------

PENALISED = {
    "poisson": (PoissonExpert, {}, PoissonRegressor),
    "gamma": (GammaExpert, {"dispersion_prior": None}, GammaRegressor),
    "inverse gaussian": (
        InverseGaussianExpert,
        {"dispersion_prior": None},
        lambda **settings: TweedieRegressor(power=3, link="log", **settings),
    ),
    "log": (
        GaussianExpert,
        {"dispersion_prior": None},
        lambda **settings: TweedieRegressor(power=0, link="log", **settings),
    ),
}


@pytest.mark.parametrize("name", PENALISED)
def test_penalised_expert_is_that_of_sklearn(name):
    family, settings, Reference = PENALISED[name]
    expert = family(alpha=0.3 * WEIGHT.sum(), shrink_to="zero", **settings)
    model = fit(expert, X, Y[name], sample_weight=WEIGHT, standardize=False)
    reference = Reference(alpha=0.3, tol=1e-12, max_iter=10_000).fit(X, Y[name], sample_weight=WEIGHT)
    np.testing.assert_allclose(model.experts_.coef[0], reference.coef_, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(model.predict(X), reference.predict(X), rtol=1e-6)


# -- densities: scipy.stats and sums ---------------------------------------------------------------------------------


def bound(expert, mean, dispersion, trials=None):
    """A family, the parameters and the rows of which every one has the given mean."""
    mean = np.asarray(mean, dtype=float)
    link = expert.response().link
    eta = LINKS[link].eta(mean)
    y = np.maximum(np.round(mean if trials is None else mean * trials), 1.0)
    rows = Rows(eta[:, None], eta[:, None], y[:, None], np.ones(len(mean)), trials=trials)
    family = type(expert)(**expert.get_params())
    family.response_ = family.response()
    family.response_.largest_ = 1e3
    return family, GLMParams(np.ones((1, 1, 1)), np.array([[dispersion]])), rows


MEANS = np.array([0.05, 0.7, 3.0, 20.0])
DENSITIES = {
    "poisson": (PoissonExpert(), lambda m, d: stats.poisson(m)),
    "negative binomial": (NegativeBinomialExpert(), lambda m, d: stats.nbinom(1 / d, 1 / (1 + d * m))),
    "gamma": (GammaExpert(), lambda m, d: stats.gamma(1 / d, scale=m * d)),
    "gamma, inverse": (GammaExpert("inverse"), lambda m, d: stats.gamma(1 / d, scale=m * d)),
    "inverse gaussian": (InverseGaussianExpert(), lambda m, d: stats.invgauss(m * d, scale=1 / d)),
    "log": (GaussianExpert("log"), lambda m, d: stats.norm(m, np.sqrt(d))),
    "identity": (GaussianExpert("identity"), lambda m, d: stats.norm(m, np.sqrt(d))),
}


@pytest.mark.parametrize("dispersion", [0.02, 0.5, 3.0])
@pytest.mark.parametrize("name", DENSITIES)
def test_density_and_moments_are_scipys(name, dispersion):
    expert, distribution = DENSITIES[name]
    family, params, rows = bound(expert, MEANS, dispersion)
    reference = distribution(MEANS, 1.0 if name == "poisson" else dispersion)
    log_density = getattr(reference, "logpmf" if family.traits.measure == "mass" else "logpdf")
    for y in (1.0, 2.0, 7.0, 40.0):
        np.testing.assert_allclose(
            family.log_prob(params, rows._replace(y=np.full((len(MEANS), 1), y)))[:, 0], log_density(y), rtol=1e-9
        )
    np.testing.assert_allclose(family.predict(params, rows)[:, 0, 0], reference.mean(), rtol=1e-12)
    np.testing.assert_allclose(family.variance(params, rows)[:, 0, 0], reference.var(), rtol=1e-10)


def test_binomial_density_and_moments_are_scipys():
    trials = np.array([1.0, 4.0, 9.0])
    mean = np.array([0.02, 0.5, 0.9])
    family, params, rows = bound(BinomialExpert(), mean, 1.0, trials)
    reference = stats.binom(trials, mean)
    for y in (0.0, 1.0):
        log_prob = family.log_prob(params, rows._replace(y=np.full((3, 1), y)))
        np.testing.assert_allclose(log_prob[:, 0], reference.logpmf(y), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(family.predict(params, rows)[:, 0, 0], reference.mean(), rtol=1e-12)
    np.testing.assert_allclose(family.variance(params, rows)[:, 0, 0], reference.var(), rtol=1e-12)


@pytest.mark.parametrize("truncated", [False, True])
@pytest.mark.parametrize("dispersion", [0.01, 0.6])
@pytest.mark.parametrize("family", [PoissonExpert, NegativeBinomialExpert])
def test_mass_sums_to_one_and_gives_the_moments(family, dispersion, truncated):
    for mean in (1e-6, 0.05, 0.7, 8.0):
        expert, params, rows = bound(family(zero_truncated=truncated), [mean], dispersion)
        y = np.arange(int(truncated), 600)
        many = rows[np.zeros(len(y), dtype=int)]._replace(y=y[:, None].astype(float))
        mass = np.exp(expert.log_prob(params, many)[:, 0])
        np.testing.assert_allclose(mass.sum(), 1.0, rtol=1e-9)
        np.testing.assert_allclose(expert.predict(params, rows)[0, 0, 0], mass @ y, rtol=1e-9)
        # The variance of a truncated count is all but zero where the mean is: absolute, to its mean of one.
        variance = mass @ (y - mass @ y) ** 2
        np.testing.assert_allclose(expert.variance(params, rows)[0, 0, 0], variance, rtol=1e-8, atol=1e-9 * truncated)


@pytest.mark.parametrize("family", [GammaExpert, InverseGaussianExpert])
def test_positive_density_integrates_to_one(family):
    expert, params, rows = bound(family(), [1.3], 0.4)

    def density(log_y):
        block = rows._replace(y=np.array([[np.exp(log_y)]]))
        return np.exp(expert.log_prob(params, block)[0, 0] + log_y)

    def moment(power):
        return integrate.quad(lambda t: density(t) * np.exp(power * t), -12.0, 6.0, epsabs=1e-12, limit=200)[0]

    np.testing.assert_allclose([moment(0), moment(1)], [1.0, 1.3], rtol=1e-8)
    np.testing.assert_allclose(moment(2) - 1.3**2, expert.variance(params, rows)[0, 0, 0], rtol=1e-7)


def test_negative_binomial_goes_to_poisson():
    mean = np.array([0.3, 5.0, 200.0])
    family, params, rows = bound(NegativeBinomialExpert(), mean, 1e-7)
    y = np.array([[0.0], [9.0], [180.0]])
    log_prob = family.log_prob(params, rows._replace(y=y))[:, 0]
    y = y[:, 0]  # Taylor's series in the dispersion, of sum_(j < y) log(1 + j d) - (y + 1 / d) log(1 + mean d)
    first = 0.5 * ((y - mean) ** 2 - y)
    second = y * mean**2 / 2 - mean**3 / 3 - (y - 1) * y * (2 * y - 1) / 12
    expected = stats.poisson.logpmf(y, mean) + 1e-7 * first + 1e-14 * second
    np.testing.assert_allclose(log_prob, expected, rtol=1e-11)


# -- derivatives -----------------------------------------------------------------------------------------------------

WORKING = [expert for expert, _ in DENSITIES.values()] + [
    PoissonExpert(zero_truncated=True), NegativeBinomialExpert(zero_truncated=True), BinomialExpert(),
]  # fmt: skip


@pytest.mark.parametrize("expert", WORKING, ids=str)
def test_working_score_is_the_derivative_by_eta(expert):
    binomial = isinstance(expert, BinomialExpert)
    trials = np.full(4, 9.0) if binomial else None
    family, params, rows = bound(expert, np.array([0.1, 0.3, 0.6, 0.9]) if binomial else MEANS, 0.4, trials)
    rows = rows._replace(y=np.array([[1.0], [2.0], [3.0], [7.0]]))
    response, eta = family.response_, rows.X[:, None]

    def log_density(eta):
        return response.log_density(rows.y[:, None], eta, params, rows)

    def working(y):
        work = response.working(y, eta, params, rows)
        unit = response.scale(params)  # score and information are per unit of the dispersion
        return work.score / unit, work.information / unit

    score, information = working(rows.y[:, None])
    step = 1e-6 * np.maximum(np.abs(eta), 0.1)
    numeric = (log_density(eta + step) - log_density(eta - step)) / (2 * step)
    np.testing.assert_allclose(score, numeric, rtol=1e-6, atol=1e-6 * np.abs(numeric).max())
    curvature = -(log_density(eta + 1e-4) - 2 * log_density(eta) + log_density(eta - 1e-4)) / 1e-8
    if not getattr(family, "zero_truncated", False) and "inverse" not in str(expert):  # steps must not overshoot
        assert (information >= curvature - 1e-5 * (1 + np.abs(curvature))).all()
    if family.traits.measure == "mass":  # the information is the variance of the score
        y = np.arange(getattr(family, "zero_truncated", False), 10 if binomial else 600)[:, None, None, None] + 0.0
        mass = np.exp(response.log_density(y, eta, params, rows))
        score, information = working(y)
        variance = (mass * score**2).sum(axis=0)
        if not isinstance(family, NegativeBinomialExpert):
            np.testing.assert_allclose(np.broadcast_to(information, score.shape)[0], variance, rtol=1e-7)
        assert ((mass * information).sum(axis=0) >= variance * (1 - 1e-7)).all()


# -- edges -----------------------------------------------------------------------------------------------------------

ALL = {
    "poisson": PoissonExpert, "negative binomial": NegativeBinomialExpert, "gamma": GammaExpert,
    "inverse gaussian": InverseGaussianExpert, "log": GaussianExpert, "binomial": BinomialExpert,
}  # fmt: skip
DEFAULTS = {name: (family(), {}) for name, family in ALL.items()} | {
    "gamma, inverse": (GammaExpert("inverse"), {}),
    "inverse gaussian, inverse": (InverseGaussianExpert("inverse"), {}),
    "identity": (GaussianExpert("identity"), {}),
    "binomial": (BinomialExpert(n_trials=9), {}),
    "truncated poisson": (PoissonExpert(zero_truncated=True), {}),
    "truncated negative binomial": (NegativeBinomialExpert(zero_truncated=True), {}),
}
EDGES = {
    "huge slopes": lambda x, y: (x * 1e3, y),
    "far away": lambda x, y: (np.where(np.abs(x) > 2, x * 1e3, x), y),
    "tiny slopes": lambda x, y: (x * 1e-8, y),
    "one value": lambda x, y: (x, np.full_like(y, 3.0)),
    "the least": lambda x, y: (x, np.full_like(y, y.min())),
    "the most": lambda x, y: (x, np.full_like(y, 9.0)),
    "one other": lambda x, y: (x, np.where(np.arange(len(y)) == 7, 9.0, y.min())),
    "orders of magnitude": lambda x, y: (x, np.round(np.minimum(y, 9.0) ** 6 + 1.0)),
    "separable": lambda x, y: (x, np.where(x[:, 0] > 0, 9.0, y.min())),
}


def finite(model):
    for value in [*model.experts_, *model.gate_, model.lower_bounds_, model.load_]:
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            assert np.isfinite(value).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(
    "strict, name, edge, n_experts", few(representative(product([False, True], DEFAULTS, EDGES, [1, 2]), every=47), 4)
)
def test_edges_give_no_nan(name, edge, n_experts, strict):
    expert, _ = DEFAULTS[name]
    if strict:
        expert = type(expert)(**expert.get_params()).set_params(
            **{key: value for key, value in ML.items() if key in expert.get_params()}
        )
    rng = np.random.default_rng(3)
    data = rng.normal(size=(60, 2))
    y = rng.poisson(np.exp(0.3 + 0.7 * data[:, 0])).clip(0, 9).astype(float)
    if not expert.possible(Rows(data, data, np.zeros((1, 1)), None, trials=np.ones(1))).all():
        y = y + (1.0 if "truncated" in name else 0.1)
    data, y = EDGES[edge](data, y)
    if name == "binomial":
        y = np.minimum(y, 9.0)
    model = fit(expert, data, y, tol=1e-5, n_experts=n_experts)
    finite(model)
    assert (np.diff(model.lower_bounds_) >= -1e-9 * np.maximum(1, np.abs(model.lower_bounds_[1:]))).all()
    for table in (data, 1e3 * data, -1e6 * data):
        for values in model.predict(table, return_std=True):
            assert not np.isnan(values).any()
            assert (values >= 0).all() or not expert.traits.positive
        assert not np.isnan(model.log_likelihood(table, y)).any()
        assert np.isfinite(model.gate_proba(table)).all()
    assert np.isfinite(model.log_likelihood(data, y)).all()


@pytest.mark.parametrize(
    "expert, least, most",
    few(
        [
            (PoissonExpert, 0.0, 5.0),
            (NegativeBinomialExpert, 0.0, 5.0),
            (lambda **settings: BinomialExpert(n_trials=4, **settings), 0.0, 4.0),
            (lambda **settings: PoissonExpert(zero_truncated=True, **settings), 1.0, 5.0),
        ],
        2,
    ),
)
def test_coefficients_that_run_away_are_named(expert, least, most):
    x = np.repeat([0.0, 1.0], 40)[:, None]  # where it is zero, y is what only an infinite linear predictor gives
    y = np.where(x[:, 0] > 0, most - np.arange(80) % 4, least)
    with pytest.warns(ConvergenceWarning, match=r"coefficients of expert\(s\) \[0\] grow without bound.*alpha > 0"):
        fit(expert(alpha=0.0), x, y, tol=1e-5)
    model = HMERegressor(depth=0, expert=expert(alpha=1.0, shrink_to="zero"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a dispersion may well be at its lower bound
        model.fit(x, y)
    assert not any("grow" in sentence for sentence in model.boundary_)


def test_exact_fit_and_poisson_dispersion_are_named():
    x = np.linspace(0, 1, 50)[:, None]
    with pytest.warns(ConvergenceWarning, match=r"dispersion of expert\(s\) \[\d\] is at its floor"):
        y = np.where(x[:, 0] < 0.5, np.exp(1 + x[:, 0]), np.exp(4 - x[:, 0]) * (1 + 0.3 * np.sin(99 * x[:, 0])))
        fit(GammaExpert(**ML), x, y, n_experts=2, tol=1e-5)
    rng = np.random.default_rng(1)
    with pytest.warns(ConvergenceWarning, match=r"expert\(s\) \[0\] is at its lower bound.*PoissonExpert"):
        fit(NegativeBinomialExpert(), x, rng.binomial(20, 0.3 + 0.2 * x[:, 0]), tol=1e-5)


@pytest.mark.parametrize(
    "expert, message",
    [
        (GammaExpert(link="logit"), "link must be one of 'log', 'inverse', got 'logit'"),
        (GaussianExpert(link="inverse"), "link must be one of .*got 'inverse'"),
        (PoissonExpert(alpha=-1.0), "alpha"),
        (PoissonExpert(zero_truncated=2), "zero_truncated must .*got 2"),
        (PoissonExpert(shrink_to="one"), "shrink_to must .*got 'one'"),
        (GammaExpert(dispersion_prior=(1.0,)), "dispersion_prior"),
        (GammaExpert(dispersion_floor=0.0), "dispersion_floor"),
        (GammaExpert(shared_dispersion="yes"), "shared_dispersion must .*got 'yes'"),
        (NegativeBinomialExpert(shared_dispersion=None), "shared_dispersion must .*got None"),
        (BinomialExpert(n_trials=0), "n_trials must .*got 0"),
        (BinomialExpert(n_trials=2.5), "n_trials must .*got 2.5"),
        (BinomialExpert(n_trials="many"), "n_trials must .*got 'many'"),
    ],
    ids=str,
)
def test_bad_hyper_parameters_are_named(expert, message):
    with pytest.raises((ValueError, TypeError), match=message):
        HMERegressor(depth=0, expert=expert).fit(X, np.ones(N))


@pytest.mark.filterwarnings("ignore:.*Use PoissonExpert")
@pytest.mark.parametrize(
    "expert, y, message",
    [
        (PoissonExpert(), -1.0, "counts >= 0"),
        (PoissonExpert(zero_truncated=True), 0.0, "counts > 0"),
        (NegativeBinomialExpert(), -2.0, "counts >= 0"),
        (GammaExpert(), 0.0, "numbers > 0"),
        (InverseGaussianExpert(), -1.0, "numbers > 0"),
        (BinomialExpert(n_trials=3), 4.0, "counts from 0 to the number of trials"),
    ],
    ids=str,
)
def test_impossible_targets_are_named(expert, y, message):
    target = np.r_[y, np.ones(N - 1)]
    with pytest.raises(ValueError, match=f"{type(expert).__name__} cannot produce, in 1 row.*, such as {y}.*{message}"):
        HMERegressor(depth=0, expert=expert).fit(X, target)
    model = HMERegressor(depth=0, expert=expert).fit(X, 1.0 + np.arange(N) % 2)
    with pytest.raises(ValueError, match=f"in 1 row.*, such as {y}"):
        model.log_likelihood(X, target)


# -- mixtures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", few(["poisson", "negative binomial", "gamma", "inverse gaussian", "log", "identity"], 3)
)
def test_objective_does_not_fall_and_the_start_finds_the_regimes(name):
    rng = np.random.default_rng(5)
    x = rng.uniform(0, 1, (600, 1))
    first = x[:, 0] < 0.5
    mean = np.exp(np.where(first, 3.0 - 2.0 * x[:, 0], 0.5 + 2.0 * x[:, 0]))
    y = {
        "poisson": rng.poisson(mean), "negative binomial": rng.poisson(mean * rng.gamma(5, 0.2, 600)),
        "gamma": rng.gamma(20, mean / 20), "inverse gaussian": rng.wald(mean, 20 * mean),
        "log": mean + 0.2 * rng.normal(size=600), "identity": np.log(mean) + 0.1 * rng.normal(size=600),
    }[name]  # fmt: skip
    model = fit(DEFAULTS[name][0], x, y, tol=1e-7, n_experts=2)
    assert model.converged_ and (np.diff(model.lower_bounds_) >= -1e-12).all()
    informed = HMERegressor(n_experts=2, expert=DEFAULTS[name][0], start=(~first).astype(int), tol=1e-7).fit(x, y)
    np.testing.assert_allclose(model.lower_bounds_[-1], informed.lower_bounds_[-1], atol=1e-5)
    np.testing.assert_allclose(np.sort(model.experts_.coef[:, 0]), np.sort(informed.experts_.coef[:, 0]), atol=0.02)


MISFITS = [
    "poisson", "negative binomial", "gamma", "inverse gaussian", "log", "gamma, inverse", "inverse gaussian, inverse",
]  # fmt: skip


@pytest.mark.parametrize("name", representative(MISFITS, every=2))
def test_steps_converge_where_the_family_does_not_fit(name):
    # The farther x from zero the wilder y: the expected information is then half of the observed one, or less.
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 1))
    y = np.ceil(np.exp(3.0 * np.abs(x[:, 0]) * rng.normal(size=400)).clip(1e-2, 1e3) * 10) / 10
    y = np.ceil(y) if name in ("poisson", "negative binomial") else y
    expert = DEFAULTS[name][0].set_params(alpha=0.0)
    model = fit(expert, x, y, tol=1e-13)
    assert model.history_.accepted.all() and model.converged_ and model.n_iter_ < 60
    assert (np.diff(model.lower_bounds_) >= -1e-12 * np.abs(model.lower_bounds_[-1])).all()


@pytest.mark.parametrize(
    "expert, y",
    few([(PoissonExpert(), 0.0), (NegativeBinomialExpert(), 0.0), (BinomialExpert(), 0.0), (BinomialExpert(), 1.0)], 2),
)
def test_experts_that_see_no_event_are_named(expert, y):
    X = np.random.default_rng(0).normal(size=(60, 2))
    with pytest.warns(ConvergenceWarning, match=r"intercepts of expert\(s\) \[.*1\] grow.*PointMassExpert"):
        HMERegressor(n_experts=2, expert=expert).fit(X, np.full(60, y))
