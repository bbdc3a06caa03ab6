"""Groups of rows that come from one expert, and labels: what is known of a row's expert."""

from itertools import product

import numpy as np
import pytest
import scipy.sparse as sp
from problems import few, representative
from scipy.special import logsumexp
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GroupKFold, cross_validate

from hme import HMEClassifier, HMERegressor
from hme.experts import BackgroundExpert, BinomialExpert, LinearExpert, PointMassExpert, PoissonExpert
from hme.gates import GaussianGate, SoftmaxGate, TopKGate
from hme.model.folds import fold_numbers
from hme.model.rows import BLOCK_ROWS, Rows

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

G, M = 40, 4
RNG = np.random.default_rng(3)
SIDE = RNG.normal(size=G)
KIND = (SIDE + 0.4 * RNG.normal(size=G) > 0).astype(int)
GROUP = np.repeat(np.arange(G), M)
SLOPED = RNG.normal(size=G * M)
X = np.column_stack([SLOPED, SIDE[GROUP]])
ETA = np.where(KIND[GROUP] == 1, 1 + 2 * SLOPED, -1 - SLOPED)
Y = ETA + 0.8 * RNG.normal(size=G * M)
PERMUTED = RNG.permutation(G * M)
SIDES = {"expert_features": [0], "gate_features": [1]}


def regressor(**settings):
    return HMERegressor(**{"n_experts": 2, **SIDES, **settings})


def test_the_likelihood_of_a_group_is_a_product_inside_a_sum():
    model = regressor().fit(X, Y, groups=GROUP)
    coef, intercept, variance = model.experts_
    mean = X[:, :1] @ coef.T + intercept
    log_prob = -0.5 * ((Y[:, None] - mean) ** 2 / variance + np.log(2 * np.pi * variance))
    log_prior = np.log(model.gate_proba(X))[::M]
    log_joint = log_prior + log_prob.reshape(G, M, 2).sum(axis=1)
    expected = logsumexp(log_joint, axis=1)
    np.testing.assert_allclose(model.log_likelihood(X, Y, groups=GROUP), expected, rtol=1e-10)
    resp = np.exp(log_joint - expected[:, None]).repeat(M, axis=0)
    np.testing.assert_allclose(model.responsibilities(X, Y, groups=GROUP), resp, atol=1e-10)
    penalty = model.model_.log_prior_density(model.params_)
    np.testing.assert_allclose(model.lower_bounds_[-1], (expected.sum() + penalty) / G, rtol=1e-10)
    assert np.diff(model.lower_bounds_).min() >= -1e-12
    df = model.n_parameters_
    np.testing.assert_allclose(model.bic(X, Y, groups=GROUP), -2 * expected.sum() + df * np.log(G), rtol=1e-10)
    np.testing.assert_allclose(model.aic(X, Y, groups=GROUP), -2 * expected.sum() + 2 * df, rtol=1e-10)


def test_groups_say_more_than_rows_alone():
    resp = regressor().fit(X, Y, groups=GROUP).responsibilities(X, Y, groups=GROUP)
    alone = regressor().fit(X, Y).responsibilities(X, Y)
    share = [np.mean((r[:, 1] > 0.5) == KIND[GROUP]) for r in (resp, alone)]
    right = [max(s, 1 - s) for s in share]  # experts have no order of their own
    assert right[0] == 1.0 > right[1]


EVERY_GATE = ["softmax", "constant", "gaussian", GaussianGate("tied"), TopKGate(k=1), TopKGate(k=2), "tree"]


@pytest.mark.parametrize(
    "expert, gate",
    few(representative(product(["linear", "student", "laplace", "constant", "tree"], EVERY_GATE), every=18), 1),
    ids=str,
)
def test_every_order_of_rows_and_every_name_of_groups_is_the_same(expert, gate):
    names = np.array([f"g{g:02d}" for g in GROUP])
    one = regressor(expert=expert, gate=gate).fit(X, Y, groups=GROUP)
    two = regressor(expert=expert, gate=gate).fit(X[PERMUTED], Y[PERMUTED], groups=names[PERMUTED])
    np.testing.assert_allclose(
        one.log_likelihood(X, Y, groups=GROUP),
        two.log_likelihood(X[PERMUTED], Y[PERMUTED], groups=names[PERMUTED]),
        rtol=1e-5,
        atol=1e-6,
    )
    resp = one.responsibilities(X, Y, groups=GROUP)
    np.testing.assert_array_equal(resp, resp[::M].repeat(M, axis=0))
    again = two.responsibilities(X[PERMUTED], Y[PERMUTED], groups=names[PERMUTED])
    np.testing.assert_allclose(resp[PERMUTED], again, atol=1e-5)


