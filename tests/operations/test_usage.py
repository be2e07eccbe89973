"""``db.usage()``: calls and consumed capacity of an app, by tenant, model and operation."""

from __future__ import annotations

import concurrent.futures
import typing as t

import flask
import pytest
from pynamodb.exceptions import GetError

import dynaflask
from dynaflask import Operation
from dynaflask import Usage
from dynaflask import UsageKey
from dynaflask.operations.tenant_lru import OTHERS
from dynaflask.operations.usage import Meter
from dynaflask.operations.usage import TenantCounters
from tests.support import forks
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def make(make_app: MakeApp, recorder: recorders.Recorder) -> MakeApp:
    """Makes an app with a meter. The recorder answers each call with one consumed unit."""

    def make(name: str = "app", **settings: t.Any) -> flask.Flask:
        settings = {"host": recorder.url, "region": "us-east-1", "meter": True, **KEYS, **settings}
        return make_app(name, max_retry_attempts=0, **settings)

    return make


def make_operation(tenant: str | None, **values: t.Any) -> Operation:
    """An operation for a tenant."""
    values = {"read_units": 1.0, "duration_seconds": 0.5, **values}
    return Operation(
        operation="GetItem", app_name="app", bind_key="default", model="Thread", table="Thread", tenant=tenant, **values
    )


def calls(meter: Meter) -> dict[str | None, int]:
    """Number of calls by tenant."""
    return {key.tenant: usage.calls for key, usage in meter.read().items()}


