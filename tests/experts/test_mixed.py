"""Lists of named experts: different families under one likelihood."""

import pickle
import warnings

import numpy as np
import pytest
from problems import few, representative
from scipy.special import expit
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

from hme import HMEClassifier, HMERegressor, export_text
from hme.experts import (
    BackgroundExpert,
    GammaExpert,
    InverseGaussianExpert,
    LinearExpert,
    LogisticExpert,
    MixedExpert,
    NegativeBinomialExpert,
    PointMassExpert,
    PoissonExpert,
    TreeExpert,
)
from hme.gates import FixedGate, SoftmaxGate, TopKGate
from hme.model.design import Design
from hme.model.rows import Rows

sm = pytest.importorskip("statsmodels.api")
discrete_model = pytest.importorskip("statsmodels.discrete.discrete_model")
count_model = pytest.importorskip("statsmodels.discrete.count_model")
truncated_model = pytest.importorskip("statsmodels.discrete.truncated_model")

RNG = np.random.default_rng(0)
N = 400
X = RNG.normal(size=(N, 2))
ONES = np.column_stack([X, np.ones(N)])
LEFT = RNG.uniform(size=N) < expit(2.0 * X[:, 0])
MEAN = np.exp(np.where(LEFT, 0.5 + 0.4 * X[:, 1], 2.0 - 0.3 * X[:, 1]))
COUNTS = RNG.poisson(MEAN)
POSITIVE = RNG.gamma(4.0, MEAN / 4.0)
NUMBERS = np.log(MEAN) + 0.2 * RNG.normal(size=N)
ZEROS = np.where(RNG.uniform(size=N) < expit(0.8 * X[:, 0] - 0.5), 0, RNG.poisson(np.exp(1.0 + 0.4 * X[:, 1])))
ML = dict(dispersion_prior=None, dispersion_floor=1e-8)


def model(*experts, **settings):
    return HMERegressor(**{"n_experts": len(experts), "expert": list(experts), **settings})


# -- the same family twice -------------------------------------------------------------------------------------------

SAME = {
    "poisson": (PoissonExpert(), COUNTS),
    "tied poisson": (PoissonExpert(shared_coef=[1]), COUNTS),
    "gamma": (GammaExpert(shared_dispersion=True), POSITIVE),
    "linear": (LinearExpert(), NUMBERS),
    "two outputs": (LinearExpert(), np.column_stack([NUMBERS, X[:, 0] ** 2])),
    "tree": (TreeExpert(), NUMBERS),
}


@pytest.mark.parametrize("tree", few(representative(["(. .)", "((. .) .)"], every=2), 1))
@pytest.mark.parametrize("name", representative(SAME, every=2))
def test_equal_families_are_one(name, tree):
    expert, y = SAME[name]
    leaves = [(f"e{k}", clone(expert)) for k in range(tree.count("."))]
    one = HMERegressor(tree=tree, expert=leaves).fit(X, y)
    two = HMERegressor(tree=tree, expert=expert).fit(X, y)
    np.testing.assert_allclose(one.lower_bounds_, two.lower_bounds_, rtol=1e-12)
    np.testing.assert_allclose(one.predict(X, return_std=True), two.predict(X, return_std=True), rtol=1e-9)
    assert one.model_.expert.n_parameters(one.params_.experts) == two.model_.expert.n_parameters(two.params_.experts)
    assert len(one.model_.expert.families_) == (len(leaves) if expert.traits.sees_table else 1)
    if hasattr(two.experts_, "coef"):
        for k, report in enumerate(one.experts_.values()):
            np.testing.assert_allclose(report.coef, two.experts_.coef[k], rtol=1e-8, atol=1e-12)


def test_classifier_takes_a_list():
    y = np.where((X[:, 0] < 0) == (X[:, 1] < 0), "yes", "no")
    pairs = [("a", LogisticExpert()), ("b", LogisticExpert())]
    one = HMEClassifier(n_experts=2, expert=pairs).fit(X, y)
    two = HMEClassifier(n_experts=2).fit(X, y)
    np.testing.assert_allclose(one.predict_proba(X), two.predict_proba(X), rtol=1e-9)
    unlike = HMEClassifier(n_experts=2, expert=[("a", "logistic"), ("b", "constant")]).fit(X, y)
    np.testing.assert_allclose(unlike.predict_proba(X).sum(axis=1), 1.0)
    assert unlike.experts_["b"].coef.any() == np.False_


