"""From an object to an item: :func:`writing`."""

from __future__ import annotations

import base64
import datetime as dt
import typing as t

from pynamodb import attributes
from pynamodb.attributes import Attribute
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.constants import NULL
from pynamodb.exceptions import AttributeNullError

from dynaflask.model.codec import values as convert
from dynaflask.model.codec.guards import GIVE_STEPS
from dynaflask.model.codec.guards import MAKE_STEPS
from dynaflask.model.codec.guards import WRITE_STEPS
from dynaflask.model.codec.guards import Facts
from dynaflask.model.codec.guards import Plan
from dynaflask.model.codec.guards import if_raw_is_own
from dynaflask.model.codec.guards import is_own
from dynaflask.model.codec.guards import is_own_attribute
from dynaflask.model.codec.guards import is_own_object
from dynaflask.model.codec.guards import key_of
from dynaflask.model.codec.values import Convert

Writer = t.Callable[[t.Any], dict[str, t.Any]]
Writers = dict[type, Convert]


class WriteStep(t.NamedTuple):
    """How one attribute is written.

    Attributes:
        name: Its name in the model.
        key: Where an object keeps its value.
        dynamo_name: Its name in the item.
        kind: DynamoDB's name of its type.
        plain: The type of values that are written as they are, if there is one.
        write: What makes of any other value what is written.
        is_null_fine: Whether there need not be a value.
    """

    name: str
    key: str
    dynamo_name: str
    kind: str
    plain: type | None
    write: Convert
    is_null_fine: bool


def writing(model: t.Any, *, beneath: type) -> Plan[Writer]:
    """How objects of a model become items, with its check for values that are missing.

    Args:
        model: The model's class.
        beneath: The base of it that follows the plan.
    """
    return Plan(model, _writer, beneath=beneath)


def _writer(cls: t.Any, facts: Facts) -> Writer | None:
    if not is_own_object(cls, GIVE_STEPS, facts) or cls in facts.in_progress:
        return None
    if not all(is_own(type(found), ["__get__"]) for found in cls.get_attributes().values()):
        return None
    facts.in_progress.add(cls)
    steps = [_write_step(cls, name, found, facts) for name, found in cls.get_attributes().items()]
    facts.in_progress.discard(cls)
    return _compiled(steps)


def _compiled(steps: list[WriteStep]) -> Writer:
    """A function with a block for each attribute: a loop over them takes half as long again."""
    known: dict[str, t.Any] = {"AttributeNullError": AttributeNullError}
    lines = ["def write(instance):", "    get, item = instance.attribute_values.get, {}"]
    for number, step in enumerate(steps):
        known[f"write{number}"] = step.write
        lines += _block(number, step, known)
    exec("\n".join([*lines, "    return item"]), known)  # noqa: S102 - nothing but names comes in, each quoted by repr
    return t.cast("Writer", known["write"])


def _block(number: int, step: WriteStep, known: dict[str, t.Any]) -> list[str]:
    put = f"item[{step.dynamo_name!r}] = {{{step.kind!r}: value}}"
    convert_and_put = [
        "    if value is not None:",
        f"        value = write{number}(value)",
        "    if value is not None:",
        f"        {put}",
        *([] if step.is_null_fine else ["    else:", f"        raise AttributeNullError({step.name!r})"]),
    ]
    if step.plain is None:
        return [f"    value = get({step.key!r})", *convert_and_put]
    known[f"plain{number}"] = step.plain
    return [
        f"    value = get({step.key!r})",
        f"    if type(value) is plain{number}:",
        f"        {put}",
        "    else:",
        *(f"    {line}" for line in convert_and_put),
    ]


def _write_step(cls: t.Any, name: str, attribute: t.Any, facts: Facts) -> WriteStep:
    takes_null_check = isinstance(attribute, (ListAttribute, MapAttribute))

    def write_other(value: t.Any) -> t.Any:
        if isinstance(value, MapAttribute) and not value.validate(null_check=True):
            raise ValueError(f"Attribute '{name}' is not correctly typed")
        return attribute.serialize(value, null_check=True) if takes_null_check else attribute.serialize(value)

    writers = _attribute_writers(attribute, write_other, facts)

    def write(value: t.Any) -> t.Any:
        try:
            return writers.get(type(value), write_other)(value)
        except AttributeNullError as error:
            error.prepend_path(name)
            raise

    # A writer that is the type itself leaves such a value as it is.
    plain = next((kind for kind, writer in writers.items() if writer is kind), None)
    kind, dynamo_name = attribute.attr_type, attribute.attr_name
    return WriteStep(name, key_of(cls, attribute), dynamo_name, kind, plain, write, attribute.null)


def _attribute_writers(attribute: t.Any, write_other: Convert, facts: Facts) -> Writers:
    """What ``serialize`` gives for values of these types, if it is PynamoDB's."""
    if not is_own_attribute(attribute, WRITE_STEPS, facts):
        return {}
    cls = type(attribute)
    if isinstance(attribute, MapAttribute):
        return _map_writers(cls, write_other, facts)
    if isinstance(attribute, ListAttribute):
        is_typed = attribute.element_type is not None
        write = _list_writer(attribute, facts) if is_typed else if_raw_is_own(convert.write_list, facts)
        return {list: write} if write else {}
    return _value_writers(cls, getattr(attribute, "legacy_encoding", False))


def _value_writers(cls: t.Any, is_legacy: bool) -> Writers:
    return (LEGACY_WRITERS if is_legacy else WRITERS).get(cls.serialize, {})


def _map_writers(cls: t.Any, write_other: Convert, facts: Facts) -> Writers:
    write = _map_writer(cls, facts)
    if write is None:
        return {}
    required = [key_of(cls, found) for found in cls.get_attributes().values() if not found.null]

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
    write = if_raw_is_own(convert.write_map, facts)
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
        write_raw = if_raw_is_own(convert.write_map, facts)
        return {dict: write_raw} if write_raw else {}
    if issubclass(cls, MapAttribute):
        write = _map_writer(cls, facts) if is_own(cls, WRITE_STEPS) else None
        return {cls: write} if write else {}
    if issubclass(cls, ListAttribute) or not is_own(cls, (*WRITE_STEPS, *MAKE_STEPS)):
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
