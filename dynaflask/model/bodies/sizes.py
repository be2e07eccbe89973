"""DynamoDB's limits for the sizes of keys and items, checked before a call."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from dynaflask.model.bodies.json_types import CONVERSION_ERRORS
from dynaflask.model.bodies.values import Json
from dynaflask.model.pynamodb_internals import indexes

# The limits of a hash key, of a range key and of an item, with the names of its attributes, in bytes.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
MAX_HASH_KEY = 2048
MAX_RANGE_KEY = 1024
MAX_ITEM = 400 * 1024

# A string below this length is a key of at most 1024 bytes: each character has up to 3, or 4 as a pair, and the name
# of a tenant with its separator has up to 257.
SAFE_STRING = 180
# Below this number of characters a body is an item of less than 400 kB, even if each is escaped with 6 bytes.
SAFE_BODY = 60_000
# Characters that stand for a number, a flag and the overhead of a map.
SAFE_VALUE = 40


def size_errors(item: t.Any) -> dict[str, str]:
    """Errors by field of an item that is too large for DynamoDB, or has a key that is too long.

    Args:
        item: An item of a model. One that cannot be serialized, yet or at all, is not checked.
    """
    try:
        stored = item.serialize(null_check=False)
    except (*CONVERSION_ERRORS, RuntimeError):
        # Such as a TenantKey without a tenant: the view may enter the tenant's block later.
        return {}
    names = {attribute.attr_name: name for name, attribute in item.get_attributes().items()}
    limits = key_limits(type(item))
    errors = {
        names[name]: f"The value is too long: this key has at most {limits[name]} bytes."
        for name, value in stored.items()
        if name in limits and _size(value) > limits[name]
    }
    if not errors and _size({"M": stored}) > MAX_ITEM:
        errors["body"] = f"The item is too large: it has at most {MAX_ITEM} bytes."
    return errors


def is_surely_small(body: cabc.Mapping[str, Json]) -> bool:
    """True if no string of a body is long enough for a key's limit, and the body is too short for that of an item.

    It costs a tenth of serializing the item, and is true for most bodies.
    """
    return _weight(body) < SAFE_BODY and not any(isinstance(v, str) and len(v) > SAFE_STRING for v in body.values())


def key_limits(model: t.Any) -> dict[str, int]:
    """The largest size of each key of the table and of its indexes, by the attribute's name in DynamoDB."""
    limits: dict[str, int] = {}
    for owner in (model.get_attributes(), *(index.Meta.attributes for index in indexes(model).values())):
        for key in owner.values():
            if key.is_hash_key or key.is_range_key:
                limit = MAX_HASH_KEY if key.is_hash_key else MAX_RANGE_KEY
                limits[key.attr_name] = min(limit, limits.get(key.attr_name, limit))
    return limits


def _weight(value: Json) -> int:
    if isinstance(value, str):
        return len(value) if value.isascii() else 2 * len(value)
    if isinstance(value, dict):
        return sum(len(name) + _weight(entry) for name, entry in value.items())
    return SAFE_VALUE + sum(map(_weight, value)) if isinstance(value, list) else SAFE_VALUE


def _size(value: cabc.Mapping[str, t.Any]) -> int:
    """The least number of bytes that DynamoDB counts for an attribute value.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    [(type_tag, content)] = value.items()
    if type_tag == "M":
        return sum(_length(name) + _size(entry) for name, entry in content.items())
    if type_tag == "L":
        return sum(map(_size, content))
    if type_tag in {"SS", "BS"}:
        return sum(map(_length, content))
    # A number has up to 21 bytes, which depend on its digits; a flag has one.
    return _length(content) if type_tag in {"S", "B"} else 1


def _length(content: str | bytes) -> int:
    return len(content.encode(errors="surrogatepass") if isinstance(content, str) else content)
