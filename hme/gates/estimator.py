"""Any classifier as a gate: responsibilities are the soft targets that it is fitted to, its probabilities the prior."""

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed

from ..model.parts import codes_of, first_of, lent, probabilities_of, quiet, renamed
from ..model.refits import STEP, fit_to, resample, seeded, weight_name
from ..model.traits import GateTraits
from ..model.wording import indented, threshold_in_words
from ..numerics.checks import check_int, check_real
from ..numerics.rank import n_aliased
from .base import Question, RefitGate

__all__ = ["EstimatorGate"]

ROLE = "the gate"  # of the classifier, in messages
NEGLIGIBLE = 1e-4  # share of a row that is not worth an entry of its own
LEAST_LEAF = 10.0  # weight in a leaf of the default tree, in units of rows


class EstimatorGateParams(NamedTuple):
    leaf: np.ndarray  # (K,) of int, the class that stands for each leaf
    proportion: np.ndarray  # (K,), never zero
    estimator: np.ndarray  # (K, F) of classifiers for all leaves: of each fold's complement, then of all rows
    noted: np.ndarray  # (K,) of str, what the classifiers warned of when they were fitted; "" for nothing


class EstimatorGateReport(NamedTuple):
    estimator: object  # the classifier of all rows; its class k is leaf k
    proportion: np.ndarray  # (K,) shares of the weight, which its probabilities are smoothed towards


