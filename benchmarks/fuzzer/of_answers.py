"""What must hold of a fitted model's answers: a function a promise, which raises `Failure` where it is broken."""

import pickle
from dataclasses import replace

import numpy as np

from hme import export_text

from .fitted import SUMS, asked, holds, no_nan, same_bits

__all__ = [
    "distribution",
    "new_rows",
    "pickled",
    "predictions",
    "probabilities",
    "regions",
    "scores",
    "subset",
    "summary",
    "text",
]

LEVELS = (0.01, 0.3, 0.5, 0.9, 0.99)


def probabilities(fitted):
    """Priors, responsibilities and class probabilities are probabilities, and finite is what must be."""
    model, X, y = fitted.model, fitted.X, fitted.y
    tables = {"gate_proba": model.gate_proba(X), "responsibilities": model.responsibilities(X, y, **fitted.seen)}
    if fitted.configuration.task == "classification":
        tables["predict_proba"] = model.predict_proba(X)
    for name, table in tables.items():
        no_nan(table, name)
        holds((table >= 0).all() and np.abs(table.sum(axis=1) - 1.0).max() < SUMS, f"{name} do not sum to one")
    each = model.log_likelihood(X, y, **fitted.seen)
    no_nan(each, "log_likelihood")
    unseen = fitted.configuration["early_stopping"]  # rows that were held out may be impossible
    if "groups" not in fitted.seen and "labels" not in fitted.configuration.aligned and not unseen:
        holds(np.isfinite(each).all(), "log_likelihood of a row of the fit is not finite")


def predictions(fitted):
    """Means are finite and within reason; nothing else is nan."""
    model, X = fitted.model, fitted.X
    if fitted.configuration.task == "classification":
        holds(set(model.predict(X)) <= set(model.classes_), "predict returns no class")
        no_nan(model.predict_log_proba(X), "predict_log_proba")
        return
    mean, std = model.predict(X, return_std=True, **fitted.rows)
    holds(np.isfinite(mean).all(), "predict is not finite")
    no_nan(std, "return_std")
    holds((std >= 0).all(), "return_std is negative")
    dist = model.predict_dist(X, **fitted.rows)
    near = 1e-8 * (np.abs(mean) + np.where(np.isfinite(std), std, 0.0))
    holds((np.abs(dist.mean() - mean) <= near).all(), "predict is not the mean of predict_dist")
    finite = np.isfinite(std)
    same = np.abs(np.sqrt(dist.variance()[finite]) - std[finite]) <= near[finite]
    holds(same.all(), "return_std is not the standard deviation of predict_dist")
    no_nan(model.predict_experts(X, **fitted.rows), "predict_experts")
    no_nan(model.sample_y(X, 3, random_state=0, **fitted.rows), "sample_y")


def distribution(fitted):
    """Quantiles rise with the level and are where the distribution function says; scores are numbers.

    A quantile is accurate to 1e-6 of the distance between the outer ones, or where y has no closer numbers.
    """
    if fitted.configuration.task == "classification":
        return
    model, X, y = fitted.model, fitted.X, fitted.y
    dist = model.predict_dist(X, **fitted.rows)
    quantiles = dist.icdf(LEVELS)
    no_nan(quantiles, "quantiles")
    holds((np.diff(quantiles, axis=-1) >= 0).all(), "quantiles cross")
    if quantiles.ndim == 2:
        near = 1e-6 * np.abs(quantiles[:, -1:] - quantiles[:, :1]) + 4.0 * np.spacing(np.abs(quantiles))
        below, above = dist.cdf(quantiles - near), dist.cdf(quantiles + near)
        holds((below <= np.add(LEVELS, 1e-6)).all(), "a quantile is too large")
        holds((above >= np.subtract(LEVELS, 1e-6)).all(), "a quantile is too small")
    no_nan(dist.interval(0.8), "interval")
    no_nan(dist.median(), "median")
    for name in ("logpmf" if dist.discrete else "logpdf", "cdf"):
        no_nan(getattr(dist, name)(y), name)


