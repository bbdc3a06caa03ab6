"""A fitted tree as text: what each gate asks, what each expert says."""

import numpy as np
from scipy.special import softmax
from sklearn.utils.validation import check_is_fitted

from .gates import TreeGate
from .numerics.checks import check_int

__all__ = ["export_text"]

SURE = np.log(9.0)  # log-odds at which a branch has 90 % of a row
# A gate whose log-odds move less than this over a standard deviation does not look at x.
FLAT = 1e-6


def export_text(model, feature_names=None, target="y", max_terms=5):
    """Write a fitted tree as indented text.

    A gate with two branches is a soft question. In one feature it reads ``x < 27.3 +/- 1.2``: rows at 27.3 are divided
    evenly, and beyond 1.2 to either side nine tenths of a row go one way. In several features it reads
    ``0.83 a -1.2 b > 3.1``, and the difference between the two sides is the log-odds of "yes". A gate with more
    branches has a linear score for each of them; a row goes down them with the softmax of the scores. Of a decision
    tree as gate the rules are shown, each with the expert that most of its rows go to and their share.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
        A fitted one.
    feature_names : sequence of str or None, default=None
        Names of the columns of X; by default those seen in fit, else ``x0``, ``x1``, ...
    target : str, default="y"
        Name of the target.
    max_terms : int or None, default=5
        Most terms of a gate or an equation, the strongest of standardised columns; what is left out is said. None
        shows all.

    Returns
    -------
    str
        A line for each gate and each leaf, and one for each class or output where a leaf has several. The load of a
        leaf is its share of the training weight.

    Raises
    ------
    ValueError
        If the number of names is not that of the features.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor, export_text
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(-1, 1, (300, 1))
    >>> y = np.where(X[:, 0] < 0, 2.0 - X[:, 0], 3.0 * X[:, 0]) + 0.1 * rng.standard_normal(300)
    >>> print(export_text(HMERegressor(depth=1).fit(X, y), ["time"], "level"))
    gate 0: time < 0.012... +/- 0.09...
    |-- yes: leaf 0 (load 0.45): level = 2.01... -0.98... time,  noise 0.099...
    |-- no: leaf 1 (load 0.55): level = 0.003... +2.98... time,  noise 0.11...
    """
    check_is_fitted(model)
    if max_terms is not None:
        check_int(max_terms, "max_terms")
    names = _names(model, feature_names)
    given = getattr(model, "feature_names_in_", names)
    expert_names, names = (side.features.renamed(given, names) for side in model.columns_[:2])
    leaves = _leaves(model, expert_names, target, max_terms)
    if model.n_experts_ == 1:
        return "\n".join(leaves[0])
    gate = model.model_.gate
    if not isinstance(gate, TreeGate):  # the gate sees leaves only: the shape of the tree means nothing to it
        notes = _notes(model.gate_, names, len(leaves))
        return "\n".join([f"gate: {type(gate).__name__}", *_rules(model.gate_, names), *_indent(notes, leaves)])
    return "\n".join(_branch(model, 0, leaves, names, max_terms))


def _notes(report, names, n_leaves):
    """What a gate over leaves says of each of them."""
    if hasattr(report, "mean"):
        places = [", ".join(f"{a} = {b:.3g}" for a, b in zip(names, mean, strict=True)) for mean in report.mean]
        return [f"near {place}: " if place else "" for place in places]
    if hasattr(report, "proportion") and not hasattr(report, "estimator"):
        return [f"prior {share:.2f}: " for share in report.proportion]
    return [""] * n_leaves


def _rules(report, names):
    """What a classifier as gate asks, in lines: the rules of a decision tree, or what kind of classifier it is."""
    if not hasattr(report, "estimator"):
        return []
    first, last = None, report.estimator
    if hasattr(last, "steps"):
        first, last = last[:-1], last[-1]
    if not hasattr(last, "tree_"):
        return [f"|   {type(last).__name__}"]
    if first is not None and len(first):
        try:
            names = first.get_feature_names_out(names)
        except (AttributeError, ValueError):  # a step that gives its columns no names
            names = [f"column {j}" for j in range(last.n_features_in_)]
    return [f"|   {line}" for line in _questions(last, names, 0)]


def _questions(classifier, names, node):
    """Lines of a node of a decision tree and all below it; splits that do not tell experts apart are left out."""
    tree = classifier.tree_
    share = tree.value[node, 0] / tree.value[node, 0].sum()
    ends = tree.children_left[node] < 0
    lines = (
        []
        if ends
        else [_questions(classifier, names, child[node]) for child in (tree.children_left, tree.children_right)]
    )
    top = f"leaf {classifier.classes_[share.argmax()]} ("
    if all(len(below) == 1 and below[0].startswith(top) for below in lines):
        return [f"{top}{share.max():.2f})"]
    question = f"{names[tree.feature[node]]} <= {tree.threshold[node]:.4g}"
    return [question, *_indent(["yes: ", "no: "], lines)]


def _names(model, feature_names):
    if feature_names is None:
        feature_names = model.input_names()
    if len(feature_names) != model.n_features_in_:
        raise ValueError(f"feature_names has {len(feature_names)} names for {model.n_features_in_} features.")
    return np.array(feature_names, dtype=object)


# -- leaves ------------------------------------------------------------------------------------------------------------


