"""Which migrations are applied to a table."""

from __future__ import annotations

import pytest
from pynamodb.exceptions import TableError

import dynaflask
from dynaflask.tables.migrations.history import History
from dynaflask.tables.migrations.lease import acquire
from tests.support import engines
from tests.support import migrations
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

NAME = "0001_test"


@pytest.mark.usefixtures("app")
def test_each_target_and_tenant_has_a_record_of_its_own(db: dynaflask.Dynamo) -> None:
    """A migration of one table or tenant says nothing of another one, nor of one whose name begins the same."""
    histories = [
        History(db.connection, target=target, tenant=tenant)
        for target in ("A", "B")
        for tenant in ("acme", "globex", None)
    ]
    assert [history.read(NAME) for history in histories] == [None] * 6
    histories[0].create()
    acquire(histories[0], NAME, seconds=600, segments=1)
    acquire(histories[1], f"{NAME}_other", seconds=600, segments=1)
    assert [history.read(NAME) is not None for history in histories] == [True, *[False] * 5]
    assert histories[2].tenants_of(NAME) == ["acme"]
    assert histories[5].tenants_of(NAME) == []
    assert histories[0].read_without_tenant(NAME) is None
    acquire(histories[2], NAME, seconds=600, segments=1)
    assert histories[1].read_without_tenant(NAME) == histories[2].read(NAME)


@pytest.mark.usefixtures("app")
def test_before_the_first_run_there_is_no_table(db: dynaflask.Dynamo, account: engines.Account) -> None:
    """A read does not create the table; ``create`` may be repeated."""
    history = History.of_app(db.registry)
    assert (history.read(NAME), history.tenants_of(NAME)) == (None, [])
    assert migrations.table_names(db, account) == []
    for _ in range(2):
        history.create()
    assert migrations.table_names(db, account) == [f"{account.table_prefix}dynaflask_migrations"]


def test_an_error_of_dynamodb_is_raised(make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo) -> None:
    """A refused call is neither a missing table nor a lost lease."""
    recorder.answer = lambda request: (400, {"__type": "x#AccessDeniedException", "message": "No"})
    with make_app(host=recorder.url, region="us-east-1", **KEYS).app_context():
        history = History.of_app(db.registry)
        with pytest.raises(TableError, match="GetItem failed .* No"):
            history.read(NAME)
        with pytest.raises(TableError, match="UpdateItem failed .* No"):
            acquire(history, NAME, seconds=600, segments=1)


def test_two_apps_have_two_histories(make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo) -> None:
    """A migration without a model belongs to one app, also if both apps use the same table of the history."""
    apps = [make_app(name, host=recorder.url, region="us-east-1", **KEYS) for name in ("blog", "shop")]
    for app in apps:
        with app.app_context():
            assert History.of_app(db.registry).target == f"app:{app.name}"
