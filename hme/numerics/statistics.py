"""Operations on sufficient statistics and parameters: NamedTuples of arrays whose first axis is the expert or node.

Statistics are summed over rows, blocks and chunks; parameters are selected, concatenated and interpolated.
"""

import numpy as np

__all__ = ["add", "concatenate", "decay", "divided", "interpolate", "placed", "take"]


def add(a, b):
    """Sum of the statistics of two sets of rows; None is the empty sum."""
    if a is None or b is None:
        return b if a is None else a
    return type(a)(*(u + v for u, v in zip(a, b, strict=True)))


def decay(stats, factor):
    """Statistics with every array multiplied by `factor` in (0, 1], so that older rows count less."""
    return type(stats)(*(factor * u for u in stats))


def take(params, index):
    """Parameters of the experts (or nodes) in `index`, in that order."""
    return type(params)(*(u[np.asarray(index)] for u in params))


def concatenate(*params):
    """Parameters of the experts of the first, followed by those of the second, ..."""
    return type(params[0])(*map(np.concatenate, zip(*params, strict=True)))


def divided(params, n):
    """The inverse of `concatenate`: a list of the parameters of `n` models with equally many experts each."""
    parts = zip(*(u.reshape(n, len(u) // n, *u.shape[1:]) for u in params), strict=True)
    return [type(params)(*part) for part in parts]


def placed(parts, places, size):
    """Statistics of `size` experts, or nodes, from those of some of them, a list, and their numbers; of others zero."""
    out = type(parts[0])(*(np.zeros((size, *u.shape[1:])) for u in parts[0]))
    for part, place in zip(parts, places, strict=True):
        for total, own in zip(out, part, strict=True):
            total[place] += own
    return out


def interpolate(a, b, step, scales=()):
    """Parameters at ``a + step (b - a)``; entries that agree stay as they are, infinite ones too.

    Beyond `b`, the fields named in `scales`, such as variances, go on by their ratio, so that they stay positive. For
    others, such as coefficients that happen to be positive, the way would depend on where the zero of y is.

    `step` is a number, or has one for each entry of the first axis; either all of them are beyond one or none is.
    """
    beyond = np.max(step, initial=0.0) > 1.0

    def between(name, u, v):
        own = step if np.ndim(step) == 0 else step.reshape(-1, *[1] * (u.ndim - 1))
        if beyond and name in scales and (u > 0).all() and (v > 0).all():
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # the guard notices what overflows
                return v * np.divide(v, u, out=np.ones_like(v), where=u != v) ** (own - 1.0)
        return u + own * np.subtract(v, u, out=np.zeros_like(u), where=u != v)

    return type(a)(*(between(name, u, v) for name, u, v in zip(a._fields, a, b, strict=True)))
