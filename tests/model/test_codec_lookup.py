"""The codec of a model, found at each use."""

from __future__ import annotations

import typing as t
from unittest import mock

import flask
import pytest

from dynaflask.model.codec_lookup import codec_of
from dynaflask.model.codec_lookup import has_own_from_raw_data
from dynaflask.model.codec_lookup import safe_responses
from tests.support.settings import MakeApp

ITEM = {"forum_name": {"S": "flask"}, "subject": {"S": "hello"}, "views": {"N": "7"}}


@pytest.fixture
def apps(make_app: MakeApp) -> list[flask.Flask]:
    """An app of the default transport, and one that is PynamoDB's alone."""
    return [make_app("direct", region="eu-west-1"), make_app("stock", region="eu-west-1", transport="stock")]


def test_the_app_decides_and_the_codec_is_one(apps: list[flask.Flask], thread_model: t.Any) -> None:
    """A model has one codec in all contexts and outside of them; with the stock transport, it has none."""
    outside = codec_of(thread_model)
    direct, stock = apps
    with direct.app_context():
        assert codec_of(thread_model) is outside is not None
    with stock.app_context():
        assert codec_of(thread_model) is None


def test_a_subclass_has_its_own(thread_model: t.Any) -> None:
    """A subclass does not use its parent's codec, which has other attributes."""
    parent = codec_of(thread_model)
    child = type(thread_model)("Sticky", (thread_model,), {"__module__": __name__})
    assert codec_of(child) is not parent
    assert codec_of(thread_model) is parent


def test_the_items_are_equal(apps: list[flask.Flask], thread_model: t.Any) -> None:
    """An item becomes the same object by the codec and by PynamoDB."""
    objects = []
    for app in apps:
        with app.app_context():
            objects.append(thread_model.from_raw_data(ITEM).attribute_values)
    assert objects[0] == objects[1] == {"forum_name": "flask", "subject": "hello", "views": 7}


def test_a_patched_from_raw_data_is_called_item_by_item(thread_model: t.Any) -> None:
    """No decoder of whole responses is used while ``from_raw_data`` is patched."""
    codec = codec_of(thread_model)
    assert has_own_from_raw_data(thread_model)
    assert safe_responses(thread_model, codec) is not None
    with mock.patch.object(thread_model, "from_raw_data"):
        assert not has_own_from_raw_data(thread_model)
        assert safe_responses(thread_model, codec) is None
