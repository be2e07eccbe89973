"""Validators: the values that each setting accepts, and the error for any other value."""

from __future__ import annotations

import enum
import functools
import typing as t

import boto3
import botocore.config
import botocore.session
import pytest

from dynaflask import ConfigurationError
from dynaflask.config.fields import BIND_VALIDATORS
from dynaflask.config.fields import ROLE_SETTINGS
from tests.support.settings import KEYS
from tests.support.settings import bind
from tests.support.settings import read

VALID = {
    "region": "eu-west-1",
    "host": "http://localhost:8000",
    "connect_timeout_seconds": 0.5,
    "read_timeout_seconds": 5,
    "call_timeout_seconds": 9.5,
    "max_retry_attempts": 0,
    "retry_configuration": {"mode": "standard", "max_attempts": 2},
    "retry_conflicts": 5,
    "return_values_on_condition_failure": "ALL_OLD",
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
    "table_class": "STANDARD",
    "sse": "KMS",
    "point_in_time_recovery": 7,
    "on_demand_throughput": {"read": 100, "write": -1},
    "contributor_insights": "THROTTLED_KEYS",
}


@pytest.mark.parametrize("name", sorted(VALID.keys() - {"aws_session_token"}))
def test_a_valid_value_reaches_the_bind(name: str) -> None:
    """A valid value is the value of the field of the same name."""
    role = {"role_arn": VALID["role_arn"]} if name in ROLE_SETTINGS else {}
    assert getattr(bind(**{**role, name: VALID[name]}), name) == VALID[name]


def test_a_retry_configuration_may_be_a_word() -> None:
    """PynamoDB's words LEGACY and UNSET are valid."""
    assert [bind(retry_configuration=word).retry_configuration for word in ("LEGACY", "UNSET")] == ["LEGACY", "UNSET"]


def test_each_setting_of_a_bind_has_an_example() -> None:
    """VALID and KEYS together have each setting of a bind."""
    assert VALID.keys() | KEYS.keys() == BIND_VALIDATORS.keys()


@pytest.mark.parametrize("name", BIND_VALIDATORS)
def test_a_setting_of_none_is_unset(name: str) -> None:
    """None has the effect of a missing setting."""
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
        ("host", "http://dynamo_db:8000"),
        ("host", "http://a..b"),
        ("host", f"http://{'a' * 64}.test"),
        ("connect_timeout_seconds", "5"),
        ("connect_timeout_seconds", True),
        ("connect_timeout_seconds", 0),
        ("read_timeout_seconds", -1),
        ("read_timeout_seconds", float("nan")),
        ("read_timeout_seconds", float("inf")),
        ("connect_timeout_seconds", 1e10),
        ("read_timeout_seconds", 10**30),
        ("call_timeout_seconds", 2_147_484),
        ("max_retry_attempts", -1),
        ("max_retry_attempts", 1.5),
        ("max_retry_attempts", False),
        ("retry_configuration", "STANDARD"),
        ("retry_configuration", {"mode": "brave"}),
        ("retry_configuration", {"attempts": 3}),
        ("retry_configuration", []),
        ("max_pool_connections", 0),
        ("max_pool_connections", 65_536),
        ("extra_headers", "X-Team: forum"),
        ("extra_headers", {"X-Team": 7}),
        ("extra_headers", {7: "forum"}),
        ("extra_headers", {"X-Team": "a\r\nb"}),
        *[("extra_headers", {name: "1"}) for name in ("", "X Team", "X-Team:", "X-T\xe9am")],
        *[("extra_headers", {"X-Team": value}) for value in ("a\0", "\U0001f600")],
        *[("extra_headers", {name: "1"}) for name in ("Host", "CONTENT-LENGTH", "transfer-encoding", " Connection")],
        *[("extra_headers", {"X-Team": "1", name: "1"}) for name in ("Expect", "Upgrade", "TE", "Keep-Alive")],
        ("aws_access_key_id", b"AKIA"),
        ("aws_access_key_id", "AKIA\n"),
        ("aws_secret_access_key", "hush "),
        ("aws_secret_access_key", "hush\ud800"),
        ("aws_session_token", "tok\0en"),
        ("aws_session_token", "tok\xe9n"),
        ("role_session_name", "forum\r\nX-Team: forum"),
        ("role_session_name", "the forum"),
        ("role_session_name", "f"),
        ("role_session_name", "f" * 65),
        ("external_id", "42\udcff"),
        ("external_id", "f\xf6rum"),
        ("external_id", "4" * 1225),
        ("profile", 1.5),
        ("profile", "dev\x7f"),
        ("session", "default"),
        ("role_arn", {}),
        ("role_arn", "forum"),
        ("role_duration_seconds", 60),
        ("role_duration_seconds", 43_201),
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
        ("client_factory", lambda: None),
        ("client_factory", divmod),
        ("client_config", {"region_name": "eu-west-1"}),
        ("table_prefix", 1.5),
        ("table_prefix", "a b"),
        ("table_prefix", "forum#"),
        ("table_prefix", "f\xf6rum-"),
        ("table_prefix", "forum-\n"),
        ("table_prefix", "x" * 256),
        ("table_prefix", float),
        ("table_prefix", lambda: "test-"),
        ("table_prefix", divmod),
        ("read_capacity_units", 0),
        ("write_capacity_units", "5"),
        ("billing_mode", "FREE"),
        ("billing_mode", ["PROVISIONED"]),
        ("local_path", 7),
        ("local_path", ""),
        ("local_path", "data\0"),
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
        *[(name, value) for name in ("binds", "models", "tenants") for value in ([], "", 0, False)],
        ("binds", {"eu": "eu-west-1"}),
        ("binds", {"": {}}),
        ("models", {"Thread": "Thread"}),
        ("models", {"Thread": {"table_name": "my table"}}),
        ("models", {"Thread": {"tenant": True}}),
        ("models", {"Thread": {"table_prefix": "a/"}}),
        ("tenants", {"acme": {"table_prefix": "a b-"}}),
        ("tenants", {"acme": {"tenant_capacity": {"acme": 10}}}),
        ("tenants", {"acme": {"tenant_capacity": 0}}),
    ],
)
def test_a_wrong_value_is_an_error_that_names_its_key(name: str, value: object) -> None:
    """The message of the ConfigurationError begins with the key."""
    with pytest.raises(ConfigurationError, match=f"DYNAMODB_{name.upper()}"):
        read(**{name: value})


