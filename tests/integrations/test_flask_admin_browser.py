"""Flask-Admin in Chromium: a person lists, filters, creates, edits and deletes, on a desk and on a phone."""

from __future__ import annotations

import collections.abc as cabc
import threading
import typing as t

import flask
import flask_admin
import pytest
from pynamodb.attributes import MapAttribute
from pynamodb.attributes import NumberAttribute
from pynamodb.attributes import UnicodeAttribute
from werkzeug.serving import make_server

import dynaflask
from dynaflask.integrations.flask_admin import ModelView
from tests.support import engines
from tests.support.browser import emulate
from tests.support.browser import screenshot
from tests.support.screenshots import check_picture


class View(ModelView):
    """A view that shows everything, three items on a page."""

    can_export = True
    can_view_details = True
    page_size = 3


@pytest.fixture
def thread(db: dynaflask.Dynamo) -> t.Any:
    """A model."""

    class Thread(db.Model):  # type: ignore[name-defined]
        class Meta:
            table_name = "Thread"
            billing_mode = "PAY_PER_REQUEST"

        forum_name = UnicodeAttribute(hash_key=True)
        subject = UnicodeAttribute(range_key=True)
        text = UnicodeAttribute(null=True)
        views = NumberAttribute(default=0)
        author: t.Any = MapAttribute(null=True)

    return Thread


THREADS = [{"subject": f"a <b>{number}</b>", "text": "two\nlines", "author": {"n": 1}} for number in range(7)]
# Without anything to escape, for the picture.
PLAIN_THREADS = [
    {"subject": "Blueprints or two apps?", "text": "What do you use?", "views": 31, "author": {"name": "Ann"}},
    {"subject": "Hello & welcome", "text": "Say who you are.", "views": 207, "author": {"name": "Bob"}},
    {"subject": "Which hash key?", "views": 12, "author": {"name": "Ann", "role": "moderator"}},
]


@pytest.fixture
def url(
    request: pytest.FixtureRequest,
    thread: t.Any,
    make_app: cabc.Callable[..., flask.Flask],
    db: dynaflask.Dynamo,
    ministack: engines.Engine,
) -> cabc.Iterator[str]:
    """The list of a running app with threads, of which the first five are about Flask."""
    settings = ministack.settings(engines.Account())
    app = make_app(**{key.removeprefix("DYNAMODB_").lower(): value for key, value in settings.items()})
    app.secret_key = "secret"
    flask_admin.Admin(app, name="Forum").add_view(View(thread))
    with app.app_context():
        db.create_all(wait=True)
        for number, fields in enumerate(getattr(request, "param", THREADS)):
            thread("flask" if number < 5 else "django", **fields).save()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    worker = threading.Thread(target=server.serve_forever)
    worker.start()
    yield f"http://127.0.0.1:{server.server_port}/admin/thread/"
    server.shutdown()
    worker.join()
    server.server_close()


def subjects(browser: t.Any) -> list[str]:
    """The subjects on the page."""
    return [cell.text for cell in browser.find_elements("css selector", "td.col-subject")]


def wait_for(condition: cabc.Callable[[], bool]) -> None:
    """Wait until the page of the last click is there."""
    from selenium.common.exceptions import StaleElementReferenceException
    from selenium.webdriver.support.wait import WebDriverWait

    wait: t.Any = WebDriverWait(None, 60, ignored_exceptions=[StaleElementReferenceException])
    wait.until(lambda _: condition())


def click(browser: t.Any, selector: str) -> None:
    """Click on the first element."""
    element = browser.find_element("css selector", selector)
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'}); arguments[0].click()", element)


def submit(browser: t.Any, **fields: str) -> None:
    """Fill in the form of a page, and save it."""
    for name, text in fields.items():
        field = browser.find_element("name", name)
        field.clear()
        field.send_keys(text)
    click(browser, "form.admin-form input[type=submit]")
    wait_for(lambda: bool(browser.find_elements("css selector", ".alert")))


def test_the_list_leads_on_and_an_edit_leads_back(browser: t.Any, url: str) -> None:
    """A person goes to the second page, edits an item, and is on the second page again."""
    browser.get(url)
    first = subjects(browser)
    click(browser, ".pagination li:nth-child(2) a")
    wait_for(lambda: subjects(browser) != first)
    second = subjects(browser)
    assert not set(first) & set(second)
    click(browser, "a[title='Edit Record']")
    wait_for(lambda: bool(browser.find_elements("name", "text")))
    assert browser.find_element("name", "subject").get_attribute("readonly")
    submit(browser, views="12")
    assert subjects(browser) == second
    assert browser.find_element("css selector", "td.col-views").text == "12"
    assert "two\nlines" in browser.find_element("css selector", "td.col-text").get_attribute("textContent")


def test_a_filter_is_added_from_the_menu(browser: t.Any, url: str) -> None:
    """The menu offers the keys; a filter for one shows its items."""
    browser.get(url)
    click(browser, "a.dropdown-toggle")
    assert [entry.text for entry in browser.find_elements("css selector", "a.filter")] == ["Forum Name", "Subject"]
    click(browser, "a.filter")
    browser.find_element("css selector", "#filter_form input.filter-val").send_keys("django")
    click(browser, "#filter_form button[type=submit]")
    wait_for(lambda: len(subjects(browser)) == 2)
    assert subjects(browser) == ["a <b>5</b>", "a <b>6</b>"]


def test_an_item_is_deleted_by_its_button(browser: t.Any, url: str) -> None:
    """The list keeps its filter, and has one item less."""
    browser.get(f"{url}?flt0_0=django")
    assert subjects(browser) == ["a <b>5</b>", "a <b>6</b>"]
    browser.execute_script("window.confirm = () => true")
    click(browser, "form.icon button")
    wait_for(lambda: bool(browser.find_elements("css selector", ".alert-success")))
    assert subjects(browser) == ["a <b>6</b>"]


def test_a_form_keeps_what_was_typed(browser: t.Any, url: str) -> None:
    """A value that does not fit is an error at its field, and the rest of the form stays."""
    browser.get(f"{url}new/")
    submit(browser, forum_name="django", subject="é <i>", views="many")
    assert "The value must be a number." in browser.find_element("css selector", "form.admin-form").text
    submit(browser, views="1")
    browser.get(f"{url}?flt0_0=django")
    assert subjects(browser) == ["a <b>5</b>", "a <b>6</b>", "é <i>"]


@pytest.mark.parametrize("width", [1280, 390])
def test_the_pages_fit(browser: t.Any, url: str, width: int) -> None:
    """No page is wider than the window, also on a phone."""
    item = '%5B"flask","a <b>0</b>"%5D'
    for page in ("", "?flt0_0=django&flt1_2=a", "new/", f"edit/?id={item}", f"details/?id={item}"):
        screenshot(browser, url + page, width=width)
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("url", [pytest.param(PLAIN_THREADS, id="threads")], indirect=True)
def test_the_picture(browser: t.Any, url: str) -> None:
    """The picture is the list with a filter."""
    emulate(browser, width=1000, height=660)
    browser.get(f"{url}?flt0_0=flask")
    check_picture(browser, "admin.png", browser.get_screenshot_as_png(), selector=".model-list")
