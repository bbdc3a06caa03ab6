"""Versions of this package and of what it works with."""

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

__all__ = ["show_versions"]

NEEDED = "hme", "numpy", "scipy", "scikit-learn", "joblib", "threadpoolctl"
OPTIONAL = "numba", "pandas", "polars", "matplotlib", "onnx", "onnxruntime", "skl2onnx", "skops"


def show_versions():
    """Print the versions of Python, of this package and of those that it uses, for reports of errors.

    Examples
    --------
    >>> import hme
    >>> hme.show_versions()  # doctest: +ELLIPSIS
    python        ...
    machine       ...
    hme           ...
    """
    rows = [("python", " ".join(sys.version.split())), ("machine", platform.platform())]
    rows += [(name, _version(name)) for name in (*NEEDED, *OPTIONAL)]
    print("\n".join(f"{name:<14}{value}" for name, value in rows))


def _version(name):
    """The version that is installed, without importing it."""
    if name == __name__.partition(".")[0]:
        return sys.modules[name].__version__
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
