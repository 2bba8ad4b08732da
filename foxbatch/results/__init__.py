"""One record per job: everything known about it, for people, tables and SQL."""

from __future__ import annotations

from foxbatch.results.files import tasks_in, write_csv, write_jsonl
from foxbatch.results.flat import Flat, Kind, Row, Table, Value, as_python, flatten
from foxbatch.results.record import (
    Failure,
    Media,
    Record,
    Source,
    StoredFile,
    Times,
    failure_of,
    in_order,
    records,
    records_of,
)
from foxbatch.results.schema import results_schema

__all__ = [
    "Failure",
    "Flat",
    "Kind",
    "Media",
    "Record",
    "Row",
    "Source",
    "StoredFile",
    "Table",
    "Times",
    "Value",
    "as_python",
    "failure_of",
    "flatten",
    "in_order",
    "records",
    "records_of",
    "results_schema",
    "tasks_in",
    "write_csv",
    "write_jsonl",
]
