"""``follow``: a process that handles the records of a stream."""

from __future__ import annotations

import json
import logging
import pathlib
import signal
import subprocess
import sys
import typing as t

import flask
import pytest

import dynaflask
from dynaflask.tables.streams import consumer
from dynaflask.tables.streams import follow
from tests.support import engines
from tests.support import streams
from tests.support.paths import PROJECT
from tests.support.paths import SUPPORT
from tests.support.paths import environment
from tests.support.settings import MakeApp

KILLED = -signal.SIGKILL


@pytest.fixture
def note(db: dynaflask.Dynamo) -> t.Any:
    """A model with a stream."""
    return streams.declare_note(db)


def handled(db: dynaflask.Dynamo, model: t.Any, **options: t.Any) -> list[tuple[str | None, t.Any]]:
    """Tenant and title of each record that a new process of a consumer handles."""
    seen: list[t.Any] = []
    options = {"consumer": "index", "once": True, **options}
    follow(db.registry, model, lambda record: seen.append((db.current_tenant, record.new.title)), **options)
    return seen


def test_each_consumer_handles_each_record_once(app: flask.Flask, db: dynaflask.Dynamo, note: t.Any) -> None:
    """It continues after the last record, and another consumer begins with the oldest one."""
    db.create_all(wait=True)
    note("1", title="a").save()
    assert handled(db, note) == [(None, "a")]
    note("2", title="b").save()
    assert handled(db, note) == [(None, "b")]
    assert handled(db, note) == []
    assert handled(db, note, consumer="mail") == [(None, "a"), (None, "b")]


def test_binary_values_and_times_are_those_of_an_event(app: flask.Flask, db: dynaflask.Dynamo, note: t.Any) -> None:
    """A process and a Lambda function see equal records."""
    db.create_all(wait=True)
    note("1", picture=b"\xff", pictures={b"\x00"}, attachment={"content": b"\x01"}, old_picture=b"old").save()
    seen: list[t.Any] = []
    follow(db.registry, note, seen.append, consumer="index", once=True)
    (of_event,) = db.stream_records(streams.event_of(note))
    for record in (seen[0], of_event):
        new = record.new
        assert (new.picture, new.pictures, new.old_picture) == (b"\xff", {b"\x00"}, b"old")
        assert new.attachment.content == b"\x01"
    assert seen[0].created_at == of_event.created_at


def test_each_tenant_has_a_stream_of_its_own(
    make_app: MakeApp, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, note: t.Any
) -> None:
    """In a tenant's block, the stream is that of its table, and each record is handled for the tenant."""
    with streams.make_silo_app(make_app, ministack, account).app_context():
        for name in ("acme", "globex"):
            with db.tenant(name):
                db.create_all(wait=True)
                note("1", title=f"of {name}").save()
        for name in ("acme", "globex"):
            with db.tenant(name):
                assert handled(db, note) == [(name, f"of {name}")]
        with pytest.raises(dynaflask.TenantRequired):
            handled(db, note)


@pytest.mark.parametrize("is_required", [True, False])
def test_a_shared_table_is_read_once_for_all_tenants(
    make_app: MakeApp, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, is_required: bool
) -> None:
    """Each record is handled for the tenant in its key. A stream cannot be read for one of them."""
    pooled = streams.declare_pooled(db)
    app = make_app(**streams.settings_of(ministack, account), require_tenant=is_required)
    with app.app_context():
        with db.without_tenant(reason="create"):
            db.create_all(wait=True)
        for name in ("acme", "globex"):
            with db.tenant(name):
                pooled("1", title=f"of {name}").save()
        with db.tenant("acme"), pytest.raises(dynaflask.StreamError, match="has the records of all tenants"):
            handled(db, pooled)
        assert handled(db, pooled) == [("acme", "of acme"), ("globex", "of globex")]
        with db.without_tenant(reason="read stored keys"):
            assert handled(db, pooled, consumer="copy") == [(None, "of acme"), (None, "of globex")]


def test_a_tenant_with_its_own_table_has_its_own_stream(
    make_app: MakeApp, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
) -> None:
    """A model with a ``TenantKey`` may have another table for one tenant."""
    pooled = streams.declare_pooled(db)
    tenants = {"acme": {}, **streams.tenants_of(account, "globex")}
    with make_app(**streams.settings_of(ministack, account), tenants=tenants).app_context():
        for name in ("acme", "globex"):
            with db.tenant(name):
                db.create_all(wait=True)
                pooled("1", title=f"of {name}").save()
        with db.tenant("globex"):
            assert handled(db, pooled) == [("globex", "of globex")]
        assert handled(db, pooled) == [("acme", "of acme")]


