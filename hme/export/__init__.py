"""Fitted models as plain text for other places: Python without packages, and SQL."""

from .formula import NotExportable
from .portable import PortableModel
from .python import to_python
from .sql import to_sql

__all__ = ["NotExportable", "PortableModel", "to_python", "to_sql"]
