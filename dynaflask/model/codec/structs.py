"""Compile the types that msgspec decodes the items of a model into: :func:`compile_item_struct`.

msgspec checks and decodes a body of bytes in one pass, without a dict for each attribute. Each type is strict: an item
that does not have exactly one value of the declared DynamoDB type per attribute is refused. So are NULLs and binary
values. The slow path then decodes the response, with PynamoDB's values and PynamoDB's errors.
"""

from __future__ import annotations

import functools
import itertools
import typing as t

from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute

from dynaflask.client.codec import json_codec
from dynaflask.client.codec.passthrough import is_plain
from dynaflask.client.codec.passthrough import is_plain_item
from dynaflask.model.codec import values
from dynaflask.model.codec.deserializer import CONVERTERS
from dynaflask.model.codec.deserializer import construction_of
from dynaflask.model.codec.source import execute
from dynaflask.model.codec.source import function_suffix
from dynaflask.model.codec.source import indented
from dynaflask.model.codec.values import Convert
from dynaflask.model.codec.values import identity
from dynaflask.model.pynamodb_internals import value_key

# Python type of the JSON value under each of DynamoDB's type tags. Numbers stay texts: msgspec also reads a text "nan"
# as a number, and a number that stands in the place of a text.
CONTENT_TYPES: dict[str, t.Any] = {"S": str, "N": str, "BOOL": bool, "SS": set[str], "NS": list[str]}


class ItemStruct(t.NamedTuple):
    """The struct of a model's items, or of a map's values.

    Attributes:
        type: The type that msgspec decodes to.
        make: The generated function that makes an object of a value of this type.
        key: The field of the hash key; empty if there is none.
    """

    type: t.Any
    make: Convert
    key: str


class Content(t.NamedTuple):
    """What stands under the type tag of an attribute.

    Attributes:
        type: The type that msgspec decodes it to.
        convert: Makes the attribute's value of it.
    """

    type: t.Any
    convert: Convert


class Field(t.NamedTuple):
    """How one attribute is read.

    Attributes:
        number: The number of its field in the struct.
        key: The key in the object's ``attribute_values``.
        tag: DynamoDB's type.
        is_nullable: True if the attribute may have no value.
        is_key: True for a key of the table.
        convert: Makes the attribute's value of what stands under the tag.
    """

    number: int
    key: str
    tag: str
    is_nullable: bool
    is_key: bool
    convert: Convert


class UnsupportedAttribute(Exception):
    """An attribute has no struct. The message says which one, and why."""


def compile_item_struct(model: t.Any, *, is_complete: bool = False) -> ItemStruct:
    """The struct of a model's items.

    Args:
        model: A model whose deserializer runs no user code: all its attributes are PynamoDB's.
        is_complete: True to refuse items with attributes that the model does not declare. Else they are skipped.

    Raises:
        UnsupportedAttribute: An attribute is binary, or has a name in DynamoDB that msgspec does not take.
    """
    return _compile(model, Structs(is_complete=is_complete))


class Structs(dict[t.Any, ItemStruct]):
    """The structs of a model and of its maps, by class.

    Args:
        is_complete: True if the structs refuse attributes that are not declared.
    """

    def __init__(self, *, is_complete: bool) -> None:
        super().__init__()
        self.is_complete = is_complete


def _compile(cls: t.Any, compiled: Structs) -> ItemStruct:
    if cls not in compiled:
        attributes = cls.get_attributes().values()
        contents = [_content(cls, attribute, compiled) for attribute in attributes]
        struct = _struct(cls, contents, is_complete=compiled.is_complete)
        keys = [f"field{number}" for number, attribute in enumerate(attributes) if attribute.is_hash_key]
        compiled[cls] = ItemStruct(struct, _make_function(cls, contents), "".join(keys))
    return compiled[cls]


def _struct(cls: t.Any, contents: list[Content], *, is_complete: bool) -> t.Any:
    unset = json_codec.msgspec.UNSET
    attributes = list(cls.get_attributes().values())
    fields = [
        (f"field{number}", _tagged(attribute.attr_type, content.type) | type(unset), unset)
        for number, (attribute, content) in enumerate(zip(attributes, contents, strict=True))
    ]
    names = {f"field{number}": attribute.attr_name for number, attribute in enumerate(attributes)}
    try:
        return _define(function_suffix(cls), fields, rename=names, forbid_unknown_fields=is_complete)
    except ValueError as error:  # a name that needs an escape in JSON, or one name twice
        raise UnsupportedAttribute(f"{cls.__name__} has names that msgspec does not take: {error}") from error


def _make_function(cls: t.Any, contents: list[Content]) -> Convert:
    """The function that makes an object. It looks at each attribute only if a value is absent that each item has."""
    construction, suffix = construction_of(cls), function_suffix(cls)
    fields = [
        _field(cls, number, attribute, content.convert)
        for number, (attribute, content) in enumerate(zip(cls.get_attributes().values(), contents, strict=True))
    ]
    namespace = {
        **construction.namespace,
        "UNSET": json_codec.msgspec.UNSET,
        "number": _number_decoder(),
        **{f"convert{field.number}": field.convert for field in fields},
    }
    check_each = f"values = values_of_{suffix}(item)"
    set_all = [
        "try:",
        *indented(_set_all(fields, construction.default_keys)),
        "except AttributeError:  # an attribute is absent: UNSET has no value",
        f"    {check_each}",
    ]
    # Items of an index with its keys alone have none of the others. An error for each of them would take longer.
    if probe := next((field for field in fields if not field.is_nullable and not field.is_key), None):
        set_all = [f"if item.field{probe.number} is UNSET:", f"    {check_each}", "else:", *indented(set_all)]
    lines = [
        f"def values_of_{suffix}(item):",
        "    values = defaults()",
        *indented([line for field in fields for line in _set_if_present(field)]),
        "    return values",
        "",
        "",
        f"def make_{suffix}(item):",
        *indented([*set_all, *construction.new_instance, construction.set_values, "return instance"]),
    ]
    source = "\n".join(lines)
    execute(f"{source}\n", namespace, title="struct", cls=cls)
    return t.cast("Convert", namespace[f"make_{suffix}"])


