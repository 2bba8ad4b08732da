"""Records as a small table for notebooks: plain HTML that a light or dark one colours.

What manifests and services have written is text in it, never markup: a notebook runs
what its outputs say.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import islice

from foxbatch.results.record import Record

_MOST_ROWS = 50
_MOST_AXES = 4
_LONGEST = 80  # characters in a cell; pointing at it shows more
_LONGEST_TITLE = 500

# Told from a white and from a black ground, and only beside the word.
_DOTS = {
    "done": "#2e8b57",
    "failed": "#c8483c",
    "held": "#a8761a",
    "overdue": "#a8761a",
}
_OTHER_DOT = "#4b7fc4"
_TABLE = 'style="color:inherit;font:inherit;border-collapse:collapse"'
_LOOK = (
    "vertical-align:top;padding:3px 10px;border-bottom:1px solid rgba(128,128,128,.35)"
)
_CELL = f'style="text-align:left;{_LOOK}"'
_WORD = f'style="text-align:left;white-space:nowrap;{_LOOK}"'
_NUMBER = f'style="text-align:right;{_LOOK}"'
_NUMBERS = ("credits", "seconds")

_Run = tuple[str, Sequence[Record]]


def as_html(runs: Sequence[_Run]) -> str:
    """Return the records of *runs* as HTML; no more than 50 of them.

    Args:
        runs: What each run is called, and its records.
    """
    found = [(label, record) for label, records in runs for record in records]
    several, axes = len(runs) > 1, _axes(record for _, record in found)
    names = ["run"] if several else []
    names += ["name", "phase", *axes]
    head = "".join(f"<th {_CELL}>{_text(name)}</th>" for name in names)
    head += "".join(f"<th {_NUMBER}>{name}</th>" for name in _NUMBERS)
    head += "".join(f"<th {_CELL}>{name}</th>" for name in ("files", "remarks"))
    shown = found[:_MOST_ROWS]
    rows = "".join(
        f"<tr>{''.join(_row(label if several else None, record, axes))}</tr>"
        for label, record in shown
    )
    return (
        f"<p>{_summary(found)}</p>"
        f"<table {_TABLE}><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f"{_rest(len(found) - len(shown))}"
    )


def _axes(records: Iterable[Record]) -> list[str]:
    """Return the axes in which records differ, the first few."""
    cells = [record.cell for record in records]
    axes = dict.fromkeys(axis for cell in cells for axis in cell)
    apart = (axis for axis in axes if len({_key(cell.get(axis)) for cell in cells}) > 1)
    return list(islice(apart, _MOST_AXES))


def _summary(found: Sequence[tuple[str, Record]]) -> str:
    phases = Counter(record.phase.value for _, record in found)
    said = ", ".join(f"{count:,} {phase}" for phase, count in phases.most_common())
    priced = [record.credits for _, record in found if record.credits is not None]
    paid = f"; {_figure(sum(priced))} credits" if priced else ""
    records = "1 record" if len(found) == 1 else f"{len(found):,} records"
    return f"<b>{records}</b>{': ' if said else ''}{said}{paid}"


def _row(run: str | None, record: Record, axes: Sequence[str]) -> Iterator[str]:
    if run is not None:
        yield _cell(run)
    yield _cell(f"{record.spec}/{record.name}")
    colour = _DOTS.get(record.phase.value, _OTHER_DOT)
    dot = f'<span style="color:{colour}" aria-hidden="true">●</span>'
    yield f"<td {_WORD}>{dot} {record.phase.value}</td>"
    for axis in axes:
        yield _cell(_label(record.cell.get(axis)))
    for figure in (record.credits, record.latency_s):
        yield f"<td {_NUMBER}>{'–' if figure is None else _figure(figure)}</td>"
    yield _cell(_files(record))
    yield _cell("; ".join(_notes(record)))


def _files(record: Record) -> str:
    first, *more = [file.path for file in record.artifacts] or [""]
    return f"{first} and {len(more)} more" if more else first


def _figure(value: float) -> str:
    return f"{value:,.1f}".removesuffix(".0")


def _notes(record: Record) -> Iterator[str]:
    if record.error is not None:
        said = filter(None, (record.error.error_class, record.error.message))
        yield ": ".join(said)
    yield from record.flags


def _rest(count: int) -> str:
    if count <= 0:
        return ""
    are = "1 more record is" if count == 1 else f"{count:,} more records are"
    return f"<p>{are} not shown; <code>rows()</code> has all.</p>"


def _cell(text: str) -> str:
    if len(text) <= _LONGEST:
        return f"<td {_CELL}>{_text(text)}</td>"
    title = escape(text[:_LONGEST_TITLE])
    return f'<td {_CELL} title="{title}">{_text(text[: _LONGEST - 1])}…</td>'


def _text(text: str) -> str:
    # Fenced off: what it does to the direction of text ends with it.
    return f"<bdi>{escape(text)}</bdi>"


def _label(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else _key(value)


def _key(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
