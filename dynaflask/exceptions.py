"""Errors that a program may want to catch. Misuse of the API raises a built-in error instead.

DynaflaskError
├── ConfigurationError   a setting is wrong                         (also ValueError)
├── UnknownBind          the app has no bind with this key          (also KeyError)
├── UnknownModel         the app has no model with this name        (also KeyError)
├── AmbiguousModel       several models have this name              (also LookupError)
├── BatchWriteError      a batch failed; holds the unwritten items  (also PynamoDB's PutError)
├── ConditionFailed      a condition was false; may hold the item   (also PynamoDB's PutError, UpdateError, ...)
├── DamagedResponse      a response cannot be trusted               (also botocore's HTTPClientError)
├── BadCursor            the cursor is not valid for this query     (also werkzeug's BadRequest)
├── InvalidBody          a JSON body does not fit its model         (also werkzeug's BadRequest)
├── LocalServerError     the local server cannot be used            (also RuntimeError)
├── MigrationError       a migration of items cannot continue
├── StreamError          a stream or a record of it cannot be read
├── TransferError        a dump, a load or a seed cannot continue
├── UnknownTenant        the app has no tenant with this name       (also werkzeug's NotFound)
├── TenantRequired       the operation needs a tenant               (also RuntimeError)
├── TenantMismatch       the data or setting is another tenant's    (also RuntimeError)
└── TenantLimitExceeded  the tenant has used up its capacity        (also werkzeug's TooManyRequests)
"""

from __future__ import annotations

import collections.abc as cabc
import json
import math
import pathlib
import typing as t

import botocore.exceptions
import pynamodb.exceptions
import werkzeug.exceptions


class DynaflaskError(Exception):
    """Base class of all errors in this module. Each can be copied and pickled, with its text and its attributes."""

    def __reduce__(self) -> tuple[t.Any, ...]:
        # An exception's own __reduce__ calls the class with `args`, the text. In a worker of a ProcessPoolExecutor, the
        # TypeError of a class that takes other arguments breaks the whole pool.
        return _restore, (type(self), *self.args), vars(self)


def _restore(error_class: type[DynaflaskError], *args: t.Any) -> DynaflaskError:
    # __new__ sets `args`. The attributes follow, as the state.
    return error_class.__new__(error_class, *args)


class ConfigurationError(DynaflaskError, ValueError):
    """A setting is wrong. The message names the setting as it was typed and says what is valid."""


class _Unknown(DynaflaskError, KeyError):
    # str() of a KeyError quotes the message, as if it were a key.
    __str__ = Exception.__str__


class UnknownBind(_Unknown):
    """The app has no bind with this key.

    Attributes:
        bind_key: The unknown key.
        known: Keys of the app's binds.
    """

    def __init__(self, bind_key: str, *, known: cabc.Iterable[str], app_name: str) -> None:
        self.bind_key = bind_key
        self.known = tuple(known)
        super().__init__(
            f"The app {app_name!r} has no bind {bind_key!r}. Add it to DYNAMODB_BINDS, or use one of"
            f" {', '.join(map(repr, self.known))}."
        )


class UnknownModel(_Unknown):
    """The app has no model with this name.

    Attributes:
        name: The unknown name.
    """

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(message)


class AmbiguousModel(DynaflaskError, LookupError):
    """Several models have this name.

    Attributes:
        name: The shared name.
        candidates: Full names of the models, ``module.ClassName``.
    """

    def __init__(self, name: str, *, candidates: cabc.Iterable[str]) -> None:
        self.name = name
        self.candidates = tuple(sorted(candidates))
        super().__init__(
            f"{len(self.candidates)} models are called {name!r}. Ask for one by its full name:"
            f" {', '.join(map(repr, self.candidates))}."
        )


class BatchWriteError(DynaflaskError, pynamodb.exceptions.PutError):
    """A batch failed: DynamoDB refused a request, or returned unprocessed items too often.

    Attributes:
        unsaved: Items that the batch was given to save and did not save.
        undeleted: Items that the batch was given to delete and did not delete.
        cause: Error of botocore; ``None`` if DynamoDB returned unprocessed items.
    """

    def __init__(
        self, message: str, *, unsaved: list[t.Any], undeleted: list[t.Any], cause: Exception | None = None
    ) -> None:
        self.unsaved = unsaved
        self.undeleted = undeleted
        super().__init__(message, cause)


