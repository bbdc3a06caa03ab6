"""What must hold between fits: a function a promise, which raises `Failure` where it is broken.

`Excused` is raised where a problem is so ill-posed that rounding alone changes the fit as much.
"""

from dataclasses import replace

import joblib
import numpy as np

from .fitted import asked, holds, same_bits
from .limits import Excused

EXACT = 1e-9  # noise below this share of the largest y is of the size of rounding errors, as fits count them

__all__ = ["forms", "jobs", "repeated_rows", "row_order", "units_of_X", "units_of_y", "warm_start"]


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
    if not (weight > 0).any():
        return
    try:
        weighted.compare(again)
    except (ValueError, TypeError):  # fewer rows, or groups, than experts, perhaps
        if groups is not None:
            raise Excused from None  # groups are counted by their names: one that is there twice is two
        holds(asked(again.quietly) is asked(weighted.short.quietly) is None, "only one of two same tables is refused")


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
    units: their penalties are stated in the units of y. From another zero only where noise is left: residuals below
    1e-12 of the largest y are rounding errors, and with another zero these are others; the density of a row that is
    fitted exactly says no more than that.
    """
    configuration, y = fitted.configuration, fitted.configuration.y
    scale, spread, largest = 2.0**9, float(y.std(axis=0).min()), np.abs(y).max()
    near = 1e-3 * largest < spread
    located = configuration.domain != "positive"
    n_outputs = y.size // len(y)
    noisy = fitted.short_likelihood.max() < -n_outputs * np.log(EXACT * largest) if largest > 0 else False
    shift = 4.0 * 2.0 ** np.round(np.log2(spread)) if located and near and noisy else 0.0
    changed = replace(fitted.short, y=(y + shift) * scale)
    if located and "offset" in changed.aligned:
        changed = changed.with_aligned(offset=changed.aligned["offset"] * scale)
    if "groups" not in changed.aligned:
        fitted.compare(changed, -np.log(scale) * n_outputs, changed, digits=True)


def forms(fitted):
    """A data frame, sparse rows and arrays in another order are the same table."""
    others = ["array", "fortran", "frame"]
    made = {"expert_features", "gate_features"} & set(fitted.configuration.settings)  # not by all transformers
    if all(traits.sparse_input for traits in fitted.traits) and not fitted.configuration.ugly and not made:
        others.append("sparse")
    other = others[len(fitted.configuration.X) % len(others)]
    form = "sparse" if fitted.configuration.form == "sparse" else other
    fitted.compare(replace(fitted.short, form=form), at=replace(fitted.configuration, form=form))


def jobs(fitted):
    """Starts that run at the same time give the same parameters, to the bit."""
    configuration = fitted.configuration.with_settings(on_empty=None)
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
