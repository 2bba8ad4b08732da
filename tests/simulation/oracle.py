"""What must hold, seen from outside: by the service, the disk and the network.

The oracle never asks the runner what it thinks. It hears each fact when it is written,
each fsync, each request when it leaves and each task when it is made.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field

import msgspec
import trio

from foxbatch.canonical import JobId
from foxbatch.events import (
    ArtifactStored,
    AttemptFact,
    AttemptId,
    BatchHalted,
    Event,
    JobFailed,
    JobPlanned,
    JobSucceeded,
    ResultsSeen,
    StatusSeen,
    SubmitAccepted,
    SubmitIntended,
    SubmitRefused,
    SubmitUnknown,
    TaskId,
    WatchEnded,
    decode,
    word,
)
from foxbatch.runner import Book
from foxbatch.state import Attempt, BatchState, Submission
from tests.simulation.scenario import Scenario

_ROUNDING_S = 1e-6


@dataclass(slots=True)
class Post:
    """One submission as it left.

    Attributes:
        sender: The process that it left; it may be dead when the service sees it.
        task: What it made; None until it arrives, or if it made nothing.
        arrived: Whether the service has seen it.
    """

    attempt: AttemptId
    job: JobId
    body: bytes
    sender: Live
    task: TaskId | None = None
    arrived: bool = False

    @property
    def may_exist(self) -> bool:
        """Whether a task was made, or may be made yet."""
        return self.task is not None or not self.arrived


@dataclass(slots=True)
class Live:
    """What the oracle knows about the process that is going on.

    Attributes:
        may_buy: Whether its command may send POSTs at all.
        stopped: Whether it was told to stop.
        halted: Whether it said that it submits nothing more.
        slots: Attempts that count as in flight.
        extra: Those of them that were overdue before: they may exceed the limit.
    """

    may_buy: bool
    max_new: float
    retry_failed: bool = False
    stopped: bool = False
    halted: bool = False
    made: int = 0
    slots: set[AttemptId] = field(default_factory=set)
    extra: set[AttemptId] = field(default_factory=set)
    starts: list[float] = field(default_factory=list)
    downloads: int = 0


def job_id_of(planned: JobPlanned) -> str:
    """Return the id that a job must have, computed anew from the design's formula."""
    identity = {
        "v": 1,
        "provider": planned.provider,
        "endpoint": planned.endpoint,
        "request": planned.request,
        "repeat": planned.repeat,
    }
    text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).digest()
    return base64.b32encode(digest).decode().lower()[:20]


