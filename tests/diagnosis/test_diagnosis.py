"""Restarts in basins, and the diagnosis of a mixture: its verdict, its evidence and its checks."""

import numpy as np
import pytest
from problems import slow_case
from scipy.sparse import csr_matrix
from scipy.special import expit
from scipy.stats import kstest, spearmanr

from hme import HMEClassifier, HMERegressor
from hme.datasets import make_regimes
from hme.diagnosis import diagnose, restart_report
from hme.diagnosis.alternatives import alternatives, other_sizes
from hme.diagnosis.checks import _kolmogorov, _rank_correlation, _reliability
from hme.diagnosis.evidence import Evidence
from hme.diagnosis.held_out import Data, folds_of
from hme.experts import BackgroundExpert, GammaExpert, LinearExpert, PointMassExpert

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
QUICK = {"n_seeds": 0, "n_bootstrap": 0}


def straight(seed, n=500, p=1):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, p))
    return X, X @ rng.normal(size=p) + rng.normal(size=n)


def regimes(seed, n_experts=4, **kwargs):
    return make_regimes(500, n_experts=n_experts, random_state=seed, **kwargs)[:2]


# -- the verdict -------------------------------------------------------------------------------------------------------

STRAIGHT = {"one column": lambda seed: straight(seed), "three columns": lambda seed: straight(seed, p=3)}
REGIMES = {
    "two": lambda seed: regimes(seed, 2),
    "three, flat": lambda seed: regimes(seed, 3),
    "four": lambda seed: regimes(seed),
    "four of one column": lambda seed: regimes(seed, n_features=1),
}
MODELS = {"auto": HMERegressor(), "depth=1": HMERegressor(depth=1)}


@pytest.mark.slow
@pytest.mark.parametrize(
    "case, model", [*((case, "depth=1") for case in STRAIGHT | REGIMES), ("three columns", "auto"), ("four", "auto")]
)
def test_verdicts_of_twenty_tables(case, model):
    wanted = "single" if case in STRAIGHT else "routing"
    draw = (STRAIGHT | REGIMES)[case]
    found = [diagnose(MODELS[model], *draw(seed), random_state=seed, **QUICK) for seed in range(20)]
    assert sum(one.verdict != wanted for one in found) <= 2
    for one in found:
        single = "A single model is enough", "The model is a single expert"  # a tree that grows knows it already
        start = {"single": single, "routing": "Routing pays", "no routing": "A single straight"}
        assert one.sentence.startswith(start[one.verdict])


@pytest.mark.slow
@pytest.mark.parametrize("model", ["depth=1"])
def test_regimes_deep_in_noise_are_never_called_one_line(model):
    # Where the noise is half as large as the slopes a polynomial may do as well, but one line does not.
    for seed in range(20):
        found = diagnose(MODELS[model], *regimes(seed, noise=0.5), random_state=seed, **QUICK)
        assert found.verdict != "single", seed


@pytest.mark.parametrize("seed", [0, slow_case(1)])
def test_one_line_needs_no_mixture(seed):
    found = diagnose(HMERegressor(depth=1, tol=1e-3), *straight(seed, 200), cv=2, random_state=0, **QUICK)
    assert found.verdict == "single"
    assert "A single model is enough" in repr(found)


@pytest.mark.parametrize("seed", [0, slow_case(2)])
def test_regimes_need_one(seed):
    found = diagnose(HMERegressor(n_experts=4, tol=1e-3), *regimes(seed), cv=2, random_state=0, **QUICK)
    assert found.verdict == "routing"
    least = min(gain.mean for gain in found.gains if gain.kind == "single")
    assert f"{least:+.3g}" in found.sentence


@pytest.mark.slow
def test_another_number_of_experts_may_make_the_case():
    X, y = regimes(3, noise=0.5)
    found = diagnose(HMERegressor(depth=4), X, y, random_state=0, **QUICK)
    assert found.verdict == "routing"
    assert "another number of experts than the model's 16" in found.sentence
    assert any("do better than the model" in remark for remark in found.remarks)


@pytest.mark.slow
def test_a_bent_line_is_no_routing():
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, (400, 1))
    y = X[:, 0] ** 2 + 0.3 * rng.normal(size=400)
    found = diagnose(HMERegressor(depth=1), X, y, random_state=0, **QUICK)
    assert found.verdict == "no routing"
    assert "polynomials" in found.sentence or "splines" in found.sentence


