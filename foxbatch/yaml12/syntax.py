"""The parser's complaints, in plain words."""

from __future__ import annotations

from typing import Any

import yaml

from foxbatch.errors import Position, Problem
from foxbatch.yaml12.slips import slip_near

# What the parser says, where it is best shown (the problem, or the beginning of what
# the parser was reading), what that means, and what to write instead.
_SYNTAX: tuple[tuple[str, str, str, str], ...] = (
    (
        "found unexpected end of stream",
        "start",
        "the quote that opens here is never closed",
        'Close it; inside \'…\' a quote is written twice, inside "…" as \\".',
    ),
    (
        "could not find expected ':'",
        "start",
        "this line is neither `key: value` nor part of the text above it",
        "Add a colon and a space after the key, or indent the line like its text.",
    ),
    (
        "did not find expected ',' or ']'",
        "start",
        "the list that opens here is not closed with ], or lacks a comma",
        "Separate the values by commas, and quote text that holds , [ ] { or }.",
    ),
    (
        "did not find expected ',' or '}'",
        "start",
        "the mapping that opens here is not closed with }, or lacks a comma",
        "Separate the pairs by commas, and quote text that holds , [ ] { or }.",
    ),
    (
        "did not find expected '-' indicator",
        "problem",
        "this line stands where the next list item was expected",
        "Begin it with `- `, or indent it like what it belongs to.",
    ),
    (
        "did not find expected key",
        "problem",
        "this does not belong to the lines above it",
        "Indent it like its neighbours; text after a closing quote goes inside it.",
    ),
    (
        "block sequence entries are not allowed",
        "problem",
        "a list cannot start on the line of its key",
        "Begin a new line before the `-`.",
    ),
    (
        "unknown escape character",
        "problem",
        'in "…" a backslash starts an escape, and this one does not exist',
        "Write \\\\ for a backslash, or use single quotes.",
    ),
    (
        "expected <document start>",
        "problem",
        "the document ended before this line",
        "Indent it like the first line of the file.",
    ),
    (
        "expected comment or line break",
        "problem",
        "text cannot start on the line of `|` or `>`",
        "Begin a new, indented line after it.",
    ),
)


def explain(error: yaml.MarkedYAMLError, lines: list[str], file: str) -> Problem:
    """Return the parser's complaint in plain words, at the most telling place."""
    said, context = error.problem or "", error.context or ""
    mark: Any = error.problem_mark or error.context_mark
    start: Any = error.context_mark or mark
    line = lines[mark.line] if mark.line < len(lines) else ""
    rest = line[mark.column :]

    def problem(
        at: Any, message: str, hint: str, code: str = "E-YAML-SYNTAX"
    ) -> Problem:
        return Problem(code, message, _place(at, lines, file), hint)

    if slip := slip_near(said, lines, mark, start):
        return problem(slip, slip.message, slip.hint)
    if rest.startswith("{{") and line[: mark.column].endswith("$"):
        return problem(
            mark,
            "${{ … }} inside [ ] or { } must stand in quotes",
            'Put the whole text in quotes: "… ${{ … }} …".',
        )
    if "mapping values are not allowed" in said:
        return problem(mark, *_stray_colon(line[: mark.column]))
    if "cannot start any token" in said:
        return problem(mark, *_not_a_start(rest[:1]))
    if context.endswith(("an alias", "an anchor", "a tag", "a directive")):
        first = lines[start.line][start.column : start.column + 1]
        return problem(start, *_not_a_start(first))
    if "Unicode character escape" in said:
        message = "the escape here is no character of its own"
        return problem(mark, message, "Write the character itself.", "E-TEXT")
    for known, at, message, hint in _SYNTAX:
        if known in said:
            return problem(start if at == "start" else mark, message, hint)
    message = f"this is not YAML: {said}" + (f" {context}" if context else "")
    return problem(mark, message, "Put text with special characters in quotes.")


def _place(mark: Any, lines: list[str], file: str) -> Position:
    """Return the character at *mark*: the last one where the parser ran off the end."""
    row = min(mark.line, len(lines) - 1)
    length = len(lines[row])
    start = min(mark.column, length) if row == mark.line else length
    return Position(file, row + 1, start + 1, row + 1, min(start + 1, length) + 1)


def _stray_colon(before: str) -> tuple[str, str]:
    if ": " in before or before.lstrip().startswith("- "):
        return (
            "a second `: ` on one line makes YAML read a key here",
            "Put the text in quotes if the colon is part of it.",
        )
    return (
        "a key stands here, but the text above goes on up to it",
        "Indent the key like its neighbours, and close what is open above.",
    )


def _not_a_start(first: str) -> tuple[str, str]:
    return (
        f"text cannot start with {first} unless it is quoted",
        "Put the whole text in quotes.",
    )
