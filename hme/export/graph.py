"""The steps of a prediction as operators of ONNX, in double precision."""

import numpy as np

from .leaves import LOWEST, Near

__all__ = ["answers_of", "experts_of", "gate_of", "inputs_of"]

OPERATORS = {"identity": "Identity", "log": "Exp", "logit": "Sigmoid", "inverse": "Reciprocal"}  # of links


def inputs_of(graph, name):
    """The input as numbers of double precision."""
    return graph.node("Cast", [name], to="float64")


def answers_of(graph, model, X):
    """Means (n, T), or probabilities (n, C) of all classes, of a `PortableModel`.

    Parameters
    ----------
    graph : Graph
        Its ``node(operator, inputs, **attributes)`` and ``constant(array)`` return names.
    model : PortableModel
    X : str
        Name of the inputs (n, P).

    Returns
    -------
    str
    """
    total = None
    for part in model.parts:
        columns, gate_columns = (_columns(graph, part, which, X) for which in (0, 1))
        means = _means(graph, part, columns)
        prior = graph.node("Unsqueeze", [_prior(graph, part, gate_columns, X), graph.constant([2])])
        mean = graph.node("ReduceSum", [graph.node("Mul", [prior, means]), graph.constant([1])], keepdims=0)
        mean = mean if part.share == 1.0 else graph.node("Mul", [mean, graph.constant(np.array(part.share))])
        total = mean if total is None else graph.node("Add", [total, mean])
    if model.task != "classification":
        return total
    whole = graph.node("ReduceSum", [total, graph.constant([1])], keepdims=1)
    proba = graph.node("Div", [total, whole])
    return _of_all_classes(graph, model, proba)


def gate_of(graph, model, X):
    """Priors (n, K) of the tree, of inputs (n, P)."""
    return _prior(graph, model.tree, _columns(graph, model.tree, 1, X), X)


def experts_of(graph, model, X):
    """Means (n, K, T) of the experts of the tree, or their probabilities (n, K, C) of all classes."""
    means = _means(graph, model.tree, _columns(graph, model.tree, 0, X))
    return means if model.task != "classification" else _of_all_classes(graph, model, means)


def _of_all_classes(graph, model, proba):
    """Probabilities (..., C) of all classes, from those (..., c) that experts know of."""
    if len(model.weighted) == len(model.classes_):
        return proba
    return graph.node("MatMul", [proba, graph.constant(np.eye(len(model.classes_))[model.weighted])])


def _columns(graph, part, which, X):
    """Design columns (n, p) without the intercept."""
    side = part.sides[which]
    columns = _raw(graph, side, X)
    columns = graph.node("Sub", [columns, graph.constant(side.center)])
    columns = graph.node("Div", [columns, graph.constant(side.scale)])
    if part.bounds is not None:
        low, high = part.bounds[which]
        columns = graph.node("Min", [graph.node("Max", [columns, graph.constant(low)]), graph.constant(high)])
    return columns


def _raw(graph, side, X):
    """The columns of a side before they are standardised, (n, p)."""
    bent = [(place, own) for place, own in zip(side.places, side.pieces, strict=True) if own is not None]
    straight = np.array([origin.place for origin in side.origins if origin.pieces is None], dtype=np.int64)
    made = [graph.node("Gather", [X, graph.constant(straight)], axis=1)]
    for place, own in bent:
        made.append(_bent(graph, own, graph.node("Gather", [X, graph.constant(np.array([place]))], axis=1)))
    if not bent:
        return made[0]
    order = np.argsort([origin.pieces is not None for origin in side.origins], kind="stable")
    whole = graph.node("Concat", made, axis=1)
    return graph.node("Gather", [whole, graph.constant(np.argsort(order).astype(np.int64))], axis=1)


