"""Draw which_model_when.png beside this script: the picture of README.md and of docs/which-model-when.md."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer
from sklearn.tree import DecisionTreeRegressor

from hme import HMEStackingRegressor
from hme.plot import EstimatorWeightsDisplay
from hme.plot.picture import safe_colors_of

rng = np.random.default_rng(0)
x = rng.uniform(0, 10, 800)
truth = np.where(x < 5, 2 * np.sin(2 * x), 2 * (np.floor(1.2 * x) % 3) - 2)
y = truth + np.where(x < 5, 0.15, 0.5) * rng.standard_normal(800)
models = [
    ("spline", make_pipeline(SplineTransformer(16), Ridge(1e-3))),
    ("tree", DecisionTreeRegressor(min_samples_leaf=15, random_state=0)),
]
stack = HMEStackingRegressor(models, random_state=0).fit(x[:, None], y)

line = np.linspace(0, 10, 1000)[:, None]
figure = Figure(figsize=(8, 5), layout="constrained")
upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
upper.scatter(x, y, s=5, c="0.7", lw=0)
upper.fill_between(line[:, 0], *stack.predict_interval(line, 0.9).T, color="0.5", alpha=0.25, lw=0, label="90 % of y")
for name, model, color in zip(stack.names_, stack.estimators_, safe_colors_of(2), strict=True):
    upper.plot(line, model.predict(line), lw=1.0, color=color, label=name)
upper.plot(line, stack.predict(line), color="black", lw=1.4, label="mixture")
upper.legend(ncols=4, loc="upper center", frameon=False)
upper.set(ylabel="y", ylim=(-3.6, 4.2))
EstimatorWeightsDisplay.from_estimator(stack, line, n_groups=200, feature_name="x", ax=lower)
# Without the version of matplotlib in it, the same picture is the same file.
figure.savefig(Path(__file__).with_name("which_model_when.png"), dpi=110, metadata={"Software": None})
