"""Users' parts, estimators and transformers: what they are handed, and what they must give back."""

import warnings
from contextlib import contextmanager
from numbers import Real

import numpy as np
import scipy.sparse as sp
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline

__all__ = [
    "UnusablePart",
    "called",
    "codes_of",
    "first_of",
    "lent",
    "numbers_of",
    "probabilities_of",
    "quiet",
    "renamed",
]

SUM_TOL = 1e-3  # by which the sum of the probabilities of a row may differ from one, as single precision does and more
LEAST = -1e-6  # probabilities above this are negative by round-off
SHOWN = 200  # characters of a warning that are shown
UNSEEN = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)  # Python shows users none


class UnusablePart(ValueError):
    """What an estimator does makes a model of it impossible, whatever the rows: it is never replaced by another."""


def called(part):
    """What users call a part: the name of its class, and of those inside."""
    if isinstance(part, Pipeline):
        return " | ".join(called(step) for _, step in part.steps)
    if isinstance(part, str) or part is None:
        return repr(part)
    several = getattr(part, "transformers", None) or getattr(part, "transformer_list", None)
    if isinstance(several, list):  # of a ColumnTransformer or FeatureUnion
        return f"{type(part).__name__}({', '.join(called(step) for _, step, *_ in several)})"
    inner = next((getattr(part, name, None) for name in ("estimator", "regressor", "transformer")), None)
    if not hasattr(inner, "get_params") or isinstance(inner, type):
        return type(part).__name__
    return f"frozen {called(inner)}" if isinstance(part, FrozenEstimator) else f"{type(part).__name__}({called(inner)})"


def renamed(error, text):
    """An error of the same kind with another text; a ValueError where its kind takes no text."""
    try:
        return type(error)(text)
    except TypeError:
        return ValueError(text)


# -- what they are handed ----------------------------------------------------------------------------------------------


@contextmanager
def lent(part, role, **arguments):
    """Hand out copies of tables and arrays, and refuse a part that changes them in place.

    Parameters
    ----------
    part : estimator
    role : str
        What it is for, such as "an expert".
    **arguments
        The tables and arrays under the names that the message gives them, such as X and y.

    Yields
    ------
    list
        The copies. Tables that cannot be copied so are handed out themselves.
    """
    copies = [_copied(values) for values in arguments.values()]
    yield copies
    for (name, values), copy in zip(arguments.items(), copies, strict=True):
        if copy is not values and not _same(values, copy):
            raise UnusablePart(
                f"{called(part)}, {role}, changes its {name} in place; make it work on a copy (scikit-learn's "
                "estimators have copy=True or copy_X=True)."
            )


def _copied(values):
    return values.copy() if isinstance(values, np.ndarray) or sp.issparse(values) or hasattr(values, "iloc") else values


