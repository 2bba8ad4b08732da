"""Downloads results, the ones that vanish first before the others."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import anyio

from foxbatch.artifacts import Partial, media_facts, mismatches, verify_stored
from foxbatch.client import Fetched, FetchFailed
from foxbatch.clock import to_text
from foxbatch.errors import LedgerError, RunDirError
from foxbatch.events import (
    EXPIRED,
    ArtifactStored,
    AttemptId,
    JobFailed,
    JobPlanned,
    JobSucceeded,
    ResultItem,
    ResultsSeen,
    WatchEnded,
)
from foxbatch.runner.bench import Bench
from foxbatch.runner.watch import Watched

_ASK_AGAIN_AT_MOST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """The results of one finished task, still to be stored."""

    watched: Watched
    results: ResultsSeen
    credits: float | None
    tries: int = 0

    @property
    def wanted(self) -> JobPlanned:
        """The job."""
        return self.watched.wanted

    @property
    def attempt(self) -> AttemptId:
        """The attempt that made the task."""
        return self.watched.attempt


class Fetcher:
    """Stores what finished tasks offer.

    Args:
        bench: What the run shares.
        ask_again: Told about tasks whose addresses have to be asked for once more.
    """

    def __init__(self, bench: Bench, ask_again: Callable[[Watched], None]) -> None:
        self._bench = bench
        self._ask_again = ask_again
        self._queue: list[tuple[str, int, Fetch]] = []
        self._later: list[tuple[float, int, Fetch]] = []
        self._ties = itertools.count()
        self._changed = anyio.Event()
        # Which results came as nothing that is known, once.
        self._strange: set[tuple[AttemptId, int]] = set()

    def add(self, watched: Watched) -> None:
        """Queue the results of a finished task, which are in the book already."""
        known = self._bench.book.state.jobs[watched.wanted.job]
        attempt = known.attempts[watched.attempt]
        results = attempt.results
        if results is None:
            raise ValueError(f"no results of {watched.attempt} are recorded")
        self._push(Fetch(watched=watched, results=results, credits=attempt.credits))

    def _push(self, fetch: Fetch) -> None:
        entry = (fetch.results.valid_until, next(self._ties), fetch)
        heapq.heappush(self._queue, entry)
        self._changed.set()
        self._changed = anyio.Event()

    async def work(self) -> None:
        """Download until cancelled. Files that are not whole are left as partial."""
        async with anyio.create_task_group() as tasks:
            while True:
                while not self._due():
                    await self._change()
                # The slot first: the most urgent is chosen when it can begin.
                await self._bench.governor.downloads.acquire()
                tasks.start_soon(self._fetch, heapq.heappop(self._queue)[2])

    def _due(self) -> bool:
        """Return whether anything can be fetched now."""
        now = self._bench.clock.monotonic()
        while self._later and self._later[0][0] <= now:
            self._push(heapq.heappop(self._later)[2])
        return bool(self._queue)

    async def _change(self) -> None:
        due = self._later[0][0] if self._later else math.inf
        with anyio.move_on_after(due - self._bench.clock.monotonic()):
            await self._changed.wait()

    async def _fetch(self, fetch: Fetch) -> None:
        bench = self._bench
        try:
            failure = await self._store_all(fetch)
        except LedgerError:
            raise
        except RunDirError as error:
            # The ledger may still have room: POSTs under way get their few seconds.
            bench.fail(error)
            return
        finally:
            bench.governor.downloads.release()
        if failure is not None:
            self._after(fetch, failure)
            return
        succeeded = JobSucceeded(
            job=fetch.wanted.job, attempt=fetch.attempt, credits=fetch.credits
        )
        bench.book.record(succeeded, durable=True)
        bench.close(fetch.wanted.job)

    async def _store_all(self, fetch: Fetch) -> FetchFailed | None:
        """Store every item that is not stored yet; return what stands in the way."""
        known = self._bench.book.state.jobs[fetch.wanted.job]
        stored = known.attempts[fetch.attempt].artifacts
        for number, item in enumerate(fetch.results.items, start=1):
            if number in stored and self._is_there(stored[number]):
                continue
            failure = await self._store(fetch, number, item)
            if failure is not None:
                return failure
        return None

    def _is_there(self, stored: ArtifactStored) -> bool:
        fault = verify_stored(
            self._bench.run_dir,
            path=stored.path,
            sha256=stored.sha256,
            size_bytes=stored.bytes,
        )
        return fault is None

    async def _store(
        self, fetch: Fetch, number: int, item: ResultItem
    ) -> FetchFailed | None:
        bench, wanted = self._bench, fetch.wanted
        name = number if len(fetch.results.items) > 1 else None
        if item.url is None:
            kept = bench.store.keep_json(
                item.extras, wanted.output, wanted.job, item=name
            )
        else:
            partial = bench.store.partial(wanted.job, number)
            got = await self._download(fetch, number, item.url, partial)
            if isinstance(got, FetchFailed):
                return got
            kept = bench.store.keep(
                partial, wanted.output, wanted.job, extension=got.extension, item=name
            )
        media = media_facts(bench.run_dir / kept.path, wanted.kind)
        bench.book.record(
            ArtifactStored(
                job=wanted.job,
                attempt=fetch.attempt,
                item=number,
                path=kept.path,
                sha256=kept.sha256,
                bytes=kept.bytes,
                media=media,
                mismatch=tuple(mismatches(media, wanted.request, kind=wanted.kind)),
            ),
            # The last one is followed at once by the fact that the job is done.
            durable=number < len(fetch.results.items),
        )
        return None

    async def _download(
        self, fetch: Fetch, number: int, url: str, partial: Partial
    ) -> Fetched | FetchFailed:
        """Fetch one file, once."""
        kind, result = fetch.wanted.kind, (fetch.attempt, number)
        got = await self._bench.client.download(url, partial, expect_kind=kind)
        strange = isinstance(got, Fetched) and not got.recognised
        # It may be a new kind of file: the second time it is believed.
        if strange and result not in self._strange:
            self._strange.add(result)
            partial.reset()
            return FetchFailed(f"what came is no {kind} that is known")
        return got

    def _again(self, fetch: Fetch) -> bool:
        """Queue *fetch* once more after a wait, unless patience has ended."""
        bench, tries = self._bench, fetch.tries + 1
        now, ends = bench.clock.monotonic(), fetch.watched.since + bench.poll.wait_s
        if now >= ends:
            return False
        due = min(now + bench.retry.delay_s(tries, bench.rng), ends)
        again = replace(fetch, tries=tries)
        heapq.heappush(self._later, (due, next(self._ties), again))
        self._changed.set()
        self._changed = anyio.Event()
        return True

    def _after(self, fetch: Fetch, failure: FetchFailed) -> None:
        """Decide what an undownloadable result means: hardly ever that it is lost."""
        bench, watched = self._bench, fetch.watched
        if not (failure.permanent or failure.expired) and self._again(fetch):
            return
        if failure.permanent and watched.asked_again < _ASK_AGAIN_AT_MOST:
            watched.asked_again += 1
            self._ask_again(watched)
            return
        until = fetch.results.valid_until
        job, attempt = fetch.wanted.job, fetch.attempt
        if failure.expired and to_text(bench.clock.now()) > until:
            message = f"the service kept the results until {until}: {failure.reason}"
            lost = JobFailed(
                job=job, attempt=attempt, error_class=EXPIRED, message=message
            )
            bench.book.record(lost, durable=True)
        else:
            watched_s = round(bench.clock.monotonic() - watched.since, 3)
            ended = WatchEnded(
                job=job,
                attempt=attempt,
                watched_s=watched_s,
                why="download",
                message=failure.reason,
            )
            bench.book.record(ended)
        bench.close(fetch.wanted.job)
