"""The page that follows a run, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from foxbatch.events import ArtifactStored, JobPlanned, JobSucceeded
from foxbatch.report.serving import Showing
from foxbatch.report.watching import Watching
from tests.browser.conftest import OpenPage
from tests.browser.galleries import make_run, manifest_of
from tests.growing import Growing

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


def test_a_page_whose_server_has_gone_says_so(
    growing: Growing, open_page: OpenPage
) -> None:
    with Showing(Watching("run", [("run", growing.path)])) as showing:
        page = open_page(showing.url, at="phase=new")  # no films to load
        expect(page.locator(".live")).to_have_text("The run has ended")

    expect(page.locator(".live")).to_have_text("No longer live")
    expect(page.locator("figure.cell").first).to_be_visible()
