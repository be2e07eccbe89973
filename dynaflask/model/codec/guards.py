"""What a plan takes for granted of PynamoDB and of a model, and the plan itself, which is followed while that holds."""

from __future__ import annotations

import collections.abc as cabc
import copy
import inspect
import json
import typing as t

import pynamodb.models
from pynamodb import attributes
from pynamodb.attributes import Attribute
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute

from dynaflask.model.codec.values import Convert

P = t.TypeVar("P")

# What a plan does in place of an attribute, ...
READ_STEPS = ("deserialize", "get_value", "__set__", "_normalize", "_fast_parse_utc_date_string", "attr_name")
WRITE_STEPS = ("serialize", "__get__", "attr_name")
# ... and in place of a model or a map.
OBJECT_STEPS = (
    "__getattribute__",
    "__setattr__",
    "__bool__",
    "__len__",
    "attribute_values",
    "is_raw",
    "_is_attribute_container",
)
DISCRIMINATOR_STEPS = ("_get_discriminator_attribute", "_get_discriminator_class")
FILL_STEPS = (*OBJECT_STEPS, "get_attributes", "_instantiate", *DISCRIMINATOR_STEPS)
MAKE_STEPS = ("__new__", "__init__", "_set_attributes", "_set_defaults", "_set_discriminator", "_make_attribute")
GIVE_STEPS = (*OBJECT_STEPS, "get_attributes", "__getattr__", "validate", "is_correctly_typed")
HOOKS = ("from_raw_data", "_container_serialize", "_container_deserialize")
EVERY_STEP = {*HOOKS, *READ_STEPS, *WRITE_STEPS, *FILL_STEPS, *MAKE_STEPS, *GIVE_STEPS}


def _home(step: t.Any) -> str | None:
    """The module that a method, a class method or a property comes from."""
    function = getattr(step, "__func__", getattr(step, "fget", step))
    home: str | None = getattr(function, "__module__", None)
    return home


CLASSES = [found for found in vars(attributes).values() if inspect.isclass(found)]
ORIGINALS = {
    (cls, name): vars(cls)[name]
    for cls in (*CLASSES, pynamodb.models.Model, object)
    for name in EVERY_STEP & vars(cls).keys()
    if cls is object or _home(vars(cls)[name]) == cls.__module__
}
# What a conversion takes for granted, whatever the class.
COMMON_FACTS: tuple[tuple[t.Any, tuple[str, ...]], ...] = (
    (attributes, ("DESERIALIZE_CLASS_MAP", "SERIALIZE_CLASS_MAP", "json")),
    (Attribute, ("__set__", "__get__")),
    (attributes.NumberAttribute, ("serialize", "deserialize")),
)
# What PynamoDB makes of values that no attribute declares.
RAW_CLASSES = (
    *(attributes.BinaryAttribute, attributes.BinarySetAttribute, attributes.BooleanAttribute, ListAttribute),
    *(MapAttribute, attributes.NullAttribute, attributes.NumberAttribute, attributes.NumberSetAttribute),
    *(attributes.UnicodeAttribute, attributes.UnicodeSetAttribute),
)
RAW_TYPES = {
    dict: MapAttribute,
    list: ListAttribute,
    bool: attributes.BooleanAttribute,
    str: attributes.UnicodeAttribute,
    float: attributes.NumberAttribute,
    int: attributes.NumberAttribute,
    bytes: attributes.BinaryAttribute,
}
# Defaults that are the same however often they are made.
PURE = (dict, list, set, str, int, float, bool, bytes)
# No item has a value of this type: PynamoDB's own way is taken.
NEVER = "\0"


