"""What a run would do, what it would cost, and why."""

from __future__ import annotations

import fnmatch
import hashlib
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import cast

import msgspec

from foxbatch.budget import Spending
from foxbatch.canonical import Digest, JobId, Json
from foxbatch.events import (
    WRITTEN_OFF,
    AlsoWanted,
    AttemptId,
    JobPlanned,
    PromptText,
    RunId,
)
from foxbatch.matrix import Job
from foxbatch.policy import Order, RetryPolicy
from foxbatch.prices import Estimate, estimate, prices
from foxbatch.state import Attempt, BatchState, JobState, Phase


class Action(StrEnum):
    """What a run does about one job."""

    SUBMIT = "submit"
    ADOPT = "adopt"
    DOWNLOAD = "download"
    SETTLE = "settle"
    RETRY = "retry"
    KEEP = "keep"
    ELSEWHERE = "elsewhere"
    ORPHAN = "orphan"


BUYS = frozenset({Action.SUBMIT, Action.RETRY})
"""Actions that send a POST."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """What another run directory of the same service and account holds of a job.

    Attributes:
        folder: Its name.
        shown: Where it is, for people.
        phase: Where the job stands there.
        attempt: What makes it so.
        whole: Whether the files of a done job are there.
        reachable: Whether its task can be asked for from here.
    """

    folder: str
    shown: str
    phase: Phase
    attempt: Attempt
    whole: bool = True
    reachable: bool = True

    @property
    def comes_over(self) -> bool:
        """Whether a run takes it over. Else it is left there, and not bought here."""
        if self.phase in (Phase.SUBMITTING, Phase.HELD):
            return False
        here = self.phase is Phase.DONE and self.whole
        return here or self.phase is Phase.FAILED or self.reachable


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedJob:
    """One job, where it stands, and what a run would do about it.

    Attributes:
        wanted: What is sent, or was sent.
        phase: Where it stands; `skipped` only with a reason.
        action: What a run does.
        reason: Why, for people.
        attempt: The attempt it is about: the one to go on with, or to repeat.
        why: Recorded with a repetition: `retry`, `retry_failed` or `buy_again`.
        elsewhere: What another run directory holds of it, where that decides.
    """

    wanted: JobPlanned
    phase: Phase
    action: Action
    reason: str
    attempt: Attempt | None = None
    why: str = ""
    elsewhere: Elsewhere | None = None

    @property
    def id(self) -> JobId:
        """The job's id."""
        return self.wanted.job

    @property
    def after(self) -> AttemptId | None:
        """The attempt that a purchase would deliberately repeat."""
        return self.attempt.id if self.why and self.attempt is not None else None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do, in the order in which it would begin to.

    Attributes:
        jobs: One by one.
        estimate: What its purchases are thought to cost.
        spending: How much of each budget is used, where somebody asked.
    """

    jobs: tuple[PlannedJob, ...]
    estimate: Estimate
    spending: tuple[Spending, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Jobs by action; every action is named."""
        found = Counter(job.action for job in self.jobs)
        return {action.value: found[action] for action in Action}

    def with_action(self, *actions: Action) -> list[PlannedJob]:
        """Return the jobs that these *actions* apply to."""
        return [job for job in self.jobs if job.action in actions]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the person who starts a run wants of it beyond the manifest.

    Attributes:
        only: What selects jobs, each by itself; empty means all. A glob on a job's
            spec, name or id, the beginning of an id (4 characters or more), or
            `name=glob` on a parameter, the model, a value of the matrix, or
            `prompt_id`.
        retry_failed: Failure classes to buy again; `{"*"}` means every class but
            `written_off`, which has to be named: giving up was a decision.
        fresh: Buy also what another run directory has bought.
    """

    only: tuple[str, ...] = ()
    retry_failed: frozenset[str] = frozenset()
    fresh: bool = False

    def selects(self, job: JobPlanned) -> bool:
        """Return whether `only` names *job*."""
        return not self.only or any(_names(glob, job) for glob in self.only)

    def selects_nothing(self, jobs: Sequence[JobPlanned]) -> list[str]:
        """Return the globs of `only` that name none of *jobs*."""
        return [
            glob for glob in self.only if not any(_names(glob, job) for job in jobs)
        ]

    def repeats(self, failure_class: str) -> bool:
        """Return whether failures of that class are to be bought again."""
        every = "*" in self.retry_failed and failure_class != WRITTEN_OFF
        return every or failure_class in self.retry_failed


_SHORTEST_ID = 4


def _names(which: str, job: JobPlanned) -> bool:
    key, equals, glob = which.partition("=")
    if equals:
        known = facts_about(job)
        return key in known and fnmatch.fnmatchcase(known[key], glob)
    names: list[str] = [job.job, *_called(job.spec, job.name)]
    for also in job.also:
        names += _called(also.spec, also.name)
    by_id = len(which) >= _SHORTEST_ID and job.job.startswith(which)
    return by_id or any(fnmatch.fnmatchcase(name, which) for name in names)


def facts_about(job: JobPlanned) -> dict[str, str]:
    """Return what `name=value` can say about a job, the values as people write them."""
    label = job.prompt.id if job.prompt is not None else ""
    known: dict[str, object] = {"prompt_id": label, **job.cell, **job.request}
    return {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in known.items()
    }


def _called(spec: str, name: str) -> tuple[str, str, str]:
    return spec, name, f"{spec}/{name}"


def as_planned(job: Job, manifest: Digest) -> JobPlanned:
    """Return *job* as the fact that records it."""
    prompt = None
    if job.prompt is not None:
        prompt = PromptText(id=job.prompt.id, text=job.prompt.text)
    return JobPlanned(
        job=job.id,
        digest=job.digest,
        spec=job.spec,
        name=job.name,
        cell=dict(job.cell),
        prompt=prompt,
        repeat=job.repeat,
        provider=job.provider,
        endpoint=job.endpoint,
        model=job.model,
        kind=job.kind,
        request=dict(job.request),
        output=job.output,
        manifest=manifest,
        line=job.origin.line,
        also=tuple(
            AlsoWanted(spec=also.spec, name=also.name, cell=dict(also.cell))
            for also in job.also
        ),
    )


def local_files(job: JobPlanned) -> Iterator[tuple[str, str]]:
    """Yield parameter and path of each local file that a request needs."""
    for name, value in job.request.items():
        yield from ((name, path) for path in _paths(value))


def without_paths(job: JobPlanned) -> dict[str, Json]:
    """Return the request as it is part of the identity: files by their digest alone."""
    bare = {name: _without_paths(value) for name, value in job.request.items()}
    return cast("dict[str, Json]", bare)


def _without_paths(value: object) -> object:
    match value:
        case [*several]:
            return [_without_paths(one) for one in several]
        case {"path": str(), "sha256": str(digest), **rest} if not rest:
            return {"sha256": digest}
        case _:
            return value


def _paths(value: object) -> Iterator[str]:
    match value:
        case [*several]:
            for one in several:
                yield from _paths(one)
        case {"path": str(path), "sha256": str(), **rest} if not rest:
            yield path
        case _:
            pass


def is_news(wanted: JobPlanned, known: JobPlanned | None) -> bool:
    """Return whether *wanted* says anything that the ledger does not say yet.

    From which manifest and line it comes is no news: a comment changes both.
    """
    if known is None:
        return True
    bare = msgspec.structs.replace(
        known,
        v=0,
        seq=0,
        at="",
        run=RunId(""),
        manifest=wanted.manifest,
        line=wanted.line,
    )
    return bare != wanted


def plan(
    wanted: Sequence[JobPlanned],
    state: BatchState,
    *,
    retry: RetryPolicy,
    order: Order = "interleaved",
    choice: Choice | None = None,
    live: Container[RunId] = (),
    elsewhere: Mapping[JobId, Elsewhere] | None = None,
) -> Plan:
    """Return what a run would do about every wanted and every known job.

    Args:
        wanted: The manifest's jobs, in declared order.
        state: What the ledger says.
        retry: Which failures are bought again without being asked.
        order: Order of submission.
        choice: What this run is restricted to.
        live: Runs that are going on right now.
        elsewhere: What other run directories hold of the wanted jobs.
    """
    choice = choice or Choice()
    jobs = [_decide(job, state, retry, choice, live) for job in wanted]
    found = elsewhere or {}
    jobs = [
        _unless_there(job, found[job.id], retry, choice) if job.id in found else job
        for job in jobs
    ]
    if order == "interleaved":
        jobs.sort(key=lambda job: _shuffled(job.id))
    names = {job.job for job in wanted}
    orphans = [s for s in state.jobs.values() if s.id not in names and s.planned]
    jobs += [_orphan(known, live) for known in orphans]
    buys = [job.wanted for job in jobs if job.action in BUYS]
    return Plan(tuple(jobs), estimate(buys, prices(state)))


def collection(state: BatchState, live: Container[RunId] = ()) -> Plan:
    """Return what `collect` would do: everything that was bought, nothing new."""
    jobs = [_orphan(known, live, "") for known in state.jobs.values() if known.planned]
    return Plan(tuple(jobs), Estimate())


def _shuffled(job: JobId) -> bytes:
    """Spread any prefix of a sweep over its axes, the same way everywhere."""
    return hashlib.sha256(f"foxbatch/order/1\0{job}".encode()).digest()


def _decide(
    wanted: JobPlanned,
    state: BatchState,
    retry: RetryPolicy,
    choice: Choice,
    live: Container[RunId],
) -> PlannedJob:
    known = state.jobs.get(wanted.job)
    if known is None or not known.attempts:
        phase, attempt = Phase.NEW, None
    else:
        phase, attempt = known.leading(live)
    action, reason, why = Action.SUBMIT, "not bought yet", ""
    if phase is Phase.FAILED and known is not None and attempt is not None:
        action, reason, why = _about_failure(known, attempt, retry, choice)
    elif phase is not Phase.NEW:
        action, reason = _GO_ON[phase]
        if phase is Phase.DONE and known is not None and (more := known.unfinished()):
            action, reason, attempt = Action.ADOPT, _BOUGHT_TWICE, more[0]
    elif attempt is not None:  # settled with "buy again"
        reason, why = "to be bought again, as settled", "buy_again"
    if action in BUYS and not choice.selects(wanted):
        if phase is Phase.NEW:
            phase = Phase.SKIPPED
        action, reason = Action.KEEP, "not selected by --only"
    if action in BUYS and (paths := dict.fromkeys(p for _, p in local_files(wanted))):
        reason += f"; uploads are not built yet: {', '.join(paths)}"
    return PlannedJob(
        wanted=wanted,
        phase=phase,
        action=action,
        reason=reason,
        attempt=attempt,
        why=why,
    )


_BOUGHT_TWICE = "done; bought twice, and the other task is fetched as well"
_GO_ON = {
    Phase.DONE: (Action.KEEP, "done"),
    Phase.SUBMITTING: (Action.KEEP, "being submitted by a run that goes on now"),
    Phase.HELD: (Action.SETTLE, "may have been bought: a person must decide"),
    Phase.RUNNING: (Action.ADOPT, "running remotely"),
    Phase.OVERDUE: (Action.ADOPT, "overdue: asked again by its id"),
    Phase.DOWNLOADING: (Action.DOWNLOAD, "finished, not downloaded yet"),
    Phase.FAILED: (Action.KEEP, "failed"),
    Phase.NEW: (Action.ORPHAN, "not bought"),
}


def _about_failure(
    known: JobState, attempt: Attempt, retry: RetryPolicy, choice: Choice
) -> tuple[Action, str, str]:
    failed = attempt.failed
    if failed is None:  # written off
        failure_class, said = WRITTEN_OFF, "written off by a person"
    else:
        failure_class = failed.error_class
        said = f"failed ({failure_class}: {failed.code or failed.message})"
    if choice.repeats(failure_class):
        return Action.RETRY, f"{said}; asked for by --retry-failed", "retry_failed"
    if retry.allows(failure_class, accepted=known.accepted):
        bought = f"attempt {known.accepted + 1} of {retry.attempts}"
        return Action.RETRY, f"{said}; {bought}", "retry"
    return Action.KEEP, said, ""


def _unless_there(
    job: PlannedJob, there: Elsewhere, retry: RetryPolicy, choice: Choice
) -> PlannedJob:
    """Return *job*, not to be bought where another run directory has it."""
    if job.action not in BUYS:
        return job
    if there.phase is not Phase.FAILED:
        said = _where(there)
        return _taken(job, there, action=Action.ELSEWHERE, reason=said)
    if job.attempt is not None:
        return job  # what failed here and there is a matter of the policy here
    known = JobState(job.id, job.wanted, {there.attempt.id: there.attempt})
    action, reason, why = _about_failure(known, there.attempt, retry, choice)
    if action is Action.KEEP:
        action = Action.ELSEWHERE
    return _taken(
        job, there, action=action, reason=f"{reason}, in {there.shown}", why=why
    )


def _taken(
    job: PlannedJob, there: Elsewhere, *, action: Action, reason: str, why: str = ""
) -> PlannedJob:
    return replace(
        job, phase=there.phase, action=action, reason=reason, why=why, elsewhere=there
    )


def _where(there: Elsewhere) -> str:
    """Return where a job was bought and what a run does about it, for people."""
    where = f"{there.phase} in {there.shown}"
    match there.phase:
        case Phase.DONE if there.whole:
            return f"{where}: taken from there"
        case Phase.DONE:
            return f"{where}, which has lost a file: its task is asked for again"
        case Phase.HELD:
            return f"may have been bought in {there.shown}: settle it there"
        case Phase.SUBMITTING:
            return f"being submitted in {there.shown}"
        case _ if there.reachable:
            return f"{where}: asked for by its id from here too"
        case _:
            return f"{where}, whose sandbox alone knows it: collect it there"


def _orphan(
    known: JobState,
    live: Container[RunId],
    why: str = "; no longer in the manifest",
) -> PlannedJob:
    """Decide about a job that no manifest asks for (now).

    What was paid for is collected all the same.
    """
    phase, attempt = known.leading(live)
    action, reason = _GO_ON[phase]
    if phase is Phase.DONE and (more := known.unfinished()):
        action, reason, attempt = Action.ADOPT, _BOUGHT_TWICE, more[0]
    elif action in (Action.KEEP, Action.ORPHAN):
        action, reason = Action.ORPHAN, f"{reason}{why}"
    planned = known.planned
    assert planned is not None  # noqa: S101  callers filter
    return PlannedJob(
        wanted=planned, phase=phase, action=action, reason=reason, attempt=attempt
    )
