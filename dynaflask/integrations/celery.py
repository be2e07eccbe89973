"""Celery (``pip install "dynaflask[celery]"``): tasks run in the app and for the tenant that sent them."""

from __future__ import annotations

import collections.abc as cabc
import typing as t

import flask
from werkzeug.datastructures import ImmutableDict

from dynaflask.extras import required_extra
from dynaflask.registry.blocks import app_context_for
from dynaflask.registry.context import current_app
from dynaflask.registry.context import registry_of
from dynaflask.tenants.tenant import NO_TENANT

with required_extra("celery", reason="dynaflask.integrations.celery is for Celery"):
    import celery

__all__ = ["TenantTask", "tenant_task"]

# The message header that carries the names of the app and the tenant.
HEADER = "dynaflask"

Origin = cabc.Mapping[str, "str | None"]


class TenantTask(celery.Task):  # type: ignore[misc]  # Celery has no types
    """Base class of tasks that carry app and tenant; `tenant_task` creates one for the program's apps.

    A task runs in an app context of its own. Its tenant is that of the context or the task that sent it, or none. A
    direct call of the task runs in the caller's context.

    Attributes:
        flask_apps: The apps that may send the task, by the name in the message.
    """

    abstract = True
    flask_apps: t.ClassVar[cabc.Mapping[str, flask.Flask]] = ImmutableDict()

    def apply_async(self, *args: t.Any, **options: t.Any) -> t.Any:
        """Send the task; see Celery.

        Raises:
            RuntimeError: There are several apps and no app context, or the app context belongs to another app.
            UnknownTenant: The app has no such tenant.
        """
        return super().apply_async(*args, **self._with_origin(options))

    def apply(self, *args: t.Any, **options: t.Any) -> t.Any:
        """Run the task in this process, as if it had been sent; see Celery.

        Raises:
            RuntimeError: See `apply_async`.
            UnknownTenant: See `apply_async`.
        """
        return super().apply(*args, **self._with_origin(options))

    def __call__(self, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Run the task; see Celery."""
        if self.request.called_directly:
            return self.run(*args, **kwargs)
        origin: Origin = (self.request.headers or {}).get(HEADER) or self._default_origin()
        app = self.flask_apps.get(t.cast("str", origin["app"]))
        if app is None:
            raise RuntimeError(f"{self.name} was sent from the app {origin['app']!r}. {self._known_apps()}")
        with app_context_for(app, NO_TENANT, tenant=origin["tenant"]):
            return self.run(*args, **kwargs)

    def _with_origin(self, options: dict[str, t.Any]) -> dict[str, t.Any]:
        headers = options.get("headers") or {}
        return options if HEADER in headers else {**options, "headers": {**headers, HEADER: dict(self._origin())}}

    def _origin(self) -> Origin:
        if flask.has_app_context():
            app = current_app()
            for name, flask_app in self.flask_apps.items():
                if flask_app is app:
                    return {"app": name, "tenant": registry_of(app).scope.tenant}
            raise RuntimeError(f"{self.name} is sent from the app {app.name!r}. {self._known_apps()}")
        task = self.app.current_worker_task
        # The worker sends the next task of a chain, or a callback, after the task's app context has ended.
        origin: Origin | None = None if task is None else (task.request.headers or {}).get(HEADER)
        return origin or self._default_origin()

    def _default_origin(self) -> Origin:
        if len(self.flask_apps) != 1:
            raise RuntimeError(f"{self.name} is sent from no app context. {self._known_apps()}")
        return {"app": next(iter(self.flask_apps)), "tenant": None}

    def _known_apps(self) -> str:
        return f"It can be sent from {', '.join(map(repr, self.flask_apps))}. Pass each app to tenant_task."


def tenant_task(apps: flask.Flask | cabc.Mapping[str, flask.Flask]) -> type[TenantTask]:
    """The base class of tasks for the program's apps: ``Celery("jobs", task_cls=tenant_task(app))``.

    Args:
        apps: The app; or several apps by name. Use the same names in all processes.

    Raises:
        TypeError: The value is neither.
    """
    flask_apps = apps if isinstance(apps, cabc.Mapping) else {getattr(apps, "name", ""): apps}
    for app in flask_apps.values():
        if not isinstance(app, flask.Flask):
            raise TypeError(
                f"tenant_task takes a Flask app, or a dict of Flask apps by name, not {type(app).__name__}."
            )
    return type("TenantTask", (TenantTask,), {"flask_apps": ImmutableDict(flask_apps), "abstract": True})
