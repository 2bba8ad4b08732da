"""What must hold between processes, and at the very end."""

from __future__ import annotations

import hashlib
from pathlib import Path

from foxbatch.api import RunSummary
from foxbatch.api.wanted import Wanted, checked_jobs
from foxbatch.errors import ExitCode, FoxbatchError
from foxbatch.events import ArtifactStored, AttemptId, Event
from foxbatch.ledger import read_folder
from foxbatch.runner import Book
from foxbatch.sandbox import Sandbox, Task
from foxbatch.sandbox.service.story import view
from foxbatch.state import Attempt, BatchState, JobState, Phase, Submission
from tests.simulation.oracle import Oracle, Post, differences
from tests.simulation.service import served_by

_NEVER_FETCHED = ("looping", "private")


class Checks:
    """Compares the directory with what the service and the disk know.

    Attributes:
        last_began: When the last process began, in Unix seconds.
    """

    def __init__(self, oracle: Oracle, sandbox: Sandbox, run_dir: Path) -> None:
        self._oracle, self._sandbox, self._run_dir = oracle, sandbox, run_dir
        self.last_began = 0.0

    @property
    def _state(self) -> BatchState:
        return self._oracle.state

    def running(self) -> set[AttemptId]:
        """Return the attempts that a process which starts now counts as in flight."""
        leading = [job.leading() for job in self._state.jobs.values()]
        return {a.id for phase, a in leading if a and phase is Phase.RUNNING}

    # ---- Between processes

    def between(self, believed: Book | None) -> None:
        """Check what a process left behind.

        Args:
            believed: Its book at its end, if it ended in order.
        """
        blame = self._oracle.blame
        try:
            read = read_folder(self._run_dir / "ledger")
        except FoxbatchError as error:
            blame(f"the ledger cannot be read: {error}")
            return
        self._compare_facts()
        if believed is not None and (what := differences(believed, read.state)):
            blame(f"the live state is not what is written: {what}")
        self._oracle.state = read.state
        for post in self._oracle.made.values():
            self._check_known(post)
        for job in read.state.jobs.values():
            self._check_job(job)

    def _compare_facts(self) -> None:
        """Check that what is read was written, and that what was sure is read."""
        blame, written = self._oracle.blame, self._oracle.written
        found: set[tuple[str, int]] = set()
        for event in _all_facts(self._run_dir / "ledger"):
            key = event.run, event.seq
            found.add(key)
            if written.get(key) != event:
                blame(f"a fact is read that nobody wrote: {event}")
        for gone in self._oracle.sure - found:
            blame(f"a fact that was on the disk is gone: {written[gone]}")
        self._oracle.forget_all_but(found)

    def _check_known(self, post: Post) -> None:
        """Check that a task is in the ledger by its id, or in doubt."""
        job = self._state.jobs.get(post.job)
        attempt = job.attempts.get(post.attempt) if job is not None else None
        if attempt is None:
            self._oracle.blame(f"task {post.task} is lost: nothing tells of it")
        elif attempt.task not in (None, post.task):
            self._oracle.blame(f"task {post.task} is taken for {attempt.task}")
        elif attempt.task is None and attempt.submission in (
            Submission.NONE,
            Submission.REFUSED,
        ):
            self._oracle.blame(f"task {post.task} is lost: {attempt.submission.name}")

    def _check_job(self, job: JobState) -> None:
        if job.unexplained_purchases():
            self._oracle.blame(f"{job.id} was bought several times without a reason")
        for attempt in job.attempts.values():
            for stored in attempt.artifacts.values():
                self._check_file(attempt, stored)
            if attempt.succeeded is not None:
                self._check_success(attempt)

    def _check_file(self, attempt: Attempt, stored: ArtifactStored) -> None:
        path = self._run_dir / stored.path
        try:
            content = path.read_bytes()
        except OSError as error:
            self._oracle.blame(f"{stored.path} was stored, and is gone: {error}")
            return
        if hashlib.sha256(content).hexdigest() != stored.sha256:
            self._oracle.blame(f"{stored.path} is not what was stored")
        task = self._sandbox.tasks.get(attempt.task or "")
        is_file = path.suffix == ".mp4" or task is None
        if task is None:
            self._oracle.blame(f"{stored.path} is of no task that there is")
        elif not is_file or stored.sha256 != served_by(task, stored.item - 1):
            self._oracle.blame(f"{stored.path} is not what the service made")

    def _check_success(self, attempt: Attempt) -> None:
        items = attempt.results.items if attempt.results is not None else ()
        if not items or set(attempt.artifacts) != set(range(1, len(items) + 1)):
            self._oracle.blame(f"{attempt.id} succeeded without all of its files")

    def summary(self, summary: RunSummary) -> None:
        """Check what a process told at its end."""
        if summary.exit_code is ExitCode.BUG:
            self._oracle.blame(f"a bug: {summary.reason}")

    def live_state(self, believed: Book) -> None:
        """Check that what the process believes is what it wrote."""
        if what := differences(believed, self._state):
            self._oracle.blame(f"the live state is not what was written: {what}")

    # ---- The end

    def all_is_over(self, now: float) -> bool:
        """Return whether nothing that is bought can still change."""
        return not any(
            self._may_change(post, now) for post in self._oracle.made.values()
        )

    def _may_change(self, post: Post, now: float) -> bool:
        job, task = self._state.jobs[post.job], self._task(post)
        attempt = job.attempts[post.attempt]
        if attempt.task is None or attempt.succeeded is not None or attempt.lost:
            return False
        if job.phase() in (Phase.DONE, Phase.FAILED):
            return False
        return _will_end(task) and not _cannot_be_fetched(task, now)

    def _task(self, post: Post) -> Task:
        return self._sandbox.tasks[str(post.task)]

    def the_end(self, now: float, wanted: Wanted) -> None:
        """Check that nothing which was paid for is lost, and nothing left undone."""
        for post in self._oracle.made.values():
            self._check_outcome(post, now)
        budget = self._oracle.scenario.budget
        if budget is not None and self._state.bought() >= budget:
            return
        for job in checked_jobs(wanted):
            if self._state.phase(job.id) is Phase.NEW:
                self._oracle.blame(f"{job.id} was never bought")

    def _check_outcome(self, post: Post, now: float) -> None:
        task = self._task(post)
        job = self._state.jobs[post.job]
        attempt = job.attempts[post.attempt]
        if attempt.task is None:
            return  # held, or settled by a person: checked before
        if attempt.succeeded is not None:
            return
        if attempt.failed is not None:
            if not attempt.failed.error_class:
                self._oracle.blame(f"{post.attempt} failed without a reason")
            if _succeeds(task) and attempt.failed.error_class != "expired":
                self._oracle.blame(f"{post.attempt} did not fail: {attempt.failed}")
            return
        if job.phase() in (Phase.DONE, Phase.FAILED):
            return  # another attempt decides about the job
        ended = _will_end(task) and task.ends_at < self.last_began
        if ended and not _cannot_be_fetched(task, now):
            self._oracle.blame(
                f"task {task.id} of {post.attempt} is {view(task, now).word}, and "
                f"its job {job.phase()}"
            )


def _all_facts(folder: Path) -> list[Event]:
    from foxbatch.ledger import read_facts

    paths = sorted(folder.glob("*.jsonl"))
    return [e for path in paths for e in read_facts(path, on_torn=lambda _name: None)]


def _succeeds(task: Task) -> bool:
    return not task.twist.fails and task.twist.word in ("", "completed")


def _will_end(task: Task) -> bool:
    """Return whether a client can see the end of a task."""
    known = task.twist.word in ("", "completed", "failed", "cancelled")
    return known and not task.twist.unending


def _cannot_be_fetched(task: Task, now: float) -> bool:
    """Return whether the files of a task are out of reach for good."""
    gone = now >= task.ends_at + task.keeps_s - 1_000
    return _succeeds(task) and (gone or task.twist.links in _NEVER_FETCHED)
