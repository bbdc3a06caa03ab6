"""Tables of estimates: as text, in a notebook and as data frames."""

from html import escape
from textwrap import wrap
from typing import NamedTuple

import numpy as np

__all__ = ["Summary", "Table", "coefficient_frame", "effect_frame", "effect_text", "summarize"]

WIDTH = 100  # of the text
LONGEST = 26  # names of terms


class Table(NamedTuple):
    """Cells as text under a header, with a title above and notes below."""

    title: str
    header: tuple
    lines: list
    notes: tuple = ()

    def __str__(self):
        widths = [max(len(cell) for cell in column) for column in zip(self.header, *self.lines, strict=True)]
        text = wrap(self.title, WIDTH)
        for cells in (self.header, *self.lines):
            first, *rest = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
            text.append("  ".join([f"  {cells[0].ljust(len(first))}", *rest]).rstrip())
        for note in self.notes:
            text += wrap(note, WIDTH, initial_indent="  ", subsequent_indent="      ")
        return "\n".join(text)

    def html(self):
        """A simple table that needs no style sheet."""
        lines = "".join(f"<tr><th>{escape(line[0])}</th>{_cells(line[1:], 'td')}</tr>" for line in self.lines)
        notes = "".join(f"<div>{escape(note)}</div>" for note in self.notes)
        head = f"<tr>{_cells(self.header, 'th')}</tr>" if any(self.header) else ""
        return f"<table><caption>{escape(self.title)}</caption>{head}{lines}</table>{notes}"


def _cells(cells, tag):
    return "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells)


class Summary:
    """What a fit says and how sure it is of it: a head, and a table for every gating node and expert.

    Attributes
    ----------
    inference : hme.inference.Inference
    head : Table
    tables : list of Table
    """

    def __init__(self, inference, head, tables):
        self.inference, self.head, self.tables = inference, head, tables

    def __str__(self):
        return "\n\n".join(map(str, [self.head, *self.tables]))

    def __repr__(self):
        return str(self)

    def _repr_html_(self):
        return "<div>" + "".join(table.html() for table in [self.head, *self.tables]) + "</div>"

    def to_frame(self):
        """All coordinates as a data frame, see `Inference.to_frame`."""
        return coefficient_frame(self.inference)


def summarize(inference):
    """The `Summary` of an `Inference`."""
    model, blocks = inference.model, {}
    for i, label in enumerate(inference.labels):
        blocks.setdefault((label.side, label.index, label.part), []).append(i)
    order = {"gate": 0, "expert": 1}
    keys = sorted(blocks, key=lambda key: order.get(key[0], 2))
    asked = tested(inference)
    tables = [_coefficients(inference, blocks[key], _title(model, *key), asked) for key in keys]
    return Summary(inference, _head(inference), tables)


def _head(inference):
    model = inference.model
    gate = type(getattr(model.model_.gate, "node", model.model_.gate)).__name__
    expert = model.model_.expert
    experts = f"{model.n_experts_} x {type(expert).__name__}"
    if expert.names:
        experts = ", ".join(f"{name}: {type(family).__name__}" for name, family in expert.experts)
    rows = "groups" if inference.grouped else "rows"
    pairs = [
        (rows, f"{inference.weight:g}", "log-likelihood", f"{inference.log_likelihood:.6g}"),
        ("parameters", str(inference.n_parameters), "effective", f"{inference.effective_df:.4g}"),
        ("AIC", f"{inference.aic:.6g}", "BIC", f"{inference.bic:.6g}"),
        ("covariance", _covariance(inference), "condition number", _number(inference.condition_number, ".2g")),
    ]
    title = f"{type(model).__name__}: {experts}"
    if model.n_experts_ > 1:
        title += f" under {gate}, {model.tree_.to_text()}"
    notes = tuple(f"* {remark[:1].upper()}{remark[1:]}." for remark in inference.remarks)
    return Table(title, ("", "", "", ""), pairs, notes)


def _covariance(inference):
    if inference.cov_type == "cluster":
        return f"cluster ({inference.n_clusters})"
    return inference.cov_type


def _coefficients(inference, numbers, title, asked):
    percent = f"{100 * inference.level:g}%"
    header = ("", "estimate", "std. error", "z", "p", f"[{percent}", "interval]", "note")
    lines, notes = [], {}
    for i in numbers:
        cells = _uncertain(inference, i, asked[i])
        note = inference.notes[i]
        mark = str(notes.setdefault(note, len(notes) + 1)) if note else ""
        lines.append((_short(inference.labels[i].term), f"{inference.estimate[i]:.4g}", *cells, mark))
    return Table(title, header, lines, tuple(f"({mark}) {note}" for note, mark in notes.items()))


def _uncertain(inference, i, asked):
    error = inference.standard_error[i]
    if not np.isfinite(error) or error == 0:
        return ("",) * 5
    z, p = _test(inference.z[i], inference.p_value[i]) if asked else ("", "")
    return (f"{error:.3g}", z, p, *(f"{end:.4g}" for end in inference.interval[i]))


