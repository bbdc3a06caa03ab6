"""The page docs/accuracy.md and its pictures, made of the rows alone."""

from pathlib import Path

import numpy as np

from .bars import class_bars, regression_bars
from .markup import by_table, class_summary, label, regression_summary
from .methods import CONTROLS, LINEAR_STACK, METHODS, MODELS, OURS, POOL, STACKING, words_of
from .picture import draw_ranks
from .ranks import mean_ranks, results_of
from .rows import PROTOCOL, Rows
from .tables import SPLITS, TABLES, n_splits
from .words import BARS, CLASSES, HEAD, LEFT_OUT, MODEL_TEXT, PROTOCOL_TEXT, SUMMARY

__all__ = ["page_of", "write_page"]

DOCS = Path(__file__).parents[2] / "docs"
ALWAYS = ("worst_row", "fit_seconds", "predict_seconds", "models_seconds")
SHARED = (LINEAR_STACK, *CONTROLS)  # rows of the fit of our stack
MEASURES = {
    "regression": ("rmse", "log_score", "crps", "coverage", *ALWAYS),
    "classes": ("log_loss", "log_loss_error", "accuracy", "brier", *ALWAYS),
}
PICTURES = (
    ("regression", "rmse", "RMSE"),
    ("regression", "log_score", "log score"),
    ("classes", "log_loss", "log loss"),
)


def _n_common(task, rows):
    """How many splits count: those that every method of the pool with rows has on every table that has so many."""
    numbers = {}
    for row in rows:
        if row["method"] in POOL[task]:
            numbers.setdefault(row["method"], set()).add((row["table"], row["split"]))
    for split in range(SPLITS):
        wanted = {(table, split) for table in TABLES[task] if split < n_splits(table)}
        if not all(wanted <= have for have in numbers.values()):
            return max(split, 1)
    return SPLITS


def _results(task, rows, names=None):
    """Results of the splits that count, as many of them as a table has."""
    names = names or [*(method.name for method in METHODS[task]), *SHARED]
    common = _n_common(task, rows)
    splits = {table: min(common, n_splits(table)) for table in TABLES[task]}
    return results_of([row for row in rows if row["split"] < common], TABLES[task], names, MEASURES[task], splits)


def _ranked(task, found):
    """The methods of the pool that have all rows."""
    complete = found.complete()
    return complete.of([name for name in POOL[task] if name in complete.methods])


def _versions(rows):
    found = sorted({(row["package"], row["version"]) for row in rows})
    return ", ".join(f"{package} {version}" for package, version in found)


def _spent(rows):
    """CPU of all rows, those of peers and ours; rows beside that of our stack share its seconds."""
    seconds = {True: 0.0, False: 0.0}
    for row in rows:
        if row["method"] not in SHARED and not row["method"].startswith("model_"):
            seconds[row["method"] in OURS] += row["fit_seconds"] + row["predict_seconds"]
    return f"{seconds[False] / 60:.0f} minutes of CPU for peers, {seconds[True] / 60:.0f} for ours"


def _not_run(found):
    """Which methods have no rows, or not all of them."""
    grid, lines = found.measures["worst_row"], []
    for name, column in zip(found.methods, grid.T, strict=True):
        missing = [table for table, value in zip(found.tables, column, strict=True) if np.isnan(value)]
        if missing:
            where = "all tables" if len(missing) == len(found.tables) else ", ".join(missing)
            lines.append(f"- {label(name)}: {where}")
    if not lines:
        return "Every method was run on every split of every table."
    return "Not run on all splits, and so without a rank:\n\n" + "\n".join(lines)


def _models(task, rows, measure):
    """The models of our stack beside the stacks, where all are complete."""
    names = [STACKING, *SHARED, *MODELS[task]]
    yield "### The models of the stacks"
    yield MODEL_TEXT
    yield by_table(_results(task, rows, names), measure)


