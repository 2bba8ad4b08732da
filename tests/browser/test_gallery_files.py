"""Jobs with several files, as a person goes through them in a real browser."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from tests.browser.conftest import opening
from tests.browser.mixed import job_id, several_page
from tests.browser.test_sandbox_page import CONTRASTS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

playwright = pytest.importorskip(
    "playwright.sync_api", reason="there is no Playwright here: make install"
)
expect = playwright.expect

RAIN, SUN = job_id("set", "rain"), job_id("set", "sun")


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return several_page(tmp_path_factory.mktemp("several"))


@pytest.fixture(scope="module")
def opened(browser: Browser, several: Path) -> Iterator[Page]:
    """Return a page that goes from test to test: to open one takes longest."""
    with opening(browser) as open_page:
        yield open_page(several)


@pytest.fixture
def go(opened: Page, several: Path) -> Callable[[str], Page]:
    """Return what opens the page anew, at a view."""

    def go(view: str) -> Page:
        opened.evaluate("localStorage.clear()")
        opened.goto("about:blank")
        opened.goto(f"{several.as_uri()}#{view}")
        opened.wait_for_selector(".waiting[role=status]", state="detached")
        return opened

    return go


@pytest.fixture
def page(go: Callable[[str], Page]) -> Page:
    return go("")


def cell(page: Page, name: str) -> Locator:
    return page.get_by_role("gridcell", name=re.compile(f"^{name}:"))


def pictures(page: Page, within: str) -> list[str]:
    found: list[str] = page.evaluate(
        """within => [...document.querySelectorAll(`${within} img`)]
           .map(image => image.getAttribute('src'))""",
        within,
    )
    return [Path(one).name for one in found]


# ---- On a cell


def test_a_cell_shows_how_many_files_there_are(page: Page) -> None:
    expect(cell(page, "set-fog").locator(".number")).to_have_text("1 of 4")
    expect(cell(page, "kit-fog").locator(".number")).to_have_text("1 of 3")
    said = cell(page, "set-fog").get_attribute("aria-label")
    assert said == "set-fog: image, done, 4 files"


def test_keys_and_arrows_step_through_them(page: Page) -> None:
    place = cell(page, "set-rain")
    place.focus()
    expect(place.get_by_role("img", name="set-rain, 1 of 4")).to_be_visible()

    page.keyboard.press("}")
    expect(place.locator(".number")).to_have_text("2 of 4")
    expect(place.get_by_role("img", name="set-rain, 2 of 4")).to_be_visible()
    place.get_by_role("button", name="The next file").click()
    expect(place.locator(".number")).to_have_text("3 of 4")
    expect(place).to_be_focused()
    for _ in range(3):
        page.keyboard.press("{")

    expect(place.locator(".number")).to_have_text("4 of 4")  # round and round
    expect(cell(page, "set-sun").locator(".number")).to_have_text("1 of 4")


def test_each_kind_of_file_has_its_own_poster(page: Page) -> None:
    place = cell(page, "kit-fog")
    place.focus()

    page.keyboard.press("Enter")
    posters = page.locator(".details button img")
    expect(posters).to_have_count(2)
    found = {one.get_attribute("src") for one in posters.all()}
    assert len(found) == 2
    assert all(one and ".posters/" in one for one in found)
    page.keyboard.press("Escape")
    expect(place).to_be_focused()
    page.keyboard.press("{")

    expect(place.locator("pre")).to_contain_text("A fox in the fog")


# ---- Ratings


def test_each_file_has_a_rating_of_its_own(page: Page) -> None:
    place = cell(page, "set-rain")
    place.focus()
    page.keyboard.press("}")
    page.keyboard.press("p")
    page.keyboard.press("5")
    expect(place.locator("figcaption .marks")).to_contain_text("★ 5")
    status = page.get_by_text("set-rain, file 2 of 4: 5 of 5 stars")
    expect(status).to_be_attached()

    page.keyboard.press("}")

    expect(place.locator("figcaption .marks")).to_have_text("")
    expect(place.locator(".stepper")).to_contain_text("another one is picked")


def test_a_job_is_found_by_any_of_its_ratings(page: Page) -> None:
    cell(page, "set-rain").focus()
    page.keyboard.press("}")
    page.keyboard.press("p")

    page.get_by_label("Search", exact=True).fill("is:picked")
    expect(page.locator(".toolbar .count")).to_have_text("1 of 4 jobs")

    page.get_by_label("Search", exact=True).fill("-is:picked")
    expect(page.locator(".toolbar .count")).to_have_text("3 of 4 jobs")


def test_the_file_that_was_rated_is_exported(page: Page) -> None:
    cell(page, "set-rain").focus()
    page.keyboard.press("}")
    page.keyboard.press("4")

    page.locator(".menu summary").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Export CSV").click()
    text = Path(waiting.value.path()).read_text(encoding="utf-8")

    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["name"], row["stars"]) == ("set-rain", "4")
    assert row["file"].endswith("set-rain-2.png")


# ---- Details


def test_details_show_all_and_the_one_in_front_large(page: Page) -> None:
    place = cell(page, "set-rain")
    place.focus()
    page.keyboard.press("}")
    page.keyboard.press("Enter")

    details = page.locator(".details")
    expect(details.get_by_role("button", name=re.compile("^File "))).to_have_count(4)
    expect(details.locator(".file")).to_contain_text("set-rain-2.png")
    assert page.url.endswith(f"open={RAIN}.2")
    details.get_by_role("button", name="File 4 of 4").click()

    expect(details.locator(".file")).to_contain_text("set-rain-4.png")
    assert pictures(page, ".details .large") == ["set-rain-4.png"]
    assert page.url.endswith(f"open={RAIN}.4")
    expect(place.locator(".number")).to_have_text("4 of 4")
    page.reload()
    expect(details.locator(".file")).to_contain_text("set-rain-4.png")


def test_stars_in_the_details_are_those_of_the_file_in_front(page: Page) -> None:
    cell(page, "set-rain").focus()
    page.keyboard.press("Enter")
    details = page.locator(".details")

    details.get_by_role("button", name="3 stars").click()
    details.get_by_role("button", name="File 2 of 4").click()

    pressed = details.locator(".stars [aria-pressed=true]")
    expect(pressed).to_have_count(0)
    details.get_by_role("button", name="File 1 of 4").click()
    expect(pressed).to_have_attribute("aria-label", "3 stars")
    expect(details.locator(".shelf .marks").first).to_contain_text("★ 3")


# ---- Compare and vote


def test_all_files_of_a_job_are_compared(page: Page) -> None:
    cell(page, "set-rain").focus()
    page.keyboard.press("Enter")

    page.get_by_role("button", name="Compare its files").click()

    said = page.locator(".pane .said")
    expect(said).to_have_text([f"file {number} of 4" for number in (1, 2, 3, 4)])
    names = [f"set-rain-{number}.png" for number in (1, 2, 3, 4)]
    assert pictures(page, ".pane") == names


def test_any_file_is_chosen_to_be_compared(page: Page) -> None:
    cell(page, "set-rain").focus()
    box = page.get_by_role("checkbox", name="Compare set-rain")
    page.keyboard.press("c")
    expect(box).to_be_checked()
    page.keyboard.press("}")
    expect(box).not_to_be_checked()
    page.keyboard.press("c")
    chips = page.get_by_role("region", name="To compare").get_by_role("listitem")
    expect(chips).to_contain_text(["1 of 4", "2 of 4"])

    page.keyboard.press("Shift+C")

    expect(page.locator(".pane .said")).to_have_text(["file 1 of 4", "file 2 of 4"])
    assert page.url.endswith(f"picked={RAIN}&picked={RAIN}.2")


def test_compared_ones_step_to_their_other_files(go: Callable[[str], Page]) -> None:
    page = go(f"show=compare&picked={RAIN}&picked={SUN}")

    page.keyboard.press("}")
    assert pictures(page, ".pane") == ["set-rain-2.png", "set-sun-2.png"]
    page.locator(".pane").first.get_by_role("button", name="The next file").click()
    assert pictures(page, ".pane") == ["set-rain-3.png", "set-sun-2.png"]
    said = page.locator(".pane .said")
    expect(said).to_have_text(["look rainfile 3 of 4", "look sunfile 2 of 4"])
    page.evaluate(f"location.hash = 'show=compare&picked={RAIN}&picked={RAIN}.2'")
    expect(said).to_have_text(["file 1 of 4", "file 2 of 4"])
    page.locator(".pane").first.get_by_role("button", name="The next file").click()

    # Not the one that stands beside it already.
    assert pictures(page, ".pane") == ["set-rain-3.png", "set-rain-2.png"]


def test_neighbours_have_the_same_file_in_front(go: Callable[[str], Page]) -> None:
    view = f"show=compare&picked={job_id('set', 'fog')}.3&picked={RAIN}.3"
    page = go(view)

    page.keyboard.press("ArrowRight")

    assert pictures(page, ".pane") == ["set-rain-3.png", "set-sun-3.png"]


def test_votes_are_on_the_files_in_their_order(go: Callable[[str], Page]) -> None:
    page = go("show=vote&ballot=cell.look~0~1~7")

    expect(page.get_by_text("Pair 1 of 4")).to_be_visible()
    left, right = pictures(page, ".duel")

    assert left[-5] == right[-5]  # their numbers
    assert left != right


# ---- Whatever may come


def test_a_file_that_is_not_there_is_the_first_one(page: Page) -> None:
    shown = page.locator(".details .file")
    for number in ("5", "0", "99999999999999999999"):
        page.evaluate(f"location.hash = 'open={RAIN}.2'")
        expect(shown).to_contain_text("set-rain-2.png")

        page.evaluate(f"location.hash = 'open={RAIN}.{number}'")

        expect(shown).to_contain_text("set-rain-1.png")


def test_every_text_has_enough_contrast(go: Callable[[str], Page]) -> None:
    page = go(f"open={RAIN}.2")
    schemes: tuple[Literal["light", "dark"], ...] = ("dark", "light")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        expect(page.locator(".shelf img")).to_have_count(4)

        assert page.evaluate(CONTRASTS) == []
