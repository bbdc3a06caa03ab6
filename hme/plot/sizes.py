"""The mixtures whose average predicts: one, or those of several sizes on the path of a tree that has grown."""

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

__all__ = ["Size", "changes_in_words", "dense", "sizes_in_words", "sizes_of", "tree_alone"]


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
    variant : str
        The hyper-parameters that its candidate has changed, if there are parts of several candidates.
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
    variant: str = ""

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
    found, several = [], len({part.candidate for part in fitted.average_.parts}) > 1
    for part in fitted.average_.parts:
        report = part.mixture.expert.report(part.params.experts, part.columns.expert.design)
        own = part.mixture, part.params, report, part.n_leaves, part.uncertainty
        shared = part.columns, part.ranges, fitted.target_, fitted.task, part
        variant = changes_in_words(fitted.candidates_[part.candidate]) if several else ""
        found.append(Size(part.share, fitted.hold_range and part.n_leaves > 1, *own, *shared, variant))
    return found


def changes_in_words(changes):
    """Changes of hyper-parameters as they are written in Python."""
    return ", ".join(f"{name}={value!r}" for name, value in changes.items())


def sizes_in_words(sizes):
    """The mixtures of an average: such as "mixtures of 1 (0.80), 2 (0.20) experts".

    Parameters
    ----------
    sizes : list of (int, float, str)
        Number of experts, share and `variant` of each.
    """
    told = {}
    for n_experts, share, variant in sorted(sizes, key=lambda size: (size[2], size[0])):
        told.setdefault(variant, []).append(f"{n_experts} ({share:.2f})")
    parts = [f"{f'with {name} ' if name else ''}of {', '.join(own)} experts" for name, own in told.items()]
    return f"mixtures {', and '.join(parts)}"


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
