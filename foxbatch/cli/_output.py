"""Where a command puts a table: on standard output, or whole into a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import click

from foxbatch.cli._terminal import Terminal
from foxbatch.durable import write_whole
from foxbatch.errors import RunDirError, UsageError

CommandT = TypeVar("CommandT", bound=Callable[..., object])

_BY_SUFFIX = {".csv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}


def output_option() -> Callable[[CommandT], CommandT]:
    """Return the option that names a file for the table."""
    return click.option(
        "-o",
        "--output",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Write it there instead; .csv, .jsonl or .parquet says the format too.",
    )


def format_for(form: str, output: Path | None) -> str:
    """Return the format: the one that was typed, else the one of the file's name.

    Raises:
        UsageError: A table for people would go into a file.
    """
    if output is None or form != "table":
        return form
    named = _BY_SUFFIX.get(output.suffix.lower())
    if named is None:
        raise UsageError(
            f"{output} does not say which format it is to have",
            hint="Add --format csv, jsonl or parquet, or end its name like that.",
        )
    return named


def check_binary(terminal: Terminal, form: str, output: Path | None) -> None:
    """Raise before bytes that are no text would be written to a terminal.

    Raises:
        UsageError: They would.
    """
    if form == "parquet" and output is None and terminal.stdout.isatty():
        raise UsageError(
            "Parquet is no text, and a terminal would show it as noise",
            hint="Name a file with -o, or send it into a pipe.",
        )


def deliver(terminal: Terminal, content: str | bytes, output: Path | None) -> None:
    """Write *content* to *output*, whole or not at all, or to standard output.

    Raises:
        RunDirError: The disk does not take it. The file is as it was.
    """
    if output is None:
        if isinstance(content, bytes):
            terminal.emit_bytes(content)
        else:
            terminal.stdout.write(content)
        return
    encoded = content if isinstance(content, bytes) else content.encode()
    try:
        write_whole(output, [encoded])
    except OSError as error:
        raise RunDirError(
            f"{output} cannot be written: {error.strerror or error}",
            hint="Name another file with -o.",
        ) from error


def as_csv(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """Return *rows* as CSV."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return stream.getvalue()
