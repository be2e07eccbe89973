"""Copy the items of a table into a file, and the items of a file into a table."""

from __future__ import annotations

import base64
import collections
import collections.abc as cabc
import contextlib
import gzip
import json
import pathlib
import signal
import subprocess
import sys
import time
import typing as t

import flask
import pytest
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import TableError

import dynaflask
from dynaflask.tables import transfer
from tests.support import boards
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.paths import SUPPORT
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

PROGRAM = SUPPORT / "dump_program.py"

EVERY_TYPE: dict[str, t.Any] = {
    "forum": {"S": "flask\n\u2028 \U0001f40d"},
    "subject": {"S": "hello"},
    "number": {"N": "0.1000000000000000000000000000000000001"},
    "binary": {"B": bytes(range(256))},
    "B": {"S": "an attribute of that name"},
    "BS": {"L": [{"S": "another"}]},
    "Item": {"M": {"B": {"B": b""}, "S": {"NULL": True}}},
    "sets": {"M": {"s": {"SS": ["a", "b"]}, "n": {"NS": ["1", "2"]}, "b": {"BS": [b"\0", b"\xff"]}}},
    "list": {"L": [{"BOOL": False}, {"L": []}, {"M": {}}]},
}


@pytest.fixture
def app(engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo) -> t.Iterator[flask.Flask]:
    """An app on a real engine, with a second bind in another region."""
    app = flask.Flask("app")
    app.config.from_mapping(engine.settings(account))
    app.config["DYNAMODB_BINDS"] = {"eu": {"region": "eu-west-1"}}
    db.init_app(app)
    with app.app_context():
        yield app


@pytest.fixture
def fake(make_app: MakeApp, recorder: recorders.Recorder) -> t.Iterator[flask.Flask]:
    """An app on a server that answers next to nothing."""
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context() as context:
        yield context.app


def scan(model: t.Any, client: t.Any) -> list[t.Any]:
    items: list[t.Any] = client.scan(TableName=model.Meta.table_name)["Items"]
    return items


def line(subject: str, **more: t.Any) -> str:
    return json.dumps({"Item": {"forum": {"S": "flask"}, "subject": {"S": subject}, **more}}) + "\n"


