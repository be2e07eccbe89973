"""The items of a batch: those of ``serialize``, in fewer steps."""

from __future__ import annotations

import contextlib
import itertools
import logging
import typing as t
from unittest import mock

import flask
import pynamodb.connection
import pynamodb.signals
import pytest
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import TTLAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UnicodeSetAttribute
from pynamodb.attributes import VersionAttribute

import dynaflask
from dynaflask.client import plain_calls
from dynaflask.client.codec import json_codec
from dynaflask.client.connection import Connection
from dynaflask.client.direct.operation_codec import OperationCodec
from dynaflask.client.plain_requests import PlainRequest
from dynaflask.client.plain_requests import PlainRequests
from dynaflask.client.table_keys import KeyTable
from dynaflask.model import batch_items
from dynaflask.model.skipped_methods import STEPS
from dynaflask.testing import fail_next
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def app(make_app: MakeApp, recorder: recorders.Recorder) -> t.Iterator[flask.Flask]:
    """An app in its context, whose tenants have a table each."""
    tenants = {name: {"table_prefix": f"{name}-"} for name in ("acme", "globex")}
    options = {"host": recorder.url, "region": "us-east-1", "transport": "direct", **KEYS}
    app = make_app(tenants=tenants, **options)
    with app.app_context():
        yield app


def saved(model: t.Any, *items: t.Any) -> None:
    """Save objects in one batch."""
    with model.batch_write() as batch:
        for item in items:
            batch.save(item)


def items_of(recorder: recorders.Recorder, table: str = "Thread") -> list[t.Any]:
    """The items of the last batch."""
    return [request["PutRequest"]["Item"] for request in recorder.requests[-1].body["RequestItems"][table]]


