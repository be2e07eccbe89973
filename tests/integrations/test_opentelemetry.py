"""``opentelemetry.instrument(app)`` makes one span and one measurement of each call, by the semantic conventions."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import importlib
import json
import logging
import sys
import time
import typing as t
from unittest import mock

import flask
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import sampling
from opentelemetry.semconv._incubating.attributes import aws_attributes
from opentelemetry.semconv._incubating.attributes import cloud_attributes
from opentelemetry.semconv._incubating.attributes.db_attributes import DbSystemNameValues
from opentelemetry.semconv.attributes import db_attributes
from opentelemetry.semconv.attributes import error_attributes
from opentelemetry.semconv.attributes import server_attributes
from opentelemetry.semconv.metrics import db_metrics
from opentelemetry.trace import StatusCode
from pynamodb.exceptions import GetError
from pynamodb.exceptions import PutError

import dynaflask
from dynaflask.cli.doctor import probes
from dynaflask.client import fallback_log
from dynaflask.integrations import opentelemetry
from dynaflask.testing import recorder as recorders
from tests.support import engines
from tests.support.settings import KEYS
from tests.support.settings import MakeApp
from tests.support.tracing import TRANSPORTS
from tests.support.tracing import Telemetry

every_transport = pytest.mark.parametrize("transport", TRANSPORTS)
REFUSED = (400, {"__type": "x#ValidationException", "message": "Wrong key: k-12345."})
FAILED_CONDITION = (400, {"__type": "x#ConditionalCheckFailedException", "message": "The conditional request failed"})


@pytest.fixture
def telemetry() -> Telemetry:
    """Providers of the test's own."""
    return Telemetry()


@pytest.fixture
def make_traced(make_app: MakeApp, recorder: recorders.Recorder, telemetry: Telemetry) -> MakeApp:
    """Makes an app that calls the recorder, and traces its calls."""

    def make(name: str = "app", /, **settings: t.Any) -> flask.Flask:
        app = make_app(name, **{"host": recorder.url, "region": "us-east-1", **KEYS, **settings})
        instrument(app, telemetry)
        return app

    return make


def instrument(app: flask.Flask, telemetry: Telemetry) -> None:
    """Trace the calls of an app."""
    opentelemetry.instrument(app, tracer_provider=telemetry.tracer_provider, meter_provider=telemetry.meter_provider)


def read(app: flask.Flask, model: t.Any) -> None:
    """Make one call."""
    with app.app_context():
        model.get("k-12345", "s-12345")


@every_transport
def test_each_call_has_one_span(
    make_traced: MakeApp, thread_model: t.Any, telemetry: Telemetry, transport: str
) -> None:
    """Each call has one span, with OpenTelemetry's instrumentation of botocore and without, on each transport."""
    app = make_traced(transport=transport)
    read(app, thread_model)
    with telemetry.botocore_wrapper():
        read(app, thread_model)
        read(app, thread_model)
    assert [span.name for span in telemetry.spans] == ["GetItem Thread"] * 3
    assert len(telemetry.dynamo_spans) == 3


@pytest.mark.parametrize("with_client", [False, True], ids=["without a client", "with a client"])
def test_the_direct_transport_stays_in_use(
    make_traced: MakeApp, thread_model: t.Any, telemetry: Telemetry, with_client: bool
) -> None:
    """OpenTelemetry's instrumentation of botocore does not move a traced app's calls to botocore."""
    with telemetry.botocore_wrapper():
        app = make_traced(transport="direct")
        if with_client:
            app.extensions["dynamo"].get_client()
        read(app, thread_model)
        with mock.patch("dynaflask.client.direct.transport.make_silenced_call") as make_silenced_call:
            read(app, thread_model)
        assert [health.transport for health in app.extensions["dynamo"].check()] == ["direct"]
    make_silenced_call.assert_not_called()


