"""Experts of different families in one mixture: a name and a family for every leaf."""

from typing import NamedTuple

import numpy as np
from sklearn.base import clone

from ..distributions import join
from ..model.traits import together
from ..model.wording import by_name
from ..numerics.kernels import log_normalize
from ..numerics.quantiles import quantiles
from .base import Expert

__all__ = ["MixedExpert"]

TRIMS = 10  # trimmed fits of the other experts at a start, if there is a background


class MixedParams(NamedTuple):
    """Leaf k is expert ``place[k]`` of ``parts[group[k]]``; leaves with equal families form a group."""

    group: np.ndarray  # (K,) of int
    place: np.ndarray  # (K,) of int
    parts: tuple  # parameters of each group


class MixedExpert(Expert):
    """A list of named experts, one for each leaf from left to right; an estimator's ``expert=[...]`` makes one.

    Leaves with the same family and hyper-parameters are computed together, and what the family shares between its
    experts (a variance, coefficients) is shared by those leaves. All families must have densities with respect to the
    same measure, so that families for counts cannot be combined with families for real numbers. A `PointMassExpert` can
    be combined with both. Together with densities, under which a single point has probability zero, targets at its
    point belong to it alone, eq. (atom).

    Parameters
    ----------
    experts : list of (str, expert) pairs
        Name and family of each leaf. Names must differ, and contain no double underscore.

    Examples
    --------
    >>> import numpy as np
    >>> from hme import HMERegressor
    >>> from hme.experts import BackgroundExpert, LinearExpert
    >>> X = np.linspace(0, 1, 50)[:, None]
    >>> y = 2 * X[:, 0]
    >>> y[::10] = 8.0
    >>> experts = [("line", LinearExpert(alpha=0.0)), ("outliers", BackgroundExpert())]
    >>> model = HMERegressor(n_experts=2, expert=experts, gate="constant").fit(X, y)
    >>> model.experts_["line"].coef.round(2)
    array([2.])
    """

    def __init__(self, experts):
        self.experts = experts

    # -- hyper-parameters, by name as in scikit-learn's VotingRegressor -----------------------------------------------

    def get_params(self, deep=True):
        params = super().get_params(deep=False)
        if deep and _is_list_of_pairs(self.experts):
            for name, expert in self.experts:
                params[name] = expert
                params.update({f"{name}__{key}": value for key, value in expert.get_params(deep=True).items()})
        return params

    def set_params(self, **params):
        if "experts" in params:
            self.experts = params.pop("experts")
        members = dict(self.experts)
        for key, value in params.items():
            name, _, rest = key.partition("__")
            if name not in members:
                raise ValueError(f"{key!r} is not a parameter of MixedExpert; its experts are {sorted(members)}.")
            members[name] = clone(members[name]).set_params(**{rest: value}) if rest else value
        self.experts = list(members.items())
        return self

    @property
    def members(self):
        """The families, leaf by leaf."""
        return [expert for _, expert in self.experts]

    @property
    def names(self):
        return [name for name, _ in self.experts]

    def structure(self):
        return repr(self)  # all hyper-parameters, since they determine which leaves form a group

    def check_leaves(self, n_leaves=None):
        """Raise an error if `experts` is not a list of named experts, or if their families cannot be combined."""
        if not _is_list_of_pairs(self.experts) or not self.experts:
            raise TypeError(f"expert = {self.experts!r} must be a list of (name, expert) pairs, one for each leaf.")
        if len(set(self.names)) < len(self.names) or any("__" in name or name == "experts" for name in self.names):
            raise ValueError(f"expert has the names {self.names}; they must differ, have no '__' and not be 'experts'.")
        if n_leaves is not None and n_leaves != len(self.experts):
            raise ValueError(f"expert is a list of {len(self.experts)} experts, but the tree has {n_leaves} leaves.")
        of = {name: member.traits for name, member in self.experts}
        classes = [name for name, traits in of.items() if "regression" not in traits.tasks]
        if classes and not self.traits.tasks:
            raise ValueError(f"expert mixes families for classes, {classes}, with families for numbers.")
        counts = [name for name, traits in of.items() if traits.measure == "mass" and not traits.atoms]
        lengths = [name for name, traits in of.items() if traits.measure == "density"]
        if counts and lengths:
            raise ValueError(
                f"expert mixes families for counts, {counts}, with densities of real numbers, {lengths}: probabilities "
                "and densities are not comparable in one likelihood."
            )

    def pruned(self, kept):
        return MixedExpert([self.experts[k] for k in kept])

    @property
    def traits(self):
        return together([member.traits for member in self.members])

    # -- strengths of penalties that are estimated, by the names of the leaves -----------------------------------------

    @property
    def alphas(self):
        if not hasattr(self, "families_"):  # not bound yet
            return {name: own[""] for name, member in self.experts for own in [member.alphas] if own}
        of = [family.alphas for family in self.families_]
        return {name: of[g][""] for name, g in zip(self.names, self.group_, strict=True) if of[g]}

    def with_alphas(self, alphas):
        own = {name: {"": alphas[name]} if name in alphas else {} for name in self.names}
        return MixedExpert([(name, member.with_alphas(own[name])) for name, member in self.experts])

    def evidence(self, params, stats):
        found = {g: self.families_[g].evidence(part, stats[g]) for g, _, part in self._groups(params)}
        return {name: found[g][""] for name, g in zip(self.names, self.group_, strict=True) if found.get(g)}

    # -- binding to data -----------------------------------------------------------------------------------------------

    def bind(self, rows, design):
        bound = clone(self)
        bound.atoms_ = np.unique([atom for member in self.members for atom in member.traits.atoms])
        bound.group_, bound.families_, bound.stand_in_, groups = [], [], [], {}
        for name, member in self.experts:
            # Estimators are never grouped: equal representations do not imply equal estimators, and nothing is gained.
            key = (
                name if member.traits.sees_table else (type(member), repr(sorted(member.get_params().items(), key=str)))
            )
            if key not in groups:
                groups[key] = len(groups)
                possible = bound._possible(member, rows)
                if not possible.any():
                    raise ValueError(f"expert {name!r} can produce no value of y: it is for {member.traits.domain}.")
                bound.families_.append(member.bind(rows if possible.all() else rows[possible], design))
                # Stands in for targets that the family cannot produce; its responsibility for them is zero.
                bound.stand_in_.append(rows.y[int(np.argmax(possible))])
            bound.group_.append(groups[key])
        bound.group_ = np.array(bound.group_)
        return bound

    def _possible(self, family, rows):
        possible = family.possible(rows)
        if len(self.atoms_) and family.traits.measure == "density":
            possible = possible & ~np.isin(rows.y, self.atoms_).any(axis=1)
        return possible

    def _safe(self, g, rows):
        """The rows with targets that group g can produce, and a mask of the rows whose targets it can produce."""
        if rows.y is None:
            return rows, np.ones(rows.n_rows, dtype=bool)
        possible = self._possible(self.families_[g], rows)
        if possible.all():
            return rows, possible
        return rows._replace(y=np.where(possible[:, None], rows.y, self.stand_in_[g])), possible

    def possible(self, rows):
        families = self.families_ if hasattr(self, "families_") else self.members
        return np.any([family.possible(rows) for family in families], axis=0)

    def start_target(self, rows):
        """Targets on the scale of the linear predictors of the first family that learns from a region of its own."""
        learning = [
            g for g, family in enumerate(self.families_) if not (family.traits.atoms or family.traits.start_share)
        ]
        g = learning[0] if learning else 0
        return self.families_[g].start_target(self._safe(g, rows)[0])

    def start_responsibilities(self, rows, resp):
        """Adjust the responsibilities of a start to the families.

        No expert gets rows that it cannot produce. A background gets the rows that the other experts fit worst. Frozen
        experts divide their joint responsibility in proportion to their densities.
        """
        shares = np.array([self.families_[g].traits.start_share for g in self.group_])
        possible = np.stack([self._safe(g, rows)[1] for g in self.group_], axis=1)
        atoms = np.array([bool(self.families_[g].traits.atoms) for g in self.group_])
        resp = np.where(atoms, 0.5, resp)  # for the rows at its point; `possible` removes the others below
        frozen = np.flatnonzero([self.families_[g].traits.frozen for g in self.group_])
        if len(frozen) > 1:
            log_prob = np.hstack([self._alone(k, rows) for k in frozen])
            resp[:, frozen] = log_normalize(log_prob)[1] * resp[:, frozen].sum(axis=1, keepdims=True)
        resp = _normalized(resp * possible * (shares == 0), possible)
        if shares.any():
            for _ in range(TRIMS):
                resp = self._trimmed(rows, resp, shares, possible)
        return resp

    def _alone(self, k, rows):
        """Log-density (n, 1) of the expert of leaf k if it were fitted to all rows."""
        family, (rows, _) = self.family(k), self._safe(self.group_[k], rows)
        return family.log_prob(family.init(rows, rows.weight[:, None]), rows)

    def _trimmed(self, rows, resp, shares, possible):
        """One step of trimming: the backgrounds take over the rows that the other experts fit worst.

        If a background started with a share of every row, it would lose them at once, since experts that were fitted
        with the outliers explain them well. Repeated fits to the remaining rows (trimmed likelihood) avoid this.
        """
        weighted = resp * rows.weight[:, None]
        log_joint = self.log_prob(self.init(rows, weighted), rows)
        load = weighted.sum(axis=0) / weighted.sum()
        with np.errstate(divide="ignore"):
            log_joint = np.where(shares > 0, -np.inf, log_joint + np.log(load))
        log_density = np.logaddexp.reduce(log_joint, axis=1)
        limit = quantiles(log_density, [min(shares.sum(), 0.5)], rows.weight)[0]
        worst = (log_density <= limit)[:, None]
        with np.errstate(invalid="ignore"):
            others = np.nan_to_num(np.exp(log_joint - log_density[:, None]))
        return _normalized(np.where(worst, shares * possible, others), possible)

    # -- the family, group by group ------------------------------------------------------------------------------------

    def components(self, params):
        return [(g, self.families_[g], leaves, part) for g, leaves, part in self._groups(params)]

    def assembled(self, params, parts):
        place, new = params.place.copy(), list(params.parts)
        for (g, leaves, _), part in zip(self._groups(params), parts, strict=True):
            place[leaves], new[g] = np.arange(len(leaves)), part
        return params._replace(place=place, parts=tuple(new))

    def rows_of(self, number, rows):
        return self._safe(number, rows)[0]

    def family(self, k):
        return self.families_[self.group_[k]]

    def _groups(self, params):
        """(g, leaves, parameters) of every group that has leaves."""
        for g, family in enumerate(self.families_):
            leaves = np.flatnonzero(params.group == g)
            if len(leaves):
                yield g, leaves, family.take(params.parts[g], params.place[leaves])

    def _joined(self, parts):
        place = np.zeros(len(self.group_), dtype=int)
        for g in range(len(self.families_)):
            leaves = np.flatnonzero(self.group_ == g)
            place[leaves] = np.arange(len(leaves))
        return MixedParams(self.group_, place, tuple(parts))

    def exchangeable(self, n_leaves):
        """Pairs of leaves in the same group, if their family allows it."""
        out = np.zeros((n_leaves, n_leaves), dtype=bool)
        for g, family in enumerate(self.families_):
            leaves = np.flatnonzero(self.group_ == g)
            out[np.ix_(leaves, leaves)] = family.exchangeable(len(leaves))
        return out

    def take(self, params, index):
        index = np.asarray(index)
        return params._replace(group=params.group[index], place=params.place[index])

    def init(self, rows, resp):
        parts = [
            family.init(self._safe(g, rows)[0], resp[:, self.group_ == g]) for g, family in enumerate(self.families_)
        ]
        return self._joined(parts)

    def log_prob(self, params, rows):
        return self.evaluate(params, rows)[0]

    def evaluate(self, params, rows):
        out, seen = np.full((len(params.group), rows.n_rows), -np.inf).T, {}
        for g, leaves, part in self._groups(params):
            safe, possible = self._safe(g, rows)
            log_prob, seen[g] = self.families_[g].evaluate(part, safe)
            out[:, leaves] = np.where(possible[:, None], log_prob, -np.inf)
        return out, seen

    def _fill(self, method, params, rows):
        out = None
        for g, leaves, part in self._groups(params):
            values = getattr(self.families_[g], method)(part, self._safe(g, rows)[0])
            if out is None:
                out = np.empty((rows.n_rows, len(params.group), *values.shape[2:]))
            out[:, leaves] = values
        return out

    def predict(self, params, rows):
        return self._fill("predict", params, rows)

    def variance(self, params, rows):
        return self._fill("variance", params, rows)

    def predict_dist(self, params, rows):
        """The joint distribution of the groups; together with densities, atoms belong to point masses, eq. (atom)."""
        parts = []
        for g, leaves, part in self._groups(params):
            parts.append((self.families_[g].predict_dist(part, self._safe(g, rows)[0]), leaves))
        return join(parts, self.atoms_)

    @property
    def least_squares(self):
        return all(family.least_squares for family in self.families_)

    @property
    def estimates_tails(self):
        return any(family.estimates_tails for family in self.families_)

    def uncertainty(self, params, parts):
        parts, found = list(parts), []
        for g, leaves, own in self._groups(params):
            seen = ((self._safe(g, block)[0], resp[:, leaves]) for block, resp in parts)
            found.append(self.families_[g].uncertainty(own, seen))
        return self._joined(found)

    def predictive(self, params, rows, uncertainty):
        """As `predict_dist`, of the predictive distributions of the groups."""
        parts = []
        for (g, leaves, part), (_, _, own) in zip(self._groups(params), self._groups(uncertainty), strict=True):
            parts.append((self.families_[g].predictive(part, self._safe(g, rows)[0], own), leaves))
        return join(parts, self.atoms_)

    def statistics(self, params, rows, resp, seen=None):
        return tuple(
            self.families_[g].statistics(part, self._safe(g, rows)[0], resp[:, leaves], seen[g] if seen else None)
            for g, leaves, part in self._groups(params)
        )

    def add(self, a, b):
        if a is None:
            return b
        return tuple(family.add(u, v) for family, u, v in zip(self.families_, a, b, strict=True))

    def update(self, params, stats, rows=None):
        return self._joined(
            self.families_[g].update(part, stats[g], None if rows is None else self._safe(g, rows)[0])
            for g, _, part in self._groups(params)
        )

    def log_prior_density(self, params):
        return sum(self.families_[g].log_prior_density(part) for g, _, part in self._groups(params))

    def gradient(self, params, stats):
        parts = [self.families_[g].gradient(part, stats[g]) for g, _, part in self._groups(params)]
        return np.concatenate([np.ravel(part) for part in parts])

    def rounding(self, params, stats):
        parts = [self.families_[g].rounding(part, stats[g]) for g, _, part in self._groups(params)]
        return np.hypot.reduce(parts, initial=0.0)

    def interpolate(self, old, new, step):
        return self._joined(
            family.interpolate(old.parts[g], new.parts[g], step) for g, family in enumerate(self.families_)
        )

    def n_parameters(self, params):
        return sum(self.families_[g].n_parameters(part) for g, _, part in self._groups(params))

    def at_floor(self, params):
        parts = [leaves[self.families_[g].at_floor(part)] for g, leaves, part in self._groups(params)]
        return np.sort(np.concatenate(parts))

    def effective_df(self, params, stats):
        own = np.zeros(len(params.group))
        for g, leaves, part in self._groups(params):
            own[leaves] = self.families_[g].effective_df(part, stats[g])
        return own

    def warnings(self, params, stats):
        found = []
        for g, leaves, part in self._groups(params):
            for sentence in self.families_[g].warnings(part, stats[g]):
                names = [repr(self.names[k]) for k in leaves]
                found.append(by_name(sentence, names))
        return found

    def report(self, params, design):
        """A dict from the name of each leaf to the report of its family, without the expert axis."""
        reports = {}
        for k, name in enumerate(self.names):
            family = self.family(k)
            report = family.report(family.take(params.parts[params.group[k]], [params.place[k]]), design)
            reports[name] = type(report)(*(field[0] for field in report))
        return reports


def _normalized(resp, possible):
    """Responsibilities normalised to sum to one in each row; where all are zero, equal for all possible leaves."""
    total = resp.sum(axis=1, keepdims=True)
    alike = possible / possible.sum(axis=1, keepdims=True)
    return np.where(total > 1e-12, resp / np.where(total > 0, total, 1.0), alike)


def _is_list_of_pairs(experts):
    return isinstance(experts, list | tuple) and all(
        isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str) and isinstance(pair[1], Expert)
        for pair in experts
    )
