"""Design columns: standardised for computation, reported in the user's units; the last one is the intercept."""

import numpy as np
import scipy.sparse as sp

from ..numerics.kernels import ROUND_OFF, extremes, moments
from .wording import columns_named

__all__ = ["LARGEST", "Design"]

LARGEST = 1e100  # for values beyond this size, or below its inverse, products of squares overflow or underflow
FARTHEST = 1e5  # largest distance from zero, in standard deviations, of a column that is not centred


class Design:
    """The map from a table of features to the design matrix of the experts or of the gate.

    Columns are always standardised for computation (sparse ones are scaled, and centred only where they are constant).
    With ``standardize=False`` the penalty is rescaled, so that it acts on the columns in the user's units. The last
    column holds the ones of the intercept, which is not penalised.

    Attributes
    ----------
    center, scale : ndarray of shape (p,)
        Subtracted from the columns, and then divided by.
    constant : ndarray of bool of shape (p,)
        The columns that are constant in the training table, as `hme.kernels.moments` finds them.
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
        self.constant = np.zeros(len(scale), dtype=bool)
        self.penalty_scale = np.append(np.ones_like(scale) if standardize else scale**-2.0, 0.0)

    @classmethod
    def fit(cls, X, weight, standardize, names=None):
        """The design of a training table X (n, p), dense or sparse, with row weights (n,)."""
        largest = np.maximum(*np.abs(extremes(X)))
        odd = np.flatnonzero((largest > LARGEST) | ((largest > 0) & (largest < 1.0 / LARGEST)))
        if len(odd):
            raise ValueError(
                f"X has values larger than {LARGEST:g} or smaller than {1 / LARGEST:g} in absolute value in "
                f"{columns_named(odd, names)}: their squares overflow or underflow; change their units."
            )
        mean, std = moments(X, weight)
        constant = std == 0
        if sp.issparse(X):
            far = np.flatnonzero((np.abs(mean) > FARTHEST * std) & ~constant)
            if len(far):
                raise ValueError(
                    f"X is sparse, and the means of {columns_named(far, names)} are more than {FARTHEST:g} standard "
                    "deviations from zero; sparse columns are not centred. Use X.toarray() or subtract the means."
                )
            center = np.where(constant, mean, 0.0)
        else:
            center = mean
        scale = np.where(constant, np.where(largest > 0, largest, 1.0), std)
        design = cls(center, scale, standardize, names, mean)
        design.constant = constant
        return design

    def intercept(self):
        """The design with the intercept as its only column."""
        return Design(self.center[:0], self.scale[:0], True, None if self.names is None else self.names[:0])

    def transform(self, X):
        """Design matrix (n, p + 1): a dense array in Fortran order, or a CSR matrix for sparse X.

        A constant column is zero but for round-off, which must not be mistaken for values: there it is exactly zero.
        """
        if sp.issparse(X) and self.center[~self.constant].any():  # the design was fitted to a dense table
            X = X.toarray()
        constant = np.flatnonzero(self.constant)
        if sp.issparse(X):
            ones = sp.csr_matrix(np.ones((X.shape[0], 1)))
            return sp.hstack([self._sparse(X, constant[self.center[constant] != 0]), ones], format="csr")
        design = np.empty((X.shape[0], X.shape[1] + 1), order="F")
        np.subtract(X, self.center, out=design[:, :-1])
        design[:, :-1] /= self.scale
        for j in constant:
            design[np.abs(design[:, j]) <= ROUND_OFF, j] = 0.0
        design[:, -1] = 1.0
        return design

    def _sparse(self, X, centred):
        """The scaled columns of a sparse X; only the constant ones in `centred` have a center."""
        factor = 1.0 / self.scale
        if not len(centred):
            return X @ sp.diags(factor)
        own = (X[:, centred].toarray() - self.center[centred]) * factor[centred]
        own[np.abs(own) <= ROUND_OFF] = 0.0
        factor[centred] = 0.0
        place = sp.csr_matrix((np.ones(len(centred)), centred, np.arange(len(centred) + 1)), (len(centred), X.shape[1]))
        columns = X @ sp.diags(factor) + sp.csr_matrix(own) @ place
        columns.eliminate_zeros()
        return columns

    def to_user_units(self, coef):
        """Slopes (..., p) and intercepts (...) in the user's units, from coefficients (..., p + 1) of the design."""
        slope = coef[..., :-1] / self.scale
        return slope, coef[..., -1] - slope @ self.center
