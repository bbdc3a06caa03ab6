"""Fitted models as plain numbers for other places: Python without packages, SQL, and JSON."""

from .documents import from_json, to_json
from .formula import NotExportable
from .portable import PortableModel
from .python import to_python
from .sql import to_sql

__all__ = ["NotExportable", "PortableModel", "from_json", "to_json", "to_python", "to_sql"]
