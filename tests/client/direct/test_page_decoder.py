"""Pages whose items become objects while they are decoded, compared with pages that are decoded as a whole."""

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
from dynaflask.model.codec import responses
from dynaflask.model.codec.responses import ResponseDecoder
from tests.support import recorder as recorders
from tests.support.comparing import shape
from tests.support.settings import KEYS

ITEMS = [{"a": {"S": "x"}}, {}, {"b": {"N": "1"}, "c": {"M": {"d": {"L": [{"NULL": True}, {"SS": ["]", "}"]}]}}}}]
ANSWER = {"ConsumedCapacity": {"TableName": "t", "CapacityUnits": 1.5}, "Items": ITEMS, "Count": 3, "ScannedCount": 3}


def dump(content: t.Any) -> bytes:
    """JSON as DynamoDB writes it."""
    return json.dumps(content, separators=(",", ":")).encode()


@pytest.fixture
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decode pages of any size to objects, from the first one on."""
    monkeypatch.setattr(page_decoder, "MIN_BYTES", 0)
    monkeypatch.setattr(responses, "MIN_BYTES", 0)


@pytest.mark.usefixtures("any_size")
class TestDecodePage:
    """``decode_page`` returns what ``json.loads`` returns, or None."""

    def test_it_says_what_json_says(self) -> None:
        """The content equals that of JSON, with objects for the items, whose attributes stay readable."""
        content: t.Any = page_decoder.decode_page(dump(ANSWER), make_item=lambda item: ("made of", item))
        page = content["Items"]
        assert content == {**ANSWER, "Items": [("made of", item) for item in ITEMS]}
        assert [*content] == [*ANSWER]
        assert [page.item(index) for index in range(len(page))] == ITEMS

    def test_an_answer_without_items_is_said_as_well(self) -> None:
        """A response without items, such as that of a query that counts, is decoded, too."""
        assert page_decoder.decode_page(b'{"Count":3,"ScannedCount":3}', make_item=dict) == {
            "Count": 3,
            "ScannedCount": 3,
        }

    def test_what_the_program_raises_meanwhile_goes_on(self) -> None:
        """An exception of the program propagates, such as one that a signal handler raises for a task's time limit."""

        class TimeLimitExceeded(Exception):
            pass

        def make(_: t.Any) -> t.NoReturn:
            raise TimeLimitExceeded

        with pytest.raises(TimeLimitExceeded):
            page_decoder.decode_page(dump(ANSWER), make)

    def test_what_is_cut_short_is_not_taken(self) -> None:
        """A body that is cut at any byte gives None."""
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
        """Malformed or binary content gives None, so that the usual decoder handles it."""
        assert page_decoder.decode_page(body, make_item=dict) is None

    def test_what_nothing_can_be_made_of_is_left_to_others(self) -> None:
        """If the factory fails for an item, the result is None, and the error comes when the item is used."""
        assert page_decoder.decode_page(dump(ANSWER), make_item=lambda item: item["a"]) is None


def test_a_small_page_is_decoded_as_a_whole() -> None:
    """A page below ``MIN_BYTES`` gives None: to decode it as a whole is faster."""
    assert page_decoder.decode_page(dump(ANSWER), make_item=dict) is None


TRANSPORTS = {"stock": "stock", "direct": "direct", "other": "direct"}
PAGE = 3


@pytest.fixture
def apps(make_app: t.Any, recorder: recorders.Recorder) -> dict[str, flask.Flask]:
    """An app with PynamoDB's transport, and two with the direct transport."""
    recorder.answer = answer
    options = {"host": recorder.url, "region": "us-east-1", **KEYS}
    return {
        name: make_app(name, transport=transport, table_prefix=f"{name}-", **options)
        for name, transport in TRANSPORTS.items()
    }


