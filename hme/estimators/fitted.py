"""What a fitted mixture answers, whatever it is for: rows from tables, priors, posteriors, likelihoods and criteria."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_X_y
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from ..inference import comparison
from ..inference.infer import infer
from ..model.design import LARGEST
from ..model.features import Tables
from ..registry import check_target
from .inputs import (
    NEUTRAL,
    ONE_WEIGHT,
    check_constant,
    check_group_columns,
    group_codes,
    in_groups,
    row_argument,
    rows_out_of_range,
)

__all__ = ["FittedMixture"]


class FittedMixture:
    """The predict side that regressor and classifier share."""

    def _tables(self, X, y=None, *, reset, picks=None):
        """The tables that experts and gate take their columns from, and y, validated.

        A side with all columns wants numbers; one that picks or transforms them sees the table as it came.
        """
        if reset and picks is None:
            gate_picks = self.gate_features is not None or (self.expert_features is not None and self._gate_is_blind)
            picks = (self.expert_features is not None or self._follows, gate_picks)
        if reset:
            self._picks = picks
        picks = self._picks
        given = X if hasattr(X, "shape") else np.asarray(X)
        given = given.tocsr() if sp.issparse(given) else given
        if all(picks):
            if len(given.shape) != 2:
                raise ValueError(f"Expected 2D array, got X of shape {given.shape} instead.")
            if reset:  # scikit-learn's checks of a target, without a table of numbers
                y = check_X_y(np.zeros((given.shape[0], 1)), y, **self._target_checks(y))[1]
            validate_data(self, given, reset=reset, skip_check_array=True)
            numbers = None
        elif reset:
            checks = {"accept_sparse": "csr", "dtype": np.float64, **self._target_checks(y)}
            try:
                numbers, y = validate_data(self, X, y, **checks)
            except ValueError as error:
                reason = str(error).splitlines()[0].rstrip(".")
                if not any(picks) or not ("could not convert" in reason or "X contains NaN" in reason):
                    raise
                if self._follows and self._gate_is_blind:  # nobody but the estimators looks at the columns
                    return self._tables(X, y, reset=True, picks=(True, True))
                side = "expert" if picks[1] else "gate"
                raise ValueError(f"{reason}: the {side} sees all columns of X; give {side}_features too.") from error
        else:
            numbers = validate_data(self, X, accept_sparse="csr", dtype=np.float64, reset=False)
        whole = given if numbers is None or hasattr(given, "columns") else numbers  # names of columns are kept
        return Tables(*(given if pick else numbers for pick in picks), whole), y

    # -- for developers: what inference, effects, the bootstrap and plots ask of a fitted model -----------------------

    def rows(self, X, **arguments):
        """The rows of a table as gate and experts see them.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        **arguments
            Row arguments of `predict`: `offset` and `trials` of a regressor.

        Returns
        -------
        Rows
            Without y and weights.
        """
        check_is_fitted(self)
        tables, _ = self._tables(X, reset=False)
        n_rows = tables.expert.shape[0]
        arrays = {name: row_argument(name, value, n_rows) for name, value in arguments.items()}
        for name, array in arrays.items():
            if array is None and name in self.row_arguments_:
                raise ValueError(f"the model was fitted with {name}; give {name} here too, {NEUTRAL[name]}.")
            if array is not None and name not in self.model_.expert.traits.row_arguments:
                raise ValueError(f"{name} is given, but {type(self.model_.expert).__name__} takes no {name}.")
        sees = (side.traits.sees_table for side in (self.model_.expert, self.model_.gate))
        rows = self.columns_.rows(tables, *sees, **arrays)
        if any(rows_out_of_range(columns) for columns in ((rows.X,) if rows.Z is rows.X else (rows.X, rows.Z))):
            raise ValueError(f"X holds values more than {LARGEST:g} standard deviations from those of the fit.")
        return rows

    def observed_rows(self, X, y, sample_weight=None, *, groups=None, labels=None, **arguments):
        """Rows with their targets and weights, as in `fit`: those of positive weight, groups together.

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
        rows, order = self._labelled_rows(X, y, groups, **arguments)
        every = np.ones(rows.n_rows, dtype=bool)
        rows = self._with_labels(rows, labels, every, order, self.n_experts_, self.model_.gate)
        empty = np.empty((rows.n_rows, 1))
        weight = _check_sample_weight(sample_weight, empty, dtype=np.float64, ensure_non_negative=True)
        order = np.arange(rows.n_rows) if order is None else order
        rows = rows._replace(weight=weight[order])
        if (rows.spread(rows.heads().weight) != rows.weight).any():
            raise ValueError(f"sample_weight must be constant inside a group. {ONE_WEIGHT}")
        kept = rows.weight > 0
        if not kept.any():
            raise ValueError("sample_weight is zero everywhere; at least one row needs a positive weight.")
        return (rows, order) if kept.all() else (rows[kept], order[kept])

    def class_factors(self, y):
        """Factors (n,) on the weights of rows, by their classes: ones, but for a classifier with `class_weight`."""
        return np.ones(len(y))

    def input_names(self):
        """Names of the columns of X, (p,): those of the table that the model was fitted to, else x0, x1, ..."""
        return list(getattr(self, "feature_names_in_", [f"x{j}" for j in range(self.n_features_in_)]))

    # ------------------------------------------------------------------------------------------------------------------

    def _labelled_rows(self, X, y, groups=None, **arguments):
        """Rows with their y, groups together, and their numbers in the user's order (None: as they are)."""
        rows, y = self.rows(X, **arguments), self.target_.encode(y)
        if len(y) != rows.n_rows:
            raise ValueError(f"X has {rows.n_rows} rows, y has {len(y)}.")
        if y.dtype.kind == "f" and np.abs(y).max(initial=0.0) > LARGEST:
            raise ValueError(f"y has values of a size beyond {LARGEST:g}, whose squares are out of range.")
        rows = rows._replace(y=y)
        check_target(self.model_.expert, rows)
        rows, order = in_groups(rows._replace(group=group_codes(groups, rows.n_rows)))
        if self.model_.gate.traits.sees_columns and self.n_experts_ > 1:
            check_group_columns(rows, self.columns_.gate.design.names)
        return rows, order

    def _by_blocks(self, function, rows):
        return np.concatenate([function(block) for _, block in rows.blocks()])

    def gate_proba(self, X):
        """Prior of every expert, from x alone, eq. (prior).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)

        Returns
        -------
        ndarray of shape (n, K)
        """
        rows = self.rows(X)
        return self._by_blocks(lambda block: self._prior(block), rows)

    def _prior(self, rows):
        return np.ascontiguousarray(np.exp(self.model_.log_prior(self.params_, rows)))

    def _responsibilities(self, X, y, **arguments):
        rows, order = self._labelled_rows(X, y, **arguments)
        resp = self._by_blocks(
            lambda block: block.spread(np.ascontiguousarray(self.model_.posterior(self.params_, block)[1])), rows
        )
        if order is None:
            return resp
        unsorted = np.empty_like(resp)
        unsorted[order] = resp
        return unsorted

    def _log_likelihood(self, X, y, **arguments):
        rows, _ = self._labelled_rows(X, y, **arguments)
        return self.model_.evidence(self.params_, rows)

    @property
    def n_parameters_(self):
        """Number of free parameters, of gate and experts."""
        try:
            return int(self.model_.n_parameters(self.params_))
        except NotImplementedError as error:
            raise AttributeError(str(error)) from error

    def bic(self, X, y, sample_weight=None, **rows):
        """Bayesian information criterion, ``-2 log-likelihood + n_parameters_ log(weight)``; less is better, eq. (bic).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        sample_weight : array-like of shape (n,) or None
        **rows
            Row arguments of `log_likelihood`: `groups`, for a regressor also `offset` and `trials`. With groups the
            criterion counts groups.

        Returns
        -------
        float
        """
        log_likelihood, weight = self._information(X, y, sample_weight, **rows)
        return -2.0 * log_likelihood + self.n_parameters_ * np.log(weight)

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

    def aicc(self, X, y, sample_weight=None, **rows):
        """Akaike's criterion corrected for small samples, eq. (aicc); less is better.

        Parameters
        ----------
        X, y, sample_weight, **rows
            As for `bic`.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If there are no more than ``n_parameters_ + 1`` rows, or groups.
        """
        log_likelihood, weight = self._information(X, y, sample_weight, **rows)
        return comparison.aicc(log_likelihood, self.n_parameters_, weight)

    def icl(self, X, y, sample_weight=None, **rows):
        """Integrated completed likelihood: `bic` and twice the entropy of the responsibilities, eq. (icl).

        Less is better; experts that share rows without telling them apart cost more than by `bic`.

        Parameters
        ----------
        X, y, sample_weight, **rows
            As for `bic`.

        Returns
        -------
        float
        """
        resp, weight = self.responsibilities(X, y, **rows), self._weight(y, sample_weight)
        codes = group_codes(rows.get("groups"), len(resp))
        if codes is not None:  # a group counts once
            first = np.unique(codes, return_index=True)[1]
            resp, weight = resp[first], weight[first]
        return comparison.icl(self.bic(X, y, sample_weight, **rows), resp, weight)

    def summary(self, X, y, sample_weight=None, **options):
        """Estimates with their standard errors, z, p and intervals: a table for every gating node and expert.

        Parameters
        ----------
        X, y, sample_weight
            The rows that the model was fitted to.
        **options
            Of `hme.inference.infer`: ``cov_type``, ``clusters``, ``level``, and the row arguments of `fit`.

        Returns
        -------
        Summary
            Text when printed, a table in a notebook, ``to_frame()`` for pandas. `hme.inference.infer` gives the object
            behind it, with tests, bands and marginal effects.
        """
        return infer(self, X, y, sample_weight, **options).summary()

    def _weight(self, y, sample_weight):
        return _check_sample_weight(sample_weight, np.asarray(y), dtype=np.float64, ensure_non_negative=True)

    def _information(self, X, y, sample_weight, groups=None, **rows):
        """The log-likelihood and what it is the sum of: weights of groups, or of rows."""
        log_likelihood = self.log_likelihood(X, y, groups=groups, **rows)
        codes = group_codes(groups, len(y))
        weight = self._weight(y, sample_weight)
        if codes is not None:
            check_constant("sample_weight", weight, codes, ONE_WEIGHT)
            weight = weight[np.unique(codes, return_index=True)[1]]
        return float(weight @ log_likelihood), float(weight.sum())

    def apply(self, X):
        """The most probable leaf of every row, (n,), from x alone."""
        return self.gate_proba(X).argmax(axis=1)

    def decision_path(self, X):
        """Path to the most probable leaf.

        Returns
        -------
        sparse matrix of shape (n, M + K)
            One where a row passes a gating node (first M columns) or ends in a leaf.
        """
        leaves = self.apply(X)
        nodes = self.tree_.paths.sum(axis=1).T  # (K, M)
        indicator = np.hstack([nodes, np.eye(self.n_experts_)])
        return sp.csr_matrix(indicator[leaves])
