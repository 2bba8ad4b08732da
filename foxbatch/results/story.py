"""What happened, as flat tables: attempts and facts."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

import msgspec

from foxbatch.events import AttemptFact, Event, JobFact, RunId, encode, word
from foxbatch.results.flat import Kind, Row, Table, as_kind
from foxbatch.results.record import (
    Failure,
    failure_of,
    latency_of,
    request_id,
    times_of,
)
from foxbatch.state import Attempt, BatchState, JobState

_ATTEMPT: Mapping[str, Kind] = {
    "run": "text",
    "job": "text",
    "name": "text",
    "attempt": "text",
    "number": "whole",
    "process": "text",
    "after": "text",
    "why": "text",
    "task": "text",
    "phase": "text",
    "latency_s": "number",
    "credits": "number",
    "reported_model": "text",
    "request_id": "text",
    "time.submitted": "moment",
    "time.accepted": "moment",
    "time.running": "moment",
    "time.completed": "moment",
    "time.downloaded": "moment",
    "time.ended": "moment",
    "error.class": "text",
    "error.code": "text",
    "error.message": "text",
}
_FACT: Mapping[str, Kind] = {
    "run": "text",
    "process": "text",
    "seq": "whole",
    "time": "moment",
    "event": "text",
    "job": "text",
    "attempt": "text",
    "fact": "json",
}


def attempts_table(
    runs: Iterable[tuple[str, BatchState, Container[RunId]]],
) -> Table:
    """Return one row per attempt.

    Args:
        runs: What each run directory is called, what its ledger says, and which of its
            processes are going on now.
    """
    rows = [
        _attempt_row(label, known, attempt, number, alive=attempt.run in live)
        for label, state, live in runs
        for known in state.jobs.values()
        for number, attempt in enumerate(known.in_order(), start=1)
    ]
    return Table(_ATTEMPT, rows)


def _attempt_row(
    label: str, known: JobState, attempt: Attempt, number: int, *, alive: bool
) -> Row:
    phase = attempt.phase(alive=alive)
    error = failure_of(phase, attempt)
    if error is None and attempt.refused is not None and attempt.accepted is None:
        refused = attempt.refused
        error = Failure(refused.error_class, refused.code, refused.message)
    results, intended = attempt.results, attempt.intended
    times: dict[str, str | None] = msgspec.to_builtins(times_of(attempt))
    values: dict[str, object] = {
        "run": label,
        "job": known.id,
        "name": known.name,
        "attempt": attempt.id,
        "number": number,
        "process": attempt.run,
        "after": intended.after if intended is not None else None,
        "why": (intended.why or None) if intended is not None else None,
        "task": attempt.task,
        "phase": phase.value,
        "latency_s": latency_of(attempt),
        "credits": attempt.credits,
        "reported_model": results.reported_model if results is not None else None,
        "request_id": request_id(attempt),
        "error.class": error.error_class if error is not None else None,
        "error.code": error.code if error is not None else None,
        "error.message": error.message if error is not None else None,
    }
    values |= {f"time.{event}": at for event, at in times.items()}
    return {name: as_kind(values[name], kind) for name, kind in _ATTEMPT.items()}


def facts_table(runs: Iterable[tuple[str, Iterable[Event]]]) -> Table:
    """Return one row per fact; a fact that several files tell is one."""
    rows: dict[tuple[str, str, int], Row] = {}
    for label, facts in runs:
        for fact in facts:
            rows.setdefault((label, fact.run, fact.seq), _fact_row(label, fact))
    return Table(_FACT, list(rows.values()))


def _fact_row(label: str, fact: Event) -> Row:
    return {
        "run": label,
        "process": fact.run,
        "seq": fact.seq,
        "time": fact.at,
        "event": word(fact),
        "job": fact.job if isinstance(fact, JobFact) else None,
        "attempt": fact.attempt if isinstance(fact, AttemptFact) else None,
        "fact": encode(fact).decode().rstrip("\n"),
    }
