"""What our stacks are to reach, beside what they did, as tables of Markdown."""

import numpy as np

from .markup import markdown
from .methods import LINEAR_STACK, MODELS, STACKING, TUNED
from .ranks import mean_ranks

__all__ = ["class_bars", "regression_bars"]


def _of(found, values):
    """The value of our stack, of values by method."""
    return values[found.methods.index(STACKING)]


def _table(lines):
    return markdown(["what", "wanted", "reached", ""], [[*words, "yes" if met else "no"] for *words, met in lines])


def _at_most(words, bound, value, note=""):
    return words, f"at most {bound:g}", f"{value:.3f}{note}", value <= bound


def _cpu(found):
    """CPU of fits as multiples of that of their models: of all tables together, and the largest of a table."""
    whole, models = (_of(found, found.measures[key].T) for key in ("fit_seconds", "models_seconds"))
    return whole.sum() / models.sum(), (whole / models).max()


def _cpu_line(found):
    together, largest = _cpu(found)
    return _at_most("CPU of the fit / that of its models", 1.25, together, f" (largest of a table {largest:.2f})")


def regression_bars(found, ranked):
    """Of results that are complete, and those of them that are ranked."""
    n = len(found.tables)
    ratios = _of(found, found.ratios("rmse", LINEAR_STACK).T)
    better = int((_of(found, found.differences("log_score", LINEAR_STACK).T) > 0).sum())
    worst = _of(found, found.measures["worst_row"].T).min()
    coverage = _of(found, found.measures["coverage"].T).mean()
    return _table(
        [
            _at_most("mean rank in RMSE", 2.5, _of(ranked, mean_ranks(ranked, "rmse"))),
            _at_most("mean rank in log score", 1.5, _of(ranked, mean_ranks(ranked, "log_score"))),
            _at_most("RMSE / tuned boosting, geometric mean", 0.98, _of(found, found.geometric("rmse", TUNED))),
            _at_most("RMSE / linear stack, geometric mean", 0.99, _of(found, found.geometric("rmse", LINEAR_STACK))),
            _at_most("RMSE / linear stack, largest", 1.01, ratios.max(), f" ({found.tables[int(ratios.argmax())]})"),
            ("log score better than the linear stack's", f"{n} of {n}", f"{better} of {n}", better == n),
            ("worst row", "at least -50", f"{worst:.1f}", worst >= -50),
            ("mean coverage of 90 % intervals", "0.88 to 0.92", f"{coverage:.3f}", 0.88 <= coverage <= 0.92),
            _cpu_line(found),
        ]
    )


def class_bars(found):
    """Of results that have all rows of our stack, the linear one, and the models alone."""
    n, loss = len(found.tables), found.measures["log_loss"]
    own = _of(found, loss.T)
    columns = [found.methods.index(name) for name in MODELS["classes"]]
    best = loss[:, columns].argmin(axis=1)[:, None]
    bounds = [
        np.take_along_axis(grid[:, columns], best, axis=1)[:, 0] for grid in (loss, found.measures["log_loss_error"])
    ]
    near, better = int((own <= sum(bounds)).sum()), int((own < loss[:, found.methods.index(LINEAR_STACK)]).sum())
    return _table(
        [
            (
                "log loss within a standard error of its best model's, or less",
                f"{n} of {n}",
                f"{near} of {n}",
                near == n,
            ),
            ("log loss less than the linear stack's", f"{n - 2} of {n}", f"{better} of {n}", better >= n - 2),
            _cpu_line(found),
        ]
    )
