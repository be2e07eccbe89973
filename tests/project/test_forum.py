"""The example: two sites of one forum, tested with a test client and over HTTP."""

from __future__ import annotations

import collections.abc as cabc
import concurrent.futures
import contextlib
import html
import http.client
import importlib
import json
import pathlib
import re
import subprocess
import sys
import threading
import time
import typing as t
import urllib.parse

import flask
import pytest
import werkzeug.serving
import werkzeug.test

from dynaflask.integrations.dashboard import STATE
from dynaflask.integrations.dashboard.activity import SLOT_SECONDS
from dynaflask.integrations.dashboard.activity import SLOTS
from dynaflask.integrations.dashboard.activity import WINDOW_SECONDS
from dynaflask.integrations.dashboard.sections import worst
from dynaflask.operations.operation import ThrottlingReason
from dynaflask.registry.context import EXTENSION
from dynaflask.registry.models import STATIC_MODELS
from dynaflask.testing import assert_operations
from dynaflask.testing import fail_next
from examples.forum import __main__ as command
from examples.forum.app import create_app
from examples.forum.models import Thread
from examples.forum.models import db
from examples.forum.sites import SITES
from examples.forum.sites import Sites
from examples.forum.sites import create_application
from examples.forum.sites import create_sites
from examples.forum.sites import create_tables
from tests.support import engines
from tests.support import servers
from tests.support.browser import emulate
from tests.support.browser import screenshot
from tests.support.browser import whole_page
from tests.support.pages import served
from tests.support.paths import PROJECT
from tests.support.screenshots import check_picture

pytestmark = pytest.mark.unmeasured

INTRO = {"forum_name": "Flask", "subject": "Hello & welcome"}
ADDRESS = "/us/threads/Flask/Hello%20%26%20welcome"
ELSEWHERE = "/eu/threads/Flask/Hello%20%26%20welcome"
MISSING = {"message": "There is no such thread."}


@pytest.fixture(autouse=True)
def accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each site an account of the test's own, because the tests share an engine."""
    use_accounts({name: engines.Account() for name in SITES}, monkeypatch)


