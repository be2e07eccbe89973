"""The dashboard: a page for operators alone, with what one app does to DynamoDB."""

from __future__ import annotations

import collections
import concurrent.futures
import contextlib
import gc
import html
import http.client
import pathlib
import re
import subprocess
import sys
import typing as t
import weakref

import flask
import pytest
from pynamodb.attributes import UnicodeAttribute
from pynamodb.exceptions import GetError

import dynaflask
from dynaflask.integrations.dashboard import STATE
from dynaflask.integrations.dashboard import Dashboard
from dynaflask.operations.operation import Operation
from dynaflask.registry.context import EXTENSION
from tests.support import engines
from tests.support import recorder as recorders
from tests.support.browser import screenshot
from tests.support.pages import served
from tests.support.paths import PROJECT
from tests.support.paths import environment
from tests.support.servers import eventually
from tests.support.settings import KEYS
from tests.support.settings import MakeApp

SECTIONS = ("load", "tenants", "models", "throttles", "tables", "operations", "advice", "binds")


@pytest.fixture
def make(make_app: MakeApp, recorder: recorders.Recorder) -> MakeApp:
    """Makes an app with the dashboard at ``/dashboard``."""

    def make(name: str = "app", *, authorize: t.Any = lambda: True, **settings: t.Any) -> flask.Flask:
        app = make_app(name, **{"host": recorder.url, "region": "us-east-1", **KEYS, **settings})
        app.register_blueprint(Dashboard(authorize=authorize), url_prefix="/dashboard")
        return app

    return make


def page_of(app: flask.Flask, query: str = "") -> str:
    response = app.test_client().get(f"/dashboard{query}")
    assert response.status_code == 200
    return response.text


def section(page: str, name: str) -> str:
    """The text of one section."""
    part = page.partition(f'<section id="{name}"')[2].partition("</section>")[0]
    return html.unescape(" ".join(re.sub(r"<[^>]+>", " ", part).split()))


class TestAuthorize:
    """Who sees the page."""

    @pytest.mark.parametrize("value", [None, True, "admin"])
    def test_it_is_refused_without_a_function(self, value: t.Any) -> None:
        """Without a function that says who may see it, there is no dashboard."""
        with pytest.raises(dynaflask.ConfigurationError, match=r"Dashboard\(authorize=\.\.\.\) takes a function"):
            Dashboard(authorize=value)

    def test_it_is_not_there_by_itself(self, make_app: MakeApp) -> None:
        """An app has no dashboard unless it registers one."""
        app = make_app(**KEYS)
        assert STATE not in app.extensions
        assert not any("dashboard" in rule.rule for rule in app.url_map.iter_rules())

    @pytest.mark.parametrize("value", [False, None, 0, 1, "yes", object()])
    def test_any_value_but_true_is_forbidden(
        self, make: MakeApp, recorder: recorders.Recorder, value: t.Any, thread_model: t.Any
    ) -> None:
        """Only True opens the page. Nothing is read, and the answer has no data."""
        app = make("forum-us", authorize=lambda: value, tenants={"acme": {}})
        with app.app_context(), dynaflask_of(app).tenant("acme"):
            thread_model.count("flask")
        recorder.requests.clear()
        response = app.test_client().get("/dashboard?tenant=acme")
        assert response.status_code == 403
        assert not any(name in response.text for name in ("acme", "Thread", "forum-us"))
        assert recorder.requests == []

    @pytest.mark.parametrize(("value", "status"), [(True, 200), (False, 403)])
    def test_a_coroutine_function(self, make: MakeApp, value: bool, status: int) -> None:
        """A coroutine function is awaited: a coroutine is a true value, and no permission."""

        async def authorize() -> bool:
            return value

        assert make(authorize=authorize).test_client().get("/dashboard").status_code == status

    def test_a_response_is_sent_instead(self, make: MakeApp) -> None:
        """A redirect to the login is sent, and an error keeps its status."""
        app = make(authorize=lambda: flask.redirect("/login"))
        assert app.test_client().get("/dashboard").location == "/login"
        app = make(authorize=lambda: flask.abort(404))
        assert app.test_client().get("/dashboard").status_code == 404


