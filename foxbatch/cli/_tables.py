"""Tables: with colour on a terminal, in plain aligned columns in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import cells, one_line

Cell = str | Text

_LONGEST_CELL = 200  # characters: one long text must not widen every line


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        title: In capitals, by custom.
        right: Whether it holds numbers.
        style: Colour on a terminal.
        wraps: Whether a narrow terminal breaks its text instead of cutting it.
        whole: Whether a pipe gets it whole: what is copied, such as a path.
    """

    title: str
    right: bool = False
    style: str = ""
    wraps: bool = False
    whole: bool = False


def show_table(
    terminal: Terminal, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]
) -> None:
    """Write a table to stdout. In a pipe only very long texts are cut."""
    tidy = [
        [_tidy(column, cell) for column, cell in zip(columns, row, strict=True)]
        for row in rows
    ]
    if terminal.out.is_terminal:
        terminal.out.print(_coloured(columns, tidy))
        return
    for line in _plain(columns, tidy):
        terminal.emit(line)


def _tidy(column: Column, cell: Cell) -> Text:
    if isinstance(cell, Text):
        return cell
    return Text(one_line(cell, 0 if column.whole else _LONGEST_CELL))


def _coloured(columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for column in columns:
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            style=column.style,
            no_wrap=not column.wraps,
            overflow="fold" if column.wraps else "ellipsis",
        )
    for row in rows:
        table.add_row(*row)
    return table


def _plain(columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> list[str]:
    lines = [
        [column.title for column in columns],
        *([cell.plain for cell in row] for row in rows),
    ]
    widths = [max(map(cells, column)) for column in zip(*lines, strict=True)]
    return [
        "  ".join(
            " " * (width - cells(text)) + text
            if column.right
            else text + " " * (width - cells(text))
            for column, text, width in zip(columns, line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]
