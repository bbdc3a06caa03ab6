"""What must hold of every fit, one function a promise.

A check gets a `Fitted` and raises `Failure` where a promise is broken, `Excused` where the problem is so ill-posed that
rounding alone changes the answer as much. What is promised, and how closely, is said in each.
"""

import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import joblib
import numpy as np

from hme import export_text

from .configurations import Configuration
from .limits import Excused, Failure, watched
from .refusals import check_refusal

__all__ = ["CHECKS", "Check", "Fitted"]

SUMS = 1e-9  # by which sums of probabilities may miss one
CLOSE = 1e-6  # relative error of a log-likelihood that may come from rounding in the sums of a few sweeps
SWEEPS = 3  # of fits that are compared: rounding grows from sweep to sweep where EM moves away from a saddle
PROBES = 3  # fits with weights that differ by rounding, to see what rounding does to a problem
ILL_POSED = 100.0  # times what a probe changes, in which another order or unit is excused
LEVELS = (0.01, 0.3, 0.5, 0.9, 0.99)


@dataclass
class Fitted:
    """A configuration, its fit, and what several checks ask of it."""

    configuration: Configuration
    model: object

    @cached_property
    def X(self):
        return self.configuration.table()

    @cached_property
    def rows(self):
        """Arguments of the predict side."""
        return self.configuration.given("offset", "trials")

    @cached_property
    def seen(self):
        """Arguments of `log_likelihood`."""
        return self.configuration.given("offset", "trials", "groups")

    @property
    def traits(self):
        return self.configuration.expert.traits, self.configuration.gate.traits

    @cached_property
    def short(self):
        """The configuration with a few sweeps from one start, for fits that are compared with each other."""
        return self.configuration.with_settings(
            max_iter=str(SWEEPS), tol="1e-12", n_init=None, n_finalists=None, on_empty=None
        )

    @cached_property
    def short_likelihood(self):
        return likelihood(self.short, self.configuration)

    def compare(self, other, change=0.0, at=None):
        """Fail unless the fit to another configuration has the same log-likelihood at the rows of this one.

        Parameters
        ----------
        other : Configuration
        change : float
            What is to be added to the log-likelihood of a row.
        at : Configuration or None
            The rows in the other's units.
        """
        expected = self.short_likelihood + change
        error = distance(likelihood(other, at or self.configuration), expected)
        if error <= CLOSE:
            return
        probes = [likelihood(jittered(self.short, seed), self.configuration) + change for seed in range(PROBES)]
        if error <= ILL_POSED * max(distance(probe, expected) for probe in probes):
            raise Excused
        raise Failure(f"log-likelihoods differ by {error:.1e}")


def likelihood(configuration, at):
    """Log-likelihood of rows under the fit to a configuration; of rows that count."""
    model = configuration.quietly()
    at = at.take(at.aligned.get("sample_weight", np.ones(len(at.X))) > 0)
    return model.log_likelihood(at.table(), at.y, **at.given("offset", "trials", "groups"))


def distance(a, b):
    """Largest difference, relative where numbers are large; that of two infinities of one sign is zero."""
    with np.errstate(invalid="ignore"):
        error = np.abs(a - b) / (1.0 + np.minimum(np.abs(a), np.abs(b)))
    error[a == b] = 0.0
    return np.inf if np.isnan(error).any() else float(error.max(initial=0.0))


def jittered(configuration, seed):
    """With weights that differ in the last digits."""
    rng, n = np.random.default_rng(seed), len(configuration.X)
    factor = 1.0 + 1e-14 * rng.uniform(-1.0, 1.0, size=n)
    if "groups" in configuration.aligned:
        factor = factor[np.unique(configuration.aligned["groups"], return_inverse=True)[1]]
    return configuration.with_aligned(sample_weight=factor * configuration.aligned.get("sample_weight", np.ones(n)))


def holds(condition, message):
    if not condition:
        raise Failure(message)


def no_nan(value, name):
    """No nan in an array, or in whatever holds arrays."""
    if isinstance(value, dict):
        for key, item in value.items():
            no_nan(item, f"{name}[{key!r}]")
    elif hasattr(value, "_fields"):
        for key in value._fields:
            no_nan(getattr(value, key), f"{name}.{key}")
    elif isinstance(value, list | tuple):
        for item in value:
            no_nan(item, name)
    elif np.asarray(value).dtype.kind == "f":
        holds(not np.isnan(value).any(), f"nan in {name}")


def asked(call):
    """The answer of a method, or None where it refuses in words."""
    try:
        return call()
    except (ValueError, TypeError, NotImplementedError, AttributeError) as error:
        check_refusal(error)


