"""Responses for DynamoDB errors that leave a view: ``DYNAMODB_ERROR_HANDLERS``."""

from __future__ import annotations

import contextlib
import http
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

from dynaflask.client.error_advice import ASSUME_ROLE
from dynaflask.client.error_context import ErrorContext
from dynaflask.client.error_context import get_context
from dynaflask.exceptions import BatchWriteError
from dynaflask.exceptions import ConditionFailed
from dynaflask.model.conditions import origin_of
from dynaflask.operations.error_codes import CONFLICTS
from dynaflask.operations.error_codes import REJECTED_CREDENTIALS
from dynaflask.operations.error_codes import THROTTLED
from dynaflask.operations.error_codes import code_of
from dynaflask.operations.error_codes import failed_operation
from dynaflask.operations.error_codes import is_foreign
from dynaflask.operations.error_codes import reason_codes
from dynaflask.registry.context import current_scope
from dynaflask.views import json_provider

if t.TYPE_CHECKING:
    from flask.typing import ResponseReturnValue

# The broadest classes. Flask prefers the handler of a narrower class, so the app's own handlers take precedence.
HANDLED: t.Final = (PynamoDBException, ClientError, BotoCoreError)

# No credentials or no region: nothing was sent.
NO_ACCESS: t.Final = (
    botocore.NoCredentialsError,
    botocore.PartialCredentialsError,
    botocore.CredentialRetrievalError,
    botocore.ProfileNotFound,
    botocore.SSOError,
    botocore.TokenRetrievalError,
    botocore.NoRegionError,
)
# No connection, or no answer in time.
UNREACHABLE: t.Final = (botocore.ConnectionError, botocore.HTTPClientError)
# What the client is told. The reason is for the operators, in the log.
BUSY_MESSAGE: t.Final = "The database cannot take the request now. Try again in a moment."
NO_ACCESS_MESSAGE: t.Final = "The server has no access to its database. Its log has the reason."
UNREACHABLE_MESSAGE: t.Final = "The database does not answer. Try again later."
RETRY_AFTER_SECONDS = 1
UNKNOWN_CONTEXT: t.Final = ErrorContext("unknown", "a call")

CONFLICT_ITEMS: t.Final = "conflict_items"


class ItemConflict(Conflict):
    """A 409 for a write whose condition was false. With an item, the response is JSON.

    Attributes:
        item: The item as it is now, an object of its model; or None. A handler of the app may show it.
    """

    description = "The item already exists or has changed. Reload it and try again."

    def __init__(self, item: t.Any) -> None:
        super().__init__()
        self.item = item

    def get_body(self, *args: t.Any, **options: t.Any) -> str:
        """The body of the response; with an item, JSON of ``code``, ``message`` and ``item``."""
        if self.item is None:
            return super().get_body(*args, **options)
        return flask.json.dumps(
            {"code": self.code, "message": self.description, "item": self.item}, default=json_provider.to_json
        )

    def get_headers(self, *args: t.Any, **options: t.Any) -> list[tuple[str, str]]:
        """The content type of the response."""
        return super().get_headers(*args, **options) if self.item is None else [("Content-Type", "application/json")]


def install(app: flask.Flask) -> None:
    """Register the error handlers on an app, except for classes that already have a handler of the app's.

    Args:
        app: The app.
    """
    handlers = app.error_handler_spec[None][None]
    for error_class in HANDLED:
        if error_class not in handlers:
            app.register_error_handler(error_class, handle_error)


def handle_error(error: Exception) -> ResponseReturnValue:
    """The response to an error that left a view. An error that has no HTTP status is raised again.

    Args:
        error: The error.
    """
    http_error = to_http_exception(error)
    if http_error is None:
        return _delegate_or_reraise(error)
    _log(error, http_error)
    # The app's own page for that status, if it has one. The public method that calls it, handle_http_exception, has
    # another signature from Flask 3.2 on.
    handler = flask.current_app._find_error_handler(http_error, flask.request.blueprints)
    return t.cast("ResponseReturnValue", http_error) if handler is None else _call(handler, http_error)


