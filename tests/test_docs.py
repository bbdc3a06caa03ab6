"""The page that adds a family of experts keeps its word: its blocks run, in sixty lines, and the family is sound."""

import re
from pathlib import Path

import pytest
from experts import test_family_contract as contract

PAGE = Path(__file__).parent.parent / "docs" / "add-an-expert.md"
BLOCKS = re.findall(r"```\{code-cell\} ipython3\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
CONTRACT = [
    contract.test_expert_q_does_not_fall,
    contract.test_expert_statistics_add,
    contract.test_integer_weight_is_repetition,
    contract.test_take_permutes_experts,
    contract.test_one_hot_responsibilities_are_separate_fits,
]


@pytest.fixture(scope="module")
def page():
    """Names that the blocks of the page leave behind."""
    names = {"__name__": __name__}
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec"), names)
    globals().update({name: value for name, value in names.items() if name.endswith(("Expert", "Params"))})  # to pickle
    return names


def test_a_family_takes_sixty_lines():
    body = BLOCKS[0][BLOCKS[0].index("class LogNormalExpert") :]
    assert len([line for line in body.splitlines() if line.strip()]) <= 60


def test_the_families_of_the_page_fit(page):
    assert page["model"].converged_ and page["model"].score(page["X"], page["y"]) > 0.8
    assert page["both"].n_experts_ == 2


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name, kind", [("LogNormalExpert", "positive"), ("GeometricExpert", "counts")])
def test_they_keep_the_contract(page, check, name, kind):
    check(page[name](), kind)


@pytest.mark.parametrize("name, kind", [("LogNormalExpert", "positive"), ("GeometricExpert", "counts")])
def test_they_pickle(page, name, kind):
    contract.test_family_clones_and_pickles(page[name](), kind)
