"""The command that asks records in SQL."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from foxbatch.canonical import Json
from foxbatch.cli import _options as options
from foxbatch.cli._output import (
    as_csv,
    check_binary,
    deliver,
    format_for,
    output_option,
)
from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import count
from foxbatch.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from foxbatch.results.sql import Answer


@click.command()
@click.argument("words", metavar="RUN... SQL", nargs=-1, required=True)
@click.option(
    "--file",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Read the SQL from this file; all words are then a RUN.",
)
@options.formats("table", "csv", "jsonl", "parquet")
@output_option()
@click.pass_obj
def query_command(
    terminal: Terminal,
    *,
    words: tuple[str, ...],
    file: Path | None,
    form: str,
    output: Path | None,
) -> int:
    """Ask the records of one run or several, in SQL.

    The last word is the SQL, or - to read it from standard input. There are the
    tables results (one row per file, or per job without one), jobs, attempts,
    artifacts and facts, each with a column run. Nothing else can be read, and
    nothing is changed. RUN is a run directory, or the manifest that it belongs to.

    \b
    Example:
      foxbatch query runs/film@foxapi 'SELECT model, avg(latency_s), sum(credits)
        FROM jobs GROUP BY model'
      foxbatch query runs/* 'SELECT run, phase, count(*) FROM jobs GROUP BY ALL'
    """
    from foxbatch import api

    form = format_for(form, output)
    check_binary(terminal, form, output)
    runs, sql = _split(words, file)
    run_dirs = api.distinct(runs)
    with api.open_tables(run_dirs) as database:
        if form == "parquet":
            deliver(terminal, database.parquet(sql), output)
        else:
            _write(terminal, database.ask(sql), form, output)
    return ExitCode.DONE


def _split(words: Sequence[str], file: Path | None) -> tuple[Sequence[str], str]:
    """Return the runs and the SQL that were typed."""
    if file is not None:
        try:
            return words, file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} cannot be read: {error}") from error
    *runs, sql = words
    if not runs or Path(sql).is_dir():
        raise UsageError(
            "RUN and SQL are needed, and the SQL comes last",
            hint=f"Type: foxbatch query {words[0]} 'FROM jobs'",
        )
    return runs, sys.stdin.read() if sql == "-" else sql


def _write(terminal: Terminal, answer: Answer, form: str, output: Path | None) -> None:
    rows = list(answer.rows)
    if form == "table":
        _show(terminal, answer.columns, rows)
    elif form == "csv":
        cells = ([_in_csv(value) for value in row] for row in rows)
        deliver(terminal, as_csv(answer.columns, cells), output)
    else:
        lines = (dict(zip(_distinct(answer.columns), row, strict=True)) for row in rows)
        text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)
        deliver(terminal, text, output)


def _show(
    terminal: Terminal, names: Sequence[str], rows: Sequence[Sequence[Json]]
) -> None:
    from foxbatch.cli._tables import Column, show_table

    columns = [
        Column(
            name,
            right=any(_is_number(row[place]) for row in rows),
            cut=True,
        )
        for place, name in enumerate(names)
    ]
    if columns:
        show_table(terminal, columns, [[_in_words(one) for one in row] for row in rows])
    terminal.say(count(len(rows), "row"))


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _in_words(value: Json) -> str:
    match value:
        case None:
            return "-"
        case str():
            return value
        case float():
            return f"{value:.6f}".rstrip("0").rstrip(".")
        case _:
            return json.dumps(value, ensure_ascii=False)


def _in_csv(value: Json) -> object:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def _distinct(names: Sequence[str]) -> list[str]:
    """Return *names* such that none stands twice: JSON would keep the last alone."""
    found: dict[str, None] = {}
    for name in names:
        given, number = name, 2
        while given in found:
            given, number = f"{name}_{number}", number + 1
        found[given] = None
    return list(found)
