"""Problems of files as people and as machines read them."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from foxbatch.canonical import Json
from foxbatch.cli._settings import redact, secrets_of
from foxbatch.cli._sources import Sources
from foxbatch.cli._text import TAB_CELLS, cells, count, visible
from foxbatch.errors import Position, Problem, Severity

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from foxbatch.cli._terminal import Terminal

_COLOURS = {
    Severity.ERROR: "bold red",
    Severity.WARNING: "bold yellow",
    Severity.NOTE: "bold cyan",
}
_MOST = 1_000  # shown; nobody reads more, and a stranger may have made a million
_NARROWEST = 40
_LONGEST = 1_000  # characters of a sentence
_CHARACTERS_PER_CELL = 4  # looked at; a letter may carry several marks
_WIDTH_IN_A_PIPE = 100


def without(secrets: list[str], problem: Problem) -> Problem:
    """Return *problem* without *secrets*, which a wrong file may have led to."""
    if not secrets:
        return problem
    return replace(
        problem,
        message=redact(problem.message, secrets),
        hint=redact(problem.hint, secrets),
        related=tuple(
            replace(one, message=redact(one.message, secrets))
            for one in problem.related
        ),
        fix=tuple(replace(one, text=redact(one.text, secrets)) for one in problem.fix),
    )


# ---- For people


def show(terminal: Terminal, console: Console, problems: Sequence[Problem]) -> None:
    """Print *problems* as text on one of the consoles of *terminal*."""
    width = console.width if console.is_terminal else _WIDTH_IN_A_PIPE
    terminal.sources.secrets = secrets = secrets_of(terminal.environ)
    kept = [without(secrets, problem) for problem in problems]
    text = as_text(kept, terminal.sources, width=width)
    console.print(text, end="", soft_wrap=True)


def as_text(problems: Sequence[Problem], sources: Sources, *, width: int) -> Text:
    """Return *problems* with the lines they are about and what to do, for people.

    Args:
        problems: In the order to be shown.
        sources: Where lines come from.
        width: Columns of the terminal; longer source lines are shown in part.
    """
    from rich.text import Text

    blocks = [_block(problem, sources, width) for problem in problems[:_MOST]]
    if (rest := len(problems) - _MOST) > 0:
        blocks.append(Text(f"and {rest:,} more, which --format json has\n", "dim"))
    return Text("\n").join([*blocks, Text(f"{tally(problems)}\n", "bold")])


def tally(problems: Sequence[Problem]) -> str:
    """Return such as `2 errors, 1 note in 2 files`."""
    found = Counter(problem.severity for problem in problems)
    parts = [count(found[kind], kind.value) for kind in Severity if found[kind]]
    files = len({problem.position.file for problem in problems})
    return f"{', '.join(parts)} in {count(files, 'file')}"


def _block(problem: Problem, sources: Sources, width: int) -> Text:
    from rich.text import Text

    places = [problem.position, *(one.position for one in problem.related)]
    gutter = max(len(str(place.line)) for place in places)
    colour = _COLOURS[problem.severity]
    block = Text()
    block.append(visible(f"{problem.position}: "), "bold")
    block.append(f"{problem.severity}: ", colour)
    said = visible(_short(problem.message))
    block.append(said.replace("\n", f"\n{'':{gutter}}   "), "bold")
    block.append(f" [{problem.code}]\n", "dim")
    block.append(_excerpt(problem.position, sources, gutter, width, colour))
    for label, text in _remarks(problem):
        block.append(f"{'':{gutter}} = ", "blue").append(f"{label}: ", "bold green")
        indent = f"\n{'':{gutter + 5 + len(label)}}"
        block.append(visible(text).replace("\n", indent) + "\n")
    for related in problem.related:
        block.append(f"{'':{gutter}} = ", "blue").append("see: ", "bold green")
        block.append(visible(f"{related.position}: {related.message}\n"))
        block.append(_excerpt(related.position, sources, gutter, width, "blue"))
    return block


def _remarks(problem: Problem) -> Iterator[tuple[str, str]]:
    if problem.jobs == 1 and problem.example:
        yield "in", f"job {problem.example}"
    elif problem.jobs is not None:
        such_as = f", such as {problem.example}" if problem.example else ""
        yield "in", count(problem.jobs, "job") + such_as
    if problem.hint:
        yield "try", _short(problem.hint)


def _short(text: str) -> str:
    """Return *text* as long as somebody reads: names may have any length."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _excerpt(
    at: Position, sources: Sources, gutter: int, width: int, colour: str
) -> Text:
    """Return the line that *at* is about, underlined; nothing where it is unknown."""
    from rich.text import Text

    line = sources.line(at.file, at.line)
    room = max(_NARROWEST, width) - gutter - 4
    shown, before, length = _window(line, at, room)
    if not shown.strip():
        return Text()
    return Text.assemble(
        (f"{at.line:>{gutter}} | ", "blue"),
        f"{shown}\n",
        (f"{'':{gutter}} | ", "blue"),
        " " * before,
        ("^" * max(1, length), colour),
        "\n",
    )


