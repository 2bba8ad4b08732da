"""What `validate` found, in each of its formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import foxbatch
from foxbatch.canonical import Json
from foxbatch.cli import github, problems as rendering
from foxbatch.cli._settings import secrets_of
from foxbatch.cli._terminal import Terminal
from foxbatch.cli._text import count, visible
from foxbatch.cli.sarif import as_sarif
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

    def without(self, secrets: list[str]) -> Checked:
        """Return the same without *secrets*, which may have got into what is wrong."""
        problems = tuple(rendering.without(secrets, one) for one in self.problems)
        return replace(self, problems=problems)

    @property
    def valid(self) -> bool:
        """Whether no problem counts as an error."""
        return not any(
            self.strict or problem.severity is Severity.ERROR
            for problem in self.problems
        )


def show(terminal: Terminal, checked: Sequence[Checked], form: str) -> None:
    """Print *checked* as `text`, `json`, `github` or `sarif`."""
    secrets = secrets_of(terminal.environ)
    checked = [one.without(secrets) for one in checked]
    problems = [problem for one in checked for problem in one.problems]
    match form:
        case "json":
            terminal.emit_json(as_json(checked), indent=2)
        case "github":
            _show_github(terminal, problems)
        case "sarif":
            log = as_sarif(problems, version=foxbatch.__version__)
            terminal.emit_json(log, indent=2)
        case _:
            if problems:
                rendering.show(terminal, terminal.out, problems)
    if form in ("text", "github"):
        for one in checked:
            if one.valid:
                jobs = count(one.jobs or 0, "job")
                terminal.say(f"{visible(one.file)}: {jobs}, valid")


def _show_github(terminal: Terminal, problems: Sequence[Problem]) -> None:
    """Print annotations, and add all problems to the summary of the job, if it has one.

    Several steps of a job may write one after the other.
    """
    path = terminal.environ.get("GITHUB_STEP_SUMMARY")
    where_all = (
        "the summary of this job lists all"
        if path
        else "type foxbatch validate to see all"
    )
    for line in github.as_annotations(problems, where_all=where_all):
        terminal.emit(line)
    if not path:
        return
    found = rendering.tally(problems) if problems else "nothing is wrong"
    text = github.summary(problems, f"foxbatch validate: {found}")
    try:
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        terminal.say(f"{visible(path)} cannot be written: {error.strerror}")


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
