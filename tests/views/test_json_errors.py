"""``DYNAMODB_JSON_ERRORS``: HTTP errors as JSON."""

from __future__ import annotations

import typing as t

import flask
import pytest
from werkzeug.exceptions import HTTPException

import dynaflask
from dynaflask.views import load_item
from tests.support import engines
from tests.support import models
from tests.support.settings import MakeApp

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def add_views(app: flask.Flask, thread: t.Any) -> t.Any:
    """Views that fail, and a client."""
    app.add_url_rule("/gone", view_func=lambda: flask.abort(410, "It is gone."), endpoint="gone")
    app.add_url_rule("/own", view_func=lambda: flask.abort(flask.Response("own", 403)), endpoint="own")
    app.add_url_rule("/body", view_func=lambda: load_item(thread, {"views": "1"}), endpoint="body")
    app.add_url_rule("/folder/", view_func=lambda: "folder", endpoint="folder")
    app.add_url_rule("/thread", view_func=lambda: thread.get("flask", "hello").subject, endpoint="thread")
    return app.test_client()


@pytest.fixture
def thread(db: dynaflask.Dynamo) -> t.Any:
    """PynamoDB's model."""
    return models.declare_thread(db)


def test_an_error_is_json_in_the_app_that_asks_for_it(make_app: MakeApp, thread: t.Any) -> None:
    """One app answers in JSON, another in HTML, and a redirect stays one."""
    asking = add_views(make_app("one", region="us-east-1", json_errors=True), thread)
    other = add_views(make_app("two", region="us-east-1"), thread)
    answer = asking.get("/gone")
    assert (answer.status_code, answer.json) == (410, {"code": 410, "message": "It is gone."})
    assert "<html" in other.get("/gone").text
    assert asking.get("/folder").status_code == 308
    refused = asking.post("/gone")
    assert (refused.json["code"], "GET" in refused.headers["Allow"]) == (405, True)


def test_a_browser_sees_html(make_app: MakeApp, thread: t.Any) -> None:
    """A client that prefers HTML gets it; one that accepts anything, or JSON, gets JSON."""
    client = add_views(make_app(region="us-east-1", json_errors=True), thread)
    assert "<html" in client.get("/gone", headers=BROWSER).text
    for accept in ("*/*", "application/json", "application/json, text/html;q=0.5", ""):
        assert client.get("/gone", headers={"Accept": accept}).is_json, accept


def test_the_fields_of_a_body_are_named(make_app: MakeApp, thread: t.Any) -> None:
    """An ``InvalidBody`` is JSON with and without the setting, and has its errors."""
    for settings in ({}, {"json_errors": True}):
        client = add_views(make_app(region="us-east-1", **settings), thread)
        answer = client.get("/body", headers={"Accept": "application/json"})
        assert answer.json["code"] == 400
        assert set(answer.json["errors"]) == {"views", "forum_name", "subject"}


def test_a_response_of_the_program_is_not_changed(make_app: MakeApp, thread: t.Any) -> None:
    """``abort(response)`` answers with that response."""
    client = add_views(make_app(region="us-east-1", json_errors=True), thread)
    assert (client.get("/own").status_code, client.get("/own").text) == (403, "own")


def test_the_handlers_of_the_app_take_precedence(db: dynaflask.Dynamo, thread: t.Any) -> None:
    """A handler of all HTTP errors, or of one code, is the app's own."""
    for handled in (HTTPException, 410):
        app = flask.Flask("app")
        app.config.from_mapping(DYNAMODB_REGION="us-east-1", DYNAMODB_JSON_ERRORS=True)
        app.register_error_handler(handled, lambda error: (f"mine: {error.code}", error.code))
        db.init_app(app)
        assert add_views(app, thread).get("/gone").text == "mine: 410"


def test_an_error_of_dynamodb_is_json_too(
    make_app: MakeApp, thread: t.Any, db: dynaflask.Dynamo, ministack: engines.Engine, account: engines.Account
) -> None:
    """With ``DYNAMODB_ERROR_HANDLERS``, an item that does not exist is a 404 in JSON."""
    app = make_app(
        host=ministack.url,
        region="us-east-1",
        json_errors=True,
        error_handlers=True,
        aws_access_key_id=account.access_key_id,
        aws_secret_access_key="any",
    )
    client = add_views(app, thread)
    with app.app_context():
        db.create_all(wait=True)
    answer = client.get("/thread")
    with app.app_context():
        db.drop_all()
    assert (answer.status_code, answer.json["code"]) == (404, 404)
