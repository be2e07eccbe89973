"""The commands for tables: ``models``, ``status``, ``create``, ``drop``, ``diff`` and ``sync``."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import sys

import click

from dynaflask import tables
from dynaflask.cli.commands.base import confirm
from dynaflask.cli.commands.base import current_registry
from dynaflask.cli.commands.base import dynamo
from dynaflask.cli.commands.base import echo_tables
from dynaflask.cli.commands.base import hint_at_models
from dynaflask.cli.commands.base import json_option
from dynaflask.cli.commands.base import selection
from dynaflask.cli.commands.base import table_options
from dynaflask.cli.commands.base import wait_option
from dynaflask.cli.commands.base import with_account
from dynaflask.cli.commands.base import yes_option
from dynaflask.cli.output import Record
from dynaflask.cli.output import print_records
from dynaflask.model.typed import Model
from dynaflask.registry.registry import Registry
from dynaflask.tables.difference import Difference
from dynaflask.tables.table import Table
from dynaflask.tables.table import destination
from dynaflask.tables.table import find_tables

Drift = cabc.Mapping[Table, cabc.Sequence[Difference]]

prune_option = click.option("--prune", is_flag=True, help="Include global indexes that no model of the app declares.")


@dynamo.command("models")
@json_option
def show_models(*, as_json: bool) -> None:
    """Show the app's models with their tables and destinations. Makes no call."""
    registry = current_registry()
    hint_at_models(registry)
    selected = find_tables(registry, models=registry.models.classes())
    records = [_model_record(model, table) for table in selected for model in table.models]
    print_records(records, as_json=as_json)


@dynamo.command("status")
@table_options
@json_option
def show_status(*, models: cabc.Sequence[str], bind_key: str | None, as_json: bool) -> None:
    """Show the state of the tables. Exits with 1 if a table is missing or differs from its models."""
    registry = current_registry()
    statuses = tables.status(registry, **selection(models, bind_key))
    print_records([_status_record(registry, status) for status in statuses], as_json=as_json)
    sys.exit(any(status.differences for status in statuses))


@dynamo.command("create")
@table_options
@wait_option
def create(*, models: cabc.Sequence[str], bind_key: str | None, wait: bool) -> None:
    """Create the tables that do not exist."""
    registry = current_registry()
    selected = find_tables(registry, **selection(models, bind_key))
    created = tables.create(selected, wait=wait)
    echo_tables("Created", registry, created)
    if not created:
        click.echo("All tables exist." if selected else "There is no table to create.")


@dynamo.command("drop")
@table_options
@yes_option
@wait_option
def drop(*, models: cabc.Sequence[str], bind_key: str | None, yes: bool, wait: bool) -> None:
    """Delete tables with all their items."""
    registry = current_registry()
    selected = find_tables(registry, **selection(models, bind_key))
    existing = [table for table in selected if table.describe() is not None]
    for table in existing:
        table.check_not_shared()
    echo_tables("Does not exist:", registry, [table for table in selected if table not in existing])
    for table in existing:
        click.echo(f"Will be deleted with all items: {with_account(registry, table)}")
    if existing and confirm(yes):
        echo_tables("Deleted", registry, tables.drop(existing, wait=wait))


@dynamo.command("diff")
@table_options
@prune_option
@json_option
def diff(*, models: cabc.Sequence[str], bind_key: str | None, prune: bool, as_json: bool) -> None:
    """Show where tables differ from their models. Exits with 1 if one does."""
    registry = current_registry()
    drift = tables.diff(registry, **selection(models, bind_key), prune=prune)
    _print_drift(registry, drift, as_json=as_json)
    sys.exit(bool(drift))


@dynamo.command("sync")
@table_options
@prune_option
@click.option("--dry-run", is_flag=True, help="Only show the changes.")
@yes_option
@wait_option
def sync(
    *, models: cabc.Sequence[str], bind_key: str | None, prune: bool, dry_run: bool, yes: bool, wait: bool
) -> None:
    """Change tables to what their models declare. Exits with 1 if differences remain."""
    registry = current_registry()
    drift = tables.diff(registry, **selection(models, bind_key), prune=prune)
    _print_drift(registry, drift)
    has_changes = any(not difference.blocked_reason for differences in drift.values() for difference in differences)
    if has_changes and not dry_run and confirm(yes):
        drift = tables.apply(drift, wait=wait, on_change=_echo_change)
    sys.exit(bool(drift))


def _model_record(model: type[Model], table: Table) -> Record:
    schema = table.schema
    return {
        "model": model.__name__,
        "table": table.name,
        "bind": table.bind.key,
        "region": table.bind.region,
        "endpoint": table.bind.host,
        "keys": [str(key) for key in schema.keys],
        "indexes": [index.name for index in (*schema.global_indexes, *schema.local_indexes)],
    }


def _status_record(registry: Registry, status: tables.Status) -> Record:
    region, endpoint = destination(registry, status.table)
    return {
        "models": status.table.model_names,
        "bind": status.table.bind.key,
        "region": region,
        "account": status.account,
        "endpoint": endpoint,
        "table": status.table.name,
        "exists": status.state is not None,
        "state": status.state,
        "items": status.items,
        "size_bytes": status.size_bytes,
        "drift": [difference.what for difference in status.differences] if status.state else ["missing"],
    }


def _print_drift(registry: Registry, drift: Drift, *, as_json: bool = False) -> None:
    records = [
        {"bind": table.bind.key, "table": table.name, **_difference_record(difference)}
        for table, differences in drift.items()
        for difference in differences
    ]
    if not as_json:
        echo_tables("Differs:", registry, drift)
        if not drift:
            click.echo("No differences.")
    print_records(records, as_json=as_json)


def _difference_record(difference: Difference) -> Record:
    record = dataclasses.asdict(difference)
    del record["request"]
    return record


def _echo_change(table: Table, difference: Difference) -> None:
    click.echo(f"{table.name}: {difference.what} becomes {difference.declared}")
