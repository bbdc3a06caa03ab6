import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks
from hme import *
from hme.gates import EstimatorGate
from hme.estimators.transformer import HMETransformer
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
S = {"max_iter": 25, "tol": 1e-3}
@parametrize_with_checks([HMETransformer(), HMETransformer(HMEClassifier(n_experts=2, **S), ("experts","mean")), HMETransformer(HMERegressor(n_experts=2, **S), passthrough=True),
  HMERegressor(n_experts=2, gate=EstimatorGate(), **S), HMEClassifier(n_experts=2, gate=EstimatorGate(), **S), HMERegressor(n_experts=2, gate=EstimatorGate(cv=None), **S),])
def test_c(estimator, check): check(estimator)
