"""``follow``: handle the records of a table's stream in a process of its own, from checkpoint to checkpoint."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import logging
import math
import time
import typing as t

from dynaflask.exceptions import StreamError
from dynaflask.model.typed import Model
from dynaflask.registry.context import current_app
from dynaflask.registry.registry import Registry
from dynaflask.registry.scope import Scope
from dynaflask.tables.schema import Json
from dynaflask.tables.streams.checkpoints import Checkpoints
from dynaflask.tables.streams.client import streams_client
from dynaflask.tables.streams.owners import TableOwners
from dynaflask.tables.streams.record import Handler
from dynaflask.tables.streams.record import read_record
from dynaflask.tables.streams.shards import ShardReader
from dynaflask.tables.table import find_one
from dynaflask.tenants.tenant import NO_TENANT
from dynaflask.tenants.tenant import UNRESTRICTED

# The delay after a round in which no shard had a record.
POLL_SECONDS = 1
# The longest time between two looks for new shards.
DESCRIBE_SECONDS = 60

logger: t.Final = logging.getLogger("dynaflask.streams")


def follow(
    registry: Registry,
    model: type[Model],
    handler: Handler,
    *,
    consumer: str,
    once: bool = False,
) -> None:
    """Call a function with each record of the stream of a model's table, in an app context for the record's tenant.

    Each record is handled at least once, and after those of the same item before it. The position is saved in the table
    ``dynaflask_checkpoints`` after each page of up to 100 records, and when an error or Ctrl-C ends the loop. A new
    consumer begins with the oldest record of the stream, of up to 24 hours ago.

    If the model has a ``TenantKey``, call it without a tenant: the stream has the records of all tenants.

    Args:
        registry: The app's registry, in a context of the app.
        model: The model that the records are read as.
        handler: The function. Its error ends the loop; the next call begins with the record that failed.
        consumer: The name under which the position is saved. Run one process for each.
        once: Return when no shard has a record; by default, the loop has no end.

    Raises:
        StreamError: The table has no stream, the stream is disabled and read to its end, another process has the same
            consumer, or the tenant or the model of a record is not clear.
        TenantMismatch: A record belongs to another tenant than the context.
        TableError: The table does not exist, or DynamoDB refused a call.
        ClientError: DynamoDB Streams refused a call.
    """
    with _block(registry, model) as scope:
        table = find_one(registry, model)
        connection = scope.model_table(model).connection
    stream_arn = table.require().get("LatestStreamArn")
    if stream_arn is None:
        raise StreamError(
            f'The {table} has no stream. Set stream_view_type = "NEW_AND_OLD_IMAGES" in {model.__name__}.Meta, and run'
            " `flask dynamo sync`."
        )
    # Without the block above: a TenantKey gives each record its tenant.
    owners = TableOwners(current_app(), models=[model], principal=registry.scope.known_principal)
    checkpoints = Checkpoints(connection, stream_arn=stream_arn, consumer=consumer)
    checkpoints.create()
    with streams_client(table.bind) as client:
        reader = ShardReader(client, stream_arn, checkpoints)

        def handle(record: Json) -> None:
            try:
                read_record(record, arn=stream_arn, owners=owners).handle(handler)
            except Exception:
                number = record["dynamodb"]["SequenceNumber"]
                logger.error("The record %s of %s failed. The next start begins with it.", number, stream_arn)
                raise

        _read_shards(reader, handle, once=once)


def _read_shards(reader: ShardReader, handle: cabc.Callable[[Json], None], *, once: bool) -> None:
    shards: list[str] = []
    described_at = -math.inf
    while True:
        # The children of a shard that has ended may appear later.
        if not shards or shards != reader.shards or time.monotonic() - described_at > DESCRIBE_SECONDS:
            reader.open_shards()
            described_at = time.monotonic()
        shards = reader.shards
        counts = [_handle_page(reader, shard, handle) for shard in shards]
        # A shard that has just ended may have children to read.
        if any(counts) or shards != reader.shards:
            continue
        if once:
            return
        time.sleep(POLL_SECONDS)


def _handle_page(reader: ShardReader, shard: str, handle: cabc.Callable[[Json], None]) -> int:
    page, last_handled = reader.read(shard), None
    try:
        for record in page.records:
            handle(record)
            last_handled = record["dynamodb"]["SequenceNumber"]
    finally:
        # Also if a record failed, or after Ctrl-C: what is handled is not repeated.
        if last_handled is not None:
            reader.save(shard, last_handled)
    reader.advance(shard, page)
    if page.records:
        logger.info("Handled %s records of %s, up to %s.", len(page.records), shard, last_handled)
    return len(page.records)


@contextlib.contextmanager
def _block(registry: Registry, model: type[Model]) -> cabc.Iterator[Scope]:
    """A block that has the table: the current scope, or one for all tenants if they share the table."""
    scope = registry.scope
    if not model.__has_tenant_key__:
        yield scope
        return
    with scope.using({}, principal=UNRESTRICTED) as unrestricted:
        declaration = registry.models.declaration_of(model)
        principal = scope.known_principal or NO_TENANT
        if principal.tenant is None:
            yield unrestricted
            return
        place = unrestricted.resolve(declaration).place
    if scope.resolve(declaration).place == place:
        raise StreamError(
            f"The stream of {model.__name__} has the records of all tenants. Read it without naming one: each record is"
            " handled for its own tenant."
        )
    yield scope
