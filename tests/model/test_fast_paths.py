"""Which calls take the fast path: those whose result no method of the program and no patch could change."""

from __future__ import annotations

import typing as t
from unittest import mock

import pynamodb.connection.table
import pynamodb.models
import pytest
from pynamodb.attributes import AttributeContainer
from pynamodb.attributes import DiscriminatorAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import VersionAttribute

import dynaflask
from dynaflask.client.connection import Connection
from dynaflask.client.plain_calls import OPERATIONS
from dynaflask.client.plain_requests import PlainRequest
from dynaflask.client.table_connection import TableConnection
from dynaflask.model import base
from dynaflask.model.codec import responses
from dynaflask.model.item_fast_path import ItemFastPath
from dynaflask.model.item_tenant import ItemTenantMixin
from dynaflask.model.skipped_methods import STEPS
from dynaflask.model.tenant_guard import TenantGuardMixin
from dynaflask.model.versions import VersionMixin
from tests.client.test_plain_calls import direct_app
from tests.support import models
from tests.support import recorder as recorders
from tests.support.comparing import outcome
from tests.support.fast_paths import calls_of
from tests.support.settings import MakeApp

TABLES = (pynamodb.connection.table.TableConnection, TableConnection)
OWNERS = (base.Model, TenantGuardMixin, VersionMixin, ItemTenantMixin, pynamodb.models.Model, AttributeContainer)
METHODS = {
    f"{owner.__module__}.{owner.__name__}.{name}": (owner, name)
    for owner in OWNERS
    for operation, names in STEPS.items()
    for name in (operation, *names)
    if name in vars(owner)
}


