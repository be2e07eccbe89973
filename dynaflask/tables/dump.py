"""Write the items of a table into a file. ``json_lines`` defines the format."""

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
from dynaflask.operations.error_codes import THROTTLED
from dynaflask.operations.error_codes import code_of
from dynaflask.tables.json_lines import Json
from dynaflask.tables.partial_dump import DONE
from dynaflask.tables.partial_dump import PartialDump
from dynaflask.tables.table import Table
from dynaflask.tables.table import destination
from dynaflask.tables.table import find_one

if t.TYPE_CHECKING:
    from dynaflask.model.typed import Model
    from dynaflask.registry.registry import Registry

__all__ = ["dump"]


def dump(
    registry: Registry,
    model: type[Model],
    path: str | os.PathLike[str],
    *,
    segments: int = 4,
    rate: float | None = None,
    resume: bool = False,
    progress: cabc.Callable[[int], object] = lambda count: None,
) -> int:
    """Write all items of a model's table into a file, also the items of other models on the table.

    Until the dump is complete, the file is called ``PATH.part``, and ``PATH.state`` beside it records the progress.
    Only the owner of the files can read them. The reads are eventually consistent: an item that is written or deleted
    meanwhile may be in the dump or not.

    Args:
        registry: The app's registry, in a context of the app.
        model: One of the table's models.
        path: The file. A name that ends in ``.gz`` compresses it.
        segments: Number of threads, each of which reads its own part of the table.
        rate: Read capacity units per second to consume at most, on average. One page consumes up to 128 units.
        resume: Complete a dump that was interrupted. It keeps its number of segments.
        progress: Called with the number of items of each page.

    Returns:
        The number of items in the file.

    Raises:
        TransferError: The file exists already, or cannot be written, or the interrupted dump is of another table; or
            DynamoDB throttled a call with all its attempts. Such a dump can be resumed.
        TenantMismatch: The table of a tenant has items of another tenant.
        TableError: The table does not exist, or DynamoDB refused. The dump can be resumed.
    """
    limiter = RateLimiter(math.inf if rate is None else rate)
    table = find_one(registry, model)
    source = {"arn": table.require()["TableArn"], "endpoint": destination(registry, table)[1]}
    try:
        with PartialDump(pathlib.Path(path), source=source, segments=segments, resume=resume) as partial:
            progress(partial.items)
            for segment, page in _pages(table, partial.starts, limiter=limiter):
                table.check_tenant_items(page["Items"])
                partial.add(segment, page["Items"], start=page.get("LastEvaluatedKey", DONE))
                progress(len(page["Items"]))
    except TableError as error:
        if code_of(error) not in THROTTLED:
            raise
        raise TransferError(
            pathlib.Path(path),
            f"{error} The items up to here are kept: complete the dump with --resume (resume=True), if need be with a"
            " lower --rate (rate=...).",
        ) from error
    return partial.items


def _pages(
    table: Table, starts: cabc.Sequence[Json | None], *, limiter: RateLimiter
) -> cabc.Iterator[tuple[int, Json]]:
    """The pages of all segments in the order in which they arrive.

    Each segment has one request at a time, because a page says where the next one starts.
    """
    with concurrent.futures.ThreadPoolExecutor(len(starts)) as executor:

        def read(segment: int, start: Json | None) -> concurrent.futures.Future[Json]:
            request = {"TableName": table.name, "Segment": segment, "TotalSegments": len(starts)}
            if start is not None:
                request["ExclusiveStartKey"] = start
            # RateLimiter is not thread-safe: only this thread uses it.
            limiter.acquire()
            # The worker thread runs in this thread's context: its app, its scope and its db.using blocks.
            context = contextvars.copy_context()
            return executor.submit(context.run, lambda: table.call("Scan", **request, ReturnConsumedCapacity="TOTAL"))

        pending = {read(segment, start): segment for segment, start in enumerate(starts) if start != DONE}
        while pending:
            for future in concurrent.futures.wait(pending, return_when="FIRST_COMPLETED").done:
                segment, page = pending.pop(future), future.result()
                limiter.consume(page.get("ConsumedCapacity", {}).get("CapacityUnits", 0))
                yield segment, page
                if start := page.get("LastEvaluatedKey"):
                    pending[read(segment, start)] = segment
