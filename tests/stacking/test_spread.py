"""How far models are from one stack: what the shrinkage of the experts of a stack goes by."""

import numpy as np
import pytest

from hme.stacking.spread import spreads

rng = np.random.default_rng(0)
PREDICTED = rng.normal(size=(60, 3))
Y = PREDICTED[:, 0] + 0.5 * rng.normal(size=60)
WEIGHT = rng.integers(1, 4, 60)


@pytest.mark.parametrize("positive", [True, False])
def test_weights_are_repeated_rows_and_units_do_not_matter(positive):
    found = spreads(PREDICTED, Y, WEIGHT, positive)
    rows = np.repeat(np.arange(60), WEIGHT)
    np.testing.assert_allclose(spreads(PREDICTED[rows], Y[rows], np.ones(len(rows)), positive), found)
    np.testing.assert_allclose(spreads(5 * PREDICTED - 3, 5 * Y + 2, WEIGHT, positive), found)
    assert found[0] < 0.1 < 1 < found[1:].min()


def test_a_constant_model_and_one_that_is_the_stack_in_most_rows():
    part = np.where(np.arange(60) < 20, 3.0, 0.0)
    predicted = np.column_stack([np.full(60, 0.7), Y, Y + part])
    constant, exact, near = spreads(predicted, Y, np.ones(60), True)
    assert constant == 1.0
    assert exact < 1e-20
    assert near == pytest.approx(1e-3 * np.var(part) / np.var(Y + part))