# -- of the fit itself -------------------------------------------------------------------------------------------------


def attributes(fitted):
    """No nan in fitted attributes; the loads are shares."""
    model = fitted.model
    for name in ("params_", "experts_", "gate_", "lower_bounds_", "load_", "n_iter_", "restarts_"):
        no_nan(getattr(model, name), name)
    holds(np.isfinite(model.lower_bounds_).all(), "lower_bounds_ is not finite")
    holds(abs(model.load_.sum() - 1.0) < SUMS and (model.load_ >= 0).all(), "load_ are no shares")


def leaves(fitted):
    """The number of experts is the one that was asked for."""
    configuration, model = fitted.configuration, fitted.model
    depth, branching = configuration["depth"], configuration["branching"] or 2
    wanted = configuration["n_experts"] or (3 if configuration["tree"] else None)
    if wanted is None and isinstance(depth, int):
        wanted = branching**depth
    K = model.n_experts_
    holds(wanted is None or wanted == K, f"{wanted} experts were asked for, there are {K}")
    widths = {len(model.load_), model.tree_.n_leaves, model.gate_proba(fitted.X).shape[1]}
    holds(widths == {K}, "K differs between attributes")


def objective(fitted):
    """The objective never falls; families that are exact never need the guard.

    A fall within the rounding of the sums, 1e-9 of the objective's size, is none.
    """
    bounds, history = fitted.model.lower_bounds_, fitted.model.history_
    expert, gate = fitted.traits
    drawn = "stochastic" in fitted.configuration.settings.get("algorithm", "")
    if gate.routed or drawn or expert.refitted or gate.refitted:
        return
    slack = 1e-9 * (1.0 + np.abs(bounds))
    if "n_finalists" not in fitted.configuration.settings:
        holds((np.diff(bounds) >= -slack[1:]).all(), "lower_bounds_ falls")
    if expert.exact and gate.exact and "hard" not in fitted.configuration.settings.get("algorithm", ""):
        rejected = history.objective[~history.accepted]
        best = np.interp(np.flatnonzero(~history.accepted), np.flatnonzero(history.accepted), bounds)
        holds((rejected >= best - 1e-9 * (1.0 + np.abs(best))).all(), "a step of exact families lowers the objective")


def public_objective(fitted):
    """The objective at the end is the public log-likelihood plus the log-prior, to rounding."""
    model, configuration = fitted.model, fitted.configuration
    expert, gate = fitted.traits
    parts = expert.cross_fitted, gate.cross_fitted, gate.routed, model.objective_ != "conditional"
    if any(parts) or {"labels", "groups"} & set(configuration.aligned) or "class_weight" in configuration.settings:
        return
    weight = configuration.aligned.get("sample_weight", np.ones(len(configuration.X)))
    seen = weight > 0
    each = model.log_likelihood(fitted.X, configuration.y, **fitted.rows)
    mean = (weight[seen] @ each[seen] + model.model_.log_prior_density(model.params_)) / weight.sum()
    error = abs(mean - model.lower_bounds_.max()) / (1.0 + np.abs(each[seen]).max())
    holds(error <= 1e-8, f"the objective and log_likelihood differ by {error:.1e}")


# -- of its answers ----------------------------------------------------------------------------------------------------


def probabilities(fitted):
    """Priors, responsibilities and class probabilities are probabilities, and finite is what must be."""
    model, X, y = fitted.model, fitted.X, fitted.configuration.y
    tables = {"gate_proba": model.gate_proba(X), "responsibilities": model.responsibilities(X, y, **fitted.seen)}
    if fitted.configuration.task == "classification":
        tables["predict_proba"] = model.predict_proba(X)
    for name, table in tables.items():
        no_nan(table, name)
        holds((table >= 0).all() and np.abs(table.sum(axis=1) - 1.0).max() < SUMS, f"{name} do not sum to one")
    each = model.log_likelihood(X, y, **fitted.seen)
    no_nan(each, "log_likelihood")
    weight = fitted.configuration.aligned.get("sample_weight")
    if "groups" not in fitted.seen and "labels" not in fitted.configuration.aligned:
        each = each if weight is None else each[weight > 0]
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
    no_nan(model.predict_experts(X, **fitted.rows), "predict_experts")
    no_nan(model.sample_y(X, 3, random_state=0, **fitted.rows), "sample_y")


