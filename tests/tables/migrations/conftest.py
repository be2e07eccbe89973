"""What the tests of migrations share."""

from __future__ import annotations

import pathlib
import typing as t

import flask
import pytest

import dynaflask
from tests.support import engines
from tests.support import migrations


@pytest.fixture
def app(engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo) -> t.Iterator[flask.Flask]:
    """An app on a real engine, in its context."""
    with engine.app(account, db) as app:
        yield app


@pytest.fixture
def note(app: flask.Flask, db: dynaflask.Dynamo) -> t.Any:
    """A model whose table exists."""
    note = migrations.declare_note(db)
    db.create_all(wait=True)
    return note


@pytest.fixture
def directory(tmp_path: pathlib.Path) -> pathlib.Path:
    """A directory with a migration that adds a slug to each note."""
    return migrations.write_file(tmp_path / "migrations")
