"""botocore's serializer without its walk over a request, where the walk would change nothing.

Half of a batch of writes was that walk. It copies what PynamoDB made, and encodes binary values.
"""

from __future__ import annotations

import functools
import typing as t

from botocore.serialize import JSONSerializer

from dynaflask.wire.payload import dump
from dynaflask.wire.plain import OPTIONS
from dynaflask.wire.plain import is_plain
from dynaflask.wire.plain import is_plain_item
from dynaflask.wire.private import replace_serializer
from dynaflask.wire.transport import OPERATIONS

ATTRIBUTE = "AttributeValue"
# The shapes that the walk takes as they come. It looks into floats and binary values.
SCALARS = frozenset({"string", "boolean", "integer", "long"})

Request = dict[str, t.Any]


class Serializer(JSONSerializer):
    """The stock serializer, which takes what its walk would leave as it is as it comes."""

    def serialize_to_request(self, parameters: t.Any, operation_model: t.Any) -> Request:
        """A request.

        Args:
            parameters: What an operation is called with.
            operation_model: The operation.
        """
        body = None
        if operation_model.name in OPERATIONS and fits(parameters, operation_model.input_shape):
            body = dump(parameters)
        if body is None:
            return super().serialize_to_request(parameters, operation_model)
        empty = self._empty_requests.get(operation_model) or self._empty_request(operation_model)
        return {**empty, "headers": {**empty["headers"]}, "body": body}

    @functools.cached_property
    def _empty_requests(self) -> dict[t.Any, Request]:
        return {}

    def _empty_request(self, operation_model: t.Any) -> Request:
        request: Request = super().serialize_to_request({}, operation_model)
        return self._empty_requests.setdefault(operation_model, request)

    # botocore calls this for any map inside a request. A version that does not will walk as ever.
    def _serialize_type_map(self, serialized: t.Any, value: t.Any, shape: t.Any, key: t.Any) -> None:
        stock: t.Any = super()
        if shape.value.name != ATTRIBUTE:
            stock._serialize_type_map(serialized, value, shape, key)
            return
        item = serialized[key] = {}
        for name, content in value.items():
            if is_plain(content):
                item[name] = content
            else:
                stock._serialize(item, content, shape.value, name)


def fits(value: t.Any, shape: t.Any) -> bool:
    """Whether the walk over a part of a request would return an equal one, and find nothing wrong with it.

    Args:
        value: The part, or the whole of what an operation is called with.
        shape: What it is to be.
    """
    kind = shape.type_name
    if kind in SCALARS:
        return type(value) in OPTIONS
    if kind == "list":
        return type(value) is list and _all_fit(value, shape.member)
    if type(value) is not dict:
        return False
    if kind == "structure":
        return is_plain(value) if shape.name == ATTRIBUTE else _members_fit(value, shape.members)
    return kind == "map" and _entries_fit(value, shape.value)


def _entries_fit(value: dict[str, t.Any], shape: t.Any) -> bool:
    return is_plain_item(value) if shape.name == ATTRIBUTE else _all_fit(value.values(), shape)


def _all_fit(values: t.Iterable[t.Any], shape: t.Any) -> bool:
    return all(fits(value, shape) for value in values)


def _members_fit(value: dict[str, t.Any], members: t.Any) -> bool:
    return value.keys() <= members.keys() and all(fits(part, members[name]) for name, part in value.items())


def install(client: t.Any) -> None:
    """Let a client write its requests with it. One that validates them first is left as it is.

    Args:
        client: A client of DynamoDB.
    """
    replace_serializer(client, stock=JSONSerializer, by=Serializer)
