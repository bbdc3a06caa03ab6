"""What gamma and inverse Gaussian experts share: targets above zero and a dispersion that scales the variance."""

from .glm import ScaledGLMExpert

__all__ = ["PositiveExpert"]


class PositiveExpert(ScaledGLMExpert):
    """Targets above zero, with a log or an inverse link."""

    links = ("log", "inverse")
    positive_only = True
    domain = "numbers > 0"

    def possible(self, rows):
        return rows.y[:, 0] > 0
