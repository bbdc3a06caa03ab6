"""The topology: construction, paths, change and text form."""

import numpy as np
import pytest

from hme import Tree

SHAPES = [".", "(. .)", "((. .) .)", "(. (. (. .)))", "((. . .) (. .) .)", "((. .) (. .))"]


@pytest.mark.parametrize("text", SHAPES)
def test_text_and_nested_forms_come_back(text):
    tree = Tree.from_text(text)
    assert tree.to_text() == text
    assert Tree.from_nested(tree.to_nested()) == tree
    assert eval(repr(tree)) == tree
    assert len({tree, Tree.from_text(text)}) == 1


@pytest.mark.parametrize("text", SHAPES)
def test_paths_are_the_brackets(text):
    tree = Tree.from_text(text)
    assert tree.n_leaves == text.count(".")
    assert tree.n_nodes == text.count("(")
    depth, deepest, depths = 0, 0, []
    for letter in text:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == ".":
            depths.append(depth)
            deepest = max(deepest, depth)
    np.testing.assert_array_equal(tree.paths.sum(axis=(0, 1)), depths)
    assert tree.depth == deepest


def test_complete_and_flat():
    assert Tree.complete(0).n_leaves == 1
    assert Tree.complete(3).n_leaves == 8
    assert Tree.complete(2, [2, 3]).to_text() == "((. . .) (. . .))"
    assert Tree.flat(5).to_text() == "(. . . . .)"
    assert Tree.flat(1) == Tree.complete(0)


def test_split_and_collapse_are_inverse():
    tree = Tree.from_text("((. .) .)")
    for leaf in range(3):
        larger, origin = tree.split(leaf, 3)
        assert larger.n_leaves == 5
        np.testing.assert_array_equal(np.flatnonzero(origin == leaf), [leaf, leaf + 1, leaf + 2])
        smaller, nodes, back = larger.collapse(larger.n_nodes - 1)
        assert smaller.to_text() == tree.to_text()
        np.testing.assert_array_equal(nodes, [0, 1])
        np.testing.assert_array_equal(origin[back], [0, 1, 2])


def test_collapse_of_an_inner_node():
    tree = Tree.from_text("((. (. .)) (. .))")
    smaller, nodes, origin = tree.collapse(1)
    assert smaller.to_text() == "(. (. .))"
    np.testing.assert_array_equal(nodes, [0, 2])
    np.testing.assert_array_equal(origin, [0, 3, 4])
    whole, nodes, origin = tree.collapse(0)
    assert whole.n_leaves == 1 and len(nodes) == 0 and list(origin) == [0]


@pytest.mark.parametrize("text", ["", "(", "(.", ". .", "(. .))", "()", "(.)"])
def test_text_that_is_no_tree(text):
    with pytest.raises(ValueError, match="tree|children"):
        Tree.from_text(text)


@pytest.mark.parametrize("children", [[[1, -1]], [[-1, -1]], [[1, -1], [0, -2]], [[-1, -3]]])
def test_children_that_are_no_tree(children):
    with pytest.raises(ValueError, match="not a tree"):
        Tree(children)


def test_bad_shapes():
    with pytest.raises(ValueError, match="2 levels.*depth = 3"):
        Tree.complete(3, [2, 2])
    with pytest.raises(ValueError, match="at least 2"):
        Tree.complete(1, 1)
    with pytest.raises(ValueError, match="leaf = 9"):
        Tree.flat(2).split(9)


@pytest.mark.parametrize(
    "text, leaves, left",
    [
        ("(. .)", [0], "."),
        ("((. .) .)", [0], "(. .)"),
        ("((. .) .)", [2], "(. .)"),
        ("((. . .) (. .) .)", [1], "((. .) (. .) .)"),
        ("((. . .) (. .) .)", [3, 4], "((. . .) .)"),
        ("((. (. .)) (. .))", [0, 3], "((. .) .)"),
        ("(. (. (. .)))", [1, 3], "(. .)"),
    ],
)
def test_a_tree_without_leaves_has_no_node_of_one_branch(text, leaves, left):
    tree = Tree.from_text(text)
    assert tree.without(leaves).to_text() == left
    with pytest.raises(ValueError, match="not all"):
        tree.without(range(tree.n_leaves))
    with pytest.raises(ValueError, match="must be some of the leaves"):
        tree.without([tree.n_leaves])


@pytest.mark.parametrize(
    "make", [lambda: Tree.complete(60), lambda: Tree.complete(3, [99, 99, 99]), lambda: Tree.flat(10**9)]
)
def test_trees_beyond_memory_are_refused_at_once(make):
    with pytest.raises(ValueError, match="at most 65536"):
        make()


def test_nested_tuples_that_share_their_parts_are_refused_too():
    nested = 0
    for _ in range(60):
        nested = (nested, nested)
    with pytest.raises(ValueError, match="at most 65536"):
        Tree.from_nested(nested)
