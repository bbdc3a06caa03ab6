"""Standard errors of a fitted model, from the model and the data of the fit."""

import numpy as np

from ..numerics.checks import check_choice
from . import information
from .comparison import check_mixture
from .covariance import Kind, Size
from .divergence import lost_directions
from .result import Inference, check_level

__all__ = ["Inference", "infer"]

COV_TYPES = ("observed", "robust", "cluster")


def infer(
    model,
    X,
    y,
    sample_weight=None,
    *,
    cov_type=None,
    clusters=None,
    weights="frequency",
    correction=None,
    level=0.95,
    offset=None,
    trials=None,
    groups=None,
    labels=None,
):
    """Standard errors of a fitted mixture, from the information in the data that it was fitted to.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
        A fitted one.
    X, y, sample_weight, offset, trials, groups, labels
        The data that it was fitted to. For other data it is not at a maximum, and `remarks` say how far it is from
        one.
    cov_type : {"observed", "robust", "cluster"} or None, default=None
        "observed" inverts the observed information of the penalised likelihood, eq. (observed-covariance). "robust" is
        the sandwich estimator, which is valid where the density is misspecified, eq. (sandwich); with groups its units
        are the groups. "cluster" first adds the scores of the rows of each cluster, eq. (cluster-sandwich). None is
        "robust" for probability weights and "observed" otherwise.
    clusters : array-like of shape (n,) or None
        The cluster of each row, for "cluster"; None stands for `groups`.
    weights : {"frequency", "probability", "precision"}, default="frequency"
        What `sample_weight` means for the errors; the estimates are the same. "frequency": a row of weight 2 is two
        rows, as `fit` takes it (statsmodels' `freq_weights`, Stata's fweights). "probability": one row that was drawn
        with a probability proportional to the inverse of its weight; errors are sandwiches that do not depend on the
        scale of the weights, eq. (weighted-meat) (statsmodels' `var_weights` with HC0, Stata's pweights). "precision":
        one row whose variance is proportional to the inverse of its weight, eq. (precision-covariance) (statsmodels'
        `var_weights`, Stata's aweights).
    correction : {"none", "units", "parameters"} or None, default=None
        Small-sample factor on the covariance, eq. (small-sample), for n units and d coefficients of columns and
        intercepts. For "observed" and "robust": "none" is 1 (HC0), "units" n / (n - 1), "parameters" n / (n - d)
        (HC1). For "cluster" with C clusters: "none" is 1, "units" C / (C - 1), as Stata has it for maximum likelihood,
        "parameters" C / (C - 1) (n - 1) / (n - d), as statsmodels has it. None is "units" for "cluster" and "none"
        otherwise.
    level : float, default=0.95
        Coverage of the intervals.

    Returns
    -------
    Inference

    Raises
    ------
    ValueError
        For "cluster" without clusters, for clusters without "cluster", for "observed" with probability weights, and for
        models without any parameter that has a standard error.

    References
    ----------
    Louis, T. A. (1982). Finding the observed information matrix when using the EM algorithm. Journal of the Royal
    Statistical Society, Series B 44(2), 226-233. White, H. (1982). Maximum likelihood estimation of misspecified
    models. Econometrica 50(1), 1-25.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.inference import infer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, (300, 1))
    >>> y = np.where(X[:, 0] < 0, 2.0 - X[:, 0], 3.0 * X[:, 0]) + 0.1 * rng.standard_normal(300)
    >>> result = infer(HMERegressor(depth=1).fit(X, y), X, y)
    >>> result.names[1], bool(abs(result.estimate[1] + 1) < 3 * result.standard_error[1])
    ('expert 0: x0', True)
    """
    check_mixture(model)
    kind = _covariance_kind(cov_type, clusters, groups, weights, correction)
    level = check_level(level)
    arguments = {"offset": offset, "trials": trials, "groups": groups}
    rows, order = model.observed_rows(X, y, sample_weight, labels=labels, **arguments)
    codes = None
    if kind.cov_type == "cluster":
        codes = rows.group if clusters is None else _in_order(clusters, order, np.shape(y)[0])
    mixture, params, repeats = model.model_, model.params_, rows.weight
    log_likelihood = float(rows.heads().weight @ mixture.evidence(params, rows))
    size = Size(log_likelihood, float(rows.heads().weight.sum()), float(rows.weight.sum()), rows.group is not None)
    weight = np.zeros(np.shape(y)[0])
    weight[order] = rows.weight
    rows = rows._replace(weight=rows.weight * model.class_factors(np.asarray(y), weight)[order])
    stats = mixture.e_step(params, rows)[1]
    layout = information.Layout.of(mixture, params, model.columns_, stats, hold=False)
    if not layout.labels:
        why = "; ".join(layout.remarks) or "it has no parameters"
        raise ValueError(f"nothing of this model has a standard error ({why}); use a bootstrap.")
    repeats = repeats if weights == "frequency" else np.ones(rows.n_rows)
    seen = information.observe(mixture, params, rows, layout, codes, repeats)
    lost, vague = lost_directions(layout, -(seen.hessian + seen.penalty), seen.gradient, rows)
    if vague:  # nothing is known but whose coefficients diverge: hold all of these
        layout, lost = information.Layout.of(mixture, params, model.columns_, stats), None
        seen = information.observe(mixture, params, rows, layout, codes, repeats)
    return Inference(model, layout, seen, kind, level, size, lost)


def _covariance_kind(cov_type, clusters, groups, weights, correction):
    """What is asked of the covariance, checked."""
    check_choice(weights, "weights", ("frequency", "probability", "precision"))
    check_choice(cov_type, "cov_type", (None, *COV_TYPES))
    check_choice(correction, "correction", (None, "none", "units", "parameters"))
    if cov_type is None:
        cov_type = "robust" if weights == "probability" else "observed"
    if weights == "probability" and cov_type == "observed":
        raise ValueError(
            "cov_type='observed' does not go with weights='probability': the inverse information would take the "
            "weights for numbers of rows. Use cov_type='robust' or 'cluster'."
        )
    if cov_type != "cluster" and clusters is not None:
        raise ValueError(f"clusters are given, but cov_type = {cov_type!r}; they are for cov_type='cluster'.")
    if cov_type == "cluster" and clusters is None and groups is None:
        raise ValueError("cov_type='cluster' needs clusters, an array with the cluster of each row.")
    return Kind(cov_type, weights, correction or ("units" if cov_type == "cluster" else "none"))


def _in_order(clusters, order, n_rows):
    """Clusters of the rows as the model orders them."""
    clusters = np.asarray(clusters)
    if clusters.shape != (n_rows,):
        raise ValueError(f"clusters has shape {clusters.shape}; it must hold one value for each row of X, ({n_rows},).")
    if any(cluster is None or cluster != cluster for cluster in clusters.tolist()):
        raise ValueError("clusters holds None or nan: every row must belong to a cluster, which may be its own.")
    return clusters[order]
