"""A seed lived through: process after process, checked at every step and at the end."""

from __future__ import annotations

import hashlib
import json
import math
import random
import shutil
import tempfile
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import trio
import trio.testing

from foxbatch import api
from foxbatch.api.wanted import Wanted
from foxbatch.errors import (
    RunDirError,
    RunDirLockedError,
    UnreachableError,
    UsageError,
)
from foxbatch.events import Event
from foxbatch.lock import DirLock
from foxbatch.manifest import Manifest, parse_manifest
from foxbatch.planner import Choice
from foxbatch.provider import Provider, parse_provider
from foxbatch.runner import StopButton
from foxbatch.sandbox import Sandbox, SandboxOptions
from foxbatch.state import Phase
from tests.simulation.checks import Checks
from tests.simulation.disk import CrashedError, Disk
from tests.simulation.oracle import Live, Oracle, shown
from tests.simulation.process import START, Process, WallClock
from tests.simulation.scenario import Crash, Day, DiskFault, Scenario, Stop, draw
from tests.simulation.service import Network

BASE_URL = "http://127.0.0.1:8"
_MOST_S = 30 * 86_400.0
_PROMISED_S = 5.0
_CALM_DAYS = 5

_providers: dict[float, Provider] = {}


@dataclass
class Story:
    """What happened, for people who replay a seed; nothing is kept unless asked for."""

    loud: bool = False
    lines: list[str] = field(default_factory=list)

    def tell(self, text: str) -> None:
        """Add a line."""
        if self.loud:
            self.lines.append(f"{trio.current_time():10.3f}  {text}")


@dataclass(frozen=True)
class Lived:
    """What became of a seed.

    Attributes:
        violations: What must not have happened; empty for a good seed.
        tasks: How many tasks the service made.
        facts: How many facts were written.
        crashes: How often a process died.
        trace: A digest of all that happened: equal where a replay is exact.
    """

    seed: int
    violations: tuple[str, ...]
    tasks: int
    facts: int
    crashes: int
    processes: int
    trace: str
    story: tuple[str, ...]


def live(seed: int, *, loud: bool = False, scenario: Scenario | None = None) -> Lived:
    """Live through *seed* and return what became of it."""
    story = Story(loud)
    home = Path(tempfile.mkdtemp(prefix="foxbatch-", dir=_fast_folder()))
    clock = trio.testing.MockClock(autojump_threshold=0)
    world = World(scenario or draw(seed), home, story)
    try:
        with _deterministic(seed):
            trio.run(world.go, clock=clock)
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return world.lived()


