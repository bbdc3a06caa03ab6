"""The bootstrap: alignment of refits, draws of rows and of targets, standard errors, the test for more experts."""

from itertools import permutations, product

import joblib
import numpy as np
import pytest
import statsmodels.api as sm
from problems import few, representative, slow_case
from scipy.stats import kstest
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeRegressor

from hme import HMEClassifier, HMERegressor, Tree
from hme.bootstrap import bootstrap, draw_targets, lr_test_bootstrap
from hme.bootstrap.draws import case_drawer
from hme.experts import BackgroundExpert, LinearExpert, StudentExpert
from hme.gates import FixedGate, SoftmaxGate
from hme.inference.alignment import align, branches_of, exchangeable

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SHAPES = ["(. .)", "(. . .)", "((. .) .)", "((. .) (. .))", "((. . .) (. .) .)", "(((. .) .) (. (. .)))"]
PLAIN = LinearExpert(alpha=0.0, variance_prior=None)


def responsibilities(rng, n, K, sharpness=3.0):
    score = sharpness * rng.normal(size=(n, K))
    return np.exp(score - np.logaddexp.reduce(score, axis=1)[:, None])


def symmetries(tree):
    """All leaf permutations that exchange branches below nodes, by their definition: sets of leaves below nodes."""
    below = {frozenset(np.flatnonzero(p)) for node in tree.paths for p in node if p.any()}
    for order in permutations(range(tree.n_leaves)):
        if {frozenset(order[k] for k in group) for group in below} == below:
            yield np.array(order)


def table(n=200, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, 2))
    return X, np.where(X[:, 0] < 0, 2.0 - X[:, 0], 3.0 * X[:, 0]) + 0.1 * rng.standard_normal(n)


# -- alignment ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("K", [1, 2, 3, 5, 8])
def test_permuted_copy_is_matched_exactly(K):
    rng = np.random.default_rng(K)
    resp = responsibilities(rng, 300, K)
    for _ in range(5):
        order = rng.permutation(K)
        found = align(resp, resp[:, order], rng.uniform(0, 2, 300))
        np.testing.assert_array_equal(order[found.experts], np.arange(K))
        assert found.agreement == pytest.approx(1.0)
        assert not found.ambiguous
        assert not found.crossed


def test_matching_is_the_best_and_confidence_that_of_the_next():
    rng = np.random.default_rng(0)
    for seed in range(10):
        a, b = responsibilities(rng, 40, 4, 1.0), responsibilities(rng, 40, 4, 1.0)
        w = rng.uniform(0, 2, 40)
        share = w / w.sum()
        overlap, load = a.T @ (b * share[:, None]), share @ a
        every = [np.array(order) for order in permutations(range(4))]
        value = [overlap[np.arange(4), order].sum() for order in every]
        found = align(a, b, w)
        best = every[int(np.argmax(value))]
        np.testing.assert_array_equal(found.experts, best)
        # The next best of those that lack a pair, for each pair.
        rest = []
        for k in range(4):
            gain, other = max((v, i) for i, v in enumerate(value) if every[i][k] != best[k])
            rest.append((max(value) - gain) / load[every[other] != best].sum())
        assert found.confidence == pytest.approx(min([*rest, 1.0])), seed
        # Least squares between the responsibilities have the same solution.
        squares = [(share[:, None] * (a - b[:, order]) ** 2).sum() for order in every]
        assert int(np.argmin(squares)) == int(np.argmax(value))


@pytest.mark.parametrize("shape", SHAPES)
def test_symmetry_of_the_tree_is_the_best_one(shape):
    tree, rng = Tree.from_text(shape), np.random.default_rng(1)
    every = list(symmetries(tree))
    K = tree.n_leaves
    for _ in range(5):
        overlap = rng.uniform(size=(K, K))
        leaves, nodes, branches = branches_of(tree, overlap)
        value = [overlap[np.arange(K), order].sum() for order in every]
        np.testing.assert_array_equal(leaves, every[int(np.argmax(value))])
        # Paths of the tree follow: branch b of node m leads to leaf k as its image leads to the image of k.
        moved = tree.paths[nodes[:, None], branches][:, :, leaves]
        np.testing.assert_array_equal(moved, tree.paths)