class EstimatorGate(RefitGate):
    """A prior that a scikit-learn classifier learns, eq. (classifier-gate); by default a small decision tree.

    Every sweep refits the classifier, with the leaves as classes: each row is repeated once for each leaf, weighted by
    its responsibility, eq. (soft-targets). The classifier sees the table in the user's units, with its column names.
    The shape of the tree of experts has no effect. A refitted gate may lower the objective; EM keeps the best
    parameters it has found.

    Parameters
    ----------
    estimator : classifier or None, default=None
        Any classifier with `predict_proba`, also a pipeline; it is cloned. None is a `DecisionTreeClassifier` of depth
        3, or of one more than the experts ask for, whose leaves hold ten rows' weight or more. A classifier in a
        `FrozenEstimator` is taken as it is and never fitted: its classes, in sorted order, are the leaves from left to
        right.
    cv : int or None, default=5
        Folds of cross-fitting, eq. (cross-fitted-gate): responsibilities of the training rows use out-of-fold priors,
        while new rows get the prior of a classifier fitted to all rows. None or 1 uses the latter everywhere, with one
        fit per sweep instead of `cv` + 1. Small trees then report too good a fit; flexible classifiers overfit their
        own responsibilities, and are worse for new rows. `lower_bounds_` refers to the prior that EM used.
    smoothing : float, default=0.01
        Share of the overall proportions in every prior, greater than 0 and at most 1. Without it, a classifier that is
        certain would keep a row from ever moving to another expert.
    n_jobs : int or None, default=None
        Number of classifiers fitted in parallel (threads). The result does not depend on it.

    Notes
    -----
    Responsibilities below a ten-thousandth are left out, and the row's largest one makes up for them.

    If the classifier's `fit` takes no `sample_weight` (in a pipeline, that of the last step), it is fitted to a
    systematic, deterministic sample of rows in proportion to their weights, leaf by leaf, of as many rows as the
    weights amount to. Settings such as the smallest number of rows in a leaf of a tree, or the number of neighbours,
    then count repeated rows, not weight.

    Probabilities that are negative, not finite or do not sum to one raise an error, as does a classifier that changes
    its X, y or weights in place. Warnings of the classifiers in the last sweep are included in the warning of the fit.

    If only one leaf has responsibilities, it has all of the prior except for the smoothing. A `random_state` of None is
    replaced by 0, so that sweeps can be compared.

    Parameters are counted for trees (the probabilities of their leaves) and for classifiers with `coef_`; for others
    there is no `n_parameters_` and hence no BIC.

    References
    ----------
    Jordan, M. I. and Jacobs, R. A. (1994). Hierarchical mixtures of experts and the EM algorithm. Neural Computation
    6(2), 181-214, section 4: the M-step of the gate is a weighted classification of rows by experts.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.gates import EstimatorGate
    >>> X = np.linspace(-3, 3, 300)[:, None]
    >>> y = np.where(np.abs(X[:, 0]) < 1, 2.0, X[:, 0])
    >>> model = HMERegressor(n_experts=2, gate=EstimatorGate()).fit(X, y)
    >>> model.apply([[-2.0], [0.0], [2.0]])
    array([0, 1, 0])
    """

    adjustable = frozenset({"smoothing", "n_jobs"})

    def __init__(self, estimator=None, cv=5, smoothing=0.01, n_jobs=None):
        self.estimator = estimator
        self.cv = cv
        self.smoothing = smoothing
        self.n_jobs = n_jobs

    @property
    def frozen(self):
        """Whether the classifier is taken as it is."""
        return isinstance(self.estimator, FrozenEstimator)

    @property
    def cross_fitted(self):
        """Whether rows of the training table are answered by classifiers that have not seen them."""
        return not self.frozen and self.cv not in (None, 1)

    @property
    def traits(self):
        return GateTraits(
            sparse_input=True,
            exact=self.frozen,
            refitted=not self.frozen,
            frozen=self.frozen,
            given=self.frozen,
            cross_fitted=self.cross_fitted,
            sees_table=True,
            fixed="the gate's classifier is "
            + ("given" if self.frozen else "fitted anew, and its answers taken as known"),
        )

    def bind(self, rows, design):
        if self.cv is not None:
            check_int(self.cv, "cv")
        if check_real(self.smoothing, "smoothing", positive=True) > 1:
            raise ValueError(f"smoothing must be a number > 0 and at most 1, got {self.smoothing!r}.")
        if self.estimator is not None:
            if isinstance(self.estimator, type) or not all(map(self._has, ("fit", "get_params"))):
                raise TypeError(f"gate's estimator = {self.estimator!r} must be None or a scikit-learn classifier.")
            if not self._has("predict_proba"):
                raise TypeError(
                    f"gate's estimator = {self.estimator!r} has no predict_proba; use a classifier with probabilities, "
                    "for example CalibratedClassifierCV of this one."
                )
            if self.frozen and not self._has("classes_"):
                raise ValueError(f"gate's estimator = {self.estimator!r} is frozen but not fitted.")
        bound = super().bind(rows, design)
        bound.n_columns_, bound.n_aliased_ = rows.Z.shape[1] - 1, 0 if self.frozen else n_aliased(rows.Z, rows.weight)
        return bound

    def _has(self, name):
        return hasattr(self.estimator, name)

    # -- fitting -----------------------------------------------------------------------------------------------------

    def fit(self, rows, resp):
        K = resp.shape[1]
        if self.frozen:
            self._check_classes(K)
            fitted, proportion, noted = [self.estimator], np.full(K, 1.0 / K), ""
        else:
            table, everyone = _table(rows), np.arange(rows.n_rows)
            proportion = (resp.sum(axis=0) + 1.0 / K) / (resp.sum() + 1.0)
            seen = [everyone]
            if self.cross_fitted:
                everyone = np.argsort(rows.fold, kind="stable")  # an order that does not depend on that of the rows
                seen = [everyone[rows.fold[everyone] % self.cv != f] for f in range(self.cv)] + [everyone]
            parallel = Parallel(n_jobs=self.n_jobs, prefer="threads")
            with quiet() as caught:
                fitted = parallel(delayed(_fitted)(self.estimator, table, resp, rows.weight, index) for index in seen)
            noted = first_of(caught, fitted[-1])
        estimator = np.empty((K, len(fitted)), dtype=object)
        for place in np.ndindex(estimator.shape):
            estimator[place] = fitted[place[1]]  # one by one: NumPy takes pipelines and forests for sequences
        return EstimatorGateParams(np.arange(K), proportion, estimator, np.full(K, noted, dtype=object))

    def update(self, params, stats, rows=None):
        return params if self.frozen else self.fit(rows, stats)

    def _check_classes(self, n_leaves):
        classes = np.asarray(self.estimator.classes_)
        if classes.shape != (n_leaves,):
            raise ValueError(
                f"gate's estimator = {self.estimator!r} tells {len(classes)} classes apart, the model has {n_leaves} "
                "experts; their numbers must be equal."
            )

    # -- the prior ---------------------------------------------------------------------------------------------------

    def log_score(self, params, rows):
        with quiet() as caught:
            proba = self._all_proba(params, rows)
        if caught and rows.y is None:  # of those in a fit, `warnings` speaks
            warnings.warn(f"{first_of(caught[:1], params.estimator[0, -1])}.", caught[0].category, stacklevel=2)
        prior = (1.0 - self.smoothing) * proba + self.smoothing * params.proportion
        return np.log(prior.T, order="C").T  # leaf by leaf, as experts answer

    def _all_proba(self, params, rows):
        """What the classifiers say, (n, K): of training rows, those that have not seen them."""
        table = _table(rows)
        if rows.fold is None or not self.cross_fitted:
            return self._proba(params, -1, table)
        proba, fold = np.empty((rows.n_rows, len(params.leaf))), rows.fold % self.cv
        for f in np.unique(fold):
            index = np.flatnonzero(fold == f)
            proba[index] = self._proba(params, f, _safe_indexing(table, index))
        return proba

    def _proba(self, params, number, table):
        """What one of the classifiers says, (n, K); of leaves that it has not met, zero."""
        estimator, n_rows = params.estimator[0, number], table.shape[0]
        if not n_rows:
            return np.empty((0, len(params.leaf)))
        try:
            with lent(estimator, ROLE, X=table) as (copy,):
                answer = estimator.predict_proba(copy)
        except (TypeError, ValueError) as error:
            raise renamed(error, f"gate's {estimator!r}: {error}") from error
        n_leaves = int(params.leaf.max()) + 1  # those that were told apart, of which the gate may have kept some
        n_leaves = len(estimator.classes_) if self.frozen else max(n_leaves, _most(estimator))
        codes = codes_of(estimator, n_leaves, ROLE)
        return probabilities_of(answer, n_rows, n_leaves, estimator, ROLE, codes)[:, params.leaf]

    def warnings(self, params, stats):
        return [f"{text} (gate, last sweep)" for text in dict.fromkeys(params.noted) if text]

    # -- what the user is shown --------------------------------------------------------------------------------------

    def n_parameters(self, params):
        if self.frozen:
            return 0
        K, last = len(params.leaf), _last_step(params.estimator[0, -1])
        if isinstance(last, DummyClassifier):
            return K - 1
        if hasattr(last, "tree_"):
            return last.get_n_leaves() * (K - 1)
        if hasattr(last, "coef_"):
            own = last.coef_.shape[-1]
            linear = own == self.n_columns_ and getattr(last, "fit_intercept", False)
            return (K - 1) * (own + 1 - (self.n_aliased_ if linear else 0))
        raise NotImplementedError(f"The parameters of {type(last).__name__} cannot be counted.")

    def report(self, params, design):
        return EstimatorGateReport(params.estimator[0, -1], params.proportion)

    def questions(self, report, branching, names, scale, max_terms=None):
        """The rules of a decision tree, or what kind of classifier it is."""
        return [Question(self.name, [""] * branching[0], rules(report.estimator, names))]


