"""Small tables: what many starts, a diagnosis and a bootstrap test cost, with starts side by side and one by one.

The data are made: 82 points of four normal distributions, 70 and 140 rows of counts. The part "mixtools" needs
``Rscript`` and its package mixtools. Run from the root::

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/small_tables.py [--parts starts,diagnose,test,mixtools]
        [--out FILE]
"""

import argparse
import json
import shutil
import subprocess
import tempfile
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from hme import HMERegressor
from hme.bootstrap import lr_test_bootstrap
from hme.diagnosis import diagnose
from hme.experts import LinearExpert, PoissonExpert
from hme.fitting import side_by_side


def points(n=82, seed=0):
    """Numbers from four normal distributions, as a table without columns that matter."""
    rng = np.random.default_rng(seed)
    leaf = rng.choice(4, n, p=[0.1, 0.45, 0.4, 0.05])
    return np.zeros((n, 1)), np.array([9.7, 19.9, 22.8, 33.0])[leaf] + np.array([0.4, 0.8, 1.7, 1.0])[leaf] * (
        rng.standard_normal(n)
    )


def counts(n, seed=0):
    """Counts whose rate depends on x in two ways."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2.0, 2.0, (n, 2))
    return X, rng.poisson(np.exp(np.where(X[:, 0] > 0, 2.0 + X[:, 1], 1.0 - X[:, 1]))).astype(float)


@contextmanager
def one_by_one():
    """Every start and every push by itself, as on larger tables."""
    together, side_by_side.together = side_by_side.together, lambda *given: False
    try:
        yield
    finally:
        side_by_side.together = together


def seconds(function):
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def both(function):
    """Seconds side by side and one by one, and the result."""
    own, result = seconds(function)
    with one_by_one():
        alone, _ = seconds(function)
    return {"seconds": round(own, 3), "one by one": round(alone, 3), "ratio": round(alone / own, 1)}, result


def mixture_of_four(y, n_init):
    """An exact normal mixture from so many starts."""
    exact = LinearExpert(alpha=0.0, variance_prior=None, variance_floor=1e-8 * y.var())
    return HMERegressor(n_experts=4, gate="constant", expert=exact, n_init=n_init, random_state=0)


def starts(n_inits=(1, 5, 10, 30, 50)):
    X, y = points()
    for n_init in n_inits:
        model = mixture_of_four(y, n_init)
        figures, model = both(lambda model=model: model.fit(X, y))
        sweeps = sum(one.n_iter for one in model.restarts_)
        yield {"n_init": n_init, "starts": len(model.restarts_), "sweeps": sweeps, **figures}


def mixtools(n_init=30, rounds=5):
    """The same beside mixtools, one after the other, the least seconds of several rounds."""
    if shutil.which("Rscript") is None:
        raise SystemExit("Rscript is not installed: nothing to compare with.")
    X, y = points()
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "points")
        np.savetxt(file, y)
        for _ in range(rounds):
            took, model = seconds(lambda: mixture_of_four(y, n_init).fit(X, y))
            ours.append((took, float(model.log_likelihood(X, y).sum())))
            command = ["Rscript", str(Path(__file__).with_name("mixtools_time.R")), str(file), "4", str(n_init)]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            theirs.append(tuple(map(float, told.split())))
    (own, reached), (other, best) = min(ours), min(theirs)
    yield {
        "n_init": n_init, "seconds": round(own, 3), "mixtools": round(other, 3), "ratio": round(other / own, 2),
        "log-likelihood": round(reached, 3), "of mixtools": round(best, 3),
    }  # fmt: skip


def diagnosis():
    X, y = counts(70)
    model = HMERegressor(n_experts=3, expert=PoissonExpert(), n_init=20, random_state=0)
    took, found = seconds(lambda: diagnose(model, X, y, random_state=0))
    yield {"rows": len(y), "n_init": 20, "verdict": found.verdict, "seconds": round(took, 2)}


def test(n_bootstrap=99):
    X, y = counts(140)
    for small, large in ((1, 2), (2, 3)):
        pair = [HMERegressor(n_experts=k, expert=PoissonExpert(alpha=0.0), random_state=0) for k in (small, large)]
        took, found = seconds(lambda pair=pair: lr_test_bootstrap(*pair, X, y, n_bootstrap, random_state=0))
        yield {
            "rows": len(y),
            "experts": [small, large],
            "draws": n_bootstrap,
            "p": found.p_value,
            "seconds": round(took, 2),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default="starts,diagnose,test")
    parser.add_argument("--out", help="file for the JSON lines")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    seconds(lambda: HMERegressor(n_experts=2).fit(*counts(50)))  # what is loaded by the first fit
    lines = []
    for part in arguments.parts.split(","):
        for line in {"starts": starts, "diagnose": diagnosis, "test": test, "mixtools": mixtools}[part]():
            lines.append(json.dumps({"part": part, **line}))
            print(lines[-1], flush=True)
    if arguments.out:
        with open(arguments.out, "w") as file:
            file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