def _field(cls: t.Any, number: int, attribute: t.Any, convert: Convert) -> Field:
    return Field(
        number,
        key=value_key(cls, attribute),
        tag=attribute.attr_type,
        is_nullable=attribute.null,
        is_key=attribute.is_hash_key or attribute.is_range_key,
        convert=convert,
    )


def _set_all(fields: list[Field], default_keys: tuple[str, ...]) -> list[str]:
    """Source that sets all values, in PynamoDB's order: those with a default first. It raises if one is absent.

    Only an attribute that may be null, and has no default, may be absent.
    """
    by_key = {field.key: field for field in fields}
    first = [by_key[key] for key in default_keys]
    others = [field for field in fields if field.key not in default_keys]
    required = [*first, *itertools.takewhile(lambda field: not field.is_nullable, others)]
    display = [f"    {field.key!r}: {_value(field, f'item.field{field.number}')}," for field in required]
    lines = ["values = {", *display, "}"] if display else ["values = {}"]
    for field in others[len(required) - len(first) :]:
        source = f"item.field{field.number}"
        lines += _set_if_present(field) if field.is_nullable else [f"values[{field.key!r}] = {_value(field, source)}"]
    return lines


def _set_if_present(field: Field) -> list[str]:
    return [
        f"if (value := item.field{field.number}) is not UNSET:",
        f"    values[{field.key!r}] = {_value(field, 'value')}",
    ]


def _value(field: Field, typed_value: str) -> str:
    """Source of a value. Most values are strings and numbers, which need no call of a Python function."""
    content = f"{typed_value}.{field.tag}"
    if field.convert is identity or field.convert is bool:
        return content
    return f"number({content})" if field.convert is _number_decoder() else f"convert{field.number}({content})"


@functools.cache
def _number_decoder() -> Convert:
    """A function that reads a number as ``json.loads`` does, or raises, in a fifth of the time of json's scanner."""
    msgspec = json_codec.msgspec
    return t.cast("Convert", msgspec.json.Decoder(int | float).decode)


def _content(cls: t.Any, attribute: t.Any, compiled: Structs) -> Content:
    if type(attribute) is MapAttribute:
        return Content(dict, _plain_map(values.deserialize_raw_map))
    if isinstance(attribute, MapAttribute):
        return Content(*_compile(type(attribute), compiled)[:2])
    if isinstance(attribute, ListAttribute) and attribute.element_type is not None:
        return _list_content(cls, attribute, compiled)
    return _value_content(cls, attribute.attr_name, type(attribute))


def _list_content(cls: t.Any, attribute: t.Any, compiled: Structs) -> Content:
    element = attribute.element_type
    if element is MapAttribute:
        content = Content(dict, _plain_map(values.deserialize_map))
    elif issubclass(element, MapAttribute):
        content = Content(*_compile(element, compiled)[:2])
    else:
        content = _value_content(cls, attribute.attr_name, element)
    tag, convert = element.attr_type, content.convert
    struct: t.Any = _tagged(tag, content.type)
    return Content(list[struct], lambda elements: [convert(getattr(element, tag)) for element in elements])


def _value_content(cls: t.Any, name: str, attribute_class: t.Any) -> Content:
    if issubclass(attribute_class, ListAttribute):
        return Content(list, _plain_list)
    content_type = CONTENT_TYPES.get(attribute_class.attr_type)
    if content_type is None:
        raise UnsupportedAttribute(f"{cls.__name__}'s {name!r} is binary")
    convert = CONVERTERS[attribute_class.deserialize]
    if convert is set:  # msgspec makes it
        return Content(content_type, identity)
    return Content(content_type, _number_decoder() if convert is values.deserialize_number else convert)


def _plain_map(convert: Convert) -> Convert:
    """A converter of maps without declared attributes, which msgspec does not check."""

    def convert_map(typed_values: t.Any) -> t.Any:
        if not is_plain_item(typed_values):
            raise ValueError
        return convert(typed_values)

    return convert_map


def _plain_list(typed_values: t.Any) -> list[t.Any]:
    if not is_plain({"L": typed_values}):
        raise ValueError
    return values.deserialize_list(typed_values)


def _tagged(tag: str, content_type: t.Any) -> t.Any:
    """The struct of an attribute value: one member, named by DynamoDB's type."""
    is_shared = content_type is CONTENT_TYPES.get(tag)
    return _scalar_struct(tag) if is_shared else _define(tag, [(tag, content_type)], forbid_unknown_fields=True)


@functools.cache
def _scalar_struct(tag: str) -> t.Any:
    return _define(tag, [(tag, CONTENT_TYPES[tag])], forbid_unknown_fields=True)


def _define(name: str, fields: list[t.Any], **options: t.Any) -> t.Any:
    # Structs live for the decoding of one response and are in no cycles, so that the garbage collector can skip them.
    return json_codec.msgspec.defstruct(name, fields, module=__name__, gc=False, **options)
