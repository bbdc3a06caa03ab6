"""How uncertain coefficients are."""

import numpy as np

from hme.model.uncertainty import inflation_of


def test_experts_without_any_rows_keep_their_noise():
    none = np.zeros((2, 1))
    np.testing.assert_array_equal(inflation_of(np.zeros(2), none, none + 1.0), [[1.0], [1.0]])
