"""Systems of equations: shortest solutions, and those that sum to zero over slots."""

import numpy as np
import pytest

from hme.numerics.systems import solve_centred, solve_psd


@pytest.mark.parametrize("penalty", [0.0, 0.5])
@pytest.mark.parametrize("flat", [False, True])
def test_centred_solutions_are_the_shortest_ones_but_for_a_common_shift(penalty, flat):
    rng = np.random.default_rng(0)
    Q, C, p = 3, 4, 2
    X, probability = rng.normal(size=(50, p)), rng.dirichlet(np.ones(C), size=50)
    X[:, 0] = X[:, 1] if flat else X[:, 0]  # then nothing tells one column from the other
    covariance = probability[:, :, None] * (np.eye(C) - probability[:, None, :])
    A = np.einsum("ncd,np,nq->cpdq", covariance, X, X).reshape(C * p, C * p) + penalty * np.eye(C * p)
    b = np.einsum("nqc,np->qcp", rng.normal(size=(50, Q, C)), X)
    b -= b.mean(axis=1, keepdims=True)
    A = np.repeat(A[None], Q, axis=0)
    found, shortest = solve_centred(A, b), solve_psd(A, b.reshape(Q, C * p, 1)).reshape(b.shape)
    if not flat:
        np.testing.assert_allclose(found.sum(axis=1), 0.0, atol=1e-12)
    np.testing.assert_allclose(_centred(found), _centred(shortest), atol=1e-10)
    np.testing.assert_array_equal(solve_centred(A, b, full=False), shortest)


def _centred(b):
    return b - b.mean(axis=1, keepdims=True)
