"""``db.stream_records``: the records of an event of Lambda."""

from __future__ import annotations

import logging
import typing as t

import flask
import pytest

import dynaflask
from tests.support import engines
from tests.support import streams
from tests.support.settings import MakeApp


@pytest.fixture
def note(db: dynaflask.Dynamo) -> t.Any:
    """A model with a stream."""
    return streams.declare_note(db)


@pytest.fixture
def app(make_app: MakeApp, ministack: engines.Engine, account: engines.Account) -> flask.Flask:
    """An app without tenants."""
    return make_app(**streams.settings_of(ministack, account))


@pytest.fixture
def silo(make_app: MakeApp, ministack: engines.Engine, account: engines.Account) -> flask.Flask:
    """An app in which each tenant has tables of its own."""
    return streams.make_silo_app(make_app, ministack, account)


def test_each_record_is_handled_for_the_tenant_that_has_its_table(
    silo: flask.Flask, db: dynaflask.Dynamo, note: t.Any
) -> None:
    """An event with the records of two tenants: the handler reads and writes the tables of each record's own tenant."""
    events = {}
    with silo.app_context():
        for name in ("acme", "globex"):
            with db.tenant(name):
                db.create_all(wait=True)
                note("1", title=name).save()
                events[name] = streams.event_of(note)["Records"]
    seen = []

    def handle(record: t.Any) -> None:
        seen.append((record.tenant, db.current_tenant, record.new.title, note.get(*record.keys).title))

    with silo.app_context():
        assert db.stream_records({"Records": events["acme"] + events["globex"]}).handle(handle) == streams.failures()
    assert seen == [("acme", "acme", "acme", "acme"), ("globex", "globex", "globex", "globex")]


def test_each_record_is_handled_for_the_tenant_in_its_key(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """Two tenants in one table: each record has the key without the tenant, and is handled for its tenant."""
    pooled = streams.declare_pooled(db)
    with app.app_context():
        with db.without_tenant(reason="create"):
            db.create_all(wait=True)
        for name in ("acme", "globex"):
            with db.tenant(name):
                pooled("1", title=name).save()
        with db.without_tenant(reason="read the stream"):
            event = streams.event_of(pooled)
        seen: list[t.Any] = []
        response = db.stream_records(event).handle(
            lambda record: seen.append((record.tenant, db.current_tenant, record.keys, record.new.id, record.new.title))
        )
    assert response == streams.failures()
    assert seen == [("acme", "acme", ("1",), "1", "acme"), ("globex", "globex", ("1",), "1", "globex")]


def test_an_object_of_a_record_cannot_be_saved_for_another_tenant(
    silo: flask.Flask, db: dynaflask.Dynamo, note: t.Any
) -> None:
    """The objects remember the tenant of their record."""
    with silo.app_context():
        with db.tenant("acme"):
            db.create_all(wait=True)
            note("1").save()
            event = streams.event_of(note)
        (record,) = db.stream_records(event)
        with db.tenant("globex"), pytest.raises(dynaflask.TenantMismatch):
            record.new.save()


def test_two_apps_handle_their_own_records_and_refuse_those_of_the_other(
    make_app: MakeApp, ministack: engines.Engine, db: dynaflask.Dynamo, note: t.Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A record of another app's table is not handled. It is reported as failed, with its table in the log."""
    apps = [make_app(name, **streams.settings_of(ministack, engines.Account())) for name in ("one", "two")]
    events = []
    for app in apps:
        with app.app_context():
            db.create_all(wait=True)
            note("1", title=app.name).save()
            events.append(streams.event_of(note))
    seen: list[t.Any] = []

    def handle(record: t.Any) -> None:
        seen.append((flask.current_app.name, record.new.title))

    with apps[0].app_context():
        assert db.stream_records(events[0]).handle(handle) == streams.failures()
        assert db.stream_records(events[1]).handle(handle) == streams.failures(*events[1]["Records"])
    with apps[1].app_context():
        assert db.stream_records(events[1]).handle(handle) == streams.failures()
    assert seen == [("one", "one"), ("two", "two")]
    assert "is none of the tables of 'one'" in caplog.text


def test_the_first_record_that_fails_is_reported_and_ends_the_batch(
    app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Lambda sends the records from there on again, so that none of them is handled before the failed one."""
    with app.app_context():
        db.create_all(wait=True)
        for number in range(4):
            note("1", number).save()
        event = streams.event_of(note)
        seen = []

        def handle(record: t.Any) -> None:
            seen.append(record.new.number)
            if record.new.number == 2:
                raise ValueError("broken")

        records = db.stream_records(event)
        with caplog.at_level(logging.ERROR, "dynaflask.streams"):
            assert records.handle(handle) == streams.failures(event["Records"][2])
    assert (len(records), seen) == (4, [0, 1, 2])
    assert "ValueError: broken" in caplog.text


def test_a_coroutine_is_a_failure(app: flask.Flask, db: dynaflask.Dynamo, note: t.Any) -> None:
    """A handler that would run later, out of the context, does not pass for one that has succeeded."""
    with app.app_context():
        db.create_all(wait=True)
        note("1").save()
        event = streams.event_of(note)

        async def handle(record: t.Any) -> None: ...

        assert db.stream_records(event).handle(handle) == streams.failures(*event["Records"])


@pytest.mark.parametrize("event", [{}, [], None, {"Records": None}])
def test_an_event_without_records_is_an_error(make_app: MakeApp, db: dynaflask.Dynamo, event: t.Any) -> None:
    """An event of another form is refused as a whole."""
    with make_app().app_context():
        with pytest.raises(dynaflask.StreamError, match="no list of Records"):
            db.stream_records(event)


def test_the_tenant_loader_is_not_called(silo: flask.Flask, db: dynaflask.Dynamo, note: t.Any) -> None:
    """The loader may need a request, which a Lambda function does not have."""
    with silo.app_context(), db.tenant("acme"):
        db.create_all(wait=True)
        note("1").save()
        event = streams.event_of(note)

    @db.tenant_loader
    def load() -> str:
        return str(flask.request.headers["Tenant"])

    with silo.app_context():
        assert [record.tenant for record in db.stream_records(event)] == ["acme"]
