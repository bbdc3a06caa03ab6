"""`python -m hme`: fit a mixture to a table, print its tree, compare it with other models, save model and picture."""

import argparse
import sys
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import KFold, RepeatedKFold, cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from .datasets import load_motorcycle
from .datasets.csv import Table, TableError, read_csv
from .estimators import HMEClassifier, HMERegressor
from .plot import ExpertsDisplay
from .text import export_text

INTERRUPTED = 130  # exit status after Ctrl-C, as of a shell
MIN_ROWS = 20
MAX_CODES = 10  # with --task auto, a column with at most this many distinct whole numbers holds classes
MAX_LEVELS = 20  # levels of a text column that are encoded; rarer ones share one column


class Problem(NamedTuple):
    """The data to fit, and the train and test rows of the comparison."""

    title: str
    task: str
    table: Table  # of the features
    y: np.ndarray
    target: str
    splits: list  # of (train, test)
    scoring: str  # description of how rows were held out


def main(argv=None):
    """Run the command; see ``python -m hme --help``.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; by default those of the command line.

    Returns
    -------
    int
        Exit status: 0, 2 after an error message, or 130 after Ctrl-C.
    """
    parser = _parser()
    try:
        options = parser.parse_args(argv)
        try:
            problem = _example(options) if options.data is None else _problem(options)
            options.out.mkdir(parents=True, exist_ok=True)
            run(problem, options)
        except TableError as error:
            parser.error(str(error))
        except OSError as error:
            parser.error(f"--out {options.out}: {error.strerror or error}")
    except SystemExit as stop:  # argparse has printed the reason
        return stop.code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="python -m hme",
        description="Fit a hierarchical mixture of experts to a table, print its tree with each leaf's equation, and "
        "compare it with a linear model and gradient boosting on held-out rows. Without a table, run an example.",
    )
    parser.add_argument("data", nargs="?", type=Path, metavar="data.csv", help="table with column names in line one")
    parser.add_argument("--target", help="column to predict")
    parser.add_argument("--task", choices=["auto", "regression", "classification"], default="auto")
    parser.add_argument("--depth", type=_depth, default="auto", help="levels of gates, or auto (the default)")
    parser.add_argument("--out", type=Path, default=Path("hme_out"), help="folder for model and picture")
    parser.add_argument("--test-size", type=_share, default=0.25, help="share of held-out rows (default 0.25)")
    parser.add_argument("--random-state", type=_seed, default=0, help="seed (default 0)")
    return parser


def _depth(text):
    if text != "auto" and not (text.isdecimal() and int(text) <= 10):
        raise argparse.ArgumentTypeError(f"{text!r} is neither 'auto' nor a number from 0 to 10")
    return text if text == "auto" else int(text)


def _seed(text):
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 to 2**32 - 1")
    return int(text)


def _share(text):
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0.0 < share < 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 0 and 1")
    return share


# -- the problem -------------------------------------------------------------------------------------------------------


def _example(options):
    if options.target is not None:
        raise TableError("--target needs a table: python -m hme data.csv --target COLUMN")
    data = load_motorcycle()
    folds = RepeatedKFold(n_splits=5, n_repeats=4, random_state=options.random_state)
    return Problem(
        "motorcycle: head acceleration (g) against time (ms) after a crash, 133 rows",
        "regression",
        Table({"times": data.data[:, 0]}),
        data.target,
        "accel",
        list(folds.split(data.data)),
        "5-fold cross-validation, repeated 4 times, since scores from a single split of so few rows vary a lot",
    )


def _problem(options):
    table = read_csv(options.data)
    columns = f"the columns are {', '.join(table.names)}"
    if options.target is None:
        raise TableError(f"--target is missing; {columns}")
    if options.target not in table.names:
        raise TableError(f"--target {options.target}: there is no such column; {columns}")
    table = _without_gaps(table, options.target)
    y = table.columns[options.target]
    if table.n_rows < MIN_ROWS:
        raise TableError(f"{options.data} has {table.n_rows} rows with a target; at least {MIN_ROWS} are needed")
    if len(set(y)) == 1:
        raise TableError(f"--target {options.target} is {y[0]} in every row; there is nothing to predict")
    features = table.drop([options.target])
    empty = [name for name in features.names if features.is_missing(name).all()]
    if empty:
        print(f"note: columns without any values are left out: {', '.join(empty)}")
    features = features.drop(empty)
    if not features.names:
        raise TableError(f"{options.data} has no column besides the target")
    task = _task(options, table)
    if task == "classification":
        y, kept = _classes(y, options)
        features = features.take(kept)
    left = len(y) - int(np.ceil(options.test_size * len(y)))
    if left < MIN_ROWS // 2:
        raise TableError(f"--test-size {options.test_size} leaves {left} of {len(y)} rows to fit")
    train, test = train_test_split(
        np.arange(len(y)),
        test_size=options.test_size,
        random_state=options.random_state,
        stratify=y if task == "classification" else None,
    )
    title = f"{options.data.name}: {len(y)} rows, {len(features.names)} feature{'s' * (len(features.names) > 1)}"
    scoring = f"{len(test)} rows drawn at random, not used to fit the models that are scored"
    return Problem(title, task, features, y, options.target, [(train, test)], scoring)


