"""From an item to an object: :func:`reading`."""

from __future__ import annotations

import base64
import collections.abc as cabc
import functools
import typing as t

from pynamodb import attributes
from pynamodb.attributes import Attribute
from pynamodb.attributes import AttributeContainer
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.constants import NULL
from pynamodb.exceptions import AttributeDeserializationError

from dynaflask.model.codec import values as convert
from dynaflask.model.codec.guards import FILL_STEPS
from dynaflask.model.codec.guards import MAKE_STEPS
from dynaflask.model.codec.guards import NEVER
from dynaflask.model.codec.guards import PURE
from dynaflask.model.codec.guards import READ_STEPS
from dynaflask.model.codec.guards import Facts
from dynaflask.model.codec.guards import Plan
from dynaflask.model.codec.guards import if_raw_is_own
from dynaflask.model.codec.guards import is_own
from dynaflask.model.codec.guards import is_own_attribute
from dynaflask.model.codec.guards import is_own_object
from dynaflask.model.codec.guards import key_of
from dynaflask.model.codec.values import Convert
from dynaflask.model.codec.values import as_it_is

Item = cabc.Mapping[str, t.Any]


class Reader(t.NamedTuple):
    """How an item becomes an object.

    Attributes:
        make: Makes the object: ``_instantiate``.
        fill: Fills an object that there is: ``_container_deserialize``.
        is_closed: Whether neither runs anything of the program's, which might ask where and for whom it is run.
    """

    make: Convert
    fill: t.Callable[[t.Any, Item], None]
    is_closed: bool = False


class ReadStep(t.NamedTuple):
    """How one attribute is read.

    Attributes:
        name: Its name in the item.
        kind: DynamoDB's name of its type.
        key: Where the object keeps its value.
        read: What makes a value of that type; ``None`` where the attribute does so itself.
        read_other: Has the attribute do so, and complain.
    """

    name: str
    kind: str
    key: str
    read: Convert | None
    read_other: t.Callable[[t.Any, t.Any], None]


def reading(model: t.Any, *, beneath: type) -> Plan[Reader]:
    """How items become objects of a model.

    Args:
        model: The model's class.
        beneath: The base of it that follows the plan.
    """
    return Plan(model, _model_reader, beneath=beneath)


def _model_reader(model: t.Any, facts: Facts) -> Reader | None:
    reader = _reader(model, facts)
    if reader is None or model._discriminator is None:
        return reader and reader._replace(is_closed=facts.is_closed)
    return _discriminating(model, reader, facts)


def _discriminating(model: t.Any, reader: Reader, facts: Facts) -> Reader | None:
    discriminator = model.get_attributes()[model._discriminator]
    readers = {cls: _reader(cls, facts) for cls in discriminator.get_registered_subclasses(model)}
    facts.note(discriminator, ["_class_map"])
    plain = functools.partial(t.cast("t.Any", AttributeContainer._instantiate).__func__, model)
    makers = {cls: found.make if found else plain for cls, found in readers.items()}

    def make(item: Item) -> t.Any:
        stored = model._get_discriminator_class(item)
        return makers.get(stored, plain)(item) if stored else reader.make(item)

    return reader._replace(make=make)


def _reader(cls: t.Any, facts: Facts) -> Reader | None:
    if not is_own_object(cls, FILL_STEPS, facts) or cls in facts.in_progress:
        return None
    facts.in_progress.add(cls)
    steps = [_read_step(cls, name, found, facts) for name, found in cls.get_attributes().items()]
    facts.in_progress.discard(cls)
    known = {"cls": cls, "put": object.__setattr__, "new": object.__new__, "defaults": _simple_defaults(cls)}
    facts.is_closed &= known["defaults"] is not None and _is_pure(cls) and all(step.read for step in steps)
    fill = _compiled(["def way(instance, item):", *_start(cls, known)], steps, known)
    make = _compiled(["def way(item):", *_construct(cls, known), *_start(cls, known)], steps, known)
    return Reader(make, fill)


