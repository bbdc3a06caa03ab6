"""Gates: distributions over the leaves."""

from .base import Gate, NodeGate
from .constant import ConstantGate
from .hierarchy import TreeGate
from .softmax import SoftmaxGate

__all__ = ["ConstantGate", "Gate", "NodeGate", "SoftmaxGate", "TreeGate"]
