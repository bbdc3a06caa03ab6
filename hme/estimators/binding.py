"""Bind, the first step of a fit: families, columns and tree are bound to the rows."""

import time
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from ..model.features import Columns
from ..model.folds import fold_numbers
from ..model.mixture import Mixture
from ..model.ranges import Ranges
from ..model.rows import Rows
from ..model.shrunk import same_alphas
from ..model.tree import Tree
from ..numerics.engine import one_thread
from ..numerics.shrinkage import START, rows_per_weight
from ..progress import HeldOut, held_out
from ..registry import check_labels, check_support
from .row_arguments import check_group_columns, in_groups, with_labels
from .settings import check_settings, is_automatic

__all__ = ["NO_GROWTH", "Bound", "bind", "bound_to", "continues", "continues_grown", "hold_out", "rebound"]

# Of what a limit of growth is for, see `_grows`.
NO_GROWTH = (
    "for trees that grow, and this one does not: its size is given, experts or gate are fitted anew, routed, given or "
    "a list, rows have labels, start is an array, or branching is not 2"
)


class Bound(NamedTuple):
    """What EM works on."""

    mixture: Mixture
    columns: Columns
    tree: Tree
    rows: Rows
    order: Any  # numbers of the rows among those of positive weight, or None where they stand in the user's order
    structure: tuple  # what a warm start must share with the earlier fit
    asked: Tree  # the tree of the hyper-parameters; an earlier fit may have dropped leaves of it
    kept: np.ndarray  # (K,), the numbers that the leaves of `tree` have in it
    grows: bool  # whether the tree is one leaf yet, which is to grow
    rate: float  # rows that a unit of weight stands for where strengths of penalties are estimated
    begin: float  # when the fit began, by ``time.perf_counter``
    held_out: Any = None  # `HeldOut`, of ``early_stopping=True``


def bind(model, given):
    """Bind the families, columns and tree of an estimator to what its `fit` is given.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
    given : Given

    Returns
    -------
    Bound
    """
    begin = time.perf_counter()
    check_settings(model)
    expert, gate = given.expert, given.gate
    structure = _structure(model, given)
    columns, raw = _columns(model, given)
    arrays = {"y": given.y, "weight": given.weight, "group": given.groups, **given.arguments}
    rows, order = in_groups(columns.rows(given.tables, raw, **arrays))
    with _as_users_write_it("expert", expert):
        check_support(expert, gate, rows)
    growing = _grows(model, given)
    if not (growing or continues_grown(model)):
        _check_no_growth(model)
    tree = asked = Tree.flat(1) if growing else _tree(model, expert, rows)
    kept = np.arange(asked.n_leaves)
    if continues(model):
        tree, kept = _earlier_tree(model, asked)
    if len(kept) < asked.n_leaves:
        expert, gate = expert.pruned(kept), gate.pruned(tree)
    if model.on_empty == "drop":
        gate.pruned(tree)  # refused where that cannot be, before all the work
    if gate.traits.sees_columns and tree.n_leaves > 1:
        check_group_columns(rows, columns.gate.design.names)
    numbers = np.flatnonzero(given.kept)
    numbers = numbers if order is None else numbers[order]
    rows = with_labels(rows, given.labels, numbers, len(given.kept), asked, gate, kept)
    check_labels(expert, rows)
    if expert.traits.cross_fitted or gate.traits.cross_fitted:
        rows = rows._replace(fold=fold_numbers(rows))
    alphas, rate = model._earlier.alphas if continues(model) else {}, _rate(expert, gate, rows)
    mixture = _mixture(expert, gate, tree, rows, columns, alphas, rate)
    return Bound(mixture, columns, tree, rows, order, structure, asked, kept, growing, rate, begin)


def _rate(expert, gate, rows):
    """Rows that a unit of weight stands for, where that matters."""
    if not (expert.alphas or gate.alphas):
        return 1.0
    return rows_per_weight(rows.weight, fold_numbers(rows._replace(group=None)))


def hold_out(model, given, bound, found=None):
    """Hold rows out for ``early_stopping=True``: gate and experts are bound to the others.

    The held-out rows are as new rows in prediction: beyond the ranges of the others their columns are held.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
    given : Given
    bound : Bound
    found : ndarray of bool of shape (n,) or None
        Which rows, of those that another estimator has held out; None lets their content say.

    Returns
    -------
    Bound
    """
    if not model.early_stopping:
        return bound
    found = held_out(bound.rows, model.validation_fraction) if found is None else found
    inside, outside = np.flatnonzero(~found), np.flatnonzero(found)
    if not len(inside) or not len(outside):
        raise ValueError(
            f"early_stopping = True with validation_fraction = {model.validation_fraction!r} leaves no row "
            f"{'to fit' if len(outside) else 'to hold out'}; there are n_samples = {bound.rows.n_rows} of them."
        )
    rows, others = bound.rows[inside], bound.rows[outside]._replace(log_label=None, fold=None)
    if rows.group is not None:  # codes without gaps
        rows, others = (part._replace(group=np.unique(part.group, return_inverse=True)[1]) for part in (rows, others))
    if rows.fold is not None:
        rows = rows._replace(fold=fold_numbers(rows))
    if model.hold_range and (bound.grows or bound.tree.n_leaves > 1):
        others = Ranges.of(rows, bound.columns).held(others)
    order = inside if bound.order is None else bound.order[inside]
    bound = bound._replace(rows=rows, order=order, rate=_rate(given.expert, given.gate, rows))
    mixture = rebound(given, bound, bound.mixture.alphas)
    return bound._replace(mixture=mixture, held_out=HeldOut(others, model.n_iter_no_change, found))


