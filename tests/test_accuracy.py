"""The benchmark of accuracy: its scores, its ranks, what it keeps, and the page made of its rows."""

import inspect

import numpy as np
import pytest
from contest import page, searches
from contest.bars import class_bars, regression_bars
from contest.markup import by_table
from contest.methods import LINEAR_STACK, METHODS, MODELS, POOL, STACKING, TUNED
from contest.noise import fit_with_folds
from contest.ranks import critical_difference, mean_ranks, ranked_groups, results_of
from contest.rows import Rows
from contest.scores import NormalPrediction, Prediction, class_scores, log_scores, regression_scores, rounding_cells
from contest.stacks import linear_class_stack, linear_stack
from contest.tables import Training, load_split
from scipy import stats
from scipy.integrate import quad
from sklearn.datasets import load_iris
from sklearn.ensemble import StackingClassifier, StackingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeCV
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

RNG = np.random.default_rng(0)


# -- scores ------------------------------------------------------------------------------------------------------------


def test_crps_is_the_integral_that_defines_it():
    y, mean, std = 0.3, 0.8, 0.5
    cdf = stats.norm(mean, std).cdf
    below, above = quad(lambda t: cdf(t) ** 2, -9, y)[0], quad(lambda t: (1 - cdf(t)) ** 2, y, 9)[0]
    assert NormalPrediction([mean], std).crps(np.array([y])) == pytest.approx(below + above, abs=1e-7)


def test_cells_of_a_rounded_target():
    values, low, high = rounding_cells(np.array([1.0, 3.0, 2.0, 6.0, 3.0]))  # 4 and 5 are missing, the step is one
    assert (
        values.tolist() == [1, 2, 3, 6]
        and low.tolist() == [0.5, 1.5, 2.5, 5.5]
        and high.tolist() == [1.5, 2.5, 3.5, 6.5]
    )
    _, low, high = rounding_cells(np.array([0.0, 1.0, 2.5]))  # no common step: to the middle
    assert low.tolist() == [-0.5, 0.5, 1.75] and high.tolist() == [0.5, 1.75, 3.25]
    assert rounding_cells(RNG.normal(size=100)) is None and rounding_cells(np.ones(5)) is None


def test_log_scores_of_cells_are_probabilities_that_add_up():
    cells = np.arange(-40.0, 40.0), np.arange(-39.0, 41.0)
    dist = NormalPrediction(np.full(80, 0.3), 2.0)
    scores = log_scores(dist, None, cells)
    assert np.exp(scores).sum() == pytest.approx(1.0, abs=1e-12)
    mirrored = log_scores(NormalPrediction(np.full(80, 0.7), 2.0), None, cells)[39:0:-1]
    np.testing.assert_allclose(scores[41:], mirrored, rtol=1e-9)  # both tails are as accurate
    far = log_scores(NormalPrediction(np.zeros(2), 1.0), None, (np.array([200.0, -201.0]), np.array([201.0, -200.0])))
    assert np.isfinite(far).all() and (far < -600).all()


def test_scores_of_a_true_distribution():
    y = RNG.normal(2.0, 3.0, size=20_000)
    scores = regression_scores(Prediction(np.full(y.shape, 2.0), NormalPrediction(np.full(y.shape, 2.0), 3.0)), y)
    assert scores["coverage"] == pytest.approx(0.9, abs=0.01)
    assert scores["rmse"] == pytest.approx(3.0, rel=0.02)
    assert scores["log_score"] == pytest.approx(-0.5 - np.log(3.0 * np.sqrt(2 * np.pi)), abs=0.02)
    assert scores["crps"] == pytest.approx(3.0 / np.sqrt(np.pi), rel=0.02)


def test_scores_of_classes():
    scores = class_scores(np.array([[0.5, 0.5, 0.0], [0.1, 0.2, 0.7]]), np.array([2, 2]))
    assert scores["log_loss"] == pytest.approx(-(np.log(1e-6) + np.log(0.7)) / 2)
    assert scores["brier"] == pytest.approx((0.25 + 0.25 + 1.0 + 0.01 + 0.04 + 0.09) / 2)
    assert scores["accuracy"] == 0.5 and scores["worst_row"] == pytest.approx(np.log(1e-6))


def test_constant_noise_is_that_of_rows_not_seen():
    X = RNG.normal(size=(60, 30))
    y = X[:, 0] + RNG.normal(size=60)
    answer = fit_with_folds(LinearRegression(), Training(X, y, None))
    in_sample = np.std(y - LinearRegression().fit(X, y).predict(X))
    assert answer(X).dist.std[0] > 1.3 > 1.1 > in_sample


