"""What a browser needs to predict as the model does: found by looking at the model's answers, and checked by them.

Nothing here asks which family an expert or a gate is of. Columns, links and the parameters of predictive distributions
are matched to a few forms, and a form counts only if it gives the model's own numbers at all rows.
"""

from typing import NamedTuple

import numpy as np

from ..experts.noise.counts import MOST_SPREAD
from ..explanation.tables import merged
from ..export.formula import SAME, NotExportable, agree, part_of
from ..export.leaves import KINDS
from ..features.pieces import Pieces
from ..model.uncertainty import leverages
from ..plot.sizes import dense, sizes_of, tree_alone
from ..prediction.of_mixture import predictive_distribution
from .encoding import packed

__all__ = ["recipe_of"]

MOST_LEVELS = 60  # values of a column that is a list of choices
LARGEST_ROOTS = 60_000  # numbers in the roots of all experts: beyond, a page would be too large
LEAST_ROWS = 5  # at which a form of three factors is seen to be right
DISTRIBUTIONS = {
    "Normal": ("center", "scale"),
    "Student": ("df", "center", "scale"),
    "Poisson": ("rate",),
    "NegativeBinomial": ("rate", "dispersion"),
    "Gamma": ("expected", "dispersion"),
}


class Column(NamedTuple):
    """A column of the user's table: a number, or one of a few levels."""

    name: str
    values: np.ndarray  # (n,) numbers, or codes of the levels
    levels: list | None


def recipe_of(mixture, table, seen_names, names, columns, arguments):
    """The recipe of a fitted mixture, and the columns that it starts from.

    Parameters
    ----------
    mixture : HMERegressor or HMEClassifier
    table : array or data frame
        As the mixture sees it.
    seen_names : list of str or None
        Of its columns; None are those of the fit.
    names : list of str
        Of the user's columns.
    columns : list of ndarray
        The user's columns.
    arguments : dict
        Row arguments, one number each.

    Returns
    -------
    recipe : dict
    columns : list of Column

    Raises
    ------
    NotExportable
    """
    gate, expert = mixture.model_.gate.traits, mixture.model_.expert.traits
    if gate.sees_table or expert.sees_table:
        raise NotExportable("estimators among the experts or as the gate are not written into the page")
    own, sizes, left = tree_alone(mixture), sizes_of(mixture), LARGEST_ROOTS
    several = list({id(one.columns_): one for one in [own, *sizes]}.values())  # of different columns
    numbers = {id(one.columns_): number for number, one in enumerate(several)}
    seen = [dense(mixture.rows(table, hold=False, part=one.part, **arguments)) for one in several]
    sides = [side for one in several for side in _sides(one, table, seen_names or mixture.input_names())]
    designs = [columns[:, :-1] for rows in seen for columns in (rows.X, rows.Z)]
    made, maps = _columns(sides, designs, names, columns)
    recipe = {"columns": [], "sizes": []}
    for number, one in enumerate(several):
        start = [packed(side.design.transform(side.design.mean[None])[0]) for side in one.columns_[:2]]
        recipe["columns"].append({"maps": maps[2 * number : 2 * number + 2], "start": start})
    for one in sizes:
        written = _mixture(mixture, one, table, arguments, left) | {"columns": numbers[id(one.columns_)]}
        left -= written["dist"]["numbers"] if written["dist"] else 0
        recipe["sizes"].append(written)
    alone = None if mixture.average_ is None else _mixture(mixture, own, table, arguments, 0)
    recipe["tree"] = alone and alone | {"columns": numbers[id(own.columns_)]}
    return recipe, made


def _mixture(fitted, one, table, arguments, most):
    """What predicts as one size does."""
    rows = one.rows(fitted, table, **arguments)
    part = part_of(fitted, one, rows)
    classes = part.links is None
    experts = {"kind": "softmax" if classes else "index", "coef": packed(part.experts)}
    return {
        "share": part.share,
        "children": part.tree.children.tolist(),
        "bounds": [None, None] if part.bounds is None else [packed(ends) for ends in part.bounds],
        "gate": _gate(part),
        "experts": experts if classes else {**experts, "links": list(part.links)},
        "dist": _distributions(one, rows, most),
    }


