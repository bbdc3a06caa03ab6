"""How uncertain coefficients are."""

import numpy as np

from hme.model.uncertainty import coef_roots, inflation_of


def test_experts_without_any_rows_keep_their_noise():
    none = np.zeros((2, 1))
    np.testing.assert_array_equal(inflation_of(np.zeros(2), none, none + 1.0), [[1.0], [1.0]])


def test_an_expert_with_next_to_no_rows_is_uncertain_by_a_number():
    gram = np.array([[4.0, 1.0], [1.0, 2.0]])
    systems = np.stack([gram, 1e-310 * gram])[:, None]
    root, used = coef_roots(systems, systems, np.ones((2, 1)), None, None)
    np.testing.assert_allclose(root[0, 0] @ root[0, 0].T, np.linalg.inv(gram))
    variance = root[1, 0] @ root[1, 0].T
    assert np.isfinite(variance).all() and variance[1, 1] > 1e6
    assert np.isfinite(used).all()
