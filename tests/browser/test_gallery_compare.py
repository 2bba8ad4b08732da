"""Cells side by side, as a person compares them, in a real browser."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

import pytest

from tests.browser.conftest import OpenPage
from tests.browser.mixed import HOSTILE, job_id
from tests.browser.test_gallery_play import (
    PLAYING,
    TOGETHER,
    cell,
    some_round,
    wait_until,
)
from tests.browser.test_sandbox_page import CONTRASTS

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

playwright = pytest.importorskip(
    "playwright.sync_api", reason="there is no Playwright here: make install"
)
expect = playwright.expect


def side_by_side(spec: str, *looks: str, how: str = "") -> str:
    """Return the address of a comparison."""
    picked = "".join(f"&picked={job_id(spec, look)}" for look in looks)
    return f"show=compare{f'&how={how}' if how else ''}{picked}"


def panes(page: Page) -> Locator:
    return page.locator("dialog.compare .pane")


def transforms(page: Page) -> list[str]:
    found: list[str] = page.evaluate(
        "[...document.querySelectorAll('.lens')].map(lens => lens.style.transform)"
    )
    return found


# ---- Choosing


def test_cells_are_chosen_by_key_and_by_box(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed)

    cell(page, "film-fog").focus()
    page.keyboard.press("c")
    expect(page.get_by_role("button", name="Compare", exact=True)).to_be_disabled()
    cell(page, "film-sun").hover()
    page.get_by_role("checkbox", name="Compare film-sun").check()

    tray = page.get_by_role("region", name="To compare")
    expect(tray).to_contain_text("2 to compare")
    chosen = [job_id("film", "fog"), job_id("film", "sun")]
    assert page.url.endswith("&".join(f"picked={job}" for job in chosen))
    page.reload()
    expect(page.get_by_role("checkbox", name="Compare film-sun")).to_be_checked()


def test_with_a_seventh_the_first_one_leaves(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed)

    for name in ("film-fog", "film-rain", "film-sun", *PICTURES, "song-fog"):
        cell(page, name).focus()
        page.keyboard.press("c")

    chips = page.get_by_role("region", name="To compare").get_by_role("listitem")
    expect(chips).to_have_count(6)
    expect(chips.first).to_contain_text("film-rain")


PICTURES = ("picture-fog", "picture-rain", "picture-sun")


def test_one_comes_back_to_where_one_was(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed)
    for name in ("picture-fog", "picture-rain"):
        cell(page, name).focus()
        page.keyboard.press("c")
    page.keyboard.press("Shift+C")
    expect(panes(page)).to_have_count(2)

    page.keyboard.press("w")
    page.keyboard.press("Escape")

    expect(page.locator("dialog.compare")).to_have_count(0)
    expect(cell(page, "picture-rain")).to_be_focused()
    page.go_back()
    expect(page.locator("dialog.compare")).to_be_visible()


# ---- Side by side


def test_only_what_differs_is_said(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed, at=side_by_side("picture", "fog", "sun"))

    said = panes(page).locator(".said")
    expect(said).to_have_text(["look fog", "look sun"])
    facts = panes(page).locator(".facts")
    expect(facts).to_have_text(["30.5 s · 20 credits", "44.5 s · 22 credits"])
    expect(page.locator(".along")).to_contain_text("prompt picture")


def test_films_beside_each_other_play_in_step_and_no_others(
    open_page: OpenPage, mixed: Path
) -> None:
    page = open_page(mixed, at=side_by_side("film", "rain", "sun"))

    # They begin by themselves, over and over.
    assert some_round(page, ".pane video", TOGETHER)
    assert page.evaluate(f"{PLAYING}.every(film => film.closest('dialog'))")
    page.keyboard.press("Escape")

    wait_until(page, f"{PLAYING}.length === 0")


def test_they_wait_for_who_wants_no_motion(open_page: OpenPage, mixed: Path) -> None:
    at = side_by_side("film", "rain", "sun")
    page = open_page(mixed, at=at, reduced_motion="reduce")

    expect(page.locator("dialog.compare video")).to_have_count(2)
    page.wait_for_timeout(200)
    assert page.evaluate(f"{PLAYING}.length") == 0

    page.keyboard.press("Space")
    wait_until(page, f"{PLAYING}.length === 2")


def test_arrows_lead_all_to_their_neighbours(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed, at=side_by_side("picture", "fog", "rain"))

    page.keyboard.press("ArrowRight")

    said = panes(page).locator(".said")
    expect(said).to_have_text(["look rain", "look sun"])
    assert page.url.endswith(side_by_side("picture", "rain", "sun"))
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("There is nothing further along look.")).to_be_attached()
    expect(said).to_have_text(["look rain", "look sun"])
    page.get_by_role("button", name="All back along look").click()
    expect(said).to_have_text(["look fog", "look rain"])


def test_one_panel_is_heard(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed, at=side_by_side("song", "fog", "rain", "sun"))
    wait_until(page, f"{PLAYING}.length === 3")
    loud = "[...document.querySelectorAll('.pane audio')].map(sound => !sound.muted)"

    page.keyboard.press("2")
    wait_until(page, f"{loud}.join() === 'false,true,false'")
    panes(page).nth(2).get_by_role("button", name="Sound").click()

    wait_until(page, f"{loud}.join() === 'false,false,true'")


# ---- Closer


def test_pictures_are_looked_at_closer_together(
    open_page: OpenPage, mixed: Path
) -> None:
    page = open_page(mixed, at=side_by_side("picture", "fog", "sun"))
    glass = panes(page).locator(".glass").first
    box = glass.bounding_box()
    assert box

    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    page.mouse.wheel(0, -700)

    expect(panes(page).locator(".lens.is-pixels")).to_have_count(2)
    one, other = transforms(page)
    assert one == other
    assert "scale(3" in one
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.up()
    wait_until(page, f"document.querySelector('.lens').style.transform !== '{one}'")
    moved = transforms(page)
    assert moved[0] == moved[1]

    page.keyboard.press("0")
    expect(panes(page).locator(".lens.is-pixels")).to_have_count(0)
    assert transforms(page) == ["translate(0%, 0%) scale(1)"] * 2


class Fingers:
    """Fingers on the screen of a page, as a phone tells them."""

    def __init__(self, page: Page) -> None:
        self._send = page.context.new_cdp_session(page).send

    def move(self, *ways: tuple[tuple[float, float], tuple[float, float]]) -> None:
        """Put a finger down at the beginning of each way, and lift it at its end."""
        steps = 6
        self._now_s = time.time()  # they are quick, however busy the machine is
        self._touch("touchStart", [begin for begin, _ in ways])
        for step in range(1, steps + 1):
            part = step / steps
            points = [
                (x + (to_x - x) * part, y + (to_y - y) * part)
                for (x, y), (to_x, to_y) in ways
            ]
            self._touch("touchMove", points)
        self._touch("touchEnd", [])

    def _touch(self, kind: str, points: list[tuple[float, float]]) -> None:
        told = [{"x": x, "y": y, "id": id_} for id_, (x, y) in enumerate(points)]
        self._now_s += 0.016
        said = {"type": kind, "touchPoints": told, "timestamp": self._now_s}
        self._send("Input.dispatchTouchEvent", said)


PHONE: dict[str, Any] = {
    "viewport": {"width": 420, "height": 800},
    "has_touch": True,
    "is_mobile": True,
}


def middle_of(page: Page) -> tuple[float, float]:
    box = panes(page).locator(".glass").first.bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_two_fingers_look_closer_and_move_what_is_seen(
    open_page: OpenPage, mixed: Path
) -> None:
    page = open_page(mixed, at=side_by_side("picture", "fog", "sun"), **PHONE)
    x, y = middle_of(page)

    Fingers(page).move(((x - 20, y), (x - 60, y)), ((x + 20, y), (x + 60, y)))

    wait_until(page, f"{SCALE} > 2.9 && {SCALE} < 3.1")
    one, other = transforms(page)
    assert one == other
    assert translated(one)[0] == pytest.approx(0, abs=1)
    Fingers(page).move(((x - 20, y), (x + 20, y)), ((x + 20, y), (x + 60, y)))
    wait_until(page, f"document.querySelector('.lens').style.transform !== '{one}'")
    width = page.locator(".glass").first.evaluate("glass => glass.clientWidth")
    assert translated(transforms(page)[0])[0] == pytest.approx(4000 / width, abs=2)

    Fingers(page).move(((x - 90, y), (x - 10, y)), ((x + 90, y), (x + 10, y)))
    wait_until(page, f"{SCALE} === 1")


SCALE = """Number(
  /scale\\(([\\d.]+)/.exec(document.querySelector('.lens').style.transform)[1])"""


def translated(transform: str) -> tuple[float, float]:
    x, y = re.findall(r"(-?[\d.e-]+)%", transform)
    return float(x), float(y)


def test_a_finger_leads_to_the_neighbours(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed, at=side_by_side("picture", "fog", "rain"), **PHONE)
    said = panes(page).locator(".said")
    x, y = middle_of(page)

    Fingers(page).move(((x + 60, y), (x - 60, y + 10)))
    expect(said).to_have_text(["look rain", "look sun"])
    Fingers(page).move(((x - 60, y), (x + 60, y + 10)))
    expect(said).to_have_text(["look fog", "look rain"])
    Fingers(page).move(((x, y + 60), (x, y - 60)))  # on along the rows
    nothing = page.get_by_text("There is nothing further along prompt.")
    expect(nothing).to_be_attached()


def test_a_finger_that_looks_closer_leads_nowhere(
    open_page: OpenPage, mixed: Path
) -> None:
    page = open_page(mixed, at=side_by_side("picture", "fog", "rain"), **PHONE)
    x, y = middle_of(page)
    Fingers(page).move(((x - 20, y), (x - 60, y)), ((x + 20, y), (x + 60, y)))
    wait_until(page, f"{SCALE} > 2.9")

    Fingers(page).move(((x + 60, y), (x - 60, y)))  # to the edge, and beyond
    Fingers(page).move(((x + 60, y), (x - 60, y)))

    expect(panes(page).locator(".said")).to_have_text(["look fog", "look rain"])
    assert translated(transforms(page)[0])[0] < -10


def test_the_line_between_two_follows_a_finger(
    open_page: OpenPage, mixed: Path
) -> None:
    at = side_by_side("picture", "fog", "sun", how="wipe")
    page = open_page(mixed, at=at, **PHONE)
    box = page.locator(".glass").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + 100

    Fingers(page).move(((x, y), (box["x"] + box["width"] / 4, y)))

    line = page.get_by_role("slider", name="Where one ends and the other begins")
    expect(line).to_have_attribute("aria-valuenow", "25")
    expect(page.locator(".half").first).to_have_text("look fog")


def test_what_is_looked_at_does_not_leave_its_frame(
    open_page: OpenPage, mixed: Path
) -> None:
    page = open_page(mixed, at=side_by_side("picture", "fog", "sun"))
    for _ in range(4):
        page.keyboard.press("+")
    box = panes(page).locator(".glass").first.bounding_box()
    assert box

    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + 4000, box["y"] + 20, steps=3)
    page.mouse.up()

    left, pane = page.evaluate(LEFT)
    assert left == pytest.approx(pane, abs=1)


LEFT = """['.lens', '.glass'].map(
  name => document.querySelector(name).getBoundingClientRect().left)"""


# ---- One upon the other


def test_the_line_between_two_is_moved(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed, at=side_by_side("picture", "fog", "sun", how="wipe"))
    line = page.get_by_role("slider", name="Where one ends and the other begins")
    expect(line).to_have_attribute("aria-valuenow", "50")

    line.focus()
    page.keyboard.press("ArrowRight")
    expect(line).to_have_attribute("aria-valuenow", "52")
    page.keyboard.press("Home")
    expect(line).to_have_attribute("aria-valuenow", "0")
    box = page.locator(".glass").bounding_box()
    assert box
    page.mouse.move(box["x"] + 1, box["y"] + 30)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + 60)
    page.mouse.up()

    expect(line).to_have_attribute("aria-valuenow", "75")
    clip = page.locator(".layer").last.evaluate("layer => layer.style.clipPath")
    assert clip.startswith("inset(0px 0px 0px 7")
    assert job_id("picture", "fog") in page.url  # arrows moved the line, not the cells


def test_two_are_seen_in_turn(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed, at=side_by_side("film", "rain", "sun"))

    page.keyboard.press("f")
    top = page.locator(".layer").last
    expect(top).to_be_hidden()
    page.keyboard.press("f")

    expect(top).to_be_visible()
    wait_until(page, f"{PLAYING}.length === 2")


def test_each_press_is_seen_however_fast_they_come(
    open_page: OpenPage, mixed: Path
) -> None:
    page = open_page(mixed, at=side_by_side("picture", "fog", "sun"))

    # The second one comes as soon as there is what it is for, before it was painted.
    page.evaluate("""async () => {
        const press = () => document.querySelector('dialog.compare').dispatchEvent(
            new KeyboardEvent('keydown', {key: 'f', bubbles: true, cancelable: true}));
        press();
        for (let turn = 0; turn < 10; turn++) await null;
        press();
    }""")

    expect(page.locator(".layer").last).to_be_visible()


def test_the_difference_of_equal_places_is_black(
    open_page: OpenPage, mixed: Path
) -> None:
    page = open_page(mixed, at=side_by_side("picture", "fog", "rain"))

    page.keyboard.press("d")

    top = page.locator(".layer").last
    expect(top).to_have_css("mix-blend-mode", "difference")


def test_of_two_texts_the_changed_words_are_marked(
    open_page: OpenPage, mixed: Path
) -> None:
    page = open_page(mixed, at=side_by_side("facts", "fog", "sun"))

    page.keyboard.press("d")

    text = page.locator(".words pre")
    expect(text.locator("del")).to_have_text(["fog", "5"])
    expect(text.locator("ins")).to_have_text(["sun", "7"])
    expect(text).to_contain_text("<script>document.title='taken'</script>")


# ---- Whatever may come


def test_hostile_texts_stay_texts(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed, at=side_by_side("story", "fog", "rain"))

    expect(page.locator(".along .shared")).to_have_text(HOSTILE)
    expect(panes(page).locator("pre").first).to_contain_text(HOSTILE)

    assert page.title() == "A mixed run · foxbatch"
    assert page.locator("dialog script, dialog img").count() == 0


@pytest.mark.parametrize(
    "at",
    [
        "show=compare",
        f"show=compare&picked=nobody&picked={job_id('film', 'fog')}",
        f"{side_by_side('film', 'fog', 'sun')}&how={quote('<b>')}",
        side_by_side("lost", "fog", "rain", "sun", how="wipe"),
    ],
    ids=["none", "one and an unknown one", "no such way", "nothing to see"],
)
def test_any_address_is_shown_somehow(
    open_page: OpenPage, mixed: Path, at: str
) -> None:
    page = open_page(mixed, at=at)

    expect(page.locator("dialog.compare")).to_be_visible()
    page.get_by_role("button", name="Back to the matrix").click()

    expect(page.locator("dialog.compare")).to_have_count(0)
    expect(cell(page, "film-fog")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(
    open_page: OpenPage, mixed: Path, scheme: Literal["light", "dark"]
) -> None:
    page = open_page(mixed, at=side_by_side("film", "fog", "rain"), color_scheme=scheme)
    assert page.evaluate(CONTRASTS) == []

    for spec, way in (("story", "words"), ("lost", ""), ("picture", "wipe")):
        page.evaluate(f"location.hash = '{side_by_side(spec, 'fog', 'rain', how=way)}'")
        expect(page.locator(".along")).to_contain_text(f"spec {spec}")

        assert page.evaluate(CONTRASTS) == []
