"""What db offers of tenants: who it is, blocks for one and for none, and the way into other threads."""

from __future__ import annotations

import asyncio
import collections.abc as cabc
import concurrent.futures
import functools
import logging
import threading
import typing as t

import flask
import pytest
import werkzeug.exceptions

import dynaflask
from dynaflask import ConfigurationError
from dynaflask import TenantMismatch
from dynaflask import TenantRequired
from dynaflask import UnknownTenant
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

TENANTS = {"acme": {"table_prefix": "acme-"}, "globex": {"region": "eu-west-1"}, "plain": {}}

USES: dict[str, cabc.Callable[..., t.Any]] = {
    "get": lambda db, model: model.get("forum", "subject"),
    "save": lambda db, model: model("forum", "subject").save(),
    "query": lambda db, model: list(model.query("forum")),
    "batch_get": lambda db, model: list(model.batch_get([("forum", "subject")])),
    "exists": lambda db, model: model.exists(),
    "meta": lambda db, model: model.Meta.table_name,
    "connection": lambda db, model: db.connection,
    "get_connection": lambda db, model: db.get_connection("default"),
    "client": lambda db, model: db.client,
    "tables": lambda db, model: db.tables["Other"],
    "transact_write": lambda db, model: db.transact_write(),
    "create_all": lambda db, model: db.create_all(),
}


@pytest.fixture
def app(make_app: MakeApp, recorder: recorders.Recorder) -> flask.Flask:
    """An app of three tenants, whose calls the recorder answers."""
    binds = {"archive": {"table_prefix": "archive-", "region": "us-west-1"}}
    return make_app(host=recorder.url, region="us-east-1", tenants=TENANTS, binds=binds, **KEYS)


@pytest.fixture
def loaded(db: dynaflask.Dynamo) -> list[str]:
    """The loader takes the name from a header, and its calls are counted."""
    calls: list[str] = []

    @db.tenant_loader
    def load() -> str | None:
        name = flask.request.headers.get("X-Tenant") if flask.has_request_context() else None
        calls.append(str(name))
        return name

    return calls


def as_tenant(app: flask.Flask, name: str) -> t.Any:
    """A request of a tenant."""
    return app.test_request_context(headers={"X-Tenant": name})


