"""``Migration``: one numbered Python file of a directory, such as ``migrations/0001_add_slug.py``."""

from __future__ import annotations

import dataclasses
import importlib.util
import os
import pathlib
import re
import types
import typing as t

from dynaflask.exceptions import MigrationError

if t.TYPE_CHECKING:
    from dynaflask.model.typed import Model
    from dynaflask.registry.registry import Registry

NAME = re.compile(r"(\d{4})_\w+", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class Migration:
    """One migration.

    Attributes:
        name: The name of its file, such as ``"0001_add_slug"``.
        forwards: Changes an item of the model; without a model, a function without arguments that does all of it.
        model: The model whose items are changed; ``None`` if ``forwards`` does all of it.
    """

    name: str
    forwards: t.Callable[..., object]
    model: type[Model] | None = None


def read_migrations(registry: Registry, directory: str | os.PathLike[str] = "migrations") -> list[Migration]:
    """The migrations of a directory, in the order of their numbers. Their files are executed.

    Args:
        registry: The app's registry, in a context of the app.
        directory: The directory. Files whose name begins with ``_`` are left out.

    Raises:
        MigrationError: There is no such directory, or a file has no number, another one's number, no ``forwards``
            or a ``model`` that is no model.
        UnknownModel: The app does not have a model that a file names.
    """
    directory = pathlib.Path(directory)
    if not directory.is_dir():
        raise MigrationError(f"There is no directory {directory}. Name the one with your migrations: --directory.")
    paths: dict[str, pathlib.Path] = {}
    for path in sorted(directory.glob("[!_]*.py")):
        match = NAME.fullmatch(path.stem)
        if match is None:
            raise MigrationError(f"{path} must be called like 0001_add_slug.py: four digits, _ and a name.")
        if match[1] in paths:
            raise MigrationError(f"{paths[match[1]]} and {path} have one number. Give the later one the next number.")
        paths[match[1]] = path
    return [_read(registry, path) for path in paths.values()]


def _read(registry: Registry, path: pathlib.Path) -> Migration:
    module = _execute(path)
    forwards, model = getattr(module, "forwards", None), getattr(module, "model", None)
    if not callable(forwards):
        raise MigrationError(f"{path} has no function forwards. Define it: `def forwards(item): ...`.")
    if isinstance(model, str):
        model = registry.models[model]
    elif model is not None and not hasattr(model, "__declaration__"):
        raise MigrationError(f"model in {path} must be a model of the app, or its name, not {model!r}.")
    return Migration(path.stem, forwards, model)


def _execute(path: pathlib.Path) -> types.ModuleType:
    # Not in sys.modules: the directories of two apps may have files of one name.
    spec = t.cast("t.Any", importlib.util.spec_from_file_location(path.stem, path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