def test_crossed_experts_are_found_whatever_the_tree():
    tree, resp = Tree.complete(2), responsibilities(np.random.default_rng(0), 200, 4)
    found = align(resp, resp[:, [0, 2, 1, 3]], tree=tree)
    np.testing.assert_array_equal(found.experts, [0, 2, 1, 3])
    assert found.crossed
    assert any(np.array_equal(found.leaves, order) for order in symmetries(tree))
    kept = align(resp, resp[:, [2, 3, 1, 0]], tree=tree)
    assert not kept.crossed
    np.testing.assert_array_equal(kept.nodes, [0, 2, 1])


def test_equal_experts_are_ambiguous():
    resp = np.full((50, 2), 0.5)
    assert align(resp, resp).confidence == 0.0
    assert align(resp, resp).ambiguous


def test_experts_of_several_families_are_not_exchanged():
    X, y = table()
    experts = [("a", "linear"), ("noise", BackgroundExpert()), ("b", "linear")]
    model = HMERegressor(n_experts=3, expert=experts).fit(X, y)
    allowed = exchangeable(model.model_.expert, 3)
    np.testing.assert_array_equal(allowed, [[1, 0, 1], [0, 1, 0], [1, 0, 1]])
    resp = responsibilities(np.random.default_rng(0), 100, 3)
    found = align(resp, resp[:, [1, 0, 2]], allowed=allowed)
    assert found.experts[1] == 1
    fixed = HMERegressor(n_experts=2, expert=LinearExpert(fixed_coef={0: [1.0, 2.0]})).fit(X, y)
    np.testing.assert_array_equal(exchangeable(fixed.model_.expert, 2), np.eye(2))


def test_shapes_are_refused_by_name():
    with pytest.raises(ValueError, match="resp"):
        align(np.ones((3, 2)), np.ones((3, 3)))
    with pytest.raises(ValueError, match="tree has 3 leaves"):
        align(np.ones((3, 2)), np.ones((3, 2)), tree=Tree.flat(3))


# -- the case bootstrap ------------------------------------------------------------------------------------------------


def test_draws_are_fits_to_copied_rows():
    X, y = table(80)
    model = HMERegressor(depth=0, expert=PLAIN).fit(X, y)
    found = bootstrap(model, X, y, 5, random_state=3)
    seed = int(np.random.RandomState(3).randint(2**31 - 1))
    for b in range(5):
        count = np.random.default_rng((seed, b)).multinomial(80, np.full(80, 1 / 80))
        index = np.repeat(np.arange(80), count)
        plain = LinearRegression().fit(X[index], y[index])
        np.testing.assert_allclose(found.experts_.coef[b, 0], plain.coef_, rtol=1e-8)
        np.testing.assert_allclose(found.experts_.intercept[b, 0], plain.intercept_, rtol=1e-8)
        residual = y[index] - plain.predict(X[index])
        np.testing.assert_allclose(found.experts_.variance[b, 0], (residual**2).mean(), rtol=1e-8)


@pytest.mark.parametrize("n_draws", [30, slow_case(400)])
def test_standard_errors_of_the_case_bootstrap_are_the_sandwich(n_draws):
    rng = np.random.default_rng(0)
    n, B = 2000, n_draws
    X = rng.normal(size=(n, 2))
    y = X @ [1.0, -2.0] + (0.5 + np.abs(X[:, 0])) * rng.normal(size=n)
    found = bootstrap(HMERegressor(depth=0, expert=PLAIN).fit(X, y), X, y, B, random_state=0)
    robust = sm.OLS(y, sm.add_constant(X)).fit(cov_type="HC0").bse[[1, 2, 0]]
    # A standard deviation of B normal draws has a relative error of 1 / sqrt(2 B).
    np.testing.assert_allclose(found.standard_error()[:3], robust, rtol=4.0 / np.sqrt(2 * B))


def test_case_draws_of_weights():
    rng = np.random.default_rng(0)
    weight = np.array([0.0, 1.0, 2.0, 5.0])
    draw = case_drawer(np.arange(4), weight, "copies", False)
    drawn = np.array([draw(rng) for _ in range(4000)])
    np.testing.assert_array_equal(drawn.sum(axis=1), 8.0)
    # Sums of as many cells of the multinomial of eight single rows: mean w and variance w (1 - w / 8).
    error = np.sqrt(weight * (1 - weight / 8) / 4000)
    assert (np.abs(drawn.mean(axis=0) - weight) <= 4 * error).all()
    variance = weight * (1 - weight / 8)
    np.testing.assert_allclose(drawn.var(axis=0), variance, rtol=0.15)
    kept = case_drawer(np.arange(4), weight, "rows", False)
    drawn = np.array([kept(rng) for _ in range(100)])
    count = np.divide(drawn, weight, out=np.zeros_like(drawn), where=weight > 0)
    np.testing.assert_array_equal(count, np.rint(count))


