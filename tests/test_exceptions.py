"""The errors that a program may want to catch."""

from __future__ import annotations

import pynamodb.exceptions
import pytest
import werkzeug.exceptions

import dynaflask
from dynaflask import exceptions


@pytest.mark.parametrize(
    ("error", "known"),
    [
        (dynaflask.ConfigurationError, ValueError),
        (dynaflask.UnknownBind, KeyError),
        (dynaflask.UnknownModel, KeyError),
        (dynaflask.AmbiguousModel, LookupError),
        (dynaflask.BatchWriteError, pynamodb.exceptions.PutError),
        (dynaflask.BadCursor, werkzeug.exceptions.BadRequest),
        (dynaflask.LocalServerError, RuntimeError),
    ],
)
def test_each_is_of_the_one_base_and_one_that_was_there(error: type[Exception], known: type[Exception]) -> None:
    """One except clause catches all of ours, and code that knows the other class catches it, too."""
    assert issubclass(error, dynaflask.DynaflaskError)
    assert issubclass(error, known)


def test_all_are_public() -> None:
    """Whatever can be raised can be imported from the package."""
    errors = {name for name, value in vars(exceptions).items() if isinstance(value, type) and not name.startswith("_")}
    assert errors <= set(dynaflask.__all__)


def test_a_key_errors_message_is_read_as_written() -> None:
    """KeyError would show it as a quoted key."""
    assert str(dynaflask.UnknownModel("Tread", "No such model.")) == "No such model."


def test_an_ambiguous_name_may_not_be_taken_for_a_missing_one() -> None:
    """It is no KeyError, which mappings swallow."""
    assert not issubclass(dynaflask.AmbiguousModel, KeyError)
