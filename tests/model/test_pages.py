"""Pages of queries, scans and batch gets, which are decoded into objects."""

from __future__ import annotations

import typing as t

import flask
import pynamodb.connection
import pynamodb.models
import pytest
from pynamodb.attributes import UnicodeAttribute
from pynamodb.pagination import ResultIterator

import dynaflask
from dynaflask.model import pages
from dynaflask.model.results import ModelResultIterator
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def apps(make_app: MakeApp, recorder: recorders.Recorder) -> list[flask.Flask]:
    """Two apps in two regions, the second without the direct transport."""
    recorder.answer = answer
    return [
        make_app(region, host=recorder.url, region=region, table_prefix=f"{region}-", transport=transport, **KEYS)
        for region, transport in (("us-west-2", "direct"), ("eu-west-1", "botocore"))
    ]


def answer(request: recorders.Request) -> recorders.Answer:
    """One item, which names the region of the request."""
    items = [{"forum_name": {"S": "forum"}, "subject": {"S": request.region}}]
    tables = request.body.get("RequestItems", {})
    if tables:
        return {"Responses": dict.fromkeys(tables, items), "UnprocessedKeys": {}}
    return {"Items": items, "Count": 1, "ScannedCount": 1}


def test_only_the_direct_transport_decodes_pages(apps: list[flask.Flask], thread_model: t.Any) -> None:
    """With another transport, the results are PynamoDB's own, and the items are the same."""
    for app, results_type in zip(apps, (ModelResultIterator, ResultIterator), strict=True):
        with app.app_context():
            for results in (thread_model.query("forum"), thread_model.scan()):
                assert type(results) is results_type
                assert [thread.subject for thread in results] == [app.name]
            assert [thread.subject for thread in thread_model.batch_get([("forum", "x")])] == [app.name]


@pytest.mark.parametrize("name", ["query", "scan"])
def test_a_function_in_place_of_the_tables_method(
    apps: list[flask.Flask], thread_model: t.Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A test may replace the method of a table by a function of another name, which makes the pages."""
    items = [{"forum_name": {"S": "forum"}, "subject": {"S": "fake"}}]

    def fake(table: t.Any, *args: t.Any, **options: t.Any) -> recorders.Json:
        return {"Items": items, "Count": 1, "ScannedCount": 1}

    monkeypatch.setattr(pynamodb.connection.TableConnection, name, fake)
    for app in apps:
        with app.app_context():
            results = thread_model.query("forum") if name == "query" else thread_model.scan()
            assert [thread.subject for thread in results] == ["fake"]


def test_other_results_stay_as_they_are(apps: list[flask.Flask], thread_model: t.Any) -> None:
    """What a program returns from its own query is not changed."""
    with apps[0].app_context():
        assert pages.with_page_decoder(thread_model, ["mine"]) == ["mine"]


def test_a_batch_get_of_another_base_is_called(apps: list[flask.Flask], db: dynaflask.Dynamo) -> None:
    """A base after ``db.Model`` may override PynamoDB's ``batch_get``: what it returns stays."""

    class Base(pynamodb.models.Model):
        @classmethod
        def batch_get(cls, *args: t.Any, **options: t.Any) -> t.Any:
            return list(args) if options else iter(args)

    class Thread(db.Model, Base):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Thread"

        name = UnicodeAttribute(hash_key=True)

    for app in apps:
        with app.app_context():
            assert Thread.batch_get("one", consistent_read=True) == ["one"]
            assert list(Thread.batch_get("one", "two")) == ["one", "two"]
