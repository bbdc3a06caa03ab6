"""What both estimators share: settings, and the fit from rows to attributes."""

import warnings

import joblib
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

from ..experts import MixedExpert
from ..fitting import em, restarts, starts
from ..fitting.algorithms import ALGORITHMS
from ..model.features import Columns
from ..model.folds import fold_numbers
from ..model.mixture import Mixture
from ..model.tree import Tree
from ..numerics.checks import check_choice, check_int, check_real
from ..registry import check_support, make_expert, make_gate
from .fitted import FittedMixture
from .inputs import (
    ONE_WEIGHT,
    check_constant,
    check_group_columns,
    group_codes,
    in_groups,
    label_factors,
    positive_rows,
)

__all__ = ["BaseHME"]


class BaseHME(FittedMixture, BaseEstimator):
    """What the regressor and the classifier share: settings, and the fit from rows to attributes."""

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
        for name, make in (("expert", lambda family: make_expert(family, self.task)), ("gate", make_gate)):
            family = params.get(name, getattr(self, name))
            if any(key.startswith(f"{name}__") for key in params) and not hasattr(family, "get_params"):
                params[name] = make(family)
        return super().set_params(**params)

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
        expert, gate = make_expert(self.expert, self.task), make_gate(self.gate)
        # What a warm start must share with the fit it goes on from.
        kind = (self.n_features_in_, y.shape[1:], expert.structure(), gate.structure())
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
        sees = expert.traits.sees_table, gate.traits.sees_table
        rows, order = in_groups(columns.rows(tables, *sees, y=y, weight=weight, group=codes, **arguments))
        check_support(expert, gate, rows)
        tree = self._make_tree(expert, rows)
        if gate.traits.sees_columns and tree.n_leaves > 1:
            check_group_columns(rows, columns.gate.design.names)
        rows = self._with_labels(rows, labels, kept, order, tree.n_leaves, gate)
        if expert.traits.cross_fitted or gate.traits.cross_fitted:
            rows = rows._replace(fold=fold_numbers(rows))
        gate = gate.over(tree)
        # One thread, as in the fit: results do not depend on how many there are. The guard sees to what overflows.
        with threadpool_limits(1, user_api="blas"), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            gate = gate.bind(rows.heads(), columns.gate.design)
            mixture = Mixture(gate, expert.bind(rows, columns.expert.design))
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
            if codes is None and isinstance(self.start, str) and self.start == "groups":
                raise ValueError("start = 'groups' needs groups in fit.")
            given = None if isinstance(self.start, str) else starts.given(self.start, kept, tree.n_leaves)
            given = given if given is None or order is None else given[order]
            first = "given" if given is not None else self.start
            grouped = rows.group is not None and len(rows.firsts()) < rows.n_rows
            names = starts.sequence(first, self.n_init, self.task == "classification", grouped)
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
        self.restart_params_ = None if mixture.refitted else [fit.params for fit in fits]
        self._keep(best)

    def _brought_along(self, params, mixture, rows, fitted_on):
        """Parameters of an earlier fit as a start on these rows.

        What was fitted to other rows has seen some of these, and an estimator that is given may be another one now: of
        such a fit only the responsibilities go on.
        """
        given = mixture.expert.traits.sees_table or mixture.gate.traits.sees_table or mixture.refitted
        if not given or (fitted_on is not None and fitted_on == self._fitted_on):
            return params
        return mixture.init(rows, self.model_.posterior(params, rows._replace(fold=None))[1])

    def _with_labels(self, rows, labels, kept, order, n_leaves, gate):
        """The rows with what the user knows of their experts."""
        if labels is None:
            return rows
        if gate.traits.routed:
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
        return not make_gate(self.gate).traits.sees_columns

    @property
    def _follows(self):
        """Whether the experts see nothing but the table itself, and so leave the design columns to the gate."""
        expert = make_expert(self.expert, self.task)
        return all(member.traits.sees_table for member in expert.members)

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
            expert.check_leaves(tree.n_leaves)
        return tree

    def _keep(self, best):
        """Fitted attributes from the best fit."""
        self.params_ = best.params
        self._reached = best.objective if best.converged else -np.inf
        self.n_experts_ = self.tree_.n_leaves
        self.objective_ = "joint" if self.model_.gate.traits.generative else "conditional"
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
        starving, names = restarts.starving(best).tolist(), mixture.expert.names
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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        try:
            expert, gate = make_expert(self.expert, self.task), make_gate(self.gate)
        except (TypeError, ValueError):  # refused in fit
            expert, gate = make_expert(None, self.task), make_gate(None)
        tags.input_tags.sparse = expert.traits.sparse_input and gate.traits.sparse_input
        tags.target_tags.multi_output = self.task == "regression" and expert.traits.multioutput
        tags.target_tags.positive_only = expert.traits.positive
        return tags
