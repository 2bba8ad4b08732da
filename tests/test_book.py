"""What a run has in mind: enough to decide, and no more the longer it lasts."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import trio.testing

from foxbatch.canonical import JobId
from foxbatch.events import RunEnded, SubmitIntended
from foxbatch.ledger import LedgerWriter
from foxbatch.policy import PollPolicy, RetryPolicy
from foxbatch.runner import Book
from foxbatch.state import BatchState, Phase
from tests.facts import ACCEPTED, FIRST, JOB, PLANNED, RUN, SteppingClock
from tests.runner_harness import LOST, World, jobs_of, meets, no_sync

OTHER = msgspec.structs.replace(PLANNED, job=JobId("b" * 20))


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    return "trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(folder=tmp_path)


@pytest.mark.anyio
async def test_however_a_job_ends_a_run_keeps_its_phase_and_nothing_else(
    world: World,
) -> None:
    world.service.door = meets(post=[LOST])
    world.retry = RetryPolicy(attempts=2, classes=frozenset({"capacity"}))
    world.poll = PollPolicy(wait_s=3600)
    jobs = jobs_of(
        "lost",
        "good",
        "bad [sandbox:fail content_policy_violation]",
        "twice bad [sandbox:fail 503]",
        "slow [sandbox:slow 90000]",
    )

    ran = await world.run(jobs)

    assert list(map(ran.phase_of, jobs)) == [
        Phase.HELD,
        Phase.DONE,
        Phase.FAILED,
        Phase.FAILED,
        Phase.OVERDUE,
    ]
    assert ran.book.state.jobs == {}
    assert ran.book.closed == {job.job: ran.phase_of(job) for job in jobs}
    (ended,) = ran.only("run.ended")
    assert isinstance(ended, RunEnded)
    assert ended.counts == {"held": 1, "done": 1, "failed": 2, "overdue": 1}


def test_what_is_closed_is_forgotten_and_nothing_beside_it(tmp_path: Path) -> None:
    writer = LedgerWriter(tmp_path, RUN, SteppingClock(), fsync=no_sync)
    book = Book(writer, BatchState())
    book.record(PLANNED, SubmitIntended(job=JOB, attempt=FIRST), ACCEPTED, OTHER)

    book.close(JOB)
    book.close(JobId("nobody"))
    writer.close()

    assert (book.phase(JOB), book.phase(OTHER.job)) == (Phase.RUNNING, Phase.NEW)
    assert book.phase(JobId("nobody")) is Phase.NEW
    assert set(book.state.jobs) == {OTHER.job}
    assert book.closed == {JOB: Phase.RUNNING}
    assert book.state.tasks == {ACCEPTED.task: FIRST}  # no task may come twice
