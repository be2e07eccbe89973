"""The group ``flask dynamo``. Its commands are imported on first use."""

from __future__ import annotations

import configparser
import importlib.metadata
import subprocess
import sys
import typing as t

import flask

from dynaflask.cli.group import dynamo
from tests.support.paths import PROJECT

PROGRAM = """
import sys, flask, dynaflask
app = flask.Flask("app")
dynaflask.Dynamo(app)
modules = {"dynaflask.cli.commands", "dynaflask.tables", "dynaflask.tables.dump", "dynaflask.tables.load"}
assert not modules & set(sys.modules)
assert app.test_cli_runner().invoke(args=["dynamo", "models"]).exit_code == 0
assert modules <= set(sys.modules)
"""


def test_a_program_that_runs_no_command_does_not_import_them() -> None:
    """``init_app`` adds the group without importing its commands or ``dynaflask.tables``."""
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)


def test_help_names_the_commands(make_app: t.Callable[..., flask.Flask]) -> None:
    """``flask dynamo --help`` lists all commands."""
    shown = make_app().test_cli_runner().invoke(args=["dynamo", "--help"]).output
    names = [line.split()[0] for line in shown.partition("Commands:")[2].splitlines() if line]
    assert " ".join(names) == (
        "check create diff doctor drop dump export load local migrate models ping policy seed status sync"
    )


def test_flask_finds_the_group_without_the_app() -> None:
    """The package names the group as a plugin of Flask's command, so that ``local`` needs no app."""
    config = configparser.ConfigParser()
    config.read(PROJECT / "setup.cfg")
    name, _, value = config["options.entry_points"]["flask.commands"].strip().partition(" = ")
    entry_point = importlib.metadata.EntryPoint(name=name, value=value, group="flask.commands")
    assert (name, entry_point.load()) == ("dynamo", dynamo)


def test_an_unknown_command_is_exit_code_2(make_app: t.Callable[..., flask.Flask]) -> None:
    """An unknown command is a usage error."""
    assert make_app().test_cli_runner().invoke(args=["dynamo", "drum"]).exit_code == 2
