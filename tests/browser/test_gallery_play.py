"""Films and sounds of the gallery as a person plays them, in a real browser."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from foxbatch import api
from tests.browser.conftest import OpenPage
from tests.browser.galleries import make_run, manifest_of
from tests.browser.mixed import HOSTILE, NASTY, job_id

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

playwright = pytest.importorskip(
    "playwright.sync_api", reason="there is no Playwright here: make install"
)
expect = playwright.expect

# Where each film that plays is, seen in the same moment.
MOMENTS = "[...document.querySelectorAll('video, audio')].map(f => f.currentTime)"
PLAYING = "[...document.querySelectorAll('video, audio')].filter(f => !f.paused)"


def cell(page: Page, name: str) -> Locator:
    return page.locator('[role="gridcell"]', has_text=name)


def moment(page: Page, name: str) -> float:
    found: float = (
        cell(page, name).locator("video").evaluate("film => film.currentTime")
    )
    return found


def wait_until(page: Page, said: str) -> None:
    """Wait until *said*, JavaScript, is true: the page forbids what else would ask."""
    for _ in range(300):
        if page.evaluate(said):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never: {said}, but {page.evaluate(MOMENTS)}")


def some_round(page: Page, films: str, judge: str) -> bool:
    """Return whether one of five rounds of two films is as *judge* says.

    A round lasts until films start again, and is known frame by frame: a busy machine
    draws late now and then, but not in each round.

    Args:
        page: Where they play.
        films: Selector of both.
        judge: Function in JavaScript of a list of their moments, as pairs.
    """
    found: bool = page.evaluate(
        f"""films => new Promise(told => {{
            const fits = {judge};
            let round = [], rounds = 0, last = 0;
            const look = () => {{
                const [one, other] = document.querySelectorAll(films);
                const at = other ? other.currentTime : 0;
                if (at < last - 0.5) {{ round = []; rounds += 1; }}
                last = at;
                if (other && ![one, other].some(film => film.paused || film.seeking)) {{
                    round.push([one.currentTime, at]);
                    if (fits(round)) return told(true);
                }}
                if (rounds > 5) return told(false);
                requestAnimationFrame(look);
            }};
            look();
        }})""",
        films,
    )
    return found


# For half a second, half of the frames as good as together.
TOGETHER = """round => {
    const off = round.map(([one, other]) => Math.abs(one - other));
    off.sort((a, b) => a - b);
    return round.length >= 12 && round.at(-1)[1] - round[0][1] > 0.5
        && off[off.length >> 1] < 0.1 && off.at(-1) < 0.25;
}"""
TWO_FILMS = "q=film+look=rain+look=sun"  # of 2 and of 4 seconds


def test_films_in_sight_play_in_step(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed, at=TWO_FILMS)

    page.keyboard.press("Space")

    assert some_round(page, "video", TOGETHER)


@pytest.mark.parametrize("off_s", [-0.2, -0.8], ids=["late", "far off"])
def test_a_film_that_is_not_in_step_comes_back_to_it(
    open_page: OpenPage, mixed: Path, off_s: float
) -> None:
    page = open_page(mixed, at=TWO_FILMS)

    page.keyboard.press("Space")

    # It is moved once in each round, after a second.
    back = f"""round => {{
        const [one, other] = round.at(-1);
        if (round.moved === undefined && other > 1 && Math.abs(one - other) < 0.1) {{
            round.moved = round.length;
            document.querySelector('video').currentTime = one + {off_s};
        }}
        const since = round.slice(round.moved ?? Infinity).slice(1);
        return other < 1.95 && since.length > 4
            && since.slice(-4).every(([a, b]) => Math.abs(a - b) < 0.1);
    }}"""
    assert some_round(page, "video", back)


def test_a_shorter_film_waits_at_its_end(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed, at="q=film")

    page.keyboard.press("Space")
    wait_until(page, f"{MOMENTS}[2] > 1.3")

    film = cell(page, "film-fog").locator("video")
    expect(film).to_have_js_property("paused", True)
    assert 0.8 < moment(page, "film-fog") <= 1.1


def test_all_start_again_together(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed, at="q=film")
    page.keyboard.press("Space")
    wait_until(page, f"{MOMENTS}[2] > 0.2")

    page.get_by_label("Moment").fill("3.7")

    wait_until(page, f"{PLAYING}.length === 3 && {MOMENTS}.every(at => at < 0.9)")


def test_at_the_end_all_stay_where_nothing_is_to_start_again(
    open_page: OpenPage, mixed: Path
) -> None:
    page = open_page(mixed, at="q=film")
    page.keyboard.press("l")
    page.keyboard.press("Space")
    wait_until(page, f"{MOMENTS}[2] > 0.2")

    page.get_by_label("Moment").fill("3.7")

    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    wait_until(page, f"{PLAYING}.length === 0 && {MOMENTS}[2] > 3.8")


def test_they_are_wound_and_stepped_and_slowed(
    open_page: OpenPage, mixed: Path
) -> None:
    page = open_page(mixed, at="q=film")
    page.keyboard.press("Space")
    wait_until(page, f"{MOMENTS}[2] > 0.1")
    page.keyboard.press("Space")
    page.get_by_label("Moment").fill("1.5")
    wait_until(page, f"Math.abs({MOMENTS}[2] - 1.5) < 0.03")

    page.locator("body").click(position={"x": 900, "y": 700})
    page.keyboard.press(".")
    page.keyboard.press(".")
    wait_until(page, f"Math.abs({MOMENTS}[2] - 1.5 - 2 / 24) < 0.02")
    assert abs(moment(page, "film-rain") - moment(page, "film-sun")) < 0.02
    page.get_by_label("Speed").select_option("0.5")
    page.keyboard.press(",")
    page.locator(".play").click()

    wait_until(page, f"{PLAYING}.some(film => film.playbackRate <= 0.63)")


def test_what_is_scrolled_into_sight_joins_in_step(
    open_page: OpenPage, mixed: Path
) -> None:
    page = open_page(mixed, at="rows=cell.look&cols=&q=film", viewport=SMALL)
    page.keyboard.press("Space")
    wait_until(page, f"{MOMENTS}[0] > 0.3")
    before = page.locator("video").count()

    page.locator('[role="grid"]').evaluate("grid => grid.scrollTop = 9999")

    wait_until(page, f"{PLAYING}.length > 0")
    film = cell(page, "film-sun").locator("video")
    expect(film).to_have_js_property("paused", False)
    clock = "document.querySelector('.transport input').valueAsNumber"
    wait_until(page, f"Math.abs({MOMENTS}.at(-1) - {clock}) < 0.25")
    assert before < 3


SMALL = {"width": 500, "height": 420}


def test_the_one_pointed_at_plays_alone(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed, at="q=film")
    expect(page.locator("video")).to_have_count(0)

    cell(page, "film-rain").hover()
    wait_until(page, f"{PLAYING}.length === 1")
    page.mouse.move(900, 700)

    expect(page.locator("video")).to_have_count(0)


def test_nothing_moves_by_itself_for_who_wants_that(
    open_page: OpenPage, mixed: Path
) -> None:
    page = open_page(mixed, at="q=film", reduced_motion="reduce")

    cell(page, "film-rain").hover()
    page.wait_for_timeout(200)
    assert page.locator("video").count() == 0
    cell(page, "film-rain").focus()
    page.keyboard.press("k")

    wait_until(page, f"{PLAYING}.length === 1")


def test_one_is_heard_at_a_time(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed, at="q=song")
    page.keyboard.press("m")
    page.keyboard.press("Space")
    wait_until(page, f"{PLAYING}.length === 3")
    loud = "[...document.querySelectorAll('audio')].map(sound => !sound.muted)"

    cell(page, "song-rain").hover()
    wait_until(page, f"{loud}.join() === 'false,true,false'")
    cell(page, "song-sun").focus()

    wait_until(page, f"{loud}.join() === 'false,false,true'")


def test_a_sound_is_seen_and_wound_by_a_click(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed, at=f"q=song&open={job_id('song', 'sun')}")
    page.keyboard.press("Space")
    wait_until(page, f"{PLAYING}.length > 0")
    page.keyboard.press("Space")

    wave = page.locator(".details .wave")
    box = wave.bounding_box()
    assert box
    wave.click(position={"x": box["width"] * 0.75, "y": 20})

    sound = page.locator(".details audio")
    wait_until(page, "document.querySelector('.details audio').currentTime > 2.8")
    assert sound.evaluate("sound => sound.currentTime / sound.duration") < 0.8


def test_a_damaged_file_says_so(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed, at="q=film broken".replace(" ", "%20"))
    page.get_by_label("Search").fill("broken")
    page.locator('[role="grid"]').click(position={"x": 5, "y": 5})
    page.keyboard.press("Space")

    expect(cell(page, "broken-fog")).to_contain_text("This file cannot be played")
    expect(page.locator("video")).to_have_count(0)


def test_leaving_a_view_stops_its_films(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed)
    page.keyboard.press("Space")
    wait_until(page, f"{PLAYING}.length > 2")
    page.evaluate("window.films = [...document.querySelectorAll('video, audio')]")

    page.get_by_role("button", name="Charts").click()

    wait_until(page, "films.every(film => film.paused)")


def test_only_so_many_films_are_loaded_at_once(
    open_page: OpenPage, tmp_path: Path
) -> None:
    run_dir = make_run(tmp_path, manifest_of(60))
    api.report([run_dir], posters=False)
    page = open_page(
        run_dir / "report.html", at="size=s", viewport={"width": 1700, "height": 1100}
    )
    page.evaluate(MOST)

    page.keyboard.press("Space")
    wait_until(page, f"{PLAYING}.length > 20")
    page.locator('[role="grid"]').evaluate("grid => grid.scrollTop = 600")
    page.wait_for_timeout(500)

    assert 20 < page.evaluate("most") <= 41  # and one that is pointed at


MOST = """
  window.most = 0;
  const look = () => {
    most = Math.max(most, document.querySelectorAll('video').length);
  };
  new MutationObserver(look).observe(document.body, {childList: true, subtree: true});
  look();
  0
