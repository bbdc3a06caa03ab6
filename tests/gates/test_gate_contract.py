"""What every gate must do; a new gate is one more line in the list of `families`, or of the pages."""

import pickle
import warnings
from typing import NamedTuple

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pages
import pytest
from families import DESIGN, GATES, K, central_differences, fit_once, identify, make_resp, make_rows, q_of_gate
from problems import slow_case
from scipy.special import log_softmax, softmax
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from hme import HMERegressor, Tree, export_text
from hme.bootstrap import bootstrap
from hme.diagnosis import diagnose
from hme.gates import (
    ConstantGate,
    EstimatorGate,
    FixedGate,
    Gate,
    GaussianGate,
    NodeGate,
    RefitGate,
    SoftmaxGate,
    TopKGate,
    TreeGate,
)
from hme.inference import infer
from hme.model.folds import fold_numbers
from hme.model.traits import GateTraits
from hme.plot import GateDisplay
from hme.registry import GATES as NAMES

matplotlib.use("Agg")


class LogitParams(NamedTuple):
    coef: np.ndarray  # (K, p)


class MinimalGate(Gate):
    """A user's gate with what is abstract and nothing else: a softmax that climbs its gradient."""

    def init(self, rows, resp):
        params = LogitParams(np.zeros((resp.shape[1], rows.Z.shape[1])))
        for _ in range(5):
            params = self.update(params, self.statistics(params, rows, resp))
        return params

    def log_score(self, params, rows):
        return log_softmax(rows.Z @ params.coef.T, axis=1)

    def statistics(self, params, rows, resp, seen=None):
        total = resp.sum(axis=1, keepdims=True)
        moved = resp - total * np.exp(self.log_score(params, rows))
        return LogitParams(np.column_stack([moved.T @ rows.Z, np.full(len(params.coef), total.sum())]))

    def update(self, params, stats, rows=None):
        return LogitParams(params.coef + 0.5 * stats.coef[:, :-1] / stats.coef[0, -1])

    def n_parameters(self, params):
        return params.coef[1:].size


class Unnormalised(MinimalGate):
    """The same, without the normalisation."""

    def log_score(self, params, rows):
        return rows.Z @ params.coef.T


class MinimalNodes(NodeGate):
    """The same for gating nodes: every branch has the same share of all rows."""

    def start(self, used, n_columns):
        return LogitParams(used / used.sum(axis=1, keepdims=True))

    def log_branch(self, params, rows):
        with np.errstate(divide="ignore"):
            return np.tile(np.log(params.coef), (rows.n_rows, 1, 1))

    def statistics(self, log_branch, rows, mass):
        return LogitParams(mass.sum(axis=0))

    def update(self, params, stats):
        total = stats.coef.sum(axis=1, keepdims=True)
        return LogitParams(np.where(total > 0, stats.coef / np.where(total > 0, total, 1.0), params.coef))

    def n_parameters(self, params):
        return int(np.count_nonzero(params.coef) - len(params.coef))


def known_classes():
    """A classifier of three classes that is fitted already, to the columns of `make_rows`."""
    Z = make_rows("regression").Z[:, :-1]
    return FrozenEstimator(LogisticRegression().fit(Z, np.arange(len(Z)) % K))


def of_pages(name):
    return getattr(pages.run("add-a-gate"), name)()


CASES = [
    *GATES, EstimatorGate(known_classes()), MinimalGate(), MinimalNodes().over(Tree.from_text("((. .) .)")),
]  # fmt: skip


def every(gates):
    """Parameters of a test: gates, by default one of each kind; those of the page are made when they are needed."""
    seen = [(type(gate), type(getattr(gate, "node", None))) for gate in gates]
    cases = [slow_case(gate) if seen[i] in seen[:i] else gate for i, gate in enumerate(gates)]
    pages_ = [("BallGate", None), ("CutGate", "((. .) .)")]
    return pytest.mark.parametrize(
        "gate", [*cases, *(pytest.param(page, marks=pytest.mark.slow) for page in pages_)], ids=identify
    )


def made(gate):
    if not isinstance(gate, tuple):
        return gate
    name, tree = gate
    return of_pages(name) if tree is None else of_pages(name).over(Tree.from_text(tree))


