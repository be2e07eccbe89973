"""The commands for items: ``dump``, ``load``, ``seed``, ``migrate`` and ``stream``."""

from __future__ import annotations

import pathlib
import sys
import typing as t

import click

from dynaflask.cli import migrations
from dynaflask.cli import stream
from dynaflask.cli.commands.base import FILE
from dynaflask.cli.commands.base import F
from dynaflask.cli.commands.base import confirm
from dynaflask.cli.commands.base import current_registry
from dynaflask.cli.commands.base import dynamo
from dynaflask.cli.commands.base import json_option
from dynaflask.cli.commands.base import with_account
from dynaflask.cli.commands.base import with_destination
from dynaflask.cli.commands.base import yes_option
from dynaflask.cli.output import progress
from dynaflask.cli.tenant_command import runs_for_several_tenants
from dynaflask.model.typed import Model
from dynaflask.registry.registry import Registry
from dynaflask.tables.dump import dump as dump_items
from dynaflask.tables.load import count_lines
from dynaflask.tables.load import load as load_items
from dynaflask.tables.seed import seed as seed_items
from dynaflask.tables.table import Table
from dynaflask.tables.table import find_one

TENANT_FIELD = "{tenant}"

segments_option = click.option(
    "--segments", type=click.IntRange(1, 100), default=4, show_default=True, help="Number of threads that read."
)


def file_arguments(command: F) -> F:
    """Add the arguments ``model`` and ``path``."""
    command = click.argument("path", metavar="FILE", type=FILE)(command)
    return click.argument("model")(command)


@dynamo.command("dump")
@file_arguments
@segments_option
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Most read capacity units per second.")
@click.option("--resume", is_flag=True, help="Complete an interrupted dump.")
def dump(*, model: str, path: pathlib.Path, segments: int, rate: float | None, resume: bool) -> None:
    """Write the items of a table into a file.

    Each item is one line of DynamoDB JSON. A name that ends with .gz compresses the file.
    {tenant} in the name of the file is replaced by the name of the tenant.
    """
    registry = current_registry()
    if TENANT_FIELD not in str(path) and runs_for_several_tenants(click.get_current_context()):
        raise click.UsageError(f"Each tenant needs a file of its own: write {TENANT_FIELD} into the name of the file.")
    path = _tenant_path(path, registry.scope.tenant)
    model_class = registry.models[model]
    table = _table_of(registry, model_class)
    with progress(f"Dumping {table.name}", total=lambda: table.require()["ItemCount"]) as report:
        count = dump_items(registry, model_class, path, segments=segments, rate=rate, resume=resume, progress=report)
    click.echo(f"Wrote {count} items of {with_destination(registry, table)} to {path}.")


@dynamo.command("load")
@file_arguments
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Most write capacity units per second.")
@click.option("--from-line", type=click.IntRange(1), default=1, help="Skip the lines before this one.")
@yes_option
def load(*, model: str, path: pathlib.Path, rate: float | None, from_line: int, yes: bool) -> None:
    """Write the items of a file into a table. They replace items with the same key.

    {tenant} in the name of the file is replaced by the name of the tenant.
    """
    registry = current_registry()
    path = _tenant_path(path, registry.scope.tenant)
    if not path.exists():
        raise click.UsageError(f"There is no file {path}.")
    model_class = registry.models[model]
    table = _table_of(registry, model_class)
    if not yes:
        click.echo(f"{path} will replace the items with the same keys in {with_account(registry, table)}")
    confirm(yes)
    with progress(f"Loading {table.name}", total=lambda: count_lines(path) - from_line + 1) as report:
        count = load_items(registry, model_class, path, rate=rate, from_line=from_line, progress=report)
    click.echo(f"Wrote {count} items of {path} to {with_destination(registry, table)}.")


@dynamo.command("seed")
@click.argument("path", metavar="FILE", type=FILE)
@click.option("--replace", is_flag=True, help="Replace the items whose keys exist, too.")
def seed(*, path: pathlib.Path, replace: bool) -> None:
    """Write the items of a JSON or YAML file that are missing.

    The file has a list of items for each model.
    {tenant} in the name of the file is replaced by the name of the tenant.
    """
    registry = current_registry()
    written, existing = seed_items(registry, _tenant_path(path, registry.scope.tenant), replace=replace)
    click.echo(f"Wrote {written} items; {existing} exist already.")


@dynamo.command("migrate")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=pathlib.Path),
    default="migrations",
    show_default=True,
    help="The directory of the migrations.",
)
@click.option("--list", "only_list", is_flag=True, help="Only show them. Exits with 1 if one is not applied.")
@click.option("--dry-run", is_flag=True, help="Only count the items that would change.")
@segments_option
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Most capacity units per second.")
@click.option("--wait", is_flag=True, help="Wait while another process applies them.")
@json_option
def migrate(*, directory: pathlib.Path, only_list: bool, as_json: bool, **options: t.Any) -> None:
    """Apply the data migrations that are not applied yet.

    Each is applied once per table and tenant.
    """
    if only_list:
        sys.exit(not migrations.show(current_registry(), directory, as_json=as_json))
    migrations.apply_all(current_registry(), directory, **options)


@dynamo.command("stream")
@click.argument("model")
@click.argument("handler", metavar="MODULE:FUNCTION")
@click.option("--consumer", metavar="NAME", help="Name that the position is saved under.  [default: MODULE:FUNCTION]")
@click.option("--once", is_flag=True, help="Stop when no shard of the stream has a record.")
def follow_stream(*, model: str, handler: str, consumer: str | None, once: bool) -> None:
    """Call a function with each change of the items of a table.

    It runs until Ctrl-C or SIGTERM.
    """
    stream.run(current_registry(), model, handler, consumer=consumer, once=once)


def _table_of(registry: Registry, model: type[Model]) -> Table:
    try:
        return find_one(registry, model)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _tenant_path(path: pathlib.Path, tenant: str | None) -> pathlib.Path:
    if TENANT_FIELD not in str(path):
        return path
    if tenant is None:
        raise click.UsageError(f"{TENANT_FIELD} in the name of the file needs a tenant: name it with --tenant NAME.")
    # A tenant may be called "a/b" or "..", but not "%2F" or "%2E": each tenant has a file of its own in the directory.
    name = tenant.replace("/", "%2F") if tenant.strip(".") else tenant.replace(".", "%2E")
    return pathlib.Path(str(path).replace(TENANT_FIELD, name))
