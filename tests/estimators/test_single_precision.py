"""Tables of single precision are used as they are."""

import numpy as np
import pytest
import scipy.sparse as sp

from hme import HMERegressor
from hme.estimators.reading import tables_like


@pytest.mark.parametrize("form", [np.ascontiguousarray, np.asfortranarray, sp.csr_matrix])
def test_single_precision_is_as_good_as_a_copy(form):
    rng = np.random.default_rng(0)
    X = rng.normal(3.0, 2.0, size=(300, 3)).astype(np.float32)
    y = np.abs(X[:, 0] - 3.0) + 0.1 * rng.normal(size=300)
    single, double = form(X), form(X.astype(float))
    models = [HMERegressor(depth=1, max_iter=5, accelerate=False) for _ in range(2)]
    for model, table in zip(models, (single, double), strict=True):
        with pytest.warns(UserWarning, match="max_iter"):
            model.fit(table, y)
    np.testing.assert_allclose(models[0].lower_bounds_, models[1].lower_bounds_, rtol=1e-12)
    np.testing.assert_allclose(models[0].predict(single), models[1].predict(double), rtol=1e-10)


def test_single_precision_is_not_copied():
    X = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    model = HMERegressor(depth=0).fit(X, X[:, 0])
    assert np.shares_memory(tables_like(model, X).expert, X)
