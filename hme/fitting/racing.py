"""A race between starts: those that can no longer win are left behind, and ends that are the same are run once.

Halving the field by the objective alone, however late, leaves winners behind that are slow at first. So a start is left
behind only when what it can still expect, eq. (expected), is less than what another one has reached already.
"""

import numpy as np

from . import ends

__all__ = ["expected", "finalists", "race"]

# Sweeps of every start before the first comparison; every further one comes after twice as many.
FIRST_SWEEPS = 40
# The number of finalists is enforced when this many sweeps have been made, by halves.
HALVED_FROM = 160
# Sweeps of candidates before the first comparison.
BRIEF = 12
# Gains that a start can expect: so many times the estimate, whose gains shrink at least by this factor.
OPTIMISM, SLOWEST = 5.0, 0.95
# Starts are on their way to the same maximum if their limits differ by less than this, in nats per unit of weight, and
# the shares of their experts, in order of size, by less than that.
SAME_LIMIT, SAME_SHARE = 1e-5, 0.005
# With n_finalists="auto" so many starts and more race.
MANY = 12


def finalists(n_finalists, n_starts):
    """Most starts that run to the end, or None if there is no race."""
    if n_finalists is None or (n_finalists == "auto" and n_starts < MANY):
        return None
    n_finalists = n_starts if n_finalists == "auto" else n_finalists
    return n_finalists if n_starts > 1 else None


def race(field, mixture, rows, options, most, prefer, brief=False):
    """Advance the starts of a field until all that may win have ended.

    Parameters
    ----------
    field : object
        ``field.advance(numbers, max_iter)`` runs starts on, ``field.fits`` says what they have reached, and
        ``field.interrupted`` that it is over.
    mixture : Mixture
    rows : Rows
    options : Options
    most : int
        Starts that run to the end at most, beside those that have converged before.
    prefer : {"interior", "likelihood"}
        What makes one fit better than another, see `ends.worth`.
    brief : bool
        Whether the starts are candidates, of which short runs choose `most`: the best third goes on each time.
    """
    everyone = range(len(field.names))
    if not _steady(mixture, options) or options.held_out is not None:  # which may end a run at any time
        if most >= len(everyone):
            field.advance(everyone, options.max_iter)
        else:
            _one_round(field, mixture, rows, options, most, prefer)
        return
    sweeps, halved_from, share = (BRIEF, BRIEF, 3) if brief else (FIRST_SWEEPS, HALVED_FROM, 2)
    # One that begins where a smaller model has ended may be near a saddle, and be slow before it is fast.
    out, sure = {}, {i for i, name in enumerate(field.names) if name == "nested"}
    field.advance(everyone, min(sweeps, options.max_iter))
    while not field.interrupted:
        running = [i for i in _unfinished(field.fits, options) if i not in out]
        out |= dict.fromkeys((i for i in _twins(field.fits, running) if i not in sure), "twin")
        best = max(ends.worths(mixture, rows, list(field.fits.values()), prefer).values())
        running = [i for i in running if i in sure or (i not in out and _hope(field.fits[i]) >= best)]
        if not running:
            break
        if sweeps >= halved_from and len(running) > most:
            running.sort(key=lambda i: (-field.fits[i].objective, i))
            stay = max(most, -(-len(running) // share))
            behind = set(running[stay:]) - sure
            out |= dict.fromkeys(behind, "outrun")
            running = sorted(set(running) - behind)
        sweeps *= 2
        field.advance(running, min(sweeps, options.max_iter))
    for i in _unfinished(field.fits, options):
        reason = "interrupted" if field.interrupted else out.get(i, "outrun")
        field.fits[i] = field.fits[i]._replace(reason=reason)


def _steady(mixture, options):
    """Whether the objective of a run never falls and belongs to one stage, so that its course tells of its end."""
    return mixture.exact and not mixture.routed and tuple(np.atleast_1d(options.algorithm)) in (("em",), ("hard",))


def _one_round(field, mixture, rows, options, most, prefer):
    """All for a few sweeps, then the best to the end, where the course of a fit does not tell of its end."""
    field.advance(range(len(field.names)), min(FIRST_SWEEPS, options.max_iter))
    seen = {i: ends.worth(mixture, rows, fit, prefer, options.held_out) for i, fit in field.fits.items()}
    merit = {i: (worth, field.fits[i].merit) for i, worth in seen.items()}
    order = sorted(merit, key=lambda i: (*(-value for value in merit[i]), i))
    last = sorted(order[:most])
    if options.held_out is None:
        field.advance(last, options.max_iter, anew=True)
    else:  # what has stopped would stop again
        field.advance([i for i in last if i in _unfinished(field.fits, options)], options.max_iter)
    for i in order[most:]:
        if field.fits[i].reason in ("max_iter", "max_stages"):
            reason = "interrupted" if field.interrupted else "outrun"
            field.fits[i] = field.fits[i]._replace(reason=reason)


def _unfinished(fits, options):
    """Starts that can be run on, in their order."""
    return sorted(i for i, fit in fits.items() if fit.reason == "max_iter" and fit.n_iter < options.max_iter)


def expected(fit):
    """Where the objective of a fit would end if its gains went on to shrink as they did, eq. (expected)."""
    reached = fit.history.objective[fit.history.accepted]
    window = (len(reached) - 1) // 4
    if window < 1:
        return np.inf
    before, gain = reached[-1 - window] - reached[-1 - 2 * window], reached[-1] - reached[-1 - window]
    if gain <= 0:
        return fit.objective
    ratio = min(gain / before, SLOWEST) if before > 0 else SLOWEST
    return fit.objective + gain * ratio / (1.0 - ratio)


def _hope(fit):
    """The most that a fit can still be thought to reach."""
    return fit.objective + OPTIMISM * (expected(fit) - fit.objective)


def _twins(fits, running):
    """The running starts that an ended one, or one before them, accompanies to the same maximum."""
    order = sorted(fits, key=lambda i: (i in running, i))
    limit = np.array([expected(fits[i]) for i in order])
    share = np.array([np.sort(fits[i].stats.load) / fits[i].stats.load.sum() for i in order])
    first, twins = np.zeros(len(order), dtype=bool), []
    for place, i in enumerate(order):
        if i in running:
            with np.errstate(invalid="ignore"):  # of two limits that are not known
                same = np.flatnonzero(first & (np.abs(limit - limit[place]) < SAME_LIMIT))
            if (np.abs(share[same] - share[place]).max(axis=1) < SAME_SHARE).any():
                twins.append(i)
                continue
        first[place] = True
    return twins
