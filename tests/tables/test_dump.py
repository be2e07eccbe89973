"""Write the items of a table into a file."""

from __future__ import annotations

import collections
import collections.abc as cabc
import contextlib
import gzip
import json
import pathlib
import signal
import subprocess
import sys
import typing as t

import flask
import pytest
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import TableError

import dynaflask
from dynaflask import TransferError
from dynaflask.tables.dump import dump
from dynaflask.tables.load import load
from tests.support import boards
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.paths import SUPPORT
from tests.support.paths import environment
from tests.support.settings import MakeApp

PROGRAM = SUPPORT / "dump_program.py"


def test_a_dump_has_every_item_of_every_segment_once(
    ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, tmp_path: pathlib.Path
) -> None:
    """Segments and pages do not lose or repeat items, and ``progress`` counts each of them."""
    counts: list[int] = []
    with things(ministack, account, db) as thing:
        count = dump(db.registry, thing, tmp_path / "file", segments=3, progress=counts.append)
    assert count == sum(counts) == 60
    assert numbers(tmp_path / "file") == set(range(60))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(("name", "pages"), [("file", 1), ("file", 4), ("file.gz", 2)])
def test_a_killed_dump_can_be_resumed(  # noqa: PLR0917 - fixtures
    ministack: engines.Engine,
    account: engines.Account,
    db: dynaflask.Dynamo,
    tmp_path: pathlib.Path,
    pages: int,
    name: str,
) -> None:
    """After ``kill -9`` between a page and its state, ``resume`` neither loses nor repeats an item."""
    path = tmp_path / name
    with things(ministack, account, db) as thing:
        settings = json.dumps(ministack.settings(account))
        command = [sys.executable, str(PROGRAM), str(path), str(pages), settings]
        process = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
        assert process.returncode == -signal.SIGKILL, process.stderr
        assert not path.exists()
        assert dump(db.registry, thing, path, resume=True) == 60
    assert numbers(path) == set(range(60))


@pytest.mark.usefixtures("fake")
def test_a_dump_that_stays_throttled_can_be_resumed(
    db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path
) -> None:
    """The error names the file and ``--resume``, which completes the dump after the last page."""
    board, keys = boards.declare_board(db), [{"forum": {"B": "AA=="}}, {"forum": {"B": "AQ=="}}]
    throttled = (400, {"__type": "x#ProvisionedThroughputExceededException", "message": "Slow down"})
    recorder.answer = paged([{"Items": keys[:1], "LastEvaluatedKey": keys[0]}, throttled])
    with (
        db.using(max_retry_attempts=0),
        pytest.raises(TransferError, match=r"file: Scan failed.*Slow down.*--resume \(resume=True\)") as caught,
    ):
        dump(db.registry, board, tmp_path / "file", segments=1)
    assert caught.value.path == tmp_path / "file"
    recorder.answer = paged([{"Items": keys[1:]}])
    assert dump(db.registry, board, tmp_path / "file", resume=True) == 2


@pytest.mark.usefixtures("fake")
def test_a_failed_dump_can_be_resumed(
    db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path
) -> None:
    """Each segment continues after the last key that it wrote, and the number of segments stays."""
    board, key = boards.declare_board(db), {"forum": {"B": "AA=="}}
    recorder.answer = paged([{"Items": [key], "LastEvaluatedKey": key}, (400, {"__type": "x#No"})])
    with pytest.raises(TableError, match="Scan failed"):
        dump(db.registry, board, tmp_path / "file", segments=1)
    recorder.answer = paged([{"Items": []}])
    assert dump(db.registry, board, tmp_path / "file", segments=7, resume=True) == 1
    last = recorder.requests[-1].body
    assert (last["ExclusiveStartKey"], last["TotalSegments"]) == (key, 1)


@pytest.mark.usefixtures("fake")
def test_an_interrupted_dump_is_not_overwritten(
    db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path
) -> None:
    """A new dump to the same path is an error until the interrupted one is removed."""
    board = boards.declare_board(db)
    interrupt_dump(flask.current_app, board, tmp_path / "file", recorder=recorder)
    with pytest.raises(dynaflask.TransferError, match="An interrupted dump exists. Resume it, or remove"):
        dump(db.registry, board, tmp_path / "file")
    for file in tmp_path.iterdir():
        file.unlink()
    assert dump(db.registry, board, tmp_path / "file", segments=1) == 0


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("content", [None, b"short"])
def test_a_dump_with_missing_items_is_not_resumed(
    db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path, content: bytes | None
) -> None:
    """If ``PATH.part`` is missing or shorter than its state says, the dump cannot be completed."""
    board, part = boards.declare_board(db), tmp_path / "file.part"
    interrupt_dump(flask.current_app, board, tmp_path / "file", recorder=recorder)
    part.unlink() if content is None else part.write_bytes(content)
    with pytest.raises(dynaflask.TransferError, match="Part of the dump is missing"):
        dump(db.registry, board, tmp_path / "file", resume=True)


