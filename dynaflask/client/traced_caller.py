"""Makes calls that the tracers of their app see."""

from __future__ import annotations

import typing as t

from dynaflask.operations.tracing import TracedBlock
from dynaflask.operations.tracing import Tracing
from dynaflask.operations.tracing import active
from dynaflask.operations.tracing import current_tracing
from dynaflask.operations.tracing import silenced


class TracedCaller:
    """Makes the calls of a client, and leaves out the patches of the app's tracers.

    Args:
        api_caller: The client, its direct transport, or what takes its place.
        tracing: The tracers of the app.
        is_direct: True for a direct transport, which gives calls to botocore only if it must.
    """

    def __init__(self, api_caller: t.Any, tracing: Tracing, *, is_direct: bool) -> None:
        self._api_caller = api_caller
        self._tracing = tracing
        self._is_direct = is_direct

    # PynamoDB calls a client by this name.
    def _make_api_call(self, operation_name: str, params: dict[str, t.Any]) -> t.Any:
        if self._is_direct:
            return make_traced_call(self._api_caller, self._tracing, operation_name, params)
        with active(self._tracing), silenced():
            return self._api_caller._make_api_call(operation_name, params)


def make_traced_call(
    api_caller: t.Any, tracing: Tracing, operation_name: str, params: dict[str, t.Any]
) -> dict[str, t.Any]:
    """Make a call on the direct transport, which gives it to botocore only if it must.

    Args:
        api_caller: The transport, or what makes its calls.
        tracing: The tracers of the app.
        operation_name: Name of the operation.
        params: Parameters of the operation.
    """
    # Not a context manager, which would take as long as all else that a traced call adds here.
    block = TracedBlock(tracing)
    token = current_tracing.set(block)
    try:
        result: dict[str, t.Any] = api_caller._make_api_call(operation_name, params)
    finally:
        block.end()
        current_tracing.reset(token)
    return result
