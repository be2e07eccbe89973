"""What a forked child begins with: it has its parent's memory, and only one of its threads."""

from __future__ import annotations

import os
import typing as t

F = t.TypeVar("F", bound=t.Callable[[], t.Any])


def in_child(function: F) -> F:
    """Have a function called in each forked child, before anything else; a decorator.

    Args:
        function: Takes nothing. It may not wait: who would have to go on for that is not in the child.
    """
    if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
        os.register_at_fork(after_in_child=function)
    return function
