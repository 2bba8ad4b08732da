"""A person decides about a held job: what became of it is written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from foxbatch.access import SANDBOX_ORIGIN
from foxbatch.api.looking import maybe_alive
from foxbatch.api.place import Place, check_origin, provider_of, starts
from foxbatch.api.provenance import gather, start_fact
from foxbatch.api.service import RunOptions, known_access, reached
from foxbatch.client import (
    PollDenied,
    PollTrouble,
    ServiceClient,
    TaskMissing,
    TaskSeen,
    TaskView,
    usable_task_id,
)
from foxbatch.clock import Clock, SystemClock, from_text
from foxbatch.errors import UsageError
from foxbatch.events import Decision, RunEnded, SubmitSettled
from foxbatch.ledger import DirLock, LedgerWriter, new_run_id, read_folder
from foxbatch.lifecycle import Attempt, BatchState, JobState, Phase

_EARLIEST = timedelta(minutes=-2)
_LATEST = timedelta(minutes=10)

Ask = Callable[[str], bool]
"""Shows a person what is about to be written down; False writes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What was written down.

    Attributes:
        job: The job, as people call it.
        decision: What was decided.
        consequence: What follows from it, for people.
    """

    job: str
    decision: Decision
    consequence: str


_CONSEQUENCES: dict[Decision, str] = {
    "task": "it is not bought again; `foxbatch collect` or the next run fetches it",
    "buy_again": "the next run buys it again: paid twice if the first one exists",
    "write_off": "it is given up: not bought again, and what it may have cost is gone",
}


async def settle(
    run_dir: Path,
    job: str,
    decision: Decision,
    *,
    options: RunOptions | None = None,
    task: str | None = None,
    why: str = "",
    force: bool = False,
    ask: Ask | None = None,
    clock: Clock | None = None,
) -> Settled:
    """Decide about a held job. Takes the directory's lock; on disk when it returns.

    Args:
        run_dir: Where it is held.
        job: Its id, the beginning of its id, or its name.
        decision: It is this task, buy it again, or write it off.
        options: Key and address, for a task is looked at first.
        task: With decision `task`: its id.
        why: Recorded, in the person's words.
        force: Decide although another machine may still be waiting for the answer.
        ask: Confirms it; None needs no confirmation.
        clock: Time.

    Raises:
        UsageError: There is no such held job, or the task cannot be its.
        RunDirError: The run directory cannot be used.
    """
    options, clock = options or RunOptions(), clock or SystemClock()
    place = Place(run_dir)
    with DirLock(place.path):
        reading = read_folder(place.ledger)
        known, attempt = _held(reading.state, job)
        if maybe_alive(attempt, reading.state) and not force:
            raise UsageError(
                f"another machine may still be waiting for the answer to {known.name}",
                hint="When you know that its run is over, type --force.",
            )
        seen = None
        if decision == "task":
            seen = await _look_at(
                place, reading.state, attempt, task, options=options, clock=clock
            )
        consequence = _CONSEQUENCES[decision]
        if ask is not None and not ask(_question(known, attempt, seen, consequence)):
            raise UsageError("nothing was decided", hint="Answer y to decide.")
        fact = SubmitSettled(
            job=known.id,
            attempt=attempt.id,
            decision=decision,
            task=seen.task if seen is not None else None,
            who=gather(run_dir, options.environ).actor,
            why=why,
        )
        _write(place, reading.state, fact, options, clock)
    return Settled(job=known.name, decision=decision, consequence=consequence)


def _held(state: BatchState, job: str) -> tuple[JobState, Attempt]:
    """Return the one held job that *job* names."""
    held = []
    for known in state.jobs.values():
        phase, attempt = known.leading()
        if phase is Phase.HELD and attempt is not None:
            held.append((known, attempt))
    found = [
        (known, attempt)
        for known, attempt in held
        if job and (known.id.startswith(job) or known.name == job)
    ]
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(
            f"{job!r} names {len(found)} held jobs",
            hint=f"Name one by its id: {', '.join(known.id for known, _ in found)}.",
        )
    names = ", ".join(f"{known.id} ({known.name})" for known, _ in held)
    hint = f"Held are {names}." if held else "Nothing is held here."
    raise UsageError(f"no held job is called {job!r}", hint=hint)


async def _look_at(
    place: Place,
    state: BatchState,
    attempt: Attempt,
    task: str | None,
    *,
    options: RunOptions,
    clock: Clock,
) -> TaskView:
    """Ask the service about a task, and refuse one that cannot be this attempt's."""
    wanted = usable_task_id(task)
    if wanted is None:
        raise UsageError(f"{task!r} is no task id", hint="Copy it from the service.")
    owner = state.tasks.get(wanted)
    if owner is not None:
        raise UsageError(
            f"task {wanted} belongs to attempt {owner} already",
            hint="Look for another task that was created at that time.",
        )
    provider = provider_of(place, state)
    entry = known_access(provider, options)
    origin = SANDBOX_ORIGIN if entry is None else entry.origin
    check_origin(place, state, origin, same_account=options.same_account)
    with reached(provider, options, place, entry) as found:
        async with ServiceClient(provider, found, clock=clock) as client:
            outcome = await client.poll(wanted)
    if not isinstance(outcome, TaskSeen):
        raise UsageError(
            f"the service does not show task {wanted}: {_said(outcome)}",
            hint="Check the id; when the service is out of reach, try again later.",
        )
    _check_time(attempt, outcome.view)
    return outcome.view


