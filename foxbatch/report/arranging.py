"""Which cells stand where: rows and columns of the matrix. The page does the same."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from foxbatch.canonical import Json
from foxbatch.report.data import Cell, Gallery


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The ids of the axes that go down and across; empty for none."""

    rows: str = ""
    cols: str = ""
    outer_rows: str = ""
    outer_cols: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One row or column: an index into the values of its axes, -1 for none."""

    outer: int
    inner: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Arranged:
    """The grid, with the cells of each place by row and column."""

    rows: Sequence[Line]
    cols: Sequence[Line]
    places: Mapping[tuple[int, int], Sequence[Cell]]


def first_view(shown: Gallery, *, rows: str = "", cols: str = "") -> View:
    """Return how *shown* is looked at first: as `firstView` of `page/view.js` has it.

    Prompts go down and the axes of the matrix across, the longest first, so that each
    place holds one job where that can be. The model is an axis like others where it
    alone tells jobs apart.

    Args:
        shown: What there is.
        rows: The axis that goes down, where somebody chose it.
        cols: The one that goes across, likewise.
    """
    used = _used(shown)
    spread = [axis.id for axis in shown.axes if len(used[axis.id]) > 1]
    matrix = {axis for axis in spread if axis.startswith("cell.")}
    if "model" in spread and _tells_apart(shown, "model"):
        matrix.add("model")
    spread.sort(key=lambda axis: (_rank(axis, matrix), -len(used[axis])))
    if len(spread) > 1 and spread[0] != "prompt":
        spread[:2] = spread[1], spread[0]
    left = [axis for axis in spread if axis not in (rows, cols)]
    rows = rows or (left.pop(0) if left else "")
    cols = cols or (left.pop(0) if left else "")
    outer = [axis for axis in left if axis in matrix] + ["", ""]
    return View(rows=rows, cols=cols, outer_cols=outer[0], outer_rows=outer[1])


def _used(shown: Gallery) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {axis.id: set() for axis in shown.axes}
    for cell in shown.cells:
        for axis, index in zip(shown.axes, cell.at, strict=True):
            if index >= 0:
                found[axis.id].add(index)
    return found


def _tells_apart(shown: Gallery, name: str) -> bool:
    """Return whether there are jobs that only differ in the axis *name*."""
    axis = [one.id for one in shown.axes].index(name)
    rest = {(*cell.at[:axis], *cell.at[axis + 1 :]) for cell in shown.cells}
    return len(rest) < len(shown.cells)


def _rank(axis: str, matrix: Container[str]) -> int:
    if axis in matrix:
        return 2
    return {"prompt": 0, "run": 1}.get(axis, 3)


def arrange(shown: Gallery, view: View) -> Arranged:
    """Return the grid of *shown*, lines in the order of the values of their axes."""
    order = [axis.id for axis in shown.axes]

    def lines(outer: str, inner: str) -> tuple[list[Line], list[Line]]:
        at = [order.index(axis) if axis else -1 for axis in (outer, inner)]
        each = [
            Line(*(cell.at[axis] if axis >= 0 else -1 for axis in at))
            for cell in shown.cells
        ]
        return each, sorted(set(each), key=lambda line: (line.outer, line.inner))

    each_row, rows = lines(view.outer_rows, view.rows)
    each_col, cols = lines(view.outer_cols, view.cols)
    row_of = {line: number for number, line in enumerate(rows)}
    col_of = {line: number for number, line in enumerate(cols)}
    places: dict[tuple[int, int], list[Cell]] = {}
    for cell, row, col in zip(shown.cells, each_row, each_col, strict=True):
        places.setdefault((row_of[row], col_of[col]), []).append(cell)
    return Arranged(rows=rows, cols=cols, places=places)


def axis_label(axis: str) -> str:
    """Return the name of an axis as people wrote it."""
    return axis.removeprefix("cell.")


def value_label(value: Json) -> str:
    """Return the value of an axis in few words."""
    if isinstance(value, str):
        return value or "“”"
    return json.dumps(value, ensure_ascii=False)


def axis_named(shown: Gallery, name: str) -> str | None:
    """Return the id of the axis that people call *name*, None where there is none."""
    ids = [axis.id for axis in shown.axes]
    return next((found for found in (f"cell.{name}", name) if found in ids), None)


def value_named(shown: Gallery, axis: str, text: str) -> int | None:
    """Return the index of the value of *axis* that reads *text*, None if none does."""
    values = next(one.values for one in shown.axes if one.id == axis)
    labels: Iterable[str] = map(value_label, values)
    return next((n for n, label in enumerate(labels) if label == text), None)
