"""Checks of a mixture: calibration of the gate, use of the experts, held-out residuals and class probabilities."""

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata
from sklearn.base import is_classifier

from ..bootstrap.refits import without_labels
from .evidence import SURE, said_of

__all__ = ["Reliability", "calibration_of", "remarks_of", "routing_of"]

N_BINS = 10
SURE_ROW = 0.8  # responsibility from which a row's expert is clear
LARGE_ECE, LARGE_TREND, UNSTABLE = 0.1, 0.2, 0.6  # limits for remarks
KOLMOGOROV = 1.358  # asymptotic 5 % point of sqrt(n) times the distance


class Reliability(NamedTuple):
    """Predicted probabilities against observed frequencies, in bins of the probability."""

    predicted: np.ndarray  # mean probability in each bin
    observed: np.ndarray  # mean frequency in each bin
    weight: np.ndarray  # share of the weight
    error: float  # expected calibration error, eq. (gate-calibration)


class Residuals(NamedTuple):
    """Held-out standardised residuals of one output."""

    output: int
    mean: float
    std: float
    skew: float
    trend: float  # rank correlation of the residuals with the prediction
    spread: float  # rank correlation of their size with the prediction


def routing_of(model, table):
    """How many experts are used, and how clearly rows belong to them, eq. (effective-experts)."""
    prior = model.gate_proba(table.X)
    resp = model.responsibilities(table.X, table.y, **without_labels(table.rows))
    share = table.weight / table.weight.sum()
    return {
        "load": model.load_,
        "effective_experts": float(np.exp(_entropy(model.load_))),
        "effective_per_row": float(np.exp(share @ _entropy(prior))),
        "overlap": float(share @ _entropy(resp)),
        "clear_rows": float(share @ (resp.max(axis=1) >= SURE_ROW)),
    }


def _entropy(probability):
    return -(probability * np.log(np.maximum(probability, np.finfo(float).tiny))).sum(axis=-1)


def calibration_of(model, table, folds, held, seed):
    """Gate, distribution, residuals and classes, all on held-out rows."""
    order = np.concatenate(folds)
    weight, y = table.weight[order], table.y[order]
    share = weight / weight.sum()
    stacked = {
        name: None if getattr(held[0], name) is None else np.concatenate([getattr(part, name) for part in held])
        for name in ("prior", "resp", "mean", "std", "pit")
    }
    found = {"gate": _reliability(stacked["prior"], stacked["resp"], share), "classes": None, "residuals": None}
    found |= {"pit": None, "pit_limit": KOLMOGOROV * float(np.sqrt((share**2).sum()))}
    if is_classifier(model):
        happened = y[:, None] == model.classes_
        return found | {"classes": _reliability(stacked["mean"], happened.astype(float), share, True)}
    if stacked["pit"] is not None:
        found["pit"] = [_kolmogorov(column, share) for column in stacked["pit"].T]
    if stacked["mean"] is not None and np.isfinite(stacked["std"]).all() and (stacked["std"] > 0).all():
        z = (np.asarray(y, dtype=float).reshape(len(y), -1) - stacked["mean"]) / stacked["std"]
        found["residuals"] = [_residuals(t, z[:, t], stacked["mean"][:, t], share) for t in range(z.shape[1])]
    return found


def _reliability(predicted, observed, share, by_column=False):
    """Predicted probabilities (n, K) against what was observed, in bins, eq. (gate-calibration).

    The bins pool all columns, since the numbers of leaves differ between folds; errors of classes, whose numbers do
    not, are found `by_column`.
    """
    columns = predicted.shape[1]
    bins = np.minimum((predicted * N_BINS).astype(int), N_BINS - 1)
    cells = bins + N_BINS * np.arange(columns) if by_column else bins
    weight = np.broadcast_to(share[:, None], predicted.shape)
    gaps = np.bincount(cells.ravel(), (weight * (predicted - observed)).ravel())
    sums = (weight, weight * predicted, weight * observed)
    mass, *sums = (np.bincount(bins.ravel(), values.ravel(), N_BINS) for values in sums)
    used = mass > 0
    # Half the sum over columns is the error of either of two, and does not shrink with the number of columns.
    error = 0.5 * float(np.abs(gaps).sum())
    return Reliability(*(values[used] / mass[used] for values in sums), mass[used] / columns, error)


def _kolmogorov(u, share):
    """Largest distance of a weighted empirical distribution on [0, 1] from the uniform one."""
    order = np.argsort(u)
    above = np.cumsum(share[order])
    return float(np.maximum(above - u[order], u[order] - above + share[order]).max())


def _residuals(output, z, mean, share):
    center = share @ z
    std = np.sqrt(share @ (z - center) ** 2)
    skew = share @ (z - center) ** 3 / std**3 if std > 0 else np.nan
    there = share > 0
    trend, spread = (_rank_correlation(values, mean, share, there) for values in (z, np.abs(z - center)))
    return Residuals(output, float(center), float(std), float(skew), trend, spread)


def _rank_correlation(a, b, share, there):
    """Spearman's correlation, weighted; nan where one of the two is constant."""
    ranks = np.stack([rankdata(values[there]) for values in (a, b)])
    w = share[there]
    ranks -= (ranks @ w)[:, None]
    covariance = (ranks * w) @ ranks.T
    size = np.sqrt(covariance[0, 0] * covariance[1, 1])
    return float(covariance[0, 1] / size) if size > 0 else np.nan


def remarks_of(found):
    """Further findings that deserve attention, in sentences."""
    said = []
    if found["gate"].error > LARGE_ECE:
        said.append(f"the gate's probabilities miss the responsibilities of held-out rows by {found['gate'].error:.2f}")
    for gain in found["gains"]:
        if gain.kind == "size" and gain.there and gain.mean < -SURE * gain.error:
            said.append(f"{gain.name} do better than the model, whose experts gain {said_of(gain, found['unit'])}")
    idle = int((found["load"] < 0.01).sum())
    if idle:
        said.append(f"{idle} of {len(found['load'])} experts have less than 1 % of the weight: use fewer")
    for name, values in (("other starts", found["seed_ari"]), ("drawn rows", found["bootstrap_ari"])):
        if len(values) and values.mean() < UNSTABLE:
            said.append(f"the regimes are not stable: fits from {name} agree with the model with an ARI of only "
                        f"{values.mean():.2f}")  # fmt: skip
    if len(found["seed_gap"]) and found["seed_gap"].max() > 1e-3:
        said.append(
            f"another start is {found['seed_gap'].max():.2g} nats a row better than the model: raise its n_init"
        )
    for t, distance in enumerate(found["pit"] or []):
        if distance > found["pit_limit"]:
            said.append(f"the predictive distribution of output {t} is off: PIT distance {distance:.3f}")
    limit = max(LARGE_TREND, 3.0 * found["pit_limit"] / KOLMOGOROV)
    for part in found["residuals"] or []:
        if abs(part.trend) > limit:
            said.append(f"residuals of output {part.output} are correlated with the prediction (rank correlation "
                        f"{part.trend:.2f})")  # fmt: skip
        if abs(part.spread) > limit:
            said.append(f"the size of the residuals of output {part.output} is correlated with the prediction (rank "
                        f"correlation {part.spread:.2f}): the noise is not modelled well")  # fmt: skip
    if found["classes"] is not None and found["classes"].error > LARGE_ECE:
        said.append(f"held-out class probabilities are off by {found['classes'].error:.2f}")
    return said
