"""The client of DynamoDB Streams."""

from __future__ import annotations

import typing as t

import pytest

import dynaflask
from dynaflask.tables.streams.client import streams_client
from tests.support.settings import KEYS
from tests.support.settings import bind


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, "https://streams.dynamodb.eu-west-1.amazonaws.com"),
        ({"host": "http://127.0.0.1:8000"}, "http://127.0.0.1:8000"),
        (
            {"host": "https://dynamodb.eu-west-1.amazonaws.com"},
            "https://streams.dynamodb.eu-west-1.amazonaws.com",
        ),
    ],
)
def test_the_endpoint_is_that_of_the_service(settings: dict[str, t.Any], url: str) -> None:
    """A local server has both services at one address; AWS has the streams at another one."""
    with streams_client(bind(region="eu-west-1", **KEYS, **settings)) as client:
        assert (client.meta.endpoint_url, client.meta.region_name) == (url, "eu-west-1")


def test_the_credentials_and_options_are_those_of_the_bind() -> None:
    """Also those of a session of the program."""
    with streams_client(bind(region="eu-west-1", read_timeout_seconds=7, **KEYS)) as client:
        assert client._get_credentials().access_key == "AKIA"
        assert client.meta.config.read_timeout == 7


def test_a_factory_of_clients_is_an_error() -> None:
    """The clients of a factory are for another service, so a bind with one is refused."""
    with pytest.raises(dynaflask.ConfigurationError, match="DYNAMODB_CLIENT_FACTORY of the bind 'default'"):
        with streams_client(bind(client_factory=lambda _: object())):
            pass
