"""Where the parts of a tree's picture stand, in inches: functions of arrays and of the sizes of texts."""

import re
from functools import cache
from textwrap import wrap
from typing import NamedTuple

import numpy as np

__all__ = ["LINE", "Block", "Places", "block_of", "place"]

LINE = 1.35  # height of a line of text, in font sizes
POINT = 1.0 / 72.0  # of an inch
LONGEST = 1.6  # of a word that is not broken, in widths of a line
WIDER = 1.04  # room for what a screen's pixels make of letters
STUCK = "\u00a0"  # a blank where no line ends


class Block(NamedTuple):
    """Lines of text of one size."""

    lines: tuple
    size: float  # of the font, in points
    family: str = "sans-serif"
    weight: str = "normal"

    @property
    def text(self):
        """The lines as one text."""
        return "\n".join(self.lines)

    @property
    def width(self):
        """In inches."""
        return max((_width(line, self.size, self.family, self.weight) for line in self.lines), default=0.0)

    @property
    def height(self):
        """In inches."""
        return len(self.lines) * LINE * self.size * POINT


def block_of(texts, size, width, most, family="sans-serif", weight="normal", hang=2):
    """A block of texts, each a line or wrapped after so many characters, of which at most so many lines are shown.

    Lines after the first of a text are indented by `hang`. A factor stays with its column, and a comparison with its
    threshold.
    """
    lines = []
    for text in texts:
        kept = len(text) - len(text.lstrip())
        style = {"initial_indent": " " * kept, "subsequent_indent": " " * (kept + hang), "break_on_hyphens": False}
        glued = _glued(text)
        longest = max(map(len, glued.split(" ")), default=0)
        lines += wrap(glued, max(width, min(longest, int(LONGEST * width))), **style)
    lines = [line.replace(STUCK, " ") for line in lines]
    if len(lines) > most:
        lines = [*lines[: most - 1], f"... {len(lines) - most + 1} more lines"]
    return Block(tuple(lines), size, family, weight)


def _glued(text):
    """Text in which lines are not broken after factors, signs of comparison and single words such as noise."""
    text = re.sub(r"([+-]?[\d.]+(?:e[+-]?\d+)?|\bnoise|\u00b1) (?=\S)(?![+-])", rf"\1{STUCK}", text)
    text = re.sub(r"([<>]=?) ", rf"\1{STUCK}", text)
    text = re.sub(r" (\u00b1|\.\.\.)", rf"{STUCK}\1", text)
    return re.sub(r"\((\d+) weaker terms\)", rf"(\1{STUCK}weaker{STUCK}terms)", text)


@cache
def _width(line, size, family, weight):
    """Width of a line of text, in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not line.strip():
        return 0.0
    # Leading blanks have a width of their own.
    path = TextPath((0.0, 0.0), line.replace("$", "S"), size=size, prop=FontProperties(family=[family], weight=weight))
    return WIDER * float(path.get_extents().x1) * POINT


class Places(NamedTuple):
    """Where things stand, in inches from the lower left corner."""

    node: np.ndarray  # (M, 2) left end and middle of every gating node
    node_width: np.ndarray  # (M,)
    turn: np.ndarray  # (M,) where the bands of a node have reached the height of its branches
    leaf: np.ndarray  # (K,) middle of every leaf
    leaf_left: float
    top: float


def place(tree, node_size, answer_width, leaf_height, node_gap, leaf_gap, band):
    """Places of gating nodes, from left to right by their level, and of leaves, which stand in one column.

    Every leaf has a row of its own, which is as high as it needs, and rows are stretched where a node is higher than
    the rows of all leaves below it. So nothing can overlap: what stands in one column has rows of its own.

    Parameters
    ----------
    tree : Tree
    node_size : ndarray of shape (M, 2)
        Width and height of every gating node.
    answer_width : ndarray of shape (M,)
        Width of the widest answer of every node.
    leaf_height : ndarray of shape (K,)
    node_gap, leaf_gap : float
        Between a node and its answers, and between two rows.
    band : ndarray of shape (M,)
        Height of what leads to every node, and from it.

    Returns
    -------
    Places
    """
    rows = leaf_height + leaf_gap
    below = tree.paths.sum(axis=1) > 0  # (M, K)
    for m in reversed(range(tree.n_nodes)):
        need = max(node_size[m, 1], band[m]) + leaf_gap
        rows[below[m]] *= max(1.0, need / rows[below[m]].sum())
    middle = rows.sum() - np.cumsum(rows) + 0.5 * rows
    level = _levels(tree)
    node, width, left = np.zeros((tree.n_nodes, 2)), node_size[:, 0].copy(), 0.0
    turn = np.zeros(tree.n_nodes)
    for d in range(tree.depth):
        own = np.flatnonzero(level == d)
        node[own, 0], width[own] = left, node_size[own, 0].max()
        left += width[own[0]] + answer_width[own].max() + 2.0 * node_gap
        turn[own] = left
    for m in reversed(range(tree.n_nodes)):
        children = tree.children[m][tree.used[m]]
        ends = [middle[~c] if c < 0 else node[c, 1] for c in (children[0], children[-1])]
        half = 0.5 * max(node_size[m, 1], band[m])
        high, low = (middle + 0.5 * rows)[below[m]].max(), (middle - 0.5 * rows)[below[m]].min()
        node[m, 1] = np.clip(np.mean(ends), low + half, high - half)
    return Places(node, width, turn, middle, left, float(rows.sum()))


def _levels(tree):
    """Number of nodes above every gating node."""
    level = np.zeros(tree.n_nodes, dtype=int)
    for m in range(1, tree.n_nodes):
        level[m] = level[tree.parent[m]] + 1
    return level
