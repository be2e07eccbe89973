"""The example with everything that ``everything.cfg`` switches on, on a server of its own."""

from __future__ import annotations

import base64
import collections.abc as cabc
import contextlib
import itertools
import json
import pathlib
import re
import signal
import subprocess
import sys
import time
import typing as t
import urllib.error
import urllib.parse
import urllib.request

import pytest

from dynaflask.registry.models import STATIC_MODELS
from examples.forum.app import create_app
from examples.forum.models import Thread
from examples.forum.models import db
from examples.forum.operations import MODULES
from examples.forum.sites import SITES as CONFIGURED
from examples.forum.sites import create_site
from examples.forum.sites import read_settings
from tests.support import engines
from tests.support import servers
from tests.support.browser import emulate
from tests.support.forum_program import SECRETS
from tests.support.paths import PROJECT
from tests.support.paths import environment

SETTINGS = PROJECT / "examples/forum/everything.cfg"
WAIT_SECONDS = 60
SITES = ("us", "eu")
TENANTS = ("acme", "globex")
OPERATOR = {"Authorization": "Basic " + base64.b64encode(b"op:hush-password").decode()}
# Parts of keys, which only pages of items may show.
KEYS = ("k-12345", "s-12345")


class Forum(t.NamedTuple):
    """The running forum.

    Attributes:
        url: Its URL.
        process: Its process.
        output: What it has written.
    """

    url: str
    process: subprocess.Popen[bytes]
    output: pathlib.Path

    def get(self, address: str, **headers: str) -> str:
        """The response to a request of an operator."""
        return self.send("GET", address, headers=OPERATOR | headers)[1]

    def post(self, site: str, tenant: str) -> int:
        """Create a thread of a tenant; the status of the response."""
        thread = dict(zip(("forum_name", "subject"), (f"{site}-{tenant}-{key}" for key in KEYS), strict=True))
        headers = {"X-Tenant": tenant, "Content-Type": "application/json"}
        return self.send("POST", f"/{site}/threads", json.dumps(thread), headers=headers)[0]

    def send(self, method: str, address: str, body: str = "", *, headers: dict[str, str]) -> tuple[int, str]:
        """The status and the text of the response to a request."""
        request = urllib.request.Request(  # noqa: S310 - of a server of the test
            self.url + address, body.encode() or None, headers, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=WAIT_SECONDS) as response:  # noqa: S310
                return response.status, f"{response.headers}\n{response.read().decode()}"
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def stop(self) -> str:
        """End the process, as Ctrl-C does; all that it has written."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(WAIT_SECONDS)
        return self.output.read_text(encoding="utf-8")


@contextlib.contextmanager
def running_forum(engine: engines.Engine, *, account: str, output: pathlib.Path) -> cabc.Iterator[Forum]:
    """The forum with all of its operations, with a thread of each tenant of each site."""
    options = ("--port", "0", "--settings", str(SETTINGS))
    variables = environment(FORUM_DYNAMODB_HOST=engine.url, PYTHONUNBUFFERED="1")
    with (
        output.open("w") as file,
        subprocess.Popen(
            [sys.executable, "-m", "tests.support.forum_program", account, *options],
            cwd=PROJECT,
            env=variables,
            stdout=file,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            forum = Forum(wait_for_url(process, output), process, output)
            assert [forum.post(site, tenant) for site in SITES for tenant in TENANTS] == [201] * 4
            yield forum
        finally:
            process.kill()
            drop_tables(engine, account=account)


def wait_for_url(process: subprocess.Popen[bytes], output: pathlib.Path) -> str:
    """The URL that the forum writes when it is ready."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (ready := re.search(r"^The forum runs .* at (http://[\d.:]+)/$", output.read_text(), re.MULTILINE)):
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.05)
    return ready[1]


