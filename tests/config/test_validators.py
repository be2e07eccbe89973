"""Validators: the values that each setting accepts, and the error for any other value."""

from __future__ import annotations

import enum
import typing as t

import botocore.config
import botocore.session
import pytest

from dynaflask import ConfigurationError
from dynaflask.config.fields import BIND_VALIDATORS
from dynaflask.config.fields import ROLE_SETTINGS
from dynaflask.config.validators import account_of_arn
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
        ("models", {"Thread": {"tenant": True}}),
        ("tenants", {"acme": {"table_prefix": "a b-"}}),
        ("tenants", {"acme": {"tenant_capacity": {"acme": 10}}}),
        ("tenants", {"acme": {"tenant_capacity": 0}}),
    ],
)
def test_a_wrong_value_is_an_error_that_names_its_key(name: str, value: object) -> None:
    """The message of the ConfigurationError begins with the key."""
    with pytest.raises(ConfigurationError, match=f"DYNAMODB_{name.upper()}"):
        read(**{name: value})


def test_a_path_may_be_a_path_object(tmp_path: t.Any) -> None:
    """DYNAMODB_LOCAL_PATH accepts a path object and stores it as a string."""
    assert bind(local_path=tmp_path).local_path == str(tmp_path)


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


def test_a_path_need_not_be_text() -> None:
    """A path may have bytes that are no text, which Python reads as surrogates."""
    assert bind(local_path="data-\udcff").local_path == "data-\udcff"


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


@pytest.mark.parametrize(
    ("arn", "account"),
    [
        ("arn:aws:iam::123456789012:role/app", "123456789012"),
        ("arn:aws:dynamodb:eu-west-1:123456789012:table/Thread/stream/2026-01-01T00:00:00.000", "123456789012"),
        ("arn:aws:s3:::bucket", None),
        ("arn:other", None),
        ("", None),
    ],
)
def test_an_arn_may_have_an_account(arn: str, account: str | None) -> None:
    """A text of another form has none, and is no error: AWS refuses it when it is used."""
    assert account_of_arn(arn) == account


def test_another_type_gets_no_word_on_the_environment() -> None:
    """A value that is no text comes from the program."""
    with pytest.raises(ConfigurationError, match="must be True or False, not int.$"):
        read(meter=1)
