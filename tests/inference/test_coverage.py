"""Intervals hold what they promise: a short run of `benchmarks/interval_coverage.py`."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "interval_coverage.py"


def load_script():
    spec = importlib.util.spec_from_file_location("benchmark_of_coverage", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


coverage = load_script()


@pytest.mark.parametrize("design", coverage.CONFIDENCE, ids=lambda design: design.name)
def test_designs_are_drawn_as_they_say(design):
    X, y, label = design.draw(20_000, np.random.default_rng(0))
    truth = design.truth()
    assert X.shape == (20_000, len(design.coef[0])) and set(label) == set(range(len(design.intercept)))
    eta = np.array(design.intercept)[label] + (X * np.array(design.coef)[label]).sum(axis=1)
    mean = eta if design.family in ("linear", "student") else np.exp(eta)
    for k in range(len(design.intercept)):
        residual = (y - mean)[label == k]
        assert abs(residual.mean()) < 4 * residual.std() / np.sqrt(len(residual))
    if not design.gate_coef:  # log-odds of the second expert
        odds = np.log((label == 1).mean() / (label == 0).mean())
        assert odds == pytest.approx(truth["gate", 0, "1", "(intercept)"], abs=0.06)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_separated_fits_are_left_out():
    sharp = coverage.CONFIDENCE[0]._replace(intercept=(3.0, -3.0), gate_coef=((25.0, -10.0),), noise=(0.05, 0.05))
    line = coverage.confidence_coverage(sharp, 8, n_samples=150)
    assert line["used"] + line["left out"] == 8 and line["left out"] > 0
    with pytest.raises(ValueError, match="at a boundary"):
        coverage.confidence_coverage(sharp._replace(gate_coef=((1e4, -1e4),)), 3, n_samples=100)


@pytest.mark.slow
@pytest.mark.parametrize("design", coverage.PREDICTIVE[2::3], ids=lambda design: design.name)
def test_predictive_intervals_hold_their_share_of_new_rows(design):
    line = coverage.predictive_coverage(design, coverage.PREDICTIVE.index(design))
    assert line["ok"], line


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # boundaries are counted
@pytest.mark.parametrize("design", coverage.CONFIDENCE[:6:2], ids=lambda design: design.name)
def test_confidence_intervals_hold_the_truth(design):
    n = 120
    line = coverage.confidence_coverage(design, n)
    assert line["used"] + line["left out"] == n and line["left out"] <= n // 20
    # Four standard errors of a share of 95 %; the mean of correlated shares is not more uncertain than one of them.
    slack = 4 * np.sqrt(0.95 * 0.05 / line["used"])
    assert abs(line["mean"] - 0.95) < slack / 2 and line["least"] > 0.95 - slack, line
    assert line["error / sd"] == pytest.approx(1.0, abs=4 / np.sqrt(2 * n))
    assert line["distance"] < 0.01  # every fit is at its maximum
