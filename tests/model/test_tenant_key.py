"""``TenantKey``: a key that begins with the tenant's name, in a table that all tenants share."""

from __future__ import annotations

import contextlib
import copy
import enum
import json
import pathlib
import pickle
import typing as t

import flask
import pytest
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import PutError
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex
from pynamodb.indexes import KeysOnlyProjection
from pynamodb.indexes import LocalSecondaryIndex
from pynamodb.models import BatchWrite
from pynamodb.transactions import TransactWrite

import dynaflask
from dynaflask import TenantKey
from dynaflask import TenantMismatch
from dynaflask import TenantRequired
from dynaflask.tables.dump import dump
from dynaflask.tables.load import load
from dynaflask.views.json_provider import JSONProvider
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

TRANSPORTS = ["botocore", "direct", "stock"]


class ByAuthor(GlobalSecondaryIndex[t.Any]):
    """Notes by author and title; both keys begin with the tenant."""

    class Meta:
        """Read only the index."""

        index_name = "by-author"
        projection = AllProjection()

    author = TenantKey(hash_key=True)
    title = TenantKey(range_key=True, attr_name="t")


class ByLength(LocalSecondaryIndex[t.Any]):
    """Notes in a folder by length."""

    class Meta:
        """Read only the index."""

        index_name = "by-length"
        projection = KeysOnlyProjection()

    folder = TenantKey(hash_key=True)
    length = NumberAttribute(range_key=True)


class ByPlace(GlobalSecondaryIndex[t.Any]):
    """Notes of all tenants by place."""

    class Meta:
        """Read only the index."""

        index_name = "by-place"
        projection = AllProjection()

    place = UnicodeAttribute(hash_key=True)


class Folder(str, enum.Enum):
    """Folders by name: strings that format themselves as ``Folder.INBOX``."""

    INBOX = "in"
    STORED = "acme#in"


