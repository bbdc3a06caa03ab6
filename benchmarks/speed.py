"""How fast fits are: sweeps to the end of EM, and CPU seconds against gradient boosting's in the same run.

Sections, each of named figures; every figure is written to the output when it is there, and a run that is started again
goes on with those that are missing. Run from the root::

    PYTHONPATH=. OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python benchmarks/speed.py [sweeps] [fit] [fit-million]
        [memory] [--output speed.json]

`sweeps`: on each of the problems in `speed_problems.py`, sweeps over all rows to within 1e-4 nats per unit of weight of
the end of the same fit, of plain EM and by default, from the same start. Sweeps on samples count as their share of the
rows; a Newton step as the sweeps that its CPU time is worth. `sweeps-1` to `sweeps-3` are the same on other sets of
problems. `fit`: a fit of depth 5, alpha 0.1, at 8,000 and 100,000
rows against scikit-learn's HistGradientBoostingRegressor, and the mean negative log-density of new rows. `fit-million`
is the same at 1,000,000 rows. `memory`: the most that such a fit takes beside the table and one
standardised copy of it.

The fits of this checkout are compared with those of a commit, or of another checkout, in turns, each time in a process
of its own::

    python benchmarks/speed.py --against COMMIT [--pairs 7] [--only steps]

A figure is the CPU seconds here divided by those there, one for each pair. The script fails if the median of one has
risen by more than 5 %, beyond the noise of the pairs: if its lower confidence bound at a level of 90 % or more, an
order statistic of the pairs, is above 1.05.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
import warnings
from contextlib import contextmanager
from math import comb
from pathlib import Path

import numpy as np

WITHIN = 1e-4  # nats per unit of weight
TIGHT, MOST_SWEEPS = 1e-9, 20_000  # of the fits whose ends are the limits
MOST_LOSS, LEVEL, LEAST_PAIRS = 0.05, 0.9, 4
NEW_ROWS = 20_000
OTHER_SETS = (1, 2, 3)  # of problems


# -- sweeps ----------------------------------------------------------------------------------------------------------


def sweeps_of(name, number=0):
    """Sweeps to within reach of the end, by plain EM and by default, and both ends, on a problem of a set."""
    from speed_problems import PROBLEMS, Set

    found = {}
    for kind, settings in (("plain", {"accelerate": False}), ("default", {})):
        model, X, y, arguments = PROBLEMS[name](Set(number))
        model.set_params(random_state=0, tol=TIGHT, max_iter=MOST_SWEEPS, n_finalists=None, **settings)
        fit, seconds = _fit_from_one_start(model, X, y, arguments)
        within = fit.history.objective >= fit.objective - WITHIN
        found[kind] = {
            "sweeps": int(np.argmax(within)), "to the end": fit.n_iter, "ended": fit.reason,
            "objective": float(fit.objective), "seconds": round(seconds, 3),
        }  # fmt: skip
    cut = found["plain"]["sweeps"] / max(found["default"]["sweeps"], 1)
    return {**found, "cut": round(cut, 2), "gain": found["default"]["objective"] - found["plain"]["objective"]}


def _fit_from_one_start(model, X, y, arguments):
    """The fit of a model from its start, without pushes off the end, and its CPU seconds."""
    from hme.estimators.binding import bind
    from hme.estimators.inputs import read
    from hme.estimators.starting import start

    arguments = dict(arguments)
    own = [arguments.pop(key, None) for key in ("sample_weight", "groups")]
    given = read(model, X, y, *own, None, **arguments)
    begun = start(model, given, bind(model, given), climbs=False, newton=None)
    before = time.process_time()
    fit = begun.run().fits[0]
    return fit, time.process_time() - before


def sweeps_in_short(figures):
    """What the section shows."""
    cuts = [found["cut"] for found in figures.values()]
    worse = {name: found["gain"] for name, found in figures.items() if found["gain"] < -WITHIN}
    return {"problems": len(cuts), "median cut": float(np.median(cuts)), "ends worse by more than 1e-4": worse}


# -- fits ------------------------------------------------------------------------------------------------------------


def fit_of(name, n):
    """CPU seconds of a fit and of boosting's, by turns, and the scores of both."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from speed_problems import table

    (X, y), (X_new, y_new) = table(name, n), table(name, NEW_ROWS, seed=1)
    turns = 3 if n <= 10_000 else 1
    ours, theirs = [], []
    for _ in range(turns):
        theirs.append(_seconds(lambda: HistGradientBoostingRegressor(random_state=0).fit(X, y)))
        ours.append(_seconds(lambda: _model().fit(X, y)))
    seconds, model = min(ours, key=lambda pair: pair[0])
    boosting_seconds, boosting = min(theirs, key=lambda pair: pair[0])
    density = model.predict_dist(X_new)
    return {
        "seconds": round(seconds, 3), "boosting": round(boosting_seconds, 3),
        "ratio": round(seconds / boosting_seconds, 2), "sweeps": model.n_iter_, "ended": model.stop_reason_,
        "NLL": round(float(-density.logpdf(y_new).mean()), 4),
        "RMSE": round(float(np.sqrt(np.mean((density.mean() - y_new) ** 2))), 4),
        "RMSE of boosting": round(float(np.sqrt(np.mean((boosting.predict(X_new) - y_new) ** 2))), 4),
    }  # fmt: skip


