"""What a view reads and returns: bodies, pages, cursors, error responses and JSON."""

from __future__ import annotations

from dynaflask.model.bodies.json_schema import schema_of
from dynaflask.views.bodies import load_item

__all__ = ["load_item", "schema_of"]
