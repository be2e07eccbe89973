"""``db.usage()``: what an app's calls consumed, by tenant, model and operation."""

from __future__ import annotations

import concurrent.futures
import os
import typing as t

import flask
import pytest
from pynamodb.exceptions import GetError

import dynaflask
from dynaflask import Operation
from dynaflask import Usage
from dynaflask import UsageKey
from dynaflask.operations.usage import OTHERS
from dynaflask.operations.usage import Meter
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def make(make_app: MakeApp, recorder: recorders.Recorder) -> MakeApp:
    """Makes an app that counts, and whose calls the recorder answers with one unit each."""

    def make(name: str = "app", **settings: t.Any) -> flask.Flask:
        settings = {"host": recorder.url, "region": "us-east-1", "meter": True, **KEYS, **settings}
        return make_app(name, max_retry_attempts=0, **settings)

    return make


def called(tenant: str | None, **facts: t.Any) -> Operation:
    """A call of a tenant's."""
    facts = {"read_units": 1.0, "duration_seconds": 0.5, **facts}
    return Operation(
        name="GetItem", app_name="app", bind_key="default", model="Thread", table="Thread", tenant=tenant, **facts
    )


def calls(meter: Meter) -> dict[str | None, int]:
    """How many calls each tenant made."""
    return {key.tenant: usage.calls for key, usage in meter.read().items()}


class TestUsage:
    """What an app tells."""

    def test_it_counts_by_model_and_operation(self, make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """Calls and units; reads apart from writes."""
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

    def test_it_counts_what_fails(self, make: MakeApp, thread_model: t.Any, recorder: recorders.Recorder) -> None:
        """And what is throttled."""
        app = make()
        for code in ("ValidationException", "ThrottlingException"):
            recorder.answer = lambda request, code=code: (400, {"__type": f"x#{code}", "message": "no"})
            with app.app_context(), pytest.raises(GetError):
                thread_model.get("forum", "subject")
        (usage,) = app.extensions["dynamo"].usage().values()
        assert (usage.calls, usage.errors, usage.throttles, usage.read_units) == (2, 2, 1, 0)

    def test_it_is_summed_up(self, make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """By one part of its keys."""
        with make().app_context():
            thread_model.get("forum", "subject")
            thread_model("forum", "subject").save()
            db.connection.list_tables()
            assert db.usage(by="model").keys() == {"Thread", None}
            assert db.usage(by="model")["Thread"].calls == 2
            assert db.usage(by="tenant")[None].calls == 3
            assert db.usage(by="operation")["ListTables"].calls == 1

    def test_it_is_not_summed_up_by_anything_else(self, make: MakeApp, db: dynaflask.Dynamo) -> None:
        """The message says by what."""
        with make().app_context(), pytest.raises(ValueError, match="'tenant', 'model', 'operation'"):
            db.usage(by="table")

    def test_it_begins_anew_when_it_is_reset(self, make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """Whoever resets it gets what is taken away."""
        with make().app_context():
            thread_model.get("forum", "subject")
            assert db.usage(by="operation", reset=True)["GetItem"].calls == 1
            assert db.usage() == {}
            thread_model.get("forum", "subject")
            assert db.usage(by="operation")["GetItem"].calls == 1

    def test_each_app_has_its_own(self, make: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """A nested context counts for its own app."""
        us, eu = make("us", region="us-west-2"), make("eu", region="eu-west-1", table_prefix="eu-")
        with us.app_context():
            thread_model.get("forum", "subject")
            with eu.app_context():
                thread_model.get("forum", "subject")
                thread_model.get("forum", "subject")
                assert db.usage(by="tenant")[None].calls == 2
            assert db.usage(by="tenant")[None].calls == 1

    def test_an_app_that_does_not_count_says_so(self, make: MakeApp, db: dynaflask.Dynamo) -> None:
        """And what to do."""
        with make(meter=False).app_context(), pytest.raises(RuntimeError, match="DYNAMODB_METER = True"):
            db.usage()

    def test_a_forked_child_begins_with_nothing(self, make: MakeApp, thread_model: t.Any) -> None:
        """What the parent has counted is the parent's."""
        app = make()
        with app.app_context():
            thread_model.get("forum", "subject")
        child = os.fork()
        if child == 0:
            os._exit(len(app.extensions["dynamo"].usage()))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert len(app.extensions["dynamo"].usage()) == 1


class TestMeter:
    """What keeps the counts."""

    def test_no_call_is_lost_between_threads(self) -> None:
        """Not by a reset, nor by tenants that come and go."""
        meter, taken = Meter(max_tenants=4), []

        def work(number: int) -> None:
            for turn in range(1000):
                meter.add(called(f"tenant-{(number + turn) % 12}"))
                if turn % 100 == 0:
                    taken.append(meter.read(reset=True))

        with concurrent.futures.ThreadPoolExecutor(8) as executor:
            list(executor.map(work, range(8)))
        taken.append(meter.read())
        usages = [usage for counts in taken for usage in counts.values()]
        assert sum(usage.calls for usage in usages) == 8000
        assert sum(usage.read_units for usage in usages) == 8000

    def test_tenants_that_are_too_many_are_counted_together(self) -> None:
        """Those that have not been heard of for longest."""
        meter = Meter(max_tenants=4)
        for number in range(100):
            meter.add(called("regular"))
            meter.add(called(f"passing-{number}"))
        counts = calls(meter)
        assert len(counts) <= 4
        assert counts["regular"] == 100
        assert sum(counts.values()) == 200
        assert counts[OTHERS] > 90

    def test_as_many_as_it_may_keep_are_kept_apart(self) -> None:
        """However little each does."""
        meter = Meter(max_tenants=10)
        for number in range(5):
            meter.add(called(f"tenant-{number}"))
        assert calls(meter) == {f"tenant-{number}": 1 for number in range(5)}

    @pytest.mark.parametrize("most", [1, 2, 3])
    def test_it_counts_with_room_for_hardly_anybody(self, most: int) -> None:
        """The sum is right."""
        meter = Meter(max_tenants=most)
        for number in range(20):
            meter.add(called(f"tenant-{number % 7}"))
        assert sum(calls(meter).values()) == 20


def test_counts_add_up() -> None:
    """Part by part."""
    assert Usage(1, 0, 0, 2, 0.5, 0, 1.0) + Usage(1, 1, 1, 0, 0.5, 3, 0.5) == Usage(2, 1, 1, 2, 1.0, 3, 1.5)
