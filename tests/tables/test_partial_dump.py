"""A dump that is not complete, and where each of its segments continues."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

import dynaflask
from dynaflask.tables.partial_dump import DONE
from dynaflask.tables.partial_dump import PartialDump

SOURCE = {"arn": "arn:aws:dynamodb:us-east-1:111122223333:table/Board", "endpoint": "http://127.0.0.1"}
ITEM = {"forum": {"B": b"\0"}}


def open_dump(path: pathlib.Path, **options: t.Any) -> PartialDump:
    """A partial dump of two segments."""
    return PartialDump(path, **{"source": SOURCE, "segments": 2, "resume": False, **options})


def interrupt_dump(path: pathlib.Path) -> None:
    """Start a dump of two segments, and fail after a page of the second one."""
    with pytest.raises(ZeroDivisionError), open_dump(path) as partial:
        partial.add(1, [ITEM], start=ITEM)
        raise ZeroDivisionError


def test_it_becomes_the_file_when_it_is_complete(tmp_path: pathlib.Path) -> None:
    """A complete dump is renamed to its path, and its state is removed."""
    with open_dump(tmp_path / "file") as partial:
        assert sorted(path.name for path in tmp_path.iterdir()) == ["file.part", "file.state"]
        partial.add(0, [ITEM], start=DONE)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_resumed_dump_knows_where_to_continue(tmp_path: pathlib.Path) -> None:
    """A resumed dump has its items, the start key of each segment, and its own number of segments."""
    interrupt_dump(tmp_path / "file")
    partial = open_dump(tmp_path / "file", segments=9, resume=True)
    assert (partial.items, partial.starts) == (1, [None, ITEM])


def test_resume_without_an_interrupted_dump_starts_one(tmp_path: pathlib.Path) -> None:
    """``resume`` is no error if nothing was interrupted: scripts may always give it."""
    assert open_dump(tmp_path / "file", resume=True).starts == [None, None]


def test_a_complete_dump_is_not_overwritten(tmp_path: pathlib.Path) -> None:
    """A file at the path is an error, which says that the dump is complete if it was to be resumed."""
    with open_dump(tmp_path / "file"):
        pass
    with pytest.raises(dynaflask.TransferError, match="file: The dump is complete, there is nothing to resume. Choose"):
        open_dump(tmp_path / "file", resume=True)
    with pytest.raises(dynaflask.TransferError, match="file: The file exists already. Choose another name"):
        open_dump(tmp_path / "file")


def test_what_was_written_after_the_state_is_cut_off(tmp_path: pathlib.Path) -> None:
    """A resumed dump cuts off the part of a page that a killed process wrote, because that page is read again."""
    interrupt_dump(tmp_path / "file")
    with (tmp_path / "file.part").open("ab") as file:
        file.write(b'{"Item": {"for')
    with open_dump(tmp_path / "file", resume=True):
        pass
    assert (tmp_path / "file").read_bytes() == b'{"Item":{"forum":{"B":"AA=="}}}\n'


@pytest.mark.parametrize("name", ["arn", "endpoint"])
def test_a_dump_of_another_table_is_not_resumed(tmp_path: pathlib.Path, name: str) -> None:
    """A dump continues only from the table with the same ARN at the same endpoint."""
    interrupt_dump(tmp_path / "file")
    with pytest.raises(dynaflask.TransferError, match="This is a dump of .*It cannot be resumed from"):
        open_dump(tmp_path / "file", source={**SOURCE, name: "other"}, resume=True)
