"""HMERegressor: any family of experts for numbers, counts and several outputs."""

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from ..fitting import cross_fit
from ..numerics.checks import check_choice
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
        Levels of gates of a complete tree; 0 is one expert. With "auto" the tree grows: leaf by leaf, as far as rows
        that are held out become more likely. Estimators as experts, routed gates, labels, lists of experts and more
        than two branches have no growth: there "auto" is the deepest complete tree that keeps 10 (p + 1) units of
        weight for each leaf, at most 5. A tree that would grow is one expert below 30 different rows or groups.
    branching : int or sequence of int, default=2
        Branches of every gating node, or one number for each level from the root down.
    n_experts : int or None, default=None
        Number of experts of a flat tree, with one gating node above all of them.
    tree : Tree, str, tuple or None, default=None
        A tree of any other shape: a `Tree`, its text such as ``"((. .) .)"``, or nested tuples.
    max_experts : int or None, default=None
        Most experts of a tree that grows; None is 64, fewer where that leaves less than two rows a coefficient.
    min_weight_fraction_leaf : float, default=0.0
        Share of the weight that either part of a split has at least, where the tree grows; a fixed tree tells that it
        does not read it.
    candidates : "auto", None or list of dict, default="auto"
        What else than its size the growing tree chooses: changes of `expert`, `gate`, `expert_features` and
        `gate_features`, the simplest first, such as ``[{}, {"expert_features": "splines"}, {"expert": "student"}]``. A
        tree grows for each, held-out rows compare the sizes of all, and all predict together. "auto" tries lines and
        splines in regression, where `expert` and `expert_features` are None, X is dense, and there are 10 distinct rows
        or more for each column of splines. Otherwise, as with None, there is nothing else to choose.
    average : bool, default=True
        Whether a tree that has grown predicts as the average of all useful sizes on its path, with shares that make
        rows which were held out most likely, eq. (size-average). Otherwise the tree alone predicts.
    expert : str, expert object, estimator, list of pairs or None, default=None
        The family of experts: "linear", "constant", "gaussian", "student", "laplace", "poisson", "negative_binomial",
        "binomial", "gamma", "inverse_gaussian", "tree", "background", "point_mass";
        an object from `hme.experts`; or a scikit-learn estimator. None is "linear". A list of (name, expert) pairs
        gives each leaf a family of its own, from left to right.
    gate : {"softmax", "constant", "gaussian", "top_k", "tree"}, gate object, classifier or None, default=None
        The gate, or the family of its nodes; None is "softmax".
    expert_features, gate_features : None, columns, transformer or its name, default=None
        What experts and gate see of X: all columns; some of them, by names, numbers, a mask, a slice or a callable as
        in scikit-learn's `ColumnTransformer`; or a transformer that is fitted with the model. "splines" and "squares"
        are short for `hme.features.Splines` and `Squares`, which bend the experts. With both given, X may hold columns
        that are not numeric.
    standardize : bool, default=True
        Whether `alpha` of experts and gate acts on standardised columns or on the columns as given. Computations use
        standardised columns in either case, and coefficients are reported in the units of X.
    hold_range : bool, default=True
        Whether columns of new rows are held near their ranges in the fit, eq. (held): what gate and experts say of a
        row further out than a quarter of the range is what they say at the nearest values inside. One expert is the
        plain model, whose columns are never held. `outside_range` tells which rows are outside the range.
    algorithm : {"em", "hard", "stochastic"} or tuple of them, default="em"
        "em" weights every expert by its responsibilities. "hard" gives each row to its most probable expert, as in
        clusterwise regression, and maximises the classification likelihood. "stochastic" draws one expert for each row
        in every sweep, and keeps the best parameters found. In a tuple, each algorithm continues from where the one
        before ended: ``("stochastic", "em")`` searches, then climbs. `history_`, `n_iter_` and `lower_bounds_` are
        those of the last one.
    accelerate : bool, default=True
        Whether EM leaps ahead where its steps are steady, eq. (squarem), so as to need fewer sweeps. A leap is kept
        only where the objective does not fall. False is the textbook algorithm, step by step.
    start : str or array-like, default="auto"
        "model_tree", "perturbed_model_tree", "directions", "hyperplanes", "residuals", "labels", "kmeans" or "groups";
        or one leaf number a row (n,), or responsibilities (n, K). With "auto" the first start is "groups", which
        clusters fits to single groups, if `fit` is given groups, else "model_tree". Where a sweep is cheap (at most
        16,384 rows times leaves, and 6 leaves) it is only one of twelve candidates, of which short runs choose.
    n_init : int, default=1
        Number of starts that run to their end, of which the best fit is kept. The first is `start`; after "auto" and
        without groups the next is "kmeans"; the others are in turn "labels", "directions", "hyperplanes", "residuals"
        and "perturbed_model_tree". Where ``start="auto"`` tries candidates, there are four times as many for ``n_init >
        1``.
    n_finalists : int, "auto" or None, default="auto"
        Whether the starts race. In a race a start that cannot be expected to overtake the best is left behind,
        eq. (expected), and of several on their way to one maximum one goes on; a number also bounds how many run to the
        end. "auto" is a race without a bound from 12 starts on; None lets every start run to the end.
    prefer : {"auto", "interior", "likelihood"}, default="auto"
        Which of several starts is kept: the one of highest objective ("likelihood"), or the one that is highest where
        degenerate experts count for nothing ("interior"), eq. (worth). Degenerate are experts of a single group or of
        hardly more weight than they have parameters, and those whose variance is at its floor while that of others is
        not. "auto" is "interior", but "likelihood" with ``on_empty="drop"``.
    max_iter : int, default=500
        Largest number of sweeps of a start.
    tol : float or "auto", default="auto"
        A fit has converged when no more than this is left to gain, in nats per unit of weight, by the estimate of
        eq. (aitken), and the scaled gradient is below its square root. "auto" is 1e-5, or 1e-3 where EM fits more than
        100 coefficients of experts and gate.
    early_stopping : bool, default=False
        Whether rows are held out, and a run of EM ends when their mean log-density has not risen by more than `tol` in
        the last `n_iter_no_change` sweeps. The parameters that are best for them are kept, and the start that is.
    validation_fraction : float or int, default=0.1
        Share, or number, of the different rows (or groups) that are held out; which ones their content decides.
    n_iter_no_change : int, default=10
        Sweeps without a gain for the held-out rows after which a run ends.
    on_empty : {"warn", "reseed", "drop", "raise"}, default="warn"
        What to do about an expert that ends with less than a thousandth of an equal share of the weight: "warn",
        "reseed" it with rows that another one fits badly, or "raise" an error. "drop" fits again without such experts
        and without `tiny_` ones, as flexmix's minprior does, until there are none; the tree loses their leaves, and
        `n_experts_`, `tree_` and `dropped_` say so.
    warm_start : bool, default=False
        Start from the parameters, and the standardisation, of the last fit. There is no other start then: `start`,
        `n_init` and `n_finalists` count for the first fit alone, and a later one with ``n_init > 1`` says so.
    callback : callable or None, default=None
        ``callback(sweep, objective, params)``, called after every accepted sweep with a copy of the parameters; a true
        value stops the current start. With ``n_jobs`` above 1 it is called in the worker processes.
    random_state : int, RandomState or None, default=None
        For starts that are drawn and for stochastic EM. With None these differ from fit to fit, but not those that
        the default, ``start="auto"`` with ``n_init=1``, tries.
    n_jobs : int or None, default=None
        Number of starts that run at the same time (joblib). The result does not depend on it.
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
        The sizes of a tree that has grown, and their scores; empty where the tree was given.
    candidates_ : list of dict
        Changes of the hyper-parameters for which trees have grown; `growth_` tells their numbers.
    candidate_ : dict
        Those with which `tree_` has grown.
    average_ : Average or None
        The sizes that predict together, with their shares. Text, pictures and inference are of `tree_` alone, and so
        are `log_likelihood` and the plug-in density.
    params_ : Params
        The parameters that EM estimated, on standardised columns.
    load_ : ndarray of shape (K,)
        Share of the weight that each expert is responsible for.
    lower_bounds_ : ndarray
        Mean penalised log-likelihood of each accepted sweep, eq. (objective). It does not fall; with a top-k gate it
        does not fall within each of the `stages_`, with ``alpha="auto"`` within each round of `shrinkage_`.
    validation_scores_ : ndarray or None
        Mean log-density of the rows that ``early_stopping=True`` holds out, by the parameters of every accepted sweep.
    best_validation_score_ : float or None
        That of the parameters that are kept, with which `lower_bounds_` ends.
    history_ : History
        Every sweep, also those that the guard rejected; `moved` marks the first ones at new strengths of penalties.
    alpha_ : dict
        The strengths of penalties that were estimated, of "expert" and "gate" where their alpha is "auto"; of a list of
        experts a dict by their names. A fit with these numbers has the same maximum.
    shrinkage_ : list of Shrinkage
        The rounds in which they were estimated: `alphas`, sweeps so far, the objective at the end.
    log_hyperprior_ : float
        What their own prior adds to the last of `lower_bounds_`; a fit with the same numbers is without it.
    objective_ : str
        "conditional" where `lower_bounds_` is of log p(y | x), "joint" where it is of log p(x, y) (a Gaussian gate);
        with " classification" where the last `algorithm` is "hard".
    samples_ : list of Sample
        What EM reached on samples of the rows before it went on with all of them, of large tables: `n_rows`, sweeps,
        the objective of the sample. `history_`, `n_iter_` and `max_iter` are of sweeps over all rows.
    stages_ : list of Stage
        What each stage of a top-k gate's training reached; empty for other gates.
    n_parameters_ : int
        Free parameters of gate and experts.
    n_iter_ : int
    converged_ : bool
    stop_reason_ : str
        "converged", "max_iter", "stalled", "saddle" (a way up is known, and no sweeps are left to go it),
        "early_stopping", "callback" or "interrupted", also if the start that is kept had ended before the interrupt.
    boundary_ : list of str
        Parameters at a boundary: separating gates or experts, variances at their floor.
    tiny_ : list of Tiny
        Experts of a single group, or of hardly more weight than they have parameters.
    dropped_ : list of Tiny
        Experts that ``on_empty="drop"`` has dropped, by the numbers of their leaves in the tree that was asked for; a
        tree that has grown loses tiny ones too.
    restarts_ : list of Restart
        What each start reached: objective, sweeps, why it ended, loads, tiny experts, variances at their floor, other
        boundaries. It prints as a table and has ``to_frame()``; `from_restart` makes a model of any of them.
    restart_params_ : list of Params
        The parameters that each start reached.
    model_ : Mixture
        Gate and experts, bound to the rows of the fit; with `params_`, the mixture itself.
    columns_ : Columns
        The map from X to the design columns of gate and experts.
    range_ : Ranges
        Least and largest values of the columns in the fit, and their `names`; see `outside_range`.
    target_ : Outputs
        Number and shape of the outputs of y.
    uncertainty_ : Uncertainty
        What the predictive density counts beside the plug-in one, eq. (predictive): degrees of freedom and leverages of
        the experts' coefficients, and `inflation`, factors (K,) on the variances from rows that a fit had not seen.
    row_arguments_ : tuple of str
        Which of `offset` and `trials` `fit` was given.
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
        with followed(self, X, y, sample_weight, 3) as task, unchanged_on_error(self):
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
        if density == "predictive" and self._is_averaged():
            mean = self.target_.as_given(self.average_.mean(self.averaged_rows(X, offset=offset, trials=trials)))
            if not return_std:
                return mean
            return mean, self.predict_dist(X, offset=offset, trials=trials).standard_deviation()
        rows = self.rows(X, offset=offset, trials=trials)
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
