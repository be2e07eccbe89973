"""Reports have no secrets, and one line a text."""

from __future__ import annotations

import pytest

from dynaflask.cli.doctor import report
from tests.support.settings import bind

KEYS = {
    "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE",
    "aws_secret_access_key": "hush/hush",
    "aws_session_token": "token=",
}


def test_a_text_has_no_secret_and_one_line() -> None:
    """Keys, passwords in URLs and control characters of a server's text are not shown, and it has an end."""
    text = "no\n\x1b[31m http://ann:pw@host/ AKIAIOSFODNN7EXAMPLE hush/hush token= "
    assert report.safe_text(text, bind(**KEYS)) == "no [31m http://host/ AKIA…MPLE … …"
    assert report.safe_text("plain", bind()) == "plain"
    assert report.safe_text("x" * 10_000, bind()) == "x" * report.MAX_TEXT + "…"


@pytest.mark.parametrize(("value", "expected"), [("AKIAIOSFODNN7EXAMPLE", "AKIA…MPLE"), ("short", "…"), ("", "…")])
def test_a_key_id_shows_its_ends(value: str, expected: str) -> None:
    """The first and the last characters are shown. A short value is hidden as a whole."""
    assert report.masked(value) == expected


def test_a_warning_is_no_error() -> None:
    """A diagnosis is fine unless a finding is an error."""
    for level, is_ok in ((report.OK, True), (report.WARNING, True), (report.ERROR, False)):
        finding = report.Finding("clock", level, "")
        assert report.Diagnosis("default", None, (), (), (finding,)).is_ok is is_ok
