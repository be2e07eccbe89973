"""What ``Dynamo.init_app`` gives an app: a registry, teardown and commands; and the imports that calls need.

``import dynaflask`` loads what a program needs to declare models. `install` loads all that the calls of a model need,
so that none of them waits for an import, and a server that forks its workers after it has made the app shares the code
with them. A function of AWS Lambda that starts while a request waits loads what only some calls need at its first use.
"""

from __future__ import annotations

import collections.abc as cabc
import importlib
import typing as t

import flask

from dynaflask.cli import group
from dynaflask.client.codec import json_codec
from dynaflask.client.environment import starts_on_demand
from dynaflask.client.pool import pool
from dynaflask.config.settings import Settings
from dynaflask.config.settings import read_settings
from dynaflask.model import item_fast_path as _item_fast_path
from dynaflask.operations.recorder import OperationRecorder
from dynaflask.registry.context import EXTENSION
from dynaflask.registry.context import close_scope
from dynaflask.registry.pushes import note_push
from dynaflask.registry.registry import Registry

if t.TYPE_CHECKING:
    from dynaflask.extension import Dynamo
    from dynaflask.model.typed import Model

# Imported for the calls of models, which import it where they use it.
FOR_CALLS: t.Final = (_item_fast_path,)
# Imported where they are used, too. A get of a new process needs none of them.
FOR_SOME_CALLS: t.Final = (
    "dynaflask.client.direct.lenient_reader",
    "dynaflask.model.batch",
    "dynaflask.model.codec.serializer",
    "dynaflask.model.codec.struct_decoders",
    "dynaflask.model.codec.struct_serializer",
    "dynaflask.model.pages",
)


def install(dynamo: Dynamo, app: flask.Flask, *, models: cabc.Iterable[type[Model]] | None = None) -> None:
    """Give an app its registry; see `Dynamo.init_app`.

    Args:
        dynamo: The extension object.
        app: The app.
        models: Limit the app to these models; by default it has those of the extension object.
    """
    if not starts_on_demand():
        _load_for_some_calls()
    _refuse_second(app)
    if isinstance(models, type):
        raise TypeError(f"init_app(models=...) takes a list of models: [{models.__name__}].")
    settings = read_settings(app.name, dynamo._config(app))
    allowed_models = None if models is None else [_require_own(model, dynamo) for model in models]
    recorder = OperationRecorder(app, settings.plain)
    registry = dynamo._make_registry(app, settings, recorder=recorder, allowed_models=allowed_models)
    registry.models.check_table_names()
    # The steps above may raise. They change nothing in the app; the steps below do.
    _install_teardown(app, settings, recorder)
    _install_error_handlers(app, settings)
    app.cli.add_command(group.dynamo)
    app.extensions[EXTENSION] = registry
    # First in the list, so that the user's own processors override its names.
    app.shell_context_processors.insert(0, registry.shell_context)


def _load_for_some_calls() -> None:
    for module in FOR_SOME_CALLS:
        importlib.import_module(module)
    json_codec.load_msgspec()


def _require_own(model: type[Model], dynamo: Dynamo) -> type[Model]:
    if getattr(model, "__dynamo__", model) not in (None, dynamo):
        raise TypeError(
            f"init_app(models=...) takes subclasses of dynaflask.Model or db.Model, and registered models, not"
            f" {model!r}."
        )
    return model


def _refuse_second(app: flask.Flask) -> None:
    present = app.extensions.get(EXTENSION)
    if isinstance(present, Registry):
        raise RuntimeError(f"The app {app.name!r} is initialised already. Call db.init_app(app) once, in its factory.")
    if present is not None:
        owner = f"{type(present).__module__}.{type(present).__qualname__}"
        raise RuntimeError(
            f"app.extensions[{EXTENSION!r}] of {app.name!r} belongs to {owner}. Remove one of the two extensions."
        )


def _install_teardown(app: flask.Flask, settings: Settings, recorder: OperationRecorder) -> None:
    flask.appcontext_pushed.connect(note_push, app, weak=False)  # a weak reference is resolved at each push
    app.teardown_appcontext(close_scope)
    if "client_idle_seconds" in settings.plain:
        app.teardown_appcontext(pool.evict_idle)
    recorder.install(app)


def _install_error_handlers(app: flask.Flask, settings: Settings) -> None:
    if settings.plain.get("error_handlers"):
        from dynaflask.views import error_responses  # noqa: PLC0415 - an app without this setting does not need it

        error_responses.install(app)
    if settings.plain.get("json_errors"):
        from dynaflask.views import json_errors  # noqa: PLC0415 - an app without this setting does not need it

        json_errors.install(app)
