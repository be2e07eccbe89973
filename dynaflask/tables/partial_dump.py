"""``PartialDump``: a dump that is not complete, and where each of its segments continues."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import os
import pathlib
import typing as t

from dynaflask.exceptions import TransferError
from dynaflask.tables.json_lines import Json
from dynaflask.tables.json_lines import open_private
from dynaflask.tables.json_lines import read_json
from dynaflask.tables.json_lines import write_items
from dynaflask.tables.json_lines import write_json
from dynaflask.tables.json_lines import write_safely

# The start of a segment that is complete. It cannot be taken for a key, because no key is empty.
DONE: t.Final[Json] = {}


class PartialDump:
    """A dump in progress: ``PATH.part`` has the items, and ``PATH.state`` says where each segment continues.

    The state is written after the items of a page, and records the length of ``PATH.part`` at that time. A resumed dump
    cuts off anything that a killed process wrote after that, so that no item is lost and none is repeated. Only the
    owner of the files can read them.

    Args:
        path: The file. It appears when the dump is complete.
        source: The identity of the table.
        segments: Number of segments that the table is read in. A resumed dump keeps its own.
        resume: Continue an interrupted dump, if there is one.

    Raises:
        TransferError: The file exists already; or an interrupted dump exists and ``resume`` is false, or it is of
            another table, or part of it is missing. Also, as from each method, if a file cannot be read or written.
    """

    def __init__(self, path: pathlib.Path, *, source: Json, segments: int, resume: bool) -> None:
        self._path = path
        self._part_path, self._state_path = (path.with_name(path.name + end) for end in (".part", ".state"))
        with self._file_errors():
            is_complete = path.exists()
        if is_complete:
            what = "The dump is complete, there is nothing to resume." if resume else "The file exists already."
            raise TransferError(path, what + " Choose another name, or remove the file.")
        if not path.parent.is_dir():
            raise TransferError(path, f"The directory {path.parent} does not exist. Make it first.")
        self._state: Json = self._interrupted_state(source, resume=resume) or {
            "source": source,
            "items": 0,
            "bytes": 0,
            "starts": [None] * segments,
        }

    @property
    def items(self) -> int:
        """Number of items so far."""
        return t.cast("int", self._state["items"])

    @property
    def starts(self) -> list[Json | None]:
        """Where each segment continues: after a key, at its beginning (``None``), or not at all (``DONE``)."""
        return list(self._state["starts"])

    def __enter__(self) -> PartialDump:
        with self._file_errors(), contextlib.ExitStack() as stack:
            self._file = stack.enter_context(open_private(self._part_path, new=not self._state["bytes"]))
            self._file.truncate(self._state["bytes"])
            self._file.seek(self._state["bytes"])
            self._save_state()
            stack.pop_all()
        return self

    def __exit__(self, exception_type: object, *details: object) -> None:
        if exception_type is not None:
            # On a full disk, close() fails like the write before it. The program gets the error of the write.
            with contextlib.suppress(OSError):
                self._file.close()
            return
        with self._file_errors():
            self._file.close()
            self._part_path.replace(self._path)
            self._state_path.unlink()

    def add(self, segment: int, items: cabc.Iterable[Json], *, start: Json) -> None:
        """Write a page of a segment.

        Args:
            segment: The segment.
            items: The page's items.
            start: Where the segment continues; ``DONE`` at its end.
        """
        items = list(items)
        with self._file_errors():
            self._file.write(write_items(items, path=self._path))
            self._file.flush()
            # The state must not reach the disk before the items that it counts.
            os.fsync(self._file.fileno())
            self._state["bytes"] = self._file.tell()
            self._state["items"] += len(items)
            self._state["starts"][segment] = start
            self._save_state()

    @contextlib.contextmanager
    def _file_errors(self) -> cabc.Iterator[None]:
        try:
            yield
        except OSError as error:
            raise TransferError(
                self._part_path,
                f"The dump cannot continue: {error.strerror or error}. Correct that, and complete it with --resume"
                " (resume=True).",
            ) from error

    def _interrupted_state(self, source: Json, *, resume: bool) -> Json | None:
        with self._file_errors():
            content = _read(self._state_path)
        if content is None:
            return None
        if not resume:
            raise TransferError(
                self._part_path, f"An interrupted dump exists. Resume it, or remove it and {self._state_path}."
            )
        try:
            state: Json = read_json(content)
            present_source, size = _describe(state["source"]), int(state["bytes"])
        except (ValueError, LookupError, TypeError) as error:
            raise TransferError(self._state_path, "This is not the state of a dump. Remove it.") from error
        if present_source != _describe(source):
            raise TransferError(
                self._part_path, f"This is a dump of {present_source}. It cannot be resumed from {_describe(source)}."
            )
        if not self._part_path.exists() or self._part_path.stat().st_size < size:
            raise TransferError(self._part_path, f"Part of the dump is missing. Remove it and {self._state_path}.")
        return state

    def _save_state(self) -> None:
        write_safely(self._state_path, write_json(self._state))


def _read(path: pathlib.Path) -> bytes | None:
    try:
        with open_private(path) as file:
            return file.read()
    except FileNotFoundError:
        return None


def _describe(source: Json) -> str:
    return f"{source['arn']} at {source['endpoint']}"
