"""Records as files: JSON lines, and CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import msgspec

from foxbatch.durable import write_whole
from foxbatch.errors import RunDirError
from foxbatch.results.flat import Table, Value
from foxbatch.results.record import Record


def write_jsonl(found: Iterable[Record], path: Path) -> None:
    """Replace the file at *path* with one line per record, whole or not at all.

    Raises:
        RunDirError: The disk does not take it. The file is as it was.
    """
    try:
        write_whole(path, (msgspec.json.encode(record) + b"\n" for record in found))
    except OSError as error:
        raise RunDirError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="Mend that and type the same command again; nothing is lost.",
        ) from error


def write_csv(table: Table, stream: IO[str]) -> None:
    """Write *table* with a header; what is not there is an empty cell."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(table.columns)
    for row in table.rows:
        writer.writerow([in_csv(row[name]) for name in table.columns])


def in_csv(value: Value) -> object:
    """Return *value* as a cell: truths as JSON spells them, nothing as nothing."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value
