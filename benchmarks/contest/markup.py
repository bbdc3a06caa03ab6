"""Results as tables of Markdown."""

import numpy as np

from .methods import LINEAR_STACK, TUNED
from .ranks import LARGER_IS_BETTER, mean_ranks

__all__ = ["by_table", "class_summary", "label", "markdown", "regression_summary"]

LABELS = {
    "hme": "HME",
    "model_hme": "HME",
    "model_gaussian_process": "Gaussian process",
    "hme_cv": "HME, cross-validated",
    "hme_stacking": "HME stacking",
    "stack": "linear stack",
    "lightgbm": "LightGBM",
    "lightgbm_tuned": "LightGBM, tuned",
    "lightgbm_pair": "LightGBM, pair",
    "catboost": "CatBoost",
    "histograms": "HistGradientBoosting",
    "histograms_tuned": "HistGradientBoosting, tuned",
    "gaussian_process": "Gaussian process",
    "ngboost": "NGBoost",
    "explainable_boosting": "EBM",
    "cubist": "Cubist",
}


def label(name):
    """A method's name where there is little space."""
    return LABELS.get(name, name.removeprefix("model_").replace("_", " "))


def markdown(header, lines):
    """A table of cells."""
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, ["---"] * len(header), *lines])


def _number(value, digits=3):
    return "" if np.isnan(value) else f"{value:.{digits}f}"


def by_table(found, measure, digits=3, mark=True):
    """A measure of every method on every table; the best of a table is in bold type."""
    grid = found.measures[measure]
    worst = -np.inf if measure in LARGER_IS_BETTER else np.inf
    filled = np.where(np.isnan(grid), worst, grid)
    best = filled.max(axis=1) if measure in LARGER_IS_BETTER else filled.min(axis=1)
    lines = []
    for name, column in zip(found.methods, grid.T, strict=True):
        cells = [_number(value, digits) for value in column]
        bold = [mark and value == least for value, least in zip(column, best, strict=True)]
        lines.append([label(name), *(f"**{cell}**" if b else cell for cell, b in zip(cells, bold, strict=True))])
    return markdown(["method", *found.tables], lines)


def _of_base(found, base, function):
    """A number of every method that is relative to one of them; nan where that one has no rows."""
    return function() if base in found.methods else np.full(len(found.methods), np.nan)


def _share(counts, found):
    return ["" if np.isnan(count) else f"{count:.0f} of {len(found.tables)}" for count in counts]


def _seconds(found):
    return (found.measures["fit_seconds"] + found.measures["predict_seconds"]).mean(axis=0)


def _summary(found, ranked, measures, columns):
    """Mean ranks, empty outside of the pool, and further columns of cells, by the rank in one measure."""
    ranks = {key: dict(zip(ranked.methods, mean_ranks(ranked, key), strict=True)) for key in measures}
    order = sorted(range(len(found.methods)), key=lambda j: ranks[measures[0]].get(found.methods[j], np.inf))
    lines = []
    for j in order:
        name = found.methods[j]
        cells = [_number(ranks[key].get(name, np.nan), 2) for key in measures]
        lines.append([label(name), *cells, *(column[j] for column in columns.values())])
    words = {"log_score": "log score", "crps": "CRPS", "rmse": "RMSE", "log_loss": "log loss", "brier": "Brier score"}
    return markdown(["method", *(words.get(key, key) for key in measures), *columns], lines)


def regression_summary(found, ranked):
    stacked = _of_base(found, LINEAR_STACK, lambda: found.geometric("rmse", LINEAR_STACK))
    largest = _of_base(found, LINEAR_STACK, lambda: found.ratios("rmse", LINEAR_STACK).max(axis=0))
    tuned = _of_base(found, TUNED, lambda: found.geometric("rmse", TUNED))
    wins = _of_base(found, LINEAR_STACK, lambda: (found.differences("log_score", LINEAR_STACK) > 0).sum(axis=0))
    columns = {
        "RMSE / tuned": [_number(value) for value in tuned],
        "RMSE / stack": [_number(value) for value in stacked],
        "largest": [_number(value) for value in largest],
        "better log score": _share(wins, found),
        "coverage": [_number(value) for value in found.measures["coverage"].mean(axis=0)],
        "worst row": [_number(value, 1) for value in found.measures["worst_row"].min(axis=0)],
        "CPU, s": [_number(value, 1) for value in _seconds(found)],
    }
    return _summary(found, ranked, ("rmse", "log_score", "crps"), columns)


def class_summary(found, ranked):
    wins = _of_base(found, LINEAR_STACK, lambda: (found.differences("log_loss", LINEAR_STACK) < 0).sum(axis=0))
    columns = {
        "near the best": _share(found.near_best("log_loss", ranked.methods).sum(axis=0), found),
        "less than the stack's": _share(wins, found),
        "worst row": [_number(value, 1) for value in found.measures["worst_row"].min(axis=0)],
        "CPU, s": [_number(value, 1) for value in _seconds(found)],
    }
    return _summary(found, ranked, ("log_loss", "accuracy", "brier"), columns)
