"""Flask-Dynamo's names: an app that was written for it runs with one import changed."""

from __future__ import annotations

import os
import threading
import typing as t
import urllib.parse

import boto3
import flask
import pytest
from botocore.exceptions import ClientError
from botocore.exceptions import ParamValidationError
from pynamodb.attributes import UnicodeAttribute

from dynaflask import TenantRequired
from dynaflask.compat.flask_dynamo import Dynamo
from tests.support import engines
from tests.support import forks
from tests.support.settings import MakeApp


def describe(name: str, key: str) -> dict[str, t.Any]:
    """An entry of ``DYNAMO_TABLES``."""
    return {
        "TableName": name,
        "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": "S"}],
        "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5},
    }


@pytest.fixture
def make_peer_app(ministack: engines.Engine, account: engines.Account) -> MakeApp:
    """Make an app that is configured for Flask-Dynamo, with an account of its own on a local server."""
    local = urllib.parse.urlsplit(ministack.url)

    def make(name: str = "app", **settings: t.Any) -> flask.Flask:
        app = flask.Flask(name)
        app.config.from_mapping(
            DYNAMO_TABLES=[describe("users", "username"), describe("groups", "name")],
            DYNAMO_ENABLE_LOCAL=True,
            DYNAMO_LOCAL_HOST=local.hostname,
            DYNAMO_LOCAL_PORT=local.port,
            AWS_ACCESS_KEY_ID=account.access_key_id,
            AWS_SECRET_ACCESS_KEY="any",
        )
        app.config.update(settings)
        return app

    return make


def test_the_configured_tables_are_boto3_resources(make_peer_app: MakeApp) -> None:
    """The tables of DYNAMO_TABLES are created, used and deleted by their configured names."""
    dynamo = Dynamo(app := make_peer_app())
    with app.app_context():
        dynamo.create_all(wait=True)
        dynamo.tables["users"].put_item(Item={"username": "rdegges", "age": 30})
        assert dynamo.get_table("users").get_item(Key={"username": "rdegges"})["Item"]["age"] == 30
        assert (dynamo.tables.keys(), dynamo.tables.len()) == (["users", "groups"], 2)
        assert {name: table.name for name, table in dynamo.tables.items()} == {"users": "users", "groups": "groups"}
        dynamo.destroy_all(wait=True)
        assert list(dynamo.connection.tables.all()) == []


def test_the_apps_extension_has_the_same_names(make_peer_app: MakeApp) -> None:
    """``app.extensions["dynamo"]`` has the tables, the session and the connection of the app."""
    dynamo = Dynamo()
    app = make_peer_app()
    dynamo.init_app(app)
    registry = app.extensions["dynamo"]
    registry.create_all(True)
    registry.get_table("users").put_item(Item={"username": "rdegges"})
    with app.app_context():
        assert dynamo.tables["users"].item_count == 1
        assert dynamo.connection is registry.connection
        assert dynamo.session is registry.session
    registry.destroy_all()
    registry.tables.wait_not_exists("users")


def test_without_a_context_the_only_app_is_used(make_peer_app: MakeApp) -> None:
    """Outside of contexts, an object with one app uses that app."""
    dynamo = Dynamo(app := make_peer_app())
    dynamo.create_all(wait=True)
    assert sorted(table.name for table in dynamo.connection.tables.all()) == ["groups", "users"]
    assert dynamo.app is app


def test_existing_tables_stay(make_peer_app: MakeApp) -> None:
    """``create_all`` keeps existing tables, and creates the new ones."""
    dynamo = Dynamo(app := make_peer_app())
    dynamo.create_all()
    dynamo.tables["users"].put_item(Item={"username": "rdegges"})
    app.config["DYNAMO_TABLES"].append(describe("roles", "name"))
    dynamo.create_all()
    assert dynamo.tables["users"].item_count == 1
    dynamo.tables.wait_exists("roles")


def test_a_missing_table_cannot_be_deleted(make_peer_app: MakeApp) -> None:
    """``destroy_all`` of a table that does not exist raises DynamoDB's error."""
    dynamo = Dynamo(make_peer_app())
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        dynamo.destroy_all()


