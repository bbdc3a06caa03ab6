"""Gates over leaves as numbers for the page: normal densities near centres, or the largest of linear scores.

As in `export.formula`, nothing here asks which family a gate is of: what it reports is tried, and counts only if it
gives the gate's own priors at all rows.
"""

import numpy as np

from ..export.formula import NotExportable, agree, gate_of
from ..numerics.systems import whitener
from .encoding import packed

__all__ = ["gate_of_page"]


def gate_of_page(mixture, rows):
    """Constant priors, or the scores of a tree, as `gate_of`; in place of these a dict of a gate over leaves."""
    try:
        return gate_of(mixture, rows)
    except NotExportable as error:
        gate, params, design = mixture.model_.gate, mixture.params_.gate, mixture.columns_.gate.design
        if gate.traits.sees_table:
            raise
        prior, report = np.exp(gate.log_prior(params, rows)), gate.report(params, design)
        for form in (_near, _largest):
            found = form(gate, params, report, design, rows)
            if found is not None and agree(found[0], prior):
                return None, found[1]
        raise NotExportable("its priors have a form of their own") from error


def _near(gate, params, report, design, rows):
    """Priors (n, K) by normal densities of the columns, and their centres and roots."""
    if not {"proportion", "mean", "covariance"} <= set(getattr(report, "_fields", ())):
        return None
    mean, covariance = (report.mean - design.center) / design.scale, report.covariance
    if covariance.ndim == 2:
        root = np.eye(mean.shape[1]) * (np.sqrt(1.0 / covariance) * design.scale)[:, None]
    else:
        root = whitener(covariance / (design.scale[:, None] * design.scale))
    with np.errstate(divide="ignore"):
        constant = np.log(report.proportion) + np.log(np.diagonal(root, axis1=1, axis2=2)).sum(axis=1)
    distance = np.einsum("kij,nkj->nki", root, rows.Z[:, None, :-1] - mean)
    score = np.maximum(constant, -1e300) - 0.5 * (distance**2).sum(axis=2)
    arrays = {"mean": packed(mean), "root": packed(root), "constant": np.maximum(constant, -1e300).tolist()}
    return _shares(score), {"kind": "near", **arrays}


def _largest(gate, params, report, design, rows):
    """Priors (n, K) by the k largest of linear scores, and these scores."""
    if not gate.traits.routed or not hasattr(report, "bias"):
        return None
    coef, active = gate.coordinates(params, design).coef[0], gate.route(params, rows)[0]
    score = rows.Z @ coef.T
    away = np.full_like(score, -np.inf)
    np.put_along_axis(away, active, np.take_along_axis(score, active, axis=1), axis=1)
    k, bias = int(active.shape[1]), np.asarray(report.bias).tolist()
    return _shares(away), {"kind": "largest", "coef": packed(coef), "bias": bias, "k": k}


def _shares(score):
    power = np.exp(score - score.max(axis=1, keepdims=True))
    return power / power.sum(axis=1, keepdims=True)
