"""``db.paginate``: one page of a query or a scan, and the cursor to the next page."""

from __future__ import annotations

import base64
import datetime as dt
import functools
import itertools
import typing as t

import flask
import pynamodb.connection
import pynamodb.models
import pytest
from pynamodb.attributes import BinaryAttribute
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UnicodeSetAttribute
from pynamodb.attributes import UTCDateTimeAttribute
from pynamodb.indexes import GlobalSecondaryIndex
from pynamodb.indexes import KeysOnlyProjection
from werkzeug.exceptions import BadRequest

import dynaflask
from tests.support import engines
from tests.support import models
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


class ByDay(GlobalSecondaryIndex[t.Any]):
    """The visits of a day by weight."""

    class Meta:
        index_name = "by-day"
        projection = KeysOnlyProjection()
        read_capacity_units = write_capacity_units = 1

    day = UTCDateTimeAttribute(hash_key=True)
    weight = NumberAttribute(range_key=True)


def declare_visit(db: dynaflask.Dynamo) -> t.Any:
    class Visit(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Visit"
            billing_mode = "PAY_PER_REQUEST"

        number = NumberAttribute(hash_key=True)
        token = BinaryAttribute(range_key=True, legacy_encoding=False)
        day = UTCDateTimeAttribute(default=dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc))
        weight = NumberAttribute(default=0)
        tags = UnicodeSetAttribute(null=True)
        past_tags = ListAttribute(of=UnicodeSetAttribute, null=True)
        by_day = ByDay()

    return Visit


DAY = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)


@pytest.fixture
def visit(engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo) -> t.Iterator[t.Any]:
    """A model with 23 visits of one number, on each engine. Every third weighs 1, the others 2, 3, 5, 6 and so on."""
    app = flask.Flask("app")
    app.secret_key = "secret"
    app.config.from_mapping(engine.settings(account))
    db.init_app(app)
    visit = declare_visit(db)
    with app.app_context():
        db.create_all(wait=True)
        with visit.batch_write() as batch:
            for index in range(23):
                batch.save(visit(1, bytes([index]), weight=1 if index % 3 == 0 else index + 1))
        yield visit
        db.drop_all()


@pytest.fixture
def app(make_app: MakeApp, recorder: recorders.Recorder) -> flask.Flask:
    """An app with a secret key, whose calls the recorder answers."""
    app = make_app(host=recorder.url, region="us-east-1", **KEYS)
    app.secret_key = "secret"
    return app


def walk(db: dynaflask.Dynamo, method: t.Any, *args: t.Any, **options: t.Any) -> list[list[t.Any]]:
    """The items of all pages."""
    page = db.paginate(method, *args, **options)
    pages = [page.items]
    while page.next_cursor:
        page = db.paginate(method, *args, cursor=page.next_cursor, **options)
        pages.append(page.items)
    return pages


def numbers(pages: list[list[t.Any]]) -> list[list[int]]:
    """The numbers of the visits on each page."""
    return [[visit.token[0] for visit in page] for page in pages]


def flatten(pages: list[list[int]]) -> list[int]:
    """The numbers on all pages."""
    return list(itertools.chain.from_iterable(pages))


def split(visits: t.Sequence[int], size: int) -> list[list[int]]:
    """The visits in pages of this size."""
    return [list(visits[start : start + size]) for start in range(0, len(visits), size)]


ALL = list(range(23))
EVERY_THIRD = [index for index in ALL if index % 3 == 0]


