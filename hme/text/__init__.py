"""A fitted tree as text, and as a drawing for notebooks."""

from .drawing import tree_svg
from .tree import Told, export_text, report_of, told

__all__ = ["Told", "export_text", "report_of", "told", "tree_svg"]