def test_two_apps_are_separate(make_peer_app: MakeApp) -> None:
    """Two apps have their own region, keys, session and tables; in Flask-Dynamo the second gets those of the first."""
    dynamo = Dynamo()
    us = make_peer_app("us", AWS_REGION="us-west-2")
    eu = make_peer_app("eu", AWS_REGION="eu-west-1", DYNAMO_TABLES=[describe("only-eu", "name")])
    for app in (us, eu):
        dynamo.init_app(app)
        with app.app_context():
            dynamo.create_all(wait=True)
    for app, region, names in ((us, "us-west-2", ["groups", "users"]), (eu, "eu-west-1", ["only-eu"])):
        with app.app_context():
            assert dynamo.session.region_name == dynamo.connection.meta.client.meta.region_name == region
            assert (
                sorted(table.name for table in dynamo.connection.tables.all()) == sorted(dynamo.tables.keys()) == names
            )
    assert [app.extensions["dynamo"].tables.len() for app in (us, eu)] == [2, 1]


def test_two_apps_sign_with_their_own_keys(make_peer_app: MakeApp) -> None:
    """Two apps sign with their own keys and tokens."""
    dynamo = Dynamo()
    apps = [make_peer_app(key, AWS_ACCESS_KEY_ID=key, AWS_SESSION_TOKEN=f"of {key}") for key in ("1" * 12, "2" * 12)]
    for app in apps:
        dynamo.init_app(app)
    credentials = [app.extensions["dynamo"].session.get_credentials() for app in apps]
    assert [(keys.access_key, keys.token) for keys in credentials] == [(app.name, f"of {app.name}") for app in apps]


def test_with_two_apps_a_context_is_needed(make_peer_app: MakeApp) -> None:
    """Outside of contexts, an object with two apps raises an error that names both."""
    us, eu = make_peer_app("us"), make_peer_app("eu")
    dynamo = Dynamo(us)
    dynamo.init_app(eu)
    with pytest.raises(RuntimeError, match="dynamo.create_all could mean any of the apps 'eu', 'us'"):
        dynamo.create_all()


def test_a_configured_session_is_used_itself(make_peer_app: MakeApp, account: engines.Account) -> None:
    """``DYNAMO_SESSION`` wins over keys and region, and may be shared by apps."""
    session = boto3.session.Session(account.access_key_id, "any", region_name="eu-north-1")
    dynamo = Dynamo(app := make_peer_app(DYNAMO_SESSION=session, AWS_REGION="us-west-2"))
    dynamo.create_all(wait=True)
    assert dynamo.session is session
    assert dynamo.connection.meta.client.meta.region_name == "eu-north-1"
    other = Dynamo(elsewhere := make_peer_app(DYNAMO_SESSION=session))
    assert other.connection is not dynamo.connection
    assert app.config["DYNAMO_SESSION"] is elsewhere.config["DYNAMO_SESSION"]