class TestUsage:
    """Usage of an app."""

    def test_it_counts_by_model_and_operation(self, make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """Each model and operation has its own calls and units."""
        with make().app_context():
            for _ in range(3):
                thread_model.get("forum", "subject")
            thread_model("forum", "subject").save()
            usage = db.usage()
        assert usage.keys() == {UsageKey(None, "Thread", "GetItem"), UsageKey(None, "Thread", "PutItem")}
        gets, puts = usage[None, "Thread", "GetItem"], usage[None, "Thread", "PutItem"]
        assert (gets.calls, gets.read_units, gets.write_units) == (3, 3, 0)
        assert (puts.calls, puts.read_units, puts.write_units) == (1, 0, 1)
        assert gets.seconds > 0

    def test_it_counts_failed_calls(self, make: MakeApp, thread_model: t.Any, recorder: recorders.Recorder) -> None:
        """A failed call is an error, and also a throttle if DynamoDB throttled it."""
        app = make()
        for code in ("ValidationException", "ThrottlingException"):
            recorder.answer = lambda request, code=code: (400, {"__type": f"x#{code}", "message": "no"})
            with app.app_context(), pytest.raises(GetError):
                thread_model.get("forum", "subject")
        (usage,) = app.extensions["dynamo"].usage().values()
        assert (usage.calls, usage.errors, usage.throttles, usage.read_units) == (2, 2, 1, 0)

    def test_it_sums_by_one_field(self, make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """usage(by=...) sums by tenant, model or operation."""
        with make().app_context():
            thread_model.get("forum", "subject")
            thread_model("forum", "subject").save()
            db.connection.list_tables()
            assert db.usage(by="model").keys() == {"Thread", None}
            assert db.usage(by="model")["Thread"].calls == 2
            assert db.usage(by="tenant")[None].calls == 3
            assert db.usage(by="operation")["ListTables"].calls == 1

    def test_it_becomes_json_with_names(self, make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """With ``string_keys`` the usage can be sent as JSON: by default with all three names, or with one."""
        app = make()
        with app.app_context():
            db.connection.list_tables()
            with db.tenant("a/c"):
                thread_model.get("forum", "subject")
            shown = flask.jsonify(db.usage(string_keys=True)).json
            assert shown.keys() == {"//ListTables", "a/c/Thread/GetItem"}
            assert {**shown["a/c/Thread/GetItem"], "seconds": 0} == {
                "calls": 1,
                "errors": 0,
                "throttles": 0,
                "retries": 0,
                "read_units": 1.0,
                "write_units": 0.0,
                "seconds": 0,
                "refusals": 0,
            }
            by_tenant = flask.jsonify(app.extensions["dynamo"].usage(by="tenant", string_keys=True)).json
            assert {name: usage["calls"] for name, usage in by_tenant.items()} == {"": 1, "a/c": 1}
            assert flask.jsonify(db.usage(by="operation")).json["GetItem"]["read_units"] == 1

    def test_an_unknown_field_is_an_error(self, make: MakeApp, db: dynaflask.Dynamo) -> None:
        """The message of usage(by=...) lists the valid fields."""
        with make().app_context(), pytest.raises(ValueError, match="'tenant', 'model', 'operation'"):
            db.usage(by="table")

    def test_reset_starts_at_zero(self, make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """usage(reset=True) returns the counts and removes them."""
        with make().app_context():
            thread_model.get("forum", "subject")
            assert db.usage(by="operation", reset=True)["GetItem"].calls == 1
            assert db.usage() == {}
            thread_model.get("forum", "subject")
            assert db.usage(by="operation")["GetItem"].calls == 1

    def test_each_app_has_its_own_usage(self, make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """A call in a nested context is counted for the app of that context."""
        us, eu = make("us", region="us-west-2"), make("eu", region="eu-west-1", table_prefix="eu-")
        with us.app_context():
            thread_model.get("forum", "subject")
            with eu.app_context():
                thread_model.get("forum", "subject")
                thread_model.get("forum", "subject")
                assert db.usage(by="tenant")[None].calls == 2
            assert db.usage(by="tenant")[None].calls == 1

    def test_an_app_without_a_meter_raises(self, make: MakeApp, db: dynaflask.Dynamo) -> None:
        """The message names the setting to change."""
        with make(meter=False).app_context(), pytest.raises(RuntimeError, match="DYNAMODB_METER = True"):
            db.usage()

    def test_a_forked_child_starts_at_zero(self, make: MakeApp, thread_model: t.Any) -> None:
        """The counts of the parent stay in the parent."""
        app = make()
        with app.app_context():
            thread_model.get("forum", "subject")
        assert forks.exit_code_of(lambda: len(app.extensions["dynamo"].usage()) == 0) == 0
        assert len(app.extensions["dynamo"].usage()) == 1


class TestMeter:
    """``Meter``: counts under threads, resets and evictions."""

    def test_no_call_is_lost_between_threads(self) -> None:
        """Each call is counted once under resets, reads and evictions."""
        meter, resets = Meter(max_tenants=4), []

        def work(number: int) -> None:
            for turn in range(1000):
                meter.add(make_operation(f"tenant-{(number + turn) % 12}"))
                if turn % 10 == 0:
                    meter.read()
                if turn % 100 == 0:
                    resets.append(meter.read(reset=True))

        with concurrent.futures.ThreadPoolExecutor(8) as executor:
            list(executor.map(work, range(8)))
        resets.append(meter.read())
        usages = [usage for counts in resets for usage in counts.values()]
        assert sum(usage.calls for usage in usages) == 8000
        assert sum(usage.read_units for usage in usages) == 8000

    def test_tenants_above_the_limit_are_counted_together(self) -> None:
        """The tenants without a call for the longest time are counted as "*"."""
        meter = Meter(max_tenants=4)
        for number in range(100):
            meter.add(make_operation("regular"))
            meter.add(make_operation(f"passing-{number}"))
        counts = calls(meter)
        assert len(counts) <= 4
        assert counts["regular"] == 100
        assert sum(counts.values()) == 200
        assert counts[OTHERS] > 90

    def test_tenants_up_to_the_limit_are_counted_separately(self) -> None:
        """No tenant is counted as "*" before there are more than max_tenants."""
        meter = Meter(max_tenants=10)
        for number in range(10):
            meter.add(make_operation(f"tenant-{number}"))
        assert calls(meter) == {f"tenant-{number}": 1 for number in range(10)}

    @pytest.mark.parametrize("most", [1, 2, 3])
    def test_it_counts_with_a_limit_of_few_tenants(self, most: int) -> None:
        """No call is lost if nearly every call evicts a tenant."""
        meter = Meter(max_tenants=most)
        for number in range(20):
            meter.add(make_operation(f"tenant-{number % 7}"))
        assert sum(calls(meter).values()) == 20


def test_closed_counters_stay_closed() -> None:
    """A read of counters that were evicted does not let another thread add to them."""
    counters = TenantCounters("acme")
    counters.read(close=True)
    counters.read()
    assert not counters.add("Thread", "GetItem", (1, 0, 0, 0, 0.0, 0.0, 0.0))


def test_counts_add_up() -> None:
    """The sum of two usages is the sum of each field."""
    assert Usage(1, 0, 0, 2, 0.5, 0, 1.0) + Usage(1, 1, 1, 0, 0.5, 3, 0.5) == Usage(2, 1, 1, 2, 1.0, 3, 1.5)
