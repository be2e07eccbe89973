"""What a call needs of its scope: a context that is open, and is the current one."""

from __future__ import annotations

import typing as t

import flask
import pytest

import dynaflask
from dynaflask import TenantMismatch
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


class TestRequireOpen:
    """What belongs to a context is refused after the context has ended."""

    def test_a_connection_kept_past_its_context_says_so(self, app: flask.Flask, thread_model: t.Any) -> None:
        """A connection refuses use after its context; the error names the app and stream_with_context."""
        with app.app_context():
            table, connection = thread_model._get_connection(), flask.current_app.extensions["dynamo"].connection
        for use in (table.describe_table, connection.list_tables, lambda: connection.client):
            with pytest.raises(RuntimeError, match=r"context of 'app' that has ended.*stream_with_context"):
                use()

    def test_a_meta_kept_past_its_context_says_so(self, app: flask.Flask, thread_model: t.Any) -> None:
        """A Meta can be neither read nor changed after its context."""
        with app.app_context():
            meta = thread_model.Meta
        with pytest.raises(RuntimeError, match="has ended"):
            meta.table_name  # noqa: B018
        with pytest.raises(RuntimeError, match="has ended"):
            meta.table_name = "Topic"

    def test_an_iterator_kept_past_its_context_says_so(self, app: flask.Flask, thread_model: t.Any) -> None:
        """A query sends nothing after its context."""
        with app.app_context():
            threads = thread_model.query("forum")
        with pytest.raises(RuntimeError, match="has ended"):
            next(threads)

    def test_a_context_that_is_pushed_twice_ends_with_the_last_pop(self, app: flask.Flask, thread_model: t.Any) -> None:
        """The scope stays open until the last pop of its context."""
        context = app.app_context()
        with context:
            with context:
                table = thread_model._get_connection()
            table.describe_table()
        with pytest.raises(RuntimeError, match="has ended"):
            table.describe_table()

    def test_it_ends_after_an_error_which_is_not_hidden(self, app: flask.Flask, thread_model: t.Any) -> None:
        """An exception that ends the context closes the scope, and propagates unchanged."""
        with pytest.raises(ZeroDivisionError), app.app_context():
            table = thread_model._get_connection()
            1 / 0  # noqa: B018
        with pytest.raises(RuntimeError, match="has ended"):
            table.describe_table()

    def test_the_context_of_another_app_does_not_count(
        self, app: flask.Flask, make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A connection whose context has ended is refused in a context of another app, too, and sends nothing."""
        with app.app_context():
            table = thread_model._get_connection()
        with make_app("other", host=recorder.url, region="eu-west-1", **KEYS).app_context():
            with pytest.raises(RuntimeError, match="context of 'app' that has ended"):
                table.get_item("forum", "subject")
        assert recorder.requests == []


def test_a_transaction_is_for_one_context_and_one_tenant(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """What was added in one scope is refused in the context of another app, and in the block of another tenant."""
    first, second = (make_app(name, region="eu-west-1", tenants={"acme": {}, "globex": {}}) for name in ("a", "b"))
    with first.app_context():
        with db.tenant("acme"):
            scope = first.extensions["dynamo"].scope
            scope.require_current("Thread")
        with db.tenant("acme"):
            scope.require_current("Thread")
        with second.app_context(), db.tenant("acme"):
            with pytest.raises(RuntimeError, match="Thread was added in a context of 'a', which is not the current"):
                scope.require_current("Thread")
        with db.tenant("globex"), pytest.raises(TenantMismatch, match="added for 'acme', and .* sent for 'globex'"):
            scope.require_current("Thread")
        with pytest.raises(TenantMismatch, match="added for 'acme', and .* sent for no tenant"):
            scope.require_current("Thread")
