"""Refusals: errors that name what is wrong, of the kinds that are documented. Any other is a failure."""

import inspect
import re

import numpy as np

from hme import HMEClassifier, HMERegressor
from hme.registry import EXPERTS, GATES

from .limits import Failure

__all__ = ["REFUSALS", "check_refusal"]

# What may be refused of what is drawn, and why.
REFUSALS = [
    r"more than there are different rows",  # weights may leave few of them
    r"which vary inside a group",  # gate columns and groups are drawn independently
    r"must be constant inside a group",
    r"takes no (offset|trials)",  # row arguments are sometimes given to families that have none
    r"does not take sparse X",
    r"X is sparse, and the means of .* sparse columns are not centred",  # columns far from zero lose their digits
    r"_features = .*[Ss]parse",  # scikit-learn's transformers refuse it
    r"k = .* must be at most the number of experts",
    r"cannot produce",  # a domain that does not suit a family, or a point mass that does not suit the domain
    r"y has one class only",
    r"hold next to no weight.*on_empty='raise'",
    r"also in shared_coef or nonnegative",
    r"nothing of this model has a standard error",
    r"cannot be combined with",  # options of one family are drawn independently
    r"Found array with 0 feature",  # an estimator of the user's that sees no column
    r"early_stopping = True with validation_fraction = .* leaves no row",  # of few different rows
    r"Found array with 1 sample\(s\).* minimum of 2 is required by SplineTransformer",  # a table of one row
    r"Expected n_neighbors <= n_samples",
    r"can produce no value of y",
    r"labels do not go with TopKGate",
    r"labels leave no expert",
    r"crps is infinite or undefined",
    r"not in class_weight",
    r"(shared_coef|fixed_coef|nonnegative) names column",  # that `expert_features` leaves out
    r"takes columns of log-probabilities",  # of which `expert_features` leaves out some
    r"nonnegative must be one of True, False",  # a pool has no single columns
    r"algorithm='stochastic' does not go with TopKGate",
    r"on_empty='drop' does not go with gate FixedGate",
    r"(max_experts|candidates) = .* is for trees that grow, and this one does not",  # drawn beside fitted estimators
    r"early_stopping = True with validation_fraction = .* leaves no row to (hold out|fit)",  # of few different rows
]
# Names that a message must hold one of.
NAMED = {name for family in (*EXPERTS.values(), *GATES.values()) for name in inspect.signature(family).parameters}
NAMED |= {name for model in (HMERegressor, HMEClassifier) for name in inspect.signature(model).parameters}
NAMED |= set(inspect.signature(HMERegressor.fit).parameters) | {"features", "Use", "use"}


def check_refusal(error):
    """Fail unless an error is a refusal: of a type for the user's mistakes, naming a parameter, of a known kind."""
    kind, message = type(error).__name__, str(error)
    if not isinstance(error, ValueError | TypeError | NotImplementedError | AttributeError) or isinstance(
        error, np.linalg.LinAlgError | UnicodeError
    ):
        raise Failure(f"raises {kind}: {message}")
    if not NAMED & {word.rpartition("__")[2] for word in re.findall(r"\w+", message)}:  # expert__alpha is one
        raise Failure(f"refuses without a name: {message}")
    if not any(re.search(pattern, message) for pattern in REFUSALS):
        raise Failure(f"refuses what it should fit: {message}")
