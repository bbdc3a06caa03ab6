"""What is printed of a fit predicts what the model predicts, also of columns and targets far from zero."""

import re

import numpy as np
import pytest
import scipy.sparse as sp
from problems import slow_case
from scipy.special import expit, softmax

from hme import HMEClassifier, HMERegressor, export_text
from hme.experts import (
    BinomialExpert,
    GammaExpert,
    GaussianExpert,
    InverseGaussianExpert,
    LaplaceExpert,
    LinearExpert,
    LogisticExpert,
    NegativeBinomialExpert,
    PoissonExpert,
    StudentExpert,
)
from hme.gates import SoftmaxGate, TopKGate

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

NUMBER = r"[+-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?"
RNG = np.random.default_rng(0)
N = 300
YEAR = RNG.integers(1990, 2025, N).astype(float)
X = np.column_stack([YEAR, 300.0 + 5.0 * RNG.normal(size=N), -1e4 + RNG.normal(size=N), RNG.normal(size=N)])
FAR = np.where(YEAR < 2008, 0.1 * (YEAR - 1990), 3.0 - 0.05 * (YEAR - 2008)) + 0.3 * X[:, 3]


def value(text, table=X):
    """Value of a linear predictor such as "112.3 +0.8 (x0 - 2005) -2 x3" for every row."""
    total, pattern = np.zeros(len(table)), rf"({NUMBER})(?: \(x(\d) ([+-]) ({NUMBER})\)| x(\d))?"
    for b, j, sign, c, k in re.findall(pattern, text):
        column = 1.0 if not (j or k) else table[:, int(j or k)]
        total += float(b) * (column + float(f"{sign}{c}") if j else column)
    return total


FAMILIES = {
    "linear": (LinearExpert(), FAR + 1e6 + 0.2 * RNG.normal(size=N), lambda eta: eta),
    "lasso": (LinearExpert(1.0, 1.0), FAR + 0.2 * RNG.normal(size=N), lambda eta: eta),
    "student": (StudentExpert(), FAR - 70.0 + 0.2 * RNG.standard_t(5, N), lambda eta: eta),
    "laplace": (LaplaceExpert(), FAR + 0.2 * RNG.laplace(size=N), lambda eta: eta),
    "gaussian": (GaussianExpert(), np.exp(0.3 * FAR) + 0.1 * RNG.normal(size=N), np.exp),
    "gamma": (GammaExpert(), RNG.gamma(20.0, np.exp(0.3 * FAR) / 20.0), np.exp),
    "inverse gaussian": (InverseGaussianExpert(), RNG.wald(np.exp(0.3 * FAR), 50.0), np.exp),
    "poisson": (PoissonExpert(), RNG.poisson(np.exp(0.3 * FAR)), np.exp),
    "negative binomial": (NegativeBinomialExpert(), RNG.negative_binomial(5, 5 / (5 + np.exp(0.3 * FAR))), np.exp),
    "binomial": (BinomialExpert(), RNG.binomial(4, expit(FAR - 1.0)), lambda eta: 4.0 * expit(eta)),
}


@pytest.mark.parametrize(
    "name, sparse",
    [*((name, False) for name in FAMILIES), ("linear", True)]
    + [slow_case((name, True)) for name in FAMILIES if name != "linear"],
)
def test_equations_of_experts(name, sparse):
    expert, y, mean = FAMILIES[name]
    table, rows = (sp.csr_matrix(X) if sparse else X), {"trials": 4.0} if name == "binomial" else {}
    model = HMERegressor(depth=1, expert=expert, max_iter=4).fit(table, y, **rows)
    lines = re.findall(r"leaf \d.*?= (.*?),?(?:  |\n|$)", export_text(model))
    own = model.predict_experts(table, **rows)
    printed = np.stack([mean(value(line)) for line in lines], axis=1)
    np.testing.assert_allclose(printed, own, rtol=5e-3 if mean is not FAMILIES["linear"][2] else 0, atol=0.01)
    assert "(x0 - 2010)" in export_text(model) and "(x2 + 10000)" in export_text(model)


@pytest.mark.parametrize(
    "gate", [SoftmaxGate(), TopKGate(k=3), SoftmaxGate(1.0, 1.0)], ids=["softmax", "top_k", "lasso"]
)
def test_scores_of_gates(gate):
    model = HMERegressor(n_experts=3, gate=gate, max_iter=20).fit(X, FAR)
    scores = re.findall(r"\|-- (.*?): leaf", export_text(model, max_terms=None))
    np.testing.assert_allclose(
        softmax(np.stack([value(s) for s in scores], axis=1), axis=1), model.gate_proba(X), atol=0.02
    )
    two = HMERegressor(n_experts=2, gate=gate if gate.get_params().get("k") is None else None, max_iter=20).fit(X, FAR)
    left, right = re.search(r"gate 0: (.*) > (.*)\n", export_text(two)).groups()
    np.testing.assert_allclose(expit(value(left) - float(right)), two.gate_proba(X)[:, 1], atol=0.01)


