"""Gates: distributions over the leaves."""

from .base import Gate, NodeGate
from .constant import ConstantGate
from .fixed import FixedGate
from .gaussian import GaussianGate
from .hierarchy import TreeGate
from .softmax import SoftmaxGate
from .topk import BalanceReport, TopKGate, balance_report

__all__ = [
    "BalanceReport",
    "ConstantGate",
    "FixedGate",
    "Gate",
    "GaussianGate",
    "NodeGate",
    "SoftmaxGate",
    "TopKGate",
    "TreeGate",
    "balance_report",
]
