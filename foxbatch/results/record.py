"""One record per job: everything known about it, for people and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime

import msgspec

from foxbatch.canonical import Digest, JobId
from foxbatch.clock import from_text, to_text
from foxbatch.events import (
    WRITTEN_OFF,
    AlsoWanted,
    AttemptFact,
    JobPlanned,
    MediaFacts,
    PromptText,
    ResultsSeen,
    RunId,
    WatchEnded,
)
from foxbatch.state import Attempt, BatchState, JobState, Phase


class Media(MediaFacts, frozen=True, omit_defaults=False):
    """What a file contains, with every field in its place, also where it is null."""


class StoredFile(msgspec.Struct, frozen=True):
    """One file of a job.

    Attributes:
        path: Relative to the run directory, POSIX.
        sha256: Of its bytes.
        bytes: Its size.
        media: What it contains.
        mismatch: Where that differs from the request, in words.
        reported: What the service said about it, beside its address.
    """

    path: str
    sha256: Digest
    bytes: int
    media: Media
    mismatch: tuple[str, ...] = ()
    reported: dict[str, object] = {}


class Times(msgspec.Struct, frozen=True):
    """When things happened (RFC 3339, UTC); None for what did not.

    Attributes:
        running: When the service was first seen to work on it.
        ended: When it was over: done, failed, written off, or when patience ended.
    """

    planned: str | None = None
    submitted: str | None = None
    accepted: str | None = None
    running: str | None = None
    completed: str | None = None
    downloaded: str | None = None
    ended: str | None = None


class Failure(msgspec.Struct, frozen=True):
    """Why a job is not done."""

    error_class: str = msgspec.field(name="class")
    code: str = ""
    message: str = ""


class Source(msgspec.Struct, frozen=True):
    """Which manifest asked for a job, and at which line."""

    sha256: Digest
    line: int


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """All about one job. The fields of a line of `results.jsonl`.

    Attributes:
        kind: What the model makes: `video`, `image`, `audio`, …
        endpoint: Path at the service that the request goes to.
        attempts: How many times it was submitted.
        latency_s: From acceptance to the answer that it is finished, in seconds.
        credits: What it cost, in the service's unit, which is not a currency.
        reported_model: The model the service says it used.
        seed: The seed it says it used.
        degraded: Why it gave less than what was asked for, in its words.
        request_id: What the service's support asks for.
        reported_at: What the service's clock said when it answered the submission.
        reported: Everything else that it said and the provider file names.
        flags: Where what came is not as asked, in words.
        also: Which further jobs of the manifest it stands for.
    """

    job: JobId
    spec: str
    name: str
    phase: Phase
    model: str
    kind: str
    cell: dict[str, object]
    prompt: PromptText | None
    repeat: int
    endpoint: str
    request: dict[str, object]
    task: str | None
    attempts: int
    times: Times
    latency_s: float | None
    credits: float | None
    reported_model: str | None
    seed: int | None
    degraded: tuple[str, ...]
    request_id: str | None
    reported_at: str | None
    reported: dict[str, object]
    flags: tuple[str, ...]
    also: tuple[AlsoWanted, ...]
    artifacts: tuple[StoredFile, ...]
    error: Failure | None
    manifest: Source

    def to_json(self) -> dict[str, object]:
        """Return the record as plain JSON values."""
        built: dict[str, object] = msgspec.to_builtins(self)
        return built


def records(
    state: BatchState,
    wanted: Sequence[JobPlanned] | None = None,
    live: Container[RunId] = (),
) -> list[Record]:
    """Return one record per job, in declared order, further known jobs behind.

    Args:
        state: What the ledger says.
        wanted: Jobs of the manifest; what is known of others comes behind them.
        live: Runs that are going on now.
    """
    return flagged(records_of(in_order(state, wanted), wanted, live))


def in_order(
    state: BatchState, wanted: Sequence[JobPlanned] | None = None
) -> Iterator[JobState]:
    """Yield what is known of each job: of the *wanted* ones first, known or not.

    The rest comes in the order in which it was first written down.
    """
    first = dict.fromkeys(job.job for job in wanted or ())
    rest = sorted(state.jobs.keys() - first, key=lambda job: _place(state.jobs[job]))
    for job in (*first, *rest):
        yield state.jobs.get(job, JobState(job))


def records_of(
    jobs: Iterable[JobState],
    wanted: Sequence[JobPlanned] | None = None,
    live: Container[RunId] = (),
) -> Iterator[Record]:
    """Yield one record per job, without flags: they are about all jobs together.

    Args:
        jobs: What the ledger says of each. A job without a plan has no record.
        wanted: Jobs of the manifest: the plan of those that the ledger has none of.
        live: Runs that are going on now.
    """
    plans = {job.job: job for job in wanted or ()}
    for known in jobs:
        planned = known.planned or plans.get(known.id)
        if planned is not None:
            yield _record(known, planned, live)


def _place(known: JobState) -> tuple[str, int, str]:
    """Return the order in which jobs were first written down."""
    planned = known.planned
    return (planned.at, planned.seq, known.id) if planned else ("~", 0, known.id)


def _record(known: JobState, planned: JobPlanned, live: Container[RunId]) -> Record:
    phase, attempt = known.leading(live)
    results, headers = attempt.results if attempt else None, _headers(attempt)
    return Record(
        job=known.id,
        spec=planned.spec,
        name=planned.name,
        phase=phase,
        model=planned.model,
        kind=planned.kind,
        cell=planned.cell,
        prompt=planned.prompt,
        repeat=planned.repeat,
        endpoint=planned.endpoint,
        request=planned.request,
        task=attempt.task if attempt is not None else None,
        attempts=len(known.attempts),
        times=times_of(attempt, planned.at or None),
        latency_s=latency_of(attempt),
        credits=_credits(known),
        reported_model=results.reported_model if results else None,
        seed=_seed(results),
        degraded=tuple(dict.fromkeys(_degraded(results))),
        request_id=request_id(attempt),
        reported_at=_moment(headers.get("date", "")),
        reported=results.extras if results else {},
        flags=(),
        also=planned.also,
        artifacts=_artifacts(attempt),
        error=failure_of(phase, attempt),
        manifest=Source(planned.manifest, planned.line),
    )


def times_of(attempt: Attempt | None, planned: str | None = None) -> Times:
    """Return when what happened to *attempt* happened."""
    if attempt is None:
        return Times(planned=planned)
    done, ended = attempt.succeeded, _last_word(attempt)
    return Times(
        planned=planned,
        submitted=attempt.intended.at if attempt.intended else None,
        accepted=attempt.accepted.at if attempt.accepted else None,
        running=attempt.running.at if attempt.running else None,
        completed=attempt.results.at if attempt.results else None,
        downloaded=done.at if done else None,
        ended=ended.at if ended else None,
    )


def _last_word(attempt: Attempt) -> AttemptFact | None:
    """Return the fact with which *attempt* ended; None while it goes on."""
    match attempt.phase(alive=True):
        case Phase.DONE:
            return attempt.succeeded
        case Phase.FAILED:
            return attempt.failed if attempt.lost else attempt.settled
        case Phase.OVERDUE:
            return attempt.watch
        case _:
            return None


def latency_of(attempt: Attempt | None) -> float | None:
    """Return the time from acceptance to the answer that it is finished, in s."""
    if attempt is None or attempt.accepted is None or attempt.results is None:
        return None
    return round(_seconds(attempt.accepted.at, attempt.results.at), 3)


def _seconds(start: str, end: str) -> float:
    moments: tuple[datetime, datetime] = from_text(start), from_text(end)
    return (moments[1] - moments[0]).total_seconds()


def _credits(known: JobState) -> float | None:
    """Sum over all attempts: a failed one was paid for too, as far as is known."""
    spent = [a.credits for a in known.in_order() if a.credits is not None]
    return sum(spent) if spent else None


def _headers(attempt: Attempt | None) -> Mapping[str, str]:
    """Return the headers of the answer to the submission, as far as there was one."""
    if attempt is None:
        return {}
    facts = (attempt.accepted, attempt.unknown, attempt.refused)
    return next((fact.headers for fact in facts if fact is not None), {})


def request_id(attempt: Attempt | None) -> str | None:
    """Return what the service's support asks for about *attempt*."""
    headers = _headers(attempt)
    return headers.get("x-request-id") or headers.get("cf-ray")


