"""The scikit-learn suit: validate, build rows, choose a start, run EM, keep the attributes."""

import warnings
from contextlib import contextmanager
from textwrap import wrap

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from sklearn.utils import _safe_indexing, check_array, check_random_state, check_X_y, column_or_1d
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from . import em, restarts, starts
from .checks import check_array as check_numbers
from .checks import check_choice, check_int, check_real
from .design import LARGEST
from .experts import MixedExpert
from .features import Columns
from .gates import NodeGate, TreeGate
from .model import Mixture
from .registry import EXPERTS, check_support, check_target, expert_names, make_expert, make_gate
from .tree import Tree

__all__ = ["HMEClassifier", "HMERegressor"]

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
        expert_features=None,
        gate_features=None,
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
        self.expert_features = expert_features
        self.gate_features = gate_features
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
        """Set parameters; ``expert__alpha`` and ``gate__alpha`` also work where the family is a default or a name.

        Those of a list of experts go by their names: ``expert__line__alpha``.
        """
        for name, make in (("expert", self._make_expert), ("gate", make_gate)):
            family = params.get(name, getattr(self, name))
            if any(key.startswith(f"{name}__") for key in params) and not hasattr(family, "get_params"):
                params[name] = make(family)
        return super().set_params(**params)

    def _make_expert(self, expert):
        return make_expert(expert, self._task, self._default_expert)

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

    def _fit(self, tables, y, weight, kept, **arguments):
        """Fit to validated arrays; y is (n, T) or class codes, all weights positive, `kept` the rows that are left."""
        self._check_settings()
        expert, gate = self._make_expert(self.expert), make_gate(self.gate)
        # What a warm start must share with the fit it goes on from.
        kind = (self.n_features_in_, y.shape[1:], _kind(expert), _kind(gate))
        kind += (repr(self.expert_features), repr(self.gate_features))
        if self.warm_start and hasattr(self, "params_"):
            columns, previous = self.columns_, self.params_
            if kind != self._kind:
                raise ValueError(
                    "warm_start: the earlier fit has (features, outputs, expert, gate, expert_features, gate_features) "
                    f"{self._kind}, this one has {kind}. Use warm_start=False."
                )
        else:
            columns, previous = self._new_columns(tables, weight), None
        rows = columns.rows(tables, y=y, weight=weight, **arguments)
        check_support(expert, gate, rows)
        tree = self._make_tree(expert, rows)
        if isinstance(gate, NodeGate):
            gate = TreeGate(gate, tree)
        elif isinstance(gate, TreeGate) and gate.tree != tree:
            raise ValueError(f"gate has the tree {gate.tree!r}, the model {tree!r}; give the gate's nodes alone.")
        mixture = Mixture(gate.resolve(rows, columns.gate.design), expert.resolve(rows, columns.expert.design))
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
        self.model_, self.columns_, self.tree_, self._kind = mixture, columns, tree, kind
        self.restarts_ = [
            restarts.Restart(name, fit.objective, fit.n_iter, fit.reason) for name, fit in zip(names, fits, strict=True)
        ]
        self._keep(best)

    def _new_columns(self, tables, weight):
        names = getattr(self, "feature_names_in_", [f"x{j}" for j in range(self.n_features_in_)])
        features = self.expert_features, self.gate_features
        return Columns.fit(*features, tables, names, weight, self.standardize, alike=self._gate_is_blind)

    @property
    def _gate_is_blind(self):
        """Whether the gate looks at no column, so that it has no claim to any."""
        return not make_gate(self.gate).sees_columns

    def _make_tree(self, expert, rows):
        if isinstance(expert, MixedExpert) and self.tree is None and self.n_experts is None:
            if isinstance(self.depth, str) and np.ndim(self.branching) == 0:
                raise ValueError(
                    f"expert is a list of {len(expert.experts)} experts, one for each leaf: say which tree, for "
                    f"example n_experts={len(expert.experts)}."
                )
        tree = Tree.from_parameters(
            self.depth,
            self.branching,
            self.n_experts,
            self.tree,
            rows_per_leaf=10 * rows.X.shape[1],
            weight=rows.weight.sum(),
        )
        if isinstance(expert, MixedExpert):
            expert.check(tree.n_leaves)
        return tree

    def _keep(self, best):
        """Fitted attributes from the best fit."""
        self.params_ = best.params
        self._reached = best.objective if best.converged else -np.inf
        self.n_experts_ = self.tree_.n_leaves
        self.objective_ = "joint" if self.model_.gate.generative else "conditional"
        self.experts_ = self.model_.expert.report(best.params.experts, self.columns_.expert.design)
        self.gate_ = self.model_.gate.report(best.params.gate, self.columns_.gate.design)
        self.history_, self.stages_ = best.history, list(best.stages)
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

    def _tables(self, X, y=None, *, reset):
        """The tables that experts and gate take their columns from, and y, validated.

        A side with all columns wants numbers; one that picks or transforms them sees the table as it came.
        """
        gate_picks = self.gate_features is not None or (self.expert_features is not None and self._gate_is_blind)
        picks = (self.expert_features is not None, gate_picks)
        given = X if hasattr(X, "shape") else np.asarray(X)
        given = given.tocsr() if sp.issparse(given) else given
        if all(picks):
            if reset:  # scikit-learn's checks of a target, without a table of numbers
                y = check_X_y(np.zeros((given.shape[0], 1)), y, **self._target_checks(y))[1]
            validate_data(self, given, reset=reset, skip_check_array=True)
            numbers = None
        elif reset:
            numbers, y = validate_data(self, X, y, accept_sparse="csr", dtype=np.float64, **self._target_checks(y))
        else:
            numbers = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        return tuple(given if pick else numbers for pick in picks), y

    def _rows(self, X, **arguments):
        check_is_fitted(self)
        tables, _ = self._tables(X, reset=False)
        n_rows = tables[0].shape[0]
        arrays = {name: _row_argument(name, value, n_rows) for name, value in arguments.items()}
        for name, array in arrays.items():
            if array is None and name in self._row_arguments:
                raise ValueError(f"the model was fitted with {name}; give {name} here too, {_NEUTRAL[name]}.")
            if array is not None and name not in self.model_.expert.row_arguments:
                raise ValueError(f"{name} is given, but {type(self.model_.expert).__name__} takes no {name}.")
        return self.columns_.rows(tables, **arrays)

    def _labelled_rows(self, X, y, **arguments):
        rows, y = self._rows(X, **arguments), self._encode(y)
        if len(y) != rows.n_rows:
            raise ValueError(f"X has {rows.n_rows} rows, y has {len(y)}.")
        rows = rows._replace(y=y)
        check_target(self.model_.expert, rows)
        return rows

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
        return self._responsibilities(self._labelled_rows(X, y))

    def _responsibilities(self, rows):
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
        return self._log_likelihood(self._labelled_rows(X, y))

    def _log_likelihood(self, rows):
        return self.model_.evidence(self.params_, rows)

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
        try:
            expert, gate = self._make_expert(self.expert), make_gate(self.gate)
        except (TypeError, ValueError):  # refused in fit
            expert, gate = EXPERTS[self._default_expert](), make_gate(None)
        tags.input_tags.sparse = expert.supports_sparse and gate.supports_sparse
        tags.target_tags.multi_output = self._task == "regression" and expert.supports_multioutput
        tags.target_tags.positive_only = expert.positive_only
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


