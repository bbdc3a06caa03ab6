"""Drawing a tree: boxes with questions, bands as wide as their load, and miniatures beside the leaves."""

import numpy as np

from .picture import as_text, colors_of
from .places import LINE, POINT, block_of, place

__all__ = ["Painting"]

MARGIN, PAD, GAP = 0.15, 0.09, 0.16  # inches: around the picture, inside of boxes, between answers and what is beside
BAND = 0.75  # height of the whole load, in inches; more where there are many leaves
MINIATURE = 1.7, 0.72  # width and height, in inches
ROW_GAP = 0.2
INK, PALE = "0.15", "0.45"
STYLES = "-", "--", ":", "-."


class Painting:
    """The picture of a `TreeDisplay`, laid out in inches.

    Attributes
    ----------
    size : pair of float
        Width and height, in inches.
    """

    def __init__(self, display, fontsize):
        self.display, self.font = display, float(fontsize)
        tree, n_leaves = display.tree, len(display.load)
        self.band = BAND * np.clip(n_leaves / 6.0, 1.0, 3.0)
        self.colors = colors_of(n_leaves)
        names = display.expert_names or [str(k) for k in range(n_leaves)]
        called = [f"leaf {k}" if name == str(k) else f"leaf {k} {name}" for k, name in enumerate(names)]
        self.titles = [
            block_of([_plain(f"{name}, load {load:.2f}")], self.font, 42, 2, weight="bold")
            for name, load in zip(called, display.load, strict=True)
        ]
        small = self.font - 1.0
        self.equations = [block_of(map(_plain, lines), small, 48, 9) for lines in display.equations]
        self.questions = [block_of([_plain(q.text)], self.font, 24, 8, hang=0) for q in display.questions]
        self.heads = [
            block_of([f"{name}, load {load:.2f}"], small - 1.0, 40, 1)
            for name, load in zip(display.gate_names, display.node_load, strict=True)
        ]
        self.details = [block_of(map(_plain, q.details), small - 1.0, 36, 16, "monospace") for q in display.questions]
        self.answers = [[block_of([_plain(a)], small, 28, 5, hang=0) for a in q.answers] for q in display.questions]
        self.labels = self._labels()
        self._arrange(tree)

    # -- sizes ---------------------------------------------------------------------------------------------------------

    def _labels(self):
        """Texts left of miniatures: names of columns, or marks of the vertical axis, as blocks."""
        display = self.display
        if display.bars is not None:
            return [block_of([_shortened(name)], self.font - 2.0, 60, 1) for name in display.bars.names]
        if display.lines is not None:
            self.limits = _limits(display.lines)
            self.marks = _marks(*self.limits)
            return [block_of([f"{mark:g}"], self.font - 2.0, 60, 1) for mark in self.marks]
        return []

    def _arrange(self, tree):
        n_bars = 0 if self.display.bars is None else len(self.display.bars.names)
        self.mini = MINIATURE[0], max(MINIATURE[1], n_bars * (self.font - 2.0) * POINT * LINE)
        self.label_width = max((label.width for label in self.labels), default=0.0) + (0.06 if self.labels else 0.0)
        texts = [title.height + text.height for title, text in zip(self.titles, self.equations, strict=True)]
        heights = np.maximum(np.array(texts), self.mini[1] if self._any_miniature() else 0.0)
        for m, answers in enumerate(self.answers):
            for child, answer in zip(tree.children[m][tree.used[m]], answers, strict=True):
                if child < 0:
                    heights[~child] = max(heights[~child], answer.height)
        size = np.zeros((tree.n_nodes, 2))
        for m, blocks in enumerate(zip(self.heads, self.questions, self.details, strict=True)):
            size[m] = max(block.width for block in blocks), sum(block.height for block in blocks)
            size[m] += 2.0 * PAD
        self.node_size = size
        answer_width = np.array([max([a.width for a in answers] + [0.3]) for answers in self.answers])
        self.places = place(tree, size, answer_width, heights, GAP, ROW_GAP, self.band * self.display.node_load)
        self.left = self.places.leaf_left + 0.12 + self.label_width  # of miniatures
        self.text_left = self.left + (self.mini[0] + 0.16 if self._any_miniature() else 0.0)
        text = max(max(t.width, e.width) for t, e in zip(self.titles, self.equations, strict=True))
        self.notes = self._notes()
        self.below = 0.0 if not self._any_miniature() else 0.22 if self.display.lines is None else 0.42
        self.foot = self.below + self.notes.height + (0.05 if self.notes.lines else 0.0)
        right = max(self.text_left + text, self.notes.width)
        self.size = right + 2.0 * MARGIN, self.places.top + self.foot + 2.0 * MARGIN

    def _any_miniature(self):
        return any(part is not None for part in (self.display.lines, self.display.bars, self.display.targets))

    def _notes(self):
        """What the miniatures show, as text below the picture."""
        display, lines = self.display, []
        slots = (display.lines or display.bars).slots if display.lines or display.bars else ()
        if display.bars is not None:
            lines.append("Bars: slopes times the standard deviations of their columns.")
            if len(slots) > 1:
                names = ", ".join(map(str, slots))
                lines[0] = f"Slopes times the standard deviations of their columns: blue +, orange -; of {names}."
            if display.bars.curved.any():
                pale = "Pale bars, of" if len(slots) == 1 else "Of"
                lines.append(
                    f"{pale} curves s( ): their standard deviations, with the sign of the way from end to end."
                )
        if display.lines is not None and len(slots) > 1:
            kinds = zip(("solid", "dashed", "dotted", "dash-dotted"), slots, strict=False)
            lines.append("Lines: " + ", ".join(f"{slot} {kind}" for kind, slot in kinds) + ".")
        if display.targets is not None:
            lines.append(f"Histograms: {display.target_name} of the rows of an expert.")
        if display.remark:
            lines.append(display.remark)
        return block_of(map(_plain, lines), self.font - 1.5, 110, 6)

    # -- drawing -------------------------------------------------------------------------------------------------------

    def draw(self, ax):
        """Draw into an Axes, which is given the picture's coordinates; return the Axes of the miniatures."""
        width, height = self.size
        ax.set(xlim=(-MARGIN, width - MARGIN), ylim=(-MARGIN - self.foot, height - MARGIN - self.foot))
        ax.set_aspect("equal")
        ax.set_axis_off()
        box = ax.get_window_extent()
        dpi = ax.figure.dpi
        self.scale = min(box.width / dpi / width, box.height / dpi / height)
        for m in range(self.display.tree.n_nodes):
            self._bands(ax, m)
        for m in range(self.display.tree.n_nodes):
            self._node(ax, m)
        axes = [self._leaf(ax, k) for k in range(len(self.display.load))]
        drawn = [mini for mini in axes if mini is not None]
        if drawn:
            self._axis(drawn[-1], ax)
        if self.notes.lines:
            self._text(ax, 0.0, -self.foot, self.notes, va="bottom", color=PALE)
        return axes

    def _text(self, ax, x, y, block, **style):
        style = {
            "va": "center",
            "color": INK,
            "family": block.family,
            "weight": block.weight,
            "linespacing": 1.2,
        } | style
        return ax.text(x, y, as_text(block.text), size=block.size * self.scale, **style)

    def _bands(self, ax, m):
        """What leads from a node to its branches, and their answers."""
        from matplotlib.patheffects import withStroke

        tree, places, load = self.display.tree, self.places, self.display.load
        children = tree.children[m][tree.used[m]]
        mass = (tree.paths[m] @ load)[tree.used[m]]
        x0, y0 = places.node[m] + [places.node_width[m], 0.0]
        upper = y0 + 0.5 * self.band * mass.sum()
        for child, share, answer in zip(children, mass, self.answers[m], strict=True):
            if child < 0:
                x1, y1, color = places.leaf_left, places.leaf[~child], self.colors[~child]
            else:
                (x1, y1), color = places.node[child], "0.6"
            thick = self.band * share
            start, turn = upper - 0.5 * thick, places.turn[m] - GAP
            _band(ax, x0, start, turn, y1, x1, max(thick, 0.015), color)
            upper -= thick
            if answer.lines:
                text = self._text(ax, turn - 0.02, y1, answer, ha="right")
                text.set_path_effects([withStroke(linewidth=2.0 * self.scale, foreground="white")])

    def _node(self, ax, m):
        from matplotlib.patches import FancyBboxPatch

        (x, y), width = self.places.node[m], self.places.node_width[m]
        head, question, detail = self.heads[m], self.questions[m], self.details[m]
        height = max(self.node_size[m, 1], self.band * self.display.node_load[m])
        box = FancyBboxPatch(
            (x + 0.04, y - 0.5 * height + 0.04),
            width - 0.08,
            height - 0.08,
            boxstyle="round,pad=0.04,rounding_size=0.06",
            facecolor="white",
            edgecolor="0.35",
            lw=self.scale,
        )
        ax.add_patch(box)
        top = y + 0.5 * self.node_size[m, 1] - PAD
        for block, style in ((head, {"color": PALE}), (question, {}), (detail, {"ha": "left"})):
            if block.lines:
                left = x + PAD if "ha" in style else x + 0.5 * width
                self._text(ax, left, top, block, **{"ha": "center", "va": "top"} | style)
            top -= block.height

    def _leaf(self, ax, k):
        from matplotlib.patches import Rectangle

        y, title, text = self.places.leaf[k], self.titles[k], self.equations[k]
        thick = max(self.band * self.display.load[k], 0.015)
        corner = self.places.leaf_left, y - 0.5 * thick
        ax.add_patch(Rectangle(corner, 0.05, thick, facecolor=self.colors[k], lw=0.0))
        top = y + 0.5 * (title.height + text.height)
        self._text(ax, self.text_left, top, title, va="top")
        self._text(ax, self.text_left, top - title.height, text, va="top")
        draw = self._miniature_of(k)
        if draw is None:
            return None
        corner = self.left, y - 0.5 * self.mini[1]
        mini = ax.inset_axes((*corner, *self.mini), transform=ax.transData)
        mini.set(xticks=[], yticks=[], facecolor="none")
        mini.spines[:].set(color="0.7", lw=0.6 * self.scale)
        draw(mini, k)
        return mini

    def _miniature_of(self, k):
        """The method that draws the miniature of a leaf."""
        display = self.display
        if display.lines is not None:
            return self._lines
        if display.bars is not None and not np.isnan(display.bars.effects[k]).any():
            return self._bars if display.bars.effects.shape[2] == 1 else self._cells
        return None if display.targets is None else self._histogram

    # -- miniatures ----------------------------------------------------------------------------------------------------

    def _lines(self, ax, k):
        from matplotlib.collections import LineCollection

        lines, color, scale = self.display.lines, self.colors[k], self.scale
        for s in range(len(lines.slots)):
            if lines.data_y is not None:
                alpha = np.clip(lines.share[:, k], 0.0, 1.0) * 0.7
                ax.scatter(lines.data_x, lines.data_y[:, s], s=4 * scale**2, color="0.3", alpha=alpha, lw=0.0, zorder=3)
            points = np.column_stack([lines.x, lines.means[k, :, s]])
            segments = np.stack([points[:-1], points[1:]], axis=1)
            # Where the expert has little to say its line fades to white. Dashes need a line of one piece.
            if s % len(STYLES) == 0:
                shade = 1.0 - (1.0 - color[:3]) * (0.15 + 0.85 * lines.prior[:-1, k, None])
                style = {"linewidths": 2.2 * scale, "capstyle": "projecting", "zorder": 2}
                ax.add_collection(LineCollection(segments, colors=shade, **style))
            else:
                ax.plot(*points.T, color=color, ls=STYLES[s % len(STYLES)], lw=1.4 * scale, zorder=2)
        ax.set(xlim=(lines.x[0], lines.x[-1]), ylim=self.limits)
        size = (self.font - 2.0) * scale
        ax.set_yticks(self.marks, [label.text for label in self.labels], size=size, color=PALE)
        ax.tick_params(axis="y", length=2 * scale, width=0.6 * scale, pad=1.5 * scale, color="0.7")

    def _bars(self, ax, k):
        bars = self.display.bars
        reach = np.nanmax(np.abs(bars.effects)) * 1.05 or 1.0
        place = np.arange(len(bars.names))[::-1]
        pale = 1.0 - (1.0 - self.colors[k][:3]) * np.where(bars.curved, 0.5, 1.0)[:, None]
        ax.barh(place, bars.effects[k, :, 0], height=0.7, color=pale)
        ax.axvline(0.0, color="0.4", lw=0.7 * self.scale)
        ax.set(xlim=(-reach, reach), ylim=(-0.6, len(place) - 0.4))
        self._named(ax, place)

    def _cells(self, ax, k):
        bars = self.display.bars
        reach = np.nanmax(np.abs(bars.effects), axis=(0, 1))
        shade = bars.effects[k] / np.where(reach > 0, reach, 1.0)
        blue, orange = colors_of(2)[:, :3]
        strength = np.abs(shade)[..., None]
        ax.imshow(1.0 - strength * (1.0 - np.where(shade[..., None] > 0, blue, orange)), aspect="auto")
        self._named(ax, np.arange(len(bars.names)))

    def _named(self, ax, place):
        """Names of the columns at the left."""
        size = (self.font - 2.0) * self.scale
        ax.set_yticks(place, [as_text(label.text) for label in self.labels], size=size, color=INK)
        ax.tick_params(axis="y", length=0, pad=2.0 * self.scale)

    def _histogram(self, ax, k):
        targets = self.display.targets
        ax.stairs(targets.height[k], targets.edges, fill=True, color=self.colors[k])
        ax.set_xlim(targets.edges[0], targets.edges[-1])
        ax.set_ylim(0.0, max(targets.height[k].max(), 1e-9) * 1.08)

    def _axis(self, mini, ax):
        """Marks of the horizontal axis, below the last miniature."""
        size, lines, bars = (self.font - 2.0) * self.scale, self.display.lines, self.display.bars
        mini.tick_params(axis="x", length=2 * self.scale, width=0.6 * self.scale, pad=1.5 * self.scale, color="0.7")
        if lines is not None:
            marks = _marks(lines.x[0], lines.x[-1])
            mini.set_xticks(marks, [f"{mark:g}" for mark in marks], size=size, color=PALE)
            mini.set_xlabel(
                as_text(_shortened(lines.name)), size=size + self.scale, color=INK, labelpad=1.0 * self.scale
            )
        elif bars is not None and bars.effects.shape[2] > 1 and len(mini.images):
            labels = [block_of([str(slot)], self.font - 2.0, 60, 1) for slot in bars.slots]
            if max(label.width for label in labels) < 0.95 * self.mini[0] / len(labels):
                mini.set_xticks(range(len(labels)), [as_text(label.text) for label in labels], size=size, color=INK)
        elif bars is not None and len(mini.patches):
            reach = np.nanmax(np.abs(bars.effects))
            mark = _marks(0.0, reach)[-1] if reach else 1.0
            mini.set_xticks([-mark, 0.0, mark], [f"{-mark:g}", "0", f"{mark:g}"], size=size, color=PALE)


