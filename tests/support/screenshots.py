"""Pictures of pages for the documentation. Each carries the headings of its page, so that a test finds an old one.

``DYNAFLASK_PICTURES=1 pytest -n0 --no-cov TEST`` takes a picture again. It needs Pillow, which makes the file small.
"""

from __future__ import annotations

import io
import os
import pathlib
import re
import struct
import typing as t

from tests.support.paths import PROJECT

VARIABLE = "DYNAFLASK_PICTURES"
MOST_BYTES = 150_000
# What is the same in each run: no values, names of accounts or times.
HEADINGS = "h1, h2, h3, h4, caption, thead th, dt, label, button"
SIGNATURE = b"\x89PNG\r\n\x1a\n"
# A keyword of PNG itself, in a chunk of text that is not compressed.
KEYWORD = "Description"


def check_picture(browser: t.Any, name: str, png: bytes, *, selector: str = "body") -> None:
    """Check that a picture of the documentation has the headings of the page in the browser.

    If the variable is set, write the new picture first.

    Args:
        browser: The browser, which has the page.
        name: The picture's name in ``docs/pictures/``.
        png: A new picture of the page.
        selector: The part of the page to compare, as a CSS selector.
    """
    path = PROJECT / "docs/pictures" / name
    headings = headings_of(browser, selector)
    if os.environ.get(VARIABLE):
        write_picture(path, png, headings)
    assert headings
    assert read_description(path) == headings, f"{path} is old. Take it again: {VARIABLE}=1 pytest -n0 --no-cov TEST"
    assert path.stat().st_size < MOST_BYTES


def headings_of(browser: t.Any, selector: str) -> str:
    """The headings and labels of a part of a page that a reader sees, in their order, without numbers."""
    script = """
        const elements = document.querySelector(arguments[0]).querySelectorAll(arguments[1])
        return [...elements].map(element => element.innerText).filter(text => text.trim())
    """
    texts = browser.execute_script(script, selector, HEADINGS)
    return "; ".join(re.sub(r"[\d.,]*\d", "0", " ".join(text.split())) for text in texts)


def write_picture(path: pathlib.Path, png: bytes, description: str) -> None:
    """Write a picture with a description, in 64 colours."""
    from PIL import Image
    from PIL import PngImagePlugin

    text = PngImagePlugin.PngInfo()
    text.add_itxt(KEYWORD, description)
    picture = Image.open(io.BytesIO(png)).convert("RGB").quantize(64, dither=Image.Dither.NONE)
    picture.save(path, optimize=True, pnginfo=text)


def read_description(path: pathlib.Path) -> str | None:
    """The description of a picture. PNG is a list of chunks: length, name, bytes and checksum."""
    rest = path.read_bytes().removeprefix(SIGNATURE)
    prefix = KEYWORD.encode() + b"\0" * 5  # not compressed, and in no language
    while rest:
        (length,) = struct.unpack(">I", rest[:4])
        name, body = rest[4:8], rest[8 : 8 + length]
        if name == b"iTXt" and body.startswith(prefix):
            return body.removeprefix(prefix).decode()
        rest = rest[12 + length :]
    return None