@pytest.mark.parametrize("gate", representative(["softmax", "gaussian", "constant"], every=2))
def test_groups_of_one_row_change_nothing(gate):
    one, two = regressor(gate=gate).fit(X, Y), regressor(gate=gate).fit(X, Y, groups=RNG.permutation(len(Y)))
    np.testing.assert_allclose(one.lower_bounds_[-1], two.lower_bounds_[-1], rtol=1e-9)
    np.testing.assert_allclose(one.predict(X), two.predict(X), rtol=1e-6, atol=1e-7)


def test_the_weight_of_a_group_is_a_repetition_of_it():
    times = 1 + np.arange(G) % 3
    weighted = regressor(gate="softmax").fit(X, Y, times[GROUP].astype(float), groups=GROUP)
    index = np.concatenate([np.flatnonzero(GROUP == g) for g in range(G) for _ in range(times[g])])
    names = np.concatenate([[f"{g} {i}"] * M for g in range(G) for i in range(times[g])])
    repeated = regressor(gate="softmax").fit(X[index], Y[index], groups=names)
    np.testing.assert_allclose(weighted.lower_bounds_[-1], repeated.lower_bounds_[-1], rtol=1e-8)
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-6)
    weight = np.where(KIND == 1, 1.0, 0.0)[GROUP]
    kept = weight > 0
    dropped, without = regressor(start="groups"), regressor(start="groups")
    dropped.fit(X, Y, weight, groups=GROUP)
    without.fit(X[kept], Y[kept], groups=GROUP[kept])
    np.testing.assert_allclose(dropped.predict(X), without.predict(X), rtol=1e-9)


def test_blocks_do_not_cut_groups():
    sizes = np.random.default_rng(0).integers(1, 900, 30)
    group = np.repeat(np.arange(30), sizes)
    rows = Rows(np.zeros((len(group), 1)), None, group=group)._replace(Z=np.zeros((len(group), 1)))
    seen = [block.group for _, block in rows.blocks()]
    np.testing.assert_array_equal(np.concatenate(seen), group)
    assert len(seen) > 3 and all(a[-1] != b[0] for a, b in zip(seen, seen[1:], strict=False))
    values = np.random.default_rng(1).normal(size=(len(group), 2))
    np.testing.assert_allclose(rows.pooled(values)[7], values[group == 7].sum(axis=0))
    np.testing.assert_array_equal(rows.spread(np.arange(30)), group)


