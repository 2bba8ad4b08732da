"""The published schema of a line of a ledger, and what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import get_args

import jsonschema_rs
import msgspec

from foxbatch import events
from foxbatch.canonical import Json
from foxbatch.events import FORMAT, Event, word_of


def against_schema(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that were read as facts and that the schema refuses, and why.

    Reading is strict about types and not about texts: a moment may be any.
    """
    validators = _validators()
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            told = json.loads(line)
        except ValueError:  # a torn end, which is told already
            return
        for error in validators[told["event"]].iter_errors(told):
            where = "/".join(map(str, error.instance_path))
            yield number, f"{where}: {error.message}"
            break


@cache
def _validators() -> Mapping[str, jsonschema_rs.Validator]:
    """Return what checks a line, by its event."""
    definitions = ledger_schema()["$defs"]
    assert isinstance(definitions, dict)  # noqa: S101  it was made a line above
    return {
        word_of(kind): jsonschema_rs.validator_for(
            {"$ref": f"#/$defs/{kind.__name__}", "$defs": definitions},
            validate_formats=True,
        )
        for kind in get_args(Event)
    }


def ledger_schema() -> dict[str, Json]:
    """Return the JSON Schema of one ledger line, generated from the types of facts."""
    (schema,), components = msgspec.json.schema_components(
        [Event], schema_hook=_anything, ref_template="#/$defs/{name}"
    )
    for name, definition in components.items():
        if "event" in definition.get("properties", {}):
            _describe_stamps(definition)
        definition.pop("title", None)
        definition["description"] = _first_line(name)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://foxbatch.invalid/schemas/ledger.schema.json",
        "title": "One line of a foxbatch ledger",
        "description": (
            "A fact: something that happened. Facts are appended and never changed."
        ),
        "oneOf": [{"$ref": choice["$ref"]} for choice in schema["anyOf"]],
        "$defs": dict(sorted(components.items())),
    }


def _describe_stamps(definition: dict[str, Json]) -> None:
    properties = definition["properties"]
    assert isinstance(properties, dict)  # noqa: S101  msgspec made it a line above
    properties |= {
        "v": {"type": "integer", "const": FORMAT, "description": "Format version."},
        "seq": {"type": "integer", "minimum": 1, "description": "Place in its file."},
        "at": {"type": "string", "format": "date-time", "pattern": "Z$"},
        "run": {"type": "string", "minLength": 1, "description": "Run that wrote it."},
    }
    required = definition["required"]
    assert isinstance(required, list)  # noqa: S101
    definition["required"] = ["v", "seq", "at", "run", *required]


def _anything(kind: type) -> dict[str, Json]:
    """Say what `object` means in a schema: any JSON value."""
    if kind is not object:
        raise NotImplementedError(kind)
    return {"description": "Any JSON value."}


def _first_line(name: str) -> str:
    text = (vars(events)[name].__doc__ or "").strip()
    return re.split(r"\n\n", text)[0].replace("\n    ", " ")
