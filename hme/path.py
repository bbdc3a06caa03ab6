"""Regularisation paths: one fit for each strength of a lasso or elastic net."""

from .fitting.path import AlphaPath, alpha_path

__all__ = ["AlphaPath", "alpha_path"]