def memory_of(name, n):
    """Most memory of a fit beside the table and one standardised copy of it, in MB, as tracemalloc sees it."""
    from speed_problems import table

    X, y = table(name, n)
    _model().fit(X[:2000], y[:2000])  # what is loaded once
    tracemalloc.start()
    _model().fit(X, y)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    copy = 8 * n * (X.shape[1] + 1)
    return {"copy": round(copy / 1e6, 1), "beside it": round((most - copy) / 1e6, 1)}


def _model():
    from hme import HMERegressor
    from hme.experts import LinearExpert
    from hme.gates import SoftmaxGate

    return HMERegressor(depth=5, expert=LinearExpert(alpha=0.1), gate=SoftmaxGate(alpha=0.1))


def _seconds(function):
    before = time.process_time()
    result = function()
    return time.process_time() - before, result


def fits_in_short(figures):
    """What the section shows: the median ratio for each number of rows."""
    ratios = {}
    for name, found in figures.items():
        ratios.setdefault(name.split()[-1], []).append(found["ratio"])
    return {f"ratio at {n} rows": float(np.median(values)) for n, values in ratios.items()}


# -- running ---------------------------------------------------------------------------------------------------------


def sections():
    """For each section its figures, functions without arguments by name, and what it shows in short."""
    from speed_problems import PROBLEMS, TABLES

    def sweeps(number):
        return {name: (lambda name=name: sweeps_of(name, number)) for name in PROBLEMS}

    def fits(*sizes):
        return {f"{name} {n}": (lambda name=name, n=n: fit_of(name, n)) for n in sizes for name in TABLES}

    return {
        "sweeps": (sweeps(0), sweeps_in_short),
        **{f"sweeps-{number}": (sweeps(number), sweeps_in_short) for number in OTHER_SETS},
        "fit": (fits(8_000, 100_000), fits_in_short),
        "fit-million": (fits(1_000_000), fits_in_short),
        "memory": ({"friedman": lambda: memory_of("friedman", 1_000_000)}, lambda found: found["friedman"]),
    }


def run(names, output, only=None):
    """Run the figures of the sections that `output` does not hold yet, and write each when it is there."""
    path = None if output is None else Path(output)
    results = json.loads(path.read_text()) if path is not None and path.exists() else {}
    for section in names:
        figures, in_short = sections()[section]
        found = results.setdefault(section, {})
        for name, figure in figures.items():
            if name not in found and (only is None or only in name):
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    found[name] = figure()
                print(f"{section}: {name}: {json.dumps(found[name])}", flush=True)
                if path is not None:
                    path.write_text(json.dumps(results, indent=1))
        if found:
            print(f"{section}: {json.dumps(in_short(found))}", flush=True)
    return results


# -- comparison --------------------------------------------------------------------------------------------------------


