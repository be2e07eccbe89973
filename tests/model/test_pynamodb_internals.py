"""PynamoDB's private names, as the installed release has them."""

from __future__ import annotations

import typing as t

import pytest
from pynamodb.attributes import DiscriminatorAttribute
from pynamodb.attributes import TTLAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.pagination import ResultIterator

from dynaflask.model import pynamodb_internals
from tests.support.strategies import thing


def fetch_page(*args: t.Any, **kwargs: t.Any) -> t.NoReturn:
    """Stands in for the query of a table."""
    raise NotImplementedError


@pytest.mark.parametrize("rate_limit", [None, 5.0])
def test_page_request_returns_the_iterators_arguments(rate_limit: float | None) -> None:
    """The arguments make an equal iterator."""
    results: t.Any = ResultIterator(fetch_page, ("forum",), {"limit": 7}, map_fn=str, limit=3, rate_limit=rate_limit)
    request = pynamodb_internals.page_request(results)
    assert request == (fetch_page, ("forum",), {"limit": 7}, str, 3, rate_limit)


@pytest.mark.parametrize("name", ["_operation", "_args", "_kwargs", "_rate_limiter"])
def test_a_missing_name_is_an_attribute_error(name: str) -> None:
    """A release without the name is recognised before anything is sent."""
    results: t.Any = ResultIterator(fetch_page, (), {})
    delattr(results.page_iter, name)
    with pytest.raises(AttributeError, match=name):
        pynamodb_internals.page_request(results)


def test_a_model_tells_its_keys_and_indexes(thread_model: t.Any) -> None:
    """The hash key, the indexes and the schema are the declared ones."""
    index = pynamodb_internals.indexes(thread_model)["viewIdx"]
    assert pynamodb_internals.hash_key_name(thread_model) == "forum_name"
    assert pynamodb_internals.hash_key_attribute(thread_model).attr_name == "forum_name"
    assert pynamodb_internals.hash_key_attribute(index).attr_name == "views"
    assert pynamodb_internals.model_of_index(thread_model.view_index) is thread_model
    assert pynamodb_internals.model_of_index(None) is None
    assert len(pynamodb_internals.table_schema(thread_model)["key_schema"]) == 2
    assert pynamodb_internals.serialized_keys(thread_model("f", "s")) == {"forum_name": "f", "subject": "s"}


def test_a_model_tells_its_special_attributes() -> None:
    """The time to live, the discriminator and renamed attributes are the declared ones."""
    model = thing(
        kind=DiscriminatorAttribute(), expires=TTLAttribute(null=True), name=UnicodeAttribute(attr_name="stored_name")
    )
    assert pynamodb_internals.ttl_attribute(model) is model.expires
    assert pynamodb_internals.discriminator_attribute(model) is model.kind
    assert pynamodb_internals.has_discriminator(model)
    assert pynamodb_internals.value_key(model, model.name) == "name"
