"""One table of all settings: name, validator, group, levels at which it may stand, and its line of documentation.

A new setting is one row of :data:`SETTINGS`. Validation, the groups of the precedence rules and the key of a cursor are
derived from the rows. The fields of a bind, the key of a client and the reference page are compared with the rows by
tests/config/test_fields.py.
"""

from __future__ import annotations

import collections.abc as cabc
import enum
import typing as t

from pynamodb.settings import get_settings_value

from dynaflask.config import client_validators as client
from dynaflask.config import credential_validators as credentials
from dynaflask.config import table_validators as table
from dynaflask.config import validators as v
from dynaflask.config.validators import Validator


class Group(enum.Enum):
    """Settings that belong together."""

    ENDPOINT = "region and endpoint"
    CREDENTIALS = "credentials"
    ROLE = "role to assume"
    OVERRIDES = "can change the destination or the identity of a request on their own"
    CLIENT = "client options"
    TABLE_NAME = "name of the table"
    NEW_TABLES = "options of a table that is created"
    APP = "options of the app"
    NESTED = "dicts of the settings above, by name"


class Level(enum.Flag):
    """Where a setting may stand. The arguments of ``db.using`` are the settings of a bind."""

    APP = enum.auto()
    BIND = enum.auto()
    MODEL = enum.auto()
    TENANT = enum.auto()
    ANY = APP | BIND | MODEL | TENANT


class Setting(t.NamedTuple):
    """One row of the table.

    Attributes:
        name: Name in a bind or a ``Meta``; in ``app.config`` it is in upper case after ``DYNAMODB_``.
        validator: Checks, copies and freezes a value.
        group: The settings that it belongs to.
        doc: Line of documentation, the first sentence of its entry in the reference.
        levels: Where it may stand.
        is_bind_field: True if a :class:`~dynaflask.Bind` has it.
        is_in_cursor: True if a cursor of ``db.paginate`` is valid for one value of it only.
        has_upstream_default: True if PynamoDB fills its default into each ``Meta`` that does not declare the setting.
    """

    name: str
    validator: Validator
    group: Group
    doc: str
    levels: Level = Level.ANY
    is_bind_field: bool = True
    is_in_cursor: bool = False
    has_upstream_default: bool = False


def _app(name: str, validator: Validator, doc: str, group: Group = Group.APP, levels: Level = Level.APP) -> Setting:
    levels = Level(0) if group is Group.NESTED else levels
    return Setting(name, validator, group, doc, levels, is_bind_field=False)


def _model(name: str, validator: Validator, group: Group, doc: str, levels: Level = Level.MODEL) -> Setting:
    return Setting(name, validator, group, doc, levels, is_bind_field=False)


