"""Any scikit-learn estimator as an expert, refitted in each sweep and evaluated only on rows that it has not seen."""

from dataclasses import replace

from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.validation import check_is_fitted

from ...model.refits import seeded, tag_of
from ..noise.numbers import EstimatorParams
from .base import FittedExpert

__all__ = ["EstimatorExpert", "EstimatorParams"]


class EstimatorExpert(FittedExpert):
    """Any scikit-learn regressor or classifier, or a pipeline that ends in one, as the expert of every leaf.

    Every sweep fits clones of the estimator, weighted by the responsibilities. It is fitted to the user's table, in the
    user's units, or to the output of `expert_features`.

    Flexible estimators overfit the rows that they are fitted to: their residuals there would be too small, and they
    would take too much responsibility. Therefore the experts are cross-fitted: each is fitted `cv` more times, leaving
    out one fold, and the E-step and the noise use for every row the fit that has not seen it, eq. (cross-fit). New rows
    are predicted by the fit to all rows.

    Parameters
    ----------
    estimator : estimator or None, default=None
        None means a decision tree of depth 3. A `sklearn.frozen.FrozenEstimator` is not refitted; only its noise is
        learned. It should have been fitted to other rows than those of the mixture. A frozen classifier must have been
        fitted to the same classes in the same order.
    noise : {"gaussian", "student", "laplace"}, default="gaussian"
        Distribution of the noise of regressors, with a scale for each expert and output.
    df : "estimate" or float, default=4.0
        Degrees of freedom of Student noise.
    cv : int or None, default=5
        Number of folds. They depend on the content of rows only, so that equal rows are in the same fold, as are the
        rows of a group. None or 1 means no cross-fitting.
    variance_prior : (float, float) or None, default=(1.0, 0.1)
        Weak prior on each noise variance (or squared scale), (rows, fraction): it counts as this many additional rows,
        whose mean squared residual is this fraction of that of a pooled linear fit. None means no prior.
    variance_floor : "auto" or float, default="auto"
        Smallest noise variance (or squared scale), as a fraction of the variance of y, which for Student and Laplace
        noise is computed from quartiles. "auto" means 1e-6, or more if y is rounded; but never more than a tenth of
        that of a pooled linear fit, eq. (rounding-floor).
    smoothing : float, default=1.0
        Class probabilities are mixed with the overall class frequencies, with a share estimated from cross-fitted rows,
        eq. (class-share), so that no class has probability zero. The prior on the share counts as this many additional
        rows that only the frequencies explain.
    n_jobs : int or None, default=None
        Number of fits that run in parallel, in threads; the result does not depend on it.

    Notes
    -----
    - If the estimator's `fit` takes no ``sample_weight`` (such as k-nearest neighbours), it is fitted to a systematic,
      deterministic sample of rows in proportion to their weights, of as many rows as the weights amount to. In a
      pipeline the weights are passed to the last step.
    - Rows with a responsibility below 1e-5 are left out of an expert's fit. An expert that has no rows, or whose fit
      raises an error, keeps its previous fit or else uses the fit to all rows; errors lead to a warning. If the fit to
      all rows fails as well, its error is raised.
    - Estimators with ``random_state=None`` get a fixed seed.
    - Predictions are clipped at ten times the largest distance of a target from the mean of y. Those that are not
      finite are refused, as are probabilities that are negative or do not sum to one, and estimators that change
      their X, y or weights in place.
    - What the estimators warn of in the last sweep becomes a part of the one warning of the fit.
    - The objective may fall, since the estimators do not maximise the cross-fitted likelihood. The best parameters are
      kept.
    - The number of parameters counts leaves of trees, coefficients and noise scales. Other estimators count as having
      no parameters, so that their `bic` is of little use; frozen ones have none.
    - The classifiers in `experts_` are fitted to class codes, which are indices into `classes_`.

    References
    ----------
    Wolpert, D. H. (1992). Stacked generalization. Neural Networks 5(2), 241-259, for fits that leave out the rows that
    they are evaluated on.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> from hme import HMERegressor
    >>> from hme.experts import EstimatorExpert
    >>> X = np.linspace(0, 6, 100)[:, None]
    >>> y = np.where(X[:, 0] < 3, np.sin(3 * X[:, 0]), 2.0)
    >>> model = HMERegressor(n_experts=2, expert=EstimatorExpert(KNeighborsRegressor(3))).fit(X, y)
    >>> model.predict([[4.5]]).round(1)
    array([2.])
    """

    def __init__(
        self,
        estimator=None,
        noise="gaussian",
        df=4.0,
        cv=5,
        variance_prior=(1.0, 0.1),
        variance_floor="auto",
        smoothing=1.0,
        n_jobs=None,
    ):
        self.estimator = estimator
        self.noise = noise
        self.df = df
        self.cv = cv
        self.variance_prior = variance_prior
        self.variance_floor = variance_floor
        self.smoothing = smoothing
        self.n_jobs = n_jobs

    @property
    def frozen(self):
        """Whether only the noise is learned."""
        return isinstance(self.estimator, FrozenEstimator)

    @property
    def known_classes(self):
        return getattr(self.estimator, "classes_", None) if self.frozen else None

    @property
    def traits(self):
        kinds = {"regressor": ("regression",), "classifier": ("classification",)}
        both = super().traits
        tasks = kinds.get(tag_of(self.estimator, lambda tags: tags.estimator_type), both.tasks)
        any_input = self.estimator is None
        return replace(
            both,
            tasks=tasks,
            measure="classes" if tasks == ("classification",) else "density",
            domain="any finite number",
            sparse_input=any_input or bool(tag_of(self.estimator, lambda tags: tags.input_tags.sparse)),
            multioutput=any_input or bool(tag_of(self.estimator, lambda tags: tags.target_tags.multi_output)),
            sees_table=True,
        )

    def _check(self, task):
        given = self.estimator
        verb = "predict" if task == "regression" else "predict_proba"
        usable = not isinstance(given, type) and hasattr(given, "fit") and hasattr(given, "predict")
        if given is not None and not usable:
            raise TypeError(f"estimator = {given!r} must be a scikit-learn estimator, an object with fit and predict.")
        if given is not None and not hasattr(given, verb):
            raise TypeError(
                f"estimator = {given!r} has no {verb}, and an expert needs probabilities; wrap it in sklearn's "
                "CalibratedClassifierCV."
            )
        if self.frozen:
            check_is_fitted(given)
        super()._check(task)

    def _template(self, task):
        """The estimator that every fit is a clone of."""
        estimator = self.estimator
        if estimator is None:
            estimator = (DecisionTreeRegressor if task == "regression" else DecisionTreeClassifier)(max_depth=3)
        if self.frozen:
            return estimator
        return seeded(clone(estimator))
