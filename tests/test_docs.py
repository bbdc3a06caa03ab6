"""The pages that add a family of experts and a gate: their blocks run, in sixty lines, and keep the contract."""

import pages
import pytest
from experts import test_family_contract as contract
from problems import few

OF_LISTS = contract.test_gradient_of_a_list_is_those_of_its_families, contract.test_every_family_is_in_the_list
CONTRACT = [check for name, check in vars(contract).items() if name.startswith("test_") and check not in OF_LISTS]


@pytest.mark.parametrize(
    "page, name", [("add-an-expert", "LogNormalExpert"), ("add-a-gate", "BallGate")], ids=["expert", "gate"]
)
def test_a_family_takes_sixty_lines(page, name):
    assert pages.code_lines(pages.blocks(page)[0], name) <= 60


@pytest.mark.slow
def test_the_families_of_the_page_fit():
    page = pages.run("add-an-expert")
    assert page.model.converged_ and page.model.score(page.X, page.y) > 0.8
    assert page.both.n_experts_ == 2


@pytest.mark.slow
@pytest.mark.parametrize("page", ["add-an-expert", "add-a-gate"])
def test_all_blocks_run(page):
    assert pages.run(page, everything=True).model.converged_


@pytest.mark.slow
@pytest.mark.parametrize("page", ["pictures", "explain", "progress"])
def test_pages_with_pictures_run(page):
    pytest.importorskip("matplotlib").use("Agg")
    assert pages.run(page).model.converged_


@pytest.mark.slow
def test_the_page_of_exports_runs():
    pytest.importorskip("skl2onnx")
    assert pages.run("export").model.converged_


@pytest.mark.parametrize("check", CONTRACT, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    "name, kind",
    few([("LogNormalExpert", "positive"), ("LogRidgeExpert", "positive"), ("GeometricExpert", "counts")], 1),
)
def test_they_keep_the_contract(check, name, kind):
    check(getattr(pages.definitions("add-an-expert"), name)(), kind)


@pytest.mark.slow
def test_the_gates_of_the_page_fit():
    page = pages.run("add-a-gate")
    assert page.model.converged_ and page.model.score(page.X, page.y) > 0.8
    assert sorted(page.model.gate_.center[:, 0].round(-1)) == [160.0, 170.0, 180.0]
    assert page.cut.converged_ and page.cut.n_experts_ == 4
