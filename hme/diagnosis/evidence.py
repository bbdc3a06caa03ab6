"""Evidence: gains in held-out log-likelihood, and the verdict that they support."""

from typing import NamedTuple

import numpy as np

from ..bootstrap.refits import unit_codes

__all__ = ["Evidence", "FLOOR", "Gain", "Rival", "SURE", "judge", "said_of"]

SURE = 2.0  # standard errors that a gain must have to count
FLOOR = -700.0  # log-density in place of the logarithm of zero
VERDICTS = ("single", "no routing", "routing")  # from the weakest case for a mixture to the strongest


class Gain(NamedTuple):
    """Held-out log-likelihood of the model over another, eq. (routing-gain); nan where the other cannot be fitted."""

    name: str  # of the other
    kind: str  # of the other: "single", "bent", "mixture" or "size"
    mean: float  # per unit of weight
    error: float  # paired standard error
    log_likelihood: float  # of the other, per unit of weight
    n_parameters: int | None  # of the other
    note: str = ""  # the reason where there is no number

    @property
    def there(self):
        return not self.note

    def clear(self, least=0.0):
        """Whether the gain is significant, and at least as large as this."""
        return self.mean > SURE * self.error and self.mean > least


class Evidence:
    """Held-out log-densities of rows or groups, with their weights and units."""

    def __init__(self, table, folds):
        groups = table.rows.get("groups")
        weight, units = [], []
        for fold in folds:
            codes = unit_codes(len(fold), None if groups is None else np.asarray(groups)[fold], None)
            first = np.unique(codes, return_index=True)[1]  # a group counts once, in the order of its values
            weight.append(table.weight[fold][first])
            units.append(table.units[fold][first])
        self.weight, self.n_zero = np.concatenate(weight), 0
        self.units = np.unique(np.concatenate(units), return_inverse=True)[1]

    def clipped(self, parts):
        values = np.concatenate(parts)
        low = ~(values > FLOOR) & (self.weight > 0)
        self.n_zero += int(low.sum())
        return np.where(values > FLOOR, values, FLOOR)

    def mean(self, values):
        return float(self.weight @ values / self.weight.sum())

    def error(self, values):
        """Standard error of the mean for independent units, eq. (gain-error)."""
        sums = np.bincount(self.units, self.weight * (values - self.mean(values)))
        mass = np.bincount(self.units, self.weight) > 0
        n = int(mass.sum())
        return float(np.sqrt((sums**2).sum() * n / max(n - 1, 1)) / self.weight.sum())

    def joined(self, parts):
        """Log-densities of all folds, or None with the reason."""
        failed = [part for part in parts if isinstance(part, str)]
        if failed:
            return None, f"cannot be fitted ({failed[0]})"
        return self.clipped([part.log_likelihood for part in parts]), ""

    def gain(self, values, rival):
        """The gain of a model with these log-densities over another."""
        if rival.note:
            return Gain(rival.name, rival.kind, np.nan, np.nan, np.nan, rival.n_parameters, rival.note)
        gain = values - rival.log_likelihood
        mean = self.mean(rival.log_likelihood)
        return Gain(rival.name, rival.kind, self.mean(gain), self.error(gain), mean, rival.n_parameters)


class Rival(NamedTuple):
    name: str
    kind: str
    n_parameters: int | None
    log_likelihood: np.ndarray | None  # held out
    note: str


def judge(evidence, values, n_experts, rivals, least_gain, unit):
    """The verdict and its sentence, for the model or, if that makes a better case, for the best one of another size."""
    if n_experts == 1:
        return "single", "The model is a single expert: there is no routing to judge."
    others = [rival for rival in rivals if rival.kind != "size"]
    if all(rival.note for rival in others):
        raise ValueError(f"no model without routing can be fitted to compare the model with: {others[0].note}.")

    def case(values, name):
        return _case([evidence.gain(values, rival) for rival in others if not rival.note], name, least_gain, unit)

    verdict, sentence = case(values, f"{n_experts} experts")
    resized = [rival for rival in rivals if rival.kind == "size" and not rival.note]
    if resized:
        best = max(resized, key=lambda rival: evidence.mean(rival.log_likelihood))
        other, instead = case(best.log_likelihood, best.name)
        if VERDICTS.index(other) > VERDICTS.index(verdict):
            loss = evidence.gain(values, best)
            instead += f" This takes another number of experts than the model's {n_experts}, which gain "
            instead += f"{said_of(loss, unit)}."
            return other, instead
    return verdict, sentence


def said_of(gain, unit):
    """A gain in words."""
    return f"{gain.mean:+.3g} +/- {gain.error:.2g} nats a {unit} over {gain.name}"


def _case(gains, name, least_gain, unit):
    """The verdict on one mixture from its gains."""
    single = min((gain for gain in gains if gain.kind == "single"), key=lambda gain: gain.mean, default=None)
    rival = min((gain for gain in gains if gain.kind != "single"), key=lambda gain: gain.mean, default=None)
    if single is None:  # as no expert of a hurdle model alone can have produced y
        said = f"held out, {name} gain {said_of(rival, unit)}; no single expert can have produced all of y"
        if rival.clear(least_gain):
            return "routing", f"Routing pays: {said}."
        return "no routing", f"A single model is not possible, but there is no evidence for routing: {said}."
    if not single.clear(least_gain):
        sentence = f"A single model is enough: held out, {name} gain {said_of(single, unit)}."
        if rival is not None and rival.kind == "bent" and rival.mean < single.mean - SURE * rival.error:
            sentence += f" A bent one is better than both: the experts gain {said_of(rival, unit)}."
        return "single", sentence
    first = f"held out, {name} gain {said_of(single, unit)}"
    if rival is None or rival.clear(least_gain):
        second = "" if rival is None else f", and {said_of(rival, unit)}, the best of what does without routing"
        return "routing", f"Routing pays: {first}{second}."
    better = "does better" if rival.mean < -SURE * rival.error else "does as well"
    return "no routing", (
        f"A single straight model is not enough, but routing is not shown to be needed: {first}; {rival.name} {better} "
        f"({said_of(rival, unit)})."
    )
