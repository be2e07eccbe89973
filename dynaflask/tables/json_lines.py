"""Files of items: DynamoDB's own JSON, an item a line, as in the exports of AWS. ``.gz`` in the name compresses.

A line is ``{"Item": {"subject": {"S": "hello"}}}``. Numbers are strings and binary values are base64, so that every
type survives.
"""

from __future__ import annotations

import base64
import collections.abc as cabc
import gzip
import json
import os
import pathlib
import typing as t
import zlib

from dynaflask.exceptions import TransferError

Json = dict[str, t.Any]

TYPES = frozenset({"S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"})


def write_json(value: t.Any) -> str:
    """One line of JSON for a value with binary parts."""
    return json.dumps(value, separators=(",", ":"), default=_encode)


def read_json(line: str | bytes) -> t.Any:
    """The value of one line.

    Raises:
        ValueError: It is no JSON, or what should be base64 is not.
    """
    return json.loads(line, object_hook=_decode)


def write_items(items: cabc.Iterable[Json], *, path: pathlib.Path) -> bytes:
    """The lines of some items, as they go into the file of that name. Such pieces make a file one after another."""
    content = "".join(f"{write_json({'Item': item})}\n" for item in items).encode()
    return gzip.compress(content) if path.suffix == ".gz" else content


def read_items(path: pathlib.Path, *, from_line: int = 1) -> cabc.Iterator[tuple[int, Json]]:
    """The items of a file with the numbers of their lines.

    Raises:
        TransferError: The file cannot be read, or a line is no item.
    """
    for number, line in read_lines(path):
        if number >= from_line:
            yield number, _item(path, number, line)


def read_lines(path: pathlib.Path) -> cabc.Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers.

    Raises:
        TransferError: The file cannot be read.
    """
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                yield number, line
    except (OSError, EOFError, zlib.error) as error:
        raise TransferError(path, line=number + 1, message=f"The file cannot be read: {error}") from error


def write_safely(path: pathlib.Path, content: str) -> None:
    """Write a file anew, so that it is there whole, as it was or as it is to be."""
    written = path.with_name(path.name + ".new")
    with written.open("w", encoding="ascii") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    written.replace(path)


def _item(path: pathlib.Path, number: int, line: bytes) -> Json:
    try:
        item = read_json(line)["Item"]
        is_item = all(value.keys() <= TYPES and len(value) == 1 for value in item.values())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise TransferError(path, line=number, message=f"This is no item: {error!r}.") from error
    if not is_item:
        raise TransferError(path, line=number, message="This is no item: a value is not of one of DynamoDB's types.")
    return t.cast("Json", item)


def _encode(value: t.Any) -> str:
    # TypeError, if it is none of DynamoDB's.
    return base64.b64encode(value).decode()


def _decode(value: Json) -> Json:
    # A string right under "B" is a binary value: that of an attribute of this name would stand under its own type.
    if isinstance(encoded := value.get("B"), str) and len(value) == 1:
        return {"B": base64.b64decode(encoded, validate=True)}
    if isinstance(encoded := value.get("BS"), list) and len(value) == 1:
        return {"BS": [base64.b64decode(each, validate=True) for each in encoded]}
    return value
