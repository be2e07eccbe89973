"""Copy the items of a table into a file, and the items of a file into a table. ``lines`` says how a file looks."""

from __future__ import annotations

import collections.abc as cabc
import concurrent.futures
import contextvars
import math
import os
import pathlib
import typing as t

from pynamodb.exceptions import TableError
from pynamodb.pagination import RateLimiter

from dynaflask.exceptions import TransferError
from dynaflask.model.batch import resend_unprocessed
from dynaflask.model.batch import unprocessed_requests
from dynaflask.tables.json_lines import Json
from dynaflask.tables.json_lines import read_items
from dynaflask.tables.json_lines import read_lines
from dynaflask.tables.partial_dump import DONE
from dynaflask.tables.partial_dump import PartialDump
from dynaflask.tables.table import Table
from dynaflask.tables.table import destination
from dynaflask.tables.table import find_one

if t.TYPE_CHECKING:
    from dynaflask.model.base import Model
    from dynaflask.registry.registry import Registry

Path: t.TypeAlias = "str | os.PathLike[str]"
Progress = cabc.Callable[[int], object]


class Line(t.NamedTuple):
    """A line that is to be written.

    Attributes:
        number: Its number.
        key: The values of the item's key.
        item: The item.
    """

    number: int
    key: tuple[t.Any, ...]
    item: Json


BATCH_ITEMS = 25  # the most that BatchWriteItem takes
MAX_TRIES = 10  # in a row without an item written


def dump(
    registry: Registry,
    model: type[Model],
    path: Path,
    *,
    segments: int = 4,
    rate: float | None = None,
    resume: bool = False,
    progress: Progress = lambda count: None,
) -> int:
    """Write the items of a model's table into a file: all of the table, also those of other models on it.

    Until it is complete, the file is called ``PATH.part``, and ``PATH.state`` says how far it is. What is written or
    deleted meanwhile may be in it or not; the reads are eventually consistent.

    Args:
        registry: The app's registry, in a context of the app.
        model: One of the table's models.
        path: The file; ``.gz`` at its end compresses it.
        segments: How many threads read, each its part of the table.
        rate: Read capacity units per second that it may consume. A page, of 128 units at most, comes at once.
        resume: Complete a dump that did not come to its end. It keeps the number of its segments.
        progress: Called with the number of items of each page.

    Returns:
        How many items the file has.

    Raises:
        TransferError: The file is there already, or what was begun is another table's.
        TenantMismatch: A tenant's table has items of another.
        TableError: There is no such table, or DynamoDB refused. What is written by then can be resumed.
    """
    table = find_one(registry, model)
    source = {"arn": table.require()["TableArn"], "endpoint": destination(registry, table)[1]}
    with PartialDump(pathlib.Path(path), source=source, segments=segments, resume=resume) as part:
        progress(part.items)
        for segment, page in _pages(table, part.starts, limiter=_limiter(rate)):
            table.check_tenant_items(page["Items"])
            part.add(segment, page["Items"], start=page.get("LastEvaluatedKey", DONE))
            progress(len(page["Items"]))
    return part.items


def load(
    registry: Registry,
    model: type[Model],
    path: Path,
    *,
    rate: float | None = None,
    from_line: int = 1,
    progress: Progress = lambda count: None,
) -> int:
    """Write the items of a file into a model's table, over those that have their keys.

    Args:
        registry: The app's registry, in a context of the app.
        model: One of the table's models.
        path: The file; one whose name ends in ``.gz`` is compressed.
        rate: Write capacity units per second that it may consume. A batch, of 25 items at most, goes at once.
        from_line: Leave out the lines before this one, because an earlier load has written them.
        progress: Called with the number of lines of each batch.

    Returns:
        How many lines were written.

    Raises:
        TransferError: A line is wrong, or could not be written. All lines before ``error.line`` are written.
        TenantMismatch: A line is another tenant's. The batches before it are written.
        TableError: There is no such table.
    """
    table, path, count = find_one(registry, model), pathlib.Path(path), 0
    table.require()
    writer = Writer(table, path, limiter=_limiter(rate))
    for batch in _batches(writer.keyed(read_items(path, from_line=from_line))):
        writer.write(batch)
        count += len(batch)
        progress(len(batch))
    return count


