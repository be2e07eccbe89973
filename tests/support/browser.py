"""A browser for tests of pages: the fixture ``browser``. A test skips where Chromium is not installed."""

from __future__ import annotations

import collections.abc as cabc
import shutil
import typing as t

import pytest

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture
def browser(chromium: t.Any) -> t.Any:
    """Chromium, as a driver of selenium, without the log of earlier tests."""
    chromium.get_log("browser")
    return chromium


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> cabc.Iterator[t.Any]:
    """One Chromium for all tests of a process."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.skip("Chromium or chromedriver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for option in (*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(option)
    # With its path: selenium would look for a driver on the net.
    driver = webdriver.Chrome(options, webdriver.ChromeService(chromedriver))
    yield driver
    driver.quit()


def emulate(browser: t.Any, *, width: int, height: int = 900, dark: bool = False) -> None:
    """Give the browser a screen of this size in pixels, and a colour scheme."""
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


def screenshot(browser: t.Any, url: str, *, width: int, dark: bool = False, most_pixels: int = 10_000) -> bytes:
    """A picture of a page, as PNG, in a window of this width and as high as the page, up to a limit."""
    emulate(browser, width=width, dark=dark)
    browser.get(url)
    return whole_page(browser, width=width, dark=dark, most_pixels=most_pixels)


def whole_page(browser: t.Any, *, width: int, dark: bool = False, most_pixels: int = 10_000) -> bytes:
    """A picture of the current page, as PNG, as high as the page, up to a limit."""
    height = browser.execute_script("return document.documentElement.scrollHeight")
    emulate(browser, width=width, height=min(height, most_pixels), dark=dark)
    png: bytes = browser.get_screenshot_as_png()
    return png
