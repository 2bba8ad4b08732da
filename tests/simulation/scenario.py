"""What one seed means: the jobs, the service, and the life of the processes."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from foxbatch.sandbox.faults import Plan
from tests.simulation.faults import SURVIVABLE, kept, plan_of, random_rules

CLASSES = ("capacity", "timeout", "service", "input", "unknown")


@dataclass(frozen=True, kw_only=True)
class Crash:
    """The process is gone in the middle of something.

    Attributes:
        at: What it dies in: the nth await, write to the ledger, or fsync.
        part: How much of a write reaches the file; an fsync below 0.5 did not happen.
        power: Whether the machine goes down too: only what was fsynced is sure to stay.
    """

    at: Literal["await", "write", "fsync"]
    nth: int
    part: float = 0.0
    power: bool = False


@dataclass(frozen=True, kw_only=True)
class Stop:
    """Ctrl-C, after so many awaits: they come at moments when something happens."""

    nth: int


@dataclass(frozen=True, kw_only=True)
class DiskFault:
    """The disk takes nothing more from the nth write or fsync on."""

    at: Literal["write", "fsync"]
    nth: int
    errno: int
    part: float = 0.0


End: TypeAlias = Crash | Stop | DiskFault | None


@dataclass(frozen=True, kw_only=True)
class Day:
    """One process, and what happens before it and to it.

    Attributes:
        pause_s: Seconds since the one before.
        settle: What a person does first about a held job.
        skew_s: By how much the wall clock of this machine is wrong during it.
        naps: When the machine sleeps, in awaits from the start, and for how long.
        intruder: After how many awaits somebody starts a second run; 0 for never.
        jobs: `jobs` of the manifest as it is on that day.
    """

    command: Literal["run", "collect"]
    end: End = None
    pause_s: float = 5.0
    settle: Literal["", "truth", "buy_again", "write_off"] = ""
    skew_s: float = 0.0
    naps: tuple[tuple[int, float], ...] = ()
    intruder: int = 0
    detach: bool = False
    max_new: int | None = None
    stop_after_s: float | None = None
    retry_failed: bool = False
    jobs: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Everything that a seed decides before the first process starts.

    Attributes:
        manifest: All of it but `jobs`.
        service: Further options of the sandbox.
        latency_s: Longest time that a request or a reply travels.
        plans: Fault plans; the next one begins when a process ends.
    """

    seed: int
    manifest: Mapping[str, Any]
    polling_s: float
    service: Mapping[str, Any]
    latency_s: float
    plans: tuple[Plan | None, ...]
    days: tuple[Day, ...] = field(default=())

    @property
    def retry(self) -> Mapping[str, Any]:
        """The manifest's retry policy."""
        found: Mapping[str, Any] = self.manifest.get("retry", {})
        return found

    @property
    def budget(self) -> int | None:
        """How many jobs may be bought in all."""
        found: int | None = self.manifest.get("budget", {}).get("jobs")
        return found


