"""What a user hands to fit and predict, checked: weights, row arguments, groups, labels, and a fit without a trace
where it fails."""

from contextlib import contextmanager

import numpy as np
import scipy.sparse as sp
from sklearn.utils import _safe_indexing

from ..model.design import LARGEST
from ..numerics.checks import check_array

__all__ = [
    "NEUTRAL",
    "ONE_WEIGHT",
    "check_group_columns",
    "group_codes",
    "in_groups",
    "label_factors",
    "positive_rows",
    "row_argument",
    "rows_out_of_range",
    "unchanged_on_error",
]


@contextmanager
def unchanged_on_error(estimator):
    """A fit that fails leaves an earlier one as it was."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def positive_rows(weight, tables, *arrays):
    """Rows of positive weight, as a mask, and the others' tables and arrays: they must not touch anything."""
    kept = weight > 0
    if not kept.any():
        raise ValueError("sample_weight is zero everywhere; at least one row needs a positive weight.")
    if kept.all():
        return kept, tables, *arrays
    index = np.flatnonzero(kept)
    tables = type(tables)(*(None if table is None else _safe_indexing(table, index) for table in tables))
    return kept, tables, *(None if array is None else array[kept] for array in arrays)


def rows_out_of_range(columns):
    """Whether design columns hold values whose squares leave the range of a double."""
    values = columns.data if sp.issparse(columns) else columns
    return bool(values.size) and max(values.max(), -values.min()) > LARGEST


ONE_WEIGHT = "A group counts once, with the weight of its rows."
# What a row argument is where it changes nothing.
NEUTRAL = {"offset": "0 for a rate per unit of exposure", "trials": "1 for the probability of a success"}


def row_argument(name, value, n_rows):
    """A number for each row, or None."""
    if value is None:
        return None
    array = check_array(value, name, (n_rows,), nonnegative=name == "trials")
    if name == "trials" and (array == 0).any():
        raise ValueError(f"trials must be > 0, got {value!r}.")
    return array


# -- groups and labels -----------------------------------------------------------------------------------------------


def group_codes(groups, n_rows):
    """Codes (n,) of groups, in the order of their sorted values, or None."""
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.shape != (n_rows,):
        raise ValueError(f"groups has shape {groups.shape}; it must hold one value for each row, {(n_rows,)}.")
    missing = groups != groups if groups.dtype.kind == "f" else np.array([g is None or g != g for g in groups.tolist()])
    if missing.any():
        raise ValueError(f"groups holds no value in {int(missing.sum())} row(s); give each a group, maybe its own.")
    try:
        return np.unique(groups, return_inverse=True)[1]
    except TypeError:
        raise TypeError("groups holds values of different types, which cannot be sorted; use one type.") from None


def check_constant(name, values, codes, advice):
    """Refuse values (n,) or (n, K) that vary inside a group."""
    order = np.argsort(codes, kind="stable")
    same = np.diff(codes[order]) == 0
    differs = (values[order][1:] != values[order][:-1]).reshape(len(same), -1).any(axis=1) & same
    if differs.any():
        rows = order[int(differs.argmax())], order[int(differs.argmax()) + 1]
        shown = [values[i].tolist() for i in rows]
        raise ValueError(
            f"{name} must be constant inside a group: rows {int(rows[0])} and {int(rows[1])} are of one group and have "
            f"{shown[0]} and {shown[1]}. {advice}"
        )


def label_factors(labels, n_rows, n_leaves, codes=None):
    """Logarithms (n, K) of what labels say of each row's expert, eq. (labels), or None.

    Integers (n,) are leaf numbers, -1 where unknown; an array (n, K) holds factors on the prior, 0 excludes an expert.
    With groups, unknown rows take the label of the others.
    """
    if labels is None:
        return None
    wanted = (
        f"labels must be int leaf numbers {(n_rows,)} from 0 to {n_leaves - 1}, -1 where unknown, or factors "
        f"{(n_rows, n_leaves)} that are finite, >= 0 and not all zero in a row"
    )
    labels = np.asarray(labels)
    if labels.dtype.kind == "f" and labels.ndim == 1 and (labels == np.rint(labels)).all():
        labels = labels.astype(int)
    if labels.shape == (n_rows,) and labels.dtype.kind in "iu":
        if labels.min() < -1 or labels.max() >= n_leaves:
            odd = labels[(labels < -1) | (labels >= n_leaves)][0]
            raise ValueError(f"{wanted}; got {int(odd)}.")
        labels = labels.astype(int)
        if codes is not None:
            known = np.full(codes.max() + 1, -1)
            np.maximum.at(known, codes, labels)
            labels = np.where(labels < 0, known[codes], labels)
            check_constant("labels", labels, codes, "A group has one expert.")
        factors = np.where(labels[:, None] < 0, 1.0, labels[:, None] == np.arange(n_leaves))
    elif labels.shape == (n_rows, n_leaves) and labels.dtype.kind in "biuf":
        factors = labels.astype(float)
        odd = ~np.isfinite(factors) | (factors < 0)
        if odd.any():
            raise ValueError(f"{wanted}; got {float(factors[odd][0])!r}.")
        if not factors.any(axis=1).all():
            raise ValueError(f"{wanted}; row {int((~factors.any(axis=1)).argmax())} has nothing but zeros.")
        factors = factors / factors.max(axis=1, keepdims=True)
        if codes is not None:
            check_constant("labels", factors, codes, "A group has one expert.")
    else:
        raise ValueError(f"{wanted}; got shape {labels.shape} and dtype {labels.dtype}.")
    with np.errstate(divide="ignore"):
        return np.log(factors)


def in_groups(rows):
    """The rows with their groups together, and their numbers in the order of the user's."""
    if rows.group is None:
        return rows, None
    order = np.argsort(rows.group, kind="stable")
    sorted_rows = rows if (np.diff(order) > 0).all() else rows[order]
    X = sorted_rows.X if sp.issparse(sorted_rows.X) else np.asfortranarray(sorted_rows.X)
    Z = X if sorted_rows.Z is sorted_rows.X else sorted_rows.Z
    return sorted_rows._replace(X=X, Z=Z if sp.issparse(Z) else np.asfortranarray(Z)), order


def check_group_columns(rows, names):
    """Refuse gate columns that vary inside a group: a group has one prior."""
    if rows.group is None:
        return
    differs = rows.Z != rows.spread(rows.heads().Z)
    varies = np.flatnonzero(np.asarray(differs.sum(axis=0)).ravel())
    if len(varies):
        raise ValueError(
            f"the gate sees column(s) {[str(names[j]) for j in varies]}, which vary inside a group, but all rows of a "
            "group come from the same expert. Give gate_features that are constant inside groups, or gate='constant'."
        )