def _leaves(model, names, target, max_terms):
    """The lines of every leaf."""
    leaves = []
    for k, load in enumerate(model.load_):
        first, *more = _equations(model, k, names, target, max_terms)
        name = f" {list(model.experts_)[k]}" if isinstance(model.experts_, dict) else ""
        leaves.append([f"leaf {k}{name} (load {load:.2f}): {first}", *(f"    {line}" for line in more)])
    return leaves


def _alone(field):
    """A field of one expert's report with the axis of the experts."""
    if hasattr(field, "fit"):  # NumPy takes pipelines and forests for sequences
        array = np.empty(1, dtype=object)
        array[0] = field
        return array
    return np.asarray(field)[None]


def _equations(model, k, names, target, max_terms):
    """What expert k says, in one line or in one for each class or output."""
    family = model.model_.expert.family(k)
    if isinstance(model.experts_, dict):
        report = list(model.experts_.values())[k]
        report = type(report)(*(_alone(field) for field in report))
    else:
        report = type(model.experts_)(*(field[k : k + 1] for field in model.experts_))
    classes = getattr(model, "classes_", None)
    if not hasattr(report, "coef"):
        return family.equations(report, names, target)
    if classes is not None and not report.coef.any():
        scores = report.intercept[0] if len(classes) > 2 else np.append(0.0, report.intercept[0])
        return [f"{target} is " + ", ".join(f"{c} ({p:.2f})" for c, p in zip(classes, softmax(scores), strict=True))]
    if classes is not None and len(classes) > 2:
        lines = zip(classes, report.coef[0], report.intercept[0], strict=True)
        scores = [f"{c}: {b:.4g}{_terms(a, names, model.columns_.expert.design.scale, max_terms)}" for c, a, b in lines]
        return [f"{target} by the softmax of", *scores]
    if classes is not None:  # the equation gives the log-odds of the second class
        return [_equation(model, family, report, names, f"{target} = {classes[1]}", max_terms)]
    if report.coef.ndim == 2:
        return [_equation(model, family, report, names, target, max_terms)]
    outputs = [type(report)(*(field[:, t] for field in report)) for t in range(report.coef.shape[1])]
    lines = [_equation(model, family, part, names, f"{target}[{t}]", max_terms) for t, part in enumerate(outputs)]
    return [f"{len(outputs)} outputs", *lines]


def _equation(model, family, report, names, target, max_terms):
    """The family's own equation in the strongest terms, with the number of those left out."""
    shown = _strongest(report.coef * model.columns_.expert.design.scale, max_terms)
    part = report._replace(coef=report.coef[..., shown])
    (equation,) = family.equations(part, names[shown], target)
    left_out = np.count_nonzero(report.coef) - len(shown)
    return f"{equation}  ({left_out} weaker terms)" if left_out else equation


def _strongest(coef, max_terms):
    """The columns of the largest coefficients (..., p), in their own order; none that are zero."""
    size = np.abs(coef).max(axis=tuple(range(coef.ndim - 1)), initial=0.0)
    order = np.argsort(-size, kind="stable")[:max_terms]
    return np.sort(order[size[order] > 0])


# -- gates -------------------------------------------------------------------------------------------------------------


def _branch(model, m, leaves, names, max_terms):
    """Lines of gating node m and all below it."""
    question, answers = _gate(model, m, names, max_terms)
    children = model.tree_.children[m]
    below = [
        leaves[~child] if child < 0 else _branch(model, child, leaves, names, max_terms)
        for child in children[children != 0]
    ]
    return [f"gate {m}: {question}", *_indent([f"{answer}: " for answer in answers], below)]


def _indent(notes, branches):
    """The lines of each branch one step to the right, the first one after its note."""
    for note, (first, *more) in zip(notes, branches, strict=True):
        yield f"|-- {note}{first}"
        yield from (f"|   {line}" for line in more)


def _gate(model, m, names, max_terms):
    """What gating node m asks, and one answer for each of its branches."""
    n_branches = model.tree_.branching[m]
    if not hasattr(model.gate_, "coef"):
        return type(model.model_.gate.node).__name__, [f"branch {b}" for b in range(n_branches)]
    coef, intercept = model.gate_.coef[m, :n_branches], model.gate_.intercept[m, :n_branches]
    scale = model.columns_.gate.design.scale
    if n_branches > 2:
        scores = [f"{c:.3g}{_terms(b, names, scale, max_terms)}" for b, c in zip(coef, intercept, strict=True)]
        return "softmax of the scores", scores
    return _question(coef[0] - coef[1], intercept[0] - intercept[1], names, scale, max_terms), ["yes", "no"]


def _question(slope, intercept, names, scale, max_terms):
    """When the log-odds of the first of two branches are positive."""
    if np.abs(slope * scale).max(initial=0.0) < FLAT:
        return f"yes for {1.0 / (1.0 + np.exp(-intercept)):.2f} of every row"
    if len(slope) > 1:
        return f"{_terms(slope, names, scale, max_terms).lstrip(' +')} > {-intercept:.3g}"
    sign = ">" if slope[0] > 0 else "<"
    return f"{names[0]} {sign} {-intercept / slope[0]:.4g} +/- {SURE / abs(slope[0]):.2g}"


def _terms(slope, names, scale, max_terms):
    shown = _strongest(slope * scale, max_terms)
    rest = " ..." if len(shown) < np.count_nonzero(slope) else ""
    return "".join(f" {slope[j]:+.3g} {names[j]}" for j in shown) + rest
