"""Prometheus (``pip install "dynaflask[prometheus]"``): metrics of an app's operations.

instrument(app)

AppMetrics    counts the operations of one app
  Successes     successful calls with the same labels
  Metrics       the metrics of one Prometheus registry; apps share them, told apart by the label `app`
    Children      the children of one metric, by their labels
"""

from __future__ import annotations

import functools
import logging
import threading
import time
import typing as t
import weakref

import flask

from dynaflask.client.pool import pool
from dynaflask.exceptions import install_hint
from dynaflask.operations.counters import counters_of
from dynaflask.operations.error_codes import CONFLICTS
from dynaflask.operations.error_codes import TRANSACTION_CANCELED
from dynaflask.operations.operation import Operation
from dynaflask.operations.operation import Source
from dynaflask.operations.tenant_lru import OTHERS

try:
    import prometheus_client
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"dynaflask.integrations.prometheus is for Prometheus, and {install_hint(error, extra='prometheus')}",
        name=error.name,
    ) from error

__all__ = ["instrument", "uninstrument"]

M = t.TypeVar("M", prometheus_client.Counter, prometheus_client.Histogram)

# Upper bounds in seconds. DynamoDB answers most calls in a few milliseconds; botocore's retries take seconds.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

# Reason of a throttled call for which DynamoDB gave none. botocore passes them on since August 2025.
UNKNOWN = "unknown"
SUCCESS = "success"

_EXTENSION = "dynaflask_prometheus"

logger = logging.getLogger("dynaflask.prometheus")


class Children(t.Generic[M]):
    """The children of one metric, by the values of their labels. The metric's own look-up takes a lock and more time.

    Args:
        metric: The metric.
    """

    def __init__(self, metric: M) -> None:
        self._metric: M = metric
        self._children: dict[tuple[str, ...], M] = {}

    def of(self, *labels: str) -> M:
        """The child with these values. Threads that make it at once get the same one."""
        child = self._children.get(labels)
        if child is None:
            child = self._children[labels] = self._metric.labels(*labels)
        return child


class Metrics:
    """The metrics of one Prometheus registry. It takes each name once, so that all apps of the registry share them.

    Args:
        registry: The registry.
    """

    def __init__(self, registry: prometheus_client.CollectorRegistry) -> None:
        def counter(name: str, documentation: str, *labels: str) -> Children[prometheus_client.Counter]:
            return Children(prometheus_client.Counter(f"dynaflask_{name}", documentation, labels, registry=registry))

        def gauge(name: str, documentation: str) -> prometheus_client.Gauge:
            # The sum over the processes that live, if there are several.
            return prometheus_client.Gauge(
                f"dynaflask_{name}", documentation, registry=registry, multiprocess_mode="livesum"
            )

        call = ("app", "bind", "model", "operation")
        seconds = prometheus_client.Histogram(
            "dynaflask_operation_seconds",
            "Duration of calls to DynamoDB with all their attempts.",
            (*call, "outcome"),
            buckets=BUCKETS,
            registry=registry,
        )
        self.seconds = Children(seconds)
        self.units = counter("consumed_units", "Capacity units that DynamoDB reported.", *call, "unit")
        self.retries = counter("retries", "Attempts after the first one of a call.", *call)
        self.throttles = counter("throttles", "Calls that DynamoDB throttled, by its reasons.", *call, "reason")
        self.refusals = counter("refusals", "Calls that a tenant's limit refused. Nothing was sent.", *call)
        self.tenant_calls = counter("tenant_calls", "Calls of a tenant.", "app", "tenant", "outcome")
        self.tenant_units = counter("tenant_consumed_units", "Capacity units of a tenant.", "app", "tenant", "unit")
        self._clients = gauge("pool_clients", "botocore's clients in the pool.")
        self._sockets = gauge("pool_open_sockets", "Open connections of the clients in the pool.")
        self._next_sample = 0.0

    def sample_pool(self) -> None:
        """Set the gauges of the pool, at most once a second. A worker that has just been forked may wait as long.

        They are set by calls, because a function of a gauge does not run where several processes share their metrics.
        """
        now = time.monotonic()
        if now >= self._next_sample:
            self._next_sample = now + 1
            stats = pool.stats()
            self._clients.set(stats.clients)
            self._sockets.set(stats.open_sockets)


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


# By registry, and not by app: prometheus_client has no public look-up of the metrics of a registry.
_all_metrics: weakref.WeakKeyDictionary[prometheus_client.CollectorRegistry, Metrics] = weakref.WeakKeyDictionary()
# Lets one thread at a time register metrics: a registry refuses a name that it has.
_lock = threading.Lock()


def instrument(
    app: flask.Flask, *, registry: prometheus_client.CollectorRegistry | None = None, max_tenants: int = 0
) -> None:
    """Count the operations of an app in metrics of Prometheus, from its next app context on.

    A further call for the app replaces the first.

    Args:
        app: The app. Its name is the value of the label ``app``.
        registry: The registry of the metrics; by default that of prometheus_client.
        max_tenants: Number of tenants that each process counts separately, by the order of their first calls. It counts
            all others together, as ``"*"``. With 0, the default, no metric names a tenant.
    """
    uninstrument(app)
    registry = prometheus_client.REGISTRY if registry is None else registry
    with _lock:
        metrics = _all_metrics.get(registry)
        if metrics is None:
            metrics = _all_metrics[registry] = Metrics(registry)
    app_metrics = app.extensions[_EXTENSION] = AppMetrics(app.name, metrics, max_tenants=max_tenants)
    counters_of(app).append(app_metrics)


def uninstrument(app: flask.Flask) -> None:
    """Stop counting the operations of an app. What was counted so far stays in the metrics.

    Args:
        app: The app.
    """
    app_metrics = app.extensions.pop(_EXTENSION, None)
    if app_metrics is not None:
        counters_of(app).remove(app_metrics)


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
