"""The gallery for those who see or move otherwise: by an instrument, and by keys."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser.conftest import OpenPage
from tests.browser.mixed import job_id

if TYPE_CHECKING:
    from playwright.sync_api import Page

expect = pytest.importorskip(
    "playwright.sync_api", reason="there is no Playwright here: make install"
).expect

PICKED = "&".join(f"picked={job_id('film', look)}" for look in ("fog", "rain"))
STATES = {
    "the grid": "",
    "the wall": "show=wall&size=s",
    "the details of a film": f"open={job_id('film', 'fog')}",
    "the details of a held job": f"open={job_id('lost', 'rain')}",
    "side by side": f"show=compare&{PICKED}",
    "the vote": "show=vote",
    "the charts": "show=charts",
}
OPENED = {
    "the filters": ("Filter", "[role=group][aria-label=Filter]"),
    "the axes": ("Axes", "[role=group][aria-label=Axes]"),
    "the keys": ("Keys", "dialog[open]"),
}
ALL = "'wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'"
RULES = """axe.run(document, {
  runOnly: [%s],
  resultTypes: ['violations'],
}).then(({violations}) => violations.flatMap(({id, nodes}) =>
  nodes.map(({html, failureSummary}) => `${id}: ${html} ${failureSummary}`)))"""
ROWS = 7  # and that of the headings


@cache
def axe() -> str:
    package = pytest.importorskip("axe_playwright_python")
    return Path(package.__file__).with_name("axe.min.js").read_text()


def complaints(page: Page, rules: str = ALL) -> list[str]:
    page.evaluate(axe())
    found: list[str] = page.evaluate(RULES % rules)
    return found


@pytest.mark.parametrize("state", STATES)
def test_an_instrument_finds_nothing_in_light_and_dark(
    open_page: OpenPage, mixed: Path, state: str
) -> None:
    page = open_page(mixed, at=STATES[state], bypass_csp=True)
    page.locator("main > *").first.wait_for()

    light = complaints(page)
    page.emulate_media(color_scheme="dark")
    dark = complaints(page, "'color-contrast'")

    assert [light, dark] == [[], []]


@pytest.mark.parametrize("opened", OPENED)
def test_an_instrument_finds_nothing_in_what_is_opened(
    open_page: OpenPage, mixed: Path, opened: str
) -> None:
    button, found = OPENED[opened]
    page = open_page(mixed, bypass_csp=True)

    page.get_by_role("button", name=re.compile(f"^{button}")).click()
    page.locator(found).wait_for()

    assert complaints(page) == []


def test_an_instrument_finds_nothing_where_colours_and_motion_are_the_reader_s(
    open_page: OpenPage, mixed: Path
) -> None:
    page = open_page(
        mixed,
        at=f"open={job_id('film', 'fog')}",
        bypass_csp=True,
        forced_colors="active",
        reduced_motion="reduce",
        viewport={"width": 390, "height": 844},
    )

    assert complaints(page) == []


def test_the_instrument_finds_something(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed, bypass_csp=True)

    page.evaluate("document.querySelector('#search').removeAttribute('aria-label')")
    page.evaluate("document.querySelector('.count').style.color = '#ddd'")

    found = {complaint.split(":")[0] for complaint in complaints(page)}
    assert "color-contrast" in found


RING = """() => {
  const {outlineStyle, outlineWidth} = getComputedStyle(document.activeElement);
  return document.activeElement !== document.body
    && outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2;
}"""


def test_all_is_reached_by_keys_alone_and_the_focus_is_seen(
    open_page: OpenPage, mixed: Path
) -> None:
    page = open_page(mixed, at="q=film")
    focused = page.locator("[role=gridcell]:focus")

    for _ in range(40):
        page.keyboard.press("Tab")
        assert page.evaluate(RING), page.evaluate("document.activeElement.outerHTML")
        if focused.count():
            break
    expect(focused).to_have_attribute("aria-label", re.compile("^film-fog"))
    page.keyboard.press("k")
    expect(page.locator("video")).to_have_count(1)
    page.keyboard.press("4")
    expect(focused.locator(".mark.is-stars")).to_contain_text("4")
    page.keyboard.press("c")
    page.keyboard.press("ArrowRight")
    expect(focused).to_have_attribute("aria-label", re.compile("^film-rain"))
    page.keyboard.press("c")
    page.keyboard.press("Enter")
    expect(page.locator(".details")).to_be_focused()
    page.keyboard.press("Escape")
    expect(focused).to_have_attribute("aria-label", re.compile("^film-rain"))
    assert page.evaluate(RING)
    page.keyboard.press("Shift+C")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")

    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(focused).to_have_attribute("aria-label", re.compile("^film-rain"))
    assert page.evaluate(RING)


def test_rows_and_columns_are_told_with_their_headings_and_numbers(
    open_page: OpenPage, mixed: Path
) -> None:
    page = open_page(mixed, viewport={"width": 700, "height": 420})
    page.locator("[role=gridcell]").first.focus()
    page.keyboard.press("Control+End")
    page.locator("[role=gridcell][aria-label^=lost-sun]:focus").wait_for()

    devtools = page.context.new_cdp_session(page)
    tree = devtools.send("Accessibility.getFullAXTree")["nodes"]
    named: dict[str, list[str]] = {}
    for node in tree:
        role = node.get("role", {}).get("value")
        named.setdefault(role, []).append(node.get("name", {}).get("value", ""))

    assert "lost-sun: not bought yet" in named["gridcell"]
    assert "lost" in "".join(named["rowheader"])
    assert "sun" in "".join(named["columnheader"])
    place = page.locator("[role=gridcell]:focus")
    row = place.locator("xpath=ancestor::*[@role='row']")
    assert row.get_attribute("aria-rowindex") == str(ROWS + 1)
    assert place.get_attribute("aria-colindex") == "4"
    grid = page.get_by_role("grid")
    assert grid.get_attribute("aria-rowcount") == str(ROWS + 1)
    failed = page.locator("[role=gridcell][aria-label^='lost-fog']")
    said = re.compile("^lost-fog: failed: The prompt is not allowed")
    expect(failed).to_have_attribute("aria-label", said)