@pytest.mark.usefixtures("app")
class TestBoth:
    """``dump`` and ``load`` on a real engine."""

    @pytest.mark.parametrize("name", ["board.jsonl", "board.jsonl.gz"])
    def test_every_type_survives(self, db: dynaflask.Dynamo, tmp_path: pathlib.Path, name: str) -> None:
        """What is loaded is what was dumped."""
        board = boards.declare_board(db)
        db.create_all(wait=True)
        db.client.put_item(TableName=board.Meta.table_name, Item=EVERY_TYPE)
        assert transfer.dump(db.registry, board, tmp_path / name, segments=1) == 1
        db.drop_all(wait=True)
        db.create_all(wait=True)
        assert transfer.load(db.registry, board, tmp_path / name) == 1
        assert scan(board, db.client) == [EVERY_TYPE]

    def test_a_line_is_an_item_of_the_exports_of_aws(self, db: dynaflask.Dynamo, tmp_path: pathlib.Path) -> None:
        """In DynamoDB's JSON, with base64 for binary values."""
        board = boards.declare_board(db)
        db.create_all(wait=True)
        db.client.put_item(TableName=board.Meta.table_name, Item=EVERY_TYPE)
        transfer.dump(db.registry, board, tmp_path / "board.jsonl", segments=1)
        (found,) = (tmp_path / "board.jsonl").read_text(encoding="ascii").splitlines()
        item = json.loads(found)["Item"]
        assert item["number"] == EVERY_TYPE["number"]
        assert base64.b64decode(item["binary"]["B"]) == EVERY_TYPE["binary"]["B"]

    def test_an_item_of_the_same_key_is_replaced(self, db: dynaflask.Dynamo, tmp_path: pathlib.Path) -> None:
        """And others stay; of two lines with one key the later wins."""
        board = boards.declare_board(db)
        db.create_all(wait=True)
        for subject in ("kept", "twice"):
            board("flask", subject).save()
        (tmp_path / "file").write_text(line("twice", a={"N": "1"}) + line("twice", a={"N": "2"}), encoding="ascii")
        assert transfer.load(db.registry, board, tmp_path / "file") == 2
        assert sorted(item.get("a", {}).get("N", "") for item in scan(board, db.client)) == ["", "2"]

    def test_it_goes_to_the_bind_of_the_block(self, db: dynaflask.Dynamo, tmp_path: pathlib.Path) -> None:
        """Also in the threads of a dump."""
        board = boards.declare_board(db)
        with db.using("eu"):
            db.create_all(wait=True)
            board("flask", "europe").save()
            assert transfer.dump(db.registry, board, tmp_path / "eu", segments=1) == 1
            assert transfer.load(db.registry, board, tmp_path / "eu") == 1
        with pytest.raises(TableError, match="There is no <Table"):
            transfer.dump(db.registry, board, tmp_path / "us")
        with pytest.raises(TableError, match="There is no <Table"):
            transfer.load(db.registry, board, tmp_path / "eu")

    def test_a_value_that_dynamodb_refuses_is_found(self, db: dynaflask.Dynamo, tmp_path: pathlib.Path) -> None:
        """It names no item of a batch, so that each is tried alone; what is before it is written."""
        board = boards.declare_board(db)
        db.create_all(wait=True)
        lines = [line("one"), line("two"), line("bad", number={"N": "no number"}), line("four")]
        (tmp_path / "file").write_text("".join(lines), encoding="ascii")
        with pytest.raises(dynaflask.TransferError, match="file, line 3: BatchWriteItem failed") as caught:
            transfer.load(db.registry, board, tmp_path / "file")
        assert (caught.value.path, caught.value.line) == (tmp_path / "file", 3)
        assert sorted(item["subject"]["S"] for item in scan(board, db.client)) == ["one", "two"]


