"""A command that runs for one tenant, for some, or for all."""

from __future__ import annotations

import json
import sys
import typing as t

import click
import click.testing
import flask
import pytest

import dynaflask
from dynaflask.cli import TenantCommand
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

TENANTS = {name: {"table_prefix": f"{name}-"} for name in ("acme", "globex", "initech")}


@pytest.fixture
def app(make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> flask.Flask:
    """An app of three tenants with a command of its own."""
    app = make_app(host=recorder.url, region="us-east-1", tenants=TENANTS, require_tenant=True, **KEYS)

    @app.cli.command("work", cls=TenantCommand)
    @click.option("--ending", default="fine")
    def work(ending: str) -> None:
        """Count, and end as told."""
        name = app.extensions["dynamo"].scope.tenant
        click.echo(f"{name} {thread_model.count('forum')}")
        if name == "globex":
            end(ending)

    return app


def end(ending: str) -> None:
    """End in one of the ways in which a command may end."""
    if ending == "error":
        raise ValueError("broken")
    if ending == "click":
        raise click.ClickException("told")
    if ending == "abort":
        raise click.Abort
    if ending.startswith("exit"):
        sys.exit(int(ending[-1]))


def run(app: flask.Flask, *arguments: str) -> click.testing.Result:
    """Run a command."""
    return app.test_cli_runner().invoke(args=arguments)


def tables(recorder: recorders.Recorder) -> list[str]:
    """The tables that were asked."""
    return [request.body["TableName"] for request in recorder.requests]


def test_it_runs_for_one_tenant(app: flask.Flask, recorder: recorders.Recorder) -> None:
    """The one that it is told."""
    done = run(app, "work", "--tenant", "acme")
    assert (done.exit_code, done.output, tables(recorder)) == (0, "acme 0\n", ["acme-Thread"])


def test_it_runs_for_some(app: flask.Flask, recorder: recorders.Recorder) -> None:
    """In their order, each with its name ahead."""
    done = run(app, "work", "--tenant", "initech", "--tenant", "acme")
    assert (done.exit_code, done.stdout) == (0, "initech 0\nacme 0\n")
    assert done.stderr == "Tenant initech:\nTenant acme:\n"
    assert tables(recorder) == ["initech-Thread", "acme-Thread"]


def test_it_runs_for_all(app: flask.Flask, recorder: recorders.Recorder) -> None:
    """Those that the app knows."""
    assert run(app, "work", "--all-tenants").exit_code == 0
    assert tables(recorder) == ["acme-Thread", "globex-Thread", "initech-Thread"]


def test_it_runs_for_all_that_a_lister_names(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """The program may know them from elsewhere."""
    db.tenant_lister(lambda: ["initech"])
    assert run(app, "work", "--all-tenants").stdout == "initech 0\n"


@pytest.mark.parametrize(
    ("ending", "message"), [("error", "Error: ValueError: broken\n"), ("click", "Error: told\n"), ("exit3", "")]
)
def test_one_that_fails_does_not_stop_the_rest(app: flask.Flask, ending: str, message: str) -> None:
    """It is named at the end."""
    done = run(app, "work", "--all-tenants", "--ending", ending)
    assert (done.exit_code, done.stdout) == (1, "acme 0\nglobex 0\ninitech 0\n")
    assert f"Tenant globex:\n{message}Tenant initech:\n" in done.stderr
    assert done.stderr.endswith("Error: It failed for 1 tenants: globex.\n")


def test_one_that_ends_early_and_well_has_not_failed(app: flask.Flask) -> None:
    """Its exit code is 0."""
    assert run(app, "work", "--all-tenants", "--ending", "exit0").exit_code == 0


def test_a_person_who_stops_it_stops_it(app: flask.Flask, recorder: recorders.Recorder) -> None:
    """For all the tenants that are left."""
    assert run(app, "work", "--all-tenants", "--ending", "abort").exit_code == 1
    assert tables(recorder) == ["acme-Thread", "globex-Thread"]


def test_one_that_is_unknown_does_not_stop_the_rest(app: flask.Flask) -> None:
    """Among several."""
    done = run(app, "work", "--tenant", "nobody", "--tenant", "acme")
    assert (done.exit_code, done.stdout) == (1, "acme 0\n")
    assert "The app 'app' has no tenant 'nobody'." in done.stderr
    assert "failed for 1 tenants: nobody" in done.stderr


def test_an_unknown_tenant_is_a_wrong_use(app: flask.Flask) -> None:
    """By itself."""
    done = run(app, "work", "--tenant", "nobody")
    assert (done.exit_code, "has no tenant 'nobody'. Add it to DYNAMODB_TENANTS" in done.output) == (2, True)


def test_both_options_are_a_wrong_use(app: flask.Flask) -> None:
    """One says some, the other all."""
    done = run(app, "work", "--tenant", "acme", "--all-tenants")
    assert (done.exit_code, "do not go together" in done.output) == (2, True)


def test_without_the_options_it_is_for_nobody(app: flask.Flask, recorder: recorders.Recorder) -> None:
    """An app that requires a tenant refuses that, and says what to type."""
    for command in (["work"], ["dynamo", "status"], ["dynamo", "create"]):
        done = run(app, *command)
        assert (done.exit_code, recorder.requests) == (2, [])
        assert done.output.startswith("Usage: ")
        assert "Name one with --tenant NAME, or run it for each with --all-tenants." in done.output


def test_a_command_that_needs_no_tenant_runs_for_nobody(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """Whatever the app requires: it may do without on purpose."""

    @app.cli.command("tidy", cls=TenantCommand)
    @db.without_tenant(reason="it is all tenants'")
    def tidy() -> None:
        """Say for whom."""
        click.echo(str(db.current_tenant))

    assert (run(app, "tidy").exit_code, run(app, "tidy").stdout) == (0, "None\n")


def test_nobody_says_which_tenants_there_are(make_app: MakeApp, recorder: recorders.Recorder) -> None:
    """The message says how to."""
    done = run(make_app(host=recorder.url, region="us-east-1"), "dynamo", "status", "--all-tenants")
    assert (done.exit_code, "tenant_lister" in done.output) == (1, True)


def test_two_apps_have_their_own(
    make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
) -> None:
    """Each its tenants, in its region."""
    for region in ("eu-west-1", "us-east-1"):
        app = make_app(region, host=recorder.url, region=region, tenants={"t": {"table_prefix": f"{region}-"}}, **KEYS)
        assert run(app, "dynamo", "models", "--all-tenants", "--json").exit_code == 0
        shown = json.loads(run(app, "dynamo", "models", "--tenant", "t", "--json").output)
        assert [(row["table"], row["region"]) for row in shown] == [(f"{region}-Thread", region)]


def test_the_commands_round_tables_work_for_each_tenant(
    db: dynaflask.Dynamo, ministack: engines.Engine, account: engines.Account, thread_model: t.Any
) -> None:
    """A silo is made, looked at and dropped."""
    app = flask.Flask("silo")
    app.config.update(ministack.settings(account), DYNAMODB_TENANTS=TENANTS)
    db.init_app(app)
    assert run(app, "dynamo", "create", "--all-tenants", "--wait").exit_code == 0
    assert run(app, "dynamo", "status", "--all-tenants").exit_code == 0
    assert run(app, "dynamo", "drop", "--tenant", "globex", "--yes").exit_code == 0
    done = run(app, "dynamo", "status", "--all-tenants")
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (1, "Error: It failed for 1 tenants: globex.")
