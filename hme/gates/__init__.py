"""Gates: distributions over the leaves."""

from .base import Gate, NodeGate
from .constant import ConstantGate
from .fixed import FixedGate
from .gaussian import GaussianGate
from .hierarchy import TreeGate
from .softmax import SoftmaxGate
from .topk import TopKGate

__all__ = ["ConstantGate", "FixedGate", "GaussianGate", "Gate", "NodeGate", "SoftmaxGate", "TopKGate", "TreeGate"]
