"""Compiled functions against their plain twins: the same results to 1e-12, nan and impossible rows included."""

import numpy as np
import pytest

from hme import Tree
from hme.distributions import normal
from hme.experts import LaplaceExpert, LinearExpert, StudentExpert
from hme.experts.noise import lines
from hme.gates import SoftmaxGate
from hme.model.design import Design
from hme.model.mixture import Mixture
from hme.model.rows import Rows
from hme.numerics import engine, kernels, multinomial, paths

pytest.importorskip("numba")
compiled = pytest.importorskip("hme.numerics.compiled")
scalars = pytest.importorskip("hme.numerics.compiled.scalars")
vectors = pytest.importorskip("hme.numerics.compiled.vectors")

N = 700  # no multiple of a piece
UNEVEN, BINARY = Tree.from_text("((. . .) . ((. .) .))"), Tree.from_text("((. (. .)) ((. .) .))")


def rng():
    return np.random.default_rng(0)


def joint():
    log_joint = np.asfortranarray(300.0 * rng().normal(size=(N, 5)))
    log_joint[3, 1] = log_joint[4] = -np.inf
    log_joint[5, 2] = np.nan
    return (log_joint,)


def branches(tree, n_branches):
    return (tree.by_level, np.asarray(rng().normal(size=(n_branches, tree.n_nodes, N))))


def slots(C):
    return 3 * rng().normal(size=(C, 2, N))


def probabilities(C):
    return multinomial.log_softmax.plain(slots(C)), rng().random((C, 2, N))


LINES = "variance", "X", "y", "residual", "weight"


def lines_below(*arguments):
    """Arguments of functions of lines below a tree of pairs."""
    draw, X = rng(), np.asfortranarray(rng().normal(size=(N, 3)))
    X[:, -1] = 1.0
    named = {"variance": draw.random(6), "y": draw.normal(size=N), "residual": X[:, 0], "weight": draw.random(N)}
    below = (BINARY.by_level, 5 * draw.normal(size=(5, 3)), draw.normal(size=(6, 3)))
    return *below, *(X if name == "X" else named[name] for name in arguments), 1e-14


def flattened(result):
    """All arrays and numbers of a result, in one list."""
    return [a for part in result for a in flattened(part)] if isinstance(result, tuple) else [result]


CASES = {
    "branch_sums": (paths, lambda: (UNEVEN.by_level, rng().random((UNEVEN.n_leaves, N)), 3)),
    "column_pairs": (kernels, lambda: (np.asfortranarray(rng().normal(size=(N, 4))),)),
    "gaussian_log_density": (
        normal,
        lambda: (rng().normal(size=(N, 1, 1)), rng().normal(size=(1, 6, N)).T, rng().random((6, 1))),
    ),
    "leaf_sums": (paths, lambda: branches(UNEVEN, 3)),
    "line_means": (lines, lambda: lines_below("X")),
    "line_sums": (lines, lambda: lines_below(*LINES)),
    "log_normalize": (kernels, joint),
    "log_sigmoids": (multinomial, lambda: (np.append(100 * rng().normal(size=N), [0.0, 800.0, -800.0])[None],)),
    "log_softmax": (multinomial, lambda: (slots(4),)),
    "pair_moments": (paths, lambda: (BINARY.by_level, rng().random((5, N)), rng().random((6, N)))),
    "pair_priors": (paths, lambda: (BINARY.by_level, 9 * rng().normal(size=(5, N)))),
    "scored_cross": (kernels, lambda: (rng().normal(size=(N, 4)), rng().random((N, 5)), rng().normal(size=N))),
    "slot_sums": (lines, lambda: (5 * rng().normal(size=(6, 3)), *lines_below(*LINES)[2:-1])),
    "softmax_moments": (multinomial, lambda: probabilities(4)),
    "weighted_pairs": (kernels, lambda: (rng().normal(size=(N, 4)), rng().random((N, 5)))),
}


def test_every_twin_is_compared():
    assert set(CASES) == set(compiled.__all__)


