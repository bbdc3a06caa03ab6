"""What a family of experts or a gate is and can do: one small frozen object each, as scikit-learn's tags."""

from dataclasses import dataclass

__all__ = ["GateTraits", "Traits", "described", "together"]


@dataclass(frozen=True)
class Traits:
    """What a family of experts is and can do.

    Attributes
    ----------
    tasks : tuple of str
        "regression", "classification" or both.
    measure : str
        What `log_prob` is a density of: "density" with respect to length, "mass" of points, "classes".
    domain : str
        The targets that the family can produce, in words; `Expert.possible` tells them apart.
    atoms : tuple of float
        Points that have all of the probability; beside densities they belong to this family alone.
    positive : bool
        No target is negative.
    row_arguments : tuple of str
        Which of "offset" and "trials" the family takes.
    sparse_input, multioutput : bool
        Whether X may be sparse, and y may have several columns.
    exact : bool
        The update never lets its part of the objective fall.
    additive : bool
        The update needs sums over rows only, so that rows can come in chunks.
    smooth : bool
        The log-density has derivatives by the family's `coordinates`, so that there is information on them.
    refitted : bool
        The update fits anew: there is nothing between two parameters, and the objective may fall.
    frozen : bool
        What it predicts is not learned, only the noise around it.
    cross_fitted : bool
        It answers for rows of the training table without having seen them, by ``rows.fold``.
    sees_table : bool
        It looks at the user's table, ``rows.table``, beside the design columns.
    fixed : str
        What of it inference takes as known, as a sentence; "" is nothing.
    start_share : float
        What every start gives the family of each row, in the place of a region of its own; 0 is a region.
    """

    tasks: tuple[str, ...] = ("regression",)
    measure: str = "density"
    domain: str = "any finite number"
    atoms: tuple[float, ...] = ()
    positive: bool = False
    row_arguments: tuple[str, ...] = ()
    sparse_input: bool = False
    multioutput: bool = False
    exact: bool = False
    additive: bool = False
    smooth: bool = False
    refitted: bool = False
    frozen: bool = False
    cross_fitted: bool = False
    sees_table: bool = False
    fixed: str = ""
    start_share: float = 0.0


def together(members: list[Traits]) -> Traits:
    """The traits of experts of several families side by side."""

    def every(name):
        return all(getattr(traits, name) for traits in members)

    def some(name):
        return any(getattr(traits, name) for traits in members)

    both = ("regression", "classification")
    return Traits(
        tasks=tuple(task for task in both if all(task in traits.tasks for traits in members)),
        measure=next((traits.measure for traits in members if not traits.atoms), members[0].measure),
        domain=" or ".join(dict.fromkeys(traits.domain for traits in members)),
        row_arguments=tuple(sorted({argument for traits in members for argument in traits.row_arguments})),
        **{name: every(name) for name in ("positive", "sparse_input", "multioutput", "exact", "additive")},
        **{name: some(name) for name in ("smooth", "refitted", "cross_fitted", "sees_table")},
    )


@dataclass(frozen=True)
class GateTraits:
    """What a gate is and can do.

    Attributes
    ----------
    generative : bool
        The scores are log p(x, k), so that EM climbs the joint likelihood of x and y.
    routed : bool
        A row may use a few leaves only, those that `Gate.route` names.
    sees_columns : bool
        The prior depends on x.
    sparse_input : bool
        Whether X may be sparse.
    exact : bool
        The update never lets its part of the objective fall.
    smooth : bool
        The log-prior has derivatives by the gate's `coordinates`, so that there is information on them.
    refitted : bool
        The update fits anew: there is nothing between two parameters, and the objective may fall.
    frozen : bool
        It is taken as it is given, and nothing of it is learned.
    given : bool
        The user knows the leaves by their numbers: no exchange of leaves leaves the model as it is.
    cross_fitted : bool
        It answers for rows of the training table without having seen them, by ``rows.fold``.
    sees_table : bool
        It looks at the user's table, ``rows.gate_table``, beside the design columns.
    fixed : str
        What of it inference takes as known, as a sentence; "" is nothing.
    """

    generative: bool = False
    routed: bool = False
    sees_columns: bool = True
    sparse_input: bool = False
    exact: bool = False
    smooth: bool = False
    refitted: bool = False
    frozen: bool = False
    given: bool = False
    cross_fitted: bool = False
    sees_table: bool = False
    fixed: str = ""


def described(family, adjustable: frozenset[str]) -> str:
    """A family as text, without the hyper-parameters that a warm start may change."""
    params = {name: value for name, value in family.get_params(deep=False).items() if name not in adjustable}
    return f"{type(family).__name__}({', '.join(f'{name}={value!r}' for name, value in sorted(params.items()))})"
