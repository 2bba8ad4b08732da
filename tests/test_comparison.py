"""The comparison with scripts and other tools counts what really happened."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.comparison.contenders import CONTENDERS, Contender, Tools
from benchmarks.comparison.service import Task
from benchmarks.comparison.trial import Day, hold
from benchmarks.comparison.verdict import judge, medians
from benchmarks.comparison.work import Wanted

ONE, OTHER = Wanted("p1", {"prompt": "A fox"}), Wanted("p2", {"prompt": "A hare"})


def task(job: Wanted, status: str = "completed") -> Task:
    return Task("task-1", job.digest, status, 28.0)


@pytest.mark.parametrize("name", ["foxbatch", "careful script"])
def test_on_a_calm_day_each_job_is_paid_once_and_has_its_file(
    tmp_path: Path, name: str
) -> None:
    contender: Contender = next(c for c in CONTENDERS if c.name == name)

    found = hold(
        contender, Tools(), tmp_path, Day(plan="calm", seed=1, jobs=3, speed=200)
    )

    assert (found.tasks, found.twice, found.lost, found.missing) == (3, 0, 0, 0)
    assert (found.wasted, found.asked, found.dishonest) == (0, 0, 0)


def test_a_second_task_that_lives_is_paid_twice_and_wasted() -> None:
    made = [task(ONE), task(ONE), task(OTHER)]

    found = judge(
        [ONE, OTHER],
        made,
        {"p1", "p2"},
        exit_code=0,
        seconds=1,
        settling_s=0,
        asked=0,
    )

    assert (found.twice, found.wasted, found.lost) == (1, 28.0, 0)


def test_a_task_that_failed_explains_another_one() -> None:
    made = [task(ONE, "failed"), task(ONE), task(OTHER)]

    found = judge(
        [ONE, OTHER],
        made,
        {"p1", "p2"},
        exit_code=0,
        seconds=1,
        settling_s=0,
        asked=0,
    )

    assert (found.tasks, found.twice, found.wasted) == (3, 0, 0)


def test_a_paid_job_without_a_whole_file_is_lost_and_exit_status_0_is_wrong() -> None:
    found = judge(
        [ONE, OTHER],
        [task(ONE)],
        set(),
        exit_code=0,
        seconds=1,
        settling_s=0,
        asked=0,
    )

    assert (found.lost, found.missing, found.wasted) == (1, 1, 28.0)
    assert found.dishonest == 1
    assert medians([found, found]) == found
