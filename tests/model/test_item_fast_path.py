"""The fast path: an operation on one item has the request, the result and the errors of PynamoDB's own code."""

from __future__ import annotations

import collections.abc as cabc
import functools
import json
import logging
import typing as t
from unittest import mock

import flask
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import TTLAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import AttributeNullError
from pynamodb.exceptions import GetError
from pynamodb.signals import post_dynamodb_send
from pynamodb.signals import pre_dynamodb_send

import dynaflask
from dynaflask.client.codec import json_codec
from dynaflask.client.direct.operation_codec import OperationCodec
from dynaflask.client.plain_requests import PlainRequest
from dynaflask.model import item_fast_path
from dynaflask.model.codec import responses
from dynaflask.model.item_fast_path import ItemFastPath
from dynaflask.model.skipped_methods import STEPS
from dynaflask.registry.context import registry_of
from dynaflask.testing import fail_next
from tests.client.test_plain_calls import ERRORS
from tests.client.test_plain_calls import dataclasses_without_duration
from tests.client.test_plain_calls import direct_app
from tests.client.test_plain_calls import failure
from tests.client.test_plain_calls import sent
from tests.client.test_plain_calls import warm_up
from tests.support import random_models
from tests.support import recorder as recorders
from tests.support import strategies
from tests.support.comparing import outcome
from tests.support.comparing import shape
from tests.support.fast_paths import calls_of
from tests.support.settings import MakeApp

pytestmark = pytest.mark.unmeasured


@pytest.fixture(autouse=True)
def encoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fast path encodes the first object that it saves."""
    monkeypatch.setattr(item_fast_path, "MIN_PUTS", 0)


@pytest.fixture
def random_app() -> cabc.Iterator[tuple[flask.Flask, recorders.Recorder]]:
    """An app for the models of ``strategies``, and its server."""
    with random_models.app_and_server() as pair:
        yield pair


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_model(data: st.DataObject, random_app: tuple[flask.Flask, recorders.Recorder]) -> None:
    """With the fast path, a call sends PynamoDB's bytes, and has its result or error and its effect on the object."""
    model, keys = data.draw(strategies.keyed_schemas())
    item = data.draw(strategies.objects(model))
    # Without undeclared attributes, which a struct skips: botocore refuses a malformed one.
    declared = {attribute.attr_name for attribute in model.get_attributes().values()}
    stored = {name: value for name, value in data.draw(strategies.items(model)).items() if name in declared}
    app, server = random_app
    answer = json.dumps({"Item": stored, "Attributes": stored}, default=lambda _: "AA==")
    values = [item.attribute_values.get(name) for name in keys]
    with app.app_context(), mock.patch.object(responses, "MIN_BYTES", 0):
        server.answer = lambda _: (200, answer)
        for name in calls_of(model, item, *values):
            found = []
            for patch in (mock.MagicMock(), mock.patch.object(ItemFastPath, "applies_to", return_value=False)):
                other = model()
                other.attribute_values.update(item.attribute_values)
                server.requests.clear()
                with patch:
                    result = repr(failure(calls_of(model, other, *values)[name]))
                found.append((result, [sent(request) for request in server.requests], shape(other)))
            assert found[0] == found[1], name


