"""Print the functions and the structs that are generated for a model: ``python -m dynaflask.model.codec MODULE:CLASS``.

Where PynamoDB does the work itself, the output says why.
"""

from __future__ import annotations

import argparse
import collections.abc as cabc
import json
import linecache
import pkgutil
import sys
import typing as t

from pynamodb import attributes

from dynaflask.client.codec import json_codec
from dynaflask.model.base import Model
from dynaflask.model.codec import guards
from dynaflask.model.codec.compiled import CompiledCodec
from dynaflask.model.codec.structs import UnsupportedAttribute
from dynaflask.model.codec.structs import compile_item_struct

ATTRIBUTE_METHODS = (*guards.DESERIALIZE_METHODS, *guards.SERIALIZE_METHODS)
CONTAINER_METHODS = (
    *guards.CONTAINER_DESERIALIZE_METHODS,
    *guards.CONTAINER_SERIALIZE_METHODS,
    *guards.CONSTRUCTION_METHODS,
)

# Types of contents with elements, which JSON prints as a list.
COLLECTIONS = (list, set)


def report(model: t.Any) -> cabc.Iterator[str]:
    """The parts of the output: what is generated, and what is not, with the reason.

    Args:
        model: The model's class.
    """
    known = set(linecache.cache)
    codec = CompiledCodec(model, base=Model)
    struct, reason = _item_struct(codec)
    if codec.deserializer is not None:
        _ = codec.deserializer.fill  # compiled at its first use
    yield f"# items to objects: {'generated' if codec.deserializer else 'PynamoDB'}"
    yield f"# objects to items: {'generated' if codec.serializer else 'PynamoDB'}"
    encoder = None if json_codec.msgspec is None else codec.struct_serializer
    yield f"# objects to JSON, for a batch write: {'generated' if encoder else 'from their items'}"
    yield f"# responses to objects: {reason or 'generated'}"
    yield from (f"# {override} overrides PynamoDB's" for override in overrides_of(model))
    for filename in [name for name in linecache.cache if name not in known and name.startswith("<dynaflask ")]:
        yield f"\n# {filename.strip('<>')}\n{''.join(linecache.getlines(filename)).rstrip()}"
    if struct is not None:
        yield f"\n# struct of an item\n{json.dumps(describe(struct), indent=4)}"


def _item_struct(codec: CompiledCodec) -> tuple[t.Any, str | None]:
    """The struct of a model's items, or None and the reason why there is none."""
    if codec.responses is None:
        return None, "item by item, because the model runs code of the program or has a discriminator"
    if json_codec.msgspec is None:
        return None, "item by item, because msgspec is not installed"
    try:
        return compile_item_struct(codec.model).type, None
    except UnsupportedAttribute as error:
        return None, f"item by item, because {error}"


def overrides_of(model: t.Any) -> cabc.Iterator[str]:
    """What a model overrides, so that PynamoDB converts the model or an attribute of it.

    Args:
        model: The model's class.
    """
    if t.cast("t.Any", attributes).json is not json:
        yield "pynamodb.attributes.json"
    yield from guards.overrides(model, guards.MODEL_HOOKS, after=Model)
    yield from _overrides_of_container(model, set())


def _overrides_of_container(container: t.Any, seen: set[type]) -> cabc.Iterator[str]:
    seen.add(container)
    yield from dict.fromkeys(guards.overrides(container, CONTAINER_METHODS))
    for name, attribute in container.get_attributes().items():
        cls = type(attribute)
        for method in dict.fromkeys(guards.overrides(cls, ATTRIBUTE_METHODS)):
            yield f"{method} of {container.__name__}.{name}"
        if isinstance(attribute, attributes.MapAttribute) and cls is not attributes.MapAttribute and cls not in seen:
            yield from _overrides_of_container(cls, seen)


def describe(struct: t.Any) -> t.Any:
    """A struct as JSON: the content of each of DynamoDB's types, by name.

    Args:
        struct: A struct of msgspec, or the type of a content.
    """
    if t.get_origin(struct) in COLLECTIONS:
        return [describe(t.get_args(struct)[0])]
    if not hasattr(struct, "__struct_fields__"):
        return struct.__name__
    fields = json_codec.msgspec.structs.fields(struct)
    return {field.encode_name: describe(_without_unset(field.type)) for field in fields}


def _without_unset(field_type: t.Any) -> t.Any:
    return field_type if t.get_origin(field_type) in COLLECTIONS else (t.get_args(field_type) or (field_type,))[0]


def main(arguments: cabc.Sequence[str] | None = None) -> None:
    """Print the report of a model.

    Args:
        arguments: Arguments of the command line.
    """
    parser = argparse.ArgumentParser(prog="python -m dynaflask.model.codec", description=__doc__)
    parser.add_argument("model", metavar="MODULE:CLASS", help="the model, such as forum.models:Thread")
    path = parser.parse_args(arguments).model
    sys.path.insert(0, "")
    try:
        model = pkgutil.resolve_name(path)
    except (AttributeError, ImportError, ValueError) as error:
        parser.error(f"{path} cannot be imported: {error}")
    if not (isinstance(model, type) and issubclass(model, Model)):
        parser.error(f"{path} is not a model of db.Model.")
    print(*report(model), sep="\n")  # noqa: T201 - the output of the command


if __name__ == "__main__":
    main()
