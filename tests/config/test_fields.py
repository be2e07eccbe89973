"""The table of settings: everything that lists settings agrees with it."""

from __future__ import annotations

import dataclasses
import inspect
import pathlib
import re
import typing as t

import pytest
from pynamodb.attributes import UnicodeAttribute
from pynamodb.models import Model

from dynaflask.client.key import Identity
from dynaflask.config import fields
from dynaflask.config.bind import Bind
from dynaflask.config.fields import SETTINGS
from dynaflask.config.fields import Group
from dynaflask.config.fields import Level
from dynaflask.config.fields import Setting

PAGE = (pathlib.Path(__file__).parents[2] / "docs/reference/settings.md").read_text()
# `DYNAMODB_X` has a directive of its own; the settings of Meta alone are rows of a table.
ENTRIES = dict(re.findall(r"^```{confval} DYNAMODB_(\w+)\n(?::.*\n)*\n((?:.+\n)+)", PAGE, re.MULTILINE))


def ids(setting: t.Any) -> str:
    """The name of a setting, as the id of its test."""
    return str(setting.name)


def test_each_setting_has_one_row() -> None:
    """A name stands in the table once."""
    names = [setting.name for setting in SETTINGS]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("setting", SETTINGS, ids=ids)
def test_the_reference_has_the_line_of_each_setting(setting: Setting) -> None:
    """The entry of a setting begins with the line of documentation in the table."""
    line = setting.doc.replace("``", "`")
    if setting.name.upper() in ENTRIES:
        assert " ".join(ENTRIES[setting.name.upper()].split()).startswith(line)
    else:
        assert f"| `{setting.name}` | {line} |" in PAGE


def test_the_reference_has_no_other_setting() -> None:
    """Each entry of the reference page is a row of the table."""
    names = {setting.name.upper() for setting in SETTINGS}
    assert ENTRIES.keys() == names - {name.upper() for name in fields.MODEL_ONLY_SETTINGS}


def test_a_bind_has_the_fields_of_the_table() -> None:
    """Names and order of the fields of ``Bind`` are those of the rows with ``is_bind_field``."""
    assert [field.name for field in dataclasses.fields(Bind)] == ["key", *fields.BIND_FIELDS, "_hash"]


def test_a_bind_describes_its_fields_as_the_table_does() -> None:
    """The docstring of ``Bind`` has the line of documentation of each field."""
    described = dict(re.findall(r"^    (\w+): (.+)$", str(inspect.getdoc(Bind)), re.MULTILINE))
    docs = {setting.name: setting.doc for setting in SETTINGS if setting.is_bind_field}
    assert described == {"key": described["key"], **docs}


def test_the_identity_in_a_client_key_has_the_settings_of_the_table() -> None:
    """Clients with different credentials or roles never share a key."""
    assert set(Identity._fields) == fields.IDENTITY_SETTINGS


def test_pynamodb_fills_in_the_defaults_that_the_table_says() -> None:
    """A ``Meta`` of plain PynamoDB has each of these settings, with this value."""

    class Plain(Model):
        class Meta:
            table_name = "Plain"

        name = UnicodeAttribute(hash_key=True)

    filled_in = {name: value for name, value in vars(Plain.Meta).items() if not name.startswith("_")}
    assert filled_in == {"table_name": "Plain", **fields.UPSTREAM_DEFAULTS}


def test_the_groups_are_disjoint_and_fields_of_a_bind_where_they_must_be() -> None:
    """A setting that ``db.using`` takes is a field of a bind, so that no value is lost on the way."""
    assert fields.BIND_VALIDATORS.keys() <= set(fields.BIND_FIELDS)
    assert set(fields.CURSOR_SETTINGS) <= fields.DESTINATION_SETTINGS <= set(fields.BIND_FIELDS)


@pytest.mark.parametrize("level", [Level.APP, Level.BIND, Level.MODEL, Level.TENANT])
def test_a_setting_is_accepted_where_the_table_says(level: Level) -> None:
    """A dict of settings rejects the names of all other rows."""
    accepted = {
        Level.APP: fields.APP_VALIDATORS,
        Level.BIND: fields.BIND_VALIDATORS,
        Level.MODEL: fields.MODEL_VALIDATORS,
        Level.TENANT: fields.TENANT_VALIDATORS,
    }[level]
    assert accepted.keys() == {setting.name for setting in SETTINGS if level in setting.levels}
    assert all(setting.group is Group.NESTED for setting in SETTINGS if not setting.levels)
