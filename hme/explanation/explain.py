"""explain: why a model predicts what it does for a row."""

import numpy as np

from ..numerics.checks import check_real
from ..plot.picture import expert_labels, name_of, subject_of
from ..plot.sizes import sizes_of
from ..text.tree import told
from .columns import Contributions, contributions
from .result import Explanation
from .tables import merged

__all__ = ["explain"]


def explain(model, X, y=None, *, background=None, coverage=0.9, merge=True, feature_names=None, **rows):
    """Explain predictions: the path, each expert's prediction, what each column adds, and the predictive density.

    Rows are compared with the mean row of the fit. Each column's part of the difference between the two predictions is
    split in two: through the gate, because it sends the row to other experts, and within the experts, eq.
    (column-parts). Parts add up to the difference exactly. Within experts whose mean depends on one linear predictor,
    such as linear and generalised linear ones, they are exact; those of the gate are integrated gradients. Columns of
    trees and other estimators are moved in steps, which takes longer, and needs a `background` where the table holds
    text.

    Of a tree that has grown, whose predictions are the average over sizes, path and experts are those of the tree; what
    columns add, and the predictive density, are those of the average.

    Parameters
    ----------
    model : HMERegressor, HMEClassifier or a stack
        A fitted one, or a pipeline that ends in one. Columns of a stack are the predictions of its models.
    X : data frame or array-like of shape (n, p)
        Rows, in the columns that the model, or the pipeline, takes.
    y : array-like of shape (n,) or (n, T) or None, default=None
        Observed values: adds responsibilities and the density at y.
    background : data frame or array-like or None, default=None
        Rows whose mean is what rows are compared with; None is the weighted mean of the training rows.
    coverage : float, default=0.9
        Of the predictive interval.
    merge : bool, default=True
        Whether columns that a transformer makes of one column of the table, as of the levels of text, are added up
        under its name, where names tell.
    feature_names : sequence of str or None, default=None
        Names of the columns that the model sees.
    **rows
        Row arguments of `predict`: `offset`, `trials`.

    Returns
    -------
    Explanation
        Text when printed, HTML in a notebook, with `frame` and `plot`. ``explanation[i]`` is that of one row.

    Examples
    --------
    >>> from hme import HMERegressor, explain
    >>> from hme.datasets import load_motorcycle
    >>> data = load_motorcycle(as_frame=True)
    >>> model = HMERegressor(depth=1, random_state=0).fit(data.data, data.target)
    >>> found = explain(model, data.data[60:61], data.target[60:61])
    >>> found.frame().columns.tolist()
    ['row', 'output', 'column', 'value', 'gate', 'expert', 'total']
    >>> bool(abs(found.base + found.parts.sum(axis=(1, 2)) - found.mean).max() < 1e-9)
    True
    """
    if not check_real(coverage, "coverage", positive=True) < 1:
        raise ValueError(f"coverage must be between 0 and 1, got {coverage!r}.")
    subject = subject_of(model, X)
    mixture, table = subject.mixture, subject.seen_by_mixture(subject.table)
    seen = None if background is None else subject.seen_by_mixture(subject_of(model, background).table)
    names = feature_names or (subject.names_seen() if mixture is subject.model else None)
    if y is not None and len(y) != table.shape[0]:
        raise ValueError(f"X has {table.shape[0]} rows, y has {len(y)}.")
    found = _called(contributions(mixture, table, seen, rows), mixture, names)
    values = {name: subject.column(j) for j, name in enumerate(subject.names)}
    if merge and mixture is subject.model:
        found = _merged(found, subject.names)
    target = name_of(y) or "y"
    resp = None
    if y is not None:
        resp = subject.ask("responsibilities", subject.seen(subject.table), y=y, **rows)
    answers = mixture.model_.expert.predict(mixture.params_.experts, mixture.rows(table, **rows))
    return Explanation(
        found.columns,
        np.array([values.get(name, np.full(len(answers), None)) for name in found.columns], dtype=object).T,
        found.parts,
        found.base,
        found.mean,
        sizes=[(one.n_experts_, one.share, one.variant) for one in sizes_of(mixture)],
        prior=mixture.gate_proba(table),
        experts=answers,
        dist=mixture.predict_dist(table, **rows),
        words=told(mixture, names, target, 3),
        expert_names=expert_labels(mixture, mixture.n_experts_),
        outputs=tuple(np.asarray(mixture.target_.labels).tolist()),
        task=mixture.task,
        y=None if y is None else np.asarray(y),
        resp=resp,
        coverage=coverage,
        target_name=target,
    )


def _called(found, mixture, names):
    """Contributions under the names of the columns that the model sees."""
    if names is None:
        return found
    called = dict(zip(map(str, mixture.input_names()), map(str, names), strict=True))
    return found._replace(columns=[called.get(name, name) for name in found.columns])


def _merged(found, names):
    """Contributions of the columns of the user's table."""
    owners = merged(found.columns, names)
    columns = list(dict.fromkeys(owners))
    parts = np.zeros((len(found.mean), len(columns), *found.parts.shape[2:]))
    for j, owner in enumerate(owners):
        parts[:, columns.index(owner)] += found.parts[:, j]
    return Contributions(columns, found.base, found.mean, parts)