class TestLoader:
    """Who the current tenant is, as the program says."""

    def test_it_is_not_asked_before_the_first_use(self, app: flask.Flask, loaded: list[str]) -> None:
        """A request that uses no DynamoDB finds no tenant."""
        with as_tenant(app, "acme"):
            pass
        assert loaded == []

    def test_it_is_asked_once_in_a_context(self, app: flask.Flask, loaded: list[str], thread_model: t.Any) -> None:
        """All uses of the context go by its first answer."""
        with as_tenant(app, "acme"):
            names = [thread_model.Meta.table_name, thread_model.Meta.table_name]
        assert (names, loaded) == (["acme-Thread", "acme-Thread"], ["acme"])

    def test_its_answer_stays(self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """A tenant does not change inside a context once used."""
        names = iter(["acme", "globex"])
        db.tenant_loader(lambda: next(names))
        with app.app_context():
            assert [db.current_tenant, db.current_tenant] == ["acme", "acme"]
        with app.app_context():
            assert db.current_tenant == "globex"

    def test_the_calls_go_where_the_tenant_is(
        self, app: flask.Flask, loaded: list[str], recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """At the wire: the table of one, and the region of the other."""
        for name in ("acme", "globex", "plain"):
            with as_tenant(app, name):
                thread_model.get("forum", "subject")
        went = [(request.body["TableName"], request.region) for request in recorder.requests]
        assert went == [("acme-Thread", "us-east-1"), ("Thread", "eu-west-1"), ("Thread", "us-east-1")]

    def test_a_request_in_a_context_that_is_there_has_its_own(
        self, app: flask.Flask, db: dynaflask.Dynamo, loaded: list[str], thread_model: t.Any
    ) -> None:
        """Flask leaves it the context of a test, a job or another request, which goes on as before."""

        @app.get("/")
        def show() -> str:
            _ = thread_model.Meta.region
            return f"{db.current_tenant} {thread_model.Meta.table_name}"

        client = app.test_client()
        with app.app_context():
            assert db.current_tenant is None
            assert client.get("/", headers={"X-Tenant": "acme"}).text == "acme acme-Thread"
            assert client.get("/", headers={"X-Tenant": "globex"}).text == "globex Thread"
            assert db.current_tenant is None
        with as_tenant(app, "acme"), db.tenant("plain"):
            assert client.get("/", headers={"X-Tenant": "globex"}).text == "globex Thread"
            assert (db.current_tenant, thread_model.Meta.table_name) == ("plain", "Thread")

    def test_a_request_leaves_no_tenant_behind(
        self, app: flask.Flask, loaded: list[str], db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """In a context that was there before it, and that nothing had used yet. What it got there has ended, too."""
        taken: list[t.Any] = []
        with app.app_context():
            with as_tenant(app, "acme"):
                taken.append(thread_model._get_connection())
                assert thread_model.Meta.table_name == "acme-Thread"
            assert (db.current_tenant, thread_model.Meta.table_name) == (None, "Thread")
            with pytest.raises(RuntimeError, match="has ended"):
                taken[0].get_item("forum", "subject")
        assert loaded == ["acme", "None"]

    def test_a_request_that_outlives_the_context_leaves_nothing_either(
        self, app: flask.Flask, loaded: list[str], thread_model: t.Any
    ) -> None:
        """A program may push contexts within the request of another app."""
        with flask.Flask("other").test_request_context(headers={"X-Tenant": "acme"}):
            with app.app_context():
                taken = thread_model._get_connection()
            with pytest.raises(RuntimeError, match="has ended"):
                taken.get_item("forum", "subject")

    def test_one_request_in_the_contexts_of_two_apps_has_two_scopes(
        self, make_app: MakeApp, app: flask.Flask, loaded: list[str], thread_model: t.Any
    ) -> None:
        """Though its tenant has one name."""
        second = make_app("second", tenants={"acme": {"table_prefix": "second-"}})
        contexts = app.app_context(), second.app_context()
        names: list[str] = []
        for context in contexts:
            with context:
                assert thread_model.Meta.table_name == "Thread"
        with flask.Flask("other").test_request_context(headers={"X-Tenant": "acme"}):
            for context in contexts * 2:
                with context:
                    names.append(thread_model.Meta.table_name)
        assert names == ["acme-Thread", "second-Thread"] * 2

    def test_none_is_no_tenant(self, app: flask.Flask, loaded: list[str], db: dynaflask.Dynamo) -> None:
        """The answer is kept as any other."""
        with app.app_context():
            assert (db.current_tenant, db.current_tenant, loaded) == (None, None, ["None"])

    def test_an_unknown_tenant_is_a_404(self, app: flask.Flask, loaded: list[str], thread_model: t.Any) -> None:
        """Flask answers so, and the page does not repeat the name."""
        app.add_url_rule("/", view_func=lambda: str(thread_model.count("forum")))
        answer = app.test_client().get("/", headers={"X-Tenant": "<nobody>"})
        assert (answer.status_code, "nobody" in answer.text) == (404, False)

    def test_an_unknown_tenant_is_named_to_the_program(self, app: flask.Flask, loaded: list[str]) -> None:
        """The error is werkzeug's, and has the name."""
        with as_tenant(app, "nobody"), pytest.raises(UnknownTenant) as caught:
            _ = app.extensions["dynamo"].connection
        assert isinstance(caught.value, werkzeug.exceptions.NotFound)
        assert caught.value.tenant == "nobody"

    def test_what_it_raises_ends_the_use_and_is_not_kept(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """The next use asks again."""
        answers: list[t.Any] = [LookupError("down"), "acme"]

        @db.tenant_loader
        def load() -> str:
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return str(answer)

        with app.app_context():
            with pytest.raises(LookupError, match="down"):
                _ = db.connection
            assert db.current_tenant == "acme"

    def test_what_is_no_name_is_refused(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """An object of the program's is not taken by its str()."""
        db.tenant_loader(t.cast("t.Any", lambda: 7))
        with app.app_context(), pytest.raises(TypeError, match="db.tenant_loader must return the name .* not int"):
            _ = db.current_tenant

    def test_one_that_uses_dynamodb_is_told(self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """It would ask itself."""
        db.tenant_loader(lambda: str(thread_model.get("forum", "subject")))
        with (
            app.app_context(),
            pytest.raises(RuntimeError, match=r"uses DynamoDB to look up the tenant.*without_tenant"),
        ):
            thread_model.count("forum")

    def test_one_may_use_dynamodb_for_no_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """What it looks up is where no tenant is."""

        @db.tenant_loader
        def load() -> str:
            with db.without_tenant(reason="sign in"):
                thread_model.get("user", "acme")
            return "acme"

        with app.app_context():
            thread_model.get("forum", "subject")
        assert [request.body["TableName"] for request in recorder.requests] == ["Thread", "acme-Thread"]

    def test_threads_that_share_a_context_ask_it_once(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """The second waits for the first one's answer."""
        is_asked, may_answer, calls = threading.Event(), threading.Event(), []

        @db.tenant_loader
        def load() -> str:
            calls.append(1)
            is_asked.set()
            assert may_answer.wait(30)
            return "acme"

        with app.app_context(), concurrent.futures.ThreadPoolExecutor(2) as threads:
            scope = app.extensions["dynamo"].scope
            found = [threads.submit(lambda: scope.tenant) for _ in range(2)]
            assert is_asked.wait(30)
            may_answer.set()
            assert [answer.result(30) for answer in found] == ["acme", "acme"]
        assert calls == [1]

    def test_what_is_known_already_asks_nobody(self, app: flask.Flask, db: dynaflask.Dynamo, loaded: list[str]) -> None:
        """A log record tells of the tenant without finding it out."""
        with as_tenant(app, "acme"):
            scope = app.extensions["dynamo"].scope
            before = scope.known_tenant
            assert (before, db.current_tenant, scope.known_tenant) == (None, "acme", "acme")
            with db.using(read_timeout_seconds=5):
                assert app.extensions["dynamo"].scope.known_tenant == "acme"


class TestBlock:
    """A tenant that the program names itself."""

    def test_it_acts_for_the_tenant_until_it_ends(
        self, app: flask.Flask, db: dynaflask.Dynamo, loaded: list[str], thread_model: t.Any
    ) -> None:
        """Nested, the innermost counts."""
        with as_tenant(app, "globex"):
            with db.tenant("acme"):
                assert (db.current_tenant, thread_model.Meta.table_name) == ("acme", "acme-Thread")
                with db.tenant("plain"):
                    assert (db.current_tenant, thread_model.Meta.table_name) == ("plain", "Thread")
                assert db.current_tenant == "acme"
            assert (db.current_tenant, thread_model.Meta.region) == ("globex", "eu-west-1")

    def test_it_does_not_ask_the_loader(self, app: flask.Flask, db: dynaflask.Dynamo, loaded: list[str]) -> None:
        """The program has said who it is."""
        with app.app_context(), db.tenant("acme"):
            assert (db.current_tenant, loaded) == ("acme", [])

    def test_it_is_a_decorator(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """Of functions and of coroutines."""

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
        """It would run after the block, for somebody else."""

        async def find(name: str) -> str | None:
            return f"{name} for {db.current_tenant}"

        with app.app_context(), pytest.raises(TypeError, match="put the block round the `async def` itself"):
            db.tenant("acme")(lambda: find("name"))()

    @pytest.mark.parametrize("decorator", [flask.stream_with_context, functools.partial])
    def test_what_returns_a_generator_is_refused(
        self, app: flask.Flask, db: dynaflask.Dynamo, decorator: t.Any
    ) -> None:
        """It would run for another tenant, or for none."""

        def view() -> t.Iterator[str | None]:
            yield db.current_tenant

        wrapped = decorator(view)
        with app.test_request_context():
            for enter in (db.tenant("acme"), db.copy_current_tenant):
                with pytest.raises(TypeError, match="runs (later|after its call)"):
                    enter(wrapped)()

    def test_threads_may_share_it(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """Each leaves the block that it entered, whoever entered last."""
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

    def test_it_begins_anew(self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """What was set for one tenant does not reach into the block of another."""
        with app.app_context(), db.tenant("globex"):
            thread_model.Meta.table_name = "globex-special"
            with db.using(table_prefix="blue-"), db.tenant("plain"):
                assert thread_model.Meta.table_name == "Thread"
            assert thread_model.Meta.table_name == "globex-special"

    def test_what_is_set_in_it_ends_with_it(self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """A later block for the same tenant knows nothing of it."""
        with app.app_context():
            for _ in range(2):
                with db.tenant("globex"):
                    assert thread_model.Meta.table_name == "Thread"
                    thread_model.Meta.table_name = "once"
                    assert thread_model._get_connection().table_name == "once"

    def test_a_context_may_act_for_many(self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """What it keeps for each of them is bounded, and no tenant's is another's."""
        app.extensions["dynamo"].close()
        db.tenant_settings(lambda name: {"table_prefix": f"{name}-"})
        with app.app_context():
            for name in [f"t{number}" for number in range(250)] * 2:
                with db.tenant(name):
                    assert thread_model._get_connection().table_name == f"{name}-Thread"

    @pytest.mark.parametrize("name", [None, 7, b"acme"])
    def test_what_is_no_name_is_refused(self, db: dynaflask.Dynamo, name: t.Any) -> None:
        """None too: for nobody there is a block of its own."""
        with pytest.raises(TypeError, match=r"db.tenant takes the name"):
            db.tenant(name)

    def test_it_needs_a_context(self, db: dynaflask.Dynamo) -> None:
        """A tenant is one of an app."""
        with pytest.raises(RuntimeError, match=r"outside of application context.\n\ndb.tenant needs"):
            with db.tenant("acme"):
                pass


class TestDecided:
    """What a tenant decides, no line of the program decides otherwise."""

    @pytest.mark.parametrize(
        ("tenant", "bind_key", "settings", "named"),
        [
            ("acme", None, {"table_prefix": "blue-"}, "table_prefix"),
            ("globex", None, {"region": "us-west-2"}, "region"),
            ("globex", None, {"host": "http://elsewhere:1"}, "host"),
            ("globex", "archive", {}, "bind_key"),
        ],
    )
    def test_a_block_that_says_otherwise_is_refused(
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
        """Where it would be used: neither the tenant's data nor the request goes elsewhere."""
        with app.app_context(), db.tenant(tenant), db.using(bind_key, **settings):
            with pytest.raises(TenantMismatch, match=f"sets '{named}', which the tenant '{tenant}' decides"):
                thread_model.count("forum")

    def test_a_table_name_is_refused_where_the_tenant_has_a_prefix(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """It is a real name, and would be one for all tenants."""
        with app.app_context(), db.tenant("acme"):
            thread_model.Meta.table_name = "Shared"
            with pytest.raises(TenantMismatch, match="sets 'table_name'"):
                thread_model.count("forum")

    def test_what_was_set_before_the_loader_was_asked_is_refused_too(
        self, app: flask.Flask, loaded: list[str], thread_model: t.Any
    ) -> None:
        """The order makes no difference."""
        with as_tenant(app, "acme"):
            thread_model.Meta.table_name = "Shared"
            with pytest.raises(TenantMismatch, match="sets 'table_name'"):
                thread_model.count("forum")

    def test_saying_the_same_is_fine(self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """It decides nothing otherwise."""
        with app.app_context(), db.tenant("globex"), db.using(region="eu-west-1"):
            assert thread_model.Meta.region == "eu-west-1"

    def test_what_the_tenant_leaves_open_can_be_set(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """A time limit, and the table's name where the tenant decides the region alone."""
        with app.app_context(), db.tenant("globex"), db.using(read_timeout_seconds=5):
            thread_model.Meta.table_name = "Topic"
            meta = thread_model.Meta
            assert (meta.read_timeout_seconds, meta.table_name, meta.region) == (5, "Topic", "eu-west-1")

    def test_a_bind_that_is_entered_does_not_undo_it(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """The archive has a prefix of its own, under which all tenants would be one."""
        with app.app_context(), db.tenant("acme"), db.using("archive"):
            assert (thread_model.Meta.region, thread_model.Meta.table_name) == ("us-west-1", "acme-Thread")

    def test_a_models_own_place_does_not_undo_it(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """Neither what its Meta declares, nor what DYNAMODB_MODELS says."""

        class Note(db.Model):  # type: ignore[name-defined]
            class Meta:
                table_name = "Note"
                region = "ap-south-1"

            id = dynaflask.TenantKey(hash_key=True)

        app = make_app(tenants={"t": {"region": "eu-west-1"}}, models={"Note": {"region": "sa-east-1"}})
        with app.app_context(), db.tenant("t"):
            assert Note.Meta.region == "eu-west-1"

    def test_a_bind_brings_its_place_along(self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """What the tenant's bind names is decided, as if the tenant named it."""
        app = make_app(binds={"eu": {"region": "eu-west-1"}}, tenants={"t": {"bind_key": "eu"}}, region="us-east-1")
        with app.app_context(), db.tenant("t"):
            assert (db.connection.bind.key, thread_model.Meta.region) == ("eu", "eu-west-1")
            with db.using(region="us-west-2"), pytest.raises(TenantMismatch, match="'region'"):
                _ = db.connection

    def test_another_bind_cannot_be_asked_for(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """Neither its connection nor its client; the tenant's own can."""
        app = make_app(binds={"eu": {}, "us": {}}, tenants={"t": {"bind_key": "eu"}}, region="us-east-1")
        with app.app_context(), db.tenant("t"):
            assert db.get_connection("eu").bind.key == "eu"
            for ask in (db.get_connection, db.get_client):
                with pytest.raises(TenantMismatch, match="'bind_key'"):
                    ask("us")

    def test_the_value_of_a_secret_is_not_in_the_message(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """An identity is decided as one, and refused by the name of the setting."""
        app = make_app(region="us-east-1", tenants={"t": KEYS})
        with app.app_context(), db.tenant("t"), db.using(profile="secret-one"):
            with pytest.raises(TenantMismatch, match="sets 'profile'") as caught:
                _ = db.connection
        assert "hush" not in str(caught.value)
        assert "secret-one" not in str(caught.value)


class TestRequired:
    """With DYNAMODB_REQUIRE_TENANT nothing is used for nobody."""

    @pytest.fixture
    def strict(self, make_app: MakeApp, recorder: recorders.Recorder) -> flask.Flask:
        """An app that needs a tenant."""
        return make_app("strict", host=recorder.url, region="us-east-1", require_tenant=True, tenants=TENANTS, **KEYS)

    @pytest.mark.parametrize("use", USES)
    def test_any_use_is_refused(
        self,
        strict: flask.Flask,
        recorder: recorders.Recorder,
        db: dynaflask.Dynamo,
        thread_model: t.Any,
        use: str,
    ) -> None:
        """Nothing is sent, and the message says what to do."""
        with strict.app_context(), pytest.raises(TenantRequired, match=r"'strict' needs a tenant.*db.tenant\("):
            USES[use](db, thread_model)
        assert recorder.requests == []

    def test_a_client_is_refused_outside_of_contexts(self, strict: flask.Flask) -> None:
        """It would be nobody's."""
        with pytest.raises(TenantRequired, match="outside of a context"):
            strict.extensions["dynamo"].get_client()

    def test_with_a_tenant_all_is_well(self, strict: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """A block is enough."""
        with strict.app_context(), db.tenant("acme"):
            assert thread_model.get("forum", "subject").subject == "subject"

    def test_the_way_round_is_logged(
        self,
        strict: flask.Flask,
        db: dynaflask.Dynamo,
        thread_model: t.Any,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """With the app and the reason, each time."""
        with strict.app_context(), db.without_tenant(reason="migration 7"):
            assert (thread_model.count("forum"), db.current_tenant) == (0, None)
        assert [(record.name, record.levelno) for record in caplog.records] == [("dynaflask.tenants", logging.WARNING)]
        assert "'strict'" in caplog.text
        assert "'migration 7'" in caplog.text

    def test_the_way_round_ends_with_its_block(
        self, strict: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """What it made serves nobody who may not have it."""
        carried = None
        with strict.app_context():
            with db.without_tenant(reason="migration"):
                thread_model.count("forum")
            with pytest.raises(TenantRequired):
                thread_model.count("forum")
            carried = db.copy_current_tenant(lambda: thread_model.count("forum"))
        with pytest.raises(TenantRequired):
            carried()

    @pytest.mark.parametrize("reason", ["", " ", None, 7])
    def test_the_way_round_takes_a_reason(self, db: dynaflask.Dynamo, reason: t.Any) -> None:
        """Without one the log would say nothing."""
        with pytest.raises(TypeError, match="takes the reason"):
            db.without_tenant(reason=reason)

    def test_another_app_needs_none(
        self, strict: flask.Flask, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """The setting is one app's."""
        with app.app_context():
            assert thread_model.Meta.table_name == "Thread"
            with strict.app_context(), pytest.raises(TenantRequired):
                _ = thread_model.Meta.table_name


class TestTwoApps:
    """The functions are the program's; what they say is kept with the app."""

    def test_one_name_is_two_tenants(self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """Each app has its own settings of it."""
        eu = make_app("eu", region="eu-west-1", tenants={"acme": {"table_prefix": "eu-acme-"}})
        us = make_app("us", region="us-east-1", tenants={"acme": {"table_prefix": "us-acme-"}})
        found = []
        for app in (eu, us, eu):
            with app.app_context(), db.tenant("acme"):
                found.append((thread_model.Meta.region, thread_model.Meta.table_name))
        assert found == [
            ("eu-west-1", "eu-acme-Thread"),
            ("us-east-1", "us-acme-Thread"),
            ("eu-west-1", "eu-acme-Thread"),
        ]

    def test_the_functions_are_called_in_the_current_app(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """So that they can answer for it; what one app was told is not the other's."""
        db.tenant_loader(lambda: f"of-{flask.current_app.name}")
        db.tenant_settings(lambda name: {"table_prefix": f"{flask.current_app.name}-{name}-"})
        for name in ("eu", "us"):
            with make_app(name, region="us-east-1").app_context():
                assert thread_model.Meta.table_name == f"{name}-of-{name}-Thread"

    def test_a_block_of_one_app_does_not_reach_into_the_other(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """Nested contexts are contexts of their own."""
        eu, us = (make_app(name, region="us-east-1", tenants={"acme": {}}) for name in ("eu", "us"))
        with eu.app_context(), db.tenant("acme"):
            with us.app_context():
                assert db.current_tenant is None
            with eu.app_context():
                assert db.current_tenant is None
            assert db.current_tenant == "acme"


class TestElsewhere:
    """Threads, and responses that are streamed."""

    def test_a_function_takes_app_and_tenant_into_a_thread(
        self, app: flask.Flask, db: dynaflask.Dynamo, loaded: list[str], thread_model: t.Any
    ) -> None:
        """The loader, which knows the request, is asked where the function is copied."""
        with as_tenant(app, "acme"), concurrent.futures.ThreadPoolExecutor(1) as threads:
            find = db.copy_current_tenant(lambda: (flask.current_app.name, thread_model.Meta.table_name))
            assert threads.submit(find).result(30) == ("app", "acme-Thread")
        assert loaded == ["acme"]

    def test_nobody_is_taken_along_as_well(self, app: flask.Flask, db: dynaflask.Dynamo, loaded: list[str]) -> None:
        """The loader is not asked again in a thread without a request."""
        with app.app_context():
            find = db.copy_current_tenant(lambda: db.current_tenant)
        assert (find(), loaded) == (None, ["None"])

    def test_a_coroutine_function_may_be_taken_along(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """Each call has a context of its own."""

        async def find() -> str | None:
            await asyncio.sleep(0)
            return db.current_tenant

        with app.app_context(), db.tenant("acme"):
            copied = db.copy_current_tenant(find)
        assert asyncio.run(copied()) == "acme"

    def test_two_apps_are_taken_along_each_for_itself(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """In whatever order they run."""
        copied = []
        for region in ("eu-west-1", "us-east-1"):
            app = make_app(region, region=region, tenants={"acme": {"table_prefix": f"{region}-"}})
            with app.app_context(), db.tenant("acme"):
                copied.append(db.copy_current_tenant(lambda: (thread_model.Meta.region, thread_model.Meta.table_name)))
        with concurrent.futures.ThreadPoolExecutor(2) as threads:
            found = [future.result(30) for future in [threads.submit(find) for find in copied]]
        assert found == [("eu-west-1", "eu-west-1-Thread"), ("us-east-1", "us-east-1-Thread")]

    @pytest.mark.parametrize("is_used_before", [True, False])
    def test_a_streamed_response_goes_on_for_its_tenant(
        self,
        app: flask.Flask,
        loaded: list[str],
        recorder: recorders.Recorder,
        thread_model: t.Any,
        *,
        is_used_before: bool,
    ) -> None:
        """Whether the view used it before or not."""

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
        """The block stands in the generator, and not round it."""

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

    def test_an_iterator_stays_with_the_tenant_it_was_made_for(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """It is read after the block, and goes where the block would have gone."""
        with app.app_context():
            with db.tenant("acme"):
                found = thread_model.query("forum")
            with db.tenant("globex"):
                assert list(found) == []
        assert recorder.requests[0].body["TableName"] == "acme-Thread"

    def test_a_transaction_is_for_one_tenant(
        self, make_app: MakeApp, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A second one is refused where it is added, though both are in one place."""
        app = make_app(host=recorder.url, region="us-east-1", **KEYS)
        with app.app_context(), pytest.raises(TenantMismatch, match="A transaction is for one tenant: Thread is added"):
            with db.transact_write() as transaction:
                with db.tenant("acme"):
                    transaction.save(thread_model("forum", "subject"))
                with db.tenant("globex"):
                    transaction.save(thread_model("forum", "other"))
        assert recorder.requests == []


class TestNames:
    """Which tenants there are."""

    def test_they_are_those_of_the_setting(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """In its order."""
        with app.app_context():
            assert db.tenant_names == ["acme", "globex", "plain"]

    def test_a_lister_knows_better(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """It is asked each time."""
        db.tenant_lister(lambda: (name for name in ["new"]))
        with app.app_context():
            assert db.tenant_names == ["new"]

    def test_a_lister_may_not_use_dynamodb_for_the_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """The list is that of no tenant."""
        db.tenant_lister(lambda: [str(thread_model.count("forum"))])
        with app.app_context(), pytest.raises(RuntimeError, match="without_tenant"):
            _ = db.tenant_names

    def test_where_nobody_says_the_error_tells_how(self, make_app: MakeApp, db: dynaflask.Dynamo) -> None:
        """Both ways are named."""
        with (
            make_app("pool").app_context(),
            pytest.raises(ConfigurationError, match="'pool'.*DYNAMODB_TENANTS.*lister"),
        ):
            _ = db.tenant_names
