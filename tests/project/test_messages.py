"""Each message of the package is in the documentation, with its cause and what to do."""

from __future__ import annotations

import pathlib
import re

import pytest

from tests.support.messages import GAP
from tests.support.messages import read_messages
from tests.support.messages import start_of
from tests.support.paths import PROJECT

PAGE = PROJECT / "docs/reference/messages.md"


def read_rows() -> dict[str, str]:
    """The quoted messages of the page, with what it says of them."""
    rows = {}
    for cell, text in re.findall(r"^\| (`.+`) \| (.+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE):
        for quotation in cell.split("<br>"):
            match = re.fullmatch(r"(`+)(.+)\1", quotation)
            assert match, f"Put each message between backticks: {quotation}"
            rows[start_of(match[2].replace(r"\|", "|"))] = text
    return rows


def test_every_message_is_on_the_page() -> None:
    """The page has the first sentence of each message of the package."""
    rows = read_rows()
    missing = [f"{message.place}: {message.start}" for message in read_messages() if message.start not in rows]
    assert not missing, f"Add to {PAGE.relative_to(PROJECT)}:\n" + "\n".join(missing)


def test_the_page_has_no_message_that_is_gone() -> None:
    """Each quoted message is one of the package."""
    stale = read_rows().keys() - {message.start for message in read_messages()}
    assert not stale, f"Remove from {PAGE.relative_to(PROJECT)}:\n" + "\n".join(sorted(stale))


def test_the_page_says_of_each_message_what_to_do() -> None:
    """Each row has a sentence of the cause or of what to do."""
    rows = read_rows()
    assert [message for message, text in rows.items() if len(text) < 12 or text[-1] != "."] == []


@pytest.mark.parametrize(
    ("source", "texts"),
    [
        ('raise ValueError(f"The {name} is not {this}. Correct it.")', ["The … is not …. Correct it."]),
        ('def fail():\n    message = "It is wrong, " + why\n    raise ValueError(message)', ["It is wrong, …"]),
        ('raise MigrationError("It is too late." if late else "Start again.")', ["It is too late.", "Start again."]),
        ('logger.warning("The lease of %s has %d s.", 1, 2)', ["The lease of … has … s."]),
        ('logger.info("The lease of %s is renewed.", 1)', []),
        ('class Conflict(HTTPException):\n    description = "Try it again."', ["Try it again."]),
        ('raise wrong_type(label, "a string", value)', ["… must be a string, not …."]),
        ("raise ValueError(message)", []),
    ],
    ids=range(8),
)
def test_the_messages_are_read_from_the_source(tmp_path: pathlib.Path, source: str, texts: list[str]) -> None:
    """A message is found in an error, in a warning and in the text of a response, whatever makes it."""
    (tmp_path / "module.py").write_text(source, encoding="utf-8")
    assert [message.text for message in read_messages(tmp_path)] == texts


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("The app … is not initialised. Call db.init_app(app) first.", "The app … is not initialised."),
        ("… sent …. The request may have been applied.", "… sent …. The request may have been applied."),
        ("The file cannot be read: …", "The file cannot be read"),
        ("The block scanned a table:\n…", "The block scanned a table:"),
    ],
)
def test_the_first_sentence_stands_for_a_message(text: str, start: str) -> None:
    """It is the first sentence that says something without the parts that differ."""
    assert GAP in text
    assert start_of(text) == start


PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
# A line of a log that has the default format, or the error of a command.
PRINTED = re.compile(r"^(?:WARNING|ERROR|Error:) (?!app=)(.+)$", re.MULTILINE)


def printed_messages(text: str) -> list[str]:
    """The messages in the blocks of a page that no test runs."""
    blocks = re.findall(r"^```(?:text|console)\n((?:.*\n)*?)```$", text, re.MULTILINE)
    return [message for block in blocks for message in PRINTED.findall(block)]


def test_a_message_in_a_page_is_as_printed() -> None:
    """A message that a page shows, and that no test of the page compares, is one of the package."""
    patterns = [".+".join(map(re.escape, message.text.split(GAP))) for message in read_messages()]
    shown = {message: path.name for path in PAGES for message in printed_messages(path.read_text(encoding="utf-8"))}
    assert shown
    unknown = {text: name for text, name in shown.items() if not any(re.fullmatch(each, text) for each in patterns)}
    assert unknown == {}
