"""What the user asked for, checked and frozen."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias, cast

from foxbatch.canonical import Digest, Json, sha256
from foxbatch.errors import InvalidError, Problem, Severity
from foxbatch.manifest.content import read_bounded, read_content
from foxbatch.manifest.faults import Doubts
from foxbatch.manifest.fixing import Mended, mend
from foxbatch.manifest.judging import judged
from foxbatch.manifest.overriding import overridden
from foxbatch.manifest.prose import unreadable_prose
from foxbatch.manifest.reading import items, known_keys, mapping
from foxbatch.policy import (
    Accept,
    Budget,
    Limits,
    Order,
    Per,
    PollPolicy,
    RetryPolicy,
    parse_duration,
)
from foxbatch.yaml12 import Document, Where, decode, scan

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

_SURE = Doubts()

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
        doubtful: Whether anything in it, or that it inherits, is wrong.
        partial: Whether parts of its requests or of its matrix cannot be known.
        names_known: Whether every name that `matrix.*` may have is known.
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
    doubtful: bool = False
    partial: bool = False
    names_known: bool = True


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
        doubts: Places with an error in them; only `scan_manifest` leaves any.
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
    doubts: Doubts = field(default=_SURE, repr=False, compare=False)
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
            further ones: what is wrong is among its `doubts`.
        problems: Of YAML, shape and rules, in the order of the file.
    """

    manifest: Manifest
    problems: tuple[Problem, ...]

    @property
    def valid(self) -> bool:
        """Whether there is no error among the problems."""
        return not any(p.severity is Severity.ERROR for p in self.problems)

    def explains(self, problem: Problem) -> bool:
        """Return whether *problem* is about a place where one was found before."""
        return self.manifest.doubts.explain(problem)


def read_manifest(path: Path) -> Manifest:
    """Read and check the manifest at *path*.

    Raises:
        InvalidError: It cannot be read, or is not valid: with all problems.
    """
    return parse_manifest(read_content(path), path=path, shown_as=str(path))


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
    document, found, doubts = judged(document)
    problems = sorted(found, key=lambda one: one.position)
    document = dataclasses.replace(document, problems=tuple(problems))
    manifest = _freeze(document, content, path, doubts)
    manifest = dataclasses.replace(manifest, overrides=tuple(overrides))
    return Scanned(manifest, document.problems)


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


def _freeze(
    document: Document, content: bytes, path: Path | None, doubts: Doubts
) -> Manifest:
    root = mapping(without_last_newline(document, (), document.value))
    sound = {key: _sound(value, (key,), doubts) for key, value in root.items()}
    defaults, variables = mapping(root.get("defaults")), mapping(root.get("vars"))
    retry, poll = mapping(sound.get("retry")), mapping(sound.get("poll"))
    limits = mapping(sound.get("limits"))
    doubtful = frozenset(n for n in variables if doubts.touch(("vars", n)))
    return Manifest(
        document=document,
        path=path,
        sha256=sha256(content),
        content=content,
        name=str(sound.get("name") or ""),
        description=str(sound.get("description") or ""),
        provider=str(sound.get("provider") or ""),
        vars={k: v for k, v in variables.items() if k not in doubtful},
        specs=tuple(
            _spec(index, job, defaults, doubts)
            for index, job in enumerate(items(root.get("jobs")))
            if isinstance(job, dict) and not doubts.cover(("jobs", index))
        ),
        retry=_retry(retry),
        poll=PollPolicy(wait_s=_seconds(poll.get("wait"), PollPolicy().wait_s)),
        accept=_accept(mapping(sound.get("accept"))),
        budget=_budget(mapping(sound.get("budget"))),
        order=cast("Order", sound.get("order", "interleaved")),
        duplicates=cast("Duplicates", sound.get("duplicates", "error")),
        max_jobs=_whole(limits.get("max_jobs")) or Limits().max_jobs,
        _limits={
            name: value if name == "requests_per_second" else _whole(value)
            for name, value in limits.items()
        },
        doubtful_vars=doubtful,
        doubts=doubts,
    )