def dynaflask_of(app: flask.Flask) -> dynaflask.Dynamo:
    registry: dynaflask.Registry = app.extensions["dynamo"]
    return registry.dynamo


class TestPage:
    """What the page has."""

    def test_all_sections(self, make: MakeApp) -> None:
        """An app without a call has all sections."""
        app = make()
        assert all(section(page_of(app), name) for name in SECTIONS)
        assert "The last 1 s of one worker" in page_of(app)

    def test_it_runs_no_script_and_loads_nothing(self, make: MakeApp) -> None:
        """The policy allows the page's own style sheet alone, and the page has no script. No cache keeps it."""
        responses = [make().test_client().get("/dashboard") for _ in range(2)]
        policies = [response.headers["Content-Security-Policy"] for response in responses]
        for response, policy in zip(responses, policies, strict=True):
            assert re.search(r'<style nonce="([\w-]+)"', response.text)[1] in policy  # type: ignore[index]
            assert policy.startswith("default-src 'none'; style-src 'nonce-")
            assert not re.search(
                r"<script|javascript:|\bon\w+=|https?://|style=", response.text.replace("http://127", "")
            )
            assert response.headers["Cache-Control"] == "no-store"
        assert policies[0] != policies[1]

    def test_two_apps_and_two_tenants(self, make: MakeApp, thread_model: t.Any) -> None:
        """A page has the tenants and calls of its app alone."""
        tenants = {"acme": {}, "globex": {}}
        us, eu = make("us", tenants=tenants, tenant_capacity=5, meter=True), make("eu", tenants=tenants)
        for app, name in ((us, "acme"), (us, "globex"), (us, "globex"), (eu, "acme")):
            with app.app_context(), dynaflask_of(app).tenant(name):
                thread_model.count("flask")
        for app, rows in ((us, {"acme": 1, "globex": 2}), (eu, {"acme": 1})):
            row = r"(acme|globex) \S+ \S+ % (?:no limit|\S+ % of 5/s) (\d) 0 0"
            tenants_of_app = section(page_of(app), "tenants")
            assert {name: int(calls) for name, calls in re.findall(row, tenants_of_app)} == rows
            assert ("of 5/s" in tenants_of_app) is (app is us)
        assert "Thread Query 3" in section(page_of(us), "models")
        assert "Thread Query 1" in section(page_of(eu), "models")

    def test_one_object_for_two_apps(
        self, make_app: MakeApp, thread_model: t.Any, recorder: recorders.Recorder
    ) -> None:
        """One object that two apps register has counts for each of them, and twice in one app it counts once."""
        dashboard = Dashboard(authorize=lambda: True)
        us, eu = (make_app(name, host=recorder.url, region="us-east-1", **KEYS) for name in ("us", "eu"))
        for app in (us, eu):
            app.register_blueprint(dashboard, url_prefix="/dashboard")
        us.register_blueprint(dashboard, url_prefix="/other", name="other")
        with us.app_context():
            thread_model.count("flask")
        assert "Thread Query 1" in section(page_of(us), "models")
        assert "No calls" in section(page_of(eu), "models")
        assert "Thread Query 1" in section(us.test_client().get("/other/").text, "models")

    def test_lines_routes_and_advice(self, make: MakeApp, thread_model: t.Any) -> None:
        """Operations have their line and route without a further setting; advice needs the record of operations."""
        plain, recorded = make("plain"), make("recorded", record_operations=True)
        for app in (plain, recorded):
            app.add_url_rule("/scan", "scan_threads", lambda: str(len(list(thread_model.scan()))))
            app.test_client().get("/scan")
            assert re.search(
                r"Thread\.Scan .+ scan_threads integrations/dashboard/test_dashboard\.py:\d+", in_operations(app)
            )
        assert "Set DYNAMODB_RECORD_OPERATIONS = True" in section(page_of(plain), "advice")
        assert "Thread.Scan reads the whole table in a request. Query" in section(page_of(recorded), "advice")

    def test_throttles_have_what_to_do(self, make: MakeApp) -> None:
        """DynamoDB's reason is shown with what to do."""
        app = make()
        reason = ("TableWriteKeyRangeThroughputExceeded", "arn:aws:dynamodb:us-east-1:1:table/Thread")
        fields: dict[str, t.Any] = {"table": "Thread", "tenant": "acme", "duration_seconds": 0.1, "is_throttled": True}
        operation = Operation(
            **{"operation": "PutItem", "app_name": "app", "bind_key": "default", "model": "Thread", **fields},
            error="ThrottlingException",
            throttling_reasons=(t.cast("t.Any", reason),),
        )
        app.extensions[EXTENSION].recorder.record(operation)
        assert f"{' '.join(reason)} 1 One partition gets too many calls." in section(page_of(app), "throttles")

    def test_tables(self, make: MakeApp, ministack: engines.Engine, account: engines.Account, db: t.Any) -> None:
        """A table has its state, or why it has none, and a dead bind is shown as such."""
        settings = {key[9:].lower(): value for key, value in ministack.settings(account).items()}
        app = make(**settings, binds={"dead": {"host": "http://127.0.0.1:9", "region": "eu-west-1"}})
        declared = [
            type(db.Model)(
                name,
                (db.Model,),
                {
                    "__module__": __name__,
                    "Meta": type("Meta", (), {"table_name": name, "billing_mode": "PAY_PER_REQUEST", **meta}),
                    "id": UnicodeAttribute(hash_key=True),
                },
            )
            for name, meta in (("Made", {}), ("Missing", {}), ("Lost", {"bind_key": "dead"}))
        ]
        with app.app_context():
            db.create_all(models=declared[:1], wait=True)
        tables = section(page_of(app), "tables")
        assert "Made Made default ACTIVE 0 0 B nothing no" in tables
        assert "Missing default It does not exist. Create it with `flask dynamo create`" in tables
        assert "Lost dead TableError: DescribeTable failed" in tables
        binds = section(page_of(app), "binds")
        assert re.search(r"default us-east-1 127\.0\.0\.1:\d+ yes 1 \d direct", binds)
        assert f"dead eu-west-1 127.0.0.1:9 no: see the table {account.table_prefix}Lost" in binds
        with app.app_context():
            db.drop_all(models=declared[:1])

    def test_a_dead_endpoint(self, make: MakeApp, thread_model: t.Any) -> None:
        """The page of an app whose endpoint is dead says so."""
        app = make(host="http://127.0.0.1:9", max_retry_attempts=0)
        assert "Could not connect" in section(page_of(app), "tables")

    def test_tables_of_a_tenant(self, make: MakeApp, thread_model: t.Any) -> None:
        """The page shows the tables of the tenant in its query, escaped, and names the unknown one."""
        app = make(tenants={"acme": {"table_prefix": "acme-"}})
        assert "acme-Thread" in section(page_of(app, "?tenant=acme"), "tables")
        assert "not checked" in section(page_of(app, "?tenant=acme"), "binds")
        page = page_of(app, "?tenant=<script>alert(1)</script>")
        assert "<script" not in page
        assert "The name of a tenant has at most" in section(page, "tables")

    def test_everything_is_escaped(self, make: MakeApp) -> None:
        """Names that reach an operation from elsewhere are escaped."""
        app, evil = make(), "<img src=x>\"'"
        operation = Operation(
            "GetItem", evil, evil, evil, evil, evil, 0.1, 1.0, error=evil, is_throttled=True, route=evil
        )
        app.extensions[EXTENSION].recorder.record(operation)
        page = page_of(app)
        assert "<img" not in page
        assert page.count("&lt;img src=x&gt;&#34;&#39;") > 5

    def test_no_secrets_and_no_keys(self, make: MakeApp, thread_model: t.Any, recorder: recorders.Recorder) -> None:
        """Neither secrets nor values of keys are on the page, also of failed calls."""
        app = make(record_operations=True, meter=True, max_retry_attempts=0)
        with app.app_context():
            thread_model("very-private", "subject").save()
            thread_model.count("very-private")
        error = {"__type": "ValidationException", "message": f"very-private {KEYS['aws_secret_access_key']}"}
        recorder.answer = lambda request: (400, error) if request.operation == "GetItem" else None
        with app.app_context(), pytest.raises(GetError):
            thread_model.get("very-private", "subject")
        assert not any(word in page_of(app) for word in ("very-private", KEYS["aws_secret_access_key"]))


