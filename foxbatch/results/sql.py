"""Tables for SQL, by DuckDB: in memory, and out of reach of everything else."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from foxbatch.canonical import Json
from foxbatch.clock import to_text
from foxbatch.errors import MissingExtraError, UsageError
from foxbatch.results.flat import Kind, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TYPES: Mapping[Kind, str] = {
    "text": "VARCHAR",
    "json": "VARCHAR",
    "whole": "BIGINT",
    "number": "DOUBLE",
    "truth": "BOOLEAN",
    "moment": "TIMESTAMP",
}
_AT_ONCE = 1_000  # rows
_HINT = (
    "The tables are results, jobs, attempts, artifacts and facts; DESCRIBE jobs tells"
    ' columns. Names with a dot stand in quotes: "cell.sky".'
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query gave.

    Attributes:
        columns: Their names, in order.
        rows: Lazily; values that JSON can hold.
    """

    columns: list[str]
    rows: Iterator[tuple[Json, ...]]


class Database:
    """Tables that SQL can be asked about. From `open_database`."""

    def __init__(self, connection: DuckDBPyConnection, folder: Path) -> None:
        self._connection = connection
        self._folder = folder

    def ask(self, sql: str) -> Answer:
        """Return what *sql* gives; of several statements, what the last one gives.

        Raises:
            UsageError: It is no SQL, or names what is not there.
        """
        with _errors_in_words():
            self._connection.execute(sql)
        described = self._connection.description
        if not described:
            raise UsageError("this SQL asks for nothing", hint=_HINT)
        return Answer([column[0] for column in described], self._rows())

    def _rows(self) -> Iterator[tuple[Json, ...]]:
        while True:
            with _errors_in_words():
                rows = self._connection.fetchmany(_AT_ONCE)
            if not rows:
                return
            for row in rows:
                yield tuple(map(_plain, row))

    def parquet(self, sql: str) -> bytes:
        """Return what *sql* gives as a Parquet file.

        Raises:
            UsageError: It is no SQL, names what is not there, or gives no table.
        """
        path = self._folder / "answer.parquet"
        with _errors_in_words():
            relation = self._connection.sql(sql)
            if relation is None:
                raise UsageError("this SQL asks for nothing", hint=_HINT)
            relation.write_parquet(str(path))
        return path.read_bytes()


@contextmanager
def open_database(tables: Mapping[str, Table]) -> Iterator[Database]:
    """Give a database with *tables*, for the time of a `with` block.

    What is asked of it can read and write nothing else: no file, no network, no
    variable of this process, and none of these settings can be changed. It may come
    from a colleague's message, or from a page.

    Raises:
        MissingExtraError: DuckDB is not installed.
    """
    try:
        import duckdb
    except ImportError as error:
        raise MissingExtraError("SQL and Parquet", "analytics") from error
    with ExitStack() as stack:
        temporary = tempfile.TemporaryDirectory(prefix="foxbatch-")
        folder = Path(stack.enter_context(temporary)).resolve()
        connection = stack.enter_context(duckdb.connect(":memory:"))
        for name, table in tables.items():
            _fill(connection, name, table, folder)
        for setting in (
            f"temp_directory = {_literal(str(folder))}",
            f"allowed_directories = [{_literal(str(folder))}]",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            connection.execute(f"SET {setting}")
        yield Database(connection, folder)


def parquet(table: Table) -> bytes:
    """Return *table* as a Parquet file.

    Raises:
        MissingExtraError: DuckDB is not installed.
    """
    with open_database({"results": table}) as database:
        return database.parquet("FROM results")


def _fill(
    connection: DuckDBPyConnection, name: str, table: Table, folder: Path
) -> None:
    """Make the table *name*; through a file, which takes a hundredth of the time."""
    path = folder / f"{name}.jsonl"
    encoder = msgspec.json.Encoder()
    with path.open("wb") as stream:
        stream.writelines(encoder.encode(row) + b"\n" for row in table.rows)
    columns = ", ".join(
        f"{_literal(column)}: '{_TYPES[kind]}'"
        for column, kind in table.columns.items()
    )
    connection.execute(
        f'CREATE TABLE "{name}" AS SELECT * FROM read_json(?,'  # noqa: S608  our own
        f" format = 'newline_delimited', columns = {{{columns}}})",
        [str(path)],
    )
    path.unlink()


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def _errors_in_words() -> Iterator[None]:
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        kind, _, said = str(error).strip().partition(": ")
        raise UsageError(
            f"this SQL cannot be run: {said or kind}",
            hint=_HINT,
        ) from None


def _plain(value: object) -> Json:
    """Return *value* as JSON can hold it; moments without a zone are in UTC."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime():
            return to_text(value if value.tzinfo else value.replace(tzinfo=UTC))
        case date():
            return value.isoformat()
        case bytes():
            return value.hex()
        case list() | tuple():
            return [_plain(item) for item in value]
        case dict():
            return {str(name): _plain(item) for name, item in value.items()}
        case _:  # intervals, UUIDs
            return str(value)
