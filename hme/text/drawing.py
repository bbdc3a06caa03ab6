"""A fitted tree as SVG: what a notebook shows of a model, without matplotlib."""

from html import escape
from textwrap import shorten, wrap

import numpy as np

__all__ = ["tree_svg"]

LEVEL, ROW = 236, 54  # pixels from gate to gate, and from leaf to leaf
GATE, LEAF, HIGH = 172, 372, 42  # widths of boxes, and their height
GATE_CHARS, LEAF_CHARS = 22, 50  # of a line in them
WIDE = 30.0  # of what carries all rows
COLORS = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#B8A900", "#777777"


def tree_svg(words, load):
    """Draw a fitted tree as SVG: questions, loads as widths, and equations.

    Parameters
    ----------
    words : Told
    load : ndarray of shape (K,)

    Returns
    -------
    str
        An SVG element. Whole questions and equations show where the pointer rests.
    """
    tree, depth = words.tree, words.tree.depth
    rows = 0.5 * HIGH + 6.0 + ROW * np.arange(tree.n_leaves)
    middle, level = _places(tree, rows)
    left = 4.0 + LEVEL * depth
    width, height = left + LEAF + 6.0, ROW * tree.n_leaves + 6.0
    parts = []
    for m in range(tree.n_nodes):
        parts += _bands(tree, m, load, (middle, level, rows, left), words.questions[m].answers)
    for m, question in enumerate(words.questions):
        lines = wrap(question.text, GATE_CHARS)
        lines = [lines[0], shorten(" ".join(lines[1:]), GATE_CHARS, placeholder=" ...")] if len(lines) > 2 else lines
        tip = "\n".join([question.text, *question.details])
        parts.append(_box(4.0 + LEVEL * level[m], middle[m], GATE, "#555", lines, tip))
    for k, equation in enumerate(words.equations):
        name = f"leaf {k}" + (f" {words.names[k]}" if words.names else "")
        line = shorten(equation[0], LEAF_CHARS - 4, placeholder=" ...") + (" ..." if len(equation) > 1 else "")
        lines = [f"{name}, load {load[k]:.2f}", line]
        tip = "\n".join([*equation, *words.curves[k]])
        parts.append(_box(left, rows[k], LEAF, COLORS[k % len(COLORS)], lines, tip, bold=True))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif" font-size="12" role="img" '
        f'aria-label="fitted tree" style="background:white">{"".join(parts)}</svg>'
    )


def _places(tree, rows):
    """Middle and level of every gating node."""
    middle, level = np.zeros(tree.n_nodes), np.zeros(tree.n_nodes, dtype=int)
    for m in range(1, tree.n_nodes):
        level[m] = level[tree.parent[m]] + 1
    for m in reversed(range(tree.n_nodes)):
        children = tree.children[m][tree.used[m]]
        middle[m] = np.mean([rows[~c] if c < 0 else middle[c] for c in (children[0], children[-1])])
    return middle, level


def _bands(tree, m, load, places, answers):
    """What leads from a gating node to its branches."""
    middle, level, rows, left = places
    x0, y0 = 4.0 + LEVEL * level[m] + GATE, middle[m]
    turn = 4.0 + LEVEL * (level[m] + 1)
    mass = (tree.paths[m] @ load)[tree.used[m]]
    for child, answer, share in zip(tree.children[m][tree.used[m]], answers, mass, strict=True):
        y1, color = (rows[~child], COLORS[~child % len(COLORS)]) if child < 0 else (middle[child], "#888")
        end, bend = left if child < 0 else turn, 0.5 * (x0 + turn)
        yield (
            f'<path d="M{x0:.1f},{y0:.1f} C{bend:.1f},{y0:.1f} {bend:.1f},{y1:.1f} {turn:.1f},{y1:.1f} H{end:.1f}" '
            f'fill="none" stroke="{color}" stroke-opacity="0.35" stroke-width="{max(WIDE * share, 1.0):.1f}"/>'
        )
        short = answer if len(answer) <= 9 else f"{answer[:8]}..."
        place = f'x="{turn - 5:.1f}" y="{y1 + 4:.1f}" text-anchor="end"'
        yield f"<text {place}>{escape(short)}<title>{escape(answer)}</title></text>"


def _box(x, y, width, color, lines, tip, bold=False):
    """A box with lines of text, and more where the pointer rests."""
    first = y + 4.0 - 7.0 * (len(lines) - 1)
    texts = ""
    for i, line in enumerate(lines):
        weight = ' font-weight="bold"' if bold and not i else ""
        texts += f'<text x="{x + 8:.1f}" y="{first + 14 * i:.1f}"{weight}>{escape(line)}</text>'
    return (
        f'<g><title>{escape(tip)}</title><rect x="{x:.1f}" y="{y - 0.5 * HIGH:.1f}" width="{width}" height="{HIGH}" '
        f'rx="6" fill="white" stroke="{color}" stroke-width="1.5"/>{texts}</g>'
    )
