"""Imports run one way, and `import hme` stays light."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import hme

HOUSE = Path(hme.__file__).parent
# Every room may import the rooms of the lines above its own, and what stands beside it where it says so.
FLOORS = [
    {"checks"},
    {"kernels", "statistics", "tree", "chunks", "datasets", "table", "folds", "penalties", "refits"},
    {"links", "design", "multinomial", "posterior", "distributions", "coordinates"},
    {"constraints", "features"},
    {"experts", "gates"},
    {"registry"},
    {"model"},
    {"em", "layout"},
    {"starts", "prediction", "information", "alignment"},
    {"scoring", "delta", "summary", "hypotheses", "comparison", "display"},
    {"effects"},
    {"inference"},
    {"stages"},
    {"restarts", "search"},
    {"estimators"},
    {"text", "plot", "path", "bootstrap"},
    {"diagnosis"},
    {"__init__"},
    {"__main__"},
]
GROUND = FLOORS[1]
HEAVY = {"matplotlib", "pandas", "numba", "dask", "onnx", "polars"}


def modules():
    return sorted(HOUSE.rglob("*.py"))


def room(path):
    return path.relative_to(HOUSE).parts[0].removesuffix(".py")


def imported_rooms(path):
    """Rooms of hme that a module imports, at its top or inside functions."""
    package = path.relative_to(HOUSE.parent).with_suffix("").parts
    package = package[:-1] if path.name != "__init__.py" else package[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            target = base + (node.module.split(".") if node.module else [])
            if target[:1] == ["hme"]:
                yield from [target[1]] if len(target) > 1 else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("hme."))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(HOUSE)))
def test_imports_run_one_way(path):
    own = room(path)
    floor = next((i for i, rooms in enumerate(FLOORS) if own in rooms), None)
    assert floor is not None, f"{own} has no place in the house; give it one in FLOORS"
    below = set().union(*FLOORS[:floor]) | {own}
    if own == "__init__":
        return
    names = {name for name in imported_rooms(path) if (HOUSE / name).exists() or (HOUSE / f"{name}.py").exists()}
    assert names <= below, f"{own} imports {sorted(names - below)}"
    if own in GROUND:
        assert names <= {own, "checks"}


def test_experts_and_gates_do_not_know_each_other():
    for path in modules():
        if room(path) in ("experts", "gates"):
            other = {"experts": "gates", "gates": "experts"}[room(path)]
            assert other not in set(imported_rooms(path))


def test_no_room_for_leftovers():
    names = {path.stem for path in modules()}
    assert not names & {"utils", "helpers", "common", "core", "misc"}


def test_every_module_declares_its_names():
    for path in modules():
        if path.stem in ("__main__", "__init__"):
            continue
        module = __import__("hme." + ".".join(path.relative_to(HOUSE).with_suffix("").parts), fromlist=["__all__"])
        assert all(hasattr(module, name) for name in module.__all__), path


def loaded_by(statement):
    code = f"import json, sys; {statement}; print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))"
    return set(json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout))


def test_import_loads_nothing_heavy():
    assert not (loaded_by("import hme") - loaded_by("import sklearn.base, sklearn.utils.validation")) & HEAVY


def test_sources_name_no_private_scikit_learn():
    allowed = {"_check_sample_weight", "_safe_indexing"}
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sklearn"):
                private = {alias.name for alias in node.names if alias.name.startswith("_")} - allowed
                assert not private and "._" not in node.module, path
