"""The result of inference: standard errors, intervals and tests of parameters; bands and effects of predictions."""

import numpy as np
from scipy.stats import chi2, norm

from ..numerics.checks import check_real
from . import delta, effects, hypotheses, summary
from .covariance import covariances
from .free import DIVERGES
from .reported import labels_by_name, name_of

__all__ = ["Inference", "check_level"]

LARGE = 1e7  # condition number of the scaled information from which there is a remark
FAR = 0.1  # distance from the maximum, in standard errors, from which there is a remark
UNDETERMINED, SADDLE = "not determined by these rows", "not at a maximum"


class Inference:
    """Estimates of a fitted mixture with their covariance, and the tests and intervals that follow from it.

    Made by `infer`. The reported coordinates are in the user's units. Behind them are the free coordinates: a
    coefficient shared by several experts has one, a fixed one has none. A coordinate that cannot be estimated
    (diverging, at its floor, zero by the lasso, not determined) has the standard error inf, and `notes` give the
    reason; a fixed one has the standard error 0. Neither can be tested: their z and p-value are nan.

    Attributes
    ----------
    labels : list of hme.inference.information.Label
        Side, index, part and term of each of the P reported coordinates; `names` has them as text.
    estimate, standard_error : ndarray of shape (P,)
    z, p_value : ndarray of shape (P,)
        Of the hypothesis that the coordinate is zero; nan where it cannot be tested.
    interval : ndarray of shape (P, 2)
    covariance : ndarray of shape (P, P)
    notes : list of str
        One for each coordinate, "" for most.
    remarks : list of str
        Remarks on the fit as a whole.
    hessian, penalty, meat : ndarray of shape (F, F)
        Of the free coordinates: second derivatives of the log-likelihood, those of penalties and priors, and the sum
        of outer products of scores.
    effective_df : float
        Effective number of parameters under the penalties, eq. (effective-df).
    condition_number : float
        Of the information scaled to a diagonal of ones, inf where it is singular or not that of a maximum.
    distance : float
        Distance of the parameters from the maximum, in standard errors, by a quadratic approximation with the same
        gradient and information, eq. (standard-distance).
    log_likelihood, weight, aic, bic : float
        Of the data given; with groups `weight` and `bic` count groups, and `grouped` is True.
    row_weight, bic_of_rows : float
        The same, counting rows.
    n_parameters : int
        Nan, as the criteria are, where parameters cannot be counted, such as those of a classifier as gate.
    n_clusters : int or None
    parameter_covariance : hme.inference.ParameterCovariance
        Of the free coordinates.
    cov_type, weights, correction, level
        As for `infer`.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.inference import infer
    >>> X = np.random.default_rng(0).normal(size=(200, 1))
    >>> y = 1.0 + X[:, 0] + 0.5 * np.random.default_rng(1).normal(size=200)
    >>> print(infer(HMERegressor(depth=0).fit(X, y), X, y, cov_type="robust").summary())
    HMERegressor: 1 x LinearExpert
    <BLANKLINE>
      rows            200    log-likelihood  -128.351
      parameters        3         effective     2.999
      AIC         262.702               BIC   272.597
      covariance   robust  condition number         1
      * The likelihood is penalised: 2.999 effective parameters of 3. Intervals are those of the
          penalised estimates, and do not allow for their bias.
    <BLANKLINE>
    Expert 0, load 1.00
                     estimate  std. error      z       p    [95%  interval]  note
      (intercept)      0.9639      0.0325  29.65  <0.001  0.9002      1.028
      x0               0.9496      0.0304  31.27  <0.001  0.8901      1.009
      log(variance)    -1.559       0.112                 -1.778      -1.34
    """

    def __init__(self, model, layout, seen, kind, level, size, lost=None):
        self.model, self.layout, self.level = model, layout, level
        self.cov_type, self.weights, self.correction = kind
        self.hessian, self.penalty, self.meat, self.gradient = seen.hessian, seen.penalty, seen.meat, seen.gradient
        self.n_clusters = seen.n_clusters if self.cov_type == "cluster" else None
        self.log_likelihood, self.weight, self.row_weight, self.grouped = size
        self.n_parameters = getattr(model, "n_parameters_", np.nan)
        self.aic = -2.0 * self.log_likelihood + 2.0 * self.n_parameters
        self.bic, self.bic_of_rows = (
            -2.0 * self.log_likelihood + np.log(n) * self.n_parameters for n in (self.weight, self.row_weight)
        )
        dispersed = model.model_.expert.traits.dispersion and model.task == "regression"
        found = covariances(layout, seen, kind, size, dispersed, lost)
        self.parameter_covariance, observed, self._eigenvalues = found
        least, largest = self._eigenvalues.min(initial=1.0), self._eigenvalues.max(initial=1.0)
        self.condition_number = float(largest / least) if least > 0 else np.inf
        hessian = np.where(np.isfinite(seen.hessian), seen.hessian, 0.0)  # the root leaves the others out
        self.effective_df = 0.0 - float((observed.root * (hessian @ observed.root)).sum())
        unit = 1.0 if self.weights == "frequency" else seen.size / size.weight  # whatever the scale of the weights
        self.distance = float(np.linalg.norm(observed.root.T @ seen.gradient) * np.sqrt(unit))
        self._saddle = bool(least < -delta.SINGULAR * largest)
        self._report(lost)
        self.remarks = self._remarks()

    def _report(self, lost):
        """Everything about the reported coordinates."""
        layout = self.layout
        model, self.estimate = self.model, np.asarray(layout.estimate, dtype=float)
        classes = model.classes_ if model.task == "classification" else None
        whole = model.model_.gate.tree is None
        self.labels = labels_by_name(layout.labels, model.model_.expert.names, classes, whole)
        self.names = [name_of(label) for label in self.labels]
        self.notes = [layout.notes.get(i, "") for i in range(len(self.labels))]
        for i, first in layout.tied.items():
            self.notes[i] = self.notes[i] or f"the same as {self.names[first]}"
        error = self.parameter_covariance.linear(layout.jacobian)
        self._held = ~layout.jacobian.any(axis=1)  # no free coordinate moves them
        self._fixed = self._held & np.array([note.startswith("fixed") for note in self.notes], dtype=bool)
        error[self._held & ~self._fixed] = np.inf
        along = self.parameter_covariance.along_lost(layout.jacobian)
        grows = along & (layout.jacobian @ lost.directions[:, lost.grows]).any(axis=1) if along.any() else along
        for i in np.flatnonzero(np.isinf(error)):
            unknown = DIVERGES if grows[i] else SADDLE if self._saddle and not along[i] else UNDETERMINED
            self.notes[i] = (self._held[i] and self.notes[i]) or unknown
        self._taken = (self._held & ~self._fixed) | along  # without a standard error, and taken as fixed by all else
        self.standard_error = error
        half = layout.jacobian @ self.parameter_covariance.root
        self.covariance = half @ half.T
        without = np.isinf(error)
        self.covariance[without] = self.covariance[:, without] = 0.0
        self.covariance[without, without] = np.inf
        self.z = np.divide(self.estimate, error, out=np.full_like(error, np.nan), where=self.testable)
        self.p_value = 2.0 * norm.sf(np.abs(self.z))
        reach = norm.isf(0.5 * (1.0 - self.level)) * error
        self.interval = np.column_stack([self.estimate - reach, self.estimate + reach])

    @property
    def testable(self):
        """Which coordinates have a standard error and can be tested, (P,) of bool."""
        return np.isfinite(self.standard_error) & (self.standard_error > 0)

    def _remarks(self):
        """What concerns the whole, in sentences."""
        return [*self.layout.remarks, *self._about_information(), *self._about_objective()]

    def _about_information(self):
        if self._saddle:
            yield (
                "the information has negative eigenvalues: the parameters are not at a maximum for these data, and "
                "coordinates along these directions have no standard error. Fit with a smaller tol, other starts or "
                "fewer experts"
            )
        elif self.parameter_covariance.loose.size:
            yield (
                f"the information is singular in {self.parameter_covariance.loose.shape[1]} direction(s), as with "
                "collinear columns: coordinates along them have no standard error"
            )
        if LARGE < self.condition_number < 1.0 / delta.SINGULAR:
            yield (
                f"the information is nearly singular (condition number {self.condition_number:.2g}): some columns are "
                "nearly collinear, and their coefficients have large errors"
            )
        held = int(self._taken.sum())
        if held:
            yield (
                f"{held} coordinate(s) have no standard error (see their notes): all other errors, bands and effects "
                "take them as fixed"
            )
        if self.distance > FAR:
            yield (
                f"the parameters are {self.distance:.2g} standard errors from the maximum for these data: fit with a "
                "smaller tol, or give the data of the fit"
            )

    def _about_objective(self):
        if self.model.stop_reason_ == "early_stopping":
            yield (
                "EM stopped early, where rows that were held out were most likely (mean log-density "
                f"{self.model.best_validation_score_:.4g}), and not at a maximum, which standard errors presuppose. "
                "Use early_stopping=False for inference"
            )
        if self.penalty.any():
            yield (
                f"the likelihood is penalised: {self.effective_df:.4g} effective parameters of {self.layout.n_free}. "
                "Intervals are those of the penalised estimates, and do not allow for their bias"
            )
        if self.model.objective_.endswith("classification"):
            yield (
                "the fit maximises the classification likelihood, while errors are those of the likelihood of the "
                "mixture: they do not allow for the bias of hard assignments"
            )
        if self.weights == "probability":
            yield (
                "with probability weights the likelihood is a pseudo-likelihood: its criteria, and ratios of it, do "
                "not have their usual meaning"
            )
        if self.weights == "precision" and self.model.n_experts_ > 1:
            yield (
                "precision weights have entered the fit as numbers of rows: they have not made the responsibilities of "
                "precise rows more certain"
            )
        if getattr(self.model, "class_weight", None) is not None:
            yield "classes are weighted: only robust and cluster errors allow for it"
        if self.cov_type == "cluster" and self.n_clusters <= self.layout.n_free:
            yield (
                f"{self.n_clusters} clusters are few for {self.layout.n_free} parameters: errors are too small, and no "
                f"more than {self.n_clusters - 1} coefficients can be tested together"
            )

    def __repr__(self):
        return f"<Inference of {len(self.estimate)} coordinates, cov_type={self.cov_type!r}>"

    # -- tables ------------------------------------------------------------------------------------------------------

    def summary(self):
        """Tables of all coordinates, one for every gating node and expert.

        Returns
        -------
        hme.inference.summary.Summary
            Text when printed, tables in a notebook, `to_frame` for pandas.
        """
        return summary.summarize(self)

    def to_frame(self):
        """All coordinates as a data frame, indexed by side, index, part and term; undefined numbers are missing.

        Returns
        -------
        pandas.DataFrame
        """
        return summary.coefficient_frame(self)

    # -- tests -------------------------------------------------------------------------------------------------------

    def wald_test(self, terms, *, side=None, experts=None, value=0.0):
        """Wald test of coefficients or combinations of them, eq. (wald).

        Parameters
        ----------
        terms : str, sequence of str, mapping, sequence of mappings or array of shape (q, P)
            Columns, whose coefficients are all tested together, of a column that experts bend along by splines those of
            its curve; or combinations, each a mapping of `names` to factors; or their factors on all coordinates as a
            matrix.
        side : {"expert", "gate"} or None, default=None
            For columns: test coefficients of this side only; None is both.
        experts : sequence of int or str, or None
            For columns: test coefficients of these experts only.
        value : float or array-like of shape (q,), default=0.0
            The value under the null hypothesis.

        Returns
        -------
        hme.inference.hypotheses.WaldTest

        Raises
        ------
        ValueError
            For terms that do not exist or have no standard error.

        Examples
        --------
        >>> import numpy as np
        >>> from hme import HMERegressor
        >>> from hme.inference import infer
        >>> X = np.random.default_rng(0).normal(size=(200, 2))
        >>> y = X[:, 0] + np.random.default_rng(1).normal(size=200)
        >>> result = infer(HMERegressor(depth=0).fit(X, y), X, y)
        >>> [result.wald_test(term).p_value < 0.01 for term in ("x0", "x1")]
        [True, False]
        """
        known = self.labels, self.names, self._fixed, hypotheses.curved(self.model.columns_)
        combinations, names = hypotheses.combinations(*known, terms, side, experts)
        return self._wald(combinations, value, names)

    def equal_across_experts(self, term):
        """Test whether a column has the same coefficient, or the same curve, in all experts, eq. (wald).

        Parameters
        ----------
        term : str

        Returns
        -------
        hme.inference.hypotheses.WaldTest
        """
        known = self.labels, self.names, self._fixed, hypotheses.curved(self.model.columns_)
        combinations, names = hypotheses.equalities(*known, term)
        return self._wald(combinations, 0.0, names)

    def _wald(self, combinations, value, names):
        blind = np.flatnonzero(combinations.any(axis=0) & self._held & ~self._fixed)
        reported = combinations @ self.layout.jacobian
        free = np.isinf(self.parameter_covariance.linear(reported))
        if len(blind) or free.any():
            which = blind if len(blind) else np.flatnonzero(combinations[free].any(axis=0))
            which = [f"{self.names[i]} ({self.notes[i] or 'as a combination'})" for i in which]
            raise ValueError(f"there is no standard error, and so no test, of {', '.join(which)}.")
        values = np.asarray(value, dtype=float)
        if values.shape not in ((), (len(names),)) or not np.isfinite(values).all():
            raise ValueError(
                f"value = {value!r} must be a finite number, or one for each of {len(names)} combinations."
            )
        difference = combinations @ self.estimate - values
        try:
            statistic, df = self.parameter_covariance.wald(reported, difference)
        except ValueError as error:
            raise ValueError(f"{error}: {'; '.join(names)} = {value!r}.") from None
        return hypotheses.WaldTest(statistic, df, float(chi2.sf(statistic, df)), tuple(names))

    # -- the delta method --------------------------------------------------------------------------------------------

    def mean_interval(self, X, level=None, *, offset=None, trials=None):
        """Confidence intervals for the mean of y given x, or for class probabilities, eq. (delta).

        They are for the mean, not for y. Intervals of probabilities are formed on the logit scale, those of means of
        positive targets on the log scale, so that they stay within their range.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        level : float or None, default=None
            Coverage; None is that of this object.
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.

        Returns
        -------
        hme.inference.delta.Band
            Of arrays (n,), (n, T) or (n, C).

        Examples
        --------
        >>> import numpy as np
        >>> from hme import HMERegressor
        >>> from hme.inference import infer
        >>> X = np.linspace(-1, 1, 50)[:, None]
        >>> y = X[:, 0] + 0.1 * np.random.default_rng(0).normal(size=50)
        >>> band = infer(HMERegressor(depth=0).fit(X, y), X, y).mean_interval([[0.0], [3.0]])
        >>> (band.upper - band.lower).round(2)
        array([0.05, 0.24])
        """
        return self._mean_band(delta.mean_band, X, level, offset=offset, trials=trials)

    def expert_mean_interval(self, X, level=None, *, offset=None, trials=None):
        """Confidence intervals for the mean, or the class probabilities, of every expert, eq. (delta).

        Parameters
        ----------
        X, level, offset, trials
            As for `mean_interval`.

        Returns
        -------
        hme.inference.delta.Band
            Of arrays (n, K), (n, K, T) or (n, K, C).
        """
        return self._mean_band(delta.expert_mean_band, X, level, offset=offset, trials=trials)

    def gate_interval(self, X, level=None):
        """Confidence intervals for the prior of every expert, formed on the logit scale, eq. (delta).

        Parameters
        ----------
        X, level
            As for `mean_interval`.

        Returns
        -------
        hme.inference.delta.Band
            Of arrays (n, K).
        """
        return delta.gate_band(self.parameter_covariance, self.model.model_, self.model.rows(X), self._level(level))

    def _mean_band(self, band, X, level, **arguments):
        rows, classes = self.model.rows(X, **arguments), self.model.task == "classification"
        parts = band(self.parameter_covariance, self.model.model_, rows, self._level(level), classes)
        return delta.Band(*map(self.model.target_.as_given, parts))

    def _level(self, level):
        return self.level if level is None else check_level(level)

    def marginal_effects(self, X, columns=None, kind="auto", sample_weight=None, *, offset=None, trials=None):
        """Average marginal effects of columns on the mean of y, or on class probabilities, eq. (marginal-effect).

        An effect is the sum of two parts: a change of x moves a row to other experts, and it changes the experts'
        means, eq. (effect-split). Standard errors are those due to the parameters; the rows are taken as fixed.

        Parameters
        ----------
        X : array-like or data frame of shape (n, p)
            The rows to average over; dense.
        columns : str, int, sequence of them, or None
            Columns of X by name or number; None is all that have more than one value.
        kind : {"auto", "continuous", "discrete"}, default="auto"
            "continuous" is the derivative; "discrete" the change from the lowest value to each of the others. "auto" is
            "discrete" for columns with two values and for columns that are not numbers. Where experts or gate are
            estimators, such as trees, which are flat nearly everywhere, the derivative is the slope over half a
            standard deviation of the column.
        sample_weight : array-like of shape (n,) or None
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.

        Returns
        -------
        hme.inference.effects.MarginalEffects

        Examples
        --------
        >>> import numpy as np
        >>> from hme import HMERegressor
        >>> from hme.inference import infer
        >>> rng = np.random.default_rng(0)
        >>> X = rng.uniform(-1, 1, (300, 1))
        >>> y = np.where(X[:, 0] < 0, 2.0 - X[:, 0], 3.0 * X[:, 0]) + 0.1 * rng.standard_normal(300)
        >>> print(infer(HMERegressor(depth=1).fit(X, y), X, y).marginal_effects(X))
        Average marginal effects on the mean
                part   effect  std. error       z       p    [95%  interval]
          x0   total     0.22       0.015   14.62  <0.001  0.1905     0.2494
                gate  -0.9791      0.0407  -24.07  <0.001  -1.059    -0.8994
              expert    1.199       0.039   30.72  <0.001   1.123      1.276
        """
        asked = X, columns, kind, sample_weight, self.level
        rows = {"offset": offset, "trials": trials}
        return effects.average_effects(self.parameter_covariance, self.model, *asked, **rows)


def check_level(level):
    """A coverage between 0 and 1."""
    check_real(level, "level", positive=True)
    if not level < 1:
        raise ValueError(f"level = {level!r} must be between 0 and 1.")
    return float(level)