@pytest.mark.slow
def test_regimes_that_x_says_nothing_of_need_no_gate():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (400, 1))
    y = np.where(rng.uniform(size=400) < 0.5, 1.0, -1.0) * (1.0 + X[:, 0]) + 0.1 * rng.normal(size=400)
    found = diagnose(HMERegressor(n_experts=2), X, y, random_state=0, **QUICK)
    assert found.verdict == "no routing"
    assert "constant gate does as well" in found.sentence or "constant gate does better" in found.sentence


# -- the evidence ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_gains_are_held_out_log_likelihoods():
    X, y = regimes(0)
    model = HMERegressor(n_experts=2).fit(X, y)
    found = diagnose(model, X, y, cv=2, random_state=0, **QUICK)
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    folds = folds_of(model, Data(X, y, np.ones(500), {}, np.arange(500)), 2, seed)
    np.testing.assert_array_equal(np.sort(np.concatenate(folds)), np.arange(500))
    own, other = [], []
    for fold in folds:
        train = np.setdiff1d(np.arange(500), fold)
        own.append(HMERegressor(n_experts=2).fit(X[train], y[train]).log_likelihood(X[fold], y[fold]))
        other.append(HMERegressor(depth=0).fit(X[train], y[train]).log_likelihood(X[fold], y[fold]))
    gain = np.concatenate(own) - np.concatenate(other)
    assert found.log_likelihood == pytest.approx(np.concatenate(own).mean())
    (one,) = [gain for gain in found.gains if gain.kind == "single"]
    assert one.mean == pytest.approx(gain.mean())
    assert one.error == pytest.approx(gain.std(ddof=1) / np.sqrt(500))


def test_standard_errors_count_units_and_weights():
    rng = np.random.default_rng(0)
    values, weight = rng.normal(size=30), rng.integers(1, 4, 30).astype(float)
    table = Data(None, values, weight, {}, np.arange(30))
    evidence = Evidence(table, [np.arange(30)])
    assert evidence.mean(values) == pytest.approx(np.average(values, weights=weight))
    # Units of equal rows are one row of their weight.
    twice = Data(None, np.repeat(values, 2), np.repeat(weight, 2), {}, np.repeat(np.arange(30), 2))
    assert Evidence(twice, [np.arange(60)]).error(np.repeat(values, 2)) == pytest.approx(evidence.error(values))


@pytest.mark.slow
def test_a_copy_of_the_model_gains_nothing():
    X, y = straight(0, 200)
    found = diagnose(HMERegressor(n_experts=2), X, y, families=["linear"], cv=2, random_state=0, **QUICK)
    first, second = [gain for gain in found.gains if gain.kind == "single"]
    assert second.name == "one expert (linear)"
    assert first[2:] == second[2:]


@pytest.mark.slow
def test_alternatives_have_about_as_many_parameters():
    X, y = regimes(0)
    model = HMERegressor(depth=2).fit(X, y)
    for _, kind, other in alternatives(model, X):
        fitted = other.fit(X, y)
        if kind == "bent":
            assert 0.5 * model.n_parameters_ <= fitted.n_parameters_ <= 1.1 * model.n_parameters_
        if kind == "single":
            assert fitted.n_experts_ == 1
        if kind == "mixture":
            assert fitted.n_experts_ == 4


def test_alternatives_have_the_columns_that_growing_has_chosen():
    X, y = (values[:60] for values in regimes(0))
    model = HMERegressor(max_experts=2, max_iter=2, candidates=[{"expert_features": "splines"}]).fit(X, y)
    found = [(kind, other.expert_features) for _, kind, other in [*alternatives(model, X), *other_sizes(model, 1e6)]]
    assert {spec for kind, spec in found if kind in ("single", "size")} == {"splines"}
    bent = [other for _, kind, other in alternatives(model, X) if kind == "bent"]
    assert len(bent) == 2 and bent[0].fit(X, y).n_experts_ == 1  # of the user's columns, not of those that bend already


@pytest.mark.slow
def test_alternatives_see_what_experts_and_gate_see():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    y = np.where(X[:, 2] > 0, X[:, 0], -X[:, 0]) + 0.1 * rng.normal(size=300)
    model = HMERegressor(n_experts=2, expert_features=[0], gate_features=[2]).fit(X, y)
    bent = [other for _, kind, other in alternatives(model, X) if kind == "bent"]
    assert bent
    for other in bent:
        other.fit(X, y)
        moved = X.copy()
        moved[:, 1] += 1.0
        np.testing.assert_array_equal(other.predict(X), other.predict(moved))
        moved[:, 2] += 1.0
        assert not np.allclose(other.predict(X), other.predict(moved))
    found = diagnose(model, X, y, cv=2, random_state=0, **QUICK)
    assert found.verdict == "routing"


