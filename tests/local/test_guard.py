"""The local server answers programs on this machine, and no web page."""

from __future__ import annotations

import collections.abc as cabc
import pathlib
import sys
import typing as t

import pytest

from dynaflask import local
from dynaflask.exceptions import LocalServerError
from tests.support import servers

RESET = "/_ministack/reset"
PAGES = [
    {"Origin": "http://web.page"},
    {"Origin": "null"},
    {"origin": "http://127.0.0.1:5000"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-origin"},
    {"Host": "web.page"},
    {"Host": "127.0.0.1.web.page:80"},
    {"Host": "web.page:127"},
    {"Host": ""},
]


@pytest.fixture(scope="module", autouse=True)
def stopped() -> cabc.Iterator[None]:
    """End the server at the start and the end of this file, not of each test."""
    local.stop()
    yield
    local.stop()


@pytest.fixture
def url() -> str:
    """The server of all tests, with one table."""
    url = local.endpoint()
    if not servers.client(url).list_tables()["TableNames"]:
        servers.create_table(url, "thread")
    return url


@pytest.fixture
def no_server() -> cabc.Iterator[None]:
    """End the server before and after a test that starts one of its own. These are the last of the file."""
    local.stop()
    yield
    local.stop()


@pytest.mark.parametrize("headers", PAGES, ids=str)
def test_a_web_page_is_refused(url: str, headers: dict[str, str]) -> None:
    """A request that a browser sends for a page, or to a name that resolves to loopback, is answered with 403."""
    assert servers.status(url, RESET, method="POST", **headers) == 403
    assert servers.status(url, "/", method="POST", **headers) == 403
    assert servers.client(url).list_tables()["TableNames"] == ["thread"]


def test_a_preflight_is_refused(url: str) -> None:
    """A browser asks with OPTIONS before it sends headers such as X-Amz-Target, and is not told that it may."""
    headers = {"Origin": "http://web.page", "Access-Control-Request-Method": "POST"}
    assert servers.status(url, "/", method="OPTIONS", **headers) == 403


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_a_loopback_name_with_any_port_is_answered(url: str, host: str) -> None:
    """A program may use any name of loopback, and reach the server through a forwarded port."""
    for name in (host, f"{host}:8000"):
        assert servers.status(url, "/_ministack/health", Host=name) == 200


def test_a_url_that_the_user_types_is_answered(url: str) -> None:
    """A browser says of a URL that the user has typed that no page has sent it."""
    assert servers.status(url, "/_ministack/health", **{"Sec-Fetch-Site": "none"}) == 200


def test_a_websocket_is_refused(url: str) -> None:
    """A page's request for a WebSocket is refused, too."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "eA==",
    }
    assert servers.status(url, "/", Origin="http://web.page", **upgrade) == 403


def test_the_guard_stays_out_of_this_process(url: str) -> None:
    """Only the server's process gets the guard."""
    assert "guard" not in str(getattr(sys.modules.get("sitecustomize"), "__file__", ""))


@pytest.mark.usefixtures("no_server")
def test_a_ministack_without_the_guard_is_refused(ministack_script: t.Any) -> None:
    """An executable whose Python does not read PYTHONPATH is an error, and its server is ended."""
    ministack_script('unset PYTHONPATH; exec "$REAL"')
    with pytest.raises(LocalServerError, match="would let any web page in your browser read and delete the data"):
        local.endpoint()


@pytest.mark.usefixtures("no_server")
def test_the_sitecustomize_of_the_environment_runs(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard does not replace a ``sitecustomize.py`` that PYTHONPATH already names."""
    (tmp_path / "sitecustomize.py").write_text(f"import pathlib; pathlib.Path({str(tmp_path / 'ran')!r}).touch()")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert servers.status(local.endpoint(), RESET, method="POST", Origin="null") == 403
    assert (tmp_path / "ran").exists()
