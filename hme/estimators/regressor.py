"""HMERegressor: any family of experts for numbers, counts and several outputs."""

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from ..fitting import cross_fit
from ..numerics.checks import check_choice
from ..numerics.engine import threads
from ..progress import followed
from .base import BaseHME
from .inputs import read, unchanged_on_error
from .predictive import DENSITIES, Predictive

__all__ = ["HMERegressor"]


class HMERegressor(Predictive, RegressorMixin, BaseHME):
    """Hierarchical mixture of experts for regression, fitted by EM.

    Parameters
    ----------
    depth : int or "auto", default="auto"
        Number of levels of gates of a complete tree; 0 is a single expert. With "auto" the tree is grown: leaves are
        split as long as the likelihood of held-out rows improves. With estimators as experts, routed gates, labels,
        lists of experts or more than two branches no tree is grown: "auto" is then the deepest complete tree with 10
        (p + 1) units of weight for each leaf, at most 5. Below 30 distinct rows or groups a grown tree is one expert.
    branching : int or sequence of int, default=2
        Number of branches of the gating nodes, or one number for each level, from the root down.
    n_experts : int or None, default=None
        Number of experts of a flat mixture, with a single gating node.
    tree : Tree, str, tuple or None, default=None
        A tree of any shape: a `Tree`, its text form such as ``"((. .) .)"``, or nested tuples.
    max_experts : int or None, default=None
        Largest number of experts of a grown tree; None is 96, or fewer so that there are two rows per coefficient.
    min_weight_fraction_leaf : float, default=0.0
        Smallest fraction of the total weight in either part of a split of a growing tree; with a fixed tree a warning
        says that it has no effect.
    candidates : "auto", None or list of dict, default="auto"
        Alternatives that a growing tree chooses from besides its size: changes of `expert`, `gate`, `expert_features`
        and `gate_features`, the simplest first, such as ``[{}, {"expert": "student"}]``. A tree is grown for each; all
        sizes of all trees are compared on held-out rows, and predict together. "auto", where `expert` is None: if there
        are 10 to 150 columns, and they are dense, also ``alpha="ard"`` for experts and default gates. In regression
        also splines for experts, and of fewer than 10 columns for default gates, where columns are not chosen and there
        are 10 distinct rows for each spline column; of both gates, the one behind at 8 experts grows no further. In
        classification also ``LogisticExpert(alpha, shrink_to="zero")`` with alpha 1 and 10. Otherwise, and with None,
        only the size is chosen.
    average : bool, default=True
        Whether a grown tree predicts with the weighted average of the sizes on its path, with the weights that maximise
        the likelihood of held-out rows, eq. (size-average). Otherwise the tree alone predicts.
    expert : str, expert object, estimator, list of pairs or None, default=None
        The family of experts: "linear", "constant", "gaussian", "student", "laplace", "poisson", "negative_binomial",
        "binomial", "gamma", "inverse_gaussian", "tree", "background", "point_mass";
        an object from `hme.experts`; or a scikit-learn estimator. None is "linear". A list of (name, expert) pairs
        gives each leaf a family of its own, from left to right.
    gate : {"softmax", "constant", "gaussian", "top_k", "tree"}, gate object, classifier or None, default=None
        The gate, or the family of its nodes; None is "softmax".
    expert_features, gate_features : None, columns, transformer or its name, default=None
        The columns that experts and gate use: all of X (None); a selection by names, numbers, a mask, a slice or a
        callable, as in scikit-learn's `ColumnTransformer`; or a transformer that is fitted with the model. "splines"
        and "squares" are short for `hme.features.Splines` and `Squares`, which make smooth curves of each column. If
        both are given, X may have columns that are not numeric.
    standardize : bool, default=True
        Whether `alpha` of experts and gate acts on standardised columns or on the columns as given. Computations use
        standardised columns in either case, and coefficients are reported in the units of X.
    hold_range : bool, default=True
        Whether columns of new rows are clipped near their training range, eq. (held): beyond a margin of a quarter of
        the range, gate and experts do not extrapolate. A single expert, which is an ordinary regression, is never
        clipped. `outside_range` finds rows outside the range.
    algorithm : {"em", "hard", "stochastic"} or tuple of them, default="em"
        "em" weights rows by responsibilities. "hard" assigns each row to its most probable expert, as in
        clusterwise regression, and maximises the classification likelihood. "stochastic" draws one expert for each row
        in every sweep, and keeps the best parameters found. In a tuple, each algorithm continues where the one
        before ended: ``("stochastic", "em")`` explores, then converges. `history_`, `n_iter_` and `lower_bounds_` are
        those of the last one.
    accelerate : bool, default=True
        Whether EM is accelerated by extrapolation, eq. (squarem), which needs fewer sweeps. An extrapolation is kept
        only if the objective does not fall. False is the textbook algorithm.
    start : str or array-like, default="auto"
        "model_tree", "perturbed_model_tree", "directions", "hyperplanes", "residuals", "labels", "kmeans" or "groups";
        or the leaf of each row (n,), or responsibilities (n, K). With "auto" the first start is "groups", which
        clusters fits to single groups, if `fit` is given groups, else "model_tree". If sweeps are cheap (rows times
        leaves at most 16,384, and at most 6 leaves) it is one of twelve candidates, which are compared by short runs.
    n_init : int, default=1
        Number of starts that are run to convergence; the best fit is kept. The first is `start`; with "auto" and
        without groups the next is "kmeans"; the others are in turn "labels", "directions", "hyperplanes", "residuals"
        and "perturbed_model_tree". If ``start="auto"`` compares candidates, there are four times as many with ``n_init
        > 1``.
    n_finalists : int, "auto" or None, default="auto"
        Whether unpromising starts are abandoned: those not expected to overtake the best one, eq. (expected), and all
        but one of those that approach the same maximum. A number also limits how many are run to convergence. "auto"
        abandons starts, without such a limit, if there are 12 or more; None runs all of them to convergence.
    prefer : {"auto", "interior", "likelihood"}, default="auto"
        Which of several starts is kept: the one with the highest objective ("likelihood"), or with the highest
        objective when degenerate experts do not count ("interior"), eq. (worth). Degenerate experts are those of a
        single group, those with hardly more weight than parameters, and those whose variance is at its floor while that
        of others is not. "auto" is "interior", or "likelihood" with ``on_empty="drop"``.
    max_iter : int, default=500
        Largest number of sweeps (EM iterations) of a start.
    tol : float or "auto", default="auto"
        A fit has converged when the remaining gain of the objective, estimated by eq. (aitken), is at most `tol` nats
        per unit of weight, and the scaled gradient is below its square root. "auto" is 1e-5, or 1e-3 if experts and
        gate have more than 100 coefficients.
    early_stopping : bool, default=False
        Whether to hold out rows and stop EM when their mean log-density has not risen by more than `tol` in
        the last `n_iter_no_change` sweeps. The parameters, and the start, with the best score are kept.
    validation_fraction : float or int, default=0.1
        Fraction, or number, of the distinct rows (or groups) that are held out, chosen by their content.
    n_iter_no_change : int, default=10
        Number of sweeps without improvement of the held-out rows' score after which EM stops.
    on_empty : {"warn", "reseed", "drop", "raise"}, default="warn"
        What to do about an expert that ends with less than a thousandth of an equal share of the weight: "warn",
        "reseed" it with rows that another expert fits badly, or "raise" an error. "drop" refits without such experts
        and without `tiny_` ones until there are none, like minprior in flexmix; their leaves are removed from the tree,
        see `n_experts_`, `tree_` and `dropped_`.
    warm_start : bool, default=False
        Whether to start from the parameters, and the standardisation, of the last fit. `start`, `n_init` and
        `n_finalists` then apply to the first fit only; later fits with ``n_init > 1`` warn. A tree that has
        grown goes on as it is, and alone: `average_` is then None.
    callback : callable or None, default=None
        ``callback(sweep, objective, params)`` is called after every accepted sweep with a copy of the parameters; if it
        returns a true value, the current start ends. Starts in parallel call it in worker processes.
    random_state : int, RandomState or None, default=None
        For random starts and stochastic EM. With None these differ from fit to fit, except for the candidates of the
        default, ``start="auto"`` with ``n_init=1``.
    n_jobs : int or None, default=None
        Processors: for starts in parallel (joblib), then for threads, as in ``predict``. Results do not depend on it.
    verbose : int, default=0
        1 prints every tenth sweep of each start and how it has ended, 2 every sweep.

    Attributes
    ----------
    experts_, gate_ : NamedTuple of arrays
        Coefficients in the units of X (and y), first axis the expert or gating node. `experts_` of a list of
        experts is a dict by their names. ``to_frame()`` shows either as a data frame, with the names of experts,
        classes and columns; a score in `gate_` is of the branch in its row, as in `export_text` and `summary`.
    tree_ : Tree
    n_experts_ : int
    growth_ : list of GrowthStep
        The sizes of a grown tree, and their scores; empty for a fixed tree.
    candidates_ : list of dict
        Changes of the hyper-parameters for which trees were grown; `growth_` refers to them by number.
    candidate_ : dict
        The one that `tree_` was grown with.
    average_ : Average or None
        The sizes that predict together, with their weights. Text, pictures, inference, `log_likelihood` and the plug-in
        density are those of `tree_` alone.
    params_ : Params
        The parameters that EM estimated, on standardised columns.
    load_ : ndarray of shape (K,)
        Share of each expert in the total weight, by responsibilities.
    lower_bounds_ : ndarray
        Mean penalised log-likelihood of each accepted sweep, eq. (objective). It does not fall; with a top-k gate it
        does not fall within each of the `stages_`, with ``alpha="auto"`` within each round of `shrinkage_`.
    validation_scores_ : ndarray or None
        Mean log-density of the rows held out with ``early_stopping=True``, after every accepted sweep.
    best_validation_score_ : float or None
        The score of the parameters that are kept, with which `lower_bounds_` ends.
    history_ : History
        Every sweep, including those that were rejected; `moved` marks the first ones after a change of the penalty
        strengths.
    alpha_ : dict
        The estimated penalty strengths of "expert" and "gate", where their alpha is "auto"; of a list of experts a dict
        by their names. A fit with these numbers has the same maximum.
    shrinkage_ : list of Shrinkage
        The rounds in which they were estimated: `alphas`, number of sweeps so far, the objective at the end.
    log_hyperprior_ : float
        The contribution of their own prior to the last of `lower_bounds_`; a fit with fixed strengths does not have it.
    objective_ : str
        "conditional" where `lower_bounds_` is of log p(y | x), "joint" where it is of log p(x, y) (a Gaussian gate);
        with " classification" where the last `algorithm` is "hard".
    samples_ : list of Sample
        For large tables, the early sweeps on samples of the rows: `n_rows`, number of sweeps, the objective of the
        sample. `history_`, `n_iter_` and `max_iter` refer to sweeps over all rows.
    stages_ : list of Stage
        Results of the stages in which a top-k gate is trained; empty for other gates.
    n_parameters_ : int
        Number of free parameters of gate and experts.
    n_iter_ : int
    converged_ : bool
    stop_reason_ : str
        "converged", "max_iter", "stalled", "saddle" (at a saddle point, without sweeps left to leave it),
        "early_stopping", "callback" or "interrupted", also if the start that is kept had ended before the interrupt.
    boundary_ : list of str
        Parameters at a boundary: separating gates or experts, variances at their floor.
    tiny_ : list of Tiny
        Experts of a single group, or with hardly more weight than parameters.
    dropped_ : list of Tiny
        Experts dropped with ``on_empty="drop"``, with the numbers of their leaves in the original tree; from a grown
        tree tiny experts are dropped too.
    restarts_ : list of Restart
        Results of all starts: objective, sweeps, why each ended, loads, tiny experts, variances at their floor, other
        boundaries. Prints as a table and has ``to_frame()``; `from_restart` returns the model of any of them.
    restart_params_ : list of Params
        The final parameters of each start.
    model_ : Mixture
        Gate and experts, bound to the training rows; with `params_`, the mixture itself.
    columns_ : Columns
        The map from X to the design columns of gate and experts.
    range_ : Ranges
        Least and largest values of the columns in the fit, and their `names`; see `outside_range`.
    target_ : Outputs
        Number and shape of the outputs of y.
    uncertainty_ : Uncertainty
        What the predictive density adds to the plug-in density, eq. (predictive): degrees of freedom and leverages of
        the experts' coefficients, and `inflation`, factors (K,) on the variances estimated from unseen rows.
    row_arguments_ : tuple of str
        Which of `offset` and `trials` were passed to `fit`.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where X has string column names.

    References
    ----------
    Jordan, M. I. and Jacobs, R. A. (1994). Hierarchical mixtures of experts and the EM algorithm. Neural Computation
    6(2), 181-214.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> model = HMERegressor(depth=1).fit(X, np.abs(X[:, 0]))
    >>> model.predict([[-0.5], [0.5]]).round(2)
    array([0.5, 0.5])
    """

    task = "regression"

    def fit(self, X, y, sample_weight=None, *, offset=None, trials=None, groups=None, labels=None):
        """Fit the mixture.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        sample_weight : array-like of shape (n,) or None
            Not negative; a weight of 2 is the same as the row twice. Penalties and priors are measured in rows, so that
            weights which add up to hardly more than the parameters leave nothing but these; `fit` says so.
        offset : array-like of shape (n,), float or None
            Known part of every expert's linear predictor, such as the logarithm of an exposure.
        trials : array-like of shape (n,), float or None
            Numbers of trials, of which y counts the successes, for binomial experts.
        groups : array-like of shape (n,) or None
            Rows of one value come from the same expert (repeated measurements), eq. (group). The gate's columns and the
            weights must be constant inside a group, which counts once.
        labels : array-like of shape (n,) or (n, K) or None
            What is known of the experts of the rows: leaf numbers, -1 where unknown; or factors on the prior of every
            expert, where 0 excludes it, eq. (labels).

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Naming the parameter, its value and what is allowed.
        """
        with followed(self, X, y, sample_weight, 3) as task, unchanged_on_error(self), threads(self.n_jobs):
            given = X, y, sample_weight, groups, labels
            begun = self._begin(lambda own: read(own, *given, offset=offset, trials=trials), task)
            kept = self._end(begun, begun.start.run(), self.average)
            self.uncertainty_ = None  # an average knows that of its parts
            if self.average_ is None:
                self.uncertainty_ = cross_fit.uncertainty(kept.mixture, kept.rows, kept.fit, begun.start.options)
        return self

    def _complete(self):
        self.uncertainty_ = None

    def responsibilities(self, X, y, *, offset=None, trials=None, groups=None):
        """Posterior of every expert, having seen y, (n, K), eqs. (responsibility), (group).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.
        groups : array-like of shape (n,) or None
            As in `fit`; without them every row is a group of its own.

        Returns
        -------
        ndarray of shape (n, K)
        """
        return self._responsibilities(X, y, offset=offset, trials=trials, groups=groups)

    def log_likelihood(self, X, y, *, offset=None, trials=None, groups=None):
        """log p(y | x) of every row, (n,), eq. (evidence); with groups of every group, eq. (group).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.
        groups : array-like of shape (n,) or None
            As in `fit`; without them every row is a group of its own.

        Returns
        -------
        ndarray of shape (n,), or (number of groups,) in the order of their sorted values
        """
        return self._log_likelihood(X, y, offset=offset, trials=trials, groups=groups)

    def score(self, X, y, sample_weight=None, *, offset=None, trials=None):
        """R^2 of the predicted means, as of any scikit-learn regressor.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        sample_weight : array-like of shape (n,) or None
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.

        Returns
        -------
        float
        """
        return r2_score(y, self.predict(X, offset=offset, trials=trials), sample_weight=sample_weight)

    def predict(self, X, return_std=False, *, density="predictive", offset=None, trials=None):
        """Mean of y given x, eq. (mean).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        return_std : bool, default=False
            Also return the standard deviation: the variance within experts and between them, eq. (variance). It
            is inf where an expert has none (Student-t with two or fewer degrees of freedom).
        density : {"predictive", "plug-in"}, default="predictive"
            Whose mean and standard deviation, as for `predict_dist`. The means differ where `average_` predicts.
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.

        Returns
        -------
        ndarray of shape (n,) or (n, T), or a pair of them
        """
        check_choice(density, "density", DENSITIES)
        with threads(self.n_jobs):
            return self._predicted(X, return_std, density, offset=offset, trials=trials)

    def _predicted(self, X, return_std, density, **arguments):
        if density == "predictive" and self._is_averaged():
            mean = self.target_.as_given(self.average_.mean(self.averaged_rows(X, **arguments)))
            if not return_std:
                return mean
            return mean, self.predict_dist(X, **arguments).standard_deviation()
        rows = self.rows(X, **arguments)
        if not return_std:
            return self.target_.as_given(self.model_.mean(self.params_, rows))
        if density == "plug-in" or self.uncertainty_ is None:
            mean, variance = self.model_.moments(self.params_, rows)
            return self.target_.as_given(mean), self.target_.as_given(np.sqrt(variance))
        mean, std = self.model_.mean(self.params_, rows), rows.blockwise(self._standard_deviation)
        return self.target_.as_given(mean), std

    def predict_experts(self, X, *, offset=None, trials=None):
        """Mean of every expert, (n, K), or (n, K, T) for several outputs.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.

        Returns
        -------
        ndarray of shape (n, K) or (n, K, T)
        """
        rows = self.rows(X, offset=offset, trials=trials)
        means = rows.blockwise(lambda block: self.model_.expert.predict(self.params_.experts, block))
        return self.target_.as_given(means)
