"""Accuracy on real tables: mixtures and stacking beside boosting, forests, Gaussian processes and linear stacks.

`contest/` has the tables, the methods and the scores; `results/` the rows that were run, which are not run again for
the same version and protocol. `requirements.txt` names the peers' packages. Run from the root::

    PYTHONPATH=. OMP_NUM_THREADS=1 HME_DATA=FOLDER python benchmarks/accuracy.py [--budget 3600]

HME_DATA is a folder that has ``load.py`` with ``META`` and ``load(name)``. With the same variables, ``--ours`` runs our
methods again and nothing else; ``--ngboost FOLDER`` makes an environment there and runs NGBoost in it. ``--report``
writes docs/accuracy.md and its pictures from the rows. ``--quick`` needs no data: two bundled tables, one split.
"""

import argparse
import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
from contest.methods import METHODS, OURS
from contest.rows import Rows
from contest.running import is_installed, run_all, run_one
from contest.tables import QUICK, SPLITS, load_split

QUICK_METHODS = {
    "regression": ("ridge", "histograms", "extra_trees", "hme", "hme_stacking"),
    "classes": ("logistic", "histograms", "extra_trees", "hme", "hme_stacking"),
}


def quick():
    """Two tables, one split, the methods that need no other package; an error where a score is no number."""
    for task, tables in QUICK.items():
        for table in tables:
            split = load_split(table, 0)
            print(f"\n{table}: {len(split.training.y)} training rows, {len(split.y_test)} test rows")
            for method in METHODS[task]:
                if method.name in QUICK_METHODS[task] and is_installed(method):
                    scores, seconds = run_one(task, split, method)
                    for name, values in scores.items():
                        shown = "  ".join(f"{key} {value:.3f}" for key, value in values.items())
                        print(f"  {name:23s}{shown}  {sum(seconds[name]):.1f} s", flush=True)
                        if not np.isfinite(list(values.values())).all():
                            raise SystemExit(f"{table}, {name}: a score is no number")


def ngboost_elsewhere(folder, options):
    """Run NGBoost, which needs an older scikit-learn, in an environment that is made in `folder`."""
    python = Path(folder) / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "ngboost"], check=True)
    subprocess.run([python, __file__, "--tasks", "regression", "--methods", "ngboost", *options], check=True)


def parsed():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", default=",".join(METHODS))
    parser.add_argument("--tables", default=None, help="names, with commas (default: all)")
    parser.add_argument("--methods", default=None, help="names, with commas (default: all that are installed)")
    parser.add_argument("--splits", type=int, default=SPLITS, help="how many of the splits of a table")
    parser.add_argument("--again", default="", help="methods whose rows are run again")
    parser.add_argument("--ours", action="store_true", help="run our methods again, and nothing else")
    parser.add_argument("--budget", type=float, default=10800, help="seconds of CPU after which no fit is begun")
    parser.add_argument("--ngboost", default=None, metavar="FOLDER", help="run NGBoost in an environment of its own")
    parser.add_argument("--report", action="store_true", help="write the page and its pictures")
    parser.add_argument("--quick", action="store_true", help="two bundled tables, one split; nothing is kept")
    return parser.parse_args()


def main():
    arguments = parsed()
    if arguments.quick:
        quick()
    elif arguments.report:
        from contest.page import write_page

        write_page()
    elif arguments.ngboost:
        options = ["--splits", str(arguments.splits), "--budget", str(arguments.budget)]
        options += ["--tables", arguments.tables] if arguments.tables else []
        ngboost_elsewhere(os.path.abspath(arguments.ngboost), options)
    else:
        chosen = {"most": arguments.splits, "tables": arguments.tables and arguments.tables.split(",")}
        names = OURS if arguments.ours else arguments.methods and arguments.methods.split(",")
        again = OURS if arguments.ours else arguments.again.split(",")
        left = arguments.budget
        for task in arguments.tasks.split(","):
            left -= run_all(task, Rows(task), names=names, again=again, budget=left, **chosen)
        print(f"{arguments.budget - left:.0f} s of CPU")


if __name__ == "__main__":
    sys.exit(main())
