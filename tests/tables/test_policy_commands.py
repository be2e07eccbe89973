"""The IAM policy of an app's processes beside its web requests: streams and migrations."""

from __future__ import annotations

import json
import typing as t
import unittest.mock

import flask
import pytest

import dynaflask
from dynaflask.client.connection import Connection
from dynaflask.exceptions import ConfigurationError
from dynaflask.tables import migrations
from dynaflask.tables.migrations.files import Migration
from dynaflask.tables.observed import actions_by_table
from dynaflask.tables.policy import policy
from dynaflask.tables.policy_commands import COMMANDS
from dynaflask.tables.streams import follow
from tests.support import engines
from tests.support import streams
from tests.support.iam import ACCOUNT
from tests.support.iam import Call
from tests.support.iam import allowed
from tests.support.settings import MakeApp

PREFIX = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/"
STREAM_ACTIONS = ("DescribeStream", "GetRecords", "GetShardIterator")
LABEL = "/stream/2026-01-01T00:00:00.000"


@pytest.fixture
def app(make_app: MakeApp) -> flask.Flask:
    """An app in Ireland, with a role of the account."""
    return make_app(region="eu-west-1", role_arn=f"arn:aws:iam::{ACCOUNT}:role/app", table_prefix="prod-")


def stream_calls(table: str, **options: t.Any) -> list[Call]:
    """Each call that reads the stream of a table."""
    return [Call(action, f"{PREFIX}{table}{LABEL}", **options) for action in STREAM_ACTIONS]


def checkpoint_calls(table: str, *, of: str, **options: t.Any) -> list[Call]:
    """The calls on a table of checkpoints, for the stream of a table."""
    arn = f"{PREFIX}{table}"
    key = f"{PREFIX}{of}{LABEL}#jobs:index"
    return [Call("UpdateItem", arn, (key,), **options), Call("CreateTable", arn, **options)]


