"""The group of the commands, the kinds of its commands, and what several of them share."""

from __future__ import annotations

import collections.abc as cabc
import pathlib
import typing as t

import click
from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError
from flask.cli import AppGroup
from pynamodb.exceptions import PynamoDBException

from dynaflask.cli.tenant_command import TenantCommand
from dynaflask.exceptions import AmbiguousModel
from dynaflask.exceptions import DynaflaskError
from dynaflask.exceptions import UnknownBind
from dynaflask.exceptions import UnknownModel
from dynaflask.registry.context import require_scope
from dynaflask.registry.registry import Registry
from dynaflask.tables.manage import NO_MODELS
from dynaflask.tables.table import Table
from dynaflask.tables.table import account_of
from dynaflask.tables.table import destination

F = t.TypeVar("F", bound=t.Callable[..., t.Any])


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


FILE = click.Path(dir_okay=False, path_type=pathlib.Path)

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
wait_option = click.option("--wait", is_flag=True, help="Wait until DynamoDB is done.")


def current_registry() -> Registry:
    """The registry of the current app.

    Raises:
        ClickException: The app was not initialised.
    """
    try:
        return require_scope("flask dynamo").registry
    except RuntimeError as error:  # the command is there without the extension, too
        raise click.ClickException(str(error)) from error


def selection(names: cabc.Sequence[str], bind_key: str | None) -> dict[str, t.Any]:
    """The arguments that select tables, for the functions of ``dynaflask.tables``.

    Args:
        names: Names of models; all without one.
        bind_key: Only the tables on this bind.

    Raises:
        UnknownModel: The app does not have a model.
    """
    registry = current_registry()
    hint_at_models(registry)
    return {"models": [registry.models[name] for name in names] or None, "bind_key": bind_key}


def hint_at_models(registry: Registry) -> None:
    """Say on standard error that an app without models has probably not imported them."""
    if not registry.models.classes():
        click.secho(NO_MODELS, err=True)


def echo_tables(what: str, registry: Registry, echoed: cabc.Iterable[Table]) -> None:
    """Print a line for each table, with its destination."""
    for table in echoed:
        click.echo(f"{what} {with_destination(registry, table)}")


def with_destination(registry: Registry, table: Table) -> str:
    """A table with its models and its destination."""
    region, endpoint = destination(registry, table)
    return f"{table.name} ({', '.join(table.model_names)}) on {table.bind.key}, {region}, {endpoint}"


def with_account(registry: Registry, table: Table) -> str:
    """The same with the number of the account, for a question."""
    # The region and the endpoint are often the same in production and elsewhere; the account is not.
    return f"{with_destination(registry, table)}, account {account_of(table.require())}"


def confirm(yes: bool) -> bool:
    """True after the answer yes, and if there is no need to ask; any other answer ends the command."""
    return yes or click.confirm("Continue?", abort=True)
