"""The commands of ``flask dynamo``. Each one calls a plain function and prints its result."""

from __future__ import annotations

import collections.abc as cabc
import dataclasses
import pathlib
import sys
import typing as t

import click
from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError
from flask.cli import AppGroup
from flask.cli import ScriptInfo
from pynamodb.exceptions import PynamoDBException

from dynaflask import local
from dynaflask import tables
from dynaflask.cli import migrations
from dynaflask.cli import stream
from dynaflask.cli.doctor import output as doctor_output
from dynaflask.cli.output import Record
from dynaflask.cli.output import print_document
from dynaflask.cli.output import print_records
from dynaflask.cli.output import progress
from dynaflask.cli.tenant_command import TenantCommand
from dynaflask.cli.tenant_command import runs_for_several_tenants
from dynaflask.exceptions import AmbiguousModel
from dynaflask.exceptions import DynaflaskError
from dynaflask.exceptions import UnknownBind
from dynaflask.exceptions import UnknownModel
from dynaflask.model.typed import Model
from dynaflask.registry.context import require_scope
from dynaflask.registry.registry import Registry
from dynaflask.tables.difference import Difference
from dynaflask.tables.dump import dump as dump_items
from dynaflask.tables.export import FORMATS
from dynaflask.tables.export import export as export_tables
from dynaflask.tables.load import count_lines
from dynaflask.tables.load import load as load_items
from dynaflask.tables.manage import NO_MODELS
from dynaflask.tables.observed import read_calls
from dynaflask.tables.policy import policy as iam_policy
from dynaflask.tables.policy_commands import COMMANDS
from dynaflask.tables.seed import seed as seed_items
from dynaflask.tables.table import Table
from dynaflask.tables.table import account_of
from dynaflask.tables.table import destination
from dynaflask.tables.table import find_one
from dynaflask.tables.table import find_tables

TENANT_FIELD = "{tenant}"

F = t.TypeVar("F", bound=t.Callable[..., t.Any])
Drift = cabc.Mapping[Table, cabc.Sequence[Difference]]


class Command(click.Command):
    """A command that prints errors as messages: exit code 2 for an unknown name, 1 for any other error."""

    def invoke(self, ctx: click.Context) -> t.Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except (UnknownBind, UnknownModel, AmbiguousModel) as error:
            raise click.UsageError(str(error), ctx=ctx) from error
        except (DynaflaskError, PynamoDBException, BotoCoreError, ClientError) as error:
            raise click.ClickException(str(error)) from error


class TenantAwareCommand(Command, TenantCommand):
    """The same for commands that can run for tenants."""


class Group(AppGroup):
    """The group of these commands."""

    command_class = TenantAwareCommand


dynamo = Group("dynamo", help="Work with the app's DynamoDB.")


def table_options(command: F) -> F:
    """Add the options that select tables: ``models`` and ``bind_key``."""
    command = click.option("--bind", "bind_key", metavar="BIND", help="Only the tables on this bind.")(command)
    return click.argument("models", nargs=-1, metavar="[MODEL]...")(command)


def file_arguments(command: F) -> F:
    """Add the arguments ``model`` and ``path``."""
    command = click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, path_type=pathlib.Path))(command)
    return click.argument("model")(command)


