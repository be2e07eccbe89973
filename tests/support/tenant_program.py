"""A hundred tenants of the forum at once. The program exits with 0 if each request went to its own tenant.

python tenant_program.py [CALLS]

They have twenty destinations, each with credentials and a region of its own, and fewer clients than that. Some
destinations have roles whose credentials are always about to expire. Tenants expire from the cache all the time, and
some calls fail.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import itertools
import random
import sys
import typing as t

from pynamodb.exceptions import PynamoDBException

from dynaflask.testing import Request
from dynaflask.testing import assert_isolated
from dynaflask.testing import assumed_role
from examples.forum.app import create_app
from examples.forum.models import Thread
from examples.forum.models import db
from tests.support import default_transport

default_transport.apply()

CALLS = 50_000  # of `nox --session proof`
TENANTS = [f"tenant-{number}" for number in range(100)]
REGIONS = ("us-west-2", "eu-west-1", "ap-south-1", "sa-east-1")
DESTINATIONS = 20
THREADS = 16
CALLS_A_TURN = 50
# botocore renews credentials that expire within a quarter of an hour.
RENEWED_AFTER_SECONDS = 901


def settings_of(name: str) -> dict[str, t.Any]:
    """A tenant's settings: a destination that it shares with four others, and a prefix of its own."""
    number = int(name.removeprefix("tenant-"))
    destination = number % DESTINATIONS
    credentials: dict[str, t.Any] = (
        {"role_arn": f"arn:aws:iam::{111111111111 + destination}:role/forum"}
        if destination % 4 == 1
        else {"aws_access_key_id": f"{111111111111 + destination}", "aws_secret_access_key": "any"}
    )
    return {"region": REGIONS[destination % len(REGIONS)], "table_prefix": f"{name}-", **credentials}


def use_forum(_: str) -> None:
    """Make calls of all kinds in random order."""
    for call in random.choices(CALLS_OF_A_FORUM, k=CALLS_A_TURN):  # noqa: S311 - any order will do
        with contextlib.suppress(PynamoDBException):  # a fault that Engine.answer returned on purpose
            call()


def write_batch() -> None:
    """Write two threads."""
    with Thread.batch_write() as batch:
        batch.save(Thread("flask", "1"))
        batch.delete(Thread("flask", "2"))


def write_together() -> None:
    """Write two threads, or none."""
    with db.transact_write() as transaction:
        transaction.save(Thread("flask", "1"))
        transaction.delete(Thread("flask", "2"))


CALLS_OF_A_FORUM: tuple[cabc.Callable[[], object], ...] = (
    lambda: Thread.get("flask", "hello"),
    lambda: Thread("flask", "hello").save(),
    lambda: Thread("flask", "hello").update([Thread.views.add(1)]),
    lambda: Thread("flask", "hello").delete(),
    lambda: list(Thread.query("flask")),
    lambda: list(Thread.view_index.query(1)),
    lambda: list(Thread.scan()),
    lambda: list(Thread.batch_get([("flask", "1"), ("flask", "2")])),
    write_batch,
    write_together,
)


class Engine:
    """The plain engine, with credentials that expire, and an occasional fault."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def answer(self, request: Request) -> t.Any:
        """A role's credentials or a fault; ``None`` for the plain answer."""
        if request.service == "sts":
            return assumed_role(request, seconds=RENEWED_AFTER_SECONDS)
        number = next(self._numbers)
        if number % 1511 == 0:
            raise ConnectionError  # the connection closes
        if number % 1009 == 0:
            return 400, {"__type": "x#ThrottlingException", "message": "on purpose"}
        if number % 2003 == 0:
            return 500, {"__type": "x#InternalServerError", "message": "on purpose"}
        return None


def main(calls: int) -> None:
    """Make this many calls, and check each."""
    db.tenant_settings(settings_of)
    app = create_app(
        {
            "DYNAMODB_HOST": None,
            "DYNAMODB_AWS_ACCESS_KEY_ID": "source",
            "DYNAMODB_AWS_SECRET_ACCESS_KEY": "any",
            "DYNAMODB_REGION": "us-east-1",
            "DYNAMODB_REQUIRE_TENANT": True,
            "DYNAMODB_TENANT_TTL_SECONDS": 0.5,
            "DYNAMODB_MAX_CLIENTS": DESTINATIONS - 2,
            "DYNAMODB_MAX_RETRY_ATTEMPTS": 1,
        }
    )
    rounds = max(1, calls // (len(TENANTS) * CALLS_A_TURN) - 1)
    count = assert_isolated(app, TENANTS, use_forum, threads=THREADS, rounds=rounds, answer=Engine().answer)
    assert count >= calls, count
    stats = app.extensions["dynamo"].pool.stats()
    assert stats.evictions > 0, stats


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else CALLS)
