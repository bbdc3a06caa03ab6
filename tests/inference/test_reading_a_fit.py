"""Criteria that say what they count, effects that say what they hold fixed, names, and stored models."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LinearRegression

from hme import HMEClassifier, HMERegressor, HMETransformer
from hme.estimators import storing
from hme.experts import BackgroundExpert, LinearExpert, PoissonExpert
from hme.inference import infer
from hme.inference.products import made_of_others

PLAIN = {"alpha": 0.0, "variance_prior": None, "variance_floor": 1e-8}


@pytest.fixture(scope="module")
def subjects():
    rng = np.random.default_rng(0)
    x, group = rng.normal(size=(200, 1)), np.repeat(np.arange(50), 4)
    y = np.where((rng.random(50) < 0.5)[group], 2.0 + x[:, 0], -x[:, 0]) + rng.normal(size=200)
    model = HMERegressor(n_experts=2, gate="constant", expert=LinearExpert(**PLAIN)).fit(x, y, groups=group)
    return model, x, y, group


def test_criteria_count_groups_or_rows(subjects):
    model, x, y, group = subjects
    log_likelihood, d = model.log_likelihood(x, y, groups=group).sum(), model.n_parameters_
    for count, n in (("groups", 50), ("rows", 200)):
        assert model.bic(x, y, groups=group, count=count) == pytest.approx(-2 * log_likelihood + d * np.log(n))
    result = infer(model, x, y, groups=group)
    assert result.bic == pytest.approx(model.bic(x, y, groups=group))
    assert result.bic_of_rows == pytest.approx(model.bic(x, y, groups=group, count="rows"))
    text = str(result.summary())
    assert "BIC of groups" in text and "BIC of rows" in text and "BIC of" not in str(infer(model, x, y).summary())
    with pytest.raises(ValueError, match="count"):
        model.bic(x, y, count="subjects")


def test_hard_icl_is_the_classification_likelihood(subjects):
    model, x, y, group = subjects
    for rows, n in (({}, 200), ({"groups": group}, 200)):
        first = np.unique(group, return_index=True)[1] if rows else np.arange(200)
        most = model.responsibilities(x, y, **rows)[first].max(axis=1)
        joint = model.log_likelihood(x, y, **rows) + np.log(most)  # of the most probable expert
        expected = -2.0 * joint.sum() + model.n_parameters_ * np.log(n)
        assert model.icl(x, y, hard=True, count="rows", **rows) == pytest.approx(expected, rel=1e-12)
    assert model.icl(x, y) > model.bic(x, y)
    times = np.random.default_rng(0).integers(1, 3, 200)
    each = np.repeat(np.arange(200), times)
    assert model.icl(x, y, times, hard=True) == pytest.approx(model.icl(x[each], y[each], hard=True))


def test_effects_of_columns_that_are_made_of_others():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {"arm": rng.integers(0, 2, 200) * 1.0, "t": rng.uniform(0.5, 5, 200), "z": rng.normal(size=200)}
    )
    table["both"], table["square"], table["log_t"] = table.arm * table.t, table.t**2, np.log(table.t)
    table["centred"] = (table.z - table.z.mean()) * (table.arm - table.arm.mean())
    table["name"] = "text"
    found = {made.column: (made.how, set(made.of)) for made in made_of_others(table, list(table))}
    assert found == {
        "both": ("the product", {"arm", "t"}),
        "square": ("the power 2", {"t"}),
        "log_t": ("the logarithm", {"t"}),
        "centred": ("the product", {"arm", "z"}),
    }
    dummies = (rng.integers(0, 3, 200)[:, None] == np.arange(3)).astype(float)
    assert made_of_others(np.column_stack([dummies, table.t, 2 * table.t + 1, 1.0 - table.arm]), "abcdef") == []

    used = table[["arm", "t", "z", "both"]]
    y = rng.poisson(np.exp(0.5 + 0.2 * used.both))
    result = infer(HMERegressor(depth=0, expert=PoissonExpert(alpha=0.0)).fit(used, y), used, y)
    effects = result.marginal_effects(used)
    assert "Column both is the product of arm and t:" in " ".join(str(effects).split()) and len(effects.remarks) == 1
    assert not result.marginal_effects(used, columns="z").remarks
    assert result.marginal_effects(used, columns="t").remarks


# -- hyper-parameters and storing --------------------------------------------------------------------------------------


def test_the_members_of_a_list_are_parameters():
    experts = [("line", LinearExpert(alpha=0.5)), ("outliers", BackgroundExpert()), ("any", LinearRegression())]
    model = HMERegressor(n_experts=3, expert=experts)
    params = model.get_params()
    assert params["expert__line__alpha"] == 0.5 and params["expert__line"] is experts[0][1]
    assert params["expert__any__estimator__fit_intercept"] is True
    for key in params:
        if key.startswith("expert__"):
            clone(model).set_params(**{key: params[key]})
    assert clone(model).set_params(expert__line__alpha=2.0).get_params()["expert__line__alpha"] == 2.0
    assert "expert__line" not in model.get_params(deep=False)
    assert HMERegressor(expert=[("a", 3)]).get_params()["depth"] == "auto"  # refused in fit


@pytest.mark.parametrize("make", [HMERegressor, HMEClassifier, HMETransformer], ids=lambda make: make.__name__)
def test_pickles_carry_a_version(make, monkeypatch):
    X, y = np.arange(40.0)[:, None], np.repeat([0, 1], 20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stored = pickle.dumps(make().fit(X, y))
    same = pickle.loads(stored)
    assert not any("version" in name for name in vars(same))
    monkeypatch.setattr(storing, "__version__", "99.0")
    with pytest.warns(UserWarning, match=r"stored by hme 0\.1\.0, and this is hme 99\.0"):
        pickle.loads(stored)
    with pytest.warns(UserWarning, match="stored by hme without a version"):
        make().__setstate__({"depth": 1})
