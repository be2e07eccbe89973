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
import urllib.parse

import botocore.config
import botocore.exceptions
import botocore.utils
from pynamodb.constants import AVAILABLE_BILLING_MODES
from pynamodb.constants import RETURN_VALUES_ON_CONDITION_FAILURE_VALUES
from werkzeug.datastructures import ImmutableDict

from dynaflask.exceptions import ConfigurationError

TRANSPORTS = ("direct", "botocore", "stock")
# Limits of STS: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
MAX_SESSION_TAGS = 50
MAX_POLICY_CHARACTERS = 2048
# Headers that say where a request goes and where it ends (RFC 9112), or that are for one connection (RFC 9110, 7.6.1).
FRAMING_HEADERS = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)

# Surrogates stand for bytes that are no text. They cannot be encoded.
UNPRINTABLE: t.Final = r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]"
# Characters of a header's name and value: https://www.rfc-editor.org/rfc/rfc9110#section-5
HEADER_NAME: t.Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
HEADER_VALUE: t.Final = r"[\t -~\xa0-\xff]*"
HEADER_TEXT: t.Final = r"[!-~]([ -~]*[!-~])?"
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CreateTable.html
TABLE_NAME_CHARACTERS: t.Final = r"[a-zA-Z0-9_.-]*"
MAX_TABLE_NAME = 255
# urllib3 makes one entry for each connection when it makes the pool. More than the ports of a client cannot be open.
MAX_POOL_CONNECTIONS = 65_535
# poll() takes its timeout as a C int of milliseconds. A longer one ends at once, or never.
MAX_TIMEOUT_SECONDS = 2_147_483

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
    if re.search(UNPRINTABLE, value):
        # Such as the line break at the end of a file. botocore raises another error for each place that it goes to.
        raise ConfigurationError(f"{label} must not contain a control character or half of a surrogate pair.")
    return plain_text(value)


def key(label: str, value: t.Any) -> str:
    """One string of the credentials. It goes into the headers of a request."""
    text = string(label, value)
    if re.fullmatch(HEADER_TEXT, text) is None:
        raise ConfigurationError(f"{label} must have only ASCII characters, and no space at its beginning or end.")
    return text


def region(label: str, value: t.Any) -> str:
    """The name of an AWS region."""
    name = string(label, value)
    try:
        # botocore's pattern ends in `$`, which accepts a trailing line break. repr() makes it visible as a backslash.
        botocore.utils.validate_region_name(repr(name)[1:-1])
    except botocore.exceptions.InvalidRegionError:
        raise ConfigurationError(f"{label} must be a region such as 'eu-west-1', not {name!r}.") from None
    return name


def host(label: str, value: t.Any) -> str:
    """The URL of an endpoint, or ``"local"`` for the local server."""
    url = string(label, value)
    try:
        parts = urllib.parse.urlsplit(url)
        is_valid_address = parts.port != 0 and url.isprintable() and " " not in url
    except ValueError as error:
        raise ConfigurationError(f"{label}: {error}") from error
    if parts.username or parts.password:
        raise ConfigurationError(f"{label} must not contain a user name or password.")
    if url == "local" or (parts.scheme in {"http", "https"} and parts.hostname and is_valid_address):
        return url if url == "local" else _check_host_name(label, url)
    # Without a scheme, or with one slash, `user:password@host` has no user name for urlsplit.
    text = "" if "@" in url else f", not {url!r}"
    raise ConfigurationError(f"{label} must be a URL such as 'http://localhost:8000', or 'local'{text}.")


def _check_host_name(label: str, url: str) -> str:
    # botocore raises a ValueError at the first call. A name with an underscore, as Docker Compose makes, is one.
    if botocore.utils.is_valid_endpoint_url(url) or botocore.utils.is_valid_ipv6_endpoint_url(url):
        return url
    raise ConfigurationError(
        f"{label} must have a host name of ASCII letters, digits, '-' and '.', as botocore requires; not {url!r}."
    )


def role_arn(label: str, value: t.Any) -> str:
    """The ARN of an IAM role."""
    name = string(label, value)
    if not is_arn(name):
        raise ConfigurationError(f"{label} must be like 'arn:aws:iam::123456789012:role/forum', not {name!r}.")
    return name


def role_session_name(label: str, value: t.Any) -> str:
    """The name of a role session, as STS accepts it."""
    return _check_sts_text(label, string(label, value), characters="_+=,.@-", max_length=64)


def external_id(label: str, value: t.Any) -> str:
    """The external id of a role, as STS accepts it."""
    return _check_sts_text(label, string(label, value), characters="_+=,.@:/-", max_length=1224)


def _check_sts_text(label: str, text: str, *, characters: str, max_length: int) -> str:
    # https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
    if re.fullmatch(rf"[a-zA-Z0-9{characters}]{{2,{max_length}}}", text) is None:
        raise ConfigurationError(
            f"{label} must be 2 to {max_length} ASCII letters, digits and {characters}, as STS requires."
        )
    return text


