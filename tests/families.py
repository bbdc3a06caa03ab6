"""The cases of every family of experts and every gate, with rows and responsibilities that suit them."""

import re

import numpy as np
import user_families as users
from scipy.special import log_softmax
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.tree import DecisionTreeRegressor

from hme import Tree
from hme.experts import (
    BackgroundExpert,
    BinomialExpert,
    ConstantExpert,
    EstimatorExpert,
    GammaExpert,
    GaussianExpert,
    InverseGaussianExpert,
    LaplaceExpert,
    LinearExpert,
    LogisticExpert,
    MixedExpert,
    NegativeBinomialExpert,
    PointMassExpert,
    PoissonExpert,
    PoolExpert,
    StudentExpert,
    TreeExpert,
)
from hme.gates import ConstantGate, EstimatorGate, FixedGate, GaussianGate, SoftmaxGate, TopKGate, TreeGate
from hme.model.design import Design
from hme.model.folds import fold_numbers
from hme.model.rows import Rows

K, P = 3, 4
DESIGN = Design(np.zeros(P - 1), np.ones(P - 1), True)  # of most kinds of rows; see `design_of`
EXACT = dict(alpha=0.0, variance_prior=None, variance_floor=1e-8)


def three_of(*experts):
    """Three leaves, a family for each."""
    return MixedExpert(list(zip(("first", "second", "third"), experts, strict=True)))


def known_line():
    """A regression of three columns that is fitted already."""
    X = np.random.default_rng(9).normal(size=(20, P - 1))
    return FrozenEstimator(LinearRegression().fit(X, X[:, 0]))


EXPERTS = [
    (LinearExpert(), "regression"),
    (LinearExpert(**EXACT), "regression"),
    (LinearExpert(shared_variance=True, shrink_to="zero"), "two outputs"),
    (LogisticExpert(), "two classes"),
    (LogisticExpert(alpha=1.0, shrink_to="zero"), "four classes"),
    (ConstantExpert(), "regression"),
    (ConstantExpert(), "four classes"),
    (TreeExpert(), "two outputs"),
    (StudentExpert(df=4.0), "regression"),
    (LaplaceExpert(**EXACT), "regression"),
    (PoissonExpert(), "counts"),
    (PoissonExpert(alpha=0.0, zero_truncated=True), "positive counts"),
    (NegativeBinomialExpert(), "counts"),
    (NegativeBinomialExpert(shared_dispersion=True, zero_truncated=True), "positive counts"),
    (BinomialExpert(), "trials"),
    (GammaExpert(), "positive"),
    (GammaExpert("inverse", alpha=1.0, shrink_to="zero", dispersion_prior=None), "positive"),
    (InverseGaussianExpert(shared_dispersion=True), "positive"),
    (InverseGaussianExpert("inverse"), "positive"),
    (GaussianExpert("log"), "positive"),
    (GaussianExpert("identity", dispersion_floor=1e-8), "regression"),
    (LinearExpert(alpha=4.0, l1_ratio=1.0), "two outputs"),
    (LinearExpert(alpha=4.0, l1_ratio=0.7, shrink_to="global", scale_penalty=False), "regression"),
    (StudentExpert(df=4.0, alpha=4.0, l1_ratio=1.0, scale_penalty=False), "regression"),
    (LaplaceExpert(alpha=4.0, l1_ratio=0.7), "regression"),
    (LogisticExpert(alpha=1.0, l1_ratio=1.0), "two classes"),
    (LogisticExpert(alpha=1.0, l1_ratio=0.7, shrink_to="global"), "four classes"),
    (PoissonExpert(alpha=4.0, l1_ratio=0.7), "counts"),
    (NegativeBinomialExpert(alpha=2.0, l1_ratio=1.0), "counts"),
    (BinomialExpert(alpha=4.0, l1_ratio=1.0), "trials"),
    (GammaExpert(alpha=1.0, l1_ratio=1.0, scale_penalty=False), "positive"),
    (InverseGaussianExpert("inverse", alpha=0.5, l1_ratio=0.5), "positive"),
    (GaussianExpert("identity", alpha=4.0, l1_ratio=1.0, scale_penalty=False), "regression"),
    (PoolExpert(), "three classes by two models"),
    (PoolExpert(alpha=1.0, shrink_to="zero"), "two classes by two models"),
    (PoolExpert(alpha=0.0, nonnegative=False), "three classes by two models"),
    (BackgroundExpert(), "two outputs"),
    (BackgroundExpert("uniform"), "regression"),
    (PointMassExpert(), "zeros"),
    (three_of(LinearExpert(), LinearExpert(), BackgroundExpert()), "regression"),
    (three_of(PoissonExpert(), PointMassExpert(), PoissonExpert()), "counts"),
    (three_of(StudentExpert(), ConstantExpert(), StudentExpert()), "regression"),
    (three_of(GammaExpert(), PointMassExpert(), users.LogNormalExpert()), "positive or zero"),
    (three_of(LogisticExpert(), ConstantExpert(), TreeExpert()), "four classes"),
    (three_of(LogisticExpert(), PoolExpert(), PoolExpert(alpha=2.0)), "three classes by two models"),
    (three_of(LinearExpert(), EstimatorExpert(Ridge()), TreeExpert()), "two outputs"),
    (EstimatorExpert(Ridge()), "two outputs"),
    (EstimatorExpert(DecisionTreeRegressor(max_depth=2), "student"), "regression"),
    (EstimatorExpert(DecisionTreeRegressor(max_depth=2), "laplace", cv=None), "regression"),
    (EstimatorExpert(known_line()), "regression"),
    (EstimatorExpert(LogisticRegression(), cv=2), "four classes"),
    (TreeExpert(max_depth=2), "four classes"),
    (users.LogNormalLine(), "positive"),
    (users.LogNormalExpert(), "positive"),
    (users.LogNormalExpert(alpha=4.0, l1_ratio=1.0), "positive"),
    (users.LogisticNoiseExpert(), "regression"),
    (users.LogisticNoiseExpert(alpha=0.0), "two outputs"),
    (users.ExponentialExpert(), "positive"),
    (users.GeometricExpert(), "counts"),
    (users.GeometricExpert(zero_truncated=True), "positive counts"),
]


