"""``python -m dynaflask.model.codec`` prints what is generated for a model, or why it is not."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys
import typing as t

import pytest
from pynamodb import attributes
from pynamodb.attributes import BinaryAttribute
from pynamodb.attributes import ListAttribute
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UnicodeSetAttribute

from dynaflask.model.codec.__main__ import main
from dynaflask.model.codec.__main__ import report
from tests.support.accelerators import remove_msgspec
from tests.support.paths import measured_environment
from tests.support.strategies import Upper
from tests.support.strategies import thing

PROGRAM = """
import dynaflask
from pynamodb.attributes import UnicodeAttribute

db = dynaflask.Dynamo()

class Thread(db.Model):
    class Meta:
        table_name = "Thread"

    forum = UnicodeAttribute(hash_key=True)
"""


class Author(MapAttribute[t.Any, t.Any]):
    """A map with a list of maps of its own class."""

    name = UnicodeAttribute(attr_name="the name")
    posts = NumberAttribute(null=True)


THREAD = thing(
    "Thread",
    author=Author(null=True),
    tags=ListAttribute(of=UnicodeAttribute),
    others=ListAttribute(of=Author),
    words=UnicodeSetAttribute(null=True),
    raw=MapAttribute(),  # type: ignore[no-untyped-call]
)


def lines_of(model: t.Any) -> list[str]:
    """The lines of the output without the sources."""
    return [part for part in report(model) if part.startswith("# ")]


def test_it_prints_the_functions_and_the_struct() -> None:
    """The output has each generated function and, as JSON, the struct of an item."""
    *parts, struct = report(THREAD)
    output = "\n".join(parts)
    assert lines_of(THREAD) == [
        "# items to objects: generated",
        "# objects to items: generated",
        "# objects to JSON, for a batch write: from their items",
        "# responses to objects: generated",
    ]
    for function in ("deserialize_Author", "deserialize_Thread", "fill_Thread", "serialize_Thread", "make_Thread"):
        assert f"def {function}(" in output
    compile(output, "output", "exec")
    title, _, content = struct.strip().partition("\n")
    assert title == "# struct of an item"
    author = {"M": {"the name": {"S": "str"}, "posts": {"N": "str"}}}
    assert json.loads(content) == {
        "author": author,
        "others": {"L": [author]},
        "raw": {"M": "dict"},
        "tags": {"L": [{"S": "str"}]},
        "words": {"SS": ["str"]},
    }


def test_it_prints_the_function_that_makes_structs() -> None:
    """A model without lists has a fast path, and structs for a batch write."""
    parts = list(report(thing("Thread", name=UnicodeAttribute(hash_key=True))))
    assert "# objects to JSON, for a batch write: generated" in parts
    assert "def make_struct_of_Thread(" in "\n".join(parts)


def test_it_names_the_methods_that_a_model_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PynamoDB does the work, the output names the overridden methods of the model, its attributes and maps."""

    def from_raw_data(cls: t.Any, data: t.Any) -> t.Any:
        return None

    class Loud(MapAttribute[t.Any, t.Any]):
        name = Upper(null=True)
        inner = MapAttribute[t.Any, t.Any](null=True)

        def __bool__(self) -> bool:
            return True

    monkeypatch.setattr(attributes, "json", object())
    model = thing("Thread", from_raw_data=classmethod(from_raw_data), loud=Loud(null=True), louder=Loud(null=True))
    assert lines_of(model) == [
        "# items to objects: PynamoDB",
        "# objects to items: PynamoDB",
        "# objects to JSON, for a batch write: from their items",
        "# responses to objects: item by item, because the model runs code of the program or has a discriminator",
        "# pynamodb.attributes.json overrides PynamoDB's",
        "# Loud.__bool__ overrides PynamoDB's",
        "# Upper.deserialize of Loud.name overrides PynamoDB's",
        "# Upper.serialize of Loud.name overrides PynamoDB's",
    ]


def test_it_says_why_a_model_has_no_structs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without structs, the output says what they need."""
    binary = thing("Thread", data=BinaryAttribute(legacy_encoding=False))
    assert "# responses to objects: item by item, because Thread's 'data' is binary" in lines_of(binary)
    remove_msgspec(monkeypatch)
    assert "# responses to objects: item by item, because msgspec is not installed" in lines_of(THREAD)


def test_it_is_a_command(tmp_path: pathlib.Path) -> None:
    """The command imports the model from the current directory."""
    (tmp_path / "forum.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "dynaflask.model.codec", "forum:Thread"]
    process = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=measured_environment(),
    )
    assert "def deserialize_Thread(item):" in process.stdout


def test_it_prints_a_model(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument is a module and a class in it."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    main([f"{__name__}:THREAD"])
    assert "def make_Thread(item):" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_such_module:Thread", "cannot be imported: No module named 'no_such_module'"),
        (f"{__name__}:Missing", "cannot be imported"),
        ("x y", "cannot be imported"),
        (f"{__name__}:THREAD.Meta", "is not a model of db.Model"),
        (f"{__name__}:PROGRAM", "is not a model of db.Model"),
    ],
)
def test_it_refuses_what_is_no_model(
    path: str, message: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that leads to no model is an error, which names the path."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    with pytest.raises(SystemExit):
        main([path])
    assert message in capsys.readouterr().err