# -- the checks --------------------------------------------------------------------------------------------------------


def test_kolmogorov_distance():
    rng = np.random.default_rng(0)
    u = rng.uniform(size=50)
    assert _kolmogorov(u, np.full(50, 1 / 50)) == pytest.approx(kstest(u, "uniform").statistic)
    count = rng.integers(1, 4, 50)
    repeated = kstest(np.repeat(u, count), "uniform").statistic
    assert _kolmogorov(u, count / count.sum()) == pytest.approx(repeated)


@pytest.mark.parametrize("family", ["linear", slow_case("poisson"), slow_case("binomial")])
def test_transforms_of_a_right_distribution_are_uniform(family):
    rng = np.random.default_rng(1)
    X = rng.uniform(-1, 1, (800, 1))
    eta = X[:, 0]
    extra = {"trials": np.full(800, 5.0)} if family == "binomial" else {}
    draws = {"linear": rng.normal(eta), "poisson": rng.poisson(np.exp(eta)), "binomial": rng.binomial(5, expit(eta))}
    found = diagnose(HMERegressor(depth=0, expert=family), X, draws[family], cv=3, random_state=0, **extra, **QUICK)
    assert found.pit[0] < found.pit_limit
    assert found.pit_limit == pytest.approx(1.358 / np.sqrt(800))


@pytest.mark.slow
def test_transforms_of_a_wrong_distribution_are_not():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(800, 1))
    Y = np.column_stack([X[:, 0] + rng.exponential(size=800), X[:, 0] + rng.normal(size=800)])
    found = diagnose(HMERegressor(depth=0), X, Y, cv=3, random_state=0, **QUICK)
    assert found.pit[0] > found.pit_limit > found.pit[1]
    assert any("distribution of output 0 is off" in remark for remark in found.remarks)
    column = diagnose(HMERegressor(depth=0), X, Y[:, :1], cv=3, random_state=0, **QUICK)
    assert column.pit[0] == pytest.approx(found.pit[0], rel=0.1)


def test_rank_correlation_is_spearmans():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 40))
    value = _rank_correlation(a, b, np.full(40, 1 / 40), np.ones(40, dtype=bool))
    assert value == pytest.approx(spearmanr(a, b).statistic)


def test_reliability_of_two_columns_is_the_usual_calibration_error():
    rng = np.random.default_rng(0)
    p = rng.uniform(size=1000)
    happened = (rng.uniform(size=1000) < p**2).astype(float)
    said, seen = np.column_stack([1 - p, p]), np.column_stack([1 - happened, happened])
    found = _reliability(said, seen, np.full(1000, 1e-3), by_column=True)
    bins = np.minimum((10 * p).astype(int), 9)
    gaps = [abs(p[bins == b].mean() - happened[bins == b].mean()) * (bins == b).mean() for b in range(10)]
    assert found.error == pytest.approx(sum(gaps))
    assert found.weight.sum() == pytest.approx(1.0)
    assert _reliability(said, said, np.full(1000, 1e-3)).error == 0.0
    # Of a gate that is too sure by a factor, all bins of both columns are.
    sure = np.where(said > 0.5, 1.0, 0.0)
    assert _reliability(sure, said, np.full(1000, 1e-3)).error == pytest.approx(np.minimum(p, 1 - p).mean())


@pytest.mark.slow
def test_entropies_of_known_cases():
    X, y = regimes(0, 2, sharpness=1000.0, noise=0.01)
    found = diagnose(HMERegressor(depth=1), X, y, cv=2, random_state=0, **QUICK)
    assert found.effective_experts == pytest.approx(np.exp(-(found.load * np.log(found.load)).sum()))
    assert 1.0 <= found.effective_per_row < 1.2
    assert found.clear_rows > 0.95
    constant = HMERegressor(n_experts=2, gate="constant").fit(X, y)
    found = diagnose(constant, X, y, cv=2, random_state=0, **QUICK)
    assert found.effective_per_row == pytest.approx(found.effective_experts)


