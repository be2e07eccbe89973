"""The key of a client, and botocore's options in it."""

from __future__ import annotations

import typing as t

import botocore.session
import hypothesis
import pynamodb.settings
import pytest
from botocore.config import Config
from hypothesis import strategies as st
from werkzeug.datastructures import ImmutableDict

import dynaflask
from dynaflask.client.key import BOTOCORE
from dynaflask.client.key import DEFAULT_TRANSPORT
from dynaflask.client.key import DIRECT
from dynaflask.client.key import STOCK
from dynaflask.client.key import client_config
from dynaflask.client.key import client_key
from dynaflask.client.key import without_password
from dynaflask.config.bind import Bind
from dynaflask.config.fields import BIND_FIELDS
from dynaflask.config.fields import SETTINGS
from dynaflask.config.fields import Group

ROLE = "arn:aws:iam::123456789012:role/forum"

FIELDS: dict[str, st.SearchStrategy[t.Any]] = {
    "region": st.sampled_from(["us-east-1", "eu-west-1"]),
    "host": st.sampled_from(["http://localhost:1", "http://localhost:2"]),
    "connect_timeout_seconds": st.sampled_from([1, 2.5]),
    "read_timeout_seconds": st.sampled_from([1, 2.5]),
    "max_retry_attempts": st.sampled_from([0, 7]),
    "retry_configuration": st.sampled_from(["UNSET", {"mode": "adaptive"}, {"mode": "standard"}]),
    "max_pool_connections": st.sampled_from([1, 2]),
    "extra_headers": st.sampled_from([{"X": "a"}, {"X": "b"}, {"Y": "a"}]),
    "aws_access_key_id": st.sampled_from(["A", "B"]),
    "aws_secret_access_key": st.sampled_from(["a", "b"]),
    "aws_session_token": st.sampled_from(["s", "t"]),
    "profile": st.sampled_from(["dev", "prod"]),
    "session": st.builds(botocore.session.Session),
    "role_arn": st.sampled_from([ROLE, ROLE + "2"]),
    "role_session_name": st.sampled_from(["x", "y"]),
    "external_id": st.sampled_from(["1", "2"]),
    "role_duration_seconds": st.sampled_from([900, 1800]),
    "session_tags": st.sampled_from([ImmutableDict(t="a"), ImmutableDict(t="b"), ImmutableDict(u="a")]),
    "session_policy": st.sampled_from(["{}", '{"Statement":[]}']),
    "client_factory": st.sampled_from([min, max]),
    "client_config": st.sampled_from(
        [Config(proxies={"http": "http://p"}), Config(proxies={"http": "http://q"}), Config(tcp_keepalive=True)]
    ),
    "local_path": st.sampled_from(["/a", "/b"]),
    # Not the default: a bind that names it and one without the setting have one client.
    "transport": st.sampled_from(sorted({DIRECT, BOTOCORE, STOCK} - {DEFAULT_TRANSPORT})),
}


def test_a_bind_that_names_the_default_transport_has_the_same_key() -> None:
    """Two apps share a client, whether or not they name the default."""
    assert client_key(Bind(transport=DEFAULT_TRANSPORT)) == client_key(Bind())


@hypothesis.given(st.sampled_from(sorted(FIELDS)), st.data())
@hypothesis.settings(max_examples=200, deadline=None)
def test_any_difference_makes_another_key(name: str, data: st.DataObject) -> None:
    """Two binds have equal keys if, and only if, the fields that matter to a client are equal."""
    one, other = data.draw(FIELDS[name]), data.draw(st.one_of(st.none(), FIELDS[name]))
    keys = [client_key(Bind(**{name: value})) for value in (one, other)]
    assert (keys[0] == keys[1]) == (one is other or one == other)


def test_every_field_of_a_bind_is_tested() -> None:
    """The other fields concern names, tables and single calls, which a client does not know, or its owner decides."""
    tables = {setting.name for setting in SETTINGS if setting.group is Group.NEW_TABLES} & set(BIND_FIELDS)
    ignored = {"key", "table_prefix", "share_client", *tables}
    per_call = {"retry_conflicts", "return_values_on_condition_failure"}
    assert FIELDS.keys() | ignored | {"call_timeout_seconds", *per_call} == {"key", *BIND_FIELDS}


