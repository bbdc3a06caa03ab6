"""The models that stacks combine: the same for the linear stack, for the average and for ours."""

from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from hme import HMEClassifier, HMERegressor

__all__ = ["stack_models"]

LARGEST_PROCESS = 1500  # rows below which a Gaussian process is one of them


def stack_models(training, classes):
    """Pairs of name and model, not fitted, of a table of training rows."""
    if classes:
        return [
            ("boosting", HistGradientBoostingClassifier(random_state=0)),
            ("extra_trees", ExtraTreesClassifier(200, random_state=0)),
            ("logistic", make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))),
            ("hme", HMEClassifier(tol=1e-3)),
        ]
    models = [
        ("boosting", HistGradientBoostingRegressor(random_state=0)),
        ("extra_trees", ExtraTreesRegressor(200, random_state=0)),
        ("ridge", make_pipeline(StandardScaler(), Ridge())),
        ("hme", HMERegressor(tol=1e-3)),
    ]
    if len(training.y) < LARGEST_PROCESS:
        kernel = ConstantKernel() * Matern([1.0] * training.X.shape[1], nu=2.5) + WhiteKernel()
        process = GaussianProcessRegressor(kernel, normalize_y=True)
        models.append(("gaussian_process", make_pipeline(StandardScaler(), process)))
    return models
