"""What is wrong with a file, as people and as machines read it.

The texts beside the manifests of `tests/examples/bad/` and `odd/` are reviewed like
prose. UPDATE_EXPECTED=1 writes them anew; read the difference before it is committed.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from foxbatch.cli._sources import Sources
from foxbatch.cli._text import cells
from foxbatch.cli.problems import as_json, as_text, tally
from foxbatch.errors import Edit, Position, Problem, Related, Severity
from tests.cli import Type

EXAMPLES = Path(__file__).parent / "examples"
BAD, ODD = EXAMPLES / "bad", EXAMPLES / "odd"
UPDATE = "UPDATE_EXPECTED"


def at(line: int, column: int, end_column: int, file: str = "m.yaml") -> Position:
    return Position(file, line, column, line, end_column)


def shown(text: str, *problems: Problem, width: int = 80) -> str:
    sources = Sources({"m.yaml": text, "other.yaml": text})
    return as_text(problems, sources, width=width).plain


PROBLEM = Problem(
    "E-KEY-UNKNOWN", 'unknown key "promts"', at(2, 5, 11), "Did you mean prompts?"
)
TEXT = "jobs:\n  - promts: [A cat]\n"


class TestText:
    def test_shows_the_line_the_place_and_what_to_do(self) -> None:
        assert shown(TEXT, PROBLEM) == (
            'm.yaml:2:5: error: unknown key "promts" [E-KEY-UNKNOWN]\n'
            "2 |   - promts: [A cat]\n"
            "  |     ^^^^^^\n"
            "  = try: Did you mean prompts?\n"
            "\n"
            "1 error in 1 file\n"
        )

    def test_shows_the_second_place(self) -> None:
        related = Related(at(1, 1, 5, "other.yaml"), "first given here")
        problem = replace(PROBLEM, related=(related,), hint="")

        assert shown(TEXT, problem).splitlines()[3:6] == [
            "  = see: other.yaml:1:1: first given here",
            "1 | jobs:",
            "  | ^^^^",
        ]

    @pytest.mark.parametrize(
        ("jobs", "example", "line"),
        [
            pytest.param(1, "sea/calm", "  = in: job sea/calm", id="one job"),
            pytest.param(
                2400, "sea/calm", "  = in: 2,400 jobs, such as sea/calm", id="many"
            ),
            pytest.param(3, "", "  = in: 3 jobs", id="without an example"),
        ],
    )
    def test_says_how_many_jobs_it_is_in(
        self, jobs: int, example: str, line: str
    ) -> None:
        problem = replace(PROBLEM, jobs=jobs, example=example)

        assert line in shown(TEXT, problem).splitlines()

    @pytest.mark.parametrize(
        ("line", "mark", "width"),
        [
            pytest.param("a: promts", "promts", 6, id="plain text"),
            pytest.param("\ta:\tpromts", "promts", 6, id="behind tabs"),
            pytest.param("犬と海: promts", "promts", 6, id="behind wide characters"),
            pytest.param("🦊🦊: promts", "promts", 6, id="behind emoji"),
            pytest.param("e\u0301: promts", "promts", 6, id="behind a combining mark"),
            pytest.param("a: 犬と海", "犬と海", 6, id="under wide characters"),
            pytest.param("a:\tb", "\t", 2, id="under a tab"),
        ],
    )
    def test_caret_stands_under_the_place(
        self, line: str, mark: str, width: int
    ) -> None:
        start = line.index(mark) + 1
        problem = replace(PROBLEM, position=at(1, start, start + len(mark)))

        _, source, underline, *_ = shown(line, problem).splitlines()

        before, _, _ = source.rpartition(mark.expandtabs() if mark == "\t" else mark)
        carets = underline.lstrip(" |")
        assert carets == "^" * width
        if mark != "\t":
            assert cell_len(before) == len(underline) - len(carets)

    def test_empty_place_gets_one_caret(self) -> None:
        problem = replace(PROBLEM, position=at(1, 6, 6))

        assert shown("jobs:", problem).splitlines()[2] == "  |      ^"

    def test_place_of_several_lines_is_marked_to_the_end_of_the_first(self) -> None:
        problem = replace(PROBLEM, position=Position("m.yaml", 1, 3, 2, 4))

        assert shown("a: |\n  text", problem).splitlines()[2] == "  |   ^^"

    @pytest.mark.parametrize("width", [60, 80])
    @pytest.mark.parametrize("start", [1, 200, 590], ids=["start", "middle", "end"])
    def test_long_line_is_shown_in_part(self, start: int, width: int) -> None:
        """A prompt is often one line of many hundred characters."""
        line = "".join(f"{number:03} " for number in range(150))
        problem = replace(PROBLEM, position=at(1, start, start + 3))

        _, source, underline, *_ = shown(line, problem, width=width).splitlines()

        assert cell_len(source) <= width
        marked = source[underline.index("^") : underline.rindex("^") + 1]
        assert marked == line[start - 1 : start + 2]
        assert "…" in source

    def test_long_place_is_cut(self) -> None:
        problem = replace(PROBLEM, position=at(1, 4, 500))

        _, source, underline, *_ = shown("a: " + "x" * 600, problem).splitlines()

        assert source.endswith("x…")
        assert len(source) == len(underline) + 1 <= 80

    @pytest.mark.parametrize(
        "text",
        [
            pytest.param("x", id="plain text"),
            pytest.param("犬と海", id="wide characters"),
            pytest.param("\x00\ufffd", id="bytes that are no text"),
            pytest.param("e\u0301", id="combining marks"),
            pytest.param("a\t", id="tabs"),
        ],
    )
    @pytest.mark.parametrize("place", [0.0, 0.5, 1.0], ids=["start", "middle", "end"])
    def test_a_line_of_a_million_characters_is_measured_near_its_place_only(
        self, text: str, place: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Cut one by one and measured each time, it took half an hour."""
        measured: list[int] = []

        def counting(piece: str) -> int:
            measured.append(len(piece))
            return cells(piece)

        monkeypatch.setattr("foxbatch.cli.problems.cells", counting)
        line = text * (2**20 // len(text))
        start = int(place * (len(line) - 10)) + 1
        problem = replace(PROBLEM, position=at(1, start, start + 8))

        _, source, underline, *_ = shown(line, problem).splitlines()

        assert cells(source) <= 80
        assert underline.strip(" |^") == ""
        assert sum(measured) < 100_000

    @pytest.mark.parametrize(
        "file", ["gone.yaml", "."], ids=["a missing file", "a folder"]
    )
    def test_unreadable_file_is_named_without_a_line(self, file: str) -> None:
        problem = replace(PROBLEM, position=Position(file))

        assert shown(TEXT, problem).splitlines()[1] == "  = try: Did you mean prompts?"

    def test_line_beyond_the_end_is_not_shown(self) -> None:
        problem = replace(PROBLEM, position=at(9, 1, 1), hint="")

        assert len(shown(TEXT, problem).splitlines()) == 3

    def test_control_characters_are_spelt_out(self) -> None:
        problem = replace(PROBLEM, message="a \x1b[31m", position=at(1, 4, 8))

        text = shown("a: \x1b[2J\u202e", problem)

        assert "\x1b" not in text
        assert "\\x1b[2J\\u202e" in text
        assert "a \\x1b[31m" in text

    def test_hint_of_several_lines_stays_aligned(self) -> None:
        problem = replace(PROBLEM, hint="Write one of:\n16:9")

        assert "  = try: Write one of:\n         16:9\n" in shown(TEXT, problem)

    def test_bytes_of_a_windows_file_are_read_as_its_lines(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "m.yaml"
        path.write_bytes("\ufeffjobs:\r\n  - promts: [A cat]\r\n".encode())
        problem = replace(PROBLEM, position=at(2, 5, 11, str(path)))

        lines = as_text([problem], Sources(), width=80).plain.splitlines()

        assert lines[1] == "2 |   - promts: [A cat]"

    def test_severity_is_coloured(self) -> None:
        text = as_text([PROBLEM], Sources({"m.yaml": TEXT}), width=80)

        red = [text.plain[s.start : s.end] for s in text.spans if s.style == "bold red"]
        assert red == ["error: ", "^^^^^^"]


def test_tally_counts_by_severity_and_file() -> None:
    other = at(1, 1, 2, "other.yaml")
    problems = [
        replace(PROBLEM, severity=Severity.NOTE, position=other),
        PROBLEM,
        PROBLEM,
    ]

    assert tally(problems) == "2 errors, 1 note in 2 files"


class TestJson:
    def test_has_every_promised_field(self) -> None:
        related = Related(at(1, 1, 5), "first given here")
        problem = replace(
            PROBLEM,
            related=(related,),
            jobs=3,
            example="sea",
            pointer="/jobs/0/promts",
            fix=(Edit(PROBLEM.position, "prompts"),),
        )

        assert as_json(problem) == {
            "code": "E-KEY-UNKNOWN",
            "severity": "error",
            "file": "m.yaml",
            "line": 2,
            "column": 5,
            "end_line": 2,
            "end_column": 11,
            "pointer": "/jobs/0/promts",
            "message": 'unknown key "promts"',
            "hint": "Did you mean prompts?",
            "jobs": 3,
            "example": "sea",
            "related": [
                {
                    "file": "m.yaml",
                    "line": 1,
                    "column": 1,
                    "end_line": 1,
                    "end_column": 5,
                    "message": "first given here",
                }
            ],
            "fix": [
                {
                    "file": "m.yaml",
                    "line": 2,
                    "column": 5,
                    "end_line": 2,
                    "end_column": 11,
                    "text": "prompts",
                }
            ],
        }


@pytest.mark.parametrize(
    ("manifest", "code"),
    [
        *(pytest.param(path, 3, id=path.stem) for path in sorted(BAD.glob("*.yaml"))),
        *(pytest.param(path, 0, id=path.stem) for path in sorted(ODD.glob("*.yaml"))),
    ],
)
def test_example_is_judged_in_the_words_beside_it(
    manifest: Path, code: int, type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(manifest.parent)

    ended = type_("validate", manifest.name)

    beside = manifest.with_suffix(".expected.txt")
    if os.environ.get(UPDATE):  # pragma: no cover  a person asked for it
        beside.write_text(ended.out, "utf-8")
    assert ended.code == code
    assert ended.out == beside.read_text("utf-8")
