"""Every expert with every gate on sixty rows: fits, predicts, pickles, clones, takes weights, takes what it says."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from problems import few, representative
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from hme import HMEClassifier, HMERegressor
from hme.gates import FixedGate
from hme.registry import EXPERTS, GATES, expert_names, supports

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # few rows, few sweeps

RNG = np.random.default_rng(0)
N = 60
X = RNG.normal(size=(N, 2))
Y = {
    "numbers": np.where(X[:, 0] < 0, 1 + X[:, 1], 2 - X[:, 0]) + 0.2 * RNG.normal(size=N),
    "counts": RNG.poisson(np.exp(1 + 0.5 * X[:, 0])),
    "positive": RNG.gamma(3.0, np.exp(0.5 * X[:, 0])),
    "successes": RNG.binomial(5, 1 / (1 + np.exp(-X[:, 0]))),
    "classes": np.where(X[:, 0] + 0.5 * RNG.normal(size=N) > 0, "a", "b"),
    "one value": np.full(N, 2.0),
}
KINDS = {
    "poisson": "counts", "negative_binomial": "counts", "gamma": "positive", "inverse_gaussian": "positive",
    "binomial": "successes", "logistic": "classes", "pool": "classes", "point_mass": "one value",
    "gaussian": "positive",
}  # fmt: skip
FIXED = {"point_mass": {"at": 2.0}, "binomial": {"n_trials": 5}}


def routing(Z):
    """Two leaves, by the sign of the first column."""
    share = np.where(Z[:, :1] < 0, 0.9, 0.1)
    return np.hstack([share, 1 - share])


def make_gate(name):
    return FixedGate(routing) if name == "fixed" else GATES[name]()


def make(expert, gate, task, **settings):
    estimator = HMERegressor if task == "regression" else HMEClassifier
    family = EXPERTS[expert]().set_params(**FIXED.get(expert, {}))
    return estimator(n_experts=2, expert=family, gate=make_gate(gate), max_iter=15, **settings)


PAIRS = [
    (expert, gate, task)
    for task in ("regression", "classification")
    for expert in expert_names(task)
    for gate in (*GATES, "fixed")
]


@pytest.mark.parametrize("expert, gate, task", few(representative(PAIRS, every=11), 4))
def test_every_pair(expert, gate, task):
    y = Y["classes" if task == "classification" else KINDS.get(expert, "numbers")]
    model = make(expert, gate, task).fit(X, y)
    predicted = model.predict(X)
    assert predicted.shape == (N,)
    if task == "regression":
        mean, std = model.predict(X, return_std=True)
        assert np.isfinite(mean).all() and not np.isnan(std).any() and (std >= 0).all()
    np.testing.assert_allclose(model.gate_proba(X).sum(axis=1), 1.0)
    np.testing.assert_allclose(model.responsibilities(X, y).sum(axis=1), 1.0)
    assert np.isfinite(model.log_likelihood(X, y)).all()
    falls = np.diff(model.lower_bounds_)
    assert (falls >= -1e-9).all() or gate == "top_k" or not model.model_.exact
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), predicted)
    assert str(clone(model)) == str(model)


@pytest.mark.parametrize("expert, gate, task", few(representative(PAIRS, every=11), 2))
def test_a_weight_is_a_repetition_in_every_pair(expert, gate, task):
    y = Y["classes" if task == "classification" else KINDS.get(expert, "numbers")]
    times = np.arange(N) % 3
    times[:2] = 1
    weighted = make(expert, gate, task).fit(X, y, sample_weight=times)
    repeated = make(expert, gate, task).fit(X.repeat(times, axis=0), np.repeat(y, times))
    kept = times > 0
    np.testing.assert_allclose(
        weighted.log_likelihood(X, y)[kept], repeated.log_likelihood(X, y)[kept], rtol=1e-6, atol=1e-7
    )


@pytest.mark.parametrize(
    "expert, gate, task", few(representative([pair for pair in PAIRS if pair[1] != "fixed"], every=16), 3)
)
def test_the_table_of_pairs_is_right(expert, gate, task):
    y = Y["classes" if task == "classification" else KINDS.get(expert, "numbers")]
    takes = supports(EXPERTS[expert], GATES[gate])

    def fits(data, target, **arguments):
        try:
            make(expert, gate, task).fit(data, target, **arguments)
        except (TypeError, ValueError) as error:
            assert "take" in str(error)
            return False
        return True

    assert fits(sp.csr_matrix(X), y) == ("S" in takes)
    if task == "regression":
        assert fits(X, np.column_stack([y, y])) == ("M" in takes)
        assert fits(X, y, offset=0.1 * X[:, 0]) == ("O" in takes)
        assert fits(X, y, trials=np.full(N, 5)) == ("T" in takes)


def test_short_fits_say_so():
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        HMERegressor(n_experts=2, expert="gamma", max_iter=1).fit(X, Y["positive"])
