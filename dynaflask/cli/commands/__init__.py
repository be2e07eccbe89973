"""The commands of ``flask dynamo``. Each one calls a plain function and prints its result."""

from __future__ import annotations

from dynaflask.cli.commands import checks
from dynaflask.cli.commands import documents
from dynaflask.cli.commands import items
from dynaflask.cli.commands import local_server
from dynaflask.cli.commands import tables
from dynaflask.cli.commands.base import dynamo

# Imported for the commands that they add to the group.
MODULES = (checks, documents, items, local_server, tables)

__all__ = ["dynamo"]