def _same(a, b):
    """Whether two arrays or tables of the same kind are equal, missing values included."""
    if sp.issparse(a):  # its entries may have been sorted, and their places be integers of another size
        a, b = (sp.csr_matrix(table).sorted_indices() for table in (a, b))
        places = all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("indices", "indptr"))
        return a.shape == b.shape and places and _same(a.data, b.data)
    if hasattr(a, "iloc"):
        return a.equals(b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    return np.array_equal(a, b) if a.dtype.kind not in "fc" else bool(((a == b) | ((a != a) & (b != b))).all())


# -- what they give back -----------------------------------------------------------------------------------------------


def numbers_of(answer, n_rows, n_outputs, part, role, method="predict"):
    """Finite predictions (n, T) from the answer of an estimator; anything else is refused by name."""
    values = _floats(answer, part, role, method)
    wanted = [(n_rows, n_outputs)] + ([(n_rows,)] if n_outputs == 1 else [])
    if values.shape not in wanted:
        raise UnusablePart(
            f"{called(part)}, {role}: {method} returned an array of shape {values.shape} for {n_rows} rows; it must be "
            f"{' or '.join(map(str, wanted[::-1]))}."
        )
    _check_finite(values, part, role, method)
    return values.reshape(n_rows, n_outputs)


def probabilities_of(answer, n_rows, n_classes, part, role, codes):
    """Probabilities (n, C) of all classes from the answer of a classifier; anything else is refused by name.

    Parameters
    ----------
    answer : what its `predict_proba` returned
    n_rows, n_classes : int
    part, role
        As in `lent`.
    codes : sequence of int
        The class that each column of the answer is about; the others have probability zero.
    """
    values = _floats(answer, part, role, "predict_proba")
    if values.shape != (n_rows, len(codes)):
        raise UnusablePart(
            f"{called(part)}, {role}: predict_proba returned an array of shape {values.shape} for {n_rows} rows and "
            f"{len(codes)} classes; it must be {(n_rows, len(codes))}."
        )
    _check_finite(values, part, role, "predict_proba")
    total = values.sum(axis=1)
    for wrong, what in (
        (values < LEAST, "negative probabilities"),
        (np.abs(total - 1.0) > SUM_TOL, "probabilities that do not sum to one"),
    ):
        if wrong.any():
            first = (values if wrong.ndim == 2 else total)[wrong][0]
            raise UnusablePart(f"{called(part)}, {role}: predict_proba returned {what}, the first {first:.4g}.")
    values = np.maximum(values, 0.0)
    out = np.zeros((n_rows, n_classes))
    out[:, codes] = values / values.sum(axis=1, keepdims=True)
    return out


def codes_of(estimator, n_classes, role):
    """The class codes that the columns of an estimator's probabilities are about."""
    if isinstance(estimator, FrozenEstimator) or not hasattr(estimator, "classes_"):
        return np.arange(n_classes)
    codes = np.asarray(estimator.classes_)
    if codes.ndim != 1 or codes.dtype.kind not in "iuf" or not np.isin(codes, np.arange(n_classes)).all():
        raise UnusablePart(
            f"{called(estimator)}, {role}: classes_ is {estimator.classes_!r}, but it was fitted to classes "
            f"0 to {n_classes - 1}."
        )
    return codes.astype(int)


def _floats(answer, part, role, method):
    """An answer as an array of floats."""
    try:
        array = np.asarray(answer)
    except ValueError as error:  # rows of several lengths
        raise UnusablePart(f"{called(part)}, {role}: {method} returned no array: {error}") from error
    numeric = array.dtype.kind in "buif"
    if array.dtype.kind == "O":
        numeric = all(isinstance(value, Real) for value in array.flat)
    if not numeric:
        raise UnusablePart(f"{called(part)}, {role}: {method} returned values of dtype {array.dtype}, not numbers.")
    return array.astype(float, copy=False)


def _check_finite(values, part, role, method):
    odd = ~np.isfinite(values)
    if odd.any():
        n_odd = int(odd.reshape(len(values), -1).any(axis=1).sum())
        raise UnusablePart(
            f"{called(part)}, {role}: {method} returned {float(values[odd][0])!r} for {n_odd} of {len(values)} rows; "
            "it must return finite numbers."
        )


# -- what they warn of -------------------------------------------------------------------------------------------------


@contextmanager
def quiet():
    """Collect the warnings of users' parts, of which there may be hundreds in a fit, instead of showing them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for category in UNSEEN:
            warnings.simplefilter("ignore", category)
        yield caught


def first_of(caught, part):
    """One sentence for all collected warnings, or "" without any: who warned, how often, and the first message."""
    if not caught:
        return ""
    first = " ".join(str(caught[0].message).split())
    first = first if len(first) <= SHOWN else first[:SHOWN] + "..."
    times = "a warning" if len(caught) == 1 else f"{len(caught)} warnings, the first"
    return f"{called(part)} gave {times}: {caught[0].category.__name__}: {first.rstrip('.')}"
