"""Gates: distributions over the leaves."""

from .base import Gate, NodeGate, RefitGate
from .constant import ConstantGate
from .estimator import EstimatorGate
from .fixed import FixedGate
from .gaussian import GaussianGate
from .hierarchy import TreeGate
from .softmax import SoftmaxGate
from .topk import BalanceReport, TopKGate, balance_report

__all__ = [
    "BalanceReport",
    "ConstantGate",
    "EstimatorGate",
    "FixedGate",
    "Gate",
    "GaussianGate",
    "NodeGate",
    "RefitGate",
    "SoftmaxGate",
    "TopKGate",
    "TreeGate",
    "balance_report",
]