def seconds(label: str, value: t.Any) -> float:
    """A number of seconds, above zero."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise wrong_type(label, "a number of seconds", value)
    if not 0 < value < float("inf"):
        raise ConfigurationError(f"{label} must be more than 0 seconds, not {value!r}.")
    return value


def timeout(label: str, value: t.Any) -> float:
    """A number of seconds that a socket can wait."""
    number = seconds(label, value)
    if number > MAX_TIMEOUT_SECONDS:
        raise ConfigurationError(f"{label} must be at most {MAX_TIMEOUT_SECONDS} seconds, not {number!r}.")
    return number


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


def headers(label: str, value: t.Any) -> ImmutableDict[str, str]:
    """A dict of HTTP header names and values."""
    if not isinstance(value, cabc.Mapping):
        raise wrong_type(label, "a dict of strings", value)
    for name, content in value.items():
        if not isinstance(name, str) or not isinstance(content, str):
            raise wrong_type(f"{label}[{name!r}]", "a string", content)
        if set(name + content) & set("\r\n"):
            raise ConfigurationError(f"{label}[{name!r}] must not contain a line break.")
    return ImmutableDict({plain_text(name): plain_text(content) for name, content in value.items()})


def extra_headers(label: str, value: t.Any) -> ImmutableDict[str, str]:
    """A dict of HTTP headers that leaves the framing of a request and its destination to the HTTP client."""
    checked = headers(label, value)
    for name, content in checked.items():
        if re.fullmatch(HEADER_NAME, name) is None or re.fullmatch(HEADER_VALUE, content) is None:
            # The HTTP client raises another error for each at the first call.
            raise ConfigurationError(
                f"{label}[{name!r}] must have a name of letters, digits and !#$%&'*+-.^_`|~, and a value of Latin-1"
                " characters without control characters."
            )
        # With another length or encoding, the end of this request is the start of another. The signature covers Host.
        if name.lower() in FRAMING_HEADERS:
            raise ConfigurationError(
                f"{label}[{name!r}] must not be set: the HTTP client sets this header. Remove it. To change the"
                " endpoint, use DYNAMODB_HOST."
            )
    return checked


def retries(label: str, value: t.Any) -> str | ImmutableDict[str, t.Any]:
    """``"LEGACY"``, ``"UNSET"``, or a dict for botocore's ``Config(retries=...)``."""
    if value in ("LEGACY", "UNSET"):
        return t.cast(str, value)
    if not isinstance(value, cabc.Mapping):
        raise wrong_type(label, "'LEGACY', 'UNSET' or a dict", value)
    try:
        botocore.config.Config(retries=t.cast("t.Any", dict(value)))
    except (botocore.exceptions.BotoCoreError, TypeError) as error:
        raise ConfigurationError(f"{label} must be valid as botocore's Config(retries=...): {error}") from error
    return ImmutableDict(value)


def billing_mode(label: str, value: t.Any) -> str:
    """One of DynamoDB's billing modes."""
    if value not in AVAILABLE_BILLING_MODES:
        raise ConfigurationError(
            f"{label} must be one of {', '.join(map(repr, AVAILABLE_BILLING_MODES))}, not {value!r}."
        )
    return t.cast(str, value)


def values_on_condition_failure(label: str, value: t.Any) -> str:
    """What DynamoDB returns if a condition is false."""
    if value not in RETURN_VALUES_ON_CONDITION_FAILURE_VALUES:
        raise ConfigurationError(f'{label} must be "ALL_OLD" or "NONE".')
    return t.cast(str, value)


def transport(label: str, value: t.Any) -> str:
    """The name of a transport."""
    if value not in TRANSPORTS:
        raise ConfigurationError(f"{label} must be one of {', '.join(map(repr, TRANSPORTS))}, not {value!r}.")
    return t.cast(str, value)


def boolean(label: str, value: t.Any) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise wrong_type(label, "True or False", value)
    return value


def session(label: str, value: t.Any) -> t.Any:
    """A botocore or boto3 session."""
    if not callable(getattr(value, "create_client", getattr(value, "client", None))):
        raise wrong_type(label, "a botocore or boto3 session", value)
    if not isinstance(value, cabc.Hashable):
        raise ConfigurationError(f"{label} must be hashable, as botocore's and boto3's sessions are.")
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


def client_factory(label: str, value: t.Any) -> t.Callable[..., t.Any]:
    """A callable that takes a bind, and returns the client for it."""
    return callable_with(label, value, "the bind")


def client_config(label: str, value: t.Any) -> botocore.config.Config:
    """A botocore ``Config``."""
    if not isinstance(value, botocore.config.Config):
        raise wrong_type(label, "a botocore.config.Config", value)
    return value


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


def tags(label: str, value: t.Any) -> dict[str, str]:
    """The tags of a new table."""
    return dict(headers(label, value))


def session_tags(label: str, value: t.Any) -> ImmutableDict[str, str]:
    """The tags of a role session, within the limits of STS."""
    checked = headers(label, value)
    if len(checked) > MAX_SESSION_TAGS:
        raise ConfigurationError(f"{label} must be at most {MAX_SESSION_TAGS} tags, not {len(checked)}.")
    for name, content in checked.items():
        if not (_is_tag_text(name, max_length=128) and _is_tag_text(content or " ")):
            raise ConfigurationError(
                f"{label}[{name!r}] must have a name of at most 128 and a value of at most 256 characters: letters,"
                " digits, spaces and _.:/=+-@."
            )
    return checked


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


def session_policy(label: str, value: t.Any) -> str:
    """An IAM policy as a dict or JSON. It becomes JSON without spaces, since STS limits its length."""
    policy = policy_json(label, value, kind="an IAM policy")
    if len(policy) > MAX_POLICY_CHARACTERS:
        raise ConfigurationError(f"{label} has {len(policy)} characters. STS accepts at most {MAX_POLICY_CHARACTERS}.")
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


def is_tenant_name(name: str) -> bool:
    """True if a tenant may have this name.

    The rule is that of an STS tag value, so that a name contains neither ``#``, which separates keys, nor a wildcard of
    IAM policies.
    """
    return _is_tag_text(name)


def _is_tag_text(value: str, *, max_length: int = 256) -> bool:
    return 0 < len(value) <= max_length and re.fullmatch(r"[\w .:/=+@-]*", value) is not None
