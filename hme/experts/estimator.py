"""Any scikit-learn estimator as an expert, refitted in every sweep and evaluated by cross-fitting."""

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.validation import check_is_fitted

from ..model.refits import STEP, fit_to, name_of, resample, rows_of, seeded, size_of, tag_of, weight_name
from ..model.traits import Traits
from ..numerics import statistics
from ..numerics.checks import check_choice, check_int, check_real, check_real_or
from ..numerics.coordinates import Coordinates
from .base import RefitExpert
from .laplace import LaplaceExpert
from .noise.base import own_targets
from .noise.classes import Classes
from .noise.gaussian import GaussianNoise, LinearParams
from .noise.numbers import EstimatorParams, Numbers
from .noise.pooled import pooled_fit
from .noise.scale import check_scale, noise_floor, total_variance
from .student import StudentExpert

__all__ = ["EstimatorExpert", "EstimatorParams"]

NEGLIGIBLE = 1e-5  # rows with a smaller responsibility are left out of an expert's fit
FEWEST_DRAWS = 10  # least number of rows drawn for an estimator that takes no weights, if there are so many
Y_STEP = 2.0**-24  # for trees, y is rounded to this fraction of the largest prediction, as responsibilities are to STEP


class EstimatorExpert(RefitExpert):
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
        noise is computed from quartiles. "auto" means 1e-6, or more if y is rounded.
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
    - Predictions that are not finite are replaced by the mean of y; others are clipped at ten times the largest
      distance of a target from the mean.
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

    adjustable = frozenset({"variance_prior", "variance_floor", "n_jobs", "smoothing"})

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

    # -- what the estimator is ---------------------------------------------------------------------------------------

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
        tasks = kinds.get(tag_of(self.estimator, lambda tags: tags.estimator_type), ("regression", "classification"))
        any_input = self.estimator is None
        return Traits(
            tasks=tasks,
            measure="classes" if tasks == ("classification",) else "density",
            row_arguments=("offset",),
            sparse_input=any_input or bool(tag_of(self.estimator, lambda tags: tags.input_tags.sparse)),
            multioutput=any_input or bool(tag_of(self.estimator, lambda tags: tags.target_tags.multi_output)),
            exact=self.frozen,
            smooth=self._smooth,
            refitted=not self.frozen,
            frozen=self.frozen,
            cross_fitted=not self.frozen and self.cv not in (None, 1),
            sees_table=True,
            fixed=self._fixed,
        )

    @property
    def _smooth(self):
        """Whether there is an information matrix for the noise; the predictions are treated as fixed."""
        return hasattr(self, "answers_") and self.answers_.smooth

    @property
    def _fixed(self):
        origin = "given" if self.frozen else "refitted"
        what = "their predictions are" if self._smooth else "their predictions and the noise around them are"
        return f"the estimators of the experts are {origin}: {what} taken as fixed"

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
        if self.cv is not None:
            check_int(self.cv, "cv")
        if self.n_jobs is not None:
            check_int(self.n_jobs, "n_jobs", -(2**31))
        check_choice(self.noise, "noise", ("gaussian", "student", "laplace"))
        check_real_or(self.df, "df", "estimate")
        check_scale(self.variance_prior, self.variance_floor)
        check_real(self.smoothing, "smoothing", positive=True)

    # -- binding to data ---------------------------------------------------------------------------------------------

    def bind(self, rows, design):
        task = "classification" if rows.y.ndim == 1 else "regression"
        self._check(task)
        bound = super().bind(rows, design)
        bound.estimator_ = self._template(task)
        bound.answers_ = self._answers(task, rows, design)
        known = len(getattr(bound.estimator_, "classes_", bound.answers_.constant))
        if self.frozen and task == "classification" and known != len(bound.answers_.constant):
            n_classes = len(bound.answers_.constant)
            raise ValueError(f"estimator = {self.estimator!r} was fitted to {known} classes, but y has {n_classes}.")
        return bound

    def _answers(self, task, rows, design):
        """The model of y given the estimators' predictions: `Classes`, or `Numbers` with noise around them."""
        if task == "classification":
            return Classes(self.smoothing, rows)
        prior, floor = self.variance_prior, self.variance_floor
        if self.noise == "gaussian":  # the prior is relative to the pooled linear fit
            pooled, least = pooled_fit(rows, design.penalty_scale)[1], total_variance(own_targets(rows), rows.weight)
            noise = GaussianNoise(prior, floor).with_scale(noise_floor(floor, rows.y, least), pooled)
            return Numbers(noise, LinearParams(None, pooled[None]), rows)
        if self.noise == "student":
            linear = StudentExpert(self.df, variance_prior=prior, variance_floor=floor)
        else:
            linear = LaplaceExpert(variance_prior=prior, variance_floor=floor)
        linear = linear.bind(rows, design)
        return Numbers(linear.response_, linear.pooled_, rows)

    def _template(self, task):
        """The estimator that every fit is a clone of."""
        estimator = self.estimator
        if estimator is None:
            estimator = (DecisionTreeRegressor if task == "regression" else DecisionTreeClassifier)(max_depth=3)
        if self.frozen:
            return estimator
        return seeded(clone(estimator))

    def start_target(self, rows):
        return self.answers_.targets(rows)

    # -- one fit and its predictions; subclasses may override --------------------------------------------------------

    def _columns(self, rows):
        """The table that the estimator is fitted to."""
        return rows.X[:, :-1] if rows.table is None else rows.table

    def _new(self, weight):
        """An unfitted estimator for rows of this total weight."""
        return clone(self.estimator_)

    def _ask(self, estimator, X):
        """The raw predictions of a fitted estimator."""
        return self.answers_.method(estimator)(X)

    def _answer(self, estimator, X):
        """Finite predictions (n, T), or probabilities (n, C) of all classes."""
        if not X.shape[0]:
            return np.empty((0, len(self.answers_.constant)))
        values = np.asarray(self._ask(estimator, X), dtype=float).reshape(X.shape[0], -1)
        return self.answers_.usable(values, estimator)

    # -- fitting -----------------------------------------------------------------------------------------------------

    def fit(self, rows, resp, before=None):
        """Parameters from all rows and responsibilities (n, K); experts without rows keep those in `before`."""
        X, n_experts = self._columns(rows), resp.shape[1]
        prediction = np.empty((rows.n_rows, n_experts, len(self.answers_.constant)))
        if self.frozen:
            estimator = np.full((n_experts, 1), self.estimator_, dtype=object)
            prediction[:] = self._answer(self.estimator_, X)[:, None]
            failed = np.zeros(n_experts, dtype=int)
        else:
            estimator, failed = self._fit_all(rows, X, resp, before, prediction)
        return self.answers_.Params(estimator, failed, *self.answers_.fit(rows, prediction, resp))

    def update(self, params, stats, rows):
        return self.fit(rows, stats, params)

    def _fit_all(self, rows, X, resp, before, prediction):
        """Estimators (K, folds + 1) and counts of failures (K,); fills `prediction` with cross-fitted predictions."""
        splits = self._splits(rows)
        y, resp = self._on_grid(rows, resp)
        keys = list(np.atleast_2d(rows.y.T)[::-1])  # to order rows by their content
        order = np.lexsort(keys if rows.fold is None else [*keys, rows.fold])
        unit = rows.n_rows / rows.weight.sum()
        targets, least = (y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y), NEGLIGIBLE * rows.weight

        def run(weight, split):
            if split is None:
                return None, None, None
            return self._fit_one(X, targets, np.where(weight > least, weight, 0.0), *split, order, unit)

        jobs = [(k, c) for k in range(resp.shape[1]) for c in range(len(splits))]
        parallel = Parallel(n_jobs=self.n_jobs, prefer="threads")
        results = parallel(delayed(run)(resp[:, k], splits[c]) for k, c in jobs)
        estimators, failed = np.empty((resp.shape[1], len(splits)), dtype=object), np.zeros(resp.shape[1], dtype=int)
        instead = {}
        for (k, c), (estimator, answer, error) in zip(jobs, results, strict=True):
            if splits[c] is None:
                continue
            failed[k] += error is not None
            if estimator is None and before is not None and before.estimator.shape == estimators.shape:
                estimator = before.estimator[k, c]
                answer = self._answer(estimator, rows_of(X, splits[c][1]))
            if estimator is None:  # use the fit to all rows outside the fold
                if c not in instead:
                    instead[c] = run(rows.weight, splits[c])
                estimator, answer, error = instead[c]
                if error is not None:
                    raise type(error)(f"the estimator of the experts, {self.estimator_!r}: {error}") from error
                if estimator is None:  # there are no rows outside the fold
                    estimator = self._constant(X, targets, rows.weight)
                    answer = self._answer(estimator, rows_of(X, splits[c][1]))
            estimators[k, c] = estimator
            prediction[splits[c][1], k] = answer
        for c in [c for c, split in enumerate(splits) if split is None]:  # empty folds, whose fits are never used
            estimators[:, c] = estimators[:, -1]
        return estimators, failed

    def _on_grid(self, rows, resp):
        """Targets and responsibilities rounded to powers of two times integers, so that sums are free of round-off.

        Several splits of a small node are often equally good. Round-off, which depends on the order of the rows, would
        choose among them. Without it, a tree is the same for a row of weight two and for two equal rows.
        """
        weight = rows.weight[:, None]
        resp = np.rint(resp / weight / STEP) * STEP * weight
        y = self.answers_.targets(rows)
        if isinstance(self.estimator_, DecisionTreeRegressor) and (self.answers_.reach > 0).all():
            step = 2.0 ** np.rint(np.log2(self.answers_.reach * Y_STEP))
            y = np.rint(y / step) * step
        return y, resp

    def _splits(self, rows):
        """(rows to fit to, rows to predict) of every fit; None for a fold without rows."""
        everything = np.arange(rows.n_rows)
        if not self.traits.cross_fitted or rows.fold is None:
            return [(everything, everything)]
        fold = rows.fold % self.cv
        folds = [(np.flatnonzero(fold != c), np.flatnonzero(fold == c)) for c in range(self.cv)]
        return [split if len(split[1]) else None for split in folds] + [(everything, everything[:0])]

    def _fit_one(self, X, y, weight, inside, asked, order, unit):
        """Fit to the rows `inside`: the estimator, its predictions for the rows `asked`, and the error if it failed."""
        inside = inside[weight[inside] > 0]
        if not len(inside):
            return None, None, None
        total = weight[inside].sum()
        try:
            if self.answers_.is_alike(y[inside]):
                estimator = self._constant(rows_of(X, inside), y[inside], weight[inside])
            else:
                estimator, name = self._new(total), weight_name(self.estimator_)
                if name is None:
                    place = np.empty(len(order), dtype=int)
                    place[order] = np.arange(len(order))
                    inside = inside[np.argsort(place[inside])]
                    n_draws = max(int(np.rint(total * unit)), min(FEWEST_DRAWS, len(inside)))
                    inside = inside[resample(weight[inside], min(n_draws, len(weight)))]
                arguments = {} if name is None else {name: weight[inside]}
                fit_to(estimator, rows_of(X, inside), y[inside], **arguments)
            if not len(asked):
                # Some estimators can be fitted to few rows, but then fail to predict, or fail on unseen categories.
                self._answer(estimator, X if hasattr(X, "columns") else rows_of(X, inside[:1]))
            return estimator, self._answer(estimator, rows_of(X, asked)), None
        except (ValueError, TypeError, ArithmeticError, IndexError, np.linalg.LinAlgError) as error:
            return None, None, error

    def _constant(self, X, y, weight):
        """A fitted estimator that predicts the mean or the class frequencies."""
        return self.answers_.dummy().fit(np.zeros((X.shape[0], 1)), y, sample_weight=weight)

    # -- the family --------------------------------------------------------------------------------------------------

    def _predictions(self, params, rows):
        """Predictions of all experts, (n, K, T) or (n, K, C); cross-fitted for training rows, which have a fold."""
        X, n_folds = self._columns(rows), params.estimator.shape[1] - 1
        out = np.empty((rows.n_rows, len(params.estimator), len(self.answers_.constant)))
        if not n_folds or rows.fold is None:
            for k, estimator in enumerate(params.estimator[:, -1]):
                out[:, k] = self._answer(estimator, X)
            return out
        fold = rows.fold % n_folds
        for c in np.unique(fold):
            index = np.flatnonzero(fold == c)
            part = rows_of(X, index)
            for k, estimator in enumerate(params.estimator[:, c]):
                out[index, k] = self._answer(estimator, part)
        return out

    def predict(self, params, rows):
        return self.answers_.mean(params, rows, self._predictions(params, rows))

    def log_prob(self, params, rows):
        return self.answers_.log_prob(params, rows, self._predictions(params, rows))

    def predict_dist(self, params, rows):
        return self.answers_.predict_dist(params, rows, self._predictions(params, rows))

    def variance(self, params, rows):
        return self.answers_.variance(params, rows, self._predictions(params, rows))

    def log_prior_density(self, params):
        return self.answers_.log_prior(params)

    # -- information on the noise, with the predictions fixed --------------------------------------------------------

    def coordinates(self, params, design):
        return Coordinates(np.zeros((len(params.failed), 0, 0)), (), self.answers_.coordinates(params))

    def displaced(self, params, coef, scalar):
        return self.answers_.displaced(params, scalar)

    def derivatives(self, params, rows):
        return self.answers_.derivatives(params, rows, self._predictions(params, rows))

    def prior_derivatives(self, params):
        return self.answers_.prior_derivatives(params)

    # -- the family --------------------------------------------------------------------------------------------------

    def interpolate(self, old, new, step):
        if not self.frozen:
            return old
        own, other = (self.answers_.Scalars(*params[2:]) for params in (old, new))
        return type(old)(*old[:2], *statistics.interpolate(own, other, step))

    def n_parameters(self, params):
        learned, n_outputs = [] if self.frozen else params.estimator[:, -1], len(self.answers_.constant)
        return sum(size_of(estimator, n_outputs) for estimator in learned) + self.answers_.n_parameters(params)

    def warnings(self, params, stats):
        found, failed = self.answers_.warnings(params), np.flatnonzero(params.failed).tolist()
        if failed:
            found.append(
                f"some fits of expert(s) {failed} raised an error in the last sweep and were replaced by earlier ones. "
                "Use fewer experts, or an estimator that can be fitted to few rows"
            )
        return found

    def report(self, params, design):
        return self.answers_.report(self._shown(params.estimator[:, -1], design), params)

    def _shown(self, estimators, design):
        """The estimators (K,) as they are shown to the user."""
        return estimators

    def equations(self, report, feature_names, target):
        lines = []
        for estimator, *scalars in zip(*report, strict=True):
            lines.append(f"{target} = {name_of(estimator)},  {self.answers_.describe(*scalars)}")
        return lines
