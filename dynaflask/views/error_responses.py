"""Answers for the errors that leave a view: ``DYNAMODB_ERROR_HANDLERS``."""

from __future__ import annotations

import contextlib
import logging
import typing as t

import flask
from botocore import exceptions as botocore
from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError
from pynamodb.exceptions import DoesNotExist
from pynamodb.exceptions import PynamoDBException
from werkzeug.exceptions import Conflict
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import NotFound
from werkzeug.exceptions import ServiceUnavailable

from dynaflask.client.error_context import ErrorContext
from dynaflask.client.error_context import get_context
from dynaflask.exceptions import BatchWriteError
from dynaflask.operations.operation import THROTTLED
from dynaflask.registry.context import current_scope

if t.TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

# The broadest classes: whatever handler the app has for a narrower one goes first.
HANDLED: t.Final = (PynamoDBException, ClientError, BotoCoreError)

# As an error's code, and as a reason for which a transaction was cancelled.
CONFLICTS = frozenset(
    {
        "ConditionalCheckFailedException",
        "ConditionalCheckFailed",
        "TransactionConflictException",
        "TransactionConflict",
    }
)
OUT_OF_REACH: t.Final = (
    botocore.NoCredentialsError,
    botocore.PartialCredentialsError,
    botocore.CredentialRetrievalError,
    botocore.NoRegionError,
    botocore.ConnectionError,
    botocore.HTTPClientError,
)
RETRY_AFTER_SECONDS = 1
UNKNOWN: t.Final = ErrorContext("unknown", "a call")


def install(app: flask.Flask) -> None:
    """Have an app answer what leaves its views. A class for which the app has a handler already is left to that one.

    Args:
        app: The app.
    """
    present = app.error_handler_spec[None][None]
    for kind in HANDLED:
        if kind not in present:
            app.register_error_handler(kind, answer)


def answer(error: Exception) -> ResponseReturnValue:
    """The answer to an error that left a view. One that is nobody's fault but the program's is raised again.

    Args:
        error: The error.
    """
    meant = translate(error)
    if meant is None:
        return _leave(error)
    _log(error, meant)
    # The app's own page for that status, if it has one. Flask's public method for it is called otherwise from 3.2 on.
    handler = flask.current_app._find_error_handler(meant, flask.request.blueprints)
    return t.cast("ResponseReturnValue", meant) if handler is None else _call(handler, meant)


def translate(error: Exception) -> HTTPException | None:
    """The status that an error stands for; ``None`` for one that stands for none.

    Args:
        error: An error of PynamoDB or botocore.
    """
    if isinstance(error, DoesNotExist):
        return NotFound()
    cause = _cause(error)
    codes = _codes(cause)
    if codes & CONFLICTS:
        return Conflict("What this request was to change is not as it should be. Look at it anew, and try again.")
    # A batch without a cause gave up, because DynamoDB left too much of it undone.
    if codes & THROTTLED or isinstance(cause, BatchWriteError):
        return ServiceUnavailable(retry_after=RETRY_AFTER_SECONDS)
    return ServiceUnavailable() if isinstance(cause, OUT_OF_REACH) else None


def _cause(error: Exception) -> Exception:
    return getattr(error, "cause", None) or error


def _codes(cause: Exception) -> set[str | None]:
    if not isinstance(cause, ClientError):
        return set()
    # As PynamoDB keeps them, and as botocore does.
    reasons = {reason.code for reason in getattr(cause, "cancellation_reasons", ()) if reason}
    response = t.cast("dict[str, t.Any]", cause.response)
    reasons.update(reason.get("Code") for reason in response.get("CancellationReasons", ()))
    return {response.get("Error", {}).get("Code"), *reasons}


def _leave(error: Exception) -> ResponseReturnValue:
    """What would have become of the error without these handlers."""
    present = flask.current_app.error_handler_spec[None][None]
    for kind in type(error).__mro__:
        handler = present.get(kind)
        if handler is not None and handler is not answer:
            return _call(handler, error)
    raise error


def _call(handler: t.Callable[[t.Any], t.Any], error: Exception) -> ResponseReturnValue:
    return t.cast("ResponseReturnValue", flask.current_app.ensure_sync(handler)(error))


def _log(error: Exception, meant: HTTPException) -> None:
    facts = get_context(_cause(error)) or _missing(error) or UNKNOWN
    is_fault = isinstance(meant, ServiceUnavailable)
    flask.current_app.logger.log(
        logging.ERROR if is_fault else logging.INFO,
        "%s for %s of %s on the bind %r: %s",
        meant.code,
        type(error).__qualname__,
        facts.operation,
        facts.bind_key,
        error,
        exc_info=error if is_fault else None,
    )


def _missing(error: Exception) -> ErrorContext | None:
    """No call failed that could tell: the item that was asked for is not there."""
    scope = current_scope()
    models: t.Any = scope.registry.models.classes() if scope else ()
    # The block of the tenant that it was asked for has ended. Nobody may be there now, and it is for the log alone.
    with contextlib.suppress(Exception):
        return next(
            ErrorContext(model.Meta.bind_key, "GetItem") for model in models if model.DoesNotExist is type(error)
        )
    return None
