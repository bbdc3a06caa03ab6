"""Models of families whose distributions have no mean: the median stands for it."""

import numpy as np
import pytest
from problems import slow_case
from scipy import stats
from sklearn.model_selection import cross_val_score
from user_families import LogisticNoise, LogisticNoiseExpert

from hme import HMERegressor, HMETransformer
from hme.distributions import FromScipy


class CauchyNoise(LogisticNoise):
    def log_density(self, y, eta, params, rows):
        return -np.log(np.pi * params.scale * (1.0 + ((y - eta) / params.scale) ** 2))  # SciPy's checks take longer

    def distribution(self, eta, params, rows):
        return FromScipy(stats.cauchy, loc=eta, scale=params.scale)


class HeavyStudentNoise(LogisticNoise):
    def log_density(self, y, eta, params, rows):
        return stats.t.logpdf(y, 0.8, eta, params.scale)

    def distribution(self, eta, params, rows):
        return FromScipy(stats.t, df=0.8, loc=eta, scale=params.scale)


class CauchyExpert(LogisticNoiseExpert):
    def response(self):
        return CauchyNoise()


class HeavyStudentExpert(LogisticNoiseExpert):
    def response(self):
        return HeavyStudentNoise()


@pytest.mark.parametrize("family", [CauchyExpert, slow_case(HeavyStudentExpert)])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_predictions_are_numbers(family):
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, (20, 1))
    y = np.abs(X[:, 0]) + 0.05 * rng.standard_cauchy(20)
    model = HMERegressor(depth=1, expert=family(), max_iter=2, random_state=0).fit(X, y)
    layer = HMETransformer(model, ("gate", "weighted", "experts", "mean"))
    for values in (model.predict(X), model.predict_experts(X), layer.fit_transform(X, y)):
        assert np.isfinite(values).all()
    mean, deviation = model.predict(X, return_std=True)
    assert np.isfinite(mean).all() and np.isposinf(deviation).all()
    dist = model.predict_dist(X)
    np.testing.assert_allclose(dist.mean(), mean, rtol=1e-12)
    assert np.isfinite(dist[:5].median()).all() and not np.isnan(dist.variance_parts()).any()
    assert np.isfinite(cross_val_score(model, X, y, cv=2)).all()
    with pytest.raises(ValueError, match="no mean"):
        dist.crps(y)