def use_accounts(accounts: cabc.Mapping[str, engines.Account], monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each site its account."""
    for name, account in accounts.items():
        monkeypatch.setitem(SITES[name], "DYNAMODB_AWS_ACCESS_KEY_ID", account.access_key_id)


@pytest.fixture(scope="module")
def accounts_with_tables() -> dict[str, engines.Account]:
    """The account of each site that has all of its tables, from the first test that needs them."""
    return {}


@pytest.fixture
def sites(
    ministack: engines.Engine, accounts_with_tables: dict[str, engines.Account], monkeypatch: pytest.MonkeyPatch
) -> cabc.Iterator[Sites]:
    """The configured sites and their tables. The threads of the test are deleted after it."""
    monkeypatch.setenv("FORUM_DYNAMODB_HOST", ministack.url)
    STATIC_MODELS.add(Thread)  # the tests of other files do not see it
    is_first = not accounts_with_tables
    if is_first:
        accounts_with_tables.update({name: engines.Account() for name in SITES})
    use_accounts(accounts_with_tables, monkeypatch)
    sites = create_sites()
    if is_first:
        create_tables(sites)
    yield sites
    for_each_table(sites, delete_threads)


def for_each_table(sites: Sites, work: cabc.Callable[[], object]) -> None:
    """Do this for each site and each of its tenants."""
    for site in sites.values():
        with site.app_context():
            work()
            for name in db.tenant_names:
                with db.tenant(name):
                    work()


def delete_threads() -> None:
    """Delete all threads of the current table."""
    with Thread.batch_write() as batch:
        for thread in Thread.scan():
            batch.delete(thread)


@pytest.fixture
def no_tables(accounts: None, ministack: engines.Engine, monkeypatch: pytest.MonkeyPatch) -> Sites:
    """The configured sites in accounts of the test's own, which have no tables."""
    monkeypatch.setenv("FORUM_DYNAMODB_HOST", ministack.url)
    STATIC_MODELS.add(Thread)
    return create_sites()


@pytest.fixture
def client(sites: Sites) -> werkzeug.test.Client:
    """A client of the whole application: both sites and the start page."""
    return werkzeug.test.Client(create_application(sites))


@pytest.fixture
def thread(client: werkzeug.test.Client) -> None:
    """A thread on one of the sites."""
    client.post("/us/threads", json=INTRO)


@pytest.fixture
def port(sites: Sites) -> cabc.Iterator[int]:
    """The port of a threaded HTTP server with the forum."""
    with werkzeug.serving.make_server("127.0.0.1", 0, create_application(sites), threaded=True) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server.port
        server.shutdown()
        serving.join()


def test_a_new_thread_is_created_and_has_an_address(client: werkzeug.test.Client) -> None:
    """POST returns 201 with the thread and its URL."""
    answer = client.post("/us/threads", json=INTRO)
    assert answer.status_code == 201
    assert answer.json == {**INTRO, "views": 0}
    assert client.get(answer.headers["Location"]).json == {**INTRO, "views": 0}


@pytest.mark.usefixtures("thread")
def test_a_thread_is_not_created_twice(client: werkzeug.test.Client) -> None:
    """Creating an existing thread is a 409 and leaves it unchanged."""
    client.post(f"{ADDRESS}/views")
    answer = client.post("/us/threads", json=INTRO)
    assert answer.status_code == 409
    assert "already" in answer.json["message"]
    assert client.get(ADDRESS).json["views"] == 1


def test_a_name_is_taken_without_the_spaces_around_it(client: werkzeug.test.Client) -> None:
    """Spaces around a name are removed."""
    answer = client.post("/us/threads", json={"forum_name": " Flask ", "subject": "Hello\n"})
    assert answer.json == {"forum_name": "Flask", "subject": "Hello", "views": 0}


@pytest.mark.parametrize("field", ["forum_name", "subject"])
@pytest.mark.parametrize("value", [None, 1, "", "  ", "a/b", "two\nlines", "x" * 101, "\ud800", ["x"]])
def test_a_wrong_field_is_named(client: werkzeug.test.Client, field: str, value: t.Any) -> None:
    """A wrong field is a 400 that names it, and nothing is written."""
    answer = client.post("/us/threads", json={**INTRO, field: value})
    assert answer.status_code == 400
    assert [name for name in INTRO if name in answer.text] == [field]
    assert client.get("/us/threads?views=0").json == []


@pytest.mark.parametrize("body", ["", "{", "[]", '"text"', "null"])
def test_a_body_that_is_no_object_is_refused(client: werkzeug.test.Client, body: str) -> None:
    """A body that is no JSON object is a 400 in JSON."""
    answer = client.post("/us/threads", data=body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json["message"]


def test_a_forum_lists_its_own_threads(client: werkzeug.test.Client) -> None:
    """A forum lists only its own threads, sorted by subject."""
    for forum_name, subject in [("Flask", "b"), ("Flask", "a"), ("PynamoDB", "c")]:
        client.post("/us/threads", json={"forum_name": forum_name, "subject": subject})
    assert [thread["subject"] for thread in client.get("/us/threads/Flask").json] == ["a", "b"]
    assert client.get("/us/threads/Nothing").json == []


def test_threads_are_found_by_their_views(client: werkzeug.test.Client) -> None:
    """The index on views follows updates."""
    for subject in ("seen", "unseen"):
        client.post("/us/threads", json={"forum_name": "Flask", "subject": subject})
    client.post("/us/threads/Flask/seen/views")
    assert [thread["subject"] for thread in client.get("/us/threads?views=0").json] == ["unseen"]
    assert [thread["subject"] for thread in client.get("/us/threads?views=1").json] == ["seen"]


@pytest.mark.parametrize("query", ["", "?views=", "?views=-1", "?views=many", "?views=1.5", "?views=" + "9" * 39])
def test_views_must_be_a_whole_number(client: werkzeug.test.Client, query: str) -> None:
    """Any other value of ``views`` is a 400 that names it."""
    answer = client.get(f"/us/threads{query}")
    assert answer.status_code == 400
    assert list(answer.json["errors"]) == ["views"]


@pytest.mark.usefixtures("thread")
def test_a_view_is_counted(client: werkzeug.test.Client) -> None:
    """Each view adds one, and the response has the updated thread."""
    assert client.post(f"{ADDRESS}/views").json == {**INTRO, "views": 1}
    assert client.post(f"{ADDRESS}/views").json == {**INTRO, "views": 2}
    assert client.get(ADDRESS).json["views"] == 2


@pytest.mark.usefixtures("thread")
def test_a_deleted_thread_is_gone(client: werkzeug.test.Client) -> None:
    """DELETE returns 204, and the thread is gone."""
    answer = client.delete(ADDRESS)
    assert (answer.status_code, answer.data) == (204, b"")
    assert client.get(ADDRESS).status_code == 404


@pytest.mark.parametrize(("method", "address"), [("GET", ADDRESS), ("DELETE", ADDRESS), ("POST", f"{ADDRESS}/views")])
def test_a_missing_thread_is_not_found(client: werkzeug.test.Client, method: str, address: str) -> None:
    """Reading, viewing or deleting a missing thread is a 404 and creates nothing."""
    answer = client.open(address, method=method)
    assert (answer.status_code, answer.json) == (404, MISSING)
    assert client.get("/us/threads/Flask").json == []


@pytest.mark.parametrize(
    ("method", "address", "status"),
    [("GET", "/us/nowhere", 404), ("PUT", "/us/threads", 405), ("GET", "/us/threads/" + "x" * 101, 404)],
)
def test_every_error_of_a_site_is_json(client: werkzeug.test.Client, method: str, address: str, status: int) -> None:
    """Every error of a site is JSON, even where no view matches."""
    answer = client.open(address, method=method)
    assert answer.status_code == status
    assert answer.json["message"]


@pytest.mark.parametrize("name", ["us", "eu"])
def test_each_site_has_its_own_swagger_page(client: werkzeug.test.Client, name: str) -> None:
    """The Swagger page is at the site's root, and its document has the site's URLs."""
    page = client.get(f"/{name}/")
    assert (page.status_code, page.content_type) == (200, "text/html; charset=utf-8")
    assert f"/{name}/swagger.json" in page.text
    document = client.get(f"/{name}/swagger.json").json
    assert (document["info"]["title"], document["basePath"]) == (f"Forum, {name.upper()}", f"/{name}")
    assert document["definitions"]["NewThread"]["required"] == ["forum_name", "subject"]
    assert "/threads/{forum_name}/{subject}/views" in document["paths"]
    script = re.search(rf'src="(/{name}/swaggerui/[^"]+\.js)"', page.text)
    assert script
    with client.get(script[1]) as answer:
        assert answer.status_code == 200


def test_an_unknown_field_is_named(client: werkzeug.test.Client) -> None:
    """An unknown field is a 400 that names it."""
    answer = client.post("/us/threads", json={**INTRO, "views": 1000})
    assert (answer.status_code, list(answer.json["errors"])) == (400, ["views"])


def test_another_failure_is_no_conflict(no_tables: Sites) -> None:
    """A write that fails for another reason than its condition is a 500."""
    assert no_tables["us"].test_client().post("/threads", json=INTRO).status_code == 500


def test_a_list_reads_one_forum(sites: Sites, client: werkzeug.test.Client) -> None:
    """The threads of a forum are one query, and no site scans its table."""
    with assert_operations(max=1, no_scans=True, app=sites["us"]):
        client.get("/us/threads/Flask")


@pytest.mark.usefixtures("thread")
def test_a_fault_of_one_site(sites: Sites, client: werkzeug.test.Client) -> None:
    """While DynamoDB refuses the calls of one site, the other answers."""
    with fail_next("GetItem", "ValidationException", times=None, app=sites["us"]):
        assert client.get(ADDRESS).status_code == 500
        assert client.get(ELSEWHERE).status_code == 404
    assert client.get(ADDRESS).status_code == 200


@pytest.mark.usefixtures("thread")
def test_one_key_is_two_threads_on_two_sites(client: werkzeug.test.Client) -> None:
    """A change of a thread on one site does not affect the thread with the same key on the other."""
    assert client.get(ELSEWHERE).status_code == 404
    client.post("/eu/threads", json=INTRO)
    client.post(f"{ADDRESS}/views")
    assert [client.get(address).json["views"] for address in (ADDRESS, ELSEWHERE)] == [1, 0]
    client.delete(ELSEWHERE)
    assert client.get(ADDRESS).json["views"] == 1


def test_each_table_is_in_its_own_region_and_account(sites: Sites) -> None:
    """The table of a site exists in neither the other site's region nor its account."""
    for name, other in (("us", "eu"), ("eu", "us")):
        own, foreign = sites[name].config, sites[other].config
        assert tables(own) == [f"{name}-Thread", f"{name}-acme-Thread", f"{name}-globex-Thread"]
        assert tables({**own, "DYNAMODB_REGION": foreign["DYNAMODB_REGION"]}) == []
        account = foreign["DYNAMODB_AWS_ACCESS_KEY_ID"]
        assert tables({**own, "DYNAMODB_AWS_ACCESS_KEY_ID": account}) == []


def tables(config: cabc.Mapping[str, t.Any]) -> list[str]:
    app = create_app(config)
    with app.app_context():
        names: list[str] = db.client.list_tables()["TableNames"]
    return names


def test_a_site_is_configured_by_environment_and_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments win over environment variables, which win over the local server."""
    monkeypatch.delenv("FORUM_DYNAMODB_HOST", raising=False)
    assert create_app().extensions["dynamo"].meta(Thread).host == "local"
    monkeypatch.setenv("FORUM_DYNAMODB_HOST", "http://127.0.0.1:8000")
    assert create_app().extensions["dynamo"].meta(Thread).host == "http://127.0.0.1:8000"
    app = create_app({"DYNAMODB_HOST": "http://127.0.0.1:9000"})
    assert app.extensions["dynamo"].meta(Thread).host == "http://127.0.0.1:9000"


def test_making_the_sites_creates_no_table(no_tables: Sites) -> None:
    """Only ``create_tables`` creates tables."""
    werkzeug.test.Client(create_application(no_tables))
    assert [tables(site.config) for site in no_tables.values()] == [[], []]


def test_the_start_page_shows_the_settings_of_each_site(
    client: werkzeug.test.Client, ministack: engines.Engine
) -> None:
    """The start page shows region, endpoint and real table of each site."""
    page = client.get("/").text
    for facts in (["us", "us-west-2", "us-Thread"], ["eu", "eu-west-1", "eu-Thread"]):
        for fact in [*facts, ministack.url]:
            assert fact in section(page, facts[0])


def test_the_start_page_adds_a_thread_to_one_site(client: werkzeug.test.Client) -> None:
    """The form redirects to the page, where only the chosen site has the thread."""
    answer = client.post("/", data={"site": "eu", **INTRO})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    page = client.get("/").text
    assert "Hello &amp; welcome" in section(page, "eu")
    assert "Hello &amp; welcome" not in section(page, "us")


def test_the_start_page_says_once_what_was_added(sites: Sites, client: werkzeug.test.Client) -> None:
    """The message is at the site of the thread, for the browser that sent the form, and gone on the next page."""
    client.post("/", data={"site": "eu", "tenant": "acme", **INTRO})
    client.post("/", data={"site": "eu", "forum_name": "Flask", "subject": "Second"})
    assert "Added" not in werkzeug.test.Client(create_application(sites)).get("/").text
    page = client.get("/").text
    assert re.findall("Added .*?<", section(page, "eu")) == [
        "Added “Hello &amp; welcome” to the forum Flask of acme.<",
        "Added “Second” to the forum Flask of the site itself.<",
    ]
    assert "Added" not in section(page, "us")
    assert "Added" not in client.get("/").text


def test_each_owner_of_a_thread_has_a_name(client: werkzeug.test.Client) -> None:
    """Where a thread, a call or a form has no tenant, the page says so with the same words."""
    client.post("/us/threads", json=INTRO)
    us = section(client.get("/").text, "us")
    assert us.count('<td data-heading="Tenant">the site itself</td>') == 2
    assert '<option value="">the site itself</option>' in us


@pytest.mark.usefixtures("thread")
@pytest.mark.parametrize(
    ("typed", "status", "message"),
    [({**INTRO, "subject": "a/b"}, 400, "subject: The value must be"), (INTRO, 409, "The thread already exists")],
)
def test_a_refused_form_keeps_its_values(
    client: werkzeug.test.Client, typed: dict[str, str], status: int, message: str
) -> None:
    """A refused form is shown again with its values and with the reason at its site."""
    answer = client.post("/", data={"site": "us", **typed})
    assert answer.status_code == status
    assert message in section(answer.text, "us")
    assert f'name="subject" value="{html.escape(typed["subject"])}"' in section(answer.text, "us")
    assert message not in section(answer.text, "eu")


def test_an_unknown_site_is_refused(client: werkzeug.test.Client) -> None:
    """An unknown site is a 400 that lists the sites."""
    answer = client.post("/", data={"site": "mars", **INTRO})
    assert answer.status_code == 400
    assert "site must be one of us, eu." in answer.text


def test_the_start_page_escapes_what_people_wrote(client: werkzeug.test.Client) -> None:
    """HTML in a subject is escaped."""
    client.post("/", data={"site": "us", "forum_name": "Flask", "subject": "<script>x"})
    page = client.get("/").text
    assert "&lt;script&gt;x" in page
    assert "<script>" not in page


@pytest.mark.usefixtures("thread")
def test_one_key_is_a_thread_of_each_tenant_and_of_each_site(client: werkzeug.test.Client) -> None:
    """Each tenant of each site has its own threads, selected by the request's header."""
    owners = [(site, {"X-Tenant": name} if name else {}) for site in ("us", "eu") for name in ("acme", "globex", None)]
    for site, headers in owners[:3:2]:
        client.post(f"/{site}/threads/Flask/Hello%20%26%20welcome/views", headers=headers)
        client.post(f"/{site}/threads", json=INTRO, headers=headers)
    listings = [client.get(f"/{site}/threads/Flask", headers=headers).json for site, headers in owners]
    assert [len(threads) for threads in listings] == [1, 0, 1, 0, 0, 0]
    assert [thread["views"] for threads in listings for thread in threads] == [0, 1]


def test_an_unknown_tenant_is_not_found(client: werkzeug.test.Client) -> None:
    """An unknown tenant is a 404, and nothing is written."""
    answer = client.post("/us/threads", json=INTRO, headers={"X-Tenant": "nobody"})
    assert answer.status_code == 404
    assert client.get("/us/threads/Flask").json == []


def test_the_start_page_shows_what_each_tenant_uses(client: werkzeug.test.Client) -> None:
    """Usage is counted for the tenant of the call, on its site only."""
    client.post("/", data={**INTRO, "site": "us", "tenant": "acme"})
    page = client.get("/").text
    assert ["acme", "Flask", "Hello &amp; welcome", "0"] in rows(section(page, "us"))
    us, eu = (rows(section(page, name).partition("<caption>Usage")[2]) for name in ("us", "eu"))
    assert {tenant: float(written) for tenant, _, _, written in us} == {"the site itself": 0, "acme": 2, "globex": 0}
    assert {float(written) for _, _, _, written in eu} == {0}


def test_a_form_for_an_unknown_tenant_is_refused(client: werkzeug.test.Client) -> None:
    """A form for an unknown tenant is a 404 with the form."""
    answer = client.post("/", data={**INTRO, "site": "us", "tenant": "nobody"})
    assert answer.status_code == 404
    assert 'role="alert"' in section(answer.text, "us")


def section(page: str, name: str) -> str:
    """The section of one site on the start page."""
    return page.partition(f'<section id="{name}"')[2].partition("</section>")[0]


def rows(markup: str) -> list[list[str]]:
    """The cells of each row."""
    return [re.findall("<td[^>]*>(.*?)</td>", row) for row in markup.split("<tr>") if "<td" in row]


def add_in(browser: t.Any, site: str, **fields: str) -> None:
    """Fill in the form of a site, and wait for the focus on the page that follows."""
    form = browser.find_element("css selector", f"#{site} form")
    for name, text in fields.items():
        form.find_element("name", name).send_keys(text)
    form.find_element("tag name", "button").click()
    assert servers.eventually(lambda: browser.find_elements("css selector", "[role=status]:focus, [role=alert]:focus"))


@pytest.mark.parametrize("width", [1280, 390])
def test_a_reader_sees_what_a_form_did(sites: Sites, browser: t.Any, width: int) -> None:
    """After a form, the message has the focus and is on the screen, and no page is wider than it."""
    with served(create_application(sites)) as url:
        emulate(browser, width=width)
        for typed, role in ((INTRO, "status"), (INTRO, "alert")):
            browser.get(url)
            add_in(browser, "eu", **typed)
            message = browser.switch_to.active_element
            assert message.get_attribute("role") == role
            top, bottom = browser.execute_script(
                "const box = arguments[0].getBoundingClientRect(); return [box.top, innerHeight - box.bottom]", message
            )
            assert min(top, bottom) >= 0
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "is_stacked"), [(390, True), (1280, False)])
@pytest.mark.usefixtures("thread")
def test_rows_are_stacked_on_a_phone(sites: Sites, browser: t.Any, width: int, is_stacked: bool) -> None:
    """On a phone, the cells of a row are below each other, each with its heading; on a desk, beside each other."""
    with served(create_application(sites)) as url:
        emulate(browser, width=width)
        browser.get(url)
        cells = browser.find_elements("css selector", "#us tbody tr:first-child td[data-heading]")[:4]
        tops = [cell.rect["y"] for cell in cells]
        script = "return getComputedStyle(arguments[0], '::before').content"
        assert (len(cells), len(set(tops))) == (4, 4 if is_stacked else 1)
        assert browser.execute_script(script, cells[2]) == ('"Subject"' if is_stacked else "none")
        assert browser.find_element("css selector", "#us thead").is_displayed() is not is_stacked


