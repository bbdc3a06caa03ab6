"""The promises that are checked, of which fits, and how often."""

from collections.abc import Callable
from dataclasses import dataclass

from . import of_answers, of_fits, of_refits
from .limits import Excused, Failure, watched

__all__ = ["CHECKS", "Check"]


# What puts units of its own into a family: values in units of y, penalties whose strength has them, two measures.
NOT_OF_ONE_SCALE = (
    *("fixed_coef", "intercept", "scale_penalty", "l1_ratio", "PointMass"),
    *("Gaussian", "gaussian", "inverse", "Inverse"),  # a log link and a dispersion that has units
)


def always(fitted):
    return True


def comparable(fitted):
    """Whether fits can be compared: nothing is drawn row by row, and no user's estimator chooses among ties."""
    expert, gate = fitted.traits
    drawn = "stochastic" in fitted.configuration.settings.get("algorithm", "")
    return not (drawn or expert.refitted or gate.refitted)


def weighs_rows(fitted):
    """Whether all parts take weights; a pipeline that makes columns does not pass them on."""
    return comparable(fitted) and "make_pipeline" not in fitted.configuration.settings.get("gate_features", "")


def unit_free(fitted):
    """Whether the units of X have no influence."""
    settings = fitted.configuration.settings
    text = settings["expert"] + settings["gate"]
    # The columns of a pool are in nats, all of them.
    plain = not any(word in text.lower() for word in ("fixed_coef", "sides", "intercept", "pool"))
    return comparable(fitted) and plain and not {"standardize", "expert_features", "gate_features"} & set(settings)


def has_units(fitted):
    """Whether y has units: densities of one scale whose penalties follow it."""
    configuration = fitted.configuration
    text = configuration.settings["expert"]
    scaled = configuration.domain in ("real", "two outputs", "positive") and fitted.traits[0].measure == "density"
    return comparable(fitted) and scaled and not any(word in text for word in NOT_OF_ONE_SCALE)


def can_start_warm(fitted):
    return comparable(fitted) and not fitted.traits[1].routed and "hard" not in str(fitted.configuration["algorithm"])


@dataclass(frozen=True)
class Check:
    """A promise: what checks it, of which fits, and the share of these that it is drawn for, as some are costly."""

    function: Callable
    applies: Callable = always
    share: float = 1.0

    @property
    def name(self):
        return self.function.__name__.replace("_", " ")

    def outcome(self, fitted):
        """None if the promise is kept, "excused", or what is broken."""
        try:
            with watched():
                self.function(fitted)
        except Failure as failure:
            return str(failure)
        except Excused:
            return "excused"


CHECKS = [
    Check(of_fits.attributes),
    Check(of_fits.leaves),
    Check(of_fits.objective),
    Check(of_fits.public_objective),
    Check(of_answers.probabilities),
    Check(of_answers.predictions),
    Check(of_answers.distribution, share=0.5),
    Check(of_answers.crps, share=0.2),
    Check(of_answers.class_names, share=0.1),
    Check(of_answers.regions, share=0.2),
    Check(of_answers.scores, share=0.5),
    Check(of_answers.text, share=0.5),
    Check(of_answers.summary, share=0.2),
    Check(of_answers.new_rows, share=0.5),
    Check(of_answers.subset, share=0.5),
    Check(of_answers.pickled, share=0.2),
    Check(of_refits.row_order, comparable, 0.3),
    Check(of_refits.repeated_rows, weighs_rows, 0.3),
    Check(of_refits.units_of_X, unit_free, 0.3),
    Check(of_refits.units_of_y, has_units, 0.3),
    Check(of_refits.forms, comparable, 0.2),
    Check(of_refits.jobs, share=0.05),
    Check(of_refits.warm_start, can_start_warm, 0.1),
    Check(of_fits.exact_steps, share=0.5),
]
