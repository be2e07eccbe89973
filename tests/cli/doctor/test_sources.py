"""Where a setting comes from: each place has the name that the user typed."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb import settings as pynamodb_settings

import dynaflask
from dynaflask.cli.doctor import sources
from dynaflask.cli.doctor.sources import Client
from tests.support import models
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


def values(app: flask.Flask, key: str | None = None, *, model: t.Any = None, client: Client | None = None) -> t.Any:
    """The value and the source of each setting of a bind, in a context of an app."""
    registry = app.extensions["dynamo"]
    bind = registry.scope.bind(key)
    if model is not None:
        bind = registry.scope.resolve(registry.models.declaration_of(model)).bind
    layers = sources.layers_of(registry, bind, model)
    found = sources.values_of(bind, layers, client or Client())
    return {value.setting: (value.value, value.source) for value in found}


def test_settings_binds_and_defaults_are_told_apart(make_app: MakeApp) -> None:
    """A plain key, a bind's own value and a default have their names, in two apps each their own."""
    one = make_app(
        "one", region="us-east-1", table_prefix="one-", transport="stock", binds={"eu": {"region": "eu-west-1", **KEYS}}
    )
    two = make_app("two", region="us-east-1", profile="forum")
    with one.app_context():
        found = values(one)
        assert found["region"] == ("us-east-1", "DYNAMODB_REGION")
        assert found["table prefix"] == ("one-", "DYNAMODB_TABLE_PREFIX")
        assert found["transport"] == ("stock", "DYNAMODB_TRANSPORT")
        assert found["endpoint"] == (None, "default of AWS for the region")
        found = values(one, "eu")
        assert found["region"] == ("eu-west-1", "DYNAMODB_BINDS['eu']['region']")
        assert found["identity"] == ("key …", "DYNAMODB_BINDS['eu']['aws_access_key_id']")
    with two.app_context():
        found = values(two)
        assert found["identity"] == ("profile forum", "DYNAMODB_PROFILE")
        assert (found["table prefix"], found["transport"]) == ((None, "default"), (None, "default"))


def test_a_model_has_sources_of_its_own(db: dynaflask.Dynamo, make_app: MakeApp) -> None:
    """``Meta`` and ``DYNAMODB_MODELS`` are named."""
    thread = models.declare_thread(db, region="eu-west-1")
    app = make_app(region="us-east-1", models={"Thread": {"host": "http://127.0.0.1:1"}}, table_prefix=str.lower)
    with app.app_context():
        found = values(app, model=thread)
        assert found["region"] == ("eu-west-1", "Thread.Meta.region")
        assert found["endpoint"] == ("http://127.0.0.1:1", "DYNAMODB_MODELS['Thread']['host']")
        assert found["table prefix"] == ("function lower", "DYNAMODB_TABLE_PREFIX")


def test_a_context_is_a_source(db: dynaflask.Dynamo, make_app: MakeApp) -> None:
    """What a block entered wins, and is named."""
    app = make_app(region="us-east-1")
    with app.app_context(), db.using(region="eu-west-1"):
        assert values(app)["region"] == ("eu-west-1", "the current context: db.using, or a change of Meta")


def test_two_tenants_have_sources_of_their_own(db: dynaflask.Dynamo, make_app: MakeApp) -> None:
    """A tenant of the settings, its bind, and a tenant of the program are told apart."""
    tenants = {"acme": {"region": "eu-west-1"}, "globex": {"bind_key": "far"}}
    app = make_app(region="us-east-1", binds={"far": {"region": "ap-south-1"}}, tenants=tenants)

    @db.tenant_settings
    def settings_of(name: str) -> t.Any:
        return {"region": "sa-east-1"} if name == "initech" else None

    with app.app_context():
        for name, expected in (
            ("acme", ("eu-west-1", "DYNAMODB_TENANTS['acme']['region']")),
            ("globex", ("ap-south-1", "DYNAMODB_BINDS['far']['region']")),
            ("initech", ("sa-east-1", "db.tenant_settings('initech')['region']")),
        ):
            with db.tenant(name):
                assert values(app)["region"] == expected


def test_the_environment_is_a_source(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables, a profile and botocore's chain are named where no setting is."""
    with (app := make_app()).app_context():
        assert values(app)["region"] == (None, "nowhere: set DYNAMODB_REGION or AWS_DEFAULT_REGION")
        assert values(app)["identity"] == (None, "nowhere: botocore found no credentials")
        profile = Client(
            region="eu-west-1", scoped_config={"region": "eu-west-1"}, method="sso", access_key_id="A" * 20
        )
        assert values(app, client=profile)["region"] == ("eu-west-1", "profile")
        assert values(app, client=profile)["identity"] == ("AAAA…AAAA", "SSO session of the profile")
        assert values(app, client=Client(method="other"))["identity"] == (None, "other")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://ann:pw@host:1")
        client = Client(region="eu-west-1", endpoint_url="http://ann:pw@host:1")
        assert values(app, client=client)["region"] == ("eu-west-1", "environment variable AWS_DEFAULT_REGION")
        assert values(app, client=client)["endpoint"] == ("http://host:1", "environment variable AWS_ENDPOINT_URL")


def test_the_local_server_has_defaults(make_app: MakeApp) -> None:
    """Its region and keys need no setting; the endpoint is that of the running server."""
    with (app := make_app(host="local")).app_context():
        found = values(app, client=Client(region="us-east-1", endpoint_url="http://127.0.0.1:9"))
        assert found["region"] == ("us-east-1", "default")
        assert found["identity"] == ("local", "default of the local server")
        assert found["endpoint"] == ("local: http://127.0.0.1:9", "DYNAMODB_HOST")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (
            {"role_arn": "arn:aws:iam::111122223333:role/forum", "profile": "p"},
            ("role arn:aws:iam::111122223333:role/forum", "DYNAMODB_ROLE_ARN"),
        ),
        ({"client_factory": lambda bind: None}, ("client_factory", "DYNAMODB_CLIENT_FACTORY")),
    ],
)
def test_the_identity_that_wins_is_shown(make_app: MakeApp, settings: t.Any, expected: tuple[str, str]) -> None:
    """A factory and a role win over the credentials that assume the role."""
    with (app := make_app(region="us-east-1", **settings)).app_context():
        assert values(app)["identity"] == expected


def test_a_session_is_a_source_of_the_region(make_app: MakeApp) -> None:
    """The region of the program's own session is named."""
    import botocore.session

    with (app := make_app(session=botocore.session.Session())).app_context():
        found = values(app, client=Client(region="eu-west-1"))
        assert (found["region"], found["identity"]) == (
            ("eu-west-1", "DYNAMODB_SESSION"),
            ("session", "DYNAMODB_SESSION"),
        )


def test_pynamodbs_file_is_a_source(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value from PynamoDB's settings file has the path of that file as its source."""

    class File:
        region = "eu-west-1"
        host = "http://127.0.0.1:2"

    monkeypatch.setattr(pynamodb_settings, "override_settings", File)
    with (app := make_app()).app_context():
        source = f"PynamoDB's settings file {pynamodb_settings.OVERRIDE_SETTINGS_PATH}"
        assert values(app)["region"] == ("eu-west-1", source)
        assert values(app)["endpoint"] == ("http://127.0.0.1:2", source)
