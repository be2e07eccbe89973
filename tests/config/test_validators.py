"""What each setting takes, and what is said of a value that it does not take."""

from __future__ import annotations

import typing as t

import boto3
import botocore.config
import botocore.session
import pytest

from dynaflask import ConfigurationError
from dynaflask.config.bind import ROLE_SETTINGS
from dynaflask.config.validators import BIND_VALIDATORS
from tests.support.settings import KEYS
from tests.support.settings import bind
from tests.support.settings import read

GOOD = {
    "region": "eu-west-1",
    "host": "http://localhost:8000",
    "connect_timeout_seconds": 0.5,
    "read_timeout_seconds": 5,
    "max_retry_attempts": 0,
    "retry_configuration": {"mode": "standard", "max_attempts": 2},
    "max_pool_connections": 20,
    "extra_headers": {"X-Team": "forum"},
    "aws_session_token": "token",
    "profile": "dev",
    "session": botocore.session.Session(),
    "role_arn": "arn:aws:iam::123456789012:role/forum",
    "role_session_name": "forum",
    "external_id": "42",
    "role_duration_seconds": 900,
    "session_tags": {"tenant": "acme"},
    "session_policy": '{"Version":"2012-10-17","Statement":[]}',
    "client_factory": lambda bind: None,
    "client_config": botocore.config.Config(),
    "share_client": False,
    "transport": "direct",
    "table_prefix": "test-",
    "read_capacity_units": 5,
    "write_capacity_units": 5,
    "billing_mode": "PAY_PER_REQUEST",
}


@pytest.mark.parametrize("name", sorted(GOOD.keys() - {"aws_session_token"}))
def test_a_good_value_arrives_as_it_is(name: str) -> None:
    """Each setting reaches the bind under its own name."""
    needed = {"role_arn": GOOD["role_arn"]} if name in ROLE_SETTINGS else {}
    assert getattr(bind(**{**needed, name: GOOD[name]}), name) == GOOD[name]


def test_a_retry_configuration_may_be_a_word() -> None:
    """PynamoDB has two of them."""
    assert [bind(retry_configuration=word).retry_configuration for word in ("LEGACY", "UNSET")] == ["LEGACY", "UNSET"]


def test_every_setting_is_tried() -> None:
    """The list above is whole."""
    assert GOOD.keys() | KEYS.keys() == BIND_VALIDATORS.keys()


