"""``to_simple_dict`` without the name of the tenant: the dict of an item has the values that the program sees."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from dynaflask.model.tenant_key import SEPARATOR
from dynaflask.model.tenant_key import TenantKey
from dynaflask.registry.context import require_scope


class SimpleDictMixin:
    """Model methods whose dicts have the plain value of a ``TenantKey``, which a client may see and send back."""

    __has_tenant_key__: t.ClassVar[bool]

    def to_simple_dict(self, *, force: bool = False) -> dict[str, t.Any]:
        """A dict of the attributes that JSON can hold, under their names in DynamoDB.

        Args:
            force: True to convert sets and binary values, too, which `from_simple_dict` cannot read.

        Raises:
            ValueError: There is a set or a binary value, and ``force`` is False.
            TenantMismatch: The item belongs to another tenant.
        """
        simple: dict[str, t.Any] = t.cast("t.Any", super()).to_simple_dict(force=force)
        for key in self._tenant_keys(simple):
            # It was serialized for the current tenant, whose name has no separator.
            simple[key.attr_name] = simple[key.attr_name].partition(SEPARATOR)[2]
        return simple

    def from_simple_dict(self, d: dict[str, t.Any]) -> None:
        """Set the attributes from a dict of `to_simple_dict`. A ``TenantKey`` becomes one of the current tenant.

        Args:
            d: Values by their names in DynamoDB.
        """
        stored_keys = {key.attr_name: key.serialize(d[key.attr_name]) for key in self._tenant_keys(d)}
        t.cast("t.Any", super()).from_simple_dict({**d, **stored_keys})

    def _tenant_keys(self, simple: cabc.Mapping[str, t.Any]) -> list[TenantKey]:
        """The tenant keys of a dict that are without the tenant's name there: none in a block without a tenant."""
        if not self.__has_tenant_key__ or require_scope(type(self).__name__).principal.is_unrestricted:
            return []
        attributes = t.cast("t.Any", self).get_attributes().values()
        return [key for key in attributes if isinstance(key, TenantKey) and key.attr_name in simple]
