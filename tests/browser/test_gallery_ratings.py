"""Rating cells and voting on pairs, as a person does it in a real browser."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from foxbatch import api
from foxbatch.events import JobPlanned
from foxbatch.report.ratings import read_ratings
from tests.browser.conftest import OpenPage, opening
from tests.browser.galleries import Fate, make_run
from tests.browser.test_gallery_play import TOGETHER, some_round
from tests.browser.test_sandbox_page import CONTRASTS

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

expect = pytest.importorskip(
    "playwright.sync_api", reason="there is no Playwright here: make install"
).expect

HOSTILE = "<script>document.title='taken'</script> \"q\" 'q' \u202e rtl \u202c 🦊"


# 5 prompts × 2 looks, of which one has no film.
TEN = """\
foxbatch: 1
name: ten
provider: sandbox
jobs:
  - id: shot
    model: veo-3.1-fast
    params: {duration: 4, resolution: 720p, generate_audio: false}
    prompts:
      - {id: elm, text: "An elm in the ${{ matrix.look }}"}
      - {id: fox, text: "A fox in the ${{ matrix.look }}"}
      - {id: boat, text: "A boat in the ${{ matrix.look }}"}
      - {id: owl, text: "An owl in the ${{ matrix.look }}"}
      - {id: oak, text: "An oak in the ${{ matrix.look }}"}
    matrix: {axes: {look: [fog, rain]}}
