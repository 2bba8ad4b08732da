"""One run from plan to records: set up, hand to the runner, write down what came."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import msgspec

from foxbatch.access import SANDBOX_ORIGIN, Access
from foxbatch.api import summary
from foxbatch.api.beginning import (
    Audience,
    Beginning,
    Confirm,
    PaceAudience,
    ask,
    check_prices,
)
from foxbatch.api.choosing import unmatched
from foxbatch.api.elsewhere import look_elsewhere, same_origin, take_over
from foxbatch.api.errand import Errand, to_collect, to_run
from foxbatch.api.place import (
    Place,
    check_origin,
    starts,
)
from foxbatch.api.provenance import start_fact
from foxbatch.api.service import RunOptions, known_access, reached
from foxbatch.api.summary import RunSummary
from foxbatch.api.telling import reason
from foxbatch.api.wanted import Notice, Wanted, checked_jobs
from foxbatch.artifacts import Store
from foxbatch.budget import Projection, Purse
from foxbatch.canonical import JobId
from foxbatch.client import ServiceClient, without_secrets
from foxbatch.clock import Clock, SystemClock, to_text
from foxbatch.durable import network_file_system
from foxbatch.errors import LedgerError, UsageError, most_urgent
from foxbatch.events import JobPlanned, Origin, RunId, RunStarted
from foxbatch.experience import durations
from foxbatch.forecast import Forecast
from foxbatch.governor import Governor
from foxbatch.ledger import LedgerWriter, new_run_id, read_folder
from foxbatch.ledger_index import LedgerIndex
from foxbatch.lock import DirLock
from foxbatch.pace import PaceChange
from foxbatch.planner import (
    BUYS,
    Action,
    Elsewhere,
    Plan,
    collection,
    is_news,
    local_files,
    plan as plan_jobs,
)
from foxbatch.policy import Budget
from foxbatch.prices import canaries, prices
from foxbatch.results import in_order, tasks_in, write_jsonl
from foxbatch.runner import Bench, Book, Gate, GoOn, Outcome, StopButton, run_batch
from foxbatch.state import Phase


async def run(
    wanted: Wanted,
    options: RunOptions | None = None,
    *,
    audience: Sequence[Audience] = (),
    confirm: Confirm | None = None,
    go_on: GoOn | None = None,
    stop: StopButton | None = None,
    clock: Clock | None = None,
    notice: Notice | None = None,
) -> RunSummary:
    """Run a manifest, or go on with it: what is done or under way is not bought again.

    Nothing is sent before every job is checked. Cancelling it leaves a fact for every
    submission under way and leaves remote tasks running; the same call goes on.

    Args:
        wanted: From `load_manifest`.
        options: Beyond the manifest.
        audience: Told about everything that happens.
        confirm: Asked before a run that costs money, unless `yes` is set. Where nobody
            can be asked, a budget will do.
        go_on: With `canary`, told what the rest is thought to cost, and asked whether
            it is to be bought; without it `yes` decides.
        stop: Ends the run early when it is pressed.
        clock: Time; it must agree with the event loop's.
        notice: Told what is valid and probably not meant, before anything is sent.

    Raises:
        InvalidError: A job is not valid. Nothing was sent.
        UsageError: The key, the address or the consent to pay is missing.
        RunDirError: The run directory is locked, damaged, or somebody else's.
    """
    options = options or RunOptions()
    errand = to_run(wanted, options, checked_jobs(wanted, notice))
    for error in unmatched(options.choice, errand.wanted or ()):
        raise error
    place = errand.place
    place.check(home=None if options.out else place.path.parent.parent)
    with DirLock(place.path) as lock:
        started = _Run(
            errand,
            options,
            audience,
            lock,
            confirm=confirm,
            go_on=go_on,
            stop=stop,
            clock=clock,
        )
        return await started.carry_out()


async def collect(
    run_dir: Path,
    options: RunOptions | None = None,
    *,
    audience: Sequence[Audience] = (),
    stop: StopButton | None = None,
    clock: Clock | None = None,
) -> RunSummary:
    """Poll and download everything that was bought there; submit nothing.

    It needs the run directory alone, so it also works on another machine.

    Raises:
        UsageError: The key or the address is missing.
        RunDirError: The run directory is locked, damaged, or somebody else's.
    """
    options = options or RunOptions()
    place = Place(run_dir)
    place.check()
    with DirLock(place.path) as lock:
        errand = to_collect(place, read_folder(place.ledger).state)
        started = _Run(errand, options, audience, lock, stop=stop, clock=clock)
        return await started.carry_out()


class _Run:
    """One run in a directory whose lock is held."""

    def __init__(
        self,
        errand: Errand,
        options: RunOptions,
        audience: Sequence[Audience],
        lock: DirLock,
        *,
        confirm: Confirm | None = None,
        go_on: GoOn | None = None,
        stop: StopButton | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._errand, self._lock = errand, lock
        self._options = options
        self._audience = audience
        self._confirm = confirm
        self._go_on: GoOn = go_on or self._agreed
        self._most = Budget(credits=options.max_credits, per="run")
        self._budgets = (errand.budget, self._most)
        self._stop = stop or StopButton()
        self._clock = clock or SystemClock()
        self._began = self._clock.monotonic()
        self._reading = read_folder(errand.place.ledger)
        self._elsewhere: dict[JobId, Elsewhere] = {}
        self._plan = self._make_plan()

    async def _agreed(self, _rest: Projection) -> bool:
        return self._options.yes

    def _make_plan(self) -> Plan:
        errand, state = self._errand, self._reading.state
        if errand.wanted is None:
            return collection(state)
        choice = self._options.choice
        return plan_jobs(
            errand.wanted,
            state,
            retry=errand.retry,
            order=errand.order,
            choice=choice,
            elsewhere=self._elsewhere,
        )

    def _look_elsewhere(self, origin: Origin) -> None:
        """Find what other directories have bought, unless that is to be ignored."""
        if not self._options.choice.fresh:
            ours = same_origin(origin, any_account=self._options.same_account)
            self._elsewhere = look_elsewhere(self._errand.place, self._plan, ours)
            self._plan = self._make_plan()

    async def carry_out(self) -> RunSummary:
        """Do what is to be done and return what it came to."""
        errand, state = self._errand, self._reading.state
        entry = known_access(errand.provider, self._options)
        origin = SANDBOX_ORIGIN if entry is None else entry.origin
        same_account = self._options.same_account
        check_origin(errand.place, state, origin, same_account=same_account)
        self._look_elsewhere(origin)
        reused = sum(job.phase is Phase.DONE for job in self._plan.jobs)
        self._check_files()
        beginning = self._beginning(entry)
        for listener in self._audience:
            listener.begins(beginning)
        news = self._news()
        known = [started.origin for started in starts(state)]
        settled = not known or origin in known
        if settled and not news and not self._has_work():
            return self._summary(None, RunId(""), reused)
        self._check_memory()
        self._check_requests(entry)
        check_prices(self._plan.estimate, self._budgets, self._options)
        Store(errand.place.path).check(
            job.wanted.output
            for job in self._plan.with_action(*_WORK, Action.ELSEWHERE)
        )
        ask(beginning, self._options, self._confirm)
        with reached(errand.provider, self._options, errand.place, entry) as found:
            outcome, run = await self._work(found, origin, news)
        return self._summary(outcome, run, reused)

    def _has_work(self) -> bool:
        there = (job.elsewhere for job in self._plan.jobs)
        comes = any(one is not None and one.comes_over for one in there)
        return comes or bool(self._plan.with_action(*_WORK))

    def _check_files(self) -> None:
        """Raise `UsageError` for a local file, which nothing can upload yet."""
        for job in self._plan.with_action(*BUYS):
            for parameter, path in local_files(job.wanted):
                raise UsageError(
                    f"{job.wanted.spec}/{job.wanted.name} needs the file {path} for "
                    f"{parameter}, and uploads are not built yet",
                    hint="Give the address (URL) of the file instead; --only runs the "
                    "jobs that need none.",
                )

    def _check_memory(self) -> None:
        """Raise `LedgerError` where a job was bought and no ledger file says so."""
        state, place = self._reading.state, self._errand.place
        buys = {job.id: job.wanted.name for job in self._plan.with_action(*BUYS)}
        lost = {
            job: task
            for job, task in (tasks_in(place.results) if buys else ())
            if job in buys and task not in state.tasks
        }
        if lost:
            job, task = next(iter(lost.items()))
            more = f", and {len(lost) - 1} more" if len(lost) > 1 else ""
            raise LedgerError(
                f"{place.results} tells of task {task} of {buys[job]} ({job}){more}, "
                "and no ledger file does: one is missing, or an older copy has taken "
                "its place",
                hint="Put the longest copy of each file back into ledger/, or write "
                "the tasks down again with `foxbatch recover --from-log`. Without "
                "results.jsonl they are bought again.",
            )

    def _check_requests(self, entry: Access | None) -> None:
        """Raise `UsageError` rather than send the key in a prompt or parameter."""
        if entry is None or entry.key is None:
            return
        secrets = (entry.key.reveal(),)
        for job in self._plan.with_action(*BUYS):
            sent = msgspec.json.encode(job.wanted.request).decode()
            if without_secrets(sent, secrets) != sent:
                # Not by its name: that begins with the first words of the prompt.
                raise UsageError(
                    f"job {job.id} of {job.wanted.spec!r} would send the API key in "
                    "its request",
                    hint="Remove it from the manifest, or from the file it is read "
                    "from, and make a new key: this one may have been committed.",
                )

    def _beginning(self, entry: Access | None) -> Beginning:
        errand, state = self._errand, self._reading.state
        known, buys = prices(state), self._plan.with_action(*BUYS)
        first = canaries([job.wanted for job in buys], known)
        moment = to_text(self._clock.now())
        purse = Purse(self._budgets, state, RunId(""))
        return Beginning(
            run_dir=errand.place.path,
            name=errand.name,
            provider=errand.provider.id,
            base_url=entry.base_url if entry is not None else "",
            paid=errand.provider.paid and entry is not None and not entry.is_loopback,
            plan=self._plan,
            limits=errand.limits,
            phases={job.id: job.phase for job in self._plan.jobs},
            canaries=len(first) if self._options.canary else 0,
            spending=purse.spending(moment),
            torn=tuple(self._reading.torn),
            network=network_file_system(errand.place.path),
        )

    def _news(self) -> list[JobPlanned]:
        """Return the wanted jobs that no ledger file describes as they are now."""
        known = self._reading.state.jobs
        return [
            job
            for job in self._errand.wanted or ()
            if is_news(job, known[job.job].planned if job.job in known else None)
        ]

    async def _work(
        self, entry: Access, origin: Origin, news: Sequence[JobPlanned]
    ) -> tuple[Outcome, RunId]:
        errand, clock = self._errand, self._clock
        kept = {**errand.kept, errand.provider.sha256: errand.provider.content}
        for digest, content in kept.items():
            errand.place.keep(digest, content)
        run = new_run_id()
        writer = LedgerWriter(errand.place.ledger, run, clock)
        observers = [listener.happened for listener in self._audience]
        book = Book(writer, self._reading.state, observers)
        try:
            started = self._started(origin)
            book.record(started, *news, durable=True)
            await self._take_over(book, who=started.actor)
            collects = errand.wanted is None
            client = ServiceClient(
                errand.provider, entry, clock=clock, reads_only=collects
            )
            async with client:
                outcome = await run_batch(
                    self._bench(book, client),
                    self._plan,
                    most=_bound(self._options.max_new),
                    detach=self._options.detach,
                    stop_after_s=_bound(self._options.stop_after_s),
                    go_on=self._go_on if self._options.canary else None,
                )
        finally:
            writer.close()
        return outcome, run

    async def _take_over(self, book: Book, *, who: str) -> None:
        place, stop = self._errand.place.path, self._stop
        missing = await take_over(
            self._plan, book, Store(place), place, who=who, stop=stop
        )
        for job in missing:
            del self._elsewhere[job]
        self._plan = self._make_plan()

    def _bench(self, book: Book, client: ServiceClient) -> Bench:
        errand, clock, rng = self._errand, self._clock, random.Random()
        return Bench(
            book=book,
            client=client,
            provider=errand.provider,
            store=Store(errand.place.path),
            run_dir=errand.place.path,
            governor=Governor(errand.limits, clock=clock, on_change=self._paced),
            clock=clock,
            retry=errand.retry,
            poll=errand.poll,
            budget=errand.budget,
            rng=rng,
            stop=self._stop,
            gate=Gate(errand.retry),
            submitting=errand.wanted is not None,
            forecast=self._forecast(rng),
            most=self._most,
            fail_fast=self._options.fail_fast,
            allow_unpriced=self._options.allow_unpriced,
            holds_lock=self._lock.holds,
        )

    def _forecast(self, rng: random.Random) -> Forecast:
        polling = self._errand.provider.polling
        forecast = Forecast(
            least_gap_s=polling.interval_s, first_s=polling.first_s, rng=rng
        )
        if not self._errand.provider.embedded:  # which may be faster or slower today
            for kind, took_s in durations(self._reading.state).items():
                forecast.remember(kind, took_s)
        return forecast

    def _paced(self, change: PaceChange) -> None:
        for listener in self._audience:
            if isinstance(listener, PaceAudience):
                listener.paced(change)

    def _started(self, origin: Origin) -> RunStarted:
        errand = self._errand
        retry = asdict(errand.retry)
        policy = {
            "limits": asdict(errand.limits),
            "retry": retry | {"classes": sorted(errand.retry.classes)},
            "poll": asdict(errand.poll),
            "budget": asdict(errand.budget),
            "max_credits": self._options.max_credits,
            "order": errand.order,
        }
        return start_fact(
            origin,
            folder=errand.folder,
            environ=self._options.environ,
            manifests=errand.manifests,
            provider_sha256=errand.provider.sha256,
            policy=policy,
            overrides=errand.overrides,
        )

    def _summary(self, outcome: Outcome | None, run: RunId, reused: int) -> RunSummary:
        """Look at every job once more, write its record, and say what it came to."""
        errand, reading = self._errand, self._reading
        if outcome is None:
            jobs, names = in_order(reading.state, errand.wanted), reading.names
        else:  # the run has forgotten what its jobs lived through
            wanted = (job.job for job in errand.wanted or ())
            index = LedgerIndex(errand.place.ledger, wanted)
            jobs, names = index.jobs(), index.names
        digest = summary.Digest(run, names=names, selects=self._selects())
        write_jsonl(digest.records(jobs, errand.wanted), errand.place.results)
        detached = outcome is not None and outcome.reason == "detached"
        code = digest.exit_code(errand.accept, detached=detached)
        code = most_urgent(code, summary.code_of_others(self._plan))
        if outcome is not None:
            code = most_urgent(code, outcome.exit_code)
        return RunSummary(
            run_dir=errand.place.path,
            exit_code=code,
            reason=reason(outcome, code, failed=digest.counts.get(Phase.FAILED, 0)),
            counts=digest.counts,
            submitted=outcome.accepted if outcome is not None else 0,
            reused=reused,
            duration_s=self._clock.monotonic() - self._began,
            credits=digest.credits,
            next=digest.next_commands(errand.place.path, errand.command),
            problems=(
                *digest.loud(reading.torn),
                *summary.left_elsewhere(self._plan),
            ),
        )

    def _selects(self) -> Callable[[JobId], bool]:
        """Return what tells the jobs that were asked for from others."""
        wanted = self._errand.wanted
        if wanted is None:
            return lambda _: True
        names = {job.job for job in wanted if self._options.choice.selects(job)}
        return names.__contains__


_WORK = (*BUYS, Action.ADOPT, Action.DOWNLOAD)


def _bound(number: float | None) -> float:
    return math.inf if number is None else number
