"""A growing tree: splits, sizes that are compared on held-out rows, and their average."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from hme import HMEClassifier, HMERegressor
from hme.experts import LinearExpert
from hme.gates import GaussianGate
from hme.growing import course, growth, held_out
from hme.growing.held_out import shares_of
from hme.model.folds import fold_numbers, with_every_class
from hme.model.rows import Rows
from hme.plot import GrowthDisplay


def bent(n, seed=0, noise=0.1):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, (n, 2))
    return X, np.abs(X[:, 0]) + 0.3 * X[:, 1] + noise * rng.normal(size=n)


@pytest.fixture(scope="module")
def fitted():
    X, y = bent(200)
    return HMERegressor().fit(X, y), X, y


def test_a_line_stays_one_expert_and_a_bent_one_is_halved(fitted):
    assert fitted[0].n_experts_ == 2
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 3))
    y = X[:, 0] + rng.normal(size=150)
    line, plain = HMERegressor().fit(X, y), HMERegressor(depth=0).fit(X, y)
    assert line.n_experts_ == 1
    new = rng.normal(size=(2000, 3))
    error, least = (1.0 + np.mean((model.predict(new) - new[:, 0]) ** 2) for model in (line, plain))
    assert error < 1.01 * least


def test_steps_are_told(fitted):
    model, *_ = fitted
    sizes = [step.n_experts for step in model.growth_]
    lines, borders = {}, {"gate_features": "splines"}
    curves = {"expert_features": "splines"}
    assert sizes[:3] == [1, 2, 3] and model.candidates_ == [lines, borders, curves, curves | borders]
    assert sorted({step.candidate for step in model.growth_}) == [0, 1, 2, 3]
    (chosen,) = [step for step in model.growth_ if step.chosen]
    assert chosen.n_experts == model.n_experts_ == model.tree_.n_leaves
    best = max(step.score for step in model.growth_)
    assert chosen.score >= best - max(2.0 * chosen.error, 0.01)
    assert sum(step.share for step in model.growth_) == pytest.approx(1.0)
    assert all(step.difference == pytest.approx(best - step.score) for step in model.growth_)


def test_growth_is_drawn(fitted):
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    display = GrowthDisplay.from_estimator(fitted[0])
    assert len(display.frame()) == len(fitted[0].growth_)
    np.testing.assert_array_equal(display.n_experts[display.chosen], [fitted[0].n_experts_])
    bars = display.share_ax_.patches
    np.testing.assert_allclose(sorted(bar.get_height() for bar in bars), sorted(display.share[display.share > 0]))
    plt.close("all")
    X, y = bent(40)
    with pytest.raises(ValueError, match="depth='auto'"):
        GrowthDisplay.from_estimator(HMERegressor(depth=1).fit(X, y))


def test_the_average_is_a_mixture_of_its_parts(fitted):
    model, X, y = fitted
    parts, seen = model.average_.parts, model.averaged_rows(X)
    pairs = list(zip(parts, seen, strict=True))
    by_hand = sum(part.share * part.mixture.mean(part.params, rows)[:, 0] for part, rows in pairs)
    assert len({part.candidate for part in parts}) >= 2 and len({rows.X.shape for rows in seen}) == 2
    np.testing.assert_allclose(model.predict(X), by_hand, rtol=1e-12)
    dist = model.predict_dist(X)
    np.testing.assert_allclose(dist.mean(), by_hand, rtol=1e-12)
    np.testing.assert_allclose(dist.weights.sum(axis=1), 1.0)
    mean, std = model.predict(X, return_std=True)
    np.testing.assert_allclose(std, dist.standard_deviation())
    density = sum(
        part.share
        * np.exp(
            part.mixture.log_prior(part.params, rows)
            + part.mixture.expert.predictive(part.params.experts, rows, part.uncertainty.experts)
            .widened(part.uncertainty.inflation)
            .logpdf(y[:, None])
        ).sum(axis=1)
        for part, rows in pairs
    )
    np.testing.assert_allclose(dist.pdf(y), density, rtol=1e-10)


def test_the_plug_in_density_is_that_of_the_tree(fitted):
    model, X, y = fitted
    plug_in = model.predict_dist(X, density="plug-in")
    np.testing.assert_allclose(plug_in.logpdf(y), model.log_likelihood(X, y), rtol=1e-10)
    np.testing.assert_allclose(model.predict(X, density="plug-in"), plug_in.mean())
    assert np.abs(model.predict(X) - plug_in.mean()).max() > 0


def test_the_tree_alone_predicts_without_an_average():
    X, y = bent(120)
    model = HMERegressor(average=False, max_experts=3).fit(X, y)
    assert model.average_ is None and model.growth_
    np.testing.assert_allclose(model.predict(X), model.predict(X, density="plug-in"))


def test_repeated_rows_are_weights():
    X, y = bent(120)
    times = np.random.default_rng(1).integers(1, 4, 120)
    weighted = HMERegressor(max_experts=3).fit(X, y, sample_weight=times)
    repeated = HMERegressor(max_experts=3).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    assert weighted.n_experts_ == repeated.n_experts_
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-6)
    shuffled = np.random.default_rng(0).permutation(120)
    again = HMERegressor(max_experts=3).fit(X[shuffled], y[shuffled], sample_weight=times[shuffled])
    np.testing.assert_allclose(again.predict(X), weighted.predict(X), rtol=1e-6)


@pytest.mark.parametrize("ends", ["early", "badly"])
def test_a_path_on_all_rows_may_end_early_or_badly(monkeypatch, ends):
    again, (X, y) = growth._grown_again, bent(300)
    plain = HMERegressor(candidates=None, max_experts=3).fit(X, y)

    def path(*given):
        sizes = again(*given)
        bad = sizes[1]._replace(params=sizes[1].mixture.init(given[0].rows, np.full((300, 2), 0.5)))
        return {0: sizes[0]} if ends == "early" else sizes | {1: bad}

    monkeypatch.setattr(growth, "_grown_again", path)
    model = HMERegressor(candidates=None, max_experts=3).fit(X, y)
    assert model.n_experts_ == plain.n_experts_ == 2  # a tree that has grown without a fold goes on with all rows
    assert model.score(X, y) == pytest.approx(plain.score(X, y), abs=0.01)


def test_experts_and_parts_are_limited():
    X, y = bent(300, noise=0.02)
    assert max(step.n_experts for step in HMERegressor(max_experts=3).fit(X, y).growth_) == 3
    model = HMERegressor(max_experts=6, min_weight_fraction_leaf=0.3, average=False).fit(X, y)
    assert model.load_.min() > 0.25
    assert HMERegressor(max_experts=1).fit(X, y).n_experts_ == 1


def test_an_exclusive_or_is_seen_past_the_first_failing_split():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (600, 2))
    y = np.where((X[:, 0] > 0) == (X[:, 1] > 0), 1.0, -1.0) + 0.1 * rng.normal(size=600)
    model = HMERegressor().fit(X, y)
    assert model.n_experts_ >= 3
    assert np.sqrt(np.mean((model.predict(X) - y) ** 2)) < 0.5


def test_a_blind_gate_grows_by_what_is_left_over():
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 10, (400, 1))
    y = np.where(rng.random(400) < 0.5, X[:, 0], 20.0 - X[:, 0]) + rng.normal(size=400)
    model = HMERegressor(gate="constant").fit(X, y)
    assert model.n_experts_ == 2
    assert sorted(model.experts_.coef.ravel().round()) == [-1.0, 1.0]


def test_classes_counts_groups_and_generative_gates_grow():
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, (200, 2))
    y = (np.abs(X[:, 0]) > 1).astype(int)
    model = HMEClassifier(max_experts=4).fit(X, y)
    assert model.score(X, y) > 0.95 and model.n_experts_ > 1
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), model.predict_proba(X), atol=1e-12)
    np.testing.assert_allclose(model.predict_dist(X).probabilities(), model.predict_proba(X), atol=1e-12)
    counts = rng.poisson(np.exp(np.abs(X[:, 0])))
    assert HMERegressor(expert="poisson", max_experts=3).fit(X, counts).n_experts_ > 1
    Xb, yb = bent(200)
    groups = np.arange(200) // 2
    Xb = Xb[groups * 2]  # the gate's columns are the same inside a group
    assert HMERegressor(max_experts=3).fit(Xb, np.abs(Xb[:, 0]), groups=groups).growth_
    assert HMERegressor(gate=GaussianGate(), max_experts=3).fit(*bent(200)).growth_


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_where_nothing_grows_rows_are_counted():
    X, y = bent(200)
    for settings in ({"branching": 3}, {"gate": "top_k"}, {"expert": "tree"}, {"depth": 1}):
        assert HMERegressor(max_iter=2, **settings).fit(X, y).growth_ == []
    few = HMERegressor().fit(X[:20], y[:20])
    assert few.growth_ == [] and few.n_experts_ == 1


def test_a_warm_start_goes_on_with_the_tree(fitted):
    model, X, y = fitted
    again = clone(model).set_params(warm_start=True).fit(X, y)
    grown = again.tree_
    again.fit(X, y)
    assert again.tree_ == grown and again.average_ is None


@pytest.mark.parametrize(
    "settings, name",
    [
        ({"max_experts": 0}, "max_experts"),
        ({"min_weight_fraction_leaf": 0.7}, "min_weight_fraction_leaf"),
        ({"average": "yes"}, "average"),
        ({"depth": 2, "max_experts": 4}, "max_experts"),
        ({"gate": "top_k", "max_experts": 4}, "max_experts"),
    ],
)
def test_refusals_name_the_parameter(settings, name):
    with pytest.raises((ValueError, TypeError), match=name):
        HMERegressor(**settings).fit(*bent(50))


@pytest.mark.parametrize("settings", [{"depth": 1}, {"branching": 3}])
def test_a_least_share_that_nothing_reads_is_told(settings):
    with pytest.warns(UserWarning, match="min_weight_fraction_leaf = 0.1 has no effect") as given:
        HMERegressor(min_weight_fraction_leaf=0.1, max_iter=1, **settings).fit(*bent(50))
    assert len(given) == 1 and "max_iter=1" in str(given[0].message)  # whatever else there is to say


@pytest.mark.parametrize("expert", ["logistic", "constant"])
@pytest.mark.parametrize("rare", [0, 2])
def test_a_class_of_one_row_is_never_held_out(expert, rare):
    X, score = bent(60)
    y = np.where(score > np.median(score), 1, 2 - rare)
    y[7] = rare
    model = HMEClassifier(expert=expert, max_experts=2).fit(X, y)
    assert len(model.growth_) > 1 and model.predict_proba(X).shape == (60, 3)


@pytest.mark.filterwarnings("ignore:The number of unique classes")
def test_a_tree_does_not_grow_where_every_row_has_its_own_class():
    model = HMEClassifier(expert="constant").fit(bent(30)[0], np.arange(30))
    assert model.n_experts_ == len(model.growth_) == 1


def test_rows_that_only_the_gate_or_an_offset_tells_apart_are_held_out():
    X, _ = bent(60)
    ones, Z = np.ones((60, 1)), np.column_stack([X, np.ones(60)])
    rows = Rows(ones, Z, np.zeros((60, 1)), np.ones(60))
    assert len(np.unique(fold_numbers(rows))) == 60
    assert len(np.unique(fold_numbers(rows._replace(Z=ones, offset=X[:, 0])))) == 60
    model = HMERegressor(expert="point_mass", expert_features=[], max_experts=2).fit(X, np.zeros(60))
    assert model.growth_ and model.n_experts_ == 1


def test_folds_of_a_sparse_table_are_those_of_the_dense_one():
    X = np.column_stack([bent(50)[0], np.ones(50)])
    rows = Rows(X, X, np.arange(50) % 2, np.ones(50))
    sparse = sp.csr_matrix(X)
    np.testing.assert_array_equal(fold_numbers(rows), fold_numbers(rows._replace(X=sparse, Z=sparse)))


def test_parts_of_a_table_have_every_class():
    rows = Rows(np.ones((50, 1)), np.ones((50, 1)), np.repeat([0, 1, 2], [2, 24, 24]), np.ones(50))
    number = np.arange(50) // 2
    kept = with_every_class(rows, number, number % 4 == 3)
    np.testing.assert_array_equal(np.unique(number[kept]), [0, 3, 7, 11, 15, 19, 23])  # rows come by their numbers
    whole = with_every_class(rows._replace(y=rows.y[:, None]), number, number == 3)
    np.testing.assert_array_equal(whole, number == 3)


def test_one_expert_is_fitted_to_the_same_rows_once(monkeypatch):
    bound, bind = [], LinearExpert.bind
    monkeypatch.setattr(
        LinearExpert, "bind", lambda self, rows, design: bound.append(rows.n_rows) or bind(self, rows, design)
    )
    model = HMERegressor(expert=LinearExpert(alpha=0.1), max_experts=4, tol=0.1).fit(*bent(60))
    sizes = [step.n_experts for step in model.growth_]
    n_folds = course.FOLDS[0][1]
    assert len(sizes) > 3 and len(bound) == 2 + n_folds  # all rows as a table is read, and as they grow


@pytest.mark.parametrize("step", [2, 4])
def test_an_interrupt_keeps_the_best_size_so_far(monkeypatch, step):
    X, y = bent(300)
    calls, scored = [], course.log_density_of

    def press(*arguments):
        calls.append(None)
        if len(calls) == step + 1:
            raise KeyboardInterrupt
        return scored(*arguments)

    monkeypatch.setattr(course, "log_density_of", press)
    with pytest.warns(ConvergenceWarning, match="interrupted while the tree grew"):
        model = HMERegressor().fit(X, y)
    assert model.stop_reason_ == "interrupted" and len(model.growth_) == step
    (chosen,) = [one for one in model.growth_ if one.chosen]
    assert model.n_experts_ == chosen.n_experts > 1 and model.average_ is None and model.score(X, y) > 0.5


def test_an_interrupt_before_any_score_leaves_the_earlier_fit(monkeypatch):
    X, y = bent(100)
    model = HMERegressor(depth=1).fit(X, y)
    before = model.predict(X)

    def press(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(course, "log_density_of", press)
    with pytest.raises(KeyboardInterrupt):
        model.set_params(depth="auto").fit(X, y)
    np.testing.assert_array_equal(model.predict(X), before)


def test_progress_is_told(capsys):
    HMERegressor(max_experts=3, verbose=1).fit(*bent(100))
    assert capsys.readouterr().out.count("growing:") >= 3


def test_shares_make_held_out_rows_most_likely():
    rng = np.random.default_rng(0)
    log_density, weight = rng.normal(size=(200, 3)), rng.uniform(0.5, 2.0, 200)
    share = shares_of(log_density, weight)

    def reached(share):
        return weight @ np.log(np.exp(log_density) @ share)

    assert share.sum() == pytest.approx(1.0)
    for _ in range(20):
        other = np.maximum(share + 0.02 * rng.normal(size=3), 0.0)
        assert reached(other / other.sum()) <= reached(share) + 1e-4


@pytest.mark.parametrize("spread", [0.01, 1.0, 30.0])
def test_no_slope_of_the_best_shares_is_above_one(spread):
    rng = np.random.default_rng(0)
    log_density = spread * rng.normal(size=(100, 2)) @ rng.normal(size=(2, 12))
    log_density[::9, 3] = -1e4  # impossible
    weight = rng.dirichlet(np.ones(100))
    share, reached = held_out._shares(log_density, weight, np.full(12, 1 / 12))
    density = np.exp(log_density - log_density.max(axis=1, keepdims=True))
    slope = weight @ (density / (density @ share)[:, None])
    assert slope.max() <= 1.0 + 2 * held_out.SHARE_TOL
    assert share @ slope == pytest.approx(1.0) and (share >= 0).all()
    with np.errstate(divide="ignore"):
        assert reached == pytest.approx(weight @ np.logaddexp.reduce(log_density + np.log(share), axis=1))


def test_rounded_targets_are_compared_by_cells():
    X, y = bent(300)
    fold = HMERegressor(depth=0).fit(X, np.rint(y))
    rows, _ = fold.observed_rows(X, np.rint(y))
    np.testing.assert_array_equal(held_out.values_of(rows, 300), np.unique(np.rint(y)))
    rows, _ = fold.observed_rows(X, y)
    assert held_out.values_of(rows, 300) is None
