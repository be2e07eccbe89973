"""The tenant of an object: what was read or saved for one tenant does not reach another tenant's table."""

from __future__ import annotations

import sys
import types
import typing as t

from dynaflask.exceptions import DynaflaskError
from dynaflask.exceptions import TenantMismatch
from dynaflask.model.pynamodb_internals import BATCH_COMMIT
from dynaflask.model.running_calls import scope_of
from dynaflask.registry.context import block_error
from dynaflask.registry.context import current_scope

if t.TYPE_CHECKING:
    from dynaflask.registry.declaration import DeclaredMeta
    from dynaflask.registry.effective_settings import EffectiveSettings
    from dynaflask.registry.registry import Registry
    from dynaflask.registry.scope import Scope

T = t.TypeVar("T")

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
            RuntimeError: An attribute's ``serialize`` has entered or left a block.
        """
        serialize = t.cast("t.Any", super()).serialize
        item = t.cast("dict[str, t.Any]", read_in_one_scope(self, lambda: serialize(null_check=null_check)))
        if _is_called_by_batch(sys._getframe(1)):
            claim(self, _scope_with_tenant(self))
        return item

    def _get_save_args(self, *args: t.Any, **options: t.Any) -> t.Any:
        save_args = t.cast("t.Any", super())._get_save_args(*args, **options)
        # Before the write: DynamoDB may have done it although the call fails.
        claim(self, _scope_with_tenant(self))
        return save_args

    def get_update_kwargs_from_instance(self, *args: t.Any, **options: t.Any) -> dict[str, t.Any]:
        """Parameters of an update in a transaction; see PynamoDB."""
        request = t.cast("t.Any", super()).get_update_kwargs_from_instance(*args, **options)
        # Its response has no values that would claim the object.
        claim(self, _scope_with_tenant(self))
        return t.cast("dict[str, t.Any]", request)

    def _get_hash_range_key_serialized_values(self) -> tuple[t.Any, t.Any]:
        read = t.cast("t.Any", super())._get_hash_range_key_serialized_values
        return t.cast("tuple[t.Any, t.Any]", read_in_one_scope(self, read))

    def _get_keys(self) -> dict[str, t.Any]:
        return t.cast("dict[str, t.Any]", read_in_one_scope(self, t.cast("t.Any", super())._get_keys))

    def deserialize(self, attribute_values: dict[str, dict[str, t.Any]]) -> None:
        """Set the values of an item that was read; see PynamoDB.

        Raises:
            TenantMismatch: Meanwhile, another thread has read or saved the object for another tenant.
        """
        claim(self, scope_of(self))
        t.cast("t.Any", super()).deserialize(attribute_values)


# Threads may share an object, each for a tenant of its own. An object gets its tenant before it gets values of that
# tenant, in one atomic step, and keeps it. After the values were read, the tenant is checked again. So no thread sends
# values of another thread's tenant.


def claim(item: t.Any, scope: Scope | None) -> None:
    """Give an object the tenant of a scope, before it gets values of that tenant.

    Raises:
        TenantMismatch: The object has another tenant by now, with another table.
    """
    tenant = None if scope is None else scope.known_tenant
    if tenant is not None and vars(item).setdefault(NAME, tenant) is not tenant:
        require_own_tenant(item, scope)
        vars(item)[NAME] = tenant


def _is_called_by_batch(frame: types.FrameType | None) -> bool:
    """True if PynamoDB's own ``BatchWrite`` serializes an object. It tells the object nothing after the write."""
    # A model of the program may override the method, and call it.
    while frame is not None and frame.f_code.co_name == "serialize":
        frame = frame.f_back
    return frame is not None and frame.f_code is BATCH_COMMIT.__code__


def _scope_with_tenant(item: t.Any) -> Scope | None:
    scope = scope_of(item)
    # The write may be the first use in this context, which looks up the tenant. A model without one is used for that.
    if scope is not None and not item.__declaration__.is_shared:
        scope.principal  # noqa: B018 - looked up by it
    return scope


def read_in_one_scope(item: t.Any, read: t.Callable[[], T]) -> T:
    """The values that a function reads of an object. The object's tenant and the current scope must not change in it.

    Args:
        item: The object.
        read: Reads its values. It may call the program's attributes.

    Raises:
        TenantMismatch: The object is another tenant's.
        RuntimeError: The function has entered or left a block.
    """
    dynamo = item.__dynamo__
    scope = current_scope(dynamo)
    tenant = require_own_tenant(item, scope)
    values = read()
    require_unchanged(item, tenant, scope)
    require_same_scope(item, scope)
    return values


