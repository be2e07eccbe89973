"""Validators of what a table declares beside its keys."""

from __future__ import annotations

import json
import typing as t

import pytest

from dynaflask import ConfigurationError
from dynaflask.config.fields import MODEL_VALIDATORS

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
