"""The pages that add a family of experts and a gate: their blocks run, in sixty lines, and keep the contract."""

import pages
import pytest
from experts import test_family_contract as contract

CONTRACT = [
    contract.test_expert_q_does_not_fall,
    contract.test_expert_statistics_add,
    contract.test_integer_weight_is_repetition,
    contract.test_take_permutes_experts,
    contract.test_one_hot_responsibilities_are_separate_fits,
    contract.test_family_clones_and_pickles,
]


@pytest.mark.parametrize(
    "page, name", [("add-an-expert", "LogNormalExpert"), ("add-a-gate", "BallGate")], ids=["expert", "gate"]
)
def test_a_family_takes_sixty_lines(page, name):
    assert pages.code_lines(pages.blocks(page)[0], name) <= 60


def test_the_families_of_the_page_fit():
    page = pages.run("add-an-expert")
    assert page.model.converged_ and page.model.score(page.X, page.y) > 0.8
    assert page.both.n_experts_ == 2


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name, kind", [("LogNormalExpert", "positive"), ("GeometricExpert", "counts")])
def test_they_keep_the_contract(check, name, kind):
    check(getattr(pages.run("add-an-expert"), name)(), kind)


def test_the_gates_of_the_page_fit():
    page = pages.run("add-a-gate")
    assert page.model.converged_ and page.model.score(page.X, page.y) > 0.8
    assert sorted(page.model.gate_.center[:, 0].round(-1)) == [160.0, 170.0, 180.0]
    assert page.cut.converged_ and page.cut.n_experts_ == 4
