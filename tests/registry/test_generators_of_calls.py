"""Calls of each kind in generators that take turns: plain, of PynamoDB, of a hiding model, and traced ones."""

from __future__ import annotations

import datetime as dt
import itertools
import typing as t

import botocore.credentials
import botocore.session
import flask
import pytest
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import TTLAttribute
from pynamodb.attributes import UnicodeAttribute

from dynaflask.integrations import opentelemetry
from tests.support import two_apps
from tests.support.tracing import Telemetry
from tests.support.two_apps import World

#: Calls that are made in one step, and calls with further options, which PynamoDB makes.
CALLS: dict[str, t.Callable[[t.Any], t.Any]] = {
    "get": lambda thread: thread.get("forum", "subject"),
    "consistent get": lambda thread: thread.get("forum", "subject", attributes_to_get=["views"]),
    "save": lambda thread: thread("forum", "subject").save(),
    "save on a condition": lambda thread: thread("forum", "subject").save(thread.views.does_not_exist()),
    "update": lambda thread: thread("forum", "subject").update([thread.views.set(1)]),
    "update on a condition": lambda thread: thread("forum", "subject").update(
        [thread.views.set(1)], condition=thread.views == 0
    ),
    "delete": lambda thread: thread("forum", "subject").delete(),
    "batch_get": lambda thread: list(thread.batch_get([("forum", "subject")])),
    "batch_write": lambda thread: write_with(thread.batch_write()),
    "query": lambda thread: list(thread.query("forum")),
}


def write_with(batch: t.Any) -> None:
    """Write an item with a batch."""
    with batch:
        batch.save(batch.model("forum", "subject"))


def calls(world: World, tenant: str, call: t.Callable[[t.Any], t.Any]) -> t.Iterator[None]:
    """A call in a tenant's block at each step."""
    with world.db.tenant(tenant):
        while True:
            call(world.Thread)
            yield


def session_page(request: two_apps.Request) -> two_apps.Answer:
    """One of four pages of one session each; the first and the third have expired."""
    number = int(request.body.get("ExclusiveStartKey", {}).get("number", {}).get("N", "0")) + 1
    key = {"user": {"S": "ann"}, "number": {"N": str(number)}}
    more = {"LastEvaluatedKey": key} if number < 4 else {}
    live = [] if number % 2 and "FilterExpression" in request.body else [key]
    return {"Items": live, "Count": len(live), "ScannedCount": 1, **more}


class Refreshing:
    """Refreshes credentials that are always about to expire, and calls DynamoDB for another app meanwhile."""

    def __init__(self, app: flask.Flask, model: t.Any) -> None:
        self._app = app
        self._model = model

    def credentials(self) -> dict[str, str]:
        """The credentials."""
        time = dt.datetime.now(dt.timezone.utc) + dt.timedelta(minutes=1)
        return {"access_key": "ROLE", "secret_key": "hush", "token": "token", "expiry_time": time.isoformat()}

    def __call__(self) -> dict[str, str]:
        with self._app.app_context():
            self._model.get("quiet", "refresh")
        return self.credentials()


@pytest.mark.parametrize("transport", ["direct", "botocore", "stock"])
@pytest.mark.parametrize("name", CALLS)
def test_each_call_goes_to_its_generators_tenant(name: str, transport: str) -> None:
    """In turns, in each order, over each transport, and between the calls of the other app."""
    with two_apps.two_apps(transport=transport) as world, world.one.app_context():
        acme, globex = (calls(world, tenant, CALLS[name]) for tenant in ("acme", "globex"))
        for generator in (acme, globex, globex, acme):
            next(generator)
            with world.two.app_context(), world.db.tenant("acme"):
                CALLS[name](world.Thread)
        places = ["one acme-Thread", "one globex-Thread", "one globex-Thread", "one acme-Thread"]
        assert world.sent() == list(itertools.chain.from_iterable((place, "two acme-Thread") for place in places))


def test_a_block_that_is_left_while_a_hiding_query_is_read(world: World) -> None:
    """The pages of a model that hides expired items stay at the query's tenant, and hide by the same rule."""

    class Session(world.db.Model):  # type: ignore[name-defined,misc]
        Meta = type("Meta", (), {"table_name": "Session", "hide_expired": True})
        user = UnicodeAttribute(hash_key=True)
        number = NumberAttribute(range_key=True)
        expires = TTLAttribute(null=True)

    world.answer = session_page
    with world.one.app_context():
        with world.db.tenant("acme"):
            first = Session.query("ann", page_size=1)
            read = [next(first).number]
        with world.db.tenant("globex"):
            second = Session.query("ann", page_size=1)
            read += [session.number for session in first]
        with world.two.app_context(), world.db.tenant("acme"):
            read += [session.number for session in second]
    assert read == [2, 4, 2, 4]
    assert world.sent() == ["one acme-Session"] * 4 + ["one globex-Session"] * 4


@pytest.mark.parametrize("transport", ["direct", "botocore"])
def test_credentials_that_one_app_refreshes_for_another(
    make_app: t.Any, recorder: t.Any, db: t.Any, thread_model: t.Any, transport: str
) -> None:
    """Two apps share a session. Whichever call refreshes its credentials, each app traces its own calls alone.

    The refresh makes a call of a third app, the worst that a program's function can do here.
    """
    common = {"host": recorder.url, "region": "eu-west-1", "transport": transport}
    quiet = make_app("quiet", **common, aws_access_key_id="QUIET", aws_secret_access_key="hush")
    session, refreshing = botocore.session.Session(), Refreshing(quiet, thread_model)
    session._credentials = botocore.credentials.RefreshableCredentials.create_from_metadata(
        refreshing.credentials(), refresh_using=refreshing, method="test"
    )
    apps, telemetries = {}, {name: Telemetry() for name in ("one", "two")}
    for name, telemetry in telemetries.items():
        apps[name] = make_app(name, **common, session=session, tenants={"acme": {"table_prefix": f"{name}-"}})
        opentelemetry.instrument(apps[name], tracer_provider=telemetry.tracer_provider)
    for name in ("one", "two", "one", "two"):
        with apps[name].app_context(), db.tenant("acme"):
            thread_model.get(name, "subject")
    sent = [(r.access_key_id, r.body["TableName"], r.body["Key"]["forum_name"]["S"]) for r in recorder.requests]
    assert [place for place in sent if place[0] != "QUIET"] == [
        ("ROLE", f"{name}-Thread", name) for name in ("one", "two", "one", "two")
    ]
    assert {place for place in sent if place[0] == "QUIET"} == {("QUIET", "Thread", "quiet")}
    for name, telemetry in telemetries.items():
        tables = [span.attributes["db.collection.name"] for span in telemetry.dynamo_spans if span.attributes]
        assert tables == [f"{name}-Thread"] * 2
