"""Link functions between the mean of y and the linear predictor eta; one object for each link."""

import numpy as np
from scipy.special import expit, logit

__all__ = ["LINKS", "Link"]

# Linear predictors of a log or logit link are clipped to this size, so that cubes of their exponentials are finite.
LARGEST_ETA = 235.0
# With the inverse link, eta is clipped from below at this fraction of 1 / scale, the eta of the largest target.
LEAST_ETA_SHARE = 1e-3


class Link:
    """A link function; `scale` is the size of the largest target in the training data."""

    def mean(self, eta, scale=1.0):
        """The mean at eta."""
        raise NotImplementedError

    def slope(self, mean, eta, scale=1.0):
        """Derivative of the mean with respect to eta."""
        raise NotImplementedError

    def bend(self, mean, eta, scale=1.0):
        """Second derivative of the mean with respect to eta."""
        raise NotImplementedError

    def eta(self, mean):
        """The linear predictor that corresponds to a mean."""
        raise NotImplementedError


class _Identity(Link):
    def mean(self, eta, scale=1.0):
        return eta

    def slope(self, mean, eta, scale=1.0):
        return np.ones_like(eta)

    def bend(self, mean, eta, scale=1.0):
        return np.zeros_like(eta)

    def eta(self, mean):
        return mean


class _Log(Link):
    def mean(self, eta, scale=1.0):
        return np.exp(np.clip(eta, -LARGEST_ETA, LARGEST_ETA))

    def slope(self, mean, eta, scale=1.0):
        return mean

    def bend(self, mean, eta, scale=1.0):
        return mean

    def eta(self, mean):
        return np.log(mean)


class _Inverse(Link):
    """eta = 1 / mean; where eta is below a small positive bound, the mean is a thousand times the largest target."""

    def mean(self, eta, scale=1.0):
        return 1.0 / np.maximum(eta, LEAST_ETA_SHARE / scale)

    def slope(self, mean, eta, scale=1.0):
        return np.where(eta > LEAST_ETA_SHARE / scale, -(mean**2), 0.0)

    def bend(self, mean, eta, scale=1.0):
        return np.where(eta > LEAST_ETA_SHARE / scale, 2.0 * mean**3, 0.0)

    def eta(self, mean):
        return 1.0 / mean


class _Logit(Link):
    def mean(self, eta, scale=1.0):
        return expit(np.clip(eta, -LARGEST_ETA, LARGEST_ETA))

    def slope(self, mean, eta, scale=1.0):
        return mean * (1.0 - mean)

    def bend(self, mean, eta, scale=1.0):
        return mean * (1.0 - mean) * (1.0 - 2.0 * mean)

    def eta(self, mean):
        return logit(mean)


LINKS = {"identity": _Identity(), "log": _Log(), "inverse": _Inverse(), "logit": _Logit()}