def in_operations(app: flask.Flask) -> str:
    return section(page_of(app), "operations")


class TestApp:
    """How the page lives in an app."""

    def test_its_template_is_its_own(self, make: MakeApp) -> None:
        """Delimiters, templates and context processors of the app have no effect on the page."""
        app = make()
        app.jinja_options = {"variable_start_string": "[[", "variable_end_string": "]]"}
        app.context_processor(lambda: pytest.fail("The context processor was called."))
        assert "<title>DynamoDB: app</title>" in page_of(app)

    def test_an_app_that_is_not_initialised(self) -> None:
        """The page of an app without dynaflask is an error that names the app."""
        app = flask.Flask("bare")
        app.testing = True
        app.register_blueprint(Dashboard(authorize=lambda: True), url_prefix="/dashboard")
        with pytest.raises(RuntimeError, match="The app 'bare' is not initialised"):
            app.test_client().get("/dashboard")

    def test_an_app_ends_as_without_it(self, make: MakeApp) -> None:
        """The counts keep no app alive, and end with it."""
        app = make()
        page_of(app)
        reference, activity = weakref.ref(app), weakref.ref(app.extensions[STATE].activity)
        del app
        gc.collect()
        assert (reference(), activity()) == (None, None)

    def test_the_page_uses_no_tenant_and_calls_no_loader(self, make: MakeApp, db: dynaflask.Dynamo) -> None:
        """The page works for operators who belong to no tenant, also where each use of an item needs one."""
        db.tenant_loader(lambda: pytest.fail("The loader was called."))
        assert section(page_of(make(require_tenant=True)), "tables")


