"""scikit-learn's own checks of both stacks, no expected failure with linear models."""

import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from hme import HMEClassifier, HMERegressor, HMEStackingClassifier, HMEStackingRegressor
from hme.stacking import BoundedGaussianProcess

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# Of sparse rows Ridge finds its coefficients step by step, up to `tol`.
LINES = [("ridge", Ridge(tol=1e-12)), ("stiff", Ridge(30.0, tol=1e-12))]
CLASSES = [("logistic", LogisticRegression(C=0.1)), ("bayes", GaussianNB())]
SHORT = {"depth": 0, "max_iter": 25, "tol": 1e-3}
# Trees are drawn from rows, or split by numbers of rows, so that with the default models a weight is no repetition.
NOT_OF_TREES = {"check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"}


def checks_of(*estimators, every, first, others, but=()):
    """scikit-learn's checks of estimators, one in `every` with the marks `first`."""
    for estimator in estimators:
        for place, (stack, check) in enumerate(estimator_checks_generator(estimator)):
            name = getattr(check, "func", check).__name__
            if name not in but:
                marks = others if place % every else first
                yield pytest.param(stack, check, id=f"{type(stack).__name__}-{name}-{place}", marks=marks)


GIVEN = HMEStackingClassifier(CLASSES, HMEClassifier(**SHORT))
SLOW, BY_HAND = [pytest.mark.slow], [pytest.mark.slow, pytest.mark.exhaustive]


@pytest.mark.parametrize("estimator, check", checks_of(GIVEN, every=6, first=[], others=SLOW))
def test_scikit_learn_checks_of_a_given_mixture(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks([HMEStackingRegressor(LINES, HMERegressor(**SHORT)), BoundedGaussianProcess()])
def test_scikit_learn_checks_of_parts(estimator, check):
    check(estimator)


# A fit compares a dozen mixtures on every fold: two folds, and a third of the checks, all of which see a given mixture.
CHOSEN = HMEStackingRegressor(LINES, cv=2), HMEStackingClassifier(CLASSES, cv=2)


@pytest.mark.parametrize("estimator, check", checks_of(*CHOSEN, every=3, first=SLOW, others=BY_HAND))
def test_scikit_learn_checks_of_chosen_mixtures(estimator, check):
    check(estimator)


# A fit takes seconds.
DEFAULTS = HMEStackingRegressor(cv=2), HMEStackingClassifier(cv=2)


@pytest.mark.parametrize(
    "estimator, check", checks_of(*DEFAULTS, every=8, first=SLOW, others=BY_HAND, but=NOT_OF_TREES)
)
def test_scikit_learn_checks_of_default_models(estimator, check):
    check(estimator)