def _without_gaps(table, target):
    missing = table.is_missing(target)
    if missing.any():
        print(f"note: {missing.sum()} of {table.n_rows} rows are left out: {target} is missing")
    return table.take(~missing)


def _task(options, table):
    """The task given by `--task`; by default classification if the target is text or has few values, all whole."""
    numeric, y = table.is_numeric(options.target), table.columns[options.target]
    if options.task == "regression" and not numeric:
        raise TableError(f"--task regression, but --target {options.target} holds text, for example {y[0]!r}")
    if options.task != "auto":
        return options.task
    few = numeric and len(set(y)) <= MAX_CODES and (y == np.round(y)).all()
    return "classification" if few or not numeric else "regression"


def _classes(y, options):
    """Class labels of the rows that are kept, and which rows these are: those of classes with more than one row."""
    whole = y.dtype.kind == "f" and (y == np.round(y)).all()
    y = y.astype(int) if whole else y.astype(str)
    classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    single, kept = classes[counts == 1], counts[codes] > 1
    n_classes = len(classes) - len(single)
    if n_classes < 2 or n_classes > min(options.test_size, 1.0 - options.test_size) * kept.sum():
        raise TableError(
            f"--target {options.target} has {len(classes)} classes in {len(y)} rows, {len(single)} of them with only "
            "one row; at least two classes with several rows each are needed"
        )
    if len(single):
        print(f"note: classes with only one row are left out: {', '.join(map(str, single))}")
    return y[kept], kept


# -- the models --------------------------------------------------------------------------------------------------------


def preprocessing(table):
    """A transformer that imputes missing values and one-hot encodes text columns."""
    numeric = [j for j, name in enumerate(table.names) if table.is_numeric(name)]
    text = [j for j, name in enumerate(table.names) if not table.is_numeric(name)]
    code = make_pipeline(
        SimpleImputer(strategy="most_frequent", keep_empty_features=True),
        OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=MAX_LEVELS, sparse_output=False),
    )
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    return ColumnTransformer([("number", fill, numeric), ("text", code, text)])


def models(problem, options):
    """The mixture and the models that it is compared with, a dict of names and pipelines."""
    seed = options.random_state
    if problem.task == "regression":
        mixture = HMERegressor(options.depth, random_state=seed)
        linear, boosting = make_pipeline(LinearRegression()), HistGradientBoostingRegressor(random_state=seed)
    else:
        mixture = HMEClassifier(options.depth, random_state=seed)
        linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        boosting = HistGradientBoostingClassifier(random_state=seed)
    steps = {type(mixture).__name__: mixture, type(linear[-1]).__name__: linear, type(boosting).__name__: boosting}
    return {name: make_pipeline(preprocessing(problem.table), model) for name, model in steps.items()}


def score(model, problem):
    """Two scores over all held-out rows: RMSE and mean log-likelihood, or accuracy and log loss."""
    X, first, log_density = problem.table.to_array(), [], []
    for train, test in problem.splits:
        fitted = clone(model).fit(X[train], problem.y[train])
        if problem.task == "regression":
            first.append((fitted.predict(X[test]) - problem.y[test]) ** 2)
            log_density.append(_log_density(fitted, X, problem.y, train, test))
        else:
            probability = fitted.predict_proba(X[test])
            seen = np.searchsorted(fitted.classes_, problem.y[test])
            first.append(fitted.predict(X[test]) == problem.y[test])
            tiny = np.finfo(float).eps
            log_density.append(np.log(np.maximum(probability[np.arange(len(test)), seen], tiny)))
    first, second = np.concatenate(first).mean(), np.concatenate(log_density).mean()
    return (np.sqrt(first), second) if problem.task == "regression" else (first, -second)