def _positive(weight, tables, *arrays):
    """Rows of positive weight, as a mask, and the others' tables and arrays: they must not touch anything."""
    kept = weight > 0
    if not kept.any():
        raise ValueError("sample_weight is zero everywhere; at least one row needs a positive weight.")
    if kept.all():
        return kept, tables, *arrays
    index = np.flatnonzero(kept)
    tables = tuple(_safe_indexing(table, index) for table in tables)
    return kept, tables, *(None if array is None else array[kept] for array in arrays)


# What a row argument is where it changes nothing.
_NEUTRAL = {"offset": "0 for a rate per unit of exposure", "trials": "1 for the probability of a success"}


def _row_argument(name, value, n_rows):
    """A number for each row, or None."""
    if value is None:
        return None
    array = check_numbers(value, name, (n_rows,), nonnegative=name == "trials")
    if name == "trials" and (array == 0).any():
        raise ValueError(f"trials must be > 0, got {value!r}.")
    return array


def _kind(family):
    """What a family is, as far as its parameters go: its class, or those of its members."""
    members = getattr(family, "members", None)
    return type(family).__name__ if members is None else tuple(type(member).__name__ for member in members)


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
        The family of experts: {experts}.
        None is the default family, "{default}". A list of (name, expert) pairs gives every leaf its own, from left to
        right.
    gate : {{"softmax", "constant", "gaussian", "topk"}}, gate object or None, default=None
        The gate, or the family of its nodes; None is "softmax".
    expert_features, gate_features : None, columns or transformer, default=None
        What experts and gate see of X: all columns; some of them, by names, numbers, a mask, a slice or a callable as
        in scikit-learn's `ColumnTransformer`; or a transformer that is fitted with the model. With both given, X may
        hold columns that are no numbers.
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
    objective_ : str
        "conditional" where `lower_bounds_` is of log p(y | x), "joint" where it is of log p(x, y) (a Gaussian gate).
    stages_ : list of Stage
        What each stage of a sparse gate's training reached; empty for other gates.
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


def _in_quotes(names):
    """Names as a list in a docstring."""
    return "\n        ".join(wrap(", ".join(f'"{name}"' for name in names), 100))


