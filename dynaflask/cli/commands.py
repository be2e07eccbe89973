"""The ``flask dynamo`` commands. Each calls a plain function."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import pathlib
import sys
import typing as t

import click
import flask
from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError
from flask.cli import AppGroup
from pynamodb.exceptions import PynamoDBException

from dynaflask import local
from dynaflask import tables
from dynaflask.cli.output import Record
from dynaflask.cli.output import print_records
from dynaflask.cli.output import progress
from dynaflask.cli.tenant_command import TenantCommand
from dynaflask.exceptions import AmbiguousModel
from dynaflask.exceptions import DynaflaskError
from dynaflask.exceptions import UnknownBind
from dynaflask.exceptions import UnknownModel
from dynaflask.model.base import Model
from dynaflask.registry.context import require_scope
from dynaflask.registry.registry import Registry
from dynaflask.tables import transfer
from dynaflask.tables.schema_diff import Difference
from dynaflask.tables.table import Table
from dynaflask.tables.table import destination
from dynaflask.tables.table import find_one
from dynaflask.tables.table import find_tables

F = t.TypeVar("F", bound=t.Callable[..., t.Any])
Drift = cabc.Mapping[Table, cabc.Sequence[Difference]]


class Command(click.Command):
    """A command whose errors are messages: exit code 2 for a name that is not there, and 1 for what went wrong."""

    def invoke(self, ctx: click.Context) -> t.Any:
        """Run it."""
        try:
            return super().invoke(ctx)
        except (UnknownBind, UnknownModel, AmbiguousModel) as error:
            raise click.UsageError(str(error), ctx=ctx) from error
        except (DynaflaskError, PynamoDBException, BotoCoreError, ClientError) as error:
            raise click.ClickException(str(error)) from error


class TenantAwareCommand(Command, TenantCommand):
    """Such a command, which can run for tenants."""


class Group(AppGroup):
    """A group of such commands."""

    command_class = TenantAwareCommand


dynamo = Group("dynamo", help="Work with the app's DynamoDB.")


def table_options(command: F) -> F:
    """Give a command the tables that it is for, as ``chosen``."""
    command = click.option("--bind", "bind_key", metavar="BIND", help="Only the tables on this bind.")(command)
    return click.argument("models", nargs=-1, metavar="[MODEL]...")(command)


def transferred(command: F) -> F:
    """Give a command a model and a file."""
    command = click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, path_type=pathlib.Path))(command)
    return click.argument("model")(command)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
prune_option = click.option("--prune", is_flag=True, help="Also global indexes that no model of the app declares.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
wait_option = click.option("--wait", is_flag=True, help="Return when it is done.")


@dynamo.command("models")
@json_option
def show_models(*, as_json: bool) -> None:
    """Show the app's models and where they go. Nothing is called."""
    registry = _registry()
    found = find_tables(registry)
    print_records([_model_record(model, table) for table in found for model in table.models], as_json=as_json)


@dynamo.command("status")
@table_options
@json_option
def show_status(*, models: cabc.Sequence[str], bind_key: str | None, as_json: bool) -> None:
    """Show how the tables are. Exit with 1 if one is missing, or not as declared."""
    found = tables.status(_registry(), **_selected(models, bind_key))
    print_records([_status_record(status) for status in found], as_json=as_json)
    sys.exit(any(status.differences for status in found))


@dynamo.command("create")
@table_options
@wait_option
def create(*, models: cabc.Sequence[str], bind_key: str | None, wait: bool) -> None:
    """Create the tables that do not exist."""
    registry = _registry()
    created = tables.create(find_tables(registry, **_selected(models, bind_key)), wait=wait)
    _echo_tables("Created", registry, created)


@dynamo.command("drop")
@table_options
@yes_option
@wait_option
def drop(*, models: cabc.Sequence[str], bind_key: str | None, yes: bool, wait: bool) -> None:
    """Delete tables, with all that is in them."""
    registry = _registry()
    chosen = find_tables(registry, **_selected(models, bind_key))
    found = [table for table in chosen if table.describe() is not None]
    _echo_tables("There is no", registry, [table for table in chosen if table not in found])
    _echo_tables("Will be deleted with all items:", registry, found)
    if found and _confirm(yes):
        _echo_tables("Deleted", registry, tables.drop(found, wait=wait))


@dynamo.command("diff")
@table_options
@prune_option
@json_option
def diff(*, models: cabc.Sequence[str], bind_key: str | None, prune: bool, as_json: bool) -> None:
    """Show where tables are not as the models declare. Exit with 1 if one is."""
    registry = _registry()
    drift = tables.diff(registry, **_selected(models, bind_key), prune=prune)
    _print_drift(registry, drift, as_json=as_json)
    sys.exit(bool(drift))


