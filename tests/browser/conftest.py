"""A browser for the tests of pages, and pages whose every complaint fails the test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OpenPage: TypeAlias = "Callable[..., Page]"

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="there is no Playwright here: make install"
    )
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here: apt-get install chromium")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[OpenPage]:
    """Return what `opening` gives, for one test."""
    with opening(browser) as open_page:
        yield open_page


@contextmanager
def opening(browser: Browser) -> Iterator[OpenPage]:
    """Give a function that opens a page at a view, with options of its context.

    `before` may change the page before it is opened; with `quiet` false a console may
    say something.
    """
    complaints: list[str] = []
    contexts = []

    def open_page(
        where: Path | str,
        *,
        at: str = "",
        before: Callable[[Page], None] = lambda _: None,
        quiet: bool = True,
        **options: Any,  # noqa: ANN401
    ) -> Page:
        view = {"viewport": {"width": 1300, "height": 900}, **options}
        context = browser.new_context(**view)
        contexts.append(context)
        page = context.new_page()
        if quiet:
            page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        before(page)
        url = where if isinstance(where, str) else where.resolve().as_uri()
        page.goto(f"{url}#{at}" if at else url)
        page.wait_for_selector(".waiting[role=status]", state="detached")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page with all kinds of results; the longest film takes 4 seconds."""
    from tests.browser.mixed import mixed_page

    return mixed_page(tmp_path_factory.mktemp("mixed"), longest_s=4)