@every_transport
def test_a_call_that_falls_back_has_one_span(
    make_traced: MakeApp, thread_model: t.Any, telemetry: Telemetry, recorder: recorders.Recorder, transport: str
) -> None:
    """A call that botocore makes or repeats has one span, with the number of its retries."""
    app = make_traced(transport=transport)
    answers = iter([(500, {"message": "x"}), (500, {"message": "x"}), None])
    recorder.answer = lambda request: next(answers)
    with telemetry.botocore_wrapper():
        read(app, thread_model)
    (span,) = telemetry.spans
    assert span.attributes["http.request.resend_count"] == 2
    assert [request.headers.get("x-amzn-trace-id") for request in recorder.requests] == [None] * 3


def test_no_header_of_a_trace_gets_into_a_template(
    make_traced: MakeApp, thread_model: t.Any, telemetry: Telemetry, recorder: recorders.Recorder
) -> None:
    """The first call of a client, from which the transport learns, has no header of the request's own trace."""
    app = make_traced(transport="direct")
    app.extensions["dynamo"].get_client()
    tracer = telemetry.tracer_provider.get_tracer("test")
    with telemetry.botocore_wrapper(), tracer.start_as_current_span("request"):
        read(app, thread_model)
        read(app, thread_model)
    assert [request.headers.get("x-amzn-trace-id") for request in recorder.requests] == [None, None]
    assert [span.name for span in telemetry.spans] == ["GetItem Thread"] * 2 + ["request"]


def test_a_span_is_a_child_of_the_current_span(make_traced: MakeApp, thread_model: t.Any, telemetry: Telemetry) -> None:
    """A span begins and ends with its call, as a child of the span that is current at the call."""
    app, tracer = make_traced(), telemetry.tracer_provider.get_tracer("test")
    before = time.time_ns()
    with tracer.start_as_current_span("request") as request:
        read(app, thread_model)
        assert trace.get_current_span() is request
    child, parent = telemetry.spans
    assert child.parent == parent.context
    assert before <= parent.start_time <= child.start_time < child.end_time <= time.time_ns()
    assert child.kind is trace.SpanKind.CLIENT


@contextlib.contextmanager
def left_out() -> cabc.Iterator[None]:
    """A block in the span of a request that is not sampled."""
    parent = trace.SpanContext(trace_id=1, span_id=2, is_remote=True, trace_flags=trace.TraceFlags.get_default())
    with trace.use_span(trace.NonRecordingSpan(parent)):
        yield


def test_a_call_in_a_request_that_is_not_sampled_is_only_measured(
    make_traced: MakeApp, thread_model: t.Any, telemetry: Telemetry, recorder: recorders.Recorder
) -> None:
    """It has no span. Success and error are measured as in a sampled request."""
    app = make_traced()
    with left_out():
        read(app, thread_model)
        recorder.answer = lambda request: REFUSED
        with pytest.raises(GetError):
            read(app, thread_model)
    assert not telemetry.spans
    assert [point.attributes.get(error_attributes.ERROR_TYPE) for _, point in telemetry.points] == [
        None,
        "ValidationException",
    ]
    assert not [point.exemplars for _, point in telemetry.points if point.exemplars]


def test_a_sampler_may_keep_a_call_in_a_request_that_is_not_sampled(
    make_app: MakeApp,
    db: dynaflask.Dynamo,
    thread_model: t.Any,
    telemetry: Telemetry,
    recorder: recorders.Recorder,
) -> None:
    """A sampler that does not follow the parent sees tenant and table, and the span has all attributes."""
    seen: list[t.Any] = []

    class OneTenant(sampling.Sampler):
        """Keeps the calls of one tenant."""

        def should_sample(self, *args: t.Any, **options: t.Any) -> sampling.SamplingResult:
            attributes = options.get("attributes") or args[4]
            seen.append(dict(attributes))
            keeps = attributes.get("dynaflask.tenant") == "acme"
            return sampling.SamplingResult(sampling.Decision(2 if keeps else 0), attributes)

        def get_description(self) -> str:
            return "one tenant"

    telemetry.tracer_provider.sampler = OneTenant()
    apps = [make_app(name, host=recorder.url, region="us-east-1", **KEYS) for name in ("us", "eu")]
    for app in apps:
        instrument(app, telemetry)
        for tenant in ("acme", "globex"):
            with app.app_context(), db.tenant(tenant):
                thread_model.get("k-12345", "s-12345")
                with left_out():
                    thread_model.get("k-12345", "s-12345")
    attributes = [dict(span.attributes or {}) for span in telemetry.dynamo_spans]
    assert [(each["dynaflask.app"], each["dynaflask.tenant"]) for each in attributes] == [
        *[("us", "acme")] * 2,
        *[("eu", "acme")] * 2,
    ]
    for in_request, alone in (attributes[:2], attributes[2:]):
        assert in_request.keys() == alone.keys()
        assert "dynaflask.read_units" in alone
    assert all("aws.dynamodb.table_names" in each for each in seen)


