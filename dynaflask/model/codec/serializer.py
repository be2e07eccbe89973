"""Compile the function that turns an object into an item: :func:`compile_serializer`."""

from __future__ import annotations

import base64
import datetime as dt
import typing as t

from pynamodb import attributes
from pynamodb.attributes import Attribute
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.constants import BOOLEAN
from pynamodb.constants import NULL
from pynamodb.constants import NUMBER
from pynamodb.constants import STRING
from pynamodb.constants import STRING_SET
from pynamodb.exceptions import AttributeNullError

from dynaflask.model.codec import guards
from dynaflask.model.codec import values
from dynaflask.model.codec.fast_path import PLAIN_SETS
from dynaflask.model.codec.fast_path import FieldSource
from dynaflask.model.codec.fast_path import fast_path_source
from dynaflask.model.codec.fast_path import field_sources
from dynaflask.model.codec.guards import Compilation
from dynaflask.model.codec.guards import is_unmodified
from dynaflask.model.codec.source import execute
from dynaflask.model.codec.source import function_suffix
from dynaflask.model.codec.source import indented
from dynaflask.model.codec.values import Convert
from dynaflask.model.pynamodb_internals import element_attribute_for
from dynaflask.model.pynamodb_internals import value_key

Serializer = t.Callable[[t.Any], dict[str, t.Any]]
#: Returns an item, and True if botocore would send it unchanged.
CheckedSerializer = t.Callable[[t.Any], tuple[dict[str, t.Any], bool]]
Converters = dict[type, Convert]


class Functions(t.NamedTuple):
    """The generated functions that serialize one class.

    Attributes:
        serialize: Serializes any object.
        fast_path: Serializes an object whose values have the types of their attributes, and raises a KeyError for any
            other; see ``fast_path.py``. None if an attribute of the class may run code of the program, or has a value
            that must be examined part by part.
        field_sources: The source of :attr:`fast_path` for each attribute; None if there is none.
        namespace: Globals of the functions.
    """

    serialize: Serializer
    fast_path: Serializer | None
    field_sources: list[FieldSource] | None
    namespace: dict[str, t.Any]


class FieldWriter(t.NamedTuple):
    """How one attribute is written.

    Attributes:
        name: The attribute's name in the class.
        key: The key in the object's ``attribute_values``.
        dynamo_name: The attribute's name in the item.
        dynamo_type: The type in the item, such as ``"S"``.
        convert: Converts any other value.
        is_nullable: True if the attribute may have no value.
        plain_types: The Python types of values that become text, numbers as text, or booleans.
        quick: Converters by Python type that need no check of their argument or of their result.
        convert_set: Converts a set that is not empty; None for an attribute of another type.
        map_class: The class of a map with attributes of its own, or None.
    """

    name: str
    key: str
    dynamo_name: str
    dynamo_type: str
    convert: Convert
    is_nullable: bool
    plain_types: frozenset[type]
    quick: Converters
    convert_set: Convert | None
    map_class: t.Any


def compile_serializer(model: t.Any) -> Serializer | None:
    """The serializer of a model, with PynamoDB's check for missing values; None if the model overrides a method."""
    functions = _compile(model, Compilation())
    return functions and functions.serialize


def compile_checked_serializer(model: t.Any, *, is_plain: t.Callable[[t.Any], bool]) -> Functions | None:
    """The functions of a model, whose serializer is a :data:`CheckedSerializer`.

    It also finds out if an item is plain, which takes less time than a walk over the item.

    Args:
        model: The model's class.
        is_plain: True for a typed value that botocore sends unchanged.
    """
    return _compile(model, Compilation(), is_plain=is_plain)