def test_large_tables_of_groups_pass_block_by_block():
    n = 3 * BLOCK_ROWS
    rng = np.random.default_rng(0)
    group = rng.integers(0, n // 7, n)
    side = rng.normal(size=n // 7)
    data = np.column_stack([rng.normal(size=n), side[group]])
    y = np.where(side[group] > 0, 1, -1) * data[:, 0] + rng.normal(size=n)
    model = regressor().fit(data, y, groups=group)
    found = np.unique(group)
    assert model.log_likelihood(data, y, groups=group).shape == found.shape
    total = model.log_likelihood(data, y, groups=group).sum() + model.model_.log_prior_density(model.params_)
    np.testing.assert_allclose(model.lower_bounds_[-1] * len(found), total, rtol=1e-10)


def test_counts_with_offset_classes_and_sparse_rows():
    counts = np.random.default_rng(1).poisson(np.exp(0.3 * ETA))
    model = regressor(expert=PoissonExpert()).fit(X, counts, groups=GROUP, offset=0.1 * SLOPED)
    assert model.log_likelihood(X, counts, groups=GROUP, offset=0.1 * SLOPED).shape == (G,)
    trials = np.random.default_rng(2).binomial(9, 1 / (1 + np.exp(-ETA)))
    model = regressor(expert=BinomialExpert(), gate="constant").fit(X, trials, groups=GROUP, trials=9)
    assert model.responsibilities(X, trials, groups=GROUP, trials=9).shape == (G * M, 2)
    classes = np.where(ETA + np.random.default_rng(3).logistic(size=len(Y)) > 0, "yes", "no")
    model = HMEClassifier(n_experts=2, **SIDES).fit(X, classes, groups=GROUP)
    assert model.log_likelihood(X, classes, groups=GROUP).shape == (G,)
    assert model.bic(X, classes, groups=GROUP) < HMEClassifier(depth=0).fit(X, classes).bic(X, classes, groups=GROUP)
    dense = HMERegressor(n_experts=2, gate="constant").fit(sp.csr_matrix(X).toarray() / 3, Y, groups=GROUP)
    sparse = HMERegressor(n_experts=2, gate="constant").fit(sp.csr_matrix(X) / 3, Y, groups=GROUP)
    assert dense.lower_bounds_[-1] == pytest.approx(sparse.lower_bounds_[-1], abs=1e-3)


def test_a_list_of_families_with_groups():
    y = Y.copy()
    y[GROUP < 3] += np.array([30.0, -30.0, 25.0, -40.0] * 3)
    experts = [("a", LinearExpert()), ("b", LinearExpert()), ("odd", BackgroundExpert())]
    model = HMERegressor(n_experts=3, expert=experts, gate="constant", expert_features=[0]).fit(X, y, groups=GROUP)
    resp = model.responsibilities(X, y, groups=GROUP)
    assert (resp[GROUP < 3, 2] > 0.9).all() and (resp[GROUP >= 3, 2] < 0.1).all()


RACE = {"n_init": 4, "n_finalists": 2, "random_state": 0}
STARTS = [RACE, {"on_empty": "reseed"}, {"start": GROUP % 2}, {"start": "kmeans"}, {"start": "hyperplanes"}]


@pytest.mark.parametrize("settings", STARTS, ids=["race", "reseed", "labels", "kmeans", "hyperplanes"])
def test_starts_keep_groups_whole(settings):
    order = PERMUTED
    if not isinstance(settings.get("start", ""), str):
        settings = {"start": settings["start"][order]}
    model = regressor(**settings).fit(X[order], Y[order], groups=GROUP[order])
    assert model.lower_bounds_[-1] > -6.5 and np.diff(model.lower_bounds_).min() >= -1e-12


@pytest.mark.parametrize("seed", representative(range(10), every=5))
def test_the_default_start_finds_the_lines_of_groups(seed):
    rng = np.random.default_rng(seed)
    kind = rng.integers(3, size=80)
    group = np.repeat(np.arange(80), M)
    x = rng.normal(size=80 * M)
    y = np.array([1.0, -1.0, 3.0])[kind[group]] + np.array([2.0, -1.0, 0.5])[kind[group]] * x
    y += 0.8 * rng.normal(size=80 * M)
    settings = {"n_experts": 3, "gate": "constant"}
    fitted = HMERegressor(**settings).fit(x[:, None], y, groups=group)
    told = HMERegressor(start=kind[group], **settings).fit(x[:, None], y, groups=group)
    assert fitted.restarts_[0].start == "groups"
    assert fitted.lower_bounds_[-1] > told.lower_bounds_[-1] - 1e-3


def test_the_start_by_groups_needs_groups():
    with pytest.raises(ValueError, match="start = 'groups' needs groups"):
        regressor(start="groups").fit(X, Y)


def test_warm_start_with_groups():
    model = regressor(warm_start=True).fit(X, Y, groups=GROUP)
    before = model.lower_bounds_[-1]
    assert model.fit(X, Y, groups=GROUP).n_iter_ == 1 and model.lower_bounds_[-1] == pytest.approx(before, abs=1e-5)


def test_splitters_keep_groups_whole_with_routing():
    with config_context(enable_metadata_routing=True):
        model, folds = regressor(tol=1e-3).set_fit_request(groups=True), GroupKFold(2)
        result = cross_validate(model, X, Y, cv=folds, params={"groups": GROUP}, return_estimator=True)
    for fitted, (train, test) in zip(result["estimator"], folds.split(X, Y, GROUP), strict=True):
        alone = regressor(tol=1e-3).fit(X[train], Y[train], groups=GROUP[train])
        np.testing.assert_array_equal(fitted.predict(X[test]), alone.predict(X[test]))
        assert not set(GROUP[train]) & set(GROUP[test])


# -- folds -------------------------------------------------------------------------------------------------------------


def test_equal_rows_and_groups_share_a_fold():
    data = np.random.default_rng(0).normal(size=(50, 2)).repeat(3, axis=0)
    y = np.arange(50.0).repeat(3)[:, None]
    number = fold_numbers(Rows(np.column_stack([data, np.ones(150)]), None, y=y))
    np.testing.assert_array_equal(number, number[::3].repeat(3))
    np.testing.assert_array_equal(np.sort(number[::3]), np.arange(50))
    scaled = fold_numbers(Rows(np.column_stack([7.1 * data - 3, np.ones(150)]), None, y=y / 3))
    np.testing.assert_array_equal(scaled, number)
    group = np.arange(150) // 6
    number = fold_numbers(Rows(np.column_stack([data, np.ones(150)]), None, y=y, group=group))
    np.testing.assert_array_equal(number, number[::6].repeat(6))
    assert len(np.unique(number)) == 25


def test_folds_have_their_share_of_every_class():
    y = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [100, 40, 10]))
    data = np.random.default_rng(1).normal(size=(150, 3))
    fold = fold_numbers(Rows(data, None, y=y)) % 5
    for c, share in enumerate((20, 8, 2)):
        np.testing.assert_array_equal(np.bincount(fold[y == c], minlength=5), share)


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("groups, message", [
    (GROUP[:-1], "groups has shape"), (np.where(GROUP == 3, np.nan, GROUP), "has no value in 4"),
    (np.array([None] + ["a"] * (len(Y) - 1), dtype=object), "has no value in 1"),
    (np.array([1] + ["a"] * (len(Y) - 1), dtype=object), "different types"), (np.c_[GROUP, GROUP], "groups has shape"),
])  # fmt: skip
def test_bad_groups(groups, message):
    with pytest.raises((ValueError, TypeError), match=message):
        regressor().fit(X, Y, groups=groups)
    with pytest.raises((ValueError, TypeError), match=message):
        regressor().fit(X, Y).log_likelihood(X, Y, groups=groups)


