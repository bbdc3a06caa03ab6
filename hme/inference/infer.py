"""Standard errors of a fitted model, from the model and the data of the fit."""

import numpy as np

from ..numerics.checks import check_choice
from . import information
from .comparison import check_mixture
from .result import Inference, check_level

__all__ = ["Inference", "infer"]

COV_TYPES = ("observed", "robust", "cluster")


def infer(
    model,
    X,
    y,
    sample_weight=None,
    *,
    cov_type="observed",
    clusters=None,
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
    cov_type : {"observed", "robust", "cluster"}, default="observed"
        "observed" inverts the observed information of the penalised likelihood, eq. (observed-covariance). "robust" is
        the sandwich estimator, which is valid where the density is misspecified, eq. (sandwich); with groups its units
        are the groups. "cluster" first adds the scores of the rows of each cluster, eq. (cluster-sandwich).
    clusters : array-like of shape (n,) or None
        The cluster of each row, for "cluster"; None stands for `groups`.
    level : float, default=0.95
        Coverage of the intervals.

    Returns
    -------
    Inference

    Raises
    ------
    ValueError
        For "cluster" without clusters, for clusters without "cluster", and for models without any parameter that has a
        standard error.

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
    check_choice(cov_type, "cov_type", COV_TYPES)
    if cov_type != "cluster" and clusters is not None:
        raise ValueError(f"clusters are given, but cov_type = {cov_type!r}; they are for cov_type='cluster'.")
    if cov_type == "cluster" and clusters is None and groups is None:
        raise ValueError("cov_type='cluster' needs clusters, an array with the cluster of each row.")
    level = check_level(level)
    arguments = {"offset": offset, "trials": trials, "groups": groups}
    rows, order = model.observed_rows(X, y, sample_weight, labels=labels, **arguments)
    codes = None
    if cov_type == "cluster":
        codes = rows.group if clusters is None else _in_order(clusters, order, np.shape(y)[0])
    mixture, params = model.model_, model.params_
    log_likelihood = float(rows.heads().weight @ mixture.evidence(params, rows))
    weight = float(rows.heads().weight.sum())
    rows = rows._replace(weight=rows.weight * model.class_factors(np.asarray(y))[order])
    layout = information.Layout.of(mixture, params, model.columns_, mixture.e_step(params, rows)[1])
    if not layout.labels:
        why = "; ".join(layout.remarks) or "it has no parameters"
        raise ValueError(f"nothing of this model has a standard error ({why}); use a bootstrap.")
    seen = information.observe(mixture, params, rows, layout, codes)
    size = log_likelihood, weight, rows.group is not None
    return Inference(model, layout, seen, cov_type, level, size)


def _in_order(clusters, order, n_rows):
    """Clusters of the rows as the model orders them."""
    clusters = np.asarray(clusters)
    if clusters.shape != (n_rows,):
        raise ValueError(f"clusters has shape {clusters.shape}; it must hold one value for each row of X, ({n_rows},).")
    if any(cluster is None or cluster != cluster for cluster in clusters.tolist()):
        raise ValueError("clusters holds None or nan: every row must belong to a cluster, which may be its own.")
    return clusters[order]
