"""Several mixtures of different sizes as one predictive mixture, eq. (size-average)."""

from typing import Any, NamedTuple

import numpy as np

from ..model.mixture import Mixture
from ..prediction import average_distribution

__all__ = ["Average", "Part"]


class Part(NamedTuple):
    """A mixture of an average."""

    share: float
    mixture: Mixture
    params: Any
    factor: float = 1.0  # on the variances, from rows that were held out
    candidate: int = 0  # number of the candidate that has grown
    columns: Any = None  # `Columns` that its experts and gate see
    ranges: Any = None  # `Ranges` of them
    uncertainty: Any = None  # `Uncertainty` of the parameters

    @property
    def n_leaves(self):
        return self.mixture.n_leaves(self.params)

    def among(self, rows, columns, ranges):
        """The part that knows its columns, and how uncertain its parameters are, from the rows of the fit."""
        uncertainty = None
        if rows.y.ndim == 2:  # class codes have probabilities, which are as they are
            found = self.mixture.uncertainty(self.params, rows)
            uncertainty = found._replace(inflation=np.full(len(found.inflation), self.factor))
        return self._replace(columns=columns, ranges=ranges, uncertainty=uncertainty)


class Average(NamedTuple):
    """The mixture of several mixtures, with fixed shares.

    It is a mixture of experts as well: that under a root without columns, whose branches are the parts.
    """

    parts: list  # of Part

    def is_tree(self, tree, candidate):
        """Whether nothing but a tree of one size is left."""
        return [(part.n_leaves, part.candidate) for part in self.parts] == [(tree.n_leaves, candidate)]

    def mean(self, seen):
        """Mean of y given x, (n, T), or class probabilities (n, C).

        Parameters
        ----------
        seen : list of Rows
            As each part sees them.
        """
        pairs = zip(self.parts, seen, strict=True)
        return sum(part.share * part.mixture.mean(part.params, rows) for part, rows in pairs)

    def log_proba(self, seen, n_classes):
        """Logarithms of class probabilities, (n, C)."""
        pairs = zip(self.parts, seen, strict=True)
        return np.logaddexp.reduce(
            [np.log(part.share) + part.mixture.log_proba(part.params, rows, n_classes) for part, rows in pairs]
        )

    def distribution(self, seen, flat, index=None):
        """The predictive distribution of y."""
        parts = [
            (part.share, part.mixture, part.params, rows, part.uncertainty)
            for part, rows in zip(self.parts, seen, strict=True)
        ]
        return average_distribution(parts, flat, index)
