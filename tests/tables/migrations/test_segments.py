"""Read a table in segments, and change its items."""

from __future__ import annotations

import collections.abc as cabc
import threading
import time
import typing as t

import pytest
from pynamodb.attributes import DiscriminatorAttribute
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import TableError

import dynaflask
from dynaflask import MigrationError
from dynaflask.tables.migrations import Migration
from dynaflask.tables.migrations import MigrationResult
from dynaflask.tables.migrations import apply_migration
from dynaflask.tables.migrations import segments
from dynaflask.tables.table import find_one
from tests.support import migrations
from tests.support import recorder as recorders
from tests.support.servers import eventually
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

Forwards = t.Callable[[t.Any], object]


def apply(db: dynaflask.Dynamo, model: t.Any, forwards: Forwards, **options: t.Any) -> MigrationResult:
    """Apply a function to a model's items."""
    result = apply_migration(db.registry, Migration("0001_test", forwards, model), segments=1, **options)
    assert result is not None
    return result


class Unrecorded:
    """A run that records nothing."""

    def require(self) -> None:
        """Go on."""

    def save(self, segment: int, position: t.Any, *, items_read: int, items_changed: int) -> None:
        """Record nothing."""


def item_migration(
    db: dynaflask.Dynamo, model: t.Any, forwards: Forwards, *, rate: float | None = None
) -> segments.ItemMigration:
    """A migration of a model's items, without a history."""
    return segments.ItemMigration(
        Migration("0001_test", forwards, model),
        find_one(db.registry, model),
        tenant=None,
        rate=rate,
        dry_run=False,
        progress=lambda count: None,
    )


def once(action: cabc.Callable[[], object]) -> cabc.Callable[[], None]:
    """The first call runs the action, in place of another process."""
    pending = [action]

    def run() -> None:
        if pending:
            pending.pop()()

    return run


