"""PynamoDB's parameters of a request, with what the keys of its table and its expressions need."""

from __future__ import annotations

import typing as t

from pynamodb.exceptions import TableDoesNotExist
from pynamodb.exceptions import TableError
from pynamodb.expressions.condition import Condition

from dynaflask.client.codec.parts import serialize_update
from dynaflask.client.condition_values import OPTION
from dynaflask.client.condition_values import asked_for
from dynaflask.client.error_context import propagate_advice
from dynaflask.client.key import STOCK
from dynaflask.client.key import transport_of
from dynaflask.client.plain_calls import PlainCalls
from dynaflask.client.table_keys import KeyCondition
from dynaflask.client.table_keys import KeyTable
from dynaflask.client.table_keys import canonical_number
from dynaflask.client.table_keys import check_filter
from dynaflask.config.bind import Bind

if t.TYPE_CHECKING:
    from pynamodb.connection.base import MetaTable


class TableCalls(PlainCalls):
    """PynamoDB's connection, whose requests have the keys of their table as DynamoDB compares them.

    Attributes:
        bind: The destination.
    """

    bind: Bind

    def get_operation_kwargs(
        self, table_name: str, hash_key: t.Any, range_key: t.Any = None, *args: t.Any, **options: t.Any
    ) -> dict[str, t.Any]:
        """Parameters of an operation on one item; see PynamoDB."""
        update = self._serialize_update(**options) if "actions" in options and not args else None
        if update is not None:
            del options["actions"]
        if options.get("condition") is not None and options.get(OPTION) is None:
            options[OPTION] = asked_for() or self.bind.return_values_on_condition_failure
        request = super().get_operation_kwargs(table_name, hash_key, range_key, *args, **options)
        return request if update is None else {**request, **update}

    def _serialize_update(
        self, actions: t.Any, condition: t.Any = None, attributes_to_get: t.Any = None, **_: t.Any
    ) -> dict[str, t.Any] | None:
        # A condition or a projection would need placeholders of the same expression.
        is_alone = condition is None and attributes_to_get is None
        is_compiled = is_alone and transport_of(self.bind) != STOCK
        return t.cast("dict[str, t.Any] | None", serialize_update(actions)) if is_compiled else None

    def describe_table(self, table_name: str) -> dict[str, t.Any]:
        """The description of a table; see PynamoDB."""
        with propagate_advice(TableDoesNotExist):
            return super().describe_table(table_name)

    def query(  # noqa: PLR0917 - PynamoDB's signature
        self,
        table_name: str,
        hash_key: t.Any,
        range_key_condition: Condition | None = None,
        filter_condition: Condition | None = None,
        attributes_to_get: t.Any = None,
        consistent_read: bool = False,
        exclusive_start_key: t.Any = None,
        index_name: str | None = None,
        *args: t.Any,
        **options: t.Any,
    ) -> dict[str, t.Any]:
        """One page of a query; see PynamoDB.

        Raises:
            ValueError: As of :func:`check_filter`.
        """
        table = self.get_meta_table(table_name)
        # PynamoDB says that there is no such index.
        if not index_name or table.has_index(index_name):
            keys = table.query_keys(index_name or None)
            if isinstance(filter_condition, Condition):
                check_filter(
                    filter_condition,
                    keys,
                    queried=f"the {'index' if index_name else 'table'} {index_name or table_name!r}",
                )
            if table.is_number(keys[0]) and isinstance(text := self.parse_attribute(hash_key), str):
                hash_key = canonical_number(text)
            if isinstance(range_key_condition, Condition) and any(map(table.is_number, keys[1:])):
                range_key_condition = KeyCondition(range_key_condition)
        return super().query(
            table_name,
            hash_key,
            range_key_condition,
            filter_condition,
            attributes_to_get,
            consistent_read,
            exclusive_start_key,
            index_name,
            *args,
            **options,
        )

    def add_meta_table(self, meta_table: MetaTable) -> None:
        """Add the keys of a table; see PynamoDB."""
        super().add_meta_table(meta_table if isinstance(meta_table, KeyTable) else KeyTable(meta_table.data))

    def get_meta_table(self, table_name: str) -> KeyTable:
        """The keys of a table. If no model declares it, it is described once."""
        try:
            return t.cast("KeyTable", super().get_meta_table(table_name))
        except TableError:
            self.describe_table(table_name)
            return t.cast("KeyTable", super().get_meta_table(table_name))
