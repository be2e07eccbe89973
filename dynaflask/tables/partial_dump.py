"""``PartialDump``: a dump that is not complete, and where each of its segments continues."""

from __future__ import annotations

import collections.abc as cabc
import os
import pathlib
import typing as t

from dynaflask.exceptions import TransferError
from dynaflask.tables.json_lines import Json
from dynaflask.tables.json_lines import read_json
from dynaflask.tables.json_lines import write_items
from dynaflask.tables.json_lines import write_json
from dynaflask.tables.json_lines import write_safely

# The start of a segment that is complete. It cannot be taken for a key, because no key is empty.
DONE: t.Final[Json] = {}


class PartialDump:
    """A dump in progress: ``PATH.part`` has the items, and ``PATH.state`` says where each segment continues.

    The state is written after the items of a page, and records the length of ``PATH.part`` at that time. A resumed dump
    cuts off anything that a killed process wrote after that, so that no item is lost and none is repeated.

    Args:
        path: The file. It appears when the dump is complete.
        source: The identity of the table.
        segments: Number of segments that the table is read in. A resumed dump keeps its own.
        resume: Continue an interrupted dump, if there is one.

    Raises:
        TransferError: The file exists already; or an interrupted dump exists and ``resume`` is false, or it is of
            another table, or part of it is missing.
    """

    def __init__(self, path: pathlib.Path, *, source: Json, segments: int, resume: bool) -> None:
        self._path = path
        self._part_path, self._state_path = (path.with_name(path.name + end) for end in (".part", ".state"))
        if path.exists():
            what = "The dump is complete, there is nothing to resume" if resume else "The file exists already"
            raise TransferError(path, f"{what}. Choose another name, or remove the file.")
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
        self._part_path.touch()
        self._file = self._part_path.open("r+b")
        self._file.truncate(self._state["bytes"])
        self._file.seek(self._state["bytes"])
        self._save_state()
        return self

    def __exit__(self, exception_type: object, *details: object) -> None:
        self._file.close()
        if exception_type is None:
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
        self._file.write(write_items(items, path=self._path))
        self._file.flush()
        # The state must not reach the disk before the items that it counts.
        os.fsync(self._file.fileno())
        self._state["bytes"] = self._file.tell()
        self._state["items"] += len(items)
        self._state["starts"][segment] = start
        self._save_state()

    def _interrupted_state(self, source: Json, *, resume: bool) -> Json | None:
        if not self._state_path.exists():
            return None
        if not resume:
            raise TransferError(
                self._part_path, f"An interrupted dump exists. Resume it, or remove it and {self._state_path}."
            )
        state: Json = read_json(self._state_path.read_bytes())
        if state["source"] != source:
            raise TransferError(
                self._part_path, f"This is a dump of {state['source']}. It cannot be resumed from {source}."
            )
        if not self._part_path.exists() or self._part_path.stat().st_size < state["bytes"]:
            raise TransferError(self._part_path, f"Part of the dump is missing. Remove it and {self._state_path}.")
        return state

    def _save_state(self) -> None:
        write_safely(self._state_path, write_json(self._state))