# -- what a method sees ------------------------------------------------------------------------------------------------


def test_methods_are_functions_of_training_rows_alone():
    for task in METHODS:
        assert set(POOL[task]) <= {name for method in METHODS[task] for name in (method.name, *method.beside)}
        for method in METHODS[task]:
            assert list(inspect.signature(method.fit).parameters) == ["training"], method.name
    assert len(POOL["regression"]) == 12


class FittedStack:
    """What the linear stack asks of ours, from models by name."""

    def __init__(self, models, folds, X, y, method):
        self.folds_, self.method = list(folds.split(X, y)), method
        answers = [cross_val_predict(model, X, y, cv=self.folds_, method=method) for _, model in models]
        self.cross_fitted_predictions_ = np.stack(answers, axis=1)
        self.models = [model.fit(X, y) for _, model in models]

    def predict_models(self, X):
        return np.stack([getattr(model, self.method)(X) for model in self.models], axis=1)


def test_the_linear_stack_is_that_of_scikit_learn():
    X = RNG.normal(size=(120, 3))
    y = X[:, 0] + np.abs(X[:, 1]) + 0.3 * RNG.normal(size=120)
    models = [("line", LinearRegression()), ("tree", DecisionTreeRegressor(max_depth=4, random_state=0))]
    stack = FittedStack(models, KFold(3), X, y, "predict")
    answer = linear_stack(stack, y)(X)
    theirs = StackingRegressor(models, cv=stack.folds_).fit(X, y)
    np.testing.assert_allclose(answer.mean, theirs.predict(X), rtol=1e-10)
    errors = y - cross_val_predict(RidgeCV(), stack.cross_fitted_predictions_, y, cv=stack.folds_)
    assert answer.dist.std[0] == pytest.approx(np.sqrt(np.mean(errors**2)))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_linear_stack_of_classes_is_that_of_scikit_learn(n_classes):
    X, y = (part[-50 * n_classes :] for part in load_iris(return_X_y=True))
    models = [
        ("logistic", LogisticRegression(max_iter=1000)),
        ("tree", DecisionTreeClassifier(max_depth=2, random_state=0)),
    ]
    stack = FittedStack(models, StratifiedKFold(3), X, y, "predict_proba")
    theirs = StackingClassifier(models, LogisticRegression(max_iter=1000), cv=stack.folds_).fit(X, y)
    np.testing.assert_allclose(linear_class_stack(stack, y)(X), theirs.predict_proba(X), rtol=1e-6)


def test_rows_held_out_are_a_fifth_and_of_whole_groups():
    groups = np.repeat(np.arange(10), 6)
    for training in (Training(None, np.arange(60) % 3, groups), Training(None, np.arange(60) % 3, None)):
        fit, out = searches.hold_out(training, True)
        assert sorted([*fit, *out]) == list(range(60)) and len(out) == 12
    fit, out = searches.hold_out(Training(None, np.zeros(60), groups), True)
    assert not set(groups[fit]) & set(groups[out])


def test_splits_of_bundled_tables():
    split, again = load_split("breast_cancer", 0), load_split("breast_cancer", 0)
    assert len(split.y_test) == 114 and split.cells is None and len(split.training.y) == 455
    np.testing.assert_array_equal(split.X_test, again.X_test)
    assert not (split.X_test[:, None] == split.training.X[None]).all(axis=2).any()


# -- rows --------------------------------------------------------------------------------------------------------------


def test_rows_are_kept_by_version_revision_and_protocol(tmp_path):
    ridge = next(method for method in METHODS["regression"] if method.name == "ridge")
    rows = Rows("regression", tmp_path)
    rows.add("energy", 0, ridge, "ridge", {"rmse": 1.23456789}, (0.5, 0.25))
    kept = Rows("regression", tmp_path)
    (row,) = kept
    assert row["rmse"] == 1.23457 and row["fit_seconds"] == 0.5
    assert kept.has("energy", 0, ridge) and not kept.has("energy", 1, ridge)
    assert not kept.has("energy", 0, ridge._replace(revision=2))
    assert not kept.has("energy", 0, ridge._replace(package="numpy"))
    kept.add("energy", 0, ridge, "ridge", {"rmse": 2.0}, (0.5, 0.25))
    assert [row["rmse"] for row in Rows("regression", tmp_path)] == [2.0]
    assert [path.name for path in tmp_path.iterdir()] == ["regression_peers.jsonl"]


# -- the report --------------------------------------------------------------------------------------------------------


