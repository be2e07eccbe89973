"""Files of items: one item per line in DynamoDB's own JSON, the format of AWS's exports to S3. ``.gz`` is compressed.

A line is ``{"Item": {"subject": {"S": "hello"}}}``. Numbers are strings and binary values are base64, so that every
type keeps its value.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html
"""

from __future__ import annotations

import base64
import collections.abc as cabc
import contextlib
import gzip
import json
import os
import pathlib
import typing as t
import zlib

from dynaflask.exceptions import TransferError

Json = dict[str, t.Any]

# An item has at most 400 KB, and JSON takes at most 8 bytes for one of them (a list of booleans); a control character
# takes 6. Without a limit, a small compressed file with one endless line fills the memory.
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
MAX_LINE_BYTES = 4 * 1024 * 1024
OWNER_ONLY = 0o600

FORMAT = 'a line is {"Item": {"name": {"S": "value"}}}.'
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
        TransferError: The file cannot be read, or a line is longer than any item.
    """
    number: int | None = None
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
            number = 0
            for number, line in enumerate(iter(lambda: lines.readline(MAX_LINE_BYTES + 1), b""), start=1):
                if len(line) > MAX_LINE_BYTES:
                    raise TransferError(
                        path,
                        f"The line has more than {MAX_LINE_BYTES} bytes, and cannot be an item. Correct it.",
                        line=number,
                    )
                yield number, line
    except (OSError, EOFError, zlib.error) as error:
        # A file that cannot be opened has no line.
        failed = None if number is None else number + 1
        message = f"The file cannot be read: {getattr(error, 'strerror', None) or error}"
        raise TransferError(path, message, line=failed) from error


def open_private(path: pathlib.Path, *, new: bool = False) -> t.BinaryIO:
    """Open a file that only its owner can read and write. A symbolic link is not followed.

    Args:
        path: The file.
        new: Make a new file, in place of one that exists.

    Raises:
        OSError: The file does not exist, is a link, belongs to another user, or cannot be opened.
    """
    if new:
        path.unlink(missing_ok=True)
    # Others may write into the directory, such as /tmp: mode x refuses a file or a link that they put there meanwhile.
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open(path, "x+b" if new else "r+b", opener=_open_own))
        # The file of an interrupted dump may be of a version that made it readable for others.
        os.chmod(file.fileno() if os.chmod in os.supports_fd else path, OWNER_ONLY)
        stack.pop_all()
    return t.cast("t.BinaryIO", file)


def write_safely(path: pathlib.Path, content: str) -> None:
    """Replace a file. If the process or the machine fails meanwhile, the file has its old content or the new one."""
    new_path = path.with_name(path.name + ".new")
    with open_private(new_path, new=True) as file:
        file.write(content.encode())
        file.flush()
        # Without it, the new name could reach the disk before the content does.
        os.fsync(file.fileno())
    new_path.replace(path)


def _open_own(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), OWNER_ONLY)  # Windows has no O_NOFOLLOW


def _item(path: pathlib.Path, number: int, line: bytes) -> Json:
    try:
        item = read_json(line)["Item"]
        is_item = all(value.keys() <= TYPES and len(value) == 1 for value in item.values())
    except (ValueError, RecursionError) as error:
        raise TransferError(path, line=number, message=f"This is not an item: {error}.") from error
    except (LookupError, TypeError, AttributeError) as error:
        raise TransferError(path, line=number, message=f"This is not an item: {FORMAT}") from error
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