def test_one_row_is_one_group():
    model = HMERegressor(depth=0).fit([[1.0]], [2.0], groups=["a"])
    assert model.predict([[1.0]]) == pytest.approx([2.0])


def test_labels_that_leave_no_possible_expert_are_refused_by_name():
    X, y = np.arange(12.0)[:, None], np.array([0.0, 3.0] * 6)
    pairs = [("zero", PointMassExpert()), ("count", PoissonExpert())]
    model = HMERegressor(n_experts=2, expert=pairs, gate="constant")
    with pytest.raises(ValueError, match=r"labels leave no expert.* in 2 row\(s\), such as \[3.0\].*\['zero'\]"):
        model.fit(X, y, labels=np.where(np.isin(np.arange(12), [1, 5]), 0, -1))
    model.fit(X, y, labels=np.where(y > 0, 1, -1))


def test_what_varies_inside_a_group_is_refused():
    with pytest.raises(ValueError, match=r"gate sees column\(s\) \['x0'\], which vary inside a group"):
        HMERegressor(n_experts=2).fit(X, Y, groups=GROUP)
    with pytest.raises(ValueError, match="gate sees column"):
        regressor().fit(X, Y).responsibilities(np.column_stack([SLOPED, SLOPED]), Y, groups=GROUP)
    with pytest.raises(ValueError, match="sample_weight must be constant inside a group: rows 0 and 1 .* 1.0 and 2.0"):
        regressor().fit(X, Y, np.arange(1.0, len(Y) + 1), groups=GROUP)
    zero = np.ones(len(Y))
    zero[5] = 0
    with pytest.raises(ValueError, match="sample_weight must be constant"):
        regressor().fit(X, Y, zero, groups=GROUP)


# -- labels ------------------------------------------------------------------------------------------------------------


def test_labels_enter_the_likelihood_as_factors_on_the_prior():
    labels = np.random.default_rng(0).uniform(0.1, 1.0, size=(len(Y), 2))
    model = regressor(gate=SoftmaxGate()).fit(X, Y, labels=labels)
    rows, _ = model.observed_rows(X, Y)
    factors = labels / labels.max(axis=1, keepdims=True)
    expected = logsumexp(np.log(factors) + model.model_.log_joint(model.params_, rows), axis=1)
    penalty = model.model_.log_prior_density(model.params_)
    np.testing.assert_allclose(model.lower_bounds_[-1], (expected.sum() + penalty) / len(Y), rtol=1e-12)
    assert np.diff(model.lower_bounds_).min() >= -1e-12


