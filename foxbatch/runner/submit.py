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
from foxbatch.budget import Ticket
from foxbatch.canonical import JobId, Json
from foxbatch.client import (
    Accepted,
    NotSent,
    Refused,
    Sending,
    SubmitOutcome,
    Unknown,
)
from foxbatch.errors import ExitCode, LedgerError
from foxbatch.events import (
    AttemptId,
    BatchHalted,
    Event,
    JobFailed,
    JobPlanned,
    ResultsSeen,
    SubmitAccepted,
    SubmitIntended,
    SubmitRefused,
    SubmitUnknown,
)
from foxbatch.lock import lock_lost
from foxbatch.prices import price_shape
from foxbatch.runner.bench import Bench
from foxbatch.runner.gate import Answer, Halt, complaint_of

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
        ticket: What is set aside for it, once it was chosen.
    """

    wanted: JobPlanned
    after: AttemptId | None = None
    why: str = ""
    tries: int = 0
    ticket: Ticket | None = None


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


def _interrupted(sending: Sending) -> SubmitOutcome:
    """Return what a submission came to that was cancelled."""
    if sending.began is False:
        return NotSent("interrupted before it was sent")
    return Unknown("interrupted before an answer came")


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
        self._parked: deque[Purchase] = deque()  # their slice fails as a whole
        self._paused: set[str] = set()  # slices of which that was said
        self._begun = 0  # purchases chosen and not settled yet
        self._may_begin = most
        self.accepted = 0
        bench.book.observe(self._hear)

    def add(self, purchases: Iterable[Purchase]) -> None:
        """Queue jobs, in the order in which they are to be bought."""
        for purchase in purchases:
            self._bench.open(purchase.wanted.job)
            self._ready.append(purchase)
        self._wake()

    @property
    def may_begin(self) -> float:
        """How many more jobs may be bought in this run (infinite without a bound)."""
        return self._may_begin

    def _hear(self, event: Event) -> None:
        """Let what waited for a sign of its slice go on; look again after a failure."""
        if isinstance(event, ResultsSeen) and self._parked:
            waiting, self._parked = self._parked, deque()
            for purchase in waiting:
                self._bench.unpark(purchase.wanted)
            self._ready.extendleft(reversed(waiting))
        if isinstance(event, ResultsSeen | JobFailed):
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
        self._park()
        return (
            bool(self._ready)
            and self._has_room()
            and self._bench.gate.opens(now, under_way=self._begun)
        )

    def _park(self) -> None:
        """Take aside what comes next as long as its slice fails as a whole."""
        bench, before = self._bench, len(self._parked)
        while self._ready and (cause := bench.breaker.pauses(self._ready[0].wanted)):
            purchase = self._ready.popleft()
            self._parked.append(purchase)
            failed = bench.breaker.failed(cause)
            jobs = f"{failed:,} job{'' if failed == 1 else 's'}"
            why = f"{jobs} with {cause} failed, and none gave a result"
            if str(cause) not in self._paused:
                self._paused.add(str(cause))
                code = int(ExitCode.FAILED_JOBS)
                bench.book.record(
                    BatchHalted(why=why, exit_code=code, slice=str(cause))
                )
            bench.park(purchase.wanted, str(cause))
        if len(self._parked) > before:
            self._wake()

    def _has_room(self) -> bool:
        """Return whether the next may be bought; if it never may, give up."""
        bench = self._bench
        wanted = self._ready[0].wanted
        short = bench.purse.shortage(wanted, bench.book.moment)
        if self._may_begin > 0 and not short:
            return True
        # What is under way may come to nothing yet, which makes room again.
        if not self._begun:
            if short:
                bench.halt_submitting(Halt(short, ExitCode.BUDGET))
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
        purchase, bench = self._ready.popleft(), self._bench
        ticket = bench.purse.reserve(purchase.wanted, bench.book.moment)
        return replace(purchase, ticket=ticket)

    def _give_up(self, purchase: Purchase) -> None:
        self._bench.close(purchase.wanted.job)

    def _put_back(self, purchase: Purchase) -> None:
        """Queue a purchase again that was chosen and may not be sent now."""
        self._begun -= 1
        self._may_begin += 1
        self._close(purchase)
        self._bench.governor.in_flight.release()
        self._ready.appendleft(purchase)
        self._wake()

    def _close(self, purchase: Purchase) -> None:
        """Give back what was set aside; what was bought counts by itself."""
        if purchase.ticket is not None:
            self._bench.purse.close(purchase.ticket)

    def _give_up_all(self) -> None:
        waiting = [*self._ready, *(entry[2] for entry in self._later)]
        self._ready.clear()
        self._later.clear()
        if not self._bench.submitting:
            waiting += self._parked
            self._parked.clear()
        for purchase in waiting:
            self._give_up(purchase)
        self._wake()

    async def _submit(self, purchase: Purchase) -> None:
        bench = self._bench
        body = canonical.encode(_body(purchase.wanted))
        async with bench.governor.submission() as begin:
            began = bench.clock.monotonic()
            if not self._may_leave(purchase, began):
                self._put_back(purchase)
                return
            attempt = self._intend(purchase)
            begin()
            outcome = await self._post(purchase, attempt, body)
        self._settle(purchase, attempt, outcome, began=began)

    def _may_leave(self, purchase: Purchase, now: float) -> bool:
        """Return whether a POST whose turn has come may still begin."""
        bench, ticket = self._bench, purchase.ticket
        wanted = bench.submitting and not bench.stop.reason
        return (
            wanted
            and bench.gate.opens(now, under_way=len(self._under_way))
            and bench.breaker.pauses(purchase.wanted) is None
            and (ticket is None or bench.purse.covers(ticket, bench.book.moment))
        )

    def _intend(self, purchase: Purchase) -> AttemptId:
        """Write down that a POST is about to leave, and what is set aside for it."""
        bench = self._bench
        attempt = bench.book.new_attempt()
        intent = SubmitIntended(
            job=purchase.wanted.job,
            attempt=attempt,
            after=purchase.after,
            why=purchase.why,
            credits=bench.purse.price(price_shape(purchase.wanted)),
        )
        bench.book.record(intent, durable=True)
        if purchase.ticket is not None:
            bench.purse.intended(purchase.ticket)
        return attempt

    async def _post(
        self, purchase: Purchase, attempt: AttemptId, body: bytes
    ) -> SubmitOutcome:
        """Send one POST. However it ends, its outcome is a fact."""
        bench, wanted = self._bench, purchase.wanted
        outcome: SubmitOutcome = Unknown("foxbatch failed before an answer came")
        scope = anyio.CancelScope()
        sending = Sending()
        self._under_way.add(scope)
        try:
            with scope:
                try:
                    outcome = self._plausible(await self._send(wanted, body, sending))
                except anyio.get_cancelled_exc_class():
                    outcome = _interrupted(sending)
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

    async def _send(
        self, wanted: JobPlanned, body: bytes, sending: Sending
    ) -> SubmitOutcome:
        # After the intent: whoever takes the lock from now on has read it.
        if not self._bench.holds_lock():
            self._bench.fail(lock_lost(self._bench.run_dir))
            return NotSent("the lock of the run directory is gone")
        return await self._bench.client.submit(wanted.endpoint, body, sending)

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
        self._close(purchase)
        if isinstance(outcome, Refused) and outcome.scope in _WHOLE_BATCH:
            bench.halt_submitting(_refused_batch(outcome))
        else:
            now = bench.clock.monotonic()
            answer = answer_of(outcome)
            if answer in (Answer.GOOD, Answer.NO):
                bench.governor.answered(began=began)
            halt = bench.gate.learn(answer, now, began=began)
            if halt is not None:
                if isinstance(outcome, NotSent):
                    halt = replace(halt, why=f"{halt.why}: {outcome.reason}")
                bench.halt_submitting(halt)
        if isinstance(outcome, Accepted):
            self.accepted += 1
            self._on_accepted(purchase.wanted, attempt, outcome)
        else:
            bench.governor.in_flight.release()
            self._after_no_task(purchase, outcome, began=began)
        if not bench.submitting:
            self._give_up_all()
        self._wake()

    def _after_no_task(
        self, purchase: Purchase, outcome: SubmitOutcome, *, began: float
    ) -> None:
        match outcome:
            case Refused(scope="later") | NotSent():
                self._may_begin += 1
                self._again(purchase, outcome, began=began)
            case Refused(scope=scope):
                self._may_begin += 1
                if scope == "job":
                    self._bench.gave_up(purchase.wanted)
                self._give_up(purchase)
            case _:
                self._give_up(purchase)

    def _again(
        self, purchase: Purchase, outcome: Refused | NotSent, *, began: float
    ) -> None:
        """Queue a purchase that certainly made no task, after a wait."""
        bench = self._bench
        tries = purchase.tries + 1
        delay_s = bench.retry.delay_s(tries, bench.rng)
        if isinstance(outcome, Refused):
            asked_s = bench.retry.retry_after_s(outcome.retry_after, bench.clock.now())
            if asked_s is not None:
                delay_s = max(delay_s, asked_s)
            bench.governor.refused(
                complaint_of(outcome.status, outcome.error_class),
                began=began,
                asked_s=asked_s,
                running=bench.governor.in_flight.taken - self._begun,
            )
        due = bench.clock.monotonic() + delay_s
        again = replace(purchase, tries=tries, ticket=None)
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
