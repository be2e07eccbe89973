"""botocore's request serializer without its walk over a request that the walk would not change.

The walk copies what PynamoDB made and encodes binary values. It took half of the time of a batch of writes.
"""

from __future__ import annotations

import typing as t

from botocore.serialize import JSONSerializer

from dynaflask.client.botocore_internals import replace_serializer
from dynaflask.client.codec.json_codec import dump
from dynaflask.client.codec.passthrough import ATTRIBUTE_VALUE
from dynaflask.client.codec.passthrough import Predicate
from dynaflask.client.codec.passthrough import is_plain
from dynaflask.client.codec.passthrough import never
from dynaflask.client.codec.passthrough import predicate_for
from dynaflask.operations.operation import DATA_PLANE_OPERATIONS

RequestParts = dict[str, t.Any]


class PassthroughSerializer(JSONSerializer):
    """The stock serializer, but values that its walk would not change are written without the walk."""

    def serialize_to_request(self, parameters: t.Any, operation_model: t.Any) -> RequestParts:
        """The parts of a request: method, path, headers and body.

        Args:
            parameters: Parameters of the call.
            operation_model: botocore's description of the operation.
        """
        forms = vars(self).setdefault("_forms", {})
        form = forms.get(operation_model) or forms.setdefault(operation_model, self._form(operation_model))
        are_plain, empty_request = form
        body = dump(parameters) if are_plain(parameters) else None
        if body is None:
            return super().serialize_to_request(parameters, operation_model)
        return {**empty_request, "headers": {**empty_request["headers"]}, "body": body}

    def _form(self, operation_model: t.Any) -> tuple[Predicate, RequestParts]:
        if operation_model.name not in DATA_PLANE_OPERATIONS:
            return never, {}
        return predicate_for(operation_model.input_shape), super().serialize_to_request({}, operation_model)

    # A private method of botocore: the walk calls it for each map of a request. In a botocore without it, the walk goes
    # through the items, with the same result.
    def _serialize_type_map(self, serialized: t.Any, value: t.Any, shape: t.Any, key: t.Any) -> None:
        stock: t.Any = super()
        if shape.value.name != ATTRIBUTE_VALUE:
            stock._serialize_type_map(serialized, value, shape, key)
            return
        item = serialized[key] = {}
        for name, content in value.items():
            if is_plain(content):
                item[name] = content
            else:
                stock._serialize(item, content, shape.value, name)


def install(client: t.Any) -> None:
    """Replace the serializer of a client. A client that validates its parameters keeps its own.

    Args:
        client: A client of DynamoDB.
    """
    replace_serializer(client, stock=JSONSerializer, by=PassthroughSerializer)
