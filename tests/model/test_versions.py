"""Versions of items: writes that do not check a version still count it."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import VersionAttribute
from pynamodb.exceptions import PutError

import dynaflask
from tests.support import engines


@pytest.fixture(params=["botocore", "direct", "stock"])
def office(
    request: pytest.FixtureRequest, engine: engines.Engine, account: engines.Account, db: dynaflask.Dynamo
) -> t.Iterator[t.Any]:
    """A model with a version, with its table on each engine by each transport, in a context."""

    class Office(db.Model):  # type: ignore[name-defined,misc]
        class Meta:
            table_name = "Office"

        id = UnicodeAttribute(hash_key=True)
        name = UnicodeAttribute(null=True)
        version = VersionAttribute()

    app = flask.Flask("versions")
    app.config.update(engine.settings(account), DYNAMODB_TRANSPORT=request.param)
    db.init_app(app)
    with app.app_context():
        db.create_all(wait=True)
        yield Office


def saved(office: t.Any, *, times: int) -> t.Any:
    """An office whose version is the number of times that it was saved."""
    item = office("1")
    for _ in range(times):
        item.save()
    return item


def test_an_update_by_key_adds_to_the_version(office: t.Any) -> None:
    """Without the version's condition, an object that was not read adds 1 to the version of the item."""
    saved(office, times=2)
    item, actions = office("1"), [office.name.set("new")]
    item.update(actions, add_version_condition=False)
    assert (item.version, office.get("1").version, len(actions)) == (3, 3, 1)
    new = office("2")
    new.update([office.name.set("new")], add_version_condition=False)
    assert new.version == 1


def test_an_update_in_a_transaction_adds_to_the_version(office: t.Any, db: dynaflask.Dynamo) -> None:
    """The update of a transaction counts the version in the same way."""
    stale = saved(office, times=2)
    with db.transact_write() as transaction:
        transaction.update(office("1"), [office.name.set("new")], add_version_condition=False)
    assert office.get("1").version == 3
    with db.transact_write() as transaction:
        transaction.update(stale, [office.name.set("newer")], add_version_condition=False)
    assert office.get("1").version == 4


def test_a_batch_stores_the_next_version(office: t.Any) -> None:
    """A batch counts the version of the item and of the object, so that a stale object is refused later."""
    item, new = saved(office, times=2), office("2")
    stale = office.get("1")
    with office.batch_write() as batch:
        batch.save(item)
        batch.save(new)
    assert [(one.version, office.get(one.id).version) for one in (item, new)] == [(3, 3), (1, 1)]
    with pytest.raises(PutError):
        stale.save()
    item.save()
    assert item.version == 4