def made_rows(values):
    """Rows of two splits, whose mean is the value."""
    for (table, method), value in values.items():
        for split, shift in enumerate((-0.1, 0.1)):
            yield {"table": table, "split": split, "method": method, "rmse": value + shift}


def test_ranks_and_ratios():
    values = {("a", "x"): 1.0, ("a", "y"): 2.0, ("a", "z"): 2.0, ("b", "x"): 8.0, ("b", "y"): 4.0}
    found = results_of(made_rows(values), ("a", "b"), ("x", "y", "z"), ("rmse",), {"a": 2, "b": 2})
    assert found.complete().methods == ("x", "y")
    assert mean_ranks(found.of(["x", "y"]), "rmse").tolist() == [1.5, 1.5]
    np.testing.assert_allclose(found.complete().geometric("rmse", "y"), [1.0, 1.0])
    assert "| z | 2.0 |  |" in by_table(found, "rmse", 1) and "| x | **1.0** | 8.0 |" in by_table(found, "rmse", 1)


def test_critical_differences_and_groups():
    # q of Demsar (2006), Table 5 (a), for four and for ten methods
    assert critical_difference(4, 14) == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=1e-3)
    assert critical_difference(10, 8) == pytest.approx(3.164 * np.sqrt(10 * 11 / (6 * 8)), abs=1e-3)
    assert ranked_groups(np.array([6.0, 1.0, 1.5, 3.2, 3.0]), 1.6) == [(0, 1), (1, 2), (2, 3)]
    assert ranked_groups(np.array([1.0, 1.5, 2.0]), 1.0) == [(0, 2)] and ranked_groups(np.array([1.0, 3.0]), 1.0) == []


def test_near_the_best_is_within_its_standard_error():
    rows = [
        {"table": "a", "split": 0, "method": name, "log_loss": loss, "log_loss_error": error}
        for name, loss, error in (("x", 0.20, 0.03), ("y", 0.22, 0.5), ("z", 0.25, 0.5))
    ]
    found = results_of(rows, ("a",), ("x", "y", "z"), ("log_loss", "log_loss_error"), {"a": 1})
    assert found.near_best("log_loss", found.methods).tolist() == [[True, True, False]]


def test_bounds_are_met_or_not():
    shared = {"worst_row": -9.0, "coverage": 0.9, "fit_seconds": 6.0, "models_seconds": 5.0, "log_loss_error": 0.02}
    rmse, loss = {STACKING: 0.9, LINEAR_STACK: 0.95, TUNED: 0.91}, {STACKING: 0.25, LINEAR_STACK: 0.3}
    loss |= {name: 0.24 + 0.1 * m for m, name in enumerate(MODELS["classes"])}
    rows = [shared | {"table": "a", "method": name, "rmse": value, "log_score": -value} for name, value in rmse.items()]
    found = results_of(rows, ("a",), tuple(rmse), ("rmse", "log_score", *shared), {"a": 1})
    made = regression_bars(found, found).splitlines()
    met = {line.split(" | ")[0].strip("| "): line.endswith("| yes |") for line in made[2:]}
    assert [what for what, is_met in met.items() if not is_met] == ["RMSE / tuned boosting, geometric mean"]
    assert "0.989" in made[4] and "1.200" in made[-1] and "1 of 1" in made[7]
    rows = [shared | {"table": "a", "method": name, "log_loss": value} for name, value in loss.items()]
    found = results_of(rows, ("a",), tuple(loss), ("log_loss", *shared), {"a": 1})
    assert [line.endswith("| yes |") for line in class_bars(found).splitlines()[2:]] == [True] * 3
    loss[STACKING] = 0.27
    rows = [row | {"log_loss": loss[row["method"]]} for row in rows]
    found = results_of(rows, ("a",), tuple(loss), ("log_loss", *shared), {"a": 1})
    assert [line.endswith("| yes |") for line in class_bars(found).splitlines()[2:]] == [False, True, True]


def test_the_page_is_made_of_the_rows():
    rows = {task: list(Rows(task)) for task in METHODS}
    made = page.page_of(rows)
    assert made == (page.DOCS / "accuracy.md").read_text(encoding="utf-8")
    others = [row for row in rows["regression"] if (row["table"], row["method"]) != ("energy", "ridge")]
    ridge = next(row for row in rows["regression"] if row["method"] == "ridge") | {"table": "energy", "rmse": 77.7}
    assert "77.700" in page.page_of(rows | {"regression": [*others, *[ridge | {"split": i} for i in range(5)]]})