@pytest.mark.slow
def test_clusters_and_groups_are_drawn_whole():
    codes = np.repeat(np.arange(20), 5)
    for weighting in ("copies", "rows"):
        draw = case_drawer(codes, np.ones(100), weighting, True)
        drawn = draw(np.random.default_rng(0)).reshape(20, 5)
        assert (drawn == drawn[:, :1]).all()
        assert drawn[:, 0].sum() == 20
    X, y = table(100)
    model = HMERegressor(n_experts=2, gate="constant").fit(X, y, groups=codes)
    found = bootstrap(model, X, y, 10, groups=codes, random_state=0)
    assert found.n_used == 10
    assert found.gate_.proportion.shape == (10, 2)
    with pytest.raises(ValueError, match="clusters must hold groups whole"):
        bootstrap(model, X, y, 10, groups=codes, clusters=np.arange(100))
    with pytest.raises(ValueError, match="constant inside a cluster"):
        bootstrap(model, X, y, 10, sample_weight=np.arange(100), clusters=codes)
    assert bootstrap(model, X, y, 4, sample_weight=np.arange(100), clusters=codes, weighting="rows").n_used == 4
    with pytest.raises(ValueError, match="clusters has shape"):
        bootstrap(model, X, y, 10, clusters=codes[:50])


@pytest.mark.parametrize("n_draws", [slow_case(400)])
def test_clusters_widen_the_errors_of_what_is_constant_in_them(n_draws):
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(60), 10)
    X = rng.normal(size=60)[codes][:, None]
    y = X[:, 0] + rng.normal(size=60)[codes] + 0.1 * rng.normal(size=600)
    model, B = HMERegressor(depth=0, expert=PLAIN).fit(X, y), n_draws
    robust = sm.OLS(y, sm.add_constant(X)).fit(
        cov_type="cluster", cov_kwds={"groups": codes, "use_correction": False}
    ).bse[[1, 0]]  # fmt: skip
    found = bootstrap(model, X, y, B, clusters=codes, random_state=0)
    np.testing.assert_allclose(found.standard_error()[:2], robust, rtol=4.0 / np.sqrt(2 * B))
    assert (found.standard_error()[:2] > 2 * bootstrap(model, X, y, 20, random_state=0).standard_error()[:2]).all()


# -- refits ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refits", ["warm", slow_case("full")])
def test_reproducible_whatever_runs_at_once(refits):
    X, y = table(60)
    model = HMERegressor(depth=1, start="model_tree", tol=1e-3).fit(X, y)
    with joblib.parallel_config("threading"):  # processes take seconds to start
        one, two = (bootstrap(model, X, y, 3, refits=refits, random_state=0, n_jobs=n_jobs) for n_jobs in (1, 2))
    np.testing.assert_array_equal(one.draws, two.draws)
    assert not np.array_equal(one.draws, bootstrap(model, X, y, 3, refits=refits, random_state=1).draws)


@pytest.mark.slow
def test_full_refits_come_back_to_the_labels_of_the_fit():
    X, y = table(300)
    model = HMERegressor(depth=1).fit(X, y)
    flipped = HMERegressor(depth=1, start=model.responsibilities(X, y)[:, ::-1]).fit(X, y)
    assert flipped.experts_.intercept[0] < 1 < model.experts_.intercept[0]
    found = bootstrap(flipped, X, y, 20, refits="full", random_state=0)
    assert (np.abs(found.experts_.coef[:, 0, 0] - 3.0) < 0.3).all()
    assert (np.abs(found.experts_.coef[:, 1, 0] + 1.0) < 0.3).all()
    assert (found.gate_.coef[:, 0, 0, 0] * flipped.gate_.coef[0, 0, 0] > 0).all()
    np.testing.assert_allclose(found.load_.sum(axis=1), 1.0)


