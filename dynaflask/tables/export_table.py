"""``ExportedTable``: a table that becomes part of an infrastructure document."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from dynaflask.config.table_validators import INSIGHTS_DISABLED
from dynaflask.tables.schema import Json
from dynaflask.tables.schema_diff import completions
from dynaflask.tables.table import Table

#: The tag that has the value of the parameter ``Environment``.
ENVIRONMENT_TAG = "Environment"

INSIGHTS: t.Final = "ContributorInsightsSpecification"

# Calls after `CreateTable` whose requests name the same properties as the documents.
EXPORTED_CALLS = frozenset({"UpdateTimeToLive", "UpdateContinuousBackups"})
# Lists whose order means nothing to DynamoDB, and what they are sorted by.
SORTED: t.Final = {
    "AttributeDefinitions": "AttributeName",
    "GlobalSecondaryIndexes": "IndexName",
    "LocalSecondaryIndexes": "IndexName",
}


@dataclasses.dataclass(frozen=True, slots=True)
class ExportedTable:
    """A table that becomes part of an infrastructure document.

    Attributes:
        id: Name of its resource in the document.
        name: Name of the table, without the prefix.
        has_prefix: False if the real name does not begin with the prefix.
        request: The request of ``CreateTable`` without the name, with the members of ``UpdateTimeToLive`` and of the
            other calls that complete a new table, and with ``ContributorInsightsSpecification``.
    """

    id: str
    name: str
    has_prefix: bool
    request: Json


def exported(table: Table, prefix: str) -> ExportedTable:
    """A table of the app as a part of a document.

    Args:
        table: The table.
        prefix: The prefix that is a parameter of the document.
    """
    has_prefix = table.name.startswith(prefix)
    name = table.name.removeprefix(prefix)
    return ExportedTable(_resource_id(name), name, has_prefix=has_prefix, request=_request(table))


def _resource_id(name: str) -> str:
    """The name of the resource: that of the table, without the characters that CloudFormation does not allow."""
    words = re.split(r"[^0-9A-Za-z]+", name)
    resource_id = "".join(word[:1].upper() + word[1:] for word in words)
    # Terraform's names do not begin with a digit.
    return f"Table{resource_id}" if resource_id[:1].isdigit() else f"{resource_id}Table"


def _request(table: Table) -> Json:
    """What the models of a table declare: the request of ``CreateTable``, and those of the calls that follow it."""
    schema = table.schema
    calls = [call.request for call in completions(schema) if call.operation in EXPORTED_CALLS]
    request = {name: value for part in (schema.create_request(), *calls) for name, value in part.items()}
    request |= _insights(schema.insights)
    index_insights = {index.name: _insights(index.insights) for index in schema.global_indexes}
    for entry in request.get("GlobalSecondaryIndexes", ()):
        entry.update(index_insights[entry["IndexName"]])
    # The order of these is that of the models, which depends on the order of imports.
    for name, key in SORTED.items():
        if name in request:
            request[name] = sorted(request[name], key=lambda entry: entry[key])
    return request


def _insights(mode: str | None) -> Json:
    """Contributor Insights of a table or of an index, with CloudFormation's names: the API has a call for each."""
    if mode is None:
        return {}
    is_enabled = mode != INSIGHTS_DISABLED
    return {INSIGHTS: {"Enabled": is_enabled, **({"Mode": mode} if is_enabled else {})}}
