"""HMEClassifier: experts that give probabilities of classes."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight

from ..registry import expert_names, make_expert
from .base import BaseHME
from .inputs import unchanged_on_error
from .parameters import PARAMETERS
from .target import Classes

__all__ = ["HMEClassifier"]


class HMEClassifier(ClassifierMixin, BaseHME):
    __doc__ = (
        """Hierarchical mixture of experts for classification, fitted by EM.

    """
        + PARAMETERS.format(
            experts=", ".join(f'"{name}"' for name in expert_names("classification")),
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

    task = "classification"

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

    def fit(self, X, y, sample_weight=None, *, groups=None, labels=None):
        """Fit the mixture.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,)
            Class labels, at least two classes.
        sample_weight : array-like of shape (n,) or None
            Not negative; a weight of 2 is the same as the row twice.
        groups : array-like of shape (n,) or None
            Rows of one value come from the same expert (repeated measurements), eq. (group). The gate's columns and the
            weights are constant inside a group, which counts once.
        labels : array-like of shape (n,) or (n, K) or None
            What is known of the rows' experts: leaf numbers, -1 where unknown; or factors on the prior of every expert,
            where 0 excludes it, eq. (labels).

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Naming the parameter, its value and what is allowed.
        """
        with unchanged_on_error(self):
            tables, y = self._tables(X, y, reset=True)
            try:
                check_classification_targets(y)
            except TypeError:
                raise TypeError("y holds labels of different types, which cannot be sorted; use one type.") from None
            weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
            weight = weight * self.class_factors(y)
            kept, tables, y, weight, group, _ = self._in_use(tables, y, weight, groups)
            classes, codes = np.unique(y, return_inverse=True)
            if len(classes) < 2:
                raise ValueError(f"y has one class only, {classes[0]!r}; a classifier needs at least two classes.")
            if self.warm_start and hasattr(self, "classes_") and not np.array_equal(classes, self.classes_):
                raise ValueError(f"warm_start: y has the classes {classes}, the earlier fit {self.classes_}.")
            self._check_frozen(classes)
            self._fit(tables, codes, weight, kept, group, labels)
            self.classes_, self.target_, self.row_arguments_ = classes, Classes(classes), frozenset()
        return self

    def _check_frozen(self, classes):
        """Refuse fitted classifiers whose classes are not those of y: their probabilities go by position."""
        expert = make_expert(self.expert, self.task)
        for member in expert.members:
            known = getattr(member.estimator, "classes_", None) if member.traits.frozen else None
            if known is not None and not any(np.array_equal(known, c) for c in (classes, np.arange(len(classes)))):
                raise ValueError(
                    f"expert {member.estimator!r} is frozen and knows the classes {np.asarray(known).tolist()}, y has "
                    f"{classes.tolist()}."
                )

    def class_factors(self, y):
        """Factors on the weights of rows, by their classes.

        Parameters
        ----------
        y : array-like of shape (n,)

        Returns
        -------
        ndarray of shape (n,)
        """
        if self.class_weight is None:
            return np.ones(len(y))
        factor = compute_sample_weight(self.class_weight, y)
        if not (np.isfinite(factor).all() and (factor >= 0).all()):
            raise ValueError(f"class_weight = {self.class_weight!r} must hold finite numbers >= 0.")
        return factor

    def _target_checks(self, y):
        return {}

    def predict(self, X):
        """Most probable class of every row, (n,)."""
        codes = self.predict_proba(X).argmax(axis=1)
        return self.classes_[codes]

    def predict_proba(self, X):
        """Class probabilities, (n, C), eq. (mean)."""
        rows = self.rows(X)
        probability = self.model_.mean(self.params_, rows)
        return probability / probability.sum(axis=1, keepdims=True)

    def predict_log_proba(self, X):
        """Logarithm of the class probabilities, (n, C), without the underflow of their product."""
        rows = self.rows(X)

        def log_probability(block):
            codes = (np.full(block.n_rows, c) for c in range(len(self.classes_)))
            return np.stack([self.model_.posterior(self.params_, block._replace(y=y))[0] for y in codes], axis=1)

        return self._by_blocks(log_probability, rows)

    def predict_experts(self, X):
        """Class probabilities of every expert, (n, K, C)."""
        return self._by_blocks(lambda block: self.model_.expert.predict(self.params_.experts, block), self.rows(X))

    def responsibilities(self, X, y, *, groups=None):
        """Posterior of every expert, having seen y, eqs. (responsibility), (group).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,)
        groups : array-like of shape (n,) or None
            As in `fit`; without them every row stands for itself.

        Returns
        -------
        ndarray of shape (n, K)
        """
        return self._responsibilities(X, y, groups=groups)

    def log_likelihood(self, X, y, *, groups=None):
        """log p(y | x) of every row, eq. (evidence); with groups of every group, eq. (group).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,)
        groups : array-like of shape (n,) or None
            As in `fit`; without them every row stands for itself.

        Returns
        -------
        ndarray of shape (n,), or (number of groups,) in the order of their sorted values
        """
        return self._log_likelihood(X, y, groups=groups)
