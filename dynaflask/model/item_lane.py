"""The lane of a model: operations on one item, without the steps to its connection that change nothing.

PynamoDB passes a call through a dozen methods, each of which a program may override. A lane sends the same request over
the model's own connection, built as one of the table's plain requests (``client/plain_requests.py``), and has the same
result. If a model, a patch or an argument could make a difference, PynamoDB makes the call.
"""

from __future__ import annotations

import typing as t

from pynamodb.constants import ALL_NEW
from pynamodb.constants import ATTRIBUTES
from pynamodb.constants import DELETE_ITEM
from pynamodb.constants import GET_ITEM
from pynamodb.constants import ITEM
from pynamodb.constants import PUT_ITEM
from pynamodb.constants import RETURN_VALUES
from pynamodb.constants import UPDATE_ITEM

from dynaflask.client.codec.parts import serialize_update
from dynaflask.client.connection import Connection
from dynaflask.client.connection import TableConnection
from dynaflask.client.plain_requests import PlainItem
from dynaflask.client.plain_requests import PlainRequests
from dynaflask.model.codec.compiled import CompiledCodec
from dynaflask.model.codec.deserializer import Deserializer
from dynaflask.model.codec.responses import ResponseDecoder
from dynaflask.model.codec.responses import UpdatedItem
from dynaflask.model.codec.serializer import CheckedSerializer
from dynaflask.model.codec_lookup import safe_responses
from dynaflask.model.item_tenant import remember_tenant
from dynaflask.model.item_tenant import require_own_tenant
from dynaflask.model.lane_steps import CALLS
from dynaflask.model.lane_steps import STEPS
from dynaflask.model.lane_steps import LaneSteps
from dynaflask.model.lane_steps import steps_of
from dynaflask.model.lanes import ItemLanesMixin
from dynaflask.model.pynamodb_internals import has_discriminator
from dynaflask.model.pynamodb_internals import hash_key_attribute
from dynaflask.model.pynamodb_internals import range_key_attribute
from dynaflask.model.pynamodb_internals import value_key
from dynaflask.model.pynamodb_internals import version_attribute
from dynaflask.model.tenant_guard import check_actions
from dynaflask.registry.scope import Scope

NO_VALUE: t.Final[dict[str, t.Any]] = {}
CALL_NAMES: t.Final = frozenset(CALLS.values())


