"""What comes with the rows of X beside y: offset and trials, groups, and labels, which `fit` and `predict` share."""

import numpy as np
import scipy.sparse as sp

from ..numerics.checks import check_array

__all__ = [
    "NEUTRAL",
    "ONE_WEIGHT",
    "check_constant",
    "check_group_columns",
    "group_codes",
    "in_groups",
    "label_factors",
    "row_argument",
    "with_labels",
]

ONE_WEIGHT = "A group counts once, with the weight of its rows."
# The value of a row argument that changes nothing.
NEUTRAL = {"offset": "0 for a rate per unit of exposure", "trials": "1 for the probability of a success"}


def row_argument(name, value, n_rows):
    """A number for each row, (n,), or None."""
    if value is None:
        return None
    array = check_array(value, name, (n_rows,), nonnegative=name == "trials")
    if name == "trials" and (array == 0).any():
        raise ValueError(f"trials must be > 0, got {value!r}.")
    return array


# -- groups ------------------------------------------------------------------------------------------------------------


def group_codes(groups, n_rows):
    """Codes (n,) of groups, in the order of their sorted values, or None."""
    if groups is None:
        return None
    groups = np.asarray(groups)
    if groups.shape != (n_rows,):
        raise ValueError(f"groups has shape {groups.shape}; it must hold one value for each row, {(n_rows,)}.")
    missing = groups != groups if groups.dtype.kind == "f" else np.array([g is None or g != g for g in groups.tolist()])
    if missing.any():
        raise ValueError(
            f"groups has no value in {int(missing.sum())} row(s); give every row a group, if only one of its own."
        )
    try:
        return np.unique(groups, return_inverse=True)[1]
    except TypeError:
        raise TypeError("groups holds values of different types, which cannot be sorted; use one type.") from None


def check_constant(name, values, codes, advice):
    """Refuse values (n,) or (n, K) that vary inside a group."""
    order = np.argsort(codes, kind="stable")
    same = np.diff(codes[order]) == 0
    varies = values[order][1:] != values[order][:-1]
    differs = same & (varies.any(axis=1) if varies.ndim == 2 else varies)
    if differs.any():
        rows = order[int(differs.argmax())], order[int(differs.argmax()) + 1]
        shown = [values[i].tolist() for i in rows]
        raise ValueError(
            f"{name} must be constant inside a group: rows {int(rows[0])} and {int(rows[1])} are of one group and have "
            f"{shown[0]} and {shown[1]}. {advice}"
        )


def in_groups(rows):
    """The rows sorted by group, and the number that each had before; as they are, and None, without groups."""
    if rows.group is None:
        return rows, None
    order = np.argsort(rows.group, kind="stable")
    sorted_rows = rows if (np.diff(order) > 0).all() else rows[order]
    X = sorted_rows.X if sp.issparse(sorted_rows.X) else np.asfortranarray(sorted_rows.X)
    Z = X if sorted_rows.Z is sorted_rows.X else sorted_rows.Z
    return sorted_rows._replace(X=X, Z=Z if sp.issparse(Z) else np.asfortranarray(Z)), order


def check_group_columns(rows, names):
    """Refuse gate columns that vary inside a group, since a group has one prior."""
    if rows.group is None:
        return
    differs = rows.Z != rows.spread(rows.heads().Z)
    varies = np.flatnonzero(np.asarray(differs.sum(axis=0)).ravel())
    if len(varies):
        raise ValueError(
            f"the gate sees column(s) {[str(names[j]) for j in varies]}, which vary inside a group, but all rows of a "
            "group come from the same expert. Give gate_features that are constant inside groups, or gate='constant'."
        )


# -- labels ------------------------------------------------------------------------------------------------------------


def with_labels(rows, labels, numbers, n_given, tree, gate, kept):
    """The rows with what the user knows of their experts, eq. (labels).

    Parameters
    ----------
    rows : Rows
    labels : array-like or None
        Of all rows that the user gives, `n_given` of them.
    numbers : ndarray of int
        Which of these the rows are.
    n_given : int
    tree : Tree
        Whose leaves the labels are of.
    gate : Gate or NodeGate
    kept : ndarray of int
        Which of the leaves are in use; an earlier fit may have dropped others.
    """
    if labels is None:
        return rows
    if gate.traits.routed:
        raise ValueError(f"labels do not go with {type(gate).__name__}, which could exclude a row's own expert.")
    labels = np.asarray(labels)
    if labels.shape[:1] != (n_given,):
        raise ValueError(f"labels has {labels.shape[:1]} rows, X has {n_given}.")
    log_label = label_factors(labels[numbers], rows.n_rows, tree.n_leaves, rows.group)[:, kept]
    if not np.isfinite(log_label).any(axis=1).all():
        gone = np.setdiff1d(np.arange(tree.n_leaves), kept).tolist()
        raise ValueError(f"labels leave some row only experts {gone}, which the fit has dropped (on_empty='drop').")
    return rows._replace(log_label=log_label)


def label_factors(labels, n_rows, n_leaves, codes=None):
    """Logarithms (n, K) of the factors that labels put on the prior of each row's experts, eq. (labels), or None.

    Integers (n,) are leaf numbers, -1 where unknown; an array (n, K) holds the factors, of which 0 excludes an expert.
    With groups, rows without a label take that of the others of their group.
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
        factors = _factors_of_numbers(labels, n_leaves, codes, wanted)
    elif labels.shape == (n_rows, n_leaves) and labels.dtype.kind in "biuf":
        factors = _checked_factors(labels.astype(float), codes, wanted)
    else:
        raise ValueError(f"{wanted}; got shape {labels.shape} and dtype {labels.dtype}.")
    with np.errstate(divide="ignore"):
        return np.log(factors)


def _factors_of_numbers(labels, n_leaves, codes, wanted):
    """Factors (n, K) from leaf numbers (n,)."""
    if labels.min() < -1 or labels.max() >= n_leaves:
        odd = labels[(labels < -1) | (labels >= n_leaves)][0]
        raise ValueError(f"{wanted}; got {int(odd)}.")
    labels = labels.astype(int)
    if codes is not None:
        known = np.full(codes.max() + 1, -1)
        np.maximum.at(known, codes, labels)
        labels = np.where(labels < 0, known[codes], labels)
        check_constant("labels", labels, codes, "A group has one expert.")
    return np.where(labels[:, None] < 0, 1.0, labels[:, None] == np.arange(n_leaves))


def _checked_factors(factors, codes, wanted):
    """Factors (n, K), whose largest is one in every row."""
    odd = ~np.isfinite(factors) | (factors < 0)
    if odd.any():
        raise ValueError(f"{wanted}; got {float(factors[odd][0])!r}.")
    if not factors.any(axis=1).all():
        raise ValueError(f"{wanted}; row {int((~factors.any(axis=1)).argmax())} is all zero.")
    factors = factors / factors.max(axis=1, keepdims=True)
    if codes is not None:
        check_constant("labels", factors, codes, "A group has one expert.")
    return factors
