"""Look-ups that return an item or answer 404: ``get_or_404``, ``first_or_404`` and ``one_or_404``."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb.attributes import DiscriminatorAttribute
from pynamodb.attributes import UnicodeAttribute
from werkzeug.exceptions import NotFound

import dynaflask
from tests.support import engines
from tests.support import models
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def thread(ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo) -> t.Iterator[t.Any]:
    """A model whose table has one forum with three threads, and one with one thread."""
    app = flask.Flask("app")
    app.config.from_mapping(ministack.settings(account))
    db.init_app(app)
    thread = models.declare_thread(db)
    with app.app_context():
        thread.create_table(wait=True)
        for key in (("flask", "a", 1), ("flask", "b", 2), ("flask", "c", 2), ("dynamo", "d", 4)):
            thread(*key[:2], views=key[2]).save()
        yield thread
        thread.delete_table()


@pytest.fixture
def recorded(make_app: MakeApp, recorder: recorders.Recorder) -> t.Iterator[recorders.Recorder]:
    """The server of an app whose context is pushed. Its searches return no items."""
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        yield recorder


def test_get_or_404_returns_the_item_with_the_keys(thread: t.Any) -> None:
    """``get_or_404`` takes the arguments of PynamoDB's ``get``."""
    assert thread.get_or_404("flask", "b").views == 2
    assert thread.get_or_404("flask", range_key="b", attributes_to_get=["subject"]).forum_name is None


def test_first_or_404_returns_the_first_item_of_a_query(thread: t.Any) -> None:
    """``first_or_404`` takes the arguments of PynamoDB's ``query``, an index included."""
    assert thread.first_or_404("flask").subject == "a"
    assert thread.first_or_404("flask", scan_index_forward=False).subject == "c"
    assert thread.first_or_404("flask", thread.subject > "a", thread.views > 1).subject == "b"
    assert thread.first_or_404(4, index_name="viewIdx").subject == "d"


def test_first_or_404_scans_without_a_hash_key(thread: t.Any) -> None:
    """Without a hash key, ``first_or_404`` scans, with a filter or without."""
    assert thread.first_or_404().forum_name in {"flask", "dynamo"}
    assert thread.first_or_404(filter_condition=thread.views == 4).subject == "d"


def test_one_or_404_returns_the_only_item(thread: t.Any) -> None:
    """``one_or_404`` queries with a hash key, and scans without."""
    assert thread.one_or_404("dynamo").subject == "d"
    assert thread.one_or_404("flask", filter_condition=thread.views == 1).subject == "a"
    assert thread.one_or_404(filter_condition=thread.views == 4).subject == "d"


def test_the_response_is_404_with_the_description(thread: t.Any) -> None:
    """No item, or several for one_or_404, raise NotFound with the description."""
    for look_up, keys, views in (
        (thread.get_or_404, ["flask", "z"], None),
        (thread.first_or_404, ["django"], None),
        (thread.first_or_404, [], 9),
        (thread.one_or_404, ["django"], None),
        (thread.one_or_404, ["flask"], None),
        (thread.one_or_404, ["flask"], 2),
        (thread.one_or_404, [], 2),
    ):
        options = {} if views is None else {"filter_condition": thread.views == views}
        with pytest.raises(NotFound) as caught:
            look_up(*keys, description="No such thread.", **options)
        assert caught.value.description == "No such thread."


def test_the_default_description_is_werkzeugs(thread: t.Any) -> None:
    """Without one, the description is Werkzeug's for 404."""
    with pytest.raises(NotFound) as caught:
        thread.get_or_404("flask", "z")
    assert caught.value.description == NotFound.description


def test_a_view_ends_with_the_apps_own_404(
    make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any
) -> None:
    """The app's error handler for 404 makes the response."""
    recorder.answer = lambda request: {}
    app = make_app(host=recorder.url, region="us-east-1", **KEYS)
    app.register_error_handler(404, lambda error: (f"<h1>{error.description}</h1>", 404))
    app.add_url_rule("/", view_func=lambda: thread_model.get_or_404("flask", "z", description="Gone.").subject)
    answer = app.test_client().get("/")
    assert (answer.status_code, answer.text) == (404, "<h1>Gone.</h1>")


def test_a_search_reads_no_more_items_than_it_needs(recorded: recorders.Recorder, thread_model: t.Any) -> None:
    """The limit is 1, or 2 to find out if an item is the only one."""
    for look_up in (thread_model.first_or_404, thread_model.one_or_404):
        for keys in (["flask"], []):
            with pytest.raises(NotFound):
                look_up(*keys)
    limits = [(request.operation, request.body["Limit"]) for request in recorded.requests]
    assert limits == [("Query", 1), ("Scan", 1), ("Query", 2), ("Scan", 2)]


def test_a_filter_evaluates_many_items_per_request(
    recorded: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo
) -> None:
    """Under a filter or a discriminator, a request evaluates 100 items, or as many as ``page_size`` says."""

    class Pet(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Pet"

        name = UnicodeAttribute(hash_key=True)
        kind = DiscriminatorAttribute()

    for look_up in (
        lambda: thread_model.first_or_404("flask", filter_condition=thread_model.views > 1),
        lambda: thread_model.one_or_404(filter_condition=thread_model.views > 1),
        Pet.first_or_404,
        lambda: thread_model.first_or_404("flask", filter_condition=thread_model.views > 1, page_size=7),
    ):
        with pytest.raises(NotFound):
            look_up()
    assert [request.body["Limit"] for request in recorded.requests] == [100, 100, 100, 7]


@pytest.mark.usefixtures("recorded")
def test_an_option_of_a_query_needs_a_hash_key(thread_model: t.Any) -> None:
    """A range key condition or an order without a hash key raises a ValueError, since a Scan has none."""
    with pytest.raises(ValueError, match="A range_key_condition needs a hash_key"):
        thread_model.first_or_404(range_key_condition=thread_model.subject > "a")
    with pytest.raises(ValueError, match="A scan_index_forward needs a hash_key"):
        thread_model.first_or_404(scan_index_forward=False)


def test_two_apps_look_in_their_own_tables(
    make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any
) -> None:
    """An item in one app's table is a 404 in another app."""
    recorder.answer = lambda request: None if request.region == "us-west-2" else {"Count": 0, "ScannedCount": 0}
    us, eu = (make_app(region, host=recorder.url, region=region, **KEYS) for region in ("us-west-2", "eu-west-1"))
    with us.app_context():
        assert thread_model.get_or_404("flask", "a").subject == "a"
    with eu.app_context(), pytest.raises(NotFound):
        thread_model.get_or_404("flask", "a")
    assert [request.region for request in recorder.requests] == ["us-west-2", "eu-west-1"]
