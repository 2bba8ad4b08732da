"""Sends POSTs: each with an intent on disk first, each with its outcome recorded.

A purchase is lost or doubled here or nowhere, so the order of steps is the point:

1. A slot, the gate and the budget allow it, and a request may leave at once.
2. The intent is on the disk.
3. The POST leaves. Whatever ends it, also cancellation, leaves a fact.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import anyio
import anyio.abc

from foxbatch import canonical
from foxbatch.canonical import JobId, Json
from foxbatch.client import Accepted, NotSent, Refused, SubmitOutcome, Unknown
from foxbatch.errors import ExitCode, LedgerError
from foxbatch.events import (
    AttemptId,
    Event,
    JobFailed,
    JobPlanned,
    SubmitAccepted,
    SubmitIntended,
    SubmitRefused,
    SubmitUnknown,
)
from foxbatch.runner.bench import Bench
from foxbatch.runner.gate import Answer, Halt

GRACE_S = 4.0
"""How long POSTs under way may go on after the run was told to stop, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """One job to be bought.

    Attributes:
        wanted: What to send.
        after: The attempt that this one deliberately repeats, if any.
        why: Recorded with a repetition.
        tries: POSTs of this run that came to nothing so far.
    """

    wanted: JobPlanned
    after: AttemptId | None = None
    why: str = ""
    tries: int = 0


def answer_of(outcome: SubmitOutcome) -> Answer:
    """Return what the outcome of a submission teaches about the service."""
    match outcome:
        case Accepted():
            return Answer.GOOD
        case Refused():
            return Answer.NO if outcome.scope == "job" else Answer.BUSY
        case NotSent():
            return Answer.UNREACHED
        case Unknown(evidence=evidence):
            success = evidence.status is not None and evidence.status // 100 == 2  # noqa: PLR2004
            return Answer.NO_ID if success else Answer.UNKNOWN


def facts_of(
    outcome: SubmitOutcome, job: JobId, attempt: AttemptId
) -> tuple[Event, ...]:
    """Return what to record about a submission."""
    match outcome:
        case Accepted(task=task, view=view, evidence=evidence):
            accepted = SubmitAccepted(
                job=job,
                attempt=attempt,
                task=task,
                credits=view.credits,
                reply=evidence.reply,
                headers=dict(evidence.headers),
            )
            return (accepted,)
        case Refused():
            return _refusal(outcome, job, attempt)
        case NotSent(reason=reason):
            refused = SubmitRefused(
                job=job,
                attempt=attempt,
                error_class="not_sent",
                message=reason,
                retryable=True,
            )
            return (refused,)
        case Unknown(reason=reason, evidence=evidence):
            unknown = SubmitUnknown(
                job=job,
                attempt=attempt,
                why=reason,
                reply=evidence.reply,
                headers=dict(evidence.headers),
            )
            return (unknown,)


def _refusal(outcome: Refused, job: JobId, attempt: AttemptId) -> tuple[Event, ...]:
    refused = SubmitRefused(
        job=job,
        attempt=attempt,
        error_class=outcome.error_class,
        code=outcome.code,
        message=outcome.message,
        retryable=outcome.scope != "job",
        reply=outcome.evidence.reply,
        headers=dict(outcome.evidence.headers),
    )
    if outcome.scope != "job":
        return (refused,)
    failed = JobFailed(
        job=job,
        attempt=attempt,
        error_class=outcome.error_class,
        code=outcome.code,
        message=outcome.message,
    )
    return refused, failed