def _compile(
    cls: t.Any, compilation: Compilation, *, is_plain: t.Callable[[t.Any], bool] | None = None
) -> Functions | None:
    if not guards.is_unmodified_container(cls, guards.CONTAINER_SERIALIZE_METHODS) or cls in compilation.in_progress:
        return None
    if not all(is_unmodified(type(attribute), ["__get__"]) for attribute in cls.get_attributes().values()):
        return None
    namespace: dict[str, t.Any] = {"AttributeNullError": AttributeNullError, "is_plain_value": is_plain}
    compilation.in_progress.add(cls)
    fields = [_field_writer(cls, name, attribute, compilation) for name, attribute in cls.get_attributes().items()]
    maps = [_compile(field.map_class, compilation, is_plain=is_plain) if field.map_class else None for field in fields]
    compilation.in_progress.discard(cls)
    sources = field_sources(fields, maps, namespace)
    fast_path = None if sources is None else fast_path_source(cls, sources)
    # A block for each attribute: a loop over the attributes takes one and a half times as long.
    blocks: list[str] = []
    for number, (field, functions) in enumerate(zip(fields, maps, strict=True)):
        namespace |= {f"convert{number}": field.convert, f"map_class{number}": field.map_class}
        namespace[f"serialize_map{number}"] = functions and functions.serialize
        blocks += _write_field(number, field, namespace, is_checked=is_plain is not None, is_map=functions is not None)
    suffix = function_suffix(cls)
    function_name = f"serialize{'' if is_plain is None else '_checked'}_{suffix}"
    start, result = ([], "item") if is_plain is None else (["is_plain = True"], "item, is_plain")
    lines = [
        *([] if fast_path is None else [*fast_path, "", ""]),
        f"def {function_name}(instance):",
        *([] if fast_path is None else indented(_try_fast_path(suffix, is_checked=is_plain is not None))),
        *indented(["get, item = instance.attribute_values.get, {}", *start, *blocks, f"return {result}"]),
    ]
    source = "\n".join(lines)
    execute(f"{source}\n", namespace, title="serializer", cls=cls)
    return Functions(namespace[function_name], namespace.get(f"fast_path_of_{suffix}"), sources, namespace)


def _try_fast_path(suffix: str, *, is_checked: bool) -> list[str]:
    return [
        "try:",
        f"    return fast_path_of_{suffix}(instance){', True' if is_checked else ''}",
        "except KeyError:  # a value is absent, or of another type",
        "    pass",
    ]


def _write_field(
    number: int, field: FieldWriter, namespace: dict[str, t.Any], *, is_checked: bool, is_map: bool
) -> list[str]:
    """Source that writes one attribute, and if asked keeps track of whether the item is plain."""
    put = f"item[{field.dynamo_name!r}] = {{{field.dynamo_type!r}: value}}"
    general = [
        "if value is not None:",
        f"    value = convert{number}(value)",
        "if value is not None:",
        f"    {put}",
        *([] if field.is_nullable else ["else:", f"    raise AttributeNullError({field.name!r})"]),
    ]
    if is_checked:
        namespace[f"plain_types{number}"] = field.plain_types
        # The type before the conversion tells. A value of any other type is examined as it will be sent.
        general += [
            f"if value_type not in plain_types{number} and value is not None:",
            f"    is_plain = is_plain and is_plain_value(item[{field.dynamo_name!r}])",
        ]
    branches = []
    for place, (python_type, convert) in enumerate(field.quick.items()):
        if is_checked and python_type not in field.plain_types:
            continue
        # What converts a value of its own type returns it.
        conversion = [] if convert is python_type else [f"value = quick{number}_{place}(value)"]
        namespace |= {f"type{number}_{place}": python_type, f"quick{number}_{place}": convert}
        branches.append((f"value_type is type{number}_{place}", [*conversion, put]))
    branches += _set_branch(number, field, put, namespace, is_checked=is_checked)
    if is_map:
        branches.append(_map_branch(number, field, put, is_checked=is_checked))
    lines = [f"value = get({field.key!r})", "value_type = type(value)"]
    if not branches:
        return [*lines, *general]
    for place, (condition, block) in enumerate(branches):
        lines += [f"{'elif' if place else 'if'} {condition}:", *indented(block)]
    return [*lines, "else:", *indented(general)]


