"""``seed``: items of a JSON or YAML file by model name, checked like the body of a request."""

from __future__ import annotations

import json
import os
import pathlib
import typing as t

from pynamodb.exceptions import PutError

from dynaflask.exceptions import InvalidBody
from dynaflask.exceptions import TransferError
from dynaflask.model.bodies.fields import fields_of
from dynaflask.model.bodies.loading import new_item
from dynaflask.model.pynamodb_internals import hash_key_attribute
from dynaflask.model.pynamodb_internals import serialized_keys
from dynaflask.operations.error_codes import CONFLICTS
from dynaflask.operations.error_codes import code_of

if t.TYPE_CHECKING:
    from dynaflask.model.typed import Model
    from dynaflask.registry.registry import Registry

__all__ = ["SeedResult", "seed"]

FORMAT = 'Write a list of items for each model: {"Thread": [{"forum_name": "flask", "subject": "hello"}]}.'


class SeedResult(t.NamedTuple):
    """What a seed wrote.

    Attributes:
        written: Number of items that it wrote.
        existing: Number of items that it left as they are, because their keys exist.
    """

    written: int
    existing: int


def seed(registry: Registry, path: str | os.PathLike[str], *, replace: bool = False) -> SeedResult:
    """Write the items of a file that do not exist yet. A second call changes nothing.

    All items are checked before the first one is written.

    Args:
        registry: The app's registry, in a context of the app. In a tenant's block, the items are that tenant's.
        path: The file: JSON, or YAML if its name ends in ``.yaml`` or ``.yml``. It has a list of items for each model.
        replace: Replace the items whose keys exist, too.

    Raises:
        TransferError: The file cannot be read, or an item does not fit its model, has no key or one that another item
            of the file has. Nothing is written.
        UnknownModel: The app does not have a model that the file names.
        PutError: DynamoDB refused. Repeat the call.
    """
    path = pathlib.Path(path)
    items = _checked_items(registry, path)
    written = sum(_write(item, replace=replace) for item in items)
    return SeedResult(written, len(items) - written)


def _write(item: t.Any, *, replace: bool) -> bool:
    """Write an item. False if its key exists."""
    if replace:
        item.save(add_version_condition=False)
        return True
    try:
        item.save(condition=hash_key_attribute(type(item)).does_not_exist())
    except PutError as error:
        if code_of(error) not in CONFLICTS:
            raise
        return False
    return True


def _checked_items(registry: Registry, path: pathlib.Path) -> list[t.Any]:
    content, items, positions = _read(path), list[t.Any](), dict[t.Any, str]()
    if not isinstance(content, dict) or not all(isinstance(bodies, list) for bodies in content.values()):
        raise TransferError(path, f"This is not a seed. {FORMAT}")
    for name, bodies in content.items():
        model = registry.models[name]
        for position, body in enumerate(bodies):
            label = f"{name}[{position}]"
            item = _checked_item(path, label, model, body)
            key = (registry.scope.model_table(model).table_name, repr(serialized_keys(item)))
            if (first := positions.setdefault(key, label)) != label:
                raise TransferError(path, f"{label} has the key of {first}. Remove one of the two.")
            items.append(item)
    return items


def _checked_item(path: pathlib.Path, label: str, model: type[Model], body: t.Any) -> Model:
    try:
        item = new_item(model, body)
    except InvalidBody as error:
        reasons = " ".join(f"{field}: {reason}" for field, reason in error.errors.items())
        raise TransferError(path, f"{label} does not fit its model. {reasons}") from error
    for name, field in fields_of(model).items():
        # A default, such as a random id, would give it another key in each run.
        if field.is_key and name not in body:
            raise TransferError(path, f"{label} has no key {name!r}. Without it, each run would write a new item.")
    return item


def _read(path: pathlib.Path) -> t.Any:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix in {".yaml", ".yml"}:
            from dynaflask.tables.seed_yaml import read_yaml  # noqa: PLC0415 - PyYAML is optional

            return read_yaml(text)
        return json.loads(text)
    except OSError as error:
        raise TransferError(path, f"The file cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise TransferError(path, f"The file cannot be read: {error}") from error
