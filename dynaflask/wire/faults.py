"""What went wrong on the way, told by the bind and the setting that can mend it."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t

from botocore import exceptions as botocore
from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError

from dynaflask.binds import Bind

SETTINGS: t.Final[tuple[tuple[tuple[type[Exception], ...], str], ...]] = (
    ((botocore.ProfileNotFound,), "DYNAMODB_PROFILE"),
    ((botocore.NoRegionError, botocore.InvalidRegionError), "DYNAMODB_REGION"),
    ((botocore.ProxyConnectionError, botocore.InvalidProxiesConfigError), "DYNAMODB_CLIENT_CONFIG (proxies)"),
    ((botocore.SSLError,), "DYNAMODB_HOST, AWS_CA_BUNDLE"),
    ((botocore.EndpointConnectionError, botocore.ConnectTimeoutError), "DYNAMODB_HOST, DYNAMODB_REGION"),
    (
        (botocore.NoCredentialsError, botocore.PartialCredentialsError, botocore.CredentialRetrievalError),
        "DYNAMODB_AWS_ACCESS_KEY_ID, DYNAMODB_PROFILE, DYNAMODB_SESSION, DYNAMODB_ROLE_ARN",
    ),
)

FAULTS = (BotoCoreError, ClientError)


class Facts(t.NamedTuple):
    """What an error does not say itself.

    Attributes:
        bind_key: The key of the bind that was called.
        operation: What was called: ``"GetItem"``.
    """

    bind_key: str
    operation: str


@contextlib.contextmanager
def explained(bind: Bind, operation: str) -> cabc.Iterator[None]:
    """Let an error of the block say which bind it was and where to look. Its type stays as it is.

    Args:
        bind: The bind that is called.
        operation: The operation that is called.
    """
    try:
        yield
    except FAULTS as error:
        explain(error, bind=bind, operation=operation)
        raise


def explain(error: Exception, *, bind: Bind, operation: str) -> None:
    """Let an error say which bind it was and where to look.

    Args:
        error: One of :data:`FAULTS`.
        bind: The bind that was called.
        operation: The operation that was called.
    """
    note(error, Facts(bind.key, operation))
    setting = _setting(error)
    if setting is not None:
        error.args = (f"{error} (The bind is {bind.key!r}; see {setting}.)", *error.args[1:])


def note(error: Exception, facts: Facts) -> None:
    """Keep the facts with the error."""
    vars(error)["dynaflask_facts"] = facts


def facts_of(error: BaseException) -> Facts | None:
    """The facts that were kept with an error."""
    return vars(error).get("dynaflask_facts")


def _setting(error: Exception) -> str | None:
    if isinstance(error, ClientError):
        # PynamoDB's own client error tells only of the operation that was asked for; its cause knows better.
        operation = getattr(error.__cause__ or error, "operation_name", None)
        return "DYNAMODB_ROLE_ARN" if operation == "AssumeRole" else None
    return next((setting for kinds, setting in SETTINGS if isinstance(error, kinds)), None)
