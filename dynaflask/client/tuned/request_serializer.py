"""botocore's serializer without its walk over a request, where the walk would change nothing.

Half of a batch of writes was that walk. It copies what PynamoDB made, and encodes binary values.
"""

from __future__ import annotations

import typing as t

from botocore.serialize import JSONSerializer

from dynaflask.client.botocore_internals import replace_serializer
from dynaflask.client.tuned.json_codec import dump
from dynaflask.client.tuned.passthrough import is_plain
from dynaflask.client.tuned.shapes import ATTRIBUTE
from dynaflask.client.tuned.shapes import Check
from dynaflask.client.tuned.shapes import check_of
from dynaflask.client.tuned.shapes import never
from dynaflask.operations.operation import DATA_PLANE_OPERATIONS

Request = dict[str, t.Any]


class Serializer(JSONSerializer):
    """The stock serializer, which takes what its walk would leave as it is as it comes."""

    def serialize_to_request(self, parameters: t.Any, operation_model: t.Any) -> Request:
        """A request.

        Args:
            parameters: What an operation is called with.
            operation_model: The operation.
        """
        forms = vars(self).setdefault("_forms", {})
        fits, empty = forms.get(operation_model) or forms.setdefault(operation_model, self._form(operation_model))
        body = dump(parameters) if fits(parameters) else None
        if body is None:
            return super().serialize_to_request(parameters, operation_model)
        return {**empty, "headers": {**empty["headers"]}, "body": body}

    def _form(self, operation_model: t.Any) -> tuple[Check, Request]:
        if operation_model.name not in DATA_PLANE_OPERATIONS:
            return never, {}
        return check_of(operation_model.input_shape), super().serialize_to_request({}, operation_model)

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


def install(client: t.Any) -> None:
    """Let a client write its requests with it. One that validates them first is left as it is.

    Args:
        client: A client of DynamoDB.
    """
    replace_serializer(client, stock=JSONSerializer, by=Serializer)
