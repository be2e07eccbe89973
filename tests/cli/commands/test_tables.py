"""``flask dynamo models``, ``status``, ``create``, ``drop``, ``diff`` and ``sync``."""

from __future__ import annotations

import json

import flask
import pytest

import dynaflask
from tests.support import boards
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.commands import run
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


class TestTables:
    """The commands for tables, on a real engine."""

    def test_a_table_is_created_and_dropped(self, on_engine: flask.Flask, db: dynaflask.Dynamo) -> None:
        """``status`` exits with 1 before ``create``, with 0 after it, and shows no table after ``drop``."""
        boards.declare_board(db)
        assert run(on_engine, "status").exit_code == 1
        created = run(on_engine, "create", "--wait")
        assert (created.exit_code, created.output.split(" on ")[0].split("-")[-1]) == (0, "Board (Board)")
        assert run(on_engine, "create").output == "All tables exist.\n"
        assert run(on_engine, "status").exit_code == 0
        assert run(on_engine, "drop", "--yes", "--wait").exit_code == 0
        assert json.loads(run(on_engine, "status", "--json").output)[0]["exists"] is False

    @pytest.mark.parametrize("command", ["create", "status", "models", "diff", "sync", "check", "drop"])
    def test_an_app_without_models_is_told(
        self, engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, command: str
    ) -> None:
        """A command for tables says that the app has no models, and another app's models do not count."""
        boards.declare_board(db)
        empty, other = flask.Flask("empty"), flask.Flask("other")
        for app in (empty, other):
            app.config.from_mapping(engine.settings(account))
        db.init_app(empty, models=[])
        db.init_app(other)
        result = run(empty, command)
        assert (result.exit_code, "This app has no models. Import their modules" in result.stderr) == (0, True)
        assert "has no models" not in run(other, "models").stderr

    def test_create_for_a_tenant_without_tables_of_its_own(
        self, engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
    ) -> None:
        """If all models are shared, ``create`` says that a tenant needs no table."""
        boards.declare_board(db, tenant=False)
        app = flask.Flask("app")
        app.config.from_mapping(engine.settings(account), DYNAMODB_TENANTS={"acme": {}})
        db.init_app(app)
        assert run(app, "create", "--tenant", "acme").stdout == "There is no table to create.\n"

    def test_the_status_has_a_row_for_each_table(self, on_engine: flask.Flask, db: dynaflask.Dynamo) -> None:
        """``status --json`` has an object for each table, missing ones included, with numbers and lists."""
        boards.declare_board(db)
        boards.declare_board(db, name="Post", bind_key="eu")
        run(on_engine, "create", "Post", "--wait")
        missing, present = json.loads(run(on_engine, "status", "--json").output)
        assert (missing["models"], missing["exists"], missing["drift"]) == (["Board"], False, ["missing"])
        assert (present["bind"], present["state"], present["items"], present["drift"]) == ("eu", "ACTIVE", 0, [])
        url = on_engine.config["DYNAMODB_HOST"]
        assert [(row["region"], row["endpoint"]) for row in (missing, present)] == [
            ("us-east-1", url),
            ("eu-west-1", url),
        ]

    def test_drop_shows_tables_and_destinations_before_it_asks(
        self, on_engine: flask.Flask, db: dynaflask.Dynamo
    ) -> None:
        """``drop`` shows each table with its destination and account; without a yes it drops nothing."""
        board = boards.declare_board(db, bind_key="eu")
        run(on_engine, "create", "--wait")
        (account,) = {row["account"] for row in json.loads(run(on_engine, "status", "--json").output)}
        assert account.isdigit()
        refused = run(on_engine, "drop", answer="\n")
        url = on_engine.config["DYNAMODB_HOST"]
        assert f"Board (Board) on eu, eu-west-1, {url}, account {account}\nContinue? [y/N]" in refused.output
        assert refused.exit_code == 1
        with on_engine.app_context():
            assert board.exists()
        assert "Deleted" in run(on_engine, "drop", answer="y\n").output

    def test_drop_for_a_tenant_announces_no_table_of_all_tenants(
        self, engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
    ) -> None:
        """It is refused before a question, and the table stays."""
        board = boards.declare_board(db, attributes={"forum": dynaflask.TenantKey(hash_key=True)})
        app = flask.Flask("pool")
        app.config.from_mapping(engine.settings(account), DYNAMODB_TENANTS={"acme": {}, "globex": {}})
        db.init_app(app)
        run(app, "create", "--tenant", "acme", "--wait")
        result = run(app, "drop", "--tenant", "acme", answer="y\n")
        assert result.exit_code == 1
        assert "would delete the items of all tenants" in result.output
        assert "Will be deleted" not in result.output
        with app.app_context():
            assert board.exists()

    def test_drop_of_a_missing_table_asks_nothing(self, on_engine: flask.Flask, db: dynaflask.Dynamo) -> None:
        """``drop`` names the missing table and its destination, asks nothing, and exits with 0."""
        board = boards.declare_board(db)
        dropped = run(on_engine, "drop", board.__name__)
        assert (dropped.exit_code, len(dropped.output.splitlines())) == (0, 1)
        assert dropped.output.startswith("Does not exist: test-")
        assert "Board (Board) on default, us-east-1, " in dropped.output

    def test_diff_and_sync_agree(self, on_engine: flask.Flask, db: dynaflask.Dynamo) -> None:
        """A dry run and the answer no change nothing; after ``--yes`` there is no difference."""
        boards.declare_board(db)
        run(on_engine, "create", "--wait")
        boards.declare_board(db, attributes=boards.everything())
        differences = json.loads(run(on_engine, "diff", "Board", "--json").output)
        assert [each["what"] for each in differences] == ["global index 'byViews'", "time to live"]
        for arguments in (["sync", "--dry-run"], ["sync"]):
            shown = run(on_engine, *arguments, answer="n\n")
            assert "Differs: " in shown.output
            assert "views N HASH" in shown.output
            assert shown.exit_code == 1
        done = run(on_engine, "sync", "--yes", "--wait")
        assert (done.exit_code, done.output.count(" becomes ")) == (0, 2)
        for command in ("diff", "sync"):
            done = run(on_engine, command)
            assert (done.exit_code, done.output) == (0, "No differences.\n")
        assert run(on_engine, "diff", "--json").output == "[]\n"

    def test_sync_shows_what_it_cannot_change(self, on_engine: flask.Flask, db: dynaflask.Dynamo) -> None:
        """If DynamoDB can change none of the differences, ``sync`` shows them, asks nothing, and exits with 1."""
        boards.declare_board(db)
        run(on_engine, "create", "--wait")
        boards.declare_board(db, attributes={"lo": boards.make_local_index("lo")})
        done = run(on_engine, "sync")
        assert done.exit_code == 1
        assert "Only a new table can have it" in done.output
        assert "Continue?" not in done.output

    def test_prune_deletes_stray_indexes(self, on_engine: flask.Flask, db: dynaflask.Dynamo) -> None:
        """An index that no model declares is a difference only with ``--prune``, which deletes it."""
        boards.declare_board(db, attributes=boards.everything())
        run(on_engine, "create", "--wait")
        boards.declare_board(db)
        assert run(on_engine, "diff").exit_code == 0
        assert run(on_engine, "diff", "--prune").exit_code == 1
        assert run(on_engine, "sync", "--prune", "--yes", "--wait").exit_code == 0
        assert run(on_engine, "diff", "--prune").exit_code == 0


def test_models_shows_tables_and_destinations(
    make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo
) -> None:
    """``models`` shows what the app is configured with, and makes no call."""
    app = make_app(
        host=recorder.url, region="us-east-1", table_prefix="t-", binds={"eu": {"region": "eu-west-1"}}, **KEYS
    )
    boards.declare_board(db, attributes=boards.everything())
    boards.declare_board(db, name="Post", bind_key="eu")
    first, second = json.loads(run(app, "models", "--json").output)
    assert first == {
        "model": "Board",
        "table": "t-Board",
        "bind": "default",
        "region": "us-east-1",
        "endpoint": recorder.url,
        "keys": ["forum S HASH", "subject S RANGE"],
        "indexes": ["byViews"],
    }
    assert (second["bind"], second["region"], second["indexes"]) == ("eu", "eu-west-1", [])
    assert recorder.requests == []
