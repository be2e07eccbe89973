"""Pages whose items become objects as they are decoded, held to those that are decoded as a whole."""

from __future__ import annotations

import json
import tracemalloc
import typing as t

import flask
import pynamodb.models
import pynamodb.pagination
import pytest
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask.client.direct import page_decoder
from tests.support import recorder as recorders
from tests.support.comparing import shape
from tests.support.settings import KEYS

ITEMS = [{"a": {"S": "x"}}, {}, {"b": {"N": "1"}, "c": {"M": {"d": {"L": [{"NULL": True}, {"SS": ["]", "}"]}]}}}}]
ANSWER = {"ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1.5}, "Items": ITEMS, "Count": 3, "ScannedCount": 3}


def dump(content: t.Any) -> bytes:
    """As DynamoDB writes it."""
    return json.dumps(content, separators=(",", ":")).encode()


@pytest.fixture
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the page is."""
    monkeypatch.setattr(page_decoder, "MIN_BYTES", 0)


@pytest.mark.usefixtures("any_size")
class TestLoad:
    """``load`` says what JSON says, or nothing."""

    def test_it_says_what_json_says(self) -> None:
        """With what was made of the items, which still tell their attributes."""
        content = page_decoder.decode_page(dump(ANSWER), make_item=lambda item: ("made of", item))
        page = content["Items"]
        assert {**content, "Items": [made.instance for made in page]} == {
            **ANSWER,
            "Items": [("made of", item) for item in ITEMS],
        }
        assert [*content] == [*ANSWER]
        assert (page[0]["a"], page[2]["c"]) == (ITEMS[0]["a"], ITEMS[2]["c"])

    def test_an_answer_without_items_is_said_as_well(self) -> None:
        """To a query that counts."""
        assert page_decoder.decode_page(b'{"Count":3,"ScannedCount":3}', make_item=dict) == {
            "Count": 3,
            "ScannedCount": 3,
        }

    def test_what_the_program_raises_meanwhile_goes_on(self) -> None:
        """A signal's handler may, such as that of a task's time limit."""

        class TimeLimitExceeded(Exception):
            pass

        def make(_: t.Any) -> t.NoReturn:
            raise TimeLimitExceeded

        with pytest.raises(TimeLimitExceeded):
            page_decoder.decode_page(dump(ANSWER), make)

    def test_what_is_cut_short_is_not_taken(self) -> None:
        """Wherever it is cut."""
        body = dump(ANSWER)
        assert [page_decoder.decode_page(body[:end], make_item=dict) for end in range(len(body))] == [None] * len(body)

    @pytest.mark.parametrize(
        "body",
        [
            dump(ANSWER) + b"}",
            dump(ANSWER) + b" ",
            json.dumps(ANSWER).encode(),
            dump(ANSWER).decode().encode("utf-16"),
            dump(ANSWER).replace(b"x", b"\xff"),
            b"",
            b"null",
            b"[]",
            b"{}",
            b'{1:{"Items":[]}}',
            b'{"Items":[]}',
            b'{"Items":[{}}',
            b'{"Items":[{},]}',
            b'{"Items":[{}],}',
            b'{"Items":{}}',
            b'{"Items":[1]}',
            b'{"Items":[{"a":{"B":"AAEC"}}]}',
            b'{"Items":[{"a":{"S":1}}]}',
            b'{"Items":[{"a":{"S":"x","N":"1"}}]}',
        ],
    )
    def test_what_is_odd_is_left_to_others(self, body: bytes) -> None:
        """They find out what it is, or what is wrong with it."""
        assert page_decoder.decode_page(body, make_item=dict) is None

    def test_what_nothing_can_be_made_of_is_left_to_others(self) -> None:
        """They raise the error where it is due."""
        assert page_decoder.decode_page(dump(ANSWER), make_item=lambda item: item["a"]) is None


def test_a_small_page_is_decoded_as_a_whole() -> None:
    """Which takes less time."""
    assert page_decoder.decode_page(dump(ANSWER), make_item=dict) is None


TRANSPORTS = {"stock": "stock", "direct": "direct", "other": "direct"}
PAGE = 3


@pytest.fixture
def apps(make_app: t.Any, recorder: recorders.Recorder) -> dict[str, flask.Flask]:
    """One app for PynamoDB's transport, and two for the direct transport."""
    recorder.answer = answer
    given = {"host": recorder.url, "region": "us-east-1", **KEYS}
    return {
        name: make_app(name, transport=transport, table_prefix=f"{name}-", **given)
        for name, transport in TRANSPORTS.items()
    }


def answer(request: recorders.Request) -> str:
    """Two pages of posts, whose text is the name of their table."""
    start = int(request.body.get("ExclusiveStartKey", {"number": {"N": "0"}})["number"]["N"])
    text = {"S": request.body["TableName"].partition("-")[2] * 1000}
    keys: t.Any = [{"forum": {"S": "f"}, "number": {"N": str(number)}} for number in range(start + 1, start + PAGE + 1)]
    rest = {} if start else {"LastEvaluatedKey": keys[-1]}
    table = {"where": {"S": request.body["TableName"].partition("-")[0]}}
    return dump(
        {"Count": PAGE, "Items": [{**key, "text": text, **table} for key in keys], "ScannedCount": PAGE, **rest}
    ).decode()


@pytest.fixture
def post(db: dynaflask.Dynamo) -> t.Any:
    """A model of a table with two keys."""

    class Post(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Post"

        forum = UnicodeAttribute(hash_key=True)
        number = NumberAttribute(range_key=True)
        text = UnicodeAttribute()
        where = UnicodeAttribute(null=True)

    return Post


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> list[t.Any]:
    """What was decoded so, or ``None`` for each page that was not."""
    found: list[t.Any] = []
    load = page_decoder.decode_page

    def note(*args: t.Any) -> t.Any:
        found.append(load(*args))
        return found[-1]

    monkeypatch.setattr(page_decoder, "decode_page", note)
    return found


def agree(apps: dict[str, flask.Flask], step: t.Callable[[], t.Any]) -> t.Any:
    """The result of a step, which is the same with each transport. The first step captures the request templates."""
    given = []
    for name in ("stock", "direct"):
        with apps[name].app_context():
            step()
            given.append(step())
    stock, direct = map(shape, given)
    assert repr(direct).replace("'direct", "'stock") == repr(stock)
    return given[1]


@pytest.mark.usefixtures("any_size")
class TestQueries:
    """A model's queries and scans give over the direct transport what they give over any other."""

    @pytest.mark.parametrize("method", ["query", "scan"])
    def test_the_objects_are_the_same(
        self, apps: dict[str, flask.Flask], post: t.Any, streamed: list[t.Any], method: str
    ) -> None:
        """Page after page."""
        found = agree(apps, lambda: list(getattr(post, method)(*["f"] * (method == "query"))))
        assert [item.number for item in found] == list(range(1, 2 * PAGE + 1))
        assert len(streamed) == PAGE
        assert None not in streamed

    def test_each_app_has_its_own(self, apps: dict[str, flask.Flask], post: t.Any, streamed: list[t.Any]) -> None:
        """Also where two go on by turns, one inside the other's context."""
        for name in ("direct", "other"):
            with apps[name].app_context():
                list(post.query("f"))
        streamed.clear()
        with apps["direct"].app_context():
            outer = post.query("f")
            assert next(outer).where == "direct"
            with apps["other"].app_context():
                assert {item.where for item in post.query("f")} == {"other"}
            assert {item.where for item in outer} == {"direct"}
        assert len(streamed) == 2 * 2
        assert None not in streamed

    def test_it_stops_and_goes_on_where_it_was(self, apps: dict[str, flask.Flask], post: t.Any) -> None:
        """In the middle of a page, too, whose position PynamoDB takes from the last item."""

        def step() -> t.Any:
            results = post.query("f", limit=2, page_size=PAGE)
            numbers, key = [item.number for item in results], results.last_evaluated_key
            return numbers, key, [item.number for item in post.query("f", last_evaluated_key=key)]

        numbers, key, rest = agree(apps, step)
        assert (numbers, key, rest) == ([1, 2], {"forum": {"S": "f"}, "number": {"N": "2"}}, [3, 4, 5])

    def test_pages_are_the_same(self, apps: dict[str, flask.Flask], post: t.Any, db: dynaflask.Dynamo) -> None:
        """Of ``db.paginate``, which reads on until its page is full."""
        for app in apps.values():
            app.secret_key = "hush"
        found = agree(apps, lambda: db.paginate(post.query, "f", per_page=2).items)
        assert [item.number for item in found] == [1, 2]

    def test_a_page_that_is_not_plain_is_the_same(
        self, apps: dict[str, flask.Flask], post: t.Any, recorder: recorders.Recorder, streamed: list[t.Any]
    ) -> None:
        """botocore decodes what is binary."""
        binary = '"more":{"B":"AAEC"},'
        recorder.answer = lambda request: answer(request).replace('"text"', f'{binary}"text"')
        assert len(agree(apps, lambda: list(post.query("f")))) == 2 * PAGE
        assert streamed == [None] * PAGE

    def test_an_item_that_is_wrong_is_the_same_error(
        self, apps: dict[str, flask.Flask], post: t.Any, recorder: recorders.Recorder
    ) -> None:
        """After those before it were given."""
        recorder.answer = lambda request: answer(request).replace('{"N":"3"}', '{"S":"3"}', 1)

        def step() -> t.Any:
            given: list[t.Any] = []
            with pytest.raises(Exception, match="Cannot deserialize|Cannot parse|number") as caught:
                given.extend(post.query("f"))
            return [item.number for item in given], type(caught.value), str(caught.value)

        numbers, *_ = agree(apps, step)
        assert numbers == [1, 2]

    def test_what_the_program_does_with_an_item_is_done_when_it_is_asked_for(
        self, apps: dict[str, flask.Flask], post: t.Any, streamed: list[t.Any]
    ) -> None:
        """Its own attributes, and its own ``from_raw_data``, see the items one at a time."""
        seen: list[str] = []

        class NotedAttribute(UnicodeAttribute):
            def deserialize(self, value: t.Any) -> t.Any:
                seen.append("read")
                return value

        class Noted(post):  # type: ignore[misc]
            where = NotedAttribute()

        class Raw(post):  # type: ignore[misc]
            @classmethod
            def from_raw_data(cls, data: t.Any) -> t.Any:
                return data["where"]["S"]

        with apps["direct"].app_context():
            for _ in range(2):
                seen.clear()
                next(Noted.query("f"))
                assert seen == ["read"]
                assert next(Raw.query("f")) == "direct"
        assert streamed == []

    def test_whoever_asks_the_connection_gets_items(
        self, apps: dict[str, flask.Flask], post: t.Any, streamed: list[t.Any]
    ) -> None:
        """Objects are for the model alone."""
        with apps["direct"].app_context():
            list(post.query("f"))
            streamed.clear()
            assert post._get_connection().query("f")["Items"][0]["where"] == {"S": "direct"}
        assert streamed == []

    def test_whoever_takes_whole_pages_gets_pynamodbs(
        self, apps: dict[str, flask.Flask], post: t.Any, streamed: list[t.Any]
    ) -> None:
        """Items, which can be written as JSON, and made objects of."""
        with apps["direct"].app_context():
            list(post.query("f"))
            streamed.clear()
            results = post.query("f")
            page = next(results.page_iter)
            assert json.loads(json.dumps(page["Items"]))[0]["where"] == {"S": "direct"}
            assert post.from_raw_data(page["Items"][0]).where == "direct"
            assert streamed == []
            assert next(results).where == "direct"
        assert streamed != []

    def test_a_pynamodb_that_pages_otherwise_is_left_alone(
        self, apps: dict[str, flask.Flask], post: t.Any, monkeypatch: pytest.MonkeyPatch, streamed: list[t.Any]
    ) -> None:
        """What it keeps to itself may be gone."""

        class ModelResultIterator(pynamodb.pagination.ResultIterator[t.Any]):
            pass

        monkeypatch.setattr(pynamodb.models, "ResultIterator", ModelResultIterator)
        with apps["direct"].app_context():
            for _ in range(2):
                assert len(list(post.query("f"))) == 2 * PAGE
        assert streamed == []


def test_a_page_is_at_no_time_in_memory_as_dicts(
    apps: dict[str, flask.Flask], post: t.Any, recorder: recorders.Recorder
) -> None:
    """Of a full page, it takes less than half."""
    numbers = range(4000)
    items = [{"forum": {"S": "f"}, "number": {"N": str(number)}, "text": {"S": "x" * 99}} for number in numbers]
    body = dump({"Items": items, "Count": len(items), "ScannedCount": len(items)}).decode()
    assert len(body) > page_decoder.MIN_BYTES
    recorder.answer = lambda request: body
    peaks = {}
    for name in ("stock", "direct"):
        with apps[name].app_context():
            list(post.query("f"))
            tracemalloc.start()
            found = list(post.query("f"))
            peaks[name] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert [item.number for item in found] == list(numbers)
    assert peaks["direct"] < peaks["stock"] / 2
