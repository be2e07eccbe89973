"""The tenant of a scope: the result of the loader, called once and in the right request, or that of a block."""

from __future__ import annotations

import concurrent.futures
import os
import threading
import typing as t

import flask
import pytest
import werkzeug.exceptions

import dynaflask
from dynaflask import TenantRequired
from dynaflask import UnknownTenant
from tests.support import forks
from tests.support import recorder as recorders
from tests.support.settings import KEYS
from tests.support.settings import MakeApp
from tests.support.tenants import TENANTS
from tests.support.tenants import USES
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


class TestLoader:
    """``db.tenant_loader``: the program's function that returns the current tenant."""

    def test_it_is_not_called_before_the_first_use(self, app: flask.Flask, loaded: list[str]) -> None:
        """A request without DynamoDB does not call the loader."""
        with as_tenant(app, "acme"):
            pass
        assert loaded == []

    def test_it_is_called_once_in_a_context(self, app: flask.Flask, loaded: list[str], thread_model: t.Any) -> None:
        """All uses in a context share one call of the loader."""
        with as_tenant(app, "acme"):
            names = [thread_model.Meta.table_name, thread_model.Meta.table_name]
        assert (names, loaded) == (["acme-Thread", "acme-Thread"], ["acme"])

    def test_its_result_stays(self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """The tenant of a context does not change after its first use."""
        names = iter(["acme", "globex"])
        db.tenant_loader(lambda: next(names))
        with app.app_context():
            assert [db.current_tenant, db.current_tenant] == ["acme", "acme"]
        with app.app_context():
            assert db.current_tenant == "globex"

    def test_calls_go_to_the_tenants_destination(
        self, app: flask.Flask, loaded: list[str], recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """On the wire, each tenant's calls have its own table and region."""
        for name in ("acme", "globex", "plain"):
            with as_tenant(app, name):
                thread_model.get("forum", "subject")
        sent = [(request.body["TableName"], request.region) for request in recorder.requests]
        assert sent == [("acme-Thread", "us-east-1"), ("Thread", "eu-west-1"), ("Thread", "us-east-1")]

    def test_a_request_in_a_pushed_context_has_its_own_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, loaded: list[str], thread_model: t.Any
    ) -> None:
        """A request that Flask runs in a pushed context has its own tenant, and does not change that of the context."""

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
        """A request in an unused pushed context leaves its tenant behind neither on it nor on open connections."""
        tables: list[t.Any] = []
        with app.app_context():
            with as_tenant(app, "acme"):
                tables.append(thread_model._get_connection())
                assert thread_model.Meta.table_name == "acme-Thread"
            assert (db.current_tenant, thread_model.Meta.table_name) == (None, "Thread")
            with pytest.raises(RuntimeError, match="has ended"):
                tables[0].get_item("forum", "subject")
        assert loaded == ["acme", "None"]

    def test_a_request_that_outlives_the_context_leaves_no_connection(
        self, app: flask.Flask, db: dynaflask.Dynamo, loaded: list[str], thread_model: t.Any
    ) -> None:
        """A context pushed within a request of another app closes its connections at its own end."""
        with flask.Flask("other").test_request_context(headers={"X-Tenant": "acme"}):
            with app.app_context(), db.tenant("acme"):
                table = thread_model._get_connection()
            with pytest.raises(RuntimeError, match="has ended"):
                table.get_item("forum", "subject")

    def test_it_is_not_called_in_a_request_of_another_app(
        self,
        make_app: MakeApp,
        app: flask.Flask,
        db: dynaflask.Dynamo,
        loaded: list[str],
        *,
        recorder: recorders.Recorder,
        thread_model: t.Any,
    ) -> None:
        """In a request of one app, the context of another app acts for a tenant that the program names, or for none."""
        outer = make_app("outer", tenants={"acme": {"table_prefix": "outer-"}})
        with as_tenant(outer, "acme"):
            assert thread_model.Meta.table_name == "outer-Thread"
            with app.app_context():
                for use in (*USES.values(), lambda db, model: db.current_tenant):
                    with pytest.raises(TenantRequired, match="app 'app' is used inside a request of the app 'outer'"):
                        use(db, thread_model)
                with db.tenant("acme"):
                    assert thread_model.Meta.table_name == "acme-Thread"
                with db.without_tenant(reason="test"):
                    assert thread_model.Meta.table_name == "Thread"
            assert thread_model.Meta.table_name == "outer-Thread"
        assert (loaded, recorder.requests) == (["acme"], [])

    def test_a_context_that_is_pushed_again_in_a_request_of_another_app(
        self, app: flask.Flask, db: dynaflask.Dynamo, loaded: list[str], thread_model: t.Any
    ) -> None:
        """The context's own tenant does not count in the request of another app, and counts again after it."""
        context = app.app_context()
        with context:
            assert thread_model.Meta.table_name == "Thread"
            with flask.Flask("other").test_request_context(headers={"X-Tenant": "acme"}), context:
                with pytest.raises(TenantRequired, match="'app' is used inside a request of the app 'other'"):
                    _ = thread_model.Meta.table_name
            assert thread_model.Meta.table_name == "Thread"
        assert loaded == ["None"]

    def test_it_is_not_called_in_a_context_of_another_app(
        self, make_app: MakeApp, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """An object of one app's context, used in another app's, does not ask for the tenant there."""
        db.tenant_loader(lambda: flask.g.tenant)
        with app.app_context():
            flask.g.tenant = "globex"
            meta = thread_model.Meta
            with make_app("other", tenants={"acme": {}}).app_context():
                flask.g.tenant = "acme"
                with pytest.raises(TenantRequired, match="context of the app 'app' is used in a context of .* 'other'"):
                    _ = meta.region
            assert meta.region == "eu-west-1"

    def test_an_app_without_a_loader_works_in_any_request(
        self, make_app: MakeApp, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """Without a loader, the context of one app works in a request of another."""
        apps = [make_app(name, region=region) for name, region in (("us", "us-east-1"), ("eu", "eu-west-1"))]
        with apps[0].test_request_context(), apps[1].app_context():
            assert thread_model.Meta.region == "eu-west-1"

    def test_none_means_no_tenant(self, app: flask.Flask, loaded: list[str], db: dynaflask.Dynamo) -> None:
        """A loader that returns None is called once, and the context has no tenant."""
        with app.app_context():
            assert (db.current_tenant, db.current_tenant, loaded) == (None, None, ["None"])

    def test_an_unknown_tenant_is_a_404(self, app: flask.Flask, loaded: list[str], thread_model: t.Any) -> None:
        """An unknown tenant is a 404 whose page does not repeat the name."""
        app.add_url_rule("/", view_func=lambda: str(thread_model.count("forum")))
        answer = app.test_client().get("/", headers={"X-Tenant": "<unknown>"})
        assert (answer.status_code, "unknown" in answer.text) == (404, False)

    def test_the_error_of_an_unknown_tenant_has_its_name(self, app: flask.Flask, loaded: list[str]) -> None:
        """UnknownTenant is a werkzeug NotFound with the tenant's name."""
        with as_tenant(app, "unknown"), pytest.raises(UnknownTenant) as caught:
            _ = app.extensions["dynamo"].connection
        assert isinstance(caught.value, werkzeug.exceptions.NotFound)
        assert caught.value.tenant == "unknown"

    def test_an_error_of_the_loader_is_not_cached(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """An error of the loader ends the use, and the next use calls the loader again."""
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
        """A loader that returns anything but a string or None is a TypeError."""
        db.tenant_loader(t.cast("t.Any", lambda: 7))
        with app.app_context(), pytest.raises(TypeError, match="db.tenant_loader must return the name .* not int"):
            _ = db.current_tenant

    def test_a_loader_that_uses_dynamodb_is_refused(
        self, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """A loader that uses DynamoDB for the tenant would call itself, and is refused."""
        db.tenant_loader(lambda: str(thread_model.get("forum", "subject")))
        with (
            app.app_context(),
            pytest.raises(RuntimeError, match=r"uses DynamoDB to look up the tenant.*without_tenant"),
        ):
            thread_model.count("forum")

    def test_a_loader_may_use_dynamodb_for_no_tenant(
        self, app: flask.Flask, db: dynaflask.Dynamo, recorder: recorders.Recorder, thread_model: t.Any
    ) -> None:
        """A loader may read the app's own tables in a without_tenant block."""

        @db.tenant_loader
        def load() -> str:
            with db.without_tenant(reason="sign in"):
                thread_model.get("user", "acme")
            return "acme"

        with app.app_context():
            thread_model.get("forum", "subject")
        assert [request.body["TableName"] for request in recorder.requests] == ["Thread", "acme-Thread"]

    def test_threads_that_share_a_context_call_it_once(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """The second thread waits for the first one's call, and uses its result."""
        is_called, may_return, calls = threading.Event(), threading.Event(), []

        @db.tenant_loader
        def load() -> str:
            calls.append(1)
            is_called.set()
            assert may_return.wait(30)
            return "acme"

        with app.app_context(), concurrent.futures.ThreadPoolExecutor(2) as threads:
            scope = app.extensions["dynamo"].scope
            futures = [threads.submit(lambda: scope.tenant) for _ in range(2)]
            assert is_called.wait(30)
            may_return.set()
            assert [future.result(30) for future in futures] == ["acme", "acme"]
        assert calls == [1]

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
    def test_a_fork_does_not_wait_for_a_thread_of_its_parent(self, app: flask.Flask, db: dynaflask.Dynamo) -> None:
        """A child that is forked while a thread of the parent calls the loader calls the loader itself."""
        parent, is_called, may_return = os.getpid(), threading.Event(), threading.Event()

        @db.tenant_loader
        def load() -> str:
            is_called.set()
            assert os.getpid() != parent or may_return.wait(2 * forks.SECONDS)
            return "acme"

        with app.app_context(), concurrent.futures.ThreadPoolExecutor(1) as threads:
            scope = app.extensions["dynamo"].scope
            future = threads.submit(lambda: scope.tenant)
            assert is_called.wait(30)
            exit_code = forks.exit_code_of(lambda: scope.tenant == "acme")
            may_return.set()
            assert (exit_code, future.result(30)) == (0, "acme")

    def test_the_known_tenant_is_read_without_a_call(
        self, app: flask.Flask, db: dynaflask.Dynamo, loaded: list[str]
    ) -> None:
        """known_tenant is the tenant after its first use, and never calls the loader."""
        with as_tenant(app, "acme"):
            scope = app.extensions["dynamo"].scope
            before = scope.known_tenant
            assert (before, db.current_tenant, scope.known_tenant) == (None, "acme", "acme")
            with db.using(read_timeout_seconds=5):
                assert app.extensions["dynamo"].scope.known_tenant == "acme"


class TestRequired:
    """With DYNAMODB_REQUIRE_TENANT, each use of DynamoDB needs a tenant."""

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
        """Each use without a tenant is refused before anything is sent, and the error says what to do."""
        with strict.app_context(), pytest.raises(TenantRequired, match=r"'strict' needs a tenant.*db.tenant\("):
            USES[use](db, thread_model)
        assert recorder.requests == []

    def test_a_client_is_refused_outside_of_contexts(self, strict: flask.Flask) -> None:
        """registry.get_client outside of a context has no tenant, and is refused."""
        with pytest.raises(TenantRequired, match="outside of a context of the app"):
            strict.extensions["dynamo"].get_client()

    def test_with_a_tenant_a_call_works(self, strict: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any) -> None:
        """A block for a tenant is enough."""
        with strict.app_context(), db.tenant("acme"):
            assert thread_model.get("forum", "subject").subject == "subject"

    def test_another_app_needs_no_tenant(
        self, strict: flask.Flask, app: flask.Flask, db: dynaflask.Dynamo, thread_model: t.Any
    ) -> None:
        """DYNAMODB_REQUIRE_TENANT of one app has no effect on another."""
        with app.app_context():
            assert thread_model.Meta.table_name == "Thread"
            with strict.app_context(), pytest.raises(TenantRequired):
                _ = thread_model.Meta.table_name
