"""Batch writes that lose no item: unprocessed items are sent again. An error has those that are left."""

from __future__ import annotations

import collections.abc as cabc
import time
import typing as t

import pynamodb.exceptions
import pynamodb.models
from pynamodb.constants import DELETE
from pynamodb.constants import DELETE_REQUEST
from pynamodb.constants import ITEM
from pynamodb.constants import KEY
from pynamodb.constants import PUT
from pynamodb.constants import PUT_REQUEST
from pynamodb.constants import UNPROCESSED_ITEMS

from dynaflask.client.backoff import backoff_delay
from dynaflask.client.error_context import ErrorContext
from dynaflask.client.error_context import attach
from dynaflask.exceptions import BatchWriteError
from dynaflask.model.batch_items import BatchItems
from dynaflask.model.pynamodb_internals import BATCH_COMMIT
from dynaflask.model.pynamodb_internals import serialized_keys

if t.TYPE_CHECKING:
    from dynaflask.registry.scope import Scope

Request = dict[str, t.Any]
M = t.TypeVar("M", bound=pynamodb.models.Model)


class BatchWrite(pynamodb.models.BatchWrite[M]):
    """PynamoDB's batch, which stays on the destination that it was made for.

    ``pending_operations`` holds every operation that may not have been written. An exception in the middle of a commit,
    such as a timeout, leaves there what the next commit must send.

    Args:
        model: The model whose items are written.
        auto_commit: True to send a batch as soon as it is full.
        scope: The scope in which all requests are sent.
    """

    def __init__(self, model: t.Any, auto_commit: bool = True, *, scope: Scope) -> None:
        super().__init__(model, auto_commit=auto_commit)
        self._scope = scope

    if t.TYPE_CHECKING:

        def __enter__(self) -> BatchWrite[M]: ...  # PynamoDB's has no type

    def save(self, put_item: M) -> None:
        """Add an item to be saved; see PynamoDB.

        Raises:
            BatchWriteError: The full batch could not be written. The error holds this item, too.
        """
        try:
            super().save(put_item)
        except BatchWriteError as error:
            error.unsaved.append(put_item)
            raise

    def delete(self, del_item: M) -> None:
        """Add an item to be deleted; see PynamoDB.

        Raises:
            BatchWriteError: The full batch could not be written. The error holds this item, too.
        """
        try:
            super().delete(del_item)
        except BatchWriteError as error:
            error.undeleted.append(del_item)
            raise

    def commit(self) -> None:
        """Write the pending operations. Unprocessed ones are sent again, ``Meta.max_retry_attempts`` times in all.

        Raises:
            BatchWriteError: Not all could be written. The error holds every item that was not.
        """
        if pynamodb.models.BatchWrite.commit is not BATCH_COMMIT:
            super().commit()
            return
        with self._scope.reentered():
            if not self.pending_operations:
                return
            try:
                self._write_pending()
            except pynamodb.exceptions.PutError as error:
                raise self._batch_error(error.msg, cause=error.cause) from error
            if self.pending_operations:
                # No variable has the error: its traceback refers to this frame.
                raise self._exhausted_error()

    def _write_pending(self) -> None:
        operations, items = self.pending_operations, BatchItems(self.model)
        first_attempt = [items.serialize(operations)]
        # First the operations, then the requests that DynamoDB's response names as unprocessed.
        unprocessed = list(operations)

        def send(pending: list[Request]) -> list[Request]:
            if first_attempt:
                response = items.send(*first_attempt.pop())
            else:
                put_items, delete_items = split_requests(pending)
                response = self.model._get_connection().batch_write_item(put_items=put_items, delete_items=delete_items)
            self.failed_operations = unprocessed_requests(response)
            return self.failed_operations

        try:
            resend_unprocessed(send, unprocessed, max_attempts=self.model.Meta.max_retry_attempts)
        finally:
            # Also after an exception that may be raised anywhere, such as a time limit of the program's own.
            self.pending_operations = [
                request if "action" in request else self._matching_operation(request) for request in unprocessed
            ]
            pending = set(map(id, self.pending_operations))
            items.count_versions(
                operation["item"]
                for operation in operations
                if operation["action"] == PUT and id(operation) not in pending
            )

    def _matching_operation(self, request: Request) -> dict[str, t.Any]:
        """The pending operation that a request from DynamoDB's response belongs to."""
        action, raw = (
            (PUT, request[PUT_REQUEST][ITEM]) if PUT_REQUEST in request else (DELETE, request[DELETE_REQUEST][KEY])
        )
        for operation in self.pending_operations:
            if operation["action"] == action and _has_key(raw, operation["item"]):
                return operation
        # DynamoDB may return a number in other digits, which match no item. A copy is better than a lost item.
        return {"action": action, "item": self.model.from_raw_data(raw)}

    def _exhausted_error(self) -> BatchWriteError:
        error = self._batch_error("Failed to batch write items: max_retry_attempts exceeded")
        attach(error, ErrorContext(t.cast("t.Any", self.model).Meta.bind_key, "BatchWriteItem"))
        return error

    def _batch_error(self, message: str, *, cause: Exception | None = None) -> BatchWriteError:
        pending, self.pending_operations = self.pending_operations, []
        unsaved, undeleted = (
            [operation["item"] for operation in pending if operation["action"] == action] for action in (PUT, DELETE)
        )
        return BatchWriteError(message, unsaved=unsaved, undeleted=undeleted, cause=cause)


def resend_unprocessed(
    send: cabc.Callable[[list[Request]], list[Request]],
    requests: list[Request],
    *,
    max_attempts: int,
    resets_on_progress: bool = False,
) -> None:
    """Send write requests until DynamoDB has processed all of them, or until the attempts are used up.

    Args:
        send: Sends requests, and returns those that DynamoDB left unprocessed.
        requests: The requests. The list changes in place: at the end, and after an exception, it holds those that may
            not have been written.
        max_attempts: The most attempts, the first included.
        resets_on_progress: True to count only the attempts since DynamoDB last processed a request.
    """
    attempts = 0
    while requests:
        unprocessed = send(requests)
        is_progress = len(unprocessed) < len(requests)
        requests[:] = unprocessed
        attempts = 0 if resets_on_progress and is_progress else attempts + 1
        if not requests or attempts >= max_attempts:
            return
        time.sleep(backoff_delay(attempts))


def split_requests(requests: list[Request]) -> tuple[list[Request], list[Request]]:
    """The items to put and the keys to delete, of requests as DynamoDB has them."""
    put_items = [request[PUT_REQUEST][ITEM] for request in requests if PUT_REQUEST in request]
    return put_items, [request[DELETE_REQUEST][KEY] for request in requests if DELETE_REQUEST in request]


def unprocessed_requests(response: cabc.Mapping[str, t.Any]) -> list[Request]:
    """The requests that a response to ``BatchWriteItem`` for one table names as unprocessed."""
    return [request for requests in response.get(UNPROCESSED_ITEMS, {}).values() for request in requests]


def _has_key(raw: dict[str, dict[str, t.Any]], item: t.Any) -> bool:
    return all(value in raw.get(name, {}).values() for name, value in serialized_keys(item).items())
