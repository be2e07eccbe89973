"""``sentry.instrument(app)`` makes one span and one breadcrumb of each call, and keeps the direct transport in use."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import functools
import importlib
import json
import subprocess
import sys
import typing as t
from unittest import mock

import flask
import pytest
import sentry_sdk
import sentry_sdk.integrations
from botocore.client import BaseClient
from pynamodb.exceptions import GetError
from pynamodb.exceptions import PutError
from sentry_sdk.integrations.boto3 import Boto3Integration

import dynaflask
from dynaflask.integrations import sentry
from tests.support import recorder as recorders
from tests.support.paths import PROJECT
from tests.support.sentry_program import Memory
from tests.support.settings import KEYS
from tests.support.settings import MakeApp
from tests.support.tracing import TRANSPORTS

every_transport = pytest.mark.parametrize("transport", TRANSPORTS)
REFUSED = (400, {"__type": "x#ValidationException", "message": "Wrong key: k-12345."})
FAILED_CONDITION = (400, {"__type": "x#ConditionalCheckFailedException", "message": "The conditional request failed"})


@contextlib.contextmanager
def sentry_with(**options: t.Any) -> cabc.Iterator[Memory]:
    """A block in which Sentry is initialised with its integration of boto3. Its patches are removed at the end."""
    memory = Memory()
    names = sentry_sdk.integrations._processed_integrations, sentry_sdk.integrations._installed_integrations
    before = [set(each) for each in names]
    with contextlib.ExitStack() as stack:
        for name in ("__init__", "_make_api_call"):
            stack.enter_context(mock.patch.object(BaseClient, name, vars(BaseClient)[name]))
        stack.enter_context(sentry_sdk.isolation_scope())
        scope = stack.enter_context(sentry_sdk.new_scope())
        client = sentry_sdk.Client(
            dsn="http://key@127.0.0.1:9/1",
            transport=memory,
            traces_sample_rate=1.0,
            default_integrations=False,
            auto_enabling_integrations=False,
            enable_backpressure_handling=False,  # it would start a thread
            integrations=[Boto3Integration()],
            **options,
        )
        scope.set_client(client)
        try:
            yield memory
        finally:
            client.close()
            for each, values in zip(names, before, strict=True):
                each.clear()
                each.update(values)


@pytest.fixture
def memory() -> cabc.Iterator[Memory]:
    """What Sentry gets during the test."""
    with sentry_with() as memory:
        yield memory


@pytest.fixture
def make_traced(make_app: MakeApp, recorder: recorders.Recorder) -> MakeApp:
    """Makes an app that calls the recorder, and traces its calls."""

    def make(name: str = "app", /, **settings: t.Any) -> flask.Flask:
        app = make_app(name, **{"host": recorder.url, "region": "us-east-1", **KEYS, **settings})
        sentry.instrument(app)
        return app

    return make


def read(app: flask.Flask, model: t.Any) -> None:
    """Make one call."""
    with app.app_context():
        model.get("k-12345", "s-12345")


def spans_of(memory: Memory) -> list[dict[str, t.Any]]:
    """The spans of the transactions."""
    return [span for event in memory.events for span in event.get("spans", ())]


@every_transport
def test_each_call_has_one_span(make_traced: MakeApp, thread_model: t.Any, memory: Memory, transport: str) -> None:
    """Each call has one span with app and tenant, although Sentry's own integration of boto3 is installed."""
    app = make_traced("forum", transport=transport, tenants={"acme": {}})
    with sentry_sdk.start_transaction(name="request"), app.app_context():
        with app.extensions["dynamo"].scope.for_tenant("acme"):
            thread_model.get("k", "s")
            thread_model.get("k", "s")
    first, second = spans_of(memory)
    assert (first["op"], first["description"], first["origin"]) == ("db", "GetItem Thread", sentry.ORIGIN)
    assert first["start_timestamp"] <= first["timestamp"] <= second["start_timestamp"]
    expected = {"db.system.name": "aws.dynamodb", "dynaflask.app": "forum", "dynaflask.tenant": "acme"}
    assert expected.items() <= first["data"].items()


