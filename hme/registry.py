"""The families by name, what they support, and their construction from an estimator's parameters."""

from functools import cache

import numpy as np
import scipy.sparse as sp
from sklearn.base import is_classifier

from .experts import (
    BackgroundExpert,
    BinomialExpert,
    ConstantExpert,
    EstimatorExpert,
    Expert,
    GammaExpert,
    GaussianExpert,
    InverseGaussianExpert,
    LaplaceExpert,
    LinearExpert,
    LogisticExpert,
    MixedExpert,
    NegativeBinomialExpert,
    PointMassExpert,
    PoissonExpert,
    PoolExpert,
    StudentExpert,
    TreeExpert,
)
from .experts.noise import Response
from .gates import ConstantGate, EstimatorGate, Gate, GaussianGate, NodeGate, SoftmaxGate, TopKGate

__all__ = [
    "DEFAULT",
    "EXPERTS",
    "GATES",
    "check_labels",
    "check_support",
    "expert_names",
    "make_expert",
    "make_gate",
    "supports",
]

EXPERTS = {
    "linear": LinearExpert,
    "constant": ConstantExpert,
    "gaussian": GaussianExpert,
    "student": StudentExpert,
    "laplace": LaplaceExpert,
    "poisson": PoissonExpert,
    "negative_binomial": NegativeBinomialExpert,
    "binomial": BinomialExpert,
    "gamma": GammaExpert,
    "inverse_gaussian": InverseGaussianExpert,
    "logistic": LogisticExpert,
    "pool": PoolExpert,
    "tree": TreeExpert,
    "background": BackgroundExpert,
    "point_mass": PointMassExpert,
}
# The default family of experts (`expert=None`) for each task.
DEFAULT = {"regression": "linear", "classification": "logistic"}
AUTOMATIC = {"regression": {"alpha": "auto"}, "classification": {}}  # of the defaults where the tree grows
GATES = {
    "softmax": SoftmaxGate,
    "constant": ConstantGate,
    "gaussian": GaussianGate,
    "top_k": TopKGate,
    "tree": EstimatorGate,
}


@cache  # scikit-learn reads an estimator's tags, which depend on this, at every call of predict
def _tasks(name):
    return EXPERTS[name]().traits.tasks


def expert_names(task):
    """Names of the families for "regression" or "classification"."""
    return [name for name in EXPERTS if task in _tasks(name)]


def make_expert(expert, task, automatic=False):
    """Make the family of experts from an estimator's parameter `expert`.

    Parameters
    ----------
    expert : None, str, list of (name, expert) pairs, Expert or scikit-learn estimator
        A scikit-learn estimator is wrapped in an `EstimatorExpert`, also within a list.
    task : {"regression", "classification"}
    automatic : bool
        Whether the size of the tree is left to the fit: the strength of the default's penalty is then estimated, where
        that was better on made tables.

    Returns
    -------
    Expert

    Raises
    ------
    TypeError, ValueError
        If `expert` is none of these, or does not support the task.
    """
    names = expert_names(task)
    if expert is None:
        return EXPERTS[DEFAULT[task]](**AUTOMATIC[task] if automatic else {})
    if isinstance(expert, str):
        if expert not in names:
            raise ValueError(f"expert = {expert!r} must be one of {names} or an expert object.")
        return EXPERTS[expert]()
    if isinstance(expert, list | tuple):
        pairs = [
            (pair[0], make_expert(pair[1], task))
            if isinstance(pair, list | tuple) and len(pair) == 2 and not isinstance(pair[1], Expert | list | tuple)
            else pair
            for pair in expert
        ]
        expert = MixedExpert(pairs)
    if _is_estimator(expert):
        expert = EstimatorExpert(expert)
    if isinstance(expert, Response):
        raise TypeError(
            f"expert = {type(expert).__name__}: a Response is the distribution around a prediction; the expert is the "
            "PredictorExpert that has it as its response."
        )
    if not isinstance(expert, Expert):
        raise TypeError(
            f"expert = {expert!r} must be None, one of {names}, an object from hme.experts, a scikit-learn estimator, "
            "or a list of (name, expert) pairs."
        )
    expert.check_leaves()
    if task not in expert.traits.tasks:
        raise ValueError(f"expert = {expert!r} is for {' and '.join(expert.traits.tasks)}, not for {task}.")
    return expert


