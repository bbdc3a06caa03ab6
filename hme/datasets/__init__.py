"""Data for mixtures of experts: generators with known truth, a simulated robot arm, two real data sets.

Every generator returns ``(X, y, truth)``; ``truth`` is a :class:`sklearn.utils.Bunch` with the quantities that a fitted
model can be compared with.
"""

from .curves import make_heteroscedastic, make_inverse_problem, make_two_spirals
from .motorcycle import load_motorcycle
from .regimes import make_regimes
from .robot_arm import arm_acceleration, arm_energy, arm_inverse_dynamics, arm_mass_matrix, make_robot_arm
from .sunspots import load_sunspots

__all__ = [
    "arm_acceleration",
    "arm_energy",
    "arm_inverse_dynamics",
    "arm_mass_matrix",
    "load_motorcycle",
    "load_sunspots",
    "make_heteroscedastic",
    "make_inverse_problem",
    "make_regimes",
    "make_robot_arm",
    "make_two_spirals",
]
