"""``OperationRecorder``: an app counts operations and limits tenants."""

from __future__ import annotations

import enum
import typing as t

import flask
import pytest

import dynaflask
from dynaflask import Operation
from dynaflask import TenantLimitExceeded
from dynaflask import operation_finished
from dynaflask.integrations.sentry import SentryTracer
from dynaflask.operations.operation import Source
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def make(make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any) -> MakeApp:
    """Makes an app whose view reads a thread for the tenant in the header of the request."""
    db.tenant_loader(lambda: flask.request.headers["tenant"])

    def make(name: str = "app", **settings: t.Any) -> flask.Flask:
        app = make_app(name, host=recorder.url, region="us-east-1", meter=True, **KEYS, **settings)
        app.add_url_rule("/", view_func=lambda: {"views": thread_model.get("forum", "subject").views or 0})
        return app

    return make


def visit(app: flask.Flask, tenant: str) -> t.Any:
    """A request for a tenant."""
    return app.test_client().get("/", headers={"tenant": tenant})


def expensive(request: recorders.Request) -> t.Any:
    """An answer of the recorder that consumed 1,000,000 units."""
    return {"Item": request.body["Key"], "ConsumedCapacity": {"TableName": "Thread", "CapacityUnits": 1e6}}


def test_calls_are_counted_by_tenant(make: MakeApp) -> None:
    """The calls of a request are counted for its tenant."""
    app = make()
    for tenant in ("acme", "globex", "acme"):
        assert visit(app, tenant).status_code == 200
    usage = app.extensions["dynamo"].usage(by="tenant")
    assert {tenant: counts.calls for tenant, counts in usage.items()} == {"acme": 2, "globex": 1}


def test_an_app_keeps_its_own_tracers(make_app: MakeApp) -> None:
    """A tracer belongs to one app, until it is replaced or removed."""
    own = [make_app(name).extensions["dynamo"].recorder for name in ("first", "second")]
    for _ in range(2):
        own[0].set_tracer(SentryTracer())
    assert [len(recorder.tracing.tracers) for recorder in own] == [1, 0]
    for recorder in own:
        recorder.remove_tracer(SentryTracer)
    assert [len(recorder.tracing.tracers) for recorder in own] == [0, 0]


def test_an_operation_has_the_tenant(make: MakeApp) -> None:
    """The operation of a call has the tenant that the call was made for."""
    tenants: list[str | None] = []

    def receive(app: flask.Flask, *, operation: Operation) -> None:
        tenants.append(operation.tenant)

    with operation_finished.connected_to(receive):
        visit(make(), "acme")
    assert tenants == ["acme"]


def test_a_tenant_over_its_limit_gets_429(make: MakeApp, recorder: recorders.Recorder) -> None:
    """A tenant above its limit gets 429 and nothing is sent; other tenants are served."""
    app, recorder.answer = make(tenant_capacity=1000), expensive
    assert visit(app, "acme").status_code == 200
    refused = visit(app, "acme")
    assert (refused.status_code, len(recorder.requests)) == (429, 1)
    assert 900 < int(refused.headers["Retry-After"]) <= 1000
    assert visit(app, "globex").status_code == 200


def test_an_app_has_limits_of_its_own(make: MakeApp, recorder: recorders.Recorder) -> None:
    """A tenant above its limit in one app is served by another app."""
    recorder.answer = expensive
    us, eu = make("us", tenant_capacity=1000), make("eu", tenant_capacity=1000, table_prefix="eu-")
    assert [visit(app, "acme").status_code for app in (us, us, eu)] == [200, 429, 200]


@pytest.mark.parametrize("has_function", [False, True], ids=["DYNAMODB_TENANTS", "tenant_settings"])
def test_a_tenant_has_the_limit_of_its_settings(
    make: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, has_function: bool
) -> None:
    """``tenant_capacity`` of a tenant overrides the app's limit, for this tenant in this app alone."""
    recorder.answer = expensive
    limits = {"us": {"acme": 1000, "globex": None}, "eu": {"acme": None, "globex": 1000}}

    def settings_of(name: str) -> dict[str, t.Any] | None:
        own = limits[flask.current_app.name]
        return {"TENANT_CAPACITY": own[name]} if name in own else {}

    if has_function:
        db.tenant_settings(settings_of)
    tenants = {
        name: {} if has_function else {"tenants": {tenant: {"tenant_capacity": own} for tenant, own in values.items()}}
        for name, values in limits.items()
    }
    us = make("us", **tenants["us"])
    eu = make("eu", table_prefix="eu-", tenant_capacity=2000, **tenants["eu"])
    assert [visit(us, "acme").status_code for _ in range(2)] == [200, 429]
    assert [visit(us, "globex").status_code for _ in range(2)] == [200, 200]
    assert [visit(eu, "acme").status_code for _ in range(2)] == [200, 200]
    refused = [visit(eu, "globex") for _ in range(2)]
    assert [response.status_code for response in refused] == [200, 429]
    assert 900 < int(refused[1].headers["Retry-After"]) <= 1000


def test_a_changed_limit_applies_after_the_time_in_the_cache(
    make: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo
) -> None:
    """After DYNAMODB_TENANT_TTL_SECONDS the next request has the limit that the tenant's settings have now."""
    recorder.answer = expensive
    settings: dict[str, t.Any] = {"tenant_capacity": 1000}
    db.tenant_settings(lambda _: settings)
    app = make(tenant_ttl_seconds=1e-9)
    assert [visit(app, "acme").status_code for _ in range(2)] == [200, 429]
    settings["tenant_capacity"] = None
    assert [visit(app, "acme").status_code for _ in range(2)] == [200, 200]


