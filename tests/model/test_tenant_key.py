"""TenantKey: a key that begins with the tenant, in a table that all tenants share."""

from __future__ import annotations

import contextlib
import copy
import json
import pathlib
import pickle
import typing as t

import flask
import pytest
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import PutError
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex
from pynamodb.indexes import KeysOnlyProjection
from pynamodb.indexes import LocalSecondaryIndex

import dynaflask
from dynaflask import TenantKey
from dynaflask import TenantMismatch
from dynaflask import TenantRequired
from dynaflask.tables import transfer
from dynaflask.views.json_provider import JSONProvider
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

TRANSPORTS = ["tuned", "direct", "stock"]


class ByAuthor(GlobalSecondaryIndex[t.Any]):
    """Notes by author, in the order of their titles; each tenant's its own."""

    class Meta:
        """Read only the index."""

        index_name = "by-author"
        projection = AllProjection()

    author = TenantKey(hash_key=True)
    title = TenantKey(range_key=True, attr_name="t")


class ByLength(LocalSecondaryIndex[t.Any]):
    """Notes of a folder by length."""

    class Meta:
        """Read only the index."""

        index_name = "by-length"
        projection = KeysOnlyProjection()

    folder = TenantKey(hash_key=True)
    length = NumberAttribute(range_key=True)


class ByPlace(GlobalSecondaryIndex[t.Any]):
    """Notes by place, those of all tenants together."""

    class Meta:
        """Read only the index."""

        index_name = "by-place"
        projection = AllProjection()

    place = UnicodeAttribute(hash_key=True)


def declare_note(db: dynaflask.Dynamo) -> t.Any:
    """A model of a pool."""

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
    """The model's table on each engine by each transport, with the same notes of two tenants, in a context."""
    app = flask.Flask("pool")
    app.config.update(engine.settings(account), DYNAMODB_TRANSPORT=request.param)
    db.init_app(app)
    with app.app_context():
        db.create_all(wait=True)
        for name in ("acme", "globex"):
            with db.tenant(name):
                for number in range(4):
                    note("in", f"{number}", author="ann", title=f"{name} {number}", length=number).save()
        yield note


def ids(found: t.Iterable[t.Any]) -> list[str]:
    """The range keys of items, each in the folder."""
    items = list(found)
    assert {item.folder for item in items} <= {"in"}
    return [item.id for item in items]


