"""Pages for a web API: one page of a query or a scan, and the cursor to the next."""

from __future__ import annotations

import base64
import datetime as dt
import functools
import itertools
import typing as t

import flask
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
    """Visits by their day, in the order of their weight."""

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
    """A model with 23 visits of one number on each engine; every third weighs 1, the others 2, 3, 4 and so on."""
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
    """An app on the recorder."""
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


def places(pages: list[list[t.Any]]) -> list[list[int]]:
    """Which visits are on which page."""
    return [[visit.token[0] for visit in page] for page in pages]


def together(pages: list[list[int]]) -> list[int]:
    """The visits of all pages."""
    return list(itertools.chain.from_iterable(pages))


def parts(numbers: t.Sequence[int], size: int) -> list[list[int]]:
    return [list(numbers[start : start + size]) for start in range(0, len(numbers), size)]


ALL = list(range(23))
EVERY_THIRD = [index for index in ALL if index % 3 == 0]


class TestPages:
    """Walking through all pages meets every item once, and each page but the last is full."""

    @pytest.mark.parametrize("size", [1, 7, 23, 24])
    def test_a_query(self, db: dynaflask.Dynamo, visit: t.Any, size: int) -> None:
        """Forwards and backwards. No page is empty, also where the last one is full."""
        assert places(walk(db, visit.query, 1, per_page=size)) == parts(ALL, size)
        assert places(walk(db, visit.query, 1, per_page=size, scan_index_forward=False)) == parts(ALL[::-1], size)

    def test_a_condition_on_the_range_key(self, db: dynaflask.Dynamo, visit: t.Any) -> None:
        """It is the query's own."""
        assert places(walk(db, visit.query, 1, visit.token > b"\x0a", per_page=5)) == parts(ALL[11:], 5)

    @pytest.mark.parametrize("size", [1, 3, 8, 9])
    def test_a_filter(self, db: dynaflask.Dynamo, visit: t.Any, size: int) -> None:
        """What it leaves out makes no page shorter. The end may be found by one more page, which is empty."""
        pages = places(walk(db, visit.query, 1, filter_condition=visit.weight == 1, per_page=size))
        assert [page for page in pages if page] == parts(EVERY_THIRD, size)
        assert [] not in pages[:-1]

    def test_a_scan(self, db: dynaflask.Dynamo, visit: t.Any) -> None:
        """With a filter, and without one."""
        assert sorted(together(places(walk(db, visit.scan, per_page=4)))) == ALL
        pages = places(walk(db, visit.scan, visit.weight == 1, per_page=4))
        assert sorted(together(pages)) == EVERY_THIRD

    def test_an_index(self, db: dynaflask.Dynamo, visit: t.Any) -> None:
        """Its position has the keys of the table, too: several items may share the index's."""
        by_weight = sorted(ALL, key=lambda index: 1 if index in EVERY_THIRD else index + 1)
        found = together(places(walk(db, visit.by_day.query, DAY, per_page=3)))
        assert (sorted(found[:8]), found[8:]) == (EVERY_THIRD, by_weight[8:])
        assert sorted(together(places(walk(db, visit.by_day.scan, per_page=5)))) == ALL

    @pytest.mark.parametrize("names", [["token"], ["token", "number"]], ids=["without keys", "with keys"])
    def test_some_attributes(self, db: dynaflask.Dynamo, visit: t.Any, names: list[str]) -> None:
        """Whether or not they tell the position of an item."""
        options = {"attributes_to_get": names, "filter_condition": visit.weight == 1, "per_page": 3}
        pages = walk(db, visit.query, 1, **options)
        assert [page for page in places(pages) if page] == parts(EVERY_THIRD, 3)

    @pytest.mark.parametrize("transport", ["tuned", "direct", "stock"])
    def test_any_transport(self, db: dynaflask.Dynamo, visit: t.Any, transport: str) -> None:
        """A binary key comes and goes with each."""
        with db.using(transport=transport):
            assert places(walk(db, visit.query, 1, per_page=12)) == [ALL[:12], ALL[12:]]

    def test_an_item_that_is_deleted_meanwhile(self, db: dynaflask.Dynamo, visit: t.Any) -> None:
        """A cursor points to where it was."""
        page = db.paginate(visit.query, 1, per_page=3)
        visit(1, b"\x02").delete()
        assert places([db.paginate(visit.query, 1, per_page=3, cursor=page.next_cursor).items]) == [[3, 4, 5]]

    def test_a_page_is_made_of_what_it_says(self, db: dynaflask.Dynamo, visit: t.Any) -> None:
        """Iterating it gives its items, and its facts are there."""
        page = db.paginate(visit.query, 1, per_page=22)
        assert list(page) == page.items
        assert (len(page.items), page.per_page, page.has_next) == (22, 22, True)
        assert page.consumed_capacity > 0
        assert repr(page) == "<Page of 22 items, has_next=True>"