def routing(Z):
    """Three leaves, by an inverse distance from -1, 0 and 1."""
    near = 1 / (1 + np.abs(Z[:, :1] - np.array([-1.0, 0.0, 1.0])))
    return near / near.sum(axis=1, keepdims=True)


GATES = [
    TreeGate(SoftmaxGate(), Tree.from_text("((. .) .)")),
    TreeGate(SoftmaxGate(alpha=0.0), Tree.flat(K)),
    TreeGate(SoftmaxGate(alpha=3.0, l1_ratio=1.0), Tree.from_text("((. .) .)")),
    TreeGate(SoftmaxGate(alpha=6.0, l1_ratio=0.7), Tree.flat(K)),
    ConstantGate(),
    GaussianGate(),
    GaussianGate("tied", covariance_prior=None, covariance_floor=1e-8),
    GaussianGate("diag"),
    FixedGate(routing),
    TopKGate(k=2),
    TopKGate(k=2, alpha=3.0, l1_ratio=0.7, balance=1.5, commit=0.0),
    EstimatorGate(),
    EstimatorGate(LogisticRegression(), cv=None),
]
ADDITIVE = [case for case in EXPERTS if case[0].traits.additive]


def identify(value):
    """The name of a case: its text, without the addresses of functions, which differ between the workers of a run."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value).replace("\n", ""))


def make_rows(kind, n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = np.column_stack([rng.normal(size=(n, P - 1)), np.ones(n)])
    y = {
        "regression": rng.normal(size=(n, 1)) + X[:, :1],
        "two outputs": rng.normal(size=(n, 2)) + X[:, :2],
        "two classes": (X[:, 0] + rng.normal(size=n) > 0).astype(int),
        "four classes": rng.integers(4, size=n),
    }.get(kind)
    weight = rng.uniform(0.5, 2.0, size=n)
    if kind.endswith("by two models"):
        return make_opinions(3 if kind.startswith("three") else 2, weight, rng)
    if y is None:
        return make_glm_rows(kind, X, weight, rng)
    y[:4] = np.arange(4) % (y.max() + 1) if y.ndim == 1 else y[:4]
    return in_folds(Rows(X, X, y, weight))


def make_opinions(n_classes, weight, rng):
    """Log-probabilities of two models, of which the first is the better one."""
    y = np.arange(len(weight)) % n_classes
    scores = [np.eye(n_classes)[y] + spread * rng.normal(size=(len(y), n_classes)) for spread in (0.7, 1.0)]
    X = np.column_stack([*(log_softmax(own, axis=1) for own in scores), np.ones(len(y))])
    return in_folds(Rows(X, X, y, weight))


def design_of(rows):
    """The design of rows whose columns are those of the user."""
    n_columns = rows.X.shape[1] - 1
    return Design(np.zeros(n_columns), np.ones(n_columns), True)


def in_folds(rows):
    return rows._replace(fold=fold_numbers(rows))


def make_glm_rows(kind, X, weight, rng):
    """Targets around a log or logit link, with an offset; successes of trials."""
    offset, trials = rng.uniform(-0.3, 0.3, size=len(X)), None
    mean = np.exp(0.5 + 0.4 * X[:, 0] + offset)
    if kind == "trials":
        trials = rng.integers(1, 9, size=len(X)).astype(float)
        y = rng.binomial(trials.astype(int), mean / (1.0 + mean))
    elif kind == "positive":  # a mean that suits an inverse link too
        y = rng.gamma(3.0, 1.0 / (3.0 + 0.3 * X[:, 0] + offset) / 3.0)
    elif kind == "positive or zero":
        y = rng.gamma(3.0, mean / 3.0) * (rng.random(len(X)) < 0.7)
    elif kind == "zeros":
        y = np.zeros(len(X))
    else:
        y = rng.poisson(mean * rng.gamma(2.0, 0.5, size=len(X))) + (kind == "positive counts")
    return in_folds(Rows(X, X, y[:, None].astype(float), weight, offset, trials))


def make_resp(rows, seed=1, n_leaves=K):
    resp = np.random.default_rng(seed).dirichlet(np.ones(n_leaves), rows.n_rows)
    return resp * rows.weight[:, None]


def resp_for(expert, rows, seed=1):
    """Responsibilities, zero for rows that an expert cannot produce."""
    able = np.stack([member.possible(rows) for member in expert.members], axis=1)
    resp = make_resp(rows, seed) * able
    return resp / resp.sum(axis=1, keepdims=True) * rows.weight[:, None]


def fit_once(family, rows, resp):
    family = family.bind(rows, design_of(rows))
    params = family.init(rows, resp)
    if getattr(family.traits, "additive", True):  # a second step, so that nothing rests on the starting point
        params = family.update(params, family.statistics(params, rows, resp), rows)
    return family, params


def q_of_expert(expert, params, rows, resp):
    log_prob = np.where(resp > 0, expert.log_prob(params, rows), 0.0)
    return (resp * log_prob).sum() + expert.log_prior_density(params)


def q_of_gate(gate, params, rows, resp):
    return (resp * gate.log_score(params, rows)).sum() + gate.log_prior_density(params)


def central_differences(function, array, step=1e-6, lasso=False):
    """Gradient of a scalar function with respect to an array that it reads, entry by entry.

    At a corner, where a `lasso` holds an entry, it is what pulls beyond what holds: the smallest subgradient.
    """
    gradient, here = np.empty_like(array), function()
    for index in np.ndindex(array.shape):
        value = array[index]
        array[index] = value + step
        above = function()
        array[index] = value - step
        below = function()
        array[index] = value
        slope, corner = (above - below) / (2 * step), (2 * here - above - below) / (2 * step)
        corner = corner if lasso and corner > 1e-2 else 0.0  # the rest is curvature
        gradient[index] = np.sign(slope) * max(abs(slope) - corner, 0.0)
    return gradient
