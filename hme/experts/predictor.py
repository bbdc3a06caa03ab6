"""Experts with one linear predictor each: their ridge, what it draws to, and the constraints on their coefficients."""

import numpy as np

from ..numerics import penalties
from ..numerics.checks import check_choice
from ..numerics.constraints import Constraints
from .base import AdditiveExpert

__all__ = ["LinearPredictorExpert"]

# Descriptions of parameters that many families share.
PARAMETERS = {
    "{penalty}": """alpha : float, default=0.1
        Strength of the penalty on the slopes, a total; intercepts are free. 0 switches it off.
    l1_ratio : float, default=0.0
        Share of `alpha` that acts on absolute values, from 0 (ridge) over elastic nets to 1 (lasso), eq. (elastic-net):
        slopes may then be exactly zero.
    shrink_to : {None, "global", "zero"}, default=None
        What the slopes are drawn to: the fit of all rows together, or zero. None is "global" for a ridge and "zero"
        where `l1_ratio` is positive.""",
    "{scale_penalty}": """scale_penalty : bool, default=True
        Whether the penalty is measured against the noise, divided by its variance as the squared residuals are, or
        taken off the log-likelihood as it is.""",
    "{constraints}": """shared_coef : None, True or sequence of columns, default=None
        Columns, by name or number, whose coefficient is the same for all experts; "intercept" is one of them. True is
        every slope.
    fixed_coef : dict or None, default=None
        Columns and the values that their coefficients are held at, in the user's units: one number, or one for each
        expert.
    nonnegative : bool or sequence of columns, default=False
        Columns whose coefficients are >= 0; True is every slope.""",
    "{scaled}": """dispersion_prior : (float, float) or None, default=(1.0, 0.1)
        Weak prior on each dispersion: it counts as so many more rows, in each expert, whose mean deviance is this
        fraction of the global fit's dispersion. None switches it off.
    dispersion_floor : "auto" or float, default="auto"
        Least dispersion, as a fraction of that of y around its mean. "auto" is 1e-6, more where y is rounded.
    shared_dispersion : bool, default=False
        One dispersion for all experts.""",
}


class LinearPredictorExpert(AdditiveExpert):
    """A family whose experts see x through eta_k = b_k'x + offset, eq. (predictor), with coefficients (K, p).

    Subclasses have the hyper-parameters `alpha`, `l1_ratio`, `shrink_to`, `shared_coef`, `fixed_coef`, `nonnegative`
    and, where the noise has a scale, `scale_penalty`.
    """

    scale_penalty = True

    row_arguments = ("offset",)

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name, text in PARAMETERS.items():
            cls.__doc__ = (cls.__doc__ or "").replace(name, text)

    def _bind_predictor(self, design):
        """Check the hyper-parameters of the coefficients and bind them to the columns."""
        self.penalty_, self.lasso_ = penalties.strengths(self.alpha, self.l1_ratio, design)
        self.to_global_ = shrinks_to_global(self)
        check_choice(self.scale_penalty, "scale_penalty", (True, False))
        self.constraints_ = Constraints(self.shared_coef, self.fixed_coef, self.nonnegative, design)
        if self.lasso_ is not None and self.constraints_.nonnegative and self.to_global_:
            raise ValueError("shrink_to='global' does not go with nonnegative where l1_ratio > 0; use 'zero'.")

    def exchangeable(self, n_leaves):
        if any(np.ndim(value) for value in (self.fixed_coef or {}).values()):  # a value for each leaf
            return np.eye(n_leaves, dtype=bool)
        return super().exchangeable(n_leaves)

    def _equation(self, coef, intercept, feature_names):
        """The linear predictor as text."""
        terms = [f"{b:+.4g} {name}" for b, name in zip(coef, feature_names, strict=True) if b != 0]
        return " ".join([f"{intercept:.4g}", *terms])


def shrinks_to_global(family):
    """Whether slopes are drawn to the fit of all rows: what `shrink_to` says, or None stands for."""
    target = check_choice(family.shrink_to, "shrink_to", (None, "global", "zero"))
    return family.l1_ratio == 0 if target is None else target == "global"


def along(old, new, damping):
    """Coefficients (K, ...) part of the way from old to new; whole ways end at `new` to the last digit."""
    damping = np.reshape(damping, (-1, *[1] * (new.ndim - 1)))
    return np.where(damping >= 1.0, new, old + damping * (new - old))


def with_offset(eta, offset):
    """Linear predictors (n, K) with the rows' offset added, in place."""
    if offset is not None:
        eta += offset[:, None]
    return eta