def distribution(fitted):
    """Quantiles rise with the level and are where the distribution function says; scores are numbers.

    A quantile is accurate to 1e-6 of the distance between the outer ones, or where y has no closer numbers.
    """
    if fitted.configuration.task == "classification":
        return
    model, X, y = fitted.model, fitted.X, fitted.configuration.y
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
    crps = asked(lambda: dist.crps(y))
    no_nan(0.0 if crps is None else crps, "crps")


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
    model, y, X = fitted.model, fitted.configuration.y, fitted.X
    arguments = fitted.configuration.given("sample_weight")
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
    arguments = fitted.configuration.arguments
    table = asked(lambda: fitted.model.summary(fitted.X, fitted.configuration.y, **arguments))
    if table is not None:
        holds("np." not in str(table), "a type of numpy in the summary")
        table._repr_html_()


def new_rows(fitted):
    """Rows that the fit has not seen, some of them far away, get numbers or a refusal in words."""
    configuration, model = fitted.configuration, fitted.model
    X = np.vstack([configuration.X[::-1] * 3.0, configuration.X * 1e4 - 1.0, np.zeros_like(configuration.X)])
    arguments = {name: np.tile(values, 3) for name, values in fitted.rows.items()}
    table = configuration.table(X)
    proba = asked(lambda: model.gate_proba(table))
    if proba is not None:
        no_nan(proba, "gate_proba of new rows")
        no_nan(model.predict(table, **arguments), "predict of new rows")


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


def same_bits(a, b, name):
    holds(all(np.array_equal(u, v, equal_nan=True) for u, v in zip(arrays(a), arrays(b), strict=True)), name)


def arrays(value):
    """The arrays within named tuples."""
    if isinstance(value, tuple | list):
        return [array for item in value for array in arrays(item)]
    return [value] if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" else []


def pickled(fitted):
    """A pickle answers as the model does, to the bit."""
    again = pickle.loads(pickle.dumps(fitted.model))
    same_bits(again.params_, fitted.model.params_, "a pickle has other parameters")
    same_bits([again.gate_proba(fitted.X)], [fitted.model.gate_proba(fitted.X)], "a pickle answers otherwise")


# -- of other fits -----------------------------------------------------------------------------------------------------


def row_order(fitted):
    """The order of the rows has no influence."""
    order = np.random.default_rng(0).permutation(len(fitted.configuration.X))
    fitted.compare(fitted.short.take(order))


def repeated_rows(fitted):
    """A weight of two is a row twice; a group with a weight of two is a group twice."""
    short, n = fitted.short, len(fitted.configuration.X)
    times = np.arange(n) % 3 + (short.task == "classification")  # every class keeps its rows
    groups = short.aligned.get("groups")
    if groups is not None:
        times = np.unique(groups, return_inverse=True)[1] % 3
    times = times + (times.sum() == 0)
    index = np.repeat(np.arange(n), times)
    again = short.take(index)
    if groups is not None:
        turn = np.concatenate([np.arange(t) for t in times])
        again = again.with_aligned(groups=3 * np.unique(again.aligned["groups"], return_inverse=True)[1] + turn)
    weight = short.aligned.get("sample_weight", np.ones(n)) * times
    weighted = replace(fitted, configuration=short.with_aligned(sample_weight=weight))
    if (weight > 0).any():
        weighted.compare(again)


def units_of_X(fitted):
    """Columns in other units, and from another zero, give the same densities of y.

    With ``standardize=True`` or no penalty at all; and where no coefficient is fixed. Columns move by a few standard
    deviations, and only where that loses no digits; sparse ones are scaled only.
    """
    X, short = fitted.configuration.X, fitted.short
    spread = np.where(X.std(axis=0) > 0, X.std(axis=0), 1.0)
    size = 2.0 ** (np.arange(X.shape[1]) % 5 * 6 - 12)
    near = (np.abs(X).max(axis=0) < 1e3 * spread) & (spread < 1e3 * np.abs(X).max(axis=0))
    shift = near * np.exp2(np.round(np.log2(spread))) * 4.0 * (fitted.configuration.form != "sparse")
    changed = replace(short, X=(X + shift) * size)
    fitted.compare(changed, at=replace(fitted.configuration, X=changed.X))


