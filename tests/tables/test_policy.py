"""The IAM policy of an app: what it has, and what IAM decides with it."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb.attributes import UnicodeAttribute
from pynamodb.indexes import AllProjection
from pynamodb.indexes import GlobalSecondaryIndex

import dynaflask
from dynaflask.exceptions import ConfigurationError
from dynaflask.tables.observed import ObservedCall
from dynaflask.tables.policy import policy
from tests.support import boards
from tests.support.iam import ACCOUNT
from tests.support.iam import Call
from tests.support.iam import allowed
from tests.support.settings import MakeApp

ARN = f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/"
READS = ("GetItem", "BatchGetItem", "Query")
WRITES = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "ConditionCheckItem")


def declare_note(db: dynaflask.Dynamo) -> t.Any:
    """A model whose table tenants share. One of its indexes begins with the tenant, the other does not."""

    class ByAuthor(GlobalSecondaryIndex[t.Any]):
        class Meta:
            index_name = "by_author"
            projection = AllProjection()

        author = dynaflask.TenantKey(hash_key=True)

    class ByState(GlobalSecondaryIndex[t.Any]):
        class Meta:
            index_name = "by_state"
            projection = AllProjection()

        state = UnicodeAttribute(hash_key=True)

    class Note(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Note"

        folder = dynaflask.TenantKey(hash_key=True)
        author = dynaflask.TenantKey()
        state = UnicodeAttribute()
        by_author = ByAuthor()
        by_state = ByState()

    return Note


@pytest.fixture
def app(make_app: MakeApp) -> flask.Flask:
    """An app in Ireland, with a role of the account."""
    return make_app(region="eu-west-1", role_arn=f"arn:aws:iam::{ACCOUNT}:role/app", table_prefix="prod-")


def statement_of(document: dict[str, t.Any], resource: str, *, action: str) -> dict[str, t.Any]:
    """The one statement that is for this action and this resource."""
    (statement,) = [
        each
        for each in document["Statement"]
        if resource in each["Resource"] and f"dynamodb:{action}" in each["Action"]
    ]
    return t.cast("dict[str, t.Any]", statement)


def test_a_model_without_tenants_may_do_everything_with_items(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """The table: all operations on items, and its description. Each index: queries and scans. Nothing else."""
    board = boards.declare_board(db, attributes=boards.everything())
    with app.app_context():
        document = policy(db.registry, models=[board])
    table, index = f"{ARN}prod-Board", f"{ARN}prod-Board/index/byViews"
    calls = [Call(action, table) for action in (*READS, *WRITES, "Scan", "DescribeTable")]
    calls += [Call("Query", index), Call("Scan", index)]
    refused = [Call("DeleteTable", table), Call("GetItem", f"{ARN}Board"), Call("Query", f"{table}/index/other")]
    assert allowed(document, [*calls, *refused]) == [True] * len(calls) + [False] * len(refused)


def test_a_session_with_a_tag_reaches_its_tenant_alone(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """Own keys are allowed; those of another tenant, a mix, no keys, a scan and a session without tag are not."""
    note = declare_note(db)
    with app.app_context():
        document = policy(db.registry, models=[note])
    table, index = f"{ARN}prod-Note", f"{ARN}prod-Note/index/by_author"
    own = [Call(action, table, ("acme#1", "acme#2"), tenant="acme") for action in READS + WRITES]
    own += [Call("Query", index, ("acme#ann",), tenant="acme"), Call("DescribeTable", table, tenant="acme")]
    keys: list[tuple[str, ...]] = [("globex#1",), ("acme#1", "globex#1"), ("acmeX#1",), ("acme",), ()]
    others = [Call(action, table, key, tenant="acme") for action in READS + WRITES for key in keys]
    others += [Call("Query", index, key, tenant="acme") for key in keys]
    others += [Call("Scan", resource, tenant="acme") for resource in (table, index)]
    others += [Call("Scan", table, ("acme#1",), tenant="acme"), Call("GetItem", table, ("acme#1",))]
    # An index whose hash key is of no tenant has the items of all tenants.
    others += [Call("Query", f"{table}/index/by_state", ("open",), tenant="acme")]
    assert allowed(document, [*own, *others]) == [True] * len(own) + [False] * len(others)


def test_a_policy_for_one_tenant_names_it(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """In a tenant's context the keys are that tenant's, whatever the tags of the session are."""
    note = declare_note(db)
    with app.app_context(), db.tenant("acme"):
        document = policy(db.registry, models=[note])
    table = f"{ARN}prod-Note"
    calls = [
        Call("Query", table, ("acme#1",)),
        Call("Query", table, ("acme#1",), tenant="globex"),
        Call("Query", table, ("globex#1",), tenant="globex"),
        Call("BatchGetItem", table, ("acme#1", "globex#1")),
        Call("Query", table),
        Call("Scan", table),
    ]
    assert allowed(document, calls) == [True, True, False, False, False, False]


def test_without_a_tenant_on_purpose_a_tag_names_it(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """An app that requires tenants prints the form for session tags in a ``db.without_tenant`` block."""
    note = declare_note(db)
    app = make_app(region="eu-west-1", require_tenant=True)
    with app.app_context(), db.without_tenant(reason="policy"):
        document = policy(db.registry, models=[note], account=ACCOUNT)
    condition = statement_of(document, f"{ARN}Note", action="GetItem")["Condition"]
    assert condition["ForAllValues:StringLike"] == {"dynamodb:LeadingKeys": ["${aws:PrincipalTag/tenant}#*"]}


def test_two_tenants_with_tables_of_their_own(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """With separate tables, the policy of a tenant names that tenant's tables only."""
    board = boards.declare_board(db)
    app = make_app(region="eu-west-1", tenants={name: {"table_prefix": f"{name}-"} for name in ("acme", "globex")})
    documents = {}
    for name in ("acme", "globex"):
        with app.app_context(), db.tenant(name):
            documents[name] = policy(db.registry, models=[board], account=ACCOUNT)
    calls = [Call("GetItem", f"{ARN}{name}-Board") for name in documents]
    assert allowed(documents["acme"], calls) == [True, False]
    assert allowed(documents["globex"], calls) == [False, True]