@pytest.mark.parametrize("name", BIND_VALIDATORS)
def test_a_setting_of_none_is_unset(name: str) -> None:
    """None leaves a setting to botocore, as if it were missing."""
    assert getattr(bind(**{name: None}), name) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("region", ["eu-west-1"]),
        ("region", ""),
        ("region", True),
        ("region", "eu west 1"),
        ("region", "eu-west-1\n"),
        ("host", 8000.5),
        ("host", "localhost:8000"),
        ("host", "http://"),
        ("host", "http://[::1"),
        ("host", "http://localhost:port"),
        ("host", "http://localhost:99999"),
        ("host", "http://local host"),
        ("host", "http://localhost\n"),
        ("host", "http://user:hush@localhost"),
        ("connect_timeout_seconds", "5"),
        ("connect_timeout_seconds", True),
        ("connect_timeout_seconds", 0),
        ("read_timeout_seconds", -1),
        ("read_timeout_seconds", float("nan")),
        ("read_timeout_seconds", float("inf")),
        ("max_retry_attempts", -1),
        ("max_retry_attempts", 1.5),
        ("max_retry_attempts", False),
        ("retry_configuration", "STANDARD"),
        ("retry_configuration", {"mode": "brave"}),
        ("retry_configuration", {"attempts": 3}),
        ("retry_configuration", []),
        ("max_pool_connections", 0),
        ("extra_headers", "X-Team: forum"),
        ("extra_headers", {"X-Team": 7}),
        ("extra_headers", {7: "forum"}),
        ("extra_headers", {"X-Team": "a\r\nb"}),
        ("aws_access_key_id", b"AKIA"),
        ("profile", 1.5),
        ("session", "default"),
        ("role_arn", {}),
        ("role_arn", "forum"),
        ("role_duration_seconds", 60),
        ("session_tags", "tenant=acme"),
        ("session_tags", {"tenant": 7}),
        ("session_tags", {"": "acme"}),
        ("session_tags", {"x" * 129: "acme"}),
        ("session_tags", {"tenant": "x" * 257}),
        ("session_tags", {"tenant": "*"}),
        ("session_tags", {f"tag-{number}": "x" for number in range(51)}),
        ("session_policy", "Version: 2012"),
        ("session_policy", "[]"),
        ("session_policy", {"Statement": {1, 2}}),
        ("session_policy", {"Statement": "x" * 2048}),
        ("share_client", 0),
        ("transport", "fast"),
        ("transport", ["direct"]),
        ("client_factory", "factory"),
        ("client_config", {"region_name": "eu-west-1"}),
        ("table_prefix", 1.5),
        ("read_capacity_units", 0),
        ("write_capacity_units", "5"),
        ("billing_mode", "FREE"),
        ("billing_mode", ["PROVISIONED"]),
        ("local_path", 7),
        ("error_handlers", "yes"),
        ("require_tenant", "yes"),
        ("tenant_ttl_seconds", 0),
        ("tenants", ["acme"]),
        ("meter", 1),
        ("meter_max_tenants", 0),
        ("tenant_capacity", "100"),
        ("tenant_capacity", True),
        ("tenant_capacity", 0),
        ("tenant_capacity", float("inf")),
        ("tenant_capacity", {"acme": "100"}),
        ("tenant_capacity", {"acme": -1}),
        ("tenant_capacity", {"": 100}),
        ("binds", ["eu"]),
        ("binds", {"eu": "eu-west-1"}),
        ("binds", {"": {}}),
        ("models", {"Thread": "Thread"}),
    ],
)
def test_a_wrong_value_names_its_key(name: str, value: object) -> None:
    """A wrong value is a ConfigurationError that begins with the key as it was typed."""
    with pytest.raises(ConfigurationError, match=f"DYNAMODB_{name.upper()}"):
        read(**{name: value})


@pytest.mark.parametrize("secret", ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"])
def test_no_message_shows_a_secret(secret: str) -> None:
    """A message about a secret gives its type and never its value."""
    with pytest.raises(ConfigurationError, match="must be a string, not list") as caught:
        read(**{secret: ["hush-hush"]})
    assert "hush" not in str(caught.value)


def test_a_session_that_cannot_be_hashed_is_an_error() -> None:
    """Two apps with one session are told by it."""

    class Session(botocore.session.Session):
        __hash__ = None  # type: ignore[assignment]

    with pytest.raises(ConfigurationError, match="DYNAMODB_SESSION must be hashable"):
        read(session=Session())


def test_a_boto3_session_will_do() -> None:
    """DYNAMODB_SESSION takes a session of boto3's as well as of botocore's."""
    session = boto3.session.Session(region_name="eu-west-1")
    assert bind(session=session).session is session


def test_a_path_may_be_a_path_object(tmp_path: t.Any) -> None:
    """DYNAMODB_LOCAL_PATH takes what open() takes."""
    assert bind(local_path=tmp_path).local_path == str(tmp_path)


def test_a_callable_object_of_the_users_will_do() -> None:
    """Also one that cannot be hashed, as binds are."""

    class Prefix:
        __hash__ = None  # type: ignore[assignment]

        def __call__(self, name: str) -> str:
            return f"x-{name}"

    prefixed = bind(table_prefix=Prefix())
    assert hash(prefixed)
    assert callable(prefixed.table_prefix)
    assert prefixed.table_prefix("Thread") == "x-Thread"


@pytest.mark.parametrize("capacity", [100, 0.5, {"*": 100, "acme": 500.5, "internal": None}])
def test_a_tenants_capacity_is_a_number_or_numbers_by_tenant(capacity: t.Any) -> None:
    """None is no limit."""
    assert read(tenant_capacity=capacity).plain["tenant_capacity"] == capacity


def test_a_dict_of_capacities_is_copied() -> None:
    """What becomes of the app's own has no effect."""
    capacity = {"acme": 500}
    settings = read(tenant_capacity=capacity)
    capacity["acme"] = 1
    assert settings.plain["tenant_capacity"] == {"acme": 500}
