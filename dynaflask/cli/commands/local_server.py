"""The command ``local``, which runs the local server."""

from __future__ import annotations

import sys

import click
from flask.cli import ScriptInfo

from dynaflask import local
from dynaflask.cli.commands.base import Command
from dynaflask.cli.commands.base import dynamo


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
