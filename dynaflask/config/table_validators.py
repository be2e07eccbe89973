"""Validators of the name of a table, and of what it declares beside its keys."""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t

from pynamodb.constants import AVAILABLE_BILLING_MODES
from werkzeug.datastructures import ImmutableDict

from dynaflask.config.validators import TablePrefix
from dynaflask.config.validators import Validator
from dynaflask.config.validators import callable_with
from dynaflask.config.validators import dict_of_strings
from dynaflask.config.validators import is_arn
from dynaflask.config.validators import one_of
from dynaflask.config.validators import policy_json
from dynaflask.config.validators import string
from dynaflask.config.validators import whole_number
from dynaflask.config.validators import wrong_type
from dynaflask.exceptions import ConfigurationError

# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
TABLE_NAME_CHARACTERS: t.Final = r"[a-zA-Z0-9_.-]*"
MAX_TABLE_NAME = 255
TABLE_CLASSES = ("STANDARD", "STANDARD_INFREQUENT_ACCESS")
#: The key that DynamoDB owns, and the key of KMS that AWS manages for DynamoDB in the account.
AWS_OWNED, AWS_MANAGED = "AWS_OWNED", "KMS"
# https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id
_KMS_KEY: t.Final = r"arn:[^:]+:kms:\S+|alias/\S+|mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PointInTimeRecoverySpecification.html
MAX_RECOVERY_DAYS = 35
#: No maximum of an on-demand table.
UNLIMITED = -1
INSIGHTS_DISABLED = "DISABLED"
DEFAULT_INSIGHTS_MODE = "ACCESSED_AND_THROTTLED_KEYS"
INSIGHTS_MODES = (DEFAULT_INSIGHTS_MODE, "THROTTLED_KEYS")
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutResourcePolicy.html
MAX_RESOURCE_POLICY_BYTES = 20 * 1024


def table_prefix(label: str, value: t.Any) -> TablePrefix:
    """A string, also an empty one, or a callable that turns a declared table name into the real one."""
    if callable(value):
        if isinstance(value, type) and not issubclass(value, str):
            raise ConfigurationError(f"{label} must be a string or a function, not the class {value.__qualname__}.")
        return callable_with(label, value, "the declared name of a table")
    return "" if value == "" else _check_table_name(label, string(label, value))


def table_name(label: str, value: t.Any) -> str:
    """The name or the ARN of a table. A name may be short, because a prefix may precede it."""
    name = string(label, value)
    return name if is_arn(name) else _check_table_name(label, name)


def _check_table_name(label: str, name: str) -> str:
    if re.fullmatch(TABLE_NAME_CHARACTERS, name) is None or len(name) > MAX_TABLE_NAME:
        raise ConfigurationError(
            f"{label} must have only the characters a-z, A-Z, 0-9, '_', '-' and '.', and at most {MAX_TABLE_NAME} of"
            f" them, as DynamoDB's table names; not {name!r}."
        )
    return name


def billing_mode(label: str, value: t.Any) -> str:
    """One of DynamoDB's billing modes."""
    return one_of(label, value, AVAILABLE_BILLING_MODES)


def table_class(label: str, value: t.Any) -> str:
    """One of DynamoDB's table classes."""
    return one_of(label, value, TABLE_CLASSES)


def sse(label: str, value: t.Any) -> str:
    """``"AWS_OWNED"``, ``"KMS"``, or the id, alias or ARN of a key of KMS."""
    name = string(label, value)
    if name in {AWS_OWNED, AWS_MANAGED} or re.fullmatch(_KMS_KEY, name):
        return name
    raise ConfigurationError(
        f"{label} must be 'AWS_OWNED', 'KMS', or the ARN, the id or the alias of a key of KMS, such as 'alias/forum';"
        f" not {name!r}."
    )


def point_in_time_recovery(label: str, value: t.Any) -> int:
    """Days from which a table can be restored: True is 35, and False is 0."""
    if isinstance(value, bool):
        return MAX_RECOVERY_DAYS if value else 0
    if not isinstance(value, int):
        raise wrong_type(label, f"True, False or a number of days up to {MAX_RECOVERY_DAYS}", value)
    return t.cast("int", whole_number(0, MAX_RECOVERY_DAYS)(label, value))


def on_demand_throughput(label: str, value: t.Any) -> ImmutableDict[str, int]:
    """The most read and write request units per second; -1 is no maximum."""
    return _throughput(label, value, lambda name, units: UNLIMITED if units == UNLIMITED else _positive(name, units))


def warm_throughput(label: str, value: t.Any) -> ImmutableDict[str, int]:
    """The read and write units per second that a table serves at once."""
    return _throughput(label, value, _positive)


def contributor_insights(label: str, value: t.Any) -> str:
    """A mode of Contributor Insights: True is the default mode, and False is ``"DISABLED"``."""
    if isinstance(value, bool):
        return DEFAULT_INSIGHTS_MODE if value else INSIGHTS_DISABLED
    return one_of(label, value, (INSIGHTS_DISABLED, *INSIGHTS_MODES))


def resource_policy(label: str, value: t.Any) -> str:
    """A resource-based policy as a dict or JSON. It becomes JSON without spaces, which count for its length."""
    policy = policy_json(label, value, kind="a resource-based policy")
    if len(policy) > MAX_RESOURCE_POLICY_BYTES:
        raise ConfigurationError(
            f"{label} has {len(policy)} bytes. DynamoDB accepts at most {MAX_RESOURCE_POLICY_BYTES}."
        )
    return policy


def tags(label: str, value: t.Any) -> dict[str, str]:
    """The tags of a new table."""
    return dict(dict_of_strings(label, value))


_positive: t.Final = whole_number(1)


def _throughput(label: str, value: t.Any, check: Validator) -> ImmutableDict[str, int]:
    if not isinstance(value, cabc.Mapping):
        raise wrong_type(label, "a dict such as {'read': 100, 'write': 50}", value)
    if not value or not value.keys() <= {"read", "write"}:
        raise ConfigurationError(f"{label} must have the keys 'read' and 'write', or one of them.")
    return ImmutableDict({name: check(f"{label}[{name!r}]", units) for name, units in value.items()})
