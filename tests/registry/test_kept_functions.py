"""Bound methods, results and connections that a program looks up once, and uses for other tenants and apps.

A method of a model acts where it is called. What was made in a context, such as results or a connection, stays there.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t

import pytest

from dynaflask import TenantMismatch
from tests.support import two_apps
from tests.support.two_apps import ITEM
from tests.support.two_apps import World

#: Everything that a program may keep of a model: a function that looks it up, and one that uses it.
METHODS: dict[str, tuple[t.Callable[[t.Any], t.Any], t.Callable[[t.Any], t.Any]]] = {
    "get": (lambda thread: thread.get, lambda get: get("forum", "subject")),
    "query": (lambda thread: thread.query, lambda query: list(query("forum"))),
    "scan": (lambda thread: thread.scan, lambda scan: list(scan())),
    "count": (lambda thread: thread.count, lambda count: count("forum")),
    "index": (lambda thread: thread.view_index.query, lambda query: list(query(1))),
    "batch_get": (lambda thread: thread.batch_get, lambda get: list(get([("forum", "subject")]))),
    "batch_write": (lambda thread: thread.batch_write, lambda write: write_with(write())),
    "save": (lambda thread: thread("forum", "subject").save, lambda save: save()),
    "delete": (lambda thread: thread("forum", "subject").delete, lambda delete: delete()),
    "refresh": (lambda thread: thread("forum", "subject").refresh, lambda refresh: refresh()),
    "_get_connection": (
        lambda thread: thread._get_connection,
        lambda connect: connect().get_item("forum", range_key="subject"),
    ),
}

Place = t.Callable[[World], contextlib.AbstractContextManager[t.Any]]


def place(app: str, tenant: str | None) -> Place:
    """A context of an app, in a tenant's block."""

    @contextlib.contextmanager
    def enter(world: World) -> cabc.Iterator[None]:
        with getattr(world, app).app_context(), world.db.tenant(tenant) if tenant else contextlib.nullcontext():
            yield

    return enter


PLACES = {
    "one acme-Thread": place("one", "acme"),
    "two acme-Thread": place("two", "acme"),
    "one globex-Thread": place("one", "globex"),
    "two Thread": place("two", None),
}


def write_with(batch: t.Any) -> None:
    """Write an item with a batch."""
    with batch:
        batch.save(batch.model("forum", "subject"))


class TestMethods:
    """A bound method of a model acts for the app and the tenant that are current when it is called."""

    @pytest.mark.parametrize("name", METHODS)
    def test_kept_from_outside(self, world: World, name: str) -> None:
        """A method that was looked up outside of all contexts."""
        find, use = METHODS[name]
        for expected, enter in PLACES.items():
            # An object that was saved for one tenant is refused for the next.
            kept = find(world.Thread)
            with enter(world):
                use(kept)
            assert set(world.sent()) == {expected}

    @pytest.mark.parametrize("name", METHODS)
    def test_kept_from_another_tenant(self, world: World, name: str) -> None:
        """A method that was looked up and used for one tenant."""
        find, use = METHODS[name]
        for first in PLACES.values():
            for expected, second in PLACES.items():
                with first(world):
                    kept = find(world.Thread)
                with second(world):
                    use(kept)
                assert set(world.sent()) == {expected}

    def test_from_raw_data(self, world: World) -> None:
        """The objects that it makes belong to the tenant that it was looked up for, or else made for."""
        outside = world.Thread.from_raw_data
        with world.one.app_context():
            before = world.Thread.from_raw_data
            with world.db.tenant("acme"):
                inside = world.Thread.from_raw_data
                items = [inside(ITEM), outside(ITEM)]
            with world.db.tenant("globex"):
                items.append(inside(ITEM))
                for item in items:
                    with pytest.raises(TenantMismatch):
                        item.save()
                before(ITEM).save()
                outside(ITEM).save()
        assert world.sent() == ["one globex-Thread", "one globex-Thread"]

    def test_from_raw_data_before_the_tenant_is_known(self, world: World) -> None:
        """An object that is made before the first use has no tenant yet. One that is made later has."""
        world.db.tenant_loader(lambda: "acme")
        with world.one.app_context():
            make = world.Thread.from_raw_data
            make(ITEM)
            world.Thread.get("forum", "subject")
            item = make(ITEM)
            with world.db.tenant("globex"), pytest.raises(TenantMismatch):
                item.save()
        assert world.sent() == ["one acme-Thread"]


