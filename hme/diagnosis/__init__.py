"""Is a mixture worth its experts, and did its starts agree?"""

from .basins import RestartReport, restart_report
from .checks import Reliability
from .evidence import Gain
from .verdict import Diagnosis, diagnose

__all__ = ["Diagnosis", "Gain", "Reliability", "RestartReport", "diagnose", "restart_report"]
