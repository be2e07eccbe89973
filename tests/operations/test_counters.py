"""Counters: integrations that count each call of an app."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb.exceptions import GetError

import dynaflask
from dynaflask import Operation
from dynaflask import operation_finished
from dynaflask.operations.counters import counters_of
from dynaflask.operations.operation import Source
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


class Counted:
    """A counter that takes the calls of one operation without their `Operation`."""

    def __init__(self, light: str = "GetItem") -> None:
        self.light = light
        self.calls: list[tuple[t.Any, ...]] = []
        self.operations: list[Operation] = []

    def add_success(self, source: Source, operation: str, *numbers: float) -> bool:
        """Count a successful call of the operation."""
        if operation == self.light:
            self.calls.append((source.app_name, source.model, source.tenant, operation, *numbers[1:]))
        return operation == self.light

    def add(self, operation: Operation) -> None:
        """Count any other call."""
        self.operations.append(operation)


@pytest.fixture
def make(make_app: MakeApp, recorder: recorders.Recorder) -> MakeApp:
    """Makes an app on the recorder."""
    return lambda name="app", **settings: make_app(
        name, **{"host": recorder.url, "region": "us-east-1", "max_retry_attempts": 0, **KEYS, **settings}
    )


def test_each_call_reaches_each_counter_of_its_app_once(make: MakeApp, thread_model: t.Any, db: t.Any) -> None:
    """A counter gets the numbers of a successful call, and its operation if it takes none. Apps share no counter."""
    us, eu = make("us"), make("eu")
    first, second, other = Counted(), Counted("PutItem"), Counted()
    counters_of(us).extend([first, second])
    counters_of(eu).append(other)
    with us.app_context(), db.tenant("acme"):
        thread_model.get("forum", "subject")
        thread_model("forum", "subject").save()
        list(thread_model.query("forum"))
    assert first.calls == [("us", "Thread", "acme", "GetItem", 1.0, 0.0, 0)]
    assert [each.operation for each in first.operations] == ["PutItem", "Query"]
    assert [each[3] for each in second.calls] == ["PutItem"]
    assert [each.operation for each in second.operations] == ["GetItem", "Query"]
    assert {(each.app_name, each.tenant) for each in second.operations} == {("us", "acme")}
    assert not other.calls
    assert not other.operations


def test_counters_that_need_an_operation_get_the_same_one(make: MakeApp, thread_model: t.Any) -> None:
    """The operation of a call is made once, however many counters of the app take no numbers of it."""
    us, eu = make("us"), make("eu")
    first, second, other = Counted("PutItem"), Counted("PutItem"), Counted("PutItem")
    counters_of(us).extend([first, second])
    counters_of(eu).append(other)
    for app in (us, eu):
        with app.app_context():
            thread_model.get("forum", "subject")
    assert first.operations[0] is second.operations[0]
    assert [each.app_name for each in (*first.operations, *other.operations)] == ["us", "eu"]


def test_a_failed_and_a_refused_call_have_an_operation(
    make: MakeApp, thread_model: t.Any, db: dynaflask.Dynamo, recorder: recorders.Recorder
) -> None:
    """Only a success is a matter of numbers. The calls of a limited tenant always have their operation."""
    app, counted = make(tenants={"acme": {"tenant_capacity": 1e-6}}), Counted()
    counters_of(app).append(counted)
    with app.app_context(), db.tenant("acme"):
        thread_model.get("forum", "subject")
        with pytest.raises(dynaflask.TenantLimitExceeded):
            thread_model.get("forum", "subject")
    recorder.answer = lambda request: (400, {"__type": "com.amazonaws#ValidationException"})
    with app.app_context(), pytest.raises(GetError, match="ValidationException"):
        thread_model.get("forum", "subject")
    assert [(each.is_refused, each.error) for each in counted.operations] == [
        (False, None),
        (True, "TenantLimitExceeded"),
        (False, "ValidationException"),
    ]
    assert not counted.calls


def test_a_counter_may_come_before_the_extension(
    db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """The list is the app's: it does not matter which of the two is set up first."""
    app, counted = flask.Flask("app"), Counted()
    counters_of(app).append(counted)
    settings = {"HOST": recorder.url, "REGION": "us-east-1", **{name.upper(): value for name, value in KEYS.items()}}
    app.config.update({f"DYNAMODB_{name}": value for name, value in settings.items()})
    db.init_app(app)
    with app.app_context():
        thread_model.get("forum", "subject")
    assert len(counted.calls) == 1


def test_a_counter_is_removed_at_once_and_added_in_the_next_context(make: MakeApp, thread_model: t.Any) -> None:
    """A connection that exists does not look for a first counter, so that an app without one pays nothing."""
    app, counted = make(), Counted()
    with app.app_context():
        thread_model.get("forum", "subject")
        counters_of(app).append(counted)
        thread_model.get("forum", "subject")
    assert not counted.calls
    with app.app_context():
        thread_model.get("forum", "subject")
        counters_of(app).remove(counted)
        thread_model.get("forum", "subject")
    assert len(counted.calls) == 1


def test_the_signal_and_a_counter_see_the_same_call(make: MakeApp, thread_model: t.Any) -> None:
    """With a receiver, the counter gets the operation that the receiver gets."""
    app, counted = make(), Counted()
    counters_of(app).append(counted)
    received: list[Operation] = []

    def receive(_: flask.Flask, *, operation: Operation) -> None:
        received.append(operation)

    with app.app_context(), operation_finished.connected_to(receive, sender=app):
        thread_model.get("forum", "subject")
    assert counted.operations == received
    assert len(received) == 1