class TestDump:
    """What is special to ``dump``."""

    def test_many_pages_of_many_segments_are_whole(
        self, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, tmp_path: pathlib.Path
    ) -> None:
        """Each item is there once, and the progress adds up."""
        counts: list[int] = []
        with on(ministack, account, db) as thing:
            count = transfer.dump(db.registry, thing, tmp_path / "file", segments=3, progress=counts.append)
        assert count == sum(counts) == 60
        assert numbers(tmp_path / "file") == set(range(60))
        assert [path.name for path in tmp_path.iterdir()] == ["file"]

    @pytest.mark.parametrize(("name", "pages"), [("file", 1), ("file", 4), ("file.gz", 2)])
    def test_one_that_was_killed_can_be_resumed(  # noqa: PLR0917 - fixtures
        self,
        ministack: engines.Engine,
        account: engines.Account,
        db: dynaflask.Dynamo,
        tmp_path: pathlib.Path,
        pages: int,
        name: str,
    ) -> None:
        """No item is lost, and none repeated, although a page was written that the state knows nothing of."""
        path = tmp_path / name
        with on(ministack, account, db) as thing:
            settings = json.dumps(ministack.settings(account))
            command = [sys.executable, str(PROGRAM), str(path), str(pages), settings]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == -signal.SIGKILL, done.stderr
            assert not path.exists()
            assert transfer.dump(db.registry, thing, path, resume=True) == 60
        assert numbers(path) == set(range(60))

    @pytest.mark.usefixtures("fake")
    def test_one_that_failed_can_be_resumed(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path
    ) -> None:
        """The segments that are done are not read again, and the others go on after their last key."""
        board, key = boards.declare_board(db), {"forum": {"B": "AA=="}}
        recorder.answer = paged([{"Items": [key], "LastEvaluatedKey": key}, (400, {"__type": "x#No"})])
        with pytest.raises(TableError, match="Scan failed"):
            transfer.dump(db.registry, board, tmp_path / "file", segments=1)
        recorder.answer = paged([{"Items": []}])
        assert transfer.dump(db.registry, board, tmp_path / "file", segments=7, resume=True) == 1
        last = recorder.requests[-1].body
        assert (last["ExclusiveStartKey"], last["TotalSegments"]) == (key, 1)

    @pytest.mark.usefixtures("fake")
    def test_one_that_was_begun_is_not_begun_anew(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path
    ) -> None:
        """Unless it is resumed, or removed."""
        board = boards.declare_board(db)
        half_of(flask.current_app, board, tmp_path / "file", recorder=recorder)
        with pytest.raises(dynaflask.TransferError, match="A dump was begun. Resume it, or remove"):
            transfer.dump(db.registry, board, tmp_path / "file")
        for left in tmp_path.iterdir():
            left.unlink()
        assert transfer.dump(db.registry, board, tmp_path / "file", segments=1) == 0

    @pytest.mark.usefixtures("fake")
    @pytest.mark.parametrize("content", [None, b"short"])
    def test_one_whose_items_are_gone_is_not_resumed(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path, content: bytes | None
    ) -> None:
        """It would be complete without them."""
        board, part = boards.declare_board(db), tmp_path / "file.part"
        half_of(flask.current_app, board, tmp_path / "file", recorder=recorder)
        part.unlink() if content is None else part.write_bytes(content)
        with pytest.raises(dynaflask.TransferError, match="Part of the dump is gone"):
            transfer.dump(db.registry, board, tmp_path / "file", resume=True)

    @pytest.mark.usefixtures("fake")
    def test_a_file_that_is_there_is_left_alone(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path
    ) -> None:
        """Nothing is read."""
        (tmp_path / "file").write_text("precious", encoding="ascii")
        with pytest.raises(dynaflask.TransferError, match="file: The file is there already"):
            transfer.dump(db.registry, boards.declare_board(db), tmp_path / "file")
        assert (tmp_path / "file").read_text(encoding="ascii") == "precious"
        assert [request.operation for request in recorder.requests] == ["DescribeTable"]

    @pytest.mark.usefixtures("fake")
    @pytest.mark.parametrize("rate", [0, -1])
    def test_a_rate_is_above_zero(self, db: dynaflask.Dynamo, tmp_path: pathlib.Path, rate: float) -> None:
        """Else it would never end."""
        with pytest.raises(ValueError, match="rate_limit must be greater than zero"):
            transfer.dump(db.registry, boards.declare_board(db), tmp_path / "file", rate=rate)

    @pytest.mark.usefixtures("fake")
    def test_it_keeps_to_its_rate(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path, naps: list[float]
    ) -> None:
        """What a page consumed is paid for before the next is asked for."""
        more = {"Items": [], "LastEvaluatedKey": {"forum": {"S": "a"}}, "ConsumedCapacity": {"CapacityUnits": 128}}
        recorder.answer = paged([more, more, {"Items": []}])
        transfer.dump(db.registry, boards.declare_board(db), tmp_path / "file", segments=1, rate=64)
        assert sum(naps) == pytest.approx(4, abs=0.1)