def _construct(cls: t.Any, known: dict[str, t.Any]) -> list[str]:
    """Makes an empty object."""
    if not _is_pure(cls):
        return ["instance = cls(_user_instantiated=False)"]
    is_map = issubclass(cls, MapAttribute)
    return ["instance = new(cls)", *["put(instance, 'attribute_kwargs', {})"] * is_map]


def _start(cls: t.Any, known: dict[str, t.Any]) -> list[str]:
    """Gives it its defaults."""
    if known["defaults"] is None:
        return [
            "put(instance, 'attribute_values', {})",
            "instance._set_discriminator()",
            "instance._set_defaults(_user_instantiated=False)",
            "values = instance.attribute_values",
        ]
    # A map keeps its values from being set like an attribute.
    if issubclass(cls, MapAttribute):
        return ["values = defaults()", "put(instance, 'attribute_values', values)"]
    return ["values = instance.attribute_values = defaults()"]


def _compiled(head: list[str], steps: list[ReadStep], known: dict[str, t.Any]) -> t.Callable[..., t.Any]:
    """A function with a block for each attribute: a loop over them takes an eighth longer."""
    known = {**known, "NULL": NULL}
    lines = ["get = item.get"]
    for number, step in enumerate(steps):
        known |= {f"read{number}": step.read, f"read_other{number}": step.read_other}
        # Most values are strings, which need no call.
        taken = "value[{0!r}]" if step.read is as_it_is else "read{1}(value[{0!r}])"
        lines += [
            f"value = get({step.name!r})",
            "if value and NULL not in value:",
            f"    if {step.kind!r} in value:",
            f"        values[{step.key!r}] = {taken.format(step.kind, number)}",
            "    else:",
            f"        read_other{number}(instance, value)",
        ]
    source = "\n    ".join([*head, *lines, "return instance"])
    exec(source, known)  # noqa: S102 - nothing but names comes in, each quoted by repr
    return t.cast("t.Callable[..., t.Any]", known["way"])


def _is_pure(cls: t.Any) -> bool:
    """Whether nobody can tell how often an empty object was made. PynamoDB makes two, and sets defaults twice."""
    is_plain = is_own(cls, MAKE_STEPS) and type(cls).__call__ is type.__call__
    return is_plain and all(map(_has_pure_defaults, cls.get_attributes().values()))


def _has_pure_defaults(attribute: t.Any) -> bool:
    defaults = [found for found in (attribute.default, attribute.default_for_new) if found is not None]
    if any(callable(found) and found not in PURE for found in defaults):
        return False
    if type(attribute) is not MapAttribute and isinstance(attribute, MapAttribute):
        return _is_pure(type(attribute))
    return not defaults or is_own(type(attribute), READ_STEPS)


def _simple_defaults(cls: t.Any) -> t.Callable[[], dict[str, t.Any]] | None:
    if cls._discriminator is not None or not is_own(cls, ("_set_defaults", "_set_discriminator")):
        return None
    with_default = {key_of(cls, found): found for found in cls.get_attributes().values() if found.default is not None}
    if not all(_is_simple(found) for found in with_default.values()):
        return None
    if not any(callable(found.default) for found in with_default.values()):
        return {key: found.default for key, found in with_default.items()}.copy
    makers = {key: _maker(found.default) for key, found in with_default.items()}
    return lambda: {key: make() for key, make in makers.items()}


def _is_simple(attribute: t.Any) -> bool:
    is_plainly_set = type(attribute).__set__ is Attribute.__set__ and is_own(type(attribute), READ_STEPS)
    return is_plainly_set and (attribute.default in PURE if callable(attribute.default) else True)


def _maker(default: t.Any) -> t.Callable[[], t.Any]:
    return default if callable(default) else functools.partial(as_it_is, default)


