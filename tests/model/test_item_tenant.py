"""The tenant of an object: what was read or saved for one tenant does not reach another tenant's table."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import copy
import typing as t

import flask
import pytest
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import TransactWriteError
from pynamodb.models import BatchWrite
from pynamodb.transactions import TransactWrite

import dynaflask
from dynaflask import TenantMismatch
from dynaflask.model.codec import responses
from dynaflask.operations.requests import requests_by_table
from tests.support import recorder as recorders
from tests.support.accelerators import remove_msgspec
from tests.support.measuring import TRANSPORTS
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

TENANTS: dict[str, t.Any] = {
    "acme": {"table_prefix": "acme-"},
    "globex": {"table_prefix": "globex-"},
    "hooli": {"region": "eu-west-1"},
    "plain": {},
    "plain too": {},
}
FORUM = {"forum_name": {"S": "forum"}, "subject": {"S": "subject"}}
LONG = {"S": "x" * 300_000}


def answer(request: recorders.Request) -> recorders.Answer | None:
    """A page of two items; the second is long enough for a page that is decoded item by item."""
    if request.operation in {"Query", "Scan"}:
        return {"Items": [FORUM, {**FORUM, "text": LONG}], "Count": 2, "ScannedCount": 2}
    return recorders.plain_answer(request)


@pytest.fixture(params=[*TRANSPORTS, "direct without msgspec"])
def app(
    request: pytest.FixtureRequest,
    make_app: MakeApp,
    recorder: recorders.Recorder,
    monkeypatch: pytest.MonkeyPatch,
) -> t.Iterator[flask.Flask]:
    """An app with five tenants, by each transport, whose context is pushed. Its pages are decoded to objects."""
    transport, _, rest = request.param.partition(" ")
    monkeypatch.setattr(responses, "MIN_BYTES", 0)
    if rest:
        remove_msgspec(monkeypatch)
    recorder.answer = t.cast("t.Any", answer)
    settings = {"host": recorder.url, "region": "us-east-1", "tenants": TENANTS, "transport": transport, **KEYS}
    with make_app(**settings).app_context() as context:
        context.app.config["SECRET_KEY"] = "hush"
        yield context.app


def table(request: recorders.Request) -> str | None:
    """The table that a request names."""
    tables = [*requests_by_table(request.body)]
    return tables[0] if len(tables) == 1 else None


def transaction_get(db: dynaflask.Dynamo, thread: t.Any) -> t.Any:
    """An object of a transaction."""
    with db.transact_get() as transaction:
        future = transaction.get(thread, "forum", "subject")
    return future.get()


def saved(item: t.Any) -> t.Any:
    """The object, after it was saved."""
    item.save()
    return item


def saved_in_batch(thread: t.Any) -> t.Any:
    """An object that a batch saved."""
    item = thread("forum", "subject")
    with thread.batch_write() as batch:
        batch.save(item)
    return item


def saved_in_transaction(db: dynaflask.Dynamo, thread: t.Any) -> t.Any:
    """An object that a transaction saved."""
    item = thread("forum", "subject")
    with db.transact_write() as transaction:
        transaction.save(item)
    return item


def refreshed(item: t.Any) -> t.Any:
    """The object, after it was read again."""
    item.refresh()
    return item


def updated(item: t.Any) -> t.Any:
    """The object, after it was updated."""
    item.update(actions=[type(item).views.set(1)])
    return item


def saved_by(writer: t.Any, item: t.Any) -> t.Any:
    """The object, after a batch or a transaction saved it."""
    with writer:
        writer.save(item)
    return item


def updated_by(transaction: t.Any, item: t.Any) -> t.Any:
    """The object, after a transaction updated it."""
    with transaction:
        transaction.update(item, [type(item).views.set(1)])
    return item


def eager(thread: t.Any) -> t.Any:
    """A model of the same table that overrides a step of each write."""

    class Eager(thread):  # type: ignore[misc]
        def serialize(self, null_check: bool = True) -> t.Any:
            return super().serialize(null_check=null_check)

    return Eager


#: How a program gets an object of a tenant.
SOURCES: dict[str, cabc.Callable[[t.Any, t.Any], t.Any]] = {
    "get": lambda db, thread: thread.get("forum", "subject"),
    "query": lambda db, thread: list(thread.query("forum"))[1],
    "scan": lambda db, thread: next(thread.scan()),
    "index": lambda db, thread: next(thread.view_index.query(1)),
    "page": lambda db, thread: db.paginate(thread.query, "forum", per_page=1).items[0],
    "batch_get": lambda db, thread: next(thread.batch_get([("forum", "subject")])),
    "transaction": transaction_get,
    "raw": lambda db, thread: (thread.get("forum", "subject"), thread.from_raw_data(FORUM))[1],
    "save": lambda db, thread: saved(thread("forum", "subject")),
    "batch_write": lambda db, thread: saved_in_batch(thread),
    "PynamoDB's batch": lambda db, thread: saved_by(BatchWrite(thread), thread("forum", "subject")),
    "PynamoDB's batch of a subclass": lambda db, thread: saved_by(BatchWrite(thread), eager(thread)("forum", "s")),
    "transact_write": saved_in_transaction,
    "PynamoDB's transaction": lambda db, thread: saved_by(
        TransactWrite(connection=db.connection), thread("forum", "subject")
    ),
    "transact_write update": lambda db, thread: updated_by(db.transact_write(), thread("forum", "subject")),
    "PynamoDB's transaction update": lambda db, thread: updated_by(
        TransactWrite(connection=db.connection), thread("forum", "subject")
    ),
    "refresh": lambda db, thread: refreshed(thread("forum", "subject")),
    "update": lambda db, thread: updated(thread("forum", "subject")),
    "copy": lambda db, thread: copy.copy(thread.get("forum", "subject")),
    "deepcopy": lambda db, thread: copy.deepcopy(thread.get("forum", "subject")),
}


def in_batch(batch: t.Any, method: str, item: t.Any) -> None:
    """Send one operation on an object in a batch."""
    with batch:
        getattr(batch, method)(item)


def in_transaction(transaction: t.Any, method: str, item: t.Any, *args: t.Any) -> None:
    """Send one operation on an object in a transaction."""
    with transaction:
        getattr(transaction, method)(item, *args)


#: What a program does with an object.
USES: dict[str, cabc.Callable[[t.Any, t.Any], t.Any]] = {
    "save": lambda db, item: item.save(),
    "update": lambda db, item: item.update(actions=[type(item).views.set(1)]),
    "delete": lambda db, item: item.delete(),
    "refresh": lambda db, item: item.refresh(),
    "batch save": lambda db, item: in_batch(type(item).batch_write(), "save", item),
    "batch delete": lambda db, item: in_batch(type(item).batch_write(), "delete", item),
    "PynamoDB's batch save": lambda db, item: in_batch(BatchWrite(type(item)), "save", item),
    "PynamoDB's batch delete": lambda db, item: in_batch(BatchWrite(type(item)), "delete", item),
    "transaction save": lambda db, item: in_transaction(db.transact_write(), "save", item),
    "transaction delete": lambda db, item: in_transaction(db.transact_write(), "delete", item),
    "transaction update": lambda db, item: in_transaction(
        db.transact_write(), "update", item, [type(item).views.set(1)]
    ),
    "PynamoDB's transaction": lambda db, item: in_transaction(TransactWrite(connection=db.connection), "save", item),
}


@pytest.mark.usefixtures("app")
class TestObjects:
    """An object of one tenant does not reach another tenant's table."""

    @pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
    def test_any_object_has_its_tenant(
        self, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder, source: t.Any
    ) -> None:
        """However an object was read or saved for one tenant, it is not saved for another."""
        with db.tenant("acme"):
            # botocore makes the first call of each operation.
            source(db, thread_model)
            item = source(db, thread_model)
        sent = len(recorder.requests)
        with db.tenant("globex"), pytest.raises(TenantMismatch, match="was .* for another tenant than 'globex'"):
            item.save()
        assert len(recorder.requests) == sent
        with db.tenant("acme"):
            item.save()
        assert table(recorder.requests[-1]) == "acme-Thread"

    @pytest.mark.parametrize("use", USES.values(), ids=USES.keys())
    def test_any_use_is_refused(
        self, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder, use: t.Any
    ) -> None:
        """No operation on an object reaches another table or region, nor that of no tenant. The error hides it."""
        for name in ("globex", "hooli", "plain", None):
            with db.tenant("acme"):
                item = thread_model.get("forum", "subject")
                use(db, item)
            recorder.requests.clear()
            with db.tenant(name) if name else flask.current_app.app_context():
                with pytest.raises(TenantMismatch, match=r"Thread\(\*\*item.attribute_values\)") as caught:
                    use(db, item)
            assert "acme" not in str(caught.value), name
            assert recorder.requests == [], name

    @pytest.mark.parametrize(
        "read",
        [
            pytest.param(lambda thread: thread.query("forum"), id="query"),
            pytest.param(lambda thread: thread.scan(), id="scan"),
            pytest.param(lambda thread: thread.batch_get([("forum", "subject")]), id="batch_get"),
        ],
    )
    def test_results_belong_to_the_tenant_of_the_query(
        self, db: dynaflask.Dynamo, thread_model: t.Any, read: t.Any
    ) -> None:
        """Results that are consumed in another tenant's block are objects of the first tenant."""
        with db.tenant("acme"):
            next(iter(read(thread_model)))
            results = iter(read(thread_model))
        with db.tenant("globex"):
            item = next(results)
            with pytest.raises(TenantMismatch):
                item.save()
        with db.tenant("acme"):
            item.save()

    def test_a_transaction_ends_in_its_models_block(
        self, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """What a transaction reads belongs to the tenant that its models were added for."""
        with db.tenant("globex"):
            transaction = db.transact_get()
            with db.tenant("acme"):
                future = transaction.get(thread_model, "forum", "subject")
            with transaction:
                pass
            assert table(recorder.requests[-1]) == "acme-Thread"
            with pytest.raises(TenantMismatch):
                future.get().save()

    @pytest.mark.parametrize(
        "add",
        [
            pytest.param(lambda transaction, item: transaction.save(item), id="save"),
            pytest.param(lambda transaction, item: transaction.update(item, [type(item).views.set(1)]), id="update"),
        ],
    )
    def test_a_transaction_that_fails_may_have_written_its_objects(
        self, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder, add: t.Any
    ) -> None:
        """An object that a transaction was to write is its tenant's, whatever the response says."""
        recorder.answer = lambda request: (400, {"__type": "ValidationException", "message": "no"})
        item = thread_model("forum", "subject")
        with db.tenant("acme"), pytest.raises(TransactWriteError), db.transact_write() as transaction:
            add(transaction, item)
        assert recorder.requests
        with db.tenant("globex"), pytest.raises(TenantMismatch):
            item.save()

    def test_an_object_is_copied_by_its_values(
        self, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """A new object of the values belongs to no tenant until it is saved."""
        with db.tenant("acme"):
            item = thread_model.get("forum", "subject")
        with db.tenant("globex"):
            thread_model(**item.attribute_values).save()
        assert table(recorder.requests[-1]) == "globex-Thread"

    def test_without_a_tenant_any_object_is_used(
        self, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """A ``db.without_tenant`` block sends an object to the table of the block."""
        with db.tenant("acme"):
            item = thread_model.get("forum", "subject")
        with db.without_tenant(reason="archive"):
            item.save()
        assert table(recorder.requests[-1]) == "Thread"
        with db.tenant("acme"):
            item.save()

    def test_tenants_may_share_a_table(self, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """An object may be used for a tenant that has the same table in the same place."""
        with db.tenant("plain"):
            item = thread_model.get("forum", "subject")
        with db.tenant("plain too"):
            item.save()
            item.refresh()

    def test_the_objects_tenant_may_be_gone(self, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """An object of a tenant that the app no longer has is refused: its table is not known."""
        with db.tenant("plain"):
            item = thread_model.get("forum", "subject")
        vars(item)["_dynamo_tenant"] = "gone"
        with db.tenant("plain too"), pytest.raises(TenantMismatch):
            item.save()


def test_a_computed_table_is_never_the_same(
    make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
) -> None:
    """The name of a table that is computed may depend on the tenant, so that the object is refused."""
    app = make_app(
        host=recorder.url, region="us-east-1", table_prefix=lambda name: f"{db.registry.scope.tenant}-{name}", **KEYS
    )
    with app.app_context():
        with db.tenant("acme"):
            item = thread_model.get("forum", "subject")
            item.save()
        with db.tenant("globex"), pytest.raises(TenantMismatch):
            item.save()
    assert [table(request) for request in recorder.requests] == ["acme-Thread", "acme-Thread"]


@pytest.mark.parametrize("tenant", ["acme", None])
def test_an_object_is_serialized_outside_of_contexts(
    make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any, tenant: str | None
) -> None:
    """Outside of contexts nothing can be sent, and an object can be serialized."""
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        with db.tenant(tenant) if tenant else contextlib.nullcontext():
            item = thread_model.get("forum", "subject")
    item.deserialize(FORUM)
    assert item.serialize() == {**FORUM, "views": {"N": "0"}}


def test_without_tenants_nothing_is_remembered(
    make_app: MakeApp, recorder: recorders.Recorder, thread_model: t.Any
) -> None:
    """In an app without tenants, an object belongs to no app: it may be saved in another."""
    with make_app("one", host=recorder.url, region="us-east-1", **KEYS).app_context():
        item = thread_model.get("forum", "subject")
        item.save()
    with make_app("two", host=recorder.url, region="eu-west-1", **KEYS).app_context():
        item.save()
    assert "_dynamo_tenant" not in vars(item)
    assert recorder.requests[-1].region == "eu-west-1"


def test_a_batch_of_pynamodb_looks_up_the_tenant_for_its_objects(
    make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, recorder: recorders.Recorder
) -> None:
    """Its commit may be the first use in a context. A model that belongs to no tenant calls no loader."""
    names: list[str] = []
    db.tenant_loader(lambda: names[-1])

    class Plan(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Plan"
            tenant = False

        name = UnicodeAttribute(hash_key=True)

    settings: t.Any = {"host": recorder.url, "region": "us-east-1", "tenants": TENANTS, **KEYS}
    for app in (make_app("one", **settings), make_app("other", **settings)):
        with app.app_context():
            saved_by(BatchWrite(Plan), Plan("plan"))
        names.append("acme")
        with app.app_context():
            item = saved_by(BatchWrite(thread_model), thread_model("forum", "subject"))
        names.append("globex")
        with app.app_context(), pytest.raises(TenantMismatch):
            item.save()
        names.clear()
    assert [table(request) for request in recorder.requests] == ["Plan", "acme-Thread"] * 2


def test_without_an_app_a_batch_of_pynamodb_has_no_tenant(thread_model: t.Any) -> None:
    """Outside of a context it raises the error of any other use."""
    with pytest.raises(RuntimeError, match="Working outside of application context"):
        saved_by(BatchWrite(thread_model), thread_model("forum", "subject"))