@pytest.mark.parametrize("secret", ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"])
def test_no_message_shows_a_secret(secret: str) -> None:
    """The message about a wrong secret shows the type and not the value."""
    with pytest.raises(ConfigurationError, match="must be a string, not list") as caught:
        read(**{secret: ["hush-hush"]})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("url", ["user:hush@localhost:8000", "http:/user:hush@localhost", "ftp://user:hush@localhost"])
def test_no_message_shows_the_password_of_a_url(url: str) -> None:
    """A URL that is wrong in another way, too, is not in the message if it may have a password."""
    with pytest.raises(ConfigurationError, match="DYNAMODB_HOST must") as caught:
        read(host=url)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://[::1]:8000", "http://127.0.0.1:8000", "https://dynamodb.eu-west-1.amazonaws.com/"]
)
def test_a_host_may_be_an_address(url: str) -> None:
    """DYNAMODB_HOST accepts a name and an address of either version of IP."""
    assert bind(host=url).host == url


def test_a_session_that_cannot_be_hashed_is_an_error() -> None:
    """A session is part of the key of a client, so that it must be hashable."""

    class Session(botocore.session.Session):
        __hash__ = None  # type: ignore[assignment]

    with pytest.raises(ConfigurationError, match="DYNAMODB_SESSION must be hashable"):
        read(session=Session())


def test_a_session_may_be_of_boto3() -> None:
    """DYNAMODB_SESSION accepts a session of boto3."""
    session = boto3.session.Session(region_name="eu-west-1")
    assert bind(session=session).session is session


def test_a_path_may_be_a_path_object(tmp_path: t.Any) -> None:
    """DYNAMODB_LOCAL_PATH accepts a path object and stores it as a string."""
    assert bind(local_path=tmp_path).local_path == str(tmp_path)


@pytest.mark.parametrize(
    "prefix", ["Test-1.a_b", "x" * 255, str, str.lower, functools.partial("{}-{}".format, "test"), {"a": "b"}.get, ""]
)
def test_a_table_prefix_may_have_each_character_of_table_names(prefix: t.Any) -> None:
    """A prefix has the characters of DynamoDB's table names, or is a callable, also a builtin one."""
    assert bind(table_prefix=prefix).table_prefix == prefix


class Text(str, enum.Enum):
    """Strings that format themselves as ``Text.REGION``."""

    REGION = "eu-west-1"
    HOST = "http://localhost:8000"
    KEY = "acme-"


def test_an_enum_is_the_string_of_its_value() -> None:
    """A string that formats itself in another way would become a part of another table, header or signature."""
    settings = {"region": Text.REGION, "host": Text.HOST, **dict.fromkeys((*KEYS, "table_prefix"), Text.KEY)}
    of_text = bind(Text.KEY, extra_headers={"X-Team": Text.KEY}, binds={Text.KEY: settings})
    values = [getattr(of_text, name) for name in settings]
    assert (values, {type(value) for value in values}) == (list(settings.values()), {str})
    assert [f"{value}" for value in (of_text.extra_headers or {}).values()] == ["acme-"]


def test_a_callable_without_a_signature_is_valid() -> None:
    """Python does not know the arguments of each builtin callable, so that the first call finds out."""
    assert bind(client_factory=max).client_factory is max


def test_a_table_may_be_an_arn() -> None:
    """``table_name`` is a name or an ARN, of any characters."""
    arn = "arn:aws:dynamodb:us-east-1:111122223333:table/Thread"
    assert read(models={"Thread": {"table_name": arn}}).models["Thread"] == {"table_name": arn}


def test_a_path_need_not_be_text() -> None:
    """A path may have bytes that are no text, which Python reads as surrogates."""
    assert bind(local_path="data-\udcff").local_path == "data-\udcff"


def test_a_callable_need_not_be_hashable() -> None:
    """A callable that is not hashable works, and the bind is hashable still."""

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
    """DYNAMODB_TENANT_CAPACITY accepts a number, or a dict of numbers and None by tenant."""
    assert read(tenant_capacity=capacity).plain["tenant_capacity"] == capacity


def test_a_dict_of_capacities_is_copied() -> None:
    """A dict of capacities that changes later changes no limit."""
    capacity = {"acme": 500}
    settings = read(tenant_capacity=capacity)
    capacity["acme"] = 1
    assert settings.plain["tenant_capacity"] == {"acme": 500}


@pytest.mark.parametrize(("name", "value"), [("meter", "True"), ("read_timeout_seconds", "five"), ("binds", "{'eu'}")])
def test_text_in_place_of_json_names_the_way_out(name: str, value: str) -> None:
    """Text that Flask could not read as JSON from an environment variable is refused with a word on JSON."""
    with pytest.raises(ConfigurationError, match="not str. In an environment variable, write JSON"):
        read(**{name: value})


def test_another_type_gets_no_word_on_the_environment() -> None:
    """A value that is no text comes from the program."""
    with pytest.raises(ConfigurationError, match="must be True or False, not int.$"):
        read(meter=1)
