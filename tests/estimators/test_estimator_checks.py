"""scikit-learn's own checks, no expected failure: short fits always, every kind of parameterisation where asked for.

The checks of the transformer stand with its tests.
"""

import pytest
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from hme import HMEClassifier, HMERegressor, HMETransformer, Tree
from hme.experts import (
    BackgroundExpert,
    BinomialExpert,
    GaussianExpert,
    LinearExpert,
    LogisticExpert,
    NegativeBinomialExpert,
    PoissonExpert,
    StudentExpert,
    TreeExpert,
)
from hme.gates import FixedGate, GaussianGate, SoftmaxGate, TopKGate

# Some checks fit ten rows and some fit noise; the short fits below stop early on purpose. Such a fit says rightly
# that it did not converge or that an expert is left without weight. Every other warning stays an error.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SHORT = {"max_iter": 25, "tol": 1e-3}
SHAPES = [
    {"depth": 0},
    {"depth": 1},
    {"depth": 2, **SHORT},
    {"n_experts": 3, **SHORT},
    {"tree": Tree.from_text("((. .) .)"), **SHORT},
    {"depth": 1, "warm_start": True, **SHORT},
    {"depth": 1, "gate": "constant", **SHORT},
    {"depth": 2, "expert": "constant", **SHORT},
    {"depth": 1, "standardize": False, **SHORT},
    {"depth": 1, "n_init": 3, "n_finalists": 1, "random_state": 0, "on_empty": "reseed", **SHORT},
]
REGRESSORS = [
    HMERegressor(depth=1, expert="tree", max_iter=10),
    HMERegressor(depth=1, expert=LinearExpert(alpha=1.0, shrink_to="zero", variance_prior=None), gate=SoftmaxGate(1.0)),
]
CLASSIFIERS = [HMEClassifier(depth=1, expert=LogisticExpert(alpha=1.0, shrink_to="zero"), gate=SoftmaxGate(1.0))]
# Once per family of experts with softmax nodes,
FAMILIES = [
    "gaussian", GaussianExpert("identity"), "student", StudentExpert(df=4.0, shared_coef=True), "laplace",
    "poisson", PoissonExpert(nonnegative=True), PoissonExpert(zero_truncated=True), "negative_binomial",
    NegativeBinomialExpert(zero_truncated=True, shared_dispersion=True), BinomialExpert(n_trials=10_000), "gamma",
    "inverse_gaussian", LinearExpert(covariance="full"), LinearExpert(shared_coef=True, shared_variance=True),
    [("line", LinearExpert()), ("outliers", BackgroundExpert())], [("a", LinearExpert()), ("b", StudentExpert())],
]  # fmt: skip


class Even:
    """Two leaves with half of every row; unlike a function's, its text has no address, which names of tests need."""

    def __call__(self, Z):
        return [[0.5, 0.5]] * len(Z)

    def __repr__(self):
        return "Even()"


# and once per gate with linear or logistic experts.
GATES = [GaussianGate(), GaussianGate("tied"), GaussianGate("diag"), TopKGate(k=1), TopKGate(k=2), FixedGate(Even())]
# What is fitted anew each sweep, what is penalised by l1, and other algorithms than EM.
REFIT = {"max_iter": 10, "tol": 1e-3, "n_experts": 2}
TREE = {"max_depth": 3, "min_weight_fraction_leaf": 0.1}
REFITTED_REGRESSORS = [
    {"expert": "tree"}, {"gate": "tree"}, {"expert": "tree", "gate": "tree"},
    {"expert": DecisionTreeRegressor(**TREE), "gate": DecisionTreeClassifier(max_depth=2)},
    {"expert": TreeExpert(noise="student", cv=None)}, {"expert": [("line", LinearExpert()), ("tree", TreeExpert())]},
]  # fmt: skip
REFITTED_CLASSIFIERS = [
    {"expert": "tree"}, {"gate": "tree"},
    {"expert": DecisionTreeClassifier(**TREE), "gate": DecisionTreeClassifier(**TREE)},
]  # fmt: skip
OTHERS = [
    {"expert": LinearExpert(alpha=1.0, l1_ratio=0.5), "gate": SoftmaxGate(alpha=1.0, l1_ratio=1.0)},
    {"expert": StudentExpert(alpha=1.0, l1_ratio=1.0, scale_penalty=False)},
    {"expert": PoissonExpert(alpha=1.0, l1_ratio=1.0)}, {"algorithm": "hard"},
    {"algorithm": ("stochastic", "em"), "random_state": 0},
]  # fmt: skip
LAYERS = [HMETransformer(HMERegressor(**REFIT)), HMETransformer(HMEClassifier(**REFIT), output="gate")]
QUICK = [HMERegressor(**SHORT), HMEClassifier(**SHORT)]
OF_A_GATE = [HMEClassifier(n_experts=2, gate="gaussian", **SHORT)]
# Each of these fits sparse tables of twelve kinds. By default those of a layer do, see test_transformer.py.
MANY_FITS = {"check_estimator_sparse_array", "check_estimator_sparse_matrix"}


def checks_of(settings):
    """Place among all settings, place among the checks, estimator, check and name of the check."""
    for number, setting in enumerate(settings):
        for place, (estimator, check) in enumerate(estimator_checks_generator(setting)):
            yield number, place, estimator, check, getattr(check, "func", check).__name__


def every_check_of(settings):
    for _, place, estimator, check, name in checks_of(settings):
        marks = [pytest.mark.slow] if name in MANY_FITS else []
        yield pytest.param(estimator, check, id=f"{type(estimator).__name__}-{name}-{place}", marks=marks)


@pytest.mark.parametrize("estimator, check", every_check_of(QUICK))
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(OF_A_GATE)
def test_scikit_learn_checks_of_another_gate(estimator, check):
    check(estimator)


EVERY_SETTING = (
    [HMERegressor(), HMEClassifier()]
    + [HMERegressor(**shape) for shape in SHAPES]
    + REGRESSORS
    + [HMERegressor(n_experts=2, expert=family, **SHORT) for family in FAMILIES]
    + [HMERegressor(n_experts=2, gate=gate, **SHORT) for gate in GATES]
    + [HMERegressor(n_experts=2, expert_features=slice(None), **SHORT)]
    + [HMEClassifier(**shape) for shape in SHAPES]
    + CLASSIFIERS
    + [HMEClassifier(n_experts=2, gate=gate, **SHORT) for gate in GATES]
    + [HMERegressor(**REFIT, **settings) for settings in REFITTED_REGRESSORS + OTHERS]
    + [HMEClassifier(**REFIT, **settings) for settings in REFITTED_CLASSIFIERS]
    + LAYERS
)


def a_sixth_of(settings):
    """Every setting with a sixth of the checks, every check with a sixth of the settings.

    Most of what a check asks is answered by code that all settings share. A third of the pairs took four minutes.
    """
    for number, place, estimator, check, name in checks_of(settings):
        if (number + place) % 6 == 0:
            yield pytest.param(estimator, check, id=f"{number}-{type(estimator).__name__}-{name}-{place}")


@pytest.mark.slow
@pytest.mark.parametrize("estimator, check", a_sixth_of(EVERY_SETTING))
def test_scikit_learn_checks_of_every_setting(estimator, check):
    check(estimator)
