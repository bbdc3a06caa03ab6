"""Seconds that predictive distributions take: quantiles, distribution functions, CRPS and draws of every family.

The bar of quantiles is 200,000 rows, three quantiles and eight Gaussian experts in four seconds. Run from the root::

    OMP_NUM_THREADS=1 python benchmarks/quantiles.py [--rows 200000] [--experts 8]
"""

import argparse
import json
import time

import numpy as np

from hme import distributions as d
from hme.prediction import PredictiveDistribution

QUANTILES = [0.05, 0.5, 0.95]
SLOW = 20  # times fewer rows for what is by quadrature or sums


def families(n, K, rng):
    """Distributions of n rows and K experts, of every family."""
    center, scale = rng.normal(0, 3, size=(n, K)), rng.uniform(0.2, 1.5, size=(1, K))
    positive, dispersion = np.exp(rng.normal(1, 0.5, size=(n, K))), rng.uniform(0.05, 0.8, size=(1, K))
    return {
        "normal": d.Normal(center, scale),
        "student": d.Student(np.full((1, K), 4.0), center, scale),
        "laplace": d.Hyperbolic(center, scale, np.full((1, K), 1e-4)),
        "uniform": d.Uniform(center, scale),
        "gamma": d.Gamma(positive, dispersion),
        "inverse gaussian": d.InverseGaussian(positive, dispersion),
        "poisson": d.Poisson(positive),
        "negative binomial": d.NegativeBinomial(positive, dispersion),
        "truncated poisson": d.ZeroTruncated(d.Poisson(positive)),
        "binomial": d.Binomial(np.full((1, K), 20.0), center),
    }


def seconds(function):
    start = time.perf_counter()
    value = function()
    return round(time.perf_counter() - start, 3), value


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--experts", type=int, default=8)
    arguments = parser.parse_args()
    n, K, rng = arguments.rows, arguments.experts, np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(K), size=n)
    out = {"rows": n, "experts": K, "quantiles": QUANTILES}
    for name, components in families(n, K, rng).items():
        dist = PredictiveDistribution(weights, components)
        part = dist[: n // SLOW]
        record = {}
        record["icdf"], values = seconds(lambda dist=dist: dist.icdf(QUANTILES))
        if not dist.discrete:
            record["largest error"] = float(np.abs(dist.cdf(values) - QUANTILES).max())
        record["cdf"], _ = seconds(lambda dist=dist, values=values: dist.cdf(values))
        record["sample"], y = seconds(lambda dist=dist: dist.sample(rng=0))
        record[f"crps, {len(part)} rows"], _ = seconds(lambda part=part, y=y: part.crps(y[: len(part)]))
        few = part[: max(len(part) // 10, 1)]
        record[f"highest density, {len(few)} rows"], _ = seconds(
            lambda few=few: few.interval(0.9, method="highest_density")
        )
        out[name] = record
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