def test_frame_text_and_intervals():
    X, y = table()
    model = HMERegressor(depth=1, tol=1e-3).fit(X, y)
    found = bootstrap(model, X, y, 20, random_state=0, statistic=lambda m: m.predict(X[:3]))
    assert found.statistics.shape == (20, 3)
    frame = found.to_frame(0.9)
    assert len(frame) == 14 == found.draws.shape[1]
    np.testing.assert_array_equal(frame.estimate, found.estimate)
    np.testing.assert_allclose(frame.std_error, found.draws.std(axis=0, ddof=1))
    percentile, basic = found.interval(0.9), found.interval(0.9, "basic")
    np.testing.assert_allclose(percentile.sum(axis=1) + basic.sum(axis=1), 4 * found.estimate, atol=1e-8)
    np.testing.assert_allclose(percentile[:, 0], np.quantile(found.draws, 0.05, axis=0), rtol=1e-12)
    coef = frame[(frame.side == "expert") & (frame["index"] == 1) & (frame.term == "x0")]
    np.testing.assert_allclose(coef.bias, found.experts_.coef[:, 1, 0].mean() - coef.estimate)
    np.testing.assert_allclose(found.covariance().diagonal(), found.standard_error() ** 2)
    assert "20 used" in repr(found)
    assert "<table>" in found._repr_html_()
    with pytest.raises(ValueError, match="level"):
        found.interval(1.0)
    with pytest.raises(ValueError, match="kind"):
        found.interval(0.9, "bca")


@pytest.mark.slow
def test_lost_classes_and_boundaries_are_counted():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 1))
    y = np.where(X[:, 0] > 0, "b", "a").astype(object)
    y[:1] = "rare"
    found = bootstrap(HMEClassifier(depth=0).fit(X, y), X, y, 30, random_state=0)
    assert found.counts["failed"] == (~found.used).sum() > 5
    assert set(found.notes.values()) == {"a class has no row in the draw"}
    assert "failed" in repr(found)
    X, y = table(60)
    model = HMERegressor(depth=1, gate=SoftmaxGate(alpha=0.0), max_iter=60).fit(X, y)
    found = bootstrap(model, X, y, 8, random_state=0, leave_out=())
    left = bootstrap(model, X, y, 8, random_state=0)
    assert found.counts == left.counts
    if model.boundary_:
        assert any("the fit itself is at a boundary" in remark for remark in left.remarks)
    else:
        assert left.n_used == 8 - left.counts["failed"] - left.counts["boundary"]


@pytest.mark.slow
def test_estimators_have_no_numbers():
    X, y = table(100)
    model = HMERegressor(n_experts=2, expert=DecisionTreeRegressor(max_depth=2), max_iter=4).fit(X, y)
    found = bootstrap(model, X, y, 4, random_state=0)
    assert found.experts_.estimator is None
    assert found.experts_.scale.shape == (4, 2)
    assert any("infinite" in remark for remark in found.remarks)
    assert np.isfinite(found.draws).all()


@pytest.mark.parametrize(
    "expert, gate",
    few(
        representative(
            product(["linear", "student", "laplace", "list"], ["softmax", "constant", "gaussian", "top_k", "tree"]),
            every=11,
        ),
        1,
    ),
)
def test_every_gate_and_family(expert, gate):
    X, y = table(120)
    experts = [("a", "linear"), ("noise", BackgroundExpert()), ("b", "linear")] if expert == "list" else expert
    model = HMERegressor(n_experts=3, expert=experts, gate=gate, tol=1e-2).fit(X, y)
    found = bootstrap(model, X, y, 2, random_state=0)
    assert len(found.labels) == len(set(found.labels))
    assert np.isfinite(found.draws).all()
    assert found.load_.shape == (found.n_used, 3)


@pytest.mark.slow
def test_fixed_gates_and_labels_keep_their_numbers():
    X, y = table()
    model = HMERegressor(n_experts=2, gate=FixedGate(sides)).fit(X, y)
    assert bootstrap(model, X, y, 4, random_state=0).n_used == 4
    labels = np.where(X[:, 0] < -0.5, 1, -1)
    model = HMERegressor(n_experts=2).fit(X, y, labels=labels)
    found = bootstrap(model, X, y, 4, labels=labels, refits="full", random_state=0)
    assert (found.experts_.coef[:, 1, 0] < 0).all()


def sides(Z):
    return np.column_stack([Z[:, 0] < 0, Z[:, 0] >= 0])


