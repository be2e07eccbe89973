"""A dump that is not complete: the items so far, and where each segment goes on."""

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

# The start of a segment that has come to its end. A key is never empty.
DONE: t.Final[Json] = {}


class PartialDump:
    """The file that a dump becomes, called ``PATH.part`` until it is complete, and ``PATH.state`` beside it.

    The state is written after the items, and says how long the file is by then. What a killed process wrote beyond
    that is cut off, so that a resumed dump neither loses an item nor repeats one.

    Args:
        path: The file.
        source: Which table it is of.
        segments: How many segments the table is read in, unless it was begun with another number.
        resume: Whether to go on with what is there.

    Raises:
        TransferError: The file is there already, or what was begun is another table's, or not to be resumed.
    """

    def __init__(self, path: pathlib.Path, *, source: Json, segments: int, resume: bool) -> None:
        self._path = path
        self._part_path, self._state_path = (path.with_name(path.name + end) for end in (".part", ".state"))
        if path.exists():
            what = "The dump is complete already, and has nothing to resume" if resume else "The file is there already"
            raise TransferError(path, f"{what}. Take another name, or remove it.")
        fresh: Json = {"source": source, "items": 0, "bytes": 0, "starts": [None] * segments}
        self._state = self._begun(source, resume=resume) or fresh

    @property
    def items(self) -> int:
        """How many items are there."""
        return t.cast("int", self._state["items"])

    @property
    def starts(self) -> list[Json | None]:
        """Where each segment goes on: after a key, at its beginning, or nowhere, because it is ``DONE``."""
        return list(self._state["starts"])

    def __enter__(self) -> PartialDump:
        self._part_path.touch()
        self._file = self._part_path.open("r+b")
        self._file.truncate(self._state["bytes"])
        self._file.seek(self._state["bytes"])
        self._keep_state()
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        self._file.close()
        if kind is None:
            self._part_path.replace(self._path)
            self._state_path.unlink()

    def add(self, segment: int, items: cabc.Iterable[Json], *, start: Json) -> None:
        """Write a page of a segment.

        Args:
            segment: The segment.
            items: The page's items.
            start: Where the segment goes on; ``DONE`` at its end.
        """
        items = list(items)
        self._file.write(write_items(items, path=self._path))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._state["bytes"] = self._file.tell()
        self._state["items"] += len(items)
        self._state["starts"][segment] = start
        self._keep_state()

    def _begun(self, source: Json, *, resume: bool) -> Json | None:
        if not self._state_path.exists():
            return None
        if not resume:
            raise TransferError(self._part_path, f"A dump was begun. Resume it, or remove this and {self._state_path}.")
        state: Json = read_json(self._state_path.read_bytes())
        if state["source"] != source:
            raise TransferError(self._part_path, f"This is of {state['source']}, and cannot be resumed from {source}.")
        if not self._part_path.exists() or self._part_path.stat().st_size < state["bytes"]:
            raise TransferError(self._part_path, f"Part of the dump is gone. Remove this and {self._state_path}.")
        return state

    def _keep_state(self) -> None:
        write_safely(self._state_path, write_json(self._state))