"""


# ---- What is no film


def test_texts_are_read_in_their_cells(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed, at="q=look%3Dfog")

    expect(cell(page, "facts-fog")).to_contain_text('"caption": "A fox in the fog"')
    expect(cell(page, "story-fog")).to_contain_text("A fox crossed the field")
    expect(cell(page, "story-fog")).to_contain_text(HOSTILE)
    assert page.title() == "A mixed run · foxbatch"
    assert page.locator("pre *").count() == 0


def test_of_a_long_text_there_is_the_beginning(
    open_page: OpenPage, mixed: Path
) -> None:
    page = open_page(mixed, at=f"open={job_id('story', 'sun')}")

    written = page.locator(".details .written")
    expect(written).to_contain_text("This is its beginning.")
    assert len(written.locator("pre").inner_text()) <= 2_000
    href = written.get_by_role("link").get_attribute("href")
    assert href == "./artifacts/story-sun.txt"


# ---- Details


def test_the_details_say_what_happened_when(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed, at=f"open={job_id('film', 'fog')}")

    details = page.get_by_role("dialog", name="Details of film-fog")
    expect(details.locator(".times")).to_contain_text("+38.5 s")
    strip = details.locator(".strip")
    expect(strip).to_have_attribute("aria-label", STRIP)
    expect(details).to_contain_text('"look": "fog"')
    expect(details.get_by_role("link", name="the manifest")).to_be_visible()


STRIP = "waiting 2 s, submitting 0.5 s, being made 38.5 s, downloading 2 s"


def test_a_request_is_copied_as_a_command(
    open_page: OpenPage, mixed: Path, tmp_path: Path
) -> None:
    job = job_id("story", "rain")
    page = open_page(
        mixed, at=f"open={job}", permissions=["clipboard-read", "clipboard-write"]
    )

    page.get_by_role("button", name="Copy as curl", exact=True).click()
    expect(page.get_by_role("button", name="Copy as curl", exact=True)).to_have_text(
        "Copied"
    )
    command = page.evaluate("navigator.clipboard.readText()")

    url, *options, body = arguments(command, tmp_path)
    assert url == "https://api.foxapi.cc/v1/videos"
    assert options == [
        *("-H", "Authorization: Bearer secret"),
        *("-H", "Content-Type: application/json", "--data-raw"),
    ]
    sent = {"model": "veo", "prompt": HOSTILE, "look": "rain", **NASTY}
    assert json.loads(body) == sent
    assert not set(command) & set("\x1b\x9b\u202e")
    assert list(tmp_path.iterdir()) == []


def arguments(command: str, folder: Path) -> list[str]:
    """Return what a shell would give to curl, beside `-sS`."""
    script = f"curl() {{ printf '%s\\0' \"$@\"; }}\n{command}\n"
    told = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=folder,
        env={"FOXAPI_API_KEY": "secret"},
        capture_output=True,
        check=True,
    )
    assert told.stderr == b""
    quiet, *found = told.stdout.decode().split("\0")[:-1]
    assert quiet == "-sS"
    return found


@pytest.mark.parametrize("clipboard", ["there", "missing"])
def test_an_id_is_copied(open_page: OpenPage, mixed: Path, clipboard: str) -> None:
    page = open_page(mixed, permissions=["clipboard-read", "clipboard-write"])
    if clipboard == "missing":
        page.evaluate(
            "Clipboard.prototype.writeText = () => Promise.reject(new Error('no')); 0"
        )
    cell(page, "film-fog").locator(".frame").click()

    page.get_by_role("button", name="Copy the id of the job").click()

    expect(page.locator(".details .copy", has_text="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == job_id("film", "fog")


def test_what_to_type_about_a_held_job_is_said(
    open_page: OpenPage, mixed: Path
) -> None:
    job = job_id("lost", "rain")
    page = open_page(mixed, at=f"open={job}")

    command = page.locator(".details .command code")

    expect(command).to_have_text(f"foxbatch settle runs/mixed@sandbox {job}")


def test_keys_lead_from_one_job_to_the_next(open_page: OpenPage, mixed: Path) -> None:
    page = open_page(mixed, at=f"open={job_id('film', 'rain')}")
    heading = page.locator(".details h2")
    expect(heading).to_have_text("film-rain")

    page.keyboard.press("ArrowRight")
    expect(heading).to_have_text("film-sun")
    page.keyboard.press("ArrowRight")
    expect(heading).to_have_text("picture-fog")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(heading).to_have_text("film-rain")
    page.keyboard.press("Escape")

    expect(cell(page, "film-rain")).to_be_focused()
