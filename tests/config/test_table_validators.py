"""Validators of the name of a table, and of what it declares beside its keys."""

from __future__ import annotations

import functools
import json
import typing as t

import pytest

from dynaflask import ConfigurationError
from dynaflask.config.fields import MODEL_VALIDATORS
from tests.support.settings import bind
from tests.support.settings import read

KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
POLICY = {"Version": "2012-10-17", "Statement": []}


def check(name: str, value: object) -> t.Any:
    return MODEL_VALIDATORS[name](f"Thread.Meta.{name}", value)


@pytest.mark.parametrize(
    ("name", "value", "checked"),
    [
        ("table_class", "STANDARD_INFREQUENT_ACCESS", "STANDARD_INFREQUENT_ACCESS"),
        ("sse", "AWS_OWNED", "AWS_OWNED"),
        ("sse", "KMS", "KMS"),
        *[("sse", key, key) for key in (KEY_ID, "alias/forum", f"mrk-{'a' * 32}", f"arn:aws:kms:eu:1:key/{KEY_ID}")],
        ("point_in_time_recovery", True, 35),
        ("point_in_time_recovery", False, 0),
        ("point_in_time_recovery", 1, 1),
        ("on_demand_throughput", {"read": 100, "write": -1}, {"read": 100, "write": -1}),
        ("warm_throughput", {"write": 5000}, {"write": 5000}),
        ("contributor_insights", True, "ACCESSED_AND_THROTTLED_KEYS"),
        ("contributor_insights", False, "DISABLED"),
        ("contributor_insights", "THROTTLED_KEYS", "THROTTLED_KEYS"),
        ("resource_policy", POLICY, '{"Version":"2012-10-17","Statement":[]}'),
        ("resource_policy", json.dumps(POLICY, indent=4), '{"Version":"2012-10-17","Statement":[]}'),
    ],
)
def test_a_valid_value_has_one_form(name: str, value: object, checked: object) -> None:
    """Values that mean the same are equal after the check."""
    assert check(name, value) == checked


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("table_class", "CHEAP"),
        ("table_class", ["STANDARD"]),
        ("sse", "AES256"),
        ("sse", True),
        ("sse", "alias/"),
        ("point_in_time_recovery", 36),
        ("point_in_time_recovery", -1),
        ("point_in_time_recovery", "7"),
        ("on_demand_throughput", 100),
        ("on_demand_throughput", {}),
        ("on_demand_throughput", {"reads": 1}),
        ("on_demand_throughput", {"read": 0}),
        ("on_demand_throughput", {"read": -2}),
        ("warm_throughput", {"read": -1}),
        ("warm_throughput", {"read": "5"}),
        ("contributor_insights", "ALL"),
        ("contributor_insights", 1),
        ("resource_policy", "{"),
        ("resource_policy", []),
        ("resource_policy", {1, 2}),
        ("resource_policy", {"Sid": "x" * 20 * 1024}),
    ],
)
def test_a_wrong_value_is_an_error_that_names_the_setting(name: str, value: object) -> None:
    """The message begins with the setting, as the program spelt it."""
    with pytest.raises(ConfigurationError, match=rf"Thread\.Meta\.{name}"):
        check(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
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
        ("models", {"Thread": {"table_name": "my table"}}),
        ("models", {"Thread": {"table_prefix": "a/"}}),
    ],
)
def test_a_wrong_setting_is_an_error_that_names_its_key(name: str, value: object) -> None:
    """The message of the ConfigurationError begins with the key."""
    with pytest.raises(ConfigurationError, match=f"DYNAMODB_{name.upper()}"):
        read(**{name: value})


@pytest.mark.parametrize(
    "prefix", ["Test-1.a_b", "x" * 255, str, str.lower, functools.partial("{}-{}".format, "test"), {"a": "b"}.get, ""]
)
def test_a_table_prefix_may_have_each_character_of_table_names(prefix: t.Any) -> None:
    """A prefix has the characters of DynamoDB's table names, or is a callable, also a builtin one."""
    assert bind(table_prefix=prefix).table_prefix == prefix


def test_a_table_may_be_an_arn() -> None:
    """``table_name`` is a name or an ARN, of any characters."""
    arn = "arn:aws:dynamodb:us-east-1:111122223333:table/Thread"
    assert read(models={"Thread": {"table_name": arn}}).models["Thread"] == {"table_name": arn}


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
