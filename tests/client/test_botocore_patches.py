"""A patch of a method that a call or a new client goes through is found and named."""

from __future__ import annotations

import typing as t
from unittest import mock

import botocore.session
import pytest
from botocore.client import BaseClient
from botocore.endpoint import Endpoint

from dynaflask.client import botocore_patches

PATHS: dict[str, t.Callable[[t.Any], tuple[t.Any, ...] | None]] = {
    "call_path": botocore_patches.call_path,
    "static_call_path": botocore_patches.static_call_path,
    "creation_path": lambda client: botocore_patches.creation_path(),
    "static_creation_path": lambda client: botocore_patches.static_creation_path(),
}
NO_MODULES: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
def client() -> t.Any:
    return botocore.session.Session().create_client("dynamodb", "us-east-1")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("owner", [BaseClient, Endpoint], ids=lambda owner: owner.__name__)
def test_a_path_changes_with_a_patch_and_back(client: t.Any, path: str, owner: type) -> None:
    """The methods differ while one is patched, and are the same afterwards."""
    name = "_make_api_call" if owner is BaseClient else "_send"
    before = PATHS[path](client)
    with mock.patch.object(owner, name):
        assert PATHS[path](client) != before
    assert PATHS[path](client) == before


@pytest.mark.parametrize("find", ["find_patch", "find_creation_patch"])
def test_a_patch_is_named(client: t.Any, find: str) -> None:
    """The sentence names the class and the method; without a patch there is none."""
    arguments = [client] * (find == "find_patch")
    assert getattr(botocore_patches, find)(*arguments, NO_MODULES) is None
    with mock.patch.object(Endpoint, "_send"):
        assert getattr(botocore_patches, find)(*arguments, NO_MODULES) == "botocore's Endpoint._send is patched"


def test_a_patch_of_one_client_is_named() -> None:
    """A method that is set on the client is found, and not on another client."""
    session = botocore.session.Session()
    patched, other = (session.create_client("dynamodb", "us-east-1") for _ in range(2))
    with mock.patch.object(patched, "_make_api_call"):
        assert botocore_patches.find_patch(patched, NO_MODULES) == "the client's _make_api_call is patched"
        assert botocore_patches.find_patch(other, NO_MODULES) is None


def test_a_method_that_is_gone_counts_as_patched(client: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A botocore that renames a method on the path of a call makes all calls itself."""
    monkeypatch.delattr(Endpoint, "_send")
    assert botocore_patches.find_patch(client, NO_MODULES) == "botocore's Endpoint._send is patched"
    assert botocore_patches.creation_path() is None
    assert botocore_patches.find_creation_patch(NO_MODULES) == (
        "this version of botocore makes its clients in another way"
    )


def test_a_replaced_session_counts_as_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each new client may come from a class in the place of ``botocore.session.Session``."""
    monkeypatch.setattr(botocore.session, "Session", type("Session", (botocore.session.Session,), {}))
    assert botocore_patches.find_creation_patch(NO_MODULES) == "botocore's Session or its signer is replaced"