def test_concurrent_views_are_all_counted(port: int) -> None:
    """Concurrent views over eight connections give exact counts on both sites."""
    for site in ("us", "eu"):
        assert call(port, "POST", f"/{site}/threads", INTRO)[0] == 201
    addresses = [f"{ADDRESS}/views"] * 60 + [f"{ELSEWHERE}/views"] * 40
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda address: call(port, "POST", address)[0], addresses))
    assert statuses == [200] * 100
    assert [call(port, "GET", address)[1]["views"] for address in (ADDRESS, ELSEWHERE)] == [60, 40]


def test_concurrent_creations_create_one_thread(port: int) -> None:
    """Of concurrent requests that create one thread, one gets 201 and the others 409."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: call(port, "POST", "/us/threads", INTRO)[0], range(16)))
    assert sorted(answers) == [201] + [409] * 15


def test_the_command_serves_the_forum_on_a_local_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """``python -m examples.forum`` creates the tables and serves sites and start page without further set-up."""
    monkeypatch.delenv("FORUM_DYNAMODB_HOST", raising=False)
    form = urllib.parse.urlencode({"site": "eu", **INTRO})
    with running("--port", "0") as port:
        assert send(port, "POST", "/", form, "application/x-www-form-urlencoded")[0] == 303
        _, page = send(port, "GET", "/")
    assert "Hello &amp; welcome" in section(page, "eu")
    assert "Hello &amp; welcome" not in section(page, "us")


@contextlib.contextmanager
def running(*options: str) -> cabc.Iterator[int]:
    """Runs the command in a process, and gives the port of the URL that it prints."""
    command_line = [sys.executable, "-m", "examples.forum", *options]
    with subprocess.Popen(
        command_line, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            url = t.cast("t.IO[str]", process.stdout).readline().split()[-1]
            yield t.cast("int", urllib.parse.urlsplit(url).port)
        finally:
            process.terminate()


def call(port: int, method: str, address: str, body: t.Any = None) -> tuple[int, t.Any]:
    """Status and JSON of one HTTP request with a JSON body."""
    status, text = send(port, method, address, json.dumps(body), "application/json")
    return status, json.loads(text)


def send(port: int, method: str, address: str, body: str = "", media_type: str = "text/plain") -> tuple[int, str]:
    """Status and text of one HTTP request."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request(method, address, body, {"Content-Type": media_type})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()


