"""Write the items of a file into a table."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import pathlib
import typing as t

import flask
import pytest
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import TableError

import dynaflask
from dynaflask.tables.dump import dump
from dynaflask.tables.load import MAX_STALL_SECONDS
from dynaflask.tables.load import count_lines
from dynaflask.tables.load import load
from tests.support import boards
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

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

LOGGER = "dynaflask.tables"
THROTTLED = (400, {"__type": "x#ProvisionedThroughputExceededException", "message": "slow down"})


@pytest.fixture
def app(engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo) -> t.Iterator[flask.Flask]:
    """An app on a real engine, with a second bind in another region."""
    app = flask.Flask("app")
    app.config.from_mapping(engine.settings(account))
    app.config["DYNAMODB_BINDS"] = {"eu": {"region": "eu-west-1"}}
    db.init_app(app)
    with app.app_context():
        yield app


def line(subject: str, **more: t.Any) -> str:
    return json.dumps({"Item": {"forum": {"S": "flask"}, "subject": {"S": subject}, **more}}) + "\n"


@pytest.mark.usefixtures("app")
class TestRoundTrip:
    """``dump`` and ``load`` on a real engine."""

    @pytest.mark.parametrize("name", ["board.jsonl", "board.jsonl.gz"])
    def test_every_type_survives(self, db: dynaflask.Dynamo, tmp_path: pathlib.Path, name: str) -> None:
        """An item with values of every type is the same after a dump and a load."""
        board = boards.declare_board(db)
        db.create_all(wait=True)
        db.client.put_item(TableName=board.Meta.table_name, Item=EVERY_TYPE)
        assert dump(db.registry, board, tmp_path / name, segments=1) == 1
        db.drop_all(wait=True)
        db.create_all(wait=True)
        assert load(db.registry, board, tmp_path / name) == 1
        assert boards.scan(board, db.client) == [EVERY_TYPE]

    def test_a_line_has_the_format_of_aws_exports(self, db: dynaflask.Dynamo, tmp_path: pathlib.Path) -> None:
        """A line is ``{"Item": ...}`` in DynamoDB's JSON, with binary values in base64."""
        board = boards.declare_board(db)
        db.create_all(wait=True)
        db.client.put_item(TableName=board.Meta.table_name, Item=EVERY_TYPE)
        dump(db.registry, board, tmp_path / "board.jsonl", segments=1)
        (content,) = (tmp_path / "board.jsonl").read_text(encoding="ascii").splitlines()
        item = json.loads(content)["Item"]
        assert item["number"] == EVERY_TYPE["number"]
        assert base64.b64decode(item["binary"]["B"]) == EVERY_TYPE["binary"]["B"]

    def test_an_item_of_the_same_key_is_replaced(self, db: dynaflask.Dynamo, tmp_path: pathlib.Path) -> None:
        """A load replaces items with the same key and keeps others. Of two lines with one key, the last counts."""
        board = boards.declare_board(db)
        db.create_all(wait=True)
        for subject in ("kept", "twice"):
            board("flask", subject).save()
        (tmp_path / "file").write_text(line("twice", a={"N": "1"}) + line("twice", a={"N": "2"}), encoding="ascii")
        assert load(db.registry, board, tmp_path / "file") == 2
        assert sorted(item.get("a", {}).get("N", "") for item in boards.scan(board, db.client)) == ["", "2"]

    def test_they_use_the_bind_of_the_block(self, db: dynaflask.Dynamo, tmp_path: pathlib.Path) -> None:
        """``db.using`` decides the destination, also in the threads of a dump."""
        board = boards.declare_board(db)
        with db.using("eu"):
            db.create_all(wait=True)
            board("flask", "europe").save()
            assert dump(db.registry, board, tmp_path / "eu", segments=1) == 1
            assert load(db.registry, board, tmp_path / "eu") == 1
        with pytest.raises(TableError, match="The table test-.* does not exist"):
            dump(db.registry, board, tmp_path / "us")
        with pytest.raises(TableError, match="The table test-.* does not exist"):
            load(db.registry, board, tmp_path / "eu")

    def test_a_value_that_dynamodb_refuses_is_named(self, db: dynaflask.Dynamo, tmp_path: pathlib.Path) -> None:
        """The error names the line, although DynamoDB refuses the whole batch; the lines before it are written."""
        board = boards.declare_board(db)
        db.create_all(wait=True)
        lines = [line("one"), line("two"), line("bad", number={"N": "no number"}), line("four")]
        (tmp_path / "file").write_text("".join(lines), encoding="ascii")
        with pytest.raises(dynaflask.TransferError, match="file, line 3: BatchWriteItem failed") as caught:
            load(db.registry, board, tmp_path / "file")
        assert (caught.value.path, caught.value.line) == (tmp_path / "file", 3)
        assert sorted(item["subject"]["S"] for item in boards.scan(board, db.client)) == ["one", "two"]


