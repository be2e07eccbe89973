"""The panel for Flask-DebugToolbar shows the operations of a request, its advice, and nothing of another app."""

from __future__ import annotations

import collections.abc as cabc
import contextlib
import html
import re
import threading
import typing as t

import flask
import pytest
import werkzeug.serving
from flask_debugtoolbar import DebugToolbarExtension

import dynaflask
from dynaflask.integrations.debugtoolbar import add_panel
from dynaflask.operations.caller import Caller
from dynaflask.operations.operation import ThrottlingReason
from tests.support import caches
from tests.support import engines
from tests.support import servers
from tests.support.browser import emulate
from tests.support.browser import screenshot
from tests.support.operations import make_operation
from tests.support.screenshots import check_picture
from tests.support.settings import MakeApp

PAGE = "<!doctype html><html><body><h1>Threads</h1></body></html>"
SECRET = "wJalrXUtnFEMI"
CONFIG_PANEL = "flask_debugtoolbar.panels.config_vars.ConfigVarsDebugPanel"
ATTACK = '<img src=x onerror="document.title=1">'


@pytest.fixture
def make(make_app: MakeApp, ministack: engines.Engine, thread_model: t.Any) -> t.Callable[..., flask.Flask]:
    """Makes an app with a toolbar, a table in ministack, and a page that reads it."""

    def make(name: str = "app", **settings: t.Any) -> flask.Flask:
        account = engines.Account(secret_access_key=SECRET)
        own = {key.removeprefix("DYNAMODB_").lower(): value for key, value in ministack.settings(account).items()}
        app = make_app(name, **{**own, "record_operations": True, **settings})
        app.config.update(SECRET_KEY="hush", DEBUG_TB_ENABLED=True, DEBUG_TB_HOSTS=("127.0.0.1",))
        DebugToolbarExtension(app).jinja_env.bytecode_cache = caches.TEMPLATES
        add_panel(app)
        with app.app_context():
            thread_model.create_table(wait=True)

        @app.get("/")
        def show() -> str:
            thread_model.count("confidential")
            return PAGE

        @app.get("/advised")
        def scan() -> str:
            list(thread_model.scan())
            return PAGE

        @app.get("/idle")
        def idle() -> str:
            return PAGE

        return app

    return make


def panel_of(app: flask.Flask, path: str = "/", **options: t.Any) -> str:
    """The text of the panel on a page."""
    page = app.test_client().get(path, **options).text
    match = re.search(r'id="flDebugDynamoPanel-content".*?(?=<div id="flDebug)', page, re.DOTALL)
    assert match is not None, page
    return text_of(match[0])


def text_of(markup: str) -> str:
    """The text of HTML, in one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup.partition(">")[2])).split())


def subtitle_of(app: flask.Flask, path: str = "/") -> str:
    """The text of the panel's button."""
    page = app.test_client().get(path).text
    match = re.search(r'<li id="flDebugDynamoPanel">.*?</li>', page, re.DOTALL)
    assert match is not None, page
    return text_of(match[0])


def test_it_shows_the_operations_of_the_request(make: t.Callable[..., flask.Flask]) -> None:
    """Each has its model, table, bind, counts and line; the button has the sums."""
    app = make(binds={"archive": {}})
    row = rf"Thread\.Query {app.config['DYNAMODB_TABLE_PREFIX']}Thread default [\d.]+ 0 1 \S+test_debugtoolbar\.py:\d+"
    assert re.search(rf"\d+\.\d\d {row} in show", panel_of(app))
    assert re.fullmatch(r"DynamoDB 1 call, \d+\.\d ms, [\d.]+ units", subtitle_of(app))
    assert "Advice" not in panel_of(app)


def test_it_shows_the_advice(make: t.Callable[..., flask.Flask]) -> None:
    """The advice names the line, the problem and the fix."""
    panel = panel_of(make(), "/advised")
    assert re.search(r"Advice .*test_debugtoolbar\.py:\d+ in scan Thread\.Scan reads the whole table in a", panel)
    assert "Query by a hash key or by an index" in panel


def test_a_request_without_operations(make: t.Callable[..., flask.Flask]) -> None:
    """The panel says that there were no operations."""
    app = make()
    assert "The request has made no call to DynamoDB." in panel_of(app, "/idle")
    assert subtitle_of(app, "/idle") == "DynamoDB 0 calls, 0.0 ms, 0 units"


@pytest.mark.parametrize("settings", [{"record_operations": False}, {"record_operations": False, "meter": True}])
def test_an_app_that_records_nothing(make: t.Callable[..., flask.Flask], settings: dict[str, t.Any]) -> None:
    """The panel names the setting that records operations."""
    app = make(**settings)
    assert "Set DYNAMODB_RECORD_OPERATIONS = True before db.init_app(app)" in panel_of(app)
    assert subtitle_of(app) == "DynamoDB not recorded"


