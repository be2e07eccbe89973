"""What the tests share of apps and of botocore's sessions is what each would find for itself."""

from __future__ import annotations

import botocore.hooks
import botocore.session
import flask
from botocore.handlers import BUILTIN_HANDLERS

from tests.support import caches


class Handlers:
    """Handlers of a class."""

    def with_any(self, **kwargs: object) -> None:
        """Takes what botocore requires."""

    def with_one(self, one: object) -> None:
        """Does not."""


def test_the_arguments_of_a_handler() -> None:
    """``**kwargs`` are seen in a function, a method and a class as botocore sees them."""
    handlers = [row[1] for row in BUILTIN_HANDLERS] + [Handlers().with_any, Handlers().with_one, Handlers]
    seen = [caches.accepts_kwargs(handler) for handler in handlers]
    assert seen == [bool(caches._inspect_arguments(handler)) for handler in handlers]
    assert {*seen} == {True, False}


def test_the_names_of_events() -> None:
    """An older name becomes the newer one; an emitter with aliases of its own keeps its names to itself."""
    emitter = botocore.session.Session()._events
    stock = botocore.hooks.EventAliaser(botocore.hooks.HierarchicalEmitter(), {"dynamo": "other"})
    assert emitter._alias_name_cache is caches._event_names
    assert emitter._alias_event_name("before-call.autoscaling.X") == "before-call.auto-scaling.X"
    assert stock._alias_event_name("before-call.dynamo.X") == "before-call.other.X"
    assert emitter._alias_event_name("before-call.dynamo.X") == "before-call.dynamo.X"


def test_the_handlers_of_a_client() -> None:
    """A client has the handlers of its session, and what it registers does not come to the session."""
    session = botocore.session.Session()
    session.register("before-call.dynamodb", Handlers().with_any)
    handlers = session._events._emitter._handlers
    copied = handlers.__copy__()
    assert copied._root == handlers._root
    copied.append_item("before-call.dynamodb", "another")
    assert "another" in copied.prefix_search("before-call.dynamodb")
    assert "another" not in handlers.prefix_search("before-call.dynamodb")


def test_the_urls_of_an_app() -> None:
    """Rules of the same parts build the same URLs, each by the converters of its own app."""
    urls = []
    for default in ({}, {}, {"page": 1}):
        app = flask.Flask("app")
        app.add_url_rule("/pages/<int(fixed_digits=3):page>", "page", defaults=default)
        with app.test_request_context():
            urls.append([flask.url_for("page", page=1, more="a b"), flask.url_for("static", filename="a/b.css")])
    assert urls == [["/pages/001?more=a+b", "/static/a/b.css"]] * 3