def _sound(value: Json, where: Where, doubts: Doubts) -> Json:
    """Return *value*, which stands at *where*, without what is wrong; null for all."""
    if doubts.cover(where):
        return None
    if not isinstance(value, dict):
        return None if doubts.touch(where) else value
    return {
        key: _sound(inner, (*where, key), doubts)
        for key, inner in value.items()
        if not doubts.cover((*where, key))
    }


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


def _spec(
    index: int, job: dict[str, Json], defaults: dict[str, Json], doubts: Doubts
) -> Spec:
    where: Where = ("jobs", index)
    matrix = mapping(job.get("matrix"))
    merged = {**defaults, **job}

    def place(key: str) -> Where:
        return (*(where if key in job else ("defaults",)), key)

    def wrong(*steps: str) -> bool:
        return doubts.touch((*where, *steps))

    name = job.get("id")
    repeat = 1 if doubts.cover(place("repeat")) else merged.get("repeat", 1)
    output = DEFAULT_OUTPUT if doubts.touch(place("output")) else merged.get("output")
    no_prompts = "prompts" not in job and not wrong("prompts")
    return Spec(
        id=name if isinstance(name, str) and name else f"jobs[{index}]",
        where=where,
        model=merged.get("model"),
        model_where=place("model") if "model" in merged else where,
        prompts=None if no_prompts else items(job.get("prompts")),
        axes=mapping(matrix.get("axes")),
        zips=[_names(group) for group in items(matrix.get("zip"))],
        exclude=[mapping(entry) for entry in items(matrix.get("exclude"))],
        include=[mapping(entry) for entry in items(matrix.get("include"))],
        sample=None if wrong("matrix", "sample") else _sample(matrix),
        sampling_seed=_whole(matrix.get("sampling_seed")) or 0,
        variables=frozenset(_names(matrix.get("variables"))),
        allow_unmatched=matrix.get("allow_unmatched") is True,
        allow_empty=matrix.get("allow_empty") is True,
        let=mapping(job.get("let")),
        params=mapping(job.get("params")),
        default_params=mapping(defaults.get("params")),
        repeat=_repeat(repeat),
        repeat_where=place("repeat"),
        output=DEFAULT_OUTPUT if output is None else str(output),
        **_unsure(where, job, place("model"), doubts),
    )


def _unsure(
    where: Where, job: dict[str, Json], model: Where, doubts: Doubts
) -> dict[str, bool]:
    """Return what is not known about an entry of `jobs`."""
    if not doubts:
        return {}
    inherited = doubts.touch(("defaults",))
    strange = any(key not in known_keys("job") for key in job)
    inside = {key for key in known_keys("job") if doubts.touch((*where, key))}
    matrix = job.get("matrix")
    partial = inherited or strange or doubts.cover((*where, "prompts"))
    strange_axes = any(key not in known_keys("matrix") for key in mapping(matrix))
    lost = doubts.cover((*where, "matrix", "axes")) or strange_axes
    return {
        "doubtful": bool(inside) or inherited or strange or doubts.touch(model),
        "partial": partial or bool(inside & {"matrix", "params", "let"}),
        "names_known": not (
            strange or lost or doubts.touch((*where, "matrix", "include"))
        ),
    }


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
    usual, pause_after = RetryPolicy(), _whole(written.get("pause_after"))
    return RetryPolicy(
        attempts=_whole(written.get("attempts")) or usual.attempts,
        classes=frozenset(_names(written.get("classes"))),
        unreachable_s=_seconds(written.get("unreachable"), usual.unreachable_s),
        busy_s=_seconds(written.get("busy"), usual.busy_s),
        pause_after=usual.pause_after if pause_after is None else pause_after,
    )


def _budget(written: Mapping[str, Json]) -> Budget:
    bound = written.get("credits")
    return Budget(
        jobs=_whole(written.get("jobs")),
        credits=bound if isinstance(bound, int | float) else None,
        per=cast("Per", written.get("per", "directory")),
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