@pytest.mark.usefixtures("fake")
class TestLoad:
    """``load`` on recorded calls."""

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("nothing\n", "This is not an item"),
            ('{"forum": {"S": "flask"}}\n', "This is not an item"),
            ('{"Item": [1]}\n', "This is not an item"),
            ('{"Item": {"forum": "flask"}}\n', "This is not an item"),
            ('{"Item": {"forum": {"X": "flask"}}}\n', "a value has none of DynamoDB's types"),
            ('{"Item": {"forum": {"S": "a"}, "subject": {"B": "no base64!"}}}\n', "This is not an item"),
            ('{"Item": {"forum": {"S": "a"}, "subject": {"N": "1"}}}\n', "has no key attribute 'subject' of type 'S'"),
            ('{"Item": {"forum": {"S": "a"}}}\n', "has no key attribute 'subject' of type 'S'"),
            ("\n", "This is not an item"),
            ("[" * 100_000 + "\n", "This is not an item"),
        ],
    )
    def test_a_bad_line_is_named(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path, text: str, message: str
    ) -> None:
        """The error names the file and the line; the lines before it are written, and none after it."""
        lines = [line(str(number)) for number in range(30)]
        (tmp_path / "file").write_text("".join([*lines, text, *lines]), encoding="ascii")
        with pytest.raises(dynaflask.TransferError, match=f"file, line 31: .*{message}"):
            load(db.registry, boards.declare_board(db), tmp_path / "file")
        assert len(written(recorder)) == 30

    def test_it_starts_at_from_line(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path
    ) -> None:
        """Lines before ``from_line`` are not parsed, and ``progress`` counts the lines of each batch."""
        lines = ["nothing\n", *(line(str(number)) for number in range(2, 60))]
        (tmp_path / "file.gz").write_bytes(gzip.compress("".join(lines).encode()))
        counts: list[int] = []
        board = boards.declare_board(db)
        assert load(db.registry, board, tmp_path / "file.gz", from_line=9, progress=counts.append) == 51
        assert counts == [25, 25, 1]
        assert written(recorder) == [str(number) for number in range(9, 60)]
        assert count_lines(tmp_path / "file.gz") == 59

    def test_unprocessed_items_are_sent_again(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path, naps: list[float]
    ) -> None:
        """Items that DynamoDB returns as unprocessed are sent again, after a pause each time."""
        (tmp_path / "file").write_text(line("one") + line("two"), encoding="ascii")
        unprocessed_counts = [2, 1, 1, 0]

        def answer(request: recorders.Request) -> recorders.Answer:
            if request.operation != "BatchWriteItem":
                return None
            requests = request.body["RequestItems"]["Board"]
            count = unprocessed_counts.pop(0)
            return {"UnprocessedItems": {"Board": requests[-count:]} if count else {}}

        recorder.answer = answer
        assert load(db.registry, boards.declare_board(db), tmp_path / "file") == 2
        assert written(recorder) == ["one", "two", "one", "two", "two", "two"]
        assert len([nap for nap in naps if nap]) == 3

    def test_a_refused_batch_is_sent_line_by_line(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path
    ) -> None:
        """A batch that DynamoDB refuses as a whole, for example for its size, is written one item at a time."""
        (tmp_path / "file").write_text(line("one") + line("two"), encoding="ascii")
        recorder.answer = lambda request: (
            (400, {"__type": "x#ValidationException", "message": "too large"})
            if len(request.body.get("RequestItems", {}).get("Board", ())) > 1
            else None
        )
        assert load(db.registry, boards.declare_board(db), tmp_path / "file") == 2
        assert written(recorder) == ["one", "two", "one", "two"]

    @pytest.mark.parametrize("throttled", ["unprocessed", "refused"])
    def test_it_gives_up_when_nothing_is_written(  # noqa: PLR0917 - fixtures
        self,
        db: dynaflask.Dynamo,
        recorder: recorders.Recorder,
        tmp_path: pathlib.Path,
        naps: list[float],
        caplog: pytest.LogCaptureFixture,
        throttled: str,
    ) -> None:
        """After 300 seconds without a written item, and a warning, the error names the line to continue from."""
        (tmp_path / "file").write_text("".join(line(str(number)) for number in range(30)), encoding="ascii")

        def answer(request: recorders.Request) -> recorders.Answer:
            if request.operation != "BatchWriteItem" or len(recorder.requests) <= 2:
                return None
            return THROTTLED if throttled == "refused" else {"UnprocessedItems": request.body["RequestItems"]}

        recorder.answer = answer
        with pytest.raises(
            dynaflask.TransferError,
            match="file, line 26: DynamoDB throttles writes to Board: no item was written for 300 seconds."
            " The lines before it are written: continue with --from-line 26.",
        ):
            load(db.registry, boards.declare_board(db), tmp_path / "file")
        assert MAX_STALL_SECONDS <= sum(naps) < MAX_STALL_SECONDS + 60
        assert [record.getMessage().partition(".")[0] for record in caplog.records if record.name == LOGGER] == [
            "DynamoDB throttles writes to Board"
        ]

    @pytest.mark.usefixtures("naps")
    def test_a_throttled_request_is_sent_again(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path
    ) -> None:
        """A batch that DynamoDB throttles as a whole, retries included, has written nothing, and is sent again."""
        (tmp_path / "file").write_text("".join(line(str(number)) for number in range(500)), encoding="ascii")
        statuses = itertools.cycle([None] * 4 + [THROTTLED] * 5)
        sent: list[str] = []

        def answer(request: recorders.Request) -> recorders.Answer:
            status = next(statuses)
            if request.operation == "BatchWriteItem" and status is None:
                sent.extend(
                    entry["PutRequest"]["Item"]["subject"]["S"] for entry in request.body["RequestItems"]["Board"]
                )
            return status

        board = boards.declare_board(db)
        recorder.answer = answer
        assert load(db.registry, board, tmp_path / "file") == 500
        assert sent == [str(number) for number in range(500)]

    def test_another_error_is_not_tried_again(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path
    ) -> None:
        """An error other than throttling ends the load, and names the line to continue from."""
        (tmp_path / "file").write_text(line("one"), encoding="ascii")
        recorder.answer = lambda request: (
            (400, {"__type": "x#AccessDeniedException", "message": "no"})
            if request.operation == "BatchWriteItem"
            else None
        )
        with pytest.raises(dynaflask.TransferError, match="file, line 1: .*continue with --from-line 1"):
            load(db.registry, boards.declare_board(db), tmp_path / "file")
        assert written(recorder) == ["one"]

    def test_the_rate_limits_the_consumed_capacity(
        self, db: dynaflask.Dynamo, recorder: recorders.Recorder, tmp_path: pathlib.Path, naps: list[float]
    ) -> None:
        """After a batch, the next one waits for the seconds that the batch's capacity units take at this rate."""
        (tmp_path / "file").write_text("".join(line(str(number)) for number in range(60)), encoding="ascii")
        recorder.answer = lambda request: (
            {"ConsumedCapacity": [{"TableName": "Board", "CapacityUnits": 25.0}]}
            if request.operation == "BatchWriteItem"
            else None
        )
        load(db.registry, boards.declare_board(db), tmp_path / "file", rate=10)
        assert sum(naps) == pytest.approx(5, abs=0.1)

    @pytest.mark.parametrize("name", ["file", "file.gz"])
    def test_a_missing_file_has_no_line(self, db: dynaflask.Dynamo, tmp_path: pathlib.Path, name: str) -> None:
        """The error says that there is no such file."""
        path, reason = tmp_path / name, "The file cannot be read: No such file or directory"
        with pytest.raises(dynaflask.TransferError) as caught:
            load(db.registry, boards.declare_board(db), path)
        assert (str(caught.value), caught.value.line) == (f"{path}: {reason}", None)

    @pytest.mark.parametrize(
        "content", [b"not compressed", gzip.compress(line("one").encode())[:-9]], ids=["other", "cut"]
    )
    def test_a_file_that_cannot_be_read_is_an_error(
        self, db: dynaflask.Dynamo, tmp_path: pathlib.Path, content: bytes
    ) -> None:
        """A file that is not compressed as its name says, and a truncated one are errors with a line."""
        (tmp_path / "file.gz").write_bytes(content)
        with pytest.raises(dynaflask.TransferError, match="line [12]: The file cannot be read"):
            load(db.registry, boards.declare_board(db), tmp_path / "file.gz")


