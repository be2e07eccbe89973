"""The keys of a table: numbers as DynamoDB stores them, and the filters that a query may have."""

from __future__ import annotations

import collections.abc as cabc
import decimal
import itertools
import re
import typing as t

from pynamodb.connection.base import MetaTable
from pynamodb.constants import EXCLUSIVE_START_KEY
from pynamodb.constants import GLOBAL_SECONDARY_INDEXES
from pynamodb.constants import ITEM
from pynamodb.constants import KEY
from pynamodb.constants import LOCAL_SECONDARY_INDEXES
from pynamodb.constants import NUMBER
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path
from pynamodb.types import HASH

from dynaflask.exceptions import ConfigurationError

Json = dict[str, t.Any]

# The exponents that DynamoDB accepts are between -130 and 125. Any other number is left for DynamoDB to refuse.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_INTEGER = re.compile(r"-?[1-9]\d*|0", re.ASCII)

# As it is before a test patches it.
_GET_ITEM_ATTRIBUTE_MAP = MetaTable.get_item_attribute_map
INDEXES = (LOCAL_SECONDARY_INDEXES, GLOBAL_SECONDARY_INDEXES)


class KeyTable(MetaTable):
    """PynamoDB's keys of a table, which writes numbers in keys as DynamoDB stores them.

    DynamoDB compares keys by their value, so that it finds the item 1 as 1.0, too. Local servers compare their text.

    It knows the table's name and keys, and no destination: contexts in which a table has the same name share it.

    Attributes:
        plain_requests: The ``PlainRequests`` of the table, from the first use on.
    """

    plain_requests: t.Any = None

    def __init__(self, data: Json | None) -> None:
        super().__init__(data)
        self._types: dict[str, str] = {}
        self._number_keys: tuple[str, ...] = ()
        self._definitions_read = 0

    @property
    def _untyped(self) -> t.Any:
        # PynamoDB annotates some of the methods only.
        return self

    def has_index(self, name: str) -> bool:
        """True if the table has an index of this name."""
        return t.cast("bool", self._untyped.has_index_name(name))

    def get_identifier_map(self, hash_key: t.Any, range_key: t.Any = None, key: str = KEY) -> Json:
        """The key of one item; see PynamoDB."""
        identifier: Json = super().get_identifier_map(hash_key, range_key=range_key, key=key)
        for value in identifier[key].values():
            if NUMBER in value:
                value.update(canonical_value(value))
        return identifier

    def get_item_attribute_map(self, attributes: Json, item_key: str = ITEM, pythonic_key: bool = True) -> Json:
        """An item, or the key of one; see PynamoDB."""
        if MetaTable.get_item_attribute_map is not _GET_ITEM_ATTRIBUTE_MAP:
            return t.cast("Json", super().get_item_attribute_map(attributes, item_key, pythonic_key))
        types, item = self._key_types(), {}
        # PynamoDB looks for the type of each key in the list of all definitions: a quarter of a batch get of 100 items.
        for name, value in attributes.items():
            dynamo_type = types.get(name)
            typed = value if isinstance(value, dict) else {dynamo_type or self.get_attribute_type(name): value}
            item[name] = canonical_value(typed) if dynamo_type == NUMBER else typed
        return {item_key: item}

    def get_exclusive_start_key_map(self, exclusive_start_key: t.Any) -> Json:
        """The position after which a query or a scan starts; see PynamoDB."""
        position = t.cast("t.Any", super()).get_exclusive_start_key_map(exclusive_start_key)
        # It may be the program's: it does not change in place.
        return {
            EXCLUSIVE_START_KEY: {name: canonical_value(value) for name, value in position[EXCLUSIVE_START_KEY].items()}
        }

    def get_key_names(self, index_name: str | None = None) -> list[str]:
        """The keys of the table and of an index, which a position in it has; see PynamoDB."""
        return list(dict.fromkeys((*self.query_keys(None), *(self.query_keys(index_name) if index_name else ()))))

    def query_keys(self, index_name: str | None) -> list[str]:
        """The names of the keys that a query uses: the hash keys, then the range keys."""
        if index_name is None:
            return [self.hash_keyname] if self.range_keyname is None else [self.hash_keyname, self.range_keyname]
        schema = self._index_schema(index_name)
        # Several keys of one type stay in their order.
        hash_keys = [key["AttributeName"] for key in schema if key["KeyType"] == HASH]
        return hash_keys + [key["AttributeName"] for key in schema if key["KeyType"] != HASH]

    def is_number(self, name: str) -> bool:
        """True if a key has the type number."""
        return self.get_attribute_type(name) == NUMBER

    def _index_schema(self, name: str) -> list[dict[str, str]]:
        indexes = itertools.chain.from_iterable(self.data.get(part) or () for part in INDEXES)
        return next(index["KeySchema"] for index in indexes if index["IndexName"] == name)

    def _key_types(self) -> dict[str, str]:
        """DynamoDB's types of all keys, of the table and of its indexes, by their names."""
        # Only keys are defined. A subclass of a model may add an index, and so a definition, at any time.
        definitions = self.data.get("AttributeDefinitions", [])
        if (number := len(definitions)) != self._definitions_read:
            # Another thread may add one meanwhile: it is read at the next call.
            read = definitions[:number]
            # If a name is there twice, PynamoDB takes the first.
            self._types = {entry["AttributeName"]: entry["AttributeType"] for entry in reversed(read)}
            self._number_keys = tuple(name for name, dynamo_type in self._types.items() if dynamo_type == NUMBER)
            self._definitions_read = number
        return self._types

    def number_keys(self) -> tuple[str, ...]:
        """The names of all keys of type number, of the table and of its indexes."""
        self._key_types()
        return self._number_keys


