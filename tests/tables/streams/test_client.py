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
        ({"host": "https://dynamodb.eu-west-1.test"}, "https://dynamodb.eu-west-1.test"),
    ],
)
def test_the_endpoint_is_that_of_the_service(settings: dict[str, t.Any], url: str) -> None:
    """A local server has both services at one address; AWS has the streams at another one."""
    with streams_client(bind(region="eu-west-1", **KEYS, **settings)) as client:
        assert (client.meta.endpoint_url, client.meta.region_name) == (url, "eu-west-1")


@pytest.mark.parametrize(
    ("host", "streams"),
    [
        ("dynamodb.cn-north-1.amazonaws.com.cn", "streams.dynamodb.cn-north-1.amazonaws.com.cn"),
        ("dynamodb.us-iso-east-1.c2s.ic.gov", "streams.dynamodb.us-iso-east-1.c2s.ic.gov"),
        ("dynamodb-fips.us-east-1.amazonaws.com", "streams.dynamodb-fips.us-east-1.amazonaws.com"),
        ("dynamodb.eu-west-1.api.aws", "streams-dynamodb.eu-west-1.api.aws"),
    ],
)
def test_an_endpoint_of_aws_has_the_streams_beside_it(host: str, streams: str) -> None:
    """The names are those of each partition, for FIPS and for both versions of IP."""
    with streams_client(bind(region="eu-west-1", host=f"https://{host}", **KEYS)) as client:
        assert client.meta.endpoint_url == f"https://{streams}"


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
