"""Validators of the endpoint and of the options of a client."""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t
import urllib.parse

import botocore.config
import botocore.exceptions
import botocore.utils
from werkzeug.datastructures import ImmutableDict

from dynaflask.config.validators import callable_with
from dynaflask.config.validators import dict_of_strings
from dynaflask.config.validators import one_of
from dynaflask.config.validators import seconds
from dynaflask.config.validators import string
from dynaflask.config.validators import wrong_type
from dynaflask.exceptions import ConfigurationError

# The values of DYNAMODB_TRANSPORT.
TRANSPORTS = ("direct", "botocore", "stock")
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
# Characters of a header's name and value: https://www.rfc-editor.org/rfc/rfc9110#section-5
HEADER_NAME: t.Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
HEADER_VALUE: t.Final = r"[\t -~\xa0-\xff]*"
# The longest name of a host, and of each of its parts.
MAX_NAME, MAX_LABEL = 255, 63
# urllib3 makes one entry for each connection when it makes the pool. More than the ports of a client cannot be open.
MAX_POOL_CONNECTIONS = 65_535
# poll() takes its timeout as a C int of milliseconds. A longer one ends at once, or never.
MAX_TIMEOUT_SECONDS = 2_147_483


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
    # botocore raises a ValueError at the first call. A name with an underscore, as Docker Compose makes, is one. Its
    # pattern takes a millisecond to compile, which the usual names do not need.
    if _is_plain_name(urllib.parse.urlsplit(url).hostname or ""):
        return url
    if botocore.utils.is_valid_endpoint_url(url) or botocore.utils.is_valid_ipv6_endpoint_url(url):
        return url
    raise ConfigurationError(
        f"{label} must have a host name of ASCII letters, digits, '-' and '.', as botocore requires; not {url!r}."
    )


def _is_plain_name(name: str) -> bool:
    labels = name.split(".")
    are_plain = all(label.strip("-") == label and label.replace("-", "x").isalnum() for label in labels)
    return are_plain and name.isascii() and len(name) <= MAX_NAME and max(map(len, labels)) <= MAX_LABEL


def timeout(label: str, value: t.Any) -> float:
    """A number of seconds that a socket can wait."""
    number = seconds(label, value)
    if number > MAX_TIMEOUT_SECONDS:
        raise ConfigurationError(f"{label} must be at most {MAX_TIMEOUT_SECONDS} seconds, not {number!r}.")
    return number


def extra_headers(label: str, value: t.Any) -> ImmutableDict[str, str]:
    """A dict of HTTP headers that leaves the framing of a request and its destination to the HTTP client."""
    checked = dict_of_strings(label, value)
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


def transport(label: str, value: t.Any) -> str:
    """The name of a transport."""
    return one_of(label, value, TRANSPORTS)


def client_factory(label: str, value: t.Any) -> t.Callable[..., t.Any]:
    """A callable that takes a bind, and returns the client for it."""
    return callable_with(label, value, "the bind")


def client_config(label: str, value: t.Any) -> botocore.config.Config:
    """A botocore ``Config``."""
    if not isinstance(value, botocore.config.Config):
        raise wrong_type(label, "a botocore.config.Config", value)
    return value
