"""``TenantMethodsMixin``: the current tenant, blocks for a tenant and for none, and tenants in other threads."""

from __future__ import annotations

import asyncio
import collections.abc as cabc
import concurrent.futures
import contextlib
import functools
import logging
import threading
import time
import typing as t

import botocore.session
import flask
import pytest

import dynaflask
from dynaflask import ConfigurationError
from dynaflask import TenantMismatch
from dynaflask import TenantRequired
from dynaflask import UnknownTenant
from dynaflask.tables.table import find_tables
from tests.support import models
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp
from tests.support.tenants import TENANTS
from tests.support.tenants import as_tenant
from tests.support.tenants import load_by_header
from tests.support.tenants import make_app_of_tenants


@pytest.fixture
def app(make_app: MakeApp, recorder: recorders.Recorder) -> flask.Flask:
    """An app with three tenants that sends to the recorder."""
    return make_app_of_tenants(make_app, recorder.url)


@pytest.fixture
def loaded(db: dynaflask.Dynamo) -> list[str]:
    """The calls of a loader that reads a header."""
    return load_by_header(db)


class TestBlock:
    """``db.tenant``: a block for a tenant that the program names."""

    def test_it_acts_for_the_tenant_until_it_ends(
        self, app: flask.Flask, db: dynaflask.Dynamo, loaded: list[str], thread_model: t.Any
    ) -> None:
        """The innermost block decides the tenant until it ends."""
        with as_tenant(app, "globex"):
            with db.tenant("acme"):
                assert (db.current_tenant, thread_model.Meta.table_name) == ("acme", "acme-Thread")
                with db.tenant("plain"):
                    assert (db.current_tenant, thread_model.Meta.table_name) == ("plain", "Thread")
                assert db.current_tenant == "acme"
            assert (db.current_tenant, thread_model.Meta.region) == ("globex", "eu-west-1")

    def test_it_does_not_call_the_loader(self, app: flask.Flask, db: dynaflask.Dynamo, loaded: list[str]) -> None:
        """A block for a tenant does not call the loader."""
        with app.app_context(), db.tenant("acme"):
            assert (db.current_tenant, loaded) == ("acme", [])

    def test_it_is_a_decorator(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """The block decorates functions and coroutine functions."""

        @db.tenant("acme")
        def find() -> str | None:
            return db.current_tenant

        @db.tenant("globex")
        async def find_later() -> str | None:
            await asyncio.sleep(0)
            return db.current_tenant

        with app.app_context():
            assert (find(), asyncio.run(find_later()), db.current_tenant) == ("acme", "globex", None)

    def test_what_returns_a_coroutine_is_refused(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """A function that returns a coroutine is refused, because that would run after the block."""

        async def find(name: str) -> str | None:
            return f"{name} for {db.current_tenant}"

        with app.app_context(), pytest.raises(TypeError, match="put the block around the `async def` itself"):
            db.tenant("acme")(lambda: find("name"))()

    @pytest.mark.parametrize("decorator", [flask.stream_with_context, functools.partial])
    def test_what_returns_a_generator_is_refused(
        self, app: flask.Flask, db: dynaflask.Dynamo, decorator: t.Any
    ) -> None:
        """A function that returns a generator is refused, because that would run after the block."""

        def view() -> t.Iterator[str | None]:
            yield db.current_tenant

        wrapped = decorator(view)
        with app.test_request_context():
            for enter in (db.tenant("acme"), db.copy_current_tenant):
                with pytest.raises(TypeError, match="runs (later|after its call)"):
                    enter(wrapped)()

    def test_threads_may_share_it(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """Threads may share one block object: each leaves the block that it entered itself."""
        block, entered, left = db.tenant("acme"), threading.Event(), threading.Event()

        def work() -> str | None:
            with app.app_context():
                with block:
                    entered.set()
                    left.wait(30)
                return db.current_tenant

        with app.app_context(), concurrent.futures.ThreadPoolExecutor(1) as threads:
            with block:
                working = threads.submit(work)
                entered.wait(30)
            here = db.current_tenant
            left.set()
            assert (here, working.result(30)) == (None, None)

    def test_it_starts_from_the_tenants_settings(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """What was set for one tenant has no effect in the block of another."""
        with app.app_context(), db.tenant("globex"):
            thread_model.Meta.table_name = "globex-special"
            with db.using(table_prefix="blue-"), db.tenant("plain"):
                assert thread_model.Meta.table_name == "Thread"
            assert thread_model.Meta.table_name == "globex-special"

    def test_what_is_set_in_it_ends_with_it(self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """A change of Meta in a block has no effect in a later block for the same tenant."""
        with app.app_context():
            for _ in range(2):
                with db.tenant("globex"):
                    assert thread_model.Meta.table_name == "Thread"
                    thread_model.Meta.table_name = "once"
                    assert thread_model._get_connection().table_name == "once"

    def test_a_context_may_act_for_many_tenants(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """One context may enter hundreds of tenants in turn, and each has its own table."""
        app.extensions["dynamo"].close()
        db.tenant_settings(lambda name: {"table_prefix": f"{name}-"})
        with app.app_context():
            for name in [f"t{number}" for number in range(250)] * 2:
                with db.tenant(name):
                    assert thread_model._get_connection().table_name == f"{name}-Thread"

    @pytest.mark.parametrize("name", [None, 7, b"acme"])
    def test_what_is_no_name_is_refused(self, db: dynaflask.Dynamo, name: t.Any) -> None:
        """db.tenant takes a string; for no tenant there is db.without_tenant."""
        with pytest.raises(TypeError, match=r"db.tenant takes the name"):
            db.tenant(name)

    def test_a_client_factory_sees_neither_tenant_nor_request(
        self, make_app: MakeApp, recorder: recorders.Recorder, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """A client serves all tenants with the same settings: one for the current tenant would sign for the others."""

        def make_client(bind: dynaflask.Bind) -> t.Any:
            seen = [flask.current_app.name, db.current_tenant, bool(flask.request), bind.table_prefix]
            options = {"region_name": bind.region, "endpoint_url": bind.host, "aws_secret_access_key": "hush"}
            session = botocore.session.Session()
            return session.create_client("dynamodb", aws_access_key_id=".".join(map(str, seen)), **options)

        settings = {"host": recorder.url, "region": "us-east-1", "client_factory": make_client}
        tenants = {"north": {}, "south": {}, "acme": {"table_prefix": "acme-"}}
        for name in ("app", "other"):
            app = make_app(name, tenants=tenants, **settings)
            for tenant in tenants:
                with app.test_request_context(), db.tenant(tenant):
                    thread_model("forum", "subject").save()
                    assert db.current_tenant == tenant
        keys = [request.access_key_id for request in recorder.requests]
        ends = ["None.False.None", "None.False.None", "None.False.acme-"]
        assert keys == [f"{name}.{end}" for name in ("app", "other") for end in ends]

    def test_it_needs_a_context(self, db: dynaflask.Dynamo) -> None:
        """A block for a tenant needs an app context."""
        with pytest.raises(RuntimeError, match=r"outside of application context.\n\ndb.tenant needs"):
            with db.tenant("acme"):
                pass


class TestMismatch:
    """Code cannot override a tenant's settings. If it tries, it gets ``TenantMismatch``."""

    @pytest.mark.parametrize(
        ("tenant", "bind_key", "settings", "named"),
        [
            ("acme", None, {"table_prefix": "blue-"}, "table_prefix"),
            ("globex", None, {"region": "us-west-2"}, "region"),
            ("globex", None, {"host": "http://elsewhere:1"}, "host"),
            ("globex", "archive", {}, "bind_key"),
            ("globex", None, {"client_factory": min}, "client_factory"),
        ],
    )
    def test_a_block_that_contradicts_the_tenant_is_refused(
        self,
        app: flask.Flask,
        db: dynaflask.Dynamo,
        thread_model: t.Any,
        *,
        tenant: str,
        bind_key: str | None,
        settings: dict[str, t.Any],
        named: str,
    ) -> None:
        """A block that contradicts the tenant is refused at the first use, before anything is sent."""
        with app.app_context(), db.tenant(tenant), db.using(bind_key, **settings):
            with pytest.raises(TenantMismatch, match=f"sets '{named}', which the tenant '{tenant}' decides"):
                thread_model.count("forum")

    def test_a_factory_may_choose_the_credentials(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """A tenant with credentials refuses another client factory, and one with a factory refuses both."""
        app = make_app(tenants={"keys": KEYS, "factory": {"client_factory": min}})
        with app.app_context(), db.using(client_factory=max):
            assert db.connection.bind.client_factory is max
        refused: list[tuple[str, dict[str, t.Any]]] = [
            ("keys", {"client_factory": max}),
            ("factory", {"client_factory": max}),
            ("factory", KEYS),
        ]
        for tenant, settings in refused:
            with app.app_context(), db.tenant(tenant), db.using(**settings), pytest.raises(TenantMismatch):
                _ = db.connection

    def test_a_table_name_is_refused_where_the_tenant_has_a_prefix(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """A table name without the prefix would be one table for all tenants, and is refused."""
        with app.app_context(), db.tenant("acme"):
            thread_model.Meta.table_name = "Shared"
            with pytest.raises(TenantMismatch, match="sets 'table_name'"):
                thread_model.count("forum")

    def test_a_change_before_the_first_use_is_refused_too(
        self, app: flask.Flask, loaded: list[str], thread_model: t.Any
    ) -> None:
        """A change of Meta before the loader was called is checked, too."""
        with as_tenant(app, "acme"):
            thread_model.Meta.table_name = "Shared"
            with pytest.raises(TenantMismatch, match="sets 'table_name'"):
                thread_model.count("forum")

    def test_the_tenants_own_value_may_be_repeated(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """Code may set the value that the tenant has."""
        with app.app_context(), db.tenant("globex"), db.using(region="eu-west-1"):
            assert thread_model.Meta.region == "eu-west-1"

    def test_settings_that_the_tenant_lacks_can_be_set(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """A timeout, and the table name if the tenant has only a region, can be set."""
        with app.app_context(), db.tenant("globex"), db.using(read_timeout_seconds=5):
            thread_model.Meta.table_name = "Topic"
            meta = thread_model.Meta
            assert (meta.read_timeout_seconds, meta.table_name, meta.region) == (5, "Topic", "eu-west-1")

    def test_a_bind_does_not_override_the_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """The tenant's table prefix stays inside a block on a bind with another prefix."""
        with app.app_context(), db.tenant("acme"), db.using("archive"):
            assert (thread_model.Meta.region, thread_model.Meta.table_name) == ("us-west-1", "acme-Thread")

    def test_the_models_settings_do_not_override_the_tenant(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """The tenant wins over the model's Meta and over DYNAMODB_MODELS."""

        class Note(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Note"
                region = "ap-south-1"

            id = dynaflask.TenantKey(hash_key=True)

        app = make_app(tenants={"t": {"region": "eu-west-1"}}, models={"Note": {"region": "sa-east-1"}})
        with app.app_context(), db.tenant("t"):
            assert Note.Meta.region == "eu-west-1"

    def test_the_tenants_bind_is_decided_with_its_settings(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """The settings of the tenant's bind are the tenant's, and cannot be overridden."""
        app = make_app(binds={"eu": {"region": "eu-west-1"}}, tenants={"t": {"bind_key": "eu"}}, region="us-east-1")
        with app.app_context(), db.tenant("t"):
            assert (db.connection.bind.key, thread_model.Meta.region) == ("eu", "eu-west-1")
            with db.using(region="us-west-2"), pytest.raises(TenantMismatch, match="'region'"):
                _ = db.connection

    def test_another_bind_is_refused(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """Of the binds, only the tenant's own gives a connection or a client."""
        app = make_app(binds={"eu": {}, "us": {}}, tenants={"t": {"bind_key": "eu"}}, region="us-east-1")
        with app.app_context(), db.tenant("t"):
            assert db.get_connection("eu").bind.key == "eu"
            for ask in (db.get_connection, db.get_client):
                with pytest.raises(TenantMismatch, match="'bind_key'"):
                    ask("us")

    def test_the_value_of_a_secret_is_not_in_the_message(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """Credentials are one group, and the error names the setting without a value."""
        app = make_app(region="us-east-1", tenants={"t": KEYS})
        with app.app_context(), db.tenant("t"), db.using(profile="secret-one"):
            with pytest.raises(TenantMismatch, match="sets 'profile'") as caught:
                _ = db.connection
        assert "hush" not in str(caught.value)
        assert "secret-one" not in str(caught.value)


class TestWithoutTenant:
    """``db.without_tenant``: a block for no tenant, in an app that needs one."""

    @pytest.fixture
    def strict(self, make_app: MakeApp, recorder: recorders.Recorder) -> flask.Flask:
        """An app that needs a tenant."""
        return make_app("strict", host=recorder.url, region="us-east-1", require_tenant=True, tenants=TENANTS, **KEYS)

    def test_without_tenant_is_logged(
        self,
        strict: flask.Flask,
        db: dynaflask.Dynamo,
        thread_model: t.Any,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Each without_tenant block is logged with the app and the reason."""
        with strict.app_context(), db.without_tenant(reason="migration 7"):
            assert (thread_model.count("forum"), db.current_tenant) == (0, None)
        assert [(record.name, record.levelno) for record in caplog.records] == [("dynaflask.tenants", logging.WARNING)]
        assert "'strict'" in caplog.text
        assert "'migration 7'" in caplog.text

    def test_without_tenant_ends_with_its_block(
        self, strict: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """After a without_tenant block a tenant is required again, also in copied functions."""
        carried = None
        with strict.app_context():
            with db.without_tenant(reason="migration"):
                thread_model.count("forum")
            with pytest.raises(TenantRequired):
                thread_model.count("forum")
            carried = db.copy_current_tenant(lambda: thread_model.count("forum"))
        with pytest.raises(TenantRequired):
            carried()

    def test_the_block_around_a_look_up_is_logged_as_information(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The without_tenant block that a look-up of tenants needs is no warning: each tenant enters it."""

        @db.tenant_settings
        def look_up(name: str) -> dict[str, t.Any]:
            with db.without_tenant(reason="tenants"):
                return {"table_prefix": f"{thread_model.Meta.table_name}-{name}-"}

        with make_app("strict", require_tenant=True, region="eu-west-1").app_context(), caplog.at_level(logging.INFO):
            with db.tenant("acme"):
                assert thread_model.Meta.table_name == "Thread-acme-Thread"
        assert [(record.levelno, record.name) for record in caplog.records] == [(logging.INFO, "dynaflask.tenants")]

    @pytest.mark.parametrize("reason", ["", " ", None, 7])
    def test_without_tenant_takes_a_reason(self, db: dynaflask.Dynamo, reason: t.Any) -> None:
        """without_tenant takes a reason that is not empty, for the log."""
        with pytest.raises(TypeError, match="takes the reason"):
            db.without_tenant(reason=reason)


class TestSharedModels:
    """``Meta.tenant = False``: a model whose table belongs to no tenant."""

    @pytest.fixture
    def plan(self, db: dynaflask.Dynamo) -> t.Any:
        """A shared model, next to models of tenants."""
        return models.declare_thread(db, table_name="Plan", tenant=False)

    @pytest.fixture
    def strict(self, make_app: MakeApp, recorder: recorders.Recorder) -> flask.Flask:
        """An app that requires a tenant."""
        return make_app("strict", host=recorder.url, region="us-east-1", tenants=TENANTS, require_tenant=True, **KEYS)

    def test_its_place_is_the_same_for_all_tenants(
        self, strict: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any, plan: t.Any
    ) -> None:
        """A shared model needs no tenant, and no tenant's settings apply to it; other models need theirs."""
        with strict.app_context():
            plan.get("forum", "subject")
            for name in TENANTS:
                with db.tenant(name):
                    plan.get("forum", "subject")
                    assert plan._get_connection().connection.tenant is None
            with pytest.raises(TenantRequired):
                thread_model.get("forum", "subject")
        assert {(request.body["TableName"], request.region) for request in recorder.requests} == {("Plan", "us-east-1")}

    def test_two_apps_have_a_place_each(
        self, strict: flask.Flask, make_app: MakeApp, db: dynaflask.Dynamo, plan: t.Any
    ) -> None:
        """A shared model is shared by the tenants of one app, not by two apps."""
        other = make_app("other", region="eu-west-1", table_prefix="other-", tenants={"acme": {}})
        seen = []
        for app in (strict, other):
            with app.app_context(), db.tenant("acme"):
                seen.append((plan.Meta.region, plan.Meta.table_name))
        assert seen == [("us-east-1", "Plan"), ("eu-west-1", "other-Plan")]

    def test_a_look_up_of_tenants_may_read_it(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, plan: t.Any
    ) -> None:
        """The functions that look up tenants may use it without a block, and it does not call them."""
        app = make_app(host=recorder.url, region="us-east-1", require_tenant=True, **KEYS)
        calls = []

        @db.tenant_loader
        def load() -> str:
            calls.append(plan.count("forum"))
            return "acme"

        with app.app_context():
            plan.count("forum")
            assert calls == []
            assert db.current_tenant == "acme"
        assert (calls, len(recorder.requests)) == ([0], 2)

    def test_a_tenant_does_not_create_or_delete_it(
        self, strict: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any, plan: t.Any
    ) -> None:
        """For a tenant, create_all and drop_all leave shared tables alone, and to delete one is refused."""
        with strict.app_context():
            with db.tenant("acme"):
                assert [table.name for table in find_tables(db.registry)] == ["acme-Thread"]
                for delete in (lambda: db.drop_all(models=[plan]), plan.delete_table):
                    with pytest.raises(TenantMismatch, match="for 'acme' would delete the items of all tenants"):
                        delete()
                assert [table.name for table in find_tables(db.registry, models=[plan])] == ["Plan"]
            with db.without_tenant(reason="test"):
                assert {table.name for table in find_tables(db.registry)} == {"Thread", "Plan"}
                plan.delete_table()
        assert [request.operation for request in recorder.requests] == ["DeleteTable"]

    def test_it_has_no_tenant_key(self, strict: flask.Flask, db: dynaflask.Dynamo) -> None:
        """A model with a TenantKey and Meta.tenant = False is refused before anything is sent."""

        class Both(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Both"
                tenant = False

            id = dynaflask.TenantKey(hash_key=True)

        with strict.app_context(), db.tenant("acme"), pytest.raises(ConfigurationError, match="has a TenantKey, and"):
            Both.get("1")

    @pytest.mark.parametrize("is_known", [True, False], ids=["tenant", "unknown"])
    def test_it_cannot_have_the_table_of_a_tenant_key(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, is_known: bool
    ) -> None:
        """A shared model does not reach the items of all tenants, also before the tenant is looked up."""

        class Note(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Note"

            id = dynaflask.TenantKey(hash_key=True)

        every = models.declare_thread(db, table_name="Note", tenant=False)
        app = make_app(host=recorder.url, region="us-east-1", tenants={"acme": {}, "globex": {}}, **KEYS)
        with app.app_context(), db.tenant("acme") if is_known else contextlib.nullcontext():
            for call in (lambda: list(every.scan()), lambda: every.get("globex#1", "2")):
                with pytest.raises(TenantMismatch, match="Note, which has a TenantKey, has the same table 'Note'"):
                    call()
            assert recorder.requests == []
            with db.without_tenant(reason="test"), db.using(read_timeout_seconds=1):
                list(every.scan())
        assert [request.operation for request in recorder.requests] == ["Scan"]
        assert Note is not None

    @pytest.mark.parametrize("transport", ["direct", "botocore", "stock"])
    def test_its_objects_are_no_tenants(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, plan: t.Any, transport: str
    ) -> None:
        """An object that was read for one tenant is used for any other, also if the table's name is computed."""
        names = {"static": "all-", "computed": lambda name: f"all-{name}"}
        for prefix in names.values():
            app = make_app(
                host=recorder.url, region="us-east-1", table_prefix=prefix, tenants=TENANTS, transport=transport, **KEYS
            )
            with app.app_context():
                with db.tenant("acme"):
                    item = plan.get("forum", "subject")
                with db.tenant("globex"):
                    item.save()
                    item.refresh()
                item.save()
        assert {request.body["TableName"] for request in recorder.requests} == {"all-Plan"}

    def test_a_tenant_of_its_object_may_be_gone(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, plan: t.Any
    ) -> None:
        """Without a computed name, no tenant is looked up."""
        app = make_app(host=recorder.url, region="us-east-1", tenants=TENANTS, **KEYS)
        with app.app_context():
            with db.tenant("acme"):
                item = plan.get("forum", "subject")
            vars(item)["_dynamo_tenant"] = "gone"
            with db.tenant("globex"):
                item.save()
        assert len(recorder.requests) == 2

    def test_a_name_that_is_computed_for_a_tenant(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, plan: t.Any
    ) -> None:
        """If the name depends on the tenant all the same, the object stays in the table that it was read from."""
        app = make_app(
            host=recorder.url,
            region="us-east-1",
            table_prefix=lambda name: f"{db.current_tenant}-{name}",
            tenants=TENANTS,
            **KEYS,
        )
        with app.app_context():
            with db.tenant("acme"):
                item = plan.get("forum", "subject")
                item.save()
            with db.tenant("globex"), pytest.raises(TenantMismatch):
                item.save()
        assert {request.body["TableName"] for request in recorder.requests} == {"acme-Plan"}

    def test_an_object_in_another_app(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, plan: t.Any
    ) -> None:
        """The settings of an app's tenant do not make its shared table that of another app."""
        settings = {"host": recorder.url, "region": "us-east-1", **KEYS}
        first = make_app("first", tenants={"acme": {"table_prefix": "acme-"}}, **settings)
        same = make_app("same", tenants={"acme": {}}, **settings)
        other = make_app("other", table_prefix="acme-", tenants={"acme": {}}, **settings)
        with first.app_context(), db.tenant("acme"):
            item = plan.get("forum", "subject")
        with same.app_context(), db.tenant("acme"):
            item.save()
        with first.app_context(), db.tenant("acme"):
            item = plan.get("forum", "subject")
        with other.app_context(), db.tenant("acme"), pytest.raises(TenantMismatch):
            item.save()
        assert {request.body["TableName"] for request in recorder.requests} == {"Plan"}

    @pytest.mark.parametrize("tenant", [True, "acme", 0])
    def test_any_other_value_is_refused(self, db: dynaflask.Dynamo, tenant: t.Any) -> None:
        """Meta.tenant is False, or not there."""
        with pytest.raises(ConfigurationError, match="Meta.tenant can only be False"):
            models.declare_thread(db, tenant=tenant)


class TestTwoApps:
    """The callbacks belong to the program, and their results to the app."""

    def test_one_name_in_two_apps_is_two_tenants(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """Two apps have their own settings for a tenant of the same name."""
        eu = make_app("eu", region="eu-west-1", tenants={"acme": {"table_prefix": "eu-acme-"}})
        us = make_app("us", region="us-east-1", tenants={"acme": {"table_prefix": "us-acme-"}})
        settings = []
        for app in (eu, us, eu):
            with app.app_context(), db.tenant("acme"):
                settings.append((thread_model.Meta.region, thread_model.Meta.table_name))
        assert settings == [
            ("eu-west-1", "eu-acme-Thread"),
            ("us-east-1", "us-acme-Thread"),
            ("eu-west-1", "eu-acme-Thread"),
        ]

    def test_the_functions_are_called_in_the_current_app(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """The callbacks run in the current app, and their results are not shared by apps."""
        db.tenant_loader(lambda: f"of-{flask.current_app.name}")
        db.tenant_settings(lambda name: {"table_prefix": f"{flask.current_app.name}-{name}-"})
        for name in ("eu", "us"):
            with make_app(name, region="us-east-1").app_context():
                assert thread_model.Meta.table_name == f"{name}-of-{name}-Thread"

    def test_a_block_of_one_app_does_not_reach_into_the_other(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """A tenant's block has no effect in a nested context, of another app or of the same."""
        eu, us = (make_app(name, region="us-east-1", tenants={"acme": {}}) for name in ("eu", "us"))
        with eu.app_context(), db.tenant("acme"):
            with us.app_context():
                assert db.current_tenant is None
            with eu.app_context():
                assert db.current_tenant is None
            assert db.current_tenant == "acme"


class TestThreadsAndStreams:
    """Tenants in threads and in streamed responses."""

    def test_a_copied_function_keeps_app_and_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, loaded: list[str], thread_model: t.Any
    ) -> None:
        """copy_current_tenant calls the loader where the function is copied, which has the request."""
        with as_tenant(app, "acme"), concurrent.futures.ThreadPoolExecutor(1) as threads:
            find = db.copy_current_tenant(lambda: (flask.current_app.name, thread_model.Meta.table_name))
            assert threads.submit(find).result(30) == ("app", "acme-Thread")
        assert loaded == ["acme"]

    def test_a_copied_function_keeps_the_lack_of_a_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, loaded: list[str]
    ) -> None:
        """A function copied without a tenant runs without one, and does not call the loader."""
        with app.app_context():
            find = db.copy_current_tenant(lambda: db.current_tenant)
        assert (find(), loaded) == (None, ["None"])

    def test_a_kept_function_follows_its_tenant(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """A copied function acts on the settings that its tenant has at the call, and is refused when it has none."""
        settings: dict[str, t.Any] = {"acme": {"table_prefix": "old-"}, "globex": {"table_prefix": "globex-"}}
        db.tenant_settings(settings.get)
        app = make_app(region="eu-west-1", tenants={}, tenant_ttl_seconds=0.01)
        with app.app_context():
            with db.tenant("acme"):
                copied = db.copy_current_tenant(lambda: (db.current_tenant, thread_model.Meta.table_name))
            with db.tenant("globex"):
                assert copied() == ("acme", "old-Thread")
                settings["acme"] = {"table_prefix": "new-"}
                time.sleep(0.02)
                assert copied() == ("acme", "new-Thread")
        del settings["acme"]
        time.sleep(0.02)
        with pytest.raises(UnknownTenant, match="'acme'"):
            copied()

    def test_a_coroutine_function_may_be_copied(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """A copied coroutine function runs in a context of its own."""

        async def find() -> str | None:
            await asyncio.sleep(0)
            return db.current_tenant

        with app.app_context(), db.tenant("acme"):
            copied = db.copy_current_tenant(find)
        assert asyncio.run(copied()) == "acme"

    def test_functions_of_two_apps_keep_their_own_app(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """Functions copied in two apps run in their own app, in any order."""
        copied = []
        for region in ("eu-west-1", "us-east-1"):
            app = make_app(region, region=region, tenants={"acme": {"table_prefix": f"{region}-"}})
            with app.app_context(), db.tenant("acme"):
                copied.append(db.copy_current_tenant(lambda: (thread_model.Meta.region, thread_model.Meta.table_name)))
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            settings = [future.result(30) for future in [threads.submit(find) for find in copied]]
        assert settings == [("eu-west-1", "eu-west-1-Thread"), ("us-east-1", "us-east-1-Thread")]

    @pytest.mark.parametrize("is_used_before", [True, False])
    def test_a_streamed_response_keeps_its_tenant(
        self,
        app: flask.Flask,
        loaded: list[str],
        recorder: recorders.Recorder,
        thread_model: t.Any,
        *,
        is_used_before: bool,
    ) -> None:
        """A streamed response acts for its request's tenant, even if the view did not use DynamoDB."""

        @app.get("/")
        def show() -> flask.Response:
            if is_used_before:
                thread_model.count("forum")
            return flask.Response(flask.stream_with_context(str(thread_model.count("forum")) for _ in range(2)))

        assert app.test_client().get("/", headers={"X-Tenant": "acme"}).text == "00"
        assert {request.body["TableName"] for request in recorder.requests} == {"acme-Thread"}

    def test_a_streamed_response_may_enter_a_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A generator of a response may enter blocks for tenants between its items."""

        @app.get("/")
        def show() -> flask.Response:
            def stream() -> cabc.Iterator[str]:
                for name in ("acme", "globex"):
                    with db.tenant(name):
                        line = str(thread_model.count("forum"))
                    yield line

            return flask.Response(flask.stream_with_context(stream()))

        assert app.test_client().get("/").text == "00"
        assert [(r.body["TableName"], r.region) for r in recorder.requests] == [
            ("acme-Thread", "us-east-1"),
            ("Thread", "eu-west-1"),
        ]

    def test_an_iterator_keeps_its_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A query made in a tenant's block sends to that tenant's table when it is read later."""
        with app.app_context():
            with db.tenant("acme"):
                results = thread_model.query("forum")
            with db.tenant("globex"):
                assert list(results) == []
        assert recorder.requests[0].body["TableName"] == "acme-Thread"

    def test_a_transaction_is_for_one_tenant(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A model of a second tenant is refused where it is added, and nothing is sent."""
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        with (
            app.app_context(),
            pytest.raises(TenantMismatch, match="Thread is of 'acme', and Thread is used for 'globex'"),
        ):
            with db.transact_write() as transaction:
                with db.tenant("acme"):
                    transaction.save(thread_model("forum", "subject"))
                with db.tenant("globex"):
                    transaction.save(thread_model("forum", "other"))
        assert recorder.requests == []


class TestNames:
    """``db.tenant_names``: the names of all tenants."""

    def test_the_setting_has_the_names(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """Without a lister, the names are those of DYNAMODB_TENANTS, in its order."""
        with app.app_context():
            assert db.tenant_names == ["acme", "globex", "plain"]

    def test_a_lister_wins_over_the_setting(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """The names of a lister win over DYNAMODB_TENANTS."""
        db.tenant_lister(lambda: (name for name in ["new"]))
        with app.app_context():
            assert db.tenant_names == ["new"]

    def test_a_lister_may_not_use_dynamodb_for_the_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """A lister that uses DynamoDB for the tenant is refused."""
        db.tenant_lister(lambda: [str(thread_model.count("forum"))])
        with app.app_context(), pytest.raises(RuntimeError, match="without_tenant"):
            _ = db.tenant_names

    def test_without_setting_and_lister_the_error_says_what_to_set(
        self, make_app: MakeApp, db: dynaflask.Dynamo
    ) -> None:
        """Without DYNAMODB_TENANTS and a lister, the error names both."""
        with (
            make_app("pool").app_context(),
            pytest.raises(ConfigurationError, match="'pool'.*DYNAMODB_TENANTS.*lister"),
        ):
            _ = db.tenant_names
