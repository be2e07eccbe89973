"""Tables for Terraform, checked against the documented arguments of its provider."""

from __future__ import annotations

import re
import typing as t

import pytest

from dynaflask.tables.export_table import ExportedTable
from dynaflask.tables.export_terraform import arguments
from dynaflask.tables.export_terraform import terraform
from tests.support import exports

# Of version 6.37: https://registry.terraform.io/providers/hashicorp/aws/6.37.0/docs/resources/dynamodb_table
# A dict is a block, a list a block that may be repeated, and a type an argument.
KEY: t.Any = [{"attribute_name": str, "key_type": str}]
ON_DEMAND: t.Any = {"max_read_request_units": int, "max_write_request_units": int}
WARM: t.Any = {"read_units_per_second": int, "write_units_per_second": int}
LOCAL_INDEX: t.Any = {"name": str, "non_key_attributes": [str], "projection_type": str, "range_key": str}
GLOBAL_INDEX: t.Any = {
    "key_schema": KEY,
    "name": str,
    "non_key_attributes": [str],
    "on_demand_throughput": ON_DEMAND,
    "projection_type": str,
    "read_capacity": int,
    "warm_throughput": WARM,
    "write_capacity": int,
}
TABLE: t.Any = {
    "attribute": [{"name": str, "type": str}],
    "billing_mode": str,
    "deletion_protection_enabled": bool,
    "global_secondary_index": [GLOBAL_INDEX],
    "hash_key": str,
    "lifecycle": {"prevent_destroy": bool},
    "local_secondary_index": [LOCAL_INDEX],
    "name": str,
    "on_demand_throughput": ON_DEMAND,
    "point_in_time_recovery": {"enabled": bool, "recovery_period_in_days": int},
    "range_key": str,
    "read_capacity": int,
    "server_side_encryption": {"enabled": bool, "kms_key_arn": str},
    "stream_enabled": bool,
    "stream_view_type": str,
    "table_class": str,
    "tags": {"team": str, "Environment": str},
    "ttl": {"attribute_name": str, "enabled": bool},
    "warm_throughput": WARM,
    "write_capacity": int,
}
REQUIRED = {"attribute", "hash_key", "name"}
PLAIN = {name: exports.EVERYTHING[name] for name in ("KeySchema", "AttributeDefinitions")}


def check(value: t.Any, documented: t.Any) -> None:
    """Fail if the value is not as documented."""
    if isinstance(documented, dict):
        assert isinstance(value, dict)
        assert value.keys() <= documented.keys()
        for name, content in value.items():
            check(content, documented[name])
    elif isinstance(documented, list):
        assert isinstance(value, list)
        for element in value:
            check(element, documented[0])
    else:
        assert type(value) is documented


@pytest.mark.parametrize("table", [exports.full_table(), exports.provisioned_table()], ids=lambda table: table.id)
def test_a_table_has_documented_arguments(table: t.Any) -> None:
    """All arguments and blocks of a table are documented, and have the documented types."""
    resource = terraform("", [table])["resource"]["aws_dynamodb_table"][table.id]
    check(resource, TABLE)
    assert resource.keys() >= REQUIRED


def test_every_argument_is_used() -> None:
    """The two tables together use each documented argument, so that none of them is without test."""
    tables = [exports.full_table(), exports.provisioned_table()]
    resources = terraform("", tables)["resource"]["aws_dynamodb_table"].values()
    assert {name for resource in resources for name in resource} == TABLE.keys()
    assert {name for resource in resources for name in resource["global_secondary_index"][0]} == GLOBAL_INDEX.keys()


def test_the_values_of_a_table_are_those_of_the_request() -> None:
    """The key of a global index has any number of attributes; that of a local index has the table's hash key."""
    translated = arguments(exports.EVERYTHING)
    assert (translated["hash_key"], translated["range_key"]) == ("forum", "subject")
    assert translated["attribute"][0] == {"name": "author", "type": "S"}
    (index,), (local,) = translated["global_secondary_index"], translated["local_secondary_index"]
    assert [(key["attribute_name"], key["key_type"]) for key in index["key_schema"]] == [
        ("author", "HASH"),
        ("forum", "HASH"),
        ("views", "RANGE"),
    ]
    assert local == {"name": "local", "projection_type": "KEYS_ONLY", "range_key": "views"}
    assert translated["ttl"] == {"attribute_name": "expires", "enabled": True}
    assert translated["point_in_time_recovery"] == {"enabled": True, "recovery_period_in_days": 7}
    assert (translated["stream_enabled"], translated["stream_view_type"]) == (True, "NEW_IMAGE")


