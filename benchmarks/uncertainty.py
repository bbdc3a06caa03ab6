"""How good predictive distributions are on real tables: the mixture beside NGBoost, a Gaussian process and boosting.

Log score (mean test log-density), CRPS, interval score of 90 %, Kolmogorov distance of the probability integral
transform, calibration error of quantiles, coverage of central 50, 90 and 95 % intervals, averaged over the standard
splits of a data folder that has ``load.py`` with ``META`` and ``split(name, i)``; and the mean rank over tables.
Nothing but the depth of one mixture is tuned:

mixture    ``HMERegressor()``
mixture_cv depth 2, 3, 4 or 5, whichever has the best log score in 3-fold cross-validation of the training rows
ngboost    ``NGBRegressor(random_state=0)``, a normal distribution whose mean and scale are boosted
gp         a Gaussian process, an RBF kernel with a length for each column plus white noise, columns and y
           standardised; it sees 2000 of the training rows at most, drawn at random, and its kernel is fitted to 1000
           of these
boosting   ``HistGradientBoostingRegressor(random_state=0)`` with a normal distribution of constant variance, that of
           the residuals of 5-fold cross-validation

Tables and methods that ``--out`` already holds are kept, so that a long run can be made in parts. Run from the root::

    PYTHONPATH=. OMP_NUM_THREADS=1 HME_DATA=FOLDER python benchmarks/uncertainty.py [--splits 3] [--sets energy,airfoil]
"""

import argparse
import json
import os
import sys
import time
import warnings

import numpy as np
from scipy import stats
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict
from sklearn.preprocessing import StandardScaler

from hme import HMERegressor, scoring

SETS = ("concrete", "energy", "airfoil", "wine_red", "abalone", "kin8nm", "power_plant", "california")
GP_ROWS, GP_KERNEL_ROWS = 2000, 1000
MEASURES = ("log_score", "crps", "interval_score", "pit_distance", "calibration_error")
LESS_IS_BETTER = {name: name != "log_score" for name in MEASURES}


class NormalPrediction:
    """Normal distributions of n rows, with the methods of the mixture's."""

    def __init__(self, mean, std):
        self.mean, self.std = mean, np.broadcast_to(std, mean.shape)
        dist = stats.norm(mean, self.std)
        self.logpdf, self.cdf, self.icdf = dist.logpdf, dist.cdf, dist.ppf

    def crps(self, y):
        """In closed form, Gneiting and Raftery (2007), section 4.2."""
        z = (y - self.mean) / self.std
        return self.std * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))


def mixture(X, y, X_test):
    model = HMERegressor().fit(X, y)
    return model.predict_dist(X_test), model.predict(X_test)


def mixture_cv(X, y, X_test):
    folds = KFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(HMERegressor(), {"depth": [2, 3, 4, 5]}, scoring=scoring.log_score_scorer, cv=folds)
    model = search.fit(X, y).best_estimator_
    return model.predict_dist(X_test), model.predict(X_test)


def ngboost(X, y, X_test):
    from ngboost import NGBRegressor

    predicted = NGBRegressor(random_state=0, verbose=False).fit(X, y).pred_dist(X_test)
    mean = np.asarray(predicted.params["loc"])
    return NormalPrediction(mean, np.asarray(predicted.params["scale"])), mean


def gaussian_process(X, y, X_test):
    scaler = StandardScaler().fit(X)
    X, X_test = scaler.transform(X), scaler.transform(X_test)
    drawn = np.random.default_rng(0).permutation(len(y))[:GP_ROWS]
    kernel = ConstantKernel() * RBF(np.ones(X.shape[1])) + WhiteKernel()
    few = drawn[:GP_KERNEL_ROWS]
    kernel = GaussianProcessRegressor(kernel, normalize_y=True).fit(X[few], y[few]).kernel_
    model = GaussianProcessRegressor(kernel, optimizer=None, normalize_y=True).fit(X[drawn], y[drawn])
    mean, std = model.predict(X_test, return_std=True)  # with the white noise
    return NormalPrediction(mean, std), mean


def boosting(X, y, X_test):
    model = HistGradientBoostingRegressor(random_state=0)
    held_out = cross_val_predict(model, X, y, cv=KFold(5, shuffle=True, random_state=0))
    mean = model.fit(X, y).predict(X_test)
    return NormalPrediction(mean, np.std(y - held_out)), mean


METHODS = {
    "mixture": mixture, "mixture_cv": mixture_cv, "ngboost": ngboost, "gp": gaussian_process, "boosting": boosting
}  # fmt: skip


def measure(method, X, y, X_test, y_test):
    start = time.perf_counter()
    dist, mean = METHODS[method](X, y, X_test)
    seconds = time.perf_counter() - start
    result = {name: getattr(scoring, name)(dist, y_test) for name in MEASURES}
    result |= {f"coverage_{level}": scoring.coverage(dist, y_test, level / 100) for level in (50, 90, 95)}
    return result | {"rmse": float(np.sqrt(np.mean((y_test - mean) ** 2))), "seconds": seconds}


def mean_ranks(results):
    """Mean rank of every method over the tables, from 1 for the best, of the methods that all tables have."""
    methods = [name for name in METHODS if all(name in table for table in results.values())]
    ranks = {}
    for name in (*MEASURES, "rmse"):
        values = np.array([[table[method][name] for method in methods] for table in results.values()])
        ranks[name] = stats.rankdata(values if LESS_IS_BETTER.get(name, True) else -values, axis=1).mean(axis=0)
    return {method: {name: float(ranks[name][j]) for name in ranks} for j, method in enumerate(methods)}


def show(title, table):
    print(f"\n{title}")
    columns = list(next(iter(table.values())))
    print(f"  {'':10s}" + "".join(f"{column.replace('calibration', 'calibr.'):>16s}" for column in columns))
    for label, row in table.items():
        print(f"  {label:10s}" + "".join(f"{row[column]:16.4g}" for column in columns), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--splits", type=int, default=3, help="most splits of a set")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--out", default=None, help="file for the results as JSON")
    arguments = parser.parse_args()
    sys.path.insert(0, os.environ["HME_DATA"])
    import load

    methods = arguments.methods.split(",")
    if "ngboost" in methods:
        try:
            import ngboost as _  # noqa: F401
        except ImportError as error:
            print(f"left out: ngboost ({error})")
            methods.remove("ngboost")
    warnings.simplefilter("ignore", ConvergenceWarning)
    results = {}
    if arguments.out and os.path.exists(arguments.out):
        with open(arguments.out) as file:
            results = json.load(file)["tables"]
    for name in arguments.sets.split(","):
        n_splits = min(load.META[name]["n_splits"], arguments.splits)
        results.setdefault(name, {})
        for method in methods:
            if results[name].get(method, {}).get("splits") == n_splits:
                continue
            rows = [measure(method, *load.split(name, i)) for i in range(n_splits)]
            results[name][method] = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
            results[name][method]["splits"] = n_splits
        show(f"{name}, {n_splits} splits", results[name])
        if arguments.out:
            with open(arguments.out, "w") as file:
                json.dump({"tables": results, "mean_rank": mean_ranks(results)}, file, indent=1)
    show(f"mean rank over {len(results)} tables", mean_ranks(results))


if __name__ == "__main__":
    main()
