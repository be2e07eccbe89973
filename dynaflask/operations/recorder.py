"""An app's recorder: it counts finished operations, limits tenants, and sends the signal."""

from __future__ import annotations

import typing as t
import weakref

from dynaflask.config.validators import Values
from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import operation_finished
from dynaflask.operations.rate_limits import UNSET
from dynaflask.operations.rate_limits import OwnCapacity
from dynaflask.operations.rate_limits import TenantRateLimits
from dynaflask.operations.tracing import NO_TRACING
from dynaflask.operations.usage import MAX_TENANTS
from dynaflask.operations.usage import Meter

if t.TYPE_CHECKING:
    import flask

#: Called with the name of each operation, its client and its bind. It returns the object that makes the call, or
#: ``None`` for the usual one.
Interceptor = t.Callable[[str, t.Any, t.Any], t.Any]


class OperationRecorder:
    """Records the operations of one app.

    Args:
        app: The app.
        settings: Plain settings of the app.

    Attributes:
        app_name: Name of the app.
        meter: Counts operations, if ``DYNAMODB_METER`` is true.
        limits: Limits each tenant that has a limit: ``DYNAMODB_TENANT_CAPACITY``, or ``tenant_capacity`` of the tenant.
        interceptor: Chooses what makes a call, for the faults of tests; ``None`` in production.
        tracing: The tracers of the app. Connections that exist already see its first tracer in their next context.
        is_enabled: True if it records the operations of all tenants even when the signal has no receivers.
    """

    def __init__(self, app: flask.Flask, settings: Values) -> None:
        self.app_name = app.name
        # The app refers to the recorder through its registry: a strong reference would be a cycle, which keeps a
        # dropped app alive until the garbage collector runs.
        self._app = weakref.ref(app)
        self.meter = (
            Meter(max_tenants=settings.get("meter_max_tenants", MAX_TENANTS)) if settings.get("meter") else None
        )
        self.limits = TenantRateLimits(settings.get("tenant_capacity", {}))
        self.interceptor: Interceptor | None = None
        self.tracing = NO_TRACING
        self.is_enabled = self.meter is not None or "tenant_capacity" in settings

    def record(self, operation: Operation, *, own_capacity: OwnCapacity = UNSET) -> None:
        """Count a finished operation, and send ``operation_finished``.

        Args:
            operation: The operation.
            own_capacity: Units per second in the tenant's own settings.
        """
        self.limits.debit(operation.tenant, operation.read_units + operation.write_units, own_capacity)
        if self.meter is not None:
            self.meter.add(operation)
        operation_finished.send(self._app(), operation=operation)