class TestReads:
    """How much is asked for."""

    @pytest.fixture
    def server(self, app: flask.Flask, recorder: recorders.Recorder) -> t.Iterator[recorders.Recorder]:
        """It finds one item in each read, and never comes to an end. The test is in a context of the app."""
        key = {"forum_name": {"S": "flask"}, "subject": {"S": "a"}}
        found = {"Items": [key], "Count": 1, "ScannedCount": 1, "LastEvaluatedKey": key}
        recorder.answer = lambda request: {**found, "ConsumedCapacity": {"TableName": "Thread", "CapacityUnits": 0.5}}
        with app.app_context():
            yield recorder

    def test_a_short_answer_is_made_up_for(
        self, db: dynaflask.Dynamo, server: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """An answer ends at 1 MB. The next read asks for what is missing, and one more to know of a next page."""
        page = db.paginate(thread_model.query, "flask", per_page=4)
        assert [request.body["Limit"] for request in server.requests] == [5, 4, 3, 2]
        assert (len(page.items), page.consumed_capacity) == (4, 2.0)

    def test_a_filter_gets_more_and_more_to_choose_from(
        self, db: dynaflask.Dynamo, server: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """Else a filter that few items pass would take a read for each of them."""
        db.paginate(thread_model.scan, thread_model.views > 1, per_page=4)
        assert [request.body["Limit"] for request in server.requests] == [5, 10, 20, 40]

    def test_a_read_never_asks_for_more_than_dynamodb_takes(
        self, db: dynaflask.Dynamo, server: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """However large the page is to be."""
        for condition in (thread_model.views > 1, None):
            db.paginate(thread_model.scan, condition, per_page=10**12, max_per_page=None, max_reads=2)
        assert [request.body["Limit"] for request in server.requests] == [2**31 - 1] * 4

    def test_a_page_ends_after_so_many_reads(
        self, db: dynaflask.Dynamo, server: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """It is shorter then, and the cursor leads on."""
        page = db.paginate(thread_model.query, "flask", per_page=4, max_reads=2)
        assert (len(page.items), page.has_next, len(server.requests)) == (2, True, 2)
        db.paginate(thread_model.query, "flask", max_reads=1, cursor=page.next_cursor)
        assert server.requests[-1].body["ExclusiveStartKey"]["subject"] == {"S": "a"}

    def test_by_default_it_is_ten(self, db: dynaflask.Dynamo, server: recorders.Recorder, thread_model: t.Any) -> None:
        """For a page of 20 items."""
        assert db.paginate(thread_model.query, "flask").per_page == 20
        assert len(server.requests) == 10


class TestMisuse:
    """What cannot be paginated."""

    @pytest.fixture(autouse=True)
    def context(self, app: flask.Flask) -> t.Iterator[None]:
        """Each test is in a context of the app."""
        with app.app_context():
            yield

    def test_a_method_of_another_kind(
        self, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """It is not called."""
        for method in (thread_model.delete_table, thread_model.count, db.client.query, len, functools.partial(len)):
            with pytest.raises(TypeError, match="db.paginate takes the query or the scan of a model"):
                db.paginate(method)
        assert recorder.requests == []

    def test_a_model_of_no_app(self, db: dynaflask.Dynamo) -> None:
        """It would go to another place than the app's."""

        class Legacy(pynamodb.models.Model):
            class Meta:
                table_name = "Legacy"

            key = UnicodeAttribute(hash_key=True)

        with pytest.raises(TypeError, match="Legacy is no table of a model of this app. Pass the model to db.register"):
            db.paginate(Legacy.query, "key")

    @pytest.mark.parametrize(
        "options", [{"limit": 5}, {"page_size": 5}, {"last_evaluated_key": {"forum_name": {"S": "f"}}}], ids=str
    )
    def test_what_the_page_decides(self, db: dynaflask.Dynamo, thread_model: t.Any, options: dict[str, t.Any]) -> None:
        """How much is read, and from where."""
        with pytest.raises(TypeError, match="Leave limit, page_size and last_evaluated_key out"):
            db.paginate(thread_model.query, "flask", **options)

    @pytest.mark.parametrize("options", [{"per_page": 0}, {"per_page": -1}, {"max_per_page": 0}], ids=str)
    def test_pages_of_no_size(self, db: dynaflask.Dynamo, thread_model: t.Any, options: dict[str, t.Any]) -> None:
        """A program that says so is wrong; of a client, it is another matter."""
        with pytest.raises(ValueError, match="must be at least 1, not"):
            db.paginate(thread_model.query, "flask", **options)

    def test_no_reads(self, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """There would be no page, and no next one."""
        with pytest.raises(ValueError, match="max_reads must be at least 1, not 0"):
            db.paginate(thread_model.query, "flask", max_reads=0)

    def test_an_app_without_a_secret_key(self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """It is told so by the first page, and not by the first that has a next one."""
        app.secret_key = None
        with pytest.raises(dynaflask.ConfigurationError, match="has no SECRET_KEY"):
            db.paginate(thread_model.query, "flask")

    def test_no_link_without_a_request(self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """Nor where no view answers it."""
        page = db.paginate(thread_model.query, "flask")
        with pytest.raises(RuntimeError, match="links to the view of the current request, and there is none"):
            page.next_url()
        with app.test_request_context("/nowhere"), pytest.raises(RuntimeError, match="there is none"):
            page.next_url()


def answer_with_a_thread(request: recorders.Request) -> recorders.Answer:
    """A page that goes on."""
    key = {"forum_name": {"S": "hush"}, "subject": {"S": "hush"}, "views": {"N": "1"}}
    return {"Items": [key], "Count": 1, "ScannedCount": 1, "LastEvaluatedKey": key}


class TestBound:
    """A cursor is for one query of one app."""

    @pytest.fixture(autouse=True)
    def server(self, recorder: recorders.Recorder) -> recorders.Recorder:
        """Every page goes on."""
        recorder.answer = answer_with_a_thread
        return recorder

    def test_no_key_can_be_read_in_it(self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """Neither as it is nor in Base64."""
        with app.app_context():
            cursor = db.paginate(thread_model.query, "hush", per_page=1).next_cursor
        assert cursor
        assert "hush" not in cursor
        assert b"hush" not in base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))

    def test_another_query_does_not_take_it(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder
    ) -> None:
        """Another model, index, key, direction, condition, filter or choice of attributes; nothing is sent."""
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
        """They say nothing of what the query finds."""
        with app.app_context():
            cursor = db.paginate(thread_model.query, "hush", per_page=1).next_cursor
            assert db.paginate(thread_model.query, "hush", per_page=7, consistent_read=True, cursor=cursor).has_next

    def test_a_set_in_a_condition_has_no_order(
        self, app: flask.Flask, db: dynaflask.Dynamo, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Python gives one in another order in each process."""
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
    def test_another_app_does_not_take_it(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any, other: t.Any
    ) -> None:
        """Two apps with one secret key may differ in name, region, endpoint, identity or table."""
        settings = {"host": recorder.url, "region": "us-east-1", **KEYS, **other}
        second = flask.Flask(settings.pop("name", "app"))
        second.secret_key = settings.pop("secret_key", "secret")
        second.config.from_mapping({f"DYNAMODB_{name.upper()}": value for name, value in settings.items()})
        db.init_app(second)
        with app.app_context():
            cursor = db.paginate(thread_model.query, "hush", per_page=1).next_cursor
        with second.app_context(), pytest.raises(dynaflask.BadCursor):
            db.paginate(thread_model.query, "hush", cursor=cursor)

    def test_another_bind_does_not_take_it(self, make_app: MakeApp, recorder: recorders.Recorder, db: t.Any) -> None:
        """Not even one that leads to the same place."""
        app = make_app(host=recorder.url, region="us-east-1", binds={"other": {}}, **KEYS)
        app.secret_key = "secret"
        thread = models.declare_thread(db)
        with app.app_context():
            cursor = db.paginate(thread.query, "hush", per_page=1).next_cursor
            with db.using("other"), pytest.raises(dynaflask.BadCursor):
                db.paginate(thread.query, "hush", cursor=cursor)

    def test_another_tenant_does_not_take_it(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whom the context acts for is asked of its scope."""
        with app.app_context():
            cursor = db.paginate(thread_model.query, "hush", per_page=1).next_cursor
            monkeypatch.setattr(type(db.registry.scope), "tenant", "blue")
            with pytest.raises(dynaflask.BadCursor):
                db.paginate(thread_model.query, "hush", cursor=cursor)

    def test_temporary_credentials_may_be_renewed(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """Each process and each hour has others."""
        cursor = None
        for access_key_id in ("ASIA1", "ASIA2"):
            token = {"aws_access_key_id": access_key_id, "aws_secret_access_key": "hush", "aws_session_token": "token"}
            with app.app_context(), db.using(**token):
                cursor = db.paginate(thread_model.query, "hush", per_page=1, cursor=cursor).next_cursor
        assert cursor


class TestRequests:
    """Inside a request."""

    @pytest.fixture
    def client(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> t.Any:
        """Of an app with one view; the recorder remembers the view's pages."""
        recorder.answer = answer_with_a_thread

        @app.route("/forums/<name>/threads")
        def threads(name: str) -> dict[str, t.Any]:
            page = db.paginate(thread_model.query, name, max_reads=1)
            return {"per_page": page.per_page, "next": page.next_url(), "full": page.next_url(external=True)}

        return app.test_client()

    def test_the_query_string_says_which_page(self, client: t.Any, recorder: recorders.Recorder) -> None:
        """Its size and its beginning; the link leads to the next."""
        first = client.get("/forums/flask/threads?per_page=1").json
        second = client.get(first["next"]).json
        assert (first["per_page"], second["per_page"]) == (1, 1)
        assert ["ExclusiveStartKey" in request.body for request in recorder.requests] == [False, True]
        assert first["full"].startswith("http://localhost/forums/flask/threads?per_page=1&cursor=")

    def test_the_link_keeps_the_rest_of_the_query_string(self, client: t.Any) -> None:
        """As it is, whatever url_for or the view would make of it."""
        url = "/forums/a%20b/threads?tag=x&tag=%C3%BC&name=z&_scheme=javascript&_external=1&_anchor=top&per_page=2"
        link = client.get(url).json["next"]
        kept = "tag=x&tag=%C3%BC&name=z&_scheme=javascript&_external=1&_anchor=top&per_page=2&cursor="
        assert link.partition("gAAAAA")[0] == f"/forums/a%20b/threads?{kept}"

    def test_a_link_joins_what_url_for_adds(self, app: flask.Flask, client: t.Any) -> None:
        """An app may add arguments to every URL."""
        app.url_defaults(lambda endpoint, values: values.setdefault("lang", "de"))
        assert "/threads?lang=de&per_page=20&cursor=" in client.get("/forums/flask/threads").json["next"]

    def test_the_last_page_has_no_link(self, client: t.Any, recorder: recorders.Recorder) -> None:
        """It is None."""
        recorder.answer = recorders.plain_answer
        assert client.get("/forums/flask/threads").json["next"] is None

    @pytest.mark.parametrize("asked", ["0", "-1", "x", "", "1.5", "9" * 5000])
    def test_a_page_of_no_size_is_a_400(self, client: t.Any, recorder: recorders.Recorder, asked: str) -> None:
        """Nothing is sent."""
        assert client.get(f"/forums/flask/threads?per_page={asked}").status_code == BadRequest.code
        assert recorder.requests == []

    @pytest.mark.parametrize(("asked", "given"), [("100", 100), ("101", 100), ("1000000000", 100)])
    def test_a_page_is_not_larger_than_allowed(self, client: t.Any, asked: str, given: int) -> None:
        """What is above is taken as the most."""
        assert client.get(f"/forums/flask/threads?per_page={asked}").json["per_page"] == given

    @pytest.mark.parametrize("cursor", ["", "x", "%FF%FE", "%00", "gAAAAA", "x" * 10_000])
    def test_a_cursor_of_none_of_ours_is_a_400(self, client: t.Any, cursor: str, recorder: recorders.Recorder) -> None:
        """That says no more, and sends nothing."""
        answer = client.get(f"/forums/flask/threads?cursor={cursor}")
        assert answer.status_code == BadRequest.code
        assert "<p>The cursor is not valid.</p>" in answer.text
        assert recorder.requests == []

    def test_arguments_come_before_the_query_string(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """A view may take them from elsewhere."""
        recorder.answer = answer_with_a_thread
        with app.test_request_context("/?per_page=5&cursor=x"):
            with pytest.raises(dynaflask.BadCursor):
                db.paginate(thread_model.query, "flask", per_page=1)
        with app.app_context():
            cursor = db.paginate(thread_model.query, "flask", per_page=1).next_cursor
        with app.test_request_context("/?per_page=5&cursor=x"):
            assert db.paginate(thread_model.query, "flask", per_page=1, cursor=cursor).per_page == 1


def test_two_apps_give_pages_of_their_own(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any
) -> None:
    """Each from its own region, and with its own cursors."""
    recorder.answer = answer_with_a_thread
    for region in ("us-west-2", "eu-west-1"):
        app = make_app(region, host=recorder.url, region=region, **KEYS)
        app.secret_key = "one for all"
        with app.app_context():
            cursor = db.paginate(thread_model.query, "hush", per_page=1).next_cursor
            db.paginate(thread_model.query, "hush", per_page=1, cursor=cursor)
    assert [request.region for request in recorder.requests] == ["us-west-2"] * 2 + ["eu-west-1"] * 2
