"""Regularisation paths: one fit for each strength of a lasso or elastic net, each continuing the one before."""

import copy
import warnings

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from ..numerics.checks import check_choice, check_int, check_real
from ..numerics.engine import one_thread
from ..progress import unfollowed
from ..registry import make_expert, make_gate

__all__ = ["AlphaPath", "alpha_path"]

HUGE = 1e8  # times the weight: a strength that leaves no slope
NULL_STEPS, NULL_TOL = 100, 1e-8  # of the fit without slopes, and its gradient per unit of weight


class AlphaPath:
    """Fits along a sequence of strengths, from the strongest to the weakest.

    Attributes
    ----------
    side : str
        "expert" or "gate", whose `alpha` it is.
    alphas : ndarray of shape (L,)
        The strengths, falling.
    objective : ndarray of shape (L,)
        Mean penalised log-likelihood that each fit reached, eq. (objective).
    log_likelihood, bic, aic : ndarray of shape (L,)
        Of the rows that the path was fitted to.
    n_parameters : ndarray of int of shape (L,)
        Slopes that are not zero, and all that is not penalised.
    converged : ndarray of bool of shape (L,)
    n_iter : ndarray of int of shape (L,)
    models : list of estimators
        The fitted estimators.
    """

    def __init__(self, side, alphas, models, criteria):
        self.side, self.alphas, self.models = side, np.asarray(alphas, dtype=float), list(models)
        self.log_likelihood, self.bic, self.aic = np.array(criteria, dtype=float).reshape(-1, 3).T
        self.objective = np.array([model.lower_bounds_[-1] for model in models])
        self.n_parameters = np.array([model.n_parameters_ for model in models])
        self.converged = np.array([model.converged_ for model in models])
        self.n_iter = np.array([model.n_iter_ for model in models])

    def __repr__(self):
        ends = f"alphas from {self.alphas[0]:.4g} to {self.alphas[-1]:.4g}" if len(self.alphas) else "no alphas"
        return f"AlphaPath({self.side}, {len(self.alphas)} fits, {ends})"

    def coef(self):
        """Slopes in the units of X, (L, experts or nodes, ..., p); `...` are outputs, classes or branches."""
        return np.stack([self._report(model).coef for model in self.models])

    def intercept(self):
        """Intercepts, (L, experts or nodes, ...)."""
        return np.stack([self._report(model).intercept for model in self.models])

    def _report(self, model):
        return model.experts_ if self.side == "expert" else model.gate_

    def feature_names(self):
        """Names of the design columns of this side."""
        names = getattr(self.models[0].columns_, self.side).design.names
        n_columns = self.coef().shape[-1]
        return [f"x{j}" for j in range(n_columns)] if names is None else [str(name) for name in names]

    def to_frame(self):
        """A pandas DataFrame with a row for each alpha and slope.

        Columns are "alpha"; "expert", or "node"; "output" where an expert has several (outputs or classes), "branch"
        of a node (a node of two branches has one slope, of the log-odds of its second branch); "column"; "coef".
        """
        import pandas as pd

        coef, part = self._slopes()
        slots = {"expert": "output", "gate": "branch"}[self.side]
        index = np.indices(coef.shape)
        return pd.DataFrame(
            {"alpha": self.alphas[index[0].ravel()], part: index[1].ravel()}
            | ({slots: index[2].ravel()} if coef.ndim == 4 else {})
            | {"column": np.array(self.feature_names())[index[-1].ravel()], "coef": coef.ravel()}
        )

    def _slopes(self):
        coef = self.coef()
        if self.side == "expert":
            return coef, "expert"
        if coef.ndim == 3:
            return coef, "leaf"
        return (coef[:, :, 1] - coef[:, :, 0] if coef.shape[2] == 2 else coef), "node"

    def select(self, criterion="bic"):
        """The fitted estimator of least `criterion`, "bic" or "aic"; of equal ones the strongest penalty."""
        check_choice(criterion, "criterion", ("bic", "aic"))
        return copy.copy(self.models[int(np.argmin(getattr(self, criterion)))])

    def plot(self, axes=None, *, criterion="bic", line_kwargs=None):
        """Draw the slopes against alpha, one picture for each expert or node, and where the criterion is least.

        Parameters
        ----------
        axes : sequence of matplotlib Axes or None, default=None
            One for each expert or node; None makes a figure.
        criterion : {"bic", "aic", None}, default="bic"
        line_kwargs : dict or None, default=None
            For ``Axes.plot``.

        Returns
        -------
        ndarray of matplotlib Axes
        """
        check_choice(criterion, "criterion", ("bic", "aic", None))
        coef, part = self._slopes()
        coef = coef if coef.ndim == 4 else coef[:, :, None]
        if axes is None:
            import matplotlib.pyplot as plt

            n = coef.shape[1]
            axes = plt.subplots(1, n, figsize=(1 + 3 * n, 3), sharey=True, squeeze=False, layout="constrained")[1][0]
        for k, ax in enumerate(axes):
            for t in range(coef.shape[2]):
                for j, name in enumerate(self.feature_names()):
                    label = name if coef.shape[2] == 1 else f"{name} [{t}]"
                    ax.plot(self.alphas, coef[:, k, t, j], **{"label": label, **(line_kwargs or {})})
            ax.set(xscale="log", xlabel="alpha", title=f"{part} {k}")
            if criterion is not None:
                ax.axvline(self.alphas[int(np.argmin(getattr(self, criterion)))], color="0.5", linestyle=":", zorder=0)
        axes[0].set_ylabel("slope")
        return axes