def _bent(graph, pieces, x):
    """Columns (n, q) that pieces make of a column (n, 1), eq. (pieces)."""
    low, high = pieces.knots[[0]], pieces.knots[[-1]]
    share = graph.node("Sub", [x, graph.constant(pieces.knots[:-1])])
    share = graph.node("Div", [share, graph.constant(np.diff(pieces.knots))])
    share = graph.node("Min", [graph.node("Max", [share, graph.constant(np.zeros(1))]), graph.constant(np.ones(1))])
    total, power = graph.constant(pieces.start[None]), None
    for own in np.moveaxis(pieces.powers, 2, 0):
        power = share if power is None else graph.node("Mul", [power, share])
        total = graph.node("Add", [total, graph.node("MatMul", [power, graph.constant(own.T.copy())])])
    for side, end, slope in (("Min", low, pieces.below), ("Max", high, pieces.above)):
        beyond = graph.node(side, [graph.node("Sub", [x, graph.constant(end)]), graph.constant(np.zeros(1))])
        total = graph.node("Add", [total, graph.node("Mul", [beyond, graph.constant(slope[None])])])
    return total


def _linear(graph, columns, coef):
    """Scores (n, m) with coefficients (m, p + 1), intercept last."""
    score = graph.node("MatMul", [columns, graph.constant(np.ascontiguousarray(coef[:, :-1].T))])
    return graph.node("Add", [score, graph.constant(coef[:, -1])])


def _prior(graph, part, columns, X):
    """Priors (n, K)."""
    if part.prior is not None:  # a row for each row of X
        shape = graph.node("Concat", [_n_rows(graph, X), graph.constant([len(part.prior)])], axis=0)
        return graph.node("Expand", [graph.constant(part.prior), shape])
    if part.leaves is not None:
        scores = _near if type(part.leaves) is Near else _largest
        return graph.node("Softmax", [scores(graph, part.leaves, columns)], axis=1)
    branches, paths = [], []
    for m, used in enumerate(part.tree.used):
        score = _linear(graph, columns, part.gate[m, used])
        branches.append(graph.node("LogSoftmax", [score], axis=1))
        paths.append(part.tree.paths[m, used].astype(float))
    whole = graph.node("Concat", branches, axis=1)
    return graph.node("Exp", [graph.node("MatMul", [whole, graph.constant(np.concatenate(paths))])])


def _near(graph, leaves, columns):
    """Scores (n, K) by distances from centres."""
    away = graph.node("Sub", [graph.node("Unsqueeze", [columns, graph.constant([1])]), graph.constant(leaves.mean)])
    away = graph.node("Unsqueeze", [away, graph.constant([2])])  # (n, K, 1, q)
    turned = graph.constant(np.ascontiguousarray(np.swapaxes(leaves.root, 1, 2)))
    away = graph.node("MatMul", [away, turned])
    square = graph.node("Mul", [away, away])
    square = graph.node("ReduceSum", [square, graph.constant([2, 3])], keepdims=0)
    score = graph.node("Mul", [square, graph.constant(np.array(-0.5))])
    return graph.node("Add", [score, graph.constant(leaves.constant)])


def _largest(graph, leaves, columns):
    """Scores (n, K), those that are not among the k largest next to minus infinity."""
    score = _linear(graph, columns, leaves.coef)
    biased = graph.node("Add", [score, graph.constant(leaves.bias)])
    wanted = graph.constant([leaves.k])
    values, index = graph.name("v"), graph.name("i")
    graph.node("TopK", [biased, wanted], outputs=[values, index], axis=1)
    low = graph.node("Mul", [score, graph.constant(np.array(0.0))])
    low = graph.node("Add", [low, graph.constant(np.array(LOWEST))])
    return graph.node("ScatterElements", [low, index, graph.node("GatherElements", [score, index], axis=1)], axis=1)


def _n_rows(graph, X):
    return graph.node("Gather", [graph.node("Shape", [X]), graph.constant([0])], axis=0)


def _means(graph, part, columns):
    """Means (n, K, T), or class probabilities, of the experts."""
    K, T = part.experts.shape[:2]
    eta = graph.node("Reshape", [_linear(graph, columns, part.experts.reshape(K * T, -1)), graph.constant([-1, K, T])])
    if part.links is None:
        return graph.node("Softmax", [eta], axis=2)
    made, order = [], []
    for link in dict.fromkeys(part.links):
        own = [k for k, other in enumerate(part.links) if other == link]
        value = eta if len(own) == K else graph.node("Gather", [eta, graph.constant(np.array(own))], axis=1)
        made.append(graph.node(OPERATORS[link], [value]))
        order += own
    if len(made) == 1:
        return made[0]
    whole = graph.node("Concat", made, axis=1)
    return graph.node("Gather", [whole, graph.constant(np.argsort(order).astype(np.int64))], axis=1)
