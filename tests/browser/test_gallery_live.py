"""The page that follows a run, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from foxbatch.clock import SystemClock
from foxbatch.events import ArtifactStored, JobPlanned, JobSucceeded
from foxbatch.report.ratings import Rating, append, read_ratings, standing
from foxbatch.report.serving import Showing
from foxbatch.report.watching import Watching
from tests.browser.conftest import OpenPage
from tests.browser.galleries import make_run, manifest_of
from tests.growing import Growing

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page, Route

expect = pytest.importorskip(
    "playwright.sync_api", reason="there is no Playwright here: make install"
).expect


@pytest.fixture
def growing(tmp_path: Path) -> Growing:
    finished = make_run(tmp_path / "finished", manifest_of(100))
    growing = Growing(finished, tmp_path / "run")
    growing.tell(1 + sum(isinstance(fact, JobPlanned) for fact in growing.facts))
    growing.tell_until(JobSucceeded)
    return growing


@pytest.fixture
def url(growing: Growing) -> Iterator[str]:
    watching = Watching("run", [("run", growing.path)])
    with Showing(watching, who="ada") as showing:
        yield showing.url


def test_cells_change_in_place_while_everything_else_stays(
    growing: Growing, url: str, open_page: OpenPage
) -> None:
    page = open_page(url)
    assert "token" not in page.url
    expect(page.locator(".live")).to_have_text("The run has ended")
    page.locator("[role=gridcell]").nth(1).focus()
    page.keyboard.press("PageDown")
    film = page.locator("[role=gridcell]:has(.film)")
    page.evaluate("document.querySelector('.grid').dataset.same = 'yes'")
    label = "document.activeElement.getAttribute('aria-label')"
    expect(page.locator("[role=gridcell]:focus")).to_have_count(1)
    name = page.evaluate(label).split(":")[0]
    top = page.locator(".grid").evaluate("grid => grid.scrollTop")

    growing.tell_the_rest()

    expect(page.locator(".state")).to_have_count(0)
    assert film.count() > 10
    assert page.locator(".grid").get_attribute("data-same") == "yes"
    assert page.evaluate(label).split(":")[0] == name
    assert page.locator(".grid").evaluate("grid => grid.scrollTop") == top


def test_a_film_that_plays_goes_on_playing(
    growing: Growing, url: str, open_page: OpenPage
) -> None:
    page = open_page(url, at="size=s")
    page.locator(".film").first.hover()
    expect(page.locator("video").first).to_have_js_property("paused", False)
    page.locator("video").first.evaluate("video => { video.dataset.same = 'yes'; }")

    growing.tell_until(JobSucceeded)
    growing.tell_until(JobSucceeded)

    expect(page.locator(".film").nth(1)).to_be_attached()
    video = page.locator("video[data-same=yes]")
    expect(video).to_have_js_property("paused", False)


def test_the_details_of_a_job_are_of_now(
    growing: Growing, url: str, open_page: OpenPage
) -> None:
    stored = next(fact for fact in growing.facts if isinstance(fact, ArtifactStored))
    page = open_page(url, at=f"open={stored.job}")

    expect(page.get_by_role("dialog")).to_contain_text("attempts")

    expect(page.get_by_role("dialog")).to_contain_text(stored.job)


def marks(page: Page) -> Locator:
    return page.locator("figcaption .marks").first


def test_what_one_rates_is_seen_by_all_at_once(
    growing: Growing, url: str, open_page: OpenPage
) -> None:
    one, other = (open_page(url, at="phase=done") for _ in range(2))
    expect(other.locator(".live")).to_have_text("The run has ended")

    one.get_by_role("gridcell").first.focus()
    one.keyboard.press("4")
    one.keyboard.press("p")

    expect(marks(other)).to_contain_text("★ 4")
    expect(marks(other)).to_contain_text("picked")
    rating = rating_of(growing, stars=2, note="<b>no</b>")
    append(growing.path, "zoe", rating, SystemClock())
    for page in (one, other):
        expect(marks(page)).to_contain_text("★ 3")  # the mean
        expect(marks(page)).to_contain_text("picked")
    # The other window knows what this one rated: nothing of it is lost.
    other.get_by_role("gridcell").first.focus()
    other.keyboard.press("x")
    expect(marks(one)).to_contain_text("rejected")
    mine = [line for line in standing(read_ratings(growing.path)) if line.who == "ada"]
    assert [(line.stars, line.mark) for line in mine] == [(4, "reject")]


def test_nothing_is_missed_until_a_page_listens(
    growing: Growing, url: str, open_page: OpenPage
) -> None:
    token = httpx.URL(url).params["token"]

    def meanwhile(route: Route) -> None:
        # The page has asked for all ratings, and the server looks once more.
        append(growing.path, "zoe", rating_of(growing, stars=5), SystemClock())
        data = httpx.URL(url).copy_with(path="/data", query=None)
        httpx.get(data, headers={"X-Foxbatch-Token": token}).raise_for_status()
        route.continue_()

    page = open_page(
        url, at="phase=done", before=lambda page: page.route("**/events*", meanwhile)
    )

    expect(marks(page)).to_contain_text("★ 5")


def rating_of(growing: Growing, **changes: Any) -> Rating:  # noqa: ANN401
    stored = next(fact for fact in growing.facts if isinstance(fact, ArtifactStored))
    return Rating(job=stored.job, sha256=stored.sha256, **changes)


def test_a_page_whose_server_has_gone_says_so(
    growing: Growing, open_page: OpenPage
) -> None:
    with Showing(Watching("run", [("run", growing.path)])) as showing:
        page = open_page(showing.url, at="phase=new")  # no films to load
        expect(page.locator(".live")).to_have_text("The run has ended")

    expect(page.locator(".live")).to_have_text("No longer live")
    expect(page.locator("figure.cell").first).to_be_visible()