def _window(line: str, at: Position, room: int) -> tuple[str, int, int]:
    """Return the part of *line* to show, and where the underline starts and its length.

    All in columns of the terminal, because wide characters fill two of them. A line
    may have a million characters and as many problems: only those that stand near
    the place are looked at.
    """
    reach = _CHARACTERS_PER_CELL * room
    start = min(at.column - 1, len(line))
    end = max(start, at.end_column - 1) if at.end_line == at.line else len(line)
    first, last = max(0, start - reach), min(len(line), start + reach)
    head = _flat(line[first:start])
    marked = _flat(line[start : min(end, last)], at=cells(head))
    marked = marked if at.end_line == at.line else marked.rstrip()
    tail = _flat(line[end:last], at=cells(head) + cells(marked)).rstrip()
    near = first == 0 and last == len(line)
    if not near or cells(head + marked + tail) > room:
        short = first == 0 and cells(head) <= room // 3
        head = head if short else "…" + _last(head, room // 3)
        left = room - cells(head)
        shown = _first(marked + tail, left - 1)
        cut = "…" if shown != marked + tail or last < len(line) else ""
        marked, tail = shown[: len(marked)], shown[len(marked) :] + cut
    return head + marked + tail, cells(head), cells(marked)


def _flat(text: str, at: int = 0) -> str:
    """Return *text*, which starts at column *at*, with tabs as blanks."""
    first, *others = map(visible, text.split("\t"))
    out, column = [first], at + cells(first)
    for piece in others:
        blanks = TAB_CELLS - column % TAB_CELLS
        out += [" " * blanks, piece]
        column += blanks + cells(piece)
    return "".join(out)


def _first(text: str, room: int) -> str:
    """Return as much of the start of *text* as *room* columns hold."""
    lengths = range(1, len(text) + 1)
    return text[: bisect_right(lengths, room, key=lambda n: cells(text[:n]))]


def _last(text: str, room: int) -> str:
    lengths = range(1, len(text) + 1)
    kept = bisect_right(lengths, room, key=lambda n: cells(text[-n:]))
    return text[len(text) - kept :]


# ---- For machines


def as_json(problem: Problem) -> dict[str, Json]:
    """Return *problem* with the fields that `validate --format json` promises."""
    related: list[Json] = [
        {**_place(one.position), "message": one.message} for one in problem.related
    ]
    return {
        "code": problem.code,
        "severity": problem.severity.value,
        **_place(problem.position),
        "pointer": problem.pointer,
        "message": problem.message,
        "hint": problem.hint,
        "jobs": problem.jobs,
        "example": problem.example,
        "related": related,
        "fix": [{**_place(edit.position), "text": edit.text} for edit in problem.fix],
    }


def _place(at: Position) -> dict[str, Json]:
    return {
        "file": at.file,
        "line": at.line,
        "column": at.column,
        "end_line": at.end_line,
        "end_column": at.end_column,
    }
