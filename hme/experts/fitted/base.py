"""Fitted estimators as experts: clones fitted in each sweep, cross-fitting, and noise around what they predict."""

import warnings
from abc import abstractmethod

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.tree import DecisionTreeRegressor

from ...model.parts import UnusablePart, first_of, lent, quiet, renamed
from ...model.refits import STEP, fit_to, name_of, resample, rows_of, size_of, weight_name
from ...model.traits import Traits
from ...numerics import statistics
from ...numerics.checks import check_choice, check_int, check_real, check_real_or
from ...numerics.coordinates import Coordinates
from ...numerics.rank import n_aliased
from ..base import RefitExpert
from ..laplace import LaplaceExpert
from ..noise.classes import Classes
from ..noise.gaussian import GaussianNoise, LinearParams
from ..noise.numbers import Numbers
from ..noise.pooled import pooled_fit
from ..noise.scale import check_scale
from ..student import StudentExpert

__all__ = ["FittedExpert"]

ROLE = "an expert"  # of the estimators, in messages
NEGLIGIBLE = 1e-5  # rows with a smaller responsibility are left out of an expert's fit
FEWEST_DRAWS = 10  # least number of rows drawn for an estimator that takes no weights, if there are so many
Y_STEP = 2.0**-24  # for trees, y is rounded to this fraction of the largest prediction, as responsibilities are to STEP


class FittedExpert(RefitExpert):
    """Experts that are scikit-learn estimators, refitted in every sweep; `EstimatorExpert` describes how.

    A family has the hyper-parameters `noise`, `df`, `cv`, `variance_prior`, `variance_floor`, `smoothing` and `n_jobs`,
    and says which estimator is cloned.
    """

    adjustable = frozenset({"variance_prior", "variance_floor", "n_jobs", "smoothing"})
    frozen = False  # whether only the noise is learned
    lends = True  # whether estimators are handed copies, which they may not change

    @property
    def traits(self):
        return Traits(
            tasks=("regression", "classification"),
            domain="any finite number, or classes",
            row_arguments=("offset",),
            sparse_input=True,
            multioutput=True,
            exact=self.frozen,
            smooth=self._smooth,
            refitted=not self.frozen,
            frozen=self.frozen,
            cross_fitted=not self.frozen and self.cv not in (None, 1),
            fixed=self._fixed,
            dispersion=True,
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
        """Refuse hyper-parameters that are not allowed."""
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
        bound.n_columns_ = rows.X.shape[1] - 1
        bound.n_aliased_ = n_aliased(rows.X, rows.weight) if not self.frozen else 0
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
            pooled = LinearParams(None, pooled_fit(rows, design.penalty_scale)[1][None])
            noise = GaussianNoise(prior, floor).bind(rows).bind_pooled(pooled, None)
            return Numbers(noise, noise.held(pooled), rows)
        if self.noise == "student":
            linear = StudentExpert(self.df, variance_prior=prior, variance_floor=floor)
        else:
            linear = LaplaceExpert(variance_prior=prior, variance_floor=floor)
        linear = linear.bind(rows, design)
        return Numbers(linear.response_, linear.pooled_, rows)

    @abstractmethod
    def _template(self, task):
        """The estimator that every fit is a clone of."""

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
        if not self.lends:
            return self.answers_.usable(self._ask(estimator, X), X.shape[0], estimator)
        with lent(estimator, ROLE, X=X) as (table,):
            answer = self._ask(estimator, table)
        return self.answers_.usable(answer, X.shape[0], estimator)

    # -- fitting -----------------------------------------------------------------------------------------------------

    def fit(self, rows, resp, before=None):
        """Parameters from all rows and responsibilities (n, K); experts without rows keep those in `before`."""
        X, n_experts = self._columns(rows), resp.shape[1]
        prediction = np.empty((rows.n_rows, n_experts, len(self.answers_.constant)))
        with quiet() as caught:
            if self.frozen:
                estimator = np.full((n_experts, 1), self.estimator_, dtype=object)
                prediction[:] = self._answer(self.estimator_, X)[:, None]
                failed = np.zeros(n_experts, dtype=int)
            else:
                estimator, failed = self._fit_all(rows, X, resp, before, prediction)
        noted = np.full(n_experts, first_of(caught, self.estimator_), dtype=object)
        return self.answers_.Params(estimator, failed, noted, *self.answers_.fit(rows, prediction, resp))

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
                    raise renamed(error, f"the estimator of the experts, {self.estimator_!r}: {error}") from error
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
                self._fit_lent(estimator, rows_of(X, inside), y[inside], arguments)
            if not len(asked):
                # Some estimators can be fitted to few rows, but then fail to predict, or fail on unseen categories.
                self._answer(estimator, X if hasattr(X, "columns") else rows_of(X, inside[:1]))
            return estimator, self._answer(estimator, rows_of(X, asked)), None
        except UnusablePart:
            raise
        except (ValueError, TypeError, ArithmeticError, IndexError, np.linalg.LinAlgError) as error:
            return None, None, error

    def _fit_lent(self, estimator, X, y, arguments):
        """Fit an estimator to copies, which it may not change."""
        if not self.lends:
            fit_to(estimator, X, y, **arguments)
            return
        with lent(estimator, ROLE, X=X, y=y, **arguments) as (X, y, *weights):
            fit_to(estimator, X, y, **dict(zip(arguments, weights, strict=True)))

    def _constant(self, X, y, weight):
        """A fitted estimator that predicts the mean or the class frequencies."""
        return self.answers_.dummy().fit(np.zeros((X.shape[0], 1)), y, sample_weight=weight)

    # -- the family --------------------------------------------------------------------------------------------------

    def _predictions(self, params, rows):
        """Predictions of all experts, (n, K, T) or (n, K, C); cross-fitted for training rows, which have a fold."""
        with quiet() as caught:
            out = self._asked(params, rows)
        if caught and rows.y is None:  # of those in a fit, `warnings` speaks
            warnings.warn(f"{first_of(caught[:1], self.estimator_)}.", caught[0].category, stacklevel=2)
        return out

    def _asked(self, params, rows):
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
        own, other = (self.answers_.Scalars(*params[3:]) for params in (old, new))
        return type(old)(*old[:3], *statistics.interpolate(own, other, step, own._fields))

    def n_parameters(self, params):
        learned, n_outputs = [] if self.frozen else params.estimator[:, -1], len(self.answers_.constant)
        columns = self.n_columns_, self.n_aliased_
        return sum(size_of(estimator, n_outputs, *columns) for estimator in learned) + self.answers_.n_parameters(
            params
        )

    def at_floor(self, params):
        return self.answers_.at_floor(params)

    def warnings(self, params, stats):
        found, failed = self.answers_.warnings(params), np.flatnonzero(params.failed).tolist()
        if failed:
            found.append(
                f"some fits of expert(s) {failed} raised an error in the last sweep and were replaced by earlier ones. "
                "Use fewer experts, or an estimator that can be fitted to few rows"
            )
        found.extend(f"{text} (experts, last sweep)" for text in dict.fromkeys(params.noted) if text)
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
