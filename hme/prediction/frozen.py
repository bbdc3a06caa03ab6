"""One row as an object that scipy.stats knows."""

import numpy as np

__all__ = ["frozen_row"]


def frozen_row(one):
    """A frozen distribution of scipy.stats that asks a PredictiveDistribution of one row."""
    from scipy import stats

    low, high = (float(end[0]) for end in one.support())

    def ask(name):
        return lambda self, x: getattr(one, name)(np.reshape(x, (1, -1)))[0].reshape(np.shape(x))

    def quantile(name):
        return lambda self, q: getattr(one, name)(np.ravel(q))[0].reshape(np.shape(q))

    def rvs(self, size=None, random_state=None):
        draws = one.sample(int(np.prod(size or 1)), random_state)[0]
        return draws.reshape(size) if size else draws[0]

    def moments(self, *_):
        return one.mean()[0], one.variance()[0], None, None

    density = ("pmf", "logpmf") if one.discrete else ("pdf", "logpdf")
    methods = {f"_{name}": ask(name) for name in (*density, "cdf", "logcdf")}
    methods |= {"_sf": ask("ccdf"), "_logsf": ask("logccdf"), "_ppf": quantile("icdf"), "_isf": quantile("iccdf")}
    methods |= {"_rvs": rvs, "_stats": moments}
    base = stats.rv_discrete if one.discrete else stats.rv_continuous
    return type("PredictiveRow", (base,), methods)(a=low, b=high, name="predictive")()
