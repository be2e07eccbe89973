"""What ``flask dynamo stream`` and ``flask dynamo migrate`` need beside the calls of an app's models.

IAM can limit neither a stream nor a scan to keys. If tenants share the table, these permissions are only for sessions
without the tag of a tenant.
"""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from dynaflask.exceptions import ConfigurationError
from dynaflask.registry.precedence import apply_prefix
from dynaflask.tables.migrations import history
from dynaflask.tables.schema import Json
from dynaflask.tables.streams import checkpoints
from dynaflask.tables.table import Table

#: The commands, by their names.
STREAM: t.Final = "stream"
MIGRATE: t.Final = "migrate"
COMMANDS: t.Final = (STREAM, MIGRATE)

READ_STREAM = frozenset({"DescribeStream", "GetRecords", "GetShardIterator"})
CHANGE_ITEMS = frozenset({"DeleteItem", "GetItem", "PutItem", "Scan", "UpdateItem"})
# The first start creates the table of the checkpoints, and the first migration that of the history.
CREATE = frozenset({"CreateTable", "DescribeTable"})
EXPIRE = frozenset({"UpdateTimeToLive"})


class Grant(t.NamedTuple):
    """Actions on one resource.

    Attributes:
        resource: ARN.
        actions: Names of the actions, without ``dynamodb:``.
        condition: Condition of the statement; empty for none.
    """

    resource: str
    actions: frozenset[str]
    condition: Json


class SharedTables(t.NamedTuple):
    """What is known of tables that tenants share.

    Attributes:
        arns: Their ARNs.
        tenant: Tenant of the policy; ``None`` for sessions with a tag.
        tenant_tag: Key of the session tag.
    """

    arns: cabc.Set[str]
    tenant: str | None
    tenant_tag: str

    def condition(self, table: Table, arn: str, *, command: str) -> Json:
        """The condition of permissions for the items of all tenants of a table.

        Raises:
            ConfigurationError: Tenants share the table, and the policy is for one of them.
        """
        if arn not in self.arns:
            return {}
        if self.tenant is not None:
            raise ConfigurationError(
                f"`flask dynamo {command}` reads the items of all tenants of the {table}, and IAM cannot limit that to"
                f" {self.tenant!r}. Print the policy of this command without a tenant, for a role of its own."
            )
        return {"Null": {f"aws:PrincipalTag/{self.tenant_tag}": "true"}}


def leading_keys(patterns: cabc.Iterable[str]) -> Json:
    """The condition that each key of a request is like one of some patterns.

    Args:
        patterns: The patterns. ``*`` stands for any characters.
    """
    return {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(patterns)},
        # ForAllValues is true for a request without keys.
        "Null": {"dynamodb:LeadingKeys": "false"},
    }


def stream_grants(arns: cabc.Mapping[Table, str], shared: SharedTables) -> cabc.Iterator[Grant]:
    """What ``flask dynamo stream`` needs: the streams of the tables, and its own checkpoints of these streams.

    Args:
        arns: The tables, with their ARNs.
        shared: Those that tenants share.

    Raises:
        ConfigurationError: No table has a stream, or its stream cannot be limited to the tenant.
    """
    streamed = {table: arn for table, arn in arns.items() if table.schema.stream_view_type}
    if not streamed:
        raise ConfigurationError(
            'No model has a stream. Set stream_view_type = "NEW_AND_OLD_IMAGES" in its Meta, or name another model.'
        )
    for table, arn in streamed.items():
        condition, streams = shared.condition(table, arn, command=STREAM), f"{arn}/stream/*"
        yield Grant(streams, READ_STREAM, condition)
        yield from _own_table(
            table,
            arn,
            checkpoints.TABLE_NAME,
            {"UpdateItem"},
            keys=streams,
            create=CREATE | EXPIRE,
            condition=condition,
        )


def migration_grants(arns: cabc.Mapping[Table, str], shared: SharedTables, *, app_name: str) -> cabc.Iterator[Grant]:
    """What ``flask dynamo migrate`` needs: all items of the tables, and the history of these tables and of the app.

    Args:
        arns: The tables, with their ARNs.
        shared: Those that tenants share.
        app_name: Name of the app, for migrations without a model.

    Raises:
        ConfigurationError: The items cannot be limited to the tenant.
    """
    use = {"GetItem", "Query", "UpdateItem"}
    for table, arn in arns.items():
        condition = shared.condition(table, arn, command=MIGRATE)
        yield Grant(arn, CHANGE_ITEMS, condition)
        for target in (table.name, history.app_target(app_name)):
            yield from _own_table(table, arn, history.TABLE_NAME, use, keys=target, create=CREATE, condition=condition)


def _own_table(
    table: Table, arn: str, name: str, use: cabc.Set[str], *, keys: str, create: frozenset[str], condition: Json
) -> cabc.Iterator[Grant]:
    """A table of dynaflask itself, beside a table."""
    place = arn.removesuffix(table.name) + apply_prefix(name, prefix=table.bind.table_prefix)
    limited = leading_keys([keys])
    yield Grant(place, frozenset(use), {**limited, "Null": {**limited["Null"], **condition.get("Null", {})}})
    yield Grant(place, create, condition)
