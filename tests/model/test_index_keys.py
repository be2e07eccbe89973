"""Indexes whose keys have several attributes: their order, their limits, and their queries."""

from __future__ import annotations

import typing as t
from unittest import mock

import flask
import pynamodb.models
import pytest
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex
from pynamodb.indexes import LocalSecondaryIndex

import dynaflask
from tests.support import engines

MEMBERS: dict[str, t.Any] = {"__module__": __name__}


def make_index(keys: dict[str, t.Any], *, base: t.Any = GlobalSecondaryIndex, name: str = "byRound") -> t.Any:
    """An index with these keys, in this order."""
    meta = type("Meta", (), {"index_name": name, "projection": AllProjection()})
    return type(name, (base,), {**MEMBERS, "Meta": meta, **keys})()


def round_keys() -> dict[str, t.Any]:
    """Two hash keys and three range keys, whose order is not that of their names."""
    return {
        "region": UnicodeAttribute(hash_key=True),
        "cup": NumberAttribute(hash_key=True, attr_name="c"),
        "stage": UnicodeAttribute(range_key=True),
        "leg": NumberAttribute(range_key=True),
        "court": UnicodeAttribute(range_key=True),
    }


def declare_match(db: dynaflask.Dynamo, *, index: t.Any = None, **attributes: t.Any) -> t.Any:
    """A model whose items have the keys of ``round_keys``."""
    namespace = {
        **MEMBERS,
        "Meta": type("Meta", (), {"table_name": "Match"}),
        "id": NumberAttribute(hash_key=True),
        "region": UnicodeAttribute(),
        "cup": NumberAttribute(attr_name="c"),
        "stage": UnicodeAttribute(),
        "leg": NumberAttribute(),
        "court": UnicodeAttribute(default="a"),
        "points": NumberAttribute(default=0),
        "by_round": index or make_index(round_keys()),
        **attributes,
    }
    return type(db.Model)("Match", (db.Model,), namespace)


@pytest.fixture
def app(engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo) -> t.Iterator[flask.Flask]:
    """An app on a real engine, in a context."""
    with engine.app(account, db, SECRET_KEY="secret") as app:
        yield app


