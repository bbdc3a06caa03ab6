"""The steps of a prediction, one after another, in the words of a language: Python or a dialect of SQL."""

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np

from .leaves import LOWEST, Near

__all__ = ["Language", "Layer", "layers"]

FAR = 1e4  # standard deviations from zero beyond which columns are centred: coefficients would lose digits
MOST_TERMS = 100  # of a sum in one pair of brackets
LARGEST_EXPONENT = 700.0  # of e, so that powers neither overflow nor vanish


class Layer(NamedTuple):
    """Names and what they stand for, in terms of earlier layers."""

    title: str
    names: list
    values: list


class Language(ABC):
    """How expressions are written."""

    @abstractmethod
    def number(self, value): ...

    @abstractmethod
    def column(self, place):
        """The input at a place, as a number."""

    @abstractmethod
    def held(self, value, low, high):
        """A value moved into an interval, ends as text."""

    @abstractmethod
    def exponential(self, value): ...

    @abstractmethod
    def largest(self, values): ...

    @abstractmethod
    def exceeds(self, value, other, equal):
        """1 where a value is larger than another one, or where `equal` at least as large; else 0."""

    @abstractmethod
    def below(self, count, limit, value, otherwise):
        """A value where a count is below a limit; else the other one."""

    def linear(self, intercept, terms):
        """A sum of an intercept and products of coefficients and names."""
        made = [self.number(intercept)] if intercept or not terms else []
        for coef, name in terms:
            sign = "- " if coef < 0 else "+ " if made else ""
            made.append(f"{sign}{self.number(abs(coef))} * {name}")
        return _bracketed(made)

    def power(self, value):
        """e to a value, with an exponent that is kept in bounds."""
        ends = self.number(-LARGEST_EXPONENT), self.number(LARGEST_EXPONENT)
        return self.exponential(self.held(value, *ends))


def _bracketed(terms):
    """A sum of terms that bring their signs, in brackets of not too many terms: parsers have limits."""
    while len(terms) > MOST_TERMS:
        groups = [terms[i : i + MOST_TERMS] for i in range(0, len(terms), MOST_TERMS)]
        terms = [("+ " if i else "") + f"(0 {' '.join(g)})" if i else f"({' '.join(g)})" for i, g in enumerate(groups)]
    return " ".join(terms)


def _added(values):
    """The sum of values."""
    return _bracketed([("+ " if i else "") + value for i, value in enumerate(values)])


def layers(model, language):
    """The layers of the predictions of a `PortableModel`, and the expressions of its outputs or class probabilities.

    Parameters
    ----------
    model : PortableModel
    language : Language

    Returns
    -------
    list of Layer
    list of str
    """
    writer = _Writer(model, language)
    for number, part in enumerate(model.parts):
        writer.write(part, f"_size{number}" if len(model.parts) > 1 else "")
    terms = [[] for _ in range(len(model.weighted) if model.task == "classification" else model.n_outputs)]
    for priors, means in writer.leaves:
        for k, prior in enumerate(priors):
            for t, mean in enumerate(means[k]):
                terms[t].append(mean if prior is None else f"{prior} * {mean}")
    return [layer for layer in writer.layers if layer.names], [_added(own) for own in terms]


