"""Records as one flat table: the columns of CSV, Parquet and SQL, and their types."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from foxbatch.clock import from_text
from foxbatch.results.record import Record

Kind: TypeAlias = Literal["text", "whole", "number", "truth", "moment", "json"]
"""What a column holds: the same in every run, also where a run has nothing in it."""

Value: TypeAlias = str | int | float | bool | None
"""Of a moment its RFC 3339 text, of JSON its text."""

Row: TypeAlias = dict[str, Value]

_FAR = 2**63  # whole numbers beyond 64 bits are texts, or they would lose digits

_JOB: Mapping[str, Kind] = {
    "job": "text",
    "spec": "text",
    "name": "text",
    "phase": "text",
    "model": "text",
    "kind": "text",
    "repeat": "whole",
    "endpoint": "text",
    "task": "text",
    "attempts": "whole",
    "latency_s": "number",
    "credits": "number",
    "reported_model": "text",
    "seed": "whole",
    "degraded": "json",
    "request_id": "text",
    "reported_at": "moment",
    "reported": "json",
    "flags": "json",
    "also": "json",
}
_NESTED: Mapping[str, tuple[str, Mapping[str, Kind]]] = {
    "prompt": ("prompt", {"id": "text", "text": "text"}),
    "times": (
        "time",
        {
            "planned": "moment",
            "submitted": "moment",
            "accepted": "moment",
            "running": "moment",
            "completed": "moment",
            "downloaded": "moment",
            "ended": "moment",
        },
    ),
    "error": ("error", {"class": "text", "code": "text", "message": "text"}),
    "manifest": ("manifest", {"sha256": "text", "line": "whole"}),
}
_FREE: Mapping[str, str] = {"cell": "cell", "request": "param"}
_SAID_BEFORE = frozenset({"model", "prompt"})  # of a request: other columns say it
_ARTIFACT: Mapping[str, Kind] = {
    "path": "text",
    "sha256": "text",
    "bytes": "whole",
    "mismatch": "json",
    "reported": "json",
}
_MEDIA: Mapping[str, Kind] = {
    "kind": "text",
    "duration_s": "number",
    "width": "whole",
    "height": "whole",
    "video_codec": "text",
    "audio_codec": "text",
}


@dataclass(frozen=True, slots=True)
class Table:
    """A flat table.

    Attributes:
        columns: Kind by name, in order.
        rows: Each with a value for every column.
    """

    columns: Mapping[str, Kind]
    rows: list[Row]

    def only(self, columns: Iterable[str]) -> Table:
        """Return the table with fewer columns."""
        kept = {name: self.columns[name] for name in columns}
        return Table(kept, [{name: row[name] for name in kept} for row in self.rows])


@dataclass(frozen=True, slots=True)
class Flat:
    """Records of one run or several, flat.

    Attributes:
        jobs: One row per job.
        results: One row per file, or per job without one: `jobs`, then the file.
    """

    jobs: Table
    results: Table

    @property
    def artifacts(self) -> Table:
        """One row per file, with the run and the job that it belongs to."""
        own = [name for name in self.results.columns if name not in self.jobs.columns]
        rows = [row for row in self.results.rows if row["artifact.path"] is not None]
        return Table(self.results.columns, rows).only(["run", "job", "name", *own])


def flatten(runs: Iterable[tuple[str, Sequence[Record]]]) -> Flat:
    """Return the records of *runs* as flat tables.

    Args:
        runs: What each run is called, and its records.
    """
    found = [(label, record) for label, records in runs for record in records]
    free = _free_columns([record for _, record in found])
    nested = {
        f"{prefix}.{name}": kind
        for prefix, fields in _NESTED.values()
        for name, kind in fields.items()
    }
    places = {name: place for place, (name, _) in free.items()}
    jobs: dict[str, Kind] = {"run": "text", **_JOB, **nested}
    jobs |= dict(free.values())
    files: dict[str, Kind] = {
        f"artifact.{name}": kind for name, kind in _ARTIFACT.items()
    }
    files |= {f"media.{name}": kind for name, kind in _MEDIA.items()}
    job_rows: list[Row] = []
    rows: list[Row] = []
    for label, record in found:
        built = record.to_json()
        row = {"run": label, **_job_row(built, places, jobs)}
        job_rows.append(row)
        nothing: Row = dict.fromkeys(files)
        of_files = [row | file for file in _file_rows(built["artifacts"])]
        rows += of_files or [row | nothing]
    return Flat(Table(jobs, job_rows), Table({**jobs, **files}, rows))


_Place: TypeAlias = tuple[str, str]
"""A field of a record, and a name in it: `("cell", "sky")`."""


def _free_columns(found: Iterable[Record]) -> dict[_Place, tuple[str, Kind]]:
    """Return name and kind of the columns whose names are the manifest's own."""
    kinds: dict[_Place, set[Kind]] = {}
    for record in found:
        for field, values in (("cell", record.cell), ("request", record.request)):
            for name, value in values.items():
                if field == "request" and name in _SAID_BEFORE:
                    continue
                known = kinds.setdefault((field, name), set())
                if value is not None:
                    known.add(_kind_of(value))
    taken: set[str] = set()
    columns: dict[_Place, tuple[str, Kind]] = {}
    for field, prefix in _FREE.items():
        for place in [place for place in kinds if place[0] == field]:
            name = _distinct(f"{prefix}.{place[1]}", taken)
            columns[place] = name, _together(kinds[place])
    return columns


