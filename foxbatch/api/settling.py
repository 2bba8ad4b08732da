"""A person decides about held jobs: what became of them is written down."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import msgspec

from foxbatch.access import SANDBOX_ORIGIN
from foxbatch.account import NOT_PROOF, Charge
from foxbatch.api.elsewhere import owner_elsewhere, whose
from foxbatch.api.evidence import HeldJob, held_attempts, held_in, maybe_alive
from foxbatch.api.place import (
    Place,
    check_origin,
    last_manifest,
    provider_of,
    starts,
)
from foxbatch.api.provenance import start_fact
from foxbatch.api.service import RunOptions, known_access, reached
from foxbatch.client import (
    PollDenied,
    PollOutcome,
    PollTrouble,
    ServiceClient,
    TaskMissing,
    TaskSeen,
    TaskView,
    usable_task_id,
)
from foxbatch.clock import Clock, SystemClock, from_text
from foxbatch.errors import FoxbatchError, UnreachableError, UsageError
from foxbatch.events import Decision, RunEnded, SubmitSettled, TaskId
from foxbatch.ledger import LedgerWriter, new_run_id, read_folder
from foxbatch.lock import DirLock, live_runs
from foxbatch.pace import Pacer
from foxbatch.processes import this_process
from foxbatch.provider import Provider
from foxbatch.results import records, write_jsonl
from foxbatch.state import Attempt, BatchState, JobState

_log = logging.getLogger(__name__)

_ASK_AGAIN_S = (0.5, 1.0, 2.0)  # where a question about a task came to nothing
_PATIENCE_S = 5.0  # for what is evidence and no more
_EARLIEST = timedelta(minutes=-2)
_LATEST = timedelta(minutes=10)

Ask = Callable[[str], bool]
"""Shows a person what is about to be written down; False writes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a person says became of one held job.

    Attributes:
        job: Its id, the beginning of its id, or its name.
        decision: It is this task, buy it again, or write it off.
        task: With decision `task`: its id.
    """

    job: str
    decision: Decision
    task: str | None = None


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
        UnreachableError: The service does not say whether the task can be its.
        RunDirError: The run directory cannot be used.
    """
    ruling = Ruling(job=job, decision=decision, task=task)
    (settled,) = await settle_all(
        run_dir, [ruling], options=options, why=why, force=force, ask=ask, clock=clock
    )
    return settled


async def settle_all(
    run_dir: Path,
    rulings: Sequence[Ruling],
    *,
    options: RunOptions | None = None,
    why: str = "",
    force: bool = False,
    ask: Ask | None = None,
    clock: Clock | None = None,
) -> tuple[Settled, ...]:
    """Decide about several held jobs, all of them or none, with one question.

    Arguments and errors as for `settle`.
    """
    options, clock = options or RunOptions(), clock or SystemClock()
    place = Place(run_dir)
    place.check()
    with DirLock(place.path):
        state = read_folder(place.ledger).state
        held = held_attempts(state)
        cases = [_Case(one, *_held(held, one.job)) for one in rulings]
        _check_cases(cases, state, force=force)
        looker = _Looker(place, state, options, clock)
        for case in cases:
            if case.ruling.decision == "task":
                case.seen = await looker.look(case)
        if ask is not None and not ask(await _questions(cases, looker)):
            raise UsageError("nothing was decided", hint="Answer y to decide.")
        _write(place, state, [case.fact(why) for case in cases], options, clock)
    return tuple(
        Settled(
            job=case.known.name,
            decision=case.ruling.decision,
            consequence=_CONSEQUENCES[case.ruling.decision],
        )
        for case in cases
    )


async def look_up(
    run_dir: Path,
    job: str,
    task: str,
    *,
    options: RunOptions | None = None,
    clock: Clock | None = None,
) -> str:
    """Return what the service says about a task that may be a held job's, for people.

    Raises:
        UsageError: There is no such job or task, or the task cannot be the job's.
        UnreachableError: The service does not say.
    """
    place = Place(run_dir)
    state = read_folder(place.ledger).state
    ruling = Ruling(job=job, decision="task", task=task)
    case = _Case(ruling, *_held(held_attempts(state), job))
    looker = _Looker(place, state, options or RunOptions(), clock or SystemClock())
    return _shown(await looker.look(case), case.known)