class TestOnEngines:
    """Every way to an item leads to the tenant's own, on real engines and by each transport."""

    def test_get_and_save(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """The same key is another item for another tenant, and the value comes back alone."""
        for name in ("acme", "globex"):
            with db.tenant(name):
                item = pooled.get("in", "1")
                assert (item.folder, item.author, item.title) == ("in", "ann", f"{name} 1")

    def test_what_is_stored(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """The tenant, the separator and the value."""
        with db.without_tenant(reason="test"):
            stored = pooled._get_connection().get_item("acme#in", range_key="1")["Item"]
        assert [stored[name]["S"] for name in ("folder", "author", "t")] == ["acme#in", "acme#ann", "acme#acme 1"]

    def test_update_refresh_and_delete(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """One tenant's changes are not felt by the other."""
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
        """Where a page ended is where the next begins."""
        with db.tenant("acme"):
            found = pooled.query("in", pooled.id >= "1", pooled.title.startswith("acme"), page_size=1)
            first = next(found)
            rest = pooled.query("in", last_evaluated_key=found.last_evaluated_key)
            assert (first.id, ids(rest)) == ("1", ["2", "3"])

    def test_count(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """Of the table and of an index."""
        with db.tenant("acme"):
            assert (pooled.count("in"), pooled.by_author.count("ann"), pooled.count("out")) == (4, 4, 0)

    def test_batch_get_and_batch_write(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """Items that are not the tenant's are not found, and not deleted."""
        with db.tenant("acme"):
            assert sorted(ids(pooled.batch_get([("in", "0"), ("in", "3"), ("globex#in", "0")]))) == ["0", "3"]
            with pooled.batch_write() as batch:
                batch.save(pooled("in", "9"))
                batch.delete(pooled.get("in", "0"))
            assert ids(pooled.query("in")) == ["1", "2", "3", "9"]
        with db.tenant("globex"):
            assert ids(pooled.query("in")) == ["0", "1", "2", "3"]

    def test_conditions(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """Each comparison is with the tenant's own value."""
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
        """Whether the tenant's own item is there."""
        with db.tenant("acme"):
            pooled("new", "1").save(condition=pooled.folder.does_not_exist())
            with pytest.raises(PutError):
                pooled("new", "1").save(condition=pooled.folder.does_not_exist())
            pooled("new", "1").save(condition=pooled.folder == "new")
        with db.tenant("globex"):
            pooled("new", "1").save(condition=pooled.folder.does_not_exist())

    def test_keys_of_indexes(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """As hash key and as range key, of global and of local indexes."""
        with db.tenant("acme"):
            found = pooled.by_author.query("ann", ByAuthor.title > "acme 1", scan_index_forward=False)
            assert [item.title for item in found] == ["acme 3", "acme 2"]
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
        """With the key among the attributes, or without."""
        with db.tenant("acme"):
            assert pooled.get("in", "1", attributes_to_get=["folder"]).folder == "in"
            assert [item.length for item in pooled.query("in", attributes_to_get=["length"])] == [0, 1, 2, 3]

    @pytest.mark.parametrize("way", ["drop_all", "delete_table"])
    def test_a_tenant_does_not_delete_the_table_of_all(self, pooled: t.Any, db: dynaflask.Dynamo, way: str) -> None:
        """It is deleted for nobody alone."""
        drop = db.drop_all if way == "drop_all" else pooled.delete_table
        with db.tenant("acme"), pytest.raises(TenantMismatch, match="would delete the items of all tenants"):
            drop()
        assert pooled.exists()
        drop()
        assert not pooled.exists()

    def test_a_dump_is_no_other_tenants(self, pooled: t.Any, db: dynaflask.Dynamo, tmp_path: pathlib.Path) -> None:
        """It is refused for one of many; for nobody it is whole."""
        with db.tenant("acme"), pytest.raises(TenantMismatch, match="An item was read for 'acme'"):
            transfer.dump(db.registry, pooled, tmp_path / "acme")
        assert transfer.dump(db.registry, pooled, tmp_path / "all") == 8

    def test_a_tenant_loads_its_own(self, pooled: t.Any, db: dynaflask.Dynamo, tmp_path: pathlib.Path) -> None:
        """A line of another tenant is refused, and not written."""
        lines = [json.dumps({"Item": {"folder": {"S": f"{name}#in"}, "id": {"S": "9"}}}) for name in ("acme", "globex")]
        for line in lines:
            (tmp_path / "lines").write_text(line)
            with db.tenant("acme"), contextlib.suppress(TenantMismatch):
                transfer.load(db.registry, pooled, tmp_path / "lines")
        found = {}
        for name in ("acme", "globex"):
            with db.tenant(name):
                found[name] = ids(pooled.query("in", pooled.id == "9"))
        assert found == {"acme": ["9"], "globex": []}

    def test_a_scan_for_no_tenant_sees_the_keys_whole(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """And what it reads can be written back as it is, or for another tenant as a new item."""
        with db.without_tenant(reason="test"):
            assert {item.folder for item in pooled.scan()} == {"acme#in", "globex#in"}
            assert sorted(item.title for item in pooled.by_place.query("here"))[0] == "acme#acme 0"
            item = pooled.get("acme#in", "1")
            item.length = 70
            item.save()
            pooled("acme#moved", "1").save()
        with db.tenant("acme"):
            assert (pooled.get("in", "1").length, pooled.get("moved", "1").folder) == (70, "moved")

    def test_cursors_are_the_tenants_own(self, pooled: t.Any, db: dynaflask.Dynamo) -> None:
        """One that another tenant got is refused."""
        flask.current_app.config["SECRET_KEY"] = "hush"
        with db.tenant("acme"):
            page = db.paginate(pooled.query, "in", per_page=3)
            assert ids(page) == ["0", "1", "2"]
            assert ids(db.paginate(pooled.query, "in", per_page=3, cursor=page.next_cursor)) == ["3"]
        with db.tenant("globex"), pytest.raises(dynaflask.BadCursor):
            db.paginate(pooled.query, "in", per_page=3, cursor=page.next_cursor)


class TestOwnership:
    """What was read for one tenant is not used for another."""

    def test_an_item_is_not_saved_for_another_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder
    ) -> None:
        """Nor deleted, updated or refreshed, alone, in a batch or in a transaction; nothing is sent."""
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
                        with pytest.raises(TenantMismatch, match="folder belongs to another tenant, not to 'globex'"):
                            use()
                    batch.save(item)
                    with pytest.raises(TenantMismatch):
                        batch.commit()
                    batch.pending_operations.clear()
        # PynamoDB sends a transaction of no items as well.
        assert [request.body.get("TransactItems") for request in recorder.requests[sent:]] == [[]]

    def test_an_item_that_was_made_for_a_tenant_is_its_own(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any
    ) -> None:
        """Also before it was ever saved."""
        with app.app_context():
            with db.tenant("acme"):
                item = note("in", "1")
                item.save()
            with db.tenant("globex"), pytest.raises(TenantMismatch):
                item.save()

    def test_a_copy_is_made_of_the_plain_value(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder
    ) -> None:
        """Explicitly, as the message says."""
        with app.app_context():
            with db.tenant("acme"):
                item = note("in", "1")
            with db.tenant("globex"):
                note(str(item.folder), item.id).save()
        assert recorder.requests[0].body["Item"]["folder"] == {"S": "globex#in"}

    def test_for_no_tenant_an_item_stays_its_owners(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder
    ) -> None:
        """A migration may write what was read for a tenant."""
        with app.app_context():
            with db.tenant("acme"):
                item = note("in", "1")
            with db.without_tenant(reason="test"):
                item.save()
        assert recorder.requests[0].body["Item"]["folder"] == {"S": "acme#in"}

    def test_a_whole_key_is_no_tenants(self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any) -> None:
        """It would be stored with the tenant twice."""
        with app.app_context():
            with db.without_tenant(reason="test"):
                item = note.from_raw_data({"folder": {"S": "acme#in"}, "id": {"S": "1"}})
            with db.tenant("acme"), pytest.raises(TenantMismatch):
                item.save()

    @pytest.mark.parametrize("stored", ["globex#in", "in", "", "acm#e#in", "ACME#in", "acme", "#in"])
    def test_an_item_of_another_is_refused_where_it_is_read(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder, stored: str
    ) -> None:
        """However it came there. The message has nothing of it."""
        recorder.answer = lambda request: {"Item": {"folder": {"S": stored}, "id": {"S": "private-id"}}}
        with app.app_context(), db.tenant("acme"):
            with pytest.raises(TenantMismatch, match="An item was read for 'acme' whose folder is not") as caught:
                note.get("in", "1")
        assert "globex" not in str(caught.value)
        assert "private" not in str(caught.value)
        assert caught.value.__cause__ is caught.value.__context__ is None

    def test_an_iterator_is_read_for_its_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder
    ) -> None:
        """Another tenant's block is no place to read it in."""
        recorder.answer = lambda request: {
            "Items": [{"folder": {"S": "acme#in"}, "id": {"S": "1"}}],
            "Count": 1,
            "ScannedCount": 1,
        }
        with app.app_context():
            with db.tenant("acme"):
                found = note.query("in")
            with db.tenant("globex"), pytest.raises(TenantMismatch):
                next(found)

    @pytest.mark.parametrize("value", ["a#b", "#", "##acme#", "globex#x", "é\ud7ff", "x" * 500, ""])
    def test_any_value_comes_back(self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, value: str) -> None:
        """The first separator ends the tenant, whatever the value has."""
        with app.app_context(), db.tenant("acme"):
            item = note.from_raw_data(note(value, "1").serialize())
            assert (item.folder, str(item.folder)) == (value, value)

    @pytest.mark.parametrize("value", [None, 5, b"in", ["in"], object()])
    def test_what_is_no_string_is_refused(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, value: t.Any
    ) -> None:
        """It is not taken by its str()."""
        with app.app_context(), db.tenant("acme"), pytest.raises(TypeError, match="author is a TenantKey"):
            note.by_author.query(value)

    def test_a_value_is_a_string_like_any_other(self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any) -> None:
        """In JSON and in a dict; and it can be copied and pickled, with its owner."""
        with app.app_context(), db.tenant("acme"):
            item = note("in", "1")
            app.json = JSONProvider(app)
            assert (json.dumps(item.folder), {"in": 1}[item.folder], f"{item.folder}") == ('"in"', 1, "in")
            assert '"folder": "in"' in app.json.dumps(item)
            for twin in (copy.deepcopy(item.folder), pickle.loads(pickle.dumps(item.folder))):  # noqa: S301 - our own
                assert (twin, twin.tenant) == ("in", "acme")


class TestRequired:
    """A TenantKey is nothing without a tenant, whether the app needs one or not."""

    def test_reading_and_writing_need_a_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder
    ) -> None:
        """Nothing is sent."""
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

    def test_they_need_a_context(self, note: t.Any) -> None:
        """Outside of one there is no tenant either."""
        with pytest.raises(RuntimeError, match="outside of application context"):
            note("in", "1").serialize()

    @pytest.mark.parametrize("key", ["in", "#in", ""])
    def test_without_a_tenant_a_key_is_whole(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, key: str
    ) -> None:
        """One that names no tenant is refused."""
        with app.app_context(), db.without_tenant(reason="test"):
            with pytest.raises(ValueError, match="Without a tenant, use the stored key: '<tenant>#<value>'"):
                note.get(key, "1")


class TestSpanning:
    """A read over all tenants takes an explicit word."""

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
        """For a tenant, and for nobody."""
        with app.app_context():
            with db.tenant("acme"), pytest.raises(TenantMismatch, match=r"of Note would read the items of all tenants"):
                self.READS[read](note)
            with pytest.raises(TenantMismatch):
                self.READS[read](note)
        assert recorder.requests == []

    @pytest.mark.parametrize("read", sorted(READS.keys() - {"first_or_404"}))
    def test_it_is_free_without_a_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder, read: str
    ) -> None:
        """The word is the block."""
        with app.app_context(), db.without_tenant(reason="test"):
            self.READS[read](note)
        assert len(recorder.requests) == 1

    def test_other_models_are_scanned_as_before(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """They have no tenants."""
        with app.app_context(), db.tenant("acme"):
            assert (list(thread_model.scan()), thread_model.view_index.count(5)) == ([], 0)

    def test_contains_is_refused(self, note: t.Any) -> None:
        """It would look through the tenant's name."""
        with pytest.raises(TypeError, match="startswith, but not contains"):
            note.title.contains("x")


class TestDeclaration:
    """A model in which an item could be reached without its tenant is refused."""

    def test_the_hash_key_is_a_tenant_key(self, db: dynaflask.Dynamo) -> None:
        """Else anybody's item could be had by its key."""
        with pytest.raises(TypeError, match="Wrong has a TenantKey, so that its hash key must be one, too"):

            class Wrong(db.Model):  # type: ignore[name-defined]
                class Meta:
                    table_name = "Wrong"

                id = UnicodeAttribute(hash_key=True)
                author = TenantKey()

    @pytest.mark.parametrize("of_model", [TenantKey, UnicodeAttribute])
    def test_an_index_and_its_model_agree(self, db: dynaflask.Dynamo, of_model: t.Any) -> None:
        """Else what one writes the other does not find."""
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
        """Its subclasses declare the rest."""

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
        """The key is the same, and the place is not."""
        for name, region in (("eu", "eu-west-1"), ("us", "us-east-1")):
            app = make_app(name, host=recorder.url, region=region, **KEYS)
            with app.app_context(), db.tenant("acme"):
                assert note.get("in", "1").folder == "in"
        went = [(request.region, request.body["Key"]["folder"]["S"]) for request in recorder.requests]
        assert went == [("eu-west-1", "acme#in"), ("us-east-1", "acme#in")]

    def test_a_nested_context_is_nobodys(self, make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any) -> None:
        """The outer app's tenant does not act in the inner app."""
        eu, us = make_app("eu", region="eu-west-1"), make_app("us", region="us-east-1")
        with eu.app_context(), db.tenant("acme"), us.app_context():
            with pytest.raises(TenantRequired):
                note.get("in", "1")
