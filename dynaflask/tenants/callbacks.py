"""The functions of a program that find tenants. They run in a context of the app that needs the tenant."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

from dynaflask.config.validators import Values

Loader = t.Callable[[], "str | None"]
SettingsOf = t.Callable[[str], "Values | None"]
Lister = t.Callable[[], cabc.Iterable[str]]


class TenantCallbacks:
    """Functions that the program registered.

    Attributes:
        loader: Returns the name of the current tenant: ``db.tenant_loader``.
        settings: Returns the settings of a tenant: ``db.tenant_settings``.
        lister: Returns the names of all tenants: ``db.tenant_lister``.
    """

    def __init__(self) -> None:
        self.loader: Loader | None = None
        self.settings: SettingsOf | None = None
        self.lister: Lister | None = None
