"""Mean ranks with a critical difference, as in Demsar (2006), Figure 1."""

import numpy as np

from .ranks import critical_difference, ranked_groups

__all__ = ["draw_ranks"]

LINE = 0.28  # distance of two labels


def draw_ranks(path, names, ranks, n_tables, title):
    """Write an SVG whose bytes depend on the ranks alone."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    difference, order = critical_difference(len(names), n_tables), np.argsort(ranks, kind="stable")
    half = (len(names) + 1) // 2
    groups = ranked_groups(ranks, difference)
    depth = 0.3 + 0.16 * len(groups)
    with plt.rc_context({"svg.hashsalt": "ranks", "svg.fonttype": "none", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(7.2, 1.2 + 0.26 * half + 0.12 * len(groups)), layout="constrained")
        low, high = 1, len(names)
        axes.plot([low, high], [0, 0], "k-", lw=1)
        for rank in range(low, high + 1):
            axes.plot([rank, rank], [0, 0.1], "k-", lw=1)
            axes.text(rank, 0.15, str(rank), ha="center", va="bottom")
        for place, j in enumerate(order):
            left = place < half
            height = -depth - LINE * (place if left else len(names) - 1 - place)
            end = low - 0.2 if left else high + 0.2
            axes.plot([ranks[j], ranks[j], end], [0, height, height], color="0.35", lw=0.8)
            label = f"{names[j]}  {ranks[j]:.2f}"
            axes.text(end, height, f"{label} " if left else f" {label}", ha="right" if left else "left", va="center")
        for number, (first, last) in enumerate(groups):
            height = -0.18 - 0.16 * number
            ends = ranks[order[first]] - 0.06, ranks[order[last]] + 0.06
            axes.plot(ends, [height, height], color="C0", lw=3, solid_capstyle="butt")
        axes.plot([low, low + difference], [0.75, 0.75], color="C0", lw=3, solid_capstyle="butt")
        axes.text(low + difference + 0.1, 0.75, f"critical difference {difference:.2f}", va="center")
        axes.set_title(title, fontsize=10, loc="left")
        margin = 0.45 * (high - low)  # for the labels
        axes.set_xlim(low - margin, high + margin)
        axes.axis("off")
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
