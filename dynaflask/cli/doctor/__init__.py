"""The doctor: where each setting of a destination comes from, and what does not work there."""

from __future__ import annotations

from dynaflask.cli.doctor.diagnosis import diagnose
from dynaflask.cli.doctor.report import Diagnosis
from dynaflask.cli.doctor.report import Finding
from dynaflask.cli.doctor.report import Value

__all__ = ["Diagnosis", "Finding", "Value", "diagnose"]
