"""Docstrings of the public classes: literal, complete, and the same words for the same parameter."""

import ast
import inspect
import re
from itertools import combinations

import pytest

from hme import (
    HMEClassifier,
    HMEClassifierCV,
    HMERegressor,
    HMERegressorCV,
    HMEStackingClassifier,
    HMEStackingRegressor,
    HMETransformer,
)
from hme.registry import GATES, expert_names

CLASSES = [HMERegressor, HMEClassifier, HMETransformer]
STACKS = [HMEStackingRegressor, HMEStackingClassifier]
SEARCHES = [HMERegressorCV, HMEClassifierCV]
BY_TASK = {"expert", "start", "n_init"}  # their defaults differ between regression and classification


def sections(text):
    """Lines of each section of a numpydoc docstring, by its title."""
    lines = inspect.cleandoc(text).splitlines()
    found, title = {"": []}, ""
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if below and set(below) == {"-"} and len(below) == len(line):
            title = line
            found[title] = []
        elif not (line and set(line) == {"-"}):
            found[title].append(line)
    return found


def entries(lines):
    """(names, what follows) of each entry of a section."""
    starts = [i for i, line in enumerate(lines) if line and not line.startswith(" ")]
    for start, stop in zip(starts, [*starts[1:], len(lines)], strict=True):
        names, _, kind = lines[start].partition(" : ")
        yield (
            [name.lstrip("*") for name in names.split(", ")],
            (kind, *(line for line in lines[start + 1 : stop] if line)),
        )


def documented(function_or_class):
    return [
        (name, text) for names, text in entries(sections(function_or_class.__doc__)["Parameters"]) for name in names
    ]


def parameters(function):
    return [name for name in inspect.signature(function).parameters if name != "self"]


@pytest.mark.parametrize("estimator", CLASSES + STACKS + SEARCHES)
def test_every_parameter_is_documented_in_order(estimator):
    assert [name for name, _ in documented(estimator)] == parameters(estimator.__init__)


@pytest.mark.parametrize("estimator", CLASSES + STACKS + SEARCHES)
def test_docstrings_stand_in_the_source(estimator):
    """So that an editor, which runs nothing, can show them."""
    tree = ast.parse(inspect.getsource(inspect.getmodule(estimator)))
    (node,) = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == estimator.__name__]
    assert ast.get_docstring(node, clean=False) == estimator.__doc__


@pytest.mark.parametrize("one, other", list(combinations(CLASSES, 2)))
def test_shared_parameters_have_the_same_text(one, other):
    ours, theirs = dict(documented(one)), dict(documented(other))
    for name in set(ours) & set(theirs) - BY_TASK:
        assert ours[name] == theirs[name], name


@pytest.mark.parametrize("estimator", [HMERegressor, HMEClassifier])
def test_families_are_named(estimator):
    texts = dict(documented(estimator))
    first = " ".join(texts["expert"]).partition(";")[0]
    assert re.findall(r'"(\w+)"', first) == expert_names(estimator.task)
    assert re.findall(r'"(\w+)"', texts["gate"][0]) == list(GATES)


@pytest.mark.parametrize("estimator", CLASSES + STACKS + SEARCHES)
def test_public_methods_are_documented(estimator):
    for name, method in inspect.getmembers(estimator, inspect.isfunction):
        if name.startswith("_") or not method.__module__.startswith("hme"):
            continue
        found = sections(method.__doc__)
        assert "Returns" in found, name
        if parameters(method):
            assert [argument for argument, _ in documented(method)] == parameters(method), name


@pytest.mark.parametrize("estimator", CLASSES)
def test_fitted_attributes_are_documented(estimator):
    y = [0, 1, 1, 0] * 10 if estimator is HMEClassifier else list(range(40))
    model = estimator().fit([[float(i % 7)] for i in range(40)], y)
    names = {name for names, _ in entries(sections(estimator.__doc__)["Attributes"]) for name in names}
    assert {name for name in vars(model) if name.endswith("_")} <= names
