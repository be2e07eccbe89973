"""Celery tasks that run in the app, and for the tenant, that they were sent from: the extra ``celery``."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import flask
from werkzeug.datastructures import ImmutableDict

from dynaflask.exceptions import install_hint
from dynaflask.registry.blocks import app_context_for
from dynaflask.registry.context import EXTENSION
from dynaflask.registry.context import current_app
from dynaflask.tenants import NO_TENANT

try:
    import celery
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        f"dynaflask.integrations.celery is for Celery, and {install_hint(error, extra='celery')}", name=error.name
    ) from error

# The message's header with the app's name and the tenant's.
HEADER = "dynaflask"

Origin = cabc.Mapping[str, "str | None"]


class TenantTask(celery.Task):  # type: ignore[misc]  # Celery has no types
    """The base of tasks that carry app and tenant; :func:`tenant_task` makes one for the program's apps.

    A task runs in an app context of its own. It is for the tenant of the context that it was sent from, for that of the
    task that it was sent from, or for nobody. Called as a function it runs where it is called.

    Attributes:
        flask_apps: The apps that a task may be sent from, by the name that the message has.
    """

    abstract = True
    flask_apps: t.ClassVar[cabc.Mapping[str, flask.Flask]] = ImmutableDict()

    def apply_async(self, *args: t.Any, **options: t.Any) -> t.Any:
        """Send the task; see Celery.

        Raises:
            RuntimeError: It is sent from no app context, and there are several apps; or from that of another app.
            UnknownTenant: The app has no such tenant.
        """
        return super().apply_async(*args, **self._signed(options))

    def apply(self, *args: t.Any, **options: t.Any) -> t.Any:
        """Run the task here and now, as if it had been sent; see Celery.

        Raises:
            RuntimeError: As of :meth:`apply_async`.
            UnknownTenant: As of :meth:`apply_async`.
        """
        return super().apply(*args, **self._signed(options))

    def __call__(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Run the task; see Celery."""
        if self.request.called_directly:
            return self.run(*args, **kwargs)
        origin: Origin = (self.request.headers or {}).get(HEADER) or self._default()
        app = self.flask_apps.get(t.cast("str", origin["app"]))
        if app is None:
            raise RuntimeError(f"{self.name} was sent from the app {origin['app']!r}. {self._known()}")
        with app_context_for(_initialised(app), NO_TENANT):
            if origin["tenant"] is None:
                return self.run(*args, **kwargs)
            with app.extensions[EXTENSION].scope.for_tenant(origin["tenant"]):
                return self.run(*args, **kwargs)

    def _signed(self, options: dict[str, t.Any]) -> dict[str, t.Any]:
        headers = options.get("headers") or {}
        return options if HEADER in headers else {**options, "headers": {**headers, HEADER: dict(self._origin())}}

    def _origin(self) -> Origin:
        if flask.has_app_context():
            app = current_app()
            for name, known in self.flask_apps.items():
                if known is app:
                    return {"app": name, "tenant": _initialised(app).extensions[EXTENSION].scope.tenant}
            raise RuntimeError(f"{self.name} is sent from the app {app.name!r}. {self._known()}")
        task = self.app.current_worker_task
        # A chain, a callback: the worker sends it when the task has left its context.
        origin: Origin | None = None if task is None else (task.request.headers or {}).get(HEADER)
        return origin or self._default()

    def _default(self) -> Origin:
        if len(self.flask_apps) != 1:
            raise RuntimeError(f"{self.name} is sent from no app context. {self._known()}")
        return {"app": next(iter(self.flask_apps)), "tenant": None}

    def _known(self) -> str:
        return f"It can be sent from {', '.join(map(repr, self.flask_apps))}: pass each app to tenant_task."


def tenant_task(apps: flask.Flask | cabc.Mapping[str, flask.Flask]) -> type[TenantTask]:
    """A base task for the program's apps: ``Celery("jobs", task_cls=tenant_task(app))``.

    Args:
        apps: The app; or several by names, which are the same in all processes.

    Raises:
        TypeError: It is something else.
    """
    named = apps if isinstance(apps, cabc.Mapping) else {getattr(apps, "name", ""): apps}
    for app in named.values():
        if not isinstance(app, flask.Flask):
            raise TypeError(
                f"tenant_task takes a Flask app, or a dict of Flask apps by their names, and no {type(app).__name__}."
            )
    return type("TenantTask", (TenantTask,), {"flask_apps": ImmutableDict(named), "abstract": True})


def _initialised(app: flask.Flask) -> flask.Flask:
    # Not where tenant_task is called: that may be ahead of init_app.
    if EXTENSION not in app.extensions:
        raise RuntimeError(f"The app {app.name!r} of tenant_task was not initialised. Call db.init_app(app) first.")
    return app