def alpha_path(model, X, y, *, side="expert", alphas=None, n_alphas=50, eps=1e-3, passes=1, sample_weight=None, **rows):
    """Fit a model for a sequence of strengths of its lasso, from the weakest to the strongest.

    The first fit is that of `model` as it is, with its starts and its own `alpha`. The others continue one another
    (``warm_start``): from there to the weakest strength, then one after the other to the strongest. From strong to weak
    the regions of a mixture would have to be found anew where all slopes are zero and the experts nearly the same, next
    to a stationary point of EM; from weak to strong slopes become zero one by one. Fits on the way back are worse on
    the whole but now and then better: with ``passes=2`` there is a way back, and the better fit of each strength is
    kept.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
        Its expert or gate has the hyper-parameters `alpha` and ``l1_ratio > 0``.
    X, y : array-like
        As in its `fit`.
    side : {"expert", "gate"}, default="expert"
        Whose `alpha` goes along the path; that of the other side stays.
    alphas : array-like or None, default=None
        The strengths, totals as everywhere. None is a geometric sequence down from the least one that leaves no slope
        at the responsibilities of the first fit.
    n_alphas : int, default=50
        Length of that sequence.
    eps : float, default=1e-3
        Its last number as a share of its first.
    passes : {1, 2}, default=1
        2 also goes back from the strongest strength to the weakest, which takes about twice the time.
    sample_weight : array-like or None, default=None
    **rows
        Row arguments of `fit`: `offset`, `trials`, `groups`, `labels`.

    Returns
    -------
    AlphaPath

    Raises
    ------
    ValueError
        If the family has no such penalty, or there is nothing that it draws to zero.

    References
    ----------
    Friedman, J., Hastie, T. and Tibshirani, R. (2010). Regularization paths for generalized linear models via
    coordinate descent. Journal of Statistical Software 33(1), section 2.5.

    Khalili, A. and Chen, J. (2007). Variable selection in finite mixture of regression models. Journal of the American
    Statistical Association 102(479), 1025-1038.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.experts import LinearExpert
    >>> from hme.path import alpha_path
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(100, 4))
    >>> y = np.where(X[:, 0] > 0, 2 * X[:, 1], -2 * X[:, 2]) + rng.normal(size=100)
    >>> model = HMERegressor(n_experts=2, expert=LinearExpert(l1_ratio=1.0), start="model_tree")
    >>> path = alpha_path(model, X, y, n_alphas=4)
    >>> (path.coef()[[0, -1]] != 0).sum(axis=2)
    array([[0, 0],
           [4, 4]])
    >>> best = path.select("bic")
    >>> bool(best.n_parameters_ < path.n_parameters[-1])
    True
    """
    check_choice(side, "side", ("expert", "gate"))
    check_int(n_alphas, "n_alphas", 2)
    check_int(passes, "passes", 1, 2)
    if not check_real(eps, "eps", positive=True) < 1:
        raise ValueError(f"eps must be a number between 0 and 1, got {eps!r}.")
    _check_family(model, side, alphas is None)
    if alphas is not None:
        alphas = np.unique([check_real(alpha, "alphas") for alpha in np.ravel(alphas)])[::-1]
        if not len(alphas):
            raise ValueError("alphas must hold at least one number.")
    running = unfollowed(clone(model)).set_params(warm_start=True)
    answered = {name: value for name, value in rows.items() if name != "labels"}  # `labels` are for `fit` only
    with warnings.catch_warnings(), one_thread():  # the products of blocks are small
        warnings.simplefilter("ignore", ConvergenceWarning)  # one warning at the end stands for all
        running.fit(X, y, sample_weight=sample_weight, **rows)
        if model.on_empty == "drop":  # all fits of the path have the same experts
            running.set_params(on_empty="warn")
        if alphas is None:
            largest = _largest_alpha(running, side, X, y, sample_weight, answered)
            alphas = np.geomspace(largest, eps * largest, n_alphas)
        order = [*alphas[::-1], *(alphas if passes == 2 else [])]
        own = {"warm_start": model.warm_start, "on_empty": model.on_empty}
        models = _fits_along(order, running, side, own, X, y, sample_weight=sample_weight, **rows)
    models = [models[alpha] for alpha in alphas]
    criteria = [_criteria(fitted, X, y, sample_weight, answered) for fitted in models]
    path = AlphaPath(side, alphas, models, criteria)
    if not path.converged.all():
        count = int((~path.converged).sum())
        warnings.warn(
            f"{count} of {len(alphas)} fits of the path stopped before they converged. Raise max_iter or tol.",
            ConvergenceWarning,
            stacklevel=2,
        )
    return path