def make_gate(gate):
    """Make the gate from an estimator's parameter `gate`: None, a name, a gate object, or a scikit-learn classifier."""
    if gate is None:
        return SoftmaxGate()
    if isinstance(gate, str):
        if gate not in GATES:
            raise ValueError(f"gate = {gate!r} must be one of {sorted(GATES)} or a gate object.")
        return GATES[gate]()
    if _is_estimator(gate) and is_classifier(gate):
        return EstimatorGate(gate)
    if not isinstance(gate, Gate | NodeGate):
        raise TypeError(
            f"gate = {gate!r} must be None, one of {sorted(GATES)}, an object from hme.gates or a scikit-learn "
            "classifier."
        )
    return gate


def _is_estimator(family):
    """Whether an object is a scikit-learn estimator rather than a family of hme."""
    own = isinstance(family, Expert | Gate | NodeGate | type)
    return not own and hasattr(family, "fit") and hasattr(family, "predict") and hasattr(family, "get_params")


def supports(expert, gate):
    """What a class of experts with a class of gates supports: S sparse X, M several outputs, O offset, T trials."""
    expert, gate = expert(), gate()
    letters = {
        "S": expert.traits.sparse_input and gate.traits.sparse_input,
        "M": expert.traits.multioutput,
        "O": "offset" in expert.traits.row_arguments,
        "T": "trials" in expert.traits.row_arguments,
    }
    return "".join(letter for letter, given in letters.items() if given) or "-"


def check_support(expert, gate, rows):
    """Raise an error that names the family if experts or gate do not support the rows."""
    name = type(expert).__name__
    if sp.issparse(rows.X) and not expert.traits.sparse_input:
        raise TypeError(f"{name} does not take sparse X; use X.toarray().")
    if sp.issparse(rows.Z) and not gate.traits.sparse_input:
        raise TypeError(f"{type(gate).__name__} does not take sparse X; use X.toarray().")
    if rows.y.ndim == 2 and rows.y.shape[1] > 1 and not expert.traits.multioutput:
        raise ValueError(f"{name} does not take several outputs; y has {rows.y.shape[1]}.")
    for argument in ("offset", "trials"):
        if getattr(rows, argument) is not None and argument not in expert.traits.row_arguments:
            raise ValueError(f"{argument} is given, but {name} takes no {argument}.")
    check_target(expert, rows)
    limited = expert.names and not all(member.possible(rows).all() for member in expert.members)
    atoms = expert.names and any(member.traits.atoms for member in expert.members)
    if gate.traits.routed and (limited or atoms):
        raise ValueError(
            f"{type(gate).__name__} routes each row to a few experts, chosen by x alone, but y has values that some of "
            f"the experts {expert.names} cannot produce: such rows may have no expert that can. Use another gate."
        )


def check_labels(expert, rows):
    """Raise an error if the labels of some rows leave only experts that cannot produce their targets."""
    if rows.log_label is None or not expert.names:
        return
    able = np.stack([member.possible(rows) for member in expert.members], axis=1)
    alone = ~(able & np.isfinite(rows.log_label)).any(axis=1)
    if alone.any():
        first = int(alone.argmax())
        names = [name for name, left in zip(expert.names, np.isfinite(rows.log_label[first]), strict=True) if left]
        raise ValueError(
            f"labels leave no expert that can produce y in {int(alone.sum())} row(s), such as {rows.y[first].tolist()} "
            f"for expert(s) {names}."
        )


def check_target(expert, rows):
    """Raise an error if some targets cannot be produced by any expert."""
    possible = expert.possible(rows)
    if not possible.all():
        first = rows.y[int((~possible).argmax())]
        value = first.item() if first.size == 1 else first.tolist()
        raise ValueError(
            f"y holds values that {type(expert).__name__} cannot produce, in {int((~possible).sum())} row(s), such as "
            f"{value!r}: it is for {expert.traits.domain}."
        )
