"""Tables: coloured and cut on a terminal, plain and whole in a pipe."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from foxbatch.cli._tables import Cell, Column, show_table
from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import amount, count, one_line, size, visible

COLUMNS = [Column("NAME"), Column("SIZE", right=True), Column("WHY", wraps=True)]
ROWS: list[list[Cell]] = [
    ["海の夜", Text("9", "red"), "long " * 20],
    ["fox\nin snow\x1b[2J", "10", ""],
]


def shown(
    *,
    fancy: bool,
    width: int = 60,
    columns: list[Column] = COLUMNS,
    rows: list[list[Cell]] = ROWS,
) -> list[str]:
    written = io.StringIO()
    terminal = Terminal({})
    console = Console(
        file=written,
        width=width,
        force_terminal=fancy,
        color_system="standard",
    )
    terminal.__dict__ |= {"out": console, "stdout": written}
    show_table(terminal, columns, rows)
    return written.getvalue().splitlines()


def test_pipe_gets_whole_aligned_columns() -> None:
    header, first, second = shown(fancy=False)

    assert header == "NAME                SIZE  WHY"
    assert first == f"海の夜{'9':>18}  {('long ' * 20).strip()}"
    assert second == "fox in snow\\x1b[2J    10"
    assert cell_len(first[: first.index("9")]) == 23


def test_terminal_gets_colour_and_lines_that_fit() -> None:
    lines = shown(fancy=True)

    assert any("\x1b[31m" in line for line in lines)
    assert len(lines) > 3
    assert "\x1b[2J" not in "".join(lines)


@pytest.mark.parametrize(
    ("width", "titles"),
    [
        (120, ["JOB", "NAME", "PHASE", "TASK", "ERROR"]),
        (60, ["JOB", "NAME", "PHASE", "ERROR"]),
        (30, ["JOB", "PHASE"]),
    ],
)
def test_narrow_terminal_shows_whole_what_is_copied_and_leaves_out_the_rest(
    width: int, titles: list[str]
) -> None:
    columns = [
        Column("JOB"),
        Column("NAME", cut=True, rank=1),
        Column("PHASE"),
        Column("TASK", rank=3),
        Column("ERROR", wraps=True, rank=2),
    ]
    rows: list[list[Cell]] = [["k" * 20, "n" * 40, "done", "t" * 40, ""]]

    header, first = shown(fancy=True, width=width, columns=columns, rows=rows)

    plain = Text.from_ansi
    assert plain(header).plain.split() == titles
    assert "k" * 20 in plain(first).plain
    assert "done" in plain(first).plain
    assert cell_len(plain(first).plain) <= width


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (3_140_000_000, "3.1 GB"),
        (10**16, "10000.0 TB"),
    ],
)
def test_sizes_are_for_people(size_bytes: int, text: str) -> None:
    assert size(size_bytes) == text


@pytest.mark.parametrize(
    ("number", "text"), [(96, "96"), (1234.5, "1,234.5"), (0.333, "0.33"), (100, "100")]
)
def test_amounts_are_for_people(number: float, text: str) -> None:
    assert amount(number) == text


def test_counts_know_the_plural() -> None:
    assert (count(1, "job"), count(1200, "job")) == ("1 job", "1,200 jobs")


def test_what_could_steer_a_terminal_is_spelt_out() -> None:
    assert visible("a\x1b[2J\x07\u202e\x85\n\tb") == "a\\x1b[2J\\x07\\u202e\\x85\n\tb"


def test_one_line_is_one_line() -> None:
    assert one_line("a \n\t b" + "c" * 9, 6) == "a bcc…"
