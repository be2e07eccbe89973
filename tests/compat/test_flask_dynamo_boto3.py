"""boto3's session and resource: made when they are used, once per process."""

from __future__ import annotations

import os
import sys

import flask
import pytest

from dynaflask.compat import flask_dynamo_boto3
from dynaflask.compat.flask_dynamo import Dynamo
from tests.support import forks


@pytest.fixture
def peer_app() -> flask.Flask:
    """An app that uses Flask-Dynamo's names."""
    app = flask.Flask("app")
    app.config.update(AWS_ACCESS_KEY_ID="AKIA", AWS_SECRET_ACCESS_KEY="hush")
    Dynamo(app)
    return app


def test_without_boto3_the_error_names_the_extra(peer_app: flask.Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app starts without boto3. The first use of a table says what to install."""
    for module in ("boto3", "boto3.session"):
        monkeypatch.setitem(sys.modules, module, None)
    with (
        peer_app.app_context(),
        pytest.raises(ModuleNotFoundError, match=r'pip install "dynaflask\[boto3\]"') as missing,
    ):
        _ = peer_app.extensions["dynamo"].connection
    assert missing.value.name


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_fork_does_not_wait_for_the_lock_of_its_parent(peer_app: flask.Flask) -> None:
    """A child that is forked while a thread of the parent makes a session makes a session itself."""
    registry = peer_app.extensions["dynamo"]
    with flask_dynamo_boto3._session_lock.get():
        assert forks.exit_code_of(lambda: registry.session.region_name == "us-east-1") == 0
