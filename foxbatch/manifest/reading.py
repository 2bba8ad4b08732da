"""Reading a document that may have any shape.

What does not fit counts as empty: its shape is the schema's to complain about.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping

from foxbatch.canonical import Json
from foxbatch.schema import load_schema, nearest
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


@functools.cache
def known_keys(part: str) -> tuple[str, ...]:
    """Return the keys of `manifest`, `defaults`, `limits`, a `job`, `operators`, …."""
    schema = load_schema("manifest")
    top = mapping(schema["properties"])
    parts = {"manifest": schema, **top, **mapping(schema["definitions"])}
    return tuple(mapping(mapping(parts[part])["properties"]))


def right_key(owner: Mapping[str, Json], name: str, part: str) -> str:
    """Return the key that *name*, one of *owner*, was meant to be; maybe itself."""
    known = known_keys(part)
    own = part == "manifest" and name.startswith("x-")
    near = None if own or name in known else nearest(name, known)
    return name if near is None or near in owner else near


def misspelt(owner: Mapping[str, Json], key: str, part: str) -> str | None:
    """Return the unknown key of *owner* that was meant to be *key*, if there is one."""
    return next((n for n in owner if n != key == right_key(owner, n, part)), None)
