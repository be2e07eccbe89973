"""Batch writes that lose nothing: what DynamoDB leaves undone is sent again, and at last handed back."""

from __future__ import annotations

import random
import time
import typing as t

import pynamodb.exceptions
import pynamodb.models
from pynamodb.constants import DELETE
from pynamodb.constants import ITEM
from pynamodb.constants import KEY
from pynamodb.constants import PUT
from pynamodb.constants import PUT_REQUEST
from pynamodb.constants import UNPROCESSED_ITEMS

from dynaflask.client.error_context import ErrorContext
from dynaflask.client.error_context import attach
from dynaflask.exceptions import BatchWriteError

if t.TYPE_CHECKING:
    from dynaflask.registry.scope import Scope

# DynamoDB leaves items undone when it is short of capacity, and AWS asks to wait longer from time to time.
FIRST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 5.0


class BatchWrite(pynamodb.models.BatchWrite[t.Any]):
    """PynamoDB's batch, which stays on the destination that it was made for.

    ``pending_operations`` is at all times what is not known to be written: whatever ends a commit, a timeout in its
    midst included, leaves there what another commit has to send.

    Args:
        model: The model whose items are written.
        auto_commit: Whether a full batch is sent at once.
        scope: The scope that it was made in.
    """

    def __init__(self, model: t.Any, auto_commit: bool = True, *, scope: Scope) -> None:
        super().__init__(model, auto_commit=auto_commit)
        self._scope = scope

    def save(self, put_item: t.Any) -> None:
        """Add an item to be saved; see PynamoDB.

        Raises:
            BatchWriteError: The batch was full, was sent, and gave up. The error holds this item, too.
        """
        try:
            super().save(put_item)
        except BatchWriteError as error:
            error.unsaved.append(put_item)
            raise

    def delete(self, del_item: t.Any) -> None:
        """Add an item to be deleted; see PynamoDB.

        Raises:
            BatchWriteError: The batch was full, was sent, and gave up. The error holds this item, too.
        """
        try:
            super().delete(del_item)
        except BatchWriteError as error:
            error.undeleted.append(del_item)
            raise

    def commit(self) -> None:
        """Write what is pending. What DynamoDB leaves undone is sent again, ``Meta.max_retry_attempts`` times in all.

        Raises:
            BatchWriteError: It gave up. The error holds every item that was not written.
        """
        with self._scope.reentered():
            attempt = 0
            while self.pending_operations:
                if attempt:
                    time.sleep(backoff_delay(attempt))
                self._send()
                attempt += 1
                if self.pending_operations and attempt >= self.model.Meta.max_retry_attempts:
                    error = self._batch_error("Failed to batch write items: max_retry_attempts exceeded")
                    attach(error, ErrorContext(self.model.Meta.bind_key, "BatchWriteItem"))
                    raise error

    def _send(self) -> None:
        puts = [operation["item"].serialize() for operation in self.pending_operations if operation["action"] == PUT]
        deletes = [operation["item"]._get_keys() for operation in self.pending_operations if operation["action"] != PUT]
        try:
            answer = self.model._get_connection().batch_write_item(put_items=puts, delete_items=deletes)
        except pynamodb.exceptions.PutError as error:
            raise self._batch_error(error.msg, cause=error.cause) from error
        # One table was asked for, whatever name it comes back under.
        self.failed_operations = [request for left in answer.get(UNPROCESSED_ITEMS, {}).values() for request in left]
        self.pending_operations = [self._operation(request) for request in self.failed_operations]

    def _operation(self, request: dict[str, t.Any]) -> dict[str, t.Any]:
        """The pending operation that DynamoDB speaks of."""
        action, name = (PUT, ITEM) if PUT_REQUEST in request else (DELETE, KEY)
        raw = next(iter(request.values()))[name]
        for operation in self.pending_operations:
            if operation["action"] == action and _has_key(raw, operation["item"]):
                return operation
        # A number may come back in other digits. Nothing is dropped, even if nothing seems to fit.
        return {"action": action, "item": self.model.from_raw_data(raw)}

    def _batch_error(self, message: str, *, cause: Exception | None = None) -> BatchWriteError:
        pending, self.pending_operations = self.pending_operations, []
        unsaved, undeleted = (
            [operation["item"] for operation in pending if operation["action"] == action] for action in (PUT, DELETE)
        )
        return BatchWriteError(message, unsaved=unsaved, undeleted=undeleted, cause=cause)


def _has_key(raw: dict[str, dict[str, t.Any]], item: t.Any) -> bool:
    return all(value in raw.get(name, {}).values() for name, value in item._get_keys().items())


def backoff_delay(attempt: int) -> float:
    """How long to wait before an attempt: longer from time to time, and at random."""
    # At random, lest all that were refused together come back together.
    return random.uniform(0, min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**attempt))  # noqa: S311 - no secret
