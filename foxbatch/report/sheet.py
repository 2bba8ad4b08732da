"""The matrix as one picture: what goes where on a contact sheet. Nothing is drawn here.

A sheet is looked at where nothing can be clicked: in a pull request, in a chat. So each
place shows one cell, says why there is nothing to see, and everything that was left out
is told at the foot.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from foxbatch.errors import UsageError
from foxbatch.report.arranging import (
    Arranged,
    Line,
    View,
    arrange,
    axis_label,
    axis_named,
    first_view,
    value_label,
    value_named,
)
from foxbatch.report.data import Cell, Gallery

LONGEST_PX = 16_000
"""No side of a sheet is longer."""

_MOST_PX = 80_000_000
"""Nor is a sheet larger: 240 MB while it is drawn."""

_AREA_PX = 60_000  # of a tile, before all are made to fit
_WIDEST_PX = 2400  # of a sheet whose width nobody chose
_SMALLEST_PX, _LARGEST_PX = 56, 540  # height of a row of tiles
_FLATTEST, _TALLEST = 2.4, 0.5  # width by height
_GAP_SHARE, _SIDE_SHARE = 0.035, 1.05  # of the height of a tile
_USUAL_ASPECT = 16 / 9


@dataclass(frozen=True, slots=True)
class Label:
    """What stands at a row, a column, or a tile: the axis small, its value, a text."""

    axis: str
    value: str
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One place of the sheet, in pixels; `cell` is None where there is no such job."""

    left: int
    top: int
    width: int
    height: int
    cell: Cell | None
    more: int = 0
    caption: Label | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A label and the room it has, in pixels."""

    left: int
    top: int
    width: int
    height: int
    label: Label
    outer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A whole contact sheet, ready to be drawn.

    Attributes:
        unit: Size of plain text, in pixels; all else follows.
        left_out: What does not fit, in words; empty where all does.
    """

    width: int
    height: int
    unit: float
    title: str
    subtitle: str
    columns: Sequence[Heading]
    rows: Sequence[Heading]
    tiles: Sequence[Tile]
    left_out: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How somebody wants a sheet.

    Attributes:
        rows: Name of the axis that goes down; empty for the page's choice.
        cols: Name of the one that goes across, likewise.
        where: Pairs of an axis and the value to keep; several of one axis keep all.
        width: Of the sheet in pixels; 0 for one that suits it.
    """

    rows: str = ""
    cols: str = ""
    where: Sequence[tuple[str, str]] = ()
    width: int = 0


def plan_sheet(
    shown: Gallery, wish: Wish, *, widest_px: int = _WIDEST_PX, most_px: int = _MOST_PX
) -> Sheet:
    """Return where everything goes on the sheet of *shown*.

    Args:
        shown: What there is.
        wish: How somebody wants it.
        widest_px: How wide it becomes where nobody chose that.
        most_px: How many pixels it may have; rows that do not fit are left out.

    Raises:
        UsageError: There is no such axis or value, or nothing is left to show.
    """
    chosen = _chosen(shown, wish.where)
    view = first_view(
        chosen,
        rows=_axis(shown, "--rows", wish.rows),
        cols=_axis(shown, "--cols", wish.cols),
    )
    return _Planner(chosen, view, wish, (widest_px, most_px)).sheet()


def _axis(shown: Gallery, option: str, name: str) -> str:
    if not name:
        return ""
    axis = axis_named(shown, name)
    if axis is None:
        known = ", ".join(axis_label(axis.id) for axis in shown.axes)
        raise UsageError(
            f"{option}: there is no axis {name!r}", hint=f"Axes are {known}."
        )
    return axis


def _chosen(shown: Gallery, where: Sequence[tuple[str, str]]) -> Gallery:
    """Return *shown* with the cells only that have the values of *where*."""
    wanted: dict[int, set[int]] = {}
    order = [axis.id for axis in shown.axes]
    for name, text in where:
        axis = _axis(shown, "--where", name)
        index = value_named(shown, axis, text)
        if index is None:
            values = shown.axes[order.index(axis)].values
            known = ", ".join(value_label(value) for value in values[:12])
            raise UsageError(
                f"--where: {axis_label(axis)} is never {text!r}",
                hint=f"It is {known}{' …' if len(values) > 12 else ''}.",  # noqa: PLR2004
            )
        wanted.setdefault(order.index(axis), set()).add(index)
    cells = [
        cell
        for cell in shown.cells
        if all(cell.at[axis] in values for axis, values in wanted.items())
    ]
    if not cells:
        raise UsageError("there is no such job", hint="Leave a --where out.")
    return msgspec.structs.replace(shown, cells=cells, details=[])


@dataclass(frozen=True, slots=True)
class _Grid:
    """Tiles by row and column, before they have a size."""

    rows: Sequence[Line]
    cols: Sequence[Line]
    places: Mapping[tuple[int, int], Sequence[Cell]]
    captions: Mapping[tuple[int, int], Label]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sizes:
    """Sizes in pixels that everything on a sheet follows from."""

    unit: float
    margin: int
    gap: int
    side: int
    caption: int
    widths: Sequence[int]
    heights: Sequence[int]

    @property
    def head(self) -> int:
        return self.margin + round(4.4 * self.unit)


class _Planner:
    def __init__(
        self, shown: Gallery, view: View, wish: Wish, bounds: tuple[int, int]
    ) -> None:
        self._shown, self._view, self._wish = shown, view, wish
        self._widest_px, self._most_px = bounds
        self._texts = _prompt_texts(shown)
        arranged = arrange(shown, view)
        self._lines = len(arranged.rows)
        self._wall = not view.cols and len(arranged.rows) > 1
        self._grid = self._as_wall(arranged) if self._wall else _as_grid(arranged)

    def _as_wall(self, arranged: Arranged) -> _Grid:
        """Return rows without columns one after another, in lines as in a text."""
        count = len(arranged.rows)
        across = min(count, max(1, round(math.sqrt(count * 1.2))))
        places = {
            divmod(row, across): there for (row, _), there in arranged.places.items()
        }
        captions = {
            divmod(number, across): self._label(self._view.rows, line.inner)
            for number, line in enumerate(arranged.rows)
        }
        none = Line(-1, -1)
        down = math.ceil(count / across)
        return _Grid([none] * down, [none] * across, places, captions)

    def sheet(self) -> Sheet:
        sizes = self._sizes()
        lefts = _starts(sizes.margin + sizes.side, sizes.widths, sizes.gap)
        across = _fitting(lefts, sizes.widths, LONGEST_PX - sizes.margin)
        lefts = lefts[:across]
        width = max(
            lefts[-1] + sizes.widths[across - 1] + sizes.margin, round(26 * sizes.unit)
        )
        top = sizes.head + self._columns_height(sizes.unit)
        tops = _starts(top, sizes.heights, sizes.gap + sizes.caption)
        foot = sizes.margin + round(2 * sizes.unit)
        longest = min(LONGEST_PX, self._most_px // width)
        down = _fitting(tops, sizes.heights, longest - foot - sizes.caption)
        tops = tops[:down]
        left_out = self._left_out(down, across)
        bottom = tops[-1] + sizes.heights[down - 1] + sizes.caption
        return Sheet(
            width=width,
            height=bottom + (foot if left_out else sizes.margin),
            unit=sizes.unit,
            title=self._shown.title,
            subtitle=self._subtitle(),
            columns=self._columns(lefts, sizes),
            rows=self._rows(tops, sizes),
            tiles=self._tiles(lefts, tops, sizes),
            left_out=left_out,
        )

    # ---- Sizes

    def _sizes(self) -> _Sizes:
        aspects = self._aspects()
        height = math.sqrt(_AREA_PX * len(aspects) / sum(aspects))
        sides = _SIDE_SHARE if self._has_side else 0.0
        # Margins, gaps and the side grow with the tiles.
        share = sum(aspects) + sides + _GAP_SHARE * len(aspects) + 0.3
        most = self._wish.width or self._widest_px
        if self._wish.width or share * height > most:
            height = most / share
        height = max(_SMALLEST_PX, min(_LARGEST_PX, height))
        unit = max(9.0, min(18.0, height / 14))
        widths = [round(aspect * height) for aspect in aspects]
        return _Sizes(
            unit=unit,
            margin=round(2 * unit),
            gap=max(4, round(_GAP_SHARE * height)),
            side=max(round(9 * unit), round(sides * height)) if sides else 0,
            caption=round(2.2 * unit) if self._wall else 0,
            widths=widths,
            heights=self._heights(widths, round(height)),
        )

    @property
    def _has_side(self) -> bool:
        return bool(self._view.rows) and not self._wall

    def _aspects(self) -> list[float]:
        """Return width by height of each column: its widest picture fits.

        On a wall a column means nothing, so all are as wide as most pictures are.
        """
        found: list[list[float]] = [[] for _ in self._grid.cols]
        for (_, col), cells in self._grid.places.items():
            aspect = _aspect(cells[0])
            if aspect is not None:
                found[col].append(max(_TALLEST, min(_FLATTEST, aspect)))
        usual = sorted(aspect for column in found for aspect in column)
        middle = usual[len(usual) // 2] if usual else _USUAL_ASPECT
        return [
            middle if self._wall else max(column, default=middle) for column in found
        ]

    def _heights(self, widths: Sequence[int], height: int) -> list[int]:
        """Return how tall each row has to be for its tallest picture, within reason."""
        found = [0.0] * len(self._grid.rows)
        for (row, col), cells in self._grid.places.items():
            aspect = _aspect(cells[0])
            if aspect is not None:
                found[row] = max(found[row], widths[col] / aspect)
        return [round(max(0.5 * height, min(1.3 * height, h or height))) for h in found]

    def _columns_height(self, unit: float) -> int:
        if self._wall or not self._view.cols:
            return 0
        texts = self._view.cols == "prompt" and bool(self._texts)
        lines = 1.9 + (2.6 if texts else 0) + (1.9 if self._view.outer_cols else 0)
        return round(lines * unit)

    # ---- What stands where

    def _tiles(
        self, lefts: Sequence[int], tops: Sequence[int], sizes: _Sizes
    ) -> list[Tile]:
        return [
            Tile(
                left=left,
                top=top,
                width=sizes.widths[col],
                height=sizes.heights[row],
                cell=there[0] if there else None,
                more=max(0, len(there) - 1),
                caption=self._grid.captions.get((row, col)),
            )
            for row, top in enumerate(tops)
            for col, left in enumerate(lefts)
            if (there := self._grid.places.get((row, col), ())) or not self._wall
        ]

    def _columns(self, lefts: Sequence[int], sizes: _Sizes) -> list[Heading]:
        if self._wall or not self._view.cols:
            return []
        view, found, unit = self._view, list[Heading](), sizes.unit
        lines = self._grid.cols[: len(lefts)]
        top, height = sizes.head, round(1.9 * unit)
        ends = [left + width for left, width in zip(lefts, sizes.widths, strict=False)]
        if view.outer_cols:
            for first, last in _stretches(lines):
                found.append(
                    Heading(
                        left=lefts[first],
                        top=top,
                        width=ends[last] - lefts[first],
                        height=height,
                        label=self._label(view.outer_cols, lines[first].outer),
                        outer=True,
                    )
                )
            top += height
        height = sizes.head + self._columns_height(unit) - top
        for line, left, end in zip(lines, lefts, ends, strict=False):
            label = self._label(view.cols, line.inner)
            found.append(
                Heading(
                    left=left, top=top, width=end - left, height=height, label=label
                )
            )
        return found

    def _rows(self, tops: Sequence[int], sizes: _Sizes) -> list[Heading]:
        if not self._has_side:
            return []
        view, found = self._view, list[Heading]()
        width, outer = sizes.side - round(sizes.unit), round(1.8 * sizes.unit)
        begins = {first for first, _ in _stretches(self._grid.rows)}
        for number, top in enumerate(tops):
            line, height = self._grid.rows[number], sizes.heights[number]
            if view.outer_rows and number in begins:
                label = self._label(view.outer_rows, line.outer)
                found.append(
                    Heading(
                        left=sizes.margin,
                        top=top,
                        width=width,
                        height=outer,
                        label=label,
                        outer=True,
                    )
                )
            down = outer if view.outer_rows else 0
            found.append(
                Heading(
                    left=sizes.margin,
                    top=top + down,
                    width=width,
                    height=height - down,
                    label=self._label(view.rows, line.inner),
                )
            )
        return found

    # ---- Words

    def _label(self, axis: str, index: int) -> Label:
        if not axis or index < 0:
            return Label("", "–")
        values = next(one.values for one in self._shown.axes if one.id == axis)
        value = value_label(values[index])
        plain = axis in ("prompt", "model", "run", "spec")
        text = self._texts.get(index, "") if axis == "prompt" else ""
        return Label("" if plain else axis_label(axis), value, text)

    def _subtitle(self) -> str:
        """Return how many jobs there are, and what is the same for all of them."""
        cells = self._shown.cells
        phases = Counter(str(cell.phase) for cell in cells)
        counts = [f"{number:,} {phase}" for phase, number in phases.most_common()]
        jobs = "1 job" if len(cells) == 1 else f"{len(cells):,} jobs"
        said = [jobs] if len(phases) == 1 and "done" in phases else [jobs, *counts]
        view = self._view
        if view.rows and view.cols:
            down = [view.outer_rows, view.rows]
            across = [view.outer_cols, view.cols]
            names = [
                " and ".join(axis_label(axis) for axis in axes if axis)
                for axes in (down, across)
            ]
            said.append(" by ".join(names))
        said += [
            f"{axis_label(name)} {text}"
            for name, text in dict(self._wish.where).items()
        ]
        return " · ".join(said)

    def _left_out(self, down: int, across: int) -> str:
        """Return what is not on the sheet, in words."""
        grid, said = self._grid, list[str]()
        rows, cols = len(grid.rows) - down, len(grid.cols) - across
        if self._wall and rows:
            shown = down * across
            said.append(_count(self._lines - shown, "more place", "more places"))
        else:
            if rows:
                said.append(_count(rows, "more row", "more rows"))
            if cols:
                said.append(_count(cols, "more column", "more columns"))
        hidden = sum(len(there) - 1 for there in grid.places.values())
        if hidden:
            said.append(_count(hidden, "job", "jobs") + " behind others")
        return f"not shown: {', '.join(said)}" if said else ""


def _as_grid(arranged: Arranged) -> _Grid:
    return _Grid(arranged.rows, arranged.cols, arranged.places, {})


def _prompt_texts(shown: Gallery) -> dict[int, str]:
    """Return the text of each prompt that has one text in all cells, by its index."""
    at = next((n for n, axis in enumerate(shown.axes) if axis.id == "prompt"), None)
    found: dict[int, set[int | None]] = {}
    for cell in shown.cells if at is not None else ():
        found.setdefault(cell.at[at or 0], set()).add(cell.prompt)
    return {
        index: shown.prompts[prompt]
        for index, (prompt, *others) in found.items()
        if prompt is not None and not others
    }


def _aspect(cell: Cell) -> float | None:
    file = cell.files[0] if cell.files else None
    if file is None or not file.width or not file.height:
        return None
    return file.width / file.height


def _starts(first: int, sizes: Sequence[int], gap: int) -> list[int]:
    found = []
    for size in sizes:
        found.append(first)
        first += size + gap
    return found


def _fitting(starts: Sequence[int], sizes: Sequence[int], end: int) -> int:
    """Return how many end before *end*; one at least."""
    ends = (start + size for start, size in zip(starts, sizes, strict=True))
    return max(1, sum(one <= end for one in ends))


def _stretches(lines: Sequence[Line]) -> Iterator[tuple[int, int]]:
    """Yield the first and last index of lines that share their outer value."""
    first = 0
    for number, line in enumerate(lines):
        if number + 1 == len(lines) or lines[number + 1].outer != line.outer:
            yield first, number
            first = number + 1


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
