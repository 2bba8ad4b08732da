"""One run of thousands of jobs through a storm: memory and handles stay flat.

`python -m tests.soak --jobs 20000` takes a quarter of an hour; `benchmarks/README.md`
says what it prints.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import anyio

from foxbatch import api
from foxbatch.ledger import read_folder
from foxbatch.state import BatchState, Phase
from tests.crashes.service import (
    KEY,
    KEY_NAME,
    Service,
    digest_of,
    serving,
    write_provider,
)

SPEED = 100.0
PER_PROMPT = 1_000
MOST_GROWTH = 1.0  # KB per job between a fifth and all of them: an id, a phase, a task
MOST_HANDLES = 64
MOST_RUNS = 6


def storm(folder: Path) -> Path:
    """Write the plan `storm` as a service needs it that is a hundred times as fast.

    All its troubles are in it. Its stretches of trouble last as long, in real seconds,
    as in the original; what makes every client rest for a second or a minute (429, no
    channel, five doubtful submissions in a row) is rarer and replies are late by less,
    or twenty thousand jobs would take a day.
    """
    text = files("foxbatch.sandbox.faults").joinpath("plans/storm.yaml").read_text()
    for old, new in (
        ("{after: 2m, burst: {every: 5m, lasts: 20s}}", _burst(120, 300, 20)),
        ("{after: 1m, burst: {every: 2m, lasts: 10s}}", _burst(300, 600, 1)),
        ("do: {refuse: 10s}", f"do: {{refuse: {10 * SPEED:g}s}}"),
        ("do: {delay: [0s, 1s]}", "do: {delay: [0s, 0.02s]}"),
        ("links_last: 2m", f"links_last: {120 * SPEED:g}s"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    for name, often, rare in (
        ("query-busy", "10%", "0.02%"),
        ("no-channel", "10%", "0.2%"),
        ("closed", "3%", "1%"),
        ("lost-reply", "5%", "2%"),
        ("error-after-all", "5%", "2%"),
        ("empty-reply", "3%", "1%"),
    ):
        before, found, after = text.partition(f"  - name: {name}\n")
        assert found, name
        text = before + found + after.replace(f"chance: {often}", f"chance: {rare}", 1)
    plan = folder / "storm.yaml"
    plan.write_text(text)
    return plan


def _burst(after_s: float, every_s: float, lasts_s: float) -> str:
    after, every, lasts = (f"{SPEED * s:g}s" for s in (after_s, every_s, lasts_s))
    return f"{{after: {after}, burst: {{every: {every}, lasts: {lasts}}}}}"


def manifest(jobs: int) -> dict[str, Any]:
    """Return what asks for *jobs* jobs."""
    prompts = max(1, jobs // PER_PROMPT)
    return {
        "foxbatch": 1,
        "name": "soak",
        "provider": "fast.yaml",
        "jobs": [
            {
                "id": "sweep",
                "model": "veo-3.1-fast",
                "prompts": [f"A fox on day {day} of rain" for day in range(prompts)],
                "matrix": {"axes": {"seed": list(range(jobs // prompts))}},
                "params": {
                    "duration": 4,
                    "resolution": "720p",
                    "aspect_ratio": "16:9",
                    "generate_audio": False,
                },
            }
        ],
        "limits": {
            "in_flight": 600,
            "requests_per_second": 2000,
            "downloads": 12,
            "max_jobs": jobs,
        },
        "poll": {"wait": "60s"},
    }


@dataclass(frozen=True)
class Sample:
    """What one process was like at one moment."""

    at_s: float
    jobs: int
    rss_kb: int
    handles: int
    threads: int
    cpu_s: float


def sampled(pid: int, at_s: float, jobs: int) -> Sample:
    """Look at a process.

    Raises:
        OSError: It is not there any more.
    """
    place = Path(f"/proc/{pid}")
    status = dict(
        line.split(":", 1) for line in (place / "status").read_text().splitlines()
    )
    if "VmRSS" not in status:
        raise ProcessLookupError(pid)
    fields = (place / "stat").read_text().rpartition(")")[2].split()
    return Sample(
        at_s=at_s,
        jobs=jobs,
        rss_kb=int(status["VmRSS"].split()[0]),
        handles=len(list((place / "fd").iterdir())),
        threads=int(status["Threads"]),
        cpu_s=(int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"),
    )


class Tail:
    """Counts the jobs that a growing ledger says to be over."""

    def __init__(self, folder: Path) -> None:
        self._known = set(folder.glob("*.jsonl"))
        self._folder = folder
        self._at = 0
        self.events: Counter[str] = Counter()

    def read(self) -> int:
        """Return how many are over by now."""
        for path in set(self._folder.glob("*.jsonl")) - self._known:
            with path.open("rb") as file:
                file.seek(self._at)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    self._at += len(line)
                    self.events[json.loads(line)["event"]] += 1
        over = ("job.succeeded", "job.failed", "submit.unknown", "watch.ended")
        return sum(self.events[word] for word in over)


@dataclass
class Soak:
    """One soak: a folder, a service and the commands that are typed there."""

    folder: Path
    jobs: int
    limit_s: float
    began: float = field(default_factory=time.monotonic)
    problems: list[str] = field(default_factory=list)

    @property
    def run_dir(self) -> Path:
        return self.folder / "runs" / "soak@fast"

    @property
    def left_s(self) -> float:
        return self.limit_s - (time.monotonic() - self.began)

    def run(self) -> tuple[int, dict[str, Any], list[Sample]]:
        """Run the manifest to its end and watch the process."""
        tail = Tail(self.run_dir / "ledger")
        typed = ["run", "soak.yaml", "--yes", "--format", "json"]
        errors = (self.folder / "stderr.txt").open("w")
        profile = os.environ.get("SOAK_PROFILE")
        tool = ["-m", "cProfile", "-o", profile] if profile else []
        with (
            errors,
            subprocess.Popen(
                [sys.executable, *tool, "-m", "foxbatch", *typed],
                cwd=self.folder,
                env=self.environ(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            ) as process,
        ):
            samples = list(self._watched(process, tail))
            stdout, _ = process.communicate()
        if not stdout:
            self.problems.append(
                f"the run ended with {process.returncode}: "
                + (self.folder / "stderr.txt").read_text()[-2000:]
            )
            return process.returncode, {}, samples
        return process.returncode, json.loads(stdout), samples

    def environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "NO_COLOR": "1",
            KEY_NAME: KEY,
        }

    def _watched(self, process: subprocess.Popen[str], tail: Tail) -> Iterator[Sample]:
        began, told, signalled = time.monotonic(), 0.0, False
        while process.poll() is None:
            at_s = time.monotonic() - began
            try:
                sample = sampled(process.pid, at_s, tail.read())
            except OSError:
                break
            yield sample
            if at_s - told > 30:
                told = at_s
                say(f"    {sample}")
            if self.left_s < 0 and not signalled:
                signalled = True
                say("    the time is over: stopping the run")
                process.terminate()
            time.sleep(1)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def told(samples: list[Sample]) -> None:
    """Print a line for each tenth of the jobs."""
    if not samples:
        return
    most, last = samples[-1].jobs, samples[0]
    say("      jobs  minutes   RSS MB  handles  threads  CPU ms/job")
    for tenth in range(1, 11):
        found = next(s for s in samples if s.jobs >= most * tenth / 10)
        per_job = 1000 * (found.cpu_s - last.cpu_s) / max(1, found.jobs - last.jobs)
        say(
            f"  {found.jobs:8,} {found.at_s / 60:8.1f} {found.rss_kb / 1024:8.1f} "
            f"{found.handles:8} {found.threads:8} {per_job:11.1f}"
        )
        last = found


def growth_kb(samples: list[Sample]) -> float:
    """Return by how much memory grew per job, from a fifth of them to the last.

    The most of the last tenth counts: a process that is about to end gives it back.
    """
    most = samples[-1].jobs
    first = next(s for s in samples if s.jobs >= most / 5)
    last = max((s for s in samples if s.jobs >= most * 0.9), key=lambda s: s.rss_kb)
    return (last.rss_kb - first.rss_kb) / max(1, last.jobs - first.jobs)


def settle(soak: Soak, service: Service) -> Counter[str]:
    """Decide about held jobs as a person would who can see the service's list."""
    state = read_folder(soak.run_dir / "ledger").state
    free: dict[str, list[str]] = {}
    for task, digest in service.tasks().items():
        if task not in state.tasks:
            free.setdefault(digest, []).append(task)
    rulings = []
    for known in state.jobs.values():
        if known.phase(()) is Phase.HELD and known.planned is not None:
            found = free.get(digest_of(known.planned.request), [])
            rulings.append(
                api.Ruling(job=known.id, decision="task", task=found[0])
                if found
                else api.Ruling(job=known.id, decision="buy_again")
            )
    if rulings:
        options = api.RunOptions(environ=soak.environ())

        async def decide() -> None:
            await api.settle_all(soak.run_dir, rulings, options=options, why="seen")

        anyio.run(decide)
    return Counter(ruling.decision for ruling in rulings)


