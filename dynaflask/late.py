"""Modules that are imported when they are first needed, so that a program pays for what it uses alone.

A thread may be at it while another one forks. The child would wait for ever for the module, which nobody there goes on
to import, so that whoever forks waits for the import.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import threading
import types

#: Held round an import that is not at the top of its module.
imports = threading.RLock()


def module(name: str) -> types.ModuleType:
    """A module, which is imported if it was not.

    Args:
        name: Its whole name.

    Raises:
        ModuleNotFoundError: It, or what it needs, is not installed.
    """
    with imports:
        return importlib.import_module(name)


def not_installed(error: ModuleNotFoundError, *, extra: str) -> str:
    """What to say of a package that is not there.

    Args:
        error: What its import raised.
        extra: The extra that brings it.
    """
    # In quotes, because zsh takes brackets for a pattern.
    return f'{error.name} is not installed: pip install "dynaflask[{extra}]"'


def _after_fork() -> None:
    # A server that forks in C, such as uWSGI, may not have told before.
    with contextlib.suppress(RuntimeError):
        imports.release()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(before=imports.acquire, after_in_parent=_after_fork, after_in_child=_after_fork)
