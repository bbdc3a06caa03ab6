"""Systems of equations and spectra of small symmetric matrices, many at once."""

import numpy as np

__all__ = ["NULL_EIGENVALUE", "clip_spectrum", "solve_centred", "solve_psd", "whitener"]

# An eigenvalue of a scaled Gram matrix counts as zero if it is below this fraction of the largest one.
NULL_EIGENVALUE = 1e-12
# A matrix of unit diagonal is far from singular if all pivots of its Cholesky factor are above this.
REGULAR_PIVOT = 1e-3


def solve_psd(A, b):
    """Minimum-norm solutions of symmetric positive semi-definite systems.

    Each system is first scaled to a unit diagonal, so that the solution does not depend on the units of the columns.

    Parameters
    ----------
    A : ndarray of shape (..., p, p)
    b : ndarray of shape (..., p, r)

    Returns
    -------
    ndarray of shape (..., p, r)

    Examples
    --------
    >>> import numpy as np
    >>> from hme.kernels import solve_psd
    >>> solve_psd(np.array([[2.0, 2.0], [2.0, 2.0]]), np.array([[2.0], [2.0]]))  # of all solutions the shortest
    array([[0.5],
           [0.5]])
    """
    A, b, inverse = _scaled(A, b)
    if _is_regular(A):
        return inverse * np.linalg.solve(A, b)
    values, vectors = np.linalg.eigh(A)
    keep = values > NULL_EIGENVALUE * np.maximum(values[..., -1:], np.finfo(float).tiny)
    return inverse * (vectors @ (_inverted(values, keep)[..., None] * (np.swapaxes(vectors, -1, -2) @ b)))


def solve_centred(A, b, full=True):
    """Solutions of systems to which the same vector in all slots adds nothing, or what a penalty charges it alone.

    Such systems are singular. The solutions that sum to zero over the slots do not pay a charge on that vector, with
    which most systems are far from singular; where they are not, the solutions are those of `solve_psd`.

    Parameters
    ----------
    A : ndarray of shape (Q, C p, C p)
    b : ndarray of shape (Q, C, p)
        It sums to zero over the slots.
    full : bool
        Whether all slots exist.

    Returns
    -------
    ndarray of shape (Q, C, p)
    """
    Q, C, p = b.shape
    right = b.reshape(Q, C * p, 1)
    if full:
        charged, column = A.copy(), np.arange(p)
        charge = np.diagonal(A, axis1=1, axis2=2).reshape(Q, C, p).mean(axis=1) / C
        charged.reshape(Q, C, p, C, p)[:, :, column, :, column] += charge.T[:, :, None, None]
        charged, scaled, inverse = _scaled(charged, right)
        if _is_regular(charged):
            return (inverse * np.linalg.solve(charged, scaled)).reshape(b.shape)
    return solve_psd(A, right).reshape(b.shape)


def _scaled(A, b):
    """Systems of unit diagonal, and the factors (..., p, 1) on their solutions."""
    scale = np.sqrt(np.maximum(np.diagonal(A, axis1=-2, axis2=-1), 0.0))
    inverse = _inverted(scale, scale > 0)[..., None]
    return A * inverse * np.swapaxes(inverse, -1, -2), b * inverse, inverse


def _is_regular(A):
    """Whether all matrices (..., p, p) of unit diagonal are far from singular, by the pivots of Cholesky's method."""
    try:
        pivots = np.diagonal(np.linalg.cholesky(A), axis1=-2, axis2=-1)
    except np.linalg.LinAlgError:
        return False
    return bool((pivots > REGULAR_PIVOT).all())


def _inverted(values, where):
    """Reciprocals of the values there, zero elsewhere."""
    return 1.0 / values if where.all() else np.divide(1.0, values, out=np.zeros_like(values), where=where)


def clip_spectrum(S, floor):
    """Symmetric matrices S (..., p, p) with the eigenvalues of F^-1/2 S F^-1/2 raised to at least 1, F = diag(floor).

    The result maximises the likelihood over all covariance matrices that are at least F, eq. (covariance-floor).

    Parameters
    ----------
    S : ndarray of shape (..., p, p)
    floor : ndarray of shape (p,)

    Returns
    -------
    ndarray of shape (..., p, p)

    Examples
    --------
    >>> import numpy as np
    >>> from hme.kernels import clip_spectrum
    >>> clip_spectrum(np.diag([4.0, 0.1]), np.ones(2))
    array([[4., 0.],
           [0., 1.]])
    """
    root = np.sqrt(floor)
    unit = S / (root[:, None] * root)
    values, vectors = np.linalg.eigh(unit)
    clipped = (vectors * np.maximum(values, 1.0)[..., None, :]) @ np.swapaxes(vectors, -1, -2)
    free = (values >= 1.0).all(axis=-1)[..., None, None]
    return np.where(free, unit, clipped) * (root[:, None] * root)


def whitener(S):
    """Inverse Cholesky factors W (..., p, p) of covariances S: W x has identity covariance if x has covariance S.

    Parameters
    ----------
    S : ndarray of shape (..., p, p)

    Returns
    -------
    ndarray of shape (..., p, p)

    Examples
    --------
    >>> import numpy as np
    >>> from hme.kernels import whitener
    >>> S = np.array([[4.0, 2.0], [2.0, 2.0]])
    >>> W = whitener(S)
    >>> np.allclose(W @ S @ W.T, np.eye(2))
    True
    """
    scale = np.sqrt(np.diagonal(S, axis1=-2, axis2=-1))
    correlation = S / (scale[..., :, None] * scale[..., None, :])
    return np.linalg.inv(np.linalg.cholesky(correlation)) / scale[..., None, :]
