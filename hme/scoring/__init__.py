"""How good a predictive distribution is: proper scores, calibration, and both as scikit-learn's ``scoring=``.

The functions take a predictive distribution, as ``predict_dist`` of an estimator returns it, and what was seen. Scores
of several outputs are averaged over them, but for the logarithmic one, which judges their joint density. Of `log_score`
more is better, of all others less; scorers turn the sign where needed, so that more is always better.
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