def units_of_y(fitted):
    """y in other units, and from another zero where the family has a location, changes densities by the Jacobian.

    Not of a lasso, whose strength has the units of y, and of the ridge of families with a log link whose dispersion has
    units: their penalties are stated in the units of y. A constant y has no spread that its noise could be a share of.
    """
    configuration, y = fitted.configuration, fitted.configuration.y
    scale, spread = 2.0**9, float(y.std(axis=0).min())
    near = 1e-3 * np.abs(y).max() < spread
    located = configuration.domain != "positive"
    shift = 4.0 * 2.0 ** np.round(np.log2(spread)) if located and near else 0.0
    changed = replace(fitted.short, y=(y + shift) * scale)
    if located and "offset" in changed.aligned:
        changed = changed.with_aligned(offset=changed.aligned["offset"] * scale)
    if "groups" not in changed.aligned:
        fitted.compare(changed, -np.log(scale) * (y.size // len(y)), changed)


def forms(fitted):
    """A data frame, sparse rows and arrays in another order are the same table."""
    others = ["array", "fortran", "frame"]
    if all(traits.sparse_input for traits in fitted.traits) and not fitted.configuration.ugly:
        others.append("sparse")
    other = others[len(fitted.configuration.X) % len(others)]
    form = "sparse" if fitted.configuration.form == "sparse" else other
    fitted.compare(replace(fitted.short, form=form), at=replace(fitted.configuration, form=form))


def jobs(fitted):
    """Starts that run at the same time give the same parameters, to the bit."""
    configuration = fitted.configuration
    if configuration["n_init"] is None:
        configuration = configuration.with_settings(n_init="2")
    alone = configuration.with_settings(random_state="1").quietly()
    with joblib.parallel_config(backend="threading"):
        several = configuration.with_settings(random_state="1", n_jobs="2").quietly()
    same_bits(several.params_, alone.params_, "n_jobs changes the parameters")


def warm_start(fitted):
    """Going on from a fit does not lose what it has reached."""
    configuration = fitted.configuration.with_settings(warm_start="True", on_empty=None)
    model = configuration.quietly()
    reached = model.lower_bounds_.max()
    arguments = configuration.arguments
    model.fit(configuration.table(), configuration.y, **arguments)
    holds(model.lower_bounds_.max() >= reached - 1e-9 * (1.0 + abs(reached)), "a warm start loses what was reached")


# -- which of them apply -----------------------------------------------------------------------------------------------


def always(fitted):
    return True


def comparable(fitted):
    """Whether fits can be compared: nothing is drawn row by row, and no user's estimator chooses among ties."""
    expert, gate = fitted.traits
    drawn = "stochastic" in fitted.configuration.settings.get("algorithm", "")
    return not (drawn or expert.refitted or gate.refitted)


def unit_free(fitted):
    """Whether the units of X have no influence."""
    settings = fitted.configuration.settings
    text = settings["expert"] + settings["gate"]
    plain = "fixed_coef" not in text and "sides" not in text and "intercept" not in text
    return comparable(fitted) and plain and not {"standardize", "expert_features", "gate_features"} & set(settings)


def has_units(fitted):
    """Whether y has units: densities of one scale whose penalties follow it."""
    configuration = fitted.configuration
    text = configuration.settings["expert"]
    scaled = configuration.domain in ("real", "two outputs", "positive") and fitted.traits[0].measure == "density"
    words = (
        "fixed_coef",
        "'inverse'",
        "scale_penalty",
        "PointMass",
        "intercept",
        "l1_ratio",
        "nverse",
        "Gaussian",
        "gaussian",
    )
    return comparable(fitted) and scaled and not any(word in text for word in words)


def can_start_warm(fitted):
    return comparable(fitted) and not fitted.traits[1].routed and "hard" not in str(fitted.configuration["algorithm"])


@dataclass(frozen=True)
class Check:
    """A promise: what checks it, of which fits, and the share of these that it is drawn for, as some are costly."""

    function: Callable
    applies: Callable = always
    share: float = 1.0

    @property
    def name(self):
        return self.function.__name__.replace("_", " ")

    def outcome(self, fitted):
        """None if the promise is kept, "excused", or what is broken."""
        try:
            with watched():
                self.function(fitted)
        except Failure as failure:
            return str(failure)
        except Excused:
            return "excused"


CHECKS = [
    Check(attributes),
    Check(leaves),
    Check(objective),
    Check(public_objective),
    Check(probabilities),
    Check(predictions),
    Check(distribution, share=0.5),
    Check(regions, share=0.2),
    Check(scores, share=0.5),
    Check(text, share=0.5),
    Check(summary, share=0.2),
    Check(new_rows, share=0.5),
    Check(subset, share=0.5),
    Check(pickled, share=0.2),
    Check(row_order, comparable, 0.3),
    Check(repeated_rows, comparable, 0.3),
    Check(units_of_X, unit_free, 0.3),
    Check(units_of_y, has_units, 0.3),
    Check(forms, comparable, 0.2),
    Check(jobs, share=0.05),
    Check(warm_start, can_start_warm, 0.1),
]