@pytest.mark.parametrize("name", CASES)
def test_twins_agree(name):
    module, arguments = CASES[name]
    with np.errstate(all="ignore"):
        expected = getattr(module, name).plain(*arguments())
    got = getattr(compiled, name)(*arguments())
    assert got is not NotImplemented
    for a, b in zip(flattened(got), flattened(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("p", "q"), [(1, 1), (3, 4), (5, 6), (17, 13), (16, 3), (5, 7)])
def test_sums_of_pairs_for_any_number_of_columns_and_weights(p, q):
    X, W = rng().normal(size=(N, p)), rng().random((N, q))
    expected = kernels.weighted_pairs.plain(X, W)
    got = compiled.weighted_pairs(X, W)
    assert (got is NotImplemented) == ((p, q) == (5, 7))
    if got is not NotImplemented:
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("tree", [Tree.flat(3), Tree.complete(2), UNEVEN])
def test_a_sweep_is_the_same(tree):
    X = rng().normal(size=(N, 3))
    D = Design.fit(X, np.ones(N), True).transform(X)
    rows = Rows(D, D, np.abs(X[:, :1]) + rng().normal(size=(N, 1)), rng().random(N))
    design = Design.fit(X, rows.weight, True)
    mixture = Mixture(SoftmaxGate().over(tree).bind(rows, design), LinearExpert().bind(rows, design))
    params = mixture.init(rows, rng().dirichlet(np.ones(tree.n_leaves), N))
    swept = []
    for choice in ("numpy", "numba"):
        before = engine.kernels()
        engine.set_kernels(choice)
        objective, stats = mixture.e_step(params, rows)
        engine.set_kernels(before)
        swept.append([np.array(objective), stats.load, *stats.gate, *stats.experts])
    for a, b in zip(*swept, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("few", [1, 64])
def test_what_is_left_out_is_less_than_allowed(few, monkeypatch):
    monkeypatch.setattr("hme.numerics.compiled.pruned.FEW", few)
    paths, slope, leaf_lines, X, _ = lines_below("X")
    order = rng().permutation(6)  # steep gates: most leaves have next to no mass
    slope, leaf_lines = 20 * slope, 10 * leaf_lines[order]
    y, one, variance = 3 * rng().normal(size=N), np.ones(N), 0.1 * np.ones(6)
    dense = flattened(lines.line_sums.plain(paths, slope, leaf_lines, variance, X, y, y, one, 0.0))
    means = lines.line_means.plain(paths, slope, leaf_lines, X, 0.0)
    for neglect in (1e-3, 1e-6, 1e-9):
        got = flattened(compiled.line_sums(paths, slope, leaf_lines, variance, X, y, y, one, neglect))
        assert -1e-10 <= dense[0] - got[0] <= 2 * N * neglect + 1e-10
        assert np.abs(got[1] - dense[1]).sum() <= 4 * N * neglect + 1e-9
        for a, b in zip(got[2:], dense[2:], strict=True):
            assert np.abs(a - b).max() <= 100 * N * neglect + 1e-9
        far = np.ptp(X @ leaf_lines.T, axis=1).max()
        assert np.abs(compiled.line_means(paths, slope, leaf_lines, X, neglect) - means).max() <= far * neglect + 1e-12


@pytest.mark.parametrize("few", [1, 64])
def test_rows_far_from_every_line_keep_their_shares(few, monkeypatch):
    monkeypatch.setattr("hme.numerics.compiled.pruned.FEW", few)
    paths, slope, leaf_lines, variance, X, _ = lines_below("variance", "X")
    y, one = rng().normal(size=N), np.ones(N)
    y[::20] *= 1e3  # of densities that e^-700 does not hold
    y[70], y[-1] = -1e6, 1e200
    arguments = paths, slope, leaf_lines, variance, X, y, np.zeros(N), one
    with np.errstate(over="ignore"):
        dense = flattened(lines.line_sums.plain(*arguments, 0.0))
    got = flattened(compiled.line_sums(*arguments, 1e-12))
    for a, b in zip(got, dense, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("few", "expert"), [(1, LinearExpert()), (64, LinearExpert()), (64, StudentExpert()), (64, LaplaceExpert())]
)
def test_large_trees_are_pruned_in_sweeps_and_means(few, expert, monkeypatch):
    monkeypatch.setattr("hme.model.mixture.MANY_MEANS", 4)
    monkeypatch.setattr("hme.numerics.compiled.pruned.FEW", few)
    X, tree = rng().normal(size=(N, 3)), Tree.complete(2)
    design = Design.fit(X, np.ones(N), True)
    D = design.transform(X)
    rows = Rows(D, D, np.abs(X[:, :1]), rng().random(N), offset=X[:, 1])
    mixture = Mixture(SoftmaxGate().over(tree).bind(rows, design), expert.bind(rows, design))
    params = mixture.init(rows, rng().dirichlet(np.ones(4), N))
    got = []
    for neglect in (0.0, 1e-12):
        before = engine.kernels()
        engine.set_kernels("numba", neglect)
        objective, stats = mixture.e_step(params, rows)
        got.append([np.array(objective), *stats.gate, *stats.experts, stats.load, mixture.mean(params, rows)])
        engine.set_kernels(before)
    for a, b in zip(*got, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.slow
def test_scalars_are_within_two_units_of_rounding():
    @scalars.kernel
    def applied(x, of_exp, of_log, of_log1p):
        for i in range(x.size):
            of_exp[i], of_log[i], of_log1p[i] = scalars.exp(-x[i]), scalars.log(x[i]), scalars.log1p_unit(x[i] / 700.0)

    @scalars.kernel
    def eight(x, of_exp):
        for i in range(0, x.size, 8):
            vectors.store(of_exp, i, vectors.exp(0.0 - vectors.load(x, i)))

    x = np.linspace(1e-3, 700.0, 5000)
    got = np.empty((4, len(x)))
    applied(x, *got[:3])
    eight(x, got[3])
    for a, b in zip(got, (np.exp(-x), np.log(x), np.log1p(x / 700.0), np.exp(-x)), strict=True):
        assert (np.abs(a - b) <= 2 * np.spacing(np.abs(b))).all()


@pytest.mark.slow
def test_vectors_are_eight_numbers():
    @scalars.kernel
    def applied(x, y, out):
        a, b, one = vectors.load(x, 0), vectors.load(x, 8), vectors.broadcast(y, 3)
        vectors.store(out, 0, (a + b) * one - 2.0 * a / b)
        vectors.store(out, 8, vectors.at_most(a, b, a, vectors.splat(9.0)))
        vectors.store(out, 16, vectors.where(out[0] > 1e9, a))
        least = vectors.first_lane(vectors.lanes_not_zero(a))
        return vectors.sum_of(a), vectors.lanes_at_most(a, b), vectors.lanes_not_zero(a), least

    x, y, out = rng().normal(size=16), np.arange(4.0), np.empty(24)
    x[[0, 2, 5]], x[9] = 0.0, np.nan
    a, b = x[:8], x[8:]
    total, at_most, not_zero, least = applied(x, y, out)
    bits = 1 << np.arange(8)
    assert total == pytest.approx(a.sum(), abs=1e-14)
    assert (at_most, not_zero, least) == (bits @ (a <= b), bits @ (a != 0), 1)
    np.testing.assert_allclose(out[:8], (a + b) * 3.0 - 2.0 * a / b, rtol=1e-14)
    np.testing.assert_array_equal(out[8:], np.append(np.where(a <= b, a, 9.0), np.zeros(8)))


@pytest.mark.slow
@pytest.mark.parametrize("few", [1, 64])
@pytest.mark.parametrize(("tree", "p"), [(Tree.complete(6), 2), (Tree.complete(5), 11), (Tree.complete(1), 4)])
def test_sums_of_trees_of_any_size_and_columns(tree, p, few, monkeypatch):
    monkeypatch.setattr("hme.numerics.compiled.pruned.FEW", few)
    paths, draw, n = tree.by_level, rng(), 5000
    X, y = np.asfortranarray(draw.normal(size=(n, p))), draw.normal(size=n)
    slope, leaf_lines = 3 * draw.normal(size=(paths.n_nodes, p)), draw.normal(size=(paths.n_leaves, p))
    arguments = paths, slope, leaf_lines, draw.random(paths.n_leaves) + 0.1, X, y, y, draw.random(n)
    dense = flattened(lines.line_sums.plain(*arguments, 0.0))
    for a, b in zip(flattened(compiled.line_sums(*arguments, 1e-14)), dense, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-9)
    expected = lines.line_means.plain(*arguments[:3], X, 0.0)
    np.testing.assert_allclose(compiled.line_means(*arguments[:3], X, 1e-14), expected, rtol=1e-12, atol=1e-12)
