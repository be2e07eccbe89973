"""Objects, and copies of them, that a program carries from one app or tenant to another."""

from __future__ import annotations

import collections.abc as cabc
import copy
import gc
import pickle
import subprocess
import sys
import typing as t

import botocore.session
import pytest
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import VersionAttribute
from pynamodb.exceptions import PynamoDBException

import dynaflask
from dynaflask import TenantMismatch
from dynaflask.tenants.tenant import TenantName
from tests.support import two_apps
from tests.support.paths import environment
from tests.support.settings import KEYS
from tests.support.two_apps import World


class Article(dynaflask.Model):
    """A model of this module, so that its objects can be pickled."""

    class Meta:
        """Its table."""

        table_name = "Article"

    forum_name = UnicodeAttribute(hash_key=True)
    subject = UnicodeAttribute(range_key=True)
    text = UnicodeAttribute(null=True)


class Edited(Article):
    """A model that makes its objects in its own way."""

    @classmethod
    def from_raw_data(cls, data: t.Any) -> t.Any:
        """An object, by the base class, at the time of the call."""
        return super().from_raw_data(data)


class Listed(Article):
    """A model that makes something else of its items."""

    @classmethod
    def from_raw_data(cls, data: t.Any) -> t.Any:
        """A plain list."""
        return sorted(data)


RAW = {"forum_name": {"S": "forum"}, "subject": {"S": "subject"}}

#: How a program gets an object of the current tenant.
SOURCES: dict[str, cabc.Callable[[], t.Any]] = {
    "get": lambda: Article.get("forum", "subject"),
    "query": lambda: next(Article.query("forum")),
    "batch_get": lambda: next(Article.batch_get([("forum", "subject")])),
    "saved": lambda: saved(Article("forum", "subject")),
}
#: What it does with it in between.
COPIES: dict[str, cabc.Callable[[t.Any], t.Any]] = {
    "itself": lambda item: item,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda item: unpickled(pickle.dumps(item)),
}
#: What it does with it then.
USES: dict[str, cabc.Callable[[t.Any], t.Any]] = {
    "save": lambda item: item.save(),
    "refresh": lambda item: item.refresh(),
    "update": lambda item: item.update([Article.text.set("x")]),
    "delete": lambda item: item.delete(),
}


def saved(item: t.Any) -> t.Any:
    """The object, after it was saved."""
    item.save()
    return item


def unpickled(pickled: bytes) -> t.Any:
    """What was pickled, as another process reads it."""
    return pickle.loads(pickled)  # noqa: S301 - the test's own


class Versioned(dynaflask.Model):
    """A model that takes no fast path to be saved."""

    class Meta:
        """Its table."""

        table_name = "Article"

    forum_name = UnicodeAttribute(hash_key=True)
    subject = UnicodeAttribute(range_key=True)
    version = VersionAttribute()


def save_in_batch(_: dynaflask.Dynamo, item: t.Any) -> None:
    """Save an object in a batch."""
    with type(item).batch_write() as batch:
        batch.save(item)


def save_in_transaction(db: dynaflask.Dynamo, item: t.Any) -> None:
    """Save an object in a transaction."""
    with db.transact_write() as transaction:
        transaction.save(item)


#: How a program saves an object.
SAVES: dict[str, cabc.Callable[[dynaflask.Dynamo, t.Any], t.Any]] = {
    "save": lambda _, item: item.save(),
    "batch": save_in_batch,
    "transaction": save_in_transaction,
}


@pytest.fixture(autouse=True)
def pages(world: World) -> None:
    """Answer queries of articles with one."""
    world.answer = lambda request: (
        {"Items": [RAW], "Count": 1, "ScannedCount": 1}
        if request.operation == "Query"
        else two_apps.plain_answer(request)
    )


