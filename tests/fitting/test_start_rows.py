"""Starts see what is in a table, not how it is written."""

import numpy as np
import pytest
import scipy.sparse as sp

from hme import HMERegressor
from hme.fitting.starts import STARTS
from hme.model.design import Design
from hme.model.rows import Rows
from hme.model.tree import Tree


@pytest.mark.parametrize("name", STARTS)
def test_sparse_columns_start_where_those_of_an_array_do(name):
    rng = np.random.default_rng(0)
    X, y, weight = rng.normal(size=(40, 2)) + [3.0, -1.0], rng.normal(size=(40, 1)), rng.uniform(0.5, 2.0, 40)
    resp = []
    for table in (X, sp.csr_matrix(X)):
        design = Design.fit(table, weight, True).transform(table)
        rows = Rows(design, design, y, weight, group=np.arange(40) // 2)
        resp.append(STARTS[name](rows, Tree.complete(2, 2), np.random.default_rng(1)))
    np.testing.assert_allclose(resp[1], resp[0], rtol=0, atol=1e-8)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_automatic_depth_counts_rows_that_differ_however_few_there_are():
    X, y, times = np.array([[0.0], [1.0], [2.0], [0.0]]), np.array([0.0, 1.0, 3.0, 0.0]), np.full(4, 60)
    settings = {"expert": "tree", "max_iter": 2}  # experts that are fitted anew, with which no tree grows
    weighted = HMERegressor(**settings).fit(X, y, times)
    repeated = HMERegressor(**settings).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    assert weighted.n_experts_ == repeated.n_experts_ == 2
