"""``count_operations`` and ``assert_operations`` see what one app sends, and name the lines that send it."""

from __future__ import annotations

import inspect
import threading
import typing as t

import flask
import pynamodb.exceptions
import pytest

import dynaflask
from dynaflask.testing import assert_operations
from dynaflask.testing import count_operations
from dynaflask.testing import fail_next
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


def line_after() -> int:
    """The number of the line after the one that calls this."""
    return inspect.currentframe().f_back.f_lineno + 1  # type: ignore[union-attr]


class TestCounts:
    """``count_operations``."""

    def test_by_model_and_operation(self, app: flask.Flask, thread_model: t.Any) -> None:
        """Operations are counted by model and operation, in the block alone."""
        with app.app_context():
            thread_model.get("flask", "before")
            with count_operations() as counts:
                thread_model.get("flask", "one")
                thread_model.get("flask", "two")
                thread_model("flask", "three").save()
                app.extensions["dynamo"].connection.list_tables()
            thread_model.get("flask", "after")
        assert counts == {("Thread", "GetItem"): 2, ("Thread", "PutItem"): 1, (None, "ListTables"): 1}
        assert counts.by_operation == {"GetItem": 2, "PutItem": 1, "ListTables": 1}
        assert counts.by_model == {"Thread": 3, None: 1}
        assert [operation.operation for operation in counts.operations] == [
            "GetItem",
            "GetItem",
            "PutItem",
            "ListTables",
        ]

    def test_the_requests_of_a_client(self, app: flask.Flask, thread_model: t.Any) -> None:
        """The calls of a view count, and their caller is the line of the view."""

        def view() -> dict[str, t.Any]:
            return thread_model.get("flask", "hello").to_simple_dict()  # type: ignore[no-any-return]

        app.add_url_rule("/", view_func=view)
        with count_operations(app) as counts:
            app.test_client().get("/")
        [caller] = counts.callers
        assert caller is not None
        assert (caller.file, caller.function) == (__file__, "view")

    def test_two_apps(self, make_app: MakeApp, app: flask.Flask, thread_model: t.Any) -> None:
        """Each app counts its own operations."""
        other = make_app("other", host=app.config["DYNAMODB_HOST"], region="eu-west-1", **KEYS)
        with count_operations(app) as counts, count_operations(other) as other_counts:
            for one in (app, app, other):
                with one.app_context():
                    thread_model.get("flask", "hello")
        assert (counts.total(), other_counts.total()) == (2, 1)

    def test_all_threads(self, app: flask.Flask, thread_model: t.Any) -> None:
        """The operations of other threads count."""

        def read() -> None:
            with app.app_context():
                thread_model.get("flask", "hello")

        with count_operations(app) as counts:
            threads = [threading.Thread(target=read) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert counts == {("Thread", "GetItem"): 4}

    def test_failed_operations_count(self, app: flask.Flask, thread_model: t.Any) -> None:
        """An operation that failed has been sent, too."""
        with app.app_context(), count_operations() as counts, fail_next("GetItem", "ValidationException"):
            with pytest.raises(pynamodb.exceptions.GetError):
                thread_model.get("flask", "hello")
        assert counts.operations[0].error == "ValidationException"


class TestLimits:
    """``assert_operations``."""

    def test_a_block_within_its_limits(self, app: flask.Flask, thread_model: t.Any) -> None:
        """As many operations as allowed pass. The counts can be used after the block."""
        with app.app_context(), assert_operations(max=2, no_scans=True) as counts:
            thread_model.get("flask", "one")
            list(thread_model.query("flask"))
        assert counts.total() == 2

    def test_too_many_operations(self, app: flask.Flask, thread_model: t.Any) -> None:
        """The error names each line with its number of operations, the most frequent first."""
        with app.app_context(), pytest.raises(AssertionError) as caught:
            with assert_operations(max=3):
                thread_model("flask", "hello").save()
                for subject in "abc":
                    line = line_after()
                    thread_model.get("flask", subject)
        title, first, second = str(caught.value).splitlines()
        assert title == "The block sent 4 operations, and 3 are allowed:"
        assert first == f"  3 x Thread.GetItem  {__file__}:{line} in test_too_many_operations"
        assert second.startswith("  1 x Thread.PutItem  ")

    def test_a_scan(self, app: flask.Flask, thread_model: t.Any) -> None:
        """With ``no_scans``, the error names the line that scans, and no other."""
        with app.app_context(), pytest.raises(AssertionError) as caught:
            with assert_operations(no_scans=True):
                thread_model.get("flask", "hello")
                line = line_after()
                list(thread_model.scan())
        title, scan = str(caught.value).splitlines()
        assert title == "The block scanned a table:"
        assert scan == f"  1 x Thread.Scan  {__file__}:{line} in test_a_scan"

    def test_scans_are_allowed_by_default(self, app: flask.Flask, thread_model: t.Any) -> None:
        """Without limits nothing fails."""
        with app.app_context(), assert_operations() as counts:
            list(thread_model.scan())
        assert counts == {("Thread", "Scan"): 1}

    def test_an_error_of_the_block(self, app: flask.Flask, thread_model: t.Any) -> None:
        """An exception of the block propagates, also if it has sent too much."""
        with app.app_context(), pytest.raises(ZeroDivisionError):
            with assert_operations(max=0):
                thread_model.get("flask", "hello")
                raise ZeroDivisionError


class TestAdvice:
    """``assert_operations(no_advice=True)``."""

    def test_it_fails_and_names_the_line(self, app: flask.Flask, thread_model: t.Any) -> None:
        """The error has the advice with its line. The app needs no setting for it."""
        with app.app_context(), pytest.raises(AssertionError) as caught:
            with assert_operations(no_advice=True):
                for subject in "abcde":
                    line = line_after()
                    thread_model.get("flask", subject)
        title, advice = str(caught.value).splitlines()
        assert title == "The block could do better:"
        assert advice.startswith(f"  {__file__}:{line} in test_it_fails_and_names_the_line: 5 calls of Thread.GetItem")

    def test_requests_are_not_added_up(self, app: flask.Flask, thread_model: t.Any) -> None:
        """Several requests that read one item each get no advice; one request that scans gets it once a line."""
        app.add_url_rule("/<key>", view_func=lambda key: str(thread_model.get("flask", key).subject), endpoint="one")
        app.add_url_rule("/all", view_func=lambda: str(list(thread_model.scan())), endpoint="all")
        with app.app_context():
            with assert_operations(no_advice=True):
                for key in "abcdefa":
                    app.test_client().get(f"/{key}")
            with count_operations() as counts:
                for _ in range(2):
                    app.test_client().get("/all")
        assert [advice.rule for advice in counts.advice] == ["scan_in_request"]

    def test_two_apps(self, make_app: MakeApp, app: flask.Flask, thread_model: t.Any) -> None:
        """The operations of another app give no advice."""
        other = make_app("other", host=app.config["DYNAMODB_HOST"], region="eu-west-1", **KEYS)
        with assert_operations(no_advice=True, app=other), count_operations(app) as counts:
            with app.app_context():
                for subject in "abcde":
                    thread_model.get("flask", subject)
        assert [advice.rule for advice in counts.advice] == ["repeated_get"]

    def test_lines_are_found_within_the_block_alone(self, app: flask.Flask) -> None:
        """After the block the app pays for no lines."""
        with count_operations(app):
            assert app.extensions["dynamo"].recorder.line_readers
        assert not app.extensions["dynamo"].recorder.line_readers


def test_refused_calls_are_not_counted(
    make_app: MakeApp, app: flask.Flask, thread_model: t.Any, db: dynaflask.Dynamo
) -> None:
    """A call that a tenant's limit refused sends nothing."""
    limited = make_app("limited", host=app.config["DYNAMODB_HOST"], region="eu-west-1", tenant_capacity=0.01, **KEYS)
    with limited.app_context(), db.tenant("acme"), count_operations() as counts:
        thread_model.get("flask", "hello")
        with pytest.raises(dynaflask.TenantLimitExceeded):
            thread_model.get("flask", "hello")
    assert counts.total() == len(counts.operations) == 1