@pytest.mark.usefixtures("warm_app")
class TestErrors:
    """The fast path raises PynamoDB's error, after as many attempts."""

    @pytest.mark.parametrize("name", ERRORS)
    def test_a_response_that_is_no_success(
        self, name: str, thread_model: t.Any, recorder: recorders.Recorder, taken: list[str]
    ) -> None:
        """Class, message, cause and code of the error are the same, and so are the requests."""
        recorder.answer = lambda _: ERRORS[name]
        for operation in calls_of(thread_model, thread_model("forum", "subject"), "forum", "subject"):
            found = []
            for patch in (mock.MagicMock(), mock.patch.object(ItemFastPath, "applies_to", return_value=False)):
                recorder.requests.clear()
                call = calls_of(thread_model, thread_model("forum", "subject"), "forum", "subject")[operation]
                with patch:
                    found.append((failure(call), [sent(request) for request in recorder.requests]))
            assert found[0] == found[1], operation
        assert set(taken) == STEPS.keys() - {"batch_write"}

    def test_no_item(self, thread_model: t.Any, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
        """A response without an item, or with an empty one, raises the model's DoesNotExist."""
        monkeypatch.setattr(responses, "MIN_BYTES", 0)
        for answer in (
            "{}",
            '{"Item":{}}',
            '{"Item":{},"ConsumedCapacity":{"TableName":"Thread","CapacityUnits":1.0}}',
        ):
            recorder.answer = lambda _, answer=answer: (200, answer)  # type: ignore[misc]
            with pytest.raises(thread_model.DoesNotExist):
                thread_model.get("forum", "subject")

    def test_wrong_arguments(self, thread_model: t.Any) -> None:
        """Missing arguments and unknown ones are refused by the name of the model's method that was called."""
        for arguments in ((), ("a", "b", False, None, "e")):
            with pytest.raises(TypeError, match=r"^Model\.get\(\) "):
                thread_model.get(*arguments)
        for name in STEPS.keys() - {"batch_write"}:
            call = getattr(thread_model("forum", "subject") if name != "get" else thread_model, name)
            with pytest.raises(TypeError, match=rf"^Model\.{name}\(\) got an unexpected keyword argument 'wrong'"):
                call(wrong=1)
        with pytest.raises(TypeError, match="the value of `actions` is expected to be a non-empty list"):
            thread_model("forum", "subject").update(())


class TestSettings:
    """What an app sets for its calls holds for those of the fast path."""

    @pytest.mark.parametrize("error", ["ConditionalCheckFailedException", "TransactionConflictException"])
    @pytest.mark.parametrize(
        "setting",
        [
            {"return_values_on_condition_failure": "ALL_OLD"},
            {"retry_conflicts": 1},
            {"call_timeout_seconds": 60},
            {"meter": True},
            {"tenant_capacity": 1000},
        ],
        ids=lambda setting: next(iter(setting)),
    )
    def test_two_apps(  # noqa: PLR0917 - fixtures
        self,
        setting: dict[str, t.Any],
        error: str,
        make_app: MakeApp,
        recorder: recorders.Recorder,
        thread_model: t.Any,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """An app with the setting and one without it: requests, results and errors are those of PynamoDB's way."""
        monkeypatch.setattr("dynaflask.client.conflicts.time.sleep", lambda _: None)
        body = {"__type": f"com.amazonaws.dynamodb.v20120810#{error}", "message": "no", "Item": {"views": {"N": "3"}}}
        apps = [direct_app(make_app, recorder.url, name, **more) for name, more in (("a", setting), ("b", {}))]
        for app in apps:
            with app.app_context():
                warm_up(thread_model, "forum", "subject")
                names = calls_of(thread_model, thread_model("forum", "subject"), "forum", "subject")
                for answer in ((200, {}), (400, body)):
                    recorder.answer = lambda _, answer=answer: answer  # type: ignore[misc]
                    for name in names:
                        found = []
                        for patch in (
                            mock.MagicMock(),
                            mock.patch.object(ItemFastPath, "applies_to", return_value=False),
                        ):
                            recorder.requests.clear()
                            call = calls_of(thread_model, thread_model("forum", "subject"), "forum", "subject")[name]
                            with patch:
                                found.append((failure(call), [sent(request) for request in recorder.requests]))
                        assert found[0] == found[1], name

    def test_a_condition_that_asks_for_the_item(
        self, warm_app: flask.Flask, thread_model: t.Any, recorder: recorders.Recorder, taken: list[str]
    ) -> None:
        """The option of one write reaches its request, and its error has the item."""
        assert warm_app
        body = {"__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "message": "no"}
        old = {"forum_name": {"S": "forum"}, "subject": {"S": "subject"}, "views": {"N": "3"}}
        recorder.answer = lambda _: (400, {**body, "Item": old})
        item, condition = thread_model("forum", "subject"), thread_model.views == 4
        for write in (item.save, functools.partial(item.update, [thread_model.views.set(1)]), item.delete):
            with pytest.raises(dynaflask.ConditionFailed) as caught:
                write(condition=condition, return_values_on_condition_failure="ALL_OLD")
            assert caught.value.item.views == 3
        options = [request.body["ReturnValuesOnConditionCheckFailure"] for request in recorder.requests]
        assert (options, taken) == (["ALL_OLD"] * 3, ["save", "update", "delete"])

    def test_hidden_items(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A model that hides expired items does not get one, and another model of its table does."""
        monkeypatch.setattr(responses, "MIN_BYTES", 0)

        def declare(name: str, *, hide_expired: bool) -> t.Any:
            body = {
                "Meta": type("Meta", (), {"table_name": "Session", "hide_expired": hide_expired}),
                "name": UnicodeAttribute(hash_key=True),
                "expires": TTLAttribute(),
                "__module__": __name__,
                "__qualname__": name,
            }
            return type(db.Model)(name, (db.Model,), body)

        hiding, showing = declare("Session", hide_expired=True), declare("AnySession", hide_expired=False)
        recorder.answer = lambda _: {"Item": {"name": {"S": "x"}, "expires": {"N": "1"}}}
        for app in (direct_app(make_app, recorder.url, "a"), direct_app(make_app, recorder.url, "b")):
            with app.app_context():
                for _ in range(2):
                    with pytest.raises(hiding.DoesNotExist):
                        hiding.get("x")
                    assert showing.get("x").name == "x"

    def test_stock(
        self, make_app: MakeApp, thread_model: t.Any, recorder: recorders.Recorder, taken: list[str]
    ) -> None:
        """With PynamoDB alone, a late patch of PynamoDB takes effect; an app beside it keeps its fast paths."""
        stock = direct_app(make_app, recorder.url, "stock", transport="stock")
        direct = direct_app(make_app, recorder.url, "direct")
        serialize = UnicodeAttribute.serialize
        for app, fast_paths, calls in ((stock, [], 2), (direct, ["save"], 0)):
            with app.app_context():
                warm_up(thread_model, "forum", "subject")
                taken.clear()
                with mock.patch.object(UnicodeAttribute, "serialize", autospec=True, side_effect=serialize) as patched:
                    thread_model("forum", "subject").save()
            assert (taken, patched.call_count) == (fast_paths, calls)


@pytest.mark.usefixtures("warm_app")
class TestListeners:
    """Everything that follows PynamoDB's calls follows those of the fast path."""

    def test_signals(self, thread_model: t.Any, taken: list[str]) -> None:
        """PynamoDB's signals are sent, also to a receiver that comes in the middle of a context."""
        heard: list[tuple[str, str]] = []

        def hear(_: t.Any, operation_name: str, table_name: str, **__: t.Any) -> None:
            heard.append((operation_name, table_name))

        thread_model("forum", "subject").save()
        with pre_dynamodb_send.connected_to(hear), post_dynamodb_send.connected_to(hear):
            thread_model("forum", "subject").save()
            outcome(lambda: thread_model.get("forum", "subject"))
        thread_model("forum", "subject").delete()
        assert heard == [("PutItem", "Thread")] * 2 + [("GetItem", "Thread")] * 2
        assert taken == ["save", "save", "get", "delete"]

    def test_the_debug_log(self, thread_model: t.Any, caplog: pytest.LogCaptureFixture) -> None:
        """PynamoDB's log has a line for each call while its level is DEBUG."""
        with caplog.at_level(logging.DEBUG, "pynamodb.connection.base"):
            thread_model("forum", "subject").save()
        assert "Calling PutItem" in caplog.text

    def test_planned_faults(self, warm_app: flask.Flask, thread_model: t.Any, recorder: recorders.Recorder) -> None:
        """A fault of a test meets the call of the fast path, and no later one."""
        with fail_next("GetItem", "ThrottlingException", app=warm_app):
            with pytest.raises(GetError, match="ThrottlingException"):
                thread_model.get("forum", "subject")
        recorder.requests.clear()
        outcome(lambda: thread_model.get("forum", "subject"))
        assert len(recorder.requests) == 1


class TestIsolation:
    """The fast path goes where the context of the call says."""

    def test_two_apps_and_two_tenants(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """One model and one object: each call reaches the table and has the credentials of its app and tenant."""
        tenants = {
            name: {"table_prefix": f"{name}-", "aws_access_key_id": name.upper(), "aws_secret_access_key": "hush"}
            for name in ("acme", "globex")
        }
        with recorders.Recorder() as other:
            us = direct_app(make_app, recorder.url, "us", tenants=tenants)
            eu = direct_app(make_app, other.url, "eu", tenants=tenants, table_prefix="eu-")
            for app, server in ((us, recorder), (eu, other), (us, recorder)):
                for name in tenants:
                    with app.app_context(), db.tenant(name):
                        for call in calls_of(
                            thread_model, thread_model("forum", "subject"), "forum", "subject"
                        ).values():
                            outcome(call)
                    assert server.requests
                    for request in server.requests:
                        expected = (name.upper(), f"{name}-Thread")
                        assert (request.access_key_id, request.body["TableName"]) == expected
                    server.requests.clear()
                assert not [*recorder.requests, *other.requests]

    def test_an_object_of_another_tenant(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """An object that was read, saved or updated for one tenant is refused for another: nothing is sent."""
        tenants = {name: {"table_prefix": f"{name}-"} for name in ("acme", "globex")}
        item = {"forum_name": {"S": "forum"}, "subject": {"S": "subject"}, "views": {"N": "7"}}
        recorder.answer = lambda _: {"Item": item, "Attributes": item}
        action = thread_model.views.set(1)
        with direct_app(make_app, recorder.url, tenants=tenants).app_context():
            with mock.patch.object(responses, "MIN_BYTES", 0), db.tenant("acme"):
                read, saved, updated = thread_model.get("a", "b"), thread_model("a", "b"), thread_model("a", "b")
                saved.save()
                updated.update([action])
            recorder.requests.clear()
            with db.tenant("globex"):
                for own in (read, saved, updated):
                    for call in (own.save, own.delete, lambda own=own: own.update([action])):  # type: ignore[misc]
                        with pytest.raises(dynaflask.TenantMismatch):
                            call()
        assert not recorder.requests

    def test_a_tenant_key(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, taken: list[str]
    ) -> None:
        """Keys are the tenant's, and no update can give an item to another tenant."""

        class Note(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Note"

            name = dynaflask.TenantKey(hash_key=True)
            author = dynaflask.TenantKey(null=True)

        with direct_app(make_app, recorder.url, tenants={"acme": {}, "globex": {}}).app_context(), db.tenant("acme"):
            warm_up(Note, "home")
            recorder.requests.clear()
            taken.clear()
            outcome(lambda: Note.get("home"))
            Note("home").save()
            Note("home").delete()
            with db.tenant("globex"):
                theirs = Note.author.set("x")
            with pytest.raises(dynaflask.TenantMismatch):
                Note("home").update([theirs])
        assert taken == ["get", "save", "delete", "update"]
        keys = [request.body.get("Key", request.body.get("Item"))["name"] for request in recorder.requests]
        assert keys == [{"S": "acme#home"}] * 3

    def test_an_ended_context(self, make_app: MakeApp, thread_model: t.Any, recorder: recorders.Recorder) -> None:
        """Outside of a context, nothing is sent."""
        with direct_app(make_app, recorder.url).app_context():
            warm_up(thread_model, "forum", "subject")
            item = thread_model("forum", "subject")
        recorder.requests.clear()
        for call in (item.save, item.delete, lambda: thread_model.get("forum", "subject")):
            with pytest.raises(RuntimeError, match="application context"):
                call()
        assert not recorder.requests


def test_a_meter_counts_fast_paths(
    make_app: MakeApp, thread_model: t.Any, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Operations have the same fields, whether a call takes the fast path or not."""
    monkeypatch.setattr(responses, "MIN_BYTES", 0)
    heard: list[dynaflask.Operation] = []

    def hear(_: t.Any, operation: dynaflask.Operation) -> None:
        heard.append(operation)

    with direct_app(make_app, recorder.url, meter=True).app_context(), dynaflask.operation_finished.connected_to(hear):
        warm_up(thread_model, "forum", "subject")
        found = []
        for patch in (mock.MagicMock(), mock.patch.object(ItemFastPath, "applies_to", return_value=False)):
            heard.clear()
            with patch:
                for call in calls_of(thread_model, thread_model("forum", "subject"), "forum", "subject").values():
                    outcome(call)
            found.append([dataclasses_without_duration(operation) for operation in heard])
    assert found[0] == found[1]
    assert len(found[0]) == 9


class TestEncodedItems:
    """With msgspec, a saved object becomes JSON in one step, once its model has saved some."""

    @pytest.fixture
    def note_model(self, db: dynaflask.Dynamo) -> t.Any:
        """A model whose keys are texts."""

        class Note(db.Model):
            """A note."""

            class Meta:
                table_name = "notes"

            author = UnicodeAttribute(hash_key=True)
            likes = NumberAttribute(null=True)

        return Note

    @pytest.fixture
    def encoded(self) -> cabc.Iterator[list[bool]]:
        """For each put that reached the direct transport: if its item was encoded."""
        seen: list[bool] = []
        stock = OperationCodec.serialize

        def serialize(codec: OperationCodec, params: dict[str, t.Any]) -> bytes | None:
            seen.append(type(params) is PlainRequest and params.has_structs)
            return stock(codec, params)

        with mock.patch.object(OperationCodec, "serialize", serialize):
            yield seen

    @pytest.fixture
    def app(self, make_app: MakeApp, recorder: recorders.Recorder) -> flask.Flask:
        """An app with the direct transport."""
        return direct_app(make_app, recorder.url, "direct", max_retry_attempts=1)

    def test_after_some(
        self, app: flask.Flask, note_model: t.Any, encoded: list[bool], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The first ones are dicts: to compile the encoder takes as long as to save them."""
        monkeypatch.setattr(item_fast_path, "MIN_PUTS", 3)
        with app.app_context():
            for number in range(5):
                note_model(str(number)).save()
        assert encoded == [False, False, False, json_codec.msgspec is not None, json_codec.msgspec is not None]

    def test_two_apps(
        self, make_app: MakeApp, recorder: recorders.Recorder, note_model: t.Any, encoded: list[bool]
    ) -> None:
        """An app with botocore's transport sends the dict. Both apps send the same item."""
        apps = [direct_app(make_app, recorder.url, "a"), direct_app(make_app, recorder.url, "b", transport="botocore")]
        for app in (*apps, *apps):
            with app.app_context():
                note_model("ada", likes=3).save()
        items = [request.body["Item"] for request in recorder.requests]
        assert items == [items[0]] * 4
        assert encoded == [json_codec.msgspec is not None] * 2

    def test_a_traced_app(
        self, make_app: MakeApp, recorder: recorders.Recorder, note_model: t.Any, encoded: list[bool]
    ) -> None:
        """A tracer sees the call, and changes nothing of it. The other app has none."""
        apps = [direct_app(make_app, recorder.url, name) for name in ("traced", "plain")]
        tracer = mock.Mock(modules=frozenset())
        registry_of(apps[0]).recorder.set_tracer(tracer)
        for app in apps:
            with app.app_context():
                note_model("ada", likes=3).save()
        assert len({json.dumps(request.body, sort_keys=True) for request in recorder.requests}) == 1
        assert encoded == [json_codec.msgspec is not None] * 2
        assert [call.args[1].source.app_name for call in tracer.finish.call_args_list] == ["traced"]

    def test_numbers_in_keys(self, app: flask.Flask, db: dynaflask.Dynamo, encoded: list[bool]) -> None:
        """A number in a key may have to change, and is not encoded before that."""

        class Post(db.Model):
            """Its range key is a number."""

            class Meta:
                table_name = "posts"

            author = UnicodeAttribute(hash_key=True)
            number = NumberAttribute(range_key=True)

        with app.app_context():
            for _ in range(3):
                Post("ada", 1.0).save()
        assert encoded == [False] * 3

    def test_a_wrong_value(self, app: flask.Flask, note_model: t.Any) -> None:
        """The error is PynamoDB's alone: it came from no other one."""
        with app.app_context(), pytest.raises(AttributeNullError) as raised:
            note_model(None).save()
        assert raised.value.__context__ is None

    def test_an_attempt_that_fails(self, app: flask.Flask, recorder: recorders.Recorder, note_model: t.Any) -> None:
        """botocore gets the item as a dict, and sends it again."""
        answers = iter([(500, {}), (200, {})])
        recorder.answer = lambda _: next(answers)
        with app.app_context():
            note_model("ada", likes=3).save()
        bodies = [request.body for request in recorder.requests]
        assert len(bodies) == 2
        assert bodies[0] == bodies[1]