def drop_tables(engine: engines.Engine, *, account: str) -> None:
    """Drop the tables of each site and of its tenants."""
    STATIC_MODELS.add(Thread)  # the tests of other files do not see it
    for name in SITES:
        own = {**CONFIGURED[name], "DYNAMODB_HOST": engine.url, "DYNAMODB_AWS_ACCESS_KEY_ID": account}
        with create_app(own).app_context():
            db.drop_all()
            for tenant in TENANTS:
                with db.tenant(tenant):
                    db.drop_all()


@pytest.fixture(scope="module")
def forum(ministack: engines.Engine, tmp_path_factory: pytest.TempPathFactory) -> cabc.Iterator[Forum]:
    """A forum for the tests that only read."""
    with running_forum(ministack, account="333333333333", output=tmp_path_factory.mktemp("forum") / "output") as forum:
        yield forum


@contextlib.contextmanager
def running_workers(engine: engines.Engine, *, account: str, directory: pathlib.Path) -> cabc.Iterator[Forum]:
    """The forum in two workers of gunicorn, which a master forks after it has made the tables."""
    port, output, metrics = engines.free_port(), directory / "output", directory / "metrics"
    metrics.mkdir()
    program = f"tests.support.forum_program:create_application('{account}')"
    options = ["--preload", "--workers", "2", "--bind", f"127.0.0.1:{port}", "--log-level", "error"]
    variables = {"FORUM_SETTINGS": str(SETTINGS), "PROMETHEUS_MULTIPROC_DIR": str(metrics)}
    with (
        output.open("w") as file,
        subprocess.Popen(
            [sys.executable, "-m", "gunicorn", program, *options],
            cwd=PROJECT,
            env=environment(FORUM_DYNAMODB_HOST=engine.url, **variables),
            stdout=file,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        try:
            forum = Forum(f"http://127.0.0.1:{port}", process, output)
            assert servers.eventually(lambda: servers.answers(forum.url)), output.read_text()
            yield forum
        finally:
            process.terminate()
            process.wait(WAIT_SECONDS)
            drop_tables(engine, account=account)


def test_each_worker_shows_the_metrics_of_all(ministack: engines.Engine, tmp_path: pathlib.Path) -> None:
    """Prometheus reads one worker at a time: with two workers, each one shows the calls of both, of its site alone."""
    processes: set[str] = set()
    calls = 0

    def both_have_worked() -> bool:
        nonlocal calls
        forum.send("GET", "/us/threads/none", headers={"X-Tenant": "acme"})
        calls += 1
        processes.update(re.findall(r"process (\d+)", forum.get("/us/dashboard")))
        return len(processes) == 2

    with running_workers(ministack, account="444444444444", directory=tmp_path) as forum:
        assert servers.eventually(both_have_worked)
        forum.send("GET", "/eu/threads/none", headers={"X-Tenant": "acme"})
        pages = [forum.get("/us/metrics") for _ in range(4)]
    count = 'dynaflask_operation_seconds_count{app="forum-us",bind="default",model="Thread",operation="Query",'
    assert {re.findall(rf"^{re.escape(count)}.* (\S+)$", page, re.MULTILINE)[0] for page in pages} == {f"{calls}.0"}
    assert not any("forum-eu" in page for page in pages)


def revealed(text: str) -> list[str]:
    """The secrets and parts of keys that a text has."""
    return [value for value in (*SECRETS.values(), *KEYS) if value in text]


def test_each_site_has_its_own_metrics_and_dashboard(forum: Forum) -> None:
    """Each site counts its own calls by tenant, and its dashboard shows them. No page has a secret or a key."""
    for site, other in (SITES, SITES[::-1]):
        metrics, dashboard = forum.get(f"/{site}/metrics"), forum.get(f"/{site}/dashboard")
        for tenant in TENANTS:
            assert f'dynaflask_tenant_calls_total{{app="forum-{site}",outcome="success",tenant="{tenant}"}} ' in metrics
            assert f">{tenant}<" in dashboard
        assert f"forum-{other}" not in metrics
        assert f"{other}-Thread" not in dashboard
        assert "of 100/s" in dashboard
        assert "forum/views.py" in dashboard
        # Its policy lets it load no script and no style sheet of the toolbar.
        assert "flDebug" not in dashboard
        assert revealed(metrics) == revealed(dashboard) == []


@pytest.mark.parametrize("address", ["metrics", "dashboard", "admin/", "admin/thread/"])
def test_only_operators_see_the_pages(forum: Forum, address: str) -> None:
    """Without the operators' password, each page is a 401 without data."""
    for headers in ({}, {"Authorization": "Basic " + base64.b64encode(b"op:wrong").decode()}):
        status, page = forum.send("GET", f"/us/{address}", headers=headers)
        assert (status, "acme" in page, "Thread" in page) == (401, False, False)


def test_the_toolbar_shows_the_calls_and_no_secret(forum: Forum) -> None:
    """The panel has the calls of the page, with advice; that of items has the tenant's own, and the site's links."""
    for site in SITES:
        for tenant, other in (TENANTS, TENANTS[::-1]):
            page = forum.get(f"/{site}/admin/thread/", **{"X-Tenant": tenant})
            assert 'href="/admin' not in page
            assert [f"{site}-{name}-{KEYS[0]}" in page for name in (tenant, other)] == [True, False]
            panel = page.partition('id="flDebugDynamoPanel')[2]
            assert "Thread.Scan reads the whole table in a request." in panel
            assert f"{site}-{tenant}-Thread" in panel
            assert revealed(panel) == []
            assert all(secret not in page for secret in SECRETS.values())


def test_a_response_has_the_time_of_its_calls(forum: Forum) -> None:
    """The header names models and numbers alone."""
    response = forum.get("/us/threads?views=7", **{"X-Tenant": "acme"})
    (header,) = re.findall("(?i)^server-timing: (.*)$", response, re.MULTILINE)
    assert '"1 call' in header
    assert "Thread.Query" in header
    assert revealed(header) == []


def test_logs_spans_durations_and_reports(ministack: engines.Engine, tmp_path: pathlib.Path) -> None:
    """Each call has one span in the trace of its request, and one in Sentry. No output has a secret or a key."""
    account = "444444444444"
    with running_forum(ministack, account=account, output=tmp_path / "output") as forum:
        forum.get("/us/admin/thread/", **{"X-Tenant": "acme"})
        drop_tables(ministack, account=account)
        assert forum.post("eu", "globex") == 500
        output = forum.stop()
    assert revealed(output) == []
    documents = [document for document in read_documents(output) if isinstance(document, dict)]
    check_spans([document for document in documents if "context" in document])
    advice = [document for document in documents if document.get("logger") == "dynaflask.advice"]
    assert {(line["app"], line["tenant"]) for line in advice} == {("forum-us", "acme")}
    durations = [document for document in documents if "resource_metrics" in document]
    assert "db.client.operation.duration" in json.dumps(durations)
    check_reports(documents)


def check_reports(documents: list[dict[str, t.Any]]) -> None:
    """Each call has one span of its transaction, and the error has the breadcrumb of its call."""
    errors = [document for document in documents if "exception" in document]
    crumbs = [crumb for error in errors for crumb in error["breadcrumbs"]["values"] if crumb["category"] == "dynamodb"]
    # The others are those of the start, which created the tables.
    (crumb,) = [crumb for crumb in crumbs if "PutItem" in crumb["message"]]
    assert (crumb["message"], crumb["data"]["dynaflask.tenant"]) == ("PutItem eu-globex-Thread", "globex")
    transactions = [document for document in documents if document.get("type") == "transaction" and "spans" in document]
    names = [span["description"] for event in transactions for span in event["spans"] if span["op"] == "db"]
    counts = [names.count(f"PutItem {site}-{tenant}-Thread") for site in SITES for tenant in TENANTS]
    assert counts == [1, 1, 1, 2]


def check_spans(spans: list[dict[str, t.Any]]) -> None:
    """Each call has one span, whose parent is the span of its request, of the same site."""
    requests = {span["context"]["span_id"]: span for span in spans if span["kind"] == "SpanKind.SERVER"}
    calls = [span for span in spans if span["attributes"].get("db.system.name") == "aws.dynamodb"]
    puts = [span["name"] for span in calls if span["parent_id"] and span["name"].startswith("PutItem")]
    expected = [f"PutItem {site}-{tenant}-Thread" for site in SITES for tenant in TENANTS]
    assert sorted(puts) == sorted([*expected, "PutItem eu-globex-Thread"])
    for span in calls:
        service = span["resource"]["attributes"]["service.name"]
        assert service == span["attributes"]["dynaflask.app"] == f"forum-{span['name'].split()[-1][:2]}"
        if span["parent_id"] is not None:
            assert requests[span["parent_id"]]["resource"]["attributes"]["service.name"] == service


def read_documents(output: str) -> cabc.Iterator[t.Any]:
    """The JSON documents in a text with other lines, each from the beginning of a line."""
    decoder = json.JSONDecoder()
    for match in re.finditer(r"^(?=\{)", output, re.MULTILINE):
        with contextlib.suppress(ValueError):
            yield decoder.raw_decode(output, match.end())[0]


@pytest.fixture
def operator(browser: t.Any) -> cabc.Iterator[t.Any]:
    """A browser whose requests have the operators' password, and name a tenant."""
    browser.execute_cdp_cmd("Network.enable", {})
    browser.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {**OPERATOR, "X-Tenant": "acme"}})
    yield browser
    browser.execute_cdp_cmd("Network.setExtraHTTPHeaders", {"headers": {}})
    browser.get("about:blank")


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_pages_in_a_browser(forum: Forum, operator: t.Any, width: int, is_dark: bool) -> None:
    """The pages fit on a desk and on a phone."""
    emulate(operator, width=width, dark=is_dark)
    for site, page in itertools.product(SITES, ("dashboard", "admin/thread/", "")):
        operator.get(f"{forum.url}/{site}/{page}")
        assert operator.execute_script("return document.documentElement.scrollWidth") <= width
        has_toolbar = bool(operator.find_elements("id", "flDebug"))
        assert has_toolbar == (page != "dashboard")
        if page == "admin/thread/":
            assert f"{site}-acme-{KEYS[0]}" in operator.page_source
            check_panel(operator, width=width)


