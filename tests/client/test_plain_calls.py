"""Plain calls: the same requests, results and errors as by PynamoDB's own code, and the same destination."""

from __future__ import annotations

import itertools
import logging
import re
import threading
import types
import typing as t
from unittest import mock

import flask
import pynamodb.connection
import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from pynamodb.attributes import BinaryAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import VersionAttribute
from pynamodb.connection.base import MetaTable

import dynaflask
from dynaflask.client.connection import Connection
from dynaflask.client.direct.operation_codec import OperationCodec
from dynaflask.client.leased_calls import LeasedCalls
from dynaflask.client.plain_calls import OPERATIONS
from dynaflask.client.plain_calls import SKIPPED_METHODS
from dynaflask.client.plain_calls import PlainCalls
from dynaflask.client.plain_requests import PlainRequest
from dynaflask.client.table_calls import TableCalls
from dynaflask.client.table_keys import KeyTable
from dynaflask.operations.requests import requests_by_table
from tests.support import random_models
from tests.support import recorder as recorders
from tests.support import strategies
from tests.support.comparing import outcome
from tests.support.comparing import shape
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

Calls = dict[str, t.Callable[[], t.Any]]
# These headers have another value in each request.
REQUEST_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
OF_ONE_REQUEST = {"authorization", "x-amz-date", "amz-sdk-invocation-id", "amz-sdk-request"}


@pytest.fixture
def plain() -> t.Iterator[list[str]]:
    """The operations that were sent as plain requests, since the test last cleared the list."""
    sent = []
    serialize = OperationCodec.serialize

    def spy(codec: OperationCodec, params: dict[str, t.Any]) -> bytes | None:
        if type(params) is PlainRequest:
            sent.append(codec.name)
        return serialize(codec, params)

    with mock.patch.object(OperationCodec, "serialize", spy):
        yield sent


def direct_app(make_app: MakeApp, url: str, name: str = "app", **more: t.Any) -> flask.Flask:
    """An app that uses the direct transport, whose clients have captured the templates of all operations."""
    options = {"host": url, "region": "us-east-1", "transport": "direct", "max_retry_attempts": 0, **KEYS, **more}
    return make_app(name, **options)


def calls_of(model: t.Any, item: t.Any, *keys: t.Any) -> Calls:
    """One call of each operation."""

    def batch_write() -> None:
        with model.batch_write() as batch:
            batch.save(item)
            batch.delete(item)

    name = next(name for name, attribute in model.get_attributes().items() if not attribute.is_hash_key)
    return {
        "GetItem": lambda: model.get(*keys),
        "consistent GetItem": lambda: model.get(*keys, consistent_read=True),
        "PutItem": item.save,
        "UpdateItem": lambda: item.update(actions=[getattr(model, name).remove()]),
        "DeleteItem": item.delete,
        "refresh": item.refresh,
        "BatchGetItem": lambda: list(model.batch_get([keys if len(keys) > 1 else keys[0]])),
        "BatchWriteItem": batch_write,
    }


def warm_up(model: t.Any, *keys: t.Any) -> None:
    """Make a call of each operation, from which its template is captured."""
    for call in calls_of(model, model(*keys), *keys).values():
        outcome(call)


