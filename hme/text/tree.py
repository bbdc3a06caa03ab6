"""A fitted tree as text: the question of each gate, the equation of each expert."""

import re
from typing import Any, NamedTuple

import numpy as np
from scipy.special import softmax
from sklearn.utils.validation import check_is_fitted

from ..features.curves import curves_of
from ..model.tree import Tree
from ..model.wording import DIGITS, Terms, curve_lines, cut, indented, linear_text
from ..numerics.checks import check_int

__all__ = ["Told", "export_text", "report_of", "told"]


class Told(NamedTuple):
    """A fitted tree in words.

    Attributes
    ----------
    tree : Tree
        The model's own; of a gate over leaves a flat one.
    questions : list of Question
        One for each gating node.
    equations : list of list of str
        The lines of every leaf.
    names : list of str or None
        Of the experts in a list of named ones.
    gates : list of str
        What the gating nodes are called.
    curves : list of list of str
        Lines about the curves in the equations of every leaf.
    """

    tree: Tree
    questions: list
    equations: list
    names: Any
    gates: list
    curves: list


def export_text(model, feature_names=None, target="y", max_terms=5, digits=DIGITS):
    """Write a fitted tree as indented text.

    A gate with two branches is a soft question. In one feature it reads ``x > 27.3 +/- 1.2``: at 27.3 both branches
    have the same probability, and beyond 1.2 to either side one of them has more than 0.9. In several features it reads
    ``0.83 a -1.2 b > 3.1``, and the left side less the right side is the log-odds of "yes", the second branch, against
    "no", the first one, as in `summary`. A gate with more branches has a linear score for each of them; the softmax of
    the scores gives their probabilities. If the gate is a decision tree, its rules are shown, each with the expert that
    most of its rows go to and their share.

    The numbers give what the model predicts: a column that is far from zero is written less a round number near its
    mean, as in ``112.3 +0.8 (year - 2005)``, and constants have as many digits as the largest effect needs.

    Where experts or the gate bend, what a column adds to an equation or a score is a curve, ``s(age)``, and a line
    below gives its slopes at the knots, as in ``s(age): slope 0.9 at 20, 0.4 at 35, -0.1 at 80``. The curve is zero at
    the first knot. Slopes change linearly from knot to knot and are constant beyond the outer ones, by eq. (splines)
    with the default degree. A Gaussian gate is near the place of the column whose splines are nearest to its mean.

    Parameters
    ----------
    model : HMERegressor, HMEClassifier, a stack or a search
        A fitted one; of a stack (`HMEStackingRegressor`) the mixture over its models is shown, of a search
        (`HMERegressorCV`) its best model.
    feature_names : sequence of str or None, default=None
        Names of the columns of X, also of a stack, whose models have names of their own; by default those seen in fit,
        else ``x0``, ``x1``, ...
    target : str, default="y"
        Name of the target.
    max_terms : int or None, default=5
        Most terms of a gate or an equation: the largest coefficients of standardised columns. The number of those left
        out is shown, and they are in the constant, at the means of their columns. None shows all.
    digits : int, default=4
        Significant digits of slopes.

    Returns
    -------
    str
        A line for each gate and each leaf, and one for each class or output where a leaf has several. The load of a
        leaf is its share of the training weight.

    Raises
    ------
    ValueError
        If the number of names is not that of the features.
    TypeError
        If the model has no tree of its own, such as an average or a pipeline.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor, export_text
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, (300, 1))
    >>> y = np.where(X[:, 0] < 0, 2.0 - X[:, 0], 3.0 * X[:, 0]) + 0.1 * rng.standard_normal(300)
    >>> print(export_text(HMERegressor(depth=1).fit(X, y), ["time"], "level"))
    gate 0: time > 0.012... +/- 0.09...
    |-- no: leaf 0 (load 0.45): level = 2.01... -0.98... time,  noise 0.099...
    |-- yes: leaf 1 (load 0.55): level = 0.003... +2.98... time,  noise 0.11...
    """
    best = getattr(model, "best_estimator_", None)
    if best is not None:  # what answers may be a mixture of other models
        return (
            f"best_estimator_ of {type(model).__name__}:\n{export_text(best, feature_names, target, max_terms, digits)}"
        )
    words = told(model, feature_names, target, max_terms, digits)
    load = getattr(model, "final_estimator_", model).load_
    leaves = [_leaf(k, words, load[k]) for k in range(len(load))]
    return "\n".join(_branch(words, 0, leaves) if words.tree.n_nodes else leaves[0])


