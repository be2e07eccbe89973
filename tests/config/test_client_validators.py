"""The endpoint and the options of a client: which values they accept, and the error for any other."""

from __future__ import annotations

import botocore.utils
import hypothesis
import pytest
from hypothesis import strategies as st

from dynaflask import ConfigurationError
from tests.support.settings import bind
from tests.support.settings import read


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("region", ["eu-west-1"]),
        ("region", ""),
        ("region", True),
        ("region", "eu west 1"),
        ("region", "eu-west-1\n"),
        ("host", 8000.5),
        ("host", "localhost:8000"),
        ("host", "http://"),
        ("host", "http://[::1"),
        ("host", "http://localhost:port"),
        ("host", "http://localhost:99999"),
        ("host", "http://local host"),
        ("host", "http://localhost\n"),
        ("host", "http://user:hush@localhost"),
        ("host", "http://dynamo_db:8000"),
        ("host", "http://a..b"),
        ("host", f"http://{'a' * 64}.test"),
        ("connect_timeout_seconds", "5"),
        ("connect_timeout_seconds", True),
        ("connect_timeout_seconds", 0),
        ("read_timeout_seconds", -1),
        ("read_timeout_seconds", float("nan")),
        ("read_timeout_seconds", float("inf")),
        ("connect_timeout_seconds", 1e10),
        ("read_timeout_seconds", 10**30),
        ("call_timeout_seconds", 2_147_484),
        ("max_retry_attempts", -1),
        ("max_retry_attempts", 1.5),
        ("max_retry_attempts", False),
        ("retry_configuration", "STANDARD"),
        ("retry_configuration", {"mode": "brave"}),
        ("retry_configuration", {"attempts": 3}),
        ("retry_configuration", []),
        ("max_pool_connections", 0),
        ("max_pool_connections", 65_536),
        ("extra_headers", "X-Team: forum"),
        ("extra_headers", {"X-Team": 7}),
        ("extra_headers", {7: "forum"}),
        ("extra_headers", {"X-Team": "a\r\nb"}),
        *[("extra_headers", {name: "1"}) for name in ("", "X Team", "X-Team:", "X-T\xe9am")],
        *[("extra_headers", {"X-Team": value}) for value in ("a\0", "\U0001f600")],
        *[("extra_headers", {name: "1"}) for name in ("Host", "CONTENT-LENGTH", "transfer-encoding", " Connection")],
        *[("extra_headers", {"X-Team": "1", name: "1"}) for name in ("Expect", "Upgrade", "TE", "Keep-Alive")],
        ("share_client", 0),
        ("transport", "fast"),
        ("transport", ["direct"]),
        ("client_factory", "factory"),
        ("client_factory", lambda: None),
        ("client_factory", divmod),
        ("client_config", {"region_name": "eu-west-1"}),
    ],
)
def test_a_wrong_value_is_an_error_that_names_its_key(name: str, value: object) -> None:
    """The message of the ConfigurationError begins with the key."""
    with pytest.raises(ConfigurationError, match=f"DYNAMODB_{name.upper()}"):
        read(**{name: value})


def test_a_retry_configuration_may_be_a_word() -> None:
    """PynamoDB's words LEGACY and UNSET are valid."""
    assert [bind(retry_configuration=word).retry_configuration for word in ("LEGACY", "UNSET")] == ["LEGACY", "UNSET"]


@pytest.mark.parametrize("url", ["user:hush@localhost:8000", "http:/user:hush@localhost", "ftp://user:hush@localhost"])
def test_no_message_shows_the_password_of_a_url(url: str) -> None:
    """A URL that is wrong in another way, too, is not in the message if it may have a password."""
    with pytest.raises(ConfigurationError, match="DYNAMODB_HOST must") as caught:
        read(host=url)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://[::1]:8000", "http://127.0.0.1:8000", "https://dynamodb.eu-west-1.amazonaws.com/"]
)
def test_a_host_may_be_an_address(url: str) -> None:
    """DYNAMODB_HOST accepts a name and an address of either version of IP."""
    assert bind(host=url).host == url


@hypothesis.given(
    st.lists(st.text("aZ09-._\xe9\u0663") | st.sampled_from(["a" * 63, "a" * 64]), max_size=6).map(".".join)
)
def test_a_host_name_is_valid_if_botocore_accepts_it(name: str) -> None:
    """The names that are not compared with botocore's pattern are those that it matches."""
    url = f"http://{name}:8000"
    try:
        is_valid = bind(host=url).host == url
    except ConfigurationError:
        is_valid = False
    assert is_valid is bool(botocore.utils.is_valid_endpoint_url(url))


def test_a_callable_without_a_signature_is_valid() -> None:
    """Python does not know the arguments of each builtin callable, so that the first call finds out."""
    assert bind(client_factory=max).client_factory is max