class TestResults:
    """Results that were made in a block, and not begun to be read, stay there."""

    @pytest.mark.parametrize("name", ["query", "scan", "index", "batch_get"])
    def test_they_are_read_elsewhere(self, world: World, name: str) -> None:
        """In another tenant's block, they are read for their own tenant."""
        make = {
            "query": lambda: world.Thread.query("forum"),
            "scan": world.Thread.scan,
            "index": lambda: world.Thread.view_index.query(1),
            "batch_get": lambda: world.Thread.batch_get([("forum", "subject")]),
        }[name]
        with world.one.app_context():
            with world.db.tenant("acme"):
                results = make()
            with world.db.tenant("globex"):
                (item,) = results
                with pytest.raises(TenantMismatch):
                    item.save()
        assert world.sent() == ["one acme-Thread"]

    def test_in_a_context_of_the_other_app(self, world: World) -> None:
        """Results of a query go on in any context; those of a batch are refused outside of their own."""
        with world.one.app_context():
            with world.db.tenant("acme"):
                threads, batch = world.Thread.query("forum"), world.Thread.batch_get([("forum", "subject")])
            with world.two.app_context(), world.db.tenant("acme"):
                (item,) = threads
                with pytest.raises(RuntimeError, match="begun in an application context of 'one'"):
                    next(batch)
                with pytest.raises(TenantMismatch):
                    item.save()
        assert world.sent() == ["one acme-Thread"]

    def test_a_page_for_each_step(self, world: World) -> None:
        """Two queries of two apps that are read in turns, page by page, each stay in their own app."""
        world.answer = three_pages
        with world.one.app_context(), world.db.tenant("acme"):
            first = world.Thread.query("forum", page_size=1)
            with world.two.app_context(), world.db.tenant("acme"):
                second = world.Thread.query("forum", page_size=1)
                for results in (first, second) * 3:
                    next(results)
                with world.db.tenant("globex"):
                    assert [next(results, None) for results in (first, second)] == [None, None]
        assert world.sent() == ["one acme-Thread", "two acme-Thread"] * 3


class TestConnections:
    """A connection or a table that was looked up for a tenant goes on for that tenant, until its context ends."""

    #: What a program may keep of an app's connections, and a call of it.
    KEPT: t.ClassVar[dict[str, t.Callable[[World], t.Callable[[], t.Any]]]] = {
        "the table of a model": lambda world: table_call(world.Thread._get_connection()),
        "a plain table": lambda world: world.db.tables["Thread"].describe_table,
        "a connection": lambda world: connection_call(world.db.connection, world.db.tables["Thread"].table_name),
    }

    @pytest.mark.parametrize("kept", KEPT)
    def test_they_stay(self, world: World, kept: str) -> None:
        """In another tenant's block, and in a context of the other app."""
        with world.one.app_context():
            with world.db.tenant("acme"):
                call = self.KEPT[kept](world)
            with world.db.tenant("globex"):
                call()
            with world.two.app_context(), world.db.tenant("acme"):
                call()
        with world.one.app_context(), world.db.tenant("acme"), pytest.raises(RuntimeError, match="has ended"):
            call()
        assert world.sent() == ["one acme-Thread"] * 2

    def test_of_a_table_that_tenants_share(self, world: World) -> None:
        """The table is the same, so that only the keys tell the tenants apart: they are those of the call."""
        with world.one.app_context():
            with world.db.tenant("north"):
                table = world.Note._get_connection()
            with world.db.tenant("south"):
                table.get_item(world.Note("x").serialize()["owner"]["S"])
                world.Note.get("x")
                assert table.connection.tenant == "north"
        assert world.sent() == ["one Note south"] * 2

    def test_clients_are_the_apps(self, world: World) -> None:
        """A botocore client has no tenant: what it sends is the program's choice. It is of one app alone."""
        with world.one.app_context(), world.db.tenant("acme"):
            client = world.db.client
        with world.two.app_context(), world.db.tenant("globex"):
            assert world.db.client is not client
            client.describe_table(TableName="acme-Thread")
        assert world.sent() == ["one acme-Thread"]

    def test_mappings_follow_the_context(self, world: World) -> None:
        """``db.tables`` and ``db.connections`` look up their values when they are asked for them."""
        with world.one.app_context():
            tables, connections = world.db.tables, world.db.connections
            for tenant in ("acme", "globex"):
                with world.db.tenant(tenant):
                    assert tables["Thread"].table_name == f"{tenant}-Thread"
                    assert connections["default"].tenant == tenant
            with world.two.app_context(), pytest.raises(RuntimeError, match="registry of the app 'one'"):
                tables["Thread"]


def table_call(table: t.Any) -> t.Callable[[], t.Any]:
    """A call of a table."""
    return lambda: table.get_item("forum", range_key="subject")


def connection_call(connection: t.Any, name: str) -> t.Callable[[], t.Any]:
    """A call of a connection."""
    return lambda: super(type(connection), connection).describe_table(name)


def three_pages(request: two_apps.Request) -> two_apps.Answer:
    """One of three pages of one item."""
    number = int(request.body.get("ExclusiveStartKey", {}).get("subject", {}).get("S", 0)) + 1
    key = {"forum_name": {"S": "forum"}, "subject": {"S": str(number)}}
    more = {"LastEvaluatedKey": key} if number < 3 else {}
    return {"Items": [key], "Count": 1, "ScannedCount": 1, **more}