def answer(request: recorders.Request) -> str:
    """One of two pages of posts. The text of a post is the name of its table."""
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
    """A model of a table with a hash key and a range key."""

    class Post(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Post"

        forum = UnicodeAttribute(hash_key=True)
        number = NumberAttribute(range_key=True)
        text = UnicodeAttribute()
        where = UnicodeAttribute(null=True)

    return Post


@pytest.fixture
def decoded_pages(monkeypatch: pytest.MonkeyPatch) -> list[t.Any]:
    """The result of each decoding of a page: its content, or None."""
    pages: list[t.Any] = []
    decode = ResponseDecoder.decode

    def note(self: ResponseDecoder, body: bytes) -> t.Any:
        pages.append(decode(self, body))
        return pages[-1]

    monkeypatch.setattr(ResponseDecoder, "decode", note)
    return pages


def agree(apps: dict[str, flask.Flask], step: t.Callable[[], t.Any]) -> t.Any:
    """The result of a step, which is the same with each transport. Each transport makes it twice."""
    results = []
    for name in ("stock", "direct"):
        with apps[name].app_context():
            step()
            results.append(step())
    stock, direct = map(shape, results)
    assert repr(direct).replace("'direct", "'stock") == repr(stock)
    return results[1]


@pytest.mark.usefixtures("any_size", "json_library")
class TestQueries:
    """A model's queries and scans return the same with the direct transport as with any other."""

    @pytest.mark.parametrize("method", ["query", "scan"])
    def test_the_objects_are_the_same(
        self, apps: dict[str, flask.Flask], post: t.Any, decoded_pages: list[t.Any], method: str
    ) -> None:
        """All pages have the same objects."""
        posts = agree(apps, lambda: list(getattr(post, method)(*["f"] * (method == "query"))))
        assert [item.number for item in posts] == list(range(1, 2 * PAGE + 1))
        assert len(decoded_pages) == 2 * 2  # two steps, two pages
        assert None not in decoded_pages

    def test_each_app_has_its_own(self, apps: dict[str, flask.Flask], post: t.Any, decoded_pages: list[t.Any]) -> None:
        """Each app's query returns its own items, also if two queries alternate in nested contexts."""
        for name in ("direct", "other"):
            with apps[name].app_context():
                list(post.query("f"))
        decoded_pages.clear()
        with apps["direct"].app_context():
            outer = post.query("f")
            assert next(outer).where == "direct"
            with apps["other"].app_context():
                assert {item.where for item in post.query("f")} == {"other"}
            assert {item.where for item in outer} == {"direct"}
        assert len(decoded_pages) == 2 * 2
        assert None not in decoded_pages

    def test_it_stops_and_goes_on_where_it_was(self, apps: dict[str, flask.Flask], post: t.Any) -> None:
        """A query that stops within a page continues after the last item, whose key PynamoDB reads."""

        def step() -> t.Any:
            results = post.query("f", limit=2, page_size=PAGE)
            numbers, key = [item.number for item in results], results.last_evaluated_key
            return numbers, key, [item.number for item in post.query("f", last_evaluated_key=key)]

        numbers, key, rest = agree(apps, step)
        assert (numbers, key, rest) == ([1, 2], {"forum": {"S": "f"}, "number": {"N": "2"}}, [3, 4, 5])

    def test_pages_are_the_same(self, apps: dict[str, flask.Flask], post: t.Any, db: dynaflask.Dynamo) -> None:
        """``db.paginate``, which reads until its page is full, returns the same page."""
        for app in apps.values():
            app.secret_key = "hush"
        posts = agree(apps, lambda: db.paginate(post.query, "f", per_page=2).items)
        assert [item.number for item in posts] == [1, 2]

    def test_a_page_that_is_not_plain_is_the_same(
        self,
        apps: dict[str, flask.Flask],
        post: t.Any,
        recorder: recorders.Recorder,
        decoded_pages: list[t.Any],
        json_library: str,
    ) -> None:
        """A page with binary values is decoded by botocore, unless the model does not declare their attribute."""
        binary = '"more":{"B":"AAEC"},'
        recorder.answer = lambda request: answer(request).replace('"text"', f'{binary}"text"')
        assert len(agree(apps, lambda: list(post.query("f")))) == 2 * PAGE
        assert len(decoded_pages) == 2 * 2
        assert all((content is None) == (json_library == "json") for content in decoded_pages)

    def test_an_item_that_is_wrong_is_the_same_error(
        self, apps: dict[str, flask.Flask], post: t.Any, recorder: recorders.Recorder
    ) -> None:
        """A malformed item raises the same error, after the items before it."""
        recorder.answer = lambda request: answer(request).replace('{"N":"3"}', '{"S":"3"}', 1)

        def step() -> t.Any:
            posts: list[t.Any] = []
            with pytest.raises(Exception, match="Cannot deserialize|Cannot parse|number") as caught:
                posts.extend(post.query("f"))
            return [item.number for item in posts], type(caught.value), str(caught.value)

        numbers, *_ = agree(apps, step)
        assert numbers == [1, 2]

    def test_what_the_program_does_with_an_item_is_done_when_it_is_asked_for(
        self, apps: dict[str, flask.Flask], post: t.Any, decoded_pages: list[t.Any]
    ) -> None:
        """The program's own attributes and ``from_raw_data`` run when an item is used, one item at a time."""
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
        assert decoded_pages == []

    def test_a_query_on_the_connection_returns_items(
        self, apps: dict[str, flask.Flask], post: t.Any, decoded_pages: list[t.Any]
    ) -> None:
        """A query on the connection returns plain items."""
        with apps["direct"].app_context():
            list(post.query("f"))
            decoded_pages.clear()
            assert post._get_connection().query("f")["Items"][0]["where"] == {"S": "direct"}
        assert decoded_pages == []

    def test_page_iter_returns_plain_pages(
        self, apps: dict[str, flask.Flask], post: t.Any, decoded_pages: list[t.Any]
    ) -> None:
        """``page_iter`` returns pages of plain items, which can be written as JSON and turned into objects."""
        with apps["direct"].app_context():
            list(post.query("f"))
            decoded_pages.clear()
            results = post.query("f")
            page = next(results.page_iter)
            assert json.loads(json.dumps(page["Items"]))[0]["where"] == {"S": "direct"}
            assert post.from_raw_data(page["Items"][0]).where == "direct"
            assert decoded_pages == []
            assert next(results).where == "direct"
        assert decoded_pages != []

    def test_a_pynamodb_that_pages_otherwise_is_left_alone(
        self, apps: dict[str, flask.Flask], post: t.Any, monkeypatch: pytest.MonkeyPatch, decoded_pages: list[t.Any]
    ) -> None:
        """With another ``ResultIterator`` of PynamoDB, pages are decoded as a whole."""

        class ModelResultIterator(pynamodb.pagination.ResultIterator[t.Any]):
            pass

        monkeypatch.setattr(pynamodb.models, "ResultIterator", ModelResultIterator)
        with apps["direct"].app_context():
            for _ in range(2):
                assert len(list(post.query("f"))) == 2 * PAGE
        assert decoded_pages == []


def answer_batch(request: recorders.Request) -> str:
    """The posts of these keys, but for the last one. The text of a post is the name of its table."""
    ((table, requested),) = request.body["RequestItems"].items()
    where = {"where": {"S": table.partition("-")[0]}}
    *keys, last = requested["Keys"]
    unprocessed = {table: {"Keys": [last]}} if keys else {}
    items = [{**key, "text": {"S": table.partition("-")[2]}, **where} for key in keys or [last]]
    return dump({"Responses": {table: items}, "UnprocessedKeys": unprocessed}).decode()


@pytest.mark.usefixtures("any_size", "json_library")
class TestBatchGets:
    """A model's batch gets return the same with the direct transport as with any other."""

    KEYS: t.ClassVar = [("f", number) for number in range(PAGE)]

    def test_the_objects_are_the_same(
        self,
        apps: dict[str, flask.Flask],
        post: t.Any,
        recorder: recorders.Recorder,
        decoded_pages: list[t.Any],
        json_library: str,
    ) -> None:
        """All pages have the same objects. Those without unprocessed keys are decoded by structs."""
        recorder.answer = answer_batch
        posts = agree(
            apps, lambda: sorted(post.batch_get(self.KEYS, consistent_read=True), key=lambda item: str(item.number))
        )
        assert [item.number for item in posts] == list(range(PAGE))
        types = {type(page) for content in decoded_pages if content for page in content["Responses"].values()}
        assert (page_decoder.DecodedPage in types) == (json_library == "msgspec")

    def test_each_app_has_its_own(
        self, apps: dict[str, flask.Flask], post: t.Any, recorder: recorders.Recorder
    ) -> None:
        """Each app's batch get returns its own items, also if two of them alternate in nested contexts."""
        recorder.answer = answer_batch
        for name in ("direct", "other"):
            with apps[name].app_context():
                list(post.batch_get(self.KEYS))
        with apps["direct"].app_context():
            outer = post.batch_get(self.KEYS)
            assert next(outer).where == "direct"
            with apps["other"].app_context():
                assert {item.where for item in post.batch_get(self.KEYS)} == {"other"}
            assert {item.where for item in outer} == {"direct"}

    def test_the_programs_own_page_is_fetched(
        self, apps: dict[str, flask.Flask], post: t.Any, recorder: recorders.Recorder, decoded_pages: list[t.Any]
    ) -> None:
        """A model that overrides ``_batch_get_page`` fetches its pages, whose items are dicts."""
        recorder.answer = answer_batch

        class Own(post):  # type: ignore[misc]
            @classmethod
            def _batch_get_page(cls, *args: t.Any, **options: t.Any) -> t.Any:
                items, unprocessed = super()._batch_get_page(*args, **options)
                return [{**item, "text": {"S": "own"}} for item in items], unprocessed

        with apps["direct"].app_context():
            for _ in range(2):
                assert {item.text for item in Own.batch_get(self.KEYS)} == {"own"}
        assert decoded_pages == []

    def test_a_model_that_runs_code_of_the_program_gets_items(
        self, apps: dict[str, flask.Flask], post: t.Any, recorder: recorders.Recorder, decoded_pages: list[t.Any]
    ) -> None:
        """The program's own ``from_raw_data`` gets dicts."""
        recorder.answer = answer_batch

        class Raw(post):  # type: ignore[misc]
            @classmethod
            def from_raw_data(cls, data: t.Any) -> t.Any:
                return data["where"]["S"]

        with apps["direct"].app_context():
            for _ in range(2):
                assert set(Raw.batch_get(self.KEYS)) == {"direct"}
        assert decoded_pages == []


def test_a_page_is_at_no_time_in_memory_as_dicts(
    apps: dict[str, flask.Flask], post: t.Any, recorder: recorders.Recorder
) -> None:
    """A full page takes less than half of the memory that it takes as dicts."""
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
            posts = list(post.query("f"))
            peaks[name] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert [item.number for item in posts] == list(numbers)
    assert peaks["direct"] < peaks["stock"] / 2