def test_a_capacity_has_two_arguments() -> None:
    """The capacity of a table and of an index are arguments of their own."""
    translated = arguments(exports.provisioned_table().request)
    for capacity in (translated, translated["global_secondary_index"][0]):
        assert (capacity["read_capacity"], capacity["write_capacity"]) == (3, 2)


def test_a_value_is_no_template() -> None:
    """Terraform does not evaluate what a model declares."""
    assert arguments(exports.EVERYTHING)["tags"] == {"team": "$${forum} at 5 %%{"}


def test_a_configuration_has_variables_for_prefix_and_environment() -> None:
    """The prefix of the app is the default of ``table_prefix``. ``environment`` is a tag, and has no default."""
    document = terraform("forum-", [exports.provisioned_table(), exports.full_table()])
    tables = document["resource"]["aws_dynamodb_table"]
    assert document["variable"]["table_prefix"]["default"] == "forum-"
    assert "default" not in document["variable"]["environment"]
    assert [table["name"] for table in tables.values()] == ["Post", "${var.table_prefix}Thread"]
    assert [table["tags"]["Environment"] for table in tables.values()] == ["${var.environment}"] * 2


def test_no_configuration_deletes_a_table() -> None:
    """Terraform refuses a plan that would delete a table."""
    (resource,) = terraform("", [exports.full_table()])["resource"]["aws_dynamodb_table"].values()
    assert resource["lifecycle"] == {"prevent_destroy": True}


def test_a_resource_policy_is_a_resource() -> None:
    """The policy refers to the ARN of its table. Without one, there is no such resource."""
    resources = terraform("", [exports.full_table(), exports.provisioned_table()])["resource"]
    assert resources["aws_dynamodb_resource_policy"] == {
        "ThreadTable": {
            "resource_arn": "${aws_dynamodb_table.ThreadTable.arn}",
            "policy": exports.EVERYTHING["ResourcePolicy"],
        }
    }
    assert terraform("", [exports.provisioned_table()])["resource"].keys() == {"aws_dynamodb_table"}


def test_insights_are_resources() -> None:
    """Contributor Insights of a table and of each index are a resource, if they are enabled."""
    resources = terraform("", [exports.full_table(), exports.provisioned_table()])["resource"]
    table_name = "${aws_dynamodb_table.ThreadTable.name}"
    assert resources["aws_dynamodb_contributor_insights"] == {
        "ThreadTable": {"table_name": table_name, "mode": "THROTTLED_KEYS"},
        "ThreadTable-byAuthor": {
            "table_name": table_name,
            "index_name": "byAuthor",
            "mode": "ACCESSED_AND_THROTTLED_KEYS",
        },
    }


def test_each_index_has_a_resource_of_its_own() -> None:
    """The names of indexes may have characters that Terraform does not allow, and stay different."""
    names = ["a.b", "a-b", "a-_b", "a--b", "a_b"]
    insights = {"ContributorInsightsSpecification": {"Enabled": True, "Mode": "THROTTLED_KEYS"}}
    indexes = [{"IndexName": name, "KeySchema": [], "Projection": {}, **insights} for name in names]
    disabled = {"ContributorInsightsSpecification": {"Enabled": False}}
    table = ExportedTable("T", "t", has_prefix=True, request={**PLAIN, "GlobalSecondaryIndexes": indexes, **disabled})
    resources = terraform("", [table])["resource"]["aws_dynamodb_contributor_insights"]
    assert [resource["index_name"] for resource in resources.values()] == names
    assert all(re.fullmatch("[A-Za-z_][A-Za-z0-9_-]*", name) for name in resources)


def test_a_table_without_options_has_none() -> None:
    """What the request does not have is no argument."""
    assert arguments(PLAIN).keys() == {"hash_key", "range_key", "attribute", "tags"}
