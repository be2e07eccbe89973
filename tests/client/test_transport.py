"""The transport of a client, and how it is reported."""

from __future__ import annotations

import types
import typing as t

import botocore.session
import pytest
from botocore.config import Config

from dynaflask.client import fallback_log
from dynaflask.client import key
from dynaflask.client import transport
from dynaflask.client.transport import Transport
from dynaflask.operations.operation import DATA_PLANE_OPERATIONS
from tests.support import default_transport
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp


@pytest.fixture
def client() -> t.Any:
    """A new client."""
    keys = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush"}
    return botocore.session.Session().create_client("dynamodb", "eu-west-1", **keys)


def test_the_data_plane_operations_exist(client: t.Any) -> None:
    """botocore knows each of them, and none is about tables."""
    assert set(client.meta.service_model.operation_names) >= DATA_PLANE_OPERATIONS
    assert {name for name in DATA_PLANE_OPERATIONS if "Table" in name} == set()


@pytest.mark.parametrize("mode", ["botocore", "stock"])
def test_botocore_and_stock_clients_make_their_own_calls(client: t.Any, mode: str) -> None:
    """Their transport has no sockets."""
    transport.attach_transport(client, mode=mode)
    assert client.meta.dynaflask_transport == Transport(mode, None)
    assert transport.api_caller(client) is client


def test_direct_makes_the_calls_of_the_client(client: t.Any) -> None:
    """The transport is the caller, and reports its mode."""
    transport.attach_transport(client, mode="direct")
    caller = transport.api_caller(client)
    assert caller is client.meta.dynaflask_transport is not client
    assert (caller.mode, caller.reason) == ("direct", None)


def test_direct_is_the_default(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """An app without the setting has the direct transport, and one that names another has that."""
    monkeypatch.setattr(key, "DEFAULT_TRANSPORT", default_transport.OF_DYNAFLASK)
    apps = [make_app(region="eu-west-1", **KEYS), make_app("other", region="eu-west-1", transport="stock", **KEYS)]
    transports = [app.extensions["dynamo"].get_client().meta.dynaflask_transport for app in apps]
    assert [(transport.mode, transport.reason) for transport in transports] == [("direct", None), ("stock", None)]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[], list[tuple[str, str]]]:
    """Returns level and message of the lines so far, as in a process that has logged none before."""
    monkeypatch.setattr(fallback_log, "_logged", set())
    caplog.set_level("INFO", logger="dynaflask")
    return lambda: [(record.levelname, record.getMessage()) for record in caplog.records]


def test_an_unused_transport_is_logged_once(make_app: MakeApp, lines: t.Callable[[], list[tuple[str, str]]]) -> None:
    """``direct`` that cannot be used is logged with the reason and the remedy, and not once per client."""
    config = Config(proxies={"http": "http://proxy", "https": "http://proxy"})
    for region in ("eu-west-1", "us-east-1"):
        app = make_app(region, region=region, transport="direct", client_config=config, **KEYS)
        app.extensions["dynamo"].get_client()
    ((level, line),) = lines()
    assert level == "INFO"
    assert line == (
        "DYNAMODB_TRANSPORT is 'direct', but the transport of a client is 'botocore': the client uses a proxy. Results"
        " are the same, and calls take more time. If this is to stay, set DYNAMODB_TRANSPORT to 'botocore'."
    )


def test_a_listener_is_logged_at_the_first_call_that_it_sees(
    make_app: MakeApp, thread_model: t.Any, recorder: recorders.Recorder, lines: t.Callable[[], list[tuple[str, str]]]
) -> None:
    """A handler that comes later is named once, whatever number of calls, clients and apps it sees."""
    for name in ("one", "two"):
        app = make_app(name, host=recorder.url, region=f"us-{name}", transport="direct", **KEYS)
        with app.app_context():
            thread_model.get("forum", "subject")
            app.extensions["dynamo"].get_client().meta.events.register("before-send", ignore)
            for _ in range(2):
                thread_model.get("forum", "subject")
    ((level, line),) = lines()
    assert level == "INFO"
    assert f"{__name__}.ignore listens to the client's events." in line


def test_a_botocore_that_differs_is_a_warning(
    client: t.Any, monkeypatch: pytest.MonkeyPatch, lines: t.Callable[[], list[tuple[str, str]]]
) -> None:
    """A warning says that this release of botocore has other names: the program cannot know it."""
    monkeypatch.setattr(transport, "DirectTransport", ImportError("no 'create_serializer' (a path)"))
    transport.attach_transport(client, mode="direct")
    ((level, line),) = lines()
    assert (level, "this version of botocore differs: no 'create_serializer'." in line) == ("WARNING", True)


def ignore(**_: t.Any) -> None:
    """An event handler that does nothing."""


@pytest.mark.parametrize(("mode", "count"), [(None, 0), ("stock", 0), ("botocore", 1), ("direct", 1)])
def test_a_factory_with_a_transport_is_logged(
    make_app: MakeApp, lines: t.Callable[[], list[tuple[str, str]]], mode: str | None, count: int
) -> None:
    """The requested transport does not apply to the client of a factory."""
    settings = {} if mode is None else {"transport": mode}
    make_app(client_factory=lambda _: types.SimpleNamespace(), **settings).extensions["dynamo"].get_client()
    assert [level for level, _ in lines()] == ["WARNING"] * count
    start = (
        f"DYNAMODB_TRANSPORT is {mode!r}, but the transport of a client is 'stock': DYNAMODB_CLIENT_FACTORY made it."
    )
    assert all(line.startswith(start) for _, line in lines())


@pytest.mark.parametrize(
    "factory_client", [types.SimpleNamespace(meta=types.SimpleNamespace()), object()], ids=["client", "any"]
)
def test_the_client_of_a_factory_is_not_changed(factory_client: t.Any) -> None:
    """It may be any object, and makes its calls itself."""
    transport.mark_unmanaged(factory_client, reason="a factory made it")
    assert transport.api_caller(factory_client) is factory_client
    if hasattr(factory_client, "meta"):
        assert factory_client.meta.dynaflask_transport == Transport("stock", "a factory made it")
