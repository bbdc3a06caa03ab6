"""The explanation of predictions, as text, HTML, frames and a picture."""

import numpy as np

from ..numerics.checks import check_choice
from ..plot.sizes import sizes_in_words
from ..tables import Table, as_html, as_text, pandas_for

__all__ = ["Explanation"]

MOST_ROWS, MOST_COLUMNS, MOST_EXPERTS = 3, 10, 8  # that are shown in text
LEAST = 0.005  # of a prior and a responsibility that is shown
LONGEST = 14  # characters of an answer in the path
PARTS = "gate", "expert"


class Explanation:
    """Why a model predicts what it does, for one row or several: made by `hme.explain`.

    Attributes
    ----------
    columns : list of str of length J
    values : ndarray of object of shape (n, J)
        Values of the rows in the user's table; None where it does not have the column.
    parts : ndarray of shape (n, J, 2, T)
        What each column adds to each output, or to the probability of each class: through the gate, and within the
        experts. With `base` they add up to `mean`.
    base, mean : ndarray of shape (n, T)
        Predictions of the mean row and of the rows.
    prior : ndarray of shape (n, K)
    resp : ndarray of shape (n, K) or None
        Responsibilities, where y was given.
    experts : ndarray of shape (n, K, T)
        Mean, or class probabilities, of each expert.
    sizes : list of triples
        Of the mixtures whose average predicts the number of experts, the share, and what growing has changed of the
        hyper-parameters, where mixtures differ in it; one triple unless the tree has grown.
    dist : distribution
        The predictive distribution, as of `predict_dist`.
    outputs : tuple of length T
        Names of outputs or classes.
    y : ndarray or None
    words : Told
        The tree in words.
    coverage : float
        Of intervals.
    """

    def __init__(
        self,
        columns,
        values,
        parts,
        base,
        mean,
        *,
        sizes=None,
        prior,
        experts,
        dist,
        words,
        expert_names,
        outputs,
        task,
        y=None,
        resp=None,
        coverage=0.9,
        target_name="y",
    ):
        self.columns, self.values, self.parts, self.base, self.mean = columns, values, parts, base, mean
        self.prior, self.experts, self.dist, self.words = prior, experts, dist, words
        self.expert_names, self.outputs, self.task = expert_names, outputs, task
        self.sizes = sizes or [(prior.shape[1], 1.0, "")]
        self.y, self.resp, self.coverage, self.target_name = y, resp, coverage, target_name

    def __len__(self):
        return len(self.mean)

    def __getitem__(self, rows):
        """The explanation of some of the rows."""
        if isinstance(rows, int | np.integer):
            if not -len(self) <= rows < len(self):
                raise IndexError(f"row {rows} of {len(self)} rows")
            rows = [int(rows) % len(self)]
        index = np.arange(len(self))[rows]
        arrays = [getattr(self, name)[index] for name in ("values", "parts", "base", "mean")]
        return Explanation(
            self.columns,
            *arrays,
            sizes=self.sizes,
            prior=self.prior[index],
            experts=self.experts[index],
            dist=self.dist[index],
            words=self.words,
            expert_names=self.expert_names,
            outputs=self.outputs,
            task=self.task,
            y=None if self.y is None else self.y[index],
            resp=None if self.resp is None else self.resp[index],
            coverage=self.coverage,
            target_name=self.target_name,
        )

    # -- the path ------------------------------------------------------------------------------------------------------

    def branch_proba(self, resp=False):
        """Probability of each branch of each gating node, (n, M, B), before y is seen, or after.

        Where no mass reaches a node it is nan.
        """
        leaf, tree = (self.resp if resp else self.prior), self.words.tree
        below = np.einsum("mbk,nk->nmb", tree.paths, leaf)
        total = below.sum(axis=2, keepdims=True)
        return np.divide(below, total, out=np.full_like(below, np.nan), where=total > 0)

    def path(self, row=0):
        """The gates on the way to the most probable leaf of a row.

        Returns
        -------
        list of (int, int, float)
            Gating node, branch and its probability.
        """
        tree, proba, steps, m = self.words.tree, self.branch_proba()[row], [], 0
        best = int(self.prior[row].argmax())
        while tree.n_nodes:
            branch = int(np.flatnonzero(tree.paths[m, :, best])[0])
            steps.append((m, branch, float(proba[m, branch])))
            m = tree.children[m, branch]
            if m < 0:
                break
        return steps

    # -- numbers -------------------------------------------------------------------------------------------------------

    @property
    def tree_mean(self):
        """What the tree alone predicts, (n, T): `mean`, unless that is an average over sizes."""
        return np.einsum("nk,nkt->nt", self.prior, self.experts)

    def output(self, row=0, output=None):
        """Number of the output that is shown of a row: the most probable class, unless one is named."""
        if output is None:
            return int(self.mean[row].argmax()) if self.task == "classification" else 0
        if output not in self.outputs:
            raise ValueError(f"output = {output!r} must be one of {list(self.outputs)}.")
        return self.outputs.index(output)

    @property
    def strength(self):
        """Mean size of what each column adds, (J, 3): through the gate, within experts, and together."""
        both = np.concatenate([self.parts, self.parts.sum(axis=2, keepdims=True)], axis=2)
        return np.abs(both).mean(axis=(0, 3))

    def frame(self, of="columns"):
        """The explanation as a data frame.

        Parameters
        ----------
        of : {"columns", "experts", "path"}, default="columns"

        Returns
        -------
        pandas.DataFrame
            Of columns the `value` and what it adds through the `gate`, within the `expert`, and in `total`; of experts
            `prior`, `responsibility`, `mean`, and their product with the prior, `share`; of the path the `gate`, its
            `question`, the `answer` and its `probability`.
        """
        check_choice(of, "of", ("columns", "experts", "path"))
        pandas = pandas_for("frame")
        if of == "path":
            rows = [(i, *step) for i in range(len(self)) for step in self._steps(i)]
            return pandas.DataFrame(rows, columns=["row", "gate", "question", "answer", "probability", "odds"])
        if of == "experts":
            rows = [
                (i, label, name, self.prior[i, k], self._resp(i, k), self.experts[i, k, t])
                for i in range(len(self))
                for t, label in enumerate(self.outputs)
                for k, name in enumerate(self.expert_names)
            ]
            found = pandas.DataFrame(rows, columns=["row", "output", "expert", "prior", "responsibility", "mean"])
            return found.assign(share=found.prior * found["mean"])
        rows = [
            (i, label, name, self.values[i, j], *self.parts[i, j, :, t], self.parts[i, j, :, t].sum())
            for i in range(len(self))
            for t, label in enumerate(self.outputs)
            for j, name in enumerate(self.columns)
        ]
        return pandas.DataFrame(rows, columns=["row", "output", "column", "value", *PARTS, "total"])

    def _resp(self, row, k):
        return np.nan if self.resp is None else self.resp[row, k]

    def _steps(self, row):
        for m, branch, proba in self.path(row):
            question = self.words.questions[m]
            answers, used = question.answers, np.flatnonzero(self.words.tree.used[m])
            place = int(np.searchsorted(used, branch))
            child, answer = self.words.tree.children[m, branch], answers[place]
            if not answer or len(answer) > LONGEST:  # a score is no answer
                answer = f"leaf {~child}" if child < 0 else self.words.gates[child]
            yield self.words.gates[m], question.text, answer, proba, odds_in_words(proba)

    # -- text ----------------------------------------------------------------------------------------------------------

    def _parts(self, row, label):
        t = self.output(row)
        yield f"{label}{self._said(row, t)}"
        if len(self.sizes) > 1:
            yield (
                f"This is the average over {sizes_in_words(self.sizes)}. Path and experts are those of the tree, which "
                f"alone predicts {self.tree_mean[row, t]:.4g}."
            )
        if self.words.tree.n_nodes:
            steps = [[gate, text, answer, proba, odds] for gate, text, answer, proba, odds in self._steps(row)]
            columns = ["gate", "question", "answer", "probability", "odds"]
            yield ""
            yield Table(
                columns, steps, "Path to the most probable expert", formats=["", "", "", ".3f", ""], align="lllrr"
            )
        yield ""
        yield self._expert_table(row, t)
        yield ""
        yield self._column_table(row, t)

    def _said(self, row, t):
        """The prediction of a row in a sentence."""
        name, dist = self.target_name, self.dist[row]
        if self.task == "classification":
            said = f"{name} is {self.outputs[t]} with probability {self.mean[row, t]:.3g}"
            if self.y is not None:
                proba = float(np.ravel(dist.pmf(self.y[row : row + 1]))[0])
                said += f"; {self.y[row]} was observed, which had probability {proba:.3g}"
            return f"{said}."
        if len(self.outputs) > 1:
            means = ", ".join(
                f"{name}[{label}] = {mean:.4g}" for label, mean in zip(self.outputs, self.mean[row], strict=True)
            )
            seen = "" if self.y is None else f"; {', '.join(f'{value:.4g}' for value in self.y[row])} was observed"
            return f"{means}{seen}. The rest is about {name}[{self.outputs[t]}]."
        try:
            low, high = dist.interval(self.coverage)[0]
            between = f", between {low:.4g} and {high:.4g} with probability {self.coverage:g}"
        except NotImplementedError:
            between = ""
        said = f"{name} = {self.mean[row, t]:.4g}{between}"
        if self.y is None:
            return f"{said}."
        try:
            below = f", at the {float(np.ravel(dist.cdf(self.y[row]))[0]):.3f} quantile"
        except NotImplementedError:
            below = ""
        kind = "probability" if dist.discrete else "density"
        density = np.exp(float(np.ravel(dist.log_likelihood(self.y[row]))[0]))
        return f"{said}; {self.y[row]:.4g} was observed{below}, where the {kind} is {density:.3g}."

    def _expert_table(self, row, t):
        prior = self.prior[row]
        weight = prior if self.resp is None else np.maximum(prior, self.resp[row])
        shown = np.flatnonzero(weight >= LEAST)
        shown = np.sort(shown[np.argsort(-weight[shown], kind="stable")[:MOST_EXPERTS]])
        mean = "probability" if self.task == "classification" else "mean"
        headings = [
            "expert",
            "prior",
            *(["responsibility"] if self.resp is not None else []),
            mean,
            f"prior x {mean}",
            "",
        ]
        rows = []
        for k in shown:
            seen = [self.resp[row, k]] if self.resp is not None else []
            lines = self.words.equations[k]  # one, or a heading and a line for each output or class
            equation = lines[1 + t if len(lines) == 1 + len(self.outputs) > 2 else 0].strip()
            says = self.experts[row, k, t]
            rows.append([self.expert_names[k], prior[k], *seen, says, prior[k] * says, equation])
        formats = ["", ".3f", *([".3f"] if self.resp is not None else []), ".4g", ".4g", ""]
        left_out = len(prior) - len(shown)
        notes = [f"{left_out} more of small prior"] if left_out else []
        title = "Experts" if len(self.outputs) == 1 else f"Experts, of {self._output_name(t)}"
        return Table(headings, rows, title, notes, formats, align="l" + "r" * (len(headings) - 2) + "l")

    def _output_name(self, t):
        return f"P({self.outputs[t]})" if self.task == "classification" else f"{self.target_name}[{self.outputs[t]}]"

    def _column_table(self, row, t):
        own = self.parts[row, :, :, t]
        size = np.abs(own).max(axis=1)
        order = np.argsort(-np.abs(own.sum(axis=1)), kind="stable")
        order = order[size[order] > 0]
        shown, rest = order[:MOST_COLUMNS], order[MOST_COLUMNS:]
        rows = [["the mean row", None, None, None, f"{self.base[row, t]:.4g}"]]
        rows += [[self.columns[j], _short(self.values[row, j]), *own[j], own[j].sum()] for j in shown]
        if len(rest):
            rows.append([f"{len(rest)} more columns", None, *own[rest].sum(axis=0), own[rest].sum()])
        rows.append(["this row", None, None, None, f"{self.mean[row, t]:.4g}"])
        title = "What columns add" if len(self.outputs) == 1 else f"What columns add to {self._output_name(t)}"
        headings = ["", "value", "through the gate", "within experts", "together"]
        return Table(headings, rows, title, formats=["", "", "+.4g", "+.4g", "+.4g"], align="lrrrr")

    def _all(self):
        for row in range(min(len(self), MOST_ROWS)):
            if row:
                yield ""
            yield from self._parts(row, f"Row {row}: " if len(self) > 1 else "")
        if len(self) > MOST_ROWS:
            yield ""
            yield f"{len(self) - MOST_ROWS} more rows: index the explanation to see them, or call frame()."

    def __repr__(self):
        return as_text(self._all())

    def _repr_html_(self):
        return as_html(self._all())

    def plot(self, row=0, *, output=None, max_columns=8, figure=None):
        """Draw the explanation of a row: its experts, what columns add, and the predictive density.

        Parameters
        ----------
        row : int, default=0
        output : int or str or None, default=None
            A number of an output, or a class; by default the first, or the most probable one.
        max_columns : int, default=8
        figure : matplotlib Figure or None, default=None
            Where to draw; by default a new one.

        Returns
        -------
        ndarray of matplotlib Axes
        """
        from .picture import draw

        return draw(self[row], self.output(row, output), max_columns, figure)


def odds_in_words(proba):
    """Odds such as "9 : 1"."""
    if np.isnan(proba):
        return ""
    odds = proba / (1.0 - proba) if proba < 1.0 else np.inf
    if odds > 1e4:
        return "> 10000 : 1"
    return f"{odds:.3g} : 1" if odds >= 1 else f"1 : {1.0 / odds:.3g}"


def _short(value):
    """A value of a table in short."""
    if value is None:
        return None
    return f"{value:.5g}" if isinstance(value, float | np.floating) else str(value)