def _entries(rng: random.Random) -> list[dict[str, Any]]:
    """Return the `jobs` of a manifest: few as a rule, up to 40 now and then."""
    total = rng.choice((1, 2, 3, 3, 4, 5, 6, 8, 12, rng.randint(1, 40)))
    entries: list[dict[str, Any]] = []
    while total > 0:
        repeat = rng.choice((1, 1, 1, 2, 3))
        prompts = max(1, min(total // repeat, rng.randint(1, 6)))
        number = len(entries)
        texts = [f"Fox {number}-{n}" for n in range(prompts)]
        entries.append({"id": f"e{number}", "prompts": texts, "repeat": repeat})
        total -= prompts * repeat
    return entries


def _edited(entries: list[dict[str, Any]], rng: random.Random) -> list[dict[str, Any]]:
    """Return *entries* after somebody worked on the manifest."""
    edited: list[dict[str, Any]] = json.loads(json.dumps(entries))
    entry = rng.choice(edited)
    match rng.randrange(4):
        case 0:
            edited.reverse()
            rng.shuffle(entry["prompts"])
        case 1:
            place = rng.randrange(len(entry["prompts"]) + 1)
            entry["prompts"].insert(place, f"A new fox {rng.randrange(10**6)}")
        case 2 if len(entry["prompts"]) > 1:
            entry["prompts"].pop(0)
        case _:
            entry["repeat"] += 1
    return edited


def _manifest(rng: random.Random, jobs: int) -> dict[str, Any]:
    manifest: dict[str, Any] = {
        "foxbatch": 1,
        "name": "sweep",
        "provider": "./service.yaml",
        "defaults": {
            "model": "veo-3.1-fast",
            "params": {"duration": 4, "resolution": "720p", "generate_audio": False},
        },
        "limits": {
            "in_flight": rng.choice((1, 2, 3, 5, 16, 40)),
            "requests_per_second": rng.choice((0.5, 1, 2.5, 5, 20, 1000)),
            "downloads": rng.choice((1, 2, 4)),
        },
        "retry": {
            "attempts": rng.choice((1, 2, 3)),
            "classes": sorted(rng.sample(CLASSES, rng.randint(0, 3))),
            "unreachable": rng.choice(("20s", "5m")),
            "busy": rng.choice(("1m", "30m")),
        },
        "poll": {"wait": rng.choice(("40s", "2m", "10m"))},
        "order": rng.choice(("interleaved", "declared")),
    }
    if rng.random() < 0.3:
        manifest["budget"] = {"jobs": rng.randint(0, jobs + 2)}
    return manifest


def _service(rng: random.Random) -> dict[str, Any]:
    options: dict[str, Any] = {"seed": rng.randrange(100), "speed": 2.0}
    if rng.random() < 0.15:
        options["in_flight"] = rng.randint(1, 4)
    if rng.random() < 0.15:
        options["requests_per_s"] = rng.randint(1, 5)
    if rng.random() < 0.1:
        options["workers"] = rng.randint(1, 3)
    return options


def _plan(rng: random.Random) -> Plan | None:
    draw = rng.random()
    if draw < 0.1:
        return None
    if draw < 0.35:
        return kept(rng.choice(SURVIVABLE))
    return plan_of(random_rules(rng))


def _crash(rng: random.Random) -> Crash:
    power = rng.random() < 0.5
    draw = rng.random()
    if draw < 0.4:
        nth = int(10 ** rng.uniform(1.5, 3.5))
        return Crash(at="await", nth=nth, power=power)
    nth = int(10 ** rng.uniform(0, 1.9))
    part = rng.choice((0.0, rng.random(), rng.random(), 1.0))
    if draw < 0.8:
        return Crash(at="write", nth=nth, part=part, power=power)
    return Crash(at="fsync", nth=nth, part=part, power=power)


def _end(rng: random.Random) -> End:
    draw = rng.random()
    if draw < 0.6:
        return _crash(rng)
    if draw < 0.75:
        return Stop(nth=int(10 ** rng.uniform(1.5, 3.3)))
    if draw < 0.82:
        return DiskFault(
            at=rng.choice(("write", "fsync")),
            nth=int(10 ** rng.uniform(0, 1.9)),
            errno=rng.choice((28, 5)),  # ENOSPC, EIO
            part=rng.choice((0.0, rng.random())),
        )
    return None


def _day(rng: random.Random, *, first: bool, jobs: list[dict[str, Any]]) -> Day:
    run = first or rng.random() < 0.75
    naps: tuple[tuple[int, float], ...] = ()
    if rng.random() < 0.12:
        naps = ((int(10 ** rng.uniform(1.5, 3)), rng.choice((900.0, 30_000.0))),)
    return Day(
        command="run" if run else "collect",
        end=_end(rng),
        pause_s=rng.choice((0.0, 1.0, 20.0, 600.0, 20_000.0)),
        settle="" if first else rng.choice(("", "", "truth", "buy_again", "write_off")),
        skew_s=rng.choice((0.0, 0.0, 0.0, 90.0, -90.0, -7_200.0, 40_000.0, -40_000.0)),
        naps=naps,
        intruder=rng.randint(20, 200) if rng.random() < 0.01 else 0,
        detach=run and rng.random() < 0.08,
        max_new=rng.randint(1, 4) if run and rng.random() < 0.1 else None,
        stop_after_s=rng.choice((3.0, 40.0)) if rng.random() < 0.08 else None,
        retry_failed=run and rng.random() < 0.1,
        jobs=tuple(jobs),
    )


def draw(seed: int) -> Scenario:
    """Return the scenario of a seed: the same one everywhere."""
    rng = random.Random(f"foxbatch/simulation/1/{seed}")
    entries = _entries(rng)
    count = sum(len(e["prompts"]) * e["repeat"] for e in entries)
    manifest = _manifest(rng, count)
    days: list[Day] = []
    for number in range(rng.choice((1, 2, 2, 3, 3, 4, 6))):
        if number and rng.random() < 0.2:
            entries = _edited(entries, rng)
        days.append(_day(rng, first=number == 0, jobs=entries))
    return Scenario(
        seed=seed,
        manifest=manifest,
        polling_s=rng.choice((5, 10, 30)),
        service=_service(rng),
        latency_s=rng.choice((0.0, 0.2, 0.2, 1.5, 6.0)),
        plans=tuple(_plan(rng) for _ in range(rng.choice((1, 1, 2)))),
        days=tuple(days),
    )
