"""The helpers work on the current app, or on the one that the test names."""

from __future__ import annotations

import flask
import pytest

from dynaflask.testing import count_operations
from dynaflask.testing import fail_next


def test_without_an_app() -> None:
    """Without a current app, the error says how to name one."""
    with pytest.raises(RuntimeError, match="Name the app under test: `app=app`"):
        with count_operations():
            pass


def test_an_app_without_dynaflask() -> None:
    """An app that does not use dynaflask is named."""
    with pytest.raises(RuntimeError, match="'plain' is not initialised"):
        with fail_next("GetItem", "ThrottlingException", app=flask.Flask("plain")):
            pass
