"""Which parameters a schema judges each by itself, and which only together.

Whoever knows that can judge thousands of requests by a few of them: values that were
valid once are valid again beside other values, unless a schema says otherwise.
"""

from __future__ import annotations

from typing import cast

from foxbatch.canonical import Json

# What looks at a mapping as a whole, or only at which keys it has.
_ABOUT_NAMES = frozenset(
    {
        "$schema",
        "$id",
        "$comment",
        "$defs",
        "definitions",
        "title",
        "description",
        "default",
        "examples",
        "type",
        "required",
        "dependentRequired",
        "minProperties",
        "maxProperties",
    }
)
_ONE = frozenset({"not", "if", "then", "else"})
_SEVERAL = frozenset({"allOf", "anyOf", "oneOf"})


def entangled(schema: Json) -> frozenset[str] | None:
    """Return the parameters whose values a schema, or a note in it, judges together.

    Every other value is judged by itself, wherever it stands. None where the schema
    has words whose reach is not known here.
    """
    found: set[str] = set()
    notes = schema.get("x-notes") if isinstance(schema, dict) else None
    for note in cast("list[dict[str, Json]]", notes or []):
        found.update({str(note["at"])} if "at" in note else ())
        if not _gather(note["when"], found):
            return None
    return frozenset(found) if _gather(schema, found, whole=True) else None


def _gather(schema: Json, found: set[str], *, whole: bool = False) -> bool:
    """Add the properties that *schema* looks into; return whether all was understood.

    Those of the *whole* schema hold always, so that each is for itself.
    """
    if not isinstance(schema, dict):
        return isinstance(schema, bool)
    return all(
        _gather_from(keyword, inside, found, whole=whole)
        for keyword, inside in schema.items()
    )


def _gather_from(keyword: str, inside: Json, found: set[str], *, whole: bool) -> bool:
    if keyword == "properties" and isinstance(inside, dict):
        found.update(() if whole else inside)
        return True
    if keyword == "additionalProperties":
        return isinstance(inside, bool)
    if keyword in _ONE:
        return _gather(inside, found)
    if keyword in _SEVERAL and isinstance(inside, list):
        return all(_gather(one, found) for one in inside)
    return keyword in _ABOUT_NAMES or keyword.startswith("x-")
