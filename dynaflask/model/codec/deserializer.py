"""Compile the function that turns an item into an object: :func:`compile_deserializer`."""

from __future__ import annotations

import base64
import collections.abc as cabc
import functools
import typing as t

from pynamodb import attributes
from pynamodb.attributes import Attribute
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.constants import NULL
from pynamodb.exceptions import AttributeDeserializationError

from dynaflask.client.botocore_internals import cached_property
from dynaflask.model.codec import guards
from dynaflask.model.codec import values
from dynaflask.model.codec.guards import Compilation
from dynaflask.model.codec.guards import is_unmodified
from dynaflask.model.codec.source import execute
from dynaflask.model.codec.source import function_suffix
from dynaflask.model.codec.values import Convert
from dynaflask.model.codec.values import identity
from dynaflask.model.pynamodb_internals import discriminated_class
from dynaflask.model.pynamodb_internals import has_discriminator
from dynaflask.model.pynamodb_internals import instantiate
from dynaflask.model.pynamodb_internals import value_key

Item = cabc.Mapping[str, t.Any]

# DynamoDB has no such type, so every value takes the branch for other types.
NO_TYPE = "\0"
# Source that lets PynamoDB set the defaults of an object.
DEFAULTS_BY_PYNAMODB = [
    "put(instance, 'attribute_values', {})",
    "instance._set_discriminator()",
    "instance._set_defaults(_user_instantiated=False)",
    "values = instance.attribute_values",
]


class Deserializer:
    """The generated functions that deserialize one class.

    Args:
        make: See below.
        compile_fill: Compiles `fill`, from source that was generated together with that of `make`.

    Attributes:
        make: Makes an object from an item, as PynamoDB's ``_instantiate`` does.
        runs_no_user_code: True if neither runs code of the program, which could ask for the current app or tenant.
    """

    runs_no_user_code: bool = False

    def __init__(self, make: Convert, compile_fill: t.Callable[[], t.Callable[[t.Any, Item], None]]) -> None:
        self.make = make
        self._compile_fill = compile_fill

    # At its first use, because most programs read more models than they refresh. Two threads compile two equal ones.
    @cached_property
    def fill(self) -> t.Callable[[t.Any, Item], None]:
        """Sets the values of an existing object from an item, as ``_container_deserialize`` does."""
        return self._compile_fill()


class FieldReader(t.NamedTuple):
    """How one attribute is read.

    Attributes:
        dynamo_name: The attribute's name in the item.
        dynamo_type: The expected type, such as ``"S"``.
        key: The key in the object's ``attribute_values``.
        convert: Converts a value of that type; None if the attribute overrides a method.
        convert_other: Lets the attribute convert any other value, or raise.
    """

    dynamo_name: str
    dynamo_type: str
    key: str
    convert: Convert | None
    convert_other: t.Callable[[t.Any, t.Any], None]


class Construction(t.NamedTuple):
    """How a generated function makes an object.

    Attributes:
        new_instance: Source that makes the object, ``instance``.
        start_values: Source that gives it its defaults, ``values``.
        set_values: Source that gives it ``values``, as part of ``start_values`` or in its place.
        default_keys: The keys of the defaults in ``attribute_values``, in their order. Empty if PynamoDB must set them.
        namespace: The globals of that source.
        runs_no_user_code: True if neither runs code of the program.
    """

    new_instance: list[str]
    start_values: list[str]
    set_values: str
    default_keys: tuple[str, ...]
    namespace: dict[str, t.Any]
    runs_no_user_code: bool


def compile_deserializer(model: t.Any) -> Deserializer | None:
    """The deserializer of a model, or None if the model overrides one of PynamoDB's methods."""
    compilation = Compilation()
    deserializer = _compile(model, compilation)
    if deserializer is None:
        return None
    if has_discriminator(model):
        deserializer.make = _discriminating_make(model, deserializer.make)
    else:
        deserializer.runs_no_user_code = compilation.runs_no_user_code
    return deserializer


def _discriminating_make(model: t.Any, make_own: Convert) -> Convert:
    """A function that makes an object of the class that the item's discriminator names."""
    makers: dict[t.Any, Convert] = {}

    def find(cls: t.Any) -> Convert:
        # A class that is no subclass is PynamoDB's error.
        deserializer = _compile(cls, Compilation()) if issubclass(cls, model) else None
        return functools.partial(instantiate, model) if deserializer is None else deserializer.make

    def make(item: Item) -> t.Any:
        cls = discriminated_class(model, item)
        if not cls:
            return make_own(item)
        # On first use of a class: a module that declares a subclass may be imported later than this runs.
        return (makers.get(cls) or makers.setdefault(cls, find(cls)))(item)

    return make


