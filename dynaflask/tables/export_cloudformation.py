"""Tables as a template of CloudFormation or SAM, and as the properties of the CDK's ``CfnTable``.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-dynamodb-table.html
"""

from __future__ import annotations

import collections.abc as cabc
import json
import re
import typing as t

from dynaflask.tables.export_table import ENVIRONMENT_TAG
from dynaflask.tables.export_table import ExportedTable
from dynaflask.tables.schema import Json

SAM_TRANSFORM = "AWS::Serverless-2016-10-31"


def cloudformation(prefix: str, tables: cabc.Sequence[ExportedTable]) -> Json:
    """A template with the parameters ``TablePrefix`` and ``Environment``. It never deletes a table.

    Args:
        prefix: The prefix of the tables, the default of the parameter.
        tables: The tables, sorted.
    """
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Parameters": {
            "TablePrefix": {
                "Type": "String",
                "Default": prefix,
                "AllowedPattern": "[a-zA-Z0-9_.-]*",
                "Description": "Prefix of the table names: the app's DYNAMODB_TABLE_PREFIX.",
            },
            "Environment": {"Type": "String", "Description": "Value of the tag Environment, such as production."},
        },
        "Resources": {
            table.id: _resource(table, previous)
            for table, previous in zip(tables, _previous_with_indexes(tables), strict=True)
        },
    }


def sam(prefix: str, tables: cabc.Sequence[ExportedTable]) -> Json:
    """The template for SAM. Its tables are those of CloudFormation: SAM's ``SimpleTable`` has no range key.

    Args:
        prefix: As of `cloudformation`.
        tables: As of `cloudformation`.
    """
    template = cloudformation(prefix, tables)
    return {
        "AWSTemplateFormatVersion": template.pop("AWSTemplateFormatVersion"),
        "Transform": SAM_TRANSFORM,
        **template,
    }


def cdk(prefix: str, tables: cabc.Sequence[ExportedTable]) -> Json:
    """The properties of a ``CfnTable`` for each table, with the names of the CDK.

    The program replaces ``${TablePrefix}`` in the names, and adds the tag for its environment.

    Args:
        prefix: The prefix of the tables.
        tables: The tables, sorted.
    """
    return {
        "tablePrefix": prefix,
        "tables": {table.id: {"tableName": _name(table), **_camel_case(properties(table.request))} for table in tables},
    }


def properties(request: Json) -> Json:
    """The properties of ``AWS::DynamoDB::Table``. Only those that the API calls otherwise are translated.

    Args:
        request: As of `ExportedTable`.
    """
    return {name: _TRANSLATIONS.get(name, _unchanged)(value) for name, value in request.items()}


def _unchanged(value: t.Any) -> t.Any:
    return value


def _stream(value: Json) -> Json:
    return {name: content for name, content in value.items() if name != "StreamEnabled"}


def _encryption(value: Json) -> Json:
    return {"SSEEnabled" if name == "Enabled" else name: content for name, content in value.items()}


def _resource_policy(value: str) -> Json:
    return {"PolicyDocument": json.loads(value)}


_TRANSLATIONS: t.Final[cabc.Mapping[str, cabc.Callable[[t.Any], t.Any]]] = {
    "StreamSpecification": _stream,
    "SSESpecification": _encryption,
    "ResourcePolicy": _resource_policy,
}


def _previous_with_indexes(tables: cabc.Sequence[ExportedTable]) -> cabc.Iterator[str | None]:
    """For each table, the one before it that is to be created first.

    CloudFormation creates tables in parallel, and DynamoDB limits how many with indexes may be created at a time.
    """
    previous = None
    for table in tables:
        has_indexes = "GlobalSecondaryIndexes" in table.request or "LocalSecondaryIndexes" in table.request
        yield previous if has_indexes else None
        previous = table.id if has_indexes else previous


def _name(table: ExportedTable) -> str:
    return f"${{TablePrefix}}{table.name}" if table.has_prefix else table.name


def _resource(table: ExportedTable, previous: str | None) -> Json:
    declared = properties(table.request)
    tags = [tag for tag in declared.pop("Tags", ()) if tag["Key"] != ENVIRONMENT_TAG]
    return {
        "Type": "AWS::DynamoDB::Table",
        # Without these, the end of a stack and the change of a key delete the items.
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        **({"DependsOn": previous} if previous else {}),
        "Properties": {
            "TableName": {"Fn::Sub": _name(table)} if table.has_prefix else table.name,
            **declared,
            "Tags": [*tags, {"Key": ENVIRONMENT_TAG, "Value": {"Ref": "Environment"}}],
        },
    }


def _camel_case(value: t.Any) -> t.Any:
    if isinstance(value, list):
        return [_camel_case(element) for element in value]
    if isinstance(value, dict):
        # A policy has the names of IAM.
        return {
            _camel_case_name(name): content if name == "PolicyDocument" else _camel_case(content)
            for name, content in value.items()
        }
    return value


def _camel_case_name(name: str) -> str:
    """``tableName`` for ``TableName``, ``sseEnabled`` for ``SSEEnabled``."""
    return re.sub(r"^[A-Z]+(?=[A-Z][a-z])|^[A-Z]", lambda match: match[0].lower(), name)
