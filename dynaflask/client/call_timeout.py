"""A limit on the time of a whole call: all attempts of it, and the waits between them.

The timeouts of botocore and of the direct transport limit the time between two bytes of one attempt. A server that
sends a byte now and then would keep a call for ever.
"""

from __future__ import annotations

import contextvars
import queue
import threading
import typing as t

from botocore.exceptions import ReadTimeoutError

from dynaflask.operations.block_value import BlockVariable


class CallTimeoutError(ReadTimeoutError):
    """A call took longer than ``DYNAMODB_CALL_TIMEOUT_SECONDS``. A write may have been carried out."""

    fmt = "{operation} took longer than {seconds} seconds, over all attempts. A write may have been carried out."


# Of a call that a thread makes for a caller: set when the caller has stopped waiting.
_is_given_up: t.Final[BlockVariable[threading.Event | None]] = BlockVariable("dynaflask_call_is_given_up", None)


def refuse_further_attempts() -> None:
    """Raise if the caller has stopped waiting. A late attempt could undo a write that the program made meanwhile.

    Raises:
        RuntimeError: The call has been given up.
    """
    is_given_up = _is_given_up.get()
    if is_given_up is not None and is_given_up.is_set():
        raise RuntimeError("The call took longer than DYNAMODB_CALL_TIMEOUT_SECONDS, and is not retried.")


class TimedCaller:
    """Makes the calls of a client within a time.

    A call runs in a thread of its own, which ends with the attempt in flight. Only so does the limit hold for name
    resolution, TLS and a slow response alike.

    Args:
        api_caller: The client, or its direct transport.
        seconds: The longest time of a call.
    """

    def __init__(self, api_caller: t.Any, seconds: float) -> None:
        self._api_caller = api_caller
        self._seconds = seconds

    # PynamoDB calls a client by this name.
    def _make_api_call(self, operation_name: str, params: dict[str, t.Any]) -> t.Any:
        is_given_up = threading.Event()
        outcomes: queue.SimpleQueue[tuple[t.Any, BaseException | None]] = queue.SimpleQueue()

        def run() -> None:
            try:
                with _is_given_up.block(is_given_up):
                    outcomes.put((self._api_caller._make_api_call(operation_name, params), None))
            except BaseException as error:  # noqa: BLE001 - it is raised in the thread of the caller
                outcomes.put((None, error))

        # Handlers of the client see the app context and the trace of the caller.
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(run,), name="dynaflask-call", daemon=True).start()
        try:
            result, error = outcomes.get(timeout=self._seconds)
        except queue.Empty:
            raise CallTimeoutError(operation=operation_name, seconds=self._seconds) from None
        finally:
            # In `finally`, so that the call also stops if Ctrl-C interrupts the caller.
            is_given_up.set()
        if error is not None:
            raise error
        return result