def _gate(part):
    """The gate of a part, under the name of its kind."""
    if part.prior is not None:
        return {"kind": "constant", "prior": part.prior.tolist()}
    if part.gate is not None:
        return {"kind": "tree", "coef": packed(part.gate)}
    kind = next(name for name, own in KINDS.items() if type(part.leaves) is own)
    vectors = {name: np.array(values).tolist() for name, values in part.leaves._asdict().items() if np.ndim(values) < 2}
    arrays = {name: packed(values) for name, values in part.leaves._asdict().items() if np.ndim(values) > 1}
    return {"kind": kind, **arrays, **vectors}


# -- columns -----------------------------------------------------------------------------------------------------------


class _Bend(NamedTuple):
    """How a design column bends."""

    x: np.ndarray  # (n,), the column that it is made of, as the mixture sees it
    pieces: Pieces  # standardised
    number: int  # of the column among those that the pieces make


def _sides(one, table, names):
    """For experts and gate, the column of each design column that the mixture sees, and its `_Bend`, or None."""
    found = []
    for side in one.columns_[:2]:
        owners, bends, j = side.features.owners(names), [], 0
        for place, (_, own) in enumerate(side.features.maps or []):
            width = len(own.names(""))
            some = slice(j, j + width)
            pieces = own.pieces and own.pieces.standardised(side.design.center[some], side.design.scale[some])
            bends += [pieces and _Bend(_seen(table, place), pieces, number) for number in range(width)]
            j += width
        found.append((owners, bends or [None] * len(owners)))
    return found


def _seen(table, place):
    column = table.iloc[:, place] if hasattr(table, "iloc") else np.asarray(table)[:, place]
    return np.asarray(column, dtype=float)


def _columns(sides, designs, names, columns):
    """The user's columns, and for each side what makes its design columns (n, p) of them."""
    owners = [merged(own, names) for own, _ in sides]
    lacking = {owner for own in owners for owner in own if owner not in names}
    if lacking:
        raise NotExportable(f"the columns {', '.join(sorted(lacking)[:3])} are made of the table in a way of their own")
    made, maps = [], [[None] * len(own) for own in owners]
    for c, name in enumerate(names):
        own = [(side, j) for side, found in enumerate(owners) for j, owner in enumerate(found) if owner == name]
        forms = [(designs[side][:, j], sides[side][1][j]) for side, j in own]
        column, found = _column(name, columns[c], forms)
        made.append(column)
        for (side, j), form in zip(own, found, strict=True):
            maps[side][j] = {"column": c, **form}
    return made, maps


def _column(name, values, designs):
    """A column, and the forms in which its design columns (n,) depend on it; each comes with its `_Bend` or None."""
    values = np.asarray(values)
    try:
        numbers = values.astype(float)
    except (TypeError, ValueError):
        numbers = None
    if numbers is not None and np.isfinite(numbers).all():
        found = [_line(numbers, own) if bend is None else _curve(numbers, own, bend) for own, bend in designs]
        if all(form is not None for form in found):
            return Column(name, numbers, None), found
    levels, codes = np.unique(values.astype(str), return_inverse=True)
    if len(levels) > MOST_LEVELS:
        raise NotExportable(f"the column {name} is changed in a way of its own before the model sees it")
    found = []
    for own, _ in designs:
        first = np.array([own[np.argmax(codes == code)] for code in range(len(levels))])
        if not agree(first[codes], own):
            raise NotExportable(f"the column {name} is changed together with others before the model sees it")
        found.append({"values": first.tolist()})
    return Column(name, codes.astype(float), levels.tolist()), found


def _curve(values, own, bend):
    """The line to a column that the mixture sees, and the pieces that make a design column of it, or None."""
    line, (_, pieces, number) = _line(values, bend.x), bend
    if line is None or not agree(pieces.columns(line["a"] + line["b"] * values)[:, number], own):
        return None
    parts = {name: getattr(pieces, name)[number].tolist() for name in ("start", "powers", "below", "above")}
    return {**line, "pieces": {"knots": pieces.knots.tolist(), **parts}}


