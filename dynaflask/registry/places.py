"""Where the table of a model may be, as far as settings and environment show: which two models may have one table."""

from __future__ import annotations

import base64
import os
import re
import typing as t
import urllib.parse

from pynamodb.settings import get_settings_value

from dynaflask.client.environment import ENDPOINT_VARIABLES
from dynaflask.client.environment import KEY_VARIABLES
from dynaflask.client.environment import REGION_VARIABLES
from dynaflask.client.service_data import is_of_aws
from dynaflask.config.validators import account_of_arn

if t.TYPE_CHECKING:
    from dynaflask.config.bind import Bind

# Patterns are compiled when they are used: most programs ask for no place.

# AWS's endpoints of a region are one place: the usual one, those for IPv6 and FIPS, of an account, and of a VPC.
# https://docs.aws.amazon.com/general/latest/gr/ddb.html
AWS_HOST: t.Final = r"(^|\.)(dynamodb|dynamodb-fips|ddb)\.(?P<region>[a-z0-9-]+)\.(?P<domain>.+)"
DEFAULT_PORTS: t.Final = {"http": ":80", "https": ":443"}
TABLE_ARN: t.Final = r"arn:[^:]*:dynamodb:(?P<region>[^:]*):(?P<account>[^:]*):table/(?P<name>.+)"
# Keys of users and roles. The first letters after the prefix hold the number of the account:
# https://docs.aws.amazon.com/STS/latest/APIReference/API_GetAccessKeyInfo.html
AWS_KEY: t.Final = r"A[KS]IA[A-Z2-7]{16}"


def possible_place(bind: Bind, table_name: str | None) -> tuple[t.Any, ...]:
    """Where a table is: equal for two destinations that may have one table.

    Two identities of one account, such as two roles, may reach the same table, and a client factory may return the same
    client for two binds. Of a profile or a session, only that it is the same one counts.

    Args:
        bind: The destination.
        table_name: The real name or the ARN, or a prefix of names.
    """
    host, region = _endpoint(bind.host or get_settings_value("host") or _variable(*ENDPOINT_VARIABLES))
    arn = re.fullmatch(TABLE_ARN, table_name or "")
    if arn is not None:
        # It decides all but the endpoint.
        return arn["region"], host, None, arn["account"], arn["name"]
    region = region or bind.region or get_settings_value("region") or _variable(*REGION_VARIABLES)
    return region, host, bind.client_factory, _account(bind), table_name


def plain_name(table_name: str | None) -> str | None:
    """The name of a table without the rest of its ARN.

    Args:
        table_name: The real name or the ARN.
    """
    arn = re.fullmatch(TABLE_ARN, table_name or "")
    return table_name if arn is None else arn["name"]


def _endpoint(url: str | None) -> tuple[t.Any, str | None]:
    """The endpoint, which is ``None`` for AWS's own, and the region that it names."""
    if url is None:
        return None, None
    # One endpoint may be spelled in capitals, with the usual port, or with a slash at its end.
    parts = urllib.parse.urlsplit(url.lower())
    aws = re.search(AWS_HOST, (parts.hostname or "").rstrip("."))
    if aws is not None and is_of_aws(aws["domain"]):
        return None, aws["region"]
    host = parts.netloc.rpartition("@")[2].removesuffix(DEFAULT_PORTS.get(parts.scheme, ""))
    return (parts.scheme, host, parts.path.rstrip("/")), None


def _account(bind: Bind) -> t.Any:
    """The account, or what stands for it as far as it is not known."""
    if bind.role_arn is not None:
        # AWS refuses a role without an account, and only when it is used.
        return account_of_arn(bind.role_arn) or bind.role_arn
    if bind.profile is not None or bind.session is not None:
        return bind.profile, bind.session
    key = bind.aws_access_key_id or _variable(KEY_VARIABLES[0])
    if key is None or not re.fullmatch(AWS_KEY, key):
        return key
    number = int.from_bytes(base64.b32decode(key[4:])[:6], "big") >> 7
    return f"{number & 0xFFFFFFFFFF:012d}"


def _variable(*names: str) -> str | None:
    return next((value for name in names if (value := os.environ.get(name))), None)