class Oracle:
    """Checks every step, and keeps what went wrong.

    Attributes:
        state: The fold of every fact that was ever written and not lost.
        written: Every fact that was ever handed to the disk as a whole line.
        sure: Those of them that an fsync covered.
        posts: By attempt.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.limits = scenario.manifest["limits"]
        self.state = BatchState()
        self.written: dict[tuple[str, int], Event] = {}
        self.sure: set[tuple[str, int]] = set()
        self.posts: dict[AttemptId, Post] = {}
        self.made: dict[TaskId, Post] = {}
        self.live: Live | None = None
        self.violations: list[str] = []
        self._ends: dict[int, list[tuple[int, tuple[str, int]]]] = {}
        self._rest: dict[int, bytes] = {}
        self._sizes: Counter[int] = Counter()
        self._unsure: set[tuple[str, int]] = set()
        self._authors: dict[object, SubmitIntended] = {}

    def blame(self, text: str) -> None:
        """Note that something happened which must not."""
        self.violations.append(text)

    # ---- What is written

    def wrote(self, file: int, content: bytes) -> None:
        """Take in what was appended to a ledger file."""
        lines = (self._rest.pop(file, b"") + content).splitlines(keepends=True)
        for line in lines:
            if not line.endswith(b"\n"):
                self._rest[file] = line
                try:
                    event = decode(line)  # a record that lacks its line feed alone
                except ValueError:
                    continue
                self.written[event.run, event.seq] = event
                continue
            self._sizes[file] += len(line)
            event = decode(line)
            key = event.run, event.seq
            self.written[key] = event
            self._ends.setdefault(file, []).append((self._sizes[file], key))
            self.state.join(event)
            self._heard(event)

    def synced(self, file: int, size: int) -> None:
        """Take in that a file is on the disk up to *size*."""
        ends = self._ends.get(file, [])
        while ends and ends[0][0] <= size:
            self.sure.add(ends.pop(0)[1])

    def disk_refuses(self) -> None:
        """Take in that the run ends now: what is about to leave is harmless."""
        self._unsure.clear()

    def forget_all_but(self, found: set[tuple[str, int]]) -> None:
        """Take in what the end of a process left, and what of it is therefore lost."""
        self._unsure.clear()
        for file, ends in self._ends.items():
            self._ends[file] = [(size, key) for size, key in ends if key in found]

    def _heard(self, event: Event) -> None:
        live = self.live
        if live is None:
            return
        if isinstance(event, BatchHalted) and not event.slice:
            live.halted = True
        if isinstance(event, SubmitAccepted | ArtifactStored | JobSucceeded):
            self._unsure.add((event.run, event.seq))
        if isinstance(event, SubmitIntended):
            self._intended(event, live)
        elif isinstance(event, AttemptFact):
            self._in_flight(event, live)

    def _intended(self, event: SubmitIntended, live: Live) -> None:
        self._authors[trio.lowlevel.current_task()] = event
        live.slots.add(event.attempt)
        if not live.may_buy:
            self.blame(f"{event.attempt} is intended by a command that buys nothing")
        if live.stopped:
            self.blame(f"{event.attempt} is intended after the run was told to stop")
        if live.halted:
            self.blame(f"{event.attempt} is intended after the batch was halted")
        budget, bought = self.scenario.budget, self.state.bought()
        if budget is not None and bought > budget:
            self.blame(
                f"{bought} attempts may have been bought of a budget of {budget}"
            )

    def _in_flight(self, event: AttemptFact, live: Live) -> None:
        ended = SubmitRefused | SubmitUnknown | WatchEnded | ResultsSeen | JobFailed
        if isinstance(event, ended):
            live.slots.discard(event.attempt)
            live.extra.discard(event.attempt)
        elif isinstance(event, StatusSeen) and event.attempt not in live.slots:
            live.slots.add(event.attempt)
            live.extra.add(event.attempt)

    # ---- What leaves

    def starts(self, kind: str) -> None:
        """Check the pace of a request that begins now."""
        live, now = self.live, trio.current_time()
        for key in self._unsure - self.sure:
            self.blame(f"not on the disk when the next request leaves: {key}")
        self._unsure.clear()
        if live is None or kind == "file":
            return
        rate = float(self.limits["requests_per_second"])
        count, window_s = max(1, int(rate)), max(1.0, 1 / rate)
        if len(live.starts) >= count:
            gap_s = now - live.starts[-count]
            if gap_s < window_s - _ROUNDING_S:
                self.blame(f"{count + 1} requests began in {gap_s:.3f} s at {rate}/s")
        live.starts.append(now)

    def refused_at_the_door(self) -> None:
        """Take in that a POST met no connection: what was intended is not sent."""
        self._authors.pop(trio.lowlevel.current_task(), None)

    def leaves(self, body: bytes) -> Post | None:
        """Check a POST that is about to leave; return what is known of it."""
        live = self.live
        intent = self._authors.pop(trio.lowlevel.current_task(), None)
        if intent is None or live is None:
            self.blame("a POST left that no intent announced")
            return None
        if (intent.run, intent.seq) not in self.sure:
            self.blame(f"the intent of {intent.attempt} is not on the disk yet")
        self._check_identity(intent, body)
        self._check_decision(intent, live)
        crowd = len(live.slots - live.extra)
        if crowd > self.limits["in_flight"]:
            self.blame(f"{crowd} tasks in flight, {self.limits['in_flight']} allowed")
        post = Post(intent.attempt, intent.job, body, live)
        self.posts[intent.attempt] = post
        return post

    def _check_identity(self, intent: SubmitIntended, body: bytes) -> None:
        planned = self.state.jobs[intent.job].planned
        if planned is None:
            self.blame(f"{intent.job} is sent, and nothing says what it is")
            return
        if json.loads(body) != planned.request:
            self.blame(f"{intent.job} is sent with another request than was planned")
        if job_id_of(planned) != intent.job:
            self.blame(f"{intent.job} is not the id of what it asks for")

    def _check_decision(self, intent: SubmitIntended, live: Live) -> None:
        """Check that what may exist already is bought again only on purpose."""
        before = [
            post
            for post in self.posts.values()
            if post.job == intent.job and post.may_exist
        ]
        if not before:
            return
        attempts = self.state.jobs[intent.job].attempts
        for post in before:
            known = attempts.get(post.attempt)
            given_up = known is not None and (
                known.lost
                or known.submission in (Submission.BUY_AGAIN, Submission.WRITTEN_OFF)
            )
            if not given_up:
                self.blame(f"{intent.attempt} buys again what {post.attempt} may have")
        if intent.after is None:
            self.blame(f"{intent.attempt} repeats a purchase without saying so")
        else:
            self._check_reason(intent, attempts.get(intent.after), live)

    def _check_reason(
        self, intent: SubmitIntended, after: Attempt | None, live: Live
    ) -> None:
        if after is None:
            self.blame(f"{intent.attempt} repeats {intent.after}, which is unknown")
            return
        retry = self.scenario.retry
        failed = after.failed
        match intent.why:
            case "retry":
                accepted = self.state.jobs[intent.job].accepted
                allowed = failed is not None and failed.error_class in retry["classes"]
                if not allowed or accepted >= retry["attempts"]:
                    self.blame(f"{intent.attempt} is a retry that the policy forbids")
            case "retry_failed":
                if not live.retry_failed:
                    self.blame(f"{intent.attempt} repeats a failure unasked")
            case "buy_again":
                if after.submission is not Submission.BUY_AGAIN:
                    self.blame(f"{intent.attempt}: nobody said to buy it again")
                elif self._used(intent):
                    self.blame(f"{intent.attempt} uses one decision a second time")
            case _:
                self.blame(f"{intent.attempt} repeats {intent.after} for no reason")

    def _used(self, intent: SubmitIntended) -> bool:
        """Return whether the decision behind *intent* has led to a task already."""
        return any(
            post.may_exist
            and (known := self.state.jobs[post.job].attempts.get(post.attempt))
            and known.intended is not None
            and known.intended.after == intent.after
            and post.attempt != intent.attempt
            for post in self.posts.values()
            if post.job == intent.job
        )

    def arrives(self, post: Post | None, tasks: list[str]) -> None:
        """Take in what the service made of a POST."""
        if post is None:
            return
        post.arrived = True
        for task in tasks:
            post.task = TaskId(task)
            self.made[post.task] = post
            self._made_one(post, post.sender)
        budget = self.scenario.budget
        if budget is not None and len(self.made) > budget:
            self.blame(f"{len(self.made)} tasks were made of a budget of {budget}")

    def _made_one(self, post: Post, sender: Live) -> None:
        attempt = self.state.jobs[post.job].attempts.get(post.attempt)
        if attempt is None or attempt.intended is None:
            self.blame(f"task {post.task} was made, and no intent is on the disk")
            return
        sender.made += 1
        if sender.made > sender.max_new:
            said = f"{sender.made} tasks were made where {sender.max_new} were wanted"
            self.blame(said)

    def file_begins(self) -> None:
        """Check how many files are fetched at once."""
        if self.live is not None:
            self.live.downloads += 1
            if self.live.downloads > self.limits["downloads"]:
                self.blame(f"{self.live.downloads} downloads at once")

    def file_ends(self) -> None:
        """Take in that a file was fetched, or not."""
        if self.live is not None:
            self.live.downloads -= 1


def differences(book: Book, read: BatchState) -> str:
    """Return where a process believes else than was written; empty if nowhere."""
    live = book.state
    for job in {*live.jobs, *read.jobs} - book.closed.keys():
        mine, theirs = live.jobs.get(job), read.jobs.get(job)
        if mine != theirs:
            return f"job {job}: live {mine} but on the disk {theirs}"
    for job, phase in book.closed.items():
        if job in live.jobs:
            return f"job {job} was closed, and something happened to it"
        if phase is not read.phase(job, (book.run,)):
            return f"job {job}: closed as {phase} but on the disk {read.jobs.get(job)}"
    same = (live.runs, live.tasks) == (read.runs, read.tasks)
    return "" if same else "the runs or tasks differ"


def shown(event: Event) -> str:
    """Return a fact in a line, for the story of a seed."""
    fields = msgspec.structs.asdict(event)
    brief = {
        name: value
        for name, value in fields.items()
        if value
        and name not in ("v", "run", "at", "reply", "headers", "job", "request")
    }
    about = fields.get("job", "")
    return f"{word(event)} {about[:8]} " + " ".join(
        f"{name}={str(value)[:60]}" for name, value in brief.items()
    )
