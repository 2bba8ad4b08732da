"""A run without sockets: real ledger, real client, and a service behind a door."""

from __future__ import annotations

import errno
import itertools
import json
import math
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import anyio
import httpx
import msgspec

from foxbatch.access import SANDBOX_ORIGIN, decide
from foxbatch.artifacts import Store
from foxbatch.canonical import JobId
from foxbatch.client import ServiceClient
from foxbatch.errors import Problem
from foxbatch.events import Event, JobPlanned, RunId, RunStarted, word
from foxbatch.forecast import Forecast
from foxbatch.governor import Governor
from foxbatch.ledger import LedgerReading, LedgerWriter, new_run_id, read_folder
from foxbatch.manifest import parse_manifest
from foxbatch.matrix import expand
from foxbatch.planner import Choice, Plan, as_planned, is_news, plan
from foxbatch.policy import Budget, Limits, PollPolicy, RetryPolicy
from foxbatch.provider import AccountRoutes, Polling, Provider, load_provider
from foxbatch.runner import (
    Bench,
    Book,
    Gate,
    GoOn,
    Observer,
    Outcome,
    StopButton,
    run_batch,
)
from foxbatch.sandbox import Recipe, Sandbox, SandboxTransport
from foxbatch.state import BatchState, Phase, fold
from tests.conftest import LoopClock

BASE_URL = "http://127.0.0.1:8"
UNPACED = 1e300
"""Requests per second, so many that a turn takes no time."""

FILM = b"\0\0\0\x18ftypisom" + bytes(range(256)) * 4
"""Known by its first bytes as a film, and quickly made."""

_SANDBOX = load_provider("sandbox", base=Path())
SERVICE: Provider = replace(
    _SANDBOX,
    polling=Polling(first_s=5, interval_s=5),
    # Its estimates would move the first question about each task away from 5 s.
    answers=replace(_SANDBOX.answers, estimate=()),
    # Nor does a look at the account take a turn, except where a test is about it.
    account=AccountRoutes(),
)
ACCOUNT = _SANDBOX.account

TOO_LONG_S = 7 * 86_400
"""Virtual seconds after which a run is taken to have stuck."""


@dataclass(frozen=True)
class Reply:
    """An answer that the service gives instead of its own."""

    status: int
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Late:
    """An answer or an error that takes some seconds to come."""

    after_s: float
    what: Exception | Reply


FILM_REPLY = Reply(200, FILM, {"Content-Type": "video/mp4"})
LOST = httpx.ReadError("the connection was aborted")
UNREACHABLE = httpx.ConnectError("connection refused")

Step: TypeAlias = Exception | Reply | Late | float | None
"""What a request meets: an error, an answer, a wait in seconds, or nothing special."""

Door: TypeAlias = Callable[[httpx.Request], Awaitable[httpx.Response | None]]


def kind_of(request: httpx.Request) -> str:
    """Return `post`, `poll` or `file`."""
    if request.method == "POST":
        return "post"
    return "poll" if request.url.path.startswith("/v1/tasks/") else "file"


def meets(**steps: Iterable[Step]) -> Door:
    """Return a door where the n-th request of a kind meets the n-th step.

    Requests for which no step is left reach the service.
    """
    rest: dict[str, Iterator[Step]] = {kind: iter(s) for kind, s in steps.items()}

    async def door(request: httpx.Request) -> httpx.Response | None:
        step = next(rest.get(kind_of(request), iter(())), None)
        if isinstance(step, Late):
            await anyio.sleep(step.after_s)
            step = step.what
        if isinstance(step, Exception):
            raise step
        if isinstance(step, Reply):
            return response(step)
        if step is not None:
            await anyio.sleep(step)
        return None

    return door


def response(reply: Reply) -> httpx.Response:
    """Return *reply* as httpx sees it, fresh each time."""
    content = reply.body if isinstance(reply.body, bytes) else b""
    if reply.body is not None and not content:
        content = json.dumps(reply.body).encode()
    headers = {"Content-Type": "application/json", **reply.headers}
    return httpx.Response(reply.status, headers=headers, content=content)


