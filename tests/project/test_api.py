"""The public names: each is on one page, and ``help()`` shows what a program needs, and nothing else."""

from __future__ import annotations

import collections
import importlib
import inspect
import pydoc
import re
import typing as t

import blinker
import pytest

import dynaflask
from dynaflask import exceptions
from tests.support.paths import PACKAGE
from tests.support.paths import PROJECT

PAGES = "\n".join(path.read_text(encoding="utf-8") for path in sorted((PROJECT / "docs/reference").glob("api*.md")))
# Whose names are public. What has no `__all__` is internal.
MODULES = (
    "dynaflask",
    "dynaflask.cli",
    "dynaflask.cli.doctor",
    "dynaflask.local",
    "dynaflask.tables",
    "dynaflask.tables.dump",
    "dynaflask.tables.export",
    "dynaflask.tables.load",
    "dynaflask.tables.migrations",
    "dynaflask.tables.policy",
    "dynaflask.tables.seed",
    "dynaflask.tables.streams",
    "dynaflask.testing",
    "dynaflask.testing.observe",
    "dynaflask.views",
)
EXTRAS = tuple(
    ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")
    for folder in ("compat", "integrations")
    for path in sorted((PACKAGE / folder).rglob("*.py"))
    if re.search("^__all__ = ", path.read_text(encoding="utf-8"), re.MULTILINE)
)
# Whose arguments have the names of the program or of AWS, or are those of a base class of another library.
FREE_ARGUMENTS = {
    "InvalidBody.get_body": "__",
    "InvalidBody.get_headers": "__",
    "JSONProvider.loads": "options",
    "Table.call": "request",
    "Dynamo.using": "settings",
    "Dynamo.paginate": "keys",
    "Model.get_or_create": "attributes",
    "GlobalSecondaryIndex.query": "keys",
    "GlobalSecondaryIndex.count": "keys",
}


def public_objects(*modules: str) -> dict[str, t.Any]:
    """The public objects of some modules, by their full name."""
    return {
        f"{module.__name__}.{name}": getattr(module, name)
        for module in map(importlib.import_module, modules)
        for name in module.__all__
    }


def members_of(name: str, value: t.Any) -> dict[str, t.Any]:
    """A public object, and the public functions and properties of a class that dynaflask defines."""
    members = {name: value}
    if inspect.isclass(value):
        for member in dir(value):
            if member.startswith("_"):
                continue
            found = inspect.getattr_static(value, member, None)
            function = getattr(found, "fget", None) or getattr(found, "__func__", found)
            if str(getattr(function, "__module__", "")).startswith("dynaflask."):
                members[f"{name}.{member}"] = function
    return members


OBJECTS = public_objects(*MODULES)
MEMBERS = {
    name: member
    for path, value in OBJECTS.items()
    for name, member in members_of(path, value).items()
    # What PynamoDB's transactions call, and the signal, whose class is blinker's.
    if "_kwargs_from_" not in name and not isinstance(value, blinker.Signal)
}


def test_every_public_name_is_on_one_page() -> None:
    """The API pages have each public name once, and no other."""
    documented = collections.Counter(re.findall(r"^\.\. auto\w+:: ([\w.]+)", PAGES, re.MULTILINE))
    assert [name for name, count in documented.items() if count > 1] == []
    for module in EXTRAS:
        pytest.importorskip(module, reason="its extra is not installed")
    assert sorted(documented) == sorted({**OBJECTS, **public_objects(*EXTRAS)})


def test_every_library_has_a_public_module() -> None:
    """Each module of integrations and of compat has public names, or serves the other ones."""
    assert {"dynaflask.integrations.celery", "dynaflask.integrations.pytest"} < {*EXTRAS}
    assert {"dynaflask.compat.flask_dynamo", "dynaflask.compat.flask_pynamodb"} < {*EXTRAS}


def test_every_error_is_public() -> None:
    """Each error of ``dynaflask.exceptions`` is a name of ``dynaflask``."""
    errors = {name for name, value in vars(exceptions).items() if inspect.isclass(value) and name[0] != "_"}
    own = {name for name in errors if getattr(exceptions, name).__module__ == exceptions.__name__}
    assert own
    assert own <= {*dynaflask.__all__}


@pytest.mark.parametrize("name", MEMBERS)
def test_a_docstring_has_no_raw_role(name: str) -> None:
    """A docstring writes a name between backticks, which ``help()`` shows as it is."""
    text = inspect.getdoc(MEMBERS[name]) or ""
    assert re.findall(r":[a-z]+:`[^`]*`", text) == []


@pytest.mark.parametrize("name", [name for name, value in MEMBERS.items() if inspect.isfunction(value)])
def test_a_function_names_its_parameters(name: str) -> None:
    """No public function has ``**options``: completion shows each name, and the docstring explains each."""
    parameters = inspect.signature(MEMBERS[name]).parameters.values()
    free = [parameter.name for parameter in parameters if parameter.kind is inspect.Parameter.VAR_KEYWORD]
    assert free in ([], [FREE_ARGUMENTS.get(".".join(name.rsplit(".", 2)[1:]))])
    text = inspect.getdoc(MEMBERS[name])
    assert text, "It has no docstring."


@pytest.mark.parametrize("value", [dynaflask.Dynamo, dynaflask.Dynamo(), dynaflask.Model.get_or_404], ids=range(3))
def test_help_has_no_private_name(value: t.Any) -> None:
    """``help()`` shows no private name, no raw role and no ``**options``."""
    text = pydoc.plain(pydoc.render_doc(value))
    assert re.findall(r"(?<!\w)_[a-z]\w*|:[a-z]+:`|\*\*options", text) == []
