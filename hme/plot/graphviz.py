"""A fitted tree in the language of Graphviz."""

from pathlib import Path
from textwrap import wrap

from ..text.tree import told
from .picture import mixture_of

__all__ = ["export_graphviz"]

WIDTH = 40  # characters of a line
THICK = 12.0  # of an edge that carries all rows, in points
CENTRE, LEFT = r"\n", r"\l"  # end lines that are centred, and aligned to the left


def export_graphviz(model, out_file=None, *, feature_names=None, target_name="y", max_terms=5, digits=4):
    r"""Write a fitted tree in the DOT language, for Graphviz.

    `plot_tree` draws without Graphviz, and draws the experts too.

    Parameters
    ----------
    model : HMERegressor, HMEClassifier or a stack
        A fitted one, or a pipeline that ends in one. Of a stack the mixture over its models is written.
    out_file : str, Path, text file or None, default=None
        Where to write; None returns the text.
    feature_names : sequence of str or None, default=None
        Names of the columns that the model sees.
    target_name : str, default="y"
    max_terms, digits : int
        As for `hme.export_text`.

    Returns
    -------
    str or None
        The text, if `out_file` is None. An edge is as wide as the load of what it leads to.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.datasets import load_motorcycle
    >>> from hme.plot import export_graphviz
    >>> model = HMERegressor(depth=1).fit(*load_motorcycle(return_X_y=True))
    >>> print(export_graphviz(model, feature_names=["time"]))
    digraph hme {
    rankdir=LR;
    node [shape=box, style=rounded, fontname="helvetica"];
    edge [fontname="helvetica"];
    gate0 [label="gate 0\ntime > ..."];
    leaf0 [label="leaf 0, load 0...\ly = ..."];
    leaf1 [label="leaf 1, load 0...\ly = ..."];
    gate0 -> leaf0 [label="no", penwidth=...];
    gate0 -> leaf1 [label="yes", penwidth=...];
    }
    """
    mixture = mixture_of(model)
    words = told(mixture, feature_names, target_name, max_terms, digits)
    text = "\n".join(_lines(words, mixture.load_))
    if out_file is None:
        return text
    if hasattr(out_file, "write"):
        out_file.write(f"{text}\n")
    else:
        Path(out_file).write_text(f"{text}\n", encoding="utf-8")
    return None


def _lines(words, load):
    yield from ("digraph hme {", "rankdir=LR;", 'node [shape=box, style=rounded, fontname="helvetica"];')
    yield 'edge [fontname="helvetica"];'
    tree = words.tree
    for m, (name, question) in enumerate(zip(words.gates, words.questions, strict=True)):
        label = CENTRE.join(map(_escaped, [name, *wrap(question.text, WIDTH)]))
        if question.details:
            label += CENTRE + LEFT.join(map(_escaped, question.details)) + LEFT
        yield f'gate{m} [label="{label}"];'
    for k, equation in enumerate(map(list.__add__, words.equations, words.curves)):
        title = f"leaf {k}" + (f" {words.names[k]}" if words.names else "")
        lines = [f"{title}, load {load[k]:.2f}", *(part for line in equation for part in wrap(line, WIDTH) or [""])]
        yield f'leaf{k} [label="{LEFT.join(map(_escaped, lines))}{LEFT}"];'
    for m, question in enumerate(words.questions):
        branches = tree.used[m]
        mass = (tree.paths[m] @ load)[branches]
        for child, answer, share in zip(tree.children[m][branches], question.answers, mass, strict=True):
            below = f"leaf{~child}" if child < 0 else f"gate{child}"
            label = CENTRE.join(map(_escaped, wrap(answer, WIDTH)))
            yield f'gate{m} -> {below} [label="{label}", penwidth={max(THICK * share, 0.3):.2f}];'
    yield "}"


def _escaped(text):
    return text.replace("\\", r"\\").replace('"', r"\"")
