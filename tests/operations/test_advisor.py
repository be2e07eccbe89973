"""The advisor: each rule names the line and what to do, and stays silent where there is nothing to change."""

from __future__ import annotations

import typing as t

import flask
import pytest

import dynaflask
from dynaflask.operations.advisor import Advice
from dynaflask.operations.advisor import advise
from dynaflask.operations.caller import Caller
from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import ThrottlingReason
from tests.support import engines
from tests.support.operations import make_operation
from tests.support.settings import MakeApp

LINE, OTHER_LINE = Caller("forum.py", 12, "show"), Caller("forum.py", 13, "show")


def operation(name: str = "GetItem", **values: t.Any) -> Operation:
    """An operation of one line, in a request."""
    return make_operation(name, **{"caller": LINE, "route": "show", **values})


def gets(count: int, **values: t.Any) -> list[Operation]:
    """Reads of as many keys."""
    return [operation(key_hash=number, **values) for number in range(count)]


def rules(operations: list[Operation]) -> list[str]:
    """The names of the rules that give advice."""
    return [advice.rule for advice in advise(operations)]


def only(operations: list[Operation]) -> Advice:
    """The one advice on the operations."""
    [advice] = advise(operations)
    return advice


class TestRepeatedGet:
    """Five items of one model that one line reads one by one."""

    def test_five_items(self) -> None:
        """The advice names the line, the number and the fix."""
        advice = only(gets(6))
        assert (advice.rule, advice.caller) == ("repeated_get", LINE)
        assert str(advice) == (
            "forum.py:12 in show: 6 calls of Thread.GetItem read one item each."
            " Read the items together: Thread.batch_get([...])."
        )

    @pytest.mark.parametrize(
        "operations",
        [
            gets(4),
            [*gets(3), *gets(2, model="Forum", table="Forum")],
            [*gets(3), *gets(6, caller=OTHER_LINE)[3:]],
            gets(6, caller=None),
            gets(6, is_refused=True),
        ],
        ids=["four", "two models", "two lines", "no line", "refused"],
    )
    def test_others(self, operations: list[Operation]) -> None:
        """Fewer items, several models or lines, unknown lines and calls that were not sent are left alone."""
        assert rules(operations) == []

    def test_without_a_model(self) -> None:
        """Reads of a table without a model get the advice with a general name."""
        assert "Model.batch_get" in only(gets(5, model=None)).fix


class TestScanInRequest:
    """A scan in a request."""

    def test_a_scan(self) -> None:
        """One scan of a table or of an index in a request gives the advice."""
        assert "Thread.Scan reads the whole table in a request." in str(only([operation("Scan")]))
        assert "the whole index" in str(only([operation("Scan", index_name="by_views")]))

    def test_outside_of_a_request(self) -> None:
        """A scan outside of a request, as in a command, gives none."""
        assert rules([operation("Scan", route=None)]) == []


class TestWastefulFilter:
    """A filter that drops nearly all that was read."""

    def test_less_than_a_tenth(self) -> None:
        """A filter that keeps less than a tenth of the items of all pages gives the advice."""
        pages = [operation("Query", scanned_count=50, item_count=number) for number in (9, 0)]
        assert "Thread.Query read 100 items, and its filter kept 9." in str(only(pages))

    @pytest.mark.parametrize(("scanned", "kept"), [(100, 10), (9, 0), (100, 100), (0, 0)])
    def test_others(self, scanned: int, kept: int) -> None:
        """A tenth or more, and few items, are left alone."""
        assert rules([operation("Query", scanned_count=scanned, item_count=kept)]) == []


class TestSameKeyTwice:
    """A key that is read again."""

    def test_by_two_lines(self) -> None:
        """The advice is on the second line, and names the first."""
        advice = only([operation(key_hash=1), operation(key_hash=1, caller=OTHER_LINE)])
        assert advice.caller == OTHER_LINE
        assert advice.problem == "Thread.GetItem reads a key that forum.py:12 in show has read already."

    def test_by_one_line(self) -> None:
        """A line that reads a key in a loop gets one advice."""
        again = LINE._replace()
        advice = only([operation(key_hash=1), *[operation(key_hash=1, caller=again) for _ in range(7)]])
        assert advice.problem == "Thread.GetItem reads a key that this line has read already."

    @pytest.mark.parametrize(
        "second",
        [
            {"key_hash": 2},
            {"tenant": "globex"},
            {"table": "eu-Thread"},
            {"bind_key": "archive"},
            {"host": "elsewhere"},
            {"error": "InternalServerError"},
            {"caller": None},
            {"key_hash": None},
        ],
        ids=str,
    )
    def test_others(self, second: dict[str, t.Any]) -> None:
        """Another key, tenant or place, and a call that failed, are left alone."""
        first = operation(key_hash=1)
        assert rules([first, first._replace(**{"caller": OTHER_LINE, **second})]) == []

    @pytest.mark.parametrize(("table", "is_advised"), [("Thread", False), (None, False), ("Forum", True)])
    def test_a_write_in_between(self, table: str | None, is_advised: bool) -> None:
        """After a write to the table, or to several tables, a key may be read again."""
        write = operation("UpdateItem", table=table, caller=None)
        second = operation(key_hash=1, caller=OTHER_LINE)
        assert bool(rules([operation(key_hash=1), write, second])) is is_advised


