"""Where a table may be: two models that may have one table are in one place."""

from __future__ import annotations

import typing as t

import pytest

import dynaflask
from dynaflask import Bind
from dynaflask import TenantKey
from dynaflask import TenantMismatch
from dynaflask.registry.places import possible_place
from tests.support import boards
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

ARN = "arn:aws:dynamodb:eu-west-1:111111111111:table/Thread"
# Spellings of one endpoint and region.
ONE_ENDPOINT: dict[str, list[dict[str, str]]] = {
    "AWS": [
        {"region": "eu-west-1"},
        {"region": "eu-west-1", "host": "https://dynamodb.eu-west-1.amazonaws.com"},
        {"host": "https://DynamoDB.eu-west-1.amazonaws.com:443/"},
        {"host": "http://dynamodb.eu-west-1.amazonaws.com."},
        {"host": "https://dynamodb.eu-west-1.api.aws"},
        {"host": "https://dynamodb-fips.eu-west-1.amazonaws.com"},
        {"host": "https://111111111111.ddb.eu-west-1.amazonaws.com"},
        {"host": "https://vpce-0a1b-2c3d.dynamodb.eu-west-1.vpce.amazonaws.com"},
    ],
    "AWS in China": [{"region": "cn-north-1"}, {"host": "https://dynamodb.cn-north-1.amazonaws.com.cn"}],
    "AWS in a closed network": [{"region": "us-iso-east-1"}, {"host": "https://dynamodb.us-iso-east-1.c2s.ic.gov"}],
    "another server": [{"host": "http://db.test:80"}, {"host": "HTTP://user:word@DB.test/"}],
    "the local server": [{"host": "local"}, {"host": "local"}],
}
ROLES = [f"arn:aws:iam::{account}:role/{name}" for account, name in (("1" * 12, "a"), ("1" * 12, "b"), ("2" * 12, "a"))]
# Both are of the account 029608264753, and the third is not: the letters after the prefix are a number.
ACCESS_KEYS = ["ASIAQNZGKIQY56JQ7WML", "AKIAQNZGKIQY5AAAAAAA", "AKIAQ5ZGKIQY5AAAAAAA"]


@pytest.mark.parametrize("spellings", ONE_ENDPOINT.values(), ids=ONE_ENDPOINT.keys())
def test_spellings_of_one_endpoint_are_one_place(spellings: list[dict[str, t.Any]]) -> None:
    """AWS's endpoints of a region are one place, as are the spellings of a URL."""
    assert len({possible_place(Bind(**values), "Thread") for values in spellings}) == 1
    assert len({possible_place(Bind(**values), ARN) for values in spellings}) == 1


def test_each_partition_is_aws() -> None:
    """The European Sovereign Cloud has domains of its own, also for a botocore that is older."""
    hosts = ("https://dynamodb.eusc-de-east-1.amazonaws.eu", "https://dynamodb.eusc-de-east-1.api.amazonwebservices.eu")
    binds = [Bind(region="eusc-de-east-1"), *(Bind(host=host) for host in hosts)]
    assert len({possible_place(bind, "Thread") for bind in binds}) == 1


def test_other_endpoints_are_other_places() -> None:
    """Another region, port, path or server is another place."""
    hosts = [None, "local", "http://db.test", "https://db.test", "http://db.test:8000", "http://db.test/a"]
    hosts += [
        "https://dynamodb.eu-west-1.test",
        "https://dynamodb.amazonaws.com",
        "https://dynamodb.eu-west-2.amazonaws.com",
    ]
    binds = [Bind(region="eu-west-1", host=host) for host in hosts]
    assert len({possible_place(bind, "Thread") for bind in binds}) == len(binds)


def test_the_environment_counts_as_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A region, an endpoint and a key of the environment are those of a bind that has none."""
    values = {"region": "eu-west-1", "host": "http://db.test", "aws_access_key_id": "id"}
    variables = ("AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID")
    assert possible_place(Bind(), "Thread") != possible_place(Bind(**t.cast("t.Any", values)), "Thread")
    for variable, value in zip(variables, values.values(), strict=True):
        monkeypatch.setenv(variable, value)
    assert possible_place(Bind(), "Thread") == possible_place(Bind(**t.cast("t.Any", values)), "Thread")


def test_two_roles_of_an_account_may_have_one_table() -> None:
    """A table may be the same for other roles, headers and retries, and for another client of one factory."""
    one, other, foreign = (Bind("one", role_arn=role) for role in ROLES)
    assert possible_place(one, "Thread") == possible_place(other, "Thread") != possible_place(foreign, "Thread")
    assert possible_place(one, "Thread") != possible_place(one, "Reply")
    assert possible_place(one, ARN) == possible_place(foreign, ARN)


def test_an_arn_and_a_name_may_be_one_table() -> None:
    """The ARN has the region and the account, whatever those of the bind are."""
    by_name = possible_place(Bind(region="eu-west-1", role_arn=ROLES[0]), "Thread")
    by_arn = possible_place(Bind(region="us-east-1", role_arn=ROLES[2]), ARN)
    assert by_name == by_arn != possible_place(Bind(region="us-east-1", role_arn=ROLES[0]), "Thread")


def test_two_keys_of_an_account_may_have_one_table() -> None:
    """The access keys of AWS show their account. Of others, of a profile and of a session, the values count."""
    one, other, foreign = (possible_place(Bind(aws_access_key_id=key), "Thread") for key in ACCESS_KEYS)
    assert one == other != foreign
    assert one == possible_place(Bind(role_arn="arn:aws:iam::029608264753:role/a"), "Thread")
    others: list[dict[str, t.Any]] = [{"aws_access_key_id": "id"}, {"profile": "id"}, {"session": "id"}, {}]
    assert len({one, *(possible_place(Bind(**values), "Thread") for values in others)}) == 5


def test_a_role_of_another_form_is_a_place_of_its_own() -> None:
    """AWS refuses such a role when it is used: to compare places raises nothing before that."""
    one, same, other = (possible_place(Bind(role_arn=role), "Thread") for role in ("arn:one", "arn:one", "arn:other"))
    assert one == same != other


def test_a_table_of_tenants_is_shared_by_each_endpoint_of_aws(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """In each app, a model without a ``TenantKey`` is refused, whichever way its bind names AWS."""
    note = boards.declare_board(db, attributes={"forum": TenantKey(hash_key=True)})
    second = boards.declare_board(db, name="Second", table_name="Board", bind_key="url")
    url = {"host": "https://dynamodb.eu-west-1.amazonaws.com"}
    apps = [
        make_app("one", region="eu-west-1", binds={"url": url}, **KEYS),
        make_app("other", region="us-east-1", binds={"url": {**url, "region": "eu-west-1"}}, **KEYS),
    ]
    for app, is_shared in zip(apps, (True, False), strict=True):
        with app.app_context(), db.tenant("acme"):
            assert note.Meta.region == ("eu-west-1" if is_shared else "us-east-1")
            if is_shared:
                with pytest.raises(TenantMismatch, match="have one table"):
                    second.get("forum", "subject")
            else:
                assert second._get_connection().table_name == "Board"
