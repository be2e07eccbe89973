"""The lease of a run: one run at a time, and none that a killed process keeps."""

from __future__ import annotations

import logging
import time
import typing as t

import pytest
from pynamodb.exceptions import TableError

import dynaflask
from dynaflask import MigrationError
from dynaflask.tables.migrations.history import History
from dynaflask.tables.migrations.history import Record
from dynaflask.tables.migrations.lease import Lease
from dynaflask.tables.migrations.lease import acquire
from tests.support.servers import eventually

NAME = "0001_test"
LONG = 600
ENDED = -1


@pytest.fixture
def history(app: t.Any, db: dynaflask.Dynamo) -> History:
    """A history whose table exists."""
    history = History.of_app(db.registry)
    history.create()
    return history


def take(history: History, seconds: float = LONG, **options: t.Any) -> Lease:
    """Acquire the lease."""
    lease = acquire(history, NAME, seconds=seconds, segments=2, **options)
    assert lease is not None
    return lease


def read(history: History) -> Record:
    """The record."""
    record = history.read(NAME)
    assert record is not None
    return record


def test_a_second_run_is_an_error(history: History) -> None:
    """The message names the process that has the lease, its end, and the option that waits."""
    with take(history):
        with pytest.raises(MigrationError, match=r"by process \d+ on .* its lease ends in \d+ s; --wait"):
            take(history)
        assert read(history).fence == 1
    assert take(history).record.fence == 2


def test_a_lease_ends(history: History) -> None:
    """The next run continues after the end of a killed run's lease, with its segments and counts."""
    killed = take(history, seconds=ENDED)
    killed.save(1, {"id": {"S": "a"}}, items_read=5, items_changed=3)
    record = acquire(history, NAME, seconds=LONG, segments=9).record  # type: ignore[union-attr]
    assert (record.positions, record.items_read, record.items_changed) == ((None, {"id": {"S": "a"}}), 5, 3)


def test_a_run_whose_lease_has_ended_cannot_record(history: History) -> None:
    """After another run has continued, the first one can neither record a position nor the end."""
    first = take(history, seconds=ENDED)
    second = take(history)
    with pytest.raises(MigrationError, match="has lost its lease"):
        first.require()
    for write in (lambda: first.save(0, {}, items_read=1, items_changed=1), first.finish):
        with pytest.raises(MigrationError, match="has lost its lease"):
            write()
    second.require()
    assert (read(history).status, read(history).items_read) == ("running", 0)


def test_an_applied_migration_has_no_lease(history: History) -> None:
    """After the end, no run gets a lease any more."""
    with take(history) as lease:
        lease.finish()
    assert acquire(history, NAME, seconds=LONG, segments=2) is None
    assert read(history).status == "applied"


def test_a_lease_is_renewed(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread renews it, so that a run may last longer than its lease."""
    monkeypatch.setattr("dynaflask.tables.migrations.lease.RENEWALS", LONG * 10)
    with take(history) as lease:
        before = read(history).expires_at
        assert eventually(lambda: read(history).expires_at > before)
        lease.require()


def test_a_renewal_finds_that_the_lease_is_lost(history: History) -> None:
    """A run stops although it records nothing, if another one has continued."""
    first = take(history, seconds=ENDED)
    take(history)
    first._seconds, first._valid_until = 0.03, time.monotonic() + LONG
    with first:
        first._thread.join()
        with pytest.raises(MigrationError, match="has lost its lease"):
            first.require()


def test_a_lease_that_cannot_be_renewed_ends(
    history: History, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The run goes on until the end of its lease, and then stops; giving it back hides no other error."""

    def fail(*_: object, **options: object) -> t.NoReturn:
        raise TableError("no connection")

    lease = take(history, seconds=0.3)
    monkeypatch.setattr(history, "update", fail)
    with caplog.at_level(logging.WARNING, "dynaflask.tables"), pytest.raises(ValueError, match="the run's own"), lease:
        assert eventually(lambda: "could not be renewed" in caplog.text)
        assert eventually(lambda: time.monotonic() > lease._valid_until)
        with pytest.raises(MigrationError, match="has lost its lease"):
            lease.require()
        raise ValueError("the run's own")
    assert "could not be given back" in caplog.text


def test_a_run_may_wait_for_another(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``wait``, a run polls until the other one has ended."""
    other = take(history)
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            other.finish()

    monkeypatch.setattr(time, "sleep", sleep)
    assert acquire(history, NAME, seconds=LONG, segments=2, wait=True) is None
    assert naps == [1, 1, 1]


def test_a_request_whose_response_was_lost_is_recognised(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """If botocore's second attempt is refused because the first one was applied, the lease is this run's."""
    update = history.update
    monkeypatch.setattr(history, "update", lambda *args, **options: update(*args, **options) and None)
    assert take(history).record.fence == 1