@pytest.mark.usefixtures("fake")
class TestLoad:
    """What is special to ``load``."""

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("nothing\n", "This is no item"),
            ('{"forum": {"S": "flask"}}\n', "This is no item"),
            ('{"Item": [1]}\n', "This is no item"),
            ('{"Item": {"forum": "flask"}}\n', "This is no item"),
            ('{"Item": {"forum": {"X": "flask"}}}\n', "not of one of DynamoDB's types"),
            ('{"Item": {"forum": {"S": "a"}, "subject": {"B": "no base64!"}}}\n', "This is no item"),
            ('{"Item": {"forum": {"S": "a"}, "subject": {"N": "1"}}}\n', "has no 'subject' of type 'S'"),
            ('{"Item": {"forum": {"S": "a"}}}\n', "has no 'subject' of type 'S'"),
            ("\n", "This is no item"),
            ("[" * 100_000 + "\n", "This is no item"),
        ],
    )
    def test_a_bad_line_is_named(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path, text: str, message: str
    ) -> None:
        """With its file; the lines before it are written, and none after it."""
        lines = [line(str(number)) for number in range(30)]
        (tmp_path / "file").write_text("".join([*lines, text, *lines]), encoding="ascii")
        with pytest.raises(dynaflask.TransferError, match=f"file, line 31: .*{message}"):
            transfer.load(db.registry, boards.declare_board(db), tmp_path / "file")
        assert len(written(recorder)) == 30

    def test_it_goes_on_from_a_line(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path
    ) -> None:
        """Those before it are not even looked at."""
        lines = ["nothing\n", *(line(str(number)) for number in range(2, 60))]
        (tmp_path / "file.gz").write_bytes(gzip.compress("".join(lines).encode()))
        counts: list[int] = []
        board = boards.declare_board(db)
        assert transfer.load(db.registry, board, tmp_path / "file.gz", from_line=9, progress=counts.append) == 51
        assert counts == [25, 25, 1]
        assert written(recorder) == [str(number) for number in range(9, 60)]
        assert transfer.count_lines(tmp_path / "file.gz") == 59

    def test_what_is_not_written_is_sent_again(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path, naps: list[float]
    ) -> None:
        """After a pause that differs from one time to the next."""
        (tmp_path / "file").write_text(line("one") + line("two"), encoding="ascii")
        left = [2, 1, 1, 0]

        def answer(request: recorders.Request) -> recorders.Answer:
            if request.operation != "BatchWriteItem":
                return None
            requests = request.body["RequestItems"]["Board"]
            count = left.pop(0)
            return {"UnprocessedItems": {"Board": requests[-count:]} if count else {}}

        recorder.answer = answer
        assert transfer.load(db.registry, boards.declare_board(db), tmp_path / "file") == 2
        assert written(recorder) == ["one", "two", "one", "two", "two", "two"]
        assert len([nap for nap in naps if nap]) == 3

    def test_a_batch_that_is_refused_as_a_whole_goes_singly(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path
    ) -> None:
        """As one that is too large."""
        (tmp_path / "file").write_text(line("one") + line("two"), encoding="ascii")
        recorder.answer = lambda request: (
            (400, {"__type": "x#ValidationException", "message": "too large"})
            if len(request.body.get("RequestItems", {}).get("Board", ())) > 1
            else None
        )
        assert transfer.load(db.registry, boards.declare_board(db), tmp_path / "file") == 2
        assert written(recorder) == ["one", "two", "one", "two"]

    def test_it_gives_up_when_nothing_is_written(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path, naps: list[float]
    ) -> None:
        """And names the line to go on from."""
        (tmp_path / "file").write_text("".join(line(str(number)) for number in range(30)), encoding="ascii")
        recorder.answer = lambda request: (
            {"UnprocessedItems": request.body["RequestItems"]}
            if request.operation == "BatchWriteItem" and len(recorder.requests) > 2
            else None
        )
        with pytest.raises(dynaflask.TransferError, match="file, line 26: .*it is throttled"):
            transfer.load(db.registry, boards.declare_board(db), tmp_path / "file")
        assert len(recorder.requests) == 2 + transfer.MAX_TRIES

    def test_it_keeps_to_its_rate(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path, naps: list[float]
    ) -> None:
        """What a batch consumed is paid for before the next is sent."""
        (tmp_path / "file").write_text("".join(line(str(number)) for number in range(60)), encoding="ascii")
        recorder.answer = lambda request: (
            {"ConsumedCapacity": [{"TableName": "Board", "CapacityUnits": 25.0}]}
            if request.operation == "BatchWriteItem"
            else None
        )
        transfer.load(db.registry, boards.declare_board(db), tmp_path / "file", rate=10)
        assert sum(naps) == pytest.approx(5, abs=0.1)

    @pytest.mark.parametrize(
        "content", [None, b"not compressed", gzip.compress(line("one").encode())[:-9]], ids=["none", "other", "cut"]
    )
    def test_a_file_that_cannot_be_read_is_an_error(
        self, db: dynaflask.Dynamo, tmp_path: pathlib.Path, content: bytes | None
    ) -> None:
        """One that is not there, and one that is cut."""
        if content is not None:
            (tmp_path / "file.gz").write_bytes(content)
        with pytest.raises(dynaflask.TransferError, match="line [12]: The file cannot be read"):
            transfer.load(db.registry, boards.declare_board(db), tmp_path / "file.gz")