def written(recorder: recorders.Recorder) -> list[str]:
    """The subjects of the items that were sent, in the order of the requests."""
    batches = [request.body["RequestItems"] for request in recorder.requests if request.operation == "BatchWriteItem"]
    return [entry["PutRequest"]["Item"]["subject"]["S"] for batch in batches for entry in batch["Board"]]


FOREIGN_KEYS = ("globex#ann", "ann", "acmee#ann")


class TestTenants:
    """A load for one tenant writes only items whose keys are all that tenant's."""

    @pytest.fixture
    def note(self, make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo) -> t.Iterator[t.Any]:
        """A model with a tenant in its hash key and in a key for an index, in a context of an app."""

        class Note(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Note"

            folder = dynaflask.TenantKey(hash_key=True)
            author = dynaflask.TenantKey(null=True, attr_name="a")
            title = UnicodeAttribute(null=True)

        with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
            yield Note

    @pytest.mark.parametrize("key", [{name: {"S": key}} for name in ("folder", "a") for key in FOREIGN_KEYS], ids=str)
    def test_another_tenants_key_is_refused(
        self,
        db: dynaflask.Dynamo,
        note: t.Any,
        recorder: recorders.Recorder,
        tmp_path: pathlib.Path,
        key: t.Any,
    ) -> None:
        """The error names the file and the line, and the item is not written."""
        own = {"folder": {"S": "acme#in"}, "a": {"S": "acme#ann"}, "title": {"S": "globex#free"}}
        path = tmp_path / "notes.jsonl"
        path.write_text("".join(json.dumps({"Item": item}) + "\n" for item in (own, {**own, **key})))
        with db.tenant("acme"), pytest.raises(dynaflask.TenantMismatch, match=r"notes.jsonl, line 2: .* for 'acme'"):
            load(db.registry, note, path)
        assert "globex#ann" not in str([request.body for request in recorder.requests])

    def test_the_tenants_own_keys_are_written(
        self, db: dynaflask.Dynamo, note: t.Any, recorder: recorders.Recorder, tmp_path: pathlib.Path
    ) -> None:
        """Keys of the tenant and missing ones are written; without a tenant, those of any tenant are."""
        path = tmp_path / "notes.jsonl"
        path.write_text(json.dumps({"Item": {"folder": {"S": "acme#in"}, "a": {"NULL": True}}}) + "\n")
        with db.tenant("acme"):
            assert load(db.registry, note, path) == 1
        path.write_text(json.dumps({"Item": {"folder": {"S": "acme#in"}, "a": {"S": "globex#ann"}}}) + "\n")
        with db.without_tenant(reason="test"):
            assert load(db.registry, note, path) == 1
        assert [request.operation for request in recorder.requests].count("BatchWriteItem") == 2

    @pytest.mark.parametrize("name", ["folder", "a", "title"])
    @pytest.mark.parametrize("tenant", [True, False])
    def test_a_value_of_a_wrong_type_is_refused(
        self, db: dynaflask.Dynamo, note: t.Any, tmp_path: pathlib.Path, name: str, tenant: bool
    ) -> None:
        """A value that is not of its type is a TransferError with the line."""
        path = tmp_path / "notes.jsonl"
        for content in (5, ["acme#ann"], None):
            path.write_text(json.dumps({"Item": {"folder": {"S": "acme#in"}, name: {"S": content}}}) + "\n")
            with db.tenant("acme") if tenant else db.without_tenant(reason="test"):
                with pytest.raises(
                    dynaflask.TransferError, match=f"The value of '{name}' does not have the type"
                ) as caught:
                    load(db.registry, note, path)
            assert caught.value.line == 1