class _Writer:
    """Names of what has been written."""

    def __init__(self, model, language):
        self.model, self.language, self.leaves, self.known = model, language, [], {}
        titles = (
            "columns, held near the ranges that the model was fitted to, or between knots",
            "columns that bend",
            "these, held near the ranges that the model was fitted to",
            "distances from the centres of leaves",
            "scores of the gate, and linear predictors of experts",
            "how many leaves have larger scores",
            "largest scores",
            "powers",
            "sums of powers",
            "priors and means of experts",
        )
        self.layers = [Layer(title, [], []) for title in titles]
        self.columns, self.bent, self.held, self.away, self.scores, *others = self.layers
        self.ranks, self.tops, self.powers, self.sums, self.ends = others

    def add(self, layer, name, value):
        layer.names.append(name)
        layer.values.append(value)
        return name

    def write(self, part, suffix):
        """Write a part; `leaves` gains names of its priors and means."""
        priors, means = self._priors(part, suffix), []
        for k in range(len(part.experts)):
            name = f"expert{k}{suffix}"
            means.append(self._classes(part, k, name) if part.links is None else self._outputs(part, k, name))
        self.leaves.append((priors, means))

    def _predictor(self, part, which, coef, far=FAR):
        """A linear predictor of design columns, in the units of the inputs; columns `far` from zero are centred."""
        side, intercept, terms = part.sides[which], float(coef[-1]), []
        for j, origin in enumerate(side.origins):
            if coef[j] == 0.0:
                continue
            slope, center = coef[j] / side.scale[j], side.center[j]
            is_far = abs(center) > far * side.scale[j]
            ends = None if part.bounds is None else part.bounds[which][:, j] * side.scale[j] + center
            terms.append((float(slope), self._column(origin, ends, center if is_far else 0.0)))
            intercept -= 0.0 if is_far else float(slope * center)
        return self.language.linear(intercept, terms)

    def _column(self, origin, ends, center):
        """The name of a column, held and centred."""
        language, bends = self.language, origin.pieces is not None
        value = self._bent(*origin) if bends else language.column(origin.place)
        if bends and ends is None and not center:
            return value
        if ends is not None:
            value = language.held(value, *map(language.number, ends))
        if center:
            value = f"{value} - {language.number(center)}"
        return self._named(self.held, "held", value) if bends else self._named(self.columns, "col", value)

    def _bent(self, place, pieces, number):
        """The name of a column that pieces make of an input, eq. (pieces)."""
        language, x, terms = self.language, self.language.column(place), []
        knots = [(float(knot), language.number(knot)) for knot in pieces.knots]
        for own, (low, before), (high, after) in zip(pieces.powers[number], knots, knots[1:], strict=False):
            if own.any():
                way = f"({language.held(x, before, after)} - {before}) / {language.number(high - low)}"
                way = self._named(self.columns, "way", way)
                terms += [(float(coef), " * ".join([way] * (d + 1))) for d, coef in enumerate(own) if coef]
        for slope, beyond in (
            (-float(pieces.below[number]), f"{knots[0][1]} - {x}"),
            (float(pieces.above[number]), f"{x} - {knots[-1][1]}"),
        ):
            if slope:
                beyond = language.largest([beyond, language.number(0.0)])
                terms.append((slope, self._named(self.columns, "beyond", beyond)))
        return self._named(self.bent, "bent", language.linear(float(pieces.start[number]), terms))

    def _named(self, layer, prefix, value):
        """The name of a value in a layer, which is written once."""
        if (prefix, value) not in self.known:
            number = sum(own == prefix for own, _ in self.known)
            self.known[prefix, value] = self.add(layer, f"{prefix}_{number}", value)
        return self.known[prefix, value]

    def _softmax(self, scores, name):
        """Names of the softmax of scores, of which there are two or more: pairs of a power and the sum."""
        language, names = self.language, [f"{name}_{b}" for b in range(len(scores))]
        if len(scores) == 2:  # the difference is enough
            power = self.add(self.powers, f"exp_{name}", language.power(scores[1]))
            whole = self.add(self.sums, f"sum_{name}", f"{language.number(1.0)} + {power}")
            return [f"{language.number(1.0)} / {whole}", f"{power} / {whole}"]
        top = self.add(self.tops, f"top_{name}", language.largest(scores))
        powers = [
            self.add(self.powers, f"exp_{own}", language.power(f"{score} - {top}"))
            for own, score in zip(names, scores, strict=True)
        ]
        whole = self.add(self.sums, f"sum_{name}", _added(powers))
        return [f"{power} / {whole}" for power in powers]

    def _compared(self, part, which, coefs, name):
        """Names of scores less the first one, which is zero."""
        found = [self.language.number(0.0)]
        for b in range(1, len(coefs)):
            value = self._predictor(part, which, coefs[b] - coefs[0])
            found.append(self.add(self.scores, f"score_{name}" + (f"_{b}" if len(coefs) > 2 else ""), value))
        return found

    def _priors(self, part, suffix):
        """Names of the shares of the leaves in the prediction; None is all of it."""
        language, share = self.language, "" if part.share == 1.0 else f"{self.language.number(part.share)} * "
        if len(part.experts) == 1:
            return [language.number(part.share) if share else None]
        if part.prior is not None:
            return [language.number(part.share * float(prior)) for prior in part.prior]
        if part.leaves is not None:
            shares = self._near(part, suffix) if type(part.leaves) is Near else self._largest(part, suffix)
            named = [f"{share}({own})" if share else own for own in shares]
            return [self.add(self.ends, f"prior_expert{k}{suffix}", own) for k, own in enumerate(named)]
        branches = {}
        for m, used in enumerate(part.tree.used):
            slots = np.flatnonzero(used)
            name = f"gate{m}{suffix}"
            shares = self._softmax(self._compared(part, 1, part.gate[m, slots], name), name)
            branches |= {(m, int(b)): own for b, own in zip(slots, shares, strict=True)}
        priors = []
        for k in range(len(part.experts)):
            path = [branches[int(m), int(b)] for m, b in np.argwhere(part.tree.paths[:, :, k])]
            value = share + " * ".join(f"({one})" if share or path[1:] else one for one in path)
            priors.append(self.add(self.ends, f"prior_expert{k}{suffix}", value))
        return priors

    def _near(self, part, suffix):
        """Priors by distances from centres."""
        language, scores, (mean, root, constant) = self.language, [], part.leaves
        for k, turn in enumerate(root):
            terms = []
            for r, row in enumerate(turn):
                value = self._predictor(part, 1, np.append(row, -row @ mean[k]), far=0.0)
                name = self.add(self.away, f"away_expert{k}_{r}{suffix}", value)
                terms.append((-0.5, f"{name} * {name}"))
            value = language.linear(float(constant[k] - constant.max()), terms)
            scores.append(self.add(self.scores, f"score_gate{suffix}_{k}", value))
        if len(scores) == 2:
            scores = [language.number(0.0), f"{scores[1]} - {scores[0]}"]
        return self._softmax(scores, f"gate{suffix}")

    def _largest(self, part, suffix):
        """Priors by the largest of linear scores."""
        language, (coef, bias, most) = self.language, part.leaves
        scores, name = self._compared(part, 1, coef, f"gate{suffix}"), f"gate{suffix}"
        chosen = [f"{s} + {language.number(b)}" if b else s for s, b in zip(scores, bias.tolist(), strict=True)]
        ranks = [
            self.add(
                self.ranks,
                f"rank_{name}_{k}",
                _added([language.exceeds(chosen[j], own, j < k) for j in range(len(chosen)) if j != k]),
            )
            for k, own in enumerate(chosen)
        ]
        low = language.number(LOWEST)
        top = language.largest([language.below(rank, most, s, low) for rank, s in zip(ranks, scores, strict=True)])
        top, zero = self.add(self.tops, f"top_{name}", top), language.number(0.0)
        powers = [
            self.add(
                self.powers, f"exp_{name}_{k}", language.below(rank, most, language.power(f"{score} - {top}"), zero)
            )
            for k, (rank, score) in enumerate(zip(ranks, scores, strict=True))
        ]
        whole = self.add(self.sums, f"sum_{name}", _added(powers))
        return [f"{power} / {whole}" for power in powers]

    def _classes(self, part, k, name):
        """Names of the class probabilities of an expert."""
        made = self._softmax(self._compared(part, 0, part.experts[k], name), name)
        return [self.add(self.ends, f"mean_{name}_{c}", value) for c, value in enumerate(made)]

    def _outputs(self, part, k, name):
        """Names of the means of an expert."""
        one, found = self.language.number(1.0), []
        for t, coef in enumerate(part.experts[k]):
            own = name if len(part.experts[k]) == 1 else f"{name}_{t}"
            link, score = part.links[k], self._predictor(part, 0, coef)
            score = self.add(self.scores, f"{'mean' if link == 'identity' else 'score'}_{own}", score)
            if link == "identity":
                found.append(score)
                continue
            if link == "inverse":
                value = f"{one} / {score}"
            else:
                power = score if link == "log" else f"-{score}"
                value = self.add(self.powers, f"exp_{own}", self.language.power(power))
                value = value if link == "log" else f"{one} / ({one} + {value})"
            found.append(self.add(self.ends, f"mean_{own}", value))
        return found
