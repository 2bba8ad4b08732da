"""Reading a document that may have any shape.

What does not fit counts as empty: its shape is the schema's to complain about.
"""

from __future__ import annotations

from collections.abc import Iterator

from foxbatch.canonical import Json
from foxbatch.yaml12 import Document, Where


def mapping(value: Json) -> dict[str, Json]:
    """Return *value* if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Json) -> list[Json]:
    """Return *value* if it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def written_jobs(document: Document) -> Iterator[tuple[Where, dict[str, Json]]]:
    """Yield the entries of `jobs` that are mappings, each with its place."""
    for index, job in enumerate(items(mapping(document.value).get("jobs"))):
        if isinstance(job, dict):
            yield ("jobs", index), job
