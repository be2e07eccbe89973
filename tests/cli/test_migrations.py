"""``flask dynamo migrate`` and ``flask dynamo seed``."""

from __future__ import annotations

import contextlib
import json
import pathlib
import typing as t

import click.testing
import flask
import pytest

import dynaflask
from tests.support import engines
from tests.support import migrations
from tests.support.settings import MakeApp


@pytest.fixture
def app(
    make_app: MakeApp, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
) -> t.Iterator[flask.Flask]:
    """An app with two tenants, each with an item in a table of its own."""
    note = migrations.declare_note(db)
    shared = {name.removeprefix("DYNAMODB_").lower(): value for name, value in ministack.settings(account).items()}
    tenants = {name: {"table_prefix": f"{account.table_prefix}{name}-"} for name in ("acme", "globex")}
    app = make_app(**shared, tenants=tenants, require_tenant=True)
    with app.app_context():
        for name in tenants:
            with db.tenant(name):
                db.create_all(wait=True)
                note("1", title=name).save()
    return app


@pytest.fixture
def directory(tmp_path: pathlib.Path) -> str:
    """A directory with a migration."""
    return str(migrations.write_file(tmp_path / "migrations"))


def run(app: flask.Flask, *arguments: str) -> click.testing.Result:
    """Run ``flask dynamo ...``."""
    return app.test_cli_runner().invoke(args=["dynamo", *arguments])


def test_migrate_runs_once_for_each_tenant(
    app: flask.Flask, account: engines.Account, directory: str, tmp_path: pathlib.Path
) -> None:
    """It prints each migration with its table and numbers, and then that there is nothing left."""
    migrations.write_file(tmp_path / "migrations", "def forwards(): pass", name="0002_function")
    first = run(app, "migrate", "--directory", directory, "--all-tenants")
    assert first.exit_code == 0, first.output
    for name in ("acme", "globex"):
        assert f"Applied 0001_add_slug to {account.table_prefix}{name}-Note: 1 of 1 items changed.\n" in first.output
    assert first.output.count("Applied 0002_function to app:app.\n") == 2
    second = run(app, "migrate", "--directory", directory, "--tenant", "acme")
    assert (second.exit_code, second.output) == (0, "All migrations are applied.\n")


def test_a_dry_run_changes_nothing(app: flask.Flask, account: engines.Account, directory: str) -> None:
    """``--dry-run`` prints what would change, as often as it runs."""
    arguments = ("migrate", "--directory", directory, "--tenant", "acme", "--dry-run", "--segments", "1", "--rate", "9")
    expected = f"Would apply 0001_add_slug to {account.table_prefix}acme-Note: 1 of 1 items change.\n"
    assert [run(app, *arguments).output for _ in range(2)] == [expected, expected]


def test_list_exits_with_1_until_all_are_applied(app: flask.Flask, account: engines.Account, directory: str) -> None:
    """``--list --json`` has an object for each migration, and changes nothing."""
    arguments = ("migrate", "--directory", directory, "--tenant", "acme")
    pending = run(app, *arguments, "--list", "--json")
    assert (pending.exit_code, json.loads(pending.output)) == (
        1,
        [
            {
                "migration": "0001_add_slug",
                "target": f"{account.table_prefix}acme-Note",
                "tenant": "acme",
                "status": "pending",
                "items_read": 0,
                "items_changed": 0,
                "applied_at": None,
            }
        ],
    )
    run(app, *arguments)
    applied = run(app, *arguments, "--list")
    assert (applied.exit_code, "applied" in applied.output) == (0, True)


def test_the_total_of_a_bar_is_the_count_of_the_table(
    app: flask.Flask, directory: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal there is a bar for each migration, also for one without a model."""
    migrations.write_file(tmp_path / "migrations", "def forwards(): pass", name="0002_function")
    totals: list[int] = []

    @contextlib.contextmanager
    def bar(label: str, *, total: t.Callable[[], int]) -> t.Iterator[t.Callable[[int], None]]:
        totals.append(total())
        yield lambda count: None

    monkeypatch.setattr("dynaflask.cli.migrations.progress", bar)
    run(app, "migrate", "--directory", directory, "--tenant", "acme")
    assert totals == [1, 0]


@pytest.mark.parametrize("arguments", [["migrate"], ["migrate", "--list"], ["migrate", "--dry-run"]])
def test_a_missing_directory_is_an_error(
    app: flask.Flask, arguments: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """The message names the directory and the option, and the exit code is 1."""
    monkeypatch.chdir(tmp_path)
    failed = run(app, *arguments, "--tenant", "acme")
    assert (failed.exit_code, failed.output) == (
        1,
        "Error: There is no directory migrations. Name the one with your migrations: --directory.\n",
    )


def test_migrate_needs_a_tenant(app: flask.Flask, directory: str) -> None:
    """Without a tenant, where one is required, the exit code is 2."""
    failed = run(app, "migrate", "--directory", directory)
    assert (failed.exit_code, "Name one with --tenant NAME" in failed.output) == (2, True)


def test_seed_takes_a_file_for_each_tenant(app: flask.Flask, db: dynaflask.Dynamo, tmp_path: pathlib.Path) -> None:
    """``{tenant}`` in the name of the file is the tenant; ``seed`` prints how many items it wrote."""
    for name in ("acme", "globex"):
        seed = {"Note": [{"id": "1", "title": "Seed"}, {"id": name, "title": "Seed"}]}
        (tmp_path / f"{name}.json").write_text(json.dumps(seed), encoding="utf-8")
    done = run(app, "seed", str(tmp_path / "{tenant}.json"), "--all-tenants")
    assert (done.exit_code, done.output.count("Wrote 1 items; 1 exist already.")) == (0, 2)
    replaced = run(app, "seed", str(tmp_path / "acme.json"), "--tenant", "acme", "--replace")
    assert replaced.output == "Wrote 2 items; 0 exist already.\n"
    note = vars(db)["notes"][0]
    with app.app_context(), db.tenant("acme"):
        assert {each.id: each.title for each in note.scan()} == {"1": "Seed", "acme": "Seed"}


def test_a_wrong_seed_is_an_error(app: flask.Flask, tmp_path: pathlib.Path) -> None:
    """The message names the file and the item, and the exit code is 1."""
    (tmp_path / "seed.json").write_text('{"Note": [{"id": "1"}]}', encoding="utf-8")
    failed = run(app, "seed", str(tmp_path / "seed.json"), "--tenant", "acme")
    assert (failed.exit_code, "Error: " in failed.output, "Note[0] does not fit" in failed.output) == (1, True, True)
