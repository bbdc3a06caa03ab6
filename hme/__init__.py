"""Classical mixtures of experts: soft trees of gates over any experts, trained by EM, as scikit-learn estimators."""

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for editors; at run time `__getattr__` loads them when they are asked for
    from . import experts, gates
    from .averaging import average
    from .estimators import HMEClassifier, HMERegressor, HMETransformer
    from .explanation import explain
    from .model.tree import Tree
    from .selection import HMEClassifierCV, HMERegressorCV
    from .stacking import HMEStackingClassifier, HMEStackingRegressor
    from .text import export_text
    from .versions import show_versions

__all__ = [
    "HMEClassifier",
    "HMEClassifierCV",
    "HMERegressor",
    "HMERegressorCV",
    "HMEStackingClassifier",
    "HMEStackingRegressor",
    "HMETransformer",
    "Tree",
    "average",
    "experts",
    "explain",
    "export_text",
    "gates",
    "show_versions",
]
__version__ = "0.1.0"

_HOMES = {
    "HMEClassifier": "estimators",
    "HMEClassifierCV": "selection",
    "HMERegressor": "estimators",
    "HMERegressorCV": "selection",
    "HMEStackingClassifier": "stacking",
    "HMEStackingRegressor": "stacking",
    "HMETransformer": "estimators",
    "Tree": "model.tree",
    "average": "averaging",
    "explain": "explanation",
    "export_text": "text",
    "show_versions": "versions",
}
_ROOMS = frozenset(module.name for module in iter_modules(__path__)) - {"__main__"}
# The rooms for users; `dir` shows them, and the others can be reached too.
_PUBLIC = frozenset(
    "averaging bootstrap comparison datasets diagnosis distributions experts explanation export features gates "
    "inference kernels path plot prediction report scoring selection stacking text".split()
)


def __getattr__(name: str):
    """Load a room when it, or what stands in it, is first asked for: ``import hme; hme.plot``."""
    if name in _ROOMS:
        return import_module(f".{name}", __name__)
    if name in _HOMES:
        globals()[name] = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        return globals()[name]
    raise AttributeError(f"module 'hme' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(_PUBLIC | set(__all__) | {name for name in globals() if name.startswith("__")})
