"""What regressor and classifier share: hyper-parameters, and the tags that tell scikit-learn what they support."""

from abc import abstractmethod
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..numerics.engine import threads
from ..progress import NOBODY, Followable
from ..registry import make_expert, make_gate
from ..text.drawing import tree_svg
from ..text.tree import told
from .fitted import FittedMixture
from .inputs import read, unchanged_on_error
from .keeping import attributes_of_all_runs, keep, keep_growth, restored
from .row_arguments import label_factors
from .settings import is_automatic
from .starting import Prepared, Start, prepare, start
from .storing import Versioned

__all__ = ["BaseHME"]

MOST_SHOWN = 8  # experts of a tree that is open at once in a notebook


class Begun(NamedTuple):
    """A fit that has begun."""

    prepared: Prepared
    start: Start
    task: Any = NOBODY  # that the fit is


class BaseHME(FittedMixture, Versioned, Followable, BaseEstimator):
    """What the regressor and the classifier share.

    Both fit in four steps: `binding.bind`, `starting.start`, the run of EM from every start, and `keeping.keep`. What
    differs between them is the target (`target.Outputs`, `target.Classes`) and what they answer once fitted.

    Attributes
    ----------
    task : str
        "regression" or "classification".
    """

    def __init__(
        self,
        depth="auto",
        branching=2,
        *,
        n_experts=None,
        tree=None,
        max_experts=None,
        min_weight_fraction_leaf=0.0,
        candidates="auto",
        average=True,
        expert=None,
        gate=None,
        expert_features=None,
        gate_features=None,
        standardize=True,
        hold_range=True,
        algorithm="em",
        accelerate=True,
        start="auto",
        n_init=1,
        n_finalists="auto",
        prefer="auto",
        max_iter=500,
        tol="auto",
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
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
        self.max_experts = max_experts
        self.min_weight_fraction_leaf = min_weight_fraction_leaf
        self.candidates = candidates
        self.average = average
        self.expert = expert
        self.gate = gate
        self.expert_features = expert_features
        self.gate_features = gate_features
        self.standardize = standardize
        self.hold_range = hold_range
        self.algorithm = algorithm
        self.accelerate = accelerate
        self.start = start
        self.n_init = n_init
        self.n_finalists = n_finalists
        self.prefer = prefer
        self.max_iter = max_iter
        self.tol = tol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.on_empty = on_empty
        self.warm_start = warm_start
        self.callback = callback
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    # -- hyper-parameters --------------------------------------------------------------------------------------------

    def get_params(self, deep=True):
        """Hyper-parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether those of the experts and the gate are among them, as ``expert__alpha``; of a list of experts every
            member, ``expert__line``, and its own, ``expert__line__alpha``.

        Returns
        -------
        dict
        """
        params = super().get_params(deep=deep)
        if deep and isinstance(self.expert, list | tuple):
            try:
                family = make_expert(self.expert, self.task)
            except (TypeError, ValueError):  # refused in fit
                return params
            own = family.get_params(deep=True)
            params |= {f"expert__{name}": value for name, value in own.items() if name != "experts"}
        return params

    def set_params(self, **params):
        """Set hyper-parameters, also those of the experts and the gate.

        Parameters
        ----------
        **params
            Of the estimator by their names, of the families as ``expert__alpha`` and ``gate__alpha``, even where the
            family is a default or given by its name. In a list of experts the name of the expert comes between:
            ``expert__line__alpha``.

        Returns
        -------
        self
        """
        for name, make in (("expert", lambda family: make_expert(family, self.task)), ("gate", make_gate)):
            family = params.get(name, getattr(self, name))
            if any(key.startswith(f"{name}__") for key in params) and not hasattr(family, "get_params"):
                params[name] = make(family)
        return super().set_params(**params)

    def _begin(self, read_as, task=NOBODY, **changes):
        """All of a fit before EM runs: families and columns are bound, a tree grows, starts are named."""
        prepared = prepare(self, read_as, task)
        given, bound, grown, _ = prepared
        task = task and task.knowing(attributes_of_all_runs(self, given, bound))
        return Begun(prepared, start(self, given, bound, grown, task=task, **changes), task)

    def _end(self, begun, outcome, average):
        """All of it after that: the best run becomes the fitted attributes."""
        last = begun.task.part("finish", None)
        prepared = begun.prepared
        kept = keep(self, prepared.given, prepared.bound, begun.start.under(last), outcome)
        last.end()
        keep_growth(self, kept, prepared, average)
        return kept

    def fit_for_search(
        self, X, y, sample_weight=None, *, climbs=False, nested=None, groups=None, labels=None, **arguments
    ):
        """Fit without what is for a final fit only: pushes off saddles, and what the predictive density adds.

        For searches that score many mixtures; predictive and plug-in densities are the same then.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        sample_weight : array-like of shape (n,) or None
        climbs : bool
            Whether to push the fit off saddles nevertheless.
        nested : ndarray of shape (n, K) or None
            Responsibilities of one more start, beside those of the hyper-parameters.
        groups, labels, **arguments
            As in `fit`.

        Returns
        -------
        self
        """
        with unchanged_on_error(self), threads(self.n_jobs):
            given = X, y, sample_weight, groups, labels
            begun = self._begin(lambda own: read(own, *given, **arguments), climbs=climbs, nested=nested, newton=None)
            self._end(begun, begun.start.run(), average=False)
            self._complete()
        return self

    @abstractmethod
    def _complete(self):
        """Set the attributes that only regressors or only classifiers have, as after a fit for a search."""

    # -- other starts, and fits of the same model to other data ------------------------------------------------------

    def from_restart(self, number):
        """The model as another start left it.

        Parameters
        ----------
        number : int
            Of the start in `restarts_`.

        Returns
        -------
        HMERegressor or HMEClassifier
            A fitted copy. It has the experts that the start had, before ``on_empty`` mended anything. Its predictive
            density is the plug-in one, unless the start is the one that was kept: what it leaves out needs the rows.
            With ``alpha="auto"`` starts run at the first strengths of penalties; only the one that was kept went on.
        """
        check_is_fitted(self)
        return restored(self, number)

    def as_fitted(self):
        """Hyper-parameters with which a clone has the tree and the experts that this fit has ended with.

        Returns
        -------
        dict
            For ``set_params``.
        """
        check_is_fitted(self)
        settings = {"tree": self.tree_, "depth": "auto", "branching": 2, "n_experts": None, "warm_start": False}
        settings |= {"max_experts": None, "min_weight_fraction_leaf": 0.0, "candidates": "auto"} | self.candidate_
        if self.expert is None and "expert" not in self.candidate_:
            settings["expert"] = make_expert(None, self.task, is_automatic(self))
        if self.on_empty == "drop":
            settings["on_empty"] = "warn"
        if self.dropped_:
            kept = self._earlier.kept
            settings["expert"] = make_expert(self.expert, self.task, is_automatic(self)).pruned(kept)
            settings["gate"] = make_gate(self.gate).pruned(self.tree_)
        return settings

    def alphas_as_fitted(self):
        """Hyper-parameters with which a clone has the strengths of penalties that this fit has estimated, as numbers.

        Objectives of fits, as those of several starts, can be compared only at the same strengths.

        Returns
        -------
        dict
            For ``set_params``; empty where no alpha is "auto".
        """
        check_is_fitted(self)
        found = {}
        for side, own in self.alpha_.items():
            of = {f"{name}__": alpha for name, alpha in own.items()} if isinstance(own, dict) else {"": own}
            found |= {f"{side}__{name}alpha": alpha for name, alpha in of.items()}
            # Strengths of columns that are numbers have another default of what slopes shrink to than estimated ones.
            settings = getattr(self.model_, side).get_params()
            of_columns = [f"{name}shrink_to" for name, alpha in of.items() if np.ndim(alpha)]
            found |= {f"{side}__{name}": "zero" for name in of_columns if settings.get(name, "") is None}
        return found

    def labels_as_fitted(self, labels):
        """Labels of `fit` as those of the experts that it has ended with.

        Parameters
        ----------
        labels : array-like of shape (n,) or (n, K)

        Returns
        -------
        array-like
            The same, or factors (n, K) if experts were dropped.
        """
        if not self.dropped_:
            return labels
        factors = np.exp(label_factors(labels, len(labels), self._earlier.asked.n_leaves))
        return factors[:, self._earlier.kept]

    # -- in notebooks ------------------------------------------------------------------------------------------------

    def _repr_mimebundle_(self, **kwargs):
        """What notebooks show: scikit-learn's diagram, and below it the fitted tree."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle and hasattr(self, "params_"):
            shown = f"{self.n_experts_} expert{'s' * (self.n_experts_ > 1)}"
            tree = tree_svg(told(self, max_terms=4), self.load_)
            state = "open" if self.n_experts_ <= MOST_SHOWN else ""
            bundle["text/html"] += (
                f'<details {state}><summary>The fitted tree: {shown}</summary><div style="overflow:auto">{tree}</div>'
                "</details>"
            )
        return bundle

    # -- for scikit-learn --------------------------------------------------------------------------------------------

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
