"""An app with warm lanes, and the lanes that its calls take."""

from __future__ import annotations

import collections.abc as cabc
import typing as t
from unittest import mock

import flask
import pytest

from dynaflask.model.item_lane import ItemLane
from tests.client.test_plain_calls import direct_app
from tests.client.test_plain_calls import warm_up
from tests.support import recorder as recorders
from tests.support.settings import MakeApp


@pytest.fixture
def taken() -> cabc.Iterator[list[str]]:
    """The lanes that were taken since the test last cleared the list."""
    lanes: list[str] = []
    is_usual = ItemLane.is_usual

    def spy(lane: ItemLane, operation: str, *args: t.Any) -> bool:
        result = is_usual(lane, operation, *args)
        lanes.extend([operation] if result else [])
        return result

    with mock.patch.object(ItemLane, "is_usual", spy):
        yield lanes


@pytest.fixture
def warm_app(make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any) -> cabc.Iterator[flask.Flask]:
    """An app in its context, whose client has the templates of all operations."""
    with (app := direct_app(make_app, recorder.url)).app_context():
        warm_up(thread_model, "forum", "subject")
        recorder.requests.clear()
        yield app
