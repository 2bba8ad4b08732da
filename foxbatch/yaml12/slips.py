"""Slips of the hand that make text no YAML, seen in the lines around the place."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

# A key, and what follows it without a blank; a dash that a key follows without one.
_COLON = re.compile(
    r"\s*(?:- +)?(?P<word>\"[a-z_]+\"|'[a-z_]+'|[a-z_]+)(?P<mark>:)(?P<rest>[^\s/].*)$"
)
_DASH = re.compile(r"\s*(?P<mark>-)(?P<word>(?:id|text|lines|prompt):)(?P<rest>\s.*)$")
_SHOWN = 30
_BEFORE_A_KEY = ("mapping values", "expected ':'", "expected '-'", "expected key")


class Slip(NamedTuple):
    """What somebody probably did, and where: lines and columns from 0."""

    line: int
    column: int
    message: str
    hint: str


def slip_near(said: str, lines: list[str], mark: Any, start: Any) -> Slip | None:
    """Return the slip that explains what the parser *said*, if one is seen.

    Args:
        said: Its complaint.
        lines: Of the file.
        mark: Where it stopped.
        start: Where what it was reading began.
    """
    rest = lines[mark.line][mark.column :] if mark.line < len(lines) else ""
    if rest.startswith("\t") or "tab character" in said:
        message = "a tab is used for indentation"
        return Slip(mark.line, mark.column, message, "Use spaces.")
    if said.startswith("did not find expected ',' or"):
        return _comment_in_list(lines[start.line], start)
    if not any(words in said for words in _BEFORE_A_KEY):
        return None
    return _comment_in_text(lines, mark.line) or _no_blank(lines, mark.line)


def _comment_in_list(line: str, start: Any) -> Slip | None:
    rest = line[start.column :]
    found = re.search(r"\s(#[^\s,\]}]*)", rest)
    if found is None:
        return None
    text = rest[: found.start()].split(",")[-1].lstrip("[{ ")
    return Slip(
        start.line,
        start.column + found.start(1),
        "# begins a comment here, which takes the rest of the line and its bracket",
        f'Write "{text} {found[1]}" in quotes if # is part of the text; else move the '
        "comment to a line of its own.",
    )


def _comment_in_text(lines: list[str], number: int) -> Slip | None:
    here = lines[number] if number < len(lines) else ""
    above = lines[number - 1].lstrip() if number else ""
    if not above.startswith("# ") or ":" in here or not here.strip():
        return None
    return Slip(
        number,
        len(here) - len(here.lstrip()),
        "the comment above ends the text, and this line belongs to nothing",
        "Put the comment above the whole text; or, if it is a part of it, begin the "
        "text with | on the line before.",
    )


def _no_blank(lines: list[str], number: int) -> Slip | None:
    """Return where a blank is missing after a colon or a dash."""
    for row in (number, number - 1):
        line = lines[row] if 0 <= row < len(lines) else ""
        if found := _DASH.match(line):
            meant, what = f"- {found['word']} …", "dash"
        elif found := _COLON.match(line):
            rest = found["rest"]
            short = rest if len(rest) <= _SHOWN else f"{rest[:_SHOWN]}…"
            meant, what = f"{found['word']}: {short}", "colon"
        else:
            continue
        message = f"a space is missing after the {what}"
        return Slip(row, found.end("mark"), message, f"Write `{meant}`.")
    return None
