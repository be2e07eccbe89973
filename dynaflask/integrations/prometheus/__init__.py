"""Prometheus (``pip install "dynaflask[prometheus]"``): metrics of an app's operations.

instrument(app)
"""

from __future__ import annotations

import threading
import weakref

import flask

from dynaflask.extras import required_extra

# Before the imports of modules that need prometheus_client, so that the error names the extra.
with required_extra("prometheus", reason="dynaflask.integrations.prometheus is for Prometheus"):
    import prometheus_client

from dynaflask.integrations.prometheus.app_metrics import AppMetrics
from dynaflask.integrations.prometheus.metrics import Metrics
from dynaflask.operations.counters import counters_of

__all__ = ["instrument", "uninstrument"]

_EXTENSION = "dynaflask_prometheus"

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
