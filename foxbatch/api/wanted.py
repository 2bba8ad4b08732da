"""What is wanted: a manifest with its provider, its jobs, and what a run would do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from foxbatch.errors import InvalidError, Position, Problem, Severity, UsageError
from foxbatch.manifest import Manifest, parse_manifest, read_manifest
from foxbatch.matrix import Job, expand as expand_matrix
from foxbatch.provider import Provider, load_provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A checked manifest and the service that it is for."""

    manifest: Manifest
    provider: Provider


@dataclass(frozen=True, slots=True)
class Checked:
    """Every job of a manifest, and everything that is wrong or odd about them."""

    jobs: tuple[Job, ...]
    problems: tuple[Problem, ...]

    @property
    def valid(self) -> bool:
        """Whether there is no error among the problems."""
        return not any(p.severity is Severity.ERROR for p in self.problems)


def load_manifest(path: str | Path, *, provider: str | None = None) -> Wanted:
    """Read a manifest and the provider it names. Its jobs are not checked yet.

    Args:
        path: The file; `-` is standard input.
        provider: Another provider than the manifest names; a path is relative to the
            manifest's folder.

    Raises:
        InvalidError: The manifest or the provider file is wrong: with all problems.
    """
    if str(path) == "-":
        content = sys.stdin.buffer.read()
        manifest = parse_manifest(content, path=None, shown_as="<stdin>")
    else:
        manifest = read_manifest(Path(path))
    if provider is not None:
        return Wanted(
            manifest=manifest,
            provider=load_provider(provider, base=manifest.directory),
        )
    return Wanted(manifest=manifest, provider=_named_provider(manifest))


def _named_provider(manifest: Manifest) -> Provider:
    try:
        return load_provider(manifest.provider, base=manifest.directory)
    except UsageError as error:
        # The name stands in the file, so the message has to say where.
        where: Position = manifest.document.position(("provider",))
        problem = Problem("E-PROVIDER-UNKNOWN", str(error), where, error.hint)
        raise InvalidError((problem,)) from None


def check(wanted: Wanted) -> Checked:
    """Expand everything and return the valid jobs with all problems. Offline."""
    problems: list[Problem] = list(wanted.manifest.document.problems)
    jobs = tuple(expand_matrix(wanted.manifest, wanted.provider, problems.append))
    return Checked(jobs, tuple(problems))


def expand(wanted: Wanted) -> Iterator[Job]:
    """Yield the jobs in expansion order, lazily. Pure: nothing but content matters.

    Raises:
        InvalidError: At the end, with all problems, when there were errors.
    """
    problems: list[Problem] = []
    yield from expand_matrix(wanted.manifest, wanted.provider, problems.append)
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise InvalidError(tuple(problems))


def checked_jobs(wanted: Wanted) -> Checked:
    """Return all jobs, every one of them valid.

    Raises:
        InvalidError: With all problems, when there is an error among them.
    """
    checked = check(wanted)
    if not checked.valid:
        raise InvalidError(checked.problems)
    return checked