class ConditionFailed(DynaflaskError, pynamodb.exceptions.PynamoDBException):
    """The condition of a write was false, and nothing was written.

    It is also the error that PynamoDB raises: PutError, UpdateError, DeleteError or TransactWriteError.

    Attributes:
        item: The item that the condition was false for, as it was then: an object of the model. ``None`` if there was
            no item, or if nothing asked for it: ``return_values_on_condition_failure="ALL_OLD"``, as an argument of the
            write or as a setting.
        items: For a transaction, the items of all its operations, in the order of PynamoDB's ``cancellation_reasons``,
            with None for an operation that did not fail. Otherwise the item alone.
        cause: Error of botocore.
    """

    def __init__(self, message: str, cause: Exception | None = None, *, items: cabc.Iterable[t.Any] = ()) -> None:
        super().__init__(message, cause)
        self.items = list(items)
        self.item: t.Any = next((item for item in self.items if item is not None), None)


class _PutConditionFailed(ConditionFailed, pynamodb.exceptions.PutError):
    pass


class _UpdateConditionFailed(ConditionFailed, pynamodb.exceptions.UpdateError):
    pass


class _DeleteConditionFailed(ConditionFailed, pynamodb.exceptions.DeleteError):
    pass


class _TransactConditionFailed(ConditionFailed, pynamodb.exceptions.TransactWriteError):
    pass


class DamagedResponse(DynaflaskError, botocore.exceptions.HTTPClientError):
    """A response cannot be trusted: it is cut short, does not match its checksum, or is not a JSON object.

    The request may have been applied. It is not repeated where botocore would take the response for a success. PynamoDB
    wraps this error in its own, such as ``PutError``, whose ``cause`` it is.

    Args:
        error: What is wrong with the response.
    """

    # botocore's text starts with "An HTTP Client raised an unhandled exception:".
    fmt = "{error}"


class BadCursor(DynaflaskError, werkzeug.exceptions.BadRequest):
    """The cursor is not one of this app for this query. The response is 400 and gives no reason."""

    description = "The cursor is not valid."


class InvalidBody(DynaflaskError, werkzeug.exceptions.BadRequest):
    """A JSON body does not fit its model. The response is 400, in JSON, with the fields and the reasons.

    Attributes:
        errors: Reason by field, with dots below it: ``{"author.name": "The value must be a string."}``. An error of the
            body itself has the name ``"body"``.
        data: The response of Flask-RESTX and flask-smorest, which answer with ``message`` and ``errors``.
    """

    def __init__(self, errors: cabc.Mapping[str, str]) -> None:
        self.errors = dict(errors)
        self.data = {"message": "Input payload validation failed", "errors": self.errors}
        super().__init__("; ".join(f"{field}: {reason}" for field, reason in errors.items()))

    def get_body(self, *_: t.Any, **__: t.Any) -> str:
        """The JSON of the response: ``code``, ``message`` and ``errors``."""
        return json.dumps({"code": self.code, **self.data})

    def get_headers(self, *_: t.Any, **__: t.Any) -> list[tuple[str, str]]:
        """The content type of the response."""
        return [("Content-Type", "application/json")]


class UnknownTenant(DynaflaskError, werkzeug.exceptions.NotFound):
    """The app has no tenant with this name. The response is 404 and does not show the name.

    Attributes:
        tenant: The unknown name.
    """

    def __init__(self, tenant: str, message: str | None = None) -> None:
        self.tenant = tenant
        super().__init__()
        self.args = (tenant, message)

    def __str__(self) -> str:
        return self.args[1] or super().__str__()


class TenantRequired(DynaflaskError, RuntimeError):
    """An operation needs a tenant, and the context has none."""


class TenantMismatch(DynaflaskError, RuntimeError):
    """Code reads or writes data of another tenant, or contradicts a tenant's settings. The message shows no data."""


class TenantLimitExceeded(DynaflaskError, werkzeug.exceptions.TooManyRequests):
    """A tenant has used up its capacity for now. Nothing was sent; Flask's response is 429 with ``Retry-After``.

    Attributes:
        tenant: Name of the tenant.
        retry_after: Whole seconds until a call is admitted again.
    """

    def __init__(self, tenant: str, *, wait_seconds: float) -> None:
        self.tenant = tenant
        seconds = math.ceil(wait_seconds)
        # Clients see this text, so that it does not name the tenant.
        super().__init__(f"Too many requests for this account. Try again in {seconds} s.", retry_after=seconds)


class LocalServerError(DynaflaskError, RuntimeError):
    """The local server cannot be started or used. The message says how to fix it."""


class StreamError(DynaflaskError):
    """A stream cannot be read, or a record of it belongs to no table of the app, or to no single tenant or model."""


class TransferError(DynaflaskError):
    """A dump, a load or a seed cannot continue. The message names the file.

    Attributes:
        path: Path of the file.
        line: Number of the line to fix or to continue from; ``None`` if the error concerns no single line.
    """

    def __init__(self, path: pathlib.Path, message: str, *, line: int | None = None) -> None:
        self.path = path
        self.line = line
        super().__init__(f"{path}{'' if line is None else f', line {line}'}: {message}")


class MigrationError(DynaflaskError):
    """A migration of items cannot begin or continue. The message says what to do; what is done stays done."""
