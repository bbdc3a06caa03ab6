"""Scores and calibration of predictive distributions, also as scikit-learn's ``scoring=``.

The functions take a predictive distribution, as returned by ``predict_dist`` of an estimator, and the observed targets.
Scores of several outputs are averaged over the outputs, except for the logarithmic score, which uses their joint
density. A larger `log_score` is better; for all others smaller is better. Scorers change signs where needed, so that
larger is always better.
"""

from .calibration import calibration_error, coverage, pit, pit_distance
from .proper import brier_score, crps, interval_score, log_score, pinball
from .scorers import (
    DistributionScorer,
    brier_scorer,
    calibration_scorer,
    crps_scorer,
    interval_scorer,
    log_score_scorer,
)

__all__ = [
    "DistributionScorer",
    "brier_score",
    "brier_scorer",
    "calibration_error",
    "calibration_scorer",
    "coverage",
    "crps",
    "crps_scorer",
    "interval_score",
    "interval_scorer",
    "log_score",
    "log_score_scorer",
    "pinball",
    "pit",
    "pit_distance",
]
