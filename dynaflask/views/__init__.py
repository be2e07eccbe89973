"""What a view reads and returns: bodies, pages, cursors, error responses and JSON."""

from __future__ import annotations

import importlib
import typing as t

if t.TYPE_CHECKING:
    from dynaflask.model.bodies.json_schema import schema_of
    from dynaflask.views.bodies import load_item
else:
    # Hidden from type checkers, which would accept any name.
    def __getattr__(name: str) -> t.Any:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return globals().setdefault(name, getattr(importlib.import_module(_MODULES[name]), name))


__all__ = ["load_item", "schema_of"]

_MODULES = {"load_item": "dynaflask.views.bodies", "schema_of": "dynaflask.model.bodies.json_schema"}