def always(step: Step) -> Iterable[Step]:
    """Return endless equal steps."""
    return itertools.repeat(step)


@dataclass(frozen=True)
class Sent:
    """One request as it left."""

    at: float
    kind: str
    path: str
    query: str


class Service(httpx.AsyncBaseTransport):
    """The sandbox, behind a door where a test may answer instead.

    Attributes:
        sent: Every request, in the order in which they left.
        reply_takes_s: Seconds from what the service did to its reply to a POST.
    """

    def __init__(self, sandbox: Sandbox | None = None) -> None:
        self.sandbox = sandbox or Sandbox()
        self.sent: list[Sent] = []
        self.door: Door = meets()
        self.reply_takes_s = 0.0
        started = LoopClock.start.timestamp()
        self.inner = SandboxTransport(
            self.sandbox, now=lambda: started + anyio.current_time(), media=_film
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        kind, url = kind_of(request), request.url
        self.sent.append(Sent(anyio.current_time(), kind, url.path, url.query.decode()))
        answer = await self.door(request)
        if answer is not None:
            return answer
        answer = await self.inner.handle_async_request(request)
        if kind == "post" and self.reply_takes_s:
            await anyio.sleep(self.reply_takes_s)
        return answer

    def times(self, *kinds: str) -> list[float]:
        """Return when requests of these *kinds* left."""
        return [round(sent.at, 3) for sent in self.sent if sent.kind in kinds]

    @property
    def creations(self) -> list[int]:
        """How many tasks were made for each different request."""
        return list(self.sandbox.takes.values())


def _film(_recipe: Recipe) -> bytes:
    return FILM


def jobs_of(*prompts: str) -> list[JobPlanned]:
    """Return one job for each of *prompts*, as a manifest's expansion gives them."""
    text = {
        "foxbatch": 1,
        "name": "sweep",
        "provider": "sandbox",
        "defaults": {
            "model": "veo-3.1-fast",
            "params": {"duration": 4, "resolution": "720p", "generate_audio": False},
        },
        "jobs": [{"id": "clip", "prompts": list(prompts)}],
    }
    manifest = parse_manifest(json.dumps(text).encode(), path=None, shown_as="m.yaml")
    problems: list[Problem] = []
    found = [
        as_planned(job, manifest.sha256)
        for job in expand(manifest, SERVICE, problems.append)
    ]
    assert len(found) == len(prompts), problems
    return found


def many(count: int, story: str = "") -> list[JobPlanned]:
    """Return *count* jobs that all tell the same *story* of the sandbox."""
    return jobs_of(*(f"Fox number {n} {story}".strip() for n in range(count)))


RUN = RunId("run")


def state_of(*facts: Event) -> BatchState:
    """Fold *facts* as the ledger would stamp them, one second after the other."""
    return fold(
        msgspec.structs.replace(
            fact, v=1, seq=seq, run=RUN, at=f"2026-01-01T00:00:{seq:02d}.000Z"
        )
        for seq, fact in enumerate(facts, start=1)
    )


@dataclass(frozen=True)
class Ran:
    """What a run left behind.

    Attributes:
        outcome: How it ended.
        facts: What it recorded, in order.
        state: What all files of the folder say, read from the disk.
        governor: As the run left it.
        book: What it had in mind at its end.
    """

    outcome: Outcome
    facts: list[Event]
    state: BatchState
    governor: Governor
    book: Book

    @property
    def phases(self) -> dict[Phase, int]:
        """Jobs by phase."""
        return dict(Counter(self.state.phase(job) for job in self.state.jobs))

    @property
    def words(self) -> list[str]:
        """Names of the facts that are about jobs, in order."""
        return [word(fact) for fact in self.facts if hasattr(fact, "attempt")]

    def only(self, name: str) -> list[Event]:
        """Return the facts of that name."""
        return [fact for fact in self.facts if word(fact) == name]

    def phase_of(self, job: JobPlanned) -> Phase:
        """Return where *job* stands."""
        return self.state.phase(job.job)


def full_disk(_handle: int) -> None:
    """Fail as fsync does when nothing is left."""
    raise OSError(errno.ENOSPC, "No space left on device")


def no_sync(_handle: int) -> None:
    """Stand in for fsync where no test pulls the plug."""


@dataclass(kw_only=True)
class World:
    """A run directory and a service, for as many runs as a story needs.

    Attributes:
        go_on: Makes runs buy canaries first.
        fsync: Of the ledger.
        fsync_files: Of artifacts.
    """

    folder: Path
    service: Service = field(default_factory=Service)
    provider: Provider = SERVICE
    limits: Limits = field(
        default_factory=lambda: Limits(in_flight=8, requests_per_second=UNPACED)
    )
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    poll: PollPolicy = field(default_factory=PollPolicy)
    budget: Budget = field(default_factory=Budget)
    max_credits: float | None = None
    go_on: GoOn | None = None
    allow_unpriced: bool = False
    fail_fast: bool = False
    holds_lock: Callable[[], bool] = lambda: True
    most: float = math.inf
    detach: bool = False
    choice: Choice | None = None
    clock: LoopClock = field(default_factory=LoopClock)
    fsync: Callable[[int], None] = no_sync
    fsync_files: Callable[[int], None] = no_sync

    async def run(
        self,
        wanted: Iterable[JobPlanned],
        *,
        stop: StopButton | None = None,
        observe: Observer | None = None,
    ) -> Ran:
        """Do everything that is to be done about *wanted*, as one process would."""
        clock = self.clock
        state = self.reading().state
        jobs = list(wanted)
        todo = self.plan(jobs, state)
        facts: list[Event] = []
        observers = [facts.append] if observe is None else [facts.append, observe]
        access = decide(self.provider, environ={}, dotenv={}, base_url=BASE_URL)
        writer = LedgerWriter(
            self.folder / "ledger", new_run_id(), clock, fsync=self.fsync
        )
        book = Book(writer, state, observers)
        client = ServiceClient(
            self.provider, access, clock=clock, transport=self.service
        )
        try:
            news = [job for job in jobs if is_news(job, _planned(state, job.job))]
            book.record(RunStarted(origin=SANDBOX_ORIGIN), *news, durable=True)
            async with client:
                bench = self._bench(book, client, clock, stop or StopButton())
                with anyio.fail_after(TOO_LONG_S):
                    outcome = await run_batch(
                        bench,
                        todo,
                        most=self.most,
                        detach=self.detach,
                        go_on=self.go_on,
                    )
        finally:
            writer.close()
        return Ran(outcome, facts, self.reading().state, bench.governor, book)

    def plan(self, jobs: list[JobPlanned], state: BatchState) -> Plan:
        """Return what a run would do, in declared order."""
        return plan(jobs, state, retry=self.retry, order="declared", choice=self.choice)

    def _bench(
        self, book: Book, client: ServiceClient, clock: LoopClock, stop: StopButton
    ) -> Bench:
        return Bench(
            book=book,
            client=client,
            provider=self.provider,
            store=Store(self.folder, fsync=self.fsync_files),
            run_dir=self.folder,
            governor=Governor(self.limits, clock=clock),
            clock=clock,
            retry=self.retry,
            poll=self.poll,
            budget=self.budget,
            rng=random.Random(0),
            stop=stop,
            gate=Gate(self.retry),
            forecast=Forecast(
                least_gap_s=self.provider.polling.interval_s,
                first_s=self.provider.polling.first_s,
                rng=random.Random(0),
            ),
            most=Budget(credits=self.max_credits, per="run"),
            fail_fast=self.fail_fast,
            allow_unpriced=self.allow_unpriced,
            holds_lock=self.holds_lock,
        )

    def reading(self) -> LedgerReading:
        """Return what the ledger files say; every line of them is checked."""
        return read_folder(self.folder / "ledger")

    @property
    def files(self) -> list[Path]:
        """Stored artifacts, without what is on its way."""
        root = self.folder / "artifacts"
        return sorted(
            path
            for path in root.rglob("*")
            if path.is_file() and ".partial" not in path.parts
        )


def _planned(state: BatchState, job: JobId) -> JobPlanned | None:
    return state.jobs[job].planned if job in state.jobs else None
