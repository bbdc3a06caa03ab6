"""Text in which gates and experts are shown: linear terms and trees."""

import numpy as np

__all__ = ["columns_named", "indented", "linear_terms", "runaway", "strongest"]


def strongest(coef, max_terms=None):
    """Indices of the `max_terms` columns with the largest nonzero coefficients (..., p), in ascending order."""
    size = np.abs(coef).max(axis=tuple(range(coef.ndim - 1)), initial=0.0)
    order = np.argsort(-size, kind="stable")[:max_terms]
    return np.sort(order[size[order] > 0])


def columns_named(numbers, names=None, most=5):
    """Columns as a message names them, such as "columns 'age', 'sex' and 7 more"; by number without names."""
    shown = [str(int(j)) if names is None else repr(str(names[j])) for j in numbers[:most]]
    more = len(numbers) - len(shown)
    word = "column" if len(numbers) == 1 else "columns"
    return f"{word} {', '.join(shown)}" + (f" and {more} more" if more else "")


def runaway(alpha, parameter):
    """What is the case, and what to do, where slopes are very large; `alpha` is the penalty on them."""
    if alpha == 0:
        return f"grow without bound, or all but. Use {parameter} > 0"
    return f"are as large as {parameter} = {alpha:g} lets them grow. Raise it"


def linear_terms(slope, names, scale, max_terms=None):
    """Slopes (p,) as text such as " +2 a -0.3 b".

    With `max_terms` the slopes that are largest per standard deviation (`scale`) are shown, and "..." for the others.
    """
    shown = strongest(slope * scale, max_terms)
    rest = " ..." if len(shown) < np.count_nonzero(slope) else ""
    return "".join(f" {slope[j]:+.3g} {names[j]}" for j in shown) + rest


def indented(notes, branches):
    """Lines of the branches of a tree, indented by one level; the first line of each follows its note."""
    for note, (first, *more) in zip(notes, branches, strict=True):
        yield f"|-- {note}{first}"
        yield from (f"|   {line}" for line in more)
