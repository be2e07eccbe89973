"""The function that encodes the usual object of a class to JSON, without the dicts of an item.

A batch write has hundreds of these dicts, which take longer to make, to encode and to free than their values. The
objects are those that ``usual_items.py`` serializes, and the JSON is what msgspec makes of the same item. For any other
object it raises a KeyError.
"""

from __future__ import annotations

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

Encode = t.Callable[[t.Any], bytes]


def checked_encoder(cls: t.Any, functions: Functions | None) -> CheckedSerializer | None:
    """As a checked serializer, but the item of a usual object is a ``msgspec.Raw``; None if there is no usual object.

    Args:
        cls: A model.
        functions: The functions that serialize the model.
    """
    usual_body = compile_usual_body(cls, functions)
    if functions is None or usual_body is None:
        return None
    raw, serialize = json_codec.msgspec.Raw, t.cast("CheckedSerializer", functions.serialize)

    def encode(instance: t.Any) -> tuple[t.Any, bool]:
        try:
            return raw(usual_body(instance)), True
        except (KeyError, ValueError):
            pass
        # Outside of the handler, so that the error of a wrong value does not begin with a KeyError.
        return serialize(instance)

    return encode


def compile_usual_body(cls: t.Any, functions: Functions | None) -> Encode | None:
    """The function for the usual objects of a class, with msgspec; None if there is no usual object.

    It raises a ValueError for a text that JSON does not have, such as a lone surrogate.

    Args:
        cls: A model or a map.
        functions: The functions that serialize the class.
    """
    usual = None if functions is None else functions.usual_values
    # A comma beside a value that may be absent needs a value that is there. The hash key of a model always is.
    if functions is None or usual is None or all(value.field.is_nullable for value in usual):
        return None
    # A dict has the last of two attributes with one name in DynamoDB, and JSON would have both.
    if len({value.field.dynamo_name for value in usual}) < len(usual):
        return None
    namespace = {**functions.namespace, "encode": json_codec.msgspec.json.encode}
    for value in usual:
        if value.map_functions is not None:
            body_of_map = compile_usual_body(value.field.map_class, value.map_functions)
            if body_of_map is None:
                return None
            namespace[f"body_of_{value.name}"] = body_of_map
    name = f"usual_body_of_{function_suffix(cls)}"
    template, arguments = _members(usual)
    lines = [
        f"def {name}(instance):",
        *indented(checked_values_source(cls, usual)),
        f"    return {template!r} % (",
        *indented(indented([f"{argument}," for argument in arguments])),
        "    )",
    ]
    execute("\n".join([*lines, ""]), namespace, title="encoder", cls=cls)
    return t.cast("Encode", namespace[name])


def _members(usual: list[UsualValue]) -> tuple[bytes, list[str]]:
    """The members of the JSON object, with a place for each value, and the sources of what stands in the places."""
    template, arguments, is_first = b"", [], True
    for value in usual:
        names = (value.field.dynamo_name, value.field.dynamo_type)
        member = b"%b:{%b:%%b}" % tuple(json_codec.msgspec.json.encode(name).replace(b"%", b"%%") for name in names)
        content = f"encode({value.content})" if value.map_functions is None else f"body_of_{value.name}({value.name})"
        if value.field.is_nullable:
            member = member + b"," if is_first else b"," + member
            template += b"%b"
            arguments.append(f"b'' if {value.name} is None else {member!r} % {content}")
        else:
            template += member if is_first else b"," + member
            arguments.append(content)
            is_first = False
    return b"{%b}" % template, arguments
