"""What docs/api.md lists is documented: numpydoc finds nothing amiss, and every function has an example that runs."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "api.md"
# What the style of the project does not ask for.
LEFT_OUT = {
    "ES01": "one line may say all",
    "SA01": "nor need there be anything else to see",
    "GL01": "texts begin beside the quotes",
    "SS02": "a text may begin with a symbol: log p(y | x)",
    "SS05": "'Sums of ...' is no verb",
    "SS06": "two lines may end in a formula",
    "GL02": "and then in the quotes",
    "PR04": "'model, X, y' are as for another function, which is named",
    "PR07": "'X : array-like of shape (n, p)' says enough",
    "RT02": "several results have names",
    "RT03": "'float' says enough below a text that tells what is returned",
}
OF_RESULTS = {"PR01"}  # classes that users do not make: their attributes are described
OF_METHODS = {"EX01", "RT01"}  # the class has one; a first line may say what is returned


def public():
    """Name and object of every function and class that the page lists, by the shortest way to it."""
    found = {}
    for name in re.findall(r"^   (hme[\w.]*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE):
        room, _, last = name.rpartition(".")
        names = [name] if last[:1].isupper() else [f"{name}.{one}" for one in import_module(name).__all__]
        for one in names:
            room, _, last = one.rpartition(".")
            value = getattr(import_module(room), last)
            if inspect.isfunction(value) or inspect.isclass(value):
                found.setdefault(value, one)
    return {name: value for value, name in found.items()}


PUBLIC = public()
FUNCTIONS = {name: value for name, value in PUBLIC.items() if inspect.isfunction(value)}


def has_parameters(value):
    """Whether the text of a class or a function describes parameters; classes that users do not make have none."""
    return bool(re.search(r"^ *Parameters\n *-+$", value.__doc__ or "", re.MULTILINE))


def own_methods(name, cls):
    """Methods with a text of their own; those of families are described in their base classes."""
    for method, value in vars(cls).items():
        function = getattr(value, "__func__", value)
        if not method.startswith("_") and inspect.isfunction(function) and has_parameters(function):
            yield f"{name}.{method}"


def complaints(name, left_out):
    validate = pytest.importorskip("numpydoc.validate").validate
    return [f"{name}: {code} {text}" for code, text in validate(name)["errors"] if code not in left_out]


def test_numpydoc_finds_nothing_amiss():
    found = []
    for name, value in PUBLIC.items():
        if name in FUNCTIONS:
            found += complaints(name, LEFT_OUT)
            continue
        found += complaints(name, {*LEFT_OUT, *OF_METHODS, *(() if has_parameters(value) else OF_RESULTS)})
        for method in own_methods(name, value):
            found += complaints(method, {*LEFT_OUT, *OF_METHODS})
    assert found == []


def test_every_function_and_whatever_users_make_has_an_example():
    """The run of doctests shows that it runs. Classes of results are in the examples of what returns them."""
    made = {name: value for name, value in PUBLIC.items() if name in FUNCTIONS or has_parameters(value)}
    made = {name: value for name, value in made.items() if not inspect.isabstract(value)}
    assert [name for name, value in made.items() if ">>> " not in (value.__doc__ or "")] == []
