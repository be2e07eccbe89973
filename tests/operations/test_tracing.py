"""The tracers of an app: what they learn of a call, and when their patches are left out."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t

import flask
import pytest
from botocore.exceptions import ClientError
from pynamodb.exceptions import CancellationReason
from pynamodb.exceptions import GetError
from pynamodb.exceptions import VerboseClientError

import dynaflask
from dynaflask import operation_finished
from dynaflask.operations.operation import Operation
from dynaflask.operations.tracing import NO_TRACING
from dynaflask.operations.tracing import UNKNOWN_ENDPOINT
from dynaflask.operations.tracing import Endpoint
from dynaflask.operations.tracing import FinishedCall
from dynaflask.operations.tracing import active
from dynaflask.operations.tracing import finished_call
from dynaflask.operations.tracing import silenced
from dynaflask.operations.tracing import traced_modules
from dynaflask.registry.context import registry_of
from tests.support import recorder as recorders
from tests.support.operations import make_operation
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


class First:
    """A tracer that notes what happens."""

    modules = frozenset({"first"})

    def __init__(self) -> None:
        self.events: list[t.Any] = []

    def start(self) -> str:
        return f"started {type(self).__name__}"

    def finish(self, started: t.Any, call: FinishedCall) -> None:
        self.events.append((started, call))

    def take_calls(self) -> list[FinishedCall]:
        """The calls so far, without what differs between two calls."""
        calls = [event[1] for event in self.events if isinstance(event, tuple)]
        assert all(call.request_id and call.duration_seconds > 0 for call in calls)
        self.events.clear()
        return [call._replace(duration_seconds=0, request_id=None) for call in calls]

    @contextlib.contextmanager
    def silence(self) -> cabc.Iterator[None]:
        self.events.append("silent")
        yield
        self.events.append("loud")


class Second(First):
    """Another tracer."""

    modules = frozenset({"second"})


def client_error(code: str, *reasons: str) -> ClientError:
    """An error of DynamoDB, with the reasons of a transaction."""
    details = [{"Code": reason} for reason in reasons]
    return ClientError({"Error": {"Code": code}, "CancellationReasons": details}, "PutItem")  # type: ignore[typeddict-unknown-key]


def test_a_class_has_one_tracer() -> None:
    """A tracer replaces an earlier one of its class, and leaves those of others."""
    first, again, second = First(), First(), Second()
    tracing = NO_TRACING.replace(Second, second).replace(First, first)
    # Second is a First, so that both are replaced.
    assert tracing.tracers == (first,)
    tracing = tracing.replace(First, again).replace(Second, second)
    assert (tracing.tracers, tracing.modules) == ((again, second), {"first", "second"})
    assert tracing.replace(First, None) == NO_TRACING


def test_each_tracer_gets_its_own_start() -> None:
    """What a tracer returns at the start of a call is passed to it at the end."""
    first, second = First(), Second()
    tracing = NO_TRACING.replace(First, first).replace(Second, second)
    call = finished_call(make_operation(), endpoint=Endpoint("http://localhost/", "eu-west-1"))
    tracing.finish(tracing.start(), call)
    assert first.events == [("started First", call)]
    assert second.events == [("started Second", call)]


def need(_: flask.Flask, *, operation: Operation) -> None:
    """A receiver, which gets the operations."""


def call_all(thread_model: t.Any, recorder: recorders.Recorder) -> None:
    """A call of each kind, a read of an item that does not exist, and one that fails."""
    thread = thread_model("forum", "subject")
    for consistent_read in (False, True):
        thread_model.get("forum", "subject", consistent_read=consistent_read)
    thread.save()
    thread.update([thread_model.views.set(1)])
    thread.delete()
    list(thread_model.query("forum"))
    answer, recorder.answer = recorder.answer, lambda request: {}
    with pytest.raises(thread_model.DoesNotExist):
        thread_model.get("forum", "subject")
    recorder.answer = lambda request: (400, {"__type": "x#ValidationException", "message": "no"})
    with pytest.raises(GetError):
        thread_model.get("forum", "subject")
    recorder.answer = answer


@pytest.mark.parametrize("transport", ["direct", "botocore", "stock"])
def test_calls_with_and_without_an_operation_are_told_alike(
    make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder, transport: str
) -> None:
    """A tracer learns the same of a call whether something else needs its ``Operation`` or not. Two apps stay apart."""
    settings = {"host": recorder.url, "region": "us-east-1", "transport": transport, "max_retry_attempts": 0, **KEYS}
    us, eu = (make_app(name, table_prefix=f"{name}-", **settings) for name in ("us", "eu"))
    tracers = {app.name: First() for app in (us, eu)}
    for app in (us, eu):
        registry_of(app).recorder.set_tracer(tracers[app.name])

    with us.test_request_context("/"), db.tenant("acme"):
        call_all(thread_model, recorder)
        alone = tracers["us"].take_calls()
        with operation_finished.connected_to(need, sender=us):
            call_all(thread_model, recorder)
        received = tracers["us"].take_calls()
    assert alone == received
    assert len(alone) == 8
    assert {(call.source.app_name, call.source.tenant, call.table, call.endpoint.region) for call in alone} == {
        ("us", "acme", "us-Thread", "us-east-1")
    }
    assert not tracers["eu"].events


def test_patches_are_left_out_in_a_block() -> None:
    """The modules of the tracers are those of the innermost block."""
    assert traced_modules() == frozenset()
    with active(NO_TRACING.replace(First, First())):
        assert traced_modules() == {"first"}
        with active(NO_TRACING):
            assert traced_modules() == frozenset()
    assert traced_modules() == frozenset()


def test_while_botocore_calls_the_tracers_are_silent() -> None:
    """Code of the program that runs in botocore is not part of the call."""
    first = First()
    with active(NO_TRACING.replace(First, first)):
        with silenced():
            assert traced_modules() == frozenset()
            assert first.events == ["silent"]
        assert traced_modules() == {"first"}
    assert first.events == ["silent", "loud"]


@pytest.mark.parametrize(
    ("error", "code", "is_error"),
    [
        (None, None, False),
        (ValueError("no"), None, True),
        (client_error("ValidationException"), "ValidationException", True),
        (client_error("ConditionalCheckFailedException"), "ConditionalCheckFailedException", False),
        (
            client_error("TransactionCanceledException", "None", "ConditionalCheckFailed"),
            "TransactionCanceledException",
            False,
        ),
        (
            client_error("TransactionCanceledException", "ConditionalCheckFailed", "ThrottlingError"),
            "TransactionCanceledException",
            True,
        ),
        (client_error("TransactionCanceledException"), "TransactionCanceledException", True),
    ],
)
def test_a_failed_condition_is_no_error(error: BaseException | None, code: str | None, is_error: bool) -> None:
    """A call failed if DynamoDB or the network failed it. A condition that is not met is a result."""
    call = finished_call(make_operation(), endpoint=UNKNOWN_ENDPOINT, error=error)
    assert (call.error_code, call.is_error) == (code, is_error)


def test_a_failed_condition_in_pynamodbs_error() -> None:
    """PynamoDB moves the reasons of a canceled transaction from the response to an attribute of its error."""
    reason = CancellationReason(code="ConditionalCheckFailed")
    response = client_error("TransactionCanceledException").response
    error = VerboseClientError(response, "TransactWriteItems", cancellation_reasons=[None, reason])
    assert not finished_call(make_operation(), endpoint=UNKNOWN_ENDPOINT, error=error).is_error