def count_lines(path: Path) -> int:
    """How many lines a file has, uncompressed.

    Raises:
        TransferError: The file cannot be read.
    """
    return sum(1 for _ in read_lines(pathlib.Path(path)))


class Writer:
    """Writes lines into a table.

    Args:
        table: The table.
        path: The file that the lines are of.
        limiter: Holds it to a rate.
    """

    def __init__(self, table: Table, path: pathlib.Path, *, limiter: RateLimiter) -> None:
        self._table = table
        self._path = path
        self._limiter = limiter

    def keyed(self, items: cabc.Iterable[tuple[int, Json]]) -> cabc.Iterator[Line]:
        """The lines of some items with their numbers.

        Raises:
            TransferError: An item has not the table's key.
        """
        keys = self._table.schema.keys
        for number, item in items:
            missing = [key for key in keys if item.get(key.name, {}).keys() != {key.type}]
            if missing:
                raise TransferError(
                    self._path,
                    f"The item has no {missing[0].name!r} of type {missing[0].type!r}, which is a key.",
                    line=number,
                )
            self._table.check_tenant_items([item])
            yield Line(number, tuple(item[key.name][key.type] for key in keys), item)

    def write(self, lines: cabc.Sequence[Line]) -> None:
        """Write some lines, the last of those that share a key.

        Raises:
            TransferError: They could not be written.
        """
        items = {line.key: line.item for line in lines}
        try:
            self._write([{"PutRequest": {"Item": item}} for item in items.values()])
        except TableError as error:
            if error.cause_response_code == "ValidationException" and len(lines) > 1:
                # DynamoDB does not say which item it is.
                for line in lines:
                    self.write([line])
                return
            raise TransferError(self._path, line=lines[0].number, message=str(error)) from error

    def _write(self, requests: list[Json]) -> None:
        resend_unprocessed(self._send, requests, max_attempts=MAX_TRIES, resets_on_progress=True)
        if requests:
            raise TableError(f"{self._table.name} takes no more items for now: it is throttled.")

    def _send(self, requests: list[Json]) -> list[Json]:
        self._limiter.acquire()
        answer = self._table.call(
            "BatchWriteItem", RequestItems={self._table.name: requests}, ReturnConsumedCapacity="TOTAL"
        )
        self._limiter.consume(sum(map(_units, answer.get("ConsumedCapacity", ()))))
        return unprocessed_requests(answer)


def _batches(lines: cabc.Iterable[Line]) -> cabc.Iterator[list[Line]]:
    batch: list[Line] = []
    try:
        for line in lines:
            batch.append(line)
            if len(batch) == BATCH_ITEMS:
                yield batch
                batch = []
    except TransferError:
        # What stands before the bad line is written first.
        yield batch
        raise
    yield batch


def _limiter(rate: float | None) -> RateLimiter:
    return RateLimiter(math.inf if rate is None else rate)


def _units(answer: Json) -> t.Any:
    # Of an answer's only table, or of one in the list of a batch.
    return answer.get("ConsumedCapacity", answer).get("CapacityUnits", 0)


def _pages(
    table: Table, starts: cabc.Sequence[Json | None], *, limiter: RateLimiter
) -> cabc.Iterator[tuple[int, Json]]:
    """The pages of several segments as they come, at most one page of each at a time."""
    with concurrent.futures.ThreadPoolExecutor(len(starts)) as executor:

        def read(segment: int, start: Json | None) -> concurrent.futures.Future[Json]:
            request = {"TableName": table.name, "Segment": segment, "TotalSegments": len(starts)}
            if start is not None:
                request["ExclusiveStartKey"] = start
            limiter.acquire()
            # The thread works in this context: with its app, its scope and its db.using blocks.
            context = contextvars.copy_context()
            return executor.submit(context.run, lambda: table.call("Scan", **request, ReturnConsumedCapacity="TOTAL"))

        running = {read(segment, start): segment for segment, start in enumerate(starts) if start != DONE}
        while running:
            for answer in concurrent.futures.wait(running, return_when="FIRST_COMPLETED").done:
                segment, page = running.pop(answer), answer.result()
                limiter.consume(_units(page))
                yield segment, page
                if start := page.get("LastEvaluatedKey"):
                    running[read(segment, start)] = segment