@pytest.fixture
def app(make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> t.Iterator[flask.Flask]:
    """An app in its context, whose client has the templates of all operations."""
    app = direct_app(make_app, recorder.url)
    with app.app_context():
        warm_up(thread_model, "forum", "subject")
        recorder.requests.clear()
        yield app


@pytest.fixture
def random_app() -> t.Iterator[tuple[flask.Flask, recorders.Recorder]]:
    """An app for the models of ``strategies``, whose client has the templates of all operations; and its server."""
    with random_models.app_and_server(transport="direct") as pair:
        yield pair


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_requests_of_any_model(data: st.DataObject, random_app: tuple[flask.Flask, recorders.Recorder]) -> None:
    """A plain call sends the bytes of PynamoDB's own code, and has its result or error and its effect on the object."""
    model, keys = data.draw(strategies.keyed_schemas())
    item = data.draw(strategies.objects(model))
    values = [item.attribute_values.get(name) for name in keys]
    app, server = random_app
    with app.app_context():
        if not server.requests:  # the first example
            warm_up(strategies.thing(key0=UnicodeAttribute(hash_key=True), other=NumberAttribute(null=True)), "x")
        for name in calls_of(model, item, *values):
            found = []
            for look_up in (PlainCalls.plain_requests, none):
                other = model()
                other.attribute_values.update(item.attribute_values)
                server.requests.clear()
                with mock.patch.object(PlainCalls, "plain_requests", look_up):
                    result = REQUEST_ID.sub("ID", repr(outcome(calls_of(model, other, *values)[name])))
                found.append((result, [sent(request) for request in server.requests], shape(other)))
            assert found[0] == found[1], name


def none(*_: object) -> None:
    """Stands in for a look-up that finds nothing."""


def sent(request: recorders.Request) -> t.Any:
    """A request without what differs from one request to the next."""
    headers = {name: value for name, value in request.headers.items() if name not in OF_ONE_REQUEST}
    return request.raw_body, headers


@pytest.mark.usefixtures("app")
class TestWhichCallsArePlain:
    """A call with another option than the plain ones is PynamoDB's."""

    def test_each_operation_of_a_model(self, thread_model: t.Any, plain: list[str]) -> None:
        """Get, save, update, delete, refresh and the batches are plain calls."""
        for call in calls_of(thread_model, thread_model("forum", "subject"), "forum", "subject").values():
            outcome(call)
        reads = ["GetItem", "GetItem"]
        batches = ["BatchGetItem", "BatchWriteItem"]
        assert plain == [*reads, "PutItem", "UpdateItem", "DeleteItem", "GetItem", *batches]

    def test_a_condition_or_a_projection(self, thread_model: t.Any, plain: list[str]) -> None:
        """Conditions and projections are PynamoDB's."""
        item, condition = thread_model("forum", "subject"), thread_model.views > 1
        item.save(condition)
        item.delete(condition)
        item.update(actions=[thread_model.views.set(1)], condition=condition)
        outcome(lambda: thread_model.get("forum", "subject", attributes_to_get=["views"]))
        outcome(lambda: list(thread_model.batch_get([("forum", "subject")], attributes_to_get=["views"])))
        assert plain == []

    def test_other_arguments(self, db: dynaflask.Dynamo, thread_model: t.Any, plain: list[str]) -> None:
        """Arguments of a connection that a model does not use, or of other types, are PynamoDB's."""
        table, item = thread_model._get_connection(), {"views": {"N": "1"}}
        action = thread_model.views.set(1)
        outcomes = [
            table.put_item("f", "s", attributes=item, return_values="ALL_OLD"),
            table.connection.put_item("Thread", "f", "s", item, None),
            outcome(lambda: table.update_item("f", "s", actions=[action], return_values="ALL_OLD")),
            outcome(lambda: table.update_item("f", "s", actions=[])),
            outcome(lambda: table.update_item("f", "s", actions=(action,))),
            outcome(lambda: table.update_item(b"f", "s", actions=[action])),
            outcome(lambda: table.update_item("f", "s", actions=[thread_model.subject.set(b"s")])),
            outcome(lambda: table.get_item("f", "s", consistent_read=1)),
            outcome(lambda: table.get_item("f", b"s")),
            outcome(lambda: table.delete_item(b"f", "s")),
            outcome(lambda: table.put_item("f", "s", attributes={"views": {"B": b"1"}})),
            outcome(lambda: table.batch_get_item([{"forum_name": {"S": "f"}, "subject": "s"}])),
            outcome(lambda: table.batch_get_item([{"forum_name": "f", "subject": "s"}], consistent_read=1)),
            outcome(lambda: table.batch_get_item(({"forum_name": "f", "subject": "s"},))),
            outcome(table.batch_write_item),
            outcome(lambda: table.batch_write_item(delete_items=[])),
            outcome(lambda: table.batch_write_item(put_items=[{"views": {"B": b"1"}}], delete_items=[])),
            outcome(lambda: db.connection.get_item("Undeclared", "f")),
        ]
        assert plain == []
        assert outcomes[3] == (ValueError, "'actions' cannot be empty")

    def test_a_log_at_debug_level_and_a_signal(
        self, thread_model: t.Any, plain: list[str], caplog: pytest.LogCaptureFixture
    ) -> None:
        """PynamoDB's debug log and its signals get what they get from PynamoDB."""
        heard: list[t.Any] = []

        def hear(sender: t.Any, **facts: t.Any) -> None:
            heard.append((facts["operation_name"], facts["table_name"]))

        with caplog.at_level(logging.DEBUG, logger="pynamodb.connection.base"):
            thread_model("forum", "subject").save()
        with pynamodb.signals.post_dynamodb_send.connected_to(hear):
            thread_model("forum", "subject").save()
        item = "{'forum_name': {'S': 'forum'}, 'subject': {'S': 'subject'}, 'views': {'N': '0'}}"
        params = f"{{'TableName': 'Thread', 'Item': {item}, 'ReturnConsumedCapacity': 'TOTAL'}}"
        assert caplog.messages[0] == f"Calling PutItem with arguments {params}"
        assert heard == [("PutItem", "Thread")]


class TestArns:
    """botocore may choose the endpoint by the ARN of a table."""

    def test_of_one_app(
        self, make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, plain: list[str]
    ) -> None:
        """An app that names the table by its ARN makes no plain calls of it; another app of the same model does."""
        arn = "arn:aws:dynamodb:us-east-1:123456789012:table/Thread"
        by_name, by_arn = (
            direct_app(make_app, recorder.url, name, models={"Thread": {"table_name": name}})
            for name in ("Thread", arn)
        )
        for app, name in ((by_name, "Thread"), (by_arn, arn)):
            with app.app_context():
                warm_up(thread_model, "forum", "subject")
                plain.clear()
                thread_model("forum", "subject").save()
                assert plain == (["PutItem"] if app is by_name else [])
                assert recorder.requests[-1].body["TableName"] == name


class TestOtherTransports:
    """Only the direct transport has plain calls."""

    def test_they_are_not_plain(self, make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> None:
        """With another transport, botocore gets the dict that PynamoDB builds."""
        with direct_app(make_app, recorder.url, transport="stock").app_context():
            with mock.patch("botocore.client.BaseClient._make_api_call", return_value={}) as call:
                thread_model("forum", "subject").save()
        assert type(call.call_args.args[1]) is dict


class TestKeys:
    """The keys of a table, as PynamoDB writes them."""

    def test_a_range_key_that_a_subclass_adds_later(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, plain: list[str]
    ) -> None:
        """A range key that a later subclass adds to the table is sent from then on."""

        class Animal(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Animal"

            name = UnicodeAttribute(hash_key=True)
            legs = NumberAttribute(default=4)

        with direct_app(make_app, recorder.url).app_context():
            warm_up(Animal, "cat")
            plain.clear()
            table = Animal._get_connection()

            class Dog(Animal):
                breed = UnicodeAttribute(range_key=True)

            Dog._get_connection()
            outcome(lambda: table.get_item("rex", "dachshund"))
        assert plain == ["GetItem"]
        assert recorder.requests[-1].body["Key"] == {"name": {"S": "rex"}, "breed": {"S": "dachshund"}}

    def test_a_binary_key(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, plain: list[str]
    ) -> None:
        """A table with a binary key is PynamoDB's, also if a key has another type."""

        class Blob(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Blob"

            digest = BinaryAttribute(hash_key=True, legacy_encoding=False)
            size = NumberAttribute(null=True)

        with direct_app(make_app, recorder.url).app_context():
            warm_up(Blob, b"digest")
            plain.clear()
            outcome(lambda: Blob._get_connection().get_item("digest"))
        assert plain == []

    def test_a_version(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, plain: list[str]
    ) -> None:
        """A model with a version sends PynamoDB's conditions, and a batch counts the version."""

        class Page(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Page"

            name = UnicodeAttribute(hash_key=True)
            version = VersionAttribute()

        with direct_app(make_app, recorder.url).app_context():
            warm_up(Page, "home")
            plain.clear()
            page = Page("home")
            page.save()
            assert (plain, page.version) == ([], 1)
            assert "ConditionExpression" in recorder.requests[-1].body
            with Page.batch_write() as batch:
                batch.save(page)
            assert (plain, page.version) == (["BatchWriteItem"], 2)


ERRORS = {
    "ValidationException": (400, {"__type": "x#ValidationException", "message": "no"}),
    "ResourceNotFoundException": (400, {"__type": "x#ResourceNotFoundException", "message": "no table"}),
    "ThrottlingException": (400, {"__type": "x#ThrottlingException", "message": "slow down"}),
    "InternalServerError": (500, {"__type": "x#InternalServerError", "message": "oh"}),
    "no JSON": (200, "<html>"),
    "no object": (200, "[]"),
}


def failure(call: t.Callable[[], t.Any]) -> t.Any:
    """The error of a call with all that a program can read of it."""
    try:
        # botocore takes some of these responses to a write for a success.
        return REQUEST_ID.sub("ID", repr(call()))
    except Exception as error:  # noqa: BLE001 - any error is compared
        cause = getattr(error, "cause", None)
        codes = getattr(error, "cause_response_code", None), getattr(error, "cause_response_message", None)
        chain = [error, error.__cause__, error.__context__, cause, getattr(cause, "__cause__", None)]
        return codes, [(type(one), REQUEST_ID.sub("ID", str(one))) for one in chain], error.__suppress_context__


@pytest.mark.usefixtures("app")
class TestErrors:
    """A plain call raises PynamoDB's error, after as many attempts."""

    @pytest.mark.parametrize("name", ERRORS)
    def test_a_response_that_is_no_success(
        self, name: str, thread_model: t.Any, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Class, message, cause and code of the error are the same, and so are the requests."""
        monkeypatch.setattr("dynaflask.model.batch.backoff_delay", lambda _: 0)
        recorder.answer = lambda request: ERRORS[name]
        for operation in calls_of(thread_model, thread_model("forum", "subject"), "forum", "subject"):
            found = []
            for look_up in (PlainCalls.plain_requests, none):
                recorder.requests.clear()
                call = calls_of(thread_model, thread_model("forum", "subject"), "forum", "subject")[operation]
                with mock.patch.object(PlainCalls, "plain_requests", look_up):
                    found.append((failure(call), [sent(request) for request in recorder.requests]))
            assert found[0] == found[1], operation


@pytest.mark.usefixtures("app")
class TestPatches:
    """A patched method is called, also if the patch comes after calls that skipped the method."""

    @pytest.mark.parametrize(
        ("owner", "name"),
        [
            *((owner, name) for owner, names in SKIPPED_METHODS.items() for name in names if name in vars(owner)),
            (Connection, "get_operation_kwargs"),
            (Connection, "dispatch"),
            (Connection, "_make_api_call"),
            (Connection, "_make_call"),
            (TableCalls, "get_operation_kwargs"),
            (LeasedCalls, "_make_call"),
            *((pynamodb.connection.TableConnection, name) for name in OPERATIONS),
        ],
        ids=lambda value: f"{value.__module__}.{value.__qualname__}" if isinstance(value, type) else value,
    )
    def test_on_its_class(self, owner: t.Any, name: str, thread_model: t.Any) -> None:
        """A patch of a class sees the calls, with dicts of parameters that it may change."""
        original = getattr(owner, name)
        calls = calls_of(thread_model, thread_model("forum", "subject"), "forum", "subject")
        with mock.patch.object(owner, name, autospec=True, side_effect=original) as patched:
            for call in calls.values():
                outcome(call)
        assert patched.called
        # Also the parameters of a call, which a patch may change.
        assert not any(type(argument) is PlainRequest for call in patched.call_args_list for argument in call.args)

    @pytest.mark.parametrize("name", ["put_item", "get_operation_kwargs", "dispatch", "_make_api_call"])
    def test_on_the_connection(self, name: str, thread_model: t.Any) -> None:
        """A method that a program puts into one connection is called."""
        connection = thread_model._get_connection().connection
        with mock.patch.object(connection, name, return_value={}) as patched:
            outcome(thread_model("forum", "subject").save)
        assert patched.called

    def test_on_one_of_two_connections(self, app: flask.Flask, thread_model: t.Any) -> None:
        """A method of one connection is not called for another, whatever else the program puts into that."""
        with app.app_context():
            other = thread_model._get_connection().connection
        connection = thread_model._get_connection().connection
        assert connection is not other
        other.note = "mine"
        with mock.patch.object(other, "dispatch") as theirs, mock.patch.object(connection, "dispatch") as ours:
            connection.get_item("Thread", "forum", "subject")
        assert (ours.called, theirs.called) == (True, False)

    def test_the_arguments_of_the_call(self, thread_model: t.Any) -> None:
        """``_make_api_call`` gets a dict with what PynamoDB passes."""
        with mock.patch("pynamodb.connection.Connection._make_api_call", return_value={}) as call:
            thread_model._get_connection().delete_item("forum", "subject")
        [(name, params)] = [call.args for call in call.call_args_list]
        key = {"forum_name": {"S": "forum"}, "subject": {"S": "subject"}}
        assert (name, params) == (
            "DeleteItem",
            {"TableName": "Thread", "Key": key, "ReturnConsumedCapacity": "TOTAL"},
        )
        assert type(params) is dict

    def test_no_method_is_missed(self) -> None:
        """The classes define the listed methods, or inherit them."""
        assert all(hasattr(owner, name) for owner, names in SKIPPED_METHODS.items() for name in names)
        assert list(SKIPPED_METHODS) == [pynamodb.connection.Connection, MetaTable, KeyTable]


class TestIsolation:
    """A plain call goes where the context of the call says."""

    def test_two_apps_in_every_order(
        self, make_app: MakeApp, thread_model: t.Any, recorder: recorders.Recorder, plain: list[str]
    ) -> None:
        """One model and one object, in two apps that take turns, nested or not: every call reaches its own app."""
        with recorders.Recorder() as other:
            apps = {
                "us": (direct_app(make_app, recorder.url, "us", table_prefix="us-"), recorder),
                "eu": (direct_app(make_app, other.url, "eu", table_prefix="eu-", region="eu-west-1"), other),
            }
            for app, _ in apps.values():
                with app.app_context():
                    warm_up(thread_model, "forum", "subject")
            item = thread_model("forum", "subject")
            plain.clear()
            for order in itertools.permutations(["us", "eu", "us", "eu"], 3):
                for name in order:
                    app, server = apps[name]
                    with app.app_context():
                        self._calls_reach(name, server, thread_model, item)
                        for inner in order:
                            with apps[inner][0].app_context():
                                self._calls_reach(inner, apps[inner][1], thread_model, item)
                        self._calls_reach(name, server, thread_model, item)
        assert len(plain) == 24 * 3 * 5 * 8

    def _calls_reach(self, name: str, server: recorders.Recorder, model: t.Any, item: t.Any) -> None:
        calls = calls_of(model, item, "forum", "subject")
        before = len(server.requests)
        for call in calls.values():
            outcome(call)
        requests = server.requests[before:]
        assert len(requests) == len(calls)
        region = {"us": "us-east-1", "eu": "eu-west-1"}[name]
        assert {(request.region, *requests_by_table(request.body)) for request in requests} == {
            (region, f"{name}-Thread")
        }

    def test_a_change_in_the_context(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """The table is the right one after a change of ``Meta``, in and after a block, and with a computed prefix."""
        prefixes = itertools.count()
        app = direct_app(make_app, recorder.url, table_prefix=lambda name: f"{next(prefixes)}-{name}")
        static = direct_app(make_app, recorder.url, "static")
        with app.app_context():
            warm_up(thread_model, "forum", "subject")
            tables = {self._table_of(thread_model, recorder) for _ in range(3)}
            assert len(tables) == 3
        with static.app_context():
            warm_up(thread_model, "forum", "subject")
            assert self._table_of(thread_model, recorder) == "Thread"
            with db.using(table_prefix="block-"):
                assert self._table_of(thread_model, recorder) == "block-Thread"
            thread_model.Meta.table_name = "Changed"
            assert self._table_of(thread_model, recorder) == "Changed"
            del thread_model.Meta.table_name
            assert self._table_of(thread_model, recorder) == "Thread"

    def _table_of(self, model: t.Any, recorder: recorders.Recorder) -> str:
        model("forum", "subject").save()
        return str(recorder.requests[-1].body["TableName"])

    def test_two_tenants(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """Two tenants in one context, in turns and in threads: each has its own table and its own credentials."""
        tenants = {
            name: {"table_prefix": f"{name}-", "aws_access_key_id": name.upper(), "aws_secret_access_key": "hush"}
            for name in ("acme", "globex")
        }
        app = direct_app(make_app, recorder.url, tenants=tenants)
        with app.app_context():
            for name in tenants:
                with db.tenant(name):
                    warm_up(thread_model, "forum", "subject")
        recorder.requests.clear()

        def serve(name: str) -> None:
            with app.app_context():
                for _ in range(20):
                    with db.tenant(name):
                        thread_model(name, "subject").save()

        threads = [threading.Thread(target=serve, args=(name,)) for name in (*tenants, *tenants)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(recorder.requests) == 80
        for request in recorder.requests:
            name = request.body["Item"]["forum_name"]["S"]
            assert (request.access_key_id, request.body["TableName"]) == (name.upper(), f"{name}-Thread")

    def test_an_ended_context(self, make_app: MakeApp, thread_model: t.Any, recorder: recorders.Recorder) -> None:
        """A connection of an ended context sends nothing."""
        with direct_app(make_app, recorder.url).app_context():
            warm_up(thread_model, "forum", "subject")
            table = thread_model._get_connection()
        sent_before = len(recorder.requests)
        with pytest.raises(RuntimeError, match="has ended"):
            table.delete_item("forum", "subject")
        assert len(recorder.requests) == sent_before


def test_a_meter_counts_plain_calls(
    make_app: MakeApp, thread_model: t.Any, recorder: recorders.Recorder, plain: list[str]
) -> None:
    """Recorded operations have the same fields, whether a call is plain or not."""
    app = direct_app(make_app, recorder.url, meter=True)
    heard: list[dynaflask.Operation] = []

    def hear(_: t.Any, operation: dynaflask.Operation) -> None:
        heard.append(operation)

    with app.app_context(), dynaflask.operation_finished.connected_to(hear):
        warm_up(thread_model, "forum", "subject")
        found = []
        for patch in (mock.MagicMock(), mock.patch.object(PlainCalls, "plain_requests", none)):
            heard.clear()
            with patch:
                for call in calls_of(thread_model, thread_model("forum", "subject"), "forum", "subject").values():
                    outcome(call)
            found.append([dataclasses_without_duration(operation) for operation in heard])
    assert found[0] == found[1]
    assert "PutItem" in plain
    assert app.extensions["dynamo"].usage(by="operation")["PutItem"].calls == 3


def dataclasses_without_duration(operation: dynaflask.Operation) -> types.SimpleNamespace:
    """The fields of an operation but its duration."""
    names = set(operation.__slots__) - {"duration_seconds"}
    return types.SimpleNamespace(**{name: getattr(operation, name) for name in names})
