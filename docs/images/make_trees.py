"""Draw the trees of docs/pictures.md, one file for each table, beside this script."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_diabetes, load_iris
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from hme import HMEClassifier, HMERegressor
from hme.datasets import load_motorcycle, make_robot_arm
from hme.plot import plot_tree

HERE = Path(__file__).parent


def motorcycle():
    """One column."""
    bunch = load_motorcycle(as_frame=True)
    return HMERegressor(depth=2, random_state=0), bunch.data, bunch.target


def arm():
    """Two columns."""
    X, y, *_ = make_robot_arm(600, random_state=0)
    table = pd.DataFrame(np.asarray(X)[:, :2], columns=["shoulder", "elbow"])
    return HMERegressor(tree="((. .) .)", random_state=0), table, pd.Series(np.asarray(y)[:, 0], name="force")


def diabetes():
    """Ten columns."""
    bunch = load_diabetes(as_frame=True, scaled=False)
    return HMERegressor(n_experts=3, random_state=0), bunch.data, bunch.target.rename("progression")


def wide():
    """Sixty columns, one of them text, through a pipeline."""
    rng = np.random.default_rng(0)
    n = 600
    table = pd.DataFrame({"site": rng.choice(["north", "south", "east"], n), "age": rng.integers(18, 80, n)})
    table["income in dollars ($)"] = rng.normal(40_000, 9_000, n).round(-2)
    for j in range(57):
        table[f"measurement {j}"] = rng.standard_normal(n)
    level = np.where(table.site == "north", table.age / 10, table["income in dollars ($)"] / 8_000)
    y = level + table["measurement 3"] * (table.age > 50) + 0.3 * rng.standard_normal(n)
    columns = make_column_transformer((OneHotEncoder(sparse_output=False), ["site"]), remainder="passthrough")
    return make_pipeline(columns, HMERegressor(depth=2, random_state=0)), table, pd.Series(y, name="spending")


def iris():
    """Classes."""
    bunch = load_iris(as_frame=True)
    classes = pd.Series(bunch.target_names[bunch.target], name="species")
    return HMEClassifier(depth=1, random_state=0), bunch.data, classes


if __name__ == "__main__":
    for make in (motorcycle, arm, diabetes, wide, iris):
        model, X, y = make()
        figure = plot_tree(model.fit(X, y), X, y).figure_
        figure.savefig(HERE / f"tree_{make.__name__}.png", dpi=100, metadata={"Software": None})
