"""The keys of a batch get, serialized without the steps that are the same for all of them."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from pynamodb.attributes import Attribute
from pynamodb.constants import BATCH_GET_PAGE_LIMIT

from dynaflask.model.codec.guards import SERIALIZE_METHODS
from dynaflask.model.codec.guards import is_unmodified_attribute
from dynaflask.model.pynamodb_internals import BATCH_GET
from dynaflask.model.pynamodb_internals import BATCH_GET_PAGE
from dynaflask.model.pynamodb_internals import hash_key_attribute
from dynaflask.model.pynamodb_internals import range_key_attribute
from dynaflask.model.pynamodb_internals import serializes_keys
from dynaflask.model.results import BatchGetAdapter

Json = dict[str, t.Any]
Keys = cabc.Sequence[t.Any]
# Of a pair.
TUPLES, LENGTHS = frozenset({tuple}), frozenset({2})


def batch_get(
    adapter: BatchGetAdapter,
    items: cabc.Iterable[t.Any],
    consistent_read: bool | None = None,
    attributes_to_get: cabc.Sequence[str] | None = None,
) -> cabc.Iterator[list[t.Any]]:
    """The pages that PynamoDB's ``batch_get`` yields. PynamoDB looks up the key attributes again for each key.

    Args:
        adapter: Stands in for the model.
        items: Hash keys, or pairs of a hash key and a range key.
        consistent_read: True for consistent reads.
        attributes_to_get: Names of the attributes to read; ``None`` for all.
    """
    options: t.Any = {"consistent_read": consistent_read, "attributes_to_get": attributes_to_get}
    # In a set, as in PynamoDB: each key is sent once.
    remaining: Keys = list(set(items))
    build = _key_builder(adapter)
    while remaining:
        # A page is fetched before the keys of the next one are serialized.
        page_keys, remaining = remaining[:BATCH_GET_PAGE_LIMIT], remaining[BATCH_GET_PAGE_LIMIT:]
        keys = build and build(page_keys)
        if keys is None:
            yield from BATCH_GET(adapter, [*page_keys, *remaining], **options)
            return
        while keys:
            pages, keys = adapter.fetch(keys, **options)
            yield from pages


# The error for a wrong argument has this name.
batch_get.__qualname__ = BATCH_GET.__qualname__


def _key_builder(model: t.Any) -> t.Callable[[Keys], list[Json] | None] | None:
    """A function that serializes keys; None if PynamoDB must do it."""
    hash_key, range_key = hash_key_attribute(model), range_key_attribute(model)
    if hash_key is None or not serializes_keys(model) or BATCH_GET_PAGE is None:
        return None
    hash_name, serialize_hash = hash_key.attr_name, _serializer_of(hash_key)
    if range_key is None:
        return lambda keys: [{hash_name: serialize_hash(value)} for value in keys]
    range_name, serialize_range = range_key.attr_name, _serializer_of(range_key)
    is_unchanged = serialize_hash is serialize_range is _unchanged

    def build(keys: Keys) -> list[Json] | None:
        # PynamoDB raises its error for another form.
        if not (TUPLES.issuperset(map(type, keys)) and LENGTHS.issuperset(map(len, keys))):
            return None
        if is_unchanged:
            return [{hash_name: hash_value, range_name: range_value} for hash_value, range_value in keys]
        return [
            {hash_name: serialize_hash(hash_value), range_name: serialize_range(range_value)}
            for hash_value, range_value in keys
        ]

    return build


def _serializer_of(attribute: t.Any) -> t.Callable[[t.Any], t.Any]:
    if type(attribute).serialize is Attribute.serialize and is_unmodified_attribute(attribute, SERIALIZE_METHODS):
        return _unchanged
    return lambda value: None if value is None else attribute.serialize(value)


def _unchanged(value: t.Any) -> t.Any:
    return value
