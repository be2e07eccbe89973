"""Write the items of a file into a table. ``json_lines`` defines the format."""

from __future__ import annotations

import collections.abc as cabc
import logging
import math
import os
import pathlib
import sys
import time
import typing as t

from pynamodb.exceptions import TableError
from pynamodb.pagination import RateLimiter

from dynaflask.exceptions import TenantMismatch
from dynaflask.exceptions import TransferError
from dynaflask.model.batch import resend_unprocessed
from dynaflask.model.batch import unprocessed_requests
from dynaflask.operations.error_codes import THROTTLED
from dynaflask.operations.error_codes import code_of
from dynaflask.tables.json_lines import Json
from dynaflask.tables.json_lines import read_items
from dynaflask.tables.json_lines import read_lines
from dynaflask.tables.table import Table
from dynaflask.tables.table import find_one

if t.TYPE_CHECKING:
    from dynaflask.model.typed import Model
    from dynaflask.registry.registry import Registry

__all__ = ["load"]

# The limit of BatchWriteItem.
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
BATCH_ITEMS = 25
# Time in which DynamoDB writes no item at all, until a load gives up. Auto scaling needs a few minutes to add capacity:
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/AutoScaling.html
MAX_STALL_SECONDS = 300
# Shorter pauses are usual where a table has little capacity.
WARN_AFTER_SECONDS = 10
# Types of DynamoDB that a key may have, and the Python type of their content.
SCALAR_TYPES: dict[str, type] = {"S": str, "N": str, "B": bytes}

logger = logging.getLogger("dynaflask.tables")


class Line(t.NamedTuple):
    """One line of the file.

    Attributes:
        number: Its number, from 1.
        key: The key values of its item.
        item: The item.
    """

    number: int
    key: tuple[t.Any, ...]
    item: Json


def load(
    registry: Registry,
    model: type[Model],
    path: str | os.PathLike[str],
    *,
    rate: float | None = None,
    from_line: int = 1,
    progress: cabc.Callable[[int], object] = lambda count: None,
) -> int:
    """Write the items of a file into a model's table. They replace items with the same key.

    Where DynamoDB throttles the writes, the load waits and tries again. It gives up when no item was written for 300
    seconds.

    Args:
        registry: The app's registry, in a context of the app.
        model: One of the table's models.
        path: The file. It is compressed if its name ends in ``.gz``.
        rate: Write capacity units per second to consume at most, on average. A batch has up to 25 items.
        from_line: Skip the lines before this one, which an earlier load has written.
        progress: Called with the number of lines of each batch.

    Returns:
        The number of lines that were written.

    Raises:
        TransferError: A line is wrong, or could not be written. All lines before ``error.line`` are written.
        TenantMismatch: A line is another tenant's. The batches before it are written.
        TableError: The table does not exist.
    """
    table, path, count = find_one(registry, model), pathlib.Path(path), 0
    table.require()
    writer = Writer(table, path, limiter=RateLimiter(math.inf if rate is None else rate))
    for batch in _batches(writer.lines(read_items(path, from_line=from_line))):
        writer.write(batch)
        count += len(batch)
        progress(len(batch))
    return count


def count_lines(path: str | os.PathLike[str]) -> int:
    """The number of lines of a file, uncompressed.

    Raises:
        TransferError: The file cannot be read.
    """
    return sum(1 for _ in read_lines(pathlib.Path(path)))


