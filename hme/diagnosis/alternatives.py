"""The alternatives that a mixture has to beat: models without routing, and other numbers of experts."""

import numpy as np
import scipy.sparse as sp
from scipy.special import comb
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, SplineTransformer, StandardScaler

from ..features.base import Columnwise
from ..inference.alignment import exchangeable
from ..registry import make_expert, make_gate

__all__ = ["alternatives", "bent_columns", "other_sizes"]

MOST_BASES, MOST_DEGREE = 20, 4
ROWS_PER_COLUMN = 10  # of every leaf, as for depth="auto"
DISTINCT = 10  # a column with more different values gets splines


def alternatives(model, X, families=()):
    """(name, kind, estimator) of every model without routing that a fitted mixture is compared with.

    Parameters
    ----------
    model : HMERegressor or HMEClassifier
        A fitted one.
    X : array-like
        Its table.
    families : sequence of str or experts
        Further families for the single expert.

    Returns
    -------
    list of (str, str, estimator)
        The kind is "single", "bent" or "mixture".
    """
    single = _as_chosen(model).set_params(
        depth=0, branching=2, n_experts=None, tree=None, gate=None, start="auto", n_init=1, n_finalists=None,
        warm_start=False,
    )  # fmt: skip
    found = [
        (f"one expert{name}", "single", clone(single).set_params(expert=expert))
        for name, expert in _families(model, families)
    ]
    bent = clone(single).set_params(expert=_linear_in_columns(model), gate_features=None)
    for name, columns in bent_columns(model, X):
        found.append((f"one expert on {name}", "bent", clone(bent).set_params(expert_features=columns)))
    if make_gate(model.gate).traits.sees_columns and model.n_experts_ > 1:
        found.append(("constant gate", "mixture", clone(model).set_params(gate="constant", warm_start=False)))
    return found


def _as_chosen(model):
    """The estimator for trees of given sizes, with the hyper-parameters that growing has chosen."""
    growth = {"candidates": None, "max_experts": None, "min_weight_fraction_leaf": 0.0}
    return clone(model).set_params(warm_start=False, **growth, **model.candidate_)


def other_sizes(model, weight):
    """(name, "size", estimator) of the same mixture with other numbers of experts, where these can be chosen freely.

    Numbers are powers of two: all smaller ones, and one up to twice as large if `weight` suffices. A binary tree gets
    another depth, any other tree becomes flat.
    """
    expert, gate, K = model.model_.expert, model.model_.gate, model.n_experts_
    if K == 1 or expert.names or gate.traits.given or not exchangeable(expert, 2).all():
        return []
    if make_gate(model.gate).tree is not None:  # the user has given the gate a tree
        return []
    levels = gate.tree is not None and gate.tree.max_branching == 2
    start = model.start if isinstance(model.start, str) else "auto"
    free = _as_chosen(model).set_params(depth="auto", branching=2, n_experts=None, tree=None, start=start)
    n_columns = len(model.columns_.expert.design.center) + 1
    most = max(K, min(2 * K, weight / (ROWS_PER_COLUMN * n_columns)))
    return [
        (f"{2**d} experts", "size", clone(free).set_params(**({"depth": d} if levels else {"n_experts": 2**d})))
        for d in range(1, int(np.log2(most)) + 1)
        if 2**d != K
    ]


def _families(model, families):
    """(label, expert) of the single experts: the model's own families, then the others."""
    own = model.model_.expert
    if own.names:
        first = {}
        for name, expert in zip(own.names, own.members, strict=True):
            first.setdefault(repr(expert), (f" ({name})", expert))
        yield from first.values()
    else:
        yield "", model.expert
    for family in families:
        expert = make_expert(family, model.task)
        yield f" ({family if isinstance(family, str) else type(expert).__name__})", family


def _linear_in_columns(model):
    """A family whose predictor is linear in the columns: the model's own, or the default."""
    report, names = model.experts_, model.model_.expert.names
    if not names:
        return model.expert if "coef" in report._fields else None
    families = zip(names, model.model_.expert.members, strict=True)
    return next((clone(family) for name, family in families if "coef" in report[name]._fields), None)


def bent_columns(model, X):
    """(name, transformer) of bases with about as many columns as a fitted mixture has parameters, eq. (matched)."""
    if sp.issparse(X):  # bases of sparse columns would be dense
        return
    seen = _seen(model)
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    sides = [model.columns_.expert]
    if model.columns_.gate is not model.columns_.expert:
        sides.append(model.columns_.gate)
    q = sum(len(set(side.features.owners())) for side in sides)
    size = min(getattr(model, "n_parameters_", model.n_experts_ * (q + 2)), n_rows // 5)
    if not q:
        return
    bases = int(np.clip(round(size / q), 4, MOST_BASES))
    spline = SplineTransformer(n_knots=bases - 2, knots="quantile", extrapolation="linear", include_bias=False)
    spline = ColumnTransformer([("splines", spline, _bendable)], remainder="passthrough")
    yield f"splines of {bases - 1}", make_pipeline(seen, spline)
    degrees = [d for d in range(2, MOST_DEGREE + 1) if comb(q + d, d) <= max(size, comb(q + 2, 2))]
    if degrees and comb(q + degrees[-1], degrees[-1]) <= n_rows // 2:
        powers = PolynomialFeatures(degrees[-1], include_bias=False)
        yield f"polynomials of degree {degrees[-1]}", make_pipeline(clone(seen), StandardScaler(), powers)


def _bendable(X):
    """Numbers of the columns with more than a few values."""
    return [j for j, column in enumerate(np.asarray(X).T) if len(np.unique(column)) > DISTINCT]


def _seen(model):
    """A transformer to all columns that the experts or the gate of a model see."""
    expert, gate = (_unbent(model, side) for side in ("expert", "gate"))
    if expert is None and gate is None:
        return FunctionTransformer()
    sides = [("expert", _transformer(expert))]
    if expert is not gate:
        sides.append(("gate", _transformer(gate)))
    return FeatureUnion(sides)


def _unbent(model, side):
    """The choice of columns of experts or gate; all of them where they bend."""
    label = f"{side}_features"
    bends = isinstance(getattr(model.columns_, side).features.transformer, Columnwise)
    return None if bends else model.candidate_.get(label, getattr(model, label))


def _transformer(spec):
    if spec is None:
        return FunctionTransformer()
    if hasattr(spec, "transform"):
        return clone(spec)
    return ColumnTransformer([("columns", "passthrough", [spec] if isinstance(spec, str) else spec)])
