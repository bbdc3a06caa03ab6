"""How much too sure a mixture is of rows that it has not seen: fits to half of the rows, asked about the other half."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ..model.folds import fold_numbers
from ..numerics.engine import one_thread
from ..numerics.kernels import log_normalize
from ..progress import level_outside
from . import samples, training

__all__ = ["uncertainty"]

SWEEPS, TOL = 20, 3e-4  # of the fits, which only have to forget what they knew of the rows that are left out
# Responsibilities have a long memory: the fit must lose half of the rows. Without them, it must not lose too many.
FOLDS, FOLDS_OF_ONE = 2, 5
NEGLIGIBLE = 0.005  # parameters of experts per unit of weight, of which no expert can make anything
ROUNDS, CLOSE = 20, 0.01  # of the factors, and the relative change at which they end
LEAST_DF = 0.0, 1.0, 2.0, 4.0, 10.0, 1e6  # of Student noise
STEP, MOST = 0.1, 1e4  # step of log(factor) for slopes, and the largest factor
INTERRUPTED = (
    "The fit itself has ended, but its predictive density was interrupted: intervals count the uncertainty of the "
    "coefficients alone. Fit again with warm_start=True for the rest."
)
MOST_NUMBERS = 1 << 23  # of held-out rows times experts that are asked about; fewer rows where experts are very many
PRIOR = 10.0  # rows as which the factor of all experts together counts in that of each


def uncertainty(mixture, rows, fit, options):
    """The `Uncertainty` of a fit, eq. (predictive).

    That of an expert's coefficients counts its responsibilities as if they were known. They were chosen with y in view,
    more so the softer the borders and the fewer the rows; and degrees of freedom are exact for least squares only. What
    this adds to the errors is measured, eq. (held-out-factor): EM goes on from the fit on a part of the rows, and the
    variances of the experts are multiplied by the factors, at least one, that make the other rows most likely.

    Parameters
    ----------
    mixture : Mixture
    rows : Rows
        The training rows.
    fit : Fit
    options : Options
        Of the fit.

    Returns
    -------
    Uncertainty or None
        None of families that have no distribution.
    """
    with one_thread(), np.errstate(all="ignore"):
        found, parts = mixture.uncertainty(fit.params, rows), None
        try:
            mixture.expert.predictive(fit.params.experts, rows[:1], found.experts)
        except NotImplementedError:
            return None
        if not _worth_it(mixture, rows, fit):
            return found
        try:
            parts = _parts(mixture, rows, fit.params, options)
            found = found if parts is None else _measured(found, *parts, mixture.expert.estimates_tails)
        except KeyboardInterrupt:
            parts = None
    if parts is None:
        warnings.warn(INTERRUPTED, ConvergenceWarning, stacklevel=level_outside())
    return found


def _worth_it(mixture, rows, fit):
    """Whether there is something to measure; estimators are cross-fitted already."""
    if mixture.refitted or fit.reason == "interrupted":
        return False
    if mixture.n_leaves(fit.params) == 1 and mixture.expert.least_squares:
        return False
    return mixture.expert.n_parameters(fit.params.experts) > NEGLIGIBLE * rows.weight.sum()


def _parts(mixture, rows, params, options):
    """For each fold its rows, the log-priors of its heads and its experts' distributions, by the fit without it.

    Of a large table the folds are of a sample, whose share of the weight is returned too. None after an interrupt.
    """
    if options.held_out is not None:  # which no part of the fit knows
        return [_part(mixture, params, rows, options.held_out.rows)], 1.0
    algorithm = "hard" if options.algorithm[-1] == "hard" else "em"
    # What is measured is the maximum where the fit stands: its parts climb to no other one.
    most = min(SWEEPS, options.max_iter)
    options = options.quiet()._replace(max_iter=most, tol=TOL, algorithm=(algorithm,), climbs=False, newton=None)
    number, parts, total = fold_numbers(rows), [], rows.weight.sum()
    step = max((int(number.max()) + 1) // samples.least_rows(rows, mixture.n_leaves(params)), 1)
    if step > 1:
        index = np.flatnonzero(number % step == 0)
        rows, number = rows[index], number[index] // step
    n_leaves = mixture.n_leaves(params)
    n_folds = FOLDS if n_leaves > 1 else FOLDS_OF_ONE
    fold, few = number % n_folds, -(-(int(number.max()) + 1) * n_leaves // (n_folds * MOST_NUMBERS))
    if not fold.any():  # all rows are equal
        return [], 1.0
    for c in np.unique(fold):
        asked = (fold == c) & (number // n_folds % few == 0)
        inside, outside = rows[np.flatnonzero(fold != c)], rows[np.flatnonzero(asked)]
        fit = training.train(mixture, inside, params, options, warm=True)
        if fit.reason == "interrupted":
            return None
        parts.append(_part(mixture, fit.params, inside, outside))
    return parts, rows.weight.sum() / total


def _part(mixture, params, inside, outside):
    """Rows that a fit has not seen, the log-priors of their heads, and what its experts say of them."""
    heads = outside.heads()
    log_prior = mixture.log_prior(params, heads)
    log_prior = log_prior if heads.log_label is None else log_prior + heads.log_label
    own = mixture.uncertainty(params, inside).experts
    return outside, log_prior, mixture.expert.predictive(params.experts, outside, own)


def _measured(found, parts, share, tails):
    """The uncertainty with what makes the held-out rows most likely.

    Coefficients that are many can meet some rows exactly, whose Student noise then has a narrow center and heavy tails
    that new rows know nothing of: a bound on its degrees of freedom is tried as well.
    """
    if tails:
        best = -np.inf
        for least in LEAST_DF:
            lighter = [(rows, log_prior, components.lightened(least)) for rows, log_prior, components in parts]
            factor = _factors(lighter, len(found.inflation))
            reached = _slopes(lighter, factor)[2]
            if reached > best or least == LEAST_DF[0]:
                best, found = reached, found._replace(inflation=factor, least_df=least)
    else:
        found = found._replace(inflation=_factors(parts, len(found.inflation)))
    if len(found.inflation) == 1:
        share *= 1.0 - 1.0 / FOLDS_OF_ONE
    # The more rows, the less: to first order in one over their number.
    return found._replace(inflation=1.0 + share * (found.inflation - 1.0))


def _factors(parts, K):
    """The factors (K,) that make the held-out rows most likely.

    There is a prior around the factor of all experts together.

    For normal distributions a round is EM's: the factor is the mean of squared errors in units of the variance. With
    the slope of the log-likelihood by the logarithm of the factor in place of the errors it serves every distribution.
    """
    factor = np.ones(K)
    for _ in range(ROUNDS):
        weight, slope, _ = _slopes(parts, factor)
        square = factor * np.maximum(weight + 2.0 * slope, 0.0)
        common = max(square.sum() / max(weight.sum(), np.finfo(float).tiny), 1.0)
        last, factor = factor, np.clip((PRIOR * common + square) / (PRIOR + weight), 1.0, MOST)
        if np.abs(factor / last - 1.0).max() < CLOSE:
            break
    return factor


def _slopes(parts, factor):
    """Weights (K,) of the experts on held-out rows, slopes (K,) of their log-likelihoods by log(factor), and the log-
    likelihood of the mixture."""
    weight, slope, total = np.zeros(len(factor)), np.zeros(len(factor)), 0.0
    for rows, log_prior, components in parts:
        log_joint = log_prior + rows.pooled(components.widened(factor).logpdf(rows.y))
        log_joint[np.isnan(log_joint)] = -np.inf  # a gate or an expert that the fold has lost says nothing of a row
        seen = np.isfinite(log_joint).any(axis=1) & ~np.isposinf(log_joint).any(axis=1)
        log_density, resp = log_normalize(np.array(np.where(seen[:, None], log_joint, 0.0), order="F"))
        heads = seen * rows.heads().weight
        total += heads @ log_density
        resp = rows.spread(resp * heads[:, None])
        low, high = (components.widened(factor * np.exp(shift)).logpdf(rows.y) for shift in (-STEP, STEP))
        change = np.subtract(high, low, out=np.zeros_like(high), where=np.isfinite(high) & np.isfinite(low))
        weight += resp.sum(axis=0)
        slope += np.where(resp > 0, resp * np.nan_to_num(change), 0.0).sum(axis=0) / (2.0 * STEP)
    return weight, slope, total
