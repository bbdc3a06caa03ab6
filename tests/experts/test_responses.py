"""What a response has by default: units that do not matter, and mistakes that are named."""

from typing import NamedTuple

import numpy as np
import pytest
from problems import representative
from scipy import stats

from hme import HMERegressor
from hme.distributions import FromScipy
from hme.experts import PredictorExpert, Response, Scalar
from hme.inference import infer


class WidthParams(NamedTuple):
    coef: np.ndarray
    width: np.ndarray


class LogisticNoise(Response):
    Params = WidthParams
    scalars = (Scalar("width", "log(width)", least=1e-6, units=1),)

    def log_density(self, y, eta, params, rows):
        return stats.logistic.logpdf(y, eta, params.width)

    def distribution(self, eta, params, rows):
        return FromScipy(stats.logistic, loc=eta, scale=params.width)


class Misnamed(LogisticNoise):
    scalars = (Scalar("scale", "log(scale)"),)


class Flat(LogisticNoise):
    def log_density(self, y, eta, params, rows):
        return super().log_density(y, eta, params, rows)[:, :, 0]


class Bounded(LogisticNoise):
    """A uniform density, which says that some targets are impossible."""

    Params, scalars = WidthParams, LogisticNoise.scalars

    def log_density(self, y, eta, params, rows):
        return stats.uniform.logpdf(y, eta - params.width, 2.0 * params.width)


class Expert(PredictorExpert):
    def __init__(self, kind=LogisticNoise, alpha=0.1):
        self.kind = kind
        self.alpha = alpha

    def response(self):
        return self.kind()


RNG = np.random.default_rng(0)
X = 100.0 + 20.0 * RNG.normal(size=(300, 1))
Y = 5.0 + 0.05 * X[:, 0] + 0.1 * RNG.logistic(size=300)


@pytest.mark.slow
@pytest.mark.parametrize("unit", representative([1e-6, 1e3, 1e5], every=3))
def test_units_of_y_do_not_matter(unit):
    one, other = (HMERegressor(depth=0, expert=Expert(), tol=1e-9).fit(X, u * Y) for u in (1.0, unit))
    np.testing.assert_allclose(other.experts_.coef / unit, one.experts_.coef, rtol=1e-6)
    np.testing.assert_allclose(other.experts_.width / unit, one.experts_.width, rtol=1e-6)
    assert other.n_iter_ == one.n_iter_
    errors = [infer(model, X, u * Y).standard_error for model, u in ((one, 1.0), (other, unit))]
    np.testing.assert_allclose(errors[1][:2] / unit, errors[0][:2], rtol=1e-5)


def test_slopes_and_errors_are_right():
    model = HMERegressor(depth=0, expert=Expert(), tol=1e-9).fit(X, Y)
    # Of logistic noise the information on a location is 1 / (3 width^2).
    expected = np.sqrt(3.0) * model.experts_.width[0] / np.sqrt(((X - X.mean()) ** 2).sum())
    np.testing.assert_allclose(model.experts_.coef[0], 0.05, atol=3 * expected)
    np.testing.assert_allclose(infer(model, X, Y).standard_error[1], expected, rtol=0.1)


@pytest.mark.parametrize(
    "kind, error, message",
    [
        (Misnamed, TypeError, r"Misnamed.Params has the fields \['coef', 'width'\]; it must have coef and the scalars"),
        (Flat, ValueError, r"Flat.log_density returned shape \(2, 1\); it must be \(rows, experts, outputs\)"),
    ],
)
def test_mistakes_are_named(kind, error, message):
    with pytest.raises(error, match=message):
        HMERegressor(depth=0, expert=Expert(kind)).fit(X, Y)


def test_impossible_targets_end_in_a_sentence():
    with pytest.raises(ValueError, match="probability zero"):
        HMERegressor(depth=0, expert=Expert(Bounded)).fit(X, Y)


def test_a_response_is_no_expert():
    with pytest.raises(TypeError, match="expert = LogisticNoise: a Response is the distribution around a prediction"):
        HMERegressor(depth=0, expert=LogisticNoise()).fit(X, Y)
