"""Errors that a program may want to catch."""

from __future__ import annotations

import concurrent.futures
import copy
import multiprocessing
import pathlib
import pickle
import typing as t

import botocore.exceptions
import pynamodb.exceptions
import pytest
import werkzeug.exceptions

import dynaflask
from dynaflask import exceptions

ERRORS: list[dynaflask.DynaflaskError] = [
    dynaflask.DynaflaskError("text"),
    dynaflask.ConfigurationError("text"),
    dynaflask.UnknownBind("eu", known=["default"], app_name="forum"),
    dynaflask.UnknownModel("Thread", "text"),
    dynaflask.AmbiguousModel("Thread", candidates=["a.Thread", "b.Thread"]),
    dynaflask.BatchWriteError(
        "text",
        unsaved=["one"],
        undeleted=["two"],
        cause=botocore.exceptions.ClientError({"Error": {"Code": "No", "Message": "no"}}, "BatchWriteItem"),
    ),
    dynaflask.ConditionFailed("text", items=[None, "item"]),
    dynaflask.DamagedResponse(error="The response is cut short."),
    dynaflask.BadCursor(),
    dynaflask.InvalidBody({"author.name": "text"}),
    dynaflask.LocalServerError("text"),
    dynaflask.MigrationError("text"),
    dynaflask.TransferError(pathlib.Path("file"), "text", line=3),
    dynaflask.UnknownTenant("acme", "text"),
    dynaflask.UnknownTenant("acme"),
    dynaflask.TenantRequired("text"),
    dynaflask.TenantMismatch("text"),
    dynaflask.TenantLimitExceeded("acme", wait_seconds=2.5),
]


@pytest.mark.parametrize(
    ("error", "other"),
    [
        (dynaflask.ConfigurationError, ValueError),
        (dynaflask.UnknownBind, KeyError),
        (dynaflask.UnknownModel, KeyError),
        (dynaflask.AmbiguousModel, LookupError),
        (dynaflask.BatchWriteError, pynamodb.exceptions.PutError),
        (dynaflask.ConditionFailed, pynamodb.exceptions.PynamoDBException),
        (dynaflask.BadCursor, werkzeug.exceptions.BadRequest),
        (dynaflask.InvalidBody, werkzeug.exceptions.BadRequest),
        (dynaflask.LocalServerError, RuntimeError),
        (dynaflask.UnknownTenant, werkzeug.exceptions.NotFound),
        (dynaflask.TenantRequired, RuntimeError),
        (dynaflask.TenantMismatch, RuntimeError),
        (dynaflask.DamagedResponse, botocore.exceptions.HTTPClientError),
        (dynaflask.TenantLimitExceeded, werkzeug.exceptions.TooManyRequests),
    ],
)
def test_each_error_has_two_base_classes(error: type[Exception], other: type[Exception]) -> None:
    """Each error is a DynaflaskError, and of the class that code without dynaflask would catch."""
    assert issubclass(error, dynaflask.DynaflaskError)
    assert issubclass(error, other)


def test_all_errors_are_public() -> None:
    """Each error can be imported from the package."""
    errors = {name for name, value in vars(exceptions).items() if isinstance(value, type) and not name.startswith("_")}
    assert errors <= set(dynaflask.__all__)


def test_the_message_of_a_key_error_is_not_quoted() -> None:
    """str() returns the message as it is, where KeyError would quote it."""
    assert str(dynaflask.UnknownModel("Tread", "No such model.")) == "No such model."


def test_an_ambiguous_name_is_not_a_missing_name() -> None:
    """AmbiguousModel is no KeyError, which Mapping.get() would turn into None."""
    assert not issubclass(dynaflask.AmbiguousModel, KeyError)


def test_the_list_of_errors_is_complete() -> None:
    """Each public error has an example in ERRORS, so that the tests of copies check it."""
    public = {getattr(dynaflask, name) for name in dynaflask.__all__}
    errors = {each for each in public if isinstance(each, type) and issubclass(each, BaseException)}
    assert {type(error) for error in ERRORS} == errors


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("copied", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])  # noqa: S301
def test_each_error_can_be_copied(error: dynaflask.DynaflaskError, copied: t.Callable[[t.Any], t.Any]) -> None:
    """``pickle``, ``copy`` and ``deepcopy`` keep the class, the text, ``args`` and each attribute of an error."""
    other = copied(error)
    assert (type(other), str(other)) == (type(error), str(error))
    assert repr(other.args) == repr(error.args)
    assert {name: repr(value) for name, value in vars(other).items()} == {
        name: repr(value) for name, value in vars(error).items()
    }


def fail() -> None:
    """Raise an error that takes keyword arguments."""
    raise dynaflask.TenantLimitExceeded("acme", wait_seconds=1)


def test_an_error_does_not_break_a_process_pool() -> None:
    """A worker's error reaches the caller of a ``ProcessPoolExecutor``, and the pool goes on."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as executor:
        for _ in range(2):
            with pytest.raises(dynaflask.TenantLimitExceeded, match="Try again in 1 s") as caught:
                executor.submit(fail).result()
            assert (caught.value.tenant, caught.value.retry_after) == ("acme", 1)


def test_a_subclass_of_a_program_can_be_copied() -> None:
    """A program's subclass with arguments of its own can be pickled, too."""
    error = pickle.loads(pickle.dumps(Numbered(number=7)))  # noqa: S301
    assert (type(error), str(error), error.number) == (Numbered, "number 7", 7)


class Numbered(dynaflask.DynaflaskError):
    """An error with a number."""

    def __init__(self, *, number: int) -> None:
        self.number = number
        super().__init__(f"number {number}")
