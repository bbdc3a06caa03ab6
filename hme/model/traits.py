"""What a family of experts or a gate supports: a small frozen object for each, like scikit-learn's estimator tags."""

from dataclasses import dataclass

__all__ = ["GateTraits", "Traits", "described", "together"]


@dataclass(frozen=True)
class Traits:
    """What a family of experts is and what it supports.

    Attributes
    ----------
    tasks : tuple of str
        "regression", "classification" or both.
    measure : {"density", "mass", "classes"}
        What `log_prob` is the logarithm of: a density on the real line, a probability mass function of numbers, or
        class probabilities.
    domain : str
        The possible targets of the family, in words; see also `Expert.possible`.
    atoms : tuple of float
        Points that carry all the probability of the family. In a list with densities they belong to this family alone.
    positive : bool
        Whether targets cannot be negative.
    row_arguments : tuple of str
        Which of "offset" and "trials" the family takes.
    sparse_input, multioutput : bool
        Whether X may be sparse, and whether y may have several columns.
    exact : bool
        Whether an update never decreases its part of the objective.
    additive : bool
        Whether an update needs only sums over rows, so that rows can be processed in chunks.
    smooth : bool
        Whether the log-density is differentiable with respect to the family's `coordinates`, so that an information
        matrix exists.
    refitted : bool
        Whether an update refits from scratch: parameters cannot be interpolated, and the objective may fall.
    frozen : bool
        Whether only the noise is estimated, and the predictions are given.
    cross_fitted : bool
        Whether training rows are predicted by fits that have not seen them, according to ``rows.fold``.
    sees_table : bool
        Whether the family uses the user's table, ``rows.table``, in addition to the design columns.
    fixed : str
        A sentence that says what inference treats as fixed; "" if nothing is.
    start_share : float
        Responsibility for every row that the family is given at a start, instead of a region of its own; 0 means that
        it starts with a region.
    dispersion : bool
        Whether the noise of numbers has a free scale, which takes up the unit of weights that are precisions.
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
    dispersion: bool = False


def together(members: list[Traits]) -> Traits:
    """The traits of a list of experts of several families."""

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
        **{name: some(name) for name in ("smooth", "refitted", "cross_fitted", "sees_table", "dispersion")},
    )


@dataclass(frozen=True)
class GateTraits:
    """What a gate is and what it supports.

    Attributes
    ----------
    generative : bool
        Whether the scores are log p(x, k), so that EM maximises the joint likelihood of x and y.
    routed : bool
        Whether each row uses only a few leaves, those that `Gate.route` returns.
    sees_columns : bool
        Whether the prior depends on x.
    sparse_input : bool
        Whether X may be sparse.
    exact : bool
        Whether an update never decreases its part of the objective.
    smooth : bool
        Whether the log-prior is differentiable with respect to the gate's `coordinates`, so that an information matrix
        exists.
    refitted : bool
        Whether an update refits from scratch: parameters cannot be interpolated, and the objective may fall.
    frozen : bool
        Whether the gate is given by the user, and nothing of it is estimated.
    given : bool
        Whether the user refers to the leaves by their numbers, so that leaves are not exchangeable.
    cross_fitted : bool
        Whether training rows are predicted by fits that have not seen them, according to ``rows.fold``.
    sees_table : bool
        Whether the gate uses the user's table, ``rows.gate_table``, in addition to the design columns.
    fixed : str
        A sentence that says what inference treats as fixed; "" if nothing is.
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
    """A family as text, without its `adjustable` hyper-parameters, those that a warm start may change."""
    params = {name: value for name, value in family.get_params(deep=False).items() if name not in adjustable}
    return f"{type(family).__name__}({', '.join(f'{name}={value!r}' for name, value in sorted(params.items()))})"
