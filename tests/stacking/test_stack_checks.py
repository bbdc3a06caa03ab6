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


@parametrize_with_checks([HMEStackingClassifier(CLASSES, HMEClassifier(**SHORT))])
def test_scikit_learn_checks_of_a_given_mixture(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        HMEStackingRegressor(LINES),
        HMEStackingClassifier(CLASSES),
        HMEStackingRegressor(LINES, HMERegressor(**SHORT)),
        BoundedGaussianProcess(),
    ]
)
def test_scikit_learn_checks_of_chosen_mixtures(estimator, check):
    check(estimator)


def checks_of_default_models():
    for estimator in (HMEStackingRegressor(), HMEStackingClassifier()):
        for place, (stack, check) in enumerate(estimator_checks_generator(estimator)):
            name = getattr(check, "func", check).__name__
            if name not in NOT_OF_TREES:
                marks = pytest.mark.slow if place % 8 == 0 else [pytest.mark.slow, pytest.mark.exhaustive]
                yield pytest.param(stack, check, id=f"{type(stack).__name__}-{name}-{place}", marks=marks)


@pytest.mark.parametrize("estimator, check", checks_of_default_models())
def test_scikit_learn_checks_of_default_models(estimator, check):
    check(estimator)