def bound_to(tree, rows, alphas, like=None, *, given, columns, rate):
    """The mixture of the families on any tree, bound to other rows of the same columns, with strengths of penalties.

    `like` is another mixture that is bound to these rows: what was found out about them for its experts, such as the
    fit of one expert to all of them, is not found out again.
    """
    return _mixture(given.expert, given.gate, tree, rows, columns, alphas, rate, like)


def rebound(given, bound, alphas, kept=None, tree=None):
    """The mixture with other strengths of penalties, bound to the same rows.

    With `kept` and `tree` it is that of these leaves of the tree that was asked for, on a smaller tree.
    """
    expert, gate, tree = given.expert, given.gate, bound.tree if tree is None else tree
    kept = bound.kept if kept is None else kept
    if len(kept) < bound.asked.n_leaves:
        expert, gate = expert.pruned(kept), gate.pruned(tree)
    return _mixture(expert, gate, tree, bound.rows, bound.columns, alphas, bound.rate)


def _mixture(expert, gate, tree, rows, columns, alphas, rate, like=None):
    start = START / rate
    expert = expert.with_alphas({name: start for name in expert.alphas} | alphas.get("expert", {}))
    gate = gate.with_alphas({name: start for name in gate.alphas} | alphas.get("gate", {}))
    # One thread, as in the fit, so that results do not depend on their number. The guard notices what overflows.
    with one_thread(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        with _as_users_write_it("gate", gate):
            gate = gate.over(tree).bind(rows.heads(), columns.gate.design)
        if like is not None and same_alphas(like.expert.alphas, expert.alphas):
            return Mixture(gate, like.expert, rate)
        with _as_users_write_it("expert", expert):
            return Mixture(gate, expert.bind(rows, columns.expert.design), rate)


def _earlier_tree(model, asked):
    """The tree of an earlier fit, and the numbers of its leaves in the tree that is asked for."""
    earlier = model._earlier
    if asked != earlier.asked:
        raise ValueError(f"warm_start: the earlier fit has {earlier.asked!r}, not {asked!r}. Use warm_start=False.")
    return model.tree_, earlier.kept


@contextmanager
def _as_users_write_it(side, family):
    """Errors about a hyper-parameter of a family name it as the estimator does, such as ``expert__alpha``."""
    try:
        yield
    except (TypeError, ValueError) as error:
        text = str(error)
        if type(error) not in (TypeError, ValueError) or text.split(" ")[0] not in family.get_params(deep=False):
            raise
        raise type(error)(f"{side}__{text}") from error


def continues(model):
    """Whether a fit is a warm start from an earlier one."""
    return model.warm_start and hasattr(model, "params_")


def _structure(model, given):
    """What a warm start must share with the earlier fit, which is refused where it does not."""
    structure = (model.n_features_in_, given.y.shape[1:], given.expert.structure(), given.gate.structure())
    structure += (repr(model.expert_features), repr(model.gate_features))
    if continues(model):
        given.target.check_continues(model.target_)
        if structure != model._earlier.structure:
            raise ValueError(
                "warm_start: the earlier fit has (features, outputs, expert, gate, expert_features, gate_features) "
                f"{model._earlier.structure}, this one has {structure}. Use warm_start=False."
            )
    return structure


def _columns(model, given):
    """The columns of both sides, those of an earlier fit, or new ones and what they make of the tables."""
    if continues(model):
        return model.columns_._replace(views=given.views), None
    names = model.input_names()
    sides = model.expert_features, model.gate_features
    return Columns.fit_transform(*sides, given.tables, names, given.weight, model.standardize, given.views)


def _grows(model, given):
    """Whether the tree of a fit grows.

    Steps must be cheap and sure to lead up: not those of estimators, which are fitted anew, and of routed gates. Where
    labels number the experts, or responsibilities are given, the user has their number in mind.
    """
    sides = given.expert.traits, given.gate.traits
    steady = all(traits.exact and not (traits.refitted or traits.frozen or traits.sees_table) for traits in sides)
    steady = steady and not (given.gate.traits.routed or given.gate.traits.given) and len(given.expert.members) == 1
    free = isinstance(model.start, str) and given.labels is None and model.branching == 2 and not continues(model)
    return is_automatic(model) and steady and free


def _check_no_growth(model):
    """Refuse limits of growth where the tree does not grow, see `_grows`."""
    for name, neutral in (("max_experts", None), ("candidates", "auto")):
        value = getattr(model, name)
        if value is not None and value != neutral:
            raise ValueError(f"{name} = {value!r} is {NO_GROWTH}. Leave it at {neutral!r}.")


def continues_grown(model):
    """Whether a fit is a warm start from one whose tree may have grown."""
    return continues(model) and is_automatic(model)


def _tree(model, expert, rows):
    if continues_grown(model):
        return model._earlier.asked
    if expert.names and model.tree is None and model.n_experts is None:
        if isinstance(model.depth, str) and np.ndim(model.branching) == 0:
            raise ValueError(
                f"expert is a list of {len(expert.names)} experts, one for each leaf: say which tree, for example "
                f"n_experts={len(expert.names)}."
            )
    tree = Tree.from_parameters(
        model.depth,
        model.branching,
        model.n_experts,
        model.tree,
        rows_per_leaf=10 * rows.X.shape[1],
        weight=rows.weight.sum(),
        n_rows=rows.n_different,
    )
    expert.check_leaves(tree.n_leaves)
    return tree
