"""``Model.get_or_create``: the item with these keys, created if there is none."""

from __future__ import annotations

import typing as t

from pynamodb.expressions.condition import Condition

from dynaflask.exceptions import ConditionFailed
from dynaflask.model.expired import is_hiding
from dynaflask.model.pynamodb_internals import hash_key_attribute

C = t.TypeVar("C", bound="GetOrCreateMixin")


class GetOrCreateMixin:
    """A model method that returns an item, and creates it if there is none."""

    @classmethod
    def get_or_create(cls: type[C], hash_key: t.Any, range_key: t.Any = None, **attributes: t.Any) -> tuple[C, bool]:
        """The item with these keys. If there is none, it is created, in the same request.

        Of several callers at the same time, one creates the item, and all get it. An existing item does not change. The
        request is a conditional write, which consumes write capacity also if the item exists. If most calls find the
        item, try ``get`` first.

        Args:
            hash_key: The hash key.
            range_key: The range key, where the table has one.
            **attributes: Values of the other attributes of a new item.

        Returns:
            The item, and True if this call created it. If the response is lost and botocore repeats the request, it is
            False for the item that the first attempt created.

        Raises:
            PutError: DynamoDB refused. With an endpoint that does not return the item of a failed condition, it is a
                ``ConditionFailed``.
        """
        item: t.Any = t.cast("t.Any", cls)(hash_key, range_key, **attributes)
        try:
            # A new version starts at 1, also if an expired item had one.
            item.save(_is_absent(cls), add_version_condition=False, return_values_on_condition_failure="ALL_OLD")
        except ConditionFailed as error:
            if error.item is None:
                raise
            return t.cast("C", error.item), False
        return t.cast("C", item), True


def _is_absent(model: t.Any) -> Condition:
    is_absent: Condition = hash_key_attribute(model).does_not_exist()
    if not is_hiding(model):
        return is_absent
    from dynaflask.client.expiry import expired_condition  # noqa: PLC0415 - few models hide expired items

    condition: Condition = is_absent | expired_condition(model.__declaration__.expiry)
    return condition