async def held_and_charged(
    run_dir: Path, *, options: RunOptions | None = None, clock: Clock | None = None
) -> tuple[HeldJob, ...]:
    """Return the held jobs as `held` does, with what the account was charged for.

    The service is asked for that. Whatever goes wrong, it is not known, and no error.

    Raises:
        LedgerError: The ledger cannot be trusted.
    """
    place = Place(run_dir)
    state = read_folder(place.ledger).state
    looker = _Looker(place, state, options or RunOptions(), clock or SystemClock())
    return held_in(state, await looker.charges() if held_attempts(state) else None)


@dataclass(slots=True)
class _Case:
    """One ruling and what it is about.

    Attributes:
        seen: The task as the service shows it, once it was looked at.
    """

    ruling: Ruling
    known: JobState
    attempt: Attempt
    seen: TaskView | None = None

    def fact(self, why: str) -> SubmitSettled:
        """Return what is written down."""
        return SubmitSettled(
            job=self.known.id,
            attempt=self.attempt.id,
            decision=self.ruling.decision,
            task=self.seen.task if self.seen is not None else None,
            why=why,
        )


def _check_cases(cases: Sequence[_Case], state: BatchState, *, force: bool) -> None:
    """Refuse what contradicts itself, or another machine that may still wait."""
    for what, named in (
        ("job", [case.known.name for case in cases]),
        ("task", [case.ruling.task for case in cases if case.ruling.task]),
    ):
        twice = [one for one, n in Counter(named).items() if n > 1]
        if twice:
            raise UsageError(
                f"{what} {twice[0]} is named twice", hint="Decide once about each job."
            )
    alive = [c.known.name for c in cases if maybe_alive(c.attempt, state)]
    if alive and not force:
        raise UsageError(
            "another machine may still be waiting for the answer to "
            f"{', '.join(alive)}",
            hint="When you know that its run is over, type --force.",
        )


def _held(
    held: Sequence[tuple[JobState, Attempt]], job: str
) -> tuple[JobState, Attempt]:
    """Return the one of the held jobs that *job* names."""
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


@dataclass(frozen=True, slots=True)
class _Looker:
    """Asks the service about tasks, and refuses those that cannot be a job's."""

    place: Place
    state: BatchState
    options: RunOptions
    clock: Clock

    async def look(self, case: _Case) -> TaskView:
        """Return the task that a ruling names."""
        wanted = usable_task_id(case.ruling.task)
        if wanted is None:
            raise UsageError(
                f"{case.ruling.task!r} is no task id", hint="Copy it from the service."
            )
        provider = provider_of(self.place, self.state)
        ours = whose(provider, self.options, self.state)
        own = self.state.tasks.get(wanted)
        owner = f"attempt {own}" if own else ""
        if not owner and not provider.embedded:  # whose task ids repeat everywhere
            owner = owner_elsewhere(self.place, ours, wanted)
        if owner:
            raise UsageError(
                f"task {wanted} belongs to {owner} already",
                hint="Look for another task that was created at that time.",
            )
        outcome = await self._ask(provider, wanted)
        if isinstance(outcome, PollTrouble):
            raise UnreachableError(
                f"the service does not show task {wanted} now: {outcome.reason}",
                hint="Nothing was decided. Type the same command again later.",
            )
        if not isinstance(outcome, TaskSeen):
            raise UsageError(
                f"the service does not show task {wanted}: {_said(outcome)}",
                hint="Check the id.",
            )
        _check_time(case.attempt, outcome.view)
        _check_model(case.known, outcome.view, provider)
        return outcome.view

    async def charges(self) -> tuple[Charge, ...] | None:
        """Return what the account was charged for lately, None where nobody knows."""
        try:
            provider = provider_of(self.place, self.state)
            if provider.account.charges is None or not self._may_ask(provider):
                return None
            with anyio.move_on_after(_PATIENCE_S):
                async with self._reached(provider) as client:
                    return await client.charges()
        except (FoxbatchError, OSError) as error:  # no key, a read-only copy, …
            _log.debug("what the account was charged for is not known: %s", error)
        return None

    def _may_ask(self, provider: Provider) -> bool:
        """Return whether the service can be asked without a trace.

        The embedded sandbox cannot be served twice at once, and without its memory it
        would be another one.
        """
        place, here = self.place, this_process()
        if not provider.embedded or self.options.base_url:
            return True
        remembers = (place.sandbox / "tasks.jsonl").exists()
        return remembers and not live_runs(self.state, place.path, here=here)

    async def _ask(self, provider: Provider, task: TaskId) -> PollOutcome:
        last = last_manifest(self.place, self.state)
        limits = last.limits(provider.limits) if last else provider.limits
        gap_s = Pacer(limits.requests_per_second).gap_s
        async with self._reached(provider) as client:
            outcome = await client.poll(task)
            for wait_s in _ASK_AGAIN_S:
                if not isinstance(outcome, PollTrouble):
                    break
                await self.clock.sleep(max(wait_s, gap_s))
                outcome = await client.poll(task)
            return outcome

    @asynccontextmanager
    async def _reached(self, provider: Provider) -> AsyncIterator[ServiceClient]:
        """Give a client that may only read."""
        options, place = self.options, self.place
        entry = known_access(provider, options)
        origin = SANDBOX_ORIGIN if entry is None else entry.origin
        check_origin(place, self.state, origin, same_account=options.same_account)
        with reached(provider, options, place, entry) as found:
            async with ServiceClient(
                provider, found, clock=self.clock, reads_only=True
            ) as client:
                yield client


