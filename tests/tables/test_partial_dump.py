"""A dump that is not complete, and where each of its segments continues."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import pathlib
import resource
import stat
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


def test_only_the_owner_can_read_the_files(tmp_path: pathlib.Path) -> None:
    """The partial dump, its state and the complete dump have mode 0600, also if they had another."""
    interrupt_dump(tmp_path / "file")
    assert modes(tmp_path) == {"file.part": 0o600, "file.state": 0o600}
    for file in tmp_path.iterdir():
        file.chmod(0o644)
    with open_dump(tmp_path / "file", resume=True):
        assert modes(tmp_path) == {"file.part": 0o600, "file.state": 0o600}
    assert modes(tmp_path) == {"file": 0o600}


def modes(directory: pathlib.Path) -> dict[str, int]:
    """The permissions of each file, by its name."""
    return {path.name: stat.S_IMODE(path.lstat().st_mode) for path in directory.iterdir()}


@pytest.mark.parametrize("end", [".part", ".state.new"])
def test_a_link_is_replaced_and_not_followed(tmp_path: pathlib.Path, end: str) -> None:
    """A symbolic link where a new dump writes is replaced, and the file that it names does not change."""
    (tmp_path / "precious").write_text("precious", encoding="ascii")
    (tmp_path / f"file{end}").symlink_to(tmp_path / "precious")
    with open_dump(tmp_path / "file") as partial:
        partial.add(0, [ITEM], start=DONE)
    assert not (tmp_path / "file").is_symlink()
    assert (tmp_path / "precious").read_text(encoding="ascii") == "precious"


@pytest.mark.parametrize("end", [".part", ".state"])
def test_a_link_is_not_resumed(tmp_path: pathlib.Path, end: str) -> None:
    """An interrupted dump whose file or state is a symbolic link is refused, and the file that it names stays."""
    interrupt_dump(tmp_path / "file")
    content = (tmp_path / f"file{end}").rename(tmp_path / "elsewhere").read_bytes()
    (tmp_path / f"file{end}").symlink_to(tmp_path / "elsewhere")
    with (
        pytest.raises(dynaflask.TransferError, match="Too many levels of symbolic links"),
        open_dump(tmp_path / "file", resume=True),
    ):
        pass
    assert (tmp_path / "elsewhere").read_bytes() == content


@pytest.mark.parametrize("path", ["missing/file", "taken/file"])
def test_a_path_without_a_directory_is_an_error(tmp_path: pathlib.Path, path: str) -> None:
    """The error names the directory. There is nothing to resume."""
    (tmp_path / "taken").touch()
    with pytest.raises(dynaflask.TransferError, match=r"file: The directory .* does not exist\. Make it first\.$"):
        open_dump(tmp_path / path)


def test_a_path_that_cannot_be_written_is_an_error(tmp_path: pathlib.Path) -> None:
    """A name that is too long, for example, is an error that names the file."""
    path = "x" * 300
    with pytest.raises(dynaflask.TransferError, match=r"part: The dump cannot continue: .* with --resume") as caught:
        with open_dump(tmp_path / path):
            pass
    assert caught.value.path == tmp_path / f"{path}.part"


def test_a_dump_on_a_full_disk_can_be_resumed(tmp_path: pathlib.Path) -> None:
    """If no more fits on the disk, the error says so; ``resume`` continues after the last page that was written."""
    large = {"forum": {"S": "x" * 10_000}}
    with pytest.raises(dynaflask.TransferError, match=r"part: The dump cannot continue: File too large"):
        with disk_of(bytes_per_file=5000), open_dump(tmp_path / "file") as partial:
            partial.add(0, [ITEM], start=ITEM)
            partial.add(0, [large], start=DONE)
    with open_dump(tmp_path / "file", resume=True) as partial:
        assert (partial.items, partial.starts) == (1, [ITEM, None])
        partial.add(0, [large], start=DONE)
    assert [len(line) for line in (tmp_path / "file").read_bytes().splitlines()] == [31, 10_027]


@contextlib.contextmanager
def disk_of(*, bytes_per_file: int) -> cabc.Iterator[None]:
    """A limit of the size of files, at which a write fails as it does on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_per_file, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("content", ["no JSON", "[]", "{}", '{"source": 1, "bytes": 0}', '{"source": {}, "bytes": 0}'])
def test_a_file_that_is_no_state_is_an_error(tmp_path: pathlib.Path, content: str) -> None:
    """A ``PATH.state`` that no dump has written is an error that names it."""
    (tmp_path / "file.state").write_text(content, encoding="ascii")
    with pytest.raises(dynaflask.TransferError, match=r"file.state: This is not the state of a dump. Remove it"):
        open_dump(tmp_path / "file", resume=True)