def _moment(date: str) -> str | None:
    """Return the moment that a `Date` header names; a service writes what it likes."""
    with suppress(ValueError, OverflowError):
        moment = parsedate_to_datetime(date)
        return to_text(moment) if moment.tzinfo is not None else None
    return None


def _seed(results: ResultsSeen | None) -> int | None:
    seed = results.extras.get("seed") if results is not None else None
    return seed if isinstance(seed, int) and not isinstance(seed, bool) else None


def _degraded(results: ResultsSeen | None) -> Iterator[str]:
    """Yield why there is less than what was asked for: of the task and of its items."""
    if results is None:
        return
    items = (item.extras.get("degraded_reason") for item in results.items)
    for said in (results.extras.get("degraded"), *items):
        reasons = said if isinstance(said, list) else [said]
        yield from (str(reason) for reason in reasons if reason)


def _artifacts(attempt: Attempt | None) -> tuple[StoredFile, ...]:
    if attempt is None:
        return ()
    items = attempt.results.items if attempt.results is not None else ()
    return tuple(
        StoredFile(
            path=stored.path,
            sha256=stored.sha256,
            bytes=stored.bytes,
            media=Media(**msgspec.structs.asdict(stored.media)),
            mismatch=stored.mismatch,
            reported=items[number - 1].extras if number <= len(items) else {},
        )
        for number, stored in sorted(attempt.artifacts.items())
    )