def test_the_defaults_are_written_into_the_config_of_the_app(
    make_peer_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with Flask-Dynamo, a missing key of ``app.config`` gets the environment's value or the default."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, f"environment-{name}")
    monkeypatch.delenv("AWS_REGION", raising=False)
    configured, other, bare = make_peer_app(AWS_REGION="us-west-2"), flask.Flask("other"), flask.Flask("bare")
    before, other_before, environment = dict(configured.config), dict(other.config), dict(os.environ)
    Dynamo(configured).create_all()
    assert dict(configured.config) == {**before, "AWS_SESSION_TOKEN": None, "DYNAMO_SESSION": None}
    Dynamo(bare)
    assert {name: bare.config[name] for name in bare.config.keys() - other_before.keys()} == {
        "DYNAMO_SESSION": None,
        "DYNAMO_TABLES": [],
        "DYNAMO_ENABLE_LOCAL": False,
        "DYNAMO_LOCAL_HOST": None,
        "DYNAMO_LOCAL_PORT": None,
        "AWS_ACCESS_KEY_ID": "environment-AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY": "environment-AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN": "environment-AWS_SESSION_TOKEN",
        "AWS_REGION": "us-east-1",
    }
    # An app that was not given has no part in it, and neither has the environment.
    assert (dict(other.config), dict(os.environ)) == (other_before, environment)
    bare.config["DYNAMO_TABLES"].append(describe("roles", "name"))
    assert bare.extensions["dynamo"].tables.keys() == ["roles"]


def test_settings_of_dynaflask_win(make_peer_app: MakeApp) -> None:
    """``DYNAMODB_*`` settings win over Flask-Dynamo's; credentials are taken as a whole."""
    key = engines.Account().access_key_id
    app = make_peer_app(
        DYNAMODB_TABLE_PREFIX="blue-",
        DYNAMODB_READ_TIMEOUT_SECONDS=3,
        DYNAMODB_AWS_ACCESS_KEY_ID=key,
        DYNAMODB_AWS_SECRET_ACCESS_KEY="other",
    )
    dynamo = Dynamo(app)
    dynamo.create_all(wait=True)
    assert [name for name, _ in dynamo.tables.items()] == ["users", "groups"]
    assert dynamo.tables["users"].name == "blue-users"
    assert dynamo.connection.meta.client.meta.config.read_timeout == 3
    assert dynamo.session.get_credentials().access_key == key
    dynamo.destroy_all()


def test_a_block_has_a_connection_of_its_own(make_peer_app: MakeApp) -> None:
    """In a ``db.using`` block, connection and tables are those of the block's destination."""
    dynamo = Dynamo(app := make_peer_app())
    with app.app_context():
        with dynamo.using(region="eu-west-1", table_prefix="eu-"):
            assert dynamo.connection.meta.client.meta.region_name == "eu-west-1"
            assert dynamo.tables["users"].name == "eu-users"
        assert dynamo.connection.meta.client.meta.region_name == Dynamo.DEFAULT_REGION


def test_models_can_be_added(make_peer_app: MakeApp) -> None:
    """The same object has models, on the same tables as boto3."""
    dynamo = Dynamo(app := make_peer_app())

    class User(dynamo.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "users"

        username = UnicodeAttribute(hash_key=True)

    dynamo.create_all(wait=True)
    dynamo.tables["users"].put_item(Item={"username": "rdegges"})
    assert User.get("rdegges").username == "rdegges"
    with app.app_context(), dynamo.transact_write() as transaction:
        transaction.save(User("guido"))
    assert dynamo.tables["users"].item_count == 2


def test_boto3_checks_its_arguments(make_peer_app: MakeApp) -> None:
    """boto3 validates the arguments before a request is sent."""
    dynamo = Dynamo(app := make_peer_app())
    with app.app_context():
        with pytest.raises(ParamValidationError):
            dynamo.tables["users"].put_item(data={"username": "rdegges"})


def test_threads_share_one_connection(make_peer_app: MakeApp) -> None:
    """Threads that use the connection for the first time at once share one session and one resource."""
    dynamo = Dynamo(app := make_peer_app())
    barrier, pairs = threading.Barrier(4), []

    def use() -> None:
        barrier.wait()
        with app.app_context():
            pairs.append((dynamo.session, dynamo.connection))

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({(id(session), id(connection)) for session, connection in pairs}) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_has_a_connection_of_its_own(make_peer_app: MakeApp) -> None:
    """A forked child has a connection of its own, and does not read its parent's responses."""
    dynamo = Dynamo(make_peer_app())
    dynamo.create_all(wait=True)
    parents = id(dynamo.connection)
    assert forks.exit_code_of(lambda: id(dynamo.connection) != parents and not dynamo.tables["users"].item_count) == 0


@pytest.mark.parametrize("name", ["session", "connection", "tables"])
def test_a_required_tenant_is_missing_in_another_apps_context(make_peer_app: MakeApp, name: str) -> None:
    """With DYNAMODB_REQUIRE_TENANT, use of an app's registry in another app's context is refused."""
    dynamo = Dynamo()
    strict, other = make_peer_app("strict", DYNAMODB_REQUIRE_TENANT=True), make_peer_app("other")
    for app in (strict, other):
        dynamo.init_app(app)
    registry = strict.extensions["dynamo"]
    with other.app_context(), pytest.raises(TenantRequired):
        _ = registry.tables["users"] if name == "tables" else getattr(registry, name)
