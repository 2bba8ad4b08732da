"""One record per job: everything known about it, for people and tables."""

from __future__ import annotations

import csv
import json
from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec

from foxbatch.canonical import Digest, JobId
from foxbatch.clock import from_text
from foxbatch.durable import write_whole
from foxbatch.errors import RunDirError
from foxbatch.events import (
    WRITTEN_OFF,
    JobPlanned,
    MediaFacts,
    PromptText,
    RunId,
    WatchEnded,
)
from foxbatch.lifecycle import Attempt, BatchState, JobState, Phase


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
    """

    path: str
    sha256: Digest
    bytes: int
    media: Media
    mismatch: tuple[str, ...] = ()


class Times(msgspec.Struct, frozen=True):
    """When things happened (RFC 3339, UTC); None for what did not."""

    planned: str | None = None
    submitted: str | None = None
    accepted: str | None = None
    completed: str | None = None
    downloaded: str | None = None


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
        attempts: How many times it was submitted.
        latency_s: From acceptance to the answer that it is finished, in seconds.
        credits: What it cost, in the service's unit, which is not a currency.
        reported_model: The model the service says it used.
        request_id: What the service's support asks for.
    """

    job: JobId
    spec: str
    name: str
    phase: Phase
    model: str
    cell: dict[str, object]
    prompt: PromptText | None
    repeat: int
    request: dict[str, object]
    task: str | None
    attempts: int
    times: Times
    latency_s: float | None
    credits: float | None
    reported_model: str | None
    request_id: str | None
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
    first = [job.job for job in wanted or ()]
    rest = sorted(state.jobs.keys() - set(first), key=lambda j: _place(state.jobs[j]))
    plans = {job.job: job for job in wanted or ()}
    found = []
    for job in (*first, *rest):
        known = state.jobs.get(job, JobState(job))
        planned = known.planned or plans.get(job)
        if planned is not None:
            found.append(_record(known, planned, live))
    return found


def _place(known: JobState) -> tuple[str, int, str]:
    """Return the order in which jobs were first written down."""
    planned = known.planned
    return (planned.at, planned.seq, known.id) if planned else ("~", 0, known.id)


def _record(known: JobState, planned: JobPlanned, live: Container[RunId]) -> Record:
    phase, attempt = known.leading(live)
    return Record(
        job=known.id,
        spec=planned.spec,
        name=planned.name,
        phase=phase,
        model=planned.model,
        cell=planned.cell,
        prompt=planned.prompt,
        repeat=planned.repeat,
        request=planned.request,
        task=attempt.task if attempt is not None else None,
        attempts=len(known.attempts),
        times=_times(planned, attempt),
        latency_s=_latency_s(attempt),
        credits=_credits(known),
        reported_model=_reported_model(attempt),
        request_id=_request_id(attempt),
        artifacts=_artifacts(attempt),
        error=failure_of(phase, attempt),
        manifest=Source(planned.manifest, planned.line),
    )


def _times(planned: JobPlanned, attempt: Attempt | None) -> Times:
    at = planned.at or None
    if attempt is None:
        return Times(planned=at)
    ended = attempt.succeeded
    return Times(
        planned=at,
        submitted=attempt.intended.at if attempt.intended else None,
        accepted=attempt.accepted.at if attempt.accepted else None,
        completed=attempt.results.at if attempt.results else None,
        downloaded=ended.at if ended else None,
    )


def _latency_s(attempt: Attempt | None) -> float | None:
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


def _reported_model(attempt: Attempt | None) -> str | None:
    if attempt is None or attempt.results is None:
        return None
    return attempt.results.reported_model


def _request_id(attempt: Attempt | None) -> str | None:
    if attempt is None:
        return None
    facts = (attempt.accepted, attempt.unknown, attempt.refused)
    headers = next((fact.headers for fact in facts if fact is not None), {})
    return headers.get("x-request-id") or headers.get("cf-ray")


def _artifacts(attempt: Attempt | None) -> tuple[StoredFile, ...]:
    if attempt is None:
        return ()
    return tuple(
        StoredFile(
            path=stored.path,
            sha256=stored.sha256,
            bytes=stored.bytes,
            media=Media(**msgspec.structs.asdict(stored.media)),
            mismatch=stored.mismatch,
        )
        for _, stored in sorted(attempt.artifacts.items())
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


def write_jsonl(found: Iterable[Record], path: Path) -> None:
    """Replace the file at *path* with one line per record, whole or not at all.

    Raises:
        RunDirError: The disk does not take it. The file is as it was.
    """
    try:
        write_whole(path, (msgspec.json.encode(record) + b"\n" for record in found))
    except OSError as error:
        raise RunDirError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="Mend that and type the same command again; nothing is lost.",
        ) from error


_PLAIN_COLUMNS = (
    "job",
    "spec",
    "name",
    "phase",
    "model",
    "repeat",
    "task",
    "attempts",
    "latency_s",
    "credits",
    "reported_model",
    "request_id",
)


def write_csv(found: Sequence[Record], stream: IO[str]) -> None:
    """Write one row per artifact, or per job without one.

    Columns: plain fields, `prompt.id`, `prompt.text`, `cell.<axis>`, `param.<name>`,
    `time.<event>`, `artifact.<field>`, `media.<fact>`, `error.<field>`. A value that
    is no text or number is written as JSON.
    """
    rows = [row for record in found for row in _rows(record)]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(stream, columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)


def _rows(record: Record) -> list[dict[str, object]]:
    built = record.to_json()
    row = {name: _cell(built[name]) for name in _PLAIN_COLUMNS}
    row |= _prefixed("prompt", built["prompt"])
    row |= _prefixed("cell", built["cell"])
    row |= _prefixed("param", built["request"], without=("model", "prompt"))
    row |= _prefixed("time", built["times"])
    row |= _prefixed("error", built["error"] or dict.fromkeys(_ERROR_COLUMNS))
    stored: list[dict[str, object]] = msgspec.to_builtins(record.artifacts)
    files = [row | _file_columns(file) for file in stored]
    return files or [row]


_ERROR_COLUMNS = ("class", "code", "message")


def _file_columns(file: dict[str, object]) -> dict[str, object]:
    media = file.pop("media")
    return _prefixed("artifact", file) | _prefixed("media", media)


def _prefixed(
    prefix: str, value: object, *, without: tuple[str, ...] = ()
) -> dict[str, object]:
    if not isinstance(value, dict):
        return {}
    return {
        f"{prefix}.{name}": _cell(item)
        for name, item in value.items()
        if name not in without
    }


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool | list | tuple | dict):
        return json.dumps(value, ensure_ascii=False)
    return value
