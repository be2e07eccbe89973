"""``to_simple_dict`` without the name of the tenant: the dict of an item has the values that the program sees."""

from __future__ import annotations

import typing as t

import flask
import pytest
from pynamodb.attributes import UnicodeAttribute
from pynamodb.attributes import UnicodeSetAttribute

import dynaflask
from dynaflask import TenantKey
from tests.support import engines


@pytest.fixture
def note(db: dynaflask.Dynamo) -> t.Any:
    """A model whose table all tenants share."""

    class Note(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Note"

        folder = TenantKey(hash_key=True, attr_name="f")
        title = UnicodeAttribute(range_key=True)
        author = TenantKey(null=True)
        tags = UnicodeSetAttribute(null=True)

    return Note


@pytest.fixture(params=["botocore", "direct", "stock"])
def app(
    request: pytest.FixtureRequest,
    ministack: engines.Engine,
    account: engines.Account,
    db: dynaflask.Dynamo,
    note: t.Any,
) -> flask.Flask:
    """An app with two tenants, and the table of all tenants, by each transport."""
    app = flask.Flask("simple")
    app.config.update(ministack.settings(account), DYNAMODB_TRANSPORT=request.param)
    app.config["DYNAMODB_TENANTS"] = {"acme": {}, "globex": {}}
    db.init_app(app)
    with app.app_context():
        db.create_all(wait=True)
    return app


def test_a_tenant_key_is_without_the_tenant(app: flask.Flask, db: dynaflask.Dynamo, note: t.Any) -> None:
    """An item that was read and a new one have the same dict; a key that begins with a tenant's name keeps it."""
    with app.app_context(), db.tenant("acme"):
        note("acme#in", "hello", author="ann").save()
        expected = {"f": "acme#in", "title": "hello", "author": "ann"}
        assert note.get("acme#in", "hello").to_simple_dict() == expected
        assert note("acme#in", "hello", author="ann").to_simple_dict() == expected
        assert note("in", "hello").to_simple_dict() == {"f": "in", "title": "hello"}


def test_a_dict_can_be_read_for_another_tenant(app: flask.Flask, db: dynaflask.Dynamo, note: t.Any) -> None:
    """The dict of one tenant's item makes an item of the current tenant."""
    with app.app_context():
        with db.tenant("acme"):
            item = note("in", "hello", author="ann")
            item.save()
            simple = item.to_simple_dict()
        with db.tenant("globex"):
            copied = note()
            copied.from_simple_dict(simple)
            copied.save()
        with db.without_tenant(reason="see what is stored"):
            stored = sorted((item.folder, item.author) for item in note.scan())
        assert stored == [("acme#in", "acme#ann"), ("globex#in", "globex#ann")]


def test_another_tenants_item_has_no_dict(app: flask.Flask, db: dynaflask.Dynamo, note: t.Any) -> None:
    """The dict of an item is made for its own tenant."""
    with app.app_context():
        with db.tenant("acme"):
            item = note("in", "hello")
        with db.tenant("globex"), pytest.raises(dynaflask.TenantMismatch):
            item.to_simple_dict()


def test_without_a_tenant_it_has_the_stored_key(app: flask.Flask, db: dynaflask.Dynamo, note: t.Any) -> None:
    """In a ``db.without_tenant`` block the dict has the tenant's name, as the item has, in both directions."""
    with app.app_context(), db.without_tenant(reason="test"):
        simple = note("acme#in", "hello").to_simple_dict()
        assert simple == {"f": "acme#in", "title": "hello"}
        copied = note()
        copied.from_simple_dict(simple)
        assert copied.folder == "acme#in"


def test_two_apps_have_their_own_tenants(db: dynaflask.Dynamo, note: t.Any) -> None:
    """A dict of one app's tenant makes an item of the other app's tenant, in each context."""
    simple: dict[str, t.Any] = {}
    for name in ("acme", "globex"):
        app = flask.Flask(name)
        app.config.update(DYNAMODB_REGION="eu-west-1", DYNAMODB_TENANTS={name: {}})
        db.init_app(app)
        with app.app_context(), db.tenant(name):
            item = note("in", "hello")
            if simple:
                item.from_simple_dict(simple)
            simple = item.to_simple_dict()
            assert simple == {"f": "in", "title": "hello"}
            assert item.folder.tenant == name


def test_a_set_needs_force(db: dynaflask.Dynamo) -> None:
    """As in PynamoDB, a set is refused without ``force``; a model without a ``TenantKey`` needs no context."""

    class Plain(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Plain"

        key = UnicodeAttribute(hash_key=True)
        tags = UnicodeSetAttribute(null=True)

    plain = Plain("a", tags={"x"})
    with pytest.raises(ValueError, match="are not supported"):
        plain.to_simple_dict()
    assert plain.to_simple_dict(force=True) == {"key": "a", "tags": ["x"]}
