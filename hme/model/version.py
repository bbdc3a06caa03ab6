"""The version of the package, for models that are stored."""

__all__ = ["__version__"]

__version__ = "0.1.0"