def test_the_attributes_follow_the_conventions(
    make_traced: MakeApp, thread_model: t.Any, telemetry: Telemetry, recorder: recorders.Recorder, db: dynaflask.Dynamo
) -> None:
    """A span says what was called where, for which app, bind and tenant."""
    app = make_traced("forum", tenants={"acme": {}})
    with app.app_context(), db.tenant("acme"):
        thread_model.get("k-12345", "s-12345")
    (span,) = telemetry.spans
    expected = {
        db_attributes.DB_SYSTEM_NAME: DbSystemNameValues.AWS_DYNAMODB.value,
        db_attributes.DB_OPERATION_NAME: "GetItem",
        db_attributes.DB_COLLECTION_NAME: "Thread",
        server_attributes.SERVER_ADDRESS: "127.0.0.1",
        server_attributes.SERVER_PORT: recorder.port,
        cloud_attributes.CLOUD_REGION: "us-east-1",
        aws_attributes.AWS_DYNAMODB_TABLE_NAMES: ("Thread",),
        "dynaflask.app": "forum",
        "dynaflask.bind": "default",
        "dynaflask.model": "Thread",
        "dynaflask.tenant": "acme",
    }
    assert expected.items() <= dict(span.attributes).items()
    assert span.status.status_code is StatusCode.UNSET


def test_each_span_has_its_own_tenant(
    make_traced: MakeApp, thread_model: t.Any, telemetry: Telemetry, db: dynaflask.Dynamo
) -> None:
    """Two tenants of two apps: a span names the app and the tenant that its call was made for."""
    apps = [make_traced(name, tenants={"acme": {}, "globex": {}}) for name in ("us", "eu")]
    for app in apps:
        for tenant in ("acme", "globex"):
            with app.app_context(), db.tenant(tenant):
                thread_model.get("k", "s")
    pairs = [(span.attributes["dynaflask.app"], span.attributes["dynaflask.tenant"]) for span in telemetry.spans]
    assert pairs == [("us", "acme"), ("us", "globex"), ("eu", "acme"), ("eu", "globex")]


def test_the_duration_is_measured(make_traced: MakeApp, thread_model: t.Any, telemetry: Telemetry) -> None:
    """The histogram of the conventions has their unit and buckets, and no attribute of a tenant or a request."""
    app = make_traced("forum", tenants={"acme": {}})
    with app.app_context(), app.extensions["dynamo"].scope.for_tenant("acme"):
        thread_model.get("k-12345", "s-12345")
    ((metric, point),) = telemetry.points
    assert (metric.name, metric.unit) == (db_metrics.DB_CLIENT_OPERATION_DURATION, "s")
    assert (point.explicit_bounds, point.count) == (opentelemetry.BUCKETS_SECONDS, 1)
    (span,) = telemetry.spans
    assert point.sum == pytest.approx((span.end_time - span.start_time) / 1e9, abs=1e-6)
    assert point.attributes["db.operation.name"] == "GetItem"
    assert "acme" not in str(point.attributes)


def test_an_error_is_an_error(
    make_traced: MakeApp, thread_model: t.Any, telemetry: Telemetry, recorder: recorders.Recorder
) -> None:
    """A failed call has the error's code and no message, in which DynamoDB may repeat values."""
    app = make_traced()
    recorder.answer = lambda request: REFUSED
    with pytest.raises(GetError):
        read(app, thread_model)
    (span,) = telemetry.spans
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert span.attributes[error_attributes.ERROR_TYPE] == "ValidationException"
    assert span.attributes[db_attributes.DB_RESPONSE_STATUS_CODE] == "ValidationException"
    ((_, point),) = telemetry.points
    assert point.attributes[error_attributes.ERROR_TYPE] == "ValidationException"


