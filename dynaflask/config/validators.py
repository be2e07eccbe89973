"""Validators: each checks the value of a setting, and returns it copied and frozen.

A validator takes the name of the setting as the program spelt it, and the value. It raises ``ConfigurationError``.
"""

from __future__ import annotations

import collections.abc as cabc
import functools
import inspect
import json
import os
import re
import typing as t
import unicodedata

from pynamodb.constants import RETURN_VALUES_ON_CONDITION_FAILURE_VALUES
from werkzeug.datastructures import ImmutableDict

from dynaflask.exceptions import ConfigurationError

# Unicode's categories of control characters, and of surrogates, which stand for bytes that are no text and cannot be
# encoded. A pattern of them takes half a millisecond to compile.
UNPRINTABLE: t.Final = frozenset({"Cc", "Cs"})

# Types that Flask reads from an environment variable if it is valid JSON, which Python's True is not.
JSON_TYPES = ("True", "a number", "a whole number", "a dict")
ENVIRONMENT_HINT = " In an environment variable, write JSON, such as true or 10."

Values = cabc.Mapping[str, t.Any]
Validator = t.Callable[[str, t.Any], t.Any]
TablePrefix: t.TypeAlias = "str | t.Callable[[str], str]"


def wrong_type(label: str, wanted: str, value: object) -> ConfigurationError:
    """The error for a value of the wrong type. It shows the type and not the value, which may be a secret."""
    hint = ENVIRONMENT_HINT if isinstance(value, str) and wanted.startswith(JSON_TYPES) else ""
    return ConfigurationError(f"{label} must be {wanted}, not {type(value).__name__}.{hint}")


def plain_text(value: str) -> str:
    """The characters of a string. A subclass may format itself in another way: an Enum as ``Color.RED``."""
    return str.__str__(value)


def string(label: str, value: t.Any) -> str:
    """A non-empty string. A whole number becomes a string: Flask reads an account id in the environment as one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise wrong_type(label, "a string", value)
    if not value:
        raise ConfigurationError(f"{label} is empty. Remove it to leave it unset.")
    if not UNPRINTABLE.isdisjoint(map(unicodedata.category, value)):
        # Such as the line break at the end of a file. botocore raises another error for each place that it goes to.
        raise ConfigurationError(f"{label} must not contain a control character or half of a surrogate pair.")
    return plain_text(value)


def seconds(label: str, value: t.Any) -> float:
    """A number of seconds, above zero."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wrong_type(label, "a number of seconds", value)
    if not 0 < value < float("inf"):
        raise ConfigurationError(f"{label} must be more than 0 seconds, not {value!r}.")
    return value