class TestPages:
    """All pages together have every item once, and each page but the last is full."""

    @pytest.mark.parametrize("size", [1, 7, 23, 24])
    def test_a_query(self, db: dynaflask.Dynamo, visit: t.Any, size: int) -> None:
        """A query has full pages forwards and backwards, and no empty page after a full last one."""
        assert numbers(walk(db, visit.query, 1, per_page=size)) == split(ALL, size)
        assert numbers(walk(db, visit.query, 1, per_page=size, scan_index_forward=False)) == split(ALL[::-1], size)

    def test_a_condition_on_the_range_key(self, db: dynaflask.Dynamo, visit: t.Any) -> None:
        """A condition on the range key limits the pages."""
        assert numbers(walk(db, visit.query, 1, visit.token > b"\x0a", per_page=5)) == split(ALL[11:], 5)

    @pytest.mark.parametrize("size", [1, 3, 8, 9])
    def test_a_filter(self, db: dynaflask.Dynamo, visit: t.Any, size: int) -> None:
        """A filter makes no page shorter. One empty page may follow the last item."""
        pages = numbers(walk(db, visit.query, 1, filter_condition=visit.weight == 1, per_page=size))
        assert [page for page in pages if page] == split(EVERY_THIRD, size)
        assert [] not in pages[:-1]

    def test_a_scan(self, db: dynaflask.Dynamo, visit: t.Any) -> None:
        """A scan has every item once, with and without a filter."""
        assert sorted(flatten(numbers(walk(db, visit.scan, per_page=4)))) == ALL
        pages = numbers(walk(db, visit.scan, visit.weight == 1, per_page=4))
        assert sorted(flatten(pages)) == EVERY_THIRD

    def test_an_index(self, db: dynaflask.Dynamo, visit: t.Any) -> None:
        """Items with equal index keys are neither lost nor repeated, because the position has the table's keys too."""
        by_weight = sorted(ALL, key=lambda index: 1 if index in EVERY_THIRD else index + 1)
        indexes = flatten(numbers(walk(db, visit.by_day.query, DAY, per_page=3)))
        assert (sorted(indexes[:8]), indexes[8:]) == (EVERY_THIRD, by_weight[8:])
        assert sorted(flatten(numbers(walk(db, visit.by_day.scan, per_page=5)))) == ALL

    @pytest.mark.parametrize("names", [["token"], ["token", "number"]], ids=["without keys", "with keys"])
    def test_some_attributes(self, db: dynaflask.Dynamo, visit: t.Any, names: list[str]) -> None:
        """``attributes_to_get`` may include or omit the keys."""
        options = {"attributes_to_get": names, "filter_condition": visit.weight == 1, "per_page": 3}
        pages = walk(db, visit.query, 1, **options)
        assert [page for page in numbers(pages) if page] == split(EVERY_THIRD, 3)

    @pytest.mark.parametrize("transport", ["botocore", "direct", "stock"])
    def test_any_transport(self, db: dynaflask.Dynamo, visit: t.Any, transport: str) -> None:
        """Each transport encodes and decodes a binary key in a cursor."""
        with db.using(transport=transport):
            assert numbers(walk(db, visit.query, 1, per_page=12)) == [ALL[:12], ALL[12:]]

    def test_a_cursor_of_a_deleted_item(self, db: dynaflask.Dynamo, visit: t.Any) -> None:
        """The page after a deleted item starts where the item was."""
        page = db.paginate(visit.query, 1, per_page=3)
        visit(1, b"\x02").delete()
        assert numbers([db.paginate(visit.query, 1, per_page=3, cursor=page.next_cursor).items]) == [[3, 4, 5]]

    def test_a_page_has_its_items_and_facts(self, db: dynaflask.Dynamo, visit: t.Any) -> None:
        """Iterating a page gives its items; its attributes give size, next page and consumed capacity."""
        page = db.paginate(visit.query, 1, per_page=22)
        assert list(page) == page.items
        assert (len(page.items), page.per_page, page.has_next) == (22, 22, True)
        assert page.read_units > 0
        assert repr(page) == "<Page of 22 items, has_next=True>"


