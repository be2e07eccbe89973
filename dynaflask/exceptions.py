"""The errors that a program may want to catch. Misuse of the API is a built-in error instead.

DynaflaskError
├── ConfigurationError   a setting is wrong                          (also a ValueError)
├── UnknownBind          the app has no bind of that key             (also a KeyError)
├── UnknownModel         the app has no model of that name           (also a KeyError)
├── AmbiguousModel       two models share the name                   (also a LookupError)
├── BatchWriteError      a batch gave up, and holds what is left     (also PynamoDB's PutError)
├── BadCursor            a cursor that no page of this app gave      (also werkzeug's BadRequest)
├── LocalServerError          the local server is missing or has failed (also a RuntimeError)
├── TransferError        a dump or a load cannot go on
├── UnknownTenant        the app has no such tenant                  (also werkzeug's NotFound)
├── TenantRequired       something was used for no tenant            (also a RuntimeError)
├── TenantMismatch       it is another tenant's                      (also a RuntimeError)
└── TenantLimitExceeded  a tenant has used up its share for now      (also werkzeug's TooManyRequests)
"""

from __future__ import annotations

import collections.abc as cabc
import math
import pathlib
import typing as t

import pynamodb.exceptions
import werkzeug.exceptions


def install_hint(error: ModuleNotFoundError, *, extra: str) -> str:
    """How to install a package that is missing.

    Args:
        error: The error of its import.
        extra: The extra that brings it.
    """
    # In quotes: zsh takes brackets for a pattern.
    return f'{error.name} is not installed: pip install "dynaflask[{extra}]"'


class DynaflaskError(Exception):
    """The base of every error in this module."""


class ConfigurationError(DynaflaskError, ValueError):
    """A setting is wrong; the message names it as it was typed and says what would do."""


class _Unknown(DynaflaskError, KeyError):
    # KeyError shows its message as a quoted key.
    __str__ = Exception.__str__


class UnknownBind(_Unknown):
    """The app has no such bind.

    Attributes:
        bind_key: The key that was asked for.
        known: The keys that the app has.
    """

    def __init__(self, bind_key: str, *, known: cabc.Iterable[str], app_name: str) -> None:
        self.bind_key = bind_key
        self.known = tuple(known)
        super().__init__(
            f"The app {app_name!r} has no bind {bind_key!r}. Add it to DYNAMODB_BINDS, or use one of"
            f" {', '.join(map(repr, self.known))}."
        )


class UnknownModel(_Unknown):
    """The app has no such model.

    Attributes:
        name: The name that was asked for.
    """

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(message)


class AmbiguousModel(DynaflaskError, LookupError):
    """Several models share the name.

    Attributes:
        name: The name that was asked for.
        candidates: The full names, ``module.ClassName``, of the models that share it.
    """

    def __init__(self, name: str, *, candidates: cabc.Iterable[str]) -> None:
        self.name = name
        self.candidates = tuple(sorted(candidates))
        super().__init__(
            f"{len(self.candidates)} models are called {name!r}. Ask for one by its full name:"
            f" {', '.join(map(repr, self.candidates))}."
        )


class BatchWriteError(DynaflaskError, pynamodb.exceptions.PutError):
    """A batch gave up: DynamoDB refused a request, or left items of it undone too often.

    Attributes:
        unsaved: The items that were to be saved and were not, as they were given to the batch.
        undeleted: The items that were to be deleted and were not.
        cause: botocore's error; ``None`` where DynamoDB left items undone.
    """

    def __init__(
        self, message: str, *, unsaved: list[t.Any], undeleted: list[t.Any], cause: Exception | None = None
    ) -> None:
        self.unsaved = unsaved
        self.undeleted = undeleted
        super().__init__(message, cause)


class BadCursor(DynaflaskError, werkzeug.exceptions.BadRequest):
    """A cursor is none of this app's for this query. The answer is 400, and says no more than that."""

    description = "The cursor is not valid."


class UnknownTenant(DynaflaskError, werkzeug.exceptions.NotFound):
    """The app has no such tenant. The answer is 404, and does not name it.

    Attributes:
        tenant: The name that was asked for.
    """

    def __init__(self, tenant: str, message: str | None = None) -> None:
        self.tenant = tenant
        super().__init__()
        # For whoever takes it to another process, as a queue of tasks does.
        self.args = (tenant, message)

    def __str__(self) -> str:
        return self.args[1] or super().__str__()


class TenantRequired(DynaflaskError, RuntimeError):
    """Something was used for no tenant, where there has to be one."""


class TenantMismatch(DynaflaskError, RuntimeError):
    """What was read, or is to be written, is another tenant's. The message does not say what it is."""


class TenantLimitExceeded(DynaflaskError, werkzeug.exceptions.TooManyRequests):
    """A tenant has used up its share of the database for now. Nothing was sent; Flask answers 429 with ``Retry-After``.

    Attributes:
        tenant: Whose call it was.
        retry_after: After how many seconds, whole ones, it is worth to try again.
    """

    def __init__(self, tenant: str, *, wait_seconds: float) -> None:
        self.tenant = tenant
        seconds = math.ceil(wait_seconds)
        # The name is not in it: this is what the client is told.
        super().__init__(f"This uses more of the database than it may. Try again in {seconds} s.", retry_after=seconds)


class LocalServerError(DynaflaskError, RuntimeError):
    """The local server is missing, too old, or has failed; the message says what to do."""


class TransferError(DynaflaskError):
    """A dump or a load cannot go on; the message names the file.

    Attributes:
        path: The file.
        line: The line to mend, or to go on from; ``None`` where it is none's.
    """

    def __init__(self, path: pathlib.Path, message: str, *, line: int | None = None) -> None:
        self.path = path
        self.line = line
        super().__init__(f"{path}{'' if line is None else f', line {line}'}: {message}")