def _said(outcome: TaskMissing | PollDenied) -> str:
    if isinstance(outcome, TaskMissing):
        return "it does not know it"
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


def _check_model(known: JobState, view: TaskView, provider: Provider) -> None:
    """Refuse a task of another model; a name that nobody knows may be an alias."""
    wanted, said = known.planned, view.reported_model
    if wanted is None or said == wanted.model or said not in provider.models:
        return
    raise UsageError(
        f"task {view.task} is one of model {said}, but this job asked for"
        f" {wanted.model}",
        hint="Look for another task that was created at that time.",
    )


def _created(view: TaskView) -> datetime | None:
    """Return when a task was made; None where the service says nothing sensible."""
    try:
        return datetime.fromtimestamp(view.created, UTC) if view.created else None
    except (ValueError, OverflowError, OSError):  # milliseconds, for one
        return None


async def _questions(cases: Sequence[_Case], looker: _Looker) -> str:
    """Return what is about to be written down, with what the account tells about it."""
    charges = await looker.charges() if cases else None
    evidence = {one.attempt: one for one in held_in(looker.state, charges)}
    shown = [_question(case, evidence[case.attempt.id]) for case in cases]
    if any(one.account or one.charges for one in evidence.values()):
        shown.append(NOT_PROOF)
    return "\n\n".join(shown)


def _question(case: _Case, evidence: HeldJob) -> str:
    attempt, known = case.attempt, case.known
    why = attempt.unknown.why if attempt.unknown is not None else "the process ended"
    lines = [f"{known.name} ({known.id}), submitted {attempt.since}: {why}"]
    if case.seen is not None:
        lines.append(_shown(case.seen, known))
    else:
        told = (evidence.account, evidence.charges)
        lines += [f"The account: {said}." for said in told if said]
    consequence = _CONSEQUENCES[case.ruling.decision]
    return "\n".join([*lines, f"If you agree, {consequence}."])


def _shown(view: TaskView, known: JobState) -> str:
    created, said = _created(view), view.reported_model
    model = f"model {said or 'not said'}"
    if known.planned is not None and said not in (None, known.planned.model):
        model += f" (asked for {known.planned.model})"
    made = f"{created:%Y-%m-%d %H:%M:%S} UTC" if created else "not said"
    return f"task {view.task}: {view.word}, {model}, created {made}"


def _write(
    place: Place,
    state: BatchState,
    facts: Sequence[SubmitSettled],
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
    signed = [msgspec.structs.replace(fact, who=started.actor) for fact in facts]
    writer = LedgerWriter(place.ledger, new_run_id(), clock)
    try:
        ended = RunEnded(why="done")
        for fact in writer.append(started, *signed, ended, durable=True):
            state.join(fact)
    finally:
        writer.close()
    write_jsonl(records(state), place.results)