def _compile(cls: t.Any, compilation: Compilation) -> Deserializer | None:
    if not guards.is_unmodified_container(cls, guards.CONTAINER_DESERIALIZE_METHODS) or cls in compilation.in_progress:
        return None
    compilation.in_progress.add(cls)
    fields = [_field_reader(cls, name, attribute, compilation) for name, attribute in cls.get_attributes().items()]
    compilation.in_progress.discard(cls)
    construction = construction_of(cls)
    compilation.runs_no_user_code &= construction.runs_no_user_code and all(field.convert for field in fields)
    namespace = {**construction.namespace, "NULL": NULL}
    body = [*construction.start_values, *_read_fields(fields, namespace), "return instance"]
    suffix = function_suffix(cls)

    def compile_function(name: str, arguments: str, lines: list[str], title: str) -> t.Any:
        source = "\n    ".join([f"def {name}_{suffix}({arguments}):", *lines])
        execute(f"{source}\n", namespace, title=title, cls=cls)
        return namespace[f"{name}_{suffix}"]

    return Deserializer(
        compile_function("deserialize", "item", [*construction.new_instance, *body], "deserializer"),
        lambda: compile_function("fill", "instance, item", body, "refresher"),
    )


def construction_of(cls: t.Any) -> Construction:
    """How a generated function makes an object of a class, which is a model or a map.

    Args:
        cls: The class. It overrides none of PynamoDB's methods of a container.
    """
    defaults, is_safe = _static_defaults(cls), _is_construction_unobservable(cls)
    new_instance = ["instance = new(cls)" if is_safe else "instance = cls(_user_instantiated=False)"]
    if is_safe and issubclass(cls, MapAttribute):
        new_instance.append("put(instance, 'attribute_kwargs', {})")
    # A map's own __setattr__ would take attribute_values for an attribute of the map.
    is_map = issubclass(cls, MapAttribute)
    set_values = "put(instance, 'attribute_values', values)" if is_map else "instance.attribute_values = values"
    return Construction(
        new_instance=new_instance,
        start_values=DEFAULTS_BY_PYNAMODB if defaults is None else ["values = defaults()", set_values],
        set_values=set_values,
        default_keys=() if defaults is None else tuple(_defaults(cls)),
        namespace={"cls": cls, "put": object.__setattr__, "new": object.__new__, "defaults": defaults},
        runs_no_user_code=is_safe and defaults is not None,
    )


def _read_fields(fields: list[FieldReader], namespace: dict[str, t.Any]) -> list[str]:
    """Source with a block for each attribute. A loop over the attributes takes an eighth longer."""
    lines = ["get = item.get"]
    for number, field in enumerate(fields):
        namespace |= {f"convert{number}": field.convert, f"convert_other{number}": field.convert_other}
        # Most values are strings, which need no call.
        template = "value[{0!r}]" if field.convert is identity else "convert{1}(value[{0!r}])"
        lines += [
            f"value = get({field.dynamo_name!r})",
            "if value and NULL not in value:",
            f"    if {field.dynamo_type!r} in value:",
            f"        values[{field.key!r}] = {template.format(field.dynamo_type, number)}",
            "    else:",
            f"        convert_other{number}(instance, value)",
        ]
    return lines


def _is_construction_unobservable(cls: t.Any) -> bool:
    """True if no user code can tell how often an empty object is made. PynamoDB makes two, and sets defaults twice."""
    is_plain = is_unmodified(cls, guards.CONSTRUCTION_METHODS) and type(cls).__call__ is type.__call__
    return is_plain and all(map(_has_safe_defaults, cls.get_attributes().values()))


def _has_safe_defaults(attribute: t.Any) -> bool:
    defaults = [default for default in (attribute.default, attribute.default_for_new) if default is not None]
    if any(callable(default) and default not in guards.SAFE_DEFAULT_FACTORIES for default in defaults):
        return False
    if type(attribute) is not MapAttribute and isinstance(attribute, MapAttribute):
        return _is_construction_unobservable(type(attribute))
    return not defaults or is_unmodified(type(attribute), guards.DESERIALIZE_METHODS)


def _static_defaults(cls: t.Any) -> t.Callable[[], dict[str, t.Any]] | None:
    """A function that makes the defaults of a new object; None if PynamoDB must set them."""
    if has_discriminator(cls) or not is_unmodified(cls, ("_set_defaults", "_set_discriminator")):
        return None
    with_default = _defaults(cls)
    if not all(_has_static_default(attribute) for attribute in with_default.values()):
        return None
    if not any(callable(attribute.default) for attribute in with_default.values()):
        return {key: attribute.default for key, attribute in with_default.items()}.copy
    factories = {
        key: attribute.default if callable(attribute.default) else functools.partial(identity, attribute.default)
        for key, attribute in with_default.items()
    }
    return lambda: {key: factory() for key, factory in factories.items()}


def _defaults(cls: t.Any) -> dict[str, t.Any]:
    """The attributes with a default, by their keys in ``attribute_values``."""
    attributes_by_key = {value_key(cls, attribute): attribute for attribute in cls.get_attributes().values()}
    return {key: attribute for key, attribute in attributes_by_key.items() if attribute.default is not None}


