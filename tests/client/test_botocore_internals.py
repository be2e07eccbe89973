"""What botocore keeps to itself may have another name one day: then it is not known, and calls are made without it."""

from __future__ import annotations

import types
import typing as t

import pytest
from botocore.awsrequest import HeadersDict

from dynaflask.client import botocore_internals
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

UNKNOWN = {
    botocore_internals.has_credentials: True,
    botocore_internals.http_session: None,
    botocore_internals.count_idle_sockets: 0,
    botocore_internals.events_version: None,
    botocore_internals.frozen_credentials: None,
    botocore_internals.has_proxy: True,
    botocore_internals.socket_options: (),
}


@pytest.mark.parametrize("ask", UNKNOWN, ids=lambda ask: ask.__name__)
def test_a_client_that_shows_nothing_is_asked_in_vain(ask: t.Callable[[t.Any], object]) -> None:
    """Each question has an answer on the safe side."""
    client = types.SimpleNamespace(meta=types.SimpleNamespace(events=object()))
    assert ask(client) == UNKNOWN[ask]
    assert botocore_internals.event_handlers(client, "before-send") == ()


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
def test_calls_are_made_without_it(
    make_app: MakeApp, thread_model: t.Any, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """They are botocore's, and right."""
    monkeypatch.setattr(f"dynaflask.client.{name}", lambda client: None)
    app = make_app(host=recorder.url, region="us-east-1", transport="direct", **KEYS)
    with app.app_context():
        assert [thread_model.get("forum", subject).subject for subject in ("1", "2")] == ["1", "2"]
    assert app.extensions["dynamo"].get_client().meta.dynaflask_transport.reason == GONE[name]
    assert [request.access_key_id for request in recorder.requests] == ["AKIA", "AKIA"]


class Elsewhere(HeadersDict):
    """Headers that are kept in another place than botocore's."""

    def __init__(self, headers: dict[str, str]) -> None:
        self._elsewhere = headers

    def __iter__(self) -> t.Iterator[str]:
        return iter(self._elsewhere)

    def __getitem__(self, name: str) -> str:
        return self._elsewhere[name]


@pytest.mark.parametrize("kind", [HeadersDict, dict, Elsewhere])
@pytest.mark.parametrize("stock", [HeadersDict, Elsewhere])
def test_headers_are_read_wherever_they_are(kind: t.Any, stock: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore's own, and those that keep them somewhere else."""
    monkeypatch.setattr(botocore_internals, "HeadersDict", stock)
    headers = kind({"X-Amzn-RequestId": "R", "Date": "D"})
    assert list(botocore_internals.lower_headers(headers).items()) == [("x-amzn-requestid", "R"), ("date", "D")]