def _read_step(cls: t.Any, name: str, attribute: t.Any, facts: Facts) -> ReadStep:
    def read_other(instance: t.Any, value: t.Any) -> None:
        setattr(instance, name, attribute.deserialize(attribute.get_value(value)))

    read = _attribute_reader(attribute, facts)
    kind = attribute.attr_type if read else NEVER
    return ReadStep(attribute.attr_name, kind, key_of(cls, attribute), read, read_other)


def _attribute_reader(attribute: t.Any, facts: Facts) -> Convert | None:
    """What ``deserialize`` gives and ``__set__`` leaves of it, if both are PynamoDB's."""
    if not is_own_attribute(attribute, READ_STEPS, facts):
        return None
    cls = type(attribute)
    if isinstance(attribute, MapAttribute):
        return if_raw_is_own(convert.read_raw_map, facts) if cls is MapAttribute else _map_maker(cls, facts)
    if isinstance(attribute, ListAttribute):
        is_typed = attribute.element_type is not None
        return _list_reader(attribute, facts) if is_typed else if_raw_is_own(convert.read_list, facts)
    return _value_reader(cls, getattr(attribute, "legacy_encoding", False))


def _value_reader(cls: t.Any, is_legacy: bool) -> Convert | None:
    return (LEGACY_READERS if is_legacy else READERS).get(cls.deserialize)


def _map_maker(cls: t.Any, facts: Facts) -> Convert | None:
    """Makes a map with declared attributes. A map that is a mapping would be copied when it is set."""
    if cls.is_raw() or cls._discriminator is not None or issubclass(cls, cabc.Mapping):
        return None
    reader = _reader(cls, facts)
    return reader and reader.make


def _list_reader(attribute: t.Any, facts: Facts) -> Convert | None:
    read, kind = _element_reader(attribute.element_type, facts), attribute.element_type.attr_type
    if read is None:
        return None

    def read_element(index: int, typed: t.Any) -> t.Any:
        if NULL in typed:
            return None
        if kind not in typed:
            raise AttributeDeserializationError(f"{attribute.attr_name}[{index}]", kind)
        return read(typed[kind])

    return lambda values: [read_element(index, typed) for index, typed in enumerate(values)]


def _element_reader(cls: t.Any, facts: Facts) -> Convert | None:
    """What ``deserialize`` of an element gives. An element is not set; PynamoDB makes an attribute per list."""
    facts.note(cls, READ_STEPS[:3])
    if cls is MapAttribute:
        return if_raw_is_own(convert.read_map, facts)
    if issubclass(cls, MapAttribute):
        return _map_maker(cls, facts) if _is_pure(cls) else None
    if not is_own(cls, (*READ_STEPS, *MAKE_STEPS)) or cls is attributes.TTLAttribute:
        return None
    if issubclass(cls, ListAttribute):
        return None if cls.element_type else if_raw_is_own(convert.read_list, facts)
    return _value_reader(cls, is_legacy=False)


READERS: dict[t.Any, Convert] = {
    Attribute.deserialize: as_it_is,
    attributes.BinaryAttribute.deserialize: as_it_is,
    attributes.BinarySetAttribute.deserialize: set,
    attributes.BooleanAttribute.deserialize: bool,
    attributes.JSONAttribute.deserialize: convert.read_json,
    attributes.NumberAttribute.deserialize: convert.read_number,
    attributes.NumberSetAttribute.deserialize: convert.read_number_set,
    attributes.TTLAttribute.deserialize: convert.read_ttl,
    attributes.UnicodeSetAttribute.deserialize: set,
    attributes.UTCDateTimeAttribute.deserialize: convert.read_utc,
    attributes.VersionAttribute.deserialize: convert.read_version,
}
LEGACY_READERS: dict[t.Any, Convert] = {
    attributes.BinaryAttribute.deserialize: base64.b64decode,
    attributes.BinarySetAttribute.deserialize: convert.read_legacy_set,
}
