"""An app's recorder: it counts finished operations, limits tenants, and sends the signal."""

from __future__ import annotations

import typing as t
import weakref

from dynaflask.config.validators import Values
from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import operation_finished
from dynaflask.operations.rate_limits import TenantRateLimits
from dynaflask.operations.usage import MAX_TENANTS
from dynaflask.operations.usage import Meter

if t.TYPE_CHECKING:
    import flask


class OperationRecorder:
    """Records the operations of one app.

    Args:
        app: The app.
        settings: Plain settings of the app.

    Attributes:
        app_name: Name of the app.
        meter: Counts operations, if ``DYNAMODB_METER`` is true.
        limits: Limits each tenant, if ``DYNAMODB_TENANT_CAPACITY`` is set.
        is_enabled: True if it records operations even when the signal has no receivers.
    """

    def __init__(self, app: flask.Flask, settings: Values) -> None:
        self.app_name = app.name
        # The app refers to the recorder through its registry: a strong reference would be a cycle, which keeps a
        # dropped app alive until the garbage collector runs.
        self._app = weakref.ref(app)
        self.meter = (
            Meter(max_tenants=settings.get("meter_max_tenants", MAX_TENANTS)) if settings.get("meter") else None
        )
        self.limits = TenantRateLimits(settings["tenant_capacity"]) if "tenant_capacity" in settings else None
        self.is_enabled = self.meter is not None or self.limits is not None

    def check_limit(self, tenant: str | None) -> None:
        """Return if a call for the tenant may be made now.

        Raises:
            TenantLimitExceeded: The tenant has used up its capacity for now.
        """
        if self.limits is not None:
            self.limits.check_limit(tenant)

    def record(self, operation: Operation) -> None:
        """Count a finished operation, and send ``operation_finished``."""
        if self.limits is not None:
            self.limits.debit(operation.tenant, operation.read_units + operation.write_units)
        if self.meter is not None:
            self.meter.add(operation)
        operation_finished.send(self._app(), operation=operation)