@every_transport
def test_a_call_that_falls_back_has_one_span(
    make_traced: MakeApp, thread_model: t.Any, memory: Memory, recorder: recorders.Recorder, transport: str
) -> None:
    """A call that botocore makes or repeats has one span, and no header of the trace is sent to AWS."""
    app = make_traced(transport=transport)
    answers = iter([(500, {"message": "x"}), None])
    recorder.answer = lambda request: next(answers)
    with sentry_sdk.start_transaction(name="request"):
        read(app, thread_model)
    (span,) = spans_of(memory)
    assert span["data"]["http.request.resend_count"] == 1
    assert [{"sentry-trace", "baggage"} & request.headers.keys() for request in recorder.requests] == [set(), set()]


def test_the_direct_transport_stays_in_use(make_traced: MakeApp, thread_model: t.Any, memory: Memory) -> None:
    """Neither Sentry's patches nor its handlers on a client move a traced app's calls to botocore."""
    app = make_traced(transport="direct")
    read(app, thread_model)
    app.extensions["dynamo"].get_client()
    read(app, thread_model)
    with mock.patch("dynaflask.client.direct.transport.make_silenced_call") as make_silenced_call:
        read(app, thread_model)
    make_silenced_call.assert_not_called()
    assert [health.transport for health in app.extensions["dynamo"].check()] == ["direct"]


def test_only_the_instrumented_app_is_traced_by_dynaflask(
    make_traced: MakeApp, make_app: MakeApp, thread_model: t.Any, memory: Memory, recorder: recorders.Recorder
) -> None:
    """Two apps share a client. The calls of the other app are traced by Sentry's own integration, on botocore."""
    ours = make_traced("ours", transport="direct")
    other = make_app("other", host=recorder.url, region="us-east-1", transport="direct", **KEYS)
    with sentry_sdk.start_transaction(name="request"):
        for app in (ours, other, ours, other):
            read(app, thread_model)
    origins = [span["origin"] for span in spans_of(memory)]
    assert origins == [sentry.ORIGIN, Boto3Integration.origin] * 2
    transport = other.extensions["dynamo"].check()[0].transport
    assert transport.startswith("botocore: botocore's BaseClient._make_api_call is patched by Sentry. Call dynaflask.")


def test_each_call_has_a_breadcrumb(
    make_traced: MakeApp, thread_model: t.Any, memory: Memory, recorder: recorders.Recorder
) -> None:
    """An event has the calls before it. A failed condition is no error, and no breadcrumb has the value of a key."""
    app = make_traced()
    read(app, thread_model)
    recorder.answer = lambda request: REFUSED
    with pytest.raises(GetError):
        read(app, thread_model)
    recorder.answer = lambda request: FAILED_CONDITION
    with app.app_context(), pytest.raises(PutError):
        thread_model("k-12345", "s").save(condition=thread_model.forum_name.does_not_exist())
    sentry_sdk.capture_message("hello")
    crumbs = memory.events[-1]["breadcrumbs"]["values"]
    assert [(crumb["message"], crumb["level"]) for crumb in crumbs] == [
        ("GetItem Thread", "info"),
        ("GetItem Thread", "error"),
        ("PutItem Thread", "info"),
    ]
    assert crumbs[1]["data"]["error.type"] == "ValidationException"
    assert "12345" not in str(crumbs)
    assert all(secret not in str(crumbs) for secret in KEYS.values())


def test_a_breadcrumb_has_what_sentry_keeps(
    make_traced: MakeApp, thread_model: t.Any, memory: Memory, recorder: recorders.Recorder, db: dynaflask.Dynamo
) -> None:
    """Sentry keeps ten parts: the tenant, the model and the error are among them."""
    app = make_traced(tenants={"acme": {}})
    recorder.answer = lambda request: REFUSED
    with app.app_context(), db.tenant("acme"), pytest.raises(GetError):
        thread_model.get("k-12345", "s")
    sentry_sdk.capture_message("hello")
    (crumb,) = memory.events[-1]["breadcrumbs"]["values"]
    expected = {"dynaflask.app": "app", "dynaflask.tenant": "acme", "dynaflask.model": "Thread"}
    assert expected.items() <= crumb["data"].items()
    assert {"error.type", "cloud.region", "aws.request_id"} <= crumb["data"].keys()


