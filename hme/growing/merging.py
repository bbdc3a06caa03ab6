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
    uncertainty: Any = None  # `Uncertainty` of the parameters
    factor: float = 1.0  # on the variances, from rows that were held out

    @property
    def n_leaves(self):
        return self.mixture.n_leaves(self.params)


class Average(NamedTuple):
    """The mixture of several mixtures of the same family and columns, with fixed shares.

    It is a mixture of experts as well: that under a root without columns, whose branches are the parts.
    """

    parts: list  # of Part

    def is_tree(self, tree):
        """Whether nothing but a tree of one size is left."""
        return len(self.parts) == 1 and self.parts[0].n_leaves == tree.n_leaves

    def informed(self, rows):
        """The average whose parts know how uncertain their parameters are, from the rows of the fit."""
        return Average([part._replace(uncertainty=_uncertainty(part, rows)) for part in self.parts])

    def mean(self, rows, held):
        """Mean of y given x, (n, T), or class probabilities (n, C).

        Parameters
        ----------
        rows : Rows
        held : Rows
            The same with columns held at their ranges, for parts of several experts.
        """
        return sum(part.share * part.mixture.mean(part.params, _seen(part, rows, held)) for part in self.parts)

    def log_proba(self, rows, held, n_classes):
        """Logarithms of class probabilities, (n, C)."""
        return np.logaddexp.reduce(
            [
                np.log(part.share) + part.mixture.log_proba(part.params, _seen(part, rows, held), n_classes)
                for part in self.parts
            ]
        )

    def distribution(self, rows, held, flat, index=None):
        """The predictive distribution of y."""
        parts = [
            (part.share, part.mixture, part.params, _seen(part, rows, held), part.uncertainty) for part in self.parts
        ]
        return average_distribution(parts, flat, index)


def _seen(part, rows, held):
    return rows if part.n_leaves == 1 else held


def _uncertainty(part, rows):
    if rows.y.ndim == 1:  # class codes, whose probabilities are as they are
        return None
    found = part.mixture.uncertainty(part.params, rows)
    return found._replace(inflation=np.full(len(found.inflation), part.factor))
