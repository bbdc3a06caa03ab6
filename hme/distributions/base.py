"""What every distribution answers: densities, probabilities, quantiles, moments and draws of n rows and K experts."""

import numpy as np

__all__ = ["Distribution", "empty_for"]


class Distribution:
    """Distributions of n rows under K experts: the methods that all of them share.

    A method that a kind of distribution lacks raises NotImplementedError.

    Attributes
    ----------
    shape : (int, int)
        Rows and experts.
    n_outputs : int
        Length of y. Joint distributions of several outputs have `marginal`, `logpdf`, `mean`, `covariance` and `draw`.
    measure : {"density", "mass"}
        What `logpdf` is the logarithm of.
    atoms : ndarray
        Points that have probability, apart from whole numbers.
    on_lattice : bool
        Whether whole numbers are among the points that have probability.
    flat : bool
        Whether densities are constant on their supports.
    """

    n_outputs, measure, on_lattice, flat = 1, "density", False, False
    atoms = np.zeros(0)

    def __len__(self):
        return self.shape[0]

    def __repr__(self):
        return f"{type(self).__name__} of {self.shape[0]} rows and {self.shape[1]} experts"

    def __getitem__(self, k):
        """The distribution of one expert, or of several."""
        return self.columns(np.atleast_1d(np.arange(self.shape[1])[k]))

    @property
    def discrete(self):
        """Whether all probability is on points."""
        return self.measure == "mass"

    @property
    def parts(self):
        """Pairs of a distribution of one kind and the numbers of the experts that have it."""
        return [(self, np.arange(self.shape[1]))]

    @property
    def kind(self):
        """What two distributions must agree in to be put side by side."""
        return (type(self),)

    def beside(self, others):
        """These experts and those of other distributions of the same kind and the same rows, in this order."""
        raise self._lacks("beside")

    def take(self, rows):
        """The distributions of some rows, by number, mask or slice."""
        raise self._lacks("take")

    def columns(self, index):
        """The distributions of some experts."""
        raise self._lacks("columns")

    def spread(self, index, n_rows):
        """Distributions of `n_rows` rows, of which these are at the numbers `index`; the others are harmless."""
        raise self._lacks("spread")

    def marginal(self, t):
        """The distribution of one output."""
        return self

    def widened(self, factor):
        """The distributions with the same means and their variances multiplied by factors >= 1, (K,) or (n, K).

        Kinds without a parameter for that stay as they are.
        """
        return self

    def lightened(self, least_df):
        """The distributions with tails no heavier than those of a t distribution with so many degrees of freedom.

        Only Student's have a parameter for that.
        """
        return self

    def draw(self, rng, rows, experts):
        """Draws (m,) of pairs of a row and an expert; (m, T) of several outputs."""
        raise self._lacks("draw")

    # -- densities and probabilities ----------------------------------------------------------------------------------

    def logpdf(self, y):
        """Log-density or log-mass (n, K) at y (n, 1), or (n, T) for several outputs."""
        raise self._lacks("logpdf")

    def pdf(self, y):
        return np.exp(self.logpdf(y))

    def cdf(self, y):
        """Probability of y or less."""
        raise self._lacks("cdf")

    def sf(self, y):
        """Probability of more than y."""
        raise self._lacks("sf")

    def logcdf(self, y):
        with np.errstate(divide="ignore"):
            return np.log(self.cdf(y))

    def logsf(self, y):
        with np.errstate(divide="ignore"):
            return np.log(self.sf(y))

    def icdf(self, q):
        """Quantiles (n, K) of probabilities that broadcast to it, between zero and one."""
        raise self._lacks("icdf")

    def isf(self, q):
        """What is exceeded with probability q."""
        raise self._lacks("isf")

    # -- moments and shape --------------------------------------------------------------------------------------------

    def mean(self):
        raise self._lacks("mean")

    def has_mean(self):
        """Whether the mean exists, (n, K)."""
        return np.isfinite(self.mean())

    def variance(self):
        raise self._lacks("variance")

    def covariance(self):
        """Covariances (n, K, T, T) of several outputs."""
        raise self._lacks("covariance")

    def mode(self):
        """Where the density is largest."""
        raise self._lacks("mode")

    def support(self):
        """Ends (n, K) of the support."""
        raise self._lacks("support")

    def sample(self, rng):
        """One draw of every distribution, (n, K)."""
        raise self._lacks("sample")

    # -- parts of the CRPS --------------------------------------------------------------------------------------------

    def excess(self, y):
        """E max(Y - y, 0): the integral of the survival function."""
        raise self._lacks("excess")

    def shortfall(self, y):
        """E max(y - Y, 0): the integral of the distribution function."""
        return np.maximum(self.excess(y) + (y - self.mean()), 0.0)

    def half_difference(self):
        """E|Y - Y'| / 2 of two independent draws, eq. (mean-difference); None where it has no closed form."""
        return None

    def half_difference_of_mixture(self, weights):
        """The same (n,) of the mixture of the experts, whose weights are (n, K); None where it has no closed form."""
        return None

    def pieces(self):
        """Points (n, K, m) between which the distribution is smooth, as far out as there is anything to tell."""
        raise self._lacks("pieces")

    def kinks(self):
        """Points (n, K, m) where the distribution is not smooth."""
        return np.empty((*self.shape, 0))

    def _lacks(self, name):
        return NotImplementedError(f"{type(self).__name__} has no {name}.")


def empty_for(*arrays):
    """An array of the shape that others broadcast to, stored column by column, for results to be computed in."""
    return np.empty(np.broadcast(*arrays).shape, order="F")
