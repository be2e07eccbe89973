"""Tables as a Terraform configuration, in Terraform's JSON syntax: a file whose name ends in ``.tf.json``.

https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/dynamodb_table
"""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t

from dynaflask.tables.export_table import ENVIRONMENT_TAG
from dynaflask.tables.export_table import INSIGHTS
from dynaflask.tables.export_table import ExportedTable
from dynaflask.tables.schema import Json

# An index has key_schema from 6.29 on. Up to 6.36, the provider deletes all indexes where one is removed.
PROVIDER_VERSION = ">= 6.37"

# Members whose own members stand beside them.
_INLINE = frozenset({"Projection", "ProvisionedThroughput", "StreamSpecification"})
# Names that are not the API's in snake case.
_NAMES = {
    "AttributeDefinitions": "attribute",
    "GlobalSecondaryIndexes": "global_secondary_index",
    "IndexName": "name",
    "KMSMasterKeyId": "kms_key_arn",
    "LocalSecondaryIndexes": "local_secondary_index",
    "PointInTimeRecoveryEnabled": "enabled",
    "PointInTimeRecoverySpecification": "point_in_time_recovery",
    "ReadCapacityUnits": "read_capacity",
    "SSESpecification": "server_side_encryption",
    "TimeToLiveSpecification": "ttl",
    "WriteCapacityUnits": "write_capacity",
}
# A key is KMS's wherever the encryption is enabled. The policy and the insights are resources of their own.
_LEFT_OUT = frozenset({INSIGHTS, "ResourcePolicy", "SSEType"})


def terraform(prefix: str, tables: cabc.Sequence[ExportedTable]) -> Json:
    """A configuration with the variables ``table_prefix`` and ``environment``. It never deletes a table.

    Args:
        prefix: The prefix of the tables, the default of the variable.
        tables: The tables, sorted.
    """
    resources = {
        "aws_dynamodb_table": {table.id: _resource(table) for table in tables},
        "aws_dynamodb_resource_policy": {
            table.id: _policy(table) for table in tables if "ResourcePolicy" in table.request
        },
        "aws_dynamodb_contributor_insights": {
            name: insights for table in tables for name, insights in _insights(table)
        },
    }
    return {
        "terraform": {"required_providers": {"aws": {"source": "hashicorp/aws", "version": PROVIDER_VERSION}}},
        "variable": {
            "table_prefix": {
                "type": "string",
                "default": prefix,
                "description": "Prefix of the table names: the app's DYNAMODB_TABLE_PREFIX.",
            },
            "environment": {"type": "string", "description": "Value of the tag Environment, such as production."},
        },
        "resource": {kind: named for kind, named in resources.items() if named},
    }


def arguments(request: Json) -> Json:
    """The arguments of ``aws_dynamodb_table``.

    Args:
        request: As of `ExportedTable`.
    """
    request = dict(request)
    keys = _key_arguments(request.pop("KeySchema"))
    attributes = [
        {"name": definition["AttributeName"], "type": definition["AttributeType"]}
        for definition in request.pop("AttributeDefinitions")
    ]
    local_indexes = [
        {**_translated({**index, "KeySchema": []}), "range_key": _key_arguments(index["KeySchema"])["range_key"]}
        for index in request.pop("LocalSecondaryIndexes", ())
    ]
    tags = {tag["Key"]: tag["Value"] for tag in request.pop("Tags", ())}
    translated = {**keys, "attribute": attributes, **_translated(request)}
    if local_indexes:
        translated["local_secondary_index"] = local_indexes
    return t.cast("Json", _literal({**translated, "tags": tags}))


def _key_arguments(key_schema: cabc.Iterable[Json]) -> Json:
    return {f"{key['KeyType'].lower()}_key": key["AttributeName"] for key in key_schema}


def _translated(members: Json) -> Json:
    translated: Json = {}
    for name, value in members.items():
        if name in _INLINE:
            translated.update(_translated(value))
        elif name not in _LEFT_OUT and value != []:
            translated[_NAMES.get(name) or _snake_case(name)] = _translated_value(value)
    return translated


def _translated_value(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return _translated(value)
    if isinstance(value, list):
        return [_translated_value(element) for element in value]
    return value


def _snake_case(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _literal(value: t.Any) -> t.Any:
    """The value without templates: Terraform evaluates ``${...}`` and ``%{...}`` in every string."""
    if isinstance(value, dict):
        return {_literal(name): _literal(content) for name, content in value.items()}
    if isinstance(value, list):
        return [_literal(element) for element in value]
    return re.sub(r"([$%])\{", r"\1\1{", value) if isinstance(value, str) else value


def _resource(table: ExportedTable) -> Json:
    declared = arguments(table.request)
    return {
        "name": f"${{var.table_prefix}}{table.name}" if table.has_prefix else table.name,
        **declared,
        "tags": {**declared["tags"], ENVIRONMENT_TAG: "${var.environment}"},
        # Without it, the change of a key deletes the items.
        "lifecycle": {"prevent_destroy": True},
    }


def _policy(table: ExportedTable) -> Json:
    return {
        "resource_arn": f"${{aws_dynamodb_table.{table.id}.arn}}",
        "policy": _literal(table.request["ResourcePolicy"]),
    }


def _insights(table: ExportedTable) -> cabc.Iterator[tuple[str, Json]]:
    """The names and arguments of ``aws_dynamodb_contributor_insights``: one for the table and one for each index.

    https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/dynamodb_contributor_insights
    """
    indexes = {index["IndexName"]: index for index in table.request.get("GlobalSecondaryIndexes", ())}
    for index_name, members in {None: table.request, **indexes}.items():
        insights = members.get(INSIGHTS, {"Enabled": False})
        if insights["Enabled"]:
            name = table.id if index_name is None else f"{table.id}-{_escaped(index_name)}"
            index: Json = {} if index_name is None else {"index_name": index_name}
            table_name = f"${{aws_dynamodb_table.{table.id}.name}}"
            yield name, {"table_name": table_name, **index, "mode": insights["Mode"]}


def _escaped(index_name: str) -> str:
    """An index's name without dots, which names in Terraform do not have. Two indexes never get the same one."""
    return index_name.replace("-", "--").replace(".", "-_")
