"""Draw the thumbnails of docs/gallery.md, one for each display, into the folder gallery beside this script."""

import io
from functools import cache
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image, ImageOps
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge

from hme import HMEClassifier, HMERegressor, HMEStackingRegressor, explain
from hme import plot as displays
from hme.datasets import load_motorcycle, make_inverse_problem, make_two_spirals
from hme.explanation import ImportanceDisplay

HERE = Path(__file__).parent
SIZE = 640, 440  # pixels; the pages show them at half of it


@cache
def motorcycle(**settings):
    """One column: a model, X and y."""
    bunch = load_motorcycle(as_frame=True)
    return HMERegressor(random_state=0, **settings).fit(bunch.data, bunch.target), bunch.data, bunch.target


@cache
def patients(**settings):
    """Ten columns: a model, X and y."""
    bunch = load_diabetes(as_frame=True, scaled=False)
    y = bunch.target.rename("progression")
    return HMERegressor(random_state=0, **settings).fit(bunch.data, y), bunch.data, y


def held_out():
    """A model of 300 patients, and the others."""
    model, X, y = patients(depth=1)
    return HMERegressor(depth=1, random_state=0).fit(X[:300], y[:300]), X[300:], y[300:]


def spirals():
    """Two columns."""
    X, y, _ = make_two_spirals(600, noise=0.02, random_state=0)
    return HMEClassifier(depth=3, random_state=0).fit(X, y), X


def inverse():
    """Several answers to one x."""
    x, t = make_inverse_problem(1000, random_state=0)[:2]
    return HMERegressor(n_experts=5, random_state=0).fit(x, t), x, t


def stack():
    """Two models in one."""
    model, X, y = patients(depth=1)
    models = [("ridge", Ridge()), ("trees", ExtraTreesRegressor(min_samples_leaf=5, random_state=0))]
    return HMEStackingRegressor(models, random_state=0).fit(X, y), X


def iris():
    """Three classes."""
    bunch = load_iris(as_frame=True)
    return HMEClassifier(depth=1, random_state=0).fit(bunch.data, bunch.target_names[bunch.target]), bunch.data


def one_row():
    """The axes of an explanation."""
    model, X, y = patients(depth=1)
    return explain(model, X[:20], y[:20])[2].plot()


def on_axes(display, *arguments, **options):
    """A display on axes of its own, at the size of a thumbnail."""
    figure = Figure(figsize=(5.2, 3.55), layout="constrained")
    display.from_estimator(*arguments, ax=figure.subplots(), **options)
    return figure


def whole(display, *arguments, **options):
    """A display that makes its own figure."""
    return display.from_estimator(*arguments, **options).figure_


PICTURES = {
    "experts": lambda: whole(displays.ExpertsDisplay, *motorcycle()),
    "tree": lambda: whole(displays.TreeDisplay, *motorcycle(depth=2)),
    "tree_of_many_columns": lambda: whole(displays.TreeDisplay, *patients(n_experts=3)),
    "gate": lambda: on_axes(displays.GateDisplay, *spirals()),
    "density": lambda: on_axes(displays.DensityDisplay, *inverse(), feature_name="x", target_name="t", levels=[0.5]),
    "coefficients": lambda: whole(displays.CoefficientsDisplay, *patients(depth=1), max_terms=6),
    "effect": lambda: whole(displays.EffectDisplay, *patients(depth=1)[:2], feature="bmi", target_name="progression"),
    "routing": lambda: whole(displays.RoutingDisplay, *patients(depth=1)[:2]),
    "responsibilities": lambda: whole(displays.ResponsibilitiesDisplay, *motorcycle(depth=2), mark=1),
    "calibration": lambda: on_axes(displays.CalibrationDisplay, *held_out()),
    "pit": lambda: on_axes(displays.PITDisplay, *held_out()),
    "histogram_tree": lambda: whole(displays.HistogramTreeDisplay, *motorcycle(depth=2)),
    "deviance_tree": lambda: whole(displays.DevianceTreeDisplay, *motorcycle(depth=2)),
    "growth": lambda: whole(displays.GrowthDisplay, motorcycle()[0]),
    "convergence": lambda: whole(displays.ConvergenceDisplay, motorcycle(depth=2, n_init=6)[0]),
    "estimator_weights": lambda: whole(displays.EstimatorWeightsDisplay, *stack(), feature="bmi"),
    "explanation": lambda: one_row().flat[0].figure,
    "importance": lambda: whole(ImportanceDisplay, *patients(depth=1)[:2]),
}


def thumbnail(figure):
    """The figure on white, whole, in the size of all others."""
    with io.BytesIO() as raw:
        figure.savefig(raw, format="png", dpi=150, bbox_inches="tight", pad_inches=0.08, facecolor="white")
        picture = Image.open(raw).convert("RGB")
    return ImageOps.pad(picture, SIZE, Image.Resampling.LANCZOS, color="white")


if __name__ == "__main__":
    folder = HERE / "gallery"
    folder.mkdir(exist_ok=True)
    for name, draw in PICTURES.items():
        thumbnail(draw()).quantize(128).save(folder / f"{name}.png", optimize=True)
    report = Image.open(HERE / "explorer.png").convert("RGB")
    top = report.crop((0, 0, report.width, report.width * SIZE[1] // SIZE[0]))
    top.resize(SIZE, Image.Resampling.LANCZOS).quantize(128).save(folder / "explorer.png", optimize=True)
