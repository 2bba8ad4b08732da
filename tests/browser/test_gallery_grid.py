"""The grid and the wall of the gallery as a person uses them, in a real browser."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import pytest

from foxbatch import api
from tests.browser.conftest import OpenPage
from tests.browser.galleries import TWELVE, make_run, manifest_of, some_fail

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

expect = pytest.importorskip(
    "playwright.sync_api", reason="there is no Playwright here: make install"
).expect

HOSTILE = (
    "<script>document.title='taken'</script><img src=x onerror=\"document.title='t'\">"
    "\"quotes\" & 'more' \u202eleft to right\u202c 🦊 </p></li>"
)
SPELT = json.dumps(HOSTILE + "${{ matrix.look }}", ensure_ascii=False)
# Two takes of each, and one combination left out.
UNEVEN = f"""\
foxbatch: 1
name: uneven
provider: sandbox
defaults:
  model: veo-3.1-fast
  params: {{duration: 4, resolution: 720p, generate_audio: false}}
jobs:
  - id: shot
    repeat: 2
    prompts:
      - {{id: fox, text: {SPELT}}}
      - {{id: boat, text: "A boat in the ${{{{ matrix.look }}}}"}}
    matrix:
      axes:
        aspect_ratio: [16:9, 9:16]
        look: [fog, rain, light rain]
      exclude:
        - {{look: rain, aspect_ratio: "9:16"}}