def told(model, feature_names=None, target="y", max_terms=5, digits=DIGITS):
    """A fitted tree in words: what `export_text` and the pictures of trees show.

    Parameters
    ----------
    model, feature_names, target, max_terms, digits
        As for `export_text`.

    Returns
    -------
    Told
    """
    check_is_fitted(model)
    model = getattr(model, "best_estimator_", model)
    mixture = getattr(model, "final_estimator_", model)
    if not hasattr(mixture, "tree_"):
        raise TypeError(f"model = {type(model).__name__} has no tree of its own; pass one of the models in it.")
    names, called = _names(model, feature_names)
    model = mixture
    if max_terms is not None:
        check_int(max_terms, "max_terms")
    check_int(digits, "digits", 1, 17)
    rest, (expert, gate) = "+offset" if "offset" in model.row_arguments_ else "", model.columns_[:2]
    curves = [curves_of(side.features, names) for side in (expert, gate)]
    seen = [_seen(side.features, names, model.input_names(), called) for side in (expert, gate)]
    columns = Terms.of(seen[0], expert.design, digits, rest, curves[0])
    names = Terms.of(seen[1], gate.design, digits, curves=curves[1])
    leaves = [_equations(model, k, columns, target, max_terms) for k in range(model.n_experts_)]
    equations, curves = [one.lines for one in leaves], [one.curves for one in leaves]
    gate, experts = model.model_.gate, model.model_.expert.names
    tree = Tree.flat(len(equations)) if gate.tree is None else gate.tree
    if not tree.n_nodes:
        return Told(tree, [], equations, experts, [], curves)
    questions = gate.questions(model.gate_, tree.branching, names, model.columns_.gate.design.scale, max_terms)
    if gate.tree is None:
        return Told(tree, [_named(questions[0], experts)], equations, experts, ["gate"], curves)
    return Told(tree, questions, equations, experts, [f"gate {m}" for m in range(tree.n_nodes)], curves)


def _names(model, feature_names):
    """What the columns that a mixture sees are called; of a stack also new names, a dict, of those it prepares."""
    if feature_names is None:
        feature_names = model.input_names()
    if len(feature_names) != model.n_features_in_:
        raise ValueError(f"feature_names has {len(feature_names)} names for {model.n_features_in_} features.")
    level = getattr(model, "level_one_", None)
    if level is None:
        return np.array(feature_names, dtype=object), None
    called = level.called(model.input_names(), feature_names)
    return np.array([called.get(name, name) for name in (*level.predicted, *level.names)], dtype=object), called


def _seen(features, names, given, called):
    """Names of the columns of a side. What a transformer hands on in a stack is called as in the fit there."""
    if called is None or features.maps is not None:
        return features.renamed(names)
    return [called.get(name, name) for name in features.renamed(given)]


# -- leaves ------------------------------------------------------------------------------------------------------------


def _leaf(k, words, load):
    """The lines of leaf k."""
    first, *more = words.equations[k]
    name = f" {words.names[k]}" if words.names else ""
    return [f"leaf {k}{name} (load {load:.2f}): {first}", *(f"    {line}" for line in [*more, *words.curves[k]])]


def report_of(model, k):
    """The report of expert k alone, the axis of the experts kept."""
    names = model.model_.expert.names
    if not names:
        return type(model.experts_)(*(field[k : k + 1] for field in model.experts_))
    report = model.experts_[names[k]]
    return type(report)(*map(_with_axis, report))


def _with_axis(field):
    if hasattr(field, "fit"):  # NumPy takes pipelines and forests for sequences
        array = np.empty(1, dtype=object)
        array[0] = field
        return array
    return np.asarray(field)[None]


