"""Text in which gates and experts are shown: linear terms and trees."""

import re
from os.path import commonprefix

import numpy as np

__all__ = [
    "DIGITS",
    "Terms",
    "by_name",
    "columns_named",
    "curve_lines",
    "cut",
    "diverging_in_words",
    "indented",
    "linear_parts",
    "linear_text",
    "models_named",
    "number",
    "places_in_words",
    "runaway",
    "strengths_in_words",
    "strongest",
    "threshold_in_words",
]

DIGITS = 4  # significant digits of slopes
# A column whose mean is more standard deviations from zero than FAR is written less a number near it, and the slope of
# one beyond NEAR has one more digit, since errors of the slope are multiplied by the column.
NEAR, FAR = 3.0, 10.0
FLAT = 1e-12  # share of a number below which a change of it is rounding


class Terms(np.ndarray):
    """Names of columns, an array of str, that know how the numbers beside them are to be written.

    Attributes
    ----------
    scale, mean, center : ndarray of shape (p,) or None
        Standard deviations and means of the columns; and round numbers near the means of those that are far from zero,
        which are subtracted where they are shown, 0 for the others.
    digits : int
        Significant digits of slopes.
    rest : str
        What stands behind the terms of an equation, such as an offset.
    curves : tuple of Curve
        Columns that are written together.
    effect : float
        The largest effect of what stands behind the terms.
    """

    def __new__(cls, names, scale=None, mean=None, center=None, digits=DIGITS, rest="", curves=(), effect=0.0):
        terms = np.asarray(names, dtype=object).view(cls)
        terms.scale, terms.mean, terms.center, terms.digits, terms.rest = scale, mean, center, digits, rest
        terms.curves, terms.effect = curves, effect
        return terms

    def __array_finalize__(self, other):
        self.scale = self.mean = self.center = None  # an array of other names
        self.digits, self.rest = getattr(other, "digits", DIGITS), getattr(other, "rest", "")
        self.curves, self.effect = (), getattr(other, "effect", 0.0)

    @classmethod
    def of(cls, names, design, digits=DIGITS, rest="", curves=()):
        """The terms of the columns of a `Design`."""
        center = _round_center(design.mean, design.scale)
        return cls(names, design.scale, design.mean, center, digits, rest, tuple(curves))

    @classmethod
    def plain(cls, names):
        """Terms as they are, or of names alone."""
        return names if isinstance(names, cls) and names.scale is not None else cls._unknown(names)

    @classmethod
    def _unknown(cls, names):
        zeros = np.zeros(len(names))
        return cls(names, None, zeros, zeros, getattr(names, "digits", DIGITS), getattr(names, "rest", ""))

    def pick(self, index):
        """Some of the terms."""
        parts = (None if values is None else values[index] for values in (self.scale, self.mean, self.center))
        return type(self)(self[index], *parts, self.digits, self.rest)


def _round_center(mean, scale):
    """Round numbers near means (p,) that are far from zero, at most a standard deviation away; 0 for the others."""
    size = np.where(scale > 0, scale, 1.0)
    step = np.floor(np.log10(2.0 * size))
    # Division by an exact power of ten gives the very double that a decimal is read as.
    fine, coarse = 10.0 ** np.maximum(-step, 0.0), 10.0 ** np.maximum(step, 0.0)
    rounded = np.rint(mean * fine / coarse) * coarse / fine
    return np.where((np.abs(mean) > FAR * size) & (size > FLAT * np.abs(mean)), rounded, 0.0)


def number(value, digits=DIGITS, unit=None):
    """A number with so many significant digits, and so many of `unit`, the size of the least that matters of it."""
    if unit is not None and np.isfinite(value) and 0 < unit < abs(value):
        more = int(np.floor(np.log10(abs(value))) - np.floor(np.log10(unit)))
        digits = max(digits, digits - 1 + more)
    return f"{value:.{min(digits, 17)}g}"


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


