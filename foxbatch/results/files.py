"""Records as files: JSON lines, and CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO

import msgspec

from foxbatch.canonical import JobId
from foxbatch.durable import write_whole
from foxbatch.errors import RunDirError
from foxbatch.events import TaskId
from foxbatch.results.flat import Table, Value
from foxbatch.results.record import Models, Record, with_flags

_IN_MEMORY = 1 << 20


def write_jsonl(found: Iterable[Record], path: Path) -> None:
    """Replace the file at *path* with one line per record, whole or not at all.

    The records get their flags here. They may come one by one, and be more than memory
    has room for: until the last one is known the lines wait in a file.

    Raises:
        RunDirError: The disk does not take it. The file is as it was.
    """
    try:
        with SpooledTemporaryFile(_IN_MEMORY, dir=str(path.parent)) as waiting:
            write_whole(path, _flagged(found, waiting))
    except OSError as error:
        raise RunDirError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="Mend that and type the same command again; nothing is lost.",
        ) from error


def _flagged(found: Iterable[Record], waiting: IO[bytes]) -> Iterator[bytes]:
    """Yield a line for each record, once all of them have been seen.

    Nearly all flags are about one record alone. Only a record that turns out to be made
    with another model than most is read again.
    """
    models, said = Models(), []
    for record in found:
        models.hear(record)
        said.append((record.model, record.reported_model))
        waiting.write(msgspec.json.encode(with_flags(record, {})) + b"\n")
    waiting.seek(0)
    usual = models.usual
    for line, (asked, got) in zip(waiting, said, strict=True):
        if got in (None, usual.get(asked)):
            yield line
        else:
            record = msgspec.json.decode(line, type=Record)
            yield msgspec.json.encode(with_flags(record, usual)) + b"\n"


class _Bought(msgspec.Struct):
    job: JobId
    task: TaskId | None = None


def tasks_in(path: Path) -> Iterator[tuple[JobId, TaskId]]:
    """Yield which task each job had when the file at *path* was written.

    The file is derived and nobody's truth: what cannot be read of it is left out.
    """
    decoder = msgspec.json.Decoder(_Bought)
    with suppress(OSError), path.open("rb") as file:
        for line in file:
            with suppress(msgspec.DecodeError):
                told = decoder.decode(line)
                if told.task is not None:
                    yield told.job, told.task


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