class TestTwoApps:
    """Each app has its own tenant of a name: an object of one app's tenant does not reach the other's."""

    @pytest.mark.parametrize("source", SOURCES)
    @pytest.mark.parametrize("use", USES)
    def test_the_same_name(self, world: World, source: str, use: str) -> None:
        """It is refused before a byte is sent, and the error names the app."""
        with world.one.app_context(), world.db.tenant("acme"):
            item = SOURCES[source]()
        world.sent()
        with world.two.app_context(), world.db.tenant("acme"):
            with pytest.raises(TenantMismatch, match="for another tenant than 'acme' of the app 'two'"):
                USES[use](item)
        assert world.sent() == []
        with world.one.app_context(), world.db.tenant("acme"):
            USES[use](item)
        assert world.sent() == ["one acme-Article"]

    @pytest.mark.parametrize("how", COPIES)
    def test_copies(self, world: World, how: str) -> None:
        """A copy of an object belongs to the tenant and the app of the original."""
        with world.one.app_context(), world.db.tenant("acme"):
            item = COPIES[how](Article.get("forum", "subject"))
            item.save()
        world.sent()
        with world.two.app_context():
            for tenant in ("acme", "globex", "north"):
                with world.db.tenant(tenant), pytest.raises(TenantMismatch):
                    item.save()
            with pytest.raises(TenantMismatch, match="than a context without a tenant of the app 'two'"):
                item.save()
        assert world.sent() == []

    def test_a_copy_of_its_values(self, world: World) -> None:
        """A new object of its values is the other tenant's, as the error advises."""
        with world.one.app_context(), world.db.tenant("acme"):
            item = Article.get("forum", "subject")
        with world.two.app_context(), world.db.tenant("acme"):
            Article(**item.attribute_values).save()
        assert world.sent() == ["one acme-Article", "two acme-Article"]

    def test_for_no_tenant_on_purpose(self, world: World) -> None:
        """In a ``db.without_tenant`` block of the other app, any object is used."""
        with world.one.app_context(), world.db.tenant("acme"):
            item = Article.get("forum", "subject")
        with world.two.app_context(), world.db.without_tenant(reason="copy"):
            item.save()
        assert world.sent() == ["one acme-Article", "two Article"]

    def test_without_tenants_an_object_is_plain_data(self, world: World) -> None:
        """An object of no tenant is saved in any app, as the documentation says."""
        with world.one.app_context():
            item = Article.get("forum", "subject")
        with world.two.app_context():
            item.save()
        assert world.sent() == ["one Article", "two Article"]

    def test_two_apps_with_one_table(self, make_app: t.Any, db: dynaflask.Dynamo, recorder: t.Any) -> None:
        """Apps with the same settings share their tables, and the objects of a tenant that both have looked up."""
        settings = {
            "host": recorder.url,
            "region": "eu-west-1",
            "aws_access_key_id": "AKIA",
            "aws_secret_access_key": "hush",
            "tenants": two_apps.TENANTS,
        }
        first, second = (make_app("same", **settings) for _ in range(2))
        with first.app_context(), db.tenant("acme"):
            items = [Article.get("forum", "subject") for _ in range(2)]
        with second.app_context(), db.tenant("acme"):
            items[0].save()
            first.extensions["dynamo"].tenants.forget("acme")
            with pytest.raises(TenantMismatch):
                items[1].save()

    def test_apps_and_tenants_with_one_factory(self, make_app: t.Any, db: dynaflask.Dynamo, recorder: t.Any) -> None:
        """A client factory may choose a client by the key of the bind, or by the current app."""
        client = botocore.session.Session().create_client(
            "dynamodb", region_name="eu-west-1", endpoint_url=recorder.url, **KEYS
        )
        settings = {
            "client_factory": lambda bind: client,
            "binds": {"eu": {}, "us": {}},
            "tenants": {"acme": {"bind_key": "eu"}, "globex": {"bind_key": "us"}, "north": {"bind_key": "eu"}},
        }
        first, second = (make_app("same", **settings) for _ in range(2))
        with second.app_context(), db.tenant("acme"):
            assert Article.Meta.bind_key == "eu"
        with first.app_context():
            with db.tenant("acme"):
                item = Article("forum", "subject")
                item.save()
            with db.tenant("globex"), pytest.raises(TenantMismatch):
                item.save()
            with db.tenant("north"):
                item.save()
        with second.app_context(), db.tenant("acme"), pytest.raises(TenantMismatch):
            item.save()

    def test_an_app_that_is_gone(self, make_app: t.Any, db: dynaflask.Dynamo) -> None:
        """An object of a tenant of an app that no longer exists is refused: its table is not known any more."""
        settings = {"region": "eu-west-1", "tenants": two_apps.TENANTS}
        with make_app("same", **settings).app_context(), db.tenant("acme"):
            item = Article.from_raw_data(RAW)
        gc.collect()
        with make_app("same", **settings).app_context(), db.tenant("acme"), pytest.raises(TenantMismatch):
            item.save()

    def test_the_mark_of_another_process(self, world: World) -> None:
        """A pickle has the names of its tenant and its app. In another app it is refused."""
        with world.one.app_context(), world.db.tenant("acme"):
            pickled = pickle.dumps(Article.get("forum", "subject"))
        with world.two.app_context(), world.db.tenant("acme"), pytest.raises(TenantMismatch):
            unpickled(pickled).save()
        with world.one.app_context(), world.db.tenant("globex"), pytest.raises(TenantMismatch):
            unpickled(pickled).save()
        name = unpickled(pickle.dumps(TenantName("acme", "one", lambda: None)))
        assert (name, name.app_name, name.registry) == ("acme", "one", None)

    def test_a_pickle_of_an_app_with_the_same_name(
        self, make_app: t.Any, db: dynaflask.Dynamo, recorder: t.Any
    ) -> None:
        """Two apps of a process may have one name, as a factory gives it, and may share a cache of pickles."""
        settings = {"host": recorder.url, **KEYS, "tenants": two_apps.TENANTS}
        first, second = (make_app("same", region=region, **settings) for region in two_apps.REGIONS.values())
        with first.app_context(), db.tenant("acme"):
            pickled = pickle.dumps(unpickled(pickle.dumps(Article.get("forum", "subject"))))
        with second.app_context(), db.tenant("acme"), pytest.raises(TenantMismatch, match="of the app 'same'"):
            unpickled(pickled).save()
        with first.app_context(), db.tenant("acme"):
            unpickled(pickled).save()
        assert {request.region for request in recorder.requests} == {"eu-west-1"}

    def test_another_process_has_it(self, world: World) -> None:
        """A worker, say, that gets an object by a queue saves it for its tenant in its app alone."""
        with world.one.app_context(), world.db.tenant("acme"):
            pickled = pickle.dumps(saved(Article("forum", "subject")))
        world.sent()
        program = [sys.executable, "-m", "tests.support.unpickle_program", two_apps.RUN]
        urls = [app.config["DYNAMODB_HOST"] for app in (world.one, world.two)]
        done = subprocess.run(
            [*program, *urls], input=pickled, capture_output=True, check=True, env=environment(), timeout=120
        )
        assert done.stdout.decode().splitlines() == ["one acme"]
        assert world.sent() == ["one acme-Article"]

    def test_the_name_of_the_current_tenant_is_a_plain_string(self, world: World) -> None:
        """A program may write it to an item, or encode it with any library."""
        with world.one.app_context(), world.db.tenant("acme"):
            assert type(world.db.current_tenant) is str
            assert type(world.db.connection.tenant) is str
            Article("forum", "subject", text=world.db.current_tenant).save()
        assert world.sent() == ["one acme-Article"]