class TestManyPages:
    """Many pages in a request."""

    def pages(self, count: int, **values: t.Any) -> list[Operation]:
        """The pages of a query."""
        return [operation("Query", is_next_page=number > 0, **values) for number in range(count)]

    def test_five_pages(self) -> None:
        """A query of five pages in a request gives the advice."""
        assert "read 4 further pages in a request. Return one page at a time" in str(only(self.pages(5)))

    def test_others(self) -> None:
        """Fewer pages, several queries of one page, and pages outside of requests are left alone."""
        assert rules(self.pages(4)) == []
        assert rules(self.pages(1) * 6) == []
        assert rules(self.pages(9, route=None)) == []


def test_a_hot_partition() -> None:
    """DynamoDB's own reason gives the advice, with the table or index that it names."""
    arn = "arn:aws:dynamodb:eu-west-1:111122223333:table/Thread"
    reason = ThrottlingReason("TableWriteKeyRangeThroughputExceeded", arn)
    throttled = operation("PutItem", error="ThrottlingException", throttling_reasons=(reason,))
    assert f"one partition of {arn} gets too many calls." in only([throttled]).problem
    other = (reason._replace(reason="TableWriteProvisionedThroughputExceeded"),)
    assert rules([throttled._replace(throttling_reasons=other)]) == []


class TestNeedlessConsistency:
    """A strongly consistent read without a write."""

    def test_without_a_write(self) -> None:
        """Strongly consistent reads of a table that is not written to give the advice, with their number."""
        reads = [operation("Query", is_consistent=True) for _ in range(2)]
        other = operation("PutItem", table="Forum")
        assert "Thread.Query read strongly consistently 2 times" in only([*reads, other]).problem

    @pytest.mark.parametrize("table", ["Thread", None])
    def test_with_a_write(self, table: str | None) -> None:
        """A context that writes to the table may need to read its own write, and so may one with a transaction."""
        assert rules([operation(is_consistent=True, key_hash=1), operation("PutItem", table=table)]) == []

    def test_a_batch_of_several_tables(self) -> None:
        """A batch of several tables is left alone."""
        assert rules([operation("BatchGetItem", is_consistent=True, table=None)]) == []


def test_two_apps_and_two_tenants(
    make_app: MakeApp, db: dynaflask.Dynamo, app: flask.Flask, thread_model: t.Any
) -> None:
    """The same key of two tenants and of two apps is two keys; the advice on one app has nothing of the other."""
    shown: dict[str, list[str]] = {}
    apps = [
        make_app(
            name,
            **{
                key.removeprefix("DYNAMODB_").lower(): value
                for key, value in app.config.items()
                if key.startswith("DYNAMODB_")
            },
            record_operations=True,
        )
        for name in ("us", "eu")
    ]
    for one in apps:
        with one.app_context():
            for tenant in ("acme", "globex"):
                with db.tenant(tenant):
                    thread_model.get("forum", "subject")
            if one.name == "eu":
                with db.tenant("acme"):
                    thread_model.get("forum", "subject")
            shown[one.name] = [advice.rule for advice in advise(db.recorded_operations())]
    assert shown == {"us": [], "eu": ["same_key_twice"]}


@pytest.fixture(params=["direct", "stock"])
def engine_app(
    request: pytest.FixtureRequest, db: dynaflask.Dynamo, ministack: engines.Engine, account: engines.Account
) -> flask.Flask:
    """An app that records its operations on a real engine, by two transports."""
    app = flask.Flask("app")
    app.config.update(ministack.settings(account), DYNAMODB_TRANSPORT=request.param, DYNAMODB_RECORD_OPERATIONS=True)
    db.init_app(app)
    return app


def test_a_real_engine(engine_app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
    """What an engine answers gives the advice, whatever sends the calls."""
    with engine_app.app_context():
        db.create_all(wait=True)
        with thread_model.batch_write() as batch:
            for number in range(20):
                batch.save(thread_model("forum", f"{number:02}", views=number))
    with engine_app.test_request_context("/"):
        assert len(list(thread_model.query("forum", filter_condition=thread_model.views == 7))) == 1
        assert len(list(thread_model.query("forum", page_size=4, consistent_read=True))) == 20
        advice = advise(db.recorded_operations())
    # The request matches no route, so that many pages are no fault of a view.
    assert [one.rule for one in advice] == ["wasteful_filter", "needless_consistency"]
    assert "read 20 items, and its filter kept 1." in advice[0].problem
