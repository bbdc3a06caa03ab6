"""Coordinates in which the log-density of a family is smooth: linear predictors, and scalars without columns.

A family describes its parameters by `Coordinates`: for each expert or gating node, the coefficients of its slots
(outputs, classes or branches) and its scalars, such as the log of a variance. The derivatives of densities and priors
with respect to them are functions of arrays, for Q experts or nodes at once.
"""

from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "STEP",
    "by_output",
    "Coordinates",
    "Scalars",
    "covariance_of",
    "covariance_scalars",
    "differenced",
    "gaussian_derivatives",
    "gaussian_prior_derivatives",
    "gaussian_sums",
    "joined",
    "log_scalars",
    "ridge_derivatives",
    "stacked",
    "symmetric_basis",
]

STEP = 2e-3  # of the finite differences
AT_BOUND = 1.0 + 1e-9  # relative tolerance within which a scale counts as being at its bound


class Scalars(NamedTuple):
    """E scalar parameters of each expert, which have no design columns.

    `value` holds unconstrained coordinates. The density may be differentiated with respect to other numbers, such as
    the entries of a covariance matrix; `inner` then holds the derivatives of those with respect to `value`.
    """

    value: np.ndarray  # (Q, E)
    terms: tuple  # E pairs (part, term), the names that the user reads
    shown: np.ndarray  # (Q, E), the values that the user reads
    rate: np.ndarray  # (Q, E, E), derivatives of `shown` with respect to `value`
    shared: np.ndarray  # (E,) of bool, whether all experts share the scalar
    held: np.ndarray  # (Q, E) of str, the reason why it is not free; "" where it is free
    inner: Any = None  # first derivatives (Q, E, E), and a `Bend` for the second; None means the identity


class Coordinates(NamedTuple):
    """Coordinates of Q experts or gating nodes: coefficients (Q, S, p) of S slots, and scalars."""

    coef: np.ndarray  # (Q, S, p) of the design columns, intercept last
    parts: tuple  # S names of the slots
    scalars: Scalars
    contrast: bool = False  # whether only differences to the first slot are identified
    used: Any = None  # (Q, S) of bool, the slots that exist; None means all
    target: Any = None  # (Q, S, p), what a lasso shrinks the slopes towards; None means no lasso
    constraints: Any = None  # `Constraints` on the coefficients of each slot


def log_scalars(value, terms, shared=False, floor=0.0, ceiling=np.inf, power=1.0):
    """Scalars that are the logarithms of positive numbers (Q, E); `power` times the logarithm is shown."""
    log = np.log(value)
    bound = np.where(value * AT_BOUND >= ceiling, "at its bound", "")
    held = np.where(value <= floor * AT_BOUND, "at its floor", bound)
    rate = np.repeat(power * np.eye(value.shape[1])[None], len(log), axis=0)
    return Scalars(log, tuple(terms), power * log, rate, np.full(value.shape[1], bool(shared)), held)


def joined(*scalars, n=0):
    """Concatenate `Scalars`; without any, return empty ones for `n` experts."""
    if not scalars:
        nothing = np.zeros((n, 0))
        free = np.zeros((n, 0), dtype="<U1")
        return Scalars(nothing, (), nothing, np.zeros((n, 0, 0)), np.zeros(0, dtype=bool), free)
    value, terms, shown, rate, shared, held, inner = zip(*scalars, strict=True)
    value, shown, held = (np.concatenate(arrays, axis=1) for arrays in (value, shown, held))
    inner = _joined_inner(inner, rate)
    return Scalars(value, sum(terms, ()), shown, _blocks(rate), np.concatenate(shared), held, inner)


def _blocks(matrices):
    """Block-diagonal matrices (Q, E, E) from matrices (Q, e, e)."""
    ends = np.cumsum([matrix.shape[1] for matrix in matrices])
    out = np.zeros((len(matrices[0]), ends[-1], ends[-1]))
    for matrix, end in zip(matrices, ends, strict=True):
        out[:, end - matrix.shape[1] : end, end - matrix.shape[1] : end] = matrix
    return out