class _Leaf(NamedTuple):
    """An expert in words."""

    lines: list  # its equation, or a heading and one for each class or output
    curves: list  # of str, about the curves in them


def _equations(model, k, names, target, max_terms):
    """Expert k in words."""
    family, report = model.model_.expert.family(k), report_of(model, k)
    scores = family.class_scores(report)
    if scores is not None:
        coef, intercept, classes = scores[0][0], scores[1][0], model.target_.labels
        if not coef.any():
            shares = zip(classes, softmax(intercept), strict=True)
            return _Leaf([f"{target} is " + ", ".join(f"{c} ({share:.2f})" for c, share in shares)], [])
        if len(classes) > 2:
            parts = [_linear(a, b, names, max_terms) for a, b in zip(coef, intercept, strict=True)]
            return _of_several(f"{target} by the softmax of", classes, parts)
    if "coef" not in report._fields or report.coef.shape[-1:] != (len(names),) or report.coef.ndim > 3:
        return _Leaf(family.equations(report, names, target), [])
    if model.task == "classification" and len(model.target_.labels) == 2:  # the second class is what has an equation
        target = f"{target} = {model.target_.labels[1]}"
    if report.coef.ndim == 2 or report.coef.shape[1] == 1:
        line, curves = _equation(family, report, names, target, max_terms)
        return _Leaf([line], curves)
    called = [f"{target}[{t}]" for t in range(report.coef.shape[1])]
    parts = [_equation(family, _output(report, t), names, own, max_terms) for t, own in enumerate(called)]
    return _Leaf([f"{len(parts)} outputs", *(line for line, _ in parts)], _curves(called, parts))


def _of_several(heading, called, parts):
    lines = [f"{name}: {line}" for name, (line, _) in zip(called, parts, strict=True)]
    return _Leaf([heading, *lines], _curves(called, parts))


def _curves(called, parts):
    """Lines about the curves of several classes or outputs."""
    return [f"{name}: {line}" for name, (_, curves) in zip(called, parts, strict=True) for line in curves]


def _output(report, t):
    """The report of one output: of what there is for each of them, its own."""
    n_outputs = report.coef.shape[1]
    return type(report)(*(field[:, t] if np.shape(field)[1:2] == (n_outputs,) else field for field in report))


def _equation(family, report, names, target, max_terms):
    """The family's own equation in the strongest terms, with the number of those left out; and lines about curves."""
    constant = report.intercept if "intercept" in report._fields else np.zeros(report.coef.shape[:-1])
    coef, constant, names, n_left_out = cut(report.coef, constant, names, max_terms)
    short, curves = report._replace(coef=coef), curve_lines(report.coef, names)
    if "intercept" in report._fields:
        short = short._replace(intercept=constant)
    (equation,) = family.equations(short, names, target)
    return f"{equation}  ({n_left_out} weaker terms)" if n_left_out else equation, curves


def _linear(slope, constant, names, max_terms):
    full = slope
    slope, constant, names, n_left_out = cut(slope, constant, names, max_terms)
    return f"{linear_text(constant, slope, names)}{' ...' if n_left_out else ''}", curve_lines(full, names)


# -- gates -------------------------------------------------------------------------------------------------------------


def _branch(words, m, leaves):
    """Lines of gating node m and all below it."""
    children = words.tree.children[m][words.tree.used[m]]
    below = [leaves[~child] if child < 0 else _branch(words, child, leaves) for child in children]
    return _asked(words.gates[m], words.questions[m], below)


def _named(question, names):
    """A question whose details name the leaves, where they have names."""
    if not names:
        return question

    def called(match):
        return f"leaf {match.group(1)} {names[int(match.group(1))]} ("

    return question._replace(details=[re.sub(r"\bleaf (\d+) \(", called, line) for line in question.details])


def _asked(gate, question, below):
    """Lines of a gate and of what is below each of its answers."""
    answers = [f"{answer}: " if answer else "" for answer in question.answers]
    return [f"{gate}: {question.text}", *(f"|   {line}" for line in question.details), *indented(answers, below)]
