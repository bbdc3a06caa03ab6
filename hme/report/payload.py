"""What the page shows: the tree, the rows, the scores and the starts, as lists, numbers and packed arrays."""

import numpy as np

from ..export.formula import NotExportable
from ..plot.miniatures import slots_of
from ..plot.node_trees import tree_of
from ..plot.picture import expert_labels, name_of, subject_of
from ..plot.sizes import sizes_in_words, sizes_of
from ..scoring import pit
from ..text.tree import told
from .encoding import packed
from .recipe import Column, recipe_of

__all__ = ["payload"]

BUDGET = 2_000_000  # bytes of the rows in the page
MOST_POINTS = 120  # of a start's curve
MOST_STARTS = 60
N_BINS = 20


def payload(model, X, y, *, title, max_rows, coverage, names, arguments):
    """The content of the page as a dict that JSON can hold.

    Parameters
    ----------
    model, X, y
        As for `write`.
    title, max_rows, coverage
        As for `write`.
    names : pair
        Names of the columns that the model sees, and of the target; None where they are to be found.
    arguments : dict
        Row arguments.
    """
    subject, target = subject_of(model, X), names[1] or name_of(y) or "y"
    mixture, n_whole = subject.mixture, len(y)
    some = _evenly(len(y), max_rows)
    table, y = _rows(subject.table, some), _rows(y, some)
    arguments = {name: value if np.ndim(value) == 0 else np.asarray(value)[some] for name, value in arguments.items()}
    subject = subject._replace(table=table)
    seen = subject.seen_by_mixture(table)
    answers = _Answers(mixture, seen, np.asarray(y), coverage, arguments)
    recipe, columns, reason = _recipe(subject, mixture, seen, arguments)
    shown = _evenly(len(y), max(BUDGET // _bytes(answers, columns, recipe), 100))
    labels = [str(label) for label in np.asarray(mixture.target_.labels).tolist()]
    return {
        "title": title,
        "target": target,
        "task": mixture.task,
        "outputs": labels,
        "slots": [str(slot) for slot in slots_of(mixture)],
        "n": int(len(some)),
        "whole": n_whole,
        "coverage": coverage,
        **_words(subject, mixture, names[0], target),
        "columns": [_column(column) for column in columns],
        "recipe": recipe,
        "averaged": _averaged(answers.sizes),
        "reason": reason,
        "rows": _packed_rows(answers, columns, shown, some, recipe is None),
        **answers.quality(),
        "starts": _starts(mixture),
        "notes": list(mixture.boundary_),
    }


def _averaged(sizes):
    """What predicts in words, where it is an average."""
    return sizes_in_words([(one.n_experts_, one.share, one.variant) for one in sizes]) if len(sizes) > 1 else ""


def _evenly(n, most):
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(int))


def _rows(table, some):
    return table.iloc[some] if hasattr(table, "iloc") else np.asarray(table)[some]


# -- words -------------------------------------------------------------------------------------------------------------


def _words(subject, mixture, feature_names, target):
    """The tree in words: questions, answers, equations, and the coefficients of the leaves."""
    names = feature_names or (subject.names_seen() if mixture is subject.model else None)
    words = told(mixture, names, target, 6)
    tree, load = tree_of(mixture), mixture.load_
    experts = expert_labels(mixture, mixture.n_experts_)
    questions = [
        {"name": name, "text": q.text, "answers": [a or "" for a in q.answers], "details": list(q.details)}
        for name, q in zip(words.gates, words.questions, strict=True)
    ]
    leaves = [
        {
            "name": name,
            "load": float(load[k]),
            "lines": [line.rstrip() for line in [*words.equations[k], *words.curves[k]]],
        }
        for k, name in enumerate(experts)
    ]
    return {"tree": tree.children.tolist(), "questions": questions, "leaves": leaves}


# -- rows --------------------------------------------------------------------------------------------------------------


def _recipe(subject, mixture, seen, arguments):
    """What predicts in the browser, the columns of the rows, and why there is no recipe if there is none."""
    columns = [subject.column(j) for j in range(len(subject.names))]
    try:
        if mixture is not subject.model:
            raise NotExportable("the models of a stack are not written into the page")
        if any(np.ndim(value) for value in arguments.values()):
            raise NotExportable("row arguments are not written into the page")
        recipe, made = recipe_of(mixture, seen, subject.names_seen(), subject.names, columns, arguments)
        return recipe, made, ""
    except NotExportable as error:
        made = []
        for name, values in zip(subject.names, columns, strict=True):
            try:
                made.append(Column(name, values.astype(float), None))
            except (TypeError, ValueError):
                levels, codes = np.unique(values.astype(str), return_inverse=True)
                made.append(Column(name, codes.astype(float), levels.tolist()))
        return None, made, str(error)


def _column(column):
    """What the page needs to know of a column."""
    values = column.values[np.isfinite(column.values)]
    made = {"name": column.name, "levels": column.levels}
    if column.levels is None:
        values = values if len(values) else np.zeros(1)  # nothing is known of the column
        whole = bool(np.array_equal(values, np.rint(values)))
        made |= {"low": float(values.min()), "high": float(values.max()), "mean": float(values.mean()), "whole": whole}
    return made


def _bytes(answers, columns, recipe):
    """About the bytes of a row of the page: eight of a number become eleven characters."""
    n_leaves, n_outputs = answers.experts.shape[1:]
    stored = 0 if recipe else 6 * n_leaves * n_outputs
    return 11 * (len(columns) + answers.y.shape[1] + n_outputs + 1) + 3 * n_leaves + stored


def _packed_rows(answers, columns, shown, some, stored):
    """The rows of the page, as packed arrays; what experts say of them only where the page cannot tell."""
    X = [packed(c.values[shown], "f8" if c.levels is None else "u2") for c in columns]
    rows = {"number": [int(i) for i in some[shown]], "X": X, "y": packed(answers.y[shown])}
    rows["mean"] = packed(answers.mean[shown])
    rows["prior"] = packed(answers.prior[shown], "u1")
    rows["resp"] = packed(answers.resp[shown], "u1")
    rows["experts"] = packed(answers.experts[shown], "f4") if stored else None
    return rows


class _Answers:
    """What the model says of the rows."""

    def __init__(self, mixture, seen, y, coverage, arguments):
        self.coverage, self.task = coverage, mixture.task
        self.prior = mixture.gate_proba(seen)
        self.resp = mixture.responsibilities(seen, y, **arguments)
        self.experts = mixture.model_.expert.predict(mixture.params_.experts, mixture.rows(seen, **arguments))
        self.sizes = sizes_of(mixture)
        self.mean = 0.0
        for one in self.sizes:
            answers = one.answers(one.rows(mixture, seen, **arguments))
            self.mean = self.mean + one.share * np.einsum("nk,nkt->nt", *answers)
        self.classes = mixture.target_.labels
        self.given = y
        codes = np.searchsorted(np.asarray(self.classes), y) if self.task == "classification" else y
        self.y = np.asarray(codes, dtype=float).reshape(len(y), -1)
        try:
            self.dist = mixture.predict_dist(seen, **arguments)
        except NotImplementedError:
            self.dist = None

    def quality(self):
        """Scores and calibration of the rows of the page."""
        return self._of_classes() if self.task == "classification" else self._of_numbers()

    def _of_classes(self):
        code = self.y[:, 0].astype(int)
        own = np.take_along_axis(self.mean, code[:, None], axis=1)[:, 0]
        best, top = self.mean.argmax(axis=1), self.mean.max(axis=1)
        one_hot = np.eye(self.mean.shape[1])[code]
        with np.errstate(divide="ignore"):
            scores = [
                ["accuracy", float((best == code).mean())],
                ["mean log-probability of the class", float(np.log(own).mean())],
                ["Brier score", float(((self.mean - one_hot) ** 2).sum(axis=1).mean())],
            ]
        edges = np.linspace(0.0, 1.0, 11)
        place = np.clip(np.digitize(top, edges) - 1, 0, 9)
        bins = [
            [float(top[place == b].mean()), float((best == code)[place == b].mean()), int((place == b).sum())]
            for b in range(10)
            if (place == b).any()
        ]
        return {"scores": _finite(scores), "calibration": {"kind": "reliability", "bins": bins}}

    def _of_numbers(self):
        residual = self.y - self.mean
        spread = ((self.y - self.y.mean(axis=0)) ** 2).sum()
        scores = [["R2", float(1.0 - (residual**2).sum() / spread) if spread > 0 else 0.0]]
        scores.append(["root mean squared error", float(np.sqrt((residual**2).mean()))])
        made = {"kind": "none", "bins": []}
        try:
            if self.dist is None:
                raise NotImplementedError
            scores.append(["mean log-density", float(np.mean(self.dist.log_likelihood(self.given)))])
            own = self.dist if self.y.shape[1] > 1 else self.dist.marginal(0)
            scores.append(["continuous ranked probability score", float(np.mean(own.crps(self.given)))])
            for t in range(self.y.shape[1]):
                low, high = self.dist.marginal(t).interval(self.coverage).T
                inside = (self.y[:, t] >= low) & (self.y[:, t] <= high)
                of = f" of y[{t}]" if self.y.shape[1] > 1 else ""
                scores.append([f"share{of} inside the {self.coverage:g} interval", float(inside.mean())])
            values = np.ravel(pit(self.dist, self.given, 0))
            made = {"kind": "pit", "bins": np.histogram(values, N_BINS, (0.0, 1.0))[0].tolist()}
        except NotImplementedError:
            pass
        return {"scores": _finite(scores), "calibration": made}


def _finite(scores):
    return [[name, value] for name, value in scores if np.isfinite(value)]


def _starts(mixture):
    """The starts: how each went and where it ended."""
    made = []
    order = sorted(range(len(mixture.restarts_)), key=lambda i: (not mixture.restarts_[i].kept, i))[:MOST_STARTS]
    for number in sorted(order):
        start, history = mixture.restarts_[number], mixture.from_restart(number).history_
        curve = history.objective[history.accepted]
        sweeps = _evenly(len(curve), MOST_POINTS) if len(curve) else []
        made.append(
            {
                "number": number,
                "start": start.start,
                "objective": float(start.objective),
                "sweeps": int(start.n_iter),
                "ended": start.reason,
                "kept": bool(start.kept),
                "curve": [[int(i) + 1, round(float(curve[i]), 7)] for i in sweeps],
            }
        )
    return made
