"""What rows say together: means over splits, ranks over tables, ratios to one method."""

from typing import NamedTuple

import numpy as np
from scipy import stats

__all__ = ["LARGER_IS_BETTER", "Results", "critical_difference", "mean_ranks", "ranked_groups", "results_of"]

LARGER_IS_BETTER = {"log_score", "accuracy", "worst_row"}


class Results(NamedTuple):
    """Measures of methods: arrays (tables, methods) of means over the splits, nan where a split is missing."""

    tables: tuple
    methods: tuple
    measures: dict

    def of(self, methods):
        """Some of the methods."""
        columns = [self.methods.index(name) for name in methods]
        return Results(self.tables, tuple(methods), {key: grid[:, columns] for key, grid in self.measures.items()})

    def complete(self):
        """Those of the methods that have all splits of all tables."""
        first = next(iter(self.measures.values()))
        return self.of([name for name, column in zip(self.methods, first.T, strict=True) if np.isfinite(column).all()])

    def ratios(self, measure, base):
        """Quotients (tables, methods) of a measure and that of one method."""
        grid = self.measures[measure]
        return grid / grid[:, [self.methods.index(base)]]

    def geometric(self, measure, base):
        """Geometric means (methods,) over the tables of these quotients."""
        return np.exp(np.log(self.ratios(measure, base)).mean(axis=0))

    def differences(self, measure, base):
        grid = self.measures[measure]
        return grid - grid[:, [self.methods.index(base)]]

    def near_best(self, measure, methods):
        """Whether methods (tables, methods) are within a standard error of the best of some; smaller is better."""
        columns = [self.methods.index(name) for name in methods]
        grid, error = self.measures[measure], self.measures[f"{measure}_error"]
        best = grid[:, columns].min(axis=1, keepdims=True)
        slack = np.where(grid[:, columns] == best, error[:, columns], 0.0).max(axis=1, keepdims=True)
        return grid <= best + slack


def _gathered(values, measure, wanted):
    if len(values) < wanted:
        return np.nan
    if measure == "worst_row":
        return min(values)
    if measure.endswith("_error"):  # standard errors of means over splits
        return np.sqrt(np.sum(np.square(values))) / len(values)
    return float(np.mean(values))


def results_of(rows, tables, methods, measures, splits):
    """Results of rows; `splits` gives the number of splits of each table."""
    values = {}
    for row in rows:
        values.setdefault((row["table"], row["method"]), []).append(row)
    grids = {}
    for measure in measures:
        grid = [
            [
                _gathered([row.get(measure, np.nan) for row in values.get((table, name), ())], measure, splits[table])
                for name in methods
            ]
            for table in tables
        ]
        grids[measure] = np.array(grid, dtype=float).reshape(len(tables), len(methods))
    return Results(tuple(tables), tuple(methods), grids)


def mean_ranks(results, measure):
    """Mean rank (methods,) over the tables, from 1 for the best; ties share."""
    grid = results.measures[measure]
    return stats.rankdata(-grid if measure in LARGER_IS_BETTER else grid, axis=1).mean(axis=0)


def critical_difference(n_methods, n_tables, level=0.05):
    """Difference of mean ranks beyond which two methods differ by Nemenyi's test, Demsar (2006), eq. 6."""
    q = stats.studentized_range.ppf(1 - level, n_methods, np.inf) / np.sqrt(2)
    return float(q * np.sqrt(n_methods * (n_methods + 1) / (6 * n_tables)))


def ranked_groups(ranks, difference):
    """Pairs of first and last place, in the order of ranks, of the largest groups within the critical difference."""
    ranks = np.sort(ranks)
    last = [int(np.searchsorted(ranks, rank + difference, side="right")) - 1 for rank in ranks]
    groups = [(first, end) for first, end in enumerate(last) if end > first]
    return [pair for number, pair in enumerate(groups) if number == 0 or pair[1] > groups[number - 1][1]]
