"""The local DynamoDB server, for ``DYNAMODB_HOST = "local"``.

    endpoint()       its URL
      ServerProcess    the server that this process started
      ParentServer     the server that the parent process started

A process has one server. It starts on first use and ends with the process. Until then, its modules are not imported:
production does not need them.
"""

from __future__ import annotations

import importlib
import typing as t

if t.TYPE_CHECKING:
    from dynaflask.local.data_lock import SHARE as SHARE
    from dynaflask.local.process import endpoint
    from dynaflask.local.process import failure
    from dynaflask.local.process import run
    from dynaflask.local.process import stop
else:
    # Hidden from type checkers, which would accept any name.
    def __getattr__(name: str) -> t.Any:
        if name not in ("SHARE", *__all__):
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        process = importlib.import_module("dynaflask.local.process")
        return globals().setdefault(name, getattr(process, name))


__all__ = ["endpoint", "failure", "run", "stop"]
