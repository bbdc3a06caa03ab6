"""What a fitted mixture answers, whatever its task: rows of tables, priors, posteriors, likelihoods and criteria."""

from weakref import WeakKeyDictionary

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from ..inference import comparison
from ..inference.importances import Seen, importances
from ..inference.infer import infer
from ..numerics.checks import check_choice
from ..numerics.engine import threads
from ..registry import check_target
from .reading import check_range, given_arguments, tables_like
from .row_arguments import ONE_WEIGHT, check_constant, check_group_columns, group_codes, in_groups, with_labels
from .target import class_factors

__all__ = ["FittedMixture"]

COUNTS = ("groups", "rows")
# Importances of models, each with the fit that it is of: notebooks ask twice whenever they show a model. They are no
# part of the models, so that nothing of them is copied or saved.
IMPORTANCES = WeakKeyDictionary()


class FittedMixture:
    """The predict side that regressor and classifier share."""

    # -- for developers: what inference, effects, bootstrap and plots ask of a model -----------------------------------

    def rows(self, X, *, hold=None, part=None, **arguments):
        """The rows of a table as gate and experts see them.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        hold : bool or None, default=None
            Whether to hold columns at their ranges in the fit; None is `hold_range`, if there are several experts.
        part : Part or None, default=None
            Of `average_`, whose columns may be others than those of the tree.
        **arguments
            Row arguments of `predict`: `offset` and `trials` of a regressor.

        Returns
        -------
        Rows
            Without y and weights.
        """
        check_is_fitted(self)
        columns, ranges, n_leaves = self.columns_, self.range_, self.n_experts_
        if part is not None:
            columns, ranges, n_leaves = part.columns, part.ranges, part.n_leaves
        tables = tables_like(self, X, columns.views)
        arrays = given_arguments(self, tables.expert.shape[0], **arguments)
        hold = self.hold_range and n_leaves > 1 if hold is None else hold
        rows = columns.rows(tables, **arrays)
        check_range(rows)
        return ranges.held(rows) if hold else rows

    def _is_averaged(self):
        """Whether the predictive density is that of an average over sizes."""
        check_is_fitted(self)
        return self.average_ is not None

    def averaged_rows(self, X, **arguments):
        """The rows of a table as each part of `average_` sees them: its own columns, and held at their ranges or not.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        **arguments
            As for `rows`.

        Returns
        -------
        list of Rows
        """
        check_is_fitted(self)
        seen, keys = {}, [(part.candidate, self.hold_range and part.n_leaves > 1) for part in self.average_.parts]
        for key, part in zip(keys, self.average_.parts, strict=True):
            if key[0] not in seen:
                seen[key[0]] = self.rows(X, hold=False, part=part, **arguments)
            if key not in seen:
                seen[key] = part.ranges.held(seen[key[0]]) if key[1] else seen[key[0]]
        return [seen[key] for key in keys]

    def observed_rows(self, X, y, sample_weight=None, *, groups=None, labels=None, **arguments):
        """Rows with their targets and weights, as in `fit`: those of positive weight, sorted by group.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        sample_weight : array-like of shape (n,) or None
        groups, labels : array-like or None
            As in `fit`.
        **arguments
            Row arguments of `predict`: `offset` and `trials` of a regressor.

        Returns
        -------
        rows : Rows
        order : ndarray of int
            The number of each row in the user's table.
        """
        rows, order = self._observed(X, y, sample_weight, groups=groups, labels=labels, **arguments)
        self.target_.check_weighted(rows.y)
        return rows, order

    def _observed(self, X, y, sample_weight=None, *, groups=None, labels=None, **arguments):
        """`observed_rows`, also of targets that had no weight in the fit."""
        rows, y = self.rows(X, **arguments), self.target_.encode(y)
        n = rows.n_rows
        if len(y) != n:
            raise ValueError(f"X has {n} rows, y has {len(y)}.")
        weight = np.ones(n)
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
        codes = group_codes(groups, n)
        if codes is not None:
            check_constant("sample_weight", weight, codes, ONE_WEIGHT)
        rows = rows._replace(y=y, weight=weight)
        check_target(self.model_.expert, rows)
        rows, order = in_groups(rows._replace(group=codes))
        if self.model_.gate.traits.sees_columns and self.n_experts_ > 1:
            check_group_columns(rows, self.columns_.gate.design.names)
        order = np.arange(n) if order is None else order
        rows = with_labels(rows, labels, order, n, self._earlier.asked, self.model_.gate, self._earlier.kept)
        kept = rows.weight > 0
        if not kept.any():
            raise ValueError("sample_weight is zero everywhere; at least one row needs a positive weight.")
        return (rows, order) if kept.all() else (rows[kept], order[kept])

    def _weighed(self, X, y, *arguments, **rows):
        """`observed_rows` for densities: a target that had no weight in the fit is excluded under every expert."""
        rows, order = self._observed(X, y, *arguments, **rows)
        excluded = self.target_.without_weight(rows.y)
        if not excluded.any():
            return rows, order
        label = np.zeros((rows.n_rows, self.n_experts_)) if rows.log_label is None else rows.log_label
        impossible = rows.spread(rows.pooled(excluded.astype(int)) > 0)[:, None]
        y = np.where(excluded, 0, rows.y)
        return rows._replace(y=y, log_label=np.where(impossible, -np.inf, label)), order

    def class_factors(self, y, weight):
        """Factors on the weights of rows, by their classes.

        Parameters
        ----------
        y : array-like of shape (n,) or (n, T)
        weight : ndarray of shape (n,)

        Returns
        -------
        ndarray of shape (n,)
            What `class_weight` of a classifier says; ones without it.
        """
        return class_factors(self.class_weight, y, weight) if self.task == "classification" else np.ones(len(y))

    def input_names(self):
        """Names of the columns of X.

        Returns
        -------
        list of length p
            Those of the table that the model was fitted to, else x0, x1, ...
        """
        return list(getattr(self, "feature_names_in_", [f"x{j}" for j in range(self.n_features_in_)]))

    def outside_range(self, X):
        """Which values of a table are beyond those of the fit.

        Of more than one expert, such values are held at the nearest one of the fit, unless `hold_range` is False.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)

        Returns
        -------
        ndarray of bool of shape (n, q), or sparse matrix
            Its columns are those of X that the model takes, or what `expert_features` and `gate_features` make of them;
            ``range_.names`` are their names. ``.any(axis=1)`` tells the rows.

        Examples
        --------
        >>> import numpy as np
        >>> from hme import HMERegressor
        >>> X = np.linspace(-1, 1, 200)[:, None]
        >>> HMERegressor(depth=1).fit(X, np.abs(X[:, 0])).outside_range([[0.5], [1.5]])
        array([[False],
               [ True]])
        """
        check_is_fitted(self)
        return self.range_.outside(self.columns_.rows(tables_like(self, X)), self.columns_)

    # -- priors and posteriors -----------------------------------------------------------------------------------------

    def gate_proba(self, X):
        """Prior of every expert, from x alone, eq. (prior).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)

        Returns
        -------
        ndarray of shape (n, K)
        """
        return self.rows(X).blockwise(
            lambda block: np.ascontiguousarray(np.exp(self.model_.gate.log_prior(self.params_.gate, block)))
        )

    def apply(self, X):
        """The leaf of largest prior for every row, from x alone.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)

        Returns
        -------
        ndarray of int of shape (n,)
        """
        return self.gate_proba(X).argmax(axis=1)

    def decision_path(self, X):
        """Path to the leaf of largest prior.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)

        Returns
        -------
        sparse matrix of shape (n, M + K)
            One where a row passes a gating node (first M columns) or ends in a leaf.
        """
        leaves = self.apply(X)
        nodes = self.tree_.paths.sum(axis=1).T  # (K, M)
        indicator = np.hstack([nodes, np.eye(self.n_experts_)])
        return sp.csr_matrix(indicator[leaves])

    def _responsibilities(self, X, y, **arguments):
        """Responsibilities of every row, (n, K), in the order of the user's table."""
        rows, order = self._weighed(X, y, **arguments)
        resp = rows.blockwise(
            lambda block: block.spread(np.ascontiguousarray(self.model_.posterior(self.params_, block)[1]))
        )
        unsorted = np.empty_like(resp)
        unsorted[order] = resp
        return unsorted

    def _log_likelihood(self, X, y, **arguments):
        rows, _ = self._weighed(X, y, **arguments)
        with threads(self.n_jobs):
            return self.model_.evidence(self.params_, rows)

    # -- criteria ------------------------------------------------------------------------------------------------------

    @property
    def n_parameters_(self):
        """Number of free parameters, of gate and experts."""
        try:
            return int(self.model_.n_parameters(self.params_))
        except NotImplementedError as error:
            raise AttributeError(str(error)) from error

    @property
    def feature_importances_(self):
        """Importance of each column of X for the predictions, (p,); they sum to one, eq. (column-importance).

        It is the share of a column in the mean squared changes of predictions that are seen when one column after the
        other is given the values of other rows, as of `sklearn.inspection.permutation_importance`. No rows are kept for
        that: they are made from the mean, standard deviation and range that each column had in the fit, independently.
        `importances` splits them into gate and experts.
        """
        return self._importances().total

    def importances(self):
        """`feature_importances_`, split into what a column does through the gate and within the experts.

        The split is in proportion to the mean squares of the two parts of each change, eq. (effect-split).

        Returns
        -------
        Table
            Of ``column``, ``gate``, ``expert`` and ``total``, the most important column first: text when printed, and
            ``to_frame()`` for pandas.

        Examples
        --------
        >>> import numpy as np
        >>> from hme import HMERegressor
        >>> X = np.random.default_rng(0).uniform(-1, 1, (400, 3))
        >>> model = HMERegressor(depth=1, gate_features=[0]).fit(X, np.where(X[:, 0] > 0, X[:, 1], -X[:, 1]))
        >>> print(model.importances())
        column   gate  expert  total
        x0      0.5...  0.000  0.5...
        x1      0.000  0.4...  0.4...
        x2      0.000   0.000  0.000
        """
        return self._importances().table()

    def _importances(self):
        check_is_fitted(self)
        params, average, found = IMPORTANCES.get(self, (None, None, None))
        if params is self.params_ and average is self.average_:
            return found
        if self.average_ is None:
            seen = [Seen(1.0, self.model_, self.params_, self.columns_, self.range_)]
        else:
            parts = self.average_.parts
            seen = [Seen(part.share, part.mixture, part.params, part.columns, part.ranges) for part in parts]
        found = importances(seen, list(map(str, self.input_names())), self.task == "classification")
        IMPORTANCES[self] = self.params_, self.average_, found
        return found

    def bic(self, X, y, sample_weight=None, *, count="groups", **rows):
        """Bayesian information criterion, ``-2 log-likelihood + n_parameters_ log(n)``; less is better, eq. (bic).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        sample_weight : array-like of shape (n,) or None
        count : {"groups", "rows"}, default="groups"
            What n counts where there are groups: "groups", which are what is independent, or "rows", as in flexmix.
            Without groups n is the weight of the rows in either case.
        **rows
            Row arguments of `log_likelihood`: `groups`, for a regressor also `offset` and `trials`.

        Returns
        -------
        float
        """
        log_likelihood, n = self._information(X, y, sample_weight, count, **rows)
        return -2.0 * log_likelihood + self.n_parameters_ * np.log(n)

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

    def aicc(self, X, y, sample_weight=None, *, count="groups", **rows):
        """Akaike's criterion corrected for small samples, eq. (aicc); less is better.

        Parameters
        ----------
        X, y, sample_weight, count, **rows
            As for `bic`.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If there are no more than ``n_parameters_ + 1`` rows, or groups.
        """
        log_likelihood, n = self._information(X, y, sample_weight, count, **rows)
        return comparison.aicc(log_likelihood, self.n_parameters_, n)

    def icl(self, X, y, sample_weight=None, *, hard=False, count="groups", **rows):
        """Integrated completed likelihood: `bic` and twice the entropy of the responsibilities, eq. (icl).

        Less is better; experts that share rows without telling them apart cost more than by `bic`.

        Parameters
        ----------
        X, y, sample_weight
            As for `bic`.
        hard : bool, default=False
            Give each row to its most probable expert instead of taking the mean over all of them, eq. (hard-icl).
            With ``count="rows"`` that is flexmix's ICL.
        count, **rows
            As for `bic`.

        Returns
        -------
        float
        """
        check_choice(hard, "hard", (False, True))
        check_choice(count, "count", COUNTS)
        seen, _ = self._weighed(X, y, sample_weight, **rows)
        weight = seen.heads().weight
        posteriors = (self.model_.posterior(self.params_, block) for _, block in seen.blocks())
        log_density, resp = zip(*posteriors, strict=True)
        log_likelihood, n = float(weight @ np.concatenate(log_density)), weight if count == "groups" else seen.weight
        bic = -2.0 * log_likelihood + self.n_parameters_ * np.log(n.sum())
        return comparison.icl(bic, np.concatenate(resp), weight, hard)

    def summary(self, X, y, sample_weight=None, **options):
        """Estimates with their standard errors, z, p and intervals: a table for every gating node and expert.

        Parameters
        ----------
        X, y, sample_weight
            The rows that the model was fitted to.
        **options
            Of `hme.inference.infer`: ``cov_type``, ``clusters``, ``weights``, ``correction``, ``level``, and the row
            arguments of `fit`.

        Returns
        -------
        Summary
            Text when printed, a table in a notebook, ``to_frame()`` for pandas. `hme.inference.infer` gives the object
            behind it, with tests, bands and marginal effects.
        """
        return infer(self, X, y, sample_weight, **options).summary()

    def _information(self, X, y, sample_weight, count="groups", **arguments):
        """The log-likelihood, and the weight of groups or of rows."""
        check_choice(count, "count", COUNTS)
        rows, _ = self._weighed(X, y, sample_weight, **arguments)
        weight = rows.heads().weight
        n = weight if count == "groups" else rows.weight
        return float(weight @ self.model_.evidence(self.params_, rows)), float(n.sum())
