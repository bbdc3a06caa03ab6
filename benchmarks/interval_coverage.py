"""Do intervals hold what they promise? Simulated designs of which the fitted model is the right one.

Predictive part: 20 designs of linear, Poisson, gamma and Student-t experts, one to four of them, flat and in trees of
depth 2, of one to five columns, with noise that differs between experts. A model of the same shape is fitted to 4000
rows with the default settings and the default start; of 20,000 new rows 88 to 92 % should be in its central 90 %
intervals. Intervals of counts end at whole numbers and so hold a little more than their share; beside it is the share
of rows whose randomised probability transform is between 0.05 and 0.95.

Tables part: 90 % intervals of small tables, whose parameters are many for their rows: 20 designs, 50 tables each, of
one expert with up to n / 3 columns and of K experts with up to n / (10 K), where 88 to 92 % of 1000 new rows should be
inside, and of more columns than that, where 85 to 95 % should. Beside the share is that of the plug-in density, and the
mean log score of both. Intervals of counts are judged by the randomised transform. With ``--known FILE`` every table is
kept as it comes, and is not computed again.

Confidence part: 95 % intervals of all coefficients over 500 samples of 1000 rows, from the observed information of
exact maximum-likelihood fits that start at the true labels. Averaged over the coefficients of a design 94 to 96 % hold
the truth, and 92 to 98 % of each one's. A fit that is at a boundary (`boundary_`, or a coordinate without a
standard error) is counted and left out. Beside it are the ratio of the mean standard error to the standard deviation of
the estimates, and how far from a maximum the worst fit was, in standard errors. Run from the root::

    PYTHONPATH=. OMP_NUM_THREADS=1 python benchmarks/interval_coverage.py [--part confidence] [--simulations 500]
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_softmax
from scipy.stats import norm
from sklearn.exceptions import ConvergenceWarning

from hme import HMERegressor, Tree, scoring
from hme.datasets import make_regimes
from hme.experts import GammaExpert, LinearExpert, PoissonExpert, StudentExpert
from hme.gates import SoftmaxGate
from hme.inference.infer import infer

NOMINAL, LOW, HIGH = 0.90, 0.88, 0.92  # of predictive intervals
MEAN_RANGE, EACH_RANGE = (0.94, 0.96), (0.92, 0.98)  # of 95 % confidence intervals

# What the scale of a family is called, and which power of the variance or dispersion it is.
SCALES = {"linear": ("log(variance)", 1.0), "student": ("log(scale)", 0.5), "gamma": ("log(dispersion)", 1.0)}

# -- predictive intervals ---------------------------------------------------------------------------------------------


class Regimes(NamedTuple):
    """A design of `make_regimes`, whose linear experts become the linear predictors of other families."""

    family: str
    n_experts: int
    n_features: int
    structure: str = "auto"
    noise: tuple | float = 0.3
    sharpness: float = 6.0

    @property
    def name(self):
        noise = "" if np.ndim(self.noise) == 0 else ", noise by expert"
        tree = "depth 2" if self.structure == "auto" and self.n_experts == 4 else "flat"
        return f"{self.family} K={self.n_experts} {tree} p={self.n_features}{noise}"

    @property
    def model(self):
        tree = self.structure == "auto" and self.n_experts == 4
        shape = {"depth": 2} if tree else {"n_experts": self.n_experts}
        return HMERegressor(expert=self.family, **shape)

    def draw(self, n_samples, model_seed, rng):
        """Rows of the model that `model_seed` stands for."""
        arguments = dict(structure=self.structure, sharpness=self.sharpness, noise=self.noise)
        seed = np.random.RandomState(model_seed)
        _, _, model = make_regimes(1, self.n_features, self.n_experts, random_state=seed, **arguments)
        X = rng.uniform(-1, 1, (n_samples, self.n_features))
        # `make_regimes` draws its model first, so that the model of one seed has other rows with another generator.
        prior = gate_of(model, X)
        label = (rng.uniform(size=(n_samples, 1)) > prior.cumsum(axis=1)).sum(axis=1).clip(0, self.n_experts - 1)
        eta = (X * model.coef[label]).sum(axis=1) + model.intercept[label]
        noise = model.noise_std[label]
        if self.family == "linear":
            return X, eta + noise * rng.standard_normal(n_samples)
        if self.family == "student":
            return X, eta + noise * rng.standard_t(4.0, n_samples)
        if self.family == "poisson":
            return X, rng.poisson(np.exp(4.0 + eta)).astype(float)
        return X, rng.gamma(1.0 / noise**2, np.exp(eta) * noise**2)


def gate_of(model, X):
    """Priors (n, K) of a truth of `make_regimes` at other rows."""
    score = X @ model.gate_coef.T + model.gate_intercept
    if model.structure == "flat":
        return np.exp(log_softmax(score, axis=1))
    right, prior = expit(score), np.ones((len(X), 1))
    for depth in range((score.shape[1] + 1).bit_length() - 1):
        split = right[:, 2**depth - 1 : 2 ** (depth + 1) - 1]
        prior = np.stack([prior * (1 - split), prior * split], axis=2).reshape(len(X), -1)
    return prior


PREDICTIVE = (
    Regimes("linear", 1, 1),
    Regimes("linear", 1, 5),
    Regimes("linear", 2, 1),
    Regimes("linear", 2, 3, noise=(0.1, 0.8)),
    Regimes("linear", 3, 2),
    Regimes("linear", 3, 5, noise=(0.1, 0.3, 0.9)),
    Regimes("linear", 4, 1),
    Regimes("linear", 4, 2, noise=(0.1, 0.2, 0.4, 0.8)),
    Regimes("linear", 4, 3, "flat"),
    Regimes("poisson", 1, 2),
    Regimes("poisson", 2, 1),
    Regimes("poisson", 3, 3),
    Regimes("poisson", 4, 2),
    Regimes("gamma", 1, 1),
    Regimes("gamma", 2, 2, noise=(0.2, 0.7)),
    Regimes("gamma", 4, 4, noise=(0.2, 0.3, 0.5, 0.7)),
    Regimes("student", 1, 3),
    Regimes("student", 2, 2, noise=(0.1, 0.4)),
    Regimes("student", 3, 1),
    Regimes("student", 4, 3),
)


def predictive_coverage(design, seed, n_train=4000, n_new=20_000):
    """One line of the table."""
    start = time.perf_counter()
    X, y = design.draw(n_train, seed, np.random.default_rng(1000 + seed))
    model = design.model.fit(X, y)
    X, y = design.draw(n_new, seed, np.random.default_rng(2000 + seed))
    dist = model.predict_dist(X)
    transform = scoring.pit(dist, y, np.random.default_rng(seed))
    actual = scoring.coverage(dist, y, NOMINAL)
    tail = 0.5 * (1.0 - NOMINAL)
    return {
        "design": design.name, "coverage": actual, "ok": bool(LOW <= actual <= HIGH),
        "by transform": float(np.mean((transform >= tail) & (transform <= 1 - tail))),
        "pit distance": scoring.pit_distance(dist, y), "seconds": round(time.perf_counter() - start, 1),
    }  # fmt: skip


# -- intervals of small tables ----------------------------------------------------------------------------------------


class Table(NamedTuple):
    """A design of small tables: rows, columns, experts of the truth, what is fitted, and the shares that are right."""

    name: str
    n_rows: int
    n_columns: int
    truth: str  # "line" or "regimes"
    fitted: dict  # arguments of HMERegressor
    family: str = "linear"
    n_regimes: int = 1
    noise: tuple | float = 0.3
    weighted: bool = False
    between: tuple = (LOW, HIGH)

    def draw(self, rng, n_new=1000):
        """X, y and weights of the table, then X and y of new rows."""
        n, p, K = self.n_rows + n_new, self.n_columns, self.n_regimes
        X = rng.standard_normal((n, p))
        if self.truth == "line":
            eta, label = X[:, 0] if self.family == "linear" else 0.5 + X @ rng.normal(0, 0.5 / np.sqrt(p), p), 0
        else:  # regions of one column, with lines of their own
            label = np.searchsorted(norm.ppf(np.arange(1, K) / K), X[:, 0])
            eta = (X * rng.normal(0, 1.0 / np.sqrt(p), (K, p))[label]).sum(axis=1) + rng.normal(size=K)[label]
        noise = np.broadcast_to(self.noise, K)[label]
        y = self._noisy(eta, noise, rng)
        weight = rng.uniform(0.5, 1.5, self.n_rows) if self.weighted else None
        cut = self.n_rows
        return X[:cut], y[:cut], weight, X[cut:], y[cut:]

    def _noisy(self, eta, noise, rng):
        n = len(eta)
        if self.family == "poisson":
            return rng.poisson(2.0 * np.exp(eta)).astype(float)
        if self.family == "negative_binomial":
            return rng.poisson(4.0 * np.exp(eta) * rng.gamma(2.0, 0.5, n)).astype(float)
        if self.family == "gamma":
            return np.exp(eta) * rng.gamma(2.0, 0.5, n)
        if self.family == "two outputs":
            return np.column_stack([eta, -eta]) + noise * rng.standard_normal((n, 2)) @ [[1.0, 0.7], [0.0, 0.7]]
        error = {"student": lambda: rng.standard_t(4.0, n), "laplace": lambda: rng.laplace(size=n)}
        return eta + noise * error.get(self.family, lambda: rng.standard_normal(n))()


ONE, BEYOND = {"depth": 0}, (0.85, 0.95)
TABLES = (
    Table("line, one expert, p = n/3", 150, 50, "line", ONE, noise=1.0),
    Table("line, one expert, p = n/3", 600, 200, "line", ONE, noise=1.0),
    Table("line, one expert, weights, p = n/5", 200, 40, "line", ONE, noise=1.0, weighted=True),
    Table("two outputs, one expert, p = n/4", 200, 50, "line", {"expert": LinearExpert(covariance="full"), **ONE},
          "two outputs"),
    Table("student, one expert, p = n/4", 400, 100, "line", {"expert": "student", **ONE}, "student"),
    Table("laplace, one expert, p = n/3", 300, 100, "line", {"expert": "laplace", **ONE}, "laplace"),
    Table("poisson, one expert, p = n/3", 300, 100, "line", {"expert": "poisson", **ONE}, "poisson"),
    Table("negative binomial, one expert, p = n/5", 400, 80, "line", {"expert": "negative_binomial", **ONE},
          "negative_binomial"),
    Table("gamma, one expert, p = n/3", 300, 100, "line", {"expert": "gamma", **ONE}, "gamma"),
    Table("line, 4 experts", 500, 5, "line", {"depth": 2}, noise=1.0),
    Table("line, 4 experts", 2000, 10, "line", {"depth": 2}, noise=1.0),
    Table("line, 2 experts, p = n/20", 150, 7, "line", {"depth": 1}, noise=1.0),
    Table("line, 8 experts, p = n/80", 1000, 12, "line", {"depth": 3}, noise=1.0),
    Table("regimes, 2 experts, p = n/20", 300, 15, "regimes", {"depth": 1}, n_regimes=2),
    Table("regimes, 4 experts, p = n/40", 800, 20, "regimes", {"depth": 2}, n_regimes=4),
    Table("regimes, 8 experts, noise by expert", 1200, 4, "regimes", {"depth": 3}, n_regimes=8,
          noise=(0.1, 0.2, 0.4, 0.8) * 2),
    Table("student regimes, 2 experts", 400, 10, "regimes", {"expert": "student", "depth": 1}, "student", 2),
    Table("poisson regimes, 2 experts", 400, 10, "regimes", {"expert": "poisson", "depth": 1}, "poisson", 2),
    Table("regimes, 4 experts, p = n/20", 400, 20, "regimes", {"depth": 2}, n_regimes=4, between=BEYOND),
    Table("line, 8 experts, p = n/50", 300, 6, "line", {"depth": 3}, noise=1.0, between=BEYOND),
)  # fmt: skip


def one_table(design, number, seed):
    """Shares of new rows in intervals, and mean log scores, of the predictive and the plug-in density."""
    X, y, weight, new, target = design.draw(np.random.default_rng([number, seed]))
    model, found = HMERegressor(**design.fitted).fit(X, y, sample_weight=weight), []
    for density in ("predictive", "plug-in"):
        dist = model.predict_dist(new, density=density)
        values = scoring.pit(dist, target, np.random.default_rng(seed))
        tail = 0.5 * (1.0 - NOMINAL)
        found += [float(np.mean((values >= tail) & (values <= 1.0 - tail))), float(dist.log_likelihood(target).mean())]
    return found


def table_coverage(design, number, n_tables, known):
    """One line of the table; `known` keeps what was computed, and is written after every table."""
    start, seen = time.perf_counter(), known.table(f"{number} {design.name}")
    for seed in range(len(seen), n_tables):
        seen.append(one_table(design, number, seed))
        known.write()
    mean = np.mean(seen[:n_tables], axis=0)
    return {
        "design": f"{design.name}, {design.n_rows} x {design.n_columns}", "coverage": float(mean[0]),
        "ok": bool(design.between[0] <= mean[0] <= design.between[1]), "plug-in": float(mean[2]),
        "log score": float(mean[1]), "of plug-in": float(mean[3]), "seconds": round(time.perf_counter() - start, 1),
    }  # fmt: skip


class Known:
    """Results of single tables, in a file as they come."""

    def __init__(self, path):
        self.path, self.tables = path, {}
        if path is not None and Path(path).exists():
            self.tables = json.loads(Path(path).read_text())

    def table(self, name):
        return self.tables.setdefault(name, [])

    def write(self):
        if self.path is not None:
            Path(self.path).write_text(json.dumps(self.tables, indent=1))


# -- confidence intervals ---------------------------------------------------------------------------------------------


class Mixture(NamedTuple):
    """A model with known coefficients; columns are standard normal."""

    name: str
    family: str
    tree: str  # as of `Tree.from_text`
    intercept: tuple  # of the experts
    coef: tuple  # (K, p)
    gate_intercept: tuple  # of the second and later branches of each node less its first
    gate_coef: tuple = ()  # likewise, (p,) for each; empty for a constant gate
    noise: tuple = ()  # variances, or dispersions

    @property
    def expert(self):
        if self.family == "linear":
            return LinearExpert(alpha=0.0, variance_prior=None, variance_floor=1e-8)
        if self.family == "student":
            return StudentExpert(4.0, alpha=0.0, variance_prior=None, variance_floor=1e-8)
        if self.family == "gamma":
            return GammaExpert(alpha=0.0, dispersion_prior=None, dispersion_floor=1e-8)
        return PoissonExpert(alpha=0.0)

    @property
    def gate(self):
        return SoftmaxGate(alpha=0.0) if self.gate_coef else "constant"

    def truth(self):
        """Values of all coefficients by side, number, branch and term, as `hme.inference` labels them."""
        tree, values = Tree.from_text(self.tree), {}
        for k, (intercept, slopes) in enumerate(zip(self.intercept, self.coef, strict=True)):
            values["expert", k, "", "(intercept)"] = intercept
            values |= {("expert", k, "", f"x{j}"): slope for j, slope in enumerate(slopes)}
            if self.noise:
                name, power = SCALES[self.family]
                values["expert", k, "", name] = power * np.log(self.noise[k])
        branches = [(m, b) for m in range(tree.n_nodes) for b in range(1, tree.branching[m])]
        for i, (m, b) in enumerate(branches):
            values["gate", m, str(b), "(intercept)"] = self.gate_intercept[i]
            if self.gate_coef:
                values |= {("gate", m, str(b), f"x{j}"): slope for j, slope in enumerate(self.gate_coef[i])}
        return values

    def draw(self, n_samples, rng):
        """X, y and the expert of every row."""
        tree, p = Tree.from_text(self.tree), len(self.coef[0])
        X = rng.standard_normal((n_samples, p))
        slopes = np.array(self.gate_coef) if self.gate_coef else np.zeros((len(self.gate_intercept), p))
        score = X @ slopes.T + np.array(self.gate_intercept)
        at, first = np.zeros(n_samples, dtype=int), 0  # where rows are, in the coding of the tree's children
        for m in range(tree.n_nodes):  # parents come before their children
            here = np.flatnonzero(at == m)
            later = tree.branching[m] - 1
            scores = np.column_stack([np.zeros(n_samples), score[:, first : first + later]])[here]
            first += later
            branch = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
            at[here] = tree.children[m, branch]
        label = ~at
        eta = np.array(self.intercept)[label] + (X * np.array(self.coef)[label]).sum(axis=1)
        if self.family == "poisson":
            return X, rng.poisson(np.exp(eta)).astype(float), label
        noise = np.array(self.noise)[label]
        if self.family == "gamma":
            return X, rng.gamma(1.0 / noise, np.exp(eta) * noise), label
        error = rng.standard_t(4.0, n_samples) if self.family == "student" else rng.standard_normal(n_samples)
        return X, eta + np.sqrt(noise) * error, label


CONFIDENCE = (
    Mixture("linear K=2 depth 1", "linear", "(. .)", (1.0, -1.0), ((1.0, 0.5), (-1.0, 0.5)), (0.3,), ((1.0, -0.5),),
            (0.5, 1.0)),
    Mixture("linear K=3 depth 1", "linear", "(. . .)", (3.0, 0.0, -3.0), ((1.0,), (-1.0,), (0.5,)), (0.2, -0.2),
            ((1.0,), (-0.8,)), (0.5, 0.7, 1.0)),
    Mixture("linear K=3 depth 2", "linear", "((. .) .)", (3.0, 0.0, -3.0), ((1.0,), (-1.0,), (0.5,)), (-0.5, 0.2),
            ((0.8,), (-1.0,)), (0.5, 0.7, 1.0)),
    Mixture("linear K=2 constant gate", "linear", "(. .)", (1.5, -1.5), ((1.0, 0.0), (-1.0, 0.5)), (0.4,), (),
            (0.5, 1.0)),
    Mixture("poisson K=2 depth 1", "poisson", "(. .)", (2.5, 1.0), ((0.2,), (-0.3,)), (0.3,), ((0.8,),)),
    Mixture("gamma K=3 depth 2", "gamma", "(. (. .))", (2.0, 0.0, -2.0), ((0.3,), (-0.3,), (0.3,)), (0.5, 0.2),
            ((0.8,), (-0.8,)), (0.2, 0.1, 0.3)),
    Mixture("student K=2 depth 1", "student", "(. .)", (2.0, -2.0), ((0.5,), (-0.5,)), (-0.2,), ((0.8,),), (0.3, 0.5)),
)  # fmt: skip


def key_of(label):
    return label.side, label.index, label.part if label.side == "gate" else "", label.term


def confidence_coverage(design, n_simulations, seed=0, n_samples=1000):
    """One line of the table, with the coefficients behind it."""
    start, truth = time.perf_counter(), design.truth()
    keys, hits, errors, estimates, left_out, furthest = None, [], [], [], 0, 0.0
    for simulation in range(n_simulations):
        X, y, label = design.draw(n_samples, np.random.default_rng([seed, simulation]))
        model = HMERegressor(
            tree=Tree.from_text(design.tree), expert=design.expert, gate=design.gate, start=label, tol=1e-10,
            max_iter=5000,
        )  # fmt: skip
        result = infer(model.fit(X, y), X, y, level=0.95)
        if model.boundary_ or not np.isfinite(result.standard_error).all():
            left_out += 1
            continue
        if keys is None:
            keys = [key_of(label) for label in result.labels]
            if set(keys) != set(truth):
                raise ValueError(f"labels {sorted(set(keys) ^ set(truth))} are not on both sides.")
            true = np.array([truth[key] for key in keys])
        low, high = result.interval.T
        hits.append((low <= true) & (true <= high))
        errors.append(result.standard_error)
        estimates.append(result.estimate)
        furthest = max(furthest, result.distance)
    if len(hits) < 2:
        raise ValueError(f"{left_out} of {n_simulations} fits are at a boundary: {design.name} cannot be judged.")
    each = np.mean(hits, axis=0)
    ratio = np.mean(errors, axis=0) / np.std(estimates, axis=0, ddof=1)
    mean = float(each.mean())
    in_range = MEAN_RANGE[0] <= mean <= MEAN_RANGE[1] and EACH_RANGE[0] <= each.min() and each.max() <= EACH_RANGE[1]
    return {
        "design": design.name, "coefficients": len(each), "used": len(hits), "left out": left_out,
        "mean": mean, "least": float(each.min()), "most": float(each.max()),
        "ok": bool(in_range),
        "error / sd": float(ratio.mean()), "distance": float(furthest),
        "seconds": round(time.perf_counter() - start, 1),
        "each": {" ".join(map(str, key)): float(value) for key, value in zip(keys, each, strict=True)},
    }  # fmt: skip


def run(part, function, designs):
    """All lines of a part, each printed as it comes."""
    lines = []
    for design in designs:
        lines.append(function(*design))
        columns = [name for name in lines[0] if name != "each"]
        if len(lines) == 1:
            print(f"\n{part}\n" + "".join(f"{name:>{50 if name == 'design' else 13}s}" for name in columns))
        values = (
            "yes" if value is True else "no" if value is False else f"{value:.4g}"
            for value in (lines[-1][name] for name in columns[1:])
        )
        print(f"{lines[-1]['design']:>50s}" + "".join(f"{value:>13s}" for value in values), flush=True)
    print(f"{sum(line['ok'] for line in lines)} of {len(lines)} designs in range")
    return lines


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", choices=("predictive", "tables", "confidence", "all"), default="all")
    parser.add_argument("--tables", type=int, default=50, help="of a design of the tables part")
    parser.add_argument(
        "--known", default=None, help="file for single tables of that part, so that it can be continued"
    )
    parser.add_argument("--designs", default="", help="designs whose name contains this")
    parser.add_argument("--simulations", type=int, default=500, help="of a design of the confidence part")
    parser.add_argument("--out", default=None, help="file for the results as JSON")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # boundaries are counted
    results = {}
    if arguments.part in ("predictive", "all"):
        chosen = [(i, design) for i, design in enumerate(PREDICTIVE) if arguments.designs in design.name]
        results["predictive"] = run("predictive", predictive_coverage, [(design, i) for i, design in chosen])
    if arguments.part in ("tables", "all"):
        chosen = [(i, design) for i, design in enumerate(TABLES) if arguments.designs in design.name]
        known = Known(arguments.known)
        chosen = [(design, i, arguments.tables, known) for i, design in chosen]
        results["tables"] = run("tables", table_coverage, chosen)
    if arguments.part in ("confidence", "all"):
        chosen = [design for design in CONFIDENCE if arguments.designs in design.name]
        chosen = [(design, arguments.simulations) for design in chosen]
        results["confidence"] = run("confidence", confidence_coverage, chosen)
    if arguments.out:
        with open(arguments.out, "w") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