def test_equal_configs_make_equal_keys() -> None:
    """Two ``Config`` objects with the same options have one key."""
    options = {"proxies": {"http": "http://p"}, "client_cert": ["certificate", "key"]}
    configs = [Config(**options) for _ in range(2)]
    assert len({client_key(Bind(client_config=config)) for config in configs}) == 1


def test_a_config_of_the_program_is_not_changed() -> None:
    """botocore changes the retries of the ``Config`` that it makes a client with."""
    config = Config(retries={"max_attempts": 3})
    bind = Bind(client_config=config, region="eu-west-1", aws_access_key_id="A", aws_secret_access_key="B")
    before = client_key(bind)
    botocore.session.Session().create_client("dynamodb", "eu-west-1", config=client_config(bind))
    assert vars(config)["retries"] == {"max_attempts": 3}
    assert client_key(bind) == before


def test_a_full_options_cache_does_not_mix_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys stay equal and different when the cache of options is cleared."""
    monkeypatch.setattr("dynaflask.client.key.MAX_OPTIONS", 1)
    binds = [Bind(max_pool_connections=number) for number in (1, 2, 3, 1, 2, 3)]
    keys = [client_key(bind) for bind in binds]
    assert keys[:3] == keys[3:]
    assert len(set(keys)) == 3


def test_a_key_shows_no_secret() -> None:
    """The repr of a key may be logged."""
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush", "aws_session_token": "hush"}
    config = Config(proxies={"http": "http://user:hush@p"})
    headers = ImmutableDict({"Authorization": "hush"})
    shown = repr(client_key(Bind(client_config=config, extra_headers=headers, client_factory=min, **keys)))
    assert "AKIA" in shown
    assert without_password("http://user:hush@host:1/a@b") == "http://host:1/a@b"
    assert "hush" not in shown


class TestOptions:
    """The ``Config`` of a client."""

    def test_the_defaults_are_pynamodbs(self) -> None:
        """Without settings, timeouts, retries and pool size are PynamoDB's."""
        config = client_config(Bind())
        assert (config.connect_timeout, config.read_timeout, config.max_pool_connections) == (15, 30, 10)
        assert config.retries == {"total_max_attempts": 4, "mode": "standard"}

    def test_a_client_config_overrides_the_defaults_and_not_the_settings(self) -> None:
        """``DYNAMODB_CLIENT_CONFIG`` applies where no other setting does."""
        program_config = Config(
            read_timeout=1, connect_timeout=2, retries={"mode": "adaptive"}, proxies={"http": "http://p"}
        )
        config = client_config(Bind(client_config=program_config, read_timeout_seconds=9))
        assert (config.read_timeout, config.connect_timeout, config.proxies) == (9, 2, {"http": "http://p"})
        assert config.retries == {"mode": "adaptive"}

    @pytest.mark.parametrize(
        ("settings", "retries"),
        [
            ({"max_retry_attempts": 7}, {"total_max_attempts": 8, "mode": "standard"}),
            ({"retry_configuration": "LEGACY"}, {"total_max_attempts": 4, "mode": "standard"}),
            ({"retry_configuration": {"mode": "adaptive"}, "max_retry_attempts": 7}, {"mode": "adaptive"}),
        ],
    )
    def test_retries_follow_pynamodbs_rules(self, settings: t.Any, retries: t.Any) -> None:
        """``max_retry_attempts`` applies to a ``retry_configuration`` of ``"LEGACY"`` only."""
        assert client_config(Bind(**settings)).retries == retries

    def test_unset_retries_are_botocores(self) -> None:
        """``"UNSET"`` leaves the retries to the environment and the AWS configuration file."""
        assert client_config(Bind(retry_configuration="UNSET")).retries is None


def test_pynamodbs_own_headers_are_checked_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header that the HTTP client sets is refused, also if it comes from PynamoDB's settings file."""
    monkeypatch.setitem(pynamodb.settings.default_settings_dict, "extra_headers", {"Content-Length": "0"})
    with pytest.raises(dynaflask.ConfigurationError, match=r"PynamoDB's extra_headers\['Content-Length'\]"):
        client_key(Bind())
