"""Any scikit-learn estimator as an expert, fitted anew each sweep and asked only about rows that it has not seen."""

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
from .noise.scale import check_scale, noise_floor, spread
from .student import StudentExpert

__all__ = ["EstimatorExpert", "EstimatorParams"]

NEGLIGIBLE = 1e-5  # share of a row below which an expert is fitted without it
FEWEST_DRAWS = 10  # rows, at least, of what an estimator that takes no weights is fitted to, if there are so many
Y_STEP = 2.0**-24  # of the farthest prediction: y is rounded to it, for trees, as responsibilities are to STEP


class EstimatorExpert(RefitExpert):
    """Any scikit-learn regressor or classifier, or a pipeline that ends in one, as the expert of every leaf.

    Each sweep fits clones of it, weighed by the responsibilities; the one that is given is never touched. It sees the
    table as it came, in the user's units, or what `expert_features` makes of it.

    Flexible estimators know the rows that they were fitted to by heart: they would report no noise there and draw all
    responsibility to themselves. So each expert is fitted `cv` times more, without a fold each time, and the E-step
    asks about a row the fit that has not seen it, eq. (cross-fit). The noise comes from these residuals too. New rows
    are predicted by the fit of all rows.

    Parameters
    ----------
    estimator : estimator or None, default=None
        None is a decision tree of depth 3. A `sklearn.frozen.FrozenEstimator` is never refitted: only its noise is
        learned. It must have been fitted to other rows than the mixture is. A frozen classifier must know the same
        classes in the same order.
    noise : {"gaussian", "student", "laplace"}, default="gaussian"
        Distribution of the noise of regressors, with a scale for each expert and output.
    df : "estimate" or float, default=4.0
        Degrees of freedom of Student's noise.
    cv : int or None, default=5
        Number of folds. They depend on the contents of rows alone: equal rows share one, so do rows of a group. None or
        1 asks every fit about its own rows.
    variance_prior, variance_floor
        As in `LinearExpert`, `StudentExpert` or `LaplaceExpert`, by `noise`.
    smoothing : float, default=1.0
        Class probabilities are mixed with the overall frequencies of the classes, in a share that suits the rows that
        an expert has not seen, eq. (class-share); its prior reads as so many more rows that only frequencies explain.
        No class has probability zero, not even one that an expert's rows miss.
    n_jobs : int or None, default=None
        Fits that run at the same time, in threads; the result does not depend on it.

    Notes
    -----
    - Where the estimator's `fit` takes no ``sample_weight`` (k-nearest neighbours), it is fitted to rows drawn in
      proportion to their weights, without chance: rows in the order of their fold numbers, at even steps of the
      cumulated weight. As many are drawn as the weights are worth rows, no more than there are. Pipelines take the
      weight in their last step.
    - Rows of which an expert has less than 1e-5 are left out of its fit. An expert without any, and one whose fit
      raises an error, keeps its previous fit, or takes that of all rows; errors are counted, with a warning. Where that
      of all rows raises one too, the error goes on to the user.
    - Estimators with ``random_state=None`` get a fixed number.
    - Predictions that are not finite are replaced by the mean of y, and cut at ten times the largest distance of a y
      from it.
    - The objective may fall: a sweep fits another objective than the likelihood of the rows left out. The best
      parameters are kept.
    - The number of parameters counts leaves of trees, coefficients and the noise; estimators that have neither count
      for nothing, so that their `bic` means little. Frozen ones have none.
    - The classifiers in `experts_` know classes by their numbers in `classes_`.

    References
    ----------
    Wolpert, D. H. (1992). Stacked generalization. Neural Networks 5(2), 241-259. Its level-0 fits that leave out what
    they are asked about are the folds here.

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
        """Whether nothing but the noise is learned."""
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
        """Whether there is information on the noise; what is predicted is taken as fixed."""
        return hasattr(self, "answers_") and self.answers_.smooth

    @property
    def _fixed(self):
        origin = "given" if self.frozen else "fitted anew"
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
            raise ValueError(f"estimator = {self.estimator!r} knows {known} classes, y has {n_classes}.")
        return bound

    def _answers(self, task, rows, design):
        """What lies between the estimators' answers and y: `Classes`, or `Numbers` with noise around them."""
        if task == "classification":
            return Classes(self.smoothing, rows)
        prior, floor = self.variance_prior, self.variance_floor
        if self.noise == "gaussian":  # prior and floor are relative to the linear fit of all rows
            pooled, least = pooled_fit(rows, design.penalty_scale)[1], spread(own_targets(rows), rows.weight)
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

    # -- one fit, one question; a subclass may know better ---------------------------------------------------------

    def _columns(self, rows):
        """What the estimator is fitted to."""
        return rows.X[:, :-1] if rows.table is None else rows.table

    def _new(self, weight):
        """An estimator to be fitted to rows of a total `weight`."""
        return clone(self.estimator_)

    def _ask(self, estimator, X):
        """What a fitted estimator predicts of X, as it comes."""
        return self.answers_.method(estimator)(X)

    def _answer(self, estimator, X):
        """Finite predictions (n, T), or probabilities (n, C) of all classes."""
        if not X.shape[0]:
            return np.empty((0, len(self.answers_.constant)))
        values = np.asarray(self._ask(estimator, X), dtype=float).reshape(X.shape[0], -1)
        return self.answers_.usable(values, estimator)

    # -- fitting -----------------------------------------------------------------------------------------------------

    def fit(self, rows, resp, before=None):
        """Parameters from all rows and responsibilities (n, K); `before` are those that starving experts keep."""
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
        """Estimators (K, folds + 1) and numbers of failures; fills in what they predict of rows they have not seen."""
        splits = self._splits(rows)
        y, resp = self._on_grid(rows, resp)
        keys = list(np.atleast_2d(rows.y.T)[::-1])  # rows in an order of their contents
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
            if estimator is None:  # the fit of all rows but the fold's
                if c not in instead:
                    instead[c] = run(rows.weight, splits[c])
                estimator, answer, error = instead[c]
                if error is not None:
                    raise type(error)(f"the estimator of the experts, {self.estimator_!r}: {error}") from error
                if estimator is None:  # the fold is all there is
                    estimator = self._constant(X, targets, rows.weight)
                    answer = self._answer(estimator, rows_of(X, splits[c][1]))
            estimators[k, c] = estimator
            prediction[splits[c][1], k] = answer
        for c in [c for c, split in enumerate(splits) if split is None]:  # nobody asks about rows that are not there
            estimators[:, c] = estimators[:, -1]
        return estimators, failed

    def _on_grid(self, rows, resp):
        """Targets and responsibilities in multiples of steps, powers of two, so that sums over rows have no rounding.

        Splits of a small node are often equally good, on several columns. Rounding that hangs on the order of the rows
        would choose among them; as it is, a tree takes the same one for a row of weight two and for the row twice.
        """
        weight = rows.weight[:, None]
        resp = np.rint(resp / weight / STEP) * STEP * weight
        y = self.answers_.targets(rows)
        if isinstance(self.estimator_, DecisionTreeRegressor) and (self.answers_.reach > 0).all():
            step = 2.0 ** np.rint(np.log2(self.answers_.reach * Y_STEP))
            y = np.rint(y / step) * step
        return y, resp

    def _splits(self, rows):
        """(rows to fit to, rows to answer for) of every fit, None for a fold without rows."""
        everything = np.arange(rows.n_rows)
        if not self.traits.cross_fitted or rows.fold is None:
            return [(everything, everything)]
        fold = rows.fold % self.cv
        folds = [(np.flatnonzero(fold != c), np.flatnonzero(fold == c)) for c in range(self.cv)]
        return [split if len(split[1]) else None for split in folds] + [(everything, everything[:0])]

    def _fit_one(self, X, y, weight, inside, asked, order, unit):
        """A fit without the rows that it is `asked` about, what it predicts of these, and the error that it raised."""
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
                # Some can be fitted to few rows but predict none, or none with a category that these do not hold.
                self._answer(estimator, X if hasattr(X, "columns") else rows_of(X, inside[:1]))
            return estimator, self._answer(estimator, rows_of(X, asked)), None
        except (ValueError, TypeError, ArithmeticError, IndexError, np.linalg.LinAlgError) as error:
            return None, None, error

    def _constant(self, X, y, weight):
        """An estimator that knows the mean, or the frequencies, only."""
        return self.answers_.dummy().fit(np.zeros((X.shape[0], 1)), y, sample_weight=weight)

    # -- the family --------------------------------------------------------------------------------------------------

    def _predictions(self, params, rows):
        """What every expert predicts, (n, K, T) or (n, K, C), of training rows without having seen them."""
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

    # -- information on the noise: what is predicted is taken as fixed ------------------------------------------------

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
                f"some fits of expert(s) {failed} raised an error in the last sweep, and earlier ones stand in for "
                "them. Use fewer experts, or an estimator that can be fitted to few rows"
            )
        return found

    def report(self, params, design):
        return self.answers_.report(self._shown(params.estimator[:, -1], design), params)

    def _shown(self, estimators, design):
        """The estimators (K,) as the user sees them."""
        return estimators

    def equations(self, report, feature_names, target):
        lines = []
        for estimator, *scalars in zip(*report, strict=True):
            lines.append(f"{target} = {name_of(estimator)},  {self.answers_.describe(*scalars)}")
        return lines
