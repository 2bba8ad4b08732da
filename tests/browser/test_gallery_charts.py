"""The charts of the gallery, and what they are made of."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import pytest

from foxbatch import api
from foxbatch.canonical import JobId
from foxbatch.report import RunOf, gallery, write_page
from foxbatch.results import Record
from tests.browser.conftest import OpenPage, opening
from tests.browser.galleries import TWELVE, FateOf, make_run, manifest_of, some_fail

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

HOSTILE = "<script>document.title='taken'</script> =1+1 \u202e 🦊"
QUESTIONS = [
    "Where did the time go?",
    "How fast did it go?",
    "Which look is slow?",
    "What came of each look?",
    "What did each look cost?",
]
AT = "show=charts&by=cell.look"


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("charts")
    return make_run(folder, manifest_of(120), fate=some_fail)


@pytest.fixture(scope="module")
def records(run_dir: Path) -> list[Record]:
    return api.results(run_dir)


@pytest.fixture(scope="module")
def report(run_dir: Path) -> Path:
    return api.report([run_dir]).path


@pytest.fixture(scope="module")
def opened(browser: Browser, report: Path) -> Iterator[Page]:
    """Return a page for all tests that leave nothing behind in it."""
    with opening(browser) as open_page:
        yield open_page(report, at=AT, reduced_motion="reduce")


@pytest.fixture
def page(opened: Page) -> Page:
    """Return the page as it was first."""
    opened.emulate_media(color_scheme="light", reduced_motion="reduce")
    opened.evaluate("location.hash = 'show=grid'")
    opened.get_by_role("grid").wait_for()
    opened.evaluate("at => { location.hash = at; }", AT)
    opened.locator("figure.chart").first.wait_for()
    return opened


def chart(page: Page, question: str) -> Locator:
    return page.locator("figure.chart", has=page.get_by_role("heading", name=question))


def answer(page: Page, question: str) -> str:
    return chart(page, question).locator("figcaption p").first.inner_text()


def table(page: Page, question: str) -> list[list[str]]:
    shown = chart(page, question)
    shown.locator("summary").click()
    shown.locator("tbody tr").first.wait_for()
    rows = shown.locator("tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.innerText))"
    )
    return [[str(text) for text in row] for row in rows]


def press_bar(page: Page, question: str, label: str, dataset: str) -> None:
    """Click into the middle of a bar."""
    canvas = chart(page, question).locator("canvas")
    canvas.scroll_into_view_if_needed()
    x, y = canvas.evaluate(
        """(canvas, [label, dataset]) => {
            const chart = Chart.getChart(canvas);
            const set = chart.data.datasets.findIndex(one => one.label === dataset);
            const row = chart.data.labels.indexOf(label);
            const bar = chart.getDatasetMeta(set).data[row];
            const {x, y, base} = bar.getProps(['x', 'y', 'base'], true);
            return [(x + base) / 2, y];
        }""",
        [label, dataset],
    )
    canvas.click(position={"x": x, "y": y})


def test_each_chart_is_a_question_with_its_answer(
    page: Page, records: list[Record]
) -> None:
    headings = page.locator("figure.chart h2").all_inner_texts()
    phases = Counter(record.phase.value for record in records)
    credits_ = sum(record.credits or 0 for record in records)

    assert headings == QUESTIONS
    assert re.fullmatch(
        r"Of all the time that jobs took, \d+ % was waiting, \d+ % making, "
        r"and \d+ % downloading\.",
        answer(page, "time go"),
    )
    assert f"{phases['done']} jobs were done in" in answer(page, "How fast")
    assert answer(page, "is slow").startswith("The slowest is “rain”: half of its jobs")
    assert f"{phases['failed']} of 120 jobs failed" in answer(page, "What came")
    assert f"{credits_:,.0f} credits in all" in answer(page, "cost")
    images = page.get_by_role(
        "img", name=re.compile("^Which look is slow. The slowest")
    )
    assert images.count() == 1


def test_each_chart_is_a_table_too(page: Page, records: list[Record]) -> None:
    of_rain = [record for record in records if record.cell["look"] == "rain"]
    failed = sum(record.phase.value == "failed" for record in of_rain)
    credits_ = sum(record.credits or 0 for record in of_rain)
    timed = [record for record in records if record.times.accepted]

    came, cost = table(page, "What came"), table(page, "cost")
    slow, time, fast = (
        table(page, "slow"),
        table(page, "time go"),
        table(page, "How fast"),
    )

    assert [row[0] for row in came] == ["look", "fog", "rain", "sun", "snow", "night"]
    assert came[2][came[0].index("failed")] == str(failed)
    assert cost[2][:3] == ["rain", "24", f"{credits_:g}"]
    assert len(slow) == 6
    assert slow[0][4] == "half below"
    assert time[0] == ["job", "waiting", "making", "downloading", "in all"]
    assert len(time) == 1 + min(100, len(timed))
    assert fast[0] == ["from", "done per minute", "in flight"]


def test_charts_are_about_what_is_filtered(page: Page) -> None:
    page.get_by_label("Search").fill("look=rain")

    page.get_by_text("24 of 120").wait_for()
    assert "of 24 jobs failed" in answer(page, "What came")
    assert [row[0] for row in table(page, "What came")] == ["look", "rain"]


def test_another_axis_is_compared(page: Page) -> None:
    page.get_by_label("Compare by").select_option(label="aspect_ratio")

    page.get_by_role("heading", name="Which aspect_ratio is slow?").wait_for()
    assert "by=cell.aspect_ratio" in page.url
    assert [row[0] for row in table(page, "slow")[1:]] == ["16:9", "9:16"]


def test_a_bar_shows_its_cells(page: Page, records: list[Record]) -> None:
    expected = [
        record.name.rpartition("/")[2]
        for record in records
        if record.cell["look"] == "rain" and record.phase.value == "done"
    ]

    press_bar(page, "What came", "rain", "done")

    page.get_by_text(f"{len(expected)} of 120").wait_for()
    assert "phase=done" in page.url
    assert page.get_by_role("grid").is_visible()


def test_a_bar_of_the_timeline_opens_its_job(page: Page, records: list[Record]) -> None:
    name = next(r.name for r in records if r.phase.value == "done")

    press_bar(page, "time go", name, "making")

    page.get_by_role("dialog", name=f"Details of {name}").wait_for()


def test_the_timeline_shows_until_when_a_job_failed(
    page: Page, records: list[Record]
) -> None:
    failed = next(r for r in records if r.phase.value == "failed")

    press_bar(page, "time go", failed.name, "until it failed")

    details = page.get_by_role("dialog", name=f"Details of {failed.name}")
    times = details.locator(".times").inner_text()
    assert re.search(r"ended\s+\+[\d.]+ s", times)


def test_the_slowest_come_first(page: Page) -> None:
    chart(page, "time go").get_by_label("Order").select_option("slowest")

    rows = table(page, "time go")[1:]

    lengths = page.evaluate(
        """Chart.getChart(document.querySelector('canvas')).data.datasets[1].data
            .map(stage => stage ? stage[1] - stage[0] : 0)"""
    )
    assert len(rows) == len(lengths)
    assert lengths[0] == max(lengths)


def in_scheme(page: Page, scheme: Literal["light", "dark"]) -> None:
    """Change the scheme, and give charts some frames to follow."""
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.evaluate("""() => new Promise(done => {
        const wanted = getComputedStyle(document.documentElement)
            .getPropertyValue('--text').trim();
        const look = frames => {
            const charts = [...document.querySelectorAll('canvas')].map(Chart.getChart);
            const follow = charts.every(one => one.options.color === wanted);
            if (frames === 0 || follow) done();
            else requestAnimationFrame(() => look(frames - 1));
        };
        look(120);
    })""")


def contrasts(page: Page) -> dict[str, float]:
    """Return how well each colour of the charts is told from what it lies on."""
    found: dict[str, float] = page.evaluate("""() => {
        const light = text => {
            const canvas = document.createElement('canvas').getContext('2d');
            canvas.fillStyle = text; canvas.fillRect(0, 0, 1, 1);
            const [x, y, z] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3)
                .map(v => v / 255)
                .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
            return 0.2126 * x + 0.7152 * y + 0.0722 * z;
        };
        const {backgroundColor} = getComputedStyle(document.querySelector('.chart'));
        const card = light(backgroundColor) + 0.05, found = {};
        const ratio = one => Math.max(one + 0.05, card) / Math.min(one + 0.05, card);
        for (const canvas of document.querySelectorAll('canvas')) {
            const {data, options} = Chart.getChart(canvas);
            for (const set of data.datasets) {
                found[set.label] = ratio(light(set.backgroundColor));
            }
            found.text = ratio(light(options.color));
        }
        return found;
    }""")
    return found


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_can_be_told_from_the_ground(
    page: Page, scheme: Literal["light", "dark"]
) -> None:
    in_scheme(page, scheme)

    found = contrasts(page)

    assert found.pop("text") >= 4.5
    assert {"done", "failed", "held", "making", "half of the jobs"} <= found.keys()
    assert {name: ratio for name, ratio in found.items() if ratio < 3} == {}


def test_charts_follow_the_scheme_and_hold_still(page: Page) -> None:
    read = """(() => {
        const {options} = Chart.getChart(document.querySelector('canvas'));
        return [options.color, options.animation];
    })()"""
    in_scheme(page, "light")
    light, still = page.evaluate(read)
    in_scheme(page, "dark")
    dark, _ = page.evaluate(read)

    assert (light, dark) == ("#2a201a", "#f2e9e0")
    assert still is False


def test_where_nothing_happened_yet_nothing_is_drawn(
    open_page: OpenPage, tmp_path: Path
) -> None:
    run_dir = make_run(tmp_path, fate=lambda _: "new")

    page = open_page(api.report([run_dir]).path, at=AT, reduced_motion="reduce")

    assert answer(page, "time go") == "Nothing was submitted yet."
    assert answer(page, "cost") == "No price is known."
    assert page.locator("canvas").count() == 1


def test_values_stay_text(open_page: OpenPage, tmp_path: Path) -> None:
    value = HOSTILE.replace("'", "''")
    hostile = TWELVE.replace("[fog, rain, sun]", f"[fog, '{value}']")
    run_dir = make_run(tmp_path, hostile)

    page = open_page(api.report([run_dir]).path, at=AT, reduced_motion="reduce")

    assert [row[0] for row in table(page, "What came")] == ["look", "fog", HOSTILE]
    assert page.locator("figure.chart script").count() == 0
    assert page.title() == "twelve@sandbox · foxbatch"


def test_a_pause_between_two_runs_is_left_out(
    open_page: OpenPage, tmp_path: Path
) -> None:
    def half(first: str) -> FateOf:
        return lambda job: "done" if (job.digest[0] in first) else "new"

    make_run(tmp_path, fate=half("01234567"))
    run_dir = make_run(
        tmp_path,
        fate=half("89abcdef"),
        run="testrunbbb",
        start=datetime(2026, 1, 2, 9, tzinfo=UTC),
    )

    page = open_page(api.report([run_dir]).path, at=AT, reduced_motion="reduce")

    assert re.search(
        r"A pause of 23 h \d+ min in all is left out", answer(page, "time go")
    )
    assert re.search(
        r"^12 jobs were done in \d+( min \d+)? s", answer(page, "How fast")
    )


def test_ten_thousand_jobs(
    open_page: OpenPage, records: list[Record], run_dir: Path, tmp_path: Path
) -> None:
    many = [
        msgspec.structs.replace(record, job=JobId(f"{record.job[:14]}{copy:06d}"))
        for copy in range(84)
        for record in records
    ]
    run = RunOf(path=run_dir, label="many", records=many)
    write_page(gallery("many", [run], beside=tmp_path), tmp_path / "report.html")

    page = open_page(tmp_path / "report.html", at=AT, reduced_motion="reduce")

    page.locator("canvas").nth(4).wait_for()
    took_ms = page.evaluate(
        """() => new Promise(told => {
            const began = performance.now();
            const tabs = [...document.querySelectorAll('.tabs button')];
            tabs.find(tab => tab.innerText === 'Grid').click();
            tabs.find(tab => tab.innerText === 'Charts').click();
            const look = () => document.querySelectorAll('canvas').length === 5
                && Chart.getChart(document.querySelectorAll('canvas')[4])
                ? told(performance.now() - began) : requestAnimationFrame(look);
            requestAnimationFrame(look);
        })"""
    )
    assert took_ms < 3000
    assert len(table(page, "time go")) == 101
    assert re.search(r"Jobs 1 to 100 of \d{4}", page.locator(".charts").inner_text())


# ---- What charts and votes are computed from


@pytest.fixture(scope="module")
def modules(browser: Browser) -> Any:  # noqa: ANN401
    """Return a function that evaluates an expression with a module of the page."""
    folder = Path(api.__file__).parents[1] / "report" / "page"
    page = browser.new_page()

    def serve(route: Any) -> None:  # noqa: ANN401
        name = route.request.url.removeprefix("http://modules.test/")
        kind = "text/javascript" if name else "text/html"
        route.fulfill(
            body=(folder / name).read_text() if name else "", content_type=kind
        )

    page.route("http://modules.test/**", serve)
    page.goto("http://modules.test/")

    def run(module: str, expression: str) -> Any:  # noqa: ANN401
        return page.evaluate(f"import('/{module}.js').then(m => {expression})")

    return run


@pytest.mark.parametrize(
    ("module", "expression", "expected"),
    [
        ("ballots", "m.wilson(8, 10)", [0.490, 0.943]),
        ("ballots", "m.wilson(0, 0)", [0, 1]),
        ("ballots", "m.wilson(10, 10)", [0.722, 1]),
        ("ballots", "[m.signTest(9, 1), m.signTest(1, 9)]", [0.0215, 0.0215]),
        ("ballots", "[m.signTest(5, 5), m.signTest(0, 0)]", [1, 1]),
        ("ballots", "[m.signTest(1000, 10)]", [0]),
        (
            "measures",
            "[m.quantile([1, 2, 3, 10], 0.5), m.quantile([7], 0.95)]",
            [2.5, 7],
        ),
        ("measures", "[0.5, 39, 41, 3601, 1e7].map(s => m.stepFor(s))", None),
    ],
)
def test_figures(modules: Any, module: str, expression: str, expected: Any) -> None:  # noqa: ANN401
    found = modules(module, expression)

    expected = [0.1, 1, 2, 120, 259_200] if expected is None else expected
    assert found == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize(
    ("times", "stages"),
    [
        ("accepted: 2, completed: 5, downloaded: 7", [[1, 2], [2, 5], [5, 7]]),
        ("accepted: 2, running: 3, ended: 5", [[1, 3], [3, 5], None]),
        ("ended: 5", [[1, 5], None, None]),
        ("accepted: 2, completed: 5, ended: 9", [[1, 2], [2, 5], [5, 9]]),
        ("accepted: 2", [[1, 2], None, None]),
    ],
    ids=["done", "failed", "refused", "expired", "running"],
)
def test_a_job_was_in_its_last_stage_until_it_ended(
    modules: Any,  # noqa: ANN401
    times: str,
    stages: object,
) -> None:
    expression = f"m.stagesOf({{times: {{submitted: 1, {times}}}}})"

    assert modules("measures", expression) == stages


def test_a_seed_gives_the_same_draws_everywhere(modules: Any) -> None:  # noqa: ANN401
    draws = modules("ballots", "Array.from({length: 2000}, m.generator(7))")

    assert draws == modules("ballots", "Array.from({length: 2000}, m.generator(7))")
    assert draws[:2] != modules("ballots", "Array.from({length: 2}, m.generator(8))")
    assert 0.45 < sum(draw < 0.5 for draw in draws) / 2000 < 0.55


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ('a "b", c', '"a ""b"", c"'),
        ("two\nlines", '"two\nlines"'),
        ("=1+1", "'=1+1"),
        ("-2", "'-2"),
        ("@x", "'@x"),
        ('+"', '"\'+"""'),
        ("\t=x", "'\t=x"),
        ("", ""),
    ],
)
def test_fields_of_csv(modules: Any, text: str, expected: str) -> None:  # noqa: ANN401
    assert (
        modules("opinions", f"m.field({msgspec.json.encode(text).decode()})")
        == expected
    )


