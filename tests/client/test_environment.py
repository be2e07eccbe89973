"""What botocore may read of the environment."""

from __future__ import annotations

import os
import pathlib

import pytest

from dynaflask.client import environment


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> pathlib.Path:
    """A home directory without files, and no variable that names another file."""
    for variable, _ in environment.CONFIG_FILES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["AWS_PROFILE", "https_proxy", "REQUESTS_CA_BUNDLE", "BOTOCORE_TCP_KEEPALIVE"])
def test_the_digest_changes_with_each_variable(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Variables of botocore in either case; no others."""
    monkeypatch.setenv(name, "1")
    first = environment.environment_digest()
    monkeypatch.setenv(name, "2")
    second = environment.environment_digest()
    monkeypatch.setenv("UNRELATED", "2")
    assert first != second == environment.environment_digest()


def test_the_digest_changes_with_each_file(home: pathlib.Path) -> None:
    """A file that appears, or whose contents change."""
    digests = {environment.environment_digest()}
    path = home / ".boto"
    for content in ("", "[Credentials]"):
        path.write_text(content)
        digests.add(environment.environment_digest())
    assert len(digests) == 3


def test_the_null_device_is_an_empty_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs name it to have no configuration."""
    for name in [*os.environ]:
        if name.startswith(("AWS_", "BOTO")):
            monkeypatch.delenv(name)
    assert environment.has_known_environment()
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    assert environment.has_known_environment()
    monkeypatch.setenv("AWS_CONFIG_FILE", os.__file__)
    assert not environment.has_known_environment()


def test_keys_are_complete_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty token is no token."""
    for name, value in zip(environment.KEY_VARIABLES, ("AKIA", "hush", ""), strict=True):
        monkeypatch.setenv(name, value)
    assert environment.environment_keys() == ("AKIA", "hush", None)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert environment.environment_keys() is None


def test_a_region_is_clear_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two variables with different regions name none."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    for other, region in (("eu-west-1", "eu-west-1"), ("us-east-1", None)):
        monkeypatch.setenv("AWS_REGION", other)
        assert environment.environment_region() == region


def test_the_first_bundle_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with botocore; without a variable, botocore's own bundle is used."""
    for name in environment.CA_BUNDLE_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert environment.environment_verify() is True
    for name in reversed(environment.CA_BUNDLE_VARIABLES):
        monkeypatch.setenv(name, name)
        assert environment.environment_verify() == name