def _set_branch(
    number: int, field: FieldWriter, put: str, namespace: dict[str, t.Any], *, is_checked: bool
) -> list[tuple[str, list[str]]]:
    """Condition and source that write a set. An empty one has no value."""
    if field.convert_set is None or (is_checked and field.dynamo_type not in PLAIN_SETS):
        return []
    namespace |= {f"convert_set{number}": field.convert_set, "is_text": frozenset({str}).issuperset}
    block = [f"value = convert_set{number}(value)", put]
    if is_checked and field.dynamo_type == STRING_SET:
        # A set of texts may have other values. All numbers become text.
        block.append("is_plain = is_plain and is_text(map(type, value))")
    return [("value_type is set and value", block)]


def _map_branch(number: int, field: FieldWriter, put: str, *, is_checked: bool) -> tuple[str, list[str]]:
    """Condition and source that write a map which has a value for each attribute that needs one."""
    conditions = [
        f"value_type is map_class{number}",
        # A map that is the attribute of a class, and not a value, has none.
        "(values := vars(value).get('attribute_values')) is not None",
        *(f"values.get({key!r}) is not None" for key in _required_keys(field.map_class)),
    ]
    block = [
        "try:",
        f"    {'value, is_plain_map' if is_checked else 'value'} = serialize_map{number}(value)",
        "except AttributeNullError as error:",
        f"    error.prepend_path({field.name!r})",
        "    raise",
        put,
        *(["is_plain = is_plain and is_plain_map"] if is_checked else []),
    ]
    return " and ".join(conditions), block


def _required_keys(cls: t.Any) -> list[str]:
    return [value_key(cls, attribute) for attribute in cls.get_attributes().values() if not attribute.null]


def _field_writer(cls: t.Any, name: str, attribute: t.Any, compilation: Compilation) -> FieldWriter:
    takes_null_check = isinstance(attribute, (ListAttribute, MapAttribute))

    def convert_other(value: t.Any) -> t.Any:
        if isinstance(value, MapAttribute) and not value.validate(null_check=True):
            raise ValueError(f"Attribute '{name}' is not correctly typed")
        return attribute.serialize(value, null_check=True) if takes_null_check else attribute.serialize(value)

    converters = _attribute_converters(attribute, convert_other, compilation)

    def convert(value: t.Any) -> t.Any:
        try:
            return converters.get(type(value), convert_other)(value)
        except AttributeNullError as error:
            error.prepend_path(name)
            raise

    return FieldWriter(
        name=name,
        key=value_key(cls, attribute),
        dynamo_name=attribute.attr_name,
        dynamo_type=attribute.attr_type,
        convert=convert,
        is_nullable=attribute.null,
        plain_types=_plain_types(attribute, converters),
        quick={cls: convert for cls, convert in converters.items() if convert is cls or convert in QUICK_CONVERTERS},
        convert_set=converters.get(set),
        map_class=type(attribute) if _has_map_class(attribute, converters) else None,
    )


def _has_map_class(attribute: t.Any, converters: Converters) -> bool:
    """True if the values of a map attribute are objects of its class, whose attributes are declared."""
    is_map = isinstance(attribute, MapAttribute) and type(attribute) is not MapAttribute
    return is_map and type(attribute) in converters


def _plain_types(attribute: t.Any, converters: Converters) -> frozenset[type]:
    """The Python types that the converters turn into text, numbers as text, or booleans, whatever the value is."""
    plain_converters = PLAIN_CONVERTERS.get(attribute.attr_type, ())
    return frozenset(cls for cls, convert in converters.items() if convert in plain_converters)


def _attribute_converters(attribute: t.Any, convert_other: Convert, compilation: Compilation) -> Converters:
    """Functions by Python type that give what ``serialize`` gives, if it is PynamoDB's."""
    if not guards.is_unmodified_attribute(attribute, guards.SERIALIZE_METHODS):
        return {}
    cls = type(attribute)
    if isinstance(attribute, MapAttribute):
        return _map_converters(cls, convert_other, compilation)
    if isinstance(attribute, ListAttribute):
        if attribute.element_type is not None:
            return {list: _list_converter(attribute, compilation)}
        return {list: values.serialize_list} if guards.are_raw_values_unmodified() else {}
    converters = LEGACY_CONVERTERS if getattr(attribute, "legacy_encoding", False) else CONVERTERS
    return converters.get(cls.serialize, {})