@dynamo.command("sync")
@table_options
@prune_option
@click.option("--dry-run", is_flag=True, help="Only show what would be done.")
@yes_option
@wait_option
def sync(
    *, models: cabc.Sequence[str], bind_key: str | None, prune: bool, dry_run: bool, yes: bool, wait: bool
) -> None:
    """Change tables to what the models declare. Exit with 1 if something is left that DynamoDB cannot change."""
    registry = _registry()
    drift = tables.diff(registry, **_selected(models, bind_key), prune=prune)
    _print_drift(registry, drift)
    if (
        not dry_run
        and any(not found.blocked_reason for differences in drift.values() for found in differences)
        and _confirm(yes)
    ):
        drift = tables.apply(drift, wait=wait, tell=_say_change)
    sys.exit(bool(drift))


@dynamo.command("dump")
@transferred
@click.option("--segments", type=click.IntRange(1, 100), default=4, show_default=True, help="How many readers.")
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Read capacity units per second, at most.")
@click.option("--resume", is_flag=True, help="Complete a dump that did not come to its end.")
def dump(*, model: str, path: pathlib.Path, segments: int, rate: float | None, resume: bool) -> None:
    """Write the items of a table into a file, a line of DynamoDB JSON each; .gz compresses it."""
    registry = _registry()
    chosen = registry.models[model]
    table = find_one(registry, chosen)
    with progress(f"Dumping {table.name}", total=lambda: table.require()["ItemCount"]) as tell:
        count = transfer.dump(registry, chosen, path, segments=segments, rate=rate, resume=resume, progress=tell)
    click.echo(f"{count} items of {_where(registry, table)} are in {path}.")


@dynamo.command("load")
@transferred
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Write capacity units per second, at most.")
@click.option("--from-line", type=click.IntRange(1), default=1, help="Leave out the lines before this one.")
def load(*, model: str, path: pathlib.Path, rate: float | None, from_line: int) -> None:
    """Write the items of a file into a table, over those with the same key."""
    registry = _registry()
    chosen = registry.models[model]
    table = find_one(registry, chosen)
    with progress(f"Loading {table.name}", total=lambda: transfer.count_lines(path) - from_line + 1) as tell:
        count = transfer.load(registry, chosen, path, rate=rate, from_line=from_line, progress=tell)
    click.echo(f"{count} items of {path} are in {_where(registry, table)}.")


@dynamo.command("ping")
@click.option("--bind", "bind_key", metavar="BIND", help="Only this bind.")
@json_option
def ping(*, bind_key: str | None, as_json: bool) -> None:
    """Make one cheap call to each bind."""
    registry = _registry()
    binds = [bind_key] if bind_key else list(registry.binds)
    print_records([{"bind": key, "seconds": round(registry.ping(key), 4)} for key in binds], as_json=as_json)


@dynamo.command("local", cls=Command)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option("--path", help="The directory that keeps the data.  [default: DYNAMODB_LOCAL_PATH, or none]")
def run_local(*, port: int, path: str | None) -> None:
    """Run the local server in the foreground, for any number of processes."""
    path = path or flask.current_app.config.get("DYNAMODB_LOCAL_PATH")
    sys.exit(local.run(port=port, path=path))


def _registry() -> Registry:
    return require_scope("flask dynamo").registry


def _selected(names: cabc.Sequence[str], bind_key: str | None) -> dict[str, t.Any]:
    registry = _registry()
    return {"models": [registry.models[name] for name in names] or None, "bind_key": bind_key}


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


def _status_record(status: tables.Status) -> Record:
    return {
        "models": status.table.model_names,
        "bind": status.table.bind.key,
        "table": status.table.name,
        "exists": status.state is not None,
        "state": status.state,
        "items": status.items,
        "size_bytes": status.size_bytes,
        "drift": [difference.what for difference in status.differences],
    }


def _print_drift(registry: Registry, drift: Drift, *, as_json: bool = False) -> None:
    records = [
        {"bind": table.bind.key, "table": table.name, **_difference_record(difference)}
        for table, differences in drift.items()
        for difference in differences
    ]
    if not as_json:
        _echo_tables("Differs:", registry, drift)
    print_records(records, as_json=as_json)


def _difference_record(difference: Difference) -> Record:
    record = dataclasses.asdict(difference)
    del record["request"]
    return record


def _say_change(table: Table, difference: Difference) -> None:
    click.echo(f"{table.name}: {difference.what} becomes {difference.declared}")


def _echo_tables(what: str, registry: Registry, found: cabc.Iterable[Table]) -> None:
    for table in found:
        click.echo(f"{what} {_where(registry, table)}")


def _where(registry: Registry, table: Table) -> str:
    region, endpoint = destination(registry, table)
    return f"{table.name} ({', '.join(table.model_names)}) on {table.bind.key}, {region}, {endpoint}"


def _confirm(yes: bool) -> bool:
    return yes or click.confirm("Go on?", abort=True)