class TestOtherProcesses:
    """Another process writes between the read and the write of an item."""

    def test_a_newer_value_is_not_overwritten(self, db: dynaflask.Dynamo, note: t.Any) -> None:
        """The item is read again, and ``forwards`` gets the new values."""
        note("1", title="Old").save()
        edit = once(lambda: note("1").update([note.title.set("New")]))

        def forwards(item: t.Any) -> None:
            item.slug = item.title.lower()
            edit()

        assert apply(db, note, forwards).items_changed == 1
        assert note.get("1").slug == "new"

    def test_an_attribute_that_was_missing_is_not_overwritten(self, db: dynaflask.Dynamo, note: t.Any) -> None:
        """Also an attribute that the item did not have is a newer value."""
        note("1", title="T").save()
        edit = once(lambda: note("1").update([note.slug.set("theirs")]))

        def forwards(item: t.Any) -> None:
            if item.slug is None:
                item.slug = "ours"
            edit()

        assert apply(db, note, forwards).items_changed == 0
        assert note.get("1").slug == "theirs"

    def test_a_deleted_item_stays_deleted(self, db: dynaflask.Dynamo, note: t.Any) -> None:
        """An update of a missing item would create it."""
        note("1", title="T").save()
        delete = once(lambda: note("1").delete())

        def forwards(item: t.Any) -> None:
            item.slug = "slug"
            delete()

        assert apply(db, note, forwards).items_changed == 0
        assert note.count() == 0

    def test_a_moved_item_is_read_again(self, db: dynaflask.Dynamo, note: t.Any) -> None:
        """A move is refused like an update, if the item has changed."""
        note("a", title="Old").save()
        edit = once(lambda: note("a").update([note.title.set("New")]))

        def forwards(item: t.Any) -> None:
            item.id = item.id.upper()
            edit()

        assert apply(db, note, forwards).items_changed == 1
        assert [(each.id, each.title) for each in note.scan()] == [("A", "New")]

    def test_an_item_that_always_changes_is_an_error(
        self, db: dynaflask.Dynamo, note: t.Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After many attempts the run stops, and says when to run it again."""
        monkeypatch.setattr(segments, "MAX_ATTEMPTS", 3)
        note("1", title="T", views=0).save()

        def forwards(item: t.Any) -> None:
            item.slug = "slug"
            note("1").update([note.views.add(1)])

        with pytest.raises(MigrationError, match="could not change an item in 3 attempts"):
            apply(db, note, forwards)
        assert note.get("1").slug is None


def test_an_item_moves_to_another_key(db: dynaflask.Dynamo, note: t.Any) -> None:
    """The item with all its attributes has the new key, and the old one is free."""
    note("a", title="T").save()
    assert apply(db, note, lambda item: setattr(item, "id", item.id.upper())).items_changed == 1
    assert [(each.id, each.title) for each in note.scan()] == [("A", "T")]


def test_an_item_does_not_replace_another_one(db: dynaflask.Dynamo, note: t.Any) -> None:
    """A move to a key that exists is an error, and both items stay."""
    for key in ("a", "b"):
        note(key, title=key).save()
    with pytest.raises(MigrationError, match=r"to the key \{'id': \{'S': 'one'\}\}, which another item has"):
        apply(db, note, lambda item: setattr(item, "id", "one"))
    assert sorted(each.title for each in note.scan()) == ["a", "b"]


def test_every_type_can_be_compared(db: dynaflask.Dynamo, note: t.Any) -> None:
    """The condition holds for an item with a value of each of DynamoDB's types."""
    everything = {
        "views": {"N": "1.50"},
        "tags": {"SS": ["b", "a"]},
        "status": {"S": ""},
        "unknown": {"M": {"list": {"L": [{"NULL": True}, {"BOOL": False}, {"B": b"\0"}]}}},
    }
    item = {"id": {"S": "1"}, "title": {"S": "T"}, **everything}
    db.client.put_item(TableName=note.Meta.table_name, Item=item)
    assert apply(db, note, lambda item: setattr(item, "slug", "s")).items_changed == 1
    stored = db.client.get_item(TableName=note.Meta.table_name, Key={"id": {"S": "1"}})["Item"]
    assert {name: stored[name] for name in ("unknown", "status", "slug")} == {
        "unknown": everything["unknown"],
        "status": {"S": ""},
        "slug": {"S": "s"},
    }


@pytest.mark.usefixtures("app")
def test_a_discriminator_selects_the_items(db: dynaflask.Dynamo) -> None:
    """Of a table with several models, ``forwards`` gets the items of the model and its subclasses."""

    class Entry(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Entry"

        id = UnicodeAttribute(hash_key=True)
        kind = DiscriminatorAttribute()
        text = UnicodeAttribute(null=True)

    class Post(Entry, discriminator="post"):
        pass

    class Pinned(Post, discriminator="pinned"):
        pass

    class Comment(Entry, discriminator="comment"):
        pass

    db.create_all(wait=True)
    for model in (Post, Pinned, Comment):
        model(model.__name__).save()
    db.client.put_item(TableName=Entry.Meta.table_name, Item={"id": {"S": "none"}})
    assert apply(db, Post, lambda item: setattr(item, "text", type(item).__name__)).items_changed == 2
    assert {each.id: each.text for each in Entry.scan() if each.id != "none"} == {
        "Post": "Post",
        "Pinned": "Pinned",
        "Comment": None,
    }


def test_a_failed_segment_stops_the_others(db: dynaflask.Dynamo, note: t.Any) -> None:
    """The error is that of the first thread that fails; the others write no further item."""
    with note.batch_write() as batch:
        for number in range(20):
            batch.save(note(str(number), title="T"))
    first = threading.Lock()

    def forwards(item: t.Any) -> None:
        item.slug = "slug"
        if first.acquire(blocking=False):
            raise ValueError("first")
        assert eventually(lambda: items._is_stopped)

    items = item_migration(db, note, forwards)
    with pytest.raises(MigrationError, match="ValueError: first"):
        items.run(Unrecorded(), [None] * 4)
    assert {each.slug for each in note.scan()} == {None}


@pytest.fixture
def fake(make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo) -> t.Iterator[t.Any]:
    """A model on the recorder, in a context whose calls have one attempt."""
    note = migrations.declare_note(db)
    with make_app(host=recorder.url, region="us-east-1", max_retry_attempts=0, **KEYS).app_context():
        yield note


def answers(**operations: recorders.Answer) -> cabc.Callable[[recorders.Request], recorders.Answer]:
    """An answer for each of these operations."""
    page = {"Items": [{"id": {"S": "1"}, "title": {"S": "T"}}], "ConsumedCapacity": {"CapacityUnits": 30}}
    record = {
        "Attributes": {
            **{name: {"N": "1"} for name in ("fence", "expires_at", "items_read", "items_changed")},
            "status": {"S": "running"},
            "owner": {"S": "o"},
            "positions": {"L": [{"NULL": True}]},
        }
    }
    description = {"Table": {"TableStatus": "ACTIVE", "ItemCount": 1, "TableArn": "a"}}
    known = {"GetItem": {}, "Scan": page, "UpdateItem": record, "DescribeTable": description, **operations}
    return lambda request: known.get(request.operation)


def test_a_dry_run_stops_when_dynamodb_refuses(fake: t.Any, db: dynaflask.Dynamo, recorder: recorders.Recorder) -> None:
    """An error of DynamoDB is raised; one that says "slow down" names ``--rate``."""
    recorder.answer = answers(Scan=(400, {"__type": "x#ThrottlingException", "message": "Slow down"}))
    with pytest.raises(MigrationError, match=r"Slow down.*with a lower --rate \(rate=\.\.\.\): it continues"):
        apply(db, fake, lambda item: None, dry_run=True)
    recorder.answer = answers(Scan=(400, {"__type": "x#ValidationException", "message": "No"}))
    with pytest.raises(TableError, match="No"):
        apply(db, fake, lambda item: None, dry_run=True)


@pytest.mark.parametrize(
    ("forwards", "operation", "error"),
    [
        (lambda item: setattr(item, "slug", "s"), "UpdateItem", {"__type": "x#ValidationException"}),
        (lambda item: setattr(item, "id", "2"), "TransactWriteItems", {"__type": "x#ValidationException"}),
        (
            lambda item: setattr(item, "id", "2"),
            "TransactWriteItems",
            {
                "__type": "x#TransactionCanceledException",
                "CancellationReasons": [{"Code": "None"}, {"Code": "ItemCollectionSizeLimitExceeded"}],
            },
        ),
    ],
)
def test_an_error_of_a_write_is_raised(  # noqa: PLR0917 - fixtures
    fake: t.Any,
    db: dynaflask.Dynamo,
    recorder: recorders.Recorder,
    forwards: Forwards,
    operation: str,
    error: dict[str, t.Any],
) -> None:
    """An error that is no conflict stops the run."""
    usual = answers()

    def answer(request: recorders.Request) -> recorders.Answer:
        return (400, error) if request.operation == operation else usual(request)

    recorder.answer = answer
    with pytest.raises(TableError):
        item_migration(db, fake, forwards).run(Unrecorded(), [None])


def test_the_rate_limits_reads_and_writes(
    fake: t.Any, db: dynaflask.Dynamo, recorder: recorders.Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a page, the next request waits for the seconds that the page's capacity units take at this rate."""
    recorder.answer = answers()
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)
    items = item_migration(db, fake, lambda item: setattr(item, "slug", "s"), rate=10)
    items.run(Unrecorded(), [None])
    assert max(naps) == pytest.approx(3, abs=0.5)
