"""Tables of estimates: as text, in a notebook and as data frames."""

import numpy as np

from ..features.curves import curves_of
from ..model.tiny import in_words
from ..tables import Table, as_html, as_text, pandas_for

__all__ = ["Summary", "coefficient_frame", "effect_frame", "effect_table", "summarize"]

LONGEST = 26  # names of terms


class Summary:
    """Estimates and their uncertainty: an overview, and a table for every gating node and expert.

    Attributes
    ----------
    inference : hme.inference.Inference
    head : hme.tables.Table
    tables : list of hme.tables.Table
    """

    def __init__(self, inference, head, tables):
        self.inference, self.head, self.tables = inference, head, tables

    def _parts(self):
        """The tables, with an empty line before each but the first."""
        yield self.head
        for table in self.tables:
            yield from ("", table)

    def __repr__(self):
        return as_text(self._parts())

    def _repr_html_(self):
        return as_html(self._parts())

    def to_frame(self):
        """All coordinates as a data frame, see `Inference.to_frame`."""
        return coefficient_frame(self.inference)


def summarize(inference):
    """The `Summary` of an `Inference`."""
    model, blocks = inference.model, {}
    for i, label in enumerate(inference.layout.labels):  # by numbers
        blocks.setdefault((label.side, label.index, label.part), []).append(i)
    order = {"gate": 0, "expert": 1}
    keys = sorted(blocks, key=lambda key: order.get(key[0], 2))
    asked = tested(inference)
    tables = [_coefficients(inference, blocks[key], _title(model, *key), asked) for key in keys]
    return Summary(inference, _head(inference), tables)


def _head(inference):
    model = inference.model
    expert, gate = model.model_.expert, model.model_.gate
    experts = f"{model.n_experts_} x {type(expert).__name__}"
    if expert.names:
        families = zip(expert.names, expert.members, strict=True)
        experts = ", ".join(f"{name}: {type(family).__name__}" for name, family in families)
    rows = [
        ("groups" if inference.grouped else "rows", f"{inference.weight:g}"),
        ("log-likelihood", f"{inference.log_likelihood:.6g}"),
        ("parameters", _number(inference.n_parameters, "g")),
        ("effective", f"{inference.effective_df:.4g}"),
        ("AIC", _number(inference.aic, ".6g")),
        ("BIC", _number(inference.bic, ".6g")),
        ("covariance", _covariance(inference)),
        ("condition number", _number(inference.condition_number, ".2g")),
    ]
    if inference.grouped:
        rows[5] = "BIC of groups", rows[5][1]
        rows[6:6] = [("rows", f"{inference.row_weight:g}"), ("BIC of rows", _number(inference.bic_of_rows, ".6g"))]
    title = f"{type(model).__name__}: {experts}"
    if model.n_experts_ > 1:
        title += f" under {gate.name}, {model.tree_.to_text()}"
    remarks = [
        *inference.remarks,
        *_of_curves(model),
        *([f"{in_words(model.tiny_)}: not enough to go by"] if model.tiny_ else []),
    ]
    notes = [f"* {remark[:1].upper()}{remark[1:]}." for remark in remarks]
    pairs = [left + right for left, right in zip(rows[::2], rows[1::2], strict=True)]
    return Table([""] * 4, pairs, title, notes, align="lrrr")


def _of_curves(model):
    """What coefficients of curves are, in a sentence for each."""
    names = model.columns_.expert.features.names
    for curve in curves_of(model.columns_.expert.features):
        if curve.knots is not None:
            ends, places = names[curve.index[[0, -1]]], ", ".join(curve.knots_in_words())
            yield f"coefficients of {ends[0]} to {ends[1]} are slopes along {curve.name} at {places}"


def _covariance(inference):
    if inference.cov_type == "cluster":
        return f"cluster ({inference.n_clusters})"
    return inference.cov_type


def _coefficients(inference, numbers, title, asked):
    """The table of one node or expert."""
    lines, notes = [], {}
    for i in numbers:
        note = inference.notes[i]
        mark = notes.setdefault(note, len(notes) + 1) if note else None
        cells = _uncertain(inference.standard_error[i], inference.z[i], inference.p_value[i], inference.interval[i])
        if not asked[i]:
            cells[1:3] = None, None
        lines.append((_short(inference.labels[i].term), float(inference.estimate[i]), *cells, mark))
    columns = ["", "estimate", *_headings(inference.level), "note"]
    notes = [f"({mark}) {note}" for note, mark in notes.items()]
    return Table(columns, lines, title, notes, ["", ".4g", *FORMATS, ""])