def test_refusals_name_what_is_wrong():
    X, y = table(50)
    model = HMERegressor(depth=0).fit(X, y)
    for wrong, match in [
        ({"kind": "residual"}, "kind"), ({"refits": "cold"}, "refits"), ({"weighting": "x"}, "weighting"),
        ({"leave_out": "boundary"}, "leave_out"), ({"leave_out": ("odd",)}, "leave_out"), ({"n_bootstrap": 1}, "n_b"),
        ({"sample_weight": np.full(50, 0.01)}, "weighting='rows'"),
        ({"kind": "parametric", "clusters": np.arange(50)}, "clusters"),
        ({"kind": "parametric", "sample_weight": np.full(50, 0.5)}, "whole numbers"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=match):
            bootstrap(model, X, y, **{"n_bootstrap": 5} | wrong)
    with pytest.raises(TypeError, match="exposure is not an argument"):
        bootstrap(model, X, y, 5, exposure=np.ones(50))
    with pytest.raises(TypeError, match="LinearRegression"):
        bootstrap(LinearRegression().fit(X, y), X, y, 5)
    with pytest.raises(TypeError, match="statistic"):
        bootstrap(model, X, y, 5, statistic="mean")
    with pytest.raises(TypeError, match="offset is not an argument"):
        bootstrap(HMEClassifier(depth=0).fit(X, y > 1), X, y > 1, 5, offset=1.0)


def test_a_fit_that_had_not_converged_is_said_to():
    X, y = table()
    with pytest.warns(Warning, match="max_iter"):
        model = HMERegressor(n_experts=3, max_iter=2).fit(X, y)
    refitted = bootstrap(model.set_params(max_iter=500, tol=1e-2), X, y, 2, random_state=0)
    assert any("had not converged" in remark for remark in refitted.remarks)
    settled = HMERegressor(depth=0, tol=1e-9).fit(X, y)
    assert not bootstrap(settled, X, y, 2, random_state=0).remarks


# -- the parametric bootstrap ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_draws", [30, slow_case(400)])
def test_standard_errors_of_the_parametric_bootstrap_are_the_formula(n_draws):
    rng = np.random.default_rng(0)
    n, B = 100, n_draws
    X = rng.normal(size=(n, 2))
    y = X @ [1.0, -2.0] + rng.normal(size=n)
    model = HMERegressor(depth=0, expert=PLAIN).fit(X, y)
    found = bootstrap(model, X, y, B, "parametric", random_state=0)
    design = np.column_stack([X, np.ones(n)])
    variance = model.experts_.variance[0]
    exact = np.sqrt(variance * np.diag(np.linalg.inv(design.T @ design)))
    # A standard deviation of B normal draws has a relative error of 1 / sqrt(2 B), and their mean one of sd / sqrt(B).
    np.testing.assert_allclose(found.standard_error()[:3], exact, rtol=4.0 / np.sqrt(2 * B))
    assert (np.abs(found.bias()[:3]) < 4.0 * exact / np.sqrt(B)).all()
    # n s^2 / sigma^2 is chi-squared with n - 3 degrees of freedom.
    spread = variance * np.sqrt(2.0 * (n - 3)) / n
    assert found.bias()[3] == pytest.approx(-3.0 * variance / n, abs=4.0 * spread / np.sqrt(B))
    assert found.standard_error()[3] == pytest.approx(spread, rel=4.25 / np.sqrt(2 * B))


FAMILIES = {
    "linear": lambda eta, rng: eta + rng.normal(size=len(eta)),
    "student": lambda eta, rng: eta + rng.standard_t(6, len(eta)),
    "laplace": lambda eta, rng: eta + rng.laplace(size=len(eta)),
    "poisson": lambda eta, rng: rng.poisson(np.exp(eta)),
    "negative_binomial": lambda eta, rng: rng.negative_binomial(2, 1 / (1 + np.exp(eta) / 2)),
    "gamma": lambda eta, rng: rng.gamma(3.0, np.exp(eta) / 3),
    "inverse_gaussian": lambda eta, rng: rng.wald(np.exp(eta), 2.0),
}


@pytest.mark.parametrize("family", representative(FAMILIES, every=7))
def test_drawn_targets_have_the_moments_of_the_model(family):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (150, 1))
    expert = StudentExpert(df=6.0) if family == "student" else family  # a variance, and draws that show it
    model = HMERegressor(n_experts=2, expert=expert).fit(X, FAMILIES[family](1.0 + X[:, 0], rng))
    rows = np.tile([[-0.5], [0.7]], (4000, 1))
    drawn = draw_targets(model, rows, rng).reshape(4000, 2)
    mean, std = model.predict(rows[:2], return_std=True, density="plug-in")
    assert (np.abs(drawn.mean(axis=0) - mean) < 5 * std / np.sqrt(4000)).all()
    np.testing.assert_allclose(drawn.std(axis=0), std, rtol=0.15)


