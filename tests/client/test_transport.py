"""The transport of a client, and how it is reported."""

from __future__ import annotations

import types
import typing as t

import botocore.session
import pytest
from botocore.config import Config

from dynaflask.client import transport
from dynaflask.client.transport import Transport
from dynaflask.exceptions import ConfigurationError
from dynaflask.operations.operation import DATA_PLANE_OPERATIONS
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

UNUSED = "but botocore makes the calls of a client"


@pytest.fixture
def client() -> t.Any:
    """A new client."""
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush"}
    return botocore.session.Session().create_client("dynamodb", "eu-west-1", **keys)


def test_the_data_plane_operations_exist(client: t.Any) -> None:
    """botocore knows each of them, and none is about tables."""
    assert set(client.meta.service_model.operation_names) >= DATA_PLANE_OPERATIONS
    assert {name for name in DATA_PLANE_OPERATIONS if "Table" in name} == set()


@pytest.mark.parametrize("mode", ["tuned", "stock"])
def test_tuned_and_stock_clients_make_their_own_calls(client: t.Any, mode: str) -> None:
    """Their transport is a note."""
    transport.attach_transport(client, mode=mode)
    assert client.meta.dynaflask_transport == Transport(mode, None)
    assert transport.api_caller(client) is client


def test_direct_makes_the_calls_of_the_client(client: t.Any) -> None:
    """The transport is the caller, and reports its mode."""
    transport.attach_transport(client, mode="direct")
    caller = transport.api_caller(client)
    assert caller is client.meta.dynaflask_transport is not client
    assert (caller.mode, caller.reason) == ("direct", None)


def test_direct_needs_its_extra(client: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without httptools, the error says what to install."""
    monkeypatch.setattr(transport, "DirectTransport", ModuleNotFoundError(name="httptools"))
    with pytest.raises(ConfigurationError, match=r'httptools is not installed: pip install "dynaflask\[direct\]"'):
        transport.attach_transport(client, mode="direct")


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[], list[str]]:
    """Returns the warnings so far, as in a process that has logged none before."""
    monkeypatch.setattr(transport, "_logged_reasons", set())
    return lambda: [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def test_an_unused_transport_is_logged_once(make_app: MakeApp, warnings: t.Callable[[], list[str]]) -> None:
    """``direct`` that cannot be used is a warning with the reason, and not one per client."""
    config = Config(proxies={"http": "http://proxy", "https": "http://proxy"})
    for region in ("eu-west-1", "us-east-1"):
        app = make_app(region, region=region, transport="direct", client_config=config, **KEYS)
        app.extensions["dynamo"].get_client()
    (message,) = warnings()
    assert message.startswith(
        "DYNAMODB_TRANSPORT is 'direct', but botocore makes the calls of a client: the client uses a proxy"
    )


@pytest.mark.parametrize(("mode", "count"), [(None, 0), ("stock", 0), ("tuned", 1), ("direct", 1)])
def test_a_factory_with_a_transport_is_logged(
    make_app: MakeApp, warnings: t.Callable[[], list[str]], mode: str | None, count: int
) -> None:
    """The requested transport does not apply to the client of a factory."""
    settings = {} if mode is None else {"transport": mode}
    make_app(client_factory=lambda _: types.SimpleNamespace(), **settings).extensions["dynamo"].get_client()
    reason = f"DYNAMODB_TRANSPORT is {mode!r}, {UNUSED}: DYNAMODB_CLIENT_FACTORY made it."
    assert warnings() == [reason] * count


@pytest.mark.parametrize(
    "factory_client", [types.SimpleNamespace(meta=types.SimpleNamespace()), object()], ids=["client", "any"]
)
def test_the_client_of_a_factory_is_not_changed(factory_client: t.Any) -> None:
    """It may be any object, and makes its calls itself."""
    transport.mark_unmanaged(factory_client, reason="a factory made it")
    assert transport.api_caller(factory_client) is factory_client
    if hasattr(factory_client, "meta"):
        assert factory_client.meta.dynaflask_transport == Transport("stock", "a factory made it")
