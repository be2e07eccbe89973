"""Adds the bind, and the setting to check, to the errors that botocore and DynamoDB report."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import typing as t

from botocore.exceptions import BotoCoreError
from botocore.exceptions import ClientError

from dynaflask.client.error_advice import CreateOptions
from dynaflask.client.error_advice import find_advice
from dynaflask.config.bind import Bind

CALL_ERRORS = (BotoCoreError, ClientError)


class ErrorContext(t.NamedTuple):
    """Facts about a failed call that its error does not contain.

    Attributes:
        bind_key: Key of the bind that the call went to.
        operation: Name of the operation, such as ``"GetItem"``.
        advice: What to check or do, as the end of the error's message has it; empty if there is no advice.
        tenant: Tenant that the call was made for, or None.
    """

    bind_key: str
    operation: str
    advice: str = ""
    tenant: str | None = None


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


def annotate(
    error: Exception,
    *,
    bind: Bind,
    operation: str,
    client: t.Any = None,
    create: CreateOptions = CreateOptions(),  # noqa: B008 - a tuple
) -> None:
    """Add the bind and advice to an error's message, and attach its context.

    Args:
        error: One of :data:`CALL_ERRORS`.
        bind: The bind that was called.
        operation: The operation that was called.
        client: The client that made the call, which knows the region and the endpoint; ``None`` if making it failed.
        create: What would create the table, if it does not exist.
    """
    advice = find_advice(error, bind, operation, client=client, create=create)
    attach(error, ErrorContext(bind.key, operation, advice, create.tenant))
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