@pytest.mark.slow
def test_drawn_classes_offsets_trials_and_outputs():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    y = np.array(["a", "b", "c"])[np.clip(X[:, 0] + rng.normal(size=200) + 1, 0, 2).astype(int)]
    model = HMEClassifier(n_experts=2).fit(X, y)
    rows = np.repeat(X[:1], 5000, axis=0)
    drawn = draw_targets(model, rows, rng)
    expected = model.predict_proba(X[:1])[0]
    share = np.array([(drawn == c).mean() for c in model.classes_])
    assert (np.abs(share - expected) <= 4 * np.sqrt(expected * (1 - expected) / 5000) + 1e-12).all()
    assert bootstrap(model, X, y, 4, "parametric", random_state=0).n_used == 4

    Y = X @ rng.normal(size=(2, 2)) + rng.normal(size=(200, 2))
    model = HMERegressor(n_experts=2).fit(X, Y)
    assert draw_targets(model, X, rng).shape == (200, 2)
    assert bootstrap(model, X, Y, 4, "parametric", random_state=0).experts_.coef.shape == (4, 2, 2, 2)
    column = HMERegressor(n_experts=2).fit(X, Y[:, :1])
    assert draw_targets(column, X, rng).shape == (200, 1)
    trials = np.full(200, 20.0)
    counts = rng.binomial(20, 1 / (1 + np.exp(-X[:, 0])))
    model = HMERegressor(n_experts=2, expert="binomial").fit(X, counts, trials=trials)
    drawn = draw_targets(model, rows, rng, trials=np.full(5000, 20.0))
    mean = float(model.predict(X[:1], trials=20.0)[0])
    assert drawn.mean() == pytest.approx(mean, abs=4 * drawn.std() / np.sqrt(5000))
    assert bootstrap(model, X, counts, 4, "parametric", trials=trials, random_state=0).n_used == 4


@pytest.mark.parametrize("n_draws", [12, slow_case(200)])
def test_a_group_is_drawn_from_one_expert(n_draws):
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(50), 4)
    X = rng.normal(size=(200, 1))
    y = np.where(rng.uniform(size=50) < 0.5, 10.0, -10.0)[codes] + rng.normal(size=200)
    model = HMERegressor(n_experts=2, gate="constant").fit(X, y, groups=codes)
    drawn = draw_targets(model, X, rng, groups=codes).reshape(50, 4)
    assert (np.sign(drawn) == np.sign(drawn[:, :1])).all()
    assert 0 < (drawn[:, 0] > 0).sum() < 50
    # The share of a leaf varies as that of fifty groups does, not as that of two hundred rows.
    found = bootstrap(model, X, y, n_draws, "parametric", groups=codes, random_state=0)
    share = model.gate_.proportion[0]
    error = np.sqrt(share * (1 - share) / 50)
    assert found.gate_.proportion[:, 0].std(ddof=1) == pytest.approx(error, rel=4.0 / np.sqrt(2 * n_draws))


def test_weights_of_parametric_draws_are_rows():
    X, y = table(60)
    weight = np.tile([1.0, 2.0, 0.0], 20)
    model = HMERegressor(depth=0, expert=PLAIN).fit(X, y, sample_weight=weight)
    index = np.repeat(np.arange(60), weight.astype(int))
    one = bootstrap(model, X, y, 5, "parametric", sample_weight=weight, random_state=0)
    two = bootstrap(model, X[index], y[index], 5, "parametric", random_state=0)
    np.testing.assert_array_equal(one.draws, two.draws)


# -- the number of experts ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("n_draws", [19])
def test_two_regimes_are_told_from_one(n_draws):
    X, y = table(100)
    found = lr_test_bootstrap(HMERegressor(depth=0), HMERegressor(depth=1), X, y, n_draws, n_init=1, random_state=0)
    p = 1 / (n_draws + 1)
    assert found.p_value == p
    assert found.n_experts == (1, 2)
    assert found.n_failed == found.n_short == 0
    assert found.statistic == pytest.approx(2 * (found.log_likelihood[1] - found.log_likelihood[0]))
    assert found.p_error == pytest.approx(np.sqrt(p * (1 - p) / (n_draws + 1)))
    assert "1 against 2 experts" in repr(found)


