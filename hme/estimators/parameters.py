"""The hyper-parameters and attributes that both estimators have, as their docstrings say them."""

__all__ = ["PARAMETERS"]

PARAMETERS = """Parameters
    ----------
    depth : int or "auto", default="auto"
        Levels of gates of a complete tree; 0 is one expert. "auto" is the deepest tree that keeps 10 (p + 1) units of
        weight for each leaf, at most 5.
    branching : int or sequence of int, default=2
        Branches of every gating node, or one number for each level from the root down.
    n_experts : int or None, default=None
        Short for a flat tree: one gating node above so many experts.
    tree : Tree, str, tuple or None, default=None
        Any other shape: a `Tree`, its text such as ``"((. .) .)"``, or nested tuples.
    expert : str, expert object or None, default=None
        The family of experts: {experts}.
        None is the default family, "{default}". A list of (name, expert) pairs gives every leaf its own, from left to
        right.
    gate : {{"softmax", "constant", "gaussian", "top_k"}}, gate object or None, default=None
        The gate, or the family of its nodes; None is "softmax".
    expert_features, gate_features : None, columns or transformer, default=None
        What experts and gate see of X: all columns; some of them, by names, numbers, a mask, a slice or a callable as
        in scikit-learn's `ColumnTransformer`; or a transformer that is fitted with the model. With both given, X may
        hold columns that are no numbers.
    standardize : bool, default=True
        Whether `alpha` of experts and gate acts on standardised columns or on the columns as given. The arithmetic is
        done on standardised columns in any case, and coefficients are reported in the units of X.
    algorithm : {{"em", "hard", "stochastic"}} or tuple of them, default="em"
        "em" weighs every expert by its responsibilities. "hard" gives each row to its most probable expert (clusters of
        regressions) and climbs the classification likelihood. "stochastic" draws the expert of each row, all of its
        weight at once, and keeps the best parameters it comes across. Of a tuple each one goes on from where the one
        before ended: ``("stochastic", "em")`` searches, then climbs. `history_`, `n_iter_` and `lower_bounds_` are of
        the last one.
    start : str or array-like, default="auto"
        "model_tree", "directions", "hyperplanes", "perturbed_model_tree", "kmeans" or "groups"; or one leaf number a
        row (n,), or responsibilities (n, K). "auto" is "groups", which clusters the groups' own fits, where `fit` is
        given groups, else "{start}".
    n_init : int, default=1
        Number of starts; the best fit is kept. Number 0 is `start`, the others are in turn {drawn}.
    n_finalists : int or None, default=None
        With a number, all starts run for a few sweeps and only so many of the best run to the end.
    max_iter : int, default=500
        Most sweeps of a start.
    tol : float, default=1e-5
        A fit has converged when a sweep gains no more than this, in nats per unit of weight, and the scaled gradient is
        below its square root.
    on_empty : {{"warn", "reseed", "raise"}}, default="warn"
        What to do about an expert that ends with less than a thousandth of an equal share of the weight.
    warm_start : bool, default=False
        Start from the parameters, and the standardisation, of the last fit.
    callback : callable or None, default=None
        ``callback(sweep, objective, params)``, called after every accepted sweep; a true answer stops the start that is
        running. With ``n_jobs`` above 1 it is called in the processes of the workers.
    random_state : int, RandomState or None, default=None
        For the starts that are drawn and for stochastic EM; the default start draws nothing.
    n_jobs : int or None, default=None
        Starts that run at the same time (joblib). The result does not depend on it.
    verbose : int, default=0
        1 prints every tenth sweep, 2 every one.

    Attributes
    ----------
    experts_, gate_ : NamedTuple of arrays
        Coefficients in the units of X (and y), first axis the expert or gating node.
    tree_ : Tree
    n_experts_ : int
    params_ : Params
        What EM learned, in standardised units.
    load_ : ndarray of shape (K,)
        Share of the weight that each expert answers for.
    lower_bounds_ : ndarray
        Mean penalised log-likelihood of each accepted sweep, eq. (objective); it does not fall, with a sparse gate
        within each of its `stages_`.
    history_ : History
        Every sweep, also those that the guard turned back.
    objective_ : str
        "conditional" where `lower_bounds_` is of log p(y | x), "joint" where it is of log p(x, y) (a Gaussian gate);
        with " classification" where the last `algorithm` is "hard".
    stages_ : list of Stage
        What each stage of a sparse gate's training reached; empty for other gates.
    n_parameters_ : int
        Free parameters of gate and experts.
    n_iter_ : int
    converged_ : bool
    stop_reason_ : str
        "converged", "max_iter", "stalled", "callback" or "interrupted".
    boundary_ : list of str
        Parameters at the edge of what is possible: separating gates or experts, variances at their floor.
    restarts_ : list of Restart
        What each start reached.
    restart_params_ : list of Params or None
        The parameters that each start reached; None of families that are fitted anew, whose models would be many.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where X has string column names.{classes}

    References
    ----------
    Jordan, M. I. and Jacobs, R. A. (1994). Hierarchical mixtures of experts and the EM algorithm. Neural Computation
    6(2), 181-214.
"""
