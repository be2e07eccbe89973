"""The group ``flask dynamo``, whose commands are imported when one is asked for."""

from __future__ import annotations

import typing as t

from flask.cli import AppGroup

if t.TYPE_CHECKING:
    import click


class Group(AppGroup):
    """Stands for the commands in ``cli``, so that a program that runs none does not pay for them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands."""
        return _commands().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by its name."""
        return _commands().get_command(ctx, cmd_name)


dynamo = Group("dynamo", help="Work with the app's DynamoDB.")


def _commands() -> AppGroup:
    from dynaflask.cli import commands  # noqa: PLC0415 - a program that serves requests does not need them

    return commands.dynamo