def problem(gate, seed=1):
    """A bound gate, its parameters, rows and responsibilities, zero for leaves that a row may not use."""
    rows = make_rows("regression")
    rows = rows._replace(fold=fold_numbers(rows))
    resp = make_resp(rows, seed=5)
    gate, params = fit_once(made(gate), rows, resp)
    resp = make_resp(rows, seed=seed)
    if gate.traits.routed:
        rows = rows._replace(active=gate.route(params, rows)[0])
        kept = np.zeros(resp.shape)
        np.put_along_axis(kept, rows.active, np.take_along_axis(resp, rows.active, axis=1), axis=1)
        resp = kept / kept.sum(axis=1, keepdims=True) * rows.weight[:, None]
    return gate, params, rows, resp


def arrays(stats):
    stats = [stats] if isinstance(stats, np.ndarray) else stats
    return [a for a in stats if isinstance(a, np.ndarray) and a.dtype.kind == "f"]


def q_of(gate, params, rows, resp):
    if not gate.traits.routed:
        return q_of_gate(gate, params, rows, resp)
    score = np.where(resp > 0, gate.log_score(params, rows), 0.0)
    return (resp * score).sum() + gate.log_prior_density(params)


# -- mathematics -------------------------------------------------------------------------------------------------------


@every(CASES)
def test_statistics_add(gate):
    gate, params, rows, resp = problem(gate)
    whole = gate.statistics(params, rows, resp)
    first = gate.add(None, gate.statistics(params, rows[:25], resp[:25]))
    parts = gate.add(first, gate.statistics(params, rows[25:], resp[25:]))
    for a, b in zip(arrays(whole), arrays(parts), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-11)


