"""Objects of the pages of a query, a scan or a batch get, which remember the tenant of the call."""

from __future__ import annotations

import typing as t

from dynaflask.model.item_tenant import NAME
from dynaflask.model.item_tenant import ItemTenantMixin

if t.TYPE_CHECKING:
    from dynaflask.client.direct.page_decoder import PageDecoder


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
