"""An installed dynaflask, as its users see it. ``nox --session installed`` runs this file outside of the project."""

from __future__ import annotations

import collections.abc as cabc
import importlib.metadata
import pathlib
import subprocess
import sys
import sysconfig

import flask
import pytest
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask.testing import Recorder

db = dynaflask.Dynamo()


class Thread(dynaflask.Model):
    """A model of two apps."""

    class Meta:
        table_name = "Thread"

    forum_name = UnicodeAttribute(hash_key=True)


@pytest.fixture(scope="session")
def dynamo_server() -> cabc.Iterator[str]:
    """A server that records each request, in the place of the local server."""
    with Recorder() as recorder:
        yield recorder.url


def create_app(config: dict[str, str], **settings: str) -> flask.Flask:
    app = flask.Flask(__name__)
    app.config.from_mapping(config, **settings)
    db.init_app(app)
    return app


def test_the_wheel_is_used() -> None:
    """The package is in the environment, and not in a clone."""
    folder = pathlib.Path(dynaflask.__file__).parent
    assert folder.parent.samefile(sysconfig.get_paths()["purelib"])
    assert folder.joinpath("py.typed").exists()


def test_each_public_name_is_there() -> None:
    """Each public name can be imported without any extra."""
    assert [name for name in dynaflask.__all__ if not hasattr(dynaflask, name)] == []


def test_two_apps_call_their_own_region() -> None:
    """One model of two apps: each call goes to the region of its app, signed with its key."""
    with Recorder() as recorder:
        keys = {"DYNAMODB_HOST": recorder.url, "DYNAMODB_AWS_SECRET_ACCESS_KEY": "secret"}
        apps = [
            create_app(keys, DYNAMODB_REGION=region, DYNAMODB_AWS_ACCESS_KEY_ID=region.upper())
            for region in ("us-west-2", "eu-west-1")
        ]
        for app in apps:
            with app.app_context():
                Thread("flask").save()
    requests = [(request.operation, request.region, request.access_key_id) for request in recorder.requests]
    assert requests == [("PutItem", "us-west-2", "US-WEST-2"), ("PutItem", "eu-west-1", "EU-WEST-1")]


def test_the_plugin_of_pytest_is_active(dynamo_config: dict[str, str]) -> None:
    """The fixtures are there without an import, and their settings reach the app."""
    app = create_app(dynamo_config)
    with app.app_context():
        Thread("flask").save()
        assert Thread.Meta.host == dynamo_config["DYNAMODB_HOST"]


def test_flask_has_the_commands() -> None:
    """``flask dynamo`` is a command without an app."""
    command = [sys.executable, "-W", "error", "-m", "flask", "dynamo", "--help"]
    assert "migrate" in subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_the_version_is_that_of_the_metadata() -> None:
    """The version is in the metadata of the package, and in no module."""
    assert importlib.metadata.version("dynaflask")
    assert not hasattr(dynaflask, "__version__")
