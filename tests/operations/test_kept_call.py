"""What a record keeps of a call until it is read: the operation is the same as that which a receiver gets."""

from __future__ import annotations

import typing as t

import flask
import pytest

import dynaflask
from dynaflask import Operation
from dynaflask import operation_finished
from dynaflask.operations.context_record import record_of
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture(params=["botocore", "direct", "stock"])
def apps(request: pytest.FixtureRequest, make_app: MakeApp, recorder: recorders.Recorder) -> list[flask.Flask]:
    """Two apps that keep their operations, on each transport, each with tables of its own."""
    settings = {"host": recorder.url, "region": "us-east-1", "transport": request.param, "server_timing": True, **KEYS}
    return [make_app(name, table_prefix=f"{name}-", max_retry_attempts=0, **settings) for name in ("us", "eu")]


def call_all(thread_model: t.Any, recorder: recorders.Recorder) -> None:
    """A call of each kind, and a read of an item that does not exist."""
    thread = thread_model("forum", "a secret subject")
    thread_model.get("forum", "a secret subject")
    thread_model.get("forum", "a secret subject", consistent_read=True)
    thread.save()
    thread.update(actions=[thread_model.views.set(1)])
    thread.delete()
    list(thread_model.query("forum"))
    list(thread_model.batch_get([("forum", "1"), ("forum", "2")]))
    answer, recorder.answer = recorder.answer, lambda request: {}
    with pytest.raises(thread_model.DoesNotExist):
        thread_model.get("forum", "a secret subject")
    recorder.answer = answer


def test_it_is_the_operation_of_a_receiver(
    apps: list[flask.Flask], db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """Each kept call becomes the operation that a receiver gets of the same call; two apps and tenants stay apart."""
    us, eu = apps
    received: list[Operation] = []

    def receive(app: flask.Flask, *, operation: Operation) -> None:
        received.append(operation)

    with us.test_request_context("/"), db.tenant("acme"):
        call_all(thread_model, recorder)
        kept = db.recorded_operations()
        with operation_finished.connected_to(receive, sender=us):
            call_all(thread_model, recorder)
        with eu.app_context(), db.tenant("globex"):
            thread_model.get("forum", "a secret subject")
            [other] = db.recorded_operations()
        both = db.recorded_operations()
    assert (other.app_name, other.tenant, other.table) == ("eu", "globex", "eu-Thread")
    assert both == kept + received
    assert [timeless(operation) for operation in kept] == [timeless(operation) for operation in received]
    assert {(operation.app_name, operation.tenant, operation.model) for operation in kept} == {("us", "acme", "Thread")}
    assert len({operation.request_id for operation in both}) == len(both) == 16


def timeless(operation: Operation) -> Operation:
    """The operation without what differs between two calls."""
    assert operation.started_at > 1e9 > operation.duration_seconds > 0
    return operation._replace(started_at=0, duration_seconds=0, request_id=None)


def test_the_record_has_no_key_and_no_item(
    apps: list[flask.Flask], thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """What the record refers to has no value of a key or an item, also before it is read."""
    for app in apps:
        with app.app_context():
            call_all(thread_model, recorder)
            assert "secret" not in repr(record_of(app))
            assert f"{app.name}-Thread" in repr(record_of(app))


@pytest.mark.parametrize(
    "settings", [{"slow_seconds": 60}, {"server_timing": True}, {"server_timing": True, "slow_seconds": 60}]
)
def test_a_quick_call_makes_no_operation(
    make_app: MakeApp,
    recorder: recorders.Recorder,
    thread_model: t.Any,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, t.Any],
) -> None:
    """An app whose slow log and record need no operation makes none, also while another app has a receiver."""
    us, eu = (
        make_app(name, host=recorder.url, region="us-east-1", **KEYS, **(settings if name == "us" else {}))
        for name in ("us", "eu")
    )
    received: list[str] = []

    def receive(app: flask.Flask, *, operation: Operation) -> None:
        received.append(operation.app_name)

    def refuse(*_: object) -> t.NoReturn:
        pytest.fail("An operation was made.")

    monkeypatch.setattr(us.extensions["dynamo"].recorder, "operation", refuse)
    with operation_finished.connected_to(receive, sender=eu):
        for app in (us, eu):
            with app.app_context():
                thread_model.get("forum", "subject")
    assert received == ["eu"]


def test_a_slow_call_is_logged_and_kept(
    make_app: MakeApp,
    recorder: recorders.Recorder,
    db: dynaflask.Dynamo,
    thread_model: t.Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A call that reaches the limit of the slow log is logged, and kept like the others; that of another app is not."""
    us, eu = (
        make_app(name, host=recorder.url, region="us-east-1", server_timing=True, slow_seconds=seconds, **KEYS)
        for name, seconds in (("us", 1e-9), ("eu", 60))
    )
    for app in (us, eu):
        with app.app_context():
            thread_model.get("forum", "subject")
            assert [operation.label for operation in db.recorded_operations()] == ["Thread.GetItem"]
    assert [getattr(log, "app", None) for log in caplog.records if log.name == "dynaflask.slow"] == ["us"]
