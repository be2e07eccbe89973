"""``flask dynamo stream``."""

from __future__ import annotations

import signal
import typing as t

import click.testing
import flask
import pytest

import dynaflask
from tests.support import engines
from tests.support import streams
from tests.support.settings import MakeApp

REMEMBER = "tests.support.streams:remember"


@pytest.fixture
def app(
    make_app: MakeApp, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
) -> t.Iterator[flask.Flask]:
    """An app with two tenants, each with an item in a table of its own."""
    note = streams.declare_note(db)
    app = streams.make_silo_app(make_app, ministack, account)
    with app.app_context():
        for name in ("acme", "globex"):
            with db.tenant(name):
                db.create_all(wait=True)
                note("1", title=f"of {name}").save()
    streams.HANDLED.clear()
    yield app
    streams.HANDLED.clear()


def run(app: flask.Flask, *arguments: str) -> click.testing.Result:
    """Run ``flask dynamo stream ...``."""
    return app.test_cli_runner().invoke(args=["dynamo", "stream", *arguments])


def test_it_handles_the_stream_of_a_tenant(app: flask.Flask) -> None:
    """The position is saved under the name of the function, or under another name."""
    arguments = ("Note", REMEMBER, "--once", "--tenant", "acme")
    for _ in range(2):
        done = run(app, *arguments)
        assert (done.exit_code, done.output) == (0, f"Handling the stream of Note as {REMEMBER}.\n")
    assert streams.HANDLED == [("app", "acme", "of acme")]
    assert run(app, *arguments, "--consumer", "again").exit_code == 0
    assert streams.HANDLED == [("app", "acme", "of acme")] * 2


def test_with_once_it_runs_for_each_tenant(app: flask.Flask) -> None:
    """Without, the first tenant's would not end: the message asks for a process for each."""
    refused = run(app, "Note", REMEMBER, "--tenant", "acme", "--tenant", "globex")
    assert refused.exit_code == 1
    assert streams.HANDLED == []
    assert run(app, "Note", REMEMBER, "--all-tenants", "--once").exit_code == 0
    assert streams.HANDLED == [("app", "acme", "of acme"), ("app", "globex", "of globex")]


def test_sigterm_saves_the_position_and_is_no_error(app: flask.Flask) -> None:
    """A supervisor stops the process with SIGTERM; the handler of the signal is then the former one."""
    former = signal.getsignal(signal.SIGTERM)
    done = run(app, "Note", "tests.support.streams:stop", "--consumer", "index", "--tenant", "acme")
    assert (done.exit_code, done.output.splitlines()[-1]) == (0, "Stopped. The next start continues here.")
    assert signal.getsignal(signal.SIGTERM) is former
    assert streams.HANDLED == [("app", "acme", "of acme")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Note", "tests.support.streams:missing"), "Name a function as MODULE:FUNCTION."),
        (("Note", "no_such_module:function"), "Name a function as MODULE:FUNCTION."),
        (("Nte", REMEMBER), "has no model 'Nte'. Did you mean"),
    ],
)
def test_a_wrong_name_is_a_usage_error(app: flask.Flask, arguments: tuple[str, ...], message: str) -> None:
    """The exit code is 2."""
    failed = run(app, *arguments, "--tenant", "acme")
    assert (failed.exit_code, message in failed.output) == (2, True), failed.output


def test_an_error_of_the_stream_is_a_message(
    make_app: MakeApp, ministack: engines.Engine, db: dynaflask.Dynamo
) -> None:
    """Such as a model without a stream: the exit code is 1."""
    note = streams.declare_note(db, stream_view_type=None)
    app = make_app(**streams.settings_of(ministack, engines.Account()))
    with app.app_context():
        db.create_all(models=[note], wait=True)
    failed = run(app, note.__name__, REMEMBER, "--once")
    assert (failed.exit_code, failed.output.splitlines()[-1].startswith("Error: The table ")) == (1, True)
    assert "has no stream" in failed.output
