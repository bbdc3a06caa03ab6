"""A fitted tree as text, and as a drawing for notebooks."""

from .tree import export_text

__all__ = ["export_text"]
