"""Edits put into a file, which stays as it is to the byte everywhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from foxbatch.errors import Edit, Position, Problem

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_BOM = "\ufeff"


@dataclass(frozen=True, slots=True)
class Mended:
    """A file after its fixes.

    Attributes:
        content: All of it.
        done: The problems that were mended, in the order of the file.
    """

    content: bytes
    done: tuple[Problem, ...]


def mend(content: bytes, problems: Iterable[Problem]) -> Mended:
    """Return *content*, which is UTF-8, with the fixes of *problems* made.

    A fix is made as a whole or not at all; of two that touch the same characters only
    the first is made. Line ends and a byte order mark stay.
    """
    text = content.decode("utf-8")
    starts = _line_starts(text)
    spans: list[tuple[int, int, str]] = []
    done: list[Problem] = []
    for problem in problems:
        wanted = [_span(edit, starts) for edit in problem.fix]
        if wanted and not _collide(wanted, spans):
            spans += wanted
            done.append(problem)
    for start, end, new in sorted(spans, reverse=True):
        text = text[:start] + new + text[end:]
    return Mended(text.encode(), tuple(sorted(done, key=lambda one: one.position)))


def _line_starts(text: str) -> list[int]:
    """Return where each line begins; a byte order mark belongs to none."""
    lines = [line for line in _LINE.findall(text.removeprefix(_BOM)) if line]
    first = len(_BOM) if text.startswith(_BOM) else 0
    return list(accumulate(map(len, lines), initial=first))


def _span(edit: Edit, starts: Sequence[int]) -> tuple[int, int, str]:
    at: Position = edit.position
    start = starts[at.line - 1] + at.column - 1
    return start, starts[at.end_line - 1] + at.end_column - 1, edit.text


def _collide(
    wanted: Iterable[tuple[int, int, str]], taken: Sequence[tuple[int, int, str]]
) -> bool:
    return any(
        start < other_end and other_start < end
        for start, end, _ in wanted
        for other_start, other_end, _ in taken
    )
