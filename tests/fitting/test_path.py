"""Paths over the strength of a lasso."""

import numpy as np
import pytest
from problems import few, representative, slow_case
from scipy.special import ndtr
from sklearn.base import clone
from sklearn.linear_model import lasso_path

from hme import HMEClassifier, HMERegressor
from hme.experts import LinearExpert, LogisticExpert, PoissonExpert
from hme.fitting.path import alpha_path
from hme.gates import SoftmaxGate, TopKGate

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
LASSO = LinearExpert(alpha=2.0, l1_ratio=1.0)
MODEL = HMERegressor(n_experts=2, expert=LASSO, gate=SoftmaxGate(1.0, 1.0))


def table(n=200, p=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, np.where(X[:, 0] > 0, 2.0 * X[:, 1] + 1.0, -2.0 * X[:, 2]) + 0.2 * rng.normal(size=n)


def regimes(n_leaves, n=300, p=6, seed=0):
    """A table in which every leaf has a regime of its own, so that none starves and the fits are well determined."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    regime = np.floor(n_leaves * ndtr(X[:, 0])).astype(int)
    means = np.column_stack([2.0 * X[:, 1], 2.0 - 2.0 * X[:, 2], 2.0 * X[:, 3] - 2.0, 1.0 - 2.0 * X[:, 1]])
    return X, means[np.arange(n), regime] + 0.2 * rng.normal(size=n)


def test_one_expert_is_lasso_path():
    X, y = table()
    X, y = X - X.mean(axis=0), y - y.mean()
    model = HMERegressor(depth=0, expert=LinearExpert(l1_ratio=1.0, variance_prior=None), standardize=False, tol=1e-12)
    path = alpha_path(model, X, y, n_alphas=12)
    alphas, coef, _ = lasso_path(X, y, alphas=path.alphas / len(y), tol=1e-12, max_iter=100000)
    np.testing.assert_allclose(path.alphas[0], np.abs(X.T @ y).max(), rtol=1e-6)
    assert alphas[0] == path.alphas[0] / len(y)
    np.testing.assert_allclose(path.coef()[:, 0], coef.T, atol=1e-6)
    np.testing.assert_array_equal(path.n_parameters, (path.coef()[:, 0] != 0).sum(axis=1) + 2)


@pytest.mark.parametrize("side", few(["expert", "gate"], 1))
@pytest.mark.parametrize("shape", representative(["(. .)", "(. . .)", "((. .) (. .))", "((. . .) .)"], every=4))
def test_first_alpha_leaves_nothing_and_the_last_nearly_all(side, shape):
    X, y = regimes(shape.count("."))
    model = clone(MODEL).set_params(n_experts=None, tree=shape)
    path = alpha_path(model, X, y, side=side, n_alphas=4)
    assert (path.alphas[:-1] > path.alphas[1:]).all() and path.alphas[0] > 100 * path.alphas[-1]
    counts = (path.coef() != 0).reshape(4, -1).sum(axis=1)
    assert counts[0] <= 2 and counts[-1] > counts[0] + 2
    for fitted in path.models:
        assert (np.diff(fitted.lower_bounds_) >= -1e-12).all()
        assert fitted.history_.load[-1].min() > 20
    np.testing.assert_allclose(path.objective, [fitted.lower_bounds_[-1] for fitted in path.models])
    assert path.converged.all()


@pytest.mark.slow
@pytest.mark.parametrize("side", ["expert", "gate"])
def test_path_with_more_leaves_than_regimes(side):
    X, y = table()  # two regimes: the third leaf starves
    path = alpha_path(clone(MODEL).set_params(n_experts=3), X, y, side=side, n_alphas=15)
    assert path.converged.all()
    counts = (path.coef() != 0).reshape(15, -1).sum(axis=1)
    assert counts[0] <= 2 and counts[-1] > counts[0] + 2
    for fitted in path.models:
        assert (np.diff(fitted.lower_bounds_) >= -1e-12).all()


@pytest.mark.parametrize("side", few(["expert", "gate"], 1))
def test_largest_alpha_is_the_least_without_slopes_at_fixed_responsibilities(side):
    X, y = table()
    model = clone(MODEL).set_params(tol=1e-10).fit(X, y)
    largest = alpha_path(clone(MODEL).set_params(tol=1e-10), X, y, side=side, n_alphas=2).alphas[0]
    rows = model.observed_rows(X, y)[0]
    resp = model.model_.posterior(model.params_, rows)[1]
    design = model.columns_.expert.design
    for share, empty in ((1.0001, True), (0.999, False)):
        if side == "expert":
            family = LinearExpert(alpha=share * largest, l1_ratio=1.0).bind(rows, design)
        else:
            family = model.model_.gate.__class__(SoftmaxGate(share * largest, 1.0), model.tree_).bind(rows, design)
        params = family.init(rows, resp)
        for _ in range(200):
            params = family.update(params, family.statistics(params, rows, resp), rows)
        assert (params.coef[..., :-1] == 0).all() == empty


@pytest.mark.slow
def test_selected_estimator_is_a_fit_of_that_alpha():
    X, y = table()
    path = alpha_path(MODEL, X, y, n_alphas=6, eps=0.05)
    best = path.select()
    assert best.expert.alpha == path.alphas[path.bic.argmin()] and best.gate.alpha == 1.0 and not best.warm_start
    np.testing.assert_allclose(best.bic(X, y), path.bic.min())
    np.testing.assert_allclose(best.aic(X, y), path.aic[path.bic.argmin()])
    slopes = best.experts_.coef != 0
    assert slopes[:, 1:3].any(axis=0).all() and slopes.sum() < 8
    again = clone(best).set_params(tol=1e-9).fit(X, y)
    assert again.lower_bounds_[-1] > best.lower_bounds_[-1] - 1e-3
    assert path.select("aic").expert.alpha <= best.expert.alpha
    assert [fitted.expert.alpha for fitted in path.models] == list(path.alphas)
    assert LASSO.alpha == 2.0


@pytest.mark.slow
def test_second_pass_keeps_the_better_fits():
    X, y = regimes(3, 200, 8)
    model = clone(MODEL).set_params(n_experts=3)
    one = alpha_path(model, X, y, n_alphas=10)
    two = alpha_path(model, X, y, n_alphas=10, passes=2)
    assert (two.objective >= one.objective).all()


@pytest.mark.slow
def test_frames():
    pandas = pytest.importorskip("pandas")
    X, y = table()
    named = pandas.DataFrame(X, columns=list("abcdef"))
    path = alpha_path(clone(MODEL).set_params(tol=1e-3), named, y, n_alphas=3)
    frame = path.to_frame()
    assert list(frame.columns) == ["alpha", "expert", "column", "coef"] and len(frame) == 3 * 2 * 6
    wide = frame.pivot(index="alpha", columns=["expert", "column"], values="coef")
    np.testing.assert_array_equal(wide[1, "c"].to_numpy()[::-1], path.coef()[:, 1, 2])
    gate = alpha_path(clone(MODEL).set_params(tol=1e-3), named, y, side="gate", n_alphas=3)
    frame = gate.to_frame()
    assert list(frame.columns) == ["alpha", "node", "column", "coef"] and len(frame) == 3 * 6
    np.testing.assert_allclose(frame.coef.to_numpy().reshape(3, 6), gate.coef()[:, 0, 1] - gate.coef()[:, 0, 0])
    X, y = regimes(3)
    named = pandas.DataFrame(X, columns=list("abcdef"))
    flat = alpha_path(clone(MODEL).set_params(n_experts=3, tol=1e-2), named, y, side="gate", n_alphas=2).to_frame()
    assert list(flat.columns) == ["alpha", "node", "branch", "column", "coef"] and len(flat) == 2 * 3 * 6


@pytest.mark.slow
@pytest.mark.parametrize("gate", [TopKGate(1, 0.5, 1.0), slow_case(SoftmaxGate(1.0, 0.5))])
def test_other_families_and_arguments(gate):
    X, _ = table(200)
    rng = np.random.default_rng(1)
    offset, weight = rng.uniform(0, 1, 200), rng.integers(1, 3, 200)
    y = rng.poisson(np.exp(0.7 * X[:, 0] + offset))
    model = HMERegressor(n_experts=2, expert=PoissonExpert(l1_ratio=0.8), gate=gate, tol=1e-3)
    for side in ("expert", "gate"):
        path = alpha_path(model, X, y, side=side, n_alphas=2, offset=offset, sample_weight=weight)
        best = path.select()
        expected = best.bic(X, y, sample_weight=weight, offset=offset)
        np.testing.assert_allclose(expected, path.bic.min())
        assert (path.coef()[0] == 0).mean() > 0.7
        path.to_frame()


@pytest.mark.slow
def test_slopes_of_classes():
    X, _ = table(200)
    rng = np.random.default_rng(1)
    code = (X[:, 0] + rng.logistic(size=200) > 0).astype(int) + (X[:, 1] > 1)
    path = alpha_path(HMEClassifier(n_experts=2, expert=LogisticExpert(l1_ratio=1.0)), X, code, n_alphas=3)
    frame = path.to_frame()
    assert "output" in frame and len(frame) == 3 * 2 * 3 * 6


def test_groups():
    X, y = table(200)
    groups = np.repeat(np.arange(50), 4)
    model = HMERegressor(n_experts=2, expert=LASSO, gate="constant")
    path = alpha_path(model, X, y, n_alphas=3, groups=groups)
    np.testing.assert_allclose(path.select().bic(X, y, groups=groups), path.bic.min())


def test_given_alphas_and_ridge():
    X, y = table()
    model = HMERegressor(n_experts=2, expert=LinearExpert(shrink_to="zero"))
    path = alpha_path(model, X, y, alphas=[1.0, 100.0, 1.0, 10.0])
    np.testing.assert_array_equal(path.alphas, [100.0, 10.0, 1.0])
    assert (np.abs(path.coef()).sum(axis=(1, 2)) > 0).all()


@pytest.mark.parametrize(
    "model, arguments, message",
    [
        (HMERegressor(n_experts=2), {}, "LinearExpert has l1_ratio=0.0: give alphas"),
        (HMERegressor(n_experts=2, expert="tree"), {}, "TreeExpert, which has no alpha"),
        (HMERegressor(n_experts=2, gate="constant"), {"side": "gate"}, "ConstantGate, which has no alpha"),
        (MODEL, {"side": "leaf"}, "side must be one of"),
        (MODEL, {"eps": 2.0}, "eps must be a number between 0 and 1"),
        (MODEL, {"n_alphas": 1}, "n_alphas must be an integer >= 2"),
        (MODEL, {"passes": 3}, "passes must be an integer between 1 and 2"),
        (MODEL, {"alphas": [-1.0]}, "alphas must be a finite number >= 0"),
        (HMERegressor(n_experts=2, expert=[("a", LASSO), ("b", LASSO)]), {}, "does not go with a list of experts"),
        (HMERegressor(n_experts=2, expert=LinearExpert(1.0, 1.0, "global")), {}, "has shrink_to='global'"),
    ],
    ids=str,
)
def test_what_makes_no_path_is_refused(model, arguments, message):
    X, y = table(60)
    with pytest.raises(ValueError, match=message):
        alpha_path(model, X, y, **arguments)


def test_plot():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    X, y = table()
    path = alpha_path(clone(MODEL).set_params(tol=1e-3), X, y, n_alphas=2)
    axes = path.plot()
    assert len(axes) == 2 and len(axes[0].lines) == 7
    np.testing.assert_array_equal(axes[1].lines[2].get_ydata(), path.coef()[:, 1, 2])
    path.plot(axes, criterion=None, line_kwargs={"color": "k"})
    pyplot.close("all")
    assert "2 fits" in repr(path)


def test_a_path_takes_labels():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 4))
    side = (X[:, 0] > 0).astype(int)
    y = np.where(side, 2 * X[:, 1], -2 * X[:, 2]) + 0.3 * rng.normal(size=200)
    model = HMERegressor(n_experts=2, expert=LinearExpert(l1_ratio=1.0))
    path = alpha_path(model, X, y, n_alphas=3, labels=np.where(np.arange(200) < 20, side, -1))
    assert path.converged.all() and path.models[-1].experts_.coef[1, 1] > 1.5
