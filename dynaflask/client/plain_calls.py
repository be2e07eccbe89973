"""Calls with plain requests: the operations on items and batches without PynamoDB's general code.

Each method here returns what PynamoDB's method of the same name returns, and raises what it raises. If a call has
another option than the plain ones, or a test has patched a method that would be skipped, PynamoDB's method makes it.
"""

from __future__ import annotations

import itertools
import logging
import operator
import typing as t

import pynamodb.connection
from pynamodb.connection.base import BOTOCORE_EXCEPTIONS
from pynamodb.connection.base import MetaTable
from pynamodb.constants import ALL_NEW
from pynamodb.constants import BATCH_GET_ITEM
from pynamodb.constants import BATCH_WRITE_ITEM
from pynamodb.constants import DELETE_ITEM
from pynamodb.constants import GET_ITEM
from pynamodb.constants import PUT_ITEM
from pynamodb.constants import RETURN_CONSUMED_CAPACITY
from pynamodb.constants import RETURN_VALUES
from pynamodb.constants import TOTAL
from pynamodb.constants import UNPROCESSED_ITEMS
from pynamodb.constants import UPDATE_ITEM
from pynamodb.exceptions import DeleteError
from pynamodb.exceptions import GetError
from pynamodb.exceptions import PutError
from pynamodb.exceptions import PynamoDBException
from pynamodb.exceptions import UpdateError
from pynamodb.signals import post_dynamodb_send
from pynamodb.signals import pre_dynamodb_send

from dynaflask.client.codec.parts import serialize_update
from dynaflask.client.codec.passthrough import is_plain_item
from dynaflask.client.patches import Originals
from dynaflask.client.plain_requests import PlainRequest
from dynaflask.client.plain_requests import PlainRequests
from dynaflask.client.plain_requests import decoded
from dynaflask.client.table_keys import KeyTable
from dynaflask.config.validators import is_arn
from dynaflask.operations.operation import operation_finished

if t.TYPE_CHECKING:
    from dynaflask.client.call_watch import CallWatch
    from dynaflask.client.connection_context import ConnectionContext

# PynamoDB logs each call there at DEBUG level.
_log = logging.getLogger("pynamodb.connection.base")

KEY_METHODS = ("get_identifier_map", "get_item_attribute_map")
ERRORS: dict[str, tuple[type[PynamoDBException], str]] = {
    GET_ITEM: (GetError, "Failed to get item"),
    PUT_ITEM: (PutError, "Failed to put item"),
    DELETE_ITEM: (DeleteError, "Failed to delete item"),
    UPDATE_ITEM: (UpdateError, "Failed to update item"),
    BATCH_GET_ITEM: (GetError, "Failed to batch get items"),
    BATCH_WRITE_ITEM: (PutError, "Failed to batch write items"),
}
OPERATIONS = ("get_item", "put_item", "update_item", "delete_item", "batch_get_item", "batch_write_item")
# Methods of PynamoDB that a plain call of any operation skips.
SKIPPED_METHODS: dict[type, tuple[str, ...]] = {
    pynamodb.connection.Connection: (
        *KEY_METHODS,
        "get_meta_table",
        "get_operation_kwargs",
        "get_return_values_map",
        "_check_condition",
        "dispatch",
        "send_pre_boto_callback",
        "send_post_boto_callback",
        # Not skipped: a patch may change the parameters, which are checked then.
        "_make_api_call",
    ),
    MetaTable: (*KEY_METHODS, "get_attribute_type"),
    KeyTable: KEY_METHODS,
}


