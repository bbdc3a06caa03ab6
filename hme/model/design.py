"""Design columns: standardised for computation, reported in the user's units; the last one is the intercept."""

import numpy as np
import scipy.sparse as sp

from ..numerics.kernels import moments

__all__ = ["LARGEST", "Design"]

LARGEST = 1e100  # for values beyond this size, or below its inverse, products of squares overflow or underflow
FARTHEST = 1e5  # largest distance from zero, in standard deviations, of a column that is not centred


class Design:
    """The map from a table of features to the design matrix of the experts or of the gate.

    Columns are always standardised for computation (sparse ones are scaled, never centred). With ``standardize=False``
    the penalty is rescaled, so that it acts on the columns in the user's units. The last column holds the ones of the
    intercept, which is not penalised.

    Attributes
    ----------
    center, scale : ndarray of shape (p,)
        Subtracted from the columns, and then divided by.
    penalty_scale : ndarray of shape (p + 1,)
        Factors on the ridge strength of each design column; zero for the intercept.
    names : sequence of str or None
        Names of the columns, for constraints that refer to them by name.
    mean : ndarray of shape (p,)
        Means of the columns; `center` is zero where they are sparse.
    """

    def __init__(self, center, scale, standardize, names=None, mean=None):
        self.center, self.scale, self.names = center, scale, names
        self.mean = center if mean is None else mean
        self.penalty_scale = np.append(np.ones_like(scale) if standardize else scale**-2.0, 0.0)

    @classmethod
    def fit(cls, X, weight, standardize, names=None):
        """The design of a training table X (n, p), dense or sparse, with row weights (n,)."""
        largest = np.asarray(abs(X).max(axis=0).toarray() if sp.issparse(X) else np.abs(X).max(axis=0)).ravel()
        odd = np.flatnonzero((largest > LARGEST) | ((largest > 0) & (largest < 1.0 / LARGEST)))
        if len(odd):
            raise ValueError(
                f"X has values larger than {LARGEST:g} or smaller than {1 / LARGEST:g} in absolute value in column(s) "
                f"{odd.tolist()}: their squares overflow or underflow; change their units."
            )
        mean, scale = moments(X, weight)
        # A column that is constant up to round-off holds no information. After centring only round-off is left, which
        # must not be scaled up.
        size = np.sqrt(mean**2 + scale**2)
        if sp.issparse(X):
            far = np.flatnonzero((np.abs(mean) > FARTHEST * scale) & (scale > 1e-12 * size))
            if len(far):
                raise ValueError(
                    f"X is sparse and the means of its column(s) {far.tolist()} are more than {FARTHEST:g} standard "
                    "deviations from zero; sparse columns are not centred. Use X.toarray() or subtract the means."
                )
        scale = np.where(scale > 1e-12 * size, scale, np.where(size > 0, size, 1.0))
        center = np.zeros_like(mean) if sp.issparse(X) else mean
        return cls(center, scale, standardize, names, mean)

    def intercept(self):
        """The design with the intercept as its only column."""
        return Design(self.center[:0], self.scale[:0], True, None if self.names is None else self.names[:0])

    def transform(self, X):
        """Design matrix (n, p + 1): a dense array in Fortran order, or a CSR matrix for sparse X."""
        if sp.issparse(X) and self.center.any():  # the design was fitted to a dense table
            X = X.toarray()
        if sp.issparse(X):
            ones = sp.csr_matrix(np.ones((X.shape[0], 1)))
            return sp.hstack([X @ sp.diags(1.0 / self.scale), ones], format="csr")
        design = np.empty((X.shape[0], X.shape[1] + 1), order="F")
        np.subtract(X, self.center, out=design[:, :-1])
        design[:, :-1] /= self.scale
        design[:, -1] = 1.0
        return design

    def to_user_units(self, coef):
        """Slopes (..., p) and intercepts (...) in the user's units, from coefficients (..., p + 1) of the design."""
        slope = coef[..., :-1] / self.scale
        return slope, coef[..., -1] - slope @ self.center