def _distinct(name: str, taken: set[str]) -> str:
    """Return *name*, with a number where SQL, which ignores case, knows it already."""
    found, number = name, 2
    while found.casefold() in taken:
        found, number = f"{name}_{number}", number + 1
    taken.add(found.casefold())
    return found


def _kind_of(value: object) -> Kind:
    match value:
        case bool():
            return "truth"
        case int():
            return "whole" if -_FAR <= value < _FAR else "text"
        case float():
            return "number"
        case str():
            return "text"
        case _:
            return "json"


def _together(kinds: set[Kind]) -> Kind:
    """Return the kind of a column with values of *kinds*; what is mixed is text."""
    if kinds == {"whole", "number"}:
        return "number"
    return next(iter(kinds)) if len(kinds) == 1 else "text"


def _job_row(
    built: Mapping[str, object], places: Mapping[str, _Place], jobs: Mapping[str, Kind]
) -> Row:
    row = {name: as_kind(built[name], kind) for name, kind in _JOB.items()}
    for field, (prefix, fields) in _NESTED.items():
        row |= _values(prefix, built[field], fields)
    for name, (field, key) in places.items():
        inner = built[field]
        value = inner.get(key) if isinstance(inner, dict) else None
        row[name] = as_kind(value, jobs[name])
    return row


def _file_rows(artifacts: object) -> Iterator[Row]:
    files: Iterable[dict[str, object]] = artifacts  # type: ignore[assignment]
    for file in files:
        yield _values("artifact", file, _ARTIFACT) | _values(
            "media", file["media"], _MEDIA
        )


def _values(prefix: str, value: object, fields: Mapping[str, Kind]) -> Row:
    inner = value if isinstance(value, dict) else {}
    return {
        f"{prefix}.{name}": as_kind(inner.get(name), kind)
        for name, kind in fields.items()
    }


def as_kind(value: object, kind: Kind) -> Value:
    """Return *value* as a column of *kind* holds it."""
    if value is None:
        return None
    if kind == "number" and isinstance(value, int | float):
        return float(value)
    if kind == "json" or not isinstance(value, str | int | float):
        return json.dumps(value, ensure_ascii=False)
    if kind == "whole" and isinstance(value, int) and not -_FAR <= value < _FAR:
        return None  # the raw field still has it
    if kind == "text" and not isinstance(value, str):
        return json.dumps(value)
    return value


def as_python(value: Value, kind: Kind) -> Value | datetime:
    """Return *value* as Python programs want it: a moment as an aware `datetime`."""
    if kind == "moment" and isinstance(value, str):
        return from_text(value)
    return value