def check_panel(browser: t.Any, *, width: int) -> None:
    """A click on the toolbar opens the panel, which fits and shows the call of the page."""
    panel = browser.find_element("id", "flDebugDynamoPanel-content")
    browser.execute_script("arguments[0].click()", browser.find_element("css selector", "#flDebugDynamoPanel a"))
    assert panel.is_displayed()
    assert panel.size["width"] <= width
    assert "Thread.Scan" in panel.text


def test_everything_is_off_by_default() -> None:
    """Without the setting file, a site has none of the pages, and makes no header."""
    site = create_site("us", {})
    client = site.test_client()
    pages = [client.get(address, auth=("", "operator")).status_code for address in ("/metrics", "/admin/")]
    assert pages == [404, 404]
    assert "Server-Timing" not in client.get("/swagger.json").headers


def test_the_setting_file_names_all_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file switches on each module. The environment may name it, for a server with workers."""
    assert read_settings(SETTINGS)["FORUM_OPERATIONS"] == list(MODULES)
    monkeypatch.setenv("FORUM_SETTINGS", str(SETTINGS))
    assert read_settings()["FORUM_OPERATIONS"] == list(MODULES)
    monkeypatch.delenv("FORUM_SETTINGS")
    assert read_settings() == {}


def test_an_unknown_module_is_refused() -> None:
    """A name in ``FORUM_OPERATIONS`` that there is not is an error that lists the names."""
    with pytest.raises(ValueError, match="may name logs, metrics, traces, errors, admin, toolbar, not 'magic'"):
        create_site("us", {"FORUM_OPERATIONS": ["magic"]})