@pytest.mark.usefixtures("app")
class TestItems:
    """Items, errors and what an object remembers."""

    def test_items_of_two_classes(
        self, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """Objects of a model and of its subclass each have all their attributes."""

        class Answer(thread_model):
            author = UnicodeAttribute(default="Ada")
            tags = UnicodeSetAttribute(null=True)

        items = [thread_model("f", "1"), Answer("f", "2", tags={"aws"}), thread_model("f", "3", views=2)]
        saved(thread_model, *items)
        assert items_of(recorder) == [item.serialize() for item in items]

    def test_a_wrong_value(self, thread_model: t.Any, recorder: recorders.Recorder) -> None:
        """A missing value raises PynamoDB's error, and nothing is sent."""
        with pytest.raises(Exception, match="Attribute 'subject' cannot be None"):
            saved(thread_model, thread_model("f", "1"), thread_model("f"))
        assert recorder.requests == []

    def test_a_version(self, db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
        """A version is counted in the item, and in the object after the write."""

        class Page(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Page"

            name = UnicodeAttribute(hash_key=True)
            version = VersionAttribute()

        page = Page("home")
        for version in (1, 2):
            saved(Page, page)
            assert items_of(recorder, "Page") == [{"name": {"S": "home"}, "version": {"N": str(version)}}]
            assert page.version == version


@pytest.mark.usefixtures("app")
class TestOverrides:
    """A step that a program overrides or patches is taken for each object."""

    def test_of_a_model(self, thread_model: t.Any, recorder: recorders.Recorder) -> None:
        """The method of a subclass runs for objects of that class alone."""

        class Answer(thread_model):
            def serialize(self, null_check: bool = True) -> dict[str, t.Any]:
                return {**super().serialize(null_check=null_check), "kind": {"S": "answer"}}

        saved(thread_model, Answer("f", "1"), thread_model("f", "2"))
        assert ["kind" in item for item in items_of(recorder)] == [True, False]

    def test_of_one_object(self, thread_model: t.Any, recorder: recorders.Recorder) -> None:
        """A method that is set on one object runs for it."""
        item = thread_model("f", "1")
        vars(item)["serialize"] = lambda: {"forum_name": {"S": "own"}, "subject": {"S": "1"}}
        saved(thread_model, item)
        assert items_of(recorder) == [{"forum_name": {"S": "own"}, "subject": {"S": "1"}}]

    @pytest.mark.parametrize("name", STEPS["batch_write"])
    @pytest.mark.parametrize("is_own", [True, False], ids=["of the model", "of its base"])
    def test_a_patch(self, name: str, is_own: bool, thread_model: t.Any) -> None:
        """A patch is seen, also if the batch has been committed once before."""
        owner = thread_model if is_own else next(base for base in thread_model.__mro__ if name in vars(base))
        with thread_model.batch_write() as batch:
            batch.save(thread_model("f", "1"))
            batch.commit()
            batch.save(thread_model("f", "2"))
            with mock.patch.object(owner, name, autospec=True, side_effect=getattr(owner, name)) as patched:
                batch.commit()
        assert patched.called

    @pytest.mark.parametrize("owner", [pynamodb.connection.TableConnection, Connection])
    def test_a_patch_of_the_call(self, owner: t.Any, thread_model: t.Any) -> None:
        """A patched ``batch_write_item`` gets plain dicts."""
        with mock.patch.object(owner, "batch_write_item", return_value={}) as patched:
            saved(thread_model, thread_model("f", "1"))
        assert [type(item) for item in patched.call_args.kwargs["put_items"]] == [dict]


class TestTenants:
    """A batch is for one tenant."""

    def test_two_tenants_in_turns(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """The batches of two tenants go to their own tables, and their objects are refused by the other's batch."""
        items = {}
        for name, _ in itertools.product(("acme", "globex"), range(2)):
            with db.tenant(name):
                items[name] = thread_model("f", name)
                saved(thread_model, items[name])
                assert items_of(recorder, f"{name}-Thread") == [items[name].serialize()]
        sent = len(recorder.requests)
        with db.tenant("acme"), pytest.raises(dynaflask.TenantMismatch, match="another tenant"):
            saved(thread_model, items["globex"])
        assert len(recorder.requests) == sent

    def test_two_apps(
        self, app: flask.Flask, make_app: MakeApp, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """One object in the batches of two apps goes to each app's table."""
        item = thread_model("f", "1")
        other = make_app(
            "other", host=recorder.url, region="eu-west-1", transport="direct", table_prefix="other-", **KEYS
        )
        for _ in range(2):
            saved(thread_model, item)
            assert items_of(recorder, "Thread") == [item.serialize()]
            with other.app_context():
                saved(thread_model, item)
                assert items_of(recorder, "other-Thread") == [item.serialize()]
            assert recorder.requests[-1].region == "eu-west-1"


@pytest.fixture
def note_model(db: dynaflask.Dynamo) -> t.Any:
    """A model without a number in its keys."""

    class Note(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Note"

        forum = UnicodeAttribute(hash_key=True)
        id = UnicodeAttribute(range_key=True)
        views = NumberAttribute(default=0)

    return Note


@pytest.fixture
def encoded() -> t.Iterator[list[bool]]:
    """For each batch write that reached the direct transport as a plain request: if its items were encoded."""
    found = []
    serialize = OperationCodec.serialize

    def spy(codec: OperationCodec, params: dict[str, t.Any]) -> bytes | None:
        if codec.name == "BatchWriteItem" and type(params) is PlainRequest:
            puts = [part["PutRequest"]["Item"] for part in params["RequestItems"]["Note"] if "PutRequest" in part]
            found.append(any(type(item) is not dict for item in puts))
        return serialize(codec, params)

    with mock.patch.object(OperationCodec, "serialize", spy):
        yield found


def no_steps(_: flask.Flask) -> contextlib.AbstractContextManager[t.Any]:
    """An app that nothing watches."""
    return contextlib.nullcontext()


def with_signal(_: flask.Flask) -> contextlib.AbstractContextManager[t.Any]:
    """A receiver of PynamoDB's signal."""
    return t.cast("t.Any", pynamodb.signals.pre_dynamodb_send).connected_to(lambda *_, **__: None)


def with_receiver(app: flask.Flask) -> contextlib.AbstractContextManager[t.Any]:
    """A receiver of the app's operations."""
    return dynaflask.operation_finished.connected_to(lambda *_, **__: None, sender=app)


@contextlib.contextmanager
def with_debug_log(_: flask.Flask) -> t.Iterator[None]:
    """PynamoDB's log of each call."""
    logger = logging.getLogger("pynamodb.connection.base")
    level = logger.level
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def with_hook(app: flask.Flask) -> t.Iterator[None]:
    """A hook of the client, which makes the direct transport step aside."""
    events = app.extensions["dynamo"].client.meta.events
    hook: t.Any = lambda **_: None  # noqa: E731 - botocore takes it back by its identity
    events.register("before-send.dynamodb", hook)
    try:
        yield
    finally:
        events.unregister("before-send.dynamodb", hook)


def with_fault(_: flask.Flask) -> contextlib.AbstractContextManager[t.Any]:
    """A fault of ``dynaflask.testing``, which intercepts the call, and which botocore retries."""
    return fail_next("BatchWriteItem", "InternalServerError")


def with_patch(_: flask.Flask) -> contextlib.AbstractContextManager[t.Any]:
    """A patch of the method that makes each call."""
    connection = pynamodb.connection.Connection
    return mock.patch.object(connection, "_make_api_call", autospec=True, side_effect=connection._make_api_call)


class TestEncoded:
    """With msgspec, usual objects are encoded at once. Only the direct transport gets them so."""

    pytestmark = pytest.mark.skipif(json_codec.msgspec is None, reason="msgspec is not installed")

    @pytest.mark.parametrize(
        ("options", "situation"),
        [
            ({}, no_steps),
            ({}, with_receiver),
            ({"retry_conflicts": 1}, no_steps),
            ({"call_timeout_seconds": 60}, no_steps),
            ({}, with_signal),
            ({}, with_debug_log),
            ({}, with_hook),
            ({}, with_fault),
            ({}, with_patch),
            ({"transport": "botocore"}, no_steps),
            ({"transport": "stock"}, no_steps),
        ],
        ids=[
            *("nothing", "receiver", "conflicts", "timeout", "signal", "log", "hook", "fault", "patch"),
            *("botocore", "stock"),
        ],
    )
    def test_the_requests_are_the_same(
        self,
        *,
        options: dict[str, t.Any],
        situation: t.Callable[[flask.Flask], contextlib.AbstractContextManager[t.Any]],
        make_app: MakeApp,
        recorder: recorders.Recorder,
        note_model: t.Any,
        encoded: list[bool],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """The bytes are those of items that are dicts, and so is what PynamoDB logs, whatever watches the call."""
        sent = []
        for takes_them in (True, False):
            app = make_app(
                "app", **{"host": recorder.url, "region": "us-east-1", "transport": "direct", **KEYS, **options}
            )
            with app.app_context(), mock.patch.object(PlainRequests, "takes_structs", takes_them):
                recorder.requests.clear()
                caplog.clear()
                with situation(app):
                    write_some(note_model)
            sent.append(([request.raw_body for request in recorder.requests], calls_in(caplog)))
        assert sent[0] == sent[1]
        assert len(sent[0][0]) == len(WRITTEN)
        is_encoded = situation in {no_steps, with_receiver} and options.keys() <= {"retry_conflicts"}
        assert any(encoded) is is_encoded

    @pytest.mark.parametrize("status", [500, 400], ids=str)
    def test_an_attempt_fails(
        self, status: int, app: flask.Flask, recorder: recorders.Recorder, note_model: t.Any, encoded: list[bool]
    ) -> None:
        """If the first attempt fails, botocore sends the same items again."""
        answers = iter([(status, {"__type": "ThrottlingException", "message": "slower"}), {}, {}])
        recorder.answer = lambda _: next(answers)
        with mock.patch("time.sleep"):
            write_some(note_model)
        assert encoded == [True, True]
        first, second, _ = (request.body["RequestItems"]["Note"] for request in recorder.requests)
        assert first == second == [{"PutRequest": {"Item": note_model("f", "1").serialize()}}]

    def test_a_text_that_json_does_not_have(
        self, app: flask.Flask, recorder: recorders.Recorder, note_model: t.Any, encoded: list[bool]
    ) -> None:
        """One such object among others is sent as botocore sends it."""
        for takes_them in (True, False):
            with mock.patch.object(PlainRequests, "takes_structs", takes_them):
                saved(note_model, note_model("f", "1"), note_model("f", "\ud800"))
        assert encoded == [True, False]
        assert recorder.requests[0].raw_body == recorder.requests[1].raw_body

    def test_keys(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, note_model: t.Any
    ) -> None:
        """A number in a key may have to change, and is not encoded before that."""

        class Visit(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Visit"

            number = NumberAttribute(hash_key=True)

        for number in (1e30, 2):
            saved(Visit, Visit(number))
        assert [items_of(recorder, "Visit")] == [[{"number": {"N": "2"}}]]
        body = recorder.requests[0].body["RequestItems"]["Visit"]
        assert body == [{"PutRequest": {"Item": {"number": {"N": "1000000000000000000000000000000"}}}}]

    def test_a_model_that_hides_expired_items(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, encoded: list[bool]
    ) -> None:
        """Its connection builds the request, of items that need no second check."""

        class Note(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Note"
                hide_expired = True

            id = UnicodeAttribute(hash_key=True)
            expires = TTLAttribute(null=True)

        with mock.patch.object(plain_calls, "is_plain_item", side_effect=AssertionError):
            saved(Note, Note("1"))
        assert encoded == [False]
        assert items_of(recorder, "Note") == [{"id": {"S": "1"}}]

    def test_a_connection_of_the_program(self, app: flask.Flask, note_model: t.Any, encoded: list[bool]) -> None:
        """A connection in place of the model's gets dicts."""
        connection = mock.Mock(**{"batch_write_item.return_value": {}})
        with mock.patch.object(note_model, "_get_connection", return_value=connection):
            saved(note_model, note_model("f", "1"))
        item = note_model("f", "1").serialize()
        connection.batch_write_item.assert_called_once_with(put_items=[item], delete_items=[])
        assert type(connection.batch_write_item.call_args.kwargs["put_items"]) is list
        assert encoded == []

    def test_an_index_is_declared_meanwhile(
        self, app: flask.Flask, recorder: recorders.Recorder, note_model: t.Any
    ) -> None:
        """A key of type number that another thread declares after the items were encoded is found."""
        with mock.patch.object(KeyTable, "number_keys", side_effect=[(), ("views",), ("views",)]):
            saved(note_model, note_model("f", "1", views=1e2))
        assert items_of(recorder, "Note") == [{"forum": {"S": "f"}, "id": {"S": "1"}, "views": {"N": "100"}}]

    def test_tenants_in_turns(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, note_model: t.Any
    ) -> None:
        """An object that was read for one tenant is refused in another's batch, among objects of that tenant."""
        with db.tenant("acme"):
            theirs = note_model.get("f", "secret")
        recorder.requests.clear()
        with db.tenant("globex"), pytest.raises(dynaflask.TenantMismatch):
            saved(note_model, note_model("f", "1"), theirs)
        assert recorder.requests == []
        with db.tenant("acme"):
            saved(note_model, note_model("f", "1"), theirs)
        assert list(recorder.requests[0].body["RequestItems"]) == ["acme-Note"]

    def test_a_thread_takes_an_object_meanwhile(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, note_model: t.Any
    ) -> None:
        """If another thread makes an object that of its tenant while it is encoded, the batch is refused."""
        item = note_model("f", "1")
        with db.tenant("acme"):
            acme = note_model.get("f", "1")._dynamo_tenant
        recorder.requests.clear()
        require = batch_items.require_own_tenant

        def take(instance: t.Any, scope: t.Any) -> t.Any:
            tenant = require(instance, scope)
            vars(instance)["_dynamo_tenant"] = acme
            return tenant

        with (
            db.tenant("globex"),
            mock.patch.object(batch_items, "require_own_tenant", take),
            pytest.raises(dynaflask.TenantMismatch),
        ):
            saved(note_model, item)
        assert recorder.requests == []


WRITTEN = ("a batch", "a batch with a deletion")


def write_some(model: t.Any) -> None:
    """Save an object in a batch, and then one with a deletion."""
    saved(model, model("f", "1"))
    with model.batch_write() as batch:
        batch.save(model("f", "2"))
        batch.delete(model("f", "3"))


def calls_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What PynamoDB's log has of the calls."""
    return [message for message in caplog.messages if message.startswith("Calling")]
