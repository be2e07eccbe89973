"""Filters of a list, and the request that answers them: a Query if they have a hash key, otherwise a Scan."""

from __future__ import annotations

import collections.abc as cabc
import functools
import operator
import typing as t

from flask_admin.babel import lazy_gettext
from flask_admin.model.filters import BaseFilter
from pynamodb.attributes import BooleanAttribute

from dynaflask.integrations.flask_admin.values import from_text
from dynaflask.integrations.flask_admin.values import json_kind
from dynaflask.model.bodies.fields import Field
from dynaflask.model.pynamodb_internals import hash_key_attribute
from dynaflask.model.pynamodb_internals import indexes
from dynaflask.model.tenant_key import TenantKey

if t.TYPE_CHECKING:
    from pynamodb.expressions.condition import Condition

EQUALS: t.Final = "equals"
OPERATORS: t.Final[dict[str, t.Callable[[t.Any, t.Any], Condition]]] = {
    EQUALS: operator.eq,
    "starts with": lambda attribute, prefix: attribute.startswith(prefix),
    "at least": operator.ge,
    "at most": operator.le,
}
YES_OR_NO: t.Final = (("true", "Yes"), ("false", "No"))


class AttributeFilter(BaseFilter):  # type: ignore[misc]  # Flask-Admin comes without types
    """A filter on one attribute.

    Args:
        field: The field of the model's bodies.
        name: The label of the attribute.
        operation: ``"equals"``, ``"starts with"``, ``"at least"`` or ``"at most"``.
    """

    def __init__(self, field: Field, name: str, *, operation: str = "equals") -> None:
        super().__init__(name, options=YES_OR_NO if isinstance(field.attribute, BooleanAttribute) else None)
        self.attribute = field.attribute
        self._field = field
        self._operation = operation

    @property
    def is_equality(self) -> bool:
        """True if the attribute has one value in all items that pass."""
        return self.is_key_condition and self._operation == EQUALS

    @property
    def is_key_condition(self) -> bool:
        """True if DynamoDB takes the condition for a key, which is unknown for a subclass with its own ``apply``."""
        return type(self).apply is AttributeFilter.apply

    def operation(self) -> t.Any:
        """The name of the operation."""
        return lazy_gettext(self._operation)

    def clean(self, value: str) -> t.Any:
        """The value of what a person typed.

        Args:
            value: The text.

        Raises:
            ValueError: It is no value of the attribute.
        """
        return from_text(self._field, value)

    def apply(self, query: t.Any, value: t.Any) -> Condition:
        """The condition.

        Args:
            query: Not used.
            value: The value to compare with.
        """
        return OPERATORS[self._operation](self.attribute, value)


def filters_of(field: Field, name: str) -> list[AttributeFilter]:
    """The filters that an attribute supports: none for maps, lists and sets.

    Args:
        field: The field of the model's bodies.
        name: The label of the attribute.
    """
    kind = json_kind(field.attribute)
    is_ordered = kind in {"string", "date-time", "byte", "number", "integer"}
    supported = {
        EQUALS: is_ordered or kind == "boolean",
        # The beginning of a time, or of Base64, is no value.
        "starts with": kind == "string",
        "at least": is_ordered,
        "at most": is_ordered,
    }
    return [AttributeFilter(field, name, operation=each) for each, is_one in supported.items() if is_one]


class Selection(t.NamedTuple):
    """A filter with its value."""

    filter: AttributeFilter
    value: t.Any

    @property
    def condition(self) -> Condition:
        """The condition."""
        return self.filter.apply(None, self.value)

    def is_on(self, attribute: t.Any) -> bool:
        """True if the filter is on this attribute, or on the same one of another class."""
        return attribute is not None and self.filter.attribute.attr_name == attribute.attr_name


class Request(t.NamedTuple):
    """A query or a scan: ``method(*args, filter_condition=...)``."""

    method: t.Callable[..., t.Any]
    args: tuple[t.Any, ...]
    filter_condition: Condition | None


def request_of(model: t.Any, selections: cabc.Sequence[Selection], *, may_scan: bool) -> Request | None:
    """The request for the items that pass all filters.

    Args:
        model: The model.
        selections: The filters.
        may_scan: False if the table or an index could return the items of other tenants.

    Returns:
        A Query of the table or of an index, if one filter has its hash key, and at most one its range key. Otherwise a
        Scan, or None if there must be none.
    """
    owners = [model, *(index for index in indexes(model).values() if may_scan or _is_of_one_tenant(index))]
    queries = [query for owner in owners if (query := _query_of(owner, selections)) is not None]
    if queries:
        # The narrowest: with a condition on the range key.
        return max(queries, key=lambda query: len(query.args))
    return Request(model.scan, (), _combined(selections)) if may_scan else None


def _is_of_one_tenant(index: t.Any) -> bool:
    return isinstance(hash_key_attribute(index), TenantKey)


def _query_of(owner: t.Any, selections: cabc.Sequence[Selection]) -> Request | None:
    hash_key, range_key = hash_key_attribute(owner), range_key_of(owner)
    on_hash_key = [selection for selection in selections if selection.is_on(hash_key)]
    on_range_key = [selection for selection in selections if selection.is_on(range_key)]
    # DynamoDB takes one condition on each key, and none of the keys in a filter.
    is_on_key = len(on_hash_key) == 1 and on_hash_key[0].filter.is_equality
    if not is_on_key or len(on_range_key) > 1 or not all(each.filter.is_key_condition for each in on_range_key):
        return None
    others = [selection for selection in selections if selection not in (*on_hash_key, *on_range_key)]
    args = (on_hash_key[0].value, *(selection.condition for selection in on_range_key))
    return Request(owner.query, args, _combined(others))


def range_key_of(owner: t.Any) -> t.Any:
    """The range key of a model or of an index, or None.

    Args:
        owner: The model or the index.
    """
    is_model = hasattr(owner, "get_attributes")
    attributes = owner.get_attributes() if is_model else owner.Meta.attributes
    return next((attribute for attribute in attributes.values() if attribute.is_range_key), None)


def _combined(selections: cabc.Sequence[Selection]) -> Condition | None:
    conditions = [selection.condition for selection in selections]
    return functools.reduce(operator.and_, conditions) if conditions else None