def test_two_apps_fill_each_their_own(
    make_app: MakeApp, ministack: engines.Engine, account: engines.Account, db: dynaflask.Dynamo, tmp_path: pathlib.Path
) -> None:
    """A table of the same name in the other app's region is not touched, and its dump is not gone on with."""
    board = boards.declare_board(db)
    shared = {name.removeprefix("DYNAMODB_").lower(): value for name, value in ministack.settings(account).items()}
    apps = {region: make_app(region, **{**shared, "region": region}) for region in ("us-east-1", "eu-west-1")}
    for region, app in apps.items():
        with app.app_context():
            db.create_all(wait=True)
            board("flask", region).save()
            transfer.dump(db.registry, board, tmp_path / region)
    (tmp_path / "eu-west-1").unlink()
    with apps["us-east-1"].app_context():
        transfer.load(db.registry, board, tmp_path / "us-east-1")
        assert [item["subject"]["S"] for item in scan(board, db.client)] == ["us-east-1"]
    with apps["eu-west-1"].app_context():
        assert [item["subject"]["S"] for item in scan(board, db.client)] == ["eu-west-1"]
        half_of(apps["us-east-1"], board, tmp_path / "eu-west-1")
        with pytest.raises(dynaflask.TransferError, match="cannot be resumed from"):
            transfer.dump(db.registry, board, tmp_path / "eu-west-1", resume=True)


def half_of(app: flask.Flask, model: t.Any, path: pathlib.Path, *, recorder: recorders.Recorder | None = None) -> None:
    """Begin a dump in a context of an app, and end it after a page."""

    def stop(count: int) -> None:
        if count:
            raise KeyboardInterrupt

    if recorder:
        recorder.answer = paged([{"Items": [{"forum": {"S": "flask"}}]}, {"Items": []}])
    with app.app_context(), pytest.raises(KeyboardInterrupt):
        transfer.dump(app.extensions["dynamo"], model, path, segments=1, progress=stop)


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long it slept, without sleeping: the clock goes on instead."""
    slept: list[float] = []
    clock = time.time
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(time, "time", lambda: clock() + sum(slept))
    return slept


def paged(pages: list[recorders.Answer]) -> cabc.Callable[[recorders.Request], recorders.Answer]:
    """Answers scans with these, one after another."""
    return lambda request: pages.pop(0) if request.operation == "Scan" else None


def written(recorder: recorders.Recorder) -> list[str]:
    """The subjects that were sent, in their order."""
    batches = [request.body["RequestItems"] for request in recorder.requests if request.operation == "BatchWriteItem"]
    return [entry["PutRequest"]["Item"]["subject"]["S"] for batch in batches for entry in batch["Board"]]


def numbers(path: pathlib.Path) -> set[int]:
    """The numbers of the things in a file; none of them twice."""
    content = path.read_bytes()
    lines = (gzip.decompress(content) if path.suffix == ".gz" else content).splitlines()
    found = collections.Counter(int(json.loads(each)["Item"]["number"]["N"]) for each in lines)
    assert set(found.values()) == {1}
    return set(found)


@contextlib.contextmanager
def on(engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo) -> cabc.Iterator[t.Any]:
    """A table of sixty large things, which has pages."""
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
