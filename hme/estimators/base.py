"""What both estimators share: settings, the fit from rows to attributes, and the predict side that needs no y."""

import warnings

import joblib
import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state, check_X_y
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .. import em, restarts, starts
from ..checks import check_choice, check_int, check_real
from ..design import LARGEST
from ..experts import MixedExpert
from ..features import Columns, Tables
from ..folds import fold_numbers
from ..gates import NodeGate, TreeGate
from ..model import Mixture
from ..posterior import ALGORITHMS
from ..registry import EXPERTS, check_support, check_target, make_expert, make_gate
from ..tree import Tree
from .inputs import (
    NEUTRAL,
    check_constant,
    check_group_columns,
    group_codes,
    in_groups,
    label_factors,
    positive_rows,
    row_argument,
    rows_out_of_range,
)

__all__ = ["PARAMETERS", "BaseHME"]

ONE_WEIGHT = "A group counts once, with the weight of its rows."


class BaseHME(BaseEstimator):
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
        algorithm="em",
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
        self.algorithm = algorithm
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
        algorithms = self._algorithms
        if not algorithms or not all(isinstance(name, str) and name in ALGORITHMS for name in algorithms):
            raise ValueError(
                f"algorithm = {self.algorithm!r} must be one of {sorted(ALGORITHMS)}, or several of them in a tuple, "
                "each of which goes on from the one before."
            )
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

    @property
    def _algorithms(self):
        return self.algorithm if isinstance(self.algorithm, list | tuple) else (self.algorithm,)

    def _in_use(self, tables, y, weight, groups, **arguments):
        """The rows of positive weight: which they are, their tables, y, weights and codes of groups, and the rest."""
        codes = group_codes(groups, len(y))
        if codes is not None:
            by_class = getattr(self, "class_weight", None) is not None
            check_constant("class_weight" if by_class else "sample_weight", weight, codes, ONE_WEIGHT)
        kept, *used, codes = positive_rows(weight, tables, y, weight, *arguments.values(), codes)
        return kept, *used[:3], codes, dict(zip(arguments, used[3:], strict=True))

    def _fit(self, tables, y, weight, kept, codes, labels, **arguments):
        """Fit to validated arrays; y is (n, T) or class codes, all weights positive, `kept` the rows that are left."""
        self._check_settings()
        expert, gate = self._make_expert(self.expert), make_gate(self.gate)
        # What a warm start must share with the fit it goes on from.
        kind = (self.n_features_in_, y.shape[1:], structure(expert), structure(gate))
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
        sees = expert.sees_table, gate.sees_table
        rows, order = in_groups(columns.rows(tables, *sees, y=y, weight=weight, group=codes, **arguments))
        check_support(expert, gate, rows)
        tree = self._make_tree(expert, rows)
        if gate.sees_columns and tree.n_leaves > 1:
            check_group_columns(rows, columns.gate.design.names)
        rows = self._with_labels(rows, labels, kept, order, tree.n_leaves, gate)
        if expert.cross_fitted or gate.cross_fitted:
            rows = rows._replace(fold=fold_numbers(rows))
        if isinstance(gate, NodeGate):
            gate = TreeGate(gate, tree)
        elif isinstance(gate, TreeGate) and gate.tree != tree:
            raise ValueError(f"gate has the tree {gate.tree!r}, the model {tree!r}; give the gate's nodes alone.")
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # the guard sees to what overflows
            gate = gate.resolve(rows.heads(), columns.gate.design)
            mixture = Mixture(gate, expert.resolve(rows, columns.expert.design))
        if previous is not None and tree != self.tree_:
            raise ValueError(f"warm_start: the earlier fit has {self.tree_!r}, not {tree!r}. Use warm_start=False.")
        options = em.Options(self.max_iter, self.tol, self.callback, self.verbose, self._algorithms, self._seed())
        fitted_on = None
        if mixture.refitted and self.warm_start:  # otherwise nothing of the earlier fit belongs to its rows
            fitted_on = joblib.hash((rows.X, rows.y, rows.weight)), repr(expert), repr(gate)
        if previous is not None:
            previous = self._brought_along(previous, mixture, rows, fitted_on)
        if previous is not None:
            names, fits = ["warm"], [restarts.continue_fit(mixture, rows, previous, options, self._reached)]
        else:
            given = None if isinstance(self.start, str) else starts.given(self.start, kept, tree.n_leaves)
            given = given if given is None or order is None else given[order]
            first = "given" if given is not None else self.start
            names = starts.sequence(first, self.n_init, self._task == "classification")
            fits = restarts.run(mixture, rows, tree, names, options, given, self.n_finalists, self.n_jobs)
        best = max(fits, key=lambda fit: fit.objective)
        if self.on_empty == "reseed" and best.reason not in ("interrupted", "callback"):
            best = restarts.feed(mixture, rows, best, options)
        self.boundary_ = self._report_troubles(mixture, best)
        self.model_, self.columns_, self.tree_, self._kind = mixture, columns, tree, kind
        self._fitted_on = fitted_on
        self.restarts_ = [
            restarts.Restart(name, fit.objective, fit.n_iter, fit.reason)
            for name, fit in zip(names, fits, strict=False)  # an interrupt leaves the later starts out
        ]
        self._keep(best)

    def _brought_along(self, params, mixture, rows, fitted_on):
        """Parameters of an earlier fit as a start on these rows.

        What was fitted to other rows has seen some of these, and an estimator that is given may be another one now: of
        such a fit only the responsibilities go on.
        """
        given = mixture.expert.sees_table or mixture.gate.sees_table or mixture.refitted
        if not given or (fitted_on is not None and fitted_on == self._fitted_on):
            return params
        return mixture.init(rows, self.model_.e_step(params, rows._replace(fold=None))[1])

    def _with_labels(self, rows, labels, kept, order, n_leaves, gate):
        """The rows with what the user knows of their experts."""
        if labels is None:
            return rows
        if gate.sparse:
            raise ValueError(f"labels do not go with {type(gate).__name__}, which could shut a row's own expert out.")
        labels = np.asarray(labels)
        if labels.shape[:1] != kept.shape:
            raise ValueError(f"labels has {labels.shape[:1]} rows, X has {len(kept)}.")
        labels = labels[kept] if order is None else labels[kept][order]
        return rows._replace(log_label=label_factors(labels, rows.n_rows, n_leaves, rows.group))

    def _new_columns(self, tables, weight):
        names = getattr(self, "feature_names_in_", [f"x{j}" for j in range(self.n_features_in_)])
        blind = all(self._picks) and self._follows and self.gate_features is None
        features = self.expert_features, [] if blind else self.gate_features
        return Columns.fit(*features, tables, names, weight, self.standardize, self._gate_is_blind, self._follows)

    @property
    def _gate_is_blind(self):
        """Whether the gate looks at no column, so that it has no claim to any."""
        return not make_gate(self.gate).sees_columns

    @property
    def _follows(self):
        """Whether the experts see nothing but the table itself, and so leave the design columns to the gate."""
        expert = self._make_expert(self.expert)
        return all(member.sees_table for member in getattr(expert, "members", [expert]))

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
        if self._algorithms[-1] == "hard":
            self.objective_ += " classification"
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
        starving, names = restarts.starving(best).tolist(), getattr(mixture.expert, "names", None)
        starving = [names[k] for k in starving] if names else starving
        if starving and self.on_empty == "raise":
            raise ValueError(f"{restarts.STARVED.format(starving, 'n_init > 1')} (on_empty='raise').")
        boundary = mixture.warnings(best.params, best.stats)
        causes = []
        if best.reason in restarts.STOPS:
            causes.append(restarts.STOPS[best.reason].format(self.max_iter, best.gradient))
        if starving:
            advice = "n_init > 1" if self.on_empty == "reseed" else "n_init > 1 or on_empty='reseed'"
            causes.append(restarts.STARVED.format(starving, advice))
        if causes or boundary:
            message = f"{type(self).__name__}: " + "; ".join(causes + boundary) + "."
            warnings.warn(message, ConvergenceWarning, stacklevel=4)
        return boundary

    # -- the predict side --------------------------------------------------------------------------------------------

    def _tables(self, X, y=None, *, reset, picks=None):
        """The tables that experts and gate take their columns from, and y, validated.

        A side with all columns wants numbers; one that picks or transforms them sees the table as it came.
        """
        if reset and picks is None:
            gate_picks = self.gate_features is not None or (self.expert_features is not None and self._gate_is_blind)
            picks = (self.expert_features is not None or self._follows, gate_picks)
        if reset:
            self._picks = picks
        picks = self._picks
        given = X if hasattr(X, "shape") else np.asarray(X)
        given = given.tocsr() if sp.issparse(given) else given
        if all(picks):
            if len(given.shape) != 2:
                raise ValueError(f"Expected 2D array, got X of shape {given.shape} instead.")
            if reset:  # scikit-learn's checks of a target, without a table of numbers
                y = check_X_y(np.zeros((given.shape[0], 1)), y, **self._target_checks(y))[1]
            validate_data(self, given, reset=reset, skip_check_array=True)
            numbers = None
        elif reset:
            checks = {"accept_sparse": "csr", "dtype": np.float64, **self._target_checks(y)}
            try:
                numbers, y = validate_data(self, X, y, **checks)
            except ValueError as error:
                reason = str(error).splitlines()[0].rstrip(".")
                if not any(picks) or not ("could not convert" in reason or "X contains NaN" in reason):
                    raise
                if self._follows and self._gate_is_blind:  # nobody but the estimators looks at the columns
                    return self._tables(X, y, reset=True, picks=(True, True))
                side = "expert" if picks[1] else "gate"
                raise ValueError(f"{reason}: the {side} sees all columns of X; give {side}_features too.") from error
        else:
            numbers = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        whole = given if numbers is None or hasattr(given, "columns") else numbers  # names of columns are kept
        return Tables(*(given if pick else numbers for pick in picks), whole), y

    def _rows(self, X, **arguments):
        check_is_fitted(self)
        tables, _ = self._tables(X, reset=False)
        n_rows = tables.expert.shape[0]
        arrays = {name: row_argument(name, value, n_rows) for name, value in arguments.items()}
        for name, array in arrays.items():
            if array is None and name in self._row_arguments:
                raise ValueError(f"the model was fitted with {name}; give {name} here too, {NEUTRAL[name]}.")
            if array is not None and name not in self.model_.expert.row_arguments:
                raise ValueError(f"{name} is given, but {type(self.model_.expert).__name__} takes no {name}.")
        rows = self.columns_.rows(tables, self.model_.expert.sees_table, self.model_.gate.sees_table, **arrays)
        if any(rows_out_of_range(columns) for columns in ((rows.X,) if rows.Z is rows.X else (rows.X, rows.Z))):
            raise ValueError(f"X holds values more than {LARGEST:g} standard deviations from those of the fit.")
        return rows

    def _labelled_rows(self, X, y, groups=None, **arguments):
        """Rows with their y, groups together, and their numbers in the user's order (None: as they are)."""
        rows, y = self._rows(X, **arguments), self._encode(y)
        if len(y) != rows.n_rows:
            raise ValueError(f"X has {rows.n_rows} rows, y has {len(y)}.")
        if y.dtype.kind == "f" and np.abs(y).max(initial=0.0) > LARGEST:
            raise ValueError(f"y has values of a size beyond {LARGEST:g}, whose squares are out of range.")
        rows = rows._replace(y=y)
        check_target(self.model_.expert, rows)
        rows, order = in_groups(rows._replace(group=group_codes(groups, rows.n_rows)))
        if self.model_.gate.sees_columns and self.n_experts_ > 1:
            check_group_columns(rows, self.columns_.gate.design.names)
        return rows, order

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

    def _responsibilities(self, X, y, **arguments):
        rows, order = self._labelled_rows(X, y, **arguments)
        resp = self._by_blocks(
            lambda block: block.spread(np.ascontiguousarray(self.model_.e_step(self.params_, block)[1])), rows
        )
        if order is None:
            return resp
        unsorted = np.empty_like(resp)
        unsorted[order] = resp
        return unsorted

    def _log_likelihood(self, X, y, **arguments):
        rows, _ = self._labelled_rows(X, y, **arguments)
        return self.model_.evidence(self.params_, rows)

    @property
    def n_parameters_(self):
        """Number of free parameters, of gate and experts."""
        try:
            return int(self.model_.n_parameters(self.params_))
        except NotImplementedError as error:
            raise AttributeError(str(error)) from error

    def bic(self, X, y, sample_weight=None, **rows):
        """Bayesian information criterion, ``-2 log-likelihood + n_parameters_ log(weight)``; less is better, eq. (bic).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        sample_weight : array-like of shape (n,) or None
        **rows
            Row arguments of `log_likelihood`: `groups`, for a regressor also `offset` and `trials`. With groups the
            criterion counts groups.

        Returns
        -------
        float
        """
        log_likelihood, weight = self._information(X, y, sample_weight, **rows)
        return -2.0 * log_likelihood + self.n_parameters_ * np.log(weight)

    def aic(self, X, y, sample_weight=None, **rows):
        """Akaike's information criterion, ``-2 log-likelihood + 2 n_parameters_``; less is better, eq. (bic).

        Parameters
        ----------
        X, y, sample_weight, **rows
            As for `bic`.

        Returns
        -------
        float
        """
        return -2.0 * self._information(X, y, sample_weight, **rows)[0] + 2.0 * self.n_parameters_

    def _information(self, X, y, sample_weight, groups=None, **rows):
        """The log-likelihood and what it is the sum of: weights of groups, or of rows."""
        log_likelihood = self.log_likelihood(X, y, groups=groups, **rows)
        codes = group_codes(groups, len(y))
        weight = _check_sample_weight(sample_weight, np.asarray(y), dtype=np.float64, ensure_non_negative=True)
        if codes is not None:
            check_constant("sample_weight", weight, codes, ONE_WEIGHT)
            weight = weight[np.unique(codes, return_index=True)[1]]
        return float(weight @ log_likelihood), float(weight.sum())

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


# Hyper-parameters that may change between a fit and the warm start that goes on from it: they say how much, not what.
STRENGTHS = {
    "alpha", "shrink_to", "variance_prior", "variance_floor", "dispersion_prior", "dispersion_floor",
    "covariance_prior", "covariance_floor", "max_depth", "min_weight_leaf", "commit", "balance", "dense_sweeps",
    "max_stages", "stage_sweeps", "l1_ratio", "scale_penalty", "n_jobs", "smoothing",
}  # fmt: skip


def structure(family):
    """What a family is, as far as its parameters go: its class and all hyper-parameters but strengths."""
    if isinstance(family, MixedExpert):  # leaves whose families are equal are kept together
        return repr(family)
    params = {name: value for name, value in family.get_params(deep=False).items() if name not in STRENGTHS}
    return f"{type(family).__name__}({', '.join(f'{name}={value!r}' for name, value in sorted(params.items()))})"


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
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where X has string column names.{classes}

    References
    ----------
    Jordan, M. I. and Jacobs, R. A. (1994). Hierarchical mixtures of experts and the EM algorithm. Neural Computation
    6(2), 181-214.
"""
