"""Peers for regression: functions of training rows that return a function of X, whose answer is a `Prediction`."""

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from .noise import FOLDS, constant_noise, fit_with_folds, fit_with_held_out
from .scores import NormalPrediction, Prediction
from .searches import tuned_histograms, tuned_lightgbm

GP_ROWS, GP_KERNEL_ROWS = 2000, 1000


def ridge(training):
    return fit_with_folds(make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13))), training)


def histograms(training):
    return fit_with_folds(HistGradientBoostingRegressor(random_state=0), training)


def histograms_tuned(training):
    return fit_with_folds(tuned_histograms(training, False), training)


def lightgbm(training):
    from lightgbm import LGBMRegressor

    return fit_with_folds(LGBMRegressor(n_jobs=1, verbose=-1, random_state=0), training)


def lightgbm_tuned(training):
    return fit_with_folds(tuned_lightgbm(training, False), training)


def lightgbm_pair(training):
    """One model for the mean, one for the log of its squared cross-fitted errors, and a factor from the latter's."""
    from lightgbm import LGBMRegressor

    X, y, _ = training
    mean = LGBMRegressor(n_jobs=1, verbose=-1, random_state=0)
    spread = clone(mean).set_params(n_estimators=50, num_leaves=8, learning_rate=0.05)
    square = np.maximum((y - cross_val_predict(mean, X, y, cv=FOLDS)) ** 2, 1e-8 * np.var(y))
    level = cross_val_predict(spread, X, np.log(square), cv=FOLDS)
    factor = np.mean(square / np.exp(level))
    mean.fit(X, y)
    spread.fit(X, np.log(square))

    def answer(X):
        predicted = mean.predict(X)
        return Prediction(predicted, NormalPrediction(predicted, np.sqrt(factor * np.exp(spread.predict(X)))))

    return answer


def catboost(training):
    from catboost import CatBoostRegressor

    model = CatBoostRegressor(
        iterations=500,
        depth=6,
        loss_function="RMSEWithUncertainty",
        random_seed=0,
        thread_count=1,
        verbose=False,
        allow_writing_files=False,
    ).fit(training.X, training.y)

    def answer(X):
        mean, variance = model.predict(X, prediction_type="RMSEWithUncertainty", thread_count=1).T
        return Prediction(mean, NormalPrediction(mean, np.sqrt(variance)))

    return answer


def random_forest(training):
    model = RandomForestRegressor(200, oob_score=True, random_state=0).fit(training.X, training.y)
    return constant_noise(model.predict, training.y - model.oob_prediction_)


def extra_trees(training):
    return fit_with_folds(ExtraTreesRegressor(200, random_state=0), training)


def cubist(training):
    from cubist import Cubist

    return fit_with_held_out(Cubist(n_committees=20, neighbors=5, random_state=0), training)


def explainable_boosting(training):
    from interpret.glassbox import ExplainableBoostingRegressor

    return fit_with_held_out(ExplainableBoostingRegressor(random_state=0, n_jobs=1), training)


def gaussian_process(training):
    """The kernel is learned from some of the rows that the posterior is conditioned on."""
    scaler = StandardScaler().fit(training.X)
    drawn = np.random.default_rng(0).permutation(len(training.y))[:GP_ROWS]
    X, y = scaler.transform(training.X[drawn]), training.y[drawn]
    kernel = ConstantKernel() * Matern(np.ones(X.shape[1]), (1e-2, 1e4), nu=2.5) + WhiteKernel(0.1, (1e-6, 1e2))
    learned = GaussianProcessRegressor(kernel, normalize_y=True).fit(X[:GP_KERNEL_ROWS], y[:GP_KERNEL_ROWS]).kernel_
    model = GaussianProcessRegressor(learned, optimizer=None, normalize_y=True).fit(X, y)

    def answer(X):
        mean, std = model.predict(scaler.transform(X), return_std=True)  # with the white noise
        return Prediction(mean, NormalPrediction(mean, std))

    return answer


def ngboost(training):
    from ngboost import NGBRegressor

    model = NGBRegressor(random_state=0, verbose=False).fit(training.X, training.y)

    def answer(X):
        parameters = model.pred_dist(X).params
        mean = np.asarray(parameters["loc"])
        return Prediction(mean, NormalPrediction(mean, np.asarray(parameters["scale"])))

    return answer
