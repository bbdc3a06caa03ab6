"""One fit from given parameters: algorithms one after the other, each trained in the way that the gate needs."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..model.mixture import Mixture
from ..model.rows import Rows
from . import ascent, em

__all__ = ["Run", "ended", "train"]


@dataclass(frozen=True)
class Run:
    """EM with everything but the parameters to start from: what `Gate.train` is given to call, once or in stages.

    Attributes
    ----------
    mixture : Mixture
    rows : Rows
    options : Options
    reached : float
        Objective that an earlier, converged fit reached at the parameters.
    warm : bool
        Whether the parameters come from an earlier fit.
    """

    mixture: Mixture
    rows: Rows
    options: em.Options = em.Options()
    reached: float = -np.inf
    warm: bool = False

    @property
    def fit(self):
        """``fit(params)`` runs EM as it is: a `partial`, which adds no frame between `Gate.train` and EM."""
        return partial(em.fit, self.mixture, self.rows, options=self.options, reached=self.reached)

    def __call__(self, params, *, mixture=None, rows=None, reached=None, **options):
        """Run EM from `params`, on another mixture or other rows and with other options where they are given.

        Returns
        -------
        Fit
        """
        given = {"mixture": mixture, "rows": rows, "reached": reached}
        given = {name: value for name, value in given.items() if value is not None}
        return replace(self, options=self.options._replace(**options), **given).fit(params)


def ended(mixture, rows, fit, options):
    """A fit of one algorithm after what is done at its end."""
    if options.algorithm != "em" or mixture.routed or mixture.refitted:
        return fit
    return ascent.complete(mixture, rows, fit, options)


def train(mixture, rows, params, options=em.Options(), reached=-np.inf, warm=False):
    """Run the algorithms of the options, one after the other, from `params`.

    Parameters
    ----------
    mixture, rows, params, reached
        As for `em.fit`.
    options : Options
        `algorithm` is one name or a tuple of names.
    warm : bool
        Whether the parameters come from an earlier fit.

    Returns
    -------
    Fit
        Parameters and history are those of the last algorithm.
    """
    algorithms = (options.algorithm,) if isinstance(options.algorithm, str) else options.algorithm
    for number, algorithm in enumerate(algorithms):
        run = Run(mixture, rows, options._replace(algorithm=algorithm), reached, warm or number > 0)
        fit = ended(mixture, rows, mixture.gate.train(mixture, params, rows, run), run.options)
        if fit.reason in ("interrupted", "callback"):
            break
        params, reached = fit.params, -np.inf
    return fit