@pytest.mark.parametrize("way", SAVES)
@pytest.mark.parametrize("model", [Article, Versioned], ids=["fast path", "PynamoDB"])
def test_a_save_that_failed(world: World, model: t.Any, way: str) -> None:
    """DynamoDB may have done the write, so that the object is that of its tenant: no other tenant and app saves it."""
    item = model("forum", "subject")
    world.answer = lambda _: (400, {"__type": "x#ValidationException", "message": "no"})
    with world.one.app_context(), world.db.tenant("acme"), pytest.raises(PynamoDBException):
        SAVES[way](world.db, item)
    world.answer = two_apps.plain_answer
    world.sent()
    for app, tenant in ((world.one, "globex"), (world.two, "acme")):
        with app.app_context(), world.db.tenant(tenant), pytest.raises(TenantMismatch):
            SAVES[way](world.db, item)
    assert world.sent() == []
    with world.one.app_context(), world.db.tenant("acme"):
        SAVES[way](world.db, item)
    assert world.sent() == ["one acme-Article"]


class TestOwnObjects:
    """A model that makes its objects in its own way does not change whose they are."""

    @pytest.mark.parametrize("read", ["query", "scan", "batch_get"])
    def test_results_that_are_read_in_another_block(self, world: World, read: str) -> None:
        """An object belongs to the tenant of the query, although it is made in another one's block."""
        world.answer = lambda request: (
            {"Items": [RAW], "Count": 1, "ScannedCount": 1}
            if request.operation in {"Query", "Scan"}
            else two_apps.plain_answer(request)
        )
        argument = {"query": ["forum"], "scan": [], "batch_get": [[("forum", "subject")]]}[read]
        with world.one.app_context():
            with world.db.tenant("acme"):
                results = getattr(Edited, read)(*argument)
            with world.db.tenant("globex"):
                item = next(results)
                with pytest.raises(TenantMismatch):
                    item.save()
            with world.db.tenant("acme"):
                item.save()
        assert world.sent() == ["one acme-Article", "one acme-Article"]

    def test_what_is_no_object(self, world: World) -> None:
        """It may return anything, which no tenant owns."""
        with world.one.app_context(), world.db.tenant("acme"):
            assert list(Listed.query("forum")) == [["forum_name", "subject"]]
