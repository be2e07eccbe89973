"""Reads that hide the items whose time to live has passed: ``Meta.hide_expired``.

DynamoDB deletes such an item within a few days, and returns it until then.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ttl-expired-items.html
"""

from __future__ import annotations

import collections.abc as cabc
import time
import typing as t

from pynamodb.constants import CAMEL_COUNT
from pynamodb.constants import COUNT
from pynamodb.constants import ITEM
from pynamodb.constants import ITEMS
from pynamodb.constants import NUMBER
from pynamodb.constants import RESPONSES
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path

from dynaflask.client.connection import Connection
from dynaflask.client.table_connection import TableConnection

Json = dict[str, t.Any]


class ExpiryConnection(Connection):
    """A connection for the table of one model, whose reads do not return expired items. Its writes see them.

    Queries and scans have a filter, so that DynamoDB does not send these items. It compares with the clock of this
    machine at each page.
    """

    _expiry: str

    @classmethod
    def of(cls, connection: Connection, expiry: str) -> ExpiryConnection:
        """The same connection, which hides expired items.

        Args:
            connection: The connection.
            expiry: DynamoDB's name of the attribute with the time to live.
        """
        hiding = object.__new__(cls)
        hiding.__dict__ = {**vars(connection), "_expiry": expiry}
        return hiding

    def get_item(
        self,
        table_name: str,
        hash_key: t.Any,
        range_key: t.Any = None,
        consistent_read: bool = False,
        attributes_to_get: t.Any = None,
    ) -> Json:
        """One item; see PynamoDB. An expired item is none."""
        projection = self._with_expiry(attributes_to_get)
        data = super().get_item(table_name, hash_key, range_key, consistent_read, attributes_to_get=projection)
        item = data.get(ITEM) if data else None
        if not item:
            return data
        visible = self._visible([item], attributes_to_get)
        rest = {name: value for name, value in data.items() if name != ITEM}
        return {**rest, ITEM: visible[0]} if visible else rest

    def batch_get_item(
        self,
        table_name: str,
        keys: t.Any,
        consistent_read: t.Any = None,
        return_consumed_capacity: t.Any = None,
        attributes_to_get: t.Any = None,
    ) -> Json:
        """A page of items by their keys; see PynamoDB. Expired items are missing."""
        data = Connection.batch_get_item(
            self._reading_items(),
            table_name,
            keys,
            consistent_read,
            return_consumed_capacity=return_consumed_capacity,
            attributes_to_get=self._with_expiry(attributes_to_get),
        )
        pages = data.get(RESPONSES, {})
        return {**data, RESPONSES: {name: self._visible(page, attributes_to_get) for name, page in pages.items()}}

    # PynamoDB's connection of a table passes the other arguments by name.
    def query(  # type: ignore[override]
        self,
        table_name: str,
        hash_key: t.Any,
        *,
        filter_condition: Condition | None = None,
        attributes_to_get: t.Any = None,
        index_name: str | None = None,
        **options: t.Any,
    ) -> Json:
        """One page of a query; see PynamoDB. Expired items are missing."""
        table = self.get_meta_table(table_name)
        has_keys = not index_name or table.has_index(index_name)
        # DynamoDB refuses a filter on a key.
        is_key = has_keys and self._expiry in table.query_keys(index_name or None)
        is_count = is_key and options.get("select") == COUNT
        if is_count:
            options, attributes_to_get = {**options, "select": None}, [self._expiry]
        page = Connection.query(
            self._reading_items() if is_key else self,
            table_name,
            hash_key,
            filter_condition=filter_condition if is_key else self._with_filter(filter_condition),
            attributes_to_get=self._with_expiry(attributes_to_get) if is_key else attributes_to_get,
            index_name=index_name,
            **options,
        )
        if not is_key:
            return page
        # The attribute stays in the items of a projection: it is part of their position.
        items = self._visible(page[ITEMS])
        return {**page, CAMEL_COUNT: len(items), ITEMS: None if is_count else items}

    def scan(self, table_name: str, filter_condition: Condition | None = None, *args: t.Any, **options: t.Any) -> Json:
        """One page of a scan; see PynamoDB. Expired items are missing."""
        return super().scan(table_name, self._with_filter(filter_condition), *args, **options)

    def visible_result(self, result: Json) -> Json:
        """The result of reading one item in a transaction; empty for an expired item."""
        return {} if is_expired(result.get(ITEM) or {}, self._expiry) else result

    def _with_filter(self, condition: Condition | None) -> Condition:
        # An item without the attribute, or with another type there, does not expire. The comparison is false for it.
        not_expired: Condition = ~expired_condition(self._expiry)
        if condition is not None:
            not_expired = condition & not_expired
        return not_expired

    def _with_expiry(self, projection: t.Any) -> t.Any:
        """The attributes to get, and the time to live."""
        if not projection or self._expiry in _names(projection):
            return projection
        return [*_as_list(projection), self._expiry]

    def _visible(self, items: cabc.Iterable[Json], projection: t.Any = None) -> list[Json]:
        """The items that have not expired, without a time to live that the program did not ask for."""
        visible = [item for item in items if not is_expired(item, self._expiry)]
        if not projection or self._expiry in _names(projection):
            return visible
        return [{name: value for name, value in item.items() if name != self._expiry} for item in visible]

    def _reading_items(self) -> Connection:
        """The same connection, which returns items as they are. Objects do not show their time to live."""
        return self if self._page_decoder is None else self.with_page_decoder(None)


def hides_expired(table: TableConnection) -> bool:
    """True if the reads of a table hide expired items, so that a page may have fewer items than it read."""
    return isinstance(table.connection, ExpiryConnection)


def expired_condition(expiry: str) -> Condition:
    """The condition that an item has expired by now.

    Args:
        expiry: DynamoDB's name of the attribute with the time to live.
    """
    condition: Condition = Path([expiry]) <= {NUMBER: str(int(time.time()))}
    return condition


def is_expired(item: cabc.Mapping[str, t.Any], expiry: str) -> bool:
    """True if an item has expired by now.

    Args:
        item: The item.
        expiry: DynamoDB's name of the attribute with the time to live.
    """
    seconds: str | None = item.get(expiry, {}).get(NUMBER)
    return seconds is not None and float(seconds) <= int(time.time())


def _as_list(projection: t.Any) -> list[t.Any]:
    return projection if isinstance(projection, list) else [projection]


def _names(projection: t.Any) -> set[str]:
    return {_name(attribute) for attribute in _as_list(projection)}


def _name(attribute: t.Any) -> str:
    return attribute.path[0] if isinstance(attribute, Path) else str(getattr(attribute, "attr_name", attribute))
