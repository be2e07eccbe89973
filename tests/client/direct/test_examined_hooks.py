"""What a call found of the hooks is current until one of them changes."""

from __future__ import annotations

import typing as t
from unittest import mock

import botocore.session
import pytest
import wrapt
from botocore.client import BaseClient
from botocore.endpoint import Endpoint

from dynaflask.client.botocore_internals import BUILTIN_HANDLERS
from dynaflask.client.direct.examined_hooks import ExaminedClasses
from dynaflask.client.direct.examined_hooks import ExaminedClient
from dynaflask.client.direct.examined_hooks import is_mock


@pytest.fixture
def client() -> t.Any:
    return botocore.session.Session().create_client("dynamodb", "us-east-1")


def handler(**_: t.Any) -> None:
    """A handler that does nothing."""


def test_a_patch_of_a_class(client: t.Any) -> None:
    """A patch is a change for all clients, and what was found before it is current again after it."""
    of_client, of_classes = ExaminedClient(client), ExaminedClasses()
    assert of_client.is_current(client)
    assert of_classes.is_current()
    with mock.patch.object(Endpoint, "_send"):
        assert not of_client.is_current(client)
        assert not of_classes.is_current()
    assert of_client.is_current(client)
    assert of_classes.is_current()


def test_what_was_found_under_a_wrapper() -> None:
    """A wrapper of a tracer is another object each time that it is read of its class, and still no change."""
    wrapper = wrapt.FunctionWrapper(vars(BaseClient)["_make_api_call"], lambda call, instance, args, _: call(*args))
    with mock.patch.object(BaseClient, "_make_api_call", wrapper):
        examined = ExaminedClasses()
        assert examined.is_current()
    assert not examined.is_current()


def test_a_patch_of_one_client(client: t.Any) -> None:
    """A patch of a client is a change for this client."""
    examined = ExaminedClient(client)
    with mock.patch.object(client, "_make_api_call"):
        assert not examined.is_current(client)
    assert examined.is_current(client)


def test_a_handler_of_one_client(client: t.Any) -> None:
    """A handler that is registered on a client is a change for this client, and for no other one."""
    other = botocore.session.Session().create_client("dynamodb", "us-east-1")
    of_client, of_other, of_classes = ExaminedClient(client), ExaminedClient(other), ExaminedClasses()
    client.meta.events.register("before-send.dynamodb", handler)
    assert not of_client.is_current(client)
    assert of_other.is_current(other)
    assert of_classes.is_current()


def test_a_handler_of_every_new_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that is added to botocore's own is a change."""
    examined = ExaminedClasses()
    monkeypatch.setattr("dynaflask.client.direct.examined_hooks.BUILTIN_HANDLERS", [*BUILTIN_HANDLERS, ("e", handler)])
    assert not examined.is_current()


def test_another_class_of_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A class in the place of ``botocore.session.Session`` is a change, also one that equals it."""
    examined = ExaminedClasses()
    monkeypatch.setattr(botocore.session, "Session", wrapt.ObjectProxy(botocore.session.Session))
    assert not examined.is_current()


def test_the_mocks_among_the_handlers_of_every_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """moto's handler is known by its module, and by the flag that enables it."""
    handlers = [mock.Mock(__module__="moto.core", enabled=False), mock.Mock(__module__="app", enabled=False), handler]
    monkeypatch.setattr(
        "dynaflask.client.direct.examined_hooks.BUILTIN_HANDLERS", [("before-send", found) for found in handlers]
    )
    assert ExaminedClasses().mocks == (handlers[0],)
    assert [is_mock(found) for found in handlers] == [True, False, False]