# -- functions of arrays and classifiers -------------------------------------------------------------------------------


def _table(rows):
    """What the classifier sees."""
    return rows.Z[:, :-1] if rows.gate_table is None else rows.gate_table


def _most(estimator):
    """One more than the largest leaf that a classifier was fitted to."""
    return int(np.max(getattr(estimator, "classes_", 0))) + 1


def _small_tree(n_leaves, weight):
    """The default classifier for so much weight; relative to it, since repeated rows must count as weights do."""
    depth, share = max(3, int(np.ceil(np.log2(n_leaves))) + 1), min(0.5, LEAST_LEAF / float(weight))
    return DecisionTreeClassifier(max_depth=depth, min_weight_fraction_leaf=share, random_state=0)


def _fitted(template, table, resp, weight, index):
    """A classifier of the rows in `index`, by their responsibilities, eq. (soft-targets)."""
    if not len(index):  # all rows are of one fold
        index = np.arange(len(resp))
    row, leaf, share = soft_targets(resp[index], weight[index])
    estimator = _small_tree(resp.shape[1], share.sum()) if template is None else clone(template)
    if (leaf == leaf[0]).all():
        estimator = DummyClassifier(strategy="prior")  # many classifiers refuse a single class
    estimator, name, arguments = seeded(estimator), weight_name(estimator), {}
    if name is not None:
        arguments[name] = share
    else:
        drawn = resampled(share, len(index))
        row, leaf = row[drawn], leaf[drawn]
    try:
        X = _safe_indexing(table, index[row])
        with lent(estimator, ROLE, X=X, y=leaf, **arguments) as (X, y, *weights):
            fit_to(estimator, X, y, **dict(zip(arguments, weights, strict=True)))
    except (TypeError, ValueError) as error:
        raise renamed(error, f"gate's {estimator!r} cannot be fitted: {error}") from error
    return estimator