def models_named(columns, n_models):
    """Names of models, each of which has as many columns: what the names of its columns have in common.

    It ends before a separator, as in "forest: yes", "forest: no". Models are numbered where that is no name for each.

    Examples
    --------
    >>> from hme.model.wording import models_named
    >>> models_named(["forest: a", "forest: ab", "ridge: a", "ridge: ab"], 2)
    ['forest', 'ridge']
    >>> models_named(["x0", "x1", "x2", "x3"], 2)
    ['model 0', 'model 1']
    """
    size = len(columns) // n_models
    shared = [commonprefix([str(name) for name in columns[m * size : (m + 1) * size]]) for m in range(n_models)]
    names = [re.sub(r"[\s:_./-]*$", "", re.match(r"(.*[\s:_./-])?", text).group()) for text in shared]
    return names if all(names) and len(set(names)) == n_models else [f"model {m}" for m in range(n_models)]


def _from_to(alpha, form):
    """A strength, or the smallest and the largest of those of columns."""
    low, high = np.min(alpha, initial=np.inf), np.max(alpha, initial=0.0)
    return f"{low:{form}}" if low >= high else f"{low:{form}} to {high:{form}}"


def runaway(alpha, parameter, estimated=False):
    """What is the case, and what to do, where slopes are very large; `alpha` is the penalty on them."""
    if estimated:
        size = f"{parameter} = {_from_to(alpha, '.2g')}"
        return f"are as large as {size}, estimated from the rows, lets them grow. Give a larger number"
    if np.max(alpha, initial=0.0) == 0:
        return f"grow without bound, or all but. Use {parameter} > 0"
    return f"are as large as {parameter} = {_from_to(alpha, 'g')} lets them grow. Raise it"


def strengths_in_words(alphas):
    """Strengths of penalties that were estimated, as in `Mixture.alphas`, in one sentence."""
    told = [
        f"{side}{f' {name}' * bool(name)} {_from_to(alpha, '.3g')}"
        for side, own in alphas.items()
        for name, alpha in own.items()
    ]
    return f"strengths of penalties were estimated from the rows: {', '.join(told)}"


def diverging_in_words(running, alone, alpha, estimated=False):
    """Sentences about experts of a generalised linear model whose coefficients, or intercepts alone, diverge."""
    found = []
    if len(running):
        found.append(
            "on some rows the mean approaches the boundary of its range: the coefficients of expert(s) "
            f"{running.tolist()} {runaway(alpha, 'expert__alpha', estimated)} or use fewer experts"
        )
    if len(alone):
        found.append(
            f"the intercepts of expert(s) {alone.tolist()} grow without bound: all their rows are at one end of the"
            " range of y. Use a PointMassExpert for such rows, or fewer experts"
        )
    return found


def cut(coef, intercept, terms, max_terms=None):
    """The strongest terms of a linear predictor.

    Parameters
    ----------
    coef : ndarray of shape (..., p)
    intercept : ndarray of shape (...)
    terms : Terms
    max_terms : int or None
        Those are shown whose slopes are largest per standard deviation.

    Returns
    -------
    coef, intercept, terms
        Of the terms that are shown; the others are in the intercept, at the means of their columns. Curves that are
        shown are behind the terms, as ``s(age)``.
    n_left_out : int
    """
    straight = np.setdiff1d(np.arange(coef.shape[-1]), [j for curve in terms.curves for j in curve.index])
    effect = (coef if terms.scale is None else coef * terms.scale)[..., straight]
    effects = np.concatenate([effect, *(curve.effect(coef)[..., None] for curve in terms.curves)], axis=-1)
    chosen = strongest(effects, max_terms)
    shown = straight[chosen[chosen < len(straight)]]
    curves = [terms.curves[i - len(straight)] for i in chosen if i >= len(straight)]
    used = np.flatnonzero(coef.any(axis=tuple(range(coef.ndim - 1))))
    rest = np.setdiff1d(used, [*shown, *(j for curve in curves for j in curve.index)])
    if len(rest):
        intercept = intercept + coef[..., rest] @ terms.mean[rest]
    picked = terms.pick(shown)
    if curves:
        picked.rest = " ".join([*(f"+s({curve.name})" for curve in curves), *([terms.rest] if terms.rest else [])])
        picked.effect = float(max(np.abs(curve.effect(coef)).max() for curve in curves))
        picked.curves = tuple(curves)
    n_left_out = int(effects.any(axis=tuple(range(effects.ndim - 1))).sum()) - len(chosen)
    return coef[..., shown], intercept, picked, n_left_out


