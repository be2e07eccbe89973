"""Cache of the values that a scope derives from its settings."""

from __future__ import annotations

import typing as t

from dynaflask.client.connection import Connection
from dynaflask.client.table_connection import TableConnection
from dynaflask.registry.declaration import DeclaredMeta
from dynaflask.registry.effective_settings import EffectiveSettings
from dynaflask.registry.shared_tables import TenantKeyTables


class ScopeCache:
    """Caches derived from the settings of one scope.

    A change of the settings replaces the whole object, so that a slow thread cannot publish stale entries: it writes to
    the cache that it read at its start. Threads that share a scope publish with ``dict.setdefault``, which is atomic:
    both use the object of the first.

    Attributes:
        effective_settings: By the declaration of a model, unless they are computed.
        model_tables: Table connections by model class. The first look-up of each call.
        tables: Table connections by declaration: classes that share a ``Meta`` share one.
        shared_tables: The tables that all tenants share, unless a name is computed; None before the first use.
        plain_tables: Connections to tables that no model describes, by declared name.
        connections: By bind key.
        codecs: By model class; None if PynamoDB converts its items.
    """

    __slots__ = (
        "codecs",
        "connections",
        "effective_settings",
        "model_tables",
        "plain_tables",
        "shared_tables",
        "tables",
    )

    def __init__(self) -> None:
        self.effective_settings: dict[DeclaredMeta, EffectiveSettings] = {}
        self.model_tables: dict[t.Any, TableConnection] = {}
        self.tables: dict[t.Any, TableConnection] = {}
        self.shared_tables: TenantKeyTables | None = None
        self.plain_tables: dict[str, TableConnection] = {}
        self.connections: dict[str, Connection] = {}
        self.codecs: dict[t.Any, t.Any] = {}
