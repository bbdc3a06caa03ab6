"""A fitted model as numbers alone: what JSON holds, and what is written as Python, SQL and ONNX."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from ..estimators import HMEClassifier, HMERegressor
from ..estimators.predictive import DENSITIES
from ..numerics.checks import check_choice
from ..plot.sizes import sizes_of, tree_alone
from .formula import LINKS, NotExportable, agree, part_of, priors, softmax
from .sides import side_of, tried_inputs, tried_rows

__all__ = ["PortableModel", "portable"]


@dataclass(frozen=True, eq=False, repr=False)
class PortableModel:
    """A fitted model without the estimator: it predicts from plain numbers.

    `from_json` makes it. Predictions are those of the model it was made of; there are no distributions.

    Parameters
    ----------
    task : {"regression", "classification"}
    inputs : list of str
        Names of the columns of X.
    named : bool
        Whether they are those of a data frame.
    classes_ : ndarray of shape (C,) or None
        Of a classifier.
    weighted : ndarray of int or None
        Places of the classes that experts know of; the others have probability zero.
    n_outputs : int
    flat : bool
        Whether `predict` gives one number for a row, not a row of outputs.
    parts : list of Part
        The mixtures whose average predicts, each with the columns of its own experts and gate.
    tree : Part
        The tree whose priors and experts are shown.

    Examples
    --------
    >>> from hme import HMERegressor
    >>> from hme.export import from_json, to_json
    >>> X, y = [[0.0], [1.0], [2.0], [3.0]], [1.0, 3.1, 4.9, 7.0]
    >>> model = from_json(to_json(HMERegressor(depth=0).fit(X, y)))
    >>> model.predict([[1.5]]).round(1)
    array([4.])
    """

    task: str
    inputs: list
    named: bool
    classes_: Any
    weighted: Any
    n_outputs: int
    flat: bool
    parts: list
    tree: Any

    def __repr__(self):
        size = f"{len(self.parts)} sizes" if len(self.parts) > 1 else f"{len(self.parts[0].experts)} experts"
        return f"PortableModel({self.task}, {len(self.inputs)} columns, {size})"

    @property
    def used(self):
        """Places of the inputs that experts or gate see, ascending."""
        return sorted({int(place) for part in [*self.parts, self.tree] for side in part.sides for place in side.places})

    def predict(self, X):
        """Mean of y given x, or the most probable class of a classifier, as of the model.

        Parameters
        ----------
        X : array-like or data frame of shape (n, p)

        Returns
        -------
        ndarray of shape (n,) or (n, T)
        """
        if self.task == "classification":
            return self.classes_[self.predict_proba(X).argmax(axis=1)]
        mean = self.answers(self._inputs(X))
        return mean[:, 0] if self.flat else mean

    def predict_proba(self, X):
        """Probability of every class, as of the model.

        Parameters
        ----------
        X : array-like or data frame of shape (n, p)

        Returns
        -------
        ndarray of shape (n, C)
        """
        if self.task != "classification":
            raise AttributeError("predict_proba is of classifiers.")
        return self.answers(self._inputs(X))

    def gate_proba(self, X):
        """Prior of every expert, from x alone, as of the model: the tree, even where an average over sizes predicts.

        Parameters
        ----------
        X : array-like or data frame of shape (n, p)

        Returns
        -------
        ndarray of shape (n, K)
        """
        return _prior(self.tree, self._columns(self.tree, self._inputs(X))[1])

    def predict_experts(self, X):
        """Mean of every expert of the tree, or its class probabilities, as of the model.

        Parameters
        ----------
        X : array-like or data frame of shape (n, p)

        Returns
        -------
        ndarray of shape (n, K), (n, K, T) or (n, K, C)
        """
        means = _means(self.tree, self._columns(self.tree, self._inputs(X))[0])
        if self.task == "classification":
            return self._of_all_classes(means)
        return means[..., 0] if self.flat else means

    def answers(self, inputs):
        """Means (n, T) or class probabilities (n, C), of inputs (n, P)."""
        total = 0.0
        for part in self.parts:
            X, Z = self._columns(part, inputs)
            total = total + part.share * np.einsum("nk,nkt->nt", _prior(part, Z), _means(part, X))
        if self.task != "classification":
            return total
        return self._of_all_classes(total / total.sum(axis=1, keepdims=True))

    def _of_all_classes(self, known):
        """Probabilities (..., C) of all classes, from those that experts know of."""
        proba = np.zeros((*known.shape[:-1], len(self.classes_)))
        proba[..., self.weighted] = known
        return proba

    def _inputs(self, X):
        if self.named and hasattr(X, "columns"):
            used = [self.inputs[j] for j in self.used]
            missing = [name for name in used if name not in X.columns]
            if missing:
                raise ValueError(f"X lacks the columns {missing}.")
            inputs = np.zeros((len(X), len(self.inputs)))
            inputs[:, self.used] = np.asarray(X[used], dtype=float)
            return inputs
        inputs = np.asarray(X, dtype=float)
        if inputs.ndim != 2 or inputs.shape[1] != len(self.inputs):
            raise ValueError(f"X has shape {inputs.shape}; the model was fitted to {len(self.inputs)} columns.")
        return inputs

    def _columns(self, part, inputs):
        """Design columns of experts and gate with the intercept, held where the part holds them."""
        made = [side.transform(inputs) for side in part.sides]
        if part.bounds is not None:
            made = [np.clip(columns, *ends) for columns, ends in zip(made, part.bounds, strict=True)]
        return [np.column_stack([columns, np.ones(len(columns))]) for columns in made]


def _prior(part, Z):
    """Priors (n, K)."""
    if part.prior is not None:
        return np.repeat(part.prior[None], len(Z), axis=0)
    if part.leaves is not None:
        return part.leaves.priors(Z)
    return priors(part.tree, part.gate, Z)


def _means(part, X):
    """Means (n, K, T), or class probabilities, of the experts."""
    eta = np.einsum("np,ktp->nkt", X, part.experts)
    if part.links is None:
        return softmax(eta)
    return np.stack([LINKS[link](eta[:, k]) for k, link in enumerate(part.links)], axis=1)


# -- from a fitted model -----------------------------------------------------------------------------------------------


def portable(model, density="predictive"):
    """The numbers of a fitted model.

    Parameters
    ----------
    model : HMERegressor, HMEClassifier, or pipeline of StandardScalers that ends in one
    density : {"predictive", "plug-in"}
        As of `predict`.

    Returns
    -------
    PortableModel

    Raises
    ------
    NotExportable
    """
    check_choice(density, "density", DENSITIES)
    fitted, names, before = _unwrapped(model)
    if fitted.row_arguments_:
        raise NotExportable(f"a model that was fitted with {', '.join(fitted.row_arguments_)} is not exported")
    own = tree_alone(fitted)
    sizes = sizes_of(fitted) if density == "predictive" else [own]
    tried = tried_inputs(fitted, [own, *sizes])
    tree, *parts = _parts(fitted, [own] if sizes[0].part is None else [own, *sizes], tried, before)
    classes = fitted.classes_ if fitted.task == "classification" else None
    target = fitted.target_
    found = PortableModel(
        fitted.task,
        [str(name) for name in names],
        hasattr(model, "feature_names_in_"),
        classes,
        None if classes is None else target.weighted,
        target.n_outputs,
        target.flat,
        parts or [tree],
        tree,
    )
    _compare(found, fitted, sizes, tried, before)
    return found


def _unwrapped(model):
    """The mixture at the end of a model, names of the inputs, and what they are shifted and divided by before it."""
    steps = model.steps if isinstance(model, Pipeline) else [("", model)]
    fitted = steps[-1][1]
    if not isinstance(fitted, HMERegressor | HMEClassifier):
        raise NotExportable(
            f"model = {type(fitted).__name__} is not exported; it must be a fitted HMERegressor or HMEClassifier, or a "
            "pipeline that ends in one."
        )
    check_is_fitted(fitted)
    center, scale = np.zeros(fitted.n_features_in_), np.ones(fitted.n_features_in_)
    for name, step in steps[:-1]:
        if step is None or step == "passthrough":
            continue
        if type(step) is not StandardScaler:
            raise NotExportable(
                f"the step {name!r} of the pipeline, {type(step).__name__}, is not exported; StandardScaler and "
                '"passthrough" are. Export the last step, and feed it what the others return.'
            )
        if step.mean_ is not None and step.with_mean:
            center = center + scale * step.mean_
        if step.scale_ is not None:
            scale = scale * step.scale_
    names = getattr(model, "feature_names_in_", None)
    return fitted, [f"x{j}" for j in range(len(center))] if names is None else list(names), (center, scale)


def _parts(fitted, sizes, tried, before):
    """The `Part` of every size; those of the same columns share them."""
    sides, parts = {}, []
    for one in sizes:
        for side in one.columns_[:2]:
            if id(side) not in sides:
                sides[id(side)] = side_of(side, fitted, before)
        part = part_of(fitted, one, tried_rows(fitted, one, tried))
        parts.append(part._replace(sides=[sides[id(side)] for side in one.columns_[:2]]))
    return parts


def _compare(found, fitted, sizes, tried, before):
    """Refuse numbers that do not predict what the model does."""
    wanted = sum(one.share * np.einsum("nk,nkt->nt", *one.answers(tried_rows(fitted, one, tried))) for one in sizes)
    answers = found.answers(tried * before[1] + before[0])
    if found.task == "classification":
        wanted, answers = wanted / wanted.sum(axis=1, keepdims=True), answers[:, found.weighted]
    if not agree(answers, wanted):
        raise NotExportable("its predictions are no average of its experts' means by its priors")