def _line(values, own):
    """The line on which a design column depends on a column of numbers, or None."""
    low, high = int(values.argmin()), int(values.argmax())
    if values[low] == values[high]:
        return {"a": float(own[low]), "b": 0.0} if agree(own, own[low]) else None
    slope = (own[high] - own[low]) / (values[high] - values[low])
    start = own[low] - slope * values[low]
    return {"a": float(start), "b": float(slope)} if agree(start + slope * values, own) else None


# -- distributions -----------------------------------------------------------------------------------------------------


def _distributions(one, rows, most):
    """For each expert the name of its predictive distribution and the forms of its parameters; None if unknown.

    The roots of the leverages may have `most` numbers.
    """
    mixture = one
    if mixture.task == "classification" or mixture.target_.n_outputs > 1 or not most:
        return None
    try:
        dist = predictive_distribution(one.model_, one.params_, rows, uncertainty=one.uncertainty_)
        components = dist.marginal(0).components
    except NotImplementedError:
        return None
    root = None if mixture.uncertainty_ is None else getattr(mixture.uncertainty_.experts, "root", None)
    if root is not None and (not root.size or root.shape[1:3] != (1, rows.X.shape[1])):
        root = None  # of several outputs, or of constants
    leverage = np.zeros((rows.n_rows, mixture.n_experts_)) if root is None else leverages(rows, root)[:, :, 0]
    mean = mixture.model_.expert.predict(mixture.params_.experts, rows)[:, :, 0]
    found, used = [None] * mixture.n_experts_, False
    for part, index in components.parts:
        names = DISTRIBUTIONS.get(type(part).__name__)
        if names is None:
            return None
        for i, k in enumerate(index):
            forms, seen = {}, np.flatnonzero(dist.weights[:, k] > 0)  # a routed gate asks few experts about a row
            if len(seen) < min(LEAST_ROWS, rows.n_rows):
                return None
            for name in names:
                values = np.broadcast_to(getattr(part, name), part.shape)[seen, i]
                forms[name] = _form(values, mean[seen, k], leverage[seen, k])
                if forms[name] is None:
                    return None
                used |= bool(forms[name].get("b"))
            found[k] = {"name": type(part).__name__, "parameters": forms}
    if used and root.size > most:
        return None
    return {"experts": found, "root": packed(root[:, 0]) if used else None, "numbers": root.size if used else 0}


def _form(values, mean, leverage):
    """How a parameter depends on the mean of its expert and on the leverage of the row; None if in no known way."""
    if agree(values, values[0]):
        return {"form": "constant", "a": float(values[0]), "b": 0.0, "c": 0.0}
    if agree(values, mean):
        return {"form": "mean"}
    for most in (np.inf, MOST_SPREAD):  # the spread of uncertain means is bounded
        with np.errstate(all="ignore"):
            terms = np.column_stack([np.ones(len(mean)), np.minimum(leverage, most), 1.0 / mean])
            for form, change in (("linear", lambda v: v), ("root", np.square), ("inverse", lambda v: 1.0 / v)):
                for kept in ([0, 1], [0, 1, 2]):  # a third term where counts are widened
                    found = _combination(terms[:, kept], change(values))
                    if found is not None:
                        factors = dict(zip("abc", [*found, 0.0][:3], strict=True))
                        return {"form": form, **factors, "most": None if most == np.inf else most}
    return None


def _combination(terms, target):
    """Factors of terms (n, m) that give the target at all rows, or None."""
    if not np.isfinite(terms).all():
        return None
    size = np.abs(terms).max(axis=0)
    unit = terms / np.where(size > 0, size, 1.0) / np.abs(target)[:, None]  # relative errors count
    found = np.linalg.lstsq(unit, np.sign(target), rcond=None)[0] / np.where(size > 0, size, 1.0)
    return found.tolist() if (np.abs(terms @ found - target) <= SAME * np.abs(target)).all() else None
