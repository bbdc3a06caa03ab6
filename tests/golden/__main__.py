"""Write the golden values of a checkout, and compare two files of them.

``python -m tests.golden write FILE.json [--short] [--only TEXT]`` and
``python -m tests.golden compare A.json B.json [--tol 1e-9]``.
"""

import argparse
import json
import sys
import time

import numpy as np

import hme

from .fits import FITS, differences, run


def as_text(found):
    """JSON with a line for each number or array, so that changes can be read."""
    fits = []
    for name, values in found.items():
        lines = [f"  {json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in values.items()]
        fits.append(f" {json.dumps(name)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(fits) + "\n}\n"


def refusals(values):
    return [(key, value["refused"]) for key, value in values.items() if isinstance(value, dict) and "refused" in value]


def count(value):
    return np.size(value) if not isinstance(value, dict) else 1


def write(path, short, only):
    """Run all fits, or those whose names hold a text, and write what they give."""
    print(f"hme from {hme.__file__}")
    found = {}
    for name in FITS:
        if only in name:
            start = time.process_time()
            found[name] = run(name, short)
            size, seconds = sum(map(count, found[name].values())), time.process_time() - start
            refused = ", ".join(f"{key} ({error})" for key, error in refusals(found[name]))
            print(f"{seconds:7.2f} s {size:6d} values  {name}" + f"  refused: {refused}" * bool(refused), flush=True)
    with open(path, "w") as file:
        file.write(as_text(found))
    return 0


def compare(one, two, tol):
    """Print the largest difference of every fit; 1 where one is larger than `tol` or something is missing."""
    with open(one) as file:
        a = json.load(file)
    with open(two) as file:
        b = json.load(file)
    largest, n_values = 0.0, 0
    for name in [*b, *(name for name in a if name not in b)]:
        if name not in a or name not in b:
            print(f"     inf  {name}: only in {one if name in a else two}")
            largest = np.inf
            continue
        gaps = differences(a[name], b[name])
        worst = max(gaps, key=gaps.get, default="")
        gap = gaps.get(worst, 0.0)
        beyond = [key for key, value in gaps.items() if value > tol]
        where = f": {worst}" if gap else ""
        where += f" ({len(beyond)} beyond: {', '.join(beyond[:8])})" if beyond else ""
        print(f"{gap:8.1e}  {name}{where}")
        largest, n_values = max(largest, gap), n_values + sum(map(count, b[name].values()))
    print(f"{len(b)} fits, {n_values} values, largest difference {largest:.3g}")
    return int(largest > tol)


def main(arguments=None):
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    writer = commands.add_parser("write")
    writer.add_argument("path")
    writer.add_argument("--short", action="store_true")
    writer.add_argument("--only", default="", help="fits whose names hold this text")
    comparer = commands.add_parser("compare")
    comparer.add_argument("one")
    comparer.add_argument("two")
    comparer.add_argument("--tol", type=float, default=1e-9)
    given = parser.parse_args(arguments)
    if given.command == "write":
        return write(given.path, given.short, given.only)
    return compare(given.one, given.two, given.tol)


if __name__ == "__main__":
    sys.exit(main())
