"""The tables of an app's models: create, drop, compare and change them. The import does none of that."""

from __future__ import annotations

from dynaflask.tables.difference import Difference
from dynaflask.tables.drift import Status
from dynaflask.tables.drift import apply
from dynaflask.tables.drift import diff
from dynaflask.tables.drift import status
from dynaflask.tables.drift import sync
from dynaflask.tables.manage import create
from dynaflask.tables.manage import create_all
from dynaflask.tables.manage import drop
from dynaflask.tables.manage import drop_all
from dynaflask.tables.table import Models
from dynaflask.tables.table import Table
from dynaflask.tables.table import find_tables

__all__ = [
    "Difference",
    "Models",
    "Status",
    "Table",
    "apply",
    "create",
    "create_all",
    "diff",
    "drop",
    "drop_all",
    "find_tables",
    "status",
    "sync",
]
