"""The metrics of one app: what counts its operations."""

from __future__ import annotations

import functools
import logging
import typing as t

import prometheus_client

from dynaflask.integrations.prometheus.metrics import Children
from dynaflask.integrations.prometheus.metrics import Metrics
from dynaflask.operations.error_codes import CONFLICTS
from dynaflask.operations.error_codes import TRANSACTION_CANCELED
from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import Source
from dynaflask.operations.tenant_lru import OTHERS

# Reason of a throttled call for which DynamoDB gave none. botocore passes them on since August 2025.
UNKNOWN = "unknown"
SUCCESS = "success"

logger = logging.getLogger("dynaflask.prometheus")


class Successes:
    """Successful calls with the same labels: the methods that count them, each looked up once.

    Args:
        count: Counts a call.
        units: The counter of their units.
        labels: Values of its labels, but for the unit.
    """

    def __init__(
        self, count: t.Callable[[float], None], units: Children[prometheus_client.Counter], labels: tuple[str, ...]
    ) -> None:
        self._count = count
        self._units = units
        self._labels = labels

    def add(self, value: float, read_units: float, write_units: float) -> None:
        """Count a call.

        Args:
            value: What counts it: its seconds, or 1.
            read_units: Read capacity units that it consumed.
            write_units: Write capacity units that it consumed.
        """
        self._count(value)
        if read_units:
            self._add_read_units(read_units)
        if write_units:
            self._add_write_units(write_units)

    # At first use: a child that is made is a series, and a read has no write units.
    @functools.cached_property
    def _add_read_units(self) -> t.Callable[[float], None]:
        return self._units.of(*self._labels, "read").inc

    @functools.cached_property
    def _add_write_units(self) -> t.Callable[[float], None]:
        return self._units.of(*self._labels, "write").inc


class AppMetrics:
    """Counts the operations of one app.

    Args:
        app_name: The value of the label ``app``.
        metrics: The metrics.
        max_tenants: Number of tenants that are counted separately.
    """

    def __init__(self, app_name: str, metrics: Metrics, *, max_tenants: int) -> None:
        self._app_name = app_name
        self._metrics = metrics
        self._max_tenants = max_tenants
        self._tenants: set[str] = set()
        self._by_call: dict[tuple[str, str | None, str], Successes] = {}
        self._by_tenant: dict[str, Successes] = {}
        self._has_failed = False

    # A failure is logged once, such as a full disk, or a cleaned directory of prometheus_client. The call itself has
    # ended, with success or not: an error from here would hide its result.

    def add(self, operation: Operation) -> None:
        """Count an operation; see `dynaflask.operations.counters.Counter`. A failure raises nothing."""
        try:
            self._count(operation)
        except Exception as error:  # noqa: BLE001 - see above
            self._log_failure(error)

    def add_success(  # noqa: PLR0917 - as of `Counter`
        self, source: Source, operation: str, seconds: float, read_units: float, write_units: float, retries: int
    ) -> bool:
        """Count a successful call; see `dynaflask.operations.counters.Counter`. A failure raises nothing."""
        if retries:
            return False
        key = (source.bind_key, source.model, operation)
        try:
            successes = self._by_call.get(key) or self._successes(*key)
            successes.add(seconds, read_units, write_units)
            if self._max_tenants:
                self._count_for_tenant(source.tenant, read_units, write_units)
            self._metrics.sample_pool()
        except Exception as error:  # noqa: BLE001 - see above
            self._log_failure(error)
        return True

    def _successes(self, bind_key: str, model: str | None, operation: str) -> Successes:
        labels = (self._app_name, bind_key, model or "", operation)
        observe = self._metrics.seconds.of(*labels, SUCCESS).observe
        successes = self._by_call[bind_key, model, operation] = Successes(observe, self._metrics.units, labels)
        return successes

    def _count_for_tenant(self, tenant: str | None, read_units: float, write_units: float) -> None:
        label = self._tenant_label(tenant)
        successes = self._by_tenant.get(label)
        if successes is None:
            inc = self._metrics.tenant_calls.of(self._app_name, label, SUCCESS).inc
            successes = Successes(inc, self._metrics.tenant_units, (self._app_name, label))
            self._by_tenant[label] = successes
        successes.add(1, read_units, write_units)

    def _log_failure(self, error: Exception) -> None:
        if not self._has_failed:
            self._has_failed = True
            logger.error(
                "Calls of the app %r are not counted. Check PROMETHEUS_MULTIPROC_DIR.", self._app_name, exc_info=error
            )

    def _count(self, operation: Operation) -> None:
        call = (self._app_name, operation.bind_key, operation.model or "", operation.operation)
        outcome = outcome_of(operation)
        if operation.is_refused:
            self._metrics.refusals.of(*call).inc()
        else:
            self._metrics.seconds.of(*call, outcome).observe(operation.duration_seconds)
            _add_units(self._metrics.units, call, operation)
        if operation.retries:
            self._metrics.retries.of(*call).inc(operation.retries)
        if operation.is_throttled:
            for reason in {part.reason for part in operation.throttling_reasons} or {UNKNOWN}:
                self._metrics.throttles.of(*call, reason).inc()
        if self._max_tenants:
            tenant = (self._app_name, self._tenant_label(operation.tenant))
            self._metrics.tenant_calls.of(*tenant, outcome).inc()
            _add_units(self._metrics.tenant_units, tenant, operation)
        self._metrics.sample_pool()

    def _tenant_label(self, tenant: str | None) -> str:
        if tenant is None:
            return ""
        if tenant not in self._tenants:
            # Without a lock: threads that come here at once may exceed the number by their own.
            if len(self._tenants) >= self._max_tenants:
                return OTHERS
            self._tenants.add(tenant)
        return tenant


def outcome_of(operation: Operation) -> str:
    """The value of the label ``outcome``.

    Args:
        operation: The operation.

    Returns:
        ``"success"``; ``"conflict"`` if a condition failed or a transaction was canceled; ``"throttled"`` by DynamoDB;
        ``"refused"`` by a tenant's limit; or ``"error"``.
    """
    if operation.error is None:
        return SUCCESS
    if operation.is_refused:
        return "refused"
    if operation.is_throttled:
        return "throttled"
    return "conflict" if operation.error in CONFLICTS or operation.error == TRANSACTION_CANCELED else "error"


def _add_units(units: Children[prometheus_client.Counter], labels: tuple[str, ...], operation: Operation) -> None:
    if operation.read_units:
        units.of(*labels, "read").inc(operation.read_units)
    if operation.write_units:
        units.of(*labels, "write").inc(operation.write_units)
