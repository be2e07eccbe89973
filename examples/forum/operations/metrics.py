"""Metrics for Prometheus, at /metrics: those of the worker that answers."""

from __future__ import annotations

from flask import Flask
from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST
from prometheus_client import CollectorRegistry
from prometheus_client import generate_latest

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
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
