"""The serializer that makes a struct of an object, instead of a dict. msgspec encodes the struct as the object's item.

A batch write has hundreds of dicts, which take longer to make, to encode and to free than structs. The objects are
those that ``fast_path.py`` serializes, and the JSON is what msgspec makes of the same item. The item of any other
object is a dict.
"""

from __future__ import annotations

import functools
import typing as t

from dynaflask.client.codec import json_codec
from dynaflask.model.codec.fast_path import FieldSource
from dynaflask.model.codec.fast_path import checked_values_source
from dynaflask.model.codec.source import execute
from dynaflask.model.codec.source import function_suffix
from dynaflask.model.codec.source import indented

if t.TYPE_CHECKING:
    from dynaflask.model.codec.serializer import CheckedSerializer
    from dynaflask.model.codec.serializer import Functions

Make = t.Callable[[t.Any], t.Any]


def struct_serializer(cls: t.Any, functions: Functions | None) -> CheckedSerializer | None:
    """As a checked serializer, but an item of the fast path is a struct; None if there is no fast path.

    Args:
        cls: A model.
        functions: The functions that serialize the model.
    """
    make_struct = compile_struct_maker(cls, functions)
    if functions is None or make_struct is None:
        return None
    serialize = t.cast("CheckedSerializer", functions.serialize)

    def serialize_to_struct(instance: t.Any) -> tuple[t.Any, bool]:
        try:
            return make_struct(instance), True
        except KeyError:
            pass
        # Outside of the handler, so that the error of a wrong value does not begin with a KeyError.
        return serialize(instance)

    return serialize_to_struct


def compile_struct_maker(cls: t.Any, functions: Functions | None) -> Make | None:
    """The function that makes a struct of an object, or raises a KeyError; None if there is no fast path, or no struct.

    Args:
        cls: A model or a map.
        functions: The functions that serialize the class.
    """
    sources = None if functions is None else functions.field_sources
    struct = None if sources is None else _struct(cls, sources)
    if functions is None or sources is None or struct is None:
        return None
    namespace = {**functions.namespace, "struct": struct, "UNSET": json_codec.msgspec.UNSET}
    for source in sources:
        namespace[f"typed_{source.field.dynamo_type}"] = _typed_value(source.field.dynamo_type)
        if source.map_functions is not None:
            namespace[f"struct_of_{source.name}"] = compile_struct_maker(source.field.map_class, source.map_functions)
            if namespace[f"struct_of_{source.name}"] is None:
                return None
    name = f"make_struct_of_{function_suffix(cls)}"
    lines = [
        f"def {name}(instance):",
        *indented(checked_values_source(cls, sources)),
        "    return struct(",
        *indented(indented([f"{_argument(source)}," for source in sources])),
        "    )",
    ]
    execute("\n".join([*lines, ""]), namespace, title="encoder", cls=cls)
    return t.cast("Make", namespace[name])


def _argument(source: FieldSource) -> str:
    """Source of the typed value. msgspec leaves out what is UNSET."""
    content = source.content if source.map_functions is None else f"struct_of_{source.name}({source.name})"
    typed = f"typed_{source.field.dynamo_type}({content})"
    return f"UNSET if {source.name} is None else {typed}" if source.field.is_nullable else typed


def _struct(cls: t.Any, sources: list[FieldSource]) -> t.Any:
    """The struct of an item or a map; None if msgspec has none with these names."""
    names = {source.name: source.field.dynamo_name for source in sources}
    fields = [(name, t.Any) for name in names]
    try:
        # Without a cycle, it needs no garbage collector.
        return json_codec.msgspec.defstruct(cls.__name__, fields, rename=names, module=__name__, gc=False)
    except ValueError:  # one name twice, or with a quotation mark
        return None


@functools.cache
def _typed_value(dynamo_type: str) -> t.Any:
    return json_codec.msgspec.defstruct(dynamo_type, [(dynamo_type, t.Any)], module=__name__, gc=False)
