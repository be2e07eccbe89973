"""The fast path of a model: operations on one item, without the steps to its connection that change nothing.

PynamoDB passes a call through a dozen methods, each of which a program may override. The fast path sends the same
request over the model's own connection, built as one of the table's plain requests (``client/plain_requests.py``), and
has the same result. If a model, a patch or an argument could make a difference, PynamoDB makes the call.
"""

from __future__ import annotations

import collections.abc as cabc
import functools
import itertools
import operator
import typing as t

from pynamodb.attributes import MapAttribute
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
from dynaflask.client.plain_requests import PlainItem
from dynaflask.client.plain_requests import PlainRequests
from dynaflask.client.plain_requests import decoded_items
from dynaflask.client.table_connection import TableConnection
from dynaflask.model.codec.compiled import CompiledCodec
from dynaflask.model.codec.guards import CONTAINER_SERIALIZE_METHODS
from dynaflask.model.codec.guards import PYNAMODB_CLASSES
from dynaflask.model.codec.guards import is_unmodified
from dynaflask.model.codec.responses import UpdatedItem
from dynaflask.model.codec_lookup import FROM_RAW_DATA
from dynaflask.model.fast_paths import FastPathMixin
from dynaflask.model.item_tenant import claim
from dynaflask.model.item_tenant import require_own_tenant
from dynaflask.model.item_tenant import require_same_scope
from dynaflask.model.item_tenant import require_same_tenant
from dynaflask.model.item_tenant import require_unchanged
from dynaflask.model.pynamodb_internals import has_discriminator
from dynaflask.model.pynamodb_internals import hash_key_attribute
from dynaflask.model.pynamodb_internals import range_key_attribute
from dynaflask.model.pynamodb_internals import value_key
from dynaflask.model.pynamodb_internals import version_attribute
from dynaflask.model.skipped_methods import CALLS
from dynaflask.model.skipped_methods import STEPS
from dynaflask.model.skipped_methods import SkippedByOperation
from dynaflask.model.skipped_methods import SkippedMethods
from dynaflask.model.skipped_methods import methods_skipped_by
from dynaflask.model.tenant_guard import check_actions
from dynaflask.registry.scope import Scope

if t.TYPE_CHECKING:
    from dynaflask.model.codec.serializer import CheckedSerializer

# Items that a model saves as dicts before it compiles what makes structs of them, which takes as long as so many calls.
MIN_PUTS: t.Final = 20
NO_VALUE: t.Final[dict[str, t.Any]] = {}
CALL_NAMES: t.Final = frozenset(CALLS.values())
_from_raw_data: t.Final = itertools.repeat("from_raw_data")
# Attributes that depend on no block. Those of the program may enter one, and a TenantKey asks for the current tenant.
KNOWN_ATTRIBUTES: t.Final = frozenset(PYNAMODB_CLASSES)