def _fits_along(alphas, running, side, own, X, y, **arguments):
    """The best fit of each strength, a dict, of a model that goes from one to the next."""
    models = {}
    for alpha in alphas:
        running.set_params(**{f"{side}__alpha": float(alpha)}).fit(X, y, **arguments)
        if alpha not in models or running.lower_bounds_[-1] > models[alpha].lower_bounds_[-1]:
            models[alpha] = copy.copy(running)
            models[alpha].set_params(**own, **{side: clone(getattr(running, side))})
    return models


def _check_family(model, side, needs_lasso):
    """Refuse, by name, a family that has no lasso."""
    family = make_gate(model.gate) if side == "gate" else make_expert(model.expert, model.task)
    name = type(family).__name__
    if side == "expert" and family.names:
        raise ValueError("alpha_path does not go with a list of experts: each has an alpha of its own.")
    settings = family.get_params(deep=False)
    missing = {"alpha", "l1_ratio"} - set(settings)
    if missing:
        raise ValueError(f"side={side!r} is {name}, which has no {' and no '.join(sorted(missing))}.")
    if np.ndim(settings["alpha"]):
        raise ValueError(f"alpha_path needs one {side}__alpha for all columns, got {settings['alpha']!r}.")
    if needs_lasso and not settings["l1_ratio"] > 0:
        raise ValueError(f"{name} has l1_ratio={settings['l1_ratio']!r}: give alphas, or an l1_ratio > 0.")
    if settings.get("shrink_to") == "global":
        raise ValueError(f"{name} has shrink_to='global': a path ends where slopes are zero. Use shrink_to='zero'.")


def _criteria(model, X, y, sample_weight, rows):
    """Log-likelihood, BIC and AIC."""
    seen, _ = model.observed_rows(X, y, sample_weight, **rows)
    weight = seen.heads().weight
    log_likelihood = float(weight @ model.model_.evidence(model.params_, seen))
    return log_likelihood, *(model.n_parameters_ * np.array([np.log(weight.sum()), 2.0]) - 2.0 * log_likelihood)


def _largest_alpha(model, side, X, y, sample_weight, arguments):
    """The least alpha that leaves no slope at the responsibilities of a fitted model, eq. (largest-alpha)."""
    rows, _ = model.observed_rows(X, y, sample_weight, **arguments)
    heads = rows.heads()
    resp = model.model_.posterior(model.params_, rows)[1] * heads.weight[:, None]
    design = getattr(model.columns_, side).design
    huge = HUGE * rows.weight.sum()
    if side == "expert":
        family = make_expert(model.expert, model.task).set_params(alpha=huge).pruned(model._earlier.kept)
        family = family.bind(rows, design)
        resp = rows.spread(resp)
    else:
        rows, gate = heads, clone(make_gate(model.gate)).set_params(alpha=huge)
        family = gate.pruned(model.tree_).bind(rows, design).dense(resp.shape[1])
    params = family.init(rows, resp)
    for _ in range(NULL_STEPS):
        stats = None
        for index, block in rows.blocks():
            stats = family.add(stats, family.statistics(params, block, resp[index]))
        if np.abs(family.gradient(params, stats)).max(initial=0.0) <= NULL_TOL * rows.weight.sum():
            break
        params = family.update(params, stats, rows)
    largest = huge * float(family.pulls(params, stats).max(initial=0.0))
    if not largest > 0:
        raise ValueError(f"nothing pulls on the slopes of the {side}: there is no path. Give alphas.")
    return largest
