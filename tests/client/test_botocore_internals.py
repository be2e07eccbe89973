"""If botocore renames a private name, calls go on without it."""

from __future__ import annotations

import ssl
import types
import typing as t

import pytest
from botocore.awsrequest import HeadersDict

from dynaflask.client import botocore_internals
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

SAFE_RESULTS = {
    botocore_internals.has_credentials: True,
    botocore_internals.http_session: None,
    botocore_internals.count_idle_sockets: 0,
    botocore_internals.events_version: None,
    botocore_internals.frozen_credentials: None,
    botocore_internals.has_proxy: True,
    botocore_internals.verify_option: None,
    botocore_internals.socket_options: (),
}


@pytest.mark.parametrize("ask", SAFE_RESULTS, ids=lambda ask: ask.__name__)
def test_each_function_has_a_safe_result_without_its_name(ask: t.Callable[[t.Any], object]) -> None:
    """For a client without the private names, the result is the one that leaves the work to botocore."""
    client = types.SimpleNamespace(meta=types.SimpleNamespace(events=object()))
    assert ask(client) == SAFE_RESULTS[ask]
    assert botocore_internals.event_handlers(client, "before-send") == ()
    botocore_internals.use_tls_context(client, ssl.create_default_context())


GONE = {
    "botocore_internals.http_session": "the client uses a proxy",
    "botocore_internals._emitter": "this botocore version does not expose its event handlers",
    "direct.transport.frozen_credentials": None,
}


@pytest.mark.parametrize(
    "name",
    [
        "botocore_internals.http_session",
        "botocore_internals._emitter",
        "direct.transport.frozen_credentials",
    ],
)
def test_calls_go_on_without_a_name(
    make_app: MakeApp, thread_model: t.Any, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """botocore makes them, and ``reason`` says why."""
    monkeypatch.setattr(f"dynaflask.client.{name}", lambda client: None)
    app = make_app(host=recorder.url, region="us-east-1", transport="direct", **KEYS)
    with app.app_context():
        assert [thread_model.get("forum", subject).subject for subject in ("1", "2")] == ["1", "2"]
    assert app.extensions["dynamo"].get_client().meta.dynaflask_transport.reason == GONE[name]
    assert [request.access_key_id for request in recorder.requests] == ["AKIA", "AKIA"]


class OtherHeaders(HeadersDict):
    """Headers with another internal structure than botocore's."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._items = headers

    def __iter__(self) -> t.Iterator[str]:
        return iter(self._items)

    def __getitem__(self, name: str) -> str:
        return self._items[name]


@pytest.mark.parametrize("headers_type", [HeadersDict, dict, OtherHeaders])
@pytest.mark.parametrize("stock", [HeadersDict, OtherHeaders])
def test_headers_are_read_without_the_name(headers_type: t.Any, stock: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result is the same for botocore's headers and for others."""
    monkeypatch.setattr(botocore_internals, "HeadersDict", stock)
    headers = headers_type({"X-Amzn-RequestId": "R", "Date": "D"})
    assert list(botocore_internals.lower_headers(headers).items()) == [("x-amzn-requestid", "R"), ("date", "D")]