class ItemFastPath:
    """What the fast path knows of one model.

    Args:
        model: The model's class.
        codec: Its codec.
        steps: Returns the methods that the fast path of an operation skips.

    Attributes:
        model: The class.
        codec: Its codec.
        hash_key: Its hash key.
        range_key: Its range key, or None.
    """

    def __init__(self, model: t.Any, *, codec: CompiledCodec, steps: cabc.Callable[[str], SkippedMethods]) -> None:
        self.model = model
        self.codec = codec
        self.hash_key, self.range_key = hash_key_attribute(model), range_key_attribute(model)
        keys = (self.hash_key, self.range_key)
        self._value_keys = [key and value_key(model, key) for key in keys]
        self._key_names = [(None, None) if key is None else (key.attr_name, key.attr_type) for key in keys]
        self._runs_program = _runs_program(model)
        # Threads may miss some.
        self._plain_puts = 0
        # Where ``from_raw_data`` stands, and where the program may override it.
        self._base = vars(codec.base)
        self._subclasses = [vars(cls) for cls in itertools.takewhile(lambda cls: cls is not codec.base, model.__mro__)]
        operations: cabc.Set[str] = frozenset() if self.hash_key is None else STEPS.keys()
        # PynamoDB has further steps for a version or a discriminator. A batch has none for a discriminator.
        if version_attribute(model) is not None:
            operations = operations & {"get"}
        elif has_discriminator(model):
            operations = operations & {"get", "batch_write"}
        self._skipped = SkippedByOperation(model, steps, operations=operations)

    def applies_to(self, operation: str, instance: t.Any = None) -> bool:
        """True if the fast path of an operation skips nothing that the program or a patch defines.

        Args:
            operation: Name of the model's method.
            instance: The object, for an operation on one.
        """
        skipped = self._skipped[operation]
        if skipped is None or not skipped.are_in_place():
            return False
        # Not before: a model that is only read needs no serializer, and each takes a millisecond to compile.
        if operation != "get" and (self.codec.checked_serializer is None or self.codec.deserializer is None):
            return False  # The model overrides what they would call.
        return instance is None or skipped.are_of_class(instance)

    def batch_serializer(self, *, takes_structs: bool) -> CheckedSerializer | None:
        """The serializer of the objects that a batch saves; None if the program or a patch defines a step of it.

        Args:
            takes_structs: True if an item may be a struct; see :attr:`.PlainRequests.takes_structs`.
        """
        skipped = self._skipped["batch_write"]
        if skipped is None or not skipped.are_in_place():
            return None
        return (takes_structs and self.codec.struct_serializer) or self.codec.checked_serializer

    def batch_requests(self, table: t.Any) -> PlainRequests | None:
        """What builds the batch writes over the connection of a table; None if the connection must.

        Args:
            table: The model's table. A program may put another connection in its place.
        """
        skipped = self._skipped["batch_write"]
        is_usual = skipped is not None and skipped.are_in_place() and type(table) is TableConnection
        return _plain_requests_of(table) if is_usual else None

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
        hash_key = None if hash_key is None else self.hash_key.serialize(hash_key)
        range_key = None if range_key is None else self.range_key.serialize(range_key)
        table, requests = self._connect(scope)
        request = responses = None
        if requests is not None and attributes_to_get is None:
            request = requests.get(hash_key, range_key, consistent_read=consistent_read)
        if request is None:
            data = table.get_item(
                hash_key, range_key=range_key, consistent_read=consistent_read, attributes_to_get=attributes_to_get
            )
        else:
            responses = self.codec.responses if self._has_own_from_raw_data() else None
            if responses is not None:
                request.decode, request.is_result_kept = responses.decode_item, False
            data = table.connection.send_plain(GET_ITEM, request)
        item = data.get(ITEM) if data else None
        if type(item) is not model:
            return self._made_from(item, scope, responses)
        claim(item, scope)
        return item

    def save(
        self, scope: Scope, instance: t.Any, condition: t.Any = None, *, add_version_condition: bool = True
    ) -> t.Any:
        """Write an object."""
        tenant = require_own_tenant(instance, scope)
        codec: t.Any = self.codec
        serialize = codec.struct_serializer if self._plain_puts >= MIN_PUTS and condition is None else None
        item, is_plain = (serialize or codec.checked_serializer)(instance)
        require_unchanged(instance, tenant, scope)
        table, requests = self._connect(scope)
        # Before the write: DynamoDB may have done it although the call fails.
        claim(instance, scope)
        request = None if requests is None or type(item) is dict else requests.put_struct(item)
        if request is None:
            return self._put(table, requests, item, condition, is_plain=is_plain)
        return table.connection.send_plain(PUT_ITEM, request)

    def _put(
        self, table: TableConnection, requests: PlainRequests | None, item: t.Any, condition: t.Any, *, is_plain: bool
    ) -> t.Any:
        """Write an item as a dict."""
        if type(item) is not dict:
            # The table or the transport of this app takes no struct.
            (item,), self._plain_puts = decoded_items([item]), 0
        (hash_name, hash_type), (range_name, range_type) = self._key_names
        hash_key = item.pop(hash_name, NO_VALUE).get(hash_type)
        range_key = None if range_name is None else item.pop(range_name, NO_VALUE).get(range_type)
        request = None
        if requests is not None and is_plain and condition is None:
            request = requests.put(hash_key, range_key, PlainItem(item))
        self._plain_puts += 1
        if request is None:
            keys = {} if range_key is None else {"range_key": range_key}
            return table.put_item(hash_key, **keys, attributes=item, condition=condition)
        return table.connection.send_plain(PUT_ITEM, request)

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
        hash_key, range_key = self._keys_of(scope, instance)
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
        claim(instance, scope)
        if item.values is None:
            deserializer: t.Any = self.codec.deserializer
            deserializer.fill(instance, data[ATTRIBUTES])
        else:
            instance.attribute_values = item.values
        return data

    def delete(
        self, scope: Scope, instance: t.Any, condition: t.Any = None, *, add_version_condition: bool = True
    ) -> t.Any:
        """Delete an object."""
        hash_key, range_key = self._keys_of(scope, instance)
        table, requests = self._connect(scope)
        request = None if requests is None or condition is not None else requests.delete(hash_key, range_key)
        if request is None:
            return table.delete_item(hash_key, range_key=range_key, condition=condition)
        return table.connection.send_plain(DELETE_ITEM, request)

    def _made_from(self, item: t.Any, scope: Scope, responses: t.Any) -> t.Any:
        """The object of a plain item, if there is one."""
        if not item:
            raise self.model.DoesNotExist
        if responses is None:
            # Code of the program may make it, in the block that is current by now.
            made = self.model.from_raw_data(item)
            require_same_tenant(self.model, scope)
        else:
            made = responses.make(item)
            claim(made, scope)
        return made

    def _check_actions(self, instance: t.Any, actions: t.Any) -> None:
        if self.model.__has_tenant_key__:
            check_actions(instance, actions)
        if not isinstance(actions, list) or not actions:
            raise TypeError("the value of `actions` is expected to be a non-empty list")

    def _keys_of(self, scope: Scope, instance: t.Any) -> tuple[t.Any, t.Any]:
        require_own_tenant(instance, scope)
        values = instance.attribute_values
        hash_value, range_value = map(values.get, self._value_keys)
        # PynamoDB serializes also a hash key of None, which some attributes refuse.
        hash_key = self.hash_key.serialize(hash_value)
        return hash_key, None if range_value is None else self.range_key.serialize(range_value)

    def _has_own_from_raw_data(self) -> bool:
        """True unless the program or a patch overrides ``from_raw_data``, at any time."""
        is_overridden = any(map(operator.contains, self._subclasses, _from_raw_data))
        return not is_overridden and self._base.get("from_raw_data") is FROM_RAW_DATA

    def _connect(self, scope: Scope) -> tuple[TableConnection, PlainRequests | None]:
        """The model's table, and what builds its requests; None in its place if its connection must."""
        if self._runs_program:
            require_same_scope(self.model, scope)
        table = scope.model_table(self.model)
        return table, _plain_requests_of(table)