def _joined_inner(inner, rate):
    """`inner` of concatenated scalars; None where it is the identity for all of them."""
    if all(own is None for own in inner):
        return None
    same = [np.repeat(np.eye(r.shape[1])[None], len(r), axis=0) for r in rate]
    first = _blocks([unit if own is None else own[0] for own, unit in zip(inner, same, strict=True)])
    ends = np.cumsum([unit.shape[1] for unit in same])
    bends = tuple(
        (slice(end - unit.shape[1], end), own[1])
        for own, unit, end in zip(inner, same, ends, strict=True)
        if own is not None
    )
    return first, JoinedBends(bends)


def symmetric_basis(T):
    """The T (T + 1) / 2 pairs (i, j), i <= j, and for each the symmetric matrix with ones at (i, j) and (j, i)."""
    first, second = np.triu_indices(T)
    basis = np.zeros((len(first), T, T))
    number = np.arange(len(first))
    basis[number, first, second] = basis[number, second, first] = 1.0
    return list(zip(first.tolist(), second.tolist(), strict=True)), basis


# -- covariances -----------------------------------------------------------------------------------------------------


def covariance_scalars(covariance, terms, units=1.0, shared=False, held=None):
    """Covariance matrices (Q, T, T) as unconstrained, unit-free scalars, eq. (row-scaled-root).

    With the Cholesky factorisation S = R R', R = diag(exp a) B, the scalars are a and the entries below the diagonal of
    the unit lower triangular B. Shown are the log-variances and the covariances, in the user's units.

    Parameters
    ----------
    covariance : ndarray of shape (Q, T, T)
    terms : sequence of T (T + 1) / 2 pairs (part, term)
        In the order of `symmetric_basis`.
    units : float or ndarray of shape (T,)
        Factors from the units of `covariance` to the user's, one for each output.
    shared : bool
        Whether all experts have the same covariance.
    held : ndarray of str of shape (Q, E) or None
        See `Scalars`.
    """
    Q, T, _ = covariance.shape
    pairs, _ = symmetric_basis(T)
    first, second = np.transpose(pairs)
    same = first == second
    root = np.linalg.cholesky(covariance)
    size = np.diagonal(root, axis1=1, axis2=2)
    value = root[:, second, first] / size[:, second]
    value[:, same] = np.log(size)
    slope, bend = _root_derivatives(value, T)
    units = np.broadcast_to(units, T)
    factor = units[first] * units[second]
    shown, rate = covariance[:, first, second] * factor, slope * factor[:, None]
    rate[:, same] /= shown[:, same, None]
    shown[:, same] = np.log(shown[:, same])
    held = np.full(value.shape, "") if held is None else held
    return Scalars(value, tuple(terms), shown, rate, np.full(len(pairs), bool(shared)), held, (slope, bend))


def covariance_of(value, T):
    """Covariances (Q, T, T) from the scalars (Q, E) of `covariance_scalars`."""
    root, size = _unit_root(value, T)
    return size[:, :, None] * (root @ np.swapaxes(root, 1, 2)) * size[:, None]


def _unit_root(value, T):
    """B (Q, T, T) and exp a (Q, T)."""
    first, second = np.triu_indices(T)
    root = np.repeat(np.eye(T)[None], len(value), axis=0)
    below = first != second
    root[:, second[below], first[below]] = value[:, below]
    return root, np.exp(value[:, ~below])


def _root_derivatives(value, T):
    """First derivatives (Q, E, E) of the covariances (i, j), i <= j, and the `Bend` of the second ones."""
    root, size = _unit_root(value, T)
    i, j = np.triu_indices(T)
    scale = size[:, i] * size[:, j]
    product = scale * (root @ np.swapaxes(root, 1, 2))[:, i, j]
    slope = np.empty((len(value), len(i), len(i)))
    for e, (v, u) in enumerate(zip(i, j, strict=True)):
        if u == v:
            slope[:, :, e] = product * ((i == u).astype(float) + (j == u))
        else:
            slope[:, :, e] = scale * ((i == u) * root[:, j, v] + (j == u) * root[:, i, v])
    return slope, Bend(slope, scale)


