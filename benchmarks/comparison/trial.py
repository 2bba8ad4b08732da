"""One contender at work on one batch: run, pull the plug, run again, settle."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.comparison import work
from benchmarks.comparison.contenders import (
    Contender,
    Tools,
    environment,
    foxbatch,
)
from benchmarks.comparison.service import Service, served
from benchmarks.comparison.verdict import Verdict, judge

_REPEATS = 2  # how often a person types the same command again where it failed
_HELD = 11
_LONGEST_S = 300.0
_LOOK_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Day:
    """What all contenders meet alike.

    Attributes:
        plan: The name of a fault plan.
        seed: Of all chance of the sandbox.
        plug: Whether everything is killed when half of the jobs have a task.
        speed: How much faster than real the sandbox is.
    """

    plan: str
    seed: int
    jobs: int
    plug: bool = False
    speed: int = work.SPEED


@dataclass
class Trial:
    """A folder with one contender in it."""

    contender: Contender
    tools: Tools
    service: Service
    folder: Path
    environ: Mapping[str, str]
    jobs: Sequence[work.Wanted]
    seconds: float = 0.0
    settling_s: float = 0.0
    asked: set[str] = field(default_factory=set)

    def start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start a command, in a group of processes that can be killed as one."""
        with (self.folder / "output.txt").open("ab") as output:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env=dict(self.environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def run(self, command: Sequence[str]) -> int:
        """Run a command to its end, on the clock; return its exit code."""
        began = time.monotonic()
        process = self.start(command)
        try:
            return process.wait(timeout=_LONGEST_S)
        except subprocess.TimeoutExpired:
            return -signal.SIGKILL
        finally:
            if process.poll() is None:  # also after Ctrl-C: nobody is left behind
                _kill(process)
            self.seconds += time.monotonic() - began

    def pull_the_plug(self) -> None:
        """Run until half of the tasks are made, and kill everything at once."""
        began = time.monotonic()
        process = self.start(self.contender.command(self.tools))
        while process.poll() is None and self.service.created() < len(self.jobs) / 2:
            time.sleep(_LOOK_S)
        _kill(process)
        self.seconds += time.monotonic() - began
        if self.contender.again is not None:
            self.run(self.contender.again(self.tools))

    def finish(self) -> int:
        """Type the same command until it is content, or a person was asked enough."""
        code = self.run(self.contender.command(self.tools))
        for _ in range(_REPEATS):
            if code == 0:
                break
            if self.contender.settles and code == _HELD:
                began = self.seconds
                self.settle()
                self.settling_s += self.seconds - began
            code = self.run(self.contender.command(self.tools))
        return code

    def settle(self) -> None:
        """Decide about held jobs as a person does who looks at the service's list."""
        status = subprocess.run(
            foxbatch("status", "comparison.yaml", "--format", "json"),
            cwd=self.folder,
            env=dict(self.environ),
            capture_output=True,
            check=False,
        )
        listed = json.loads(status.stdout)["jobs"]
        known = {job["task"] for job in listed}
        digests = {job.name: job.digest for job in self.jobs}
        tasks = self.service.tasks()
        nothing: list[str] = []
        for held in (job for job in listed if job["phase"] == "held"):
            self.asked.add(held["job"])
            digest = digests[held["name"].split("-")[0]]
            made = [t.id for t in tasks if t.digest == digest and t.id not in known]
            if made:
                self.run(_decide(held["job"], "--task", made[-1]))
            else:
                nothing.append(held["job"])
        if nothing:
            self.run(_decide(*nothing, "--buy-again"))


def _decide(*arguments: str) -> list[str]:
    return foxbatch("settle", "comparison.yaml", *arguments, "--yes")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all that it started, as a power cut would."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def hold(
    contender: Contender,
    tools: Tools,
    folder: Path,
    day: Day,
) -> Verdict:
    """Let one contender make the jobs of that day in an empty folder, and judge it."""
    jobs = work.wanted(day.jobs)
    path = os.environ.get("PATH", os.defpath)
    if tools.bin is not None:
        path = f"{tools.bin}{os.pathsep}{path}"
    with served(day.plan, day.seed, speed=day.speed) as service:
        work.write(jobs, folder, service.url)
        environ = environment(service.url, folder, path)
        trial = Trial(contender, tools, service, folder, environ, jobs)
        if day.plug:
            trial.pull_the_plug()
        code = trial.finish()
        tasks = service.tasks()
    whole = work.whole_files(jobs, folder / contender.files)
    return judge(
        jobs,
        tasks,
        whole,
        exit_code=code,
        seconds=trial.seconds,
        settling_s=trial.settling_s,
        asked=len(trial.asked),
    )
