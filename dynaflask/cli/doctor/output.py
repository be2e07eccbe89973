"""Print what the doctor found: the values with their sources, and one line for each finding."""

from __future__ import annotations

import dataclasses
import json

import click

from dynaflask.cli.doctor.diagnosis import diagnose
from dynaflask.cli.doctor.report import Diagnosis
from dynaflask.cli.doctor.report import Finding
from dynaflask.cli.doctor.report import Value
from dynaflask.cli.output import Record
from dynaflask.cli.output import print_records
from dynaflask.cli.output import record_of_bind
from dynaflask.registry.registry import Registry


def show(registry: Registry, *, bind_key: str | None = None, as_json: bool = False) -> bool:
    """Print the diagnoses of an app's destinations.

    Args:
        registry: The app's registry, in a context of the app.
        bind_key: Only this bind.
        as_json: Print JSON.

    Returns:
        True if no check found an error.
    """
    diagnoses = diagnose(registry, bind_key=bind_key)
    if as_json:
        click.echo(json.dumps([record_of_bind(diagnosis) for diagnosis in diagnoses], indent=2))
    else:
        print_records([_record(diagnosis, value) for diagnosis in diagnoses for value in diagnosis.values])
        click.echo()
        print_records([_record(diagnosis, finding) for diagnosis in diagnoses for finding in diagnosis.findings])
    return all(diagnosis.is_ok for diagnosis in diagnoses)


def _record(diagnosis: Diagnosis, part: Value | Finding) -> Record:
    return {"bind": diagnosis.label, **dataclasses.asdict(part)}