@pytest.mark.parametrize("n", [slow_case(2), slow_case(4)])
def test_stable_regimes_are_told_from_chance(n):
    firm = diagnose(HMERegressor(depth=1), *regimes(0, 2), cv=2, n_seeds=n, n_bootstrap=n, random_state=0)
    loose = diagnose(HMERegressor(depth=1), *straight(0, 300, 2), cv=2, n_seeds=n, n_bootstrap=n, random_state=0)
    assert firm.seed_ari.shape == firm.bootstrap_ari.shape == (n,)
    assert firm.seed_ari.min() > 0.9
    assert firm.bootstrap_ari.min() > 0.8
    assert loose.bootstrap_ari.mean() < 0.6
    assert any("not stable" in remark for remark in loose.remarks)


@pytest.mark.slow
def test_noise_that_grows_is_seen_in_one_expert():
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 1, (500, 1))
    y = 3 * X[:, 0] + (0.05 + X[:, 0]) * rng.normal(size=500)
    found = diagnose(HMERegressor(depth=0), X, y, random_state=0, **QUICK)
    assert found.residuals[0].spread > 0.3
    assert any("noise is not modelled well" in remark for remark in found.remarks)
    assert found.verdict == "single"


@pytest.mark.slow
def test_classifier():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(250, 2))
    y = np.where(X[:, 0] + X[:, 1] + rng.logistic(size=250) > 0, "yes", "no")
    found = diagnose(HMEClassifier(depth=1), X, y, cv=2, n_seeds=2, n_bootstrap=2, random_state=0)
    assert found.verdict == "single"
    assert found.residuals is None
    assert 0 <= found.classes.error < 0.1
    assert "calibration error" in repr(found)


@pytest.mark.slow
def test_several_outputs():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    Y = X @ rng.normal(size=(2, 2)) + rng.normal(size=(200, 2))
    found = diagnose(HMERegressor(n_experts=2), X, Y, cv=2, random_state=0, **QUICK)
    assert [part.output for part in found.residuals] == [0, 1]


def few_counts():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    return X, rng.poisson(np.exp(0.3 * X[:, 0] + 1.0)), np.repeat(np.arange(40), 5), rng.uniform(0, 2, 200)


@pytest.mark.slow
@pytest.mark.parametrize("extra", ["sample_weight", "offset", "clusters"])
def test_weights_offsets_and_clusters(extra):
    X, counts, codes, weight = few_counts()
    value = {"sample_weight": weight, "offset": np.ones(200), "clusters": codes}[extra]
    model = HMERegressor(n_experts=2, expert="poisson")
    found = diagnose(model, X, counts, cv=2, n_seeds=1, n_bootstrap=2, random_state=0, **{extra: value})
    assert found.verdict == "single"
    assert found.to_frame().value.notna().all()


@pytest.mark.slow
def test_groups_are_units():
    X, counts, codes, _ = few_counts()
    model = HMERegressor(n_experts=2, expert="poisson", gate="constant")
    found = diagnose(model, X, counts, cv=2, n_seeds=1, n_bootstrap=2, groups=codes, random_state=0)
    assert found.unit == "group"


@pytest.mark.slow
def test_zero_weights_touch_nothing_but_the_folds():
    X, y = straight(0, 120)
    weight = np.ones(120)
    weight[60:] = 0.0
    wild = y.copy()
    wild[60:] = 1e6
    one, two = (
        diagnose(HMERegressor(n_experts=2), X, values, sample_weight=weight, cv=2, random_state=0, **QUICK)
        for values in (y, wild)
    )
    np.testing.assert_allclose([g.mean for g in one.gains], [g.mean for g in two.gains])
    assert one.gate.error == pytest.approx(two.gate.error)


@pytest.mark.slow
def test_lists_of_experts_and_starts():
    X, y = regimes(0, 2)
    experts = [("a", "linear"), ("noise", BackgroundExpert()), ("b", "linear")]
    found = diagnose(HMERegressor(n_experts=3, expert=experts), X, y, cv=2, n_seeds=1, n_bootstrap=2, random_state=0)
    assert found.verdict == "routing"
    assert not [gain for gain in found.gains if gain.kind == "size"]
    start = (X[:, 0] > 0).astype(int)
    found = diagnose(HMERegressor(n_experts=2, start=start), X, y, cv=2, n_seeds=1, n_bootstrap=2, random_state=0)
    assert found.verdict == "routing"


@pytest.mark.slow
def test_reproducible_whatever_runs_at_once():
    X, y = regimes(0, 2)
    one, two = (
        diagnose(
            HMERegressor(n_experts=2, start="model_tree"),
            X,
            y,
            cv=2,
            n_seeds=2,
            n_bootstrap=2,
            random_state=3,
            n_jobs=n_jobs,
        )  # fmt: skip
        for n_jobs in (1, 2)
    )
    assert repr(one) == repr(two)