def compared():
    """What a comparison measures: fits that take a second or less, of tables and of many starts on a few rows."""
    from small_tables import counts, points
    from speed_problems import table

    from hme import HMERegressor

    def starts(expert, gate, n_init, data):
        return lambda: HMERegressor(n_experts=3, expert=expert, gate=gate, n_init=n_init, random_state=0).fit(*data)

    fits = {f"{name} 8000": (lambda name=name: _model().fit(*table(name, 8000))) for name in ("friedman", "hinge")}
    fits["steps 8000"] = lambda: _model().fit(*table("steps", 8000))
    fits["82 points, 30 starts"] = starts("linear", "constant", 30, points())
    fits["140 counts, 10 starts"] = starts("poisson", "softmax", 10, counts(140))
    return fits


def compare(other, pairs, only=None):
    """CPU seconds of this checkout divided by those of another, in turns; the names of the figures that have lost."""
    here, ratios = Path(__file__).resolve().parent.parent, {}
    for pair in range(pairs):
        order = (here, other) if pair % 2 == 0 else (other, here)
        seconds = {checkout: _in_child(checkout, only) for checkout in order}
        for name, own in seconds[here].items():
            ratios.setdefault(name, []).append(round(own / seconds[other][name], 3))
        print(json.dumps({name: values[-1] for name, values in ratios.items()}), flush=True)
    place, lost = _place(pairs), []
    for name, values in ratios.items():
        least, middle = sorted(values)[place], float(np.median(values))
        lost += [name] * (least > 1.0 + MOST_LOSS)
        print(f"{name}: seconds here / there {middle:.3f}, at least {least:.3f}" + " LOST" * (least > 1.0 + MOST_LOSS))
    return lost


def _place(pairs):
    """Place, from the smallest, of the ratio that is below their true median with a probability of `LEVEL`."""
    below = np.cumsum([comb(pairs, k) for k in range(pairs)]) / 2.0**pairs
    return int((below <= 1.0 - LEVEL).sum()) - 1


@contextmanager
def checkout_of(name):
    """The folder of a checkout: `name` itself, or one that is made of a commit for as long as it is needed."""
    if Path(name, "hme").is_dir():
        yield Path(name).resolve()
        return
    root = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory() as folder:
        place, git = Path(folder, "checkout").resolve(), ["git", "-C", str(root), "worktree"]
        made = subprocess.run([*git, "add", "--quiet", "--detach", str(place), name], capture_output=True, text=True)
        if made.returncode:
            raise SystemExit(f"--against {name}: neither a checkout nor a commit; git said: {made.stderr.strip()}")
        try:
            yield place
        finally:
            subprocess.run([*git, "remove", "--force", str(place)], check=True)


def _in_child(checkout, only):
    environment = dict(os.environ, PYTHONPATH=str(checkout), OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    command = [sys.executable, __file__, "--child", "--only", only or ""]
    done = subprocess.run(command, env=environment, cwd=checkout, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the fits of {checkout} failed:\n{done.stderr}")
    found = json.loads(done.stdout)
    if Path(found.pop("hme")).parent.parent != checkout:
        raise SystemExit(f"{checkout} is not what was imported.")
    return found


def _child(only):
    """Print the least CPU seconds of two runs of each fit, and where the package was imported from."""
    import hme

    found = {"hme": str(Path(hme.__file__).resolve())}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, fit in compared().items():
            if only not in name:
                continue
            found[name] = min(_seconds(fit)[0] for _ in range(2))
    print(json.dumps(found))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "sections", nargs="*", help="sweeps, sweeps-1 to -3, fit, fit-million, memory; sweeps and fit if none is named"
    )
    parser.add_argument("--output", help="JSON file, which a further run completes")
    parser.add_argument("--only", help="part of the names of the figures to run")
    parser.add_argument("--against", help="a commit, or the folder of a checkout, with which this one is compared")
    parser.add_argument("--pairs", type=int, default=7, help=f"of runs, at least {LEAST_PAIRS}")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        _child(arguments.only)
    elif arguments.against:
        if arguments.pairs < LEAST_PAIRS:
            parser.error(f"--pairs must be at least {LEAST_PAIRS}: fewer tell nothing from noise.")
        with checkout_of(arguments.against) as other:
            lost = compare(other, arguments.pairs, arguments.only)
        if lost:
            sys.exit(f"slower by more than {MOST_LOSS:.0%}: {', '.join(lost)}")
    else:
        run(arguments.sections or ["sweeps", "fit"], arguments.output, arguments.only)


if __name__ == "__main__":
    main()