class Bend(NamedTuple):
    """Second derivatives of covariances by the scalars of `covariance_scalars`, eq. (root-derivatives).

    There are E^3 of them, of which only sums are ever needed.
    """

    slope: np.ndarray  # (Q, E, E), the first derivatives
    scale: np.ndarray  # (Q, E), exp(a_i + a_j)

    def along(self, score, q):
        """The second derivatives (E, E) of expert q, summed with weights `score` (E,)."""
        E = len(score)
        T = int(np.sqrt(2 * E))
        i, j = np.triu_indices(T)
        log = i == j
        touched = np.equal.outer(i, np.arange(T)).astype(float) + np.equal.outer(j, np.arange(T))
        by_log = touched.T @ (score[:, None] * self.slope[q])  # (T, E)
        doubled = np.zeros((T, T))
        doubled[i, j] = score * self.scale[q]
        doubled += doubled.T
        out = np.where(i[:, None] == i, doubled[np.ix_(j, j)], 0.0)  # both below the diagonal, in the same column
        out[log], out[:, log] = by_log, by_log.T
        return out


class JoinedBends(NamedTuple):
    """The second derivatives of concatenated scalars."""

    parts: tuple  # pairs of a slice of the scalars and their `Bend`

    def along(self, score, q):
        """As `Bend.along`."""
        out = np.zeros((len(score), len(score)))
        for where, bend in self.parts:
            out[where, where] = bend.along(score[where], q)
        return out


# -- densities -------------------------------------------------------------------------------------------------------


def gaussian_derivatives(residual, covariance):
    """Derivatives of the normal log-density with respect to the T means, then to the entries of the covariance.

    Parameters
    ----------
    residual : ndarray of shape (n, Q, T)
        Targets minus means.
    covariance : ndarray of shape (Q, T, T) or (Q, T)
        Matrices, whose entries (i, j), i <= j, are the coordinates; or variances, whose logarithms are.

    Returns
    -------
    first : ndarray of shape (n, Q, d)
    second : ndarray of shape (n, Q, d, d)
        Eqs. (normal-derivatives) and (covariance-derivatives).

    Examples
    --------
    >>> import numpy as np
    >>> from hme.numerics.coordinates import gaussian_derivatives
    >>> first, second = gaussian_derivatives(np.array([[[2.0]]]), np.array([[4.0]]))
    >>> first[0, 0], second[0, 0]
    (array([0.5, 0. ]), array([[-0.25, -0.5 ],
           [-0.5 , -0.5 ]]))
    """
    n, Q, T = residual.shape
    if covariance.ndim == 2:
        scaled = residual / covariance
        half = 0.5 * residual * scaled
        first = np.concatenate([scaled, half - 0.5], axis=2)
        second = np.zeros((n, Q, 2 * T, 2 * T))
        t = np.arange(T)
        second[:, :, t, t] = -1.0 / covariance
        second[:, :, t, T + t] = second[:, :, T + t, t] = -scaled
        second[:, :, T + t, T + t] = -half
        return first, second
    _, basis = symmetric_basis(T)
    precision = np.linalg.inv(covariance)
    pull = np.einsum("kst,nkt->nks", precision, residual)
    turned = np.einsum("eij,nkj->nkei", basis, pull)
    product = np.einsum("kij,ejl->keil", precision, basis)
    first = np.empty((n, Q, T + len(basis)))
    first[:, :, :T] = pull
    first[:, :, T:] = 0.5 * (np.einsum("nkei,nki->nke", turned, pull) - np.einsum("keii->ke", product))
    second = np.empty((n, Q, T + len(basis), T + len(basis)))
    whitened = np.einsum("nkei,kij->nkej", turned, precision)
    second[:, :, :T, :T] = -precision
    second[:, :, T:, :T] = -whitened
    second[:, :, :T, T:] = -np.swapaxes(whitened, 2, 3)
    second[:, :, T:, T:] = 0.5 * np.einsum("keij,kfji->kef", product, product)
    second[:, :, T:, T:] -= whitened @ np.swapaxes(turned, 2, 3)
    return first, second