@pytest.mark.usefixtures("fake")
def test_a_missing_directory_is_nothing_to_resume(
    db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path
) -> None:
    """The error names the directory, and no item is read."""
    with pytest.raises(dynaflask.TransferError, match=r"The directory .*missing does not exist\. Make it first\.$"):
        dump(db.registry, boards.declare_board(db), tmp_path / "missing" / "file")
    assert [request.operation for request in recorder.requests] == ["DescribeTable"]


@pytest.mark.usefixtures("fake")
def test_an_existing_file_is_not_overwritten(
    db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path
) -> None:
    """An existing file is an error, and no item is read."""
    (tmp_path / "file").write_text("precious", encoding="ascii")
    with pytest.raises(dynaflask.TransferError, match="file: The file exists already"):
        dump(db.registry, boards.declare_board(db), tmp_path / "file")
    assert (tmp_path / "file").read_text(encoding="ascii") == "precious"
    assert [request.operation for request in recorder.requests] == ["DescribeTable"]


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize("rate", [0, -1])
def test_a_rate_must_be_above_zero(db: dynaflask.Dynamo, tmp_path: pathlib.Path, rate: float) -> None:
    """A dump with a rate of zero would never end, so it is refused before anything is written."""
    with pytest.raises(ValueError, match="rate_limit must be greater than zero"):
        dump(db.registry, boards.declare_board(db), tmp_path / "file", rate=rate)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("fake")
def test_the_rate_limits_the_consumed_capacity(
    db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path, naps: list[float]
) -> None:
    """After a page, the next request waits for the seconds that the page's capacity units take at this rate."""
    more = {"Items": [], "LastEvaluatedKey": {"forum": {"S": "a"}}, "ConsumedCapacity": {"CapacityUnits": 128}}
    recorder.answer = paged([more, more, {"Items": []}])
    dump(db.registry, boards.declare_board(db), tmp_path / "file", segments=1, rate=64)
    assert sum(naps) == pytest.approx(4)


def test_two_apps_dump_and_load_their_own_tables(
    make_app: MakeApp, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, tmp_path: pathlib.Path
) -> None:
    """A table of the same name in the other app's region is not changed, and its dump cannot be resumed."""
    board = boards.declare_board(db)
    shared = {name.removeprefix("DYNAMODB_").lower(): value for name, value in ministack.settings(account).items()}
    apps = {region: make_app(region, **{**shared, "region": region}) for region in ("us-east-1", "eu-west-1")}
    for region, app in apps.items():
        with app.app_context():
            db.create_all(wait=True)
            board("flask", region).save()
            dump(db.registry, board, tmp_path / region)
    (tmp_path / "eu-west-1").unlink()
    with apps["us-east-1"].app_context():
        load(db.registry, board, tmp_path / "us-east-1")
        assert [item["subject"]["S"] for item in boards.scan(board, db.client)] == ["us-east-1"]
    with apps["eu-west-1"].app_context():
        assert [item["subject"]["S"] for item in boards.scan(board, db.client)] == ["eu-west-1"]
        interrupt_dump(apps["us-east-1"], board, tmp_path / "eu-west-1")
        with pytest.raises(dynaflask.TransferError, match="cannot be resumed from"):
            dump(db.registry, board, tmp_path / "eu-west-1", resume=True)


def interrupt_dump(
    app: flask.Flask, model: t.Any, path: pathlib.Path, *, recorder: recorders.Recorder | None = None
) -> None:
    """Dump in a context of the app, and interrupt the dump after its first page."""

    def stop(count: int) -> None:
        if count:
            raise KeyboardInterrupt

    if recorder:
        recorder.answer = paged([{"Items": [{"forum": {"S": "flask"}}]}, {"Items": []}])
    with app.app_context(), pytest.raises(KeyboardInterrupt):
        dump(app.extensions["dynamo"], model, path, segments=1, progress=stop)


def paged(pages: list[recorders.Answer]) -> cabc.Callable[[recorders.Request], recorders.Answer]:
    """An answer function that gives each ``Scan`` the next of these pages."""
    return lambda request: pages.pop(0) if request.operation == "Scan" else None


def numbers(path: pathlib.Path) -> set[int]:
    """The numbers of the things in a file. Asserts that each is there once."""
    content = path.read_bytes()
    lines = (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines()
    counts = collections.Counter(int(json.loads(each)["Item"]["number"]["N"]) for each in lines)
    assert set(counts.values()) == {1}
    return set(counts)


@contextlib.contextmanager
def things(engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo) -> cabc.Iterator[t.Any]:
    """A model whose table has sixty items of 100 kB, which is several pages."""
    app = flask.Flask("app")
    app.config.from_mapping(engine.settings(account))
    db.init_app(app)

    class Thing(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Thing"

        number = NumberAttribute(hash_key=True)
        text = UnicodeAttribute(default="x" * 100_000)

    with app.app_context():
        db.create_all(wait=True)
        with Thing.batch_write() as batch:
            for number in range(60):
                batch.save(Thing(number))
        yield Thing
        db.drop_all()