def test_refusals_name_what_is_wrong():
    X, y = straight(0, 30)
    for wrong, match in [({"cv": 1}, "cv"), ({"n_bootstrap": 1}, "n_bootstrap"), ({"n_seeds": -1}, "n_seeds"),
                         ({"least_gain": -1.0}, "least_gain"), ({"cv": 31}, "cv = 31")]:  # fmt: skip
        with pytest.raises(ValueError, match=match):
            diagnose(HMERegressor(n_experts=2), X, y, **wrong)
    with pytest.raises(TypeError, match="model must be"):
        diagnose("linear", X, y)
    with pytest.raises(ValueError, match="rarest class"):
        diagnose(HMEClassifier(n_experts=2), X, np.arange(30) == 0)


# -- restarts ----------------------------------------------------------------------------------------------------------


def test_most_starts_of_an_easy_table_share_a_basin():
    X, y = regimes(1, 2)
    model = HMERegressor(n_experts=2).fit(X, y)
    report = restart_report(model, X, y, 6, random_state=0)
    order = np.argsort(-report.objective, kind="stable")
    assert report.basins[0].starts == tuple(k for k in order if report.basin[k] == 0)
    assert len(report.basins[0].starts) == 5  # k-means clusters do not always lead to the two lines
    assert "5 of 6" in report.verdict
    assert report.own == model.lower_bounds_[-1]
    assert len(report.to_frame()) == 6
    assert "<table>" in report._repr_html_()


def test_basins_of_given_fits_are_by_value_and_by_experts_whatever_their_numbers():
    X, y = regimes(1)
    best = HMERegressor(n_experts=2).fit(X, y)
    resp = best.responsibilities(X, y)
    flipped = HMERegressor(n_experts=2, start=resp[:, ::-1]).fit(X, y)
    worse = HMERegressor(n_experts=2, start=(X[:, 1] > 0.6).astype(int), max_iter=1).fit(X, y)
    report = restart_report([best, flipped, worse], X, y)
    assert report.basin[0] == report.basin[1] == 0
    assert report.basin[2] == 1
    assert report.basins[1].gap == pytest.approx(report.objective[:2].max() - worse.lower_bounds_[-1])
    assert report.own is None
    assert "2 of 3 starts" in report.verdict


def test_a_model_below_its_best_start_is_told():
    X, y = regimes(1)
    poor = HMERegressor(n_experts=4, start=np.arange(500) % 4, max_iter=3, tol=1e-3).fit(X, y)
    report = restart_report(poor.set_params(max_iter=500), X, y, 3, random_state=0)
    assert report.own < report.basins[0].objective
    assert "the model itself stays" in report.verdict


def test_restart_report_refuses_by_name():
    X, y = straight(0, 50)
    two, three = (HMERegressor(n_experts=k).fit(X, y) for k in (2, 3))
    with pytest.raises(ValueError, match="different numbers of experts"):
        restart_report([two, three], X, y)
    with pytest.raises(ValueError, match="empty list"):
        restart_report([], X, y)
    with pytest.raises(ValueError, match="tolerance"):
        restart_report(two, X, y, tolerance=0.0)
    with pytest.raises(TypeError, match="model must be"):
        restart_report(LinearExpert(), X, y)


@pytest.mark.slow
def test_sparse_tables_labels_and_hurdles_are_judged():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    second = X[:, 0] > 0
    y = np.where(second, 2 * X[:, 0], -X[:, 1]) + 0.2 * rng.normal(size=200)
    quick = {"cv": 2, "random_state": 0, **QUICK}
    assert diagnose(HMERegressor(n_experts=2).fit(csr_matrix(X), y), csr_matrix(X), y, **quick).verdict == "routing"
    labels = np.where(np.arange(200) < 20, second.astype(int), -1)
    model = HMERegressor(n_experts=2).fit(X, y, labels=labels)
    assert diagnose(model, X, y, labels=labels, **quick).verdict == "routing"
    amount = np.where(second, 0.0, rng.gamma(2.0, np.exp(0.3 * X[:, 1])))
    experts = [("none", PointMassExpert()), ("some", GammaExpert())]
    hurdle = HMERegressor(n_experts=2, expert=experts).fit(X, amount)
    found = diagnose(hurdle, X, amount, **quick)
    assert found.verdict == "routing" and "no single expert can have produced all of y" in found.sentence