def gaussian_sums(residual, covariance, share):
    """`gaussian_derivatives` with the second derivatives summed over rows with weights `share` (n, Q), (Q, d, d).

    The second derivatives are quadratic in the residuals, so their sums need only the weighted moments of these.
    """
    Q, T = residual.shape[1:]
    total = share.sum(axis=0)[:, None]
    weighted = residual * share[:, :, None]
    if covariance.ndim == 2:
        scaled = residual / covariance
        first = np.concatenate([scaled, 0.5 * residual * scaled - 0.5], axis=2)
        second, t = np.zeros((Q, 2 * T, 2 * T)), np.arange(T)
        second[:, t, t] = -total / covariance
        second[:, t, T + t] = second[:, T + t, t] = -weighted.sum(axis=0) / covariance
        second[:, T + t, T + t] = -0.5 * np.einsum("nkt,nkt->kt", weighted, residual) / covariance
        return first, second
    pairs, basis = symmetric_basis(T)
    i, j = np.transpose(pairs)
    precision = np.linalg.inv(covariance)
    product = np.einsum("kij,ejl->keil", precision, basis)
    first = np.empty((len(residual), Q, T + len(i)))
    second = np.empty((Q, T + len(i), T + len(i)))
    for k in range(Q):
        pull = residual[:, k] @ precision[k]
        first[:, k, :T] = pull
        first[:, k, T:] = np.where(i == j, 0.5, 1.0) * pull[:, i] * pull[:, j]
        first[:, k, T:] -= 0.5 * np.einsum("eii->e", product[k])
        second[k, :T, :T] = -total[k] * precision[k]
        second[k, :T, T:] = -(product[k] @ (precision[k] @ weighted[:, k].sum(axis=0))).T
        second[k, T:, :T] = second[k, :T, T:].T
        moment = precision[k] @ (weighted[:, k].T @ residual[:, k])
        right = 0.5 * total[k] * product[k] - product[k] @ moment  # the entries below are traces of products with it
        second[k, T:, T:] = product[k].reshape(len(i), T * T) @ right.swapaxes(1, 2).reshape(len(i), T * T).T
    return first, second


def stacked(first, second):
    """Stack derivatives (n, Q): the first to (n, Q, d), the second to (n, Q, d, d) from rows of the upper triangle."""
    shape = np.broadcast_shapes(*(np.shape(a) for a in first))
    d = len(first)
    slopes, curvature = np.empty((*shape, d)), np.empty((*shape, d, d))
    for a in range(d):
        slopes[..., a] = first[a]
        for b in range(a, d):
            curvature[..., a, b] = curvature[..., b, a] = second[a][b - a]
    return slopes, curvature


def by_output(first, second):
    """Derivatives (n, Q, D) and (n, Q, D, D) of T independent outputs jointly, from those of each output.

    `first` (n, Q, T, d) and `second` (n, Q, T, d, d) are with respect to an output's linear predictor and scalars. The
    joint coordinates are the linear predictors of all outputs, then their first scalars, then their second ones, ...
    """
    n, Q, T, d = first.shape
    if T == 1:
        return first[:, :, 0], second[:, :, 0]
    joint, crossed = np.zeros((n, Q, T * d)), np.zeros((n, Q, T * d, T * d))
    for t in range(T):
        own = np.arange(d) * T + t
        joint[:, :, own] = first[:, :, t]
        crossed[:, :, own[:, None], own] = second[:, :, t]
    return joint, crossed


def differenced(function, d):
    """First and second derivatives, shaped as by `stacked`, by central differences of fourth order.

    Parameters
    ----------
    function : callable
        Takes d numbers, the displacements of the coordinates, and returns log-densities (n, Q).
    d : int
        Number of coordinates.
    """

    def at(*places):
        displaced = np.zeros(d)
        for number, step in places:
            displaced[number] += step
        return function(*displaced)

    def slope(a, *places):
        near, far = (at((a, s), *places) - at((a, -s), *places) for s in (STEP, 2.0 * STEP))
        return (8.0 * near - far) / (12.0 * STEP)

    def slope_of_slope(a, b):
        near, far = (slope(a, (b, s)) - slope(a, (b, -s)) for s in (STEP, 2.0 * STEP))
        return (8.0 * near - far) / (12.0 * STEP)

    return stacked([slope(a) for a in range(d)], [[slope_of_slope(a, b) for b in range(a, d)] for a in range(d)])


# -- priors ----------------------------------------------------------------------------------------------------------


