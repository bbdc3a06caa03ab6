"""Pages of the documentation whose blocks tests run."""

import ast
import re
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

DOCS = Path(__file__).parent.parent / "docs"


def blocks(name):
    """The code blocks of a page."""
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    return re.findall(r"```\{code-cell\} ipython3\n(.*?)```", text, re.DOTALL)


@cache
def run(name, everything=False):
    """Run the blocks of a page, show what a notebook would show of them, and return what they leave: a module.

    A diagnosis, which fits dozens of models, is left out unless `everything` is asked for.
    """
    module = ModuleType(f"page_{name.replace('-', '_')}" + "_whole" * everything)
    sys.modules[module.__name__] = module  # so that its classes can be pickled
    for block in blocks(name):
        if "diagnose(" in block and not everything:
            continue
        *statements, last = ast.parse(block).body
        shown = isinstance(last, ast.Expr)
        exec(compile(ast.Module(statements if shown else [*statements, last], []), name, "exec"), module.__dict__)
        if shown:
            value = eval(compile(ast.Expression(last.value), name, "eval"), module.__dict__)
            assert repr(value)
            assert getattr(value, "_repr_html_", lambda: "html")()
    return module


@cache
def definitions(name):
    """The classes and functions of a page, without what it does with them."""
    module = ModuleType(f"page_{name.replace('-', '_')}_definitions")
    sys.modules[module.__name__] = module
    kinds = ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef
    body = [node for block in blocks(name) for node in ast.parse(block).body if isinstance(node, kinds)]
    exec(compile(ast.Module(body, []), name, "exec"), module.__dict__)
    return module


def code_lines(block, name):
    """Number of lines, without the empty ones, from a class to the end of a block."""
    return len([line for line in block[block.index(f"class {name}") :].splitlines() if line.strip()])