def _said(outcome: TaskMissing | PollTrouble | PollDenied) -> str:
    match outcome:
        case TaskMissing():
            return "it does not know it"
        case PollTrouble():
            return outcome.reason
        case PollDenied():
            return f"HTTP {outcome.status}: {outcome.message}"


def _check_time(attempt: Attempt, view: TaskView) -> None:
    """Refuse a task that was made at another time than the attempt."""
    created = _created(view)
    if attempt.intended is None or created is None:
        return
    intended = from_text(attempt.intended.at)
    if not _EARLIEST <= created - intended <= _LATEST:
        raise UsageError(
            f"task {view.task} was created at {created:%Y-%m-%d %H:%M:%S} UTC, but "
            f"this job was submitted at {intended:%Y-%m-%d %H:%M:%S} UTC",
            hint="Look for another task that was created at that time.",
        )


def _created(view: TaskView) -> datetime | None:
    """Return when a task was made; None where the service says nothing sensible."""
    try:
        return datetime.fromtimestamp(view.created, UTC) if view.created else None
    except (ValueError, OverflowError, OSError):  # milliseconds, for one
        return None


def _question(
    known: JobState, attempt: Attempt, seen: TaskView | None, consequence: str
) -> str:
    why = attempt.unknown.why if attempt.unknown is not None else "the process ended"
    lines = [f"{known.name} ({known.id}), submitted {attempt.since}: {why}"]
    if seen is not None:
        created = _created(seen)
        known_of_it = [
            seen.word,
            f"model {seen.reported_model or 'not said'}",
            f"created {created:%Y-%m-%d %H:%M:%S} UTC"
            if created
            else "created: not said",
        ]
        lines.append(f"task {seen.task}: {', '.join(known_of_it)}")
    return "\n".join([*lines, f"If you agree, {consequence}."])


def _write(
    place: Place,
    state: BatchState,
    fact: SubmitSettled,
    options: RunOptions,
    clock: Clock,
) -> None:
    last = starts(state)[-1]
    started = start_fact(
        last.origin,
        folder=place.path,
        environ=options.environ,
        provider_sha256=last.provider_sha256,
    )
    writer = LedgerWriter(place.ledger, new_run_id(), clock)
    try:
        writer.append(started, fact, RunEnded(why="done"), durable=True)
    finally:
        writer.close()
