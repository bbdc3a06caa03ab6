"""Mixtures side by side: the steps of a bank are those of each mixture by itself."""

import numpy as np
import pytest

from hme import Tree
from hme.experts import (
    ConstantExpert,
    GammaExpert,
    LinearExpert,
    LogisticExpert,
    MixedExpert,
    NegativeBinomialExpert,
    PoissonExpert,
    StudentExpert,
)
from hme.gates import ConstantGate, SoftmaxGate, TopKGate
from hme.gates.constant import ConstantParams
from hme.model.bank import Bank, Packing
from hme.model.design import Design
from hme.model.mixture import Mixture, Params
from hme.model.rows import Rows
from hme.numerics import statistics

N, TREE = 60, Tree.from_text("((. .) .)")
RNG = np.random.default_rng(0)
X = Design.fit(RNG.normal(size=(N, 2)), np.ones(N), True).transform(RNG.normal(size=(N, 2)))
Y, WEIGHT = np.abs(X[:, 0]) + 0.3 * RNG.normal(size=N), RNG.uniform(0.5, 2.0, N)
NUMBERS, COUNTS, POSITIVE = Y[:, None], np.rint(np.exp(Y))[:, None], np.exp(Y)[:, None]
TWO, CLASSES = np.column_stack([Y, X[:, 1]]), (Y > 1).astype(int) + (Y > 2)
GROUP = np.repeat(np.arange(N // 2), 2)
LABEL = np.log(np.where(np.arange(N)[:, None] % 7 == 0, np.eye(3)[np.arange(N) % 3] + 1e-3, 1.0))

CASES = {
    "linear": (LinearExpert(), SoftmaxGate(), dict(y=NUMBERS)),
    "lasso": (LinearExpert(alpha=2.0, l1_ratio=0.5), SoftmaxGate(alpha=1.0, l1_ratio=1.0), dict(y=NUMBERS)),
    "unscaled, two outputs": (LinearExpert(scale_penalty=False), ConstantGate(), dict(y=TWO)),
    "student": (StudentExpert(), SoftmaxGate(), dict(y=NUMBERS, log_label=LABEL)),
    "poisson": (PoissonExpert(), ConstantGate(), dict(y=COUNTS, group=GROUP, offset=0.1 * X[:, 1])),
    "gamma": (GammaExpert(link="inverse"), SoftmaxGate(), dict(y=POSITIVE)),
    "logistic": (LogisticExpert(), SoftmaxGate(), dict(y=CLASSES)),
    "constant": (ConstantExpert(), SoftmaxGate(), dict(y=NUMBERS)),
}


def made(expert, gate, arrays):
    rows, design = Rows(X, X, weight=WEIGHT, **arrays), Design.fit(X[:, :-1], WEIGHT, True)
    return Mixture(gate.over(TREE).bind(rows.heads(), design), expert.bind(rows, design)), rows


def alike(a, b):
    """Equal up to rounding, field by field."""
    if isinstance(a, tuple):
        assert type(a) is type(b)
        for u, v in zip(a, b, strict=True):
            alike(u, v)
    else:
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11 * max(np.abs(a).max(initial=0.0), 1.0))


@pytest.mark.parametrize("case", CASES)
def test_the_steps_are_those_of_each_mixture(case):
    mixture, rows = made(*CASES[case])
    bank, heads = Bank(mixture, rows), rows.heads().n_rows
    resps = [np.random.default_rng(seed).dirichlet(np.ones(3), heads) for seed in range(4)]
    every = bank.init(resps)
    for resp, own in zip(resps, every, strict=True):
        alike(own, mixture.init(rows, resp))
    params = stacked(every)
    seen = bank.e_step(params, 4)
    moved = divided(bank.m_step(params, seen, 4))
    shorter, longer = np.full(4, 0.5), np.array([1.5, 2.0, 3.0, 4.0])
    between, beyond = (divided(bank.interpolate(params, stacked(moved), steps)) for steps in (shorter, longer))
    for i, (own, new) in enumerate(zip(every, moved, strict=True)):
        reached, stats = mixture.e_step(own, rows)
        assert seen.objective[i] == pytest.approx(reached, rel=1e-12)
        alike(tuple(stats)[:2], tuple(divided(seen[:2])[i]))
        alike(stats.load, seen.load[i])
        assert seen.gradient[i] == pytest.approx(mixture.gradient(own, stats), rel=1e-8, abs=1e-12)
        assert seen.rounding[i] == pytest.approx(mixture.rounding(own, stats, rows.weight), rel=1e-9, abs=1e-30)
        alike(new, mixture.m_step(own, stats, rows))
        alike(between[i], mixture.interpolate(own, new, 0.5))
        alike(beyond[i], mixture.interpolate(own, new, longer[i]))


def stacked(several):
    return Params(*(statistics.concatenate(*side) for side in zip(*several, strict=True)))


def divided(sides):
    return list(map(Params, *(statistics.divided(side, 4) for side in sides)))


def test_a_mixture_without_one_expert_goes_its_own_way():
    mixture, rows = made(LinearExpert(), ConstantGate(), dict(y=NUMBERS))
    bank = Bank(mixture, rows)
    old = bank.init([np.random.default_rng(seed).dirichlet(np.ones(3), N) for seed in range(4)])
    new = [mixture.m_step(own, mixture.e_step(own, rows)[1], rows) for own in old]
    new[2] = new[2]._replace(gate=ConstantParams(np.array([0.0, 0.4, 0.6])))
    moved = divided(bank.interpolate(stacked(old), stacked(new), np.full(4, 2.0)))
    for own, next_, found in zip(old, new, moved, strict=True):
        alike(found, mixture.interpolate(own, next_, 2.0))


def test_packed_parameters_come_back():
    params = made(LinearExpert(), SoftmaxGate(), dict(y=NUMBERS))[0].init(
        Rows(X, X, NUMBERS, WEIGHT), np.full((N, 3), 1 / 3)
    )
    both = stacked([params, params._replace(experts=params.experts._replace(variance=2.0 * params.experts.variance))])
    packing = Packing(both, 2)
    numbers = packing.packed(both, 2)
    back = packing.unpacked(numbers[1:])
    assert len(numbers) == 2 and back[0].used.dtype == bool
    alike(back[1].variance, 2.0 * params.experts.variance)
    alike(tuple(packing.unpacked(numbers)), tuple(both))


@pytest.mark.parametrize(
    "expert, gate, arrays",
    [
        (LinearExpert(shared_variance=True), SoftmaxGate(), dict(y=NUMBERS)),
        (LinearExpert(shared_coef=[0]), SoftmaxGate(), dict(y=NUMBERS)),
        (LinearExpert(covariance="full"), SoftmaxGate(), dict(y=TWO)),
        (MixedExpert([(name, LinearExpert()) for name in "abc"]), SoftmaxGate(), dict(y=NUMBERS)),
        (NegativeBinomialExpert(), SoftmaxGate(), dict(y=COUNTS)),
        (LinearExpert(), TopKGate(2), dict(y=NUMBERS)),
    ],
    ids=["one variance", "one slope", "covariances", "several families", "not exact", "routed"],
)
def test_what_cannot_stand_side_by_side(expert, gate, arrays):
    assert not Bank.holds(made(expert, gate, arrays)[0])
