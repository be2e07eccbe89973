"""``Slot``: the operations of some seconds, by tenant, and by model, operation and route."""

from __future__ import annotations

import typing as t

import pytest

from dynaflask.integrations.dashboard import slot
from dynaflask.integrations.dashboard.slot import OTHER_CALLS
from dynaflask.integrations.dashboard.slot import OTHER_THROTTLES
from dynaflask.integrations.dashboard.slot import CallKey
from dynaflask.integrations.dashboard.slot import Counts
from dynaflask.integrations.dashboard.slot import Slot
from dynaflask.integrations.dashboard.slot import Throttle
from dynaflask.operations.caller import Caller
from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import ThrottlingReason
from dynaflask.operations.tenant_lru import OTHERS
from tests.support.operations import make_operation

GET = CallKey("Thread", "GetItem", None)


@pytest.fixture
def counted() -> Slot:
    """What is counted."""
    return Slot()


def operation(name: str = "GetItem", **fields: t.Any) -> Operation:
    """An operation on threads."""
    defaults = {"app_name": "us", "table": "us-Thread", "tenant": "acme", "read_units": 0.5}
    return make_operation(name, **{**defaults, **fields})


def receive(counted: Slot, *operations: Operation) -> None:
    for each in operations:
        counted.add(each)


def test_calls_are_counted_by_tenant_and_by_model_and_operation(counted: Slot) -> None:
    """Each call is counted for its tenant, and for its model and operation."""
    receive(counted, operation(), operation(tenant=None), operation("PutItem", read_units=0.0, write_units=2.0))
    assert {name: (counts.calls, counts.units) for name, counts in counted.tenants.items()} == {
        "acme": (2, 2.5),
        None: (1, 0.5),
    }
    assert {key: counts.calls for key, counts in counted.counts.items()} == {
        GET: 2,
        CallKey("Thread", "PutItem", None): 1,
    }


def test_a_call_without_a_model_has_the_name_of_its_table_or_of_its_bind(counted: Slot) -> None:
    """A table without a model is named by itself, and a call to several tables by its bind."""
    receive(counted, operation(model=None), operation("BatchGetItem", model=None, table=None))
    assert list(counted.counts) == [
        CallKey("us-Thread", "GetItem", None),
        CallKey("default", "BatchGetItem", None),
    ]


def test_a_refused_call_was_not_sent(counted: Slot) -> None:
    """A call that the tenant's limit refused is a refusal of the tenant, and no call."""
    receive(counted, operation(is_refused=True, error="TenantLimitExceeded"))
    assert (counted.tenants["acme"].refusals, counted.tenants["acme"].calls, counted.counts) == (1, 0, {})


def test_errors_are_counted_by_their_code(counted: Slot) -> None:
    """Each error code has its number."""
    receive(counted, operation(), *[operation(error="ConditionalCheckFailedException")] * 2)
    assert counted.counts[GET].errors == {"ConditionalCheckFailedException": 2}


def test_throttles_have_dynamodbs_reason_and_resource(counted: Slot) -> None:
    """A throttled call counts for each of DynamoDB's reasons; without one, for its code and table."""
    reason = ThrottlingReason("TableWriteKeyRangeThroughputExceeded", "arn:aws:dynamodb:us-east-1:1:table/Thread")
    throttled = operation(error="ThrottlingException", is_throttled=True)
    receive(counted, throttled._replace(throttling_reasons=(reason,)), throttled, throttled._replace(table=None))
    assert counted.throttles == {
        Throttle(*reason): 1,
        Throttle("ThrottlingException", "us-Thread"): 1,
        Throttle("ThrottlingException", "default"): 1,
    }
    assert counted.tenants["acme"].throttles == 3


def test_percentiles(counted: Slot) -> None:
    """A percentile is right to a tenth, also for durations of zero; without calls it is 0."""
    receive(counted, operation(duration_seconds=0.0), *[operation(duration_seconds=n / 1000) for n in range(1, 100)])
    counts = counted.counts[GET]
    assert counts.percentile(0.5) == pytest.approx(0.05, rel=0.1)
    assert counts.percentile(0.95) == pytest.approx(0.095, rel=0.1)
    assert Counts().percentile(0.5) == 0


def test_the_worst_operation_of_each_route_is_kept_with_its_line(counted: Slot) -> None:
    """Of each model, operation and route, the slowest and the costliest are kept, with the line that made the call."""
    caller = Caller("views.py", 7, "show")
    receive(
        counted,
        operation(duration_seconds=0.2, request_id="slow"),
        operation(read_units=7.0, request_id="costly"),
        operation(request_id="neither"),
        operation(route="show", caller=caller, request_id="elsewhere"),
    )
    slowest = [t.cast("Operation", counts.slowest) for counts in counted.counts.values()]
    costliest = [t.cast("Operation", counts.costliest) for counts in counted.counts.values()]
    assert [each.request_id for each in slowest] == ["slow", "elsewhere"]
    assert [each.request_id for each in costliest] == ["costly", "elsewhere"]
    assert [each.caller and each.caller.function for each in slowest] == ["receive", "show"]


def test_the_memory_is_bounded(counted: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of tenants, models, reasons and routes, they are counted together."""
    monkeypatch.setattr(slot, "MAX_KEYS", 2)
    for number in range(5):
        each = operation(tenant=f"tenant {number}", model=f"Model {number}", error="ThrottlingException")
        receive(counted, each._replace(is_throttled=True, table=f"table {number}"))
    assert {name: counts.calls for name, counts in counted.tenants.items()} == {"tenant 0": 1, "tenant 1": 1, OTHERS: 3}
    assert counted.counts[OTHER_CALLS].calls == 3
    assert counted.throttles[OTHER_THROTTLES] == 3
