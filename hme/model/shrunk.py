"""Families with a penalty whose strength may be estimated from the rows."""

from copy import copy

from ..numerics.shrinkage import START

__all__ = ["AUTO", "Shrunk"]

AUTO = "auto"


class Shrunk:
    """What a family with the hyper-parameter `alpha`, a number or "auto", tells of the strength in force.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (p,)
        Of a bound family, the strength in force.
    """

    @property
    def _auto(self):
        return isinstance(self.alpha, str) and self.alpha == AUTO

    @property
    def _strength(self):
        """The strength to bind with."""
        return vars(self).get("alpha_", START) if self._auto else self.alpha

    @property
    def alphas(self):
        return {"": self._strength} if self._auto else {}

    def with_alphas(self, alphas):
        if not self._auto:
            return self
        other = copy(self)
        other.alpha_ = alphas.get("", START)
        return other

    def evidence(self, params, stats):
        return {"": self._evidence(params, stats)} if self._auto else {}

    def _evidence(self, params, stats):
        """What the rows say of the strength, an `Evidence`."""
        raise NotImplementedError(f"{type(self).__name__} has no evidence on its strength.")

    def _check_auto(self):
        """Raise an error where the strength cannot be estimated."""
        if isinstance(self.alpha, str) and not self._auto:
            raise ValueError(f"alpha must be a finite number >= 0 or 'auto', got {self.alpha!r}.")
        if self._auto and getattr(self, "l1_ratio", 0.0):
            raise ValueError(
                f"alpha = 'auto' needs l1_ratio = 0, got l1_ratio = {self.l1_ratio!r}: strengths of a lasso are not "
                "estimated from the evidence. Give a number, or choose it with hme.path.alpha_path."
            )
