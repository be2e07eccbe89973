"""The files of a directory of migrations."""

from __future__ import annotations

import pathlib
import re

import pytest

import dynaflask
from dynaflask import MigrationError
from dynaflask import UnknownModel
from dynaflask.tables.migrations import read_migrations
from tests.support import migrations
from tests.support.settings import MakeApp


@pytest.fixture(autouse=True)
def registry(make_app: MakeApp, db: dynaflask.Dynamo) -> dynaflask.Registry:
    """The registry of an app that makes no call."""
    return make_app().extensions["dynamo"]  # type: ignore[no-any-return]


def test_migrations_have_the_order_of_their_numbers(
    registry: dynaflask.Registry, db: dynaflask.Dynamo, tmp_path: pathlib.Path
) -> None:
    """Each has the name of its file; files with ``_`` and other files are left out."""
    note = migrations.declare_note(db)
    for name in ("0010_c", "0002_b", "_helper"):
        migrations.write_file(tmp_path, name=name)
    migrations.write_file(tmp_path, "def forwards(): return 'done'", name="0001_a")
    (tmp_path / "README.md").touch()
    found = read_migrations(registry, tmp_path)
    assert [(each.name, each.model) for each in found] == [("0001_a", None), ("0002_b", note), ("0010_c", note)]
    assert found[0].forwards() == "done"


def test_a_file_may_have_the_class_of_the_model(
    registry: dynaflask.Registry, db: dynaflask.Dynamo, tmp_path: pathlib.Path
) -> None:
    """``model`` is a name, or the class that the file imports."""
    note = migrations.declare_note(db)
    code = "import gc\nfrom tests.support import migrations\nmodel = migrations.imported\ndef forwards(item): pass"
    migrations.imported = note  # type: ignore[attr-defined]
    [found] = read_migrations(registry, migrations.write_file(tmp_path, code))
    del migrations.imported  # type: ignore[attr-defined]
    assert found.model is note


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("add_slug", "", "add_slug.py must be called like 0001_add_slug.py"),
        ("0001-add", "", "0001-add.py must be called like 0001_add_slug.py"),
        ("0002_two", "def forwards(): pass", "0002_b.py and .*0002_two.py have one number"),
        ("0003_three", "model = 'Note'", "0003_three.py has no function forwards"),
        ("0003_three", "model = int\ndef forwards(item): pass", "must be a model of the app, or its name, not <class"),
    ],
)
def test_a_wrong_file_is_an_error(  # noqa: PLR0917 - fixtures
    registry: dynaflask.Registry, db: dynaflask.Dynamo, tmp_path: pathlib.Path, name: str, code: str, message: str
) -> None:
    """The message names the file, and nothing is applied."""
    migrations.declare_note(db)
    migrations.write_file(tmp_path, name="0002_b")
    migrations.write_file(tmp_path, code, name=name)
    with pytest.raises(MigrationError, match=message):
        read_migrations(registry, tmp_path)


def test_an_unknown_model_is_an_error(registry: dynaflask.Registry, tmp_path: pathlib.Path) -> None:
    """A name that the app has no model of is an ``UnknownModel``."""
    with pytest.raises(UnknownModel, match="no model 'Note'"):
        read_migrations(registry, migrations.write_file(tmp_path))


def test_a_missing_directory_is_an_error(registry: dynaflask.Registry, tmp_path: pathlib.Path) -> None:
    """The message names the directory and the option."""
    with pytest.raises(MigrationError, match=re.escape(f"no directory {tmp_path / 'no'}. Name the one")):
        read_migrations(registry, tmp_path / "no")
