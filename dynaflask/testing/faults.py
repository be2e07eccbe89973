"""Faults of DynamoDB for the app under test: errors, delays, and batches that are not carried out in full.

An error and a delay happen to an attempt, where the response of the server would arrive. So botocore retries them, as
it does with DynamoDB, and an error sends no request.
"""

from __future__ import annotations

import collections.abc as cabc
import contextlib

import flask

from dynaflask.operations.requests import Json
from dynaflask.testing.fault_plan import UNPROCESSED
from dynaflask.testing.fault_plan import DelayFault
from dynaflask.testing.fault_plan import ErrorFault
from dynaflask.testing.fault_plan import Fault
from dynaflask.testing.fault_plan import UnprocessedFault
from dynaflask.testing.fault_plan import planned


@contextlib.contextmanager
def fail_next(
    operation: str,
    error: str | Exception,
    *,
    times: int | None = 1,
    message: str = "Planned by a test.",
    reasons: cabc.Sequence[str] = (),
    app: flask.Flask | None = None,
) -> cabc.Iterator[Fault]:
    """Let the next attempts of an operation fail, for one app, within the block.

    botocore retries the attempts that it would retry with DynamoDB: with ``DYNAMODB_MAX_RETRY_ATTEMPTS = 3``, a call
    survives three throttled attempts. ``times=None`` lets every call fail in the end, after its waits.

    Args:
        operation: The operation, such as ``"PutItem"``.
        error: DynamoDB's error code, such as ``"ProvisionedThroughputExceededException"``; or an exception of the
            network, such as ``EndpointConnectionError(endpoint_url="...")`` of botocore.
        times: How many attempts fail; ``None`` for all attempts in the block.
        message: DynamoDB's message.
        reasons: For each item of a canceled transaction the code of its reason, such as ``"ConditionalCheckFailed"``,
            or ``"None"``.
        app: The app under test; by default the current app.

    Yields:
        The fault. ``fault.count`` says how often it has happened.

    Raises:
        AssertionError: The block made no such call.
        RuntimeError: There is no app.
    """
    body: Json = {"message": message}
    if reasons:
        body = {
            "Message": f"Transaction cancelled, please refer cancellation reasons for specific reasons"
            f" [{', '.join(reasons)}]",
            "CancellationReasons": [
                {"Code": code} | ({} if code == "None" else {"Message": message}) for code in reasons
            ],
        }
    with planned(ErrorFault(operation, error, times=times, body=body), app) as fault:
        yield fault


@contextlib.contextmanager
def slow_next(
    operation: str, seconds: float, *, times: int | None = 1, app: flask.Flask | None = None
) -> cabc.Iterator[Fault]:
    """Delay the next attempts of an operation, for one app, within the block.

    An attempt that is delayed longer than ``DYNAMODB_READ_TIMEOUT_SECONDS`` times out, and botocore retries it.

    Args:
        operation: The operation, such as ``"PutItem"``.
        seconds: How long each attempt takes at least.
        times: How many attempts are slow; ``None`` for all attempts in the block.
        app: The app under test; by default the current app.

    Yields:
        The fault. ``fault.count`` says how often it has happened.

    Raises:
        AssertionError: The block made no such call.
        RuntimeError: There is no app.
    """
    with planned(DelayFault(operation, seconds, times=times), app) as fault:
        yield fault


@contextlib.contextmanager
def unprocessed(
    operation: str, *, items: int = 1, times: int | None = 1, app: flask.Flask | None = None
) -> cabc.Iterator[Fault]:
    """Leave the last items of the next batches unprocessed, for one app, within the block.

    The server does not get these items. It processes the others.

    Args:
        operation: ``"BatchWriteItem"`` or ``"BatchGetItem"``.
        items: How many items of each batch are left.
        times: How many batches are affected; ``None`` for all batches in the block.
        app: The app under test; by default the current app.

    Yields:
        The fault. ``fault.count`` says how often it has happened.

    Raises:
        AssertionError: The block made no such call.
        RuntimeError: There is no app.
        ValueError: The operation is no batch.
    """
    if operation not in UNPROCESSED:
        raise ValueError(f"unprocessed takes {' or '.join(sorted(UNPROCESSED))}, not {operation!r}.")
    with planned(UnprocessedFault(operation, items, times=times), app) as fault:
        yield fault
