"""Models and files for the tests of migrations."""

from __future__ import annotations

import pathlib
import textwrap
import typing as t

from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UnicodeSetAttribute
from pynamodb.attributes import VersionAttribute

import dynaflask
from dynaflask import TenantKey
from tests.support import engines

ADD_SLUG = """
    model = "Note"

    def forwards(item):
        if item.slug is None:
            item.slug = item.title.lower()
"""


def declare_note(db: dynaflask.Dynamo, *, name: str = "Note", **attributes: t.Any) -> t.Any:
    """A model with an id, a title, and a slug that a migration adds."""
    namespace = {
        "__module__": __name__,
        "Meta": type("Meta", (), {"table_name": name}),
        "id": UnicodeAttribute(hash_key=True),
        "title": UnicodeAttribute(),
        "slug": UnicodeAttribute(null=True),
        "status": UnicodeAttribute(default="open"),
        "views": NumberAttribute(null=True),
        "tags": UnicodeSetAttribute(null=True),
        **attributes,
    }
    note = type(db.Model)(name, (db.Model,), namespace)
    # The extension object holds models by weak references.
    vars(db).setdefault("notes", []).append(note)
    return note


def declare_shared_note(db: dynaflask.Dynamo) -> t.Any:
    """The same, in a table that all tenants share."""
    return declare_note(db, id=TenantKey(hash_key=True))


def declare_versioned_note(db: dynaflask.Dynamo) -> t.Any:
    """The same, with a version."""
    return declare_note(db, version=VersionAttribute())


def write_file(directory: pathlib.Path, code: str = ADD_SLUG, *, name: str = "0001_add_slug") -> pathlib.Path:
    """Write a migration into a directory, and return the directory."""
    directory.mkdir(exist_ok=True)
    (directory / f"{name}.py").write_text(textwrap.dedent(code), encoding="utf-8")
    return directory


def table_names(db: dynaflask.Dynamo, account: engines.Account) -> list[str]:
    """The tables of an account. Other tests may have tables on the same engine."""
    pages = db.client.get_paginator("list_tables").paginate()
    return [name for page in pages for name in page["TableNames"] if name.startswith(account.table_prefix)]
