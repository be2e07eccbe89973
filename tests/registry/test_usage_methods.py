"""``db.usage()`` and ``db.recorded_operations()``: what the calls of an app consumed, and which they were."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb.exceptions import GetError

import dynaflask
from dynaflask import UsageKey
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


def test_an_app_that_keeps_no_operations_says_how_to_keep_them(make: MakeApp, db: dynaflask.Dynamo) -> None:
    """The error names the setting."""
    with make(record_operations=False).app_context(), pytest.raises(RuntimeError) as caught:
        db.recorded_operations()
    assert str(caught.value) == "The app 'app' keeps no operations. Set DYNAMODB_RECORD_OPERATIONS = True."