class ItemLane:
    """What the lanes know of one model.

    Args:
        model: The model's class.
        codec: Its codec.
        steps: The methods that each lane skips, by the operation.
        safe_responses: Returns the codec's decoder of responses, or None if it would skip code of the program.

    Attributes:
        model: The class.
        codec: Its codec.
        hash_key: Its hash key.
        range_key: Its range key, or None.
    """

    def __init__(
        self,
        model: t.Any,
        *,
        codec: CompiledCodec,
        steps: dict[str, LaneSteps],
        safe_responses: t.Callable[[t.Any, CompiledCodec], ResponseDecoder | None],
    ) -> None:
        self.model = model
        self.codec = codec
        self.hash_key, self.range_key = hash_key_attribute(model), range_key_attribute(model)
        self._value_keys = [key and value_key(model, key) for key in (self.hash_key, self.range_key)]
        self._safe_responses = safe_responses
        # PynamoDB has further steps for a version or a discriminator.
        can_write = version_attribute(model) is None and not has_discriminator(model)
        operations = () if self.hash_key is None else STEPS if can_write else ("get",)
        self._steps = {name: steps[name] for name in operations if not steps[name].has_other_base(model)}

    def is_usual(self, operation: str, instance: t.Any = None) -> bool:
        """True if the lane of an operation skips nothing that the program or a patch defines.

        Args:
            operation: Name of the model's method.
            instance: The object, for an operation on one.
        """
        steps = self._steps.get(operation)
        if steps is None or not steps.are_usual(self.model):
            return False
        # Not before: a model that is only read needs no serializer, and each takes a millisecond to compile.
        if operation != "get" and (self.codec.checked_serializer is None or self.codec.deserializer is None):
            return False  # The model overrides what they would call.
        return instance is None or vars(instance).keys().isdisjoint(steps.names)

    # The steps of PynamoDB's methods of the same names, in the same order.

    def get(
        self,
        scope: Scope,
        hash_key: t.Any,
        range_key: t.Any = None,
        consistent_read: t.Any = False,
        attributes_to_get: t.Any = None,
    ) -> t.Any:
        """The item with these keys."""
        model = self.model
        hash_key, range_key = self._serialized_keys(hash_key, range_key)
        table, requests = self._connect(scope)
        request = None
        if requests is not None and attributes_to_get is None:
            request = requests.get(hash_key, range_key, consistent_read=consistent_read)
        if request is None:
            data = table.get_item(
                hash_key, range_key=range_key, consistent_read=consistent_read, attributes_to_get=attributes_to_get
            )
        else:
            responses = self._safe_responses(model, self.codec)
            request.decode = None if responses is None else responses.decode_item
            data = table.connection.send_plain(GET_ITEM, request)
        item = data.get(ITEM) if data else None
        if type(item) is model:
            remember_tenant(item, scope)
            return item
        if item:
            return model.from_raw_data(item)
        raise model.DoesNotExist

    def save(
        self, scope: Scope, instance: t.Any, condition: t.Any = None, *, add_version_condition: bool = True
    ) -> t.Any:
        """Write an object."""
        require_own_tenant(instance)
        item, is_plain = t.cast("CheckedSerializer", self.codec.checked_serializer)(instance)
        hash_key = item.pop(self.hash_key.attr_name, NO_VALUE).get(self.hash_key.attr_type)
        range_key = None
        if self.range_key is not None:
            range_key = item.pop(self.range_key.attr_name, NO_VALUE).get(self.range_key.attr_type)
        table, requests = self._connect(scope)
        request = None
        if requests is not None and is_plain and condition is None:
            request = requests.put(hash_key, range_key, PlainItem(item))
        if request is None:
            keys = {} if range_key is None else {"range_key": range_key}
            data = table.put_item(hash_key, **keys, attributes=item, condition=condition)
        else:
            data = table.connection.send_plain(PUT_ITEM, request)
        remember_tenant(instance, scope)
        return data

    def update(
        self,
        scope: Scope,
        instance: t.Any,
        actions: t.Any,
        condition: t.Any = None,
        *,
        add_version_condition: bool = True,
    ) -> t.Any:
        """Change an object."""
        self._check_actions(instance, actions)
        hash_key, range_key = self._keys_of(instance)
        table, requests = self._connect(scope)
        request, item = None, UpdatedItem(self.codec.responses)
        update = None if requests is None or condition is not None else serialize_update(actions)
        if requests is not None and update is not None:
            request = requests.update(hash_key, range_key, {RETURN_VALUES: ALL_NEW, **update})
        if request is None:
            data = table.update_item(
                hash_key, range_key=range_key, return_values=ALL_NEW, condition=condition, actions=actions
            )
        else:
            request.decode = item
            data = table.connection.send_plain(UPDATE_ITEM, request)
        if item.values is None:
            t.cast("Deserializer", self.codec.deserializer).fill(instance, data[ATTRIBUTES])
        else:
            instance.attribute_values = item.values
        remember_tenant(instance, scope)
        return data

    def delete(
        self, scope: Scope, instance: t.Any, condition: t.Any = None, *, add_version_condition: bool = True
    ) -> t.Any:
        """Delete an object."""
        hash_key, range_key = self._keys_of(instance)
        table, requests = self._connect(scope)
        request = None if requests is None or condition is not None else requests.delete(hash_key, range_key)
        if request is None:
            return table.delete_item(hash_key, range_key=range_key, condition=condition)
        return table.connection.send_plain(DELETE_ITEM, request)

    def _check_actions(self, instance: t.Any, actions: t.Any) -> None:
        if self.model.__has_tenant_key__:
            check_actions(instance, actions)
        if not isinstance(actions, list) or not actions:
            raise TypeError("the value of `actions` is expected to be a non-empty list")

    def _serialized_keys(self, hash_key: t.Any, range_key: t.Any) -> tuple[t.Any, t.Any]:
        hash_key = None if hash_key is None else self.hash_key.serialize(hash_key)
        return hash_key, None if range_key is None else self.range_key.serialize(range_key)

    def _keys_of(self, instance: t.Any) -> tuple[t.Any, t.Any]:
        require_own_tenant(instance)
        values = instance.attribute_values
        hash_value, range_value = map(values.get, self._value_keys)
        # PynamoDB serializes also a hash key of None, which some attributes refuse.
        return self.hash_key.serialize(hash_value), self._serialized_keys(None, range_value)[1]

    def _connect(self, scope: Scope) -> tuple[TableConnection, PlainRequests | None]:
        """The model's table, and what builds its requests; None in its place if its connection must."""
        table = scope.model_table(self.model)
        # A program may put another connection in place of the model's. That of ``Meta.hide_expired`` is another class.
        if type(table.connection) is not Connection or not vars(table).keys().isdisjoint(CALL_NAMES):
            return table, None
        return table, table.connection.plain_requests(table.table_name)


def codec_with_lane(model: t.Any, *, base: type) -> CompiledCodec:
    """The codec of a model, and its lane.

    Args:
        model: The model's class.
        base: The base class of all models.
    """
    codec = CompiledCodec(model, base=base)
    codec.lane = ItemLane(model, codec=codec, steps=steps_of(base, ItemLanesMixin), safe_responses=safe_responses)
    return codec
