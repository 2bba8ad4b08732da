"""One history: a run is killed, and killed again, and goes on until all is done."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from foxbatch.errors import LedgerError
from foxbatch.ledger import read_folder
from foxbatch.state import Attempt, BatchState, JobState, Phase
from tests.crashes.processes import Ended, Kill, Terminal
from tests.crashes.service import Service, digest_of, write_provider

Command: TypeAlias = Literal["run", "collect", "settle", "recover"]

JOBS = 6
MOST_RUNS = 8
UNFINISHED = ("new", "submitting", "running", "overdue", "downloading", "held")


@dataclass(frozen=True)
class Death:
    """A command, and where it is killed."""

    command: Command
    kill: Kill

    def __str__(self) -> str:
        return f"{self.command}@{self.kill}"

    @classmethod
    def read(cls, text: str) -> Death:
        """Return what `str` wrote.

        Raises:
            ValueError: No such command.
        """
        command, _, kill = text.partition("@")
        match command:
            case "run" | "collect" | "settle" | "recover":
                return cls(command, Kill.read(kill))
            case _:
                raise ValueError(f"{command!r} is none of the commands")


@dataclass
class Told:
    """What came of one history.

    Attributes:
        name: Makes its jobs others than those of every other history.
        killed: How many of the kills took place.
        bought: Tasks that the service made.
        problems: What must not be, each a line.
    """

    name: str
    deaths: tuple[Death, ...]
    killed: int = 0
    bought: int = 0
    settled: int = 0
    problems: list[str] = field(default_factory=list)


class History:
    """Lives through the deaths, then to the end, and looks at what is left."""

    def __init__(
        self,
        folder: Path,
        service: Service,
        name: str,
        deaths: tuple[Death, ...],
        mutant: str = "",
    ) -> None:
        self.told = Told(name, deaths)
        self.run_dir = folder / "runs" / "crashes@fast"
        self._service = service
        self._terminal = Terminal(folder, mutant)
        self._forgotten: set[str] = set()  # tasks that died with a whole disk
        self._logged: set[str] = set()  # those that a log still has to give back
        folder.mkdir()
        (folder / "crashes.yaml").write_text(json.dumps(_manifest(name)))
        write_provider(folder / "fast.yaml", service.url)

    def trace(self) -> Counter[str]:
        """Run undisturbed, and return which places were passed, and how often."""
        file = self._terminal.folder / "trace.txt"
        self._terminal.type("run", "crashes.yaml", "--yes", trace=file)
        return Counter(file.read_text().splitlines())

    def live(self) -> Told:
        """Go through all of it."""
        for death in self.told.deaths:
            ended = self._type(death)
            self.told.killed += ended.killed
            if ended.code in (4, 70, 99, -6):
                self._blame(f"{death} ended with {ended.code}: {ended.stderr[-400:]}")
            self._check_nothing_is_lost(str(death))
            if self.told.problems:  # what comes after tells nothing new
                return self.told
        self._finish()
        self._check_the_end()
        return self.told

    def _blame(self, text: str) -> None:
        self.told.problems.append(text)

    # ---- What is typed

    def _type(self, death: Death) -> Ended:
        match death.command:
            case "run":
                return self._run(death.kill)
            case "collect":
                return self._terminal.type("collect", "crashes.yaml", kill=death.kill)
            case "settle":
                return self._settle(death.kill)
            case "recover":
                return self._recover(death.kill)

    def _run(self, kill: Kill | None = None) -> Ended:
        typed = ("run", "crashes.yaml", "--yes", "--format", "json")
        return self._terminal.type(*typed, kill=kill)

    def _settle(self, kill: Kill | None = None) -> Ended:
        """Decide about held jobs like somebody who sees the service's own list."""
        state, ended = self._state(), Ended(0, "", "")
        missing = self._missing(state)
        for known in _held(state):
            self.told.settled += 1
            found = missing.get(_digest(known), [])
            decision = ["--task", found[0]] if found else ["--buy-again"]
            ended = self._terminal.type(
                "settle", "crashes.yaml", known.id, *decision, "--yes", kill=kill
            )
            if ended.killed:
                return ended
            # Out of reach on a bad day: it is typed again after the next run.
            if ended.code not in (0, 8):
                self._blame(
                    f"settle {decision} ended with {ended.code}: {ended.stderr}"
                )
        return ended

    def _recover(self, kill: Kill | None = None) -> Ended:
        """Lose the run directory, and take from the log what it still says."""
        log = self._terminal.folder / "ci.log"
        if not log.exists():
            text = "".join(self._terminal.log)
            log.write_text(text)
            shutil.rmtree(self.run_dir, ignore_errors=True)
            made = set(self._made())
            self._logged = {task for task in made if f"task={task}" in text}
            self._forgotten = made - self._logged
        typed = ("recover", "--from-log", "ci.log", "crashes.yaml", "--yes")
        ended = self._terminal.type(*typed, kill=kill)
        if not ended.killed:
            self._logged = set()
        return ended

    def _finish(self) -> None:
        """Go on as a person would, until nothing is left to be done."""
        if any(death.command == "recover" for death in self.told.deaths):
            self._recover()
        counts: dict[str, int] = {}
        for _ in range(MOST_RUNS):
            ended = self._run()
            if ended.code not in (0, 10, 11, 12):
                self._blame(f"the run ended with {ended.code}: {ended.stderr[-600:]}")
                return
            counts = json.loads(ended.stdout)["counts"]
            if "held" in counts:
                self._settle()
            elif not set(UNFINISHED) & set(counts):
                return
        self._blame(f"not finished after {MOST_RUNS} runs: {counts}")

    # ---- What must hold

    def _state(self) -> BatchState:
        return read_folder(self.run_dir / "ledger").state

    def _made(self) -> dict[str, str]:
        """Return the service's tasks of this history, each with its request."""
        mine = {digest_of(request) for request in _requests(self.told.name)}
        made = self._service.tasks(self.told.name)
        return {task: digest for task, digest in made.items() if digest in mine}

    def _missing(self, state: BatchState) -> dict[str, list[str]]:
        """Return tasks that the ledger does not know, by request."""
        missing: dict[str, list[str]] = {}
        for task, digest in self._made().items():
            if task not in {*state.tasks, *self._forgotten, *self._logged}:
                missing.setdefault(digest, []).append(task)
        return missing

    def _check_nothing_is_lost(self, when: str) -> None:
        try:
            state = self._state()
        except LedgerError as error:
            self._blame(f"after {when}: {error}")
            return
        held = Counter(
            _digest(known)
            for known in state.jobs.values()
            for attempt in known.attempts.values()
            if attempt.phase(alive=False) is Phase.HELD or _bought_again(attempt)
        )
        for digest, tasks in self._missing(state).items():
            if len(tasks) > held[digest]:
                self._blame(f"after {when}: lost {tasks}, {held[digest]} held")
        for known in state.jobs.values():
            self._check_files(known, when)

    def _check_files(self, known: JobState, when: str) -> None:
        for attempt in known.attempts.values():
            for stored in attempt.artifacts.values():
                path = self.run_dir / stored.path
                content = path.read_bytes() if path.exists() else b""
                if hashlib.sha256(content).hexdigest() != stored.sha256:
                    self._blame(f"after {when}: {stored.path} is not what was stored")
            if attempt.succeeded is not None and not attempt.artifacts:
                self._blame(f"after {when}: {known.id} is done without a file")

    def _check_the_end(self) -> None:
        self._check_nothing_is_lost("all")
        state, made = self._state(), self._made()
        self.told.bought = len(made)
        per_job = Counter(
            digest for task, digest in made.items() if task not in self._forgotten
        )
        for known in state.jobs.values():
            again = sum(map(_bought_again, known.attempts.values()))
            tasks = per_job.pop(_digest(known), 0)
            if tasks > 1 + again:
                self._blame(f"{known.id} was bought {tasks} times, {again} decisions")
            if known.phase(()) not in (Phase.DONE, Phase.FAILED):
                self._blame(f"{known.id} is {known.phase(())} at the end")
        self.told.problems += [f"nobody knows of {digest}" for digest in per_job]
        self._check_records(state)
        self._check_files_left()
        before = len(made)
        self._run()
        if len(self._made()) != before:
            self._blame("one more run bought something")

    def _check_records(self, state: BatchState) -> None:
        lines = (self.run_dir / "results.jsonl").read_text().splitlines()
        records = [json.loads(line) for line in lines]
        if len({record["job"] for record in records}) != JOBS or len(records) != JOBS:
            self._blame(f"results.jsonl has {len(records)} records for {JOBS} jobs")
        for record in records:
            known = state.jobs[record["job"]]
            if record["phase"] != known.phase(()):
                self._blame(f"{known.id} is {known.phase(())}, not {record['phase']}")
            if record["phase"] == "done" and record["task"] not in self._made():
                self._blame(f"{record['task']} is no task of the service")

    def _check_files_left(self) -> None:
        left = [
            path.name
            for path in self.run_dir.rglob("*")
            if path.is_file()
            and (".partial" in path.parts or path.name.endswith(".new"))
        ]
        if left:
            self._blame(f"left behind: {left}")
        verified = self._terminal.type("verify", "crashes.yaml", "--format", "json")
        if verified.code:
            self._blame(f"verify: {verified.stdout[-600:]}{verified.stderr[-300:]}")