class HMERegressor(RegressorMixin, _BaseHME):
    __doc__ = (
        """Hierarchical mixture of experts for regression, fitted by EM.

    """
        + _PARAMETERS.format(
            experts=_in_quotes(expert_names("regression")), default="linear", start="model_tree",
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

    def _target_checks(self, y):
        """What scikit-learn checks of a target: one column is no row of outputs to a family of one output."""
        shape = np.asarray(y).shape
        several = len(shape) == 2 and shape[1] > 1  # refused by the family's name later on
        return {"y_numeric": True, "multi_output": several or self._make_expert(self.expert).supports_multioutput}

    def fit(self, X, y, sample_weight=None, *, offset=None, trials=None):
        """Fit the mixture.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        sample_weight : array-like of shape (n,) or None
            Not negative; a weight of 2 is the same as the row twice.
        offset : array-like of shape (n,), float or None
            Known part of every expert's linear predictor, such as the logarithm of an exposure.
        trials : array-like of shape (n,), float or None
            Trials of which y counts the successes, for binomial experts.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Naming the parameter, its value and what is allowed.
        """
        with _unchanged_on_error(self):
            tables, y = self._tables(X, y, reset=True)
            weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
            flat = y.ndim == 1
            arguments = {name: _row_argument(name, value, len(y)) for name, value in
                         (("offset", offset), ("trials", trials))}
            Y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
            kept, tables, Y, weight, *values = _positive(weight, tables, Y, weight, *arguments.values())
            arguments = dict(zip(arguments, values, strict=True))
            size = np.abs(Y).max()
            if size > LARGEST or 0 < size < 1.0 / LARGEST:
                raise ValueError(f"y has values of size {size:g}, whose squares are out of range; change its units.")
            self._fit(tables, Y, weight, kept, **arguments)
            self._flat_output, self._n_outputs = flat, Y.shape[1]
            self._row_arguments = {name for name, value in arguments.items() if value is not None}
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

    def responsibilities(self, X, y, *, offset=None, trials=None):
        """Posterior of every expert, having seen y, (n, K), eq. (responsibility).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.

        Returns
        -------
        ndarray of shape (n, K)
        """
        return self._responsibilities(self._labelled_rows(X, y, offset=offset, trials=trials))

    def log_likelihood(self, X, y, *, offset=None, trials=None):
        """log p(y | x) of every row, (n,), eq. (evidence).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.

        Returns
        -------
        ndarray of shape (n,)
        """
        return self._log_likelihood(self._labelled_rows(X, y, offset=offset, trials=trials))

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

    def predict(self, X, return_std=False, *, offset=None, trials=None):
        """Mean of y given x, eq. (mean).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        return_std : bool, default=False
            Also return the standard deviation: noise within experts and disagreement between them, eq. (variance). It
            is inf where an expert has none (Student-t with two or fewer degrees of freedom).
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.

        Returns
        -------
        ndarray of shape (n,) or (n, T), or a pair of them
        """
        rows = self._rows(X, offset=offset, trials=trials)
        if not return_std:
            return self._output(self.model_.mean(self.params_, rows))
        mean, variance = self.model_.moments(self.params_, rows)
        return self._output(mean), self._output(np.sqrt(variance))

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
        rows = self._rows(X, offset=offset, trials=trials)
        return self._output(
            self._by_blocks(lambda block: self.model_.expert.predict(self.params_.experts, block), rows)
        )


class HMEClassifier(ClassifierMixin, _BaseHME):
    __doc__ = (
        """Hierarchical mixture of experts for classification, fitted by EM.

    """
        + _PARAMETERS.format(
            experts=_in_quotes(expert_names("classification")),
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
    _row_arguments = frozenset()

    def __init__(
        self,
        depth="auto",
        branching=2,
        *,
        n_experts=None,
        tree=None,
        expert=None,
        gate=None,
        expert_features=None,
        gate_features=None,
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
            tables, y = self._tables(X, y, reset=True)
            try:
                check_classification_targets(y)
            except TypeError:
                raise TypeError("y holds labels of different types, which cannot be sorted; use one type.") from None
            weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
            weight = weight * self._class_factor(y)
            kept, tables, y, weight = _positive(weight, tables, y, weight)
            classes, codes = np.unique(y, return_inverse=True)
            if len(classes) < 2:
                raise ValueError(f"y has one class only, {classes[0]!r}; a classifier needs at least two classes.")
            if self.warm_start and hasattr(self, "classes_") and not np.array_equal(classes, self.classes_):
                raise ValueError(f"warm_start: y has the classes {classes}, the earlier fit {self.classes_}.")
            self._fit(tables, codes, weight, kept)
            self.classes_ = classes
        return self

    def _class_factor(self, y):
        if self.class_weight is None:
            return 1.0
        factor = compute_sample_weight(self.class_weight, y)
        if not (np.isfinite(factor).all() and (factor >= 0).all()):
            raise ValueError(f"class_weight = {self.class_weight!r} must hold finite numbers >= 0.")
        return factor

    def _target_checks(self, y):
        return {}

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
        rows = self._rows(X)
        probability = self.model_.mean(self.params_, rows)
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
