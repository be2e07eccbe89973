"""The group ``flask dynamo``. Its commands are imported on first use."""

from __future__ import annotations

import typing as t

from flask.cli import AppGroup

if t.TYPE_CHECKING:
    import click


class Group(AppGroup):
    """Loads the commands on first use, so that a program that serves requests does not import them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands."""
        return _commands().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, or None."""
        return _commands().get_command(ctx, cmd_name)


dynamo = Group("dynamo", help="Work with the app's DynamoDB.")


def _commands() -> AppGroup:
    from dynaflask.cli import commands  # noqa: PLC0415 - a program that serves requests does not need them

    return commands.dynamo
