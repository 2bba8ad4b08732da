"""How few polls find out how soon that a task has ended, beside a fixed interval.

Everything is counted in one model of a service, with no network and no waiting;
`benchmarks/README.md` says what the lines mean.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from foxbatch.forecast import Forecast, Track

JOBS, SLOTS = 2_000, 200
MEDIAN_S, SIGMA = 5.0, 0.5
EVERY_S = 1.0  # what a script does: it asks each second
SEEDS = 5

Progress = Callable[[float], float | None]

REPORTS: Mapping[str, Progress] = {
    "linear": lambda share: math.floor(100 * share),
    "25 % steps": lambda share: 25 * math.floor(4 * share),
    "stuck at 40": lambda share: min(40, math.floor(100 * share)),
    "backwards": lambda share: math.floor(100 * share) - 40 * (share >= 0.6),
    "slowing down": lambda share: math.floor(100 * (1 - (1 - share) ** 3)),
    "none": lambda _share: None,
}


@dataclass
class Seen:
    """What a run of the model came to."""

    polls: int = 0
    late_s: list[float] = field(default_factory=list)
    took_s: list[float] = field(default_factory=list)
    makespan_s: float = 0.0
    ideal_s: float = 0.0

    @property
    def per_job(self) -> float:
        return self.polls / len(self.took_s)

    @property
    def delay(self) -> float:
        """How late ends are noticed, as a share of how long tasks take."""
        return sum(self.late_s) / sum(self.took_s)

    @property
    def worst(self) -> float:
        """The delay of the worst of a hundred tasks, as a share of that task."""
        shares = sorted(map(float.__truediv__, self.late_s, self.took_s))
        return shares[int(0.99 * len(shares))]

    @property
    def share(self) -> float:
        """The makespan of list scheduling without any delay, as a share of this one."""
        return self.ideal_s / self.makespan_s

    def add(self, other: Seen) -> None:
        self.polls += other.polls
        self.late_s += other.late_s
        self.took_s += other.took_s
        self.makespan_s += other.makespan_s
        self.ideal_s += other.ideal_s


@dataclass
class Task:
    """One task of the model."""

    accepted: float
    starts: float
    ends: float
    track: Track


def simulate(
    report: Progress, seed: int, *, every_s: float | None = None, workers: int = SLOTS
) -> Seen:
    """Work through all jobs, asking at fixed intervals or when the forecast says.

    Args:
        report: The progress that a running task tells, by its share that is done.
        seed: Of durations and of jitter.
        every_s: The interval; None for the forecast.
        workers: How many tasks the service works on; others wait there.
    """
    rng = random.Random(seed)
    durations = [rng.lognormvariate(math.log(MEDIAN_S), SIGMA) for _ in range(JOBS)]
    forecast = Forecast(least_gap_s=0.02, first_s=1.0, rng=random.Random(seed))
    free, waiting = [0.0] * workers, iter(durations)
    due: list[tuple[float, int, Task]] = []
    ties, seen = itertools.count(), Seen(ideal_s=ideal(durations, min(SLOTS, workers)))

    def submit(now: float) -> None:
        for duration in itertools.islice(waiting, 1):
            starts = max(now, heapq.heappop(free))
            heapq.heappush(free, starts + duration)
            track = forecast.watch(("model",), now)
            first_s = every_s or forecast.wait_s(track, now)
            task = Task(now, starts, starts + duration, track)
            heapq.heappush(due, (now + first_s, next(ties), task))

    for _ in range(SLOTS):
        submit(0.0)
    while due:
        now, _, task = heapq.heappop(due)
        seen.polls += 1
        if now >= task.ends:
            seen.late_s.append(now - task.ends)
            seen.took_s.append(task.ends - task.accepted)
            forecast.ended(task.track, now)
            submit(now)
            continue
        done = max(0.0, now - task.starts) / (task.ends - task.starts)
        forecast.seen(task.track, now, report(done))
        wait_s = every_s or forecast.wait_s(task.track, now)
        heapq.heappush(due, (now + wait_s, next(ties), task))
        seen.makespan_s = now
    seen.makespan_s = now
    return seen


def ideal(durations: list[float], workers: int) -> float:
    """Return the makespan of list scheduling."""
    free = [0.0] * workers
    for duration in durations:
        heapq.heapreplace(free, free[0] + duration)
    return max(free)


def seeds(
    report: Progress, *, every_s: float | None = None, workers: int = SLOTS
) -> Seen:
    """Return what several runs came to together."""
    total = Seen()
    for seed in range(SEEDS):
        total.add(simulate(report, seed, every_s=every_s, workers=workers))
    return total


def interval_as_late(delay: float) -> Seen:
    """Return what a fixed interval comes to that notices ends as late."""
    low, high = 0.05, 3.0
    for _ in range(12):
        middle = (low + high) / 2
        fixed = seeds(REPORTS["none"], every_s=middle)
        low, high = (low, middle) if fixed.delay > delay else (middle, high)
    return fixed


def line(name: str, seen: Seen) -> str:
    """Return one line of the table."""
    return (
        f"{name:<22}{seen.per_job:9.2f}{100 * seen.delay:9.2f} %"
        f"{100 * seen.worst:9.1f} %{seen.share:10.3f}"
    )


def main() -> None:
    """Measure and print."""
    print(f"{JOBS:,} jobs, {SLOTS} at once, lognormal {MEDIAN_S:g} s, {SEEDS} seeds")
    print(f"{'':<22}{'polls/job':>9}{'delay':>11}{'p99':>11}{'of ideal':>10}")
    print(line(f"each {EVERY_S:g} s", seeds(REPORTS["none"], every_s=EVERY_S)))
    found: dict[str, Seen] = {}
    began = time.process_time()
    for name, report in REPORTS.items():
        found[name] = seeds(report)
        print(line(f"progress {name}", found[name]))
    cpu_us = 1e6 * (time.process_time() - began) / sum(s.polls for s in found.values())
    print(line("queue, linear", seeds(REPORTS["linear"], workers=150)))
    blind = found["none"]
    fixed = interval_as_late(blind.delay)
    print(line("interval, as late", fixed))
    print(
        f"blind: {blind.per_job / fixed.per_job:.2f} times the polls of that interval"
    )
    print(f"{cpu_us:.0f} µs of CPU per poll, the model of the service included")


if __name__ == "__main__":
    main()