class Facts:
    """What was found while a plan was made. It is worth following as long as they hold.

    Attributes:
        in_progress: The classes whose objects' way is being made.
        is_closed: Whether the way runs nothing of the program's, so far.
    """

    def __init__(self) -> None:
        self.in_progress: set[type] = set()
        self.is_closed = True
        self._noted: dict[tuple[int, str], tuple[t.Any, str]] = {}
        for owner, names in COMMON_FACTS:
            self.note(owner, names)

    def note(self, owner: t.Any, names: cabc.Iterable[str]) -> None:
        """Remember the present values of these attributes."""
        self._noted.update({(id(owner), name): (owner, name) for name in names if hasattr(owner, name)})

    def check(self) -> t.Callable[[], bool]:
        """A function that tells whether they hold."""
        owners, names = zip(*self._noted.values(), strict=True)
        found = tuple(_kept(getattr(owner, name)) for owner, name in self._noted.values())

        def hold() -> bool:
            try:
                return tuple(map(getattr, owners, names)) == found
            except (AttributeError, TypeError):  # one is gone; or one is another attribute, which cannot be compared
                return False

        return hold


class Plan(t.Generic[P]):
    """A way for the objects of one class, as long as its facts hold.

    Args:
        model: The class.
        make: Makes the way, and notes facts. It gives ``None`` where PynamoDB's way is the one to take.
        beneath: The base of the class that takes the plan in place of what its own bases do.
    """

    def __init__(self, model: t.Any, make: t.Callable[[t.Any, Facts], P | None], *, beneath: type) -> None:
        facts = Facts()
        self.model = model
        is_stock = t.cast("t.Any", attributes).json is json and is_own(model, HOOKS, beneath=beneath)
        self.way = make(model, facts) if is_stock else None
        self.holds = facts.check()


def _kept(value: t.Any) -> t.Any:
    """The value, safe from changes in place."""
    if type(value) is dict:
        return {name: copy.copy(held) if type(held) in (dict, list) else held for name, held in value.items()}
    return copy.copy(value) if type(value) is list else value


def is_own(cls: type, steps: cabc.Iterable[str], *, beneath: type | None = None) -> bool:
    """Whether each of these steps, wherever the class has it from, is PynamoDB's own."""
    bases = cls.__mro__[cls.__mro__.index(beneath) + 1 :] if beneath else cls.__mro__
    found = ((base, name) for base in bases for name in steps if name in vars(base))
    return all(ORIGINALS.get((base, name)) is vars(base)[name] for base, name in found)


def is_own_attribute(attribute: t.Any, steps: tuple[str, ...], facts: Facts) -> bool:
    """Whether each of these steps of an attribute is PynamoDB's own. That they are, or are not, is noted as a fact."""
    is_stock = is_own(type(attribute), steps) and vars(attribute).keys().isdisjoint(steps)
    facts.note(type(attribute), steps[:3])
    facts.note(attribute, ["__dict__"] if is_stock else ["attr_path", "null", "attr_type", "default"])
    return is_stock


def is_own_object(cls: t.Any, steps: cabc.Iterable[str], facts: Facts) -> bool:
    """Whether each of these steps of a model or a map is PynamoDB's own. That they are, or are not, is noted."""
    facts.note(cls, ("_attributes", "_instantiate", "_set_defaults", "__init__", "validate"))
    has_moved = (inspect.getattr_static(cls, name) is not found for name, found in cls._attributes.items())
    return is_own(cls, steps) and not any(has_moved)


def key_of(cls: t.Any, attribute: t.Any) -> str:
    """Where an object keeps the attribute's value."""
    return t.cast(str, cls._dynamo_to_python_attrs.get(attribute.attr_name, attribute.attr_name))


def if_raw_is_own(convert_raw: Convert, facts: Facts) -> Convert | None:
    """The conversion, if values that no attribute declares are converted as PynamoDB does."""
    by_type = (attributes.DESERIALIZE_CLASS_MAP, attributes.SERIALIZE_CLASS_MAP)
    found = [*RAW_CLASSES, *(type(attribute) for table in by_type for attribute in table.values())]
    for cls in found:
        facts.note(cls, ("serialize", "deserialize"))
    are_known = all(type(by_type[0].get(cls.attr_type)) is cls for cls in RAW_CLASSES)
    are_known &= {kind: type(attribute) for kind, attribute in by_type[1].items()} == RAW_TYPES
    return convert_raw if are_known and all(is_own(cls, ("serialize", "deserialize")) for cls in found) else None
