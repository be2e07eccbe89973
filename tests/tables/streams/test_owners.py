"""``TableOwners``: the tenant and the model of a record. No test makes a call."""

from __future__ import annotations

import time
import typing as t

import flask
import pytest
from pynamodb.attributes import UnicodeAttribute

import dynaflask
from dynaflask.testing.intercept import recorded
from tests.support.settings import KEYS
from tests.support.settings import MakeApp
from tests.support.streams import record_in

LOCAL = {"host": "http://127.0.0.1:1", "region": "us-east-1", **KEYS}


@pytest.fixture
def note(db: dynaflask.Dynamo) -> t.Any:
    """A model without a ``TenantKey``."""

    class Note(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Note"

        id = UnicodeAttribute(hash_key=True)

    return Note


@pytest.fixture
def pooled(db: dynaflask.Dynamo) -> t.Any:
    """A model that all tenants have in one table, unless a tenant has its own."""

    class Pooled(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Pooled"

        id = dynaflask.TenantKey(hash_key=True)

    return Pooled


def owner(app: flask.Flask, db: dynaflask.Dynamo, event: t.Any, **options: t.Any) -> tuple[str | None, str]:
    """Tenant and model of an event's record, read without a tenant."""
    with app.app_context():
        (record,) = db.stream_records(event, **options)
    return record.tenant, record.model.__name__


def test_a_table_of_an_app_without_tenants_belongs_to_none(
    make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any
) -> None:
    """Region and name of the table are those of the model."""
    app = make_app(**LOCAL)
    assert owner(app, db, record_in("Note", id="1")) == (None, "Note")
    for event in (record_in("Note", region="eu-west-1", id="1"), record_in("Other", id="1")):
        with pytest.raises(dynaflask.StreamError, match="is none of the tables of 'app'"):
            owner(app, db, event)


def test_the_region_may_come_from_the_environment(
    make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a Lambda function, which has AWS_REGION."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    app = make_app(**KEYS)
    with recorded(None, connections=1):
        event = record_in("Note", region="eu-west-1", account="000000000000", id="1")
        assert owner(app, db, event) == (None, "Note")
        with pytest.raises(dynaflask.StreamError):
            owner(app, db, record_in("Note", account="000000000000", id="1"))


def test_dynamodb_local_has_one_region(make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any) -> None:
    """Its ARNs name no region of AWS. An app without a host has no tables there."""
    event = record_in("Note", region="ddblocal", account="000000000000", id="1")
    assert owner(make_app(**LOCAL), db, event) == (None, "Note")
    with pytest.raises(dynaflask.StreamError, match="is none of the tables"):
        owner(make_app(**(LOCAL | {"host": None})), db, event)


def test_a_role_names_the_account(make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any) -> None:
    """Two tenants with one table name in two accounts: the account of the stream decides, without a call."""
    tenants = {
        name: {"role_arn": f"arn:aws:iam::{account}:role/app"}
        for name, account in {"acme": "111122223333", "globex": "444455556666"}.items()
    }
    app = make_app(region="us-east-1", tenants=tenants, require_tenant=True)
    assert owner(app, db, record_in("Note", account="111122223333", id="1")) == ("acme", "Note")
    assert owner(app, db, record_in("Note", account="444455556666", id="1")) == ("globex", "Note")
    with pytest.raises(dynaflask.StreamError, match="is none of the tables"):
        owner(app, db, record_in("Note", account="777788889999", id="1"))


def test_a_table_that_may_be_of_two_tenants_is_refused(make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any) -> None:
    """Nothing is guessed: the message asks for the tenant. In a block, the record is that tenant's."""
    app = make_app(**LOCAL, tenants={"acme": {}, "globex": {}}, require_tenant=True)
    event = record_in("Note", id="1")
    with pytest.raises(dynaflask.StreamError, match=r"may belong to 2 tenants .* `with db\.tenant"):
        owner(app, db, event)
    with app.app_context():
        with db.tenant("acme"):
            assert [record.tenant for record in db.stream_records(event)] == ["acme"]
        with db.without_tenant(reason="test"):
            assert [record.tenant for record in db.stream_records(event)] == [None]


def test_a_table_that_may_be_of_a_tenant_or_of_none_is_refused(
    make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any
) -> None:
    """Where no tenant is required, a program may also use the tables without one."""
    app = make_app(**LOCAL, tenants={"acme": {}, "globex": {"table_prefix": "globex-"}})
    with pytest.raises(dynaflask.StreamError, match="may belong to 2 tenants"):
        owner(app, db, record_in("Note", id="1"))
    assert owner(app, db, record_in("globex-Note", id="1")) == ("globex", "Note")


def test_a_block_for_a_tenant_refuses_the_records_of_others(
    make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any, pooled: t.Any
) -> None:
    """A record of another tenant is refused, whether its table or its key names that tenant."""
    app = make_app(**LOCAL, tenants={"acme": {}, "globex": {"table_prefix": "globex-"}})
    with app.app_context(), db.tenant("acme"):
        with pytest.raises(dynaflask.StreamError, match="is none of the tables"):
            list(db.stream_records(record_in("globex-Note", id="1")))
        with pytest.raises(dynaflask.TenantMismatch):
            list(db.stream_records(record_in("Pooled", id="initech#1")))
        assert [record.keys for record in db.stream_records(record_in("Pooled", id="acme#1"))] == [("1",)]


def test_a_key_names_a_tenant_only_in_the_table_of_that_tenant(
    make_app: MakeApp, db: dynaflask.Dynamo, pooled: t.Any
) -> None:
    """An item in the wrong table is not handled for its tenant, and neither is one of an unknown tenant."""
    app = make_app(**LOCAL, tenants={"acme": {}, "globex": {"table_prefix": "globex-"}})
    assert owner(app, db, record_in("Pooled", id="acme#1")) == ("acme", "Pooled")
    assert owner(app, db, record_in("globex-Pooled", id="globex#1")) == ("globex", "Pooled")
    for event in (
        record_in("Pooled", id="globex#1"),
        record_in("globex-Pooled", id="acme#1"),
        record_in("Pooled", id="nosuch#1"),
        record_in("Pooled", id="no-tenant"),
    ):
        with pytest.raises(dynaflask.StreamError, match="is none of the tables"):
            owner(app, db, event)


def test_a_key_of_another_table_may_contain_the_separator(
    make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any, pooled: t.Any
) -> None:
    """A key ``USER#1`` names no tenant where the model has no ``TenantKey``."""
    app = make_app(**LOCAL)
    assert owner(app, db, record_in("Note", id="USER#1")) == (None, "Note")


def test_without_a_tenant_the_key_is_the_stored_one(make_app: MakeApp, db: dynaflask.Dynamo, pooled: t.Any) -> None:
    """In a ``db.without_tenant`` block, a program reads the stored keys of all tenants."""
    app = make_app(**LOCAL)
    with app.app_context(), db.without_tenant(reason="test"):
        (record,) = db.stream_records(record_in("Pooled", id="acme#1"))
        assert (record.tenant, record.keys, record.new.id) == (None, ("acme#1",), "acme#1")
        with record.app_context():
            assert db.current_tenant is None


def test_a_model_without_a_tenant_key_cannot_read_the_records_of_all_tenants(
    make_app: MakeApp, db: dynaflask.Dynamo, pooled: t.Any
) -> None:
    """Also if the call names that model alone, and if the tenant in the key does not exist."""

    class Spy(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Pooled"

        id = UnicodeAttribute(hash_key=True)

    app = make_app(**LOCAL, tenants={"acme": {}})
    with pytest.raises(dynaflask.TenantMismatch):
        owner(app, db, record_in("Pooled", id="acme#1"), models=[Spy])
    for key in ("gone#1", "no-tenant"):
        with pytest.raises(dynaflask.StreamError, match="is none of the tables"):
            owner(app, db, record_in("Pooled", id=key), models=[Spy])


def test_a_model_of_no_tenant_keeps_its_records_from_tenants(make_app: MakeApp, db: dynaflask.Dynamo) -> None:
    """``Meta.tenant = False``: the table has one owner, none, however many tenants there are."""

    class Plan(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Plan"
            tenant = False

        id = UnicodeAttribute(hash_key=True)

    app = make_app(**LOCAL, tenants={"acme": {}, "globex": {}}, require_tenant=True)
    assert owner(app, db, record_in("Plan", id="1")) == (None, "Plan")


def test_tenants_without_a_list_need_one(make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any, pooled: t.Any) -> None:
    """Only a list tells that no other tenant has the table. A ``TenantKey`` needs none."""
    db.tenant_settings(lambda name: {"table_prefix": f"{name}-"})
    app = make_app(**LOCAL)
    with pytest.raises(dynaflask.ConfigurationError, match="tenant_lister"):
        owner(app, db, record_in("acme-Note", id="1"))
    assert owner(app, db, record_in("acme-Pooled", id="acme#1")) == ("acme", "Pooled")
    db.tenant_lister(lambda: ["acme", "globex"])
    assert owner(app, db, record_in("acme-Note", id="1")) == ("acme", "Note")


def test_the_tables_of_all_tenants_are_cached(
    make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tenants are listed once in the time of a tenant's cache, and again for a table that none of them has."""
    names, calls = ["acme"], []
    db.tenant_settings(lambda name: {"table_prefix": f"{name}-"})
    db.tenant_lister(lambda: calls.append(None) or names)  # type: ignore[func-returns-value]
    app = make_app(**LOCAL, require_tenant=True, tenant_ttl_seconds=60)
    for _ in range(2):
        assert owner(app, db, record_in("acme-Note", id="1")) == ("acme", "Note")
    assert len(calls) == 1
    names.append("globex")
    assert owner(app, db, record_in("globex-Note", id="1")) == ("globex", "Note")
    assert len(calls) == 2
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    assert owner(app, db, record_in("acme-Note", id="1")) == ("acme", "Note")
    assert len(calls) == 3


def test_the_cache_gives_no_table_to_a_former_owner(make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any) -> None:
    """A tenant's settings of the moment decide if it has the table."""
    prefixes = {"acme": "a-", "globex": "g-"}
    db.tenant_settings(lambda name: {"table_prefix": prefixes[name]})
    db.tenant_lister(lambda: prefixes)
    app = make_app(**LOCAL, require_tenant=True)
    assert owner(app, db, record_in("a-Note", id="1")) == ("acme", "Note")
    prefixes["acme"] = "moved-"
    app.extensions["dynamo"].tenants.forget("acme")
    with pytest.raises(dynaflask.StreamError, match="is none of the tables"):
        owner(app, db, record_in("a-Note", id="1"))


def test_two_apps_have_caches_of_their_own(make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any) -> None:
    """The same table name belongs to another tenant in each app."""
    apps = {name: make_app(name, **LOCAL, tenants={name: {}}, require_tenant=True) for name in ("acme", "globex")}
    for _ in range(2):
        for name, app in apps.items():
            assert owner(app, db, record_in("Note", id="1")) == (name, "Note")


def test_a_tenant_that_is_listed_and_unknown_is_left_out(make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any) -> None:
    """Such as one that was deleted a moment ago."""
    db.tenant_settings(lambda name: {"table_prefix": "acme-"} if name == "acme" else None)
    db.tenant_lister(lambda: ["gone", "acme"])
    assert owner(make_app(**LOCAL), db, record_in("acme-Note", id="1")) == ("acme", "Note")


def test_several_models_of_one_table_need_a_choice(make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any) -> None:
    """The message names them, and ``models`` chooses one."""

    class Other(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Note"

        id = UnicodeAttribute(hash_key=True)

    app = make_app(**LOCAL)
    event = record_in("Note", id="1")
    with pytest.raises(dynaflask.StreamError, match=r"Note, .*Other, and a record needs one model"):
        owner(app, db, event)
    assert owner(app, db, event, models=[Other]) == (None, "Other")
    with pytest.raises(dynaflask.StreamError, match="no model, and a record needs one"):
        owner(app, db, event, models=[])


def test_an_app_reads_records_only_as_its_own_models(make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any) -> None:
    """Of two apps with one table name, the one that was not given the model refuses the record."""
    event = record_in("Note", id="1")
    one, two = make_app("one", **LOCAL), make_app("two", **LOCAL, allowed_models=[])
    assert owner(one, db, event) == (None, "Note")
    with pytest.raises(dynaflask.StreamError, match="is none of the tables of 'two'"):
        owner(two, db, event)


def test_a_model_that_the_app_cannot_resolve_is_on_no_table(
    make_app: MakeApp, db: dynaflask.Dynamo, note: t.Any
) -> None:
    """A model whose bind the app lacks does not keep the others from being found."""

    class Elsewhere(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Note"
            bind_key = "missing"

        id = UnicodeAttribute(hash_key=True)

    assert owner(make_app(**LOCAL), db, record_in("Note", id="1")) == (None, "Note")
