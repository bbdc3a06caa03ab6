"""The bootstrap test for the number of experts."""

import warnings

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.utils.validation import _check_sample_weight

from ..numerics.checks import check_int
from ..progress import unfollowed
from .draws import draw_targets
from .progress import check_verbose, run_all
from .refits import (
    FINALISTS,
    REFIT_ERRORS,
    check_maximal,
    check_model,
    check_rows,
    copies,
    refit,
    seed_of,
    unit_codes,
)

__all__ = ["LikelihoodRatio", "lr_test_bootstrap"]

# How far the larger model may stay below the smaller, in nats per unit of weight, before its maximum counts as missed.
SHORT = 1e-4


class LikelihoodRatio:
    """Result of `lr_test_bootstrap`.

    Attributes
    ----------
    statistic : float
        Twice the gain in log-likelihood of the larger model.
    simulated : ndarray
        The same for y drawn from the smaller model.
    p_value : float
        Share of statistics at least as large as the observed one, which is itself counted, eq. (bootstrap-p).
    p_error : float
        Monte Carlo standard error of the p-value.
    n_short : int
        Number of data sets, simulated and observed, in which no start of the larger model reached the likelihood of
        the smaller one, although its maximum cannot be lower: their statistics are too small. Penalties can have the
        same effect.
    n_failed : int
        Simulated data sets that could not be fitted; they are left out.
    n_experts : tuple of int
        Of the smaller and the larger model.
    log_likelihood : tuple of float
        Of the two on the data.
    """

    def __init__(self, n_experts, observed, simulated, n_failed):
        self.n_experts, self.n_failed = n_experts, n_failed
        self.log_likelihood = observed
        pairs = np.array([observed, *simulated])
        statistics = 2.0 * (pairs[:, 1] - pairs[:, 0])
        self.statistic, self.simulated = float(statistics[0]), statistics[1:]
        n = len(self.simulated)
        self.p_value = float((1.0 + np.count_nonzero(self.simulated >= self.statistic)) / (n + 1.0))
        self.p_error = float(np.sqrt(self.p_value * (1.0 - self.p_value) / (n + 1.0)))
        self.n_short = int((statistics < -SHORT * np.abs(pairs).max(axis=1).clip(1.0)).sum())

    def __repr__(self):
        small, large = self.n_experts
        lines = [
            f"Likelihood ratio test of {small} against {large} experts, {len(self.simulated)} simulated data sets",
            f"statistic {self.statistic:.4g}, p-value {self.p_value:.3g} (Monte Carlo error {self.p_error:.2g})",
        ]
        if self.n_failed:
            lines.append(f"{self.n_failed} simulated data sets could not be fitted and are left out")
        if self.n_short:
            lines.append(
                f"in {self.n_short} of {len(self.simulated) + 1} data sets the larger model fits worse than the "
                "smaller, so that its maximum was missed: raise n_init, or lower the penalties"
            )
        return "\n".join(lines)


