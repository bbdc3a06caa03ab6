"""Gates: distributions over the leaves."""

from ..model.traits import GateTraits
from .balance import BalanceReport, balance_report
from .base import Gate, Question, RefitGate
from .constant import ConstantGate
from .estimator import EstimatorGate
from .fixed import FixedGate
from .gaussian import GaussianGate
from .hierarchy import NodeGate, TreeGate
from .softmax import SoftmaxGate
from .top_k import TopKGate

__all__ = [
    "BalanceReport",
    "ConstantGate",
    "EstimatorGate",
    "FixedGate",
    "Gate",
    "GateTraits",
    "GaussianGate",
    "NodeGate",
    "Question",
    "RefitGate",
    "SoftmaxGate",
    "TopKGate",
    "TreeGate",
    "balance_report",
]
