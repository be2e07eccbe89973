"""Plans: PynamoDB's steps between items and objects, looked up once for a class instead of once for each value.

    reading(model)   Plan of a Reader: an item becomes an object
    writing(model)   Plan of a Writer: an object becomes an item

A plan takes PynamoDB's steps in PynamoDB's order, so that values and errors are the same. A step that someone overrides
is left to whoever does: that of an attribute, of a map, or of the whole model.
"""

from __future__ import annotations

import base64
import collections.abc as cabc
import copy
import datetime as dt
import functools
import inspect
import json
import typing as t

import pynamodb.models
from pynamodb import attributes
from pynamodb.attributes import Attribute
from pynamodb.attributes import AttributeContainer
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.constants import NULL
from pynamodb.exceptions import AttributeDeserializationError
from pynamodb.exceptions import AttributeNullError

from dynaflask import conversions as convert
from dynaflask.conversions import Convert
from dynaflask.conversions import as_it_is

Item = cabc.Mapping[str, t.Any]
Writer = t.Callable[[t.Any], dict[str, t.Any]]
Writers = dict[type, Convert]
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
    """What was found while a plan was made. It is worth following as long as they hold."""

    def __init__(self) -> None:
        self.in_progress: set[type] = set()
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
        is_own = t.cast("t.Any", attributes).json is json and _is_own(model, HOOKS, beneath=beneath)
        self.way = make(model, facts) if is_own else None
        self.holds = facts.check()


class Reader(t.NamedTuple):
    """How an item becomes an object.

    Attributes:
        make: Makes the object: ``_instantiate``.
        fill: Fills an object that there is: ``_container_deserialize``.
    """

    make: Convert
    fill: t.Callable[[t.Any, Item], None]


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
    """How items become objects of a model."""
    return Plan(model, _model_reader, beneath=beneath)


def writing(model: t.Any, *, beneath: type) -> Plan[Writer]:
    """How objects of a model become items, with its check for values that are missing."""
    return Plan(model, _writer, beneath=beneath)


def _kept(value: t.Any) -> t.Any:
    """The value, safe from changes in place."""
    if type(value) is dict:
        return {name: copy.copy(held) if type(held) in (dict, list) else held for name, held in value.items()}
    return copy.copy(value) if type(value) is list else value


def _is_own(cls: type, steps: cabc.Iterable[str], *, beneath: type | None = None) -> bool:
    """Whether each of these steps, wherever the class has it from, is PynamoDB's own."""
    bases = cls.__mro__[cls.__mro__.index(beneath) + 1 :] if beneath else cls.__mro__
    found = ((base, name) for base in bases for name in steps if name in vars(base))
    return all(ORIGINALS.get((base, name)) is vars(base)[name] for base, name in found)


def _is_own_attribute(attribute: t.Any, steps: tuple[str, ...], facts: Facts) -> bool:
    is_own = _is_own(type(attribute), steps) and vars(attribute).keys().isdisjoint(steps)
    facts.note(type(attribute), steps[:3])
    facts.note(attribute, ["__dict__"] if is_own else ["attr_path", "null", "attr_type", "default"])
    return is_own


def _is_own_object(cls: t.Any, steps: cabc.Iterable[str], facts: Facts) -> bool:
    facts.note(cls, ("_attributes", "_instantiate", "_set_defaults", "__init__", "validate"))
    has_moved = (inspect.getattr_static(cls, name) is not found for name, found in cls._attributes.items())
    return _is_own(cls, steps) and not any(has_moved)


def _key(cls: t.Any, attribute: t.Any) -> str:
    """Where an object keeps the attribute's value."""
    return t.cast(str, cls._dynamo_to_python_attrs.get(attribute.attr_name, attribute.attr_name))


# From an item to an object.


def _model_reader(model: t.Any, facts: Facts) -> Reader | None:
    reader = _reader(model, facts)
    if reader is None or model._discriminator is None:
        return reader
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
    if not _is_own_object(cls, FILL_STEPS, facts) or cls in facts.in_progress:
        return None
    facts.in_progress.add(cls)
    load = _loader([_read_step(cls, name, found, facts) for name, found in cls.get_attributes().items()])
    facts.in_progress.discard(cls)
    defaults = _simple_defaults(cls)
    start = _start if defaults is None else _starter(cls, defaults)

    def fill(instance: t.Any, item: Item) -> None:
        load(instance, start(instance), item)

    construct = _constructor(cls)

    def make(item: Item) -> t.Any:
        instance = construct()
        load(instance, start(instance), item)
        return instance

    return Reader(make, fill)


