"""The commands that print a document: ``export`` and ``policy``. They make no call."""

from __future__ import annotations

import collections.abc as cabc
import pathlib
import sys
import typing as t

import click

from dynaflask.cli.commands.base import FILE
from dynaflask.cli.commands.base import current_registry
from dynaflask.cli.commands.base import dynamo
from dynaflask.cli.commands.base import selection
from dynaflask.cli.commands.base import table_options
from dynaflask.cli.output import print_document
from dynaflask.cli.tenant_command import runs_for_several_tenants
from dynaflask.tables.export import FORMATS
from dynaflask.tables.export import export as export_tables
from dynaflask.tables.observed import read_calls
from dynaflask.tables.policy import policy as iam_policy
from dynaflask.tables.policy_commands import COMMANDS

check_option = click.option(
    "--check", "compared", metavar="FILE", type=FILE, help="Compare with this file; exit with 1 if it differs."
)


@dynamo.command("export")
@table_options
@click.option("--format", "document_format", type=click.Choice(list(FORMATS)), required=True, help="Tool to write for.")
@check_option
def export(
    *, models: cabc.Sequence[str], bind_key: str | None, document_format: str, compared: pathlib.Path | None
) -> None:
    """Print the tables as a document of an infrastructure tool. Makes no call."""
    _refuse_several_tenants()
    document = export_tables(current_registry(), document_format, **selection(models, bind_key))
    sys.exit(not print_document(document, compared=compared))


@dynamo.command("policy")
@table_options
@click.option("--read-only", is_flag=True, help="Leave out the actions that write.")
@click.option("--account", metavar="ID", help="AWS account of the tables.")
@click.option("--tenant-tag", metavar="KEY", default="tenant", show_default=True, help="Session tag of the tenant.")
@click.option("--observe", "observed", metavar="FILE", type=FILE, help="Only for the calls in this file.")
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
    document = iam_policy(current_registry(), calls=calls, **selection(models, bind_key), **options)
    sys.exit(not print_document(document, compared=compared))


def _refuse_several_tenants() -> None:
    if runs_for_several_tenants(click.get_current_context()):
        raise click.UsageError("Each tenant needs a document of its own: name one with --tenant NAME.")