def _log_density(fitted, X, y, train, test):
    """log p(y | x) of held-out rows; for other models, a Gaussian with the variance of cross-validated residuals."""
    if hasattr(fitted[-1], "log_likelihood"):
        return fitted[-1].log_likelihood(fitted[:-1].transform(X[test]), y[test])
    folds = KFold(5, shuffle=True, random_state=0)
    residual = y[train] - cross_val_predict(clone(fitted), X[train], y[train], cv=folds)
    variance = max(np.mean(residual**2), 1e-12 * np.var(y[train]))
    return -0.5 * (np.log(2.0 * np.pi * variance) + (y[test] - fitted.predict(X[test])) ** 2 / variance)


# -- the run -----------------------------------------------------------------------------------------------------------


def run(problem, options):
    """Fit, print, score and save."""
    print(f"{problem.title}; {problem.task} of {problem.target}\n")
    pipelines = models(problem, options)
    name, mixture = next(iter(pipelines.items()))
    with _notes() as caught:
        begin = time.perf_counter()
        try:
            mixture.fit(problem.table.to_array(), problem.y)
        except ValueError as error:  # its message says what is wrong with the data
            raise TableError(str(error)) from error
        seconds = time.perf_counter() - begin
    model = mixture[-1]
    print(f"{name}, all rows: {model.n_experts_} experts, {model.n_iter_} sweeps, {seconds:.2f} s")
    _say(caught)
    # Strip "number__" and "text__", the names of the steps.
    names = [name.partition("__")[2] for name in mixture[:-1].get_feature_names_out(problem.table.names)]
    _print_tree(export_text(model, names, problem.target))
    _print_scores(problem, pipelines)
    path = options.out / "model.joblib"
    joblib.dump(mixture, path)
    print(f"\nfitted pipeline: {path} (joblib.load; its X has the columns {', '.join(problem.table.names)})")
    _save_picture(model, mixture[:-1].transform(problem.table.to_array()), names, problem, options.out / "experts.png")


def _print_tree(text):
    print(f"\n{text}\n")
    if " +/- " in text:
        print("gate x < 5 +/- 2: the odds of yes are one to one at x = 5, nine to one at 3 and one to nine at 7")
    elif "gate 0" in text:
        print("gate a + b > 5: a + b - 5 is the log-odds of yes")
    noise = "; noise: its standard deviation around the equation" if "noise" in text else ""
    print(f"load: share of the rows that a leaf is responsible for{noise}\n")


def _print_scores(problem, pipelines):
    first, second = ("RMSE", "log-likelihood") if problem.task == "regression" else ("accuracy", "log loss")
    print(f"held-out score: {problem.scoring}")
    print(f"{'':30}  {first:>10}  {second:>14}  seconds")
    for name, pipeline in pipelines.items():
        with _notes() as caught:
            begin = time.perf_counter()
            a, b = score(pipeline, problem)
        print(f"{name:30}  {a:10.4g}  {b:14.3f}  {time.perf_counter() - begin:7.1f}", flush=True)
        _say(caught)
    if problem.task == "regression":
        print("(log-likelihood: nats per row, higher is better; other models as Gaussians of constant variance)")


def _save_picture(model, columns, names, problem, path):
    """Plot the experts along the feature with the largest gate coefficients, if matplotlib is installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("picture: none, since matplotlib is not installed")
        return
    j = int(model.model_.gate.column_strength(model.gate_, model.columns_.gate.design).argmax())
    if np.ptp(columns[:, j]) == 0.0:
        print(f"picture: none, since {names[j]} has a single value")
        return
    figure = Figure(figsize=(8, 6), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
    labels = {} if problem.task == "classification" else {"target_name": problem.target}
    ExpertsDisplay.from_estimator(model, columns, problem.y, feature=j, feature_name=str(names[j]), ax=axes, **labels)
    figure.savefig(path)
    others = "" if len(names) == 1 else ", the other features at their medians"
    print(f"picture: {path} (experts and gate along {names[j]}{others})")


def _notes():
    """A context that collects convergence warnings for `_say`."""
    return warnings.catch_warnings(record=True, action="always", category=ConvergenceWarning)


def _say(caught):
    for text, count in Counter(str(warning.message) for warning in caught).items():
        print(f"note: {text}" + (f" ({count} fits)" if count > 1 else ""))


if __name__ == "__main__":
    sys.exit(main())