def _start(instance: t.Any) -> t.Any:
    """Give an object its defaults."""
    object.__setattr__(instance, "attribute_values", {})
    instance._set_discriminator()
    instance._set_defaults(_user_instantiated=False)
    return instance.attribute_values


def _starter(cls: t.Any, defaults: t.Callable[[], dict[str, t.Any]]) -> t.Callable[[t.Any], dict[str, t.Any]]:
    """Gives an object its defaults, which are known to be simple."""
    # A map keeps its values from being set like an attribute.
    put = object.__setattr__ if issubclass(cls, MapAttribute) else setattr

    def start(instance: t.Any) -> dict[str, t.Any]:
        values = defaults()
        put(instance, "attribute_values", values)
        return values

    return start


def _constructor(cls: t.Any) -> t.Callable[[], t.Any]:
    if not _is_pure(cls):
        return functools.partial(cls, _user_instantiated=False)
    return functools.partial(_new_map if issubclass(cls, MapAttribute) else object.__new__, cls)


def _new_map(cls: t.Any) -> t.Any:
    instance = object.__new__(cls)
    object.__setattr__(instance, "attribute_kwargs", {})
    return instance


def _loader(steps: list[ReadStep]) -> t.Callable[[t.Any, dict[str, t.Any], Item], None]:
    """A function with a block for each attribute: a loop over them takes an eighth longer."""
    known: dict[str, t.Any] = {"NULL": NULL}
    source = ["def load(instance, values, item):", "    get = item.get"]
    for number, step in enumerate(steps):
        known |= {f"read{number}": step.read, f"read_other{number}": step.read_other}
        # Most values are strings, which need no call.
        taken = "value[{0!r}]" if step.read is as_it_is else "read{1}(value[{0!r}])"
        source += [
            f"    value = get({step.name!r})",
            "    if value and NULL not in value:",
            f"        if {step.kind!r} in value:",
            f"            values[{step.key!r}] = {taken.format(step.kind, number)}",
            "        else:",
            f"            read_other{number}(instance, value)",
        ]
    exec("\n".join(source), known)  # noqa: S102 - nothing but names comes in, each quoted by repr
    return t.cast("t.Callable[[t.Any, dict[str, t.Any], Item], None]", known["load"])


def _is_pure(cls: t.Any) -> bool:
    """Whether nobody can tell how often an empty object was made. PynamoDB makes two, and sets defaults twice."""
    is_plain = _is_own(cls, MAKE_STEPS) and type(cls).__call__ is type.__call__
    return is_plain and all(map(_has_pure_defaults, cls.get_attributes().values()))


def _has_pure_defaults(attribute: t.Any) -> bool:
    defaults = [found for found in (attribute.default, attribute.default_for_new) if found is not None]
    if any(callable(found) and found not in PURE for found in defaults):
        return False
    if type(attribute) is not MapAttribute and isinstance(attribute, MapAttribute):
        return _is_pure(type(attribute))
    return not defaults or _is_own(type(attribute), READ_STEPS)


def _simple_defaults(cls: t.Any) -> t.Callable[[], dict[str, t.Any]] | None:
    if cls._discriminator is not None or not _is_own(cls, ("_set_defaults", "_set_discriminator")):
        return None
    with_default = {_key(cls, found): found for found in cls.get_attributes().values() if found.default is not None}
    if not all(_is_simple(found) for found in with_default.values()):
        return None
    if not any(callable(found.default) for found in with_default.values()):
        return {key: found.default for key, found in with_default.items()}.copy
    makers = {key: _maker(found.default) for key, found in with_default.items()}
    return lambda: {key: make() for key, make in makers.items()}


def _is_simple(attribute: t.Any) -> bool:
    is_plainly_set = type(attribute).__set__ is Attribute.__set__ and _is_own(type(attribute), READ_STEPS)
    return is_plainly_set and (attribute.default in PURE if callable(attribute.default) else True)


def _maker(default: t.Any) -> t.Callable[[], t.Any]:
    return default if callable(default) else functools.partial(as_it_is, default)