input_file = click.Path(dir_okay=False, path_type=pathlib.Path)
check_option = click.option(
    "--check", "compared", metavar="FILE", type=input_file, help="Compare with this file; exit with 1 if it differs."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
prune_option = click.option("--prune", is_flag=True, help="Include global indexes that no model of the app declares.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
wait_option = click.option("--wait", is_flag=True, help="Wait until DynamoDB is done.")


@dynamo.command("models")
@json_option
def show_models(*, as_json: bool) -> None:
    """Show the app's models with their tables and destinations. Makes no call."""
    registry = _registry()
    _hint_at_models(registry)
    selected = find_tables(registry, models=registry.models.classes())
    records = [_model_record(model, table) for table in selected for model in table.models]
    print_records(records, as_json=as_json)


@dynamo.command("status")
@table_options
@json_option
def show_status(*, models: cabc.Sequence[str], bind_key: str | None, as_json: bool) -> None:
    """Show the state of the tables. Exits with 1 if a table is missing or differs from its models."""
    registry = _registry()
    statuses = tables.status(registry, **_selected(models, bind_key))
    print_records([_status_record(registry, status) for status in statuses], as_json=as_json)
    sys.exit(any(status.differences for status in statuses))


@dynamo.command("create")
@table_options
@wait_option
def create(*, models: cabc.Sequence[str], bind_key: str | None, wait: bool) -> None:
    """Create the tables that do not exist."""
    registry = _registry()
    selected = find_tables(registry, **_selected(models, bind_key))
    created = tables.create(selected, wait=wait)
    _echo_tables("Created", registry, created)
    if not created:
        click.echo("All tables exist." if selected else "There is no table to create.")


@dynamo.command("drop")
@table_options
@yes_option
@wait_option
def drop(*, models: cabc.Sequence[str], bind_key: str | None, yes: bool, wait: bool) -> None:
    """Delete tables with all their items."""
    registry = _registry()
    selected = find_tables(registry, **_selected(models, bind_key))
    existing = [table for table in selected if table.describe() is not None]
    for table in existing:
        table.check_not_shared()
    _echo_tables("Does not exist:", registry, [table for table in selected if table not in existing])
    for table in existing:
        click.echo(f"Will be deleted with all items: {_with_account(registry, table)}")
    if existing and _confirm(yes):
        _echo_tables("Deleted", registry, tables.drop(existing, wait=wait))


@dynamo.command("diff")
@table_options
@prune_option
@json_option
def diff(*, models: cabc.Sequence[str], bind_key: str | None, prune: bool, as_json: bool) -> None:
    """Show where tables differ from their models. Exits with 1 if one does."""
    registry = _registry()
    drift = tables.diff(registry, **_selected(models, bind_key), prune=prune)
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
    registry = _registry()
    drift = tables.diff(registry, **_selected(models, bind_key), prune=prune)
    _print_drift(registry, drift)
    has_changes = any(not difference.blocked_reason for differences in drift.values() for difference in differences)
    if has_changes and not dry_run and _confirm(yes):
        drift = tables.apply(drift, wait=wait, on_change=_echo_change)
    sys.exit(bool(drift))


@dynamo.command("dump")
@file_arguments
@click.option(
    "--segments", type=click.IntRange(1, 100), default=4, show_default=True, help="Number of threads that read."
)
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Most read capacity units per second.")
@click.option("--resume", is_flag=True, help="Complete an interrupted dump.")
def dump(*, model: str, path: pathlib.Path, segments: int, rate: float | None, resume: bool) -> None:
    """Write the items of a table into a file.

    Each item is one line of DynamoDB JSON. A name that ends with .gz compresses the file.
    {tenant} in the name of the file is replaced by the name of the tenant.
    """
    registry = _registry()
    if TENANT_FIELD not in str(path) and runs_for_several_tenants(click.get_current_context()):
        raise click.UsageError(f"Each tenant needs a file of its own: write {TENANT_FIELD} into the name of the file.")
    path = _tenant_path(path, registry.scope.tenant)
    model_class = registry.models[model]
    table = _table_of(registry, model_class)
    with progress(f"Dumping {table.name}", total=lambda: table.require()["ItemCount"]) as report:
        count = dump_items(registry, model_class, path, segments=segments, rate=rate, resume=resume, progress=report)
    click.echo(f"Wrote {count} items of {_with_destination(registry, table)} to {path}.")


@dynamo.command("load")
@file_arguments
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Most write capacity units per second.")
@click.option("--from-line", type=click.IntRange(1), default=1, help="Skip the lines before this one.")
@yes_option
def load(*, model: str, path: pathlib.Path, rate: float | None, from_line: int, yes: bool) -> None:
    """Write the items of a file into a table. They replace items with the same key.

    {tenant} in the name of the file is replaced by the name of the tenant.
    """
    registry = _registry()
    path = _tenant_path(path, registry.scope.tenant)
    if not path.exists():
        raise click.UsageError(f"There is no file {path}.")
    model_class = registry.models[model]
    table = _table_of(registry, model_class)
    if not yes:
        click.echo(f"{path} will replace the items with the same keys in {_with_account(registry, table)}")
    _confirm(yes)
    with progress(f"Loading {table.name}", total=lambda: count_lines(path) - from_line + 1) as report:
        count = load_items(registry, model_class, path, rate=rate, from_line=from_line, progress=report)
    click.echo(f"Wrote {count} items of {path} to {_with_destination(registry, table)}.")


@dynamo.command("export")
@table_options
@click.option("--format", "document_format", type=click.Choice(list(FORMATS)), required=True, help="Tool to write for.")
@check_option
def export(
    *, models: cabc.Sequence[str], bind_key: str | None, document_format: str, compared: pathlib.Path | None
) -> None:
    """Print the tables as a document of an infrastructure tool. Makes no call."""
    _refuse_several_tenants()
    document = export_tables(_registry(), document_format, **_selected(models, bind_key))
    sys.exit(not print_document(document, compared=compared))


@dynamo.command("policy")
@table_options
@click.option("--read-only", is_flag=True, help="Leave out the actions that write.")
@click.option("--account", metavar="ID", help="AWS account of the tables.")
@click.option("--tenant-tag", metavar="KEY", default="tenant", show_default=True, help="Session tag of the tenant.")
@click.option("--observe", "observed", metavar="FILE", type=input_file, help="Only for the calls in this file.")
@click.option(
    "--for", "commands", multiple=True, type=click.Choice(COMMANDS), help="Also for this command of flask dynamo."
)
@check_option
def policy(
    *,
    models: cabc.Sequence[str],
    bind_key: str | None,
    observed: pathlib.Path | None,
    compared: pathlib.Path | None,
    **options: t.Any,
) -> None:
    """Print the least IAM policy for the app's models. Makes no call."""
    _refuse_several_tenants()
    calls = None if observed is None else read_calls(observed)
    document = iam_policy(_registry(), calls=calls, **_selected(models, bind_key), **options)
    sys.exit(not print_document(document, compared=compared))


@dynamo.command("seed")
@click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, path_type=pathlib.Path))
@click.option("--replace", is_flag=True, help="Replace the items whose keys exist, too.")
def seed(*, path: pathlib.Path, replace: bool) -> None:
    """Write the items of a JSON or YAML file that are missing.

    The file has a list of items for each model.
    {tenant} in the name of the file is replaced by the name of the tenant.
    """
    registry = _registry()
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
@click.option(
    "--segments", type=click.IntRange(1, 100), default=4, show_default=True, help="Number of threads that read."
)
@click.option("--rate", type=click.FloatRange(0, min_open=True), help="Most capacity units per second.")
@click.option("--wait", is_flag=True, help="Wait while another process applies them.")
@json_option
def migrate(*, directory: pathlib.Path, only_list: bool, as_json: bool, **options: t.Any) -> None:
    """Apply the data migrations that are not applied yet.

    Each is applied once per table and tenant.
    """
    if only_list:
        sys.exit(not migrations.show(_registry(), directory, as_json=as_json))
    migrations.apply_all(_registry(), directory, **options)


