"""Two fits to the same rows compared: the likelihood-ratio test, and criteria that charge for parameters."""

from typing import NamedTuple

import numpy as np
from scipy.special import xlogy
from scipy.stats import chi2
from sklearn.utils.validation import check_is_fitted

from ..tables import Table

__all__ = ["LikelihoodRatioTest", "aicc", "icl", "likelihood_ratio_test"]

# Relative amount by which the restricted fit's log-likelihood may exceed the other, as fits stop before their maximum.
SLACK = 1e-6


class LikelihoodRatioTest(NamedTuple):
    """Result of a likelihood-ratio test between two fits."""

    statistic: float  # chi-squared
    df: int  # difference of the numbers of parameters
    p_value: float
    remarks: tuple  # of str, reasons to doubt the p-value

    def table(self):
        """The test as a `hme.tables.Table`."""
        row = [self.statistic, self.df, self.p_value]
        return Table(["chi-squared", "df", "p"], [row], "Likelihood-ratio test", self.remarks)

    def __str__(self):
        return self.table().text()

    def _repr_html_(self):
        return self.table().html()


def likelihood_ratio_test(restricted, full, X, y, sample_weight=None, *, offset=None, trials=None, groups=None):
    """Likelihood-ratio test of a fit against one with more parameters and as many experts, eq. (likelihood-ratio).

    Parameters
    ----------
    restricted, full : HMERegressor or HMEClassifier
        Fitted to the same rows. It is up to the user that the first is a special case of the second; models that are
        clearly not nested are refused.
    X, y, sample_weight, offset, trials, groups
        The data that they were fitted to.

    Returns
    -------
    LikelihoodRatioTest

    Raises
    ------
    ValueError
        If `restricted` does not have fewer parameters, has the larger likelihood, or differs in the number of experts,
        the tree or the kind of target.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.comparison import likelihood_ratio_test
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, (300, 1))
    >>> y = np.where(X[:, 0] < 0, 2.0 - X[:, 0], 3.0 * X[:, 0]) + 0.1 * rng.standard_normal(300)
    >>> full = HMERegressor(depth=1).fit(X, y)
    >>> flat = HMERegressor(depth=1, gate="constant").fit(X, y)
    >>> test = likelihood_ratio_test(flat, full, X, y)
    >>> test.df, bool(test.p_value < 1e-6)
    (1, True)
    """
    for name, model in (("restricted", restricted), ("full", full)):
        check_mixture(model, name)
    K = restricted.n_experts_, full.n_experts_
    if K[0] != K[1]:
        raise ValueError(
            f"the models have {K[0]} and {K[1]} experts: the ratio has no chi-squared distribution, as "
            "superfluous experts can be anything. Use hme.bootstrap.lr_test_bootstrap."
        )
    families = [model.model_.expert for model in (restricted, full)]
    if len({(family.traits.tasks, family.traits.measure) for family in families}) > 1:
        raise ValueError("the models' experts have densities of different kinds of targets: they are not nested.")
    if _has_tree(restricted) and _has_tree(full) and restricted.tree_ != full.tree_:
        raise ValueError(f"the models have the trees {restricted.tree_!r} and {full.tree_!r}: they are not nested.")
    df = full.n_parameters_ - restricted.n_parameters_
    if df < 1:
        raise ValueError(
            f"restricted has {restricted.n_parameters_} parameters, full {full.n_parameters_}; it must have fewer."
        )
    reached = []
    for model in (restricted, full):
        rows, _ = model.observed_rows(X, y, sample_weight, offset=offset, trials=trials, groups=groups)
        reached.append(float(rows.heads().weight @ model.model_.evidence(model.params_, rows)))
    if reached[0] > reached[1] + SLACK * (1.0 + abs(reached[1])):
        raise ValueError(
            f"restricted has the log-likelihood {reached[0]:.6g}, full {reached[1]:.6g}: either they are not nested, "
            "or full is not at its maximum (n_init > 1, a smaller tol, weaker penalties)."
        )
    statistic = 2.0 * max(reached[1] - reached[0], 0.0)
    return LikelihoodRatioTest(statistic, df, float(chi2.sf(statistic, df)), tuple(_doubts(restricted, full)))


def _has_tree(model):
    """Whether the shape of the model's tree matters."""
    return model.model_.gate.tree is not None and model.n_experts_ > 2


def _doubts(restricted, full):
    for word, model in (("restricted", restricted), ("full", full)):
        if model.model_.log_prior_density(model.params_) != 0:
            yield f"{word} is penalised: its likelihood is not the largest, and the test is approximate"
        if model.objective_.endswith("classification"):
            yield f"{word} maximises the classification likelihood, not the one that is compared"
        if not model.converged_:
            yield f"{word} did not converge"
        if model.boundary_:
            yield f"{word} is at a boundary, where the test does not hold: {'; '.join(model.boundary_)}"


def aicc(log_likelihood, n_parameters, n):
    """Akaike's criterion corrected for small samples, eq. (aicc); less is better.

    Parameters
    ----------
    log_likelihood : float
    n_parameters : int
    n : float
        Number of rows, the sum of their weights, or the number of groups.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If there are no more than ``n_parameters + 1`` rows.

    References
    ----------
    Hurvich, C. M. and Tsai, C.-L. (1989). Regression and time series model selection in small samples. Biometrika
    76(2), 297-307.

    Examples
    --------
    >>> from hme.comparison import aicc
    >>> aicc(-100.0, 3, 34)
    206.8
    """
    if not n > n_parameters + 1:
        raise ValueError(
            f"the corrected criterion needs more than n_parameters + 1 = {n_parameters + 1} rows, there are {n:g}; use "
            "bic, or fewer parameters."
        )
    return float(-2.0 * log_likelihood + 2.0 * n_parameters * n / (n - n_parameters - 1.0))


def icl(bic, resp, weight=None, hard=False):
    """Integrated completed likelihood: BIC and twice the entropy of the responsibilities, eq. (icl); less is better.

    Parameters
    ----------
    bic : float
        The Bayesian information criterion, with the sign of which less is better.
    resp : array-like of shape (n, K)
        Responsibilities, one row for each group where there are groups.
    weight : array-like of shape (n,) or None
    hard : bool, default=False
        Whether each row is given to its most probable expert, eq. (hard-icl).

    Returns
    -------
    float

    References
    ----------
    Biernacki, C., Celeux, G. and Govaert, G. (2000). Assessing a mixture model for clustering with the integrated
    completed likelihood. IEEE Transactions on Pattern Analysis and Machine Intelligence 22(7), 719-725. They give each
    row to its most probable expert; the entropy is its expectation, as in McLachlan, G. J. and Peel, D. (2000). Finite
    Mixture Models, section 6.10. Wiley.

    Examples
    --------
    >>> from hme.comparison import icl
    >>> icl(100.0, [[1.0, 0.0], [0.5, 0.5]]).__round__(3)
    101.386
    """
    resp = np.asarray(resp, dtype=float)
    entropy = -np.log(resp.max(axis=1)) if hard else -xlogy(resp, resp).sum(axis=1)
    return float(bic + 2.0 * (entropy.sum() if weight is None else np.asarray(weight, dtype=float) @ entropy))


# -- checks -----------------------------------------------------------------------------------------------


def check_mixture(model, name="model"):
    """Refuse what is no fitted mixture of experts."""
    if not hasattr(model, "responsibilities"):
        raise TypeError(
            f"{name} must be a fitted HMERegressor or HMEClassifier, got {type(model).__name__}; of a pipeline give "
            "the last step and the columns that it sees, of a search its best_estimator_."
        )
    check_is_fitted(model)