def _has_static_default(attribute: t.Any) -> bool:
    if type(attribute).__set__ is not Attribute.__set__ or not is_unmodified(
        type(attribute), guards.DESERIALIZE_METHODS
    ):
        return False
    return not callable(attribute.default) or attribute.default in guards.SAFE_DEFAULT_FACTORIES


def _field_reader(cls: t.Any, name: str, attribute: t.Any, compilation: Compilation) -> FieldReader:
    def convert_other(instance: t.Any, value: t.Any) -> None:
        setattr(instance, name, attribute.deserialize(attribute.get_value(value)))

    convert = _attribute_converter(attribute, compilation)
    dynamo_type = attribute.attr_type if convert else NO_TYPE
    key = value_key(cls, attribute)
    return FieldReader(attribute.attr_name, dynamo_type, key, convert, convert_other)


def _attribute_converter(attribute: t.Any, compilation: Compilation) -> Convert | None:
    """A function that gives what the attribute's ``deserialize`` and then ``__set__`` give, if both are PynamoDB's."""
    if not guards.is_unmodified_attribute(attribute, guards.DESERIALIZE_METHODS):
        return None
    cls = type(attribute)
    if cls is MapAttribute:
        return values.deserialize_raw_map if guards.are_raw_values_unmodified() else None
    if isinstance(attribute, MapAttribute):
        return _map_converter(cls, compilation)
    if isinstance(attribute, ListAttribute):
        if attribute.element_type is not None:
            return _list_converter(attribute, compilation)
        return values.deserialize_list if guards.are_raw_values_unmodified() else None
    converters = LEGACY_CONVERTERS if getattr(attribute, "legacy_encoding", False) else CONVERTERS
    return converters.get(cls.deserialize)


def _map_converter(cls: t.Any, compilation: Compilation) -> Convert | None:
    # PynamoDB copies a map that is also a Mapping when it sets it.
    if cls.is_raw() or has_discriminator(cls) or issubclass(cls, cabc.Mapping):
        return None
    deserializer = _compile(cls, compilation)
    return None if deserializer is None else deserializer.make


def _list_converter(attribute: t.Any, compilation: Compilation) -> Convert | None:
    convert, dynamo_type = _element_converter(attribute.element_type, compilation), attribute.element_type.attr_type
    if convert is None:
        return None

    def convert_element(index: int, typed_value: t.Any) -> t.Any:
        if NULL in typed_value:
            return None
        if dynamo_type not in typed_value:
            raise AttributeDeserializationError(f"{attribute.attr_name}[{index}]", dynamo_type)
        return convert(typed_value[dynamo_type])

    return lambda elements: [convert_element(index, typed_value) for index, typed_value in enumerate(elements)]


def _element_converter(cls: t.Any, compilation: Compilation) -> Convert | None:
    """A function that gives what ``deserialize`` of an element gives, if the element's class is PynamoDB's.

    Unlike an attribute, an element is not set, and PynamoDB makes a new attribute for the elements of each list.
    """
    if cls is MapAttribute:
        return values.deserialize_map if guards.are_raw_values_unmodified() else None
    if issubclass(cls, MapAttribute):
        return _map_converter(cls, compilation) if _is_construction_unobservable(cls) else None
    # A TTLAttribute drops fractions of a second when it is set, and an element is not set.
    if (
        not is_unmodified(cls, (*guards.DESERIALIZE_METHODS, *guards.CONSTRUCTION_METHODS))
        or cls is attributes.TTLAttribute
    ):
        return None
    if issubclass(cls, ListAttribute):
        return values.deserialize_list if cls.element_type is None and guards.are_raw_values_unmodified() else None
    return CONVERTERS.get(cls.deserialize)


CONVERTERS: dict[t.Any, Convert] = {
    Attribute.deserialize: identity,
    attributes.BinaryAttribute.deserialize: identity,
    attributes.BinarySetAttribute.deserialize: set,
    attributes.BooleanAttribute.deserialize: bool,
    attributes.JSONAttribute.deserialize: values.deserialize_json,
    attributes.NumberAttribute.deserialize: values.deserialize_number,
    attributes.NumberSetAttribute.deserialize: values.deserialize_number_set,
    attributes.TTLAttribute.deserialize: values.deserialize_ttl,
    attributes.UnicodeSetAttribute.deserialize: set,
    attributes.UTCDateTimeAttribute.deserialize: values.deserialize_utc,
    attributes.VersionAttribute.deserialize: values.deserialize_version,
}
LEGACY_CONVERTERS: dict[t.Any, Convert] = {
    attributes.BinaryAttribute.deserialize: base64.b64decode,
    attributes.BinarySetAttribute.deserialize: values.deserialize_legacy_set,
}