def _held(state: BatchState) -> list[JobState]:
    return [known for known in state.jobs.values() if known.phase(()) is Phase.HELD]


def _bought_again(attempt: Attempt) -> bool:
    return attempt.settled is not None and attempt.settled.decision == "buy_again"


def _digest(known: JobState) -> str:
    assert known.planned is not None
    return digest_of(known.planned.request)


def _requests(name: str) -> list[dict[str, Any]]:
    params = _manifest(name)["jobs"][0]["params"]
    return [
        {"model": "veo-3.1-fast", "prompt": f"A fox, {name}", "seed": seed, **params}
        for seed in range(JOBS)
    ]


def _manifest(name: str) -> dict[str, Any]:
    return {
        "foxbatch": 1,
        "name": "crashes",
        "provider": "fast.yaml",
        "jobs": [
            {
                "id": "sweep",
                "model": "veo-3.1-fast",
                "prompts": [f"A fox, {name}"],
                "matrix": {"axes": {"seed": list(range(JOBS))}},
                "params": {
                    "duration": 4,
                    "resolution": "720p",
                    "aspect_ratio": "16:9",
                    "generate_audio": False,
                },
            }
        ],
        "limits": {"in_flight": 4, "requests_per_second": 200, "downloads": 2},
        "poll": {"wait": "5s"},
    }


# ---- Which histories there are


def chosen(number: int, seed: int, places: dict[str, int]) -> tuple[Death, ...]:
    """Return the deaths of history *number*: the first kill is at each place in turn.

    Args:
        number: From 0.
        seed: Of all that is left to chance.
        places: Labels that an undisturbed run passes, and how often.
    """
    rng = random.Random(f"{seed}/{number}")
    labels = sorted(places)
    label = labels[number % len(labels)]
    first = Death("run", Kill(label, rng.randint(1, places[label])))
    deaths = [first]
    if rng.random() < 0.15:
        deaths[0] = Death("run", Kill("lines", rng.randint(1, 60)))
    for _ in range(rng.choice((0, 0, 1, 1, 2))):
        label = rng.choice(labels)
        command: Command = rng.choice(("run", "run", "collect", "settle"))
        most = max(1, places[label] // 2) if command == "run" else 2
        deaths.append(Death(command, Kill(label, rng.randint(1, most))))
    if rng.random() < 0.08:
        label = rng.choice([one for one in labels if one.startswith(("wr", "fs"))])
        deaths.append(Death("recover", Kill(label, 1)))
    return tuple(deaths)