@pytest.fixture
def match_model(app: flask.Flask, db: dynaflask.Dynamo) -> t.Any:
    """A model with 12 items of one cup in Europe, and one of another region."""
    model = declare_match(db)
    db.create_all(wait=True)
    for number in range(12):
        stage = "final" if number % 2 else "semi"
        model(number, region="eu", cup=1, stage=stage, leg=number // 2, court="b" if number < 6 else "a").save()
    model(99, region="us", cup=1, stage="final", leg=0).save()
    return model


def ids(results: t.Any) -> list[int]:
    return [item.id for item in results]


EU = {"region": "eu", "cup": 1}


class TestQueries:
    """Queries on real engines."""

    def test_the_keys_are_created_in_the_order_of_the_class(self, match_model: t.Any, db: dynaflask.Dynamo) -> None:
        """PynamoDB sorts the keys by name. The table has the order of the class, and so no difference."""
        (index,) = match_model.describe_table()["GlobalSecondaryIndexes"]
        keys = [(key["AttributeName"], key["KeyType"]) for key in index["KeySchema"]]
        roles = ["HASH", "HASH", "RANGE", "RANGE", "RANGE"]
        assert keys == list(zip(["region", "c", "stage", "leg", "court"], roles, strict=True))
        assert dynaflask.tables.diff(db.registry) == {}

    def test_a_query_names_the_hash_keys(self, match_model: t.Any) -> None:
        """The items are those whose hash keys are all equal, in the order of the range keys."""
        found = ids(match_model.by_round.query(EU))
        assert found == [1, 3, 5, 7, 9, 11, 0, 2, 4, 6, 8, 10]
        assert ids(match_model.query({"region": "us", "cup": 1}, index_name="byRound")) == [99]
        assert match_model.one_or_404({"region": "us", "cup": 1}, index_name="byRound").id == 99

    def test_a_query_names_range_keys_from_the_first_one_on(self, match_model: t.Any) -> None:
        """The items are equal in the named range keys; a condition on the next one goes on."""
        assert ids(match_model.by_round.query({**EU, "stage": "final"})) == [1, 3, 5, 7, 9, 11]
        assert ids(match_model.by_round.query({**EU, "stage": "final"}, match_model.leg > 3)) == [9, 11]
        assert ids(match_model.by_round.query(EU, match_model.stage == "semi")) == [0, 2, 4, 6, 8, 10]

    def test_a_count_names_the_keys(self, match_model: t.Any) -> None:
        """A count takes the keys as a query does, with a limit, too."""
        assert match_model.by_round.count(EU) == 12
        assert match_model.count({**EU, "stage": "final"}, index_name="byRound") == 6
        assert match_model.count(EU, index_name="byRound", limit=5) == 5

    def test_numbers_are_as_dynamodb_stores_them(self, match_model: t.Any) -> None:
        """A key of type number is found in any spelling."""
        assert match_model.by_round.count({"region": "us", "cup": 1.0, "stage": "final", "leg": 0.0}) == 1

    def test_a_limit_and_a_position_go_on(self, match_model: t.Any) -> None:
        """``last_evaluated_key`` in the middle of a page has all keys of the index."""
        results = match_model.by_round.query(EU, limit=5, page_size=12)
        first = ids(results)
        assert first == [1, 3, 5, 7, 9]
        assert results.last_evaluated_key.keys() == {"id", "region", "c", "stage", "leg", "court"}
        rest = ids(match_model.by_round.query(EU, last_evaluated_key=results.last_evaluated_key))
        assert first + rest == ids(match_model.by_round.query(EU))

    def test_a_cursor_goes_on(self, match_model: t.Any, db: dynaflask.Dynamo) -> None:
        """Each item is on one page, with a filter, too."""
        found, cursor = [], ""
        for _ in range(3):
            page = db.paginate(
                match_model.by_round.query, EU, filter_condition=match_model.points == 0, per_page=5, cursor=cursor
            )
            found += ids(page)
            cursor = page.next_cursor or ""
        assert cursor == ""
        assert found == ids(match_model.by_round.query(EU))

    def test_a_page_may_lack_keys(self, match_model: t.Any, db: dynaflask.Dynamo) -> None:
        """A projection without a key leaves the position to DynamoDB."""
        options = {"attributes_to_get": ["id", "region", "c", "stage", "leg"], "per_page": 7}
        page = db.paginate(match_model.by_round.query, EU, **options)
        rest = db.paginate(match_model.by_round.query, EU, **options, cursor=page.next_cursor)
        assert sorted(ids(page) + ids(rest)) == list(range(12))

    def test_a_filter_on_any_key_is_an_error(self, match_model: t.Any) -> None:
        """DynamoDB accepts no filter on a key of the index, and local servers do."""
        for key in (match_model.cup, match_model.court):
            with pytest.raises(ValueError, match="can only contain non-primary key attributes"):
                list(match_model.by_round.query(EU, filter_condition=key == 1))


def test_two_apps_query_their_own_tables(
    engine: engines.Engine, db: dynaflask.Dynamo, make_app: t.Callable[..., flask.Flask]
) -> None:
    """The items of one app's index are not in the other's."""
    model = declare_match(db)
    apps = []
    for name in ("one", "other"):
        settings = engine.settings(engines.Account())
        apps.append(make_app(name, **{key.removeprefix("DYNAMODB_").lower(): value for key, value in settings.items()}))
    for number, app in enumerate(apps):
        with app.app_context():
            db.create_all(wait=True)
            model(number, **EU, stage="final", leg=0).save()
    for number, app in enumerate(apps):
        with app.app_context():
            assert ids(model.by_round.query(EU)) == [number]
            db.drop_all()


class TestTenants:
    """A ``TenantKey`` as the first of several hash keys."""

    @pytest.fixture
    def note_model(self, app: flask.Flask, db: dynaflask.Dynamo) -> t.Any:
        """A model whose index begins with the tenant; each tenant has one item with the same keys."""
        index = make_index(
            {
                "owner": dynaflask.TenantKey(hash_key=True),
                "color": UnicodeAttribute(hash_key=True),
                "at": NumberAttribute(range_key=True),
            },
            name="byColor",
        )
        namespace = {
            **MEMBERS,
            "Meta": type("Meta", (), {"table_name": "Note"}),
            "id": dynaflask.TenantKey(hash_key=True),
            "owner": dynaflask.TenantKey(),
            "color": UnicodeAttribute(),
            "at": NumberAttribute(),
            "by_color": index,
        }
        model = type(db.Model)("Note", (db.Model,), namespace)
        with db.without_tenant(reason="test"):
            db.create_all(wait=True)
        for tenant in ("acme", "globex"):
            with db.tenant(tenant):
                model("1", owner="ada", color="red", at=1).save()
        return model

    @pytest.fixture(autouse=True)
    def dropped(self, app: flask.Flask, db: dynaflask.Dynamo) -> t.Iterator[None]:
        """Drops the tables, which no tenant may."""
        yield
        with db.without_tenant(reason="test"):
            db.drop_all()

    @pytest.mark.parametrize("tenant", ["acme", "globex"])
    def test_a_tenant_finds_its_own_items(self, note_model: t.Any, db: dynaflask.Dynamo, tenant: str) -> None:
        """The query and the count of each tenant have its own item, and never the other's."""
        with db.tenant(tenant):
            keys = {"owner": "ada", "color": "red"}
            (found,) = note_model.by_color.query(keys)
            assert (str(found.id), found.id.tenant) == ("1", tenant)
            assert note_model.by_color.count({**keys, "at": 1}) == 1
            assert ids(db.paginate(note_model.by_color.query, keys)) == ["1"]

    def test_a_stored_key_of_another_tenant_finds_nothing(self, note_model: t.Any, db: dynaflask.Dynamo) -> None:
        """The other tenant's name in a key is a part of the tenant's own value."""
        with db.tenant("acme"):
            assert list(note_model.by_color.query({"owner": "globex#ada", "color": "red"})) == []


def test_a_tenant_key_after_another_hash_key_is_an_error(db: dynaflask.Dynamo) -> None:
    """The first hash key decides whose items a query can read."""
    index = make_index({"color": UnicodeAttribute(hash_key=True), "id": dynaflask.TenantKey(hash_key=True)})
    with pytest.raises(TypeError, match="TenantKey after another hash key"):
        declare_match(db, index=index, id=dynaflask.TenantKey(hash_key=True))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"region": "eu"}, "needs a value for cup"),
        ({"region": "eu", "cup": None}, "needs a value for cup"),
        ({**EU, "stage": None, "leg": 1}, "range keys from the first one on"),
        ({**EU, "leg": 1}, "range keys from the first one on"),
        ({**EU, "points": 1}, "points is no key of the index 'byRound'"),
        ("eu", "has several hash keys. Query it with a dict: {'region': ..., 'cup': ...}"),
        (None, "has several hash keys"),
    ],
)
def test_keys_that_dynamodb_would_refuse_are_an_error(
    make_app: t.Callable[..., flask.Flask], db: dynaflask.Dynamo, values: t.Any, message: str
) -> None:
    """The message names the key, and how to query the index."""
    model = declare_match(db)
    with make_app().app_context():
        for options in ({"index_name": "byRound"}, {}):
            query = model.query if options else model.by_round.query
            with pytest.raises(ValueError, match=message):
                query(values, **options)


