"""Fitted models as plain numbers for other places: Python without packages, SQL, JSON, and ONNX."""

from .documents import from_json, to_json
from .formula import NotExportable
from .onnx import register_onnx, to_onnx
from .portable import PortableModel
from .python import to_python
from .sql import to_sql
from .trusted import trusted_types

__all__ = [
    "NotExportable",
    "PortableModel",
    "from_json",
    "register_onnx",
    "to_json",
    "to_onnx",
    "to_python",
    "to_sql",
    "trusted_types",
]