def _read_step(cls: t.Any, name: str, attribute: t.Any, facts: Facts) -> ReadStep:
    def read_other(instance: t.Any, value: t.Any) -> None:
        setattr(instance, name, attribute.deserialize(attribute.get_value(value)))

    read = _attribute_reader(attribute, facts)
    kind = attribute.attr_type if read else NEVER
    return ReadStep(attribute.attr_name, kind, _key(cls, attribute), read, read_other)


def _attribute_reader(attribute: t.Any, facts: Facts) -> Convert | None:
    """What ``deserialize`` gives and ``__set__`` leaves of it, if both are PynamoDB's."""
    if not _is_own_attribute(attribute, READ_STEPS, facts):
        return None
    cls = type(attribute)
    if isinstance(attribute, MapAttribute):
        return _if_raw_is_own(convert.read_raw_map, facts) if cls is MapAttribute else _map_maker(cls, facts)
    if isinstance(attribute, ListAttribute):
        is_typed = attribute.element_type is not None
        return _list_reader(attribute, facts) if is_typed else _if_raw_is_own(convert.read_list, facts)
    return _value_reader(cls, getattr(attribute, "legacy_encoding", False))


def _if_raw_is_own(convert_raw: Convert, facts: Facts) -> Convert | None:
    """The conversion, if values that no attribute declares are converted as PynamoDB does."""
    by_type = (attributes.DESERIALIZE_CLASS_MAP, attributes.SERIALIZE_CLASS_MAP)
    found = [*RAW_CLASSES, *(type(attribute) for table in by_type for attribute in table.values())]
    for cls in found:
        facts.note(cls, ("serialize", "deserialize"))
    are_known = all(type(by_type[0].get(cls.attr_type)) is cls for cls in RAW_CLASSES)
    are_known &= {kind: type(attribute) for kind, attribute in by_type[1].items()} == RAW_TYPES
    return convert_raw if are_known and all(_is_own(cls, ("serialize", "deserialize")) for cls in found) else None


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
        return _if_raw_is_own(convert.read_map, facts)
    if issubclass(cls, MapAttribute):
        return _map_maker(cls, facts) if _is_pure(cls) else None
    if not _is_own(cls, (*READ_STEPS, *MAKE_STEPS)) or cls is attributes.TTLAttribute:
        return None
    if issubclass(cls, ListAttribute):
        return None if cls.element_type else _if_raw_is_own(convert.read_list, facts)
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


# From an object to an item.


def _writer(cls: t.Any, facts: Facts) -> Writer | None:
    if not _is_own_object(cls, GIVE_STEPS, facts) or cls in facts.in_progress:
        return None
    if not all(_is_own(type(found), ["__get__"]) for found in cls.get_attributes().values()):
        return None
    facts.in_progress.add(cls)
    steps = [_write_step(cls, name, found, facts) for name, found in cls.get_attributes().items()]
    facts.in_progress.discard(cls)
    return _steps_writer(steps)


def _steps_writer(steps: list[tuple[t.Any, ...]]) -> Writer:
    def write(instance: t.Any) -> dict[str, t.Any]:
        item = {}
        get = instance.attribute_values.get
        for name, key, dynamo_name, kind, writers, write_other, is_null_fine in steps:
            value = get(key)
            if value is not None:
                try:
                    value = writers.get(type(value), write_other)(value)
                except AttributeNullError as error:
                    error.prepend_path(name)
                    raise
            if value is not None:
                item[dynamo_name] = {kind: value}
            elif not is_null_fine:
                raise AttributeNullError(name)
        return item

    return write


def _write_step(cls: t.Any, name: str, attribute: t.Any, facts: Facts) -> tuple[t.Any, ...]:
    takes_null_check = isinstance(attribute, (ListAttribute, MapAttribute))

    def write_other(value: t.Any) -> t.Any:
        if isinstance(value, MapAttribute) and not value.validate(null_check=True):
            raise ValueError(f"Attribute '{name}' is not correctly typed")
        return attribute.serialize(value, null_check=True) if takes_null_check else attribute.serialize(value)

    writers = _attribute_writers(attribute, write_other, facts)
    return name, _key(cls, attribute), attribute.attr_name, attribute.attr_type, writers, write_other, attribute.null