def declare_note(db: dynaflask.Dynamo) -> t.Any:
    """A model whose table all tenants share."""

    class Note(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Note"
            billing_mode = "PAY_PER_REQUEST"

        folder = TenantKey(hash_key=True)
        id = UnicodeAttribute(range_key=True)
        author = TenantKey(null=True)
        title = TenantKey(null=True, attr_name="t")
        length = NumberAttribute(default=0)
        place = UnicodeAttribute(default="here")
        by_author = ByAuthor()
        by_length = ByLength()
        by_place = ByPlace()

    return Note


@pytest.fixture
def note(db: dynaflask.Dynamo) -> t.Any:
    """The model."""
    return declare_note(db)


@pytest.fixture
def app(make_app: MakeApp, recorder: recorders.Recorder) -> flask.Flask:
    """An app whose calls the recorder answers."""
    return make_app(host=recorder.url, region="us-east-1", **KEYS)


@pytest.fixture(params=TRANSPORTS)
def pooled(
    request: pytest.FixtureRequest, engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, note: t.Any
) -> t.Iterator[t.Any]:
    """The model, with its table on each engine by each transport, the same notes for two tenants, and a context."""
    app = flask.Flask("pool")
    app.config.update(engine.settings(account), DYNAMODB_TRANSPORT=request.param)
    db.init_app(app)
    with app.app_context():
        db.create_all(wait=True)
        for name in ("acme", "globex"):
            with db.tenant(name), note.batch_write() as batch:
                for number in range(4):
                    batch.save(note("in", f"{number}", author="ann", title=f"{name} {number}", length=number))
        yield note


def ids(results: t.Iterable[t.Any]) -> list[str]:
    """The range keys of items, which must all be in the folder ``in``."""
    items = list(results)
    assert {item.folder for item in items} <= {"in"}
    return [item.id for item in items]


class TestOnEngines:
    """Every operation reaches the tenant's own items alone, on real engines and by each transport."""

    def test_get_and_save(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """One key names a different item for each tenant, and its value comes back without the tenant."""
        for name in ("acme", "globex"):
            with db.tenant(name):
                item = pooled.get("in", "1")
                assert (item.folder, item.author, item.title) == ("in", "ann", f"{name} 1")

    def test_what_is_stored(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """The stored key is the tenant, the separator and the value."""
        with db.without_tenant(reason="test"):
            stored = pooled._get_connection().get_item("acme#in", range_key="1")["Item"]
        assert [stored[name]["S"] for name in ("folder", "author", "t")] == ["acme#in", "acme#ann", "acme#acme 1"]

    def test_update_refresh_and_delete(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """One tenant's changes do not reach the other tenant's items."""
        with db.tenant("acme"):
            item = pooled.get("in", "1")
            item.update([pooled.length.set(100), pooled.author.set("bob")])
            assert item.author == "bob"
            item.refresh()
            assert (item.length, item.author) == (100, "bob")
            pooled.get("in", "2").delete()
            assert ids(pooled.query("in")) == ["0", "1", "3"]
        with db.tenant("globex"):
            assert [(item.id, item.length, item.author) for item in pooled.query("in")] == [
                (str(number), number, "ann") for number in range(4)
            ]

    def test_query_and_its_pages(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """A query continues from the last evaluated key of the one before."""
        with db.tenant("acme"):
            results = pooled.query("in", pooled.id >= "1", pooled.title.startswith("acme"), page_size=1)
            first = next(results)
            rest = pooled.query("in", last_evaluated_key=results.last_evaluated_key)
            assert (first.id, ids(rest)) == ("1", ["2", "3"])

    def test_count(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """A count of the table or of an index covers the tenant's items."""
        with db.tenant("acme"):
            assert (pooled.count("in"), pooled.by_author.count("ann"), pooled.count("out")) == (4, 4, 0)

    def test_batch_get_and_batch_write(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """A batch neither finds nor deletes another tenant's items."""
        with db.tenant("acme"):
            assert sorted(ids(pooled.batch_get([("in", "0"), ("in", "3"), ("globex#in", "0")]))) == ["0", "3"]
            with pooled.batch_write() as batch:
                batch.save(pooled("in", "9"))
                batch.delete(pooled.get("in", "0"))
            assert ids(pooled.query("in")) == ["1", "2", "3", "9"]
        with db.tenant("globex"):
            assert ids(pooled.query("in")) == ["0", "1", "2", "3"]

    def test_conditions(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """A condition compares with the value without the tenant."""
        with db.tenant("acme"):
            for condition, expected in [
                (pooled.title == "acme 1", ["1"]),
                (pooled.title != "acme 1", ["0", "2", "3"]),
                (pooled.title < "acme 1", ["0"]),
                (pooled.title <= "acme 1", ["0", "1"]),
                (pooled.title > "acme 1", ["2", "3"]),
                (pooled.title >= "acme 1", ["1", "2", "3"]),
                (pooled.title.between("acme 1", "acme 2"), ["1", "2"]),
                (pooled.title.is_in("acme 0", "acme 3", "globex 1"), ["0", "3"]),
                (pooled.title.startswith("acme"), ["0", "1", "2", "3"]),
                (pooled.title.startswith("ac") & (pooled.author == "ann"), ["0", "1", "2", "3"]),
                (pooled.title.startswith("globex"), []),
                (pooled.title.exists(), ["0", "1", "2", "3"]),
            ]:
                assert ids(pooled.query("in", filter_condition=condition)) == expected

    def test_conditions_of_a_write(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """A condition of a write looks at the tenant's own item."""
        with db.tenant("acme"):
            pooled("new", "1").save(condition=pooled.folder.does_not_exist())
            with pytest.raises(PutError):
                pooled("new", "1").save(condition=pooled.folder.does_not_exist())
            pooled("new", "1").save(condition=pooled.folder == "new")
        with db.tenant("globex"):
            pooled("new", "1").save(condition=pooled.folder.does_not_exist())

    def test_keys_of_indexes(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """A TenantKey may be the hash key or the range key of a global or a local index."""
        with db.tenant("acme"):
            notes = pooled.by_author.query("ann", ByAuthor.title > "acme 1", scan_index_forward=False)
            assert [item.title for item in notes] == ["acme 3", "acme 2"]
            assert ids(pooled.by_length.query("in", ByLength.length < 2)) == ["0", "1"]

    def test_transactions(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """Each action is the tenant's own."""
        with db.tenant("acme"):
            with db.transact_write() as write:
                write.condition_check(pooled, "in", "0", condition=pooled.author == "ann")
                write.save(pooled("in", "8"))
                write.delete(pooled.get("in", "1"))
                write.update(pooled.get("in", "2"), [pooled.length.set(50)])
            with db.transact_get() as read:
                futures = [read.get(pooled, "in", id_) for id_ in ("2", "8")]
            assert [(item.get().folder, item.get().length) for item in futures] == [("in", 50), ("in", 0)]
        with db.tenant("globex"):
            assert ids(pooled.query("in")) == ["0", "1", "2", "3"]

    def test_projections(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """A projection may include the key or not."""
        with db.tenant("acme"):
            assert pooled.get("in", "1", attributes_to_get=["folder"]).folder == "in"
            assert [item.length for item in pooled.query("in", attributes_to_get=["length"])] == [0, 1, 2, 3]

    @pytest.mark.parametrize("method", ["drop_all", "delete_table"])
    def test_a_tenant_cannot_delete_the_shared_table(self, pooled: t.Any, db: dynaflask.Dynamo, method: str) -> None:
        """A tenant's block cannot delete the table; code without a tenant can."""
        drop = db.drop_all if method == "drop_all" else pooled.delete_table
        with db.tenant("acme"), pytest.raises(TenantMismatch, match="would delete the items of all tenants"):
            drop()
        assert pooled.exists()
        drop()
        assert not pooled.exists()

    def test_a_tenant_cannot_dump_the_shared_table(
        self, pooled: t.Any, db: dynaflask.Dynamo, tmp_path: pathlib.Path
    ) -> None:
        """A dump in a tenant's block is refused; a dump without a tenant has all items."""
        with db.tenant("acme"), pytest.raises(TenantMismatch, match="An item was read for 'acme'"):
            dump(db.registry, pooled, tmp_path / "acme")
        assert dump(db.registry, pooled, tmp_path / "all") == 8

    def test_a_tenant_loads_its_own(self, pooled: t.Any, db: dynaflask.Dynamo, tmp_path: pathlib.Path) -> None:
        """A line of another tenant raises TenantMismatch, and is not written."""
        lines = [json.dumps({"Item": {"folder": {"S": f"{name}#in"}, "id": {"S": "9"}}}) for name in ("acme", "globex")]
        for line in lines:
            (tmp_path / "lines").write_text(line)
            with db.tenant("acme"), contextlib.suppress(TenantMismatch):
                load(db.registry, pooled, tmp_path / "lines")
        loaded = {}
        for name in ("acme", "globex"):
            with db.tenant(name):
                loaded[name] = ids(pooled.query("in", pooled.id == "9"))
        assert loaded == {"acme": ["9"], "globex": []}

    def test_without_a_tenant_the_program_sees_stored_keys(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """Without a tenant, items are read and written with the stored key, which names the tenant."""
        with db.without_tenant(reason="test"):
            assert {item.folder for item in pooled.scan()} == {"acme#in", "globex#in"}
            assert sorted(item.title for item in pooled.by_place.query("here"))[0] == "acme#acme 0"
            item = pooled.get("acme#in", "1")
            item.length = 70
            item.save()
            pooled("acme#moved", "1").save()
        with db.tenant("acme"):
            assert (pooled.get("in", "1").length, pooled.get("moved", "1").folder) == (70, "moved")

    def test_a_cursor_is_valid_for_its_tenant(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """Another tenant's cursor raises BadCursor."""
        flask.current_app.config["SECRET_KEY"] = "hush"
        with db.tenant("acme"):
            page = db.paginate(pooled.query, "in", per_page=3)
            assert ids(page) == ["0", "1", "2"]
            assert ids(db.paginate(pooled.query, "in", per_page=3, cursor=page.next_cursor)) == ["3"]
        with db.tenant("globex"), pytest.raises(dynaflask.BadCursor):
            db.paginate(pooled.query, "in", per_page=3, cursor=page.next_cursor)


def save_in(writer: t.Any, item: t.Any) -> None:
    """Save an object in a batch or a transaction."""
    with writer:
        writer.save(item)


#: How a program writes an object.
WRITES: dict[str, t.Any] = {
    "save": lambda db, item: item.save(),
    "batch": lambda db, item: save_in(type(item).batch_write(), item),
    "PynamoDB's batch": lambda db, item: save_in(BatchWrite(type(item)), item),
    "transaction": lambda db, item: save_in(db.transact_write(), item),
    "PynamoDB's transaction": lambda db, item: save_in(TransactWrite(connection=db.connection), item),
}


class TestOwnership:
    """An item of one tenant cannot be used for another."""

    def test_an_item_is_not_saved_for_another_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder
    ) -> None:
        """Every use of another tenant's item raises TenantMismatch, and sends nothing."""
        recorder.answer = lambda request: {"Item": {"folder": {"S": "acme#in"}, "id": {"S": "1"}}}
        with app.app_context():
            with db.tenant("acme"):
                item = note.get("in", "1")
            sent = len(recorder.requests)
            with db.tenant("globex"):
                with db.transact_write() as transaction, note.batch_write() as batch:
                    for use in (
                        item.save,
                        item.delete,
                        item.refresh,
                        lambda: item.update([note.length.set(1)]),
                        lambda: transaction.save(item),
                        lambda: transaction.delete(item),
                        item.serialize,
                        lambda: note.get(item.folder, "1"),
                    ):
                        with pytest.raises(TenantMismatch, match="another tenant(,| than).* 'globex'"):
                            use()
                    batch.save(item)
                    with pytest.raises(TenantMismatch):
                        batch.commit()
                    batch.pending_operations.clear()
        # PynamoDB sends a transaction of no items as well.
        assert [request.body.get("TransactItems") for request in recorder.requests[sent:]] == [[]]

    def test_a_new_item_belongs_to_the_current_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any
    ) -> None:
        """An object that is made in a tenant's block belongs to the tenant before it is saved."""
        with app.app_context():
            with db.tenant("acme"):
                item = note("in", "1")
                item.save()
            with db.tenant("globex"), pytest.raises(TenantMismatch):
                item.save()

    @pytest.mark.parametrize("write", WRITES.values(), ids=WRITES.keys())
    def test_an_object_of_a_time_without_a_tenant_is_the_first_tenants(
        self, make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder, write: t.Any
    ) -> None:
        """Its key names no tenant. Once it was written for one, another tenant gets none of its values."""
        apps = [make_app(name, host=recorder.url, region="us-east-1", **KEYS) for name in ("one", "other")]
        for app in apps:
            item = note("in", "1", author="acme's")
            with app.app_context(), db.tenant("acme"):
                write(db, item)
            recorder.requests.clear()
            with app.app_context(), db.tenant("globex"):
                with pytest.raises(TenantMismatch):
                    write(db, item)
                item.folder = "in"
                with pytest.raises(TenantMismatch):
                    item.save()
            # A batch and a transaction of nothing send nothing of it.
            assert [request.body for request in recorder.requests if request.body.get("TransactItems") != []] == []
        with apps[0].app_context(), db.tenant("acme"):
            # Both apps have one table, and the tenant of this name has the same items in it.
            item.folder = "in"
            item.save()

    def test_str_copies_a_key_for_another_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder
    ) -> None:
        """``str(value)`` gives a key without a tenant, as the error message says."""
        with app.app_context():
            with db.tenant("acme"):
                item = note("in", "1")
            with db.tenant("globex"):
                note(str(item.folder), item.id).save()
        assert recorder.requests[0].body["Item"]["folder"] == {"S": "globex#in"}

    def test_without_a_tenant_an_item_keeps_its_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder
    ) -> None:
        """Code without a tenant may save an item that was read for one; it stays that tenant's."""
        with app.app_context():
            with db.tenant("acme"):
                item = note("in", "1")
            with db.without_tenant(reason="test"):
                item.save()
        assert recorder.requests[0].body["Item"]["folder"] == {"S": "acme#in"}

    def test_a_stored_key_cannot_be_used_for_a_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any
    ) -> None:
        """An item that was read without a tenant cannot be saved in a tenant's block."""
        with app.app_context():
            with db.without_tenant(reason="test"):
                item = note.from_raw_data({"folder": {"S": "acme#in"}, "id": {"S": "1"}})
            with db.tenant("acme"), pytest.raises(TenantMismatch):
                item.save()

    @pytest.mark.parametrize("stored", ["globex#in", "in", "", "acm#e#in", "ACME#in", "acme", "#in"])
    def test_another_tenants_item_is_refused_when_it_is_read(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder, stored: str
    ) -> None:
        """A response with a key that is not the tenant's raises TenantMismatch, and the message shows none of it."""
        recorder.answer = lambda request: {"Item": {"folder": {"S": stored}, "id": {"S": "private-id"}}}
        with app.app_context(), db.tenant("acme"):
            with pytest.raises(TenantMismatch, match="An item was read for 'acme' whose folder is not") as caught:
                note.get("in", "1")
        assert "globex" not in str(caught.value)
        assert "private" not in str(caught.value)
        assert caught.value.__cause__ is caught.value.__context__ is None

    def test_an_iterator_belongs_to_its_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder
    ) -> None:
        """An iterator that was made for one tenant cannot be read in another tenant's block."""
        recorder.answer = lambda request: {
            "Items": [{"folder": {"S": "acme#in"}, "id": {"S": "1"}}],
            "Count": 1,
            "ScannedCount": 1,
        }
        with app.app_context():
            with db.tenant("acme"):
                results = note.query("in")
            with db.tenant("globex"), pytest.raises(TenantMismatch):
                next(results)

    @pytest.mark.parametrize("value", ["a#b", "#", "##acme#", "globex#x", "é\ud7ff", "x" * 500, ""])
    def test_any_value_round_trips(self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, value: str) -> None:
        """A value may contain the separator, which ends the tenant's name the first time alone."""
        with app.app_context(), db.tenant("acme"):
            item = note.from_raw_data(note(value, "1").serialize())
            assert (item.folder, str(item.folder)) == (value, value)

    @pytest.mark.parametrize("value", [None, 5, b"in", ["in"], object()])
    def test_only_a_string_is_accepted(self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, value: t.Any) -> None:
        """A value of another type raises a TypeError instead of being converted."""
        with app.app_context(), db.tenant("acme"), pytest.raises(TypeError, match="author is a TenantKey"):
            note.by_author.query(value)

    def test_an_enum_is_stored_by_its_value(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder
    ) -> None:
        """A string that formats itself in another way, such as an Enum, is stored as the string that it is."""
        with app.app_context():
            with db.tenant("acme"):
                note(Folder.INBOX, "1", author=Folder.INBOX).save()
                assert note.get(Folder.INBOX, "1").folder == "in"
                note("in", "1").update(actions=[note.author.set(Folder.INBOX)])
            with db.without_tenant(reason="test"):
                note(Folder.STORED, "1").save()
        saved, read, updated, stored = (request.body for request in recorder.requests)
        assert (saved["Item"]["folder"], saved["Item"]["author"]) == ({"S": "acme#in"}, {"S": "acme#in"})
        assert read["Key"]["folder"] == {"S": "acme#in"}
        assert updated["ExpressionAttributeValues"] == {":0": {"S": "acme#in"}}
        assert stored["Item"]["folder"] == {"S": "acme#in"}

    def test_the_name_of_a_tenant_may_be_an_enum(
        self, make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder
    ) -> None:
        """The key begins with the characters of the name, however the name formats itself."""
        db.tenant_loader(lambda: Folder.INBOX)
        for name in ("one", "two"):
            app = make_app(name, host=recorder.url, region="us-east-1", tenants={Folder.INBOX: {}}, **KEYS)
            with app.app_context():
                note("a", "1").save()
                with db.tenant("in"):
                    note("a", "1").save()
                with db.tenant(Folder.INBOX):
                    note("a", "1").save()
                    assert (f"{db.current_tenant}", *db.tenant_names) == ("in", "in")
        assert {request.body["Item"]["folder"]["S"] for request in recorder.requests} == {"in#a"}

    def test_a_value_is_a_string(self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any) -> None:
        """A value works in JSON and as a dict's key, and keeps its tenant when it is copied or pickled."""
        with app.app_context(), db.tenant("acme"):
            item = note("in", "1")
            app.json = JSONProvider(app)
            assert (json.dumps(item.folder), {"in": 1}[item.folder], f"{item.folder}") == ('"in"', 1, "in")
            assert '"folder": "in"' in app.json.dumps(item)
            for twin in (copy.deepcopy(item.folder), pickle.loads(pickle.dumps(item.folder))):  # noqa: S301 - our own
                assert (twin, twin.tenant) == ("in", "acme")


class TestRequired:
    """A TenantKey needs a tenant, also in an app that does not require one."""

    def test_reading_and_writing_need_a_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder
    ) -> None:
        """Every use of the key without a tenant raises TenantRequired, and sends nothing."""
        with app.app_context():
            for use in (
                lambda: note.get("in", "1"),
                note("in", "1").save,
                lambda: note.query("in"),
                lambda: note.from_raw_data({"folder": {"S": "acme#in"}, "id": {"S": "1"}}),
                lambda: note.folder == "in",
            ):
                with pytest.raises(TenantRequired, match=r"folder is a TenantKey, and there is no tenant"):
                    use()
        assert recorder.requests == []

    def test_reading_and_writing_need_a_context(self, note: t.Any) -> None:
        """Outside an application context, the error is Flask's."""
        with pytest.raises(RuntimeError, match="outside of application context"):
            note("in", "1").serialize()

    @pytest.mark.parametrize("key", ["in", "#in", ""])
    def test_without_a_tenant_the_key_must_name_one(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, key: str
    ) -> None:
        """In a ``db.without_tenant`` block, a key that does not begin with a tenant raises a ValueError."""
        with app.app_context(), db.without_tenant(reason="test"):
            with pytest.raises(ValueError, match="Without a tenant, use the stored key: '<tenant>#<value>'"):
                note.get(key, "1")


class TestSpanning:
    """A read of all tenants' items needs a ``db.without_tenant`` block."""

    READS: t.ClassVar[dict[str, t.Callable[[t.Any], t.Any]]] = {
        "scan": lambda note: list(note.scan()),
        "scan of an index": lambda note: list(note.by_author.scan()),
        "query of an index": lambda note: list(note.by_place.query("here")),
        "count of an index": lambda note: note.by_place.count("here"),
        "count": lambda note: note.count(),
        "first_or_404": lambda note: note.first_or_404(),
    }

    @pytest.mark.parametrize("read", READS)
    def test_it_is_refused(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder, read: str
    ) -> None:
        """The read is refused in a tenant's block, and without a block."""
        with app.app_context():
            with db.tenant("acme"), pytest.raises(TenantMismatch, match=r"of Note would read the items of all tenants"):
                self.READS[read](note)
            with pytest.raises(TenantMismatch):
                self.READS[read](note)
        assert recorder.requests == []

    @pytest.mark.parametrize("read", sorted(READS.keys() - {"first_or_404"}))
    def test_it_is_allowed_without_a_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder, read: str
    ) -> None:
        """A ``db.without_tenant`` block allows the read."""
        with app.app_context(), db.without_tenant(reason="test"):
            self.READS[read](note)
        assert len(recorder.requests) == 1

    def test_a_model_without_a_tenant_key_is_scanned(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """A model without a TenantKey may be scanned in a tenant's block."""
        with app.app_context(), db.tenant("acme"):
            assert (list(thread_model.scan()), thread_model.view_index.count(5)) == ([], 0)

    def test_contains_is_refused(self, note: t.Any) -> None:
        """``contains`` would search the tenant's name, too, so that it raises a TypeError."""
        with pytest.raises(TypeError, match="startswith, but not contains"):
            note.title.contains("x")


class TestDeclaration:
    """A model whose items could be reached without their tenant cannot be declared."""

    def test_the_hash_key_is_a_tenant_key(self, db: dynaflask.Dynamo) -> None:
        """A model with a TenantKey needs one as its hash key; else its key would reach any tenant's item."""
        with pytest.raises(TypeError, match="Wrong has a TenantKey, so its hash key must be one, too"):

            class Wrong(db.Model):  # type: ignore[name-defined]
                class Meta:
                    table_name = "Wrong"

                id = UnicodeAttribute(hash_key=True)
                author = TenantKey()

    @pytest.mark.parametrize("where", ["map", "list", "list of maps", "map of maps"])
    def test_a_map_and_a_list_have_no_tenant_key(self, db: dynaflask.Dynamo, where: str) -> None:
        """A TenantKey is a key: one that is inside of a map or a list is refused, at any depth."""

        class Person(MapAttribute[t.Any, t.Any]):
            name = TenantKey()

        class Team(MapAttribute[t.Any, t.Any]):
            title = UnicodeAttribute()
            lead = Person()

        attribute: t.Any = {
            "map": Person(),
            "list": ListAttribute(of=TenantKey),
            "list of maps": ListAttribute(of=Person),
            "map of maps": Team(),
        }[where]
        with pytest.raises(TypeError, match="Wrong.people has a TenantKey inside"):

            class Wrong(db.Model):  # type: ignore[name-defined]
                class Meta:
                    table_name = "Wrong"

                id = TenantKey(hash_key=True)
                people = attribute

    def test_maps_and_lists_without_a_tenant_key(self, db: dynaflask.Dynamo) -> None:
        """Maps and lists of other attributes, and of no declared type, are allowed beside a TenantKey."""

        class Right(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Right"

            id = TenantKey(hash_key=True)
            anything: t.Any = MapAttribute()
            everything: t.Any = ListAttribute()
            names: t.Any = ListAttribute(of=UnicodeAttribute)

        assert Right.__has_tenant_key__

    @pytest.mark.parametrize("of_model", [TenantKey, UnicodeAttribute])
    def test_an_index_and_its_model_agree(self, db: dynaflask.Dynamo, of_model: t.Any) -> None:
        """An attribute must be a TenantKey in the model and in its indexes, or in neither."""
        of_index = UnicodeAttribute if of_model is TenantKey else TenantKey

        class Index(GlobalSecondaryIndex[t.Any]):
            class Meta:
                projection = AllProjection()

            author = of_index(hash_key=True)

        with pytest.raises(TypeError, match="Wrong.author must be a TenantKey in the model and in its indexes"):

            class Wrong(db.Model):  # type: ignore[name-defined]
                class Meta:
                    table_name = "Wrong"

                id = TenantKey(hash_key=True)
                author = of_model()
                index = Index()

    def test_a_base_without_keys_may_have_one(self, db: dynaflask.Dynamo) -> None:
        """A base class may declare a TenantKey and leave the hash key to its subclasses."""

        class Authored(db.Model):  # type: ignore[name-defined]
            author = TenantKey(null=True)

        class Note(Authored):
            class Meta:
                table_name = "Note"

            id = TenantKey(hash_key=True)

        assert Note.get_attributes().keys() == {"author", "id"}


class TestTwoApps:
    """Two apps in one process, each with a tenant of the same name."""

    def test_each_has_its_own(
        self, make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder
    ) -> None:
        """Tenants of one name in two apps have the same key in different tables."""
        for name, region in (("eu", "eu-west-1"), ("us", "us-east-1")):
            app = make_app(name, host=recorder.url, region=region, **KEYS)
            with app.app_context(), db.tenant("acme"):
                assert note.get("in", "1").folder == "in"
        went = [(request.region, request.body["Key"]["folder"]["S"]) for request in recorder.requests]
        assert went == [("eu-west-1", "acme#in"), ("us-east-1", "acme#in")]

    def test_a_nested_context_has_no_tenant(self, make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any) -> None:
        """The outer app's tenant is not the inner app's."""
        eu, us = make_app("eu", region="eu-west-1"), make_app("us", region="us-east-1")
        with eu.app_context(), db.tenant("acme"), us.app_context():
            with pytest.raises(TenantRequired):
                note.get("in", "1")