def test_a_failed_call_has_a_failed_span(
    make_traced: MakeApp, thread_model: t.Any, memory: Memory, recorder: recorders.Recorder
) -> None:
    """The span of a failed call has the code of the error."""
    app = make_traced()
    recorder.answer = lambda request: REFUSED
    with sentry_sdk.start_transaction(name="request"), contextlib.suppress(GetError):
        read(app, thread_model)
    (span,) = spans_of(memory)
    assert (span["status"], span["data"]["error.type"]) == ("internal_error", "ValidationException")


@pytest.mark.parametrize(("answer", "status"), [(None, "ok"), (REFUSED, "error")])
def test_streamed_spans(
    make_traced: MakeApp, thread_model: t.Any, recorder: recorders.Recorder, answer: t.Any, status: str
) -> None:
    """If Sentry streams its spans, each call in a span has one, and a call outside of any span has none."""
    recorder.answer = lambda request: answer
    ended: list[t.Any] = []
    with sentry_with(trace_lifecycle="stream", before_send_span=lambda span, hint: ended.append(span) or span):
        app = make_traced()
        with contextlib.suppress(GetError):
            read(app, thread_model)
        with sentry_sdk.traces.start_span("request"), contextlib.suppress(GetError):
            read(app, thread_model)
    assert [span["name"] for span in ended] == ["GetItem Thread", "request"]
    assert ended[0]["status"] == status


def test_without_sentry_nothing_happens(make_traced: MakeApp, thread_model: t.Any) -> None:
    """A traced app works if ``sentry_sdk.init`` was not called."""
    read(make_traced(), thread_model)


def test_it_can_be_undone(make_traced: MakeApp, thread_model: t.Any, memory: Memory) -> None:
    """After ``uninstrument`` there is no span, and Sentry's own integration makes its own again."""
    app = make_traced()
    sentry.uninstrument(app)
    with sentry_sdk.start_transaction(name="request"):
        read(app, thread_model)
    assert [span["origin"] for span in spans_of(memory)] == [Boto3Integration.origin]


def test_the_package_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Sentry, the error says what to install."""
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    monkeypatch.delitem(sys.modules, "dynaflask.integrations.sentry")
    with pytest.raises(ModuleNotFoundError, match=r"dynaflask\[sentry\]"):
        importlib.import_module("dynaflask.integrations.sentry")


@functools.cache
def under_default() -> dict[str, t.Any]:
    """What the program prints for each transport with the integration, and for one without."""
    pairs = [*(f"{transport},yes" for transport in TRANSPORTS), "direct,no"]
    with recorders.Recorder() as recorder:
        command = [sys.executable, "-m", "tests.support.sentry_program", recorder.url, *pairs]
        result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr
    return dict(zip(pairs, map(json.loads, result.stdout.splitlines()), strict=True))


@every_transport
def test_under_the_default_configuration(transport: str) -> None:
    """Under ``sentry_sdk.init``, a request's spans are one for each call, and its events have the calls."""
    found = under_default()[f"{transport},yes"]
    calls = [name for op, name, data in found["spans"] if "db.system.name" in data]
    assert calls == ["GetItem Thread"] * 2
    assert not [op for op, name, data in found["spans"] if op.startswith("http")]
    assert found["breadcrumbs"] == [["dynamodb", "GetItem Thread"]]
    assert (found["transport"], found["lines"]) == (transport, [])


def test_without_the_integration_the_log_says_what_to_do() -> None:
    """Under ``sentry_sdk.init`` alone, botocore makes the calls. The log says so once, and what to do."""
    found = under_default()["direct,no"]
    (line,) = found["lines"]
    assert "Call dynaflask.integrations.sentry.instrument(app)" in line
    assert found["transport"].startswith("botocore: ")
