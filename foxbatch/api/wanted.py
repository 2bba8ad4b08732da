"""What is wanted: a manifest with its provider, its jobs, and what a run would do."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from foxbatch.errors import InvalidError, Position, Problem, Severity, UsageError
from foxbatch.lint import lint
from foxbatch.manifest import (
    Manifest,
    read_bounded,
    read_content,
    scan_manifest,
)
from foxbatch.matrix import (
    Job,
    MatrixCell,
    cells as matrix_cells,
    expand as expand_matrix,
)
from foxbatch.provider import Provider, load_provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A checked manifest and the service that it is for.

    Attributes:
        instead: What somebody typed instead of the manifest's provider, if anything.
    """

    manifest: Manifest
    provider: Provider
    instead: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """How many valid jobs a manifest gives, and what is wrong or odd about them."""

    jobs: int
    problems: tuple[Problem, ...]

    @property
    def valid(self) -> bool:
        """Whether there is no error among the problems."""
        return not any(p.severity is Severity.ERROR for p in self.problems)


Notice: TypeAlias = Callable[[Sequence[Problem]], None]
"""Told once what is valid and probably not meant, if there is anything."""

# Looking for what is odd must not be felt where nobody asked for it.
_MOST_LINTED = 10_000  # jobs
_MOST_TEXT = 500_000  # characters of a manifest


@dataclass(frozen=True, slots=True)
class Instead:
    """What somebody typed that goes before what a manifest says.

    Attributes:
        provider: Another provider; a path is relative to the working directory.
        overrides: Values of the manifest, such as `vars.film=Kodak`.
    """

    provider: str | None = None
    overrides: tuple[str, ...] = ()


def load_manifest(
    path: str | Path,
    *,
    provider: str | None = None,
    overrides: Sequence[str] = (),
) -> Wanted:
    """Read a manifest and the provider it names. Its jobs are not checked yet.

    Args:
        path: The file; `-` is standard input.
        provider: Another provider than the manifest names; a path is relative to the
            working directory.
        overrides: Such as `jobs.beach.repeat=3`: values that go before those of the
            file; each is a scalar or flow value of YAML 1.2.

    Raises:
        InvalidError: The manifest or the provider file is wrong: with all problems,
            also those of the jobs that can be judged all the same.
        UsageError: An override sets nothing that there is.
    """
    instead = Instead(provider, tuple(overrides))
    if str(path) == "-":
        return read_wanted(read_bounded(sys.stdin.buffer), None, instead)
    return read_wanted(read_content(Path(path)), Path(path), instead)


def read_wanted(content: bytes, path: Path | None, instead: Instead) -> Wanted:
    """Return what the manifest *content* asks for. Errors as for `load_manifest`."""
    scanned = scan_manifest(
        content,
        path=path,
        shown_as=str(path or "<stdin>"),
        overrides=instead.overrides,
    )
    problems = list(scanned.problems)
    try:
        found = _provider(scanned.manifest, instead.provider)
    except InvalidError as error:
        found = None
        problems += error.problems
    if found is not None and scanned.valid:
        typed = instead.provider
        return Wanted(manifest=scanned.manifest, provider=found, instead=typed)
    told = {one.position for one in problems if one.severity is Severity.ERROR}
    problems += [
        one
        for one in _judged(scanned.manifest, found)
        if one.position not in told and not scanned.explains(one)
    ]
    raise InvalidError(_in_order(problems, scanned.manifest))


def _provider(manifest: Manifest, instead: str | None) -> Provider | None:
    """Return the provider; None where the manifest names none, which was reported."""
    if instead is not None:
        return _typed_provider(instead)
    if not manifest.provider:
        return None
    where: Position = manifest.document.position(("provider",))
    try:
        return load_provider(manifest.provider, base=manifest.directory, at=where)
    except UsageError as error:
        # The name stands in the file, so the message has to say where.
        problem = Problem("E-PROVIDER-UNKNOWN", str(error), where, error.hint)
        raise InvalidError((problem,)) from None


