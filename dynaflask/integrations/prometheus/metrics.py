"""The metrics of one Prometheus registry. Apps share them: each value has the label ``app``."""

from __future__ import annotations

import time
import typing as t

import prometheus_client

from dynaflask.client.pool import pool

M = t.TypeVar("M", prometheus_client.Counter, prometheus_client.Histogram)

# Upper bounds in seconds. DynamoDB answers most calls in a few milliseconds; botocore's retries take seconds.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


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
        self._sampled_at = float("-inf")

    def sample_pool(self) -> None:
        """Set the gauges of the pool, at most once a second. A worker that has just been forked may wait as long.

        They are set by calls, because a function of a gauge does not run where several processes share their metrics.
        """
        now = time.monotonic()
        # A clock that a test has frozen or moved may go back when the test ends.
        if abs(now - self._sampled_at) >= 1:
            self._sampled_at = now
            stats = pool.stats()
            self._clients.set(stats.clients)
            self._sockets.set(stats.open_sockets)