def test_the_command_can_create_only_the_tables(monkeypatch: pytest.MonkeyPatch, no_tables: Sites) -> None:
    """``--tables-only`` creates the tables and exits."""
    monkeypatch.setattr(sys, "argv", ["forum", "--tables-only"])
    command.main()
    assert [tables(site.config)[0] for site in no_tables.values()] == ["us-Thread", "eu-Thread"]


def test_the_command_exits_with_the_reason_without_a_local_server(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the local server does not start, the command prints the reason without a traceback."""
    monkeypatch.delenv("FORUM_DYNAMODB_HOST", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "ministack").write_text("#!/bin/sh\nexit 7\n")
    (tmp_path / "ministack").chmod(0o755)
    command_line = [sys.executable, "-m", "examples.forum", "--port", "0"]
    process = subprocess.run(command_line, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == 1
    assert process.stderr.startswith("ministack ended while it started, with exit code 7.")


def test_the_dashboard_of_a_site_asks_for_the_password(client: werkzeug.test.Client) -> None:
    """Without the operators' password, the dashboard is a 401 for which a browser asks."""
    for auth in (None, ("operator", "wrong"), ("operator", "")):
        answer = client.get("/us/dashboard", auth=auth)
        assert (answer.status_code, "acme" in answer.text) == (401, False)
        assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_the_dashboard_shows_one_site(client: werkzeug.test.Client) -> None:
    """The dashboard of a site has its tenants, tables and lines of code, and those of no other site."""
    client.post("/us/threads", json=INTRO, headers={"X-Tenant": "acme"})
    us, eu = (client.get(f"/{site}/dashboard", auth=("", "operator")).text for site in ("us", "eu"))
    assert all(fact in us for fact in (">acme<", "us-Thread", "us-west-2", "forum/views.py", "of 100/s"))
    assert not any(fact in eu for fact in (">acme<", "us-Thread", "us-west-2", "forum/views.py"))


def test_a_site_without_a_password_has_no_dashboard() -> None:
    """Without a password in the settings, there is no dashboard."""
    assert create_app().test_client().get("/dashboard").status_code == 404


def test_the_picture_of_the_dashboard(no_tables: Sites, browser: t.Any) -> None:
    """The picture is the dashboard after five minutes."""
    create_tables(no_tables)
    work_for_five_minutes(no_tables["us"])
    with served(create_application(no_tables)) as url:
        png = screenshot(browser, f"{url.replace('//', '//:operator@')}/us/dashboard", width=1280)
        assert browser.title == "DynamoDB: forum-us"
        check_picture(browser, "dashboard.png", png)


def test_the_picture_of_the_start_page(sites: Sites, browser: t.Any) -> None:
    """The picture is the start page after a reader has added a thread."""
    application = create_application(sites)
    client = werkzeug.test.Client(application)
    for site, tenant, forum_name, subject in (
        ("us", "", "Flask", "Blueprints or two apps?"),
        ("us", "acme", "PynamoDB", "Which hash key for a forum?"),
        ("eu", "globex", "Flask", "Blueprints or two apps?"),
    ):
        fields = {"site": site, "tenant": tenant, "forum_name": forum_name, "subject": subject}
        assert client.post("/", data=fields).status_code == 303
    with served(application) as url:
        emulate(browser, width=1000)
        browser.get(url)
        add_in(browser, "eu", forum_name="Flask", subject="Hello & welcome")
        check_picture(browser, "forum.png", whole_page(browser, width=1000))


def work_for_five_minutes(site: flask.Flask) -> None:
    """Let the tenants of a site make calls, on a clock that runs faster than time does."""
    activity = site.extensions[STATE].activity
    now = activity._clock()
    activity._state.get().started_at = now - WINDOW_SECONDS
    client = site.test_client()
    for slot in range(SLOTS):
        activity._clock = lambda slot=slot: now - WINDOW_SECONDS + (slot + 1) * SLOT_SECONDS
        for tenant, calls in (("acme", 3 + 4 * (slot % 7 == 3)), ("globex", 1 + slot % 3), (None, 1)):
            headers = {"X-Tenant": tenant} if tenant else {}
            for number in range(calls):
                thread = {"forum_name": "Flask", "subject": f"Question {slot}-{number % 4}"}
                client.post("/threads", json=thread, headers=headers)
                client.post(f"/threads/Flask/{thread['subject']}/views", headers=headers)
                client.get(f"/threads/Flask/{thread['subject']}", headers=headers)
            client.get("/threads/Flask", headers=headers)
    activity._clock = time.monotonic
    # No engine has hot partitions.
    reason = ThrottlingReason(
        "TableWriteKeyRangeThroughputExceeded", "arn:aws:dynamodb:us-west-2:111111111111:table/us-acme-Thread"
    )
    update = next(each for each in worst(activity.read()).slowest if each.operation == "UpdateItem")
    throttled = {"error": "ThrottlingException", "is_throttled": True, "throttling_reasons": (reason,)}
    site.extensions[EXTENSION].recorder.record(update._replace(duration_seconds=0.9, write_units=0.0, **throttled))


@pytest.mark.usefixtures("sites")
def test_a_server_with_workers_finds_the_forum() -> None:
    """``examples.forum.wsgi`` has the WSGI application under the name ``application``."""
    wsgi = importlib.import_module("examples.forum.wsgi")
    assert werkzeug.test.Client(wsgi.application).get("/eu/threads/Flask").json == []


@pytest.mark.parametrize(
    ("file", "arguments"), [("tables.json", ["export", "--format", "cloudformation"]), ("policy.json", ["policy"])]
)
def test_the_documents_are_up_to_date(file: str, arguments: list[str]) -> None:
    """The tables and the policy of a site are as its models declare. The documents of another site differ."""
    STATIC_MODELS.add(Thread)  # the tests of other files do not see it
    check = ["dynamo", *arguments, "--check", str(PROJECT / "examples" / "forum" / file)]
    results = {name: site.test_cli_runner().invoke(args=check) for name, site in create_sites().items()}
    assert results["us"].output.endswith("is up to date.\n")
    assert [result.exit_code for result in results.values()] == [0, 1]
