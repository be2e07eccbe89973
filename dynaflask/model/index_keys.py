"""Keys of indexes: their order, their limits, and queries by their names.

A key of a global index may have up to four attributes. A query gives a value for each attribute of the hash key, and
for the attributes of the range key from the first one on.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.DesignPattern.MultiAttributeKeys.html
"""

from __future__ import annotations

import itertools
import typing as t

from pynamodb.expressions.condition import Condition
from pynamodb.indexes import GlobalSecondaryIndex

from dynaflask.model.counts import COUNT_ARGUMENTS
from dynaflask.model.counts import QUERY_ARGUMENTS
from dynaflask.model.pynamodb_internals import indexes
from dynaflask.model.tenant_key import TenantKey

MAX_KEY_ATTRIBUTES = 4


class IndexKeysMixin:
    """The ``query`` and the ``count`` of a model, which take the keys of an index as a dict."""

    __wide_indexes__: t.ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def query(cls, *args: t.Any, **options: t.Any) -> t.Any:
        """The items of one hash key; see PynamoDB.

        Raises:
            ValueError: As of `key_condition`.
        """
        query = t.cast("t.Any", super()).query
        if _has_names(cls, args, options):
            return query(**_with_keys(cls, QUERY_ARGUMENTS, args, options))
        return query(*args, **options)

    @classmethod
    def count(cls, *args: t.Any, **options: t.Any) -> int:
        """Number of items; see PynamoDB.

        Raises:
            ValueError: As of `key_condition`.
        """
        count = t.cast("t.Any", super()).count
        if _has_names(cls, args, options):
            return t.cast("int", count(**_with_keys(cls, COUNT_ARGUMENTS, args, options)))
        return t.cast("int", count(*args, **options))


def prepare_indexes(model: t.Any) -> frozenset[str]:
    """Put the keys of a model's indexes into the order of their classes. PynamoDB sorts them by name.

    Returns:
        The names of the indexes with more than one hash key.

    Raises:
        TypeError: An index has more keys than DynamoDB allows, or a ``TenantKey`` after another hash key.
    """
    for index in indexes(model).values():
        attributes = index.Meta.attributes
        names = dict.fromkeys(itertools.chain.from_iterable(vars(cls) for cls in reversed(type(index).__mro__)))
        index.Meta.attributes = {name: attributes[name] for name in names if name in attributes}
        _check_keys(index, model)
    return frozenset(name for name, index in indexes(model).items() if len(_hash_keys(index)) > 1)


def key_condition(index: t.Any, values: dict[str, t.Any]) -> tuple[t.Any, Condition | None]:
    """The value of the first hash key, and the condition on the other keys.

    Args:
        index: The index.
        values: The values of the keys, by their names in the index class.

    Raises:
        ValueError: A hash key has no value, the range keys are not named from the first one on, or a name is no key of
            the index.
    """
    attributes, name_of_index = index.Meta.attributes, index.Meta.index_name
    hash_keys, range_keys = _hash_keys(index), _range_keys(index)
    values = {name: value for name, value in values.items() if value is not None}
    if unknown := sorted(values.keys() - {*hash_keys, *range_keys}):
        raise ValueError(f"{', '.join(unknown)} is no key of the index {name_of_index!r}. {_usage(index)}")
    if missing := [name for name in hash_keys if name not in values]:
        raise ValueError(f"The index {name_of_index!r} needs a value for {', '.join(missing)}. {_usage(index)}")
    named = [name for name in range_keys if name in values]
    if named != range_keys[: len(named)]:
        raise ValueError(f"The index {name_of_index!r} needs its range keys from the first one on. {_usage(index)}")
    first, *others = (*hash_keys, *named)
    condition: Condition | None = None
    for name in others:
        equals = attributes[name] == values[name]
        condition = equals if condition is None else condition & equals
    return values[first], condition


def _check_keys(index: t.Any, model: t.Any) -> None:
    limit = MAX_KEY_ATTRIBUTES if isinstance(index, GlobalSecondaryIndex) else 1
    for kind, keys in (("hash keys", _hash_keys(index)), ("range keys", _range_keys(index))):
        if len(keys) > limit:
            raise TypeError(
                f"The index {index.Meta.index_name!r} of {model.__name__} has {len(keys)} {kind}. DynamoDB allows up to"
                f" {MAX_KEY_ATTRIBUTES} in a global index, and 1 in a local one."
            )
    if any(isinstance(index.Meta.attributes[name], TenantKey) for name in _hash_keys(index)[1:]):
        raise TypeError(
            f"The index {index.Meta.index_name!r} of {model.__name__} has a TenantKey after another hash key. Declare"
            " the TenantKey first: a query finds its tenant by the first one."
        )


def _has_names(model: t.Any, args: tuple[t.Any, ...], options: dict[str, t.Any]) -> bool:
    # In all other cases, the arguments go to PynamoDB unchanged: tests may look at them.
    if isinstance(args[0] if args else options.get("hash_key"), dict):
        return True
    return bool(model.__wide_indexes__) and _index_name(args, options) in model.__wide_indexes__


def _with_keys(
    model: t.Any, names: tuple[str, ...], args: tuple[t.Any, ...], options: dict[str, t.Any]
) -> dict[str, t.Any]:
    """The arguments of PynamoDB's query or count, with the first hash key and a condition on the others."""
    options = {**dict(zip(names, args, strict=False)), **options}
    index = indexes(model).get(options.get("index_name", ""))
    if index is None:
        raise ValueError("Only the keys of an index can be a dict. Pass the value of the table's hash key.")
    values = options.get("hash_key")
    if not isinstance(values, dict):
        raise ValueError(f"The index {index.Meta.index_name!r} has several hash keys. {_usage(index)}")
    hash_key, condition = key_condition(index, values)
    further = options.get("range_key_condition")
    if condition is not None and further is not None:
        condition &= further
    return {**options, "hash_key": hash_key, "range_key_condition": further if condition is None else condition}


def _index_name(args: tuple[t.Any, ...], options: dict[str, t.Any]) -> t.Any:
    position = QUERY_ARGUMENTS.index("index_name")
    return args[position] if len(args) > position else options.get("index_name")


def _usage(index: t.Any) -> str:
    example = ", ".join(f"{name!r}: ..." for name in _hash_keys(index))
    return f"Query it with a dict: {{{example}}}."


def _hash_keys(index: t.Any) -> list[str]:
    return [name for name, attribute in index.Meta.attributes.items() if attribute.is_hash_key]


def _range_keys(index: t.Any) -> list[str]:
    return [name for name, attribute in index.Meta.attributes.items() if attribute.is_range_key]