def require_unchanged(item: t.Any, tenant: str | None, scope: Scope | None) -> None:
    """Refuse values that were read of an object if another thread has given it another tenant meanwhile.

    Args:
        item: The object.
        tenant: What :func:`require_own_tenant` returned before.
        scope: The scope that the object is used in.

    Raises:
        TenantMismatch: The object has another tenant now, perhaps one with the same table.
    """
    if item._dynamo_tenant is tenant or scope is None or scope.principal.is_unrestricted:
        return
    if item._dynamo_tenant is not scope.known_tenant:
        raise _mismatch(item, scope)


def require_same_scope(item: t.Any, scope: Scope | None) -> None:
    """Refuse to go on if code of the program has entered or left a block in the middle of a call.

    Args:
        item: The object, or its class.
        scope: The scope at the start.

    Raises:
        RuntimeError: The current scope is another one.
    """
    if current_scope(item.__dynamo__) is not scope:
        raise block_error(getattr(item, "__name__", type(item).__name__))


def require_same_tenant(item: t.Any, scope: Scope | None) -> None:
    """As :func:`require_same_scope`, after an object was made: only its tenant matters.

    Args:
        item: The object, or its class.
        scope: The scope at the start.

    Raises:
        RuntimeError: The current tenant is another one.
    """
    current = current_scope(item.__dynamo__)
    if current is not scope and (current and current.known_tenant) is not (scope and scope.known_tenant):
        require_same_scope(item, scope)


def require_own_tenant(item: t.Any, scope: Scope | None) -> str | None:
    """Refuse an object that was read or saved for another tenant, unless both have one table without a ``TenantKey``.

    Args:
        item: The object.
        scope: The scope that it is used in.

    Returns:
        The object's tenant, or None.

    Raises:
        TenantMismatch: The scope's tenant has another table than the object's tenant. A tenant of the same name in
            another app is another tenant. A ``db.without_tenant`` block may use any object.
    """
    tenant: str | None = item._dynamo_tenant
    if tenant is None or scope is None or scope.principal.is_unrestricted or scope.known_tenant is tenant:
        return tenant
    is_same_app = _is_same_app(tenant, scope.registry)
    if is_same_app and scope.principal.name == tenant:
        return tenant
    # The table of a TenantKey has items of all tenants, and a key that was set before the tenant was known names none.
    is_others_item = item.__has_tenant_key__ and scope.principal.name != tenant
    if is_others_item or not _is_same_table(item, scope, tenant, is_same_app=is_same_app):
        raise _mismatch(item, scope, is_same_app=is_same_app)
    return tenant


def _mismatch(item: t.Any, scope: Scope, *, is_same_app: bool = True) -> TenantMismatch:
    name, label = type(item).__name__, repr(scope.tenant) if scope.tenant else "a context without a tenant"
    label += "" if is_same_app else f" of the app {scope.registry.app_name!r}"
    # Without the other tenant's name: the message may be shown to this tenant.
    return TenantMismatch(
        f"This {name} was read or saved for another tenant than {label}. To copy it, make a new one from its"
        f" values: {name}(**item.attribute_values)."
    )


def _is_same_app(tenant: t.Any, registry: Registry) -> bool:
    # A name that another process has pickled has no registry, and a plain string has no app either.
    if getattr(tenant, "registry", None) is None:
        return getattr(tenant, "app_name", registry.app_name) == registry.app_name
    return tenant.registry() is registry


def _is_same_table(item: t.Any, scope: Scope, tenant: t.Any, *, is_same_app: bool) -> bool:
    declaration = scope.registry.models.declaration_of(type(item))
    settings = scope.resolve(declaration)
    if declaration.is_shared and is_same_app and settings.is_static:
        return True
    try:
        other = _settings_of(declaration, scope, tenant) if is_same_app else _known_settings(declaration, tenant)
    except DynaflaskError:
        # The object's tenant no longer exists, or its settings are wrong, so its table is unknown.
        return False
    if other is None or settings.place != other.place:
        return False
    # A factory may look at the current app.
    if not is_same_app and settings.bind.client_factory is not None:
        return False
    # A computed name may depend on more than the tenant, such as the request. Objects of a model that belongs to no
    # tenant are used as in an app without tenants.
    return (settings.is_static and other.is_static) or (declaration.is_shared and is_same_app)


def _settings_of(declaration: DeclaredMeta, scope: Scope, tenant: t.Any) -> EffectiveSettings:
    # In the block: what computes a name may ask for the current tenant.
    with scope.for_tenant(tenant) as block:
        return block.resolve(declaration)


def _known_settings(declaration: DeclaredMeta, tenant: t.Any) -> EffectiveSettings | None:
    """A model's settings for a tenant of another app, as far as that app has looked it up.

    The program's functions are not called: they look up tenants of the current app.
    """
    registry: Registry | None = None if tenant.registry is None else tenant.registry()
    known = None if registry is None else registry.tenants.last_known(tenant)
    if registry is None or known is None:
        return None
    return registry.resolve(declaration, (), None if declaration.is_shared else known)
