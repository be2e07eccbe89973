"""Which way the calls of a client take, and who says so."""

from __future__ import annotations

import types
import typing as t

import botocore.session
import pytest

from dynaflask.client import transport
from dynaflask.client.transport import Transport
from dynaflask.exceptions import ConfigurationError
from dynaflask.operations.operation import DATA_PLANE_OPERATIONS


@pytest.fixture
def client() -> t.Any:
    """A client that nobody else has yet."""
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush"}
    return botocore.session.Session().create_client("dynamodb", "eu-west-1", **keys)


def test_the_data_operations_are_dynamodbs(client: t.Any) -> None:
    """Each is one that botocore knows, and works on items."""
    known = client.meta.service_model.operation_names
    assert set(known) >= DATA_PLANE_OPERATIONS
    assert {name for name in DATA_PLANE_OPERATIONS if "Table" in name} == set()


@pytest.mark.parametrize("way", ["tuned", "stock"])
def test_botocores_own_ways_are_the_clients(client: t.Any, way: str) -> None:
    """It makes its calls itself, and has no sockets beside its own."""
    transport.attach_transport(client, way=way)
    assert client.meta.dynaflask_transport == Transport(way, None)
    assert transport.api_caller(client) is client
    assert transport.count_sockets(client) == 0
    transport.close(client)


def test_direct_is_another_callers(client: t.Any) -> None:
    """It goes round the client."""
    transport.attach_transport(client, way="direct")
    caller = transport.api_caller(client)
    assert caller is client.meta.dynaflask_transport is not client
    assert (caller.mode, caller.reason) == ("direct", None)


def test_direct_needs_its_extra(client: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to install."""
    monkeypatch.setattr(transport, "DirectTransport", ModuleNotFoundError(name="httptools"))
    with pytest.raises(ConfigurationError, match=r'httptools is not installed: pip install "dynaflask\[direct\]"'):
        transport.attach_transport(client, way="direct")


@pytest.mark.parametrize("made", [types.SimpleNamespace(meta=types.SimpleNamespace()), object()], ids=["client", "any"])
def test_what_a_factory_made_is_left_as_it_is(made: t.Any) -> None:
    """It may be anything, and makes its calls itself."""
    transport.mark_unmanaged(made, reason="a factory made it")
    assert transport.api_caller(made) is made
    assert transport.count_sockets(made) == 0
    transport.close(made)
    if hasattr(made, "meta"):
        assert made.meta.dynaflask_transport == Transport("stock", "a factory made it")
