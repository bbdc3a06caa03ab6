"""The attributes that report a fit get the names of experts, classes and columns."""

import numpy as np

from ..model.frames import Legend, with_legend

__all__ = ["add_legends"]


def add_legends(model):
    """Give `experts_` and `gate_` of a fitted estimator a method ``to_frame``.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
        With all attributes of a fit.
    """
    K, gate, names = model.n_experts_, model.model_.gate, model.model_.expert.names
    experts = tuple(names or range(K))
    columns = [tuple(_names(side.design)) for side in model.columns_[:2]]
    parts = tuple(np.asarray(model.target_.labels).tolist())
    if model.task == "classification":
        legend = Legend(("expert", "class"), experts, parts[1:] if len(parts) == 2 else parts, columns[0], parts)
    elif model.target_.n_outputs > 1:
        legend = Legend(("expert", "output"), experts, parts, columns[0], parts)
    else:
        legend = Legend(("expert",), experts, (), columns[0], ())
    model.experts_ = with_legend(model.experts_, legend)
    if gate.tree is None:
        legend = Legend(("expert",), experts, (), columns[1], columns[1])
    else:
        nodes, branches = range(gate.tree.n_nodes), range(gate.tree.max_branching)
        legend = Legend(("node", "branch"), tuple(nodes), tuple(branches), columns[1], columns[1], gate.tree.used)
    model.gate_ = with_legend(model.gate_, legend)


def _names(design):
    return [f"x{j}" for j in range(len(design.scale))] if design.names is None else [str(name) for name in design.names]
