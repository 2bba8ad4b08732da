"""The JSON Schema of a record, made from its type."""

from __future__ import annotations

import re

import msgspec

from foxbatch import events, lifecycle
from foxbatch.canonical import Json
from foxbatch.results import record


def results_schema() -> dict[str, Json]:
    """Return the JSON Schema of one line of `results.jsonl`, made from the types."""
    (schema,), components = msgspec.json.schema_components(
        [record.Record], schema_hook=_anything, ref_template="#/$defs/{name}"
    )
    for name, definition in components.items():
        definition.pop("title", None)
        definition["description"] = _first_line(name)
        if "properties" in definition:  # all are written, also where they are null
            definition["required"] = list(definition["properties"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://foxbatch.invalid/schemas/results.schema.json",
        "title": "One line of results.jsonl",
        "description": "All that is known about one job. Fields may be added.",
        **schema,
        "$defs": dict(sorted(components.items())),
    }


def _anything(kind: type) -> dict[str, Json]:
    """Say what `object` means in a schema: any JSON value."""
    if kind is not object:
        raise NotImplementedError(kind)
    return {"description": "Any JSON value."}


def _first_line(name: str) -> str:
    homes = (record, events, lifecycle)
    kind = next(getattr(home, name) for home in homes if hasattr(home, name))
    text = (kind.__doc__ or "").strip()
    return re.split(r"\n\n", text)[0].replace("\n    ", " ")