@pytest.mark.usefixtures("warm_app")
class TestWhichCallsTakeTheFastPath:
    """The fast path skips nothing that a program defines."""

    def test_all_operations(self, thread_model: t.Any, taken: list[str]) -> None:
        """The operations of a plain model take the fast path, each with a plain request."""
        plain = []
        send = Connection.send_plain

        def spy(connection: Connection, operation: str, request: t.Any) -> t.Any:
            plain.append((operation, type(request)))
            return send(connection, operation, request)

        item = thread_model("forum", "subject")
        with mock.patch.object(Connection, "send_plain", spy):
            outcome(lambda: thread_model.get("forum", "subject"))
            outcome(item.save)
            outcome(lambda: item.update(actions=[thread_model.views.set(1)]))
            outcome(item.delete)
        assert taken == ["get", "save", "update", "delete"]
        names = ["GetItem", "PutItem", "UpdateItem", "DeleteItem"]
        assert plain == [(name, PlainRequest) for name in names]

    def test_the_object_of_a_response(
        self, thread_model: t.Any, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An item becomes an object without a dict for each value, unless the model overrides ``from_raw_data``."""
        monkeypatch.setattr(responses, "MIN_BYTES", 0)
        item = {"forum_name": {"S": "forum"}, "subject": {"S": "subject"}, "views": {"N": "7"}}
        recorder.answer = lambda _: {"Item": item, "ConsumedCapacity": {"CapacityUnits": 1.0, "TableName": "Thread"}}
        decode = mock.create_autospec(
            responses.ResponseDecoder.decode_item, side_effect=responses.ResponseDecoder.decode_item
        )
        with mock.patch.object(responses.ResponseDecoder, "decode_item", decode):
            found = thread_model.get("forum", "subject")
            assert (found.attribute_values, decode.call_count) == (
                {"forum_name": "forum", "subject": "subject", "views": 7},
                1,
            )
            with mock.patch.object(thread_model, "from_raw_data", return_value="mine"):
                assert thread_model.get("forum", "subject") == "mine"
        assert decode.call_count == 1

    @pytest.mark.parametrize("call", ["get", "query", "scan", "batch_get"])
    def test_a_patch_of_what_makes_the_objects(
        self, call: str, thread_model: t.Any, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A patch of ``Model.from_raw_data`` makes the object of each read, also if it comes after a read."""
        monkeypatch.setattr(responses, "MIN_BYTES", 0)
        item = {"forum_name": {"S": "forum"}, "subject": {"S": "subject"}}
        bodies = {
            "get": {"Item": item},
            "query": {"Items": [item], "Count": 1, "ScannedCount": 1},
            "scan": {"Items": [item], "Count": 1, "ScannedCount": 1},
            "batch_get": {"Responses": {"Thread": [item]}, "UnprocessedKeys": {}},
        }
        recorder.answer = lambda _: bodies[call]
        reads = {
            "get": lambda: [thread_model.get("forum", "subject")],
            "query": lambda: list(thread_model.query("forum")),
            "scan": lambda: list(thread_model.scan()),
            "batch_get": lambda: list(thread_model.batch_get([("forum", "subject")])),
        }
        assert [found.subject for found in reads[call]()] == ["subject"]
        with mock.patch.object(base.Model, "from_raw_data", return_value="mine"):
            assert reads[call]() == ["mine"]

    def test_a_patch_that_is_there_first(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A model whose first call comes under a patch calls it, and calls its own method after it."""
        monkeypatch.setattr(responses, "MIN_BYTES", 0)
        recorder.answer = lambda _: {"Item": {"forum_name": {"S": "forum"}, "subject": {"S": "subject"}}}
        thread = models.declare_thread(db)
        with mock.patch.object(base.Model, "from_raw_data", return_value="mine"):
            assert thread.get("forum", "subject") == "mine"
        with mock.patch.object(pynamodb.models.Model, "_serialize_keys", side_effect=ZeroDivisionError):
            with pytest.raises(ZeroDivisionError):
                models.declare_thread(db).get("forum", "subject")
        decode = mock.create_autospec(
            responses.ResponseDecoder.decode_item, side_effect=responses.ResponseDecoder.decode_item
        )
        with mock.patch.object(responses.ResponseDecoder, "decode_item", decode):
            assert thread.get("forum", "subject").subject == "subject"
        assert decode.called

    @pytest.mark.parametrize(("owner", "name"), METHODS.values(), ids=METHODS)
    def test_a_patch(self, owner: t.Any, name: str, thread_model: t.Any) -> None:
        """A patch of a method that the fast path would skip is called as without it, also if it comes after a call."""
        original = getattr(owner, name)
        called: list[str] = []

        def patched(*args: t.Any, **options: t.Any) -> t.Any:
            called.append(name)
            return getattr(original, "__func__", original)(*args, **options)

        def call_all() -> int:
            called.clear()
            for call in calls_of(thread_model, thread_model("forum", "subject"), "forum", "subject").values():
                outcome(call)
            return len(called)

        call_all()
        replacement = classmethod(patched) if isinstance(vars(owner)[name], classmethod) else patched
        with mock.patch.object(owner, name, replacement):
            with mock.patch.object(ItemFastPath, "applies_to", return_value=False):
                expected = call_all()
            assert call_all() == expected

    @pytest.mark.parametrize(
        ("owner", "name"),
        [(owner, name) for owner in TABLES for name in OPERATIONS[:4] if name in vars(owner)],
        ids=lambda value: getattr(value, "__module__", value),
    )
    def test_a_patch_of_the_table(self, owner: t.Any, name: str, thread_model: t.Any) -> None:
        """A patched method of the table gets the arguments that PynamoDB gives it."""
        item = thread_model("forum", "subject")
        calls = calls_of(thread_model, item, "forum", "subject")
        with mock.patch.object(owner, name, autospec=True, side_effect=vars(owner)[name]) as patched:
            for call in calls.values():
                outcome(call)
            ours = [(*call.args[1:], call.kwargs) for call in patched.call_args_list]
            patched.reset_mock()
            with mock.patch.object(ItemFastPath, "applies_to", return_value=False):
                for call in calls.values():
                    outcome(call)
            theirs = [(*call.args[1:], call.kwargs) for call in patched.call_args_list]
        assert ours
        assert repr(ours) == repr(theirs)

    def test_methods_of_one_object(self, thread_model: t.Any, taken: list[str]) -> None:
        """A method that a program puts into an object or into the model's table is called."""
        item, table = thread_model("forum", "subject"), thread_model._get_connection()
        with mock.patch.object(item, "serialize", return_value={}) as patched:
            outcome(item.save)
        assert (patched.called, taken) == (True, [])
        with mock.patch.object(table, "put_item", return_value={}) as patched:
            item.save()
        assert patched.called
        other = mock.MagicMock()
        with mock.patch.object(table, "connection", other):
            item.delete()
        assert other.delete_item.called

    def test_methods_of_the_model(self, db: dynaflask.Dynamo, taken: list[str]) -> None:
        """A model, or a base of it beside ours, may override each step."""

        class Counted(pynamodb.models.Model):
            saved = 0

            def save(self, *args: t.Any, **options: t.Any) -> t.Any:
                Counted.saved += 1
                return super().save(*args, **options)

        class Page(db.Model, Counted):  # type: ignore[name-defined,misc]
            class Meta:
                table_name = "Page"

            name = UnicodeAttribute(hash_key=True)
            size = NumberAttribute(null=True)

        class Other(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Other"

            name = UnicodeAttribute(hash_key=True)

            def serialize(self, *args: t.Any, **options: t.Any) -> t.Any:
                return {**super().serialize(*args, **options), "more": {"S": "x"}}

        Page("home").save()
        Other("home").save()
        assert (Counted.saved, taken) == (1, [])
        outcome(lambda: Page.get("home"))
        assert taken == ["get"]
        with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'serialize'"):
            Page.get("home", "range")

    def test_versions_discriminators_and_models_without_keys(self, db: dynaflask.Dynamo, taken: list[str]) -> None:
        """They have steps of their own, and PynamoDB takes them."""

        class Page(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Page"

            name = UnicodeAttribute(hash_key=True)
            version = VersionAttribute()

        class Animal(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Animal"

            name = UnicodeAttribute(hash_key=True)
            cls = DiscriminatorAttribute()

        class Dog(Animal, discriminator="dog"):
            pass

        class Keyless(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Keyless"

        for item in (Page("home"), Dog("rex"), Keyless()):
            outcome(item.save)
            outcome(lambda item=item: item.update([]))
            outcome(item.delete)
        outcome(lambda: Keyless.get("x"))
        assert taken == []

    def test_a_model_without_a_serializer(self, thread_model: t.Any, taken: list[str]) -> None:
        """PynamoDB writes the items of a model that has no compiled serializer."""
        with mock.patch.dict(vars(thread_model.__codec__), checked_serializer=None):
            outcome(thread_model("forum", "subject").save)
        assert taken == []
        outcome(thread_model("forum", "subject").save)
        assert taken == ["save"]

    def test_other_transports(self, make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> None:
        """With another transport, botocore gets the dict that PynamoDB builds."""
        for transport in ("botocore", "stock"):
            with direct_app(make_app, recorder.url, transport, transport=transport).app_context():
                with mock.patch("botocore.client.BaseClient._make_api_call", return_value={}) as call:
                    thread_model("forum", "subject").save()
            assert type(call.call_args.args[1]) is dict
