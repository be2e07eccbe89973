"""``flask dynamo``, and the command class for commands of the program's own."""

from __future__ import annotations

import importlib
import typing as t

if t.TYPE_CHECKING:
    from dynaflask.cli.tenant_command import TenantCommand
else:
    # Hidden from type checkers, which would accept any name.
    def __getattr__(name: str) -> t.Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        tenant_command = importlib.import_module("dynaflask.cli.tenant_command")
        return globals().setdefault(name, getattr(tenant_command, name))


__all__ = ["TenantCommand"]
