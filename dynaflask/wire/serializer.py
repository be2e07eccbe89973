"""botocore's serializer without its walk over the items of a request, where the walk would change nothing.

Half of a batch of writes was that walk. It copies what PynamoDB made, and encodes binary values.
"""

from __future__ import annotations

import typing as t

from botocore.serialize import JSONSerializer

from dynaflask.wire.plain import is_plain
from dynaflask.wire.private import replace_serializer


class Serializer(JSONSerializer):
    """The stock serializer, which takes the attributes of an item as they come if its walk would leave them so."""

    # botocore calls this for any map inside a request. A version that does not will walk as ever.
    def _serialize_type_map(self, serialized: t.Any, value: t.Any, shape: t.Any, key: t.Any) -> None:
        stock: t.Any = super()
        if shape.value.name != "AttributeValue":
            stock._serialize_type_map(serialized, value, shape, key)
            return
        item = serialized[key] = {}
        for name, content in value.items():
            if is_plain(content):
                item[name] = content
            else:
                stock._serialize(item, content, shape.value, name)


def install(client: t.Any) -> None:
    """Let a client write its requests with it. One that validates them first is left as it is.

    Args:
        client: A client of DynamoDB.
    """
    replace_serializer(client, stock=JSONSerializer, by=Serializer)