def failure_of(phase: Phase, attempt: Attempt | None) -> Failure | None:
    """Return why a job is not done, in its leading attempt's words, or None."""
    if attempt is None or phase in (Phase.DONE, Phase.RUNNING, Phase.SUBMITTING):
        return None
    if attempt.failed is not None and attempt.lost:
        failed = attempt.failed
        return Failure(failed.error_class, failed.code, failed.message)
    if phase is Phase.FAILED:
        why = attempt.settled.why if attempt.settled is not None else ""
        return Failure(WRITTEN_OFF, "", why)
    if phase is Phase.HELD:
        if attempt.unknown is None:
            return Failure("unknown", "", "the process ended before an answer came")
        return Failure("unknown", "", attempt.unknown.why)
    if isinstance(attempt.watch, WatchEnded):
        ended = attempt.watch
        error_class = "download" if ended.why == "download" else "overdue"
        return Failure(error_class, ended.why, ended.message)
    return None


# ---- What is not as asked


class Models:
    """Which models the service says that it used.

    Values of an axis are compared with each other, and must not differ in something
    that nobody asked for: so where one job was made with another model than most that
    asked for the same, that is a flag.
    """

    def __init__(self) -> None:
        self._said: dict[str, Counter[str]] = {}

    def hear(self, record: Record) -> None:
        """Take in one more record."""
        if record.reported_model is not None:
            said = self._said.setdefault(record.model, Counter())
            said[record.reported_model] += 1

    @property
    def usual(self) -> Mapping[str, str]:
        """What the service mostly said, by the model that was asked for."""
        # Of equally many the first by name, so that the order of jobs means nothing.
        return {
            asked: min(counts, key=lambda model: (-counts[model], model))
            for asked, counts in self._said.items()
        }


def flagged(found: Iterable[Record]) -> list[Record]:
    """Return *found* with `flags`: where what came is not what was asked for."""
    models, every = Models(), list(found)
    for record in every:
        models.hear(record)
    usual = models.usual
    return [with_flags(record, usual) for record in every]


def with_flags(record: Record, usual: Mapping[str, str]) -> Record:
    """Return *record* with its flags.

    Args:
        record: One job.
        usual: What the service mostly used, by the model that was asked for; a model
            that is not in it is not compared.
    """
    return msgspec.structs.replace(record, flags=tuple(_flags(record, usual)))


def _flags(record: Record, usual: Mapping[str, str]) -> Iterator[str]:
    model, asked_seed = record.reported_model, record.request.get("seed")
    if model is not None and model != record.model:
        yield f"asked for model {record.model}, got {model}"
    others = usual.get(record.model, model)
    if model is not None and model != others:
        yield f"made with {model}, other jobs with {others}"
    if record.seed is not None and _is_fixed(asked_seed) and record.seed != asked_seed:
        yield f"asked for seed {asked_seed}, got {record.seed}"
    for reason in record.degraded:
        yield f"less than what was asked for: {reason}"
    yield from dict.fromkeys(
        said for file in record.artifacts for said in file.mismatch
    )


def _is_fixed(seed: object) -> bool:
    """Return whether a request names its seed; a negative one means any."""
    return isinstance(seed, int) and seed >= 0
