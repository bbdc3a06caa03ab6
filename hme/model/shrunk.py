"""Families with a penalty whose strength, or strengths by column, may be estimated from the rows."""

from copy import copy

import numpy as np

from ..numerics.shrinkage import START

__all__ = ["ARD", "AUTO", "Shrunk", "same_alphas"]

AUTO, ARD = "auto", "ard"


class Shrunk:
    """What a family with the hyper-parameter `alpha`, a number or a word, tells of the strength in force.

    The words are "auto", one strength that is estimated, and "ard", one for each column.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (p,)
        Of a bound family, the strength in force.
    """

    estimates = frozenset({AUTO, ARD})  # words that the family takes

    @property
    def _estimated(self):
        return isinstance(self.alpha, str) and self.alpha in self.estimates

    @property
    def by_column(self):
        """Whether every column has a strength of its own that is estimated."""
        return self._estimated and self.alpha == ARD

    def _strength(self, design):
        """The strength to bind with to the columns of a design, after checks."""
        self._check_words()
        alpha = vars(self).get("alpha_", START) if self._estimated else self.alpha
        return np.full(design.scale.shape, alpha) if self.by_column else alpha

    @property
    def alphas(self):
        return {"": vars(self).get("alpha_", START)} if self._estimated else {}

    def with_alphas(self, alphas):
        if not self._estimated:
            return self
        other = copy(self)
        other.alpha_ = alphas.get("", START)
        return other

    def evidence(self, params, stats):
        if not self._estimated:
            return {}
        of_columns = self._evidence(params, stats)
        return {"": of_columns if self.by_column else of_columns.together()}

    def _evidence(self, params, stats):
        """What the rows say of the strength of every column, an `Evidence`."""
        raise NotImplementedError(f"{type(self).__name__} has no evidence on its strength.")

    def _check_words(self):
        """Raise an error where the strength cannot be estimated."""
        if isinstance(self.alpha, str) and not self._estimated:
            others = ", an array of them, 'auto' or 'ard'" if ARD in self.estimates else " or 'auto'"
            raise ValueError(f"alpha must be a finite number >= 0{others}, got {self.alpha!r}.")
        if self._estimated and getattr(self, "l1_ratio", 0.0):
            raise ValueError(
                f"alpha = {self.alpha!r} needs l1_ratio = 0, got l1_ratio = {self.l1_ratio!r}: strengths of a lasso "
                "are not estimated from the evidence. Give a number, or choose it with hme.path.alpha_path."
            )


def same_alphas(a, b):
    """Whether two dicts from names to strengths, or to arrays of them, say the same."""
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)
