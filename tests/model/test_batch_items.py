"""The items of a batch: those of ``serialize``, in fewer steps."""

from __future__ import annotations

import itertools
import typing as t
from unittest import mock

import flask
import pynamodb.connection
import pytest
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UnicodeSetAttribute
from pynamodb.attributes import VersionAttribute

import dynaflask
from dynaflask.client.connection import Connection
from dynaflask.model.base import Model
from dynaflask.model.item_tenant import ItemTenantMixin
from dynaflask.model.lane_steps import STEPS
from dynaflask.model.versions import VersionMixin
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

OWNERS = {"serialize": ItemTenantMixin, "_container_serialize": Model}


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
        """A subclass overrides serialize."""

        class Answer(thread_model):
            def serialize(self, null_check: bool = True) -> dict[str, t.Any]:
                return {**super().serialize(null_check=null_check), "kind": {"S": "answer"}}

        saved(thread_model, Answer("f", "1"), thread_model("f", "2"))
        assert ["kind" in item for item in items_of(recorder)] == [True, False]

    def test_of_one_object(self, thread_model: t.Any, recorder: recorders.Recorder) -> None:
        """An object has a method of its own."""
        item = thread_model("f", "1")
        vars(item)["serialize"] = lambda: {"forum_name": {"S": "own"}, "subject": {"S": "1"}}
        saved(thread_model, item)
        assert items_of(recorder) == [{"forum_name": {"S": "own"}, "subject": {"S": "1"}}]

    @pytest.mark.parametrize("name", STEPS["batch_write"])
    @pytest.mark.parametrize("is_own", [True, False], ids=["of the model", "of its base"])
    def test_a_patch(self, name: str, is_own: bool, thread_model: t.Any) -> None:
        """A patch is seen, also if the batch has been committed once before."""
        owner = thread_model if is_own else OWNERS.get(name, VersionMixin if "handle" in name else ItemTenantMixin)
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
