"""Diagnosis of fitted mixtures: is the mixture worth its experts, and do different starts agree?"""

from .basins import RestartReport, restart_report
from .checks import Reliability
from .evidence import Gain
from .verdict import Diagnosis, diagnose

__all__ = ["Diagnosis", "Gain", "Reliability", "RestartReport", "diagnose", "restart_report"]
