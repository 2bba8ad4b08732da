"""Prose that YAML cannot read: each such line is told, and how it was meant.

People paste prompts. One that begins with `[` or has a second colon makes the whole
file unreadable; looked at line by line, the other prompts can still be judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

from foxbatch.errors import Edit, InvalidError, Position, Problem
from foxbatch.schema import show
from foxbatch.yaml12 import scan

_PROMPTS = re.compile(r" *(?:- +)?(?P<key>prompts):[ \t]*(?:#.*)?$")
_ITEM = re.compile(r" *(?P<key>-)[ \t]+(?P<text>\S.*?)[ \t]*$")
_FIELD = re.compile(
    r" *(?:- +)?(?P<key>text|prompt|negative_prompt|lyrics|style):[ \t]+"
    r"(?P<text>\S.*?)[ \t]*$"
)
_BLOCK = re.compile(r"(?:^|[:-][ \t]+)[|>][-+0-9]*[ \t]*(?:#.*)?$")
_DOUBTFUL = re.compile(
    r"[\[\]{}&*!|>'\"%@`?,#-]|.*(?::(?:\s|$)|\s#)|.{1000}", re.DOTALL
)
_MOST = 1_000  # lines that are looked at closely
_SHOWN = 60


class _Prose(NamedTuple):
    """The text of one line: a prompt, or what follows a key such as `text:`.

    Attributes:
        lead: What makes YAML read it as it does in its place.
    """

    line: int
    column: int
    text: str
    lead: str


def quoted(text: str) -> str:
    """Return one line of *text* as a scalar in quotes, the plainest that holds it."""
    if '"' not in text and "\\" not in text:
        return f'"{text}"'
    return "'" + text.replace("'", "''") + "'"


def in_quotes(text: str) -> str:
    """Return *text* as somebody would write it, short enough for a sentence."""
    return _short(quoted(text), text)


def _short(written: str, text: str) -> str:
    return written if len(written) <= _SHOWN else show(text)


def unreadable_prose(text: str, file: str) -> list[Problem]:
    """Return a problem for each text of one line that YAML cannot read by itself."""
    doubtful = (one for one in _prose(text.split("\n")) if _is_doubtful(one))
    found = (_problem(one, file) for one in islice(doubtful, _MOST))
    return [problem for problem in found if problem is not None]


def _is_doubtful(prose: _Prose) -> bool:
    return "\t" in prose.lead or _DOUBTFUL.match(prose.text) is not None


def _problem(prose: _Prose, file: str) -> Problem | None:
    try:
        scan(f"{prose.lead}{prose.text}\n", file=file)
    except InvalidError as error:
        problem = error.problems[-1]
    else:
        return None
    at, line, start = problem.position, prose.line, prose.column
    offset = at.column - len(prose.lead) - 1 if at.line == 1 else len(prose.text)
    message, offset = _plain_reason(prose.text, offset) or (problem.message, offset)
    tabs = len(prose.lead) - len(prose.lead.rstrip("\t"))
    end, meant = start + len(prose.text), _meant(prose.text)
    first = start + offset
    closes = meant.startswith(prose.text)  # a quote that is never closed
    return replace(
        problem,
        message=message,
        position=Position(file, line, first, line, max(first, min(first + 1, end))),
        hint=problem.hint
        if closes
        else f"Put the text in quotes: {_short(meant, prose.text)}.",
        fix=(Edit(Position(file, line, start - tabs, line, end), meant),),
    )


def _plain_reason(text: str, offset: int) -> tuple[str, int] | None:
    """Return why YAML stops at *offset*, and where that is shown, if text tells."""
    if text[0] in "*&!":
        return f"text cannot start with {text[0]} unless it is quoted", 0
    before = text[:offset].rstrip()
    if text[0] in "[{\"'" and before[1:] and before[-1] in "]}\"'":
        return f"the text goes on after its closing {before[-1]}", offset
    return None


def _meant(text: str) -> str:
    """Return the scalar that somebody meant who wrote *text*."""
    if text.startswith('"') and text.count('"') == 1 and "\\" not in text:
        return f'{text}"'
    if text[0] == text[-1] == "'" and "'" in text[1:-1].replace("''", ""):
        return quoted(text[1:-1])  # an apostrophe closed it
    return quoted(text)


def _prose(lines: Sequence[str]) -> Iterator[_Prose]:
    """Yield the texts that stand on one line, those of block scalars left out."""
    block = owner = -1
    for number, line in enumerate(lines, 1):
        bare = line.lstrip(" ")
        indent = len(line) - len(bare)
        if not bare or bare.startswith("#") or 0 <= block < indent:
            continue
        block = indent if _BLOCK.search(line) else -1
        if indent < owner or (indent == owner and not bare.startswith("-")):
            owner = -1
        if found := _PROMPTS.match(line):
            owner = found.start("key")
        elif block < 0 and (found := _FIELD.match(line) or _item(line, owner)):
            column = found.start("key")
            if _ends_here(lines, number, column):
                start = found.start("text")
                yield _Prose(number, start + 1, found["text"], line[column:start])


def _item(line: str, owner: int) -> re.Match[str] | None:
    return _ITEM.match(line) if owner >= 0 else None


def _ends_here(lines: Sequence[str], number: int, column: int) -> bool:
    """Return whether what begins at *column* does not go on after line *number*."""
    following = (lines[index] for index in range(number, len(lines)))
    line = next(filter(str.strip, following), "")
    return len(line) - len(line.lstrip(" ")) <= column