def whole_number(minimum: int, maximum: int | None = None) -> Validator:
    """A validator of whole numbers from ``minimum`` to ``maximum``."""

    def check(label: str, value: t.Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise wrong_type(label, "a whole number", value)
        if value < minimum:
            raise ConfigurationError(f"{label} must be at least {minimum}, not {value}.")
        if maximum is not None and value > maximum:
            raise ConfigurationError(f"{label} must be at most {maximum}, not {value}.")
        return value

    return check


def dict_of_strings(label: str, value: t.Any) -> ImmutableDict[str, str]:
    """A dict of strings, such as of headers or tags."""
    if not isinstance(value, cabc.Mapping):
        raise wrong_type(label, "a dict of strings", value)
    for name, content in value.items():
        if not isinstance(name, str) or not isinstance(content, str):
            raise wrong_type(f"{label}[{name!r}]", "a string", content)
        if set(name + content) & set("\r\n"):
            raise ConfigurationError(f"{label}[{name!r}] must not contain a line break.")
    return ImmutableDict({plain_text(name): plain_text(content) for name, content in value.items()})


def values_on_condition_failure(label: str, value: t.Any) -> str:
    """What DynamoDB returns if a condition is false."""
    if value not in RETURN_VALUES_ON_CONDITION_FAILURE_VALUES:
        raise ConfigurationError(f'{label} must be "ALL_OLD" or "NONE".')
    return t.cast(str, value)


def boolean(label: str, value: t.Any) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise wrong_type(label, "True or False", value)
    return value


def callable_(label: str, value: t.Any) -> t.Callable[..., t.Any]:
    """A callable. It is wrapped if it is not hashable."""
    if not callable(value):
        raise wrong_type(label, "a callable", value)
    # A bind is a dict key, so that its values must be hashable.
    return t.cast("t.Callable[..., t.Any]", value if isinstance(value, cabc.Hashable) else functools.partial(value))


def callable_with(label: str, value: t.Any, argument: str) -> t.Callable[..., t.Any]:
    """A callable that takes one argument.

    Args:
        label: Name of the setting.
        value: The value.
        argument: Description of the argument, for the message.
    """
    function = callable_(label, value)
    try:
        signature = inspect.signature(function)
    except ValueError:  # some builtins have no signature
        return function
    try:
        signature.bind(None)
    except TypeError as error:
        raise ConfigurationError(
            f"{label} must be a callable that takes one argument, {argument}, not {signature}."
        ) from error
    return function


def policy_json(label: str, value: t.Any, *, kind: str) -> str:
    """A policy as a dict or JSON. It becomes JSON without spaces, which count for its length."""
    try:
        document = json.loads(value) if isinstance(value, str) else value
        policy = json.dumps(document, separators=(",", ":"))
    except (TypeError, ValueError):
        document = policy = None
    if not isinstance(document, dict) or policy is None:
        raise ConfigurationError(f"{label} must be {kind}, as a dict or as JSON.")
    return policy


def path(label: str, value: t.Any) -> str:
    """A file system path."""
    if not isinstance(value, (str, os.PathLike)):
        raise wrong_type(label, "a path", value)
    name = os.fspath(value)
    # A path may have any bytes that the file system allows; Python represents bytes that are not text as surrogates.
    return name if isinstance(name, str) and name and "\0" not in name else string(label, name)


def units(label: str, value: t.Any, *, expected: str = "a number of capacity units") -> float:
    """A number of capacity units per second, above zero."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wrong_type(label, expected, value)
    if not 0 < value < float("inf"):
        raise ConfigurationError(f"{label} must be more than 0 capacity units, not {value!r}.")
    return value


def capacity(label: str, value: t.Any) -> float | ImmutableDict[str, float | None]:
    """Capacity units per second, or a dict of them by tenant, where ``None`` is no limit."""
    if not isinstance(value, cabc.Mapping):
        return units(label, value, expected="a number of capacity units, or a dict of such numbers by tenant")
    return ImmutableDict(
        {
            string(f"A key of {label}", tenant): None if limit is None else units(f"{label}[{tenant!r}]", limit)
            for tenant, limit in value.items()
        }
    )


def one_of(label: str, value: t.Any, choices: cabc.Collection[str]) -> str:
    """One of some strings.

    Args:
        label: Name of the setting.
        value: The value.
        choices: The strings.
    """
    if value not in choices:
        raise ConfigurationError(f"{label} must be one of {', '.join(map(repr, choices))}, not {value!r}.")
    return t.cast("str", value)


def dict_of_dicts(label: str, value: t.Any) -> cabc.Mapping[t.Any, t.Any]:
    """A dict whose values are dicts of settings. These are checked setting by setting."""
    if not isinstance(value, cabc.Mapping):
        raise wrong_type(label, "a dict of dicts", value)
    return value


def is_arn(name: str) -> bool:
    """True if a table or a role is named by its ARN. botocore may choose the endpoint by that of a table.

    Args:
        name: The name, as a setting or a request has it.
    """
    return name.startswith("arn:")


def account_of_arn(arn: str) -> str | None:
    """Number of the AWS account in an ARN; ``None`` if it has none.

    Args:
        arn: The ARN: ``arn:partition:service:region:account:resource``.
    """
    match arn.split(":", 5):
        case [_, _, _, _, account, _] if account:
            return account
    return None


def is_tenant_name(name: str) -> bool:
    """True if a tenant may have this name.

    The rule is that of an STS tag value, so that a name contains neither ``#``, which separates keys, nor a wildcard of
    IAM policies.
    """
    return is_tag_text(name)


def is_tag_text(value: str, *, max_length: int = 256) -> bool:
    """True if a string may be a part of a tag of STS.

    Args:
        value: The string.
        max_length: Limit of STS: 128 characters for the name of a tag, 256 for its value.
    """
    return 0 < len(value) <= max_length and re.fullmatch(r"[\w .:/=+@-]*", value) is not None
