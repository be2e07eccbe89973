"""The keys of a table: numbers as DynamoDB stores them, and the filters that a query may have."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.expressions.condition import size
from pynamodb.expressions.operand import Path
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex
from pynamodb.transactions import TransactGet
from pynamodb.transactions import TransactWrite

import dynaflask
from dynaflask.client.table_keys import canonical_number
from dynaflask.client.table_keys import canonical_value
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture(params=["direct", "botocore", "stock"])
def app(make_app: MakeApp, recorder: recorders.Recorder, request: pytest.FixtureRequest) -> t.Iterator[flask.Flask]:
    """An app, in a context, whose calls the recorder answers, with each transport."""
    app = make_app(host=recorder.url, region="us-east-1", max_retry_attempts=0, transport=request.param, **KEYS)
    with app.app_context():
        yield app


@pytest.fixture
def score_model(db: dynaflask.Dynamo) -> t.Any:
    """A model whose table and index have keys of type number."""

    class ByRank(GlobalSecondaryIndex[t.Any]):
        class Meta:
            index_name = "by-rank"
            projection = AllProjection()

        rank = NumberAttribute(hash_key=True)
        at = NumberAttribute(range_key=True)

    class Score(db.Model):  # type: ignore[name-defined, misc]
        class Meta:
            table_name = "Score"

        player = NumberAttribute(hash_key=True)
        at = NumberAttribute(range_key=True)
        rank = NumberAttribute(null=True)
        ratio = NumberAttribute(null=True)
        names: MapAttribute[t.Any, t.Any] = MapAttribute(null=True)
        by_rank = ByRank()

    return Score


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0", "0"),
        ("7", "7"),
        ("-7", "-7"),
        ("100", "100"),
        ("1.0", "1"),
        ("1.50", "1.5"),
        ("-1.0", "-1"),
        ("1e-05", "0.00001"),
        ("1E2", "100"),
        ("1.5e+2", "150"),
        ("+1", "1"),
        ("007", "7"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("0e5", "0"),
        ("1" * 38 + ".0", "1" * 38),
        ("0." + "1" * 38, "0." + "1" * 38),
        ("1E125", "1" + "0" * 125),
        ("1E-130", "0." + "0" * 129 + "1"),
    ],
)
def test_a_number_has_one_canonical_form(text: str, canonical: str) -> None:
    """No exponent, no leading or trailing zero, no sign of zero; all digits stay."""
    assert canonical_number(text) == canonical


@pytest.mark.parametrize("text", ["", "x", "NaN", "Infinity", "1_0", " 1", "1\n", "1e1000", "\u0661", "1.0.0"])
def test_what_is_no_number_of_dynamodb_stays_as_it_is(text: str) -> None:
    """DynamoDB refuses it, and the client does not make a valid number of it."""
    assert canonical_number(text) == text


@pytest.mark.parametrize("value", [{"S": "1.0"}, {"N": 1.0}, {"N": None}, {"NS": ["1.0"]}, "1.0"])
def test_only_numbers_change(value: t.Any) -> None:
    """Values of other types, and malformed ones, stay for botocore to send or to refuse."""
    assert canonical_value(value) == value


@pytest.mark.usefixtures("app")
class TestNumberKeys:
    """A number in a key is sent as DynamoDB stores it, however the program writes it."""

    KEY: t.Final = {"player": {"N": "1"}, "at": {"N": "0.00001"}}

    def test_calls_on_one_item(self, score_model: t.Any, recorder: recorders.Recorder) -> None:
        """Get, update and delete send the canonical key."""
        score_model.get(1.0, 1e-5)
        score_model(1.0, 1e-5).update(actions=[score_model.ratio.set(2.0)])
        score_model(1.0, 1e-5).delete()
        assert [request.body["Key"] for request in recorder.requests] == [self.KEY] * 3
        assert recorder.requests[1].body["ExpressionAttributeValues"] == {":0": {"N": "2.0"}}

    def test_an_item(self, score_model: t.Any, recorder: recorders.Recorder) -> None:
        """The keys of the table and of its indexes are canonical, and other attributes as PynamoDB sends them."""
        score = score_model(1.0, 1e-5, rank=100.0, ratio=2.0)
        score.save()
        assert recorder.requests[0].body["Item"] == {**self.KEY, "rank": {"N": "100"}, "ratio": {"N": "2.0"}}
        assert (score.player, score.at) == (1.0, 1e-5)

    def test_batches(self, score_model: t.Any, recorder: recorders.Recorder) -> None:
        """The keys of a batch are canonical."""
        with score_model.batch_write() as batch:
            batch.save(score_model(1.0, 1e-5))
            batch.delete(score_model(100.0, -0.0))
        list(score_model.batch_get([(1.0, 1e-5)]))
        writes = recorder.requests[0].body["RequestItems"]["Score"]
        assert {"PutRequest": {"Item": self.KEY}} in writes
        assert {"DeleteRequest": {"Key": {"player": {"N": "100"}, "at": {"N": "0"}}}} in writes
        assert recorder.requests[1].body["RequestItems"]["Score"]["Keys"] == [self.KEY]

    def test_transactions(self, db: dynaflask.Dynamo, score_model: t.Any, recorder: recorders.Recorder) -> None:
        """The keys of a transaction are canonical."""
        recorder.answer = lambda request: {"Responses": [{"Item": self.KEY}]} if "Get" in request.operation else {}
        with TransactWrite(connection=db.connection) as write:
            write.save(score_model(1.0, 1e-5))
            write.delete(score_model(1.0, 1e-5))
            write.update(score_model(1.0, 1e-5), actions=[score_model.ratio.set(2.0)])
            write.condition_check(score_model, 1.0, 1e-5, condition=score_model.ratio.exists())
        with TransactGet(connection=db.connection) as get:
            get.get(score_model, 1.0, 1e-5)
        parts = [part for request in recorder.requests for part in request.body["TransactItems"]]
        assert [part[kind].get("Key", part[kind].get("Item")) for part in parts for kind in part] == [self.KEY] * 5

    def test_a_query(self, score_model: t.Any, recorder: recorders.Recorder) -> None:
        """The values of a key condition are canonical, and those of a filter as PynamoDB sends them."""
        condition = score_model.at.between(1e-5, 1e2)
        for _ in range(2):
            list(score_model.query(1.0, condition, score_model.ratio == 2.0))
        for request in recorder.requests:
            assert request.body["KeyConditionExpression"] == "(#0 = :0 AND #1 BETWEEN :1 AND :2)"
            assert [request.body["ExpressionAttributeValues"][f":{number}"]["N"] for number in range(4)] == [
                "1",
                "0.00001",
                "100",
                "2.0",
            ]
        assert [value.value for value in condition.values[1:]] == [{"N": "1e-05"}, {"N": "100.0"}]

    def test_a_query_of_an_index(self, score_model: t.Any, recorder: recorders.Recorder) -> None:
        """The keys of an index are canonical, and so is the position to start after."""
        position = {name: {"N": "1.0"} for name in ("player", "at", "rank")}
        list(score_model.by_rank.query(1e2, score_model.at > -0.0, last_evaluated_key=position))
        body = recorder.requests[0].body
        assert body["ExpressionAttributeValues"] == {":0": {"N": "100"}, ":1": {"N": "0"}}
        assert body["ExclusiveStartKey"] == {name: {"N": "1"} for name in ("player", "at", "rank")}
        assert position["rank"] == {"N": "1.0"}

    def test_a_table_without_a_model(self, db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
        """The keys of a table that is described are canonical, too."""
        description = {
            "TableName": "Plain",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "N"}],
        }
        recorder.answer = lambda request: {"Table": description} if request.operation == "DescribeTable" else {}
        db.tables["Plain"].get_item("1.0")
        assert recorder.requests[1].body["Key"] == {"id": {"N": "1"}}


@pytest.mark.parametrize("transport", ["direct", "botocore", "stock"])
def test_an_item_is_found_in_any_spelling(
    make_app: MakeApp, ministack: engines.Engine, account: engines.Account, score_model: t.Any, transport: str
) -> None:
    """On the local server, 1 is found as 1.0, and 1.0 as 1."""
    settings = {name.removeprefix("DYNAMODB_").lower(): value for name, value in ministack.settings(account).items()}
    app = make_app(transport=transport, **settings)
    with app.app_context():
        score_model.create_table(wait=True)
        score_model(1.0, 1e-5, rank=1e2, ratio=1).save()
        for player, at, rank in ((1, 0.00001, 100), (1.0, 1e-5, 1e2)):
            assert score_model.get(player, at).ratio == 1
            assert [score.ratio for score in score_model.query(player, score_model.at == at)] == [1]
            assert [score.ratio for score in score_model.by_rank.query(rank)] == [1]
            assert [score.ratio for score in score_model.batch_get([(player, at)])] == [1]


@pytest.mark.usefixtures("app")
class TestFilters:
    """A query whose filter names a key of what it reads is refused, and nothing is sent."""

    @pytest.mark.parametrize(
        "condition",
        [
            Path("player") == {"N": "1"},
            ~Path("at").exists(),
            (Path("ratio") > {"N": "1"}) | ((Path("ratio") < {"N": "2"}) & Path("at").is_in({"N": "2"})),
            size(Path("player")) > 1,
            Path("ratio") == Path("at"),
            Path("at[0]").exists(),
        ],
        ids=str,
    )
    def test_a_query_of_the_table(self, score_model: t.Any, recorder: recorders.Recorder, condition: t.Any) -> None:
        """The hash key and the range key are found anywhere in the filter."""
        with pytest.raises(
            ValueError, match="only contain non-primary key attributes: Primary key attribute: (player|at)"
        ):
            list(score_model.query(1, filter_condition=condition))
        assert recorder.requests == []

    def test_an_index(self, score_model: t.Any, recorder: recorders.Recorder) -> None:
        """A query of an index may filter by the table's keys, and not by its own."""
        with pytest.raises(ValueError, match="Primary key attribute: rank. It is a key of the index 'by-rank':"):
            list(score_model.by_rank.query(1, filter_condition=score_model.rank == 1))
        assert recorder.requests == []
        list(score_model.by_rank.query(1, filter_condition=score_model.player == 1))
        list(score_model.query(1, filter_condition=score_model.rank == 1))
        assert [request.operation for request in recorder.requests] == ["Query", "Query"]

    def test_counts_and_pages(self, db: dynaflask.Dynamo, score_model: t.Any, recorder: recorders.Recorder) -> None:
        """``count`` and ``db.paginate`` refuse it, too, of a table and of an index."""
        by_table, by_index = score_model.at == 1, score_model.rank == 1
        for call in (
            lambda: score_model.count(1, filter_condition=by_table),
            lambda: score_model.count(1, filter_condition=by_table, limit=1),
            lambda: score_model.by_rank.count(1, filter_condition=by_index),
            lambda: db.paginate(score_model.query, 1, filter_condition=by_table),
            lambda: db.paginate(score_model.by_rank.query, 1, filter_condition=by_index),
        ):
            with pytest.raises(ValueError, match="non-primary key"):
                call()
        assert recorder.requests == []

    def test_other_filters_are_sent(self, score_model: t.Any, recorder: recorders.Recorder) -> None:
        """A key's name inside of a map is no key, and a scan may filter by keys."""
        list(score_model.query(1, filter_condition=Path("names.player").exists()))
        list(score_model.scan(score_model.player == 1))
        assert [request.operation for request in recorder.requests] == ["Query", "Scan"]

    def test_an_unknown_index_is_pynamodbs_error(self, db: dynaflask.Dynamo, score_model: t.Any) -> None:
        """A connection's query of an index that no model declares has PynamoDB's message."""
        table = score_model._get_connection()
        with pytest.raises(ValueError, match="Table Score has no index: none"):
            table.query("1", index_name="none", filter_condition=score_model.player == 1)


@pytest.mark.usefixtures("app")
def test_string_keys_stay_as_they_are(db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
    """A string that looks like a number is another key than the number."""

    class Text(db.Model):  # type: ignore[name-defined, misc]
        class Meta:
            table_name = "Text"

        id = UnicodeAttribute(hash_key=True)
        at = UnicodeAttribute(range_key=True)

    Text.get("1.0", "1e2")
    list(Text.query("1.0", Text.at == "1e2"))
    assert recorder.requests[0].body["Key"] == {"id": {"S": "1.0"}, "at": {"S": "1e2"}}
    assert recorder.requests[1].body["ExpressionAttributeValues"] == {":0": {"S": "1.0"}, ":1": {"S": "1e2"}}
