"""Runs what has no row yet, within a budget of CPU seconds."""

import time
import warnings

import numpy as np

from .methods import METHODS
from .rows import version_of
from .scores import Part, class_scores, regression_scores
from .tables import SPLITS, TABLES, load_split, n_splits

__all__ = ["is_installed", "jobs", "run_all", "run_one"]


def is_installed(method):
    """Whether a method can run here."""
    import hme

    wanted = {"regression": "HMEStackingRegressor", "classes": "HMEStackingClassifier"}
    if method.name == "hme_stacking":
        return all(hasattr(hme, name) for name in wanted.values())
    return version_of(method.package) is not None


def jobs(task, names=None, tables=None, most=SPLITS):
    """Triples of table, split and method: split by split, cheap methods first, each from small tables to large ones."""
    chosen = [name for name in TABLES[task] if tables is None or name in tables]
    for split in range(most):
        for method in METHODS[task]:
            if names is None or method.name in names:
                yield from ((name, split, method) for name in chosen if split < n_splits(name))


def run_one(task, split, method):
    """Scores, and pairs of CPU seconds of fitting and predicting, by the name of the row.

    Test targets are read after all predictions. What our own methods warn of is printed.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        begin = time.process_time()
        fitted = method.fit(split.training)
        whole = time.process_time() - begin
        parts = fitted if isinstance(fitted, dict) else {method.name: Part(fitted, whole, np.nan)}
        answers = {name: _timed(part.answer, split.X_test) for name, part in parts.items()}
    if method.package == "hme":
        for message in sorted({f"{one.category.__name__}: {one.message}" for one in caught}):
            print(f"  {method.name} warned: {message}", flush=True)
    scores = {name: _scores(task, answer, split) for name, (answer, _) in answers.items()}
    for name, part in parts.items():
        if np.isfinite(part.models):
            scores[name]["models_seconds"] = round(part.models, 3)
    return scores, {name: (part.seconds, answers[name][1]) for name, part in parts.items()}


def _timed(answer, X):
    begin = time.process_time()
    prediction = answer(X)
    return prediction, time.process_time() - begin


def _scores(task, prediction, split):
    if task == "regression":
        return regression_scores(prediction, split.y_test, split.cells)
    return class_scores(prediction, np.searchsorted(np.unique(split.training.y), split.y_test))


def run_all(task, rows, *, names=None, tables=None, most=SPLITS, again=(), budget=np.inf):
    """Run what is missing, and `again` what is there; returns the CPU seconds that were spent."""
    spent, left_out = 0.0, set()
    for table, number, method in jobs(task, names, tables, most):
        if not is_installed(method):
            left_out.add(method.name)
        elif method.name in again or not rows.has(table, number, method):
            if spent >= budget:
                print(f"stopped: the budget of {budget:.0f} s of CPU is spent", flush=True)
                break
            begin = time.process_time()
            try:
                scores, seconds = run_one(task, load_split(table, number), method)
            except Exception as error:  # one fit that fails must not end a run of hours: its row is missing on the page
                print(f"{table:16s}{number:2d}  {method.name:22s}FAILED: {error!r}", flush=True)
                continue
            for name, values in scores.items():
                rows.add(table, number, method, name, values, seconds[name])
            spent += time.process_time() - begin
            first = list(scores[method.name].items())[:2]
            shown = "  ".join(f"{key} {value:.4f}" for key, value in first)
            print(f"{table:16s}{number:2d}  {method.name:22s}{shown}  {sum(seconds[method.name]):.1f} s", flush=True)
    if left_out:
        print(f"left out, as not installed: {', '.join(sorted(left_out))}")
    return spent
