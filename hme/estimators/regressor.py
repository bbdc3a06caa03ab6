"""HMERegressor: any family of experts for numbers, counts and several outputs."""

from textwrap import wrap

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import _check_sample_weight

from ..model.design import LARGEST
from ..registry import expert_names, make_expert
from .base import BaseHME
from .inputs import row_argument, unchanged_on_error
from .parameters import PARAMETERS
from .predictive import Predictive
from .target import Outputs

__all__ = ["HMERegressor"]


def _in_quotes(names):
    """Names as a list in a docstring."""
    return "\n        ".join(wrap(", ".join(f'"{name}"' for name in names), 100))


class HMERegressor(Predictive, RegressorMixin, BaseHME):
    __doc__ = (
        """Hierarchical mixture of experts for regression, fitted by EM.

    """
        + PARAMETERS.format(
            experts=_in_quotes(expert_names("regression")),
            default="linear",
            start="model_tree",
            drawn='"directions", "hyperplanes",\n        "perturbed_model_tree"',
            classes="",
        )
        + """
    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> X = np.linspace(-1, 1, 200)[:, None]
    >>> model = HMERegressor(depth=1).fit(X, np.abs(X[:, 0]))
    >>> model.predict([[-0.5], [0.5]]).round(2)
    array([0.5, 0.5])
    """
    )

    task = "regression"

    def _target_checks(self, y):
        """What scikit-learn checks of a target: one column is no row of outputs to a family of one output."""
        shape = np.asarray(y).shape
        several = len(shape) == 2 and shape[1] > 1  # refused by the family's name later on
        return {"y_numeric": True, "multi_output": several or make_expert(self.expert, self.task).traits.multioutput}

    def fit(self, X, y, sample_weight=None, *, offset=None, trials=None, groups=None, labels=None):
        """Fit the mixture.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        sample_weight : array-like of shape (n,) or None
            Not negative; a weight of 2 is the same as the row twice.
        offset : array-like of shape (n,), float or None
            Known part of every expert's linear predictor, such as the logarithm of an exposure.
        trials : array-like of shape (n,), float or None
            Trials of which y counts the successes, for binomial experts.
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
            weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
            flat = y.ndim == 1
            arguments = {
                name: row_argument(name, value, len(y)) for name, value in (("offset", offset), ("trials", trials))
            }
            Y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
            kept, tables, Y, weight, codes, arguments = self._in_use(tables, Y, weight, groups, **arguments)
            size = np.abs(Y).max()
            if size > LARGEST or 0 < size < 1.0 / LARGEST:
                raise ValueError(f"y has values of size {size:g}, whose squares are out of range; change its units.")
            self._fit(tables, Y, weight, kept, codes, labels, **arguments)
            self.target_ = Outputs(Y.shape[1], flat)
            self.row_arguments_ = frozenset(name for name, value in arguments.items() if value is not None)
        return self

    def responsibilities(self, X, y, *, offset=None, trials=None, groups=None):
        """Posterior of every expert, having seen y, (n, K), eqs. (responsibility), (group).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.
        groups : array-like of shape (n,) or None
            As in `fit`; without them every row stands for itself.

        Returns
        -------
        ndarray of shape (n, K)
        """
        return self._responsibilities(X, y, offset=offset, trials=trials, groups=groups)

    def log_likelihood(self, X, y, *, offset=None, trials=None, groups=None):
        """log p(y | x) of every row, (n,), eq. (evidence); with groups of every group, eq. (group).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.
        groups : array-like of shape (n,) or None
            As in `fit`; without them every row stands for itself.

        Returns
        -------
        ndarray of shape (n,), or (number of groups,) in the order of their sorted values
        """
        return self._log_likelihood(X, y, offset=offset, trials=trials, groups=groups)

    def score(self, X, y, sample_weight=None, *, offset=None, trials=None):
        """R^2 of the predicted means, as of any scikit-learn regressor.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        y : array-like of shape (n,) or (n, T)
        sample_weight : array-like of shape (n,) or None
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.

        Returns
        -------
        float
        """
        return r2_score(y, self.predict(X, offset=offset, trials=trials), sample_weight=sample_weight)

    def predict(self, X, return_std=False, *, offset=None, trials=None):
        """Mean of y given x, eq. (mean).

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        return_std : bool, default=False
            Also return the standard deviation: noise within experts and disagreement between them, eq. (variance). It
            is inf where an expert has none (Student-t with two or fewer degrees of freedom).
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.

        Returns
        -------
        ndarray of shape (n,) or (n, T), or a pair of them
        """
        rows = self.rows(X, offset=offset, trials=trials)
        if not return_std:
            return self.target_.as_given(self.model_.mean(self.params_, rows))
        mean, variance = self.model_.moments(self.params_, rows)
        return self.target_.as_given(mean), self.target_.as_given(np.sqrt(variance))

    def predict_experts(self, X, *, offset=None, trials=None):
        """Mean of every expert, (n, K), or (n, K, T) for several outputs.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, p)
        offset, trials : array-like of shape (n,), float or None
            As in `fit`.

        Returns
        -------
        ndarray of shape (n, K) or (n, K, T)
        """
        rows = self.rows(X, offset=offset, trials=trials)
        return self.target_.as_given(
            self._by_blocks(lambda block: self.model_.expert.predict(self.params_.experts, block), rows)
        )