def test_a_tenant_has_a_limit_without_a_meter(
    make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
) -> None:
    """An app that counts nothing and sets no limit refuses a tenant above its own limit."""
    recorder.answer = expensive
    app = make_app(
        host=recorder.url, region="us-east-1", tenants={"acme": {"tenant_capacity": 10}, "globex": {}}, **KEYS
    )
    with app.app_context():
        with db.tenant("acme"):
            thread_model.get("forum", "subject")
            with pytest.raises(TenantLimitExceeded):
                thread_model.get("forum", "subject")
        with db.tenant("globex"):
            thread_model.get("forum", "subject")
            thread_model.get("forum", "subject")


def test_the_limit_is_an_error_of_dynaflask(make: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> None:
    """Code catches TenantLimitExceeded itself; PynamoDB does not wrap it."""
    app, recorder.answer = make(tenant_capacity=1000), expensive
    with app.test_request_context(headers={"tenant": "acme"}):
        thread_model.get("forum", "subject")
        with pytest.raises(TenantLimitExceeded) as caught:
            thread_model("forum", "subject").save()
    assert caught.value.tenant == "acme"


def test_a_block_is_counted_for_its_tenant(make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
    """A call in nested blocks is counted for the innermost tenant, and for None in without_tenant."""
    with make().app_context(), db.tenant("acme"):
        thread_model.get("forum", "subject")
        with db.tenant("globex"):
            thread_model.get("forum", "subject")
        with db.without_tenant(reason="test"):
            thread_model.get("forum", "subject")
        thread_model.get("forum", "subject")
        usage = db.usage(by="tenant")
    assert {tenant: counts.calls for tenant, counts in usage.items()} == {"acme": 2, "globex": 1, None: 1}


def test_a_refused_call_is_an_operation(make: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo) -> None:
    """Of two tenants in two apps, the refused calls are seen by signal and meter, for their tenant and app alone."""
    recorder.answer = expensive
    us, eu = make("us", tenant_capacity=1000), make("eu", table_prefix="eu-")
    operations: list[Operation] = []

    def receive(app: flask.Flask, *, operation: Operation) -> None:
        operations.append(operation)

    with operation_finished.connected_to(receive):
        for app, tenant in ((us, "acme"), (us, "acme"), (us, "acme"), (us, "globex"), (eu, "acme"), (eu, "acme")):
            visit(app, tenant)
    refused = [operation for operation in operations if operation.is_refused]
    assert [(operation.app_name, operation.tenant, operation.operation) for operation in refused] == [
        ("us", "acme", "GetItem")
    ] * 2
    assert {(operation.error, operation.attempts, operation.units) for operation in refused} == {
        ("TenantLimitExceeded", 0, 0)
    }
    assert len(operations) - len(refused) == len(recorder.requests) == 4
    usage = us.extensions["dynamo"].usage(by="tenant")
    counts = {tenant: (usage[tenant].calls, usage[tenant].errors, usage[tenant].refusals) for tenant in usage}
    assert counts == {"acme": (1, 0, 2), "globex": (1, 0, 0)}
    assert eu.extensions["dynamo"].usage(by="tenant")["acme"].refusals == 0


def test_keys_are_told_apart_and_not_shown(
    make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """Recorded reads of one key have one hash, and no value of a key is in an operation."""
    with make(record_operations=True).test_request_context(headers={"tenant": "acme"}):
        for subject in ("a secret", "another", "a secret"):
            thread_model.get("forum", subject)
        first, second, third = db.recorded_operations()
    assert first.key_hash == third.key_hash != second.key_hash
    assert "secret" not in repr(first)


def test_a_call_without_a_key_has_no_hash(make: MakeApp) -> None:
    """A program may call a connection with anything. The record of the error is made without a key."""
    app = make(record_operations=True)
    recorder = app.extensions["dynamo"].recorder
    with app.app_context():
        source = Source("app", "default", None, None)
        operation = recorder.operation("GetItem", {"TableName": "Thread"}, ValueError("no key"), source, 0.1)
    assert (operation.key_hash, operation.error) == (None, "ValueError")


class Forum(str, enum.Enum):
    """A text of the program's own class."""

    FLASK = "flask"


@pytest.mark.parametrize(
    "key", [{"id": {"B": b"1"}}, {"id": {"S": Forum.FLASK}}, {"id": {"S": "1,2"}, "at": {"N": "3"}}]
)
def test_keys_of_all_types_have_a_hash(make: MakeApp, key: dict[str, t.Any]) -> None:
    """Equal keys have one hash, also with bytes or an enumeration. Keys that only look alike in a row have two."""
    app = make(record_operations=True)
    recorder = app.extensions["dynamo"].recorder

    def hash_of(key: dict[str, t.Any]) -> int:
        source = Source("app", "default", None, None)
        return t.cast("int", recorder.operation("GetItem", {"TableName": "T", "Key": key}, {}, source, 0.1).key_hash)

    with app.app_context():
        assert hash_of(key) == hash_of({**key})
        assert hash_of(key) != hash_of({"id": {"S": "1"}, "at": {"S": "2,3"}})
