"""What an app does with its operations: it counts them, limits them, and tells of them."""

from __future__ import annotations

import typing as t
import weakref

from dynaflask.config.validators import Values
from dynaflask.operations.rate_limits import TenantRateLimits
from dynaflask.operations.signals import operation_finished
from dynaflask.operations.usage import MAX_TENANTS
from dynaflask.operations.usage import Meter

if t.TYPE_CHECKING:
    import flask

    from dynaflask.operations.operation import Operation


class OperationRecorder:
    """An app's operations, as they end.

    Args:
        app: The app. It is not kept alive.
        settings: The app's plain settings.

    Attributes:
        app_name: The app's name.
        meter: Counts them, if ``DYNAMODB_METER`` asks for it.
        limits: Bounds each tenant's, if there is a ``DYNAMODB_TENANT_CAPACITY``.
        is_enabled: Whether it is told of operations that nobody listens for.
    """

    def __init__(self, app: flask.Flask, settings: Values) -> None:
        self.app_name = app.name
        self._app = weakref.ref(app)
        self.meter = (
            Meter(max_tenants=settings.get("meter_max_tenants", MAX_TENANTS)) if settings.get("meter") else None
        )
        self.limits = TenantRateLimits(settings["tenant_capacity"]) if "tenant_capacity" in settings else None
        self.is_enabled = self.meter is not None or self.limits is not None

    def check_limit(self, tenant: str | None) -> None:
        """Let a call be made for a tenant.

        Raises:
            TenantLimitExceeded: The tenant has used up its share for now.
        """
        if self.limits is not None:
            self.limits.check_limit(tenant)

    def record(self, operation: Operation) -> None:
        """Take note of a call that has ended, and tell who listens."""
        if self.limits is not None:
            self.limits.debit(operation.tenant, operation.read_units + operation.write_units)
        if self.meter is not None:
            self.meter.add(operation)
        operation_finished.send(self._app(), operation=operation)
