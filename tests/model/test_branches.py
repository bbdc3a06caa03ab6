"""Rows that visit few branches of a tree, against passes over all leaves."""

import numpy as np
import pytest
from families import ADDITIVE, design_of, identify, make_rows

import hme.model.mixture as module
from hme import Tree
from hme.experts import LinearExpert, LogisticExpert
from hme.gates import SoftmaxGate, TopKGate
from hme.kernels import kernels, set_kernels
from hme.model import branches
from hme.model.mixture import Mixture

UNEVEN = Tree.from_text("(((. .) (. (. .))) ((. .) .))")
WIDE = Tree.from_text("((. . .) (. (. . .) .))")
CASES = list({type(case[0]): case for case in reversed(ADDITIVE) if case[0].names is None}.values())  # a case of each


@pytest.fixture
def choosing(monkeypatch):
    """Small trees are cut, and rows visit few subtrees of them, however many those are."""
    for name, value in (("MANY_BRANCHES", 4), ("BRANCH_LEAVES", 2), ("BRANCH_ROWS", 25)):
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(branches, "WORTH", 1.0)
    before = kernels()
    yield lambda neglect: set_kernels("numpy", neglect)
    set_kernels(before)


def sharp(expert, kind, tree, steep=12.0):
    """A mixture whose gate is sure of most rows."""
    rows = make_rows(kind)
    design = design_of(rows)
    mixture = Mixture(SoftmaxGate().over(tree).bind(rows, design), expert.bind(rows, design))
    params = mixture.init(rows, np.random.default_rng(1).dirichlet(np.ones(tree.n_leaves), rows.n_rows))
    coef = np.random.default_rng(2).normal(scale=steep, size=params.gate.coef.shape)
    return (
        mixture,
        rows,
        params._replace(gate=params.gate._replace(coef=np.where(params.gate.used[..., None], coef, 0))),
    )


def flat(stats):
    """The arrays of nested named tuples."""
    return [stats] if isinstance(stats, np.ndarray) else [array for part in stats for array in flat(part)]


@pytest.mark.parametrize("tree", [Tree.complete(3), UNEVEN, WIDE], ids=["complete", "uneven", "wide"])
def test_stages_are_the_gate(tree):
    mixture, rows, params = sharp(LinearExpert(), "regression", tree, 1.0)
    top, below = mixture.gate.stages(params.gate, 2)
    assert sorted(np.concatenate([part.leaves for part in below])) == list(range(tree.n_leaves))
    assert sorted(np.concatenate([top.nodes, *(part.nodes for part in below)])) == list(range(tree.n_nodes))
    above, whole = top.gate.log_prior(top.params, rows), mixture.log_prior(params, rows)
    for s, part in enumerate(below):
        own = above[:, [s]] + part.gate.log_prior(part.params, rows)
        np.testing.assert_allclose(own, whole[:, part.leaves], rtol=1e-12)
    assert mixture.gate.stages(params.gate, tree.n_leaves) is None


@pytest.mark.parametrize(("expert", "kind"), CASES, ids=identify)
def test_sums_by_branches_are_those_of_all_leaves(expert, kind, choosing):
    mixture, rows, params = sharp(expert, kind, UNEVEN)
    choosing(0.0)
    objective, stats = mixture.e_step(params, rows)
    density, mean = mixture.evidence(params, rows), mixture.mean(params, rows)
    choosing(1e-12)
    again, own = mixture.e_step(params, rows)
    assert again == pytest.approx(objective, rel=1e-12, abs=1e-12)
    for a, b in zip(flat(own), flat(stats), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11 * np.abs(b).max(initial=0.0))
    np.testing.assert_allclose(mixture.evidence(params, rows), density, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(mixture.mean(params, rows), mean, rtol=1e-11, atol=1e-11 * np.abs(mean).max())


@pytest.mark.parametrize("expert", [LinearExpert(), LogisticExpert()], ids=identify)
@pytest.mark.parametrize("neglect", [1e-6, 1e-2])
def test_no_more_is_neglected_than_is_said(expert, neglect, choosing):
    mixture, rows, params = sharp(expert, "regression" if expert.traits.measure == "density" else "two classes", UNEVEN)
    choosing(0.0)
    density, mean = mixture.evidence(params, rows), mixture.mean(params, rows)
    means = mixture.expert.predict(params.experts, rows)
    choosing(neglect)
    chosen = mixture._branches(params, rows)
    top = chosen.top.gate.log_prior(chosen.top.params, rows)
    assert chosen._chosen(rows, top).mean() < 0.8 and chosen._chosen(rows, top, observed=False).mean() < 0.8
    lost = density - mixture.evidence(params, rows)
    assert (lost >= -1e-12).all() and (lost <= -np.log1p(-neglect) + 1e-12).all()
    assert neglect < 1e-3 or lost.max() > 1e-9
    far = np.ptp(means, axis=1)
    assert (np.abs(mixture.mean(params, rows) - mean) <= neglect * far + 1e-12).all()


@pytest.mark.parametrize(("expert", "kind"), [case for case in ADDITIVE if case[0].names is None], ids=identify)
def test_ceilings_bound_densities(expert, kind):
    rows = make_rows(kind)
    bound = expert.bind(rows, design_of(rows))
    params = bound.init(rows, np.random.default_rng(1).dirichlet(np.ones(3), rows.n_rows) * rows.weight[:, None])
    ceiling = bound.log_ceiling(params, rows)
    if ceiling is None:
        assert bound.traits.measure != "classes" or not bound.traits.additive
        return
    of_rows, of_experts = ceiling
    assert of_experts.shape == (3,)
    assert (
        bound.log_prob(params, rows) <= np.add.outer(np.broadcast_to(of_rows, rows.n_rows), of_experts) + 1e-9
    ).all()


def test_groups_and_labels_visit_all_leaves(choosing):
    mixture, rows, params = sharp(LinearExpert(), "regression", UNEVEN)
    choosing(1e-12)
    assert mixture._branches(params, rows) is not None
    assert mixture._branches(params, rows._replace(group=np.arange(rows.n_rows) // 2)) is None
    assert mixture._branches(params, rows._replace(log_label=np.zeros((rows.n_rows, UNEVEN.n_leaves)))) is None
    assert mixture._branches(params, rows[:20]) is None


@pytest.mark.parametrize(("expert", "kind"), CASES, ids=identify)
def test_routed_rows_visit_their_own_leaves_alone(expert, kind, monkeypatch):
    rows = make_rows(kind)
    design = design_of(rows)
    mixture = Mixture(TopKGate(k=2).bind(rows, design), expert.bind(rows, design))
    params = mixture.init(rows, np.random.default_rng(1).dirichlet(np.ones(4), rows.n_rows))
    rows = rows._replace(active=mixture.gate.freeze(params.gate, rows)[1])
    objective, stats = mixture.e_step(params, rows)
    monkeypatch.setattr(module, "ROUTED_ROWS", 1)
    monkeypatch.setattr(module, "routed_rows", lambda n_leaves: 25)
    seen = []
    monkeypatch.setattr(type(mixture.expert), "evaluate", counted(type(mixture.expert).evaluate, seen))
    again, own = mixture.e_step(params, rows)
    assert sum(seen) == rows.active.size
    assert again == pytest.approx(objective, rel=1e-12)
    for a, b in zip(flat(own), flat(stats), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11 * np.abs(b).max(initial=0.0))


def counted(evaluate, seen):
    """A function of `Expert` that notes how many rows it is called for."""

    def own(expert, params, rows):
        seen.append(rows.n_rows * len(params[0]))
        return evaluate(expert, params, rows)

    return own