"""


def but_one(job: JobPlanned) -> Fate:
    return "failed" if job.name == "elm-fog-r1" else "done"


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("ratings"), TEN, fate=but_one)


@pytest.fixture
def report(run_dir: Path, tmp_path: Path) -> Path:
    """Return a page of its own for each test: ratings are kept by its address."""
    return api.report([run_dir], tmp_path / "report.html").path


@pytest.fixture(scope="module")
def opened(browser: Browser, run_dir: Path) -> Iterator[Page]:
    """Return a page that goes from test to test: to open one takes longest."""
    with opening(browser) as open_page:
        yield open_page(api.report([run_dir]).path)


def go(page: Page, report: Path, at: str = "") -> None:
    page.goto(f"{report.as_uri()}#{at}" if at else report.as_uri())
    page.wait_for_selector(".waiting[role=status]", state="detached")


def look_at(page: Page, at: str) -> None:
    """Show another view of the same page, and wait until it is there."""
    page.evaluate(
        """at => new Promise(done => {
            location.hash = at;
            requestAnimationFrame(() => requestAnimationFrame(done));
        })""",
        at,
    )


@pytest.fixture
def page(opened: Page, report: Path) -> Page:
    opened.emulate_media(color_scheme="light")
    go(opened, report)
    return opened


def cell_of(page: Page, name: str) -> Locator:
    return page.get_by_role("gridcell", name=re.compile(f"^{name}:"))


def rate(page: Page, name: str, keys: str) -> None:
    cell_of(page, name).focus()
    for key in keys:
        page.keyboard.press(key)


def marks(page: Page, name: str) -> str:
    return cell_of(page, name).locator(".marks").inner_text().replace("\n", " ")


def exported(page: Page, form: str) -> str:
    if not page.get_by_role("button", name=f"Export {form}").is_visible():
        page.locator(".menu summary").click()
    with page.expect_download() as waiting:
        page.get_by_role("button", name=f"Export {form}").click()
    return Path(waiting.value.path()).read_text(encoding="utf-8")


FOX, BOAT = "fox-fog-r1", "boat-fog-r1"


class TestRating:
    def test_keys_rate_the_cell_that_has_the_focus(self, page: Page) -> None:
        rate(page, FOX, "4p")
        rate(page, BOAT, "2x")

        assert "picked" in marks(page, FOX)
        assert "★ 4 of 5 stars" in marks(page, FOX)
        assert "rejected" in marks(page, BOAT)
        assert "★ 2" in marks(page, BOAT)

    def test_the_same_key_takes_it_back(self, page: Page) -> None:
        rate(page, FOX, "3p")
        rate(page, FOX, "0p")
        assert marks(page, FOX) == ""

        rate(page, FOX, "px")
        assert "rejected" in marks(page, FOX)
        assert "picked" not in marks(page, FOX)

    def test_a_note_and_tags_are_written_without_the_mouse(self, page: Page) -> None:
        rate(page, FOX, "n")
        page.keyboard.type("too dark, 5 p x")
        page.keyboard.press("Enter")
        page.keyboard.press("t")
        page.keyboard.type("hero, night")
        page.keyboard.press("Enter")

        assert "hero +1" in marks(page, FOX)
        assert "✎" in marks(page, FOX)
        assert "picked" not in marks(page, FOX)
        page.keyboard.press("Enter")
        rating = page.get_by_role("region", name="Your rating")
        expect(rating.get_by_label("Note")).to_have_value("too dark, 5 p x")
        expect(rating.get_by_label("Tags")).to_have_value("hero, night")

    def test_the_mouse_rates_in_the_details(self, page: Page) -> None:
        cell_of(page, FOX).locator(".frame").click()
        rating = page.get_by_role("region", name="Your rating")

        rating.get_by_label("5 stars").click()
        rating.get_by_role("button", name="Pick").click()
        rating.get_by_label("Note").fill("fine")
        rating.get_by_label("Tags").fill("a, b, a")
        rating.get_by_label("Note").focus()

        assert "★ 5" in marks(page, FOX)
        assert "a +1" in marks(page, FOX)
        pressed = rating.get_by_role("button", name="Pick")
        assert pressed.get_attribute("aria-pressed") == "true"

    def test_it_is_there_after_a_reload(self, page: Page) -> None:
        rate(page, FOX, "4p")

        page.reload()

        page.wait_for_selector(".mark")
        assert "★ 4" in marks(page, FOX)

    def test_what_was_written_stays_text(self, page: Page) -> None:
        rate(page, FOX, "n")
        page.keyboard.insert_text(HOSTILE)
        page.keyboard.press("Enter")
        page.keyboard.press("t")
        page.keyboard.insert_text(HOSTILE)
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")

        rating = page.get_by_role("region", name="Your rating")
        expect(rating.get_by_label("Note")).to_have_value(HOSTILE)
        assert page.locator("figure.cell script").count() == 0
        assert page.title() == "ten@sandbox · foxbatch"
        assert json.loads(exported(page, "JSON lines"))["note"] == HOSTILE

    def test_a_browser_that_keeps_nothing_is_told_of(
        self, open_page: OpenPage, report: Path
    ) -> None:
        def forbid(page: Page) -> None:
            page.add_init_script(
                "Object.defineProperty(window, 'localStorage',"
                " {get() { throw new Error('denied'); }})"
            )

        page = open_page(report, before=forbid)

        rate(page, FOX, "4")
        page.locator(".menu summary").click()

        assert "★ 4" in marks(page, FOX)
        warning = page.locator(".menu .warning")
        assert "keeps nothing" in warning.inner_text()


def test_only_what_was_rated_so_is_shown(page: Page) -> None:
    rate(page, FOX, "4p")
    rate(page, BOAT, "1xt")
    page.keyboard.type("hero")
    page.keyboard.press("Enter")
    names = page.locator("figcaption .name")
    found = {}

    for choice in ("picked", "rejected", "stars>=4", "rated", "tag:hero", "unrated"):
        look_at(page, f"rated={choice}")
        found[choice] = names.all_inner_texts()
    look_at(page, "")
    for words in ("is:picked", "is:rejected", "tag:hero fog", "fox is:rejected"):
        page.get_by_label("Search").fill(words)
        found[words] = names.all_inner_texts()

    unrated = found.pop("unrated")
    assert len(unrated) == 8
    assert not {FOX, BOAT} & set(unrated)
    assert found == {
        "picked": [FOX],
        "rejected": [BOAT],
        "stars>=4": [FOX],
        "rated": [FOX, BOAT],
        "tag:hero": [BOAT],
        "is:picked": [FOX],
        "is:rejected": [BOAT],
        "tag:hero fog": [BOAT],
        "fox is:rejected": [],
    }


class TestExport:
    def test_json_lines_are_what_the_run_directory_reads(
        self, page: Page, tmp_path: Path
    ) -> None:
        rate(page, FOX, "4p")
        rate(page, FOX, "5")

        text = exported(page, "JSON lines")

        (tmp_path / "ratings").mkdir()
        (tmp_path / "ratings" / "me.jsonl").write_text(text)
        (line,) = read_ratings(tmp_path)
        assert (line.who, line.stars, line.mark) == ("me", 5, "pick")  # type: ignore[union-attr]

    def test_csv_is_quoted_and_holds_no_formula(self, page: Page) -> None:
        note = '=HYPERLINK("http://x") "quoted", and\nlines'
        rate(page, FOX, "4n")
        page.keyboard.insert_text(note)
        page.keyboard.press("Enter")

        text = exported(page, "CSV")

        (row,) = csv.DictReader(io.StringIO(text, newline=""))
        assert row["note"] == f"'{note}"
        assert (row["name"], row["stars"], row["who"]) == (FOX, "4", "me")
        assert row["prompt"] == "A fox in the fog"
        assert row["file"].endswith(".mp4")

    def test_leaving_warns_until_it_is_exported(self, page: Page) -> None:
        asked: list[str] = []

        def answer(dialog: Any) -> None:  # noqa: ANN401
            asked.append(dialog.type)
            dialog.accept()

        page.on("dialog", answer)
        rate(page, FOX, "4")
        page.reload()
        page.wait_for_selector(".mark")
        rate(page, FOX, "5")
        exported(page, "JSON lines")
        page.reload()
        page.remove_listener("dialog", answer)

        assert asked == ["beforeunload"]

    def test_what_others_rated_is_taken_in(self, page: Page, tmp_path: Path) -> None:
        rate(page, FOX, "2")
        mine = json.loads(exported(page, "JSON lines"))
        others = [
            {**mine, "who": "ann", "stars": 5, "mark": "pick"},
            {**mine, "who": HOSTILE, "stars": 4, "note": "<b>bold</b>"},
        ]
        file = tmp_path / "ann.jsonl"
        file.write_text("".join(json.dumps(one) + "\n" for one in others))

        page.get_by_label("File of ratings").set_input_files(file)

        told = page.get_by_text("2 lines of 2 people taken from ann.jsonl")
        told.wait_for()
        assert "★ 3.7" in marks(page, FOX)
        assert "picked" in marks(page, FOX)
        said = cell_of(page, FOX).locator(".marks").get_attribute("title") or ""
        said = re.sub(
            "[\u2068\u2069]", "", said
        )  # where a text ends, for its direction
        assert "ann: 5 of 5 stars, picked" in said
        assert f"{HOSTILE}: 4 of 5 stars, <b>bold</b>" in said

    def test_a_file_that_is_none_changes_nothing(
        self, page: Page, tmp_path: Path
    ) -> None:
        file = tmp_path / "wrong.jsonl"
        file.write_text('{"v":1}\nnonsense\n')
        page.locator(".menu summary").click()

        page.get_by_label("File of ratings").set_input_files(file)

        told = page.get_by_text("Nothing was taken from wrong.jsonl")
        assert "line 1: it does not say whose it is" in told.inner_text()
        assert "line 2: it is no JSON" in told.inner_text()
        assert page.locator(".mark").count() == 0


class TestServed:
    """As `foxbatch view` serves it: ratings are sent, and come back."""

    @pytest.fixture
    def served(
        self, open_page: OpenPage, report: Path
    ) -> tuple[Page, list[dict[str, Any]], list[int]]:
        lines: list[dict[str, Any]] = []
        refuse: list[int] = []
        live = '<meta name="foxbatch-live" content="secret" data-who="zoe">'
        html = report.read_text().replace("<title>", f"{live}<title>")

        packed = re.search(r'id="gallery">([^<]*)<', html)
        assert packed is not None
        data = gzip.decompress(base64.b64decode(packed[1]))

        def ratings(route: Any) -> None:  # noqa: ANN401
            request = route.request
            assert request.headers["x-foxbatch-token"] == "secret"
            if request.method == "GET":
                route.fulfill(json=lines)
            elif refuse:
                route.fulfill(status=refuse[0], body="the disk is full")
            else:
                at = f"2026-01-01T00:00:00.{len(lines):03d}Z"
                lines.append({"v": 1, "at": at, "who": "zoe", **request.post_data_json})
                route.fulfill(json=lines[-1])

        def serve(page: Page) -> None:
            page.route("http://gallery.test/ratings", ratings)
            page.route(
                "http://gallery.test/",
                lambda route: route.fulfill(body=html, content_type="text/html"),
            )
            page.route(
                "http://gallery.test/data",
                lambda route: route.fulfill(body=data, content_type="application/json"),
            )
            page.route(
                "http://gallery.test/events*", lambda route: route.fulfill(status=204)
            )
            page.route("http://gallery.test/**/*.mp4", lambda route: route.abort())

        return (
            open_page("http://gallery.test/", before=serve, quiet=False),
            lines,
            refuse,
        )

    def test_a_rating_is_sent_and_comes_back(self, served: Any) -> None:  # noqa: ANN401
        page, lines, _ = served

        with page.expect_response("**/ratings"):
            rate(page, FOX, "4")
        with page.expect_response("**/ratings"):
            rate(page, FOX, "p")
        page.reload()

        page.wait_for_selector(".mark")
        assert "★ 4" in marks(page, FOX)
        assert (lines[-1]["stars"], lines[-1]["mark"]) == (4, "pick")
        page.locator(".menu summary").click()
        assert "as zoe" in page.locator(".menu .sheet").inner_text()
        assert page.get_by_role("button", name="Import").count() == 0

    def test_what_is_refused_is_taken_back_and_told(self, served: Any) -> None:  # noqa: ANN401
        page, _, refuse = served
        refuse.append(507)

        with page.expect_response("**/ratings"):
            rate(page, FOX, "4")

        page.locator(".menu summary").click()
        page.get_by_text("This was not kept: the disk is full").wait_for()
        assert marks(page, FOX) == ""


# ---- Blind votes


LEFT = "ArrowLeft"
AT = "show=vote&ballot=cell.look~0~1~{}"


@pytest.fixture
def vote(opened: Page, report: Path) -> Page:
    """Return the page where two looks are compared."""
    go(opened, report, AT.format(1))
    return opened


def shown(page: Page) -> list[str]:
    """Return the names of the two files in sight, from left to right."""
    sources = page.locator(".duel video").evaluate_all("all => all.map(v => v.src)")
    return [str(source).rpartition("/")[2] for source in sources]


class TestVoting:
    def test_pairs_differ_in_nothing_but_the_axis(self, vote: Page) -> None:
        page = vote
        pairs = []

        for number in range(4):
            page.get_by_text(f"Pair {number + 1} of 4").wait_for()
            pairs.append(shown(page))
            page.keyboard.press(LEFT)

        page.get_by_role("region", name="Result of the vote").wait_for()
        for pair in pairs:
            without = {re.sub(r"fog|rain|-\w{6}\.mp4", "", name) for name in pair}
            assert len(without) == 1
            assert {"fog" in name for name in pair} == {True, False}

    def test_nothing_on_the_page_names_them(self, vote: Page) -> None:
        page = vote
        page.locator(".duel video").first.wait_for()

        told = page.locator(".voting").evaluate(
            'e => e.outerHTML.replaceAll(/(src|poster)="[^"]*"/g, \'\')'
        )

        assert "fog" not in told
        assert "rain" not in told
        assert "fog" not in page.url
        assert "rain" not in page.url

    def test_sides_and_order_follow_from_the_seed(self, vote: Page) -> None:
        page = vote

        def seeded(seed: int) -> list[str]:
            page.evaluate("at => { location.hash = at; }", AT.format(seed))
            page.locator(f'.voting[data-seed="{seed}"]').wait_for()
            return shown(page)

        first = [seeded(seed) for seed in range(2, 9)]
        again = [seeded(seed) for seed in range(2, 9)]

        assert first == again
        assert len({tuple(pair) for pair in first}) > 2
        assert {"fog" in left for left, _ in first} == {True, False}

    def test_the_tally_tells_who_won(self, vote: Page) -> None:
        page = vote
        for _ in range(3):
            left, _right = shown(page)
            page.keyboard.press(LEFT if "rain" in left else "ArrowRight")
        page.keyboard.press("ArrowDown")

        result = page.get_by_role("region", name="Result of the vote")
        result.wait_for()
        text = result.inner_text()
        assert "“rain” won 3 of 3 decided pairs (100 %)" in text
        assert "That may well be chance" in text
        row = result.locator("tbody tr").first
        assert row.locator("th, td").all_inner_texts() == ["me", "0", "3", "1", "0"]

    def test_a_vote_is_taken_back(self, vote: Page) -> None:
        page = vote
        first = shown(page)
        page.keyboard.press("ArrowUp")
        page.get_by_text("Pair 2 of 4").wait_for()

        page.keyboard.press("u")

        page.get_by_text("Pair 1 of 4").wait_for()
        assert shown(page) == first

    def test_it_goes_on_after_a_reload(self, vote: Page) -> None:
        page = vote
        page.keyboard.press(LEFT)
        page.keyboard.press(LEFT)
        page.get_by_text("Pair 3 of 4").wait_for()
        third = shown(page)

        page.reload()

        page.get_by_text("Pair 3 of 4").wait_for()
        assert shown(page) == third

    def test_votes_are_exported_and_read(self, vote: Page, tmp_path: Path) -> None:
        page = vote
        left, _right = shown(page)
        page.keyboard.press(LEFT)
        page.keyboard.press("ArrowDown")
        page.keyboard.press("u")

        text, table = exported(page, "JSON lines"), exported(page, "CSV")

        (tmp_path / "ratings").mkdir()
        (tmp_path / "ratings" / "me.jsonl").write_text(text)
        votes = [line.vote for line in read_ratings(tmp_path)]  # type: ignore[union-attr]
        assert [one.winner for one in votes] == ["a" if "fog" in left else "b", ""]
        assert (votes[0].axis, votes[0].a, votes[0].b) == ("cell.look", "fog", "rain")
        (row,) = csv.DictReader(io.StringIO(table))
        assert (row["axis"], row["a"], row["b"]) == ("cell.look", "fog", "rain")

    def test_what_is_compared_is_chosen(self, page: Page) -> None:
        page.get_by_role("button", name="Vote").click()
        page.get_by_label("They differ in").select_option(label="prompt")
        page.get_by_label("One is").select_option(label="owl")
        page.get_by_text("2 pairs").wait_for()
        page.get_by_label("They differ in").select_option(label="look")
        page.get_by_text("4 pairs").wait_for()

        page.get_by_role("button", name="Start").click()

        page.get_by_text("Pair 1 of 4").wait_for()
        assert {"rain" in name for name in shown(page)} == {True, False}

    def test_the_films_play_in_step(self, vote: Page) -> None:
        assert some_round(vote, ".duel video", TOGETHER)

    def test_two_runs_are_compared_where_files_differ(
        self, open_page: OpenPage, tmp_path: Path
    ) -> None:
        runs = [make_run(tmp_path / name, TEN) for name in ("before", "after")]
        other = make_run(tmp_path, TEN.replace("elm", "ash"), run="testrunbbb")
        report = api.report(runs, tmp_path / "report.html").path

        page = open_page(report, at="show=vote")

        page.get_by_text("0 pairs; 10 pairs with equal files are left out").wait_for()
        assert page.get_by_role("button", name="Start").is_disabled()
        page = open_page(api.report([runs[0], other]).path, at="show=vote")
        page.get_by_text(re.compile("^8 pairs$")).wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(
    page: Page, scheme: Literal["light", "dark"]
) -> None:
    page.emulate_media(color_scheme=scheme)
    rate(page, FOX, "4pt")
    page.keyboard.type("hero, night")
    page.keyboard.press("Enter")
    rate(page, BOAT, "2x")
    page.keyboard.press("Enter")
    page.locator(".menu summary").click()
    assert page.evaluate(CONTRASTS) == []

    page.evaluate("at => { location.hash = at; }", AT.format(1))
    page.get_by_text("Pair 1 of 4").wait_for()
    for key in (LEFT, "ArrowUp", "ArrowDown", LEFT):
        page.keyboard.press(key)
    page.get_by_text("Every pair").click()
    assert page.evaluate(CONTRASTS) == []


def test_help_lists_the_keys(page: Page) -> None:
    page.locator("body").press("?")

    keys = page.get_by_role("dialog", name="Keys")
    keys.wait_for()
    assert "pick, or take that back" in keys.inner_text()
    page.keyboard.press("Escape")
    keys.wait_for(state="hidden")
