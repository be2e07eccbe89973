"""The commands that check what an app needs: ``ping``, ``check`` and ``doctor``."""

from __future__ import annotations

import sys

import click

from dynaflask.cli.commands.base import current_registry
from dynaflask.cli.commands.base import dynamo
from dynaflask.cli.commands.base import hint_at_models
from dynaflask.cli.commands.base import json_option
from dynaflask.cli.doctor import output as doctor_output
from dynaflask.cli.output import print_records
from dynaflask.cli.output import record_of_bind


@dynamo.command("ping")
@click.option("--bind", "bind_key", metavar="BIND", help="Only this bind.")
@json_option
def ping(*, bind_key: str | None, as_json: bool) -> None:
    """Make one cheap call to each bind."""
    registry = current_registry()
    binds = [bind_key] if bind_key else list(registry.binds)
    print_records([{"bind": key, "seconds": round(registry.ping(key), 4)} for key in binds], as_json=as_json)


@dynamo.command("check")
@click.option("--bind", "bind_key", metavar="BIND", help="Only this bind and its tables.")
@json_option
def check(*, bind_key: str | None, as_json: bool) -> None:
    """Check that each table can be used. Exits with 1 if one cannot."""
    registry = current_registry()
    hint_at_models(registry)
    results = registry.check(*([bind_key] if bind_key else []), tables=True)
    records = [record_of_bind(result) | {"seconds": round(result.seconds, 4)} for result in results]
    print_records(records, as_json=as_json)
    sys.exit(not all(result.is_ok for result in results))


@dynamo.command("doctor")
@click.option("--bind", "bind_key", metavar="BIND", help="Only this bind and its tables.")
@json_option
def run_doctor(*, bind_key: str | None, as_json: bool) -> None:
    """Show where the settings come from, and what does not work. Exits with 1 if something does not."""
    sys.exit(not doctor_output.show(current_registry(), bind_key=bind_key, as_json=as_json))