def _map_converters(cls: t.Any, convert_other: Convert, compilation: Compilation) -> Converters:
    convert = _map_converter(cls, compilation)
    if convert is None:
        return {}
    required = _required_keys(cls)

    def convert_map(instance: t.Any) -> t.Any:
        # PynamoDB looks for missing values in a map before it writes any of it.
        attribute_values = vars(instance).get("attribute_values", {})
        is_complete = all(attribute_values.get(key) is not None for key in required)
        return convert(instance) if is_complete else convert_other(instance)

    return {cls: convert_map}


def _map_converter(cls: t.Any, compilation: Compilation) -> Convert | None:
    serialize: Serializer | None
    if cls is MapAttribute:
        serialize = _serialize_raw_map if guards.are_raw_values_unmodified() else None
    else:
        functions = None if cls.is_raw() else _compile(cls, compilation)
        serialize = functions and functions.serialize
    if serialize is None:
        return None
    # A map that is the attribute of a class, and not a value, has no values.
    return lambda value: serialize(value) if "attribute_values" in vars(value) else value.serialize(value)


def _serialize_raw_map(instance: t.Any) -> dict[str, t.Any]:
    return values.serialize_map(instance.attribute_values)


def _list_converter(attribute: t.Any, compilation: Compilation) -> Convert:
    def convert_other(value: t.Any) -> dict[str, t.Any]:
        element = element_attribute_for(attribute, value)
        if value is not None and not isinstance(element, attribute.element_type):
            raise ValueError(f"List elements must be of type: {attribute.element_type.__name__}")
        takes_null_check = isinstance(element, (ListAttribute, MapAttribute))
        serialized = element.serialize(value, null_check=True) if takes_null_check else element.serialize(value)
        return {NULL: True} if serialized is None else {element.attr_type: serialized}

    cls = attribute.element_type
    converters = _element_converters(cls, compilation)
    typed_converters = {python_type: (cls.attr_type, convert) for python_type, convert in converters.items()}
    return values.list_serializer(typed_converters, convert_other=convert_other)


def _element_converters(cls: t.Any, compilation: Compilation) -> Converters:
    if cls is MapAttribute:
        return {dict: values.serialize_map} if guards.are_raw_values_unmodified() else {}
    if issubclass(cls, MapAttribute):
        convert = _map_converter(cls, compilation) if is_unmodified(cls, guards.SERIALIZE_METHODS) else None
        return {cls: convert} if convert else {}
    if issubclass(cls, ListAttribute) or not is_unmodified(
        cls, (*guards.SERIALIZE_METHODS, *guards.CONSTRUCTION_METHODS)
    ):
        return {}
    converters = CONVERTERS.get(cls.serialize, {})
    # An empty set serializes to None, which is a NULL in a list.
    return {python_type: convert for python_type, convert in converters.items() if python_type is not set}


CONVERTERS: dict[t.Any, Converters] = {
    Attribute.serialize: {str: str},
    attributes.BinaryAttribute.serialize: {bytes: bytes},
    attributes.BinarySetAttribute.serialize: {set: values.serialize_set},
    attributes.BooleanAttribute.serialize: {bool: bool},
    attributes.NumberAttribute.serialize: values.NUMBER_SERIALIZERS,
    attributes.NumberSetAttribute.serialize: {set: values.serialize_number_set},
    attributes.UnicodeSetAttribute.serialize: {set: values.serialize_set},
    attributes.UTCDateTimeAttribute.serialize: {dt.datetime: values.serialize_utc},
    attributes.VersionAttribute.serialize: {int: int.__repr__},
}
# By DynamoDB's type: converters whose every result is a str, or a bool.
PLAIN_CONVERTERS: dict[str, tuple[Convert, ...]] = {
    STRING: (str, values.serialize_utc),
    NUMBER: (int.__repr__, values.serialize_float),
    BOOLEAN: (bool,),
}
# Converters that never return None, and raise no AttributeNullError.
QUICK_CONVERTERS = (int.__repr__, values.serialize_float, values.serialize_utc)
LEGACY_CONVERTERS: dict[t.Any, Converters] = {attributes.BinaryAttribute.serialize: {bytes: base64.b64encode}}