# -- different families: the contract --------------------------------------------------------------------------------

DIFFERENT = {
    "counts": ([PoissonExpert(), NegativeBinomialExpert(), PoissonExpert()], COUNTS),
    "hyper-parameters": ([PoissonExpert(alpha=5.0), PoissonExpert(), PoissonExpert(alpha=5.0)], COUNTS),
    "positive": ([GammaExpert(), InverseGaussianExpert(), LinearExpert()], POSITIVE),
    "point": ([PoissonExpert(), PointMassExpert(), PoissonExpert()], COUNTS),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_contract_of_a_mixed_family(name):
    members, y = DIFFERENT[name]
    design = Design.fit(X, np.ones(N), True)
    rows = Rows(design.transform(X), design.transform(X), y[:, None].astype(float), np.ones(N))
    mixed = MixedExpert([(f"e{k}", member) for k, member in enumerate(members)]).bind(rows, design)
    resp = RNG.dirichlet(np.ones(3), N) * np.isfinite(mixed.log_prob(mixed.init(rows, np.full((N, 3), 1 / 3)), rows))
    params = mixed.init(rows, resp)
    log_prob = mixed.log_prob(params, rows)
    whole = mixed.statistics(params, rows, resp)
    parts = mixed.add(mixed.statistics(params, rows[:90], resp[:90]), mixed.statistics(params, rows[90:], resp[90:]))
    for group, added in zip(whole, parts, strict=True):
        for a, b in zip(group, added, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    order = [2, 0, 1]
    permuted = mixed.take(params, order)
    np.testing.assert_allclose(mixed.log_prob(permuted, rows), log_prob[:, order], rtol=1e-12)
    np.testing.assert_allclose(mixed.predict(permuted, rows), mixed.predict(params, rows)[:, order], rtol=1e-12)
    np.testing.assert_allclose(mixed.variance(permuted, rows), mixed.variance(params, rows)[:, order], rtol=1e-12)
    q = -np.inf
    for _ in range(6):
        q, before = np.sum(resp * np.where(resp > 0, mixed.log_prob(params, rows), 0.0)), q
        q += mixed.log_prior_density(params)
        assert q >= before - 1e-10 * N
        params = mixed.update(params, mixed.statistics(params, rows, resp), rows)
    again, params_again = pickle.loads(pickle.dumps((mixed, params)))
    np.testing.assert_array_equal(again.log_prob(params_again, rows), mixed.log_prob(params, rows))
    halfway = mixed.interpolate(params, mixed.update(params, whole, rows), 0.0)
    np.testing.assert_allclose(mixed.log_prob(halfway, rows), mixed.log_prob(params, rows), rtol=1e-10)


@pytest.mark.parametrize("name", few(representative(DIFFERENT, every=2), 1))
def test_each_leaf_is_its_family_alone(name):
    members, y = DIFFERENT[name]
    pairs = [(f"e{k}", member) for k, member in enumerate(members)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = model(*pairs, random_state=0, tol=1e-3).fit(X, y)
    assert (np.diff(fitted.lower_bounds_) >= -1e-12).all() and list(fitted.experts_) == ["e0", "e1", "e2"]
    prior, means = fitted.gate_proba(X), fitted.predict_experts(X)
    np.testing.assert_allclose(fitted.predict(X), (prior * means).sum(axis=1), rtol=1e-10)
    for k, (key, member) in enumerate(pairs):
        report = fitted.experts_[key]
        if not hasattr(report, "coef"):
            np.testing.assert_array_equal(means[:, k], member.at)
            continue
        eta = X @ report.coef + report.intercept
        np.testing.assert_allclose(means[:, k], eta if isinstance(member, LinearExpert) else np.exp(eta), rtol=1e-8)
    assert all(f"leaf {k} e{k} " in export_text(fitted) for k in range(3))


# -- zero inflation, hurdles -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["poisson", "negative binomial"])
def test_zero_inflation_is_statsmodels(base):
    family, Reference = {
        "poisson": (PoissonExpert, count_model.ZeroInflatedPoisson),
        "negative binomial": (NegativeBinomialExpert, count_model.ZeroInflatedNegativeBinomialP),
    }[base]
    y = ZEROS
    if base == "negative binomial":
        rng = np.random.default_rng(3)
        y = np.where(ZEROS == 0, 0, rng.poisson(np.exp(1.3 + 0.4 * X[:, 1]) * rng.gamma(2.0, 0.5, N)))
    pairs = [("never", PointMassExpert()), ("count", family(alpha=0.0))]
    ours = model(*pairs, gate=SoftmaxGate(alpha=0.0), tol=1e-13, max_iter=5000).fit(X, y)
    gate = ours.gate_.coef[0, 0] - ours.gate_.coef[0, 1], ours.gate_.intercept[0, 0] - ours.gate_.intercept[0, 1]
    count = ours.experts_["count"]
    params = np.r_[gate[0], gate[1], count.coef, count.intercept]
    if base == "negative binomial":
        params = np.r_[params, count.dispersion]
    reference = Reference(y, ONES, exog_infl=ONES)
    np.testing.assert_allclose(ours.log_likelihood(X, y).sum(), reference.loglike(params), rtol=1e-10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its Hessian may not invert
        found = reference.fit(start_params=params, method="bfgs", maxiter=500, gtol=1e-7, disp=0)
    np.testing.assert_allclose(ours.log_likelihood(X, y).sum(), found.llf, rtol=1e-9)
    np.testing.assert_allclose(params, found.params, atol=2e-4)
    np.testing.assert_allclose(ours.predict(X), found.predict(ONES, exog_infl=ONES), rtol=2e-4)


@pytest.mark.parametrize("family", [PoissonExpert, GammaExpert])
def test_hurdle_is_a_logistic_and_a_truncated_fit(family):
    """The two families never compete for a row: the likelihood falls apart in two, each with its own maximum."""
    if family is PoissonExpert:
        y, rest = ZEROS, PoissonExpert(alpha=0.0, zero_truncated=True)
    else:
        y, rest = np.where(ZEROS == 0, 0.0, POSITIVE), GammaExpert(alpha=0.0, **ML)
    ours = model(("zero", PointMassExpert()), ("rest", rest), gate=SoftmaxGate(alpha=0.0), tol=1e-15).fit(X, y)
    logit = sm.Logit(y == 0, ONES).fit(disp=0, tol=1e-14)
    slope = ours.gate_.coef[0, 0] - ours.gate_.coef[0, 1]
    np.testing.assert_allclose(slope, logit.params[:2], rtol=1e-6)
    kept = y > 0
    alone = HMERegressor(depth=0, expert=rest, tol=1e-15).fit(X[kept], y[kept])
    np.testing.assert_allclose(ours.experts_["rest"].coef, alone.experts_.coef[0], rtol=1e-6)
    total = logit.llf + alone.log_likelihood(X[kept], y[kept]).sum()
    np.testing.assert_allclose(ours.log_likelihood(X, y).sum(), total, rtol=1e-10)
    if family is PoissonExpert:
        reference = truncated_model.TruncatedLFPoisson(y[kept], ONES[kept])
        found = reference.fit(method="bfgs", gtol=1e-9, disp=0, maxiter=300)
        np.testing.assert_allclose(ours.experts_["rest"].coef, found.params[:2], rtol=1e-4)
    resp = ours.responsibilities(X, y)
    np.testing.assert_array_equal(resp[:, 0], y == 0)  # to the last digit


def test_zero_inflation_with_offset_and_weights():
    exposure = RNG.uniform(1, 4, N)
    y = np.where(ZEROS == 0, 0, RNG.poisson(exposure * np.exp(0.4 * X[:, 1])))
    times = RNG.integers(0, 3, N)
    again = np.repeat(np.arange(N), times)
    pairs = [("never", PointMassExpert()), ("count", PoissonExpert())]
    weighted = model(*pairs).fit(X, y, sample_weight=times, offset=np.log(exposure))
    repeated = model(*pairs).fit(X[again], y[again], offset=np.log(exposure)[again])
    np.testing.assert_allclose(
        weighted.predict(X, offset=np.log(exposure)), repeated.predict(X, offset=np.log(exposure)), rtol=1e-6
    )


# -- hyper-parameters ------------------------------------------------------------------------------------------------


def test_params_go_by_name():
    estimator = model(("line", LinearExpert(alpha=2.0)), ("tree", TreeExpert()))
    estimator.set_params(expert__line__alpha=0.5)
    assert estimator.get_params()["expert__line__alpha"] == 0.5 and estimator.expert.get_params()["line__alpha"] == 0.5
    estimator.set_params(expert__tree=LinearExpert(alpha=3.0))
    assert estimator.get_params()["expert__tree__alpha"] == 3.0
    again = clone(estimator)
    assert str(again) == str(estimator)
    assert again.expert.members[0] is not estimator.expert.members[0]
    with pytest.raises(ValueError, match=r"'plane__alpha' is not a parameter.*\['line', 'tree'\]"):
        estimator.set_params(expert__plane__alpha=1.0)
    with pytest.raises(ValueError, match="beta"):
        estimator.set_params(expert__line__beta=1.0)


def test_set_params_leaves_the_users_objects_alone():
    line = LinearExpert(alpha=2.0)
    pairs = [("line", line), ("other", LinearExpert())]
    estimator = HMERegressor(n_experts=2, expert=pairs)
    estimator.set_params(expert__line__alpha=0.5)
    assert line.alpha == 2.0 and pairs[0][1] is line
    twice = clone(HMERegressor(n_experts=2, expert=MixedExpert(pairs))).set_params(expert__line__alpha=7.0)
    assert line.alpha == 2.0 and twice.expert.members[0].alpha == 7.0


@pytest.mark.slow
def test_grid_search_over_one_of_them():
    estimator = model(("few", PoissonExpert()), ("many", NegativeBinomialExpert()))
    search = GridSearchCV(estimator, {"expert__few__alpha": [0.1, 1e3], "expert__many": [PoissonExpert()]}, cv=2)
    search.fit(X, COUNTS)
    assert set(search.best_params_) == {"expert__few__alpha", "expert__many"}
    assert search.best_estimator_.expert.members[0].alpha == search.best_params_["expert__few__alpha"]


def test_names_stand_for_families():
    fitted = model(("a", "linear"), ("b", "constant"), tol=1e-3).fit(X, NUMBERS)
    assert not fitted.experts_["b"].coef.any() and fitted.experts_["a"].coef.all()


# -- fitting ---------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_restarts_do_not_depend_on_jobs():
    pairs = [("few", PoissonExpert()), ("many", NegativeBinomialExpert())]
    settings = dict(n_init=2, random_state=0, max_iter=5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        one = model(*pairs, **settings).fit(X, COUNTS)
        two = model(*pairs, n_jobs=2, **settings).fit(X, COUNTS)
    np.testing.assert_array_equal(one.predict(X), two.predict(X))
    assert [restart.objective for restart in one.restarts_] == [restart.objective for restart in two.restarts_]


def test_warm_start_goes_on_and_refuses_another_list():
    pairs = [("few", PoissonExpert()), ("many", NegativeBinomialExpert())]
    fitted = model(*pairs, tol=1e-4, warm_start=True)
    fitted.set_params(max_iter=5)
    with pytest.warns(ConvergenceWarning, match="max_iter=5"):
        fitted.fit(X, COUNTS)
    first = fitted.lower_bounds_[-1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted.set_params(max_iter=500).fit(X, COUNTS)
    assert fitted.lower_bounds_[0] >= first - 1e-12 and fitted.lower_bounds_[-1] > first
    with pytest.raises(ValueError, match="warm_start"):
        fitted.set_params(expert=pairs[::-1]).fit(X, COUNTS)


def test_sentences_use_names():
    y = np.where(LEFT, COUNTS, RNG.binomial(60, 0.4 + 0.1 * (X[:, 1] > 0)))
    pairs = [("wild", NegativeBinomialExpert(alpha=3.0)), ("tame", NegativeBinomialExpert())]
    start = (y > 15).astype(int)
    with pytest.warns(ConvergenceWarning, match=r"dispersion of expert\(s\) .*'tame'.* is at its lower bound"):
        fitted = model(*pairs, start=start).fit(X, y)
    assert all("[" not in sentence for sentence in fitted.boundary_)


def test_background_takes_the_outliers():
    y = NUMBERS.copy()
    y[::20] = 30.0
    fitted = model(("line", LinearExpert()), ("noise", BackgroundExpert()), gate="constant").fit(X, y)
    resp = fitted.responsibilities(X, y)
    assert (resp[::20, 1] > 0.99).all() and fitted.load_[1] < 0.2


# -- refusals --------------------------------------------------------------------------------------------------------

P, G, L = PoissonExpert(), GammaExpert(), LinearExpert()


@pytest.mark.parametrize(
    "expert, settings, error, message",
    [
        (
            [("a", P), ("b", G)],
            {},
            ValueError,
            r"families for counts, \['a'\], with densities of real numbers, \['b'\]",
        ),
        ([("a", P), ("b", P)], {"n_experts": 3}, ValueError, "list of 2 experts, but the tree has 3 leaves"),
        ([("a", P), ("b", P)], {"n_experts": None}, ValueError, "say which tree, for example n_experts=2"),
        ([("a", P), ("a", P)], {}, ValueError, "must differ"),
        ([("a__b", P), ("a", P)], {}, ValueError, "have no '__'"),
        ([("experts", P), ("a", P)], {}, ValueError, "not be 'experts'"),
        ([("a", P), ("b", LogisticExpert())], {}, ValueError, r"mixes families for classes, \['b'\]"),
        ([("a", P), P], {}, TypeError, "list of .name, expert. pairs"),
        ([P, P], {}, TypeError, "list of .name, expert. pairs"),
        ([], {}, TypeError, "list of .name, expert. pairs"),
        ([("a", P), ("b", 3)], {}, TypeError, "expert"),
        ([("a", P), (1, P)], {}, TypeError, "list of .name, expert. pairs"),
        ([("a", "poisson"), ("b", "poison")], {}, ValueError, "'poison' must be one of"),
        ([("a", P), ("b", [("c", P)])], {}, (TypeError, ValueError), "expert"),
        ([("a", P), ("b", PoissonExpert(alpha=-1.0))], {}, ValueError, "alpha"),
    ],
    ids=str,
)
def test_bad_lists_are_named(expert, settings, error, message):
    with pytest.raises(error, match=message):
        HMERegressor(**{"n_experts": 2, "expert": expert, **settings}).fit(X, COUNTS)


def test_rows_that_no_member_can_produce_are_refused():
    y = np.where(ZEROS == 0, 0, ZEROS)
    y[5] = -1
    pairs = [("zero", PointMassExpert()), ("rest", PoissonExpert(zero_truncated=True))]
    with pytest.raises(ValueError, match=r"in 1 row\(s\), such as -1.0"):
        model(*pairs).fit(X, y)
    with pytest.raises(ValueError, match="expert 'zero' can produce no value of y"):
        model(*pairs).fit(X, np.maximum(ZEROS, 1))
    fitted = model(*pairs).fit(X, ZEROS)
    with pytest.raises(ValueError, match="y holds"):
        fitted.log_likelihood(X, y)
    assert (fitted.log_likelihood(X, np.zeros(N)) > -np.inf).all()  # another table may have zeros only


def test_a_list_refuses_what_a_member_refuses():
    with pytest.raises(ValueError, match="several outputs"):
        model(("a", LinearExpert()), ("b", GammaExpert())).fit(X, np.column_stack([POSITIVE, POSITIVE]))
    with pytest.raises(ValueError, match="trials"):
        model(("a", P), ("b", NegativeBinomialExpert())).fit(X, COUNTS, trials=50)


# Gates that keep rows from experts ------------------------------------------------------------------------------------


def test_a_sparse_gate_does_not_go_with_points_of_mass():
    y = np.where(np.arange(60) % 3 == 0, 0.0, 1.0 + np.arange(60) % 7)
    experts = [("zero", PointMassExpert()), ("a", GammaExpert()), ("b", GammaExpert())]
    with pytest.raises(ValueError, match="TopKGate.*'zero', 'a', 'b'"):
        HMERegressor(n_experts=3, expert=experts, gate=TopKGate(k=2)).fit(np.arange(60.0)[:, None], y)


def side(Z):
    return np.eye(2)[(Z[:, 0] > 0).astype(int)]


def test_rows_that_nobody_can_explain():
    X = np.linspace(-1, 1, 40)[:, None]
    y = np.where(X[:, 0] > 0, np.random.default_rng(0).gamma(3.0, 1.0 + X[:, 0] ** 2), 0.0)
    experts = [("zero", PointMassExpert()), ("positive", GammaExpert())]
    model = HMERegressor(n_experts=2, expert=experts, gate=FixedGate(side)).fit(X, y)
    assert model.log_likelihood([[0.5]], [0.0]) == -np.inf  # the gate sends it to the gamma expert
    np.testing.assert_array_equal(model.responsibilities([[0.5]], [0.0]), [[0.0, 1.0]])
    with pytest.raises(ValueError, match="probability zero under every expert"):
        HMERegressor(n_experts=2, expert=experts, gate=FixedGate(side)).fit(X, y[::-1])