def test_classes_and_outputs():
    three = np.digitize(FAR, [0.7, 2.0])
    model = HMEClassifier(n_experts=2, expert=LogisticExpert(alpha=1.0), max_iter=20).fit(
        X, np.array(list("abc"))[three]
    )
    for k, block in enumerate(export_text(model).split("leaf ")[1:]):
        scores = np.stack([value(line) for line in re.findall(r"[abc]: (.*)", block)], axis=1)
        np.testing.assert_allclose(softmax(scores, axis=1), model.predict_experts(X)[:, k], atol=0.01)
    two = HMEClassifier(n_experts=2, max_iter=20).fit(X, three > 0)
    lines = re.findall(r"log-odds\(y = True\) = (.*)", export_text(two))
    np.testing.assert_allclose(expit([value(line) for line in lines]).T, two.predict_experts(X)[..., 1], atol=0.01)
    both = HMERegressor(n_experts=2, max_iter=20).fit(X, np.column_stack([FAR, 500.0 - FAR]))
    lines = re.findall(r"y\[\d\] = (.*),  noise", export_text(both))
    np.testing.assert_allclose(
        np.stack([value(line) for line in lines], axis=1).reshape(N, 2, 2), both.predict_experts(X), atol=0.01
    )


def test_digits_and_terms_left_out():
    model = HMERegressor(depth=0).fit(X, FAR)
    errors = []
    for digits in (2, 4, 8):
        (line,) = re.findall(r"= (.*),  noise", export_text(model, digits=digits))
        errors.append(np.abs(value(line) - model.predict(X)).max())
    assert errors[0] > errors[1] > errors[2] and errors[2] < 1e-5
    # What is left out stands at its mean.
    (line,) = re.findall(r"= (.*),  noise", export_text(model, max_terms=2))
    shown = re.findall(r"x(\d)", line)
    assert len(shown) == 2
    table = X.copy()
    rest = [j for j in range(4) if str(j) not in shown]
    table[:, rest] = X[:, rest].mean(axis=0)
    np.testing.assert_allclose(value(line), model.predict(table), atol=0.01)
    with pytest.raises(ValueError, match="digits"):
        export_text(model, digits=0)


def test_one_sign_in_text_summary_and_attributes():
    Z = RNG.normal(size=(N, 2))
    y = np.where(Z @ [2.0, -1.0] + 0.5 * RNG.logistic(size=N) > 0, 3.0 + Z[:, 0], -Z[:, 0]) + 0.2 * RNG.normal(size=N)
    model = HMERegressor(n_experts=2).fit(Z, y)
    left, right = re.search(r"gate 0: (.*) > (.*)\n", export_text(model)).groups()
    text = np.array([float(b) for b in re.findall(rf"({NUMBER}) x", left)])
    summary = [model.summary(Z, y).inference.estimate[i] for i in range(3)]
    labels = model.summary(Z, y).inference.labels
    gate = [i for i, label in enumerate(labels) if label.side == "gate"]
    summary = model.summary(Z, y).inference.estimate[gate]
    np.testing.assert_allclose(text, summary[1:], rtol=1e-3)
    np.testing.assert_allclose(-float(right), summary[0], atol=2e-3)
    np.testing.assert_allclose(model.gate_.coef[0, 1] - model.gate_.coef[0, 0], summary[1:], rtol=1e-9)
    log_odds = np.log(model.gate_proba(Z)[:, 1] / model.gate_proba(Z)[:, 0])
    np.testing.assert_allclose(summary[0] + Z @ summary[1:], log_odds, atol=1e-6)


def test_an_offset_is_part_of_the_equation():
    offset = RNG.uniform(0, 1, N)
    y = RNG.poisson(np.exp(offset + 0.3 * X[:, 3]))
    model = HMERegressor(n_experts=2, expert="poisson", max_iter=5).fit(X, y, offset=offset)
    lines = re.findall(r"log\(y\) = (.*) \+offset", export_text(model))
    printed = np.exp(np.stack([value(line) for line in lines], axis=1) + offset[:, None])
    np.testing.assert_allclose(printed, model.predict_experts(X, offset=offset), rtol=5e-3)
    assert "offset" not in export_text(model).splitlines()[0]
