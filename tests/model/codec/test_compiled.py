"""A model's codec: when it runs, and what it is compiled from, once."""

from __future__ import annotations

import threading
import typing as t
import unittest.mock

import pynamodb.models
import pytest
from pynamodb import attributes
from pynamodb.attributes import Attribute
from pynamodb.attributes import AttributeContainer
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask.model.codec import compiled
from dynaflask.model.codec.compiled import CompiledCodec
from tests.support import models
from tests.support.codecs import deserializes_like_pynamodb
from tests.support.codecs import pynamodb_deserialize
from tests.support.codecs import serializes_like_pynamodb
from tests.support.comparing import outcome
from tests.support.comparing import shape
from tests.support.settings import MakeApp
from tests.support.strategies import Trip
from tests.support.strategies import thing

ITEM = {
    "name": {"S": "a"},
    "count": {"N": "1"},
    "trip": {"M": {"place": {"M": {"city": {"S": "x"}, "zip": {"N": "2"}}}}},
}


@pytest.fixture
def model() -> t.Any:
    """A model that is used for the first time in the test."""
    return thing(name=UnicodeAttribute(hash_key=True), count=NumberAttribute(default=0), trip=Trip(null=True))


class TestUse:
    """Which conversions run compiled code."""

    def test_an_item_is_deserialized_by_the_codec(self, model: t.Any) -> None:
        """PynamoDB's own method does not run for a model that overrides nothing."""
        model.from_raw_data(ITEM)
        with unittest.mock.patch.object(AttributeContainer, "_container_deserialize", side_effect=AssertionError):
            assert model.from_raw_data(ITEM).trip.place.city == "x"

    def test_an_object_is_serialized_by_the_codec(self, model: t.Any) -> None:
        """PynamoDB's own method does not run for a model that overrides nothing."""
        instance = model.from_raw_data(ITEM)
        expected = instance.serialize()
        with unittest.mock.patch.object(AttributeContainer, "_container_serialize", side_effect=AssertionError):
            assert instance.serialize() == expected

    def test_a_registered_model_has_a_codec(self, db: dynaflask.Dynamo) -> None:
        """``db.register`` gives an existing model a codec, too."""

        class Plain(pynamodb.models.Model):
            Meta = type("Meta", (), {"table_name": "plain"})
            id = UnicodeAttribute(hash_key=True)

        db.register(Plain)
        Plain.from_raw_data({"id": {"S": "a"}})
        with unittest.mock.patch.object(AttributeContainer, "_container_deserialize", side_effect=AssertionError):
            assert Plain.from_raw_data({"id": {"S": "a"}}).id == "a"

    def test_no_data_is_pynamodbs_error(self, model: t.Any) -> None:
        """``from_raw_data(None)`` raises PynamoDB's error."""
        with pytest.raises(ValueError, match="Received no data"):
            model.from_raw_data(None)

    def test_one_look_up_serves_a_page(self, model: t.Any) -> None:
        """PynamoDB looks ``from_raw_data`` up once for all items of a query."""
        make = model.from_raw_data
        assert shape([make(ITEM), make(data=ITEM)]) == shape([pynamodb_deserialize(model, ITEM)] * 2)

    def test_an_object_without_a_reachable_table_is_serialized(self, make_app: MakeApp) -> None:
        """An object becomes an item even if the current app has no such bind."""
        with make_app().app_context():
            assert thing(id=UnicodeAttribute(), Meta=type("Meta", (), {"bind_key": "unknown"}))(id="a").serialize() == {
                "id": {"S": "a"}
            }


@pytest.mark.parametrize("transport", ["botocore", "direct"])
def test_stock_runs_pynamodbs_own_methods(db: dynaflask.Dynamo, make_app: MakeApp, transport: str) -> None:
    """With the stock transport PynamoDB's own methods run, in that app alone."""
    model = type(db.Model)(
        "Other", (db.Model,), {"Meta": type("Meta", (), {"table_name": "o"}), "id": UnicodeAttribute(hash_key=True)}
    )
    runs_pynamodb = {}
    for name, options in {"stock": {"transport": "stock"}, "other": {"transport": transport}}.items():
        with make_app(name, **options).app_context():
            model.from_raw_data({"id": {"S": "a"}})
            with unittest.mock.patch.object(AttributeContainer, "_container_deserialize") as pynamodb_method:
                model.from_raw_data({"id": {"S": "a"}})
            runs_pynamodb[name] = pynamodb_method.called
    assert runs_pynamodb == {"stock": True, "other": False}