def test_a_second_bind_does_not_open_a_table_of_tenants(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """If a model without a ``TenantKey`` has the same table on another bind, its statements have the condition, too."""
    declared = [
        declare_note(db),
        boards.declare_board(db, table_name="Note", bind_key="admin", attributes=boards.everything()),
    ]
    admin = {"admin": {"profile": "admin"}}
    with make_app(region="eu-west-1", binds=admin).app_context():
        document = policy(db.registry, account=ACCOUNT)
    table = f"{ARN}Note"
    calls = [
        Call("GetItem", table, ("acme#1",), tenant="acme"),
        Call("GetItem", table, ("globex#1",), tenant="acme"),
        Call("Scan", table, tenant="acme"),
        Call("Query", f"{table}/index/byViews", ("1",), tenant="acme"),
    ]
    assert allowed(document, calls) == [True, False, False, False]
    assert len(declared) == 2


def test_read_only_has_no_action_that_writes(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """``read_only`` leaves out writes, and the condition checks of transactions that write."""
    declared = [boards.declare_board(db), declare_note(db)]
    with app.app_context():
        document = policy(db.registry, read_only=True)
    actions = {action for statement in document["Statement"] for action in statement["Action"]}
    assert actions == {f"dynamodb:{name}" for name in (*READS, "Scan", "DescribeTable")}
    assert len(declared) == 2


def test_the_tag_has_any_key(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """``tenant_tag`` is the key of the session tag that names the tenant."""
    note = declare_note(db)
    with app.app_context():
        document = policy(db.registry, models=[note], tenant_tag="customer")
    condition = statement_of(document, f"{ARN}prod-Note", action="GetItem")["Condition"]
    assert condition["ForAllValues:StringLike"] == {"dynamodb:LeadingKeys": ["${aws:PrincipalTag/customer}#*"]}


@pytest.mark.parametrize(
    ("region", "start"),
    [
        ("cn-north-1", "arn:aws-cn:dynamodb:cn-north-1:"),
        ("us-gov-west-1", "arn:aws-us-gov:dynamodb:us-gov-west-1:"),
        ("mars", "arn:aws:dynamodb:mars:"),
    ],
)
def test_the_partition_is_that_of_the_region(make_app: MakeApp, db: dynaflask.Dynamo, region: str, start: str) -> None:
    """China and GovCloud have ARNs of their own. A region that botocore does not know is one of AWS."""
    board = boards.declare_board(db)
    with make_app(region=region).app_context():
        document = policy(db.registry, models=[board])
    assert document["Statement"][0]["Resource"] == [f"{start}*:table/Board"]


def test_the_region_may_come_from_the_environment(
    make_app: MakeApp, db: dynaflask.Dynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a region in the settings, it is botocore's. Nothing is started or called, also for the local server."""
    board = boards.declare_board(db)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setattr(dynaflask.local, "endpoint", None)
    with make_app(host="local").app_context():
        document = policy(db.registry, models=[board])
    assert document["Statement"][0]["Resource"] == ["arn:aws:dynamodb:eu-central-1:*:table/Board"]


def test_an_unknown_region_is_an_error(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """The message names the settings."""
    board = boards.declare_board(db)
    with make_app().app_context(), pytest.raises(ConfigurationError, match="Set DYNAMODB_REGION or AWS_DEFAULT_REGION"):
        policy(db.registry, models=[board])


def test_a_policy_allows_something(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """IAM refuses a policy without statements, so that an app without tables has none."""
    with app.app_context(), pytest.raises(ConfigurationError, match="would allow nothing"):
        policy(db.registry)


def test_two_apps_have_policies_of_their_own(app: flask.Flask, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """The same model in two apps: each policy names the table and the region of its app only."""
    board = boards.declare_board(db)
    other = make_app("other", region="us-east-1", table_prefix="test-")
    resources = []
    for each in (app, other):
        with each.app_context():
            document = policy(db.registry, models=[board], account="1")
        resources.append({arn for statement in document["Statement"] for arn in statement["Resource"]})
    assert resources == [
        {"arn:aws:dynamodb:eu-west-1:1:table/prod-Board"},
        {"arn:aws:dynamodb:us-east-1:1:table/test-Board"},
    ]


def test_observed_calls_limit_the_policy(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """A policy has the observed calls, as far as a policy without them would allow them."""
    note = declare_note(db)
    name = f"{__name__}.declare_note.<locals>.Note"
    calls = {
        ObservedCall(name, None, "GetItem"),
        ObservedCall(name, None, "Scan"),  # in a block without a tenant
        ObservedCall(name, "by_author", "Query"),
        ObservedCall("other.Note", None, "DeleteItem"),
    }
    with app.app_context():
        document = policy(db.registry, models=[note], calls=calls)
    assert [(each["Action"], each["Resource"]) for each in document["Statement"]] == [
        (["dynamodb:GetItem"], [f"{ARN}prod-Note"]),
        (["dynamodb:Query"], [f"{ARN}prod-Note/index/by_author"]),
    ]
    assert all("Condition" in statement for statement in document["Statement"])


def test_an_index_with_several_hash_keys_is_denied_to_tenants(app: flask.Flask, db: dynaflask.Dynamo) -> None:
    """AWS does not document which keys IAM compares there: a table that tenants share leaves such an index out."""

    class ByAuthorAndYear(GlobalSecondaryIndex[t.Any]):
        class Meta:
            index_name = "by_author_and_year"
            projection = AllProjection()

        author = dynaflask.TenantKey(hash_key=True)
        year = UnicodeAttribute(hash_key=True)

    class Letter(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Letter"

        id = dynaflask.TenantKey(hash_key=True)
        author = dynaflask.TenantKey()
        year = UnicodeAttribute()
        by_author_and_year = ByAuthorAndYear()

    with app.app_context():
        document = policy(db.registry, models=[Letter])
    index = f"{ARN}prod-Letter/index/by_author_and_year"
    keys: list[tuple[str, ...]] = [("acme#ann",), ("acme#ann", "2026"), ("acme#ann", "acme#x"), ()]
    calls = [Call("Query", index, key, tenant="acme") for key in keys]
    assert allowed(document, [*calls, Call("Query", f"{ARN}prod-Letter", ("acme#1",), tenant="acme")]) == [
        *[False] * len(calls),
        True,
    ]