@dynamo.command("stream")
@click.argument("model")
@click.argument("handler", metavar="MODULE:FUNCTION")
@click.option("--consumer", metavar="NAME", help="Name that the position is saved under.  [default: MODULE:FUNCTION]")
@click.option("--once", is_flag=True, help="Stop when no shard of the stream has a record.")
def follow_stream(*, model: str, handler: str, consumer: str | None, once: bool) -> None:
    """Call a function with each change of the items of a table.

    It runs until Ctrl-C or SIGTERM.
    """
    stream.run(_registry(), model, handler, consumer=consumer, once=once)


@dynamo.command("ping")
@click.option("--bind", "bind_key", metavar="BIND", help="Only this bind.")
@json_option
def ping(*, bind_key: str | None, as_json: bool) -> None:
    """Make one cheap call to each bind."""
    registry = _registry()
    binds = [bind_key] if bind_key else list(registry.binds)
    print_records([{"bind": key, "seconds": round(registry.ping(key), 4)} for key in binds], as_json=as_json)


@dynamo.command("check")
@click.option("--bind", "bind_key", metavar="BIND", help="Only this bind and its tables.")
@json_option
def check(*, bind_key: str | None, as_json: bool) -> None:
    """Check that each table can be used. Exits with 1 if one cannot."""
    registry = _registry()
    _hint_at_models(registry)
    results = registry.check(*([bind_key] if bind_key else []), tables=True)
    records = [dataclasses.asdict(result) | {"seconds": round(result.seconds, 4)} for result in results]
    print_records(records, as_json=as_json)
    sys.exit(not all(result.is_ok for result in results))


