"""pydynox, whose core is in Rust."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t

import pydynox
from _canned import HUNDRED
from _canned import PAGE
from _canned import TABLE
from _common import settings
from _peers import BATCH
from _peers import BATCH_GET
from _peers import BATCH_WRITE
from _peers import GET
from _peers import KEY
from _peers import KEYS
from _peers import POSTED_AT
from _peers import PUT
from _peers import QUERY
from _peers import QUERY_PAGE
from _peers import UPDATE
from _peers import Calls
from _peers import attributes
from _peers import repeated
from pydynox import attributes as kinds


@contextlib.contextmanager
def peer() -> cabc.Iterator[Calls]:
    """pydynox, whose core is in Rust, by its synchronous methods."""
    given = settings()
    client = pydynox.DynamoDBClient(
        region=given["region"],
        access_key=given["aws_access_key_id"],
        secret_key=given["aws_secret_access_key"],
        endpoint_url=given["host"],
    )
    model = declare(client)
    values = attributes()
    thread, posted_at = model(**values), POSTED_AT.isoformat()

    # The nearest that it has: DynamoDB counts the views, as the others ask it to. It adds nothing to a set, and leaves
    # the changed item unread.
    def update() -> None:
        changes = [model.views.add(1), model.language.set("de"), model.posted_at.set(posted_at)]
        thread.sync_update(atomic=[*changes, model.tags.set({"python"})])

    def write() -> None:
        client.sync_batch_write(TABLE, put_items=[model(**values).to_dict() for _ in range(BATCH)])

    yield repeated(
        {
            GET: lambda: model.sync_get(**KEY),
            PUT: lambda: model(**values).sync_save(),
            UPDATE: update,
            QUERY: lambda: list(model.sync_query(HUNDRED)),
            QUERY_PAGE: lambda: list(model.sync_query(PAGE)),
            BATCH_GET: lambda: model.sync_batch_get(KEYS),
            BATCH_WRITE: write,
        }
    )


def declare(client: t.Any) -> t.Any:
    class Thread(pydynox.Model):
        model_config = pydynox.ModelConfig(table=TABLE, client=client)
        forum = kinds.StringAttribute(partition_key=True)
        subject = kinds.StringAttribute(sort_key=True)
        message = kinds.StringAttribute()
        author = kinds.MapAttribute()
        tags = kinds.StringSetAttribute()
        views = kinds.NumberAttribute(default=0)
        replies = kinds.NumberAttribute(default=0)
        rating = kinds.NumberAttribute()
        is_open = kinds.BooleanAttribute(default=True)
        posted_at = kinds.DatetimeAttribute()
        language = kinds.StringAttribute()

    return Thread
