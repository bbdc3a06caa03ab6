"""Runs what has no row yet, within a budget of CPU seconds."""

import time
import warnings

import numpy as np

from .methods import METHODS
from .rows import version_of
from .scores import class_scores, regression_scores
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
    """Scores by the name of the row, and CPU seconds of fitting and predicting. Test targets are read at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        begin = time.process_time()
        answer = method.fit(split.training)
        between = time.process_time()
        predictions = answer(split.X_test)
        end = time.process_time()
        if not isinstance(predictions, dict):
            predictions = {method.name: predictions}
        if task == "regression":
            scores = {name: regression_scores(one, split.y_test, split.cells) for name, one in predictions.items()}
        else:
            codes = np.searchsorted(np.unique(split.training.y), split.y_test)
            scores = {name: class_scores(one, codes) for name, one in predictions.items()}
    return scores, (between - begin, end - between)


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
                rows.add(table, number, method, name, values, seconds)
            spent += time.process_time() - begin
            first = list(scores[method.name].items())[:2]
            shown = "  ".join(f"{key} {value:.4f}" for key, value in first)
            print(f"{table:16s}{number:2d}  {method.name:22s}{shown}  {sum(seconds):.1f} s", flush=True)
    if left_out:
        print(f"left out, as not installed: {', '.join(sorted(left_out))}")
    return spent
