"""A hook in front of each attempt that botocore makes, for the faults of tests."""

from __future__ import annotations

import contextvars
import typing as t

#: Called with the request of each attempt in this context. Its response replaces that of the server;
#: with ``None``, the request is sent. An exception is the result of the attempt, as one of the network.
AttemptHook = t.Callable[[t.Any], t.Any]

attempt_hook: contextvars.ContextVar[AttemptHook | None] = contextvars.ContextVar(
    "dynaflask_attempt_hook", default=None
)


def run_attempt_hook(request: t.Any) -> t.Any:
    """The response of this context's hook; ``None`` if it leaves the request to the server, and without a hook.

    Args:
        request: A request that is about to be sent.
    """
    hook = attempt_hook.get()
    return None if hook is None else hook(request)