def test_the_keys_of_the_table_are_no_dict(make_app: t.Callable[..., flask.Flask], db: dynaflask.Dynamo) -> None:
    """A query of the table takes its hash key."""
    model = declare_match(db)
    with make_app().app_context(), pytest.raises(ValueError, match="Only the keys of an index can be a dict"):
        model.query({"id": 1})


def test_an_index_by_position_is_found(make_app: t.Callable[..., flask.Flask], db: dynaflask.Dynamo) -> None:
    """PynamoDB's fifth positional argument is the name of the index."""
    model = declare_match(db)
    with make_app().app_context(), pytest.raises(ValueError, match="has several hash keys"):
        model.query("eu", None, None, False, "byRound")


def test_other_queries_reach_pynamodb_as_they_are(make_app: t.Callable[..., flask.Flask], db: dynaflask.Dynamo) -> None:
    """A patch of PynamoDB's query sees the arguments of the program."""
    model = declare_match(db)
    with make_app().app_context(), mock.patch.object(pynamodb.models.Model, "query") as query:
        model.query(1, limit=2)
    query.assert_called_once_with(1, limit=2)


def test_a_subclass_of_an_index_adds_its_keys_at_the_end(db: dynaflask.Dynamo) -> None:
    """The keys of the base class come first."""
    base = type(make_index({"region": UnicodeAttribute(hash_key=True), "stage": UnicodeAttribute(range_key=True)}))
    index = make_index({"leg": NumberAttribute(range_key=True), "cup": NumberAttribute(hash_key=True)}, base=base)
    model = declare_match(db, index=index)
    assert list(model.by_round.Meta.attributes) == ["region", "stage", "leg", "cup"]


def test_dynamodbs_limits_are_checked(db: dynaflask.Dynamo) -> None:
    """A global index has at most four hash keys and four range keys, a local one has one of each."""
    keys = {f"key{number}": UnicodeAttribute(range_key=True) for number in range(5)}
    with pytest.raises(TypeError, match="'byRound' of Match has 5 range keys. DynamoDB allows up to 4"):
        declare_match(db, index=make_index({"region": UnicodeAttribute(hash_key=True), **keys}))
    local = {"id": NumberAttribute(hash_key=True), "leg": NumberAttribute(range_key=True)}
    with pytest.raises(TypeError, match="has 2 range keys"):
        declare_match(
            db, index=make_index({**local, "stage": UnicodeAttribute(range_key=True)}, base=LocalSecondaryIndex)
        )
