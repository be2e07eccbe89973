"""``TenantCommand``: a command that runs for one tenant, for several, or for all."""

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
from dynaflask.cli.commands import dynamo
from dynaflask.cli.tenant_command import runs_for_several_tenants
from tests.support import boards
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

TENANT_OPTIONS = {"--tenant", "--all-tenants", "--without-tenant"}
TENANTS = {name: {"table_prefix": f"{name}-"} for name in ("acme", "globex", "initech")}


@pytest.fixture
def app(make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> flask.Flask:
    """An app of three tenants with a command of its own."""
    app = make_app(host=recorder.url, region="us-east-1", tenants=TENANTS, require_tenant=True, **KEYS)

    @app.cli.command("work", cls=TenantCommand)
    @click.option("--ending", default="fine")
    def work(ending: str) -> None:
        """Count items, and end in the given way for one of the tenants."""
        name = app.extensions["dynamo"].scope.tenant
        click.echo(f"{name} {thread_model.count('forum')}")
        if name == "globex":
            end(ending)

    return app


def end(ending: str) -> None:
    """End as a command may end: with an error, a message, an abort or an exit code."""
    if ending == "error":
        raise ValueError("broken")
    if ending == "click":
        raise click.ClickException("message")
    if ending == "abort":
        raise click.Abort
    if ending.startswith("exit"):
        sys.exit(int(ending[-1]))


def run(app: flask.Flask, *arguments: str) -> click.testing.Result:
    """Run a command."""
    return app.test_cli_runner().invoke(args=arguments)


def tables(recorder: recorders.Recorder) -> list[str]:
    """The tables of the recorded requests."""
    return [request.body["TableName"] for request in recorder.requests]


def test_it_runs_for_one_tenant(app: flask.Flask, recorder: recorders.Recorder) -> None:
    """``--tenant NAME`` runs the command for that tenant, without a heading."""
    done = run(app, "work", "--tenant", "acme")
    assert (done.exit_code, done.output, tables(recorder)) == (0, "acme 0\n", ["acme-Thread"])


def test_it_runs_for_several_tenants(app: flask.Flask, recorder: recorders.Recorder) -> None:
    """Several ``--tenant`` run in the given order, each with a heading on standard error."""
    done = run(app, "work", "--tenant", "initech", "--tenant", "acme")
    assert (done.exit_code, done.stdout) == (0, "initech 0\nacme 0\n")
    assert done.stderr == "Tenant initech:\nTenant acme:\n"
    assert tables(recorder) == ["initech-Thread", "acme-Thread"]


def test_it_runs_for_all_tenants(app: flask.Flask, recorder: recorders.Recorder) -> None:
    """``--all-tenants`` runs for each tenant of DYNAMODB_TENANTS."""
    assert run(app, "work", "--all-tenants").exit_code == 0
    assert tables(recorder) == ["acme-Thread", "globex-Thread", "initech-Thread"]


def test_it_runs_for_all_that_a_lister_names(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """With a ``db.tenant_lister``, ``--all-tenants`` runs for the tenants that it returns."""
    db.tenant_lister(lambda: ["initech"])
    assert run(app, "work", "--all-tenants").stdout == "initech 0\n"


@pytest.mark.parametrize(
    ("ending", "message"), [("error", "Error: ValueError: broken\n"), ("click", "Error: message\n"), ("exit3", "")]
)
def test_a_failure_does_not_stop_the_other_tenants(app: flask.Flask, ending: str, message: str) -> None:
    """The other tenants run, the failed one is named at the end, and the exit code is 1."""
    done = run(app, "work", "--all-tenants", "--ending", ending)
    assert (done.exit_code, done.stdout) == (1, "acme 0\nglobex 0\ninitech 0\n")
    assert f"Tenant globex:\n{message}Tenant initech:\n" in done.stderr
    assert done.stderr.endswith("Error: The command failed for 1 of 3 tenants: globex.\n")


def test_exit_code_0_is_no_failure(app: flask.Flask) -> None:
    """A command that calls ``sys.exit(0)`` for a tenant has not failed for it."""
    assert run(app, "work", "--all-tenants", "--ending", "exit0").exit_code == 0


def test_an_abort_stops_all_tenants(app: flask.Flask, recorder: recorders.Recorder) -> None:
    """Ctrl-C, or the answer no, ends the command for the remaining tenants, too."""
    assert run(app, "work", "--all-tenants", "--ending", "abort").exit_code == 1
    assert tables(recorder) == ["acme-Thread", "globex-Thread"]


def test_an_unknown_tenant_does_not_stop_the_others(app: flask.Flask) -> None:
    """Among several tenants, an unknown one has failed, and the others run."""
    done = run(app, "work", "--tenant", "umbrella", "--tenant", "acme")
    assert (done.exit_code, done.stdout) == (1, "acme 0\n")
    assert "The app 'app' has no tenant 'umbrella'." in done.stderr
    assert "failed for 1 of 2 tenants: umbrella" in done.stderr


def test_an_unknown_tenant_is_a_usage_error(app: flask.Flask) -> None:
    """A single ``--tenant`` that the app does not have exits with 2 and says where to add it."""
    done = run(app, "work", "--tenant", "umbrella")
    assert (done.exit_code, "has no tenant 'umbrella'. Add it to DYNAMODB_TENANTS" in done.output) == (2, True)


def test_both_options_are_a_usage_error(app: flask.Flask) -> None:
    """``--tenant`` and ``--all-tenants`` together exit with 2."""
    done = run(app, "work", "--tenant", "acme", "--all-tenants")
    assert (done.exit_code, "not both" in done.output) == (2, True)


@pytest.mark.parametrize("other", [["--tenant", "acme"], ["--all-tenants"]])
def test_without_tenant_excludes_the_other_options(app: flask.Flask, other: list[str]) -> None:
    """``--without-tenant`` together with another option exits with 2."""
    done = run(app, "work", "--without-tenant", *other)
    assert (done.exit_code, "Use one of --tenant, --all-tenants and --without-tenant" in done.output) == (2, True)


def test_it_runs_without_a_tenant(
    app: flask.Flask, recorder: recorders.Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """``--without-tenant`` runs the command for no tenant, also if the app requires one, and logs it."""
    done = run(app, "work", "--without-tenant")
    assert (done.exit_code, done.stdout, tables(recorder)) == (0, "None 0\n", ["Thread"])
    (message,) = [record.getMessage() for record in caplog.records if record.name == "dynaflask.tenants"]
    assert message.startswith("The app 'app' uses DynamoDB without a tenant: ")
    assert message.endswith("work --without-tenant'.")


def test_without_tenant_ignores_the_loader(
    app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder
) -> None:
    """``--without-tenant`` is for no tenant, also if ``db.tenant_loader`` returns one."""
    db.tenant_loader(lambda: "acme")
    assert run(app, "work", "--without-tenant").stdout == "None 0\n"
    assert run(app, "work").stdout == "acme 0\n"
    assert tables(recorder) == ["Thread", "acme-Thread"]


def test_every_command_takes_the_options(app: flask.Flask) -> None:
    """Each command of ``flask dynamo`` except ``local`` has the options of TenantCommand."""
    names = {
        name: {option for param in command.params for option in param.opts} for name, command in dynamo.commands.items()
    }
    assert {name for name, options in names.items() if options >= TENANT_OPTIONS} == names.keys() - {"local"}


def test_without_the_options_it_runs_for_no_tenant(app: flask.Flask, recorder: recorders.Recorder) -> None:
    """In an app that requires a tenant, that exits with 2, makes no call, and names the options."""
    for command in (["work"], ["dynamo", "status"], ["dynamo", "create"]):
        done = run(app, *command)
        assert (done.exit_code, recorder.requests) == (2, [])
        assert done.output.startswith("Usage: ")
        assert (
            "This command needs a tenant. Name one with --tenant NAME, or run it for each with --all-tenants."
            in done.output
        )


def test_a_command_without_tenant_may_run(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """A command in ``db.without_tenant`` runs without the options, also if the app requires a tenant."""

    @app.cli.command("tidy", cls=TenantCommand)
    @db.without_tenant(reason="it is all tenants'")
    def tidy() -> None:
        """Print the current tenant."""
        click.echo(str(db.current_tenant))

    assert (run(app, "tidy").exit_code, run(app, "tidy").stdout) == (0, "None\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("purge --tenant acme fill --tenant globex", ["acme-Thread", "globex-Thread"]),
        ("purge --tenant acme --tenant initech fill", ["acme-Thread", "initech-Thread", "Thread"]),
        ("purge fill --tenant globex", ["Thread", "globex-Thread"]),
        ("purge --without-tenant fill --tenant globex", ["Thread", "globex-Thread"]),
    ],
    ids=["two tenants", "several and none", "none and one", "without and one"],
)
def test_the_commands_of_a_chain_have_their_own_options(
    make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any, arguments: str, expected: list[str]
) -> None:
    """Click reads the options of all commands of a chain before it runs the first. Each runs for its own tenants."""
    app = make_app(host=recorder.url, region="us-east-1", tenants=TENANTS, **KEYS)

    @app.cli.group("jobs", chain=True)
    def jobs() -> None:
        """A chain of commands."""

    @jobs.command("purge", cls=TenantCommand)
    def purge() -> None:
        """Delete an item."""
        for_several.append(runs_for_several_tenants(click.get_current_context()))
        thread_model("forum", "subject").delete()

    @jobs.command("fill", cls=TenantCommand)
    def fill() -> None:
        """Save an item."""
        thread_model("forum", "subject").save()

    for_several: list[bool] = []
    done = run(app, "jobs", *arguments.split())
    assert (done.exit_code, tables(recorder)) == (0, expected), done.output
    assert [request.operation for request in recorder.requests][-1] == "PutItem"
    assert set(for_several) == {len(expected) > 2}


def test_a_command_that_another_one_invokes_runs_for_its_tenants(
    make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any
) -> None:
    """Click's ``ctx.invoke`` runs the function of a command inside another: for each tenant of the outer one."""
    app = make_app(host=recorder.url, region="us-east-1", tenants=TENANTS, **KEYS)

    @app.cli.command("fill", cls=TenantCommand)
    def fill() -> None:
        """Save an item."""
        for_several.append(runs_for_several_tenants(click.get_current_context()))
        thread_model("forum", "subject").save()

    @app.cli.command("refill", cls=TenantCommand)
    @click.pass_context
    def refill(context: click.Context) -> None:
        """Invoke the other command."""
        context.invoke(fill)

    for_several: list[bool] = []
    done = run(app, "refill", "--tenant", "acme", "--tenant", "globex")
    assert (done.exit_code, tables(recorder)) == (0, ["acme-Thread", "globex-Thread"]), done.output
    assert for_several == [True, True]


def test_all_tenants_needs_a_list_of_tenants(make_app: MakeApp, recorder: recorders.Recorder) -> None:
    """``--all-tenants`` without DYNAMODB_TENANTS and ``db.tenant_lister`` is an error that names the latter."""
    done = run(make_app(host=recorder.url, region="us-east-1"), "dynamo", "status", "--all-tenants")
    assert (done.exit_code, "tenant_lister" in done.output) == (1, True)


@pytest.mark.parametrize("require_tenant", [False, True])
def test_the_table_of_the_lister_is_missing(
    make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, require_tenant: bool
) -> None:
    """One message says that the tenants cannot be listed, and which command creates the table; another app runs."""
    plan = boards.declare_board(db, name="Plan", table_name="Plan", tenant=False)
    boards.declare_board(db)
    db.tenant_lister(lambda: [item.forum for item in plan.scan()])
    missing = {"__type": "x#ResourceNotFoundException", "message": "Requested resource not found"}
    created: set[str] = set()

    def answer(request: recorders.Request) -> recorders.Answer:
        if request.operation == "CreateTable":
            created.add(request.region)
        found = request.body.get("TableName") != "Plan" or request.region in created
        return recorders.plain_answer(request) if found else (400, missing)

    recorder.answer = answer
    settings = {"host": recorder.url, "require_tenant": require_tenant, **KEYS}
    one, two = (make_app(region, region=region, **settings) for region in ("eu-west-1", "us-east-1"))
    assert run(two, "dynamo", "create", "Plan", "--without-tenant").exit_code == 0
    for app, code in ((one, 1), (two, 0)):
        done = run(app, "dynamo", "create", "--all-tenants")
        assert done.exit_code == code
        assert ("@db.tenant_lister cannot read the names of the tenants." in done.stderr) is bool(code)
        assert ("run `flask dynamo create Plan --without-tenant`" in done.stderr) is bool(code)


def test_two_apps_have_their_own_tenants(
    make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
) -> None:
    """A command runs for the tenants of its own app, in their destinations."""
    for region in ("eu-west-1", "us-east-1"):
        app = make_app(region, host=recorder.url, region=region, tenants={"t": {"table_prefix": f"{region}-"}}, **KEYS)
        assert run(app, "dynamo", "models", "--all-tenants", "--json").exit_code == 0
        shown = json.loads(run(app, "dynamo", "models", "--tenant", "t", "--json").output)
        assert [(row["table"], row["region"]) for row in shown] == [(f"{region}-Thread", region)]


def test_without_tenants_it_says_so(
    make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
) -> None:
    """``--all-tenants`` says that an app has no tenants yet. Another app's tenants are not its own."""
    empty = make_app("empty", host=recorder.url, region="us-east-1", tenants={}, **KEYS)
    other = make_app("other", host=recorder.url, region="us-east-1", tenants=TENANTS, **KEYS)
    done = run(empty, "dynamo", "models", "--all-tenants")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "The app 'empty' has no tenants, so that there is nothing to do.\n"
    assert run(other, "dynamo", "models", "--all-tenants").stderr.splitlines() == [
        f"Tenant {name}:" for name in TENANTS
    ]


def test_the_table_commands_work_for_each_tenant(
    db: dynaflask.Dynamo, ministack: engines.Engine, account: engines.Account, thread_model: t.Any
) -> None:
    """``create``, ``status`` and ``drop`` work on the separate tables of each tenant."""
    app = flask.Flask("silo")
    app.config.update(ministack.settings(account), DYNAMODB_TENANTS=TENANTS)
    db.init_app(app)
    assert run(app, "dynamo", "create", "--all-tenants", "--wait").exit_code == 0
    assert run(app, "dynamo", "status", "--all-tenants").exit_code == 0
    assert run(app, "dynamo", "drop", "--tenant", "globex", "--yes").exit_code == 0
    done = run(app, "dynamo", "status", "--all-tenants")
    assert (done.exit_code, done.stderr.splitlines()[-1]) == (
        1,
        "Error: The command failed for 1 of 3 tenants: globex.",
    )


def test_the_tables_of_no_tenant_are_left_alone(
    make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder
) -> None:
    """``create`` and ``drop`` for a tenant call neither; ``--without-tenant`` does, and ``models`` shows all models."""
    boards.declare_board(db)
    boards.declare_board(db, name="Plan", table_name="Plan", tenant=False)
    app = make_app(host=recorder.url, region="us-east-1", tenants=TENANTS, **KEYS)
    for command in (["create"], ["drop", "--yes"], ["status"]):
        run(app, "dynamo", *command, "--all-tenants")
    assert {name for name in tables(recorder) if name.endswith("Plan")} == set()
    assert set(tables(recorder)) == {f"{name}-Board" for name in TENANTS}
    run(app, "dynamo", "drop", "Plan", "--yes", "--without-tenant")
    assert recorder.requests[-1].body["TableName"] == "Plan"
    shown = json.loads(run(app, "dynamo", "models", "--tenant", "acme", "--json").output)
    assert [row["model"] for row in shown] == ["Board", "Plan"]
