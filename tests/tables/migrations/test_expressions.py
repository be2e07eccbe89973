"""Expressions of raw requests."""

from __future__ import annotations

from dynaflask.tables.migrations.expressions import Placeholders


def test_a_name_has_one_placeholder_and_each_value_its_own() -> None:
    """DynamoDB refuses a request that gives one name two placeholders and does not use one of them."""
    placeholders = Placeholders()
    assert placeholders.assign({"status": {"S": "a"}, "name": {"S": "a"}}) == "#0 = :0, #1 = :1"
    assert placeholders.equal({"status": {"S": "b"}, "size": None}) == "#0 = :2 AND attribute_not_exists(#2)"
    assert placeholders.request == {
        "ExpressionAttributeNames": {"#0": "status", "#1": "name", "#2": "size"},
        "ExpressionAttributeValues": {":0": {"S": "a"}, ":1": {"S": "a"}, ":2": {"S": "b"}},
    }


def test_a_request_without_values_has_no_empty_dict() -> None:
    """DynamoDB refuses an empty ``ExpressionAttributeValues``."""
    placeholders = Placeholders()
    assert placeholders.equal({"size": None}) == "attribute_not_exists(#0)"
    assert placeholders.request == {"ExpressionAttributeNames": {"#0": "size"}}
