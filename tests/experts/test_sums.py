"""Sums over rows of a linear predictor: by the pairs of expert and row that count, against those of all pairs."""

import numpy as np
import pytest
from families import ADDITIVE, design_of, identify, make_rows

from hme.experts.noise import sums
from hme.experts.predictor import PredictorExpert

ELEMENTWISE = [
    (expert, kind)
    for expert, kind in ADDITIVE
    if issubclass(type(expert), PredictorExpert) and expert.response().elementwise
]


def test_most_families_are_functions_of_single_entries():
    assert len({type(expert) for expert, _ in ELEMENTWISE}) >= 7


@pytest.mark.parametrize(("expert", "kind"), ELEMENTWISE, ids=identify)
def test_pairs_that_count_are_enough(expert, kind, monkeypatch):
    rows, rng, K = make_rows(kind), np.random.default_rng(0), 5
    bound = expert.bind(rows, design_of(rows))
    resp = rng.dirichlet(np.ones(K), rows.n_rows)
    params = bound.init(rows, resp * rows.weight[:, None])
    resp[rng.random(resp.shape) < 0.6] *= 1e-14
    resp *= rows.weight[:, None]
    seen = bound.evaluate(params, rows)[1]
    expected = bound.statistics(params, rows, resp, seen)
    monkeypatch.setattr(sums, "MANY", K)
    found, called = bound.statistics(params, rows, resp, seen), []
    monkeypatch.setattr(sums, "_of_pairs", lambda *arguments: called.append(len(arguments[-1])))
    bound.statistics(params, rows, resp, seen)
    assert called == [int((resp > 1e-13).sum())]
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12 * np.abs(b).max(initial=0.0))