@every(CASES)
def test_what_evaluate_has_seen_changes_nothing(gate):
    gate, params, rows, resp = problem(gate)
    score, seen = gate.evaluate(params, rows)
    np.testing.assert_array_equal(score, gate.log_score(params, rows))
    again, anew = gate.statistics(params, rows, resp, seen), gate.statistics(params, rows, resp)
    for a, b in zip(arrays(again), arrays(anew), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@every(CASES)
def test_integer_weight_is_repetition(gate):
    rows = make_rows("regression")
    times = np.random.default_rng(2).integers(1, 4, size=rows.n_rows)
    weighted = rows._replace(weight=times.astype(float), fold=fold_numbers(rows))
    repeated = weighted[np.repeat(np.arange(rows.n_rows), times)]._replace(weight=np.ones(times.sum()))
    resp = make_resp(rows._replace(weight=np.ones(rows.n_rows)))
    one, params_one = fit_once(made(gate), weighted, resp * times[:, None])
    two, params_two = fit_once(made(gate), repeated, np.repeat(resp, times, axis=0))
    np.testing.assert_allclose(
        np.exp(one.log_prior(params_one, rows)), np.exp(two.log_prior(params_two, rows)), rtol=1e-7, atol=1e-9
    )


@every(CASES)
def test_q_does_not_fall(gate):
    gate, params, rows, resp = problem(gate)
    if not gate.traits.exact:
        pytest.skip("nothing is promised")
    q = q_of(gate, params, rows, resp)
    for _ in range(10):
        params = gate.update(params, gate.statistics(params, rows, resp), rows)
        q, before = q_of(gate, params, rows, resp), q
        assert q >= before - 1e-10 * rows.n_rows


@pytest.mark.parametrize("gate", [gate for gate in GATES if gate.name in ("SoftmaxGate", "TopKGate")], ids=identify)
def test_gradient_is_that_of_q(gate):
    lasso = getattr(gate, "node", gate).l1_ratio > 0
    gate, params, rows, resp = problem(gate, seed=3)
    gradient = gate.gradient(params, gate.statistics(params, rows, resp)).reshape(params.coef.shape)
    numeric = central_differences(lambda: q_of(gate, params, rows, resp), params.coef, lasso=lasso)
    there = gate.tree.used if gate.tree is not None else np.ones(K, dtype=bool)
    np.testing.assert_allclose(gradient[there], numeric[there], atol=1e-5)


@every(CASES)
def test_it_is_a_distribution(gate):
    gate, params, rows, _ = problem(gate)
    log_prior, score = gate.log_prior(params, rows), gate.log_score(params, rows)
    np.testing.assert_allclose(np.exp(log_prior).sum(axis=1), 1.0)
    assert log_prior.shape == (rows.n_rows, gate.n_leaves(params)) == (rows.n_rows, K)
    if gate.traits.generative:
        np.testing.assert_allclose(np.exp(log_prior), softmax(score, axis=1), rtol=1e-9)
    active, of_active = gate.route(params, rows)
    np.testing.assert_allclose(np.take_along_axis(log_prior, active, axis=1), of_active)
    np.testing.assert_allclose(np.exp(of_active).sum(axis=1), 1.0)
    assert np.isfinite(log_prior).sum() == active.size and (np.diff(active, axis=1) > 0).all()


@every(CASES)
def test_parameters_are_those_that_are_free_to_differ(gate):
    gate, params, rows, _ = problem(gate)
    if gate.traits.frozen:
        assert gate.n_parameters(params) == 0
    elif not gate.traits.smooth or gate.leaf_coordinates(params, DESIGN) is not None:
        assert gate.n_parameters(params) > 0
    else:
        own = gate.coordinates(params, DESIGN)
        used = np.ones(own.coef.shape[:2], dtype=bool) if own.used is None else own.used
        n_free = int((used.sum(axis=1) - 1).sum()) * own.coef.shape[2]
        if own.target is None:
            assert gate.n_parameters(params) == n_free
        else:  # those of a node sum to nothing new
            nodes = zip(own.coef, used, strict=True)
            slots = [(np.count_nonzero(coef[there, :-1], axis=0), there.sum() - 1) for coef, there in nodes]
            assert gate.n_parameters(params) == sum(np.minimum(count, most).sum() + most for count, most in slots)


@pytest.mark.parametrize("covariance_type, each", [("full", 3 * 6), ("tied", 6), ("diag", 3 * 3)])
def test_parameters_of_a_gaussian_gate(covariance_type, each):
    gate, params, _, _ = problem(GaussianGate(covariance_type))
    assert gate.n_parameters(params) == K - 1 + K * 3 + each


@every(CASES)
def test_interpolation_has_its_ends(gate):
    gate, old, rows, _ = problem(gate)
    _, new = fit_once(made(gate), rows._replace(active=None), make_resp(rows, seed=7))
    there = gate.interpolate(old, new, 0.0)
    np.testing.assert_allclose(gate.log_score(there, rows), gate.log_score(old, rows), rtol=1e-10)


# -- what it is --------------------------------------------------------------------------------------------------------


@every([*CASES, SoftmaxGate(), MinimalNodes()])
def test_it_says_what_it_is(gate):
    gate = made(gate)
    assert isinstance(gate.traits, GateTraits) and gate.name and isinstance(gate.traits.fixed, str)
    assert gate.adjustable <= set(gate.get_params(deep=False))
    tree = Tree.from_text("((. .) .)") if gate.tree is None else gate.tree
    over = gate.over(tree)
    assert isinstance(over, Gate) and over.name == gate.name and over.traits == gate.traits
    assert over is gate if isinstance(gate, Gate) else over.tree is tree
    if gate.tree is not None:
        with pytest.raises(ValueError, match="give the gate's nodes alone"):
            gate.over(Tree.flat(5))
    for name in gate.adjustable:
        changed = clone(gate).set_params(**{name: 0.123})
        assert changed.structure() == gate.structure()
    fixed = set(gate.get_params(deep=False)) - gate.adjustable
    assert all(f"{name}=" in gate.structure() for name in fixed) or gate.tree is not None


@every(CASES)
def test_it_clones_and_pickles(gate):
    bound, params, rows, _ = problem(gate)
    again, params_again = pickle.loads(pickle.dumps((bound, params)))
    np.testing.assert_array_equal(again.log_score(params_again, rows), bound.log_score(params, rows))
    assert str(clone(made(gate))) == str(made(gate))


def test_abilities_are_off_unless_declared():
    for gate in (MinimalGate(), MinimalNodes()):
        assert gate.traits == GateTraits() and not gate.adjustable and gate.tree is None
    assert not any(value for name, value in vars(GateTraits()).items() if name not in ("sees_columns", "fixed"))


def test_callers_ask_for_declared_members_only(monkeypatch):
    """What a gate is asked for stands in the base classes, but for what scikit-learn asks of every estimator."""
    missing = []

    def note(self, name):
        if not name.startswith("_"):
            missing.append(name)
        raise AttributeError(name)

    monkeypatch.setattr(MinimalGate, "__getattr__", note, raising=False)
    monkeypatch.setattr(MinimalNodes, "__getattr__", note, raising=False)
    X, y = table()
    for gate in (MinimalGate(), MinimalNodes()):
        use_everywhere(quietly_fitted(gate, X, y), X, y)
    assert not missing


# -- fitted models -----------------------------------------------------------------------------------------------------


def table(n=150, seed=0):
    """Columns in units of their own, far from zero; three regimes."""
    rng = np.random.default_rng(seed)
    place = rng.integers(3, size=n)
    Z = np.array([[-1.0, 0.0], [1.0, 0.5], [0.0, -1.5]])[place] + 0.5 * rng.normal(size=(n, 2))
    y = np.array([1.0, -1.0, 0.0])[place] * (1.0 + Z[:, 1]) + place + 0.2 * rng.normal(size=n)
    return Z * [250.0, 0.01] + [1000.0, -3.0], y


def nearest(Z):
    """A prior that a user knows."""
    score = -0.5 * ((Z[:, None] - np.array([[750.0, -3.0], [1250.0, -2.995], [1000.0, -3.015]])) ** 2 / [6e4, 1e-4])
    return softmax(score.sum(axis=2), axis=1)


def frozen():
    X, y = table()
    return EstimatorGate(FrozenEstimator(LogisticRegression().fit((X - 1000) / 250, np.arange(len(X)) % 3)))


FITTED = [
    SoftmaxGate(), SoftmaxGate(0.0), SoftmaxGate(2.0, 1.0), ConstantGate(), GaussianGate(), GaussianGate("tied"),
    GaussianGate("diag"), FixedGate(nearest), TopKGate(k=2, dense_sweeps=20, max_stages=3),
    TopKGate(k=2, dense_sweeps=20, max_stages=3, balance=1.5), EstimatorGate(cv=2), frozen(), MinimalGate(),
    MinimalNodes(),
]  # fmt: skip


def quietly_fitted(gate, X, y, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return HMERegressor(tree="((. .) .)", gate=gate, max_iter=30, **settings).fit(X, y)


def every_fitted(every=1):
    """Every `every`-th fitted gate, the others behind the marker."""
    gates = enumerate([*FITTED, ("BallGate", None), ("CutGate", None)])
    marks = [pytest.mark.slow]
    gates = [pytest.param(gate, marks=marks if i % every else ()) for i, gate in gates]
    return pytest.mark.parametrize("gate", gates, ids=identify)


def made_alone(gate):
    return of_pages(gate[0]) if isinstance(gate, tuple) else gate


def use_everywhere(model, X, y):
    """Whatever looks at a fitted model: text, summary, distribution, bootstrap, diagnosis, plot."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        text = export_text(model, ["depth", "width"])
        assert model.model_.gate.tree is None or text.count("gate ") == 2
        assert all(f"leaf {k} (load" in text for k in range(3))
        found = infer(model, X, y)
        assert f"under {model.model_.gate.name}" in str(found.summary())
        dist = model.predict_dist(X[:4])
        np.testing.assert_allclose(dist.weights, model.gate_proba(X[:4]))
        draws = bootstrap(model, X, y, 2, random_state=0)
        assert draws.n_used == 2
        assert diagnose(model, X, y, cv=2, n_seeds=1, n_bootstrap=0, random_state=0).verdict
        GateDisplay.from_estimator(model, X)
        plt.close("all")
    return found, draws


@every_fitted(every=20)
def test_it_is_at_home_everywhere(gate):
    X, y = table()
    gate = made_alone(gate)
    model = quietly_fitted(gate, X, y)
    found, draws = use_everywhere(model, X, y)
    bound, own = model.model_.gate, [label for label in found.labels if label.side == "gate"]
    assert bool(own) == bound.traits.smooth
    if bound.traits.smooth:
        assert {label.index for label in own} <= set(range(max(3, bound.n_leaves(model.params_.gate))))
    elif bound.traits.fixed:
        assert any(bound.traits.fixed in remark for remark in found.remarks)
    elif bound.n_parameters(model.params_.gate):
        assert any(f"{bound.name} has no derivatives" in remark for remark in found.remarks)
    for field in draws.gate_:
        assert field is None or np.shape(field)[0] == 2
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.gate_proba(X), model.gate_proba(X))


@every_fitted(every=8)
def test_skops_stores_it(gate):
    sio = pytest.importorskip("skops.io")
    X, y = table()
    model = quietly_fitted(made_alone(gate), X, y)
    stored = sio.dumps(model)
    again = sio.loads(stored, trusted=sio.get_untrusted_types(data=stored))
    np.testing.assert_array_equal(again.gate_proba(X), model.gate_proba(X))


def prior_by_hand(model, X):
    """The prior from what the user is shown, in the user's units."""
    gate, report, tree = model.model_.gate, model.gate_, model.tree_
    if gate.tree is not None and report.coef is not None:
        score = np.einsum("np,mbp->nmb", X, report.coef) + report.intercept
        score = np.where(tree.used, score, -np.inf)
        return np.exp(np.einsum("nmb,mbk->nk", np.where(tree.used, log_softmax(score, axis=2), 0.0), tree.paths))
    if isinstance(gate, TopKGate):
        score = X @ report.coef.T + report.intercept
        order = np.argsort(-(score + report.bias), axis=1)
        np.put_along_axis(score, order[:, gate.k :], -np.inf, axis=1)
        return softmax(score, axis=1)
    if isinstance(gate, MinimalGate):
        return softmax(X @ report.coef.T + report.intercept, axis=1)
    if isinstance(gate, ConstantGate):
        return np.tile(report.proportion, (len(X), 1))
    if isinstance(gate, EstimatorGate) and not gate.traits.frozen:
        return 0.99 * report.estimator.predict_proba(X) + 0.01 * report.proportion
    if isinstance(gate, GaussianGate):
        shape = [np.diag(c) if c.ndim == 1 else c for c in report.covariance]
    elif type(gate).__name__ == "BallGate":
        report, shape = report._replace(), [np.diag(r**2) for r in report.radius]
    else:
        return None
    center = getattr(report, "mean", getattr(report, "center", None))
    density = [multivariate_normal(m, c, allow_singular=True).logpdf(X) for m, c in zip(center, shape, strict=True)]
    return softmax(np.transpose(density) + np.log(report.proportion), axis=1)


@every_fitted(every=4)
def test_its_report_is_in_the_users_units(gate):
    X, y = table()
    model = quietly_fitted(made_alone(gate), X, y)
    expected = prior_by_hand(model, X)
    if expected is None:  # nothing with units is shown
        assert model.gate_.__class__.__name__ in ("GateReport", "FixedParams", "EstimatorGateReport")
    else:
        np.testing.assert_allclose(model.gate_proba(X), expected, rtol=1e-7, atol=1e-9)


def test_the_default_report_shows_nothing_whose_units_it_does_not_know():
    class PlaceParams(NamedTuple):
        place: np.ndarray
        coef: np.ndarray

    shown = MinimalGate().report(PlaceParams(np.ones((K, 3)), np.ones((K, 3))), DESIGN)  # no intercept: no scores
    assert shown == (None, None)
    assert MinimalGate().report(LogitParams(np.ones((K, 4))), DESIGN).coef.shape == (K, 3)


def test_labels_of_the_gate_are_names_of_columns():
    X, y = table()
    pandas = pytest.importorskip("pandas")
    model = quietly_fitted(SoftmaxGate(), pandas.DataFrame(X, columns=["depth", "width"]), y)
    labels = [label for label in infer(model, pandas.DataFrame(X, columns=["depth", "width"]), y).labels]
    own = {(label.index, label.part, label.term) for label in labels if label.side == "gate"}
    assert own == {(m, "1", term) for m in (0, 1) for term in ("(intercept)", "depth", "width")}


def test_every_gate_is_in_the_lists():
    tested = {type(gate) for gate in FITTED} & {type(getattr(gate, "node", gate)) for gate in [*GATES, SoftmaxGate()]}
    assert {*NAMES.values(), FixedGate} <= tested
    assert TreeGate in {type(gate) for gate in GATES} and issubclass(EstimatorGate, RefitGate)


def test_probabilities_that_do_not_sum_to_one_are_refused():
    X = np.linspace(-1, 1, 50)[:, None]
    with pytest.raises(ValueError, match="gate = Unnormalised: the probabilities of the experts sum to .*, not to 1"):
        HMERegressor(n_experts=2, gate=Unnormalised(), random_state=0).fit(X, np.abs(X[:, 0]))