def _band(ax, x0, y0, turn, y1, x1, thick, color):
    """A band that leaves at (x0, y0), has reached the height y1 at `turn`, and goes on to x1."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    half, mid = 0.5 * thick, 0.5 * (x0 + turn)
    points = [(x0, y0 + half), (mid, y0 + half), (mid, y1 + half), (turn, y1 + half), (x1, y1 + half)]
    points += [(x1, y1 - half), (turn, y1 - half), (mid, y1 - half), (mid, y0 - half), (x0, y0 - half), (x0, y0 + half)]
    M, L, C = Path.MOVETO, Path.LINETO, Path.CURVE4
    codes = [M, C, C, C, L, L, L, C, C, C, Path.CLOSEPOLY]
    ax.add_patch(PathPatch(Path(points, codes), facecolor=color, alpha=0.35, lw=0.0, zorder=0.5))


def _plain(text):
    """Text with the signs of print."""
    return str(text).replace("+/-", "\u00b1")


def _shortened(name, most=22):
    """A name of a column in at most so many characters, without its middle."""
    name = str(name)
    return name if len(name) <= most else f"{name[: most - 10]}\u2026{name[-9:]}"


def _limits(lines):
    """Ends of the vertical axis of lines: of the rows, or of the lines where they count."""
    if lines.data_y is not None:
        low, high = lines.data_y.min(), lines.data_y.max()
    else:
        counts = np.broadcast_to(lines.prior.T[:, :, None] > 0.05, lines.means.shape)
        low, high = lines.means[counts].min(), lines.means[counts].max()
    room = 0.06 * (high - low) or 1.0
    return low - room, high + room


def _marks(low, high):
    """Two or three round numbers in a range."""
    from matplotlib.ticker import MaxNLocator

    found = MaxNLocator(nbins=3, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    return [mark for mark in found if low <= mark <= high][:4]
