"""Generated functions have a source, which a traceback shows and which ends with its class."""

from __future__ import annotations

import gc
import linecache
import traceback
import typing as t

import pytest
from pynamodb.attributes import UnicodeAttribute

from tests.support.strategies import thing


def declare_post(name: str = "Post") -> t.Any:
    """A model in a module of a forum."""
    return thing(name, __module__="forum.models", __qualname__=name, subject=UnicodeAttribute())


def traceback_of(step: t.Callable[[], object]) -> str:
    """The traceback of an error."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - PynamoDB's own, of any type
        step()
    return "".join(traceback.format_exception(caught.value))


def test_a_traceback_shows_the_line_of_the_deserializer() -> None:
    """An error in a generated function names the model, the function and the line."""
    shown = traceback_of(lambda: declare_post().from_raw_data({"subject": 5}))
    assert "in deserialize_Post\n    if value and NULL not in value:" in shown
    assert 'File "<dynaflask deserializer of forum.models.Post' in shown


def test_a_traceback_shows_the_line_of_the_serializer() -> None:
    """An error in a generated function names the model, the function and the line."""
    shown = traceback_of(declare_post()().serialize)
    assert "in serialize_Post\n    raise AttributeNullError('subject')" in shown
    assert 'File "<dynaflask serializer of forum.models.Post' in shown


def test_two_models_of_one_name_have_their_own_source() -> None:
    """Each model's traceback shows the source that ran."""
    models = [declare_post() for _ in range(2)]
    names = [model.from_raw_data({}) and model.__codec__.deserializer.make.__code__.co_filename for model in models]
    assert len(set(names)) == 2
    assert all(linecache.getline(name, 1) == "def deserialize_Post(item):\n" for name in names)


def test_the_source_is_removed_with_its_class() -> None:
    """A program that declares models in functions does not collect sources."""
    model = declare_post("Temporary")
    model.from_raw_data({"subject": {"S": "a"}}).serialize()
    names = {name for name in linecache.cache if "Temporary" in name}
    assert len(names) == 2
    del model
    gc.collect()
    assert names.isdisjoint(linecache.cache)


def test_any_class_name_makes_a_function_name() -> None:
    """A class that is made by ``type()`` may have a name that Python's grammar does not allow."""
    model = declare_post("Not a name: \u00e9")
    model.from_raw_data({})
    assert model.__codec__.deserializer.make.__name__ == "deserialize_Not_a_name___"
