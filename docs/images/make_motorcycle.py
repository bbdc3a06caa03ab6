"""Draw motorcycle.png beside this script: the picture of README.md and of docs/get-started.md."""

from pathlib import Path

from matplotlib.figure import Figure

from hme import HMERegressor
from hme.datasets import load_motorcycle
from hme.plot import ExpertsDisplay

X, y = load_motorcycle(return_X_y=True)
model = HMERegressor(random_state=0).fit(X, y)

figure = Figure(figsize=(8, 5), layout="constrained")
axes = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
ExpertsDisplay.from_estimator(
    model, X, y, feature_name="time after the impact (ms)", target_name="acceleration (g)", ax=axes
)
# Without the version of matplotlib in it, the same picture is the same file.
figure.savefig(Path(__file__).with_name("motorcycle.png"), dpi=110, metadata={"Software": None})
