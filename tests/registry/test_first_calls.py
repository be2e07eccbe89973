"""The first calls of models and apps, made by many threads at once, with a global interpreter lock and without it."""

from __future__ import annotations

import concurrent.futures
import itertools
import sys
import threading
import typing as t

import flask
import pytest
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UTCDateTimeAttribute

import dynaflask
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

THREADS = 8
REGIONS, TENANTS = ("eu-west-1", "us-west-2"), ("acme", "globex")
ITEMS = 120  # more than fit into one request


@pytest.fixture(autouse=True)
def frequent_switches() -> t.Iterator[None]:
    """Threads take turns as often as possible, where there is a lock to take turns with."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def item(request: recorders.Request, table: str, key: str) -> recorders.Json:
    """An item that names the destination of its request."""
    place = f"{request.region}/{table}"
    return {
        "id": {"S": key},
        "place": {"S": place},
        "origin": {"M": {"table": {"S": table}}},
        "at": {"S": "2026-01-02T03:04:05.678901+0000"},
    }


def answer(request: recorders.Request) -> recorders.Answer:
    """Each item names the destination that it was asked for at."""
    body = request.body
    if request.operation == "BatchGetItem":
        pages = body["RequestItems"].items()
        return {
            "Responses": {
                table: [item(request, table, key["id"]["S"]) for key in page["Keys"]] for table, page in pages
            },
            "UnprocessedKeys": {},
        }
    if request.operation == "Query":
        items = [item(request, body["TableName"], f"{number}") for number in range(ITEMS)]
        return {"Items": items, "Count": ITEMS, "ScannedCount": ITEMS}
    if request.operation == "GetItem":
        return {"Item": item(request, body["TableName"], body["Key"]["id"]["S"])}
    return {"UnprocessedItems": {}} if request.operation == "BatchWriteItem" else {}


def written(request: recorders.Request) -> list[tuple[str, str]]:
    """Where each item of a write went, and where its ``place`` says that it belongs."""
    body = request.body
    if request.operation == "PutItem":
        return [(f"{request.region}/{body['TableName']}", body["Item"]["place"]["S"])]
    return [
        (f"{request.region}/{table}", write["PutRequest"]["Item"]["place"]["S"])
        for table, writes in (body["RequestItems"].items() if request.operation == "BatchWriteItem" else ())
        for write in writes
    ]


def declare(db: dynaflask.Dynamo) -> t.Any:
    """A model whose functions no call has compiled yet."""

    class Origin(MapAttribute[str, t.Any]):
        table = UnicodeAttribute()

    class Post(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Post"

        id = UnicodeAttribute(hash_key=True)
        place = UnicodeAttribute()
        origin = Origin(null=True)
        at = UTCDateTimeAttribute(null=True)

    return Post


def read_and_write(post: t.Any, key: str, *, place: str) -> None:
    """Make each kind of call, and see that it returns what belongs to the place."""
    read = post.get(key)
    assert (read.id, read.place, f"{place.partition('/')[0]}/{read.origin.table}") == (key, place, place)
    post(f"{key}!", place=place).save()
    with post.batch_write() as batch:
        for number in range(ITEMS):
            batch.save(post(f"{key}-{number}", place=place))
    keys = {f"{key}-{number}" for number in range(ITEMS)}
    assert {(found.id, found.place) for found in post.batch_get(keys)} == {(name, place) for name in keys}
    assert [found.place for found in post.query("key")] == [place] * ITEMS


@pytest.mark.parametrize("transport", ["direct", "botocore"])
def test_each_thread_reads_and_writes_its_own(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, transport: str
) -> None:
    """Threads of two apps with two tenants each make the first calls: no item and no request is another's, or lost."""
    recorder.answer = answer
    tenants = {name: {"table_prefix": f"{name}-"} for name in TENANTS}
    options = {"host": recorder.url, "tenants": tenants, "transport": transport, "meter": True, **KEYS}
    apps = [make_app(region, region=region, **options) for region in REGIONS]
    post, together = declare(db), threading.Barrier(THREADS, timeout=60)

    def work(app: flask.Flask, tenant: str, key: str) -> None:
        together.wait()
        with app.app_context(), db.tenant(tenant):
            read_and_write(post, key, place=f"{app.name}/{tenant}-Post")

    sides = itertools.islice(itertools.cycle(itertools.product(apps, TENANTS)), THREADS)
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        for future in [pool.submit(work, *side, f"{number}") for number, side in enumerate(sides)]:
            future.result()
    places = [pair for request in recorder.requests for pair in written(request)]
    assert len(places) == THREADS * (ITEMS + 1)
    assert all(place == intended for place, intended in places)
    usages = [app.extensions["dynamo"].usage().values() for app in apps]
    assert sum(usage.calls for usage in itertools.chain(*usages)) == len(recorder.requests)
