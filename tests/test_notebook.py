"""Records as a notebook shows them."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from foxbatch.api import Results
from foxbatch.canonical import Digest
from foxbatch.events import PromptText
from foxbatch.results import Failure, Media, Record, StoredFile
from foxbatch.state import Phase
from tests.records import record

HOSTILE = (
    '<script>alert(1)</script><img src=x onerror=alert(1)>"\' onmouseover="alert(1)'
    " </td></table> &lt; \u202e rtl \U0001f98a"
)


class Page(HTMLParser):
    """What a browser makes of it: tags, attributes, and the texts of cells."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.titles: list[str | None] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.titles += [value for name, value in attrs if name == "title"]
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def shown(*found: Record, other: Record | None = None) -> Page:
    runs: list[tuple[str, list[Record]]] = [("sea@sandbox", list(found))]
    runs += [("copy", [other])] if other else []
    return Page(Results(runs)._repr_html_())


def file(name: str) -> StoredFile:
    return StoredFile(f"artifacts/{name}", Digest("0" * 64), 9, Media(kind="video"))


def test_records_are_a_table() -> None:
    done = record(
        name="fog", cell={"sky": "fog", "fps": 24}, credits=1028.5, latency_s=61.26,
        artifacts=(file("fog-1.mp4"), file("fog-2.mp4")),
    )  # fmt: skip
    failed = record(
        name="rain", cell={"sky": "rain", "fps": 24}, phase=Phase.FAILED,
        error=Failure("content", "policy", "No."), flags=("asked for seed 1, got 2",),
    )  # fmt: skip

    page = shown(done, failed)

    assert page.text.startswith("2 records: 1 done, 1 failed; 1,028.5 credits")
    assert page.rows == [
        ["name", "phase", "sky", "credits", "seconds", "files",
         "remarks"],
        ["sea/fog", "● done", "fog", "1,028.5", "61.3",
         "artifacts/fog-1.mp4 and 1 more", ""],
        ["sea/rain", "● failed", "rain", "–", "–", "",
         "content: No.; asked for seed 1, got 2"],
    ]  # fmt: skip


def test_of_several_runs_each_row_says_which() -> None:
    page = shown(record(cell={"n": 1}), other=record(cell={"n": [2**70, "x"]}))

    assert [row[0] for row in page.rows] == ["run", "sea@sandbox", "copy"]
    assert [row[3] for row in page.rows] == ["n", "1", f'[{2**70}, "x"]']


def test_what_strangers_wrote_is_text() -> None:
    hostile = record(
        name=HOSTILE, spec=HOSTILE, cell={HOSTILE: HOSTILE}, artifacts=(file(HOSTILE),),
        prompt=PromptText(HOSTILE, HOSTILE), flags=(HOSTILE,),
        error=Failure(HOSTILE, HOSTILE, HOSTILE),
    )  # fmt: skip

    page = shown(hostile, other=record())

    assert page.tags == {
        "p", "b", "table", "thead", "tbody", "tr", "th", "td", "bdi", "span",
    }  # fmt: skip
    assert page.attributes == {"style", "title", "aria-hidden"}
    assert page.rows[1][3] == f"{HOSTILE[:79]}…"
    assert HOSTILE in page.titles


def test_long_lists_are_cut_short() -> None:
    page = shown(*(record(name=f"n{number}") for number in range(1051)))

    assert len(page.rows) == 51
    assert page.text.startswith("1,051 records: 1,051 done")
    assert page.text.endswith("1,001 more records are not shown; rows() has all.")


@pytest.mark.parametrize("found", [(), (record(),)], ids=["none", "one"])
def test_few_records_are_shown_too(found: tuple[Record, ...]) -> None:
    page = shown(*found)

    assert len(page.rows) == 1 + len(found)
    assert page.text.startswith("1 record: 1 done" if found else "0 records")
