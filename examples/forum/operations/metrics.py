"""Metrics for Prometheus, at /metrics: those of one process.

With several workers, set the environment variable PROMETHEUS_MULTIPROC_DIR to an empty directory before they start.
Then any worker shows the sum of all.
"""

from __future__ import annotations

import collections.abc as cabc
import os
import typing as t

from flask import Flask
from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client import CollectorRegistry
from prometheus_client import generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

from dynaflask.integrations import prometheus
from examples.forum.operators import is_operator


def add_to(app: Flask) -> None:
    """Count the calls of a site in a registry of its own, and show it to operators."""
    registry = CollectorRegistry()
    prometheus.instrument(app, registry=registry, max_tenants=100)

    @app.get("/metrics")
    def metrics() -> Response:
        allowed = is_operator()
        if isinstance(allowed, Response):
            return allowed
        shown = Workers(app.name) if "PROMETHEUS_MULTIPROC_DIR" in os.environ else registry
        return Response(generate_latest(t.cast("CollectorRegistry", shown)), content_type=CONTENT_TYPE_LATEST)


class Workers:
    """What all workers have written to files about one site. The files have the metrics of both sites.

    Args:
        name: The value of the label ``app``.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def collect(self) -> cabc.Iterator[Metric]:
        """The metrics of the site, and those of the pool, which the sites share."""
        for metric in MultiProcessCollector(None).collect():  # type: ignore[no-untyped-call]
            metric.samples = [sample for sample in metric.samples if sample.labels.get("app", self._name) == self._name]
            yield metric