def test_without_lines(make: t.Callable[..., flask.Flask]) -> None:
    """An app that keeps its operations for ``Server-Timing`` alone has no lines."""
    panel = panel_of(make(record_operations=False, server_timing=True))
    assert re.search(r"Thread\.Query .* 0 1$", panel)


def test_an_app_without_a_database() -> None:
    """The panel of an app without ``Dynamo`` is empty."""
    app = flask.Flask("plain")
    app.config.update(SECRET_KEY="hush", DEBUG_TB_ENABLED=True)
    DebugToolbarExtension(app)
    add_panel(app)
    app.get("/")(lambda: PAGE)
    assert subtitle_of(app) == "DynamoDB not recorded"


class TestAddPanel:
    """``add_panel``."""

    def test_the_other_panels_stay(self) -> None:
        """The default panels come first, and the panel is added once."""
        app = flask.Flask("forum")
        DebugToolbarExtension(app)
        default = app.config["DEBUG_TB_PANELS"]
        add_panel(app)
        add_panel(app)
        assert app.config["DEBUG_TB_PANELS"] == (*default, "dynaflask.integrations.debugtoolbar.DynamoPanel")
        assert len(default) > 5

    def test_a_list_of_panels_is_copied(self) -> None:
        """An app that shares its list of panels with another app adds the panel to its own alone."""
        panels = [CONFIG_PANEL]
        us, eu = flask.Flask("us"), flask.Flask("eu")
        for app in (us, eu):
            app.config["DEBUG_TB_PANELS"] = panels
        add_panel(us)
        assert [len(app.config["DEBUG_TB_PANELS"]) for app in (us, eu)] == [2, 1]

    def test_it_needs_the_toolbar(self) -> None:
        """Before the toolbar there are no panels to keep."""
        with pytest.raises(RuntimeError, match=r"'forum' has no Flask-DebugToolbar yet. Call toolbar.init_app\(app\)"):
            add_panel(flask.Flask("forum"))


def test_two_apps(make: t.Callable[..., flask.Flask]) -> None:
    """A panel has the operations of its own app, also where a request of another app runs within the request."""
    us, eu = make("us"), make("eu")

    @us.get("/both")
    def call_the_other() -> str:
        assert eu.config["DYNAMODB_TABLE_PREFIX"] in panel_of(eu)
        return us.view_functions["show"]()

    panel = panel_of(us, "/both")
    assert us.config["DYNAMODB_TABLE_PREFIX"] in panel
    assert eu.config["DYNAMODB_TABLE_PREFIX"] not in panel


def test_two_tenants(make: t.Callable[..., flask.Flask], db: dynaflask.Dynamo) -> None:
    """A request shows the operations of its own tenant alone."""
    db.tenant_loader(lambda: flask.request.headers["X-Tenant"] if flask.has_request_context() else None)
    app = make()
    acme, globex = (panel_of(app, headers={"X-Tenant": tenant}) for tenant in ("acme", "globex"))
    assert ("acme" in acme, "globex" in acme) == (True, False)
    assert ("acme" in globex, "globex" in globex) == (False, True)


def test_no_secret_and_no_key_value_is_shown(make: t.Callable[..., flask.Flask]) -> None:
    """No panel but the toolbar's own panel of the configuration has a credential, or the key that was read."""
    app = make()
    app.config["DEBUG_TB_PANELS"] = [path for path in app.config["DEBUG_TB_PANELS"] if path != CONFIG_PANEL]
    page = app.test_client().get("/").text
    assert "flDebugDynamoPanel" in page
    hidden = (SECRET, app.config["DYNAMODB_AWS_ACCESS_KEY_ID"], "confidential")
    assert [value for value in hidden if value in page] == []


def test_a_streamed_response_has_no_toolbar(make: t.Callable[..., flask.Flask], thread_model: t.Any) -> None:
    """A response that makes its calls while it is sent is as it was."""
    app = make()

    @app.get("/streamed")
    def stream() -> flask.Response:
        parts = (str(part()) for part in (lambda: PAGE, lambda: thread_model.count("flask")))
        return flask.Response(flask.stream_with_context(parts))

    assert app.test_client().get("/streamed").text == f"{PAGE}0"


def record(app: flask.Flask, **values: t.Any) -> None:
    """Record an operation of the request."""
    fields = {"operation": "Query", "app_name": app.name, **values}
    app.extensions["dynamo"].recorder.record(make_operation(**fields))


