"""Experts with one linear predictor each: their ridge, what it draws to, and the constraints on their coefficients."""

from ..checks import check_choice, check_real
from ..constraints import Constraints
from .base import AdditiveExpert

__all__ = ["LinearPredictorExpert"]

# Descriptions of parameters that many families share.
PARAMETERS = {
    "{constraints}": """shared_coef : None, True or sequence of columns, default=None
        Columns, by name or number, whose coefficient is the same for all experts; "intercept" is one of them. True is
        every slope.
    fixed_coef : dict or None, default=None
        Columns and the values that their coefficients are held at, in the user's units: one number, or one for each
        expert.
    nonnegative : bool or sequence of columns, default=False
        Columns whose coefficients are >= 0; True is every slope.""",
    "{scaled}": """alpha : float, default=0.1
        L2 strength, a total; intercepts are free. 0 switches it off.
    shrink_to : {"global", "zero"}, default="global"
        What the slopes are drawn to: the fit of all rows together, or zero.
    dispersion_prior : (float, float) or None, default=(1.0, 0.1)
        Weak prior on each dispersion: it counts as so many more rows, in each expert, whose mean deviance is this
        fraction of the global fit's dispersion. None switches it off.
    dispersion_floor : "auto" or float, default="auto"
        Least dispersion, as a fraction of that of y around its mean. "auto" is 1e-6, more where y is rounded.
    shared_dispersion : bool, default=False
        One dispersion for all experts.""",
}


class LinearPredictorExpert(AdditiveExpert):
    """A family whose experts see x through eta_k = b_k'x + offset, eq. (predictor), with coefficients (K, p).

    Subclasses have the hyper-parameters `alpha`, `shrink_to`, `shared_coef`, `fixed_coef` and `nonnegative`.
    """

    row_arguments = ("offset",)

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        for name, text in PARAMETERS.items():
            cls.__doc__ = (cls.__doc__ or "").replace(name, text)

    def _bind_predictor(self, design):
        """Check the hyper-parameters of the coefficients and bind them to the columns."""
        check_real(self.alpha, "alpha")
        check_choice(self.shrink_to, "shrink_to", ("global", "zero"))
        self.penalty_ = self.alpha * design.penalty_scale
        self.constraints_ = Constraints(self.shared_coef, self.fixed_coef, self.nonnegative, design)

    def _equation(self, coef, intercept, feature_names):
        """The linear predictor as text."""
        terms = [f"{b:+.4g} {name}" for b, name in zip(coef, feature_names, strict=True)]
        return " ".join([f"{intercept:.4g}", *terms])


def with_offset(eta, offset):
    """Linear predictors (n, K) with the rows' offset added, in place."""
    if offset is not None:
        eta += offset[:, None]
    return eta
