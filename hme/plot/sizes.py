"""The mixtures whose average predicts: one, or those of several sizes on the path of a tree that has grown."""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

__all__ = ["Size", "dense", "sizes_of", "tree_alone"]


class Size(NamedTuple):
    """A mixture and its share of the predictions of a fitted estimator, whose attributes it has as far as they differ.

    Attributes
    ----------
    share : float
    hold : bool
        Whether it sees columns held at their ranges.
    model_, params_, experts_, n_experts_, uncertainty_, columns_, range_
        As of a fitted estimator.
    target_, task
        Those of the estimator.
    part : Part or None
        Of `average_`; None of the tree alone.
    """

    share: float
    hold: bool
    model_: Any
    params_: Any
    experts_: Any
    n_experts_: int
    uncertainty_: Any
    columns_: Any
    range_: Any
    target_: Any
    task: str
    part: Any

    def answers(self, rows):
        """Priors (n, K) and means (n, K, T) of the experts, or their class probabilities."""
        model, params = self.model_, self.params_
        prior = rows.blockwise(lambda block: np.exp(model.gate.log_prior(params.gate, block)))
        return prior, rows.blockwise(lambda block: model.expert.predict(params.experts, block))

    def rows(self, fitted, table, **arguments):
        """Rows of a table as the mixture sees them, with arrays as design columns."""
        return dense(fitted.rows(table, hold=self.hold, part=self.part, **arguments))


def sizes_of(fitted):
    """The sizes of a fitted regressor or classifier, whose predictions are their average, eq. (size-average)."""
    if fitted.average_ is None:
        return [tree_alone(fitted)]
    found = []
    for part in fitted.average_.parts:
        report = part.mixture.expert.report(part.params.experts, part.columns.expert.design)
        own = part.mixture, part.params, report, part.n_leaves, part.uncertainty
        shared = part.columns, part.ranges, fitted.target_, fitted.task, part
        found.append(Size(part.share, fitted.hold_range and part.n_leaves > 1, *own, *shared))
    return found


def tree_alone(fitted):
    """The tree of a fitted regressor or classifier, which path, text and experts are of."""
    hold = fitted.hold_range and fitted.n_experts_ > 1
    own = fitted.model_, fitted.params_, fitted.experts_, fitted.n_experts_, getattr(fitted, "uncertainty_", None)
    return Size(1.0, hold, *own, fitted.columns_, fitted.range_, fitted.target_, fitted.task, None)


def dense(rows):
    """Rows whose design columns are arrays."""
    X = rows.X.toarray() if sp.issparse(rows.X) else np.asarray(rows.X)
    Z = X if rows.Z is rows.X else rows.Z.toarray() if sp.issparse(rows.Z) else np.asarray(rows.Z)
    beyond = rows.beyond.toarray() if sp.issparse(rows.beyond) else rows.beyond
    return rows._replace(X=X, Z=Z, beyond=beyond)