def _bars(task, rows, ranked):
    """What our stack is to reach, once it has all rows."""
    if STACKING not in ranked.methods or LINEAR_STACK not in ranked.methods:
        return
    yield f"### What `HMEStacking{'Regressor' if task == 'regression' else 'Classifier'}` is to reach"
    if task == "regression":
        yield BARS
        yield regression_bars(_results(task, rows).complete(), ranked)
    else:
        yield class_bars(_results(task, rows, [STACKING, LINEAR_STACK, *MODELS[task]]))


def _counted(task, rows):
    common = _n_common(task, rows)
    if common == SPLITS:
        return f"All of the {SPLITS} splits count."
    return f"So far the first {common} of {SPLITS} splits count, those that every method with rows in the pool has."


def _listed(task, names):
    return "\n".join(f"- **{label(name)}**: {words_of(task, name)}" for name in names)


def _regression(rows):
    found = _results("regression", rows)
    ranked = _ranked("regression", found)
    others = [method.name for method in METHODS["regression"] if method.name not in POOL["regression"]]
    yield "## Regression"
    yield f"The pool of {len(POOL['regression'])} whose ranks are counted:"
    yield _listed("regression", POOL["regression"])
    yield LEFT_OUT
    yield _listed("regression", [*others, *CONTROLS])
    yield _not_run(found)
    yield _counted("regression", rows)
    yield f"### Ranks among {len(ranked.methods)} methods on {len(found.tables)} tables"
    yield "![Mean ranks in RMSE](images/accuracy_rmse.svg)"
    yield "![Mean ranks in log score](images/accuracy_log_score.svg)"
    yield SUMMARY
    if ranked.methods:
        yield regression_summary(found.complete(), ranked)
    yield from _bars("regression", rows, ranked)
    for measure, title in (("rmse", "RMSE"), ("log_score", "Log score"), ("crps", "CRPS")):
        yield f"### {title}"
        yield by_table(found, measure)
    yield "### Coverage of 90 % intervals"
    yield by_table(found, "coverage", mark=False)
    yield from _models("regression", rows, "rmse")


def _classes(rows):
    found = _results("classes", rows)
    ranked = _ranked("classes", found)
    yield "## Classes"
    yield CLASSES
    yield _listed("classes", POOL["classes"])
    yield _not_run(found)
    yield _counted("classes", rows)
    yield f"### Ranks among {len(ranked.methods)} methods on {len(found.tables)} tables of classes"
    yield "![Mean ranks in log loss](images/accuracy_log_loss.svg)"
    if ranked.methods:
        yield class_summary(found.complete(), ranked)
    yield from _bars("classes", rows, ranked)
    for measure, title in (("log_loss", "Log loss"), ("accuracy", "Accuracy"), ("brier", "Brier score")):
        yield f"### {title}"
        yield by_table(found, measure)
    yield "### Standard error of the log loss"
    yield by_table(found, "log_loss_error", mark=False)
    yield from _models("classes", rows, "log_loss")


def page_of(rows):
    """Text of the page, of rows by task."""
    everything = [row for task in METHODS for row in rows[task]]
    protocol = PROTOCOL_TEXT.format(protocol=PROTOCOL, versions=_versions(everything), spent=_spent(everything))
    return "\n\n".join([HEAD, protocol, *_regression(rows["regression"]), *_classes(rows["classes"])]) + "\n"


def write_page(docs=DOCS):
    rows = {task: list(Rows(task)) for task in METHODS}
    for task, measure, words in PICTURES:
        ranked = _ranked(task, _results(task, rows[task]))
        if not ranked.methods:
            continue
        names, ranks = [label(name) for name in ranked.methods], mean_ranks(ranked, measure)
        title = f"mean rank in {words}, {len(ranked.tables)} tables"
        draw_ranks(docs / "images" / f"accuracy_{measure}.svg", names, ranks, len(ranked.tables), title)
    (docs / "accuracy.md").write_text(page_of(rows), encoding="utf-8")
    print(f"written: {docs / 'accuracy.md'}")