class KeyCondition(Condition):
    """A condition on a range key of type number, whose values are as DynamoDB stores them.

    Args:
        condition: The program's condition, which stays as it is.
    """

    format_string = "{0}"

    def __init__(self, condition: Condition) -> None:
        super().__init__("", condition)

    def serialize(self, placeholder_names: Json, expression_attribute_values: Json) -> str:
        """The expression; see PynamoDB."""
        others = set(expression_attribute_values)
        expression: str = super().serialize(placeholder_names, expression_attribute_values)
        for placeholder in expression_attribute_values.keys() - others:
            expression_attribute_values[placeholder] = canonical_value(expression_attribute_values[placeholder])
        return expression


def require_hash_key(roles: cabc.Collection[t.Any], *, model: str) -> None:
    """Refuse to create a table without a hash key. PynamoDB allows such a model, which may be a base of others.

    Args:
        roles: The roles of the table's keys: ``"HASH"`` and ``"RANGE"``.
        model: Name of the model.

    Raises:
        ConfigurationError: There is no hash key.
    """
    if HASH not in roles:
        raise ConfigurationError(
            f"{model} declares no hash key, which each table needs. Add one, such as `id ="
            " UnicodeAttribute(hash_key=True)`. If it is a base of other models, move its table_name to them."
        )


def check_filter(condition: Condition, key_names: cabc.Collection[str], *, queried: str) -> None:
    """Refuse a filter that DynamoDB refuses. A local server accepts it.

    Args:
        condition: The filter of a query.
        key_names: The keys of the table or of the index that the query reads.
        queried: What it reads, for the message.

    Raises:
        ValueError: The filter names one of the keys.
    """
    for name in _names(condition):
        if name in key_names:
            raise ValueError(
                "Filter Expression can only contain non-primary key attributes: Primary key attribute:"
                f" {name}. It is a key of {queried}: move the condition to range_key_condition, or leave it out if the"
                " hash_key decides it."
            )


def _names(condition: Condition) -> cabc.Iterator[str]:
    """The names of the attributes in a condition."""
    parts: list[t.Any] = [condition]
    while parts:
        part = parts.pop()
        if isinstance(part, Path):
            # A path may have the index of a list: `name[0]`.
            yield part.path[0].partition("[")[0]
        elif isinstance(values := getattr(part, "values", None), tuple):
            parts += values


def canonical_value(value: t.Any) -> t.Any:
    """An attribute value, with a number as DynamoDB stores it."""
    is_number = isinstance(value, dict) and type(value.get(NUMBER)) is str
    return {NUMBER: canonical_number(value[NUMBER])} if is_number else value


def canonical_number(text: str) -> str:
    """A number as DynamoDB stores it, without exponent, leading and trailing zeros: 1 for ``"1.0"`` and ``"1e0"``.

    A text that is no number of DynamoDB stays as it is.
    """
    if _INTEGER.fullmatch(text) or not _NUMBER.fullmatch(text):
        return text
    number = decimal.Decimal(text)
    # Not Decimal.normalize(), which rounds to the precision of the current decimal context.
    plain = f"{number:f}" if number else "0"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain
