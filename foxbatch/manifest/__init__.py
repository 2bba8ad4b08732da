"""What the user asked for, checked and frozen."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Literal, TypeAlias, cast

from foxbatch.canonical import Digest, Json, sha256
from foxbatch.errors import InvalidError, Position, Problem, Severity
from foxbatch.manifest.faults import Faults
from foxbatch.manifest.fixing import Mended, mend
from foxbatch.manifest.operators import MISUSED
from foxbatch.manifest.overriding import overridden
from foxbatch.manifest.prose import unreadable_prose
from foxbatch.manifest.reading import items, mapping
from foxbatch.manifest.rules import rules
from foxbatch.manifest.texts import eaten_text, with_quotes
from foxbatch.policy import (
    Accept,
    Budget,
    Limits,
    Order,
    PollPolicy,
    RetryPolicy,
    parse_duration,
)
from foxbatch.schema import Checker, load_schema, suggest
from foxbatch.sources import why_elsewhere
from foxbatch.yaml12 import MAX_BYTES, Document, Where, decode, scan

__all__ = [
    "DEFAULT_OUTPUT",
    "Manifest",
    "Mended",
    "Scanned",
    "Spec",
    "mend",
    "parse_manifest",
    "read_bounded",
    "read_content",
    "read_manifest",
    "scan_manifest",
]

Duplicates: TypeAlias = Literal["error", "merge"]

DEFAULT_OUTPUT = "${{ job.spec }}/${{ job.name }}"


@dataclass(frozen=True, slots=True)
class Sample:
    """How many combinations are kept, and the seed of the choice."""

    num: int
    seed: int


@dataclass(frozen=True, slots=True)
class Repeat:
    """How many of each combination that `where` fits; without it, of each."""

    n: int
    where: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One entry of `jobs`, with the defaults beside it; nothing is rendered yet.

    Attributes:
        id: Unique in the manifest.
        where: Its place in the document.
        model: Its own, else the default; None where there is neither.
        model_where: Where that stands.
        prompts: As written; None where there are none.
        axes: `matrix.axes`, in declared order.
        zips: `matrix.zip`.
        exclude: `matrix.exclude`.
        include: `matrix.include`.
        sample: `matrix.sample`; None where every combination is kept.
        variables: Axes that never feed a parameter.
        allow_unmatched: Whether an exclude may match nothing.
        allow_empty: Whether the matrix may be empty.
        sampling_seed: What is drawn at random depends on it; no parameter.
        let: Values per combination, as templates.
        params: Its own.
        default_params: Those of `defaults`, at `("defaults", "params", name)`.
        repeat: How many of each: the first entry that fits counts.
        repeat_where: Where that stands.
        output: Template of the path below `artifacts/`.
    """

    id: str
    where: Where
    model: Json = None
    model_where: Where = ()
    prompts: list[Json] | None = None
    axes: dict[str, Json] = field(default_factory=dict)
    zips: list[list[str]] = field(default_factory=list)
    exclude: list[dict[str, Json]] = field(default_factory=list)
    include: list[dict[str, Json]] = field(default_factory=list)
    sample: Sample | None = None
    sampling_seed: int = 0
    variables: frozenset[str] = frozenset()
    allow_unmatched: bool = False
    allow_empty: bool = False
    let: dict[str, Json] = field(default_factory=dict)
    params: dict[str, Json] = field(default_factory=dict)
    default_params: dict[str, Json] = field(default_factory=dict)
    repeat: tuple[Repeat, ...] = (Repeat(1),)
    repeat_where: Where = ()
    output: str = DEFAULT_OUTPUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """A checked manifest.

    Attributes:
        document: Its values and where they stand.
        path: The file; None for standard input.
        sha256: Digest of `content`.
        content: The exact bytes.
        name: Names the run directory.
        description: For people.
        provider: As written: a built-in name, or the path of a provider file.
        vars: As written.
        specs: The entries of `jobs`, in order.
        retry: What is tried again.
        poll: How long tasks are watched.
        accept: Failures that do not make the run fail.
        budget: What the run directory may buy.
        order: In which order jobs are submitted.
        duplicates: What becomes of two jobs with one identity.
        max_jobs: How many jobs there may be.
        doubtful_vars: Variables with an error in them, which are left out.
        complete: False where `scan_manifest` left entries of `jobs` out.
        overrides: What was set instead of what the file says, as typed.
    """

    document: Document = field(repr=False)
    path: Path | None
    sha256: Digest
    content: bytes = field(repr=False)
    name: str
    description: str
    provider: str
    vars: dict[str, Json]
    specs: tuple[Spec, ...]
    retry: RetryPolicy
    poll: PollPolicy
    accept: Accept
    budget: Budget
    order: Order
    duplicates: Duplicates
    max_jobs: int
    doubtful_vars: frozenset[str] = frozenset()
    complete: bool = True
    overrides: tuple[str, ...] = ()
    _limits: dict[str, Json]

    def limits(self, defaults: Limits) -> Limits:
        """Return *defaults* with what this manifest names put over them."""
        named = cast("dict[str, int]", self._limits)
        return dataclasses.replace(defaults, **named)

    @property
    def directory(self) -> Path:
        """The folder that relative paths start from."""
        return self.path.parent if self.path else Path.cwd()


@dataclass(frozen=True, slots=True)
class Scanned:
    """What reading a manifest gave, errors or not.

    Attributes:
        manifest: What can be relied on. Where there are errors, only for finding
            further ones: parts with an error in them are left out.
        problems: Of YAML, shape and rules, in the order of the file.
    """

    manifest: Manifest
    problems: tuple[Problem, ...]
    _faults: Faults = field(repr=False)

    @property
    def valid(self) -> bool:
        """Whether there is no error among the problems."""
        return not any(p.severity is Severity.ERROR for p in self.problems)

    def explains(self, problem: Problem) -> bool:
        """Return whether *problem* is about a place where one was found before."""
        return self._faults.cover(problem)


def read_manifest(path: Path) -> Manifest:
    """Read and check the manifest at *path*.

    Raises:
        InvalidError: It cannot be read, or is not valid: with all problems.
    """
    return parse_manifest(read_content(path), path=path, shown_as=str(path))


def read_content(path: Path) -> bytes:
    """Return the bytes of the file at *path*.

    Raises:
        InvalidError: It cannot be read, is no regular file, is a link out of its
            checkout, or is too large.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            what = "a folder" if path.is_dir() else "no regular file"
            raise _unreadable(path, f"it is {what}")
        if why := why_elsewhere(path):
            raise _unreadable(path, why)
        with path.open("rb") as file:
            return read_bounded(file)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        said = (error.strerror or type(error).__name__).lower()
        why = "there is no such file" if missing else said
        raise _unreadable(path, why) from None
    except ValueError as error:  # a NUL in the name
        raise _unreadable(path, str(error)) from None


def read_bounded(stream: BinaryIO) -> bytes:
    """Return what *stream* holds, and of what is too large little more than allowed."""
    return stream.read(MAX_BYTES + 1)


def _unreadable(path: Path, why: str) -> InvalidError:
    message = f"{path} cannot be read: {why}"
    hint = ""
    with contextlib.suppress(OSError, ValueError):  # the name may be none at all
        hint = _nearby(path)
    return InvalidError(
        (Problem("E-FILE-MISSING", message, Position(str(path)), hint),)
    )


def _nearby(path: Path) -> str:
    if path.exists() and not path.is_dir():
        return "Write - to read what another program prints."
    folder = path if path.is_dir() else path.parent
    if not folder.is_dir():
        return "Type `foxbatch init` for an example to start from."
    found = sorted(p.name for p in folder.iterdir() if p.suffix in {".yaml", ".yml"})
    return suggest(path.name, found, f"Manifests in {folder}")


def parse_manifest(content: bytes, *, path: Path | None, shown_as: str) -> Manifest:
    """Return the manifest that *content* holds.

    Raises:
        InvalidError: With all problems of YAML, shape and rules; only a YAML syntax
            error hides what else is wrong.
    """
    scanned = scan_manifest(content, path=path, shown_as=shown_as)
    if not scanned.valid:
        raise InvalidError(scanned.problems)
    return scanned.manifest


def scan_manifest(
    content: bytes,
    *,
    path: Path | None,
    shown_as: str,
    overrides: Sequence[str] = (),
) -> Scanned:
    """Read like `parse_manifest`, but return errors beside what they leave to judge.

    Args:
        content: The bytes of the manifest.
        path: Its file; None for standard input.
        shown_as: Name of the file in problems.
        overrides: Such as `vars.film=Kodak`: values that go before those of the file.

    Raises:
        InvalidError: There is nothing to judge: *content* is not YAML.
        UsageError: An override sets nothing that there is.
    """
    document = _document(content, shown_as)
    for written in overrides:
        document = overridden(document, written)
    found = list(_problems(document))
    faults = Faults(document, found)
    every = with_quotes([*document.problems, *found], document)
    problems = sorted(every, key=lambda one: one.position)
    document = dataclasses.replace(document, problems=tuple(problems))
    manifest = _freeze(document, content, path, faults)
    manifest = dataclasses.replace(manifest, overrides=tuple(overrides))
    return Scanned(manifest, document.problems, faults)


def _document(content: bytes, file: str) -> Document:
    try:
        return scan(content, file=file)
    except InvalidError as error:
        *others, last = error.problems
        if last.code != "E-YAML-SYNTAX":
            raise
        prose = unreadable_prose(decode(content, file), file)
        # What stops the parser further down may only follow from the first of them.
        follows = any(problem.position <= last.position for problem in prose)
        found = {*others, *prose} if follows else {*error.problems, *prose}
        problems = sorted(found, key=lambda one: one.position)
        raise InvalidError(tuple(problems)) from None


def _problems(document: Document) -> Iterator[Problem]:
    eaten, broken = list(eaten_text(document)), list(rules(document))
    # What follows from a text that was not read as meant is not said as well, nor that
    # a zip group is too small for an axis that does not belong there.
    misused = [problem for problem in broken if problem.code == MISUSED]
    covered = {problem.pointer for problem in (*eaten, *misused)}
    twice = {
        problem.pointer.rpartition("/")[0]
        for problem in broken
        if problem.code == "E-ZIP-TWICE"
    }
    places = {problem.position for problem in document.problems}
    for problem in _checker().problems(
        document.value,
        lambda where, key: document.position(where, key=key),
        subject="the manifest",
    ):
        around = itertools.accumulate(problem.pointer.split("/"), "{}/{}".format)
        told = not covered.isdisjoint(around) or problem.position in places
        if not told and not (problem.code == "E-COUNT" and problem.pointer in twice):
            yield problem
    yield from eaten
    yield from broken


@functools.cache
def _checker() -> Checker:
    return Checker(load_schema("manifest"))


def _freeze(
    document: Document, content: bytes, path: Path | None, faults: Faults
) -> Manifest:
    value = faults.without(document.value)
    root = mapping(without_last_newline(document, (), value))
    defaults, variables = mapping(root.get("defaults")), mapping(root.get("vars"))
    retry, poll = mapping(root.get("retry")), mapping(root.get("poll"))
    limits = mapping(root.get("limits"))
    jobs = list(enumerate(items(root.get("jobs"))))
    sound = [(index, mapping(job)) for index, job in jobs if not faults.spoil(index)]
    return Manifest(
        document=document,
        path=path,
        sha256=sha256(content),
        content=content,
        name=str(root.get("name", "")),
        description=str(root.get("description", "")),
        provider=str(root.get("provider", "")),
        vars={k: v for k, v in variables.items() if k not in faults.variables},
        specs=tuple(_spec(index, job, defaults) for index, job in sound),
        retry=_retry(retry),
        poll=PollPolicy(wait_s=_seconds(poll.get("wait"), PollPolicy().wait_s)),
        accept=_accept(mapping(root.get("accept"))),
        budget=Budget(jobs=_whole(mapping(root.get("budget")).get("jobs"))),
        order=cast("Order", root.get("order", "interleaved")),
        duplicates=cast("Duplicates", root.get("duplicates", "error")),
        max_jobs=_whole(limits.get("max_jobs")) or Limits().max_jobs,
        _limits={
            name: value if name == "requests_per_second" else _whole(value)
            for name, value in limits.items()
        },
        doubtful_vars=faults.variables,
        complete=bool(sound) and len(sound) == len(jobs),
    )


def without_last_newline(document: Document, where: Where, value: Json) -> Json:
    """Return *value* with one trailing newline less in each block scalar in it."""
    match value:
        case str():
            # YAML ends a block with a newline that nobody means; two are meant.
            ends = value.endswith("\n") and document.is_block(where)
            return value[:-1] if ends else value
        case list():
            return [
                without_last_newline(document, (*where, index), item)
                for index, item in enumerate(value)
            ]
        case dict():
            return {
                key: without_last_newline(document, (*where, key), item)
                for key, item in value.items()
            }
        case _:
            return value


def _spec(index: int, job: dict[str, Json], defaults: dict[str, Json]) -> Spec:
    where: Where = ("jobs", index)
    matrix = mapping(job.get("matrix"))
    merged = {**defaults, **job}

    def place(key: str) -> Where:
        return (*(where if key in job else ("defaults",)), key)

    return Spec(
        id=str(job["id"]),
        where=where,
        model=merged.get("model"),
        model_where=place("model") if "model" in merged else where,
        prompts=items(job["prompts"]) if "prompts" in job else None,
        axes=mapping(matrix.get("axes")),
        zips=[_names(group) for group in items(matrix.get("zip"))],
        exclude=[mapping(entry) for entry in items(matrix.get("exclude"))],
        include=[mapping(entry) for entry in items(matrix.get("include"))],
        sample=_sample(matrix),
        sampling_seed=_whole(matrix.get("sampling_seed")) or 0,
        variables=frozenset(_names(matrix.get("variables"))),
        allow_unmatched=matrix.get("allow_unmatched") is True,
        allow_empty=matrix.get("allow_empty") is True,
        let=mapping(job.get("let")),
        params=mapping(job.get("params")),
        default_params=mapping(defaults.get("params")),
        repeat=_repeat(merged.get("repeat", 1)),
        repeat_where=place("repeat"),
        output=str(merged.get("output", DEFAULT_OUTPUT)),
    )


def _sample(matrix: Mapping[str, Json]) -> Sample | None:
    written = mapping(matrix.get("sample"))
    num = _whole(written.get("num"))
    if num is None:
        return None
    seed = written.get("seed", matrix.get("sampling_seed"))
    return Sample(num, _whole(seed) or 0)


def _repeat(written: Json) -> tuple[Repeat, ...]:
    if not isinstance(written, list):
        return (Repeat(_whole(written) or 1),)
    return tuple(
        Repeat(_whole(entry.get("n")) or 1, mapping(entry.get("where")))
        for entry in map(mapping, written)
    )


def _retry(written: Mapping[str, Json]) -> RetryPolicy:
    usual = RetryPolicy()
    return RetryPolicy(
        attempts=_whole(written.get("attempts")) or usual.attempts,
        classes=frozenset(_names(written.get("classes"))),
        unreachable_s=_seconds(written.get("unreachable"), usual.unreachable_s),
        busy_s=_seconds(written.get("busy"), usual.busy_s),
    )


def _accept(written: Mapping[str, Json]) -> Accept:
    classes = frozenset(_names(written.get("classes")))
    match written.get("failed"):
        case str(percent):
            return Accept(
                failed=float(percent.removesuffix("%")) / 100, classes=classes
            )
        case int(share) | float(share):
            return Accept(failed=float(share), classes=classes)
        case _:
            return Accept(classes=classes)


def _names(value: Json) -> list[str]:
    return [str(name) for name in items(value)]


def _whole(value: Json) -> int | None:
    """Return a whole number as such: 2.0 is 2 in JSON Schema."""
    return int(value) if isinstance(value, int | float) else None


def _seconds(value: Json, usual: float) -> float:
    match value:
        case str():
            return parse_duration(value)
        case int() | float():
            return float(value)
        case _:
            return usual