def test_a_policy_has_no_permission_for_commands_that_it_does_not_name(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """A web process reads no stream, and applies no migration."""
    note = streams.declare_note(db)
    with app.app_context():
        document = policy(db.registry, models=[note])
    calls = [*stream_calls("prod-Note"), *checkpoint_calls("prod-dynaflask_checkpoints", of="prod-Note")]
    assert allowed(document, calls) == [False] * len(calls)


def test_a_process_reads_the_streams_of_its_models(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """It reads no other stream, and writes no checkpoint of another."""
    note, other = streams.declare_note(db), streams.declare_note(db, table_name="Plain", stream_view_type=None)
    with app.app_context():
        document = policy(db.registry, models=[note, other], commands=["stream"])
    own = [*stream_calls("prod-Note"), *checkpoint_calls("prod-dynaflask_checkpoints", of="prod-Note")]
    foreign = [
        *stream_calls("prod-Plain"),
        *stream_calls("prod-Note2"),
        checkpoint_calls("prod-dynaflask_checkpoints", of="prod-Plain")[0],
        Call("UpdateItem", f"{PREFIX}prod-dynaflask_checkpoints"),
        *checkpoint_calls("dynaflask_checkpoints", of="prod-Note"),
        Call("Scan", f"{PREFIX}prod-dynaflask_checkpoints"),
        Call("UpdateItem", f"{PREFIX}prod-dynaflask_migrations", ("prod-Note",)),
    ]
    assert allowed(document, own + foreign) == [True] * len(own) + [False] * len(foreign)


def test_a_migration_needs_the_items_and_its_history(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """The history of other tables and of other apps is denied."""
    note = streams.declare_note(db)
    with app.app_context():
        document = policy(db.registry, models=[note], read_only=True, commands=["migrate"])
    history = f"{PREFIX}prod-dynaflask_migrations"
    own = [Call(action, f"{PREFIX}prod-Note") for action in ("Scan", "GetItem", "UpdateItem", "PutItem", "DeleteItem")]
    own += [
        Call(action, history, (target,))
        for action in ("GetItem", "Query", "UpdateItem")
        for target in ("prod-Note", "app:app")
    ]
    own += [Call("CreateTable", history), Call("DescribeTable", history)]
    foreign = [Call("UpdateItem", history, (target,)) for target in ("prod-Other", "app:other")]
    foreign += [Call("Scan", history), Call("DeleteItem", history, ("prod-Note",)), *stream_calls("prod-Note")]
    assert allowed(document, own + foreign) == [True] * len(own) + [False] * len(foreign)


def test_a_session_of_a_tenant_does_not_read_the_stream_of_all(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """The stream and the scan of a shared table are for sessions without a tenant's tag, if at all."""
    pooled = streams.declare_pooled(db)
    with app.app_context():
        document = policy(db.registry, models=[pooled], commands=COMMANDS)
    for tenant, is_allowed in ((None, True), ("acme", False), ("", False)):
        calls = [
            *stream_calls("prod-Pooled", tenant=tenant),
            *checkpoint_calls("prod-dynaflask_checkpoints", of="prod-Pooled", tenant=tenant),
            Call("Scan", f"{PREFIX}prod-Pooled", tenant=tenant),
            Call("UpdateItem", f"{PREFIX}prod-dynaflask_migrations", ("prod-Pooled",), tenant=tenant),
        ]
        assert allowed(document, calls) == [is_allowed] * len(calls)
    own = [Call("GetItem", f"{PREFIX}prod-Pooled", (f"{name}#1",), tenant="acme") for name in ("acme", "globex")]
    assert allowed(document, own) == [True, False]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_policy_for_one_tenant_of_a_shared_table_is_refused(
    app: flask.Flask, db: dynaflask.Dynamo, command: str
) -> None:
    """IAM cannot limit a stream or a scan to a tenant: the error says so."""
    pooled = streams.declare_pooled(db)
    with (
        app.app_context(),
        db.tenant("acme"),
        pytest.raises(ConfigurationError, match="IAM cannot limit that to 'acme'"),
    ):
        policy(db.registry, models=[pooled], commands=[command])


def test_two_tenants_with_tables_of_their_own(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """The process of a tenant reads that tenant's stream, and has that tenant's checkpoints and history."""
    note = streams.declare_note(db)
    app = make_app(region="eu-west-1", tenants={name: {"table_prefix": f"{name}-"} for name in ("acme", "globex")})
    with app.app_context(), db.tenant("acme"):
        document = policy(db.registry, models=[note], account=ACCOUNT, commands=COMMANDS)
    for name, is_allowed in (("acme", True), ("globex", False)):
        calls = [
            *stream_calls(f"{name}-Note"),
            *checkpoint_calls(f"{name}-dynaflask_checkpoints", of=f"{name}-Note"),
            Call("Scan", f"{PREFIX}{name}-Note"),
            Call("UpdateItem", f"{PREFIX}{name}-dynaflask_migrations", (f"{name}-Note",)),
        ]
        assert allowed(document, calls) == [is_allowed] * len(calls)


def test_a_stream_needs_a_model_that_has_one(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """Without a model with a stream, the error says what to declare."""
    note = streams.declare_note(db, stream_view_type=None)
    with app.app_context(), pytest.raises(ConfigurationError, match="Set stream_view_type"):
        policy(db.registry, models=[note], commands=["stream"])


def test_the_command_prints_it(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """``--for`` names the commands. Another name is refused."""
    note = streams.declare_note(db)
    runner = app.test_cli_runner()
    result = runner.invoke(args=["dynamo", "policy", "Note", "--for", "stream", "--for", "migrate"])
    with app.app_context():
        assert json.loads(result.output) == policy(db.registry, models=[note], commands=COMMANDS)
    assert runner.invoke(args=["dynamo", "policy", "--for", "web"]).exit_code == 2


def test_the_policy_allows_all_that_the_commands_call(
    make_app: MakeApp, db: dynaflask.Dynamo, ministack: engines.Engine, account: engines.Account
) -> None:
    """Each call that a process and a migration make on tables is allowed."""
    note = streams.declare_note(db)
    app = make_app(**streams.settings_of(ministack, account))
    calls: list[Call] = []
    stock = Connection._make_api_call

    def record(self: Connection, operation: str, params: dict[str, t.Any]) -> t.Any:
        calls.extend(_calls(operation, params, account=account.access_key_id))
        return stock(self, operation, params)

    def add_title(item: t.Any) -> None:
        item.title = "b"

    with app.app_context():
        db.create_all(wait=True)
        note("1", title="a").save()
        with unittest.mock.patch.object(Connection, "_make_api_call", record):
            follow(db.registry, note, lambda record: None, consumer="index", once=True)
            migrations.apply_migration(db.registry, Migration("0001_title", add_title, note))
        document = policy(db.registry, models=[note], account=ACCOUNT, commands=COMMANDS)
    assert {"CreateTable", "UpdateTimeToLive", "Scan", "UpdateItem", "DescribeTable"} <= {call.action for call in calls}
    assert [call for call, is_allowed in zip(calls, allowed(document, calls), strict=True) if not is_allowed] == []


def _calls(operation: str, params: dict[str, t.Any], *, account: str) -> list[Call]:
    """A call of an account of the server, as IAM sees it in the account of the tests."""
    key = params.get("Key", {})
    keys = tuple(key[name]["S"].replace(account, ACCOUNT) for name in ("consumer", "target") if name in key)
    return [
        Call(action, f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{table}", keys)
        for table, actions in actions_by_table(operation, params).items()
        for action in actions
    ]