class Submitter:
    """Buys what is queued, as fast as slots, gate, budget and pace allow.

    Args:
        bench: What the run shares.
        on_accepted: Told about each new task, once its id is on the disk.
        most: How many jobs may be bought in this run.
    """

    def __init__(
        self,
        bench: Bench,
        on_accepted: Callable[[JobPlanned, AttemptId, Accepted], None],
        *,
        most: float = math.inf,
    ) -> None:
        self._bench = bench
        self._on_accepted = on_accepted
        self._ready: deque[Purchase] = deque()
        self._later: list[tuple[float, int, Purchase]] = []
        self._ties = itertools.count()
        self._changed = anyio.Event()
        self._under_way: set[anyio.CancelScope] = set()
        self._begun = 0  # purchases chosen and not settled yet
        self._spent = bench.book.state.bought()
        self._may_begin = most
        self.accepted = 0

    def add(self, purchases: Iterable[Purchase]) -> None:
        """Queue jobs, in the order in which they are to be bought."""
        for purchase in purchases:
            self._bench.open(purchase.wanted.job)
            self._ready.append(purchase)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def work(self) -> None:
        """Submit until cancelled. POSTs under way are recorded also then."""
        in_flight = self._bench.governor.in_flight
        async with anyio.create_task_group() as tasks:
            while True:
                while not self._may_choose():
                    await self._change()
                await in_flight.acquire()
                # The wait for a slot may have been long: the gate may be closed now.
                if self._may_choose():
                    tasks.start_soon(self._submit, self._choose())
                else:
                    in_flight.release()

    async def nothing_left(self) -> None:
        """Return once nothing is queued and no POST is under way."""
        while self._ready or self._later or self._begun:
            await self._changed.wait()

    async def drain(self) -> None:
        """Give POSTs under way a few seconds more; return when all have ended."""
        self._bench.submitting = False
        deadline = anyio.current_time() + GRACE_S
        for scope in self._under_way:
            scope.deadline = min(scope.deadline, deadline)
        while self._under_way:
            await self._changed.wait()

    def _may_choose(self) -> bool:
        """Return whether there is something that may be bought now."""
        if not self._bench.submitting:
            self._give_up_all()
        now = self._bench.clock.monotonic()
        while self._later and self._later[0][0] <= now:
            self._ready.append(heapq.heappop(self._later)[2])
        return (
            bool(self._ready)
            and self._has_room()
            and self._bench.gate.opens(now, under_way=self._begun)
        )

    def _has_room(self) -> bool:
        """Return whether one more may be bought; if none ever may, give up."""
        budget = self._bench.budget
        used_up = not budget.room(self._spent)
        if self._may_begin > 0 and not used_up:
            return True
        # What is under way may come to nothing yet, which makes room again.
        if not self._begun:
            if used_up:
                why = f"the budget of {budget.jobs} jobs is used up"
                self._bench.halt_submitting(Halt(why, ExitCode.BUDGET))
            self._give_up_all()
        return False

    async def _change(self) -> None:
        """Return when something may have become possible."""
        now, gate = self._bench.clock.monotonic(), self._bench.gate
        due = self._later[0][0] if self._later else math.inf
        if self._ready and gate.not_before > now:
            due = min(due, gate.not_before)
        with anyio.move_on_after(due - now):
            await self._changed.wait()

    def _choose(self) -> Purchase:
        """Take the next purchase, and reserve for it what it will use up."""
        self._begun += 1
        self._may_begin -= 1
        self._spent += 1
        return self._ready.popleft()

    def _release(self) -> None:
        """Take back what a POST had reserved that made no task."""
        self._spent -= 1
        self._may_begin += 1

    def _give_up(self, purchase: Purchase) -> None:
        self._bench.close(purchase.wanted.job)

    def _put_back(self, purchase: Purchase) -> None:
        """Queue a purchase again that was chosen and may not be sent now."""
        self._begun -= 1
        self._release()
        self._bench.governor.in_flight.release()
        self._ready.appendleft(purchase)
        self._wake()

    def _give_up_all(self) -> None:
        waiting = [*self._ready, *(entry[2] for entry in self._later)]
        self._ready.clear()
        self._later.clear()
        for purchase in waiting:
            self._give_up(purchase)
        self._wake()

    async def _submit(self, purchase: Purchase) -> None:
        bench = self._bench
        body = canonical.encode(_body(purchase.wanted))
        async with bench.governor.request():
            began = bench.clock.monotonic()
            if not self._may_leave(began):
                self._put_back(purchase)
                return
            attempt = bench.book.new_attempt()
            intent = SubmitIntended(
                job=purchase.wanted.job,
                attempt=attempt,
                after=purchase.after,
                why=purchase.why,
            )
            bench.book.record(intent, durable=True)
            outcome = await self._post(purchase, attempt, body)
        self._settle(purchase, attempt, outcome, began=began)

    def _may_leave(self, now: float) -> bool:
        """Return whether a POST whose turn has come may still begin."""
        bench = self._bench
        wanted = bench.submitting and not bench.stop.reason
        return wanted and bench.gate.opens(now, under_way=len(self._under_way))

    async def _post(
        self, purchase: Purchase, attempt: AttemptId, body: bytes
    ) -> SubmitOutcome:
        """Send one POST. However it ends, its outcome is a fact."""
        bench, wanted = self._bench, purchase.wanted
        outcome: SubmitOutcome = Unknown("foxbatch failed before an answer came")
        scope = anyio.CancelScope()
        self._under_way.add(scope)
        try:
            with scope:
                try:
                    outcome = await bench.client.submit(wanted.endpoint, body)
                    outcome = self._plausible(outcome)
                except anyio.get_cancelled_exc_class():
                    outcome = Unknown("interrupted before an answer came")
                    raise
        finally:
            # Also on the way out of a cancellation from outside: nothing is awaited.
            self._under_way.discard(scope)
            facts = facts_of(outcome, wanted.job, attempt)
            try:
                bench.book.record(*facts, durable=True)
            except LedgerError:
                if isinstance(outcome, Accepted):
                    bench.unrecorded.append((wanted.job, outcome.task))
                raise
        return outcome

    def _plausible(self, outcome: SubmitOutcome) -> SubmitOutcome:
        """Doubt an acceptance whose task belongs to another attempt already."""
        if isinstance(outcome, Accepted):
            owner = self._bench.book.state.tasks.get(outcome.task)
            if owner is not None:
                reason = f"it was answered with task {outcome.task} of attempt {owner}"
                return Unknown(reason, outcome.evidence)
        return outcome

    def _settle(
        self,
        purchase: Purchase,
        attempt: AttemptId,
        outcome: SubmitOutcome,
        *,
        began: float,
    ) -> None:
        """Draw the conclusions from an outcome that is on the disk."""
        bench = self._bench
        self._begun -= 1
        if isinstance(outcome, Refused) and outcome.scope in _WHOLE_BATCH:
            bench.halt_submitting(_refused_batch(outcome))
        else:
            now = bench.clock.monotonic()
            halt = bench.gate.learn(answer_of(outcome), now, began=began)
            if halt is not None:
                bench.halt_submitting(halt)
        if isinstance(outcome, Accepted):
            self.accepted += 1
            self._on_accepted(purchase.wanted, attempt, outcome)
        else:
            bench.governor.in_flight.release()
            self._after_no_task(purchase, outcome)
        if not bench.submitting:
            self._give_up_all()
        self._wake()

    def _after_no_task(self, purchase: Purchase, outcome: SubmitOutcome) -> None:
        match outcome:
            case Refused(scope="later") | NotSent():
                self._release()
                self._again(purchase, outcome)
            case Refused():
                self._release()
                self._give_up(purchase)
            case _:
                self._give_up(purchase)

    def _again(self, purchase: Purchase, outcome: SubmitOutcome) -> None:
        """Queue a purchase that certainly made no task, after a wait."""
        bench = self._bench
        tries = purchase.tries + 1
        delay_s = bench.retry.delay_s(tries, bench.rng)
        if isinstance(outcome, Refused):
            asked_s = bench.retry.retry_after_s(outcome.retry_after, bench.clock.now())
            if asked_s is not None:
                delay_s = max(delay_s, asked_s)
            bench.governor.cool_down(asked_s or min(delay_s, 1.0))
        due = bench.clock.monotonic() + delay_s
        again = replace(purchase, tries=tries)
        heapq.heappush(self._later, (due, next(self._ties), again))


_WHOLE_BATCH = ("account", "address")


def _refused_batch(outcome: Refused) -> Halt:
    said = f"HTTP {outcome.status}: {outcome.message or outcome.code}".rstrip(": ")
    what = "key or account" if outcome.scope == "account" else "address or request"
    return Halt(f"the service refuses the {what} ({said})", ExitCode.REFUSED)


def _body(wanted: JobPlanned) -> Json:
    """Return the exact request; the ledger's decoder made it from JSON."""
    body: Json = wanted.request  # type: ignore[assignment]
    return body