def check(soak: Soak, service: Service) -> BatchState:
    """Compare the ledger with the service."""
    state, made = read_folder(soak.run_dir / "ledger").state, service.tasks()
    of_digest = {
        digest_of(known.planned.request): known
        for known in state.jobs.values()
        if known.planned is not None
    }
    per_job = Counter(made.values())
    for digest, count in per_job.items():
        known = of_digest[digest]
        decisions = sum(
            attempt.settled is not None and attempt.settled.decision == "buy_again"
            for attempt in known.attempts.values()
        )
        if count > 1 + decisions:
            soak.problems.append(f"{known.id} was bought {count} times")
    lost = [
        task
        for task, digest in made.items()
        if task not in state.tasks and of_digest[digest].phase(()) is not Phase.HELD
    ]
    soak.problems += [f"task {task} is lost" for task in lost]
    invented = [task for task in state.tasks if task not in made]
    soak.problems += [f"task {task} does not exist" for task in invented]
    phases = Counter(str(known.phase(())) for known in state.jobs.values())
    say(
        f"  the service made {len(made):,} tasks; bought twice "
        f"{sum(n > 1 for n in per_job.values())}, lost {len(lost)}; {dict(phases)}"
    )
    return state


def through_the_storm(soak: Soak, speed: float) -> tuple[int, list[Sample]]:
    """Run until nothing new is left or the time is over; return what came first."""
    first: list[Sample] = []
    port = 0
    plan = str(storm(soak.folder))
    with serving(soak.folder / "state", speed=speed, faults=plan) as service:
        write_provider(soak.folder / "fast.yaml", service.url)
        port = int(service.url.rpartition(":")[2])
        for number in range(1, MOST_RUNS + 1):
            code, summary, samples = soak.run()
            say(
                f"run {number}: exit code {code}, {summary.get('reason')}, "
                f"{summary.get('counts')} in {summary.get('duration_s')} s"
            )
            told(samples)
            first = first or samples
            check(soak, service)
            counts = summary.get("counts", {})
            if soak.left_s < 0 or not ({"new", "submitting"} & set(counts)):
                break
    return port, first


