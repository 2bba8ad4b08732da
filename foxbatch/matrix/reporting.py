"""Problems of many jobs, told once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from foxbatch.errors import Position, Problem, Severity
from foxbatch.manifest import Manifest
from foxbatch.provider import find
from foxbatch.schema import nearest, pointer
from foxbatch.template import TemplateError
from foxbatch.yaml12 import Document, Where

Report: TypeAlias = Callable[[Problem], None]
"""Takes each problem as it is found."""


@dataclass(slots=True)
class Seen:
    """A problem, and how many jobs have it; one of them is called *example*."""

    problem: Problem
    example: str
    jobs: int = 0


class Tally:
    """Counts the jobs that share a problem and reports each problem once.

    A problem inside one of the places *alone*, each of which makes a single job, says
    by its place which job it is about: it is reported without number and example.
    """

    def __init__(self, report: Report, alone: Iterable[Where] = ()) -> None:
        self._report = report
        self._alone = [f"{pointer(where)}/" for where in alone]
        self._seen: dict[tuple[str, str, Position], Seen] = {}

    def add(self, problem: Problem, example: str, jobs: int = 1) -> Seen:
        """Count one or more further *jobs* with *problem*, one called *example*.

        More of them may be counted in what is returned.
        """
        key = (problem.code, problem.message, problem.position)
        seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = Seen(problem, example)
        seen.jobs += jobs
        return seen

    def flush(self, *, counted: bool = True) -> None:
        """Report every problem with its count, in the order they were met.

        Without a count where not all jobs were looked at.
        """
        for seen in self._seen.values():
            at, problem = f"{seen.problem.pointer}/", seen.problem
            many = seen.jobs > 1 or not any(map(at.startswith, self._alone))
            if counted and many:
                problem = replace(problem, jobs=seen.jobs, example=seen.example)
            self._report(problem)
        self._seen.clear()


def meant_by(used: Iterable[str], known: Iterable[str]) -> set[str]:
    """Return the *known* names that are used, rightly or misspelt."""
    known = set(known)
    return {name if name in known else nearest(name, known) or name for name in used}


def template_problems(
    error: TemplateError, document: Document, where: Where, at: Position | None = None
) -> Iterator[Problem]:
    """Yield *error* and the others it remembers, of the template at *where*.

    *at* is where the template was written, if that is not at *where*.
    """
    for one in (error, *error.others):
        place = where if at else (*where, *one.where)
        yield Problem(
            one.code,
            str(one),
            at or _shifted(document, place, one.offset),
            one.hint,
            pointer=pointer(place),
        )


def circle(
    said: str, steps: Sequence[str], document: Document, where: Where
) -> Problem:
    """Return the problem of values that need each other, the first one again last."""
    return Problem(
        "E-REF-CYCLE",
        f"{said} in a circle: {' -> '.join(steps)}",
        document.position(where),
        "Write one of them without the others.",
        pointer=pointer(where),
    )


_OPENING = "${{"


def _shifted(document: Document, where: Where, offset: int) -> Position:
    """Return where something in the text at *where* stands, if that is plain."""
    text = find(document.value, (where,))
    if isinstance(text, str) and text.startswith(_OPENING, offset):
        return document.nth(where, _OPENING, text.count(_OPENING, 0, offset), "}}")
    position = document.position(where)
    if not isinstance(text, str) or position.line != position.end_line:
        return position
    # Written without escapes it is as long as it is, or two quotes longer.
    quotes = position.end_column - position.column - len(text)
    if quotes not in {0, 2}:
        return position
    return replace(position, column=position.column + quotes // 2 + offset)


def warning(code: str, message: str, at: Position, hint: str = "") -> Problem:
    """Return a warning, or for a code that begins with N a note."""
    severity = Severity.NOTE if code.startswith("N") else Severity.WARNING
    return Problem(code, message, at, hint, severity)


def too_many_jobs(
    manifest: Manifest, wanted: str, largest: Where, least: int = 0
) -> Problem:
    """Return the problem of more jobs than `limits.max_jobs` allows.

    It stands at the limit, or where there is none at *largest*, the place of what
    makes most of the jobs.
    """
    limit: Where = ("limits", "max_jobs")
    is_set = find(manifest.document.value, (limit,)) is not None
    where = limit if is_set else largest
    enough = f"{least or 2 * manifest.max_jobs}"
    hint = (
        "raise limits.max_jobs" if is_set else f"add `limits: {{max_jobs: {enough}}}`"
    )
    said = "limits.max_jobs is" if is_set else "without limits.max_jobs the most is"
    return Problem(
        "E-MAX-JOBS",
        f"the manifest asks for {wanted}, and {said} {manifest.max_jobs:,}",
        manifest.document.position(where, key=not is_set),
        f"Use fewer values, or {hint} if this is meant.",
        pointer=pointer(where),
    )
