"""Adds the bind, and the setting to check, to the errors that botocore and DynamoDB report."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t

from botocore import exceptions as botocore
from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError

from dynaflask.client.call_timeout import CallTimeoutError
from dynaflask.client.key import without_password
from dynaflask.config.bind import Bind
from dynaflask.operations.error_codes import ACCESS_DENIED
from dynaflask.operations.error_codes import NOT_ALLOWED
from dynaflask.operations.error_codes import TABLE_NOT_FOUND

CREDENTIAL_SETTINGS: t.Final = "DYNAMODB_AWS_ACCESS_KEY_ID, DYNAMODB_PROFILE, DYNAMODB_SESSION, DYNAMODB_ROLE_ARN"
# The settings to check, by botocore's exception classes. The first entry that matches is used.
SETTINGS_BY_ERROR: t.Final[tuple[tuple[tuple[type[Exception], ...], str], ...]] = (
    ((CallTimeoutError,), "DYNAMODB_CALL_TIMEOUT_SECONDS"),
    ((botocore.ProfileNotFound,), "DYNAMODB_PROFILE"),
    ((botocore.NoRegionError, botocore.InvalidRegionError), "DYNAMODB_REGION"),
    ((botocore.ProxyConnectionError, botocore.InvalidProxiesConfigError), "DYNAMODB_CLIENT_CONFIG (proxies)"),
    ((botocore.SSLError,), "DYNAMODB_HOST, AWS_CA_BUNDLE"),
    ((botocore.EndpointConnectionError, botocore.ConnectTimeoutError), "DYNAMODB_HOST, DYNAMODB_REGION"),
    (
        (botocore.NoCredentialsError, botocore.PartialCredentialsError, botocore.CredentialRetrievalError),
        CREDENTIAL_SETTINGS,
    ),
)

# The IAM actions of the operations that need others than the one of their name.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis-iam.html
TRANSACTION_ACTIONS: t.Final = {
    "TransactGetItems": "dynamodb:GetItem",
    "TransactWriteItems": "dynamodb:PutItem, UpdateItem, DeleteItem or ConditionCheckItem",
}

CALL_ERRORS = (BotoCoreError, ClientError)


class ErrorContext(t.NamedTuple):
    """Facts about a failed call that its error does not contain.

    Attributes:
        bind_key: Key of the bind that the call went to.
        operation: Name of the operation, such as ``"GetItem"``.
        advice: What to check or do, as the end of the error's message has it; empty if there is no advice.
    """

    bind_key: str
    operation: str
    advice: str = ""


@contextlib.contextmanager
def annotated(bind: Bind, operation: str) -> cabc.Iterator[None]:
    """Annotate an error of the block; see :func:`annotate`. The error keeps its type.

    Args:
        bind: The bind that is called.
        operation: The operation that is called.
    """
    try:
        yield
    except CALL_ERRORS as error:
        annotate(error, bind=bind, operation=operation)
        raise


def annotate(error: Exception, *, bind: Bind, operation: str, client: t.Any = None, tenant: str | None = None) -> None:
    """Add the bind and advice to an error's message, and attach its context.

    Args:
        error: One of :data:`CALL_ERRORS`.
        bind: The bind that was called.
        operation: The operation that was called.
        client: The client that made the call, which knows the region and the endpoint; ``None`` if making it failed.
        tenant: Tenant that the call was made for, or ``None``.
    """
    advice = _advice(error, bind, operation, client=client, tenant=tenant)
    attach(error, ErrorContext(bind.key, operation, advice))
    _append(error, advice)


@contextlib.contextmanager
def propagate_advice(error_type: type[Exception]) -> cabc.Iterator[None]:
    """Copy the advice to an error of PynamoDB that does not repeat the message of its cause.

    Args:
        error_type: PynamoDB's exception class.
    """
    try:
        yield
    except error_type as error:
        context = get_context(getattr(error, "cause", None) or error.__context__ or error)
        _append(error, context.advice if context else "")
        raise


def attach(error: Exception, context: ErrorContext) -> None:
    """Keep a context with an error."""
    vars(error)["dynaflask_context"] = context


def get_context(error: BaseException) -> ErrorContext | None:
    """The context that was attached to an error, or None."""
    return vars(error).get("dynaflask_context")


def _append(error: Exception, advice: str) -> None:
    if advice:
        error.args = (f"{error} {advice}", *error.args[1:])


def _advice(error: Exception, bind: Bind, operation: str, *, client: t.Any, tenant: str | None) -> str:
    setting, code = _setting_to_check(error), _error_code(error)
    if setting is not None:
        return f"(The bind is {bind.key!r}. Check {setting}.)"
    if code == TABLE_NOT_FOUND:
        command = "flask dynamo create" + ("" if tenant is None else f" --tenant {tenant!r}")
        return (
            f"({_destination(bind, client)} The table does not exist there. To create it, run `{command}` or call"
            " db.create_all, if a model declares it. If it exists elsewhere, check DYNAMODB_REGION, DYNAMODB_HOST,"
            " DYNAMODB_TABLE_PREFIX.)"
        )
    if code == NOT_ALLOWED:
        action = TRANSACTION_ACTIONS.get(operation, f"dynamodb:{operation}")
        return (
            f"({_destination(bind, client)} The IAM policy of the credentials must allow {action} on the table, and on"
            " its indexes.)"
        )
    if code in ACCESS_DENIED:
        return f"({_destination(bind, client)} AWS rejected these credentials. Check {CREDENTIAL_SETTINGS}.)"
    return ""


def _destination(bind: Bind, client: t.Any) -> str:
    # botocore may take the region and the endpoint from the environment. A factory's client may not have them.
    meta = getattr(client, "meta", None)
    region, url = getattr(meta, "region_name", bind.region), getattr(meta, "endpoint_url", bind.host)
    parts = [f"The bind is {bind.key!r}"]
    if region:
        parts.append(f"the region {region!r}")
    if url:
        parts.append(f"the endpoint {without_password(str(url))!r}")
    return f"{', '.join(parts)}."


def _error_code(error: Exception) -> str | None:
    return error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None


def _setting_to_check(error: Exception) -> str | None:
    if isinstance(error, ClientError):
        # PynamoDB's own client error names the operation that the program called. Its cause names the one that failed,
        # which may be STS's.
        operation = getattr(error.__cause__ or error, "operation_name", None)
        return "DYNAMODB_ROLE_ARN" if operation == "AssumeRole" else None
    return next((setting for types, setting in SETTINGS_BY_ERROR if isinstance(error, types)), None)