@pytest.mark.parametrize("gate", ["softmax", "constant", "gaussian", "tree"])
def test_all_labels_known_is_a_fit_of_each_expert_alone(gate):
    exact = LinearExpert(alpha=0.0, variance_prior=None)
    model = regressor(gate=gate, expert=exact, tol=1e-10).fit(X, Y, labels=KIND[GROUP])
    for k in range(2):
        own = KIND[GROUP] == k
        line = np.polyfit(SLOPED[own], Y[own], 1)
        np.testing.assert_allclose([model.experts_.coef[k, 0], model.experts_.intercept[k]], line, rtol=1e-9)


def test_labels_number_the_experts():
    few = np.where(GROUP < 4, KIND[GROUP], -1)
    for flip in (0, 1):
        labels = np.where(few < 0, -1, 1 - few) if flip else few
        model = regressor().fit(X, Y, labels=labels)
        assert model.experts_.coef[1 - flip, 0] > 1.5 and model.experts_.coef[flip, 0] < -0.5
        whole = regressor().fit(X, Y, labels=labels, groups=GROUP)
        assert whole.experts_.coef[1 - flip, 0] > 1.5


def test_unknown_labels_change_nothing_and_both_forms_agree():
    plain = regressor().fit(X, Y)
    nothing = regressor().fit(X, Y, labels=np.full(len(Y), -1))
    np.testing.assert_allclose(plain.predict(X), nothing.predict(X), rtol=1e-6)
    labels = np.where(np.arange(len(Y)) % 3 == 0, KIND[GROUP], -1)
    factors = np.where(labels[:, None] < 0, 1.0, labels[:, None] == np.arange(2))
    one, two = regressor().fit(X, Y, labels=labels), regressor().fit(X, Y, labels=3 * factors)
    np.testing.assert_array_equal(one.predict(X), two.predict(X))
    floats = regressor().fit(X, Y, labels=labels.astype(float))
    np.testing.assert_array_equal(one.predict(X), floats.predict(X))


def test_an_excluded_expert_gets_nothing_of_a_row():
    labels = np.ones((len(Y), 3))
    labels[KIND[GROUP] == 1, 2] = 0
    labels[KIND[GROUP] == 0, :2] = 0
    model = HMERegressor(tree="((. .) .)", **SIDES).fit(X, Y, labels=labels, groups=GROUP)
    np.testing.assert_allclose(model.load_[2], np.mean(KIND == 0), rtol=1e-12)


def test_zero_weight_rows_may_have_any_label():
    weight, labels = np.ones(len(Y)), np.where(GROUP < 4, KIND[GROUP], -1)
    weight[-8:] = 0
    kept = weight > 0
    one = regressor().fit(X, Y, weight, labels=labels)
    two = regressor().fit(X[kept], Y[kept], labels=labels[kept])
    np.testing.assert_allclose(one.predict(X), two.predict(X), rtol=1e-9)


@pytest.mark.parametrize("labels, message", [
    (np.full(len(Y), 2), "got 2"), (np.full(len(Y), -2), "got -2"), (np.full(len(Y), 0.5), "got shape"),
    (np.zeros((len(Y), 2)), "row 0 is all zero"), (-np.ones((len(Y), 2)), r"got -1\.0"),
    (np.ones((len(Y), 3)), "got shape"), (KIND, "labels has"), (np.full(len(Y), "a"), "got shape"),
    (np.full((len(Y), 2), np.nan), "got nan"),
])  # fmt: skip
def test_bad_labels(labels, message):
    with pytest.raises(ValueError, match=message):
        regressor().fit(X, Y, labels=labels)


def test_labels_that_contradict_are_refused():
    labels = np.full(len(Y), -1)
    labels[:2] = 0, 1
    with pytest.raises(ValueError, match="labels must be constant inside a group"):
        regressor().fit(X, Y, labels=labels, groups=GROUP)
    with pytest.raises(ValueError, match="labels do not go with TopKGate"):
        regressor(gate="top_k").fit(X, Y, labels=labels)


def test_warnings_are_still_one():
    with pytest.warns(ConvergenceWarning, match="max_iter=1"):
        regressor(max_iter=1).fit(X, Y, groups=GROUP, labels=KIND[GROUP])
