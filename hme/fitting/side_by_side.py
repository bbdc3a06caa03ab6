"""Several fits at once: each goes its own way, and the steps that they ask for are taken together."""

import numpy as np

from ..model.bank import Bank
from . import em

__all__ = ["begin_together", "fit_together", "groups_of", "together"]

# Rows times leaves up to which the steps of several fits are taken together, and of all these fits.
SMALL, LARGEST = 16384, 65536


class _Member:
    """A mixture of a bank, as its own course of EM sees it."""

    exact, refitted, routed = True, False, False

    def __init__(self, mixture):
        self.interpolate = mixture.interpolate

    def gradient(self, params, seen):
        return seen.gradient

    def rounding(self, params, seen, weight):
        return seen.rounding


def together(mixture, rows, n_leaves, options):
    """Whether fits may be run together: on a small table, by plain EM, where no one watches a single fit."""
    plain = tuple(np.atleast_1d(options.algorithm)) == ("em",) and not options.watched and options.held_out is None
    return plain and Bank.holds(mixture) and rows.n_rows * n_leaves <= SMALL


def groups_of(numbers, n_rows, n_leaves):
    """The starts in groups that are run together, each small enough for the cache."""
    size = max(1, LARGEST // (n_rows * n_leaves))
    return [numbers[i : i + size] for i in range(0, len(numbers), size)]


def begin_together(mixture, rows, resps):
    """Parameters from each of several responsibilities, as from `Mixture.init`."""
    try:
        return Bank(mixture, rows).init(resps)
    except (ValueError, np.linalg.LinAlgError):  # of one of them
        return [mixture.init(rows, resp) for resp in resps]


def fit_together(mixture, rows, starts, options, errors=()):
    """Run EM from several parameters, as `em.fit` does from each.

    Parameters
    ----------
    mixture : Mixture
        One that `together` allows.
    rows : Rows
    starts : list of Params
    options : list of Options
        One for each of them, of plain EM without a callback.
    errors : tuple of type
        Exceptions that end a single fit, which are yielded in its place.

    Yields
    ------
    number : int
        Of the start, in the order in which the fits end.
    fit : Fit

    Raises
    ------
    KeyboardInterrupt
        After an interrupt, when all fits that had parameters have come.
    """
    member, bank, interrupt = _Member(mixture), Bank(mixture, rows), None
    courses = [em.course(member, rows, *both) for both in zip(starts, options, strict=True)]
    asked = dict(enumerate(map(next, courses)))
    step = "e_step"
    while asked:
        step, waiting = _next(step, asked)
        try:
            done = _taken(bank, step, [asked[i][1:] for i in waiting]) if interrupt is None else None
        except KeyboardInterrupt as error:
            interrupt = error
        if interrupt is not None:  # every fit that has begun ends here, with the best that it has
            waiting, done = list(asked), [interrupt] * len(asked)
        for i, result in zip(waiting, done, strict=True):
            go_on = courses[i].throw if isinstance(result, BaseException) else courses[i].send
            try:
                asked[i] = go_on(result)
                continue
            except StopIteration as end:
                ended = end.value
            except KeyboardInterrupt as error:
                interrupt, ended = error, None
            except errors as error:
                ended = error
            del asked[i]
            if isinstance(ended, em.Fit) and ended.reason == "interrupted":
                interrupt = interrupt or KeyboardInterrupt()
            if ended is not None:
                yield i, ended
    if interrupt is not None:
        raise interrupt


def _next(step, asked):
    """The step that is taken next, in turn E-steps and M-steps, and the numbers of the fits that wait for it."""
    step = "m_step" if step == "e_step" else "e_step"
    waiting = [i for i, request in asked.items() if request[0] == step]
    return (step, waiting) if waiting else _next(step, asked)


def _taken(bank, step, arguments):
    """The results of steps; an error where one cannot be taken."""
    with np.errstate(all="ignore"):  # the guards handle what overflows
        try:
            if step == "e_step":
                return bank.e_step([params for params, *_ in arguments])
            return bank.m_step(*map(list, zip(*(own[:2] for own in arguments), strict=True)))
        except (ValueError, np.linalg.LinAlgError) as error:  # of one of them, which all others would suffer for
            if len(arguments) == 1:
                return [error]
            return [result for own in arguments for result in _taken(bank, step, [own])]
