"""aiodynamo on aiohttp."""

from __future__ import annotations

import asyncio
import collections.abc as cabc
import contextlib
import typing as t

import aiohttp
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
from _peers import PUT
from _peers import QUERY
from _peers import QUERY_PAGE
from _peers import UPDATE
from _peers import Calls
from _peers import plain_thread
from aiodynamo.client import Client
from aiodynamo.credentials import Key
from aiodynamo.credentials import StaticCredentials
from aiodynamo.expressions import F
from aiodynamo.expressions import HashKey
from aiodynamo.http.aiohttp import AIOHTTP
from aiodynamo.models import BatchGetRequest
from aiodynamo.models import BatchWriteRequest
from aiodynamo.models import ReturnValues
from yarl import URL


@contextlib.contextmanager
def peer() -> cabc.Iterator[Calls]:
    """aiodynamo on aiohttp, one call after another."""

    given, loop = settings(), asyncio.new_event_loop()
    keys = StaticCredentials(Key(given["aws_access_key_id"], given["aws_secret_access_key"]))

    async def connect() -> t.Any:
        return aiohttp.ClientSession()

    session = loop.run_until_complete(connect())
    client = Client(AIOHTTP(session), keys, given["region"], URL(given["host"]))

    def awaited(call: cabc.Callable[[], cabc.Awaitable[object]]) -> cabc.Callable[[int], object]:
        async def repeat(times: int) -> None:
            for _ in range(times):
                await call()

        return lambda times: loop.run_until_complete(repeat(times))

    try:
        yield {operation: awaited(call) for operation, call in awaitable(client).items()}
    finally:
        loop.run_until_complete(session.close())
        loop.close()


def awaitable(client: t.Any) -> dict[str, cabc.Callable[[], cabc.Awaitable[object]]]:

    table, thread = client.table(TABLE), plain_thread()

    def update() -> cabc.Awaitable[object]:
        changes = F("views").change(1) & F("language").set("de") & F("posted_at").set(thread["posted_at"])
        return table.update_item(KEY, changes & F("tags").add({"python"}), return_values=ReturnValues.all_new)

    return {
        GET: lambda: table.get_item(KEY),
        PUT: lambda: table.put_item(thread),
        UPDATE: update,
        QUERY: lambda: table.query_single_page(HashKey("forum", HUNDRED)),
        QUERY_PAGE: lambda: table.query_single_page(HashKey("forum", PAGE)),
        BATCH_GET: lambda: client.batch_get({TABLE: BatchGetRequest(keys=KEYS)}),
        BATCH_WRITE: lambda: client.batch_write({TABLE: BatchWriteRequest(items_to_put=[thread] * BATCH)}),
    }