def test_a_condition_that_is_not_met_is_no_error(
    make_traced: MakeApp, thread_model: t.Any, telemetry: Telemetry, recorder: recorders.Recorder
) -> None:
    """A failed condition is a result: the span has its code, and no error."""
    app = make_traced()
    recorder.answer = lambda request: FAILED_CONDITION
    with app.app_context(), pytest.raises(PutError):
        thread_model("k", "s").save(condition=thread_model.forum_name.does_not_exist())
    (span,) = telemetry.spans
    assert span.status.status_code is StatusCode.UNSET
    assert error_attributes.ERROR_TYPE not in span.attributes
    assert span.attributes[db_attributes.DB_RESPONSE_STATUS_CODE] == "ConditionalCheckFailedException"


def test_nothing_has_a_key_or_a_secret(
    make_traced: MakeApp, thread_model: t.Any, telemetry: Telemetry, recorder: recorders.Recorder
) -> None:
    """No span or measurement has the value of a key, or a credential."""
    app = make_traced()
    read(app, thread_model)
    recorder.answer = lambda request: REFUSED
    with pytest.raises(GetError):
        read(app, thread_model)
    text = "".join(span.to_json() for span in telemetry.spans) + str(telemetry.points)
    assert "12345" not in text
    assert all(secret not in text for secret in KEYS.values())


def test_only_the_instrumented_app_is_traced(
    make_traced: MakeApp, make_app: MakeApp, thread_model: t.Any, telemetry: Telemetry, recorder: recorders.Recorder
) -> None:
    """Two apps share a client. The calls of the other app are traced by OpenTelemetry's wrapper of botocore alone."""
    ours = make_traced("ours", transport="direct")
    other = make_app("other", host=recorder.url, region="us-east-1", transport="direct", **KEYS)
    read(other, thread_model)
    assert telemetry.spans == []
    with telemetry.botocore_wrapper():
        for app in (ours, other, ours, other):
            read(app, thread_model)
        scopes = [span.instrumentation_scope.name for span in telemetry.spans]
        transports = [app.extensions["dynamo"].check()[0].transport for app in (ours, other)]
    assert [scope.partition(".")[0] for scope in scopes] == ["dynaflask", "opentelemetry"] * 2
    assert transports[0] == "direct"
    assert transports[1].startswith("botocore: botocore's BaseClient._make_api_call is patched by OpenTelemetry.")


def test_the_doctor_tells_the_transport_of_each_app(
    make_traced: MakeApp, make_app: MakeApp, telemetry: Telemetry, recorder: recorders.Recorder
) -> None:
    """The doctor looks at the client as the calls of its app do."""
    ours = make_traced("ours", transport="direct")
    other = make_app("other", host=recorder.url, region="us-east-1", transport="direct", **KEYS)
    with telemetry.botocore_wrapper():
        registries = [app.extensions["dynamo"] for app in (ours, other)]
        clients = [probes.look_up_client(registry, registry.bind(None)) for registry in registries]
    assert [client.transport for client in clients] == ["direct", "botocore"]
    assert "Call dynaflask.integrations.opentelemetry.instrument(app)" in str(clients[1].transport_reason)


