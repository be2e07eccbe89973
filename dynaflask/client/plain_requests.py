"""Requests of the usual form, built without PynamoDB's and botocore's work for the other forms.

PynamoDB builds the parameters of each call from a dozen optional parts, and the direct transport then checks that
botocore would send each value unchanged. A request with nothing but keys, items or an update is built here in one step,
from values that are checked while they are put in. It has the same members in the same order.

Nothing here knows a destination: a request goes where the connection goes that it was built for.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t
import weakref

from pynamodb.constants import CONSISTENT_READ
from pynamodb.constants import DELETE_REQUEST
from pynamodb.constants import EXPRESSION_ATTRIBUTE_VALUES
from pynamodb.constants import ITEM
from pynamodb.constants import KEY
from pynamodb.constants import KEY_SCHEMA
from pynamodb.constants import KEYS
from pynamodb.constants import NUMBER
from pynamodb.constants import PUT_REQUEST
from pynamodb.constants import REQUEST_ITEMS
from pynamodb.constants import STRING
from pynamodb.constants import TABLE_NAME
from pynamodb.constants import UPDATE_EXPRESSION

from dynaflask.client.codec import json_codec
from dynaflask.client.table_keys import KeyTable
from dynaflask.client.table_keys import canonical_number
from dynaflask.client.table_keys import canonical_value

Json = dict[str, t.Any]
# Of a key with two values.
DICTS, LENGTHS = frozenset({dict}), frozenset({2})


class PlainRequest(dict[str, t.Any]):
    """Parameters of a call that the walk over botocore's shapes would not change: no second check is needed.

    It names a table by its name, not by its ARN.

    Attributes:
        decode: Decodes the body of a response to the result, and returns None if it is not of the usual form; None for
            a result of plain items. Only a call that the direct transport makes at its first attempt uses it. It must
            not run code of the program.
        is_result_kept: False if nothing sees the result but the fast path, which needs no ``ResponseMetadata``.
        response: The response that the direct transport has taken the result from, at its first attempt; else None.
        has_structs: True if the item, or items of a batch write, may be structs. Only the direct transport can
            read them: see :func:`decoded`.
    """

    decode: t.Callable[[bytes], Json | None] | None = None
    is_result_kept: bool = True
    response: t.Any = None
    has_structs: bool = False


class PlainItem(dict[str, t.Any]):
    """An item that botocore sends unchanged: no second check is needed. It never leaves dynaflask."""

    __slots__ = ()


class PlainItems(list[t.Any]):
    """Items that botocore sends unchanged, for one batch write. Neither the list nor the items leave dynaflask.

    With msgspec, an item may be a struct, which msgspec encodes as the item.
    """

    __slots__ = ()


def decoded(request: Json) -> Json:
    """A request whose items are dicts, for all that is not the direct transport.

    Args:
        request: Parameters of a call.
    """
    if type(request) is not PlainRequest or not request.has_structs:
        return request
    if ITEM in request:
        return PlainRequest({**request, ITEM: decoded_items([request[ITEM]])[0]})
    batches = request[REQUEST_ITEMS].items()
    return PlainRequest({**request, REQUEST_ITEMS: {table: list(map(_decoded_put, puts)) for table, puts in batches}})


def decoded_items(items: cabc.Iterable[t.Any]) -> list[Json]:
    """The items of a batch write as dicts.

    Args:
        items: The items, of which some may be structs.
    """
    return [item if isinstance(item, dict) else json_codec.msgspec.to_builtins(item) for item in items]


def _decoded_put(request: Json) -> Json:
    put = request.get(PUT_REQUEST)
    return request if put is None else {PUT_REQUEST: {ITEM: decoded_items([put[ITEM]])[0]}}


class PlainRequests:
    """Builds the plain requests of one table. Each method returns ``None`` if PynamoDB must build or refuse a request.

    Args:
        table: The keys of the table.
        is_plain_item: True for an item that botocore sends unchanged.

    Attributes:
        key_schema: The keys of the table, to which more may be added.
        key_count: The number of keys that the requests have.
    """

    def __init__(self, table: KeyTable, *, is_plain_item: t.Callable[[t.Any], bool]) -> None:
        # Weak: the table has these requests.
        self._table: KeyTable = weakref.proxy(table)
        self.key_schema = table.data[KEY_SCHEMA]
        self.key_count = len(self.key_schema)
        self._name = table.table_name
        self._hash_name = table.hash_keyname
        self._range_name: t.Any = table.range_keyname
        names = [name for name in (self._hash_name, self._range_name) if name is not None]
        self._types = {name: table.get_attribute_type(name) for name in names}
        self._are_texts = [*self._types.values()] == [STRING, STRING]
        self._is_plain_item = is_plain_item

    def get(self, hash_key: t.Any, range_key: t.Any, *, consistent_read: t.Any) -> PlainRequest | None:
        """The parameters of a GetItem.

        Args:
            hash_key: The hash key, serialized.
            range_key: The range key, serialized, or None.
            consistent_read: True for a consistent read.
        """
        key = self._key(hash_key, range_key)
        if key is None or type(consistent_read) is not bool:
            return None
        return PlainRequest({TABLE_NAME: self._name, KEY: key, CONSISTENT_READ: consistent_read})

    def delete(self, hash_key: t.Any, range_key: t.Any) -> PlainRequest | None:
        """The parameters of a DeleteItem; see :meth:`get`."""
        key = self._key(hash_key, range_key)
        return None if key is None else PlainRequest({TABLE_NAME: self._name, KEY: key})

    def put(self, hash_key: t.Any, range_key: t.Any, attributes: t.Any) -> PlainRequest | None:
        """The parameters of a PutItem; see :meth:`get`.

        Args:
            hash_key: The hash key, serialized.
            range_key: The range key, serialized, or None.
            attributes: The item.
        """
        key = self._key(hash_key, range_key)
        item = None if key is None else self._item(attributes, start=key)
        return None if item is None else PlainRequest({TABLE_NAME: self._name, ITEM: item})

    def put_struct(self, item: t.Any) -> PlainRequest | None:
        """The parameters of a PutItem; None if :attr:`takes_structs` is false.

        Args:
            item: The item, as a struct.
        """
        if not self.takes_structs:
            return None
        request = PlainRequest({TABLE_NAME: self._name, ITEM: item})
        request.has_structs = True
        return request

    def update(self, hash_key: t.Any, range_key: t.Any, update: Json) -> PlainRequest | None:
        """The parameters of an UpdateItem; see :meth:`get`.

        Args:
            hash_key: The hash key, serialized.
            range_key: The range key, serialized, or None.
            update: The other parameters: the expression, its names and values, as ``serialize_update`` returns them.
        """
        key = self._key(hash_key, range_key)
        if key is None or type(update.get(UPDATE_EXPRESSION)) is not str:
            return None
        if not self._is_plain_item(update.get(EXPRESSION_ATTRIBUTE_VALUES, {})):
            return None
        return PlainRequest({TABLE_NAME: self._name, KEY: key, **update})

    def batch_get(self, keys: t.Any, *, consistent_read: t.Any) -> PlainRequest | None:
        """The parameters of a BatchGetItem.

        Args:
            keys: A list of serialized keys, each a dict of values by name.
            consistent_read: True for a consistent read.
        """
        typed_keys = self._typed_keys(keys)
        if typed_keys is None or (consistent_read and consistent_read is not True):
            return None
        options = {CONSISTENT_READ: True} if consistent_read else {}
        return PlainRequest({REQUEST_ITEMS: {self._name: {**options, KEYS: typed_keys}}})

    def batch_write(self, put_items: t.Any, delete_items: t.Any) -> PlainRequest | None:
        """The parameters of a BatchWriteItem.

        Args:
            put_items: A list of items.
            delete_items: A list of serialized keys.
        """
        deletions, items = self._typed_keys(delete_items), self._items(put_items)
        if deletions is None or items is None:
            return None
        puts = [{PUT_REQUEST: {ITEM: item}} for item in items]
        requests = [*({DELETE_REQUEST: {KEY: key}} for key in deletions), *puts]
        request = PlainRequest({REQUEST_ITEMS: {self._name: requests}})
        request.has_structs = type(put_items) is PlainItems
        return request

    @property
    def takes_structs(self) -> bool:
        """True if an item may be a struct. A number in a key may have to change."""
        return json_codec.msgspec is not None and not self._table.number_keys()

    def _key(self, hash_key: t.Any, range_key: t.Any) -> Json | None:
        # Most tables have two keys of text, for which the loop takes three times as long.
        if self._are_texts and type(hash_key) is str and type(range_key) is str:
            return {self._hash_name: {STRING: hash_key}, self._range_name: {STRING: range_key}}
        keys = {self._hash_name: hash_key}
        if range_key is not None and self._range_name is not None:
            keys[self._range_name] = range_key
        return self._typed_key(keys)

    def _typed_key(self, key: Json) -> Json | None:
        """A key as DynamoDB takes it; ``None`` if it has another attribute or another value than text and numbers."""
        types, typed_key = self._types, {}
        for name, value in key.items():
            attribute_type = types.get(name)
            if type(value) is not str:
                return None
            if attribute_type == STRING:
                typed_key[name] = {STRING: value}
            elif attribute_type == NUMBER:
                typed_key[name] = {NUMBER: canonical_number(value)}
            else:
                return None
        return typed_key

    def _typed_keys(self, keys: t.Any) -> list[Json] | None:
        if type(keys) is not list:
            return None
        if self._are_texts and (text_keys := self._text_keys(keys)) is not None:
            return text_keys
        typed_keys = [self._typed_key(key) for key in keys]
        return None if None in typed_keys else t.cast("list[Json]", typed_keys)

    def _text_keys(self, keys: list[t.Any]) -> list[Json] | None:
        """Keys of two texts; None if one of them is another."""
        if not (DICTS.issuperset(map(type, keys)) and LENGTHS.issuperset(map(len, keys))):
            return None
        hash_name, range_name = self._hash_name, self._range_name
        try:
            typed_keys = [
                {hash_name: {STRING: hash_key}, range_name: {STRING: range_key}}
                for key in keys
                if type(hash_key := key[hash_name]) is str and type(range_key := key[range_name]) is str
            ]
        except KeyError:
            return None
        return typed_keys if len(typed_keys) == len(keys) else None

    def _items(self, items: t.Any) -> list[Json] | None:
        if type(items) is PlainItems:
            if not self._table.number_keys():
                return items
            items = [PlainItem(item) for item in decoded_items(items)]
        if type(items) is not list:
            return None
        plain_items = [self._item(attributes, start={}) for attributes in items]
        return None if None in plain_items else t.cast("list[Json]", plain_items)

    def _item(self, attributes: t.Any, *, start: Json) -> Json | None:
        is_plain = type(attributes) is PlainItem or (type(attributes) is dict and self._is_plain_item(attributes))
        if not is_plain:
            return None
        item = {**start, **attributes}
        for name in self._table.number_keys():
            if name in item:
                item[name] = canonical_value(item[name])
        return item