def tested(inference):
    """Coordinates (P,) of columns and intercepts, of which zero means something; not scales, centres and the like."""
    columns, intercept = inference.model.columns_, {"(intercept)"}
    terms = {side: {*map(str, getattr(columns, side).design.names)} | intercept for side in ("expert", "gate")}
    return np.array([label.term in terms[label.side] for label in inference.labels], dtype=bool)


def _test(z, p):
    return f"{z:.2f}", "<0.001" if p < 0.001 else f"{p:.3f}"


def _short(name):
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}..."


def _number(value, form):
    return f"{value:{form}}" if np.isfinite(value) else "infinite"


def _title(model, side, index, part):
    """What a table is about, in plain words."""
    if side == "expert":
        load = ""
        names = model.model_.expert.names
        k = names.index(index) if names and index in names else index
        if isinstance(k, int | np.integer):
            load = f", load {model.load_[k]:.2f}"
        what = ": between outputs" if not part and model.target_.n_outputs > 1 else ""
        if part:
            classes = hasattr(model, "classes_")
            what = f": output {part}"
            if classes:
                c = int(part)
                what = f": log-odds of class {model.classes_[c]} against class {model.classes_[0]}"
        return f"Expert {index}{what}{load}"
    tree = getattr(model.model_.gate, "tree", None)
    if tree is not None:
        first = int(np.flatnonzero(tree.children[index])[0])
        ends = [f"branch {b} ({_leaves(tree, index, b)})" for b in (int(part), first)]
        return f"Gating node {index}: log-odds of {ends[0]} against {ends[1]}"
    if part:
        return f"Gate: log-odds of expert {part} against expert 0"
    return f"Gate: columns of expert {index}"


def _leaves(tree, node, branch):
    leaves = np.flatnonzero(tree.paths[node, branch])
    return f"expert {leaves[0]}" if len(leaves) == 1 else f"experts {', '.join(map(str, leaves))}"


# -- data frames -------------------------------------------------------------------------------------------------------


def _pandas():
    try:
        import pandas
    except ImportError as error:
        raise ImportError("to_frame needs pandas: pip install pandas.") from error
    return pandas


def _column(values, known):
    """Numbers where they are known, missing elsewhere."""
    values, known = np.asarray(values, dtype=float), np.asarray(known, dtype=bool)
    return _pandas().arrays.FloatingArray(np.where(known, values, 0.0), ~known)


def coefficient_frame(inference):
    """Data frame of all reported coordinates."""
    pandas = _pandas()
    index = pandas.MultiIndex.from_tuples(
        [(label.side, label.index, label.part, label.term) for label in inference.labels],
        names=["side", "index", "part", "term"],
    )
    finite = np.isfinite(inference.standard_error)
    asked = inference.known & tested(inference)
    columns = {
        "estimate": inference.estimate,
        "standard_error": _column(inference.standard_error, finite),
        "z": _column(inference.z, asked),
        "p_value": _column(inference.p_value, asked),
        "lower": _column(inference.interval[:, 0], finite),
        "upper": _column(inference.interval[:, 1], finite),
        "note": inference.notes,
    }
    return pandas.DataFrame(columns, index=index)


PARTS = ("total", "gate", "expert")


def _effects(effects):
    """Every effect with its names and place."""
    for j, (column, change) in enumerate(zip(effects.columns, effects.changes, strict=True)):
        for t, output in enumerate(effects.outputs):
            for part, name in enumerate(PARTS):
                yield (column, change, output, name), (j, part, t)


def effect_frame(effects):
    """Data frame of marginal effects."""
    pandas = _pandas()
    names, places = zip(*_effects(effects), strict=True)
    at = tuple(np.array(places).T)
    error, interval = effects.standard_error[at], effects.interval[at]
    finite = np.isfinite(error)
    known = finite & (error > 0)
    columns = {
        "effect": effects.estimate[at],
        "standard_error": _column(error, finite),
        "z": _column(effects.z[at], known),
        "p_value": _column(effects.p_value[at], known),
        "lower": _column(interval[:, 0], finite),
        "upper": _column(interval[:, 1], finite),
    }
    index = pandas.MultiIndex.from_tuples(names, names=["column", "change", "output", "part"])
    return pandas.DataFrame(columns, index=index)


def effect_text(effects):
    """Table of marginal effects."""
    percent = f"{100 * effects.level:g}%"
    header = ("", "part", "effect", "std. error", "z", "p", f"[{percent}", "interval]")
    lines = []
    for (column, change, output, part), at in _effects(effects):
        error = effects.standard_error[at]
        numbers = ("",) * 5
        if np.isfinite(error) and error > 0:
            numbers = (f"{error:.3g}", *_test(effects.z[at], effects.p_value[at]))
            numbers += tuple(f"{end:.4g}" for end in effects.interval[at])
        what = "" if change == "per unit" else f" {change}"
        name = _short(f"{column}{what}") + (f" [{_short(str(output))}]" if output != "" else "")
        lines.append((name if part == "total" else "", part, f"{effects.estimate[at]:.4g}", *numbers))
    return str(Table("Average marginal effects on the mean", header, lines))