def crps(fitted):
    """The continuous ranked probability score is a number, and not negative beyond rounding."""
    if fitted.configuration.task == "classification":
        return
    y = fitted.y
    score = asked(lambda: fitted.model.predict_dist(fitted.X, **fitted.rows).crps(y))
    if score is not None:
        no_nan(score, "crps")
        holds((score >= -1e-9 * (1.0 + np.abs(y))).all(), "crps is negative")


def regions(fitted):
    """Highest-density regions are intervals in order."""
    if fitted.configuration.task == "classification" or fitted.configuration.y.ndim > 1:
        return
    found = fitted.model.predict_interval(fitted.X, 0.8, "highest_density", **fitted.rows)
    for region in found:
        no_nan(region, "highest_density")
        holds((np.diff(np.ravel(region)) >= 0).all(), "highest-density intervals overlap")


def scores(fitted):
    """Scores and criteria are numbers."""
    model, y, X = fitted.model, fitted.y, fitted.X
    arguments = fitted.counted.given("sample_weight")
    for name in ("bic", "aic", "icl"):
        value = asked(lambda name=name: getattr(model, name)(X, y, **arguments, **fitted.seen))
        no_nan(0.0 if value is None else value, name)
    if len(y) > 1:
        no_nan(model.score(X, y, **arguments, **fitted.rows), "score")


def text(fitted):
    """The printed tree names no nan, and nothing of numpy."""
    for printed in (export_text(fitted.model), repr(fitted.model)):
        holds("nan" not in printed.split(), "nan in the text")
        holds("np." not in printed, "a type of numpy in the text")


def summary(fitted):
    """The summary has errors or says why not; estimates are never nan."""
    arguments = fitted.counted.arguments
    table = asked(lambda: fitted.model.summary(fitted.X, fitted.y, **arguments))
    if table is not None:
        holds("np." not in str(table), "a type of numpy in the summary")
        table._repr_html_()


def new_rows(fitted):
    """Rows that the fit has not seen, some of them far away, get numbers or a refusal in words."""
    configuration, model = fitted.counted, fitted.model
    X = np.vstack([configuration.X[::-1] * 3.0, configuration.X * 1e4 - 1.0, np.zeros_like(configuration.X)])
    arguments = {name: np.tile(values, 3) for name, values in fitted.rows.items()}
    table = configuration.table(X)
    proba = asked(lambda: model.gate_proba(table))
    if proba is not None:
        no_nan(proba, "gate_proba of new rows")
        no_nan(model.predict(table, **arguments), "predict of new rows")


def class_names(fitted):
    """The names of the classes have no influence, as long as they sort the same."""
    configuration = fitted.configuration
    if configuration.task != "classification" or "class_weight" in configuration.settings:
        return
    names = np.array(list("abcdefg"))
    renamed = replace(configuration, y=names[configuration.y]).quietly()
    same_bits(
        [renamed.predict_proba(fitted.X)], [fitted.model.predict_proba(fitted.X)], "names of classes change a fit"
    )
    holds(set(renamed.predict(fitted.X)) <= set(names[configuration.y]), "predict returns no class")


def subset(fitted):
    """A row's answer does not depend on the rows beside it, beyond rounding."""
    model, configuration = fitted.model, fitted.configuration
    some = configuration.take(np.arange(len(configuration.X))[::-2])
    pairs = {"gate_proba": [m.gate_proba(c.table()) for m, c in ((model, configuration), (model, some))]}
    arguments = [c.given("offset", "trials") for c in (configuration, some)]
    tables = configuration.table(), some.table()
    pairs["predict"] = [model.predict(X, **given) for X, given in zip(tables, arguments, strict=True)]
    if configuration.task == "classification":
        pairs = {"predict_proba": [model.predict_proba(X) for X in tables]}
    for name, (every, part) in pairs.items():
        error = np.abs(every[::-2] - part).max(initial=0.0) / max(np.abs(every).max(), 1e-300)
        holds(error <= 1e-9, f"{name} of a row depends on the other rows")


def pickled(fitted):
    """A pickle answers as the model does, to the bit."""
    again = pickle.loads(pickle.dumps(fitted.model))
    same_bits(again.params_, fitted.model.params_, "a pickle has other parameters")
    same_bits([again.gate_proba(fitted.X)], [fitted.model.gate_proba(fitted.X)], "a pickle answers otherwise")
