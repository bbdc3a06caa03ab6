"""The rooms: imports run one way, nothing grows out of proportion, and only their own rooms know the families.

Every rule gathers what breaks it, so that a failure shows all of it at once.
"""

import ast
import inspect
import subprocess
import sys
from collections import Counter
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

import hme
from hme.experts.base import Expert
from hme.gates.base import GateFamily

HOUSE = Path(hme.__file__).parent
TESTS = Path(__file__).parent
# A room may import the rooms of the lines above its own, and no other.
ORDER = [
    {"numerics", "tables", "versions"},
    {"features"},
    {"model", "distributions", "datasets"},
    {"experts", "gates"},
    {"registry", "text"},
    {"progress"},
    {"fitting", "prediction", "inference", "scoring"},
    {"growing"},
    {"estimators"},
    {"averaging"},
    {"selection"},
    {"stacking"},
    {"bootstrap"},
    {"plot"},
    {"explanation"},
    {"export"},
    {"report"},
    {"diagnosis"},
    {"kernels", "path", "comparison"},  # public addresses of what stands in rooms
    {"command"},
    {"__init__"},
    {"__main__"},
]
MOST_TOP_FILES, MOST_FILES, MOST_LINES, MOST_BODY, MOST_LEVELS = 8, 20, 450, 45, 4
LEFTOVERS = {"utils", "helpers", "common", "core", "misc"}
HEAVY = {"matplotlib", "pandas", "numba", "dask", "onnx", "polars"}
FAMILY_ROOMS = ("hme.experts", "hme.gates")
KNOW_FAMILIES = {"experts", "gates", "registry"}


def name_of(path):
    """Dotted name of a module."""
    parts = path.relative_to(HOUSE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module):
    return module.split(".")[1] if "." in module else "__init__"


PATHS = {name_of(path): path for path in sorted(HOUSE.rglob("*.py"))}
# Modules that cannot be imported on their own: a command, and what needs Numba.
NOT_ALONE = {"hme.__main__"} | (
    {name for name in PATHS if ".compiled" in name} if find_spec("numba") is None else set()
)
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in PATHS.items()}


def imports(module):
    """Pairs of what a module imports of hme, at its top or inside functions, and the names that it has for it."""
    package = module.split(".") if PATHS[module].name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *([node.module] if node.module else [])])
            if source.split(".")[0] == "hme":
                yield from ((f"{source}.{alias.name}", alias.asname or alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, alias.asname or alias.name) for alias in node.names if alias.name[:3] == "hme")


def imported_modules(module):
    for target, _ in imports(module):
        yield target if target in PATHS else target.rpartition(".")[0]


def circle(graph):
    """A circle of the graph, or None."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]


# -- imports -----------------------------------------------------------------------------------------------------------


def test_every_room_has_its_place():
    assert sorted({room(module) for module in PATHS}) == sorted(set().union(*ORDER))


def test_imports_between_rooms_run_one_way():
    wrong = set()
    for number, rooms in enumerate(ORDER):
        below = set().union(*ORDER[:number])
        for module in PATHS:
            if room(module) in rooms:
                wrong |= {(module, t) for t in imported_modules(module) if room(t) not in below | {room(module)}}
    assert wrong == set()


def test_modules_import_each_other_in_no_circle():
    graph = {module: set(imported_modules(module)) - {module} for module in PATHS}
    assert circle(graph) is None


@pytest.mark.slow
def test_import_loads_nothing_heavy():
    # What scikit-learn loads by itself, pandas where it is installed, does not count.
    before = f"import sklearn.base, sklearn.utils.validation; before = {HEAVY} & set(sys.modules)"
    added = f"import hme; print('+', *({HEAVY} & set(sys.modules) - before))"
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; {before}; {added}"], capture_output=True, check=True, text=True
    )
    assert run.stdout.split() == ["+"]


def test_sources_name_no_private_scikit_learn():
    allowed, wrong = {"_check_sample_weight", "_safe_indexing"}, []
    for module, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sklearn"):
                private = {alias.name for alias in node.names if alias.name.startswith("_")} - allowed
                if private or "._" in node.module:
                    wrong.append((module, node.module, private))
    assert wrong == []


# -- sizes and names ---------------------------------------------------------------------------------------------------


def test_few_files_stand_in_a_room():
    folders = Counter(path.parent.relative_to(HOUSE).as_posix() for path in PATHS.values())
    assert folders["."] <= MOST_TOP_FILES
    assert {folder: count for folder, count in folders.items() if count > MOST_FILES} == {}


def test_files_are_short():
    lines = {module: path.read_text(encoding="utf-8").count("\n") for module, path in PATHS.items()}
    assert {module: count for module, count in lines.items() if count > MOST_LINES} == {}


def body_length(function):
    """Lines of a function's body without its docstring."""
    first, *rest = function.body
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
        return function.end_lineno - first.end_lineno if rest else 0
    return function.end_lineno - first.lineno + 1