def ridge_derivatives(distance, ridge, lasso=None, scale=None, scaled=True, count=0.0, value=0.0):
    """Gradient (Q, d) and Hessian (Q, d, d) of penalties and of a prior on scales, eq. (penalty-derivatives).

    Parameters
    ----------
    distance : ndarray of shape (Q, S, p)
        Coefficients minus the center that they are shrunk towards.
    ridge, lasso : ndarray of shape (p,) or None
        Strengths of the penalties.
    scale : ndarray of shape (Q, S) or None
        Variances or dispersions, whose logarithms are S further coordinates; None means a fixed scale of one.
    scaled : bool
        Whether the penalty is divided by the scale.
    count, value : ndarray broadcast to (Q, S)
        Number of rows that the prior on a scale counts as, and their mean square.
    """
    Q, S, p = distance.shape
    unit = np.ones((Q, S)) if scale is None or not scaled else scale
    slope = distance * ridge
    square = (slope * distance).sum(axis=2)
    if lasso is not None:
        slope = slope + lasso * np.sign(distance)
        square = square + 2.0 * (np.abs(distance) @ lasso)
    slope = slope / unit[:, :, None]
    size = S * p + (0 if scale is None else S)
    gradient, hessian = np.zeros((Q, size)), np.zeros((Q, size, size))
    gradient[:, : S * p] = -slope.reshape(Q, S * p)
    diagonal = np.arange(S * p)
    hessian[:, diagonal, diagonal] = -(ridge / unit[:, :, None]).reshape(Q, S * p)
    if scale is None:
        return gradient, hessian
    prior = count * value / scale
    half = 0.5 * square / scale if scaled else np.zeros((Q, S))
    for s in range(S):
        own = slice(s * p, (s + 1) * p)
        gradient[:, S * p + s] = half[:, s] + 0.5 * (prior - count)[:, s]
        hessian[:, S * p + s, S * p + s] = -half[:, s] - 0.5 * prior[:, s]
        if scaled:
            hessian[:, own, S * p + s] = hessian[:, S * p + s, own] = slope[:, s]
    return gradient, hessian


def gaussian_prior_derivatives(covariance, count, square, distance=None, ridge=None):
    """Gradient (Q, d) and Hessian (Q, d, d) of ``-count / 2 log det S - tr(S^-1 (square + z R z')) / 2``.

    Derivatives are with respect to the coefficients of T outputs, whose distances (Q, T, p) from the center of the
    ridge are z, then to the entries of the covariances S (Q, T, T); eq. (covariance-penalty).
    """
    Q, T, _ = covariance.shape
    _, basis = symmetric_basis(T)
    distance, ridge = (np.zeros((Q, T, 0)), np.zeros(0)) if distance is None else (distance, ridge)
    p = distance.shape[2]
    precision = np.linalg.inv(covariance)
    forces = distance * ridge
    total = square + forces @ np.swapaxes(distance, 1, 2)
    product = np.einsum("kij,ejl->keil", precision, basis)
    inner = np.einsum("kij,kjl->kil", precision, total)
    gradient = np.empty((Q, T * p + len(basis)))
    hessian = np.empty((Q, T * p + len(basis), T * p + len(basis)))
    cut = T * p
    pull = precision @ forces
    gradient[:, :cut] = -pull.reshape(Q, cut)
    trace = np.einsum("keii->ke", product)
    gradient[:, cut:] = 0.5 * (np.einsum("keij,kji->ke", product, inner) - np.reshape(count, (-1, 1)) * trace)
    hessian[:, :cut, :cut] = -np.einsum("kst,pr->ksptr", precision, np.diag(ridge)).reshape(Q, cut, cut)
    mixed = np.einsum("keij,kjp->keip", product, pull).reshape(Q, len(basis), cut)
    hessian[:, cut:, :cut] = mixed
    hessian[:, :cut, cut:] = np.swapaxes(mixed, 1, 2)
    twice = np.einsum("keij,kjl->keil", product, inner)
    hessian[:, cut:, cut:] = 0.5 * np.reshape(count, (-1, 1, 1)) * np.einsum("keij,kfji->kef", product, product)
    hessian[:, cut:, cut:] -= np.einsum("keij,kfji->kef", product, twice)
    return gradient, hessian