# A wrong argument is refused by the fast path. The program has called its model.
for _name in STEPS.keys() & vars(ItemFastPath).keys():
    getattr(ItemFastPath, _name).__qualname__ = f"Model.{_name}"


def codec_with_fast_path(model: t.Any, *, base: type) -> CompiledCodec:
    """The codec of a model, and its fast path.

    Args:
        model: The model's class.
        base: The base class of all models.
    """
    codec = CompiledCodec(model, base=base)
    codec.item_fast_path = ItemFastPath(
        model, codec=codec, steps=functools.partial(methods_skipped_by, base, FastPathMixin)
    )
    return codec


def _plain_requests_of(table: TableConnection) -> PlainRequests | None:
    connection = table.connection
    # A program may put another connection in place of the model's. That of ``Meta.hide_expired`` is another class.
    if type(connection) is not Connection or not vars(table).keys().isdisjoint(CALL_NAMES):
        return None
    return connection.plain_requests(table.table_name)


def _runs_program(container: t.Any, *, inside: tuple[t.Any, ...] = ()) -> bool:
    """True if an attribute of a model or a map is a ``TenantKey``, or the program's, which may do anything."""
    for attribute in container.get_attributes().values():
        for cls in filter(None, (type(attribute), getattr(attribute, "element_type", None))):
            is_map = issubclass(cls, MapAttribute) and is_unmodified(cls, CONTAINER_SERIALIZE_METHODS)
            if is_map and cls not in inside and _runs_program(cls, inside=(*inside, cls)):
                return True
            if not (is_map or cls in KNOWN_ATTRIBUTES) or "serialize" in vars(attribute):
                return True
    return False
