"""A dump that is not complete: the items so far, and where each segment goes on."""

from __future__ import annotations

import pathlib
import typing as t

import pytest

import dynaflask
from dynaflask.tables.partial_dump import DONE
from dynaflask.tables.partial_dump import PartialDump

SOURCE = {"arn": "arn:aws:dynamodb:us-east-1:111122223333:table/Board", "endpoint": "http://127.0.0.1"}
ITEM = {"forum": {"B": b"\0"}}


def open_part(path: pathlib.Path, **options: t.Any) -> PartialDump:
    """A part of two segments."""
    return PartialDump(path, **{"source": SOURCE, "segments": 2, "resume": False, **options})


def half(path: pathlib.Path) -> None:
    """Begin one, and fail after a page."""
    with pytest.raises(ZeroDivisionError), open_part(path) as part:
        part.add(1, [ITEM], start=ITEM)
        raise ZeroDivisionError


def test_it_becomes_the_file_when_it_is_complete(tmp_path: pathlib.Path) -> None:
    """Nothing is left beside it."""
    with open_part(tmp_path / "file") as part:
        assert sorted(path.name for path in tmp_path.iterdir()) == ["file.part", "file.state"]
        part.add(0, [ITEM], start=DONE)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_one_that_is_resumed_knows_where_to_go_on(tmp_path: pathlib.Path) -> None:
    """With keys of every type, and the number of segments that it was begun with."""
    half(tmp_path / "file")
    part = open_part(tmp_path / "file", segments=9, resume=True)
    assert (part.items, part.starts) == (1, [None, ITEM])


def test_there_may_be_nothing_to_resume(tmp_path: pathlib.Path) -> None:
    """Then it is begun."""
    assert open_part(tmp_path / "file", resume=True).starts == [None, None]


def test_one_that_is_complete_needs_no_resuming(tmp_path: pathlib.Path) -> None:
    """It is left as it is."""
    with open_part(tmp_path / "file"):
        pass
    with pytest.raises(
        dynaflask.TransferError, match="file: The dump is complete already, and has nothing to resume. Take"
    ):
        open_part(tmp_path / "file", resume=True)
    with pytest.raises(dynaflask.TransferError, match="file: The file is there already. Take another name"):
        open_part(tmp_path / "file")


def test_what_the_state_does_not_know_of_is_cut_off(tmp_path: pathlib.Path) -> None:
    """A line that a killed process wrote comes again with its page."""
    half(tmp_path / "file")
    with (tmp_path / "file.part").open("ab") as file:
        file.write(b'{"Item": {"for')
    with open_part(tmp_path / "file", resume=True):
        pass
    assert (tmp_path / "file").read_bytes() == b'{"Item":{"forum":{"B":"AA=="}}}\n'


@pytest.mark.parametrize("name", ["arn", "endpoint"])
def test_that_of_another_table_is_not_gone_on_with(tmp_path: pathlib.Path, name: str) -> None:
    """Of another account, another region, or another endpoint."""
    half(tmp_path / "file")
    with pytest.raises(dynaflask.TransferError, match="This is of .* and cannot be resumed from"):
        open_part(tmp_path / "file", source={**SOURCE, name: "other"}, resume=True)
