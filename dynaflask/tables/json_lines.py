"""Files of items: one item per line in DynamoDB's own JSON, the format of AWS's exports to S3. ``.gz`` is compressed.

A line is ``{"Item": {"subject": {"S": "hello"}}}``. Numbers are strings and binary values are base64, so that every
type keeps its value.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
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
    """One line of JSON. Binary values become base64."""
    return json.dumps(value, separators=(",", ":"), default=_encode)


def read_json(line: str | bytes) -> t.Any:
    """The value of one line of JSON, with base64 under ``B`` and ``BS`` decoded.

    Raises:
        ValueError: The line is not JSON, or a binary value is not base64.
    """
    return json.loads(line, object_hook=_decode)


def write_items(items: cabc.Iterable[Json], *, path: pathlib.Path) -> bytes:
    """The bytes that some items add to a file, compressed if its name ends in ``.gz``."""
    # A gzip file may consist of several members, one after another: https://www.rfc-editor.org/rfc/rfc1952
    content = "".join(f"{write_json({'Item': item})}\n" for item in items).encode()
    return gzip.compress(content) if path.suffix == ".gz" else content


def read_items(path: pathlib.Path, *, from_line: int = 1) -> cabc.Iterator[tuple[int, Json]]:
    """The items of a file with their line numbers.

    Args:
        path: The file.
        from_line: Skip the lines before this one, unparsed.

    Raises:
        TransferError: The file cannot be read, or a line is not an item.
    """
    for number, line in read_lines(path):
        if number >= from_line:
            yield number, _item(path, number, line)


def read_lines(path: pathlib.Path) -> cabc.Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers, from 1.

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
    """Replace a file. If the process or the machine fails meanwhile, the file has its old content or the new one."""
    new_path = path.with_name(path.name + ".new")
    with new_path.open("w", encoding="ascii") as file:
        file.write(content)
        file.flush()
        # Without it, the new name could reach the disk before the content does.
        os.fsync(file.fileno())
    new_path.replace(path)


def _item(path: pathlib.Path, number: int, line: bytes) -> Json:
    try:
        item = read_json(line)["Item"]
        is_item = all(value.keys() <= TYPES and len(value) == 1 for value in item.values())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise TransferError(path, line=number, message=f"This is not an item: {error!r}.") from error
    if not is_item:
        raise TransferError(path, line=number, message="This is not an item: a value has none of DynamoDB's types.")
    return t.cast("Json", item)


def _encode(value: t.Any) -> str:
    # Raises TypeError for a value that is not bytes.
    return base64.b64encode(value).decode()


def _decode(value: Json) -> Json:
    # A string directly under "B" is a binary value. An attribute with the name "B" has an object there, with its type.
    if isinstance(encoded := value.get("B"), str) and len(value) == 1:
        return {"B": base64.b64decode(encoded, validate=True)}
    if isinstance(encoded := value.get("BS"), list) and len(value) == 1:
        return {"BS": [base64.b64decode(each, validate=True) for each in encoded]}
    return value
