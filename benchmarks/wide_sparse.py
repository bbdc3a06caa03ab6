"""Wide sparse tables: seconds and memory of ten sweeps, with Gram matrices that are formed and that are not.

Rows have the same number of entries each; two lines hold on either side of a direction. Run from the root::

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/wide_sparse.py [--rows 20000] [--columns 1000] [--entries 5]
    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/wide_sparse.py --columns 20000 --entries 200 --experts 2
"""

import argparse
import json
import resource
import time
import warnings

import numpy as np
import scipy.sparse as sp

from hme import HMERegressor
from hme.experts import LinearExpert
from hme.numerics import wide


def table(n, p, entries, seed=0):
    rng = np.random.default_rng(seed)
    columns, values = rng.integers(0, p, (n, entries)), rng.exponential(1.0, (n, entries))
    X = sp.csr_matrix((values.ravel(), columns.ravel(), np.arange(0, n * entries + 1, entries)), (n, p))
    X.sum_duplicates()
    lines = X @ (rng.standard_normal((2, p)) * (rng.random((2, p)) < 0.2)).T
    return X, np.where(X @ rng.standard_normal(p) > 0, lines[:, 0], 1.0 + lines[:, 1]) + 0.3 * rng.standard_normal(n)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--columns", type=int, default=1000)
    parser.add_argument("--entries", type=int, default=5, help="of a row that are not zero")
    parser.add_argument("--experts", type=int, default=4)
    parser.add_argument("--sweeps", type=int, default=10)
    parser.add_argument("--lasso", action="store_true", help="experts with a lasso")
    parser.add_argument("--formed", action="store_true", help="form the Gram matrices")
    arguments = parser.parse_args()
    if arguments.formed:
        wide.WIDE = 10**9
    X, y = table(arguments.rows, arguments.columns, arguments.entries)
    expert = LinearExpert(alpha=0.01 * len(y), l1_ratio=1.0) if arguments.lasso else LinearExpert()
    model = HMERegressor(
        n_experts=arguments.experts, expert=expert, start="model_tree", n_finalists=None, max_iter=arguments.sweeps,
        random_state=0,
    )  # fmt: skip
    warnings.simplefilter("ignore")
    start = time.process_time()
    model.fit(X, y)
    print(
        json.dumps(
            {
                **vars(arguments),
                "seconds": round(time.process_time() - start, 2),
                "largest memory, MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
                "objective": float(model.lower_bounds_[-1]),
            }
        )
    )


if __name__ == "__main__":
    main()
