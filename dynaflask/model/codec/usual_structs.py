"""The function that makes a struct of a usual object of a class. msgspec encodes the struct as the object's item.

A batch write has hundreds of dicts, which take longer to make, to encode and to free than structs. The objects are
those that ``usual_items.py`` serializes, and the JSON is what msgspec makes of the same item. For any other object it
raises a KeyError.
"""

from __future__ import annotations

import functools
import typing as t

from dynaflask.client.codec import json_codec
from dynaflask.model.codec.source import execute
from dynaflask.model.codec.source import function_suffix
from dynaflask.model.codec.source import indented
from dynaflask.model.codec.usual_items import UsualValue
from dynaflask.model.codec.usual_items import checked_values_source

if t.TYPE_CHECKING:
    from dynaflask.model.codec.serializer import CheckedSerializer
    from dynaflask.model.codec.serializer import Functions

Make = t.Callable[[t.Any], t.Any]


def struct_serializer(cls: t.Any, functions: Functions | None) -> CheckedSerializer | None:
    """As a checked serializer, but the item of a usual object is a struct; None if there is no usual object.

    Args:
        cls: A model.
        functions: The functions that serialize the model.
    """
    usual_struct = compile_usual_struct(cls, functions)
    if functions is None or usual_struct is None:
        return None
    serialize = t.cast("CheckedSerializer", functions.serialize)

    def make_struct(instance: t.Any) -> tuple[t.Any, bool]:
        try:
            return usual_struct(instance), True
        except KeyError:
            pass
        # Outside of the handler, so that the error of a wrong value does not begin with a KeyError.
        return serialize(instance)

    return make_struct


def compile_usual_struct(cls: t.Any, functions: Functions | None) -> Make | None:
    """The function for the usual objects of a class, with msgspec; None if there is no usual object.

    Args:
        cls: A model or a map.
        functions: The functions that serialize the class.
    """
    usual = None if functions is None else functions.usual_values
    struct = None if usual is None else _struct(cls, usual)
    if functions is None or usual is None or struct is None:
        return None
    namespace = {**functions.namespace, "struct": struct, "UNSET": json_codec.msgspec.UNSET}
    for value in usual:
        namespace[f"typed_{value.field.dynamo_type}"] = _typed_value(value.field.dynamo_type)
        if value.map_functions is not None:
            namespace[f"struct_of_{value.name}"] = compile_usual_struct(value.field.map_class, value.map_functions)
            if namespace[f"struct_of_{value.name}"] is None:
                return None
    name = f"usual_struct_of_{function_suffix(cls)}"
    lines = [
        f"def {name}(instance):",
        *indented(checked_values_source(cls, usual)),
        "    return struct(",
        *indented(indented([f"{_argument(value)}," for value in usual])),
        "    )",
    ]
    execute("\n".join([*lines, ""]), namespace, title="encoder", cls=cls)
    return t.cast("Make", namespace[name])


def _argument(value: UsualValue) -> str:
    """Source of the typed value. msgspec leaves out what is UNSET."""
    content = value.content if value.map_functions is None else f"struct_of_{value.name}({value.name})"
    typed = f"typed_{value.field.dynamo_type}({content})"
    return f"UNSET if {value.name} is None else {typed}" if value.field.is_nullable else typed


def _struct(cls: t.Any, usual: list[UsualValue]) -> t.Any:
    """The struct of an item or a map; None if msgspec has none with these names."""
    names = {value.name: value.field.dynamo_name for value in usual}
    fields = [(name, t.Any) for name in names]
    try:
        # Without a cycle, it needs no garbage collector.
        return json_codec.msgspec.defstruct(cls.__name__, fields, rename=names, module=__name__, gc=False)
    except ValueError:  # one name twice, or with a quotation mark
        return None


@functools.cache
def _typed_value(dynamo_type: str) -> t.Any:
    return json_codec.msgspec.defstruct(dynamo_type, [(dynamo_type, t.Any)], module=__name__, gc=False)
