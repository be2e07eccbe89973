"""A call whose response is lost is sent again: what that means for updates."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import pytest

import dynaflask
from tests.support import hostile
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

ITEM = {"forum_name": {"S": "a"}, "subject": {"S": "b"}, "views": {"N": "1"}}


@pytest.fixture(params=["direct", "botocore", "stock"])
def server(request: pytest.FixtureRequest, make_app: MakeApp) -> cabc.Iterator[hostile.Hostile]:
    """A server that closes the connection instead of its first response, with an app's context, on each transport."""
    with hostile.Hostile() as server:
        server.acts = [hostile.cut(b""), hostile.say(hostile.answer({"Attributes": ITEM}))]
        with make_app(host=server.url, region="us-east-1", transport=request.param, **KEYS).app_context():
            yield server


def test_an_update_is_sent_again(server: hostile.Hostile, thread_model: t.Any) -> None:
    """``ADD 1`` is sent twice, and counts 2 if DynamoDB has applied the first request."""
    thread_model("a", "b").update(actions=[thread_model.views.add(1)])
    first, second = server.requests
    assert first.body == second.body
    assert "ConditionExpression" not in first.body


def test_a_transaction_has_a_token(server: hostile.Hostile, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
    """Both requests of a transaction have the same token, by which DynamoDB applies it once."""
    with db.transact_write() as transaction:
        transaction.update(thread_model("a", "b"), actions=[thread_model.views.add(1)])
    first, second = server.requests
    assert first.body["ClientRequestToken"] == second.body["ClientRequestToken"]
