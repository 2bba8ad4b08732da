"""foxbatch with one thing broken on purpose: the simulation has to notice each.

A mutant is a patch of foxbatch that somebody could make in good faith. Which seed
catches which stands in `caught.md`.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias
from unittest import mock

import anyio
import httpx
import msgspec

from foxbatch import budget, canonical, events, ledger, lock, planner
from foxbatch.api import errand
from foxbatch.artifacts import Store
from foxbatch.canonical import JobId
from foxbatch.client import (
    Accepted,
    Fetched,
    FetchFailed,
    PollTrouble,
    Refused,
    SubmitOutcome,
    Unknown,
    download,
    http,
    outcomes,
)
from foxbatch.events import JobPlanned, SubmitIntended
from foxbatch.governor import Governor, Slots
from foxbatch.pace import Pacer
from foxbatch.planner import Action
from foxbatch.runner import batch, bench, fetch, submit
from foxbatch.runner.submit import Purchase, Submitter
from foxbatch.runner.watch import Watched, Watcher
from foxbatch.state import Attempt, Phase

Patch: TypeAlias = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class Mutant:
    """One thing that is broken.

    Attributes:
        what: What somebody did.
        patch: Does it, for as long as the context lasts.
    """

    name: str
    what: str
    patch: Patch


MUTANTS: list[Mutant] = []


def _mutant(what: str) -> Callable[[Patch], Patch]:
    def add(patch: Patch) -> Patch:
        name = patch.__name__.strip("_").replace("_", "-")
        MUTANTS.append(Mutant(name, what, patch))
        return patch

    return add


def _swap(place: object, name: str, value: object) -> AbstractContextManager[object]:
    return mock.patch.object(place, name, value)


# ---- The ledger


@_mutant("the intent is written after the POST")
def _intent_after_post() -> AbstractContextManager[object]:
    async def submit_first(self: Submitter, purchase: Purchase) -> None:
        shop = self._bench
        body = canonical.encode(dict(purchase.wanted.request))  # type: ignore[arg-type]
        async with shop.governor.request() as begin:
            began = shop.clock.monotonic()
            if not self._may_leave(purchase, began):
                self._put_back(purchase)
                return
            begin()
            outcome = await shop.client.submit(purchase.wanted.endpoint, body)
            attempt = shop.book.new_attempt()
            intent = SubmitIntended(
                job=purchase.wanted.job,
                attempt=attempt,
                after=purchase.after,
                why=purchase.why,
            )
            facts = submit.facts_of(outcome, purchase.wanted.job, attempt)
            shop.book.record(intent, *facts, durable=True)
        self._settle(purchase, attempt, outcome, began=began)

    return _swap(Submitter, "_submit", submit_first)


@_mutant("nothing in the ledger is fsynced")
def _no_fsync() -> AbstractContextManager[object]:
    whole = ledger.LedgerWriter.append

    def append(self: ledger.LedgerWriter, *events: Any, durable: bool = False) -> Any:  # noqa: ANN401, ARG001
        return whole(self, *events)

    return _swap(ledger.LedgerWriter, "append", append)


@_mutant("acceptances are not fsynced, intents are")
def _accepted_not_fsynced() -> AbstractContextManager[object]:
    whole = ledger.LedgerWriter.append

    def append(self: ledger.LedgerWriter, *events: Any, durable: bool = False) -> Any:  # noqa: ANN401
        intent = any(isinstance(event, SubmitIntended) for event in events)
        return whole(self, *events, durable=durable and intent)

    return _swap(ledger.LedgerWriter, "append", append)


@_mutant("a torn last line is completed and believed")
def _torn_tail_accepted() -> AbstractContextManager[object]:
    def lenient(line: bytes) -> Any:  # noqa: ANN401
        try:
            return _decode(line)
        except ValueError:
            for rest in (b"}", b'"}', b'"}}', b"}}", b'":""}', b"0}"):
                try:
                    return _decode(line + rest)
                except ValueError:
                    continue
            raise

    return _swap(ledger, "decode", lenient)


_decode = events.decode


@_mutant("a torn last line ends the reading of its file one line early")
def _torn_tail_takes_another() -> AbstractContextManager[object]:
    whole = ledger.read_facts

    def read(path: Path, *, on_torn: Callable[[str], None]) -> Iterator[Any]:
        torn: list[str] = []
        facts = list(whole(path, on_torn=torn.append))
        for name in torn:
            on_torn(name)
        yield from facts[:-1] if torn else facts

    return _swap(ledger, "read_facts", read)


@_mutant("the lock is not taken")
def _no_lock() -> AbstractContextManager[object]:
    return _swap(lock.DirLock, "__enter__", lambda _self: None)


# ---- Submissions


@_mutant("a POST is sent again after a read timeout")
def _resend_on_timeout() -> AbstractContextManager[object]:
    whole = http.ServiceClient._exchange_submit  # noqa: SLF001

    async def twice(
        self: http.ServiceClient, request: httpx.Request, heard: anyio.Event
    ) -> SubmitOutcome:
        try:
            return await whole(self, request, heard)
        except (httpx.ReadTimeout, httpx.ReadError):
            return await whole(self, request, heard)

    return _swap(http.ServiceClient, "_exchange_submit", twice)


@_mutant("a 5xx after a POST counts as a refusal")
def _5xx_is_a_refusal() -> AbstractContextManager[object]:
    whole = outcomes.classify_submit

    def classify(*args: Any, **named: Any) -> SubmitOutcome:  # noqa: ANN401
        outcome = whole(*args, **named)
        status = outcome.evidence.status if isinstance(outcome, Unknown) else None
        if isinstance(outcome, Unknown) and status is not None and status >= 500:
            return Refused(
                scope="later",
                error_class="service",
                code=str(status),
                message="",
                status=status,
                retry_after=None,
                evidence=outcome.evidence,
            )
        return outcome

    return _swap(http, "classify_submit", classify)


@_mutant("a lost reply counts as not sent")
def _lost_is_not_sent() -> AbstractContextManager[object]:
    kinds = (*http._BEFORE_ANY_BYTE, httpx.ReadError, httpx.RemoteProtocolError)  # noqa: SLF001
    return _swap(http, "_BEFORE_ANY_BYTE", kinds)


@_mutant("a retry goes around submit and poll together")
def _retry_around_all() -> AbstractContextManager[object]:
    whole = Watcher._trouble  # noqa: SLF001
    submitters: list[Submitter] = []
    made = Submitter.__init__

    def remember(self: Submitter, *args: Any, **named: Any) -> None:  # noqa: ANN401
        made(self, *args, **named)
        submitters.append(self)

    def trouble(
        self: Watcher, watched: Watched, outcome: PollTrouble, *, began: float
    ) -> None:
        if watched.faults >= 1 and self._bench.submitting:
            self._free(watched)
            submitters[-1].add([Purchase(wanted=watched.wanted)])
            return
        whole(self, watched, outcome, began=began)

    return _both(
        _swap(Submitter, "__init__", remember), _swap(Watcher, "_trouble", trouble)
    )


@contextmanager
def _both(*patches: AbstractContextManager[object]) -> Iterator[None]:
    first, second = patches
    with first, second:
        yield


@_mutant("held jobs are bought again by the next run")
def _held_bought_again() -> AbstractContextManager[object]:
    actions = {**planner._GO_ON, Phase.HELD: (Action.SUBMIT, "try again")}  # noqa: SLF001
    return _swap(planner, "_GO_ON", actions)


@_mutant("an overdue job is bought again")
def _overdue_bought_again() -> AbstractContextManager[object]:
    actions = {**planner._GO_ON, Phase.OVERDUE: (Action.SUBMIT, "it took too long")}  # noqa: SLF001
    return _swap(planner, "_GO_ON", actions)


@_mutant("ids are made of the place in the manifest")
def _index_based_ids() -> AbstractContextManager[object]:
    whole = planner.as_planned

    def planned(job: Any, manifest: Any) -> JobPlanned:  # noqa: ANN401
        place = f"{job.spec}/{job.index}/{job.repeat}"
        text = base64.b32encode(place.encode()).decode().lower().strip("=")
        job_id = JobId(text.ljust(20, "a")[:20])
        return msgspec.structs.replace(whole(job, manifest), job=job_id)

    return _swap(errand, "as_planned", planned)


# ---- Money and limits


@_mutant("the budget is counted when a task is accepted, not when it is intended")
def _budget_settled_late() -> AbstractContextManager[object]:
    reserves, charges = budget.Purse.reserve, budget.charge_of

    def reserve(self: budget.Purse, job: JobPlanned, at: str) -> budget.Ticket:
        ticket = reserves(self, job, at)
        self.intended(ticket)  # which sets nothing aside any more
        return ticket

    def charge_of(attempt: Attempt, shape: str) -> budget.Charge | None:
        return charges(attempt, shape) if attempt.accepted is not None else None

    return _both(
        _swap(budget.Purse, "reserve", reserve), _swap(budget, "charge_of", charge_of)
    )


@_mutant("what may have been bought is forgotten by the next run's budget")
def _budget_of_one_run() -> AbstractContextManager[object]:
    from foxbatch.state import BatchState

    return _swap(BatchState, "bought", lambda _self: 0)


@_mutant("a slot is free again as soon as the task is accepted")
def _slot_freed_early() -> AbstractContextManager[object]:
    whole = Submitter._settle  # noqa: SLF001

    def settled(self: Submitter, *known: Any, **more: Any) -> None:  # noqa: ANN401
        whole(self, *known, **more)
        if isinstance(known[2], Accepted):
            self._bench.governor.in_flight.release()

    return _swap(Submitter, "_settle", settled)


@_mutant("the pace is kept on average, with bursts")
def _bursts() -> AbstractContextManager[object]:
    def started(self: Pacer, now: float, at_most: float = math.inf) -> None:
        del at_most
        self.opens_at = max(self.opens_at, now - 2) + self.gap_s

    return _swap(Pacer, "started", started)


@_mutant("downloads take no slot")
def _endless_downloads() -> AbstractContextManager[object]:
    made = Governor.__init__

    def governor(self: Governor, limits: Any, **named: Any) -> None:  # noqa: ANN401
        made(self, limits, **named)
        self.downloads = Slots(10**6)

    return _swap(Governor, "__init__", governor)


@_mutant("a halt does not stop what is queued")
def _halt_ignored() -> AbstractContextManager[object]:
    whole = bench.Bench.halt_submitting

    def halt(self: bench.Bench, why: Any) -> None:  # noqa: ANN401
        whole(self, why)
        self.submitting = True

    return _swap(bench.Bench, "halt_submitting", halt)


@_mutant("Ctrl-C does not stop what is about to leave")
def _stop_ignored() -> AbstractContextManager[object]:
    async def drain(self: Submitter) -> None:
        await anyio.sleep(submit.GRACE_S)
        self._bench.submitting = False

    def may_leave(self: Submitter, now: float) -> bool:
        gate = self._bench.gate
        return self._bench.submitting and gate.opens(
            now, under_way=len(self._under_way)
        )

    return mock.patch.multiple(Submitter, drain=drain, _may_leave=may_leave)


# ---- Polls and files


@_mutant("a missing task is a failed task")
def _missing_is_failed() -> AbstractContextManager[object]:
    from foxbatch.events import JobFailed

    def end(self: Watcher, watched: Watched, why: str) -> None:
        failed = JobFailed(
            job=watched.wanted.job,
            attempt=watched.attempt,
            error_class="unknown",
            code=why,
        )
        self._bench.book.record(failed, durable=True)
        self._free(watched)
        self._bench.close(watched.wanted.job)

    return _swap(Watcher, "_end", end)


@_mutant("a download that ends early is taken for the file")
def _no_length_check() -> AbstractContextManager[object]:
    judge = download._judge  # noqa: SLF001

    class Quiet(httpx.AsyncByteStream):
        """A body that ends where the connection does."""

        def __init__(self, inner: Any) -> None:  # noqa: ANN401
            self._inner = inner

        async def __aiter__(self) -> Any:  # noqa: ANN401
            try:
                async for piece in self._inner:
                    yield piece
            except httpx.TransportError:
                return

        async def aclose(self) -> None:
            await self._inner.aclose()

    receive = download._receive  # noqa: SLF001

    async def received(response: httpx.Response, *rest: Any) -> Fetched | FetchFailed:  # noqa: ANN401
        response.stream = Quiet(response.stream)
        return await receive(response, *rest)

    def judged(*known: Any) -> Any:  # noqa: ANN401
        target, kind, content_type, _total = known
        return judge(target, kind, content_type, None)

    return mock.patch.multiple(download, _receive=received, _judge=judged)


@_mutant("a page in the place of a file is taken for the file")
def _page_is_a_file() -> AbstractContextManager[object]:
    return _swap(download, "is_page", lambda *_: False)


@_mutant("files are not fsynced before they get their name")
def _files_not_fsynced() -> AbstractContextManager[object]:
    return _swap(Store, "_sync", lambda *_: None)


@_mutant("a success is told before the file is stored")
def _success_first() -> AbstractContextManager[object]:
    async def nothing(_self: fetch.Fetcher, _fetch: fetch.Fetch) -> None:
        return

    return _swap(fetch.Fetcher, "_store_all", nothing)


@_mutant("what was overdue is forgotten by the next run")
def _overdue_forgotten() -> AbstractContextManager[object]:
    actions = {**planner._GO_ON, Phase.OVERDUE: (Action.KEEP, "overdue")}  # noqa: SLF001
    return _swap(planner, "_GO_ON", actions)


@_mutant("when a task fails, the earlier attempts of its job are forgotten")
def _forgotten_early() -> AbstractContextManager[object]:
    failed = batch.Batch._failed  # noqa: SLF001

    def fail(self: batch.Batch, watched: Watched, failure_class: str) -> None:
        shop, job = self._bench, watched.wanted.job
        known = shop.book.state.jobs[job]
        known.attempts = {watched.attempt: known.attempts[watched.attempt]}
        failed(self, watched, failure_class)

    return _swap(batch.Batch, "_failed", fail)