class Writer:
    """Writes lines of a file into a table.

    Args:
        table: The table.
        path: The file, for the error messages.
        limiter: Limits the rate.
    """

    def __init__(self, table: Table, path: pathlib.Path, *, limiter: RateLimiter) -> None:
        self._table = table
        self._path = path
        self._limiter = limiter
        self._stalled_since: float | None = None
        self._has_warned = False

    def lines(self, items: cabc.Iterable[tuple[int, Json]]) -> cabc.Iterator[Line]:
        """Numbered items with their keys.

        Raises:
            TransferError: An item lacks a key attribute of the table, or has it with another type, or a value is not of
                its type.
            TenantMismatch: An item names another tenant in a key of the table or of an index.
        """
        keys = self._table.schema.keys
        for number, item in items:
            for key in keys:
                if item.get(key.name, {}).keys() != {key.type}:
                    raise TransferError(
                        self._path,
                        f"The item has no key attribute {key.name!r} of type {key.type!r}. Is it of another table?",
                        line=number,
                    )
            self._check_values(number, item)
            try:
                self._table.check_tenant_keys(item)
            except TenantMismatch as error:
                raise TenantMismatch(f"{self._path}, line {number}: {error}") from None
            yield Line(number, tuple(item[key.name][key.type] for key in keys), item)

    def _check_values(self, number: int, item: Json) -> None:
        for name, value in item.items():
            for dynamo_type, content in value.items():
                if dynamo_type in SCALAR_TYPES and not isinstance(content, SCALAR_TYPES[dynamo_type]):
                    raise TransferError(
                        self._path, f"The value of {name!r} does not have the type {dynamo_type!r}.", line=number
                    )

    def write(self, lines: cabc.Sequence[Line]) -> None:
        """Write a batch of lines. Of several lines with one key, the last is written.

        Raises:
            TransferError: They could not be written.
        """
        # DynamoDB refuses a batch that has one key twice.
        items = {line.key: line.item for line in lines}
        try:
            self._write([{"PutRequest": {"Item": item}} for item in items.values()])
        except TableError as error:
            if code_of(error) == "ValidationException" and len(lines) > 1:
                # DynamoDB refuses the whole batch and does not say which item is wrong: write each line by itself.
                for line in lines:
                    self.write([line])
                return
            number = lines[0].number
            message = f"{error} The lines before it are written: continue with --from-line {number}."
            raise TransferError(self._path, message, line=number) from error

    def _write(self, requests: list[Json]) -> None:
        # _send() gives up, after a time: the number of attempts says little about how long the load has waited.
        resend_unprocessed(self._send, requests, max_attempts=sys.maxsize, resets_on_progress=True)

    def _send(self, requests: list[Json]) -> list[Json]:
        self._limiter.acquire()
        try:
            response = self._table.call(
                "BatchWriteItem", RequestItems={self._table.name: requests}, ReturnConsumedCapacity="TOTAL"
            )
        except TableError as error:
            if code_of(error) not in THROTTLED:
                raise
            # DynamoDB throttled the whole batch, also the retries of botocore: nothing is written.
            unprocessed = list(requests)
        else:
            self._limiter.consume(sum(each.get("CapacityUnits", 0) for each in response.get("ConsumedCapacity", ())))
            unprocessed = unprocessed_requests(response)
        self._check_progress(is_stalled=len(unprocessed) == len(requests))
        return unprocessed

    def _check_progress(self, *, is_stalled: bool) -> None:
        if not is_stalled:
            self._stalled_since, self._has_warned = None, False
            return
        now = time.monotonic()
        if self._stalled_since is None:
            self._stalled_since = now
        seconds = now - self._stalled_since
        if seconds >= MAX_STALL_SECONDS:
            raise TableError(
                f"DynamoDB throttles writes to {self._table.name}: no item was written for {MAX_STALL_SECONDS} seconds."
            )
        if seconds >= WARN_AFTER_SECONDS and not self._has_warned:
            self._has_warned = True
            logger.warning(
                "DynamoDB throttles writes to %s. The load waits; it gives up after %d seconds without an item.",
                self._table.name,
                MAX_STALL_SECONDS,
            )


def _batches(lines: cabc.Iterable[Line]) -> cabc.Iterator[list[Line]]:
    batch: list[Line] = []
    try:
        for line in lines:
            batch.append(line)
            if len(batch) == BATCH_ITEMS:
                yield batch
                batch = []
    except TransferError:
        # The lines before the bad one are written first.
        yield batch
        raise
    yield batch
