"""A client that is made when something needs it."""

from __future__ import annotations

import concurrent.futures
import gc
import pathlib
import threading
import typing as t
import weakref

import pytest
from botocore.credentials import Credentials
from botocore.credentials import ReadOnlyCredentials

from dynaflask.client import lazy_client
from dynaflask.client.destination import Destination
from dynaflask.client.key import client_key
from dynaflask.client.lazy_client import LazyClient
from dynaflask.config.bind import Bind
from tests.support import recorder as recorders
from tests.support.settings import KEYS


@pytest.fixture
def bind(recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Bind:
    """A bind whose client can be made later."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return Bind(host=recorder.url, region="us-east-1", transport="direct", **KEYS)


def test_threads_make_one_client(bind: Bind, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads wait for the one that makes the client."""
    client, together, made, make = LazyClient(client_key(bind), bind), threading.Barrier(8), [], lazy_client.make_client
    monkeypatch.setattr(lazy_client, "make_client", lambda *args, **options: made.append(1) or make(*args, **options))

    def get(_: int) -> t.Any:
        together.wait()
        return client.get()

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        clients = set(threads.map(get, range(8)))
    assert clients == {client.made}
    assert made == [1]
    client.close()


def test_sockets_are_counted_and_closed_with_and_without_a_client(bind: Bind) -> None:
    """The transport keeps its connection when the client is made. botocore's other operations open one more."""
    client = LazyClient(client_key(bind), bind)
    call = {"TableName": "Thread", "Key": {}}
    client.api_caller._make_api_call("GetItem", call)
    assert (client.count_sockets(), client.made) == (1, None)
    client.api_caller._make_api_call("ListTables", {})
    assert client.count_sockets() == 2
    client.close()
    assert client.count_sockets() == 0


def test_it_keeps_no_callable_of_an_app_alive(bind: Bind) -> None:
    """Another app may use the client after the app whose bind it was made for has gone."""

    def prefix(name: str) -> str:
        return name

    own = Bind(host=bind.host, region="us-east-1", transport="direct", table_prefix=prefix, **KEYS)
    client, reference = LazyClient(client_key(own), own), weakref.ref(prefix)
    del own, prefix
    gc.collect()
    assert reference() is None
    assert client.get() is client.made
    client.close()


def test_other_clients_are_made_at_once(bind: Bind) -> None:
    """Those of another transport make their calls themselves; those of a factory stay open."""
    other = Bind(host=bind.host, region="us-east-1", transport="botocore", **KEYS)
    client = LazyClient(client_key(other), other)
    assert client.get() is client.made is client.api_caller
    assert not client.is_direct
    client.close()
    made = object()
    own = Bind(client_factory=lambda _: made)
    factory_client = LazyClient(client_key(own), own)
    factory_client.close()
    assert factory_client.get() is made
    assert factory_client.has_credentials


@pytest.mark.skipif("account_id" not in ReadOnlyCredentials._fields, reason="botocore 1.35.0 knows no accounts")
def test_a_template_that_is_captured_later_is_compared(
    bind: Bind, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the account of new credentials, botocore makes a call, and its request is compared with the destination."""
    compared: list[str] = []
    compare = Destination.check_template
    monkeypatch.setattr(
        Destination, "check_template", lambda self, template: (compared.append(template.url), compare(self, template))
    )
    client = LazyClient(client_key(bind), bind)
    credentials = Credentials("AKIA", "hush", account_id="123456789012")
    monkeypatch.setattr(client.get()._request_signer, "_credentials", credentials)
    for _ in range(2):
        client.api_caller._make_api_call("GetItem", {"TableName": "thread", "Key": {"id": {"S": "1"}}})
    assert compared == [f"{recorder.url}/"]
    assert len(recorder.requests) == 2
    client.close()
