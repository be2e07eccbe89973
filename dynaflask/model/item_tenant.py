"""The tenant of an object: what was read or saved for one tenant does not reach another tenant's table."""

from __future__ import annotations

import typing as t

from dynaflask.client.direct.page_decoder import PageDecoder
from dynaflask.exceptions import DynaflaskError
from dynaflask.exceptions import TenantMismatch
from dynaflask.registry.context import current_scope
from dynaflask.registry.scope import Scope

NAME: t.Final = "_dynamo_tenant"


class ItemTenantMixin:
    """Model methods that remember the tenant of an object, and refuse the object for a tenant with another table.

    PynamoDB calls these for each operation on an object: save, update, delete, refresh, and those of transactions and
    batches. Without a tenant, they cost one look at a class attribute.
    """

    _dynamo_tenant: str | None = None

    def serialize(self, null_check: bool = True) -> dict[str, dict[str, t.Any]]:
        """The item; see PynamoDB.

        Raises:
            TenantMismatch: The object is another tenant's.
        """
        require_own_tenant(self)
        return t.cast("dict[str, t.Any]", t.cast("t.Any", super()).serialize(null_check=null_check))

    def _get_hash_range_key_serialized_values(self) -> tuple[t.Any, t.Any]:
        require_own_tenant(self)
        return t.cast("tuple[t.Any, t.Any]", t.cast("t.Any", super())._get_hash_range_key_serialized_values())

    def _get_keys(self) -> dict[str, t.Any]:
        require_own_tenant(self)
        return t.cast("dict[str, t.Any]", t.cast("t.Any", super())._get_keys())

    def deserialize(self, attribute_values: dict[str, dict[str, t.Any]]) -> None:
        """Set the values of an item that was read; see PynamoDB."""
        t.cast("t.Any", super()).deserialize(attribute_values)
        remember_tenant(self)

    def update_local_version_attribute(self) -> None:
        """Count the version after a write; see PynamoDB."""
        t.cast("t.Any", super()).update_local_version_attribute()
        remember_tenant(self)


def remember_tenant(item: t.Any) -> None:
    """Remember the current tenant as an object's, if there is one."""
    scope = current_scope(item.__dynamo__)
    tenant = None if scope is None else scope.known_tenant
    if tenant is not None:
        vars(item)[NAME] = tenant


def with_tenant(make: t.Callable[[t.Any], t.Any], tenant: str | None) -> t.Callable[[t.Any], t.Any]:
    """A function that makes objects of a tenant's items. Without a tenant, it is the given one."""
    if tenant is None:
        return make

    def make_for_tenant(data: t.Any) -> t.Any:
        item = make(data)
        # Not setattr, which may run code of the program.
        item.__dict__[NAME] = tenant
        return item

    return make_for_tenant


class TenantPageDecoder:
    """Decodes pages for one scope: the objects remember the scope's tenant.

    Args:
        responses: Decodes pages of the model, for any scope.
        tenant: The tenant's name, or None.
    """

    def __init__(self, responses: PageDecoder, tenant: str | None) -> None:
        self._responses = responses
        self._tenant = tenant

    def decode(self, body: bytes) -> dict[str, t.Any] | None:
        """The content of a response; see `PageDecoder`.

        Args:
            body: Body of the response.
        """
        content = self._responses.decode(body)
        if content is not None and self._tenant is not None:
            for page in (content.get("Items", ()), *content.get("Responses", {}).values()):
                for item in page:
                    item.__dict__[NAME] = self._tenant
        return content


def require_own_tenant(item: t.Any) -> None:
    """Refuse an object that was read or saved for another tenant, unless both tenants have one table.

    Raises:
        TenantMismatch: The current tenant has another table than the object's. A ``db.without_tenant`` block may use
            any object.
    """
    tenant = item._dynamo_tenant
    scope = None if tenant is None else current_scope(item.__dynamo__)
    if scope is None or scope.principal.is_unrestricted or scope.principal.name == tenant:
        return
    if not _is_same_table(item, scope, tenant):
        name, label = type(item).__name__, repr(scope.tenant) if scope.tenant else "a context without a tenant"
        # Without the other tenant's name: the message may be shown to this tenant.
        raise TenantMismatch(
            f"This {name} was read or saved for another tenant than {label}. To copy it, make a new one from its"
            f" values: {name}(**item.attribute_values)."
        )


def _is_same_table(item: t.Any, scope: Scope, tenant: str) -> bool:
    declaration = scope.registry.models.declaration_of(type(item))
    settings = scope.resolve(declaration)
    try:
        other = scope.for_tenant(tenant).resolve(declaration)
    except DynaflaskError:
        # The object's tenant no longer exists, or its settings are wrong, so its table is unknown.
        return False
    # A computed name may depend on the current tenant, which is not the object's here.
    return settings.is_static and other.is_static and settings.place == other.place
