"""The document with the tables of an app, deployed by a CloudFormation that creates real tables."""

from __future__ import annotations

import collections.abc as cabc
import json
import typing as t

import botocore.session
import flask
import pytest

import dynaflask
from dynaflask import tables
from dynaflask.exceptions import ConfigurationError
from dynaflask.tables.export import FORMATS
from dynaflask.tables.export import export
from tests.support import boards
from tests.support import engines
from tests.support.settings import MakeApp


@pytest.fixture
def app(make_app: MakeApp) -> flask.Flask:
    """An app with a prefix, and a second bind."""
    return make_app(region="eu-west-1", table_prefix="prod-", binds={"us": {"region": "us-east-1"}})


@pytest.fixture(scope="module")
def cloud() -> cabc.Iterator[engines.Engine]:
    """A ministack with CloudFormation."""
    with engines.ministack("cloudformation") as engine:
        yield engine


def deploy(engine: engines.Engine, account: engines.Account, template: dict[str, t.Any], **parameters: str) -> None:
    """Create a stack from a template."""
    client = botocore.session.get_session().create_client(
        "cloudformation",
        engine.region,
        endpoint_url=engine.url,
        aws_access_key_id=account.access_key_id,
        aws_secret_access_key=account.secret_access_key,
    )
    values = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    client.create_stack(StackName="forum", TemplateBody=json.dumps(template), Parameters=values)
    client.get_waiter("stack_create_complete").wait(StackName="forum", WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    client.close()


def test_deployed_tables_are_those_of_the_models(
    cloud: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
) -> None:
    """After a deployment, ``diff`` finds no difference but the time to live, which this engine ignores."""
    attributes = {**boards.everything(), "lo": boards.make_local_index("lo")}
    declared = [
        boards.declare_board(
            db,
            **boards.PROVISIONED,
            attributes=attributes,
            tags={"team": "forum"},
            stream_view_type="NEW_IMAGE",
            deletion_protection=True,
        ),
        boards.declare_board(db, name="Post", table_name="Post", attributes={"by": boards.make_index("by")}),
    ]
    app = flask.Flask("app")
    app.config.from_mapping(cloud.settings(account), DYNAMODB_TABLE_PREFIX="forum-")
    db.init_app(app)
    with app.app_context():
        deploy(cloud, account, export(db.registry, "cloudformation"), Environment="test")
        drift = tables.diff(db.registry, models=declared)
        assert [each.what for differences in drift.values() for each in differences] == ["time to live"]
        (table,) = drift
        assert {"Key": "Environment", "Value": "test"} in table.call(
            "ListTagsOfResource", ResourceArn=table.require()["TableArn"]
        )["Tags"]


def test_two_apps_deploy_one_template_with_prefixes_of_their_own(
    cloud: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, make_app: MakeApp
) -> None:
    """The parameter ``TablePrefix`` makes a template that one app exported that of another app."""
    board = boards.declare_board(db)
    staging = flask.Flask("staging")
    staging.config.from_mapping(cloud.settings(account), DYNAMODB_TABLE_PREFIX="staging-")
    db.init_app(staging)
    with make_app("production", region="us-east-1", table_prefix="prod-").app_context():
        template = export(db.registry, "cloudformation")
    deploy(cloud, account, template, Environment="staging", TablePrefix="staging-")
    with staging.app_context():
        assert tables.diff(db.registry) == {}
        board("flask", "hello").save()
        assert board.count("flask") == 1


@pytest.mark.parametrize("document_format", FORMATS)
def test_a_document_does_not_depend_on_the_order_of_the_models(
    app: flask.Flask, make_app: MakeApp, document_format: str
) -> None:
    """Tables, indexes and attributes are sorted, so that the document changes only with the models."""
    documents = []
    for names in (("One", "Two"), ("Two", "One")):
        db = dynaflask.Dynamo()
        declared = [
            boards.declare_board(
                db, name=f"{table}{name}", table_name=table, attributes={name: boards.make_index(name)}
            )
            for table in names
            for name in (f"by{names[0]}", f"by{names[1]}")
        ]
        other = flask.Flask("other")
        other.config.from_mapping(app.config)
        db.init_app(other)
        with other.app_context():
            documents.append(json.dumps(export(db.registry, document_format)))
        assert len(declared) == 4
    assert documents[0] == documents[1]


def test_a_document_is_for_one_bind(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """Tables on two binds are two documents, because a stack is for one region of one account."""
    declared = [boards.declare_board(db), boards.declare_board(db, name="Post", bind_key="us", table_name="Post")]
    with app.app_context():
        with pytest.raises(ConfigurationError, match="these are on default, us: name one with --bind"):
            export(db.registry, "cloudformation")
        documents = [export(db.registry, "cloudformation", bind_key=key) for key in ("default", "us")]
    assert [list(document["Resources"]) for document in documents] == [["BoardTable"], ["PostTable"]]
    assert len(declared) == 2


def test_an_app_without_tables_has_no_document(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """CloudFormation refuses a template without resources."""
    with app.app_context(), pytest.raises(ConfigurationError, match="There are no tables to export"):
        export(db.registry, "cloudformation")


def test_names_that_make_one_resource_are_an_error(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """Two tables never become one resource; each can be exported alone."""
    declared = [boards.declare_board(db, name=f"Model{name[-1]}", table_name=name) for name in ("my-a", "my.a")]
    with app.app_context():
        with pytest.raises(ConfigurationError, match=r"'my-a' and 'my.a' would both be the resource 'MyATable'"):
            export(db.registry, "terraform")
        assert list(export(db.registry, "cdk-json", models=declared[:1])["tables"]) == ["MyATable"]


def test_the_tables_of_a_tenant_have_its_prefix(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """In a tenant's context, the default of the parameter is the prefix of that tenant."""
    board = boards.declare_board(db)
    app = make_app(region="eu-west-1", tenants={name: {"table_prefix": f"{name}-"} for name in ("acme", "globex")})
    defaults = []
    for name in ("acme", "globex"):
        with app.app_context(), db.tenant(name):
            template = export(db.registry, "cloudformation", models=[board])
        defaults.append(template["Parameters"]["TablePrefix"]["Default"])
        assert list(template["Resources"]) == ["BoardTable"]
    assert defaults == ["acme-", "globex-"]
