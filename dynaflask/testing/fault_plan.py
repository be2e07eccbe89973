"""The planned faults of an app, and what carries them out."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import io
import json
import threading
import time
import typing as t
import uuid

import flask
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError

from dynaflask.client.attempt_hook import attempt_hook
from dynaflask.client.attempt_hook import run_attempt_hook
from dynaflask.config.bind import Bind
from dynaflask.operations.recorder import OperationRecorder
from dynaflask.operations.requests import Json
from dynaflask.registry.context import registry_of
from dynaflask.testing.apps import find_app

# The status of every other error is 400.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
STATUSES = {"InternalFailure": 500, "InternalServerError": 500, "ServiceUnavailable": 503}
UNPROCESSED = {"BatchGetItem": "UnprocessedKeys", "BatchWriteItem": "UnprocessedItems"}

# Protects the plans of all apps, and the counts of their faults.
_lock = threading.Lock()


class Fault:
    """A planned fault.

    Args:
        operation: The operation that it happens to, such as ``"PutItem"``.
        times: How often it happens; ``None`` for always.

    Attributes:
        operation: The operation.
        count: How often it has happened.
    """

    def __init__(self, operation: str, *, times: int | None) -> None:
        self.operation = operation
        self.count = 0
        self._times = times

    def take(self) -> bool:
        """True if it happens now, which is counted."""
        with _lock:
            is_due = self._times is None or self.count < self._times
            self.count += is_due
        return is_due

    def on_attempt(self, request: t.Any, client: t.Any) -> AWSResponse | None:
        """The response to an attempt in place of the server's; ``None`` to send the request.

        Args:
            request: botocore's request.
            client: botocore's client that sends it.
        """

    def hold_back(self, params: Json) -> tuple[Json, dict[str, t.Any]]:
        """The parameters to send, and the part of ``RequestItems`` to leave unprocessed.

        Args:
            params: The parameters of the call.
        """
        return params, {}


class ErrorFault(Fault):
    """An attempt ends with an error.

    Args:
        operation: The operation.
        error: DynamoDB's error code, or an exception of the network.
        times: As of `Fault`.
        body: The rest of the body of the response.
    """

    def __init__(self, operation: str, error: str | Exception, *, times: int | None, body: Json) -> None:
        super().__init__(operation, times=times)
        self._error = error
        self._body = body

    def on_attempt(self, request: t.Any, client: t.Any) -> AWSResponse | None:
        """The error."""
        if not self.take():
            return None
        if isinstance(self._error, Exception):
            raise self._error
        content = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{self._error}", **self._body}).encode()
        headers: t.Any = {"content-type": "application/x-amz-json-1.0", "x-amzn-requestid": str(uuid.uuid4())}
        return AWSResponse(request.url, STATUSES.get(self._error, 400), headers, t.cast("t.Any", _Content(content)))


class DelayFault(Fault):
    """An attempt is delayed.

    Args:
        operation: The operation.
        seconds: The delay.
        times: As of `Fault`.
    """

    def __init__(self, operation: str, seconds: float, *, times: int | None) -> None:
        super().__init__(operation, times=times)
        self._seconds = seconds

    def on_attempt(self, request: t.Any, client: t.Any) -> AWSResponse | None:
        """Wait, and time out if the client would."""
        if self.take():
            read_timeout = client.meta.config.read_timeout
            time.sleep(min(self._seconds, read_timeout))
            if self._seconds >= read_timeout:
                raise ReadTimeoutError(endpoint_url=request.url)
        return None


class UnprocessedFault(Fault):
    """Items of a batch stay unprocessed.

    Args:
        operation: The operation.
        items: The number of items.
        times: As of `Fault`.
    """

    def __init__(self, operation: str, items: int, *, times: int | None) -> None:
        super().__init__(operation, times=times)
        self._items = items

    def hold_back(self, params: Json) -> tuple[Json, dict[str, t.Any]]:
        """The last items stay behind."""
        if not self.take():
            return params, {}
        sent: dict[str, t.Any] = {}
        held_back: dict[str, t.Any] = {}
        missing = self._items
        for table, requests in params["RequestItems"].items():
            # A read of a table has options beside its keys.
            is_read = "Keys" in requests
            items = requests["Keys"] if is_read else requests
            kept = max(len(items) - missing, 0)
            missing -= len(items) - kept
            for part, target in ((items[:kept], sent), (items[kept:], held_back)):
                if part:
                    target[table] = {**requests, "Keys": part} if is_read else part
        return {**params, "RequestItems": sent}, held_back


class _Content(io.BytesIO):
    """The body of a response, as urllib3 has it."""

    def stream(self, *_: t.Any, **__: t.Any) -> cabc.Iterator[bytes]:
        yield self.read()


class _Plan:
    """The faults of one app: an interceptor of its calls."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def __call__(self, operation: str, client: t.Any, bind: Bind) -> t.Any:
        faults = [fault for fault in self.faults if fault.operation == operation]
        if faults and bind.client_factory is not None:
            # Any other client has this handler already.
            client.meta.events.register_first(
                "before-send", lambda request, **_: run_attempt_hook(request), unique_id="dynaflask-faults"
            )
        return _Caller(client, faults) if faults else None


class _Caller:
    """Makes a call with faults. botocore makes it, also where the transport is direct."""

    def __init__(self, client: t.Any, faults: list[Fault]) -> None:
        self._client = client
        self._faults = faults

    # PynamoDB calls a client by this name.
    def _make_api_call(self, operation: str, params: Json) -> Json:
        left: dict[str, t.Any] = {}
        for fault in self._faults:
            params, held_back = fault.hold_back(params)
            left |= held_back
        with attempt_hook.block(self._on_attempt):
            # DynamoDB refuses a batch without items.
            result = self._client._make_api_call(operation, params) if params.get("RequestItems", True) else {}
        return _with_unprocessed(result, UNPROCESSED[operation], left) if left else result

    def _on_attempt(self, request: t.Any) -> AWSResponse | None:
        responses = (fault.on_attempt(request, self._client) for fault in self._faults)
        return next((response for response in responses if response is not None), None)


def _with_unprocessed(result: Json, name: str, left: dict[str, t.Any]) -> Json:
    return {"Responses": {}, **result, name: {**result.get(name, {}), **left}}


@contextlib.contextmanager
def planned(fault: Fault, app: flask.Flask | None) -> cabc.Iterator[Fault]:
    """Let a fault happen to an app within the block.

    Args:
        fault: The fault.
        app: The app; by default the current app.

    Yields:
        The fault.

    Raises:
        AssertionError: The fault did not happen.
        RuntimeError: There is no app.
    """
    app = find_app(app)
    recorder = registry_of(app).recorder
    _add(recorder, fault)
    try:
        yield fault
    finally:
        _remove(recorder, fault)
    if not fault.count:
        raise AssertionError(
            f"The fault did not happen: {app.name!r} made no {fault.operation} in this block. Check the operation, and"
            " that this app makes the call."
        )


def _add(recorder: OperationRecorder, fault: Fault) -> None:
    with _lock:
        plan = t.cast("_Plan", recorder.interceptor or _Plan())
        plan.faults = [*plan.faults, fault]
        recorder.interceptor = plan


def _remove(recorder: OperationRecorder, fault: Fault) -> None:
    with _lock:
        plan = t.cast("_Plan", recorder.interceptor)
        plan.faults = [other for other in plan.faults if other is not fault]
        if not plan.faults:
            recorder.interceptor = None
