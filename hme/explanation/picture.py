"""The picture of one explanation."""

import numpy as np

from ..numerics.checks import check_int
from ..plot.picture import as_text, colors_of, pyplot

__all__ = ["draw"]

MOST_EXPERTS = 8
TWO = "0.25", "0.7"  # through the gate, within experts; colours are for experts
SEEN = "#D55E00"
REACH, N_POINTS, MOST_COUNTS = 1e-3, 300, 300


def draw(one, t, max_columns, figure=None):
    """Draw the explanation of one row, of output t; return the Axes: experts, columns, distribution."""
    check_int(max_columns, "max_columns")
    own = one.parts[0, :, :, t]
    order = np.argsort(-np.abs(own.sum(axis=1)), kind="stable")
    order = order[np.abs(own[order]).max(axis=1) > 0]
    n_bars = min(len(order), max_columns + 1)
    if figure is None:
        high = max(3.2, 0.3 * max(n_bars, min(len(one.prior[0]), MOST_EXPERTS)) + 1.4)
        figure = pyplot().figure(figsize=(12.0, high), layout="constrained")
    axes = figure.subplots(1, 3, gridspec_kw={"width_ratios": [1.0, 1.4, 1.2]})
    _experts(axes[0], one, t)
    _columns(axes[1], one, t, order, max_columns)
    (_classes if one.task == "classification" else _density)(axes[2], one, t)
    return axes


def _named(one, t):
    return one.target_name if len(one.outputs) == 1 else one._output_name(t)


def _experts(ax, one, t):
    """Priors, with what the experts say; responsibilities as marks."""
    prior, colors = one.prior[0], colors_of(len(one.prior[0]))
    weight = prior if one.resp is None else np.maximum(prior, one.resp[0])
    shown = np.sort(np.argsort(-weight, kind="stable")[:MOST_EXPERTS])
    place = np.arange(len(shown))
    ax.barh(place, prior[shown], color=colors[shown], height=0.7)
    if one.resp is not None:
        ax.plot(one.resp[0, shown], place, "|", color="black", ms=13, mew=2.2, label="responsibility")
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, fontsize="small")
    labels = [f"{as_text(one.expert_names[k])}: {one.experts[0, k, t]:.3g}" for k in shown]
    ax.set_yticks(place, labels)
    ax.set(
        xlim=(0.0, 1.02), ylim=(len(shown) - 0.4, -0.6), xlabel="prior", ylabel=f"expert: its {as_text(_named(one, t))}"
    )


def _columns(ax, one, t, order, most):
    """A waterfall from the mean row to this one."""
    from matplotlib.patches import Patch

    own = one.parts[0, :, :, t]
    shown, rest = order[:most], order[most:]
    names = [_with_value(one, j) for j in shown] + ([f"{len(rest)} more"] if len(rest) else [])
    steps = np.concatenate([own[shown], own[rest].sum(axis=0, keepdims=True)] if len(rest) else [own[shown]])
    at = one.base[0, t]
    ax.axvline(at, color="0.6", lw=0.8, ls=":")
    ends = [at]
    for i, pair in enumerate(steps):
        for part, color in zip(pair, TWO, strict=True):
            ax.barh(i, part, left=at, color=color, height=0.62)
            at += part
            ends.append(at)
        ax.plot([at, at], [i - 0.35, i + 1.0], color="0.4", lw=0.8)
    ax.axvline(one.mean[0, t], color="black", lw=1.2)
    ax.set_yticks(np.arange(len(names)), names)
    ends.append(one.mean[0, t])
    room = 0.06 * (max(ends) - min(ends)) or 1.0
    ax.set(ylim=(max(len(names), 1) - 0.4, -0.6), xlim=(min(ends) - room, max(ends) + room))
    ax.set_xlabel(f"{as_text(_named(one, t))}: mean row {one.base[0, t]:.4g}, this row {one.mean[0, t]:.4g}")
    handles = [Patch(color=c, label=name) for c, name in zip(TWO, ("through the gate", "within experts"), strict=True)]
    style = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": 2, "frameon": False, "fontsize": "small"}
    ax.legend(handles=handles, **style)


def _with_value(one, j):
    """A column and its value in the row."""
    name, value = str(one.columns[j]), one.values[0, j]
    name = name if len(name) <= 24 else f"{name[:12]}\u2026{name[-11:]}"
    if value is None:
        return as_text(name)
    value = f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)
    return as_text(f"{name} = {value if len(value) <= 14 else value[:13] + chr(0x2026)}")


def _classes(ax, one, t):
    """Probabilities of the classes."""
    place = np.arange(len(one.outputs))
    ax.barh(place, one.mean[0], color=["0.35" if c == t else "0.7" for c in place], height=0.7)
    names = [as_text(label) for label in one.outputs]
    if one.y is not None:
        seen = [label == one.y[0] for label in one.outputs]
        ax.plot(one.mean[0][seen] + 0.03, place[seen], "<", color=SEEN, ms=8, label="observed")
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False, fontsize="small")
    ax.set_yticks(place, names)
    ax.set(xlim=(0.0, 1.08), ylim=(len(names) - 0.4, -0.6), xlabel="probability", ylabel=as_text(one.target_name))


def _density(ax, one, t):
    """The predictive density with the parts of the experts, the interval and the observed value."""
    dist = one.dist.marginal(t)
    seen = None if one.y is None else float(np.ravel(one.y[0])[t])
    ax.set(xlabel=as_text(_named(one, t)), ylabel="probability" if dist.discrete else "density")
    try:
        low, high = dist.icdf([REACH, 1.0 - REACH])[0]
        interval = dist.interval(one.coverage)[0]
    except NotImplementedError:
        ax.text(0.5, 0.5, "no density", ha="center", va="center", transform=ax.transAxes)
        return
    if seen is not None:
        low, high = min(low, seen), max(high, seen)
    points = np.linspace(low, high, N_POINTS)
    if dist.discrete:
        low, high = np.floor(low), np.ceil(high)
        points = np.arange(low, high + 1) if high - low < MOST_COUNTS else np.unique(np.rint(points))
    prior, colors = one.prior[0], colors_of(len(one.prior[0]))
    total = np.zeros(len(points))
    averaged = dist.weights.shape[1] != len(prior)  # over sizes, whose experts have no colours here
    if averaged:
        ax.fill_between(points, np.exp(dist.log_likelihood(points[None])[0]), color="0.8", alpha=0.6, lw=0.0)
    for k in [] if averaged else np.argsort(-prior, kind="stable")[:MOST_EXPERTS]:
        own = prior[k] * np.exp(dist.given(int(k)).log_likelihood(points[None])[0])
        own = np.where(np.isfinite(own), own, 0.0)
        ax.fill_between(
            points, total, total + own, color=colors[k], alpha=0.45, lw=0.0, step="mid" if dist.discrete else None
        )
        total = total + own
    whole = np.exp(dist.log_likelihood(points[None])[0])
    ax.plot(points, whole, color="black", lw=1.4, drawstyle="steps-mid" if dist.discrete else "default")
    ax.set(xlim=(points[0], points[-1]), ylim=(0.0, 1.08 * np.quantile(whole[np.isfinite(whole)], 0.999)))
    ax.axvspan(*interval, color="0.9", zorder=0, label=f"{one.coverage:g} interval")
    ax.axvline(one.mean[0, t], color="black", lw=1.2, ls="--", label="mean")
    if seen is not None:
        ax.axvline(seen, color=SEEN, lw=1.6, label="observed")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False, fontsize="small")