def to_http_exception(error: Exception) -> HTTPException | None:
    """The HTTP error for an error of PynamoDB or botocore, or None if it has no HTTP status.

    Args:
        error: An error of PynamoDB or botocore.
    """
    if isinstance(error, DoesNotExist):
        return NotFound()
    cause = _cause(error)
    codes = reason_codes(error)
    if codes & CONFLICTS:
        return ItemConflict(_shown_item(error))
    # A batch write without another cause gave up, because DynamoDB returned too many unprocessed items.
    if codes & THROTTLED or isinstance(cause, BatchWriteError) or _is_server_error(cause):
        return ServiceUnavailable(BUSY_MESSAGE, retry_after=RETRY_AFTER_SECONDS)
    if codes & REJECTED_CREDENTIALS or isinstance(cause, NO_ACCESS) or failed_operation(cause) == ASSUME_ROLE:
        return ServiceUnavailable(NO_ACCESS_MESSAGE)
    is_unreachable = isinstance(cause, UNREACHABLE) or is_foreign(code_of(cause))
    return ServiceUnavailable(UNREACHABLE_MESSAGE) if is_unreachable else None


def _shown_item(error: Exception) -> t.Any:
    """The item of a failed condition for the response, or None.

    It is shown if the app wants that, and the item was read in this context for the tenant of this context: an error
    may come out of another tenant's block, or of another app's context.
    """
    scope = current_scope()
    if scope is None or not isinstance(error, ConditionFailed) or not scope.registry.settings.plain.get(CONFLICT_ITEMS):
        return None
    origin = origin_of(error)
    # The tenant may be unknown by now. The response to a conflict must not fail for that.
    with contextlib.suppress(Exception):
        return error.item if origin is not None and origin.is_same(scope) else None
    return None


def _cause(error: Exception) -> Exception:
    return getattr(error, "cause", None) or error


def _is_server_error(cause: Exception) -> bool:
    """True if AWS answered with a status of 500 or more, after all retries."""
    # PynamoDB's error has only the code. Its cause, botocore's ClientError, has the status.
    origin = cause.__cause__ if isinstance(cause.__cause__, ClientError) else cause
    metadata: t.Any = origin.response.get("ResponseMetadata", {}) if isinstance(origin, ClientError) else {}
    return bool(metadata.get("HTTPStatusCode", 0) >= http.HTTPStatus.INTERNAL_SERVER_ERROR)


def _delegate_or_reraise(error: Exception) -> ResponseReturnValue:
    """The response of the app's own handler for a base class of the error. Without one the error is raised again."""
    handlers = flask.current_app.error_handler_spec[None][None]
    for error_class in type(error).__mro__:
        handler = handlers.get(error_class)
        if handler is not None and handler is not handle_error:
            return _call(handler, error)
    raise error


def _call(handler: t.Callable[[t.Any], t.Any], error: Exception) -> ResponseReturnValue:
    return t.cast("ResponseReturnValue", flask.current_app.ensure_sync(handler)(error))


def _log(error: Exception, http_error: HTTPException) -> None:
    context = get_context(_cause(error)) or _missing_item_context(error) or UNKNOWN_CONTEXT
    is_outage = isinstance(http_error, ServiceUnavailable)
    flask.current_app.logger.log(
        logging.ERROR if is_outage else logging.INFO,
        "%s for %s of %s on the bind %r%s: %s",
        http_error.code,
        type(error).__qualname__,
        context.operation,
        context.bind_key,
        "" if context.tenant is None else f" for the tenant {context.tenant!r}",
        error,
        exc_info=error if is_outage else None,
        # The tenant's block may have ended: a filter would not find it.
        extra={
            "bind": context.bind_key,
            "operation": context.operation,
            **({} if context.tenant is None else {"tenant": context.tenant}),
        },
    )


def _missing_item_context(error: Exception) -> ErrorContext | None:
    """The context of a ``DoesNotExist``, which no failed call carries: PynamoDB raises it after a successful one."""
    scope = current_scope()
    models: t.Any = scope.registry.models.classes() if scope else ()
    # Reading Meta can raise, such as TenantRequired: the tenant's block has ended. A log line must not fail for that.
    with contextlib.suppress(Exception):
        return next(
            ErrorContext(model.Meta.bind_key, "GetItem") for model in models if model.DoesNotExist is type(error)
        )
    return None