def test_the_other_app_is_told_what_to_do(  # noqa: PLR0917 - fixtures
    make_app: MakeApp,
    thread_model: t.Any,
    telemetry: Telemetry,
    recorder: recorders.Recorder,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An app that is not instrumented says once in the log why botocore makes its calls, and what to do."""
    monkeypatch.setattr(fallback_log, "_logged", set())
    app = make_app(host=recorder.url, region="us-east-1", transport="direct", **KEYS)
    with telemetry.botocore_wrapper(), caplog.at_level(logging.WARNING):
        read(app, thread_model)
        read(app, thread_model)
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("dynaflask")]
    assert "Call dynaflask.integrations.opentelemetry.instrument(app)" in line


def test_another_patch_is_still_seen(
    make_traced: MakeApp, thread_model: t.Any, telemetry: Telemetry, recorder: recorders.Recorder
) -> None:
    """A patch of a program below or above OpenTelemetry's gets the calls of a traced app."""
    app = make_traced(transport="direct")
    read(app, thread_model)
    target = "botocore.client.BaseClient._make_api_call"
    with mock.patch(target, return_value={"Item": {"forum_name": {"S": "k"}, "subject": {"S": "s"}}}) as below:
        with telemetry.botocore_wrapper():
            read(app, thread_model)
        read(app, thread_model)
    with telemetry.botocore_wrapper(), mock.patch(target, return_value=below.return_value) as above:
        read(app, thread_model)
    assert (below.call_count, above.call_count, len(recorder.requests)) == (2, 1, 1)
    assert len(telemetry.dynamo_spans) == 4


def test_calls_with_a_time_limit_are_traced(make_traced: MakeApp, thread_model: t.Any, telemetry: Telemetry) -> None:
    """A call that runs in a thread of its own has one span, too."""
    app = make_traced(call_timeout_seconds=10)
    tracer = telemetry.tracer_provider.get_tracer("test")
    with telemetry.botocore_wrapper(), tracer.start_as_current_span("request"):
        read(app, thread_model)
    child, parent = telemetry.spans
    assert child.parent == parent.context


def test_it_can_be_undone_and_repeated(make_traced: MakeApp, thread_model: t.Any, telemetry: Telemetry) -> None:
    """Two calls of ``instrument`` make one span; after ``uninstrument`` there is none."""
    app = make_traced()
    instrument(app, telemetry)
    read(app, thread_model)
    opentelemetry.uninstrument(app)
    opentelemetry.uninstrument(app)
    read(app, thread_model)
    assert len(telemetry.spans) == 1


def test_an_app_without_the_extension_is_refused() -> None:
    """The error says what to call first."""
    with pytest.raises(RuntimeError, match=r"'plain' is not initialised. Call db.init_app\(app\) first"):
        opentelemetry.instrument(flask.Flask("plain"))


def test_the_package_is_optional(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without OpenTelemetry, the error says what to install."""
    monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation.utils", None)
    monkeypatch.delitem(sys.modules, "dynaflask.integrations.opentelemetry")
    with pytest.raises(ModuleNotFoundError, match=r"dynaflask\[opentelemetry\]"):
        importlib.import_module("dynaflask.integrations.opentelemetry")


@every_transport
def test_on_a_real_engine(  # noqa: PLR0917 - fixtures
    ministack: engines.Engine,
    account: engines.Account,
    telemetry: Telemetry,
    thread_model: t.Any,
    db: dynaflask.Dynamo,
    transport: str,
) -> None:
    """On a real engine, the spans have the units, and each page of a query has a span."""
    app = flask.Flask("forum")
    app.config.from_mapping(ministack.settings(account), DYNAMODB_TRANSPORT=transport)
    db.init_app(app)
    with app.app_context():
        db.create_all(wait=True)
    instrument(app, telemetry)
    with app.app_context(), telemetry.botocore_wrapper():
        with thread_model.batch_write() as batch:
            for number in range(3):
                batch.save(thread_model("flask", str(number)))
        assert len(list(thread_model.query("flask", page_size=2))) == 3
        with db.transact_write() as transaction:
            transaction.save(thread_model("flask", "4"))
    names = [span.attributes["db.operation.name"] for span in telemetry.spans]
    assert names == ["BatchWriteItem", "Query", "Query", "TransactWriteItems"]
    assert telemetry.spans[1].attributes["dynaflask.read_units"] > 0
    assert telemetry.spans[3].attributes["dynaflask.write_units"] > 0
    for span in telemetry.spans:
        (consumed,) = span.attributes[aws_attributes.AWS_DYNAMODB_CONSUMED_CAPACITY]
        assert json.loads(consumed)["TableName"].endswith("Thread")
