"""Guards of a model with a ``TenantKey``: a tenant reads, writes and deletes only its own items."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import AddAction
from pynamodb.expressions.update import SetAction
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex
from pynamodb.indexes import KeysOnlyProjection
from pynamodb.transactions import TransactWrite

import dynaflask
from dynaflask import TenantKey
from dynaflask import TenantMismatch
from dynaflask import TenantRequired
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.measuring import TRANSPORTS
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


class ByAuthor(GlobalSecondaryIndex[t.Any]):
    """Notes by author. The table's hash key is no key of this index."""

    class Meta:
        """Read only the index."""

        index_name = "by-author"
        projection = KeysOnlyProjection()

    author = TenantKey(hash_key=True, attr_name="a")


class Inverted(GlobalSecondaryIndex[t.Any]):
    """Notes by author and folder. The table's hash key is the range key of this index."""

    class Meta:
        """Read only the index."""

        index_name = "inverted"
        projection = AllProjection()

    author = TenantKey(hash_key=True, attr_name="a")
    folder = TenantKey(range_key=True)


@pytest.fixture
def note(db: dynaflask.Dynamo) -> t.Any:
    """A model whose table all tenants share."""

    class Note(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Note"
            billing_mode = "PAY_PER_REQUEST"

        folder = TenantKey(hash_key=True)
        id = UnicodeAttribute(range_key=True)
        author = TenantKey(null=True, attr_name="a")
        title = UnicodeAttribute(null=True)
        by_author = ByAuthor()
        inverted = Inverted()

    return Note


@pytest.fixture
def app(make_app: MakeApp, recorder: recorders.Recorder) -> flask.Flask:
    """An app whose calls the recorder answers."""
    recorder.answer = lambda request: {"Attributes": {"folder": {"S": "acme#in"}, "id": {"S": "1"}}}
    return make_app(host=recorder.url, region="us-east-1", **KEYS)


#: Actions that would write something else to ``author`` than a key of the tenant ``acme``.
FORGERIES = {
    "a value of DynamoDB's form": lambda note: note.author.set({"S": "globex#ann"}),
    "a value without a tenant": lambda note: note.author.set({"S": "ann"}),
    "a value with another tenant's prefix": lambda note: note.author.set({"S": "acmee#ann"}),
    "another attribute": lambda note: note.author.set(note.title),
    "another attribute by name": lambda note: note.author.set(Path("title")),
    "if_not_exists": lambda note: note.author.set(note.author | note.title),
    "if_not_exists of a key": lambda note: note.author.set(note.author | {"S": "acme#ann"}),
    "a number": lambda note: note.author.set({"N": "1"}),
    "a null": lambda note: SetAction(Path(note.author), Path("x").set({"NULL": True}).values[1]),
    "a path of a string": lambda note: Path("a").set("globex#ann"),
    "a path of a list": lambda note: Path(["a"]).set("globex#ann"),
    "a path of an element": lambda note: Path("a[0]").set("globex#ann"),
    "a path of a map": lambda note: Path("a.b").set("globex#ann"),
    "an addition": lambda note: AddAction(Path("a"), Path("x").set({"SS": ["globex#ann"]}).values[1]),
    "the hash key": lambda note: Path("folder").set("globex#in"),
}


class TestUpdates:
    """An update action writes only a key of the tenant that it is sent for."""

    @pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
    def test_another_value_is_refused(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder, forgery: t.Any
    ) -> None:
        """Anything but a plain value of the tenant raises TenantMismatch, and nothing is sent."""
        refusal = "is a TenantKey, and an update action would write something else .* key of 'acme'"
        with app.app_context(), db.tenant("acme"):
            with pytest.raises(TenantMismatch, match=refusal):
                note("in", "1").update(actions=[note.title.set("harmless"), forgery(note)])
            with pytest.raises(TenantMismatch, match=refusal), db.transact_write() as transaction:
                transaction.update(note("in", "1"), actions=[forgery(note)])
            with pytest.raises(TenantMismatch, match=refusal), TransactWrite(connection=db.connection) as transaction:
                transaction.update(note("in", "1"), actions=[forgery(note)])
        assert recorder.requests == []

    def test_an_action_belongs_to_its_tenants_block(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder
    ) -> None:
        """An action that was made for one tenant is not sent for another."""
        with app.app_context():
            with db.tenant("acme"):
                action = note.author.set("ann")
            with db.tenant("globex"), pytest.raises(TenantMismatch, match="key of 'globex'") as caught:
                note("in", "1").update(actions=[action])
        assert "acme" not in str(caught.value)
        assert recorder.requests == []

    @pytest.mark.parametrize("path", ["author", "a"])
    def test_the_tenants_own_value_is_sent(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder, path: str
    ) -> None:
        """A plain string is set with the tenant's name, and other attributes take any operand."""
        own = note.author.set if path == "author" else lambda value: Path("a").set(f"acme#{value}")
        with app.app_context(), db.tenant("acme"):
            actions = [own("ann"), note.title.set(note.author), Path("other").set("globex#x")]
            note("in", "1").update(actions=actions)
            note("in", "1").update(actions=[note.author.remove()])
        update, removal = (request.body for request in recorder.requests)
        assert update["UpdateExpression"] == "SET #0 = :0, #1 = #0, #2 = :1"
        assert update["ExpressionAttributeValues"] == {":0": {"S": "acme#ann"}, ":1": {"S": "globex#x"}}
        assert removal["UpdateExpression"] == "REMOVE #0"

    def test_without_a_tenant_a_whole_key_is_set(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder
    ) -> None:
        """In a ``db.without_tenant`` block, the value must name a tenant."""
        with app.app_context(), db.without_tenant(reason="test"):
            note("acme#in", "1").update(actions=[note.author.set("acme#ann")])
            for value in ("ann", "#ann"):
                with pytest.raises(TenantMismatch, match="than a key of a tenant"):
                    note("acme#in", "1").update(actions=[note.author.set({"S": value})])
        assert len(recorder.requests) == 1

    def test_an_update_needs_a_tenant(self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any) -> None:
        """Without a tenant, an action that was made for one raises TenantRequired."""
        with app.app_context():
            with db.tenant("acme"):
                item, action = note("in", "1"), note.author.set("ann")
            with pytest.raises(TenantRequired):
                item.update(actions=[action])

    def test_actions_are_a_list(self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any) -> None:
        """Actions that could be read only once are refused, as PynamoDB refuses them."""
        with app.app_context(), db.tenant("acme"):
            with pytest.raises(TypeError, match="expected to be a non-empty list"):
                note("in", "1").update(actions=iter([note.author.set("ann")]))


@pytest.fixture(scope="module")
def accounts_with_notes() -> dict[str, engines.Account]:
    """The account with the notes of ``forged``, by engine. Its tests read them, and change nothing."""
    return {}


def write_notes(db: dynaflask.Dynamo, note: t.Any) -> None:
    """Write the notes as a script without dynaflask would."""
    db.create_all(wait=True)
    with db.without_tenant(reason="test"):
        table = note._get_connection()
        for tenant in ("acme", "globex"):
            for number in range(4):
                attributes = {"a": {"S": "acme#ann"}, "title": {"S": f"{tenant} {number}"}}
                table.put_item(f"{tenant}#in{number % 2}", f"{number}", attributes=attributes)


class TestIndexes:
    """A query of an index returns and counts the items of the tenant, by the hash key of the table."""

    @pytest.fixture(params=TRANSPORTS)
    def forged(
        self,
        request: pytest.FixtureRequest,
        engine: engines.Engine,
        accounts_with_notes: dict[str, engines.Account],
        db: dynaflask.Dynamo,
        note: t.Any,
    ) -> t.Iterator[t.Any]:
        """The model; ``acme`` has four notes, and as many of ``globex`` name ``acme`` in the key of the index."""
        is_new = engine.name not in accounts_with_notes
        account = accounts_with_notes.setdefault(engine.name, engines.Account())
        app = flask.Flask("forged")
        app.config.update(engine.settings(account), DYNAMODB_TRANSPORT=request.param, SECRET_KEY="hush")
        db.init_app(app)
        with app.app_context():
            if is_new:
                write_notes(db, note)
            yield note

    @pytest.mark.parametrize("index", ["by_author", "inverted"])
    @pytest.mark.parametrize("page_size", [None, 1, 3])
    def test_query(self, forged: t.Any, db: dynaflask.Dynamo, index: str, page_size: int | None) -> None:
        """The other tenant's items are neither returned nor an error, whatever the size of a page."""
        query = getattr(forged, index).query
        with db.tenant("acme"):
            assert sorted(note.id for note in query("ann", page_size=page_size)) == ["0", "1", "2", "3"]
            assert len(list(query("ann", limit=3, page_size=page_size))) == 3
        with db.tenant("globex"):
            assert list(query("ann", page_size=page_size)) == []

    @pytest.mark.parametrize("index", ["by_author", "inverted"])
    def test_filter(self, forged: t.Any, db: dynaflask.Dynamo, index: str) -> None:
        """The program's filter applies as well, also one of two alternatives."""
        query = getattr(forged, index).query
        with db.tenant("acme"):
            results = query("ann", filter_condition=(forged.id == "1") | (forged.id == "3"))
            assert sorted(note.id for note in results) == ["1", "3"]

    def test_a_projection_gives_no_titles_away(self, forged: t.Any, db: dynaflask.Dynamo) -> None:
        """A projection without the hash key has the tenant's items alone, in any form that PynamoDB takes."""
        with db.tenant("acme"):
            for attributes in (["title"], "title", ["title", "folder"], [forged.title, forged.folder]):
                titles = sorted(note.title for note in forged.inverted.query("ann", attributes_to_get=attributes))
                assert titles == [f"acme {number}" for number in range(4)]
            by_position = forged.query("ann", None, None, False, "inverted", True, None, None, ["title"])
            assert sorted(note.title for note in by_position) == [f"acme {number}" for number in range(4)]

    @pytest.mark.parametrize("index", ["by_author", "inverted"])
    def test_count(self, forged: t.Any, db: dynaflask.Dynamo, index: str) -> None:
        """A count has the tenant's items alone."""
        count = getattr(forged, index).count
        with db.tenant("acme"):
            assert count("ann") == 4
            assert count("ann", filter_condition=forged.id < "2") == 2
            assert forged.count("ann", None, None, False, f"{index}".replace("_", "-"), None, 100) == 4
        with db.tenant("globex"):
            assert count("ann") == 0

    @pytest.mark.parametrize(("compare", "ids"), [("__lt__", ["0", "2"]), ("__gt__", []), ("__ge__", ["1", "3"])])
    def test_a_condition_of_the_range_key(
        self, forged: t.Any, db: dynaflask.Dynamo, compare: str, ids: list[str]
    ) -> None:
        """A comparison of the table's hash key, where it is the range key, does not reach other tenants' items."""
        with db.tenant("acme"):
            condition = getattr(forged.folder, compare)("in1")
            assert sorted(note.id for note in forged.inverted.query("ann", condition)) == ids
            assert forged.inverted.count("ann", condition) == len(ids)

    @pytest.mark.parametrize("index", ["by_author", "inverted"])
    @pytest.mark.parametrize("per_page", [1, 2, 3, 4])
    def test_pages(self, forged: t.Any, db: dynaflask.Dynamo, index: str, per_page: int) -> None:
        """The pages of a query have each item of the tenant once."""
        ids: list[str] = []
        with db.tenant("acme"):
            cursor = None
            while True:
                page = db.paginate(getattr(forged, index).query, "ann", per_page=per_page, cursor=cursor)
                ids += [note.id for note in page]
                cursor = page.next_cursor
                if cursor is None:
                    break
        assert sorted(ids) == ["0", "1", "2", "3"]

    @pytest.mark.parametrize("index", ["by_author", "inverted"])
    def test_without_a_tenant_all_are_read(self, forged: t.Any, db: dynaflask.Dynamo, index: str) -> None:
        """A ``db.without_tenant`` block sees the items as they are stored, so that they can be repaired."""
        with db.without_tenant(reason="test"):
            assert len(list(getattr(forged, index).query("acme#ann"))) == 8
            assert getattr(forged, index).count("acme#ann") == 8

    def test_a_replaced_query_is_returned_as_it_is(
        self, app: flask.Flask, db: dynaflask.Dynamo, note: t.Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What a test puts in place of PynamoDB's query comes back."""
        monkeypatch.setattr("pynamodb.models.Model.query", lambda *_, **__: ["x"])
        with app.app_context(), db.tenant("acme"):
            assert note.inverted.query("ann") == ["x"]
