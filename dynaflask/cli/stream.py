"""``flask dynamo stream``: a process that handles the records of a table's stream."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import signal
import typing as t

import click
from werkzeug.utils import import_string

from dynaflask.cli.tenant_command import runs_for_several_tenants
from dynaflask.registry.registry import Registry
from dynaflask.tables.streams import follow


def run(registry: Registry, model: str, handler: str, *, consumer: str | None, once: bool) -> None:
    """Handle the records of the stream of a model's table, until Ctrl-C or SIGTERM.

    Args:
        registry: The app's registry, in a context of the app.
        model: The name of the model.
        handler: The function, as ``"module:function"``.
        consumer: The name under which the position is saved; by default that of the function.
        once: Return when no shard has a record.
    """
    if runs_for_several_tenants(click.get_current_context()) and not once:
        raise click.UsageError("Each tenant's stream needs a process of its own: name one tenant, or add --once.")
    model_class = registry.models[model]
    try:
        function = import_string(handler)
    except ImportError as error:
        message = f"{handler!r} cannot be imported: {error}. Name a function as MODULE:FUNCTION."
        raise click.UsageError(message) from error
    consumer = consumer or handler
    click.echo(f"Handling the stream of {model} as {consumer}.", err=True)
    with _stopped_by_sigterm():
        follow(registry, model_class, function, consumer=consumer, once=once)


@contextlib.contextmanager
def _stopped_by_sigterm() -> cabc.Iterator[None]:
    """End a block at SIGTERM as at Ctrl-C, which saves the position and is no error."""
    former: t.Any = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        click.echo("Stopped. The next start continues here.", err=True)
    finally:
        signal.signal(signal.SIGTERM, former)
