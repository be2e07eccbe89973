"""``Model.count``, which refuses the arguments that it would ignore, and stops at its limit."""

from __future__ import annotations

import typing as t

import flask
import pytest

import dynaflask
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def recorded(make_app: MakeApp, recorder: recorders.Recorder) -> t.Iterator[recorders.Recorder]:
    """The server of an app whose context is pushed. Each page of a count has ten items, and there is always another."""
    recorder.answer = lambda request: {
        "Count": 10,
        "ScannedCount": 10,
        "LastEvaluatedKey": {"forum_name": {"S": "a"}, "subject": {"S": "b"}},
    }
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        yield recorder


@pytest.mark.parametrize(("limit", "requests"), [(0, 0), (1, 1), (10, 1), (11, 2), (25, 3)])
def test_it_stops_at_the_limit(thread_model: t.Any, recorded: recorders.Recorder, limit: int, requests: int) -> None:
    """No page is read after the limit, and the result is the limit."""
    assert thread_model.count("a", limit=limit) == limit
    assert [request.body["Limit"] for request in recorded.requests] == [limit] * requests
    assert {request.body["Select"] for request in recorded.requests} <= {"COUNT"}


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(lambda model: (None, model.subject == "b"), id="range_key_condition"),
        pytest.param(lambda model: (None, None, None, False, "viewIdx"), id="index_name"),
        pytest.param(lambda model: (None, None, None, False, None, 10), id="limit"),
    ],
)
def test_without_a_hash_key_it_refuses_what_it_would_ignore(
    thread_model: t.Any, recorded: recorders.Recorder, arguments: t.Any, request: pytest.FixtureRequest
) -> None:
    """The error names the argument, and nothing is sent."""
    name = request.node.callspec.id
    with pytest.raises(ValueError, match=f"Without a hash_key, count .* takes no {name}"):
        thread_model.count(*arguments(thread_model))
    assert recorded.requests == []


def test_on_an_engine(
    engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, thread_model: t.Any
) -> None:
    """A limit that is larger than the count, and one under a filter, give the right number."""
    app = flask.Flask("counts")
    app.config.update(engine.settings(account))
    db.init_app(app)
    with app.app_context():
        db.create_all(wait=True)
        with thread_model.batch_write() as batch:
            for number in range(12):
                batch.save(thread_model("forum", f"{number:02}", views=number))
        assert [thread_model.count("forum", limit=limit) for limit in (5, 12, 100)] == [5, 12, 12]
        assert thread_model.count("forum", filter_condition=thread_model.views >= 6, limit=4) == 4
        assert thread_model.count("forum", thread_model.subject < "03", limit=10) == 3
        assert thread_model.view_index.count(5, limit=10) == 1
        assert thread_model.count() >= 0
