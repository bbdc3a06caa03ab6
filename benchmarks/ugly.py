"""Thousands of small ugly fits, each checked against what the package promises.

A configuration is drawn from a seed and a number (`fuzzer/draws.py`): a family of experts, a gate, a tree, a start, an
algorithm, options and an ugly table. It is fitted or refused in words, and what must hold of every fit is checked
(`fuzzer/checks.py`), some of it by further fits. Every result is a line of JSON, written at once: a run that stopped
goes on where it was. The smallest configuration of each kind of failure is reduced to a script
(`fuzzer/shrinking.py`). Run from the root::

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/ugly.py --configurations 10000 --seed 0 --jobs 2 --out ugly.jsonl

The exit status is 1 if any promise was broken.
"""

import argparse
import json
import os
import re
import resource
import sys
import time
from collections import Counter, defaultdict
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from pathlib import Path

import numpy as np
from fuzzer.draws import draw
from fuzzer.outcomes import drawn_checks, failed, kind_of, outcomes_of
from fuzzer.shrinking import shrunk_script

MEMORY = 4 << 30  # bytes of address space, so that a table of sixty rows does not fill the machine


def run(seed, number):
    """The result of a configuration, as a line of JSON."""
    begin = time.process_time()
    configuration = draw(seed, number)
    outcomes = outcomes_of(configuration, drawn_checks(seed, number))
    return {
        "seed": seed,
        "number": number,
        "seconds": round(time.process_time() - begin, 4),
        "size": int(configuration.X.size),
        "what": configuration.describe(),
        "outcomes": outcomes,
    }


def results_of(path):
    """The results of an earlier run, by seed and number; a line that was cut off is none."""
    found = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            result = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[result["seed"], result["number"]] = result
    return found


def run_all(numbers, seed, seconds, jobs, out):
    """Run the configurations until they, or the CPU seconds, are used up; yields results as they come."""
    used, numbers, running = 0.0, iter(numbers), set()
    with ProcessPoolExecutor(jobs, initializer=_limit_memory) as pool, out.open("a") as file:
        while True:
            while len(running) < 2 * jobs and used < seconds and (number := next(numbers, None)) is not None:
                running.add(pool.submit(run, seed, number))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                result = future.result()
                used += result["seconds"]
                file.write(json.dumps(result) + "\n")
                file.flush()
                yield result


def _limit_memory():
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def report(results, scripts):
    """Print what was broken, by check and kind, and write a script for each kind; returns the number of failures."""
    counts, kinds = defaultdict(Counter), defaultdict(list)
    for result in results:
        for check, outcome in result["outcomes"].items():
            counts[check]["failed" if failed(outcome) else outcome] += 1
            if failed(outcome):
                kinds[kind_of(check, outcome)].append((result["size"], result["number"], result["seed"], check))
    print(f"\n{'check':20}{'kept':>8}{'refused':>9}{'excused':>9}{'failed':>8}")
    for check, count in counts.items():
        print(f"{check:20}{count[None]:8}{count['refused']:9}{count['excused']:9}{count['failed']:8}")
    for kind, cases in sorted(kinds.items(), key=lambda item: -len(item[1])):
        _, number, seed, check = min(cases)
        some = ",".join(str(case[1]) for case in sorted(cases)[:8])
        print(f"\n{len(cases)} x {kind}\n    --seed {seed} --only {some}")
        if scripts is not None:
            path = scripts / (re.sub(r"\W+", "_", kind)[:60].strip("_") + f"_{seed}_{number}.py")
            if not path.exists():
                path.write_text(shrunk_script(draw(seed, number), check, kind))
            print(f"    {path}")
    return sum(map(len, kinds.values()))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configurations", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first configuration")
    parser.add_argument("--only", help="numbers of configurations, with commas")
    parser.add_argument("--seconds", type=float, default=np.inf, help="CPU seconds, in all processes")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, default=Path("ugly.jsonl"), help="results; those that it holds are not run")
    parser.add_argument("--scripts", type=Path, help="folder for a script of each kind of failure")
    options = parser.parse_args()
    numbers = range(options.first, options.first + options.configurations)
    if options.only:
        numbers = [int(number) for number in options.only.split(",")]
    found = results_of(options.out)
    results = [found[options.seed, number] for number in numbers if (options.seed, number) in found]
    left = [number for number in numbers if (options.seed, number) not in found]
    begin = time.time()
    for result in run_all(left, options.seed, options.seconds, options.jobs, options.out):
        results.append(result)
        if len(results) % 250 == 0:
            print(f"{len(results)} configurations, {time.time() - begin:.0f} s", flush=True)
    if options.scripts is not None:
        options.scripts.mkdir(parents=True, exist_ok=True)
        _limit_memory()
    failures = report(results, options.scripts)
    seconds = [result["seconds"] for result in results]
    print(f"\n{len(results)} configurations of seed {options.seed}, {sum(seconds):.0f} s of CPU, {failures} failures")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