@dynamo.command("doctor")
@click.option("--bind", "bind_key", metavar="BIND", help="Only this bind and its tables.")
@json_option
def run_doctor(*, bind_key: str | None, as_json: bool) -> None:
    """Show where the settings come from, and what does not work. Exits with 1 if something does not."""
    sys.exit(not doctor_output.show(_registry(), bind_key=bind_key, as_json=as_json))


@dynamo.command("local", cls=Command, with_appcontext=False)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free port.")
@click.option("--path", help="The directory that keeps the data.  [default: DYNAMODB_LOCAL_PATH, or none]")
@click.pass_context
def run_local(ctx: click.Context, *, port: int, path: str | None) -> None:
    """Run one local server for any number of processes.

    It runs until Ctrl-C or SIGTERM.
    """
    sys.exit(local.run(port=port, path=path or _local_path_of_app(ctx.ensure_object(ScriptInfo))))


def _local_path_of_app(script: ScriptInfo) -> str | None:
    try:
        path: str | None = script.load_app().config.get("DYNAMODB_LOCAL_PATH")
    except Exception as error:  # noqa: BLE001 - the factory may call the very server that is to be started
        click.secho(
            f"The app could not be loaded ({type(error).__name__}: {error}), so that its DYNAMODB_LOCAL_PATH is not"
            " known: the data is in memory. To keep it, name a directory with --path.",
            err=True,
        )
        return None
    return path


def _registry() -> Registry:
    try:
        return require_scope("flask dynamo").registry
    except RuntimeError as error:  # the command is there without the extension, too
        raise click.ClickException(str(error)) from error


def _table_of(registry: Registry, model: type[Model]) -> Table:
    try:
        return find_one(registry, model)
    except ValueError as error:
        raise click.UsageError(str(error)) from error


def _refuse_several_tenants() -> None:
    if runs_for_several_tenants(click.get_current_context()):
        raise click.UsageError("Each tenant needs a document of its own: name one with --tenant NAME.")


def _tenant_path(path: pathlib.Path, tenant: str | None) -> pathlib.Path:
    if TENANT_FIELD not in str(path):
        return path
    if tenant is None:
        raise click.UsageError(f"{TENANT_FIELD} in the name of the file needs a tenant: name it with --tenant NAME.")
    # A tenant may be called "a/b" or "..", but not "%2F" or "%2E": each tenant has a file of its own in the directory.
    name = tenant.replace("/", "%2F") if tenant.strip(".") else tenant.replace(".", "%2E")
    return pathlib.Path(str(path).replace(TENANT_FIELD, name))


def _selected(names: cabc.Sequence[str], bind_key: str | None) -> dict[str, t.Any]:
    registry = _registry()
    _hint_at_models(registry)
    return {"models": [registry.models[name] for name in names] or None, "bind_key": bind_key}


def _hint_at_models(registry: Registry) -> None:
    if not registry.models.classes():
        click.secho(NO_MODELS, err=True)


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
        _echo_tables("Differs:", registry, drift)
        if not drift:
            click.echo("No differences.")
    print_records(records, as_json=as_json)


def _difference_record(difference: Difference) -> Record:
    record = dataclasses.asdict(difference)
    del record["request"]
    return record


def _echo_change(table: Table, difference: Difference) -> None:
    click.echo(f"{table.name}: {difference.what} becomes {difference.declared}")


def _echo_tables(what: str, registry: Registry, echoed: cabc.Iterable[Table]) -> None:
    for table in echoed:
        click.echo(f"{what} {_with_destination(registry, table)}")


def _with_destination(registry: Registry, table: Table) -> str:
    region, endpoint = destination(registry, table)
    return f"{table.name} ({', '.join(table.model_names)}) on {table.bind.key}, {region}, {endpoint}"


def _with_account(registry: Registry, table: Table) -> str:
    # The region and the endpoint are often the same in production and elsewhere; the account is not.
    return f"{_with_destination(registry, table)}, account {account_of(table.require())}"


def _confirm(yes: bool) -> bool:
    return yes or click.confirm("Continue?", abort=True)
