"""Two apps that count their calls for Prometheus, and a page of the metrics, for ``gunicorn --preload``."""

from __future__ import annotations

import json
import os

import flask
import prometheus_client
import prometheus_client.multiprocess
from werkzeug.middleware.dispatcher import DispatcherMiddleware

import dynaflask
from dynaflask.integrations import prometheus
from tests.support import models

db = dynaflask.Dynamo()
Thread = models.declare_thread(db)


def make_app(name: str) -> flask.Flask:
    """An app that creates its table before the fork, and reads for a tenant in each request."""
    app = flask.Flask(name)
    app.config.from_mapping(json.loads(os.environ["SETTINGS"]), DYNAMODB_TABLE_PREFIX=f"{name}-")
    db.init_app(app)
    prometheus.instrument(app, max_tenants=2)

    @app.get("/<tenant>")
    def read(tenant: str) -> dict[str, int]:
        with db.tenant(tenant):
            Thread.count("flask")
        return {"process": os.getpid()}

    with app.app_context():
        Thread.create_table()
    return app


def show_metrics(environ: object, start_response: object) -> object:
    """The metrics of all workers."""
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.multiprocess.MultiProcessCollector(registry)
    return prometheus_client.make_wsgi_app(registry)(environ, start_response)


application = DispatcherMiddleware(show_metrics, {f"/{name}": make_app(name) for name in ("us", "eu")})  # type: ignore[arg-type]
