"""The least IAM policy for the calls of an app's models: actions, tables and indexes, and the tenant's keys.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
"""

from __future__ import annotations

import collections.abc as cabc
import functools
import typing as t

import botocore.session
from botocore.exceptions import UnknownRegionError

from dynaflask.client.key import client_key
from dynaflask.client.sessions import SessionCache
from dynaflask.config.bind import Bind
from dynaflask.exceptions import ConfigurationError
from dynaflask.model.pynamodb_internals import hash_key_attribute
from dynaflask.model.pynamodb_internals import indexes
from dynaflask.model.tenant_key import SEPARATOR
from dynaflask.model.tenant_key import TenantKey
from dynaflask.model.typed import Model
from dynaflask.registry.declaration import full_name
from dynaflask.tables.observed import ObservedCall
from dynaflask.tables.schema import Json
from dynaflask.tables.table import Models
from dynaflask.tables.table import Table
from dynaflask.tables.table import find_tables

if t.TYPE_CHECKING:
    from dynaflask.registry.registry import Registry

__all__ = ["policy"]

READS = frozenset({"BatchGetItem", "GetItem", "Query"})
WRITES = frozenset({"BatchWriteItem", "ConditionCheckItem", "DeleteItem", "PutItem", "UpdateItem"})
SCAN = frozenset({"Scan"})
QUERY = frozenset({"Query"})
# Health checks, Model.exists and Model.count without a key. It returns no items.
DESCRIBE = frozenset({"DescribeTable"})

ANY_ACCOUNT = "*"


class Grant(t.NamedTuple):
    """Actions on one resource.

    Attributes:
        table: The table.
        index_name: The name of the index; ``None`` for the table itself.
        actions: Names of the actions, without ``dynamodb:``.
        is_of_tenant: True if the keys must be the tenant's.
    """

    table: Table
    index_name: str | None
    actions: frozenset[str]
    is_of_tenant: bool


def policy(
    registry: Registry,
    *,
    bind_key: str | None = None,
    models: Models | None = None,
    read_only: bool = False,
    account: str | None = None,
    tenant_tag: str = "tenant",
    calls: cabc.Collection[ObservedCall] | None = None,
) -> Json:
    """The IAM policy for an app's models in the current context.

    The keys of tables that tenants share must be those of the current tenant or, without one, those of the tenant that
    a session tag names. Indexes whose hash key is not a ``TenantKey``, and scans, are left out for such tables.

    Args:
        registry: The app's registry, in a context of the app.
        bind_key: Limits the policy to the tables of models on this bind.
        models: Limits the policy to the tables of these models.
        read_only: Leave out the actions that write.
        account: AWS account of the tables; by default the account of the bind's role, or else the account of the
            identity that has the policy.
        tenant_tag: Key of the session tag.
        calls: Limits the policy to these calls.

    Raises:
        ConfigurationError: There is nothing to allow, or the region of a table is unknown.
    """
    tables = find_tables(registry, bind_key=bind_key, models=models)
    denied = WRITES if read_only else frozenset()
    tenant = registry.scope.tenant
    value = f"${{aws:PrincipalTag/{tenant_tag}}}" if tenant is None else tenant
    arns = _arns(tables, account)
    # By ARN: a table may be on two binds with different credentials, and one statement for it must not allow what
    # the other one denies.
    shared = {arns[table] for table in tables if any(model.__has_tenant_key__ for model in table.models)}
    resources: dict[tuple[bool, tuple[str, ...]], set[str]] = {}
    for grant in (grant for table in tables for grant in _grants(table, is_shared=arns[table] in shared)):
        actions = grant.actions - denied
        if calls is not None:
            actions &= _observed_actions(grant, calls)
        if actions:
            arn = arns[grant.table] + ("" if grant.index_name is None else f"/index/{grant.index_name}")
            resources.setdefault((grant.is_of_tenant, tuple(sorted(actions))), set()).add(arn)
    if not resources:
        raise ConfigurationError(
            "The policy would allow nothing: no model has a table_name in its Meta, or no observed call is of the"
            " selected models."
        )
    statements = [
        _statement(actions, sorted(allowed), f"{value}{SEPARATOR}*" if is_of_tenant else None)
        for (is_of_tenant, actions), allowed in sorted(resources.items())
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _grants(table: Table, *, is_shared: bool) -> cabc.Iterator[Grant]:
    yield Grant(table, None, READS | WRITES if is_shared else READS | WRITES | SCAN, is_shared)
    yield Grant(table, None, DESCRIBE, False)
    tenant_indexes = {name for model in table.models for name in _tenant_indexes(model)}
    for index in (*table.schema.global_indexes, *table.schema.local_indexes):
        if not is_shared:
            yield Grant(table, index.name, QUERY | SCAN, False)
        elif index.name in tenant_indexes:
            yield Grant(table, index.name, QUERY, True)


def _tenant_indexes(model: type[Model]) -> cabc.Iterator[str]:
    """Names of the indexes whose hash key begins with the tenant: IAM compares the hash key of the queried index."""
    for index in indexes(model).values():
        if isinstance(hash_key_attribute(index), TenantKey):
            yield index.Meta.index_name


def _observed_actions(grant: Grant, calls: cabc.Iterable[ObservedCall]) -> set[str]:
    models = {full_name(model) for model in grant.table.models}
    return {call.action for call in calls if call.model in models and call.index_name == grant.index_name}


def _arns(tables: cabc.Iterable[Table], account: str | None) -> dict[Table, str]:
    # Once per bind, because sessions of botocore are slow to make.
    prefix = functools.cache(functools.partial(_arn_prefix, account=account))
    return {table: prefix(table.bind) + table.name for table in tables}


def _arn_prefix(bind: Bind, account: str | None) -> str:
    """The ARN of a table on the bind, without the table."""
    region = _region(bind)
    account = account or (bind.role_arn.split(":")[4] if bind.role_arn else ANY_ACCOUNT)
    return f"arn:{_partition(region)}:dynamodb:{region}:{account}:table/"


def _region(bind: Bind) -> str:
    # Not from a client: it would start the local server, or look for credentials on the network.
    key = client_key(bind)
    region = key.region or SessionCache().get(key).region
    if region is None:
        raise ConfigurationError(
            f"The ARN of a table has its region, and bind {bind.key!r} has none. Set DYNAMODB_REGION or"
            " AWS_DEFAULT_REGION."
        )
    return region


def _partition(region: str) -> str:
    try:
        return botocore.session.get_session().get_partition_for_region(region)
    except UnknownRegionError:
        return "aws"


def _statement(actions: cabc.Iterable[str], resources: list[str], leading_key: str | None) -> Json:
    statement: Json = {
        "Effect": "Allow",
        "Action": [f"dynamodb:{action}" for action in actions],
        "Resource": resources,
    }
    if leading_key is not None:
        statement["Condition"] = {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": [leading_key]},
            # ForAllValues is true for a request without keys.
            "Null": {"dynamodb:LeadingKeys": "false"},
        }
    return statement
