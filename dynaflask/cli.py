"""The ``flask dynamo`` commands. Each calls a plain function."""

from __future__ import annotations

import sys

import click
import flask
from flask.cli import AppGroup

from dynaflask.exceptions import DynaflaskError

dynamo = AppGroup("dynamo", help="Work with the app's DynamoDB.")


@dynamo.command("local")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
@click.option("--path", help="The directory that keeps the data.  [default: DYNAMODB_LOCAL_PATH, or none]")
def run_local(port: int, path: str | None) -> None:
    """Run the embedded engine in the foreground, for any number of processes."""
    from dynaflask import local  # noqa: PLC0415 - only who runs it pays for it

    path = path or flask.current_app.config.get("DYNAMODB_LOCAL_PATH")
    try:
        sys.exit(local.run(port=port, path=path))
    except DynaflaskError as error:
        raise click.ClickException(str(error)) from error