@pytest.mark.parametrize("screen", [(1280, False), (1280, True), (390, False), (390, True)])
def test_the_page_fits_a_screen_and_a_phone(
    make: MakeApp, thread_model: t.Any, browser: t.Any, tmp_path: pathlib.Path, screen: tuple[int, bool]
) -> None:
    """In Chromium, nothing is wider than the window, no error is logged, and the page follows the dark mode."""
    width, dark = screen
    app = make(tenants={"a" * 100: {}}, record_operations=True)
    with app.app_context(), dynaflask_of(app).tenant("a" * 100):
        thread_model.count("flask")
    with served(app) as url:
        browser.get_log("browser")  # of other pages
        screenshot(browser, f"{url}/dashboard", width=width, dark=dark)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        light = browser.execute_script("return getComputedStyle(document.body).backgroundColor == 'rgb(246, 247, 249)'")
        assert light is not dark
        assert [heading.text for heading in browser.find_elements("tag name", "h2")][1:3] == ["Tenants", "Models"]
        assert browser.get_log("browser") == []


def test_each_worker_of_gunicorn_shows_itself(recorder: recorders.Recorder) -> None:
    """Two workers of a preloaded app count for themselves, and neither counts what the master did before the fork."""
    port = engines.free_port()
    command = [sys.executable, "-m", "gunicorn", "tests.support.dashboard_program:application", "--preload"]
    options = ["--bind", f"127.0.0.1:{port}", "--workers", "2", "--log-level", "error"]
    server = subprocess.Popen([*command, *options], env=environment(RECORDER_URL=recorder.url), cwd=PROJECT)
    try:
        assert eventually(lambda: get(port, "/dashboard"))
        calls, pages = collections.Counter[str](), dict[str, str]()

        def call() -> bool:
            calls.update(clients.map(lambda _: get(port, "/count"), range(20)))
            return len(calls) == 2

        def load() -> bool:
            pages.update(clients.map(page_by_process, [port] * 8))
            return len(pages) == 2

        with concurrent.futures.ThreadPoolExecutor(4) as clients:
            assert eventually(call)
            assert eventually(load)
    finally:
        server.terminate()
        server.wait(timeout=30)
    assert {process: int(re.findall(r"Thread Query (\d+)", page)[0]) for process, page in pages.items()} == calls


def get(port: int, path: str) -> str:
    """The body of a response; empty while the server does not answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection), contextlib.suppress(ConnectionRefusedError):
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    return ""


def page_by_process(port: int) -> tuple[str, str]:
    """A page, and the process that it names."""
    page = get(port, "/dashboard")
    return re.findall(r"process (\d+)", page)[0], section(page, "models")
