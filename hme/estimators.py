"""The scikit-learn suit: validate, build rows, choose a start, run EM, keep the attributes."""

import warnings
from contextlib import contextmanager

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state, column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from . import em, restarts, starts
from .checks import check_choice, check_int, check_real
from .chunks import Rows
from .design import LARGEST, Design
from .experts import ConstantExpert, Expert, LinearExpert, LogisticExpert, TreeExpert
from .gates import ConstantGate, Gate, NodeGate, SoftmaxGate, TreeGate
from .model import Mixture
from .tree import Tree

__all__ = ["HMEClassifier", "HMERegressor"]

GATES = {"softmax": SoftmaxGate, "constant": ConstantGate}


class _BaseHME(BaseEstimator):
    """What the regressor and the classifier share."""

    def __init__(
        self,
        depth="auto",
        branching=2,
        *,
        n_experts=None,
        tree=None,
        expert=None,
        gate=None,
        standardize=True,
        start="auto",
        n_init=1,
        n_finalists=None,
        max_iter=500,
        tol=1e-5,
        on_empty="warn",
        warm_start=False,
        callback=None,
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.depth = depth
        self.branching = branching
        self.n_experts = n_experts
        self.tree = tree
        self.expert = expert
        self.gate = gate
        self.standardize = standardize
        self.start = start
        self.n_init = n_init
        self.n_finalists = n_finalists
        self.max_iter = max_iter
        self.tol = tol
        self.on_empty = on_empty
        self.warm_start = warm_start
        self.callback = callback
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    # -- hyper-parameters --------------------------------------------------------------------------------------------

    def set_params(self, **params):
        """Set parameters; ``expert__alpha`` and ``gate__alpha`` also work where the family is a default or a name."""
        for name, make in (("expert", self._make_expert), ("gate", self._make_gate)):
            family = params.get(name, getattr(self, name))
            if any(key.startswith(f"{name}__") for key in params) and (family is None or isinstance(family, str)):
                params[name] = make(family)
        return super().set_params(**params)

    def _make_expert(self, expert):
        if expert is None or isinstance(expert, str):
            if expert is not None and expert not in self._experts:
                raise ValueError(f"expert = {expert!r} must be one of {sorted(self._experts)} or an expert object.")
            return self._experts[expert or self._default_expert]()
        if not isinstance(expert, Expert):
            raise TypeError(
                f"expert = {expert!r} must be None, one of {sorted(self._experts)} or an object from hme.experts."
            )
        if self._task not in expert.tasks:
            raise ValueError(f"expert = {expert!r} is for {' and '.join(expert.tasks)}, not for {self._task}.")
        return expert

    def _make_gate(self, gate):
        if gate is None or isinstance(gate, str):
            if gate is not None and gate not in GATES:
                raise ValueError(f"gate = {gate!r} must be one of {sorted(GATES)} or a gate object.")
            return GATES[gate or "softmax"]()
        if not isinstance(gate, Gate | NodeGate):
            raise TypeError(f"gate = {gate!r} must be None, one of {sorted(GATES)} or an object from hme.gates.")
        return gate

    def _check_settings(self):
        check_int(self.n_init, "n_init")
        check_int(self.max_iter, "max_iter")
        check_real(self.tol, "tol")
        if self.n_finalists is not None:
            check_int(self.n_finalists, "n_finalists", 1, self.n_init)
        check_choice(self.on_empty, "on_empty", ("reseed", "warn", "raise"))
        check_choice(self.standardize, "standardize", (True, False))
        check_choice(self.warm_start, "warm_start", (True, False))
        if not isinstance(self.verbose, bool):
            check_int(self.verbose, "verbose", 0)
        if isinstance(self.start, str) and self.start not in ("auto", *starts.STARTS):
            raise ValueError(
                f"start = {self.start!r} must be 'auto', one of {sorted(starts.STARTS)}, labels or responsibilities."
            )
        if self.callback is not None and not callable(self.callback):
            raise TypeError(f"callback = {self.callback!r} must be None or a callable (sweep, objective, params).")

    def _seed(self):
        try:
            return check_random_state(self.random_state).randint(2**31 - 1)
        except ValueError:
            raise ValueError(
                f"random_state = {self.random_state!r} must be None, an int from 0 to 2**32 - 1 or a RandomState."
            ) from None

    # -- fitting -----------------------------------------------------------------------------------------------------

    def _fit(self, X, y, weight, kept):
        """Fit to validated arrays; y is (n, T) or class codes, all weights positive, `kept` the rows that are left."""
        self._check_settings()
        expert, gate = self._make_expert(self.expert), self._make_gate(self.gate)
        if sp.issparse(X) and not expert.supports_sparse:
            raise TypeError(f"{type(expert).__name__} does not take sparse X; use X.toarray().")
        if y.ndim == 2 and y.shape[1] > 1 and not expert.supports_multioutput:
            raise ValueError(f"{type(expert).__name__} does not take several outputs; y has {y.shape[1]}.")
        # What a warm start must share with the fit it goes on from.
        kind = (X.shape[1], y.shape[1:], type(expert).__name__, type(gate).__name__)
        if self.warm_start and hasattr(self, "params_"):
            design, previous = self.design_, self.params_
            if kind != self._kind:
                raise ValueError(
                    f"warm_start: the earlier fit has (features, outputs, expert, gate) {self._kind}, this one has "
                    f"{kind}. Use warm_start=False."
                )
        else:
            design, previous = Design.fit(X, weight, self.standardize), None
        columns = design.transform(X)
        rows = Rows(columns, columns, y, weight)
        tree = Tree.from_parameters(
            self.depth,
            self.branching,
            self.n_experts,
            self.tree,
            rows_per_leaf=10 * columns.shape[1],
            weight=weight.sum(),
        )
        if isinstance(gate, NodeGate):
            gate = TreeGate(gate, tree)
        elif isinstance(gate, TreeGate) and gate.tree != tree:
            raise ValueError(f"gate has the tree {gate.tree!r}, the model {tree!r}; give the gate's nodes alone.")
        mixture = Mixture(gate.resolve(rows, design), expert.resolve(rows, design))
        if previous is not None and tree != self.tree_:
            raise ValueError(f"warm_start: the earlier fit has {self.tree_!r}, not {tree!r}. Use warm_start=False.")
        options = em.Options(self.max_iter, self.tol, self.callback, self.verbose)
        if previous is not None:
            names, fits = ["warm"], [restarts.continue_fit(mixture, rows, previous, options, self._reached)]
        else:
            given = None if isinstance(self.start, str) else starts.given(self.start, kept, tree.n_leaves)
            first = "given" if given is not None else self.start
            names = starts.sequence(first, self.n_init, self._task == "classification")
            fits = restarts.run(mixture, rows, tree, names, self._seed(), options, given, self.n_finalists, self.n_jobs)
        best = max(fits, key=lambda fit: fit.objective)
        if self.on_empty == "reseed":
            best = restarts.feed(mixture, rows, best, options)
        self.boundary_ = self._report_troubles(mixture, best)
        self.model_, self.design_, self.tree_, self._kind = mixture, design, tree, kind
        self.restarts_ = [
            restarts.Restart(name, fit.objective, fit.n_iter, fit.reason) for name, fit in zip(names, fits, strict=True)
        ]
        self._keep(best)

    def _keep(self, best):
        """Fitted attributes from the best fit."""
        self.params_ = best.params
        self._reached = best.objective if best.converged else -np.inf
        self.n_experts_ = self.tree_.n_leaves
        self.experts_ = self.model_.expert.report(best.params.experts, self.design_)
        self.gate_ = self.model_.gate.report(best.params.gate, self.design_)
        self.history_ = best.history
        self.lower_bounds_ = best.history.objective[best.history.accepted]
        self.n_iter_ = best.n_iter
        self.converged_ = best.converged
        self.stop_reason_ = best.reason
        self.load_ = best.stats.load / best.stats.load.sum()

    def _report_troubles(self, mixture, best):
        """Give one warning, with every cause and its next step; return what is at a boundary."""
        starving = restarts.starving(best).tolist()
        if starving and self.on_empty == "raise":
            raise ValueError(f"{restarts.STARVED.format(starving)} (on_empty='raise').")
        boundary = mixture.warnings(best.params, best.stats)
        causes = []
        if best.reason in restarts.STOPS:
            causes.append(restarts.STOPS[best.reason].format(self.max_iter, best.gradient))
        if starving:
            causes.append(restarts.STARVED.format(starving))
        if causes or boundary:
            message = f"{type(self).__name__}: " + "; ".join(causes + boundary) + "."
            warnings.warn(message, ConvergenceWarning, stacklevel=4)
        return boundary

    # -- the predict side --------------------------------------------------------------------------------------------

    def _rows(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        columns = self.design_.transform(X)
        return Rows(columns, columns)

    def _labelled_rows(self, X, y):
        rows, y = self._rows(X), self._encode(y)
        if len(y) != rows.n_rows:
            raise ValueError(f"X has {rows.n_rows} rows, y has {len(y)}.")
        return rows._replace(y=y)

    def _by_blocks(self, function, rows):
        return np.concatenate([function(block) for _, block in rows.blocks()])

    def gate_proba(self, X):
        """Prior of every expert, from x alone, eq. (prior).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)

        Returns
        -------
        ndarray of shape (n, K)
        """
        rows = self._rows(X)
        return self._by_blocks(lambda block: self._prior(block), rows)

    def _prior(self, rows):
        return np.ascontiguousarray(np.exp(self.model_.gate.log_prior(self.params_.gate, rows)))

    def responsibilities(self, X, y):
        """Posterior of every expert, having seen y, eq. (responsibility).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)

        Returns
        -------
        ndarray of shape (n, K)
        """
        rows = self._labelled_rows(X, y)
        return self._by_blocks(lambda block: np.ascontiguousarray(self.model_.e_step(self.params_, block)[1]), rows)

    def log_likelihood(self, X, y):
        """log p(y | x) of every row, eq. (evidence).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)

        Returns
        -------
        ndarray of shape (n,)
        """
        rows = self._labelled_rows(X, y)
        return self._by_blocks(lambda block: self.model_.e_step(self.params_, block)[0], rows)

    def apply(self, X):
        """The most probable leaf of every row, (n,), from x alone."""
        return self.gate_proba(X).argmax(axis=1)

    def decision_path(self, X):
        """Path to the most probable leaf.

        Returns
        -------
        sparse matrix of shape (n, M + K)
            One where a row passes a gating node (first M columns) or ends in a leaf.
        """
        leaves = self.apply(X)
        nodes = self.tree_.paths.sum(axis=1).T  # (K, M)
        indicator = np.hstack([nodes, np.eye(self.n_experts_)])
        return sp.csr_matrix(indicator[leaves])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        expert = self.expert
        if not isinstance(expert, Expert):  # a name that does not exist is refused in fit
            named = isinstance(expert, str) and expert in self._experts
            expert = self._experts[expert if named else self._default_expert]
        tags.input_tags.sparse = expert.supports_sparse
        tags.target_tags.multi_output = self._task == "regression" and expert.supports_multioutput
        return tags


@contextmanager
def _unchanged_on_error(estimator):
    """A fit that fails leaves an earlier one as it was."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def _positive(X, y, weight):
    """Rows of positive weight; the others must not touch anything."""
    kept = weight > 0
    if not kept.any():
        raise ValueError("sample_weight is zero everywhere; at least one row needs a positive weight.")
    return (X, y, weight, kept) if kept.all() else (X[kept], y[kept], weight[kept], kept)


_PARAMETERS = """Parameters
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
        The family of experts: {experts}. None is the default family, "{default}".
    gate : {{"softmax", "constant"}}, gate object or None, default=None
        The family of gating nodes; None is "softmax".
    standardize : bool, default=True
        Whether `alpha` of experts and gate acts on standardised columns or on the columns as given. The arithmetic is
        done on standardised columns in any case, and coefficients are reported in the units of X.
    start : str or array-like, default="auto"
        "model_tree", "directions", "hyperplanes", "perturbed_model_tree" or "kmeans"; or one leaf number a row (n,),
        or responsibilities (n, K). "auto" is "{start}".
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
        ``callback(sweep, objective, params)``, called after every accepted sweep; a true answer stops the fit.
    random_state : int, RandomState or None, default=None
        For the starts that are drawn; the default start draws nothing.
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
        Mean penalised log-likelihood of each accepted sweep, eq. (objective); it does not fall.
    history_ : History
        Every sweep, also those that the guard turned back.
    n_iter_ : int
    converged_ : bool
    stop_reason_ : str
        "converged", "max_iter", "stalled", "callback" or "interrupted".
    boundary_ : list of str
        Parameters at the edge of what is possible: separating gates or experts, variances at their floor.
    restarts_ : list of Restart
        What each start reached.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where X has string column names.{classes}

    References
    ----------
    Jordan, M. I. and Jacobs, R. A. (1994). Hierarchical mixtures of experts and the EM algorithm. Neural Computation
    6(2), 181-214.
"""


class HMERegressor(RegressorMixin, _BaseHME):
    __doc__ = (
        """Hierarchical mixture of experts for regression, fitted by EM.

    """
        + _PARAMETERS.format(
            experts='"linear", "constant", "tree"', default="linear", start="model_tree",
            drawn='"directions", "hyperplanes",\n        "perturbed_model_tree"', classes=""
        )
        + """
    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> model = HMERegressor(depth=1).fit(X, np.abs(X[:, 0]))
    >>> model.predict([[-0.5], [0.5]]).round(2)
    array([0.5, 0.5])
    """
    )

    _task, _default_expert = "regression", "linear"
    _experts = {"linear": LinearExpert, "constant": ConstantExpert, "tree": TreeExpert}

    def fit(self, X, y, sample_weight=None):
        """Fit the mixture.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        sample_weight : array-like of shape (n,) or None
            Not negative; a weight of 2 is the same as the row twice.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Naming the parameter, its value and what is allowed.
        """
        with _unchanged_on_error(self):
            X, y = validate_data(
                self, X, y, accept_sparse="csr", dtype=np.float64, y_numeric=True, multi_output=True
            )
            weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            flat = y.ndim == 1
            X, Y, weight, kept = _positive(X, np.asarray(y, dtype=np.float64).reshape(len(y), -1), weight)
            size = np.abs(Y).max()
            if size > LARGEST or 0 < size < 1.0 / LARGEST:
                raise ValueError(f"y has values of size {size:g}, whose squares are out of range; change its units.")
            self._fit(X, Y, weight, kept)
            self._flat_output, self._n_outputs = flat, Y.shape[1]
        return self

    def _encode(self, y):
        if np.ndim(y) not in (1, 2):
            raise ValueError(f"y has {np.ndim(y)} dimensions; it must have one value or one row of outputs a row.")
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        Y = y.reshape(len(y), -1)
        if Y.shape[1] != self._n_outputs:
            raise ValueError(f"y has {Y.shape[1]} outputs, the model was fitted to {self._n_outputs}.")
        return Y

    def _output(self, Y):
        """Outputs (..., T) as the user gave y."""
        return Y[..., 0] if self._flat_output else Y

    def predict(self, X, return_std=False):
        """Mean of y given x, eq. (mean).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        return_std : bool, default=False
            Also return the standard deviation: noise within experts and disagreement between them, eq. (variance).

        Returns
        -------
        ndarray of shape (n,) or (n, T), or a pair of them
        """
        rows = self._rows(X)
        mean = self._output(self._by_blocks(lambda block: self._moments(block)[0], rows))
        if not return_std:
            return mean
        return mean, self._output(np.sqrt(self._by_blocks(lambda block: self._moments(block)[1], rows)))

    def _moments(self, rows):
        prior = self._prior(rows)[:, :, None]
        means = self.model_.expert.predict(self.params_.experts, rows)
        mean = (prior * means).sum(axis=1)
        within = self.model_.expert.variance(self.params_.experts, rows)
        return mean, (prior * (within + (means - mean[:, None]) ** 2)).sum(axis=1)

    def predict_experts(self, X):
        """Mean of every expert, (n, K), or (n, K, T) for several outputs."""
        rows = self._rows(X)
        return self._output(
            self._by_blocks(lambda block: self.model_.expert.predict(self.params_.experts, block), rows)
        )


class HMEClassifier(ClassifierMixin, _BaseHME):
    __doc__ = (
        """Hierarchical mixture of experts for classification, fitted by EM.

    """
        + _PARAMETERS.format(
            experts='"logistic", "constant"',
            default="logistic",
            start="kmeans",
            drawn='"directions", "perturbed_model_tree"',
            classes="""
    classes_ : ndarray of shape (C,)""",
        ).replace(
            """    random_state :""",
            """    class_weight : dict, "balanced" or None, default=None
        Factors on the weights of the rows of each class.
    random_state :""",
        )
        + """
    Examples
    --------
    >>> from hme import HMEClassifier
    >>> X, y = [[-2.0], [-1.5], [-0.5], [0.5], [1.5], [2.0]] * 5, ["out", "out", "in", "in", "out", "out"] * 5
    >>> model = HMEClassifier(depth=1).fit(X, y)
    >>> model.predict([[-1.8], [0.0], [1.8]])
    array(['out', 'in', 'out'], dtype='<U3')
    """
    )

    _task, _default_expert = "classification", "logistic"
    _experts = {"logistic": LogisticExpert, "constant": ConstantExpert}

    def __init__(
        self,
        depth="auto",
        branching=2,
        *,
        n_experts=None,
        tree=None,
        expert=None,
        gate=None,
        standardize=True,
        start="auto",
        n_init=1,
        n_finalists=None,
        max_iter=500,
        tol=1e-5,
        on_empty="warn",
        warm_start=False,
        callback=None,
        class_weight=None,
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        settings = {
            name: value for name, value in locals().items() if name not in ("self", "class_weight", "__class__")
        }
        super().__init__(**settings)
        self.class_weight = class_weight

    def fit(self, X, y, sample_weight=None):
        """Fit the mixture.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,)
            Class labels, at least two classes.
        sample_weight : array-like of shape (n,) or None
            Not negative; a weight of 2 is the same as the row twice.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Naming the parameter, its value and what is allowed.
        """
        with _unchanged_on_error(self):
            X, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float64)
            try:
                check_classification_targets(y)
            except TypeError:
                raise TypeError("y holds labels of different types, which cannot be sorted; use one type.") from None
            weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            weight = weight * self._class_factor(y)
            X, y, weight, kept = _positive(X, y, weight)
            classes, codes = np.unique(y, return_inverse=True)
            if len(classes) < 2:
                raise ValueError(f"y has one class only, {classes[0]!r}; a classifier needs at least two classes.")
            if self.warm_start and hasattr(self, "classes_") and not np.array_equal(classes, self.classes_):
                raise ValueError(f"warm_start: y has the classes {classes}, the earlier fit {self.classes_}.")
            self._fit(X, codes, weight, kept)
            self.classes_ = classes
        return self

    def _class_factor(self, y):
        if self.class_weight is None:
            return 1.0
        factor = compute_sample_weight(self.class_weight, y)
        if not (np.isfinite(factor).all() and (factor >= 0).all()):
            raise ValueError(f"class_weight = {self.class_weight!r} must hold finite numbers >= 0.")
        return factor

    def _encode(self, y):
        y = column_or_1d(y)
        codes = np.searchsorted(self.classes_, y).clip(0, len(self.classes_) - 1)
        unknown = self.classes_[codes] != y
        if np.any(unknown):
            raise ValueError(f"y holds {y[unknown][0]!r}, which is not among the fitted classes {self.classes_}.")
        return codes

    def predict(self, X):
        """Most probable class of every row, (n,)."""
        codes = self.predict_proba(X).argmax(axis=1)
        return self.classes_[codes]

    def predict_proba(self, X):
        """Class probabilities, (n, C), eq. (mean)."""
        return self._by_blocks(self._probability, self._rows(X))

    def _probability(self, rows):
        prior = self._prior(rows)[:, :, None]
        probability = (prior * self.model_.expert.predict(self.params_.experts, rows)).sum(axis=1)
        return probability / probability.sum(axis=1, keepdims=True)

    def predict_log_proba(self, X):
        """Logarithm of the class probabilities, (n, C), without the underflow of their product."""
        rows = self._rows(X)

        def log_probability(block):
            codes = (np.full(block.n_rows, c) for c in range(len(self.classes_)))
            return np.stack([self.model_.e_step(self.params_, block._replace(y=y))[0] for y in codes], axis=1)

        return self._by_blocks(log_probability, rows)

    def predict_experts(self, X):
        """Class probabilities of every expert, (n, K, C)."""
        return self._by_blocks(lambda block: self.model_.expert.predict(self.params_.experts, block), self._rows(X))
