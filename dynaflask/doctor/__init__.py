"""The doctor: where each setting of a destination comes from, and what does not work there."""

from __future__ import annotations

from dynaflask.doctor.diagnosis import diagnose
from dynaflask.doctor.report import Diagnosis
from dynaflask.doctor.report import Finding
from dynaflask.doctor.report import Value

__all__ = ["Diagnosis", "Finding", "Value", "diagnose"]
