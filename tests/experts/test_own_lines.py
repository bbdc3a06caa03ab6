"""How much a family is, its distribution included: what is common to families stands in their bases."""

import ast
import io
import tokenize
from pathlib import Path

import pytest

import hme

HOUSE = Path(hme.__file__).parent
PLACES = "experts", "experts/noise", "distributions"
MOST = {"poisson": 30, "gamma": 60, "negative_binomial": 100, "student": 140}
SILENT = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING,
    tokenize.ENDMARKER,
}  # fmt: skip


def code_lines(source):
    """Numbers of the lines that hold anything but blanks and comments."""
    found = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in SILENT:
            found |= set(range(token.start[0], token.end[0] + 1))
    return found


def lines_of(node):
    return set(range(min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]), node.end_lineno + 1))


def is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def is_export(node):
    return isinstance(node, ast.Assign) and any(getattr(target, "id", None) == "__all__" for target in node.targets)


def own_lines(source, with_imports=False):
    """Lines of code but for docstrings, constructors, ``__all__`` and, unless asked for, imports."""
    left_out = set()
    for node in ast.walk(ast.parse(source)):
        constructor = isinstance(node, ast.FunctionDef) and node.name == "__init__"
        imported = isinstance(node, ast.Import | ast.ImportFrom)
        if is_docstring(node) or constructor or (not with_imports and (imported or is_export(node))):
            left_out |= lines_of(node)
    return len(code_lines(source) - left_out)


def sources(family):
    paths = [HOUSE / place / f"{family}.py" for place in PLACES]
    return [path.read_text(encoding="utf-8") for path in paths if path.exists()]


def test_lines_are_counted_as_said():
    source = '''"""A module."""

import numpy as np
from os import (
    path,
)

__all__ = ["f"]

A = 1  # one


class B:
    """A class."""

    def __init__(
        self,
        a,
    ):
        self.a = a

    @property
    def b(self):
        """A property."""
        # a comment
        return """two
        lines"""
'''
    assert own_lines(source) == 1 + 1 + 2 + 2
    assert own_lines(source, with_imports=True) == 1 + 1 + 2 + 2 + 4 + 1


@pytest.mark.parametrize("family", MOST)
def test_a_family_has_few_lines_of_its_own(family):
    """In experts/, experts/noise/ and distributions/, the files of that name.

    Lines of code are counted: no blanks, comments and docstrings, no constructors (``__init__`` with its first line),
    no imports and no ``__all__``.
    """
    assert sum(own_lines(source) for source in sources(family)) <= MOST[family]