class TestReads:
    """How much each request reads."""

    @pytest.fixture
    def server(self, app: flask.Flask, recorder: recorders.Recorder) -> t.Iterator[recorders.Recorder]:
        """Answers each request with one item and a next position. The test runs in an app context."""
        key = {"forum_name": {"S": "flask"}, "subject": {"S": "a"}}
        page = {"Items": [key], "Count": 1, "ScannedCount": 1, "LastEvaluatedKey": key}
        recorder.answer = lambda request: {**page, "ConsumedCapacity": {"TableName": "Thread", "CapacityUnits": 0.5}}
        with app.app_context():
            yield recorder

    def test_a_short_response_is_followed_by_another_request(
        self, db: dynaflask.Dynamo, server: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """After a response that ends at 1 MB, the next request reads the missing items and one more."""
        page = db.paginate(thread_model.query, "flask", per_page=4)
        assert [request.body["Limit"] for request in server.requests] == [5, 4, 3, 2]
        assert (len(page.items), page.read_units) == (4, 2.0)

    def test_a_filter_doubles_the_limit(
        self, db: dynaflask.Dynamo, server: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """With a filter each request reads twice as many items, so that a selective filter needs few requests."""
        db.paginate(thread_model.scan, thread_model.views > 1, per_page=4)
        assert [request.body["Limit"] for request in server.requests] == [5, 10, 20, 40]

    def test_the_limit_is_at_most_dynamodbs(
        self, db: dynaflask.Dynamo, server: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """``Limit`` stays within DynamoDB's maximum for a page of any size."""
        for condition in (thread_model.views > 1, None):
            db.paginate(thread_model.scan, condition, per_page=10**12, max_per_page=None, max_reads=2)
        assert [request.body["Limit"] for request in server.requests] == [2**31 - 1] * 4

    def test_a_page_ends_after_max_reads(
        self, db: dynaflask.Dynamo, server: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """After ``max_reads`` requests the page is short, and its cursor continues from there."""
        page = db.paginate(thread_model.query, "flask", per_page=4, max_reads=2)
        assert (len(page.items), page.has_next, len(server.requests)) == (2, True, 2)
        db.paginate(thread_model.query, "flask", max_reads=1, cursor=page.next_cursor)
        assert server.requests[-1].body["ExclusiveStartKey"]["subject"] == {"S": "a"}

    def test_the_default_is_ten_reads(
        self, db: dynaflask.Dynamo, server: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """By default a page has 20 items and takes at most 10 requests."""
        assert db.paginate(thread_model.query, "flask").per_page == 20
        assert len(server.requests) == 10


class TestMisuse:
    """Wrong arguments raise an error."""

    @pytest.fixture(autouse=True)
    def context(self, app: flask.Flask) -> t.Iterator[None]:
        """Each test runs in an app context."""
        with app.app_context():
            yield

    def test_another_method(self, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder) -> None:
        """A method other than ``query`` and ``scan`` raises ``TypeError`` and is not called."""
        for method in (thread_model.delete_table, thread_model.count, db.client.query, len, functools.partial(len)):
            with pytest.raises(TypeError, match="db.paginate takes the query or the scan of a model"):
                db.paginate(method)
        assert recorder.requests == []

    def test_a_model_of_no_app(self, db: dynaflask.Dynamo) -> None:
        """A model of bare PynamoDB is refused, because it ignores the app's settings."""

        class Legacy(pynamodb.models.Model):
            class Meta:
                table_name = "Legacy"

            key = UnicodeAttribute(hash_key=True)

        with pytest.raises(
            TypeError, match="Legacy is not the table of a model of this app. Pass the model to db.register"
        ):
            db.paginate(Legacy.query, "key")

    @pytest.mark.parametrize(
        "options", [{"limit": 5}, {"page_size": 5}, {"last_evaluated_key": {"forum_name": {"S": "f"}}}], ids=str
    )
    def test_reserved_options(self, db: dynaflask.Dynamo, thread_model: t.Any, options: dict[str, t.Any]) -> None:
        """``limit``, ``page_size`` and ``last_evaluated_key`` are refused."""
        with pytest.raises(TypeError, match="Leave out limit, page_size and last_evaluated_key"):
            db.paginate(thread_model.query, "flask", **options)

    @pytest.mark.parametrize("options", [{"per_page": 0}, {"per_page": -1}, {"max_per_page": 0}], ids=str)
    def test_a_page_size_below_one(self, db: dynaflask.Dynamo, thread_model: t.Any, options: dict[str, t.Any]) -> None:
        """A size below 1 in the program raises ``ValueError``."""
        with pytest.raises(ValueError, match="must be at least 1, not"):
            db.paginate(thread_model.query, "flask", **options)

    def test_max_reads_below_one(self, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """``max_reads`` below 1 raises ``ValueError``."""
        with pytest.raises(ValueError, match="max_reads must be at least 1, not 0"):
            db.paginate(thread_model.query, "flask", max_reads=0)

    def test_an_app_without_a_secret_key(self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """Without ``SECRET_KEY`` even a page that needs no cursor raises ``ConfigurationError``."""
        app.secret_key = None
        with pytest.raises(dynaflask.ConfigurationError, match="has no SECRET_KEY"):
            db.paginate(thread_model.query, "flask")

    def test_next_url_needs_a_view(self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """``next_url`` raises ``RuntimeError`` outside a request and where no view matches."""
        page = db.paginate(thread_model.query, "flask")
        with pytest.raises(RuntimeError, match="links to the view of the current request, and there is none"):
            page.next_url()
        with app.test_request_context("/nowhere"), pytest.raises(RuntimeError, match="there is none"):
            page.next_url()


def answer_with_a_thread(request: recorders.Request) -> recorders.Answer:
    """One item and a next position."""
    key = {"forum_name": {"S": "hush"}, "subject": {"S": "hush"}, "views": {"N": "1"}}
    return {"Items": [key], "Count": 1, "ScannedCount": 1, "LastEvaluatedKey": key}


class TestCursorContext:
    """A cursor is bound to one query of one app."""

    @pytest.fixture(autouse=True)
    def server(self, recorder: recorders.Recorder) -> recorders.Recorder:
        """Every page has a next page."""
        recorder.answer = answer_with_a_thread
        return recorder

    def test_a_cursor_does_not_reveal_keys(self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """The keys appear neither in the cursor nor in its Base64-decoded bytes."""
        with app.app_context():
            cursor = db.paginate(thread_model.query, "hush", per_page=1).next_cursor
        assert cursor
        assert "hush" not in cursor
        assert b"hush" not in base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))

    def test_another_query_refuses_it(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """Another model, index, key, direction, condition, filter or projection refuses it; no request is sent."""
        thread, visit = models.declare_thread(db), declare_visit(db)
        queries: list[tuple[t.Any, tuple[t.Any, ...], dict[str, t.Any]]] = [
            (thread.query, ("flask",), {}),
            (thread.query, ("hush",), {}),
            (thread.query, ("flask",), {"scan_index_forward": False}),
            (thread.query, ("flask", thread.subject > "a"), {}),
            (thread.query, ("flask", thread.subject > "b"), {}),
            (thread.query, ("flask",), {"filter_condition": thread.views > 1}),
            (thread.query, ("flask",), {"filter_condition": thread.views > 2}),
            (thread.query, ("flask",), {"filter_condition": thread.views >= 1}),
            (thread.query, ("flask",), {"attributes_to_get": ["views"]}),
            (thread.query, ("flask",), {"attributes_to_get": ["subject"]}),
            (thread.view_index.query, (1,), {}),
            (thread.view_index.scan, (), {}),
            (thread.scan, (), {}),
            (thread.scan, (), {"segment": 0, "total_segments": 2}),
            (thread.scan, (), {"segment": 1, "total_segments": 2}),
            (visit.scan, (), {}),
            (visit.query, (1, visit.token > b"\x00"), {}),
            (visit.query, (1, visit.token > b"\x01"), {}),
        ]
        with app.app_context():
            cursors = [
                db.paginate(method, *args, per_page=1, **options).next_cursor for method, args, options in queries
            ]
            sent = len(recorder.requests)
            for method, args, options in queries:
                for cursor in cursors:
                    if cursor is not cursors[queries.index((method, args, options))]:
                        with pytest.raises(dynaflask.BadCursor):
                            db.paginate(method, *args, cursor=cursor, **options)
        assert len(recorder.requests) == sent

    def test_the_size_and_the_consistency_of_a_page_may_change(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """``per_page`` and ``consistent_read`` may differ between pages."""
        with app.app_context():
            cursor = db.paginate(thread_model.query, "hush", per_page=1).next_cursor
            assert db.paginate(thread_model.query, "hush", per_page=7, consistent_read=True, cursor=cursor).has_next

    def test_a_function_in_place_of_the_tables_method(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A test may replace the method of a table by a function of another name: the cursors stay the same."""
        query = pynamodb.connection.TableConnection.query

        def fake(table: t.Any, *args: t.Any, **options: t.Any) -> t.Any:
            return query(table, *args, **options)

        with app.app_context():
            cursor = db.paginate(thread_model.query, "hush", per_page=1).next_cursor
            monkeypatch.setattr(pynamodb.connection.TableConnection, "query", fake)
            assert db.paginate(thread_model.query, "hush", per_page=1, cursor=cursor).has_next

    def test_a_set_in_a_condition_has_no_order(
        self, app: flask.Flask, db: dynaflask.Dynamo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A set in a condition may serialise in another order in the next process."""
        visit = declare_visit(db)
        serialize = UnicodeSetAttribute.serialize
        with app.app_context():
            for condition in (visit.tags == {"a", "b", "c"}, visit.past_tags == [{"a", "b"}, {"c"}]):
                cursor = db.paginate(visit.scan, condition, per_page=1).next_cursor
                with monkeypatch.context() as patch:
                    patch.setattr(UnicodeSetAttribute, "serialize", lambda *args: serialize(*args)[::-1])
                    assert db.paginate(visit.scan, condition, cursor=cursor).has_next

    @pytest.mark.parametrize(
        "other",
        [
            {"name": "other"},
            {"secret_key": "other"},
            {"region": "eu-west-1"},
            {"table_prefix": "test-"},
            {"aws_access_key_id": "OTHER"},
            {"host": "local"},
        ],
        ids=str,
    )
    def test_another_app_refuses_it(
        self,
        app: flask.Flask,
        make_app: MakeApp,
        recorder: recorders.Recorder,
        thread_model: t.Any,
        other: t.Any,
    ) -> None:
        """An app with another name, key, region, endpoint, identity or table refuses a cursor."""
        settings = {"host": recorder.url, "region": "us-east-1", **KEYS, **other}
        secret_key = settings.pop("secret_key", "secret")
        second = make_app(settings.pop("name", "app"), **settings)
        second.secret_key = secret_key
        db = thread_model.__dynamo__
        with app.app_context():
            cursor = db.paginate(thread_model.query, "hush", per_page=1).next_cursor
        with second.app_context(), pytest.raises(dynaflask.BadCursor):
            db.paginate(thread_model.query, "hush", cursor=cursor)

    def test_another_bind_refuses_it(self, make_app: MakeApp, recorder: recorders.Recorder, db: t.Any) -> None:
        """Another bind refuses a cursor, even if it has the same destination."""
        app = make_app(host=recorder.url, region="us-east-1", binds={"other": {}}, **KEYS)
        app.secret_key = "secret"
        thread = models.declare_thread(db)
        with app.app_context():
            cursor = db.paginate(thread.query, "hush", per_page=1).next_cursor
            with db.using("other"), pytest.raises(dynaflask.BadCursor):
                db.paginate(thread.query, "hush", cursor=cursor)

    def test_another_tenant_refuses_it(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Another tenant of the same app refuses a cursor."""
        with app.app_context():
            cursor = db.paginate(thread_model.query, "hush", per_page=1).next_cursor
            monkeypatch.setattr(type(db.registry.scope), "tenant", "blue")
            with pytest.raises(dynaflask.BadCursor):
                db.paginate(thread_model.query, "hush", cursor=cursor)

    def test_temporary_credentials_may_be_renewed(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """A cursor stays valid when temporary credentials change."""
        cursor = None
        for access_key_id in ("ASIA1", "ASIA2"):
            token = {"aws_access_key_id": access_key_id, "aws_secret_access_key": "hush", "aws_session_token": "token"}
            with app.app_context(), db.using(**token):
                cursor = db.paginate(thread_model.query, "hush", per_page=1, cursor=cursor).next_cursor
        assert cursor


class TestRequests:
    """In a request, ``per_page`` and ``cursor`` come from the query string."""

    @pytest.fixture
    def client(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> t.Any:
        """A client of an app with one view, which returns a page."""
        recorder.answer = answer_with_a_thread

        @app.route("/forums/<name>/threads")
        def threads(name: str) -> dict[str, t.Any]:
            page = db.paginate(thread_model.query, name, max_reads=1)
            return {"per_page": page.per_page, "next": page.next_url(), "full": page.next_url(external=True)}

        return app.test_client()

    def test_the_query_string_selects_the_page(self, client: t.Any, recorder: recorders.Recorder) -> None:
        """The query string gives size and cursor, and the link leads to the next page."""
        first = client.get("/forums/flask/threads?per_page=1").json
        second = client.get(first["next"]).json
        assert (first["per_page"], second["per_page"]) == (1, 1)
        assert ["ExclusiveStartKey" in request.body for request in recorder.requests] == [False, True]
        assert first["full"].startswith("http://localhost/forums/flask/threads?per_page=1&cursor=")

    def test_the_link_keeps_the_rest_of_the_query_string(self, client: t.Any) -> None:
        """Other arguments stay in the link unchanged, even those with a meaning for ``url_for``."""
        url = "/forums/a%20b/threads?tag=x&tag=%C3%BC&name=z&_scheme=javascript&_external=1&_anchor=top&per_page=2"
        link = client.get(url).json["next"]
        arguments = "tag=x&tag=%C3%BC&name=z&_scheme=javascript&_external=1&_anchor=top&per_page=2&cursor="
        assert link.partition("gAAAAA")[0] == f"/forums/a%20b/threads?{arguments}"

    def test_the_link_keeps_url_defaults(self, app: flask.Flask, client: t.Any) -> None:
        """Arguments that ``url_defaults`` adds are followed by the page's."""
        app.url_defaults(lambda endpoint, values: values.setdefault("lang", "de"))
        assert "/threads?lang=de&per_page=20&cursor=" in client.get("/forums/flask/threads").json["next"]

    def test_the_last_page_has_no_link(self, client: t.Any, recorder: recorders.Recorder) -> None:
        """``next_url`` of the last page is None."""
        recorder.answer = recorders.plain_answer
        assert client.get("/forums/flask/threads").json["next"] is None

    @pytest.mark.parametrize("per_page", ["0", "-1", "x", "", "1.5", "9" * 5000])
    def test_a_wrong_page_size_is_a_400(self, client: t.Any, recorder: recorders.Recorder, per_page: str) -> None:
        """A ``per_page`` that is no whole number from 1 is a 400, and no request is sent."""
        assert client.get(f"/forums/flask/threads?per_page={per_page}").status_code == BadRequest.code
        assert recorder.requests == []

    @pytest.mark.parametrize(("requested", "expected"), [("100", 100), ("101", 100), ("1000000000", 100)])
    def test_a_page_is_not_larger_than_allowed(self, client: t.Any, requested: str, expected: int) -> None:
        """A ``per_page`` above ``max_per_page`` gives ``max_per_page``."""
        assert client.get(f"/forums/flask/threads?per_page={requested}").json["per_page"] == expected

    def test_an_empty_cursor_is_the_first_page(
        self, client: t.Any, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """``?cursor=`` reads from the start, and ``cursor=""`` does so although the query string has a cursor."""
        first = client.get("/forums/flask/threads?per_page=1").json
        assert client.get("/forums/flask/threads?cursor=&per_page=1").json["per_page"] == first["per_page"]
        with app.test_request_context("/?" + first["next"].partition("?")[2]):
            db.paginate(thread_model.query, "flask", cursor="", max_reads=1)
        assert ["ExclusiveStartKey" in request.body for request in recorder.requests] == [False] * 3

    @pytest.mark.parametrize("cursor", ["x", "%20", "%FF%FE", "%00", "gAAAAA", "x" * 10_000])
    def test_a_wrong_cursor_is_a_400(self, client: t.Any, cursor: str, recorder: recorders.Recorder) -> None:
        """A wrong cursor is a 400 without a reason, and no request is sent."""
        answer = client.get(f"/forums/flask/threads?cursor={cursor}")
        assert answer.status_code == BadRequest.code
        assert "<p>The cursor is not valid.</p>" in answer.text
        assert recorder.requests == []

    def test_arguments_win_over_the_query_string(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """``per_page`` and ``cursor`` of the call win over those of the query string."""
        recorder.answer = answer_with_a_thread
        with app.test_request_context("/?per_page=5&cursor=x"):
            with pytest.raises(dynaflask.BadCursor):
                db.paginate(thread_model.query, "flask", per_page=1)
        with app.app_context():
            cursor = db.paginate(thread_model.query, "flask", per_page=1).next_cursor
        with app.test_request_context("/?per_page=5&cursor=x"):
            assert db.paginate(thread_model.query, "flask", per_page=1, cursor=cursor).per_page == 1


def test_each_app_paginates_its_own_region(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any
) -> None:
    """Pages and cursors of each app go to the app's own region."""
    recorder.answer = answer_with_a_thread
    for region in ("us-west-2", "eu-west-1"):
        app = make_app(region, host=recorder.url, region=region, **KEYS)
        app.secret_key = "one for all"
        with app.app_context():
            cursor = db.paginate(thread_model.query, "hush", per_page=1).next_cursor
            db.paginate(thread_model.query, "hush", per_page=1, cursor=cursor)
    assert [request.region for request in recorder.requests] == ["us-west-2"] * 2 + ["eu-west-1"] * 2
