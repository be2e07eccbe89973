"""The tenant of an object: what was read or saved for one tenant does not reach another tenant's table."""

from __future__ import annotations

import typing as t

from dynaflask.exceptions import DynaflaskError
from dynaflask.exceptions import TenantMismatch
from dynaflask.registry.context import current_scope

if t.TYPE_CHECKING:
    from dynaflask.client.direct.page_decoder import PageDecoder
    from dynaflask.registry.declaration import DeclaredMeta
    from dynaflask.registry.precedence import EffectiveSettings
    from dynaflask.registry.registry import Registry
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
        remember_tenant(self, current_scope(t.cast("t.Any", self).__dynamo__))

    def update_local_version_attribute(self) -> None:
        """Count the version after a write; see PynamoDB."""
        t.cast("t.Any", super()).update_local_version_attribute()
        remember_tenant(self, current_scope(t.cast("t.Any", self).__dynamo__))


def remember_tenant(item: t.Any, scope: Scope | None) -> None:
    """Remember the tenant of a scope as an object's, if there is one."""
    tenant = None if scope is None else scope.known_tenant
    if tenant is not None:
        # Not setattr, which may run code of the program.
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


def with_tenant_of_results(make: t.Callable[[t.Any], t.Any], tenant: str) -> t.Callable[[t.Any], t.Any]:
    """A function of the program that makes objects of a tenant's items, which remember the tenant."""

    def make_for_tenant(data: t.Any) -> t.Any:
        item = make(data)
        # The program may return anything.
        if isinstance(item, ItemTenantMixin):
            vars(item)[NAME] = tenant
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
        TenantMismatch: The current tenant has another table than the object's. So has a tenant of that name in another
            app. A ``db.without_tenant`` block may use any object.
    """
    tenant = item._dynamo_tenant
    scope = None if tenant is None else current_scope(item.__dynamo__)
    if scope is None or scope.principal.is_unrestricted or scope.known_tenant is tenant:
        return
    is_same_app = _is_same_app(tenant, scope.registry)
    if is_same_app and scope.principal.name == tenant:
        return
    if not _is_same_table(item, scope, tenant, is_same_app=is_same_app):
        name, label = type(item).__name__, repr(scope.tenant) if scope.tenant else "a context without a tenant"
        label += "" if is_same_app else f" of the app {scope.registry.app_name!r}"
        # Without the other tenant's name: the message may be shown to this tenant.
        raise TenantMismatch(
            f"This {name} was read or saved for another tenant than {label}. To copy it, make a new one from its"
            f" values: {name}(**item.attribute_values)."
        )


def _is_same_app(tenant: t.Any, registry: Registry) -> bool:
    # The name of another process has no registry, and a plain string has no app either.
    if getattr(tenant, "registry", None) is None:
        return getattr(tenant, "app_name", registry.app_name) == registry.app_name
    return tenant.registry() is registry


def _is_same_table(item: t.Any, scope: Scope, tenant: t.Any, *, is_same_app: bool) -> bool:
    declaration = scope.registry.models.declaration_of(type(item))
    settings = scope.resolve(declaration)
    try:
        other = scope.for_tenant(tenant).resolve(declaration) if is_same_app else _known_settings(declaration, tenant)
    except DynaflaskError:
        # The object's tenant no longer exists, or its settings are wrong, so its table is unknown.
        return False
    # A computed name may depend on the current tenant, which is not the object's here.
    return other is not None and settings.is_static and other.is_static and settings.place == other.place


def _known_settings(declaration: DeclaredMeta, tenant: t.Any) -> EffectiveSettings | None:
    """A model's settings for a tenant of another app, if that app still has it. The program's functions are not called.

    They look up tenants of the current app.
    """
    registry: Registry | None = None if tenant.registry is None else tenant.registry()
    known = None if registry is None else registry.tenants.last_known(tenant)
    return None if registry is None or known is None else registry.resolve(declaration, (), known)
