"""Flask-PynamoDB's names: import ``PynamoDB`` from here in place of ``flask_pynamodb``."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t
import warnings

import flask

import dynaflask.model.typed
from dynaflask.compat.fallback import OneAppDynamo
from dynaflask.registry.context import registry_of
from dynaflask.registry.lazy_mapping import LazyMapping

__all__ = ["PynamoDB"]

# Values may be strings from environment variables, which older versions of PynamoDB accepted.
NUMBERS: t.Final[cabc.Mapping[str, t.Callable[[str], float]]] = {
    "DYNAMODB_CONNECT_TIMEOUT_SECONDS": float,
    "DYNAMODB_READ_TIMEOUT_SECONDS": float,
    "DYNAMODB_MAX_RETRY_ATTEMPTS": int,
    "DYNAMODB_MAX_POOL_CONNECTIONS": int,
    "DYNAMODB_READ_CAPACITY_UNITS": int,
    "DYNAMODB_WRITE_CAPACITY_UNITS": int,
}
BACKOFF = "DYNAMODB_BASE_BACKOFF_MS"

M = t.TypeVar("M", bound="Model")


class Model(dynaflask.model.typed.Model):
    """``db.Model``, with Flask-PynamoDB's ``get_or_404`` and ``first_or_404``."""

    @classmethod
    def get_or_404(
        cls: type[M], *args: t.Any, message: str = "", description: str | None = None, **options: t.Any
    ) -> M:
        """The item with these keys, or a 404.

        Args:
            *args: Those of ``get``.
            message: The description of the 404.
            description: The same, by the name of Flask-SQLAlchemy.
            **options: Those of ``get``.

        Raises:
            NotFound: There is no such item.
        """
        return super().get_or_404(*args, description=message or description, **options)

    @classmethod
    def first_or_404(cls: type[M], message: str = "") -> M:  # type: ignore[override]  # Flask-PynamoDB's argument
        """The first item of the table, in the order of DynamoDB's scan, or a 404.

        Args:
            message: The description of the 404.

        Raises:
            NotFound: The table is empty.
        """
        return super().first_or_404(description=message or None)


class PynamoDB(OneAppDynamo):
    """Flask-PynamoDB's extension object. Each app has its own region, endpoint, keys and connection.

    Args:
        app: Call `init_app` on this app.

    Attributes:
        Model: On the object, the base class of the program's models; on the class, a type for annotations.
    """

    _base = Model
    Model = Model

    def init_app(
        self, app: flask.Flask, *, models: cabc.Iterable[type[dynaflask.model.typed.Model]] | None = None
    ) -> None:
        """Read an app's ``DYNAMODB_*`` settings.

        Args:
            app: The app.
            models: Limit the app to these models; by default it has all of the program.

        Raises:
            TypeError: It is not a Flask app.
            ConfigurationError: A setting is wrong.
        """
        if not isinstance(app, flask.Flask):
            raise TypeError("Invalid Flask app instance.")
        super().init_app(app, models=models)
        registry = registry_of(app)
        getters: dict[str, t.Callable[[], t.Any]] = {"db": lambda: self, "connection": lambda: registry.connection}
        app.extensions["pynamodb"] = LazyMapping(lambda: getters, lambda name: getters[name]())

    def _config(self, app: flask.Flask) -> cabc.Mapping[str, t.Any]:
        if BACKOFF in app.config:
            warnings.warn(
                f"{BACKOFF} has no effect: botocore sets the delays between retries. Use DYNAMODB_RETRY_CONFIGURATION.",
                stacklevel=6,
            )
        return {
            name: _as_number(name, value)
            for name, value in app.config.items()
            if name != BACKOFF and not (name.startswith("DYNAMODB_") and value == "")
        }


def _as_number(name: str, value: t.Any) -> t.Any:
    if name in NUMBERS and isinstance(value, str):
        with contextlib.suppress(ValueError):  # the validator of the setting reports the wrong value
            return NUMBERS[name](value)
    return value
