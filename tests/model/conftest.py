"""An app that has used its fast paths, and the operations that take them."""

from __future__ import annotations

import collections.abc as cabc
import typing as t
from unittest import mock

import flask
import pytest

from dynaflask.model.item_fast_path import ItemFastPath
from tests.client.test_plain_calls import direct_app
from tests.client.test_plain_calls import warm_up
from tests.support import recorder as recorders
from tests.support.settings import MakeApp


@pytest.fixture
def taken() -> cabc.Iterator[list[str]]:
    """The operations that took the fast path since the test last cleared the list."""
    fast_paths: list[str] = []
    applies_to = ItemFastPath.applies_to

    def spy(fast_path: ItemFastPath, operation: str, *args: t.Any) -> bool:
        result = applies_to(fast_path, operation, *args)
        fast_paths.extend([operation] if result else [])
        return result

    with mock.patch.object(ItemFastPath, "applies_to", spy):
        yield fast_paths


@pytest.fixture
def warm_app(make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> cabc.Iterator[flask.Flask]:
    """An app in its context, whose client has the templates of all operations."""
    with (app := direct_app(make_app, recorder.url)).app_context():
        warm_up(thread_model, "forum", "subject")
        recorder.requests.clear()
        yield app
