"""A method that a class, an attribute or a patch overrides is called, and not skipped by the codec."""

from __future__ import annotations

import collections.abc as cabc
import datetime as dt
import typing as t

import pynamodb.models
import pytest
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UTCDateTimeAttribute

from tests.support.codecs import deserializes_like_pynamodb
from tests.support.codecs import pynamodb_deserialize
from tests.support.codecs import serializes_like_pynamodb
from tests.support.comparing import outcome
from tests.support.strategies import UTC
from tests.support.strategies import Item
from tests.support.strategies import Upper
from tests.support.strategies import db
from tests.support.strategies import thing

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=UTC)


OVERRIDES: dict[str, t.Callable[..., t.Any]] = {
    "__init__": lambda self, *args, **kwargs: (
        super(type(self), self).__init__(*args, **kwargs),
        vars(self).update(x=1),
    )[0],
    "__setattr__": lambda self, name, value: object.__setattr__(self, name, value.upper() if name == "name" else value),
    "__getattribute__": lambda self, name: "got" if name == "name" else object.__getattribute__(self, name),
    "__bool__": lambda self: False,
    "__len__": lambda self: 0,
    "_set_defaults": lambda self, _user_instantiated=True: self.attribute_values.update(name="default"),
    "_set_discriminator": lambda self: self.attribute_values.update(name="discriminator"),
    "_set_attributes": lambda self, **values: self.attribute_values.update(values, extra=1),
    "_instantiate": classmethod(lambda cls, item: cls("instantiated")),
    "get_attributes": classmethod(lambda cls: {"name": cls._attributes["name"]}),
    "_get_discriminator_class": classmethod(lambda cls, item: None),
    "__getattr__": lambda self, name: "missing",
    "attribute_values": property(lambda self: {"name": "property"}, lambda self, value: None),
}


@pytest.mark.parametrize("method", OVERRIDES)
def test_an_override_in_a_model_is_called(method: str) -> None:
    """A model's own version of one of PynamoDB's methods runs in both directions."""
    model = thing(name=UnicodeAttribute(hash_key=True), count=NumberAttribute(default=0), **{method: OVERRIDES[method]})
    expected = outcome(lambda: model._instantiate({"name": {"S": "a"}}))
    assert outcome(lambda: model.from_raw_data({"name": {"S": "a"}})) == expected
    instance = object.__new__(model)
    object.__setattr__(instance, "__dict__", {"attribute_values": {"name": "b", "count": 3}})
    assert serializes_like_pynamodb(instance)


@pytest.mark.parametrize(
    "method", ["serialize", "deserialize", "from_raw_data", "_container_serialize", "_container_deserialize"]
)
def test_a_models_own_hook_is_called(method: str) -> None:
    """A model's own version of a method that calls the codec runs in place of it."""
    called = []

    def own(*args: t.Any, **kwargs: t.Any) -> t.Any:
        called.append(method)

    model = thing(
        name=UnicodeAttribute(hash_key=True), **{method: classmethod(own) if method == "from_raw_data" else own}
    )
    model.from_raw_data({"name": {"S": "a"}})
    model("a").serialize()
    model("a").deserialize({"name": {"S": "a"}})
    assert called == [method]


@pytest.mark.parametrize("method", ["from_raw_data", "_container_serialize", "_container_deserialize"])
def test_a_hook_of_a_later_base_is_called(method: str) -> None:
    """A mixin between ``db.Model`` and PynamoDB's model in the order of bases is not skipped."""
    called = []

    def own(*args: t.Any, **kwargs: t.Any) -> t.Any:
        called.append(method)

    mixin = type(pynamodb.models.Model)(
        "Mixin", (pynamodb.models.Model,), {method: classmethod(own) if method == "from_raw_data" else own}
    )

    class Mixed(db.Model, mixin):  # type: ignore[misc,name-defined,valid-type]
        name = UnicodeAttribute(hash_key=True)

    Mixed.from_raw_data({"name": {"S": "a"}})
    Mixed("a").serialize()
    Mixed("a").deserialize({"name": {"S": "a"}})
    assert called == [method]


class Loud(UnicodeAttribute):
    def get_value(self, value: Item) -> t.Any:
        return "got " + value["S"]


class Assigned(UnicodeAttribute):
    def __set__(self, instance: t.Any, value: t.Any) -> None:
        super().__set__(instance, value and value * 2)


class Fetched(UnicodeAttribute):
    def __get__(self, instance: t.Any, owner: t.Any) -> t.Any:
        return self if instance is None else "fetched"


class EarlyUTC(UTCDateTimeAttribute):
    @staticmethod
    def _fast_parse_utc_date_string(date_string: str) -> dt.datetime:
        return NOON


class Validated(MapAttribute[t.Any, t.Any]):
    city = UnicodeAttribute()

    def validate(self, **_: t.Any) -> bool:
        return False


@cabc.Mapping.register
class Mapped(MapAttribute[t.Any, t.Any]):
    city = UnicodeAttribute(null=True)

    def keys(self) -> t.Any:
        return self.attribute_values.keys()


class Called(MapAttribute[t.Any, t.Any]):
    city = UnicodeAttribute(null=True)

    def __init__(self, **values: t.Any) -> None:
        super().__init__(**values)
        self.is_called = True


@pytest.mark.parametrize("attribute", [Upper, Loud, Assigned, Fetched, EarlyUTC, Validated, Mapped, Called])
def test_an_override_in_an_attribute_is_called(attribute: t.Any) -> None:
    """An attribute's own method runs for the attribute alone, in a list, and in a map."""
    within = type(MapAttribute)("Within", (MapAttribute,), {"own": attribute(null=True)})
    model = thing(own=attribute(null=True), many=ListAttribute(of=attribute, null=True), within=within(null=True))
    value = (
        {"M": {"city": {"S": "x"}}} if issubclass(attribute, MapAttribute) else {"S": "2026-11-22T12:00:00.000000+0000"}
    )
    item = {"own": value, "many": {"L": [value]}, "within": {"M": {"own": value}}}
    assert deserializes_like_pynamodb(model, item)
    assert serializes_like_pynamodb(pynamodb_deserialize(model, item))


def test_a_class_attribute_that_hides_an_attribute_is_respected() -> None:
    """A value that a program puts over an attribute, before the model's first use, hides it as in PynamoDB."""
    model = thing(name=UnicodeAttribute(), count=NumberAttribute(default=0))
    model.count = 5
    assert deserializes_like_pynamodb(model, {"name": {"S": "a"}, "count": {"N": "1"}})
