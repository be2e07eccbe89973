"""A hook in front of each attempt that botocore makes, for the faults of tests."""

from __future__ import annotations

import typing as t

from dynaflask.operations.block_value import BlockVariable

#: Called with the request of each attempt. Its result replaces that of the server. With ``None``, the request is sent.
#: An exception is the result of the attempt, as one of the network.
AttemptHook = t.Callable[[t.Any], t.Any]

#: The hook of the block around a call.
attempt_hook: t.Final[BlockVariable[AttemptHook | None]] = BlockVariable("dynaflask_attempt_hook", None)


def run_attempt_hook(request: t.Any) -> t.Any:
    """The response of the hook; ``None`` if it leaves the request to the server, and without a hook.

    Args:
        request: A request that is about to be sent.
    """
    hook = attempt_hook.get()
    return None if hook is None else hook(request)