class TestDecidedOnce:
    """A patch takes effect if it is in place when the model is first used."""

    @pytest.mark.parametrize("name", ["serialize", "deserialize", "get_value"])
    def test_an_attribute_patched_before_first_use(self, model: t.Any, name: str) -> None:
        """A patched method of an attribute is called, and PynamoDB's again after the patch has ended."""
        with unittest.mock.patch.object(model.name, name, return_value="patched"):
            assert "patched" in repr(model.from_raw_data(ITEM)) + repr(model("a").serialize())
        assert deserializes_like_pynamodb(model, ITEM)
        assert serializes_like_pynamodb(model("a"))

    @pytest.mark.parametrize(
        ("owner", "name"),
        [
            (UnicodeAttribute, "serialize"),
            (UnicodeAttribute, "deserialize"),
            (NumberAttribute, "deserialize"),
            (Attribute, "__set__"),
        ],
    )
    def test_a_class_patched_before_first_use(self, model: t.Any, owner: t.Any, name: str) -> None:
        """A patched method of PynamoDB's class is called, and PynamoDB's again after the patch has ended."""
        with unittest.mock.patch.object(owner, name, autospec=True, return_value="patched") as patched:
            outcome(lambda: model.from_raw_data(ITEM))
            outcome(model("a").serialize)
        assert patched.called
        assert deserializes_like_pynamodb(model, ITEM)
        assert serializes_like_pynamodb(model("a"))

    @pytest.mark.parametrize("cls", [UnicodeAttribute, attributes.NumberSetAttribute, attributes.BooleanAttribute])
    def test_a_class_patched_before_first_use_in_a_raw_map(self, cls: t.Any) -> None:
        """A patched method is also called for values that no attribute declares."""
        item = {"data": {"M": {"x": {cls.attr_type: ["1"]}}}}
        with unittest.mock.patch.object(cls, "deserialize", return_value="patched"):
            assert thing(data=MapAttribute()).from_raw_data(item).data.x == "patched"
        with unittest.mock.patch.object(cls, "serialize", return_value="patched", create=True):
            assert serializes_like_pynamodb(thing(data=MapAttribute())(data={"x": "a", "y": {1}, "z": True}))

    def test_a_type_added_to_pynamodbs_table_before_first_use(self) -> None:
        """A program may change which attribute converts a type."""
        with unittest.mock.patch.dict(attributes.DESERIALIZE_CLASS_MAP, {"N": UnicodeAttribute()}):
            item = {"data": {"M": {"x": {"N": "1"}}}}
            assert thing(data=MapAttribute()).from_raw_data(item).data.x == "1"

    @pytest.mark.parametrize("change", [{"default": 5}, {"null": True}, {"attr_path": ["other"]}, {"attr_type": "S"}])
    def test_an_option_changed_before_first_use(self, model: t.Any, change: dict[str, t.Any]) -> None:
        """An attribute's option that is set before first use takes effect."""
        for name, value in change.items():
            setattr(vars(model)["count"], name, value)
        assert deserializes_like_pynamodb(model, {"count": {"S": "1"}})
        assert deserializes_like_pynamodb(model, {})
        assert serializes_like_pynamodb(model("a", count=None))

    def test_a_class_patched_after_first_use(self, model: t.Any) -> None:
        """A patch of PynamoDB that comes later does not take effect."""
        instance = model.from_raw_data(ITEM)
        serialized = instance.serialize()
        with (
            unittest.mock.patch.object(NumberAttribute, "deserialize", side_effect=AssertionError),
            unittest.mock.patch.object(NumberAttribute, "serialize", side_effect=AssertionError),
        ):
            assert shape(model.from_raw_data(ITEM)) == shape(instance)
            assert instance.serialize() == serialized

    def test_a_later_patch_takes_effect_under_stock(self, db: dynaflask.Dynamo, make_app: MakeApp) -> None:
        """A program that patches PynamoDB while it runs uses the stock transport."""
        thread = models.declare_thread(db)
        counts = {}
        for transport in ("stock", "botocore"):
            with make_app(transport, transport=transport).app_context():
                thread.from_raw_data({"views": {"N": "1"}})
                with unittest.mock.patch.object(NumberAttribute, "deserialize", return_value=7):
                    counts[transport] = thread.from_raw_data({"views": {"N": "1"}}).views
        assert counts == {"stock": 7, "botocore": 1}

    @pytest.mark.parametrize("name", ["from_raw_data", "_instantiate"])
    def test_a_subclass_has_a_codec_of_its_own(self, model: t.Any, name: str) -> None:
        """A subclass that overrides a method is not converted by the codec that its base has already."""
        model.from_raw_data(ITEM)
        overriding = thing("Overriding", model, **{name: classmethod(lambda cls, data: "overridden")})
        assert overriding.from_raw_data(ITEM) == "overridden"
        assert model.from_raw_data(ITEM).name == "a"

    def test_the_users_own_model_may_be_patched_at_any_time(self, model: t.Any) -> None:
        """``from_raw_data`` of the model is looked up at each call, as any method is."""
        model.from_raw_data(ITEM)
        with unittest.mock.patch.object(model, "from_raw_data", return_value="patched"):
            assert model.from_raw_data(ITEM) == "patched"
        assert model.from_raw_data(ITEM).name == "a"


def test_a_codec_that_is_compiled_holds_no_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a thread compiles, others can: in a forked child, that thread does not exist, and would release no lock."""
    is_compiling, may_end, has_ended = threading.Event(), threading.Event(), threading.Event()

    def compile_slowly(model: t.Any) -> None:
        is_compiling.set()
        may_end.wait(60)

    def compile_another() -> None:
        assert CompiledCodec(thing(), base=dynaflask.Model).deserializer is None
        has_ended.set()

    monkeypatch.setattr(compiled, "compile_deserializer", compile_slowly)
    slow = threading.Thread(target=lambda: CompiledCodec(thing(), base=dynaflask.Model).deserializer)
    slow.start()
    assert is_compiling.wait(60)
    monkeypatch.setattr(compiled, "compile_deserializer", lambda model: None)
    other = threading.Thread(target=compile_another)
    other.start()
    ended_meanwhile = has_ended.wait(20)
    may_end.set()
    slow.join()
    other.join()
    assert ended_meanwhile
