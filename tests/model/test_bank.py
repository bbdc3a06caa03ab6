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
from hme.model.bank import Bank
from hme.model.design import Design
from hme.model.mixture import Mixture, Params
from hme.model.rows import Rows

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
    params = bank.init(resps)
    for resp, own in zip(resps, params, strict=True):
        alike(own, mixture.init(rows, resp))
    steps = bank.e_step(params)
    for own, (objective, seen) in zip(params, steps, strict=True):
        reached, stats = mixture.e_step(own, rows)
        assert objective == pytest.approx(reached, rel=1e-12)
        alike(tuple(stats), tuple(seen)[:3])
        assert seen.gradient == pytest.approx(mixture.gradient(own, stats), rel=1e-8, abs=1e-12)
        assert seen.rounding == pytest.approx(mixture.rounding(own, stats, rows.weight), rel=1e-9, abs=1e-30)
    moved = bank.m_step(params, [seen for _, seen in steps])
    for own, (_, seen), new in zip(params, steps, moved, strict=True):
        assert isinstance(new, Params)
        alike(new, mixture.m_step(own, seen, rows))


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