SETTINGS: t.Final = (
    Setting("region", client.region, Group.ENDPOINT, "AWS region.", is_in_cursor=True, has_upstream_default=True),
    Setting(
        "host",
        client.host,
        Group.ENDPOINT,
        'URL of the endpoint, or ``"local"`` for the local server.',
        is_in_cursor=True,
        has_upstream_default=True,
    ),
    Setting(
        "connect_timeout_seconds",
        client.timeout,
        Group.CLIENT,
        "Longest time to open a connection, in seconds.",
        has_upstream_default=True,
    ),
    Setting(
        "read_timeout_seconds",
        client.timeout,
        Group.CLIENT,
        "Longest wait for the next bytes of a response, in seconds.",
        has_upstream_default=True,
    ),
    Setting(
        "call_timeout_seconds",
        client.timeout,
        Group.CLIENT,
        "Longest time of a call with all its attempts, in seconds.",
    ),
    Setting(
        "max_retry_attempts",
        v.whole_number(0),
        Group.CLIENT,
        "Number of retries after a failed attempt.",
        has_upstream_default=True,
    ),
    Setting("retry_configuration", client.retries, Group.CLIENT, "How botocore retries failed calls."),
    Setting(
        "retry_conflicts", v.whole_number(0), Group.CLIENT, "Number of retries after a conflict with a transaction."
    ),
    Setting(
        "return_values_on_condition_failure",
        v.values_on_condition_failure,
        Group.CLIENT,
        'If ``"ALL_OLD"``, the error of a failed condition has the item.',
    ),
    Setting(
        "max_pool_connections",
        v.whole_number(1, client.MAX_POOL_CONNECTIONS),
        Group.CLIENT,
        "Number of open connections that one client keeps.",
        has_upstream_default=True,
    ),
    Setting(
        "extra_headers",
        client.extra_headers,
        Group.OVERRIDES,
        "HTTP headers that each request carries, unsigned.",
        has_upstream_default=True,
    ),
    Setting("aws_access_key_id", credentials.key, Group.CREDENTIALS, "AWS access key id.", has_upstream_default=True),
    Setting(
        "aws_secret_access_key", credentials.key, Group.CREDENTIALS, "AWS secret access key.", has_upstream_default=True
    ),
    Setting(
        "aws_session_token",
        credentials.key,
        Group.CREDENTIALS,
        "Session token of temporary credentials.",
        has_upstream_default=True,
    ),
    Setting("profile", v.string, Group.CREDENTIALS, "Profile of the AWS configuration files.", is_in_cursor=True),
    Setting("session", credentials.session, Group.CREDENTIALS, "botocore or boto3 session that makes the client."),
    Setting("role_arn", credentials.role_arn, Group.ROLE, "ARN of the IAM role to assume.", is_in_cursor=True),
    Setting("role_session_name", credentials.role_session_name, Group.ROLE, "Name of the role session."),
    Setting(
        "external_id", credentials.external_id, Group.ROLE, "External id that the role requires.", is_in_cursor=True
    ),
    # STS accepts 15 minutes to 12 hours: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    Setting(
        "role_duration_seconds",
        v.whole_number(900, 43_200),
        Group.ROLE,
        "Lifetime of the role's credentials, in seconds.",
    ),
    Setting("session_tags", credentials.session_tags, Group.ROLE, "Tags of the role session, for use in IAM policies."),
    Setting(
        "session_policy", credentials.session_policy, Group.ROLE, "IAM policy that restricts the role session further."
    ),
    Setting(
        "client_factory", client.client_factory, Group.OVERRIDES, "Callable that takes the bind and returns the client."
    ),
    Setting("client_config", client.client_config, Group.OVERRIDES, "botocore ``Config`` with further client options."),
    Setting("share_client", v.boolean, Group.CLIENT, "If false, no other app uses this app's client."),
    Setting(
        "transport", client.transport, Group.CLIENT, 'How calls are sent: ``"direct"``, ``"botocore"`` or ``"stock"``.'
    ),
    Setting(
        "table_prefix",
        table.table_prefix,
        Group.TABLE_NAME,
        "Prefix of each declared table name, or a callable that returns the real name.",
    ),
    Setting("read_capacity_units", v.whole_number(1), Group.NEW_TABLES, "Read capacity units of a new table."),
    Setting("write_capacity_units", v.whole_number(1), Group.NEW_TABLES, "Write capacity units of a new table."),
    Setting(
        "billing_mode",
        table.billing_mode,
        Group.NEW_TABLES,
        'Billing mode of a new table: ``"PAY_PER_REQUEST"`` or ``"PROVISIONED"``.',
    ),
    Setting("table_class", table.table_class, Group.NEW_TABLES, "Table class, which decides the prices."),
    Setting("sse", table.sse, Group.NEW_TABLES, "Key that encrypts the table."),
    Setting(
        "point_in_time_recovery",
        table.point_in_time_recovery,
        Group.NEW_TABLES,
        "Number of days from which the table can be restored.",
    ),
    Setting(
        "on_demand_throughput",
        table.on_demand_throughput,
        Group.NEW_TABLES,
        "Largest number of request units per second of an on-demand table.",
    ),
    Setting(
        "contributor_insights",
        table.contributor_insights,
        Group.NEW_TABLES,
        "If true, CloudWatch shows the keys that are used most.",
    ),
    Setting("local_path", v.path, Group.CLIENT, "Directory where the local server stores its data.", Level.APP),
    _model("table_name", table.table_name, Group.TABLE_NAME, "Name of the table."),
    _model(
        "bind_key", v.string, Group.ENDPOINT, "Bind to use, a key of ``DYNAMODB_BINDS``.", Level.MODEL | Level.TENANT
    ),
    _model("stream_view_type", v.string, Group.NEW_TABLES, "View type of the stream of a new table."),
    _model("tags", table.tags, Group.NEW_TABLES, "Tags of a new table."),
    _model("deletion_protection", v.boolean, Group.NEW_TABLES, "If true, DynamoDB refuses to delete the new table."),
    _model(
        "warm_throughput",
        table.warm_throughput,
        Group.NEW_TABLES,
        "Read and write units per second that the table serves at once.",
    ),
    _model("resource_policy", table.resource_policy, Group.NEW_TABLES, "Resource-based policy of the table."),
    _app("max_clients", v.whole_number(1), "Largest number of clients that the process keeps."),
    _app("client_idle_seconds", v.seconds, "Time without a call after which a client is closed, in seconds."),
    _app("meter", v.boolean, "If true, the app counts its calls and the capacity that they consume."),
    _app("meter_max_tenants", v.whole_number(1), "Largest number of tenants that a process counts separately."),
    _app("record_operations", v.boolean, "If true, each context keeps its operations with their lines of code."),
    _app("server_timing", v.boolean, "If true, each response has a ``Server-Timing`` header with its operations."),
    _app("slow_seconds", v.seconds, "Duration from which an operation is logged as slow, in seconds."),
    _app("costly_units", v.units, "Capacity units from which an operation is logged as costly."),
    _app(
        "tenant_capacity",
        v.capacity,
        "Capacity units per second that one tenant may use in each process.",
        levels=Level.APP | Level.TENANT,
    ),
    _app("error_handlers", v.boolean, "If true, DynamoDB errors that leave a view become 404, 409 or 503 responses."),
    _app("conflict_items", v.boolean, "If true, a 409 response for a failed condition contains the item."),
    _app("json_errors", v.boolean, "If true, HTTP errors are JSON for clients that do not prefer HTML."),
    _app("require_tenant", v.boolean, "If true, any use without a tenant raises ``TenantRequired``."),
    _app("tenant_ttl_seconds", v.seconds, "Time for which a tenant's settings are cached, in seconds."),
    _app("binds", v.dict_of_dicts, "Named destinations: settings by bind key.", Group.NESTED),
    _app("models", v.dict_of_dicts, "Settings by model.", Group.NESTED),
    _app("tenants", v.dict_of_dicts, "Settings by tenant.", Group.NESTED),
)


