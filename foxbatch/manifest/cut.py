"""Text that a comma made into keys, a dash into one text, or quotes into two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from foxbatch.canonical import Json
from foxbatch.errors import Position, Problem
from foxbatch.manifest.prose import in_quotes
from foxbatch.manifest.reading import items, mapping, written_jobs
from foxbatch.schema import pointer, show
from foxbatch.yaml12 import Document, Where

_PLACES = ("vars", "defaults", "jobs")
_CURLY = {
    "\u201c": "\u201d",
    "\u201e": "\u201c",
    "\u2018": "\u2019",
    "«": "»",
    "»": "«",
}


class Cut(NamedTuple):
    """A text of a mapping in braces that ends at its comma.

    Attributes:
        strays: Where the keys stand that the rest of it became.
    """

    problem: Problem
    strays: tuple[Where, ...]


def cut_by_commas(document: Document) -> Iterator[Cut]:
    """Yield each text in braces that is followed by keys without a value.

    `{look: soft light, film grain}` is read as two keys, one of them null. A prompt's
    own `text` is left out.
    """
    root = mapping(document.value)
    waiting: list[tuple[Where, Json]] = [((key,), root.get(key)) for key in _PLACES]
    while waiting:
        where, value = waiting.pop()
        if isinstance(value, list):
            inside: Iterator[tuple[str | int, Json]] = iter(enumerate(value))
        else:
            inside = iter(mapping(value).items())
        waiting += [
            ((*where, step), inner)
            for step, inner in inside
            if isinstance(inner, list | dict)
        ]
        if isinstance(value, dict) and None in value.values():
            yield from _cut_in(document, where, value)


def _cut_in(document: Document, where: Where, value: dict[str, Json]) -> Iterator[Cut]:
    at = document.position(where)
    if not document.source(at).startswith("{"):
        return
    lead, strays = "", list[str]()
    for key, inner in [*value.items(), ("", "")]:
        if inner is None and lead and not document.source(_at(document, where, key)):
            strays.append(key)
            continue
        if strays:
            yield _cut(document, where, lead, strays)
        lead, strays = (key if isinstance(inner, str) and key != "text" else ""), []


def _at(document: Document, where: Where, key: str) -> Position:
    return document.position((*where, key))


def _cut(document: Document, where: Where, lead: str, strays: list[str]) -> Cut:
    first = document.position((*where, strays[0]), key=True)
    begin = document.source(document.position((*where, lead)))
    whole = ", ".join([begin.strip("'\""), *strays])
    or_else = f" If {strays[0]} is a key, write its value: `{strays[0]}: …`."
    or_else = "" if " " in strays[0] else or_else
    problem = Problem(
        "E-TEXT-MAPPING",
        f"the text of {lead} ends at its comma, and {show(strays[0])} is read as a key "
        "without a value",
        first,
        f"Put the text in quotes: {in_quotes(whole)}.{or_else}",
        pointer=pointer((*where, lead)),
    )
    return Cut(problem, tuple((*where, key) for key in strays))


def joined_lines(document: Document, where: Where, value: str) -> Iterator[Problem]:
    """Yield a line of an unquoted text that was probably an item of its own."""
    at = document.position(where)
    if " - " not in value or at.line == at.end_line or at.file != document.file:
        return
    if document.is_block(where) or document.source(at)[:1] in {"'", '"'}:
        return
    for number in range(at.line + 1, at.end_line + 1):
        line = document.line(number)
        text = line.lstrip()
        if text.startswith("- "):
            start = len(line) - len(text) + 1
            yield Problem(
                "E-TEXT-JOINED",
                f"this line belongs to the text above it, which is {show(value)}",
                Position(document.file, number, start, number, len(line.rstrip()) + 1),
                "Indent it like the line above if it is an item of its own; put the "
                f"text in quotes if it is one: {in_quotes(value)}.",
                pointer=pointer(where),
            )
            return


def split_by_quotes(document: Document) -> Iterator[Problem]:
    """Yield each text of a list that curly quotes open and a later one closes.

    For YAML they are letters, so that a comma between them ends the text.
    """
    if not any(mark in document.text for mark in _CURLY):
        return
    for where, job in written_jobs(document):
        axes = mapping(mapping(job.get("matrix")).get("axes"))
        lists: dict[Where, Json] = {("prompts",): job.get("prompts")}
        lists |= {("matrix", "axes", name): values for name, values in axes.items()}
        for steps, values in lists.items():
            yield from _split_in(document, (*where, *steps), items(values))


def _split_in(
    document: Document, where: Where, values: list[Json]
) -> Iterator[Problem]:
    for index, part in enumerate(values[:-1]):
        closing = _CURLY.get(part[:1]) if isinstance(part, str) else None
        if closing is None or closing in str(part)[1:]:
            continue
        rest = [str(one) for one in values[index:]]
        end = next((n for n, one in enumerate(rest) if one.endswith(closing)), 0)
        if end:
            count = end + 1
            whole = ", ".join(rest[:count])
            yield Problem(
                "E-TEXT-QUOTES",
                f"{rest[0][0]} is no quote in YAML: the comma makes {count} texts of "
                "this one",
                document.position((*where, index)),
                f"Use straight quotes: {in_quotes(whole[1:-1])}. If these are {count} "
                "texts, put each in straight quotes.",
                pointer=pointer((*where, index)),
            )