def test_two_apps_read_their_own_streams(
    make_app: MakeApp, ministack: engines.Engine, db: dynaflask.Dynamo, note: t.Any
) -> None:
    """One model, two apps, two tables: each app handles the records of its own, in its own context."""
    apps = [make_app(name, **streams.settings_of(ministack, engines.Account())) for name in ("one", "two")]
    for app in apps:
        with app.app_context():
            db.create_all(wait=True)
            note("1", title=app.name).save()
    for app in apps:
        with app.app_context():
            assert handled(db, note) == [(None, app.name)]


def test_the_next_start_begins_with_the_record_that_failed(
    app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The records before it on the page are not repeated. The log has its number, and not its content."""
    db.create_all(wait=True)
    for title in "abc":
        note(title, title=title).save()
    seen = []

    def handle(record: t.Any) -> None:
        if record.new.title == "b":
            raise ValueError("broken")
        seen.append(record.new.title)

    with caplog.at_level(logging.ERROR, "dynaflask.streams"), pytest.raises(ValueError, match="broken"):
        follow(db.registry, note, handle, consumer="index", once=True)
    assert seen == ["a"]
    assert "The next start begins with it." in caplog.text
    assert handled(db, note) == [(None, "b"), (None, "c")]


@pytest.mark.usefixtures("app")
def test_a_stream_is_followed_until_an_error(
    note: t.Any, db: dynaflask.Dynamo, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Without ``once``, records that are written later are handled, too. The log has a line for each page."""
    monkeypatch.setattr(consumer, "DESCRIBE_SECONDS", -1)
    db.create_all(wait=True)
    note("1", title="a").save()
    seen = []

    def handle(record: t.Any) -> None:
        seen.append(record.new.title)
        if record.new.title == "b":
            raise KeyboardInterrupt

    # Called in a round without a record.
    monkeypatch.setattr(consumer.time, "sleep", lambda seconds: note("2", title="b").save())
    with caplog.at_level(logging.INFO, "dynaflask.streams"), pytest.raises(KeyboardInterrupt):
        follow(db.registry, note, handle, consumer="index")
    assert seen == ["a", "b"]
    assert [message.split(" of ")[0] for message in caplog.messages] == ["Handled 1 records"]


def test_the_children_of_a_shard_are_read_in_the_same_run(
    app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``once`` ends when no shard has a record: an ended shard, with or without records, may have children."""
    db.create_all(wait=True)
    note("1", title="a").save()
    (image,) = streams.event_of(note)["Records"]
    client = streams.FakeStreams({"a": None, "b": "a", "c": "b"}, a=["1"], b=[], c=["2"])

    class Client(t.NamedTuple):
        bind: t.Any

        def __enter__(self) -> t.Any:
            return self

        def __exit__(self, *_: object) -> None: ...

        def __getattr__(self, name: str) -> t.Any:
            return getattr(client, name)

        def get_records(self, **request: t.Any) -> t.Any:
            page = client.get_records(**request)
            records = [{**image, "dynamodb": image["dynamodb"] | each["dynamodb"]} for each in page["Records"]]
            return {**page, "Records": records}

    monkeypatch.setattr(consumer, "streams_client", Client)
    client.closed.discard("c")
    numbers: list[str] = []
    follow(db.registry, note, lambda record: numbers.append(record.sequence_number), consumer="index", once=True)
    assert numbers == ["1", "2"]


def test_a_table_without_a_stream_is_an_error(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """The message says how to get one."""
    note = streams.declare_note(db, stream_view_type=None)
    db.create_all(wait=True)
    with pytest.raises(dynaflask.StreamError, match=r'has no stream. Set stream_view_type = "NEW_AND_OLD_IMAGES"'):
        handled(db, note)


def test_a_killed_process_repeats_and_loses_nothing(
    app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, tmp_path: pathlib.Path
) -> None:
    """After SIGKILL in the middle of a page, the next process begins with that page: at least once, in order."""
    db.create_all(wait=True)
    with note.batch_write() as batch:
        for number in range(250):
            batch.save(note("1", number))
    path = tmp_path / "handled"
    settings = json.dumps({name: value for name, value in app.config.items() if name.startswith("DYNAMODB_")})
    codes = []
    for records in ("130", "80", "1000"):
        command = [sys.executable, str(SUPPORT / "stream_program.py"), str(path), records, settings]
        process = subprocess.run(command, cwd=PROJECT, env=environment(), timeout=120, check=False)
        codes.append(process.returncode)
    numbers = [int(line) for line in path.read_text().splitlines()]
    assert codes == [KILLED, KILLED, 0]
    # 100 are saved; 130 to 100, and then 180 to 100, are repeated.
    assert numbers == [*range(130), *range(100, 180), *range(100, 250)]
