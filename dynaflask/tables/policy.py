"""The least IAM policy for the calls of an app's models: actions, tables and indexes, and the tenant's keys.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazondynamodb.html
"""

from __future__ import annotations

import collections.abc as cabc
import functools
import json
import typing as t

import botocore.session
from botocore.exceptions import UnknownRegionError

from dynaflask.client.key import client_key
from dynaflask.client.sessions import SessionCache
from dynaflask.config.bind import Bind
from dynaflask.config.validators import account_of_arn
from dynaflask.exceptions import ConfigurationError
from dynaflask.model.pynamodb_internals import hash_key_attribute
from dynaflask.model.pynamodb_internals import indexes
from dynaflask.model.tenant_key import SEPARATOR
from dynaflask.model.tenant_key import TenantKey
from dynaflask.model.typed import Model
from dynaflask.registry.declaration import full_name
from dynaflask.tables.observed import ObservedCall
from dynaflask.tables.policy_commands import MIGRATE
from dynaflask.tables.policy_commands import STREAM
from dynaflask.tables.policy_commands import Grant
from dynaflask.tables.policy_commands import SharedTables
from dynaflask.tables.policy_commands import leading_keys
from dynaflask.tables.policy_commands import migration_grants
from dynaflask.tables.policy_commands import stream_grants
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


def policy(
    registry: Registry,
    *,
    bind_key: str | None = None,
    models: Models | None = None,
    read_only: bool = False,
    account: str | None = None,
    tenant_tag: str = "tenant",
    calls: cabc.Collection[ObservedCall] | None = None,
    commands: cabc.Collection[str] = (),
) -> Json:
    """The IAM policy for an app's models in the current context.

    The keys of tables that tenants share must be those of the current tenant or, without one, those of the tenant that
    a session tag names. Indexes whose hash key is not a ``TenantKey`` alone, and scans, are left out for such tables.

    Args:
        registry: The app's registry, in a context of the app.
        bind_key: Limits the policy to the tables of models on this bind.
        models: Limits the policy to the tables of these models.
        read_only: Leave out the actions that write.
        account: AWS account of the tables; by default the account of the bind's role, or else the account of the
            identity that has the policy.
        tenant_tag: Key of the session tag.
        calls: Limits the policy to these calls.
        commands: Adds what these commands need: ``"stream"`` and ``"migrate"``.

    Raises:
        ConfigurationError: There is nothing to allow, the region of a table is unknown, or IAM cannot limit a command
            to the current tenant.
    """
    tables = find_tables(registry, bind_key=bind_key, models=models)
    denied = WRITES if read_only else frozenset()
    tenant = registry.scope.tenant
    owner = f"${{aws:PrincipalTag/{tenant_tag}}}" if tenant is None else tenant
    of_tenant = leading_keys([f"{owner}{SEPARATOR}*"])
    arns = _arns(tables, account)
    # By ARN: a table may be on two binds with different credentials, and one statement for it must not allow what
    # the other one denies.
    shared = {arns[table] for table in tables if any(model.__has_tenant_key__ for model in table.models)}
    grants = [
        grant._replace(actions=grant.actions - denied)
        for table in tables
        for grant in _grants(table, arns[table], of_tenant=of_tenant if arns[table] in shared else None, calls=calls)
    ]
    if not any(grant.actions for grant in grants):
        raise ConfigurationError(
            "The policy would allow nothing: no model has a table_name in its Meta, or no observed call is of the"
            " selected models."
        )
    shared_tables = SharedTables(shared, tenant, tenant_tag)
    if STREAM in commands:
        grants += stream_grants(arns, shared_tables)
    if MIGRATE in commands:
        grants += migration_grants(arns, shared_tables, app_name=registry.app_name)
    return {"Version": "2012-10-17", "Statement": _statements(grants)}


def _grants(
    table: Table, arn: str, *, of_tenant: Json | None, calls: cabc.Collection[ObservedCall] | None
) -> cabc.Iterator[Grant]:
    """What the models of a table need.

    Args:
        table: The table.
        arn: Its ARN.
        of_tenant: The condition that keys are the tenant's; ``None`` if tenants do not share the table.
        calls: Limits it to these calls.
    """

    def observed(actions: frozenset[str], index_name: str | None = None) -> frozenset[str]:
        return actions if calls is None else actions & _observed_actions(table, index_name, calls)

    items = READS | WRITES | SCAN if of_tenant is None else READS | WRITES
    yield Grant(arn, observed(items), of_tenant or {})
    yield Grant(arn, observed(DESCRIBE), {})
    tenant_indexes = {name for model in table.models for name in _tenant_indexes(model)}
    for index in (*table.schema.global_indexes, *table.schema.local_indexes):
        if of_tenant is None:
            yield Grant(f"{arn}/index/{index.name}", observed(QUERY | SCAN, index.name), {})
        # AWS does not document which keys IAM compares if the hash key has several attributes.
        elif index.name in tenant_indexes and [key.role for key in index.keys].count("HASH") == 1:
            yield Grant(f"{arn}/index/{index.name}", observed(QUERY, index.name), of_tenant)


def _tenant_indexes(model: type[Model]) -> cabc.Iterator[str]:
    """Names of the indexes whose hash key begins with the tenant: IAM compares the hash key of the queried index."""
    for index in indexes(model).values():
        if isinstance(hash_key_attribute(index), TenantKey):
            yield index.Meta.index_name


def _observed_actions(table: Table, index_name: str | None, calls: cabc.Iterable[ObservedCall]) -> set[str]:
    models = {full_name(model) for model in table.models}
    return {call.action for call in calls if call.model in models and call.index_name == index_name}


def _arns(tables: cabc.Iterable[Table], account: str | None) -> dict[Table, str]:
    # Once per bind, because sessions of botocore are slow to make.
    prefix = functools.cache(functools.partial(_arn_prefix, account=account))
    return {table: prefix(table.bind) + table.name for table in tables}


def _arn_prefix(bind: Bind, account: str | None) -> str:
    """The ARN of a table on the bind, without the table."""
    region = _region(bind)
    account = account or account_of_arn(bind.role_arn or "") or ANY_ACCOUNT
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


def _statements(grants: cabc.Iterable[Grant]) -> list[Json]:
    """One statement for all resources with the same actions and the same condition."""
    resources: dict[tuple[bool, str, tuple[str, ...]], set[str]] = {}
    for resource, actions, condition in grants:
        if actions:
            key = (bool(condition), json.dumps(condition), tuple(sorted(actions)))
            resources.setdefault(key, set()).add(resource)
    return [
        {
            "Effect": "Allow",
            "Action": [f"dynamodb:{action}" for action in actions],
            "Resource": sorted(allowed),
            **({"Condition": json.loads(condition)} if is_limited else {}),
        }
        for (is_limited, condition, actions), allowed in sorted(resources.items())
    ]
