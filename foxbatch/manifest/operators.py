"""Operators in filters, such as `{$gte: 4}`: which there are, and where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from foxbatch.canonical import Json
from foxbatch.errors import Problem
from foxbatch.manifest.reading import known_keys
from foxbatch.schema import nearest, pointer, show, suggest
from foxbatch.yaml12 import Document, Where

MISUSED = "E-OPERATOR"

_UNSET = "$unset"  # a value like any other
_INSTEAD = {
    "$nin": "Write {$not: {$in: […]}}.",
    "$ne": "Write {$not: …}.",
    "$eq": "Write the value itself, without an operator.",
    "$or": "Write {$in: […]}, or one entry for each alternative.",
    "$and": "Write several operators in one mapping; all of them must hold.",
    "$regex": "Texts are compared whole; name several with {$in: […]}.",
}


def misused_as_key(document: Document, value: Json, where: Where) -> Iterator[Problem]:
    """Yield what is wrong with an operator at the top of a filter, with its *value*."""
    key, name, inner = where[-1], "name", "…"
    if isinstance(value, dict) and value:
        name, inner = next((name, show(inner)) for name, inner in value.items())
    message = f"{key} stands where the name of an axis is expected"
    hint = f"Write it inside the value of an axis: {{{name}: {{{key}: {inner}}}}}."
    yield _problem(document, message, where, hint)


def misused_in_extra(
    document: Document, value: Json, where: Where, axes: Sequence[str]
) -> Iterator[Problem]:
    """Yield the operators in what an include adds under a name that is no axis."""
    for place in _operators_in(value, where):
        name, key = str(where[-1]), place[-1]
        message = f"{name} is no axis, so {key} has no values to choose from"
        hint = suggest(name, axes, "Axes are") or "There are no axes."
        yield _problem(document, message, place, hint)


def misused_in_filter(
    document: Document, value: Json, where: Where
) -> Iterator[Problem]:
    """Yield what is wrong with the operators in *value*, what a key asks for."""
    if isinstance(value, list):
        for place in _operators_in(value, where):
            message = f"{place[-1]} stands in a list, and lists are compared whole"
            hint = "Write {$in: […]} if one of several values is meant."
            yield _problem(document, message, place, hint)
    if not isinstance(value, dict):
        return
    known = known_keys("operators")
    mixed = any(key in known for key in value)
    for key, inner in value.items():
        here = (*where, key)
        if key in known or not (mixed or _is_operator(key)):
            yield from _misused_inside(document, key, inner, here)
        elif _is_operator(key):
            hint = _INSTEAD.get(key) or suggest(key, known, "Operators")
            yield _problem(document, f"there is no operator {key}", here, hint)
        else:
            near = nearest(key, known)
            hint = f"Did you mean {near}?" if near else _BESIDE.format(key)
            message = f"{show(key)} stands beside an operator and is none"
            yield _problem(document, message, here, hint)


_BESIDE = "Write {{$in: [{{{}: …}}]}} beside the operator."


def _misused_inside(
    document: Document, key: str, inner: Json, here: Where
) -> Iterator[Problem]:
    if key == "$in" and isinstance(inner, list):
        for index, item in enumerate(inner):
            yield from misused_in_filter(document, item, (*here, index))
    else:
        yield from misused_in_filter(document, inner, here)


def _operators_in(value: Json, where: Where) -> Iterator[Where]:
    """Yield the places of keys that look like operators, the outermost ones."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _operators_in(item, (*where, index))
    elif isinstance(value, dict):
        for key, inner in value.items():
            if _is_operator(key):
                yield (*where, key)
            else:
                yield from _operators_in(inner, (*where, key))


def _is_operator(key: str) -> bool:
    return key.startswith("$") and key != _UNSET


def _problem(document: Document, message: str, where: Where, hint: str) -> Problem:
    position = document.position(where, key=True)
    return Problem(MISUSED, message, position, hint, pointer=pointer(where))
