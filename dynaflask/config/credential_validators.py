"""Validators of credentials: keys, sessions, and the role of a session, within the limits of STS."""

from __future__ import annotations

import collections.abc as cabc
import re
import typing as t

from werkzeug.datastructures import ImmutableDict

from dynaflask.config.validators import dict_of_strings
from dynaflask.config.validators import is_arn
from dynaflask.config.validators import is_tag_text
from dynaflask.config.validators import policy_json
from dynaflask.config.validators import string
from dynaflask.config.validators import wrong_type
from dynaflask.exceptions import ConfigurationError

# Limits of STS: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
MAX_SESSION_TAGS = 50
MAX_POLICY_CHARACTERS = 2048
HEADER_TEXT: t.Final = r"[!-~]([ -~]*[!-~])?"


def key(label: str, value: t.Any) -> str:
    """One string of the credentials. It goes into the headers of a request."""
    text = string(label, value)
    if re.fullmatch(HEADER_TEXT, text) is None:
        raise ConfigurationError(f"{label} must have only ASCII characters, and no space at its beginning or end.")
    return text


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


def session(label: str, value: t.Any) -> t.Any:
    """A botocore or boto3 session."""
    if not callable(getattr(value, "create_client", getattr(value, "client", None))):
        raise wrong_type(label, "a botocore or boto3 session", value)
    if not isinstance(value, cabc.Hashable):
        raise ConfigurationError(f"{label} must be hashable, as botocore's and boto3's sessions are.")
    return value


def session_tags(label: str, value: t.Any) -> ImmutableDict[str, str]:
    """The tags of a role session, within the limits of STS."""
    checked = dict_of_strings(label, value)
    if len(checked) > MAX_SESSION_TAGS:
        raise ConfigurationError(f"{label} must be at most {MAX_SESSION_TAGS} tags, not {len(checked)}.")
    for name, content in checked.items():
        if not (is_tag_text(name, max_length=128) and is_tag_text(content or " ")):
            raise ConfigurationError(
                f"{label}[{name!r}] must have a name of at most 128 and a value of at most 256 characters: letters,"
                " digits, spaces and _.:/=+-@."
            )
    return checked


def session_policy(label: str, value: t.Any) -> str:
    """An IAM policy as a dict or JSON. It becomes JSON without spaces, since STS limits its length."""
    policy = policy_json(label, value, kind="an IAM policy")
    if len(policy) > MAX_POLICY_CHARACTERS:
        raise ConfigurationError(f"{label} has {len(policy)} characters. STS accepts at most {MAX_POLICY_CHARACTERS}.")
    return policy