def test_the_log_reads_what_python_reads(modules: Any) -> None:  # noqa: ANN401
    """Lines that one refuses, the other refuses too."""
    import jsonschema

    from foxbatch.report.ratings import ratings_schema

    good = {
        "v": 1,
        "at": "2026-01-01T00:00:00.000Z",
        "who": "ann",
        "job": "abc",
        "sha256": "a" * 64,
        "stars": 3,
        "mark": "",
        "tags": [],
        "note": "",
    }
    vote = {
        "axis": "x",
        "a": 1,
        "b": None,
        "jobs": ["a", "b"],
        "sha256": ["", ""],
        "winner": "tie",
    }
    stamps = {name: good[name] for name in ("v", "at", "who")}
    lines: list[dict[str, Any]] = [
        good,
        {**stamps, "vote": vote},
        *(
            {**good, **wrong}
            for wrong in (
                {"v": 2},
                {"at": "2026-01-01"},
                {"who": ""},
                {"job": "../x"},
                {"sha256": "x"},
                {"stars": 6},
                {"stars": 1.5},
                {"mark": "maybe"},
                {"tags": [""]},
                {"tags": "x"},
                {"note": 1},
                {"note": "x" * 4001},
                {"sha256": ""},
                {"mark": "pick"},
            )
        ),
        *(
            {**stamps, "vote": {**vote, **wrong}}
            for wrong in (
                {"winner": "c"},
                {"jobs": ["a"]},
                {"sha256": ["x", ""]},
                {"axis": 1},
                {"winner": ""},
            )
        ),
    ]
    validator = jsonschema.Draft202012Validator(ratings_schema())

    said = msgspec.json.encode(lines).decode()
    found = modules("opinions", f"{said}.map(line => Boolean(m.readLine(line).line))")

    assert found == [validator.is_valid(line) for line in lines]
    assert 0 < sum(found) < len(found)