@pytest.fixture
def attacked(make: t.Callable[..., flask.Flask]) -> flask.Flask:
    """An app with a page whose operations have a piece of HTML in each of their strings."""
    app = make("forum", tenants={"acme": {}, "globex": {}})

    @app.get("/attacked")
    def attack() -> str:
        fields = ("operation", "bind_key", "model", "table", "tenant", "error", "index_name", "route")
        names = {field: f"{field} {ATTACK}" for field in fields}
        caller = Caller(f"/srv/{ATTACK}.py", 31, ATTACK)
        reason = ThrottlingReason(f"KeyRangeThroughputExceeded {ATTACK}", f"resource {ATTACK}")
        record(app, **names, throttling_reasons=(reason,), caller=caller, is_consistent=True, scanned_count=5)
        return PAGE

    return app


def test_everything_is_escaped(attacked: flask.Flask) -> None:
    """A name that is HTML is text on the page, in the operations, the advice and the titles."""
    page = attacked.test_client().get("/attacked").text
    assert "<img" not in page
    panel = panel_of(attacked, "/attacked")
    shown = ("operation", "bind_key", "model", "table", "tenant", "error", "index_name", "resource")
    assert [name for name in shown if f"{name} {ATTACK}" not in panel] == []
    assert "gets too many calls" in panel


@contextlib.contextmanager
def served(app: flask.Flask) -> cabc.Iterator[str]:
    """Serve an app on loopback within the block."""
    server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class TestInChromium:
    """The panel in a browser."""

    def test_it_opens_with_its_button(self, browser: t.Any, make: t.Callable[..., flask.Flask]) -> None:
        """A click on the button shows the table with the operation."""
        with served(make()) as url:
            browser.get(url)
            panel = browser.find_element("id", "flDebugDynamoPanel-content")
            assert not panel.is_displayed()
            browser.find_element("css selector", "#flDebugDynamoPanel a").click()
            assert panel.is_displayed()
            assert "Thread.Query" in panel.find_element("css selector", "tbody tr").text
            assert severe(browser) == []

    def test_the_operations_can_be_sorted(self, browser: t.Any, make: t.Callable[..., flask.Flask]) -> None:
        """A click on a heading sorts the operations."""
        app = make()

        @app.get("/three")
        def three() -> str:
            for milliseconds in (2, 3, 1):
                record(app, duration_seconds=milliseconds / 1000)
            return PAGE

        with served(app) as url:
            browser.get(f"{url}/three")
            browser.find_element("css selector", "#flDebugDynamoPanel a").click()
            browser.find_element("css selector", "#flDebugDynamoPanel-content .flDebugTablesorter th").click()
            assert servers.eventually(lambda: first_column(browser) == ["1.00", "2.00", "3.00"])

    def test_the_picture(self, browser: t.Any, make: t.Callable[..., flask.Flask], thread_model: t.Any) -> None:
        """The picture is the panel of a page that reads one thread, a forum, and the whole table."""
        app = make(table_prefix="forum-")

        @app.get("/forum")
        def forum() -> str:
            thread_model("flask", "Blueprints or two apps?").save()
            thread_model.get("flask", "Blueprints or two apps?")
            list(thread_model.query("flask"))
            list(thread_model.scan())
            return PAGE

        with served(app) as url:
            emulate(browser, width=1280, height=720)
            browser.get(f"{url}/forum")
            browser.find_element("css selector", "#flDebugDynamoPanel a").click()
            png = browser.get_screenshot_as_png()
            check_picture(browser, "debug-toolbar.png", png, selector="#flDebugDynamoPanel-content")

    def test_no_name_becomes_an_element(self, browser: t.Any, attacked: flask.Flask) -> None:
        """A name that is HTML makes no element and runs no script."""
        with served(attacked) as url:
            screenshot(browser, f"{url}/attacked", width=1280)
            browser.find_element("css selector", "#flDebugDynamoPanel a").click()
            panel = browser.find_element("id", "flDebugDynamoPanel-content")
            assert f"tenant {ATTACK}" in panel.text
            assert browser.find_elements("tag name", "img") == []
            assert browser.title != "1"


def first_column(browser: t.Any) -> list[str]:
    """The first cell of each operation."""
    script = "return [...document.querySelectorAll(arguments[0])].map(cell => cell.innerText)"
    cells: list[str] = browser.execute_script(script, "#flDebugDynamoPanel-content tbody td:first-child")
    return cells


def severe(browser: t.Any) -> list[t.Any]:
    """The errors in the browser's console, other than the icon that no app has."""
    return [
        entry
        for entry in browser.get_log("browser")
        if entry["level"] == "SEVERE" and "favicon.ico" not in entry["message"]
    ]