def the_day_after(soak: Soak, port: int, speed: float) -> None:
    """Fetch and settle what the storm left, until all is done or explained."""
    with serving(soak.folder / "state", speed=speed, port=port) as service:
        for _ in range(3):
            began = time.monotonic()
            decided = settle(soak, service)
            took_s = time.monotonic() - began
            code, summary, _ = soak.run()
            say(
                f"afterwards: settled {dict(decided)} in {took_s:.1f} s; exit code "
                f"{code}, {summary.get('counts')} in {summary.get('duration_s')} s"
            )
            counts = summary.get("counts", {})
            if soak.left_s < 0 or not {"new", "held", "running", "downloading"} & set(
                counts
            ):
                break
        if soak.left_s < 0:
            soak.problems.append("the time was over before all was done or explained")
        explain(soak, service, check(soak, service))


def explain(soak: Soak, service: Service, state: BatchState) -> None:
    """Check that what is not done is what the service says of its task."""
    import httpx

    reasons: Counter[str] = Counter()
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(trust_env=False, headers=headers) as client:
        for known in state.jobs.values():
            phase, attempt = known.leading(())
            if phase is Phase.DONE:
                continue
            task = attempt.task if attempt is not None else None
            if task is None:
                reasons[f"{phase}, and there is no task"] += 1
                continue
            reply = client.get(f"{service.url}/v1/tasks/{task}")
            word = reply.json().get("status")
            if word == "completed" and _gone(reply.text):
                word = "completed, with a file that is gone"
            reasons[f"{phase}, and the task is {word}"] += 1
            if word == "completed":
                soak.problems.append(f"{known.id} is {phase}, its task is completed")
    say(f"  not done: {dict(reasons)}")


def _gone(reply: str) -> bool:
    """Return whether a file of a finished task cannot be had any more.

    In the storm some links last two minutes, and a task that is asked about again tells
    the same ones.
    """
    import httpx

    links = re.findall(r"https?://[^\"\s]+", reply)
    with httpx.Client(trust_env=False, follow_redirects=True) as anybody:
        return any(anybody.get(link).status_code in (403, 404, 410) for link in links)


def main() -> int:
    """Soak as asked; return 1 if something grew, was lost, or was bought twice."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--limit", type=float, default=900, help="seconds for the runs")
    parser.add_argument("--folder", help="where: on a slow disk the disk is measured")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-", dir=wanted.folder) as name:
        soak = Soak(Path(name), wanted.jobs, wanted.limit)
        (soak.folder / "soak.yaml").write_text(json.dumps(manifest(wanted.jobs)))
        port, samples = through_the_storm(soak, SPEED)
        soak.limit_s = time.monotonic() - soak.began + wanted.limit
        the_day_after(soak, port, SPEED)
        grew = growth_kb(samples)
        say(f"memory grew by {grew:.2f} KB per job")
        middle = [s.handles for s in samples if s.jobs >= samples[-1].jobs / 5]
        say(f"handles between {min(middle)} and {max(middle)}")
    if max(middle) > MOST_HANDLES:
        soak.problems.append(f"{max(middle)} handles were open")
    if grew > MOST_GROWTH:
        soak.problems.append(f"memory grew by {grew:.2f} KB per job")
    for problem in soak.problems[:20]:
        say(f"problem: {problem}")
    return 1 if soak.problems else 0


if __name__ == "__main__":
    sys.exit(main())
