"""What one app context holds, and how it ends."""

from __future__ import annotations

import typing as t
from unittest import mock

import flask
import pytest
import werkzeug.test

import dynaflask
from dynaflask.registry.context import SCOPE
from dynaflask.registry.scope import Scope
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


class TestEnd:
    """Teardown closes the scope, and leaves the shared client open."""

    def test_a_context_without_a_call_ends_as_well(self, app: flask.Flask) -> None:
        """A context that opened no scope ends without an error."""
        with app.app_context() as context:
            assert SCOPE not in vars(context)

    def test_a_teardown_function_of_the_program_may_still_call(
        self, make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, db: dynaflask.Dynamo
    ) -> None:
        """A teardown function registered before init_app runs after the scope has closed, and may call DynamoDB."""
        app = flask.Flask("app")
        app.config.from_mapping(DYNAMODB_HOST=recorder.url, DYNAMODB_REGION="us-west-2", DYNAMODB_SESSION=_session())
        app.teardown_appcontext(lambda _: thread_model("forum", "bye").save())
        db.init_app(app)
        with app.app_context():
            thread_model("forum", "hello").save()
        assert [request.body["Item"]["subject"]["S"] for request in recorder.requests] == ["hello", "bye"]

    def test_a_streamed_response_works_to_its_last_page(
        self, app: flask.Flask, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """stream_with_context keeps the scope open until the response has been read."""
        recorder.answer = _three_pages
        tables = []

        @app.get("/")
        def subjects() -> t.Any:
            tables.append(thread_model._get_connection())
            lines = (f"{thread.subject}\n" for thread in thread_model.query("forum"))
            return flask.Response(flask.stream_with_context(lines))

        response = werkzeug.test.Client(app).get("/", buffered=False)
        assert len(recorder.requests) <= 1
        assert response.text == "1\n2\n3\n"
        response.close()
        with pytest.raises(RuntimeError, match="has ended"):
            tables[0].describe_table()

    def test_a_stream_without_a_context_says_what_to_do(
        self, app: flask.Flask, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A generator that runs after its context gets an error that names stream_with_context."""
        app.get("/", endpoint="bare")(lambda: flask.Response(str(thread) for thread in thread_model.query("forum")))
        with pytest.raises(RuntimeError, match=r"flask.stream_with_context"):
            werkzeug.test.Client(app).get("/")


class TestPinned:
    """A batch goes on in the destination that it was begun in, whatever the context does meanwhile."""

    def test_it_has_the_connection_of_its_scope(
        self, app: flask.Flask, make_app: MakeApp, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """A connection that the program changes serves its batches, too; and no batch of another app."""
        other = make_app("other", host=recorder.url, region="eu-west-1", **KEYS)
        with app.app_context():
            thread_model._get_connection().batch_write_item = lambda **items: refused.append(items) or {}
            refused: list[t.Any] = []
            write(thread_model)
            with other.app_context():
                write(thread_model)
        assert [list(items) for items in refused] == [["put_items", "delete_items"]]
        assert [request.region for request in recorder.requests] == ["eu-west-1"]

    def test_the_scope_changes(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """A change of Meta after the batch was begun has no effect on it."""
        with app.app_context():
            with thread_model.batch_write() as batch:
                batch.save(thread_model("f", "1"))
                thread_model.Meta.table_name = "Later"
            write(thread_model)
        assert [list(request.body["RequestItems"]) for request in recorder.requests] == [["Thread"], ["Later"]]

    def test_a_thread_changes_the_scope_meanwhile(
        self, app: flask.Flask, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """The table and the settings of a batch are those of one moment."""
        resolve = Scope.resolve

        def resolve_and_change(scope: Scope, declaration: t.Any) -> t.Any:
            settings = resolve(scope, declaration)
            patch.stop()
            thread_model.Meta.table_name = "Later"
            return settings

        patch = mock.patch.object(Scope, "resolve", resolve_and_change)
        with app.app_context():
            thread_model("f", "1").save()
            patch.start()
            write(thread_model)
            write(thread_model)
        tables = [list(request.body["RequestItems"]) for request in recorder.requests[1:]]
        assert tables == [["Thread"], ["Later"]]


def write(model: t.Any) -> None:
    """Save one object in a batch."""
    with model.batch_write() as batch:
        batch.save(model("f", "1"))


def _three_pages(request: recorders.Request) -> recorders.Json:
    number = int(request.body.get("ExclusiveStartKey", {}).get("subject", {}).get("S", 0)) + 1
    key = {"forum_name": {"S": "forum"}, "subject": {"S": str(number)}}
    more = {"LastEvaluatedKey": key} if number < 3 else {}
    return {"Items": [key], "Count": 1, "ScannedCount": 1, **more}


def _session() -> t.Any:
    import botocore.session

    session = botocore.session.Session()
    session.set_credentials("AKIA", "hush")
    return session
