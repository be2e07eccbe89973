"""Create and drop the tables of an app's models."""

from __future__ import annotations

import collections.abc as cabc
import time
import typing as t

from dynaflask.meta import add_missing
from dynaflask.model import Model

if t.TYPE_CHECKING:
    from dynaflask.registry import Registry

POLL_SECONDS = 1

Models = cabc.Sequence[type[Model]]


def create_all(
    registry: Registry, *, bind_key: str | None = None, models: Models | None = None, wait: bool = False
) -> None:
    """Create the tables of an app's models, where they do not exist. Models on one table make one table together.

    Args:
        registry: The app's registry, in a context of the app.
        bind_key: Only the models on this bind; by default all.
        models: Only these models; by default all.
        wait: Return when the tables can be used.

    Raises:
        TableError: DynamoDB refused.
    """
    groups = list(_by_table(registry, bind_key, models))
    for group in groups:
        if not group[0].exists():
            _create(group)
    for group in groups if wait else ():
        while group[0].describe_table()["TableStatus"] != "ACTIVE":
            time.sleep(POLL_SECONDS)


def drop_all(
    registry: Registry, *, bind_key: str | None = None, models: Models | None = None, wait: bool = False
) -> None:
    """Delete the tables of an app's models, where they exist, with all that is in them.

    Args:
        registry: The app's registry, in a context of the app.
        bind_key: Only the models on this bind; by default all.
        models: Only these models; by default all.
        wait: Return when the tables are gone.

    Raises:
        TableError: DynamoDB refused.
    """
    groups = list(_by_table(registry, bind_key, models))
    for group in groups:
        if group[0].exists():
            group[0].delete_table()
    for group in groups if wait else ():
        while group[0].exists():
            time.sleep(POLL_SECONDS)


def _by_table(registry: Registry, bind_key: str | None, models: Models | None) -> cabc.Iterable[list[type[Model]]]:
    if bind_key is not None:
        registry.settings.named_by(bind_key)
    groups: dict[t.Any, list[type[Model]]] = {}
    for model in registry.models.values() if models is None else models:
        resolved = registry.scope.resolve(registry.declaration_of(model))
        if resolved.table_name is not None and bind_key in (None, resolved.bind.key):
            groups.setdefault((resolved.bind.destination, resolved.table_name), []).append(model)
    return groups.values()


def _create(group: Models) -> None:
    if len(group) > 1:
        group[0]._get_connection().create_table(**_merged_schema(group), **_options(group[0]))
    with_ttl = [model for model in group if t.cast("t.Any", model)._ttl_attribute()]
    # DynamoDB takes no time to live for a table that is still being created.
    (with_ttl or group)[0].create_table(wait=bool(with_ttl))


def _merged_schema(group: Models) -> dict[str, t.Any]:
    merged: dict[str, t.Any] = {}
    for model in group:
        for name, entries in model._get_schema().items():
            add_missing(merged.setdefault(name, []), t.cast("list[t.Any]", entries))
    return merged


def _options(model: type[Model]) -> dict[str, t.Any]:
    meta: t.Any = model.Meta
    names = ("read_capacity_units", "write_capacity_units", "billing_mode", "tags")
    options = {name: getattr(meta, name) for name in names if hasattr(meta, name)}
    if hasattr(meta, "stream_view_type"):
        options["stream_specification"] = {"stream_enabled": True, "stream_view_type": meta.stream_view_type}
    return options