def _validators(level: Level) -> cabc.Mapping[str, Validator]:
    return {setting.name: setting.validator for setting in SETTINGS if level in setting.levels}


def _names(*groups: Group) -> frozenset[str]:
    return frozenset(setting.name for setting in SETTINGS if setting.group in groups)


APP_VALIDATORS: t.Final = _validators(Level.APP)
BIND_VALIDATORS: t.Final = _validators(Level.BIND)
MODEL_VALIDATORS: t.Final = _validators(Level.MODEL)
# A tenant's own limit is a number: a dict of all tenants belongs to the app.
TENANT_VALIDATORS: t.Final = {**_validators(Level.TENANT), "tenant_capacity": v.units}

# What the Meta of a global index may declare as well.
INDEX_VALIDATORS: t.Final[cabc.Mapping[str, Validator]] = {
    name: MODEL_VALIDATORS[name] for name in ("on_demand_throughput", "warm_throughput", "contributor_insights")
}

BIND_FIELDS: t.Final = tuple(setting.name for setting in SETTINGS if setting.is_bind_field)
MODEL_ONLY_SETTINGS: t.Final = MODEL_VALIDATORS.keys() - set(BIND_FIELDS)
NESTED_SETTINGS: t.Final = _names(Group.NESTED)

CREDENTIAL_SETTINGS: t.Final = _names(Group.CREDENTIALS)
ROLE_SETTINGS: t.Final = _names(Group.ROLE)
IDENTITY_SETTINGS: t.Final = CREDENTIAL_SETTINGS | ROLE_SETTINGS
# The fields of a bind that decide where a request goes, and with which identity.
DESTINATION_SETTINGS: t.Final = (IDENTITY_SETTINGS | _names(Group.ENDPOINT, Group.OVERRIDES)) & set(BIND_FIELDS)
# What a tenant may override of the app rather than of a bind.
TENANT_LIMITS: t.Final = TENANT_VALIDATORS.keys() & _names(Group.APP)
# A tenant that decides one setting of a group decides the whole group. A client factory may choose any endpoint and any
# identity.
TENANT_GROUPS: t.Final = (
    _names(Group.ENDPOINT) | {"client_factory"},
    _names(Group.TABLE_NAME),
    IDENTITY_SETTINGS | {"client_factory"},
)
CURSOR_SETTINGS: t.Final = tuple(setting.name for setting in SETTINGS if setting.is_in_cursor)

# PynamoDB's settings file has no credentials: https://pynamodb.readthedocs.io/en/stable/settings.html
UPSTREAM_DEFAULTS: t.Final[cabc.Mapping[str, t.Any]] = {
    setting.name: None if setting.group is Group.CREDENTIALS else get_settings_value(setting.name)
    for setting in SETTINGS
    if setting.has_upstream_default
}
