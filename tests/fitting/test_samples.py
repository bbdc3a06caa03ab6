"""Samples of large tables: which rows they hold, and fits that begin on them."""

import numpy as np
import pytest
import scipy.sparse as sp

from hme import HMEClassifier, HMERegressor
from hme.experts import PoissonExpert
from hme.fitting import samples
from hme.model.folds import fold_numbers
from hme.model.rows import Rows

SETTINGS = {"depth": 1, "start": "kmeans", "max_iter": 60}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """A few hundred rows are a large table here."""
    monkeypatch.setattr(samples, "LEAST", 60)
    monkeypatch.setattr(samples, "ROWS_PER_COEFFICIENT", 4)


def bent(n=600, p=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, np.where(X[:, 0] + 0.3 * rng.normal(size=n) > 0, 2.0 + X[:, 1], -1.0 - X[:, 1]) + 0.3 * rng.normal(size=n)


def fits_alike(one, two, X, rtol=1e-6):
    assert one.samples_ and [s.n_iter for s in one.samples_] == [s.n_iter for s in two.samples_]
    np.testing.assert_allclose(one.lower_bounds_[-1], two.lower_bounds_[-1], rtol=1e-9)
    np.testing.assert_allclose(one.predict(X), two.predict(X), rtol=rtol, atol=rtol)


def test_samples_are_nested_and_the_course_on_them_is_told():
    X, y = bent(4096)
    seen = []
    model = HMERegressor(**SETTINGS, callback=lambda sweep, *_: seen.append(sweep))
    model.fit(X, y)
    assert [one.n_rows for one in model.samples_] == [64, 512]
    assert all(0 < one.n_iter <= samples.SWEEPS and one.reason == "converged" for one in model.samples_)
    assert model.n_iter_ == len(model.history_.objective) and seen == list(np.flatnonzero(model.history_.accepted))
    assert (np.diff(model.lower_bounds_) >= -1e-12).all() and model.converged_
    whole = HMERegressor(**SETTINGS, tol=1e-9).set_params(start=np.eye(2)[(X[:, 0] > 0).astype(int)], max_iter=500)
    whole.fit(X, y)
    assert not whole.samples_  # a start that is given is one of all rows
    assert model.lower_bounds_[-1] == pytest.approx(whole.lower_bounds_[-1], abs=2e-5)
    assert model.lower_bounds_[0] > whole.lower_bounds_[-1] - 0.05  # hardly anything is left to the sweeps over all


def test_repeated_rows_are_weights_and_the_order_and_units_of_rows_do_not_matter():
    X, y = bent()
    weight = np.random.default_rng(1).integers(1, 4, size=len(y))
    weighted = HMERegressor(**SETTINGS).fit(X, y, sample_weight=weight)
    order = np.random.default_rng(2).permutation(np.repeat(np.arange(len(y)), weight))
    fits_alike(weighted, HMERegressor(**SETTINGS).fit(X[order], y[order]), X)
    plain = HMERegressor(**SETTINGS).fit(X, y)
    scaled = HMERegressor(**SETTINGS).fit(X * [10.0, 0.1, 1e3], y)
    np.testing.assert_allclose(scaled.predict(X * [10.0, 0.1, 1e3]), plain.predict(X), rtol=1e-6)
    assert len(scaled.samples_) == len(plain.samples_) == 1


def test_few_distinct_rows_are_all_seen():
    X, y = bent(100)
    assert not HMERegressor(**SETTINGS).fit(np.tile(X, (10, 1)), np.tile(y, 10)).samples_


def test_groups_are_whole():
    X, y = bent()
    groups = np.arange(len(y)) // 2
    model = HMERegressor(**SETTINGS, gate="constant").fit(X, y, groups=groups)
    assert model.samples_[0].n_rows % 2 == 0
    rows = Rows(X, X, y[:, None], np.ones(len(y)), group=groups)
    number = fold_numbers(rows)
    assert (number[::2] == number[1::2]).all() and number.max() == len(y) // 2 - 1


@pytest.mark.parametrize("kind", ["outputs", "sparse", "offset", "classes", "several starts"])
def test_whatever_a_fit_takes_goes_with_samples(kind):
    X, y = bent()
    model, arguments, target = HMERegressor(**SETTINGS), {}, y
    if kind == "outputs":
        target = np.column_stack([y, -2.0 * y + X[:, 1]])
    elif kind == "sparse":
        X = sp.csr_matrix(np.where(np.abs(X) > 0.5, X, 0.0))
    elif kind == "offset":
        arguments["offset"] = 0.1 * X[:, 0]
        model.set_params(expert=PoissonExpert())
        target = np.random.default_rng(0).poisson(np.exp(0.3 * y + arguments["offset"]))
    elif kind == "classes":
        model, target = HMEClassifier(**SETTINGS), (y > 0.3).astype(int) + (y > 1.5)
    else:
        model.set_params(n_init=2, random_state=0)
    model.fit(X, target, **arguments)
    assert model.samples_ and model.converged_ and (np.diff(model.lower_bounds_) >= -1e-12).all()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("kind", ["hard", "rare class", "labels", "list"])
def test_what_a_sample_could_miss_is_seen_whole(kind):
    X, y = bent()
    model, arguments = HMERegressor(**SETTINGS), {}
    if kind == "hard":
        model.set_params(algorithm="hard")
    elif kind == "rare class":
        model, y = HMEClassifier(**SETTINGS), (np.arange(len(y)) < 30).astype(int)
    elif kind == "labels":
        arguments["labels"] = np.where(np.arange(len(y)) < 5, 1, -1)
    else:
        model = HMERegressor(expert=[("line", "linear"), ("other", "laplace")], n_experts=2, max_iter=60)
    assert not model.fit(X, y, **arguments).samples_


def test_an_interrupt_on_a_sample_comes_before_the_first_sweep(monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(samples, "_for_sample", interrupted)
    with pytest.raises(KeyboardInterrupt):
        HMERegressor(**SETTINGS).fit(*bent())