def lr_test_bootstrap(
    small,
    large,
    X,
    y,
    n_bootstrap=99,
    *,
    n_init=5,
    sample_weight=None,
    random_state=None,
    n_jobs=None,
    verbose=0,
    **rows,
):
    """Test a mixture against a larger one by a parametric bootstrap of the likelihood ratio.

    The statistic does not have a chi-squared distribution here, since the larger model is not identified under the
    smaller one. Its distribution is simulated: y is drawn from the smaller model, and both are fitted to it as they
    were to the data, from equally many starts; the larger one also starts from the smaller one with its heaviest expert
    split.

    Parameters
    ----------
    small, large : HMERegressor or HMEClassifier
        Fitted or not; both are fitted here.
    X, y : array-like
    n_bootstrap : int, default=99
    n_init : int or None, default=5
        Starts of every fit, of which the best two are run to convergence; None leaves this to the models.
    sample_weight : array-like of int of shape (n,) or None, default=None
        Whole numbers: a row with weight 2 is two rows, each with a y of its own.
    random_state : int, RandomState or None, default=None
    n_jobs : int or None, default=None
        Data sets that are fitted at the same time (joblib). The result does not depend on it.
    verbose : int, default=0
        1 prints a line every other second that says how many data sets are done and how long the rest may take; 2
        prints one after each.
    **rows
        Row arguments of `fit`: `offset`, `trials`, `groups`.

    Returns
    -------
    LikelihoodRatio

    Raises
    ------
    ValueError, TypeError
        Naming the parameter, its value and what is allowed.

    References
    ----------
    McLachlan, G. J. (1987). On bootstrapping the likelihood ratio test statistic for the number of components in a
    normal mixture. Journal of the Royal Statistical Society C 36(3), 318-324.

    Davison, A. C. and Hinkley, D. V. (1997). Bootstrap Methods and their Application. Cambridge University Press,
    section 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.bootstrap import lr_test_bootstrap
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, (60, 1))
    >>> y = np.abs(X[:, 0]) + 0.1 * rng.standard_normal(60)
    >>> small, large = HMERegressor(depth=0), HMERegressor(depth=1, start="model_tree", tol=1e-3)
    >>> lr_test_bootstrap(small, large, X, y, 9, n_init=1, random_state=0).p_value
    0.1
    """
    for name, model in (("small", small), ("large", large)):
        check_model(model, name)
        check_maximal(model, name)
    if is_classifier(small) != is_classifier(large):
        raise TypeError(f"small is {type(small).__name__} and large is {type(large).__name__}: both must be the same.")
    check_int(n_bootstrap, "n_bootstrap", 1)
    check_verbose(verbose)
    if n_init is not None:
        check_int(n_init, "n_init")
    if rows.get("labels") is not None:
        raise ValueError("lr_test_bootstrap takes no labels, as they cannot be simulated.")
    rows = check_rows(small, rows)
    y = np.asarray(y)
    weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
    X, y, weight, rows = copies(X, y, weight, rows)
    seed = seed_of(random_state)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pair = [
            unfollowed(clone(model)).set_params(warm_start=False).fit(X, y, sample_weight=weight, **rows)
            for model in (small, large)
        ]
    n_experts = tuple(model.n_experts_ for model in pair)
    if not n_experts[0] <= n_experts[1]:
        raise ValueError(f"small has {n_experts[0]} experts and large has {n_experts[1]}: give the smaller one first.")
    observed, null = _fit_pair(pair, X, y, rows, n_init, (seed, n_bootstrap))
    calls = [(null, pair, X, rows, n_init, (seed, b)) for b in range(n_bootstrap)]
    simulated = run_all(_simulated, calls, n_jobs, verbose, "simulated data sets")
    kept = [values for values in simulated if values is not None]
    if not kept:
        raise ValueError("lr_test_bootstrap: none of the simulated data sets could be fitted.")
    return LikelihoodRatio(n_experts, observed, kept, len(simulated) - len(kept))


def _simulated(null, pair, X, rows, n_init, seed):
    """Log-likelihoods of both models for y drawn from the smaller one, or None if a fit fails."""
    try:
        y = draw_targets(null, X, np.random.default_rng(seed), **rows)
        return _fit_pair(pair, X, y, rows, n_init, seed)[0]
    except REFIT_ERRORS:
        return None


def _fit_pair(pair, X, y, rows, n_init, seed):
    """Log-likelihoods of both models fitted to y, and the smaller one."""
    seed = int(np.random.default_rng((*seed, 1)).integers(2**31 - 1))
    settings = {} if n_init is None else {"n_init": n_init, "n_finalists": min(FINALISTS, n_init)}
    small = refit(pair[0], X, y, None, rows, seed, predictive=False, **settings)
    n_experts, nested = pair[1].n_experts_, None
    if n_experts > small.n_experts_:
        nested = _split_start(small, n_experts, X, y, rows)
    large = refit(pair[1], X, y, None, rows, seed, predictive=False, nested=nested, **settings)
    return tuple(float(model.log_likelihood(X, y, **rows).sum()) for model in (small, large)), small


def _split_start(model, n_experts, X, y, rows):
    """Responsibilities for more experts: those of the heaviest leaf are split by how well the model fits its rows."""
    resp = model.responsibilities(X, y, **rows)
    log_likelihood = model.log_likelihood(X, y, **rows)[unit_codes(len(y), rows.get("groups"), None)]
    while resp.shape[1] < n_experts:
        k = int(resp.sum(axis=0).argmax())
        order = np.argsort(log_likelihood, kind="stable")
        mass = np.cumsum(resp[order, k])
        worse = np.zeros(len(resp), dtype=bool)
        worse[order[mass <= 0.5 * mass[-1]]] = True
        new = np.where(worse, resp[:, k], 0.0)
        resp[:, k] -= new
        resp = np.column_stack([resp, new])
    return resp
