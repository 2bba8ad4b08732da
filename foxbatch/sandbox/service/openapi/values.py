"""Schemas as values, and the few shapes that most of them have."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from foxbatch.sandbox.messages import Json

Schema: TypeAlias = dict[str, Json]


def object_schema(
    properties: Mapping[str, Json],
    *,
    required: Iterable[str] | None = None,
    optional: Mapping[str, Json] | None = None,
) -> Schema:
    """Return the schema of an object that has nothing but *properties*.

    All of them are required unless *required* names some; *optional* are further
    ones that are not.
    """
    names = properties if required is None else required
    return {
        "type": "object",
        "required": list[Json](names),
        "properties": {**properties, **(optional or {})},
        "additionalProperties": False,
    }


def ref(name: str) -> Schema:
    """Return a reference to the schema called *name*."""
    return {"$ref": f"#/components/schemas/{name}"}


def array_of(items: Schema) -> Schema:
    """Return the schema of an array of *items*."""
    return {"type": "array", "items": items}


def one_of(*values: Json) -> Schema:
    """Return the schema of a text that is one of *values*."""
    return {"type": "string", "enum": list(values)}


def count(description: str = "") -> Schema:
    """Return the schema of a whole number, from 0."""
    schema: Schema = {"type": "integer", "minimum": 0}
    return schema | ({"description": description} if description else {})


def counts(description: str) -> Schema:
    """Return the schema of an object of whole numbers under any names."""
    return {
        "type": "object",
        "additionalProperties": count(),
        "description": description,
    }