def test_a_model_against_itself():
    X, y = table(60)
    found = lr_test_bootstrap(HMERegressor(depth=0), HMERegressor(depth=0), X, y, 2, random_state=0)
    assert found.statistic == 0.0
    assert found.p_value == 1.0


@pytest.mark.slow
def test_the_test_is_reproducible_whatever_runs_at_once():
    X, y = table(60)
    pair = HMERegressor(depth=0), HMERegressor(depth=1, start="model_tree")
    one, two = (lr_test_bootstrap(*pair, X, y, 4, n_init=2, random_state=0, n_jobs=n_jobs) for n_jobs in (1, 2))
    np.testing.assert_array_equal(one.simulated, two.simulated)


@pytest.mark.slow
def test_a_larger_model_that_stays_below_is_flagged():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (60, 2))
    y = 5.0 * X[:, 0] + 0.1 * rng.normal(size=60)
    stiff = HMERegressor(depth=1, expert=LinearExpert(alpha=1e6, shrink_to="zero"))
    found = lr_test_bootstrap(HMERegressor(depth=0), stiff, X, y, 3, n_init=1, random_state=0)
    assert found.n_short > 0
    assert "fits worse than the smaller" in repr(found)


@pytest.mark.parametrize("n_draws", [slow_case(4), slow_case(9)])
def test_the_test_for_classes_and_groups(n_draws):
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, (120, 1))
    y = np.where(np.abs(X[:, 0]) > 1, "out", "in")
    found = lr_test_bootstrap(HMEClassifier(depth=0), HMEClassifier(depth=1), X, y, n_draws, n_init=1, random_state=0)
    assert found.p_value == 1 / (n_draws + 1)
    codes = np.repeat(np.arange(30), 4)
    level = np.where(np.arange(30) % 2, 3.0, -3.0)[codes]
    pair = HMERegressor(depth=0), HMERegressor(n_experts=2, gate="constant")
    found = lr_test_bootstrap(*pair, X, level + rng.normal(size=120), n_draws, n_init=1, groups=codes, random_state=0)
    assert found.p_value == 1 / (n_draws + 1)


@pytest.mark.slow
def test_p_values_are_uniform_where_the_smaller_model_holds():
    pair = HMERegressor(depth=0), HMERegressor(n_experts=2, gate="constant", tol=1e-4)
    values = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(80, 1))
        y = X[:, 0] + rng.normal(size=80)
        values.append(lr_test_bootstrap(*pair, X, y, 19, n_init=2, random_state=seed).p_value)
    # On the grid of twentieths a uniform p-value lies at most 1 / 20 above its own distribution function.
    assert kstest(np.array(values) - 0.025, "uniform").pvalue > 0.01
    assert np.mean(np.array(values) <= 0.1) <= 0.1 + 3 * np.sqrt(0.09 / 60)


def test_the_test_refuses_by_name():
    X, y = table(40)
    small, large = HMERegressor(depth=0), HMERegressor(depth=1)
    with pytest.raises(ValueError, match="give the smaller one first"):
        lr_test_bootstrap(large, small, X, y, 2)
    with pytest.raises(TypeError, match="both must be the same"):
        lr_test_bootstrap(small, HMEClassifier(depth=1), X, y, 2)
    with pytest.raises(ValueError, match="labels"):
        lr_test_bootstrap(small, large, X, y, 2, labels=np.zeros(40, dtype=int))
    with pytest.raises(ValueError, match="whole numbers"):
        lr_test_bootstrap(small, large, X, y, 2, sample_weight=np.full(40, 0.5))
    with pytest.raises(ValueError, match="n_init"):
        lr_test_bootstrap(small, large, X, y, 2, n_init=0)
    with pytest.raises(TypeError, match="small must be"):
        lr_test_bootstrap("linear", large, X, y, 2)


def test_labels_are_refused_where_they_mean_nothing():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 1))
    y = np.abs(X[:, 0]) + 0.1 * rng.normal(size=60)
    labels = (X[:, 0] > 0).astype(int)
    model = HMERegressor(n_experts=2).fit(X, y, labels=labels)
    with pytest.raises(ValueError, match="labels go with kind='case'"):
        bootstrap(model, X, y, kind="parametric", labels=labels)
