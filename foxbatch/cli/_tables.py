"""Tables: with colour on a terminal, in plain aligned columns in a pipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import cells, one_line

Cell = str | Text

_GAP = 2  # cells between two columns
_LEAST = 16  # cells that a text needs which is cut or broken to make sense
_LONGEST_CELL = 200  # characters: one long text must not widen every line


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes:
        title: In capitals, by custom.
        right: Whether it holds numbers.
        style: Colour on a terminal.
        wraps: Whether a narrow terminal breaks its text over several lines.
        cut: Whether a narrow terminal cuts it. What is neither is shown whole.
        whole: Whether a pipe gets it whole: what is copied, such as a path.
        rank: Where the terminal is too narrow, columns go from the highest rank on; 0
            stays.
    """

    title: str
    right: bool = False
    style: str = ""
    wraps: bool = False
    cut: bool = False
    whole: bool = False
    rank: int = 0


def show_table(
    terminal: Terminal, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]
) -> None:
    """Write a table to stdout. In a pipe only very long texts are cut."""
    tidy = [
        [_tidy(column, cell) for column, cell in zip(columns, row, strict=True)]
        for row in rows
    ]
    if terminal.out.is_terminal:
        terminal.out.print(_coloured(columns, tidy, terminal.out.width))
        return
    for line in _plain(columns, tidy):
        terminal.emit(line)


def _tidy(column: Column, cell: Cell) -> Text:
    if isinstance(cell, Text):
        return cell
    return Text(one_line(cell, 0 if column.whole else _LONGEST_CELL))


def _coloured(
    columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int
) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, _GAP, 0, 0), pad_edge=False)
    widths = _widths(columns, rows)
    shown = _shown(columns, widths, width)
    fitted = _fitted(columns, widths, shown, width)
    for index in shown:
        column = columns[index]
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            style=column.style,
            no_wrap=not column.wraps,
            overflow="fold" if column.wraps else "ellipsis",
            width=fitted[index],
        )
    for row in rows:
        table.add_row(*(row[index] for index in shown))
    return table


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> list[int]:
    lines = [
        [column.title for column in columns],
        *([cell.plain for cell in row] for row in rows),
    ]
    return [max(map(cells, column)) for column in zip(*lines, strict=True)]


def _shown(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int]:
    """Return the indices of the columns that a terminal of *width* has room for."""
    shown = list(range(len(columns)))
    needed = [
        min(width, _LEAST) if _gives(column) else width
        for column, width in zip(columns, widths, strict=True)
    ]
    while sum(needed[index] + _GAP for index in shown) - _GAP > width:
        last = max(shown, key=lambda index: columns[index].rank)
        if not columns[last].rank:
            break
        shown.remove(last)
    return shown


def _fitted(
    columns: Sequence[Column], widths: Sequence[int], shown: Sequence[int], width: int
) -> dict[int, int]:
    """Return how wide each shown column is: what is left goes to those that give."""
    fitted = {index: widths[index] for index in shown if not _gives(columns[index])}
    room = width - _GAP * (len(shown) - 1) - sum(fitted.values())
    giving = sorted(set(shown) - set(fitted), key=lambda index: widths[index])
    for place, index in enumerate(giving):
        fitted[index] = max(1, min(widths[index], room // (len(giving) - place)))
        room -= fitted[index]
    return fitted


def _gives(column: Column) -> bool:
    return column.wraps or column.cut


def _plain(columns: Sequence[Column], rows: Sequence[Sequence[Text]]) -> list[str]:
    widths = _widths(columns, rows)
    lines = [
        [column.title for column in columns],
        *([cell.plain for cell in row] for row in rows),
    ]
    return [
        "  ".join(
            " " * (width - cells(text)) + text
            if column.right
            else text + " " * (width - cells(text))
            for column, text, width in zip(columns, line, widths, strict=True)
        ).rstrip()
        for line in lines
    ]