def _headings(level):
    """Names of the columns of `_uncertain`."""
    return ["std. error", "z", "p", f"[{100 * level:g}%", "interval]"]


def _probability(p):
    return "<0.001" if p < 0.001 else f"{p:.3f}"


FORMATS = [".3g", ".2f", _probability, ".4g", ".4g"]


def _uncertain(error, z, p_value, interval):
    """Cells of a standard error, z, p and an interval, none of them where there is no standard error."""
    if not np.isfinite(error) or error == 0:
        return [None] * 5
    return list(map(float, (error, z, p_value, *interval)))


def tested(inference):
    """Coordinates (P,) for which zero is a meaningful hypothesis: columns and intercepts, not scales or centres."""
    columns, intercept = inference.model.columns_, {"(intercept)"}
    terms = {side: {*map(str, getattr(columns, side).design.names)} | intercept for side in ("expert", "gate")}
    return np.array([label.term in terms[label.side] for label in inference.labels], dtype=bool)


def _short(name):
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 3]}..."


def _number(value, form):
    if np.isnan(value):
        return ""
    return f"{value:{form}}" if np.isfinite(value) else "infinite"


def _title(model, side, index, part):
    """Title of a table."""
    names = model.model_.expert.names or list(range(model.n_experts_))
    if side == "expert":
        load = f", load {model.load_[names.index(index)]:.2f}" if index in names else ""
        what = ": between outputs" if not part and model.target_.n_outputs > 1 else ""
        if part:
            what = f": output {part}"
            if model.task == "classification":
                classes = model.target_.labels
                what = f": log-odds of class {classes[int(part)]} against class {classes[0]}"
        return f"Expert {index}{what}{load}"
    tree = model.model_.gate.tree
    if tree is not None:
        first = int(np.flatnonzero(tree.children[index])[0])
        ends = [f"branch {b} ({_leaves(tree, index, b, names)})" for b in (int(part), first)]
        return f"Gating node {index}: log-odds of {ends[0]} against {ends[1]}"
    if part:
        return f"Gate: log-odds of expert {names[int(part)]} against expert {names[0]}"
    return f"Gate: columns of expert {names[int(index)]}"


def _leaves(tree, node, branch, names):
    leaves = [names[leaf] for leaf in np.flatnonzero(tree.paths[node, branch])]
    return f"expert {leaves[0]}" if len(leaves) == 1 else f"experts {', '.join(map(str, leaves))}"


# -- data frames -------------------------------------------------------------------------------------------------------


def _column(values, there):
    """Numbers where there are any, missing elsewhere."""
    values, there = np.asarray(values, dtype=float), np.asarray(there, dtype=bool)
    return pandas_for("to_frame").arrays.FloatingArray(np.where(there, values, 0.0), ~there)


def coefficient_frame(inference):
    """Data frame of all reported coordinates."""
    pandas = pandas_for("to_frame")
    index = pandas.MultiIndex.from_tuples(
        [(label.side, label.index, label.part, label.term) for label in inference.labels],
        names=["side", "index", "part", "term"],
    )
    finite = np.isfinite(inference.standard_error)
    asked = inference.testable & tested(inference)
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
    pandas = pandas_for("to_frame")
    names, places = zip(*_effects(effects), strict=True)
    at = tuple(np.array(places).T)
    error, interval = effects.standard_error[at], effects.interval[at]
    finite = np.isfinite(error)
    testable = finite & (error > 0)
    columns = {
        "effect": effects.estimate[at],
        "standard_error": _column(error, finite),
        "z": _column(effects.z[at], testable),
        "p_value": _column(effects.p_value[at], testable),
        "lower": _column(interval[:, 0], finite),
        "upper": _column(interval[:, 1], finite),
    }
    index = pandas.MultiIndex.from_tuples(names, names=["column", "change", "output", "part"])
    return pandas.DataFrame(columns, index=index)


def effect_table(effects):
    """Table of marginal effects."""
    lines = []
    for (column, change, output, part), at in _effects(effects):
        what = "" if change == "per unit" else f" {change}"
        name = _short(f"{column}{what}") + (f" [{_short(str(output))}]" if output != "" else "")
        cells = _uncertain(effects.standard_error[at], effects.z[at], effects.p_value[at], effects.interval[at])
        lines.append((name if part == "total" else "", part, float(effects.estimate[at]), *cells))
    columns = ["", "part", "effect", *_headings(effects.level)]
    title = "Average marginal effects on the mean"
    notes = [f"* {remark[:1].upper()}{remark[1:]}." for remark in effects.remarks]
    return Table(columns, lines, title, notes, ["", "", ".4g", *FORMATS], "lrrrrrrr")
