"""The plugin of pytest costs nothing until it is used, and gives each test a DynamoDB of its own."""

from __future__ import annotations

import configparser
import os
import pathlib
import subprocess
import sys
import textwrap
import typing as t

import flask
import pytest

import dynaflask
from dynaflask.testing import AppTables
from dynaflask.testing import account_config
from tests.support.paths import PROJECT
from tests.support.paths import environment
from tests.support.paths import measured_environment

FACTORY = """
from flask import Flask
from pynamodb.attributes import UnicodeAttribute
from dynaflask import Dynamo

db = Dynamo()

class Thread(db.Model):
    class Meta:
        table_name = "Thread"
    forum_name = UnicodeAttribute(hash_key=True)
    subject = UnicodeAttribute(range_key=True)

def create_app(config):
    app = Flask("forum")
    app.config.from_mapping(config)
    db.init_app(app)

    @app.get("/<forum_name>")
    def subjects(forum_name):
        return [thread.subject for thread in Thread.query(forum_name)]

    return app
"""
CONFTEST = """
import pytest
from forum import create_app

@pytest.fixture
def app(dynamo_config):
    return create_app(dynamo_config)
"""
# Random order, in two processes.
ANY_ORDER = ("-p", "xdist", "-n2", "-p", "randomly")
# Each test fails if it sees an item of another one.
TESTS = """
import pytest
from forum import Thread

pytestmark = pytest.mark.usefixtures("dynamo_tables")

@pytest.fixture
def visitor(app):
    return app.test_client()

@pytest.mark.parametrize("number", range(5))
def test_alone(app, visitor, number):
    assert visitor.get("/flask").json == []
    with app.app_context():
        Thread("flask", str(number)).save()
    assert visitor.get("/flask").json == [str(number)]
"""


def run_pytest(
    directory: pathlib.Path,
    files: dict[str, str],
    *options: str,
    environment: t.Callable[..., dict[str, str]] = environment,
) -> str:
    """The output of a pytest of its own that passes, with no other plugins than those that the options name."""
    for name, code in files.items():
        (directory / name).write_text(textwrap.dedent(code))
    command = [sys.executable, "-W", "error", "-m", "pytest", "-p", "no:cacheprovider", "-q", *options]
    variables = environment(
        PYTHONPATH=os.pathsep.join([str(PROJECT), os.environ.get("PYTHONPATH", "")]),
        PYTEST_DISABLE_PLUGIN_AUTOLOAD="1",
    )
    process = subprocess.run(command, cwd=directory, env=variables, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def test_it_imports_nothing_until_it_is_used(tmp_path: pathlib.Path) -> None:
    """A run without its fixtures imports neither Flask nor PynamoDB nor botocore, and no other module of dynaflask."""
    test = """
    import sys

    def test_imports():
        assert not {"flask", "pynamodb", "botocore"} & sys.modules.keys()
        modules = {"dynaflask", "dynaflask.integrations", "dynaflask.integrations.pytest"}
        assert {name for name in sys.modules if name.startswith("dynaflask")} == modules
    """
    run_pytest(tmp_path, {"test_imports.py": test}, "-p", "dynaflask.integrations.pytest")


def test_it_is_an_entry_point_of_pytest() -> None:
    """pytest finds the plugin where the package is installed."""
    config = configparser.ConfigParser()
    config.read(PROJECT / "setup.cfg", encoding="utf-8")
    assert config["options.entry_points"]["pytest11"].split() == ["dynaflask", "=", "dynaflask.integrations.pytest"]


@pytest.mark.parametrize("plugins", [[], ["-p", "flask"]], ids=["alone", "pytest-flask"])
def test_no_test_sees_the_items_of_another(tmp_path: pathlib.Path, plugins: list[str]) -> None:
    """Tests with the same keys pass in any order, in parallel, and in the request context that pytest-flask pushes."""
    files = {"forum.py": FACTORY, "conftest.py": CONFTEST, "test_one.py": TESTS, "test_two.py": TESTS}
    assert "10 passed" in run_pytest(tmp_path, files, "-p", "dynaflask.integrations.pytest", *ANY_ORDER, *plugins)


def test_the_context_of_pytest_flask(tmp_path: pathlib.Path) -> None:
    """In the request context that pytest-flask pushes, models and helpers need no other context.

    The server is the local server of the process.
    """
    test = """
    from dynaflask import local
    from dynaflask.testing import count_operations
    from forum import Thread

    def test_without_a_context(dynamo_tables):
        with count_operations() as counts:
            Thread("flask", "hello").save()
        assert counts.total() == 1
        snapshot = dynamo_tables.snapshot()
        Thread("flask", "hello").delete()
        dynamo_tables.restore(snapshot)
        assert Thread.count("flask") == 1

    def test_the_server(dynamo_server):
        assert dynamo_server == local.endpoint()
    """
    files = {"forum.py": FACTORY, "conftest.py": CONFTEST, "test_context.py": test}
    # It alone starts the local server by the fixture of the plugin.
    plugins = ["-p", "dynaflask.integrations.pytest", "-p", "flask"]
    run_pytest(tmp_path, files, *plugins, environment=measured_environment)


@pytest.fixture
def app(db: dynaflask.Dynamo, thread_model: t.Any, dynamo_config: dict[str, str]) -> flask.Flask:
    """An app with the settings of the test."""
    app = flask.Flask("app")
    app.config.update(dynamo_config)
    db.init_app(app)
    return app


class TestFixtures:
    """The fixtures, as this suite uses them."""

    def test_the_tables_exist_and_are_empty(
        self, app: flask.Flask, dynamo_tables: AppTables, thread_model: t.Any
    ) -> None:
        """``dynamo_tables`` has created the tables of ``app``."""
        with app.app_context():
            assert list(thread_model.scan()) == []

    def test_two_apps(
        self, app: flask.Flask, dynamo_tables: AppTables, db: dynaflask.Dynamo, thread_model: t.Any, dynamo_server: str
    ) -> None:
        """A second app with an account of its own shares no item with the first, also in one test."""
        other = flask.Flask("other")
        other.config.update(account_config(dynamo_server))
        db.init_app(other)
        AppTables(other, server=dynamo_server).create()
        with app.app_context():
            thread_model("flask", "hello").save()
        with other.app_context():
            assert list(thread_model.scan()) == []