class PlainCalls(pynamodb.connection.Connection):
    """PynamoDB's connection with a shorter way for plain calls.

    The way ends in ``dispatch``, as PynamoDB's does: destination, client, limits, records and retries are the same.
    """

    #: The methods that a plain call skips, as they are before a test patches them.
    skipped: t.ClassVar[Originals] = Originals(SKIPPED_METHODS)
    #: True if the connection has the direct transport.
    is_direct: bool
    _owner: ConnectionContext
    _model: str | None
    _attribute_count: int = 0
    _watch: CallWatch
    _make_call: t.Callable[[str, dict[str, t.Any]], dict[str, t.Any]]
    _make_light_call: t.Callable[[str, dict[str, t.Any]], dict[str, t.Any]]

    def get_item(
        self,
        table_name: str,
        hash_key: t.Any,
        range_key: t.Any = None,
        consistent_read: t.Any = False,
        *args: t.Any,
        **options: t.Any,
    ) -> dict[str, t.Any]:
        """One item; see PynamoDB."""
        requests = self._plain_requests(table_name, args, options)
        request = requests and requests.get(hash_key, range_key, consistent_read=consistent_read)
        if request is None:
            return super().get_item(table_name, hash_key, range_key, consistent_read, *args, **options)
        return self.send_plain(GET_ITEM, request)

    def put_item(
        self,
        table_name: str,
        hash_key: t.Any,
        range_key: t.Any = None,
        attributes: t.Any = None,
        *args: t.Any,
        **options: t.Any,
    ) -> dict[str, t.Any]:
        """Write an item; see PynamoDB."""
        requests = self._plain_requests(table_name, args, options)
        request = requests and requests.put(hash_key, range_key, attributes)
        if request is None:
            return super().put_item(table_name, hash_key, range_key, attributes, *args, **options)
        return self.send_plain(PUT_ITEM, request)

    def delete_item(
        self, table_name: str, hash_key: t.Any, range_key: t.Any = None, *args: t.Any, **options: t.Any
    ) -> dict[str, t.Any]:
        """Delete an item; see PynamoDB."""
        requests = self._plain_requests(table_name, args, options)
        request = requests and requests.delete(hash_key, range_key)
        if request is None:
            return super().delete_item(table_name, hash_key, range_key, *args, **options)
        return self.send_plain(DELETE_ITEM, request)

    def update_item(
        self,
        table_name: str,
        hash_key: t.Any,
        range_key: t.Any = None,
        actions: t.Any = None,
        *args: t.Any,
        **options: t.Any,
    ) -> dict[str, t.Any]:
        """Change an item; see PynamoDB."""
        # A model asks for the new item.
        returned = {RETURN_VALUES: ALL_NEW} if options.get("return_values") == ALL_NEW else {}
        others = {**options, "return_values": None} if returned else options
        requests = self._plain_requests(table_name, args, others) if actions else None
        request = requests and requests.update(hash_key, range_key, {**returned, **(serialize_update(actions) or {})})
        if request is None:
            return super().update_item(table_name, hash_key, range_key, actions, *args, **options)
        return self.send_plain(UPDATE_ITEM, request)

    def batch_get_item(
        self, table_name: str, keys: t.Any, consistent_read: t.Any = None, *args: t.Any, **options: t.Any
    ) -> dict[str, t.Any]:
        """A page of items by their keys; see PynamoDB.

        Raises:
            RuntimeError: A receiver of a signal has entered a block. A further page would be another tenant's.
        """
        scope = self._owner.running_scope
        requests = self._plain_requests(table_name, args, options)
        request = requests and requests.batch_get(keys, consistent_read=consistent_read)
        if request is None:
            data = super().batch_get_item(table_name, keys, consistent_read, *args, **options)
        else:
            data = self.send_plain(BATCH_GET_ITEM, request)
        self._owner.require_running_scope(scope, self._model or table_name)
        return data

    def batch_write_item(
        self, table_name: str, put_items: t.Any = None, delete_items: t.Any = None, *args: t.Any, **options: t.Any
    ) -> dict[str, t.Any]:
        """Write and delete items; see PynamoDB.

        Raises:
            RuntimeError: As of :meth:`send_batch_write`.
        """
        requests = self._plain_requests(table_name, args, options)
        request = requests and requests.batch_write(put_items, delete_items)
        if request is not None:
            return self.send_batch_write(table_name, request)
        scope = self._owner.running_scope
        data = super().batch_write_item(table_name, put_items, delete_items, *args, **options)
        return self._with_rest_of(scope, table_name, data)

    def send_batch_write(self, table_name: str, request: PlainRequest) -> dict[str, t.Any]:
        """Make a batch write with a request of :meth:`plain_requests`; see PynamoDB.

        Args:
            table_name: The real name of the table.
            request: The request.

        Raises:
            RuntimeError: A receiver of a signal has entered a block, and DynamoDB has left items unprocessed. They
                would be sent to another tenant's table.
        """
        scope = self._owner.running_scope
        return self._with_rest_of(scope, table_name, self.send_plain(BATCH_WRITE_ITEM, request))

    def _with_rest_of(self, scope: object, table_name: str, data: dict[str, t.Any]) -> dict[str, t.Any]:
        """The response to a batch write that began in a scope, which must be the current one if items are left."""
        if data and data.get(UNPROCESSED_ITEMS):
            self._owner.require_running_scope(scope, self._model or table_name)
        return data

    def plain_requests(self, table_name: str) -> PlainRequests | None:
        """Builds the plain requests of a table; None if PynamoDB must make the call.

        The caller looks for patches of the classes. Patches of this object are found here.

        Args:
            table_name: The real name of a table that the connection has keys of.
        """
        table = self._tables.get(table_name)
        if not self.is_direct or not isinstance(table, KeyTable):
            return None
        # A patch of this object adds to its dict. To count takes a tenth of the time of a search.
        if len(vars(self)) != self._attribute_count and not self.skipped.are_of_class(self):
            return None
        requests: PlainRequests | None = table.plain_requests
        # A subclass of a model may add a range key.
        if requests is None or len(requests.key_schema) != requests.key_count:
            if is_arn(table_name):
                return None
            # Two threads may each make one. Both are right, and the later one stays.
            requests = table.plain_requests = PlainRequests(table, is_plain_item=is_plain_item)
        return requests

    def send_plain(self, operation_name: str, request: PlainRequest) -> dict[str, t.Any]:
        """Make a call with a request of :meth:`plain_requests`; see PynamoDB's method of the operation.

        Args:
            operation_name: Name of the operation.
            request: The request.
        """
        try:
            if has_pynamodb_listeners():
                request.is_result_kept = True
                return self.dispatch(operation_name, decoded(request))
            request[RETURN_CONSUMED_CAPACITY] = TOTAL
            if not operation_finished.receivers:
                if self._watch.is_single:
                    return self._make_call(operation_name, request)
                if self._watch.is_light:
                    return self._make_light_call(operation_name, request)
            return self._make_api_call(operation_name, request)
        except BOTOCORE_EXCEPTIONS as error:
            error_type, message = ERRORS[operation_name]
            raise error_type(f"{message}: {error}", error)  # noqa: B904 - as PynamoDB raises it

    def _plain_requests(self, table_name: str, args: tuple[t.Any, ...], options: dict[str, t.Any]) -> t.Any:
        has_options = args or not all(map(operator.is_, options.values(), itertools.repeat(None)))
        return None if has_options or not self.skipped.are_in_place() else self.plain_requests(table_name)


def has_pynamodb_listeners() -> bool:
    """True if PynamoDB's signals or its debug log of each call have a receiver."""
    return bool(pre_dynamodb_send.receivers or post_dynamodb_send.receivers) or _log.isEnabledFor(logging.DEBUG)
