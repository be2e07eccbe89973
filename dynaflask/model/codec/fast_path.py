"""The fast path of a serializer: it takes an object whose values are all present and of the types of their attributes.

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


class FieldSource(t.NamedTuple):
    """Source of the fast path that checks and writes one value.

    Attributes:
        field: The attribute.
        name: Name of the variable that has the value.
        type_check: A condition, true for a value that the fast path takes.
        content: What stands under DynamoDB's type.
        map_functions: The functions of a map with attributes of its own; None for another attribute.
    """

    field: FieldWriter
    name: str
    type_check: str
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
        return f"({self.name} is None or {self.type_check})" if self.field.is_nullable else self.type_check

    @property
    def typed(self) -> str:
        """Source of the typed value."""
        return f"{{{self.field.dynamo_type!r}: {self.content}}}"

    @property
    def put(self) -> list[str]:
        """Source that puts the typed value into the item."""
        put = f"item[{self.field.dynamo_name!r}] = {self.typed}"
        return [f"if {self.name} is not None:", f"    {put}"] if self.field.is_nullable else [put]


def field_sources(
    fields: list[FieldWriter], maps: list[Functions | None], namespace: Namespace
) -> list[FieldSource] | None:
    """The source for each attribute; None if a value of one may need the serializer.

    Args:
        fields: The attributes of a model or a map.
        maps: The functions of each attribute that is a map with attributes of its own, else None.
        namespace: Globals of the functions that have the source. Those that it needs are added.
    """
    found = [_field_source(number, field, maps[number], namespace) for number, field in enumerate(fields)]
    sources = [source for source in found if source is not None]
    return sources if sources and len(sources) == len(found) else None


def fast_path_source(cls: t.Any, sources: list[FieldSource]) -> list[str]:
    """The lines of the function ``fast_path_of_X``.

    Args:
        cls: A model or a map.
        sources: The source for each attribute.
    """
    first = list(itertools.takewhile(lambda source: not source.field.is_nullable, sources))
    return [
        f"def fast_path_of_{function_suffix(cls)}(instance):",
        *indented(checked_values_source(cls, sources)),
        "    item = {",
        *indented(indented([f"{source.field.dynamo_name!r}: {source.typed}," for source in first])),
        "    }",
        *indented([line for source in sources[len(first) :] for line in source.put]),
        "    return item",
    ]


def checked_values_source(cls: t.Any, sources: list[FieldSource]) -> list[str]:
    """Source that reads the values of an object, and raises a KeyError for one that the fast path does not take.

    Args:
        cls: A model or a map.
        sources: The source for each attribute.
    """
    # A map that is the attribute of a class, and not a value, has no values.
    values = "instance.__dict__['attribute_values']" if issubclass(cls, MapAttribute) else "instance.attribute_values"
    return [
        f"values = {values}",
        "if type(values) is not dict:",
        "    raise KeyError",
        *[source.load for source in sources],
        "if not (",
        f"    {sources[0].condition}",
        *indented([f"and {source.condition}" for source in sources[1:]]),
        "):",
        "    raise KeyError",
    ]


def _field_source(
    number: int, field: FieldWriter, functions: Functions | None, namespace: Namespace
) -> FieldSource | None:
    name = f"value{number}"
    if functions is not None and functions.fast_path is not None:
        namespace[f"fast_map{number}"] = functions.fast_path
        return FieldSource(field, name, f"type({name}) is map_class{number}", f"fast_map{number}({name})", functions)
    if field.convert_set is not None and field.dynamo_type in PLAIN_SETS:
        return _set_source(number, field, namespace)
    converters = {cls: convert for cls, convert in field.quick.items() if cls in field.plain_types}
    if len(converters) > 1:
        namespace[f"converters{number}"] = converters
        return FieldSource(
            field, name, f"type({name}) in converters{number}", f"converters{number}[type({name})]({name})"
        )
    for cls, convert in converters.items():
        namespace |= {cls.__name__: cls, f"fast_convert{number}": convert}
        # What converts a value of its own type returns it.
        content = name if convert is cls else f"fast_convert{number}({name})"
        return FieldSource(field, name, f"type({name}) is {cls.__name__}", content)
    return None


def _set_source(number: int, field: FieldWriter, namespace: Namespace) -> FieldSource:
    name = f"value{number}"
    # An empty one has no value.
    type_check = f"type({name}) is set and {name}"
    if field.dynamo_type == NUMBER_SET:
        namespace[f"convert_set{number}"] = field.convert_set
        return FieldSource(field, name, type_check, f"convert_set{number}({name})")
    namespace["are_texts"] = are_texts
    return FieldSource(field, name, f"{type_check} and are_texts(map(type, {name}))", f"list({name})")
