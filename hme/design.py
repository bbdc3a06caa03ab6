"""Design columns: standardised inside, in the user's units outside, the intercept's ones kept last and unpenalised."""

import numpy as np
import scipy.sparse as sp

from .kernels import moments

__all__ = ["Design"]


class Design:
    """The map from a table of features to the design matrix that experts and gate see.

    Columns are always standardised for the numerics (sparse ones are scaled, never centred). With
    ``standardize=False`` the penalty is rescaled instead, so that it acts on the columns as the user gave them.

    Attributes
    ----------
    center, scale : ndarray of shape (p,)
    penalty_scale : ndarray of shape (p + 1,)
        What the L2 strength of each design column is multiplied with; zero for the intercept.
    """

    def __init__(self, center, scale, standardize):
        self.center, self.scale = center, scale
        self.penalty_scale = np.append(np.ones_like(scale) if standardize else scale**-2.0, 0.0)

    @classmethod
    def fit(cls, X, weight, standardize):
        mean, scale = moments(X, weight)
        # A column that is constant up to rounding carries nothing: centring it leaves noise that must not be blown up.
        size = np.sqrt(mean**2 + scale**2)
        scale = np.where(scale > 1e-12 * size, scale, np.where(size > 0, size, 1.0))
        center = np.zeros_like(mean) if sp.issparse(X) else mean
        return cls(center, scale, standardize)

    def transform(self, X):
        """Design matrix of shape (n, p + 1), dense column by column, or sparse rows."""
        if sp.issparse(X):
            ones = sp.csr_matrix(np.ones((X.shape[0], 1)))
            return sp.hstack([X @ sp.diags(1.0 / self.scale), ones], format="csr")
        design = np.empty((X.shape[0], X.shape[1] + 1), order="F")
        np.subtract(X, self.center, out=design[:, :-1])
        design[:, :-1] /= self.scale
        design[:, -1] = 1.0
        return design

    def to_user_units(self, coef):
        """Slopes (..., p) and intercepts (...) for the user's columns, from coefficients (..., p + 1) of the design."""
        slope = coef[..., :-1] / self.scale
        return slope, coef[..., -1] - slope @ self.center
