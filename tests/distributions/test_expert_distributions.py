"""Every family of experts: the distribution is that of its likelihood."""

import pickle

import numpy as np
import pytest
from families import DESIGN, EXPERTS, fit_once, identify, make_resp, make_rows
from problems import few

from hme.experts import (
    BackgroundExpert,
    BinomialExpert,
    ConstantExpert,
    EstimatorExpert,
    GammaExpert,
    LinearExpert,
    LogisticExpert,
    MixedExpert,
    PointMassExpert,
    PoissonExpert,
    TreeExpert,
)

FAMILIES = [(family, kind) for family, kind in EXPERTS if "classes" not in kind] + [
    (LinearExpert(covariance="full"), "two outputs"),
    (ConstantExpert(), "two outputs"),
    (BackgroundExpert(), "two outputs"),
    (BackgroundExpert("uniform"), "regression"),
    (TreeExpert(), "regression"),
    (TreeExpert(noise="student", df="estimate"), "two outputs"),
    (TreeExpert(noise="laplace"), "regression"),
    (EstimatorExpert(), "regression"),
    (PointMassExpert(1.0), "counts"),
]


def moments(dist):
    mean = dist.mean()
    if mean.ndim == 2:
        return mean[:, :, None], dist.variance()[:, :, None]
    return mean, np.diagonal(dist.covariance(), axis1=2, axis2=3)


@pytest.mark.parametrize("family, kind", few(FAMILIES, 24), ids=identify)
def test_families_say_what_their_likelihood_is(family, kind):
    rows = make_rows(kind)
    family, params = fit_once(family, rows, make_resp(rows))
    dist = family.predict_dist(params, rows._replace(y=None))
    ours, theirs = dist.logpdf(rows.y), family.log_prob(params, rows)
    np.testing.assert_array_equal(np.isneginf(ours), np.isneginf(theirs))
    np.testing.assert_allclose(ours[np.isfinite(ours)], theirs[np.isfinite(theirs)], rtol=1e-10, atol=1e-10)
    mean, variance = moments(dist)
    np.testing.assert_allclose(mean, family.predict(params, rows), rtol=1e-12)
    np.testing.assert_allclose(variance, family.variance(params, rows), rtol=1e-12)
    assert dist.shape == ours.shape
    # of no rows at all, as a sparse gate may ask
    none = family.predict_dist(params, rows._replace(y=None)[np.zeros(0, dtype=int)])
    assert none.shape == (0, ours.shape[1])


def test_classifiers_have_categorical_ones():
    rows = make_rows("two classes")
    family, params = fit_once(LogisticExpert(), rows, make_resp(rows))
    dist = family.predict_dist(params, rows)
    np.testing.assert_allclose(dist.logpdf(rows.y[:, None]), family.log_prob(params, rows), rtol=1e-12)
    np.testing.assert_allclose(dist.probability, family.predict(params, rows), rtol=1e-12)


@pytest.mark.parametrize(
    "experts, kind",
    [
        ([("a", LinearExpert()), ("b", BackgroundExpert("uniform")), ("c", LinearExpert(alpha=3.0))], "regression"),
        ([("a", LinearExpert()), ("b", BackgroundExpert()), ("c", LinearExpert())], "two outputs"),
        ([("a", GammaExpert()), ("zero", PointMassExpert()), ("c", LinearExpert())], "zeros"),
        ([("a", PoissonExpert()), ("zero", PointMassExpert()), ("c", PoissonExpert())], "counts"),
        ([("a", BinomialExpert()), ("b", PointMassExpert(2.0)), ("c", BinomialExpert())], "trials"),
    ],
)
def test_mixed_lists_say_what_their_likelihood_is(experts, kind):
    rows = make_rows("positive" if kind == "zeros" else kind)
    if kind == "zeros":
        rows = rows._replace(y=np.where(np.arange(rows.n_rows)[:, None] % 3 == 0, 0.0, rows.y), offset=None)
    if kind == "trials":
        rows = rows._replace(offset=None)
    family = MixedExpert(experts).bind(rows, DESIGN)
    params = family.init(rows, make_resp(rows))
    dist = family.predict_dist(params, rows._replace(y=None))
    ours, theirs = dist.logpdf(rows.y), family.log_prob(params, rows)
    np.testing.assert_array_equal(np.isneginf(ours), np.isneginf(theirs))
    finite = np.isfinite(ours)
    np.testing.assert_allclose(ours[finite], theirs[finite], rtol=1e-10, atol=1e-10)
    mean, variance = moments(dist)
    np.testing.assert_allclose(mean, family.predict(params, rows), rtol=1e-12)
    np.testing.assert_allclose(variance, family.variance(params, rows), rtol=1e-12)
    swapped = family.take(params, [2, 0])
    np.testing.assert_array_equal(family.predict_dist(swapped, rows).logpdf(rows.y), ours[:, [2, 0]])
    np.testing.assert_array_equal(dist.columns([2, 0]).logpdf(rows.y), ours[:, [2, 0]])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(dist)).logpdf(rows.y), ours)
