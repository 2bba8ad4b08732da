"""What `validate` found, in each of its formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import foxbatch
from foxbatch.canonical import Json
from foxbatch.cli import problems as rendering
from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import count, visible
from foxbatch.errors import Problem, Severity


@dataclass(frozen=True, slots=True)
class Checked:
    """One manifest that was checked.

    Attributes:
        file: As the user wrote it.
        jobs: Valid jobs; None where it could not be expanded.
        problems: All of them.
        strict: Whether warnings and notes count as errors.
    """

    file: str
    jobs: int | None
    problems: tuple[Problem, ...]
    strict: bool

    @property
    def valid(self) -> bool:
        """Whether no problem counts as an error."""
        return not any(
            self.strict or problem.severity is Severity.ERROR
            for problem in self.problems
        )


def show(terminal: Terminal, checked: Sequence[Checked], form: str) -> None:
    """Print *checked* as `text`, `json`, `github` or `sarif`."""
    problems = [problem for one in checked for problem in one.problems]
    match form:
        case "json":
            terminal.emit_json(as_json(checked), indent=2)
        case "github":
            for problem in problems:
                terminal.emit(rendering.as_github(problem))
        case "sarif":
            log = rendering.as_sarif(problems, version=foxbatch.__version__)
            terminal.emit_json(log, indent=2)
        case _:
            if problems:
                rendering.show(terminal, terminal.out, problems)
    if form in ("text", "github"):
        for one in checked:
            if one.valid:
                jobs = count(one.jobs or 0, "job")
                terminal.say(f"{visible(one.file)}: {jobs}, valid")


def tell_fixed(terminal: Terminal, done: Sequence[Problem]) -> None:
    """Say on stderr what was mended, a line for each problem."""
    for problem in done:
        terminal.say(visible(f"{problem.position}: fixed: {_told(problem)}"))


def _told(problem: Problem) -> str:
    if len(problem.fix) > 1:
        return f"{problem.message} [{problem.code}]"
    return f"{problem.message}; it is now {problem.fix[0].text} [{problem.code}]"


def as_json(checked: Sequence[Checked]) -> dict[str, Json]:
    """Return the one object of `validate --format json`."""
    return {
        "valid": all(one.valid for one in checked),
        "manifests": [{"file": one.file, "jobs": one.jobs} for one in checked],
        "problems": [
            rendering.as_json(problem) for one in checked for problem in one.problems
        ],
    }
