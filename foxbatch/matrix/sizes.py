"""How large rendered values are, known before anybody writes them out."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import TypeAlias

from foxbatch import canonical
from foxbatch.canonical import Json
from foxbatch.template import TemplateError

MAX_VALUE = 1 << 20
"""Bytes of a request as canonical JSON, and of each value on its way into one."""

MAX_DEPTH = 100

_WIDEST = 6  # bytes of one character as canonical JSON: \\u001f

Known: TypeAlias = MutableMapping[int, tuple[Json, int, int]]
"""Lists and mappings that were measured, by identity, with size and depth.

A reference shares what it refers to: ten lists of ten lists of ten take little memory
and much paper. Measured once each, they take little time too. The values are kept here
so that no other one can get their identity.
"""


def check(value: Json, known: Known) -> None:
    """Refuse a value that is too large or too deep to be part of any request.

    Raises:
        TemplateError: It is.
    """
    size, depth = _measure(value, known)
    if size > MAX_VALUE:
        raise TemplateError(
            "E-REQUEST-SIZE",
            f"the value has {size:,} characters, and a request of {MAX_VALUE:,} bytes "
            "is the largest",
            hint="Refer to fewer or shorter values in it.",
        )
    if depth > MAX_DEPTH:
        raise TemplateError(
            "E-REQUEST-SIZE",
            f"values are nested more than {MAX_DEPTH} deep",
            hint="Nest less.",
        )


def excess(request: Json) -> str:
    """Return what is wrong with the size of a request; empty where nothing is."""
    size, depth = _measure(request, {})
    if depth > MAX_DEPTH:
        return f"the request is nested more than {MAX_DEPTH} deep"
    if MAX_VALUE // _WIDEST < size <= MAX_VALUE:
        size = len(canonical.encode(request))
    if size > MAX_VALUE:
        return f"the request has {size:,} bytes, and {MAX_VALUE:,} is the most"
    return ""


def size(value: Json) -> int:
    """Return the least number of bytes that *value* fills as canonical JSON."""
    return _measure(value, {})[0]


def _measure(value: Json, known: Known) -> tuple[int, int]:
    """Return the number of characters, without escapes, and the depth."""
    match value:
        case str():
            return len(value) + 2, 0
        case list():
            return _measured(value, value, 0, known)
        case dict():
            keys = sum(map(len, value)) + 3 * len(value)  # quotes and a colon
            return _measured(value, value.values(), keys, known)
        case None | bool():
            return 4, 0
        case _:
            return len(canonical.number(value)), 0


def _measured(
    value: Json, inside: Iterable[Json], keys: int, known: Known
) -> tuple[int, int]:
    before = known.get(id(value))
    if before is not None:
        return before[1:]
    size, depth = 1 + keys, 0
    for item in inside:
        item_size, item_depth = _measure(item, known)
        size += item_size + 1
        depth = max(depth, item_depth)
    known[id(value)] = (value, max(2, size), depth + 1)
    return max(2, size), depth + 1
