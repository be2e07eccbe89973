"""What went wrong on the way, told by the bind and the setting that can mend it."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import re
import typing as t

from botocore import exceptions as botocore
from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError

from dynaflask.config.bind import Bind
from dynaflask.operations.error_codes import ACCESS_DENIED
from dynaflask.operations.error_codes import TABLE_NOT_FOUND

SIGNER: t.Final = "DYNAMODB_AWS_ACCESS_KEY_ID, DYNAMODB_PROFILE, DYNAMODB_SESSION, DYNAMODB_ROLE_ARN"
SETTINGS: t.Final[tuple[tuple[tuple[type[Exception], ...], str], ...]] = (
    ((botocore.ProfileNotFound,), "DYNAMODB_PROFILE"),
    ((botocore.NoRegionError, botocore.InvalidRegionError), "DYNAMODB_REGION"),
    ((botocore.ProxyConnectionError, botocore.InvalidProxiesConfigError), "DYNAMODB_CLIENT_CONFIG (proxies)"),
    ((botocore.SSLError,), "DYNAMODB_HOST, AWS_CA_BUNDLE"),
    ((botocore.EndpointConnectionError, botocore.ConnectTimeoutError), "DYNAMODB_HOST, DYNAMODB_REGION"),
    ((botocore.NoCredentialsError, botocore.PartialCredentialsError, botocore.CredentialRetrievalError), SIGNER),
)

FAULTS = (BotoCoreError, ClientError)


class ErrorContext(t.NamedTuple):
    """What an error does not say itself.

    Attributes:
        bind_key: The key of the bind that was called.
        operation: What was called: ``"GetItem"``.
        advice: What to do, as it stands at the end of the message; empty where nobody knows.
    """

    bind_key: str
    operation: str
    advice: str = ""


@contextlib.contextmanager
def annotated(bind: Bind, operation: str) -> cabc.Iterator[None]:
    """Let an error of the block say which bind it was and where to look. Its type stays as it is.

    Args:
        bind: The bind that is called.
        operation: The operation that is called.
    """
    try:
        yield
    except FAULTS as error:
        annotate(error, bind=bind, operation=operation)
        raise


def annotate(error: Exception, *, bind: Bind, operation: str, client: t.Any = None, tenant: str | None = None) -> None:
    """Let an error say which bind it was and where to look.

    Args:
        error: One of :data:`FAULTS`.
        bind: The bind that was called.
        operation: The operation that was called.
        client: Who called it, if there was a client by then. It knows the region and the endpoint.
        tenant: Whom it was called for.
    """
    advice = _advice(error, bind, client, tenant)
    attach(error, ErrorContext(bind.key, operation, advice))
    _add(error, advice)


@contextlib.contextmanager
def propagate_advice(kind: type[Exception]) -> cabc.Iterator[None]:
    """Let an error that PynamoDB made of an explained one, and without its text, say what to do as well.

    Args:
        kind: PynamoDB's error.
    """
    try:
        yield
    except kind as error:
        context = get_context(getattr(error, "cause", None) or error.__context__ or error)
        _add(error, context.advice if context else "")
        raise


def attach(error: Exception, context: ErrorContext) -> None:
    """Keep the facts with the error."""
    vars(error)["dynaflask_facts"] = context


def get_context(error: BaseException) -> ErrorContext | None:
    """The facts that were kept with an error."""
    return vars(error).get("dynaflask_facts")


def _add(error: Exception, advice: str) -> None:
    if advice:
        error.args = (f"{error} {advice}", *error.args[1:])


def _advice(error: Exception, bind: Bind, client: t.Any, tenant: str | None) -> str:
    setting, code = _setting(error), _code(error)
    if setting is not None:
        return f"(The bind is {bind.key!r}; see {setting}.)"
    if code == TABLE_NOT_FOUND:
        command = "flask dynamo create" + ("" if tenant is None else f" --tenant {tenant!r}")
        return (
            f"({_place(bind, client)} There is no such table, or not yet: `{command}` or db.create_all"
            " makes it, if a model declares it. If it is elsewhere, see DYNAMODB_REGION, DYNAMODB_HOST,"
            " DYNAMODB_TABLE_PREFIX.)"
        )
    return f"({_place(bind, client)} Whoever signed was refused; see {SIGNER}.)" if code in ACCESS_DENIED else ""


def _place(bind: Bind, client: t.Any) -> str:
    # What the bind leaves open is decided by botocore, and a client may be of the program's own making.
    meta = getattr(client, "meta", None)
    region, url = getattr(meta, "region_name", bind.region), getattr(meta, "endpoint_url", bind.host)
    known = [f"The bind is {bind.key!r}"]
    if region:
        known.append(f"the region {region!r}")
    if url:
        # One that comes from elsewhere than the settings may carry a password.
        known.append(f"the endpoint {re.sub('//[^/]*@', '//', str(url))!r}")
    return f"{', '.join(known)}."


def _code(error: Exception) -> str | None:
    return error.response.get("Error", {}).get("Code") if isinstance(error, ClientError) else None


def _setting(error: Exception) -> str | None:
    if isinstance(error, ClientError):
        # PynamoDB's own client error tells only of the operation that was asked for; its cause knows better.
        operation = getattr(error.__cause__ or error, "operation_name", None)
        return "DYNAMODB_ROLE_ARN" if operation == "AssumeRole" else None
    return next((setting for kinds, setting in SETTINGS if isinstance(error, kinds)), None)