def test_functions_are_short():
    long = {
        f"{module}:{node.name}": body_length(node)
        for module, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and body_length(node) > MOST_BODY
    }
    assert long == {}


def test_no_room_for_leftovers():
    parts = {part for module in PATHS for part in module.split(".")}
    assert parts & LEFTOVERS == set()


def test_every_module_declares_its_names():
    wrong = []
    for module in PATHS:
        if module in NOT_ALONE:
            continue
        names = getattr(import_module(module), "__all__", None)
        if names is None or not all(hasattr(import_module(module), name) for name in names):
            wrong.append(module)
    assert wrong == []


def test_tests_mirror_the_rooms_and_have_names_of_their_own():
    rooms = {path.name for path in HOUSE.iterdir() if path.is_dir()}
    folders = {path.parent.name for path in TESTS.glob("*/test_*.py")}
    assert folders <= rooms
    names = Counter(path.name for path in TESTS.rglob("test_*.py"))
    assert {name: count for name, count in names.items() if count > 1} == {}


# -- families ----------------------------------------------------------------------------------------------------------


def outside_of_families():
    return [module for module in PATHS if room(module) not in KNOW_FAMILIES]


def calls(tree, *names):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield node


def test_nobody_else_asks_which_family_it_is():
    wrong = []
    for module in outside_of_families():
        families = {name for target, name in imports(module) if target.startswith(FAMILY_ROOMS)}
        for call in calls(TREES[module], "isinstance", "issubclass"):
            asked = {node.id for node in ast.walk(call.args[1]) if isinstance(node, ast.Name)}
            wrong += [f"{module}:{call.lineno} {name}" for name in sorted(asked & families)]
    assert wrong == []


def declared():
    """Members that the base classes of experts and gates declare, but for those that fitted models have too."""
    models = {name for model in (hme.HMERegressor, hme.HMEClassifier) for name in dir(model)}
    found = set()
    for module in ("hme.experts.base", "hme.gates.base"):
        for _, base in inspect.getmembers(import_module(module), inspect.isclass):
            if issubclass(base, (Expert, GateFamily)):
                found |= {name for name in dir(base) if not name.startswith("_")}
    return found - models


def test_nobody_else_asks_whether_a_family_has_what_all_have():
    members, wrong = declared(), []
    for module in outside_of_families():
        for call in calls(TREES[module], "hasattr", "getattr"):
            name = call.args[1].value if isinstance(call.args[1], ast.Constant) else None
            if name in members:
                wrong.append(f"{module}:{call.lineno} {name}")
    assert wrong == []


def families(base):
    """All classes of hme that are derived from one, itself included."""
    for module in PATHS:
        if module not in NOT_ALONE:
            import_module(module)
    found, waiting = [], [base]
    while waiting:
        found.append(waiting.pop())
        waiting += [one for one in found[-1].__subclasses__() if one.__module__.startswith("hme.")]
    return list(dict.fromkeys(found))


def levels(cls):
    """Number of classes on the longest way from a class up to `Expert`."""
    return 1 + max((levels(base) for base in cls.__bases__ if issubclass(base, Expert)), default=0)


def test_experts_are_four_levels_of_classes_at_most():
    assert {cls.__name__: levels(cls) for cls in families(Expert) if levels(cls) > MOST_LEVELS} == {}


@pytest.mark.parametrize("base", [Expert, GateFamily])
def test_a_class_is_abstract_or_final(base):
    found = families(base)
    parents = {parent for cls in found for parent in cls.__bases__ if parent in found}
    assert {cls.__name__ for cls in parents if not inspect.isabstract(cls)} == set()
