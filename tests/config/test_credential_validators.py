"""Credentials: which keys, sessions and roles they accept, and the error for any other, which shows no secret."""

from __future__ import annotations

import boto3
import botocore.config
import botocore.session
import pytest

from dynaflask import ConfigurationError
from tests.support.settings import bind
from tests.support.settings import read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("aws_access_key_id", b"AKIA"),
        ("aws_access_key_id", "AKIA\n"),
        ("aws_secret_access_key", "hush "),
        ("aws_secret_access_key", "hush\ud800"),
        ("aws_session_token", "tok\0en"),
        ("aws_session_token", "tok\xe9n"),
        ("role_session_name", "forum\r\nX-Team: forum"),
        ("role_session_name", "the forum"),
        ("role_session_name", "f"),
        ("role_session_name", "f" * 65),
        ("external_id", "42\udcff"),
        ("external_id", "f\xf6rum"),
        ("external_id", "4" * 1225),
        ("profile", 1.5),
        ("profile", "dev\x7f"),
        ("session", "default"),
        ("role_arn", {}),
        ("role_arn", "forum"),
        ("role_duration_seconds", 60),
        ("role_duration_seconds", 43_201),
        ("session_tags", "tenant=acme"),
        ("session_tags", {"tenant": 7}),
        ("session_tags", {"": "acme"}),
        ("session_tags", {"x" * 129: "acme"}),
        ("session_tags", {"tenant": "x" * 257}),
        ("session_tags", {"tenant": "*"}),
        ("session_tags", {f"tag-{number}": "x" for number in range(51)}),
        ("session_policy", "Version: 2012"),
        ("session_policy", "[]"),
        ("session_policy", {"Statement": {1, 2}}),
        ("session_policy", {"Statement": "x" * 2048}),
    ],
)
def test_a_wrong_value_is_an_error_that_names_its_key(name: str, value: object) -> None:
    """The message of the ConfigurationError begins with the key."""
    with pytest.raises(ConfigurationError, match=f"DYNAMODB_{name.upper()}"):
        read(**{name: value})


@pytest.mark.parametrize("secret", ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"])
def test_no_message_shows_a_secret(secret: str) -> None:
    """The message about a wrong secret shows the type and not the value."""
    with pytest.raises(ConfigurationError, match="must be a string, not list") as caught:
        read(**{secret: ["hush-hush"]})
    assert "hush" not in str(caught.value)


def test_a_session_that_cannot_be_hashed_is_an_error() -> None:
    """A session is part of the key of a client, so that it must be hashable."""

    class Session(botocore.session.Session):
        __hash__ = None  # type: ignore[assignment]

    with pytest.raises(ConfigurationError, match="DYNAMODB_SESSION must be hashable"):
        read(session=Session())


def test_a_session_may_be_of_boto3() -> None:
    """DYNAMODB_SESSION accepts a session of boto3."""
    session = boto3.session.Session(region_name="eu-west-1")
    assert bind(session=session).session is session