def curve_lines(coef, terms):
    """A line for each of the curves that `cut` shows, of coefficients (p,): its slopes at the knots.

    It is zero at the first knot, and a straight line beyond the outer ones.
    """
    lines = []
    for curve in terms.curves:
        slopes, knots = np.ravel(curve.slopes(coef)).tolist(), curve.knots_in_words(terms.digits)
        steady = curve.pieces.powers.shape[2] == 1  # slopes are constant from knot to knot
        told = zip(slopes[: len(slopes) - steady], knots, strict=False)
        parts = [f"{value:.{terms.digits}g} {'from' if steady else 'at'} {knot}" for value, knot in told]
        lines.append(f"s({curve.name}): slope {', '.join(parts)}")
    return lines


def places_in_words(values, terms):
    """A place (p,) in the columns, as a list of text such as "age = 41".

    What is made of one column and makes a curve is one place of that column: the one whose values are nearest.
    """
    curves = {int(j): curve for curve in getattr(terms, "curves", ()) for j in curve.index}
    found = [
        f"{name} = {value:.3g}" for j, (name, value) in enumerate(zip(terms, values, strict=True)) if j not in curves
    ]
    return [*found, *(f"{one.name} = about {one.nearest(values):.3g}" for one in getattr(terms, "curves", ()))]


def threshold_in_words(terms, j, value):
    """What a rule says of column j, such as "age <= 41": of what is made of one column, where that column is as low."""
    for curve in getattr(terms, "curves", ()):
        if j in curve.index:
            return f"{curve.name} <= {curve.crossing(j, value):.4g}"
    return f"{terms[j]} <= {value:.4g}"


def linear_text(intercept, slope, names):
    """A linear predictor such as "1.5 +2 a -0.3 (year - 2005)", whose numbers give its value."""
    constant, parts = linear_parts(intercept, slope, names)
    rest = getattr(names, "rest", "")
    return " ".join([constant, *parts, *([rest] if rest else [])])


def linear_parts(intercept, slope, names, sign=1.0):
    """The constant of a linear predictor, times a sign, and its terms, as text.

    The constant has as many digits as the largest effect of a column needs.
    """
    terms, slope = Terms.plain(names), np.asarray(slope, dtype=float)
    used = np.flatnonzero(slope)
    largest = 0.0 if terms.scale is None else float(np.abs(slope * terms.scale).max(initial=0.0))
    unit = max(largest, getattr(names, "effect", 0.0)) or None
    constant = sign * (float(intercept) + float(slope[used] @ terms.center[used]))
    parts = [f"{slope[j]:+.{_digits(terms, j)}g} {_centred(terms[j], terms.center[j])}" for j in used]
    return number(constant + 0.0, terms.digits, unit), parts


def _digits(terms, j):
    """Digits of the slope of a column."""
    far = terms.scale is not None and abs(terms.mean[j] - terms.center[j]) > NEAR * terms.scale[j]
    return min(terms.digits + far, 17)


def _centred(name, center):
    return f"({name} {'-' if center > 0 else '+'} {abs(center):.15g})" if center else str(name)


def by_name(sentence, names):
    """A sentence about experts or leaves by their numbers, such as "expert(s) [0, 2]", with their names instead."""

    def called(match):
        return f"{match.group(1)}(s) {', '.join(names[int(i)] for i in match.group(2).split(','))}"

    return re.sub(r"(expert|leaf)\(s\) \[([\d, ]+)\]", called, sentence)


def indented(notes, branches):
    """Lines of the branches of a tree, indented by one level; the first line of each follows its note."""
    for note, (first, *more) in zip(notes, branches, strict=True):
        yield f"|-- {note}{first}"
        yield from (f"|   {line}" for line in more)
