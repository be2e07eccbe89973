"""Adds the bind, and the setting to check, to the errors that botocore and DynamoDB report."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import os
import typing as t

from botocore import exceptions as botocore
from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError

from dynaflask import local
from dynaflask.client.call_timeout import CallTimeoutError
from dynaflask.client.key import LOCAL
from dynaflask.client.key import without_password
from dynaflask.config.bind import Bind
from dynaflask.exceptions import DamagedResponse
from dynaflask.operations.error_codes import ACCESS_DENIED
from dynaflask.operations.error_codes import NOT_ALLOWED
from dynaflask.operations.error_codes import TABLE_NOT_FOUND
from dynaflask.operations.error_codes import THROTTLED
from dynaflask.operations.error_codes import code_of

CREDENTIAL_SETTINGS: t.Final = "DYNAMODB_AWS_ACCESS_KEY_ID, DYNAMODB_PROFILE, DYNAMODB_SESSION, DYNAMODB_ROLE_ARN"
# The settings to check, by botocore's exception classes. The first entry that matches is used.
SETTINGS_BY_ERROR: t.Final[tuple[tuple[tuple[type[Exception], ...], str], ...]] = (
    ((CallTimeoutError,), "DYNAMODB_CALL_TIMEOUT_SECONDS"),
    ((botocore.NoRegionError, botocore.InvalidRegionError), "DYNAMODB_REGION"),
    ((botocore.ProxyConnectionError, botocore.InvalidProxiesConfigError), "DYNAMODB_CLIENT_CONFIG (proxies)"),
    ((botocore.SSLError,), "DYNAMODB_HOST, AWS_CA_BUNDLE"),
    ((botocore.EndpointConnectionError,), "DYNAMODB_HOST, DYNAMODB_REGION"),
    ((botocore.ConnectTimeoutError,), "DYNAMODB_HOST, DYNAMODB_REGION, DYNAMODB_CONNECT_TIMEOUT_SECONDS"),
    ((botocore.ReadTimeoutError,), "DYNAMODB_READ_TIMEOUT_SECONDS, DYNAMODB_MAX_RETRY_ATTEMPTS"),
    ((botocore.ConnectionClosedError, DamagedResponse), "DYNAMODB_HOST, DYNAMODB_MAX_RETRY_ATTEMPTS"),
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
CONNECTION_ERRORS = (botocore.ConnectionError, botocore.HTTPClientError)


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
    """Complete an error of PynamoDB whose message does not say why: with its cause, which ends with the advice.

    Args:
        error_type: PynamoDB's exception class.
    """
    try:
        yield
    except error_type as error:
        # PynamoDB's text of a failed transaction has neither DynamoDB's code nor its message. It stays in `msg`.
        cause = getattr(error, "cause", None)
        if cause is not None:
            error.args = (f"{error}: {cause}", *error.args[1:])
        else:
            context = get_context(error.__context__ or error)
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
    setting = _setting_to_check(error, bind)
    if bind.host == LOCAL and isinstance(error, CONNECTION_ERRORS) and (failure := local.failure()):
        return f"(The bind is {bind.key!r}. {failure})"
    if setting == CREDENTIAL_SETTINGS and bind.host is not None:
        # botocore does not name the endpoint. It may be one that a program of before has left in a Meta.
        destination = _destination(bind, client)
        return f"({destination} Check {setting}, and the endpoint: DYNAMODB_HOST, or the host in the model's Meta.)"
    if setting is not None:
        meta = ", or the host in the model's Meta" if bind.host is not None and "DYNAMODB_HOST" in setting else ""
        return f"(The bind is {bind.key!r}. Check {setting}{meta}.)"
    code = code_of(error)
    advice = _missing_table_advice(bind, tenant) if code == TABLE_NOT_FOUND else _code_advice(code, operation)
    return f"({_destination(bind, client)} {advice})" if advice else ""


def _missing_table_advice(bind: Bind, tenant: str | None) -> str:
    if bind.host == LOCAL:
        # The command is another process, with a local server of its own.
        return (
            "The table does not exist there. The local server belongs to this process: call db.create_all here, if a"
            f" model declares the table; or {local.SHARE}, and create it once."
        )
    command = "flask dynamo create" + ("" if tenant is None else f" --tenant {tenant!r}")
    return (
        f"The table does not exist there. To create it, run `{command}` or call db.create_all, if a model declares it."
        " If it exists elsewhere, check DYNAMODB_REGION, DYNAMODB_HOST, DYNAMODB_TABLE_PREFIX."
    )


def _code_advice(code: str | None, operation: str) -> str:
    if code == NOT_ALLOWED:
        action = TRANSACTION_ACTIONS.get(operation, f"dynamodb:{operation}")
        return f"The IAM policy of the credentials must allow {action} on the table, and on its indexes."
    if code in THROTTLED:
        return (
            "DynamoDB throttled the call. Check the capacity of the table, DYNAMODB_MAX_RETRY_ATTEMPTS and"
            " DYNAMODB_RETRY_CONFIGURATION."
        )
    return f"AWS rejected these credentials. Check {CREDENTIAL_SETTINGS}." if code in ACCESS_DENIED else ""


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


def _setting_to_check(error: Exception, bind: Bind) -> str | None:
    if isinstance(error, ClientError):
        # PynamoDB's own client error names the operation that the program called. Its cause names the operation that
        # failed, which may be one of STS.
        operation = getattr(error.__cause__ or error, "operation_name", None)
        return "DYNAMODB_ROLE_ARN" if operation == "AssumeRole" else None
    if isinstance(error, botocore.ProfileNotFound):
        return _origin_of_profile(bind)
    return next((setting for types, setting in SETTINGS_BY_ERROR if isinstance(error, types)), None)


def _origin_of_profile(bind: Bind) -> str:
    if bind.session is not None:
        return "DYNAMODB_SESSION"
    if bind.profile is not None:
        return "DYNAMODB_PROFILE"
    # botocore reads the first of these variables that is set.
    name = next((name for name in ("AWS_DEFAULT_PROFILE", "AWS_PROFILE") if name in os.environ), "AWS_PROFILE")
    return f"the environment variable {name}"
