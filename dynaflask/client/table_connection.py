"""PynamoDB's connection of one table, on a connection of a context."""

from __future__ import annotations

import typing as t

import pynamodb.connection.table
from pynamodb.constants import KEY_TYPE
from pynamodb.constants import PAY_PER_REQUEST_BILLING_MODE

from dynaflask.client.direct.page_decoder import PageDecoder
from dynaflask.client.table_keys import require_hash_key

if t.TYPE_CHECKING:
    from pynamodb.connection.base import MetaTable

    from dynaflask.client.connection import Connection


class TableConnection(pynamodb.connection.table.TableConnection):
    """One table on one connection.

    Args:
        table_name: The real name.
        connection: The connection. With ``meta_table``, it serves this table alone.
        meta_table: The table's keys and indexes, if a model declares them.
    """

    # super().__init__() would make a connection of its own.
    def __init__(self, table_name: str, *, connection: Connection, meta_table: MetaTable | None = None) -> None:
        self.table_name = table_name
        self.connection: Connection = connection
        if meta_table is not None:
            connection.add_meta_table(meta_table)

    def with_page_decoder(self, decoder: PageDecoder) -> TableConnection:
        """The same table on :meth:`Connection.with_page_decoder`."""
        return TableConnection(self.table_name, connection=self.connection.with_page_decoder(decoder))

    def create_table(self, *args: t.Any, **options: t.Any) -> dict[str, t.Any]:
        """Create the table; see PynamoDB. Without a billing mode and a capacity, it is billed per request.

        Raises:
            ConfigurationError: The model declares no hash key.
        """
        roles = [str(key.get(KEY_TYPE)).upper() for key in options.get("key_schema") or ()]
        require_hash_key(roles, model=self.connection._model or self.table_name)
        if options.get("read_capacity_units") is None and options.get("write_capacity_units") is None:
            options.setdefault("billing_mode", PAY_PER_REQUEST_BILLING_MODE)
        return super().create_table(*args, **options)

    def __repr__(self) -> str:
        return f"<TableConnection {self.table_name!r} on {self.connection!r}>"