"""

Pages: TypeAlias = dict[str, Path]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Pages:
    folder = tmp_path_factory.mktemp("galleries")
    runs = {
        "twelve": make_run(folder / "a", TWELVE),
        "uneven": make_run(folder / "b", UNEVEN),
        "many": make_run(folder / "c", manifest_of(200), fate=some_fail),
    }
    return {name: api.report([run], posters=False).path for name, run in runs.items()}


def headings(page: Page, kind: Literal["rowheader", "columnheader"]) -> list[str]:
    """Return what the headings say, without that of the corner."""
    found = page.locator(f".side[role={kind}] bdi, .top[role={kind}] bdi")
    return found.all_inner_texts()


def expect_focus(page: Page, name: str) -> None:
    """Wait until the cell whose name begins with *name* has the focus."""
    label = re.compile(f"^{name}")
    expect(page.locator("[role=gridcell]:focus")).to_have_attribute("aria-label", label)


def in_sight(cell: Locator) -> bool:
    """Whether *cell* is wholly inside its scroller and under no heading."""
    seen: bool = cell.evaluate(
        """cell => {
          const inside = cell.getBoundingClientRect();
          const box = cell.closest('.grid, .wall').getBoundingClientRect();
          const [x, y] = [inside.left + inside.width / 2, inside.top + 12];
          return inside.top >= box.top && inside.bottom <= box.bottom + 1
            && inside.right <= box.right + 1
            && cell.contains(document.elementFromPoint(x, y));
        }"""
    )
    return seen


class TestAxes:
    def test_any_axis_goes_anywhere_and_the_address_keeps_it(
        self, pages: Pages, open_page: OpenPage
    ) -> None:
        page = open_page(pages["twelve"])
        assert headings(page, "rowheader") == ["fox", "boat"]

        page.get_by_role("button", name="Axes").click()
        page.get_by_label("Rows", exact=True).select_option("cell.look")
        page.get_by_label("Outer columns").select_option("")
        page.get_by_label("Columns", exact=True).select_option("cell.aspect_ratio")

        assert headings(page, "rowheader") == ["fog", "rain", "sun"]
        assert headings(page, "columnheader") == ["16:9", "9:16"]
        again = open_page(page.url)
        assert headings(again, "rowheader") == ["fog", "rain", "sun"]
        assert headings(again, "columnheader") == ["16:9", "9:16"]

    def test_one_value_of_the_others_is_chosen(
        self, pages: Pages, open_page: OpenPage
    ) -> None:
        page = open_page(pages["twelve"], at="ocols=&cols=cell.aspect_ratio")
        expect(page.locator(".more").first).to_have_text("1 of 3")

        page.get_by_role("button", name="Axes").click()
        page.get_by_label("look", exact=True).select_option("sun")

        expect(page.locator(".more")).to_have_count(0)
        expect(page.get_by_role("status").filter(has_text="jobs")).to_have_text(
            "4 of 12 jobs"
        )
        page.get_by_role("button", name="Show not only look = sun").click()
        expect(page.locator(".count")).to_have_text("12 jobs")

    def test_outer_values_head_their_group(
        self, pages: Pages, open_page: OpenPage
    ) -> None:
        page = open_page(pages["twelve"])

        expect(page.locator(".group b")).to_have_text(["16:9", "9:16"])
        expect(page.locator(".corner")).to_contain_text("aspect_ratio / look")
        expect(page.locator(".corner")).to_contain_text("prompt")


class TestPlaces:
    def test_several_jobs_of_a_place_are_reached(
        self, pages: Pages, open_page: OpenPage
    ) -> None:
        page = open_page(pages["uneven"])
        place = page.locator('[role=gridcell]:has([title^="fox-16x9-fog"])')
        first = place.locator("figure").get_attribute("title")

        place.get_by_role("button", name="show the next").click()
        second = place.locator("figure").get_attribute("title")
        page.keyboard.press("]")
        third = place.locator("figure").get_attribute("title")

        assert [first, second] == ["fox-16x9-fog-r1", "fox-16x9-fog-r2"]
        assert third == first
        page.keyboard.press("Enter")
        listed = page.get_by_role("dialog").locator(".also li")
        expect(listed).to_have_count(2)
        listed.nth(1).get_by_role("button").click()
        expect(place.locator("figure")).to_have_attribute("title", "fox-16x9-fog-r2")

    def test_what_is_missing_says_so(self, pages: Pages, open_page: OpenPage) -> None:
        page = open_page(pages["uneven"], at="ocols=&orows=cell.aspect_ratio")

        absent = page.locator(".absent")

        expect(absent).to_have_text(["no such job", "no such job"])
        page.get_by_label("Search", exact=True).fill("fox-9x16 boat-16x9")
        expect(page.locator(".waiting")).to_have_text("No job is like that.")

    def test_what_a_filter_leaves_out_is_not_missing(
        self, pages: Pages, open_page: OpenPage
    ) -> None:
        page = open_page(pages["many"], at="phase=failed&phase=held")

        expect(page.locator(".absent").first).to_have_text("left out by the filter")

    def test_a_job_without_a_file_says_why(
        self, pages: Pages, open_page: OpenPage
    ) -> None:
        page = open_page(pages["many"], at="show=wall&size=s")
        reasons = {
            "failed": "The prompt is not allowed.",
            "held": "nobody knows whether it was bought: the connection was aborted",
            "running": "still running",
            "new": "not bought yet",
        }

        for phase, reason in reasons.items():
            state = page.locator(".state").filter(has_text=phase).first
            expect(state.locator(".reason")).to_have_text(reason)
        signs = page.locator(".state .sign").all_inner_texts()
        assert len(set(signs)) == len(reasons)


SEARCHES = {
    "boat": 6,
    "boat fog": 2,
    '"boat in the fog"': 2,
    "look=fog": 4,
    "look=rain look=sun": 8,
    "look=r*": 4,
    "look=ra": 0,
    "-boat": 6,
    "fox -look=fog -look=sun": 2,
    "aspect_ratio=9:16 prompt=fox": 3,
    "no=such axis": 0,
    "-": 12,
    "is:picked": 0,
    "-is:picked": 12,
}


def test_a_search_finds_words_and_values_and_leaves_out(
    pages: Pages, open_page: OpenPage
) -> None:
    page = open_page(pages["twelve"], at="show=wall&size=s")

    for search, count in SEARCHES.items():
        page.get_by_label("Search", exact=True).fill(search)
        expect(page.locator("figure.cell"), search).to_have_count(count)


def test_filters_are_several_and_end_one_by_one(
    pages: Pages, open_page: OpenPage
) -> None:
    page = open_page(pages["many"])

    page.get_by_role("button", name="Filter").click()
    page.get_by_role("checkbox", name="failed").check()
    page.get_by_role("checkbox", name="held").check()

    expect(page.locator(".count")).to_have_text("23 of 200 jobs")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Filter")).to_be_focused()
    page.get_by_role("button", name="Show not only status held").click()
    expect(page.locator(".count")).to_have_text("12 of 200 jobs")
    page.get_by_role("button", name="Clear all").click()
    expect(page.locator(".count")).to_have_text("200 jobs")


class TestKeys:
    def test_the_matrix_is_walked_opened_and_left(
        self, pages: Pages, open_page: OpenPage
    ) -> None:
        page = open_page(pages["many"])
        page.locator("[role=gridcell]").first.focus()

        page.keyboard.press("ArrowDown")
        page.keyboard.press("End")
        expect_focus(page, "p001-9x16-night-r1")
        page.keyboard.press("Control+End")
        expect_focus(page, "p019-9x16-night-r1")
        assert in_sight(page.locator("[role=gridcell]:focus"))
        page.keyboard.press("Enter")
        details = page.get_by_role("dialog", name="p019-9x16-night-r1")
        expect(details).to_be_visible()
        page.keyboard.press("Escape")
        expect(details).to_have_count(0)
        expect_focus(page, "p019-9x16-night-r1")
        page.keyboard.press("PageUp")
        page.keyboard.press("Home")
        expect_focus(page, "p01[0-8]-16x9-fog-r1")
        assert in_sight(page.locator("[role=gridcell]:focus"))

    def test_keys_that_come_faster_than_the_page_is_drawn_are_all_heard(
        self, pages: Pages, open_page: OpenPage
    ) -> None:
        page = open_page(pages["many"])

        page.locator("[role=gridcell]").first.evaluate(
            """cell => {
                cell.focus();
                const keys = ["ArrowDown", "ArrowDown", "ArrowRight", "Enter"];
                for (const key of keys)
                    cell.dispatchEvent(
                        new KeyboardEvent("keydown", {key, bubbles: true}));
            }"""
        )

        expect(page.get_by_role("dialog", name="p002-16x9-rain-r1")).to_be_visible()

    def test_keys_go_on_where_the_focus_was_after_scrolling_away(
        self, pages: Pages, open_page: OpenPage
    ) -> None:
        page = open_page(pages["many"])
        page.locator("[role=gridcell]").first.focus()

        page.locator(".grid").evaluate("grid => grid.scrollTo(0, 1e6)")
        expect(page.locator("[role=gridcell][aria-label^=p019]").first).to_be_visible()
        page.keyboard.press("ArrowRight")

        expect_focus(page, "p000-16x9-rain")

    @pytest.mark.parametrize(("show", "box"), [("grid", ".grid"), ("wall", ".wall")])
    def test_the_focus_stays_with_its_job_when_its_place_on_the_page_is_used_again(
        self, pages: Pages, open_page: OpenPage, show: str, box: str
    ) -> None:
        page = open_page(pages["many"], at=f"show={show}")
        page.locator("[role=gridcell]").first.focus()
        first = page.locator("[role=gridcell]:focus").get_attribute("aria-label")
        assert first is not None

        for top in (150, 300, 700, 1500, 900, 0):
            page.locator(box).evaluate("(box, top) => box.scrollTo(0, top)", top)
            page.wait_for_timeout(50)
            expect_focus(page, re.escape(first.split(":")[0]))

        page.keyboard.press("4")
        rated = page.locator("[role=gridcell]", has=page.locator(".mark.is-stars"))
        expect(rated).to_have_attribute("aria-label", first)

    def test_views_and_the_search_have_keys(
        self, pages: Pages, open_page: OpenPage
    ) -> None:
        page = open_page(pages["twelve"])

        page.keyboard.press("w")
        expect(page.locator(".wall")).to_be_visible()
        page.keyboard.press("/")
        expect(page.get_by_label("Search", exact=True)).to_be_focused()
        page.keyboard.type("g")

        expect(page.locator(".wall")).to_be_visible()
        page.get_by_label("Search", exact=True).fill("")
        page.keyboard.press("Escape")
        page.keyboard.press("g")
        expect(page.locator(".grid")).to_be_visible()


@pytest.mark.parametrize("show", ["grid", "wall"])
def test_a_shared_address_brings_its_cell_into_sight(
    pages: Pages, open_page: OpenPage, show: str
) -> None:
    first = open_page(pages["many"], at="q=p017-9x16-night")
    first.locator("figure.cell .frame").first.click()
    opened = first.url.split("open=")[1].split("&")[0]

    page = open_page(pages["many"], at=f"show={show}&open={opened}")

    cell = page.locator(".is-open")
    expect(cell).to_have_count(1)
    assert in_sight(cell)


def test_the_wall_fills_its_rows_in_the_shapes_of_the_films(
    pages: Pages, open_page: OpenPage
) -> None:
    page = open_page(pages["many"], at="show=wall&phase=done")

    rows = page.locator(".wall").evaluate(
        """wall => [...wall.querySelectorAll('[role=row]')].map(row =>
          [...row.children].map(tile => {
            const box = tile.getBoundingClientRect();
            const frame = tile.querySelector('.frame').getBoundingClientRect();
            return [box.left, box.right, frame.width / frame.height];
          }))"""
    )

    width = page.locator(".wall").evaluate("wall => wall.clientWidth")
    for row in rows[:-1]:
        assert row[0][0] == 10
        assert width - 20 < row[-1][1] <= width
        assert all(a[1] < b[0] for a, b in itertools.pairwise(row))
    shapes = [tile[2] for row in rows for tile in row]
    assert all(
        any(abs(shape - film) < 0.05 for film in (16 / 9, 9 / 16)) for shape in shapes
    )
    assert min(shapes) < 1 < max(shapes)
    page.locator("[role=gridcell]").first.focus()
    page.keyboard.press("ArrowDown")
    expect_focus(page, "p001")
    assert in_sight(page.locator("[role=gridcell]:focus"))


def test_a_hostile_prompt_stays_text(pages: Pages, open_page: OpenPage) -> None:
    page = open_page(pages["uneven"])
    page.locator('[title^="fox-16x9-fog"] .frame').click()

    prompt = page.get_by_role("dialog").locator(".prompt")

    expect(prompt).to_have_text(f"{HOSTILE}fog")
    assert prompt.evaluate("element => element.childElementCount") == 0
    assert prompt.evaluate("e => getComputedStyle(e).unicodeBidi") == "isolate"
    assert page.title() == "uneven@sandbox · foxbatch"


def test_the_page_is_never_wider_than_the_window(
    pages: Pages, open_page: OpenPage
) -> None:
    page = open_page(pages["many"])
    page.get_by_role("button", name="Axes").click()

    for width, highest in ((1400, 100), (1000, 100), (420, 240)):
        page.set_viewport_size({"width": width, "height": 800})
        inside, outside = page.evaluate(
            "[document.documentElement.scrollWidth, innerWidth]"
        )
        assert inside <= outside
        panel = page.get_by_role("group", name="Axes").bounding_box()
        bar = page.locator(".toolbar").bounding_box()
        assert panel is not None
        assert bar is not None
        assert panel["x"] >= 0
        assert panel["x"] + panel["width"] <= width
        assert bar["y"] + bar["height"] <= highest


CONTRASTS = """() => {
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const parts = text => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parts(getComputedStyle(e).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
  };
  const found = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
    if (!own || !element.checkVisibility()) continue;
    if (element.closest('.unseen, .stars, option')) continue;
    const [a, b] = [parts(getComputedStyle(element).color), ground(element)].map(light);
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(`${element.className} ${element.textContent} ${ratio}`);
  }
  return found;
}"""


def test_every_text_has_enough_contrast_light_and_dark(
    pages: Pages, open_page: OpenPage
) -> None:
    at = "phase=failed&phase=held&phase=running&phase=new&phase=done"
    page = open_page(pages["many"], at=at)
    page.get_by_role("button", name="Filter").click()

    schemes: list[Literal["light", "dark"]] = ["light", "dark"]
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        assert page.evaluate(CONTRASTS) == []
