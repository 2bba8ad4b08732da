"""What a person has to hear, and what the other directories mean for the shell."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest

from foxbatch.api.summary import Digest, code_of_others, left_elsewhere
from foxbatch.canonical import JobId
from foxbatch.errors import ExitCode
from foxbatch.events import EXPIRED, Event, JobFailed, SubmitIntended, SubmitSettled
from foxbatch.planner import Action, Elsewhere, Plan, PlannedJob
from foxbatch.prices import Estimate
from foxbatch.results import in_order
from foxbatch.state import Attempt, JobState, Phase, fold
from tests.facts import ACCEPTED, FIRST, JOB, PLANNED, RESULTS, RUN, SECOND, file_of

INTENDED = SubmitIntended(job=JOB, attempt=FIRST)
GONE = JobFailed(job=JOB, attempt=FIRST, error_class=EXPIRED, message="too late")


def told(*facts: Event) -> list[str]:
    return said_of(in_order(fold(file_of(RUN, facts))))


def said_of(jobs: Iterable[JobState]) -> list[str]:
    digest = Digest(names={})
    list(digest.records(jobs))
    return digest.loud(())


def test_results_that_were_gone_come_with_what_can_be_done() -> None:
    (said,) = told(PLANNED, INTENDED, ACCEPTED, RESULTS, GONE)

    assert said == (
        "the results of a dune at night were gone before they were fetched:"
        " `foxbatch run MANIFEST --retry-failed=expired` buys them again"
    )


def test_a_task_that_stands_for_two_jobs_is_told() -> None:
    other = msgspec.structs.replace(PLANNED, job=JobId("k" * 20), name="a sea")
    second = SubmitSettled(
        job=other.job, attempt=SECOND, decision="task", task=ACCEPTED.task
    )

    (said,) = told(PLANNED, INTENDED, ACCEPTED, other, second)

    assert said == (
        f"task {ACCEPTED.task} stands for {JOB} and for a sea ({other.job}): one of "
        "them was settled with a task that is not its own"
    )


def test_of_many_such_results_the_first_are_named() -> None:
    state = fold(file_of(RUN, [PLANNED, INTENDED, ACCEPTED, RESULTS, GONE]))

    (said,) = said_of([*in_order(state)] * 5)

    assert "a dune at night, a dune at night, a dune at night and 2 more were" in said


@pytest.mark.parametrize(
    ("phase", "code"),
    [
        (Phase.HELD, ExitCode.HELD),
        (Phase.SUBMITTING, ExitCode.REMOTE),
        (Phase.RUNNING, ExitCode.REMOTE),
    ],
)
def test_jobs_that_are_left_to_another_directory_are_told(
    phase: Phase, code: ExitCode
) -> None:
    there = Elsewhere(
        folder="old@foxapi",
        shown="runs/old@foxapi",
        phase=phase,
        attempt=Attempt(FIRST, JOB),
        reachable=False,
    )
    job = PlannedJob(
        wanted=PLANNED,
        phase=phase,
        action=Action.ELSEWHERE,
        reason="there",
        elsewhere=there,
    )
    plan = Plan((job,), Estimate())

    assert not there.comes_over
    assert code_of_others(plan) is code
    assert left_elsewhere(plan) == [f"a dune at night ({JOB}): there"]


def test_no_other_directory_means_nothing() -> None:
    assert code_of_others(Plan((), Estimate())) is ExitCode.DONE