def _attribute_writers(attribute: t.Any, write_other: Convert, facts: Facts) -> Writers:
    """What ``serialize`` gives for values of these types, if it is PynamoDB's."""
    if not _is_own_attribute(attribute, WRITE_STEPS, facts):
        return {}
    cls = type(attribute)
    if isinstance(attribute, MapAttribute):
        return _map_writers(cls, write_other, facts)
    if isinstance(attribute, ListAttribute):
        is_typed = attribute.element_type is not None
        write = _list_writer(attribute, facts) if is_typed else _if_raw_is_own(convert.write_list, facts)
        return {list: write} if write else {}
    return _value_writers(cls, getattr(attribute, "legacy_encoding", False))


def _value_writers(cls: t.Any, is_legacy: bool) -> Writers:
    return (LEGACY_WRITERS if is_legacy else WRITERS).get(cls.serialize, {})


def _map_writers(cls: t.Any, write_other: Convert, facts: Facts) -> Writers:
    write = _map_writer(cls, facts)
    if write is None:
        return {}
    required = [_key(cls, found) for found in cls.get_attributes().values() if not found.null]

    def write_map(value: t.Any) -> t.Any:
        # PynamoDB looks for what is missing in a map before it writes any of it.
        held = vars(value).get("attribute_values", {})
        is_valid = all(held.get(key) is not None for key in required)
        return write(value) if is_valid else write_other(value)

    return {cls: write_map}


def _map_writer(cls: t.Any, facts: Facts) -> Convert | None:
    write = _raw_map_writer(facts) if cls is MapAttribute else None if cls.is_raw() else _writer(cls, facts)
    if write is None:
        return None
    # A map that is an attribute, and not a value, has no values.
    return lambda value: write(value) if "attribute_values" in vars(value) else value.serialize(value)


def _raw_map_writer(facts: Facts) -> Convert | None:
    write = _if_raw_is_own(convert.write_map, facts)
    return write and (lambda value: write(value.attribute_values))


def _list_writer(attribute: t.Any, facts: Facts) -> Convert:
    def write_other(value: t.Any) -> dict[str, t.Any]:
        element = attribute._get_serialize_class(value)
        if value is not None and not isinstance(element, attribute.element_type):
            raise ValueError(f"List elements must be of type: {attribute.element_type.__name__}")
        takes_null_check = isinstance(element, (ListAttribute, MapAttribute))
        written = element.serialize(value, null_check=True) if takes_null_check else element.serialize(value)
        return {NULL: True} if written is None else {element.attr_type: written}

    cls = attribute.element_type
    writers = _element_writers(cls, facts)
    return convert.list_writer({kind: (cls.attr_type, writers[kind]) for kind in writers}, write_other=write_other)


def _element_writers(cls: t.Any, facts: Facts) -> Writers:
    facts.note(cls, WRITE_STEPS[:2])
    if cls is MapAttribute:
        write_raw = _if_raw_is_own(convert.write_map, facts)
        return {dict: write_raw} if write_raw else {}
    if issubclass(cls, MapAttribute):
        write = _map_writer(cls, facts) if _is_own(cls, WRITE_STEPS) else None
        return {cls: write} if write else {}
    if issubclass(cls, ListAttribute) or not _is_own(cls, (*WRITE_STEPS, *MAKE_STEPS)):
        return {}
    return {kind: write for kind, write in _value_writers(cls, is_legacy=False).items() if kind is not set}


WRITERS: dict[t.Any, Writers] = {
    Attribute.serialize: {str: str},
    attributes.BinaryAttribute.serialize: {bytes: bytes},
    attributes.BinarySetAttribute.serialize: {set: convert.write_set},
    attributes.BooleanAttribute.serialize: {bool: bool},
    attributes.NumberAttribute.serialize: convert.WRITE_NUMBER,
    attributes.NumberSetAttribute.serialize: {set: convert.write_number_set},
    attributes.UnicodeSetAttribute.serialize: {set: convert.write_set},
    attributes.UTCDateTimeAttribute.serialize: {dt.datetime: convert.write_utc},
    attributes.VersionAttribute.serialize: {int: int.__repr__},
}
LEGACY_WRITERS: dict[t.Any, Writers] = {attributes.BinaryAttribute.serialize: {bytes: base64.b64encode}}
