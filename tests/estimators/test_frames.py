"""From `fit` to the matrix product that takes most of the time there are few frames, in a debugger and in a profile."""

import sys
from pathlib import Path

import numpy as np
import pytest

import hme
from hme import HMEClassifier, HMERegressor
from hme.numerics import kernels

HOUSE = str(Path(hme.__file__).parent)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2))
Y = np.where(X[:, 0] < 0, 1.0 + X[:, 1], 2.0 - X[:, 1]) + 0.1 * RNG.normal(size=60)
# Frames from `fit` to `weighted_gram`, both counted.
MOST = {"experts": 13, "gates": 13}  # 12 where the experts are not logistic


def frames_of_the_caller():
    """Paths in the house and names of the functions that are running, the innermost last."""
    frame, found = sys._getframe(2), []
    while frame is not None:
        path, name = frame.f_code.co_filename, frame.f_code.co_name
        if path.startswith(HOUSE) and not name.startswith("<"):  # comprehensions are no frames of later Pythons
            found.append((str(Path(path).relative_to(HOUSE)), name))
        frame = frame.f_back
    return found[::-1]


@pytest.mark.parametrize(
    "model, y",
    [
        (HMERegressor(depth=2, max_iter=3), Y),
        (HMERegressor(depth=1, expert="poisson", max_iter=3), np.rint(np.exp(0.3 * Y))),
        (HMERegressor(depth=1, expert="student", max_iter=3), Y),
        (HMERegressor(depth=2, warm_start=True, max_iter=3), Y),
        (HMEClassifier(depth=1, max_iter=3), (Y > 1.5).astype(int)),
    ],
    ids=lambda value: repr(value) if hasattr(value, "fit") else "",
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_from_fit_to_weighted_gram(model, y, monkeypatch):
    gram, ways = kernels.weighted_gram, {"experts": [], "gates": []}

    def counted(*arguments, **options):
        way = [*frames_of_the_caller(), ("numerics/kernels.py", "weighted_gram")]
        if any(path == "fitting/em.py" for path, _ in way):  # a start is a shorter way
            sweep = max(i for i, (path, _) in enumerate(way) if path == "model/mixture.py")
            ways[way[sweep + 1][0].partition("/")[0]].append(way)
        return gram(*arguments, **options)

    for module in [module for name, module in sys.modules.items() if name.startswith("hme.")]:
        if vars(module).get("weighted_gram") is gram:
            monkeypatch.setattr(module, "weighted_gram", counted)
    model.fit(X, y)
    if model.warm_start:
        model.fit(X, y)
    for side, most in MOST.items():
        assert ways[side]
        longest = max(ways[side], key=len)
        assert longest[0][1] == "fit" and len(longest) <= most, longest