def _fast_folder() -> str | None:
    memory = Path("/dev/shm")  # noqa: S108  a disk of memory, where there is one
    return str(memory) if memory.is_dir() else None


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Let trio choose among what can go on by the dice of this seed."""
    runner: Any = trio._core._run  # noqa: SLF001  as trio's own Hypothesis plugin does
    before = runner._ALLOW_DETERMINISTIC_SCHEDULING  # noqa: SLF001
    dice = runner._r.getstate()  # noqa: SLF001
    runner._ALLOW_DETERMINISTIC_SCHEDULING = True  # noqa: SLF001
    runner._r.seed(seed)  # noqa: SLF001
    try:
        yield
    finally:
        runner._ALLOW_DETERMINISTIC_SCHEDULING = before  # noqa: SLF001
        runner._r.setstate(dice)  # noqa: SLF001


def provider_of(polling_s: float) -> Provider:
    """Return the service as a provider file describes it; each is read once."""
    if polling_s not in _providers:
        written = {
            "foxbatch": 1,
            "like": "foxapi",
            "id": "service",
            "base_url": BASE_URL,
            "polling": {"first_s": polling_s, "interval_s": polling_s},
        }
        content = json.dumps(written).encode()
        _providers[polling_s] = parse_provider(
            content, shown_as="service.yaml", folder=None
        )
    return _providers[polling_s]


class World:
    """The service, the machine, and what is left of both between processes."""

    def __init__(self, scenario: Scenario, home: Path, story: Story) -> None:
        self.scenario, self.story = scenario, story
        self.rng = random.Random(f"world/{scenario.seed}")
        self.run_dir = home / "runs"
        self.manifest = Path("sweep.yaml")
        self.clock = WallClock()
        self.oracle = Oracle(scenario)
        self.disk = Disk(self.run_dir)
        self.disk.wrote, self.disk.synced = self._wrote, self.oracle.synced
        self.disk.refused = self.oracle.disk_refuses
        options = SandboxOptions(plan=scenario.plans[0], **scenario.service)
        self.sandbox = Sandbox(options, started_at=START.timestamp())
        self.provider = provider_of(scenario.polling_s)
        self.checks = Checks(self.oracle, self.sandbox, self.run_dir)
        self.crashes = self.processes = self.presses = 0
        self._digest = hashlib.sha256()
        self._manifests: dict[str, Manifest] = {}
        self._plan = 0

    def lived(self) -> Lived:
        """Return what became of it all."""
        return Lived(
            seed=self.scenario.seed,
            violations=tuple(self.oracle.violations),
            tasks=len(self.sandbox.tasks),
            facts=len(self.oracle.written),
            crashes=self.crashes,
            processes=self.processes,
            trace=self._digest.hexdigest()[:16],
            story=tuple(self.story.lines),
        )

    def true_now(self) -> float:
        """Return the time of the service, in Unix seconds."""
        return START.timestamp() + self.clock.true_s

    def _wrote(self, file: int, content: bytes) -> None:
        self._digest.update(f"{trio.current_time()!r}".encode() + content)
        self.oracle.wrote(file, content)

    async def go(self) -> None:
        """Live through all days, and then through calm ones until nothing is left."""
        async with trio.open_nursery() as beyond:
            self.network = Network(
                self.sandbox,
                self.oracle,
                now=self.true_now,
                beyond=beyond,
                rng=self.rng,
                latency_s=self.scenario.latency_s,
                tell=self.story.tell,
            )
            for day in self.scenario.days:
                if not self.oracle.violations:
                    await self._day(day)
                    self._next_plan()
            if not self.oracle.violations:
                await self._calm_days()
            beyond.cancel_scope.cancel()

    # ---- Days

    async def _day(self, day: Day) -> None:
        self.story.tell(f"=== {day}")
        await trio.sleep(day.pause_s)
        self.clock.skew_s = day.skew_s
        if day.settle and self.run_dir.exists():
            await self._settle(day)
        await self._work(day)

    def _next_plan(self) -> None:
        self._plan += 1
        plans = self.scenario.plans
        self._serve_with(plans[self._plan % len(plans)])

    def _serve_with(self, plan: Any, **changes: Any) -> None:  # noqa: ANN401
        from foxbatch.sandbox.faults import FaultState

        self.sandbox.options = replace(self.sandbox.options, plan=plan, **changes)
        if plan is not None and self.sandbox.faults is None:
            self.sandbox.faults = FaultState()

    async def _calm_days(self) -> None:
        """Let the service behave, and see that everything comes to its end."""
        self._serve_with(None, in_flight=None, requests_per_s=None)
        last = self.scenario.days[-1]
        calm = Day(command="run", jobs=last.jobs, pause_s=600.0)
        for _ in range(_CALM_DAYS):
            await self._day(calm)
            if self.oracle.violations or self.checks.all_is_over(self.true_now()):
                break
        if not self.oracle.violations:
            self.checks.the_end(self.true_now(), self._wanted(last))

    def _wanted(self, day: Day) -> Wanted:
        written = json.dumps({**self.scenario.manifest, "jobs": list(day.jobs)})
        if written not in self._manifests:
            self._manifests[written] = parse_manifest(
                written.encode(), path=self.manifest, shown_as=self.manifest.name
            )
        return Wanted(manifest=self._manifests[written], provider=self.provider)

    # ---- Processes

    async def _work(self, day: Day) -> None:
        stop = StopButton()
        run = day.command == "run"
        if not run and not any(r.started for r in self.oracle.state.runs.values()):
            return  # there is nothing to collect yet
        choice = Choice(retry_failed=frozenset({"*"} if day.retry_failed else ()))
        options = api.RunOptions(
            out=self.run_dir,
            yes=True,
            detach=day.detach,
            max_new=day.max_new,
            stop_after_s=day.stop_after_s,
            choice=choice,
            environ={},
        )
        pressed_at: list[float] = []

        def press() -> None:
            self.story.tell("--- told to stop")
            pressed_at.append(trio.current_time())
            if self.oracle.live is not None:
                self.oracle.live.stopped = True
            stop.press("interrupted")

        async def work() -> api.RunSummary:
            audience = [_Teller(self.story)]
            if run:
                return await api.run(
                    self._wanted(day),
                    options,
                    audience=audience,
                    stop=stop,
                    clock=self.clock,
                )
            return await api.collect(
                self.run_dir, options, audience=audience, stop=stop, clock=self.clock
            )

        at_steps = self._at_steps(day, press)
        live = Live(
            may_buy=run,
            max_new=math.inf if day.max_new is None else day.max_new,
            retry_failed=day.retry_failed,
        )
        summary = await self._process(work, live, day.end, at_steps)
        if pressed_at and trio.current_time() - pressed_at[0] > _PROMISED_S:
            took_s = trio.current_time() - pressed_at[0]
            self.oracle.blame(f"it took {took_s:.1f} s to stop")
        if summary is not None and not self.oracle.violations:
            self.checks.summary(summary)

    def _at_steps(
        self, day: Day, press: Callable[[], None]
    ) -> dict[int, Callable[[], None]]:
        plans: dict[int, Callable[[], None]] = {}
        for nth, lasts_s in day.naps:
            plans[nth] = lambda lasts_s=lasts_s: self._nap(lasts_s)  # type: ignore[misc]
        if day.intruder:
            plans[day.intruder] = self._intrude
        if isinstance(day.end, Stop):
            plans[day.end.nth] = press
        return plans

    def _nap(self, lasts_s: float) -> None:
        self.story.tell(f"--- the machine sleeps for {lasts_s:g} s")
        self.clock.slept_s += lasts_s

    def _intrude(self) -> None:
        """Try to work on the directory while somebody else does."""
        try:
            with DirLock(self.run_dir):
                self.oracle.blame("two writers at once")
        except RunDirLockedError:
            self.story.tell("--- a second run is refused")
        except CrashedError:
            self.story.tell("--- a second run is refused by the power cut")

    async def _process(
        self,
        work: Callable[[], Awaitable[Any]],
        live: Live,
        end: object,
        at_steps: dict[int, Callable[[], None]],
    ) -> Any:  # noqa: ANN401
        """Let one process live, and look at what it leaves."""
        self.processes += 1
        process = Process(
            self.disk,
            self.network,
            self.clock,
            self.rng,
            self.story.tell,
            believes=self.checks.live_state,
        )
        self.checks.last_began = self.true_now()
        live.slots = self.checks.running()
        self.oracle.live = live
        died_of = end if isinstance(end, Crash | DiskFault) else None
        summary = None
        try:
            summary = await process.live(
                work, end=died_of, at_steps=at_steps, most_s=_MOST_S
            )
        except Exception as error:  # noqa: BLE001  whatever it is, it is judged
            self._judge(error, process)
        self.oracle.live = None
        if process.stuck:
            self.oracle.blame(process.stuck)
        await self._afterwards(process, end)
        return summary

    async def _afterwards(self, process: Process, end: object) -> None:
        believed = process.book
        if process.dead:
            self.crashes += 1
            believed = None
            if isinstance(end, Crash) and end.power:
                lost = self.disk.cut_power(self.rng)
                self.story.tell(f"--- the power was cut: {lost}")
        self.checks.between(None if process.disk_failed else believed)

    def _judge(self, error: Exception, process: Process) -> None:
        """Tell whether *error* may be: only the disk's faults may end a run so."""
        self.story.tell(f"!!! {error!r} {getattr(error, 'hint', '')}")
        if process.disk_failed and isinstance(error, RunDirError | OSError):
            return
        told = "".join(traceback.format_exception(error)[-12:])
        self.oracle.blame(f"{type(error).__name__}: {error}\n{told}")

    async def _settle(self, day: Day) -> None:
        """Let a person decide about one held job."""
        held = [
            (job.id, attempt)
            for job in self.oracle.state.jobs.values()
            for phase, attempt in [job.leading()]
            if phase is Phase.HELD and attempt is not None
        ]
        if not held:
            return
        job, attempt = self.rng.choice(held)
        post = self.oracle.posts.get(attempt.id)
        task = post.task if post is not None else None
        decision: Any = day.settle
        if decision == "truth":
            decision = "task" if task is not None else "buy_again"
        self.story.tell(f"--- somebody settles {job}: {decision} {task or ''}")

        async def work() -> None:
            try:
                await api.settle(
                    self.run_dir,
                    job,
                    decision,
                    task=task if decision == "task" else None,
                    options=api.RunOptions(environ={}),
                    clock=self.clock,
                )
            except (UnreachableError, UsageError) as error:
                self.story.tell(f"--- refused: {error}")

        live = Live(may_buy=False, max_new=0)
        await self._process(work, live, None, {})


class _Teller:
    """Tells each fact; the oracle does not listen to it."""

    def __init__(self, story: Story) -> None:
        self._story = story

    def begins(self, beginning: object) -> None:
        """Take in what is going to happen."""

    def happened(self, fact: Event) -> None:
        """Tell one fact."""
        if self._story.loud:
            self._story.tell(f"fact {fact.run}/{fact.seq} {shown(fact)}")
