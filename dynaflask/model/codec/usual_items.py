"""The function that serializes the usual object of a class: each value is present and has the usual type.

It checks all types, and then writes the item in one step. Its items are those that botocore sends unchanged. For any
other object it raises a KeyError, and the serializer looks at each attribute. It runs no code of the program.
"""

from __future__ import annotations

import itertools
import typing as t

from pynamodb.attributes import MapAttribute
from pynamodb.constants import NUMBER_SET
from pynamodb.constants import STRING_SET

from dynaflask.model.codec.source import function_suffix
from dynaflask.model.codec.source import indented

if t.TYPE_CHECKING:
    from dynaflask.model.codec.serializer import FieldWriter
    from dynaflask.model.codec.serializer import Functions

Namespace = dict[str, t.Any]
# DynamoDB's types of sets without binary values.
PLAIN_SETS = (STRING_SET, NUMBER_SET)
are_texts = frozenset({str}).issuperset


class UsualValue(t.NamedTuple):
    """Source that checks and writes a value of the usual type.

    Attributes:
        field: The attribute.
        name: Name of the variable that has the value.
        is_usual: A condition, true for a value of the usual type.
        content: What stands under DynamoDB's type.
        map_functions: The functions of a map with attributes of its own; None for another attribute.
    """

    field: FieldWriter
    name: str
    is_usual: str
    content: str
    map_functions: Functions | None = None

    @property
    def load(self) -> str:
        """Source that reads the value."""
        key = repr(self.field.key)
        return f"{self.name} = values.get({key})" if self.field.is_nullable else f"{self.name} = values[{key}]"

    @property
    def condition(self) -> str:
        """Source that checks the value."""
        return f"({self.name} is None or {self.is_usual})" if self.field.is_nullable else self.is_usual

    @property
    def typed(self) -> str:
        """Source of the typed value."""
        return f"{{{self.field.dynamo_type!r}: {self.content}}}"

    @property
    def put(self) -> list[str]:
        """Source that puts the typed value into the item."""
        put = f"item[{self.field.dynamo_name!r}] = {self.typed}"
        return [f"if {self.name} is not None:", f"    {put}"] if self.field.is_nullable else [put]


def usual_values(
    fields: list[FieldWriter], maps: list[Functions | None], namespace: Namespace
) -> list[UsualValue] | None:
    """The usual values of all attributes; None if a value of an attribute may need the serializer.

    Args:
        fields: The attributes of a model or a map.
        maps: The functions of each attribute that is a map with attributes of its own, else None.
        namespace: Globals of the functions that have the source. Those that it needs are added.
    """
    found = [_usual_value(number, field, maps[number], namespace) for number, field in enumerate(fields)]
    usual = [value for value in found if value is not None]
    return usual if usual and len(usual) == len(found) else None


def usual_item_source(cls: t.Any, usual: list[UsualValue]) -> list[str]:
    """The lines of the function ``usual_item_of_X``.

    Args:
        cls: A model or a map.
        usual: The values of all attributes.
    """
    first = list(itertools.takewhile(lambda value: not value.field.is_nullable, usual))
    return [
        f"def usual_item_of_{function_suffix(cls)}(instance):",
        *indented(checked_values_source(cls, usual)),
        "    item = {",
        *indented(indented([f"{value.field.dynamo_name!r}: {value.typed}," for value in first])),
        "    }",
        *indented([line for value in usual[len(first) :] for line in value.put]),
        "    return item",
    ]


def checked_values_source(cls: t.Any, usual: list[UsualValue]) -> list[str]:
    """Source that reads the values of an object, and raises a KeyError if one is not usual.

    Args:
        cls: A model or a map.
        usual: The values of all attributes.
    """
    # A map that is the attribute of a class, and not a value, has no values.
    values = "instance.__dict__['attribute_values']" if issubclass(cls, MapAttribute) else "instance.attribute_values"
    return [
        f"values = {values}",
        "if type(values) is not dict:",
        "    raise KeyError",
        *[value.load for value in usual],
        "if not (",
        f"    {usual[0].condition}",
        *indented([f"and {value.condition}" for value in usual[1:]]),
        "):",
        "    raise KeyError",
    ]


def _usual_value(
    number: int, field: FieldWriter, functions: Functions | None, namespace: Namespace
) -> UsualValue | None:
    name = f"value{number}"
    if functions is not None and functions.usual_item is not None:
        namespace[f"usual_map{number}"] = functions.usual_item
        return UsualValue(field, name, f"type({name}) is map_class{number}", f"usual_map{number}({name})", functions)
    if field.convert_set is not None and field.dynamo_type in PLAIN_SETS:
        return _usual_set(number, field, namespace)
    converters = {cls: convert for cls, convert in field.quick.items() if cls in field.plain_types}
    if len(converters) > 1:
        namespace[f"converters{number}"] = converters
        return UsualValue(
            field, name, f"type({name}) in converters{number}", f"converters{number}[type({name})]({name})"
        )
    for cls, convert in converters.items():
        namespace |= {cls.__name__: cls, f"convert_usual{number}": convert}
        # What converts a value of its own type returns it.
        content = name if convert is cls else f"convert_usual{number}({name})"
        return UsualValue(field, name, f"type({name}) is {cls.__name__}", content)
    return None


def _usual_set(number: int, field: FieldWriter, namespace: Namespace) -> UsualValue:
    name = f"value{number}"
    # An empty one has no value.
    is_usual = f"type({name}) is set and {name}"
    if field.dynamo_type == NUMBER_SET:
        namespace[f"convert_set{number}"] = field.convert_set
        return UsualValue(field, name, is_usual, f"convert_set{number}({name})")
    namespace["are_texts"] = are_texts
    return UsualValue(field, name, f"{is_usual} and are_texts(map(type, {name}))", f"list({name})")
