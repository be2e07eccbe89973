"""The prose of the package and of its documentation is plain English, without the words in ``FORBIDDEN``."""

from __future__ import annotations

import pathlib
import re

from tests.support.paths import PACKAGE
from tests.support.paths import PROJECT

FORBIDDEN = ("whoever", "whom", "whosever", "nobody", "anew", "lest", "of which one", "as ever")
PATTERN = re.compile(rf"\b(?:{'|'.join(FORBIDDEN)})\b".replace(" ", r"\s+"), re.IGNORECASE)
FILES = [PROJECT / "README.md", *sorted(PACKAGE.rglob("*.py")), *sorted((PROJECT / "docs").rglob("*.md"))]


def offenders(path: pathlib.Path) -> list[str]:
    """Each forbidden word in a file, with its line."""
    text = path.read_text(encoding="utf-8")
    name = path.relative_to(PROJECT)
    return [f"{name}:{text.count(chr(10), 0, word.start()) + 1}: {word[0]}" for word in PATTERN.finditer(text)]


def test_no_file_has_a_forbidden_word() -> None:
    """No docstring, comment, message or page has a forbidden word."""
    words = [offender for path in FILES for offender in offenders(path)]
    assert not words, "\n".join(words)


def test_a_forbidden_word_is_found_at_its_line() -> None:
    """An upper-case letter or a line break within a phrase hides no word, and a longer word is not one."""
    assert [word[0] for word in PATTERN.finditer("Whom, as\never, is the lesson of wholesale?")] == ["Whom", "as\never"]
