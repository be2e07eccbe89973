"""Errors that a program may want to catch."""

from __future__ import annotations

import copy
import pickle

import botocore.exceptions
import pynamodb.exceptions
import pytest
import werkzeug.exceptions

import dynaflask
from dynaflask import exceptions


@pytest.mark.parametrize(
    ("error", "other"),
    [
        (dynaflask.ConfigurationError, ValueError),
        (dynaflask.UnknownBind, KeyError),
        (dynaflask.UnknownModel, KeyError),
        (dynaflask.AmbiguousModel, LookupError),
        (dynaflask.BatchWriteError, pynamodb.exceptions.PutError),
        (dynaflask.BadCursor, werkzeug.exceptions.BadRequest),
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


def test_a_damaged_response_is_copied_with_its_text() -> None:
    """A ``DamagedResponse`` survives ``pickle`` and ``copy`` with its text."""
    error = dynaflask.DamagedResponse(error="It is cut short.")
    copies = [pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)]  # noqa: S301 - our own bytes
    assert [(type(other), str(other)) for other in copies] == [(dynaflask.DamagedResponse, "It is cut short.")] * 3
