"""What other tools, or people, read in the same characters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from foxbatch.errors import Edit, Position, Problem
from foxbatch.lint.reporting import oddity
from foxbatch.manifest.prose import quoted
from foxbatch.provider import Model, Provider
from foxbatch.schema import load_schema
from foxbatch.yaml12 import Document, Scalar, old_reading

_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")


def odd_spelling(document: Document, provider: Provider) -> Iterator[Problem]:
    """Yield what is odd about how values are written, not about what they are."""
    plain_words = _listed(load_schema("manifest")).union(
        *(_listed(model.schema) for model in _distinct(provider))
    )
    for scalar in document.scalars():
        if scalar.style == "plain" and scalar.source not in plain_words:
            yield from _old_reading(scalar)
        if found := _TURNING.search(scalar.source):
            yield _turned(scalar, found)
    yield from _blanks_at_line_ends(document)


def _distinct(provider: Provider) -> Iterator[Model]:
    seen: set[str] = set()
    for model in provider.models.values():
        if model.schema_name not in seen:
            seen.add(model.schema_name)
            yield model


def _listed(schema: object) -> frozenset[str]:
    """Return texts and keys that *schema* lists: so written, they are no accident."""
    match schema:
        case list():
            return frozenset[str]().union(*map(_listed, schema))
        case dict():
            listed = schema.get("enum")
            own = listed if isinstance(listed, list) else [schema.get("const")]
            texts = frozenset(text for text in own if isinstance(text, str))
            keys = schema.get("properties")
            texts |= frozenset(keys if isinstance(keys, dict) else ())
            return texts.union(*map(_listed, schema.values()))
        case _:
            return frozenset()


def _old_reading(scalar: Scalar) -> Iterator[Problem]:
    text, value = scalar.source, scalar.value
    old = old_reading(text)
    if not old:
        return
    here, fix = "text", quoted(text)
    hint = f"Put it in quotes: {fix}."
    if isinstance(value, int | float):
        here = f"the number {value}"
        fix = _number_for_all(value)
        hint = f"Write {fix}, which every tool reads alike."
    if _LEADING_ZERO.fullmatch(text):
        hint = f'Write {value} if the number is meant, or "{text}" if it is text.'
        fix = ""  # nobody knows which of them
    yield oddity(
        "N-YAML-OLD",
        f"{text} is {here}, and tools of YAML 1.1 read {old}",
        scalar.position,
        hint,
        where=scalar.where,
        fix=(Edit(scalar.position, fix),) if fix else (),
    )


def _number_for_all(number: float) -> str:
    """Return *number* as both versions of YAML read it: with a point, if it is one."""
    text = repr(number)
    mantissa, exponent, power = text.partition("e")
    point = "" if isinstance(number, int) or "." in mantissa else ".0"
    return f"{mantissa}{point}{exponent}{power}"


def _turned(scalar: Scalar, found: re.Match[str]) -> Problem:
    at, code = scalar.position, ord(found[0])
    if at.line == at.end_line:
        column = at.column + found.start()
        at = replace(at, column=column, end_column=column + 1)
    return oddity(
        "W-TEXT-BIDI",
        f"U+{code:04X} turns the direction of writing, so that this may look otherwise "
        "than it is read",
        at,
        "Remove the character; right-to-left letters need none.",
        where=scalar.where,
    )


def _blanks_at_line_ends(document: Document) -> Iterator[Problem]:
    """Yield one note about all blanks at line ends that mean nothing."""
    lines = document.text.split("\n")
    ends = [n for n, line in enumerate(lines, 1) if line.endswith((" ", "\t"))]
    inside = _lines_of_texts(document) if ends else set()
    edits: list[Edit] = []
    for number in ends:
        if number not in inside:
            line = lines[number - 1]
            start, end = len(line.rstrip(" \t")) + 1, len(line) + 1
            edits.append(Edit(Position(document.file, number, start, number, end), ""))
    if edits:
        said = "a line ends" if len(edits) == 1 else f"{len(edits):,} lines end"
        yield oddity(
            "N-LINE-BLANKS",
            f"{said} in blanks that mean nothing",
            edits[0].position,
            "Remove them; most editors can do it on saving.",
            fix=tuple(edits),
        )


def _lines_of_texts(document: Document) -> set[int]:
    """Return the numbers of lines whose end is part of a quoted or block text."""
    inside: set[int] = set()
    lines = document.text.split("\n")
    for scalar in document.scalars():
        at = scalar.position
        if scalar.style == "quoted":
            inside.update(range(at.line, at.end_line))
        elif scalar.style == "block":
            inside.update(_block(lines, at.line))
    return inside


def _block(lines: list[str], start: int) -> Iterator[int]:
    """Yield the numbers of the lines of a block scalar that begins in line *start*."""
    indent = _indent(lines[start - 1])
    for number in range(start + 1, len(lines) + 1):
        line = lines[number - 1]
        if line.strip() and _indent(line) <= indent:
            return
        yield number


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))