def _typed_provider(reference: str) -> Provider:
    """Return the provider that somebody typed: a name, or a path from here."""
    path = Path(reference)
    if reference == path.name and not path.suffix:
        return load_provider(reference, base=Path.cwd())
    return load_provider(f"./{path.name}", base=path.parent)


def _judged(manifest: Manifest, provider: Provider | None) -> list[Problem]:
    """Return what is wrong with the jobs of a manifest that cannot be used.

    Without a provider nothing is known about models and their parameters.
    """
    problems: list[Problem] = []
    if provider is None:
        any_provider = load_provider("sandbox", base=manifest.directory)
        provider = replace(any_provider, models={})
    for _ in expand_matrix(manifest, provider, problems.append):
        pass
    return problems


def _in_order(problems: Iterable[Problem], manifest: Manifest) -> tuple[Problem, ...]:
    """Return *problems*, each once, in the order of the file; other files come after.

    What is wrong is not called odd as well.

    What is wrong in `defaults` is found anew by every entry of `jobs`.
    """
    file = manifest.document.file
    problems = dict.fromkeys(problems)
    wrong = {one.position for one in problems if one.severity is Severity.ERROR}

    def place(problem: Problem) -> tuple[bool, Position]:
        return problem.position.file != file, problem.position

    said = (
        one
        for one in problems
        if one.severity is Severity.ERROR or one.position not in wrong
    )
    return tuple(sorted(said, key=place))


def check(wanted: Wanted) -> Checked:
    """Expand everything, count the valid jobs, and return all problems. Offline.

    No job is kept: there may be more of them than memory.
    """
    problems: list[Problem] = list(wanted.manifest.document.problems)
    jobs = 0

    def counted() -> Iterator[Job]:
        nonlocal jobs
        for job in expand_matrix(wanted.manifest, wanted.provider, problems.append):
            jobs += 1
            yield job

    odd = list(lint(wanted.manifest, wanted.provider, counted()))
    # What is wrong is not called odd as well.
    wrong = {p.position for p in problems if p.severity is Severity.ERROR}
    problems += [problem for problem in odd if problem.position not in wrong]
    return Checked(jobs, _in_order(problems, wanted.manifest))


def expand(wanted: Wanted, *, notice: Notice | None = None) -> Iterator[Job]:
    """Yield the jobs in expansion order, lazily. Pure: nothing but content matters.

    Raises:
        InvalidError: At the end, with all problems, when there were errors.
    """
    problems: list[Problem] = list(wanted.manifest.document.problems)
    jobs: list[Job] = []
    for job in expand_matrix(wanted.manifest, wanted.provider, problems.append):
        if notice and len(jobs) < _MOST_LINTED:
            jobs.append(job)
        yield job
    _conclude(wanted, jobs, problems, notice)


def expand_cells(
    wanted: Wanted, *, notice: Notice | None = None
) -> Iterator[MatrixCell]:
    """Yield the cells of the matrix in order; nothing is rendered into them.

    Raises:
        InvalidError: With all problems, before the first cell, when there are errors.
    """
    problems: list[Problem] = list(wanted.manifest.document.problems)
    found = list(matrix_cells(wanted.manifest, problems.append))
    _conclude(wanted, (), problems, notice)
    yield from found


def _conclude(
    wanted: Wanted,
    jobs: Sequence[Job],
    problems: list[Problem],
    notice: Notice | None,
) -> tuple[Problem, ...]:
    """Return *problems* in order, and tell those that are no errors.

    Raises:
        InvalidError: There are errors among them.
    """
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise InvalidError(_in_order(problems, wanted.manifest))
    if notice is not None:
        some = tuple(islice(jobs, _MOST_LINTED))
        odd = list(problems)
        if len(wanted.manifest.document.text) <= _MOST_TEXT:
            odd += lint(wanted.manifest, wanted.provider, some)
        if odd:
            notice(_in_order(odd, wanted.manifest))
    return _in_order(problems, wanted.manifest)


def checked_jobs(wanted: Wanted, notice: Notice | None = None) -> tuple[Job, ...]:
    """Return all jobs, every one of them valid.

    Raises:
        InvalidError: With all problems, when there is an error among them.
    """
    return tuple(expand(wanted, notice=notice))