def soft_targets(resp, weight):
    """Rows, classes and weights of hard entries that say what responsibilities (n, K) say, eq. (soft-targets)."""
    total = resp.sum(axis=1, keepdims=True)  # the weight but for rounding, or nothing
    share = resp / np.where(total > 0, total, 1.0)
    share = np.where(share > NEGLIGIBLE, np.rint(share / STEP) * STEP, 0.0)
    most = share.argmax(axis=1)[:, None]  # makes up for what the others lose
    np.put_along_axis(share, most, np.take_along_axis(share, most, axis=1) + 1.0 - share.sum(axis=1, keepdims=True), 1)
    share *= np.where(total > 0, weight[:, None], 0.0)
    leaf, row = np.nonzero(share.T)  # leaf by leaf
    return row, leaf, share[row, leaf]


def resampled(weight, n_rows):
    """Numbers of entries that stand for weighted ones, as many as the weight amounts to, eq. (systematic).

    Not fewer than the rows, whatever the unit of their weights, and at most ten times as many.
    """
    return resample(weight, int(np.clip(np.rint(weight.sum()), n_rows, 10 * n_rows)))


def rules(classifier, names):
    """Lines for a decision tree, also at the end of a pipeline; for other classifiers the name."""
    first, last = None, classifier
    if isinstance(classifier, Pipeline):
        first, last = classifier[:-1], classifier[-1]
    if not hasattr(last, "tree_"):
        return [type(last).__name__]
    if first is not None and len(first):
        try:
            names = first.get_feature_names_out(np.array(names, dtype=object))
        except (AttributeError, ValueError):  # a step that gives its columns no names
            names = [f"column {j}" for j in range(last.n_features_in_)]
    return _rules_below(last, names, 0)


def _rules_below(classifier, names, node):
    """Lines of a node of a decision tree and all below it; splits that do not tell experts apart are left out."""
    tree = classifier.tree_
    share = tree.value[node, 0] / tree.value[node, 0].sum()
    leaf = tree.children_left[node] < 0
    children = [] if leaf else [tree.children_left[node], tree.children_right[node]]
    lines = [_rules_below(classifier, names, child) for child in children]
    top = f"leaf {classifier.classes_[share.argmax()]} ("
    if all(len(below) == 1 and below[0].startswith(top) for below in lines):
        return [f"{top}{share.max():.2f})"]
    question = threshold_in_words(names, tree.feature[node], tree.threshold[node])
    return [question, *indented(["yes: ", "no: "], lines)]


def _last_step(estimator):
    while isinstance(estimator, Pipeline):
        estimator = estimator[-1]
    return estimator
